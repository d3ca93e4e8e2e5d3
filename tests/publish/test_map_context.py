"""Context in the payload: what is drawn comes back within its grid, names stay text, buildings are the analyst's."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from pipeline.publish.briefings import write_briefings
from pipeline.publish.map.geometry import CONTEXT_UNITS_PER_DEGREE, context_fields
from pipeline.publish.surroundings import Surroundings
from tests.kit import released as fixture

PARK = shapely.box(530_000, 180_000, 531_000, 181_000)
ROAD = shapely.MultiLineString([[(529_000, 180_000), (532_000, 180_500)], [(529_000, 181_000), (530_000, 181_200)]])
BANK = shapely.Point(532_700, 181_100)


def surroundings() -> Surroundings:
    frame = gpd.GeoDataFrame(
        {"kind": ["green", "building", "road", "road", "station"], "name": ["Park", "", "", "", "</script>{{ 7*7 }}"],
         "rank": [1, 1, 1, 1, 2]},
        geometry=[PARK, shapely.box(530_000, 180_000, 530_020, 180_020), ROAD, ROAD, BANK],
        crs="EPSG:27700",
    )  # fmt: skip
    return Surroundings(frame, ("Water: OS (OGL v3)",))


def decoded(code: list[int]) -> np.ndarray:
    return np.cumsum(np.array(code).reshape(-1, 2), axis=0) / CONTEXT_UNITS_PER_DEGREE


def test_shapes_come_back_within_half_a_unit() -> None:
    found = context_fields(surroundings(), analyst=True)
    degrees = gpd.GeoSeries([PARK, ROAD, BANK], crs="EPSG:27700").to_crs("EPSG:4326")
    ring = decoded(found["surfaces"][0]["parts"][0])
    assert np.abs(ring - shapely.get_coordinates(degrees[0])[:-1]).max() <= 0.5 / CONTEXT_UNITS_PER_DEGREE + 1e-12
    line = np.vstack([decoded(part) for part in found["lines"][0]["parts"][:2]])
    assert np.abs(line - shapely.get_coordinates(degrees[1])).max() <= 0.5 / CONTEXT_UNITS_PER_DEGREE + 1e-12
    x, y = (v / CONTEXT_UNITS_PER_DEGREE for v in found["points"][0]["at"])
    assert (x, y) == pytest.approx((degrees[2].x, degrees[2].y), abs=0.5 / CONTEXT_UNITS_PER_DEGREE)


def test_a_park_has_its_name_in_its_largest_circle() -> None:
    (park, _building) = context_fields(surroundings(), analyst=True)["surfaces"]
    x, y, radius = park["at"]
    assert radius == pytest.approx(500, abs=25)
    middle = gpd.GeoSeries([PARK.centroid], crs="EPSG:27700").to_crs("EPSG:4326")[0]
    assert (x / CONTEXT_UNITS_PER_DEGREE, y / CONTEXT_UNITS_PER_DEGREE) == pytest.approx((middle.x, middle.y), abs=5e-4)


def test_roads_without_a_name_are_one_entry_and_buildings_are_for_the_analyst() -> None:
    found = context_fields(surroundings(), analyst=False)
    assert [(line["kind"], len(line["parts"])) for line in found["lines"]] == [("road", 4)]
    assert [s["kind"] for s in found["surfaces"]] == ["green"]
    assert found["points"][0]["name"] == "</script>{{ 7*7 }}"
    assert found["credits"] == ["Water: OS (OGL v3)"]


def test_nothing_is_nothing() -> None:
    assert context_fields(Surroundings(), analyst=True) == {"credits": [], "lines": [], "surfaces": [], "points": []}


@pytest.mark.slow
def test_a_briefing_shows_water_roads_and_places_and_credits_them(tmp_path: Path) -> None:
    released = fixture.city()
    code = released.areas.loc[released.areas["level"] == "borough", "area_code"].iloc[0]
    shape = released.areas.set_index("area_code").geometry[code]
    x, y = shape.centroid.x, shape.centroid.y
    frame = gpd.GeoDataFrame(
        {"kind": ["water", "road", "place", "place"], "name": ["", "", "Mill End {{ 7*7 }}", "Elsewhere"],
         "rank": [1, 1, 1, 1]},
        geometry=[
            shapely.box(x - 200, y - 5000, x + 200, y + 5000),
            shapely.LineString([(x - 5000, y), (x + 5000, y)]),
            shapely.Point(x + 900, y + 900),
            shapely.Point(x + 90_000, y),
        ],
        crs=released.info.working_crs,
    )  # fmt: skip
    write_briefings(released, tmp_path, surroundings=Surroundings(frame, ("Water: OS (OGL v3)",)))
    page = (tmp_path / "boroughs" / f"{code}.html").read_text("utf-8")
    assert page.count('class="rc"') == page.count('class="rk"') == 1
    assert 'class="pn"' in page
    assert "Elsewhere" not in page
    assert "{{" not in page
    assert "Water: OS (OGL v3)" in page
    plain = tmp_path / "plain"
    plain.mkdir()
    write_briefings(released, plain)
    assert 'class="rc"' not in (plain / "boroughs" / f"{code}.html").read_text("utf-8")
