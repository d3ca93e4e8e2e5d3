"""Reading incidents: every format, every column, categories, places, repeated ids, and the counts made from parts."""

import pickle
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline import ingest as readers
from pipeline.aggregate import reduce
from pipeline.errors import InputError
from pipeline.tables import AREA_MONTHS, INCIDENTS, LOCATIONS, QUARANTINE
from tests.kit.counted import locations
from tests.kit.readers import CITY, Read, read, settings, settle, write

pytestmark = pytest.mark.slow

TABLE = pd.DataFrame(
    {
        "id": ["a", "b", "c", ""],
        "date": ["2025-01-02", "2025-01-31", "2025-02-01", "2025-02-28"],
        "easting": ["530500", "531500", "530500.25", ""],
        "northing": ["180500", "181500", "181500.5", ""],
        "strand": ["race", "race;faith", "", "Faith"],
        "borough": ["", "", "", "birch"],
        "n": [1, 2, 3, 4],
    }
)


def points() -> gpd.GeoDataFrame:
    shapes = [
        shapely.Point(float(x), float(y)) if x else None
        for x, y in zip(TABLE["easting"], TABLE["northing"], strict=True)
    ]
    return gpd.GeoDataFrame(TABLE.drop(columns=["easting", "northing"]), geometry=shapes, crs="EPSG:27700")


def written(folder: Path, kind: str) -> Path:
    path = folder / f"rows.{kind}"
    if kind in {"csv", "csv.gz"}:
        TABLE.to_csv(path, index=False)
    elif kind == "parquet":
        TABLE.to_parquet(path)
    elif kind == "geo.parquet":
        points().to_parquet(path)
    elif kind == "geojson":
        points().to_crs(4326).to_file(path, driver="GeoJSON", COORDINATE_PRECISION=9)
    else:
        points().to_file(path, driver={"gpkg": "GPKG", "shp": "ESRI Shapefile", "tab": "MapInfo File"}[kind])
    return path


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "geo.parquet", "geojson", "gpkg", "shp", "tab"])
def test_every_format_gives_the_same_incidents(tmp_path: Path, kind: str) -> None:
    geometry = kind not in {"csv", "csv.gz", "parquet"}
    found = read(written(tmp_path, kind), settings({"crs": None} if geometry else {}))
    INCIDENTS.check(found.incidents)
    QUARANTINE.check(found.quarantine)
    rows = found.incidents
    assert rows["incident_id"].tolist() == ["a", "b", "c", f"police/rows.{kind}#4"]
    assert rows["occurred_on"].tolist() == TABLE["date"].tolist()
    assert rows["month"].tolist() == [202501, 202501, 202502, 202502]
    assert rows["date_precision"].tolist() == ["day"] * 4
    assert rows["categories"].tolist() == ["race", "faith;race", "", "faith"]
    assert rows["ward_code"].fillna("").tolist() == ["W00", "W11", "W01", ""]
    assert rows["borough_code"].tolist() == ["B0", "B1", "B0", "B1"]
    assert rows["place"].tolist() == ["point", "point", "point", "borough"]
    # GeoJSON goes through degrees, MapInfo through its own integer grid.
    loose = 0.01 if kind in {"geojson", "tab"} else 1e-9
    np.testing.assert_allclose(rows["easting_m"][:3], [530500, 531500, 530500.25], atol=loose)
    np.testing.assert_allclose(rows["northing_m"][:3], [180500, 181500, 181500.5], atol=loose)
    assert found.report.without_id == 1
    assert pickle.loads(pickle.dumps(found.report)) == found.report  # noqa: S301 our own object


def test_two_readings_are_the_same_bytes(tmp_path: Path) -> None:
    path = write(tmp_path, "date,easting,northing\n" + "2025-01-02,530500,180500\nbad,1,1\n" * 500)
    first, second = read(path), read(path, out=tmp_path / "again")
    assert first.part.read_bytes() == second.part.read_bytes()
    assert first.quarantine_part.read_bytes() == second.quarantine_part.read_bytes()


def test_a_file_longer_than_a_batch_keeps_its_order_and_numbers(tmp_path: Path) -> None:
    count = 2**17 * 2 + 1
    frame = pd.DataFrame({"id": np.arange(1, count + 1), "date": "2025-01-02", "easting": 530_500, "northing": 180_500})
    frame.loc[[0, 2**17 - 1, 2**17, count - 1], "date"] = "soon"
    frame.to_csv(tmp_path / "long.csv", index=False)
    found = read(tmp_path / "long.csv")
    assert found.incidents["incident_id"].astype(int).tolist() == found.incidents["source_row"].tolist()
    assert sorted(found.rules) == [1, 2**17, 2**17 + 1, count]


