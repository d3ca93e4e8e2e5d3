"""Part A of issue 14, item by item: what nobody sent, or nobody can place, is null with a reason, never zero."""

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import yaml

from pipeline.config.templates import template_text
from tests.kit.cases import (
    CODES,
    COLUMNS,
    EASTBY,
    NO_METHODS,
    NORTHBY,
    POLICE_COLUMNS,
    POLICE_SOURCE,
    REGION,
    RIGHT,
    SOUTHBY,
    Attempt,
    Row,
    attempt,
    change,
    configure,
    counted,
    incidents,
    months,
    names_month,
    point,
    police,
    published_cells,
    refused,
    released,
    says,
    wards,
    write_case,
    write_police,
    write_published,
    write_rows,
)

pytestmark = pytest.mark.slow  # each test is a whole run

LONG = bool(os.environ.get("HOTSPOTS_LONG"))
ALL_WARDS = ("Alder", "Birch", "Cedar", "Damson")
NO_DATA = dict.fromkeys(ALL_WARDS)


# A1. Missing months.


def one_file_without(folder: Path, missing: str, number: int, **source: Any) -> Path:
    """Write one CSV of 14 months, of which one has no row."""
    rows = [r for r in incidents(number, span=14) if r["occurred_on"][:7] != missing]
    return write_case(folder, rows, source=source)


def test_a1_a_month_without_rows_is_missing_where_that_is_improbable(tmp_path: Path) -> None:
    # The median month has 31 rows: no row by chance has a probability of exp(-31).
    tried = released(one_file_without(tmp_path, "2024-06", 434))
    assert tried.cell(REGION, "2024-06") is None
    assert not tried.windows_over("2024-06")["complete"].any()
    assert tried.windows_over("2024-06")["rate_per_10000"].isna().all()


def test_a1_a_quiet_month_of_a_small_source_is_zero_and_named(tmp_path: Path) -> None:
    # Two rows a month: no row has a probability of exp(-2), 14 per cent.
    tried = released(one_file_without(tmp_path, "2024-06", 28))
    assert tried.cell(REGION, "2024-06") == 0
    assert tried.cell(REGION, tried.headline, "complete")
    assert names_month(tried.text, "2024-06")


def test_a1_a_file_that_names_the_month_makes_a_small_month_a_quiet_one(tmp_path: Path) -> None:
    rows = police(incidents(8, span=4))
    quiet = [r for r in rows if r["Month"] != "2024-03"]
    write_police(tmp_path / "street", quiet)
    header = (tmp_path / "street" / "2024-02-northshire-street.csv").read_text("utf-8").splitlines()[0]
    (tmp_path / "street" / "2024-03-northshire-street.csv").write_text(header + "\n", encoding="utf-8")
    tried = released(write_case(tmp_path, None, source={**POLICE_SOURCE, "paths": ["street/*-street.csv"]}))
    assert tried.cell(REGION, "2024-03") == 0


def test_a1_a_month_that_no_file_names_is_missing_however_small_the_source(tmp_path: Path) -> None:
    write_police(tmp_path / "street", [r for r in police(incidents(8, span=4)) if r["Month"] != "2024-03"])
    tried = released(write_case(tmp_path, None, source={**POLICE_SOURCE, "paths": ["street/*-street.csv"]}))
    assert tried.cell(REGION, "2024-03") is None


@pytest.mark.parametrize(
    ("number", "setting", "right"),
    [
        pytest.param(434, {"empty_months": ["2024-06"]}, 0, id="empty_months"),
        pytest.param(28, {"missing_months": ["2024-06"]}, None, id="missing_months"),
    ],
)
def test_a1_the_analyst_overrides_which_months_are_missing(
    tmp_path: Path, number: int, setting: dict[str, list[str]], right: int | None
) -> None:
    tried = released(one_file_without(tmp_path, "2024-06", number, **setting))
    assert tried.cell(REGION, "2024-06") == right
    assert set(tried.windows_over("2024-06")["complete"]) == {right == 0}


