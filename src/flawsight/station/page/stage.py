"""A picture with its heat map and the outlines of its regions over it; and how a verdict looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape

from nicegui import ui

from flawsight.report.plain_language import frequency, number
from flawsight.station.history import Record
from flawsight.station.page.frame import Visit, button, html
from flawsight.station.page.words import say

WORDS = {"good": "verdict.good", "defective": "verdict.defective", "error": "verdict.error"}
# A circle with a tick, an octagon with a cross, a triangle with a mark: shapes differ, not only colours.
SYMBOLS = {
    "good": '<circle cx="12" cy="12" r="10.5"/><path d="M6.8 12.6l3.6 3.7 6.9-8"/>',
    "defective": '<path d="M7.6 1.5h8.8l6.1 6.1v8.8l-6.1 6.1H7.6l-6.1-6.1V7.6z"/><path d="M8 8l8 8M16 8l-8 8"/>',
    "error": '<path d="M12 2 23 22H1z"/><path d="M12 9.5v6M12 18.2v.6"/>',
}


def symbol(verdict: str) -> str:
    """The sign of a verdict, as SVG."""
    return f'<svg class="sign {verdict}" viewBox="0 0 24 24" aria-hidden="true">{SYMBOLS[verdict]}</svg>'


def chip(verdict: str) -> str:
    """A verdict in small: sign and word."""
    return f'<span class="chip {verdict}">{symbol(verdict)}{say(WORDS[verdict])}</span>'


def when(at: float) -> str:
    """A time of the station's clock: the hour alone if it is of today."""
    then = datetime.fromtimestamp(at)
    return f"{then:%H:%M:%S}" if then.date() == datetime.now().date() else f"{then:%d %b %Y, %H:%M}"


def in_words(record: Record, good_scores: Sequence[float]) -> str:
    """What the p-value of a record means, of so many good pictures."""
    if record.p_value is None:
        return record.reason
    if record.score is not None and record.score > max(good_scores):
        return say("verdict.above_all", count=len(good_scores))
    return say("verdict.as_high", frequency=frequency(record.p_value))


class Stage:
    """Shows one record's picture at a time."""

    def __init__(self, room: str = "") -> None:
        self.record: Record | None = None
        self.opacity = 0.8
        with ui.element("div").classes(f"room {room}"):
            self.empty = ui.label(say("stage.empty")).classes("empty")
            self.box = ui.element("div").classes("stage outlined")
            with self.box:
                self._picture = ui.element("img").props('data-awaited alt=""')
                self._heat = ui.element("img").classes("heat").props('alt=""')
                self._lines = html("").classes("lines")
        self.box.set_visibility(False)

    def show(self, record: Record | None) -> None:
        """Show another one; None for nothing."""
        self.record = record
        is_there = record is not None and record.verdict != "error"
        self.box.set_visibility(is_there)
        self.empty.set_visibility(not is_there)
        if record is None or not is_there or record.size is None:
            self.empty.set_text(say("stage.empty") if record is None else say("stage.error"))
            return
        height, width = record.size
        self.box.style(f"--ratio: {width / height:.5f}")
        self._picture.props["src"] = f"/page/picture/{record.id}"
        self._picture.props["alt"] = record.picture
        self._heat.props["src"] = f"/page/heatmap/{record.id}"
        self._lines.set_content(outlines(record))

    def set_opacity(self, value: float) -> None:
        """How much of the heat map is seen, 0 to 1."""
        self.opacity = value
        self.box.style(f"--heat: {value}")

    def set_outlined(self, is_outlined: bool) -> None:
        """Whether the outlines are seen."""
        self.box.classes(**{"add" if is_outlined else "remove": "outlined"})


def outlines(record: Record) -> str:
    """The regions of a record as SVG in the picture's pixels."""
    if record.size is None:
        return ""
    height, width = record.size
    rings = "".join(
        f'<polygon class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in region["contour"])}"/>'
        for region in record.regions
        for kind in ("rim", "ring")
    )
    return f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">{rings}</svg>'


def thumbnails(records: Sequence[Record], opened: Callable[[Record], object]) -> None:
    """Small pictures in a row; a click opens one."""
    for record in records:
        title = f"{record.picture} · {when(record.at)}"
        with ui.element("button").classes("thumb").props("type=button") as thumb:
            thumb.props["title"] = title
            thumb.on("click", lambda record=record: opened(record))
            picture = ui.element("img").props("loading=lazy")
            picture.props["src"], picture.props["alt"] = f"/page/thumbnail/{record.id}", title
            score = "" if record.score is None else number(record.score)
            html(f"{symbol(record.verdict)}<span>{score}</span>", tag="span").classes("under")


class Closeup:
    """A dialog with one picture, what was said of it, and what people say."""

    def __init__(self, seen: Visit) -> None:
        self._seen = seen
        with ui.dialog().classes("wide") as self._dialog, ui.element("div").classes("card closeup"):
            self._facts = html("")
            self._stage = Stage("tall")
            with ui.element("div").classes("hbox"):
                opacity_slider(self._stage)
                ui.space()
                button(say("frame.close"), self._dialog.close)

    def open(self, record: Record) -> None:
        """Show this one."""
        self._facts.set_content(facts(record, self._seen.loaded.inspector.manifest.calibration.scores))
        self._stage.show(record)
        self._dialog.open()


def facts(record: Record, good_scores: Sequence[float]) -> str:
    """What was said of a picture, in a few lines."""
    parts = [f"<b>{escape(record.picture)}</b>", chip(record.verdict), f"<span>{when(record.at)}</span>"]
    if record.score is not None and record.threshold is not None:
        parts.append(
            f"<span>{say('verdict.score', score=number(record.score), threshold=number(record.threshold))}</span>"
        )
    parts.append(f"<span>{escape(in_words(record, good_scores))}</span>")
    if record.mark:
        parts.append(f"<span>{say('verdict.marked', by=escape(record.marked_by))} {chip(record.mark)}</span>")
    return f'<div class="facts">{"".join(parts)}</div>'


def opacity_slider(stage: Stage) -> None:
    """How much of the heat map is seen, and whether outlines are."""
    with ui.element("label").classes("slide"):
        ui.label(say("stage.heat"))
        ui.slider(min=0, max=1, step=0.05, value=stage.opacity, on_change=lambda e: stage.set_opacity(e.value)).props(
            f'aria-label="{say("stage.heat")}"'
        )
    ui.checkbox(say("stage.outlines"), value=True, on_change=lambda e: stage.set_outlined(e.value)).props("dense")
