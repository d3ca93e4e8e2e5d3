"""Exports: the table, GeoJSON and the formats by configuration, read back by other readers."""

import csv
import io
import json
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from pipeline.errors import InputError
from pipeline.publish.exports import csv_text, layers_of, write_exports
from pipeline.release.released import CategoryInfo
from pipeline.tables import AREA_COUNTS
from tests.kit.released import city, windows

pytestmark = pytest.mark.slow

LAYERS = ("boroughs", "wards", "density_by_category", "density", "hotspots_by_category", "hotspots")


@pytest.fixture(scope="module")
def public():
    return city(audience="public", contact="Mapping team, maps@example.org", abstract="A worked example.")


@pytest.fixture(scope="module")
def folder(public, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("public")
    write_exports(public, path, geoparquet=True, flatgeobuf=True)
    return path


def test_layers_of_forty_categories_are_made_without_a_warning() -> None:
    """Warnings are errors in tests: pandas complains of frames that grow by one column at a time."""
    categories = (CategoryInfo("all", "All", None), *(CategoryInfo(f"c{n}", f"Kind {n}", "all") for n in range(40)))
    years = dict.fromkeys(("ward", "borough", "region"), windows(202308, 2, 12))  # a layer holds the last of them
    made = city(categories=categories, columns=1, rows=1, per_side=2, periods=years)
    wards = next(layer for layer in layers_of(made) if layer.name == "wards")
    assert {f"incidents_c{n}_lower" for n in range(40)} <= set(wards.frame.columns)


def test_csv_follows_the_text_rules() -> None:
    frame = pd.DataFrame(
        {
            "text": ["=cmd", 'a "b"', "c,d", "two\nlines", None, "\N{FULLWIDTH EQUALS SIGN}1", "-", "plain"],
            "whole": pd.array([1, -2, None, 4, 5, 6, 7, 8], dtype="Int64"),
            "real": [0.1, -0.0, np.nan, 1 / 3, 1e15, 123456.789012345, 2.0, -1.5],
            "yes": pd.array([True, False, None, True, True, True, True, True], dtype="boolean"),
        }
    )
    text = csv_text(frame)
    assert text.endswith("\r\n")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["text", "whole", "real", "yes"],
        ["'=cmd", "1", "0.1", "true"],
        ['a "b"', "-2", "0", "false"],
        ["c,d", "", "", ""],
        ["two\nlines", "4", "0.3333333333", "true"],
        ["", "5", "1e+15", "true"],
        ["'\N{FULLWIDTH EQUALS SIGN}1", "6", "123456.789", "true"],
        ["'-", "7", "2", "true"],
        ["plain", "8", "-1.5", "true"],
    ]


def test_csv_refuses_infinity() -> None:
    with pytest.raises(InputError, match="column rate holds inf"):
        csv_text(pd.DataFrame({"rate": [1.0, np.inf]}))


def test_csv_of_no_rows_is_a_header() -> None:
    assert csv_text(pd.DataFrame({"a": pd.Series([], dtype="str"), "b": pd.Series([], dtype="Int64")})) == "a,b\r\n"


def test_table_comes_back_as_it_was(public, folder: Path) -> None:
    found = pd.read_csv(folder / "area_counts.csv", keep_default_na=False, dtype=str)
    assert list(found.columns) == AREA_COUNTS.names
    for column in AREA_COUNTS.columns:
        want = public.counts[column.name] if column.name in public.counts else pd.Series([None] * len(found))
        texts = found[column.name]
        if column.kind in {"int", "float"}:
            pd.testing.assert_series_equal(
                pd.to_numeric(texts).astype("float64"), want.astype("float64"), check_names=False, rtol=1e-9
            )
        elif column.kind == "bool":
            assert texts.map({"true": True, "false": False}).tolist() == want.tolist()
        else:
            assert texts.tolist() == ["" if pd.isna(v) else v for v in want]


