"""What a camera delivers: learned once from the good pictures, then every picture is read by it, or refused."""

from flawsight.data.pixels.containers.opening import image_size
from flawsight.data.pixels.format import PixelFormat
from flawsight.data.pixels.learn import learn_pixel_format
from flawsight.data.pixels.looks import change_as_a_whole, measured, usual_looks
from flawsight.data.pixels.read import read_image
from flawsight.data.pixels.shape import check_shape

__all__ = [
    "PixelFormat",
    "change_as_a_whole",
    "check_shape",
    "image_size",
    "learn_pixel_format",
    "measured",
    "read_image",
    "usual_looks",
]