def test_a1_one_of_two_sources_without_a_month_makes_it_incomplete(tmp_path: Path) -> None:
    config = one_file_without(tmp_path, "2024-06", 434)
    others = [{**r, "incident_id": f"T{r['incident_id']}"} for r in incidents(434, span=14)]
    write_rows(tmp_path / "others.csv", others)
    one = {
        "paths": ["incidents.csv"],
        "crs": "EPSG:27700",
        "columns": dict(zip(("id", "date", "x", "y", "category"), COLUMNS, strict=False)),
    }
    write_case(
        tmp_path, None, incidents=[{"name": "police", **one}, {"name": "transport", **one, "paths": ["others.csv"]}]
    )
    tried = released(config)
    assert not tried.cell(REGION, "2024-06", "complete")
    assert not tried.windows_over("2024-06")["complete"].any()
    assert tried.windows_over("2024-06")["rate_per_10000"].isna().all()


# A2. The last and the first month.


def until(folder: Path, last: str, *, first: str = "2024-11-01", **changes: Any) -> Path:
    """Write 28 rows every month of 2024 and 2025, one a day, cut to a range of dates."""
    rows = []
    for month in months("2024-01", 24):
        for day in range(1, 29):
            date = f"{month}-{day:02d}"
            if first <= date <= last:
                ward = ALL_WARDS[day % 4]
                x, y = point(len(rows), ward)
                rows.append(
                    dict(
                        zip(
                            COLUMNS,
                            (f"A{len(rows):05d}", date, f"{x:.1f}", f"{y:.1f}", "race", CODES[ward]),
                            strict=True,
                        )
                    )
                )
    return write_case(folder, rows, **changes)


@pytest.mark.parametrize(
    ("last", "headline"),
    [
        pytest.param("2025-12-28", "2025-01..2025-12", id="three days before the end"),
        pytest.param("2025-12-20", "2024-12..2025-11", id="eleven days before the end"),
        pytest.param("2025-12-02", "2024-12..2025-11", id="two days of the month"),
    ],
)
def test_a2_the_last_month_is_complete_if_its_rows_reach_its_end(tmp_path: Path, last: str, headline: str) -> None:
    tried = released(until(tmp_path, last))
    assert tried.headline == headline
    assert tried.cell(REGION, headline) == 12 * 28


def test_a2_a_first_month_that_starts_late_is_incomplete(tmp_path: Path) -> None:
    tried = released(until(tmp_path, "2025-01-28", first="2024-02-15"))
    assert tried.cell(REGION, "2024-02", "complete") in {None, False}
    assert tried.cell(REGION, "2024-03", "complete")


def test_a2_last_complete_date_wins(tmp_path: Path) -> None:
    tried = released(until(tmp_path, "2025-12-20", periods__last_complete_date="2025-12-31"))
    assert tried.headline == "2025-01..2025-12"


def test_a2_with_months_only_the_file_decides(tmp_path: Path) -> None:
    rows = police(incidents(400))
    write_police(tmp_path / "street", [r for r in rows if r["Month"] > "2024-11"])
    early = [r for r in rows if r["Month"] <= "2024-11"]
    write_rows(tmp_path / "street" / "2024-street.csv", early, POLICE_COLUMNS)
    tried = released(write_case(tmp_path, None, source={**POLICE_SOURCE, "paths": ["street/*-street.csv"]}))
    assert tried.headline == "2024-02..2025-01"


def test_a2_the_choice_is_reported(tmp_path: Path) -> None:
    tried = released(until(tmp_path, "2025-12-09"))
    assert "2025-11-30" in tried.text
    assert says(tried.text, "incomplete")
    assert "2025-11-30" in json.dumps(tried.manifest)


# A3. Stray dates. The years lie far enough back that no date is in the future.


