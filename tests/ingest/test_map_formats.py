"""Every map format that GDAL reads, for incidents and boundaries, against what was written by GDAL or by hand."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from pipeline.errors import InputError
from pipeline.ingest.formats.files import AreaRequest, Opening, existing, read_layer, read_table, row_reader
from pipeline.stages.inputs import expand, files_of
from tests.kit.cases import wards
from tests.kit.readers import read, settings

REQUEST = AreaRequest("areas.wards", (("areas.wards.code", "WD25CD"), ("areas.wards.name", "WD25NM")))


def points() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"id": ["A", "B"], "when": ["2025-03-04", "2025-03-05"], "n": np.array([1, 2], dtype=np.int32)},
        geometry=shapely.points([[530500, 180500], [531500, 181500]]),
        crs="EPSG:27700",
    )


@dataclass(frozen=True)
class Kind:
    """A map format: a file name, GDAL's driver, whether coordinates must be degrees, and options for writing."""

    name: str
    driver: str
    degrees: bool
    options: dict[str, Any]


MAPS = [
    Kind("a.geojson", "GeoJSON", degrees=True, options={}),
    Kind("a.gpkg", "GPKG", degrees=False, options={}),
    Kind("a.shp", "ESRI Shapefile", degrees=False, options={}),
    Kind("a.tab", "MapInfo File", degrees=False, options={}),
    Kind("a.kml", "LIBKML", degrees=True, options={}),
    Kind("a.gml", "GML", degrees=False, options={"FORMAT": "GML3.2"}),
    Kind("a.fgb", "FlatGeobuf", degrees=False, options={}),
    Kind("a.gdb", "OpenFileGDB", degrees=False, options={}),
    Kind("a.geojsonl", "GeoJSONSeq", degrees=True, options={}),
    Kind("a.sqlite", "SQLite", degrees=False, options={"SPATIALITE": "YES", "LAUNDER": "NO"}),
]
by_kind = pytest.mark.parametrize("kind", MAPS, ids=lambda kind: kind.name)


def write(folder: Path, kind: Kind, frame: gpd.GeoDataFrame) -> Path:
    frame = frame.to_crs("EPSG:4326") if kind.degrees else frame
    pyogrio.write_dataframe(frame, folder / kind.name, driver=kind.driver, **kind.options)
    return folder / kind.name


GEODATABASE = Kind("a.gdb", "OpenFileGDB", degrees=False, options={})


@by_kind
def test_points_become_incidents(tmp_path: Path, kind: Kind) -> None:
    name, path = kind.name, write(tmp_path, kind, points())
    source = settings({"paths": [name], "crs": None, "columns": {"id": "id", "date": "when"}})
    there = sorted(p.name for p in tmp_path.iterdir())
    found = read(path, source, out=tmp_path.parent / f"{tmp_path.name}-out")
    assert found.incidents.sort_values("incident_id")["ward_code"].tolist() == ["W00", "W11"]
    # GDAL writes descriptions beside some files: not beside the user's.
    assert sorted(p.name for p in tmp_path.iterdir()) == there
    how = Opening(tmp_path.parent)
    columns = row_reader(path, stated="auto").read_header(path, how).columns
    assert {"id", "when", "n"} <= set(columns) <= {"id", "when", "n", "gml_id"}


@by_kind
def test_outlines_become_boundaries(tmp_path: Path, kind: Kind) -> None:
    name, path = kind.name, write(tmp_path, kind, wards())
    layer = read_layer(existing(name, base=tmp_path, what="areas.wards"), REQUEST)
    right = wards().set_index("WD25CD")
    shapes = gpd.GeoSeries(list(layer.shapes), index=layer.frame["WD25CD"], crs=layer.system).to_crs("EPSG:27700")
    assert sorted(shapes.index) == sorted(right.index)
    assert np.allclose(shapes.sort_index().area, right.sort_index().area, rtol=1e-5)
    assert dict(zip(layer.frame["WD25CD"], layer.frame["WD25NM"], strict=True)) == right["WD25NM"].to_dict()
    assert path in files_of(path) or path.is_dir()


@by_kind
def test_a_layer_is_a_small_table_too(tmp_path: Path, kind: Kind) -> None:
    path = write(tmp_path, kind, points())
    found = read_table(path, encoding="utf-8").sort_values("id")
    assert found["n"].astype(float).tolist() == [1, 2]


