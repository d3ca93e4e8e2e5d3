"""The cases that the scan searches, by place and window: months, or windows of days where the settings ask for them."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Config
from pipeline.detect.method import DetectInput
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Break, Period, is_partial, month_of, month_range, one_system
from pipeline.domain.short_windows import DAYS_OF, short_windows

__all__ = ["Cases", "cases_of", "longest_of", "scan_periods", "scans_days"]


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Cases to search.

    Attributes
    ----------
    periods
        Windows in time order, without those that the data cover only in part.
    points_m
        Easting and northing of each row in metres, shape (n, 2).
    period
        Position of each row's window among `periods`, shape (n,).
    incidents
        Incidents of each row, shape (n,).
    undated
        Incidents in none of the windows because their month alone is known.
    """

    periods: tuple[Period, ...]
    points_m: NDArray[np.float64]
    period: NDArray[np.int64]
    incidents: NDArray[np.int64]
    undated: int = 0


def scans_days(config: Config) -> bool:
    """Whether the scan needs incidents with their day."""
    return config.detect.scan.period in DAYS_OF


def longest_of(config: Config, periods: int) -> int:
    """Return how many windows a cluster may last: no longer than the data."""
    scan = config.detect.scan
    wanted = scan.max_days // DAYS_OF[scan.period] if scans_days(config) else scan.max_months
    return max(1, min(wanted, periods))


def scan_periods(data: DetectInput) -> tuple[Period, ...]:
    """Return the windows to search inside the latest recording system: one that a source lacks would end every cluster.

    Of windows of days the latest `periods.short_windows`: the search costs as much as there are runs of windows.
    """
    span, config = data.span, data.config
    # A change of recording shifts counts by area, and the shift would be found as a cluster: only the latest system.
    breaks = () if config.periods.ignore_breaks else config.periods.breaks
    declared = [Break(int(b.month.replace("-", "")), b.text) for b in breaks]
    begin = one_system(Period(month_of(span.first), month_of(span.last)), declared).first_month
    if not scans_days(config):
        every = month_range(begin, month_of(span.last))
        return tuple(Period(m, m) for m in every if m not in span.lacking.months)
    anchor = date.fromisoformat(config.periods.anchor_day) if config.periods.anchor_day else None
    found = [
        w
        for w in short_windows(config.detect.scan.period, first=span.first, last=span.last, anchor=anchor)
        if w.first_month >= begin
        and not is_partial(
            w,
            first_date=span.first,
            last_date=span.last,
            missing=span.lacking.months,
            missing_days=span.lacking.days,
        )
    ]
    return tuple(found[-config.periods.short_windows :])


def cases_of(data: DetectInput, category: str = ROOT) -> Cases:
    """Return the cases of a category with a place in the windows to search."""
    periods = scan_periods(data)
    if scans_days(data.config):
        return _by_day(data, periods, category)
    months = [p.first_month for p in periods]
    rows = data.rows_of(category)
    rows = rows[rows["month"].isin(months)]
    return Cases(
        periods, _points(rows), np.searchsorted(months, rows["month"]), rows["incidents"].to_numpy(dtype=np.int64)
    )


def _by_day(data: DetectInput, periods: tuple[Period, ...], category: str) -> Cases:
    """Place incidents whose day is known in their window; those known to a month that the windows touch are counted."""
    nothing = np.zeros(0, dtype=np.int64)
    if data.incidents is None or not periods:
        return Cases(periods, np.zeros((0, 2)), nothing, nothing)
    rows = data.incidents_of(category)
    rows = rows[(rows["place"] == "point") & ~rows["online"].astype(bool)]
    points = _points(rows)
    for spot in data.config.detect.placeholder_locations:  # they stand for no place, as in `locations`
        away = np.hypot(points[:, 0] - spot.easting_m, points[:, 1] - spot.northing_m) > spot.radius_m
        rows, points = rows[away], points[away]
    known = (rows["date_precision"] == "day").to_numpy(dtype=bool)
    months = {m for p in periods for m in month_range(p.first_month, p.last_month)}
    undated = int((~known & rows["month"].isin(months).to_numpy(dtype=bool)).sum())
    rows, points = rows[known], points[known]
    day = pd.to_datetime(rows["occurred_on"]).to_numpy().astype("datetime64[D]")
    starts = np.array([p.start for p in periods], dtype="datetime64[D]")
    ends = np.array([p.end for p in periods], dtype="datetime64[D]")
    # Windows that the data lack leave gaps: a day belongs to the last window that began, if that has not ended.
    at = np.searchsorted(starts, day, side="right").astype(np.int64) - 1
    inside = (at >= 0) & (day <= ends[at])
    return Cases(periods, points[inside], at[inside], np.ones(int(inside.sum()), dtype=np.int64), undated)


def _points(rows: pd.DataFrame) -> NDArray[np.float64]:
    points: NDArray[np.float64] = rows[["easting_m", "northing_m"]].to_numpy(dtype=np.float64)
    return points
