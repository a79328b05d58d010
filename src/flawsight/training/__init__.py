"""How things are learned by gradient descent, on which device, and side by side."""

from flawsight.training.device import resolve_device
from flawsight.training.loop import DivergenceError, Loss, Schedule, TrainingContext, gaussian, seeded, train
from flawsight.training.parallel import n_jobs, parallel_map

__all__ = [
    "DivergenceError",
    "Loss",
    "Schedule",
    "TrainingContext",
    "gaussian",
    "n_jobs",
    "parallel_map",
    "resolve_device",
    "seeded",
    "train",
]
