"""Cores of large hotspots: a made town of two peaks joined by a busy street, whose structure is known."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.detect.hotspots.cores import find_cores
from pipeline.detect.hotspots.finding import find_hotspots
from pipeline.detect.hotspots.outlines import members_of

pytestmark = pytest.mark.slow

PEAKS = ((530_000.0, 180_000.0), (531_600.0, 180_000.0))
EPS_M, MIN_SAMPLES = 200.0, 30


def town(*, peaks: bool = True) -> pd.DataFrame:
    """Places 40 m apart on a block of 2.4 km by 600 m, one incident each; 12 each within 200 m of either peak.

    Within 200 m of a place inside the block lie about 78 places: a cluster at 30 and 60, none at 120. Within 200 m of
    a peak's middle lie about 78 places of 12: a cluster up to 960.
    """
    x, y = np.meshgrid(np.arange(529_600.0, 532_000.1, 40.0), np.arange(179_700.0, 180_300.1, 40.0))
    places = np.column_stack([x.ravel(), y.ravel()])
    near = np.min([np.hypot(*(places - peak).T) for peak in PEAKS], axis=0) <= 200
    incidents = np.where(near & peaks, 12, 1)
    incidents[np.hypot(*(places - PEAKS[1]).T) <= 60] += 20 * peaks  # the second peak has more incidents than the first
    return pd.DataFrame(
        {
            "easting_m": places[:, 0],
            "northing_m": places[:, 1],
            "ward_code": "W1",
            "borough_code": "B1",
            "month": 202501,
            "categories": "",
            "incidents": incidents,
        }
    )


def found(rows: pd.DataFrame, *, over_km2: float = 0.5) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    hotspots = find_hotspots(rows, window=(202501, 202501), eps_m=EPS_M, min_samples=MIN_SAMPLES)
    layer = gpd.GeoDataFrame(hotspots.table, geometry=list(hotspots.geometry), crs="EPSG:27700")
    cores = find_cores(
        layer,
        members_of(rows, layer),
        eps_m=EPS_M,
        min_samples=MIN_SAMPLES,
        min_locations=5,
        over_km2=over_km2,
    )
    return layer, cores


def test_two_peaks_are_two_cores_of_one_hotspot() -> None:
    rows = town()
    hotspots, cores = found(rows)
    assert len(hotspots) == 1
    assert hotspots.geometry.iloc[0].area > 1.4e6  # the block of 2.4 km by 600 m, one hotspot
    assert cores["number"].tolist() == ["1a", "1b"]
    assert cores["core_id"].tolist() == ["H001a", "H001b"]
    # Most incidents first: the second peak.
    for core, peak in zip(cores.geometry, (PEAKS[1], PEAKS[0]), strict=True):
        assert core.covers(shapely.Point(peak))
        assert core.centroid.distance(shapely.Point(peak)) < 40
    assert not cores.geometry.iloc[0].intersects(cores.geometry.iloc[1])
    assert cores.geometry.within(hotspots.geometry.iloc[0].buffer(0.01)).all()
    assert (cores["area_km2"] <= 0.5).all()
    points = shapely.points(rows["easting_m"], rows["northing_m"])
    for core, counted, places in zip(cores.geometry, cores["incidents"], cores["distinct_locations"], strict=True):
        inside = shapely.covers(core, points)  # counted anew, point by point
        assert counted == rows.loc[inside, "incidents"].sum()
        assert places == inside.sum()


def test_a_hotspot_that_is_equally_dense_all_over_has_no_cores() -> None:
    hotspots, cores = found(town(peaks=False))
    assert len(hotspots) == 1
    assert len(cores) == 0


@pytest.mark.parametrize("over_km2", [0.0, 5.0])
def test_small_hotspots_are_not_searched_and_0_searches_none(over_km2: float) -> None:
    assert len(found(town(), over_km2=over_km2)[1]) == 0


def test_many_incidents_at_one_address_are_no_core() -> None:
    rows = town(peaks=False)
    rows.loc[len(rows) // 2, "incidents"] = 5_000
    _, cores = found(rows)
    assert all(n >= 5 for n in cores["distinct_locations"])
