"""The runner of a search: makes trials, or takes those that are there, while there is time and memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from flawsight.core import FlawsightError, Layer, Progress
from flawsight.executors import Executor
from flawsight.features import Extractor
from flawsight.inference import release
from flawsight.inference.feature_pass import Advance
from flawsight.selection.memory import groups_that_fit, working_memory
from flawsight.selection.race.budget import TOGETHER, Budget
from flawsight.selection.race.fidelity import Fidelity
from flawsight.selection.trials import Candidate, Trial, TrialStore, run_trials

GROUPS_EACH = 2
"""Groups for each worker: none waits long for the last one, and the network runs not much more often."""


@dataclass(frozen=True, eq=False)
class GroupTrials:
    """Trials of a group of candidates, by plain data: what every worker is sent once."""

    extractor: Extractor
    stage: Fidelity

    def __call__(self, group: Sequence[Candidate]) -> list[Trial]:
        """Two passes of the network."""
        found = list(run_trials(self.extractor, group, self.stage))
        release()
        return found


@dataclass(eq=False)
class TrialRunner:
    """Makes trials that are not in the store yet, group by group, while there is time; by workers if there are any."""

    extractor: Extractor
    layers: Mapping[str, Layer]
    store: TrialStore
    progress: Progress
    max_memory: int | None
    budget: Budget
    executor: Executor | None = None
    untried: list[Candidate] = field(default_factory=list)

    def trials(self, candidates: Sequence[Candidate], stage: Fidelity, share: float = 1.0) -> list[Trial]:
        """Trials of these candidates, in their order, those already in the store taken from it."""
        if not candidates:
            return []
        missing = [one for one in candidates if self.store.get(stage.name, one) is None]
        groups = self._groups(missing, stage)
        label = {"coarse": f"Trying {len(candidates)} candidates", "full": f"Measuring {len(candidates)} candidates"}
        with self.progress.stage(label[stage.name], stage.steps * len(groups) + len(missing)) as advance:
            seconds: list[float] = []
            wanted = self._in_time(groups, share, seconds, is_resumed=len(missing) < len(candidates))
            make = self._made_here if self.executor is None else self._made_by_workers
            for trial in make(wanted, stage, advance):
                self.store.put(trial)
                seconds.append(trial.seconds)
                advance(1)
        found = (self.store.get(stage.name, one) for one in candidates)
        return [trial for trial in found if trial is not None]

    def _in_time(
        self, groups: Sequence[list[Candidate]], share: float, seconds: list[float], is_resumed: bool
    ) -> Iterator[list[Candidate]]:
        """The groups there is time for; one is tried, however late it is."""
        for number, group in enumerate(groups):
            is_first = not (number or is_resumed)
            if not is_first and self.budget.left(share) < len(group) * float(np.mean(seconds or [0.0])):
                self.untried += group
                continue
            yield group

    def _made_here(self, groups: Iterator[list[Candidate]], stage: Fidelity, advance: Advance) -> Iterator[Trial]:
        for group in groups:
            yield from run_trials(self.extractor, group, stage, advance, self.store.folder)
            release()

    def _made_by_workers(self, groups: Iterator[list[Candidate]], stage: Fidelity, advance: Advance) -> Iterator[Trial]:
        assert self.executor is not None
        for outcome in self.executor.map(GroupTrials(self.extractor, stage), groups):
            if outcome.value is None:
                raise FlawsightError(f"layers could not be tried: {outcome.lost}")
            advance(stage.steps)
            yield from outcome.value

    def _groups(self, candidates: Sequence[Candidate], stage: Fidelity) -> list[list[Candidate]]:
        size = len(candidates)
        if self.executor is not None:
            size = -(-size // (GROUPS_EACH * self.executor.workers))
        if self.budget.is_limited:
            # In full one at a time: they come in the order of their prospects, and each may take long.
            size = TOGETHER if stage.name == "coarse" else 1
        parts = [candidates[start : start + size] for start in range(0, len(candidates), max(1, size))]
        working = working_memory(self.max_memory)
        return [group for part in parts for group in groups_that_fit(part, self.layers, stage, working)]
