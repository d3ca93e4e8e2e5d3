"""The doors of the readers: quoting, file lists, text files, column names, boundaries and residents."""

import gzip
from pathlib import Path
from typing import Any

import duckdb
import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ingest as readers
from pipeline.config import Areas, Run
from pipeline.errors import ConfigError, HotspotsError, InputError
from pipeline.ingest.formats import files, text
from pipeline.ingest.formats.files import clean_names, file_format, plain_text
from pipeline.ingest.incidents import read as reading
from pipeline.ingest.incidents.read import PartWriter, quarantine_schema
from pipeline.stages.inputs import expand
from pipeline.storage.duckdb import connect, identifier, literal
from pipeline.tables import AREAS
from tests.kit.readers import CITY, read

SMALL = Run.model_validate({"max_file_mb": 2})
NASTY = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=20)


@given(NASTY)
@pytest.mark.slow
def test_a_quoted_name_is_one_name_and_a_quoted_text_one_text(text: str) -> None:
    row = duckdb.sql(f"SELECT {literal(text)} AS {identifier(text)}")
    assert row.columns == [text]
    assert row.fetchall() == [(text,)]


def test_the_database_reads_its_folders_and_nothing_else(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "x.csv").write_text("a\n1\n")
    with connect(memory_limit_mb=200, folders=(inside,), spill=tmp_path / "spill") as connection:
        assert connection.sql(f"SELECT * FROM read_csv({literal(str(inside / 'x.csv'))})").fetchall() == [(1,)]
        with pytest.raises(duckdb.PermissionException):
            connection.sql(f"SELECT * FROM read_csv({literal(str(outside / 'x.csv'))})").fetchall()
        for setting in ("enable_external_access = true", "memory_limit = '9GB'", "allowed_directories = ['/']"):
            with pytest.raises(duckdb.Error):
                connection.execute(f"SET {setting}")


def test_files_are_listed_once_and_in_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt", "deep/d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = expand(("b.csv", "*.csv", "**/d.csv"), base=tmp_path, key="paths")
    assert [p.relative_to(tmp_path).as_posix() for p in found] == ["a.csv", "b.csv", "deep/d.csv"]
    assert expand((str(tmp_path / "c*.txt"),), base=Path("/nowhere"), key="paths") == (tmp_path / "c.txt",)


def test_a_path_that_means_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        expand(("2018-*.csv",), base=tmp_path, key="incidents[0].paths")
    assert all(word in str(caught.value) for word in ("incidents[0].paths", "'2018-*.csv'", str(tmp_path)))


def test_labels_tell_files_of_one_name_apart() -> None:
    paths = (Path("/d/2018-01/street.csv"), Path("/d/2018-02/street.csv"), Path("/d/other.csv"))
    assert readers.source_labels(paths, name="police") == (
        "police/2018-01/street.csv", "police/2018-02/street.csv", "police/other.csv"
    )  # fmt: skip
    deep = (Path("/a/x/f.csv"), Path("/b/x/f.csv"))
    assert readers.source_labels(deep, name="p") == ("p/a/x/f.csv", "p/b/x/f.csv")


def test_formats_follow_the_ending_unless_stated() -> None:
    endings = {"a.csv": "csv", "a.CSV.gz": "csv", "a.tsv": "csv", "a.geojson": "geojson", "a.gpkg": "gpkg",
               "a.shp": "shapefile", "a.TAB": "tab", "a.parquet": "parquet", "a.XLSX": "workbook"}  # fmt: skip
    assert {name: file_format(Path(name), stated="auto").name for name in endings} == endings
    assert file_format(Path("a.dat"), stated="csv").name == "csv"
    with pytest.raises(InputError, match=r"a\.dat.*\.dat.*format"):
        file_format(Path("a.dat"), stated="auto")
    with pytest.raises(InputError, match=r"a\.pdf is a PDF document.*ask for the table"):
        file_format(Path("a.pdf"), stated="auto")


