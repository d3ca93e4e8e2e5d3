"""What is said about each hotspot: sums, shares and names, all from the rows it holds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray

from pipeline.domain.periods import month_range

__all__ = ["by_category", "by_period", "change_pct", "describe", "nullable", "numbered", "victims_in"]

MIN_BEFORE = 20  # incidents in the earlier window below which a percentage says nothing
NOWHERE = "Outside all wards"


def nullable(values: Iterable[float | None], *, kind: str = "Float64") -> ExtensionArray:
    """Make a column in which what is not known is null."""
    return pd.array([None if v is None else v for v in values], dtype=kind)


def describe(rows: pd.DataFrame, *, count: int, ward_names: Mapping[str, str], total: int) -> dict[str, Any]:
    """Sum up each hotspot's rows.

    Parameters
    ----------
    rows
        Rows of the locations table that lie in a hotspot, with its number from 0 in `hotspot`, and the number of
        its distinct location in `place`.
    count
        Number of hotspots; each has rows.
    ward_names
        Names by ward code; a code without a name stands for itself.
    total
        All incidents of the window, inside hotspots or not.
    """
    per_place = rows.groupby(["hotspot", "place"])["incidents"].sum()
    repeated = per_place.where(per_place > 1, 0).groupby("hotspot").sum()
    groups = rows.groupby("hotspot")
    incidents = groups["incidents"].sum().to_numpy(dtype=np.int64)
    wards, boroughs = (_codes(rows, column, count) for column in ("ward_code", "borough_code"))
    named = [ward_names.get(codes[0], codes[0]) if codes else NOWHERE for codes in wards]
    return {
        "name": pd.array(numbered(named), dtype="str"),
        "incidents": incidents,
        "distinct_locations": per_place.groupby("hotspot").size().to_numpy(dtype=np.int64),
        "share_of_all_pct": 100 * incidents / total,
        "first_period": _months(groups["month"].min()),
        "last_period": _months(groups["month"].max()),
        "ward_codes": pd.array([";".join(sorted(codes)) for codes in wards], dtype="str"),
        "borough_code": pd.array([codes[0] if codes else None for codes in boroughs], dtype="str"),
        "repeat_location_share_pct": 100 * repeated.to_numpy() / incidents,
        "top_location_share_pct": 100 * per_place.groupby("hotspot").max().to_numpy() / incidents,
        "outcome_share_pct": _outcomes(rows, count),
    }


def _codes(rows: pd.DataFrame, column: str, count: int) -> list[list[str]]:
    """List the codes of each hotspot, the one with most incidents first, ties by the lower code."""
    sums = rows[rows[column].notna()].groupby(["hotspot", column])["incidents"].sum().reset_index()
    sums = sums.sort_values(["hotspot", "incidents", column], ascending=[True, False, True], kind="stable")
    codes: list[list[str]] = [[] for _ in range(count)]
    for hotspot, code in zip(sums["hotspot"], sums[column], strict=True):
        codes[int(hotspot)].append(str(code))
    return codes


def numbered(names: Sequence[str]) -> list[str]:
    """Give numbers to names that occur more than once: (1), (2), ... in the order given."""
    seen: dict[str, int] = {}
    told = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        told.append(f"{name} ({seen[name]})" if names.count(name) > 1 else name)
    return told


def _outcomes(rows: pd.DataFrame, count: int) -> ExtensionArray:
    """Return positive outcomes per 100 known ones, null where none is known."""
    if not {"positive_outcomes", "known_outcomes"} <= set(rows.columns):
        return nullable([None] * count)
    told = rows[rows["positive_outcomes"].notna() & rows["known_outcomes"].notna()]
    sums = told.groupby("hotspot")[["positive_outcomes", "known_outcomes"]].sum().reindex(range(count), fill_value=0)
    pairs = zip(sums["positive_outcomes"], sums["known_outcomes"], strict=True)
    return nullable([100 * int(good) / int(known) if known > 0 else None for good, known in pairs])


def by_category(rows: pd.DataFrame, *, ids: Sequence[str], categories: Sequence[str]) -> pd.DataFrame:
    """Count incidents by hotspot and category, zeros written; an incident counts in each of its categories."""
    few = rows[["hotspot", "incidents"]].assign(categories=rows["categories"].fillna(""))
    few = few.groupby(["hotspot", "categories"], as_index=False)["incidents"].sum()
    split = few[["hotspot", "incidents"]].assign(category=few["categories"].str.split(";"))
    sums = split.explode("category").groupby(["hotspot", "category"])["incidents"].sum()
    return _dense(sums, ids, "category", categories)


def by_period(rows: pd.DataFrame, *, ids: Sequence[str], window: tuple[int, int]) -> pd.DataFrame:
    """Count incidents by hotspot and month of the window, zeros written."""
    months = month_range(*window)
    sums = rows.groupby(["hotspot", "month"])["incidents"].sum()
    counted = _dense(sums, ids, "month", months)
    return counted.assign(month=_months(counted["month"])).rename(columns={"month": "period"})


def _dense(sums: "pd.Series[int]", ids: Sequence[str], name: str, values: Sequence[object]) -> pd.DataFrame:
    full = pd.MultiIndex.from_product([range(len(ids)), values], names=["hotspot", name])
    table = sums.reindex(full, fill_value=0).reset_index()
    hotspot = table.pop("hotspot").to_numpy(dtype=np.int64)
    table.insert(0, "hotspot_id", pd.array(np.asarray(ids, dtype=object)[hotspot], dtype="str"))
    return table.astype({"incidents": "int64"})


def change_pct(now: NDArray[np.int64], before: NDArray[np.int64], *, days_now: int, days_before: int) -> ExtensionArray:
    """Return the change in incidents per day, per cent; null where there were fewer than 20 before."""
    return nullable(
        [
            100 * ((n / days_now) / (b / days_before) - 1) if b >= MIN_BEFORE else None
            for n, b in zip(now.tolist(), before.tolist(), strict=True)
        ]
    )


def victims_in(hotspot: NDArray[np.int64], victims: "pd.Series[str]", *, count: int) -> ExtensionArray:
    """Count the distinct known victims of each hotspot, null where none is known."""
    known = pd.DataFrame({"hotspot": hotspot, "victim": victims.to_numpy(dtype=object)}).dropna()
    sizes = known[known["hotspot"] >= 0].groupby("hotspot")["victim"].nunique().reindex(range(count))
    return nullable([None if pd.isna(v) else int(v) for v in sizes], kind="Int64")


def _months(months: Iterable[int]) -> ExtensionArray:
    return pd.array([f"{int(m) // 100:04d}-{int(m) % 100:02d}" for m in months], dtype="str")