def test_a_bad_line_late_in_a_file_changes_no_other_row(tmp_path: Path) -> None:
    body = "".join(f"{n},2025-01-02,{530_000 + n % 1000}.5,180500\n" for n in range(20_000))
    sound = read(write(tmp_path, "id,date,x,y\n" + body, "same.csv"))
    broken = read(write(tmp_path, "id,date,x,y\n" + body + "1,2\n", "same.csv"), out=tmp_path / "two")
    assert broken.report.quarantined == {"malformed": 1}
    assert broken.report.decisions["reading"].startswith("row by row")
    pd.testing.assert_frame_equal(sound.incidents, broken.incidents)


# Columns --------------------------------------------------------------------------------------------------------------


def test_the_police_layout_is_recognised(tmp_path: Path) -> None:
    text = (
        "Crime ID,Month,Reported by,Falls within,Longitude,Latitude,Location,LSOA code,LSOA name,Crime type,"
        "Last outcome category,Context\n"
        "f00,2018-01,City of London Police,City of London Police,-0.1120,51.5110,On or near X,E0,A,Other theft,Fined,\n"
        ",2018-01,City of London Police,City of London Police,,,No Location,,,Anti-social behaviour,,\n"
        ",2018-01,City of London Police,City of London Police,-0.1,51.5,No location,,,Anti-social behaviour,,\n"
    )
    found = read(write(tmp_path, text), settings({"crs": None, "positive_outcomes": ["fined"]}))
    rows = found.incidents
    assert rows["date_precision"].tolist() == ["month"] * 3
    assert rows["place"].tolist() == ["point", "none", "none"]
    assert rows["organisation"].unique().tolist() == ["City of London Police"]
    assert rows["outcome_class"].fillna("").tolist() == ["positive", "", ""]
    assert rows["categories"].tolist() == ["other_theft", "anti_social_behaviour", "anti_social_behaviour"]
    assert found.report.labels == {"anti_social_behaviour": "Anti-social behaviour", "other_theft": "Other theft"}
    assert found.report.decisions["columns"]["category"] == "Crime type (recognised)"
    assert found.report.has_outcomes
    assert found.report.without_id == 2


def test_of_two_pairs_of_coordinates_the_named_one_counts(tmp_path: Path) -> None:
    path = write(tmp_path, "date,easting,northing,lon,lat\n2025-01-02,530500,180500,-0.105,51.515\n")
    found = read(path)
    assert found.report.decisions["coordinates"] == "lonlat taken (longitude and latitude need no setting); xy not used"
    named = read(path, settings({"columns": {"x": "easting", "y": "northing"}}))
    assert named.incidents[["easting_m", "northing_m"]].to_numpy().tolist() == [[530500, 180500]]
    assert "lonlat not used" in named.report.decisions["coordinates"]
    assert abs(found.incidents["easting_m"] - 530500).item() > 1


def test_lon_lat_and_feet_come_to_where_another_library_says(tmp_path: Path) -> None:
    at = gpd.GeoSeries([shapely.Point(-104.95, 39.73)], crs=4326)
    feet, metres = at.to_crs(2232).iloc[0], at.to_crs(32613).iloc[0]
    city = type(CITY)(west=round(metres.x) - 1000, south=round(metres.y) - 1000)
    path = write(tmp_path, f"date,x,y\n2025-01-02,{feet.x},{feet.y}\n")
    found = read(path, settings({"crs": "EPSG:2232"}, crs={"working": "EPSG:32613"}), city=city)
    got = found.incidents[["easting_m", "northing_m"]].to_numpy()[0]
    np.testing.assert_allclose(got, [metres.x, metres.y], atol=2)
    assert found.incidents["place"].item() == "point"


