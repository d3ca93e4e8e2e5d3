"""Compact outlines without gaps: simplified as a coverage, cut into shared arcs, coded as differences.

Neighbours share the arc of their common border, so it is stored once and drawn twice in the same place: no gaps, no
slivers, whatever the simplification. Coordinates are whole hundred-thousandths of a degree, about a metre.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = [
    "UNITS_PER_DEGREE",
    "Topology",
    "decode_arc",
    "delta_code",
    "dissolve_rings",
    "inscribed_circles",
    "quantised_lines",
    "quantised_rings",
    "simplify_coverage",
    "topology",
    "water_gaps",
]

UNITS_PER_DEGREE = 100_000

Point = tuple[int, int]
Ring = tuple[Point, ...]
"""Closed, without repeating the first point. Outer rings run anticlockwise, holes clockwise."""


@dataclass(frozen=True, slots=True)
class Topology:
    """Shapes as lists of rings, rings as lists of arcs.

    Attributes
    ----------
    arcs
        Each a chain of points in units of 1e-5 degree, longitude first.
    shapes
        Layer, shape, ring, arc numbers. Arc k run backwards is written as -k - 1.
    """

    arcs: tuple[Ring, ...]
    shapes: tuple[tuple[tuple[tuple[int, ...], ...], ...], ...]


def simplify_coverage(shapes: NDArray[Any], *, tolerance_m: float) -> NDArray[Any]:
    """Simplify polygons that share borders, moving every shared border the same way on both sides.

    Parameters
    ----------
    shapes
        Polygons or multipolygons in metres, shape (n,).
    tolerance_m
        Roughly the largest detail removed, in metres; 0 keeps everything.

    Returns
    -------
    simplified
        The same number of shapes, none empty: one that would vanish is not simplified.

    References
    ----------
    Visvalingam and Whyatt (1993), as `shapely.coverage_simplify` applies it to coverages.
    """
    if tolerance_m <= 0 or len(shapes) == 0:
        return shapes.copy()
    simple = shapely.coverage_simplify(shapes, tolerance_m)
    # A tiny island may vanish: it is kept, because an area without an outline cannot be clicked or printed.
    lost = shapely.is_empty(simple) | shapely.is_missing(simple)
    return np.where(lost, shapes, simple)


def inscribed_circles(shapes: NDArray[Any], *, tolerance_m: float = 20.0) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Find the best place for a label: the largest circle inside the largest part of each shape.

    Parameters
    ----------
    shapes
        Polygons or multipolygons in metres, shape (n,).
    tolerance_m
        Accuracy of the centre, in metres.

    Returns
    -------
    radii_m
        Radii in metres, shape (n,).
    centres
        Points in the same system, shape (n,).
    """
    largest = []
    for shape in shapes:
        parts = shapely.get_parts(shape)
        largest.append(parts[int(np.argmax(shapely.area(parts)))])
    lines = shapely.maximum_inscribed_circle(np.array(largest, dtype=object), tolerance=tolerance_m)
    return shapely.length(lines), shapely.get_point(lines, 0)


def water_gaps(outline: Any, *, closing_m: float = 900.0, smallest_km2: float = 0.25) -> Any:
    """Return the long narrow gap in an outline, such as a river the boundaries leave out; empty if there is none.

    Parameters
    ----------
    outline
        Polygon or multipolygon in metres.
    closing_m
        Gaps narrower than twice this are closed, in metres.
    smallest_km2
        Smaller gaps are left out, in square kilometres.

    Returns
    -------
    gaps
        Multipolygon in the same system.
    """
    # Morphological closing: grow, then shrink by as much. The newly filled parts are narrower than twice that.
    closed = outline.buffer(closing_m, quad_segs=4).buffer(-closing_m, quad_segs=4)
    parts = shapely.get_parts(closed.difference(outline.buffer(1.0)))
    keep = [p for p in parts if p.geom_type == "Polygon" and p.area > smallest_km2 * 1e6]
    return shapely.MultiPolygon(keep).simplify(15.0) if keep else shapely.MultiPolygon()


def quantised_rings(shapes: NDArray[Any]) -> list[tuple[Ring, ...]]:
    """Return the rings of polygons in longitude and latitude, on the grid of 1e-5 degree.

    Rings that collapse to fewer than three points are dropped.

    Parameters
    ----------
    shapes
        Polygons or multipolygons in degrees, shape (n,).

    Returns
    -------
    rings
        Of each shape: the outer ring of a part, then its holes.
    """
    # The coordinates of all shapes at once: a page has thousands of rings, most of them short.
    parts, shape = shapely.get_parts(shapely.orient_polygons(shapes), return_index=True)
    lines, part = shapely.get_rings(parts, return_index=True)
    places, ring = shapely.get_coordinates(lines, return_index=True)
    grid = np.rint(places * UNITS_PER_DEGREE).astype(np.int64)
    # Rounding makes neighbours equal: each point once. The last point repeats the first, and stands for it here.
    kept = np.any(np.diff(grid, axis=0, prepend=grid[:1]) != 0, axis=1)
    first = np.flatnonzero(np.diff(ring, prepend=-1))
    last = np.r_[first[1:], len(ring)] - 1 if len(first) else first
    kept[first], kept[last] = kept[last], False
    points = list(map(tuple, grid[kept].tolist()))
    found: list[list[Ring]] = [[] for _ in shapes]
    lengths, owners = np.bincount(ring[kept], minlength=len(lines)), shape[part]
    at = 0
    for length, owner in zip(lengths.tolist(), owners.tolist(), strict=True):
        chain, at = tuple(points[at : at + length]), at + length
        if len(set(chain)) >= 3:
            found[owner].append(chain)
    return [tuple(rings) for rings in found]


