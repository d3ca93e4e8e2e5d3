"""The entries in the registry: the scan in space and time, and the scans in space alone, by category.

Incidents with a point are summed to square cells first, because the search costs as much as there are circles, one for
each pair of places in reach. Published counts have no points: their places are the middles of the smallest areas.
All of it is for the internal folder.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.detect.concentration import categories_with_enough
from pipeline.detect.density import month_rows
from pipeline.detect.method import DetectInput, Findings, Method, Scope
from pipeline.detect.scan.cases import cases_of, longest_of, scan_periods, scans_days
from pipeline.detect.scan.circles import circles_round, simulations_each
from pipeline.detect.scan.space_time import MAX_SHARE, ScanResult, space_time_scan
from pipeline.detect.scan.spatial import (
    MAX_CIRCLES,
    SpatialScan,
    bernoulli_scan,
    poisson_scan,
    share_dispersion,
    standardised,
)
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period, month_range
from pipeline.errors import InputError
from pipeline.geography.grid import Grid
from pipeline.statistics.uncertainty import dispersion
from pipeline.tables import SPACE_TIME_CLUSTERS, SPATIAL_CLUSTERS, Table

__all__ = ["FEW_CASES", "METHODS", "Kind", "Note"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FEWEST_PERIODS = 2
"""A cluster in time stands out against other times: one month has none."""
FEW_CASES = 30
"""Under so many cases a scan sees only very strong clusters, which the page says."""
WIDE = 120
"""From so many hundredths of the variance by chance on, p of the scan in space and time is said to be too small."""
_NOUNS = {"month": "months", "28_days": "windows of 28 days", "week": "weeks", "day": "days"}


class Kind:
    """Kinds of scan, as in the table."""

    SPACE_TIME = "space_time"
    POISSON = "poisson"
    BERNOULLI = "bernoulli"


class Note:
    """Keys of what limits a result; the page has the words."""

    NONE = "none"
    TOO_FEW = "too_few"
    FEW = "few"
    ONE_PLACE = "one_place"
    ONE_PERIOD = "one_period"
    UNDATED = "undated"
    UNKNOWN = "unknown"
    NO_POPULATION = "no_population"
    VISITORS = "visitors"
    NO_CONTROLS = "no_controls"
    STRATA = "strata"
    RADIUS = "radius"
    DISPERSION = "dispersion"
    BOUND = "bound"
    UNSEARCHED = "unsearched"
    VARIES = "varies"


@dataclass(frozen=True, slots=True)
class _Places:
    """Where cases are counted.

    Attributes
    ----------
    points_m
        Middles of cells or areas, shape (m, 2).
    area_codes
        Code of the smallest area at each, shape (m,); empty outside all.
    """

    points_m: Floats
    area_codes: NDArray[np.object_]

    def codes(self, members: Iterable[int]) -> str:
        """Return the areas of some places, each once, in their order."""
        found = dict.fromkeys(str(self.area_codes[i]) for i in members)
        return ";".join(code for code in found if code)


@dataclass(slots=True)
class _Rows:
    """Rows of SPATIAL_CLUSTERS, as they are found."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)

    def search(
        self,
        kind: str,
        category: str,
        period: Period,
        *,
        places: int,
        cases: int,
        simulations: int,
        notes: Sequence[tuple[str, int]],
    ) -> None:
        """Add the search as a whole."""
        self.rows.append(
            _blank(kind, category, 0, period.id)
            | {
                "places": places,
                "observed": cases,
                "simulations": simulations,
                "notes": ";".join(f"{key}:{number}" if number else key for key, number in notes),
            }
        )

    def scan(
        self,
        result: SpatialScan,
        *,
        kind: str,
        category: str,
        period: Period,
        places: _Places,
        cases: Ints,
        notes: Sequence[tuple[str, int]],
    ) -> None:
        """Add a search in space alone and its clusters."""
        total = int(cases.sum())
        stated = [*_few(total), *_limits_of(cases[:, None]), *notes]
        if total >= 2 and not result.clusters and (Note.NO_CONTROLS, 0) not in stated:
            stated.append((Note.NONE, 0))
        self.search(
            kind, category, period, places=len(cases), cases=total, simulations=result.simulations, notes=stated
        )
        for rank, cluster in enumerate(result.clusters, start=1):
            easting, northing = places.points_m[cluster.centre]
            self.rows.append(
                _blank(kind, category, rank, period.id)
                | {
                    "easting_m": float(easting),
                    "northing_m": float(northing),
                    "radius_m": round(cluster.radius_m, 1),
                    "places": len(cluster.locations),
                    "area_codes": places.codes(cluster.locations),
                    "observed": cluster.observed,
                    "expected": round(cluster.expected, 2),
                    "relative_risk": None if cluster.relative_risk is None else round(cluster.relative_risk, 4),
                    "log_ratio": round(cluster.log_ratio, 6),
                    "p": cluster.p,
                    "p_gumbel": cluster.p_gumbel,
                    "simulations": result.simulations,
                }
            )

    def table(self, contract: Table) -> pd.DataFrame:
        """Return all rows."""
        return contract.conform(pd.DataFrame(self.rows, columns=contract.names))


