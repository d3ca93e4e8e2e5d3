"""The methods that are put to the test, each a function of the past alone.

To add one: write a function from `Past` to one score per unit (0 or less where it marks nothing) and list it in
`standard_methods`; its name for readers is `method.<key>` of `[backtest]` in the catalogue of words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.backtest.study import AREAS, CELLS, Past
from pipeline.backtest.tilings import Tiling
from pipeline.detect.clusters import auto_min_samples, dbscan
from pipeline.detect.gistar import gistar
from pipeline.detect.kde import LEAST_INSIDE, collapse, kde_grid, kernel_per_m2, mass_inside, reach_m, sample_linear
from pipeline.geography.grid import Grid

__all__ = ["Chosen", "Method", "kde", "kde_method", "standard_methods", "turned_grids"]

Scores = NDArray[np.float64]
PER_REACH = 5  # places per reach of the kernel at which density is taken, so that a small bandwidth is no dot map
AT_ONCE = 2048  # incidents about which density is taken at once
EDGE_PARTS = 8  # cells per reach of the kernel at which its mass inside the study area is taken: it varies slowly
MOST_EDGE_CELLS = 8_000_000  # larger cells where a small kernel meets a large area: 64 MB, and a second of work
TURNS_DEG = (0.0, 15.0, 30.0, 45.0, 60.0, 75.0)  # a square grid turned by 90 degrees is itself again
SHIFTS = (0.0, 0.5)  # in sides


@dataclass(frozen=True, slots=True)
class Method:
    """A way to rank units.

    Attributes
    ----------
    key
        Names the method in results and in the catalogue of words.
    mosaic
        What it ranks: `CELLS`, `AREAS`, or the name of another tiling.
    score
        From the past to one number per unit, highest first; 0 or less where it marks nothing.
    """

    key: str
    mosaic: str
    score: Callable[[Past], Scores]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A method with a setting that is chosen at each origin by what earlier origins showed.

    Attributes
    ----------
    key
        Of the method as a whole.
    candidates
        One method per setting, in the order of the setting; the key of each is the setting as readers see it.
    first
        Which candidate is taken at the first origin, where nothing has been shown yet.
    ordered
        Whether the settings have an order, so that the best may lie at an end of it.
    """

    key: str
    candidates: tuple[Method, ...]
    first: int
    ordered: bool


