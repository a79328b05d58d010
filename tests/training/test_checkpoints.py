"""Checkpoints: what a training goes on from, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from flawsight.training import Schedule, TrainingContext, loop, train

MakeTask = Callable[..., Any]


@pytest.mark.usefixtures("checkpoint_every_epoch")
@pytest.mark.parametrize("adam", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("stop_after", [3, 4, 10, 23])  # 4 batches an epoch: 3 is before the first checkpoint
def test_going_on_ends_as_an_uninterrupted_run(
    make_task: MakeTask, tmp_path: Path, stop_after: int, adam: type
) -> None:
    whole, stopped, resumed = make_task(adam=adam), make_task(stop_after=stop_after, adam=adam), make_task(adam=adam)
    losses = whole.train()
    with pytest.raises(KeyboardInterrupt):
        stopped.train(training=TrainingContext(tmp_path))
    assert (tmp_path / "checkpoint.safetensors").exists() == (stop_after > 3)
    assert resumed.train(training=TrainingContext(tmp_path)) == losses
    assert len(resumed.asked) == 24 - stop_after // 4 * 4
    assert resumed.same_as(whole)


def test_a_finished_training_is_not_repeated(make_task: MakeTask, tmp_path: Path) -> None:
    done, again = make_task(), make_task()
    losses = done.train(training=TrainingContext(tmp_path))
    assert again.train(training=TrainingContext(tmp_path)) == losses
    assert not again.asked and again.same_as(done) and not again.module.training


def truncated(path: Path, make_task: MakeTask) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path, make_task: MakeTask) -> None:
    path.write_bytes(b"")


def garbled(path: Path, make_task: MakeTask) -> None:
    path.write_bytes(b"\x10" + bytes(7) + b"not JSON at all!" + bytes(100))


def of_a_wider_network(path: Path, make_task: MakeTask) -> None:
    other = make_task()
    other.module[2] = nn.Sequential(nn.ReLU(), nn.Linear(4, 4))
    other.optimizer = torch.optim.Adam(other.module.parameters())
    other.train(2, training=TrainingContext(path.parent))


def of_another_width(path: Path, make_task: MakeTask) -> None:
    other = make_task()
    other.module[3] = nn.Linear(4, 2)
    other.optimizer = torch.optim.Adam(other.module.parameters())
    train(
        other.module,
        other.optimizer,
        lambda rows, _: other.module(other.inputs[rows]).square().mean(),
        len(other.inputs),
        Schedule(batch_size=13, epochs=2, seed=0),
        TrainingContext(path.parent),
    )


def of_a_longer_training(path: Path, make_task: MakeTask) -> None:
    make_task().train(9, training=TrainingContext(path.parent))


def without_losses(path: Path, make_task: MakeTask) -> None:
    save_file({"module.0.weight": torch.zeros(4, 3)}, path)


@pytest.mark.usefixtures("checkpoint_every_epoch")
@pytest.mark.parametrize(
    "spoil",
    [truncated, emptied, garbled, of_a_wider_network, of_another_width, of_a_longer_training, without_losses],
    ids=lambda spoil: spoil.__name__,
)
def test_a_checkpoint_that_is_of_no_use_is_ignored(make_task: MakeTask, tmp_path: Path, spoil: Callable) -> None:
    path = tmp_path / "checkpoint.safetensors"
    if spoil in (truncated, emptied, garbled):
        make_task().train(3, training=TrainingContext(tmp_path))
    spoil(path, make_task)
    whole, task = make_task(), make_task()
    losses = whole.train()
    assert task.train(training=TrainingContext(tmp_path)) == losses
    assert task.same_as(whole)
    assert make_task().train(training=TrainingContext(tmp_path)) == losses  # what replaced it is sound


def test_no_half_written_file_stays(make_task: MakeTask, tmp_path: Path) -> None:
    make_task().train(2, training=TrainingContext(tmp_path / "not" / "there"))
    assert [path.name for path in (tmp_path / "not" / "there").iterdir()] == ["checkpoint.safetensors"]


def test_a_checkpoint_is_not_written_all_the_time(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    monkeypatch.setattr(loop, "_save", lambda module, optimizer, losses, folder: saved.append(len(losses)))
    make_task().train(5, training=TrainingContext(tmp_path))
    assert saved == [5]
