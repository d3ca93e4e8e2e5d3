"""Cells over the study area: squares, which may be turned and shifted, and hexagons."""

from dataclasses import dataclass, replace
from functools import cached_property
from math import cos, radians, sin
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError
from pipeline.geography.grid import Grid, HexGrid
from pipeline.geography.neighbours import Weights, from_pairs, lattice

__all__ = ["Tiling"]

Points = NDArray[np.float64]
Units = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tiling:
    """Cells of one shape and size, each with its area inside the study area; cells wholly outside are left out.

    Attributes
    ----------
    name
        ``"squares 250 m"``, ``"hexagons 250 m"``, ``"squares 250 m, turned 30°"``.
    grid
        Squares or hexagons, in a frame of their own if they are turned.
    cell
        Number in the grid of each unit, shape (units,).
    area_km2
        Area of each unit inside the study area, shape (units,).
    turn_deg, about_m
        How far the squares are turned, counter-clockwise, and the point that stays in its place.
    outline
        The study area, where the tiling was made from it.
    """

    name: str
    grid: Grid | HexGrid
    cell: Units
    area_km2: NDArray[np.float64]
    turn_deg: float = 0.0
    about_m: tuple[float, float] = (0.0, 0.0)
    outline: Any = None

    @classmethod
    def of(cls, grid: Grid | HexGrid, inside: ArrayLike, *, name: str = "") -> Self:
        """Take the cells of a grid, with the share of each that lies inside the study area, shape (cells,) or its own.

        Raises
        ------
        InputError
            If there is not one share per cell.
        """
        share = np.asarray(inside, dtype=np.float64).ravel()
        if share.size != len(grid):
            raise InputError(f"{share.size} shares for {len(grid)} cells: give the mask the grid's shape")
        cell = np.flatnonzero(share > 0)
        return cls(name or _name(grid), grid, cell, share[cell] * grid.cell_km2)

    @classmethod
    def squares(cls, outline: Any, *, size_m: float, turn_deg: float = 0.0, shift: float = 0.0) -> Self:
        """Cover a study area with squares.

        Parameters
        ----------
        outline
            Valid polygon or multipolygon, metres.
        size_m
            Side, metres.
        turn_deg
            Turn of the grid about the centre of the outline's bounds, degrees counter-clockwise.
        shift
            Shift of the grid eastwards and northwards, before it is turned, in sides.
        """
        from shapely.affinity import rotate

        west, south, east, north = outline.bounds
        about = ((west + east) / 2, (south + north) / 2)
        # The study area is turned the other way: in that frame the cells are ordinary squares.
        turned = rotate(outline, -turn_deg, origin=about) if turn_deg else outline
        grid = Grid.covering(turned.bounds, cell_m=size_m, margin_m=size_m if shift else 0.0)
        grid = Grid(grid.x0 + shift * size_m, grid.y0 + shift * size_m, size_m, grid.rows, grid.cols)
        plain = cls.of(grid, grid.fraction(turned))
        words = f", turned {turn_deg:g}°" * bool(turn_deg) + f", shifted {shift:g}" * bool(shift)
        return cls(plain.name + words, grid, plain.cell, plain.area_km2, turn_deg, about, outline)

    @classmethod
    def hexagons(cls, outline: Any, *, size_m: float) -> Self:
        """Cover a study area with hexagons of `size_m` from side to opposite side; `outline` as for squares."""
        grid = HexGrid.covering(outline.bounds, size_m=size_m)
        return replace(cls.of(grid, grid.fraction(outline)), outline=outline)

    @property
    def size_m(self) -> float:
        """Side of a square, or the distance between opposite sides of a hexagon, metres."""
        return self.grid.cell_m if isinstance(self.grid, Grid) else self.grid.size_m

    def unit_of(self, points_m: Points) -> Units:
        """Return the unit that holds each point, -1 outside all, shape (n,)."""
        points = np.asarray(points_m, dtype=np.float64).reshape(-1, 2)
        if self.turn_deg:
            east, north = points[:, 0] - self.about_m[0], points[:, 1] - self.about_m[1]
            c, s = cos(radians(-self.turn_deg)), sin(radians(-self.turn_deg))
            points = np.column_stack((c * east - s * north, s * east + c * north)) + np.array(self.about_m)
        return np.asarray(self._unit_of_cell[self.grid.cell_of(points)])

    @cached_property
    def _unit_of_cell(self) -> Units:
        """Number of each cell among the units; the last entry is for points outside the grid."""
        unit = np.full(len(self.grid) + 1, -1, dtype=np.int64)
        unit[self.cell] = np.arange(self.cell.size)
        return unit

    @cached_property
    def neighbours(self) -> Weights:
        """Units that share a side; squares also those that share a corner."""
        if isinstance(self.grid, Grid):
            inside = np.zeros(len(self.grid), dtype=bool)
            inside[self.cell] = True
            return lattice(inside.reshape(self.grid.shape))
        centres = self.grid.centre(self.cell)
        left, right = [], []
        # Three of the six directions: the other three are these seen from the neighbour.
        for east, up in ((1.0, 0.0), (0.5, 1.0), (-0.5, 1.0)):
            there = self.unit_of(centres + np.array((east * self.grid.size_m, up * self.grid.pitch_m)))
            left.append(np.flatnonzero(there >= 0))
            right.append(there[there >= 0])
        return from_pairs(np.concatenate(left), np.concatenate(right), n=self.cell.size, rule="sides of hexagons")


def _name(grid: Grid | HexGrid) -> str:
    return f"squares {grid.cell_m:g} m" if isinstance(grid, Grid) else f"hexagons {grid.size_m:g} m"
