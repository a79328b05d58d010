"""Makers of data sets of real-size pictures, in MVTec layout, from texture photographs: 12 megapixels, and long strips.

A texture is quilted (Efros and Freeman, 2001) from one photograph of DATA/dtd_textures, with minimum-error seams.
The defects of the test pictures are drawn here, by code that the search never uses, and are listed in defects.csv.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Image = np.ndarray
Range = tuple[float, float]
Size = tuple[int, int]
SIDE = 256  # of the photographs
PATCH, OVERLAP, CANDIDATES = 96, 24, 64
SEAM_MARGIN = 3
KINDS = ("pit", "speck", "scratch", "fibre", "blur")
CONTRASTS = (2.0, 4.0)
SIZE = (3072, 4096)
LOWEST_SIGMA, MOST_SHIFT = 4.0, 110.0
FINE = 8  # shapes are drawn so many times larger, then shrunk
LEAST_CHANGE, TRIES = 1.0, 20
STRIP, SQUARE = (300, 4000), 300
STARTS = (*range(0, STRIP[1] - SQUARE, SQUARE), STRIP[1] - SQUARE)
"""The left sides of the squares that a strip is cut into; the last ends where the strip does."""


@dataclass(frozen=True)
class Defect:
    """What was drawn where. `size` is its largest extent in pixels, `contrast` what was asked for, in local sigmas.

    `change` is the root mean square of what was really changed within the mask, in local sigmas of grey.
    """

    kind: str
    size: float
    contrast: float
    change: float
    left: int
    top: int
    width: int
    height: int
    area_px: int


class Counts(NamedTuple):
    """So many pictures each."""

    train: int
    good: int
    defective: int

    def split(self, index: int) -> str:
        """Where the picture of that number goes."""
        if index < self.train:
            return "train/good"
        return "test/good" if index < self.train + self.good else "test/defect"


def photograph(data: Path, texture: str) -> tuple[Path, Image]:
    """A photograph (256, 256, 3) float32 BGR, without slow shading: CLASS/NAME, or of CLASS the calmest and finest."""
    folder, _, name = texture.partition("/")
    paths = sorted((data / "dtd_textures" / folder).glob(f"{name or '*'}.jpg"))
    if not paths:
        raise SystemExit(f"there is no photograph '{data / 'dtd_textures' / texture}': check --data and the texture")
    path = min(paths, key=lambda path: unrest(_central(path)))
    return path, _flat(_central(path))


def unrest(photo: Image) -> float:
    """How coarse a photograph is, and its blocks unlike in mean and spread; infinite for one flat or glaring."""
    grey, flat = photo.mean(2), _flat(photo).mean(2)
    blocks = grey.reshape(4, SIDE // 4, 4, SIDE // 4).swapaxes(1, 2).reshape(16, -1)
    means, spreads = blocks.mean(1), blocks.std(1)
    if not 5 <= spreads.mean() <= 32 or not 70 <= grey.mean() <= 200:
        return float("inf")
    uneven = (np.ptp(means) + np.ptp(spreads)) / spreads.mean()
    return float((1 + uneven) * cv2.GaussianBlur(flat, (0, 0), 2.5).std() / flat.std())


def _flat(photo: Image) -> Image:
    slow = cv2.GaussianBlur(photo, (0, 0), SIDE / 8, borderType=cv2.BORDER_REFLECT)
    return np.asarray(photo - slow + slow.mean((0, 1)))


def _central(path: Path) -> Image:
    photo = np.asarray(cv2.imread(str(path)), np.float32)
    top, left = ((side - SIDE) // 2 for side in photo.shape[:2])
    return photo[top : top + SIDE, left : left + SIDE]


def quilted(photo: Image, size: Size, rng: np.random.Generator) -> Image:
    """A texture of that (height, width), float32, of patches of the photograph that meet along least-error seams."""
    step = PATCH - OVERLAP
    rows, columns = (-(-(side - OVERLAP) // step) for side in size)
    canvas = np.zeros((rows * step + OVERLAP, columns * step + OVERLAP, 3), np.float32)
    canvas_grey, grey = np.zeros(canvas.shape[:2], np.float32), photo.mean(2)
    above, beside = (sliding_window_view(grey, shape) for shape in ((OVERLAP, PATCH), (PATCH, OVERLAP)))
    most = [side - PATCH + 1 for side in grey.shape]
    for row in range(rows):
        for column in range(columns):
            there = np.s_[row * step : row * step + PATCH, column * step : column * step + PATCH]
            old = canvas_grey[there]
            tops, lefts = rng.integers(0, most[0], CANDIDATES), rng.integers(0, most[1], CANDIDATES)
            errors = np.zeros(CANDIDATES)
            if row:
                errors += np.square(above[tops, lefts] - old[:OVERLAP]).sum((1, 2))
            if column:
                errors += np.square(beside[tops, lefts] - old[:, :OVERLAP]).sum((1, 2))
            best = int(errors.argmin())
            here = np.s_[tops[best] : tops[best] + PATCH, lefts[best] : lefts[best] + PATCH]
            weight = _seams(np.square(grey[here] - old), bool(row), bool(column))
            canvas[there] += weight[..., None] * (photo[here] - canvas[there])
            canvas_grey[there] += weight * (grey[here] - old)
    return canvas[: size[0], : size[1]]


def _seams(errors: Image, has_above: bool, has_left: bool) -> Image:
    """The weights (PATCH, PATCH) of a new patch: 1 past the seams, softened by about a pixel."""
    weight = np.ones((PATCH, PATCH), np.float32)
    places = np.arange(OVERLAP)
    if has_left:
        weight[:, :OVERLAP] = places >= least_path(errors[:, :OVERLAP])[:, None]
    if has_above:
        top = places >= least_path(np.ascontiguousarray(errors[:OVERLAP].T))[:, None]
        weight[:OVERLAP] = np.minimum(weight[:OVERLAP], top.T)
    return cv2.GaussianBlur(weight, (3, 3), 0.8, borderType=cv2.BORDER_REPLICATE)


def least_path(errors: Image) -> np.ndarray:
    """For each row the column of a connected path of least total error, clear of the edges."""
    total = np.array(errors[:, SEAM_MARGIN:-SEAM_MARGIN], np.float32)
    kernel = np.ones((1, 3), np.uint8)
    for index in range(1, len(total)):
        total[index] += cv2.erode(total[index - 1 : index], kernel)[0]
    path = np.empty(len(total), int)
    path[-1] = total[-1].argmin()
    for index in range(len(total) - 2, -1, -1):
        low = max(0, path[index + 1] - 1)
        path[index] = low + total[index, low : path[index + 1] + 2].argmin()
    return path + SEAM_MARGIN


def photographed(texture: Image, rng: np.random.Generator) -> Image:
    """The texture as a camera sees it, uint8: a gain, an offset, a slow slope of the light, and noise."""
    gain, offset, angle, slope = rng.uniform((0.95, -4, 0, 0.0), (1.05, 4, 2 * np.pi, 0.05))
    down, right = (np.linspace(-1, 1, side, dtype=np.float32) for side in texture.shape[:2])
    found = np.empty(texture.shape, np.uint8)
    for start in range(0, len(down), 256):  # in parts, for memory
        rows = np.s_[start : start + 256]
        light = gain * (1 + slope * (np.sin(angle) * down[rows, None] + np.cos(angle) * right))
        part = texture[rows] * light[..., None].astype(np.float32) + np.float32(offset)
        part += 1.5 * rng.standard_normal(part.shape, np.float32)
        found[rows] = np.clip(part, 0, 255).astype(np.uint8)
    return found


def shape_of(kind: str, size: float, rng: np.random.Generator) -> Image:
    """A window of weights from 0 to 1 with one shape of that largest extent in its middle."""
    side = int(np.ceil(size)) + 9
    large, middle = np.zeros((side * FINE, side * FINE), np.uint8), side * FINE / 2
    turn, reach = rng.uniform(0, 2 * np.pi), size * FINE / 2
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    if kind in ("scratch", "fibre"):
        width = max(rng.uniform(2.0, 3.0), size / 15)
        bend = rng.uniform(0.25, 0.45) * rng.choice([-1, 1]) if kind == "fibre" else 0.0
        places = np.linspace(-1, 1, 33)[:, None]
        line = middle + (reach - width * FINE / 2) * (places * along + bend * (1 - 2 * places**2) * across)
        cv2.polylines(large, [np.rint(line).astype(np.int32)], False, 1, round(width * FINE))
    else:
        angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        waves = np.arange(2, 5)[:, None]
        bumps = rng.normal(0, 0.12 / waves) * np.cos(waves * angles + rng.uniform(0, 6, waves.shape))
        rim = 1 + bumps.sum(0)
        rim, flat = reach * rim / rim.max(), rng.uniform(0.65, 1.0)
        line = middle + rim[:, None] * (np.cos(angles)[:, None] * along + flat * np.sin(angles)[:, None] * across)
        cv2.fillPoly(large, [np.rint(line).astype(np.int32)], 1)
    small = cv2.resize(large.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), 0.6 if kind in ("scratch", "fibre") else 0.08 * size)


def damaged(
    texture: Image, mask: Image, centre: list[int], kind: str, size: float, contrast: float, rng: np.random.Generator
) -> Defect | None:
    """Draw one defect about (row, column) and mark it in the mask; None, and nothing drawn, where it would not show."""
    weight = shape_of(kind, size, rng)
    weight /= weight.max()
    top, left = (place - len(weight) // 2 for place in centre)
    here, inside = np.s_[top : top + len(weight), left : left + len(weight)], weight >= 0.5
    near = texture[max(0, centre[0] - 48) : centre[0] + 48, max(0, centre[1] - 48) : centre[1] + 48].mean(2)
    sigma, old = max(float(near.std()), LOWEST_SIGMA), texture[here].copy()
    if kind == "blur":
        new = cv2.GaussianBlur(old, (0, 0), max(2.0, size / 3))
        contrast = float("nan")
    else:
        headroom = -1.0 if near.mean() > 128 else 1.0
        sign = {"pit": -1.0, "speck": 1.0}.get(kind, headroom)
        new = old + sign * min(contrast * sigma, MOST_SHIFT)
    drawn = np.clip(old + weight[..., None] * (new - old), 0, 255)
    change = float(np.sqrt(np.square((drawn - old).mean(2)[inside]).mean())) / sigma
    if change < LEAST_CHANGE or mask[here].any():
        return None
    texture[here] = drawn
    mask[here][inside] = 255
    x, y, width, height = cv2.boundingRect(inside.astype(np.uint8))
    place = (left + x, top + y, width, height, int(inside.sum()))
    return Defect(kind, round(size, 1), round(contrast, 2), round(change, 2), *place)


def with_defects(
    texture: Image, sizes: Range, contrasts: Range, rng: np.random.Generator, cuts: Sequence[int] = ()
) -> tuple[Image, list[Defect]]:
    """Draw 1 to 3 defects on the texture, in place, none across a column of `cuts`; their mask and what they are."""
    mask, found, lines = np.zeros(texture.shape[:2], np.uint8), list[Defect](), np.array(cuts or [-(10**6)])
    for _ in range(rng.integers(1, 4)):
        size, contrast, kinds = float(rng.uniform(*sizes)), float(rng.uniform(*contrasts)), rng.permutation(KINDS)
        margin = round(size) + 8
        for attempt in range(TRIES):
            centre = rng.integers(margin, np.array(mask.shape) - margin).tolist()
            if np.abs(lines - centre[1]).min() < margin:
                continue
            drawn = damaged(texture, mask, centre, str(kinds[attempt % len(KINDS)]), size, contrast, rng)
            if drawn is not None:
                found.append(drawn)
                break
    return mask, found


def large_pictures(
    data: Path, out: Path, texture: str, counts: Counts, seed: int, size: Size = SIZE, contrasts: Range = CONTRASTS
) -> Path:
    """A data set of pictures of that (height, width) with defects of 6 to 12 pixels, 1 to 3 in each defective one."""
    writer, (_, photo) = Writer(out), photograph(data, texture)
    for index in range(sum(counts)):
        rng = np.random.default_rng([seed, index])
        picture, split, mask, defects = quilted(photo, size, rng), counts.split(index), None, list[Defect]()
        if split == "test/defect":
            mask, defects = with_defects(picture, (6, 12), contrasts, rng)
        writer.put(split, f"{index:03d}", photographed(picture, rng), mask, defects)
    return writer.done()


def strips(
    data: Path, out: Path, texture: str, counts: Counts, seed: int, contrasts: Range = CONTRASTS
) -> tuple[Path, Path]:
    """Strips of 4000 x 300 with defects of 10 to 60 pixels, and the same strips cut into squares: two data sets.

    A square is in the part of the data set that its strip is in; of a defective strip, those without a defect are good.
    Neighbouring squares overlap only where the last is moved to end with the strip. No defect lies across a cut.
    """
    whole, cut, (_, photo) = Writer(out / "strips"), Writer(out / "squares"), photograph(data, texture)
    cuts = sorted({*STARTS[1:], *(start + SQUARE for start in STARTS[:-1])})
    for index in range(sum(counts)):
        if index % 10 == 0:  # ten strips are cut from one large texture
            sheet = quilted(photo, (10 * STRIP[0], STRIP[1]), np.random.default_rng([seed, index, 1]))
        strip, rng = sheet[index % 10 * STRIP[0] :][: STRIP[0]].copy(), np.random.default_rng([seed, index])
        split, mask, defects = counts.split(index), None, list[Defect]()
        if split == "test/defect":
            mask, defects = with_defects(strip, (10, 60), contrasts, rng, cuts)
        picture, name = photographed(strip, rng), f"{index:03d}"
        whole.put(split, name, picture, mask, defects)
        for number, start in enumerate(STARTS):
            there = np.s_[:, start : start + SQUARE]
            part = mask[there] if mask is not None and mask[there].any() else None
            where = "test/good" if split == "test/defect" and part is None else split
            cut.put(where, f"{name}_{number:02d}", picture[there], part, [])
    return whole.done(), cut.done()


class Writer:
    """Writes a data set: everything at its place, then defects.csv, whose presence says that all is there."""

    def __init__(self, out: Path) -> None:
        shutil.rmtree(out, ignore_errors=True)
        self.out, self.rows = out, list[dict]()

    def put(self, split: str, name: str, picture: Image, mask: Image | None, defects: Sequence[Defect]) -> None:
        for folder in (self.out / split, self.out / "ground_truth" / "defect"):
            folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(self.out / split / f"{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        if mask is not None:
            cv2.imwrite(str(self.out / "ground_truth" / "defect" / f"{name}_mask.png"), mask)
        self.rows += [{"picture": name, **asdict(defect)} for defect in defects]

    def done(self) -> Path:
        with (self.out / "defects.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, ["picture", *Defect.__annotations__])
            rows.writeheader()
            rows.writerows(self.rows)
        return self.out
