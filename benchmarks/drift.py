"""Does the alarm of drift keep its promise, and how soon does it notice? Against charts that promise less.

    python -m benchmarks drift --data DATA --out docs/studies/drift.csv

False alarms: 200 runs of 10,000 pictures of a production that does not change, made up and drawn from real scores.
Delays: pictures from the change to the alarm, drawn from real scores of good and of defective parts before and after
the change (`_drift_scores`). Every stream is drawn with replacement, by the seed; and once the good pictures go by in
the order of their names, neighbours being alike, the later lot after the one that was learned from. --kept FILE holds
scores, so that streams can be drawn again without a fit.
"""

from __future__ import annotations

import argparse
import copy
import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks._drift_scores import CALIBRATION, CHANGES, LATER, UNCHANGED, Scores, scores_of
from flawsight.metrics import p_values
from flawsight.monitoring import DriftAlarm
from flawsight.monitoring.bets import likely_share, on_stop
from flawsight.monitoring.ranks import Ranks

PRODUCTS, RATE, MOST_DEFECTIVE, SIZE = ("magnetic_tile", "kolektorsdd_tiles"), 0.01, 0.05, 100
STOPS = 1 / (SIZE + 1)
HORIZON, PATIENCE, SHARES = 10_000, 2_000, (0.01, 0.05)
QUIETS = ((500, 0.0), (500, 0.01), (500, 0.05), (5_000, 0.01))
"""Unchanged pictures before a change, and the share of defective parts."""
FROZEN, GRADUAL, SLOWLY = "a camera that repeats a picture", "blur, 1.5 pixels, within 1,000", 1_000
COLUMNS = ("question", "product", "condition", "defective", "quiet", "method", "runs", "alarms", "before", "median",
           "worst", "since")  # fmt: skip
Pictures = Iterator[tuple[float, float]]
"""Scores with their p-values."""


class Method(Protocol):
    """Is given a score and its p-value, and says whether there is an alarm."""

    def update(self, score: float, p_value: float) -> bool: ...


class Ours:
    """`DriftAlarm`; without its beginning, ranks are among production's pictures alone."""

    def __init__(self, calibration: np.ndarray, seed: int, from_calibration: bool = True) -> None:
        size = len(calibration)
        self.alarm = DriftAlarm(RATE, stops=STOPS, most_defective=MOST_DEFECTIVE, calibration_size=size, seed=seed)
        if not from_calibration:
            self.alarm._ranks._edges = 0

    def update(self, score: float, p_value: float) -> bool:
        return self.alarm.update(p_value)


class Jumper:
    """Vovk's simple jumper on ranks of its own: a sum of bets on tilts, money jumping between them."""

    def __init__(self) -> None:
        self.money = [1 / 3] * 3

    def play(self, rank: float) -> float:
        share = 0.01 * sum(self.money) / 3
        tilts = zip(self.money, (-1, 0, 1), strict=True)
        self.money = [(0.99 * money + share) * (1 + tilt * (rank - 0.5)) for money, tilt in tilts]
        return sum(self.money)


class JumperOnRanks:
    """The same ranks and the same test of stopped pictures as ours, with the jumper's bets: what our bets are worth."""

    def __init__(self, calibration: np.ndarray, seed: int) -> None:
        self.ours = DriftAlarm(RATE, stops=STOPS, most_defective=MOST_DEFECTIVE, calibration_size=len(calibration))
        self.cells = len(calibration) + 1
        self.ranks, self.jumper = Ranks(self.cells, seed, True, 1), Jumper()
        self.stopped = self.ours._stopped
        self.allowed = MOST_DEFECTIVE + (1 - MOST_DEFECTIVE) * likely_share(STOPS, len(calibration), RATE / 4)
        self.has_alarm = False

    def update(self, score: float, p_value: float) -> bool:
        is_stopped = p_value <= STOPS + 1e-9
        self.has_alarm |= self.stopped.play(on_stop(is_stopped, self.allowed), 0) >= 4 / RATE
        if not is_stopped:
            self.has_alarm |= self.jumper.play(self.ranks.rank(round(p_value * self.cells))) >= 2 / RATE
        return self.has_alarm


class JumperOnFixed:
    """The jumper on p-values as they are, relative to the calibration alone; ties drawn."""

    def __init__(self, calibration: np.ndarray, seed: int) -> None:
        self.jumper, self.rng, self.cells = Jumper(), np.random.default_rng([seed, 3]), len(calibration) + 1
        self.has_alarm = False

    def update(self, score: float, p_value: float) -> bool:
        self.has_alarm |= self.jumper.play(p_value - self.rng.uniform() / self.cells) >= 1 / RATE
        return self.has_alarm


