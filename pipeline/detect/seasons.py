"""Seasons: trend and season of the region, its areas above the smallest and its categories; the latest months expected.

Months that the data does not cover are gaps, never zero: only the latest run of months without a gap, under one
recording system, is fitted. All of it is for the internal folder.
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.detect.method import DetectInput, Findings, Method, Scope
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Break, Period, is_partial, month_of, month_range, one_system
from pipeline.statistics.change import ChangeWord
from pipeline.statistics.seasons import FEWEST_MONTHS, MONTH_DAYS, PERIOD, decompose, expect
from pipeline.statistics.uncertainty import benjamini_hochberg
from pipeline.tables import SEASON_MONTHS, SEASONS, Level

__all__ = ["FITTED", "METHOD", "TOO_FEW_INCIDENTS", "TOO_FEW_MONTHS", "latest_run", "season_rows"]

FITTED = "fitted"
TOO_FEW_MONTHS = "too few months"
TOO_FEW_INCIDENTS = "too few incidents"


def latest_run(known: pd.Series, breaks: list[Break]) -> int:
    """Return how many of the latest months have a count without a gap, under one recording system.

    Parameters
    ----------
    known
        Whether each month has a count, by month (yyyymm), oldest first. Months after the last count are no gap.
    breaks
        Changes of the recording system.

    Examples
    --------
    >>> latest_run(pd.Series([True, False, True, True], index=[202401, 202402, 202403, 202404]), [])
    2
    """
    have = known.to_numpy(dtype=bool)
    if not have.any():
        return 0
    last = int(np.flatnonzero(have)[-1])
    run = last + 1 - (int(np.flatnonzero(~have[: last + 1])[-1]) + 1 if (~have[: last + 1]).any() else 0)
    first, end = int(known.index[last + 1 - run]), int(known.index[last])
    system = one_system(Period(first, end), breaks)
    return min(run, system.months)


def season_rows(
    counts: pd.DataFrame, *, breaks: list[Break], compare_months: int, min_monthly: float, fdr_q: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit every area and set its latest months against what was expected.

    Parameters
    ----------
    counts
        level, area_code, month (yyyymm, every month of the data) and incidents, null where a month has no count.
    breaks
        Changes of the recording system.
    compare_months
        Latest months that are set against expectation.
    min_monthly
        Fewest incidents a month, on average.
    fdr_q
        Expected share of false ones among the months that are called higher or lower, all areas together.
    seed
        Of the random orders.

    Returns
    -------
    months, areas
        SEASON_MONTHS and SEASONS.
    """
    months: list[pd.DataFrame] = []
    areas: list[dict[str, Any]] = []
    for (level, code), part in counts.groupby(["level", "area_code"], sort=False):
        rows = part.sort_values("month").reset_index(drop=True)
        days = np.array([Period(m, m).days for m in rows["month"]], dtype=np.float64)
        known = rows["incidents"].notna()
        run = latest_run(known.set_axis(rows["month"]), breaks)
        last = int(np.flatnonzero(known.to_numpy())[-1]) + 1 if run else 0
        inside = slice(last - run, last)
        value = rows["incidents"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        filled = {name: np.full(len(rows), np.nan) for name in ("trend", "season", "expected", "low", "high", "p")}
        area: dict[str, Any] = {"category": ROOT, "level": level, "area_code": code, "months": run, "state": FITTED}
        if run < FEWEST_MONTHS:
            area["state"] = TOO_FEW_MONTHS
        elif value[inside].mean() < min_monthly:
            area["state"] = TOO_FEW_INCIDENTS
        else:
            found = decompose(value[inside], days[inside], seed=seed)
            filled["trend"][inside], filled["season"][inside] = found.trend, found.season
            area |= {"strength": found.strength, "strength_chance": found.strength_chance}
            area |= {"trend_pct": found.trend_pct, "trend_low": found.trend_low, "trend_high": found.trend_high}
            area |= _ends(found.season[-PERIOD:], rows["month"].to_numpy()[inside][-PERIOD:], found.per_month.mean())
            if run >= FEWEST_MONTHS + compare_months:
                ahead = expect(value[inside], days[inside], latest=compare_months)
                late = slice(last - compare_months, last)
                filled["expected"][late], filled["p"][late] = ahead.incidents, ahead.p
                filled["low"][late], filled["high"][late] = ahead.low, ahead.high
        areas.append(area)
        months.append(
            pd.DataFrame(
                {
                    "category": ROOT,
                    "level": level,
                    "area_code": code,
                    "month": rows["month"],
                    "incidents": rows["incidents"],
                    "per_month": value * MONTH_DAYS / days,
                    "trend": filled["trend"],
                    "season": filled["season"],
                    "expected": filled["expected"],
                    "expected_low": filled["low"],
                    "expected_high": filled["high"],
                    "p": filled["p"],
                }
            )
        )
    every = pd.concat(months, ignore_index=True) if months else pd.DataFrame(columns=[*SEASON_MONTHS.names, "p"])
    tested = every["p"].notna().to_numpy(dtype=bool)
    clear = benjamini_hochberg(every["p"].fillna(1.0).to_numpy(dtype=np.float64), included=tested) <= fdr_q
    more = every["incidents"].astype("Float64").fillna(0).to_numpy(dtype=np.float64) > every["expected"].fillna(0)
    every["word"] = np.select(
        [~tested, ~clear, more], ["", ChangeWord.NO_CLEAR_CHANGE.value, ChangeWord.HIGHER.value], ChangeWord.LOWER.value
    )
    return (
        SEASON_MONTHS.conform(every.drop(columns="p")),
        SEASONS.conform(pd.DataFrame(areas, columns=SEASONS.names)),
    )


def _ends(season: np.ndarray, months: np.ndarray, level: float) -> dict[str, Any]:
    """Return the months of the year with the highest and the lowest season, in per cent of the mean level."""
    high, low = int(np.argmax(season)), int(np.argmin(season))
    return {
        "high_month": int(months[high]) % 100,
        "high_pct": 100 * float(season[high]) / level,
        "low_month": int(months[low]) % 100,
        "low_pct": 100 * float(season[low]) / level,
    }


# The entry in the registry
# -------------------------


def _seasons(data: DetectInput) -> Findings:
    """Fit the region and its boroughs."""
    if data.month_counts is None:
        return Findings()
    settings, config, span = data.config.detect.seasons, data.config, data.span
    name = data.window.headline.id
    every = [Period(m, m) for m in month_range(month_of(span.first), month_of(span.last))]
    lacking = span.lacking.months
    whole = {
        p.first_month: not is_partial(p, first_date=span.first, last_date=span.last, missing=lacking) for p in every
    }
    number = {p.id: p.first_month for p in every}
    counts = data.month_counts(every, [ROOT], [Level.REGION, Level.BOROUGH])
    counts = counts.assign(month=counts["period"].map(number))
    counts["incidents"] = counts["incidents"].astype("Int64").mask(~counts["month"].map(whole))
    breaks = () if config.periods.ignore_breaks else config.periods.breaks
    known_breaks = [Break(int(b.month.replace("-", "")), b.text) for b in breaks]
    months, areas = season_rows(
        counts,
        breaks=known_breaks,
        compare_months=settings.compare_months,
        min_monthly=settings.min_monthly,
        fdr_q=config.change.fdr_q,
        seed=config.run.seed,
    )
    # Categories of the region are a family of their own: an area's months and a category's are not the same question.
    ids = sorted(set(data.labels) - {ROOT})
    each = data.month_counts(every, ids, [Level.REGION]) if ids else counts[:0]
    if len(each):
        region = each["area_code"].iloc[0]
        counted = each.assign(month=each["period"].map(number), area_code=each["category"])
        counted["incidents"] = counted["incidents"].astype("Int64").mask(~counted["month"].map(whole))
        more = season_rows(
            counted,
            breaks=known_breaks,
            compare_months=settings.compare_months,
            min_monthly=settings.min_monthly,
            fdr_q=config.change.fdr_q,
            seed=config.run.seed,
        )
        more_months, more_areas = (table.assign(category=table["area_code"], area_code=region) for table in more)
        months = pd.concat([months, more_months], ignore_index=True)
        areas = pd.concat([areas, more_areas], ignore_index=True)
    fitted = int((areas["state"] == FITTED).sum())
    return Findings(
        tables={
            f"patterns/{name}/{SEASON_MONTHS.name}.parquet": months,
            f"patterns/{name}/{SEASONS.name}.parquet": areas,
        },
        choices={f"seasons {name}": f"{fitted} of {len(areas)} areas and categories fitted"},
    )


METHOD = Method(
    name="seasons",
    section="detect.seasons",
    needs=frozenset(),
    scope=Scope.INTERNAL,
    switch="detect.seasons.enabled",
    run=_seasons,
)
