"""Incidents between two times: shared over the hours of the week in whole units, dated by the middle, counted."""

from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate import reduce
from pipeline.aggregate.circumstances import INTERVAL_UNITS, TOTAL, WEEKDAYS, window_counts
from pipeline.config import parse_config
from pipeline.domain.periods import Period
from pipeline.errors import ConfigError
from pipeline.ingest.incidents.read import incidents_schema
from pipeline.statistics.aoristic import UNITS, WEEK_BANDS, week_units, whole_incidents
from tests.kit.readers import Read, read, write
from tests.kit.readers import settings as kit_settings

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 local time


def by_minute(start: datetime, minutes: int) -> dict[int, Fraction]:
    """Share an incident by walking over its minutes: band of the week to share."""
    found: dict[int, Fraction] = {}
    for n in range(minutes):
        at = start + timedelta(minutes=n)
        band = at.weekday() * 8 + at.hour // 3
        found[band] = found.get(band, Fraction(0)) + Fraction(1, minutes)
    return found


def minutes_of(at: datetime) -> int:
    return (at - EPOCH) // timedelta(minutes=1)


@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1969, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
            st.integers(1, 7 * 1440),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=40, deadline=None)
@pytest.mark.slow
def test_units_are_the_shares_of_minutes(incidents: list[tuple[datetime, int]]) -> None:
    whole = [(at.replace(second=0, microsecond=0), minutes) for at, minutes in incidents]
    units = week_units([minutes_of(at) for at, _ in whole], [m for _, m in whole])
    assert (units >= 0).all()
    assert (units.sum(axis=1) == UNITS).all()
    for row, (at, minutes) in zip(units, whole, strict=True):
        right = by_minute(at, minutes)
        # A band that is met at both ends of a week is rounded twice.
        assert all(abs(int(n) - UNITS * right.get(band, 0)) < 2 for band, n in enumerate(row))
        if UNITS % minutes == 0:
            assert {b: Fraction(int(n), UNITS) for b, n in enumerate(row) if n} == right


def test_an_hour_is_shared_by_its_minutes_not_by_the_hours_it_touches() -> None:
    # As the R package aoristic has it since version 1.0: 55 of 60 minutes are in the later part, not half of them.
    start = minutes_of(datetime(2025, 1, 6, 11, 55))  # noqa: DTZ001
    assert {int(b): int(n) for b, n in enumerate(week_units([start], [60])[0]) if n} == {3: 120, 4: 1320}


def test_whole_incidents_keep_their_number() -> None:
    rng = np.random.default_rng(7)
    units = week_units(rng.integers(0, 10**7, 500), rng.integers(1, 10_080, 500)).reshape(5, 100, -1).sum(axis=1)
    whole = whole_incidents(units)
    assert whole.sum(axis=1).tolist() == [100] * 5
    assert (np.abs(whole - units / UNITS) < 1).all()
    assert whole_incidents(np.zeros((2, 3))).sum() == 0


# From a file to counts.

HEAD = "start,end,easting,northing,strand\n"
COLUMNS = {"from": "start", "to": "end", "x": "easting", "y": "northing", "category": "strand"}
YEAR = Period.parse("2025-01..2025-12")


def read_between(folder: Path, lines: list[str], **source: Any) -> Read:
    text = HEAD + "".join(f"{line},530500,180500,race\n" for line in lines)
    return read(write(folder, text), kit_settings({"columns": COLUMNS, **source}))


