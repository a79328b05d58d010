"""Training: one small loop for every method that learns by gradient descent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from flawsight.core import FlawsightError, writable_folder, write_whole

SECONDS_BETWEEN_CHECKPOINTS = 10.0
_BUILDING = threading.Lock()


@dataclass(frozen=True)
class TrainingContext:
    """Where a long training keeps its checkpoints, and whom it tells its progress.

    `folder` belongs to one training on one set of images; `advance` is told the share of the work done since last time.

    >>> told = []
    >>> half = TrainingContext(tmp, told.append).part("first", share=0.5)
    >>> half.advance(1.0)
    >>> half.folder.name, told
    ('first', [0.5])
    """

    folder: Path | None = None
    advance: Callable[[float], object] | None = None

    def part(self, name: str, share: float) -> TrainingContext:
        """The same for one of several trainings that make up the work."""
        tell = self.advance
        return TrainingContext(
            self.folder / name if self.folder else None, (lambda done: tell(share * done)) if tell else None
        )


@dataclass(frozen=True)
class Schedule:
    """How a module is trained: for `epochs` in batches of `batch_size` examples.

    The order of examples depends on the seed and the epoch only, so that a run that goes on from a checkpoint ends as
    an uninterrupted one does. `patience`: stop early when the training loss has not fallen for so many epochs.
    `micro_batch_size`: examples of a batch whose loss is computed together; gradients add up over the batch, and less
    memory is taken. `mixed_precision`: compute the loss in bfloat16 where that is safe; weights stay as they are.

    >>> schedule = Schedule(batch_size=32, epochs=100, patience=5)
    >>> schedule.epochs, schedule.seed, schedule.mixed_precision
    (100, 0, False)
    """

    batch_size: int
    epochs: int
    seed: int = 0
    patience: int | None = None
    micro_batch_size: int | None = None
    mixed_precision: bool = False


class DivergenceError(FlawsightError):
    """A training whose loss is no number.

    >>> layer = torch.nn.Linear(1, 1)
    >>> optimizer = torch.optim.SGD(layer.parameters())
    >>> train(layer, optimizer, lambda rows, chance: layer.weight.sum() * torch.inf, 4, Schedule(4, epochs=1))
    Traceback (most recent call last):
        ...
    flawsight.training.loop.DivergenceError: the training of Linear diverged in epoch 1: its loss is ...
    """


Loss = Callable[[Tensor, torch.Generator], Tensor]
"""The mean loss of the examples with these indices (int64, on the CPU); the generator is the only source of chance."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Build modules inside: torch and numpy draw from `seed`, and nobody else notices.

    >>> with seeded(0):
    ...     one = torch.nn.Linear(4, 2)
    >>> with seeded(0):
    ...     other = torch.nn.Linear(4, 2)
    >>> torch.equal(one.weight, other.weight)
    True
    """
    with _BUILDING, torch.random.fork_rng(devices=[]):
        numpy_state = np.random.get_state()  # noqa: NPY002 - libraries of modules draw from it
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed every GPU
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002


def gaussian(shape: Sequence[int], generator: torch.Generator, device: torch.device) -> Tensor:
    """Standard normal noise on the device, from the CPU generator that a loss is given.

    >>> chance = torch.Generator().manual_seed(0)
    >>> gaussian((2, 3), chance, torch.device("cpu")).shape
    torch.Size([2, 3])
    """
    if device.type == "cpu":
        return torch.randn(*shape, generator=generator)
    there = torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=generator)))
    return torch.randn(*shape, generator=there, device=device)


@torch.enable_grad()
def train(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    examples: int,
    schedule: Schedule,
    training: TrainingContext | None = None,
) -> list[float]:
    """Train as the schedule says and return the mean loss of each epoch; the module is left in eval mode.

    The last state is kept. Raises DivergenceError where a loss is not finite.

    >>> layer, points = torch.nn.Linear(2, 1), torch.eye(2)
    >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    >>> loss = lambda rows, chance: (layer(points[rows]) - 1).square().mean()
    >>> losses = train(layer, optimizer, loss, examples=2, schedule=Schedule(batch_size=2, epochs=20))
    >>> losses[-1] < losses[0]
    True
    """
    training = training or TrainingContext()
    losses = _resumed(module, optimizer, training.folder, schedule.epochs)
    saved, generator = monotonic(), torch.Generator()
    if training.advance and losses:
        training.advance(len(losses) / schedule.epochs)
    module.train()
    for epoch in range(len(losses), schedule.epochs):
        if schedule.patience is not None and _stalled(losses, schedule.patience):
            break
        generator.manual_seed(schedule.seed * 1_000_003 + epoch)
        losses.append(_epoch(module, optimizer, loss, examples, schedule, generator))
        if not np.isfinite(losses[-1]):
            raise DivergenceError(
                f"the training of {type(module).__name__} diverged in epoch {epoch + 1}: its loss is {losses[-1]}; "
                "use a smaller learning rate, or fewer or other layers"
            )
        if training.folder and monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
            _save(module, optimizer, losses, training.folder)
            saved = monotonic()
        if training.advance:
            training.advance(1 / schedule.epochs)
    if training.folder:
        _save(module, optimizer, losses, training.folder)
    if training.advance and len(losses) < schedule.epochs:
        training.advance(1 - len(losses) / schedule.epochs)
    module.eval()
    return losses


def _epoch(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    examples: int,
    schedule: Schedule,
    generator: torch.Generator,
) -> float:
    """One pass over the examples; their mean loss."""
    batches = max(1, -(-examples // schedule.batch_size))
    device = next(module.parameters()).device.type
    total = torch.zeros((), dtype=torch.float64)
    # Equal batches: a last one of a few examples would make batch statistics worthless.
    for rows in torch.randperm(examples, generator=generator).tensor_split(batches):
        optimizer.zero_grad(set_to_none=True)
        for part in rows.split(schedule.micro_batch_size or len(rows)):
            with torch.autocast(device, torch.bfloat16, enabled=schedule.mixed_precision):
                value = loss(part, generator)
            (value * (len(part) / len(rows))).backward()
            total = total.to(value.device) + value.detach() * len(part)  # read once an epoch: a GPU need not wait
        optimizer.step()
    return total.item() / examples


def _stalled(losses: list[float], patience: int) -> bool:
    return len(losses) > patience and min(losses[-patience:]) >= min(losses[:-patience])


def _save(module: nn.Module, optimizer: torch.optim.Optimizer, losses: list[float], folder: Path) -> None:
    """Write a checkpoint; it appears whole or not at all."""
    tensors = {f"module.{name}": values for name, values in module.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()})
    whole = {name: values.contiguous().clone() for name, values in tensors.items()}
    write_whole(writable_folder(folder) / "checkpoint.safetensors", save(whole, {"losses": json.dumps(losses)}))


def _resumed(module: nn.Module, optimizer: torch.optim.Optimizer, folder: Path | None, epochs: int) -> list[float]:
    """Load the checkpoint where there is one; the losses of its epochs."""
    path = folder / "checkpoint.safetensors" if folder else None
    if path is None or not path.exists():
        return []
    try:
        data = path.read_bytes()  # by path safetensors takes UTF-8 only
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        losses: list[float] = json.loads(header["__metadata__"]["losses"])
        tensors = load(data)
        own = {name.removeprefix("module."): values for name, values in tensors.items() if name.startswith("module.")}
        # Asked first: loading would stop half-way through a network that does not fit.
        if len(losses) > epochs or _shapes(own) != _shapes(module.state_dict()):
            raise ValueError("a checkpoint of another training")
        state: dict[int, dict[str, Tensor]] = {}
        for name, values in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".", 2)
                state.setdefault(int(index), {})[key] = values
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        module.load_state_dict(own)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError):
        path.unlink(missing_ok=True)  # cut off, or of another network: train from the start
        return []
    return losses


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: values.shape for name, values in tensors.items()}
