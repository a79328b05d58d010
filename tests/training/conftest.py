"""A small task to learn, and checkpoints of every epoch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from flawsight.training import Schedule, TrainingContext, loop, seeded, train

EXAMPLES = 50


class Task:
    """A small network that learns noisy targets; it remembers what its loss was asked, and can stop it."""

    def __init__(self, seed: int = 0, stop_after: int | None = None, adam: type = torch.optim.Adam) -> None:
        with seeded(seed):
            self.module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))
        self.optimizer = adam(self.module.parameters(), lr=0.01)
        self.inputs = torch.randn(EXAMPLES, 3, generator=torch.Generator().manual_seed(5))
        self.asked: list[Tensor] = []
        self.stop_after = stop_after

    def loss(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        if len(self.asked) == self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(rows)
        given = self.inputs[rows]
        target = given.sum(1) + 0.1 * torch.randn(len(rows), generator=generator)
        return (self.module(given).squeeze(1) - target).square().mean()

    def train(self, epochs: int = 6, seed: int = 3, training: TrainingContext | None = None) -> list[float]:
        schedule = Schedule(batch_size=13, epochs=epochs, seed=seed)
        return train(self.module, self.optimizer, self.loss, EXAMPLES, schedule, training)

    def same_as(self, other: Task) -> bool:
        ours, theirs = self.module.state_dict(), other.module.state_dict()
        return all(torch.equal(values, theirs[name]) for name, values in ours.items())


@pytest.fixture
def checkpoint_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)


@pytest.fixture(scope="session")
def make_task() -> type[Task]:
    """Makes small networks that learn noisy targets."""
    return Task
