"""Dates: recognised forms, the order of day and month settled by the whole column, hours."""

import datetime as dt
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as fuzz
from hypothesis import strategies as st

from pipeline.errors import ConfigError, InputError
from pipeline.ingest.incidents.clock import read_clock, time_style
from pipeline.ingest.incidents.dates import (
    DateExam,
    DateParts,
    check_format,
    day_order,
    examine,
    parse_date,
    parse_stated,
    separator_of,
)
from tests.kit.readers import read, settings

DAYS = st.dates(min_value=date(1900, 1, 1), max_value=date(2199, 12, 31))


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2019-07-04", "2019-07-04"),
        ("2019/7/4", "2019-07-04"),
        ("2019.07.04", "2019-07-04"),
        ("20190704", "2019-07-04"),
        ("2018-05-01T00:00:00.000-07:00", "2018-05-01"),
        ("2018-05-01T23:30:00Z", "2018-05-01"),
        ("2018-05-01 23:30:00+00", "2018-05-01"),
        ("14 June 2019", "2019-06-14"),
        ("14th of June, 2019", "2019-06-14"),
        ("June 14, 2019", "2019-06-14"),
        ("Jun 14 2019", "2019-06-14"),
        ("14-Jun-2019", "2019-06-14"),
        ("Friday, June 14th, 2019", "2019-06-14"),
        ("12:45 a.m. June 14, 2019", "2019-06-14"),
        ("5 p.m. June 14, 2019", "2019-06-14"),
        ("14 Sept 2019 17:05", "2019-09-14"),
    ],
)
def test_a_day_is_read_in_every_form(text: str, iso: str) -> None:
    found = parse_date(text, day_first=None)
    assert found is not None
    assert (found.iso, found.precision) == (iso, "day")


@pytest.mark.parametrize("text", ["2018-01", "201801", "2018/01", "01/2018", "Jan 2018", "January 2018", " 2018-01 "])
def test_a_month_is_the_first_of_it_and_says_so(text: str) -> None:
    assert parse_date(text, day_first=None) == DateParts("2018-01-01", "month")


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2019-13-01", "2019-02-30", "30/02/2019", "9 p.m. June 14", "1899-12-31", "2200-01-01", "201813",
     "0000-00-00", "1/2", "June 31, 2019", "Junk 14 2019", "43466"],
)  # fmt: skip
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text, day_first=True) is None


def test_the_order_decides_what_a_numeric_date_means() -> None:
    assert parse_date("03/04/2025", day_first=True) == DateParts("2025-04-03", "day")
    assert parse_date("03/04/2025", day_first=False) == DateParts("2025-03-04", "day")
    assert parse_date("03/04/2025", day_first=None) is None
    assert parse_date("1/7/2010 0:00", day_first=False) == DateParts("2010-01-07", "day")
    assert parse_date("06/01/2019 12:00:00 AM", day_first=False) == DateParts("2019-06-01", "day")
    assert parse_date("3.4.25", day_first=True) == DateParts("2025-04-03", "day")
    assert parse_date("3-4-70", day_first=True) == DateParts("1970-04-03", "day")
    assert parse_date("3/4-2025", day_first=True) is None


