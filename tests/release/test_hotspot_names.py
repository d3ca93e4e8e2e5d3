"""Names of hotspots: hand-placed stations, places and roads round an outline of 1 km in a town of two boroughs."""

from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from pipeline.release.hotspot_names import Landmarks, place_names, with_names

OUTLINE = shapely.box(1_000, 1_000, 2_000, 2_000)
WEST, EAST = shapely.box(0, 0, 2_100, 5_000), shapely.box(2_100, 0, 6_000, 5_000)
Feature = tuple[str, str, int, Any]


def at(kind: str, name: str, x: float, y: float, rank: int = 2) -> Feature:
    return kind, name, rank, shapely.Point(x, y)


def road(name: str, *points: tuple[float, float]) -> Feature:
    return "road", name, 1, shapely.LineString(points)


def named(*features: Feature, outline: Any = OUTLINE) -> str:
    kinds, names, ranks, shapes = zip(*features, strict=True) if features else ((), (), (), ())
    frame = gpd.GeoDataFrame({"kind": kinds, "name": names, "rank": ranks}, geometry=list(shapes), crs="EPSG:27700")
    boroughs = np.array([WEST, EAST], dtype=object)
    return place_names(np.array([outline], dtype=object), Landmarks(frame, boroughs, ("W", "E")))[0]


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ((), ""),
        ((at("station", "Bank", 1_200, 1_200), at("station", "Cross", 1_500, 1_500)), "Cross and Bank"),  # nearer first
        ((at("station", "Bank", 1_200, 1_200, rank=1), at("station", "Cross", 1_500, 1_500)), "Bank and Cross"),
        ((at("place", "Soho", 1_500, 1_500), at("station", "Bank", 1_200, 1_200)), "Bank and Soho"),  # stations first
        ((at("place", "Bank", 1_500, 1_500), at("station", "Bank", 1_200, 1_200)), "Bank"),  # one name once
        ((at("station", "A", 1_100, 1_100), at("station", "B", 1_600, 1_500), at("station", "C", 1_500, 1_500)),
         "C and B"),
        ((road("High Street", (0, 1_500), (1_400, 1_500)), at("place", "Soho", 1_500, 1_500)), "Soho and High Street"),
        ((road("Short Lane", (1_900, 1_500), (3_000, 1_500)),), ""),  # 100 m inside only
        ((road("A", (0, 1_500), (1_400, 1_500)), road("B", (0, 1_600), (1_500, 1_600))), "B"),
        ((at("station", "Bank", 1_500, 650),), "Bank"),  # 350 m outside, same borough
        ((at("station", "Over", 2_350, 1_500),), ""),  # 350 m outside, across the border
        ((at("place", "Soho", 1_500, 350),), "Soho"),  # 650 m
        ((at("station", "Bank", 1_500, 300), at("station", "Far", 1_500, 4_500)), "Near Bank"),  # 700 m
        ((at("station", "Far", 1_500, 4_900),), ""),  # 2,900 m
        ((at("building", "Town Hall", 1_500, 1_500), at("green", "Park", 1_400, 1_400)), ""),  # never
        ((at("station", "", 1_500, 1_500),), ""),
    ],
)  # fmt: skip
def test_a_name_is_what_lies_in_the_outline_or_next_to_it(features: tuple[Feature, ...], expected: str) -> None:
    assert named(*features) == expected


def test_a_name_does_not_depend_on_the_order_of_the_layer() -> None:
    features = [at("station", name, 1_500, 1_500) for name in "CAB"] + [at("place", "P", 1_200, 1_200)]
    rng = np.random.default_rng(1)
    assert {named(*[features[i] for i in rng.permutation(4)]) for _ in range(10)} == {"A and B"}


def test_without_landmarks_a_ward_names_its_hotspots_and_numbers_them() -> None:
    """The ward is the one with most of the outline: 700 m of 1 km are in Mill Hill, not in Castle."""
    wards = [shapely.box(0, 0, 4_000, 5_000), shapely.box(4_000, 0, 8_000, 5_000)]
    table = {"area_code": ["W1", "W2"], "level": "ward", "name": ["Mill Hill", "Castle"]}
    plan = SimpleNamespace(
        areas=gpd.GeoDataFrame(table, geometry=wards, crs="EPSG:27700"),
        premises=SimpleNamespace(landmarks=None, institutions=np.empty(0, dtype=object)),
    )
    shapes = [shapely.box(x, 1_000, x + 1_000, 2_000) for x in (3_300, 9_000, 1_000, 6_000)]
    layer = gpd.GeoDataFrame({"hotspot_id": list("abcd")}, geometry=shapes, crs="EPSG:27700")
    assert with_names(layer, plan)["name"].tolist() == ["Mill Hill (1)", "Outside all wards", "Mill Hill (2)", "Castle"]
