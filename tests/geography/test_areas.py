"""Point to area: every answer is compared with testing the point against every polygon."""

import pickle

import hypothesis.strategies as st
import numpy as np
import pytest
import shapely
from hypothesis import given, settings

from pipeline.errors import InputError
from pipeline.geography.areas import AreaIndex, check_codes, dissolve, level_agreement, overlap_km2, overlaps, repair


def oracle(shapes, codes, xy, snap_m):
    """Every point against every polygon by an R-tree; nearest by distance; ties to the code that sorts first."""
    found = np.full(len(xy), -1)
    places = shapely.points(np.nan_to_num(xy, nan=1e12, posinf=1e12, neginf=1e12))
    for point, area in zip(*shapely.STRtree(shapes).query(places, predicate="intersects"), strict=True):
        if found[point] < 0 or codes[area] < codes[found[point]]:
            found[point] = area
    snapped = np.zeros(len(xy), bool)
    for point in np.flatnonzero(found < 0) if snap_m else ():
        away = shapely.distance(shapes, places[point])
        if (away <= snap_m).any():
            ranked = sorted(range(len(codes)), key=lambda a: (round(away[a], 6), codes[a]))
            found[point], snapped[point] = ranked[0], True
    return found, snapped


def probes(shapes, rng, n=400, spread=60.0):
    """Random points, every vertex, every edge's midpoint, points a hair beside both, and points of no place."""
    west, south, east, north = shapely.total_bounds(shapes)
    scattered = rng.uniform((west - spread, south - spread), (east + spread, north + spread), (n, 2))
    vertices = shapely.get_coordinates(shapes)
    middles = (vertices[1:] + vertices[:-1]) / 2
    exact = np.concatenate((vertices, middles))
    nudged = exact + rng.normal(0, 1, exact.shape) * rng.choice([1e-9, 1e-3, 10.0], (len(exact), 1))
    nowhere = np.array([(np.nan, 0), (0, np.inf), (-np.inf, np.nan), (1e9, 1e9), (-1e15, 3.0)])
    return np.concatenate((scattered, exact, nudged, nowhere))


def check(shapes, codes, xy, *, cell_m, snap_m):
    index = AreaIndex.build(shapes, codes, cell_m=cell_m, snap_m=snap_m)
    result = index.locate(xy)
    found, snapped = oracle(shapes, codes, xy, snap_m)
    np.testing.assert_array_equal(result.code_index, found)
    np.testing.assert_array_equal(result.snapped, snapped)
    return result


def partition(rng, n_sites, x0=530_000.0, y0=180_000.0, size=1_000.0):
    """A random partition with holes, several parts per area, slivers, and a gap."""
    sites = shapely.multipoints(rng.uniform((x0, y0), (x0 + size, y0 + size), (n_sites, 2)))
    frame = shapely.box(x0, y0, x0 + size, y0 + size)
    cells = [shapely.intersection(c, frame) for c in shapely.voronoi_polygons(sites, extend_to=frame).geoms]
    hole = shapely.box(x0 + 300, y0 + 300, x0 + 350, y0 + 420)
    sliver = shapely.box(x0, y0 + 555.5, x0 + size, y0 + 555.8)
    gap = shapely.box(x0 + 700, y0 + 200, x0 + 830, y0 + 290)
    cut = [shapely.difference(c, shapely.union_all([hole, sliver, gap])) for c in cells]
    owner = rng.integers(0, max(len(cut) // 2, 1), len(cut))
    shapes = [shapely.union_all([c for c, o in zip(cut, owner, strict=True) if o == k]) for k in np.unique(owner)]
    shapes = [*[s for s in shapes if not s.is_empty], hole, sliver]
    codes = [f"E{k:03d}" for k in rng.permutation(len(shapes))]
    return np.array(shapes, dtype=object), codes


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_sites=st.integers(2, 14), cell_m=st.sampled_from([7.0, 50.0, 333.3, 5_000.0]))
@pytest.mark.slow
def test_random_partitions_equal_testing_every_point(seed, n_sites, cell_m) -> None:
    rng = np.random.default_rng(seed)
    shapes, codes = partition(rng, n_sites)
    check(shapes, codes, probes(shapes, rng), cell_m=cell_m, snap_m=float(rng.choice([0.0, 25.0, 120.0])))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.slow
def test_overlapping_areas_give_the_code_that_sorts_first(seed) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 400, (6, 2))
    shapes = np.array([shapely.Point(c).buffer(r) for c, r in zip(centres, rng.uniform(3, 200, 6), strict=True)])
    check(shapes, [f"{k}" for k in rng.permutation(6)], probes(shapes, rng), cell_m=20.0, snap_m=15.0)


