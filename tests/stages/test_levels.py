"""Levels of areas named freely, one to four: counts at each, files by their ids, and what released folders show."""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.config import Areas
from pipeline.errors import InputError
from pipeline.ingest.areas import read_areas
from tests.kit.cases import (
    CODES,
    REGION,
    RESIDENTS,
    RIGHT,
    Attempt,
    attempt,
    change,
    incidents,
    published_cells,
    refused,
    wards,
    write_boundaries,
    write_case,
    write_published,
)
from tests.kit.map_pages import data_of

pytestmark = pytest.mark.slow

SIX = tuple(RESIDENTS)
COUNTY = {"Northby": "Uphill", "Southby": "Downdale", "Eastby": "Downdale"}


def level(number: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "path": f"{number}.geojson", "code": "code", "name": "name", **more}


def write_level(folder: Path, name: str, shapes: gpd.GeoDataFrame, **columns: Any) -> None:
    texts = {"code": list(shapes.index), "name": list(shapes.index), **columns}
    frame = gpd.GeoDataFrame(texts, geometry=shapes.geometry.to_numpy(), crs="EPSG:27700")
    write_boundaries(folder / f"{name}.geojson", frame)


def joined(rows: list[dict[str, str]], areas: gpd.GeoDataFrame) -> dict[str, int]:
    """Count points inside each area with GeoPandas."""
    xy = [(float(r["easting"]), float(r["northing"])) for r in rows]
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(*zip(*xy, strict=True)), crs="EPSG:27700")
    return gpd.sjoin(points, areas, predicate="within")["index_right"].value_counts().to_dict()


def months_of(tried: Attempt, level: str) -> dict[str, int]:
    """Sum the months of each area of a level that has any incident."""
    found = tried.counts[tried.counts["level"] == level]
    found = found[(found["period"].str.len() == len("2024-01")) & (found["category"] == "all")]
    total = found.groupby("area_code")["incidents"].sum()
    return total[total > 0].astype(int).to_dict()


def test_three_levels_of_the_city(tmp_path: Path) -> None:
    every = wards(SIX).assign(county=lambda f: f["LAD25NM"].map(COUNTY))
    profiles = [
        {"name": "internal", "audience": "internal", "threshold": 0, "secondary": False, "ward_period": "month"},
        {"name": "public", "audience": "public"},
    ]
    config = write_case(tmp_path, incidents(400), boundaries=every, profiles=profiles, page__licence="OGL")
    write_level(tmp_path, "division", every.dissolve("LAD25NM"))
    write_level(tmp_path, "county", every.dissolve("county"))
    beats = {"id": "beat", "path": "wards.geojson", "code": "WD25CD", "name": "WD25NM", "parent_name": "LAD25NM"}
    levels = [beats, level("division"), level("county", label_plural="counties", vintage="1889")]
    config = change(config, areas__wards=None, areas__levels=levels, exports={"geopackage": True})
    tried = attempt(config)

    # Each level has its counts: the ward of every incident was drawn before its point.
    right = RIGHT[400]
    assert tried.totals() == right
    assert tried.total(REGION) == 400
    assert months_of(tried, "division") == {"Northby": 178 + 102, "Southby": 88 + 32}
    assert months_of(tried, "county") == {"Uphill": 178 + 102, "Downdale": 88 + 32}
    assert set(tried.counts["level"]) == {"region", "county", "division", "beat"}

    # Each has its layer, with the area that contains it, residents (the sum of its parts) and rates.
    upper, lower = tried.layer("county")["Uphill"], tried.layer("county")["Downdale"]
    year = [r for r in incidents(400) if "2024-02" <= r["occurred_on"][:7] <= "2025-01"]
    assert upper["incidents"] == sum(r["borough"] == "Northby" for r in year)
    assert (upper["population"], lower["population"]) == (5000 + 6000, 7000 + 8000 + 9000 + 10_000)
    assert upper["rate_per_10000"] == pytest.approx(10_000 * upper["incidents"] / 11_000, abs=1e-4)
    assert (upper["level"], upper["parent_code"], upper["area_vintage"]) == ("county", CODES[REGION], "1889")
    assert tried.layer("division")["Eastby"]["parent_code"] == "Downdale"
    assert tried.layer("beat")["Fern"]["parent_name"] == "Eastby"
    folder = tried.folder / "internal"
    assert not {f.name for f in folder.glob("*.geojson")} & {"wards.geojson", "boroughs.geojson"}
    described = json.loads((folder / "area_counts.csv-metadata.json").read_text("utf-8"))
    column = next(c for c in described["tableSchema"]["columns"] if c["name"] == "level")
    assert column["datatype"]["format"] == "beat|ward_group|division|county|region"
    layers = set(gpd.list_layers(folder / "hotspots.gpkg")["name"])
    assert {"county", "division", "beat"} <= layers

    # Each is a map of its own on the page, with the same figures, inside the next.
    page = data_of((folder / "index.html").read_text("utf-8"))["levels"]
    assert [k for k in page if page[k].get("rings")] == ["level_3", "borough", "ward"]
    county, names = page["level_3"], page["level_3"]["code"]
    assert (county["key"], county["one"], county["many"]) == ("county", "county", "counties")
    assert county["values"]["all"]["n"]["2024-02..2025-01"][names.index("Uphill")] == upper["incidents"]
    assert county["values"]["all"]["r"]["2024-02..2025-01"][names.index("Uphill")] == upper["rate_per_10000"]
    assert set(county["values"]["all"]) >= {"n", "r", "cw", "c"}
    within = dict(zip(page["borough"]["code"], page["borough"]["parent"], strict=True))
    assert within == COUNTY
    # Drawn from the boroughs, so that their borders are the same.
    assert {abs(a) for shape in county["rings"] for ring in shape for a in ring} <= {
        abs(a) for shape in page["ward"]["rings"] for ring in shape for a in ring
    }

    # A released folder gives it as the sum of its parts' ranges, and says so.
    public = tried.folder / "public"
    assert {f.name for f in public.glob("*.geojson")} >= {"beat.geojson", "division.geojson", "county.geojson"}
    released = pd.read_csv(public / "area_counts.csv").set_index(["area_code", "period", "category"])
    assert set(released["level"]) <= {"region", "county", "division", "ward_group", "beat"}
    ends = ["incidents_lower", "incidents_upper"]
    of = {a: released.loc[(a, "2024-01..2024-12", "all"), ends].tolist() for a in (*COUNTY, "Uphill", "Downdale")}
    assert of["Uphill"] == of["Northby"]
    assert of["Downdale"] == [of["Southby"][0] + of["Eastby"][0], of["Southby"][1] + of["Eastby"][1]]
    assert [high - low for low, high in of.values()] == [9, 9, 9, 9, 18]
    described = json.loads((public / "county.geojson").read_text("utf-8"))["features"]
    assert {f["properties"]["area_code"]: [f["properties"][e] for e in ends] for f in described} == {
        a: of[a] for a in ("Uphill", "Downdale")
    }
    record = json.loads((public / "release.json").read_text("utf-8"))
    assert record["levels"]["level_3"] == "county"
    assert "level_3" in record["states"]
    protection = (public / "protection.html").read_text("utf-8")
    assert "Counts of counties are the sums of those of the divisions in them" in protection
    page = data_of((public / "index.html").read_text("utf-8"))
    assert "Counts of counties are the sums" in page["info"]["counts"]
    assert page["levels"]["level_3"]["one"] == "county"
    assert "1 of 3 divisions has a count of 0 (Eastby 0)" in tried.text
    assert "are shown" not in tried.text


