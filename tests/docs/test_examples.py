"""Every public name has an example in its docstring, and every example is true.

An example is run with the public names of its room, as after `from flawsight.ROOM import *`, with `fs` (flawsight),
`np` and `torch`, with `tmp`, an empty folder, and with what the fixtures of these names prepare: `good`, `images`,
`dataset`, `network`, `features`, `bundle`, `fitted`, `inspector` and `generator`.
"""

import doctest
import importlib
import inspect
import pkgutil
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import flawsight as fs
from flawsight.features import Extractor
from flawsight.generation import PRESETS, Generator
from flawsight.inspection import Inspector
from flawsight.pipeline import FitResult
from flawsight.settings import FitSettings

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
ALWAYS = {"__name__": "__main__", "fs": fs, "np": np, "torch": torch}
PREPARED = ("good", "images", "dataset", "network", "features", "bundle", "fitted", "inspector", "generator")
MOST_LINES = 5
SIZE = (64, 80)
SPOT = (slice(20, 40), slice(30, 50))
LAYERS = "blocks.1.0.*,blocks.3.0.*"
TINY = {"patch": 8, "widths": (16,), "attention": 0, "norm_groups": 4, "head": 8, "sampling_steps": 2}


def picture(seed: int, is_good: bool = True) -> np.ndarray:
    """Fine noise over stripes, with a bright spot where it is not good."""
    rng = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(rng.normal(size=SIZE).astype(np.float32), (0, 0), 1.2)
    grey = 130 + 70 * fine + 18 * np.sin(np.arange(SIZE[0])[:, None] / 3 + rng.uniform(0, 6))
    image = np.clip(grey[..., None] * np.array([1.0, 0.94, 0.82]), 0, 255).astype(np.uint8)
    if not is_good:
        image[SPOT] = 250
    return image


def write(folder: Path, images: list[np.ndarray]) -> Path:
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="session")
def images() -> list[np.ndarray]:
    """12 good pictures (64, 80, 3) uint8 RGB."""
    return [picture(seed) for seed in range(12)]


@pytest.fixture(scope="session")
def good(images: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of their files, 000.png to 011.png."""
    return write(tmp_path_factory.mktemp("product") / "good", images)


@pytest.fixture(scope="session")
def dataset(images: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a labelled set in the layout of MVTec AD: 12 to learn from, 3 good and 3 with a spot to test."""
    root = tmp_path_factory.mktemp("labelled")
    write(root / "train" / "good", images)
    write(root / "test" / "good", [picture(seed) for seed in range(100, 103)])
    write(root / "test" / "spot", [picture(seed, is_good=False) for seed in range(200, 203)])
    mask = np.zeros(SIZE, np.uint8)
    mask[SPOT] = 255
    for path in write(root / "ground_truth" / "spot", [mask] * 3).iterdir():
        path.rename(path.with_stem(f"{path.stem}_mask"))
    return root


@pytest.fixture(scope="session")
def network() -> Extractor:
    """The default network at 64 pixels."""
    return Extractor(image_size=64, device="cpu")


@pytest.fixture(scope="session")
def features(network: Extractor, images: list[np.ndarray]) -> list[torch.Tensor]:
    """What one of its layers gives for the pictures: one tensor (12, 40, 8, 8)."""
    return list(network.extract(images, ["blocks.2.1.add"]).values())


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fitted") / "bundle"


@pytest.fixture(scope="session")
def fitted(good: Path, out: Path) -> FitResult:
    """What `run_fit` gave back when it wrote the bundle."""
    options = {"image_size": 64, "layers": LAYERS, "false_alarm_rate": 0.1, "device": "cpu"}
    return fs.run_fit(FitSettings.of({"good": good, "out": out, **options}))


@pytest.fixture(scope="session")
def bundle(fitted: FitResult, out: Path) -> Path:
    """The bundle's folder."""
    del fitted
    return out


@pytest.fixture(scope="session")
def inspector(bundle: Path) -> Inspector:
    """The inspector loaded from it."""
    return fs.load(bundle, device="cpu")


@pytest.fixture(scope="session")
def generator(images: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a generator that has hardly learned."""
    folder = tmp_path_factory.mktemp("generator")
    Generator(steps=2, device="cpu").fit(images).save(folder)
    return folder


@pytest.fixture
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Generators of the preset `small` are tiny; what the command line changes is changed back."""
    monkeypatch.setitem(PRESETS, "small", replace(PRESETS["small"], **TINY))
    monkeypatch.setattr(sys, "argv", sys.argv)
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


def rooms() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(fs.__path__)]


def public(room: ModuleType) -> dict[str, object]:
    return {name: getattr(room, name) for name in getattr(room, "__all__", ())}


def public_things() -> dict[str, object]:
    """Every public class and function by the place where it is defined."""
    packages = [fs, *(importlib.import_module(f"flawsight.{name}") for name in rooms())]
    things = [thing for package in packages for thing in public(package).values()]
    named = [thing for thing in things if inspect.isclass(thing) or inspect.isroutine(thing)]
    ours = {f"{thing.__module__}.{thing.__qualname__}": thing for thing in named}
    return {name: thing for name, thing in sorted(ours.items()) if name.startswith("flawsight.")}


THINGS = public_things()


@pytest.mark.parametrize("name", THINGS)
def test_every_public_name_has_an_example(name: str) -> None:
    examples = doctest.DocTestParser().get_examples(THINGS[name].__doc__ or "")
    assert 1 <= len(examples) <= MOST_LINES


def modules(room: str) -> Iterator[ModuleType]:
    package = importlib.import_module(f"flawsight.{room}")
    yield package
    for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{package.__name__}."):
        yield importlib.import_module(found.name)


@pytest.mark.filterwarnings("ignore:the generator")  # has hardly learned
@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("room", rooms())
def test_examples_are_true(room: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    names = ALWAYS | public(importlib.import_module(f"flawsight.{room}"))
    runner, failures = doctest.DocTestRunner(optionflags=OPTIONS), []
    for module in modules(room):
        for test in doctest.DocTestFinder(exclude_empty=True).find(module, globs=names):
            words = set(re.findall(r"\w+", "".join(example.source for example in test.examples)))
            for name in words & set(PREPARED):
                test.globs[name] = request.getfixturevalue(name)
            test.globs["tmp"] = tmp_path_factory.mktemp("tmp")
            runner.run(test, out=failures.append)
    assert not failures, "".join(failures)