def test_boundaries_on_grid_lines_belong_to_both_sides() -> None:
    # With snap 0 the first grid line is 2 cells west of the western edge, so these squares' sides lie on grid lines.
    shapes = shapely.box([0, 100, 0, 100], [0, 0, 100, 100], [100, 200, 100, 200], [100, 100, 200, 200])
    xy = np.array([(100, 50), (50, 100), (100, 100), (200, 200), (0, 0), (100, 0), (99.999, 50), (100, 150)], float)
    result = check(shapes, ["d", "c", "b", "a"], xy, cell_m=50.0, snap_m=0.0)
    # East before west (c < d), north before south (b < d); the middle touches all four, of which "a" sorts first.
    assert [["d", "c", "b", "a"][k] for k in result.code_index] == ["c", "b", "a", "a", "d", "c", "d", "a"]


def test_snapping_reaches_as_far_as_it_says_and_no_further() -> None:
    shapes = shapely.box([0, 130], [0, 0], [100, 230], [100, 100])
    xy = np.array([(110, 50), (115, 50), (116, 50), (50, -25), (50, -25.001), (50, 50)], float)
    result = check(shapes, ["b", "a"], xy, cell_m=50.0, snap_m=25.0)
    # 115 is 15 m from both: "a" (position 1) sorts first; 25 m is near enough, 25.001 m is not.
    assert result.code_index.tolist() == [0, 1, 1, 0, -1, 0]
    assert result.snapped.tolist() == [True, True, True, True, False, False]


def test_snap_wider_than_many_cells() -> None:
    shapes = shapely.box([0, 900], [0, 0], [100, 950], [100, 60])
    check(shapes, ["x", "y"], probes(shapes, np.random.default_rng(1), spread=700), cell_m=10.0, snap_m=400.0)


def test_positions_follow_the_callers_order_and_nothing_of_the_callers_changes() -> None:
    shapes = shapely.box([200, 0], [0, 0], [300, 100], [100, 100])
    before, xy = shapely.to_wkb(shapes).tolist(), np.array([(250.0, 50.0), (50.0, 50.0)])
    index = AreaIndex.build(shapes, ["z", "a"])
    assert index.locate(xy).code_index.tolist() == [0, 1]
    assert shapely.to_wkb(shapes).tolist() == before
    assert xy.tolist() == [[250.0, 50.0], [50.0, 50.0]]


def test_a_pickled_index_answers_the_same() -> None:
    rng = np.random.default_rng(4)
    shapes, codes = partition(rng, 9)
    xy = probes(shapes, rng)
    index = AreaIndex.build(shapes, codes)
    again = pickle.loads(pickle.dumps(index))  # noqa: S301 our own bytes
    np.testing.assert_array_equal(again.locate(xy).code_index, index.locate(xy).code_index)


@pytest.mark.slow
def test_no_points_and_huge_extents() -> None:
    shapes = shapely.box([0, 900_000], [0, 900_000], [100, 900_100], [100, 900_100])
    index = AreaIndex.build(shapes, ["a", "b"], cell_m=5.0)
    assert index.cell_m > 5.0  # the cells grew so that the index fits, the answers stay exact
    assert index.locate(np.empty((0, 2))).code_index.shape == (0,)
    assert index.locate(np.array([(50.0, 50.0), (900_050.0, 900_050.0), (4e5, 4e5)])).code_index.tolist() == [0, 1, -1]


@pytest.mark.parametrize(
    ("shapes", "codes", "words"),
    [
        ([], [], "no areas"),
        ([shapely.box(0, 0, 1, 1)] * 2, ["E1", "E1"], "E1"),
        ([shapely.box(0, 0, 1, 1)], [""], "no code"),
        ([shapely.box(0, 0, 1, 1)], ["a", "b"], "1 geometries came with 2 codes"),
        ([None], ["a"], "a: no geometry"),
        ([shapely.Polygon()], ["a"], "a: no geometry"),
        ([shapely.Point(0, 0)], ["a"], "not a polygon"),
        ([shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])], ["bow"], "bow: an invalid outline"),
    ],
)
def test_unusable_areas_are_named(shapes, codes, words) -> None:
    with pytest.raises(InputError, match=words):
        AreaIndex.build(np.array(shapes, dtype=object), codes)


def test_points_of_a_wrong_shape_are_refused() -> None:
    index = AreaIndex.build(np.array([shapely.box(0, 0, 1, 1)]), ["a"])
    with pytest.raises(InputError, match="shape"):
        index.locate(np.array([1.0, 2.0]))


