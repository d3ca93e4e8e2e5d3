"""What real extracts get wrong: each a clear error or a counted refusal, never a lost row, never a traceback."""

import gzip
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError, HotspotsError, InputError
from tests.kit.readers import CITY, read, settings, write

HEAD = "id,date,easting,northing,strand"
GOOD = "g,2025-01-02,530500,180500,race"


def rows(*lines: str, head: str = HEAD) -> str:
    return "\n".join([head, *lines, ""])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("1,,530500,180500,race", "date_missing"),
        ("1,   ,530500,180500,race", "date_missing"),
        ("1,soon,530500,180500,race", "date_unreadable"),
        ("1,2025-02-30,530500,180500,race", "date_unreadable"),
        ("1,2019-12-31,530500,180500,race", "date_early"),
        ("1,2026-01-01,530500,180500,race", "date_future"),
        ("1,2025-01-02,530500,,race", "coordinates_half"),
        ("1,2025-01-02,,180500,race", "coordinates_half"),
        ("1,2025-01-02,north,180500,race", "coordinates_unreadable"),
        ("1,2025-01-02,530 50,180500,race", "coordinates_unreadable"),
        ("1,2025-01-02,NaN,180500,race", "coordinates_half"),
        ("1,2025-01-02,inf,180500,race", "not_finite"),
        ("1,2025-01-02,530500,-Infinity,race", "not_finite"),
        ("1,2025-01-02,0,0,race", "zero"),
        ("1,2025-01-02,0.0,-0,race", "zero"),
        ("1,2025-01-02,180500,530500,race", "swapped"),
        ("1,2025-01-02,900500,180500,race", "far"),
        ("1,2025-01-02,530500,1e300,race", "far"),
        ("1,2025-01-02,530500", "malformed"),
        ("1,2025-01-02,530500,180500,race,more", "malformed"),
        ('1,2025-01-02,530500,180500,"race" crime', "malformed"),
    ],
)
def test_a_bad_row_is_refused_by_name_and_its_neighbours_kept(tmp_path: Path, line: str, rule: str) -> None:
    path = write(tmp_path, rows(GOOD, line, GOOD))
    found = read(path, settings({"first_date": "2020-01-01"}))
    assert found.rules == {2: rule}
    assert found.incidents["source_row"].tolist() == [1, 3]
    assert found.quarantine["source"].tolist() == ["police/rows.csv"]
    assert found.quarantine["reason"].str.len().min() > 10
    assert json.loads(found.quarantine["raw"].iloc[0])


def test_the_refused_row_is_there_as_it_was_read(tmp_path: Path) -> None:
    path = write(tmp_path, rows(GOOD, "a1,soon,530500,180500,café"))
    raw = json.loads(read(path).quarantine["raw"].iloc[0])
    assert raw == {"id": "a1", "date": "soon", "easting": "530500", "northing": "180500", "strand": "café"}


def test_a_place_within_50_km_is_outside_and_one_beyond_is_far(tmp_path: Path) -> None:
    # The east side of the city is at 532000.
    lines = [f"1,2025-01-02,{x},180500,race" for x in (531_999, 532_001, 581_999, 582_001)]
    found = read(write(tmp_path, rows(*lines)))
    assert found.incidents["place"].tolist() == ["point", "outside", "outside"]
    assert found.incidents["borough_code"].fillna("").tolist() == ["B1", "", ""]
    assert found.rules == {4: "far"}


def test_an_extent_is_in_the_files_own_system(tmp_path: Path) -> None:
    lines = [f"1,2025-01-02,{x},180500,race" for x in (530_500, 531_500)]
    found = read(write(tmp_path, rows(*lines)), settings({"extent": [530_000, 180_000, 531_000, 182_000]}))
    assert found.rules == {2: "far"}


def test_longitude_and_latitude_exchanged(tmp_path: Path) -> None:
    head = "id,date,longitude,latitude"
    text = rows("1,2025-01-02,-0.1120,51.5110", "2,2025-01-02,51.5110,-0.1120", "3,2025-01-02,-0.1120,151.5", head=head)
    city = type(CITY)(west=530_000, south=180_000)
    found = read(write(tmp_path, text), settings({"crs": None}), city=city)
    assert found.incidents["place"].tolist() == ["point"]
    assert found.rules == {2: "swapped", 3: "far"}


