"""Cases of the scan by month, week and day: by hand."""

from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.detect.method import DetectInput, Need
from pipeline.detect.scan import METHODS
from pipeline.detect.scan.cases import cases_of, longest_of, scan_periods
from pipeline.domain.periods import MissingMonths, Period, Span
from tests.kit.gated import config_of

DAYS = ("2025-06-01", "2025-06-02", "2025-06-08", "2025-06-09", "2025-06-30")
"""Sunday; Monday and Sunday of week 23; Monday of week 24; Monday of week 27."""


def data(
    period: str, rows: pd.DataFrame, *, lacking: MissingMonths | None = None, first: str = "2025-06-01", **settings: Any
) -> DetectInput:
    """What the scan reads of the data: June 2025, which begins on a Sunday and ends on a Monday."""
    given = {"enabled": True, "period": period, **settings.pop("scan", {})}
    config = config_of(detect={"scan": given, **settings.pop("detect", {})}, **settings)
    span = Span(date.fromisoformat(first), date(2025, 6, 30), lacking or MissingMonths())
    locations = (
        rows.assign(incidents=1).groupby(["easting_m", "northing_m", "month"], as_index=False)["incidents"].sum()
    )
    given = SimpleNamespace(
        config=config,
        span=span,
        incidents=rows,
        locations=locations,
        places=locations,
        rows_of=lambda _: locations,
        incidents_of=lambda _: rows,
        window=SimpleNamespace(headline=SimpleNamespace(id="w")),
    )
    return cast("DetectInput", given)


def incidents(*days: str, **columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"occurred_on": list(days)})
    fixed = {"easting_m": 1.0, "northing_m": 2.0, "place": "point", "online": False, "date_precision": "day"}
    return frame.assign(month=frame["occurred_on"].str[:7].str.replace("-", "").astype(int), **{**fixed, **columns})


def test_whole_weeks_of_the_data_hold_their_incidents() -> None:
    found = cases_of(data("week", incidents(*DAYS)))
    assert [p.id for p in found.periods] == ["2025-W23", "2025-W24", "2025-W25", "2025-W26"]
    assert found.period.tolist() == [0, 0, 1]  # 1 June and 30 June lie in weeks that the data cover in part
    assert found.incidents.tolist() == [1, 1, 1]
    assert found.points_m.tolist() == [[1.0, 2.0]] * 3


def test_days_and_months() -> None:
    by_day = cases_of(data("day", incidents(*DAYS)))
    assert [by_day.periods[k].id for k in by_day.period] == list(DAYS)
    by_month = cases_of(data("month", incidents("2025-05-02", *DAYS), first="2025-05-01"))
    assert [p.id for p in by_month.periods] == ["2025-05", "2025-06"]
    assert dict(zip(by_month.period.tolist(), by_month.incidents.tolist(), strict=True)) == {0: 1, 1: 5}


def test_windows_that_lack_a_day_are_not_searched() -> None:
    found = cases_of(data("week", incidents(*DAYS), lacking=MissingMonths(days=frozenset({date(2025, 6, 4)}))))
    assert [p.id for p in found.periods] == ["2025-W24", "2025-W25", "2025-W26"]
    assert found.period.tolist() == [0]
    # A gap in the middle: what lies in it is in no window, not in the one before.
    found = cases_of(data("day", incidents(*DAYS), lacking=MissingMonths(days=frozenset({date(2025, 6, 8)}))))
    assert [found.periods[k].id for k in found.period] == [d for d in DAYS if d != "2025-06-08"]


def test_the_latest_windows_are_searched_as_many_as_set() -> None:
    assert [p.id for p in scan_periods(data("week", incidents(*DAYS), periods={"short_windows": 2}))] == [
        "2025-W25",
        "2025-W26",
    ]


