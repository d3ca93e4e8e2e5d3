import json
import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.backtest import Method, Mosaic, Past, Study, backtest, cover, rolling_origins, standard_methods
from pipeline.errors import InputError
from pipeline.geography.grid import Grid

GRID = Grid(0.0, 0.0, 250.0, 20, 20)
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
    return Study.lay(
        points, when=when, grid=GRID, inside=np.ones(GRID.shape), area_of=ward, area_km2=np.ones(25),
        population=np.full(25, 8_000.0),
    )  # fmt: skip


METHODS = standard_methods(**SETTINGS, areas=True, population=True)


def run(points: np.ndarray, when: np.ndarray, **changes):
    arguments = {"methods": METHODS, "origins": (2, 3, 4, 5), "bandwidths_m": (200.0, 400.0, 1_600.0), "resamples": 199}
    return backtest(study(points, when), **(arguments | changes))


def test_methods_stand_between_random_and_the_oracle() -> None:
    result = run(*town())
    assert result.test_incidents == 480
    by = {(s.method, s.area_pct): s for s in result.scores}
    names = ["KDE", "clusters", "Gi*", "grid count", "ward count", "ward rate"]
    for pct in (1.0, 3.0, 5.0, 10.0):
        oracle = by["oracle", pct]
        assert by["random", pct].pai.value == pytest.approx(1)  # expected, not drawn
        for name in names:
            score = by[name, pct]
            assert score.hits <= oracle.hits + 1e-9
            assert 0 <= score.pei.value <= 1 + 1e-9
            assert score.pai.low <= score.pai.value <= score.pai.high
            assert score.pai.value == pytest.approx(score.hit_rate_pct.value / score.marked_pct)
            assert (score.marked_pct < pct) is (score.first_pct is None)
        assert by["KDE", pct].pai.value > 2
    assert set(result.ranking) == set(names)
    assert result.verdict.startswith(f"{result.ranking[0]} catches most: ")
    assert sum(s.first_pct for s in result.scores if s.area_pct == 5.0 and s.first_pct is not None) == pytest.approx(
        100
    )


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
    from pipeline.backtest.methods import kde_method

    for method in (*METHODS, kde_method(400.0)):
        np.testing.assert_array_equal(method.score(one), method.score(two))


def test_a_method_gets_copies_of_the_past_and_nothing_else() -> None:
    points, when = town()
    seen: list[Past] = []
    run(points, when, methods=(spy(seen),), origins=(3, 4), history=2, bandwidths_m=())
    for past, origin in zip(seen, (3, 4), strict=True):
        rows = (when >= origin - 2) & (when < origin)
        np.testing.assert_array_equal(past.points_m, points[rows])
        assert past.counts["cells"].sum() == past.counts["areas"].sum() == rows.sum()
        assert past.points_m.base is None or past.points_m.base.size == past.points_m.size
        assert past.area_km2["cells"].base is None


def test_the_bandwidth_is_chosen_from_what_earlier_origins_showed() -> None:
    points, when = town()
    result = run(points, when, origins=(2, 3, 4, 5))
    pai = {r.bandwidth_m: r.pai for r in result.ladder}
    assert list(pai) == [200.0, 400.0, 1_600.0]
    assert result.bandwidth_m == max(pai, key=lambda b: (pai[b], b))  # of equals the wider
    # One origin has nothing to look back on: the middle candidate is taken.
    first = run(points, when, origins=(2,), bandwidths_m=(200.0, 400.0, 1_600.0))
    alone = run(points, when, origins=(2,), bandwidths_m=(400.0,))
    assert [s.hits for s in first.scores if s.method == "KDE"] == [s.hits for s in alone.scores if s.method == "KDE"]
    # At the second origin the winner of the first is taken.
    two = run(points, when, origins=(2, 3))
    winner = run(points, when, origins=(2,)).bandwidth_m
    there = run(points, when, origins=(3,), bandwidths_m=(winner,))
    together = [a.hits + b.hits for a, b in zip(first.scores, there.scores, strict=True) if a.method == "KDE"]
    assert [s.hits for s in two.scores if s.method == "KDE"] == pytest.approx(together)


