"""The places inside each hotspot's outline: summed over months, once for each outline they lie in."""

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from pipeline.detect.hotspots.outlines import members_of

# Two outlines that overlap between x = 10 and 20; H1000 comes before H999, as texts sort.
OUTLINES = gpd.GeoDataFrame(
    {"hotspot_id": ["H999", "H1000"]}, geometry=[shapely.box(0, 0, 20, 9), shapely.box(10, 0, 30, 9)]
)
ROWS = [  # easting, northing, ward, incidents
    (5.0, 1.0, "W1", 2), (5.0, 1.0, "W1", 3), (5.0, 2.0, None, 1),
    (15.0, 1.0, "W2", 4), (15.0, 1.0, "W2", 1),
    (25.0, 9.0, "W2", 7),  # on the line: inside
    (25.0, 9.5, "W2", 9),
]  # fmt: skip
EXPECTED = [
    ("H1000", 15.0, 1.0, "W2", 5), ("H1000", 25.0, 9.0, "W2", 7),
    ("H999", 5.0, 1.0, "W1", 5), ("H999", 5.0, 2.0, None, 1), ("H999", 15.0, 1.0, "W2", 5),
]  # fmt: skip


def frame(rows: list[tuple], *first: str) -> pd.DataFrame:
    columns = [*first, "easting_m", "northing_m", "ward_code", "incidents"]
    return pd.DataFrame(rows, columns=columns).astype({"ward_code": "str", "incidents": "Int64"})


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_members_of_outlines_that_overlap(order: slice) -> None:
    pd.testing.assert_frame_equal(members_of(frame(ROWS[order]), OUTLINES), frame(EXPECTED, "hotspot_id"))


def test_no_outline_has_no_member() -> None:
    found = members_of(frame(ROWS), OUTLINES.iloc[:0])
    assert found.empty
    assert list(found.columns) == ["hotspot_id", "easting_m", "northing_m", "ward_code", "incidents"]
