"""Local statistics: Getis-Ord Gi* and local Moran's I of areas and cells.

Gi* finds neighbourhoods that hold more, or less, than chance would put there; local Moran's I finds areas that are like
their neighbours, or unlike them. Both are tested by conditional permutation and adjusted for the number of tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from pipeline.detect.density import month_rows, places_of
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.errors import InputError
from pipeline.geography.grid import Grid, HexGrid
from pipeline.geography.neighbours import Weights, conditional, contiguity
from pipeline.statistics.uncertainty import Family, benjamini_hochberg
from pipeline.tables import ANALYSIS_CELLS

__all__ = [
    "COLUMNS",
    "METHOD",
    "QUADRANTS",
    "AnalysisCells",
    "GiStar",
    "HotspotClass",
    "LocalMoran",
    "MoranClass",
    "Significance",
    "analysis_cells",
    "area_significance",
    "gistar",
    "local_moran",
    "standardised_rates",
]

# Adjusted for thousands of tests together, a p-value must start out near 1e-5 to reach the 99 % class: fewer
# permutations cannot give one so small.
PERMUTATIONS = 99_999
# With fewer units the neighbourhood is most of the map, and no part can stand out from the whole: 33 boroughs are
# too few, 650 wards are enough.
MIN_UNITS = 50


# Getis-Ord Gi*
# -------------


class HotspotClass(IntEnum):
    """How surely a unit is in a hot (above 0) or cold (below 0) neighbourhood: column hotspot_class."""

    COLD_99 = -3
    COLD_95 = -2
    COLD_90 = -1
    NOT_SIGNIFICANT = 0
    HOT_90 = 1
    HOT_95 = 2
    HOT_99 = 3


LEVELS = (0.10, 0.05, 0.01)  # a class is one step further for each level that the adjusted p is at or under
NOTED_SHARE = 0.005  # of all units: a class that small need not be mentioned as out of reach


@dataclass(frozen=True, slots=True)
class GiStar:
    """Gi* of every unit, with the family of tests and the units that could not be tested.

    Attributes
    ----------
    z
        Standard scores, shape (n,). 0 where not defined; never NaN.
    p, q
        Two-sided p-values and their Benjamini-Hochberg adjusted values, shape (n,). 1 where not defined.
    hotspot_class
        Codes of `HotspotClass`, shape (n,).
    defined
        False where no statistic exists: no neighbours, no population, not covered, no variation, too few units.
    measure
        ``"counts"`` or ``"empirical-Bayes standardised rates"``.
    inference
        How p was found, in words.
    family
        What was adjusted together.
    notes
        Limits of this result, one sentence each.
    """

    z: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    hotspot_class: NDArray[np.int8]
    defined: NDArray[np.bool_]
    measure: str
    inference: str
    family: Family
    notes: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """Return columns gistar_z, gistar_p, gistar_q, hotspot_class; null, not 0, where not defined."""
        columns = {"gistar_z": self.z, "gistar_p": self.p, "gistar_q": self.q}
        table = pd.DataFrame({k: pd.array(v, dtype="Float64") for k, v in columns.items()})
        table["hotspot_class"] = pd.array(self.hotspot_class, dtype="Int8")
        table.loc[~self.defined] = pd.NA
        return table


def standardised_rates(counts: ArrayLike, *, population: ArrayLike) -> NDArray[np.float64]:
    """Express each area's rate as standard deviations from the common rate, adjusted for small populations.

    With rate r = c / P, common rate b = sum c / sum P and between-area variance
    ``a = sum P (r - b)^2 / sum P - b / mean P``, the value is ``(r - b) / sqrt(a + b / P)``;
    where that variance is not positive, ``b / P`` alone stands in for it.

    Parameters
    ----------
    counts
        Incidents per area, shape (n,).
    population
        Residents per area, all positive, shape (n,).

    Returns
    -------
    standardised
        Without unit, shape (n,). All 0 if no area has an incident.

    Raises
    ------
    InputError
        If a population is missing or not positive, or a count is missing or negative.

    References
    ----------
    Assuncao and Reis (1999), Statistics in Medicine 18, 2147-2162.

    Examples
    --------
    >>> counts, residents = [30, 25, 25, 15, 33, 21, 30, 20], [100, 100, 110, 90, 100, 90, 110, 90]
    >>> standardised_rates(counts, population=residents)[:4].round(4).tolist()
    [1.0384, -0.041, -0.5625, -1.7306]
    """
    events, people = np.asarray(counts, dtype=np.float64), np.asarray(population, dtype=np.float64)
    if events.shape != people.shape or not (np.isfinite(people).all() and bool((people > 0).all())):
        raise InputError("every area needs a population above zero: leave out areas without residents")
    if not (np.isfinite(events).all() and bool((events >= 0).all())):
        raise InputError("every area needs a count of zero or more: fill or leave out areas without one")
    # The common rate is that of all areas together, not the mean of their rates: a hamlet counts for a hamlet.
    common = events.sum() / people.sum() if people.size else 0.0
    if common == 0.0:
        return np.zeros(events.shape)
    rate = events / people
    # Rates vary between areas (`between`) and by chance, the more the fewer live there (`chance`). The estimate of the
    # first may come out negative where chance explains all: then chance alone scales the rate.
    between = (people * (rate - common) ** 2).sum() / people.sum() - common / people.mean()
    chance = common / people
    variance = between + chance
    return np.asarray(
        (rate - common) / np.sqrt(np.where(variance > 1e-12 * chance, variance, chance)), dtype=np.float64
    )


def gistar(
    counts: ArrayLike,
    *,
    weights: Weights,
    family: str,
    population: ArrayLike | None = None,
    covered: ArrayLike | None = None,
    inference: str = "permutation",
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    min_units: int = MIN_UNITS,
) -> GiStar:
    """Test for every unit whether it and its neighbours together have more or less than the other units.

    ``z_i = (sum_j w_ij x_j - mean(x) W_i) / (s sqrt((n W_i - W_i^2) / (n - 1)))`` with w binary, self
    included, W_i its row sum and s the standard deviation over n units.

    Parameters
    ----------
    counts
        Incidents per unit, shape (n,).
    weights
        Neighbours, self not included: it is added here.
    family
        What is adjusted together, in words: one layer, one category, one period.
    population
        Residents per unit, or its covered area, shape (n,). If given, x is the empirical-Bayes standardised rate and
        units without residents take no part; otherwise x is the count.
    covered
        False for units the source does not cover, which take no part, shape (n,).
    inference
        ``"permutation"`` (conditional: the unit keeps its value, the others trade places) or
        ``"analytic"`` (normal approximation, poor on sparse counts).
    permutations, seed
        How many draws, from which seed.
    min_units
        With fewer units than this nothing is computed and a note says so: 33 boroughs are too few.

    Returns
    -------
    result
        Scores, p-values, classes, and notes on what could not be tested.

    Raises
    ------
    InputError
        If lengths differ, a covered count is missing, or `inference` is unknown.

    References
    ----------
    Ord and Getis (1995), Geographical Analysis 27, 286-306; Anselin (1995) for the conditional permutations.
    """
    if inference not in {"permutation", "analytic"}:
        raise InputError(f"inference {inference!r} is unknown: choose permutation or analytic")
    # Units without a usable value leave, and the others' neighbourhoods shrink: a hole is not a zero.
    x, taking_part, notes = _values(counts, population, covered, weights.n)
    around = weights.subset(taking_part)
    z, p, tested, direction = np.zeros(x.size), np.ones(x.size), ~around.isolated, np.zeros(x.size)
    if x.size < min_units:
        notes.append(f"Gi* needs at least {min_units} units to tell a part from the whole; there are {x.size}.")
        tested[:] = False
    elif float(np.ptp(x)) == 0.0:
        notes.append("All units have the same value, so none stands out.")
        tested[:] = False
    else:
        z, possible = _score(x, around)
        tested &= possible
        if around.isolated.any():
            notes.append(f"{int(around.isolated.sum())} units have no neighbours and were not tested.")
        if inference == "permutation":
            # Conditional: the unit keeps its value and the others trade places, so that p says whether its neighbours
            # are more, or less, than others drawn at random. The normal approximation overstates sparse counts.
            drawn = conditional(x, weights=around, permutations=permutations, seed=seed)
            p, direction = drawn.p, np.sign(drawn.below - drawn.above)
            # The smallest p that so many permutations can give. After the adjustment the 99 % class is reached only if
            # floor x tests / (units in the class) <= 1 %: say so where that needs an improbably large class.
            floor = 2 / (permutations + 1)
            share = floor / LEVELS[-1]
            if share > NOTED_SHARE and floor * int(tested.sum()) > LEVELS[-1]:
                words = f"{share:.0%} of all units" if share < 1 else "more units than there are"
                notes.append(f"With {permutations:,} permutations no class of 99 % comes out unless it holds {words}.")
        else:
            p, direction = 2.0 * ndtr(-np.abs(z)), np.sign(z)
    z, p = np.where(tested, z, 0.0), np.where(tested, p, 1.0)
    # One test per unit: without adjustment one in twenty units would be "hot 95" on a map of pure noise.
    q = benjamini_hochberg(p, included=tested)
    how = f"{permutations:,} conditional permutations, seed {seed}" if inference == "permutation" else "analytic"
    # A lone peak among empty neighbours has z > 0 from its own value but a neighbourhood lower than chance: no class.
    side = np.where(np.sign(z) == direction, np.sign(z), 0.0)
    steps = sum((q <= level).astype(np.int8) for level in LEVELS)
    return GiStar(
        z=_spread(z, taking_part, 0.0),
        p=_spread(p, taking_part, 1.0),
        q=_spread(q, taking_part, 1.0),
        hotspot_class=_spread(side * steps, taking_part, 0.0).astype(np.int8),
        defined=_spread(tested, taking_part, 0.0).astype(bool),
        measure="counts" if population is None else "empirical-Bayes standardised rates",
        inference=how,
        family=Family(name=family, tests=int(tested.sum())),
        notes=tuple(notes),
    )


def _values(
    counts: ArrayLike, population: ArrayLike | None, covered: ArrayLike | None, n: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[str]]:
    """Return the tested values, who takes part, and the first notes."""
    given = np.asarray(counts, dtype=np.float64)
    taking_part = np.ones(n, dtype=bool) if covered is None else np.asarray(covered, dtype=bool).copy()
    people = None if population is None else np.asarray(population, dtype=np.float64)
    if given.shape != (n,) or taking_part.shape != (n,) or (people is not None and people.shape != (n,)):
        raise InputError(f"the weights join {n} units: give one count, population and coverage flag for each")
    notes: list[str] = []
    if not taking_part.all():
        notes.append(f"{int((~taking_part).sum())} units are not covered by the source and were left out.")
    if not np.isfinite(given[taking_part]).all():
        raise InputError("a covered unit has no count: write zeros where the source means zero, or mark it not covered")
    if people is None:
        return given[taking_part], taking_part, [*notes, "Counts were tested, not rates: no population was given."]
    empty = taking_part & ~(np.isfinite(people) & (people > 0))
    if empty.any():
        left_out = f"{int(empty.sum())} units without residents were left out"
        notes.append(f"{left_out}, and with them {given[empty].sum():,.0f} incidents.")
        taking_part &= ~empty
    return standardised_rates(given[taking_part], population=people[taking_part]), taking_part, notes


def _score(x: NDArray[np.float64], around: Weights) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return z, and where it exists: a unit that neighbours all others cannot be compared with anything."""
    size = around.neighbours + 1.0  # W_i: the unit itself is part of its neighbourhood, the star in Gi*
    total = around.lag(x) + x
    spread = x.std() * np.sqrt((x.size * size - size**2) / (x.size - 1))
    possible = size < x.size
    return np.divide(total - x.mean() * size, spread, out=np.zeros(x.size), where=possible), possible