def with_dates(folder: Path, dates: list[str], number: int = 400) -> Path:
    rows = incidents(number, first="2018-01")
    for date, row in zip(dates, rows, strict=False):
        row["occurred_on"] = date
    return write_case(folder, rows)


@pytest.mark.parametrize(
    "dates",
    [
        pytest.param(["2020-01-15"], id="one a year late"),
        pytest.param(["2019-11-02", "2020-06-30"], id="two, apart"),
        pytest.param(["2021-01-01"] * 3, id="three on a day"),
    ],
)
def test_a3_late_strays_are_quarantined_and_do_not_stretch_the_span(tmp_path: Path, dates: list[str]) -> None:
    tried = released(with_dates(tmp_path, dates))
    assert tried.rules == {"date_outlier": len(dates)}
    assert tried.headline == "2018-02..2019-01"
    assert tried.cell(REGION, tried.headline) > 360
    assert tried.counts["period_end"].max() == "2019-01-31"


def test_a3_a_second_spell_of_data_is_no_stray(tmp_path: Path) -> None:
    rows = [r for r in incidents(650, first="2017-01", span=26) if not "2017-07" <= r["occurred_on"] <= "2018-01"]
    tried = counted(write_case(tmp_path, rows))
    assert tried.rules == {}
    assert tried.accounting()["incidents"] == len(rows)


@pytest.mark.parametrize(
    "dates",
    [
        pytest.param(["1900-01-01"] * 5, id="five of 1900"),
        pytest.param([f"{y}-06-01" for y in (1968, 1975, 1981, 1994, 2003)], id="historic offences"),
    ],
)
def test_a3_early_strays_are_incidents_outside_the_span_counted_and_named(tmp_path: Path, dates: list[str]) -> None:
    tried = released(with_dates(tmp_path, dates))
    assert tried.accounting()["incidents"] == 400
    assert tried.accounting()["quarantined"] == 0
    assert tried.counts["period"].nunique() < 40
    assert tried.counts["period_start"].min() >= "2018-01-01"
    assert tried.headline == "2018-02..2019-01"
    assert dates[0][:4] in tried.text
    assert dates[0][:4] in json.dumps(tried.quality)


def test_a3_early_strays_do_not_count_towards_exit_5(tmp_path: Path) -> None:
    tried = released(with_dates(tmp_path, ["1900-01-01"] * 100))
    assert tried.code == 0
    assert tried.accounting()["incidents"] == 400
    assert tried.counts["period"].nunique() < 40


# A4. No place at this level: cases 26 and 26c, and what the pages show.


def test_a4_pages_and_layers_show_no_data_for_wards_that_no_row_can_be_placed_in(tmp_path: Path) -> None:
    rows = [
        {k: r[k] for k in ("incident_id", "occurred_on", "category")} | {"place": r["borough"]} for r in incidents(260)
    ]
    columns = {"x": None, "y": None, "borough": "place"}
    tried = attempt(write_case(tmp_path, rows, source={"crs": None}, columns=columns))
    shown = tried.layer("wards")
    assert {(p["incidents"], p["rate_per_10000"], p["covered"]) for p in shown.values()} == {(None, None, False)}
    wards_only = tried.counts[tried.counts["level"] == "ward"]
    assert wards_only["incidents"].isna().all()
    assert wards_only["rate_per_10000"].isna().all()
    assert says(tried.text, "ward")
    assert says(tried.text, "no data|cannot be placed")


# A5. Published counts.


def test_a5_absent_error_stops_and_names_the_cell(tmp_path: Path) -> None:
    cells = published_cells((NORTHBY, SOUTHBY))[1:]
    refused(
        attempt(write_published(tmp_path, cells, absent="error")), CODES[NORTHBY], "2024-01|202401", codes=(2, 3, 5)
    )


def test_a5_absent_error_passes_a_whole_table(tmp_path: Path) -> None:
    assert released(write_published(tmp_path, published_cells((NORTHBY, SOUTHBY)), absent="error")).code == 0


