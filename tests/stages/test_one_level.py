"""Runs with one level of areas: boroughs without wards, or wards with nothing between them and the region."""

import json
import os
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest

from tests.kit.cases import (
    CODES,
    NO_METHODS,
    REGION,
    RIGHT,
    WARDS,
    attempt,
    change,
    counted,
    incidents,
    published_cells,
    refused,
    released,
    ward_counts,
    wards,
    write_boundaries,
    write_case,
    write_published,
)
from tests.kit.map_pages import readable

pytestmark = pytest.mark.slow  # each test is a whole run

ALL_WARDS = tuple(WARDS.values())
ONE_LEVEL = {
    "areas__wards": None,
    "areas__boroughs": {"path": "wards.geojson", "code": "WD25CD", "name": "WD25NM", "label": "ward"},
}


def one_level(folder: Path, number: int = 260, **changes: Any) -> Path:
    """Write a case whose boundaries have no column of boroughs."""
    rows = [{k: v for k, v in r.items() if k not in {"ward", "borough", "ward_name"}} for r in incidents(number)]
    config = write_case(folder, rows, **{**ONE_LEVEL, **changes})
    write_boundaries(folder / "wards.geojson", wards().drop(columns=["LAD25CD", "LAD25NM"]))
    return config


def test_each_area_and_the_region_have_their_counts(tmp_path: Path) -> None:
    tried = attempt(one_level(tmp_path))
    assert tried.totals() == RIGHT[260]
    assert tried.total(REGION) == 260
    assert set(tried.counts["level"]) == {"region", "borough"}
    window = [r for r in incidents(260) if "2024-02" <= r["occurred_on"][:7] <= "2025-01"]
    assert {n: p["incidents"] for n, p in tried.layer("boroughs").items()} == ward_counts(window)
    # No file and no sentence of a level that is not there.
    assert not (tried.folder / "internal" / "wards.geojson").exists()
    assert tried.quality["maps"]["boroughs"] == 260
    assert "wards" not in tried.quality["maps"]
    assert "No data for" not in tried.text
    assert "4 wards" in tried.text


def test_points_rates_and_hotspots_work_on_one_level(tmp_path: Path) -> None:
    on = {"enabled": True}
    clusters = {**on, "min_samples": 5, "eps_m": 200.0, "min_locations": 3}
    detect = NO_METHODS | {"density": on, "clusters": clusters, "gistar": on}
    tried = attempt(one_level(tmp_path, 400, detect=detect, emerging={"enabled": True, "kind": "month"}))
    assert tried.totals() == RIGHT[400]
    assert tried.layer("boroughs")["Alder"]["rate_per_10000"] is not None
    shapes = json.loads((tried.folder / "internal" / "hotspots.geojson").read_text("utf-8"))["features"]
    assert shapes
    assert all(f["properties"]["ward_codes"] for f in shapes)
    assert "Outside all" not in tried.page


def test_a_named_area_counts_without_a_point(tmp_path: Path) -> None:
    rows = [
        {**{k: r[k] for k in ("incident_id", "occurred_on", "category")}, "where": r["ward_name"]}
        for r in incidents(260)
    ]
    columns = {"x": None, "y": None, "borough": "where"}
    config = write_case(tmp_path, rows, source={"crs": None}, columns=columns, **ONE_LEVEL)
    assert counted(config).totals() == RIGHT[260]
    # The areas may be called wards in the data too.
    columns = {"x": None, "y": None, "ward": "where"}
    config = write_case(tmp_path, rows, source={"crs": None}, columns=columns, **ONE_LEVEL)
    found = counted(config)
    assert found.totals() == RIGHT[260]
    kept = pd.concat([pd.read_parquet(p) for p in (found.folder / "work" / "incidents").glob("*.parquet")])
    assert kept["ward_code"].isna().all()


