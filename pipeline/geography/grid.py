"""Analysis cells: squares and hexagons that are the same in every run.

Both grids are anchored at the working system's origin, whatever the data's extent, so a cell keeps its identity (and
its id) when the extent changes. Cells are numbered row by row from the south-west corner.
"""

from dataclasses import dataclass
from math import ceil, floor, isfinite, sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError

__all__ = ["Grid", "HexGrid", "checked", "cut_segments", "grown", "metres_text", "refuse_too_many"]


# Square cells
# ------------

Points = NDArray[np.float64]
Index = NDArray[np.int64]
Geometries = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Grid:
    """Square cells.

    Attributes
    ----------
    x0, y0
        South-west corner of the first cell, metres; multiples of `cell_m`.
    cell_m
        Side of a cell, metres.
    rows, cols
        Cells northwards and eastwards.
    """

    x0: float
    y0: float
    cell_m: float
    rows: int
    cols: int

    @classmethod
    def covering(cls, bounds: tuple[float, float, float, float], *, cell_m: float, margin_m: float = 0.0) -> Self:
        """Cover a rectangle, grown by a margin, with cells.

        Parameters
        ----------
        bounds
            West, south, east, north, metres.
        cell_m
            Side of a cell, metres.
        margin_m
            Margin on every side, metres.

        Raises
        ------
        InputError
            If a number is invalid, or the cells would not fit in memory.
        """
        west, south, east, north = checked(bounds, size_m=cell_m, margin_m=margin_m)
        # Whole multiples of the side from the coordinate system's origin, not from the data: new data do not move the
        # cells.
        col, row = floor(west / cell_m), floor(south / cell_m)
        cols, rows = floor(east / cell_m) + 1 - col, floor(north / cell_m) + 1 - row
        refuse_too_many(rows, cols, cell_m)
        return cls(col * cell_m, row * cell_m, float(cell_m), rows, cols)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of an array of cells."""
        return self.rows, self.cols

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north, metres."""
        return self.x0, self.y0, self.x0 + self.cols * self.cell_m, self.y0 + self.rows * self.cell_m

    @property
    def cell_km2(self) -> float:
        """Area of one cell, square kilometres."""
        return self.cell_m**2 / 1e6

    def __len__(self) -> int:
        return self.rows * self.cols

    def cell_of(self, xy: Points) -> Index:
        """Return the number of the cell that holds each point; -1 outside or where a coordinate is not finite.

        A point on a shared side belongs to the cell north or east of it.
        """
        x, y = np.asarray(xy, dtype=np.float64).reshape(-1, 2).T
        col, row = np.floor((x - self.x0) / self.cell_m), np.floor((y - self.y0) / self.cell_m)
        inside = (col >= 0) & (col < self.cols) & (row >= 0) & (row < self.rows)
        return np.where(inside, np.where(inside, row, 0) * self.cols + np.where(inside, col, 0), -1).astype(np.int64)

    def centre(self, index: ArrayLike) -> Points:
        """Centres of the numbered cells, metres, shape (n, 2)."""
        row, col = np.divmod(np.atleast_1d(np.asarray(index, dtype=np.int64)), self.cols)
        return np.column_stack((self.x0 + (col + 0.5) * self.cell_m, self.y0 + (row + 0.5) * self.cell_m))

    def centres(self) -> Points:
        """Centres of all cells, metres, shape (rows x cols, 2)."""
        return self.centre(np.arange(len(self)))

    def polygons(self, index: ArrayLike) -> Geometries:
        """Squares of the numbered cells, counter-clockwise."""
        import shapely

        x, y = self.centre(index).T
        half = self.cell_m / 2
        return np.asarray(shapely.box(x - half, y - half, x + half, y + half), dtype=object)

    def ids(self, index: ArrayLike) -> NDArray[np.str_]:
        """Stable names: cell side, then the south-west corner, such as ``250mE531250N180000``."""
        row, col = np.divmod(np.atleast_1d(np.asarray(index, dtype=np.int64)), self.cols)
        first_col, first_row = round(self.x0 / self.cell_m), round(self.y0 / self.cell_m)
        east, north = (np.stack((col + first_col, row + first_row)) * self.cell_m).tolist()
        names = zip(map(metres_text, east), map(metres_text, north), strict=True)
        return np.array([f"{metres_text(self.cell_m)}mE{x}N{y}" for x, y in names], str)

    def fraction(self, area: Any) -> NDArray[np.float64]:
        """Return the share of every cell that a polygon covers, exact, shape (rows, cols).

        Each boundary piece adds the signed area between itself and the east side of its own cell, and its height to
        every cell east of that: summed along a row these are the covered shares.

        Parameters
        ----------
        area
            A valid polygon or multipolygon in metres; parts outside the grid are ignored.
        """
        import shapely

        clipped = shapely.clip_by_rect(area, *self.bounds) if not _within(area, self.bounds) else area
        parts = shapely.get_parts(clipped)
        parts = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
        rings, owner = shapely.get_rings(parts, return_index=True)
        if not len(rings):
            return np.zeros(self.shape)
        # Shells counter-clockwise and holes clockwise, so that the signed areas of holes subtract themselves.
        shell = np.concatenate(([True], owner[1:] != owner[:-1]))
        rings = np.where(shapely.is_ccw(rings) == shell, rings, shapely.reverse(rings))
        xy, ring = shapely.get_coordinates(rings, return_index=True)
        places = (xy - (self.x0, self.y0)) / self.cell_m
        along = np.flatnonzero(ring[1:] == ring[:-1])
        # Cut at the grid lines, every piece lies in one cell and is straight.
        cut, segment = cut_segments(places[along], places[along + 1])
        piece = np.flatnonzero(segment[1:] == segment[:-1])
        middle, rise = (cut[piece] + cut[piece + 1]) / 2, cut[piece + 1, 1] - cut[piece, 1]
        # Rounding may move a piece on the edge of the grid beyond it; clipping keeps it in the last cell.
        col, row = np.clip(np.floor(middle.T), 0, [[self.cols], [self.rows - 1]]).astype(np.int64)
        width = self.cols + 2
        # For a piece of height `rise` whose middle is `west` of a cell's width from its west side, the strip from the
        # piece to the cell's east side has area rise x (1 - west); every cell further east gets the whole height.
        flat = row * width + col
        west = np.clip(middle[:, 0] - col, 0.0, 1.0)
        # Shells run counter-clockwise, so a piece that falls has its inside to the east.
        own = np.bincount(flat, -rise * (1 - west), self.rows * width)
        beyond = np.bincount(flat + 1, -rise * west, self.rows * width)
        share = np.clip(np.cumsum((own + beyond).reshape(self.rows, width), axis=1)[:, : self.cols], 0.0, 1.0)
        # Sums along a row leave the rounding of its borders in cells far outside: those are no part of the area.
        return np.where(share < ROUNDING, 0.0, share)