@given(DAYS)
def test_what_python_writes_is_read_back(day: date) -> None:
    for form in ("%Y-%m-%d", "%Y%m%d", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%A, %d %B %Y"):
        found = parse_date(day.strftime(form), day_first=None)
        assert found is not None, day.strftime(form)
        assert found.iso == day.isoformat(), form
    for form, order in (("%d/%m/%Y", True), ("%m/%d/%Y", False)):
        found = parse_date(day.strftime(form), day_first=order)
        assert found is not None
        assert found.iso == day.isoformat()


@given(st.text(max_size=30))
@pytest.mark.slow
def test_no_text_makes_it_fail(text: str) -> None:
    for order in (True, False, None):
        found = parse_date(text, day_first=order)
        assert found is None or date.fromisoformat(found.iso).year in range(1900, 2200)
    clock = read_clock(text, "hhmm")
    assert clock is None or clock.hour in range(24)


def test_one_value_settles_the_whole_column() -> None:
    exam = examine({"03/04/2025": 500, "13/04/2025": 1, "05/05/2025": 3, "2025-01-01": 2, "": 9, "soon": 1})
    assert exam == DateExam(day_first=1, either=500, plain=5, unreadable=1, example="03/04/2025")
    assert day_order(exam, stated=None, what="x.csv") is True
    assert day_order(examine({"04/13/2025": 1, "03/04/2025": 9}), stated=None, what="x.csv") is False


def test_a_year_of_days_settles_itself() -> None:
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
    assert day_order(examine({d.strftime("%d/%m/%Y"): 1 for d in days}), stated=None, what="x.csv") is True
    assert day_order(examine({d.strftime("%m/%d/%Y"): 1 for d in days}), stated=None, what="x.csv") is False


def test_an_open_column_is_refused_and_a_setting_settles_it() -> None:
    exam = examine({"06/01/2019": 4075})
    with pytest.raises(InputError, match=r"june\.csv.*06/01/2019.*day_first.*date_format"):
        day_order(exam, stated=None, what="june.csv, column 'Epoch'")
    assert day_order(exam, stated=False, what="june.csv") is False


def test_a_column_of_both_orders_is_refused_but_a_slip_is_not() -> None:
    with pytest.raises(InputError, match="60 dates are valid only with the day first and 40 only with the month first"):
        day_order(examine({"13/04/2025": 60, "04/13/2025": 40}), stated=None, what="x.csv")
    assert day_order(examine({"13/04/2025": 995, "04/13/2025": 5}), stated=None, what="x.csv") is True


def test_dates_that_mean_one_day_need_no_order() -> None:
    assert day_order(examine({"2025-01-02": 5, "05/05/2025": 5}), stated=None, what="x.csv") is None


def test_separator_is_what_most_values_have() -> None:
    assert separator_of(["2018-05-01T00:00:00", "2018-05-02T10:00:00", "2018"]) == "T"
    assert separator_of(["06/01/2019 12:00:00 AM", "1/7/2010 0:00"]) == " "
    assert separator_of(["2018-05-01", "14 June 2019", "12:45 a.m. June 14, 2019"]) == ""
    assert separator_of([]) == ""


@pytest.mark.parametrize(
    ("text", "style", "hour"),
    [
        ("14:30", "hour", 14), ("14.30", "hour", 14), ("2:30 PM", "hour", 14), ("2.30pm", "hour", 14),
        ("12:00:00 AM", "hour", 0), ("12:45 p.m.", "hour", 12), ("2 p.m.", "hour", 14), ("0:00", "hour", 0),
        ("23:59:59.999-07:00", "hour", 23), ("24:00", "hour", 0), ("7", "hour", 7), ("24", "hour", 0),
        ("1430", "hhmm", 14), ("30", "hhmm", 0), ("915", "hhmm", 9), ("2400", "hhmm", 0), ("T07:05", "hour", 7),
        ("25", "hour", None), ("2401", "hhmm", None), ("1275", "hhmm", None), ("14:75", "hour", None),
        ("13:00 pm", "hour", None), ("noon", "hour", None), ("", "hour", None), ("-1", "hour", None),
    ],
)  # fmt: skip
def test_hours(text: str, style: str, hour: int | None) -> None:
    clock = read_clock(text, style)
    assert (clock and clock.hour) == hour


def test_bare_numbers_are_hours_only_where_the_whole_column_allows() -> None:
    assert time_style(["0", "7", "23"]) == "hour"
    assert time_style(["30", "1", "2000"]) == "hhmm"
    assert time_style(["0915", "10"]) == "hhmm"
    assert time_style(["14:30", ""]) == "hour"


def test_a_stated_format_wins_and_says_its_precision() -> None:
    assert parse_stated("03|04|2025", "%d|%m|%Y") == DateParts("2025-04-03", "day")
    assert parse_stated("2025-04", "%Y-%m") == DateParts("2025-04-01", "month")
    assert parse_stated("03/04/2025 17:20", "%d/%m/%Y %H:%M") == DateParts("2025-04-03", "day", 17)
    assert parse_stated("2025-04-03", "%d/%m/%Y") is None
    assert parse_stated("0025-04", "%Y-%m") is None


@pytest.mark.parametrize("text", ["%d %m", "dd/mm/yyyy", "%Q", "%Y"])
def test_a_format_without_year_and_month_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="date_format"):
        check_format(text)


