"""The Lorenz curve of incidents over places, beside that of as many incidents scattered at random."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.publish import palette
from pipeline.publish.charts.canvas import Canvas
from pipeline.publish.words import fine_pct_text, say

__all__ = ["LorenzCurve", "lorenz_chart"]

_C = palette.LIGHT
_ENDS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True, slots=True)
class LorenzCurve:
    """A curve in per cent of units and of incidents.

    Attributes
    ----------
    units_pct
        Where the curve is given, from 0 to 100.
    incidents_pct, chance_pct
        Share of incidents on these units, and the same of incidents scattered at random.
    marks
        Share of incidents and the share of units that hold it.
    """

    units_pct: Sequence[float]
    incidents_pct: Sequence[float]
    chance_pct: Sequence[float]
    marks: Sequence[tuple[float, float]]


def lorenz_chart(curve: LorenzCurve, *, units: str, width_pt: float, height_pt: float) -> str:
    """Draw a Lorenz curve with the units that have most incidents first.

    Parameters
    ----------
    curve
        At least two places.
    units
        What incidents are counted by, several of them: "wards".
    width_pt, height_pt
        Size of the drawing.
    """
    # The curve bends at its start: the axis ends where it has reached nearly everything.
    whole = next((x for x, y in zip(curve.units_pct, curve.incidents_pct, strict=True) if y >= 99.0), 100.0)
    end = next(e for e in _ENDS if e >= min(whole, 100.0))
    xs = [x for x in curve.units_pct if x < end] + [end]
    incidents, by_chance = (np.interp(xs, curve.units_pct, y).tolist() for y in (curve.incidents_pct, curve.chance_pct))
    canvas = Canvas(width_pt=width_pt, height_pt=height_pt)
    plot = canvas.plot(34, 34, width_pt - 44, height_pt - 46, units=(0.0, 0.0, end, 100.0))
    for level in (0, 25, 50, 75, 100):
        plot.line([0, end], [level, level], colour=_C["rule"], width=0.6)
        canvas.text(plot, 0, level, str(level), role="ax", anchor="end", dx=-5, dy=-2.6)
    for k in range(6):
        canvas.text(plot, k * end / 5, 0, f"{k * end / 5:g}", role="ax", dy=-11)
    canvas.text(plot, end / 2, 0, say("chart.lorenz.share_of", units=units), role="ax", dy=-25)
    canvas.text(plot, 0, 100, say("chart.lorenz.incidents"), role="ax", anchor="start", dx=-20, dy=11)
    plot.line(xs, by_chance, colour=_C["bar-hover"], width=1.3, dash="3 2")
    # Named where there is room below the curve, at two thirds of the axis.
    at = next((k for k, x in enumerate(xs) if x >= end * 0.62), len(xs) - 1)
    canvas.text(plot, xs[at], by_chance[at], say("chart.lorenz.chance"), role="ax", anchor="start", dx=4, dy=-11)
    plot.line(xs, incidents, colour=_C["ink"], width=1.9)
    for share, pct in curve.marks:
        plot.dots([pct], [share], size=5.0, fill=_C["hot"], rim=_C["paper"], width=0.8)
        canvas.text(plot, pct, share, fine_pct_text(pct), role="en b", anchor="start", dx=7, dy=-6)
    marks = " ".join(say("chart.lorenz.mark", share=f"{share:g}", pct=fine_pct_text(pct)) for share, pct in curve.marks)
    return canvas.svg(say("chart.lorenz.label", units=units, marks=marks), role="tr")
