import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.metrics import Metrics
from flawsight.report import DefectExample, render_fit_report, write_fit_report
from flawsight.report.plain_language import percent
from flawsight.scoring import ColourScale


class Page(HTMLParser):
    """The page's text, pictures and addresses; fails on tags left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "hr", "br", "link", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)


@pytest.fixture(scope="module")
def html(report) -> str:
    return render_fit_report(report)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_the_page_is_one_small_file_without_the_network(html, page):
    assert len(html) < 1_500_000
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in page.addresses)
    assert not re.search(r"<script|@import|url\(|http", html)


def test_it_works_in_the_dark_and_printed(html):
    assert "prefers-color-scheme: dark" in html and "@media print" in html and 'name="viewport"' in html


def test_the_first_screen_speaks_plainly(page):
    first = page.text.split("What its answers look like")[0]
    assert "Machined tiles, line 4" in first
    assert "240 pictures of good parts" in first
    assert "8 in 1,000 good parts are stopped by mistake" in first
    assert "You asked for at most 10 in 1,000." in first
    assert "Fine texture (not used)" in first and "Medium structures (not used)" not in first
    assert not re.search(r"layer|AU-|P_h|stride|conv|feature map", first)


def test_too_few_pictures_are_admitted(report_of_few, page):
    assert "Too few good pictures" not in page.text
    text = Page(render_fit_report(report_of_few)).text
    assert "Too few good pictures" in text
    assert "no better promise than about 24 in 1,000" in text and "pictures of at least 99 good parts" in text


def test_artificial_defects_come_with_figures_and_a_caution(report, page):
    best = max((s for s in report.scores if s.defects == "nsa" and (s.layer,) in report.chosen), key=lambda s: s.p_h)
    assert f"{100 * best.auroc:.0f} %" in page.text
    assert "A caution. These defects are artificial" in page.text
    assert "best chosen layer alone" in page.text


def test_figures_of_the_finished_choice_replace_those_of_single_layers(report):
    text = Page(render_fit_report(replace(report, found={"scratch": Metrics(0.9871, 0.4321)}))).text
    assert "almost always, 99 %" in text and "43 %" in text and "1 of 1 kinds" in text
    assert "best chosen layer alone" not in text


def test_the_commands_can_be_copied(page):
    assert "flawsight inspect 'bundles/machined tiles' folder --out results" in page.text
    assert "flawsight evaluate 'bundles/machined tiles' dataset --out figures" in page.text


def test_winners_shares_timings_and_settings_are_all_there(report, page):
    for layers in report.chosen:
        assert page.text.count(layers[0]) >= 2
    for expected in ("37 %", "1 min 11 s", "extractor.weights_sha256", "579344248a93e230", "resize", "auto"):
        assert expected in page.text


def test_every_example_is_shown_and_all_kinds_first(report, page, html):
    gallery = html.split('id="gallery"')[1].split("</section")[0]
    assert gallery.count('alt="outline of the defect"') == 12
    captions = re.findall(r"Artificial defect: ([a-z ]+)", html.split("What to do next")[0])
    assert captions == ["blended pieces", "misplaced pieces", "faint stains"]


def test_a_defect_below_the_limit_is_called_so(report):
    hot, cold = report.examples[0], replace(report.examples[1], anomaly_map=np.zeros((256, 256), np.float32))
    html = render_fit_report(replace(report, examples=[hot, cold], good_examples=[]))
    assert html.count("below the limit here") == 2  # once on top, once in the gallery


def test_heat_maps_may_have_a_middle_of_their_own(report):
    """Where scores are not maxima of maps, the operating point says nothing of colours."""
    peak = float(report.examples[0].anomaly_map.max())
    low = report.colour_scale.low
    point = replace(report.operating_point, threshold=-3.0)
    hot = replace(
        report,
        examples=report.examples[:1],
        good_examples=[],
        operating_point=point,
        colour_scale=ColourScale(low, peak - 1),
    )
    assert "below the limit here" not in render_fit_report(hot)
    assert "operating point -3<" in render_fit_report(hot)
    assert "below the limit here" in render_fit_report(replace(hot, colour_scale=ColourScale(low, peak + 1)))
    with pytest.raises(FlawsightError, match="low < threshold"):
        replace(report, colour_scale=ColourScale(low, low - 1))


@pytest.mark.parametrize("order", [1, -1])
def test_several_detectors_are_one_row_and_one_dot_a_layer(report, order):
    """A chosen layer's figures are those of the detector that was chosen for it, whoever else has read it."""
    scores = [replace(score, detector="knn", stage="full") for score in report.scores]
    better = [replace(score, detector="gaussian", p_h=min(1.0, score.p_h + 0.004)) for score in scores]
    both = replace(report, scores=[*scores, *better][::order], detectors=["knn", "gaussian", "knn"])
    html = render_fit_report(both)
    text = Page(html).text
    assert "148 layers were tried" in text and "2 methods" in text
    assert html.count("<circle ") == 3 * (148 + 3)
    for layers, detector in zip(report.chosen, both.detectors, strict=True):
        own = [score for score in (scores if detector == "knn" else better) if score.layer == layers[0]]
        row = html.split(f"<td><code>{layers[0]}</code><small>read by {detector}</small>")[1].split("</tr>")[0]
        for score in own:
            assert f'<td class="num">{percent(score.p_h, 1)}</td>' in row
            assert f"<title>{score.layer}: {percent(score.p_h)}</title>" in html


