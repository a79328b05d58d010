"""The page in a real browser, over a real station."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from flawsight.station.learning import Comparison, LearningState, Side


def verdict(tab: Any) -> str:
    return tab.locator(".huge .word").inner_text()


def wait_until(tab: Any, holds: Callable[[], bool]) -> None:
    for _ in range(300):
        if holds():
            return
        tab.wait_for_timeout(100)
    raise AssertionError("it did not come to be")


def answer(tab: Any, who: str, why: str | None = "a test") -> None:
    """Fill in the dialog that asks who and why."""
    fields = tab.locator(".q-dialog .ask input")
    fields.nth(0).fill(who)
    if why is not None:
        fields.nth(1).fill(why)
    tab.locator(".q-dialog button.main").click()
    tab.wait_for_selector(".q-dialog", state="detached")


def revisions(served: Any) -> list[dict]:
    loaded = served.station.bundles.get()
    return json.loads((loaded.folder / "inspector.json").read_text(encoding="utf-8"))["revisions"]


def test_live_shows_each_verdict_as_it_comes(served: Any, open_tab: Callable[..., Any]) -> None:
    tab = open_tab()
    for seed, inspect, word in (
        (700, served.bad, "DEFECTIVE"),
        (701, served.good, "GOOD"),
        (702, served.bad, "DEFECTIVE"),
    ):
        record = inspect(seed)
        tab.wait_for_selector(f'.stage img[src$="{record.id}"]')
        assert verdict(tab) == word
        assert record.picture in tab.locator(".name").inner_text()
        ready = (
            "() => [...document.querySelectorAll('.live .stage > img')].every(e => e.complete && e.naturalWidth > 0)"
        )
        tab.wait_for_function(ready)
    assert tab.locator(".live .lines polygon").count() == 2 * len(record.regions)
    tab.locator(".strip .thumb").first.click()
    tab.wait_for_selector(f'.q-dialog .stage img[src$="{record.id}"]')


def test_a_picture_that_cannot_be_inspected_is_said(served: Any, open_tab: Callable[..., Any]) -> None:
    tab = open_tab()
    name = "broken<img src=x onerror='window.hurt=1'>.png"
    served.station.submit(b"no picture", name, source="rest").result(30)
    wait_until(tab, lambda: verdict(tab) == "NOT INSPECTED")
    assert name in tab.locator(".name").inner_text() and not tab.evaluate("window.hurt")
    served.good(705)
    wait_until(tab, lambda: verdict(tab) == "GOOD")


def test_a_picture_given_by_hand_is_inspected(served: Any, open_tab: Callable[..., Any]) -> None:
    tab = open_tab()
    picture = {"name": "by-hand.png", "mimeType": "image/png", "buffer": served.file(710)}
    tab.locator(".drop input[type=file]").set_input_files(picture)
    tab.wait_for_selector(".q-dialog .facts")
    assert "by-hand.png" in tab.locator(".q-dialog .facts").inner_text()
    assert served.station.history.latest(1)[0].source == "page"


def test_a_threshold_is_dragged_approved_and_undone(served: Any, open_tab: Callable[..., Any]) -> None:
    for seed in range(720, 730):
        served.good(seed)
    before = served.station.bundles.get().inspector.threshold
    tab = open_tab("/sensitivity")
    thumb = tab.locator(".histogram .q-slider__thumb")
    place, figures = thumb.bounding_box(), tab.locator(".compare").inner_text()
    x, y = place["x"] + place["width"] / 2, place["y"]
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x - 200, y, steps=5)
    tab.mouse.up()
    wait_until(tab, lambda: tab.locator(".changes .thumb").count() > 0)
    assert tab.locator(".compare").inner_text() != figures
    shown = float(tab.locator(".hbox input").first.input_value())
    assert shown < before
    scores = served.station.history.scores(served.station.bundles.default).score
    flipped = int(((scores > shown) & (scores <= before)).sum())
    # While the pointer moves the page shows what thresholds on the way would have done.
    wait_until(tab, lambda: tab.locator(".changes b").inner_text() == str(flipped))
    assert served.station.bundles.get().inspector.threshold == before

    tab.locator("button.main").click()
    tab.locator(".q-dialog button.main").click()  # neither who nor why: it stays open
    answer(tab, "A. Smith", "too few are stopped")
    wait_until(tab, lambda: len(revisions(served)) == 2)
    kept = revisions(served)[-1]
    assert (kept["by"], kept["why"]) == ("A. Smith", "too few are stopped")
    assert kept["point"]["threshold"] == pytest.approx(shown, abs=1e-4)
    wait_until(tab, lambda: "too few are stopped" in tab.locator("table").last.inner_text())

    tab.get_by_role("button", name="Undo the last change").click()
    answer(tab, "A. Smith", "back again")
    wait_until(tab, lambda: len(revisions(served)) == 3)
    assert served.station.bundles.get().inspector.threshold == before


def test_the_line_moves_by_keys_and_by_number(served: Any, open_tab: Callable[..., Any]) -> None:
    served.good(731)
    tab = open_tab("/sensitivity")
    number = tab.locator(".hbox input").first
    start = float(number.input_value())
    tab.locator(".histogram [tabindex='0']").focus()
    for _ in range(5):
        tab.keyboard.press("ArrowLeft")
    place = tab.locator(".histogram [role='slider']")

    def is_followed() -> bool:
        shown = float(number.input_value())
        return shown < start and abs(float(place.get_attribute("aria-valuenow")) - shown) < 1e-3

    wait_until(tab, is_followed)  # the last key has come back: it would undo what is typed
    number.fill("3.5")
    wait_until(tab, lambda: "3.5" in tab.locator(".compare tr").nth(1).inner_text())


def test_a_bundle_changed_on_the_disk_is_said_and_not_overwritten(served: Any, open_tab: Callable[..., Any]) -> None:
    served.good(732)
    tab = open_tab("/sensitivity")
    path = served.station.bundles.get().folder / "inspector.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "\n", encoding="utf-8")
    try:
        tab.locator(".hbox input").first.fill("4")
        wait_until(tab, lambda: tab.locator("button.main").is_enabled())
        tab.locator("button.main").click()
        answer(tab, "A. Smith")
        tab.wait_for_selector(".told.problem")
        assert "reload" in tab.locator(".told.problem").inner_text()
        assert path.read_text(encoding="utf-8") == text + "\n"
    finally:
        path.write_text(text, encoding="utf-8")


def test_pictures_are_marked_with_keys(served: Any, open_tab: Callable[..., Any]) -> None:
    history, bundle = served.station.history, served.station.bundles.default
    records = [served.bad(seed) for seed in range(740, 745)]
    tab = open_tab("/review")
    tab.wait_for_selector(f'.stage img[src$="{records[4].id}"]')
    # Somebody else marks the next one meanwhile: it is not shown again.
    history.mark(records.pop(3).id, "defective", "D. White")
    before = history.rates(bundle)

    def press(key: str, record: Any) -> None:
        tab.wait_for_selector(f'.stage img[src$="{record.id}"]')
        tab.wait_for_timeout(300)
        tab.keyboard.press(key)

    press("2", records[3])
    answer(tab, "B. Jones", None)
    press("1", records[2])
    press("s", records[1])
    press("2", records[0])
    wait_until(tab, lambda: history.get(records[0].id).mark == "defective")
    assert [history.get(record.id).mark for record in records] == ["defective", None, "good", "defective"]
    assert history.get(records[0].id).marked_by == "B. Jones"
    wait_until(tab, lambda: "3 marked here" in tab.locator(".side").inner_text())
    tab.keyboard.press("z")
    wait_until(tab, lambda: history.get(records[0].id).mark is None)
    tab.wait_for_selector(f'.stage img[src$="{records[0].id}"]')

    rates = history.rates(bundle)
    assert (rates.n_good, rates.n_defective) == (before.n_good + 1, before.n_defective + 1)
    wait_until(tab, lambda: f"{rates.found_defective} of {rates.n_defective}" in tab.locator(".rates").inner_text())
    tab.get_by_role("button", name="labelled set").click()
    folder = tab.locator(".page code").first.inner_text()
    assert "evaluate" in tab.locator(".page pre").first.inner_text()
    from pathlib import Path

    assert len(list(Path(folder).rglob("*.png"))) == rates.n_good + rates.n_defective


def test_a_second_tab_sees_the_same_at_the_same_time(served: Any, open_tab: Callable[..., Any]) -> None:
    tabs = [open_tab(), open_tab(), open_tab("/model")]
    for inspect in (served.bad, served.good):
        record = inspect(750)
        for tab in tabs[:2]:
            tab.wait_for_selector(f'.stage img[src$="{record.id}"]')
    tabs[0].keyboard.press("e")
    tabs[0].wait_for_selector(".histogram")
    record = served.bad(752)
    tabs[1].wait_for_selector(f'.stage img[src$="{record.id}"]')


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768)], ids=str)
def test_every_page_in_the_dark_fits_and_complains_of_nothing(
    served: Any, open_tab: Callable[..., Any], size: tuple[int, int]
) -> None:
    served.bad(760)
    for path in ("/", "/sensitivity", "/review", "/region", "/model"):
        tab = open_tab(path, "dark", size)
        tab.wait_for_timeout(500)
        assert tab.evaluate("document.documentElement.scrollWidth") <= size[0], path
        colour = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]]) < 60


def test_the_theme_stays(served: Any, open_tab: Callable[..., Any]) -> None:
    tab = open_tab("/model")
    tab.locator("[data-theme]").select_option("dark")
    tab.wait_for_selector("body.body--dark")
    tab.reload()
    tab.wait_for_selector("body.body--dark")


def test_the_model_is_explained(served: Any, open_tab: Callable[..., Any]) -> None:
    tab = open_tab("/model")
    manifest = served.station.bundles.get().inspector.manifest
    text = tab.locator(".page").inner_text()
    assert manifest.data.fingerprint in text
    assert all(layer in text for layers in manifest.layers for layer in layers)
    link = tab.get_by_role("link", name="Report of the fit")
    report = tab.request.get(served.url + link.get_attribute("href"))
    assert report.ok and "sandbox" in report.headers["content-security-policy"]
    tab.get_by_role("button", name="Reload").click()
    tab.wait_for_selector(".told")


def test_what_is_drawn_is_ignored(served: Any, open_tab: Callable[..., Any]) -> None:
    record = served.bad(770)
    assert record.verdict == "defective"
    tab = open_tab("/region")
    tab.wait_for_selector(f'.stage img[src$="{record.id}"]')
    tab.wait_for_timeout(300)
    box = tab.locator(".stage").bounding_box()
    # Around the spot, with room for what the network smears.
    corners = ((0.5, 0.45), (0.99, 0.45), (0.99, 0.99), (0.5, 0.99))
    for n, (x, y) in enumerate(corners, 1):
        tab.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        wait_until(tab, lambda n=n: tab.locator(".drawing circle").count() == n)
    tab.locator("h1").click()
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".drawing polygon.ignore")
    tab.get_by_role("button", name="Apply").click()
    answer(tab, "C. Brown", "the clamp")
    wait_until(tab, lambda: bool(revisions(served)[-1]["judged"]))
    wait_until(tab, lambda: served.station.bundles.get().inspector.judged is not None)
    mask = served.station.bundles.get().inspector.judged.mask
    assert not mask[60, 80] and mask[10, 10] and 0.2 < 1 - mask.mean() < 0.35
    again = served.bad(771)
    assert again.verdict == "good" and again.score < record.score
    served.station.bundles.set_ignored(None, None, "C. Brown", "all again")


def test_one_chooses_between_the_old_and_the_new(
    served: Any, open_tab: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = [
        Side(threshold=4.0, stated_rate=0.1, stopped_good=stopped, found_defective=5, auroc=0.9) for stopped in (3, 1)
    ]
    comparison = Comparison(old=sides[0], new=sides[1], n_good=20, n_defective=6, notes=("Only 6 pictures",))
    states = {"now": LearningState("running", "learning", since=time.time(), by="A. Smith", log=("layer 3 of 9",))}
    adopted: list[tuple[str, ...]] = []

    def adopt(*given: str) -> str:
        adopted.append(given)
        states["now"] = LearningState()
        return "plates.before"

    monkeypatch.setattr(served.station.learning, "state", lambda bundle: states["now"])
    monkeypatch.setattr(served.station.learning, "adopt", adopt)
    tab = open_tab("/review", name="A.%20Smith")
    tab.wait_for_selector(".again progress")
    states["now"] = LearningState("failed", reason="no good pictures <b>here</b>")
    tab.wait_for_selector(".again .banner")
    assert "<b>here</b>" in tab.locator(".again .banner").inner_text()
    states["now"] = LearningState("ready", comparison=comparison)
    tab.wait_for_selector(".again .compare")
    text = tab.locator(".again").inner_text()
    assert "3 of 20" in text and "1 of 20" in text and "Only 6 pictures" in text
    tab.get_by_role("button", name="Use the new one").click()
    answer(tab, "A. Smith", None)
    wait_until(tab, lambda: adopted == [(served.station.bundles.default, "A. Smith")])
    tab.wait_for_selector(".told")


def test_an_alarm_of_drift_stands_until_somebody_says_that_its_cause_is_mended(
    served: Any, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab(name="Grace Hopper")
    assert not tab.locator(".banner.alarm").is_visible()
    for seed in range(4000, 4040):
        served.bad(seed)
    tab.wait_for_selector(".banner.alarm", state="visible")
    said = served.station.standing().alarm.text
    assert said in tab.locator(".banner.alarm").inner_text()
    other = open_tab("/model")
    assert said in other.locator(".page").inner_text()
    tab.locator(".banner.alarm button").click()
    answer(tab, "Grace Hopper", "the lens was <b>wiped</b>")
    tab.wait_for_selector(".banner.alarm", state="hidden")
    assert served.station.standing().alarm is None
    (reset,) = served.station.drift_resets()
    assert (reset.by, reset.alarm) == ("Grace Hopper", said)
    other.reload()
    row = other.locator("table tr", has_text="wiped").inner_text()
    assert "the lens was <b>wiped</b>" in row and said in row
