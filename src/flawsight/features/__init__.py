"""Pretrained networks as catalogues of layers."""

from flawsight.features.channels import ChannelSelection, best_channels, channel_losses
from flawsight.features.extractor import PICTURE, Extractor, resize_image
from flawsight.features.layers import Layer, default_pair, select_layers
from flawsight.features.levels import levels, stage_ends
from flawsight.features.networks import DEFAULT_EXTRACTOR

__all__ = [
    "DEFAULT_EXTRACTOR",
    "PICTURE",
    "ChannelSelection",
    "Extractor",
    "Layer",
    "best_channels",
    "channel_losses",
    "default_pair",
    "levels",
    "resize_image",
    "select_layers",
    "stage_ends",
]