def grid(side: int) -> gpd.GeoDataFrame:
    """Return squares of `side` by `side` cells over a field of 8 by 8 cells of 500 m, cut in two where side is 0."""
    wide, high = (4, 8) if side == 0 else (side, side)
    corners = [(x, y) for x in range(0, 8, wide) for y in range(0, 8, high)]
    shapes = [
        shapely.box(*(528_000 + 500 * x, 180_000 + 500 * y), 528_000 + 500 * (x + wide), 180_000 + 500 * (y + high))
        for x, y in corners
    ]
    return gpd.GeoDataFrame(geometry=shapes, index=pd.Index([f"{side}-{x}-{y}" for x, y in corners]), crs="EPSG:27700")


def test_four_levels_of_a_grid_are_what_geopandas_counts(tmp_path: Path) -> None:
    drawn = np.random.default_rng(7).uniform(5, 3995, (500, 2)).round(1)
    rows = incidents(400)
    rows = [
        r | {"easting": f"{528_000 + x:.1f}", "northing": f"{180_000 + y:.1f}"}
        for r, (x, y) in zip(rows, drawn, strict=False)
    ]
    # The names ward and borough belong to the levels that have them, wherever they stand.
    sides = {"lsoa": 1, "msoa": 2, "ward": 4, "borough": 0}
    config = write_case(tmp_path, rows, areas__wards=None, areas__population=[])
    for name, side in sides.items():
        write_level(tmp_path, name, grid(side))
    tried = attempt(change(config, areas__levels=[level(name) for name in sides]))
    for name, side in sides.items():
        assert months_of(tried, name) == joined(rows, grid(side))
    files = {f.name for f in (tried.folder / "internal").glob("*.geojson")}
    assert {"lsoa.geojson", "msoa.geojson", "wards.geojson", "boroughs.geojson"} <= files
    assert set(tried.layer("wards")) == set(grid(4).index)
    assert tried.layer("wards")["4-4-0"]["parent_code"] == "0-4-0"
    assert tried.layer("msoa")["2-6-2"]["parent_code"] == "4-4-0"
    assert "are shown" not in tried.text


