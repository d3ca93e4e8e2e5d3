"""What `hotspots init --from` recognises in files, one small file of each kind, by the values written into them."""

from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
import shapely

from pipeline.config import Run
from pipeline.errors import InputError
from pipeline.ingest.recognition import (
    SeenAreas,
    SeenCounts,
    choose_rows,
    require_inside,
    selecting,
    system_of_points,
    try_areas,
    try_counts,
    try_lookup,
    try_people,
    zone_of,
)
from tests.kit.city import X0, Y0, write_city

LIMITS = Run.model_validate({})
# In the city's three wards A1, A2 (borough A) and B1 (borough B), a kilometre each.
INSIDE = [(X0 + 150 * n, Y0 + 500) for n in range(1, 20)]


@pytest.fixture(scope="module")
def areas(tmp_path_factory: pytest.TempPathFactory) -> SeenAreas:
    folder = tmp_path_factory.mktemp("city")
    write_city(folder)
    return try_areas(folder / "wards.gpkg", limits=LIMITS)[0]


def book(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(path)
    return path


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def crimes(*, dx: float = 0.0) -> list[list[object]]:
    return [["date", "easting", "northing"], *(["2024-03-05", x + dx, y] for x, y in INSIDE)]


# Sheets and layers.


@pytest.mark.slow
def test_the_sheet_whose_points_lie_in_the_areas_is_chosen(areas: SeenAreas, tmp_path: Path) -> None:
    notes = [["About this workbook", None], ["made by hand", "2024"]]
    far = [["date", "longitude", "latitude"], *(["2024-03-05", -1.5, 54.9] for _ in INSIDE)]
    near = [["date", "longitude", "latitude"], *(["2024-03-05", -0.1265 + n / 1000, 51.5055] for n in range(19))]
    path = book(tmp_path / "crimes.xlsx", {"Notes": notes, "Tyneside": far, "City": near})
    seen, rivals = choose_rows(path, areas, limits=LIMITS)
    assert (seen.chosen[0], seen.chosen[1].value, rivals) == ("sheet", "City", [])
    assert seen.chosen[1].why == "19 of 19 points lie within the bounds of the areas, but 0 of 19 in 'Tyneside'"


@pytest.mark.slow
def test_sheets_with_the_same_columns_are_all_read(areas: SeenAreas, tmp_path: Path) -> None:
    path = book(tmp_path / "crimes.xlsx", {"January": crimes(), "February": crimes(dx=10)})
    seen, rivals = choose_rows(path, areas, limits=LIMITS)
    assert (seen.chosen, rivals) == (None, [])
    assert "All 2 sheets" in seen.notes[0]


@pytest.mark.slow
def test_two_sheets_that_may_both_be_meant_are_rivals(areas: SeenAreas, tmp_path: Path) -> None:
    other = [[*row, "x"] for row in crimes()]
    path = book(tmp_path / "crimes.xlsx", {"Crimes": crimes(), "Incidents": other})
    seen, rivals = choose_rows(path, areas, limits=LIMITS)
    assert (seen.chosen[1].value, rivals) == ("Crimes", ["Incidents"])


@pytest.mark.slow
def test_layers_of_points_and_of_areas(tmp_path: Path) -> None:
    write_city(tmp_path)
    wards = gpd.read_file(tmp_path / "wards.gpkg")
    path = tmp_path / "all.gpkg"
    wards.to_file(path, layer="wards_2024")
    wards.dissolve("parent", as_index=False)[["parent", "parent_name", "geometry"]].to_file(path, layer="boroughs")
    points = gpd.GeoDataFrame({"note": ["a"] * 19}, geometry=[shapely.Point(p) for p in INSIDE], crs=27700)
    points.to_file(path, layer="lamps")
    points.assign(committed="2024-03-05").to_file(path, layer="crimes")
    layers = try_areas(path, limits=LIMITS)
    assert [(layer.layer.value, layer.count, layer.code.value) for layer in layers] == [
        ("wards_2024", 3, "code"),
        ("boroughs", 2, "parent"),
    ]
    seen, rivals = choose_rows(path, layers[0], limits=LIMITS)
    assert (seen.chosen[0], seen.chosen[1].value, seen.column("date"), rivals) == ("layer", "crimes", "committed", [])
    assert seen.coordinates == "geometry"
    points.to_file(tmp_path / "lamps.geojson")
    with pytest.raises(InputError, match=r"lamps\.geojson has no outlines of areas, only points or lines"):
        try_areas(tmp_path / "lamps.geojson", limits=LIMITS)
    # A KML states no kind of geometry for its layers.
    for layer, frame in (("wards", wards), ("lamps", points)):
        frame.to_crs(4326).to_file(tmp_path / "all.kml", driver="KML", layer=layer, mode="a")
    [kml] = try_areas(tmp_path / "all.kml", limits=LIMITS)
    assert (kml.layer.value, kml.count) == ("wards", 3)


@pytest.mark.slow
def test_a_column_of_codes_goes_before_the_ids_of_features(tmp_path: Path) -> None:
    """A layer may hold its codes twice; a table of residents names the column of codes."""
    there = gpd.read_file(write_city(tmp_path).parent / "wards.gpkg")
    for number, name in enumerate(("id", "fid", "OBJECTID", "GlobalID")):
        path = tmp_path / f"twice{number}.geojson"
        there.rename(columns={"code": "area_code"}).assign(**{name: there["code"]})[
            [name, "area_code", "name", "geometry"]
        ].to_file(path)
        assert try_areas(path, limits=LIMITS)[0].code.value == "area_code"


def test_the_sheet_of_residents_and_its_header(tmp_path: Path) -> None:
    title = [["Population estimates", None, None], [None, None, None]]
    people = [["code", "ward", "residents 2022"], ["A1", "North", 1000], ["A2", "Middle", 2000], ["B1", "East", 500]]
    path = book(tmp_path / "people.xlsx", {"Contents": [["People", "see below"]], "Wards": [*title, *people]})
    seen = try_people(path, codes=frozenset({"A1", "A2", "B1"}), limits=LIMITS)
    assert (seen.sheet.value, seen.header_row.value, seen.code.value) == ("Wards", 3, "code")
    assert (seen.value.value, seen.year.value) == ("residents 2022", 2022)


# Where the table starts.


def test_lines_above_unusual_names(areas: SeenAreas, tmp_path: Path) -> None:
    rows = [f"2024-03-05,{x},{y}" for x, y in INSIDE]
    path = table(tmp_path / "a.csv", "Report of crime,,", "for the city,,", "when,pos east,pos north", *rows)
    seen, _ = choose_rows(path, areas, limits=LIMITS)
    assert seen.head.header.value == 3
    assert {role: guess.value for role, guess in seen.guesses.items()} == {
        "date": "when",
        "x": "pos east",
        "y": "pos north",
    }


def test_a_file_without_names(areas: SeenAreas, tmp_path: Path) -> None:
    rows = [
        f"{n},2024-03-{1 + n % 28:02d},{x},{y},{'race' if n % 2 else 'religion'}" for n, (x, y) in enumerate(INSIDE)
    ]
    seen, _ = choose_rows(table(tmp_path / "a.csv", *rows), areas, limits=LIMITS)
    assert seen.head.header.value == "none"
    got = {role: guess.value for role, guess in seen.guesses.items()}
    assert got == {"date": "column 2", "x": "column 3", "y": "column 4", "category": "column 5"}


# When.


def test_the_earliest_and_latest_time(areas: SeenAreas, tmp_path: Path) -> None:
    rows = [f"C{n},05/03/2024 22:00,0{6 + n % 2}/03/2024 07:00,{x},{y}" for n, (x, y) in enumerate(INSIDE)]
    head = "id,Committed From Date/Time,Committed To Date/Time,easting,northing"
    seen, _ = choose_rows(table(tmp_path / "a.csv", head, *rows), areas, limits=LIMITS)
    assert (seen.column("from"), seen.column("to")) == ("Committed From Date/Time", "Committed To Date/Time")
    assert seen.guesses["to"].why.startswith("100% of its values are not before")
    assert seen.column("date") is None


@pytest.mark.parametrize(
    ("names", "first", "last"),
    [
        ("valid from,valid to", "2024-01-01", "2024-12-31"),  # of the record, not of the incident
        ("date from,date to", "2024-03-05", "2024-03-05"),  # never an interval
        ("date from,date to", "2024-03-06", "2024-03-05"),
    ],
)
def test_what_is_no_interval(areas: SeenAreas, tmp_path: Path, names: str, first: str, last: str) -> None:
    rows = [f"2024-03-05,{first},{last},{x},{y}" for x, y in INSIDE]
    seen, _ = choose_rows(table(tmp_path / "a.csv", f"date,{names},easting,northing", *rows), areas, limits=LIMITS)
    assert (seen.column("from"), seen.column("date")) == (None, "date")


def test_the_zone_of_times_with_an_offset(tmp_path: Path) -> None:
    box = gpd.GeoDataFrame({"code": ["1", "2"]}, geometry=[shapely.box(-118.5, 34, -118.3, 34.1)] * 2, crs=4326)
    box.to_file(tmp_path / "la.geojson")
    [la] = try_areas(tmp_path / "la.geojson", limits=LIMITS)
    # Los Angeles is 7 hours behind UTC in summer, 8 in winter.
    zone = zone_of(["2018-07-01T10:00:00-07:00", "2018-01-01T10:00:00-08:00"], la)
    assert zone is not None
    assert zone.value == "America/Los_Angeles"
    assert zone_of(["2018-07-01 10:00"], la) is None


# Where.


@pytest.mark.slow
def test_coordinates_with_a_comma_before_decimals(areas: SeenAreas, tmp_path: Path) -> None:
    rows = [f"2024-03-05\t{x:.0f},5\t{y:.0f},25" for x, y in INSIDE]
    seen, _ = choose_rows(table(tmp_path / "a.tsv", "date\teasting\tnorthing", *rows), areas, limits=LIMITS)
    system = system_of_points(seen, areas)
    assert system is not None
    assert (system.value, system.why) == ("EPSG:27700", "19 of 19 points tried lie within the bounds of the areas")


@pytest.mark.slow
def test_boundaries_of_another_place_are_refused(areas: SeenAreas, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "date,longitude,latitude", *["2024-03-05,-1.616,54.978"] * 5)
    seen, _ = choose_rows(path, areas, limits=LIMITS)
    with pytest.raises(InputError, match=r"None of the 5 points .* longitude -1\.616, latitude 54\.978, and the areas"):
        require_inside(seen, areas)


@pytest.mark.slow
def test_an_extract_of_a_larger_region_is_narrowed(areas: SeenAreas, tmp_path: Path) -> None:
    rows = [f"2024-03-05,{-0.1265 + n / 1000:.4f},51.5055,City,{n % 3}" for n in range(15)]
    rows += [f"2024-03-05,-1.6,{54 + n / 100},{('Tyne', 'Wear')[n % 2]},{n % 3}" for n in range(40)]
    path = table(tmp_path / "a.csv", "date,longitude,latitude,force,severity", *rows)
    seen, _ = choose_rows(path, areas, limits=LIMITS)
    assert selecting(seen, areas) == (
        "force",
        ["City"],
        "15 of the 15 points in the areas have these texts, and none has others",
    )


def test_postcodes_and_their_lookup(areas: SeenAreas, tmp_path: Path) -> None:
    rows = [f"2024-03-{n:02d},N1 {n % 9 + 1}AB" for n in range(1, 20)]
    seen, _ = choose_rows(table(tmp_path / "a.csv", "when was it,scene pc", *rows), areas, limits=LIMITS)
    assert (seen.column("postcode"), seen.coordinates) == ("scene pc", "")
    lookup = table(tmp_path / "onspd.csv", "pcds,oseast1m,osnrth1m,doterm", "N1 1AB,530100,180100,")
    assert try_lookup(lookup, seen, areas, limits=LIMITS).role == "postcode"
    with pytest.raises(InputError, match="is no lookup"):
        try_lookup(table(tmp_path / "other.csv", "a,b", "1,2"), seen, areas, limits=LIMITS)


def test_codes_of_smaller_areas_and_their_table(areas: SeenAreas, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "date,where", *[f"2024-03-05,E0100000{n % 3}" for n in range(9)])
    seen, _ = choose_rows(path, areas, limits=LIMITS)
    lookup = table(tmp_path / "lsoa.csv", "LSOA21CD,ward", "E01000000,A1", "E01000001,A2", "E01000002,B1")
    found = try_lookup(lookup, seen, areas, limits=LIMITS)
    assert (found.role, found.code.value, found.column.value) == ("lsoa", "LSOA21CD", "where")


def test_codes_and_names_of_the_areas_in_rows(areas: SeenAreas, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "date,neighbourhood", *["2024-03-05,North", "2024-03-05,East"] * 5)
    assert choose_rows(path, areas, limits=LIMITS)[0].column("ward") == "neighbourhood"


# Counts by area.


def test_counts_that_name_their_areas(areas: SeenAreas, tmp_path: Path) -> None:
    rows = [f"{month},{name},Theft,{n}" for month in ("201104", "201105") for n, name in enumerate(("Ashby", "Barton"))]
    seen, _ = choose_rows(table(tmp_path / "a.csv", "Month,Borough,CrimeType,CrimeCount", *rows), areas, limits=LIMITS)
    counts = try_counts(seen, areas)
    assert counts is not None
    got = {part: guess.value for part, guess in counts.columns.items()}
    assert got == {"area_code": "Borough", "period": "Month", "value": "CrimeCount", "category": "CrimeType"}
    assert (counts.period_format.value, counts.whole.value) == ("%Y%m", "Theft")
    assert (counts.areas.code.value, counts.areas.parent_code.value) == ("name", "parent_name")


def test_months_categories_and_measures_as_columns(areas: SeenAreas, tmp_path: Path) -> None:
    months = table(tmp_path / "m.csv", "code,offence,Jan-24,Feb-24,Mar-24", "A1,Theft,1,2,3", "A2,Theft,4,5,6")
    counts = try_counts(choose_rows(months, areas, limits=LIMITS)[0], areas)
    assert (counts.columns["wide"].value, counts.period_format.value) == ("period", "%b-%y")
    strands = table(tmp_path / "c.csv", "code,month,Total,Race,Faith", "A1,2024-01,5,3,2", "A2,2024-01,4,4,1")
    counts = try_counts(choose_rows(strands, areas, limits=LIMITS)[0], areas)
    assert counts.columns["wide"].value == "category"
    assert counts.columns["wide_columns"].value == counts.texts == ["Total", "Race", "Faith"]
    assert counts.whole.value == "Total"
    measures = table(tmp_path / "n.csv", "code,month,Offences,Positive outcomes", "A1,2024-01,5,3", "A2,2024-01,4,4")
    counts = try_counts(choose_rows(measures, areas, limits=LIMITS)[0], areas)
    assert counts.measures == {"Offences": "incidents", "Positive outcomes": "positive_outcomes"}


def test_groups_of_offences_exclude_each_other_and_strands_do_not(areas: SeenAreas, tmp_path: Path) -> None:
    def found(*texts: str) -> SeenCounts | None:
        rows = [f"{month},A1,{text},4" for month in ("2024-01", "2024-02") for text in texts]
        path = table(tmp_path / "g.csv", "month,code,crime type,count", *rows)
        return try_counts(choose_rows(path, areas, limits=LIMITS)[0], areas)

    groups = found("Burglary", "Robbery", "Theft & Handling", "Drugs")
    assert (groups.whole, groups.exclusive) == (None, "groups of offences, and an offence counts in one of them")
    strands = found("Racist Crime", "Homophobic Crime", "Burglary", "Robbery", "Drugs")
    assert (strands.whole, strands.exclusive) == (None, None)


def test_what_is_no_total_and_what_are_no_counts(areas: SeenAreas, tmp_path: Path) -> None:
    rows = ["A1,2024-01,5,9,2", "A2,2024-01,4,4,1"]
    path = table(tmp_path / "c.csv", "code,month,Total fraud,Race,Faith", *rows)
    assert try_counts(choose_rows(path, areas, limits=LIMITS)[0], areas).whole is None  # 9 exceeds it
    daily = table(tmp_path / "d.csv", "date,ward,victims", "2024-01-05,A1,1", "2024-01-06,A2,2")
    assert try_counts(choose_rows(daily, areas, limits=LIMITS)[0], areas) is None
    undated = table(tmp_path / "e.csv", "code,Race,Faith", "A1,5,9", "A2,4,4")
    with pytest.raises(InputError, match="neither a column of months nor months as columns"):
        try_counts(choose_rows(undated, areas, limits=LIMITS)[0], areas)


# Real files.


def test_three_cities_in_one_workbook(real_data: Path, tmp_path: Path) -> None:
    boxes = {"Austin": (-98, 30, -97.4, 30.6), "Seattle": (-122.5, 47.4, -122.2, 47.8)}
    for city, bounds in boxes.items():
        west, south, east, north = bounds
        halves = [shapely.box(west, south, -97.7 if city == "Austin" else -122.3, north)]
        halves.append(shapely.box(halves[0].bounds[2], south, east, north))
        path = tmp_path / f"{city}.geojson"
        gpd.GeoDataFrame({"code": ["W", "E"]}, geometry=halves, crs=4326).to_file(path)
        seen, rivals = choose_rows(
            real_data / "excel/aggravated_assaults.xlsx", try_areas(path, limits=LIMITS)[0], limits=LIMITS
        )
        assert (seen.chosen[1].value, rivals) == (city, [])


def test_published_counts_of_boroughs_by_name(real_data: Path) -> None:
    [boroughs] = try_areas(real_data / "boundaries/london-2021-lad22-gen20.shp", limits=LIMITS)
    seen, _ = choose_rows(real_data / "messy/mps-recordedcrime-borough.csv", boroughs, limits=LIMITS)
    counts = try_counts(seen, boroughs)
    assert counts is not None
    got = {part: guess.value for part, guess in counts.columns.items()}
    assert got == {"area_code": "Borough", "period": "Month", "value": "CrimeCount", "category": "CrimeType"}
    assert counts.areas.code.value == "LAD22NM"