def _blank(kind: str, category: str, rank: int, period: str) -> dict[str, Any]:
    empty = dict.fromkeys(SPATIAL_CLUSTERS.names)
    known = {"kind": kind, "category": category, "rank": rank, "period": period}
    return empty | known | {"alive": False, "area_codes": "", "notes": ""}


def _categories(data: DetectInput) -> list[str]:
    """Return the categories to search: those named, or all together and each that has enough incidents."""
    named = data.config.detect.scan.categories
    if named is not None:
        return list(dict.fromkeys(named))
    if len(data.places):
        return categories_with_enough(data, data.window.headline)
    fewest, headline = data.config.detect.min_category_incidents, data.window.headline
    # The category that published counts take as the total would be searched twice.
    ids = [c.id for c in data.config.categories.tree if c.id != data.config.categories.all_from]
    table = data.ward_counts([headline], ids) if ids else pd.DataFrame({"category": [], "incidents": []})
    sums = table.groupby("category")["incidents"].sum()
    return [ROOT, *(c for c in ids if sums.get(c, 0) >= fewest)]


def _few(cases: int) -> list[tuple[str, int]]:
    """Return what is to be said of the number of cases."""
    if cases < 2:
        return [(Note.TOO_FEW, 0)]
    return [(Note.FEW, cases)] if cases < FEW_CASES else []


def _whole(periods: Sequence[Period]) -> Period:
    first, last = periods[0], periods[-1]
    if first.whole_months and last.whole_months:
        return Period(first.first_month, last.last_month)
    return Period.of_days(first.start, last.end)


# Where cases are counted
# -----------------------


def _areas(data: DetectInput) -> _Places:
    """Return the middles of the ground of the smallest covered areas."""
    codes = data.study.wards["area_code"].to_numpy(dtype=object)
    order = np.argsort(codes, kind="stable")
    middle = shapely.centroid(data.study.ground[order])
    return _Places(shapely.get_coordinates(middle), codes[order])


def _cells(data: DetectInput, used: Ints, grid: Grid) -> _Places:
    """Return the middles of cells, and the area that each lies in."""
    points = grid.centre(used)
    codes = np.full(len(points), "", dtype=object)
    wards = data.study.wards.sort_values("area_code")
    if len(wards):
        shapes = wards.geometry.to_numpy()
        at, area = shapely.STRtree(shapes).query(shapely.points(points), predicate="intersects")
        # A middle on a border belongs to the area whose code sorts first, as incidents do: later ones are overwritten.
        for place, number in sorted(zip(at.tolist(), area.tolist(), strict=True), reverse=True):
            codes[place] = wards["area_code"].iloc[number]
        # Of a cell whose middle lies outside (a river, the coast), the nearest area.
        outside = np.flatnonzero(codes == "")
        if outside.size:
            nearest = shapely.STRtree(shapes).nearest(shapely.points(points[outside]))
            codes[outside] = wards["area_code"].to_numpy(dtype=object)[nearest]
    return _Places(points, codes)


