"""Learn again with the marked pictures: begin it, watch it, compare, and choose."""

from __future__ import annotations

import time
from html import escape

from nicegui import ui

from flawsight.report.plain_language import duration, number, percent
from flawsight.station.learning import Comparison, LearningState, Side
from flawsight.station.page.frame import Visit, ask_who, button, html, in_background, tell, telling
from flawsight.station.page.sensitivity import share
from flawsight.station.page.words import say

SECONDS = 1.0


class AgainPanel:
    """Part of a tab: follows the state of one bundle's learning."""

    def __init__(self, seen: Visit) -> None:
        self.seen = seen
        self.learning = seen.station.learning
        self._state: LearningState | None = None
        self._card = ui.element("div").classes("card again")
        ui.timer(SECONDS, self.tick)

    async def tick(self) -> None:
        """Show the state, if it is another one."""
        state = await in_background(self.learning.state, self.seen.bundle)
        if state == self._state:
            if state.kind == "running":
                self._clock.set_text(_since(state))
            return
        self._state = state
        self._card.clear()
        with self._card:
            html(say("again.title"), tag="h2")
            draw = {"idle": self._idle, "running": self._running, "failed": self._failed, "ready": self._ready}
            draw[state.kind](state)

    def _idle(self, state: LearningState) -> None:
        del state
        html(say("again.lead"), tag="p").classes("soft")
        button(say("again.start"), telling(self._start))

    def _running(self, state: LearningState) -> None:
        with ui.element("div").classes("hbox"):
            html('<progress aria-hidden="true"></progress>', tag="span")
            html(escape(state.step), tag="b")
            self._clock = ui.label(_since(state)).classes("soft")
            ui.space()
            button(say("again.stop"), telling(self._stop), "small")
        _log(state)

    def _failed(self, state: LearningState) -> None:
        html(f"<b>{say('again.failed')}</b> {escape(state.reason)}", tag="p").classes("banner problem")
        _log(state)
        with ui.element("div").classes("hbox"):
            button(say("again.start"), telling(self._start))
            button(say("again.forget"), telling(self._discard))

    def _ready(self, state: LearningState) -> None:
        if state.comparison is None:
            return
        html(_table(state.comparison))
        with ui.element("div").classes("hbox"):
            button(say("again.adopt"), telling(self._adopt), "main")
            button(say("again.discard"), telling(self._discard))

    async def _start(self) -> None:
        given = await ask_who(self.seen, say("again.start"), say("again.explained"), with_reason=False)
        if given:
            await in_background(self.learning.start, self.seen.bundle, given[0])
            await self.tick()

    async def _stop(self) -> None:
        await in_background(self.learning.stop, self.seen.bundle)
        await self.tick()

    async def _discard(self) -> None:
        await in_background(self.learning.discard, self.seen.bundle)
        await self.tick()

    async def _adopt(self) -> None:
        given = await ask_who(self.seen, say("again.adopt"), say("again.adopt_explained"), with_reason=False)
        if given:
            before = await in_background(self.learning.adopt, self.seen.bundle, given[0])
            tell(say("again.adopted", folder=before))
            await self.tick()


def _since(state: LearningState) -> str:
    return duration(max(0.0, time.time() - (state.since or time.time())))


def _log(state: LearningState) -> None:
    if state.log:
        lines = escape("\n".join(state.log))
        html(f"<details><summary>{say('again.log')}</summary><pre>{lines}</pre></details>")


def _table(found: Comparison) -> str:
    def row(name: str, cells: list[str]) -> str:
        return f"<tr><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"

    sides: list[Side] = [found.old, found.new]
    rows = [
        row(say("sensitivity.threshold"), [number(side.threshold) for side in sides]),
        row(say("sensitivity.stated_long"), [percent(side.stated_rate, 1) for side in sides]),
        row(say("review.alarms"), [share(side.stopped_good, found.n_good) for side in sides]),
        row(say("review.found"), [share(side.found_defective, found.n_defective) for side in sides]),
        row("AU-ROC", ["–" if side.auroc is None else f"{side.auroc:.3f}" for side in sides]),
    ]
    head = f"<tr><th></th><th>{say('again.old')}</th><th>{say('again.new')}</th></tr>"
    notes = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
    flips = say("again.flips", count=len(found.flips))
    return f'<table class="compare">{head}{"".join(rows)}</table><p>{flips}</p><ul class="soft">{notes}</ul>'
