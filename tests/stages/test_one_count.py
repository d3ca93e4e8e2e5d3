"""A hotspot of the sample has one count: that of the incidents inside its outline, counted here without the package."""

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from pipeline.stages.runner import run

ROOT = Path(__file__).parents[2]
WINDOW = "2024-08..2025-07"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("sample")
    (here / "config.yaml").write_text((ROOT / "config.yaml").read_text("utf-8"), "utf-8")
    (here / "data").symlink_to(ROOT / "data")
    outcome = run(here / "config.yaml", progress=lambda *_: None, only=["ingest", "aggregate", "detect"])
    return outcome.folder / "work"


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
