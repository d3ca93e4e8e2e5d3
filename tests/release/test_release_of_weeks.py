"""Windows of days in the data owner's folder: counted from days, rated and compared as windows of their own."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.domain.periods import MissingMonths, Period
from pipeline.domain.profile_windows import choose_windows
from pipeline.errors import ConfigError
from pipeline.publish.map.payload import _period
from pipeline.release.gate import Detected, release
from pipeline.release.released import Released
from pipeline.tables import AREA_DAYS
from tests.kit.gated import config_of, detected_of

pytestmark = pytest.mark.slow

PARENTS = {"B1W0": "B1", "B1W1": "B1", "B2W0": "B2"}
FIRST, LAST = date(2023, 1, 1), date(2024, 12, 31)


def city(**more: Any) -> Detected:
    """One incident on every day in B1W0, on Sundays another in B2W0, nothing in B1W1."""
    every = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    rows = [("B1W0", "ward", d) for d in every] + [("B2W0", "ward", d) for d in every if d.isoweekday() == 7]
    rows += [(PARENTS[ward], "borough", d) for ward, _, d in rows]
    rows += [("R", "region", d) for _, level, d in rows if level == "ward"]
    frame = pd.DataFrame(
        [(area, level, d.year * 100 + d.month, d.isoformat(), "all") for area, level, d in rows],
        columns=AREA_DAYS.names[:-1],
    )
    sizes = frame.groupby(list(frame.columns), as_index=False).size()
    days = AREA_DAYS.conform(sizes.rename(columns={"size": "incidents"}))
    wards = days[days["level"] == "ward"].groupby(["area_code", "month"])["incidents"].sum()
    counts = {(str(a), int(m), "all"): (int(n), 0, 0) for (a, m), n in wards.items()}
    return detected_of(PARENTS, counts, np.random.default_rng(1), area_days=days, **more)


def owner(borough: str, ward: str = "fixed") -> dict[str, Any]:
    windows = {"borough_period": borough, "ward_period": ward}
    return {"name": "internal", "audience": "internal", "threshold": 0, **windows}


def made(detected: Detected, borough: str, ward: str = "fixed", **periods: Any) -> Released:
    config = config_of([owner(borough, ward)], periods=periods)
    return release(detected, profile=config.profiles[0], config=config)


def incidents(released: Released, area: str, period: str) -> tuple[Any, bool]:
    counts = released.counts
    [row] = counts[
        (counts["area_code"] == area) & (counts["period"] == period) & (counts["category"] == "all")
    ].to_dict("records")
    return (None if row["incidents"] is pd.NA else row["incidents"]), bool(row["complete"])


def test_weeks_of_boroughs_and_wards() -> None:
    released = made(city(), "week", "week", short_windows=60)
    series = [p.id for p in released.info.periods["borough"]]
    assert len(series) == 60
    assert series[-1] == "2024-W52"  # week 1 of 2025 ends after the data
    assert incidents(released, "B1", "2024-W27") == (7, True)
    assert incidents(released, "B1W0", "2024-W27") == (7, True)
    assert incidents(released, "B2", "2024-W27") == (1, True)
    assert incidents(released, "B1W1", "2024-W27") == (0, True)
    assert incidents(released, "R", "2024-W27") == (8, True)
    assert released.info.headline.id == "2024-01..2024-12"
    # 60 weeks hold 8 that have the same week of the year before.
    weeks = released.counts[released.counts["period"].str.contains("-W")]
    compared = weeks[(weeks["area_code"] == "R") & weeks["change_word"].notna() & (weeks["category"] == "all")]
    assert len(compared) == 8
    fields = _period(released.info.periods["borough"][-1], None, released.info)
    assert (fields["kind"], fields["start"], fields["end"]) == ("w", "2024-12-23", "2024-12-29")


@pytest.mark.parametrize(
    ("kind", "last", "count", "letter"),
    [("day", "2024-12-31", 1, "d"), ("28_days", "2024-12-02..2024-12-29", 28, "f")],
)
def test_days_and_28_days(kind: str, last: str, count: int, letter: str) -> None:
    released = made(city(), kind, short_windows=5)
    assert [p.id for p in released.info.periods["borough"]][-1] == last
    assert incidents(released, "B1", last) == (count, True)
    assert _period(released.info.periods["borough"][-1], None, released.info)["kind"] == letter


def test_a_missing_day_or_month_leaves_its_windows_incomplete() -> None:
    lacking = MissingMonths({"p": (202411,)}, days=frozenset({date(2024, 12, 10)}))
    released = made(city(lacking=lacking), "week", short_windows=8)
    complete = {p.id: p.complete for p in released.info.periods["borough"]}
    # November 2024 is from Friday of week 44 to Saturday of week 48; 10 December is in week 50.
    partial = [w for w, whole in complete.items() if not whole]
    assert partial == ["2024-W45", "2024-W46", "2024-W47", "2024-W48", "2024-W50"]
    assert incidents(released, "B1", "2024-W50") == (7, False)
    assert incidents(released, "B1", "2024-W51") == (7, True)


def test_released_profiles_get_no_window_of_days_whatever_the_settings() -> None:
    config = config_of()
    profile = config.profiles[0].model_copy(update={"ward_period": "week"})
    with pytest.raises(ConfigError, match="for internal only"):
        choose_windows(profile, config.periods, first_date=FIRST, last_date=LAST, compare="previous")


def test_the_main_window_is_of_whole_months() -> None:
    with pytest.raises(ConfigError, match="a window of days"):
        made(city(), "week", headline="2024-W27")


def test_more_counts_than_a_spreadsheet_opens_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # 60 weeks of the region, two boroughs and three wards, with four categories: 1,440 counts.
    monkeypatch.setattr("pipeline.release.gate._MOST_COUNTS", 1440)
    made(city(), "week", "week", short_windows=60)
    monkeypatch.setattr("pipeline.release.gate._MOST_COUNTS", 1439)
    with pytest.raises(ConfigError, match=r"make 1,440 counts.*short_windows to 59 or fewer"):
        made(city(), "week", "week", short_windows=60)


def test_financial_years_from_another_month() -> None:
    released = made(city(), "financial_year", financial_year_from=10)
    assert [p.id for p in released.info.periods["borough"]] == ["2023-10..2024-09"]
    assert Period.parse("2023-10..2024-09").label == "12 months to September 2024"


def test_published_counts_have_no_days() -> None:
    with pytest.raises(ConfigError, match="published counts are by month"):
        config_of(
            [owner("week")],
            incidents=[],
            published_counts=[{"paths": ["m.csv"]}],
            categories={"all_label": "All"},
        )
