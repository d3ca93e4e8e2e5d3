"""Outcomes: shares of a cohort, or outcomes recorded per 100 offences recorded.

A *cohort* links each outcome to its offence, so a share and its interval are meaningful once outcomes are no longer
pending. A *flow* compares the outcomes recorded in a period with the offences recorded in it, as police dashboards do.
These refer to different offences, so there is no share and no interval, and no ratio for small areas or short periods.
"""

from enum import StrEnum
from typing import Literal

import numpy as np
import pandas as pd

from pipeline.domain.periods import Period, add_months, month_range
from pipeline.errors import InputError
from pipeline.statistics.intervals import wilson
from pipeline.statistics.ranges import Ranges
from pipeline.tables import Level, nullable

__all__ = [
    "OutcomeBasis",
    "OutcomeNote",
    "add_outcomes",
    "leave_out_immature",
]

OutcomeBasis = Literal["cohort", "flow", "none"]
# Outcomes of a flow belong to offences of earlier periods. In small areas and short periods the two have so little to
# do with each other that ratios over 100 are common; a year of a borough evens most of it out.
FLOW_LEVELS = (Level.BOROUGH, Level.REGION)
FLOW_MONTHS = 12


class OutcomeNote(StrEnum):
    """Why there is no share or ratio of outcomes; empty if there is one."""

    NONE = ""
    NO_OUTCOMES = "no outcomes"
    NO_OFFENCES = "no offences"
    SMALL_AREA = "not for small areas"
    SHORT_PERIOD = "not for under a year"
    TOO_FEW = "too few to say"


def leave_out_immature(
    area_months: pd.DataFrame, *, last_month: int, maturity_months: int
) -> tuple[pd.DataFrame, tuple[int, ...]]:
    """Remove the latest months from a cohort's outcomes, most of which are still pending.

    Parameters
    ----------
    area_months
        Columns month, incidents, positive_outcomes and, where known, known_outcomes (taken as all incidents if not).
    last_month
        Last month that the data cover, as yyyymm.
    maturity_months
        Number of months, counted back from it, that are left out.

    Returns
    -------
    mature, left_out
        A copy in which neither outcomes nor the incidents they are a share of (known_outcomes) count in those months,
        and the months, which the text must state.

    Examples
    --------
    >>> months = pd.DataFrame({"month": [202505, 202506, 202507], "incidents": [50, 60, 70],
    ...                        "positive_outcomes": [5, 3, 0]})
    >>> mature, left_out = leave_out_immature(months, last_month=202507, maturity_months=2)
    >>> left_out, mature["positive_outcomes"].tolist(), mature["known_outcomes"].tolist()
    ((202506, 202507), [5, 0, 0], [50, 0, 0])
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
        known_outcomes; of each, optionally the range that it lies in (see `Ranges`).
    basis
        How outcomes relate to offences; `none` gives nulls.
    confidence
        Coverage of a cohort's intervals.

    Returns
    -------
    counted
        A copy of `counts` with outcome_share (cohort: share of the offences, 0 to 1; flow: outcomes recorded per 100
        offences recorded), outcome_low and outcome_high (cohort only), and outcome_note, which says why there is none:
        "", "no outcomes", "no offences", "not for small areas", "not for under a year", "too few to say" (a count in
        its first step). The interval of ranges contains those of every pair of counts inside them.

    Raises
    ------
    InputError
        If a cohort holds more outcomes than offences: these are not outcomes *of* the offences.

    Examples
    --------
    >>> counts = pd.DataFrame({"level": ["borough", "ward"], "period": "2024-01..2024-12", "category": "all",
    ...                        "incidents": [148, 20], "positive_outcomes": [15, 0]})
    >>> shares = add_outcomes(counts, basis="cohort")
    >>> shares[["outcome_share", "outcome_low", "outcome_high"]].round(4).to_numpy().tolist()
    [[0.1014, 0.0624, 0.1605], [0.0, 0.0, 0.1611]]
    >>> add_outcomes(counts, basis="flow")[["outcome_share", "outcome_note"]].to_numpy().tolist()
    [[10.135135135135135, ''], [<NA>, 'not for small areas']]
    """
    if basis not in ("cohort", "flow", "none"):
        raise InputError(f"unknown basis of outcomes {basis!r}: choose cohort, flow or none")
    size = len(counts)
    whole = "known_outcomes" if basis == "cohort" and "known_outcomes" in counts.columns else "incidents"
    nothing = np.full(size, np.nan)
    positive = (
        Ranges.of(counts, "positive_outcomes") if "positive_outcomes" in counts.columns else Ranges(*[nothing] * 2)
    )
    of = Ranges.of(counts, whole)

    # Where there is none, and why. A cohort divides by offences whose outcome is known, a flow by all of the period.
    known = positive.known & of.known & (basis != "none")
    small, short = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    if basis == "flow":
        small = ~counts["level"].isin(FLOW_LEVELS).to_numpy()
        lengths = {p: Period.parse(p).months for p in counts["period"].unique()}
        short = (counts["period"].map(lengths) < FLOW_MONTHS).to_numpy(dtype=bool)
    elif basis == "cohort" and (over := known & (positive.lower > of.upper)).any():
        first = counts[over].iloc[0]
        raise InputError(
            f"{int(over.sum())} rows have more outcomes than offences, the first in {first['area_code']}, "
            f"{first['period']}, {first['category']}: a cohort cannot. If outcomes are counted when they are recorded, "
            "set outcomes.basis to flow"
        )
    few = positive.first_step | of.first_step
    note = np.select(
        [small, short, ~known, of.upper == 0, few],
        [
            OutcomeNote.SMALL_AREA,
            OutcomeNote.SHORT_PERIOD,
            OutcomeNote.NO_OUTCOMES,
            OutcomeNote.NO_OFFENCES,
            OutcomeNote.TOO_FEW,
        ],
        default=OutcomeNote.NONE,
    )
    given = note == OutcomeNote.NONE

    # Only a cohort has an interval: the outcomes of a flow do not belong to the offences that they are divided by. The
    # share of two ranges is smallest with the fewest outcomes and the most offences, and never more than 1.
    k, n = np.where(given, positive.value, 0.0), np.where(given, of.value, 1.0)
    share = k / n * 100 if basis == "flow" else np.minimum(k / n, 1.0)
    low, high = share, share
    if basis == "cohort":
        k1, k2 = np.where(given, positive.lower, 0.0), np.where(given, positive.upper, 0.0)
        n1, n2 = np.where(given, of.lower, 1.0), np.where(given, of.upper, 1.0)
        low, _ = wilson(np.minimum(k1, n2), n2, confidence=confidence)
        _, high = wilson(np.minimum(k2, n1), n1, confidence=confidence)
    counted = counts.copy()
    for name, values, shown in (
        ("outcome_share", share, given),
        ("outcome_low", low, given & (basis == "cohort")),
        ("outcome_high", high, given & (basis == "cohort")),
    ):
        counted[name] = nullable(values, given=shown)
    counted["outcome_note"] = pd.Series(note, index=counts.index, dtype="str")
    return counted
