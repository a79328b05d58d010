"""Odd inputs, made from a seed: files, names, folders, masks and manifests as cameras and tools deliver them."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image

SIZE = (48, 64)


@dataclass
class Case:
    """What is given to which command; `files` are to be read, refused or named."""

    command: str
    given: Path
    files: list[Path]


def picture(rng: np.random.Generator, spot: bool = False) -> np.ndarray:
    fine = cv2.GaussianBlur(rng.normal(size=SIZE).astype(np.float32), (0, 0), 1.2)
    image = np.clip((130 + 70 * fine)[..., None] * [1.0, 0.94, 0.82], 0, 255).astype(np.uint8)
    if spot:
        image[10:20, 20:34] = 250
    return image


def saved(image: np.ndarray, suffix: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, suffix, **options)
    return file.getvalue()


def tiff(image: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, image, **options)
    return file.getvalue()


def encoded(rng: np.random.Generator) -> tuple[bytes, str]:
    """A whole picture in some format, and its suffix."""
    image = picture(rng)
    grey, wide = image[..., 0], image.astype(np.uint16) * int(rng.choice([1, 4, 16, 257]))
    alpha = np.dstack([image, rng.integers(0, 256, SIZE).astype(np.uint8)])
    ways: list[Callable[[], tuple[bytes, str]]] = [
        lambda: (saved(image, "PNG"), ".png"),
        lambda: (saved(grey, "PNG"), ".PNG"),
        lambda: (saved(alpha, "PNG"), ".png"),
        lambda: (saved(wide[..., 0], "PNG"), ".png"),
        lambda: (cv2.imencode(".png", wide)[1].tobytes(), ".png"),
        lambda: (saved(image, "JPEG", progressive=True), ".jpg"),
        lambda: (saved(grey, "JPEG"), ".jpeg"),
        lambda: (saved(image, "BMP"), ".bmp"),
        lambda: (saved(image, "WEBP"), ".webp"),
        lambda: (saved(image, "GIF"), str(rng.choice([".gif", ".png"]))),
        lambda: (saved(image, "JPEG2000"), ".jp2"),
        lambda: (saved(image, "PPM"), ".ppm"),
        lambda: (saved(grey, "PPM"), ".pgm"),
        lambda: (b"P2\n4 2\n255\n" + b"1 2 3 4 5 6 7 8\n" * 1, ".pgm"),
        lambda: (tiff(image, compression="zlib"), ".tif"),
        lambda: (tiff(wide, photometric="rgb", byteorder=">"), ".tiff"),
        lambda: (tiff(np.moveaxis(image, 2, 0), photometric="rgb", planarconfig="separate"), ".tif"),
        lambda: (tiff(grey, tile=(16, 16), photometric="miniswhite"), ".tif"),
        lambda: (tiff(image.astype(np.float32) / 255, photometric="rgb"), ".tif"),
        lambda: (tiff(grey.astype(np.int32), photometric="minisblack"), ".tif"),
        lambda: (tiff(np.stack([image] * 3), photometric="rgb"), ".tif"),
        lambda: (tiff(grey.astype(np.complex64)), ".tif"),
        lambda: (tiff(np.full(SIZE, np.nan, np.float32)), ".tif"),
        lambda: (saved(image[:1, :1], "PNG"), ".png"),
        lambda: (saved(np.tile(image, (1, 40, 1)), "PNG"), ".png"),
        lambda: (b"<svg xmlns='http://www.w3.org/2000/svg'/>", str(rng.choice([".svg", ".png"]))),
        lambda: (b"", str(rng.choice([".png", ".tif", ".jpg"]))),
        lambda: (rng.bytes(400), str(rng.choice([".png", ".raw", ".jpg", ".pgm", ".jp2"]))),
    ]
    return ways[rng.integers(len(ways))]()


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """The same, or cut, or with wrong bytes, most of them near the beginning."""
    whole = bytearray(data)
    if not whole:
        return data
    how = rng.integers(7)
    if how == 1:
        return bytes(whole[: rng.integers(len(whole))])
    if how in (2, 3):
        for place in rng.integers(0, min(len(whole), 80) if how == 2 else len(whole), 1 + rng.integers(6)):
            whole[place] = rng.integers(256)
    if how == 4:
        start = rng.integers(len(whole))
        whole[start : start + 40] = bytes(40)
    if how == 5:
        whole += rng.bytes(50)
    if how == 6 and len(whole) > 24:
        whole[16:24] = rng.bytes(8)  # the sides of a PNG
    return bytes(whole)


NAMES = (
    "ä ö ü", "零件_01", "деталь", "🙂🙂", "قطعة", "e\u0301combined",
    " leading", "trailing ", "-dash", "--json", "a\nb", "a\tb",
    "quo'te", 'dou"ble', "per%cent%s", "{brace}", "[bracket]",
    "semi;colon", "com,ma", "#hash", "$HOME", "`tick`", "a\\b",
    "CON", "aux", "nul", "..", "...dots", ".hidden", "~tilde",
    "x" * 200, "ü" * 100, "\x1b[31mred", "a|b", "a:b", "*", "?",
    "00", "1e5", "nan", "None", "good", "bad_1", "x_mask", "thumb_1", "heatmap",
    "results", "copy (2)", "\u202egnp", "\u200b",
)  # fmt: skip


def named(rng: np.random.Generator) -> bytes:
    """A file name without suffix, in bytes, sometimes no valid UTF-8."""
    name = NAMES[rng.integers(len(NAMES))].encode()
    if rng.random() < 0.3:
        name = bytes(rng.choice([b"B\xf6den", b"\xff\xfe", b"\xed\xa0\x80x", b"caf\xe9 \x80"]))
    return name.replace(b"/", b"_") + (str(rng.integers(100)).encode() if rng.random() < 0.5 else b"")


def usual(folder: Path, rng: np.random.Generator, count: int = 8) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"usual_{number}.png" for number in range(count)]
    for path in paths:
        path.write_bytes(saved(picture(rng), "PNG"))
    return paths


def decoders(rng: np.random.Generator, root: Path) -> Case:
    files = usual(root, rng)
    for number in range(1 + rng.integers(3)):
        data, suffix = encoded(rng)
        path = root / f"odd_{number}{suffix}"
        path.write_bytes(damaged(data, rng))
        files.append(path)
    return Case(str(rng.choice(["inspect", "inspect", "check"])), root, files)


def names(rng: np.random.Generator, root: Path) -> Case:
    files = usual(root, rng)
    for _ in range(1 + rng.integers(4)):
        suffix = rng.choice([b".png", b".PNG", b".jpg", b".png.png", b".tif", b"", b".", b".png~"])
        path = Path(os.fsdecode(os.fsencode(root) + b"/" + named(rng) + bytes(suffix)))
        if not path.is_dir() and path.name not in ("", ".", ".."):
            path.write_bytes(saved(picture(rng), "PNG"))
            files.append(path)
    return Case(str(rng.choice(["inspect", "check"])), root, list(dict.fromkeys(files)))


WORDS = (
    "good", "OK", "normal", "bad", "NG", "defect", "masks", "test", "train", "ground_truth", "camera 1",
    "2024-01", "parts",
    "heatmaps", "x.png", ".git", "validation", "pass", "fail", "Thumbs", "ünïcode", "a", "results", "i.O.", "not good",
)  # fmt: skip


def folders(rng: np.random.Generator, root: Path) -> Case:
    files = usual(root / str(rng.choice(["", "good", "train/good"])), rng)
    places = [root]
    for _ in range(rng.integers(5)):
        place = places[rng.integers(len(places))] / WORDS[rng.integers(len(WORDS))]
        place.mkdir(exist_ok=True)
        places.append(place)
        for number in range(rng.integers(3)):
            path = place / f"in_{number}_{len(files)}.png"
            path.write_bytes(saved(picture(rng), "PNG"))
            files.append(path)
    for _ in range(rng.integers(4)):
        files += odd_entry(places[rng.integers(len(places))], root, rng)
    return Case(str(rng.choice(["check", "check", "inspect", "fit"])), root, list(dict.fromkeys(files)))


def odd_entry(place: Path, root: Path, rng: np.random.Generator) -> list[Path]:
    """A link, a pipe, a socket, or a file that is no picture."""
    path = place / f"entry_{rng.integers(1000)}{rng.choice(['.png', '.xyz', '', '.JFIF', '.heic', '.png'])}"
    how = rng.integers(7)
    if how == 0:
        path.symlink_to(root)
    elif how == 1:
        path.symlink_to(place / "gone.png")
    elif how == 2:
        os.mkfifo(path)
    elif how == 3 and len(str(path)) < 100:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    elif how == 4:
        path.symlink_to(path)
    elif how == 5:
        path.mkdir()
        return [path] if path.suffix == ".png" else []
    else:
        path.write_bytes(rng.bytes(30))
    return [path]


def labelled(root: Path, rng: np.random.Generator) -> tuple[list[Path], list[Path]]:
    """A small labelled set without masks: its pictures, and those that are defective."""
    usual(root / "train" / "good", rng)
    good = usual(root / "test" / "good", rng, 2)
    (root / "test" / "spot").mkdir(parents=True)
    (root / "ground_truth" / "spot").mkdir(parents=True)
    bad = [root / "test" / "spot" / f"{number}.png" for number in range(3)]
    for path in bad:
        path.write_bytes(saved(picture(rng, spot=True), "PNG"))
    return good + bad, bad


def masks(rng: np.random.Generator, root: Path) -> Case:
    files, bad = labelled(root, rng)
    truth = root / "ground_truth" / "spot"
    way = rng.integers(8)
    for number, path in enumerate(bad):
        mask = np.zeros(SIZE, np.uint8)
        mask[10:20, 20:34] = int(rng.choice([255, 1, 128, 3]))
        is_odd = number == 0 or rng.random() < 0.3
        target = truth / f"{path.stem}{rng.choice(['_mask', '', '_mask_0']) if is_odd else '_mask'}.png"
        if is_odd and way == 0:
            mask[:] = int(rng.choice([0, 255]))
        elif is_odd and way == 1:
            mask = mask[:, : rng.integers(8, SIZE[1])] if rng.random() < 0.5 else mask.T.copy()
        elif is_odd and way == 2:
            mask = 255 - mask
        elif is_odd and way == 3:
            mask = cv2.GaussianBlur(mask, (0, 0), 3)
        elif is_odd and way == 4:
            mask = np.dstack([mask, mask // 2, mask, 255 - mask])
        elif is_odd and way == 5:
            continue
        data = saved(mask, "PNG")
        if way == 6 and is_odd:
            data = damaged(data, rng)
        if way == 7 and is_odd:
            target = target.with_suffix(str(rng.choice([".bmp", ".tif", ".jpg", ".npy", ".png"])))
            data = saved(mask, "JPEG") if target.suffix == ".jpg" else data
        target.write_bytes(data)
        files.append(target)
    return Case("evaluate", root, files)


def manifests(rng: np.random.Generator, root: Path) -> Case:
    root.mkdir()
    files = usual(root / "images", rng, 6)
    for path in files[4:]:
        path.write_bytes(saved(picture(rng, spot=True), "PNG"))
    how = str(rng.choice(["csv", "csv", "lookout", "coco", "labelme", "cvat"]))
    data, name = {"csv": table, "lookout": lookout, "coco": coco, "labelme": labelme, "cvat": cvat}[how](files, rng)
    if rng.random() < 0.3:
        data = damaged(data, rng)
    target = root / name if how != "labelme" else files[4].with_suffix(".json")
    target.write_bytes(data)
    is_alone = how != "labelme" and rng.random() < 0.5
    return Case("evaluate", target if is_alone else root, files)


def table(files: list[Path], rng: np.random.Generator) -> tuple[bytes, str]:
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=str(rng.choice(list(",;\t|"))),
        lineterminator=str(rng.choice(["\n", "\r\n", "\r"])),
        quoting=[csv.QUOTE_MINIMAL, csv.QUOTE_ALL][rng.integers(2)],
    )
    header = ["path", "label", *(["kind"] if rng.random() < 0.3 else []), *(["split"] if rng.random() < 0.3 else [])]
    if rng.random() < 0.1:
        header = list(rng.permutation(header))
    writer.writerow([name.upper() if rng.random() < 0.2 else name for name in header])
    for number, path in enumerate(files):
        place = {0: f"images/{path.name}", 1: f"images\\{path.name}", 2: str(path), 3: f"C:\\set\\images\\{path.name}"}
        label = str(rng.choice(["1", "bad", "NG"] if number >= 4 else ["0", "good", "ok", "", " 0 "]))
        if rng.random() < 0.08:
            label = str(rng.choice(["2", "maybe", "-1", "nan", "True"]))
        row = {"path": place[int(rng.choice([0, 0, 1, 2, 3]))], "label": label, "kind": "spot", "split": "test"}
        writer.writerow([row[name] for name in header][: rng.integers(1, 5) if rng.random() < 0.1 else None])
    encoding = str(rng.choice(["utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-16-le"], p=[0.4, 0.2, 0.2, 0.1, 0.1]))
    return text.getvalue().encode(encoding), str(rng.choice(["manifest.csv", "list.csv", "set.tsv", "LABELS.CSV"]))


def oddly(value: object, rng: np.random.Generator) -> object:
    """The value, or something that should not be there."""
    return value if rng.random() < 0.93 else [None, -1, "", "x", [], {}, 1e308, True, "../x.png"][rng.integers(9)]


def lookout(files: list[Path], rng: np.random.Generator) -> tuple[bytes, str]:
    lines = [
        json.dumps(
            {
                "source-ref": oddly(f"s3://bucket/set/images/{path.name}", rng),
                "anomaly-label": oddly(int(number >= 4), rng),
                "anomaly-label-metadata": oddly({"class-name": "anomaly" if number >= 4 else "normal"}, rng),
            }
        )
        for number, path in enumerate(files)
    ]
    return "\n".join(lines).encode(), str(rng.choice(["set.manifest", "set.jsonl"]))


def coco(files: list[Path], rng: np.random.Generator) -> tuple[bytes, str]:
    box = [20, 10, 14, 10]
    outline = [[20, 10, 34, 10, 34, 20, 20, 20]]
    document = {
        "images": [
            {"id": oddly(n, rng), "file_name": oddly(f"images/{path.name}", rng), "height": SIZE[0], "width": SIZE[1]}
            for n, path in enumerate(files)
        ],
        "annotations": [
            {
                "id": n,
                "image_id": oddly(n, rng),
                "category_id": oddly(1, rng),
                "bbox": oddly(box, rng),
                "segmentation": oddly(outline, rng),
            }
            for n in (4, 5)
        ],
        "categories": [{"id": 1, "name": oddly("spot", rng)}],
    }
    return json.dumps(document).encode(), "annotations.json"


def labelme(files: list[Path], rng: np.random.Generator) -> tuple[bytes, str]:
    shape = {"label": oddly("spot", rng), "points": oddly([[20, 10], [34, 10], [34, 20]], rng), "shape_type": "polygon"}
    size = {"imageHeight": oddly(SIZE[0], rng), "imageWidth": oddly(SIZE[1], rng)}
    document = {"shapes": oddly([shape], rng), "imagePath": oddly(files[4].name, rng), **size}
    return json.dumps(document).encode(), ""


def cvat(files: list[Path], rng: np.random.Generator) -> tuple[bytes, str]:
    shapes = '<polygon label="spot" points="{}"/>'.format(oddly("20,10;34,10;34,20", rng))
    images = "".join(
        f'<image id="{n}" name="{oddly("images/" + path.name, rng)}" width="{oddly(SIZE[1], rng)}" height="{SIZE[0]}">'
        f"{shapes if n >= 4 else ''}</image>"
        for n, path in enumerate(files)
    )
    return f"<?xml version='1.0'?><annotations>{images}</annotations>".encode(), "annotations.xml"


FAMILIES: dict[str, tuple[float, Callable[[np.random.Generator, Path], Case]]] = {
    "decoders": (0.36, decoders),
    "names": (0.16, names),
    "folders": (0.2, folders),
    "masks": (0.14, masks),
    "manifests": (0.14, manifests),
}
