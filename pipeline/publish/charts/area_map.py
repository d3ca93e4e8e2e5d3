"""The map of an area: its parts filled by class, pale neighbours, water, hotspots; and where it lies."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

import shapely

from pipeline.publish import palette
from pipeline.publish.charts.canvas import Canvas
from pipeline.publish.words import say

__all__ = ["Ground", "HotspotMark", "Labels", "Neighbour", "NoClass", "Part", "area_map", "folded", "locator"]


_WIDE = 0.54
"""Mean width of a letter, in ems of the page's sans-serif."""


def _rings(shape: Any) -> list[Any]:
    """Return the rings of a polygon or multipolygon, each of shape (n, 2)."""
    polygons = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and not p.is_empty]
    return [shapely.get_coordinates(ring) for p in polygons for ring in (p.exterior, *p.interiors)]


# Places for labels where they touch no other.


def folded(words: str, *, longest: int = 11, most: int = 3) -> tuple[str, ...]:
    """Break a name into short lines at its spaces; what does not fit ends in an ellipsis.

    >>> folded("Knightsbridge & Belgravia"), folded("St James's")
    (('Knightsbridge', '& Belgravia'), ("St James's",))
    """
    lines: list[str] = []
    for word in words.split():
        if lines and len(lines[-1]) + 1 + len(word) <= longest:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1] + "…"]
    return tuple(line if len(line) <= 2 * longest else line[: 2 * longest - 1] + "…" for line in lines)


@dataclass(slots=True)
class Labels:
    """Boxes taken so far, in points from the lower left corner."""

    width_pt: float
    height_pt: float
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def block(self, x: float, y: float, half_width: float, half_height: float) -> None:
        """Keep words away from a place."""
        self.taken.append((x - half_width, y - half_height, x + half_width, y + half_height))

    def place(self, x: float, y: float, lines: Sequence[str], *, size_pt: float) -> tuple[float, float] | None:
        """Find a free place for centred lines near a point, and take it.

        Returns
        -------
        centre
            Where the middle of the words goes; None if they fit nowhere near.
        """
        half_w = max(len(line) for line in lines) * size_pt * _WIDE / 2
        half_h = len(lines) * size_pt * 0.56
        for steps_x, steps_y in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1.4, 1), (-1.4, -1), (0, 1.8), (0, -1.8)):
            cx, cy = x + steps_x * size_pt, y + steps_y * size_pt
            box = (cx - half_w, cy - half_h, cx + half_w, cy + half_h)
            inside = box[0] > 2 and box[1] > 2 and box[2] < self.width_pt - 2 and box[3] < self.height_pt - 2
            if inside and not any(
                box[0] < b[2] and box[2] > b[0] and box[1] < b[3] and box[3] > b[1] for b in self.taken
            ):
                self.taken.append(box)
                return cx, cy
        return None


_C = palette.LIGHT
_INVERSE = {"s4", "s5"}
"""Fills so dark that names turn white."""

_PART_PT = 7.0
_NEIGHBOUR_PT = 7.8


class NoClass(StrEnum):
    """Why an area has no class of the rate; each value is a class of the style sheet."""

    TOO_FEW = "few"
    NOT_OFFERED = "unoffered"
    NO_RATE = "none"
    NOT_COVERED = "bare"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the area: outline in metres, name, and fill: `s1` to `s5` or a value of `NoClass`."""

    shape: Any
    name: str
    fill: str
    radius_pt: float = 0.0
    """Radius of a circle of the count, where there are no rates to fill with."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An area beside it."""

    shape: Any
    name: str


@dataclass(frozen=True, slots=True)
class HotspotMark:
    """An outline with the number on its badge."""

    shape: Any
    number: str


@dataclass(frozen=True, slots=True)
class Ground:
    """Public information under the hotspots: water, main roads (both None where there are none), names of places."""

    water: Any = None
    roads: Any = None
    places: tuple[tuple[str, float, float], ...] = ()
    """Name, easting and northing in metres; the most important first."""


MOST_PLACES = 7
"""More names of places would leave no room for those of the parts."""
_PLACE_PT = 8.2


def _fill(fill: str) -> str:
    return _C[fill] if fill in _C else _C["land"]


class _Frame:
    """Metres to points: the area in the middle, a margin round it."""

    def __init__(self, canvas: Canvas, outline: Any, margin: float) -> None:
        left, low, right, high = outline.bounds
        width, height = max(right - left, 1.0) * (1 + 2 * margin), max(high - low, 1.0) * (1 + 2 * margin)
        self.pt_per_m = min(canvas.width_pt / width, canvas.height_pt / height)
        x, y = (left + right) / 2, (low + high) / 2
        half_w, half_h = canvas.width_pt / 2 / self.pt_per_m, canvas.height_pt / 2 / self.pt_per_m
        self.box = (x - half_w, y - half_h, x + half_w, y + half_h)
        self.plot = canvas.plot(0, 0, canvas.width_pt, canvas.height_pt, units=self.box)

    def points(self, x: float, y: float) -> tuple[float, float]:
        return (x - self.box[0]) * self.pt_per_m, (y - self.box[1]) * self.pt_per_m


