"""One figure out of two: image-level detection and pixel-level localisation together."""

from dataclasses import dataclass

from flawsight.core import FlawsightError


def harmonic_mean(a: float, b: float) -> float:
    """Return 2ab / (a + b) of two figures in [0, 1], and 0 when both are 0 (P_h, Eq. 3 of paper A).

    >>> round(harmonic_mean(0.9, 0.6), 3)
    0.72
    """
    if not (0 <= a <= 1 and 0 <= b <= 1):
        raise FlawsightError(f"The harmonic mean takes two figures between 0 and 1, but got {a} and {b}.")
    return float(2 * a * b / (a + b)) if a + b > 0 else 0.0


@dataclass(frozen=True)
class Metrics:
    """How well a map tells one kind of synthetic defect from good images (Sec. 4 of paper A).

    >>> round(Metrics(auroc=0.9, aupro=0.6).p_h, 3)
    0.72
    """

    auroc: float
    aupro: float

    @property
    def p_h(self) -> float:
        """Harmonic mean of both (Eq. 3 of paper A)."""
        return harmonic_mean(self.auroc, self.aupro)
