"""Probable duplicates across organisations, and repeat victims and places.

Probable duplicates are flagged and counted, never merged: each organisation's figures stay its own. No identifier of a
victim leaves this module, only counts.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from pipeline.domain.categories import ROOT, by_category
from pipeline.domain.periods import Period, add_months
from pipeline.errors import InputError
from pipeline.statistics.uncertainty import wilson
from pipeline.tables import Place, Precision

__all__ = ["Repeats", "duplicate_summary", "flagged", "probable_duplicates", "repeats", "repeats_report"]

PRECISIONS = ("point", "ward", "borough")  # finest first; two records are compared at the coarser of theirs
NEIGHBOURS = ((0, 0), (0, 1), (1, 0), (1, 1), (0, -1), (-1, 0), (-1, -1), (1, -1), (-1, 1))


def probable_duplicates(incidents: pd.DataFrame, *, days: int = 7, same_place_m: float = 50.0) -> pd.DataFrame:
    """List pairs of records of two organisations that may be one incident.

    Both are in a common category (any pair where neither has one), at most `days` apart, and in the same place at the
    coarser of their precisions: two points within `same_place_m`, the same ward, or the same borough. Records without
    any place are never paired.

    Parameters
    ----------
    incidents
        incident_id, organisation, occurred_on (dates), categories, and where known easting_m and northing_m (metres),
        ward_code and borough_code.
    days
        Most days between the two dates.
    same_place_m
        Most metres between two points.

    Returns
    -------
    pairs
        organisation_a (first in the alphabet), incident_id_a, organisation_b, incident_id_b, precision, days_apart,
        ordered by these ids. One row for each pair; a record may be in several.
    """
    if days < 0 or same_place_m <= 0:
        raise InputError("probable duplicates need days of 0 or more and a distance above 0 metres")
    records = _records(incidents, cell_m=same_place_m)
    found = [records.iloc[:0].reindex(columns=_PAIR)]
    for one, other in combinations(sorted(records["organisation"].unique()), 2):
        left, right = (records[records["organisation"] == name] for name in (one, other))
        found += [_pairs(left, right, precision=p, days=days, same_place_m=same_place_m) for p in PRECISIONS]
    keys = ["organisation_a", "organisation_b", "incident_id_a", "incident_id_b"]
    return pd.concat(found, ignore_index=True).drop_duplicates(keys).sort_values(keys, ignore_index=True)


_PAIR = ["organisation_a", "incident_id_a", "organisation_b", "incident_id_b", "precision", "days_apart"]


def _records(incidents: pd.DataFrame, *, cell_m: float) -> pd.DataFrame:
    """Give each incident and category its day, the finest precision of its place, and the grid cell of its point."""
    narrow = pd.DataFrame({name: incidents[name] for name in ("incident_id", "organisation", "categories")})
    narrow["day"] = (pd.to_datetime(incidents["occurred_on"]) - pd.Timestamp(1970, 1, 1)).dt.days
    for name in ("easting_m", "northing_m"):
        narrow[name] = incidents[name].astype("float64") if name in incidents.columns else np.nan
    for name in ("ward_code", "borough_code"):
        narrow[name] = incidents[name].astype("str") if name in incidents.columns else ""
        narrow[name] = narrow[name].fillna("").replace({"nan": "", "None": "", "<NA>": ""})
    point = narrow["easting_m"].notna() & narrow["northing_m"].notna()
    ward, borough = narrow["ward_code"] != "", narrow["borough_code"] != ""
    narrow["rank"] = np.select([point, ward, borough], [0, 1, 2], default=3)
    narrow["column"] = np.floor(narrow["easting_m"].fillna(0) / cell_m).astype("int64")
    narrow["row"] = np.floor(narrow["northing_m"].fillna(0) / cell_m).astype("int64")
    narrow["record"] = np.arange(len(narrow))
    placed = narrow[(narrow["rank"] < len(PRECISIONS)) & narrow["day"].notna()].astype({"day": "int64"})
    rows = by_category(placed)
    # "All" is ignored for records that are also in a strand; records without a strand have only "all" in common.
    alone = ~rows["record"].isin(rows.loc[rows["category"] != ROOT, "record"])
    return rows[(rows["category"] != ROOT) | alone]


def _pairs(left: pd.DataFrame, right: pd.DataFrame, *, precision: str, days: int, same_place_m: float) -> pd.DataFrame:
    """Join two organisations' records whose coarser precision is the one asked for."""
    coarser = PRECISIONS.index(precision)
    left, right = left[left["rank"] <= coarser], right[right["rank"] <= coarser]
    if precision == "point":
        moved = [right.assign(column=right["column"] + i, row=right["row"] + j) for i, j in NEIGHBOURS]
        right, keys = pd.concat(moved, ignore_index=True), ["column", "row"]
    else:
        keys = [f"{precision}_code"]
        left, right = left[left[keys[0]] != ""], right[right[keys[0]] != ""]
    # Days are cut into spans, and each record meets those of its own and of the two beside it: no pair is missed.
    span = days + 1
    near = pd.concat([right.assign(span=right["day"] // span + shift) for shift in (-1, 0, 1)], ignore_index=True)
    both = left.assign(span=left["day"] // span).merge(near, on=["category", "span", *keys], suffixes=("_a", "_b"))
    both = both[np.maximum(both["rank_a"], both["rank_b"]) == coarser]
    both = both.assign(precision=precision, days_apart=(both["day_a"] - both["day_b"]).abs())
    chosen = both["days_apart"] <= days
    if precision == "point":
        chosen &= (
            np.hypot(both["easting_m_a"] - both["easting_m_b"], both["northing_m_a"] - both["northing_m_b"])
            <= same_place_m
        )
    return both.loc[chosen, _PAIR]


def flagged(incidents: pd.DataFrame, pairs: pd.DataFrame) -> "pd.Series[bool]":
    """Flag the incidents that are in a pair of probable duplicates; none is taken away."""
    a = pd.MultiIndex.from_frame(pairs[["organisation_a", "incident_id_a"]])
    b = pd.MultiIndex.from_frame(pairs[["organisation_b", "incident_id_b"]])
    own = pd.MultiIndex.from_frame(incidents[["organisation", "incident_id"]])
    return pd.Series(own.isin(a) | own.isin(b), index=incidents.index, name="probable_duplicate")


def duplicate_summary(pairs: pd.DataFrame) -> pd.DataFrame:
    """Count pairs and the records in them, for each two organisations and precision."""
    keys = ["organisation_a", "organisation_b", "precision"]
    return (
        pairs.groupby(keys, sort=True)
        .agg(
            pairs=("days_apart", "size"), records_a=("incident_id_a", "nunique"), records_b=("incident_id_b", "nunique")
        )
        .reset_index()
    )


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often the same victim or place recurs in a window.

    Attributes
    ----------
    by
        ``victim`` or ``place``.
    period
        The window.
    incidents, identified
        Incidents in the window, and those whose victim or place is known.
    distinct, repeated
        Distinct victims or places, and those with two incidents or more.
    repeat_incidents
        Incidents of the repeated ones.
    share, low, high
        Share of the identified incidents that are theirs, with its Wilson interval; None where nothing is identified.
    note
        Why there is none; empty otherwise.
    """

    by: Literal["victim", "place"]
    period: Period
    incidents: int
    identified: int
    distinct: int
    repeated: int
    repeat_incidents: int
    share: float | None
    low: float | None
    high: float | None
    note: str = ""


def repeats(incidents: pd.DataFrame, period: Period, *, by: Literal["victim", "place"]) -> Repeats:
    """Count repeat victims (hashed references) or places (points to the metre) in a window.

    Parameters
    ----------
    incidents
        month, and victim_hash, or easting_m, northing_m (metres), and where known online and place: incidents online or
        without a point have no place. Placeholder locations must be left out beforehand.
    period
        The window.
    by
        What is repeated.
    """
    inside = incidents[incidents["month"].between(period.first_month, period.last_month)]
    wanted = ["victim_hash"] if by == "victim" else ["easting_m", "northing_m"]
    if not set(wanted) <= set(inside.columns):
        return Repeats(by, period, len(inside), 0, 0, 0, 0, None, None, None, f"The extract identifies no {by}.")
    known = inside[wanted].notna().all(axis=1)
    if by == "place":
        known &= ~inside["online"].fillna(value=False).astype(bool) if "online" in inside.columns else True
        known &= (inside["place"] == Place.POINT) if "place" in inside.columns else True
    chosen = inside.loc[known, wanted]
    if by == "place":
        east, north = chosen.to_numpy(dtype=np.float64).round().astype(np.int64).T
        sizes = np.unique((east << 32) + north, return_counts=True)[1]  # metres: one number for both
    else:
        sizes = chosen.groupby(wanted, sort=False).size().to_numpy(np.int64)
    again, identified = int(sizes[sizes > 1].sum()), int(known.sum())
    if not identified:
        return Repeats(by, period, len(inside), 0, 0, 0, 0, None, None, None, f"The extract identifies no {by}.")
    low, high = wilson(again, identified)
    share = again / identified
    return Repeats(
        by, period, len(inside), identified, len(sizes), int((sizes > 1).sum()), again, share, float(low), float(high)
    )


# Both, counted for quality.json.

MOST_ROWS = 2_000_000
"""Records compared at most: beyond, the pairs would take the memory of the whole run."""
MONTHS = 12
_COMPARED = ("incident_id", "organisation", "occurred_on", "date_precision", "categories", "easting_m", "northing_m",
             "ward_code", "borough_code", "place", "place_precision")  # fmt: skip
_COUNTED = ("month", "victim_hash", "easting_m", "northing_m", "online", "place", "place_precision")


class ReadColumns(Protocol):
    """Reads columns of all incidents, of some months where these are given: only what is asked for is in memory."""

    def __call__(self, columns: Sequence[str], *, months: tuple[int, int] | None = None) -> pd.DataFrame:
        """Return the columns; `months` are the first and the last (yyyymm)."""


def repeats_report(
    read: ReadColumns,
    *,
    organisations: Sequence[str],
    rows: int,
    last_month: int,
    placeholders: Sequence[tuple[float, float, float]],
) -> dict[str, Any]:
    """Count probable duplicates and repeats; nothing is merged, and no identifier is returned.

    Parameters
    ----------
    read
        Reads columns of INCIDENTS, settled.
    organisations
        Who recorded them; with one alone there is nothing to compare, and nothing is read for it.
    rows
        Incidents in all.
    last_month
        Last complete month (yyyymm): repeats are counted over the twelve months to it.
    placeholders
        Eastings, northings and radii (metres) of what stands for no place: they are no repeated places.

    Returns
    -------
    found
        probable_duplicates (pairs by organisations and precision, and how many incidents are flagged) and repeats
        (by victim and by place); each with a note where there is nothing.
    """
    window = Period(add_months(last_month, 1 - MONTHS), last_month)
    if rows > MOST_ROWS:
        note = f"not looked for: more than {MOST_ROWS:,} incidents"
        return {"probable_duplicates": {"note": note}, "repeats": {"note": note}}
    counted = read(_COUNTED, months=(window.first_month, window.last_month))
    counted = _exact_points(counted[counted["place"] != Place.NOT_COVERED].copy())
    for easting_m, northing_m, radius_m in placeholders:
        near = (counted["easting_m"] - easting_m) ** 2 + (counted["northing_m"] - northing_m) ** 2 <= radius_m**2
        counted.loc[near, ["easting_m", "northing_m"]] = np.nan
    by: tuple[Literal["victim", "place"], ...] = ("victim", "place")
    again = {b: {k: v for k, v in asdict(repeats(counted, window, by=b)).items() if k != "period"} for b in by}
    return {
        "probable_duplicates": _compared(read, organisations),
        "repeats": {"period": window.id, **again},
    }


def _exact_points(incidents: pd.DataFrame) -> pd.DataFrame:
    """Blank the coordinates that are the middle of a postcode or square: what shares them is not at one place."""
    incidents.loc[incidents["place_precision"] != Precision.POINT, ["easting_m", "northing_m"]] = np.nan
    return incidents


def _compared(read: ReadColumns, organisations: Sequence[str]) -> dict[str, Any]:
    """Compare the records of different organisations that have a day."""
    if len(organisations) < 2:
        return {"note": "one organisation recorded everything"}
    records = read(_COMPARED)
    records = records[(records["date_precision"] == "day") & (records["place"] != Place.NOT_COVERED)]
    records = _exact_points(records.copy())
    pairs = probable_duplicates(records)
    return {
        "rule": "two organisations, a common category, within 7 days, the same place; flagged, never merged",
        "incidents_flagged": int(flagged(records, pairs).sum()),
        "pairs": duplicate_summary(pairs).to_dict("records"),
    }
