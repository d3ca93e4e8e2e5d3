"""What is said before a run, and what a run asks people to look at: coverage, columns, codes, placeholders, words."""

import gzip
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
import yaml

from pipeline.commands.terminal import print_check, print_outcome
from pipeline.config import load_config, settings_cautions
from pipeline.config.release import LICENCE_TO_WRITE
from pipeline.config.templates import TEMPLATES, template_text
from pipeline.errors import ConfigError, HotspotsError, InputError
from pipeline.ingest.quality import coverage_caution, scarce
from pipeline.publish.words import choice_name, counters_text
from pipeline.stages.checks import check_inputs
from pipeline.stages.runner import Outcome, run
from pipeline.stages.trial import Checked, Trial
from tests.kit.city import INTERNAL, LIGHT, X0, Y0, write_city

CHANGES: dict[str, Any] = LIGHT | {"profiles": [INTERNAL]}
CRAY = "1 of 3 boroughs has a count of 0 (Cray 0). If the files do not cover it, put its code in areas.not_covered"


def quiet(_label: str, _done: int, _total: int) -> None:
    """Report nothing."""


def three_boroughs(folder: Path, **changes: object) -> Path:
    """Add a borough C (Cray) of one ward, where nothing happened, to the city."""
    config = write_city(folder, **CHANGES, **changes)
    wards = gpd.read_file(folder / "wards.gpkg")
    more = gpd.GeoDataFrame(
        {"code": ["C1"], "name": ["South"], "parent": ["C"], "parent_name": ["Cray"]},
        geometry=[shapely.box(X0, Y0 - 1000, X0 + 1000, Y0)],
        crs=wards.crs,
    )
    gpd.pd.concat([wards, more]).to_file(folder / "wards.gpkg", driver="GPKG")
    return config


def cautions(outcome: Outcome) -> list[str]:
    return [c for record in outcome.manifest["stages"].values() for c in record["cautions"]]


# Coverage -------------------------------------------------------------------------------------------------------------


def test_an_area_is_scarce_under_a_twentieth_of_the_median() -> None:
    # The median of 0, 4, 5, 100, 100, 100, 100 is 100, a twentieth of it 5: 4 is under it, 5 is not.
    counts = {"a": 100, "b": 5, "c": 100, "d": 4, "e": 100, "f": 0, "g": 100}
    assert scarce(counts) == ["f", "d"]
    assert scarce({"a": 100, "b": 0}) == []  # of two none is typical
    assert scarce({"a": 9, "b": 8, "c": 7}) == []
    # Of a median of 0 nothing is less: a twentieth of the largest, 250, counts.
    assert scarce({"a": 0, "b": 5000, "c": 0, "d": 249, "e": 0, "f": 250, "g": 0}) == ["a", "c", "e", "g", "d"]
    assert (
        "6 of 7 boroughs have under 5 % of the largest count ("
        in coverage_caution(
            {"a": 0, "b": 5000, "c": 0, "d": 9, "e": 0, "f": 9, "g": 0}, names={c: c for c in "abcdefg"}
        )[1]
    )


def test_the_caution_names_each_and_what_to_do() -> None:
    names = {"a": "Ham", "b": "Bow", "c": "Kew", "d": "Lea"}
    found, said = coverage_caution({"a": 1000, "b": 20, "c": 2000, "d": 0}, names=names)
    assert found == [
        {"area_code": "d", "name": "Lea", "incidents": 0},
        {"area_code": "b", "name": "Bow", "incidents": 20},
    ]
    assert said.startswith("2 of 4 boroughs have under 5 % of the typical count (Lea 0, Bow 20). If the files do not")
    assert "put their codes in areas.not_covered" in said
    assert coverage_caution({"a": 1, "b": 1, "c": 1}, names=names) == ([], "")
    many = {f"x{i:02d}": 0 for i in range(12)} | {"y": 1}
    assert "x09 0 and 2 more)" in coverage_caution(many, names={c: c for c in many})[1]


@pytest.mark.slow
def test_a_borough_no_file_covers_is_named_everywhere_but_in_releases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = three_boroughs(tmp_path, **{"page.licence": LICENCE_TO_WRITE})
    outcome = run(config, progress=quiet)
    placeholder = settings_cautions(load_config(config))[0]
    assert [c[: len(CRAY)] for c in cautions(outcome)] == [CRAY, placeholder]
    quality = json.loads((outcome.folder / "quality.json").read_text("utf-8"))
    assert quality["scarce_boroughs"] == [{"area_code": "C", "name": "Cray", "incidents": 0}]
    door = (outcome.folder / "index.html").read_text("utf-8")
    assert CRAY in door
    assert "<h2>What to send to whom</h2>" in door
    assert "hand over" not in door
    assert "dropped" in door
    released = [p.read_bytes() for p in (outcome.folder / "internal").rglob("*") if p.is_file()]
    assert released
    assert not any(b"areas.not_covered" in content for content in released)

    again = run(config, progress=quiet)  # from the manifest on disk, whose keys are sorted
    assert again.ran == []
    print_outcome(again, as_json=False)
    said = " ".join(capsys.readouterr().out.split())
    places = [said.index(f" {stage} fresh") for stage in ("aggregate", "detect", "release", "publish")]
    assert said.index("ingest fresh") < places[0]
    assert places == sorted(places)
    assert CRAY in said
    assert "58 rows read, 56 incidents kept, 1 row refused, 1 duplicate dropped, 1 file read, 0 reused" in said
    assert "taken_over" not in said

    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["areas"]["not_covered"], settings["page"]["licence"] = ["C"], "Ours."
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert cautions(run(config, progress=quiet)) == []


