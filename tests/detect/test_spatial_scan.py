"""Scans in space alone: planted clusters, size under the null, bad input and limits."""

import numpy as np
import pytest

from pipeline.detect.scan import bernoulli_scan, poisson_scan
from pipeline.detect.scan import spatial as module
from pipeline.detect.scan.spatial import bernoulli_log_ratio, gumbel_p, relative_risk, share_dispersion, standardised
from pipeline.errors import InputError

pytestmark = pytest.mark.slow

LINE = [[0.0, 0.0], [1.0, 0.0], [5.0, 0.0], [9.0, 0.0]]


def test_relative_risk_by_hand() -> None:
    # 17 of 20 cases where half of the people live: 1.7 times expected inside, 0.3 times outside.
    assert relative_risk(17, 10.0, total=20) == pytest.approx(1.7 / 0.3)
    assert relative_risk(20, 10.0, total=20) is None


def test_indirect_standardisation_by_hand() -> None:
    # Young people at 10 in 400 and old ones at 30 in 100: 100 x 0.025 + 50 x 0.3.
    assert standardised([10, 30], [[100, 50], [300, 50]]) == pytest.approx([17.5, 22.5])
    assert standardised([0, 4], [[0, 1], [0, 3]]) == pytest.approx([1, 3])
    with pytest.raises(InputError, match="a stratum has cases and no population anywhere"):
        standardised([1, 1], [[0, 1], [0, 3]])
    with pytest.raises(InputError, match="there are 3 strata"):
        standardised([1, 1, 1], [[0, 1], [0, 3]])


def test_a_stratum_that_explains_the_cases_leaves_no_cluster() -> None:
    old = np.array([300, 20, 20, 20])
    people = np.column_stack([[100, 380, 380, 380], old])
    cases = np.array([30, 2, 2, 2])  # one in ten of the old, none of the young
    crude = poisson_scan(LINE, cases=cases, expected=people.sum(axis=1), simulations=99)
    assert crude.clusters[0].locations == (0,)
    assert crude.clusters[0].p == pytest.approx(0.01)
    fair = poisson_scan(LINE, cases=cases, expected=standardised([0, 36], people), simulations=99)
    assert fair.clusters == ()
    assert fair.notes[-1] == "No circle holds more cases than expected."


@pytest.mark.parametrize("model", ["poisson", "bernoulli"])
def test_a_planted_cluster_is_found_and_its_p_do_not_differ_much(model: str) -> None:
    rng = np.random.default_rng(5)
    points, people = rng.uniform(0, 10_000, (150, 2)), rng.integers(50, 200, 150)
    inside = np.hypot(*(points - points[3]).T) <= 1_500
    cases = rng.binomial(people, np.where(inside, 0.25, 0.08))
    given = {"cases": cases, "max_radius_m": 4_000, "simulations": 199, "seed": 2}
    found = (
        poisson_scan(points, expected=people, **given)
        if model == "poisson"
        else bernoulli_scan(points, controls=people - cases, **given)
    )
    best = found.clusters[0]
    assert len(set(best.locations) & set(np.flatnonzero(inside))) >= 0.7 * inside.sum()
    assert best.p == pytest.approx(1 / 200)
    assert best.p_gumbel is not None
    assert best.p_gumbel < 1e-4
    assert found == (
        poisson_scan(points, expected=7 * people, **given)
        if model == "poisson"
        else bernoulli_scan(points, controls=people - cases, **given)
    )  # proportions alone count, and the seed decides the rest


