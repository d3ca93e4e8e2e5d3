import json
import math
from itertools import permutations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.backtest import (
    Chosen,
    Method,
    Mosaic,
    Past,
    Ranking,
    Study,
    Target,
    Tiling,
    backtest,
    history_and_origins,
    rolling_origins,
    standard_methods,
    turned_grids,
)
from pipeline.backtest.methods import kde_method
from pipeline.backtest.scores import UNRANKED, compare
from pipeline.errors import InputError
from pipeline.geography.grid import Grid
from tests.backtest.direct_scores import direct_scores

GRID = Grid(0.0, 0.0, 250.0, 20, 20)
CELLS = Tiling.of(GRID, np.ones(GRID.shape))
TOWN = shapely.box(0, 0, 5_000, 5_000)
SETTINGS = {"eps_m": 200, "min_samples": 5}


def town(seed: int = 0, *, months: int = 6, a_month: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Incidents round three lasting centres, with an even background, month by month."""
    rng = np.random.default_rng(seed)
    centres = np.array([[1_200, 1_300], [3_600, 3_500], [3_900, 900]])
    n = months * a_month
    around = centres[rng.choice(3, n, p=[0.5, 0.3, 0.2])] + rng.normal(0, 180, (n, 2))
    even = rng.uniform(0, 5_000, (n, 2))
    points = np.where(rng.random((n, 1)) < 0.6, around, even).clip(0, 4_999)
    return points, np.repeat(np.arange(months), a_month)


def study(points: np.ndarray, when: np.ndarray) -> Study:
    # 25 wards of 1 km2, numbered along rows of five.
    ward = (points[:, 1] // 1_000).astype(int) * 5 + (points[:, 0] // 1_000).astype(int)
    return Study.of(
        points, when=when, tiling=CELLS, area_of=ward, area_km2=np.ones(25), population=np.full(25, 8_000.0)
    )


def methods(*bandwidths_m: float) -> tuple[Method | Chosen, ...]:
    return standard_methods(**SETTINGS, bandwidths_m=bandwidths_m, areas=True, population=True)


METHODS = methods(200.0, 400.0, 1_600.0)
PLAIN = tuple(m for m in METHODS if isinstance(m, Method))
BY_KEY = {m.key: m for m in PLAIN}


def run(points: np.ndarray, when: np.ndarray, **changes):
    arguments = {"methods": METHODS, "origins": (2, 3, 4, 5), "resamples": 199}
    return backtest(study(points, when), **(arguments | changes))


@pytest.mark.slow
def test_methods_stand_between_random_and_the_oracle() -> None:
    result = run(*town())
    assert result.test_incidents == 480
    by = {(s.method, s.area_pct): s for s in result.scores}
    names = [m.key for m in METHODS]
    assert names[0] == "kde"
    for pct in (1.0, 3.0, 5.0, 10.0):
        oracle = by["oracle", pct]
        assert by["random", pct].pai.value == pytest.approx(1)  # expected, not drawn
        for name in names:
            score = by[name, pct]
            assert score.hits <= oracle.hits + 1e-9
            assert 0 <= score.pei.value <= 1 + 1e-9
            assert score.pai.low <= score.pai.value <= score.pai.high
            assert score.pai.value == pytest.approx(score.hit_rate_pct.value / score.marked_pct)
            assert (score.marked_pct < pct - 1e-9) is (score.first_pct is None)
        assert by["kde", pct].pai.value > 2
    assert set(result.ranking) == set(names)
    assert result.standing == "ranked"
    first = [s.first_pct for s in result.scores if s.area_pct == 5.0 and s.first_pct is not None]
    assert sum(first) == pytest.approx(100)


def spy(seen: list[Past]) -> Method:
    def score(past: Past) -> np.ndarray:
        seen.append(past)
        return past.counts["cells"].astype(float)

    return Method("spy", "cells", score)


@pytest.mark.parametrize("change", ["move", "drop", "add"])
def test_what_comes_on_or_after_an_origin_changes_no_prediction_there(change: str) -> None:
    points, when = town()
    origin, rng = 4, np.random.default_rng(9)
    other, later = points.copy(), when.copy()
    if change == "move":
        other[when >= origin] = rng.uniform(0, 5_000, ((when >= origin).sum(), 2))
    elif change == "drop":
        other, later = points[when != origin], when[when != origin]
    else:
        other, later = np.concatenate([points, np.full((50, 2), 77.0)]), np.concatenate([when, np.full(50, origin)])
    one, two = study(points, when).past(origin, history=3, seed=0), study(other, later).past(origin, history=3, seed=0)
    for method in (*PLAIN, kde_method(400.0)):
        np.testing.assert_array_equal(method.score(one), method.score(two))


def test_a_method_gets_copies_of_the_past_and_nothing_else() -> None:
    points, when = town()
    seen: list[Past] = []
    run(points, when, methods=(spy(seen),), origins=(3, 4), history=2)
    for past, origin in zip(seen, (3, 4), strict=True):
        rows = (when >= origin - 2) & (when < origin)
        np.testing.assert_array_equal(past.points_m, points[rows])
        assert past.counts["cells"].sum() == past.counts["areas"].sum() == rows.sum()
        assert past.points_m.base is None or past.points_m.base.size == past.points_m.size
        assert past.area_km2["cells"].base is None
        assert past.latest["cells"].sum() == (when == origin - 1).sum()
        assert past.ever["areas"].sum() == (when < origin).sum()


def test_the_latest_period_is_one_that_the_data_has() -> None:
    points, when = town()
    with_gap = Study.of(points[when != 3], when=when[when != 3], tiling=CELLS, lacking=frozenset({3}))
    assert with_gap.past(4, history=2, seed=0).latest["cells"].sum() == (when == 2).sum()


@pytest.mark.slow
def test_the_bandwidth_is_chosen_from_what_earlier_origins_showed() -> None:
    points, when = town()

    def kde_hits(result) -> list[float]:
        return [s.hits for s in result.scores if s.method == "kde"]

    result = run(points, when, methods=METHODS[:1], origins=(2, 3, 4, 5))
    (ladder,) = result.ladders
    rates = {r.setting: r.hit_rate_pct for r in ladder.rungs}
    assert list(rates) == ["200 m", "400 m", "1600 m"]
    assert rates[ladder.best] == max(rates.values())
    assert sum(r.origins for r in ladder.rungs) == 4
    # One origin has nothing to look back on: the middle candidate is taken.
    first = run(points, when, methods=METHODS[:1], origins=(2,))
    assert kde_hits(first) == kde_hits(run(points, when, methods=methods(400.0)[:1], origins=(2,)))
    # At the second origin the winner of the first is taken.
    winner = float(first.ladders[0].best.removesuffix(" m"))
    there = run(points, when, methods=methods(winner)[:1], origins=(3,))
    two = run(points, when, methods=METHODS[:1], origins=(2, 3))
    assert kde_hits(two) == pytest.approx(np.add(kde_hits(first), kde_hits(there)))


@pytest.mark.parametrize(("caught", "best"), [((3, 1, 1), "a"), ((1, 3, 1), "b"), ((1, 1, 3), "c")])
def test_the_end_of_a_ladder_is_said_to_be_one(caught: tuple[int, ...], best: str) -> None:
    # Three candidates that each mark one cell, in which 3 or 1 incidents follow in every period.
    cells = [45, 111, 250]
    points = np.repeat(GRID.centre(cells), caught, axis=0)
    every = np.tile(points, (4, 1))
    marks = [Method(k, "cells", lambda _, c=c: np.eye(1, 400, c)[0]) for k, c in zip("abc", cells, strict=True)]
    for ordered in (True, False):
        chosen = Chosen("setting", tuple(marks), 1, ordered=ordered)
        (ladder,) = run(every, np.repeat(np.arange(4), 5), methods=(chosen,), origins=(1, 2, 3)).ladders
        assert (ladder.best, ladder.at_end) == (best, best in "ac" and ordered)
        assert [r.hit_rate_pct for r in ladder.rungs] == pytest.approx([20 * c for c in caught])


@pytest.mark.parametrize("tiling", [CELLS, Tiling.hexagons(TOWN, size_m=250.0)], ids=["squares", "hexagons"])
@pytest.mark.parametrize("bandwidth_m", [100.0, 600.0])
def test_kde_is_the_mean_of_the_direct_sum_of_kernels_over_each_cell(tiling: Tiling, bandwidth_m: float) -> None:
    points, when = town(a_month=20)
    past = Study.of(points, when=when, tiling=tiling).past(3, history=None, seed=0)
    got = kde_method(bandwidth_m).score(past)
    # Mean of the quartic kernel over each cell, by summing over all incidents at 1,000 and more places in the cell.
    offsets = (np.arange(-25, 25) + 0.5) * 6.0
    square = np.stack(np.meshgrid(offsets, offsets), axis=-1).reshape(-1, 2)
    for unit in np.argsort(-got)[[0, 5, 20, 40]]:
        places = tiling.grid.centre(tiling.cell[unit])[0] + square
        places = places[tiling.unit_of(places) == unit]
        u2 = ((places[:, None] - past.points_m[None]) ** 2).sum(axis=2) / bandwidth_m**2
        direct = np.where(u2 < 1, 3 / math.pi * (1 - u2) ** 2, 0).sum(axis=1).mean() / (bandwidth_m / 1e3) ** 2
        assert got[unit] == pytest.approx(direct, abs=got.max() * 0.03)
    # Mass is kept: every incident but those whose kernel leaves the town.
    assert 0.85 < (got * tiling.area_km2).sum() / len(past.points_m) <= 1.01


def test_kde_at_the_edge_is_divided_by_the_part_of_the_kernel_inside() -> None:
    # Incidents spread evenly, 40 for each cell: every cell has the same density, at the border and in corners too.
    at = np.arange(0, 5_000, 40.0) + 20.0
    points = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    per_km2 = 1e6 / 40.0**2
    river = shapely.box(0, 2_240, 5_000, 2_760)
    for outline, held in ((TOWN, np.ones(len(points), dtype=bool)), (TOWN - river, abs(points[:, 1] - 2_500) > 260)):
        tiling = Tiling.squares(outline, size_m=250.0)
        past = Study.of(points[held], when=np.zeros(int(held.sum())), tiling=tiling).past(1, history=None, seed=0)
        got = kde_method(600.0).score(past)
        # Without the division a corner has a quarter of it, and a bank half.
        assert got.min() == pytest.approx(per_km2, rel=0.06)
        assert got.max() == pytest.approx(per_km2, rel=0.06)


def test_clusters_come_in_the_order_of_the_map() -> None:
    # Ten incidents in a small hotspot far away, 30 in a large one over two cells, and a lone pair elsewhere.
    points = np.array(
        [[125.0, 125.0]] * 10 + [[3_125.0, 3_125.0]] * 20 + [[3_275.0, 3_125.0]] * 10 + [[999.0, 4_000.0]] * 2
    )
    past = study(points, np.zeros(42, dtype=int)).past(1, history=None, seed=0)
    score = BY_KEY["clusters"].score(past)
    order = np.argsort(-score, kind="stable")[:3]
    assert order.tolist() == [12 * 20 + 12, 12 * 20 + 13, 0]
    assert (np.delete(score, order) == 0).all()


def test_wards_without_residents_are_not_marked_by_rate() -> None:
    points, when = town()
    people = np.full(25, 1_000.0)
    people[6], people[7] = 0, np.nan
    ward = (points[:, 1] // 1_000).astype(int) * 5 + (points[:, 0] // 1_000).astype(int)
    past = Study.of(points, when=when, tiling=CELLS, area_of=ward, area_km2=np.ones(25), population=people)
    score = BY_KEY["area_rate"].score(past.past(3, history=None, seed=0))
    assert score[6] == score[7] == 0
    assert np.isfinite(score).all()


def test_wards_are_ranked_by_incidents_per_square_kilometre() -> None:
    # Ten incidents on 1 km2 come before 30 on 24 km2.
    points = np.array([[500.0, 500.0]] * 10 + [[3_000.0, 3_000.0]] * 30)
    area_of = [0] * 10 + [1] * 30
    of_two = Study.of(points, when=[0] * 40, tiling=CELLS, area_of=area_of, area_km2=[1.0, 24.0])
    assert BY_KEY["area_density"].score(of_two.past(1, history=None, seed=0)).tolist() == [10.0, 1.25]


@pytest.mark.slow
def test_under_a_hundred_test_incidents_nothing_is_ranked() -> None:
    points, when = town(a_month=24)
    result = run(points, when)
    assert result.test_incidents == 96
    assert result.ranking == ()
    assert result.standing == "too_few_incidents"
    assert run(*town(a_month=25)).ranking != ()


@pytest.mark.slow
def test_no_incident_after_the_origins_leaves_null_not_nan() -> None:
    points, when = town(months=3)
    result = run(points, when, origins=(3, 4, 5))
    assert result.test_incidents == 0
    assert all(s.pai.value is None and s.rri.value is None and s.first_pct is None for s in result.scores)
    assert result.ladders[0].best is None
    assert result.frame()["pai"].isna().all()
    assert ("nothing_after", {"n": 3, "of": 3}) in [(n.key, n.values) for n in result.notes]
    assert "NaN" not in json.dumps(result.as_dict(), allow_nan=False)


def test_no_incident_before_an_origin_is_a_tie_that_gains_nothing() -> None:
    points, when = town()
    result = run(points, when + 10, origins=(10,))
    assert "nothing_before" in [n.key for n in result.notes]
    at_5 = {s.method: s for s in result.scores if s.area_pct == 5.0}
    # Nothing is known, so nothing is marked.
    assert at_5["grid_count"].hits == at_5["gistar"].hits == at_5["kde"].hits == 0
    assert at_5["grid_count"].marked_pct == 0
    assert at_5["grid_count"].pai.value is None
    assert result.ranking == ()
    assert result.standing == "none_marks_enough"
    assert at_5["grid_count"].rri.value is None


def test_fewer_than_three_origins_have_no_interval() -> None:
    result = run(*town(), origins=(4, 5))
    assert all(s.pai.low is None and s.pai.high is None for s in result.scores)
    assert ("few_origins", {"n": 2, "needed": 3}) in [(n.key, n.values) for n in result.notes]
    assert not any(p.clear for p in result.pairs)
    assert set(result.equal) == set(result.ranking[1:])


@pytest.mark.slow
def test_equal_origins_give_an_interval_of_no_width() -> None:
    points, _ = town(months=1, a_month=200)
    every = np.concatenate([points] * 5)
    result = run(every, np.repeat(np.arange(5), 200), origins=(1, 2, 3, 4), history=1)
    grid = next(s for s in result.scores if s.method == "grid_count" and s.area_pct == 5.0)
    assert grid.pai.low == pytest.approx(grid.pai.value)
    assert grid.pai.high == pytest.approx(grid.pai.value)
    assert grid.pei.value == pytest.approx(1.0)  # what came is what was
    assert grid.rri.value == pytest.approx(1.0)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result_and_order_does_not_matter() -> None:
    points, when = town()
    one = run(points, when, seed=3)
    assert one == run(points, when, seed=3)
    mixed = np.random.default_rng(1).permutation(when.size)
    assert run(points[mixed], when[mixed], seed=3).frame().equals(one.frame())


def test_incidents_outside_the_units_are_counted_and_left_out() -> None:
    points, when = town()
    far = np.concatenate([points, [[9_999.0, 9_999.0]] * 7])
    placed = Study.of(far, when=np.concatenate([when, [5] * 7]), tiling=CELLS)
    plain = standard_methods(**SETTINGS, areas=False, population=False)
    result = backtest(placed, methods=plain, origins=(3, 4, 5), resamples=99)
    assert ("outside", {"n": 7}) in [(n.key, n.values) for n in result.notes]
    assert result.test_incidents == 360
    assert {s.method for s in result.scores} == {m.key for m in plain} | UNRANKED
    assert {"clusters", "gistar", "grid_count", "long_run", "last_period"} == {m.key for m in plain}


def test_cells_partly_inside_count_by_what_is_inside() -> None:
    inside = np.ones(GRID.shape)
    inside[:, 0], inside[0, :] = 0.5, 0.0
    tiling = Tiling.of(GRID, inside)
    assert tiling.area_km2.sum() == pytest.approx((19 * 19 + 19 * 0.5) * 0.0625)
    assert tiling.area_km2.size == 19 * 20


HOLE = shapely.Polygon([(130, 40), (4_700, 410), (4_200, 4_900), (300, 4_400)], [[(2e3, 2e3), (2e3, 3e3), (3e3, 2e3)]])


@pytest.mark.parametrize(
    "tiling",
    [
        Tiling.squares(HOLE, size_m=150.0),
        Tiling.squares(HOLE, size_m=250.0, turn_deg=30.0, shift=0.5),
        Tiling.hexagons(HOLE, size_m=250.0),
    ],
    ids=lambda t: t.name,
)
def test_every_tiling_covers_the_study_area_and_nothing_else(tiling: Tiling) -> None:
    assert tiling.area_km2.sum() == pytest.approx(HOLE.area / 1e6, rel=1e-6)
    points = np.random.default_rng(0).uniform(0, 5_000, (4_000, 2))
    inside = shapely.contains_xy(HOLE, *points.T)
    unit = tiling.unit_of(points)
    assert (unit[inside] >= 0).all()
    # Points outside that have a unit lie in cells that the outline cuts.
    away = shapely.distance(HOLE, shapely.points(points[~inside & (unit >= 0)]))
    assert away.max() <= tiling.size_m * math.sqrt(2)
    # Two points in one unit are no further apart than a square's diagonal or a hexagon's, and units hold their share.
    far = np.array([np.ptp(points[unit == u], axis=0).max() for u in np.unique(unit[unit >= 0])])
    assert far.max() <= tiling.size_m * math.sqrt(2) + 1e-6


def test_hexagons_have_six_neighbours_and_squares_eight() -> None:
    for tiling, most in ((CELLS, 8), (Tiling.hexagons(TOWN, size_m=250.0), 6)):
        degree = np.asarray(tiling.neighbours.matrix.sum(axis=1)).ravel()
        assert degree.max() == most
        assert np.median(degree) == most


def test_a_turned_grid_is_taken_where_it_serves_better() -> None:
    # Incidents along a street at 45 degrees: a grid turned so holds them in fewer cells.
    along = np.random.default_rng(4).uniform(-1_500, 1_500, (1_200, 1)) * np.array([[1.0, 1.0]])
    points = along + 2_500 + np.random.default_rng(5).normal(0, 25, (1_200, 2)) + np.array([[60.0, -60.0]])
    grids = turned_grids(TOWN, size_m=250.0)
    assert len({t.name for t in grids}) == 12
    plain = standard_methods(**SETTINGS, turned=grids, areas=False, population=False)
    street = Study.of(points, when=np.arange(1_200) % 6, tiling=grids[0], turned=grids)
    all_of_it = Target.read("18 cells of 250 m")  # the street is 4.2 km long: a row of 17
    result = backtest(street, methods=plain, origins=(2, 3, 4, 5), targets=(all_of_it,), rank_by=all_of_it)
    (ladder,) = result.ladders
    assert "turned 45°" in ladder.best
    by = {s.method: s.hits for s in result.scores}
    assert by["turned_grid"] > by["grid_count"]
    assert ladder.rungs[0].origins == 1  # at the first origin nothing is known, and the grid stays as it is


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
@pytest.mark.slow
def test_ties_are_worth_what_a_random_choice_among_them_catches_on_average(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    score, hits = rng.integers(0, 3, n), rng.integers(0, 6, n)
    area = np.full(n, float(rng.integers(1, 5)))
    share = float(rng.uniform(0.01, 1))
    got = Ranking.of(score, hits=hits, before=hits * 2, area_km2=area).take([share * area.sum()])

    def fill(order) -> tuple[float, float]:
        room, total, taken = share * area.sum(), 0.0, 0.0
        for i in order:
            part = min(1.0, room / area[i])
            total, taken, room = total + part * hits[i], taken + part * area[i], room - part * area[i]
            if room <= 1e-12:
                break
        return total, taken

    # Every order of the units, sorted by score: the orders of tied units come equally often.
    orders = [sorted((i for i in order if score[i] > 0), key=lambda i: -score[i]) for order in permutations(range(n))]
    mean, taken = np.mean([fill(order) for order in orders], axis=0)
    assert got.hits[0] == pytest.approx(mean)
    assert got.before[0] == pytest.approx(2 * mean)
    assert got.area_share[0] * area.sum() == pytest.approx(taken)
    room = taken
    best = sum(h * np.clip(room - k * area[0], 0, area[0]) / area[0] for k, h in enumerate(sorted(hits)[::-1]))
    assert got.best[0] == pytest.approx(best)


def test_units_of_different_area_are_taken_in_order_and_ties_by_area() -> None:
    # 10 km2: 1 km2 with score 3, then 2 and 3 km2 with score 1; 4 km2 are not marked.
    kind = {"hits": [5, 6, 9, 99], "before": [1, 2, 3, 4], "area_km2": [1.0, 2.0, 3.0, 4.0]}
    got = Ranking.of([3, 1, 1, 0], **kind).take([0.5, 1.0, 3.5, 6.0, 9.0])
    # 0.5 km2 are half of the first; 3.5 km2 are the first and half of the tied 5 km2; 9 km2 are all that is marked.
    assert got.hits.tolist() == pytest.approx([2.5, 5, 12.5, 20, 20])
    assert got.area_share.tolist() == pytest.approx([0.05, 0.1, 0.35, 0.6, 0.6])
    assert got.tied_units.tolist() == [0, 0, 2, 0, 0]
    assert got.tied_share.tolist() == pytest.approx([0, 0, 0.25, 0, 0])
    # The most that 6 km2 can hold: 4 km2 with 99, 1 km2 with 5, and a third of the 9 on 3 km2.
    assert got.best[3] == pytest.approx(99 + 5 + 3)


@pytest.mark.slow
def test_a_method_that_marks_less_than_asked_stops_there_and_is_not_ranked() -> None:
    points, when = town()
    busiest = np.zeros(400)
    busiest[12 * 20 + 12 : 12 * 20 + 16] = 1  # 1 % of the area
    result = run(points, when, methods=(*METHODS, Method("four cells", "cells", lambda _: busiest)))
    scores = {round(s.area_pct, 6): s for s in result.scores if s.method == "four cells"}
    assert [scores[p].marked_pct for p in (1.0, 3.0, 5.0, 10.0)] == pytest.approx([1, 1, 1, 1])
    assert len({s.hits for s in scores.values()}) == len({s.pai.value for s in scores.values()}) == 1
    assert scores[1.0].first_pct is not None
    assert scores[5.0].first_pct is None
    assert "four cells" not in result.ranking


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_ties_broken_by_lot_scatter_about_the_expected_catch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score, hits = rng.integers(0, 3, 30), rng.integers(0, 4, 30)
    ranking = Ranking.of(score, hits=hits, before=hits, area_km2=np.ones(30))
    areas = np.array([0.4, 4.0, 7.5, 12.0])
    taken = ranking.take(areas)
    for half in (False, True):
        drawn = ranking.drawn(areas, half=half, draws=4_000, rng=np.random.default_rng(1))
        assert drawn.mean(axis=0) == pytest.approx(taken.hits, abs=0.15)
        assert (drawn.std(axis=0)[taken.tied_units == 0] < 1e-9).all()
    # By hand for the whole lots: k of m tied units without replacement.
    at = 1
    if taken.tied_units[at]:
        tied = hits[score == 2] if taken.tied_units[at] == (score == 2).sum() else hits[score == 1]
        k, m = round(taken.tied_share[at] * 30), tied.size
        if m > 1 and k == taken.tied_share[at] * 30:
            drawn = ranking.drawn(areas, half=False, draws=4_000, rng=np.random.default_rng(2))[:, at]
            assert drawn.std() == pytest.approx(np.sqrt(k * tied.var() * (m - k) / (m - 1)), abs=0.12)


@pytest.mark.slow
def test_the_report_says_how_often_other_lots_would_change_the_order() -> None:
    points, when = town(a_month=60)
    flat = Method("flat", "cells", lambda _: np.ones(400))
    level = Method("also flat", "cells", lambda _: np.ones(400))
    result = run(points, when, methods=(*METHODS, flat, level))
    at_5 = {s.method: s for s in result.scores if s.target == "5 %"}
    # Two methods that know nothing catch what chance does: their order is a matter of lots.
    assert at_5["flat"].tied_units == 400
    assert at_5["flat"].tied_pct == pytest.approx(5)
    assert at_5["flat"].other_seed_pct > 25
    assert at_5["kde"].tied_units < 30
    assert at_5["random"].other_seed_pct is None


def test_differences_are_paired_on_the_area_that_both_mark() -> None:
    points, when = town()
    counts = BY_KEY["grid_count"]
    busiest = Method("busiest", "cells", lambda past: np.where(past.counts["cells"] >= 8, past.counts["cells"], 0))
    result = run(points, when, methods=(counts, busiest))
    (pair,) = result.pairs
    # The same order, and the one stops short: on its own area it is the other.
    assert (pair.method, pair.other) == ("busiest", "grid_count")
    assert pair.area_pct < 5
    assert pair.difference.value == pytest.approx(0)
    assert not pair.clear
    assert result.ranking == ("grid_count",)


def test_intervals_of_differences_cover_in_few_origins() -> None:
    # Two methods that are equally good: how often the months are said to tell them apart, by the number of months.
    rng, found = np.random.default_rng(0), {}
    for origins in (3, 6, 12):
        draws = np.random.default_rng(1).integers(0, origins, size=(199, origins))
        tests = np.full(origins, 1_000)
        clear = 0
        for _ in range(400):
            noise = np.zeros((origins, 2, 2))
            noise[:, 1, 0] = rng.normal(0, 10, origins)
            clear += compare(["a", "b"], noise, noise, tests=tests, draws=draws)[0].clear
        found[origins] = clear / 400
    assert max(found.values()) < 0.09, found


def test_six_periods_are_enough_and_three_are_not() -> None:
    assert history_and_origins(6, count=6) == (3, 3)
    assert history_and_origins(4, count=6) == (3, 1)
    assert history_and_origins(24, count=6, horizon=3) == (6, 6)
    assert history_and_origins(3, count=6)[1] == 0


def test_the_direct_script_finds_the_same() -> None:
    points, when = town()
    targets = tuple(Target.read(t) for t in ("1 %", "5 %", "20 cells of 600 ft", "1.5 km2"))
    plain = tuple(BY_KEY[k] for k in ("grid_count", "last_period", "long_run"))
    result = run(points, when, methods=plain, origins=(3, 4, 5), history=3, targets=targets, rank_by=targets[1])
    asked = [0.25, 1.25, 20 * (600 * 0.3048) ** 2 / 1e6, 1.5]
    for key, history in (("grid_count", 3), ("last_period", 1), ("long_run", None)):
        direct = direct_scores(points, when, cell_m=250.0, areas_km2={}, asked_km2=asked, total_km2=25.0,
                               origins=(3, 4, 5), history=history)  # fmt: skip
        for score, expected in zip([s for s in result.scores if s.method == key], direct, strict=True):
            assert score.hits == pytest.approx(expected["hits"])
            assert score.hit_rate_pct.value == pytest.approx(expected["hit_rate_pct"])
            assert score.pai.value == pytest.approx(expected["pai"])
            assert score.pei.value == pytest.approx(expected["pei"])
            assert score.marked_pct == pytest.approx(expected["marked_pct"])


def test_origins_roll_back_from_the_end() -> None:
    when = np.arange(100, 112)
    assert rolling_origins(when, count=3) == (109, 110, 111)
    assert rolling_origins(when, count=3, horizon=2) == (106, 108, 110)
    assert rolling_origins(when, count=60, history=9) == (109, 110, 111)
    assert rolling_origins(when, count=3, history=12) == ()
    assert rolling_origins([], count=3) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"origins": ()}, "no origin"),
        ({"origins": (3, 3)}, "no incident tests twice"),
        ({"origins": (3, 4), "horizon": 2}, "no incident tests twice"),
        ({"rank_by": Target.read("20 %")}, "rank by one of them"),
        ({"methods": (Method("x", "streets", lambda _: np.zeros(1)),)}, "'streets'"),
        ({"methods": (Method("x", "cells", lambda _: np.full(400, np.nan)),)}, "score every unit"),
        ({"methods": (Method("x", "cells", lambda _: np.zeros(3)),)}, "one per unit"),
        ({"targets": (Target.read("26 km2"), Target.read("5 %")), "rank_by": Target.read("5 %")}, "mark less of it"),
        ({"methods": METHODS + METHODS[:1]}, "names twice"),
    ],
)
def test_bad_settings_are_one_clear_error(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        run(*town(), **change)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Study.of([[0, 0]], when=[1, 2], tiling=CELLS), "1 points and 2 periods"),
        (lambda: Study.of([[0, np.nan]], when=[1], tiling=CELLS), "finite"),
        (lambda: Tiling.of(GRID, np.ones((2, 2))), "the grid's shape"),
        (lambda: Study.of([[0, 0]], when=[1], tiling=CELLS, area_of=[], area_km2=[1]), "1 inc"),
        (lambda: Target.read("5"), "no area to mark"),
        (lambda: Target.read("101 %"), "no area to mark"),
        (lambda: Target.read("0 cells of 600 ft"), "no area to mark"),
        (lambda: Mosaic("areas", np.ones(2), np.array([2])), "does not exist"),
        (lambda: Mosaic("areas", np.ones(2), np.array([1]), np.ones(3)), "3 populations"),
    ],
)
def test_bad_input_is_one_clear_error(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


def test_nothing_is_tested_in_a_period_that_the_data_lacks() -> None:
    when = [m for m in range(1, 25) if m != 22]
    assert rolling_origins(when, count=4, history=12) == (21, 22, 23, 24)
    assert rolling_origins(when, count=4, history=12, lacking=[22]) == (20, 21, 23, 24)
    assert rolling_origins(when, count=4, history=12, horizon=3, lacking=[22]) == (13, 16, 19)