def marked(folder: Path, *marks: str, **source: Any) -> Attempt:
    """Publish a mark for Northby in February, and others in the months after it."""
    cells = published_cells((NORTHBY, SOUTHBY))
    for i, mark in enumerate(marks, 1):
        cells[2 * i]["Count"] = mark
    return released(write_published(folder, cells, **source))


def test_a5_suppression_marks_are_unknown(tmp_path: Path) -> None:
    marks = ("*", "<5", "c", "[c]", "..", "x")
    tried = marked(tmp_path, *marks)
    for month, mark in enumerate(marks, 2):
        assert tried.cell(NORTHBY, f"2024-{month:02d}") is None, mark
        assert tried.cell(REGION, f"2024-{month:02d}") is None, mark
        assert tried.cell(SOUTHBY, f"2024-{month:02d}") == 6 + month
    assert tried.cell(NORTHBY, "2024-08") == 13
    assert not tried.cell(NORTHBY, "2024-01..2024-12", "complete")


@pytest.mark.parametrize(
    ("source", "right"),
    [
        pytest.param({"zero_marks": ["-"]}, 0, id="zero_marks"),
        pytest.param({"suppressed_marks": ["-"]}, None, id="suppressed_marks"),
    ],
)
def test_a5_a_dash_means_what_the_settings_say(tmp_path: Path, source: dict[str, Any], right: int | None) -> None:
    assert marked(tmp_path, "-", **source).cell(NORTHBY, "2024-02") == right


def test_a5_a_dash_is_asked_about(tmp_path: Path) -> None:
    refused(marked(tmp_path, "-"), "zero_marks", "suppressed_marks", "Count", "'-'|\"-\"", codes=(2, 3, 5))


def test_a5_the_region_is_the_sum_of_boroughs_without_rows_of_its_own(tmp_path: Path) -> None:
    tried = released(write_published(tmp_path, published_cells((NORTHBY, SOUTHBY))))
    assert tried.cell(REGION, "2024-01") == 6 + 7
    assert tried.cell(REGION, "2024-01..2024-12") == sum(range(6, 18)) + sum(range(7, 19))


def test_a5_boroughs_and_region_are_the_sum_of_wards_and_say_so(tmp_path: Path) -> None:
    tried = released(write_published(tmp_path, published_cells(ALL_WARDS)))
    assert (tried.cell(NORTHBY, "2024-01"), tried.cell(SOUTHBY, "2024-01")) == (6 + 7, 8 + 9)
    assert tried.cell(REGION, "2024-01") == 6 + 7 + 8 + 9
    assert says(tried.text + json.dumps(tried.quality), "sum of wards")


def test_a5_a_sum_with_an_unknown_part_is_no_data(tmp_path: Path) -> None:
    cells = published_cells(ALL_WARDS)
    cells[0]["Count"] = "*"
    tried = released(write_published(tmp_path, cells))
    assert (tried.cell("Alder", "2024-01"), tried.cell(NORTHBY, "2024-01"), tried.cell(REGION, "2024-01")) == (
        None,
    ) * 3
    assert tried.cell(SOUTHBY, "2024-01") == 8 + 9
    assert tried.cell(NORTHBY, "2024-02") == 7 + 8


# A6. A code instead of a point.


def coded(folder: Path, column: str, codes: dict[str, str], **changes: Any) -> Path:
    rows = [
        {**{k: r[k] for k in ("incident_id", "occurred_on", "category")}, "small_area": codes[r["ward_name"]]}
        for r in incidents(260)
    ]
    return write_case(
        folder, rows, source={"crs": None}, columns={"x": None, "y": None, column: "small_area"}, **changes
    )


