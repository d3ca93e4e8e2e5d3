"""The account of a run on incidents."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.quality.accounts import PartAccount, broken, largest, pct, require_kept, summed

__all__ = ["PLACED", "hit_rates", "incidents_quality", "repeated_share"]

PLACED = ("point", "outside")


def incidents_quality(
    parts: Sequence[PartAccount],
    *,
    duplicates: Mapping[str, int],
    conflicting: int,
    places: pd.DataFrame,
    locations: pd.DataFrame,
    max_quarantined_pct: float,
    geocode_target_pct: float,
) -> dict[str, Any]:
    """Assemble quality.json of a run on incidents.

    Parameters
    ----------
    parts
        The account of every file, before repeated ids are settled.
    duplicates
        Rows left out because their id repeats, per file.
    conflicting
        How many of them said something else than the row kept.
    places
        Incidents kept in the end by source, borough_code (empty where none), month, place, online, date_precision,
        with the measures incidents and snapped.
    locations
        Distinct places with the measure incidents (LOCATIONS).
    max_quarantined_pct, geocode_target_pct
        Limits, in per cent.

    Raises
    ------
    QualityError
        If more rows than allowed were refused, or all.
    InputError
        If no file has a row.
    SchemaError
        If an account does not add up.
    """
    rules = summed(p.quarantined for p in parts)
    read, refused, left_out = sum(p.rows_read for p in parts), sum(rules.values()), sum(duplicates.values())
    require_kept(read, rules, max_pct=max_quarantined_pct, files=len(parts))
    by_place = places.groupby("place")["incidents"].sum()
    kept = int(places["incidents"].sum())
    inside, outside = int(by_place.get("point", 0)), int(by_place.get("outside", 0))
    borough, none = int(by_place.get("borough", 0)), int(by_place.get("none", 0))
    kept_by_source = places.groupby("source")["incidents"].sum()
    for part in parts:
        left = int(kept_by_source.get(part.source, 0)) + duplicates.get(part.source, 0)
        if part.rows_read != part.incidents + sum(part.quarantined.values()) or part.incidents != left:
            raise broken(f"rows of {part.source}: {part.rows_read} read, {part.quarantined} refused, {left} kept")
    if kept != inside + outside + borough + none:
        raise broken(f"{kept} incidents, but {inside} inside, {outside} outside, {borough + none} without a place")
    rates = hit_rates(places, lost=summed(p.lost_places for p in parts), target_pct=geocode_target_pct)
    online = int(places.loc[places["online"].astype(bool), "incidents"].sum())
    return {
        "accounting": {
            "rows_read": read,
            "incidents": kept,
            "quarantined": refused,
            "duplicates": left_out,
            "incidents_inside_areas": inside,
            "incidents_outside_areas": outside,
            "incidents_without_a_place": borough + none,
        },
        "quarantined_pct": pct(refused, read),
        "max_quarantined_pct": max_quarantined_pct,
        "quarantined_by_rule": dict(sorted(rules.items())),
        "duplicates": {"identical": left_out - conflicting, "conflicting": conflicting},
        "without_a_place": {"borough_named": borough, "no_borough": none, "online": online},
        "snapped": int(places["snapped"].sum()),
        "month_only": int(places.loc[places["date_precision"] == "month", "incidents"].sum()),
        "without_id": sum(p.without_id for p in parts),
        "geocode": rates,
        "repeated_coordinates": repeated_share(locations),
        "unknown_categories": largest(summed(p.unknown_categories for p in parts)),
        "unknown_boroughs": largest(summed(p.unknown_boroughs for p in parts)),
        "unreadable_values": dict(sorted(summed(p.unreadable for p in parts).items())),
        "ward_checks": _ward_checks(summed(p.ward_checks for p in parts)),
        "files": [
            {
                "file": p.source,
                "rows_read": p.rows_read,
                "incidents": int(kept_by_source.get(p.source, 0)),
                "quarantined": sum(p.quarantined.values()),
                "duplicates": duplicates.get(p.source, 0),
            }
            for p in parts
        ],
    }


def hit_rates(places: pd.DataFrame, *, lost: Mapping[int, int], target_pct: float) -> dict[str, Any]:
    """Share of rows with a usable place: overall, by borough, by month, and by both.

    Parameters
    ----------
    places
        As for `incidents_quality`. Online rows have no place by nature and count on neither side.
    lost
        Rows refused for their place, by month (0 where unknown): they should have had one, and belong to no borough.
    target_pct
        Rule of thumb, in per cent (Ratcliffe 2004: 85).

    Returns
    -------
    rates
        Rows and `placed_pct` (None where there is no row), areas and months under the target marked.
    """
    due = places[~places["online"].astype(bool)]
    table = pd.DataFrame(
        {
            "area_code": due["borough_code"].astype("str"),
            "month": due["month"].astype("int64"),
            "rows": due["incidents"].astype("int64"),
            "placed": due["incidents"].where(due["place"].isin(PLACED), 0).astype("int64"),
        }
    )
    failed = pd.DataFrame(
        [("", month, rows, 0) for month, rows in sorted(lost.items())], columns=["area_code", "month", "rows", "placed"]
    ).astype({"area_code": "str", "month": "int64", "rows": "int64", "placed": "int64"})
    table = pd.concat([table, failed], ignore_index=True)

    def by(*keys: str) -> list[dict[str, Any]]:
        sums = table.groupby(list(keys), sort=True)[["rows", "placed"]].sum().reset_index()
        out = []
        for row in sums.to_dict("records"):
            share = pct(int(row["placed"]), int(row["rows"]))
            names = {k: int(row[k]) if k == "month" else str(row[k]) for k in keys}
            below = share is not None and share < target_pct
            out.append({**names, "rows": int(row["rows"]), "placed_pct": share, "under_target": below})
        return out

    rows, placed = int(table["rows"].sum()), int(table["placed"].sum())
    share = pct(placed, rows)
    return {
        "target_pct": target_pct,
        "rows": rows,
        "placed": placed,
        "placed_pct": share,
        "under_target": share is not None and share < target_pct,
        "by_area": by("area_code"),
        "by_month": by("month"),
        "by_area_and_month": by("area_code", "month"),
    }


def repeated_share(locations: pd.DataFrame) -> dict[str, Any]:
    """How much of the data shares its coordinates with other rows: high where points are snapped to map points."""
    at = _at_each_place(locations)
    total, repeated = int(at.sum()), int(at[at > 1].sum())
    return {
        "incidents": total,
        "distinct_places": len(at),
        "repeated_pct": pct(repeated, total),
        "largest_place_pct": pct(int(at.max()) if len(at) else 0, total),
    }


def _at_each_place(locations: pd.DataFrame) -> NDArray[np.int64]:
    """Incidents at each distinct place; rows that come in the order of their places are not sorted again."""
    x, y = (locations[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m"))
    incidents: NDArray[np.int64] = locations["incidents"].to_numpy(dtype=np.int64)
    if not len(x):
        return incidents
    if ((x[1:] < x[:-1]) | ((x[1:] == x[:-1]) & (y[1:] < y[:-1]))).any():
        order = np.lexsort((y, x))
        x, y, incidents = x[order], y[order], incidents[order]
    starts = np.flatnonzero(np.concatenate(([True], (x[1:] != x[:-1]) | (y[1:] != y[:-1]))))
    sums: NDArray[np.int64] = np.add.reduceat(incidents, starts)
    return sums


def _ward_checks(counts: Counter[Any]) -> dict[str, Any]:
    return {
        "compared": counts["compared"],
        "same": counts["same"],
        "same_pct": pct(counts["same"], counts["compared"]),
    }