@pytest.mark.slow
@pytest.mark.parametrize("level", ["borough", "ward"])
def test_published_counts_that_leave_a_borough_out_say_so(tmp_path: Path, level: str) -> None:
    areas = {"borough": ["A", "B"], "ward": ["A1", "B1"]}[level]
    rows = [f"{code},{level},2024-{month:02d}-01,20" for code in areas for month in range(1, 13)]
    source = {
        "name": "published",
        "paths": ["counts.csv"],
        "columns": {"area_code": "area_code", "level": "level", "period": "period", "value": "value"},
        "absent": "zero",
    }
    config = three_boroughs(tmp_path)
    settings = yaml.safe_load(config.read_text("utf-8"))
    del settings["incidents"]
    settings |= {"published_counts": [source], "categories": {"all_label": "All"}}
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    (tmp_path / "counts.csv").write_text("area_code,level,period,value\n" + "\n".join(rows) + "\n", encoding="utf-8")
    outcome = run(config, progress=quiet)
    no_wards = "No data for wards: published publishes no counts of wards"
    said = [c for c in cautions(outcome) if not c.startswith(no_wards)]
    assert [c[: len(CRAY)] for c in said] == [CRAY]
    assert (len(said) < len(cautions(outcome))) is (level == "borough")
    quality = json.loads((outcome.folder / "quality.json").read_text("utf-8"))
    assert [b["area_code"] for b in quality["scarce_boroughs"]] == ["C"]


# Before a run ---------------------------------------------------------------------------------------------------------


def checked(config: Path) -> HotspotsError:
    with pytest.raises(HotspotsError) as caught:
        check_inputs(load_config(config), config.parent)
    return caught.value


def test_a_check_says_every_missing_file_and_column_at_once_by_its_key(tmp_path: Path) -> None:
    config = write_city(tmp_path, **{
        "areas.wards.code": "GSS_CODE", "areas.wards.parent_name": "DISTRICT", "areas.population.0.value": "pop_2021",
        "areas.lookup": "nowhere.csv", "incidents.0.paths": ["incidents.csv", "more-*.csv"],
        "incidents.0.columns.date": "dat", "incidents.0.columns.outcome": "result",
        "categories.tree": [{"id": "race", "flag": "is_race"}],
    })  # fmt: skip
    error = checked(config)
    assert isinstance(error, InputError)
    assert error.exit_code == 3
    head, *said = str(error).splitlines()
    assert head == "5 problems found:"
    nowhere, more, rows, people, wards = sorted(said, key=lambda s: [
        "areas.lookup" not in s, "more-*" not in s, "incidents.csv" not in s, "people.csv" not in s])  # fmt: skip
    assert "'nowhere.csv'" in nowhere
    assert "incidents[0].paths" in more
    for key in ("incidents.columns.date", "incidents.columns.outcome", "categories.race.flag"):
        assert f"({key})" in rows
    assert rows.count("It has: ") == 1
    assert "'id', 'date', 'easting'" in rows
    assert people.startswith(
        "- people.csv has no column 'pop_2021' (areas.population.value). It has: 'code', 'people'."
    )
    assert wards.startswith(
        "- wards.gpkg has no columns 'GSS_CODE' (areas.wards.code), 'DISTRICT' (areas.wards.parent_name). It has: "
        "'code', 'name', 'parent', 'parent_name'. Set these keys"
    )


def test_a_fault_that_many_files_share_is_said_once(tmp_path: Path) -> None:
    config = write_city(tmp_path, **{"incidents.0.paths": ["m-*.csv.gz"]})
    for month in ("01", "02", "03"):
        (tmp_path / f"m-{month}.csv.gz").write_bytes(gzip.compress(b"id,when,easting,northing,borough,strand,online\n"))
    said = str(checked(config))
    assert said.count("has no columns 'date'") == 1
    assert said.startswith("m-01.csv.gz")
    assert "(and so m-02.csv.gz, m-03.csv.gz)" in said