def _area_counts(data: DetectInput, periods: Sequence[Period], category: str) -> tuple[Ints, NDArray[np.bool_]]:
    """Return counts of the smallest areas by period, shape (areas, periods), and which areas are known throughout."""
    codes = data.study.wards["area_code"].sort_values()
    table = data.ward_counts(periods, [category])
    wide = table.pivot_table(index="area_code", columns="period", values="incidents", aggfunc="sum", dropna=False)
    null = table[table["incidents"].isna()]["area_code"]
    wide = wide.reindex(index=codes, columns=[p.id for p in periods]).fillna(0)
    return wide.to_numpy(dtype=np.float64).astype(np.int64), ~codes.isin(set(null)).to_numpy(dtype=bool)


# In space and time
# -----------------


def _too_short(data: DetectInput) -> str:
    """Return how many months or windows of days are needed, if the data has fewer."""
    if not len(data.places):
        if scans_days(data.config):
            return (
                "the data has no points, and counts by area are by month: set detect.scan.period to month"
                if len(data.study.wards)
                else "the data has no points inside the areas"
            )
        if len(data.study.wards) < 2:
            return "the data has no points, and fewer than two areas have a count"
    there = len(scan_periods(data))
    noun = _NOUNS[data.config.detect.scan.period]
    if there < FEWEST_PERIODS:
        return f"{FEWEST_PERIODS} whole {noun} are needed to compare, and the data has {there}"
    if scans_days(data.config) and not len(cases_of(data).incidents):
        return f"no incident with a point has a day in the latest {there} {noun}: set detect.scan.period to month"
    return ""


def _space_time(data: DetectInput) -> Findings:
    """Search all windows for clusters in space and time, by category; those alive in the last one are alerts."""
    settings, found, searched = data.config.detect.scan, _Rows(), list[str]()
    periods = scan_periods(data)
    longest = longest_of(data.config, len(periods))
    windows = sum(len(periods) - n + 1 for n in range(1, longest + 1))
    wanted: list[tuple[str, _Places, Ints, list[tuple[str, int]]]] = []
    for category in _categories(data):
        notes: list[tuple[str, int]] = []
        if len(data.places):
            cases = cases_of(data, category)
            grid = Grid.covering(data.study.outline.bounds, cell_m=settings.cell_m)
            used, row = np.unique(grid.cell_of(cases.points_m), return_inverse=True)
            counts = np.zeros((len(used), len(periods)), dtype=np.int64)
            np.add.at(counts, (row, cases.period), cases.incidents)
            places = _cells(data, used, grid)
            if cases.undated:
                notes.append((Note.UNDATED, cases.undated))
        else:
            counts, known = _area_counts(data, periods, category)
            every = _areas(data)
            places = _Places(every.points_m[known], every.area_codes[known])
            counts = counts[known]
            if not known.all():
                notes.append((Note.UNKNOWN, int((~known).sum())))
        wanted.append((category, places, counts, notes))
    # One search costs as much as there are cylinders, and by category there may be dozens of searches.
    sizes = [_circles(places.points_m, counts, settings.max_radius_m) * windows for _, places, counts, _ in wanted]
    fit = simulations_each(sizes, settings.simulations, settings.max_comparisons)
    for (category, places, counts, notes), simulations in zip(wanted, fit, strict=True):
        total = int(counts.sum())
        if not simulations:
            unsearched = [*_few(total), (Note.UNSEARCHED, 0)]
            found.search(
                Kind.SPACE_TIME, category, _whole(periods), places=len(counts), cases=total, simulations=0,
                notes=unsearched,
            )  # fmt: skip
            searched.append(f"{category} left out")
            continue
        if simulations < settings.simulations:
            notes.append((Note.BOUND, settings.simulations))
        varies = dispersion(counts).value
        result = space_time_scan(
            places.points_m,
            counts=counts,
            dispersion=varies if settings.overdispersion else 1.0,
            max_radius_m=settings.max_radius_m,
            max_periods=longest,
            permutations=simulations,
            seed=data.config.run.seed,
        )
        stated = [*_few(total), *_limits_of(counts), *notes, *_variation(varies, allowed_for=settings.overdispersion)]
        if total >= 2 and not result.clusters:
            stated.append((Note.NONE, 0))
        found.search(
            Kind.SPACE_TIME, category, _whole(periods), places=len(counts), cases=total,
            simulations=simulations, notes=stated,
        )  # fmt: skip
        found.rows += _cylinders(result, category, periods, places)
        searched.append(f"{category} {result.cylinders:,}")
    table, name = found.table(SPACE_TIME_CLUSTERS), data.window.headline.id
    return Findings(
        tables={f"patterns/{name}/{SPACE_TIME_CLUSTERS.name}.parquet": table},
        contract=SPACE_TIME_CLUSTERS,
        counters={"scan_clusters": int((table["rank"] > 0).sum()), "scan_alerts": int(table["alive"].sum())},
        choices={f"scan {name}": f"cylinders: {', '.join(searched)}; {max(fit, default=0)} permutations"},
        cautions=tuple(found.cautions),
    )