def standard_methods(
    *,
    eps_m: float,
    min_samples: int | Literal["auto"],
    bandwidths_m: Sequence[float] = (),
    kernel: str = "quartic",
    turned: Sequence[Tiling] = (),
    areas: bool,
    population: bool,
) -> tuple[Method | Chosen, ...]:
    """Return the methods that a study can bear; the simplest come last.

    Parameters
    ----------
    eps_m, min_samples
        For the clusters.
    bandwidths_m, kernel
        Candidates of kernel density.
    turned
        Candidates of the turned grid, from `turned_grids`.
    areas, population
        Whether the study has areas, and whether they have residents.
    """

    def by_cluster(past: Past) -> Scores:
        return _clusters(past, eps_m=eps_m, min_samples=min_samples)

    methods: list[Method | Chosen] = []
    if ladder := tuple(kde_method(b, kernel=kernel) for b in sorted(set(bandwidths_m))):
        methods.append(Chosen("kde", ladder, len(ladder) // 2, ordered=True))
    methods += [Method("clusters", CELLS, by_cluster), Method("gistar", CELLS, _gistar)]
    if grids := tuple(Method(t.name, t.name, _count_in(t.name)) for t in turned):
        methods.append(Chosen("turned_grid", grids, 0, ordered=False))
    methods.append(Method("grid_count", CELLS, _count_in(CELLS)))
    if areas and population:
        methods.append(Method("area_rate", AREAS, _rate))
    if areas:
        methods.append(Method("area_density", AREAS, _density))
    methods += [
        Method("long_run", CELLS, lambda past: past.ever[CELLS].astype(np.float64)),
        Method("last_period", CELLS, lambda past: past.latest[CELLS].astype(np.float64)),
    ]
    return tuple(methods)


def turned_grids(outline: object, *, size_m: float) -> tuple[Tiling, ...]:
    """Cover a study area with squares in every turn and shift that is tried; the first is the grid as it is.

    References
    ----------
    Mohler and Porter (2018), Statistical Analysis and Data Mining 11, 227-236: turned and shifted grids.
    """
    return tuple(Tiling.squares(outline, size_m=size_m, turn_deg=t, shift=s) for t in TURNS_DEG for s in SHIFTS)


def kde_method(bandwidth_m: float, *, kernel: str = "quartic") -> Method:
    """Return kernel density with one bandwidth: expected incidents per square kilometre of each cell."""
    return Method(
        f"{bandwidth_m:g} m", CELLS, lambda p: kde(p.points_m, p.tiling, bandwidth_m=bandwidth_m, kernel=kernel)
    )


def kde(points_m: NDArray[np.float64], tiling: Tiling, *, bandwidth_m: float, kernel: str) -> Scores:
    """Estimate the mean density over each cell by a direct sum of kernels.

    Places on a lattice stand for the cell: fine enough for the kernel, and at least one per cell. Only places within
    reach of an incident are visited, whose number does not depend on the study area, and where no kernel reaches the
    density is exactly 0. Where the tiling has an outline, density at each place is divided by the part of the kernel
    that lies inside it, as on the map (`detect.density.edge: uniform`): otherwise cells at a coast would rank too low.

    Returns
    -------
    density
        Incidents per square kilometre, shape (units,).
    """
    total = np.zeros(tiling.cell.size)
    points = np.asarray(points_m, dtype=np.float64).reshape(-1, 2)
    if not len(points):
        return total
    # An incident at a place that repeats is one kernel with a weight.
    first, which = collapse(points)
    weight, at = np.bincount(which), points[first]
    reach = reach_m(kernel, bandwidth_m)
    parts = max(1, ceil(tiling.size_m * PER_REACH / reach))
    side = tiling.size_m / parts
    ground = None if tiling.outline is None else _mass_inside(tiling.outline, kernel, bandwidth_m)
    # Both lattices divide their cells evenly: parts x parts places in a square about its centre; in a hexagon the
    # centres of hexagons of a whole fraction of its size, in rows of which every other is shifted by half a side.
    if isinstance(tiling.grid, Grid):
        rise, starts = side, [(tiling.grid.x0 + side / 2, tiling.grid.y0 + side / 2)]
    else:
        # Places on the border of a hexagon fall to one side if the lattice is moved by a hair, and to the other if it
        # is moved the other way: half of each leaves every hexagon parts x parts places about its centre.
        rise, starts = side * sqrt(3) / 2, [(1e-4 * side, 2.3e-4 * side), (-1e-4 * side, -2.3e-4 * side)]
    ups = range(-ceil(reach / rise), ceil(reach / rise) + 2)
    along = np.arange(-ceil(reach / side), ceil(reach / side) + 2)
    # A row of places about each of some incidents at a time: whole arrays are fast as long as they fit in the cache.
    for (east, north), up, start in product(starts, ups, range(0, len(at), AT_ONCE)):
        here = at[start : start + AT_ONCE]
        row = np.floor((here[:, 1] - north) / rise) + up
        shift = np.zeros_like(row) if len(starts) == 1 else row % 2 / 2
        col = np.floor((here[:, 0] - east) / side - shift)[:, None] + along
        place_east, place_north = (col + shift[:, None]) * side + east, row * rise + north
        away = np.hypot(place_east - here[:, :1], (place_north - here[:, 1])[:, None])
        of, _ = near = np.nonzero(away < reach)
        place = np.column_stack((place_east[near], place_north[of]))
        mass = weight[start + of] * kernel_per_m2(away[near], kernel=kernel, bandwidth_m=bandwidth_m)
        if ground is not None:
            mass /= ground.at(place)
        unit = tiling.unit_of(place)
        total += np.bincount(unit[unit >= 0], mass[unit >= 0], minlength=total.size)
    return np.asarray(total * 1e6 / parts**2 / len(starts), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _MassInside:
    """The part of a kernel that lies inside the study area, at the middles of cells, shape (rows, cols)."""

    grid: Grid
    mass: Scores

    def at(self, places_m: NDArray[np.float64]) -> Scores:
        """Read it at places, shape (n, 2); beyond the cells it is that of the nearest."""
        west, south, east, north = self.grid.bounds
        rim = 0.501 * self.grid.cell_m
        kept = places_m.clip((west + rim, south + rim), (east - rim, north - rim))
        return np.maximum(sample_linear(self.mass, kept, grid=self.grid), LEAST_INSIDE)


@lru_cache(maxsize=8)
def _mass_inside(outline: Any, kernel: str, bandwidth_m: float) -> _MassInside:
    """Return the part of a kernel about each place that lies inside an outline."""
    west, south, east, north = outline.bounds
    reach = reach_m(kernel, bandwidth_m)
    cell = max(reach / EDGE_PARTS, sqrt((east - west + 2 * reach) * (north - south + 2 * reach) / MOST_EDGE_CELLS))
    grid = kde_grid(outline.bounds, bandwidth_m=bandwidth_m, kernel=kernel, cell_m=cell)
    return _MassInside(grid, mass_inside(grid.fraction(outline), grid=grid, kernel=kernel, bandwidth_m=bandwidth_m))


def _count_in(mosaic: str) -> Callable[[Past], Scores]:
    return lambda past: past.counts[mosaic].astype(np.float64)


def _clusters(past: Past, *, eps_m: float, min_samples: int | Literal["auto"]) -> Scores:
    """Take hotspots as the map ranks them, by incidents; inside one, the cells with most of them first."""
    samples = auto_min_samples(past.points_m, eps_m=eps_m).min_samples if min_samples == "auto" else min_samples
    labels = dbscan(past.points_m, eps_m=eps_m, min_samples=samples).labels
    clustered = labels >= 0
    unit, label = past.tiling.unit_of(past.points_m[clustered]), labels[clustered]
    if not unit.size:
        return np.zeros(past.tiling.cell.size)
    size = np.bincount(label)
    held = np.bincount(unit, minlength=past.tiling.cell.size)
    largest = np.zeros(past.tiling.cell.size)
    np.maximum.at(largest, unit, size[label])
    return np.asarray(largest + held / (held.max() + 1.0), dtype=np.float64)


def _gistar(past: Past) -> Scores:
    """Score cells by what their neighbourhoods hold per covered area: a cell cut by the border is no cold one."""
    return gistar(
        past.counts[CELLS],
        weights=past.tiling.neighbours,
        family="backtest",
        population=past.area_km2[CELLS],
        inference="analytic",
        min_units=2,
    ).z


def _density(past: Past) -> Scores:
    """Rank areas by incidents per square kilometre: by incidents alone, a large area comes before a busy one."""
    area = past.area_km2[AREAS]
    return np.divide(past.counts[AREAS], area, out=np.zeros(area.size), where=area > 0)


def _rate(past: Past) -> Scores:
    people, counts = past.population[AREAS], past.counts[AREAS].astype(np.float64)
    if people is None:
        return np.zeros(counts.size)
    return np.divide(counts, people, out=np.zeros(counts.size), where=people > 0)
