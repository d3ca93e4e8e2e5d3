"""Metadata that meets its standard, and hostile texts that stay text in every export."""

import csv
import json
import re
import sqlite3
import xml.etree.ElementTree as ET
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest

from pipeline.publish.exports import write_exports
from pipeline.publish.exports.description import describe
from pipeline.publish.exports.gemini import gemini_xml
from pipeline.publish.exports.layers import area_layer
from pipeline.publish.exports.qgis_styles import quoted
from tests.kit.released import HOSTILE, city, hostile_city

pytestmark = pytest.mark.slow


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
    assert "Counts, totals too, are given in steps of 10, each by itself" in lineage[0]
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
