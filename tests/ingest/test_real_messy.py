"""Extracts as police forces really publish them: each a run whose account is exact, or one clear error."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline import ingest as readers
from pipeline.aggregate import reduce
from pipeline.errors import InputError, QualityError
from pipeline.geography.areas import AreaIndex
from pipeline.ingest.quality import incidents_quality
from tests.kit.counted import locations
from tests.kit.readers import SALT, City, Read, read, settings, settle, settled_account

pytestmark = pytest.mark.real

LONDON = City(west=500_000, south=155_000, side=30_000)


def around(lon: float, lat: float, *, crs: str, side: float) -> City:
    """Square wards whose common corner is at a place."""
    at = gpd.GeoSeries([shapely.Point(lon, lat)], crs=4326).to_crs(crs).iloc[0]
    return City(west=round(at.x) - side, south=round(at.y) - side, side=side)


def account(found: list[Read], **limits: float) -> dict[str, Any]:
    """Settle repeated ids and put the account together, which checks that it adds up."""
    into = found[0].part.parent / "settled"
    settled = settle(found, into)
    parts = [into / f.part.name for f in found]
    return incidents_quality(
        [f.report for f in found],
        settled=settled_account(found, settled),
        places=reduce.reduce_places([reduce.count_places(part) for part in parts]),
        locations=locations(parts),
        **{"max_quarantined_pct": 20.0, "geocode_target_pct": 85.0, **limits},
    )


def csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype="str", keep_default_na=False)


def test_city_of_london_two_years(real_data: Path, tmp_path: Path) -> None:
    files = sorted((real_data / "police_uk" / "city_of_london").glob("*.csv"))
    assert len(files) == 24
    config = settings({"crs": None, "positive_outcomes": ["Offender given a caution"]})
    found = [read(f, config, city=LONDON, out=tmp_path) for f in files]
    raw = pd.concat([csv(f) for f in files], ignore_index=True)
    report = account(found)
    assert report["accounting"]["rows_read"] == len(raw)
    placeless = int((raw["Longitude"] == "").sum())
    assert sum(f.report.places["none"] for f in found) == placeless > 0
    assert report["without_id"] == int((raw["Crime ID"] == "").sum())
    # Rows without an id that say the same are not the same crime; only ids repeat.
    ids = raw.loc[raw["Crime ID"] != "", "Crime ID"]
    assert report["accounting"]["duplicates"] == len(ids) - ids.nunique()
    far = pd.concat([f.quarantine for f in found])
    assert set(far["rule"]) <= {"far"}
    lonlat = raw.loc[raw["Longitude"] != "", ["Longitude", "Latitude"]].astype(float).to_numpy()
    metres = gpd.GeoSeries(gpd.points_from_xy(*lonlat.T), crs=4326).to_crs(27700)
    reach = shapely.buffer(shapely.box(*shapely.total_bounds(LONDON.shapes)), 50_000, join_style="mitre")
    assert len(far) == int((~metres.within(reach)).sum())
    labels = readers.merged_labels([f.report.labels for f in found])
    assert set(labels.values()) == set(raw["Crime type"])


def test_camden_is_refused_until_the_order_is_said(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "messy" / "camden_Police_API_Sample_July_2019.csv"
    with pytest.raises(InputError, match=r"camden.*'Epoch'.*day_first"):
        read(path, settings({"columns": {"date": "Epoch"}}), city=LONDON, out=tmp_path)
    lonlat = read(path, settings({"columns": {"date": "Epoch"}, "day_first": False}), city=LONDON, out=tmp_path)
    assert lonlat.incidents["occurred_on"].unique().tolist() == ["2019-06-01"]
    assert lonlat.incidents["hour_band"].isna().all()
    assert "xy not used" in lonlat.report.decisions["coordinates"]
    columns = {"date": "Epoch", "x": "Easting", "y": "Northing"}
    metric = read(
        path, settings({"columns": columns, "date_format": "%m/%d/%Y %I:%M:%S %p"}), city=LONDON, out=tmp_path
    )
    raw = csv(path)
    np.testing.assert_allclose(metric.incidents["easting_m"], raw["Easting"].astype(float), atol=0.001)
    # The two pairs of the file are about two metres apart.
    apart = np.hypot(
        metric.incidents["easting_m"] - lonlat.incidents["easting_m"],
        metric.incidents["northing_m"] - lonlat.incidents["northing_m"],
    )
    assert apart.max() < 5
    assert account([metric])["accounting"]["rows_read"] == len(raw)


def test_los_angeles_points(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "hate_points" / "lapd_hate_crimes_2018_2019.csv"
    city = around(-118.3, 34.05, crs="EPSG:32611", side=60_000)
    source = {"crs": None, "positive_outcomes": ["Adult Arrest", "Juv Arrest"], "columns": {"category": "Crm Cd Desc"}}
    found = read(
        path,
        settings(source, crs={"working": "EPSG:32611"}, run={"time_zone": "America/Los_Angeles"}),
        city=city,
        out=tmp_path,
    )
    raw = csv(path)
    assert account([found])["accounting"]["incidents_inside_areas"] == len(raw) == 577
    assert found.incidents["occurred_on"].tolist() == raw["Date Occ"].str[:10].tolist()
    assert found.incidents["hour_band"].tolist() == raw["Time Occ"].str.zfill(4).str[:2].astype(int).tolist()
    arrests = raw["Status Desc"].str.strip().isin(["Adult Arrest", "Juv Arrest"]).sum()
    assert (found.incidents["outcome_class"] == "positive").sum() == arrests > 0
    places = gpd.GeoSeries(gpd.points_from_xy(raw["Longitude"].astype(float), raw["Latitude"].astype(float)), crs=4326)
    metres = places.to_crs("EPSG:32611")
    np.testing.assert_allclose(found.incidents["easting_m"], metres.x, atol=0.01)


def test_denver_in_feet(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "hate_points" / "denver_BiasMotivatedCrimes.csv"
    city = around(-104.95, 39.73, crs="EPSG:32613", side=40_000)
    working = {"working": "EPSG:32613"}
    with pytest.raises(InputError, match=r"X_COORDINATE.*Y_COORDINATE.*set `crs`"):
        read(path, settings({"crs": None}, crs=working), city=city, out=tmp_path)
    with pytest.raises(InputError, match=r"labels collide.*GAY AND LESBIAN"):
        read(path, settings({"crs": "EPSG:2232"}, crs=working), city=city, out=tmp_path)
    tree = [
        {"id": "race", "rule": {"Bias Type": ["black", "white", "asian", "hispanic", "arab", "racial"]}},
        {"id": "sexual_orientation", "rule": {"Bias Type": ["homosexual", "bisexual", "heterosexual", "gay"]}},
    ]
    config = settings({"crs": "EPSG:2232"}, crs=working, categories={"tree": tree})
    found = read(path, config, city=city, out=tmp_path)
    raw = csv(path)
    assert account([found])["accounting"]["rows_read"] == len(raw) == 368
    rows = found.incidents.set_index("source_row")
    expected = pd.to_datetime(raw["OCC_DATE"], format="%m/%d/%Y %H:%M").dt.strftime("%Y-%m-%d")
    expected.index += 1
    assert (rows["occurred_on"] == expected[rows.index]).all()
    hours = raw["OCC_TIME"].astype(int) // 100 % 24
    hours.index += 1
    assert (rows["hour_band"] == hours[rows.index]).all()
    gay = raw["Bias Type"].str.contains("HOMOSEXUAL|BISEXUAL|HETEROSEXUAL|GAY")
    gay.index += 1
    assert (rows["categories"].str.contains("sexual_orientation") == gay[rows.index]).all()
    assert rows["place_type"].str.fullmatch(r"\S.*\S").all()  # the padding is gone
    feet = raw[["X_COORDINATE", "Y_COORDINATE"]].apply(pd.to_numeric)
    metres = gpd.GeoSeries(gpd.points_from_xy(*feet.to_numpy().T), crs=2232).to_crs(32613)
    metres.index += 1
    inside = rows["easting_m"].notna()
    np.testing.assert_allclose(rows.loc[inside, "easting_m"], metres.x[rows.index[inside]], atol=2)


def test_a_newspaper_table_without_years_is_mostly_refused(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "messy" / "lapd_xtown_no_coords_text_dates.csv"
    with pytest.raises(InputError, match="collide: 'Battery - simple assault' and 'Battery -- simple assault'"):
        read(path, settings({"crs": None}), city=LONDON, out=tmp_path)
    tree = [{"id": "assault", "rule": {"Crime": ["assault"]}}]
    found = read(path, settings({"crs": None}, categories={"tree": tree}), city=LONDON, out=tmp_path)
    dated = csv(path)["Datetime"].str.contains(r", ?\d{4}")
    assert found.report.incidents == int(dated.sum()) > 0
    assert set(found.report.quarantined) == {"date_unreadable"}
    assert found.report.places["none"] == found.report.incidents
    with pytest.raises(QualityError, match="date_unreadable"):
        account([found])


def test_national_road_casualties_are_mostly_elsewhere(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "messy" / "stats19_ac_sample1000_converted.csv"
    found = read(path, settings(), city=LONDON, out=tmp_path)
    raw = csv(path)
    assert found.report.rows_read == len(raw) == 1000
    assert found.incidents["occurred_on"].tolist() == raw["Date"].iloc[found.incidents["source_row"] - 1].tolist()
    with pytest.raises(QualityError, match="far"):
        account([found])
    assert account([found], max_quarantined_pct=90.0)["accounting"]["rows_read"] == 1000


def test_a_table_of_counts_has_months_and_boroughs_but_no_points(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "messy" / "mps-recordedcrime-borough.csv"
    found = read(path, settings(), city=LONDON, out=tmp_path)
    raw = csv(path)
    assert found.report.rows_read == len(raw)
    assert found.report.decisions["columns"]["category"] == "CrimeType (recognised)"
    assert found.report.decisions["coordinates"] == "none"  # a lone X is no coordinate
    months = raw["Month"].str.slice(0, 6).astype(int)
    assert found.incidents["month"].tolist() == months.tolist()
    assert set(found.incidents["date_precision"]) == {"month"}
    blank = int(raw["Borough"].str.strip().isin(["", "NULL"]).sum())  # NULL is a missing value
    assert sum(found.report.unknown_boroughs.values()) == len(raw) - blank


def test_latin_bytes_and_a_shapefile_without_a_system(real_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not utf-8 text.*encoding.*latin-1"):
        read(
            real_data / "population" / "london-borough-profiles.csv",
            settings({"columns": {"date": "Code"}}),
            out=tmp_path,
        )
    with pytest.raises(InputError, match=r"LondonBoroughs_noprj\.shp does not state.*set `crs`"):
        read(real_data / "messy" / "LondonBoroughs_noprj.shp",
             settings({"crs": None, "columns": {"date": "AREA"}}), out=tmp_path)  # fmt: skip


def test_a_month_of_london_falls_in_the_wards_the_police_name(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "police_uk" / "met_2018" / "2018-06-london-wards-street.csv.gz"
    wards = gpd.read_file(real_data / "boundaries" / "london_wards_2018_27700.gpkg").sort_values("GSS_CODE")
    index = AreaIndex.build(wards.geometry.to_numpy(), list(wards["GSS_CODE"]), cell_m=100.0)

    west, south, east, north = (float(v) for v in wards.total_bounds)
    names = dict(zip(wards["LAGSSCODE"], wards["DISTRICT"], strict=True))
    areas = readers.AreaLookup(index.codes, tuple(wards["LAGSSCODE"]), names, (west, south, east, north), index)
    config = settings({"crs": None, "columns": {"ward": "queried_ward"}})
    report = readers.read_incidents(
        readers.ReadJob(
            path=path,
            source=config.incidents[0],
            config=config,
            areas=areas,
            out=tmp_path / "part.parquet",
            quarantine_out=tmp_path / "refused.parquet",
            salt=SALT,
            label=f"police/{path.name}",
            today="2025-12-31",
        )
    )
    raw = csv(path)
    assert report.rows_read == report.incidents == len(raw)
    part = readers.Part(tmp_path / "part.parquet", readers.Edition(report.source, path.name), report)
    into, left_out = tmp_path / "settled", tmp_path / "left_out.parquet"
    readers.settle([part], rules={"police": readers.SourceRules()}, into=into, left_out=left_out)
    assert len(pd.read_parquet(left_out)) == len(raw) - raw["id"].nunique()
    kept = pd.read_parquet(tmp_path / "settled" / "part.parquet")
    assert kept["incident_id"].is_unique
    named = raw.groupby("id")["queried_ward"].agg(set)
    agree = [ward in named[i] for i, ward in zip(kept["incident_id"], kept["ward_code"], strict=True)]
    assert np.mean(agree) >= 0.99