def _within(area: Any, bounds: tuple[float, float, float, float]) -> bool:
    west, south, east, north = area.bounds
    return bool(west >= bounds[0] and south >= bounds[1] and east <= bounds[2] and north <= bounds[3])


# Hexagonal cells with a vertex to the north
# -----------------------------------------


@dataclass(frozen=True, slots=True)
class HexGrid:
    """Hexagons with a vertex to the north.

    Odd rows (counted from the working system's origin) are shifted east by half a hexagon.

    Attributes
    ----------
    size_m
        Distance between opposite flat sides, metres: also the distance between neighbouring centres.
    first_row, first_col
        Row and column of the south-west cell, counted from the origin; the row is even.
    rows, cols
        Cells northwards and eastwards.
    """

    size_m: float
    first_row: int
    first_col: int
    rows: int
    cols: int

    @classmethod
    def covering(cls, bounds: tuple[float, float, float, float], *, size_m: float, margin_m: float = 0.0) -> Self:
        """Cover a rectangle, grown by a margin, with hexagons.

        Parameters
        ----------
        bounds
            West, south, east, north, metres.
        size_m
            Distance between opposite flat sides, metres.
        margin_m
            Margin on every side, metres.

        Raises
        ------
        InputError
            If a number is invalid, or the cells would not fit in memory.
        """
        west, south, east, north = checked(bounds, size_m=size_m, margin_m=margin_m)
        # An even first row, counted from the origin: which rows are shifted does not depend on the extent.
        pitch = size_m * sqrt(3) / 2
        row, col = 2 * floor((south / pitch - 1) / 2), floor(west / size_m) - 1
        rows, cols = ceil(north / pitch) + 2 - row, ceil(east / size_m) + 2 - col
        refuse_too_many(rows, cols, size_m)
        return cls(float(size_m), row, col, rows, cols)

    @property
    def pitch_m(self) -> float:
        """Distance between rows of centres, metres."""
        return self.size_m * sqrt(3) / 2

    @property
    def cell_km2(self) -> float:
        """Area of one hexagon, square kilometres."""
        return self.size_m * self.pitch_m / 1e6

    def __len__(self) -> int:
        return self.rows * self.cols

    def cell_of(self, xy: Points) -> Index:
        """Return the number of the hexagon whose centre is nearest; -1 outside or where a coordinate is not finite.

        Even and odd rows are two rectangular lattices: the nearest centre is the nearer of the two nearest, and of
        two equally near the even row's.
        """
        points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        x, y = np.where(np.isfinite(points), points, 0.0).T
        best = np.full(len(points), -1, dtype=np.int64)
        nearest = np.full(len(points), np.inf)
        # The nearest centre of each of the two lattices by rounding, then the nearer of the two: exact, and no
        # trigonometry.
        for odd in (0, 1):
            row = 2 * np.floor((y / self.pitch_m - odd) / 2 + 0.5) + odd
            col = np.floor(x / self.size_m - odd / 2 + 0.5)
            away = (x - (col + odd / 2) * self.size_m) ** 2 + (y - row * self.pitch_m) ** 2
            row, col = row - self.first_row, col - self.first_col
            inside = (row >= 0) & (row < self.rows) & (col >= 0) & (col < self.cols)
            closer = away < nearest
            nearest[closer] = away[closer]
            best[closer] = np.where(inside, row * self.cols + col, -1)[closer].astype(np.int64)
        best[~np.isfinite(points).all(axis=1)] = -1
        return best

    def centre(self, index: ArrayLike) -> Points:
        """Centres of the numbered hexagons, metres, shape (n, 2)."""
        row, col = self._row_col(index)
        return np.column_stack(((col + (row & 1) / 2) * self.size_m, row * self.pitch_m))

    def centres(self) -> Points:
        """Centres of all hexagons, metres, shape (rows x cols, 2)."""
        return self.centre(np.arange(len(self)))

    def polygons(self, index: ArrayLike) -> Geometries:
        """Hexagons of the numbered cells, counter-clockwise.

        Vertices are computed from whole-number lattice positions, so neighbours share them exactly and their union has
        no gaps.
        """
        import shapely

        row, col = self._row_col(index)
        across = 2 * col + (row & 1)  # half-widths east of the origin
        up = 3 * row  # half-sides north of the origin
        ring = np.array([(0, -2), (1, -1), (1, 1), (0, 2), (-1, 1), (-1, -1), (0, -2)])
        x = (across[:, None] + ring[:, 0]) * (self.size_m / 2)
        y = (up[:, None] + ring[:, 1]) * (self.size_m / sqrt(12))
        return np.asarray(shapely.polygons(np.stack((x, y), axis=-1)), dtype=object)

    def fraction(self, area: Any) -> NDArray[np.float64]:
        """Return the share of every hexagon that a valid polygon or multipolygon in metres covers, shape (cells,)."""
        import shapely

        shapes = self.polygons(np.arange(len(self)))
        tree = shapely.STRtree(shapes)
        shapely.prepare(area)
        # Most hexagons lie wholly inside or outside: only those on the outline are cut.
        share = np.zeros(len(self))
        inside = tree.query(area, predicate="contains")
        share[inside] = 1.0
        touched = np.setdiff1d(tree.query(area, predicate="intersects"), inside)
        share[touched] = shapely.area(shapely.intersection(shapes[touched], area)) / (self.cell_km2 * 1e6)
        return share

    def ids(self, index: ArrayLike) -> NDArray[np.str_]:
        """Stable names: hexagon size, then column and row counted from the origin, such as ``h250mC2124R831``."""
        row, col = self._row_col(index)
        size = metres_text(self.size_m)
        return np.array([f"h{size}mC{c}R{r}" for c, r in zip(col.tolist(), row.tolist(), strict=True)], str)

    def _row_col(self, index: ArrayLike) -> tuple[Index, Index]:
        row, col = np.divmod(np.atleast_1d(np.asarray(index, dtype=np.int64)), self.cols)
        return row + self.first_row, col + self.first_col