def test_text_comes_out_as_utf8_whatever_went_in(tmp_path: Path) -> None:
    words = "naïve café £5\n"
    for name, data, encoding in (
        ("latin.csv", words.encode("latin-1"), "latin-1"),
        ("wide.csv", words.encode("utf-16"), "utf-16"),
        ("packed.csv.gz", gzip.compress(words.encode()), "utf-8"),
        ("both.csv.gz", gzip.compress(words.encode("cp1252")), "cp1252"),
    ):
        (tmp_path / name).write_bytes(data)
        plain = plain_text(tmp_path / name, encoding=encoding, folder=tmp_path, limits=SMALL)
        assert plain.read_bytes().decode("utf-8") == words, name
    (tmp_path / "plain.csv").write_text(words, encoding="utf-8")
    plain = plain_text(tmp_path / "plain.csv", encoding="utf-8", folder=tmp_path, limits=SMALL)
    assert plain == tmp_path / "plain.csv"


@pytest.mark.parametrize(
    ("name", "data", "encoding", "kind", "words"),
    [
        ("x.csv", b"", "utf-8", InputError, "empty"),
        ("x.csv", b"a,b\n", "utf-99", ConfigError, "utf-99"),
        ("x.csv", "a,b\n".encode("utf-16"), "utf-8", InputError, "encoding: utf-16"),
        ("x.csv.gz", b"a,b\n1,2\n", "utf-8", InputError, "decompressed"),
        ("x.csv.gz", gzip.compress(b"a" * 100, mtime=0)[:-9], "utf-8", InputError, "decompressed"),
        ("x.csv.gz", gzip.compress(b"", mtime=0), "utf-8", InputError, "empty"),
        ("x.csv.gz", gzip.compress(b"a" * 2_000_001, mtime=0), "utf-8", InputError, "max_file_mb"),
        ("x.csv", b"a" * 2_000_001, "utf-8", InputError, "max_file_mb"),
        ("x.csv", b"a,b\n\xff\n", "shift_jis", InputError, "shift_jis"),
    ],
)
def test_text_that_cannot_be_read_is_one_error(  # noqa: PLR0917 one row of the table
    tmp_path: Path, name: str, data: bytes, encoding: str, kind: type[HotspotsError], words: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(kind, match=words):
        plain_text(tmp_path / name, encoding=encoding, folder=tmp_path, limits=SMALL)


def test_column_names_are_trimmed_named_and_told_apart() -> None:
    assert clean_names(["", " Crime  Type ", "X", "X", "X"]) == ("column 1", "Crime Type", "X", "X (2)", "X (3)")


# Boundaries -----------------------------------------------------------------------------------------------------------


def frame(**changes: Any) -> gpd.GeoDataFrame:
    """Wards of the small city."""
    columns: dict[str, Any] = {
        "code": CITY.codes, "name": [f"Ward {c}" for c in CITY.codes], "parent": CITY.parents,
        "parent_name": [CITY.names[p] for p in CITY.parents],
    } | changes  # fmt: skip
    return gpd.GeoDataFrame(columns, geometry=list(CITY.shapes), crs="EPSG:27700")


def areas(tmp_path: Path, wards: gpd.GeoDataFrame | None = None, **more: Any) -> readers.AreaSet:
    """Write the wards and read them back."""
    (frame() if wards is None else wards).to_file(tmp_path / "wards.gpkg")
    ward = {"path": "wards.gpkg", "code": "code", "name": "name", "parent_code": "parent", "parent_name": "parent_name"}
    settings = {"wards": ward | more.pop("ward", {}), "region": {"code": "R", "name": "The city"}, **more}
    return readers.read_areas(Areas.model_validate(settings), base=tmp_path, working="EPSG:27700")


def test_three_levels_in_order_with_areas_and_parents(tmp_path: Path) -> None:
    found = areas(tmp_path, frame().iloc[[3, 1, 0, 2]])
    AREAS.check(found.table)
    assert found.table["area_code"].tolist() == ["R", "B0", "B1", "W00", "W01", "W10", "W11"]
    assert found.table["level"].tolist() == ["region", "borough", "borough", *["ward"] * 4]
    assert found.table["name"].tolist()[:3] == ["The city", "Ash & Elm", "Birch"]
    assert found.table["parent_code"].fillna("").tolist() == ["", "R", "R", "B0", "B0", "B1", "B1"]
    np.testing.assert_allclose(found.table["area_km2"], [4, 2, 2, 1, 1, 1, 1])
    lookup = found.lookup(tmp_path / "index.npz")
    assert lookup.bounds == (530_000, 180_000, 532_000, 182_000)
    assert (lookup.ward_codes, lookup.parents) == (CITY.codes, CITY.parents)
    assert lookup.borough_names == {"B0": "Ash & Elm", "B1": "Birch"}
    assert found.table["covered"].all()
    assert found.table["population"].isna().all()


@pytest.mark.parametrize(
    ("name", "driver"),
    [("w.geojson", "GeoJSON"), ("w.gpkg", "GPKG"), ("w.shp", "ESRI Shapefile"), ("w.parquet", "")],
)
def test_every_boundary_format_gives_the_same_areas(tmp_path: Path, name: str, driver: str) -> None:
    wards = frame().rename(columns={"parent_name": "pname"})
    if name == "w.geojson":
        wards = wards.to_crs(4326)
    if driver:
        wards.to_file(tmp_path / name, driver=driver)
    else:
        wards.to_parquet(tmp_path / name)
    found = areas(tmp_path, ward={"path": name, "parent_name": "pname"})
    assert found.table["area_code"].tolist() == ["R", "B0", "B1", "W00", "W01", "W10", "W11"]
    np.testing.assert_allclose(found.table["area_km2"], [4, 2, 2, 1, 1, 1, 1], rtol=1e-6)


def test_a_bow_tie_is_repaired_and_counted(tmp_path: Path) -> None:
    wards = frame()
    x, y = 530_000, 180_000
    tie = shapely.Polygon([(x, y), (x + 1000, y + 1000), (x + 1000, y), (x, y + 1000)])
    wards.loc[0, "geometry"] = tie
    found = areas(tmp_path, wards)
    assert found.report["wards"]["repaired"] == 1
    assert found.level("ward")["area_km2"].iloc[0] == pytest.approx(0.5)


@pytest.mark.slow
def test_boroughs_of_their_own_file_and_how_far_they_disagree(tmp_path: Path) -> None:
    given = gpd.GeoDataFrame(
        {"bc": ["B0", "B1"], "bn": ["Ash and Elm", "Birch"]},
        geometry=[shapely.box(530_000, 180_000, 531_100, 182_000), shapely.box(531_100, 180_000, 532_000, 182_000)],
        crs="EPSG:27700",
    )
    given.to_file(tmp_path / "b.gpkg")
    boroughs = {"path": "b.gpkg", "code": "bc", "name": "bn", "vintage": "2021"}
    for parents, how in (
        ({"parent_code": None, "parent_name": None}, "largest overlap"),
        ({"parent_code": None}, "column of names"),
        ({}, "column of codes"),
    ):
        found = areas(tmp_path, boroughs=boroughs, ward=parents)
        assert found.level("ward")["parent_code"].tolist() == list(CITY.parents), how
        assert found.report["parents"] == how
        # A strip of 100 m by 2 km lies on the other side for both boroughs.
        assert found.report["disagreement_km2"] == pytest.approx(0.4)
        assert found.level("borough")["area_km2"].tolist() == pytest.approx([2.2, 1.8])
        assert found.level("borough")["name"].tolist() == ["Ash and Elm", "Birch"]


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        ({"code": ["W", "W", "V", "U"]}, {}, "wards.gpkg.*unique.*W"),
        ({"code": ["W", "", "V", "U"]}, {}, "no code"),
        ({"parent": ["B0", None, "B1", "B1"]}, {}, "no borough.*W01"),
        ({"code": ["B0", "W", "V", "U"]}, {}, "used twice: B0"),
        ({}, {"ward": {"code": "cod"}}, 'cod.*areas.wards.code.*did you mean "code"'),
        ({}, {"ward": {"parent_code": None, "parent_name": None}}, "areas.wards.parent_code"),
        ({}, {"ward": {"path": "absent.gpkg"}}, "absent.gpkg"),
        ({}, {"ward": {"crs": "EPSG:99999"}}, "EPSG:99999"),
    ],
)
def test_boundaries_that_cannot_be_used_are_one_error(
    tmp_path: Path, change: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        areas(tmp_path, frame(**change), **more)


def test_a_file_without_a_system_names_the_setting(tmp_path: Path) -> None:
    frame().rename(columns={"parent_name": "pname"}).to_file(tmp_path / "w.shp")
    (tmp_path / "w.prj").unlink()
    with pytest.raises(InputError, match=r"w\.shp.*areas\.wards\.crs.*\.prj"):
        areas(tmp_path, ward={"path": "w.shp", "parent_name": "pname"})
    found = areas(tmp_path, ward={"path": "w.shp", "parent_name": "pname", "crs": "EPSG:27700"})
    assert found.level("ward")["area_km2"].tolist() == pytest.approx([1, 1, 1, 1])


def test_a_table_or_a_broken_file_is_no_boundary(tmp_path: Path) -> None:
    (tmp_path / "w.geojson").write_text('{"type": "FeatureColl')
    with pytest.raises(InputError, match=r"w\.geojson"):
        areas(tmp_path, ward={"path": "w.geojson"})
    lines = gpd.GeoDataFrame(frame().drop(columns="geometry"), geometry=list(shapely.boundary(CITY.shapes)), crs=27700)
    with pytest.raises(InputError, match="no polygon"):
        areas(tmp_path, lines)


def test_what_is_not_covered_says_so_for_its_wards_too(tmp_path: Path) -> None:
    found = areas(tmp_path, not_covered=["B1"])
    assert dict(zip(found.table["area_code"], found.table["covered"], strict=True)) == {
        "R": True, "B0": True, "B1": False, "W00": True, "W01": True, "W10": False, "W11": False,
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r'not_covered: .W0. is not an area code.*did you mean "W'):
        areas(tmp_path, not_covered=["W0"])


# Residents ------------------------------------------------------------------------------------------------------------


def population(tmp_path: Path, text: str, **settings: Any) -> readers.AreaSet:
    """Read the small city with one population file."""
    encoding = settings.get("encoding", "utf-8")
    (tmp_path / "people.csv").write_text(text, encoding=encoding)
    return areas(tmp_path, population=[{"path": "people.csv", "code": "code", "value": "people", **settings}])


def test_residents_are_summed_upwards_where_all_are_known(tmp_path: Path) -> None:
    found = population(tmp_path, 'code,people\nW00,"1,200"\nW01,300\nW10,50\nW11,.\n', year=2015)
    people = dict(zip(found.table["area_code"], found.table["population"], strict=True))
    assert people["W00"] == 1200
    assert people["B0"] == 1500
    assert pd.isna(people["B1"])  # one of its wards is not known
    assert pd.isna(people["R"])
    assert found.table.set_index("area_code")["population_year"].get("B0") == 2015
    assert found.report["population"][0]["without_figure"] == 1
    assert found.report["without_population"] == ["B1", "R", "W11"]


def test_a_file_that_mixes_levels_gives_each_its_own_figure(tmp_path: Path) -> None:
    text = "code,people\nW00,1\nW01,2\nW10,3\nW11,4\nB0,10\nB1,20\nR,31\nE92000001,99\n"
    found = population(tmp_path, text, ignore_unknown=True)
    people = dict(zip(found.table["area_code"], found.table["population"], strict=True))
    assert people == {"R": 31, "B0": 10, "B1": 20, "W00": 1, "W01": 2, "W10": 3, "W11": 4}
    assert found.report["population"][0]["unknown_codes"] == ["E92000001"]


def test_of_a_wide_table_of_residents_the_column_of_one_year_is_read(tmp_path: Path) -> None:
    found = population(tmp_path, "code,2011,2021\nW00,10,12\nW01,20,22\n", value=2021, year=2021)
    people = found.table.set_index("area_code")["population"]
    assert (people["W00"], people["W01"]) == (12, 22)


def test_latin_text_and_a_population_of_one_category(tmp_path: Path) -> None:
    found = population(tmp_path, "code,people,café £\nW00,7,é\n", encoding="latin-1", category="homeless")
    assert found.denominators.to_dict("records") == [
        {"area_code": "W00", "category": "homeless", "population": 7, "population_year": 2021, "measure": "residents"}
    ]
    assert found.table["population"].isna().all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("code,people\nW99,5\n", "1 codes are in no boundary file.*W99.*ignore_unknown"),
        ("code,people\nW00,many\n", "row 1: 'many'"),
        ("code,people\nW00,-5\n", "row 1: '-5'"),
        ("code,people\nW00,5\nW00,6\n", "row 2: W00 has 6.*5"),
        ("code,persons\nW00,5\n", "people.*areas.population.value.*'persons'"),
        ("code,people\nW00,5,6\n", "1 malformed rows"),
        ("", "empty"),
    ],
)
def test_residents_that_cannot_be_used_are_one_error(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        population(tmp_path, text)


def test_latin_bytes_read_as_utf8_name_the_setting(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes("code,people,café\nW00,5,é\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"people\.csv is not utf-8.*encoding.*latin-1"):
        areas(tmp_path, population=[{"path": "people.csv", "code": "code", "value": "people"}])


@pytest.mark.real
def test_london_boundaries_of_five_editions(real_data: Path) -> None:
    places = real_data / "boundaries"

    def read(**settings: Any) -> readers.AreaSet:
        region = {"code": "E12000007", "name": "London"}
        settings = Areas.model_validate({"region": region} | settings)
        return readers.read_areas(settings, base=places, working="EPSG:27700")

    full = read(wards={"path": "london_wards_2018_27700.gpkg", "code": "GSS_CODE", "name": "NAME",
                       "parent_code": "LAGSSCODE", "parent_name": "DISTRICT"})  # fmt: skip
    assert len(full.level("ward")) == 657
    assert len(full.level("borough")) == 33
    assert full.level("region")["area_km2"].iloc[0] == pytest.approx(1594.70, abs=0.005)
    mapinfo = read(
        wards={"path": "gla_wards_2014_mapinfo/London_Ward.tab", "code": "GSS_Code", "name": "Name",
               "parent_code": "LB_GSS_Code", "parent_name": "Borough"},
        population=[{"path": "../population/ward-profiles-excel-version.csv", "code": "New code", "year": 2015,
                     "value": "Population - 2015", "encoding": "latin-1", "ignore_unknown": True}],
    )  # fmt: skip
    assert mapinfo.report["wards"]["repaired"] == 2  # Colville and Pembridge
    people = mapinfo.table.set_index("area_code")["population"]
    assert people["E12000007"] == 8_632_850  # the row of London in the same file
    overlap = read(
        wards={"path": "london_wards_2013_4326.geojson", "code": "WD13CD", "name": "WD13NM"},
        boroughs={"path": "london-2021-lad22-gen20.shp", "code": "LAD22CD", "name": "LAD22NM"},
    )
    assert overlap.report["parents"] == "largest overlap"
    official = gpd.read_file(places / "gla_wards_2014_mapinfo/London_Ward.tab").set_index("GSS_Code")["LB_GSS_Code"]
    ours = overlap.level("ward").set_index("area_code")["parent_code"]
    both = ours.index.intersection(official.index)
    assert len(both) > 500
    assert (ours[both] == official[both]).all()
    with pytest.raises(InputError, match=r"LondonBoroughs_noprj\.shp.*areas\.wards\.crs"):
        read(wards={"path": "../messy/LondonBoroughs_noprj.shp", "code": "ons_label", "name": "name"})


def test_a_part_that_cannot_be_written_says_so_though_it_is_written_in_a_thread(tmp_path: Path) -> None:
    other = pa.table({"something": ["else"]})
    with pytest.raises(ValueError, match="schema"), PartWriter(tmp_path / "p.parquet", quarantine_schema()) as writer:
        writer.write(other)


@pytest.mark.parametrize("careful", [False, True])
def test_a_large_file_says_how_far_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, careful: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Batches of 100 rows: of 250, the number of lines is known; rows read one by one are first staged, without it."""
    for module in (files, reading):
        monkeypatch.setattr(module, "BATCH_ROWS", 100)
    monkeypatch.setattr(files, "_READ_ROWS", 100)
    monkeypatch.setattr(text, "STAGE_ROWS", 100)
    rows = [f"{i},2024-03-01,{CITY.west + 100},{CITY.south + 100}" for i in range(249)]
    path = tmp_path / "i.csv"
    last = "249,2024-03-01" if careful else rows[0]  # with too few cells
    path.write_text("\n".join(["id,date,easting,northing", *rows, last]) + "\n", "utf-8")
    heard: list[tuple[str, int, int]] = []
    read(path, progress=lambda *said: heard.append(said))
    assert {label for label, _, _ in heard} == {"reading rows"}
    total = 250 if careful else 251  # the header is a line, but no staged row
    assert [h[1:] for h in heard if h[2]] == [(1, total), (101, total), (201, total), (total, total)]
    assert [h[1] for h in heard if not h[2]] == ([100, 200, 250] if careful else [])