def test_published_counts_of_three_levels_are_summed_once(tmp_path: Path) -> None:
    every = wards(SIX).assign(county=lambda f: f["LAD25NM"].map(COUNTY))
    cells = published_cells(SIX)
    cells += [c | {"Code": "Uphill", "Count": "999"} for c in published_cells(["Alder"])]
    cells[8]["Count"] = "*"  # Cedar in February
    config = write_published(tmp_path, cells, absent="zero")
    write_boundaries(tmp_path / "wards.geojson", every)
    write_level(tmp_path, "division", every.dissolve("LAD25NM"))
    write_level(tmp_path, "county", every.dissolve("county"))
    levels = [level("beat", path="wards.geojson", code="WD25CD", name="WD25NM"), level("division"), level("county")]
    tried = attempt(change(config, areas__wards=None, areas__population=[], areas__levels=levels))
    # Alder has 6 in January, each later month and ward one more: Uphill is Alder and Birch, Downdale the other four.
    county = tried.counts[(tried.counts["level"] == "county") & (tried.counts["category"] == "all")]
    count = county.set_index(["area_code", "period"])["incidents"]
    assert count["Uphill", "2024-01"] == 6 + 7
    assert count["Downdale", "2024-01"] == 8 + 9 + 10 + 11
    assert pd.isna(count["Downdale", "2024-02"])  # a part of it is unknown
    assert count["Uphill", "2024-02"] == 7 + 8
    assert tried.total(REGION) is not None
    region = tried.counts[(tried.counts["level"] == "region") & (tried.counts["period"] == "2024-01")]
    assert set(region["incidents"]) == {6 + 7 + 8 + 9 + 10 + 11}
    assert "12 rows are of the third or fourth level" in tried.text


PARTS = {
    "City of London": "Inner",
    "Hackney": "Inner",
    "Southwark": "Inner",
    "Tower Hamlets": "Inner",
    "Newham": "Outer",
}
"""Boroughs of inner and outer London (London Government Act 1963) around the City."""


@pytest.mark.real
def test_wards_boroughs_and_parts_of_london(real_data: Path, tmp_path: Path) -> None:
    small = gpd.read_file(real_data / "boundaries" / "london_wards_dec2023_200m.geojson").to_crs("EPSG:27700")
    small = small[small["LAD23NM"].isin(list(PARTS))]
    large = small.dissolve("LAD23CD", as_index=False)[["LAD23CD", "LAD23NM", "geometry"]]
    parts = large.assign(part=large["LAD23NM"].map(PARTS)).dissolve("part")
    small.to_file(tmp_path / "small.gpkg")
    large.to_file(tmp_path / "large.gpkg")
    write_level(tmp_path, "part", parts)
    files = sorted((real_data / "police_uk" / "city_of_london").glob("2018-0[1-3]-*-street.csv"))
    config = write_case(tmp_path, None, source={"name": "police", "paths": [str(f) for f in files]})
    levels = [
        {"id": "ward", "path": "small.gpkg", "code": "WD23CD", "name": "WD23NM"},
        {"id": "borough", "path": "large.gpkg", "code": "LAD23CD", "name": "LAD23NM"},
        level("part"),
    ]
    tried = attempt(change(config, areas={"region": {"code": "E12000007"}, "snap_m": 0, "levels": levels}))
    rows = pd.concat([pd.read_csv(f) for f in files], ignore_index=True)
    rows = rows[((rows["Crime ID"].fillna("") == "") | ~rows.duplicated("Crime ID")) & rows["Longitude"].notna()]
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(rows["Longitude"], rows["Latitude"], crs="EPSG:4326"))
    points = points.to_crs("EPSG:27700")
    for name, areas in (("ward", small.set_index("WD23CD")), ("borough", large.set_index("LAD23CD")), ("part", parts)):
        right = gpd.sjoin(points, areas[["geometry"]].rename_axis("at"), predicate="within")["at"].value_counts()
        assert months_of(tried, name) == right.to_dict()


# What is refused, each in one paragraph that says where and what to do.


def two(**changes: Any) -> dict[str, Any]:
    return {"levels": [level("a"), level("b") | changes]}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (two(id="a"), "the id 'a' is used twice"),
        ({"levels": [level(n) for n in "abcde"]}, "levels has 5 entries: at most 4"),
        (two(id="ward_group"), "'ward_group' is the name of another level or layer"),
        (two(id="hotspots"), "'hotspots' is the name of another level or layer"),
        (
            two(parent_code="county"),
            r"levels\[1\] \(b\) is the last, so that nothing contains its areas but the region",
        ),
        (two(parent_label="county"), "the next level says in its own label"),
        (two() | {"wards": {"path": "w.gpkg"}}, "give either levels, or wards and boroughs"),
    ],
)
def test_levels_that_contradict_themselves_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Areas.model_validate(settings)


