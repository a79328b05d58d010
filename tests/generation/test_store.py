"""Pictures for others: made once, kept, made anew when something else is asked, and never at a stranger's expense."""

from pathlib import Path

import numpy as np
import pytest

from flawsight.core import FlawsightError, Silent
from flawsight.defects import make
from flawsight.generation import Generator, sdas_pictures
from flawsight.generation.store import load_or_sample


def made(images: list[np.ndarray], folder: Path, *, steps: int = 4, seed: int = 0, **options: object) -> list:
    """`sdas_pictures` of a quick generator."""
    generator = Generator("tiny", steps, seed=seed, device="cpu")
    return sdas_pictures(images, folder, generator, progress=Silent(), **options)  # type: ignore[arg-type]


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with every training."""
    seen: list[str] = []
    fit = Generator.fit

    def counted(self: Generator, *arguments: object) -> Generator:
        seen.append(self.preset)
        return fit(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Generator, "fit", counted)
    return seen


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.filterwarnings("ignore:the generator")
def test_a_generator_is_trained_once_for_each_question(
    images: list[np.ndarray], tmp_path: Path, trainings: list[str]
) -> None:
    first = made(images, tmp_path, count=3)
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"generator.json", "generator.safetensors", "pictures", "samples"}
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir())[:3] == [
        f"{number:05d}.png" for number in range(3)
    ]
    assert same(made(images, tmp_path, count=3), first)
    more = made(images, tmp_path, count=5)
    assert same(more[:3], first) and len(more) == 5
    stronger = made(images, tmp_path, count=3, strength=0.9)
    assert not same(stronger, first) and len(trainings) == 1
    for change in ({"seed": 1}, {"stamp": "other"}, {"steps": 5}):
        made(images, tmp_path, count=1, **change)  # type: ignore[arg-type]
    made(images[1:], tmp_path, count=1)
    assert len(trainings) == 5


def test_kept_pictures_are_read_not_made(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("generator.json", "generator.safetensors"):
        (tmp_path / name).write_bytes((stored / name).read_bytes())
    whole = load_or_sample(tmp_path, 3, device="cpu")
    damaged = tmp_path / "pictures" / "00001.png"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:20])
    assert same(load_or_sample(tmp_path, 3, device="cpu"), whole) and damaged.read_bytes() == content
    monkeypatch.setattr(Generator, "load", None)
    assert same(load_or_sample(tmp_path, 2), whole[:2])


def test_it_warns_with_the_figure(images: list[np.ndarray], tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"times as far from good images.*--defects perlin --textures"):
        made(images, tmp_path, count=1)


def test_a_folder_of_other_things_is_left_alone(images: list[np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "holiday.png").write_text("mine")
    with pytest.raises(FlawsightError, match="holds other things"):
        made(images, tmp_path)
    assert (tmp_path / "pictures" / "holiday.png").read_text() == "mine"
    file = tmp_path / "file"
    file.write_text("in the way")
    with pytest.raises(FlawsightError, match="cannot write"):
        made(images, file / "generator")


def test_the_pictures_make_defects(stored: Path, texture, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pictures = Generator.load(stored, device="cpu").sample(4)
    image = texture(0, (64, 80))
    result, mask = make("sdas", pictures=pictures)(image, np.random.default_rng(0), [image])
    assert mask.any() and np.array_equal(result[~mask], image[~mask])