def test_the_descriptive_columns(tmp_path: Path) -> None:
    text = (
        "date,time,recorded,kind,offence_group,aggravated,flag_status,place_type,reporting_route,outcome,victim,organisation\n"
        "2025-01-02,1430,2025-01-05,Crime,Violence,Yes,Confirmed,street,online form,Charged ,v1,Tell MAMA\n"
        "2025-01-02,30,,Non-crime incident,,no,PRESUMED,,,Pending,v1,\n"
        "2025-01-02,,soon,thing,,maybe,perhaps,,,Closed,,\n"
        "2025-01-02,9999,2025-01-02,,,,,,,,v2,\n"
    )
    source = {"positive_outcomes": ["CHARGED"], "pending_outcomes": ["pending"]}
    found = read(write(tmp_path, text), settings(source))
    rows = found.incidents.astype(object).where(found.incidents.notna(), None)
    assert rows["hour_band"].tolist() == [14, 0, None, None]
    assert rows["recorded_on"].tolist() == ["2025-01-05", None, None, "2025-01-02"]
    assert rows["kind"].tolist() == ["offence", "incident", None, None]
    assert rows["aggravated"].tolist() == [True, False, None, None]
    assert rows["flag_status"].tolist() == ["confirmed", "presumed", None, None]
    assert rows["offence_group"].tolist() == ["Violence", None, None, None]
    assert rows["outcome"].tolist() == ["Charged", "Pending", "Closed", None]
    assert rows["outcome_class"].tolist() == ["positive", "pending", "other", None]
    assert rows["organisation"].tolist() == ["Tell MAMA", "police", "police", "police"]
    one, two, three, four = rows["victim_hash"]
    assert one == two != four
    assert three is None
    assert found.report.unreadable == {"aggravated": 1, "flag_status": 1, "kind": 1, "recorded": 1, "time": 1}


def test_a_midnight_in_every_row_is_no_hour(tmp_path: Path) -> None:
    head = "date\n"
    dates = "1/13/2010 0:00\n1/14/2010 0:00\n"
    assert read(write(tmp_path, head + dates)).incidents["hour_band"].isna().all()
    some = read(write(tmp_path, head + dates + "1/15/2010 17:20\n")).incidents
    assert some["hour_band"].tolist() == [0, 0, 17]
    assert some["occurred_on"].tolist() == ["2010-01-13", "2010-01-14", "2010-01-15"]


def test_one_row_late_in_the_file_settles_the_order_of_all(tmp_path: Path) -> None:
    body = "date\n" + "03/04/2025\n" * 5_000
    found = read(write(tmp_path, body + "31/01/2025\n"))
    assert found.incidents["occurred_on"].iloc[0] == "2025-04-03"
    with pytest.raises(InputError, match="day_first"):
        read(write(tmp_path, body))


def test_a_form_that_only_late_rows_have_is_settled_by_the_whole_file(tmp_path: Path) -> None:
    early = "2025-01-02,7\n" * 1500
    late = read(write(tmp_path, "date,time\n" + early + "03/04/2025,23\n14/04/2025,23\n"))
    assert late.incidents["occurred_on"].tolist()[1499:] == ["2025-01-02", "2025-04-03", "2025-04-14"]
    assert late.incidents["hour_band"].tolist()[1499:] == [7, 23, 23]
    with pytest.raises(InputError, match="03/04/2025"):
        read(write(tmp_path, "date,time\n" + early + "03/04/2025,23\n"))
    numbers = read(write(tmp_path, "date,time\n" + early + "2025-01-03,1430\n"))
    assert numbers.incidents["hour_band"].tolist()[1499:] == [0, 14]  # 7 now means seven minutes past midnight
    midnights = "2025-01-02 00:00\n" * 1500
    hours = read(write(tmp_path, "date\n" + midnights + "2025-01-03 17:20\n"))
    assert hours.incidents["hour_band"].tolist()[1499:] == [0, 17]


def test_an_hour_in_words_is_read_with_its_date(tmp_path: Path) -> None:
    text = 'date\n"12:45 a.m. June 14, 2019"\n"5 p.m. June 15, 2019"\n"June 16, 2019"\n'
    rows = read(write(tmp_path, text)).incidents
    assert rows["occurred_on"].tolist() == ["2019-06-14", "2019-06-15", "2019-06-16"]
    assert rows["hour_band"].fillna(-1).tolist() == [0, 17, -1]


# Categories -----------------------------------------------------------------------------------------------------------

TREE = [
    {"id": "religion", "match": ["Faith Crime", "Race & Faith"]},
    {"id": "antisemitic", "parent": "religion", "label": "Antisemitic"},
    {"id": "race", "match": ["Race & Faith", "racist"], "flag": "racial"},
    {"id": "transport", "rule": {"place": ["bus", "rail"], "note": ["transport"]}},
]


