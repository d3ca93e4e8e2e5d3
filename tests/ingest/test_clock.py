"""Times of day and local time: offsets, both changes of clocks, 24:00, and dates saved as times."""

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import parse_config
from pipeline.errors import ConfigError
from pipeline.geography.areas import AreaIndex
from pipeline.geography.projection import project_geometries
from pipeline.ingest import AreaLookup, ReadJob, read_incidents
from pipeline.ingest.incidents.clock import Clock, LocalTime, local_time, read_clock

ZONES = (
    "Europe/London",
    "Europe/Dublin",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
)


CONFIG = """
run: {name: t}
areas:
  wards: {path: wards.geojson, code: code, name: name, parent_code: parent, parent_name: parent}
incidents:
  - {name: police, paths: [in.csv], crs: "EPSG:27700"}
"""
EARLIEST, LATEST = (int(dt.datetime(year, 1, 2, tzinfo=dt.UTC).timestamp()) for year in (1900, 2199))


def shown(zone: str, instants: list[int]) -> list[int]:
    """Return what local clocks show, as the standard library has it."""
    local = [dt.datetime.fromtimestamp(t, ZoneInfo(zone)).replace(tzinfo=dt.UTC) for t in instants]
    return [round(t.timestamp()) for t in local]


@pytest.mark.parametrize(
    ("text", "seconds", "offset"),
    [
        ("23:30:00Z", 84_600, 0), ("23:30z", 84_600, 0), ("23:30:00.123456+00:00", 84_600, 0),
        ("23:30:00,5 UTC", 84_600, 0), ("23:30 GMT", 84_600, 0), ("23:30:00+02:00", 84_600, 7200),
        ("23:30:00+0530", 84_600, 19_800), ("23:30:00 -04", 84_600, -14_400), ("233000Z", 84_600, 0),
        ("2330+0100", 84_600, 3600), ("11:30:00 PM +01:00", 84_600, 3600), ("23:30 GMT+0100", 84_600, 3600),
        ("T23:30:00+01:00[Europe/London]", 84_600, 3600), ("24:00", 86_400, None), ("24:00:00Z", 86_400, 0),
        # Names of zones are those of several, and no place is 23 hours from UTC: the time is local.
        ("23:30:00 BST", 84_600, None), ("23:30 AEST", 84_600, None), ("23:30:00+23:00", 84_600, None),
        ("23:30:00", 84_600, None), ("23:59:60Z", 86_399, 0),
    ],
)  # fmt: skip
def test_a_time_is_read_with_its_offset(text: str, seconds: int, offset: int | None) -> None:
    assert read_clock(text, "hhmm") == Clock(seconds, offset)


@pytest.mark.parametrize("text", ["24:30", "25:00Z", "12:60Z", "23:30:61Z", "Z", "+01:00", "noon Z"])
def test_what_is_no_time_has_no_offset_either(text: str) -> None:
    assert read_clock(text, "hhmm") is None


@pytest.mark.slow
@given(st.sampled_from(ZONES), st.lists(st.integers(EARLIEST, LATEST), max_size=20))
@settings(deadline=None)  # the changes of clocks of a year are looked up once
def test_local_time_is_that_of_the_standard_library(zone: str, instants: list[int]) -> None:
    assert LocalTime(zone).seconds(np.array(instants, dtype=np.int64)).tolist() == shown(zone, instants)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.slow
def test_local_time_holds_to_the_second_where_clocks_change(zone: str) -> None:
    for year in (1941, 1968, 1971, 2024, 2030):
        first = int(dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp())
        hours = np.arange(first, first + 366 * 86_400, 1800)
        instants = np.sort(np.concatenate([hours - 1, hours]))
        assert LocalTime(zone).seconds(instants).tolist() == shown(zone, instants.tolist())


