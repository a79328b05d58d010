"""An inspector as one torch module: pictures in, maps and scores out, nothing left to do but resizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from flawsight.core import INPUT
from flawsight.features.graph import as_map
from flawsight.inference import MemberSpec, TorchBackend
from flawsight.scoring import MapCalibrator, MemberCalibration, upsample


class InspectionGraph(nn.Module):
    """Squares (N, S, S, 3) uint8 RGB to anomaly maps (N, S, S) and scores (N,), both float32.

    The members' detectors answer with their own code; what follows is `scoring.fuse_members` in torch.

    >>> squares = torch.from_numpy(np.stack([fs.views.resize_image(image, 64) for image in images[:3]]))
    >>> maps, scores = InspectionGraph(inspector.backend)(squares)
    >>> maps.shape, scores.shape
    (torch.Size([3, 64, 64]), torch.Size([3]))
    """

    def __init__(self, backend: TorchBackend) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        extractor, self.members = backend.extractor, backend.members
        names = dict.fromkeys(name for member in self.members for name in member.layers if name != INPUT)
        self.layers = {name: extractor.layer(name) for name in names}
        self.network: nn.Module | None = extractor.truncated(list(names)) if names else None
        for key, values in (("mean", extractor.network.mean), ("std", extractor.network.std)):
            self.register_buffer(key, torch.tensor(values).view(3, 1, 1), persistent=False)
        self.answers = nn.ModuleList([Answer(member) for member in self.members])
        side = extractor.image_size
        self.tails = nn.ModuleList([Tail(one, side) for one in backend.calibrations])
        self.fuse_scores = any(member.detector.tags.image_score for member in self.members)

    def forward(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """Maps and scores."""
        pixels = squares.permute(0, 3, 1, 2).float() / 255
        maps = {INPUT: pixels}
        if self.network is not None:
            outputs = self.network((pixels - self.mean) / self.std)
            maps |= {name: as_map(outputs[name], layer) for name, layer in self.layers.items()}
        fused, score = pixels.new_zeros(()), pixels.new_zeros(())
        for member, answer, tail in zip(self.members, self.answers, self.tails, strict=True):
            raw, own = answer([maps[name] for name in member.layers])
            spread, weight = tail(raw), member.weight
            fused = fused + weight * spread
            if self.fuse_scores:
                standardised = cast(Tail, tail).standardised(spread.amax((1, 2)) if own is None else own)
                score = score + weight * standardised
        return fused, score if self.fuse_scores else fused.amax((1, 2))


class Answer(nn.Module):
    """What a member's detector finds; its networks are part of the graph, its other tensors constants of it."""

    def __init__(self, member: MemberSpec) -> None:
        super().__init__()
        self.detector = member.detector
        self.has_score = member.detector.tags.image_score
        self.detector.prepare_export()
        for name, value in vars(self.detector).items():
            if isinstance(value, nn.Module):
                self.add_module(name, value)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Raw maps (N, h, w), and scores (N,) where the detector has its own."""
        if not self.has_score:
            return self.detector.anomaly_maps(features).float(), None
        maps, scores = self.detector.maps_and_scores(features)
        return maps.float(), scores.float()


class Tail(nn.Module):
    """A raw map (N, h, w), calibrated, upsampled and smoothed (N, S, S)."""

    def __init__(self, calibration: MemberCalibration, side: int) -> None:
        super().__init__()
        self.knots: Tensor
        self.pieces: Tensor
        self.mean, self.deviation = calibration.scores.mean, calibration.scores.deviation
        self.side = side
        for key, values in (("knots", np.array(calibration.maps.knots)), ("pieces", _pieces(calibration.maps))):
            self.register_buffer(key, torch.tensor(values, dtype=torch.float32), persistent=False)

    def forward(self, raw: Tensor) -> Tensor:
        """Upsampling and smoothing are linear and go axis by axis: a matrix for each."""
        down, across = (self._matrix(extent) for extent in raw.shape[1:])
        return torch.matmul(torch.matmul(down, self.calibrated(raw)), across.T)

    def calibrated(self, raw: Tensor) -> Tensor:
        """`MapCalibrator` of raw values."""
        piece = (raw[..., None] >= self.knots).sum(-1)  # bucketize, which exporters unroll into a binary search
        start, slope, level = functional.embedding(piece, self.pieces).unbind(-1)
        return level + slope * (raw - start)

    def standardised(self, scores: Tensor) -> Tensor:
        """`ScoreStandardizer` of scores (N,)."""
        return (scores - self.mean) / self.deviation

    def _matrix(self, extent: int) -> Tensor:
        """(S, extent): how each value of a row or column spreads over the pixels."""
        lit = np.repeat(np.eye(extent, dtype=np.float32)[:, :, None], 2, axis=2)
        return torch.from_numpy(np.stack([upsample(one, self.side)[:, 0] for one in lit], axis=1))


def _pieces(calibrator: MapCalibrator) -> np.ndarray:
    """A calibrator's straight pieces (65, 3): where each starts, its slope, and its level there.

    Piece 0 lies below the first knot, the last beyond the last one.
    """
    knots, levels = np.array(calibrator.knots), calibrator.levels
    steps = np.diff(knots)
    inner = np.divide(np.diff(levels), steps, out=np.zeros_like(steps), where=steps > 0)
    slopes = [0, *inner, 1 / calibrator.tail_scale]
    return np.column_stack([[knots[0], *knots], slopes, [levels[0], *levels]])