def _spread(values: ArrayLike, where: NDArray[np.bool_], rest: float) -> NDArray[np.float64]:
    out = np.full(where.size, rest)
    out[where] = np.asarray(values, dtype=np.float64)
    return out


# Local Moran's I
# ---------------


class MoranClass(StrEnum):
    """Where a unit and its neighbours lie against the mean, if that is significant: column moran_class."""

    HIGH_HIGH = "HH"
    LOW_HIGH = "LH"
    LOW_LOW = "LL"
    HIGH_LOW = "HL"
    NOT_SIGNIFICANT = "ns"


QUADRANTS = (
    MoranClass.NOT_SIGNIFICANT,
    MoranClass.HIGH_HIGH,
    MoranClass.LOW_HIGH,
    MoranClass.LOW_LOW,
    MoranClass.HIGH_LOW,
)
"""Class of each quadrant code, 0 to 4: the codes are those of esda and GeoDa."""


@dataclass(frozen=True, slots=True)
class LocalMoran:
    """Local Moran's I of every unit.

    Attributes
    ----------
    i
        Local statistic, shape (n,). Positive: like near like. 0 where not defined; never NaN.
    p, q
        Two-sided p from conditional permutations and its Benjamini-Hochberg adjusted value, shape (n,).
    quadrant
        Where the unit and the mean of its neighbours lie against the overall mean, significant or not:
        codes of `QUADRANTS`, 0 where not defined, shape (n,).
    cluster
        The quadrant where q is at most alpha, otherwise 0, shape (n,).
    defined
        False where no statistic exists, shape (n,).
    alpha
        Share of false discoveries allowed in `cluster`.
    family
        What was adjusted together.
    notes
        Limits of this result, one sentence each.
    """

    i: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    quadrant: NDArray[np.int8]
    cluster: NDArray[np.int8]
    defined: NDArray[np.bool_]
    alpha: float
    family: Family
    notes: tuple[str, ...]


