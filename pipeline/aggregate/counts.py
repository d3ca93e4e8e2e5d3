"""Counts per area, month and category: summed to periods, exact and dense over what is covered, or as published.

Categories overlap: nothing here or anywhere else adds one category to another. The total is the category `all`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period, month_range, months_between
from pipeline.errors import InputError
from pipeline.tables import AREA_MONTHS, Level, Measure

__all__ = ["MEASURES", "PublishedMonths", "published_months", "sum_periods"]


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
    strangers = sorted(set(area_months["area_code"].unique()) - set(codes))
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
    # Each text is made once and taken by number: made row by row they took longer than all the sums.
    area, period, category = (at.ravel() for at in np.indices((len(codes), len(periods), len(categories))))
    held = set(codes if covered is None else covered)
    hidden = np.array([code not in held for code in codes], dtype=bool)[area]
    ward = np.array([level == Level.WARD for level in levels], dtype=bool)[area]
    result = {
        "area_code": pd.array(codes, dtype="str").take(area),
        "level": pd.array(levels, dtype="str").take(area),
        "period": pd.array([p.id for p in periods], dtype="str").take(period),
        "complete": np.array([p not in partial for p in periods], dtype=bool)[period],
        "category": pd.array(list(categories), dtype="str").take(category),
    }
    for measure in (m for m in MEASURES if m in area_months.columns):
        values, unknown = _over_periods(wanted[measure], cells=cells, shape=shape, months=months, periods=periods)
        if measure == Measure.INCIDENTS:
            result["complete"] &= ~unknown
        elif area_months[measure].isna().all():
            unknown[:] = True
        gone = unknown | hidden | ward if measure == Measure.INCIDENTS_UNPLACED else unknown | hidden
        values[gone] = 0
        result[measure] = pd.arrays.IntegerArray(values, gone)
    return pd.DataFrame(result)


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


# Published counts to counts by area and month: what is absent, suppressed, or the sum of smaller areas.
#
# A cell is an area, month, category and measure. One that the table does not hold is zero, unknown or an error, as the
# settings say; one that the publisher suppressed is unknown. A level without rows of its own is the sum of the level
# below, and unknown where a part of that is.

_CELL = ["area_code", "level", "month", "category", "measure"]
_SAID = ["level", "category", "measure"]
_LISTED = 5


@dataclass(frozen=True, slots=True, eq=False)
class PublishedMonths:
    """Counts by area and month, and how they came about.

    Attributes
    ----------
    months
        AREA_MONTHS: one row per area, month and category with a count or an unknown one.
    summed
        Level, and the level whose sum it is, where the source has no rows of its own for it.
    cells, absent, suppressed
        Cells of the source's own levels; how many of them the table does not hold, and how many it suppresses.
    """

    months: pd.DataFrame
    summed: dict[str, str]
    cells: int
    absent: int
    suppressed: int


def published_months(
    table: pd.DataFrame,
    *,
    areas: pd.DataFrame,
    region_code: str,
    whole: str | None,
    absent: Mapping[str, str] | None = None,
) -> PublishedMonths:
    """Turn published counts into AREA_MONTHS.

    Parameters
    ----------
    table
        PUBLISHED_COUNTS of the covered areas; a null value is unknown.
    areas
        Columns area_code, level and parent_code of the covered areas.
    region_code
        Code of the region.
    whole
        The category that is the whole, called `all` in the result.
    absent
        What a missing row means, by source: `zero`, `unknown` or `error`; zero where a source is not named.

    Raises
    ------
    InputError
        If a row is missing where that is an error; names some.
    """
    table = table.assign(category=table["category"].where(table["category"] != whole, ROOT))
    table["value"] = table["value"].astype("Int64")
    parents = areas.set_index("area_code")["parent_code"]
    suppressed = int(table["value"].isna().sum())
    parts, lost = [], []
    summed: dict[str, str] = {}
    cells = gone = 0
    for name, rows in table.groupby("source", sort=True):
        missing, there = _absent(rows, areas=areas)
        cells += there + len(missing)
        rule = (absent or {}).get(str(name), "zero")
        if rule == "error" and len(missing):
            raise InputError(_said_absent(missing, source=str(name)))
        if rule == "unknown":
            gone += len(missing)
            rows = pd.concat([rows, missing.assign(source=name, mapped=True)], ignore_index=True)  # noqa: PLW2901
        made, unplaced, how = _every_level(rows, parents=parents, region_code=region_code)
        parts.append(made)
        lost.append(unplaced)
        summed |= how
    months = _wide(pd.concat(parts, ignore_index=True), pd.concat(lost, ignore_index=True), parents=parents)
    return PublishedMonths(months, summed, cells, gone, suppressed)


def _absent(rows: pd.DataFrame, *, areas: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the cells that a source should hold and does not, without a value, and how many it holds.

    It should hold every covered area of a level, month from its first to its last, for each category and measure that
    it has at that level; the region only where it has rows of its own.
    """
    held = rows[rows["mapped"] & (rows["level"] != Level.REGION)]
    own = rows[rows["level"] == Level.REGION]
    if rows.empty:
        return rows.iloc[:0][_CELL].assign(value=pd.array([], dtype="Int64")), 0
    months = month_range(int(rows["month"].min()), int(rows["month"].max()))
    kinds = pd.concat([held, own])[_SAID].drop_duplicates()
    places = pd.concat(
        [
            areas.loc[areas["level"] != Level.REGION, ["area_code", "level"]],
            own[["area_code", "level"]].drop_duplicates(),
        ]
    )
    wanted = kinds.merge(places, on="level").merge(pd.DataFrame({"month": months}), how="cross")[_CELL]
    there = pd.concat([held, own])[_CELL].drop_duplicates()
    both = wanted.merge(there, on=_CELL, how="left", indicator="where_")
    missing = both.loc[both["where_"] == "left_only", _CELL].reset_index(drop=True)
    return missing.assign(value=pd.array([pd.NA] * len(missing), dtype="Int64")), len(there)


