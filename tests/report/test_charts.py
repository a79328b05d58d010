import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from flawsight.report import LayerScore
from flawsight.report.charts import block_colours, histogram, layer_chart


def score(layer: str, order: int, p_h: float = 0.8, **others) -> LayerScore:
    values = {"block": "a", "kind": "conv", "stride": 8, "channels": 4, "defects": "nsa", "stage": "full"} | others
    return LayerScore(layer=layer, order=order, auroc=p_h, aupro=p_h, p_h=p_h, seconds=1.0, **values)


def dots(svg: str) -> list[ElementTree.Element]:
    return [node for node in ElementTree.fromstring(svg).iter("circle") if node.get("class") != "ring"]


def rings(svg: str) -> list[ElementTree.Element]:
    return [node for node in ElementTree.fromstring(svg).iter("circle") if node.get("class") == "ring"]


def bars(svg: str, kind: str) -> list[int]:
    nodes = [node for node in ElementTree.fromstring(svg).iter("rect") if node.get("class") == kind]
    return [int(node.findtext("title", "").split()[0]) for node in nodes]


def test_dots_follow_the_network_and_higher_is_better():
    svg = layer_chart([score("late", 9, 0.9), score("early", 2, 0.6), score("middle", 5, 0.7)], {})
    assert [dot.findtext("title") for dot in dots(svg)] == ["early: 60 %", "middle: 70 %", "late: 90 %"]
    across = [float(dot.get("cx", "")) for dot in dots(svg)]
    down = [float(dot.get("cy", "")) for dot in dots(svg)]
    assert across == sorted(across) and down == sorted(down, reverse=True)


def test_each_kind_has_a_panel_and_the_winners_a_ring_in_each(report):
    winners = {layer: number for number, member in enumerate(report.chosen, 1) for layer in member}
    svg = layer_chart(report.scores, winners)
    assert len(dots(svg)) == 3 * 148
    assert len(rings(svg)) == 3 * 3
    assert all(
        title in svg for title in ("Blended pieces (nsa)", "Misplaced pieces (cutpaste)", "Faint stains (subtle)")
    )


def test_a_full_measurement_replaces_the_coarse_one():
    svg = layer_chart([score("a", 0, 0.9), score("a", 0, 0.5, stage="coarse"), score("b", 1, 0.6, stage="coarse")], {})
    assert [dot.findtext("title") for dot in dots(svg)] == ["a: 90 %", "b: 60 %"]
    assert [dot.get("fill-opacity") for dot in dots(svg)] == [None, "0.4"]


def test_layers_without_a_figure_are_left_out():
    assert len(dots(layer_chart([score("a", 0), score("b", 1, float("nan"))], {}))) == 1
    assert dots(layer_chart([score("b", 1, float("nan"))], {})) == []


def test_perfect_and_hopeless_layers_stay_inside():
    svg = layer_chart([score("a", 0, 1.0), score("b", 1, 0.0)], {"a": 1})
    assert all(0 < float(dot.get("cy", "")) < 200 for dot in dots(svg))


def test_names_cannot_break_the_page():
    assert "<script>" not in layer_chart([score("<script>", 0, block="<script>", defects="<script>")], {"<script>": 1})


@pytest.mark.parametrize("count", [1, 9, 15, 40])
def test_every_block_has_its_own_colour(count):
    colours = block_colours([f"block{number}" for number in range(count)])
    assert len(set(colours.values())) == count
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours.values())


def test_names_of_narrow_blocks_do_not_overlap():
    scores = [score(str(order), order, block=f"b{order // 2 if order < 20 else 99}") for order in range(600)]
    svg = layer_chart(scores, {})
    spots = [float(spot) for spot in re.findall(r"rotate\(-40 ([\d.]+)", svg)]
    assert len(spots) == 11 and min(np.diff(spots)) >= 12


def test_long_names_of_blocks_are_shortened():
    svg = layer_chart(
        [score("a", 0, block="features.denseblock1"), score("b", 1, block="a_very_long_name_of_a_block")], {}
    )
    assert ">denseblock1<" in svg and ">…me_of_a_block<" in svg


def test_neighbouring_winners_are_numbered_apart():
    svg = layer_chart([score(str(order), order) for order in range(200)], {"100": 1, "101": 2})
    first, second = (re.search(rf'y="([\d.]+)"[^>]*>{number}</text>', svg) for number in (1, 2))
    assert first and second and abs(float(first[1]) - float(second[1])) > 16


def test_the_histogram_counts_every_picture_on_its_side():
    scores = np.array([1.0, 2.0, 2.0, 3.0, 3.0, 3.1, 9.0])
    svg = histogram(scores, 3.0)
    assert sum(bars(svg, "passed")) == 5 and sum(bars(svg, "stopped")) == 2
    assert "5 passed" in svg and "2 stopped" in svg


@pytest.mark.parametrize("threshold", [4.0, 0.0, -4.0])
def test_the_histogram_survives_equal_scores(threshold):
    assert sum(bars(histogram(np.full(5, threshold), threshold), "passed")) == 5


def test_the_chart_of_a_large_network_stays_small(report):
    scores = [
        replace(score(f"features.denseblock.denselayer{order}.conv", order), defects=kind)
        for order in range(708)
        for kind in ("nsa", "cutpaste", "simple", "perlin")
    ]
    assert len(layer_chart(scores, {})) < 500_000
