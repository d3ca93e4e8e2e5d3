"""Postcodes: the layouts of lookups, the texts of a column, and rows that they locate."""

import dataclasses
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config import PostcodeFile
from pipeline.config.section import listed
from pipeline.errors import ConfigError, InputError
from pipeline.ingest.postcodes import STATES, read_postcodes, require_postcode_columns, require_postcodes_found
from pipeline.stages.inputs import expand
from tests.kit.readers import CITY, read, settings, write

# The columns of real editions, cut after those that matter; values are invented.
ONSPD = (
    "pcd,pcd2,pcds,dointr,doterm,oscty,ced,oslaua,osward,parish,usertype,oseast1m,osnrth1m,osgrdind,lat,long\n"
    '"N1  1AB","N1   1AB","N1 1AB","198001","","E99","E99","E09","E05","E43",0,"530250","0180750",1,51.50,-0.12\n'
    '"N1  2AB","N1   2AB","N1 2AB","198001","201806","E99","E99","E09","E05","E43",0,"531250","0180750",1,51.5,-0.11\n'
    '"N1  9ZZ","N1   9ZZ","N1 9ZZ","198001","","E99","E99","E09","E05","E43",0,"","",9,99.999999,0.000000\n'
    '"EC1A1BB","EC1A 1BB","EC1A 1BB","198001","","E99","E99","E09","E05","E43",1,"532250","0181750",1,51.5,-0.1\n'
)
ONSPD_2025 = (
    "pcd7,pcd8,pcds,dointr,doterm,lad25cd,wd25cd,usrtypind,east1m,north1m,gridind,lat,long\n"
    "N1  1AB,N1   1AB,N1 1AB,198001,,E09,E05,0,530250,180750,1,51.5,-0.12\n"
)
CODE_POINT = (
    '"N1 1AB",10,530250,180750,"E92000001","E19000003","E18000007","","E09000019","E05013698"\n'
    '"N1 2AB",10,531250,180750,"E92000001","E19000003","E18000007","","E09000019","E05013698"\n'
)
BOUNDS = (530_000.0, 180_000.0, 533_000.0, 183_000.0)


def lookup(folder: Path, text: str, *, bounds: Any = BOUNDS, **more: Any) -> Any:
    path = write(folder, text, "lookup.csv")
    given = PostcodeFile.model_validate({"path": "lookup.csv", **more})
    require_postcode_columns(path, settings=given)
    return read_postcodes(given, paths=[path], working="EPSG:27700", bounds=bounds, scratch=folder)


def where(found: Any, text: str) -> tuple[float, float] | None:
    [state], [at] = found.find([text])
    return tuple(found.xy[at].tolist()) if STATES[state] == "found" else None


@pytest.mark.parametrize("text", [ONSPD, ONSPD_2025, CODE_POINT], ids=["ONSPD", "ONSPD 2025", "Code-Point Open"])
@pytest.mark.parametrize("written", ["N1 1AB", "n11ab", " N1  1AB ", "N1-1AB"])
def test_known_lookups_are_read_without_a_setting(tmp_path: Path, text: str, written: str) -> None:
    found, _ = lookup(tmp_path, text)
    assert where(found, written) == (530_250.0, 180_750.0)


def test_the_account_of_a_lookup(tmp_path: Path) -> None:
    found, report = lookup(tmp_path, ONSPD + ONSPD.splitlines()[1] + "\n")
    assert report == {
        "files": ["lookup.csv"], "rows": 5, "postcodes": 4, "repeated": 1, "not_postcodes": 0,
        "without_coordinates": 1, "terminated": 1, "near_the_areas": 3,
    }  # fmt: skip
    assert sorted(found.ended.tolist()) == [0, 0, 0, 201806]


def test_columns_are_set_and_longitudes_are_converted(tmp_path: Path) -> None:
    # Trafalgar Square is at 51.508 N, 0.1281 W, and at easting 530000, northing 180400 to a few tens of metres.
    found, _ = lookup(
        tmp_path, "Zone,Lng2,Lat2,over\nWC2N 5DN,-0.1281,51.508,yes\n", postcode="Zone", lon="Lng2", lat="Lat2",
        terminated="over",
    )  # fmt: skip
    x, y = where(found, "WC2N 5DN") or (0.0, 0.0)
    assert abs(x - 530_000) < 60
    assert abs(y - 180_400) < 60
    assert found.ended.tolist() == [1]