@pytest.mark.slow
def test_a_geodatabase_is_a_folder_of_files_that_a_path_a_pattern_or_an_archive_names(tmp_path: Path) -> None:
    folder = write(tmp_path, GEODATABASE, points())
    assert expand(("a.gdb",), base=tmp_path, key="paths") == expand(("*.gdb",), base=tmp_path, key="paths") == (folder,)
    assert files_of(folder) == sorted(folder.iterdir())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"data/a.gdb/{file.name}")
    (member,) = expand(("a.zip",), base=tmp_path, key="paths")
    assert member == tmp_path / "a.zip/data/a.gdb"
    source = settings({"paths": ["a.zip"], "crs": None, "columns": {"id": "id", "date": "when"}})
    assert read(member, source, out=tmp_path / "out").incidents["ward_code"].tolist() == ["W00", "W11"]


def test_times_of_a_geodatabase_are_those_that_were_entered(tmp_path: Path) -> None:
    frame = points().assign(stamp=pd.to_datetime(["2025-07-04 23:30", "2025-07-05 00:00"]))
    path = write(tmp_path, GEODATABASE, frame)
    assert read_table(path, encoding="utf-8")["stamp"].tolist() == ["2025-07-04T23:30:00", "2025-07-05T00:00:00"]


def test_a_geodatabase_with_only_tables_has_no_boundaries(tmp_path: Path) -> None:
    frame = pd.DataFrame({"WD25CD": ["W1"], "WD25NM": ["Ash"]})
    pyogrio.write_dataframe(frame, tmp_path / "a.gdb", layer="Lookup", driver="OpenFileGDB")
    with pytest.raises(InputError, match=r"a\.gdb has only tables \(Lookup\), no layer with outlines"):
        read_layer(tmp_path / "a.gdb", REQUEST)
    # As a table it serves.
    assert read_table(tmp_path / "a.gdb", encoding="utf-8")["WD25NM"].tolist() == ["Ash"]


@pytest.mark.slow
def test_of_several_layers_the_only_one_that_serves_is_read_and_otherwise_one_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.gdb"
    pyogrio.write_dataframe(wards(), path, layer="Wards", driver="OpenFileGDB")
    pyogrio.write_dataframe(pd.DataFrame({"a": ["b"]}), path, layer="Lookup", driver="OpenFileGDB", append=True)
    assert len(read_layer(path, REQUEST).frame) == 4
    pyogrio.write_dataframe(wards()[:2], path, layer="Old", driver="OpenFileGDB", append=True)
    with pytest.raises(InputError, match=r"several layers \(Wards: 4 rows.*Old: 2 rows.*\): set areas\.wards\.layer"):
        read_layer(path, REQUEST)


@pytest.mark.slow
def test_gpx_is_read_by_its_only_layer_with_rows(tmp_path: Path) -> None:
    frame = (
        points()
        .to_crs("EPSG:4326")[["geometry"]]
        .assign(name=["A", "B"], time=pd.to_datetime(["2025-03-04", "2025-03-05"]))
    )
    path = write(tmp_path, Kind("a.gpx", "GPX", degrees=True, options={}), frame)
    source = settings({"paths": ["a.gpx"], "crs": None, "columns": {"id": "name", "date": "time"}})
    assert read(path, source).incidents["ward_code"].tolist() == ["W00", "W11"]


def esri(path: Path, **more: Any) -> Path:
    features = [
        {"attributes": {"id": "A", "when": 1741093500000}, "geometry": {"x": 530500, "y": 180500}},
        {"attributes": {"id": "B", "when": 1752186600000}, "geometry": {"x": 531500, "y": 181500}},
    ]
    fields = [{"name": "id", "type": "esriFieldTypeString"}, {"name": "when", "type": "esriFieldTypeDate", "length": 8}]
    about = {"geometryType": "esriGeometryPoint", "spatialReference": {"wkid": 27700}, "fields": fields}
    answer = about | {"features": features}
    path.write_text(json.dumps(answer | more))
    return path


