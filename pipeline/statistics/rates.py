"""Rates per head: exact intervals, smoothing, the funnel around the region's rate, and unreliable rates.

Everything is computed from the given counts only. With released counts no figure reveals more than they do: a null
count gives null figures, and the dispersion, the smoothing and the region's rate are computed from the counts that are
not null.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from pipeline.domain.periods import Period, add_months, month_range, without_overlap
from pipeline.errors import InputError
from pipeline.statistics.uncertainty import FEWEST_AREAS, Dispersion, Ranges, dispersion, garwood, wilson
from pipeline.tables import RESIDENTS, Level, nullable

__all__ = [
    "WEAK",
    "FunnelClass",
    "OutcomeBasis",
    "OutcomeNote",
    "RateNote",
    "RateRules",
    "Reliability",
    "add_outcomes",
    "add_rates",
    "denominators",
    "dispersions",
    "empirical_bayes",
    "leave_out_immature",
    "local_empirical_bayes",
]

Floats = npt.NDArray[np.float64]
# Limits of the funnel: about two and three standard errors, as is usual in funnel plots of institutions (Spiegelhalter
# 2005, Statistics in Medicine 24, 1185-1202). By chance one ward in 20 lies beyond the inner and one in 500 beyond the
# outer limits.
OUTER = 0.998
INNER = 0.95


class Reliability(StrEnum):
    """Reliability of a rate, from its number of events alone."""

    SOUND = ""
    UNRELIABLE = "unreliable"
    TOO_FEW = "too few to say"


WEAK = frozenset({Reliability.UNRELIABLE, Reliability.TOO_FEW})


class RateNote(StrEnum):
    """Why there is no rate; empty if there is one."""

    NONE = ""
    NO_COUNT = "no count"
    INCOMPLETE = "incomplete period"
    NO_POPULATION = "no population"
    VISITORS = "visitors dominate"
    TOO_FEW = "too few to say"


class FunnelClass(StrEnum):
    """Position of a rate relative to the region's: beyond the outer or the inner limits of the funnel, or within."""

    LOW_998 = "low_998"
    LOW_95 = "low_95"
    WITHIN = "within"
    HIGH_95 = "high_95"
    HIGH_998 = "high_998"


@dataclass(frozen=True, slots=True)
class RateRules:
    """How rates are given, and when they are unreliable.

    Attributes
    ----------
    base
        Number of people that a rate refers to.
    confidence
        Coverage of the intervals.
    unreliable_under
        A rate from fewer events is called unreliable: its standard error is over 22 % of it. Statistics offices draw
        the line at 20 too.
    too_few_under
        A rate from 1 to `too_few_under` - 1 events is not given. A count of 0 is not unreliable: its rate is 0, with an
        upper limit.
    """

    base: int = 10_000
    confidence: float = 0.95
    unreliable_under: int = 20
    too_few_under: int = 10


def denominators(areas: pd.DataFrame, own: pd.DataFrame | None = None, *, measure: str = RESIDENTS) -> pd.DataFrame:
    """Read populations from the area table; the region's is the sum of its covered boroughs.

    Parameters
    ----------
    areas
        Columns area_code, level, parent_code (where `own` is given), population (people, nullable) and covered.
    own
        Denominators of one category only: area_code, category, population, measure. For larger areas without a row, it
        is the sum of their covered parts.
    measure
        Which people the area table counts.

    Returns
    -------
    population
        area_code, population (the region's is null where a covered borough's is), category (null: all others), measure.

    Examples
    --------
    The borough that is not covered has no population and is not part of the region's:

    >>> areas = pd.DataFrame({"area_code": ["R", "B1", "B2"], "level": ["region", "borough", "borough"],
    ...                       "population": [300, 200, 100], "covered": [True, True, False]})
    >>> denominators(areas)["population"].tolist()
    [200.0, 200.0, <NA>]
    """
    population = areas["population"].astype("Float64").mask(~areas["covered"].astype(bool))
    boroughs = population[(areas["level"] == Level.BOROUGH) & areas["covered"].astype(bool)]
    if len(boroughs):
        population = population.mask(areas["level"] == Level.REGION, boroughs.sum(skipna=False))
    frame = pd.DataFrame({"area_code": areas["area_code"], "population": population, "category": None})
    frames = [frame.assign(measure=measure).reset_index(drop=True)]
    if own is not None:
        frames += [_summed(areas, rows) for _, rows in own.groupby("category", sort=True)]
    return pd.concat([f.astype({"category": "str"}) for f in frames], ignore_index=True)


