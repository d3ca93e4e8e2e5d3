"""How much of the data lies inside the areas, and from when on it is said."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aggregate.coverage import Extent


@pytest.mark.parametrize(
    ("incidents", "outside", "noted"),
    [
        pytest.param(0, 0, False, id="no incidents"),
        pytest.param(1000, 20, False, id="two per cent"),
        pytest.param(1000, 21, True, id="more than two"),
        pytest.param(100, 73, True, id="most"),
        pytest.param(10, 10, True, id="all"),
    ],
)
def test_more_than_two_per_cent_outside_is_said(incidents: int, outside: int, *, noted: bool) -> None:
    extent = Extent(incidents, outside)
    assert extent.noted is noted
    assert (extent.caution() != "") is noted
    assert (extent.note(exact=False) != "") is noted


@given(st.integers(1, 10**7), st.integers(0, 10**7))
def test_only_the_owner_of_the_data_reads_numbers(incidents: int, outside: int) -> None:
    extent = Extent(incidents, min(outside, incidents))
    assert not re.search(r"\d", extent.note(exact=False))
    if extent.noted:
        inside = f"{incidents - extent.outside:,} of {incidents:,}"
        assert inside in extent.note(exact=True)
        assert inside in extent.caution()


def test_rows_that_no_total_holds_are_not_said_to_lie_inside() -> None:
    # Of 200, 60 lie outside, 5 in an area that is not covered, and of 15 nothing says where they were.
    quality = {
        "accounting": {"incidents": 200, "incidents_outside_areas": 60, "incidents_not_covered": 5},
        "without_a_place": {"in_no_total": 15},
    }
    assert "120 of 200 incidents in the data (60 %) lie inside" in Extent.of_quality(quality).note(exact=True)
    assert Extent.of_quality({"accounting": {"rows_read": 9}}) == Extent()