@pytest.mark.slow
def test_the_answer_of_an_esri_service_is_read_with_local_times(tmp_path: Path) -> None:
    path = esri(tmp_path / "a.json")
    found = read(path, settings({"paths": ["a.json"], "crs": None, "columns": {"id": "id", "date": "when"}}))
    assert found.incidents["ward_code"].tolist() == ["W00", "W11"]
    # Milliseconds since 1970 are UTC: 10 July 2025, 22:30 UTC is 23:30 in London.
    assert found.incidents["occurred_on"].tolist() == ["2025-03-04", "2025-07-10"]
    assert found.incidents["hour_band"].tolist() == [13, 23]
    assert not any("exceededTransferLimit" in text for text in found.report.cautions)


def test_the_answer_of_an_esri_service_without_geometry_is_a_table(tmp_path: Path) -> None:
    fields = [{"name": "code", "type": "esriFieldTypeString"}, {"name": "n", "type": "esriFieldTypeInteger"}]
    rows = [{"attributes": {"code": "W1", "n": 5}}, {"attributes": {"code": "W2", "n": 7}}]
    (tmp_path / "a.json").write_text(json.dumps({"objectIdFieldName": "OID", "fields": fields, "features": rows}))
    found = read_table(tmp_path / "a.json", encoding="utf-8")
    assert found.to_dict("records") == [{"code": "W1", "n": "5"}, {"code": "W2", "n": "7"}]


@pytest.mark.slow
def test_an_answer_that_a_service_cut_short_is_reported(tmp_path: Path) -> None:
    path = esri(tmp_path / "a.json", exceededTransferLimit=True)
    found = read(path, settings({"paths": ["a.json"], "crs": None, "columns": {"id": "id", "date": "when"}}))
    assert any("exceededTransferLimit" in text for text in found.report.cautions)


def test_topojson_is_read_and_its_coordinate_system_has_to_be_stated(tmp_path: Path) -> None:
    # Two squares that share a border; arcs are shared, the second in reverse.
    topology = {
        "type": "Topology",
        "objects": {
            "wards": {
                "type": "GeometryCollection",
                "geometries": [
                    {"type": "Polygon", "arcs": [[0, 1]], "properties": {"WD25CD": "W1", "WD25NM": "Ash"}},
                    {"type": "Polygon", "arcs": [[2, -1]], "properties": {"WD25CD": "W2", "WD25NM": "Elm"}},
                ],
            }
        },
        "arcs": [[[1, 0], [1, 1]], [[1, 1], [0, 1], [0, 0], [1, 0]], [[1, 0], [2, 0], [2, 1], [1, 1]]],
    }
    (tmp_path / "a.json").write_text(json.dumps(topology))
    layer = read_layer(tmp_path / "a.json", REQUEST)
    assert layer.frame["WD25CD"].tolist() == ["W1", "W2"]
    assert [s.area for s in layer.shapes] == [1, 1]
    assert layer.system is None


@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0"?><kml><!-- <OGRVRTDataSource> --></kml>',
        '<?xml version="1.0"?><!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]><kml>&x;</kml>',
    ],
)
def test_xml_that_may_refer_to_other_files_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.kml").write_text(text)
    with pytest.raises(InputError, match=r"refers to other files|is an XML file"):
        read_table(tmp_path / "a.kml", encoding="utf-8")


def test_texts_of_a_shapefile_of_incidents_may_have_a_stated_encoding(tmp_path: Path) -> None:
    frame = points().assign(place=["Ålder", "Bîrch"])
    pyogrio.write_dataframe(frame, tmp_path / "a.shp", encoding="ISO-8859-1")
    (tmp_path / "a.cpg").unlink()
    assert read_table(tmp_path / "a.shp", encoding="latin-1")["place"].tolist() == ["Ålder", "Bîrch"]


def test_rows_of_a_geodatabase_with_a_curve_or_a_line_are_refused_not_lost(tmp_path: Path) -> None:
    frame = points()
    frame = gpd.GeoDataFrame(frame, geometry=[frame.geometry[0], shapely.LineString([(0, 0), (1, 1)])], crs=frame.crs)
    pyogrio.write_dataframe(frame, tmp_path / "a.fgb", driver="FlatGeobuf", geometry_type="Unknown")
    source = settings({"paths": ["a.fgb"], "crs": None, "columns": {"id": "id", "date": "when"}})
    found = read(tmp_path / "a.fgb", source)
    assert (found.report.rows_read, found.report.incidents) == (2, 1)
    assert list(found.report.quarantined) == ["geometry"]
