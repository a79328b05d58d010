"""Fitting detectors and searches that need pictures beyond the good ones: textures, and those of a generator."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import flawsight as fs
from flawsight.cli.terminal import show_fit
from flawsight.core import FlawsightError
from flawsight.data import read_image
from flawsight.defects import KINDS
from flawsight.features import INPUT, Extractor, stage_ends
from flawsight.generation import Generator
from flawsight.inspection import Inspector
from flawsight.pipeline import defect_sources, fit_report
from flawsight.pipeline.defect_sources import DefectRecipe, anomaly_synthesis
from flawsight.report import render_fit_report
from flawsight.selection import make_validation_set
from flawsight.settings import FitSettings

QUICK = {"afs_pairs": 6, "pairs": 16, "training_steps": 4, "batch_size": 4, "channels": [4, 4, 4, 4]}


def options(fit_options: dict[str, object], **more: object) -> dict[str, object]:
    without_layers = {name: value for name, value in fit_options.items() if name != "layers"}
    return {**without_layers, "detector": "realnet", "detector_parameters": QUICK, **more}


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("textures")
    (folder / "spotted").mkdir()
    for seed in range(2):
        noise = np.random.default_rng(seed).integers(0, 255, (40, 50, 3)).astype(np.uint8)
        Image.fromarray(noise).save(folder / "spotted" / f"{seed}.png")
    return folder


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator of four other pictures, that has hardly learned."""
    folder = tmp_path_factory.mktemp("generator")
    images = [np.full((64, 64, 3), level, np.uint8) for level in (40, 90, 140, 190)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "flawsight.generation.generator.relative_frechet_distance", lambda *_: 99.0
        )  # takes longer than the rest
        Generator("small", steps=1, batch_size=2, device="cpu").fit(images).save(folder)
    return folder


def fitted_with_record(good: Path, out: Path | None = None, **given: object) -> fs.FitResult:
    return fs.run_fit(FitSettings.of({"good": good, "out": out, **given}))


@pytest.fixture(scope="module")
def result(good_dir: Path, fit_options: dict, textures: Path, tmp_path_factory: pytest.TempPathFactory) -> fs.FitResult:
    folder = tmp_path_factory.mktemp("realnet") / "bundle"
    found = fitted_with_record(good_dir, folder, **options(fit_options, textures=textures, export="none"))
    found.inspector.folder = folder  # type: ignore[attr-defined]
    return found


@pytest.fixture(scope="module")
def inspector(result: fs.FitResult) -> Inspector:
    return result.inspector


def test_realnet_reads_the_picture_and_the_ends_of_all_stages(result: fs.FitResult, network: Extractor) -> None:
    inspector = result.inspector
    assert inspector.layers == ((INPUT, *stage_ends(network.layers)),)
    assert len(inspector.layers[0]) == 5
    member = inspector.manifest.members[0]
    assert member.detector.name == "realnet" and member.detector.parameters["training_steps"] == 4
    assert result.record.selection is None
    data = inspector.manifest.data
    assert data.defects == ["perlin"] and len(data.sources_digest) == 16
    assert "defects learned from" in render_fit_report(fit_report(inspector, result.record, Path("bundle")))


def test_realnet_inspects_alike_when_it_is_loaded_again(inspector: Inspector, good_dir: Path) -> None:
    again = fs.load(inspector.folder, device="cpu")  # type: ignore[attr-defined]
    images = [read_image(path) for path in sorted(good_dir.glob("*.png"))[:3]]
    for first, second in zip(inspector.inspect_many(images), again.inspect_many(images), strict=True):
        assert first.score == second.score and np.array_equal(first.anomaly_map, second.anomaly_map)


def test_realnet_on_chosen_layers(good_dir: Path, fit_options: dict, network: Extractor) -> None:
    parameters = {**QUICK, "channels": [4, 4]}
    names = stage_ends(network.layers)[1:3]
    found = fs.fit(good_dir, **options(fit_options, fixed_layers=[names], detector_parameters=parameters))
    assert found.layers == ((INPUT, *names),)
    with pytest.raises(FlawsightError, match="one member"):
        fs.fit(good_dir, **options(fit_options, fixed_layers=[names[:1], names[1:]]))


