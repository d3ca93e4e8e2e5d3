"""Charts of a hotspot's own page: the streets around its outline, and columns over time."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from pipeline.publish import palette
from pipeline.publish.charts.area_map import Labels, Neighbour, _Frame, _lines, _rings, _scale_bar, folded
from pipeline.publish.charts.canvas import Canvas
from pipeline.publish.words import whole

__all__ = ["Column", "Landmark", "Streets", "columns", "hotspot_map"]

_C = palette.LIGHT
AROUND = 3.0
"""The map shows this many times the outline's size: what lies around tells a reader where it is."""
_LEAST_M = 900.0
"""And no less than this across: closer, a map of main roads and stations is empty."""
_NAME_PT = 7.4
MOST_NAMES = 14


@dataclass(frozen=True, slots=True)
class Landmark:
    """A station or a place with its name, in metres; the most important first."""

    kind: str
    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Streets:
    """Public layers around the outline, in metres; None where there are none."""

    water: Any = None
    green: Any = None
    rail: Any = None
    roads: Any = None
    landmarks: tuple[Landmark, ...] = ()


def _parts_of(shape: Any, sight: Any) -> list[Any]:
    found = shapely.get_parts(shape.intersection(sight))
    return [shapely.get_coordinates(p) for p in found if p.geom_type == "LineString" and not p.is_empty]


def hotspot_map(
    *,
    outline: Any,
    number: str,
    cores: Sequence[tuple[str, Any]] = (),
    areas: Sequence[Neighbour],
    boroughs: Sequence[Neighbour],
    streets: Streets,
    width_pt: float,
    height_pt: float,
    label: str,
) -> str:
    """Draw an outline with the streets around it: context below, the outline above.

    Parameters
    ----------
    outline, areas, boroughs, streets
        Shapes in metres, in one projected system; areas and boroughs with their names.
    number
        What stands in the badge.
    cores
        Numbers and outlines of its densest parts.
    label
        What the picture shows, for those who do not see it.

    Returns
    -------
    svg
        One element. Names that do not fit are left out.
    """
    canvas = Canvas(width_pt=width_pt, height_pt=height_pt)
    left, low, right, high = outline.bounds
    reach = max(AROUND * max(right - left, (high - low) * width_pt / height_pt), _LEAST_M) / 2
    x, y = (left + right) / 2, (low + high) / 2
    tall = reach * height_pt / width_pt
    frame = _Frame(canvas, shapely.box(x - reach, y - tall, x + reach, y + tall), 0.0)
    plot, sight = frame.plot, shapely.box(*frame.box)
    _ground(plot, sight, areas, boroughs, streets)
    plot.surface(_rings(outline), "hot", fill=_C["hot"], opacity=0.1)
    for _, core in cores:
        plot.surface(_rings(core), "hot", fill=_C["hot"], opacity=0.25)
        plot.surface(_rings(core), "hot", fill="", stroke=_C["hot"], width=1.0)
    plot.surface(_rings(outline), "hot", fill="", stroke=_C["halo"], width=4.0)
    plot.surface(_rings(outline), "hot", fill="", stroke=_C["hot"], width=2.0)

    labels = Labels(width_pt, height_pt)
    _scale_bar(canvas, frame, labels)
    corner = max(shapely.get_coordinates(outline).tolist(), key=lambda p: (p[1] + 0.3 * p[0], p))
    labels.block(*frame.points(*corner), 9, 9)
    middles = [(core_number, core.representative_point()) for core_number, core in cores]
    for _, at in middles:
        labels.block(*frame.points(at.x, at.y), 7, 6)
    _names(canvas, frame, labels, streets, sight)
    for area in sorted(areas, key=lambda a: (-a.shape.area, a.name)):
        _area_name(canvas, frame, labels, area, sight)
    for core_number, at in middles:
        plot.dots([at.x], [at.y], size=12, fill=_C["hot"], rim=_C["halo"], width=0.8)
        canvas.text(plot, at.x, at.y, core_number, role="cb", dy=-2.2)
    plot.dots([corner[0]], [corner[1]], size=15, fill=_C["hot"], rim=_C["halo"], width=1.2)
    canvas.text(plot, corner[0], corner[1], number, role="bd", dy=-2.8)
    return canvas.svg(label, role="map")