def test_kde_ranks_by_the_direct_sum_of_kernels() -> None:
    from pipeline.backtest.methods import kde_method

    points, when = town(a_month=20)
    past = study(points, when).past(3, history=None, seed=0)
    got = kde_method(600.0).score(past)
    # Mean of the quartic kernel over each cell, by summing over all incidents at 10 x 10 places in the cell.
    offsets = (np.arange(10) + 0.5) * 25.0
    for cell in (0, 45, 111, 250, 399):
        corner = np.array([cell % 20, cell // 20]) * 250.0
        places = corner + np.stack(np.meshgrid(offsets, offsets), axis=-1).reshape(-1, 2)
        u2 = ((places[:, None] - past.points_m[None]) ** 2).sum(axis=2) / 600.0**2
        direct = np.where(u2 < 1, 3 / math.pi * (1 - u2) ** 2, 0).sum(axis=1).mean() / 0.6**2
        assert got[cell] == pytest.approx(direct, abs=got.max() * 0.005)


def test_clusters_come_in_the_order_of_the_map() -> None:
    # Ten incidents in a small hotspot far away, 30 in a large one over two cells, and a lone pair elsewhere.
    points = np.array(
        [[125.0, 125.0]] * 10 + [[3_125.0, 3_125.0]] * 20 + [[3_275.0, 3_125.0]] * 10 + [[999.0, 4_000.0]] * 2
    )
    past = study(points, np.zeros(42, dtype=int)).past(1, history=None, seed=0)
    score = standard_methods(**SETTINGS, areas=False, population=False)[0].score(past)
    order = np.argsort(-score, kind="stable")[:3]
    assert order.tolist() == [12 * 20 + 12, 12 * 20 + 13, 0]
    assert (np.delete(score, order) == 0).all()


def test_wards_without_residents_rank_last_by_rate() -> None:
    points, when = town()
    people = np.full(25, 1_000.0)
    people[6], people[7] = 0, np.nan
    laid = Study.lay(
        points, when=when, grid=GRID, inside=np.ones(GRID.shape), area_km2=np.ones(25), population=people,
        area_of=(points[:, 1] // 1_000).astype(int) * 5 + (points[:, 0] // 1_000).astype(int),
    )  # fmt: skip
    score = METHODS[-1].score(laid.past(3, history=None, seed=0))
    assert score[6] == score[7] == 0
    assert np.isfinite(score).all()


def test_under_a_hundred_test_incidents_nothing_is_ranked() -> None:
    points, when = town(a_month=24)
    result = run(points, when)
    assert result.test_incidents == 96
    assert result.ranking == ()
    assert result.verdict == "too few to rank methods: 96 test incidents, 100 are needed"
    assert run(*town(a_month=25)).ranking != ()


def test_no_incident_after_the_origins_leaves_null_not_nan() -> None:
    points, when = town(months=3)
    result = run(points, when, origins=(3, 4, 5))
    assert result.test_incidents == 0
    assert all(s.pai.value is None and s.rri.value is None and s.first_pct is None for s in result.scores)
    assert result.bandwidth_m is None
    assert result.frame()["pai"].isna().all()
    assert "3 of 3 origins have no incident after them." in result.notes
    assert "NaN" not in json.dumps(result.as_dict(), allow_nan=False)


def test_no_incident_before_an_origin_is_a_tie_that_gains_nothing() -> None:
    points, when = town()
    result = run(points, when + 10, origins=(10,), methods=METHODS)
    assert any("every method ties there" in n for n in result.notes)
    at_5 = {s.method: s for s in result.scores if s.area_pct == 5.0}
    # Nothing is known, so nothing is marked.
    assert at_5["grid count"].hits == at_5["Gi*"].hits == at_5["KDE"].hits == 0
    assert at_5["grid count"].marked_pct == 0
    assert at_5["grid count"].pai.value is None
    assert result.ranking == ()
    assert result.verdict == "no method marks 5 % of the area"
    assert at_5["grid count"].rri.value is None


def test_fewer_than_three_origins_have_no_interval() -> None:
    result = run(*town(), origins=(4, 5))
    assert all(s.pai.low is None and s.pai.high is None for s in result.scores)
    assert any("2 origins are too few for intervals" in n for n in result.notes)
    assert result.verdict.endswith("(fewer than 3 origins: no interval)")


def test_equal_origins_give_an_interval_of_no_width() -> None:
    points, _ = town(months=1, a_month=200)
    every = np.concatenate([points] * 5)
    result = run(every, np.repeat(np.arange(5), 200), origins=(1, 2, 3, 4), history=1, bandwidths_m=())
    grid = next(s for s in result.scores if s.method == "grid count" and s.area_pct == 5.0)
    assert grid.pai.low == pytest.approx(grid.pai.value)
    assert grid.pai.high == pytest.approx(grid.pai.value)
    assert grid.pei.value == pytest.approx(1.0)  # what came is what was
    assert grid.rri.value == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_result_and_order_does_not_matter() -> None:
    points, when = town()
    one = run(points, when, seed=3)
    assert one == run(points, when, seed=3)
    mixed = np.random.default_rng(1).permutation(when.size)
    assert run(points[mixed], when[mixed], seed=3).frame().equals(one.frame())


def test_incidents_outside_the_units_are_counted_and_left_out() -> None:
    points, when = town()
    far = np.concatenate([points, [[9_999.0, 9_999.0]] * 7])
    laid = Study.lay(far, when=np.concatenate([when, [5] * 7]), grid=GRID, inside=np.ones(GRID.shape))
    methods = standard_methods(**SETTINGS, areas=False, population=False)
    result = backtest(laid, methods=methods, origins=(3, 4, 5), resamples=99)
    assert "7 incidents lie outside the units and take no part." in result.notes
    assert result.test_incidents == 360
    assert {s.method for s in result.scores} == {"clusters", "Gi*", "grid count", "random", "oracle"}


def test_cells_partly_inside_count_by_what_is_inside() -> None:
    inside = np.ones(GRID.shape)
    inside[:, 0], inside[0, :] = 0.5, 0.0
    laid = Study.lay(np.zeros((0, 2)), when=[], grid=GRID, inside=inside)
    assert laid.cells.area_km2.sum() == pytest.approx((19 * 19 + 19 * 0.5) * 0.0625)
    assert laid.cells.area_km2.size == 19 * 20


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_ties_are_worth_what_a_random_choice_among_them_catches_on_average(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    score, hits = rng.integers(0, 3, n), rng.integers(0, 6, n)
    area = np.full(n, float(rng.integers(1, 5)))
    share = float(rng.uniform(0.01, 1))
    got = cover(score, hits=hits, before=hits * 2, area_km2=area, shares=(share,))

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
    got = cover([3, 1, 1, 0], **kind, shares=(0.05, 0.1, 0.35, 0.6, 0.9))
    # 0.5 km2 are half of the first; 3.5 km2 are the first and half of the tied 5 km2; 9 km2 are all that is marked.
    assert got.hits.tolist() == pytest.approx([2.5, 5, 12.5, 20, 20])
    assert got.area_share.tolist() == pytest.approx([0.05, 0.1, 0.35, 0.6, 0.6])
    assert got.tied_units.tolist() == [0, 0, 2, 0, 0]
    assert got.tied_share.tolist() == pytest.approx([0, 0, 0.25, 0, 0])
    # The most that 6 km2 can hold: 4 km2 with 99, 1 km2 with 5, and a third of the 9 on 3 km2.
    assert got.best[3] == pytest.approx(99 + 5 + 3)


def test_a_method_that_marks_less_than_asked_stops_there_and_is_not_ranked() -> None:
    points, when = town()
    busiest = np.zeros(400)
    busiest[12 * 20 + 12 : 12 * 20 + 16] = 1  # 1 % of the area
    result = run(points, when, methods=(*METHODS, Method("four cells", "cells", lambda _: busiest)))
    scores = {s.area_pct: s for s in result.scores if s.method == "four cells"}
    assert [scores[p].marked_pct for p in (1.0, 3.0, 5.0, 10.0)] == pytest.approx([1, 1, 1, 1])
    assert len({s.hits for s in scores.values()}) == len({s.pai.value for s in scores.values()}) == 1
    assert scores[1.0].first_pct is not None
    assert scores[5.0].first_pct is None
    assert "four cells" not in result.ranking


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
        ({"rank_by": 0.2}, "rank by one of them"),
        ({"methods": (Method("x", "streets", lambda _: np.zeros(1)),)}, "'streets'"),
        ({"methods": (Method("x", "cells", lambda _: np.full(400, np.nan)),)}, "score every unit"),
        ({"methods": (Method("x", "cells", lambda _: np.zeros(3)),)}, "one per unit"),
        ({"shares": (0.05, 1.5)}, "at most at 1"),
        ({"methods": METHODS + METHODS[:1]}, "names twice"),
    ],
)
def test_bad_settings_are_one_clear_error(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        run(*town(), **change)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Study.lay([[0, 0]], when=[1, 2], grid=GRID, inside=np.ones(GRID.shape)), "1 points, 2 periods"),
        (lambda: Study.lay([[0, np.nan]], when=[1], grid=GRID, inside=np.ones(GRID.shape)), "finite"),
        (lambda: Study.lay([[0, 0]], when=[1], grid=GRID, inside=np.ones((2, 2))), "the grid's shape"),
        (
            lambda: Study.lay([[0, 0]], when=[1], grid=GRID, inside=np.ones(GRID.shape), area_of=[], area_km2=[1]),
            "1 inc",
        ),
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
