"""`export`: another graph for a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flawsight.bundle import prepare_folder, read_manifest, replace_files, write_bundle
from flawsight.bundle.runtime_model import GraphFormat, Precision
from flawsight.bundle.store import ONNX_MODEL, OPENVINO_MODEL, SAMPLES
from flawsight.core import FlawsightError, spread
from flawsight.data import MAX_PIXELS, good_samples
from flawsight.defects import apply_defects, defect_kinds, described_product, make
from flawsight.export.model import ExportedModel, export_inspector
from flawsight.inference import load
from flawsight.inspection import Inspector
from flawsight.runtime import Samples
from flawsight.views import Chosen, Inputs, Pictures

MADE_ON = 8
MOST_LOOKED_AT = 64


def export_bundle(
    folder: str | Path,
    graph_format: GraphFormat = "onnx",
    precision: Precision = "fp32",
    out: str | Path | None = None,
    good: str | Path | None = None,
) -> ExportedModel:
    """Make the graph of a bundle, in the place of the one that it has, or in a bundle for the line.

    out: folder for a bundle that holds what runs without torch, and nothing else. good: folder of good pictures to
    compare and calibrate on, rather than the samples in the bundle. FlawsightError, and nothing changed, where the
    graph does not say what torch says.

    >>> exported = export_bundle(bundle, out=tmp / "line")
    >>> sorted(path.name for path in (tmp / "line").iterdir())
    ['inspector.json', 'model.onnx', 'samples.png']
    >>> fs.load(tmp / "line").inspect(dataset / "test" / "spot" / "000.png").verdict
    'defective'
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    inspector = load(folder)
    if out is not None:
        prepare_folder(Path(out), overwrite=False)
    if good is not None:
        samples = _made_samples(Path(good), inspector)
    elif manifest.samples is not None:
        samples = Samples.of_bundle(folder, manifest.samples)
    else:
        raise FlawsightError(
            f"bundle '{folder}' keeps no pictures to compare on, as older versions did not: name a folder of good ones "
            "with --good"
        )
    exported = export_inspector(inspector, samples, graph_format, precision)
    whole = exported.described_in(manifest)
    if out is None:
        replace_files(whole, exported.files, folder, removed=(ONNX_MODEL, *OPENVINO_MODEL, SAMPLES))
    else:
        write_bundle(whole, exported.files, Path(out))
    return exported


def _made_samples(folder: Path, inspector: Inspector) -> Samples:
    """The network's inputs of the good pictures in a folder, and of some with defects made on them."""
    paths, manifest = [sample.path for sample in good_samples(folder)], inspector.manifest
    if not paths:
        raise FlawsightError(f"'{folder}' holds no good picture: name a folder of good ones with --good")
    pictures = Pictures(paths, MAX_PIXELS, manifest.data.pixels)
    inputs = Inputs(pictures, [inspector.frame(picture) for picture in pictures])
    some = Chosen(inputs, spread(len(inputs), MOST_LOOKED_AT))
    return Samples.of(some, _defects(some[:], manifest.seed), inspector.view.side)


def _defects(squares: Sequence[np.ndarray], seed: int) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    product = described_product(squares, seed)
    few = list(squares[:MADE_ON])
    return {
        kind: apply_defects(few, make(kind, product=product), kind=kind, seed=seed, sources=squares)
        for kind in defect_kinds("auto")
    }
