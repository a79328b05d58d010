"""The autoencoder baseline of paper C."""

from flawsight.detectors.autoencoder.detector import Autoencoder

__all__ = ["Autoencoder"]
