"""What was done about it: shares of a cohort, outcomes recorded per 100 offences recorded, and the reasons given.

A *cohort* links each outcome to its offence, so a share and its interval make sense once outcomes have had time to
come. A *flow* sets the outcomes recorded in a period against the offences recorded in it, as police dashboards do:
the two are of different offences, so there is no share, no interval, and nothing for small areas or short periods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from pipeline.categories import by_category
from pipeline.errors import InputError
from pipeline.intervals import wilson
from pipeline.periods import Period, add_months, month_range

__all__ = [
    "REASONS",
    "OutcomeBasis",
    "Reason",
    "add_outcomes",
    "leave_out_immature",
    "outcome_reasons",
    "reason_counts",
]

OutcomeBasis = Literal["cohort", "flow", "none"]
FLOW_LEVELS = ("borough", "region")
FLOW_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Reason:
    """A kind of outcome: id, words for readers, and lower-case texts one of which tells it."""

    id: str
    label: str
    texts: tuple[str, ...] = ()


REASONS = (
    Reason(
        "positive",
        "Positive outcome",
        ("charge", "summons", "caution", "resolution", "penalty notice", "taken into consideration", "offender ",
         "diversionary"),
    ),
    Reason(
        "victim_does_not_support",
        "Victim does not support action",
        ("victim does not support", "victim declines", "evidential difficulties (victim"),
    ),
    Reason("no_suspect", "No suspect identified", ("no suspect", "suspect not identified", "unidentified")),
    Reason("evidential_difficulties", "Evidential difficulties", ("evidential difficulties", "unable to prosecute")),
    Reason("not_in_public_interest", "Not in the public interest", ("public interest",)),
    Reason(
        "pending",
        "Under investigation or awaiting a decision",
        ("under investigation", "awaiting", "pending", "court result unavailable"),
    ),
    Reason("other", "Other outcome"),
    Reason("not_stated", "No outcome stated"),
)  # fmt: skip
"""Kinds of outcome in the order they are shown. The order in which texts are tried is that of `_TRIED`."""

# "Evidential difficulties: victim does not support" is about the victim, and "prosecution of the offender is not in the
# public interest" is no positive outcome: the telling words are tried before the general ones.
_TRIED = (
    "pending",
    "victim_does_not_support",
    "no_suspect",
    "not_in_public_interest",
    "evidential_difficulties",
    "positive",
)
_NO_ACTION = ("not charged", "no charge", "offender died", "offender has died", "too ill")
_CLASSES = {"positive": "positive", "pending": "pending"}


def leave_out_immature(
    area_months: pd.DataFrame, *, last_month: int, maturity_months: int
) -> tuple[pd.DataFrame, tuple[int, ...]]:
    """Take the latest months out of a cohort's outcomes: most of theirs are still to come.

    Parameters
    ----------
    area_months
        Columns month, incidents, positive_outcomes and, where known, known_outcomes (taken as all incidents if not).
    last_month
        Last month that the data cover, as yyyymm.
    maturity_months
        How many months, counted back from it, are left out.

    Returns
    -------
    mature, left_out
        A copy in which neither outcomes nor the incidents they are a share of (known_outcomes) count in those months,
        and the months, which the text must state.
    """
    mature = area_months.copy()
    if "known_outcomes" not in mature.columns:
        mature["known_outcomes"] = mature["incidents"].astype("Int64").mask(mature["positive_outcomes"].isna())
    if maturity_months == 0:
        return mature, ()
    left_out = month_range(add_months(last_month, 1 - maturity_months), last_month)
    immature = mature["month"].isin(left_out)
    for column in ("positive_outcomes", "known_outcomes"):
        mature[column] = mature[column].astype("Int64").mask(immature, 0)
    return mature, left_out


def add_outcomes(counts: pd.DataFrame, *, basis: OutcomeBasis, confidence: float = 0.95) -> pd.DataFrame:
    """Add shares or ratios of outcomes to counts.

    Parameters
    ----------
    counts
        level, period, category, incidents, positive_outcomes (nullable) and, for a cohort with months left out,
        known_outcomes.
    basis
        How outcomes and offences belong together; `none` gives nulls.
    confidence
        Coverage of a cohort's intervals.

    Returns
    -------
    counted
        A copy of `counts` with outcome_share (cohort: share of the offences, 0 to 1; flow: outcomes recorded per 100
        offences recorded), outcome_low and outcome_high (cohort only), and outcome_note, which says why there is none:
        "", "no outcomes", "no offences", "not for small areas", "not for under a year".

    Raises
    ------
    InputError
        If a cohort holds more outcomes than offences: these are not outcomes *of* the offences.
    """
    if basis not in ("cohort", "flow", "none"):
        raise InputError(f"unknown basis of outcomes {basis!r}: choose cohort, flow or none")
    size = len(counts)
    nothing = pd.Series(pd.NA, index=counts.index, dtype="Int64")
    positive = counts["positive_outcomes"].astype("Int64") if "positive_outcomes" in counts.columns else nothing
    incidents = counts["incidents"].astype("Int64")
    of = (
        counts["known_outcomes"].astype("Int64")
        if basis == "cohort" and "known_outcomes" in counts.columns
        else incidents
    )
    known = (positive.notna() & of.notna()).to_numpy() & (basis != "none")
    k, n = positive.fillna(0).to_numpy(np.float64), of.fillna(0).to_numpy(np.float64)
    small, short = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    if basis == "flow":
        small = ~counts["level"].isin(FLOW_LEVELS).to_numpy()
        lengths = {p: Period.parse(p).months for p in counts["period"].unique()}
        short = (counts["period"].map(lengths) < FLOW_MONTHS).to_numpy(dtype=bool)
    elif basis == "cohort" and (over := known & (k > n)).any():
        first = counts[over].iloc[0]
        raise InputError(
            f"{int(over.sum())} rows hold more outcomes than offences, the first in {first['area_code']}, "
            f"{first['period']}, {first['category']}: a cohort cannot. If outcomes are counted when they are recorded, "
            "set outcomes.basis to flow"
        )
    note = np.select(
        [small, short, ~known, n == 0],
        ["not for small areas", "not for under a year", "no outcomes", "no offences"],
        default="",
    )
    given = note == ""
    share = np.divide(k, n, out=np.zeros(size), where=n > 0) * (100 if basis == "flow" else 1)
    low, high = (
        wilson(np.where(given, k, 0), np.where(given, n, 0), confidence=confidence)
        if basis == "cohort"
        else (share, share)
    )
    counted = counts.copy()
    for name, values, shown in (
        ("outcome_share", share, given),
        ("outcome_low", low, given & (basis == "cohort")),
        ("outcome_high", high, given & (basis == "cohort")),
    ):
        counted[name] = pd.Series(np.where(shown, values, 0.0), index=counts.index, dtype="Float64").mask(~shown)
    counted["outcome_note"] = pd.Series(note, index=counts.index, dtype="str")
    return counted


def _reason(text: str) -> str:
    words = " ".join(text.casefold().replace(":", " ").replace("-", " ").split())
    if not words:
        return "not_stated"
    if any(part in words for part in _NO_ACTION):
        return "other"
    texts = {r.id: r.texts for r in REASONS}
    return next((r for r in _TRIED if any(part in f"{words} " for part in texts[r])), "other")


def reason_counts(incidents: pd.DataFrame) -> pd.DataFrame:
    """Count incidents by borough, month, category and kind of outcome: integers, to be summed over partitions.

    Parameters
    ----------
    incidents
        organisation, borough_code, month, categories, outcome and optionally outcome_class, which overrules the text
        where it says ``positive`` or ``pending``.

    Returns
    -------
    counts
        organisation, borough_code ("" where no borough is known), month, category, reason, incidents.
    """
    texts = incidents["outcome"].fillna("").astype("str")
    reason = texts.map({t: _reason(t) for t in texts.unique()})
    if "outcome_class" in incidents.columns:
        stated = incidents["outcome_class"].map(_CLASSES)
        reason = stated.where(stated.notna(), reason)
    keys = ["organisation", "borough_code", "month", "category", "reason"]
    rows = by_category(
        incidents[["organisation", "month", "categories"]].assign(
            borough_code=incidents["borough_code"].fillna(""), reason=reason
        )
    )
    return rows.groupby(keys, sort=True).size().rename("incidents").astype("int64").reset_index()


def outcome_reasons(
    counts: pd.DataFrame,
    period: Period,
    *,
    last_month: int,
    maturity_months: int,
    boroughs: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Give the share of each kind of outcome among the offences of a period that have had time for one.

    Parameters
    ----------
    counts
        As `reason_counts` gives them; parts of several partitions may be stacked.
    period
        Months when the offences were recorded.
    last_month, maturity_months
        As for `leave_out_immature`.
    boroughs
        Boroughs to take together; all, and rows without one, if not given.
    confidence
        Coverage of the intervals.

    Returns
    -------
    shares
        One row for each organisation, category and reason, reasons in the order of `REASONS`: incidents, offences (of
        the category in all), share, share_low, share_high. Organisations are never added up. Empty if all months of
        the period are left out.
    """
    mature_until = add_months(last_month, -maturity_months)
    chosen = counts[(counts["month"] >= period.first_month) & (counts["month"] <= min(period.last_month, mature_until))]
    if boroughs is not None:
        chosen = chosen[chosen["borough_code"].isin(list(boroughs))]
    sums = chosen.groupby(["organisation", "category", "reason"], sort=True)["incidents"].sum()
    pairs = sums.index.droplevel("reason").unique()
    every = [(*pair, reason) for pair in pairs for reason in (r.id for r in REASONS)]
    index = pd.MultiIndex.from_tuples(every, names=sums.index.names) if every else sums.index
    long = sums.reindex(index, fill_value=0).astype("int64").reset_index()
    long["offences"] = long.groupby(["organisation", "category"])["incidents"].transform("sum")
    low, high = wilson(long["incidents"], long["offences"], confidence=confidence)
    return long.assign(share=long["incidents"] / long["offences"], share_low=low, share_high=high)