@pytest.mark.parametrize(
    ("working", "zone"),
    [
        ("EPSG:27700", "Europe/London"), ("epsg:27700", "Europe/London"), ("EPSG:2157", "Europe/Dublin"),
        ("EPSG:29902", "Europe/Dublin"), ("EPSG:32630", ""), ("EPSG:3857", ""), ("EPSG:25830", ""),
    ],
)  # fmt: skip
def test_a_working_system_of_one_country_says_its_zone(working: str, zone: str) -> None:
    given_settings = yaml.safe_load(CONFIG)
    given_settings["crs"] = {"working": working}
    assert local_time(parse_config(given_settings)).name == zone
    given_settings["run"]["time_zone"] = "America/Chicago"
    assert local_time(parse_config(given_settings)).name == "America/Chicago"


@cache
def town(working: str) -> AreaLookup:
    """A ward of 1.5 km in a working system."""
    shapes = project_geometries(
        np.array([shapely.box(528_000, 180_000, 529_500, 181_500)], dtype=object), source="EPSG:27700", working=working
    )
    west, south, east, north = (float(v) for v in shapely.total_bounds(shapes))
    index = AreaIndex.build(shapes, ["W1"], cell_m=50, snap_m=25)
    return AreaLookup(("W1",), ("Northby",), {"Northby": "Northby"}, (west, south, east, north), index)


def read(folder: Path, path: Path, columns: dict[str, str], **changes: Any) -> pd.DataFrame:
    """Read one file of incidents."""
    folder.mkdir(exist_ok=True)
    given_settings = yaml.safe_load(CONFIG)
    given_settings["run"].update(changes.pop("run", {}))
    given_settings["crs"] = {"working": changes.pop("working", "EPSG:27700")}
    given_settings["incidents"][0].update(columns=columns, last_date="2030-01-01", **changes)
    config = parse_config(given_settings)
    read_incidents(
        ReadJob(
            path=path,
            source=config.incidents[0],
            config=config,
            areas=town(config.crs.working),
            out=folder / "part.parquet",
            quarantine_out=folder / "refused.parquet",
            salt=b"salt",
            label="police/x",
            today="2030-01-01",
        )
    )
    return pd.read_parquet(folder / "part.parquet")


def csv(folder: Path, texts: list[str], **more: list[str]) -> Path:
    path = folder / "in.csv"
    pd.DataFrame({"at": texts, **more, "easting": 528_100, "northing": 180_100}).to_csv(path, index=False)
    return path


PLACE = {"x": "easting", "y": "northing"}
NOON = "2024-02-15T12:00:00Z"


@pytest.mark.parametrize(
    ("text", "day", "hour"),
    [
        # The clocks of London go forward on 31 March 2024 and back on 27 October 2024, both at 01:00 UTC.
        ("2024-03-31T00:59:59Z", "2024-03-31", 0), ("2024-03-31T01:00:00Z", "2024-03-31", 2),
        ("2024-10-27T00:59:59Z", "2024-10-27", 1), ("2024-10-27T01:00:00Z", "2024-10-27", 1),
        ("2024-10-27T02:00:00Z", "2024-10-27", 2), ("2024-03-31T23:00:00Z", "2024-04-01", 0),
        ("2024-06-30T19:30:00-04:00", "2024-07-01", 0), ("2024-07-01T00:29:00+01:30", "2024-06-30", 23),
        ("2024-12-31T23:59:59Z", "2024-12-31", 23), ("2023-12-31T23:00:00-01:00", "2024-01-01", 0),
        ("20240630T233000Z", "2024-07-01", 0), ("2024-06-30 23:30:00+00", "2024-07-01", 0),
        ("2024-06-30T24:00:00Z", "2024-07-01", 1), ("Sun, 30 Jun 2024 23:30:00 +0000", "2024-07-01", 0),
        ("2024-06-30t23:30:00z", "2024-07-01", 0),
    ],
)  # fmt: skip
def test_an_instant_has_one_local_day_and_hour(tmp_path: Path, text: str, day: str, hour: int) -> None:
    kept = read(tmp_path, csv(tmp_path, [NOON, NOON, text]), {"date": "at", **PLACE})
    assert kept.loc[2, ["occurred_on", "month", "hour_band"]].tolist() == [day, int(day[:7].replace("-", "")), hour]
    assert kept.loc[0, ["occurred_on", "hour_band"]].tolist() == ["2024-02-15", 12]