def local_moran(
    values: ArrayLike,
    *,
    weights: Weights,
    family: str,
    alpha: float = 0.05,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    min_units: int = MIN_UNITS,
) -> LocalMoran:
    """Find areas that are like their neighbours (high-high, low-low) or unlike them (high-low, low-high).

    ``I_i = (n - 1) z_i mean_j z_j / sum z^2`` with z the deviations from the mean and the inner mean
    over the neighbours of i.

    Parameters
    ----------
    values
        Counts on equal cells, standardised rates on areas, shape (n,).
    weights
        Binary neighbours, self not included.
    family
        What is adjusted together, in words: one layer, one category, one period.
    alpha
        Share of false discoveries allowed among the areas named.
    permutations, seed
        How many conditional draws, from which seed.
    min_units
        With fewer units than this nothing is computed and a note says so.

    Returns
    -------
    result
        Statistics, p-values, quadrants, clusters, notes.

    Raises
    ------
    InputError
        If there is not one finite number per unit.

    References
    ----------
    Anselin (1995), Geographical Analysis 27, 93-115.
    """
    z = _deviations(values, weights.n)
    tested = ~weights.isolated
    notes: list[str] = []
    if weights.n < min_units:
        notes.append(f"Local Moran's I needs at least {min_units} units; there are {weights.n}.")
        tested[:] = False
    elif not z.any():
        notes.append("All units have the same value, so none is like or unlike its neighbours.")
        tested[:] = False
    elif weights.isolated.any():
        notes.append(f"{int(weights.isolated.sum())} units have no neighbours and were not tested.")
    local, p = np.zeros(weights.n), np.ones(weights.n)
    quadrant = np.zeros(weights.n, dtype=np.int8)
    if tested.any():
        # Row-standardised: the mean of the neighbours, so that areas with many do not score higher for it.
        around = weights.lag(z) / np.maximum(weights.neighbours, 1)
        local = np.where(tested, (weights.n - 1) * z * around / float(z @ z), 0.0)
        high, near_high = z > 0, around > 0
        quadrant = np.select([high & near_high, ~high & near_high, ~high], [1, 2, 3], 4).astype(np.int8)
        quadrant[~tested] = 0
        drawn = conditional(np.asarray(values), weights=weights, permutations=permutations, seed=seed)
        p = np.where(tested, drawn.p, 1.0)
    q = benjamini_hochberg(p, included=tested)
    return LocalMoran(
        i=local,
        p=p,
        q=q,
        quadrant=quadrant,
        cluster=np.where(tested & (q <= alpha), quadrant, 0).astype(np.int8),
        defined=tested,
        alpha=alpha,
        family=Family(name=family, tests=int(tested.sum())),
        notes=tuple(notes),
    )


