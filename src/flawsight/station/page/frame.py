"""What all pages have: the way to the others, the bundle, the theme, who is asking, and what must be said."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape
from typing import TypeVar
from urllib.parse import quote, unquote

from nicegui import run, ui

from flawsight.core import FlawsightError
from flawsight.station.bundles import Loaded
from flawsight.station.page.facts.news import News
from flawsight.station.page.words import say
from flawsight.station.station import Station

T = TypeVar("T")
NAME_COOKIE, THEME_COOKIE = "flawsight_name", "flawsight_theme"
PAGES = {
    "/": ("frame.live", "frame.live_key"),
    "/sensitivity": ("frame.sensitivity", "frame.sensitivity_key"),
    "/review": ("frame.review", "frame.review_key"),
    "/region": ("frame.region", "frame.region_key"),
    "/model": ("frame.model", "frame.model_key"),
}
THEMES = {"system": "frame.system", "light": "frame.light", "dark": "frame.dark"}
DARK = {"light": False, "dark": True}


@dataclass
class Visit:
    """One tab on one page: the station, the bundle it looks at, and the name of who looks, if it was given."""

    station: Station
    news: News
    bundle: str
    name: str

    @property
    def loaded(self) -> Loaded:
        """The bundle as it is now."""
        return self.station.bundles.get(self.bundle)


def html(content: str, tag: str = "div") -> ui.html:
    """Markup of ours: whoever puts a text from outside into it escapes it."""
    return ui.html(content, sanitize=False, tag=tag)


def visit(station: Station, news: News, path: str, bundle: str | None) -> Visit | None:
    """Draw the frame of a page; None where there is no such bundle, which is then said."""
    cookies = ui.context.client.request.cookies
    theme = cookies.get(THEME_COOKIE, "system")
    ui.dark_mode(DARK.get(theme))
    try:
        name = station.bundles.get(bundle).name
    except FlawsightError as error:
        _bar(station, path, station.bundles.default, theme)
        html(f'<p class="banner problem">{escape(str(error))}</p>')
        return None
    ui.page_title(f"{say(PAGES[path][0])} · {name} · Flawsight")
    _bar(station, path, name, theme)
    return Visit(station, news, name, unquote(cookies.get(NAME_COOKIE, "")))


def _bar(station: Station, path: str, bundle: str, theme: str) -> None:
    links = "".join(
        f'<a href="{to}?bundle={quote(bundle)}" data-key="{say(key)}" {"aria-current=page" if to == path else ""}>'
        f"{say(word)} <kbd>{say(key).upper()}</kbd></a>"
        for to, (word, key) in PAGES.items()
    )
    names = station.bundles.names
    options = "".join(
        f'<option value="{path}?bundle={quote(one)}" {"selected" if one == bundle else ""}>{escape(one)}</option>'
        for one in names
    )
    chooser = (
        f"<label>{say('frame.bundle')} <select data-goto>{options}</select></label>"
        if len(names) > 1
        else f"<span>{say('frame.bundle')} <b>{escape(bundle)}</b></span>"
    )
    themes = "".join(
        f'<option value="{one}" {"selected" if one == theme else ""}>{say(word)}</option>'
        for one, word in THEMES.items()
    )
    html(
        f'<b class="brand"><svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="10" cy="10" r="7"/>'
        f'<path d="M15.2 15.2 21 21M7 10l2.2 2.4L13.4 8"/></svg>Flawsight</b><nav>{links}</nav>'
        f'<span class="gap"></span>{chooser}<label>{say("frame.theme")} <select data-theme>{themes}</select></label>',
        tag="header",
    ).classes("bar")


def tell(text: object, is_error: bool = False) -> None:
    """Say something for a while; an error stays until it is closed."""
    ui.notify(
        str(text),
        position="top",
        multi_line=True,
        close_button=say("frame.close"),
        timeout=0 if is_error else 5000,
        classes="told problem" if is_error else "told",
    )


def telling(action: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[None]]:
    """The action, with its FlawsightError told to whoever asked for it."""
    client = ui.context.client  # the button may be gone before its action ends; the tab is not

    async def told(*values: object) -> None:
        with client:
            try:
                await action(*values)
            except FlawsightError as error:
                tell(error, is_error=True)

    return told


async def in_background(work: Callable[..., T], *values: object) -> T:
    """Run what waits for the disk in a thread: the page of nobody else waits for it."""
    done = await run.io_bound(lambda: (work(*values),))
    if done is None:  # so NiceGUI says that the station ends
        raise CancelledError
    return done[0]


def remember_name(seen: Visit, name: str) -> None:
    """Keep a name in the browser."""
    seen.name = name.strip()
    ui.run_javascript(f'remember("{NAME_COOKIE}", "{quote(seen.name)}")')


async def ask_who(seen: Visit, title: str, explained: str, with_reason: bool = True) -> tuple[str, str] | None:
    """Ask for a name and, unless otherwise said, a reason, both of which must be given; None for no."""
    with ui.dialog() as dialog, ui.element("div").classes("card ask"):
        ui.html(escape(title), sanitize=False, tag="h2")
        ui.label(explained)
        who = ui.input(say("ask.who"), value=seen.name).props("outlined dense autofocus")
        why = ui.input(say("ask.why")).props("outlined dense") if with_reason else None

        def answer() -> None:
            missing = [field for field in (who, why) if field is not None and not field.value.strip()]
            for field in missing:
                field.props(f'error error-message="{say("ask.missing")}" no-error-icon')
            if not missing:
                dialog.submit((who.value.strip(), why.value.strip() if why else ""))

        for field in (who, why):
            if field is not None:
                field.on("keydown.enter", answer)
        with ui.element("div").classes("hbox end"):
            button(say("ask.no"), lambda: dialog.submit(None))
            button(say("ask.yes"), answer, "main")
    given = await dialog
    dialog.delete()
    if given:
        remember_name(seen, given[0])
    return given


def button(text: str, action: Callable[..., object] | None, classes: str = "", key: str = "") -> ui.element:
    """A button; `key` presses it from the keyboard."""
    label = escape(text) + (f" <kbd>{escape(_seen(key))}</kbd>" if key else "")
    made = ui.element("button").classes(f"button {classes}").props("type=button")
    with made:
        html(label, tag="span")
    if key:
        made.props["data-key"] = key.lower()
    if action is not None:
        made.on("click", lambda: action())  # noqa: PLW0108  (the event is not for it)
    return made


def _seen(key: str) -> str:
    return {"ArrowRight": "→"}.get(key, key.upper())