def test_every_repeated_code_is_listed() -> None:
    with pytest.raises(InputError, match=r"2 repeat: a, c"):
        check_codes(["c", "a", "b", "a", "c", "c"])


def test_repair_mends_only_what_is_broken() -> None:
    sound = shapely.box(0, 0, 2, 2)
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    spike = shapely.Polygon([(0, 0), (2, 0), (2, 2), (2, 5), (2, 2), (0, 2)])
    fixed, n_repaired = repair(np.array([sound, bow, None, spike], dtype=object))
    assert n_repaired == 2
    assert fixed[0] is sound
    assert fixed[2] is None
    assert shapely.is_valid(fixed[[1, 3]]).all()
    assert fixed[1].area == pytest.approx(2.0)  # two triangles of 1
    assert fixed[3].area == pytest.approx(4.0)  # the spike has no area
    assert set(shapely.get_type_id(fixed[[1, 3]])) <= {3, 6}


def test_levels_agree_or_say_by_how_much() -> None:
    wards = shapely.box([0, 1000, 0, 3000], [0, 0, 1000, 0], [1000, 2000, 2000, 4000], [1000, 1000, 2000, 1000])
    codes, joined = dissolve(wards, ["A", "A", "A", "B"])
    assert codes == ("A", "B")
    assert shapely.area(joined).tolist() == [4e6, 1e6]
    given_shapes = shapely.box([0, 3000, 9000], [0, 0, 0], [2000, 4500, 9500], [2000, 1000, 1000])
    report = level_agreement(wards, ["A", "A", "A", "B"], given=given_shapes, given_codes=["A", "B", "C"])
    # A agrees; B is given half a square kilometre more; C (0.5 km2) has no members.
    assert report.codes == ("A", "B", "C")
    assert report.only_in_members_km2.tolist() == [0.0, 0.0, 0.0]
    assert report.only_in_given_km2 == pytest.approx([0.0, 0.5, 0.5])
    assert report.disagreement_km2 == pytest.approx(1.0)


def test_overlap_is_measured() -> None:
    assert overlap_km2(shapely.box([0, 1000], [0, 0], [1000, 2000], [1000, 1000])) == 0.0
    assert overlap_km2(shapely.box([0, 500], [0, 0], [1000, 1500], [1000, 1000])) == pytest.approx(0.5)


@pytest.mark.real
def test_london_wards_equal_testing_every_point(real_data) -> None:
    import geopandas as gpd

    wards = gpd.read_file(real_data / "boundaries" / "london_wards_2018_27700.gpkg")
    shapes, codes = np.array(wards.geometry, dtype=object), wards["GSS_CODE"].tolist()
    rng = np.random.default_rng(7)
    vertices = shapely.get_coordinates(shapes)
    border = vertices[rng.integers(0, len(vertices), 3_000)]
    west, south, east, north = wards.total_bounds
    xy = np.concatenate(
        (border, border + rng.normal(0, 5, border.shape), rng.uniform((west, south), (east, north), (20_000, 2)))
    )
    result = AreaIndex.build(shapes, codes).locate(xy)
    point, area = shapely.STRtree(shapes).query(shapely.points(xy), predicate="intersects")
    order = sorted(zip(point.tolist(), [codes[a] for a in area], strict=True), reverse=True)
    expected = dict(order)  # the code that sorts first is written last
    got = {p: codes[a] for p, a in enumerate(result.code_index) if a >= 0 and not result.snapped[p]}
    assert got == expected
    # Of the points outside, those within 25 m of London are snapped and the others are not.
    london = shapely.union_all(shapes)
    shapely.prepare(london)
    outside = np.setdiff1d(np.arange(len(xy)), point)
    np.testing.assert_array_equal(result.snapped[outside], shapely.dwithin(london, shapely.points(xy[outside]), 25.0))


def test_areas_that_overlap_are_paired_and_slivers_are_not() -> None:
    # A and B share 100 m x 1 km; B and C a sliver of half a metre along their border; D lies inside A.
    boxes = shapely.box([0, 900, 1999.5, 100], [0, 0, 0, 100], [1000, 2000, 3000, 200], [1000, 1000, 1000, 200])
    assert overlaps(boxes, ["B", "A", "C", "D"]) == [("A", "B", 0.1), ("B", "D", 0.01)]
    assert overlaps(shapely.box([0, 1000], [0, 0], [1000, 2000], [1000, 1000]), ["A", "B"]) == []
