"""Density of one window for two audiences, and after one more record: what may stand beside what is out already."""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from pipeline.config import Density
from pipeline.detect.density import density_bands
from pipeline.domain.periods import Period
from pipeline.release.earlier_releases import EarlierRelease, Kept, as_first_released
from pipeline.release.hotspots import Outlines

pytestmark = pytest.mark.slow

YEAR = Period.parse("2024-01..2024-12")
SQUARE = shapely.box(0, 0, 6000, 6000)
SETTINGS = Density.model_validate({"bands": {"by": "mean"}})  # their levels reach the small clusters too


def places(*, extra: int = 0) -> pd.DataFrame:
    """Clusters of many and of few places; `extra` more incidents at the first place."""
    rng = np.random.default_rng(3)
    centres = [(1500, 1500, 300), (4200, 1500, 24), (1500, 4300, 20), (4300, 4300, 160)]
    xy = np.concatenate([rng.normal((x, y), 180, size=(n, 2)) for x, y, n in centres])
    frame = pd.DataFrame(xy.round(0), columns=["easting_m", "northing_m"])
    frame = frame.groupby(["easting_m", "northing_m"]).size().rename("incidents").reset_index()
    frame.loc[0, "incidents"] += extra
    return frame.assign(categories="", month=202405)


def bands(fewest: int, **changes: int) -> gpd.GeoDataFrame:
    made = density_bands(
        places(**changes), study_area=SQUARE, crs="EPSG:27700", settings=SETTINGS, bandwidth_m=500.0,
        categories=["all"], min_locations=3, min_incidents=fewest,
    )  # fmt: skip
    return made.bands


def earlier(layer: gpd.GeoDataFrame) -> EarlierRelease:
    return EarlierRelease(
        run="run", profile="public", audience="public", protection="steps", step=10, headline=YEAR.id, data_to=202412,
        anchor=202412, edition={}, detail={}, series={}, incomplete=(), counts=pd.DataFrame(), hotspots=layer.iloc[:0],
        density=layer, notes={"density": "made then"},
    )  # fmt: skip


def beside(now: gpd.GeoDataFrame, before: gpd.GeoDataFrame, *, own: bool = False, **changes: Any) -> Outlines:
    release = earlier(before)
    kept = Kept(last=release) if own else Kept(others=(release,))
    return as_first_released(Outlines(now, "made"), **({"kind": "density", "kept": kept, "headline": YEAR} | changes))


def test_small_patches_leave_no_hole() -> None:
    fine, coarse = bands(0), bands(25)
    assert fine.geometry.area.sum() > coarse.geometry.area.sum() > 0
    assert coarse.geometry.is_valid.all()
    # Higher ground shrinks; no place is drawn higher than it is.
    for low in coarse["density_low"]:
        higher = [
            shapely.union_all(f.geometry[f["density_low"] >= low].to_numpy(), grid_size=0.1) for f in (fine, coarse)
        ]
        assert higher[1].difference(higher[0].buffer(0.2)).area == pytest.approx(0, abs=1.0)
    holes = [
        shapely.Polygon(ring)
        for part in shapely.get_parts(shapely.union_all(coarse.geometry.to_numpy(), grid_size=0.1))
        for ring in part.interiors
    ]
    covered = shapely.union_all(fine.geometry.to_numpy(), grid_size=0.1)
    assert not any(covered.buffer(-0.2).intersects(hole.representative_point()) for hole in holes)


@pytest.mark.parametrize(("first", "then"), [(25, 5), (5, 25), (60, 0)])
def test_two_audiences_may_see_one_surface_by_their_own_rules(first: int, then: int) -> None:
    before, now = bands(first), bands(then)
    assert sorted(now.geometry.to_wkb()) != sorted(before.geometry.to_wkb())
    assert beside(now, before).layer is now


@pytest.mark.parametrize(("first", "then"), [(25, 5), (5, 25), (10, 10)])
def test_one_record_more_is_not_shown_beside_it(first: int, then: int) -> None:
    made = beside(bands(then, extra=1), bands(first))
    assert len(made.layer) == 0
    assert made.note.startswith("Not shown")


def test_the_same_profile_shows_what_it_first_released() -> None:
    before = bands(10)
    made = beside(bands(10, extra=1), before, own=True)
    assert made.layer is before
    assert "first released" in made.note


def test_another_window_is_kept_apart() -> None:
    made = beside(bands(10), bands(10), headline=Period.parse("2024-07..2025-06"))
    assert len(made.layer) == 0
