"""Find hotspots in the locations table: cluster, rank, outline, describe, and say how sure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray

from pipeline.clusters import EpsChoice, Method
from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.hotspots.describing import by_category, by_period, change_pct, describe, nullable, victims_in
from pipeline.hotspots.detecting import Detection, detect
from pipeline.hotspots.resampling import Background, monte_carlo_p, stability

__all__ = ["COLUMNS", "Hotspots", "find_hotspots"]

Ints = NDArray[np.int64]
Window = tuple[int, int]

NEEDED = ("easting_m", "northing_m", "ward_code", "borough_code", "month", "categories", "incidents")
COLUMNS = (
    "hotspot_id", "rank", "name", "incidents", "distinct_locations", "area_km2", "density_per_km2",
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
    min_samples: int
    eps_choice: EpsChoice | None
    notes: tuple[str, ...]


def find_hotspots(
    locations: pd.DataFrame,
    *,
    window: Window,
    eps_m: float | Literal["auto"],
    min_samples: int,
    previous: Window | None = None,
    method: Method = "dbscan",
    min_locations: int = 5,
    max_hotspots: int | None = None,
    ward_names: Mapping[str, str] | None = None,
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
        Incidents within reach that make a core location.
    previous
        Earlier window to compare with, not overlapping; none by default.
    method
        `dbscan`, `hdbscan` or `optics`.
    min_locations
        Fewest distinct locations in a hotspot: ten incidents at one address are none.
    max_hotspots
        Most hotspots kept; all by default.
    ward_names
        Names by ward code. A hotspot is named after the ward that holds most of its incidents.
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
    )
    notes = list(found.notes)
    hotspot = found.member[found.place]
    inside = hotspot >= 0
    rows = now.loc[inside, [n for n in now.columns if n not in {"easting_m", "northing_m"}]]
    rows = rows.assign(hotspot=hotspot[inside], place=found.place[inside])
    columns = describe(rows, count=found.count, ward_names=ward_names or {}, total=int(found.weights.sum()))
    geometry = found.outlines()
    incidents = columns["incidents"]
    area_km2 = np.array([shape.area for shape in geometry], dtype=np.float64) / 1e6
    columns["hotspot_id"] = pd.array([f"H{i + 1:03d}" for i in range(found.count)], dtype="str")
    columns["rank"] = np.arange(1, found.count + 1)
    columns["area_km2"], columns["density_per_km2"] = area_km2, incidents / area_km2
    columns["change_pct"] = _change(found, now=now, locations=locations, span=span, earlier=earlier, notes=notes)
    columns["distinct_victims"] = _victims(found, rows, victims, span, notes)
    columns |= _certainty(
        found,
        incidents=incidents,
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
        by_period=by_period(rows, ids=ids, window=window),
        eps_m=found.recipe.eps_m if found.recipe else None,
        min_samples=min_samples,
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
    """Return the rows of a window that hold incidents."""
    kept = frame["month"].between(span.first_month, span.last_month) & (frame["incidents"] != 0)
    return (
        (frame if kept.all() else frame[kept]).reset_index(drop=True).astype({"incidents": "int64", "month": "int64"})
    )


def _categories(rows: pd.DataFrame) -> list[str]:
    words = {word for joined in rows["categories"].dropna().unique() for word in str(joined).split(";")}
    return sorted(words - {""})


def _change(
    found: Detection,
    *,
    now: pd.DataFrame,
    locations: pd.DataFrame,
    span: Period,
    earlier: Period | None,
    notes: list[str],
) -> ExtensionArray:
    if earlier is None or not found.count:
        return nullable([None] * found.count)
    counts = []
    for rows in (now, _in(locations, earlier)):
        hotspot = found.inside(rows[["easting_m", "northing_m"]].to_numpy(dtype=np.float64))
        inside = hotspot >= 0
        sums = np.bincount(hotspot[inside], weights=rows["incidents"].to_numpy()[inside], minlength=found.count)
        counts.append(sums.astype(np.int64))
    notes.append(
        f"change_pct: incidents per day against {earlier.id}, at the same places. They were picked for being high now, "
        "so it leans upwards"
    )
    return change_pct(*counts, days_now=span.days, days_before=earlier.days)


def _victims(
    found: Detection, rows: pd.DataFrame, victims: pd.DataFrame | None, span: Period, notes: list[str]
) -> ExtensionArray:
    """Count victims from their list; from the locations table alone only "at least the largest row" is sure."""
    if victims is not None:
        known = victims[victims["month"].between(span.first_month, span.last_month)]
        hotspot = found.inside(known[["easting_m", "northing_m"]].to_numpy(dtype=np.float64))
        return victims_in(hotspot, known["victim_hash"], count=found.count)
    if "distinct_victims" not in rows or rows["distinct_victims"].isna().all():
        return nullable([None] * found.count, kind="Int64")
    notes.append("distinct_victims: at least this many, the most in any one row of the locations table")
    least = rows.groupby("hotspot")["distinct_victims"].max().reindex(range(found.count))
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
    """Fill stability and p_value where asked for; each has its own stream, so one does not move the other."""
    told = {"stability": nullable([None] * found.count), "p_value": nullable([None] * found.count)}
    if rng is None or found.recipe is None or not found.count:
        return told
    steady_rng, null_rng = rng.spawn(2)
    if resamples:
        told["stability"] = nullable(
            stability(
                found.places_m,
                weights=found.weights,
                members=found.member,
                recipe=found.recipe,
                resamples=resamples,
                rng=steady_rng,
            )
        )
        notes.append(f"stability: share of {resamples} resamples of locations in which half of the hotspot comes back")
    if simulations and background is not None:
        told["p_value"] = nullable(
            monte_carlo_p(
                incidents,
                weights=found.weights,
                background=background,
                recipe=found.recipe,
                simulations=simulations,
                rng=null_rng,
            )
        )
        notes.append(
            f"p_value: against the largest cluster in each of {simulations} simulations that lay the same locations "
            f"{background.words}"
        )
    return told