def test_texts_flags_and_rules_and_all_ancestors(tmp_path: Path) -> None:
    text = (
        "date,strand,racial,place,note\n"
        "2025-01-02,antisemitic,no,Bus stop,public transport\n"
        "2025-01-02,race & faith,,RAILWAY,none\n"
        "2025-01-02,  RACIST ;Antisemitic,,,\n"
        "2025-01-02,,Yes,,\n"
        "2025-01-02,,0,rail,Transport police\n"
    )
    found = read(write(tmp_path, text), settings(categories={"tree": TREE}))
    assert found.incidents["categories"].tolist() == [
        "antisemitic;religion;transport", "race;religion", "antisemitic;race;religion", "race", "transport",
    ]  # fmt: skip
    assert found.report.unknown_categories == {}


def test_columns_that_categories_need_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "date,what\n2025-01-02,x\n")
    with pytest.raises(
        InputError, match=r"'racial'.*categories\.race\.flag.*'note'.*no category column.*religion, race"
    ):
        read(path, settings(categories={"tree": TREE}))


def test_labels_of_several_files_are_one_list_or_an_error() -> None:
    merged = readers.merged_labels([{"theft": "Theft", "arson": "ARSON"}, {"theft": "theft"}])
    assert merged == {"arson": "ARSON", "theft": "Theft"}
    with pytest.raises(InputError, match="'Hate race' and 'Hate-race'"):
        readers.merged_labels([{"hate_race": "Hate race"}, {"hate_race": "Hate-race"}])


# Places ---------------------------------------------------------------------------------------------------------------


def test_online_rows_keep_their_borough_and_lose_their_point(tmp_path: Path) -> None:
    text = (
        "date,easting,northing,borough,online\n"
        "2025-01-02,530500,180500,,no\n"
        "2025-01-02,530500,180500,Birch,YES\n"
        "2025-01-02,0,0,,yes\n"
        "2025-01-02,,,London Borough of Ash and Elm,\n"
        "2025-01-02,,,b1,\n"
        "2025-01-02,,,Atlantis,\n"
        "2025-01-02,530500,180500,Birch,\n"
    )
    found = read(write(tmp_path, text))
    rows = found.incidents
    assert rows["place"].tolist() == ["point", "borough", "none", "borough", "borough", "none", "point"]
    assert rows["borough_code"].fillna("").tolist() == ["B0", "B1", "", "B0", "B1", "", "B0"]
    assert rows["easting_m"].notna().tolist() == [True, False, False, False, False, False, True]
    assert found.report.online == 2
    assert found.report.unknown_boroughs == {"Atlantis": 1}


def test_the_ward_a_source_gives_is_compared_and_not_believed(tmp_path: Path) -> None:
    text = "date,easting,northing,ward\n" + "".join(
        f"2025-01-02,530500,180500,{w}\n" for w in ("W00", "W01", "elsewhere", "")
    )
    found = read(write(tmp_path, text))
    assert set(found.incidents["ward_code"]) == {"W00"}
    assert found.report.ward_checks == {"compared": 2, "same": 1, "outside": 0, "unused": 0}


# Repeated ids ---------------------------------------------------------------------------------------------------------


def parts(tmp_path: Path, *texts: str, names: tuple[str, ...] = ()) -> list[Read]:
    """Read several files of a source into one folder of parts."""
    found = []
    for n, text in enumerate(texts):
        name = names[n] if names else "police"
        path = write(tmp_path, "id,date,easting,northing\n" + text, f"f{n}.csv")
        found.append(read(path, settings({"name": name}), out=tmp_path / "parts"))
    return found


