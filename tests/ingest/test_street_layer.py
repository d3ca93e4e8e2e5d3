"""The street layer: multilines, repeated ids, what is no line, layers of another place, and how large it may be."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.config import Streets
from pipeline.errors import InputError
from pipeline.ingest import street_layer as module
from pipeline.ingest.street_layer import read_streets, segments_of

AREA = shapely.box(0, 0, 1000, 1000)


def line(*places: tuple[float, float]) -> shapely.LineString:
    return shapely.LineString(places)


def segments(shapes, ids=None, names=None):
    column = None if ids is None else pd.Series(ids, dtype="object")
    named = None if names is None else pd.Series(names, dtype="object")
    return segments_of(
        np.array(shapes, dtype=object), ids=column, names=named, outline=AREA, working="EPSG:27700", file="roads"
    )


def test_parts_of_multilines_are_segments_and_repeated_ids_are_told_apart_by_shape() -> None:
    shapes = [
        shapely.MultiLineString([[(0, 0), (10, 0)], [(20, 0), (30, 0)]]),
        line((50, 50), (60, 50)),
        line((40, 50), (50, 50)),
        line((70, 70), (80, 80)),
    ]
    found = segments(shapes, ids=["a", "b", "b", None], names=["High\x00 Street", "B", "B", None])
    assert found.frame["segment_id"].tolist() == ["a#1", "a#2", "b#1", "b#2", "segment-000001"]
    assert found.frame["name"].tolist() == ["High Street", "High Street", "B", "B", ""]
    assert "multilines of roads are counted as 1 segments more" in found.cautions[0]
    assert "2 segments of roads share their id" in found.cautions[1]
    assert "1 segments of roads have no id" in found.cautions[2]
    # Another order of the file gives the same segments.
    again = segments(shapes[::-1], ids=[None, "b", "b", "a"], names=[None, "B", "B", "High Street"])
    assert again.frame["segment_id"].tolist() == found.frame["segment_id"].tolist()
    assert shapely.equals(again.frame.geometry.to_numpy(), found.frame.geometry.to_numpy()).all()
    assert segments([line((0, 0), (9, 0))] * 3, ids=["x", "x", "x#2"]).frame["segment_id"].is_unique


def test_what_is_no_line_or_outside_is_left_out_and_reported() -> None:
    found = segments(
        [shapely.Point(1, 1), line((0, 0), (5, 5)), None, line((5, 5), (5, 5)), line((2000, 0), (2001, 0))]
    )
    assert len(found.frame) == 1
    assert found.cautions == ("detect.streets: 2 of 5 features of roads are no lines and are left out.",)
    with pytest.raises(InputError, match="roads has no lines"):
        segments([shapely.Point(1, 1)])
    outside = segments([line((2000, 0), (2010, 0))])
    assert len(outside.frame) == 0
    assert "nothing in roads is inside the study area" in outside.cautions[0]


def test_lines_are_cut_where_they_leave_the_covered_areas() -> None:
    # One leaves for good, one comes back, one runs along the border within 25 m, one outside touches nothing.
    lines = [
        line((500, 500), (500, 1300)),
        line((900, 100), (1200, 100), (1200, 200), (900, 200)),
        line((0, 1010), (100, 990), (200, 1010)),
        line((0, 1020), (100, 1020)),
    ]
    found = segments_of(
        np.array(lines, dtype=object),
        ids=pd.Series(["out", "back", "along", "beside"]),
        names=None,
        outline=AREA,
        working="EPSG:27700",
        file="roads",
        border_m=25.0,
    )
    lengths = dict(zip(found.frame["segment_id"], found.frame.geometry.length.round(1), strict=True))
    # 500 m inside and 25 beyond; 100 and 25 on each way; whole, 2 x sqrt(100^2 + 20^2).
    assert lengths == {"along": 204.0, "back#1": 125.0, "back#2": 125.0, "out": 525.0}
    assert found.cautions == ()


def test_more_segments_than_can_be_worked_with_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SEGMENTS", 2)
    with pytest.raises(InputError, match=r"3 segments inside the study area .* at most 2 .* leave out paths"):
        segments([line((0, k), (10, k)) for k in range(3)])


@pytest.mark.slow
def test_a_file_is_read_with_its_columns_and_system(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"ref": ["1"], "road": ["Mill Lane"]}, geometry=[line((5, 5), (9, 9))], crs="EPSG:27700")
    frame.to_file(tmp_path / "roads.gpkg", driver="GPKG")
    settings = Streets(path="roads.gpkg", id="ref", name="road")
    found = read_streets(settings, base=tmp_path, working="EPSG:27700", outline=AREA)
    assert found.frame[["segment_id", "name"]].to_numpy().tolist() == [["1", "Mill Lane"]]
    with pytest.raises(InputError, match=r"detect\.streets\.id"):
        read_streets(Streets(path="roads.gpkg", id="nothing"), base=tmp_path, working="EPSG:27700", outline=AREA)
    with pytest.raises(InputError, match=r"detect\.streets\.path"):
        read_streets(Streets(path="none.gpkg"), base=tmp_path, working="EPSG:27700", outline=AREA)
