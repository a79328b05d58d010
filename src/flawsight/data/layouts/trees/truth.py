"""Which mask belongs to which picture, by name."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from flawsight.data.files import subfolders
from flawsight.data.listing import list_images

_ENDINGS = re.compile(
    r"[-_. ]*(?:mask|gt|label|seg|segmentation|groundtruth|anomaly|defect)?s?[-_. ]*\d*$", re.IGNORECASE
)
_NUMBER = re.compile(r"[-_. ]\d+$")
_LEAD = re.compile(r"^(?:mask|gt|label|groundtruth)[-_. ]+", re.IGNORECASE)


def masks_of(images: Sequence[Path], folder: Path) -> tuple[dict[Path, tuple[Path, ...]], list[Path]]:
    """The masks in a folder by image, and those that belong to none.

    Of the image NAME they are NAME.*, NAME_mask.*, mask_NAME.*, several of these with numbers, or all in a folder
    called NAME or as the image.
    """
    by_name = {image.name.casefold(): image for image in images}
    by_name |= {image.stem.casefold(): image for image in images}
    found: dict[Path, list[Path]] = {image: [] for image in images}
    orphans: list[Path] = []
    if not folder.is_dir():
        return {}, []
    for mask in list_images(folder, recursive=False).images:
        names = _names_within(mask.stem)
        image = next((by_name[name] for name in names if name in by_name), None)
        (orphans if image is None else found[image]).append(mask)
    for inside in subfolders(folder):
        image = by_name.get(inside.name.casefold())
        masks = list_images(inside).images
        (orphans if image is None else found[image]).extend(masks)
    return {image: tuple(masks) for image, masks in found.items() if masks}, orphans


def _names_within(stem: str) -> Iterable[str]:
    """What the image may be called, the longest name first."""
    name = stem.casefold()
    for whole in dict.fromkeys((name, _LEAD.sub("", name))):
        yield whole
        yield _NUMBER.sub("", whole)
        ending = _ENDINGS.search(whole)
        if ending and re.search(r"[a-z]", ending.group()):
            yield whole[: ending.start()]
