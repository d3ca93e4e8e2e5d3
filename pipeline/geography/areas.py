"""Areas as polygons: validity, which area contains a point, and agreement of two levels."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.geography.grid import cut_segments, grown

__all__ = [
    "AreaIndex",
    "Geometries",
    "LevelAgreement",
    "LocateResult",
    "border_cells",
    "by_cell",
    "check_codes",
    "checked_shapes",
    "dissolve",
    "fill",
    "level_agreement",
    "overlap_km2",
    "overlaps",
    "repair",
    "touches",
]

Geometries = NDArray[np.object_]


# Which area holds a point: an exact grid index over polygons
# ------------------------------------------------------------
# A grid of square cells covers the areas. A cell that no boundary crosses lies completely inside one area or outside
# all, so its points are looked up by integer division; only points in cells along a boundary are tested against
# polygons. The result equals that of testing every point against every polygon, but is many times faster.
#
# A point that touches several areas belongs to the one whose code sorts first.

MAX_CELLS = 64_000_000  # 256 MB of int32: above that the cells double until they fit
CHUNK_POINTS = 1 << 20  # located together: a dozen temporary arrays of 8 MB each, whatever the file's length
_ARRAYS = ("_order", "_full", "_border_full", "_starts", "_candidates")

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LocateResult:
    """Where points fall.

    Attributes
    ----------
    code_index
        Position of the area in the codes given to `AreaIndex.build`; -1 if no area contains the point or is near it.
    snapped
        Whether the point was outside every area and was assigned to the nearest.
    """

    code_index: NDArray[np.int32]
    snapped: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class AreaIndex:
    """The index: build it once for a set of areas, then locate any number of points.

    Attributes
    ----------
    codes
        Area codes in the caller's order.
    cell_m
        Side of a cell in metres; larger than requested if the extent would need too many cells.
    snap_m
        How far outside every area a point may be and still be assigned to the nearest, metres.
    """

    codes: tuple[str, ...]
    cell_m: float
    snap_m: float
    _order: NDArray[np.int32]  # rank (by code) -> caller's position
    _areas: Geometries  # by rank
    _x0: float
    _y0: float
    _rows: int
    _cols: int
    _full: NDArray[np.int32]  # per cell: lowest rank that covers it wholly; -1 none; -2 - k: close cell k
    _border_full: NDArray[np.int32]  # per close cell: lowest rank that covers it wholly, or -1
    _starts: NDArray[np.int64]  # per close cell: where its candidates start
    _candidates: NDArray[np.int32]  # ranks whose boundary crosses the cell, ascending

    @classmethod
    def build(cls, geometries: Geometries, codes: Sequence[str], *, cell_m: float = 50.0, snap_m: float = 25.0) -> Self:
        """Index polygons.

        Parameters
        ----------
        geometries
            Valid polygons or multipolygons in metres (see `repair`), in any order; they may overlap.
        codes
            One code per geometry, all different.
        cell_m
            Side of a cell in metres. It changes only the speed, not the result.
        snap_m
            How far outside every area a point may be and still be assigned to the nearest, metres; 0 for never.

        Raises
        ------
        InputError
            If there is no area, a code repeats, or a geometry is missing, empty, invalid or not a polygon.
        """
        names = check_codes(codes)
        shapes = checked_shapes(geometries, names)
        if not (np.isfinite(cell_m) and cell_m > 0 and np.isfinite(snap_m) and snap_m >= 0):
            raise InputError(f"cell_m {cell_m}, snap_m {snap_m}: give metres, the cell above 0 and the snap 0 or more")
        # Areas are ranked by code once, so that "the code that sorts first" becomes "the lowest rank" in every
        # comparison.
        order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int32)
        areas = shapes[order]
        west, south, east, north = shapely.total_bounds(areas)
        # The margin keeps every point that may be snapped on the grid, plus two cells so that no boundary touches its
        # edge. If there are too many cells, their side is doubled: a coarse index is slower but not wrong.
        cell = float(cell_m)
        while (margin := snap_m + 2 * cell) and (east - west + 2 * margin) * (north - south + 2 * margin) > (
            MAX_CELLS * cell * cell
        ):
            cell *= 2
        x0, y0 = west - margin, south - margin
        cols, rows = int((east + margin - x0) / cell) + 1, int((north + margin - y0) / cell) + 1

        # Three passes: cells that a boundary crosses; runs of cells between them, each decided by one point; and for
        # the border cells the areas to test. Cells near a boundary count as border cells too if a point in them may be
        # snapped.
        border = border_cells(areas, x0=x0, y0=y0, cell=cell, shape=(rows, cols))
        full = fill(border, areas, x0=x0, y0=y0, cell=cell, shape=(rows, cols))
        cells, starts, candidates = by_cell(border, shape=(rows, cols), reach=int(np.ceil(snap_m / cell)))
        border_full = full[cells]
        # One array holds both: a rank, -1 for outside, or (below -1) the number of a border cell.
        full[cells] = -2 - np.arange(len(cells), dtype=np.int32)
        return cls(names, cell, float(snap_m), order, areas, x0, y0, rows, cols, full, border_full, starts, candidates)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the index as plain arrays, for storage and for `from_arrays`."""
        wkb = shapely.to_wkb(self._areas)
        plain = {
            "codes": np.array(self.codes, dtype=np.str_),
            "frame": np.array([self.cell_m, self.snap_m, self._x0, self._y0]),
            "shape": np.array([self._rows, self._cols]),
            "wkb": np.frombuffer(b"".join(wkb), dtype=np.uint8),
            "wkb_ends": np.cumsum([len(w) for w in wkb]),
        }
        return plain | {name.lstrip("_"): getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild the index from the arrays of `to_arrays`."""
        content, ends = arrays["wkb"].tobytes(), arrays["wkb_ends"].tolist()
        areas = shapely.from_wkb([content[a:b] for a, b in itertools.pairwise([0, *ends])])
        cell_m, snap_m, x0, y0 = arrays["frame"].tolist()
        rows, cols = arrays["shape"].tolist()
        codes = tuple(str(c) for c in arrays["codes"])
        order, *rest = (arrays[name.lstrip("_")] for name in _ARRAYS)
        return cls(codes, cell_m, snap_m, order, areas, x0, y0, rows, cols, *rest)

    def __len__(self) -> int:
        return len(self.codes)

    def locate(self, xy: Points) -> LocateResult:
        """Find the area of every point.

        Parameters
        ----------
        xy
            Eastings and northings in metres, shape (n, 2). A point with a coordinate that is not finite is in no area.

        Returns
        -------
        result
            Exactly the result of testing each point against each polygon, with the border rule and snapping applied.

        Raises
        ------
        InputError
            If the shape is wrong.
        """
        points = np.asarray(xy, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise InputError(f"points have shape {points.shape}: expected (n, 2), eastings and northings")
        shapely.prepare(self._areas)  # a pickled index arrives without its preparation
        found = np.empty(len(points), dtype=np.int32)
        snapped = np.zeros(len(points), dtype=bool)
        for start in range(0, len(points), CHUNK_POINTS):
            part = slice(start, start + CHUNK_POINTS)
            rank, near = self._locate(np.ascontiguousarray(points[part, 0]), np.ascontiguousarray(points[part, 1]))
            found[part] = np.where(rank >= 0, self._order[rank], -1)
            snapped[part] = near
        return LocateResult(found, snapped)

    def _locate(self, x: Points, y: Points) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Rank of the area of each point of one chunk, and whether it was snapped."""
        col, row = (x - self._x0) / self.cell_m, (y - self._y0) / self.cell_m
        on_grid = (col >= 0) & (col < self._cols) & (row >= 0) & (row < self._rows)
        if not on_grid.all():
            col, row = np.where(on_grid, col, 0.0), np.where(on_grid, row, 0.0)
        rank = self._full[row.astype(np.int64) * self._cols + col.astype(np.int64)]
        rank[~on_grid] = -1
        # Most points are finished here, after one division and one look-up.
        at = np.flatnonzero(rank <= -2)
        rank[at] = self._test(-2 - rank[at], x[at], y[at])
        snapped = np.zeros(len(x), dtype=bool)
        if self.snap_m > 0:
            # Points outside every area but near one: rounding of coordinates moves some points of a riverside ward into
            # the river.
            out = at[rank[at] < 0]
            near = self._nearest(x[out], y[out])
            rank[out] = near
            snapped[out] = near >= 0
        return rank, snapped

    def _test(self, border: NDArray[np.int32], x: Points, y: Points) -> NDArray[np.int32]:
        """Test points of border cells against the cells' candidates, lowest rank first."""
        rank = self._border_full[border]
        first, last = self._starts[border], self._starts[border + 1]
        # All points try their first candidate together, then those without an answer their second, and so on:
        # candidates are in order of rank, so the first hit is the area whose code sorts first.
        waiting = np.arange(len(border))
        step = 0
        while len(waiting):
            at = first[waiting] + step
            waiting, at = waiting[at < last[waiting]], at[at < last[waiting]]
            area = self._candidates[at]
            better = (rank[waiting] < 0) | (area < rank[waiting])
            waiting, area = waiting[better], area[better]
            hit = touches(self._areas, area, x[waiting], y[waiting])
            rank[waiting[hit]] = area[hit]
            waiting = waiting[~hit]
            step += 1
        return rank

    def _nearest(self, x: Points, y: Points) -> NDArray[np.int32]:
        """Rank of the nearest area within `snap_m`, or -1; the code that sorts first wins a tie."""
        rank = np.full(len(x), -1, dtype=np.int32)
        tree = shapely.STRtree(self._areas)
        grow = self.snap_m
        # The tree finds areas whose boxes are near; the exact distance decides among them.
        point, area = tree.query(shapely.box(x - grow, y - grow, x + grow, y + grow))
        if not len(point):
            return rank
        places = shapely.points(x[point], y[point])
        close = shapely.dwithin(self._areas[area], places, grow)
        point, area, places = point[close], area[close], places[close]
        rivals = np.bincount(point, minlength=len(x))[point] > 1
        away = np.zeros(len(point))
        # In micrometres, so that rounding does not decide between neighbours that share the nearest vertex.
        away[rivals] = np.round(shapely.distance(self._areas[area[rivals]], places[rivals]), 6)
        # Written from the farthest to the nearest: the last write, which stays, is the nearest area of lowest rank.
        best = np.lexsort((area, away, point))[::-1]
        rank[point[best]] = area[best]
        return rank


# Building the index: which cells a boundary crosses, and which lie wholly inside one area
# ------------------------------------------------------------------------------------------

CHUNK_PIECES = 1 << 20  # pieces of boundary cut at once: bounds the memory on coastlines of millions of points
GROW_M = 1e-6  # larger than any rounding error of a crossing point, far smaller than any detail of a map

Ints = NDArray[np.int64]


def touches(areas: Geometries, area: NDArray[np.int32], x: Points, y: Points) -> NDArray[np.bool_]:
    """Whether each point lies in or on its area; points of one area are tested together, which keeps it in cache."""
    hit = np.empty(len(area), dtype=bool)
    order = np.argsort(area, kind="stable")
    ends = np.flatnonzero(np.diff(area[order])) + 1
    for at in np.split(order, ends) if len(order) else ():
        hit[at] = shapely.intersects_xy(areas[area[at[0]]], x[at], y[at])
    return hit


def border_cells(areas: Geometries, *, x0: float, y0: float, cell: float, shape: tuple[int, int]) -> Ints:
    """Cells that each boundary passes through, as sorted distinct keys ``(rank * rows + row) * cols + col``.

    Every segment is cut at each grid line it crosses; each piece's ends and midpoint mark their cells, grown by a
    micrometre so that a boundary along a grid line counts on both sides.
    """
    rows, cols = shape
    # All boundaries as one array of segments, each with the rank of its area.
    parts, part_area = shapely.get_parts(areas, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = np.flatnonzero(ring[1:] == ring[:-1])
    rank = part_area[ring_part[ring[same]]].astype(np.int64)
    a, b = (xy[same] - (x0, y0)) / cell, (xy[same + 1] - (x0, y0)) / cell  # in cells
    # A segment is cut where it crosses a grid line: this many pieces, plus its two ends.
    lengths = np.abs(np.floor(b) - np.floor(a)).sum(axis=1) + 2
    found: list[Ints] = []
    chunk = np.cumsum(lengths) // CHUNK_PIECES
    for part in np.split(np.arange(len(same)), np.flatnonzero(np.diff(chunk)) + 1) if len(same) else ():
        at, segment = cut_segments(a[part], b[part])
        owner = rank[part][segment]
        # A piece lies in one cell, which contains its midpoint; its ends lie on grid lines and mark the cells on either
        # side.
        ends = np.flatnonzero(segment[1:] == segment[:-1])
        middle = (at[ends] + at[ends + 1]) / 2
        places, owner = np.concatenate((at, middle)), np.concatenate((owner, owner[ends]))
        keys = [
            (owner * rows + np.floor(places[:, 1] + dy).astype(np.int64)) * cols
            + np.floor(places[:, 0] + dx).astype(np.int64)
            for dx in (-GROW_M / cell, GROW_M / cell)
            for dy in (-GROW_M / cell, GROW_M / cell)
        ]
        found.append(_distinct(np.concatenate(keys)))
    return _distinct(np.concatenate(found))


def _distinct(keys: Ints) -> Ints:
    # With counts NumPy sorts; without them it hashes first (2.3 and later), which takes forty times as long.
    return np.unique(keys, return_counts=True)[0]


def fill(
    border: Ints, areas: Geometries, *, x0: float, y0: float, cell: float, shape: tuple[int, int]
) -> NDArray[np.int32]:
    """Per cell, the lowest rank that covers it completely, or -1.

    No boundary of an area passes between two of its border cells in a row, so one point decides for the run between
    them.
    """
    rows, cols = shape
    full = np.full(rows * cols, -1, dtype=np.int32)
    # Keys are sorted by area, row, column: a gap between neighbours in one row is a run of cells that the boundary
    # of this area does not cross, all inside it or all outside.
    line, col = np.divmod(border, cols)
    run = np.flatnonzero((line[1:] == line[:-1]) & (np.diff(col) > 1))
    rank, row = np.divmod(line[run], rows)
    # The centre of the run's first cell decides for the whole run.
    inside = touches(areas, rank.astype(np.int32), x0 + (col[run] + 1.5) * cell, y0 + (row + 0.5) * cell)
    run, rank, row = run[inside], rank[inside], row[inside]
    first, length = row * cols + col[run] + 1, np.diff(col)[run] - 1
    # Highest rank first: where areas overlap, the code that sorts first is written last and stays.
    for at in range(len(run) - 1, -1, -1):
        full[first[at] : first[at] + length[at]] = rank[at]
    return full


def by_cell(border: Ints, *, shape: tuple[int, int], reach: int) -> tuple[Ints, Ints, NDArray[np.int32]]:
    """Invert (rank, cell) keys: the border cells, where each one's ranks start, and the ranks.

    Cells within `reach` of a boundary are among them, without ranks, because a point there may have to be snapped.
    """
    rank, cell = np.divmod(border, shape[0] * shape[1])
    order = np.lexsort((rank, cell))
    counts = np.bincount(cell, minlength=shape[0] * shape[1])
    cells = np.flatnonzero(grown((counts > 0).reshape(shape), reach=reach))
    return cells, np.concatenate(([0], np.cumsum(counts[cells]))), rank[order].astype(np.int32)


# Requirements on a set of areas before anything is measured on it: one code each, valid polygons
# ---------------------------------------------------------------------------------------------


POLYGON, MULTIPOLYGON = 3, 6  # as `shapely.get_type_id` numbers them
LISTED = 10  # areas named in a message; more would not be read


def check_codes(codes: Sequence[str]) -> tuple[str, ...]:
    """Return the codes as text, refusing blanks and repeats.

    Raises
    ------
    InputError
        If there is no code, or one is blank or repeated; the first ten are named.
    """
    names = tuple("" if code is None or code != code else str(code).strip() for code in codes)  # noqa: PLR0124 NaN
    if not names:
        raise InputError("no areas were given: check the boundary file and its filter")
    if blanks := sum(not name for name in names):
        raise InputError(f"{blanks} of {len(names)} areas have no code: name the column that holds the codes")
    repeats = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeats:
        raise InputError(
            f"area codes must be unique, but {len(repeats)} repeat: {_listed(repeats)}. "
            "Dissolve the areas by code, or name the column that holds the codes of this level"
        )
    return names


def checked_shapes(geometries: Geometries, codes: Sequence[str]) -> Geometries:
    """Return the geometries in two dimensions as a new array, refusing anything but valid polygons.

    Raises
    ------
    InputError
        If the numbers of geometries and codes differ, or a geometry is missing, empty, invalid, without finite
        coordinates, or not a polygon; the areas are named.
    """
    shapes = _as_array(geometries)
    if len(shapes) != len(codes):
        raise InputError(f"{len(shapes)} geometries came with {len(codes)} codes: give one code per area")
    kind = shapely.get_type_id(shapes)
    # Collect every fault before refusing, so that a boundary file can be corrected in one go.
    faults = {
        "no geometry": shapely.is_missing(shapes) | shapely.is_empty(shapes),
        "a geometry that is not a polygon": ~np.isin(kind, (-1, POLYGON, MULTIPOLYGON)),
        "coordinates that are not finite": ~np.isfinite(shapely.bounds(shapes)).all(axis=1)
        & ~shapely.is_missing(shapes)
        & ~shapely.is_empty(shapes),
    }
    faults["an invalid outline (repair it first)"] = ~np.logical_or.reduce(list(faults.values())) & ~shapely.is_valid(
        shapes
    )
    wrong = [
        f"{_listed(sorted(code for code, bad in zip(codes, mask, strict=True) if bad))}: {fault}"
        for fault, mask in faults.items()
        if mask.any()
    ]
    if wrong:
        raise InputError("areas cannot be used: " + "; ".join(wrong))
    return _as_array(shapely.force_2d(shapes))


def repair(geometries: Geometries) -> tuple[Geometries, int]:
    """Make invalid polygons valid, leaving valid ones as they are.

    Parameters
    ----------
    geometries
        Polygons and multipolygons; missing ones stay missing.

    Returns
    -------
    fixed
        A new array. A repaired shape is that of `shapely.make_valid` with ``method="structure"``; remaining lines and
        points are dropped.
    n_repaired
        How many were changed.
    """
    shapes = _as_array(geometries)
    bad = np.flatnonzero(~shapely.is_missing(shapes) & ~shapely.is_valid(shapes))
    for at in bad:
        # "structure" reads rings as shells and holes, as intended by the file; the other method would turn overlaps
        # into holes.
        shapes[at] = _polygonal(shapely.make_valid(shapes[at], method="structure", keep_collapsed=False))
    return shapes, len(bad)


def _polygonal(shape: Any) -> Any:
    if shape.geom_type != "GeometryCollection":
        return shape
    parts = shapely.get_parts(shape)
    return shapely.union_all(parts[shapely.get_dimensions(parts) == 2])


def _as_array(geometries: Any) -> Geometries:
    """Copy any sequence into a plain object array."""
    shapes = np.empty(len(geometries), dtype=object)
    shapes[:] = list(geometries)
    return shapes


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


# Two levels of areas: deriving the upper one from the lower, and measuring how far a given upper level differs
# ----------------------------------------------------------------------------------------------------------


M2_PER_KM2 = 1e6
OVERLAP_M2 = 10_000.0  # separately generalised neighbours share slivers: a metre of border is no overlap
OVERLAP_SHARE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class LevelAgreement:
    """Difference between a given upper level and the one derived from its members.

    Attributes
    ----------
    codes
        Upper codes found on either side, sorted.
    only_in_members_km2
        Per code, what its members cover and the given outline does not, square kilometres.
    only_in_given_km2
        Per code, what the given outline covers and its members do not, square kilometres.
    """

    codes: tuple[str, ...]
    only_in_members_km2: NDArray[np.float64]
    only_in_given_km2: NDArray[np.float64]

    @property
    def disagreement_km2(self) -> float:
        """Everything covered on one side only, summed over the codes, square kilometres."""
        return float(self.only_in_members_km2.sum() + self.only_in_given_km2.sum())


def dissolve(geometries: Geometries, parent_codes: Sequence[str]) -> tuple[tuple[str, ...], Geometries]:
    """Dissolve areas that share a parent.

    Parameters
    ----------
    geometries
        Valid polygons or multipolygons.
    parent_codes
        The code of each one's parent.

    Returns
    -------
    codes
        Distinct parent codes, sorted.
    joined
        One shape per code.

    Raises
    ------
    InputError
        If a geometry cannot be used, or the lengths differ.
    """
    shapes = checked_shapes(geometries, parent_codes)
    codes = check_codes(sorted(set(parent_codes)))
    parents = np.array(parent_codes, dtype=object)
    joined = np.empty(len(codes), dtype=object)
    for at, code in enumerate(codes):
        # Normalised, so that the outline starts at the same point whatever the order of the areas.
        joined[at] = shapely.normalize(shapely.union_all(shapes[parents == code]))
    return codes, joined


def level_agreement(
    geometries: Geometries,
    parent_codes: Sequence[str],
    *,
    given: Geometries,
    given_codes: Sequence[str],
) -> LevelAgreement:
    """Measure where the outlines given for an upper level differ from those derived from its members.

    Parameters
    ----------
    geometries, parent_codes
        The lower level, in metres, and the parent of each.
    given, given_codes
        The upper level as its own file has it, in the same projection.

    Raises
    ------
    InputError
        If a geometry cannot be used or a given code repeats.
    """
    made_codes, made = dissolve(geometries, parent_codes)
    upper_codes = check_codes(given_codes)
    ours = dict(zip(made_codes, made, strict=True))
    theirs = dict(zip(upper_codes, checked_shapes(given, upper_codes), strict=True))
    nothing = shapely.Polygon()
    codes = tuple(sorted(set(ours) | set(theirs)))
    left = np.array([ours.get(code, nothing) for code in codes], dtype=object)
    right = np.array([theirs.get(code, nothing) for code in codes], dtype=object)
    return LevelAgreement(
        codes,
        shapely.area(shapely.difference(left, right)) / M2_PER_KM2,
        shapely.area(shapely.difference(right, left)) / M2_PER_KM2,
    )


def overlaps(geometries: Geometries, codes: Sequence[str]) -> list[tuple[str, str, float]]:
    """List the pairs of areas that overlap by more than generalisation explains, the largest first.

    Parameters
    ----------
    geometries
        Valid polygons in metres.
    codes
        One code per geometry.

    Returns
    -------
    pairs
        Two codes, the lower first, and their common area in square kilometres: at least a hectare, or a hundredth of
        the smaller area.
    """
    shapes = np.asarray(geometries, dtype=object)
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = one < other
    one, other = one[pairs], other[pairs]
    shared = shapely.area(shapely.intersection(shapes[one], shapes[other]))
    smaller = np.minimum(shapely.area(shapes[one]), shapely.area(shapes[other]))
    kept = np.flatnonzero((shared >= OVERLAP_M2) | (shared >= OVERLAP_SHARE * smaller))
    found = [
        (*sorted((codes[one[i]], codes[other[i]])), round(float(shared[i]) / M2_PER_KM2, 4)) for i in kept.tolist()
    ]
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def overlap_km2(geometries: Geometries) -> float:
    """Area covered more than once, each time counted, square kilometres; 0 for a clean partition."""
    shapes = np.asarray(geometries, dtype=object)
    # The sum of the areas less their union is covered twice; rounded because the union is not exact to the last bit.
    excess = float(shapely.area(shapes).sum() - shapely.area(shapely.union_all(shapes))) / M2_PER_KM2
    return max(round(excess, 9), 0.0)
