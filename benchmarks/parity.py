"""Whether graphs say what torch says: every method, over 200 real pictures, in ONNX Runtime and OpenVINO.

    python -m benchmarks.parity DATA

Each method learns from 60 good pictures of `magnetic_tile` at 128 pixels, with short trainings where it has any: it is
the arithmetic that is compared. Half of the 200 unseen pictures are good. DATA holds one folder for each category in
the MVTec AD layout.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path

import flawsight as fs
from benchmarks._inputs import CATEGORY, good_paths
from flawsight.data import open_dataset, read_image
from flawsight.runtime import Answers, compared
from flawsight.views import resize_image

LEARNED, SHOWN, SIDE = 60, 200, 128
LAYERS = ("blocks.1.1.add", "blocks.2.1.add", "blocks.4.2.add")
SHORT = {
    "patchcore": {},
    "simplenet": {"epochs": 5},
    "gaussian": {},
    "knn": {},
    "ocsvm": {},
    "fastflow": {"training_steps": 20, "flow_steps": 4, "max_hidden": 64},
    "ast": {"epochs": 2, "couplings": 2},
    "autoencoder": {"epochs": 10},
    "realnet": {"training_steps": 20, "pairs": 32, "afs_pairs": 16},
}
"""Parameters by method."""


def shown(folder: Path) -> list[Path]:
    """As many good as defective pictures that nothing is learned from."""
    samples = open_dataset(folder).select(split="test")
    good, bad = ([one.path for one in samples if (not one.label) is wanted] for wanted in (True, False))
    return [*good[: SHOWN // 2], *bad[: SHOWN // 2]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    folder = parser.parse_args().data / CATEGORY
    squares = [resize_image(read_image(path), SIDE) for path in shown(folder)]
    learned = good_paths(folder, LEARNED, seed=0)
    print(
        f"| method | backend | scores differ by | maps by | other verdicts of {len(squares)} |\n|---|---|---|---|---|"
    )
    for name, parameters in SHORT.items():
        layers = {} if name == "autoencoder" else {"fixed_layers": [LAYERS]}
        with tempfile.TemporaryDirectory() as out, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options = {"image_size": SIDE, "detector": name, "detector_parameters": parameters, "device": "cpu"}
            inspector = fs.fit(learned, out, overwrite=True, **options, **layers)
            says = Answers(*inspector.backend.predict(squares), inspector.threshold)
            for backend in ("onnxruntime", "openvino"):
                answers = fs.load(out, backend=backend).backend.predict(squares)
                found = compared(says, Answers(*answers, inspector.threshold))
                figures = f"{found.score_difference:.1e} | {found.map_difference:.1e} | {found.flips}"
                print(f"| {name} | {backend} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
