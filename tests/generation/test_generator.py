"""A generator: what it learns, keeps, resumes and refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

from flawsight.core import FlawsightError
from flawsight.generation import Generator, read_card
from flawsight.training import TrainingContext


def test_it_learns_the_colours(learned: Generator, images: list[np.ndarray]) -> None:
    """Samples are nearer to one of the two colours than noise is, and not all to the same."""
    colours = np.array([image.mean((0, 1)) for image in images[:2]])
    means = np.array([picture.mean((0, 1)) for picture in learned.sample(16, strength=0.0)])
    distances = np.linalg.norm(means[:, None] - colours, axis=2)
    noise = np.linalg.norm(127.5 - colours, axis=1).min()
    assert np.median(distances.min(1)) < 0.55 * noise
    assert set(distances.argmin(1)) == {0, 1}


def test_pictures_depend_on_their_number_only(learned: Generator) -> None:
    many = learned.sample(11, seed=3)
    assert all(picture.shape == (16, 16, 3) and picture.dtype == np.uint8 for picture in many)
    assert np.array_equal(learned.sample(1, seed=3)[0], many[0])
    assert all(np.array_equal(one, other) for one, other in zip(learned.sample(4, seed=3, first=0), many, strict=False))
    late = learned.sample(3, seed=3, first=8)
    assert all(np.array_equal(one, other) for one, other in zip(late, many[8:], strict=True))
    assert learned.sample(0) == []


def test_a_batch_that_begins_elsewhere_differs_by_rounding_at_most(learned: Generator) -> None:
    shifted, plain = learned.sample(4, first=5), learned.sample(9)[5:]
    assert max(np.abs(a.astype(int) - b).max() for a, b in zip(shifted, plain, strict=True)) <= 1


def test_more_strength_is_farther_from_normal(learned: Generator) -> None:
    normal, weak, strong = (np.array(learned.sample(8, strength)).astype(int) for strength in (0.0, 0.1, 1.0))
    assert 0 < np.abs(weak - normal).mean() < np.abs(strong - normal).mean()


def test_what_is_saved_is_loaded(learned: Generator, stored: Path) -> None:
    assert {path.name for path in stored.iterdir()} == {"generator.json", "generator.safetensors"}
    loaded = Generator.load(stored, device="cpu")
    for sampler in ("ddpm", "ddim"):
        pairs = zip(learned.sample(3, sampler=sampler), loaded.sample(3, sampler=sampler), strict=True)  # type: ignore[arg-type]
        assert all(np.array_equal(one, other) for one, other in pairs)
    assert loaded.card_ == learned.card_ == read_card(stored)


def test_damaged_files_are_refused(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match=r"generator .*generator\.json cannot be read"):
        Generator.load(tmp_path)
    (tmp_path / "generator.json").write_bytes((stored / "generator.json").read_bytes())
    for content in (None, b"", (stored / "generator.safetensors").read_bytes()[:-9]):
        if content is not None:
            (tmp_path / "generator.safetensors").write_bytes(content)
        with pytest.raises(FlawsightError, match=r"generator.safetensors.*delete"):
            Generator.load(tmp_path)
    (tmp_path / "generator.json").write_text('{"format": 1}')
    with pytest.raises(FlawsightError, match=r"generator .* is damaged or of another version: generator\.json"):
        Generator.load(tmp_path)


class Stopped(Exception):
    pass


def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    images: list[np.ndarray], tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flawsight.training.loop.SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    done = []

    def stop(share: float) -> None:
        done.append(share)
        if sum(done) > 0.45:
            raise Stopped

    blank = Generator(tiny, steps=16, batch_size=4, device="cpu")
    whole = clone(blank).fit(images)
    with pytest.raises(Stopped):
        clone(blank).fit(images, TrainingContext(tmp_path, stop))
    reported: list[float] = []
    resumed = clone(blank).fit(images, TrainingContext(tmp_path, reported.append))
    assert reported[0] >= 0.4 and sum(reported) == pytest.approx(1)
    assert resumed.losses_ == whole.losses_
    both = zip(whole.network_.state_dict().values(), resumed.network_.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in both)
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [
        "025_percent.png", "050_percent.png", "075_percent.png", "100_percent.png",
    ]  # fmt: skip


def test_grey_stays_grey(images: list[np.ndarray], tiny: str, tmp_path: Path) -> None:
    grey = [np.repeat(image[..., :1], 3, axis=2) for image in images]
    generator = Generator(tiny, steps=2, device="cpu").fit(grey)
    generator.save(tmp_path)
    for one in (generator, Generator.load(tmp_path, device="cpu")):
        assert all(np.ptp(picture, axis=2).max() == 0 for picture in one.sample(3))
    assert generator.card_.grey


def test_what_it_says_of_itself(learned: Generator, images: list[np.ndarray]) -> None:
    description = learned.card_
    assert (description.images, description.held_out, description.side, description.grey) == (12, 4, 16, False)
    assert "60.0 times" in description.concern and "--textures" in description.concern
    good = description.model_copy(update={"quality": 1.2})
    assert "12 good images" in good.concern and "--textures" in good.concern
    assert good.model_copy(update={"images": 100}).concern == ""
    other = Generator("tiny", steps=120, learning_rate=5e-3).settings(images[:-1])
    assert other != description.settings == Generator("tiny", steps=120, learning_rate=5e-3).settings(images)


def test_requests_that_cannot_be_met(images: list[np.ndarray], tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FlawsightError, match=r"at least 4 good images.*got 3.*--textures"):
        Generator(tiny).fit(images[:3])
    with pytest.raises(FlawsightError, match="small or paper"):
        Generator("huge").fit(images)
    for name in ("steps", "batch_size", "learning_rate"):
        with pytest.raises(FlawsightError, match=f"{name}.*above 0"):
            Generator(tiny, **{name: 0}).fit(images)  # type: ignore[arg-type]
    with pytest.raises(FlawsightError, match="call fit first"):
        Generator(tiny).sample(1)

    def full(*_: object, **__: object) -> None:
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr("flawsight.generation.generator.train", full)
    with pytest.raises(FlawsightError, match=r"GPU's memory.*--generator-preset small"):
        Generator(tiny, device="cpu").fit(images)
    monkeypatch.undo()
    with pytest.raises(FlawsightError, match=r"generator diverged.*smaller learning_rate.*--textures"):
        Generator(tiny, steps=40, learning_rate=1e30, device="cpu").fit(images)
