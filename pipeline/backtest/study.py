"""What is to be predicted, and the part of it that a method may see."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.backtest.tilings import Tiling
from pipeline.errors import InputError

__all__ = ["AREAS", "CELLS", "Mosaic", "Past", "Study"]

Points = NDArray[np.float64]
CELLS = "cells"
"""Name of the mosaic of the study's own tiling."""
AREAS = "areas"
"""Name of the mosaic of wards, or of whatever the smallest areas are."""


@dataclass(frozen=True, slots=True, eq=False)
class Mosaic:
    """Units that tile the study area: cells, or wards.

    Attributes
    ----------
    name
        `CELLS`, `AREAS`, or the name of another tiling.
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
        unit = self.unit[rows]
        return np.bincount(unit[unit >= 0], minlength=self.area_km2.size).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Everything a method sees: copies of what happened strictly before the origin.

    Attributes
    ----------
    points_m
        Eastings and northings of the incidents of the history, shape (past incidents, 2).
    counts
        Incidents of the history per unit, by name of the mosaic.
    latest, ever
        The same of the latest period alone, and of all periods before the origin.
    area_km2, population
        Of the units, by name of the mosaic.
    tiling
        The cells of the mosaic `CELLS`.
    seed
        For methods that draw.
    """

    points_m: Points
    counts: dict[str, NDArray[np.int64]]
    latest: dict[str, NDArray[np.int64]]
    ever: dict[str, NDArray[np.int64]]
    area_km2: dict[str, NDArray[np.float64]]
    population: dict[str, NDArray[np.float64] | None]
    tiling: Tiling
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
    tiling
        The cells that methods rank.
    mosaics
        Cells, areas where there are any, and turned grids, by name.
    lacking
        Periods that the data lacks.
    """

    points_m: Points
    when: NDArray[np.int64]
    tiling: Tiling
    mosaics: dict[str, Mosaic]
    lacking: frozenset[int] = frozenset()

    @classmethod
    def of(
        cls,
        points_m: ArrayLike,
        *,
        when: ArrayLike,
        tiling: Tiling,
        area_of: ArrayLike | None = None,
        area_km2: ArrayLike | None = None,
        population: ArrayLike | None = None,
        turned: tuple[Tiling, ...] = (),
        lacking: frozenset[int] = frozenset(),
    ) -> "Study":
        """Put incidents into cells, and into areas where they are given.

        Parameters
        ----------
        points_m
            Eastings and northings in metres, shape (n, 2).
        when
            Period number of each incident, shape (n,).
        tiling
            Cells over the study area.
        area_of
            Area of each incident, -1 outside all, shape (n,).
        area_km2, population
            Of each area; a population of 0 or NaN is unknown.
        turned
            Other tilings of the same study area, for methods that choose among them.
        lacking
            Numbers of periods that the data lacks.

        Raises
        ------
        InputError
            If lengths differ or a coordinate is missing.
        """
        points, periods = np.asarray(points_m, dtype=np.float64).reshape(-1, 2), np.asarray(when, dtype=np.int64)
        if periods.shape != (points.shape[0],) or not np.isfinite(points).all():
            raise InputError(
                f"{points.shape[0]} points and {periods.size} periods: give each incident finite coordinates and a "
                "period"
            )
        mosaics = {CELLS: Mosaic(CELLS, tiling.area_km2, tiling.unit_of(points))}
        if area_of is not None and area_km2 is not None:
            people = None if population is None else np.nan_to_num(np.asarray(population, dtype=np.float64))
            unit = np.asarray(area_of, dtype=np.int64)
            if unit.shape != periods.shape:
                raise InputError(f"{unit.size} areas for {periods.size} incidents: give one each, -1 outside all")
            mosaics[AREAS] = Mosaic(AREAS, np.asarray(area_km2, dtype=np.float64), unit, people)
        mosaics |= {t.name: Mosaic(t.name, t.area_km2, t.unit_of(points)) for t in turned}
        return cls(points, periods, tiling, mosaics, lacking)

    @property
    def placed(self) -> NDArray[np.bool_]:
        """True for incidents inside a unit of every mosaic: only they are seen and counted, shape (n,)."""
        return np.asarray(np.all([m.unit >= 0 for m in self.mosaics.values()], axis=0), dtype=bool)

    def between(self, first: int | None, end: int) -> NDArray[np.bool_]:
        """Choose the incidents of the periods from `first` (None: the beginning) to before `end`, shape (n,)."""
        rows = self.placed & (self.when < end)
        return rows if first is None else np.asarray(rows & (self.when >= first))

    def _counts(self, rows: NDArray[np.bool_]) -> dict[str, NDArray[np.int64]]:
        """Count the chosen incidents in the units of every mosaic."""
        return {m.name: m.counts(rows) for m in self.mosaics.values()}

    def past(self, origin: int, *, history: int | None, seed: int) -> Past:
        """Copy out what may be seen at the origin: nothing that came later can be reached from it."""
        rows = self.between(None if history is None else origin - history, origin)
        # The latest period that the data has: a missing one would look like a period without incidents.
        latest = origin - 1
        while latest in self.lacking:
            latest -= 1
        return Past(
            points_m=self.points_m[rows].copy(),
            counts=self._counts(rows),
            latest=self._counts(self.between(latest, origin)),
            ever=self._counts(self.between(None, origin)),
            area_km2={m.name: m.area_km2.copy() for m in self.mosaics.values()},
            population={m.name: None if m.population is None else m.population.copy() for m in self.mosaics.values()},
            tiling=self.tiling,
            seed=seed,
        )