def read(folder: Path, *levels: dict[str, Any]) -> Any:
    return read_areas(Areas.model_validate({"levels": levels}), base=folder, working="EPSG:27700")


def test_levels_that_do_not_nest_are_refused_unless_a_column_says_where_areas_count(tmp_path: Path) -> None:
    write_level(tmp_path, "small", grid(1))
    write_level(tmp_path, "middle", grid(2))
    across = grid(4)
    across.geometry = across.geometry.translate(xoff=500)
    write_level(tmp_path, "across", across)
    with pytest.raises(
        InputError, match=r"areas.levels\[1\] does not nest in areas.levels\[2\]: 8 of 16 middles lie in"
    ) as refusal:
        read(tmp_path, level("small"), level("middle"), level("across"))
    assert "50 % of its area in" in str(refusal.value)
    assert "set areas.levels[1].parent_code" in str(refusal.value)
    # A best fit that a column states is the user's own choice, and is reported.
    columns = [f"4-{4 * int(int(c[2]) >= 4)}-{4 * int(int(c[4]) >= 4)}" for c in grid(2).index]
    write_level(tmp_path, "fitted", grid(2), of=columns)
    found = read(tmp_path, level("small"), level("fitted", parent_code="of"), level("across"))
    assert found.report["astray"] == [c for c in grid(2).index if c[2] in "04"]
    assert found.above.inside["level_3"]["2-4-2"] == "4-4-0"


def test_columns_of_one_file_are_levels(tmp_path: Path) -> None:
    small, middle = grid(1), [f"2-{2 * (int(c[2]) // 2)}-{2 * (int(c[4]) // 2)}" for c in grid(1).index]
    large = [f"4-{4 * (int(c[2]) // 4)}-{4 * (int(c[4]) // 4)}" for c in small.index]
    write_level(tmp_path, "small", small, middle=middle, large=large)
    pieces = {"path": "small.geojson", "dissolve": True}
    levels = [
        level("small", parent_code="middle"),
        level("middle", code="middle", name="middle", parent_code="large", **pieces),
        level("large", code="large", name="large", **pieces),
    ]
    found = read(tmp_path, *levels)
    # The file's degrees are good to a millimetre or so, over a square kilometre and more.
    boroughs = found.table[found.table["level"] == "borough"].set_index("area_code").geometry
    assert boroughs.symmetric_difference(grid(2).geometry.loc[boroughs.index]).area.max() < 10
    above = found.above.areas.set_index("area_code").geometry
    assert set(above.index) == set(grid(4).index)
    assert above.symmetric_difference(grid(4).geometry.loc[above.index]).area.max() < 20
    assert found.above.inside["level_3"]["2-4-2"] == "4-4-0"
    write_level(tmp_path, "torn", small, middle=middle, large=["4-0-0", "4-4-0"] * 32)
    levels[1]["path"] = "torn.geojson"
    with pytest.raises(InputError, match=r"torn.geojson \(areas.levels\[1\].parent_code\): 16 codes are in several"):
        read(tmp_path, *levels)


def test_an_empty_level_a_stray_area_and_codes_used_at_two_levels_are_refused(tmp_path: Path) -> None:
    write_level(tmp_path, "small", grid(1))
    write_level(tmp_path, "middle", grid(2))
    write_level(tmp_path, "none", grid(4).iloc[:0])
    with pytest.raises(InputError, match=r"none.geojson has no areas \(areas.levels\[2\]\)"):
        read(tmp_path, level("small"), level("middle"), level("none"))
    write_level(tmp_path, "part", grid(4).iloc[:1])
    with pytest.raises(InputError, match=r"12 middles are in no part of areas.levels\[2\]"):
        read(tmp_path, level("small"), level("middle"), level("part"))
    write_level(tmp_path, "again", grid(4).rename(index={"4-0-0": "1-0-0"}))
    with pytest.raises(InputError, match="used twice: 1-0-0"):
        read(tmp_path, level("small"), level("middle"), level("again"))


def test_the_commands_end_with_one_paragraph(tmp_path: Path) -> None:
    config = write_case(tmp_path, incidents(20))
    twice = change(config, areas__wards=None, areas__levels=[level("a"), level("a")])
    refused(attempt(twice, "check"), "the id 'a' is used twice", codes=(2,))
    write_level(tmp_path, "small", grid(2))
    across = grid(4)
    across.geometry = across.geometry.translate(xoff=500)
    write_level(tmp_path, "across", across)
    astray = change(config, areas__wards=None, areas__population=[], areas__levels=[level("small"), level("across")])
    refused(attempt(astray), "areas.levels[0] does not nest in areas.levels[1]", codes=(3,))