def _variation(varies: float, *, allowed_for: bool) -> list[tuple[str, int]]:
    """Say how much more counts vary than by chance, and whether p allows for it."""
    per_cent = round(100 * varies)
    if allowed_for:
        return [(Note.DISPERSION, per_cent)] if per_cent > 100 else []
    return [(Note.VARIES, per_cent)] if per_cent >= WIDE else []


def _circles(points_m: Floats, counts: Ints, max_radius_m: float) -> int:
    """Return how many circles a search in space and time has; there are none with fewer than two cases."""
    cases = counts.sum(axis=1)
    if cases.sum() < 2:
        return 0
    return int(circles_round(points_m, cases=cases, max_radius_m=max_radius_m, max_share=MAX_SHARE).used.sum())


def _limits_of(counts: Ints) -> list[tuple[str, int]]:
    """Say where all cases are at one place or in one period, so that none can stand out."""
    notes = []
    if counts.sum() >= 2 and np.count_nonzero(counts.sum(axis=1)) == 1:
        notes.append((Note.ONE_PLACE, 0))
    if counts.shape[1] > 1 and counts.sum() >= 2 and np.count_nonzero(counts.sum(axis=0)) == 1:
        notes.append((Note.ONE_PERIOD, 0))
    return notes


def _cylinders(result: ScanResult, category: str, periods: Sequence[Period], places: _Places) -> list[dict[str, Any]]:
    alive = set(result.alerts)
    rows = []
    for rank, cluster in enumerate(result.clusters, start=1):
        window = _whole(periods[cluster.first_period : cluster.last_period + 1])
        easting, northing = places.points_m[cluster.centre]
        rows.append(
            _blank(Kind.SPACE_TIME, category, rank, window.id)
            | {
                "alive": cluster in alive,
                "easting_m": float(easting),
                "northing_m": float(northing),
                "radius_m": round(cluster.radius_m, 1),
                "places": len(cluster.locations),
                "area_codes": places.codes(cluster.locations),
                "observed": cluster.observed,
                "expected": round(cluster.expected, 2),
                "log_ratio": round(cluster.log_ratio, 6),
                "p": cluster.p,
                "simulations": result.permutations,
            }
        )
    return rows


# In space alone
# --------------


def _spatial(data: DetectInput) -> Findings:
    """Search the headline window for circles with more cases than people or other incidents explain."""
    found, choices = _Rows(), list[str]()
    for kind in dict.fromkeys(data.config.detect.scan.spatial):
        for category in _categories(data):
            if kind == Kind.POISSON:
                choices.append(_poisson(data, category, found))
            elif category != ROOT:
                choices.append(_bernoulli(data, category, found))
    name = data.window.headline.id
    return Findings(
        tables={f"patterns/{name}/{SPATIAL_CLUSTERS.name}.parquet": found.table(SPATIAL_CLUSTERS)},
        contract=SPATIAL_CLUSTERS,
        counters={"spatial_clusters": sum(row["rank"] > 0 for row in found.rows)},
        choices={f"spatial_scan {name}": "; ".join(choices) or "none: no category has enough incidents"},
        cautions=tuple(dict.fromkeys(found.cautions)),
    )


def _population(data: DetectInput, category: str, codes: pd.Series) -> tuple[pd.Series, bool]:
    """Return the people of each area (null where unknown), and whether they are the category's own population."""
    own = data.denominators
    if own is not None and (own["category"] == category).any():
        return own[own["category"] == category].set_index("area_code")["population"].reindex(codes), True
    wards = data.study.wards.set_index("area_code")["population"]
    return wards.reindex(codes), False


