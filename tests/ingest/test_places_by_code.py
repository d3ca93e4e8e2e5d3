"""Rows without a point: counted in the ward or borough that they name, and in no other."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.ingest import AreaLookup
from pipeline.ingest.area_lookup import WardNames
from tests.kit.readers import CITY, Read, settings, write
from tests.kit.readers import read as read_rows

NAMES = ("Abbey", "Castle", "Abbey", "St John's & Park")  # of W00, W01 (in B0), W10, W11 (in B1)
OTHERS = {"E01000001": "W00", "E01000002": "W11", "E02000001": "W01", "OLD7": "W10", "GONE": "W99"}
LOOKUP = replace(CITY.lookup, ward_names=NAMES, other_codes=OTHERS)


class _City:
    lookup = LOOKUP


def read(path: Path, columns: dict[str, str], *, lookup: AreaLookup = LOOKUP, **source: Any) -> Read:
    class City(_City):
        pass

    City.lookup = lookup
    return read_rows(path, settings({"columns": columns, **source}), city=City())  # type: ignore[arg-type]


def rows(*texts: str, header: str = "ward,borough") -> str:
    return f"date,easting,northing,{header}\n" + "".join(f"2025-01-02,{t}\n" for t in texts)


@pytest.mark.parametrize(
    ("ward", "borough", "place", "code"),
    [
        pytest.param("W01", "", "area", "W01", id="a code"),
        pytest.param("w01", "", "area", "W01", id="in lower case"),
        pytest.param("castle", "", "area", "W01", id="a name"),
        pytest.param("St. Johns and Park", "", "area", "W11", id="a name in another spelling"),
        pytest.param("Abbey", "Birch", "area", "W10", id="a name that two wards have, and the borough"),
        pytest.param("Abbey", "", "none", None, id="a name that two wards have"),
        pytest.param("Castle", "Birch", "borough", None, id="a name of another borough"),
        pytest.param("W01", "Birch", "area", "W01", id="a code of another borough"),
        pytest.param("OLD7", "", "area", "W10", id="a code of another edition in the lookup"),
        pytest.param("OLD8", "Birch", "borough", None, id="a code of another edition that nothing knows"),
        pytest.param("GONE", "", "none", None, id="a code that the lookup takes to no ward here"),
        pytest.param("", "", "none", None, id="nothing"),
    ],
)
def test_a_row_without_a_point_counts_in_the_ward_it_names(
    tmp_path: Path, ward: str, borough: str, place: str, code: str | None
) -> None:
    found = read(write(tmp_path, rows(f",,{ward},{borough}")), {"ward": "ward", "borough": "borough"})
    [row] = found.incidents.replace({np.nan: None}).to_dict("records")
    assert (row["place"], row["ward_code"]) == (place, code)
    assert row["place_precision"] == {"area": "area", "borough": "borough"}.get(place)
    assert row["easting_m"] is None
    if code:
        assert row["borough_code"] == f"B{code[1]}"


def test_codes_of_another_edition_are_counted_and_listed(tmp_path: Path) -> None:
    text = rows(",,E05000001,", ",,E05000001,Birch", ",,W00,", "530500,180500,E05000002,")
    found = read(write(tmp_path, text), {"ward": "ward", "borough": "borough"})
    assert found.report.unknown_areas == {"E05000001": 2}


@pytest.mark.parametrize("role", ["lsoa", "msoa"])
def test_codes_of_smaller_areas_go_through_the_lookup(tmp_path: Path, role: str) -> None:
    text = rows(",,E01000001", ",,e01000002", ",,E02000001", ",,E01999999", "530500,180500,E01000002", header="small")
    found = read(write(tmp_path, text), {role: "small"})
    assert found.incidents["ward_code"].replace({np.nan: None}).tolist() == ["W00", "W11", "W01", None, "W00"]
    assert found.report.unknown_areas == {"E01999999": 1}
    assert found.report.ward_checks == {"compared": 1, "same": 0, "outside": 0, "unused": 0}


def test_codes_of_smaller_areas_without_a_lookup_ask_for_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"columns\.lsoa names 'small'.*areas\.lookup"):
        read(write(tmp_path, rows(",,E01000001", header="small")), {"lsoa": "small"}, lookup=CITY.lookup)


def test_the_point_wins_and_the_disagreement_is_counted(tmp_path: Path) -> None:
    text = rows("530500,180500,W00,", "530500,180500,W11,", "530500,180500,castle,", "539000,180500,W00,")
    found = read(write(tmp_path, text), {"ward": "ward"})
    assert found.incidents["place"].tolist() == ["point", "point", "point", "outside"]
    assert found.incidents["place_precision"].tolist() == ["point"] * 4
    assert found.incidents["ward_code"].replace({np.nan: None}).tolist() == ["W00", "W00", "W00", None]
    assert found.report.ward_checks == {"compared": 3, "same": 1, "outside": 1, "unused": 0}


def test_a_ward_column_that_no_setting_names_places_nothing(tmp_path: Path) -> None:
    found = read(write(tmp_path, rows(",,W00,", ",,W01,Birch", "530500,180500,W00,")), {})
    assert found.incidents["place"].tolist() == ["none", "borough", "point"]
    assert found.report.ward_checks == {"compared": 1, "same": 1, "outside": 0, "unused": 2}


def test_an_online_incident_counts_in_the_borough_of_its_ward_alone(tmp_path: Path) -> None:
    found = read(write(tmp_path, rows(",,W10,yes", header="ward,online")), {"ward": "ward"})
    [row] = found.incidents.replace({np.nan: None}).to_dict("records")
    assert (row["place"], row["ward_code"], row["borough_code"]) == ("borough", None, "B1")


# 0,0 and other texts for no place.


@pytest.mark.parametrize("point", ["0,0", "0.0,-0.0", ",", "1,1", "999999,999999", "9999999,999999", "-99999,99999"])
@pytest.mark.parametrize(("header", "value", "place"), [("borough", "Birch", "borough"), ("ward", "W11", "area")])
def test_a_pair_that_stands_for_no_place_counts_where_the_row_says(
    tmp_path: Path, point: str, header: str, value: str, place: str
) -> None:
    text = rows(f"{point},{value}", "530500,180500,", header=header)
    found = read(write(tmp_path, text), {header: header})
    assert found.incidents["place"].tolist() == [place, "point"]
    assert found.incidents["borough_code"].tolist() == ["B1", "B0"]
    assert found.rules == {}


@pytest.mark.parametrize("value", ["", "Atlantis"])
def test_a_pair_that_stands_for_no_place_is_refused_where_the_row_says_nothing(tmp_path: Path, value: str) -> None:
    text = rows(f"0,0,{value}", f"999999,999999,{value}", f"600000,180500,{value}", "530500,180500,", header="borough")
    assert read(write(tmp_path, text), {}).rules == {1: "zero", 2: "zero", 3: "far"}


@pytest.mark.parametrize(
    ("lon", "lat"),
    [("0", "0"), ("0.000", "0.0"), ("-7.5571598", "49.7668072")],
    ids=["0", "decimals", "0,0 of the grid"],
)
def test_a_pair_of_degrees_that_stands_for_no_place(tmp_path: Path, lon: str, lat: str) -> None:
    text = f"date,longitude,latitude,borough\n2025-01-02,{lon},{lat},Birch\n2025-01-02,{lon},{lat},\n"
    found = read(write(tmp_path, text), {}, crs=None)
    assert found.incidents["place"].tolist() == ["borough"]
    assert found.rules == {2: "zero"}


@given(st.lists(st.sampled_from(["W00", "w10", "Castle", "OLD7", "E01000001", "nowhere", ""]), min_size=1, max_size=40))
@pytest.mark.slow
def test_every_name_is_a_ward_or_counted_as_unknown(texts: list[str]) -> None:
    wards = WardNames(LOOKUP)
    right = {"W00": 0, "w10": 2, "Castle": 1, "OLD7": 2, "E01000001": 0, "nowhere": -1, "": -1}
    assert [wards.of(t) for t in texts] == [right[t] for t in texts]