def test_only_the_latest_recording_system_is_searched() -> None:
    breaks = {"periods": {"breaks": [{"month": "2025-06", "text": "New system"}]}}
    rows = incidents("2025-04-02", "2025-05-02", *DAYS)
    assert [p.id for p in scan_periods(data("month", rows, first="2025-04-01", **breaks))] == ["2025-06"]
    weeks = scan_periods(data("week", rows, first="2025-04-01", **breaks))
    assert [p.id for p in weeks] == ["2025-W23", "2025-W24", "2025-W25", "2025-W26"]
    ignored = {"periods": {**breaks["periods"], "ignore_breaks": True}}
    assert len(scan_periods(data("month", rows, first="2025-04-01", **ignored))) == 3


def test_what_has_no_day_or_place_is_left_out_and_counted() -> None:
    rows = pd.concat(
        [
            incidents("2025-06-10"),
            incidents("2025-06-01", "2025-06-01", date_precision="month"),
            incidents("2025-06-11", online=True),
            incidents("2025-06-12", place="ward"),
            incidents("2025-06-13", easting_m=50.0),
        ],
        ignore_index=True,
    )
    police_station = {"easting_m": 52.0, "northing_m": 2.0, "radius_m": 3.0}
    found = cases_of(data("week", rows, detect={"placeholder_locations": [police_station]}))
    assert [found.periods[k] for k in found.period] == [Period.parse("2025-W24")]
    assert found.undated == 2


@pytest.mark.parametrize(("period", "longest"), [("day", 28), ("week", 4), ("28_days", 1), ("month", 6)])
def test_how_long_a_cluster_may_last(period: str, longest: int) -> None:
    config = data(period, incidents(*DAYS)).config
    assert longest_of(config, 100) == longest
    assert longest_of(config, 3) == min(longest, 3)
    assert (Need.DAYS in METHODS[0].needs_of(config)) is (period != "month")


def test_the_scan_says_why_it_cannot_run() -> None:
    assert METHODS[0].obstacle is not None
    unknown = data("week", incidents("2025-06-01", date_precision="month"))
    assert METHODS[0].obstacle(unknown) == (
        "no incident with a point has a day in the latest 4 weeks: set detect.scan.period to month"
    )
    short = data("28_days", incidents(*DAYS))
    assert METHODS[0].obstacle(short) == "2 whole windows of 28 days are needed to compare, and the data has 1"
    assert METHODS[0].obstacle(data("week", incidents(*DAYS))) == ""


def test_a_burst_of_a_week_is_found_as_that_week() -> None:
    rng = np.random.default_rng(3)
    spread = [f"2025-06-{d:02d}" for d in rng.integers(2, 30, size=80)]
    rows = pd.concat(
        [
            incidents(*spread).assign(easting_m=530_000.0 + 1000 * rng.integers(0, 4, 80), northing_m=180_500.0),
            incidents(*[f"2025-06-{d:02d}" for d in range(16, 23)] * 4, easting_m=530_500.0, northing_m=180_500.0),
        ],
        ignore_index=True,
    )
    scan = {"simulations": 99, "max_radius_m": 400.0, "categories": ["all"]}
    given = data("week", rows, scan=scan)
    wards = gpd.GeoDataFrame({"area_code": ["W1"]}, geometry=[shapely.box(530_000, 180_000, 531_000, 181_000)])
    study = SimpleNamespace(outline=shapely.box(530_000, 180_000, 534_000, 181_000), wards=wards)
    found = METHODS[0].run(cast("DetectInput", SimpleNamespace(**vars(given), study=study)))
    every, first, *_ = found.tables["patterns/w/space_time_clusters.parquet"].to_dict("records")
    assert (every["rank"], every["observed"], every["period"]) == (0, 80 + 28, "2025-06-02..2025-06-29")
    assert first["area_codes"] == "W1"
    assert first["period"] == "2025-W25"  # Monday, 16 June to Sunday, 22 June
    assert first["observed"] >= 28
    assert first["p"] <= 0.05