def test_the_first_row_of_an_id_is_kept_across_files(tmp_path: Path) -> None:
    read_parts = parts(
        tmp_path,
        "a,2025-01-02,530500,180500\nb,2025-01-02,530500,180500\na,2025-01-02,530500,180500\n,2025-01-02,1,1\n",
        "b,2025-01-02,530500,180501\nc,2025-01-02,530500,180500\n,2025-01-02,530500,180500\n,2025-01-02,530500,180500\n",
        "d,2025-01-02,530500,180500\n",
    )
    before = {p.part: p.part.read_bytes() for p in read_parts}
    settled = settle(read_parts, tmp_path / "settled", repeated_id=readers.RepeatedId.FIRST)
    left_out = pd.read_parquet(settled.left_out)
    assert left_out.to_dict("records") == [
        {"source": "police/f0.csv", "source_row": 3, "incident_id": "a", "kept_source": "police/f0.csv", "kept_row": 1,
         "fate": "duplicate"},
        {"source": "police/f1.csv", "source_row": 1, "incident_id": "b", "kept_source": "police/f0.csv", "kept_row": 2,
         "fate": "conflict"},
    ]  # fmt: skip
    assert settled.fates == {"police/f0.csv": {"duplicate": 1}, "police/f1.csv": {"conflict": 1}}
    assert set(settled.conflicts["column"]) == {"northing_m"}
    after = {p.name: pd.read_parquet(p) for p in sorted((tmp_path / "settled").glob("*.parquet"))}
    assert after["f0.csv.parquet"]["source_row"].tolist() == [1, 2]
    assert after["f1.csv.parquet"]["source_row"].tolist() == [2, 3, 4]
    assert {p: p.read_bytes() for p in before} == before  # the parts as read stay as they were
    assert (tmp_path / "settled" / "f2.csv.parquet").read_bytes() == before[read_parts[2].part]


def test_settling_twice_is_the_same(tmp_path: Path) -> None:
    found = parts(tmp_path, "a,2025-01-02,,\na,2025-01-03,,\nb,2025-01-02,,\n", "a,2025-01-02,,\n")
    once, twice = (
        [(tmp_path / into / f.part.name).read_bytes() for f in found]
        for into in ("one", "two")
        if settle(found, tmp_path / into, repeated_id=readers.RepeatedId.FIRST)
    )
    assert once == twice
    assert [len(pd.read_parquet(tmp_path / "one" / f.part.name)) for f in found] == [2, 0]


def test_one_number_of_two_organisations_is_two_incidents(tmp_path: Path) -> None:
    found = parts(tmp_path, "1,2025-01-02,,\n", "1,2025-01-02,,\n", names=("police", "charity"))
    assert len(pd.read_parquet(settle(found, tmp_path / "settled").left_out)) == 0


@given(st.lists(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=6), min_size=1, max_size=3))
@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_kept_or_listed(tmp_path: Path, files: list[list[str]]) -> None:
    texts = ["".join(f"{i},2025-01-02,,\n" for i in ids) for ids in files]
    found = parts(tmp_path, *texts)
    settled = settle(found, tmp_path / "settled")
    kept = pd.concat([pd.read_parquet(tmp_path / "settled" / p.part.name) for p in found])
    whole = [i for ids in files for i in ids]
    assert len(kept) == len([i for i in whole if not i]) + len({i for i in whole if i})
    assert len(kept) + len(pd.read_parquet(settled.left_out)) == len(whole)


# Counts made from parts -----------------------------------------------------------------------------------------------

EVENTS = (
    "id,date,easting,northing,strand,borough,online,outcome,victim\n"
    "1,2025-01-02,530500,180500,race;faith,,,charged,v1\n"
    "2,2025-01-09,530500,180500,race;faith,,,closed,v1\n"
    "3,2025-01-09,530500,180500,race,,,pending,v2\n"
    "4,2025-02-09,531500,181500,,,,closed,\n"
    "5,2025-02-09,,,race,Birch,yes,charged,v9\n"
    "6,2025-02-09,,,race,,yes,,\n"
    "7,2025-02-09,535000,180500,race,,,closed,\n"
)
OUTCOMES: dict[str, Any] = {"positive_outcomes": ["charged"], "pending_outcomes": ["pending"]}


def test_counts_by_area_and_month_are_those_of_a_hand_count(tmp_path: Path) -> None:
    part = read(write(tmp_path, EVENTS), settings(OUTCOMES)).part
    months = reduce.reduce_area_months([reduce.count_area_months(part, region_code="R")])
    AREA_MONTHS.check(months)
    got = {
        (r.area_code, r.month, r.category): (r.incidents, r.incidents_unplaced, r.positive_outcomes, r.known_outcomes)
        for r in months.itertuples()
    }
    assert got == {
        ("W00", 202501, "all"): (3, 0, 1, 2), ("W00", 202501, "race"): (3, 0, 1, 2),
        ("W00", 202501, "faith"): (2, 0, 1, 2),
        ("B0", 202501, "all"): (3, 0, 1, 2), ("B0", 202501, "race"): (3, 0, 1, 2),
        ("B0", 202501, "faith"): (2, 0, 1, 2),
        ("R", 202501, "all"): (3, 0, 1, 2), ("R", 202501, "race"): (3, 0, 1, 2), ("R", 202501, "faith"): (2, 0, 1, 2),
        ("W11", 202502, "all"): (1, 0, 0, 1),
        ("B1", 202502, "all"): (2, 1, 1, 2), ("B1", 202502, "race"): (1, 1, 1, 1),
        ("R", 202502, "all"): (3, 1, 1, 2), ("R", 202502, "race"): (2, 1, 1, 1),
    }  # fmt: skip