@pytest.mark.parametrize(
    ("day", "time", "local"),
    [
        ("2024-06-30", "23:30Z", ("2024-07-01", 0)), ("2024-06-30", "24:00", ("2024-07-01", 0)),
        ("2023-12-31", "24:00:00", ("2024-01-01", 0)), ("2024-02-29", "2400", ("2024-03-01", 0)),
        ("30/06/2024", "22:30:00-01:00", ("2024-07-01", 0)), ("2024-06-30", "23:30", ("2024-06-30", 23)),
        ("2024-06-30T00:00:00Z", "23:30", ("2024-06-30", 23)),
    ],
)  # fmt: skip
def test_a_column_of_times_moves_its_date(tmp_path: Path, day: str, time: str, local: tuple[str, int]) -> None:
    kept = read(tmp_path, csv(tmp_path, [day] * 2, clock=[time, "0915"]), {"date": "at", "time": "clock", **PLACE})
    assert (kept.loc[0, "occurred_on"], kept.loc[0, "hour_band"]) == local
    assert kept.loc[1, "hour_band"] == 9


def test_a_month_does_not_move(tmp_path: Path) -> None:
    kept = read(
        tmp_path, csv(tmp_path, ["2024-06"] * 2, clock=["24:00", "23:30Z"]), {"date": "at", "time": "clock", **PLACE}
    )
    assert kept["occurred_on"].tolist() == ["2024-06-01"] * 2


def test_the_day_of_recording_is_local_too(tmp_path: Path) -> None:
    path = csv(tmp_path, ["2024-06-01", "2024-06-02"], seen=["2024-06-30T23:30:00Z", "2024-06-05T10:00:00Z"])
    kept = read(tmp_path, path, {"date": "at", "recorded": "seen", **PLACE})
    assert kept["recorded_on"].tolist() == ["2024-07-01", "2024-06-05"]


@pytest.mark.parametrize("midnight", ["{}T00:00:00Z", "{} 00:00:00+00", "{}T00:00:00.000-07:00", "{}T00:00:00"])
def test_midnight_in_every_row_is_a_date_as_written(tmp_path: Path, midnight: str) -> None:
    # West of UTC such dates would all move to the day before, and the first of a month to the month before.
    days = [f"2024-{m:02d}-01" for m in range(1, 13)]
    path = csv(tmp_path, [midnight.format(d) for d in days])
    kept = read(tmp_path, path, {"date": "at", **PLACE}, run={"time_zone": "America/Chicago"})
    assert kept["occurred_on"].tolist() == days
    assert kept["hour_band"].isna().all()


def test_local_midnight_saved_in_utc_is_a_date_without_an_hour(tmp_path: Path) -> None:
    texts = ["2024-05-31T23:00:00Z", "2024-06-30T23:00:00Z", "2024-12-01T00:00:00Z"]
    kept = read(tmp_path, csv(tmp_path, texts), {"date": "at", **PLACE})
    assert kept["occurred_on"].tolist() == ["2024-06-01", "2024-07-01", "2024-12-01"]
    assert kept["hour_band"].isna().all()


@pytest.mark.parametrize("late", ["2024-06-30T23:30:00Z", "2024-07-01T00:30:00+01:00", "2024-06-30T20:00:00-03:30"])
@pytest.mark.slow
def test_an_offset_that_comes_late_is_heeded_like_an_early_one(tmp_path: Path, late: str) -> None:
    texts = ["2024-02-15T00:00:00Z"] * 1500 + [late]
    kept = read(tmp_path, csv(tmp_path, texts), {"date": "at", **PLACE})
    assert (kept["occurred_on"].iloc[-1], kept["hour_band"].iloc[-1]) == ("2024-07-01", 0)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%d/%m/%Y %H:%M:%S%z", "30/06/2024 23:30:00+0000"), ("%Y-%m-%dT%H:%M:%SZ", "2024-06-30T23:30:00Z"),
        ("%d/%m/%Y %H:%M %z", "30/06/2024 19:30 -0400"),
    ],
)  # fmt: skip
def test_a_stated_format_may_read_the_offset(tmp_path: Path, form: str, text: str) -> None:
    kept = read(tmp_path, csv(tmp_path, [text]), {"date": "at", **PLACE}, date_format=form)
    assert kept.loc[0, ["occurred_on", "hour_band"]].tolist() == ["2024-07-01", 0]