def test_postcodes_that_are_not_in_use_are_terminated(tmp_path: Path) -> None:
    # The first columns of doogal.co.uk's file, whose empty dates of termination leave "In Use?" to decide.
    text = (
        "Postcode,In Use?,Latitude,Longitude,Easting,Northing,Introduced,Terminated\n"
        "N1 1AB,Yes,51.5,-0.12,530250,180750,1980-01-01,\n"
        "N1 2AB,No,51.5,-0.11,531250,180750,1980-01-01,2018-06-01\n"
        "N1 3AB,No,51.5,-0.11,531250,180750,1980-01-01,\n"
    )
    found, report = lookup(tmp_path, text)
    assert sorted(found.ended.tolist()) == [0, 1, 201806]
    assert report["terminated"] == 2
    again, _ = lookup(tmp_path, text.replace("In Use?", "Live"), in_use="Live")
    assert sorted(again.ended.tolist()) == [0, 1, 201806]


def test_a_sheet_of_a_workbook_is_a_lookup_and_other_files_have_no_sheets(tmp_path: Path) -> None:
    table = pd.DataFrame({"pcds": ["N1 1AB"], "oseast1m": [530250], "osnrth1m": [180750]})
    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        pd.DataFrame({"notes": ["of 2025"]}).to_excel(book, sheet_name="About", index=False)
        table.to_excel(book, sheet_name="Lookup", index=False)
    given = PostcodeFile.model_validate({"path": "book.xlsx", "sheet": "Lookup"})
    require_postcode_columns(tmp_path / "book.xlsx", settings=given)
    found, _ = read_postcodes(
        given, paths=[tmp_path / "book.xlsx"], working="EPSG:27700", bounds=BOUNDS, scratch=tmp_path
    )
    assert where(found, "N1 1AB") == (530_250.0, 180_750.0)
    with pytest.raises(ConfigError, match=r"lookup.csv is not a workbook and has no sheets: leave out `sheet`"):
        lookup(tmp_path, ONSPD, sheet="Lookup")


