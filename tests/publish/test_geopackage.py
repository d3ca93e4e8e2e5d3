"""The GeoPackage: whole, described, styled as the map is, and the same bytes each time."""

import dataclasses
import json
import re
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from pipeline.publish import palette
from pipeline.publish.exports import layers_of, rate_limits, write_exports
from pipeline.publish.exports.layers import polygons
from pipeline.publish.exports.qgis_styles import count_limits, styles_of
from pipeline.publish.map.payload import make_payload
from pipeline.release.released import Released
from tests.kit.released import city, london, sealed

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


def sql(path: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_geopackage_is_version_1_3_and_whole(folder: Path) -> None:
    path = folder / "hotspots.gpkg"
    raw = path.read_bytes()
    assert raw[68:72] == b"GPKG"
    assert int.from_bytes(raw[60:64], "big") == 10300
    assert raw[18:20] == b"\x01\x01"  # written and read without a write-ahead log
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]
    assert sql(path, "PRAGMA foreign_key_check") == []
    assert sql(path, "PRAGMA freelist_count") == [(0,)]
    assert sorted(p.name for p in folder.iterdir() if "gpkg" in p.name) == ["hotspots.gpkg"]


def test_geopackage_layers_come_back_as_they_were(public, folder: Path) -> None:
    for layer in layers_of(public):
        found = gpd.read_file(folder / "hotspots.gpkg", layer=layer.name)
        assert found.crs == "EPSG:27700"
        assert set(found.geom_type) == {"MultiPolygon"}
        np.testing.assert_array_equal(found.geometry.area, layer.frame.geometry.area)
        for field in layer.fields:
            want = layer.frame[field.name]
            got = found[field.name]
            if field.kind == "date":
                assert got.dt.strftime("%Y-%m-%d").tolist() == want.tolist()
            else:
                texts = [[None if pd.isna(v) else v for v in series] for series in (got, want)]
                assert texts[0] == texts[1], field.name


def test_geopackage_says_what_everything_is(public, folder: Path) -> None:
    path = folder / "hotspots.gpkg"
    stamp = f"{public.info.headline.end}T00:00:00.000Z"
    contents = sql(path, "SELECT table_name, identifier, description, last_change FROM gpkg_contents")
    assert [row[0] for row in contents] == [*LAYERS, "layer_styles"]
    assert {row[3] for row in contents} == {stamp}
    assert all(public.info.headline.label in row[1] for row in contents[:-1])
    types = {(t, r[1]): r[2] for t in LAYERS for r in sql(path, f"PRAGMA table_info({t})")}
    assert types["wards", "period_end"] == "DATE"
    assert types["wards", "covered"] == "BOOLEAN"
    assert types["wards", "incidents"] == "MEDIUMINT"
    assert types["hotspots", "geom"] == "MULTIPOLYGON"
    for layer in layers_of(public):
        rows = sql(
            path,
            "SELECT column_name, name, title, description FROM gpkg_data_columns "
            f"WHERE table_name='{layer.name}' ORDER BY rowid",
        )
        assert [r[0] for r in rows] == [c for (t, c) in types if t == layer.name and c not in {"fid", "geom"}]
        assert all(title and text for _, _, title, text in rows)
        assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,9}", short) for _, short, _, _ in rows)
        (boxes,) = sql(path, f"SELECT count(*) FROM rtree_{layer.name}_geom")[0]
        assert boxes == len(layer.frame)


def test_geopackage_carries_its_metadata(public, folder: Path) -> None:
    path = folder / "hotspots.gpkg"
    rows = sql(
        path,
        "SELECT md_standard_uri, mime_type, metadata, reference_scope, table_name, timestamp FROM gpkg_metadata m "
        "JOIN gpkg_metadata_reference r ON r.md_file_id = m.id ORDER BY m.id",
    )
    assert rows[0][2] == (folder / "hotspots.xml").read_text("utf-8")
    assert rows[0][0] == "http://www.isotc211.org/2005/gmd"
    assert json.loads(rows[1][2]) == json.loads((folder / "release.json").read_text("utf-8"))
    assert [row[4] for row in rows[2:]] == list(LAYERS)
    assert {row[5] for row in rows} == {f"{public.info.headline.end}T00:00:00.000Z"}