def test_every_row_bad_still_adds_up(tmp_path: Path) -> None:
    found = read(write(tmp_path, rows(*["1,soon,0,0,race"] * 50)))
    assert (found.report.rows_read, found.report.incidents) == (50, 0)
    assert found.report.quarantined == {"date_unreadable": 50}
    assert found.report.first_date == ""


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xef\xbb\xbf" + rows(GOOD).encode(), 1),
        (rows(GOOD, GOOD).replace("\n", "\r\n").encode(), 2),
        (rows(GOOD, GOOD).replace("\n", "\r").encode(), 2),
        (f"{HEAD}\r\n{GOOD}\n{GOOD}\r\n".encode(), 2),
        (rows(GOOD, "", GOOD, "").encode(), 2),
        (f"\n\n{HEAD}\n{GOOD}".encode(), 1),
        (rows('"g","2025-01-02","530500","180500","race, or\nso"', GOOD).encode(), 2),
        (rows('g,2025-01-02,530500,180500,"said ""no"""').encode(), 1),
        (rows(GOOD + ",", GOOD + ",,").encode(), 2),
        (rows(GOOD.replace(",", ";"), head=HEAD.replace(",", ";")).encode(), 1),
        (rows(GOOD.replace(",", "\t"), head=HEAD.replace(",", "\t")).encode(), 1),
        (rows(GOOD.replace(",", " | "), head=HEAD.replace(",", "|")).encode(), 1),
        (rows(" g , 2025-01-02 , 530500 , 180500 , race ").encode(), 1),
        (rows(head=HEAD).encode(), 0),
        (HEAD.encode(), 0),
    ],
    ids=["bom", "crlf", "cr", "mixed-ends", "blank-lines", "blank-top", "newline-in-quotes", "quotes",
         "trailing-commas", "semicolon", "tab", "bar", "padded", "header-only", "header-without-end"],
)  # fmt: skip
def test_every_way_of_writing_a_table_is_read(tmp_path: Path, data: bytes, expected: int) -> None:
    found = read(write(tmp_path, data))
    assert found.report.rows_read == len(found.incidents) == expected
    assert found.rules == {}
    if expected:
        assert set(found.incidents["ward_code"]) == {"W00"}
        assert found.incidents["occurred_on"].iloc[0] == "2025-01-02"


def test_rows_drawn_into_one_by_a_stray_quotation_mark_are_named_by_their_lines(tmp_path: Path) -> None:
    found = read(write(tmp_path, rows(GOOD, '1,2025-01-02,530500,180500,"race', GOOD, GOOD + '",more', GOOD)))
    assert found.rules == {2: "malformed"}
    told = json.loads(found.quarantine["raw"].iloc[0])
    assert (told["line"], told["last_line"]) == (3, 5)
    assert found.report.rows_read == 3


def test_a_decimal_comma_goes_with_a_semicolon(tmp_path: Path) -> None:
    path = write(tmp_path, "id;date;x;y\n1;2025-01-02;530500,75;180500,25\n")
    found = read(path)
    assert found.incidents[["easting_m", "northing_m"]].to_numpy().tolist() == [[530500.75, 180500.25]]


@pytest.mark.slow
def test_latin_text_needs_its_encoding_named(tmp_path: Path) -> None:
    data = rows(GOOD.replace("race", "café")).encode("latin-1")
    with pytest.raises(InputError, match=r"rows\.csv is not utf-8 text.*0xe9.*encoding.*latin-1"):
        read(write(tmp_path, data))
    found = read(write(tmp_path, data), settings({"encoding": "latin-1"}))
    assert found.report.labels == {"cafe": "café"}
    packed = read(write(tmp_path, gzip.compress(data), "rows.csv.gz"), settings({"encoding": "latin-1"}))
    assert packed.report.labels == found.report.labels


