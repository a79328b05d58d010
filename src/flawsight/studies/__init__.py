"""What the papers compare with, and are compared by."""

from flawsight.studies.classifier import SupervisedClassifier

__all__ = ["SupervisedClassifier"]
