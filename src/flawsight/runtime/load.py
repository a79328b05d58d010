"""A bundle as an inspector, by whatever runs it best here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.bundle import Manifest, RuntimeModel, check_files, read_manifest
from flawsight.bundle.store import MANIFEST, ONNX_MODEL, OPENVINO_MODEL
from flawsight.core import FlawsightError, Registry
from flawsight.inspection import Inspector
from flawsight.runtime.graph_backend import GraphBackend, is_installed
from flawsight.runtime.parity import Answers, check_parity, compared
from flawsight.runtime.samples import Samples

BACKENDS: Registry[Callable[..., Any]] = Registry(
    "backend",
    "flawsight.backends",
    {
        "onnxruntime": "flawsight.runtime.graph_backend:open_onnxruntime",
        "openvino": "flawsight.runtime.graph_backend:open_openvino",
        "torch": "flawsight.inference.torch_backend:load",
    },
)
"""What runs a bundle: openers of its graph (files, precision, threads), and `torch`, which reads the whole bundle."""


def load(folder: str | Path, device: str = "auto", backend: str = "auto", threads: int | None = None) -> Inspector:
    """Read a bundle back; anything missing, changed or unreadable raises with the file's name.

    backend: `onnxruntime`, `openvino` or `torch`; `auto` takes the graph, where the bundle has one, in OpenVINO where
    that is installed and gave the same verdicts, else in ONNX Runtime; and torch where there is no graph. device: where
    torch computes; to name one asks for torch. threads: so many of the processor's; default all.

    >>> load(bundle).inspect(dataset / "test" / "spot" / "000.png").verdict
    'defective'
    >>> load(bundle, backend="torch").backend.name
    'torch'
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    chosen = _chosen(folder, manifest, device, backend)
    if chosen == "torch":
        found: Inspector = BACKENDS[chosen](folder, device, threads)
        return found
    check_files(folder, manifest)
    model = graph_for(folder, manifest, chosen)
    opened = _opened(folder, manifest, model, chosen, threads)
    if chosen not in model.parity:
        _compare_now(opened, folder, manifest)
    return Inspector(opened, manifest.as_exported())


def _chosen(folder: Path, manifest: Manifest, device: str, backend: str) -> str:
    """The backend's name, known and with everything it needs."""
    if backend != "auto":
        BACKENDS[backend]
        if device not in ("auto", "cpu") and backend != "torch":
            raise FlawsightError(f"--device {device} is for torch: leave it out, or use --backend torch")
        return backend
    model, has_torch = manifest.runtime, is_installed("torch")
    if model is None and not has_torch:
        raise FlawsightError(
            f"bundle '{folder}' has no {ONNX_MODEL}, and torch is not installed here: run `flawsight export` on it "
            "where it was fitted, or pip install 'flawsight[fit]'"
        )
    # A graph runs on the processor, too: whoever names it where there is no torch gets that.
    can_stay = device == "auto" or (device == "cpu" and not has_torch)
    if model is None or not can_stay:
        return "torch"
    return "openvino" if "openvino" in model.parity and is_installed("openvino") else "onnxruntime"


def graph_for(folder: Path, manifest: Manifest, backend: str) -> RuntimeModel:
    """The bundle's graph, in a format that the backend reads."""
    model = manifest.runtime
    if model is None:
        raise FlawsightError(
            f"bundle '{folder}' has no {ONNX_MODEL}, which the backend {backend} runs: `flawsight export {folder}` "
            "makes one where torch is installed"
        )
    if model.format == "openvino" and backend == "onnxruntime":
        raise FlawsightError(
            f"bundle '{folder}' is exported for OpenVINO: pip install 'flawsight[openvino]', or run "
            f"`flawsight export {folder} --format onnx` where it was fitted"
        )
    return model


def _compare_now(backend: GraphBackend, folder: Path, manifest: Manifest) -> None:
    """Raise unless a backend that was not there when the graph was made gives torch's scores of the samples."""
    model, about = manifest.runtime, manifest.samples
    assert model is not None
    if about is None or model.precision != "fp32":
        raise FlawsightError(
            f"the {model.precision} graph of bundle '{folder}' has its operating point from {', '.join(model.parity)}: "
            f"use that, not {backend.name}"
        )
    maps, scores = backend.predict(Samples.of_bundle(folder, about).squares)
    threshold, expected = manifest.operating_point.threshold, np.array(about.scores)
    check_parity(compared(Answers(maps, expected, threshold), Answers(maps, scores, threshold)), "fp32", backend.name)


def _opened(folder: Path, manifest: Manifest, model: RuntimeModel, backend: str, threads: int | None) -> GraphBackend:
    names: tuple[str, ...] = OPENVINO_MODEL if model.format == "openvino" else (ONNX_MODEL,)
    strangers = [name for name in names if name not in manifest.files]
    if strangers:
        raise FlawsightError(
            f"bundle '{folder}' is damaged: {MANIFEST} does not vouch for {strangers[0]}; fit it again"
        )
    files = {name: (folder / name).read_bytes() for name in names}
    opened: GraphBackend = BACKENDS[backend](files, model.precision, threads)
    return opened
