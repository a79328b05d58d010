"""A defect for each of many images, reproducible image by image and drawn in parallel."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from zlib import crc32

import numpy as np

from flawsight.core import FlawsightError
from flawsight.defects.base import Image, Mask, SyntheticDefect, check_count


def apply_defects(
    images: Sequence[Image],
    defect: SyntheticDefect,
    *,
    kind: str,
    seed: int,
    sources: Sequence[Image] | None = None,
    workers: int = 2,
) -> tuple[list[Image], list[Mask]]:
    """Return a defective copy of every image and its bool mask (H, W), in the order of images.

    Image i draws from a generator seeded by (seed, kind, i) alone, so it is the same whatever `workers` is. It takes
    material from the other images, or from `sources` if given; from itself only when there is nothing else.
    Raises FlawsightError, naming the image, when no defect can be placed.
    """
    check_count("seed", seed, lowest=0)
    check_count("workers", workers)

    def apply_one(index: int) -> tuple[Image, Mask]:
        image = images[index]
        if sources is None:
            others = [other for place, other in enumerate(images) if place != index]
        else:
            others = [source for source in sources if source is not image]
        rng = np.random.default_rng([seed, crc32(kind.encode()), index])
        try:
            return defect(image, rng, others or [image])
        except FlawsightError as error:
            raise FlawsightError(f"Image {index} of {len(images)}: {error}") from error

    # Threads suffice: OpenCV and NumPy release the interpreter lock in the work that takes time.
    with ThreadPoolExecutor(workers) as executor:
        pairs = list(executor.map(apply_one, range(len(images))))
    return [image for image, _ in pairs], [mask for _, mask in pairs]
