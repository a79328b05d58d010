"""PatchCore (Roth et al. 2022), as in papers A and B."""

from flawsight.detectors.patchcore.detector import PatchCore
from flawsight.detectors.patchcore.k_center import greedy_k_center

__all__ = ["PatchCore", "greedy_k_center"]
