"""Good pictures beside copies with synthetic defects, for methods that learn from such pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.defects import Image, SyntheticDefect


@dataclass(frozen=True, eq=False)
class AnomalySynthesis:
    """The frozen network, from pictures (H, W, 3) uint8 RGB to the layers' feature maps, and the defects to make.

    >>> read = lambda pictures: list(network.extract(pictures, ["blocks.2.1.add"]).values())
    >>> synthesis = AnomalySynthesis(read, [fs.defects.make("nsa"), fs.defects.make("scratch")])
    >>> copies, masks = synthesis.copies(images, numbers=[0, 1], seeds=[7, 8])
    >>> masks.shape, synthesis.features(copies)[0].shape
    (torch.Size([2, 64, 80]), torch.Size([2, 40, 8, 8]))
    """

    network: Callable[[Sequence[Image]], Sequence[Tensor]]
    defects: Sequence[SyntheticDefect]

    def features(self, pictures: Sequence[Image]) -> list[Tensor]:
        """Feature maps (N, C, H, W) that may take part in training."""
        with torch.inference_mode(False), torch.no_grad():
            return [values.clone() if values.is_inference() else values for values in self.network(pictures)]

    def copies(
        self, pictures: Sequence[Image], numbers: Sequence[int], seeds: Sequence[int]
    ) -> tuple[list[Image], Tensor]:
        """Copies with a defect of the pictures of these numbers, each by its own seed, and their masks (N, H, W) bool.

        Material comes from the other pictures. Where no defect can be placed, the copy is the picture, its mask empty;
        where that is so for all of several, this raises.
        """
        made = [self._copy(pictures, *one) for one in zip(numbers, seeds, strict=True)]
        failed = [one for one in made if isinstance(one, FlawsightError)]
        if len(failed) == len(made) > 1:
            raise failed[0]
        pairs = [
            (pictures[number], np.zeros(pictures[number].shape[:2], bool)) if isinstance(one, FlawsightError) else one
            for number, one in zip(numbers, made, strict=True)
        ]
        return [image for image, _ in pairs], torch.from_numpy(np.stack([mask for _, mask in pairs]))

    def _copy(self, pictures: Sequence[Image], number: int, seed: int) -> tuple[Image, np.ndarray] | FlawsightError:
        rng = np.random.default_rng(seed)
        defect = self.defects[int(rng.integers(len(self.defects)))]
        others = [picture for place, picture in enumerate(pictures) if place != number]
        try:
            return defect(pictures[number], rng, others or [pictures[number]])
        except FlawsightError as error:
            return error