def test_equal_releases_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    again = city(audience="public", contact="Mapping team, maps@example.org", abstract="A worked example.")
    write_exports(again, tmp_path / "again", geoparquet=True, flatgeobuf=True)
    first = {p.name: p.read_bytes() for p in folder.iterdir()}
    second = {p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()}
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_rows_in_another_order_give_equal_bytes(public, folder: Path, tmp_path: Path) -> None:
    turned = dataclasses.replace(
        public, areas=public.areas.iloc[::-1], hotspots=public.hotspots.iloc[::-1], density=public.density.iloc[::-1]
    )
    write_exports(turned, tmp_path, geoparquet=True, flatgeobuf=True)
    for name in ("hotspots.gpkg", "wards.parquet", "wards.fgb", *(f"{layer}.geojson" for layer in LAYERS)):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_a_release_without_hotspots_and_density_still_exports(tmp_path: Path) -> None:
    full = city()
    bare = sealed(full.info, full.areas, full.counts, full.hotspots.iloc[:0], full.density.iloc[:0])
    write_exports(bare, tmp_path, geoparquet=True, flatgeobuf=True)
    for name in ("density", "hotspots"):
        for file in ("hotspots.gpkg", f"{name}.fgb"):
            assert len(pyogrio.read_dataframe(tmp_path / file, layer=name)) == 0
        assert json.loads((tmp_path / f"{name}.geojson").read_text("utf-8"))["features"] == []
        assert len(gpd.read_parquet(tmp_path / f"{name}.parquet")) == 0
    assert len(pyogrio.read_dataframe(tmp_path / "hotspots.gpkg", layer="wards")) == 54


def test_levels_that_share_a_word_keep_titles_apart() -> None:
    layers = layers_of(city(level_labels={"ward": ("area", "areas"), "borough": ("area", "areas")}))
    assert len({layer.title for layer in layers}) == len(LAYERS)


def test_short_names_stay_apart_and_within_ten_characters() -> None:
    base = city()
    labels = ("racially motivated", "racially aggravated", "racially other")
    made = tuple(
        dataclasses.replace(c, id=i.replace(" ", "_")) for c, i in zip(base.info.categories[1:], labels, strict=False)
    )
    info = dataclasses.replace(base.info, categories=(base.info.categories[0], *made))
    fields = layers_of(dataclasses.replace(base, info=info))[1].fields
    shorts = [f.short for f in fields]
    assert shorts[-9:-6] == ["inc_racial", "inc_rac_lo", "inc_rac_up"]
    assert shorts[-6:] == ["inc_racia2", "inc_rac_l2", "inc_rac_u2", "inc_racia3", "inc_rac_l3", "inc_rac_u3"]
    assert len({s.lower() for s in shorts}) == len(shorts)
    assert max(map(len, shorts)) <= 10


def test_only_surfaces_remain_of_a_clipped_shape() -> None:
    square = shapely.box(0, 0, 1, 1)
    mixed = shapely.GeometryCollection([square, shapely.LineString([(2, 2), (3, 3)]), shapely.Point(9, 9)])
    shapes = polygons([square, mixed, shapely.MultiPolygon([square])])
    assert [s.geom_type for s in shapes] == ["MultiPolygon"] * 3
    assert [s.area for s in shapes] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "made",
    [city, lambda: city(audience="public"), pytest.param(lambda: london(audience="partner"), marks=pytest.mark.slow)],
    ids=["internal", "public", "partner"],
)
def test_classes_are_those_of_the_map(made: Callable[[], Released]) -> None:
    release = made()
    levels = make_payload(release)["levels"]
    for level in ("ward", "borough"):
        limits = levels[level]["limits"]["y"]["all"]
        assert list(rate_limits(release, level=level)) == limits["rate"]
        assert list(count_limits(release, level=level, category="all")) == limits["count"]


def test_every_layer_has_one_default_style(folder: Path) -> None:
    rows = sql(
        folder / "hotspots.gpkg", "SELECT f_table_name, styleName, useAsDefault, styleQML FROM layer_styles ORDER BY id"
    )
    assert [(layer, name) for layer, name, default, _ in rows if default] == [
        ("boroughs", "Rate"), ("wards", "Rate"), ("density_by_category", "Relief"), ("density", "Relief"),
        ("hotspots_by_category", "Rank"), ("hotspots", "Rank"),
    ]  # fmt: skip
    for _, _, _, qml in rows:
        assert ET.fromstring(qml).find("renderer-v2").get("type") == "RuleRenderer"  # noqa: S314 - our own text


def test_style_uses_the_five_colours_of_the_map(folder: Path) -> None:
    ((qml,),) = sql(
        folder / "hotspots.gpkg", "SELECT styleQML FROM layer_styles WHERE f_table_name='wards' AND styleName='Rate'"
    )
    colours = ["{},{},{},255".format(*(int(c[i : i + 2], 16) for i in (1, 3, 5))) for c in palette.ramp("sequential")]
    symbols = ET.fromstring(qml).findall("renderer-v2/symbols/symbol")  # noqa: S314 - our own text
    assert [s.find("layer/prop[@k='color']").get("v") for s in symbols[:5]] == colours


def test_without_rates_the_number_is_the_default() -> None:
    base = city()
    bare = dataclasses.replace(base, counts=base.counts.assign(rate_per_10000=np.nan))
    chosen = [(style.layer, style.name) for style in styles_of(bare, layers_of(bare)) if style.default]
    assert chosen[:2] == [("boroughs", "Number"), ("wards", "Number")]


def test_public_styles_show_no_lower_class(folder: Path) -> None:
    ((qml,),) = sql(
        folder / "hotspots.gpkg",
        "SELECT styleQML FROM layer_styles WHERE f_table_name='wards' AND styleName='Significance'",
    )
    assert "Lower recorded" not in qml