def _said_absent(missing: pd.DataFrame, *, source: str) -> str:
    first = missing.sort_values(["month", "level", "area_code", "category"], kind="stable").head(_LISTED)
    listed = "; ".join(
        f"{r.area_code} in {r.month // 100}-{r.month % 100:02d}, {r.category}, {r.measure}" for r in first.itertuples()
    )
    more = f" and {len(missing) - _LISTED:,} more" if len(missing) > _LISTED else ""
    return (
        f"{source} has no row for {len(missing):,} cells of areas, months and categories, which absent: error does not "
        f"allow: {listed}{more}. Complete the table, or set absent to zero (where the publisher leaves out zeros) or "
        "unknown; areas that the source does not cover belong in areas.not_covered"
    )


def _every_level(
    rows: pd.DataFrame, *, parents: "pd.Series[str]", region_code: str
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Return a source's counts at every level, those of the region that no area here has, and which levels are sums."""
    own = {level: rows[rows["level"] == level] for level in Level}
    wards, boroughs, regions = own[Level.WARD], own[Level.BOROUGH], own[Level.REGION]
    summed: dict[str, str] = {}

    # Category by category: a source may publish some for wards alone.
    lacking = _without(wards, boroughs)
    if len(lacking):
        inside = lacking[lacking["mapped"]]
        made = inside.assign(area_code=inside["area_code"].map(parents), level=Level.BOROUGH.value)
        # What lies in no ward of these boundaries is in no borough either, but in the region all the same.
        beyond = lacking[~lacking["mapped"]].assign(level=Level.BOROUGH.value)
        boroughs = pd.concat([boroughs, made, beyond], ignore_index=True)
        summed[Level.BOROUGH.value] = Level.WARD.value

    # Without rows of its own the region is the sum of all borough rows, those included that no boundary matches: these
    # are its unplaced ones. A source publishes them because they happened in its area, wherever that was.
    as_region = {"area_code": region_code, "level": Level.REGION.value}
    lacking = _without(boroughs, regions)
    if len(lacking):
        summed[Level.REGION.value] = summed.get(Level.BOROUGH.value, Level.BOROUGH.value)
    regions = pd.concat([regions, lacking.assign(**as_region)], ignore_index=True)
    lost = boroughs[~boroughs["mapped"]].assign(**as_region)
    return pd.concat([wards[wards["mapped"]], boroughs[boroughs["mapped"]], regions], ignore_index=True), lost, summed


def _without(rows: pd.DataFrame, above: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a level whose category and measure the level above has no row of."""
    key = ["category", "measure"]
    there = pd.MultiIndex.from_frame(above[key].drop_duplicates())
    return rows[~pd.MultiIndex.from_frame(rows[key]).isin(there)]


def _wide(rows: pd.DataFrame, lost: pd.DataFrame, *, parents: "pd.Series[str]") -> pd.DataFrame:
    """Sum rows to one for each area, month and category; a sum with an unknown part is unknown."""
    key = ["area_code", "level", "month", "category"]
    measures = [Measure.INCIDENTS.value, Measure.POSITIVE_OUTCOMES.value]
    counted = rows.assign(unknown=rows["value"].isna().astype("int64"), value=rows["value"].fillna(0).astype("int64"))
    sums = {
        name: counted.pivot_table(index=key, columns="measure", values=name, aggfunc="sum", fill_value=0)
        .reindex(columns=measures)
        .astype("Int64")
        for name in ("value", "unknown")
    }
    wide = sums["value"].mask(sums["unknown"].fillna(0) > 0)
    known = wide["incidents"].notna() | (sums["unknown"]["incidents"].fillna(0) > 0)
    wide["incidents"] = wide["incidents"].where(known, 0)
    wide = wide.reset_index().rename_axis(columns=None)

    # What a borough's row has beyond its wards' rows is its unplaced part: the source could not put it in a ward.
    wards = wide[wide["level"] == Level.WARD].assign(parent=lambda f: f["area_code"].map(parents))
    inside = _sum(wards, ["parent", "month", "category"]).rename("inside").reset_index()
    wide = wide.merge(
        inside.assign(has_wards=True),
        left_on=["area_code", "month", "category"],
        right_on=["parent", "month", "category"],
        how="left",
    )
    part = wide["inside"].where(wide["has_wards"].notna(), 0)
    beyond = (wide["incidents"] - part).clip(lower=0)
    wide["incidents_unplaced"] = beyond.where(wide["level"] == Level.BOROUGH, 0)
    unplaced = _sum(
        lost[lost["measure"] == Measure.INCIDENTS].rename(columns={"value": "incidents"}), ["month", "category"]
    )
    at_region = wide["level"] == Level.REGION
    index = pd.MultiIndex.from_frame(wide.loc[at_region, ["month", "category"]])
    there = index.isin(unplaced.index)
    found: Any = unplaced.reindex(index).array
    wide.loc[at_region, "incidents_unplaced"] = pd.Series(found).where(pd.Series(there), 0).array
    wide["known_outcomes"] = pd.NA  # a source of counts does not say how many outcomes are still open
    return AREA_MONTHS.conform(wide.sort_values(["area_code", "month", "category"], ignore_index=True))


def _sum(rows: pd.DataFrame, key: list[str]) -> "pd.Series[int]":
    """Sum incidents; unknown where a part is."""
    grouped = rows.assign(unknown=rows["incidents"].isna()).groupby(key)
    total = grouped["incidents"].sum().astype("Int64")
    return total.mask(grouped["unknown"].any())