def _ground(plot: Any, sight: Any, areas: Sequence[Neighbour], boroughs: Sequence[Neighbour], streets: Streets) -> None:
    """Draw what lies under the outline."""
    plot.surface(_rings(sight), "ground", fill=_C["ground"])
    for area in areas:
        plot.surface(_rings(area.shape.intersection(sight)), "land", fill=_C["land"])
    if streets.green is not None:
        plot.surface(_rings(streets.green.intersection(sight)), "green", fill=_C["ctx-green"])
    for area in areas:
        plot.lines(_parts_of(area.shape.boundary, sight), "wardline", colour=_C["pattern"], width=0.5)
    for borough in boroughs:
        plot.lines(_parts_of(borough.shape.boundary, sight), "boroline", colour=_C["ink-3"], width=1.0)
    if streets.water is not None:
        plot.surface(_rings(streets.water.intersection(sight)), "water", fill=_C["water"])
    if streets.rail is not None:
        plot.lines(_parts_of(streets.rail, sight), "rail", colour=_C["ctx-rail"], width=1.1)
    if streets.roads is not None:
        lines = _parts_of(streets.roads, sight)
        # Two strokes: the casing shows on pale ground, the core on strong ground.
        plot.lines(lines, "rc", colour=_C["ctx-case"], width=2.6)
        plot.lines(lines, "rk", colour=_C["land"], width=1.4)


def _names(canvas: Canvas, frame: _Frame, labels: Labels, streets: Streets, sight: Any) -> None:
    """Mark the stations, and name stations and places where there is room."""
    places = [(one.x, one.y) for one in streets.landmarks]
    inside = shapely.intersects_xy(sight, np.reshape(places, (-1, 2))).tolist()
    seen = list(itertools.compress(streets.landmarks, inside))
    for one in seen:
        if one.kind == "station":
            frame.plot.circle(one.x, one.y, 2.4, "station", fill=_C["halo"], stroke=_C["ctx-dot"], width=1.2)
            labels.block(*frame.points(one.x, one.y), 3, 3)
    named: set[str] = set()
    for one in seen:
        lines = folded(one.name, longest=16)
        if not lines or one.name in named or len(named) == MOST_NAMES:
            continue
        across, up = frame.points(one.x, one.y)
        beside = (0.0, 8.0) if one.kind == "station" else (0.0, 0.0)
        place = labels.place(across + beside[0], up + beside[1], lines, size_pt=_NAME_PT)
        if place is not None:
            _lines(canvas, frame, place, lines, _NAME_PT * 1.1, "st" if one.kind == "station" else "pn")
            named.add(one.name)


def _area_name(canvas: Canvas, frame: _Frame, labels: Labels, area: Neighbour, sight: Any) -> None:
    part = area.shape.intersection(sight)
    if part.area * frame.pt_per_m**2 < 1400:
        return
    at, lines = part.representative_point(), folded(area.name, longest=14)
    place = labels.place(*frame.points(at.x, at.y), lines, size_pt=6.8) if lines else None
    if place is not None:
        _lines(canvas, frame, place, lines, 7.5, "wl")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its count, what the region's count is when scaled to the first, and whether it is of the window."""

    count: int
    scaled: float
    chosen: bool


def columns(given: Sequence[Column], *, ticks: Sequence[tuple[int, str]], width_pt: float, label: str) -> str:
    """Draw counts as columns with the region's course as a line over them.

    Parameters
    ----------
    given
        At least one, oldest first.
    ticks
        Position of a column and the words under it.
    width_pt
        Width of the drawing; it is 84 points high.
    """
    height_pt = 84.0
    canvas = Canvas(width_pt=width_pt, height_pt=height_pt)
    top = max(1.0, *(max(c.count, c.scaled) for c in given)) * 1.18
    plot = canvas.plot(2, 14, width_pt - 4, height_pt - 16, units=(0.0, 0.0, float(len(given)), top))
    for k, column in enumerate(given):
        ring = [(k + 0.08, 0.0), (k + 0.92, 0.0), (k + 0.92, column.count), (k + 0.08, column.count), (k + 0.08, 0.0)]
        fill = _C["ink"] if column.chosen else _C["bar"]
        plot.surface([ring], "col", fill=fill)
        canvas.text(plot, k + 0.5, max(column.count, column.scaled), whole(column.count), role="ax", dy=4)
    xs = [k + 0.5 for k in range(len(given))]
    plot.line(xs, [c.scaled for c in given], colour=_C["paper"], width=3.0)
    plot.line(xs, [c.scaled for c in given], colour=_C["hot"], width=1.3, dash="3 2")
    plot.line([0, len(given)], [0, 0], colour=_C["ink-2"], width=0.8)
    for k, text in ticks:
        canvas.text(plot, k + 0.5, 0, text, role="ax", dy=-10)
    return canvas.svg(label, role="tr")
