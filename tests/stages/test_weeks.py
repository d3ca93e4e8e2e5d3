"""Weeks from the file of incidents to the owner's counts and map; rows without a day; what released folders refuse."""

import json
import re
from collections import Counter
from datetime import date
from typing import Any

import pandas as pd
import pytest

from tests.kit.cases import Attempt, attempt, incidents, refused, released, write_case

pytestmark = pytest.mark.slow

OWNER = {"name": "internal", "audience": "internal", "threshold": 0}
WEEKS = [{**OWNER, "borough_period": "week", "ward_period": "week"}]
ROWS = incidents(1600, span=13)


def weeks_by_hand(area: str | None = None) -> Counter[str]:
    """Count the rows of ISO weeks with Python's calendar."""
    found: Counter[str] = Counter()
    for row in ROWS:
        if area is None or row["ward_name"] == area:
            year, week, _ = date.fromisoformat(row["occurred_on"]).isocalendar()
            found[f"{year}-W{week:02d}"] += 1
    return found


@pytest.fixture(scope="module")
def by_week(tmp_path_factory: pytest.TempPathFactory) -> Attempt:
    folder = tmp_path_factory.mktemp("weeks")
    scan = {"enabled": True, "period": "week", "simulations": 19}
    return attempt(write_case(folder, ROWS, profiles=WEEKS, detect__scan=scan, page={"briefings": True}))


def test_weeks_are_those_of_pythons_calendar(by_week: Attempt) -> None:
    counts = by_week.counts
    shown = counts[counts["period"].str.contains("-W") & (counts["category"] == "all")]
    assert shown["period"].nunique() == 53
    for area in (None, "Alder", "Damson"):
        right = weeks_by_hand(area)
        name = "region" if area is None else None
        mine = shown[(shown["level"] == name) if name else (shown["area_name"] == area)]
        assert dict(zip(mine["period"], mine["incidents"].astype(int), strict=True)) == {
            p: right[p] for p in mine["period"]
        }


def test_the_map_steps_through_weeks(by_week: Attempt) -> None:
    assert "week 27 of 2024 (from 1 July 2024)" in by_week.page
    assert {"Weeks", "Week"} <= set(re.findall(r"\bWeeks?\b", by_week.page))
    [path] = (by_week.folder / "work" / "patterns").rglob("space_time_clusters.parquet")
    clusters = pd.read_parquet(path)
    assert clusters["period"].str.contains(r"-W|\.\.").all()


def test_rows_without_a_day_are_in_no_week(tmp_path: Any) -> None:
    rows = [{**row, "occurred_on": row["occurred_on"][:7]} if n % 50 == 0 else row for n, row in enumerate(ROWS)]
    tried = released(write_case(tmp_path, rows, profiles=WEEKS))
    assert tried.code == 0, tried.text[-800:]
    assert "known to their month alone" in tried.text + json.dumps(tried.manifest)
    shown = tried.counts[tried.counts["period"].str.contains("-W") & (tried.counts["level"] == "region")]
    assert not shown.loc[shown["category"] == "all", "complete"].any()


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("kind", ["day", "week", "28_days"])
def test_released_profiles_refuse_windows_below_a_month(tmp_path: Any, command: str, kind: str) -> None:
    profiles = [OWNER, {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": kind}]
    tried = attempt(write_case(tmp_path, ROWS[:50], profiles=profiles), command)
    refused(tried, "shorter than a month", codes=(2,))


def test_briefings_do_not_take_weeks_for_months(by_week: Attempt) -> None:
    pages = sorted((by_week.folder / "internal" / "boroughs").glob("E*.html"))
    assert pages
    assert [p.name for p in pages if "single months" in p.read_text("utf-8")] == []
