"""What partnerships ask first: when, where, what and how reported, from incident records, as integers that add up.

Organisations are separate measures: their figures are never one total, and neither are those of categories.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.categories import by_category
from pipeline.errors import InputError
from pipeline.intervals import wilson
from pipeline.periods import Period

__all__ = ["DIMENSIONS", "NOT_STATED", "Dimension", "circumstance_counts", "circumstance_table"]

NOT_STATED = "not stated"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOUR_BANDS = tuple(f"{h:02d}:00 to {h + 2:02d}:59" for h in range(0, 24, 3))
DELAYS = (
    ("recorded before it happened", -1),  # a fault of the record, shown rather than hidden
    ("same day", 0),
    ("next day", 1),
    ("2 to 7 days", 7),
    ("8 to 30 days", 30),
    ("31 to 90 days", 90),
    ("91 to 365 days", 365),
    ("over a year", None),
)
"""Bands of days from occurrence to recording, with the last day of each."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One question: id, words for readers, and the order of its answers (none: by how often they occur)."""

    id: str
    label: str
    answers: tuple[str, ...] = ()


DIMENSIONS = (
    Dimension("hour_band", "Time of day", HOUR_BANDS),
    Dimension("weekday", "Day of the week", WEEKDAYS),
    Dimension("place_type", "Kind of place"),
    Dimension("online", "Online", ("yes", "no")),
    Dimension("kind", "Offence or non-crime incident", ("offence", "incident")),
    Dimension("offence_group", "Offence group"),
    Dimension("aggravated", "Aggravated offence", ("yes", "no")),
    Dimension("flag_status", "Flag", ("confirmed", "presumed")),
    Dimension("reporting_route", "How it was reported"),
    Dimension("delay", "From occurrence to recording", tuple(name for name, _ in DELAYS)),
)


def _answers(incidents: pd.DataFrame, dimension: str) -> "pd.Series[str]":
    """Read one dimension of each incident, null where it is not stated or the extract has no such column."""
    needed = {"weekday": ["occurred_on"], "delay": ["occurred_on", "recorded_on"]}.get(dimension, [dimension])
    if not set(needed) <= set(incidents.columns):
        return pd.Series(None, index=incidents.index, dtype="str")
    column = incidents[needed[-1]]
    if dimension in ("weekday", "delay"):
        occurred = pd.to_datetime(incidents["occurred_on"])
        if "date_precision" in incidents.columns:
            occurred = occurred.where(incidents["date_precision"] == "day")  # a month has no weekday and no delay
        if dimension == "weekday":
            return occurred.dt.day_of_week.map(dict(enumerate(WEEKDAYS)))
        days = (pd.to_datetime(incidents["recorded_on"]) - occurred).dt.days
        limits = [limit for _, limit in DELAYS if limit is not None]
        band = np.searchsorted(limits, days.fillna(0).to_numpy())
        return pd.Series([DELAYS[i][0] for i in band], index=incidents.index, dtype="str").where(days.notna())
    if dimension == "hour_band":
        hours = column.astype("Float64")
        if ((hours < 0) | (hours > 23)).any():
            raise InputError("hour_band holds hours outside 0 to 23")
        return (hours // 3).map(dict(enumerate(HOUR_BANDS)))
    if dimension in ("aggravated", "online"):
        return column.map({True: "yes", False: "no"})
    return column.astype("str").where(column.notna() & (column.astype("str").str.strip() != ""))


def circumstance_counts(incidents: pd.DataFrame) -> pd.DataFrame:
    """Count incidents by organisation, borough, month, category, dimension and answer.

    Parameters
    ----------
    incidents
        organisation, borough_code (nullable), month (yyyymm), categories, and of the optional columns those the extract
        has. hour_band is the hour, 0 to 23.

    Returns
    -------
    counts
        organisation, borough_code ("" where unknown), month, category, dimension, value, incidents (int64). Counts of
        several partitions may be stacked; `circumstance_table` adds them. What is not stated is counted as such.
    """
    keys = ["organisation", "borough_code", "month", "category", "dimension", "value"]
    base = incidents[["organisation", "month", "categories"]].assign(borough_code=incidents["borough_code"].fillna(""))
    parts = []
    for dimension in DIMENSIONS:
        answers = _answers(incidents, dimension.id).astype("object").fillna(NOT_STATED)
        rows = by_category(base.assign(dimension=dimension.id, value=answers))
        parts.append(rows.groupby(keys, sort=True).size().rename("incidents").astype("int64").reset_index())
    return pd.concat(parts, ignore_index=True)


def circumstance_table(
    counts: pd.DataFrame,
    period: Period,
    *,
    boroughs: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Give the share of each answer among the incidents of a period that state one.

    Parameters
    ----------
    counts
        As `circumstance_counts` gives them, of one or several partitions.
    period
        The window.
    boroughs
        Boroughs to take together; all, and rows without one, if not given.
    confidence
        Coverage of the intervals.

    Returns
    -------
    shares
        organisation, category, dimension, value, incidents, stated (incidents that state an answer), not_stated, share,
        share_low, share_high. Dimensions in the order of `DIMENSIONS`, answers in their own order or the most frequent
        first; questions that no incident answers are left out. Where the answers are known beforehand, those that
        were not given are written as zero.
    """
    chosen = counts[counts["month"].between(period.first_month, period.last_month)]
    if boroughs is not None:
        chosen = chosen[chosen["borough_code"].isin(list(boroughs))]
    keys = ["organisation", "category", "dimension"]
    tables = {key: rows.groupby("value")["incidents"].sum() for key, rows in chosen.groupby(keys, sort=True)}
    rows = []
    for organisation, category in dict.fromkeys(key[:2] for key in tables):
        for dimension in DIMENSIONS:
            sums = tables.get((organisation, category, dimension.id))
            if sums is None:
                continue
            given = sums.drop(NOT_STATED, errors="ignore")
            others = (
                given[~given.index.isin(dimension.answers)].sort_index().sort_values(ascending=False, kind="stable")
            )
            stated, silent = int(given.sum()), int(sums.sum() - given.sum())
            answers = [*dimension.answers, *others.index] if stated else []
            rows += [
                (organisation, category, dimension.id, one, int(given.get(one, 0)), stated, silent) for one in answers
            ]
    columns = [*keys, "value", "incidents", "stated", "not_stated"]
    table = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[4:], "int64"))
    low, high = wilson(table["incidents"], table["stated"], confidence=confidence)
    return table.assign(share=table["incidents"] / table["stated"], share_low=low, share_high=high)
