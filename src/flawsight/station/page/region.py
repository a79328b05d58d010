"""Region: draw on the last picture what is ignored from now on, or what a new fit is to inspect."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from html import escape
from typing import Literal
from urllib.parse import quote

import numpy as np
from nicegui import ui

from flawsight.core import FlawsightError
from flawsight.report.plain_language import percent
from flawsight.station.history import Record
from flawsight.station.page.facts.pictures import left_out
from flawsight.station.page.facts.polygons import Polygon, mask_of, polygon_of, region_document, text_of
from flawsight.station.page.frame import Visit, ask_who, button, html, in_background, tell, telling
from flawsight.station.page.stage import Stage
from flawsight.station.page.words import say

NEAR = 0.015
"""Share of the picture's side within which a point is taken hold of."""
PLACE = (
    "const b = e.currentTarget.getBoundingClientRect(); "
    "emit((e.clientX - b.left) / b.width, (e.clientY - b.top) / b.height)"
)
Kind = Literal["ignore", "inspect"]


@dataclass
class Drawn:
    """A closed polygon, in pixels of the picture."""

    points: list[tuple[float, float]]
    kind: Kind = "ignore"
    made_at: float = field(default_factory=time.monotonic)


class RegionPage:
    """One tab's view: closed polygons, and the points of the one that is being drawn."""

    def __init__(self, seen: Visit) -> None:
        self.seen = seen
        self.size = (1, 1)
        self.drawn: list[Drawn] = []
        self.open: list[tuple[float, float]] = []
        self.kind: Kind = "ignore"
        self.keeps_old = True
        self._held: tuple[list[tuple[float, float]], int] | None = None
        with ui.element("div").classes("page vbox"):
            html(say("region.title"), tag="h1")
            with ui.element("div").classes("review region"):
                with ui.element("section"):
                    self.stage = Stage("tall")
                    with self.stage.box.classes("drawing"):
                        self._shade = ui.element("img").classes("shade").props('alt=""')
                        self._lines = html("").classes("lines")
                    for event, js in (
                        ("mousedown", f"(e) => {{ {PLACE} }}"),
                        ("mouseup", f"(e) => {{ {PLACE} }}"),
                        ("mousemove", f"(e) => {{ if (e.buttons === 1) {{ {PLACE} }} }}"),
                        ("dblclick", "(e) => emit(0, 0)"),
                    ):
                        self.stage.box.on(event, getattr(self, f"_{event}"), js_handler=js)
                    html(say("region.how"), tag="p").classes("soft")
                with ui.element("section").classes("side"):
                    self._side()
        ui.timer(0.01, telling(self.load), once=True)

    def _side(self) -> None:
        kinds = {"ignore": say("region.ignore"), "inspect": say("region.inspect")}
        ui.radio(kinds, value=self.kind, on_change=lambda e: setattr(self, "kind", e.value)).props("dense")
        with ui.element("div").classes("hbox"):
            button(say("region.close"), self.close, "small", key="Enter")
            button(say("region.undo"), self.undo, "small", key="Z")
            button(say("region.clear"), self.clear, "small")
        self._list = ui.element("div").classes("polygons")
        with ui.element("div").classes("hbox"):
            self._text = ui.input(say("region.as_text"), placeholder="10,10 60,10 60,40").props("outlined dense")
            self._text.on("keydown.enter", self._add_text)
            button(say("region.add"), self._add_text, "small")
        self._old = ui.checkbox(say("region.keep_old"), value=True, on_change=lambda e: self._keep_old(e.value))
        self._share = html("", tag="p")
        with ui.element("div").classes("hbox"):
            button(say("region.apply"), telling(self._apply), "main")
            button(say("region.download"), self._download)
        html(say("region.explained"), tag="p").classes("soft")
        html(say("region.for_fit"), tag="p").classes("soft")

    async def load(self) -> None:
        """Show the last picture, and what is left out by now."""
        record = await in_background(self._last)
        self.stage.show(record)
        if record is None or record.size is None:
            self.stage.empty.set_text(say("region.no_picture"))
            return
        self.size = record.size
        self.drawn, self.open = [], []
        self._show()

    def _last(self) -> Record | None:
        live = self.seen.station.live(self.seen.bundle)
        if live is not None:
            self.seen.news.board(self.seen.bundle)  # keeps its picture at hand
            return live.record
        latest = self.seen.station.history.latest(50, bundle=self.seen.bundle)
        seen = [record for record in latest if record.size is not None]
        return next((record for record in seen if record.has_picture), seen[0] if seen else None)

    def close(self) -> None:
        """Close the polygon that is being drawn."""
        if len(self.open) >= 3:
            self.drawn.append(Drawn(self.open, self.kind))
            self.open = []
        self._show()

    def undo(self) -> None:
        """Take back the last point, or the last polygon."""
        if self.open:
            self.open.pop()
        elif self.drawn:
            self.drawn.pop()
        self._show()

    def clear(self) -> None:
        """Take back all that is drawn here."""
        self.drawn, self.open = [], []
        self._show()

    def _point(self, event) -> tuple[float, float]:  # type: ignore[no-untyped-def]
        # Nobody can click on the very edge; and a strip that is left there would show what is beside it.
        across, down = (0.0 if value < NEAR else 1.0 if value > 1 - NEAR else float(value) for value in event.args)
        return round(across * self.size[1], 1), round(down * self.size[0], 1)

    def _mousedown(self, event) -> None:  # type: ignore[no-untyped-def]
        x, y = self._point(event)
        lists = [self.open, *(one.points for one in self.drawn)]
        near = [(math.hypot(px - x, py - y), points, at) for points in lists for at, (px, py) in enumerate(points)]
        nearest = min(near, key=lambda one: one[0], default=None)
        if nearest and nearest[0] < NEAR * max(self.size):
            self._held = nearest[1], nearest[2]

    def _mousemove(self, event) -> None:  # type: ignore[no-untyped-def]
        if self._held:
            points, at = self._held
            points[at] = self._point(event)
            self._show(with_list=False)

    def _mouseup(self, event) -> None:  # type: ignore[no-untyped-def]
        point = self._point(event)
        if self._held:
            points, at = self._held
            points[at], self._held = point, None
        else:
            self.open.append(point)
        self._show()

    def _dblclick(self, event) -> None:  # type: ignore[no-untyped-def]
        del event
        self.close()

    def _add_text(self) -> None:
        try:
            points = polygon_of(self._text.value, self.size)
        except FlawsightError as error:
            tell(error, is_error=True)
            return
        self.drawn.append(Drawn(list(points), self.kind))
        self._text.set_value("")
        self._show()

    def _edit(self, one: Drawn, text: str) -> None:
        try:
            one.points = list(polygon_of(text, self.size))
        except FlawsightError as error:
            tell(error, is_error=True)
        self._show()

    def _remove(self, one: Drawn) -> None:
        self.drawn.remove(one)
        self._show()

    def _keep_old(self, keeps: bool) -> None:
        self.keeps_old = keeps
        self._show(with_list=False)

    def polygons(self, kind: Kind) -> list[Polygon]:
        """Those that are closed."""
        return [tuple(one.points) for one in self.drawn if one.kind == kind]

    def mask(self) -> np.ndarray:
        """(H, W) bool: what would be ignored."""
        mask = mask_of(self.polygons("ignore"), self.size)
        judged = self.seen.loaded.inspector.judged
        if self.keeps_old and judged is not None and judged.size == self.size:
            mask |= ~judged.mask
        return mask

    def _show(self, with_list: bool = True) -> None:
        height, width = self.size
        inspector = self.seen.loaded.inspector
        is_old = inspector.judged is not None
        self._old.set_visibility(is_old)
        has_shade = inspector.region is not None or (is_old and self.keeps_old)
        self._shade.set_visibility(has_shade)
        if has_shade:
            where = f"/page/left-out/{quote(self.seen.bundle)}?height={height}&width={width}"
            self._shade.props["src"] = f"{where}&{len(inspector.manifest.revisions)}"
        self._lines.set_content(_drawing(self.drawn, self.open, self.size))
        gone = self.mask() | left_out(self.seen.loaded, self.size) if self.keeps_old else self.mask()
        self._share.set_content(say("region.share", share=percent(float(gone.mean()), 1)))
        if with_list:
            self._list_polygons()

    def _list_polygons(self) -> None:
        self._list.clear()
        with self._list:
            for number, one in enumerate(self.drawn, 1):
                with ui.element("div").classes("hbox"):
                    html(f'<i class="{one.kind}">{number}</i>', tag="span")
                    field_ = ui.input(value=text_of(tuple(one.points))).props("outlined dense")
                    field_.props["aria-label"] = say("region.polygon", number=number)
                    field_.on("change", lambda one=one, field_=field_: self._edit(one, field_.value))
                    button(say("region.delete"), lambda one=one: self._remove(one), "small")

    async def _apply(self) -> None:
        mask = self.mask()
        explained = say("region.apply_explained", share=percent(float(mask.mean()), 1))
        given = await ask_who(self.seen, say("region.apply"), explained)
        if given is None:
            return
        bundles = self.seen.station.bundles
        await in_background(bundles.set_ignored, self.seen.bundle, mask if mask.any() else None, *given)
        self.drawn, self.open = [], []
        self._show()
        tell(say("region.applied"))

    def _download(self) -> None:
        inspect, ignore = self.polygons("inspect"), self.polygons("ignore")
        if not inspect and not ignore:
            tell(say("region.nothing"), is_error=True)
            return
        ui.download(region_document(inspect, ignore).encode(), "region.json")


def _drawing(drawn: list[Drawn], points: list[tuple[float, float]], size: tuple[int, int]) -> str:
    height, width = size
    radius = max(size) / 110
    step = max(size) / 45
    parts = [
        f'<defs><pattern id="hatch" width="{step}" height="{step}" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="{step}" height="{step}" fill="#181818b0"/>'
        f'<rect width="{step / 2}" height="{step}" fill="#18181870"/></pattern></defs>'
    ]
    for number, one in enumerate(drawn, 1):
        corners = text_of(tuple(one.points))
        parts.append(f'<polygon class="{one.kind}" points="{corners}"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="{radius:.1f}"/>' for x, y in one.points]
        x, y = (sum(values) / len(one.points) for values in zip(*one.points, strict=True))
        parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{4 * radius:.1f}">{number}</text>')
    if points:
        parts.append(f'<polyline class="open" points="{escape(text_of(tuple(points)))}"/>')
        parts += [f'<circle class="open" cx="{x}" cy="{y}" r="{radius:.1f}"/>' for x, y in points]
    return f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none">{"".join(parts)}</svg>'