INSTANTS = [dt.datetime(2024, 6, 30, 23, 30, tzinfo=dt.UTC), dt.datetime(2024, 2, 15, 12, tzinfo=dt.UTC)]


def stamped(zone: str | None, unit: str) -> Any:
    naive = pd.Series(INSTANTS).dt.tz_convert(zone or "Europe/London")
    return pa.array((naive if zone else naive.dt.tz_localize(None)).dt.as_unit(unit))


@pytest.mark.parametrize("geo", [False, True])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", None])
def test_parquet_gives_the_same_days(tmp_path: Path, zone: str | None, unit: str, *, geo: bool) -> None:
    path = tmp_path / "in.parquet"
    if geo:
        shapes = [shapely.Point(528_100, 180_100)] * 2
        gpd.GeoDataFrame({"at": stamped(zone, unit).to_pandas()}, geometry=shapes, crs="EPSG:27700").to_parquet(path)
    else:
        table = {"at": stamped(zone, unit), "easting": [528_100.0] * 2, "northing": [180_100.0] * 2}
        pq.write_table(pa.table(table), path)
    kept = read(tmp_path, path, {"date": "at"} if geo else {"date": "at", **PLACE})
    assert kept["occurred_on"].tolist() == ["2024-07-01", "2024-02-15"]
    assert kept["hour_band"].tolist() == [0, 12]


def test_times_of_day_in_parquet_are_local_however_they_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    table = pa.table(
        {
            "at": pa.array([dt.date(2024, 6, 30)] * 2),
            "clock": pa.array([dt.time(23, 30), dt.time(1)]),
            "easting": [528_100.0] * 2,
            "northing": [180_100.0] * 2,
        }
    )
    pq.write_table(table, path, write_time_adjusted_to_utc=True)
    kept = read(tmp_path, path, {"date": "at", "time": "clock", **PLACE})
    assert kept[["occurred_on", "hour_band"]].to_numpy().tolist() == [["2024-06-30", 23], ["2024-06-30", 1]]


@pytest.mark.parametrize("driver", ["gpkg", "geojson"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", None])
def test_map_files_give_the_same_days(tmp_path: Path, driver: str, zone: str | None) -> None:
    path = tmp_path / f"in.{driver}"
    shapes = [shapely.Point(-0.152, 51.508)] * 2
    gpd.GeoDataFrame({"at": stamped(zone, "ms").to_pandas()}, geometry=shapes, crs="EPSG:4326").to_file(path)
    kept = read(tmp_path, path, {"date": "at"}, crs=None)
    assert kept["occurred_on"].tolist() == ["2024-07-01", "2024-02-15"]
    assert kept["hour_band"].tolist() == [0, 12]


@pytest.mark.parametrize("column", ["date", "time", "recorded"])
def test_an_unknown_zone_is_asked_for_with_the_column_and_a_value(tmp_path: Path, column: str) -> None:
    texts = {"date": ["2024-06-30T23:30:00Z"] * 2, "time": ["23:30Z"] * 2, "recorded": ["2024-06-30T23:30:00Z"] * 2}
    more = {} if column == "date" else {column: texts[column]}
    path = csv(tmp_path, texts["date"] if column == "date" else ["2024-06-30"] * 2, **more)
    with pytest.raises(ConfigError, match=r"in\.csv.*23:30.*run\.time_zone") as error:
        read(
            tmp_path,
            path,
            {"date": "at", **({} if column == "date" else {column: column}), **PLACE},
            working="EPSG:32630",
        )
    assert error.value.exit_code == 2
