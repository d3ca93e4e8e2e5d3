"""A hotspot of the sample has one count: that of the incidents inside its outline, counted here without the package."""

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

WINDOW = "2024-08..2025-07"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(sample_run: Path) -> Path:
    return sample_run / "outputs" / "sample" / "work"


def incidents(work: Path) -> pd.DataFrame:
    """Return the rows of the window: month, easting_m, northing_m, categories and incidents."""
    rows = pd.read_parquet(work / "locations.parquet")
    return rows[rows["month"].between(202408, 202507)]


def test_the_points_inside_an_outline_are_its_incidents(work: Path) -> None:
    rows = incidents(work)
    points = shapely.points(rows[["easting_m", "northing_m"]].to_numpy())
    spots = gpd.read_parquet(work / "hotspots" / f"{WINDOW}.parquet")
    assert len(spots) == 25
    counted = [int(rows["incidents"][shapely.intersects(shape, points)].sum()) for shape in spots.geometry]
    assert spots["incidents"].tolist() == counted
    assert counted == sorted(counted, reverse=True)
    members = pd.read_parquet(work / "hotspots" / f"{WINDOW}.members.parquet").groupby("hotspot_id")["incidents"].sum()
    assert [int(members[i]) for i in spots["hotspot_id"]] == counted
    months = pd.read_parquet(work / "hotspots" / f"{WINDOW}.periods.parquet").groupby("hotspot_id")["incidents"].sum()
    assert [int(months[i]) for i in spots["hotspot_id"]] == counted


def test_each_frequent_category_has_hotspots_of_its_own(work: Path) -> None:
    rows = incidents(work)
    spots = gpd.read_parquet(work / "hotspots" / f"{WINDOW}.by_category.parquet")
    members = pd.read_parquet(work / "hotspots" / f"{WINDOW}.by_category.members.parquet")
    held = members.groupby("hotspot_id")["incidents"].sum()
    for category, mine in spots.groupby("category"):
        own = rows[[category in (text or "").split(";") for text in rows["categories"]]]
        points = shapely.points(own[["easting_m", "northing_m"]].to_numpy())
        counted = [int(own["incidents"][shapely.intersects(shape, points)].sum()) for shape in mine.geometry]
        assert mine["incidents"].tolist() == counted
        assert [int(held[i]) for i in mine["hotspot_id"]] == counted
        assert mine["hotspot_id"].tolist() == [f"{category}-H{n:03d}" for n in range(1, len(mine) + 1)]
    assert spots["hotspot_id"].is_unique
    # scikit-learn's DBSCAN, of the rows repeated by their incidents, finds as many clusters of religion at five places.
    from sklearn.cluster import DBSCAN

    own = rows[[("religion" in (text or "").split(";")) for text in rows["categories"]]]
    places = own.groupby(["easting_m", "northing_m"], as_index=False)["incidents"].sum()
    labels = (
        DBSCAN(eps=200, min_samples=25)
        .fit(places[["easting_m", "northing_m"]], sample_weight=places["incidents"])
        .labels_
    )
    clusters = pd.Series(labels[labels >= 0]).value_counts()
    assert (spots["category"] == "religion").sum() == (clusters >= 5).sum()


def test_rare_categories_have_none_and_the_manifest_says_why(work: Path) -> None:
    found = json.loads((work / "detect.json").read_text("utf-8"))["windows"][WINDOW]["hotspots_by_category"]
    rows = incidents(work)
    own = rows[[("transgender" in (text or "").split(";")) for text in rows["categories"]]]
    assert found["transgender"].startswith(f"{int(own['incidents'].sum())} incidents, fewer than")
    spots = gpd.read_parquet(work / "hotspots" / f"{WINDOW}.by_category.parquet")
    assert not set(found) & set(spots["category"])
