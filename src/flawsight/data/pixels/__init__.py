"""What a camera delivers: learned once from the good pictures, then every picture is read by it, or refused."""

from flawsight.data.pixels.containers.opening import image_size
from flawsight.data.pixels.facts import has_colour
from flawsight.data.pixels.format import PixelFormat
from flawsight.data.pixels.learn import learn_pixel_format, mixed_colours
from flawsight.data.pixels.looks import change_as_a_whole, measured, usual_looks
from flawsight.data.pixels.read import read_image
from flawsight.data.pixels.shape import check_shape

__all__ = [
    "PixelFormat",
    "change_as_a_whole",
    "check_shape",
    "has_colour",
    "image_size",
    "learn_pixel_format",
    "measured",
    "mixed_colours",
    "read_image",
    "usual_looks",
]
