"""What a stored generator is: read before its weights, and compared with what is asked for."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from flawsight.core import read_model, write_whole
from flawsight.generation.quality import FEWEST, WORST

CARD = "generator.json"


class Settings(BaseModel):
    """What decides a training: two generators of equal settings are equal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: str
    steps: int
    batch_size: int
    learning_rate: float
    seed: int
    images_sha256: str
    stamp: str = ""


class GeneratorCard(BaseModel):
    """A trained generator: its settings, its images and how good it is.

    >>> card = read_card(generator)
    >>> card.side, card.images, card.settings.steps, card.is_useless
    (64, 12, 2, True)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    settings: Settings
    side: int
    grey: bool
    images: int
    held_out: int
    quality: float
    versions: dict[str, str]

    @property
    def is_useless(self) -> bool:
        """Whether its pictures are too far from good ones to be of use."""
        return self.quality > WORST

    @property
    def concern(self) -> str:
        """Why its pictures may be useless, with the figure and what to do instead; empty where nothing says so."""
        remedy = "take more good images, train for longer (--generator-steps), or use --defects perlin --textures DIR"
        if self.is_useless:
            return (
                f"the generator's pictures are {self.quality:.1f} times as far from good images as other good images "
                f"are (up to {WORST:g} is usual; it learned from {self.images}): {remedy}"
            )
        if self.images < FEWEST:
            return (
                f"the generator learned from {self.images} good images, fewer than {FEWEST}: its pictures repeat them, "
                f"and how good they are is uncertain (measured {self.quality:.1f}, 1 is best): {remedy}"
            )
        return ""

    def summary(self) -> dict[str, str]:
        """What a report says of it."""
        return {
            "generator": f"{self.settings.preset}, {self.settings.steps} steps, {self.images} images",
            "distance of its pictures from good images (1: as other good images)": f"{self.quality:.1f}",
            **({"concern": self.concern} if self.concern else {}),
        }

    def write(self, folder: Path) -> None:
        """Write `generator.json`."""
        write_whole(folder / CARD, self.model_dump_json(indent=2) + "\n")


def read_card(folder: Path) -> GeneratorCard:
    """The card in the folder; FlawsightError where it is missing or wrong.

    >>> read_card(generator).settings.preset
    'small'
    """
    return read_model(folder / CARD, GeneratorCard, "generator", "name another folder, or delete this one")