def _widened(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Widen a view: a page may give the map less height, never more width."""
    across, up = 0.35 * (box[2] - box[0]), 0.12 * (box[3] - box[1])
    return box[0] - across, box[1] - up, box[2] + across, box[3] + up


def area_map(
    *,
    outline: Any,
    parts: Sequence[Part],
    neighbours: Sequence[Neighbour],
    water: Any,
    hotspots: Sequence[HotspotMark],
    width_pt: float,
    height_pt: float,
    label: str,
    margin: float = 0.05,
    ground: Ground | None = None,
) -> str:
    """Draw the map.

    Parameters
    ----------
    outline, parts, neighbours, water, hotspots
        Shapes in metres, in one projected system.
    label
        What the picture shows, for those who do not see it.
    margin
        Room round the area, as a share of its size.
    ground
        What lies under the hotspots, so that a reader knows the place.

    Returns
    -------
    svg
        One element. Names that do not fit are left out: the table has them all. Neighbours and water reach over its
        view box, so that a page may show the map in a box of other proportions.
    """
    canvas = Canvas(width_pt=width_pt, height_pt=height_pt)
    frame = _Frame(canvas, outline, margin)
    plot = frame.plot
    view = shapely.box(*frame.box)
    sight = shapely.box(*_widened(frame.box))
    labels = Labels(width_pt, height_pt)
    clipped = [Neighbour(n.shape.intersection(sight), n.name) for n in neighbours if n.shape.intersects(sight)]
    for neighbour in clipped:
        plot.surface(_rings(neighbour.shape), "ghost", fill=_C["ground"], stroke=_C["pattern"], width=0.5)
    if water is not None and not water.is_empty:
        plot.surface(_rings(water.intersection(sight)), "water", fill=_C["water"])
    for part in parts:
        plot.surface(_rings(part.shape), part.fill, fill=_fill(part.fill), stroke=_C["wardline"], width=0.6)
    known = ground or Ground()
    _draw_ground(plot, known, sight, pt_per_m=frame.pt_per_m)
    plot.surface(_rings(outline), "edge", fill="", stroke=_C["ink"], width=1.3)
    for part in parts:
        if part.radius_pt:
            at = part.shape.representative_point()
            plot.circle(at.x, at.y, part.radius_pt, "dot", fill=_C["dot"], stroke=_C["halo"], width=0.7)
    for mark in hotspots:
        plot.surface(_rings(mark.shape), "hot", fill="", stroke=_C["halo"], width=3.4)
        plot.surface(_rings(mark.shape), "hot", fill="", stroke=_C["hot"], width=1.6)
    _scale_bar(canvas, frame, labels)
    badges = [_badge_at(mark, frame, labels) for mark in hotspots]
    _place_names(canvas, frame, labels, known, outline)
    _part_names(canvas, frame, labels, parts)
    _neighbour_names(canvas, frame, labels, clipped, view)
    for mark, badge in zip(hotspots, badges, strict=True):
        if badge is not None:
            x, y = badge
            plot.dots([x], [y], size=14, fill=_C["hot"], rim=_C["halo"], width=1.2)
            canvas.text(plot, x, y, mark.number, role="bd", dy=-2.8)
    return canvas.svg(label, role="map")


def _draw_ground(plot: Any, ground: Ground, sight: Any, *, pt_per_m: float) -> None:
    """Draw water over the fills, and roads in two strokes, one of which shows on every class."""
    if ground.water is not None:
        plot.surface(_rings(ground.water.intersection(sight)), "water", fill=_C["water"])
    if ground.roads is not None:
        seen = shapely.simplify(ground.roads.intersection(sight), 0.3 / pt_per_m)
        parts = [p for p in shapely.get_parts(seen) if p.geom_type == "LineString" and not p.is_empty]
        lines = [shapely.get_coordinates(p) for p in parts]
        plot.lines(lines, "rc", colour=_C["ctx-case"], width=1.3)
        plot.lines(lines, "rk", colour=_C["ctx-core"], width=0.6)


def _place_names(canvas: Canvas, frame: _Frame, labels: Labels, ground: Ground, outline: Any) -> None:
    """Name the places inside: readers know them, whatever the parts are called."""
    shapely.prepare(outline)
    named = 0
    for name, x, y in ground.places:
        if named == MOST_PLACES:
            return
        lines = folded(name, longest=14)
        if not lines or not shapely.intersects_xy(outline, x, y):
            continue
        place = labels.place(*frame.points(x, y), lines, size_pt=_PLACE_PT)
        if place is not None:
            _lines(canvas, frame, place, lines, _PLACE_PT * 1.1, "pn")
            named += 1


def _badge_at(mark: HotspotMark, frame: _Frame, labels: Labels) -> tuple[float, float] | None:
    """Put the badge on the north-east rim inside the picture, so that the middle stays in sight."""
    inside = mark.shape.intersection(shapely.box(*frame.box).buffer(-9 / frame.pt_per_m))
    points = shapely.get_coordinates(inside)
    if len(points) == 0:
        return None
    x, y = max(points.tolist(), key=lambda p: (p[1] + 0.3 * p[0], p))
    labels.block(*frame.points(x, y), 8, 8)
    return x, y


def _part_names(canvas: Canvas, frame: _Frame, labels: Labels, parts: Sequence[Part]) -> None:
    for part in sorted(parts, key=lambda p: (-p.shape.area, p.name)):
        circle = shapely.maximum_inscribed_circle(_largest(part.shape), tolerance=max(10.0, part.shape.length / 500))
        centre = shapely.get_point(circle, 0)
        if shapely.length(circle) * frame.pt_per_m < 4.5:
            continue
        lines = folded(part.name)
        if not lines:
            continue
        place = labels.place(*frame.points(centre.x, centre.y), lines, size_pt=_PART_PT)
        if place is not None:
            role = "wl inv" if part.fill in _INVERSE else "wl"
            _lines(canvas, frame, place, lines, _PART_PT * 1.1, role)


def _neighbour_names(canvas: Canvas, frame: _Frame, labels: Labels, clipped: Sequence[Neighbour], view: Any) -> None:
    for neighbour in sorted(clipped, key=lambda g: (-g.shape.area, g.name)):
        seen = neighbour.shape.intersection(view)
        if seen.area * frame.pt_per_m**2 < 900:
            continue
        centre = shapely.get_point(shapely.maximum_inscribed_circle(_largest(seen), tolerance=40.0), 0)
        lines = folded(neighbour.name)
        place = labels.place(*frame.points(centre.x, centre.y), lines, size_pt=_NEIGHBOUR_PT) if lines else None
        if place is not None:
            _lines(canvas, frame, place, lines, _NEIGHBOUR_PT * 1.12, "nb")


def _largest(shape: Any) -> Any:
    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"]
    return max(parts, key=lambda p: p.area) if parts else shape


def _lines(  # noqa: PLR0917 - a place, what stands there, and how
    canvas: Canvas, frame: _Frame, place: tuple[float, float], lines: Sequence[str], step: float, role: str
) -> None:
    x = frame.box[0] + place[0] / frame.pt_per_m
    y = frame.box[1] + place[1] / frame.pt_per_m
    for k, line in enumerate(lines):
        canvas.text(frame.plot, x, y, line, role=role, dy=(len(lines) - 1) * step / 2 - k * step - step * 0.32)


def _scale_bar(canvas: Canvas, frame: _Frame, labels: Labels) -> None:
    long_m = next((m for m in (50000, 20000, 10000, 5000, 2000, 1000, 500, 200) if m * frame.pt_per_m < 70), 100)
    reach = long_m * frame.pt_per_m
    right, low = frame.box[2] - 9 / frame.pt_per_m, frame.box[1] + 9 / frame.pt_per_m
    left, tick = right - long_m, 4 / frame.pt_per_m
    frame.plot.line([left, left, right, right], [low + tick, low, low, low + tick], colour=_C["ink-2"], width=1.0)
    words = say("chart.km", n=long_m // 1000) if long_m >= 1000 else say("chart.m", n=long_m)
    canvas.text(frame.plot, (left + right) / 2, low, words, role="sc", dy=3.5)
    labels.block(canvas.width_pt - 9 - reach / 2, 14, reach / 2 + 4, 12)


def locator(*, shapes: Sequence[Any], chosen: int, width_pt: float, label: str, role: str = "loc") -> str:
    """Draw where the area lies in the region.

    Parameters
    ----------
    shapes
        Outlines of all areas of its level, in metres.
    chosen
        Index of the area.
    role
        Class of the drawing.
    """
    return _locator(tuple(shapes), chosen, width_pt, label, role)


@lru_cache(maxsize=128)  # the profiles of a run have the same areas
def _locator(shapes: tuple[Any, ...], chosen: int, width_pt: float, label: str, role: str) -> str:
    bounds = shapely.total_bounds(list(shapes))
    across, up = max(float(bounds[2] - bounds[0]), 1.0), max(float(bounds[3] - bounds[1]), 1.0)
    height_pt = min(1.2, up / across) * (width_pt - 4) + 4
    canvas = Canvas(width_pt=width_pt, height_pt=height_pt)
    frame = _Frame(canvas, shapely.box(*bounds), 0.01)
    for k, shape in enumerate(shapes):
        if k != chosen:
            rings = _rings(shape.simplify(0.4 / frame.pt_per_m))
            frame.plot.surface(rings, "lo", fill=_C["ground"], stroke=_C["paper"], width=0.7)
    rings = _rings(shapes[chosen].simplify(0.2 / frame.pt_per_m))
    frame.plot.surface(rings, "lo", fill=_C["ink"], stroke=_C["paper"], width=0.7)
    return canvas.svg(label, role=role)
