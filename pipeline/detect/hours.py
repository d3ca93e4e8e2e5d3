"""Day by hour: incidents by hour of the week in the region, its areas and its hotspots, and their busiest four hours.

An incident between two times counts for every hour between them in proportion to time. The busiest four hours are set
beside those of as many incidents spread evenly over the week, since the busiest of 168 starts is always above the mean;
three-hour bands of each place are set beside the rest of the region. All of it is for the internal folder.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from pipeline.detect.hotspots.description import CLEARLY_ABOVE, tails_above
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.domain.categories import ROOT, having
from pipeline.statistics.aoristic import UNITS, week_units
from pipeline.statistics.change import ChangeWord
from pipeline.statistics.uncertainty import benjamini_hochberg
from pipeline.tables import HOUR_PEAKS, HOURS, Level

__all__ = [
    "BAND_HOURS",
    "HOTSPOT",
    "METHOD",
    "RUN_HOURS",
    "WEEK_HOURS",
    "busiest",
    "busiest_by_chance",
    "category_tables",
    "hour_tables",
    "week_hours",
]

Ints = NDArray[np.int64]
WEEK_HOURS = 168
RUN_HOURS = 4
"""Hours of a busiest run: half a shift."""
BAND_HOURS = 3
"""Bands of a day that are compared with the rest of the region, as on the pages of hotspots."""
HOTSPOT = "hotspot"
"""Level of a hotspot in these tables."""
DRAWS = 199
ALL_IN_ONE_HOUR = 20
"""From so many incidents on it is no chance that all have the same hour of the day."""
_ROWS = 1 << 15  # of incidents shared at once: each has a cell for every hour of the week


def week_hours(incidents: pd.DataFrame, *, place: ArrayLike, row: ArrayLike, places: int) -> Ints:
    """Add up the units of incidents by hour of the week in each place.

    Parameters
    ----------
    incidents
        weekday (1 is Monday; null where only the month is known), hour_band (0 to 23 or null), interval_start and
        interval_minutes (null where an incident did not happen between two times), and incidents: how many are alike.
        Shape (n,).
    place, row
        Which rows are in which place, shape (m,): a row may be in several places or in none.
    places
        Number of places.

    Returns
    -------
    units
        `UNITS` for each incident whose time is known, shape (places, 168), Monday's midnight first.
    """
    where, of = np.asarray(place, dtype=np.int64), np.asarray(row, dtype=np.int64)
    day, hour = (
        pd.to_numeric(incidents[name]).astype("Float64").fillna(-1).to_numpy(dtype=np.int64)
        for name in ("weekday", "hour_band")
    )
    between = incidents["interval_minutes"].notna().to_numpy()
    slot = np.where((day > 0) & (hour >= 0) & ~between, (day - 1) * 24 + hour, -1)[of]
    known = slot >= 0
    alike = incidents["incidents"].to_numpy(dtype=np.int64)
    plain = np.bincount(
        where[known] * WEEK_HOURS + slot[known], weights=alike[of[known]], minlength=places * WEEK_HOURS
    )
    units = UNITS * plain.reshape(places, WEEK_HOURS).astype(np.int64)
    start, minutes = (
        incidents[name].to_numpy(dtype=np.float64, na_value=0) for name in ("interval_start", "interval_minutes")
    )
    shared = np.flatnonzero(between)
    for first in range(0, len(shared), _ROWS):
        rows = shared[first : first + _ROWS]
        each = alike[rows, None] * week_units(start[rows], minutes[rows], band_minutes=60)
        # Which rows of this chunk each place has, as a matrix of ones: incidents of several places count in each.
        number = np.full(len(incidents), -1, dtype=np.int64)
        number[rows] = np.arange(len(rows))
        mine = number[of] >= 0
        member = sparse.csr_matrix(
            (np.ones(int(mine.sum()), dtype=np.int64), (where[mine], number[of[mine]])), shape=(places, len(rows))
        )
        units += np.asarray(member @ each, dtype=np.int64)
    return units


def busiest(hours: ArrayLike) -> tuple[int, Any]:
    """Return where the busiest run of four hours begins, the first of equal ones, and what it holds.

    Parameters
    ----------
    hours
        Shape (168,): the week is a ring, so a run may go from Sunday into Monday.

    Examples
    --------
    >>> week = np.zeros(168, dtype=int)
    >>> week[[167, 0, 1, 40]] = 2, 3, 1, 5
    >>> busiest(week)
    (166, 6)
    """
    values = np.asarray(hours)
    runs = _runs(values[None, :])[0]
    first = int(np.argmax(runs))
    held: Any = runs[first].item()
    return first, held


def _runs(hours: NDArray[Any]) -> NDArray[Any]:
    """Add up each run of four hours of weeks, shape (n, 168)."""
    return np.asarray(sum(np.roll(hours, -k, axis=1) for k in range(RUN_HOURS)))


def busiest_by_chance(incidents: int, *, seed: int, draws: int = DRAWS) -> tuple[float, float]:
    """Return what the busiest four hours hold if incidents fall evenly over the week: the mean, and 95 of 100 cases.

    Incidents between two times are smoother than single hours, so for them the test errs on the safe side.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, incidents]))
    most = _runs(rng.multinomial(incidents, np.full(WEEK_HOURS, 1 / WEEK_HOURS), size=draws)).max(axis=1)
    return float(most.mean()), float(np.quantile(most, 0.95, method="higher"))


