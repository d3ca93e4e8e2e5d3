"""Files of kinds that are not read: recognised by content under any name, answered with what to do."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from pipeline.storage.formats import FORMATS, UNREAD, by_ending, format_of, refusal

CSV = next(f for f in FORMATS if f.name == "csv")


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        about = tarfile.TarInfo("a.csv")
        about.size = 4
        archive.addfile(about, io.BytesIO(b"a,b\n"))
    return gzip.compress(buffer.getvalue())


KML = b'<?xml version="1.0"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document/></kml>'
GML = b'<?xml version="1.0"?><wfs:FeatureCollection xmlns:gml="http://www.opengis.net/gml/3.2"/>'
GEOJSON = b'{"type": "FeatureCollection", "features": []}'
CONTENTS = {
    "a workbook": zipped("[Content_Types].xml", "xl/workbook.xml"),
    "OpenDocument": zipped("mimetype", "content.xml"),
    "a zip archive,": zipped("London/wards.shp", "London/wards.dbf", "2025-01/2025-01-kent-street.csv", "readme.txt"),
    "a workbook (Excel": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "compressed archive": b"7z\xbc\xaf\x27\x1c" + bytes(40),
    "compressed archive (tar.gz)": tarred(),
    "PDF": b"%PDF-1.7\n",
    " is KML": KML,
    " is GML": GML,
    " is GPX": b'<?xml version="1.0"?>\n<!-- a > b --><gpx version="1.1"></gpx>',
    "Excel 2003": b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
    "web page": b"\n<!DOCTYPE html>\n<html><body>Log in</body></html>",
    "FlatGeobuf": b"fgb\x03fgb\x00" + bytes(20),
    "GeoJSON compressed with gzip: unpack it": gzip.compress(GEOJSON),
}
JSON = {
    "records": b'[{"category": "burglary", "persistent_id": "a"}]',
    "geojson": GEOJSON,
    "topojson": b'{"type":"Topology","objects":{}}',
    "esrijson": b'{"displayFieldName":"","geometryType":"esriGeometryPolygon","features":[]}',
    "geojsonseq": b'{"type":"Feature","geometry":null}\n{"type":"Feature","geometry":null}\n',
}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        *JSON.items(),
        ("records", b'\n[ {"date": "2024-01-01"} ]'),
        ("records", b'{"id": 1, "type": "Point of sale"}\n{"id": 2, "type": "Home"}\n'),
        ("geojson", b'{\n"type": "FeatureCollection",\n"features": [\n{ "type": "Feature" },\n{ "type": "Feature" }]}'),
        ("geojson", b'{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"type":"Topology"}}]}'),
        (
            "geojson",
            b'{"features":[{"type":"Feature","properties":{"spatialReference": {}}}],"type":"FeatureCollection"}',
        ),
        ("geojsonseq", b'\x1e{"type":"Feature"}\n'),
    ],
)
def test_the_kinds_of_json_are_distinguished_by_content(tmp_path: Path, kind: str, content: bytes) -> None:
    path = tmp_path / "extract.json"
    path.write_bytes(content)
    found = format_of(path)
    assert found is not None
    assert found.name == kind
    assert refusal(path, meant=found) is None


@pytest.mark.parametrize("name", ["extract.csv", "wards.geojson", "wards.gpkg", "wards.shp", "a.parquet", "a.dat"])
@pytest.mark.parametrize("label", CONTENTS)
def test_a_file_is_called_what_it_is_under_any_name(tmp_path: Path, label: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(CONTENTS[label])
    said = refusal(path, meant=by_ending(path), key="format")
    assert said is not None
    assert said.startswith(f"{name} is ")
    assert label in said


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"id,date\n1,2024-01-01\n"),
        ("a.csv", "id;Datum\n1;2024-01-01\n".encode("utf-16")),
        ("a.csv", b"\xef\xbb\xbfid,date\n"),
        ("a.csv", b'"{""type"": ""Feature""}",date\n'),
        ("a.csv", b"<5,date\n"),
        ("a.csv", b""),
        ("a.csv.gz", gzip.compress(b"id,date\n", mtime=0)),
        ("a.csv.gz", b"\x1f\x8bbroken"),
        ("a.geojson", GEOJSON),
        ("a.json", b'{"features": [], "name": "late", "type": "FeatureCollection"}'),
        ("a.gpkg", b"SQLite format 3\0" + bytes(100)),
        ("a.shp", b"\0\0\x27\x0a" + bytes(100)),
        ("a.tab", b"!table\n!version 300\n"),
        ("a.parquet", b"PAR1" + bytes(10)),
    ],
)
def test_what_is_read_is_not_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    inner = path.with_suffix("") if path.suffix == ".gz" else path
    assert refusal(path, meant=by_ending(inner), key="format") is None


def test_formats_that_are_read_are_named_under_another_ending(tmp_path: Path) -> None:
    path = tmp_path / "extract.csv"
    path.write_bytes(GEOJSON)
    assert refusal(path, meant=CSV, key="format") == (
        "extract.csv is GeoJSON, not CSV: rename it to end in .geojson and name that file, or set `format: geojson`"
    )
    path.write_bytes(gzip.compress(b"id,date\n", mtime=0))
    assert "rename it to extract.csv.gz" in str(refusal(path, meant=CSV))
    text = tmp_path / "extract.parquet"
    text.write_bytes(b"id\tdate\n")
    said = str(refusal(text, meant=by_ending(text), key="format"))
    assert "delimited text, not GeoParquet" in said
    assert "`format: csv`" in said


def test_formats_that_share_an_ending_are_distinguished_by_content(tmp_path: Path) -> None:
    path = tmp_path / "extract.tab"
    path.write_bytes(b"id\tdate\n")
    assert format_of(path) is CSV
    path.write_bytes(b"!table\n!version 300\n")
    assert format_of(path) is by_ending(path) is not CSV
    report = tmp_path / "report.xls"
    report.write_bytes(b"id\tdate\n")
    assert format_of(report) is CSV
    report.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert format_of(report) is by_ending(report) is not CSV


def test_boundaries_that_are_a_table_are_asked_for_outlines(tmp_path: Path) -> None:
    path = tmp_path / "wards.geojson"
    path.write_bytes(b"code,name\nA,Ashby\n")
    said = str(refusal(path, meant=by_ending(path)))
    assert said.startswith("wards.geojson is delimited text, not GeoJSON")
    assert "name a file with outlines, such as GeoPackage" in said


def test_folders_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "wards.gdb"
    folder.mkdir()
    assert refusal(folder, meant=by_ending(folder)) is None
    other = tmp_path / "wards"
    other.mkdir()
    (other / "a00000001.gdbtable").touch()
    assert "rename the folder to end in .gdb" in str(refusal(other, meant=None))
    plain = tmp_path / "street"
    plain.mkdir()
    assert "is a folder: name the file" in str(refusal(plain, meant=None))


@pytest.mark.parametrize("ending", sorted({e for kind in UNREAD for e in kind.endings}))
def test_no_ending_that_is_read_is_called_unread_and_each_has_a_remedy(ending: str) -> None:
    path = Path(f"extract{ending}")
    assert by_ending(path) is None
    said = str(refusal(path, meant=None))
    assert said.startswith(f"extract{ending} is ")
    assert ", which is not read: " in said
    assert "{" not in said
