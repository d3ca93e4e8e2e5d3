"""When rows fail: which column, which rule, how many, three values as they came, and what is probably behind it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest

from pipeline.errors import QualityError
from pipeline.ingest import merged_faults, require_kept
from tests.kit.readers import Read, read, settings

EAST = 530_010.0 + (np.arange(60) * 331.3) % 1980
NORTH = 180_010.0 + (np.arange(60) * 577.7) % 1980
LON, LAT = pyproj.Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True).transform(EAST, NORTH)


def rows(**columns: Any) -> pd.DataFrame:
    base = {"id": range(60), "date": "2025-03-04", "easting": EAST, "northing": NORTH}
    return pd.DataFrame(base | columns)


def tried(folder: Path, frame: pd.DataFrame, **source: Any) -> Read:
    frame.to_csv(folder / "rows.csv", index=False)
    return read(folder / "rows.csv", settings(source))


FAULTS = [
    pytest.param({"date": [f"week {i}" for i in range(60)]}, "date_unreadable", "date", "date_format", id="date"),
    pytest.param({"date": ["soon"] * 60}, "date_unreadable", "date", "missing_values", id="one word"),
    pytest.param({"date": [""] * 60}, "date_missing", "date", "columns.date", id="no date"),
    pytest.param({"date": ["2031-01-01"] * 60}, "date_future", "date", "last_date", id="future"),
    pytest.param({"easting": [f"{x:.0f};" for x in EAST]}, "coordinates_unreadable", "easting", "numbers", id="x"),
    pytest.param({"northing": ["unknown"] * 60}, "coordinates_unreadable", "northing", "missing_values", id="y"),
    pytest.param({"easting": ["SW1A 1AA"] * 60}, "coordinates_unreadable", "easting", "postcodes", id="postcode"),
    pytest.param({"easting": ["TQ 2981 8046"] * 60}, "coordinates_unreadable", "easting", "grid_reference", id="grid"),
    pytest.param({"easting": [f"{x:.0f},1,2" for x in EAST]}, "coordinates_unreadable", "easting", "comma", id="comma"),
    pytest.param({"northing": [""] * 60}, "coordinates_half", "northing", "both or neither", id="half"),
    pytest.param({"easting": [0] * 60, "northing": [0] * 60}, "zero", "easting and northing", "borough", id="zero"),
    pytest.param({"easting": NORTH, "northing": EAST}, "swapped", "easting and northing", "exchange", id="swapped"),
    pytest.param({"easting": EAST + 123_456}, "far", "easting and northing", "incidents[0].crs", id="far"),
]


@pytest.mark.parametrize(("columns", "rule", "column", "cause"), FAULTS)
def test_the_column_the_rule_the_number_three_values_and_the_cause_are_named(
    tmp_path: Path, columns: dict[str, Any], rule: str, column: str, cause: str
) -> None:
    frame = rows(**columns)
    (fault,) = tried(tmp_path, frame).report.faults
    assert (fault["rule"], fault["column"], fault["rows"]) == (rule, column, 60)
    assert cause in fault["cause"]
    if " and " not in column:
        as_written = dict.fromkeys(v for v in frame[column].astype(str) if v)
        assert fault["examples"] == list(as_written)[:3]


def test_each_column_has_its_own_number(tmp_path: Path) -> None:
    east, north = [f"{x:.1f}" for x in EAST], [f"{y:.1f}" for y in NORTH]
    east[:7], north[5:15] = ["bad east"] * 7, ["bad north"] * 10
    found = tried(tmp_path, rows(easting=east, northing=north)).report
    assert {f["column"]: f["rows"] for f in found.faults} == {"easting": 7, "northing": 10}
    assert found.quarantined == {"coordinates_unreadable": 15}


def test_a_stated_format_that_nothing_fits_is_named(tmp_path: Path) -> None:
    (fault,) = tried(tmp_path, rows(), date_format="%d/%m/%Y").report.faults
    assert "incidents[0].date_format ('%d/%m/%Y')" in fault["cause"]


@pytest.mark.slow
def test_faults_of_files_add_up_and_are_said_in_one_message(tmp_path: Path) -> None:
    parts = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        frame = rows(easting=[f"{x:.0f},1,2" for x in EAST])
        parts.append(tried(tmp_path / name, frame).report)
    (fault,) = merged_faults(parts)
    assert (fault["rows"], fault["files"]) == (120, 2)
    assert "all 120 values of `easting` contain a comma" in fault["cause"]
    with pytest.raises(QualityError) as stop:
        require_kept(120, {"coordinates_unreadable": 120}, max_pct=20, files=2, faults=[fault])
    for words in ("120 of 120 rows", "'easting'", *map(repr, fault["examples"]), "incidents[0].thousands"):
        assert words in str(stop.value)


# Points that are nowhere near the areas: what people get wrong, each by its construction.

Change = Callable[[np.ndarray, np.ndarray], tuple[Any, Any]]
IN_METRES = [
    pytest.param(lambda x, y: (x % 1e5, y % 1e5), ("digit of 100 km", "500,000", "100,000"), id="both cut"),
    pytest.param(lambda x, y: (x, y % 1e5), ("'northing' lack the digit of 100 km", "100,000"), id="northing cut"),
    pytest.param(lambda x, y: (x % 1e5, y), ("'easting' lack the digit of 100 km", "500,000"), id="easting cut"),
    pytest.param(lambda x, y: (x // 10, y // 10), ("tens of metres", "multiply both by 10"), id="tens"),
    pytest.param(lambda x, y: (x / 1000, y / 1000), ("kilometres", "1000"), id="kilometres"),
    pytest.param(lambda x, y: (x * 100, y * 100), ("centimetres",), id="centimetres"),
    pytest.param(lambda x, y: (x / 0.3048, y / 0.3048), ("feet",), id="feet"),
    pytest.param(lambda _x, _y: (LON, LAT), ("longitude and latitude", "columns.lon"), id="degrees"),
    pytest.param(lambda _x, _y: (LAT, LON), ("latitude and longitude", "columns.lon"), id="degrees, latitude first"),
    pytest.param(
        lambda _x, _y: pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True).transform(LON, LAT),
        ("EPSG:3857", "incidents[0].crs"),
        id="web map",
    ),
    pytest.param(
        lambda _x, _y: pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32630", always_xy=True).transform(LON, LAT),
        ("EPSG:32630", "incidents[0].crs"),
        id="UTM",
    ),
]


@pytest.mark.parametrize(("change", "words"), IN_METRES)
def test_points_elsewhere_have_their_likely_cause(tmp_path: Path, change: Change, words: tuple[str, ...]) -> None:
    x, y = change(EAST, NORTH)
    report = tried(tmp_path, rows(easting=x, northing=y)).report
    for word in words:
        assert word in report.misplaced, report.misplaced
    assert "easting" in report.misplaced or "northing" in report.misplaced
    assert report.places["point"] == 0


IN_DEGREES = [
    pytest.param(LON, -LAT, ("south of the equator",), id="sign"),
    pytest.param(LON * 1e6, LAT * 1e6, ("millionths of a degree",), id="microdegrees"),
    pytest.param(EAST, NORTH, ("metres in EPSG:27700", "incidents[0].crs"), id="metres"),
]


@pytest.mark.parametrize(("lon", "lat", "words"), IN_DEGREES)
def test_degrees_elsewhere_have_their_likely_cause(tmp_path: Path, lon: Any, lat: Any, words: tuple[str, ...]) -> None:
    report = tried(tmp_path, rows(easting=lon, northing=lat), columns={"lon": "easting", "lat": "northing"}).report
    for word in words:
        assert word in report.misplaced, report.misplaced


def test_exchanged_columns_are_refused_row_by_row_and_named(tmp_path: Path) -> None:
    report = tried(tmp_path, rows(easting=LAT, northing=LON), columns={"lon": "easting", "lat": "northing"}).report
    assert report.misplaced == ""
    assert report.quarantined == {"swapped": 60}
    assert "longitude and latitude are exchanged" in report.faults[0]["cause"]


def test_a_geometry_in_another_unit_is_named_too(tmp_path: Path) -> None:
    shapes = gpd.points_from_xy(EAST / 1000, NORTH / 1000)
    frame = gpd.GeoDataFrame(rows().drop(columns=["easting", "northing"]), geometry=shapes, crs="EPSG:27700")
    frame.to_file(tmp_path / "rows.gpkg", driver="GPKG")
    report = read(tmp_path / "rows.gpkg", settings({"crs": None})).report
    assert "the geometry are in kilometres" in report.misplaced or "kilometres" in report.misplaced


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_some_points_elsewhere_stop_nothing(tmp_path: Path, share: float) -> None:
    cut = np.arange(60) < share * 60
    x, y = np.where(cut, EAST % 1e5, EAST), np.where(cut, NORTH % 1e5, NORTH)
    report = tried(tmp_path, rows(easting=x, northing=y)).report
    assert report.misplaced == ""
    assert report.places["point"] == 60 - int(cut.sum())


@pytest.mark.slow
def test_points_round_the_areas_are_no_mistake(tmp_path: Path) -> None:
    # The city next door: outside the areas, and no single mistake brings them in.
    report = tried(tmp_path, rows(easting=EAST + 9_000, northing=NORTH + 4_000)).report
    assert report.misplaced == ""
    assert report.places["outside"] == 60
