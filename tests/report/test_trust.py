"""The part of the page about trust: sentences for every outcome, and a chart that shows what was measured."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from flawsight.metrics import Pod, pod_curve
from flawsight.report import FitReport, FoundBySize, Trust, render_fit_report, write_found_page
from flawsight.report.trust.found import in_words, length, pod_chart

SIZES = np.repeat([1.0, 2, 4, 8, 16], 20)


def typical(a90: float = 7.0, slope: float = 4.0) -> Pod:
    odds = np.log(9) + slope * (np.log(SIZES) - np.log(a90))
    # As many of each size as the curve says, without chance.
    return pod_curve(SIZES, np.tile(np.arange(20) + 0.5, 5) / 20 < 1 / (1 + np.exp(-odds)))


@pytest.mark.parametrize(
    ("pod", "sentence"),
    [
        (pod_curve([1, 2, 26], [0, 0, 0]), "None of 3 scratches was found, not even those 26 px wide."),
        (pod_curve([1, 2, 26], [1, 1, 1]), "All 3 scratches were found, even those 1 px wide."),
        (
            pod_curve([1, 4, 6, 9], [0, 0, 1, 1]),
            "It begins between 4 px and 6 px wide: all smaller scratches were",
        ),
        (pod_curve([1, 1, 2, 4], [0, 1, 1, 1]), "All scratches 2 px wide or more were found, 50 % of those 1 px."),
        (
            pod_curve([1, 2, 2, 4], [0, 0, 1, 1]),
            "All scratches 4 px wide or more were found, 50 % of those 2 px, and none",
        ),
        (pod_curve([1, 26, 26], [0, 1, 0]), "Not reached: even of scratches 26 px wide only 50 % are found."),
        (pod_curve([1, 2] * 10, [1] * 19 + [0]), "Size makes no difference here: 95 % of all scratches were found"),
        (typical(40, 2), "Not reached: even of scratches 16 px wide only"),
    ],
)
def test_every_outcome_has_its_sentence(pod: Pod, sentence: str) -> None:
    assert in_words(pod, "scratches", "wide").startswith(sentence)


def test_a_curve_in_words() -> None:
    pod = typical()
    assert pod.a90 and pod.a90_95
    found = re.fullmatch(
        r"9 of 10 spots (\S+) px across are found \(with 95 % confidence: from (\S+) px\)\. Below (\S+) px fewer than "
        r"1 in 10 are\.",
        in_words(pod, "spots", "across"),
    )
    assert found
    a90, surely, a10 = (float(one) for one in found.groups())
    assert a90 == pytest.approx(pod.a90, abs=0.06) and surely == pytest.approx(pod.a90_95, abs=0.6)
    assert float(pod.at(a10)) == pytest.approx(0.1, abs=0.02)
    few = pod_curve([1, 2, 3, 4, 4.1, 5, 6, 7, 8], [0, 0, 0, 1, 0, 1, 1, 1, 1])
    assert few.a90_95 is None and "for 95 % confidence the 9 trials do not suffice" in in_words(few, "spots", "across")
    assert "6.6 px (0.066 mm) across" in in_words(typical(), "spots", "across", 0.01)


def test_lengths() -> None:
    assert [length(one) for one in (1, 2.04, 4.26, 9.96, 123.4)] == ["1 px", "2 px", "4.3 px", "10 px", "123 px"]
    assert length(12, 0.05) == "12 px (0.6 mm)"


class Shapes(HTMLParser):
    def __init__(self, svg: str) -> None:
        super().__init__()
        self.dots: list[tuple[str, float, float]] = []
        self.lines: dict[str, list[tuple[float, float]]] = {}
        self.cuts: list[float] = []
        self.feed(svg)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        own = dict(attrs)
        if tag == "circle":
            self.dots.append((own["class"], float(own["cx"]), float(own["cy"])))
        if "points" in own:
            points = [tuple(float(part) for part in point.split(",")) for point in own["points"].split()]
            self.lines[own["class"]] = points  # type: ignore[assignment]
        if tag == "line" and own.get("class") == "cut":
            self.cuts.append(float(own["x1"]))


def test_the_chart_shows_what_was_found() -> None:
    pod = typical()
    chart = pod_chart([("Spots", pod)])
    shapes = Shapes(chart)
    assert [kind for kind, *_ in shapes.dots] == ["stopped" if hits == 0 else "passed" for hits in pod.hits]
    assert "8 px: 19 of 20 found" in chart or f"8 px: {pod.hits[3]} of 20 found" in chart
    xs, ys = [x for _, x, _ in shapes.dots], [y for *_, y in shapes.dots]
    assert np.allclose(np.diff(xs), np.diff(xs)[0], atol=0.2)  # sizes double, in a logarithmic scale
    assert ys == sorted(ys, reverse=True)  # more is higher
    line, band = np.array(shapes.lines["front"]), np.array(shapes.lines["sure"])
    upper, lower = band[: len(line)], band[: len(line) - 1 : -1]
    assert (upper[:, 1] <= line[:, 1] + 0.06).all() and (lower[:, 1] >= line[:, 1] - 0.06).all()
    assert shapes.cuts and np.interp(shapes.cuts[0], line[:, 0], line[:, 1]) == pytest.approx(
        232 - 0.9 * (232 - 44), abs=0.5
    )
    assert not Shapes(pod_chart([("Spots", pod_curve([1, 2], [0, 0]))])).lines


def test_panels_share_their_axes() -> None:
    small, large = pod_curve([1, 2, 4], [0, 1, 1]), pod_curve([1, 50, 100], [0, 1, 1])
    xs = [x for _, x, _ in Shapes(pod_chart([("a", small), ("b", large)])).dots]
    assert xs[2] - xs[0] < 0.5 * (xs[5] - xs[3])


def test_many_sizes_are_drawn_together() -> None:
    sizes = np.arange(1, 101)
    shapes = Shapes(pod_chart([("Real", pod_curve(sizes, sizes > 50))]))
    assert len(shapes.dots) == 10


def test_the_page_has_it_near_its_top(report: FitReport) -> None:
    trust = Trust(
        least_seen=3.2,
        found=[FoundBySize("scratch", typical(), report.examples[0], 8), FoundBySize("spot", pod_curve([1], [0]))],
        pictures=40,
        contrast=4.0,
    )
    page = render_fit_report(replace(report, trust=trust))
    assert page.index("Can I trust it?") < page.index("What its answers look like")
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for said in (
        "9 of 10 scratches 6.6 px wide",
        "None of 1 spots was found",
        "on 40 good pictures",
        "about 3.2 px across",
    ):
        assert said in text
    assert "A scratch 8 px wide: found" in text and "counted on 240 different parts" in text
    assert "Can I trust it?" not in render_fit_report(report)


def test_the_page_of_real_defects(tmp_path: Path) -> None:
    from dataclasses import asdict

    rows = [{"from": 1.0, "to": 4.0, "defects": 10, "found": 3, "expected": 4.5}]
    pod = {"real": asdict(typical()), "artificial": asdict(typical(9)), "contrast": 4.0, "by_size": rows}
    page = write_found_page(tmp_path / "pod.html", "<b>Bottle", pod).read_text()
    assert "&lt;b&gt;Bottle" in page and "<b>Bottle" not in page
    assert "30 %" in page and "45 %" in page and page.count('class="front"') == 2
    alone = {**pod, "artificial": None, "contrast": None, "by_size": [{**rows[0], "expected": None}]}
    page = write_found_page(tmp_path / "pod.html", "Bottle", alone).read_text()
    assert "says nothing of artificial defects" in page and page.count('class="front"') == 1


def test_nine_in_ten_of_one_size_is_reached() -> None:
    curve = pod_curve([5.0] * 20, [True] * 19 + [False])
    assert curve.found_from == 5.0
    assert in_words(curve, "spots", "across") == "95 % of the spots 5 px across were found."
