"""Boundaries in several files, by list and glob, and in outlines that are not plain polygons."""

import math
import sqlite3
import struct
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from pipeline.config import Areas
from pipeline.errors import InputError
from pipeline.ingest.areas import read_areas

pytestmark = pytest.mark.slow

CODES = ("W00", "W01", "W10", "W11")


def layer(*numbers: int, crs: str = "EPSG:27700", **columns: Any) -> gpd.GeoDataFrame:
    """Return wards with sides of 1 km, two columns of two, with the given columns."""
    corners = [(530_000 + 1000 * (n // 2), 180_000 + 1000 * (n % 2)) for n in numbers]
    shapes = [shapely.box(x, y, x + 1000, y + 1000) for x, y in corners]
    data = {"code": [CODES[n] for n in numbers], "name": [f"Ward {n}" for n in numbers], **columns}
    return gpd.GeoDataFrame(data, geometry=shapes, crs="EPSG:27700").to_crs(crs)


def areas(folder: Path, path: Any, **wards: Any) -> Any:
    boroughs = gpd.GeoDataFrame(
        {"code": ["B0", "B1"], "name": ["West", "East"]},
        geometry=[shapely.box(530_000, 180_000, 531_000, 182_000), shapely.box(531_000, 180_000, 532_000, 182_000)],
        crs="EPSG:27700",
    )
    boroughs.to_file(folder / "boroughs.gpkg")
    columns = {"code": "code", "name": "name"}
    settings = {"wards": {"path": path, **columns, **wards}, "boroughs": {"path": "boroughs.gpkg", **columns}}
    return read_areas(Areas.model_validate(settings), base=folder, working="EPSG:27700")


@pytest.mark.parametrize("path", [["west.geojson", "east.gpkg"], "*st.g*", ["*st.geo*", "east.gpkg", "west.geojson"]])
def test_one_file_for_each_district_in_any_system(tmp_path: Path, path: Any) -> None:
    layer(0, 1, crs="EPSG:4326").to_file(tmp_path / "west.geojson")
    layer(2, 3).to_file(tmp_path / "east.gpkg")
    found = areas(tmp_path, path)
    wards = found.level("ward")
    assert wards["area_code"].tolist() == list(CODES)
    # No column names the borough of a ward: the one that contains it is taken.
    assert wards["parent_code"].tolist() == ["B0", "B0", "B1", "B1"]
    assert found.report["parents"] == "largest overlap"
    assert wards.geometry.area.round(-2).tolist() == [1_000_000.0] * 4


def test_an_area_in_two_files_is_refused(tmp_path: Path) -> None:
    layer(0, 1).to_file(tmp_path / "a.gpkg")
    layer(1, 2, 3).to_file(tmp_path / "b.gpkg")
    with pytest.raises(InputError, match=r"1 codes are in more than one of the 2 files \(W01\)"):
        areas(tmp_path, ["a.gpkg", "b.gpkg"])


def test_a_glob_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file matches 'x\*\.gpkg'"):
        areas(tmp_path, "x*.gpkg")


def test_a_file_without_the_column_of_the_others_is_named(tmp_path: Path) -> None:
    layer(0, 1).to_file(tmp_path / "a.gpkg")
    layer(2, 3).rename(columns={"code": "id"}).to_file(tmp_path / "b.gpkg")
    with pytest.raises(InputError, match=r"b\.gpkg has no column 'code'"):
        areas(tmp_path, ["a.gpkg", "b.gpkg"])


def test_curves_are_read_as_the_polygons_they_enclose(tmp_path: Path) -> None:
    """A circle of radius 500 m as a CurvePolygon: GDAL puts a corner every four degrees of the arc."""
    path = tmp_path / "wards.gpkg"
    layer(0, 1, 2, 3).to_file(path, layer="wards")
    ring = [(530_000, 180_500), (530_500, 181_000), (531_000, 180_500), (530_500, 180_000), (530_000, 180_500)]
    curve = struct.pack("<BII", 1, 8, len(ring)) + b"".join(struct.pack("<dd", *xy) for xy in ring)
    blob = b"GP\x00\x01" + struct.pack("<i", 27700) + struct.pack("<BII", 1, 10, 1) + curve
    with sqlite3.connect(path) as file:
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f'DROP TRIGGER "{name}"')
        file.execute("UPDATE wards SET geom = ? WHERE code = 'W00'", (blob,))
        file.execute("UPDATE gpkg_geometry_columns SET geometry_type_name = 'GEOMETRY'")
    file.close()
    wards = areas(tmp_path, "wards.gpkg").level("ward")
    assert wards.geometry.area[0] == pytest.approx(math.pi * 500**2, rel=0.002)
    assert wards.geometry.area[1] == 1_000_000
