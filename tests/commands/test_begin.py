"""`hotspots init --from`: what it recognises is right, has its evidence beside it, and can be checked."""

import zipfile
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
import shapely
import yaml

from pipeline.commands.begin import begin
from pipeline.errors import ConfigError, InputError
from tests.kit.city import X0, Y0, city_rows, write_city
from tests.kit.command_line import hotspots

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_city(tmp_path)
    (tmp_path / "config.yaml").unlink()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(folder: Path, **given: object):
    wanted = {"data": ["incidents.csv"], "areas": ["wards.gpkg"], "population": ["people.csv"], "force": False} | given
    done = begin(wanted.pop("data"), config=folder / "made.yaml", **wanted)
    text = done.path.read_text("utf-8")
    return done, yaml.safe_load(text), text


def test_a_city_needs_no_change(folder: Path) -> None:
    done, settings, text = made(folder)
    assert (done.error, done.unseen) == (None, [])
    wards = {
        "path": "wards.gpkg",
        "code": "code",
        "name": "name",
        "parent_code": "parent",
        "parent_name": "parent_name",
    }
    assert {k: settings["areas"]["wards"][k] for k in wards} == wards
    people = {"path": "people.csv", "code": "code", "value": "people", "year": 2021}
    assert settings["areas"]["population"] == [people]
    assert settings["crs"]["working"] == settings["incidents"][0]["crs"] == "EPSG:27700"
    assert "# 3 of 3 codes of the areas" in text
    assert "date 'date'" in text
    with pytest.raises(ConfigError, match="already exists"):
        made(folder)


def test_unusual_names_and_encoding_are_found_by_values(folder: Path) -> None:
    lines = (folder / "incidents.csv").read_text("utf-8").splitlines()
    lines[0] = "ref no,when it was,pos east,pos north,borough,hate type,online,outcome"
    (folder / "incidents.csv").write_bytes(
        "\n".join([*lines, "é9,2024-05-01,530100,180100,A,race,no,"]).encode("latin-1")
    )
    done, settings, _ = made(folder)
    assert done.error is None
    [source] = settings["incidents"]
    assert source["encoding"] == "cp1252"
    assert source["columns"] == {"date": "when it was", "x": "pos east", "y": "pos north", "category": "hate type"}
    assert settings["run"]["title"] == "Hate crime"


def test_areas_that_nothing_groups_are_the_only_level(folder: Path) -> None:
    gpd.read_file(folder / "wards.gpkg")[["code", "name", "geometry"]].to_file(folder / "one.geojson")
    done, settings, _ = made(folder, areas=["one.geojson"])
    assert (done.error, done.unseen) == (None, [])
    assert "wards" not in settings["areas"]
    assert settings["areas"]["boroughs"]["code"] == "code"


def test_what_cannot_be_seen_is_asked_or_reported(folder: Path) -> None:
    rows = ["id,date,easting,northing,strand"]
    rows += [f"{n},0{1 + n % 9}/0{1 + n % 7}/2024,530{n:03d},180500,race" for n in range(100, 160)]
    (folder / "incidents.csv").write_text("\n".join(rows) + "\n")
    done, settings, _ = made(folder)
    assert "day_first" in done.unseen[0]
    assert "day_first" in str(done.error)
    done, settings, _ = made(folder, force=True, ask=lambda question: "day" if "day" in question else "")
    assert settings["incidents"][0]["day_first"] is True
    assert done.error is None
    with pytest.raises(ConfigError, match="no boundaries are given"):
        made(folder, areas=[], force=True)
    with pytest.raises(InputError, match="no file matches"):
        made(folder, data=["none.csv"], force=True)