def test_places_with_weights_leave_out_what_has_no_place(tmp_path: Path) -> None:
    part = read(write(tmp_path, EVENTS), settings(OUTCOMES)).part
    found = locations([part])
    LOCATIONS.check(found)
    rows = found[["easting_m", "month", "categories", "incidents", "positive_outcomes", "known_outcomes"]]
    assert rows.to_numpy().tolist() == [
        [530500.0, 202501, "faith;race", 2, 1, 2], [530500.0, 202501, "race", 1, 0, 0], [531500.0, 202502, "", 1, 0, 1],
    ]  # fmt: skip
    assert found["distinct_victims"].astype(object).where(found["distinct_victims"].notna(), None).tolist() == [
        1,
        1,
        None,
    ]
    placeholder = locations([part], placeholders=[(530_500.4, 180_500.0, 1.0)])
    assert placeholder["easting_m"].tolist() == [531500.0]
    # Three metres east and four north are five metres away.
    for radius_m, left in ((5.0, [531500.0]), (4.9, [530500.0, 531500.0])):
        near = [(530_503.0, 180_504.0, radius_m)]
        found = locations([part], placeholders=near)
        assert sorted(set(found["easting_m"])) == left


def test_without_outcomes_there_are_none_rather_than_zero(tmp_path: Path) -> None:
    part = read(write(tmp_path, EVENTS), settings()).part
    months = reduce.reduce_area_months([reduce.count_area_months(part, region_code="R")])
    assert months[["positive_outcomes", "known_outcomes"]].isna().all(axis=None)
    assert locations([part])["positive_outcomes"].isna().all()


def test_any_split_into_files_gives_the_same_counts(tmp_path: Path) -> None:
    head, *lines = EVENTS.splitlines(keepends=True)
    whole = [read(write(tmp_path, EVENTS, "whole.csv"), settings(OUTCOMES)).part]
    split = [
        read(write(tmp_path, head + "".join(lines[n::3]), f"part{n}.csv"), settings(OUTCOMES)).part for n in (2, 0, 1)
    ]

    def counts(found: list[Path]) -> list[pd.DataFrame]:
        return [
            reduce.reduce_area_months([reduce.count_area_months(p, region_code="R") for p in found]),
            locations(found),
            reduce.reduce_facets([reduce.count_facets(p) for p in found]),
            reduce.reduce_places([reduce.count_places(p).assign(source="") for p in found]),
        ]

    for one, many in zip(counts(whole), counts(split), strict=True):
        pd.testing.assert_frame_equal(one, many)


def test_facets_count_what_was_described(tmp_path: Path) -> None:
    text = (
        "date,time,recorded,easting,northing,strand,kind\n"
        "2025-01-06,22,2025-01-06,530500,180500,race,offence\n"  # a Monday
        "2025-01-12,22,2025-01-20,530500,180500,race;faith,incident\n"  # a Sunday
        "2025-01-12,,2027-01-20,900000,180500,race,incident\n"
    )
    part = read(write(tmp_path, text)).part
    found = reduce.reduce_facets([reduce.count_facets(part)])
    everything = found[(found["category"] == "all")].set_index(["facet", "value"])["incidents"].to_dict()
    assert everything == {
        ("weekday", "1"): 1, ("weekday", "7"): 1, ("hour_band", "22"): 2, ("delay", "same day"): 1,
        ("delay", "8 to 30 days"): 1, ("kind", "offence"): 1, ("kind", "incident"): 1, ("organisation", "police"): 2,
        ("online", "no"): 2, ("weekday_hour", "1 22"): 1, ("weekday_hour", "7 22"): 1,
    }  # fmt: skip
    faith = found[(found["category"] == "faith") & (found["facet"] == "weekday")]
    assert faith[["area_code", "month", "value", "incidents"]].to_numpy().tolist() == [["B0", 202501, "7", 1]]
