"""Pretrained networks as catalogues of layers."""

from flawsight.core import INPUT, Layer, lazy_names
from flawsight.features.channels import ChannelSelection, best_channels, channel_losses
from flawsight.features.extractor import Extractor
from flawsight.features.layers import JOINED, default_pair, is_spread, joined_layer, select_layers
from flawsight.features.levels import levels, stage_ends
from flawsight.features.networks import DEFAULT_EXTRACTOR, EXTRACTORS, RANDOM_WEIGHTS
from flawsight.features.receptive import ReceptiveField, effective_receptive_fields

__all__ = [
    "DEFAULT_EXTRACTOR",
    "EXTRACTORS",
    "INPUT",
    "JOINED",
    "RANDOM_WEIGHTS",
    "ChannelSelection",
    "Extractor",
    "Layer",
    "ReceptiveField",
    "best_channels",
    "channel_losses",
    "default_pair",
    "effective_receptive_fields",
    "is_spread",
    "joined_layer",
    "levels",
    "select_layers",
    "stage_ends",
]
__getattr__ = lazy_names(__name__, renamed={"PICTURE": "INPUT"})