def _summed(areas: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Add up one category's denominators over larger areas that have none."""
    covered = areas[areas["covered"].astype(bool)]
    people = own.set_index("area_code")["population"].astype("Float64").reindex(covered["area_code"])
    for part, whole in ((Level.WARD, Level.BOROUGH), (Level.BOROUGH, Level.REGION)):
        parts = covered.loc[covered["level"] == part, ["area_code", "parent_code"]]
        sums = people.reindex(parts["area_code"]).groupby(parts["parent_code"].to_numpy()).sum(min_count=1)
        known = people.reindex(parts["area_code"]).notna().groupby(parts["parent_code"].to_numpy()).all()
        codes = covered.loc[covered["level"] == whole, "area_code"]
        people = people.fillna(sums[known].reindex(codes).reindex(people.index))
    first = own.iloc[0]
    return people.rename("population").reset_index().assign(category=first["category"], measure=first["measure"])


def empirical_bayes(events: npt.ArrayLike, population: npt.ArrayLike) -> Floats:
    """Shrink each area's rate towards the overall mean, more strongly for smaller populations.

    Parameters
    ----------
    events, population
        Events and people (positive) of each area, shape (n,).

    Returns
    -------
    rates
        Events per person, shape (n,). If areas vary no more than by chance, all rates equal the overall rate.

    References
    ----------
    Marshall (1991), Applied Statistics 40, 283-294: the global estimator by the method of moments.

    Examples
    --------
    Two wards with 40 events per 1,000 people and a large one with 12, together 14.8: the smallest moves most.

    >>> rates = empirical_bayes([4, 40, 120], [100, 1_000, 10_000])
    >>> (rates * 1_000).round(1).tolist()
    [22.6, 35.4, 12.1]
    """
    e, b = np.asarray(events, dtype=np.float64), np.asarray(population, dtype=np.float64)
    if not ((b > 0).all() and (e >= 0).all()):
        raise InputError("smoothing needs people in every area and no negative counts: leave out the other areas")
    if not e.sum() > 0:
        return np.zeros(e.shape)
    # Variance between areas: the variance of the rates about their mean, less what chance alone adds to it (a Poisson
    # rate of `mean` in an area of average size). Each area keeps the share of its own rate that this variance has in
    # the variance of its rate; with few people, chance is most of it.
    mean = e.sum() / b.sum()
    rate = e / b
    between = max((b * (rate - mean) ** 2).sum() / b.sum() - mean / b.mean(), 0.0)
    weight = between / (between + mean / b)
    return np.asarray(weight * rate + (1 - weight) * mean, dtype=np.float64)


def local_empirical_bayes(events: npt.ArrayLike, population: npt.ArrayLike, neighbours: sparse.csr_array) -> Floats:
    """Shrink each area's rate towards the rate of its neighbourhood, more strongly for smaller populations.

    Parameters
    ----------
    events, population
        Events and people (positive) of each area, shape (n,).
    neighbours
        Binary neighbours without self, shape (n, n).

    Returns
    -------
    rates
        Events per person, shape (n,). An area without neighbours keeps its own rate.

    References
    ----------
    Marshall (1991), Applied Statistics 40, 283-294: the local estimator, with the area itself in its neighbourhood.

    Examples
    --------
    Two pairs of neighbours. In each the small ward has twice the rate of the large one (80 and 40 per 1,000; 24 and
    12), which chance explains: it moves to its neighbour, not to the mean of all.

    >>> pairs = sparse.csr_array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    >>> rates = local_empirical_bayes([4, 200, 12, 120], [50, 5_000, 500, 10_000], pairs)
    >>> (rates * 1_000).round(1).tolist()
    [40.4, 40.4, 14.2, 12.1]
    """
    e, b = np.asarray(events, dtype=np.float64), np.asarray(population, dtype=np.float64)
    if not ((b > 0).all() and (e >= 0).all()):
        raise InputError("smoothing needs people in every area and no negative counts: leave out the other areas")
    around = neighbours + sparse.eye_array(len(e), format="csr")
    people, members = around @ b, around @ np.ones(len(e))
    mean, rate = (around @ e) / people, e / b
    # As in the global estimator, over the area and its neighbours: the variance of the rates about their mean, less
    # what chance alone adds to it.
    between = np.maximum((around @ (e * rate) - mean * (around @ e)) / people - mean / (people / members), 0.0)
    spread = between + mean / b
    weight = np.divide(between, spread, out=np.zeros(len(e)), where=spread > 0)
    return np.asarray(weight * rate + (1 - weight) * mean, dtype=np.float64)


def dispersions(counts: pd.DataFrame) -> pd.DataFrame:
    """Estimate for each level, category and length of window how much more counts vary than chance alone.

    Parameters
    ----------
    counts
        area_code, level, period, category, incidents (nullable), optionally complete: partial windows are left out.

    Returns
    -------
    dispersions
        level, category, months, dispersion (at least 1), dispersion_df and dispersion_from: ``own`` (areas by windows
        that do not overlap), ``shorter windows`` of the same level, ``level borough`` and the like (where a level has
        under five areas), or ``not estimated`` (1 is then assumed, and the text must say so).

    Examples
    --------
    >>> quarters = {"2024-01..2024-03": [20, 40, 10, 30, 25], "2024-04..2024-06": [60, 40, 5, 28, 30]}
    >>> counts = pd.concat(
    ...     pd.DataFrame({"area_code": list("ABCDE"), "level": "ward", "period": period, "category": "all",
    ...                   "incidents": pd.array(values, dtype="Int64")})
    ...     for period, values in quarters.items()
    ... )
    >>> found = dispersions(counts).iloc[0]
    >>> round(float(found["dispersion"]), 2), int(found["dispersion_df"]), found["dispersion_from"]
    (4.37, 4, 'own')
    """
    whole = counts[counts["complete"].astype(bool)] if "complete" in counts.columns else counts
    lengths = {p: _length(Period.parse(p)) for p in counts["period"].unique()}
    found: dict[tuple[str, str, float], Dispersion] = {}
    keyed = whole.assign(months=whole["period"].map(lengths))
    # Windows of one length that share no month: overlapping ones would repeat the same events and seem to vary less.
    # Areas with a missing window drop out, as the expected counts need a full table.
    for (level, category, months), group in keyed.groupby(["level", "category", "months"], sort=True):
        if group["area_code"].nunique() < FEWEST_AREAS:
            continue
        apart = [p.id for p in without_overlap([Period.parse(p) for p in group["period"].unique()])]
        apart_rows = group[group["period"].isin(apart)]
        table = apart_rows.pivot(index="area_code", columns="period", values="incidents")  # noqa: PD010 - refuses twins
        table = table[table.notna().all(axis=1)]
        if len(table) >= FEWEST_AREAS and (estimate := dispersion(table.to_numpy(np.float64))).df:
            found[str(level), str(category), float(months)] = estimate
    rows = []
    every = counts.assign(months=counts["period"].map(lengths))[["level", "category", "months"]].drop_duplicates()
    for level, category, months in sorted(every.itertuples(index=False, name=None)):
        source, best = _borrowed(found, level=level, category=category, months=months)
        rows.append((level, category, months, best.value, best.df, source))
    return pd.DataFrame(
        rows, columns=["level", "category", "months", "dispersion", "dispersion_df", "dispersion_from"]
    ).astype({"dispersion": "float64"})


def _borrowed(
    found: dict[tuple[str, str, float], Dispersion], *, level: str, category: str, months: float
) -> tuple[str, Dispersion]:
    """Choose the estimate for one level, category and length: its own, or the nearest that there is."""
    # From the nearest to the most distant: shorter windows of the same areas (the longest of them), then another level,
    # for the same length of window if there is one. Among levels the largest estimate is taken: too wide an interval is
    # the safer error.
    if (level, category, months) in found:
        return "own", found[level, category, months]
    shorter = [key for key in found if key[:2] == (level, category) and key[2] < months]
    if shorter:
        return "shorter windows", found[max(shorter)]
    others = [key for key in found if key[1:] == (category, months)] or [k for k in found if k[1] == category]
    if others:
        nearest = max(others, key=lambda key: (found[key].value, key))
        return f"level {nearest[0]}", found[nearest]
    return "not estimated", Dispersion()


def add_rates(
    counts: pd.DataFrame,
    population: pd.DataFrame,
    *,
    visitor_areas: Collection[str] = (),
    rules: RateRules | None = None,
    spread: pd.DataFrame | None = None,
    smooth: bool = True,
    neighbours: Mapping[str, tuple[list[str], sparse.csr_array]] | None = None,
) -> pd.DataFrame:
    """Add rates to counts.

    Parameters
    ----------
    counts
        area_code, level ("region", "borough", ...), period, category, incidents (nullable), optionally the range that
        each lies in (incidents_lower, incidents_upper: see `Ranges`) and complete: a window that the data cover in part
        has no rate.
    population
        area_code and population (people; null or 0 where there are none). Optional columns: category (this row is the
        denominator of that category only) and measure (who is counted; `residents` where it is missing).
    visitor_areas
        Areas with far more visitors than residents: they have no rate per resident and take no part in the smoothing.
    rules
        How rates are stated and when they are weak.
    spread
        Table of `dispersions`; estimated from `counts` if not given.
    smooth
        Whether to give smoothed rates; null otherwise.
    neighbours
        Level to the codes of its areas and which of them are neighbours (ones, without self), for rates smoothed
        towards the neighbourhood.

    Returns
    -------
    rated
        A copy of `counts` with rate_per_10000 (events in the whole period per `base` people), rate_low, rate_high,
        rate_smoothed, rate_smoothed_local, funnel_class, reliability ("", "unreliable", "too few to say") and
        rate_note, which says why there is no rate ("", "no count", "incomplete period", "no population", "visitors
        dominate", "too few to say"). funnel_class says where the rate lies relative to the region's: low_998, low_95,
        within, high_95 or high_998.

    Raises
    ------
    InputError
        If an area has two denominators for one category, or a population is negative.

    Examples
    --------
    >>> counts = pd.DataFrame({"area_code": list("ABCD"), "level": "ward", "period": "2024-01..2024-12",
    ...                        "category": "all", "incidents": pd.array([100, 12, 3, None], dtype="Int64")})
    >>> people = pd.DataFrame({"area_code": list("ABCD"), "population": [10_000] * 4})
    >>> rated = add_rates(counts, people)
    >>> rated[["rate_per_10000", "rate_low", "rate_high"]].round(2).to_numpy().tolist()[:3]
    [[100.0, 81.36, 121.63], [12.0, 6.2, 20.96], [<NA>, <NA>, <NA>]]
    >>> rated["rate_note"].tolist(), rated["reliability"].tolist()
    (['', '', 'too few to say', 'no count'], ['', 'unreliable', 'too few to say', nan])
    """
    rules = rules or RateRules()
    ranges = Ranges.of(counts)
    events, known = ranges.value, ranges.known
    spread = dispersions(counts.assign(incidents=events)) if spread is None else spread
    people, residents = _people(counts, population)

    # Why a row has no rate; the first applicable reason is given. A range counts as too few if any of its values is too
    # few; an exact count of 0 has a rate.
    visited = residents & counts["area_code"].isin(list(visitor_areas)).to_numpy()
    few = (ranges.upper > 0) & (ranges.lower < rules.too_few_under) | ranges.first_step
    part = np.zeros(len(counts), dtype=bool)
    if "complete" in counts.columns:
        part = ~counts["complete"].to_numpy(dtype=bool)
    note = np.select(
        [np.isnan(events), part, np.isnan(people), visited, few],
        [RateNote.NO_COUNT, RateNote.INCOMPLETE, RateNote.NO_POPULATION, RateNote.VISITORS, RateNote.TOO_FEW],
        default=RateNote.NONE,
    )

    # Intervals, widened by the dispersion of counts of the same level, category and length of window. Rows without a
    # rate are computed with placeholders (0 events, 1 person) and blanked below. Rows with too few events keep their
    # count here: they take part in the smoothing, which is intended for them.
    counted = known & ~np.isnan(people) & ~visited & ~part
    keys = counts[["level", "category"]].assign(months=_months(counts["period"]))
    phi = keys.merge(spread, how="left", on=["level", "category", "months"])["dispersion"].fillna(1.0).to_numpy()
    x, n = np.where(counted, events, 0.0), np.where(counted, people, 1.0)
    # The interval of a range begins where that of its least count begins, and ends where that of its greatest ends.
    ends = Ranges(np.where(counted, ranges.lower, 0.0), np.where(counted, ranges.upper, 0.0))
    low, _ = garwood(ends.lower, confidence=rules.confidence, dispersion=phi)
    _, high = garwood(ends.upper, confidence=rules.confidence, dispersion=phi)
    given = note == RateNote.NONE
    smoothed, local = (
        np.where(ranges.first_step, np.nan, values)
        for values in _smoothed(counts, events=x, people=n, counted=counted & smooth, neighbours=neighbours or {})
    )
    rated = counts.copy()
    for name, value, shown in (
        ("rate_per_10000", x / n, given),
        ("rate_low", low / n, given),
        ("rate_high", high / n, given),
        ("rate_smoothed", smoothed, ~np.isnan(smoothed)),
        ("rate_smoothed_local", local, ~np.isnan(local)),
    ):
        rated[name] = nullable(value * rules.base, given=shown)
    rated["funnel_class"] = _funnel(counts, ends=ends, people=n, given=given, phi=phi)
    weak = np.select(
        [few | (ranges.lower < rules.too_few_under), ranges.lower < rules.unreliable_under],
        [Reliability.TOO_FEW, Reliability.UNRELIABLE],
        default=Reliability.SOUND,
    )
    rated["reliability"] = pd.Series(weak, index=counts.index, dtype="str").mask(~known)
    rated["rate_note"] = pd.Series(note, index=counts.index, dtype="str")
    return rated


def _months(periods: "pd.Series[str]") -> "pd.Series[float]":
    return periods.map({p: _length(Period.parse(p)) for p in periods.unique()})


def _length(period: Period) -> float:
    """Return a length that windows of one kind share: whole months, or days as thirtieths of a month."""
    return period.months if period.whole_months else period.days / 30


def _people(counts: pd.DataFrame, population: pd.DataFrame) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Find each row's denominator (that of its category, if there is one) and whether it counts residents.

    A denominator of all other categories is stored under the empty category.
    """
    table = pd.DataFrame(
        {
            "area_code": population["area_code"].astype("str"),
            "of": population["category"].fillna("") if "category" in population.columns else "",
            "people": population["population"].astype("Float64").to_numpy(np.float64, na_value=np.nan),
            "residents": population["measure"] == RESIDENTS if "measure" in population.columns else True,
        }
    )
    if (table["people"] < 0).any():
        raise InputError(f"the population of {table.loc[table['people'] < 0, 'area_code'].iloc[0]} is negative")
    twice = table.duplicated(["area_code", "of"])
    if twice.any():
        raise InputError(
            f"area {table.loc[twice, 'area_code'].iloc[0]} has two denominators for one category: keep one"
        )
    own = counts["category"].where(counts["category"].isin(set(table["of"])), "")
    rows = pd.DataFrame({"area_code": counts["area_code"].astype("str"), "of": own.astype("str")})
    found = rows.merge(table.astype({"of": "str"}), how="left", on=["area_code", "of"])
    people = found["people"].to_numpy(np.float64)
    return np.where(people > 0, people, np.nan), found["residents"].fillna(value=False).to_numpy(dtype=bool)


def _smoothed(
    counts: pd.DataFrame,
    *,
    events: Floats,
    people: Floats,
    counted: npt.NDArray[np.bool_],
    neighbours: Mapping[str, tuple[list[str], sparse.csr_array]],
) -> tuple[Floats, Floats]:
    """Smooth within each level, period and category over the areas that have a rate: globally and locally."""
    result, local = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    at = {level: (pd.Index(codes), matrix) for level, (codes, matrix) in neighbours.items()}
    codes = counts["area_code"].to_numpy(dtype=object)
    cut: dict[tuple[str, bytes], sparse.csr_array] = {}  # most periods and categories have a rate in the same areas
    for (level, *_), rows in counts.groupby(["level", "period", "category"], sort=True).indices.items():
        chosen = rows[counted[rows]]
        if len(chosen) < FEWEST_AREAS:
            continue
        result[chosen] = empirical_bayes(events[chosen], people[chosen])
        if str(level) in at:
            index, matrix = at[str(level)]
            unit = index.get_indexer(codes[chosen])
            key = (str(level), unit.tobytes())
            if key not in cut:
                cut[key] = matrix[unit][:, unit]
            local[chosen] = local_empirical_bayes(events[chosen], people[chosen], cut[key])
    return result, local


def _funnel(
    counts: pd.DataFrame, *, ends: Ranges, people: Floats, given: npt.NDArray[np.bool_], phi: Floats
) -> "pd.Series[str]":
    """Return on which side of the region's rate an interval lies, for all counts inside both ranges."""
    region = (counts["level"] == Level.REGION).to_numpy() & given
    keys = ["period", "category"]
    reference = counts[keys].assign(least=ends.lower / people, most=ends.upper / people)[region]
    if reference.duplicated(keys).any():
        raise InputError("counts contain two regions: a funnel is drawn around the rate of one")
    rate = counts[keys].merge(reference, how="left", on=keys)
    # The region's rate is treated as known: it is based on so many more events that its own error does not matter. A
    # rate is beyond the limits exactly if its interval excludes the count that the region's rate would give.
    tested = given & ~region & rate["least"].notna().to_numpy()
    least, most = (np.where(tested, rate[c].to_numpy(np.float64), 0.0) * people for c in ("least", "most"))
    floor = [garwood(ends.lower, confidence=c, dispersion=phi)[0] for c in (INNER, OUTER)]
    ceiling = [garwood(ends.upper, confidence=c, dispersion=phi)[1] for c in (INNER, OUTER)]
    words = np.select(
        [floor[1] > most, ceiling[1] < least, floor[0] > most, ceiling[0] < least],
        [FunnelClass.HIGH_998, FunnelClass.LOW_998, FunnelClass.HIGH_95, FunnelClass.LOW_95],
        default=FunnelClass.WITHIN,
    )
    return pd.Series(words, index=counts.index, dtype="str").mask(~tested)


# Outcomes: shares of a cohort, or outcomes recorded per 100 offences recorded.
#
# A *cohort* links each outcome to its offence, so a share and its interval are meaningful once outcomes are no longer
# pending. A *flow* compares the outcomes recorded in a period with the offences recorded in it, as police dashboards
# do. These refer to different offences, so there is no share and no interval, and no ratio for small areas or short
# periods.


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
        lengths = {p: _length(Period.parse(p)) for p in counts["period"].unique()}
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
