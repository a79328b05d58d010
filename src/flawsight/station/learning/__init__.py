"""Learn again with the pictures that people marked, compare, and choose."""

from flawsight.station.learning.compare import Comparison, Marked, Side, compare
from flawsight.station.learning.learning import Learning
from flawsight.station.learning.state import LearningState
from flawsight.station.learning.swap import settle

__all__ = ["Comparison", "Learning", "LearningState", "Marked", "Side", "compare", "settle"]
