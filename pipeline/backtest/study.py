"""What is to be foretold, and the part of it that a method may see."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError
from pipeline.geography.grid import Grid

__all__ = ["Mosaic", "Past", "Study"]

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Mosaic:
    """Units that tile the study area: cells, or wards.

    Attributes
    ----------
    name
        ``"cells"`` or ``"areas"``.
    area_km2
        Area of each unit inside the study area, shape (units,).
    unit
        Unit of each incident, -1 outside, shape (incidents,).
    population
        Residents of each unit, 0 where unknown, shape (units,); None where no unit has any.
    """

    name: str
    area_km2: NDArray[np.float64]
    unit: NDArray[np.int64]
    population: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.unit.size and (self.unit.min() < -1 or self.unit.max() >= self.area_km2.size):
            raise InputError(
                f"an incident names one of the {self.name} that does not exist: number them from 0, -1 outside"
            )
        if self.population is not None and self.population.shape != self.area_km2.shape:
            raise InputError(f"{self.population.size} populations for {self.area_km2.size} {self.name}: give one each")

    def counts(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count the chosen incidents in each unit, shape (units,)."""
        return np.bincount(self.unit[rows], minlength=self.area_km2.size).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Everything a method sees: copies of what happened strictly before the origin.

    Attributes
    ----------
    points_m
        Eastings and northings of the incidents, shape (past incidents, 2).
    counts
        Incidents per unit, by name of the mosaic.
    area_km2, population
        Of the units, by name of the mosaic.
    grid, cell
        The grid behind the cells, and the grid's number of each unit of the mosaic ``"cells"``.
    seed
        For methods that draw.
    """

    points_m: Points
    counts: dict[str, NDArray[np.int64]]
    area_km2: dict[str, NDArray[np.float64]]
    population: dict[str, NDArray[np.float64] | None]
    grid: Grid
    cell: NDArray[np.int64]
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Incidents with their period, and the mosaics they fall in.

    Attributes
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    when
        Period of each incident as a whole number that rises by one from period to period, shape (n,).
    grid, cell
        As in `Past`.
    cells
        The mosaic of cells.
    areas
        The mosaic of areas, or None.
    """

    points_m: Points
    when: NDArray[np.int64]
    grid: Grid
    cell: NDArray[np.int64]
    cells: Mosaic
    areas: Mosaic | None

    @classmethod
    def lay(
        cls,
        points_m: ArrayLike,
        *,
        when: ArrayLike,
        grid: Grid,
        inside: ArrayLike,
        area_of: ArrayLike | None = None,
        area_km2: ArrayLike | None = None,
        population: ArrayLike | None = None,
    ) -> "Study":
        """Put incidents into cells, and into areas where they are given.

        Parameters
        ----------
        points_m
            Eastings and northings in metres, shape (n, 2).
        when
            Period number of each incident, shape (n,).
        grid
            Cells over the study area.
        inside
            Share of each cell inside the study area (`Grid.fraction`), shape (rows, cols).
        area_of
            Area of each incident, -1 outside all, shape (n,).
        area_km2, population
            Of each area; a population of 0 or NaN is unknown.

        Returns
        -------
        study
            Cells that lie wholly outside are left out.

        Raises
        ------
        InputError
            If lengths differ or a coordinate is missing.
        """
        points, periods = np.asarray(points_m, dtype=np.float64).reshape(-1, 2), np.asarray(when)
        share = np.asarray(inside, dtype=np.float64)
        if periods.shape != (points.shape[0],) or share.shape != grid.shape or not np.isfinite(points).all():
            raise InputError(
                f"{points.shape[0]} points, {periods.size} periods, a mask of {share.shape} on a grid of {grid.shape}: "
                "give each incident finite coordinates and a period, and the mask the grid's shape"
            )
        cell = np.flatnonzero(share.ravel() > 0)
        unit_of_cell = np.full(len(grid) + 1, -1, dtype=np.int64)
        unit_of_cell[cell] = np.arange(cell.size)
        cells = Mosaic("cells", share.ravel()[cell] * grid.cell_km2, unit_of_cell[grid.cell_of(points)])
        areas = None
        if area_of is not None and area_km2 is not None:
            people = None if population is None else np.nan_to_num(np.asarray(population, dtype=np.float64))
            unit = np.asarray(area_of, dtype=np.int64)
            if unit.shape != periods.shape:
                raise InputError(f"{unit.size} areas for {periods.size} incidents: give one each, -1 outside all")
            areas = Mosaic("areas", np.asarray(area_km2, dtype=np.float64), unit, people)
        return cls(points, periods.astype(np.int64), grid, cell, cells, areas)

    @property
    def mosaics(self) -> tuple[Mosaic, ...]:
        """The mosaics there are."""
        return (self.cells,) if self.areas is None else (self.cells, self.areas)

    @property
    def placed(self) -> NDArray[np.bool_]:
        """True for incidents inside a unit of every mosaic: only they are seen and counted, shape (n,)."""
        return np.asarray(np.all([m.unit >= 0 for m in self.mosaics], axis=0), dtype=bool)

    def before(self, origin: int, history: int | None) -> NDArray[np.bool_]:
        """Choose the incidents strictly before the origin, no further back than the history, shape (n,)."""
        first = np.iinfo(np.int64).min if history is None else origin - history
        return np.asarray(self.placed & (self.when >= first) & (self.when < origin))

    def after(self, origin: int, horizon: int) -> NDArray[np.bool_]:
        """Choose the incidents from the origin on, up to the horizon, shape (n,)."""
        return np.asarray(self.placed & (self.when >= origin) & (self.when < origin + horizon))

    def past(self, origin: int, *, history: int | None, seed: int) -> Past:
        """Copy out what may be seen at the origin: nothing that came later can be reached from it."""
        rows = self.before(origin, history)
        return Past(
            points_m=self.points_m[rows].copy(),
            counts={m.name: m.counts(rows) for m in self.mosaics},
            area_km2={m.name: m.area_km2.copy() for m in self.mosaics},
            population={m.name: None if m.population is None else m.population.copy() for m in self.mosaics},
            grid=self.grid,
            cell=self.cell.copy(),
            seed=seed,
        )
