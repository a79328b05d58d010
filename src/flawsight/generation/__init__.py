"""SDAS (Sec. 3.1 of paper E): a diffusion model of the good images, and anomalous pictures drawn from it."""

from flawsight.generation.card import CARD, GeneratorCard, read_card
from flawsight.generation.generator import Generator
from flawsight.generation.networks import PRESETS, Preset, find_preset
from flawsight.generation.sampling import check_sampling
from flawsight.generation.store import ensure_trained, load_or_sample, sdas_pictures

__all__ = [
    "CARD",
    "PRESETS",
    "Generator",
    "GeneratorCard",
    "Preset",
    "check_sampling",
    "ensure_trained",
    "find_preset",
    "load_or_sample",
    "read_card",
    "sdas_pictures",
]
