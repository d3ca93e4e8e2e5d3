"""Tables that are no plain table: lines above the header, months as columns; and outlines in the wrong system."""

import json
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from pipeline.config import AreaFile
from pipeline.errors import ConfigError, InputError
from pipeline.ingest.areas import is_garbled, read_boundaries
from pipeline.ingest.formats.files import require_long, require_text_columns
from pipeline.ingest.formats.text import line_of_header

HEADER = "id,date,easting,northing"
ROWS = "\n".join(f"{i},2024-01-0{i},528000,180000" for i in range(1, 8))


@pytest.mark.parametrize("wanted", [("id", "date"), ()], ids=["named", "recognised"])
@pytest.mark.parametrize(
    ("above", "line"),
    [
        ("Police\n", 2),
        ("Police,,,\nRun on,03/02/2025,,\n,,,\n", 4),
        ('"Title, with a comma",,,\n\n\n', 4),
        ('"Two\nlines"\n', 3),
        ("\n\nTitle\n", 4),
    ],
)
def test_the_line_of_the_header_is_named(tmp_path: Path, above: str, line: int, wanted: tuple[str, ...]) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{above}{HEADER}\n{ROWS}\n", encoding="utf-8")
    said = line_of_header(path, name="a.csv", delimiter=None, wanted=wanted)
    assert f"probably in line {line} (id, date, easting, northing). Set header_row: {line}" in said


@pytest.mark.parametrize(
    "text", [f"{HEADER}\n{ROWS}", "a,b\n1,2,3\n4,5,6\n", "alone\n1\n2\n", "id,date\n1,2024-01-01,x y,z w\n", ""]
)
def test_a_header_in_the_first_line_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    assert line_of_header(path, name="a.csv", delimiter=None, wanted=("id", "a", "alone")) == ""


def test_another_fault_keeps_its_own_words(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{HEADER}\n{ROWS}\n", encoding="utf-8")
    with pytest.raises(InputError, match="has no column 'ward'"):
        require_text_columns(path, [("key", "ward")], encoding="utf-8")
    path.write_text(f"Report\n{HEADER}\n{ROWS}\n", encoding="utf-8")
    require_text_columns(path, [("key", "date")], encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.csv has lines above its header: line 1 is 'Report'.*line 2"):
        require_text_columns(path, [("key", "date"), ("key", "place")], encoding="utf-8")


@pytest.mark.parametrize(
    "titles",
    [
        ["202401", "202402", "202403"],
        ["2024-01", "2024-02", "2024-03"],
        ["Jan-24", "Feb-24", "Mar-24"],
        ["January 2024", "February 2024", "March 2024"],
        ["01/2024", "02/2024", "03/2024"],
        ["Jan", "Feb", "Mar"],
        ["2024-01-01", "2024-02-01", "2024-03-01"],
    ],
)
def test_months_as_columns_are_a_wide_table(titles: list[str]) -> None:
    with pytest.raises(InputError, match=r"wide table: 3 of its columns are months \('"):
        require_long(["Code", *titles], file="a.csv")
    require_long(["Code", *titles[:2]], file="a.csv")


def test_other_columns_are_no_months() -> None:
    require_long(["market", "decade", "marital", "1", "2", "3", "junction", "201300", "mayor"], file="a.csv")


# Outlines.


def squares() -> gpd.GeoDataFrame:
    shapes = [shapely.box(528000 + 1000 * i, 180000, 529000 + 1000 * i, 181000) for i in range(3)]
    return gpd.GeoDataFrame({"area_code": list("abc"), "area_name": list("ABC")}, geometry=shapes, crs="EPSG:27700")


def read(path: Path, **settings: str) -> gpd.GeoDataFrame:
    given = AreaFile.model_validate({"path": path.name, **settings})
    return read_boundaries(given, base=path.parent, working="EPSG:27700", level="wards")


def geojson(path: Path, frame: gpd.GeoDataFrame, named: str | None = None) -> Path:
    found = json.loads(frame.to_json(drop_id=True))
    found.pop("crs", None)
    if named:
        found["crs"] = {"type": "name", "properties": {"name": named}}
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


@pytest.mark.parametrize("named", [None, "urn:ogc:def:crs:EPSG::999999", "local grid"])
@pytest.mark.parametrize("system", ["EPSG:27700", "EPSG:3857", "EPSG:2263"])
@pytest.mark.slow
def test_metres_that_pass_for_degrees_are_refused(tmp_path: Path, system: str, named: str | None) -> None:
    path = geojson(tmp_path / "w.geojson", squares().to_crs(system), named)
    with pytest.raises(InputError, match=r"w\.geojson.*Set areas\.wards\.crs"):
        read(path)
    if system != "EPSG:2263":
        there = shapely.box(527990, 179990, 531010, 181010)
        assert shapely.contains(there, read(path, crs=system).shapes).all()
    with pytest.raises(InputError, match=r"areas\.wards\.crs is in degrees"):
        read(path, crs="EPSG:4326")


def test_exchanged_axes_are_named(tmp_path: Path) -> None:
    frame = squares().to_crs("EPSG:4326")
    turned = frame.set_geometry([shapely.transform(g, lambda xy: xy[:, ::-1]) for g in frame.geometry])
    with pytest.raises(InputError, match=r"w\.geojson \(areas\.wards\) has its axes swapped"):
        read(geojson(tmp_path / "w.geojson", turned))


@pytest.mark.slow
def test_polygons_are_taken_out_of_collections(tmp_path: Path) -> None:
    frame = squares()
    whole, line = frame.geometry[1], shapely.LineString([(0, 0), (1, 1)])
    inner = shapely.GeometryCollection([whole, shapely.Point(5, 5)])
    for held in ([whole], [whole, line], [line, inner], [shapely.force_3d(whole)]):
        frame.loc[1, "geometry"] = shapely.GeometryCollection(held)
        frame.to_file(tmp_path / "w.gpkg")
        assert read(tmp_path / "w.gpkg").shapes[1].equals(whole)
    frame.loc[1, "geometry"] = shapely.GeometryCollection([line])
    frame.to_file(tmp_path / "w.gpkg")
    with pytest.raises(InputError, match=r"1 areas have no polygon \(b: GeometryCollection\)"):
        read(tmp_path / "w.gpkg")


@pytest.mark.slow
def test_names_are_read_in_the_encoding_that_is_set(tmp_path: Path) -> None:
    frame = squares()
    frame["area_name"] = ["Brücke", "Séngby", "C"]
    frame.to_file(tmp_path / "w.shp", encoding="ISO-8859-1")
    (tmp_path / "w.cpg").unlink(missing_ok=True)
    assert read(tmp_path / "w.shp", encoding="latin-1").names == ("Brücke", "Séngby", "C")
    frame.to_file(tmp_path / "u.shp", encoding="UTF-8")
    (tmp_path / "u.cpg").write_text("ISO-8859-1")
    assert [is_garbled(n) for n in read(tmp_path / "u.shp").names] == [True, True, False]
    assert read(tmp_path / "u.shp", encoding="utf-8").names == ("Brücke", "Séngby", "C")
    with pytest.raises(ConfigError, match=r"areas\.wards\.encoding: 'nonsense'"):
        read(tmp_path / "u.shp", encoding="nonsense")
    with pytest.raises(ConfigError, match="is for Shapefile and MapInfo TAB"):
        read(geojson(tmp_path / "w.geojson", frame.to_crs("EPSG:4326")), encoding="latin-1")