@pytest.mark.parametrize("model", ["poisson", "bernoulli"])
def test_under_the_null_p_is_uniform(model: str) -> None:
    rng = np.random.default_rng(8)
    ps, gumbel = [], []
    for seed in range(40):
        points, people = rng.uniform(0, 1_000, (25, 2)), rng.integers(20, 60, 25)
        given = {"simulations": 99, "seed": seed}
        if model == "poisson":
            found = poisson_scan(points, cases=rng.multinomial(80, people / people.sum()), expected=people, **given)
        else:
            cases = rng.multivariate_hypergeometric(people, 80)
            found = bernoulli_scan(points, cases=cases, controls=people - cases, **given)
        ps.append(found.clusters[0].p)
        gumbel.append(found.clusters[0].p_gumbel)
    # Uniform on 0.01 ... 1: mean 0.505, standard error 0.046; four of them.
    assert abs(np.mean(ps) - 0.505) < 0.19
    assert np.mean(np.array(ps) <= 0.05) < 0.2
    assert np.abs(np.array(ps) - np.array(gumbel)).mean() < 0.04


def test_counts_that_vary_more_than_chance_need_their_dispersion() -> None:
    """Gamma-Poisson counts with twice the variance: taken as Poisson counts, chance looks like clusters."""
    rng = np.random.default_rng(9)
    low = {1.0: 0, 2.0: 0}
    for seed in range(40):
        points, people = rng.uniform(0, 1_000, (25, 2)), rng.integers(20, 60, 25)
        cases = rng.poisson(rng.gamma(people / 5.0))
        for dispersion in low:
            given = {"dispersion": dispersion, "simulations": 49, "seed": seed}
            found = poisson_scan(points, cases=cases, expected=people, **given)
            low[dispersion] += found.clusters[0].p <= 0.06
    assert low[1.0] >= 16  # of 40
    assert low[2.0] <= 7  # 2.4 are to be expected
    with pytest.raises(InputError, match=r"a dispersion of 0\.5 is less than chance"):
        poisson_scan(LINE, cases=[1, 2, 3, 4], expected=[1, 1, 1, 1], dispersion=0.5)


def test_individuals_of_a_series_are_alike() -> None:
    # Each place has its own share of cases; in half of the place-months all four individuals have one outcome, drawn
    # once, in the others each its own: two of one month are alike with probability a half more than others.
    rng = np.random.default_rng(8)
    share = rng.uniform(0.2, 0.8, (400, 1))
    single, series = rng.binomial(4, share, (400, 12)), 4 * rng.binomial(1, share, (400, 12))
    cases = np.where(rng.random((400, 12)) < 0.5, series, single)
    everybody = np.full((400, 12), 4)
    # 1 + 0.5 x 12 x 4 x 3 / 48
    assert share_dispersion(cases, everybody) == pytest.approx(np.full(400, 2.5), abs=0.15)
    assert share_dispersion(single, everybody) == pytest.approx(np.ones(400), abs=0.1)
    assert share_dispersion(np.zeros((3, 2)), np.zeros((3, 2))).tolist() == [1, 1, 1]


