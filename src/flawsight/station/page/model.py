"""Model: what was chosen and why, what is stated, and where it all comes from."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from nicegui import ui

from flawsight.bundle import Manifest
from flawsight.report.plain_language import frequency, kind_looks, kind_name, number, percent, scale_of
from flawsight.station.page.frame import Visit, button, html, in_background, tell, telling
from flawsight.station.page.sensitivity import COLUMNS, revision_cells
from flawsight.station.page.stage import when
from flawsight.station.page.words import say

VIEWS = {"squash": "model.view_squash", "whole": "model.view_whole", "tiles": "model.view_tiles"}


class ModelPage:
    """One tab's view."""

    def __init__(self, seen: Visit) -> None:
        self.seen = seen
        with ui.element("div").classes("page vbox"):
            self._body = ui.element("div").classes("vbox")
            self._fill()

    def _fill(self) -> None:
        loaded = self.seen.loaded
        manifest = loaded.inspector.manifest
        self._body.clear()
        with self._body:
            with ui.element("div").classes("hbox"):
                html(say("model.title", name=escape(loaded.name)), tag="h1")
                ui.space()
                if (loaded.folder / "report.html").is_file():
                    link = f'<a class="button" href="/page/report/{quote(loaded.name)}" target="_blank" rel="noopener">'
                    html(f"{link}{say('model.report')}</a>", tag="span")
                button(say("model.reload"), telling(self._reload))
            html(_cards(manifest))
            with ui.element("div").classes("two"):
                html(_seen(manifest)).classes("card")
                html(_layers(manifest)).classes("card")
            with ui.element("div").classes("two"):
                html(_runtime(manifest, loaded.inspector.backend.name)).classes("card")
                html(_revisions(manifest)).classes("card")
            html(_drift(self.seen)).classes("card")
            facts = _provenance(manifest)
            facts[say("model.folder")] = str(loaded.folder.absolute())
            facts[say("model.digest")] = loaded.digest
            facts[say("model.loaded")] = when(loaded.loaded_at)
            html(f"<h2>{say('model.provenance')}</h2>{_table(facts)}").classes("card")

    async def _reload(self) -> None:
        await in_background(self.seen.station.bundles.reload, self.seen.bundle)
        self._fill()
        tell(say("model.reloaded"))


def _cards(manifest: Manifest) -> str:
    point, data = manifest.operating_point, manifest.data
    height, width = (data.pixels.sizes if data.pixels and data.pixels.sizes else (("–", "–"),))[0]
    cards = [
        (say("model.learned"), f"{data.images:,}", say("model.learned_long", size=f"{width} × {height}")),
        (
            say("model.threshold"),
            number(point.threshold),
            say("model.threshold_long", rate=percent(point.rate, 1), frequency=frequency(point.rate)),
        ),
        (
            say("model.looks_at"),
            f"{manifest.extractor.image_size} × {manifest.extractor.image_size}",
            say(VIEWS[manifest.view.kind]),
        ),
    ]
    drawn = "".join(
        f'<div class="card"><h2>{name}</h2><p class="big">{escape(big)}</p><p class="soft">{escape(text)}</p></div>'
        for name, big, text in cards
    )
    return f'<div class="cards">{drawn}</div>'


def _seen(manifest: Manifest) -> str:
    selection = manifest.selection
    if selection is None:
        return f"<h2>{say('model.why')}</h2><p>{say('model.fixed')}</p>"
    tried = say(
        "model.tried",
        layers=selection.layers_tried,
        methods=", ".join(selection.detectors),
        images=selection.images_used,
    )
    rows = "".join(
        f"<tr><td>{escape(kind_name(kind))}<small>{escape(kind_looks(kind))}</small></td>"
        f'<td><div class="meter good"><i style="width: {100 * max(0.0, value):.0f}%"></i></div></td>'
        f"<td>{value:.2f}</td></tr>"
        for kind, value in selection.p_h.items()
    )
    head = f"<tr><th>{say('model.kind')}</th><th></th><th>P<sub>h</sub></th></tr>"
    return (
        f"<h2>{say('model.why')}</h2><p>{escape(tried)}</p><table>{head}{rows}</table>"
        f'<p class="soft">{say("model.p_h")}</p>'
    )


def _layers(manifest: Manifest) -> str:
    known = {layer.name: layer for layer in manifest.extractor.layers}
    rows = ""
    for layers, members in manifest.readings.items():
        detector, share = members[0].detector.name, sum(one.calibration.weight for one in members)
        for name in layers:
            looks = scale_of(known[name].stride) if name in known else "–"
            rows += (
                f"<tr><td><code>{escape(name)}</code><small>{escape(looks)}</small></td>"
                f"<td>{escape(detector)}</td><td>{percent(share)}</td></tr>"
            )
    head = "".join(f"<th>{say(key)}</th>" for key in ("model.layer", "model.method", "model.share"))
    network = escape(manifest.extractor.name)
    return (
        f"<h2>{say('model.chosen')}</h2><p>{say('model.network', network=network)}</p>"
        f"<table><tr>{head}</tr>{rows}</table>"
    )


def _runtime(manifest: Manifest, backend: str) -> str:
    model = manifest.runtime
    if model is None:
        return f"<h2>{say('model.runtime')}</h2><p>{say('model.no_runtime')}</p>"
    head = "".join(
        f"<th>{say(key)}</th>" for key in ("model.backend", "model.compared", "model.differs", "model.flips")
    )
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{parity.images}</td><td>{parity.score_difference:.1g}</td>"
        f"<td>{parity.flips}</td></tr>"
        for name, parity in model.parity.items()
    )
    runs = say("model.runs", backend=escape(backend), format=model.format, precision=model.precision)
    return f"<h2>{say('model.runtime')}</h2><p>{runs}</p><table><tr>{head}</tr>{rows}</table>"


def _revisions(manifest: Manifest) -> str:
    title = f"<h2>{say('sensitivity.revisions')}</h2>"
    if not manifest.revisions:
        return f'{title}<p class="soft">{say("sensitivity.no_revisions")}</p>'
    head = "".join(f"<th>{say(key)}</th>" for key in COLUMNS)
    rows = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in revision_cells(one))}</tr>"
        for one in reversed(manifest.revisions)
    )
    return f"{title}<table><tr>{head}</tr>{rows}</table>"


def _drift(seen: Visit) -> str:
    now, resets = seen.station.standing(seen.bundle), seen.station.drift_resets(seen.bundle)
    said = escape(now.alarm.text) if now.alarm else say("model.no_alarm", pictures=f"{now.pictures:,}")
    head = "".join(f"<th>{say(key)}</th>" for key in (*COLUMNS[:3], "model.taken_back"))
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in (when(one.at), one.by, one.why, one.alarm))}</tr>"
        for one in resets
    )
    table = f"<table><tr>{head}</tr>{rows}</table>" if resets else ""
    return f"<h2>{say('model.drift')}</h2><p>{said}</p>{table}"


def _provenance(manifest: Manifest) -> dict[str, str]:
    return {
        say("model.fingerprint"): manifest.data.fingerprint,
        say("model.weights"): f"{manifest.extractor.weights_source} · {manifest.extractor.weights_sha256}",
        say("model.seed"): str(manifest.seed),
        say("model.versions"): ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
        say("model.files"): ", ".join(f"{name} {digest[:12]}…" for name, digest in manifest.files.items()),
    }


def _table(facts: dict[str, str]) -> str:
    rows = "".join(f"<tr><td>{name}</td><td><code>{escape(value)}</code></td></tr>" for name, value in facts.items())
    return f'<table class="facts">{rows}</table>'
