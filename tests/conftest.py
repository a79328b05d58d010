"""A small product that everyone upstairs shares: textured pictures, the default network at 64 pixels, one bundle.

And detectors that learn in no time, of each sort that the search and the inspector must get along with.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

import flawsight as fs
from flawsight.detectors import DETECTORS, BufferedDetector, Detector, DetectorTags, FeatureMaps
from flawsight.features import Extractor
from flawsight.inspection import Inspector
from flawsight.training import Schedule, TrainingContext, seeded, train

if "PYTEST_XDIST_WORKER" in os.environ:  # several processes: threads of each on all cores would slow all down
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

LAYERS = "blocks.1.0.*,blocks.3.0.*"
SIZE = (80, 96)
SPOT = (slice(56, 64), slice(74, 84))


def make_texture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A good part: fine noise over stripes whose place varies, RGB uint8, not square."""
    rng = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(rng.normal(size=size).astype(np.float32), (0, 0), 1.2)
    grey = 130 + 70 * fine + 18 * np.sin(np.arange(size[0])[:, None] / 3 + rng.uniform(0, 6))
    return np.clip(grey[..., None] * np.array([1.0, 0.94, 0.82]), 0, 255).astype(np.uint8)


def make_spoiled(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A part with a bright spot in its lower right."""
    image = make_texture(seed, size)
    image[SPOT] = 250
    return image


@pytest.fixture(scope="session")
def texture() -> Callable[..., np.ndarray]:
    return make_texture


@pytest.fixture(scope="session")
def spoiled() -> Callable[..., np.ndarray]:
    return make_spoiled


def fill(folder: Path, count: int, first: int = 0) -> Path:
    folder.mkdir(parents=True)
    for seed in range(first, first + count):
        Image.fromarray(make_texture(seed)).save(folder / f"{seed:03d}.png")
    return folder


@pytest.fixture(scope="session")
def good_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 good pictures. Nobody writes here."""
    return fill(tmp_path_factory.mktemp("product") / "good", 24)


@pytest.fixture(scope="session")
def network() -> Extractor:
    return Extractor(image_size=64, device="cpu")


@pytest.fixture(scope="session")
def fit_options() -> dict[str, object]:
    """Options that make a fit take seconds."""
    return {"image_size": 64, "layers": LAYERS, "device": "cpu", "false_alarm_rate": 0.1}


@pytest.fixture(scope="session")
def fit_result(good_dir: Path, fit_options: dict, tmp_path_factory: pytest.TempPathFactory) -> fs.FitResult:
    """A fit with its record; its bundle and report lie in `bundle`."""
    folder = tmp_path_factory.mktemp("fitted") / "bundle"
    result = fs.run_fit(fs.FitSettings.of({"good": good_dir, "out": folder, **fit_options}))
    result.inspector.folder = folder  # type: ignore[attr-defined]
    return result


@pytest.fixture(scope="session")
def fitted(fit_result: fs.FitResult) -> Inspector:
    """An inspector fresh from its fit."""
    return fit_result.inspector


@pytest.fixture(scope="session")
def bundle(fitted: Inspector) -> Path:
    """The bundle's folder. Nobody writes here: copy it."""
    return fitted.folder  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def labelled_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small MVTec-like category: good pictures and spots with masks, of one odd size among the rest."""
    root = tmp_path_factory.mktemp("labelled")
    fill(root / "train" / "good", 2, first=300)
    fill(root / "test" / "good", 4, first=400)
    for part in ("test/spot", "ground_truth/spot"):
        (root / part).mkdir(parents=True)
    for seed in range(500, 503):
        size = (88, 130) if seed == 502 else SIZE
        Image.fromarray(make_spoiled(seed, size)).save(root / "test/spot" / f"{seed}.png")
        mask = np.zeros(size, np.uint8)
        mask[SPOT] = 255
        Image.fromarray(mask).save(root / "ground_truth/spot" / f"{seed}_mask.png")
    return root


@dataclass(eq=False, repr=False)
class Distance(BufferedDetector):
    """Distance of a position's first `channels` channels to their mean over all images and positions."""

    channels: int = 8
    power: float = 2.0
    seed: int = 0

    @property
    def tags(self) -> DetectorTags:
        return DetectorTags(cv_folds=2)

    def _learn(self, collected: Sequence[torch.Tensor], training: TrainingContext | None) -> None:
        del training
        values = collected[0][:, : self.channels]
        self.mean_ = values.mean((0, 2, 3))
        self.deviation_ = values.std((0, 2, 3), correction=0) + 1e-6

    def standardised(self, features: FeatureMaps) -> torch.Tensor:
        return (features[0][:, : self.channels] - self.mean_[:, None, None]) / self.deviation_[:, None, None]

    def anomaly_maps(self, features: FeatureMaps) -> torch.Tensor:
        return self.standardised(features).abs().pow(self.power).mean(1)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"mean": self._require("mean_"), "deviation": self.deviation_}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> Self:
        self.mean_, self.deviation_ = state["mean"], state["deviation"]
        return self


class Scorer(Distance):
    """Scores an image in its own way: by how far its mean is from the usual one, in units of its own."""

    @property
    def tags(self) -> DetectorTags:
        return replace(super().tags, image_score=True)

    def image_scores(self, features: FeatureMaps) -> torch.Tensor:
        return 1000 + 50 * self.standardised(features).mean((2, 3)).norm(dim=1)


class OneValue(Scorer):
    """The same without a map of places."""

    @property
    def tags(self) -> DetectorTags:
        return replace(super().tags, localizes=False)

    def anomaly_maps(self, features: FeatureMaps) -> torch.Tensor:
        return self.image_scores(features)[:, None, None]


class Pictures(Distance):
    """Reads the pictures themselves."""

    @property
    def tags(self) -> DetectorTags:
        return replace(super().tags, input="image")


@dataclass(eq=False, repr=False)
class Trained(Distance):
    """Learns by gradient descent; `epochs_made` counts what was not taken from a checkpoint."""

    epochs_made = 0

    epochs: int = 3

    def _learn(self, collected: Sequence[torch.Tensor], training: TrainingContext | None) -> None:
        super()._learn(collected, None)
        values = collected[0][:, : self.channels].mean((2, 3))
        with seeded(self.seed):
            module = torch.nn.Linear(values.shape[1], values.shape[1])
        module.weight.data.mul_(0)

        def loss(rows: torch.Tensor, _: torch.Generator) -> torch.Tensor:
            Trained.epochs_made += 1
            return (module(values[rows]) - values[rows]).square().mean()

        optimizer = torch.optim.SGD(module.parameters(), 0.1)
        train(module, optimizer, loss, len(values), Schedule(len(values), self.epochs, self.seed), training)
        self.mean_ = module.bias.detach()


QUICK_DETECTORS = {
    "distance": Distance, "scorer": Scorer, "one_value": OneValue, "pictures": Pictures, "trained": Trained,
}  # fmt: skip


@pytest.fixture(scope="module")
def quick_detectors() -> Iterator[dict[str, type[Detector]]]:
    """They have names of their own for as long as a module's tests run: distance, scorer, one_value, pictures, ..."""
    with pytest.MonkeyPatch.context() as patch:
        for name, kind in QUICK_DETECTORS.items():
            patch.setitem(DETECTORS, name, kind)
        yield QUICK_DETECTORS