def test_shares_that_vary_more_than_chance_need_their_dispersion() -> None:
    points = np.array([(x, y) for x in range(5) for y in range(5)], dtype=np.float64)
    found = {"single": 0, "series": 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        cases, others = (rng.negative_binomial(m / 1.0, 0.5, (25, 12)) for m in (1.5, 4.5))
        estimated = share_dispersion(cases, cases + others)
        for name, dispersion in (("single", 1.0), ("series", estimated)):
            given = {"cases": cases.sum(axis=1), "controls": others.sum(axis=1), "dispersion": dispersion}
            found[name] += bernoulli_scan(points, **given, simulations=19, seed=seed).clusters[0].p <= 0.05
    # Five in a hundred are two of 40; seven or more would come by chance once in two hundred times.
    assert found["series"] < 7
    assert found["single"] > 12


def test_the_search_of_simulated_data_sets_misses_no_circle() -> None:
    # Small circles hold fewer individuals than there are cases: each data set's best circle against one search in full.
    rng = np.random.default_rng(4)
    points, people = rng.uniform(0, 9, (40, 2)), rng.integers(5, 60, 40)
    limits = module._Limits(np.inf, 0.5, 30, 7, 0.05)
    cases = rng.multivariate_hypergeometric(people, 300)
    circles = module._Circles.over(points, people * (300 / people.sum()), limits)
    found = bernoulli_scan(points, cases=cases, controls=people - cases, simulations=30, seed=7)
    again, best = np.random.default_rng(7), []
    for _ in range(30):
        inside = circles.inside(again.multivariate_hypergeometric(people, 300, method="marginals"))
        size = circles.inside(people)
        best.append(bernoulli_log_ratio(inside, size, cases=300, individuals=int(people.sum())).max())
    first = found.clusters[0]
    assert first.p == (1 + sum(b >= first.log_ratio - 1e-9 for b in best)) / 31


def test_a_gumbel_tail_by_hand() -> None:
    # Mean euler and spread pi / sqrt 6: the standard Gumbel distribution, where P(X >= x) = 1 - exp(-exp(-x)).
    standard = {"mean": np.euler_gamma, "spread": np.pi / np.sqrt(6)}
    assert gumbel_p(0.0, **standard) == pytest.approx(1 - np.exp(-1))
    assert gumbel_p(20.0, **standard) == pytest.approx(np.exp(-20), rel=1e-8)
    assert gumbel_p(-2_000.0, **standard) == 1.0


def test_little_data_is_said_and_not_searched() -> None:
    ones = [1, 1, 1, 1]
    one = poisson_scan(LINE, cases=[1, 0, 0, 0], expected=ones)
    assert (one.clusters, one.notes) == ((), ("Number of cases: 1. A scan needs at least two.",))
    assert poisson_scan([], cases=[], expected=[]).notes == ("Number of cases: 0. A scan needs at least two.",)
    place = poisson_scan([[0, 0]], cases=[9], expected=[1])
    assert place.notes == ("All cases are at one location: there is nothing to compare it with.",)
    huge = bernoulli_scan(LINE, cases=[3, 1, 0, 0], controls=[30, 1, 1, 1], simulations=19)
    assert huge.notes[0] == "1 locations alone hold more than 50% of what is expected and cannot form a cluster."
    alone = bernoulli_scan(LINE, cases=[3, 1, 2, 2], controls=[0, 0, 0, 0])
    assert (alone.clusters, alone.notes) == ((), ("There are no controls to compare the cases with.",))
    few = poisson_scan(LINE, cases=[5, 1, 1, 1], expected=ones, simulations=9)
    assert few.notes[0] == "With 9 simulations p cannot fall under 0.1."
    assert few.clusters[0].p_gumbel is None


def test_what_cannot_be_scanned_is_refused() -> None:
    with pytest.raises(InputError, match="1 locations have cases and no population"):
        poisson_scan(LINE, cases=[1, 2, 3, 4], expected=[1, 0, 1, 1])
    with pytest.raises(InputError, match="whole numbers"):
        poisson_scan(LINE, cases=[1.5, 2, 3, 4], expected=[1, 1, 1, 1])
    with pytest.raises(InputError, match="one number of 0 or more for each"):
        poisson_scan(LINE, cases=[1, 2, 3, 4], expected=[1, -1, 1, 1])
    with pytest.raises(InputError, match="controls"):
        bernoulli_scan(LINE, cases=[1, 2, 3, 4], controls=[1, 1])
    with pytest.raises(InputError, match=r"max_share is 0\.9"):
        poisson_scan(LINE, cases=[1, 2, 3, 4], expected=[1, 1, 1, 1], max_share=0.9)


def test_too_many_circles_are_refused_before_any_is_formed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.detect.scan.spatial.MAX_CIRCLES", 10)
    with pytest.raises(InputError, match="16 circles are more than the 10"):
        poisson_scan(LINE, cases=[1, 2, 3, 4], expected=[1, 1, 1, 1])
    assert poisson_scan(LINE, cases=[9, 2, 3, 4], expected=[1, 1, 1, 1], max_radius_m=1.0, simulations=9).clusters
