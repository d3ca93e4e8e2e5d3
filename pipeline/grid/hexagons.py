"""Hexagonal cells with a point to the north."""

from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.grid.laying import checked, metres_text, refuse_too_many

__all__ = ["HexGrid"]

Points = NDArray[np.float64]
Index = NDArray[np.int64]
Geometries = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class HexGrid:
    """Hexagons with a point to the north.

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
        """Lay hexagons over a rectangle grown by a margin.

        Parameters
        ----------
        bounds
            West, south, east, north, metres.
        size_m
            Distance between opposite flat sides, metres.
        margin_m
            Room to leave on every side, metres.

        Raises
        ------
        InputError
            If a number is not usable, or the cells would not fit in memory.
        """
        west, south, east, north = checked(bounds, size_m=size_m, margin_m=margin_m)
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

        Corners come from whole-number lattice positions, so neighbours share theirs bit for bit and their union has
        no slits.
        """
        import shapely

        row, col = self._row_col(index)
        across = 2 * col + (row & 1)  # half-widths east of the origin
        up = 3 * row  # half-sides north of the origin
        ring = np.array([(0, -2), (1, -1), (1, 1), (0, 2), (-1, 1), (-1, -1), (0, -2)])
        x = (across[:, None] + ring[:, 0]) * (self.size_m / 2)
        y = (up[:, None] + ring[:, 1]) * (self.size_m / sqrt(12))
        return np.asarray(shapely.polygons(np.stack((x, y), axis=-1)), dtype=object)

    def neighbours(self, index: ArrayLike) -> Index:
        """Numbers of the six hexagons round each: east, north-east, north-west, west, south-west, south-east.

        Returns
        -------
        neighbours
            Shape (n, 6); -1 where the grid ends.
        """
        row, col = self._row_col(index)
        odd = row & 1
        zero = np.zeros_like(row)
        rows = row[:, None] + np.array([0, 1, 1, 0, -1, -1])
        cols = col[:, None] + np.stack((zero + 1, odd, odd - 1, zero - 1, odd - 1, odd), axis=1)
        rows, cols = rows - self.first_row, cols - self.first_col
        inside = (rows >= 0) & (rows < self.rows) & (cols >= 0) & (cols < self.cols)
        return np.where(inside, rows * self.cols + cols, -1)

    def ids(self, index: ArrayLike) -> NDArray[np.str_]:
        """Stable names: hexagon size, then column and row counted from the origin, such as ``h250mC2124R831``."""
        row, col = self._row_col(index)
        size = metres_text(self.size_m)
        return np.array([f"h{size}mC{c}R{r}" for c, r in zip(col.tolist(), row.tolist(), strict=True)], str)

    def _row_col(self, index: ArrayLike) -> tuple[Index, Index]:
        row, col = np.divmod(np.atleast_1d(np.asarray(index, dtype=np.int64)), self.cols)
        return row + self.first_row, col + self.first_col
