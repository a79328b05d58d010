"""Should learning leave out what looks like a defect? Compared on products that no figure is reported on.

    python -m benchmarks.rules.stand_ins DATA/dtd_textures --out STAND_INS
    python -m benchmarks.rules.small_stand_ins DATA/dtd_textures --out STAND_INS
    python -m benchmarks.rules.robust STAND_INS --out docs/studies

Forty good pictures, or 36 and four that show a defect: of one kind with even seeds, of any with odd ones. Whatever a
detector leaves out of what it learns from, every picture is held out in turn and counts: the stated rate holds. Good
pictures are drawn from all of a product's, the others are tested on. Three layers in equal shares, banks of 400, three
folds. Rules, none of which is told what shows a defect:

- patches: this share of the bank goes, those rows that the nearest fifth of the other pictures is farthest from.
- pictures: each is judged by the bank's rows of other pictures, then the strangest fifth by none of its own; of these
  the strangest go, a fixed share of all or what fewer than 0.2 good ones are expected to equal. The bank is made anew.

`known` is told: the most that can be won. Rows are appended: run it again to go on.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks._exam import append_rows, rows_done
from benchmarks.rules.fusion import MAP_SIDE, Product, parsed, stand_in
from benchmarks.rules.readings import names
from flawsight.data import folds
from flawsight.detectors import greedy_k_center
from flawsight.detectors.bases.descriptors import patch_descriptors
from flawsight.features import Extractor
from flawsight.metrics import auroc, harmonic_mean, operating_point
from flawsight.pipeline.trust.chance import expected
from flawsight.scoring import MapCalibrator, MemberCalibration, RawPrediction, fuse_members

LAYERS = ("blocks.1.1.add", "blocks.2.1.add", "blocks.4.2.add")
GRID, SAMPLED, BANK, FOLDS = 32, 150, 400, 3
GOOD, MIXED, OF_A_KIND = 40, 4, 8
RATE = 0.05
PATCHES, PICTURES = (0.05, 0.15), 0.1
DOUBTED, LISTED, OTHERS = 0.2, 0.2, 0.2
COLUMNS = ("product", "seed", "mixed", "rule", "p_h", "detection_rate", "false_alarm_rate")
Banks = dict[str, list[Tensor]]


def main() -> None:
    options = parsed(__doc__)
    table = options.out / "robust.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    extractor = Extractor()
    for name in names(options.stand_ins):
        if name.startswith("elpv") or (name, options.seed) in rows_done(table, "product", "seed"):
            continue
        rows = list(study(extractor, stand_in(options.stand_ins / name), options.seed))
        append_rows(table, COLUMNS, [{"product": name, "seed": options.seed, **row} for row in rows])
        print(name, {(row["mixed"], row["rule"]): round(100 * row["p_h"], 1) for row in rows}, flush=True)
    report(pd.read_csv(table))


def study(extractor: Extractor, product: Product, seed: int) -> Iterator[dict]:
    rng = np.random.default_rng([seed, zlib.crc32(product.name.encode())])
    maps = read(extractor, [*product.good, *product.test])
    labels = np.array([0] * len(product.good) + product.labels)
    good, bad = rng.permutation(np.flatnonzero(labels == 0)), np.flatnonzero(labels == 1)
    kind = bad.reshape(-1, OF_A_KIND)[rng.integers(len(bad) // OF_A_KIND)]
    mixed = rng.permutation(bad if seed % 2 else kind)[:MIXED]
    tested = np.array([*good[GOOD:], *np.setdiff1d(bad, mixed)])
    masks = tested - len(product.good)
    assert product.truth is not None
    # A good picture has no mask, whichever of them it is: the first test picture that is good stands for all.
    masks[labels[tested] == 0] = product.labels.index(0)
    truth = product.truth.subset(masks.tolist())
    for count in (0, MIXED):
        learned_from = np.array([*good[: GOOD - count], *mixed[:count]])
        told = list(range(GOOD - count, GOOD))
        for rule, (found, scores, held_out) in measured(maps, learned_from, tested, told).items():
            image = auroc(scores, labels[tested])
            is_stopped = scores > operating_point(held_out, RATE).threshold
            yield {
                "mixed": count,
                "rule": rule,
                "p_h": harmonic_mean(image, truth.aupro(found)),
                "detection_rate": float(is_stopped[labels[tested] == 1].mean()),
                "false_alarm_rate": float(is_stopped[labels[tested] == 0].mean()),
            }


def read(extractor: Extractor, pictures: Sequence[np.ndarray]) -> list[Tensor]:
    """Descriptors (N, h, w, D) of each layer."""
    parts = [extractor.extract(pictures[at : at + 8], LAYERS) for at in range(0, len(pictures), 8)]
    return [torch.cat([patch_descriptors([part[name]], max_grid=GRID) for part in parts]) for name in LAYERS]


def measured(
    maps: Sequence[Tensor], learned_from: np.ndarray, tested: np.ndarray, told: Sequence[int]
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By rule: the test pictures' maps and scores, and the scores of those learned from, when held out."""
    banks = learn(maps, learned_from, learned_from[told] if told else [])
    held_out: dict[str, list] = {rule: [None] * len(learned_from) for rule in banks}
    for part in folds(len(learned_from), FOLDS, 0):
        others = np.delete(learned_from, part)
        for rule, some in learn(maps, others, learned_from[told] if told else []).items():
            for place, found in zip(part, ask(some, maps, learned_from[part]), strict=True):
                held_out[rule][place] = found
    answers = {}
    for rule, some in banks.items():
        members = [
            MemberCalibration.of([one[at] for one in held_out[rule]], 1 / len(LAYERS), MAP_SIDE)
            for at in range(len(LAYERS))
        ]
        fused = [fuse_members(one, members, MAP_SIDE) for one in ask(some, maps, tested)]
        counted = [fuse_members(one, members, MAP_SIDE)[1] for one in held_out[rule]]
        answers[rule] = np.stack([one for one, _ in fused]), np.array([one for _, one in fused]), np.array(counted)
    return answers


