"""Who does the work: this process, processes beside it, or a Ray cluster. A job is plain data that can be called."""

from flawsight.executors.executor import Executor, InLine, Outcome
from flawsight.executors.opening import open_executor

__all__ = ["Executor", "InLine", "Outcome", "open_executor"]