@pytest.mark.parametrize(
    "column",
    [
        pytest.param("lsoa", id="lsoa"),
        pytest.param("msoa", id="msoa"),
    ],
)
def test_a6_a_smaller_area_code_places_a_row_through_the_lookup(tmp_path: Path, column: str) -> None:
    codes = {w: f"E0{1 + (column == 'msoa')}00000{i}" for i, w in enumerate(ALL_WARDS)}
    tmp_path.mkdir(exist_ok=True)
    lines = ["from_code,to_code", *(f"{codes[w]},{CODES[w]}" for w in ALL_WARDS)]
    (tmp_path / "lookup.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tried = counted(coded(tmp_path, column, codes, areas__lookup="lookup.csv"))
    assert tried.totals() == RIGHT[260]
    assert tried.totals([NORTHBY, SOUTHBY]) == {NORTHBY: 188, SOUTHBY: 72}


def test_a6_an_lsoa_without_a_lookup_is_asked_for(tmp_path: Path) -> None:
    codes = {w: f"E0100000{i}" for i, w in enumerate(ALL_WARDS)}
    refused(attempt(coded(tmp_path, "lsoa", codes)), "areas.lookup", codes=(2, 3))


def test_a6_rows_placed_by_a_code_say_so(tmp_path: Path) -> None:
    tried = counted(coded(tmp_path, "ward", CODES))
    kept = pd.concat([pd.read_parquet(p) for p in (tried.folder / "work" / "incidents").glob("*.parquet")])
    assert set(kept["place_precision"]) == {"area"}
    assert kept["easting_m"].isna().all()


def half_coded(folder: Path, *, coded_rows: bool) -> Path:
    """Write 300 points, and 100 rows more with a ward code alone, or without these."""
    rows = incidents(400)
    for row in rows[300:]:
        row["easting"] = row["northing"] = ""
    return write_case(
        folder,
        rows if coded_rows else rows[:300],
        columns={"ward": "ward"},
        detect=NO_METHODS
        | {
            "density": {"enabled": True, "bandwidth_m": 300},
            "clusters": {"enabled": True, "eps_m": 150, "min_samples": 5},
            "gistar": {"enabled": True, "permutations": 0},
        },
    )


def test_a6_rows_without_a_point_enter_counts_but_no_density_cluster_or_cell(tmp_path: Path) -> None:
    both, alone = (released(half_coded(tmp_path / str(c), coded_rows=c)) for c in (True, False))
    assert both.totals() == RIGHT[400]
    for name in ("density", "hotspots"):
        layer = Path("work", "release", "internal", f"{name}.parquet")
        shapes = [gpd.read_parquet(t.folder / layer) for t in (both, alone)]
        assert len(shapes[0]) > 0
        assert shapes[0].geometry.to_wkb().tolist() == shapes[1].geometry.to_wkb().tolist()
    cells = [
        pd.concat([pd.read_parquet(p) for p in (t.folder / "work" / "patterns").rglob("analysis_cells.parquet")])
        for t in (both, alone)
    ]
    assert cells[0]["incidents"].tolist() == cells[1]["incidents"].tolist()


def test_a6_where_point_and_code_disagree_the_point_wins_and_the_disagreement_is_counted(tmp_path: Path) -> None:
    rows = incidents(260)
    for row in rows[:20]:
        row["ward"] = CODES["Damson"]
    disagree = sum(r["ward_name"] != "Damson" for r in rows[:20])
    tried = counted(write_case(tmp_path, rows, columns={"ward": "ward"}))
    assert tried.totals() == RIGHT[260]
    assert tried.quality["ward_checks"]["compared"] - tried.quality["ward_checks"]["same"] == disagree


# A7. Areas that the data does not cover: what every method gives for the others is in test_not_covered.py.


def test_a7_the_advice_of_the_run_can_be_followed(tmp_path: Path) -> None:
    config = write_case(tmp_path, incidents(400), boundaries=wards((*ALL_WARDS, "Elder", "Fern")), areas__snap_m=0)
    first = counted(config)
    assert first.code == 0
    assert EASTBY in first.text or CODES[EASTBY] in first.text
    second = attempt(change(config, areas__not_covered=[CODES[EASTBY]]))
    assert second.code == 0, second.crash + second.text[-500:]
    assert EASTBY not in json.dumps(second.quality.get("scarce_boroughs", []))
    assert second.totals([EASTBY, "Elder", "Fern"]) == {EASTBY: None, "Elder": None, "Fern": None}
    shown = {**second.layer("wards"), **second.layer("boroughs")}
    for area in (EASTBY, "Elder", "Fern"):
        assert (shown[area]["covered"], shown[area]["incidents"], shown[area]["rate_per_10000"]) == (False, None, None)


# A8. Outside.


def some_outside(folder: Path, outside: int, number: int = 200, **changes: Any) -> Path:
    rows = incidents(number)
    for i, row in enumerate(rows[:outside]):
        row["easting"] = f"{531_500 + 13.7 * i:.1f}"
    return write_case(folder, rows, **changes)


@pytest.fixture(scope="module")
def with_sixty_outside(tmp_path_factory: pytest.TempPathFactory) -> Attempt:
    return attempt(some_outside(tmp_path_factory.mktemp("outside"), 60))


def test_a8_points_outside_the_areas_enter_no_total(with_sixty_outside: Attempt) -> None:
    tried = with_sixty_outside
    inside: dict[str, int] = dict.fromkeys(ALL_WARDS, 0)
    for row in incidents(200)[60:]:
        inside[row["ward_name"]] += 1
    assert tried.totals() == inside
    assert tried.total(REGION) == 140 == sum(filter(None, tried.totals([NORTHBY, SOUTHBY]).values()))
    assert tried.accounting()["incidents_outside_areas"] == 60


def test_a8_more_than_two_per_cent_outside_is_warned_of_first(with_sixty_outside: Attempt) -> None:
    tried = with_sixty_outside
    warned = [i for i in (tried.text.find("30 %"), tried.text.find("30 per cent"), tried.text.find("30.0")) if i >= 0]
    assert warned
    assert min(warned) < tried.text.find("Chosen automatically")
    assert says(tried.text, "outside")
    assert says(tried.front_door, "30 %|30 per cent|30.0")


def test_a8_two_per_cent_or_less_is_not_warned_of(tmp_path: Path) -> None:
    tried = counted(some_outside(tmp_path, 4))
    assert "Chosen automatically" in tried.text
    assert not says(tried.text[: tried.text.find("Chosen automatically")], "outside")


def test_a8_sentences_name_the_part_they_speak_of(with_sixty_outside: Attempt) -> None:
    assert says(with_sixty_outside.page, "140 of 200|140 of the 200|70 per cent|70 %|70.0")


def test_a8_rows_without_a_place_count_in_the_region_only_if_something_says_they_are_inside(tmp_path: Path) -> None:
    rows: list[Row] = incidents(200)
    for i, row in enumerate(rows[:60]):
        row["easting"] = f"{531_500 + 13.7 * i:.1f}"
    for row in rows[60:80]:
        row["easting"] = row["northing"] = ""
    named = [{**{k: r[k] for k in COLUMNS}, "place": r["borough"] if i < 70 else ""} for i, r in enumerate(rows)]
    tried = counted(write_case(tmp_path, named, columns={"borough": "place"}))
    # 120 points inside, 10 rows that name a borough; of 10 rows nothing is known, and 60 points lie elsewhere.
    assert tried.total(REGION) == 130
    assert tried.accounting()["incidents_without_a_place"] == 20


# Shown by: real extracts.


def real_case(folder: Path, layer: gpd.GeoDataFrame, paths: list[str], **changes: Any) -> Path:
    """Write the police.uk template over real boundaries, for the analyst alone."""
    folder.mkdir(parents=True, exist_ok=True)
    layer.to_file(folder / "wards.gpkg", driver="GPKG")
    settings = yaml.safe_load(template_text("police-uk"))
    settings["run"]["name"] = "t"
    settings["areas"]["wards"]["path"] = "wards.gpkg"
    settings["incidents"][0]["paths"] = paths
    settings["profiles"] = settings["profiles"][:1]
    settings["page"] = {**(settings.get("page") or {}), "briefings": False}
    return configure(folder, settings, exports={"geopackage": False, "workbook": "none"}, **changes)


@pytest.mark.real
@pytest.mark.parametrize(
    ("last", "days"),
    [
        pytest.param(1, None, id="one month"),
        pytest.param(2, None, id="two months", marks=pytest.mark.long),
        pytest.param(2, 32, id="32 days"),
    ],
)
def test_city_of_london_runs_on_little_data(real_data: Path, tmp_path: Path, last: int, days: int | None) -> None:
    layer = gpd.read_file(real_data / "boundaries" / "london_wards_2018_27700.gpkg").query("LAGSSCODE == 'E09000001'")
    rows = pd.concat(
        [
            pd.read_csv(real_data / "police_uk" / "city_of_london" / f"2018-0{m}-city-of-london-street.csv", dtype=str)
            for m in range(1, last + 1)
        ]
    )
    columns: dict[str, Any] = {}
    if days:
        # police.uk gives months alone: dates are spread over 32 days, one after another.
        start = dt.date(2018, 1, 1)
        rows["Date"] = [(start + dt.timedelta(days=i % days)).isoformat() for i in range(len(rows))]
        columns = {"incidents__0__columns": {"date": "Date"}}
    rows.to_csv(tmp_path / "2018-street.csv", index=False)
    tried = attempt(real_case(tmp_path, layer, ["2018-street.csv"], **columns))
    assert tried.code == 0, tried.crash + tried.text[-600:]


# Boroughs that the files of 2018 do not reach: they were cut out of the archive by wards. A month shows them.
@pytest.mark.real
def test_met_2018_with_its_uncovered_boroughs_named_runs_and_shows_no_zero_for_them(
    real_data: Path, tmp_path: Path
) -> None:
    layer = gpd.read_file(real_data / "boundaries" / "london_wards_2018_27700.gpkg")
    files = sorted((real_data / "police_uk" / "met_2018").glob("*.csv.gz"))[: 2 if LONG else 1]
    found = pd.concat([pd.read_csv(p) for p in files])
    found = found.dropna(subset=["Longitude", "Latitude"])
    places = gpd.GeoSeries(gpd.points_from_xy(found["Longitude"], found["Latitude"]), crs="EPSG:4326").to_crs(27700)
    joined = gpd.sjoin(gpd.GeoDataFrame(geometry=places), layer[["LAGSSCODE", "geometry"]])
    typical = joined["LAGSSCODE"].value_counts().reindex(layer["LAGSSCODE"].unique(), fill_value=0)
    uncovered = sorted(typical[typical < 0.05 * typical.median()].index)
    assert len(uncovered) == 8
    paths = [str(p) for p in files]
    if not LONG:  # three of these, and the three others with fewest crimes
        uncovered = uncovered[:3]
        chosen = [*uncovered, *typical[typical >= 0.05 * typical.median()].nsmallest(3).index]
        found.iloc[joined.index[joined["LAGSSCODE"].isin(chosen)].unique()].to_csv(tmp_path / "some.csv", index=False)
        layer, paths = layer[layer["LAGSSCODE"].isin(chosen)], ["some.csv"]
    config = real_case(tmp_path, layer, paths, areas__not_covered=uncovered)
    assert not LONG or attempt(config, "check").code == 0
    tried = attempt(config)
    assert tried.code == 0, tried.crash + tried.text[-600:]
    inside = set(layer[layer["LAGSSCODE"].isin(uncovered)]["GSS_CODE"]) | set(uncovered)
    assert tried.counts[tried.counts["area_code"].isin(inside)]["incidents"].isna().all()
    for name in ("wards", "boroughs"):
        for shown in tried.layer(name).values():
            if shown["area_code"] in inside:
                assert (shown["incidents"], shown["covered"]) == (None, False)