def test_postcodes_of_northern_ireland_are_on_the_irish_grid(tmp_path: Path) -> None:
    # Belfast City Hall, BT1 5GS, is at 333800 374000 of the Irish Grid, 54.5964 N 5.9301 W.
    text = "pcds,oseast1m,osnrth1m,doterm\nBT1 5GS,333800,374000,\n"
    given = PostcodeFile.model_validate({"path": "lookup.csv"})
    path = write(tmp_path, text, "lookup.csv")
    found, _ = read_postcodes(
        given, paths=[path], working="EPSG:29902", bounds=(333_000, 373_000, 335_000, 375_000), scratch=tmp_path
    )
    assert where(found, "BT1 5GS") == (333_800.0, 374_000.0)


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("a,b\n1,2\n", {}, "no column of postcodes"),
        ("pcds,b\nN1 1AB,2\n", {}, "no coordinates of its postcodes"),
        ("pcds,east\nN1 1AB,2\n", {"easting": "east", "northing": "north"}, "'north' \\(geocode.postcodes.northing\\)"),
        ("pcds,oseast1m,osnrth1m\n,530250,180750\n", {}, "has no postcodes"),
        ("pcds,oseast1m,osnrth1m\nAB1 1AB,330250,880750\n", {}, "within 50 km of the areas"),
    ],
)
def test_a_lookup_that_cannot_be_used_says_why(tmp_path: Path, text: str, more: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        lookup(tmp_path, text, **more)


def test_what_the_texts_of_a_column_are(tmp_path: Path) -> None:
    found, _ = lookup(tmp_path, ONSPD)
    texts = ["", "N1 1AB", "n12ab", "N1 9ZZ", "N7 7ZZ", "N1", "EC1A", "EC1A 1", "N1 1A8", "unknown", "11111"]
    states, _ = found.find(texts)
    assert [STATES[s] for s in states] == [
        "blank", "found", "found", "without_coordinates", "unknown", "partial", "partial", "partial", "malformed",
        "malformed", "malformed",
    ]  # fmt: skip


def located(folder: Path, text: str, source: dict[str, Any] | None = None) -> Any:
    found, _ = lookup(folder, ONSPD)
    return read_with(found, folder, text, source)


def read_with(found: Any, folder: Path, text: str, source: dict[str, Any] | None = None) -> Any:
    areas = dataclasses.replace(CITY.lookup, postcodes=found)
    config = settings({"crs": "EPSG:27700", **(source or {})}, geocode={"postcodes": {"path": "lookup.csv"}})
    return read(write(folder, text), config, areas=areas)


@pytest.mark.slow
def test_a_row_without_coordinates_lies_in_its_postcode(tmp_path: Path) -> None:
    text = (
        "id,date,easting,northing,postcode,borough\n"
        "1,2024-05-01,,,N1 1AB,\n"
        "2,2024-05-01,,,n12ab,\n"  # terminated in June 2018
        "3,2017-05-01,0,0,N1 2AB,\n"  # before it was terminated
        "4,2024-05-01,530500,180500,EC1A 1BB,\n"  # the point is better
        "5,2024-05-01,,,N7 7ZZ,B1\n"  # not in the lookup, but its borough is known
        "6,2024-05-01,,,nowhere,\n"
        "7,2024-05-01,,,,\n"
    )
    found = located(tmp_path, text)
    rows = found.incidents.replace({np.nan: None})
    assert found.rules == {}
    assert rows["place"].tolist() == ["point", "point", "point", "point", "borough", "none", "none"]
    assert rows["place_precision"].tolist() == ["postcode"] * 3 + ["point", "borough", None, None]
    assert rows["easting_m"].tolist()[:4] == [530_250.0, 531_250.0, 531_250.0, 530_500.0]
    assert rows["ward_code"].tolist()[:4] == ["W00", "W10", "W10", "W00"]
    flags = found.incidents["postcode_terminated"]
    assert [None if pd.isna(f) else bool(f) for f in flags] == [False, True, False, None, None, None, None]
    profile = found.report.postcodes
    assert {k: profile[k] for k in ("blank", "found", "unknown", "malformed", "terminated", "used")} == {
        "blank": 1, "found": 4, "unknown": 1, "malformed": 1, "terminated": 2, "used": 3
    }  # fmt: skip
    assert (profile["needed"], profile["needed_found"], profile["terminated_before"]) == (4, 3, 1)
    assert found.report.postcode_examples["malformed"] == {"nowhere": 1}
    assert found.report.postcode_examples["unknown"] == {"N7 7ZZ": 1}


def test_the_postcode_of_an_online_incident_is_not_its_place(tmp_path: Path) -> None:
    found = located(tmp_path, "id,date,postcode,online\n1,2024-05-01,N1 1AB,yes\n", {"crs": None})
    assert found.incidents["place"].tolist() == ["none"]


def test_a_postcode_far_away_is_outside_and_not_refused(tmp_path: Path) -> None:
    text = ONSPD + '"AB1 1AB","","AB1 1AB","198001","","","","","","",0,"330250","0880750",1,57.8,-3.1\n'
    found, _ = lookup(tmp_path, text)
    read_ = read_with(found, tmp_path, "id,date,postcode\n1,2024-05-01,AB1 1AB\n", {"crs": None})
    assert (read_.rules, read_.incidents["place"].tolist()) == ({}, ["outside"])


def test_a_lookup_that_lacks_half_the_postcodes_is_refused_with_words() -> None:
    given = PostcodeFile.model_validate({"path": "x.csv"})
    with pytest.raises(InputError, match=r"50 of the 100 rows of police .*'N7 7ZZ'.*only 50\.0 per cent.*ONSPD"):
        require_postcodes_found(
            {"needed": 100, "needed_found": 50}, {"unknown": {"N7 7ZZ": 50}}, settings=given, source="police"
        )
    lower = given.model_copy(update={"min_matched_pct": 40.0})
    said = require_postcodes_found({"needed": 100, "needed_found": 50}, {}, settings=lower, source="police")
    assert said.startswith("50 of the 100 rows of police")
    assert require_postcodes_found({"needed": 5, "needed_found": 5}, {}, settings=given, source="police") == ""


def test_a_lookup_may_be_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "codepo_gb.zip", "w") as archive:
        archive.writestr("Data/CSV/n.csv", CODE_POINT)
        archive.writestr("Data/CSV/ec.csv", CODE_POINT.splitlines()[0].replace("N1 1AB", "EC1A 1BB") + "\n")
    given = PostcodeFile.model_validate({"path": "codepo_gb.zip/Data/CSV/*.csv"})
    paths = expand(listed(given.path), base=tmp_path, key="geocode.postcodes.path")
    for path in paths:
        require_postcode_columns(path, settings=given)
    found, report = read_postcodes(given, paths=paths, working="EPSG:27700", bounds=BOUNDS, scratch=tmp_path)
    assert report["postcodes"] == 3
    assert where(found, "EC1A 1BB") == (530_250.0, 180_750.0)