def quantised_lines(shape: Any) -> tuple[Ring, ...]:
    """Return the lines of a geometry in longitude and latitude, on the grid of 1e-5 degree.

    Lines that collapse to one point are dropped.

    >>> quantised_lines(shapely.from_wkt("LINESTRING (0 51, 0.000001 51, 0.00002 51.00003)"))
    (((0, 5100000), (2, 5100003)),)
    """
    lines: list[Ring] = []
    for part in shapely.get_parts(shape):
        grid = np.rint(shapely.get_coordinates(part) * UNITS_PER_DEGREE).astype(np.int64)
        # Rounding makes neighbours equal: each point once.
        keep = np.r_[True, np.any(np.diff(grid, axis=0) != 0, axis=1)]
        if keep.sum() >= 2:
            lines.append(tuple((int(x), int(y)) for x, y in grid[keep]))
    return tuple(lines)


def _segments(rings: Iterable[Ring]) -> Iterator[tuple[Point, Point]]:
    for ring in rings:
        yield from zip(ring, (*ring[1:], ring[0]), strict=True)


def dissolve_rings(shapes: Sequence[Sequence[Ring]]) -> tuple[Ring, ...]:
    """Dissolve shapes of one coverage by removing every border they share.

    Parameters
    ----------
    shapes
        Rings of each shape, outer rings anticlockwise.

    Returns
    -------
    rings
        The remaining rings, with the same orientation. Exact on the grid: it cannot fail if rounding makes a shape
        touch itself.
    """
    # A border between two shapes runs once in each direction: the second cancels the first, and the outline remains.
    edges: dict[tuple[Point, Point], int] = defaultdict(int)
    for a, b in _segments(ring for rings in shapes for ring in rings):
        if edges.get((b, a), 0) > 0:
            edges[b, a] -= 1
        else:
            edges[a, b] += 1
    # Walk from point to point until the ring closes; always the lowest next point, so that the result has one order.
    after: dict[Point, list[Point]] = defaultdict(list)
    for (a, b), n in edges.items():
        after[a].extend([b] * n)
    for ends in after.values():
        ends.sort(reverse=True)
    out: list[Ring] = []
    for first in sorted(after):
        while after[first]:
            walk, at = [first], after[first].pop()
            while at != first:
                walk.append(at)
                at = after[at].pop()
            if len(walk) >= 3:
                out.append(tuple(walk))
    return tuple(out)


def topology(layers: Sequence[Sequence[Sequence[Ring]]]) -> Topology:
    """Cut rings into arcs at every point where borders meet, and store each arc once.

    Parameters
    ----------
    layers
        Layer, shape, ring. Layers whose rings run along the same points share arcs.

    Returns
    -------
    topology
        Arcs in order of first use: the same input gives the same arcs.
    """
    # A node is a point where more or fewer than two borders meet: arcs run from node to node.
    near: dict[Point, set[Point]] = defaultdict(set)
    for a, b in _segments(ring for layer in layers for shape in layer for ring in shape):
        near[a].add(b)
        near[b].add(a)
    nodes = {point for point, others in near.items() if len(others) != 2}
    arcs: list[Ring] = []
    known: dict[Ring, int] = {}

    def number(chain: Ring) -> int:
        # An arc and its reverse are one: the smaller of the two is kept, and the other is its negative number.
        back = chain[::-1]
        key = min(chain, back)
        if key not in known:
            known[key] = len(arcs)
            arcs.append(key)
        k = known[key]
        return k if chain == key else -k - 1

    def cut(ring: Ring) -> tuple[int, ...]:
        at = [i for i, point in enumerate(ring) if point in nodes]
        if not at:  # an island: the same start and direction wherever it occurs
            start = ring.index(min(ring))
            loop = ring[start:] + ring[: start + 1]
            return (number(loop),)
        # Start the ring at its first node, so that its starting point does not cut an arc.
        turned = ring[at[0] :] + ring[: at[0] + 1]
        stops = [i - at[0] for i in at] + [len(ring)]
        return tuple(number(turned[a : b + 1]) for a, b in itertools.pairwise(stops))

    shapes = tuple(tuple(tuple(cut(ring) for ring in shape) for shape in layer) for layer in layers)
    return Topology(tuple(arcs), shapes)


def delta_code(chain: Sequence[Point]) -> list[int]:
    """Encode a chain as its first point followed by differences, as a flat list.

    >>> delta_code([(10, 20), (13, 18), (13, 25)])
    [10, 20, 3, -2, 0, 7]
    """
    code = list(chain[0])
    for (x, y), (right, up) in itertools.pairwise(chain):
        code += (right - x, up - y)
    return code


def decode_arc(code: Sequence[int]) -> Ring:
    """Undo `delta_code`.

    >>> decode_arc([10, 20, 3, -2, 0, 7])
    ((10, 20), (13, 18), (13, 25))
    """
    points = np.cumsum(np.asarray(code, dtype=np.int64).reshape(-1, 2), axis=0)
    return tuple((int(x), int(y)) for x, y in points)
