"""Square cells."""

from dataclasses import dataclass
from math import floor
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.grid.laying import checked, metres_text, refuse_too_many
from pipeline.grid.lines import cut_segments

__all__ = ["Grid"]

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
        """Lay cells over a rectangle grown by a margin.

        Parameters
        ----------
        bounds
            West, south, east, north, metres.
        cell_m
            Side of a cell, metres.
        margin_m
            Room to leave on every side, metres.

        Raises
        ------
        InputError
            If a number is not usable, or the cells would not fit in memory.
        """
        west, south, east, north = checked(bounds, size_m=cell_m, margin_m=margin_m)
        col, row = floor(west / cell_m), floor(south / cell_m)
        cols, rows = floor(east / cell_m) + 1 - col, floor(north / cell_m) + 1 - row
        refuse_too_many(rows, cols, cell_m)
        return cls(col * cell_m, row * cell_m, float(cell_m), rows, cols)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, as an array of cells has them."""
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
            A valid polygon or multipolygon in metres; what lies outside the grid is left out.
        """
        import shapely

        clipped = shapely.clip_by_rect(area, *self.bounds) if not _within(area, self.bounds) else area
        parts = shapely.get_parts(clipped)
        parts = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
        rings, owner = shapely.get_rings(parts, return_index=True)
        if not len(rings):
            return np.zeros(self.shape)
        shell = np.concatenate(([True], owner[1:] != owner[:-1]))
        rings = np.where(shapely.is_ccw(rings) == shell, rings, shapely.reverse(rings))
        xy, ring = shapely.get_coordinates(rings, return_index=True)
        places = (xy - (self.x0, self.y0)) / self.cell_m
        along = np.flatnonzero(ring[1:] == ring[:-1])
        cut, segment = cut_segments(places[along], places[along + 1])
        piece = np.flatnonzero(segment[1:] == segment[:-1])
        middle, rise = (cut[piece] + cut[piece + 1]) / 2, cut[piece + 1, 1] - cut[piece, 1]
        col, row = np.clip(np.floor(middle.T), 0, [[self.cols], [self.rows - 1]]).astype(np.int64)
        width = self.cols + 2
        flat = row * width + col
        west = np.clip(middle[:, 0] - col, 0.0, 1.0)
        # Shells run counter-clockwise, so a piece that falls has its inside to the east.
        own = np.bincount(flat, -rise * (1 - west), self.rows * width)
        beyond = np.bincount(flat + 1, -rise * west, self.rows * width)
        return np.clip(np.cumsum((own + beyond).reshape(self.rows, width), axis=1)[:, : self.cols], 0.0, 1.0)


def _within(area: Any, bounds: tuple[float, float, float, float]) -> bool:
    west, south, east, north = area.bounds
    return bool(west >= bounds[0] and south >= bounds[1] and east <= bounds[2] and north <= bounds[3])
