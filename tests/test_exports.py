"""Exports: every file is read back by someone else's reader, and everything hostile in it stays text."""

import csv
import dataclasses
import io
import json
import re
import sqlite3
import xml.etree.ElementTree as ET
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from pipeline import palette
from pipeline.disclosure import area_layer
from pipeline.errors import InputError
from pipeline.exports import csv_text, layers_of, rate_limits, write_exports
from pipeline.exports.gemini import gemini_xml
from pipeline.exports.layers import polygons
from pipeline.exports.qml import quoted
from pipeline.exports.styles import styles_of
from pipeline.exports.words import describe
from pipeline.maps.payload import make_payload
from pipeline.schemas import AREA_COUNTS
from tests.released_fixture import HOSTILE, city, hostile_city, london, sealed

LAYERS = ("boroughs", "wards", "density", "hotspots")


@pytest.fixture(scope="module")
def public():
    return city(audience="public", contact="Mapping team, maps@example.org", abstract="A worked example.")


@pytest.fixture(scope="module")
def folder(public, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("public")
    write_exports(public, path, geoparquet=True, flatgeobuf=True)
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("hostile")
    write_exports(hostile_city(), path, geoparquet=True, flatgeobuf=True)
    return path


def sql(path: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


# The table -----------------------------------------------------------------------------------------------------------


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
    assert "withheld" in described["rdfs:comment"]
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


# GeoJSON -------------------------------------------------------------------------------------------------------------


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


# GeoPackage ----------------------------------------------------------------------------------------------------------


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
    assert len({layer.title for layer in layers}) == 4


def test_short_names_stay_apart_and_within_ten_characters() -> None:
    base = city()
    labels = ("racially motivated", "racially aggravated", "racially other")
    made = tuple(
        dataclasses.replace(c, id=i.replace(" ", "_")) for c, i in zip(base.info.categories[1:], labels, strict=False)
    )
    info = dataclasses.replace(base.info, categories=(base.info.categories[0], *made))
    fields = layers_of(dataclasses.replace(base, info=info))[1].fields
    shorts = [f.short for f in fields]
    assert shorts[-3:] == ["inc_racial", "inc_racia2", "inc_racia3"]
    assert len({s.lower() for s in shorts}) == len(shorts)
    assert max(map(len, shorts)) <= 10


def test_only_surfaces_remain_of_a_clipped_shape() -> None:
    square = shapely.box(0, 0, 1, 1)
    mixed = shapely.GeometryCollection([square, shapely.LineString([(2, 2), (3, 3)]), shapely.Point(9, 9)])
    shapes = polygons([square, mixed, shapely.MultiPolygon([square])])
    assert [s.geom_type for s in shapes] == ["MultiPolygon"] * 3
    assert [s.area for s in shapes] == [1.0, 1.0, 1.0]


# Formats by configuration --------------------------------------------------------------------------------------------


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


# Styles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "release", [city(), city(audience="public"), london(audience="partner")], ids=["internal", "public", "partner"]
)
def test_classes_are_those_of_the_map(release) -> None:
    levels = make_payload(release)["levels"]
    for level in ("ward", "borough"):
        assert list(rate_limits(release, level=level)) == levels[level]["limits"]["y"]["all"]["rate"]


def test_every_layer_has_one_default_style(folder: Path) -> None:
    rows = sql(
        folder / "hotspots.gpkg", "SELECT f_table_name, styleName, useAsDefault, styleQML FROM layer_styles ORDER BY id"
    )
    assert [(layer, name) for layer, name, default, _ in rows if default] == [
        ("boroughs", "Rate"), ("wards", "Rate"), ("density", "Relief"), ("hotspots", "Rank"),
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


# Metadata ------------------------------------------------------------------------------------------------------------

NS = {
    "gmd": "http://www.isotc211.org/2005/gmd",
    "gco": "http://www.isotc211.org/2005/gco",
    "gmx": "http://www.isotc211.org/2005/gmx",
    "gml": "http://www.opengis.net/gml/3.2",
}
ID = "gmd:identificationInfo/gmd:MD_DataIdentification/"


def _texts(root: ET.Element, path: str) -> list[str]:
    return ["".join(element.itertext()).strip() for element in root.findall(path, NS)]


def test_gemini_record_meets_the_rules_of_the_standard(public, folder: Path) -> None:
    """Items as numbered by UK GEMINI 2.3; what is asked of each is from its Schematron schema."""
    root = ET.parse(folder / "hotspots.xml").getroot()  # noqa: S314 - our own text
    assert len(_texts(root, "gmd:fileIdentifier")) == 1  # AT-3
    assert _texts(root, ID + "gmd:citation/gmd:CI_Citation/gmd:title")[0].startswith("Hate crime")  # 1
    abstract = _texts(root, ID + "gmd:abstract")[0]  # 4: 100 characters or more, and not the title
    assert len(abstract) > 99
    assert abstract != _texts(root, ID + "gmd:citation/gmd:CI_Citation/gmd:title")[0]
    assert "A worked example." in abstract
    assert _texts(root, ID + "gmd:topicCategory") == ["society"]  # 5
    assert _texts(root, ID + "gmd:descriptiveKeywords/gmd:MD_Keywords/gmd:keyword")  # 6
    period = ID + "gmd:extent/gmd:EX_Extent/gmd:temporalElement/gmd:EX_TemporalExtent/gmd:extent/gml:TimePeriod/"
    assert _texts(root, period + "gml:beginPosition") == ["2021-08-01"]  # 7
    assert _texts(root, period + "gml:endPosition") == ["2025-07-31"]
    lineage = _texts(root, "gmd:dataQualityInfo/gmd:DQ_DataQuality/gmd:lineage/gmd:LI_Lineage/gmd:statement")  # 10
    assert len(lineage) == 1
    assert "Counts from 1 to 9 are withheld" in lineage[0]
    box = ID + "gmd:extent/gmd:EX_Extent/gmd:geographicElement/gmd:EX_GeographicBoundingBox/"  # 11 to 14
    sides = [
        float(_texts(root, f"{box}gmd:{side}")[0])
        for side in ("westBoundLongitude", "southBoundLatitude", "eastBoundLongitude", "northBoundLatitude")
    ]
    west, south, east, north = public.areas.to_crs("EPSG:4326").total_bounds
    assert sides[0] <= west + 1e-6
    assert sides[1] <= south + 1e-6
    assert sides[2] >= east - 1e-6
    assert sides[3] >= north - 1e-6
    np.testing.assert_allclose(sides, [west, south, east, north], atol=2e-4)
    assert _texts(root, "gmd:referenceSystemInfo//gmd:RS_Identifier/gmd:code") == ["EPSG:27700"]  # 17
    assert "GeoPackage" in _texts(
        root, "gmd:distributionInfo/gmd:MD_Distribution/gmd:distributionFormat/gmd:MD_Format/gmd:name"
    )  # 21
    for party in ("gmd:contact", ID + "gmd:pointOfContact"):  # 23, 35
        assert _texts(root, f"{party}//gmd:organisationName") == [public.info.publisher]
        assert _texts(root, f"{party}//gmd:electronicMailAddress") == ["maps@example.org"]
        assert root.find(f"{party}//gmd:CI_RoleCode", NS).get("codeListValue") == "pointOfContact"
    limits = ID + "gmd:resourceConstraints/gmd:MD_LegalConstraints/gmd:otherConstraints"
    hrefs = [a.get("{http://www.w3.org/1999/xlink}href") for a in root.findall(limits + "/gmx:Anchor", NS)]
    assert hrefs == ["http://inspire.ec.europa.eu/metadata-codelist/LimitationsOnPublicAccess/noLimitations"]  # 25
    assert public.info.licence in _texts(root, limits)  # 26
    assert len(_texts(root, "gmd:language")) == 1  # 33
    assert [e.get("codeListValue") for e in root.findall("gmd:hierarchyLevel/gmd:MD_ScopeCode", NS)] == [
        "dataset"
    ]  # 39
    conformity = "gmd:dataQualityInfo/gmd:DQ_DataQuality/gmd:report/gmd:DQ_DomainConsistency/gmd:result/*/"
    assert "No 1089/2010" in _texts(root, conformity + "gmd:specification/gmd:CI_Citation/gmd:title")[0]  # 41
    assert root.find(conformity + "gmd:pass", NS).get("{http://www.isotc211.org/2005/gco}nilReason") == "unknown"
    kinds = root.findall(ID + "gmd:spatialRepresentationType/gmd:MD_SpatialRepresentationTypeCode", NS)
    assert [k.get("codeListValue") for k in kinds] == ["vector"]  # 50
    codes = [e for e in root.iter() if e.get("codeList")]
    assert all(e.get("codeListValue") for e in codes)


def test_internal_record_is_not_for_the_public() -> None:
    assert "Article13_1f" in gemini_xml(describe(city()), [("GeoJSON", "")])


def test_doubts_come_first_in_the_abstract() -> None:
    words = describe(city(audit="not audited: do not publish", marking="OFFICIAL-SENSITIVE"))
    assert words.abstract.startswith("OFFICIAL-SENSITIVE Synthetic data")
    assert "Not audited: do not publish." in words.abstract


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    text = gemini_xml(describe(city(publisher="bell \x07 and \ufffe")), [])
    assert "bell \ufffd and \ufffd" in text
    ET.fromstring(text)  # noqa: S314 - our own text


# Hostile texts -------------------------------------------------------------------------------------------------------


def test_hostile_cells_are_disarmed_in_the_table(hostile: Path) -> None:
    with (hostile / "area_counts.csv").open(newline="", encoding="utf-8") as file:
        cells = {cell for row in csv.reader(file) for cell in row}
    texts = {c for c in cells if not re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", c)}
    assert not {c for c in texts if c.startswith(("=", "+", "-", "@", "\t", "\r"))}
    assert any(c.startswith("'=cmd|'/c calc'!A1") for c in texts)
    for bad in HOSTILE:
        assert any(bad in c for c in texts)


def test_hostile_texts_come_back_verbatim_everywhere_else(hostile: Path) -> None:
    release = hostile_city()
    names = set(area_layer(release, level="ward")["area_name"])
    assert {
        f["properties"]["area_name"] for f in json.loads((hostile / "wards.geojson").read_text("utf-8"))["features"]
    } == names
    for path, options in ((hostile / "hotspots.gpkg", {"layer": "wards"}), (hostile / "wards.fgb", {})):
        assert set(pyogrio.read_dataframe(path, **options)["area_name"]) == names
    assert set(gpd.read_parquet(hostile / "wards.parquet")["area_name"]) == names
    collection = json.loads((hostile / "wards.geojson").read_text("utf-8"))
    assert collection["licence"] == release.info.licence
    described = json.loads((hostile / "area_counts.csv-metadata.json").read_text("utf-8"))
    assert described["dc:publisher"] == release.info.publisher


def test_hostile_texts_stay_text_in_xml(hostile: Path) -> None:
    raw = (hostile / "hotspots.xml").read_text("utf-8")
    root = ET.fromstring(raw)  # noqa: S314 - our own text
    assert "<script" not in raw
    assert HOSTILE[0] in _texts(root, ID + "gmd:citation/gmd:CI_Citation/gmd:title")[0]
    assert "<img" not in raw
    rows = sql(
        hostile / "hotspots.gpkg",
        "SELECT styleQML FROM layer_styles UNION ALL SELECT metadata FROM gpkg_metadata WHERE mime_type='text/xml'",
    )
    for (text,) in rows:
        assert "<script" not in text
        assert "<img" not in text
        ET.fromstring(text)  # noqa: S314 - our own text
    assert sql(hostile / "hotspots.gpkg", "PRAGMA integrity_check") == [("ok",)]


def test_constants_in_style_filters_are_quoted() -> None:
    assert quoted("O'Brien \\ co") == "'O''Brien \\\\ co'"