def test_bad_bytes_beside_bad_rows_are_still_an_encoding_error(tmp_path: Path) -> None:
    data = rows("short,row", GOOD).encode() + b"g,2025-01-02,530500,180500,caf\xe9\n"
    with pytest.raises(InputError, match=r"not utf-8 text.*encoding"):
        read(write(tmp_path, data))


@pytest.mark.parametrize(
    ("text", "source", "words"),
    [
        ("", {}, r"rows\.csv is empty"),
        ("\n \n", {}, "no header"),
        (rows(GOOD), {"columns": {"date": "dat", "x": "east"}},
         r"no columns 'dat' \(incidents\.columns\.date\).*did you mean \"date\".*'east'.*columns\.x.*It has: 'id'"),
        (rows(GOOD), {"columns": {"x": "easting"}}, "names x but not y"),
        (rows(GOOD), {"crs": None}, r"'easting' and 'northing'.*EPSG:27700"),
        (rows(GOOD), {"crs": "EPSG:999999"}, "EPSG:999999"),
        (rows(GOOD, head=HEAD.replace("date", "when")), {}, r"no date.*incidents\.columns\.date.*'when'"),
        (rows('g,2025-01-02,530500,180500,"race', GOOD), {}, "opened in line 2 is never closed"),
        (rows(GOOD.replace("2025-01-02", "06/01/2019")), {}, "06/01/2019.*day_first"),
        (rows(GOOD), {"date_format": "%d"}, "date_format"),
        (rows(GOOD), {"encoding": "utf-99"}, "utf-99"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_one_error(tmp_path: Path, text: str, source: dict[str, Any], words: str) -> None:
    with pytest.raises((InputError, ConfigError), match=words) as caught:
        read(write(tmp_path, text), settings(source))
    assert "\n" not in str(caught.value).strip()


@pytest.mark.slow
def test_an_unknown_category_is_counted_refused_or_an_error_as_configured(tmp_path: Path) -> None:
    path = write(tmp_path, rows(GOOD, GOOD.replace("race", "race;planets"), GOOD.replace("race", "")))
    tree = [{"id": "race"}]
    found = read(path, settings(categories={"tree": tree}))
    assert found.incidents["categories"].tolist() == ["race", "race", ""]
    assert found.report.unknown_categories == {"planets": 1}
    found = read(path, settings(categories={"tree": tree, "unknown": "quarantine"}))
    assert found.rules == {2: "category_unknown"}
    with pytest.raises(InputError, match=r"rows\.csv.*'planets' \(1 rows\).*categories\.tree"):
        read(path, settings(categories={"tree": tree, "unknown": "error"}))


def test_texts_that_come_to_one_id_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, rows(GOOD.replace("race", "Hate (race)"), GOOD.replace("race", "hate race")))
    with pytest.raises(InputError, match=r"'Hate \(race\)' and 'hate race' both become 'hate_race'"):
        read(path)


# Vector layers --------------------------------------------------------------------------------------------------------


def layer(**columns: Any) -> gpd.GeoDataFrame:
    points = [shapely.Point(530_500, 180_500), shapely.Point(531_500, 181_500)]
    return gpd.GeoDataFrame(
        {"id": ["a", "b"], "date": ["2025-01-02", "2025-01-03"], **columns}, geometry=points, crs=27700
    )


@pytest.mark.slow
def test_a_layer_and_the_configuration_must_name_one_system(tmp_path: Path) -> None:
    layer().to_file(tmp_path / "p.gpkg")
    with pytest.raises(InputError, match=r"p\.gpkg is in EPSG:27700, but the configuration says EPSG:4326"):
        read(tmp_path / "p.gpkg", settings({"crs": "EPSG:4326"}))
    assert read(tmp_path / "p.gpkg", settings({"crs": "EPSG:27700"})).incidents["ward_code"].tolist() == ["W00", "W11"]


@pytest.mark.slow
def test_a_layer_without_a_system_needs_one(tmp_path: Path) -> None:
    layer().to_file(tmp_path / "p.shp")
    (tmp_path / "p.prj").unlink()
    with pytest.raises(InputError, match=r"p\.shp does not state.*crs.*\.prj"):
        read(tmp_path / "p.shp", settings({"crs": None}))
    assert read(tmp_path / "p.shp", settings()).incidents["ward_code"].tolist() == ["W00", "W11"]


def test_a_geometry_that_is_no_point_is_refused_and_an_empty_one_is_no_place(tmp_path: Path) -> None:
    shapes = [shapely.Point(530_500, 180_500), shapely.LineString([(0, 0), (1, 1)]), None, shapely.Point(),
              shapely.MultiPoint([(531_500, 181_500)])]  # fmt: skip
    frame = gpd.GeoDataFrame(
        {"date": ["2025-01-02"] * 5, "borough": ["", "", "birch", "", ""]}, geometry=shapes, crs=27700
    )
    frame.to_file(tmp_path / "p.gpkg")
    found = read(tmp_path / "p.gpkg", settings({"crs": None}))
    assert found.rules == {2: "geometry"}
    assert json.loads(found.quarantine["raw"].iloc[0])["date"] == "2025-01-02"
    assert found.incidents["place"].tolist() == ["point", "borough", "none", "point"]


@pytest.mark.parametrize(
    ("name", "data"),
    [("x.geojson", b'{"type": "Feat'), ("x.gpkg", b"not a database"), ("x.parquet", b"PAR1 nothing"), ("x.shp", b"")],
)
def test_a_broken_layer_is_one_error(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(InputError, match=name):
        read(write(tmp_path, data, name), settings({"crs": None}))


@pytest.mark.slow
def test_a_layer_must_be_named_where_there_are_two(tmp_path: Path) -> None:
    layer().to_file(tmp_path / "p.gpkg", layer="one")
    layer().to_file(tmp_path / "p.gpkg", layer="two")
    with pytest.raises(InputError, match=r"several layers.*one: 2 rows.*two: 2 rows.*layer"):
        read(tmp_path / "p.gpkg", settings({"crs": None}))
    with pytest.raises(InputError, match="no layer 'three'"):
        read(tmp_path / "p.gpkg", settings({"crs": None, "layer": "three"}))
    assert len(read(tmp_path / "p.gpkg", settings({"crs": None, "layer": "two"})).incidents) == 2


# Nothing secret is kept -----------------------------------------------------------------------------------------------


def test_a_victim_is_never_kept_in_plain_text(tmp_path: Path) -> None:
    head = HEAD + ",victim_ref"
    text = rows(
        GOOD + ",Ada Lovelace", "2,soon,530500,180500,race,Grace Hopper", "3,2025-01-02,Mary Seacole", head=head
    )
    path = write(tmp_path, text)
    found = read(path)
    assert found.rules == {2: "date_unreadable", 3: "malformed"}
    kept = found.incidents.to_csv() + found.quarantine.to_csv()
    assert not any(name in kept for name in ("Lovelace", "Hopper", "Seacole"))
    for part in (found.part, found.quarantine_part):
        assert b"Lovelace" not in part.read_bytes()
        assert b"Hopper" not in part.read_bytes()
    assert json.loads(found.quarantine["raw"].iloc[0])["victim_ref"] == "[redacted]"
    assert found.incidents["victim_hash"].str.fullmatch("[0-9a-f]{32}").all()


# Anything at all ------------------------------------------------------------------------------------------------------

CELL = st.one_of(
    st.sampled_from(["", " ", "0", "530500", "180500", "2025-01-02", "03/04/2025", "race", '"', "NaN", "1e999", "é"]),
    st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=8),
)


@pytest.mark.slow
@given(st.lists(st.lists(CELL, min_size=1, max_size=7), max_size=8))
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_file_no_row_is_lost(tmp_path: Path, table: list[list[str]]) -> None:
    text = "\n".join([HEAD, *(",".join(row) for row in table)])
    try:
        found = read(write(tmp_path, text), settings({"day_first": True}))  # read() checks that all rows are there
    except HotspotsError:
        return
    assert not found.incidents["occurred_on"].isna().any()
    placed = found.incidents["place"].isin(["point", "outside"])
    assert (found.incidents["easting_m"].notna() == placed).all()
    assert pd.api.types.is_string_dtype(found.incidents["incident_id"])