def test_sheets_and_layers_are_named_in_the_file(folder: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Made by hand"])
    sheet = book.create_sheet("Crimes")
    for line in ["id,date,easting,northing,borough,strand,online,outcome", *city_rows()]:
        sheet.append(line.split(","))
    book.save(folder / "crimes.xlsx")
    wards = gpd.read_file(folder / "wards.gpkg")
    wards.to_file(folder / "areas.gpkg", layer="wards")
    wards.dissolve("parent", as_index=False)[["parent", "parent_name", "geometry"]].to_file(
        folder / "areas.gpkg", layer="boroughs"
    )
    done, settings, text = made(folder, data=["crimes.xlsx"], areas=["areas.gpkg"])
    assert (done.error, done.unseen) == (None, [])
    assert settings["incidents"][0]["sheet"] == "Crimes"
    assert "# the only sheet of 2 with a date and a place" in text
    assert settings["areas"]["wards"]["layer"] == "wards"
    assert settings["areas"]["boroughs"] | {"vintage": "", "label": ""} == {
        "path": "areas.gpkg",
        "layer": "boroughs",
        "code": "parent",
        "name": "parent_name",
        "vintage": "",
        "label": "",
    }


@pytest.fixture
def squares(folder: Path) -> gpd.GeoDataFrame:
    """Sixteen wards of a square kilometre in four districts and two divisions; the incidents are in their south."""
    cells = [(x, y) for x in range(4) for y in range(4)]
    texts = {
        "WARD_CODE": [f"W{x}{y}" for x, y in cells],
        "WARD_NAME": [f"Ward {x} {y}" for x, y in cells],
        "DIVISION": [f"V{x // 2}" for x, _ in cells],
        "DISTRICT_CODE": [f"D{x // 2}{y // 2}" for x, y in cells],
    }
    boxes = [shapely.box(X0 + 1000 * x, Y0 + 1000 * y, X0 + 1000 * (x + 1), Y0 + 1000 * (y + 1)) for x, y in cells]
    return gpd.GeoDataFrame(texts, geometry=boxes, crs="EPSG:27700")


def test_three_levels_in_columns_of_one_file(folder: Path, squares: gpd.GeoDataFrame) -> None:
    squares.to_file(folder / "squares.gpkg")
    done, settings, text = made(folder, areas=["squares.gpkg"], population=[])
    assert (done.error, done.unseen) == (None, [])
    # The finer column is the next level, whichever comes first in the file.
    assert settings["areas"]["levels"] == [
        {"id": "ward", "path": "squares.gpkg", "code": "WARD_CODE", "name": "WARD_NAME", "parent_code": "DISTRICT_CODE",
         "label": "ward"},
        {"id": "district", "path": "squares.gpkg", "code": "DISTRICT_CODE", "name": "DISTRICT_CODE", "dissolve": True,
         "parent_code": "DIVISION", "label": "district"},
        {"id": "division", "path": "squares.gpkg", "code": "DIVISION", "name": "DIVISION", "dissolve": True,
         "label": "division"},
    ]  # fmt: skip
    assert "# 2 values for 16 areas, each DISTRICT_CODE in one of them" in text


def test_three_levels_in_files(folder: Path, squares: gpd.GeoDataFrame) -> None:
    squares[["WARD_CODE", "WARD_NAME", "geometry"]].to_file(folder / "wards.geojson")
    for column in ("DISTRICT_CODE", "DIVISION"):
        squares.dissolve(column, as_index=False)[[column, "geometry"]].to_file(folder / f"{column.lower()}.gpkg")
    done, settings, _ = made(folder, areas=["wards.geojson", "division.gpkg", "district_code.gpkg"], population=[])
    assert (done.error, done.unseen) == (None, [])
    levels = settings["areas"]["levels"]
    assert [(one["path"], one.get("parent_code")) for one in levels] == [
        ("wards.geojson", None), ("district_code.gpkg", None), ("division.gpkg", None)
    ]  # fmt: skip
    # A layer that cuts across the districts is no level above them.
    across = squares.assign(band=(squares.index % 4).astype(str)).dissolve("band", as_index=False)
    across[["band", "geometry"]].iloc[1:3].to_file(folder / "across.gpkg")
    _, settings, _ = made(
        folder, areas=["wards.geojson", "district_code.gpkg", "across.gpkg"], population=[], force=True
    )
    assert set(settings["areas"]) >= {"wards", "boroughs"}


def test_intervals_and_postcodes_with_their_lookup(folder: Path) -> None:
    rows = [f"R{n},2024-03-{n:02d} 22:00,2024-03-{n + 1:02d} 07:00,N1 {n % 9 + 1}AB,race" for n in range(1, 25)]
    (folder / "incidents.csv").write_text("\n".join(["id,from,to,pc,strand", *rows]) + "\n")
    done, settings, _ = made(folder)
    assert done.unseen[0].startswith("where the postcodes in 'pc' are: name a lookup")
    places = [f"N1 {n}AB,{X0 + 300 * n},{Y0 + 500}" for n in range(1, 10)]
    (folder / "onspd.csv").write_text("\n".join(["pcds,oseast1m,osnrth1m", *places]) + "\n")
    done, settings, _ = made(folder, lookup=["onspd.csv"], force=True)
    assert (done.error, done.unseen) == (None, [])
    assert settings["geocode"]["postcodes"]["path"] == "onspd.csv"
    columns = {"category": "strand", "from": "from", "postcode": "pc", "to": "to"}
    assert {**settings["incidents"][0]["columns"], "category": "strand"} == columns


def test_counts_with_categories_as_columns(folder: Path) -> None:
    rows = [f"{code},2024-{month:02d},{5 + month},{month},5" for code in ("A1", "A2", "B1") for month in range(1, 13)]
    (folder / "counts.csv").write_text("\n".join(["code,month,Total,Race,Faith", *rows]) + "\n")
    done, settings, _ = made(folder, data=["counts.csv"])
    assert (done.error, done.unseen) == (None, [])
    [source] = settings["published_counts"]
    assert source["columns"]["wide_columns"] == ["Total", "Race", "Faith"]
    assert settings["categories"]["all_from"] == "total"
    assert [c["id"] for c in settings["categories"]["tree"]] == ["total", "race", "faith"]


def test_an_archive_of_police_uk_is_read_without_outcomes_and_stops(folder: Path) -> None:
    head = "Crime ID,Month,Reported by,Falls within,Longitude,Latitude,Location,LSOA code,LSOA name,Crime type,"
    rows = [f"{n:064d},2024-03,P,P,{-0.1265 + n / 2000:.5f},51.5055,On or near A,E1,A 1,Burglary,," for n in range(40)]
    with zipfile.ZipFile(folder / "2024-03.zip", "w") as archive:
        archive.writestr(
            "2024-03/2024-03-city-street.csv", "\n".join([head + "Last outcome category,Context", *rows]) + "\n"
        )
        archive.writestr("2024-03/2024-03-city-outcomes.csv", "Crime ID,Month,Outcome type\na,2024-03,b\n")
        archive.writestr("2024-03/2024-03-city-stop-and-search.csv", "Type,Date\na,2024-03-01\n")
    done, settings, _ = made(folder, data=["2024-03.zip"])
    assert (done.error, done.unseen) == (None, [])
    assert settings["incidents"][0]["paths"] == ["2024-03.zip/**/*-street.csv"]


def test_months_written_by_their_first_day_need_no_question(folder: Path) -> None:
    rows = [f"R{n},0{1 + n % 6}/01/2024 12:00:00 AM,{X0 + 20 * n},{Y0 + 500}" for n in range(1, 60)]
    (folder / "incidents.csv").write_text("\n".join(["id,date,easting,northing", *rows]) + "\n")
    done, settings, _ = made(folder)
    assert (done.error, done.unseen) == (None, [])
    assert settings["incidents"][0]["day_first"] is False


def test_bad_input_is_one_paragraph_and_writes_nothing(folder: Path) -> None:
    openpyxl.Workbook().save(folder / "empty.xlsx")
    (folder / "odd.csv").write_text("colour,size\nred,3\nblue,4\n")
    (folder / "far.csv").write_text("date,longitude,latitude\n2024-03-05,-1.616,54.978\n")
    for name, why in (
        ("empty.xlsx", "no visible sheet with cells"),
        ("odd.csv", "no column is recognisable as a date, nor as coordinates"),
        ("far.csv", "None of the 1 points read from far.csv lies in the areas of wards.gpkg"),
    ):
        with pytest.raises(InputError, match=why):
            made(folder, data=[name])
    assert not (folder / "made.yaml").exists()


def test_on_a_pipe_nothing_is_asked_and_the_exit_code_says_that_more_is_needed(folder: Path) -> None:
    (folder / "incidents.csv").write_text("date,easting,northing\n" + f"05/06/2024,{X0 + 10},{Y0 + 10}\n" * 5)
    done = hotspots("init", "--from", "incidents.csv", "--areas", "wards.gpkg", cwd=folder)
    assert done.returncode == 3
    assert "whether the day or the month comes first" in done.stdout
    assert "It cannot be run as it is: incidents.csv" in done.stdout
    assert (folder / "config.yaml").exists()