def test_one_detector_is_named_but_not_counted(report, page):
    assert "methods" not in page.text and "read by" not in page.text
    named = [replace(score, detector="knn") for score in report.scores]
    text = Page(render_fit_report(replace(report, scores=named, detectors=["knn"] * 3))).text
    assert text.count("read by knn") == 3 and "methods" not in text


def test_a_report_without_a_search_is_still_a_report(report):
    bare = replace(report, scores=[], examples=[], good_examples=[], timings={}, settings={}, product={})
    text = Page(render_fit_report(bare)).text
    assert "not measured" in text and "What its answers look like" not in text and report.chosen[0][0] in text


def test_unmeasured_figures_are_dashes_not_zeros(report):
    nothing = {"auroc": float("nan"), "aupro": float("nan"), "p_h": float("nan")}
    scores = [replace(score, **nothing) if score.defects == "nsa" else score for score in report.scores]
    html = render_fit_report(replace(report, scores=scores))
    assert '<td class="num">–</td>' in html and ">nan" not in html
    assert "2 kinds of artificial defects" in Page(html).text


def test_names_cannot_break_the_page(report):
    html = render_fit_report(replace(report, title="<script>alert(1)</script>", settings={"<b>": "<i>"}))
    assert "<script>" not in html and "&lt;i&gt;" in html


def test_it_is_written_as_utf8_and_the_same_each_time(report, tmp_path):
    write_fit_report(tmp_path / "a.html", report)
    write_fit_report(tmp_path / "b.html", report)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert "·" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_an_unwritable_place_is_named(report, tmp_path):
    with pytest.raises(FlawsightError, match="missing"):
        write_fit_report(tmp_path / "missing" / "report.html", report)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"summary": {}}, "good_images"),
        ({"calibration_scores": np.array([])}, "Calibration scores"),
        ({"calibration_scores": np.array([1.0, np.nan])}, "Calibration scores"),
        ({"chosen": []}, "chosen layers"),
    ],
)
def test_incomplete_reports_are_refused(report, changes, message):
    with pytest.raises(FlawsightError, match=message):
        replace(report, **changes)


def test_colours_need_a_cold_end_below_their_middle(report):
    with pytest.raises(FlawsightError, match="low < threshold"):
        replace(report, colour_scale=ColourScale(1e9, report.operating_point.threshold))


def test_examples_must_fit_together(report):
    example = report.examples[0]
    with pytest.raises(FlawsightError, match="share height and width"):
        DefectExample("nsa", example.image, example.mask[1:], example.anomaly_map)
