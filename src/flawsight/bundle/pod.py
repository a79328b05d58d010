"""What artificial defects of known size told of an inspector."""

from __future__ import annotations

from flawsight.bundle.parts import Strict
from flawsight.metrics import Pod


class PodOfKind(Strict):
    """The probability of detection of one kind of artificial defects.

    `curve` goes by the kind's own size in pixels (of scratches the width); `sides` are, for each of its sizes, the mean
    side of a square as large as the defects were: the measure in which all kinds, and real defects, are compared.

    >>> one = read_manifest(bundle).pod.kinds[0]
    >>> one.kind, len(one.sides) == len(one.curve.sizes)
    ('scratch', True)
    """

    kind: str
    curve: Pod
    sides: tuple[float, ...]


class PodInfo(Strict):
    """Artificial defects of known size on so many good `pictures`, inspected by detectors that had not seen these.

    `contrast` of the defects is in standard deviations of the grey levels around them. `threshold` is the one that was
    in force: another one finds more or fewer.

    >>> pod = read_manifest(bundle).pod
    >>> [one.kind for one in pod.kinds], pod.pictures
    (['scratch', 'spot', 'patch'], 12)
    """

    kinds: tuple[PodOfKind, ...]
    contrast: float
    pictures: int
    threshold: float

    def together(self) -> tuple[list[float], list[bool]]:
        """Sides and whether it was found, of the defects of all kinds."""
        sides, found = list[float](), list[bool]()
        for one in self.kinds:
            for side, hits, trials in zip(one.sides, one.curve.hits, one.curve.trials, strict=True):
                sides += [side] * trials
                found += [True] * hits + [False] * (trials - hits)
        return sides, found
