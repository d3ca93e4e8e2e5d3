"""GDAL's own programs read every layer without a warning, and carry it to other formats and back."""

import os
import sqlite3
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pyogrio
import pytest

from tests.gis.conftest import absent

BINDINGS = Path("/usr/lib/python3/dist-packages")
LAYERS = ("boroughs", "wards", "density_by_category", "density", "hotspots_by_category", "hotspots")


def run(*command: object) -> str:
    """Run a program of the system, away from the libraries of this Python, and hold it to silence."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "warning" not in done.stdout.lower()
    return done.stdout


@pytest.mark.parametrize("kind", ["folder", "hostile"])
def test_ogrinfo_reads_every_layer_in_silence(ogrinfo: str, kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    listed = run(ogrinfo, "-ro", "-al", "-nomd", path / "hotspots.gpkg")
    for name in (*LAYERS, "layer_styles"):
        assert f"Layer name: {name}\n" in listed
    for name in LAYERS:
        listed = run(ogrinfo, "-ro", "-al", path / f"{name}.geojson")
        assert 'ID["EPSG",4326]' in listed


def test_ogrinfo_finds_types_index_and_words(ogrinfo: str, folder: Path) -> None:
    listed = run(ogrinfo, "-ro", "-so", "-al", folder / "hotspots.gpkg", "wards")
    for line in (
        "Geometry: Multi Polygon",
        "period_start: Date (0.0)",
        "covered: Integer(Boolean) (0.0)",
        "incidents: Integer (0.0)",
        "rate_per_10000: Real (0.0)",
        "FID Column = fid",
    ):
        assert line in listed
    assert "DESCRIPTION=Areas of one level with the figures of the headline period." in listed
    assert 'ID["EPSG",27700]' in listed


def test_the_standards_own_validator_finds_no_fault(folder: Path, hostile: Path) -> None:
    script = BINDINGS / "osgeo_utils/samples/validate_gpkg.py"
    if not script.exists():
        absent("validate_gpkg.py")
    for path in (folder, hostile):
        run("/usr/bin/python3", script, "--extra", "--warning-as-error", path / "hotspots.gpkg")


@pytest.mark.parametrize("name", LAYERS)
def test_round_trip_by_geojson(ogr2ogr: str, folder: Path, tmp_path: Path, name: str) -> None:
    there, back = tmp_path / "there.geojson", tmp_path / "back.gpkg"
    run(ogr2ogr, "-f", "GeoJSON", there, folder / "hotspots.gpkg", name)
    run(ogr2ogr, "-f", "GPKG", back, there, "-nln", name, "-nlt", "MULTIPOLYGON")
    before, after = (pyogrio.read_dataframe(path, layer=name) for path in (folder / "hotspots.gpkg", back))
    assert len(before) == len(after) > 0
    assert after.crs == "EPSG:27700"
    np.testing.assert_allclose(after.area, before.area, rtol=1e-9)
    for column in before.columns.drop("geometry"):
        one, two = ([None if pd.isna(v) else v for v in frame[column]] for frame in (before, after))
        assert one == two, column


def test_short_names_make_a_shapefile(ogr2ogr: str, folder: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(folder / "hotspots.gpkg")
    names = connection.execute(
        "SELECT column_name, name FROM gpkg_data_columns WHERE table_name = 'wards' ORDER BY rowid"
    )
    pairs = names.fetchall()
    connection.close()
    wanted = ", ".join(f'"{long}" AS "{short}"' for long, short in pairs)
    run(
        ogr2ogr,
        "-f",
        "ESRI Shapefile",
        tmp_path / "wards.shp",
        folder / "hotspots.gpkg",
        "-sql",
        f"SELECT {wanted}, geom FROM wards",
        "-lco",
        "ENCODING=UTF-8",
    )
    before, after = (
        pyogrio.read_dataframe(folder / "hotspots.gpkg", layer="wards"),
        pyogrio.read_dataframe(tmp_path / "wards.shp"),
    )
    assert list(after.columns.drop("geometry")) == [short for _, short in pairs]
    np.testing.assert_allclose(after.area, before.area, rtol=1e-9)
    for long, short in pairs:
        one, two = (["" if pd.isna(v) else v for v in series] for series in (before[long], after[short]))
        assert [str(v) for v in one] == [str(v) for v in two] or one == two, long


def test_flatgeobuf_and_geoparquet_hold_what_the_geopackage_holds(ogrinfo: str, folder: Path) -> None:
    for name in LAYERS:
        want = next(
            line
            for line in run(ogrinfo, "-ro", "-so", folder / "hotspots.gpkg", name).splitlines()
            if line.startswith("Feature Count")
        )
        assert want in run(ogrinfo, "-ro", "-so", "-al", folder / f"{name}.fgb")
