"""Part B of issue 14, item by item: every row counts for what it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from tests.kit.cases import (
    COLUMNS,
    NORTHBY,
    POLICE_COLUMNS,
    POLICE_SOURCE,
    REGION,
    RIGHT,
    SOUTHBY,
    Attempt,
    Row,
    antisocial,
    attempt,
    counted,
    degrees,
    detected,
    incidents,
    months,
    police,
    read,
    read_or_refused,
    refused,
    says,
    write_case,
    write_rows,
)

pytestmark = pytest.mark.slow  # each test is a run

SETTLED = ("incidents", "quarantined", "duplicates", "merged", "replaced")


def accounted(tried: Attempt) -> dict[str, int]:
    """Check that every row read is in one part of the account."""
    account = tried.accounting()
    assert account["rows_read"] == sum(account[k] for k in SETTLED)
    return account


# B9. Repeated ids.


def two_files(folder: Path, first: str, second: str, *, changed: int = 100, **source: Any) -> Path:
    """Write 300 incidents twice: in the second file the first `changed` are in Damson, with another outcome."""
    rows = [{**{k: r[k] for k in COLUMNS}, "result": "open"} for r in incidents(300)]
    again = [dict(r) for r in rows]
    for i, row in enumerate(again[:changed]):
        row.update(easting=f"{529_600 + i}.0", northing="180500.0", result="charged")
    write_rows(folder / first, rows, (*COLUMNS, "result"))
    write_rows(folder / second, again, (*COLUMNS, "result"))
    return write_case(
        folder,
        None,
        source={"paths": ["**/*.csv"], **source},
        columns={"outcome": "result"},
        areas__population=None,
        incidents__0__paths=[first, second],
    )


MOVED = {
    "first": RIGHT[300]["Damson"],
    "newest": 100 + sum(r["ward_name"] == "Damson" for r in incidents(300)[100:]),
}


@pytest.mark.parametrize(
    ("first", "second", "source", "right"),
    [
        pytest.param(
            "2025-01.csv",
            "2025-02.csv",
            {"issued": r"(\d{4}-\d{2})"},
            "newest",
            id="issued, in order",
        ),
        pytest.param(
            "b 202502.csv",
            "a 202501.csv",
            {"issued": r"(\d{6})"},
            "first",
            id="issued, the other way",
        ),
        pytest.param("x-2025-01/a.csv", "x-2025-02/a.csv", {}, "newest", id="the folder's month"),
        pytest.param(
            "a-2025-02/a.csv",
            "b-2025-01/a.csv",
            {},
            "first",
            id="the folder's month, the other way",
        ),
        pytest.param("a.csv", "b.csv", {"repeated_id": "first"}, "first", id="first"),
        pytest.param(
            "2025-01.csv",
            "2025-02.csv",
            {"issued": r"(\d{4}-\d{2})", "repeated_id": "newest"},
            "newest",
            id="newest",
        ),
    ],
)
def test_b9_the_newest_file_wins_by_issued_or_the_month_in_its_folder(
    tmp_path: Path, first: str, second: str, source: dict[str, Any], right: str
) -> None:
    whole = first == "2025-01.csv"  # `issued` and the account of both rules that need it
    tried = (counted if whole else read)(two_files(tmp_path, first, second, **source))
    assert tried.total("Damson") == MOVED[right]
    assert tried.total(REGION) == 300
    if whole:
        account = accounted(tried)
        assert account["rows_read"] == 600
        assert account["replaced"] + account["duplicates"] == 300


def test_b9_the_time_of_the_file_does_not_matter(tmp_path: Path) -> None:
    import os

    config = two_files(tmp_path, "x-2025-01/a.csv", "x-2025-02/a.csv")
    os.utime(tmp_path / "x-2025-01" / "a.csv", (2e9, 2e9))
    assert read(config).total("Damson") == MOVED["newest"]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param({}, id="auto, no date anywhere"),
        pytest.param({"repeated_id": "error"}, id="error"),
    ],
)
def test_b9_conflicts_that_nothing_settles_stop_the_run_with_examples(tmp_path: Path, source: dict[str, Any]) -> None:
    tried = attempt(two_files(tmp_path, "a.csv", "b.csv", **source))
    refused(tried, "A00000", "issued|repeated_id", "a.csv", "b.csv", codes=(5,))


def test_b9_a_few_conflicts_without_an_answer_go_on_with_a_caution(tmp_path: Path) -> None:
    tried = counted(two_files(tmp_path, "a.csv", "b.csv", changed=2))
    assert tried.total(REGION) == 300
    assert says(tried.text, "repeated_id|issued|conflict")


def test_b9_conflicts_are_listed_on_the_front_door_with_a_sample_in_work(tmp_path: Path) -> None:
    tried = counted(two_files(tmp_path, "x-2025-01/a.csv", "x-2025-02/a.csv"))
    assert tried.quality["duplicates"]["conflicting"] == 100
    assert says(tried.front_door, "100")
    assert says(tried.front_door, "conflict")
    assert any("conflict" in p.name for p in (tried.folder / "work").rglob("*"))


def test_b9_rows_of_one_id_that_differ_in_another_column_are_not_merged(tmp_path: Path) -> None:
    rows = [{**{k: r[k] for k in COLUMNS}, "result": "open"} for r in incidents(300)]
    again = [{**r, "category": "religion", "result": "charged"} for r in rows[:50]]
    tried = attempt(write_case(tmp_path, [*rows, *again], columns={"outcome": "result"}))
    refused(tried, "A00000", codes=(5,))


def test_b9_categories_can_be_asked_for(tmp_path: Path) -> None:
    rows = [{**r, "category": "race"} for r in incidents(300)]
    again = [{**r, "category": "religion"} for r in rows[:120]]
    tried = counted(write_case(tmp_path, [*rows, *again], source={"repeated_id": "categories"}))
    assert [tried.total(REGION, c) for c in ("all", "race", "religion")] == [300, 300, 120]
    assert accounted(tried)["merged"] == 120


def test_b9_rows_equal_in_everything_are_duplicates(tmp_path: Path) -> None:
    rows = incidents(300)
    tried = counted(write_case(tmp_path, [*rows, *rows[:30]]))
    assert tried.total(REGION) == 300
    account = tried.accounting()
    assert (account["rows_read"], account["duplicates"], account.get("merged", 0)) == (330, 30, 0)


# B10. Rows without an id.


def without_ids(rows: list[Row]) -> list[Row]:
    return [{k: r[k] for k in COLUMNS[1:]} for r in rows]


def test_b10_identical_rows_inside_one_file_all_count(tmp_path: Path) -> None:
    rows = without_ids(incidents(200))
    tried = read(write_case(tmp_path, [*rows, *rows[:100]], columns={"id": None}))
    assert tried.total(REGION) == 300


def test_b10_files_of_one_month_and_force_in_two_archives_replace_each_other(tmp_path: Path) -> None:
    rows = [antisocial(r) for r in police(incidents(90, span=2))]
    for archive, number in (("2024-12", 90), ("2025-01", 77)):
        for month in months("2024-01", 2):
            found = [r for r in rows[:number] if r["Month"] == month]
            write_rows(tmp_path / archive / month / f"{month}-northshire-street.csv", found, POLICE_COLUMNS)
    tried = counted(write_case(tmp_path, None, source={**POLICE_SOURCE, "paths": ["*/*/*-street.csv"]}))
    assert tried.total(REGION) == 77
    assert accounted(tried)["replaced"] == 90


def test_b10_forces_and_months_beside_each_other_do_not_replace_each_other(tmp_path: Path) -> None:
    rows = [antisocial(r) for r in police(incidents(90, span=2))]
    for force, found in (("northshire", rows[:50]), ("southshire", rows[50:])):
        for month in months("2024-01", 2):
            write_rows(
                tmp_path / "2025-01" / month / f"{month}-{force}-street.csv",
                [r for r in found if r["Month"] == month],
                POLICE_COLUMNS,
            )
    tried = read(write_case(tmp_path, None, source={**POLICE_SOURCE, "paths": ["*/*/*-street.csv"]}))
    assert tried.total(REGION) == 90


def overlapping(folder: Path, **source: Any) -> Path:
    rows = without_ids(incidents(300))
    write_rows(folder / "2025-01" / "extract.csv", rows[:200], COLUMNS[1:])
    write_rows(folder / "2025-02" / "extract.csv", rows, COLUMNS[1:])
    return write_case(folder, None, source={"paths": ["*/extract.csv"], **source}, columns={"id": None})


def test_b10_other_sources_replace_only_if_told(tmp_path: Path) -> None:
    tried = counted(overlapping(tmp_path, overlap="replace"))
    assert tried.total(REGION) == 300
    assert accounted(tried)["replaced"] == 200


def test_b10_equal_rows_in_other_overlapping_files_are_cautioned_of(tmp_path: Path) -> None:
    tried = counted(overlapping(tmp_path))
    assert tried.total(REGION) == 500
    assert says(tried.text, "overlap")
    assert says(tried.text, "200 of|40 %|40 per cent|66.7|100 %|100 per cent")


# B12. Missing values.


def test_b12_the_list_of_missing_values_can_be_set(tmp_path: Path) -> None:
    rows = [{**{k: r[k] for k in COLUMNS}, "place": r["borough"]} for r in incidents(300)]
    for row in rows[:40]:
        row["easting"] = row["northing"] = "not recorded"
        row["category"] = "Not Recorded"
    source = {"missing_values": ["not recorded", "Not Recorded"]}
    tried = read(write_case(tmp_path, rows, source=source, columns={"borough": "place"}))
    assert tried.totals([NORTHBY, SOUTHBY]) == {NORTHBY: 215, SOUTHBY: 85}
    assert set(tried.counts["category"]) == {"all", "race", "religion", "disability"}


def test_b12_a_text_that_a_category_matches_is_never_missing(tmp_path: Path) -> None:
    rows = incidents(300)
    for row in rows[:60]:
        row["category"] = "None"
    tree = [{"id": "no_religion", "match": ["None"]}, {"id": "religion", "match": ["religion"]}]
    assert read(write_case(tmp_path, rows, categories__tree=tree)).total(REGION, "no_religion") == 60


@pytest.mark.parametrize("column", [pytest.param(c, id=c) for c in ("incident_id", "occurred_on")])
def test_b12_missing_ids_and_dates_are_missing(tmp_path: Path, column: str) -> None:
    rows = incidents(300)
    for row in rows[:30]:
        row[column] = "NULL"
    tried = counted(write_case(tmp_path, rows))
    if column == "incident_id":
        assert tried.total(REGION) == 300
        assert tried.quality["without_id"] == 30
    else:
        assert tried.rules == {"date_missing": 30}


# B13. 0,0 with a borough named, where the point is the geometry.


def test_b13_a_geometry_at_zero_with_a_borough_named_is_counted_there(tmp_path: Path) -> None:
    rows = incidents(300)
    shapes = [
        shapely.Point(0, 0)
        if i < 50
        else shapely.Point(*map(float, degrees(float(r["easting"]), float(r["northing"]))))
        for i, r in enumerate(rows)
    ]
    frame = gpd.GeoDataFrame(
        [
            {
                "incident_id": r["incident_id"],
                "occurred_on": r["occurred_on"],
                "category": r["category"],
                "place": r["borough"],
            }
            for r in rows
        ],
        geometry=shapes,
        crs="EPSG:4326",
    )
    config = write_case(
        tmp_path,
        None,
        source={"paths": ["incidents.geojson"], "crs": None},
        columns={"x": None, "y": None, "borough": "place"},
    )
    frame.to_file(tmp_path / "incidents.geojson", driver="GeoJSON")
    assert read(config).totals([NORTHBY, SOUTHBY]) == {NORTHBY: 215, SOUTHBY: 85}


# B14. Time zones.


def at(folder: Path, texts: list[str], **changes: Any) -> Path:
    """Write 130 incidents at noon, ten a month, and one more for each time."""
    rows = incidents(130 + len(texts))
    for i, row in enumerate(rows):
        zone = texts[0].endswith("Z") or "+" in texts[0]
        row["occurred_on"] = f"{months('2024-01', 13)[i % 13]}-15T12:00:00{'Z' if zone else ''}"
    for text, row in zip(texts, rows[130:], strict=True):
        row["occurred_on"] = text
    return write_case(folder, rows, **changes)


ZONED = {
    "2024-03-31T23:30:00Z": 202404,  # the day the clocks go forward: 23:30 UTC is 00:30
    "2024-03-30T23:59:59Z": 202403,  # the day before
    "2024-03-31T22:59:59Z": 202403,  # 23:59:59 of the day
    "2024-09-30T23:00:00Z": 202410,  # summer time still
    "2024-10-31T23:59:59Z": 202410,  # after the clocks went back
    "2024-11-01T00:30:00+01:00": 202410,  # an offset of an hour
    "2024-07-31T20:00:00-05:00": 202408,  # five hours west
    "2024-12-31T23:59:59Z": 202412,  # the end of the year
}
NAIVE = {
    "2024-06-30T23:30:00": 202406,
    "2024-06-30T24:00:00": 202407,  # 24:00 is the next day
    "2024-03-31T01:30:00": 202403,  # a time that the clocks skip
    "2024-10-27T01:30:00": 202410,  # a time that comes twice
}


@pytest.mark.parametrize("right", [ZONED, NAIVE], ids=["in London's month, whatever their zone", "as they stand"])
def test_b14_times_fall_in_local_months(tmp_path: Path, right: dict[str, int]) -> None:
    tried = read(at(tmp_path, list(right)))
    (part,) = (tried.folder / "work" / "incidents").glob("*.parquet")
    month_of = pd.read_parquet(part).set_index("incident_id")["month"]
    found = {text: int(month_of[f"A{130 + i:05d}"]) for i, text in enumerate(right)}
    assert found == right


def test_b14_24_00_in_a_column_of_times_is_the_next_day(tmp_path: Path) -> None:
    rows = [{**{k: r[k] for k in COLUMNS}, "at": "12:00"} for r in incidents(260)]
    june = sum(r["occurred_on"][:7] == "2024-06" for r in rows)
    for row in rows[:5]:
        row.update(occurred_on="2024-06-30", at="24:00")
    moved = sum(r["occurred_on"][:7] == "2024-06" for r in incidents(260)[:5])
    tried = read(write_case(tmp_path, rows, columns={"time": "at"}))
    assert tried.cell(REGION, "2024-06") == june - moved


def test_b14_a_zone_is_asked_for_where_none_is_known(tmp_path: Path) -> None:
    config = at(tmp_path, ["2024-06-30T23:30:00Z"] * 5, crs__working="EPSG:32630")
    refused(attempt(config), "run.time_zone", "occurred_on", codes=(2,))


@pytest.mark.parametrize(
    ("zone", "month"),
    [
        pytest.param("Europe/London", "2024-07", id="London"),
        pytest.param("America/Chicago", "2024-06", id="Chicago"),
    ],
)
def test_b14_the_zone_can_be_set(tmp_path: Path, zone: str, month: str) -> None:
    config = at(tmp_path, ["2024-06-30T23:30:00Z"] * 5, run__time_zone=zone, crs__working="EPSG:32630")
    tried = read(config)
    assert tried.cell(REGION, month) == 15
    assert ZoneInfo(zone)


def test_b14_an_unknown_zone_is_refused(tmp_path: Path) -> None:
    config = at(tmp_path, ["2024-06-30T23:30:00Z"] * 5, run__time_zone="Europe/Londn")
    refused(attempt(config), "run.time_zone", "Europe/Londn", "Europe/London", codes=(2,))


# B15. One crime type.


def test_b15_outside_is_counted_in_its_category_but_in_no_total(tmp_path: Path) -> None:
    rows = incidents(300)
    for row in rows[200:]:
        row["category"] = "asb"
    tree = [{"id": c} | {"match": [c]} for c in ("race", "religion", "disability", "asb")]
    tried = counted(write_case(tmp_path, rows, categories={"tree": tree, "outside": ["asb"]}))
    assert tried.total(REGION) == 200
    assert tried.totals() == RIGHT[200]
    assert tried.total(REGION, "asb") == 100
    assert accounted(tried)["quarantined"] == 0


def test_b15_outside_must_name_a_category(tmp_path: Path) -> None:
    tree = [{"id": "race", "match": ["race"]}]
    tried = attempt(write_case(tmp_path, incidents(100), categories={"tree": tree, "outside": ["rase"]}))
    refused(tried, "categories.outside|outside", "rase", "did you mean", codes=(2,))


def test_b15_where_must_name_a_column(tmp_path: Path) -> None:
    tried = attempt(write_case(tmp_path, incidents(100), source={"where": {"categry": ["race"]}}))
    refused(tried, "where", "categry", "category", codes=(2, 3))


def test_b15_rows_left_out_by_where_are_accounted_for_and_not_refused(tmp_path: Path) -> None:
    tried = counted(write_case(tmp_path, incidents(300), source={"where": {"category": ["race"]}}))
    race = sum(r["category"] == "race" for r in incidents(300))
    assert tried.total(REGION) == race
    assert tried.accounting()["quarantined"] == 0


def test_b15_where_on_several_columns_needs_all_of_them(tmp_path: Path) -> None:
    rows = incidents(300)
    where = {
        "category": ["race", "religion"],
        "ward": {"not": [r["ward"] for r in rows if r["ward_name"] == "Damson"][:1]},
    }
    right = sum(r["category"] in {"race", "religion"} and r["ward_name"] != "Damson" for r in rows)
    assert read(write_case(tmp_path, rows, source={"where": where})).total(REGION) == right


def test_b15_hotspots_follow(tmp_path: Path) -> None:
    rows = incidents(300)
    for i, row in enumerate(rows[200:]):
        row.update(category="asb", easting=f"{528_500 + i % 10}.0", northing=f"{182_500 + i // 10}.0")
    tree = [{"id": c, "match": [c]} for c in ("race", "religion", "disability", "asb")]
    clusters = {"enabled": True, "eps_m": 20, "min_samples": 20}
    found = []
    for outside in ([], ["asb"]):
        config = write_case(
            tmp_path / f"{len(outside)}",
            rows,
            categories={"tree": tree, **({"outside": outside} if outside else {})},
            detect__clusters=clusters,
        )
        tried = detected(config)
        assert tried.code == 0, tried.text[-500:]
        (kept,) = (tried.folder / "work" / "hotspots").glob("*[0-9].parquet")
        found.append(len(gpd.read_parquet(kept)))
    assert found == [1, 0]


# B16. Coordinates as people write them.


def in_degrees(folder: Path, write: Callable[[float, str], str], number: int = 300) -> Path:
    rows = []
    for r in incidents(number):
        lon, lat = (float(d) for d in degrees(float(r["easting"]), float(r["northing"])))
        rows.append(
            {k: r[k] for k in ("incident_id", "occurred_on", "category")}
            | {"lon": write(lon, "EW"), "lat": write(lat, "NS")}
        )
    return write_case(folder, rows, source={"crs": None}, columns={"x": None, "y": None, "lon": "lon", "lat": "lat"})


def sexagesimal(value: float, letters: str, signs: str = "°'\"") -> str:
    seconds = round(abs(value) * 3600, 2)
    letter = letters[0] if value >= 0 else letters[1]
    d, m, s = int(seconds // 3600), int(seconds % 3600 // 60), seconds % 60
    return f"{d}{signs[0]}{m:02d}{signs[1]}{s:05.2f}{signs[2]}{letter}"


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(
            lambda v, ls: f"{abs(v):.6f}{ls[0] if v >= 0 else ls[1]}",
            id="compass letters",
        ),
        pytest.param(
            lambda v, ls: f"{ls[0] if v >= 0 else ls[1]} {abs(v):.6f}",
            id="letters in front",
        ),
        pytest.param(sexagesimal, id="degrees, minutes, seconds"),
        pytest.param(lambda v, ls: sexagesimal(v, ls, "   "), id="with spaces"),
        pytest.param(
            lambda v, _: f"{v:.6f}".replace(".", ","),
            id="decimal commas",
        ),
        pytest.param(lambda v, _: f" {v:.6f}° ", id="a sign and spaces"),
    ],
)
def test_b16_degrees_are_read_or_refused_by_column_and_value(
    tmp_path: Path, write: Callable[[float, str], str]
) -> None:
    tried = read(in_degrees(tmp_path, write))
    read_or_refused(tried, RIGHT[300], "incidents[0]|incidents.0|columns", "lat|lon", "51|0")
    assert not says(tried.text, "no row has a usable date")


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(
            lambda x, y: f"TQ {x - 500_000:05.0f} {y - 100_000:05.0f}",
            id="TQ 28240 82470",
        ),
        pytest.param(
            lambda x, y: f"TQ{x - 500_000:05.0f}{y - 100_000:05.0f}",
            id="TQ2824082470",
        ),
        pytest.param(
            lambda x, y: f"tq{(x - 500_000) // 10:04.0f}{(y - 100_000) // 10:04.0f}",
            id="eight figures",
        ),
    ],
)
def test_b16_grid_references_are_read_or_refused_by_column_and_value(
    tmp_path: Path, write: Callable[[float, float], str]
) -> None:
    rows = [
        {k: r[k] for k in ("incident_id", "occurred_on", "category")}
        | {"reference": write(float(r["easting"]), float(r["northing"]))}
        for r in incidents(300)
    ]
    tried = read(write_case(tmp_path, rows, columns={"x": "reference", "y": "reference"}))
    read_or_refused(tried, RIGHT[300], "reference", "TQ", "grid reference")


def test_b16_eastings_in_scientific_notation_that_lost_their_digits_warn(tmp_path: Path) -> None:
    rows = [{**r, **{c: f"{float(r[c]):.2E}" for c in ("easting", "northing")}} for r in incidents(300)]
    places = len({(r["easting"], r["northing"]) for r in rows})
    assert places < 20
    tried = counted(write_case(tmp_path, rows))
    assert says(tried.text, "easting")
    assert says(tried.text, "E+05|scientific")
    assert says(tried.text, f"{places} places|{places} distinct|{places} points")
