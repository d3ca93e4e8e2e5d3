"""Concentration: how few units hold a quarter, half and most of the incidents, and whether they are the same next year.

Units are complete lists: the analysis cells that the study area touches, and the smallest areas that are covered.
Repeat places are those with incidents alone, since no list says where nothing happened. All of it is for the internal
folder, and is computed where there is one.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.detect.density import month_rows, places_of
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Break, Period, breaks_within
from pipeline.geography.grid import Grid
from pipeline.statistics.concentration import (
    FEWEST_INCIDENTS,
    SHARES_PCT,
    Estimate,
    Frequencies,
    adjusted_gini,
    by_chance,
    gini,
    lasting,
    lorenz,
    top_units,
    units_holding_pct,
    with_intervals,
)
from pipeline.statistics.uncertainty import wilson
from pipeline.tables import CONCENTRATION

__all__ = [
    "CURVE_PCT",
    "METHOD",
    "REPEATS",
    "SAMPLES",
    "TOP_PCT",
    "Figure",
    "Unit",
    "Units",
    "categories_with_enough",
    "concentration_rows",
    "earlier_years",
    "repeat_rows",
]

SAMPLES = 99
"""Random draws behind each interval and each value by chance; they settle an interval's ends to about 7 %."""
TOP_PCT = 25
"""Units that hold this share of a year's incidents are its top units."""
REPEATS = (2, 5, 10)
"""Incidents from which a place is counted as a repeat place."""
MOST_YEARS = 5
CURVE_PCT = tuple(round(100 * (k / 100) ** 2, 2) for k in range(101))
"""Where the Lorenz curve is given, in per cent of units: close together at its start, where it bends."""

Counts = NDArray[np.int64]


class Unit(StrEnum):
    """What incidents are counted by."""

    CELL = "cell"
    AREA = "area"
    STREET = "street"
    PLACE = "place"


class Figure(StrEnum):
    """What a row of CONCENTRATION gives."""

    INCIDENTS = "incidents"
    UNITS = "units"
    CELL_M = "cell_m"
    OCCUPIED = "occupied"
    HOLDING = "holding"
    GINI = "gini"
    ADJUSTED_GINI = "adjusted_gini"
    LORENZ = "lorenz"
    OVERLAP = "overlap"
    TOP_UNITS = "top_units"
    TOP_THEN = "top_then"
    TOP_NOW = "top_now"
    PAI_THEN = "pai_then"
    PAI_NOW = "pai_now"
    RECAPTURE = "recapture"
    REPEAT_PLACES = "repeat_places"
    REPEAT_INCIDENTS = "repeat_incidents"


@dataclass(frozen=True, slots=True)
class Units:
    """A complete list of units.

    Attributes
    ----------
    kind
        What they are.
    sizes
        By which chance would scatter incidents over them, positive, shape (n,): square kilometres, metres, residents.
    counts
        Incidents of a category in a period, by unit, shape (n,); None where some are unknown.
    """

    kind: str
    sizes: NDArray[np.float64]
    counts: Callable[[str, Period], Counts | None]


def concentration_rows(
    units: Units, *, categories: Sequence[str], headline: Period, earlier: Sequence[Period], seed: int, samples: int
) -> list[dict[str, Any]]:
    """Compute all figures of a list of units.

    Parameters
    ----------
    units
        Units with their counts.
    categories
        Categories whose concentration in the headline is given, `all` first.
    headline
        Main period.
    earlier
        Periods before it, oldest first: for all categories together each is compared with the one before.
    seed, samples
        Random draws.

    Returns
    -------
    rows
        Rows of CONCENTRATION. A period with fewer than FEWEST_INCIDENTS incidents has its number alone.
    """
    rows: list[dict[str, Any]] = []
    for category in categories:
        periods = [headline] if category != ROOT else [*earlier, headline]
        before: tuple[Period, Counts] | None = None
        for period in periods:
            counts = units.counts(category, period)
            if counts is None or not counts.size:
                before = None
                continue
            rows += _spread(units, category, period, counts, whole=period == headline, seed=seed, samples=samples)
            if before is not None:
                rows += _lasting(units, before, (period, counts), seed=seed, samples=samples)
            before = (period, counts)
    return rows


@dataclass(frozen=True, slots=True)
class _Of:
    """What a row is about."""

    unit: str
    category: str
    period: Period

    def row(self, figure: Figure, found: Estimate | float, at: float = 0) -> dict[str, Any]:
        """Return a row of CONCENTRATION."""
        one = found if isinstance(found, Estimate) else Estimate(float(found))
        return {
            "unit": self.unit,
            "category": self.category,
            "period": self.period.id,
            "figure": figure.value,
            "at": float(at),
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "chance": one.chance,
        }


