"""Masks: which pixels of a picture are defective, from files or drawings, decided once for a data set."""

from flawsight.data.masks.of_dataset import Masks, learn_masks, read_mask
from flawsight.data.masks.rule import MaskRule
from flawsight.data.masks.shapes import Drawing, Outline, Runs, ellipse, rectangle

__all__ = ["Drawing", "MaskRule", "Masks", "Outline", "Runs", "ellipse", "learn_masks", "read_mask", "rectangle"]
