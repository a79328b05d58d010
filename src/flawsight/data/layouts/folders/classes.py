"""One-class novelty: a classification data set of which one class is the good one."""

from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.files import find_images, folder_named, subfolders
from flawsight.data.listing import images_beside, list_images
from flawsight.data.samples import DEFECTIVE, GOOD, Dataset, Sample

HINT = "{train,test}/CLASS/*.jpg, read with good_class="


def recognises(root: Path) -> bool:
    """True if train/ and test/ both hold class folders and there is no ground truth."""
    parts = (folder_named(root, "train", "training"), folder_named(root, "test", "testing"))
    return all(map(subfolders, parts)) and not folder_named(root, "ground_truth").is_dir()


def read(root: Path, good_class: str | None = None) -> Dataset:
    """Train on one class, test on all: the other classes are defective, each a kind of its own, without masks."""
    train, test = folder_named(root, "train", "training"), folder_named(root, "test", "testing")
    known = [folder.name for folder in subfolders(train)]
    if good_class not in known:
        raise FlawsightError(f"{root}: good_class is {good_class!r}; give one of its classes: {', '.join(known)}")
    samples = [Sample(path, GOOD, split="train") for path in find_images(train / good_class)]
    # Other classes to learn from are what the layout leaves out by its nature: nobody needs to be told.
    others = [path for name in known if name != good_class for path in list_images(train / name).images]
    for folder in subfolders(test):
        if folder.name == good_class:
            samples += [Sample(path, GOOD) for path in find_images(folder)]
        else:
            samples += [Sample(path, DEFECTIVE, kind=folder.name) for path in find_images(folder)]
    read = {*(sample.path for sample in samples), *others}
    return Dataset(samples, root, "classes", skipped=images_beside(root, read, "classes"))
