"""Chance comes from seeds, and nobody else notices, in however many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from flawsight.training import gaussian, seeded

MakeTask = Callable[..., Any]


def test_seeded_draws_from_the_seed_and_nobody_else_notices() -> None:
    torch.manual_seed(1)
    expected, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    drawn = []
    for seed in (5, 5, 6):
        with seeded(seed):
            drawn.append((torch.randn(4), np.random.rand(4)))  # noqa: NPY002
    assert torch.equal(drawn[0][0], drawn[1][0]) and np.array_equal(drawn[0][1], drawn[1][1])
    assert not torch.equal(drawn[0][0], drawn[2][0]) and not np.array_equal(drawn[0][1], drawn[2][1])
    with pytest.raises(ZeroDivisionError), seeded(3):
        torch.randn(1 // 0)
    assert torch.equal(torch.get_rng_state(), expected)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_seeded_in_many_threads() -> None:
    torch.manual_seed(1)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    found: dict[int, list[Tensor]] = {}

    def build(index: int) -> None:
        made = []
        for _ in range(20):
            with seeded(index % 3):
                made.append(nn.Linear(20, 20).weight.detach().clone())
        found[index] = made

    threads = [threading.Thread(target=build, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    for index, made in found.items():
        with seeded(index % 3):
            expected = nn.Linear(20, 20).weight
        assert all(torch.equal(weight, expected) for weight in made)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_trainings_in_many_threads_do_not_disturb_each_other(make_task: MakeTask) -> None:
    alone = make_task()
    alone.train()
    together = [make_task() for _ in range(4)]
    before = torch.get_rng_state()
    threads = [threading.Thread(target=task.train) for task in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(task.same_as(alone) for task in together)
    assert torch.equal(torch.get_rng_state(), before)


def test_gaussian_noise() -> None:
    cpu = torch.device("cpu")
    drawn = [gaussian((300, 200), torch.Generator().manual_seed(seed), cpu) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert abs(drawn[0].mean()) < 0.02 and abs(drawn[0].std() - 1) < 0.02
    if torch.cuda.is_available():
        there = [gaussian((9, 4), torch.Generator().manual_seed(seed), torch.device("cuda")) for seed in (1, 1, 2)]
        assert torch.equal(there[0], there[1]) and not torch.equal(there[0], there[2])