def test_csvw_describes_every_cell(public, folder: Path) -> None:
    described = json.loads((folder / "area_counts.csv-metadata.json").read_text("utf-8"))
    with (folder / described["url"]).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {c["name"]: c for c in described["tableSchema"]["columns"]}
    assert list(columns) == list(rows[0])
    assert described["tableSchema"]["primaryKey"] == list(AREA_COUNTS.key)
    assert "named in `not_offered`: not offered" in described["rdfs:comment"]
    assert described["dc:contactPoint"] == public.info.contact
    seen_null = set()
    for row in rows:
        for name, text in row.items():
            column = columns[name]
            if "separator" in column:
                assert not text or set(text.split(column["separator"])) <= set(columns)
            elif text == "":
                assert not column["required"]
                seen_null.add(name)
            else:
                assert _parses(text, column["datatype"]), f"{name}: {text}"
    assert {"incidents", "change_pct"} <= seen_null


def _parses(text: str, datatype) -> bool:
    base = datatype if isinstance(datatype, str) else datatype["base"]
    rules = {} if isinstance(datatype, str) else datatype
    if base == "integer":
        low, high = rules.get("minimum", -np.inf), rules.get("maximum", np.inf)
        return re.fullmatch(r"-?\d+", text) is not None and low <= int(text) <= high
    if base == "double":
        return np.isfinite(float(text))
    if base == "date":
        return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
    if base == "boolean":
        return text in rules["format"].split("|")
    return re.fullmatch(rules.get("format", ".*"), text, re.DOTALL) is not None


@pytest.mark.parametrize("name", LAYERS)
def test_geojson_is_rfc_7946(public, folder: Path, name: str) -> None:
    text = (folder / f"{name}.geojson").read_text("utf-8")
    assert "NaN" not in text
    collection = json.loads(text)
    layer = next(one for one in layers_of(public) if one.name == name)
    assert set(collection) == {
        "type", "name", "title", "description", "attribution", "licence", "lineage", "contact", "bbox", "features",
    }  # fmt: skip
    assert collection["licence"] == public.info.licence
    truth = layer.frame.to_crs("EPSG:4326").geometry
    np.testing.assert_allclose(collection["bbox"], truth.total_bounds, atol=2e-6)
    assert len(collection["features"]) == len(layer.frame)
    for feature, exact in zip(collection["features"], truth, strict=True):
        assert feature["id"] == feature["properties"][layer.key]
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.geom_type in {"Polygon", "MultiPolygon"}
        assert shape.is_valid
        assert shape.symmetric_difference(exact).area < 0.01 * exact.area
        np.testing.assert_allclose(feature["bbox"], shape.bounds, atol=1e-9)
        for part in shapely.get_parts(shape):
            assert shapely.is_ccw(part.exterior)
            assert not any(shapely.is_ccw(ring) for ring in part.interiors)
        coordinates = shapely.get_coordinates(shape)
        np.testing.assert_allclose(coordinates, np.round(coordinates, 6), atol=0)


@pytest.mark.parametrize("name", LAYERS)
def test_geoparquet_and_flatgeobuf_hold_the_same_layer(public, folder: Path, name: str) -> None:
    layer = next(one for one in layers_of(public) if one.name == name)
    parquet = gpd.read_parquet(folder / f"{name}.parquet")
    flat = pyogrio.read_dataframe(folder / f"{name}.fgb").sort_values(layer.key)
    for found in (parquet, flat):
        assert found.crs == "EPSG:27700"
        assert (
            found[layer.key].tolist()
            == (layer.frame if found is parquet else layer.frame.sort_values(layer.key))[layer.key].tolist()
        )
        assert found.geometry.area.sum() == pytest.approx(layer.frame.geometry.area.sum(), rel=1e-12)
    notes = {k.decode(): v.decode() for k, v in pq.read_schema(folder / f"{name}.parquet").metadata.items()}
    assert notes["licence"] == public.info.licence
    geo = json.loads(notes["geo"])
    assert geo["version"] == "1.1.0"
    assert geo["columns"]["geometry"]["geometry_types"] == ["MultiPolygon"]
    assert pyogrio.read_info(folder / f"{name}.fgb")["layer_metadata"]["TITLE"] == layer.title


def test_formats_that_nobody_asked_for_are_absent(tmp_path: Path) -> None:
    write_exports(city(), tmp_path, geopackage=False)
    assert {p.suffix for p in tmp_path.iterdir()} == {".geojson", ".csv", ".json", ".xml"}