def ask(banks: Sequence[Tensor], maps: Sequence[Tensor], pictures: np.ndarray) -> list[list[RawPrediction]]:
    """What the banks of all layers find in each picture."""
    found = [
        [
            torch.cdist(maps[at][number].flatten(0, 1), bank).amin(1).reshape(maps[at].shape[1:3]).numpy()
            for number in pictures
        ]
        for at, bank in enumerate(banks)
    ]
    return [[RawPrediction(one, None) for one in of_picture] for of_picture in zip(*found, strict=True)]


def learn(maps: Sequence[Tensor], pictures: np.ndarray, told: Sequence[int] | np.ndarray) -> Banks:
    """A bank for each layer, by rule."""
    samples = [sampled(one, pictures) for one in maps]
    of_row = np.repeat(np.arange(len(pictures)), len(samples[0]) // len(pictures))
    rows = [greedy_k_center(one, BANK) for one in samples]
    distances = [torch.cdist(one, one[chosen]) for one, chosen in zip(samples, rows, strict=True)]
    banks = {"all": [one[chosen] for one, chosen in zip(samples, rows, strict=True)]}
    for share in PATCHES:
        kept = [usual_rows(one, of_row, chosen, share) for one, chosen in zip(distances, rows, strict=True)]
        banks[f"patches {share:.0%}"] = [one[chosen] for one, chosen in zip(samples, kept, strict=True)]
    gone = odd_pictures(distances, of_row, rows)
    gone["known"] = np.flatnonzero(np.isin(pictures, told))
    for rule, numbers in gone.items():
        left = [one[torch.from_numpy(~np.isin(of_row, numbers))] for one in samples]
        banks[rule] = [one[greedy_k_center(one, BANK)] for one in left] if len(numbers) else banks["all"]
    return banks


def sampled(descriptors: Tensor, pictures: np.ndarray) -> Tensor:
    """As many descriptors of each picture, drawn by its number."""
    found = []
    for number in pictures:
        rows = descriptors[number].flatten(0, 1)
        found.append(rows[np.random.default_rng(number).permutation(len(rows))[:SAMPLED]])
    return torch.cat(found)


def usual_rows(distances: Tensor, of_row: np.ndarray, chosen: np.ndarray, share: float) -> np.ndarray:
    """Rows of the bank but this share of them, by how far the nearest fifth of other pictures is."""
    nearest = torch.stack([distances[torch.from_numpy(of_row == one)].amin(0) for one in range(of_row[-1] + 1)])
    nearest[torch.from_numpy(of_row[chosen]), torch.arange(len(chosen))] = torch.inf
    far = nearest.kthvalue(int(np.ceil(OTHERS * of_row[-1])), dim=0).values.numpy()
    return chosen[far <= np.quantile(far, 1 - share)]


def odd_pictures(
    distances: Sequence[Tensor], of_row: np.ndarray, chosen: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """Numbers of the pictures that go, by rule."""
    count = of_row[-1] + 1
    first = strangeness(distances, of_row, chosen, [])
    doubted = np.argsort(-first)[: int(DOUBTED * count)]
    second = strangeness(distances, of_row, chosen, doubted)
    ranked = doubted[np.argsort(-second[doubted])]
    return {
        f"pictures {PICTURES:.0%}": ranked[: round(PICTURES * count)],
        "pictures, suspects": ranked[expected(second)[ranked] <= LISTED],
    }


def strangeness(
    distances: Sequence[Tensor], of_row: np.ndarray, chosen: Sequence[np.ndarray], doubted: Sequence[int] | np.ndarray
) -> np.ndarray:
    """Of each picture, the layers' mean of its largest surprisal, by rows of others that are not doubted."""
    total = np.zeros(of_row[-1] + 1)
    for values, rows in zip(distances, chosen, strict=True):
        of_bank = of_row[rows]
        barred = (of_row[:, None] == of_bank) | np.isin(of_bank, doubted)
        nearest = values.masked_fill(torch.from_numpy(barred), torch.inf).amin(1).numpy()
        surprisal = MapCalibrator.of([nearest[~np.isin(of_row, doubted)]])(nearest)
        total += [surprisal[of_row == one].max() for one in range(len(total))]
    return total / len(distances)


def report(rows: pd.DataFrame) -> None:
    """Print each rule against learning from all pictures of clean folders: means over products and seeds."""
    keys = ["product", "seed"]
    clean = rows[(rows["mixed"] == 0) & (rows["rule"] == "all")].set_index(keys)["p_h"]
    print(f"\n{len(clean)} products and seeds\n| mixed | rule | P_h | against clean | detected | false alarms |")
    print("|---|---|---|---|---|---|")
    for (mixed, rule), group in rows.groupby(["mixed", "rule"], sort=False):
        lost = 100 * (group.set_index(keys)["p_h"] - clean)
        error = lost.std() / np.sqrt(len(lost))
        print(
            f"| {mixed} | {rule} | {100 * group['p_h'].mean():.1f} | {lost.mean():+.1f} ± {error:.1f} | "
            f"{group['detection_rate'].mean():.0%} | {group['false_alarm_rate'].mean():.1%} |"
        )


if __name__ == "__main__":
    main()