class Chart:
    """EWMA of scores, 0.2 for the newest, about the calibration's mean; an alarm where it is outside `limit` sigmas."""

    def __init__(self, calibration: np.ndarray, limit: float = 3.0) -> None:
        self.mean, self.sigma = calibration.mean(), calibration.std(ddof=1) * np.sqrt(0.2 / 1.8)
        self.limit, self.level = limit, 0.0

    def update(self, score: float, p_value: float) -> bool:
        self.level += 0.2 * ((score - self.mean) / self.sigma - self.level)
        return abs(self.level) > self.limit


METHODS: dict[str, Callable[[np.ndarray, int], Method]] = {
    "DriftAlarm": Ours,
    "DriftAlarm, from production alone": lambda calibration, seed: Ours(calibration, seed, False),
    "simple jumper on the same ranks": JumperOnRanks,
    "simple jumper on fixed p-values": JumperOnFixed,
    "EWMA, 3 sigma": lambda calibration, seed: Chart(calibration),
}
LONG = ("DriftAlarm", "simple jumper on fixed p-values", "EWMA, 3 sigma")
"""Those whose false alarms are counted."""
WIDENED = "EWMA, widened to 1 % false alarms"
"""Its limit is taken from unchanged production itself, for 10,000 pictures: nobody could know it before."""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks drift", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/studies/drift.csv"))
    parser.add_argument("--products", nargs="*", default=PRODUCTS)
    parser.add_argument("--seeds", type=int, default=3, help="fits of each product")
    parser.add_argument(
        "--runs", type=int, default=200, help="of unchanged production; a twentieth for each delay and fit"
    )
    parser.add_argument("--kept", type=Path, help="file of scores, read where it is there, else written")
    options = parser.parse_args(arguments)
    seeds = range(options.seeds)
    scores = scores_of(options.data, options.products, seeds, options.kept)
    rows = [row for share in SHARES for row in made_up(share, options.runs)]
    for product in options.products:
        fits = [scores[f"{product} {seed}"] for seed in seeds]
        limits = [widened(one, seed) for seed, one in enumerate(fits)]
        for share in SHARES:
            rows += unchanged(product, fits, share, options.runs, limits)
        rows += in_order(product, fits, limits)
        for quiet, share in QUIETS:
            rows += delays(product, fits, share, quiet, max(1, options.runs // 20), limits)
        print(f"drawn {product}", flush=True)
    with_header(rows, options.out)
    report(rows)


def made_up(share: float, runs: int) -> list[dict]:
    """Normal scores, a new calibration for each run, defective parts six sigmas above."""
    alarms = dict.fromkeys(LONG, 0)
    for run in range(runs):
        rng = np.random.default_rng([run, 1])
        calibration = np.sort(rng.normal(size=SIZE))
        scores = rng.normal(size=HORIZON) + 6 * (rng.uniform(size=HORIZON) < share)
        for name in LONG:
            alarms[name] += first(METHODS[name](calibration, run), pictures(scores, calibration)) is not None
    rows = [row("false alarms", "made up", UNCHANGED, share, 0, name, runs) for name in LONG]
    return [one | {"alarms": alarms[str(one["method"])]} for one in rows]


def unchanged(product: str, fits: list[Scores], share: float, runs: int, limits: list[float]) -> list[dict]:
    alarms = dict.fromkeys([*LONG, WIDENED], 0)
    for run in range(runs):
        fit = fits[run % len(fits)]
        calibration, rng = calibration_of(fit), np.random.default_rng([run, 2])
        scores = drawn(fit, UNCHANGED, share, HORIZON, rng)
        methods = everyone(calibration, run, limits[run % len(fits)])
        for name in alarms:
            alarms[name] += first(methods[name], pictures(scores, calibration)) is not None
    return [
        row("false alarms", product, UNCHANGED, share, 0, name, runs) | {"alarms": count}
        for name, count in alarms.items()
    ]


def delays(product: str, fits: list[Scores], share: float, quiet: int, runs: int, limits: list[float]) -> list[dict]:
    """Each run is quiet once, and then goes on in every way."""
    conditions = [*CHANGES, LATER, GRADUAL, FROZEN]
    found: dict[tuple[str, str], list[float]] = {}
    since: dict[tuple[str, str], list[int]] = {}
    before: dict[str, int] = {}
    for seed, fit in enumerate(fits):
        calibration = calibration_of(fit)
        for run in range(runs):
            rng = np.random.default_rng([seed, run, quiet, 4])
            methods = everyone(calibration, run, limits[seed])
            calm = list(pictures(drawn(fit, UNCHANGED, share, quiet, rng), calibration))
            for name, method in methods.items():
                early = [method.update(*picture) for picture in calm]  # all of them: the method goes on
                before[name] = before.get(name, 0) + any(early)
            for condition in conditions:
                scores = drawn(fit, condition, share, PATIENCE, rng)
                for name, method in methods.items():
                    noticed = first(goes_on := copy.deepcopy(method), pictures(scores, calibration))
                    found.setdefault((condition, name), []).append(np.inf if noticed is None else noticed)
                    if isinstance(goes_on, Ours) and goes_on.alarm.drift is not None:
                        since.setdefault((condition, name), []).append(goes_on.alarm.drift.since - quiet)
    rows = []
    for (condition, name), values in found.items():
        summary = {"alarms": int(np.isfinite(values).sum()), "before": before[name]}
        summary |= {"median": figure(np.median(values)), "worst": figure(np.max(values))}
        summary["since"] = figure(np.median(since.get((condition, name), [np.inf])))
        rows.append(row("delay", product, condition, share, quiet, name, len(values)) | summary)
    return rows


def in_order(product: str, fits: list[Scores], limits: list[float]) -> list[dict]:
    """The good pictures as they lie in their folders: the lot that is learned from, then the later one."""
    rows = []
    for seed, fit in enumerate(fits):
        calibration, lot = calibration_of(fit), np.array(fit[UNCHANGED]["good"])
        for name, method in everyone(calibration, seed, limits[seed]).items():
            early = [method.update(*picture) for picture in pictures(lot, calibration)]
            noticed = first(method, pictures(np.array(fit[LATER]["good"]), calibration))
            given = row("in order", product, f"{LATER}, fit {seed}", 0.0, len(lot), name, 1)
            summary = {"alarms": int(noticed is not None), "before": int(any(early)), "median": noticed or ""}
            rows.append(given | summary | {"worst": noticed or ""})
    return rows


def everyone(calibration: np.ndarray, seed: int, limit: float) -> dict[str, Method]:
    return {name: make(calibration, seed) for name, make in METHODS.items()} | {WIDENED: Chart(calibration, limit)}


def drawn(fit: Scores, condition: str, share: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """Scores of a production of which `share` is defective."""

    def of(which: str) -> np.ndarray:
        is_bad = rng.uniform(size=count) < share
        return np.where(is_bad, rng.choice(fit[which]["defective"], count), rng.choice(fit[which]["good"], count))

    if condition == FROZEN:
        return np.full(count, rng.choice(fit[UNCHANGED]["good"]))
    if condition == GRADUAL:
        is_changed = rng.uniform(size=count) < np.arange(count) / SLOWLY
        return np.where(is_changed, of("blur, 1.5 pixels"), of(UNCHANGED))
    return of(condition)


def pictures(scores: np.ndarray, calibration: np.ndarray) -> Pictures:
    return zip(scores.tolist(), p_values(scores, calibration).tolist(), strict=True)


def first(method: Method, given: Pictures) -> int | None:
    """The number of the first picture with an alarm, from 1."""
    return next((number for number, picture in enumerate(given, 1) if method.update(*picture)), None)


def widened(fit: Scores, seed: int) -> float:
    """The limit that 1 % of 400 runs of unchanged production, 1 % defective, exceed within the horizon."""
    calibration, highest = calibration_of(fit), []
    for run in range(400):
        scores = drawn(fit, UNCHANGED, 0.01, HORIZON, np.random.default_rng([seed, run, 7]))
        chart, levels = Chart(calibration), []
        for score in scores.tolist():
            chart.update(score, 0.0)
            levels.append(abs(chart.level))
        highest.append(max(levels))
    return float(np.quantile(highest, 1 - RATE))


def calibration_of(fit: Scores) -> np.ndarray:
    return np.array(fit[CALIBRATION]["good"])


def figure(value: float) -> int | str:
    return int(value) if np.isfinite(value) else ""


def row(question: str, product: str, condition: str, share: float, quiet: int, method: str, runs: int) -> dict:
    given = (question, product, condition, share, quiet, method, runs)
    return dict(zip(COLUMNS, given, strict=False)) | {"alarms": 0, "before": "", "median": "", "worst": "", "since": ""}


def with_header(rows: list[dict], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def report(rows: list[dict]) -> None:
    """Tables in Markdown."""
    names = [*METHODS, WIDENED]
    for question in ("false alarms", "in order", "delay"):
        print(f"\n| product | condition | defective | quiet | {' | '.join(names)} |\n|{'---|' * (4 + len(names))}")
        of = [one for one in rows if one["question"] == question]
        for key in dict.fromkeys((one["product"], one["condition"], one["defective"], one["quiet"]) for one in of):
            cells = {one["method"]: cell(one) for one in of if key == tuple(one[name] for name in COLUMNS[1:5])}
            print(f"| {' | '.join(map(str, key))} | {' | '.join(cells.get(name, '') for name in names)} |")


def cell(one: dict) -> str:
    if one["question"] == "false alarms":
        return f"{one['alarms']} of {one['runs']}"
    if one["question"] == "in order":
        return f"{one['median'] or '–'}{', before' if one['before'] else ''}"
    missed = f", {one['runs'] - one['alarms']} not" if one["alarms"] < one["runs"] else ""
    early = f", {one['before']} before" if one["before"] else ""
    return f"{one['median'] or '–'} / {one['worst'] or '–'}{missed}{early}"
