"""`hotspots init --from`: what it recognises is right, has its evidence beside it, and can be checked."""

from pathlib import Path

import pytest
import yaml

from pipeline.commands.begin import begin
from pipeline.errors import ConfigError, InputError
from tests.kit.city import write_city

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
    import geopandas as gpd

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
