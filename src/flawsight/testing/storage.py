"""Checks of what was learned on its way through files, and of trainings that are interrupted."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file, save_file

from flawsight.detectors import Detector, TrainingContext
from flawsight.testing.data import EVERY, Shapes, fed, fresh, good, on


@on(*EVERY)
def check_what_was_learned_goes_through_a_file(detector: Detector, shapes: Shapes) -> None:
    """`state_dict` holds all that maps and scores need, as tensors that safetensors can keep."""
    fitted, restored = fresh(detector).fit(good(6, shapes)), fresh(detector)
    queries = good(4, shapes, seed=1)
    with TemporaryDirectory() as folder:
        save_file(fitted.state_dict(), Path(folder) / "learned.safetensors")
        state = load_file(Path(folder) / "learned.safetensors")
    assert restored.load_state_dict(state) is restored, "load_state_dict does not return the detector"
    assert torch.equal(restored.anomaly_maps(queries), fitted.anomaly_maps(queries)), "restored maps differ"
    assert torch.equal(restored.image_scores(queries), fitted.image_scores(queries)), "restored scores differ"
    again = restored.state_dict()
    assert again.keys() == fitted.state_dict().keys(), "state_dict has other names after load_state_dict"
    unchanged = all(torch.equal(values, again[key]) for key, values in fitted.state_dict().items())
    assert unchanged, "state_dict has other values after load_state_dict"


@on("two")
def check_features_of_an_inference_pass(detector: Detector, shapes: Shapes) -> None:
    """Tensors of torch's inference mode can be learned from, and what was learned be kept."""
    with torch.inference_mode():
        features = [values * 1 for values in good(6, shapes)]
    fitted = fresh(detector).fit(features)
    expected = fresh(detector).fit(good(6, shapes)).anomaly_maps(good(6, shapes))
    assert torch.equal(fitted.anomaly_maps(features), expected), "maps of an inference pass differ"
    with TemporaryDirectory() as folder:
        save_file(fitted.state_dict(), Path(folder) / "learned.safetensors")


@on("one")
def check_a_finished_training_is_not_repeated_otherwise(detector: Detector, shapes: Shapes) -> None:
    """With a folder for checkpoints the same is learned, at once and once more; progress adds up to at most 1."""
    features, queries = good(6, shapes), good(4, shapes, seed=1)
    expected = fresh(detector).fit(features).anomaly_maps(queries)
    with TemporaryDirectory() as folder:
        for _ in range(2):
            told: list[float] = []
            training = TrainingContext(Path(folder) / "training", told.append)
            found = fed(detector, features, 6).finalize(training).anomaly_maps(queries)
            assert torch.equal(found, expected), "with checkpoints something else is learned"
            assert all(share >= 0 for share in told) and sum(told) <= 1 + 1e-6, f"progress is told as {told}"
