"""Runs on rows located by something other than coordinates: postcodes, and codes of areas."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.kit.cases import (
    CODES,
    CORNERS,
    NO_METHODS,
    NORTHBY,
    REGION,
    RIGHT,
    SOUTHBY,
    WARDS,
    Attempt,
    Row,
    attempt,
    change,
    counted,
    incidents,
    refused,
    wards,
    write_boundaries,
    write_case,
)
from tests.kit.map_pages import readable

pytestmark = pytest.mark.slow  # each test is a whole run

ALL_WARDS = tuple(WARDS.values())
NO_DATA = dict.fromkeys(ALL_WARDS)


def postcode_of(number: int, ward: str) -> str:
    """Return one of the eight postcodes of a ward."""
    return f"N{1 + ALL_WARDS.index(ward)} {1 + number % 8}AB"


def rows_of(number: int, **more: str) -> list[Row]:
    """Return incidents with a postcode and no coordinates."""
    return [
        {**{k: r[k] for k in ("incident_id", "occurred_on", "category")}, **more,
         "postcode": postcode_of(i, r["ward_name"])}
        for i, r in enumerate(incidents(number))
    ]  # fmt: skip


def write_lookup(folder: Path, *, without: Callable[[int], bool] | None = None) -> Path:
    """Write a lookup in the layout of ONSPD; the last postcode of each ward was terminated in 2010."""
    lines = ["pcd,pcd2,pcds,dointr,doterm,oseast1m,osnrth1m,osgrdind,lat,long"]
    for ward, (west, south) in CORNERS.items():
        for number in range(8) if ward in ALL_WARDS else ():
            code = postcode_of(number, ward)
            if without is None or not without(number):
                x, y = west + 150 + 150 * number, south + 1350 - 140 * number
                lines.append(f"{code},{code},{code},198001,{'201001' if number == 7 else ''},{x},{y},1,51.5,-0.1")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "onspd.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def case(folder: Path, rows: list[Row], **changes: Any) -> Path:
    return write_case(folder, rows, source={"crs": None}, columns={"x": None, "y": None}, **changes)


def kept(tried: Attempt) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(p) for p in (tried.folder / "work" / "incidents").glob("*.parquet")])


LOOKUP = {"postcodes": {"path": "onspd.csv"}}


def test_postcodes_without_a_lookup_leave_wards_without_data_and_ask_for_one(tmp_path: Path) -> None:
    tried = counted(case(tmp_path, rows_of(260)))
    assert tried.totals() == NO_DATA
    assert tried.totals([REGION, NORTHBY, SOUTHBY]) == {REGION: 260, NORTHBY: None, SOUTHBY: None}
    assert "260 rows of police have a postcode in 'postcode' and nothing finer" in tried.text
    assert "geocode.postcodes" in tried.text


def test_postcodes_with_a_lookup_place_every_row(tmp_path: Path) -> None:
    write_lookup(tmp_path)
    tried = counted(case(tmp_path, rows_of(260), geocode=LOOKUP))
    assert tried.totals() == RIGHT[260]
    assert tried.totals([REGION, NORTHBY, SOUTHBY]) == {REGION: 260, NORTHBY: 188, SOUTHBY: 72}
    assert set(kept(tried)["place_precision"]) == {"postcode"}
    profile = tried.quality["postcodes"]
    terminated = sum(number % 8 == 7 for number in range(260))
    assert (profile["rows_with_a_postcode"], profile["matched_pct"]) == (260, 100.0)
    assert (profile["terminated"], profile["of_them_terminated_before_the_incident"]) == (terminated, terminated)
    assert kept(tried)["postcode_terminated"].sum() == terminated
    assert tried.quality["placed_by"] == {"point": 0, "postcode": 260, "area": 0}
    assert tried.quality["maps"]["density_clusters_hotspots"] == {
        "precision": ["point"], "incidents": 0, "left_out": {"postcode": 260}
    }  # fmt: skip


def mixed(folder: Path, **changes: Any) -> Path:
    """Write 300 incidents at points of their own, and 100 that have a postcode alone."""
    every = incidents(400)
    rows = [
        {**{k: r[k] for k in ("incident_id", "occurred_on", "category", "easting", "northing")}, "postcode": ""}
        for r in every
    ]
    for number in range(300, 400):
        postcode = postcode_of(number, every[number]["ward_name"])
        rows[number] |= {"easting": "", "northing": "", "postcode": postcode}
    write_lookup(folder)
    on = {"enabled": True}
    detect = NO_METHODS | {"density": on, "clusters": {**on, "min_samples": 5, "eps_m": 150.0}}
    return write_case(folder, rows, geocode=LOOKUP, **{"detect": detect, **changes})


def test_postcodes_count_in_wards_and_make_no_hotspots(tmp_path: Path) -> None:
    config = mixed(tmp_path)
    tried = attempt(config)
    assert tried.totals() == RIGHT[400]
    locations = pd.read_parquet(tried.folder / "work" / "locations.parquet")
    assert locations["incidents"].sum() == 300
    # How many incidents the maps rest on stands in quality.json, in the run's cautions and on the analyst's pages.
    assert tried.quality["maps"] == {
        "boroughs": 400, "wards": 400,
        "density_clusters_hotspots": {"precision": ["point"], "incidents": 300, "left_out": {"postcode": 100}},
    }  # fmt: skip
    assert "rest on 300 of 400 located incidents" in tried.text
    assert "Density and hotspots rest on 300 of 400 located incidents" in tried.page
    assert "density, clusters and hotspots on 300" in tried.front_door

    everything = attempt(change(config, detect__precision=["point", "postcode"]))
    assert everything.totals() == RIGHT[400]
    locations = pd.read_parquet(everything.folder / "work" / "locations.parquet")
    assert locations["incidents"].sum() == 400
    assert "located incidents" not in everything.page


def test_released_pages_say_which_incidents_hotspots_show_and_give_no_number(tmp_path: Path) -> None:
    profiles = [{"name": "public", "audience": "public", "threshold": 10}]
    tried = attempt(mixed(tmp_path, profiles=profiles))
    assert tried.code == 0, tried.text[-1500:]
    pages = {p.name: p.read_text("utf-8") for p in (tried.folder / "public").glob("*.html")}
    said = " ".join([readable(pages["index.html"]), (tried.folder / "public" / "release.json").read_text("utf-8")])
    assert "Density and hotspots show only incidents with coordinates" in said
    assert not re.search(r"rest on \d|300 of 400|100 of 400", said)


def test_a_lookup_that_lacks_half_the_postcodes_is_refused_and_nothing_is_lost_if_it_is_accepted(
    tmp_path: Path,
) -> None:
    write_lookup(tmp_path, without=lambda number: number % 2 == 1)
    config = case(tmp_path, rows_of(260), geocode=LOOKUP)
    tried = attempt(config)
    refused(tried, "130 of the 260 rows", "only 50.0 per cent", "min_matched_pct", codes=(3,))

    # Accepted: the others count in the region, and wards have what was found.
    found = counted(change(config, geocode__postcodes__min_matched_pct=40))
    right = dict.fromkeys(ALL_WARDS, 0)
    for number, row in enumerate(incidents(260)):
        right[row["ward_name"]] += number % 2 == 0
    assert found.totals() == right
    assert found.total(REGION) == 260
    assert found.accounting()["incidents"] == 260
    assert found.accounting()["incidents_without_a_place"] == 130
    assert found.quality["postcodes"]["unknown"] == 130
    assert found.quality["postcodes"]["examples"]["unknown"]
    assert "130 of the 260 rows of police that depend on their postcode" in found.text


def test_a_lookup_without_any_of_the_postcodes_gives_no_zero(tmp_path: Path) -> None:
    write_lookup(tmp_path)
    rows = [{**r, "postcode": "ZE1 0AA"} for r in rows_of(260)]
    tried = counted(case(tmp_path, rows, geocode={"postcodes": {"path": "onspd.csv", "min_matched_pct": 0}}))
    assert tried.totals() == NO_DATA
    assert tried.total(REGION) == 260


def test_malformed_postcodes_are_counted_with_examples(tmp_path: Path) -> None:
    write_lookup(tmp_path)
    rows = rows_of(260)
    for row, text in zip(rows[:6], ("N1", "n/k", "N1 1A8", "see notes", "", "N1 1"), strict=True):
        row["postcode"] = text
    tried = counted(case(tmp_path, rows, geocode=LOOKUP))
    profile = tried.quality["postcodes"]
    assert (profile["malformed"], profile["partial"], profile["blank"]) == (3, 2, 1)
    assert set(profile["examples"]["malformed"]) == {"n/k", "N1 1A8", "see notes"}
    assert tried.total(REGION) == 260


def test_a_second_run_takes_the_lookup_over_and_a_new_edition_reads_the_rows_again(tmp_path: Path) -> None:
    write_lookup(tmp_path)
    config = case(tmp_path, rows_of(260), geocode=LOOKUP)
    name = Path("work", "area_months.parquet")
    before = (counted(config).folder / name).read_bytes()
    again = attempt(config, "run", "--force")
    assert (again.folder / name).read_bytes() == before
    write_lookup(tmp_path, without=lambda number: number == 0)
    third = counted(config)
    assert third.total(REGION) == 260
    assert third.quality["postcodes"]["unknown"] == sum(number % 8 == 0 for number in range(260))


def test_check_names_a_lookup_without_its_columns(tmp_path: Path) -> None:
    config = case(tmp_path, rows_of(260), geocode={"postcodes": {"path": "onspd.csv"}})
    (tmp_path / "onspd.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    refused(attempt(config, "check"), "geocode.postcodes.postcode", codes=(2, 3))
    (tmp_path / "onspd.csv").unlink()
    refused(attempt(config, "check"), "geocode.postcodes.path", codes=(2, 3))


# Codes of smaller areas.


def coded(folder: Path, column: str, codes: dict[str, str], table: str, **changes: Any) -> Path:
    rows = [
        {**{k: r[k] for k in ("incident_id", "occurred_on", "category")}, "small": codes[r["ward_name"]]}
        for r in incidents(260)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.csv").write_text(table, encoding="utf-8")
    geocode = {"areas": [{"path": "table.csv", "code": "CD"}]}
    return write_case(
        folder, rows, source={"crs": None}, columns={"x": None, "y": None, column: "small"}, geocode=geocode, **changes
    )


BEATS = {"Alder": "NB1", "Birch": "NB2", "Cedar": "SB1", "Damson": "SB2"}


@pytest.mark.parametrize("column", ["lsoa", "beat"])
def test_a_table_of_smaller_areas_places_rows_in_wards(tmp_path: Path, column: str) -> None:
    table = "\n".join(["CD,NM,WD", *(f"{BEATS[w]},{w} beat,{CODES[w]}" for w in ALL_WARDS)]) + "\n"
    tried = counted(coded(tmp_path, column, BEATS, table))
    assert tried.totals() == RIGHT[260]
    assert set(kept(tried)["place_precision"]) == {"area"}


def test_beats_over_several_wards_leave_wards_without_data(tmp_path: Path) -> None:
    beats = {w: ("N" if w in {"Alder", "Birch"} else "S") for w in ALL_WARDS}
    table = "\n".join(["CD,WD", *(f"{beats[w]},{CODES[w]}" for w in ALL_WARDS)]) + "\n"
    tried = counted(coded(tmp_path, "beat", beats, table))
    assert tried.totals() == NO_DATA
    assert tried.totals([REGION, NORTHBY, SOUTHBY]) == {REGION: 260, NORTHBY: 188, SOUTHBY: 72}
    assert set(kept(tried)["place_precision"]) == {"borough"}


def test_codes_that_are_in_no_table_are_counted_and_named(tmp_path: Path) -> None:
    table = "\n".join(["CD,WD", *(f"{BEATS[w]},{CODES[w]}" for w in ALL_WARDS[:2])]) + "\n"
    tried = counted(coded(tmp_path, "beat", BEATS, table))
    assert tried.total(REGION) == 260
    assert tried.quality["unknown_areas"]["rows"] == 72
    assert "72 rows of police without a point name a ward or smaller area" in tried.text


def test_boundaries_of_lsoas_need_no_table(tmp_path: Path) -> None:
    lsoas = {w: f"E0100000{i}" for i, w in enumerate(ALL_WARDS)}
    config = coded(tmp_path, "lsoa", lsoas, "CD,WD\nx,y\n")
    shapes = wards().assign(WD25CD=list(lsoas.values()))
    write_boundaries(tmp_path / "wards.geojson", shapes)
    tried = counted(change(config, geocode=None, areas__population=[]))
    assert tried.counts[tried.counts["area_code"].isin(lsoas.values())]["incidents"].sum() > 0
    months = tried.counts[(tried.counts["period"].str.len() == 7) & (tried.counts["category"] == "all")]
    totals = months.groupby("area_code")["incidents"].sum()
    assert [totals[lsoas[w]] for w in ALL_WARDS] == list(RIGHT[260].values())
