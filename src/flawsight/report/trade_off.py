"""What a picture may take against what is seen in it: the choices of a fit within a time for each picture."""

import math
from collections.abc import Sequence
from html import escape

from flawsight.report.charts import LEFT, RIGHT, WIDTH, axis_text, axis_ticks, svg
from flawsight.report.inputs import SpeedOption
from flawsight.report.plain_language import number

TOP, BASE = 30, 250


def trade_off_chart(options: Sequence[SpeedOption], budget: float) -> str:
    """Return P_h against milliseconds of every option; the front is joined, the chosen one named."""
    slowest = max(option.milliseconds for option in options) * 1.1
    low = math.floor(20 * min(option.p_h for option in options)) / 20
    high = math.ceil(20 * max(option.p_h for option in options)) / 20

    def across(milliseconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * milliseconds / slowest

    def up(p_h: float) -> float:
        return BASE - (BASE - TOP) * (p_h - low) / max(high - low, 0.05)

    front = [option for option in options if option.is_on_front]
    chosen = [option for option in options if option.is_chosen]
    path = " ".join(f"{across(one.milliseconds):.1f},{up(one.p_h):.1f}" for one in front)
    dots = [
        f'<circle class="{"passed" if one.milliseconds <= budget else "slow"}" cx="{across(one.milliseconds):.1f}" '
        f'cy="{up(one.p_h):.1f}" r="{7 if one.is_chosen else 4}"><title>{escape(one.layers)}: '
        f"{one.milliseconds:.1f} ms, P_h {100 * one.p_h:.1f}</title></circle>"
        for one in (*options, *chosen)
    ]
    marks = [
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{BASE}" y2="{BASE}"/>',
        axis_text(LEFT - 8, TOP - 8, "P_h", "end"),
        f'<polyline class="front" points="{path}"/>',
        *(axis_text(across(tick), BASE + 20, number(tick)) for tick in axis_ticks(0, slowest)),
        *(axis_text(LEFT - 8, up(tick) + 4, number(100 * tick), "end") for tick in axis_ticks(low, high, 4)),
        axis_text((LEFT + WIDTH - RIGHT) / 2, BASE + 42, "milliseconds a picture on the machine of this fit"),
    ]
    if budget <= slowest:  # else all keep to it
        line = across(budget)
        marks += [
            f'<line class="cut" x1="{line:.1f}" x2="{line:.1f}" y1="{TOP}" y2="{BASE + 6}"/>',
            axis_text(line, TOP - 8, f"at most {number(budget)} ms", "end" if budget > slowest / 2 else "start"),
        ]
    return svg(BASE + 54, "What is seen of artificial defects (P_h) against milliseconds a picture", [*marks, *dots])
