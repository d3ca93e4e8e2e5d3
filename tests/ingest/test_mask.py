"""Ground that cannot hold incidents: what is taken from areas, and what is said of features that cannot be used."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from pipeline.errors import InputError
from pipeline.geography.study_area import StudyArea
from pipeline.ingest.mask import Masked, masked_ground

# Two wards of 1 x 1 km; a river of 100 m through the western one and 500 m into the other.
WEST, EAST = shapely.box(0, 0, 1_000, 1_000), shapely.box(1_000, 0, 2_000, 1_000)
RIVER = shapely.box(-500, 400, 1_500, 500)


def masked(*shapes: object, shows: str = "water", areas: tuple[object, ...] = (WEST, EAST)) -> Masked:
    column = np.empty(len(shapes), dtype=object)
    column[:] = shapes
    ground = np.array(areas, dtype=object)
    return masked_ground(column, shows=shows, areas=ground, names=("West", "East"), file="river.gpkg")


def study(mask: object) -> StudyArea:
    areas = gpd.GeoDataFrame(
        {
            "area_code": ["R", "B", "W", "E"],
            "level": ["region", "borough", "ward", "ward"],
            "parent_code": [None, "R", "B", "B"],
            "name": ["R", "B", "West", "East"],
            "covered": True,
        },
        geometry=[WEST.union(EAST), WEST.union(EAST), WEST, EAST],
        crs=27700,
    )
    return StudyArea.of(areas, mask)


def test_a_river_is_taken_from_the_ground_and_from_nothing_else() -> None:
    found = masked(RIVER)
    assert found.km2 == pytest.approx(0.15)  # 1,000 x 100 and 500 x 100 m
    area = study(found.shape)
    assert area.outline.area == pytest.approx(2_000_000 - 150_000)
    assert shapely.area(area.ground).tolist() == pytest.approx([900_000, 950_000])
    assert area.covered.area == area.wards.geometry.area.sum() == 2_000_000
    points = np.array([[500.0, 450.0], [500.0, 300.0], [1_700.0, 450.0], [-100.0, 450.0]])
    assert area.masks(points).tolist() == [True, False, False, False]
    assert not study(None).masks(points).any()


def test_land_is_what_remains() -> None:
    banks = [shapely.box(0, 0, 2_000, 400), shapely.box(0, 500, 2_000, 1_000)]
    assert masked(*banks, shows="land").km2 == pytest.approx(0.2)


def test_an_area_without_ground_keeps_all_of_it_and_is_named() -> None:
    found = masked(RIVER, shapely.box(900, -100, 2_100, 1_100))
    assert found.km2 == pytest.approx(0.1 + 0.1 - 0.01)  # the river and 100 m of the dock, less where they cross
    (caution,) = found.cautions
    assert caution.startswith("areas.mask: river.gpkg leaves no ground in 1 area (East), which keeps all of its own:")
    assert caution.endswith("if nothing can happen there, list it in areas.not_covered.")


def test_invalid_outlines_are_repaired_and_what_is_no_outline_is_left_out() -> None:
    bow = shapely.Polygon([(0, 0), (200, 200), (200, 0), (0, 200)])  # two triangles of 100 x 200 / 2
    found = masked(bow, shapely.Point(5, 5), None)
    assert found.km2 == pytest.approx(0.02)
    assert found.cautions == (
        "areas.mask: 1 of 2 features of river.gpkg are no outlines and are left out.",
        "areas.mask: 1 of 1 outlines of river.gpkg were invalid and were repaired.",
    )


@pytest.mark.parametrize(
    ("shapes", "shows", "words"),
    [
        ([shapely.box(-1, -1, 3_000, 3_000)], "water", "leaves no ground for incidents in any of the 2 areas"),
        ([shapely.box(5_000, 0, 6_000, 9)], "water", r"takes no ground from any area: check areas.mask.crs"),
        ([shapely.box(5_000, 0, 6_000, 9)], "land", "leaves no ground"),
        ([shapely.box(-1, -1, 3_000, 3_000)], "land", "takes no ground"),
        ([shapely.Point(1, 1)], "water", r"no outlines \(areas.mask\): its 1 features are points or lines"),
        ([], "water", "it is empty"),
    ],
)
def test_masks_that_cannot_be_used_are_refused(shapes: list[object], shows: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        masked(*shapes, shows=shows)