def hour_tables(
    level: str,
    codes: list[str],
    units: Ints,
    *,
    incidents: Ints,
    region: Ints | None,
    min_incidents: int,
    seed: int,
    above: Callable[[Ints, Ints], NDArray[np.bool_]] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the tables of the places of one level.

    Parameters
    ----------
    level
        Their level.
    codes
        Of the places.
    units
        From `week_hours`, shape (places, 168).
    incidents
        All incidents of each place, whether their time is known or not, shape (places,).
    region
        Units of the region that contains them, shape (168,); None for the region itself.
    min_incidents
        Fewest incidents with a known time of a place that is given.
    seed
        Of the random draws.
    above
        Which bands, shape (places, 56), stand out against those of the region, shape (56,); by default places are set
        against the rest of it.

    Returns
    -------
    hours, peaks
        HOURS, of places with enough incidents, and HOUR_PEAKS, of all.
    """
    timed = units.sum(axis=1) // UNITS
    enough = timed >= min_incidents
    marked = np.zeros(units.shape, dtype=bool)
    if region is not None and enough.any():
        found = (above or _above)(_bands(units[enough]), _bands(region[None, :])[0])
        marked[enough] = np.repeat(found, BAND_HOURS, axis=1)
    peaks = []
    for k, code in enumerate(codes):
        row: dict[str, Any] = {
            "category": ROOT,
            "level": level,
            "code": code,
            "incidents": incidents[k],
            "timed": timed[k],
        }
        if enough[k]:
            first, held = busiest(units[k])
            mean, high = busiest_by_chance(int(timed[k]), seed=seed)
            row |= {"weekday": first // 24 + 1, "hour": first % 24, "peak": held / UNITS}
            row |= {"chance": mean, "chance_high": high}
        peaks.append(row)
    shown = np.flatnonzero(enough)
    hours = pd.DataFrame(
        {
            "category": ROOT,
            "level": level,
            "code": np.repeat(np.asarray(codes, dtype=object)[shown], WEEK_HOURS),
            "weekday": np.tile(np.arange(WEEK_HOURS) // 24 + 1, len(shown)),
            "hour": np.tile(np.arange(WEEK_HOURS) % 24, len(shown)),
            "incidents": units[shown].ravel() / UNITS,
            "word": np.where(marked[shown].ravel(), ChangeWord.HIGHER.value, ""),
        }
    )
    return HOURS.conform(hours), HOUR_PEAKS.conform(pd.DataFrame(peaks, columns=HOUR_PEAKS.names))


def _bands(units: Ints) -> Ints:
    """Add up hours to three-hour bands, shape (n, 56)."""
    return np.asarray(units.reshape(len(units), -1, BAND_HOURS).sum(axis=2), dtype=np.int64)


def _above(here: Ints, region: Ints) -> NDArray[np.bool_]:
    """Return which bands hold clearly more of a place's incidents than of the rest of the region's."""
    own = here.sum(axis=1, keepdims=True)
    rest = np.maximum(region[None, :] - here, 0)
    everything = np.maximum(int(region.sum()) - own, 1)
    # Parts of incidents are left out of what is tested: a test of fewer incidents is on the safe side.
    p = tails_above(here // UNITS, total=own // UNITS, share=rest / everything)
    clear = benjamini_hochberg(np.clip(p, 0, 1), included=np.broadcast_to(region[None, :] > 0, here.shape))
    return np.asarray(clear <= CLEARLY_ABOVE, dtype=bool)


def _above_others(here: Ints, region: Ints) -> NDArray[np.bool_]:
    """Return which bands hold clearly more of a category's incidents than of all others.

    A category may be most of the region, so that the others are too few to be taken for what is usual: the test is
    Fisher's, with as many incidents in the band and in the category as there are.
    """
    from scipy import stats

    own = here // UNITS
    band = np.maximum(region // UNITS, own)
    total = np.maximum(region.sum() // UNITS, band.sum(axis=1, keepdims=True))
    p = stats.hypergeom.sf(own - 1, total, band, own.sum(axis=1, keepdims=True))
    clear = benjamini_hochberg(np.clip(p, 0, 1), included=np.broadcast_to(region[None, :] > 0, here.shape))
    return np.asarray(clear <= CLEARLY_ABOVE, dtype=bool)


def category_tables(
    incidents: pd.DataFrame, code: str, *, region: Ints, min_incidents: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the tables of each category in the whole region; what stands out is tested against all other incidents.

    Parameters
    ----------
    incidents
        As `week_hours` takes them, with categories: ids joined by semicolons.
    code
        Of the region.
    region
        Its units, shape (168,).
    min_incidents, seed
        As `hour_tables` takes them.
    """
    texts = incidents["categories"].dropna().unique()
    ids = sorted({category for text in texts for category in str(text).split(";")} - {"", ROOT})
    members = [np.flatnonzero(having(incidents["categories"], category)) for category in ids]
    held = np.array([len(rows) for rows in members], dtype=np.int64)
    alike = incidents["incidents"].to_numpy(dtype=np.int64)
    row = np.concatenate(members) if members else np.zeros(0, dtype=np.int64)
    units = week_hours(incidents, place=np.repeat(np.arange(len(ids)), held), row=row, places=len(ids))
    found = hour_tables(
        Level.REGION,
        ids,
        units,
        incidents=np.array([alike[rows].sum() for rows in members], dtype=np.int64),
        region=region,
        min_incidents=min_incidents,
        seed=seed,
        above=_above_others,
    )
    # The tables name places: here each stands for a category of the same one.
    hours, peaks = (table.assign(category=table["code"], code=code) for table in found)
    return hours, peaks


# The entry in the registry
# -------------------------


_TIMES = ("weekday", "hour_band", "interval_start", "interval_minutes")


def _sums(place: ArrayLike, incidents: ArrayLike, places: int) -> Ints:
    """Add up incidents by place, shape (places,)."""
    return np.bincount(place, weights=incidents, minlength=places).astype(np.int64)


def _hours(data: DetectInput) -> Findings:
    """Count one window by hour of the week."""
    headline, name = data.window.headline, data.window.headline.id
    if data.timed is None:
        return Findings()
    settings, seed = data.config.detect.hours, data.config.run.seed
    # Incidents that are alike are one row with their number.
    rows = data.timed(headline).counted([*_TIMES, "categories", "borough_code", "ward_code"])
    incidents = rows["incidents"].to_numpy(dtype=np.int64)
    areas, codes, members = data.areas[data.areas["covered"]], {}, {}
    everyone = np.arange(len(rows))
    codes[Level.REGION.value] = areas.loc[areas["level"] == Level.REGION, "area_code"].tolist()
    members[Level.REGION.value] = (np.zeros(len(rows), dtype=np.int64), everyone)
    for smaller, column in ((Level.BOROUGH, "borough_code"), (Level.WARD, "ward_code")):
        codes[smaller.value] = sorted(areas.loc[areas["level"] == smaller, "area_code"])
        number = pd.Index(codes[smaller.value]).get_indexer(rows[column])
        members[smaller.value] = (number[number >= 0], everyone[number >= 0])
    hours, peaks = [], []
    region = week_hours(rows, place=members["region"][0], row=everyone, places=1)
    for level, (place, row) in members.items():
        units = week_hours(rows, place=place, row=row, places=len(codes[level]))
        found = hour_tables(
            level,
            codes[level],
            units,
            incidents=_sums(place, incidents[row], len(codes[level])),
            region=None if level == Level.REGION else region[0],
            min_incidents=settings.min_incidents,
            seed=seed,
        )
        hours.append(found[0])
        peaks.append(found[1])
    if codes[Level.REGION.value]:
        each = category_tables(
            rows, codes[Level.REGION.value][0], region=region[0], min_incidents=settings.min_incidents, seed=seed
        )
        hours.append(each[0])
        peaks.append(each[1])
    hotspots = data.made.get(f"hotspots/{name}.parquet")
    if hotspots is not None and len(hotspots) and data.described is not None:
        inside = data.described(headline).counted(_TIMES, members=data.made[f"hotspots/{name}.members.parquet"])
        ids = hotspots["hotspot_id"].astype(str).tolist()
        which = pd.Index(ids).get_indexer(inside["hotspot_id"])
        found = hour_tables(
            HOTSPOT,
            ids,
            week_hours(inside, place=which, row=np.arange(len(inside)), places=len(ids)),
            incidents=_sums(which, inside["incidents"], len(ids)),
            region=region[0],
            min_incidents=settings.min_incidents,
            seed=seed,
        )
        hours.append(found[0])
        peaks.append(found[1])
    timed = int(region.sum()) // UNITS
    by_hour = region[0].reshape(7, 24).sum(axis=0)
    cautions = []
    if timed >= ALL_IN_ONE_HOUR and int(by_hour.max()) == int(by_hour.sum()):
        cautions.append(
            f"All {timed:,} incidents of {headline.label} with a known time are in one hour of the day, from "
            f"{int(by_hour.argmax()):02d}:00: it probably stands for an unknown time, and figures by hour say nothing."
        )
    return Findings(
        tables={
            f"patterns/{name}/{HOURS.name}.parquet": HOURS.conform(pd.concat(hours, ignore_index=True)),
            f"patterns/{name}/{HOUR_PEAKS.name}.parquet": HOUR_PEAKS.conform(pd.concat(peaks, ignore_index=True)),
        },
        choices={f"hours {name}": f"{timed:,} of {int(incidents.sum()):,} incidents have a day and a time"},
        cautions=tuple(cautions),
    )


METHOD = Method(
    name="hours",
    section="detect.hours",
    needs=frozenset({Need.POINTS}),
    scope=Scope.INTERNAL,
    switch="detect.hours.enabled",
    run=_hours,
)
