import cv2
import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.defects import Image, Product, make
from flawsight.defects.kinds.nsa import seamless_clone


@pytest.mark.parametrize("shape", [(30, 40), (31, 41), (30, 41), (31, 40), (12, 12)])
@pytest.mark.parametrize("mixed", [True, False])
def test_clone_lands_where_it_should(shape: tuple[int, int], mixed: bool) -> None:
    spot = (shape[0] // 2, shape[1] // 2)
    patch, target = np.full((*shape, 3), 100, np.uint8), np.full((*shape, 3), 128, np.uint8)
    patch[spot] = 200
    assert seamless_clone(patch, target, mixed=mixed)
    assert np.unravel_index(target[..., 0].argmax(), shape) == spot
    # 100 above its surroundings, which take the target's 128; OpenCV mixes only one of two equal gradients in.
    assert target[spot][0] > (165 if mixed else 210)
    edge = np.ones(shape, dtype=bool)
    edge[1:-1, 1:-1] = False
    assert (target[edge] == 128).all()


@pytest.mark.parametrize("mixed", [True, False])
def test_clone_of_a_flat_patch_on_a_flat_target_changes_nothing(mixed: bool) -> None:
    patch, target = np.full((60, 50, 3), 90, np.uint8), np.full((60, 50, 3), 120, np.uint8)
    assert seamless_clone(patch, target, mixed=mixed)
    assert (target == 120).all()


def test_mixed_gradients_keep_the_target_and_the_sources_alone_wipe_it() -> None:
    striped = np.full((60, 60, 3), 100, np.uint8)
    striped[:, ::6] = 200
    flat = np.full((60, 60, 3), 100, np.uint8)
    mixed, normal = striped.copy(), striped.copy()
    seamless_clone(flat, mixed, mixed=True)
    seamless_clone(flat, normal, mixed=False)
    middle = np.s_[20:40, 20:40]
    assert np.abs(mixed[middle].astype(int) - striped[middle]).max() <= 3
    assert normal[middle].std() < 0.2 * striped[middle].std()


def test_clone_refused_by_opencv_leaves_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("no")

    monkeypatch.setattr(cv2, "seamlessClone", refuse)
    target = np.full((20, 20, 3), 7, np.uint8)
    assert not seamless_clone(np.zeros_like(target), target, mixed=False)
    assert (target == 7).all()


def test_object_clone_wipes_where_texture_clone_mixes(textures: list[Image]) -> None:
    flat = np.full_like(textures[0], 128)
    wiped, mask = make("nsa", texture=False, num_patches=1)(textures[0], np.random.default_rng(0), [flat])
    inner = cv2.erode(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert inner.any()
    assert wiped[inner].std() < 0.6 * textures[0][inner].std()
    with pytest.raises(FlawsightError):  # mixing flat material into a texture shows nothing
        make("nsa", texture=True, redraws=3)(textures[0], np.random.default_rng(0), [flat])


def test_patches_keep_their_bounds_and_number(textures: list[Image]) -> None:
    """Half-size bounds 0.1 and 0.2 bound the full size after scaling, as in the original."""
    defect = make("nsa", texture=False, half_height=(0.1, 0.2), half_width=(0.1, 0.2), num_patches=1)
    for seed in range(20):
        _, mask = defect(textures[0], np.random.default_rng(seed), textures[1:])
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert 8 <= np.ptp(rows) + 1 <= 0.2 * 128
        assert 8 <= np.ptp(columns) + 1 <= 0.2 * 128


def test_number_of_patches_is_one_and_a_binomial(textures: list[Image], monkeypatch: pytest.MonkeyPatch) -> None:
    clones: list[int] = []

    def count(patch: Image, target: Image, *, mixed: bool) -> bool:
        clones[-1] += 1
        target[:] = 255 - target
        return True

    monkeypatch.setattr("flawsight.defects.kinds.nsa.seamless_clone", count)
    # One redraw, and small patches, so that inverting twice does not undo a defect.
    defect = make("nsa", num_patches=4, half_height=(0.03, 0.1), half_width=(0.03, 0.1))
    for seed in range(300):
        clones.append(0)
        defect(textures[0], np.random.default_rng(seed), textures[1:])
    observed = np.bincount(clones, minlength=5)[1:] / 300
    assert set(clones) == {1, 2, 3, 4}
    assert np.abs(observed - np.array([1, 3, 3, 1]) / 8).max() < 0.08


def test_material_comes_from_the_object_only(discs: list[Image], disc_product: Product) -> None:
    """A source without object has nothing to give."""
    with pytest.raises(FlawsightError):
        empty = np.full_like(discs[0], 11)
        make("nsa", product=disc_product, redraws=2)(discs[0], np.random.default_rng(0), [empty])


def test_label_is_the_change(textures: list[Image]) -> None:
    for seed in range(10):
        result, mask = make("nsa")(textures[0], np.random.default_rng(seed), textures[1:])
        change = np.abs(result.astype(int) - textures[0]).mean(axis=2) > 1
        # A 3x3 median (5x5 at 256 pixels) only smooths the outline.
        assert np.array_equal(mask, cv2.medianBlur(change.astype(np.uint8), 3) > 0)
