"""Sensitivity: what another threshold would have done, before it is put in force."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from html import escape

from nicegui import ui

from flawsight.bundle import Revision
from flawsight.metrics import rate_at
from flawsight.report.plain_language import frequency, number, percent
from flawsight.station.history import Rates, Record, Scores
from flawsight.station.page.charts import histogram
from flawsight.station.page.facts.bins import bins_of
from flawsight.station.page.facts.flips import Flips, flips
from flawsight.station.page.facts.rates import wilson
from flawsight.station.page.frame import Visit, ask_who, button, html, in_background, tell, telling
from flawsight.station.page.stage import Closeup, thumbnails
from flawsight.station.page.words import say

WEEK = 7 * 86400
STEPS = 500


@dataclass(frozen=True)
class Change:
    """What the history says of a threshold that is not in force."""

    flips: Flips
    now: Rates
    then: Rates
    stopped: list[Record]
    passed: list[Record]


class SensitivityPage:
    """One tab's view: `then` is the threshold that is looked at."""

    def __init__(self, seen: Visit) -> None:
        self.seen = seen
        self.then = seen.loaded.inspector.threshold
        self.scores: Scores | None = None
        self._is_asking = self._is_stale = False
        self._closeup = Closeup(seen)
        with ui.element("div").classes("page vbox"):
            html(say("sensitivity.title"), tag="h1")
            html(say("sensitivity.lead"), tag="p").classes("soft")
            self._body = ui.element("div").classes("vbox")
            self._revisions = ui.element("div").classes("card")
        ui.timer(0.01, telling(self.load), once=True)

    async def load(self) -> None:
        """Read the week's scores, and begin at the threshold in force."""
        bundle, since = self.seen.bundle, time.time() - WEEK
        self.scores = await in_background(lambda: self.seen.station.history.scores(bundle, since))
        self.then = self._now
        self._body.clear()
        with self._body:
            self._chart()
            with ui.element("div").classes("two"):
                self._figures = html("").classes("card")
                with ui.element("div").classes("card"):
                    html(say("sensitivity.would_change"), tag="h2")
                    self._changes = ui.element("div").classes("changes")
        self._list_revisions()
        await self._look()

    @property
    def _now(self) -> float:
        return self.seen.loaded.inspector.threshold

    @property
    def _good(self) -> tuple[float, ...]:
        return self.seen.loaded.inspector.manifest.calibration.scores

    def _chart(self) -> None:
        import numpy as np

        assert self.scores is not None
        self.bins = bins_of(self.scores.score, np.array(self._good), self._now)
        low, high = self.bins.low, self.bins.high
        with ui.element("div").classes("card"):
            html(_legend(len(self.scores), len(self._good)))
            with ui.element("div").classes("histogram") as self._box:
                html(histogram(self.bins, say("sensitivity.chart_label")))
                place = 100 * self.bins.place(self._now)
                html(f'<i style="left: {place:.2f}%"><span>{say("sensitivity.in_force")}</span></i>').classes("now")
                self._slider = ui.slider(
                    min=low, max=high, step=(high - low) / STEPS, value=self.then, on_change=lambda e: self.set(e.value)
                ).props(f'aria-label="{say("sensitivity.threshold")}"')
            html(
                f"<span>{number(low)}</span><span>{say('sensitivity.axis')}</span><span>{number(high)}</span>"
            ).classes("ends")
            with ui.element("div").classes("hbox"):
                self._number = (
                    ui.number(say("sensitivity.threshold"), value=self.then, step=(high - low) / 100, format="%.4f")
                    .props("outlined dense")
                    .on_value_change(lambda e: self.set(e.value))
                )
                self._approve = button(say("sensitivity.approve"), telling(self._approved), "main")
                self._back = button(say("sensitivity.back"), lambda: self.set(self._now))
                html(say("sensitivity.hint"), tag="p").classes("soft")

    async def set(self, threshold: float | None) -> None:
        """Look at another threshold."""
        if threshold is None or abs(threshold - self.then) < 1e-9:
            return
        self.then = float(threshold)
        self._slider.set_value(self.then)
        if self._number.value is None or abs(self._number.value - self.then) > 5e-5:
            self._number.set_value(round(self.then, 4) if self.then != self._now else self.then)
        await self._look()

    async def _look(self) -> None:
        self._draw()
        if self._is_asking:
            self._is_stale = True
            return
        self._is_asking = True
        try:
            while True:
                self._is_stale = False
                change = await in_background(self._ask, self.then)
                if not self._is_stale:
                    break
        finally:
            self._is_asking = False
        self._draw(change)

    def _ask(self, then: float) -> Change:
        assert self.scores is not None
        history, bundle, now = self.seen.station.history, self.seen.bundle, self._now
        found = flips(self.scores, now, then)
        stopped, passed = ([history.get(id) for id in ids] for ids in (found.stopped, found.passed))
        return Change(
            found,
            history.rates(bundle, now),
            history.rates(bundle, then),
            [record for record in stopped if record],
            [record for record in passed if record],
        )

    def _draw(self, change: Change | None = None) -> None:
        assert self.scores is not None
        self._box.style(f"--cut: {100 * self.bins.place(self.then):.2f}%")
        is_same = self.then == self._now
        for one in (self._approve, self._back):
            one.props.set_bool("disabled", is_same)
        self._figures.set_content(_figures(self.scores, self._good, (self._now, self.then), change))
        if change is None:
            return
        self._changes.clear()
        with self._changes:
            groups = (
                ("stopped", change.flips.n_stopped, change.stopped, say("sensitivity.newly_stopped")),
                ("passed", change.flips.n_passed, change.passed, say("sensitivity.newly_passed")),
            )
            for kind, count, records, title in groups:
                if count:
                    html(f"<b>{count:,}</b> {title}", tag="p").classes(kind)
                    with ui.element("div").classes("thumbs"):
                        thumbnails(records, self._closeup.open)
            if not change.flips.n_stopped and not change.flips.n_passed:
                html(say("sensitivity.none_flips"), tag="p").classes("soft")

    async def _approved(self) -> None:
        then = self.then
        rate = percent(rate_at(then, self._good), 1)
        explained = say("sensitivity.explained", now=number(self._now), then=number(then), rate=rate)
        given = await ask_who(self.seen, say("sensitivity.approve"), explained)
        if given is None:
            return
        await in_background(self.seen.station.bundles.set_threshold, self.seen.bundle, then, *given)
        tell(say("sensitivity.approved", then=number(then)))
        await self.load()

    async def _restore(self, revision: int) -> None:
        given = await ask_who(self.seen, say("sensitivity.restore"), say("sensitivity.restore_explained"))
        if given is None:
            return
        await in_background(self.seen.station.bundles.restore, self.seen.bundle, revision, *given)
        tell(say("sensitivity.restored"))
        await self.load()

    def _list_revisions(self) -> None:
        self._revisions.clear()
        revisions = self.seen.loaded.inspector.manifest.revisions
        with self._revisions:
            with ui.element("div").classes("hbox"):
                html(say("sensitivity.revisions"), tag="h2")
                ui.space()
                if len(revisions) > 1:
                    button(say("sensitivity.undo"), telling(lambda: self._restore(len(revisions) - 2)))
            if not revisions:
                html(say("sensitivity.no_revisions"), tag="p").classes("soft")
                return
            with ui.element("table"):
                html("".join(f"<th>{say(key)}</th>" for key in COLUMNS) + "<th></th>", tag="tr")
                for at in reversed(range(len(revisions))):
                    with ui.element("tr"):
                        for cell in revision_cells(revisions[at]):
                            html(cell, tag="td")
                        with ui.element("td"):
                            if at == len(revisions) - 1:
                                html(say("sensitivity.is_in_force"), tag="b")
                            else:
                                button(say("sensitivity.restore"), telling(lambda at=at: self._restore(at)), "small")