def _deviations(values: ArrayLike, n: int) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (n,) or not np.isfinite(given).all():
        raise InputError(f"values have shape {given.shape}: give one finite number for each of the {n} units")
    if given.size and float(np.ptp(given)) == 0.0:
        return np.zeros(n)
    return np.asarray(given - given.mean(), dtype=np.float64) if given.size else given


# Both on areas, as one table
# ---------------------------


COLUMNS = ("area_code", "category", "gistar_z", "gistar_p", "hotspot_class", "moran_class")


@dataclass(frozen=True, slots=True)
class Significance:
    """Table `frame` (COLUMNS, one row per area and category) and notes on how it was made."""

    frame: pd.DataFrame
    notes: tuple[str, ...]


def area_significance(
    counts: pd.DataFrame,
    *,
    codes: Sequence[str],
    weights: Weights,
    population: ArrayLike,
    categories: Sequence[str],
    permutations: int,
    seed: int,
    moran: bool = True,
    moran_fdr_q: float = 0.05,
) -> Significance:
    """Test every area for every category over one period.

    Parameters
    ----------
    counts
        Columns area_code, category, incidents; incidents null where unknown or withheld: such areas take no part.
    codes
        Areas in the order of `weights`.
    weights
        Neighbours, self not included.
    population
        Residents per area, NaN where unknown, shape (n,). Where all areas with a count have one, rates are tested.
    categories
        Categories to test; each is a family of its own.
    permutations
        Conditional permutations; 0 takes the normal approximation.
    seed
        Seed of the permutations.
    moran
        Local Moran's I as well (needs permutations).
    moran_fdr_q
        False-discovery rate at which local Moran's I names a cluster or an outlier.

    Returns
    -------
    significance
        Null statistics where an area could not be tested.
    """
    people = np.asarray(population, dtype=np.float64)
    frames, notes = [], []
    for category in categories:
        rows = counts[counts["category"] == category].set_index("area_code")["incidents"]
        values = pd.to_numeric(rows.reindex(codes)).astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        # A withheld or unknown count is no zero: the area takes no part.
        known = np.isfinite(values)
        # Rates need residents in every area that has a count; otherwise counts are tested, and a note says so.
        rated = bool(known.any()) and bool((people[known] > 0).all())
        family = f"all areas, {category}, one period"
        found = gistar(
            np.where(known, values, 0.0),
            weights=weights,
            family=family,
            population=np.where(known, people, 1.0) if rated else None,
            covered=known,
            inference="permutation" if permutations else "analytic",
            permutations=permutations or 1,
            seed=seed,
        )
        frame = found.frame()[["gistar_z", "gistar_p", "hotspot_class"]]
        frame.insert(0, "area_code", list(codes))
        frame.insert(1, "category", category)
        frame["moran_class"] = None
        if moran and permutations and known.any():
            taken = values[known]
            tested = standardised_rates(taken, population=people[known]) if rated else taken
            local = local_moran(
                tested,
                weights=weights.subset(known),
                family=family,
                alpha=moran_fdr_q,
                permutations=permutations,
                seed=seed,
            )
            classes = [
                QUADRANTS[int(c)].value if ok else None for c, ok in zip(local.cluster, local.defined, strict=True)
            ]
            frame.loc[known, "moran_class"] = classes
        frames.append(frame)
        notes += [f"{category}: {note}" for note in found.notes]
        notes.append(f"{category}: Gi* on {found.measure}, {found.inference}, {found.family}")
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))
    return Significance(table, tuple(notes))


