"""The backend in torch: a cut network and fitted detectors, kept in a bundle and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from flawsight.bundle import Manifest, Member, check_files, read_manifest, read_tensors, tensor_file, write_bundle
from flawsight.bundle.store import DETECTORS as DETECTOR_TENSORS
from flawsight.bundle.store import NETWORK as NETWORK_TENSORS
from flawsight.core import FlawsightError, Layer
from flawsight.detectors import DETECTORS, Detector, make_detector
from flawsight.features import Extractor
from flawsight.inference.feature_pass import MemberSpec, predict_raw
from flawsight.inspection import Inspector
from flawsight.scoring import MemberCalibration, fuse_members


class TorchBackend:
    """The answers of a bundle's members, computed by torch on the extractor's device.

    >>> backend = load(bundle).backend
    >>> maps, scores = backend.predict([fs.views.resize_image(image, 64) for image in images[:3]])
    >>> maps.shape, scores.shape
    ((3, 64, 64), (3,))
    """

    name = "torch"

    def __init__(
        self, extractor: Extractor, members: Sequence[MemberSpec], calibrations: Sequence[MemberCalibration]
    ) -> None:
        self.extractor = extractor
        self.members = tuple(members)
        self.calibrations = tuple(calibrations)

    def predict(self, squares: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Anomaly maps (N, S, S) and scores (N,) of squares (S, S, 3) uint8 RGB."""
        found, side = predict_raw(self.extractor, squares, self.members), self.extractor.image_size
        maps, scores = np.empty((len(squares), side, side), np.float32), np.empty(len(squares))
        for index in range(len(squares)):
            maps[index], scores[index] = fuse_members([one.of_image(index) for one in found], self.calibrations, side)
        return maps, scores

    def catalogue(self, names: Sequence[str]) -> tuple[Layer, ...]:
        """The rows of the network's catalogue that these layers are."""
        return tuple(self.extractor.layer(name) for name in names)

    def files(self, names: Sequence[str]) -> dict[str, bytes]:
        """What a bundle keeps: the network cut after these layers, and what each detector learned."""
        network = self.extractor.truncated(list(names)).state_dict() if names else {}
        learned = {
            f"{number}.{key}": value
            for number, member in enumerate(self.members)
            for key, value in member.detector.state_dict().items()
        }
        return {
            file: tensor_file({name: values.detach().cpu().numpy() for name, values in found.items()})
            for file, found in ((NETWORK_TENSORS, network), (DETECTOR_TENSORS, learned))
        }


def save(inspector: Inspector, folder: str | Path, overwrite: bool = False) -> Path:
    """Write an inspector as a bundle that runs in torch; an existing one is refused without `overwrite`.

    >>> folder = save(inspector, tmp / "copy")
    >>> load(folder).threshold == inspector.threshold
    True
    """
    backend = inspector.backend
    if not isinstance(backend, TorchBackend):
        raise FlawsightError("only an inspector that runs in torch can be saved: copy the bundle's folder instead")
    manifest = inspector.manifest.model_copy(update={"runtime": None, "samples": None})
    return write_bundle(manifest, backend.files(manifest.network_layers), Path(folder), overwrite)


def load(folder: str | Path, device: str = "auto", threads: int | None = None) -> Inspector:
    """Read a bundle back to compute in torch, on so many threads of the processor; see `flawsight.runtime.load`.

    >>> load(bundle).inspect(dataset / "test" / "spot" / "000.png").verdict
    'defective'
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    if DETECTOR_TENSORS not in manifest.files:
        raise FlawsightError(
            f"bundle '{folder}' was made for the line, without {DETECTOR_TENSORS}: torch cannot run it"
        )
    if threads:
        torch.set_num_threads(threads)
    spec, names = manifest.extractor, manifest.network_layers
    weights = _tensors(folder, NETWORK_TENSORS) if names else "random"
    try:
        extractor = Extractor(spec.name, weights, spec.image_size, device, spec.layers)
    except FlawsightError as error:
        raise FlawsightError(f"bundle '{folder}', {NETWORK_TENSORS}: {error}") from error
    _check_layers(folder, extractor, names)
    learned = _tensors(folder, DETECTOR_TENSORS)
    tensors = {name: values.to(extractor.device) for name, values in learned.items()}
    members = [
        MemberSpec(member.layers, _restored(folder, number, member, tensors), member.calibration.weight)
        for number, member in enumerate(manifest.members)
    ]
    backend = TorchBackend(extractor, members, [member.calibration for member in manifest.members])
    return Inspector(backend, _with_catalogue(manifest, extractor))


def _tensors(folder: Path, file: str) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(values) for name, values in read_tensors(folder, file).items()}


def _check_layers(folder: Path, extractor: Extractor, names: Sequence[str]) -> None:
    known = {layer.name for layer in extractor.layers} if names else set()
    strangers = [name for name in names if name not in known]
    if strangers:
        raise FlawsightError(f"bundle '{folder}' is damaged: {extractor.name} has no '{strangers[0]}'; fit it again")


def _restored(folder: Path, number: int, member: Member, tensors: Mapping[str, torch.Tensor]) -> Detector:
    """The member's detector with what it learned."""
    spec, prefix = member.detector, f"{number}."
    if spec.name not in DETECTORS:
        package = f"the package {spec.provider}" if spec.provider else "a package that is not installed here"
        raise FlawsightError(f"bundle '{folder}' needs the detector '{spec.name}' of {package}: install it")
    own = {name.removeprefix(prefix): values for name, values in tensors.items() if name.startswith(prefix)}
    try:
        return make_detector(spec.name, **spec.parameters).load_state_dict(own)
    except KeyError as error:
        reason = f"{DETECTOR_TENSORS} lacks member {number}"
        raise FlawsightError(f"bundle '{folder}' is damaged: {reason}; fit it again") from error


def _with_catalogue(manifest: Manifest, extractor: Extractor) -> Manifest:
    """The manifest with the rows of the catalogue, where an older version did not keep them."""
    if manifest.extractor.layers or not manifest.network_layers:
        return manifest
    rows = tuple(extractor.layer(name) for name in manifest.network_layers)
    spec = manifest.extractor.model_copy(update={"layers": rows})
    return manifest.model_copy(update={"extractor": spec})
