"""Which area holds a point: an exact grid index over polygons.

Square cells are laid over the areas. A cell that no boundary crosses lies wholly inside one area or outside all, so
its points are looked up by integer division; only points in the cells along a boundary are tested against polygons.
The answer is that of testing every point against every polygon, many times faster.

A point that touches several areas belongs to the one whose code sorts first.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.areas.cells import border_cells, by_cell, fill, touches
from pipeline.areas.shapes import Geometries, check_codes, checked_shapes
from pipeline.errors import InputError

__all__ = ["AreaIndex", "LocateResult"]

MAX_CELLS = 64_000_000  # 256 MB of int32: above that the cells double until they fit
CHUNK_POINTS = 1 << 20
_ARRAYS = ("_order", "_full", "_border_full", "_starts", "_candidates")

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LocateResult:
    """Where points fall.

    Attributes
    ----------
    code_index
        Position of the area in the codes given to `AreaIndex.build`; -1 where no area holds or is near the point.
    snapped
        Whether the point lay outside every area and was given to the nearest.
    """

    code_index: NDArray[np.int32]
    snapped: NDArray[np.bool_]

    @property
    def n_snapped(self) -> int:
        """How many points were given to the nearest area."""
        return int(self.snapped.sum())


@dataclass(frozen=True, slots=True, eq=False)
class AreaIndex:
    """The index: build it once for a set of areas, then locate any number of points.

    Attributes
    ----------
    codes
        Area codes in the caller's order.
    cell_m
        Side of a cell in metres; larger than asked for where the extent would need too many cells.
    snap_m
        How far outside every area a point may lie and still be given to the nearest, metres.
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
            Side of a cell in metres. Changes speed only, never an answer.
        snap_m
            How far outside every area a point may lie and still be given to the nearest, metres; 0 for never.

        Raises
        ------
        InputError
            If there is no area, a code repeats, or a geometry is missing, empty, invalid or not a polygon.
        """
        names = check_codes(codes)
        shapes = checked_shapes(geometries, names)
        if not (np.isfinite(cell_m) and cell_m > 0 and np.isfinite(snap_m) and snap_m >= 0):
            raise InputError(f"cell_m {cell_m}, snap_m {snap_m}: give metres, the cell above 0 and the snap 0 or more")
        order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int32)
        areas = shapes[order]
        west, south, east, north = shapely.total_bounds(areas)
        cell = float(cell_m)
        while (margin := snap_m + 2 * cell) and (east - west + 2 * margin) * (north - south + 2 * margin) > (
            MAX_CELLS * cell * cell
        ):
            cell *= 2
        x0, y0 = west - margin, south - margin
        cols, rows = int((east + margin - x0) / cell) + 1, int((north + margin - y0) / cell) + 1

        border = border_cells(areas, x0=x0, y0=y0, cell=cell, shape=(rows, cols))
        full = fill(border, areas, x0=x0, y0=y0, cell=cell, shape=(rows, cols))
        cells, starts, candidates = by_cell(border, shape=(rows, cols), reach=int(np.ceil(snap_m / cell)))
        border_full = full[cells]
        full[cells] = -2 - np.arange(len(cells), dtype=np.int32)
        return cls(names, cell, float(snap_m), order, areas, x0, y0, rows, cols, full, border_full, starts, candidates)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the index as plain arrays, to be kept and given to `from_arrays`."""
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
        """Make the index again from what `to_arrays` gave."""
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
            Eastings and northings in metres, shape (n, 2). A point without a finite place falls in no area.

        Returns
        -------
        result
            Exactly what testing each point against each polygon gives, with the border rule and snapping applied.

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
        laid = (col >= 0) & (col < self._cols) & (row >= 0) & (row < self._rows)
        if not laid.all():
            col, row = np.where(laid, col, 0.0), np.where(laid, row, 0.0)
        rank = self._full[row.astype(np.int64) * self._cols + col.astype(np.int64)]
        rank[~laid] = -1
        at = np.flatnonzero(rank <= -2)
        rank[at] = self._test(-2 - rank[at], x[at], y[at])
        snapped = np.zeros(len(x), dtype=bool)
        if self.snap_m > 0:
            out = at[rank[at] < 0]
            near = self._nearest(x[out], y[out])
            rank[out] = near
            snapped[out] = near >= 0
        return rank, snapped

    def _test(self, border: NDArray[np.int32], x: Points, y: Points) -> NDArray[np.int32]:
        """Test points of border cells against the cells' candidates, lowest rank first."""
        rank = self._border_full[border]
        first, last = self._starts[border], self._starts[border + 1]
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
        """Rank of the nearest area within `snap_m`, the code that sorts first where two are equally near; else -1."""
        rank = np.full(len(x), -1, dtype=np.int32)
        tree = shapely.STRtree(self._areas)
        grow = self.snap_m
        point, area = tree.query(shapely.box(x - grow, y - grow, x + grow, y + grow))
        if not len(point):
            return rank
        places = shapely.points(x[point], y[point])
        close = shapely.dwithin(self._areas[area], places, grow)
        point, area, places = point[close], area[close], places[close]
        rivals = np.bincount(point, minlength=len(x))[point] > 1
        away = np.zeros(len(point))
        # Micrometres, so that rounding does not decide between neighbours that share the nearest corner.
        away[rivals] = np.round(shapely.distance(self._areas[area[rivals]], places[rivals]), 6)
        best = np.lexsort((area, away, point))[::-1]
        rank[point[best]] = area[best]
        return rank