COLUMNS = (
    "sensitivity.when", "sensitivity.who", "sensitivity.why", "sensitivity.threshold", "sensitivity.stated",
    "sensitivity.left_out",
)  # fmt: skip


def revision_cells(revision: Revision) -> list[str]:
    """What a table says of a revision, as markup."""
    at = f"{datetime.fromisoformat(revision.at).astimezone():%d %b %Y, %H:%M}" if revision.at else ""
    by = say("sensitivity.by_fit") if not revision.at else escape(revision.by)
    left_out = say("sensitivity.yes") if revision.judged else say("sensitivity.no")
    point = revision.point
    return [at, by, escape(revision.why), number(point.threshold), percent(point.rate, 1), left_out]


def _legend(week: int, good: int) -> str:
    return (
        f'<div class="legend"><span><i class="week"></i>{say("sensitivity.week", count=f"{week:,}")}</span>'
        f'<span><i class="good"></i>{say("sensitivity.good", count=f"{good:,}")}</span></div>'
    )


def _figures(scores: Scores, good: tuple[float, ...], thresholds: tuple[float, float], change: Change | None) -> str:
    stated = [f"{percent(rate_at(one, good), 1)}<small>{frequency(rate_at(one, good))}</small>" for one in thresholds]
    counts = [int((scores.score > one).sum()) for one in thresholds]
    of = f"{len(scores):,}"
    stopped = [f"{count:,}<small>{say('sensitivity.of', count=of)}</small>" for count in counts]
    rates = (change.now, change.then) if change else (None, None)
    alarms = ["…" if one is None else share(one.stopped_good, one.n_good) for one in rates]
    found = ["…" if one is None else share(one.found_defective, one.n_defective) for one in rates]
    rows = [
        (say("sensitivity.threshold"), [number(one) for one in thresholds]),
        (say("sensitivity.stated_long"), stated),
        (say("sensitivity.stopped_week"), stopped),
        (say("sensitivity.alarms"), alarms),
        (say("sensitivity.found"), found),
    ]
    head = f"<tr><th></th><th>{say('sensitivity.in_force')}</th><th>{say('sensitivity.then')}</th></tr>"
    body = "".join(f"<tr><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for name, cells in rows)
    return f'<h2>{say("sensitivity.figures")}</h2><table class="compare">{head}{body}</table>'


def share(hits: int, of: int) -> str:
    """A share of marked pictures, with its counts and its interval, as markup."""
    if not of:
        return f"–<small>{say('sensitivity.none_marked')}</small>"
    low, high = wilson(hits, of)
    interval = say("sensitivity.interval", hits=hits, of=of, low=percent(low), high=percent(high))
    return f"{percent(hits / of)}<small>{interval}</small>".replace(" %", "\N{NO-BREAK SPACE}%")
