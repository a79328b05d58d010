"""Whether two backends say the same of the same pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flawsight.bundle import Parity
from flawsight.core import FlawsightError
from flawsight.inspection import Backend
from flawsight.metrics import evaluate_maps
from flawsight.runtime.samples import Samples

SCORE_TOLERANCE, MAP_TOLERANCE = 1e-3, 0.05
"""So much may scores and maps of a graph in full precision differ, as a share of torch's where that is above 1."""
MOST_P_H_LOST = {"fp16": 0.01, "int8": 0.03}
"""What a graph of less than full precision may lose on the samples."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Maps (N, S, S) and scores (N,) of the samples, and the threshold that goes with them.

    >>> answers = Answers(np.zeros((2, 64, 64)), np.array([1.0, 3.0]), threshold=2.0)
    >>> (answers.scores > answers.threshold).tolist()
    [False, True]
    """

    maps: np.ndarray
    scores: np.ndarray
    threshold: float

    @classmethod
    def of(cls, backend: Backend, samples: Samples, threshold: float) -> Answers:
        """What a backend says of the samples."""
        return cls(*backend.predict(samples.squares), threshold)

    def p_h(self, samples: Samples) -> float | None:
        """Eq. 3 of paper A on the samples."""
        masks = [mask if label else None for mask, label in zip(samples.masks, samples.labels, strict=True)]
        found: float | None = evaluate_maps(self.scores, samples.labels, list(self.maps), masks)["p_h"]
        return found


def compared(torch_says: Answers, graph_says: Answers, samples: Samples | None = None) -> Parity:
    """The differences between both; P_h where the samples are given.

    >>> says = Answers(np.zeros((2, 4, 4)), np.array([1.0, 3.0]), threshold=2.0)
    >>> compared(says, Answers(says.maps, says.scores + 1.5, threshold=2.0)).flips
    1
    """
    return Parity(
        images=len(torch_says.scores),
        score_difference=largest_difference(graph_says.scores, torch_says.scores),
        map_difference=largest_difference(graph_says.maps, torch_says.maps),
        flips=int(((graph_says.scores > graph_says.threshold) != (torch_says.scores > torch_says.threshold)).sum()),
        p_h_torch=torch_says.p_h(samples) if samples else None,
        p_h=graph_says.p_h(samples) if samples else None,
    )


def check_parity(parity: Parity, precision: str, backend: str) -> None:
    """FlawsightError where a graph does not say the same, or of less precision, sees too much less.

    >>> says = Answers(np.zeros((2, 4, 4)), np.array([1.0, 3.0]), threshold=2.0)
    >>> check_parity(compared(says, says), "fp32", "onnxruntime")
    """
    if precision == "fp32":
        is_same = parity.score_difference <= SCORE_TOLERANCE and parity.map_difference <= MAP_TOLERANCE
        if parity.flips or not is_same:
            raise FlawsightError(
                f"the graph in {backend} does not say the same as torch: scores differ by "
                f"{parity.score_difference:.2g} (allowed {SCORE_TOLERANCE:g}), maps by {parity.map_difference:.2g} "
                f"(allowed {MAP_TOLERANCE:g}), and {parity.flips} of {parity.images} verdicts"
            )
    elif parity.p_h is not None and parity.p_h_torch is not None:
        lost = parity.p_h_torch - parity.p_h
        if not lost <= MOST_P_H_LOST[precision]:
            raise FlawsightError(
                f"in {precision} the graph sees less: P_h on the samples falls by {100 * lost:.1f} points "
                f"(allowed {100 * MOST_P_H_LOST[precision]:.0f}); export it in full precision"
            )


def largest_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of what was expected where that is above 1."""
    return float((np.abs(found - expected) / np.maximum(1, np.abs(expected))).max())
