"""Pretrained networks as catalogues of layers."""

from flawsight.features.extractor import Extractor, resize_image
from flawsight.features.layers import Layer, default_pair, select_layers
from flawsight.features.networks import DEFAULT_EXTRACTOR

__all__ = ["DEFAULT_EXTRACTOR", "Extractor", "Layer", "default_pair", "resize_image", "select_layers"]