# Gi* on equal cells: the entry in the registry
# ---------------------------------------------


SHARED_CORNER_M = 0.01  # cells that meet do so exactly but for rounding: a centimetre joins them and nothing else
# Of a cell: with less of it inside the study area, one incident would be a very high rate, and a point just outside the
# border that counts as inside (a snapped one) an endless one.
LEAST_INSIDE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class AnalysisCells:
    """Cells that the study area covers wholly or in part, and how points fall into them.

    Attributes
    ----------
    grid
        Squares or hexagons.
    index
        Number in the grid of each cell, shape (n,).
    covered_km2
        Area of each inside the study area, with that of the slivers that are counted with it, shape (n,).
    weights
        Neighbours of each.
    unit_of_cell
        Position among the cells of every cell of the grid, -1 for those left out.
    """

    grid: Grid | HexGrid
    index: NDArray[np.int64]
    covered_km2: NDArray[np.float64]
    weights: Weights
    unit_of_cell: NDArray[np.int64]

    def count(self, points_m: NDArray[np.float64], incidents: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum incidents at points, shape (m, 2), by cell, shape (n,)."""
        cell = self.grid.cell_of(points_m)
        unit = np.where(cell >= 0, self.unit_of_cell[cell], -1)
        held = unit >= 0
        return np.bincount(unit[held], weights=incidents[held], minlength=len(self.index)).astype(np.int64)


def analysis_cells(grid: Grid | HexGrid, *, study_area: Any, points_m: NDArray[np.float64]) -> AnalysisCells:
    """Take the cells of a grid that a study area touches, each with the area that is covered.

    A cell with less than a tenth inside is counted with the neighbour that has most inside: its few incidents stay in
    the test, and no rate is taken over a sliver. One without such a neighbour (a small island) stays by itself.

    Parameters
    ----------
    grid
        Squares or hexagons over the study area.
    study_area
        Valid polygon or multipolygon, metres.
    points_m
        Places that count as inside, shape (m, 2): the cell of one just outside the border belongs to the list.
    """
    share = grid.fraction(study_area).ravel()
    held = grid.cell_of(points_m)
    listed = share > 0
    listed[held[held >= 0]] = True
    index = np.flatnonzero(listed)
    weights, inside = contiguity(grid.polygons(index), snap_m=SHARED_CORNER_M), share[index]
    target = np.arange(len(index))
    begins = weights.matrix.indptr
    for cell in np.flatnonzero(inside < LEAST_INSIDE):
        around = weights.matrix.indices[begins[cell] : begins[cell + 1]]
        if around.size and inside[around].max() >= LEAST_INSIDE:
            target[cell] = around[np.argmax(inside[around])]
    kept = target == np.arange(len(index))
    # A square metre for a cell that is outside by rounding alone and has no neighbour: it still holds its incidents.
    covered = np.maximum(np.bincount(target, inside, len(index))[kept] * grid.cell_km2, 1e-6)
    position = np.cumsum(kept) - 1
    unit_of_cell = np.full(len(grid), -1, dtype=np.int64)
    unit_of_cell[index] = position[target]
    return AnalysisCells(grid, index[kept], covered, weights.subset(kept), unit_of_cell)


def _cells(data: DetectInput) -> Findings:
    """Test the analysis cells of one window, by incidents per covered area.

    Counts alone would call a cell cold for being cut by the border: with less land inside it expects fewer incidents.
    """
    settings = data.config.detect.gistar
    ground = data.study.outline
    grid: Grid | HexGrid
    if settings.grid == "square":
        grid = Grid.covering(ground.bounds, cell_m=settings.cell_m, margin_m=settings.cell_m)
    else:
        grid = HexGrid.covering(ground.bounds, size_m=settings.cell_m)
    places = data.places[["easting_m", "northing_m"]].to_numpy(dtype=np.float64)
    cells = analysis_cells(grid, study_area=ground, points_m=places)
    ids, shapes = grid.ids(cells.index), grid.polygons(cells.index)
    codes, names = data.study.areas_at(shapely.centroid(shapes))
    frames = []
    for category in settings.categories:
        counts = cells.count(*places_of(month_rows(data.rows_of(category), data.window.headline), category=category))
        found = gistar(
            counts,
            weights=cells.weights,
            family=f"all cells, {category}, one period",
            population=cells.covered_km2,
            inference="permutation" if settings.permutations else "analytic",
            permutations=settings.permutations or 1,
            seed=data.config.run.seed,
        )
        frame = found.frame()
        frames.append(
            gpd.GeoDataFrame(
                ANALYSIS_CELLS.conform(
                    pd.DataFrame(
                        {
                            "feature_id": [f"{category}:{cell}" for cell in ids],
                            "category": category,
                            "cell_id": ids,
                            "area_code": codes,
                            "area_name": names,
                            "incidents": counts,
                            "covered_km2": cells.covered_km2,
                            "density_per_km2": counts / cells.covered_km2,
                            "gistar_z": frame["gistar_z"].to_numpy(dtype=np.float64, na_value=np.nan),
                            "gistar_p": frame["gistar_p"].to_numpy(dtype=np.float64, na_value=np.nan),
                            "hotspot_class": frame["hotspot_class"].to_numpy(),
                        }
                    )
                ),
                geometry=shapes,
                crs=data.areas.crs,
            )
        )
    layer, name = gpd.GeoDataFrame(pd.concat(frames, ignore_index=True)), data.window.headline.id
    return Findings(
        tables={f"patterns/{name}/{ANALYSIS_CELLS.name}.parquet": layer}, counters={f"cells {name}": len(layer)}
    )


METHOD = Method(
    name="cells",
    section="detect.gistar",
    needs=frozenset({Need.POINTS}),
    scope=Scope.INTERNAL,
    switch="detect.gistar.grid",
    run=_cells,
)