def _poisson(data: DetectInput, category: str, found: _Rows) -> str:
    """Search one category against the population; return the choice made."""
    headline, settings = data.window.headline, data.config.detect.scan
    every = _areas(data)
    codes = pd.Series(every.area_codes)
    counts, known = _area_counts(data, [headline], category)
    people, own = _population(data, category, codes)
    at_risk = pd.to_numeric(people).astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    cases = counts[:, 0]
    notes: list[tuple[str, int]] = []
    used = known & (np.nan_to_num(at_risk) > 0)
    without = known & ~used
    if not known.all():
        notes.append((Note.UNKNOWN, int((~known).sum())))
    if without.any():
        notes.append((Note.NO_POPULATION, int(without.sum())))
        if cases[without].sum():
            found.cautions.append(
                f"Poisson scan of {category}: {int(cases[without].sum()):,} incidents are left out, in areas without a "
                "population (areas.population)."
            )
    if not own:
        listed = set(data.config.areas.visitor_areas)
        parents = data.study.wards.set_index("area_code")["parent_code"].reindex(codes)
        visited = used & (codes.isin(listed) | parents.isin(listed).to_numpy()).to_numpy(dtype=bool)
        if visited.any():
            notes.append((Note.VISITORS, int(visited.sum())))
        used &= ~visited
    if category == ROOT and settings.standardise_by:
        at_risk, differ = _standardised(data, codes, used, settings.standardise_by, cases)
        used &= at_risk > 0
        if differ:
            notes.append((Note.STRATA, differ))
    places = _Places(every.points_m[used], every.area_codes[used])
    cases = cases[used]
    radius = _radius(places.points_m, settings.spatial_radius_m, notes)
    varies = 1.0
    if settings.overdispersion:
        # Incidents that come in series make counts of an area vary from month to month more than chance does.
        months = [Period(m, m) for m in month_range(headline.first_month, headline.last_month)]
        varies = dispersion(_area_counts(data, months, category)[0][used]).value
        if round(100 * varies) > 100:
            notes.append((Note.DISPERSION, round(100 * varies)))
    result = poisson_scan(
        places.points_m,
        cases=cases,
        expected=at_risk[used],
        dispersion=varies,
        max_radius_m=radius,
        max_share=settings.max_share_pct / 100,
        simulations=settings.simulations,
        seed=data.config.run.seed,
    )
    found.scan(result, kind=Kind.POISSON, category=category, period=headline, places=places, cases=cases, notes=notes)
    return (
        f"poisson {category}: {result.circles:,} circles, {settings.simulations} simulations, dispersion {varies:.2f}"
    )


def _standardised(
    data: DetectInput, codes: pd.Series, used: NDArray[np.bool_], strata: Sequence[str], cases: Ints
) -> tuple[Floats, int]:
    """Return the cases that the strata's populations lead to expect, and by how much the strata's cases differ."""
    columns, counts = [], []
    for stratum in strata:
        people, own = _population(data, stratum, codes)
        if not own:
            raise InputError(
                f"detect.scan.standardise_by names {stratum}, which has no population of its own: give a file in "
                f"areas.population with category: {stratum}, or take it out of the list"
            )
        columns.append(pd.to_numeric(people).astype("Float64").to_numpy(dtype=np.float64, na_value=0.0))
        by_area, known = _area_counts(data, [data.window.headline], stratum)
        counts.append(int(by_area[used & known].sum()))
    people_of = np.column_stack(columns)
    expected = standardised(counts, people_of[used])
    at_risk = np.zeros(len(codes))
    at_risk[used] = expected
    return at_risk, abs(sum(counts) - int(cases[used].sum()))