def test_released_counts_of_one_level_lie_in_their_steps(tmp_path: Path) -> None:
    profiles = [{"name": "partner", "audience": "partner"}, {"name": "public", "audience": "public"}]
    tried = attempt(one_level(tmp_path, 400, profiles=profiles, page={"briefings": True, "licence": "OGL"}))
    assert tried.code == 0, tried.text[-1500:]
    exact = {CODES[w]: 0 for w in ALL_WARDS} | {CODES[REGION]: 0}
    for row in incidents(400):
        if row["occurred_on"][:4] == "2024":
            exact[CODES[row["ward_name"]]] += 1
            exact[CODES[REGION]] += 1
    for profile, step in (("partner", 5), ("public", 10)):
        found = pd.read_csv(tried.folder / profile / "area_counts.csv")
        year = found[(found["period"] == "2024-01..2024-12") & (found["category"] == "all")].set_index("area_code")
        given = year[year["incidents_lower"].notna()]
        assert len(given) >= len(ALL_WARDS)
        for code, row in given.iterrows():
            # In the step that it lies in, or a wider one.
            assert row["incidents_lower"] <= exact[code] <= row["incidents_upper"]
            assert row["incidents_lower"] % step == 0
            assert row["incidents_upper"] - row["incidents_lower"] + 1 in {step, 2 * step}
        protection = (tried.folder / profile / "protection.html").read_text("utf-8")
        assert "one region of" in protection
        assert "only by ward" not in protection
        assert "ward" in readable((tried.folder / profile / "index.html").read_text("utf-8"))
    assert "passed" in tried.text


def test_wards_without_a_borough_say_how_one_level_is_given(tmp_path: Path) -> None:
    config = one_level(tmp_path, areas__boroughs=None)
    config = change(config, areas__wards={"path": "wards.geojson", "code": "WD25CD", "name": "WD25NM"})
    refused(attempt(config), "areas.boroughs in place of areas.wards", codes=(3,))
    refused(attempt(change(config, areas__wards=None)), "there are no boundaries", codes=(2,))


def test_counts_published_for_one_level(tmp_path: Path) -> None:
    config = write_published(tmp_path, published_cells(ALL_WARDS), absent="zero")
    tried = released(change(config, **ONE_LEVEL))
    assert tried.totals(category="all")["Alder"] == sum(range(6, 18))
    assert "No data for" not in tried.text


def separately_counted(files: list[Path], areas: "gpd.GeoDataFrame") -> "pd.Series[int]":
    """Count the crimes of street files within 25 m of each area with GeoPandas: of one id the first row counts."""
    rows = pd.concat([pd.read_csv(p) for p in files], ignore_index=True)
    rows = rows[(rows["Crime ID"].fillna("") == "") | ~rows.duplicated("Crime ID")]
    rows = rows[rows["Longitude"].notna()]
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(rows["Longitude"], rows["Latitude"]), crs="EPSG:4326").to_crs(
        areas.crs
    )
    near = gpd.sjoin_nearest(points, areas, max_distance=25.0, how="inner")
    return near[~near.index.duplicated()]["area_code"].value_counts()


@pytest.mark.real
@pytest.mark.parametrize("place", ["Cleveland's four districts", "the wards of the City of London"])
def test_real_files_with_one_level(real_data: Path, tmp_path: Path, place: str) -> None:
    if place.startswith("Cleveland"):
        areas = gpd.read_file(real_data / "streets_cleveland" / "cleveland_districts.gpkg")
        areas = areas.rename(columns={"lad21cd": "area_code", "lad21nm": "area_name"})
        files = sorted((real_data / "streets_cleveland").glob("2024-0[1-6]-cleveland-street.csv.gz"))
    else:
        areas = gpd.read_file(real_data / "boundaries" / "london_wards_2018_27700.gpkg")
        areas = areas[areas["DISTRICT"].str.contains("City and")]
        areas = areas.rename(columns={"GSS_CODE": "area_code", "NAME": "area_name"})
        files = sorted((real_data / "police_uk" / "city_of_london").glob("*-street.csv"))
    files = files if os.environ.get("HOTSPOTS_LONG") else files[:2]
    areas = areas[["area_code", "area_name", "geometry"]].reset_index(drop=True)
    areas.to_file(tmp_path / "areas.gpkg")
    config = write_case(tmp_path, None, source={"name": "police", "paths": [str(f) for f in files]}, **ONE_LEVEL)
    # A level that is named writes its name; boroughs keep theirs.
    name = "district" if place.startswith("Cleveland") else "borough"
    given = (
        {"levels": [{"id": name, "path": "areas.gpkg"}]} if name == "district" else {"boroughs": {"path": "areas.gpkg"}}
    )
    tried = attempt(change(config, areas={"region": {"code": "R"}, **given}))
    months = tried.counts[(tried.counts["period"].str.len() == len("2024-01")) & (tried.counts["category"] == "all")]
    found = months[months["level"] == name].groupby("area_code")["incidents"].sum()
    assert (tried.folder / "internal" / f"{name.replace('borough', 'boroughs')}.geojson").is_file()
    right = separately_counted(files, areas)
    assert found[found > 0].astype(int).to_dict() == right.to_dict()