def test_no_row_is_looked_at(tmp_path: Path) -> None:
    config = write_city(tmp_path)
    header = (tmp_path / "incidents.csv").read_text("utf-8").splitlines()[0]
    (tmp_path / "incidents.csv").write_bytes(f"{header}\n".encode() + b'"never closed, 2035\n' * 100)
    assert {p.name for p in check_inputs(load_config(config), tmp_path)} == {
        "incidents.csv",
        "people.csv",
        "wards.gpkg",
    }


@pytest.mark.parametrize("name", ["wards.parquet", "wards.geojson"])
def test_every_kind_of_boundary_file_is_checked(tmp_path: Path, name: str) -> None:
    config = write_city(tmp_path, **{"areas.wards.path": name})
    wards = gpd.read_file(tmp_path / "wards.gpkg")
    _ = wards.to_parquet(tmp_path / name) if name.endswith("parquet") else wards.to_file(tmp_path / name)
    assert check_inputs(load_config(config), tmp_path)
    config = write_city(tmp_path, **{"areas.wards.path": name, "areas.wards.code": "cod"})
    assert "'cod' (areas.wards.code) (did you mean \"code\"?)" in str(checked(config))


@pytest.mark.parametrize("suffix", ["parquet", "geojson"])
def test_every_kind_of_extract_is_checked(tmp_path: Path, suffix: str) -> None:
    config = write_city(tmp_path, **{"incidents.0.paths": [f"points.{suffix}"], "incidents.0.columns": {"date": "dat"}})
    points = gpd.GeoDataFrame({"date": ["2024-01-01"], "strand": ["race"]}, geometry=gpd.points_from_xy([X0], [Y0]))
    points = points.set_crs("EPSG:27700")
    _ = (
        points.to_parquet(tmp_path / "points.parquet")
        if suffix == "parquet"
        else points.to_file(tmp_path / "points.geojson")
    )
    assert "no column 'dat' (incidents.columns.date)" in str(checked(config))


def test_counts_and_other_tables_are_checked(tmp_path: Path) -> None:
    config = write_city(tmp_path)
    settings = yaml.safe_load(config.read_text("utf-8"))
    del settings["incidents"]
    columns = {"area_code": "code", "period": "month_year", "value": "count"}
    settings["published_counts"] = [{"paths": ["counts.csv"], "columns": columns}]
    settings["areas"]["lookup"] = "lookup.csv"
    settings["disclosure"] = {"known_tables": [{"name": "old", "path": "old.csv"}]}
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    for name, header in (("counts", "code,count"), ("lookup", "from_code,to"), ("old", "area_code,period,category")):
        (tmp_path / f"{name}.csv").write_text(f"{header}\n", encoding="utf-8")
    said = str(checked(config))
    assert "counts.csv has no column 'month_year' (published_counts.columns.period)" in said
    assert "lookup.csv has no column 'to_code' (areas.lookup)" in said
    assert "old.csv has no column 'incidents' (disclosure.known_tables[0].path)" in said


def test_a_name_where_a_code_belongs_is_answered_with_the_code(tmp_path: Path) -> None:
    error = checked(write_city(tmp_path, **{"areas.not_covered": ["Barton"], "areas.visitor_areas": ["A1"]}))
    assert isinstance(error, ConfigError)
    assert str(error) == (
        "areas.not_covered: 'Barton' is not an area code: use codes such as B (the codes of the boroughs or wards)"
    )
    assert check_inputs(load_config(write_city(tmp_path, **{"areas.not_covered": ["B", "A2"]})), tmp_path)


def test_the_licence_of_a_template_is_a_placeholder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in TEMPLATES:
        settings = yaml.safe_load(template_text(name))
        assert settings["page"]["licence"] == LICENCE_TO_WRITE
        assert "not_covered" in settings["areas"]
    config = load_config(write_city(tmp_path, **{"page.licence": LICENCE_TO_WRITE}))
    print_check(Checked(config, {}, [], settings_cautions(config), Trial()), as_json=True)
    (caution,) = json.loads(capsys.readouterr().out)["cautions"]
    assert caution == "page.licence is still the template's text, which would appear on public pages: enter your own."
    assert settings_cautions(load_config(write_city(tmp_path))) == []


# Words ----------------------------------------------------------------------------------------------------------------


def test_counters_are_said_in_words_and_in_order() -> None:
    counters = {"files_taken_over": 1, "rows": 1234, "files_read": 24, "boundaries_taken_over": True,
                "hotspots 2024-01..2024-12": 1, "something_new": 3}  # fmt: skip
    assert counters_text(counters, {}) == (
        "1,234 rows read, 24 files read, 1 reused, 1 hotspot (2024-01..2024-12), boundaries reused, something new: 3"
    )
    assert choice_name("withheld per primary public") == "withheld cells per small cell (public)"
    assert choice_name("something_new") == "something new"
