"""Counts by area and day, summed to windows of days: what is not known by day is never guessed into one.

Incidents whose month alone is known lie in no day. Where an area has such incidents in the months that a window
touches, the window's count is that of the known days, its row is not complete, and a zero is not written: it is null.
"""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from pipeline.domain.periods import Period
from pipeline.errors import InputError

__all__ = ["sum_days", "undated"]

_KEY = ["area_code", "category"]


def sum_days(
    area_days: pd.DataFrame,
    periods: Sequence[Period],
    *,
    areas: pd.DataFrame,
    categories: Sequence[str],
    covered: Collection[str] | None = None,
    partial: Collection[Period] = (),
) -> pd.DataFrame:
    """Sum days to windows of days, one row for each area, window and category.

    Parameters
    ----------
    area_days
        Table AREA_DAYS: counts by area_code, month, day (ISO, empty where the month alone is known) and category. An
        absent row is a zero.
    periods
        Windows of days; they may overlap.
    areas
        Columns area_code and level: the areas to write, in this order.
    categories
        Categories to write, in this order; others are left aside.
    covered
        Codes of the areas that the source covers; all if not given. Counts of other areas are null, never zero.
    partial
        Windows that the data cover only in part: their rows say so, and a zero of theirs is null.

    Returns
    -------
    counts
        area_code, level, period, complete, category and incidents (Int64), ordered by area, window and category as
        given. Where the area and category have incidents without a day in a month that the window touches, the row is
        not complete, incidents are those whose day lies in the window, and null where there is none.

    Raises
    ------
    InputError
        If a window is one of whole months, or counts name an area that is not in `areas`.
    """
    codes, levels = areas["area_code"].tolist(), areas["level"].tolist()
    months_only = [p.id for p in periods if p.whole_months]
    if months_only:
        raise InputError(f"{months_only[0]} is a window of whole months: its counts are sums of months, not of days")
    strangers = sorted(set(area_days["area_code"]) - set(codes))
    if strangers:
        raise InputError(
            f"{len(strangers)} area codes of the daily counts are in no area table, for example "
            f"{', '.join(map(str, strangers[:5]))}: give their areas, or take the rows out and account for them"
        )
    wanted = area_days[area_days["category"].isin(categories)]
    known = wanted[wanted["day"] != ""]
    without = wanted[wanted["day"] == ""]
    every = pd.MultiIndex.from_product([codes, list(categories)], names=_KEY)
    hidden = ~every.get_level_values("area_code").isin(codes if covered is None else list(covered))
    left_out = set(partial)
    frames = []
    for period in periods:
        first, last = period.start.isoformat(), period.end.isoformat()
        # ISO dates sort as text; the months come first because they are numbers and leave few rows to compare.
        near = known[known["month"].between(period.first_month, period.last_month)]
        near = near[near["day"].between(first, last)]
        loose = without[without["month"].between(period.first_month, period.last_month)]
        counts = near.groupby(_KEY)["incidents"].sum().reindex(every, fill_value=0).to_numpy(np.int64)
        beside = loose.groupby(_KEY)["incidents"].sum().reindex(every, fill_value=0).to_numpy(np.int64)
        incomplete = (beside > 0) | (period in left_out)
        frames.append(
            pd.DataFrame(
                {
                    "area_code": every.get_level_values("area_code"),
                    "level": np.repeat(levels, len(categories)),
                    "period": period.id,
                    "complete": ~incomplete,
                    "category": every.get_level_values("category"),
                    "incidents": pd.Series(counts, dtype="Int64").mask(hidden | (incomplete & (counts == 0))),
                }
            )
        )
    result = pd.concat(frames, ignore_index=True)
    # By area first, as counts of months are ordered; windows and categories stay as given within each.
    order = result["area_code"].map({code: n for n, code in enumerate(codes)}).argsort(kind="stable")
    text = dict.fromkeys(["area_code", "level", "period", "category"], "str")
    return result.iloc[order].reset_index(drop=True).astype(text)


def undated(area_days: pd.DataFrame, periods: Sequence[Period], *, level: str) -> int:
    """Count incidents of one level whose month alone is known, in the months that the windows touch."""
    rows = area_days[(area_days["day"] == "") & (area_days["level"] == level) & (area_days["category"] == "all")]
    near = np.zeros(len(rows), dtype=bool)
    for period in periods:
        near |= rows["month"].between(period.first_month, period.last_month).to_numpy()
    return int(rows.loc[near, "incidents"].sum())