@pytest.mark.parametrize("text", ["%d/%m/%Y", "%Y-%m", "%B %Y", "%m/%d/%y %I:%M %p", "%Y%j"])
def test_a_usable_format_passes(text: str) -> None:
    check_format(text)


# Dates as numbers: read where the whole column is plausibly that, else refused by name.


# Local times in London, in winter and in summer, late in the evening and just after midnight.
TIMES = [
    dt.datetime.fromisoformat("2024-01-31T23:30"),
    dt.datetime.fromisoformat("2024-02-29T12:00"),
    dt.datetime.fromisoformat("2024-06-30T23:30"),
    dt.datetime.fromisoformat("2024-07-01T00:30"),
    dt.datetime.fromisoformat("2025-12-31T06:15"),
] * 4
NUMBERED_DAYS = [t.date().isoformat() for t in TIMES]
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
@pytest.mark.slow
def test_numbers_are_dates_and_hours_of_local_time(
    tmp_path: Path, write: Callable[[Path, Any], Path], one: Callable[[dt.datetime], Any], label: str, *, timed: bool
) -> None:
    source = {"crs": None} if write is geojson else {}
    found = read(write(tmp_path, [one(t) for t in TIMES]), settings(source))
    assert found.rules == {}
    assert found.incidents["occurred_on"].tolist() == NUMBERED_DAYS
    assert found.incidents["hour_band"].tolist() == HOURS if timed else found.incidents["hour_band"].isna().all()
    assert label in found.report.decisions["dates"]


@pytest.mark.slow
def test_whole_days_in_utc_stay_those_days(tmp_path: Path) -> None:
    midnights = [int(pd.Timestamp(day, tz="UTC").timestamp()) * 1000 for day in NUMBERED_DAYS]
    assert read(csv(tmp_path, midnights)).incidents["occurred_on"].tolist() == NUMBERED_DAYS


@pytest.mark.slow
def test_one_slip_among_many_is_refused_alone(tmp_path: Path) -> None:
    dates = [f"{int(serial(t))}" for t in TIMES * 10]
    dates[3] = "soon"
    found = read(csv(tmp_path, dates))
    assert found.rules == {4: "date_unreadable"}


@pytest.mark.parametrize(
    ("dates", "cause"),
    [
        pytest.param(
            [f"{int(serial(t))}" for t in TIMES] + NUMBERED_DAYS,
            "spreadsheet serial numbers",
            id="half serials",
        ),
        pytest.param(
            [f"{int(epoch(t))}000" for t in TIMES] + NUMBERED_DAYS, "milliseconds since 1970", id="half epochs"
        ),
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


@pytest.mark.slow
@fuzz(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dates(dt.date(1990, 1, 1), dt.date(2025, 12, 31)), min_size=1, max_size=30))
def test_any_days_come_back_from_their_serial_numbers(tmp_path: Path, days: list[dt.date]) -> None:
    numbers = [(day - dt.date(1899, 12, 30)).days for day in days]
    assert read(csv(tmp_path, numbers)).incidents["occurred_on"].tolist() == [d.isoformat() for d in days]
