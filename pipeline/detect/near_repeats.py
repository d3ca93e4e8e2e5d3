"""Near repeats by category, and where they raise the risk now: cells with the days left and the incidents to expect.

After an incident others may follow nearby within days (Johnson and Bowers 2004). The Knox table says in which bands of
distance and days that happens more often than chance. Every recent incident then raises the risk around it, in these
bands alone, until the last of them has passed; the zones add this up in square cells, so that no point is shown.

All categories pooled can show near repeats that no category has: two categories that are common in different places at
different times are enough. So each frequent category has a table of its own, and the pooled one makes no zones if no
category confirms it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.detect.concentration import categories_with_enough
from pipeline.detect.density import month_rows
from pipeline.detect.knox import Knox, Metric, knox
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.geography.grid import Grid
from pipeline.tables import NEAR_REPEAT_ZONES, NEAR_REPEATS

__all__ = ["LEAST_PAIRS", "LEAST_RATIO", "MAX_P", "METHOD", "MOST_ZONES", "acting_bands", "table_rows", "zone_cells"]

MAX_P = 0.05
LEAST_RATIO = 1.2
"""A fifth more pairs than chance: where the Near Repeat Calculator (Ratcliffe 2009) begins to report a band."""
LEAST_PAIRS = 5
"""With fewer pairs a band rests on a handful of incidents, and its ratio can be anything."""
SAME_PLACE_M = 1.0
"""A first band up to here is "the same place": the first ring outside it is as near as neighbours get."""
MOST_ZONES = 1000
"""Cells kept for each category, those with most incidents to expect: nobody can act on more."""
RING_POINTS = 256
"""Points that spread a ring over the cells: a cell of 100 m gets its share of the ring to 1.5 points of per cent."""
_GOLDEN = (np.sqrt(5) - 1) / 2
EPOCH = np.datetime64("1970-01-01", "D")

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]


def acting_bands(table: Knox) -> Flags:
    """Return the bands in which incidents follow one another, shape (distance bands, time bands).

    A band has at most `MAX_P`, `LEAST_RATIO` and `LEAST_PAIRS`, and hangs together with what is nearer and sooner: a
    band on its own, at 300 m after three weeks, is what chance gives in one of twenty.
    """
    ratio = table.ratio.filled(0.0)
    strong = (table.p <= MAX_P) & (ratio >= LEAST_RATIO) & (table.observed >= LEAST_PAIRS)
    first_ring = 1 if table.distance_edges_m[0] == 0 and table.distance_edges_m[1] <= SAME_PLACE_M else 0
    acting = np.zeros(strong.shape, dtype=bool)
    for i, j in np.ndindex(*strong.shape):
        nearer = i <= first_ring or acting[i - 1, j]
        sooner = j == 0 or acting[i, j - 1]
        acting[i, j] = strong[i, j] and nearer and sooner
    return acting


def table_rows(category: str, table: Knox, acting: Flags) -> list[dict[str, Any]]:
    """Return a row of NEAR_REPEATS for each band."""
    apart, within = table.distance_edges_m, table.time_edges_days
    return [
        {
            "category": category,
            "distance_low_m": apart[i],
            "distance_high_m": apart[i + 1],
            "days_low": within[j],
            "days_high": within[j + 1],
            "observed": int(table.observed[i, j]),
            "expected": float(table.expected[i, j]),
            "ratio": None if np.ma.getmaskarray(table.ratio)[i, j] else float(table.ratio[i, j]),
            "p": float(table.p[i, j]),
            "acting": bool(acting[i, j]),
            "incidents": table.incidents,
            "metric": table.metric,
            "permutations": table.permutations,
        }
        for i, j in np.ndindex(*table.observed.shape)
    ]


@dataclass(frozen=True, slots=True)
class _Zones:
    """Sums of the cells that some ring reaches, by cell number."""

    cell: Ints
    extra: Floats
    days_left: Ints
    ratio: Floats
    sources: Ints


def zone_cells(points_m: Floats, *, day: Ints, on: int, table: Knox, acting: Flags, grid: Grid) -> pd.DataFrame:
    """Add up what recent incidents add to the risk of each cell after a day.

    An incident is followed, in a band, by (observed - expected) / incidents others more than by chance. They are spread
    evenly over the band's ring and over its days; what falls on the days that are still to come counts.

    Parameters
    ----------
    points_m
        Eastings and northings of incidents, in metres, shape (n, 2); those after `on` or long before have no effect.
    day
        Day number of each, shape (n,).
    on
        Day number of the last day of the data: zones hold from the day after.
    table, acting
        The table of the category, and the bands that count.
    grid
        Square cells.

    Returns
    -------
    zones
        cell (number in the grid), incidents (recent ones that reach the cell), days_left, extra_incidents, ratio (how
        many times as likely as by chance an incident near these is tomorrow); one row per cell, most first.
    """
    found: list[_Zones] = []
    edges, within = table.distance_edges_m, np.asarray(table.time_edges_days)
    for i in np.flatnonzero(acting.any(axis=1)):
        bands = np.flatnonzero(acting[i])
        low, high = within[bands], within[bands + 1]
        gone = on - day
        recent = np.flatnonzero((gone >= 0) & (gone + 1 < high[-1]))
        if not recent.size:
            continue
        tomorrow = gone[recent, None] + 1.0
        # Whole days apart that are still to come, in each band: from tomorrow to the day before its end.
        left = np.maximum(0.0, np.ceil(high) - np.maximum(np.ceil(low), tomorrow))
        a_day = (table.observed[i, bands] - table.expected[i, bands]) / table.incidents / (np.ceil(high) - np.ceil(low))
        ratio = table.ratio.filled(0.0)[i, bands]
        # The next band of each: the first that has a day left.
        now = ratio[np.argmax(left > 0, axis=1)]
        ring = _ring(edges[i], edges[i + 1], table.metric)
        cell = grid.cell_of((points_m[recent, None, :] + ring).reshape(-1, 2)).reshape(recent.size, -1)
        # One row for each incident and cell: its share of the ring is the share of the points that fall there.
        key, share = np.unique(cell + (len(grid) + 1) * np.arange(recent.size)[:, None], return_counts=True)
        of, number = np.divmod(key, len(grid) + 1)
        there = number < len(grid)  # a point off the grid has number -1, which is the last of the incident before
        of, number, share = of[there], number[there], share[there]
        found.append(
            _Zones(
                number,
                (left @ a_day)[of] * share / len(ring),
                left.sum(axis=1)[of].astype(np.int64),
                now[of],
                recent[of],
            )
        )
    if not found:
        return pd.DataFrame(columns=["cell", "incidents", "days_left", "extra_incidents", "ratio"])
    rows = pd.DataFrame({name: np.concatenate([getattr(z, name) for z in found]) for name in _Zones.__slots__})
    summed = rows.groupby("cell").agg(
        incidents=("sources", "nunique"),
        days_left=("days_left", "max"),
        extra_incidents=("extra", "sum"),
        ratio=("ratio", "max"),
    )
    return summed.reset_index().sort_values(["extra_incidents", "cell"], ascending=[False, True], ignore_index=True)


def _ring(low_m: float, high_m: float, metric: Metric) -> Floats:
    """Return points spread evenly over a ring round the origin, shape (k, 2); the same place is one point."""
    if high_m <= SAME_PLACE_M:
        return np.zeros((1, 2))
    step = np.arange(RING_POINTS) + 0.5
    radius = np.sqrt(low_m**2 + step / RING_POINTS * (high_m**2 - low_m**2))
    turn = np.mod(step * _GOLDEN, 1.0)
    if metric == "euclidean":
        return np.column_stack([radius * np.cos(2 * np.pi * turn), radius * np.sin(2 * np.pi * turn)])
    # By streets at right angles, all places at one distance lie on a square that stands on its corner.
    side, along = np.divmod(4 * turn, 1.0)
    x, y = radius * (1 - along), radius * along
    flip = side.astype(np.int64)
    return np.column_stack([np.choose(flip, [x, -y, -x, y]), np.choose(flip, [y, x, -y, -x])])


# The entry in the registry
# -------------------------


def _dated(data: DetectInput, category: str) -> pd.DataFrame:
    """Return the incidents of a category whose place and day are known.

    One known to its month only, or that happened online, is near nothing in place and time; places that stand for an
    unknown place are no place.
    """
    rows = data.incidents_of(category)
    rows = rows[(rows["place"] == "point") & (rows["date_precision"] == "day") & ~rows["online"].astype(bool)]
    points = rows[["easting_m", "northing_m"]].to_numpy(dtype=np.float64)
    away = np.ones(len(rows), dtype=bool)
    for spot in data.config.detect.placeholder_locations:
        away &= np.hypot(points[:, 0] - spot.easting_m, points[:, 1] - spot.northing_m) > spot.radius_m
    return rows[away]


def _days(rows: pd.DataFrame) -> Ints:
    days: Ints = pd.to_datetime(rows["occurred_on"]).to_numpy().astype("datetime64[D]").astype(np.int64)
    return days


def _too_few(data: DetectInput) -> str:
    """Return a note if no pair is possible."""
    there = len(month_rows(_dated(data, ROOT), data.window.headline))
    return "" if there >= 2 else f"two incidents with a point and a day are needed, and the data has {there}"


def _categories(data: DetectInput, period: Period) -> list[str]:
    asked = data.config.detect.knox.categories
    return categories_with_enough(data, period) if asked is None else list(asked)


def _near_repeats(data: DetectInput) -> Findings:
    """Build the table of each category in one window, and the zones after the last day of the data."""
    settings, period = data.config.detect.knox, data.window.headline
    rows: list[dict[str, Any]] = []
    cautions: list[str] = []
    tables: dict[str, tuple[Knox, Flags]] = {}
    dated = {category: _dated(data, category) for category in _categories(data, period)}
    for category, incidents in dated.items():
        inside = month_rows(incidents, period)
        try:
            table = knox(
                inside[["easting_m", "northing_m"]].to_numpy(dtype=np.float64),
                days=_days(inside),
                distance_edges_m=settings.distance_bands_m,
                time_edges_days=settings.time_bands_days,
                metric=settings.distance,
                permutations=settings.simulations,
                seed=data.config.run.seed,
            )
        except InputError as error:
            # One category may be too much for the table while the others are not: the whole method stops if none is
            # left.
            if len(dated) == 1:
                raise
            named = "all categories together" if category == ROOT else category
            cautions.append(f"Left out ({period.label}): near repeats of {named}, because {str(error).rstrip('.')}.")
            continue
        tables[category] = table, acting_bands(table)
        rows += table_rows(category, *tables[category])
    if not tables:
        raise InputError(cautions[0].split("because ")[-1])
    zones = [_zones_of(data, category, dated[category], *found) for category, found in _confirmed(tables).items()]
    layer = pd.concat(zones, ignore_index=True) if zones else NEAR_REPEAT_ZONES.empty().assign(geometry=None)
    folder, crs = f"patterns/{period.id}", data.areas.crs
    geometry = gpd.GeoSeries(list(layer["geometry"]), crs=crs)
    return Findings(
        tables={
            f"{folder}/{NEAR_REPEATS.name}.parquet": NEAR_REPEATS.conform(pd.DataFrame(rows)),
            f"{folder}/{NEAR_REPEAT_ZONES.name}.parquet": gpd.GeoDataFrame(
                NEAR_REPEAT_ZONES.conform(layer.drop(columns="geometry")), geometry=geometry, crs=crs
            ),
        },
        choices={
            f"near_repeats {period.id}": "; ".join(
                f"{category}: {table.incidents:,} incidents, {int(acting.sum())} bands above chance"
                for category, (table, acting) in tables.items()
            )
            + f"; {settings.distance} distance, {settings.simulations} permutations"
        },
        counters={f"near_repeat_zones {period.id}": len(layer)},
        cautions=tuple(cautions),
    )


def _confirmed(tables: dict[str, tuple[Knox, Flags]]) -> dict[str, tuple[Knox, Flags]]:
    """Leave out the pooled table if there are categories and none of them has near repeats of its own."""
    single = [acting.any() for category, (_, acting) in tables.items() if category != ROOT]
    return {c: t for c, t in tables.items() if c != ROOT or not single or any(single)}


def _zones_of(data: DetectInput, category: str, rows: pd.DataFrame, table: Knox, acting: Flags) -> pd.DataFrame:
    """Return the zones of a category after the last day of the data, as rows of NEAR_REPEAT_ZONES."""
    last = data.span.last
    on = int((np.datetime64(last, "D") - EPOCH).astype(np.int64))
    outline = data.study.outline
    grid = Grid.covering(outline.bounds, cell_m=data.config.detect.knox.cell_m, margin_m=table.distance_edges_m[-1])
    found = zone_cells(
        rows[["easting_m", "northing_m"]].to_numpy(dtype=np.float64),
        day=_days(rows),
        on=on,
        table=table,
        acting=acting,
        grid=grid,
    )
    number = found["cell"].to_numpy(dtype=np.int64)
    shapes = grid.polygons(number)
    shapely.prepare(outline)
    kept = np.flatnonzero(shapely.intersects(outline, shapes))[:MOST_ZONES]
    found, number, shapes = found.iloc[kept].reset_index(drop=True), number[kept], shapes[kept]
    codes, names = data.study.areas_at(shapely.centroid(shapes))
    return pd.DataFrame(
        {
            "zone_id": [f"{category}:{cell}" for cell in grid.ids(number)],
            "category": category,
            "rank": np.arange(1, len(found) + 1),
            "area_code": codes,
            "area_name": names,
            "incidents": found["incidents"],
            "first_day": (last + timedelta(days=1)).isoformat(),
            "last_day": [(last + timedelta(days=int(n))).isoformat() for n in found["days_left"]],
            "days_left": found["days_left"],
            "extra_incidents": found["extra_incidents"].astype(float).round(4),
            "times_as_likely": found["ratio"].astype(float).round(2),
            "geometry": shapes,
        }
    )


METHOD = Method(
    name="near_repeats",
    section="detect.knox",
    needs=frozenset({Need.POINTS, Need.DAYS}),
    scope=Scope.INTERNAL,
    switch="detect.knox.enabled",
    run=_near_repeats,
    obstacle=_too_few,
)
