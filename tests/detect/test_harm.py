"""Harm by hand: which weight an incident has, sums, change, and the guard against a single grave offence."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.config import Clusters
from pipeline.detect.harm import Guard, Lookup, area_table, guarded_bands, harm_hotspots, offence_table
from pipeline.detect.hotspots.ranking import detect

GUARD = Guard(min_incidents=10, max_share_pct=25.0)
RULES = {"days": (365, 365), "min_earlier": 20, "fdr_q": 0.05}


def test_offences_and_categories_are_looked_up() -> None:
    lookup = Lookup({"Robbery": 365.0, "Bicycle theft": 5.0}, {"c1": "Bicycle theft"})
    rows = pd.DataFrame(
        {"offence_group": [" robbery ", "ROBBERY", "fraud", None], "categories": ["c1;robbery", "c1", "other", ""]}
    )
    weight, offence = lookup.of(rows, "offence_group")
    assert weight.tolist()[:2] == [365, 365]
    assert np.isnan(weight[2:]).all()
    assert offence.tolist() == ["Robbery", "Robbery", "fraud", ""]
    weight, offence = lookup.of(rows, "category")
    assert weight.tolist()[:2] == [365, 5]  # the gravest of several categories; one named by its label
    assert offence.tolist() == ["Robbery", "Bicycle theft", "other", ""]


def test_offences_by_hand() -> None:
    weight = np.array([5.0, 5, 90, np.nan, 0])
    table = offence_table(weight, np.array(["a", "a", "b", "c", "d"], dtype=object), weight)
    assert table[["offence", "incidents"]].to_numpy().tolist() == [["b", 1], ["a", 2], ["d", 1], ["c", 1]]
    assert table["share_pct"].tolist()[:3] == [90, 10, 0]
    assert table.loc[3, ["weight", "harm", "share_pct"]].isna().all()


def test_areas_by_hand() -> None:
    # The first area: 40 incidents of weight 2 after 20; the second: one grave incident decides; the third: none.
    later = (np.repeat([0, 1, 1, 0], [40, 30, 1, 2]), np.repeat([2.0, 1.0, 900.0, np.nan], [40, 30, 1, 2]))
    earlier = (np.repeat([0, 1], [20, 30]), np.repeat([2.0, 1.0], [20, 30]))
    table = area_table("ward", ["a", "b", "c"], place=later[0], harm=later[1], earlier=earlier, **RULES)
    a, b, c = table.to_dict("records")
    assert (a["incidents"], a["weighed"], a["harm"], a["per_incident"], a["top_share_pct"]) == (42, 40, 80, 2, 2.5)
    assert (a["incidents_earlier"], a["harm_earlier"], a["change_pct"]) == (20, 40, 100)
    assert (b["harm"], b["change_word"]) == (930, "too few")
    assert b["top_share_pct"] == pytest.approx(100 * 900 / 930)
    assert pd.isna(b["change_pct"])
    assert (c["incidents"], c["harm"], c["change_word"]) == (0, 0, "too few")
    assert pd.isna(c["per_incident"])
    # z is 40 over the root of 4 (40 + 20): p = 0.0098, which a single test passes.
    alone = area_table("region", ["r"], place=np.zeros(40, int), harm=np.full(40, 2.0),
                       earlier=(np.zeros(20, int), np.full(20, 2.0)), **RULES)  # fmt: skip
    assert alone["change_word"].tolist() == ["higher"]
    wider = area_table("region", ["r"], place=np.zeros(40, int), harm=np.full(40, 2.0),
                       earlier=(np.zeros(20, int), np.full(20, 2.0)), spread=2.0, **RULES)  # fmt: skip
    assert wider["change_word"].tolist() == ["no clear change"]  # p = 0.068


def cluster(x: float, weights: list[float]) -> pd.DataFrame:
    """Put incidents 10 m apart in a row."""
    east = x + 10.0 * np.arange(len(weights))
    return pd.DataFrame({"easting_m": east, "northing_m": 0.0, "ward_code": "w", "harm": weights})


def found(*clusters: pd.DataFrame, guard: Guard = GUARD, given: dict | None = None) -> tuple[gpd.GeoDataFrame, int]:
    settings = Clusters.model_validate(given or {"eps_m": 100, "min_samples": 10})
    rows = pd.concat(clusters, ignore_index=True)
    by_count = gpd.GeoDataFrame({"rank": [3]}, geometry=[shapely.box(-50, -50, 90, 50)], crs="EPSG:27700")
    return harm_hotspots(rows, settings=settings, guard=guard, by_count=by_count, names={"w": "West"}, crs="EPSG:27700")


def test_hotspots_by_harm_and_the_guard() -> None:
    # Twenty of weight 3; twelve of weight 8; fifteen of weight 1 beside one of 200; four of weight 40.
    clusters = (
        cluster(0, [3.0] * 20),
        cluster(5_000, [8.0] * 12),
        cluster(10_000, [1.0] * 15 + [200.0]),
        cluster(15_000, [40.0] * 6),
        cluster(20_000, [0.2] * 30),
    )
    layer, left_out = found(*clusters)
    assert layer[["rank", "incidents", "harm"]].to_numpy().tolist() == [[1, 12, 96.0]]
    assert layer["area_name"].tolist() == ["West"]
    # The mean weight is about 7: twenty of weight 3 are as 8, under min_samples 10; the grave one and the six go.
    assert left_out == 2
    open_to_all, none_out = found(*clusters, guard=Guard(1, 100.0))
    assert open_to_all["harm"].tolist() == [240.0, 215.0, 96.0]
    assert none_out == 0
    same, _ = found(cluster(0, [3.0] * 20))
    assert same["by_count"].tolist() == [3]  # by equal weights the hotspot of incidents


@pytest.mark.parametrize("given", [{"eps_m": 100, "min_samples": 10}, {"eps_m": "auto"}])
@pytest.mark.parametrize("rows", [cluster(0, []), cluster(0, [5.0]), cluster(0, [0.0] * 30)])
def test_too_little_is_no_hotspot(rows: pd.DataFrame, given: dict) -> None:
    layer, left_out = found(rows, given=given)
    assert (len(layer), left_out) == (0, 0)


@pytest.mark.parametrize("method", ["dbscan", "hdbscan"])
def test_equal_weights_give_the_hotspots_of_incidents_with_automatic_settings(method: str) -> None:
    rng = np.random.default_rng(7)
    middles = 2_000.0 * np.arange(8)
    around = np.concatenate([*(rng.normal(x, 15, (60, 2)) for x in middles), rng.uniform(0, 16_000, (600, 2))])
    rows = pd.DataFrame({"easting_m": around[:, 0], "northing_m": around[:, 1], "ward_code": "w", "harm": 4.0})
    given = {"method": method, "eps_m": 100, "min_samples": "auto" if method == "dbscan" else 10}
    layer, _ = found(rows, given=given)
    settings = Clusters.model_validate(given)
    by_number = detect(
        rows.assign(incidents=1), eps_m=100, min_samples=settings.min_samples, method=method,
        min_locations=settings.min_locations, max_hotspots=None, largest_pct=settings.largest_pct,
    )  # fmt: skip
    sizes = np.bincount(by_number.member[by_number.place] + 1)[1:]
    assert layer["incidents"].tolist() == sorted(sizes[sizes >= GUARD.min_incidents].tolist(), reverse=True)
    assert len(layer) >= 8


def test_all_at_one_place_is_no_hotspot() -> None:
    rows = cluster(0, [5.0] * 40).assign(easting_m=0.0)
    assert len(found(rows)[0]) == 0


def test_patches_made_by_one_grave_offence_are_lowered() -> None:
    inner, outer = shapely.box(0, 0, 100, 100), shapely.box(0, 0, 300, 100).difference(shapely.box(0, 0, 100, 100))
    apart = shapely.box(1_000, 0, 1_100, 100)
    bands = gpd.GeoDataFrame(
        {"density_low": [1.0, 2.0]},
        geometry=[shapely.MultiPolygon([outer, apart]), shapely.MultiPolygon([inner])],
        crs="EPSG:27700",
    )
    xy = np.array([[50.0, 50]] * 12 + [[200.0, 50]] * 12 + [[1_050.0, 50]] * 12)
    even = np.ones(36)
    assert guarded_bands(bands, xy, even, GUARD, reach_m=10).area.tolist() == [30_000, 10_000]
    grave = even.copy()
    grave[0], grave[-1] = 7.0, 50.0
    kept = guarded_bands(bands, xy, grave, GUARD, reach_m=10)
    # 7 of 18 in the inner patch, 7 of 30 with what surrounds it; 50 of 61 in the one apart.
    assert kept["density_low"].tolist() == [1.0]
    assert kept.area.tolist() == [30_000]
    # A grave offence beside a patch made it as well.
    beside = np.vstack([xy, [[1_150.0, 50]]])
    kept = guarded_bands(bands, beside, np.append(even, 90.0), GUARD, reach_m=60)
    assert kept.area.tolist() == [20_000, 10_000]
