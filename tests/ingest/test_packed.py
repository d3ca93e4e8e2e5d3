"""Files from archives and `.gz`, read by the reader of what is inside."""

import csv
import gzip
import io
import zipfile
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest

from pipeline.errors import InputError
from pipeline.ingest.formats.files import AreaRequest, existing, read_layer
from pipeline.stages.inputs import expand
from tests.kit.cases import NORTHBY, SOUTHBY, attempt, counted, published_cells, wards, write_published
from tests.kit.readers import City, read, settings

REQUEST = AreaRequest("areas.wards", (("areas.wards.code", "WD25CD"),))
CLEVELAND = City(west=430_000, south=500_000, side=30_000, columns=2, rows=2)  # holds the force's area


def test_a_zipped_shapefile_and_a_gzipped_map_are_boundaries(tmp_path: Path) -> None:
    frame = wards()
    frame.to_file(tmp_path / "wards.shp")
    with zipfile.ZipFile(tmp_path / "wards.zip", "w") as archive:
        for ending in ("shp", "shx", "dbf", "prj"):
            archive.write(tmp_path / f"wards.{ending}", f"London/wards.{ending}")
        archive.writestr("London/readme.txt", "Contains OS data")
    frame.to_crs("EPSG:4326").to_file(tmp_path / "wards.geojson")
    (tmp_path / "wards.geojson.gz").write_bytes(gzip.compress((tmp_path / "wards.geojson").read_bytes()))
    for name, system in (("wards.zip", 27700), ("wards.geojson.gz", 4326)):
        layer = read_layer(existing(name, base=tmp_path, what="areas.wards"), REQUEST)
        assert layer.frame["WD25CD"].tolist() == frame["WD25CD"].tolist()
        assert layer.system.to_epsg() == system
        area = gpd.GeoSeries(list(layer.shapes), crs=layer.system).to_crs(27700).area.sum()
        assert area == pytest.approx(frame.area.sum(), rel=1e-6)


@pytest.mark.slow
def test_incidents_in_an_archive_are_labelled_and_counted_like_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("q1/rows.csv", "id,date,easting,northing\n1,2025-03-04,530500,180500\n2,soon,1,1\n")
        archive.writestr("q2/rows.csv.gz", gzip.compress(b"id,date,easting,northing\n3,2025-06-04,531500,181500\n"))
    first, second = expand(("a.zip",), base=tmp_path, key="paths")
    found = read(first, out=tmp_path / "1")
    assert (found.report.rows_read, found.report.incidents, found.rules) == (2, 1, {2: "date_unreadable"})
    assert read(second, out=tmp_path / "2").incidents["ward_code"].tolist() == ["W11"]


@pytest.mark.slow
def test_counts_and_residents_are_read_from_workbooks_and_archives(tmp_path: Path) -> None:
    config = write_published(tmp_path, published_cells((NORTHBY, SOUTHBY)))
    with zipfile.ZipFile(tmp_path / "counts.zip", "w") as archive:
        archive.write(tmp_path / "counts.csv", "2024/counts.csv")
    people = list(csv.reader(io.StringIO((tmp_path / "pop.csv").read_text(encoding="utf-8"))))
    book = openpyxl.Workbook()
    for row in people:
        book.active.append([int(cell) if cell.isdigit() else cell for cell in row])
    book.create_sheet("Notes").append(["Source: census"])
    book.create_sheet("Old").sheet_state = "hidden"
    book.active.title = "2021"
    book.save(tmp_path / "pop.xlsx")
    plain = counted(config)
    text = config.read_text().replace("counts.csv", "counts.zip").replace("pop.csv", "pop.xlsx\n    sheet: '2021'")
    config.write_text(text)
    assert None not in (right := plain.totals((NORTHBY, SOUTHBY))).values()  # read before the outputs are replaced
    packed = attempt(config)
    assert packed.totals((NORTHBY, SOUTHBY)) == right
    assert "hidden sheet 'Old' is not read" in packed.text
    assert [a["population"] for a in packed.layer("wards").values()] == [int(row[1]) for row in people[1:]]


@pytest.mark.slow
def test_three_hundred_columns_and_line_breaks_in_quotes_are_read_from_an_archive(tmp_path: Path) -> None:
    names = ["id", "date", "easting", "northing", "notes", *(f"column {i}" for i in range(295))]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    rows = 3000
    for i in range(rows):
        note = f'seen at {i}\nby "two" people,\r\nleft'
        writer.writerow([i, f"2025-{1 + i % 12:02d}-01", 530_500, 180_500, note, *range(295)])
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("extract/rows.csv", text.getvalue())
    (member,) = expand(("a.zip",), base=tmp_path, key="paths")
    found = read(member, out=tmp_path / "out")
    assert (found.report.rows_read, found.report.incidents) == (rows, rows)
    assert found.incidents["incident_id"].tolist() == [str(i) for i in range(rows)]


def test_a_map_named_as_a_compressed_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b'{"type": "FeatureCollection", "features": []}'))
    with pytest.raises(InputError, match="GeoJSON compressed with gzip"):
        read(tmp_path / "a.csv.gz")


def test_months_of_cleveland_are_read_from_one_archive(real_data: Path, tmp_path: Path) -> None:
    rows = {}
    with zipfile.ZipFile(tmp_path / "2025-05.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((real_data / "streets_cleveland").glob("*-street.csv.gz")):
            text = gzip.decompress(path.read_bytes())
            name = path.name.removesuffix(".gz")
            archive.writestr(f"{name[:7]}/{name}", text)
            rows[name] = sum(1 for _ in csv.reader(io.StringIO(text.decode()))) - 1
    members = expand(("2025-05.zip",), base=tmp_path, key="paths")
    assert [m.name for m in members] == sorted(rows)
    source = settings({"paths": ["2025-05.zip"], "crs": None})
    reports = {m.name: read(m, source, city=CLEVELAND, out=tmp_path / "out").report for m in members}
    assert {name: report.rows_read for name, report in reports.items()} == rows
    assert len(rows) == 29
