"""Whose generator is used, on which device, and when it is trained: the same for both verbs that blend its pictures."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flawsight as fs
from flawsight import generation
from flawsight.core import FlawsightError
from flawsight.generation import PRESETS, Generator, read_card
from flawsight.settings import FitSettings

Verb = Callable[..., list[str]]
"""Blends pictures of a generator into good images, and returns what there is to mind."""


@pytest.fixture(scope="module", autouse=True)
def _tiny() -> Iterator[None]:
    """The usual preset in small; its quality takes longer to measure than all else here."""
    tiny = replace(
        PRESETS["small"], side=16, patch=4, widths=(16,), attention=0, norm_groups=4, head=8, sampling_steps=4
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "small", tiny)
        patch.setattr("flawsight.generation.generator.relative_frechet_distance", lambda *_: 1.0)
        patch.setattr("flawsight.pipeline.defect_sources.PICTURES", 2)
        yield


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """A folder with a generator of other images, as this preset makes it in two steps."""
    images = [np.full((20, 20, 3), level, np.uint8) for level in (40, 90, 140, 190)]
    folder = tmp_path / "generator"
    Generator("small", steps=2, batch_size=2, device="cpu").fit(images).save(folder)
    return folder


def fit(good: Path, out: Path, **options: object) -> list[str]:
    quick = {"image_size": 64, "device": "cpu", "layers": "blocks.3.0.bn3", "false_alarm_rate": 0.1, "export": "none"}
    given = FitSettings.of({"good": good, "out": out, "defects": "sdas", **quick, **options})
    return list(fs.run_fit(given).record.recipe.concerns)


def synthesize(good: Path, out: Path, **options: Any) -> list[str]:
    warnings: list[str] = fs.synthesize(good, out, defects="sdas", **{"device": "cpu", **options})["warnings"]
    return warnings


VERBS = pytest.mark.parametrize("verb", [fit, synthesize], ids=["fit", "synthesize"])


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[Generator]:
    """Generators that were really trained."""
    seen: list[Generator] = []
    original = Generator.fit

    def watched(self: Generator, *arguments: Any) -> Generator:
        seen.append(self)
        return original(self, *arguments)

    monkeypatch.setattr(Generator, "fit", watched)
    return seen


@VERBS
def test_a_named_generator_is_taken_as_it_is_and_that_is_said(
    verb: Verb, named: Path, good_dir: Path, tmp_path: Path, trainings: list
) -> None:
    card, weights = (named / "generator.json").read_bytes(), (named / "generator.safetensors").read_bytes()
    concerns = verb(good_dir, tmp_path / "out", generator=named)
    assert trainings == []
    assert ((named / "generator.json").read_bytes(), (named / "generator.safetensors").read_bytes()) == (card, weights)
    assert any(f"'{named}' learned from other images than these" in concern for concern in concerns)
    assert len(list((named / "pictures").glob("*.png"))) == 2


@VERBS
@pytest.mark.parametrize(
    ("contradiction", "said"),
    [
        ({"generator_steps": 3}, "is of steps 2, not 3"),
        ({"generator_preset": "paper"}, "is of preset small, not paper"),
    ],
)
def test_a_contradiction_to_what_is_there_is_refused(
    verb: Verb, named: Path, good_dir: Path, tmp_path: Path, trainings: list, contradiction: dict, said: str
) -> None:
    before = (named / "generator.json").read_bytes()
    with pytest.raises(FlawsightError, match=f"the generator in '{named}' {said}.*name another folder"):
        verb(good_dir, tmp_path / "out", generator=named, **contradiction)
    assert trainings == [] and (named / "generator.json").read_bytes() == before
    assert not (tmp_path / "out" / "inspector.json").exists() and not (tmp_path / "out" / "synthetic.csv").exists()


@VERBS
def test_saying_what_is_there_is_no_contradiction(
    verb: Verb, named: Path, good_dir: Path, tmp_path: Path, trainings: list
) -> None:
    verb(good_dir, tmp_path / "out", generator=named, generator_steps=2, generator_preset="small")
    assert trainings == []


@VERBS
def test_a_folder_without_one_gets_one_and_keeps_it(
    verb: Verb, good_dir: Path, tmp_path: Path, trainings: list
) -> None:
    folder = tmp_path / "new"
    first = verb(good_dir, tmp_path / "out", generator=folder, generator_steps=1)
    assert [one.steps for one in trainings] == [1] and read_card(folder).settings.steps == 1
    assert not any("other images" in concern for concern in first)
    again = verb(good_dir, tmp_path / "out", generator=folder, overwrite=True)
    assert len(trainings) == 1 and again == first


@VERBS
def test_the_device_reaches_the_generator(
    verb: Verb, good_dir: Path, tmp_path: Path, trainings: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled: list[str] = []
    original = generation.load_or_sample

    def watched(folder: Path, count: int, strength: Any, seed: int, progress: Any, device: str) -> Any:
        sampled.append(device)
        return original(folder, count, strength, seed, progress, device)

    monkeypatch.setattr(generation, "load_or_sample", watched)
    verb(good_dir, tmp_path / "out", generator=tmp_path / "new", generator_steps=1, device="cpu")
    assert [one.device for one in trainings] == ["cpu"] and sampled == ["cpu"]


@VERBS
def test_a_strength_that_is_none_is_refused_before_a_training(
    verb: Verb, good_dir: Path, tmp_path: Path, trainings: list
) -> None:
    with pytest.raises(FlawsightError, match="low <= high"):
        verb(good_dir, tmp_path / "out", generator=tmp_path / "new", strength=(0.3, 0.1))
    assert trainings == [] and not (tmp_path / "new").exists()


def test_a_data_set_keeps_a_generator_of_its_own(good_dir: Path, tmp_path: Path, trainings: list) -> None:
    """One that nobody named is kept up to date: it is trained again where other steps are asked for."""
    out = tmp_path / "out"
    for steps, times in ((1, 1), (1, 1), (2, 2)):
        synthesize(good_dir, out, generator_steps=steps, overwrite=True)
        assert len(trainings) == times and read_card(out / "generator").settings.steps == steps
