"""Counts per area, month, period and category: exact integer sums, dense over what is covered.

Categories overlap: nothing here or anywhere else adds one category to another. The total is the category `all`.
"""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.domain.periods import Period, month_range, months_between
from pipeline.errors import InputError
from pipeline.tables import Level, Measure

__all__ = ["MEASURES", "sum_periods"]

MEASURES = tuple(
    m.value for m in (Measure.INCIDENTS, Measure.POSITIVE_OUTCOMES, Measure.KNOWN_OUTCOMES, Measure.INCIDENTS_UNPLACED)
)
"""Counted columns, in their order in the result; those that a source does not have are left out."""


def sum_periods(
    area_months: pd.DataFrame,
    periods: Sequence[Period],
    *,
    areas: pd.DataFrame,
    categories: Sequence[str],
    covered: Collection[str] | None = None,
    partial: Collection[Period] = (),
) -> pd.DataFrame:
    """Sum months to periods, one row for each area, period and category.

    Parameters
    ----------
    area_months
        Counts by area_code, month (yyyymm) and category: incidents, and where the source has them
        positive_outcomes, known_outcomes and incidents_unplaced. An absent row is a zero, a null count unknown.
    periods
        Windows to sum; they may overlap (rolling windows do).
    areas
        Columns area_code and level: the areas to write, in this order.
    categories
        Categories to write, in this order; others are left aside.
    covered
        Codes of the areas that the source covers; all if not given. Counts of other areas are null, never zero.
    partial
        Windows that the data cover only in part: their rows say so.

    Returns
    -------
    counts
        area_code, level, period, complete, category and the measures as nullable integers, ordered by area, period
        and category as given. A sum is null where a month of it is null, and its window not complete where that are the
        incidents; incidents_unplaced is null for
        wards, which have no smaller areas.

    Raises
    ------
    InputError
        If a column is missing, a name is given twice, a count is negative, or counts name an area not in `areas`.
    """
    lacking = sorted({"area_code", "month", "category", "incidents"} - set(area_months.columns))
    if lacking:
        raise InputError(f"monthly counts lack the columns {', '.join(lacking)}")
    codes, levels = areas["area_code"].tolist(), areas["level"].tolist()
    for what, names in (("area", codes), ("period", [p.id for p in periods]), ("category", list(categories))):
        twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise InputError(f"{what} given twice: {', '.join(twice[:10])}; each is written once")
    strangers = sorted(set(area_months["area_code"]) - set(codes))
    if strangers:
        raise InputError(
            f"{len(strangers)} area codes of the monthly counts are in no area table, for example "
            f"{', '.join(map(str, strangers[:5]))}: give their areas, or take the rows out and account for them"
        )
    wanted = area_months[area_months["category"].isin(categories)]
    months = np.array(sorted({m for p in periods for m in month_range(p.first_month, p.last_month)}), dtype=np.int64)
    wanted = wanted[wanted["month"].isin(months)]
    cells = (
        pd.Index(codes).get_indexer(wanted["area_code"]),
        np.searchsorted(months, wanted["month"].to_numpy(np.int64)),
        pd.Index(categories).get_indexer(wanted["category"]),
    )
    shape = (len(codes), len(months), len(categories))
    keys = {
        "area_code": np.repeat(codes, len(periods) * len(categories)),
        "level": np.repeat(levels, len(periods) * len(categories)),
        "period": np.tile(np.repeat([p.id for p in periods], len(categories)), len(codes)),
        "complete": np.tile(np.repeat([p not in partial for p in periods], len(categories)), len(codes)),
        "category": np.tile(list(categories), len(codes) * len(periods)),
    }
    result = pd.DataFrame(keys).astype({"area_code": "str", "level": "str", "period": "str", "category": "str"})
    hidden = ~result["area_code"].isin(codes if covered is None else list(covered))
    for measure in (m for m in MEASURES if m in area_months.columns):
        values, unknown = _over_periods(wanted[measure], cells=cells, shape=shape, months=months, periods=periods)
        nothing_known = measure != "incidents" and bool(area_months[measure].isna().all())
        if measure == Measure.INCIDENTS:
            result["complete"] &= ~unknown
        no_part = (result["level"] == Level.WARD) if measure == "incidents_unplaced" else False
        result[measure] = pd.Series(values, dtype="Int64").mask(unknown | hidden | no_part | nothing_known)
    return result


def _over_periods(
    counts: "pd.Series[int]",
    *,
    cells: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]],
    shape: tuple[int, int, int],
    months: npt.NDArray[np.int64],
    periods: Sequence[Period],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Sum one measure over each period by differences of running sums: integers, so overlap costs no exactness."""
    missing = counts.isna().to_numpy()
    values = counts.fillna(0).to_numpy(np.int64)
    if (values < 0).any():
        raise InputError(f"{counts.name} holds negative counts: the smallest is {values.min()}")
    running = []
    for weights in (values, missing.astype(np.int64)):
        dense = np.zeros((shape[0], shape[1] + 1, shape[2]), dtype=np.int64)
        np.add.at(dense, (cells[0], cells[1] + 1, cells[2]), weights)
        running.append(dense.cumsum(axis=1))
    starts = np.searchsorted(months, [p.first_month for p in periods])
    stops = starts + [months_between(p.first_month, p.last_month) for p in periods]
    total, unknown = (r[:, stops] - r[:, starts] for r in running)
    return total.ravel(), unknown.ravel() > 0
