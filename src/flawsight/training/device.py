"""Where tensors are computed."""

import torch

from flawsight.core import FlawsightError


def resolve_device(device: str) -> torch.device:
    """`auto` is CUDA where it works, else the CPU; a named device that is absent is an error.

    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved)
    except (RuntimeError, AssertionError) as error:
        raise FlawsightError(f"device '{device}' cannot be used here: try --device cpu") from error
    return resolved
