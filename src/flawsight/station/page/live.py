"""Live: what the line sees now, readable from two metres."""

from __future__ import annotations

import asyncio
from html import escape

from nicegui import ui
from nicegui.events import UploadEventArguments

from flawsight.report.plain_language import number, percent
from flawsight.station.history import Record
from flawsight.station.page.charts import trend
from flawsight.station.page.facts.news import Board
from flawsight.station.page.facts.pictures import shown_of
from flawsight.station.page.frame import Visit, ask_who, button, html, in_background, tell, telling
from flawsight.station.page.stage import WORDS, Closeup, Stage, in_words, opacity_slider, symbol, thumbnails, when
from flawsight.station.page.words import say

SECONDS = 0.3


class LivePage:
    """One tab's view."""

    def __init__(self, seen: Visit) -> None:
        self.seen = seen
        self._version = 0
        self._defects: tuple[str, ...] = ()
        self._banner = html("").classes("banners")
        with ui.element("div").classes("banner alarm") as self._alarm:
            self._alarm_text = html("").classes("said")
            button(say("live.mended"), telling(self._mended))
        self._alarm.set_visibility(False)
        with ui.element("div").classes("page live"):
            with ui.element("section").classes("left"):
                self.stage = Stage("large")
                with ui.element("div").classes("hbox controls"):
                    opacity_slider(self.stage)
                    ui.space()
                    self._upload()
            with ui.element("section").classes("right"):
                self._verdict = html("").classes("verdict")
                self._yield = html("").classes("card yield")
                self._trend = html("").classes("card chart")
            with ui.element("section").classes("strip"):
                html(say("live.defects"), tag="h2")
                self._strip = ui.element("div").classes("thumbs")
        self._closeup = Closeup(seen)
        ui.timer(SECONDS, self.tick)

    def _upload(self) -> None:
        limit = int(self.seen.station.settings.max_bytes)
        upload = ui.upload(
            label=say("live.drop"), auto_upload=True, max_file_size=limit, on_upload=self._given
        ).classes("drop")
        upload.on("rejected", lambda: tell(say("live.too_large", megabytes=limit // 1_000_000), is_error=True))
        upload.props("flat square accept=image/*,.tif,.tiff,.bmp,.png,.jpg")
        self._uploader = upload

    async def _given(self, event: UploadEventArguments) -> None:
        picture = await event.file.read()
        self._uploader.reset()
        await telling(self._inspect)(picture, event.file.name)

    async def _inspect(self, picture: bytes, name: str) -> None:
        future = self.seen.station.submit(picture, name, self.seen.bundle, "page")
        answer = await asyncio.wrap_future(future)
        if answer.result is not None:
            shown = await in_background(shown_of, self.seen.loaded, picture, answer)
            self.seen.news.keep(answer.record.id, shown)
        if answer.record.verdict == "error":
            tell(answer.record.reason, is_error=True)
        else:
            self._closeup.open(answer.record)

    async def _mended(self) -> None:
        given = await ask_who(self.seen, say("live.mended"), say("live.mended_explained"))
        if given is None:
            return
        await in_background(self.seen.station.reset_drift, self.seen.bundle, *given)
        self._alarm.set_visibility(False)
        tell(say("live.begun_anew"))

    async def tick(self) -> None:
        """Show what is new, if anything is."""
        board = await in_background(self.seen.news.board, self.seen.bundle)
        if board.version == self._version:
            return
        self._version = board.version
        self._banner.set_content(banners(board))
        self._alarm_text.set_content(f"<b>{say('live.alarm')}</b> {escape(board.alarm)}")
        self._alarm.set_visibility(bool(board.alarm))
        if board.last is not None and board.last != self.stage.record:
            self.stage.show(board.last)
        self._verdict.set_content(verdict_card(board.last, self.seen))
        self._yield.set_content(yield_card(board))
        threshold = self.seen.loaded.inspector.threshold
        title = f"<h2>{say('live.trend', count=len(board.trend))}</h2>"
        self._trend.set_content(title + trend(board.trend, threshold, say("live.trend_label")))
        if (ids := tuple(record.id for record in board.defects)) != self._defects:
            self._defects = ids
            self._strip.clear()
            with self._strip:
                thumbnails(board.defects, self._closeup.open)
        if not board.defects and not self._strip.default_slot.children:
            with self._strip:
                ui.label(say("live.no_defects")).classes("soft")


def banners(board: Board) -> str:
    """Problems, and what differs from the pictures learned."""
    found = [f'<p class="banner problem">{escape(problem)}</p>' for problem in board.problems]
    if board.drift:
        found.append(f'<p class="banner drift"><b>{say("live.drift")}</b> {escape(board.drift)}</p>')
    return "".join(found)


def verdict_card(record: Record | None, seen: Visit) -> str:
    """The last verdict, huge; its score against the threshold; and what that means."""
    if record is None:
        return f'<div class="huge none"><span class="word">{say("verdict.none")}</span></div>'
    word = f'<span class="word">{say(WORDS[record.verdict])}</span>'
    head = f'<div class="huge {record.verdict}">{symbol(record.verdict)}{word}</div>'
    words = escape(in_words(record, seen.loaded.inspector.manifest.calibration.scores))
    name = f'<p class="soft name">{escape(record.picture)} · {when(record.at)}</p>'
    if record.score is None or record.threshold is None:
        return f'{head}<div class="card under"><p>{words}</p>{name}</div>'
    share = min(1.0, 0.5 * record.score / record.threshold) if record.threshold > 0 else 0.5
    figures = say("verdict.score", score=number(record.score), threshold=number(record.threshold))
    meter = f'<div class="meter {record.verdict}"><i style="width: {100 * share:.1f}%"></i><b></b></div>'
    return f'{head}<div class="card under"><p class="score">{figures}</p>{meter}<p>{words}</p>{name}</div>'


def yield_card(board: Board) -> str:
    """How many passed: today, in the last hour, of the last pictures."""
    recent = {name: sum(record.verdict == name for record in board.trend) for name in ("good", "defective", "error")}
    rows = [
        (say("live.today"), board.today or {}),
        (say("live.hour"), board.hour or {}),
        (say("live.recent", count=len(board.trend)), recent),
    ]
    cells = []
    for name, counts in rows:
        passed, stopped = counts.get("good", 0), counts.get("defective", 0)
        share = percent(passed / (passed + stopped), 1) if passed + stopped else "–"
        errors = f"<br>{say('live.errors', count=counts['error'])}" if counts.get("error") else ""
        of = say("live.of", passed=f"{passed:,}", count=f"{passed + stopped:,}")
        cells.append(f'<div><span class="soft">{name}</span><b>{share}</b><span class="soft">{of}{errors}</span></div>')
    return f'<h2>{say("live.yield")}</h2><div class="three">{"".join(cells)}</div>'
