"""Dates as numbers: read where the whole column is plausibly that, else refused by name."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as fuzz
from hypothesis import strategies as st

from tests.kit.readers import read, settings

# Local times in London, in winter and in summer, late in the evening and just after midnight.
TIMES = [
    dt.datetime.fromisoformat("2024-01-31T23:30"),
    dt.datetime.fromisoformat("2024-02-29T12:00"),
    dt.datetime.fromisoformat("2024-06-30T23:30"),
    dt.datetime.fromisoformat("2024-07-01T00:30"),
    dt.datetime.fromisoformat("2025-12-31T06:15"),
] * 4
DAYS = [t.date().isoformat() for t in TIMES]
HOURS = [t.hour for t in TIMES]


def serial(time: dt.datetime) -> float:
    return (time - dt.datetime.fromisoformat("1899-12-30")) / dt.timedelta(days=1)


def epoch(time: dt.datetime) -> float:
    return pd.Timestamp(time, tz="Europe/London").timestamp()


def rows(dates: Any) -> pd.DataFrame:
    return pd.DataFrame({"id": range(len(dates)), "date": list(dates), "easting": 530_500, "northing": 180_500})


def csv(folder: Path, dates: Any) -> Path:
    rows(dates).to_csv(folder / "rows.csv", index=False)
    return folder / "rows.csv"


def parquet(folder: Path, dates: Any) -> Path:
    rows(dates).to_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def geojson(folder: Path, dates: Any) -> Path:
    shapes = gpd.points_from_xy([530_500] * len(dates), [180_500] * len(dates))
    frame = gpd.GeoDataFrame(rows(dates).drop(columns=["easting", "northing"]), geometry=shapes, crs="EPSG:27700")
    frame.to_crs("EPSG:4326").to_file(folder / "rows.geojson", driver="GeoJSON")
    return folder / "rows.geojson"


NUMBERS = [
    pytest.param(lambda t: f"{serial(t):.9f}", "serial", True, id="serials with time"),
    pytest.param(lambda t: f"{serial(t):.9f}".replace(".", ","), "serial", True, id="serials with a decimal comma"),
    pytest.param(lambda t: int(serial(t)), "serial", False, id="serials"),
    pytest.param(lambda t: f"{int(serial(t))}.0", "serial", False, id="serials with .0"),
    pytest.param(lambda t: int(epoch(t)), "seconds since 1970", True, id="seconds"),
    pytest.param(lambda t: int(epoch(t)) * 1000 + 7, "milliseconds since 1970", True, id="milliseconds"),
    pytest.param(lambda t: int(epoch(t)) * 10**6, "microseconds since 1970", True, id="microseconds"),
    pytest.param(lambda t: int(epoch(t)) * 10**9, "nanoseconds since 1970", True, id="nanoseconds"),
]


@pytest.mark.parametrize(("one", "label", "timed"), NUMBERS)
@pytest.mark.parametrize("write", [csv, parquet, geojson])
def test_numbers_are_dates_and_hours_of_local_time(
    tmp_path: Path, write: Callable[[Path, Any], Path], one: Callable[[dt.datetime], Any], label: str, *, timed: bool
) -> None:
    source = {"crs": None} if write is geojson else {}
    found = read(write(tmp_path, [one(t) for t in TIMES]), settings(source))
    assert found.rules == {}
    assert found.incidents["occurred_on"].tolist() == DAYS
    assert found.incidents["hour_band"].tolist() == HOURS if timed else found.incidents["hour_band"].isna().all()
    assert label in found.report.decisions["dates"]


def test_whole_days_in_utc_stay_those_days(tmp_path: Path) -> None:
    midnights = [int(pd.Timestamp(day, tz="UTC").timestamp()) * 1000 for day in DAYS]
    assert read(csv(tmp_path, midnights)).incidents["occurred_on"].tolist() == DAYS


def test_one_slip_among_many_is_refused_alone(tmp_path: Path) -> None:
    dates = [f"{int(serial(t))}" for t in TIMES * 10]
    dates[3] = "soon"
    found = read(csv(tmp_path, dates))
    assert found.rules == {4: "date_unreadable"}


@pytest.mark.parametrize(
    ("dates", "cause"),
    [
        pytest.param([f"{int(serial(t))}" for t in TIMES] + DAYS, "spreadsheet serial numbers", id="half serials"),
        pytest.param([f"{int(epoch(t))}000" for t in TIMES] + DAYS, "milliseconds since 1970", id="half epochs"),
        pytest.param(["57000"] * 20, "spreadsheet serial numbers", id="serials of 2056"),
    ],
)
def test_numbers_that_are_not_plainly_dates_are_refused_by_name(tmp_path: Path, dates: list[str], cause: str) -> None:
    found = read(csv(tmp_path, dates))
    (fault,) = found.report.faults
    assert (fault["rule"], fault["column"], fault["rows"]) == ("date_unreadable", "date", 20)
    assert cause in fault["cause"]
    assert "yyyy-mm-dd" in fault["cause"]


@pytest.mark.parametrize("text", ["20240131", "202401", "2024-01-31"])
def test_dates_written_as_digits_stay_dates(tmp_path: Path, text: str) -> None:
    found = read(csv(tmp_path, [text] * 20))
    assert set(found.incidents["occurred_on"]) <= {"2024-01-31", "2024-01-01"}


def test_a_stated_format_wins(tmp_path: Path) -> None:
    found = read(csv(tmp_path, ["45294"] * 5), settings({"date_format": "%Y-%m-%d"}))
    assert set(found.rules.values()) == {"date_unreadable"}


@fuzz(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dates(dt.date(1990, 1, 1), dt.date(2025, 12, 31)), min_size=1, max_size=30))
def test_any_days_come_back_from_their_serial_numbers(tmp_path: Path, days: list[dt.date]) -> None:
    numbers = [(day - dt.date(1899, 12, 30)).days for day in days]
    assert read(csv(tmp_path, numbers)).incidents["occurred_on"].tolist() == [d.isoformat() for d in days]
