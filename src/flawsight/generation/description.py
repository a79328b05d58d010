"""What a stored generator is: read before its weights, and compared with what is asked for."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from flawsight.errors import FlawsightError
from flawsight.generation.quality import FEWEST, WORST

DESCRIPTION = "generator.json"


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


class Description(BaseModel):
    """A trained generator: its settings, its images and how good it is."""

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

    def write(self, folder: Path) -> None:
        """Write `generator.json`; it appears whole or not at all."""
        partial = folder / f"{DESCRIPTION}.part"
        partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        partial.replace(folder / DESCRIPTION)


def read_description(folder: Path) -> Description:
    """The description in the folder; FlawsightError where it is missing or wrong."""
    path = folder / DESCRIPTION
    try:
        return Description.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FlawsightError(f"no generator in '{folder}': cannot read '{DESCRIPTION}' ({error.strerror})") from error
    except (ValidationError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise FlawsightError(f"'{path}' does not describe a generator: {reason}; delete the folder") from error
