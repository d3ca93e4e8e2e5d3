"""Counts by day summed to days, weeks and 28 days: by hand; what has no day is counted beside, never guessed."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate.reduce import CountJob, count_part, merge_kept
from pipeline.aggregate.short_counts import sum_days, undated
from pipeline.domain.periods import Period
from pipeline.domain.short_windows import short_windows
from pipeline.errors import InputError
from pipeline.tables import AREA_DAYS
from tests.aggregate.test_reduce import part, row

AREAS = pd.DataFrame({"area_code": ["R", "B1", "B2"], "level": ["region", "borough", "borough"]})


def area_days(*rows: tuple[str, str, int], month: int = 202507) -> pd.DataFrame:
    """Make AREA_DAYS of boroughs (area, day, incidents) and of the region that they make up."""
    found = [(area, "borough", _month(day, month), day, "all", n) for area, day, n in rows]
    frame = pd.DataFrame(found, columns=AREA_DAYS.names)
    region = frame.groupby(["month", "day"], as_index=False)["incidents"].sum()
    region = region.assign(area_code="R", level="region", category="all")
    whole = pd.concat([frame, region[frame.columns]], ignore_index=True)
    return AREA_DAYS.conform(whole.sort_values(["area_code", "month", "day", "category"], ignore_index=True))


def _month(day: str, other: int) -> int:
    return int(day[:7].replace("-", "")) if day else other


def summed(days: pd.DataFrame, *ids: str, **more: Any) -> dict[tuple[str, str], tuple[Any, bool]]:
    """Return incidents (None where null) and completeness by area and window."""
    found = sum_days(days, [Period.parse(p) for p in ids], areas=AREAS, categories=["all"], **more)
    return {
        (r.area_code, r.period): (None if r.incidents is pd.NA else int(r.incidents), bool(r.complete))
        for r in found.itertuples()
    }


# 30 June 2025 is a Monday: week 27 runs from it to Sunday, 6 July.
DAYS = area_days(
    ("B1", "2025-06-29", 1),
    ("B1", "2025-06-30", 2),
    ("B1", "2025-07-06", 3),
    ("B1", "2025-07-07", 4),
    ("B2", "2025-07-01", 5),
)


def test_a_week_is_its_seven_days_across_the_turn_of_a_month() -> None:
    found = summed(DAYS, "2025-W26", "2025-W27", "2025-W28")
    assert [found["B1", w] for w in ("2025-W26", "2025-W27", "2025-W28")] == [(1, True), (5, True), (4, True)]
    assert [found["B2", w] for w in ("2025-W26", "2025-W27", "2025-W28")] == [(0, True), (5, True), (0, True)]
    assert found["R", "2025-W27"] == (10, True)


def test_days_and_28_days() -> None:
    found = summed(DAYS, "2025-06-30", "2025-07-02", "2025-06-09..2025-07-06")
    assert found["B1", "2025-06-30"] == (2, True)
    assert found["B1", "2025-07-02"] == (0, True)
    assert found["B1", "2025-06-09..2025-07-06"] == (6, True)


def test_incidents_without_a_day_are_in_no_week_and_leave_no_zero() -> None:
    """B2 has 9 incidents of July whose day is not known: they may lie in any week that touches July."""
    with_loose = area_days(("B1", "2025-07-02", 3), ("B2", "2025-07-01", 5), ("B2", "", 9))
    found = summed(with_loose, "2025-W26", "2025-W27", "2025-W28")
    assert found["B2", "2025-W26"] == (0, True)  # June is known by day
    assert found["B2", "2025-W27"] == (5, False)
    assert found["B2", "2025-W28"] == (None, False)
    assert found["B1", "2025-W28"] == (0, True)  # its incidents all have a day
    assert found["R", "2025-W27"] == (8, False)
    assert undated(with_loose, [Period.parse("2025-W27")], level="region") == 9
    assert undated(with_loose, [Period.parse("2025-W26")], level="region") == 0


def test_windows_that_the_data_cover_in_part_and_areas_not_covered() -> None:
    week = Period.parse("2025-W27")
    found = summed(DAYS, "2025-W27", "2025-W28", partial=[week], covered=["R", "B1"])
    assert found["B1", "2025-W27"] == (5, False)
    assert found["B2", "2025-W28"] == (None, True)  # not covered: never 0
    assert summed(area_days(("B1", "2025-07-02", 3)), "2025-W27", partial=[week])["B2", "2025-W27"] == (None, False)


def test_whole_months_are_not_summed_from_days() -> None:
    with pytest.raises(InputError, match="sums of months"):
        summed(DAYS, "2025-07")
    with pytest.raises(InputError, match="in no area table"):
        sum_days(DAYS, [Period.parse("2025-W27")], areas=AREAS[:1], categories=["all"])


@settings(max_examples=40, deadline=None)
@given(
    st.dates(date(2023, 1, 1), date(2024, 12, 31)),
    st.lists(st.tuples(st.sampled_from(["B1", "B2"]), st.integers(0, 30), st.integers(1, 9)), min_size=1, max_size=20),
)
@pytest.mark.slow
def test_windows_of_any_kind_add_up_to_all_rows(start: date, rows: list[tuple[str, int, int]]) -> None:
    """A month from any day has few windows to count, and reaches over ends of months, of a year and a 29 February."""
    within = [(area, start + timedelta(days=after), n) for area, after, n in rows]
    merged: Counter[tuple[str, str]] = Counter()
    for area, day, n in within:
        merged[area, day.isoformat()] += n
    days = area_days(*((a, d, n) for (a, d), n in merged.items()))
    first, last = min(d for _, d, _ in within), max(d for _, d, _ in within)
    kinds = [short_windows(kind, first=first, last=last) for kind in ("day", "week", "28_days")]
    found = sum_days(days, [window for windows in kinds for window in windows], areas=AREAS, categories=["all"])
    region = found[found["area_code"] == "R"].set_index("period")["incidents"]
    for windows in kinds:
        assert region[[window.id for window in windows]].sum() == sum(n for _, _, n in within)


@pytest.mark.slow
def test_parts_are_counted_by_day_only_where_asked(tmp_path: Path) -> None:
    known = row(1, place=0, month=1, categories="race", victim=None, outcome="other")
    rows = [
        known,
        {**row(2, place=0, month=1, categories="race", victim=None, outcome="other"), "date_precision": "month"},
        {**row(3, place=2, month=1, categories="", victim=None, outcome="other"), "occurred_on": "2024-01-04"},
    ]
    made = part(tmp_path / "p.parquet", rows)
    for by_day in (True, False):
        count_part(CountJob(label="p", part=made, into=tmp_path / f"{by_day}", region_code="R", by_day=by_day))
    found = merge_kept([tmp_path / "True", tmp_path / "True"], name="area_days")
    region = found[(found["area_code"] == "R") & (found["category"] == "all")]
    assert dict(zip(region["day"], region["incidents"], strict=True)) == {"": 2, "2024-01-03": 2, "2024-01-04": 2}
    wards = found[(found["area_code"] == "W1") & (found["category"] == "race")]
    assert dict(zip(wards["day"], wards["incidents"], strict=True)) == {"": 2, "2024-01-03": 2}
    assert merge_kept([tmp_path / "False"], name="area_days").empty
