"""The picture of a backtest: how many later incidents each method caught in the same area, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.publish import palette
from pipeline.publish.charts.canvas import Canvas

__all__ = ["CaughtBar", "caught_chart"]

_C = palette.LIGHT
_ROW_PT = 19.0


@dataclass(frozen=True, slots=True)
class CaughtBar:
    """One row: a method, what it caught in per cent with its interval, and words at its right.

    Attributes
    ----------
    stands_apart
        True for what is no method under test (random, hindsight) or marks less area: drawn hollow.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    note: str
    stands_apart: bool = False


def caught_chart(rows: Sequence[CaughtBar], *, title: str, axis: str, label: str, standalone: bool = False) -> str:
    """Draw one row per method, from 0 to the most that was caught.

    Parameters
    ----------
    rows
        In the order of reading, the best first.
    title, axis
        Words over the picture and under its axis.
    label
        What assistive technology reads.
    standalone
        As a file of its own, with its size and its style.
    """
    name_pt, note_pt, width_pt = 190.0, 116.0, 640.0
    height_pt = 54 + _ROW_PT * max(len(rows), 1)
    canvas = Canvas(width_pt=width_pt, height_pt=height_pt)
    if standalone:
        canvas.add("rect", f' width="{width_pt:g}" height="{height_pt:g}" fill="{_C["paper"]}"')
        canvas.add(
            "style", "", f"text{{font:10px sans-serif;fill:{_C['ink']}}}.title{{font-size:12px;font-weight:700}}"
        )
    top = max([1.0, *(row.value for row in rows), *(row.high or 0.0 for row in rows)]) * 1.03
    units = (0.0, 0.0, top, float(max(len(rows), 1)))
    plot = canvas.plot(name_pt, 30, width_pt - name_pt - note_pt, height_pt - 54, units=units)
    step = next(s for s in (0.2, 0.5, 1, 2, 5, 10, 20, 25, 50) if top / s < 7.5)
    for k in range(int(top / step) + 1):
        plot.line([k * step] * 2, [0.0, units[3]], colour=_C["rule"], width=0.8)
        canvas.text(plot, k * step, 0.0, f"{k * step:g}", role="tick", dy=-13)
    for place, row in enumerate(rows):
        y = units[3] - place - 0.5
        colour = _C["ink-3"] if row.stands_apart else _C["hot"]
        if row.low is not None and row.high is not None:
            plot.line([row.low, row.high], [y, y], colour=colour, width=3.4)
        fill = _C["paper"] if row.stands_apart else colour
        plot.dots([row.value], [y], size=7.5, fill=fill, rim=colour, width=1.6)
        canvas.text(plot, 0.0, y, row.name, role="name", anchor="end", dx=-9, dy=-3.4)
        canvas.text(plot, top, y, row.note, role="note", anchor="start", dx=8, dy=-3.4)
    canvas.text(plot, 0.0, units[3], title, role="title", anchor="start", dx=-name_pt + 6, dy=11)
    canvas.text(plot, top / 2, 0.0, axis, role="axis", dy=-26)
    size = f' xmlns="http://www.w3.org/2000/svg" width="{width_pt:g}pt" height="{height_pt:g}pt"' if standalone else ""
    return canvas.svg(label, attributes=size)
