"""The training loop: what it goes through, what it complains about, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from flawsight.core import FlawsightError
from flawsight.training import Schedule, TrainingContext, train

MakeTask = Callable[..., Any]


def test_it_learns_and_ends_in_eval_mode(make_task: MakeTask) -> None:
    task = make_task()
    losses = task.train(40)
    assert len(losses) == 40 and losses[-1] < 0.2 * losses[0]
    assert not task.module.training


def test_every_epoch_sees_every_example_once_in_equal_batches(make_task: MakeTask) -> None:
    task = make_task()
    task.train(epochs=2)
    assert sorted(len(rows) for rows in task.asked) == sorted([13, 13, 12, 12] * 2)
    for epoch in (task.asked[:4], task.asked[4:]):
        assert torch.equal(torch.cat(epoch).sort().values, torch.arange(len(task.inputs)))
    assert not torch.equal(torch.cat(task.asked[:4]), torch.cat(task.asked[4:]))


def test_the_loss_is_the_mean_over_examples(make_task: MakeTask) -> None:
    task = make_task()
    task.optimizer.param_groups[0]["lr"] = 0.0
    (found,) = train(
        task.module,
        task.optimizer,
        lambda rows, _: rows.sum() / len(rows) + 0 * task.module[3].bias.sum(),
        len(task.inputs),
        Schedule(batch_size=13, epochs=1, seed=0),
    )
    assert found == pytest.approx(np.arange(len(task.inputs)).mean())


def test_order_and_noise_depend_on_the_seed_only(make_task: MakeTask) -> None:
    first, again, other, started_elsewhere = make_task(), make_task(), make_task(), make_task(seed=1)
    torch.manual_seed(7)
    losses = first.train()
    torch.manual_seed(8)
    assert again.train() == losses and again.same_as(first)
    other.train(seed=4)
    started_elsewhere.train()
    assert all(torch.equal(a, b) for a, b in zip(first.asked, started_elsewhere.asked, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.asked, other.asked, strict=True))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_the_epoch(make_task: MakeTask, value: float) -> None:
    task = make_task()

    def loss(rows: Tensor, generator: torch.Generator) -> Tensor:
        return task.loss(rows, generator) * (value if len(task.asked) == 10 else 1.0)

    with pytest.raises(FlawsightError, match=r"Sequential diverged in epoch 3: .*(nan|inf).* smaller learning rate"):
        train(task.module, task.optimizer, loss, len(task.inputs), Schedule(batch_size=13, epochs=6, seed=0))


def scripted(losses: list[float], patience: int | None, training: TrainingContext) -> list[float]:
    """A training whose epochs have these losses."""
    module, left = nn.Linear(1, 1), iter(losses)
    schedule = Schedule(batch_size=8, epochs=len(losses), seed=0, patience=patience)
    optimizer = torch.optim.SGD(module.parameters(), 0.0)
    return train(module, optimizer, lambda *_: 0 * module.weight.sum() + next(left), 8, schedule, training)


@pytest.mark.parametrize(
    ("losses", "patience", "epochs"),
    [
        ([5, 4, 3, 2, 1, 0], 1, 6),
        ([5, 4, 4, 3, 2, 1], 1, 3),
        ([5, 4, 4, 3, 3, 3], 2, 6),
        ([5, 4, 6, 4, 3, 2], 2, 4),
        ([5, 5, 5, 5, 5, 5], 3, 4),
        ([5, 5, 5, 5, 5, 5], None, 6),
    ],
)
def test_patience(losses: list[float], patience: int | None, epochs: int) -> None:
    advanced: list[float] = []
    assert scripted(losses, patience=patience, training=TrainingContext(advance=advanced.append)) == losses[:epochs]
    assert sum(advanced) == pytest.approx(1)


def test_who_ran_out_of_patience_does_not_go_on(tmp_path: Path) -> None:
    losses = [5.0, 5.0, 5.0, 5.0]
    for _ in range(2):
        assert scripted(losses, patience=1, training=TrainingContext(tmp_path)) == [5, 5]


@pytest.mark.usefixtures("checkpoint_every_epoch")
@pytest.mark.parametrize("stop_after", [None, 10])
def test_progress_adds_up_to_one(make_task: MakeTask, tmp_path: Path, stop_after: int | None) -> None:
    if stop_after:
        with pytest.raises(KeyboardInterrupt):
            make_task(stop_after=stop_after).train(training=TrainingContext(tmp_path))
    advanced: list[float] = []
    make_task().train(training=TrainingContext(tmp_path, advanced.append))
    assert sum(advanced) == pytest.approx(1)
    assert all(step > 0 for step in advanced)
    assert len(advanced) == (6 if stop_after is None else 5)


def test_parts_share_the_progress_and_the_folder(make_task: MakeTask, tmp_path: Path) -> None:
    advanced: list[float] = []
    both = TrainingContext(tmp_path, advanced.append)
    make_task().train(training=both.part("teacher", 0.75))
    assert sum(advanced) == pytest.approx(0.75)
    make_task().train(training=both.part("student", 0.25))
    assert sum(advanced) == pytest.approx(1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["student", "teacher"]
    assert TrainingContext().part("any", 0.5) == TrainingContext()


def test_gradients_are_on_whatever_surrounds_it(make_task: MakeTask) -> None:
    plain, within = make_task(), make_task()
    with torch.no_grad():
        within.train()
    plain.train()
    assert within.same_as(plain)
