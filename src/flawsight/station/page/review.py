"""Review: one doubtful picture after the other, marked with a key."""

from __future__ import annotations

import time
from datetime import datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

from nicegui import ui

from flawsight.core import safe_name
from flawsight.station.history import Label, Rates, Record
from flawsight.station.page.again import AgainPanel
from flawsight.station.page.frame import Visit, ask_who, button, html, in_background, remember_name, telling
from flawsight.station.page.sensitivity import share
from flawsight.station.page.stage import Stage, facts, opacity_slider, symbol
from flawsight.station.page.words import say

UNSEEN_SECONDS = 0.15
"""Whoever presses a key so soon after a picture came has not seen it: it was meant for the one before."""


class ReviewPage:
    """One tab's view: the pictures that wait, those left for later, and what was marked here."""

    def __init__(self, seen: Visit) -> None:
        self.seen = seen
        self.queue: list[Record] = []
        self.skipped: set[str] = set()
        self.marked: list[str] = []
        self._shown_at = 0.0
        self._is_busy = False
        with ui.element("div").classes("page vbox"):
            with ui.element("div").classes("review"):
                with ui.element("section"):
                    self._facts = html("")
                    self.stage = Stage("tall")
                    with ui.element("div").classes("hbox controls"):
                        opacity_slider(self.stage)
                        button(say("review.heat"), self._toggle_heat, "small", key="H")
                with ui.element("section").classes("side"):
                    self._ask()
            self._rates = html("").classes("card")
            self._exports()
            AgainPanel(seen)
        ui.timer(0.01, telling(self.load), once=True)

    def _ask(self) -> None:
        html(say("review.title"), tag="h1")
        self._progress = html("", tag="p")
        for label, key in (("good", "1"), ("defective", "2")):
            text = say("review.good") if label == "good" else say("review.defective")
            made = button(text, telling(lambda label=label: self.mark(label)), f"mark {label}", key=key)
            with made:
                html(symbol(label), tag="span")
        with ui.element("div").classes("hbox"):
            button(say("review.skip_also"), telling(self.skip), key="S")
            skipping = button(say("review.skip"), telling(self.skip), "hidden", key="ArrowRight")
            skipping.props('tabindex=-1 aria-hidden="true"')
            button(say("review.undo"), telling(self.undo), key="Z")
        self._by = html("", tag="p").classes("soft")
        button(say("review.rename"), telling(self._rename), "small")
        html(say("review.lead"), tag="p").classes("soft")

    async def load(self) -> None:
        """Read the queue again."""
        inspector = self.seen.loaded.inspector
        point = inspector.manifest.operating_point
        history = self.seen.station.history
        found = await in_background(history.to_review, self.seen.bundle, inspector.threshold, point.rate, 500)
        self.queue = [record for record in found if record.id not in self.skipped]
        await self._show()

    async def mark(self, label: Label) -> None:
        """Write down what a person says of the picture that is shown."""
        record = self.stage.record
        if record is None or self._is_busy or time.monotonic() - self._shown_at < UNSEEN_SECONDS:
            return
        self._is_busy = True
        try:
            if not self.seen.name and not await self._rename():
                return
            await in_background(self.seen.station.history.mark, record.id, label, self.seen.name)
        finally:
            self._is_busy = False
        self.marked.append(record.id)
        await self._next(record.id)

    async def skip(self) -> None:
        """Leave the picture for another day."""
        if self.stage.record is not None:
            self.skipped.add(self.stage.record.id)
            await self._next(self.stage.record.id)

    async def undo(self) -> None:
        """Take the last mark back, and show its picture again."""
        if self.marked:
            record = await in_background(self.seen.station.history.mark, self.marked.pop(), None, "")
            self.queue.insert(0, record)
            await self._show()

    async def _next(self, done: str) -> None:
        self.queue = await in_background(self._unmarked, [record for record in self.queue if record.id != done])
        if self.queue:
            await self._show()
        else:
            await self.load()

    def _unmarked(self, queue: list[Record]) -> list[Record]:
        """The queue without those at its head that somebody else has marked, or that are forgotten."""
        while queue and ((now := self.seen.station.history.get(queue[0].id)) is None or now.mark is not None):
            queue = queue[1:]
        return queue

    async def _show(self) -> None:
        record = self.queue[0] if self.queue else None
        self.stage.show(record)
        self._shown_at = time.monotonic()
        good_scores = self.seen.loaded.inspector.manifest.calibration.scores
        self._facts.set_content(facts(record, good_scores) if record else f"<p>{say('review.none')}</p>")
        if record is None:
            self.stage.empty.set_text("✓")
        self._progress.set_content(say("review.progress", done=len(self.marked), left=len(self.queue)))
        self._by.set_content(say("review.by", name=escape(self.seen.name)) if self.seen.name else say("review.nobody"))
        threshold = self.seen.loaded.inspector.threshold
        rates = await in_background(self.seen.station.history.rates, self.seen.bundle, threshold)
        self._rates.set_content(_rates(rates))

    async def _rename(self) -> bool:
        given = await ask_who(self.seen, say("review.name"), say("review.name_explained"), with_reason=False)
        if given:
            remember_name(self.seen, given[0])
            self._by.set_content(say("review.by", name=escape(self.seen.name)))
        return given is not None

    def _toggle_heat(self) -> None:
        is_seen = self.stage.opacity > 0
        self._before = self.stage.opacity if is_seen else getattr(self, "_before", 0.8)
        self.stage.set_opacity(0.0 if is_seen else self._before)
        self.stage.set_outlined(not is_seen)

    def _exports(self) -> None:
        with ui.element("div").classes("card"):
            html(say("review.exports"), tag="h2")
            with ui.element("div").classes("hbox"):
                button(say("review.export"), telling(self._export))
                html(f'<a class="button" href="/page/history.csv" download>{say("review.csv")}</a>', tag="span")
            self._exported = html("")

    async def _export(self) -> None:
        history = self.seen.station.settings.history.absolute()
        name = f"{safe_name(self.seen.bundle)}-{datetime.now():%Y%m%d-%H%M%S}"
        folder = history.parent / "marked" / name
        count = await in_background(self.seen.station.history.export_marked, folder, self.seen.bundle)
        self._exported.set_content(_exported(count, folder, self.seen.loaded.folder))


def _rates(rates: Rates) -> str:
    rows = (
        (say("review.alarms"), share(rates.stopped_good, rates.n_good)),
        (say("review.found"), share(rates.found_defective, rates.n_defective)),
    )
    body = "".join(f"<div><span>{name}</span><b>{value}</b></div>" for name, value in rows)
    return f'<h2>{say("review.rates")}</h2><div class="rates">{body}</div><p class="soft">{say("review.caveat")}</p>'


def _exported(count: int, folder: Path, bundle: Path) -> str:
    command = f"flawsight evaluate {_quoted(bundle.absolute())} {_quoted(folder)}"
    return (
        f"<p>{say('review.exported', count=count)} <code>{escape(str(folder))}</code></p><pre>{escape(command)}</pre>"
    )


def _quoted(path: Path) -> str:
    text = str(path)
    return f'"{text}"' if quote(text, safe="/\\:") != text else text