# Segments cut where they cross the lines of a grid
# -------------------------------------------------

Ints = NDArray[np.int64]


def cut_segments(a: Points, b: Points) -> tuple[Points, Ints]:
    """Cut segments at every whole-number line they cross.

    Parameters
    ----------
    a, b
        Ends of the segments in cell units, shape (n, 2).

    Returns
    -------
    places
        Where each segment starts, crosses a line and ends, in order along it.
    segment
        The segment of each place; two neighbouring places of one segment bound a piece that lies in one cell.
    """
    parts = [np.zeros(len(a)), np.ones(len(a))]
    owners = [np.arange(len(a)), np.arange(len(a))]
    # Vertical lines, then horizontal ones: the share of the way along the segment at which it meets each.
    for axis in (0, 1):
        low, high = np.floor(a[:, axis]), np.floor(b[:, axis])
        crossed = np.abs(high - low).astype(np.int64)
        owner = np.repeat(np.arange(len(a)), crossed)
        nth = np.arange(len(owner)) - np.repeat(np.cumsum(crossed) - crossed, crossed)
        line = (np.minimum(low, high) + 1)[owner] + nth
        parts.append(np.clip((line - a[owner, axis]) / (b[owner, axis] - a[owner, axis]), 0.0, 1.0))
        owners.append(owner)
    t, segment = np.concatenate(parts), np.concatenate(owners)
    # Crossings of both kinds in the order in which the segment meets them.
    order = np.lexsort((t, segment))
    t, segment = t[order, None], segment[order]
    return a[segment] * (1 - t) + b[segment] * t, segment


