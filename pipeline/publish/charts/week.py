"""The hours of a week as a grid of days by hours, shaded by how far each is above an even spread."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pipeline.publish import palette
from pipeline.publish.charts.canvas import Canvas
from pipeline.publish.words import say

__all__ = ["WEEK_LIMITS", "week_grid", "week_key"]

_C = palette.LIGHT
WEEK_LIMITS = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Limits of the shades, in times an even spread over the week: the same in every grid, so that grids compare."""
_LEFT, _BOTTOM = 26.0, 13.0


def week_grid(
    hours: ArrayLike, *, marked: ArrayLike, cell_hours: int, width_pt: float, height_pt: float, label: str
) -> str:
    """Draw a week.

    Parameters
    ----------
    hours
        Incidents by hour, Monday's midnight first, shape (168,), not all zero.
    marked
        Hours that are framed, shape (168,): whole cells.
    cell_hours
        Hours of a cell: 1, or more where incidents are few.
    width_pt, height_pt
        Size of the drawing.
    label
        What it shows, in words.
    """
    cells = np.asarray(hours, dtype=np.float64).reshape(7, 24 // cell_hours, cell_hours).sum(axis=2)
    framed = np.asarray(marked, dtype=bool).reshape(7, 24 // cell_hours, cell_hours).all(axis=2)
    shade = np.digitize(cells / cells.mean(), WEEK_LIMITS)
    canvas = Canvas(width_pt=width_pt, height_pt=height_pt)
    # Days downwards, hours to the right; a plot counts upwards.
    plot = canvas.plot(_LEFT, _BOTTOM, width_pt - _LEFT - 6, height_pt - _BOTTOM - 2, units=(0.0, 7.0, 24.0, 0.0))
    for k in range(len(WEEK_LIMITS) + 1):
        rings = [_ring(day, part, cell_hours) for day, part in np.argwhere(shade == k).tolist()]
        plot.surface(rings, f"k{k}", fill=_C[f"s{k}"], stroke=_C["paper"], width=0.5)
    plot.surface(
        [_ring(day, part, cell_hours) for day, part in np.argwhere(framed).tolist()],
        "frame",
        fill="",
        stroke=_C["hot"],
        width=1.2,
    )
    for day in range(7):
        canvas.text(plot, 0, day + 0.5, say(f"hotspot.weekday.{day + 1}"), role="ax", anchor="end", dx=-4, dy=-3)
    for hour in (0, 6, 12, 18, 24):
        canvas.text(plot, hour, 7, f"{hour:02d}", role="ax", dy=-10)
    return canvas.svg(label, role="tr")


def _ring(day: int, part: int, cell_hours: int) -> list[tuple[float, float]]:
    left, right = float(part * cell_hours), float((part + 1) * cell_hours)
    return [(left, day), (right, day), (right, day + 1), (left, day + 1), (left, day)]


def week_key(words: Sequence[str], *, width_pt: float) -> str:
    """Draw the shades with what they mean, the lightest first."""
    height, each = 26.0, (width_pt - 4) / len(words)
    canvas = Canvas(width_pt=width_pt, height_pt=height)
    plot = canvas.plot(2, 0, width_pt - 4, height, units=(0.0, 0.0, width_pt - 4, height))
    for k, text in enumerate(words):
        left, right = k * each, (k + 1) * each - 3
        plot.surface(
            [[(left, 14), (right, 14), (right, 24), (left, 24), (left, 14)]],
            f"k{k}",
            fill=_C[f"s{k}"],
            stroke=_C["rule"],
            width=0.5,
        )
        canvas.text(plot, left, 3, text, role="ax", anchor="start")
    return canvas.svg(say("when.key_label"), role="tr")
