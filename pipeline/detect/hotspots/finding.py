"""Clusters of one window that count as hotspots, ranked by incidents."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray

from pipeline.detect.clusters import ClusterMethod, EpsChoice, joining_note
from pipeline.detect.hotspots.outlines import within
from pipeline.detect.hotspots.ranking import Detection, detect, ranked_by_content
from pipeline.detect.hotspots.stability import Background, monte_carlo_p, stability
from pipeline.domain.periods import Period, month_range
from pipeline.errors import InputError

__all__ = [
    "COLUMNS",
    "Hotspots",
    "by_category",
    "by_period",
    "change_pct",
    "describe",
    "find_hotspots",
    "lower_min_samples",
    "nullable",
    "victims_in",
]


Ints = NDArray[np.int64]

# The columns of a hotspot: sums and shares, all from the rows it holds
# ----------------------------------------------------------------------------


MIN_BEFORE = 20  # incidents in the earlier window below which a percentage says nothing


def nullable(values: Iterable[float | None], *, kind: str = "Float64") -> ExtensionArray:
    """Return a column with unknown values as null."""
    return pd.array([None if v is None else v for v in values], dtype=kind)


def describe(rows: pd.DataFrame, *, count: int, total: int) -> dict[str, Any]:
    """Sum up each hotspot's rows.

    Parameters
    ----------
    rows
        Rows of the locations table that lie in a hotspot, with its number from 0 in `hotspot`, and the number of
        its distinct location in `place`.
    count
        Number of hotspots; each has rows.
    total
        All incidents of the window, inside hotspots or not.
    """
    per_place = rows.groupby(["hotspot", "place"])["incidents"].sum()
    repeated = per_place.where(per_place > 1, 0).groupby("hotspot").sum()
    groups = rows.groupby("hotspot")
    incidents = groups["incidents"].sum().to_numpy(dtype=np.int64)
    wards, boroughs = (_codes(rows, column, count) for column in ("ward_code", "borough_code"))
    return {
        "incidents": incidents,
        "distinct_locations": per_place.groupby("hotspot").size().to_numpy(dtype=np.int64),
        "share_of_all_pct": 100 * incidents / total,
        "first_period": _months(groups["month"].min()),
        "last_period": _months(groups["month"].max()),
        "ward_codes": pd.array([";".join(sorted(codes)) for codes in wards], dtype="str"),
        "borough_code": pd.array([codes[0] if codes else None for codes in boroughs], dtype="str"),
        "repeat_location_share_pct": 100 * repeated.to_numpy() / incidents,
        "top_location_share_pct": 100 * per_place.groupby("hotspot").max().to_numpy() / incidents,
        "outcome_share_pct": _outcomes(rows, count),
    }


def _codes(rows: pd.DataFrame, column: str, count: int) -> list[list[str]]:
    """List the codes of each hotspot, the one with most incidents first, ties by the lower code."""
    sums = rows[rows[column].notna()].groupby(["hotspot", column])["incidents"].sum().reset_index()
    sums = sums.sort_values(["hotspot", "incidents", column], ascending=[True, False, True], kind="stable")
    codes: list[list[str]] = [[] for _ in range(count)]
    for hotspot, code in zip(sums["hotspot"], sums[column], strict=True):
        codes[int(hotspot)].append(str(code))
    return codes


def _outcomes(rows: pd.DataFrame, count: int) -> ExtensionArray:
    """Return positive outcomes per 100 known ones, null where none is known."""
    if not {"positive_outcomes", "known_outcomes"} <= set(rows.columns):
        return nullable([None] * count)
    known_rows = rows[rows["positive_outcomes"].notna() & rows["known_outcomes"].notna()]
    sums = (
        known_rows.groupby("hotspot")[["positive_outcomes", "known_outcomes"]].sum().reindex(range(count), fill_value=0)
    )
    pairs = zip(sums["positive_outcomes"], sums["known_outcomes"], strict=True)
    return nullable([100 * int(good) / int(known) if known > 0 else None for good, known in pairs])


def by_category(rows: pd.DataFrame, *, ids: Sequence[str], categories: Sequence[str]) -> pd.DataFrame:
    """Count incidents by hotspot and category, zeros written; an incident counts in each of its categories."""
    few = rows[["hotspot", "incidents"]].assign(categories=rows["categories"].fillna(""))
    few = few.groupby(["hotspot", "categories"], as_index=False)["incidents"].sum()
    split = few[["hotspot", "incidents"]].assign(category=few["categories"].str.split(";"))
    sums = split.explode("category").groupby(["hotspot", "category"])["incidents"].sum()
    return _dense(sums, ids, "category", categories)


def by_period(
    rows: pd.DataFrame, *, ids: Sequence[str], window: tuple[int, int], lacking: Collection[int] = ()
) -> pd.DataFrame:
    """Count incidents by hotspot and month of the window, zeros written; months that the data lacks have no row."""
    months = [month for month in month_range(*window) if month not in lacking]
    sums = rows.groupby(["hotspot", "month"])["incidents"].sum()
    counted = _dense(sums, ids, "month", months)
    return counted.assign(month=_months(counted["month"])).rename(columns={"month": "period"})


def _dense(sums: "pd.Series[int]", ids: Sequence[str], name: str, values: Sequence[object]) -> pd.DataFrame:
    full = pd.MultiIndex.from_product([range(len(ids)), values], names=["hotspot", name])
    table = sums.reindex(full, fill_value=0).reset_index()
    hotspot = table.pop("hotspot").to_numpy(dtype=np.int64)
    table.insert(0, "hotspot_id", pd.array(np.asarray(ids, dtype=object)[hotspot], dtype="str"))
    return table.astype({"incidents": "int64"})


def change_pct(now: NDArray[np.int64], before: NDArray[np.int64], *, days_now: int, days_before: int) -> ExtensionArray:
    """Return the change in incidents per day, per cent; null if there were fewer than 20 before."""
    return nullable(
        [
            100 * ((n / days_now) / (b / days_before) - 1) if b >= MIN_BEFORE else None
            for n, b in zip(now.tolist(), before.tolist(), strict=True)
        ]
    )


def victims_in(hotspot: NDArray[np.int64], victims: "pd.Series[str]", *, count: int) -> ExtensionArray:
    """Count the distinct known victims of each hotspot, null if none is known."""
    known = pd.DataFrame({"hotspot": hotspot, "victim": victims.to_numpy(dtype=object)}).dropna()
    sizes = known[known["hotspot"] >= 0].groupby("hotspot")["victim"].nunique().reindex(range(count))
    return nullable([None if pd.isna(v) else int(v) for v in sizes], kind="Int64")


def _months(months: Iterable[int]) -> ExtensionArray:
    return pd.array([f"{int(m) // 100:04d}-{int(m) % 100:02d}" for m in months], dtype="str")


# Find hotspots in the locations table: cluster, rank, outline, describe, test
# ----------------------------------------------------------------------------


Window = tuple[int, int]

NEEDED = ("easting_m", "northing_m", "ward_code", "borough_code", "month", "categories", "incidents")
COLUMNS = (
    "hotspot_id", "rank", "incidents", "distinct_locations", "area_km2", "density_per_km2",
    "share_of_all_pct", "first_period", "last_period", "ward_codes", "borough_code", "repeat_location_share_pct",
    "top_location_share_pct", "outcome_share_pct", "change_pct", "stability", "p_value", "distinct_victims",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hotspots:
    """Hotspots, most incidents first.

    Attributes
    ----------
    table
        One row for each hotspot, columns as in `COLUMNS`; what is not known is null, never NaN.
    geometry
        Outlines in metres, in the table's order.
    by_category
        hotspot_id, category, incidents: every category of the window, zeros written; categories overlap.
    by_period
        hotspot_id, period (yyyy-mm), incidents: every month of the window, zeros written.
    eps_m, min_samples
        The settings that were used.
    eps_choice
        How an automatic reach was read, otherwise None.
    notes
        What a reader must know.
    """

    table: pd.DataFrame
    geometry: NDArray[np.object_]
    by_category: pd.DataFrame
    by_period: pd.DataFrame
    eps_m: float | None
    min_samples: int | None
    eps_choice: EpsChoice | None
    notes: tuple[str, ...]


def find_hotspots(
    locations: pd.DataFrame,
    *,
    window: Window,
    eps_m: float | Literal["auto"],
    min_samples: int | Literal["auto"],
    previous: Window | None = None,
    lacking: Collection[int] = (),
    method: str = ClusterMethod.DBSCAN,
    min_locations: int = 5,
    max_hotspots: int | None = None,
    largest_pct: float | None = None,
    victims: pd.DataFrame | None = None,
    resamples: int = 0,
    simulations: int = 0,
    background: Background | None = None,
    rng: np.random.Generator | None = None,
) -> Hotspots:
    """Find, rank and describe the hotspots of a window of months.

    Parameters
    ----------
    locations
        One row for each location, month and set of categories: `easting_m`, `northing_m` (metres), `ward_code`,
        `borough_code` (may be null), `month` (yyyymm), `categories` (semicolon-joined, closed under ancestors),
        `incidents`, and where known `positive_outcomes`, `known_outcomes`. Other months may be there.
    window
        First and last month of detection, both included.
    eps_m
        Reach of a cluster in metres, or `auto`.
    min_samples
        Incidents within reach that make a core location, or `auto`.
    previous
        Earlier window to compare with, not overlapping; none by default.
    lacking
        Months of the window that the data lacks: they have no row in `by_period`.
    method
        A `ClusterMethod`, by its name.
    min_locations
        Fewest distinct locations in a hotspot: ten incidents at one address are none.
    max_hotspots
        Most hotspots kept; all by default.
    largest_pct
        Largest share of all incidents in one cluster, per cent, to which automatic settings are tightened; no limit by
        default.
    victims
        Rows of `easting_m`, `northing_m`, `month`, `victim_hash`, for counting distinct victims.
    resamples
        Resamples of locations for `stability`; 0 leaves it null.
    simulations
        Simulated nulls for `p_value`; 0 leaves it null.
    background
        Where incidents fall in a simulated null.
    rng
        Source of the draws of both.

    Returns
    -------
    hotspots
        The table, outlines and companions; empty, with the reason in `notes`, where there is none.

    Raises
    ------
    InputError
        If columns are missing, a value is unusable, windows overlap, or draws are asked for without what they need.
    """
    span, earlier = Period(*window), None if previous is None else Period(*previous)
    _check(locations, span, earlier)
    if (resamples or simulations) and rng is None:
        raise InputError("stability and p-values draw at random: pass rng, a seeded numpy Generator")
    if simulations and background is None:
        raise InputError("a p-value needs a background: the cells of the study area and their weights")
    now = _in(locations, span)
    found = detect(
        now,
        eps_m=eps_m,
        min_samples=min_samples,
        method=method,
        min_locations=min_locations,
        max_hotspots=max_hotspots,
        largest_pct=largest_pct,
    )
    notes = list(found.notes)
    if found.settings is not None:
        # Here alone: cores and earlier windows are clustered in the same way and their notes are not read, and the
        # k-distances of many distinct places take longer than the clusters.
        warning = joining_note(
            found.places_m,
            found.clustering,
            eps_m=found.settings.eps_m,
            min_samples=found.settings.min_samples,
            weights=found.weights,
        )
        notes += [warning] if warning else []
    in_clusters = np.bincount(
        found.member[found.member >= 0], weights=found.weights[found.member >= 0], minlength=found.count
    ).astype(np.int64)
    found, geometry, order = ranked_by_content(found)
    # Every row of the window belongs to the outlines that hold its place; what follows is sums over these rows. The
    # outline holds all members of the cluster, and what else lies inside it counts too: whoever counts the points in an
    # outline finds the number beside it.
    hotspot, at = within(geometry, now)
    rows = now.iloc[at][[n for n in now.columns if n not in {"easting_m", "northing_m"}]].reset_index(drop=True)
    rows = rows.assign(hotspot=hotspot, place=found.place[at])
    columns = describe(rows, count=found.count, total=int(found.weights.sum()))
    incidents = columns["incidents"]
    area_km2 = np.array([shape.area for shape in geometry], dtype=np.float64) / 1e6
    columns["hotspot_id"] = pd.array([f"H{i + 1:03d}" for i in range(found.count)], dtype="str")
    columns["rank"] = np.arange(1, found.count + 1)
    columns["area_km2"], columns["density_per_km2"] = area_km2, incidents / area_km2
    columns["change_pct"] = _change(
        geometry, incidents=incidents, locations=locations, span=span, earlier=earlier, notes=notes
    )
    columns["distinct_victims"] = _victims(geometry, rows, victims, span, notes)
    columns |= _certainty(
        found,
        incidents=in_clusters[order],  # simulated clusters have no outlines: like is compared with like
        resamples=resamples,
        simulations=simulations,
        background=background,
        rng=rng,
        notes=notes,
    )
    table = pd.DataFrame({name: columns[name] for name in COLUMNS})
    ids = table["hotspot_id"].tolist()
    return Hotspots(
        table=table,
        geometry=geometry,
        by_category=by_category(rows, ids=ids, categories=_categories(now)),
        by_period=by_period(rows, ids=ids, window=window, lacking=lacking),
        eps_m=found.settings.eps_m if found.settings else None,
        min_samples=found.settings.min_samples if found.settings else None,
        eps_choice=found.choice,
        notes=tuple(notes),
    )


def _check(locations: pd.DataFrame, span: Period, earlier: Period | None) -> None:
    missing = [name for name in NEEDED if name not in locations.columns]
    if missing:
        raise InputError(f"the locations table has no column {', '.join(missing)}: it needs {', '.join(NEEDED)}")
    if locations["incidents"].isna().any() or locations["month"].isna().any():
        raise InputError("the locations table has rows without month or incidents: both must be whole numbers")
    if ((locations["incidents"] < 0) | (locations["incidents"] % 1 != 0)).any():
        raise InputError("the locations table has incidents that are negative or not whole: each row is a count")
    if earlier is not None and earlier.last_month >= span.first_month:
        raise InputError(f"the earlier window {earlier.id} must end before the window {span.id} begins")


def _in(frame: pd.DataFrame, span: Period) -> pd.DataFrame:
    """Return the rows of a window with incidents."""
    kept = frame["month"].between(span.first_month, span.last_month) & (frame["incidents"] != 0)
    return (
        (frame if kept.all() else frame[kept]).reset_index(drop=True).astype({"incidents": "int64", "month": "int64"})
    )


def _categories(rows: pd.DataFrame) -> list[str]:
    words = {word for joined in rows["categories"].dropna().unique() for word in str(joined).split(";")}
    return sorted(words - {""})


def _change(
    geometry: NDArray[np.object_],
    *,
    incidents: Ints,
    locations: pd.DataFrame,
    span: Period,
    earlier: Period | None,
    notes: list[str],
) -> ExtensionArray:
    if earlier is None or not len(geometry):
        return nullable([None] * len(geometry))
    before = _in(locations, earlier)
    # Both windows inside the same outlines, so that the change is that of the same places.
    hotspot, at = within(geometry, before)
    counts = np.bincount(hotspot, weights=before["incidents"].to_numpy()[at], minlength=len(geometry))
    notes.append(
        f"change_pct: incidents per day against {earlier.id}, inside the same outlines. They were picked for being "
        "high now, so it leans upwards"
    )
    return change_pct(incidents, counts.astype(np.int64), days_now=span.days, days_before=earlier.days)


def _victims(
    geometry: NDArray[np.object_], rows: pd.DataFrame, victims: pd.DataFrame | None, span: Period, notes: list[str]
) -> ExtensionArray:
    """Count victims from their list; from the locations table alone only "at least the largest row" is sure."""
    count = len(geometry)
    if victims is not None:
        known = victims[victims["month"].between(span.first_month, span.last_month)]
        hotspot, at = within(geometry, known)
        return victims_in(hotspot, known["victim_hash"].iloc[at], count=count)
    if "distinct_victims" not in rows or rows["distinct_victims"].isna().all():
        return nullable([None] * count, kind="Int64")
    notes.append("distinct_victims: at least this many, the most in any one row of the locations table")
    least = rows.groupby("hotspot")["distinct_victims"].max().reindex(range(count))
    return nullable([None if pd.isna(v) else int(v) for v in least], kind="Int64")


def _certainty(
    found: Detection,
    *,
    incidents: Ints,
    resamples: int,
    simulations: int,
    background: Background | None,
    rng: np.random.Generator | None,
    notes: list[str],
) -> dict[str, ExtensionArray]:
    """Fill stability and p_value if requested; each has its own random stream, so one does not affect the other."""
    columns = {"stability": nullable([None] * found.count), "p_value": nullable([None] * found.count)}
    if rng is None or found.settings is None or not found.count:
        return columns
    # Each has a stream of its own: asking for one does not change the numbers of the other.
    steady_rng, null_rng = rng.spawn(2)
    if resamples:
        columns["stability"] = nullable(
            stability(
                found.places_m,
                weights=found.weights,
                members=found.member,
                settings=found.settings,
                resamples=resamples,
                rng=steady_rng,
            )
        )
        notes.append(
            f"stability: mean Jaccard index of each hotspot and the cluster most like it in each of {resamples} "
            "resamples of locations"
        )
    if simulations and background is not None:
        columns["p_value"] = nullable(
            monte_carlo_p(
                incidents,
                weights=found.weights,
                background=background,
                settings=found.settings,
                simulations=simulations,
                rng=null_rng,
            )
        )
        notes.append(
            f"p_value: against the cluster of the same rank in each of {simulations} simulations that place the same "
            f"locations {background.words}"
        )
    return columns


# Settings that would find some
# -----------------------------


FEWEST_SAMPLES = 2  # two incidents near each other: fewer would make every place a cluster


def lower_min_samples(
    rows: pd.DataFrame,
    *,
    eps_m: float | Literal["auto"],
    min_samples: int,
    method: str,
    min_locations: int,
) -> tuple[int, int] | None:
    """Halve `min_samples` until clusters that count as hotspots appear: as many runs as it has binary digits, at most.

    Parameters are those of `detect`.

    Returns
    -------
    min_samples, hotspots
        The largest of the halves that finds any, and how many; None where none does.
    """
    tried = min_samples // 2
    while tried >= FEWEST_SAMPLES:
        found = detect(
            rows, eps_m=eps_m, min_samples=tried, method=method, min_locations=min_locations, max_hotspots=None
        )
        if found.count:
            return tried, found.count
        tried //= 2
    return None