# Checks before a grid is made, and the text of a cell size
# --------------------------------------------------------------------

ROUNDING = 1e-9  # of a cell
MAX_CELLS = 400_000_000  # 3.2 GB of one float each: more means a stray coordinate, not a study area


def metres_text(metres: float) -> str:
    """Write metres without a trailing ``.0``, to the millimetre."""
    return f"{metres:.3f}".rstrip("0").rstrip(".")


def checked(
    bounds: tuple[float, float, float, float], *, size_m: float, margin_m: float
) -> tuple[float, float, float, float]:
    """Return the bounds grown by the margin; refuse invalid sizes, margins and bounds."""
    west, south, east, north = (float(b) for b in bounds)
    if not (isfinite(size_m) and size_m > 0):
        raise InputError(f"the cell size is {size_m} m: give a size above 0 m")
    if not (isfinite(margin_m) and margin_m >= 0):
        raise InputError(f"the margin is {margin_m} m: give 0 m or more")
    if not all(map(isfinite, (west, south, east, north))) or west > east or south > north:
        raise InputError(f"bounds {west, south, east, north} are not west, south, east, north in metres")
    return west - margin_m, south - margin_m, east + margin_m, north + margin_m


def refuse_too_many(rows: int, cols: int, size_m: float) -> None:
    """Refuse more cells than the memory limit allows."""
    if rows * cols > MAX_CELLS:
        raise InputError(
            f"{rows:,} x {cols:,} cells of {size_m:g} m are too many to hold: "
            "use larger cells, or check for coordinates far outside the study area"
        )


# A set of cells grown by its neighbours
# --------------------------------------


def grown(cells: NDArray[np.bool_], *, reach: int = 1) -> NDArray[np.bool_]:
    """Add every cell at most `reach` rows and columns from one of the set, diagonals included.

    Examples
    --------
    >>> grown(np.array([[True, False, False]])).tolist()
    [[True, True, False]]
    """
    out = cells.copy()
    # First along rows, then along columns: the second pass extends the first, which includes the diagonals.
    for axis in (0, 1):
        before = np.moveaxis(out.copy(), axis, 0)
        after = np.moveaxis(out, axis, 0)
        for step in range(1, min(reach, len(before) - 1) + 1):
            after[step:] |= before[:-step]
            after[:-step] |= before[step:]
    return out
