"""Coverage simplification and arcs: hand-worked squares, random partitions, and Shapely as the judge of areas."""

import itertools
from collections import Counter

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.geography import topology as simplify

LEFT = ((0, 0), (10, 0), (10, 10), (0, 10))
RIGHT = ((10, 0), (20, 0), (20, 10), (10, 10))


def lonlat(*rings: tuple[tuple[float, float], ...]) -> shapely.Polygon:
    unit = simplify.UNITS_PER_DEGREE
    outer, *holes = [[(x / unit, y / unit) for x, y in ring] for ring in rings]
    return shapely.Polygon(outer, holes)


def segments(rings) -> Counter:
    return Counter((a, b) for ring in rings for a, b in zip(ring, (*ring[1:], ring[0]), strict=True))


def unrolled(made: simplify.Topology, refs) -> tuple[tuple[int, int], ...]:
    points: list[tuple[int, int]] = []
    for r in refs:
        arc = made.arcs[r] if r >= 0 else made.arcs[-r - 1][::-1]
        points.extend(arc[:-1])
    return tuple(points)


def partition(seed: int, n: int) -> np.ndarray:
    """Voronoi cells of random points in a 10 km square: an exact coverage."""
    points = shapely.multipoints(np.random.default_rng(seed).uniform(0, 10_000, (n, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(points))
    return np.array([c.intersection(shapely.box(0, 0, 10_000, 10_000)) for c in cells], dtype=object)


def test_two_squares_share_one_arc() -> None:
    made = simplify.topology([[[LEFT], [RIGHT]], [[simplify.dissolve_rings([[LEFT], [RIGHT]])[0]]]])
    assert len(made.arcs) == 3  # left side, right side, and the border between them, once
    border = [k for k, arc in enumerate(made.arcs) if set(arc) == {(10, 0), (10, 10)}]
    assert len(border) == 1
    used = Counter(r if r >= 0 else -r - 1 for layer in made.shapes for shape in layer for ring in shape for r in ring)
    assert used == {border[0]: 2} | {k: 2 for k in range(3) if k != border[0]}


def test_dissolving_two_squares_leaves_their_outline() -> None:
    (ring,) = simplify.dissolve_rings([[LEFT], [RIGHT]])
    assert set(ring) == {(0, 0), (10, 0), (20, 0), (20, 10), (10, 10), (0, 10)}
    assert shapely.Polygon(ring).area == 200
    assert shapely.LinearRing(ring).is_ccw


def test_dissolving_a_frame_keeps_its_hole() -> None:
    outer = ((0, 0), (30, 0), (30, 30), (0, 30))
    hole = ((10, 10), (10, 20), (20, 20), (20, 10))
    assert segments(simplify.dissolve_rings([[outer, hole]])) == segments([outer, hole])
    filled = simplify.dissolve_rings([[outer, hole], [hole[::-1]]])
    assert segments(filled) == segments([outer])


def test_rings_run_outer_anticlockwise_and_holes_clockwise() -> None:
    shape = lonlat(((0, 0), (0, 30), (30, 30), (30, 0)), ((10, 10), (20, 10), (20, 20), (10, 20)))
    ((outer, hole),) = simplify.quantised_rings(np.array([shape]))
    assert shapely.LinearRing(outer).is_ccw
    assert not shapely.LinearRing(hole).is_ccw


def test_specks_vanish_and_nothing_else() -> None:
    speck = lonlat(((0, 0), (1, 0), (1, 1))).buffer(0)
    smaller = shapely.affinity.scale(speck, 0.1, 0.1, origin=(0, 0))
    kept = simplify.quantised_rings(np.array([speck, smaller, shapely.MultiPolygon([smaller, speck])], dtype=object))
    assert [len(rings) for rings in kept] == [1, 0, 1]
    assert simplify.quantised_rings(np.zeros(0, dtype=object)) == []


def test_a_point_that_rounding_puts_on_its_neighbour_is_left_out_at_the_seam_too() -> None:
    # The ring begins a tenth of a step from where it ends.
    shape = lonlat(((0.1, 0), (30, 0), (30, 30), (0, 30), (0, 0)))
    assert simplify.quantised_rings(np.array([shape])) == [(((30, 0), (30, 30), (0, 30), (0, 0)),)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 25))
def test_a_simplified_partition_has_no_gap_and_no_sliver(seed: int, n: int) -> None:
    cells = simplify.simplify_coverage(partition(seed, n), tolerance_m=300.0)
    rings = simplify.quantised_rings(shapely.transform(cells, lambda p: p / 111_000))
    found = segments(r for shape in rings for r in shape)
    assert max(found.values()) == 1
    alone = [(a, b) for a, b in found if (b, a) not in found]
    assert segments(simplify.dissolve_rings(rings)) == Counter(alone)
    made = simplify.topology([rings])
    for shape, refs in zip(rings, made.shapes[0], strict=True):
        for ring, r in zip(shape, refs, strict=True):
            assert segments([unrolled(made, r)]) == segments([ring])
    stored = Counter(frozenset(pair) for arc in made.arcs for pair in itertools.pairwise(arc))
    assert max(stored.values()) == 1  # every border once
    assert set(stored) == {frozenset(pair) for pair in found}


def test_simplifying_keeps_the_whole_area_and_every_shape() -> None:
    cells = np.array(
        [shapely.box(x, y, x + 1000, y + 1000) for x in range(0, 10_000, 1000) for y in range(0, 10_000, 1000)],
        dtype=object,
    )
    fine = shapely.segmentize(cells, 100.0)
    simple = simplify.simplify_coverage(fine, tolerance_m=300.0)
    assert shapely.coverage_is_valid(simple)
    assert shapely.get_num_coordinates(simple).sum() < shapely.get_num_coordinates(fine).sum() / 2
    assert shapely.area(simple).sum() == pytest.approx(1e8, rel=1e-2)
    assert not shapely.is_empty(simple).any()


def test_zero_tolerance_changes_nothing() -> None:
    cells = partition(1, 5)
    assert shapely.equals_exact(simplify.simplify_coverage(cells, tolerance_m=0.0), cells).all()


@given(st.lists(st.tuples(st.integers(-(10**7), 10**7), st.integers(-(10**7), 10**7)), min_size=1, max_size=30))
@pytest.mark.slow
def test_delta_coding_is_undone(points: list[tuple[int, int]]) -> None:
    assert simplify.decode_arc(simplify.delta_code(points)) == tuple(points)


def test_the_same_input_gives_the_same_arcs_and_islands_share_theirs() -> None:
    island = ((5, 5), (8, 5), (8, 8))
    turned = (*island[1:], island[0])
    made = simplify.topology([[[island]], [[turned]]])
    assert len(made.arcs) == 1
    assert made.shapes == (((((0,),),)), ((((0,),),)))
    assert made == simplify.topology([[[island]], [[turned]]])


def test_largest_circle_of_a_square_and_of_the_larger_part() -> None:
    square = shapely.box(0, 0, 2000, 2000)
    parts = shapely.MultiPolygon([square, shapely.box(9000, 0, 9100, 100)])
    radii, centres = simplify.inscribed_circles(np.array([square, parts], dtype=object), tolerance_m=1.0)
    assert radii == pytest.approx([1000, 1000], abs=2)
    assert [(c.x, c.y) for c in centres] == [pytest.approx((1000, 1000), abs=2)] * 2


def test_a_river_between_two_banks_is_found_and_a_plain_square_has_none() -> None:
    banks = shapely.union_all([shapely.box(0, 0, 20_000, 5000), shapely.box(0, 5400, 20_000, 10_000)])
    river = simplify.water_gaps(banks)
    assert river.area == pytest.approx(400 * 20_000, rel=0.05)
    assert simplify.water_gaps(shapely.box(0, 0, 20_000, 10_000)).is_empty