def _bernoulli(data: DetectInput, category: str, found: _Rows) -> str:
    """Search one category among all incidents; return the choice made."""
    headline, settings = data.window.headline, data.config.detect.scan
    notes: list[tuple[str, int]] = []
    if len(data.places):
        rows = month_rows(data.locations, headline)
        grid = Grid.covering(data.study.outline.bounds, cell_m=settings.cell_m)
        points = rows[["easting_m", "northing_m"]].to_numpy(dtype=np.float64)
        used, place = np.unique(grid.cell_of(points), return_inverse=True)
        incidents = rows["incidents"].to_numpy(dtype=np.int64)
        chosen = rows["categories"].fillna("").str.split(";").map(lambda ids: category in ids).to_numpy(dtype=bool)
        individuals = np.zeros(len(used), dtype=np.int64)
        np.add.at(individuals, place, incidents)
        cases = np.zeros(len(used), dtype=np.int64)
        np.add.at(cases, place[chosen], incidents[chosen])
        months = month_range(headline.first_month, headline.last_month)
        month = np.searchsorted(months, rows["month"])
        by_month = np.zeros((2, len(used), len(months)), dtype=np.int64)
        np.add.at(by_month[0], (place[chosen], month[chosen]), incidents[chosen])
        np.add.at(by_month[1], (place, month), incidents)
        places = _cells(data, used, grid)
    else:
        every = _areas(data)
        of_all, known = _area_counts(data, [headline], ROOT)
        of_one, known_too = _area_counts(data, [headline], category)
        both = known & known_too
        if not both.all():
            notes.append((Note.UNKNOWN, int((~both).sum())))
        places = _Places(every.points_m[both], every.area_codes[both])
        cases = of_one[both, 0]
        # Published counts are each rounded or revised by themselves: a part can exceed the whole by a few.
        individuals = np.maximum(of_all[both, 0], cases)
        single = [Period(m, m) for m in month_range(headline.first_month, headline.last_month)]
        of_category = _area_counts(data, single, category)[0][both]
        by_month = np.stack([of_category, np.maximum(_area_counts(data, single, ROOT)[0][both], of_category)])
    varies = share_dispersion(*by_month) if settings.overdispersion else np.ones(len(cases))
    # Of all places together, by how many individuals each has.
    wide = round(100 * float(np.average(varies, weights=individuals))) if individuals.any() else 100
    if wide > 100:
        notes.append((Note.DISPERSION, wide))
    radius = _radius(places.points_m, settings.spatial_radius_m, notes)
    result = bernoulli_scan(
        places.points_m,
        cases=cases,
        controls=individuals - cases,
        dispersion=varies,
        max_radius_m=radius,
        max_share=settings.max_share_pct / 100,
        simulations=settings.simulations,
        seed=data.config.run.seed,
    )
    if cases.sum() >= 2 and cases.sum() == individuals.sum():
        notes.append((Note.NO_CONTROLS, 0))
    found.scan(result, kind=Kind.BERNOULLI, category=category, period=headline, places=places, cases=cases, notes=notes)
    return f"bernoulli {category}: {result.circles:,} circles, {settings.simulations} simulations"


def _radius(points: Floats, wanted: float | None, notes: list[tuple[str, int]]) -> float:
    """Return the largest radius: as configured, or as far as the number of circles allows."""
    from scipy.spatial import cKDTree

    if wanted is not None or len(points) ** 2 <= MAX_CIRCLES:
        return np.inf if wanted is None else wanted
    tree, radius = cKDTree(points), float(np.ptp(points, axis=0).max())
    while int(tree.count_neighbors(tree, radius)) > MAX_CIRCLES:
        radius *= 0.8
    notes.append((Note.RADIUS, round(radius)))
    return float(round(radius))


def _nothing_to_scan(data: DetectInput) -> str:
    """Return why no scan in space alone is possible."""
    wards = data.study.wards
    if len(wards) < 2 and not len(data.places):
        return "the data has no points, and fewer than two areas have a count"
    kinds = data.config.detect.scan.spatial
    if kinds == (Kind.POISSON,) and not (wards["population"].fillna(0) > 0).any() and data.denominators is None:
        return "no area has a population (areas.population)"
    return ""


METHODS = (
    Method(
        name="scan",
        section="detect.scan",
        needs=frozenset(),
        scope=Scope.INTERNAL,
        switch="detect.scan.enabled",
        run=_space_time,
        obstacle=_too_short,
        days_if=scans_days,
        also_reads=scan_periods,
    ),
    Method(
        name="spatial_scan",
        section="detect.scan",
        needs=frozenset(),
        scope=Scope.INTERNAL,
        switch="detect.scan.spatial",
        run=_spatial,
        obstacle=_nothing_to_scan,
    ),
)