def _spread(
    units: Units, category: str, period: Period, counts: Counts, *, whole: bool, seed: int, samples: int
) -> list[dict[str, Any]]:
    """Give the shares, the coefficients and, for the headline, the curve of one period."""
    total = int(counts.sum())
    plain = [
        (Figure.INCIDENTS, total),
        (Figure.UNITS, counts.size),
        (Figure.OCCUPIED, int((counts > 0).sum())),
    ]
    of_period = _Of(units.kind, category, period)
    rows = [of_period.row(figure, value) for figure, value in plain]
    if total < FEWEST_INCIDENTS:
        return rows

    def figures(of: Frequencies) -> list[float]:
        return [*(units_holding_pct(of, share) for share in SHARES_PCT), gini(of), adjusted_gini(of)]

    def all_of(of: Frequencies) -> list[float]:
        curve = lorenz(of)
        return [*figures(of), *np.interp(CURVE_PCT, curve[:, 0], curve[:, 1]).tolist()]

    found = with_intervals(counts, figures, samples=samples, seed=seed)
    chance = by_chance(units.sizes, total, all_of if whole else figures, draws=samples, seed=seed)
    names = [*((Figure.HOLDING, share) for share in SHARES_PCT), (Figure.GINI, 0), (Figure.ADJUSTED_GINI, 0)]
    for (figure, at), one, expected in zip(names, found, chance, strict=False):
        rows.append(of_period.row(figure, Estimate(one.value, one.low, one.high, expected), at))
    if whole:
        curve = lorenz(counts)
        reached = np.interp(CURVE_PCT, curve[:, 0], curve[:, 1]).tolist()
        rows += [
            of_period.row(Figure.LORENZ, Estimate(value, chance=expected), at)
            for at, value, expected in zip(CURVE_PCT, reached, chance[len(names) :], strict=True)
        ]
    return rows


def _lasting(
    units: Units, before: tuple[Period, Counts], now: tuple[Period, Counts], *, seed: int, samples: int
) -> list[dict[str, Any]]:
    """Compare the top units of two periods of all categories together."""
    (_, then), (period, counts) = before, now
    if min(int(then.sum()), int(counts.sum())) < FEWEST_INCIDENTS:
        return []
    found = lasting(then, counts, sizes=units.sizes, top=lambda of, _: top_units(of, TOP_PCT), draws=samples, seed=seed)
    if found is None:
        return []
    figures: dict[Figure, Estimate | float] = {
        Figure.TOP_UNITS: found.units_then,
        Figure.OVERLAP: found.overlap,
        Figure.TOP_THEN: found.share_then_pct,
        Figure.TOP_NOW: found.share_now_pct,
        Figure.PAI_THEN: found.pai_then,
        Figure.PAI_NOW: found.pai_now,
        Figure.RECAPTURE: found.rri,
    }
    return [_Of(units.kind, ROOT, period).row(figure, one, TOP_PCT) for figure, one in figures.items()]


def repeat_rows(incidents: Counts, category: str, period: Period) -> list[dict[str, Any]]:
    """Count the places with so many incidents and more, and the share of incidents that are theirs.

    Parameters
    ----------
    incidents
        Incidents of every place that has any, shape (m,).
    """
    total = int(incidents.sum())
    of_places = _Of(Unit.PLACE, category, period)
    rows = [of_places.row(Figure.INCIDENTS, total), of_places.row(Figure.OCCUPIED, incidents.size)]
    for least in REPEATS if total else ():
        again = incidents >= least
        theirs = int(incidents[again].sum())
        low, high = wilson(theirs, total)
        share = Estimate(100 * theirs / total, 100 * float(low), 100 * float(high))
        rows.append(of_places.row(Figure.REPEAT_PLACES, int(again.sum()), least))
        rows.append(of_places.row(Figure.REPEAT_INCIDENTS, share, least))
    return rows


# The entry in the registry
# -------------------------


def categories_with_enough(data: DetectInput, period: Period) -> list[str]:
    """Return `all`, and the categories that have enough incidents with a place for figures of their own."""
    fewest, found = data.config.detect.min_category_incidents, [ROOT]
    for category in data.categories_in(period):
        rows = month_rows(data.rows_of(category), period)
        if category != ROOT and int(places_of(rows, category=category)[1].sum()) >= fewest:
            found.append(category)
    return found


