"""What partnerships ask first: when, where, what, how reported and what came of it, as whole numbers that add up.

Organisations are separate measures: their figures are never one total, and neither are those of categories.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.domain.categories import ROOT
from pipeline.domain.outcome_kinds import OutcomeKind
from pipeline.domain.periods import Period
from pipeline.statistics.intervals import wilson

__all__ = [
    "DELAYS",
    "DIMENSIONS",
    "HOUR_BANDS",
    "KEYS",
    "NOT_STATED",
    "OTHER",
    "TOO_RECENT",
    "TOTAL",
    "WEEKDAYS",
    "WHOLE",
    "Dimension",
    "add_shares",
    "median_answer",
    "window_counts",
]

NOT_STATED = "not stated"
TOO_RECENT = "too recent to say"
OTHER = "other kinds"
TOTAL = "organisation"
"""The question whose one answer is the organisation itself: how many incidents it recorded."""
WHOLE = "*"
"""Area code in facets of what is counted for the whole region only."""

KEYS = ("area_code", "category", "organisation", "question", "answer")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOUR_BANDS = tuple(f"{h:02d}:00 to {h + 2:02d}:59" for h in range(0, 24, 3))
DELAYS = (
    ("same day", 0),
    ("next day", 1),
    ("2 to 7 days", 7),
    ("8 to 30 days", 30),
    ("31 to 90 days", 90),
    ("91 to 365 days", 365),
    ("over a year", None),
)
"""Bands of days from occurrence to recording, with the last day of each. Records dated backwards state none."""


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
    Dimension("outcome", "Outcome so far", tuple(k.label for k in OutcomeKind if k != OutcomeKind.NOT_STATED)),
    Dimension("weekday_hour", "Day and time", tuple(f"{day}, {hours}" for day in WEEKDAYS for hours in HOUR_BANDS)),
)
_LABELS = {kind.value: kind.label for kind in OutcomeKind}


def _worded(question: str, value: str) -> str:
    """Put a facet's value into words."""
    if question == "hour_band":
        return HOUR_BANDS[int(value) // 3]
    if question == "weekday":
        return WEEKDAYS[int(value) - 1]
    if question == "weekday_hour":
        day, hour = value.split(" ")
        return f"{WEEKDAYS[int(day) - 1]}, {HOUR_BANDS[int(hour) // 3]}"
    return _LABELS.get(value, value) if question == "outcome" else value


def window_counts(facets: pd.DataFrame, period: Period, *, region_code: str, mature_until: int = 0) -> pd.DataFrame:
    """Sum facets over a window, for every borough and the region, with what is not stated beside the answers.

    Parameters
    ----------
    facets
        organisation, area_code (borough; "" where unknown, `WHOLE` for what is counted for the region alone), month
        (yyyymm), category, facet, value, incidents. Rows without a value are in no facet but `TOTAL`.
    period
        The window.
    region_code
        Code the region's rows get.
    mature_until
        Last month (yyyymm) whose outcomes had time to come: later incidents are `TOO_RECENT`. 0: no outcomes at all.

    Returns
    -------
    counts
        `KEYS` and incidents. Answers are dense: those known beforehand in their order, others the most frequent of the
        organisation's first, then what is not stated. Questions that no incident of an organisation answers are left
        out. The answers of a question add up to its organisation's `TOTAL`.
    """
    inside = facets[facets["month"].between(period.first_month, period.last_month)]
    late = inside["month"] > mature_until
    fresh = inside[late & (inside["facet"] == TOTAL)].assign(facet="outcome", value=TOO_RECENT)
    kept = inside[~((inside["facet"] == "outcome") & (late | (mature_until == 0)))]
    if mature_until and (inside["facet"] == "outcome").any():
        kept = pd.concat([kept, fresh], ignore_index=True)
    pairs = kept[["facet", "value"]].drop_duplicates()
    words = {pair: _worded(*pair) for pair in pairs.itertuples(index=False, name=None)}
    said = kept.assign(answer=[words[p] for p in zip(kept["facet"], kept["value"], strict=True)])
    said = said.rename(columns={"facet": "question"})
    whole = said[said["question"] != "weekday_hour"].assign(area_code=region_code)
    said["area_code"] = said["area_code"].replace(WHOLE, region_code)
    sums = pd.concat([said, whole]).groupby(list(KEYS), sort=True)["incidents"].sum().astype("int64")
    totals = sums.xs(TOTAL, level="question").droplevel("answer")
    blocks = []
    for (organisation, question), rows in sums.groupby(level=["organisation", "question"], sort=True):
        if question == TOTAL:
            blocks.append(rows.reset_index())
            continue
        wide = rows.reset_index().pivot_table(
            index=["area_code", "category"], columns="answer", values="incidents", aggfunc="sum", fill_value=0
        )
        mine = totals.xs(organisation, level="organisation")
        if question == "weekday_hour":
            mine = mine[mine.index.get_level_values("area_code") == region_code]
        wide = wide.reindex(mine.index, fill_value=0)
        order = _order(question, wide.xs(region_code, level="area_code"))
        if not wide.drop(columns=TOO_RECENT, errors="ignore").to_numpy().any():
            continue
        wide = wide.reindex(columns=order, fill_value=0)
        wide[NOT_STATED] = mine - wide.sum(axis=1)
        wide.columns.name = "answer"
        long = wide.melt(ignore_index=False, value_name="incidents").reset_index()
        blocks.append(long.assign(organisation=organisation, question=question))
    if not blocks:
        return sums.reset_index()
    return pd.concat(blocks, ignore_index=True)[[*KEYS, "incidents"]].astype({"incidents": "int64"})


def _order(question: str, of_region: pd.DataFrame) -> list[str]:
    """Return the answers of a question: those known beforehand, then the others by how often the region has them."""
    known = next((d.answers for d in DIMENSIONS if d.id == question), ())
    often = of_region.loc[[ROOT]].sum() if ROOT in of_region.index else of_region.sum()
    others = [a for a in often.index if a not in known and a != TOO_RECENT]
    return [*known, *sorted(others, key=lambda a: (-int(often[a]), a)), *[TOO_RECENT] * (TOO_RECENT in often.index)]


def add_shares(counts: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Add the share of each answer among the incidents that state one, from the numbers that are shown.

    Parameters
    ----------
    counts
        `KEYS` and incidents (null where withheld), with the rows of `TOTAL`.
    confidence
        Coverage of the intervals.

    Returns
    -------
    shares
        The rows given, with stated (incidents that state an answer: the organisation's total without what is not
        stated and what is too recent), share, share_low and share_high (Wilson); null where a number they rest on is
        withheld, and for answers that are none. Rounded counts may exceed their total: such a share is 1.
    """
    out = counts.copy()
    out["incidents"] = out["incidents"].astype("Int64")
    place = ["area_code", "category", "organisation"]
    totals = out[out["question"] == TOTAL].set_index(place)["incidents"]
    none = out[out["answer"].isin([NOT_STATED, TOO_RECENT])]
    silent = none.groupby([*place, "question"], sort=True)["incidents"].apply(lambda s: s.sum(skipna=False))
    stated = totals.reindex(pd.MultiIndex.from_frame(out[place])).reset_index(drop=True).set_axis(out.index)
    stated = stated - silent.reindex(pd.MultiIndex.from_frame(out[[*place, "question"]])).set_axis(out.index)
    stated = stated.clip(lower=0)
    shown = out["incidents"].notna() & stated.notna() & (stated > 0) & (out["question"] != TOTAL)
    shown &= ~out["answer"].isin([NOT_STATED, TOO_RECENT])
    out["stated"] = stated.mask(out["question"] == TOTAL).astype("Int64")
    n = stated.where(shown, 1).to_numpy(dtype=np.float64)
    k = np.minimum(out["incidents"].where(shown, 0).to_numpy(dtype=np.float64), n)
    low, high = wilson(k, n, confidence=confidence)
    for name, values in (("share", k / n), ("share_low", low), ("share_high", high)):
        out[name] = pd.Series(values, index=out.index, dtype="Float64").mask(~shown)
    return out


def median_answer(answers: Sequence[str], incidents: Sequence[int]) -> str:
    """Name the answer in which the middle incident falls, of answers in their order; empty if there is none.

    >>> median_answer(["same day", "next day", "2 to 7 days"], [4, 3, 3])
    'next day'
    """
    reached = np.cumsum(incidents)
    return answers[int(np.searchsorted(reached, reached[-1] / 2))] if len(reached) and reached[-1] else ""
