"""From an inspector in torch to a graph that runs without it, with proof that it says the same."""

from flawsight.export.bundle import export_bundle
from flawsight.export.graph import InspectionGraph
from flawsight.export.model import ExportedModel, export_inspector
from flawsight.export.stopwatch import Stopwatch

__all__ = ["ExportedModel", "InspectionGraph", "Stopwatch", "export_bundle", "export_inspector"]