def rows_of(folder: Path, lines: list[str], **source: Any) -> pd.DataFrame:
    return pd.read_parquet(read_between(folder, lines, **source).part)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (("31/01/2025", "20:00"), ("01/02/2025", "08:00")),
        (("31/01/2025", "2000"), ("01/02/2025", "0800")),
        (("2025-01-31 00:00:00", "20:00:00"), ("2025-02-01 00:00:00", "08:00:00")),
    ],
)
def test_ends_may_have_their_times_in_columns_of_their_own(
    tmp_path: Path, first: tuple[str, str], last: tuple[str, str]
) -> None:
    columns = {**COLUMNS, "from": "d1", "from_time": "t1", "to": "d2", "to_time": "t2"}
    lines = [(*first, *last), (*first, last[0], ""), (*first, last[0], "late")]
    text = "d1,t1,d2,t2,easting,northing,strand\n" + "".join(f"{','.join(x)},530500,180500,race\n" for x in lines)
    found = read(write(tmp_path, text), kit_settings({"columns": columns, "day_first": True}))
    rows = pd.read_parquet(found.part)
    # 31 January 20:00 to 1 February 08:00, as in one column; without the second time the end is the day alone.
    assert rows["occurred_on"].tolist() == ["2025-02-01", "2025-02-01", "2025-02-01"]
    assert [None if pd.isna(v) else int(v) for v in rows["interval_minutes"]] == [720, None, None]
    assert rows["interval_start"].iloc[0] == minutes_of(datetime(2025, 1, 31, 20, 0))  # noqa: DTZ001
    assert found.report.intervals == {"shared_over_hours": 1, "without_times": 2}
    assert found.report.unreadable == {"to_time": 1}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"from": "a", "to": "b", "from_time": "c"}, "give both `from_time` and `to_time`"),
        ({"date": "a", "from_time": "c", "to_time": "d"}, "belong to `from` and `to`"),
    ],
)
def test_times_of_both_ends_are_needed_together(columns: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        kit_settings({"columns": columns})


@pytest.mark.parametrize(
    ("line", "date", "precision", "hour", "minutes", "counted"),
    [
        # The month of the middle: 31 January 20:00 to 1 February 08:00 is in the middle at 02:00.
        ("2025-01-31 20:00,2025-02-01 08:00", "2025-02-01", "day", None, 720, "shared_over_hours"),
        ("2025-01-31 18:00,2025-02-01 05:00", "2025-01-31", "day", None, 660, "shared_over_hours"),
        # Within one band of three hours the hour is known, by the middle.
        ("2025-01-01 09:00,2025-01-01 12:00", "2025-01-01", "day", 10, 180, "shared_over_hours"),
        ("2025-01-01 09:00,2025-01-01 12:01", "2025-01-01", "day", None, 181, "shared_over_hours"),
        # Over a day: the day is not known.
        ("2025-01-30 09:00,2025-02-02 09:00", "2025-01-01", "month", None, 4320, "shared_over_hours"),
        ("2025-01-31 09:00,2025-02-03 09:00", "2025-02-01", "month", None, 4320, "shared_over_hours"),
        ("2025-01-01 09:30,2025-01-01 09:30", "2025-01-01", "day", 9, None, "zero_length"),
        ("2025-03-01 09:00,2025-02-01 08:00", "2025-03-01", "month", None, None, "reversed"),
        ("2025-01-01 09:00,2025-01-08 09:01", "2025-01-01", "month", None, None, "longer_than_limit"),
        ("2025-01-01 09:00,", "2025-01-01", "day", 9, None, "no_to"),
        (",2025-02-11 09:00", "2025-02-01", "month", None, None, "no_from"),
        ("2025-01-31,2025-02-01", "2025-02-01", "month", None, None, "without_times"),
        ("2025-01-05,2025-01-05", "2025-01-05", "day", None, None, "without_times"),
    ],
)
def test_an_incident_is_dated_by_the_middle(  # noqa: PLR0917 one row of the table each
    tmp_path: Path, line: str, date: str, precision: str, hour: int | None, minutes: int | None, counted: str
) -> None:
    # Two more rows, so that the columns have times of day.
    more = ["2025-06-01 10:30,2025-06-01 13:30", "2025-06-02 10:30,2025-06-02 12:45"]
    found = read_between(tmp_path, [line, *more])
    row = pd.read_parquet(found.part).iloc[0]
    values = [row["occurred_on"], row["date_precision"], row["hour_band"], row["interval_minutes"]]
    assert [None if pd.isna(v) else v for v in values] == [date, precision, hour, minutes]
    assert row["month"] == int(date[:4]) * 100 + int(date[5:7])
    right = {"shared_over_hours": 2}
    right[counted] = right.get(counted, 0) + 1
    assert found.report.intervals == right
    assert (found.report.rows_read, found.report.incidents) == (3, 3)


def test_blank_and_unreadable_times_keep_their_rules(tmp_path: Path) -> None:
    found = read_between(tmp_path, [",", "soon,2025-01-01 10:00", "2025-01-01 10:00,later", "2025-01-01 09:15,"])
    assert found.report.quarantined == {"date_missing": 1, "date_unreadable": 1}
    assert found.report.unreadable == {"to": 1}
    assert found.report.intervals == {"no_to": 2}


@pytest.mark.slow
def test_other_ways_to_write_times_have_the_same_minutes(tmp_path: Path) -> None:
    right = rows_of(tmp_path, ["2025-07-01 21:45,2025-07-02 06:10"])[["interval_start", "interval_minutes"]]
    assert right.to_numpy().tolist() == [[minutes_of(datetime(2025, 7, 1, 21, 45)), 505]]  # noqa: DTZ001
    for line, source in (
        ("01/07/2025 21:45,02/07/2025 06:10", {"date_format": "%d/%m/%Y %H:%M"}),
        ("13/07/2025 21:45,14/07/2025 06:10", {}),
        ("2025-07-01T20:45:00Z,2025-07-02T05:10:00Z", {}),
        ("1 July 2025 21:45,2 July 2025 06:10", {}),
    ):
        found = rows_of(tmp_path, [line], **source)[["interval_start", "interval_minutes"]]
        shift = 12 * 1440 if line.startswith("13") else 0
        assert (found["interval_start"] - shift).tolist() == right["interval_start"].tolist(), line
        assert found["interval_minutes"].tolist() == [505]


@pytest.mark.slow
def test_the_grid_of_the_week_shares_and_other_variables_state_only_what_is_known(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    lines, shares = [], {}
    for _ in range(60):
        start = datetime(2025, 3, 1) + timedelta(minutes=int(rng.integers(0, 20 * 1440)))  # noqa: DTZ001
        minutes = int(rng.integers(1, 2 * 1440))
        lines.append(f"{start:%Y-%m-%d %H:%M},{start + timedelta(minutes=minutes):%Y-%m-%d %H:%M}")
        for band, share in by_minute(start, minutes).items():
            shares[band] = shares.get(band, 0) + share
    instants = ["2025-03-03 10:15,2025-03-03 10:15"] * 5  # Mondays
    facets = reduce.reduce_facets([reduce.count_facets(read_between(tmp_path, [*lines, *instants]).part)])
    units = facets[(facets["facet"] == INTERVAL_UNITS) & (facets["category"] == "all")]
    assert int(units["incidents"].sum()) == 60 * UNITS
    for value, n in zip(units["value"], units["incidents"], strict=True):
        day, hour = map(int, str(value).split(" "))
        assert abs(n / UNITS - float(shares[(day - 1) * 8 + hour // 3])) < 60 / UNITS
    found = window_counts(facets, YEAR, region_code="R")
    mine = found[(found["category"] == "all") & (found["area_code"] == "R")]
    counts = {q: rows.set_index("answer")["incidents"] for q, rows in mine.groupby("question")}
    assert INTERVAL_UNITS not in counts
    total = int(counts[TOTAL].sum())
    grid = counts["weekday_hour"]
    assert (total, int(grid.sum()), int(grid["not stated"])) == (65, 65, 0)
    exact = float(shares.get(3, 0)) + 5
    assert abs(int(grid[f"{WEEKDAYS[0]}, 09:00 to 11:59"]) - exact) < 1.1
    # By hand: a weekday is stated if both ends are on one day, an hour band if both are in one band.
    days = bands = 5
    for line in lines:
        a, b = (datetime.fromisoformat(t) for t in line.split(","))
        last = b - timedelta(minutes=1)
        days += a.date() == last.date()
        bands += (a.date(), a.hour // 3) == (last.date(), last.hour // 3)
    assert total - int(counts["weekday"]["not stated"]) == days
    assert total - int(counts["hour_band"]["not stated"]) == bands


@pytest.mark.slow
def test_the_database_shares_as_the_formula_does(tmp_path: Path) -> None:
    lines = [
        "1969-12-30 22:00,1970-01-02 03:30",
        "2024-02-28 23:59,2024-03-01 00:01",
        "2025-01-05 00:00,2025-01-12 00:00",
    ]
    part = read_between(tmp_path, lines).part
    facets = reduce.count_facets(part)
    mine = facets[(facets["facet"] == INTERVAL_UNITS) & (facets["category"] == "all")]
    found = np.zeros(WEEK_BANDS, dtype=np.int64)
    for value, n in zip(mine["value"], mine["incidents"], strict=True):
        day, hour = map(int, str(value).split(" "))
        found[(day - 1) * 8 + hour // 3] += n
    rows = pd.read_parquet(part)
    assert found.tolist() == week_units(rows["interval_start"], rows["interval_minutes"]).sum(axis=0).tolist()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"from": "a"}, "give both `from` and `to`"),
        ({"from": "a", "to": "b", "date": "c", "time": "d"}, "leave out date and time"),
        ({"start": "a"}, "unknown key"),
        ({"form": "a"}, 'did you mean "from"'),
    ],
)
def test_contradictions_are_refused(columns: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_config({"areas": {"wards": {"path": "w.gpkg"}}, "incidents": [{"paths": ["x"], "columns": columns}]})


def test_settings_can_be_read_back() -> None:
    found = kit_settings({"columns": COLUMNS, "header_row": 4})
    assert parse_config(found.settings()) == found


def test_a_file_without_intervals_has_none(tmp_path: Path) -> None:
    text = "date,easting,northing\n2025-01-01 10:15,530500,180500\n"
    found = read(write(tmp_path, text))
    rows = pd.read_parquet(found.part)
    assert rows["interval_minutes"].isna().all()
    assert {"interval_start", "interval_minutes"} <= set(incidents_schema().names)
    assert found.report.intervals == {}
