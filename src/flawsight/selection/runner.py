"""The runner of a search: makes trials, or takes those that are there, while there is time and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from flawsight.core import Layer, Progress
from flawsight.features import Extractor
from flawsight.inference import release
from flawsight.selection.budget import TOGETHER, Budget
from flawsight.selection.fidelity import Fidelity
from flawsight.selection.memory import groups_that_fit, working_memory
from flawsight.selection.trials import Candidate, Trial, TrialStore, run_trials


@dataclass(eq=False)
class TrialRunner:
    """Makes trials that are not in the store yet, group by group, while there is time."""

    extractor: Extractor
    layers: Mapping[str, Layer]
    store: TrialStore
    progress: Progress
    max_memory: int | None
    budget: Budget
    untried: list[Candidate] = field(default_factory=list)

    def trials(self, candidates: Sequence[Candidate], stage: Fidelity, share: float = 1.0) -> list[Trial]:
        """Trials of these candidates, in their order, those already in the store taken from it."""
        missing = [one for one in candidates if self.store.get(stage.name, one) is None]
        groups = self._groups(missing, stage)
        label = {"coarse": f"Trying {len(candidates)} candidates", "full": f"Measuring {len(candidates)} candidates"}
        seconds: list[float] = []
        with self.progress.stage(label[stage.name], stage.steps * len(groups) + len(missing)) as advance:
            for group in groups:
                is_first = len(missing) == len(candidates) and not seconds  # one group is tried, however late it is
                if not is_first and self.budget.left(share) < len(group) * float(np.mean(seconds or [0.0])):
                    self.untried += group
                    continue
                for trial in run_trials(self.extractor, group, stage, advance, self.store.folder):
                    self.store.put(trial)
                    seconds.append(trial.seconds)
                    advance(1)
                release()
        found = (self.store.get(stage.name, one) for one in candidates)
        return [trial for trial in found if trial is not None]

    def _groups(self, candidates: Sequence[Candidate], stage: Fidelity) -> list[list[Candidate]]:
        parts = [candidates]
        if self.budget.is_limited:
            # In full one at a time: they come in the order of their prospects, and each may take long.
            size = TOGETHER if stage.name == "coarse" else 1
            parts = [candidates[start : start + size] for start in range(0, len(candidates), size)]
        working = working_memory(self.max_memory)
        return [group for part in parts for group in groups_that_fit(part, self.layers, stage, working)]