def earlier_years(data: DetectInput) -> list[Period]:
    """Return the same months of earlier years, oldest first, as far as the data covers them by one recording system."""
    window, found = data.window, list[Period]()
    if window.partial(window.headline):
        return found
    breaks = () if data.config.periods.ignore_breaks else data.config.periods.breaks
    declared = [Break(int(b.month.replace("-", "")), b.text) for b in breaks]
    period = window.headline
    step = 12 * -(-period.months // 12)
    for _ in range(MOST_YEARS - 1):
        period = period.shifted(-step)
        if window.partial(period) or breaks_within(period.first_month, window.headline.last_month, declared):
            break
        found.append(period)
    return found[::-1]


def _cells(data: DetectInput) -> Units:
    """Return the square cells that the study area touches, by their part inside it."""
    grid = Grid.covering(data.study.outline.bounds, cell_m=data.config.detect.concentration.cell_m, margin_m=1.0)
    inside = grid.fraction(data.study.outline).ravel()
    # A place just outside that counts as inside (a snapped point) makes its cell one of the list.
    every = data.places[["easting_m", "northing_m"]].to_numpy(dtype=np.float64)
    number = grid.cell_of(every)
    kept = inside > 0
    kept[number[number >= 0]] = True
    index = np.flatnonzero(kept)

    def counts(category: str, period: Period) -> Counts:
        xy, incidents = places_of(month_rows(data.rows_of(category), period), category=category)
        cell = grid.cell_of(xy)
        there = cell >= 0
        return np.bincount(cell[there], weights=incidents[there], minlength=len(grid)).astype(np.int64)[index]

    # A cell outside the area by rounding alone still holds its incidents: it has the size of a square metre.
    return Units(Unit.CELL, np.maximum(inside[index] * grid.cell_km2, 1e-6), counts)


def _areas(data: DetectInput, *, categories: Sequence[str], periods: Sequence[Period]) -> Units:
    """Return the smallest covered areas, by residents where all are known and by area otherwise."""
    wards = data.study.wards.sort_values("area_code")
    people = pd.to_numeric(wards["population"]).astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    land = wards["area_km2"].to_numpy(dtype=np.float64)
    sizes = people if bool((people > 0).all()) else land

    every = data.ward_counts(periods, categories).set_index("area_code")

    def counts(category: str, period: Period) -> Counts | None:
        table = every.loc[(every["category"] == category) & (every["period"] == period.id), "incidents"]
        known = pd.to_numeric(table.reindex(wards["area_code"])).astype("Float64")
        return None if known.isna().any() else known.to_numpy(dtype=np.float64).astype(np.int64)

    return Units(Unit.AREA, sizes, counts)


def _concentration(data: DetectInput) -> Findings:
    """Measure concentration in one window and the years before it."""
    headline, name = data.window.headline, data.window.headline.id
    years, seed, categories = earlier_years(data), data.config.run.seed, categories_with_enough(data, headline)
    places = {
        category: places_of(month_rows(data.rows_of(category), headline), category=category)[1]
        for category in categories
    }
    rows: list[dict[str, Any]] = []
    cell_m = data.config.detect.concentration.cell_m
    rows.append(_Of(Unit.CELL, ROOT, headline).row(Figure.CELL_M, cell_m))
    begun, steps = itertools.count(), 2 * (len(categories) + len(years))

    def watched(units: Units) -> Units:
        def counts(category: str, period: Period) -> Counts | None:
            data.progress("measuring concentration", next(begun), steps)
            return units.counts(category, period)

        return replace(units, counts=counts)

    for units in (_cells(data), _areas(data, categories=categories, periods=[*years, headline])):
        rows += concentration_rows(
            watched(units), categories=categories, headline=headline, earlier=years, seed=seed, samples=SAMPLES
        )
    data.progress("measuring concentration", steps, steps)
    for category, incidents in places.items():
        rows += repeat_rows(incidents, category, headline)
    everything, cautions = places[ROOT], list[str]()
    if everything.size == 1 and everything.sum() >= FEWEST_INCIDENTS:
        cautions.append(
            f"All {int(everything.sum()):,} incidents of {headline.label} lie at one place: if it stands for an "
            "unknown place, name it in detect.placeholder_locations."
        )
    table = CONCENTRATION.conform(pd.DataFrame(rows, columns=CONCENTRATION.names))
    return Findings(
        tables={f"concentration/{name}.parquet": table},
        contract=CONCENTRATION,
        counters={f"concentration {name}": len(table)},
        cautions=tuple(cautions),
    )


METHOD = Method(
    name="concentration",
    section="detect.concentration",
    needs=frozenset({Need.POINTS, Need.MONTHS}),
    scope=Scope.INTERNAL,
    switch="detect.concentration.enabled",
    run=_concentration,
    also_reads=earlier_years,
)
