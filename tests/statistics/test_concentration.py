"""Concentration against enumeration, pairwise differences, published values and direct counting."""

import math
from collections.abc import Iterator
from itertools import combinations_with_replacement, product
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import binom, hypergeom

from pipeline.errors import InputError
from pipeline.statistics.concentration import (
    LEFT_OUT,
    Frequencies,
    adjusted_gini,
    by_chance,
    gini,
    jaccard,
    lasting,
    lorenz,
    top_units,
    units_holding_pct,
    with_intervals,
)


def pairwise_gini(counts: list[int]) -> float:
    """Mean absolute difference of two units over twice the mean (Gini's own definition)."""
    n = len(counts)
    return sum(abs(a - b) for a in counts for b in counts) / (2 * n * n * (sum(counts) / n))


def spreads(units: int, incidents: int) -> Iterator[list[int]]:
    """Every way to put incidents on units."""
    for places in combinations_with_replacement(range(units), incidents):
        yield [places.count(unit) for unit in range(units)]


@pytest.mark.parametrize("seed", range(4))
def test_gini_is_the_mean_difference_of_two_units(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.negative_binomial(0.4, 0.1, 60).tolist()
    counts[0] += seed * 100_000  # from here on the frequencies are found by sorting
    assert gini(counts) == pytest.approx(pairwise_gini(counts), abs=1e-13)


@pytest.mark.parametrize(("units", "incidents"), [(5, 1), (5, 3), (6, 4), (4, 4), (3, 7)])
def test_the_adjusted_gini_is_zero_at_the_most_even_of_all_spreads(units: int, incidents: int) -> None:
    every = list(spreads(units, incidents))
    ordinary = [pairwise_gini(counts) for counts in every]
    least = min(ordinary)
    for counts, value in zip(every, ordinary, strict=True):
        # Where incidents are fewer than units the scale from the least possible value to 1 becomes 0 to 1; from as many
        # on, both are the same, also where incidents cannot be shared out evenly.
        expected = (value - least) / (1 - least) if incidents < units else value
        assert adjusted_gini(counts) == pytest.approx(expected, abs=1e-12)
    if incidents < units:
        assert least == pytest.approx(1 - incidents / units)


@pytest.mark.parametrize("seed", range(3))
def test_units_that_hold_a_share_are_counted_from_the_greatest_down(seed: int) -> None:
    counts = np.random.default_rng(seed).poisson(0.7, 83)
    for share in (1, 25, 50, 80, 99.5, 100):
        held, units = 0, 0
        for count in sorted(counts.tolist(), reverse=True):
            if 100 * held >= share * counts.sum():
                break
            held, units = held + count, units + 1
        assert units_holding_pct(counts, share) == pytest.approx(100 * units / 83)
    assert units_holding_pct([4, 4], 50) == 50  # reached exactly: one unit is enough


def test_the_curve_and_its_area_give_the_gini() -> None:
    counts = np.random.default_rng(1).negative_binomial(0.5, 0.2, 500)
    curve = lorenz(counts)
    assert curve[0].tolist() == [0, 0]
    assert curve[-1].tolist() == [100, 100]
    area = np.trapezoid(curve[:, 1], curve[:, 0]) / 1e4
    assert 2 * (area - 0.5) == pytest.approx(gini(counts), abs=1e-12)


def test_one_incident_and_all_at_one_place_have_figures_and_none_has_none() -> None:
    assert units_holding_pct([0, 1, 0, 0], 80) == 25
    assert adjusted_gini([0, 1, 0, 0]) == 0  # one incident cannot be spread further
    assert adjusted_gini([0, 9, 0, 0]) == pytest.approx(0.75)
    assert math.isnan(gini([0, 0]))
    assert math.isnan(units_holding_pct([0, 0], 50))
    assert top_units([0, 0], 25) is None
    for wrong in ([], [1.5, 2], [-1, 2], [[1], [2]]):
        with pytest.raises(InputError, match="count"):
            gini(wrong)
    with pytest.raises(InputError, match="150 %"):
        units_holding_pct([1, 2], 150)


def test_ties_at_the_limit_are_all_at_the_top_and_single_incidents_never() -> None:
    assert top_units([6, 3, 3, 3, 1], 40).tolist() == [True, True, True, True, False]
    assert top_units([6, 3, 3, 3, 1], 30).tolist() == [True, False, False, False, False]
    assert top_units([1] * 20, 25) is None
    assert jaccard([True, True, False], [False, True, True]) == pytest.approx(1 / 3)


def test_units_that_are_empty_count_without_being_listed() -> None:
    counts = np.random.default_rng(3).negative_binomial(0.4, 0.1, 400)
    occupied = Frequencies.of(counts[counts > 0], empty=int((counts == 0).sum()))
    for figure in (gini, adjusted_gini, lambda of: units_holding_pct(of, 50), lambda of: lorenz(of).tolist()):
        assert figure(occupied) == figure(counts)
    assert Frequencies.of(np.array([0, 2]), empty=3).units.tolist() == [1, 4]


@pytest.mark.parametrize("incidents", [1000, 4000])  # fewer and more than units: each has a way of drawing
def test_chance_leaves_as_many_units_with_each_count_as_the_binomial_distribution_expects(incidents: int) -> None:
    sizes = np.concatenate([np.ones(900), np.random.default_rng(2).lognormal(0, 1, 600)])
    draws, ks = 400, np.arange(6)

    def units_with_each(of: Frequencies) -> list[int]:
        return [int(of.units[of.values == k].sum()) for k in ks]

    found = by_chance(sizes, incidents, units_with_each, draws=draws, seed=4)
    expected = binom.pmf(ks[:, None], incidents, sizes / sizes.sum()).sum(axis=1)
    # Units compete for the same incidents, so the number with a count varies less than a Poisson number would.
    assert (np.abs(found - expected) < 4 * (expected / draws) ** 0.5).all()


@pytest.mark.parametrize("others", [[1] * 1200, [40] * 30])  # drawn incident by incident, and unit by unit
def test_the_interval_of_the_greatest_count_is_that_of_the_hypergeometric_distribution(others: list[int]) -> None:
    counts = [400, *others, *[0] * 50]
    (found,) = with_intervals(counts, lambda of: [float(of.values[0])], samples=3000, seed=6)
    kept = 1600 - round(1600 * LEFT_OUT)
    sd = hypergeom(1600, 400, kept).std() * (kept / (1600 - kept)) ** 0.5
    assert found.value == 400
    assert found.high - 400 == pytest.approx(NormalDist().inv_cdf(0.975) * sd, rel=0.06)


def test_overlap_by_chance_is_that_of_all_ways_to_divide_the_incidents() -> None:
    then, now = [4, 1, 2, 0, 0], [1, 4, 1, 2, 0]
    every = np.add(then, now)
    weighed = []
    for first in product(*(range(n + 1) for n in every)):
        if sum(first) == sum(then):
            ways = math.prod(math.comb(int(n), k) for n, k in zip(every, first, strict=True))
            one, other = np.array(first) >= 3, every - first >= 3
            # Where either period has no unit at the top there is nothing to compare.
            if one.any() and other.any():
                weighed.append((ways, jaccard(one, other)))
    ways, overlaps = np.transpose(weighed)
    found = lasting(then, now, sizes=np.ones(5), top=lambda counts, _: counts >= 3, draws=4000, seed=2)
    assert found is not None
    assert found.overlap.chance == pytest.approx(np.average(overlaps, weights=ways), abs=0.02)
    assert found.pai_then == pytest.approx((4 / 7) / (1 / 5))  # the unit without incidents counts in the area


@pytest.mark.slow
def test_chance_is_that_of_a_direct_scattering() -> None:
    sizes = np.array([1.0, 1, 2, 4])

    def top_half(counts):
        return [units_holding_pct(counts, 50)]

    rng = np.random.default_rng(0)
    direct = [top_half(np.bincount(rng.choice(4, 10, p=sizes / sizes.sum()), minlength=4))[0] for _ in range(4000)]
    assert by_chance(sizes, 10, top_half, draws=4000, seed=1)[0] == pytest.approx(np.mean(direct), abs=1.0)


@pytest.mark.slow
def test_intervals_hold_what_another_sample_of_the_same_risks_shows() -> None:
    rng = np.random.default_rng(5)
    risk = rng.gamma(0.5, 1, 800)
    risk /= risk.sum()
    expected = np.mean([adjusted_gini(rng.multinomial(600, risk)) for _ in range(300)])
    inside = 0
    for seed in range(60):
        (found,) = with_intervals(rng.multinomial(600, risk), lambda c: [adjusted_gini(c)], samples=49, seed=seed)
        inside += found.low <= expected <= found.high
    assert inside >= 52  # 95 % of 60 is 57; fewer than 52 has a chance of 1 in 100