def test_a_budget_sets_the_steps(good_dir: Path, fit_options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flawsight.detectors.realnet.time_budget._seconds_a_step", lambda *_: 1.0)
    monkeypatch.setattr("flawsight.detectors.realnet.time_budget.LEAST_STEPS", 2)
    monkeypatch.setattr("flawsight.pipeline.choose.n_jobs", lambda: 2)
    found = fs.fit(good_dir, **options(fit_options, budget=0.4))  # 12 s each for two trainings in a row
    parameters = found.manifest.members[0].detector.parameters
    assert parameters["size"] == "small" and parameters["training_steps"] == 3
    with pytest.raises(FlawsightError, match="learned nothing"):
        fs.fit(good_dir, **options(fit_options, budget=0.1))


def test_the_bar_follows_the_training(good_dir: Path, fit_options: dict) -> None:
    told: dict[str, list[float]] = {}

    class Watching:
        def stage(self, name: str, total: int):
            from contextlib import contextmanager

            @contextmanager
            def stage():
                told[name] = [float(total)]
                yield told[name].append

            return stage()

    parameters = {**QUICK, "training_steps": 30}
    fs.fit(good_dir, **options(fit_options, detector_parameters=parameters, progress=Watching()))
    total, *steps = told["Learning from all good images"]
    assert total == 3 * 24 and sum(steps) == pytest.approx(total)
    assert any(0 < step < 1 for step in steps)  # epochs of a training


def test_pictures_of_a_generator_are_blended_in_everywhere(
    good_dir: Path, fit_options: dict, generator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    kind = KINDS["sdas"]

    class Watched(kind):  # type: ignore[misc, valid-type]
        def __post_init__(self) -> None:
            super().__post_init__()
            given.append(len(self.pictures))

    monkeypatch.setitem(KINDS, "sdas", Watched)
    monkeypatch.setattr("flawsight.pipeline.defect_sources.PICTURES", 3)
    monkeypatch.setattr("flawsight.generation.card.WORST", 100.0)
    found = fitted_with_record(good_dir, **options(fit_options, generator=generator))  # auto is sdas, by a generator
    assert set(given) == {3}
    given.clear()
    assert "99.0" in found.record.recipe.about.values() and found.record.recipe.kinds == ("sdas",)
    searched = fs.fit(good_dir, **fit_options, defects="sdas,scratch", generator=generator, fuse=1)
    assert given == [3]
    assert list(searched.manifest.selection.p_h) == ["sdas", "scratch"]


@pytest.mark.parametrize("defects", ["auto", "sdas"])
def test_useless_pictures_are_replaced_aloud_unless_they_were_asked_for(
    good_dir: Path,
    fit_options: dict,
    generator: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    defects: str,
) -> None:
    monkeypatch.setattr("flawsight.pipeline.defect_sources.PICTURES", 3)
    found = fitted_with_record(good_dir, **options(fit_options, generator=generator, defects=defects))
    recipe = found.record.recipe
    assert recipe.kinds == (("perlin",) if defects == "auto" else ("sdas",))
    show_fit(found.inspector.manifest, Path("bundle"), recipe.concerns)
    said = " ".join(capsys.readouterr().out.split())
    assert "Mind: the generator's pictures are 99.0 times as far" in said
    assert ("Mind: instead of its pictures" in said) is (defects == "auto")
    page = render_fit_report(fit_report(found.inspector, found.record, Path("bundle")))
    assert "99.0 times as far" in page and ("kinds of defects made instead" in page) is (defects == "auto")


def test_textures_and_a_generator_are_both_used(
    good_dir: Path, fit_options: dict, generator: Path, textures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flawsight.pipeline.defect_sources.PICTURES", 3)
    both = options(fit_options, generator=generator, textures=textures)
    assert fitted_with_record(good_dir, **both).record.recipe.kinds == ("perlin",)
    monkeypatch.setattr("flawsight.generation.card.WORST", 100.0)
    assert fitted_with_record(good_dir, **both).record.recipe.kinds == ("sdas", "perlin")


def test_validation_sets_take_parameters_of_kinds() -> None:
    images = [np.random.default_rng(seed).integers(90, 110, (64, 64, 3)).astype(np.uint8) for seed in range(12)]
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255
    found = make_validation_set(images, ["sdas"], seed=0, parameters={"sdas": {"pictures": [red]}})
    bad, masks = found.bad["sdas"]
    for image, mask in zip(bad, masks, strict=True):
        assert (image[mask].astype(int) @ [2, -1, -1] > 30).all()  # redder than any good pixel


def test_digests_tell_pictures_apart() -> None:
    first, second = (np.full((4, 4, 3), level, np.uint8) for level in (1, 2))
    given: list[dict] = [{"sdas": {"pictures": some}} for some in ([first], [second], [first, second])]
    found = {defect_sources._digest(one) for one in [*given, {"perlin": {"textures": [first]}}, {}]}
    assert len(found) == 5


def test_errors(good_dir: Path, fit_options: dict, textures: Path, tmp_path: Path) -> None:
    for wrong, message in (
        ({"defects": "sdas"}, "needs a generator"),
        ({"defects": "nsa", "textures": textures}, "--textures is for the kind 'perlin'"),
        ({"defects": "nsa", "generator": tmp_path}, "--generator is for the kind 'sdas'"),
        ({"detector": "realnet,patchcore"}, "cannot be compared"),
    ):
        with pytest.raises(FlawsightError, match=message):
            fs.fit(good_dir, **options(fit_options, **{"detector_parameters": {}, **wrong}))


def test_the_network_is_asked_for_few_pictures_at_once(network: Extractor) -> None:
    layers = stage_ends(network.layers)
    images = [np.random.default_rng(seed).integers(0, 255, (64, 64, 3)).astype(np.uint8) for seed in range(5)]
    settings = FitSettings.of({"good": Path(), "out": None})
    synthesis = anomaly_synthesis(network, layers, images, DefectRecipe(("scratch",)), settings)
    found = synthesis.features(images)
    whole = network.extract(images, layers)
    for maps, name in zip(found, layers, strict=True):
        assert torch.allclose(maps, whole[name], atol=1e-4) and not maps.is_inference()


class PulledError(Exception):
    """The plug is pulled."""


def test_a_training_on_other_defects_is_not_gone_on_with(
    good_dir: Path, fit_options: dict, textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What shows through the defects is part of what a training depends on, though only its folder was named."""
    others = tmp_path / "others"
    others.mkdir()
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 4, (1, 64, 3))).save(others / "0.png")
    given = options(fit_options, export="none")
    expected = fs.fit(good_dir, tmp_path / "expected", **given, textures=others)

    def pulled(*_: object) -> None:
        raise PulledError

    with monkeypatch.context() as patch:
        patch.setattr("flawsight.pipeline.learn.find_held_out", pulled)
        with pytest.raises(PulledError):
            fs.fit(good_dir, tmp_path / "killed", **given, textures=textures)
    found = fs.fit(good_dir, tmp_path / "killed", **given, textures=others)
    assert found.manifest.calibration == expected.manifest.calibration
    tensors = [(tmp_path / name / "detectors.safetensors").read_bytes() for name in ("killed", "expected")]
    assert tensors[0] == tensors[1]
