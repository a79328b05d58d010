"""The training loop: what it goes on from, what it complains about, and whom it leaves alone."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from flawsight.core import FlawsightError
from flawsight.training import Schedule, TrainingContext, gaussian, loop, seeded, train

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


def test_it_learns_and_ends_in_eval_mode() -> None:
    task = Task()
    losses = task.train(40)
    assert len(losses) == 40 and losses[-1] < 0.2 * losses[0]
    assert not task.module.training


def test_every_epoch_sees_every_example_once_in_equal_batches() -> None:
    task = Task()
    task.train(epochs=2)
    assert sorted(len(rows) for rows in task.asked) == sorted([13, 13, 12, 12] * 2)
    for epoch in (task.asked[:4], task.asked[4:]):
        assert torch.equal(torch.cat(epoch).sort().values, torch.arange(EXAMPLES))
    assert not torch.equal(torch.cat(task.asked[:4]), torch.cat(task.asked[4:]))


def test_the_loss_is_the_mean_over_examples() -> None:
    task = Task()
    task.optimizer.param_groups[0]["lr"] = 0.0
    (found,) = train(
        task.module,
        task.optimizer,
        lambda rows, _: rows.sum() / len(rows) + 0 * task.module[3].bias.sum(),
        EXAMPLES,
        Schedule(batch_size=13, epochs=1, seed=0),
    )
    assert found == pytest.approx(np.arange(EXAMPLES).mean())


def test_order_and_noise_depend_on_the_seed_only() -> None:
    first, again, other, started_elsewhere = Task(), Task(), Task(), Task(seed=1)
    torch.manual_seed(7)
    losses = first.train()
    torch.manual_seed(8)
    assert again.train() == losses and again.same_as(first)
    other.train(seed=4)
    started_elsewhere.train()
    assert all(torch.equal(a, b) for a, b in zip(first.asked, started_elsewhere.asked, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.asked, other.asked, strict=True))


@pytest.mark.usefixtures("checkpoint_every_epoch")
@pytest.mark.parametrize("adam", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("stop_after", [3, 4, 10, 23])  # 4 batches an epoch: 3 is before the first checkpoint
def test_going_on_ends_as_an_uninterrupted_run(tmp_path: Path, stop_after: int, adam: type) -> None:
    whole, stopped, resumed = Task(adam=adam), Task(stop_after=stop_after, adam=adam), Task(adam=adam)
    losses = whole.train()
    with pytest.raises(KeyboardInterrupt):
        stopped.train(training=TrainingContext(tmp_path))
    assert (tmp_path / "checkpoint.safetensors").exists() == (stop_after > 3)
    assert resumed.train(training=TrainingContext(tmp_path)) == losses
    assert len(resumed.asked) == 24 - stop_after // 4 * 4
    assert resumed.same_as(whole)


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    done, again = Task(), Task()
    losses = done.train(training=TrainingContext(tmp_path))
    assert again.train(training=TrainingContext(tmp_path)) == losses
    assert not again.asked and again.same_as(done) and not again.module.training


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    path.write_bytes(b"\x10" + bytes(7) + b"not JSON at all!" + bytes(100))


def of_a_wider_network(path: Path) -> None:
    other = Task()
    other.module[2] = nn.Sequential(nn.ReLU(), nn.Linear(4, 4))
    other.optimizer = torch.optim.Adam(other.module.parameters())
    other.train(2, training=TrainingContext(path.parent))


def of_another_width(path: Path) -> None:
    other = Task()
    other.module[3] = nn.Linear(4, 2)
    other.optimizer = torch.optim.Adam(other.module.parameters())
    train(
        other.module,
        other.optimizer,
        lambda rows, _: other.module(other.inputs[rows]).square().mean(),
        EXAMPLES,
        Schedule(batch_size=13, epochs=2, seed=0),
        TrainingContext(path.parent),
    )


def of_a_longer_training(path: Path) -> None:
    Task().train(9, training=TrainingContext(path.parent))


def without_losses(path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"module.0.weight": torch.zeros(4, 3)}, path)


@pytest.mark.usefixtures("checkpoint_every_epoch")
@pytest.mark.parametrize(
    "spoil",
    [truncated, emptied, garbled, of_a_wider_network, of_another_width, of_a_longer_training, without_losses],
    ids=lambda spoil: spoil.__name__,
)
def test_a_checkpoint_that_is_of_no_use_is_ignored(tmp_path: Path, spoil: object) -> None:
    path = tmp_path / "checkpoint.safetensors"
    if spoil in (truncated, emptied, garbled):
        Task().train(3, training=TrainingContext(tmp_path))
    spoil(path)  # type: ignore[operator]
    whole, task = Task(), Task()
    losses = whole.train()
    assert task.train(training=TrainingContext(tmp_path)) == losses
    assert task.same_as(whole)
    assert Task().train(training=TrainingContext(tmp_path)) == losses  # what replaced it is sound


def test_no_half_written_file_stays(tmp_path: Path) -> None:
    Task().train(2, training=TrainingContext(tmp_path / "not" / "there"))
    assert [path.name for path in (tmp_path / "not" / "there").iterdir()] == ["checkpoint.safetensors"]


def test_a_checkpoint_is_not_written_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    monkeypatch.setattr(loop, "_save", lambda module, optimizer, losses, folder: saved.append(len(losses)))
    Task().train(5, training=TrainingContext(tmp_path))
    assert saved == [5]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_the_epoch(value: float) -> None:
    task = Task()

    def loss(rows: Tensor, generator: torch.Generator) -> Tensor:
        return task.loss(rows, generator) * (value if len(task.asked) == 10 else 1.0)

    with pytest.raises(FlawsightError, match=r"Sequential diverged in epoch 3: .*(nan|inf).* smaller learning rate"):
        train(task.module, task.optimizer, loss, EXAMPLES, Schedule(batch_size=13, epochs=6, seed=0))


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
def test_progress_adds_up_to_one(tmp_path: Path, stop_after: int | None) -> None:
    if stop_after:
        with pytest.raises(KeyboardInterrupt):
            Task(stop_after=stop_after).train(training=TrainingContext(tmp_path))
    advanced: list[float] = []
    Task().train(training=TrainingContext(tmp_path, advanced.append))
    assert sum(advanced) == pytest.approx(1)
    assert all(step > 0 for step in advanced)
    assert len(advanced) == (6 if stop_after is None else 5)


def test_parts_share_the_progress_and_the_folder(tmp_path: Path) -> None:
    advanced: list[float] = []
    both = TrainingContext(tmp_path, advanced.append)
    Task().train(training=both.part("teacher", 0.75))
    assert sum(advanced) == pytest.approx(0.75)
    Task().train(training=both.part("student", 0.25))
    assert sum(advanced) == pytest.approx(1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["student", "teacher"]
    assert TrainingContext().part("any", 0.5) == TrainingContext()


def test_gradients_are_on_whatever_surrounds_it() -> None:
    plain, within = Task(), Task()
    with torch.no_grad():
        within.train()
    plain.train()
    assert within.same_as(plain)


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


def test_trainings_in_many_threads_do_not_disturb_each_other() -> None:
    alone = Task()
    alone.train()
    together = [Task() for _ in range(4)]
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
