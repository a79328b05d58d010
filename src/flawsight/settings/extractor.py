"""Which network, and what it learned before."""

from __future__ import annotations

from pathlib import Path

from flawsight.settings.base import Options, Text, option

DEFAULT_EXTRACTOR = "tf_efficientnet_lite0"
RANDOM_WEIGHTS = "random"


class WeightsOptions(Options):
    """What the network learned before.

    >>> WeightsOptions(weights="random").has_random_weights
    True
    """

    weights: Path | None = option(
        None, "A .safetensors or .pth file for the network; random: nothing learned, by --seed.", metavar="FILE|random"
    )

    @property
    def has_random_weights(self) -> bool:
        """Whether the network learned nothing."""
        return self.weights == Path(RANDOM_WEIGHTS)


class ExtractorOptions(WeightsOptions):
    """Which network reads.

    >>> ExtractorOptions(extractor="torchvision:resnet18").extractor
    'torchvision:resnet18'
    """

    extractor: Text = option(DEFAULT_EXTRACTOR, "A network of timm or torchvision; the default needs no download.")
