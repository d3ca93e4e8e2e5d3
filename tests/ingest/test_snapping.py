"""Points that the publisher snapped: found by layout or by repetition, and how many lie near a border of wards."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.quality import BORDER_M, looks_snapped, near_border_pct, police_layout, snapped_caution

POLICE = {
    "category": "Crime type (recognised)",
    "date": "Month (recognised)",
    "lat": "Latitude (recognised)",
    "location": "Location (recognised)",
    "lon": "Longitude (recognised)",
}
WARDS = np.array([shapely.box(0, 0, 1000, 1000), shapely.box(1000, 0, 2000, 1000)], dtype=object)


@pytest.mark.parametrize(
    ("files", "police"),
    [
        pytest.param([POLICE], True, id="one file"),
        pytest.param([POLICE, POLICE], True, id="several"),
        pytest.param([{**POLICE, "id": "Crime ID (recognised)"}], True, id="with more columns"),
        pytest.param([POLICE, {"date": "when"}], False, id="one of another kind"),
        pytest.param([{**POLICE, "date": "occurred (configured)"}], False, id="another date"),
        pytest.param([], False, id="no file"),
    ],
)
def test_the_layout_of_police_uk(files: list[dict[str, str]], *, police: bool) -> None:
    assert police_layout(files) is police


@pytest.mark.parametrize(
    ("incidents", "repeated", "snapped"),
    [
        pytest.param(400, 100.0, True, id="all share a place"),
        pytest.param(35_285, 31.6, False, id="addresses of a year"),
        pytest.param(29, 100.0, False, id="few incidents"),
        pytest.param(0, None, False, id="none"),
    ],
)
def test_many_shared_places_look_snapped(incidents: int, repeated: float | None, *, snapped: bool) -> None:
    assert looks_snapped({"incidents": incidents, "repeated_pct": repeated}) is snapped


@given(st.lists(st.tuples(st.floats(-50, 2050), st.floats(-50, 1050), st.integers(1, 9)), min_size=1, max_size=40))
def test_the_share_near_a_border_is_that_of_measuring_every_point(points: list[tuple[float, float, int]]) -> None:
    places = np.array([p[:2] for p in points])
    weights = np.array([p[2] for p in points])
    borders = shapely.union_all(shapely.boundary(WARDS))
    near = shapely.distance(borders, shapely.points(places)) <= BORDER_M
    right = 100 * weights[near].sum() / weights.sum()
    assert near_border_pct(places, weights, wards=WARDS) == pytest.approx(right, abs=0.051)


def test_no_incident_has_no_share() -> None:
    assert near_border_pct(np.empty((0, 2)), np.empty(0, dtype=np.int64), wards=WARDS) is None


def test_the_caution_says_what_it_means() -> None:
    shared = {"repeated_pct": 98.6, "incidents": 376_172, "distinct_places": 41_271}
    police = snapped_caution(shared, police=True, near_pct=9.8)
    assert "anonymised map points" in police
    assert "9.8 % of incidents lie within 30 m of the border of a ward" in police
    other = snapped_caution(shared, police=False, near_pct=None)
    assert "look as if" in other
    assert "border" not in other
