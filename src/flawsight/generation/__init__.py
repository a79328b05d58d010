"""SDAS (Sec. 3.1 of paper E): a diffusion model of the good images, and anomalous pictures drawn from it.

pictures = sdas_pictures(good_images, Path("generator"))
defect = make("sdas", product=estimate_product(good_images), pictures=pictures)
"""

from flawsight.generation.description import Description, read_description
from flawsight.generation.generator import Generator
from flawsight.generation.networks import PRESETS, Preset
from flawsight.generation.pictures import pictures_of, sdas_pictures, trained

__all__ = [
    "PRESETS",
    "Description",
    "Generator",
    "Preset",
    "pictures_of",
    "read_description",
    "sdas_pictures",
    "trained",
]
