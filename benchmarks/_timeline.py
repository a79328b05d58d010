"""A model of what many products cost, and a simulation of who does what when.

A worker starts (`start` seconds), receives the job, then fits one product after the other, the longest first, each
given to whoever is free. What all share bounds how many workers help: the driver hands out items one by one (`hand_out`
seconds each, in a row), and the storage delivers pictures at so many bytes a second for everybody together.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Costs:
    """Seconds and bytes, as measured.

    `begin`: until the driver asks for the first worker; `start`: from then until it has its job, `start_each` for each
    worker whose start the one before it delays; `hand_out`: the driver's work for one product (its row, the table);
    `end`: after the last product; `read`: bytes of a product's pictures and bundle; `storage`: bytes a second, in all.
    """

    begin: float = 0.0
    start: float = 0.0
    start_each: float = 0.0
    hand_out: float = 0.0
    end: float = 0.0
    read: float = 0.0
    storage: float = float("inf")


@dataclass(frozen=True)
class Timeline:
    """What a simulation says: seconds until the end, the share of its time that a worker fits, and what bounds it."""

    seconds: float
    busy: float
    driver: float
    storage: float


def simulate(units: Sequence[float], workers: int, costs: Costs) -> Timeline:
    """Fit products that take `units` seconds each, by so many workers."""
    free = [
        (costs.begin + costs.start + number * costs.start_each, number) for number in range(min(workers, len(units)))
    ]
    heapq.heapify(free)
    driver = disk = 0.0
    last = costs.begin
    for seconds in sorted(units, reverse=True):
        now, worker = heapq.heappop(free)
        driver = max(driver, now) + costs.hand_out
        disk = max(disk, driver) + costs.read / costs.storage
        done = max(driver + seconds, disk)
        last = max(last, done)
        heapq.heappush(free, (done, worker))
    end = last + costs.end
    busy = sum(units) / (end * max(1, min(workers, len(units))))
    return Timeline(end, busy, len(units) * costs.hand_out / end, len(units) * costs.read / costs.storage / end)
