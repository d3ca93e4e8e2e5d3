"""Scans in space alone against SaTScan's output, FleXScan's, published expected cases and direct enumeration."""

import numpy as np
import pytest

from pipeline.detect.scan import bernoulli_scan, poisson_scan
from pipeline.detect.scan.space_time import log_ratio
from pipeline.detect.scan.spatial import bernoulli_log_ratio, gumbel_p, relative_risk, standardised
from tests.conformance.spatial_scan_by_hand import bernoulli, circles, poisson

# Leukaemia in 281 tracts of upstate New York (Waller et al. 1994): 552 cases, 1,057,673 people; output of SaTScan 9.6,
# discrete Poisson, circles up to half of the population, 999 simulations, kept with the tests of the R package smerc.
SATSCAN = "SaTScan 9.6, New York leukaemia (R package smerc, tests/ny.txt)"
CASES, PEOPLE = 552, 1_057_673
CLUSTERS = (  # people, observed, expected, relative risk, log ratio, p
    (111_674, 100, 58.282709, 1.874132, 14.083511, 0.000147735948),
    (34_083, 38, 17.787933, 2.220285, 9.019716, 0.016),
    (78_280, 64, 40.854366, 1.640840, 6.114140, 0.248),
    (24_571, 25, 12.823616, 1.994572, 4.651839, 0.645),
    (9_840, 12, 5.135500, 2.366380, 3.363518, 0.965),
    (8_839, 11, 4.613078, 2.412676, 3.209485, 0.982),
)
MEAN, SPREAD = 5.336265321079581, 1.3610406100462504  # of its 999 simulated maxima (tests/ny.llr.dbf)

FLEXSCAN = "FleXScan, binomial, New York leukaemia (R package smerc, tests)"
BINOMIAL = ((41, 38_999, 8.47836), (42, 40_696, 8.29257), (44, 47_412, 6.43049), (28, 26_499, 5.77247))


def test_clusters_that_satscan_found_in_new_york(conformance) -> None:
    for number, (people, observed, expected, risk, ratio, _) in enumerate(CLUSTERS, start=1):
        mu = CASES * people / PEOPLE
        got = (
            round(mu, 6),
            round(float(log_ratio(np.array([observed]), np.array([mu]), total=CASES)[0]), 6),
            round(relative_risk(observed, mu, total=CASES) or 0.0, 6),
        )
        conformance(f"Poisson scan, cluster {number}: expected, ratio, risk", SATSCAN, (expected, ratio, risk), got)
        assert got == pytest.approx((expected, ratio, risk), abs=1.5e-6)


def test_gumbel_p_of_satscan(conformance) -> None:
    published = CLUSTERS[0][5]
    got = gumbel_p(CLUSTERS[0][4], mean=MEAN, spread=SPREAD)
    conformance("Gumbel p of cluster 1", SATSCAN, published, got)
    assert got == pytest.approx(published, rel=1e-6)
    # SaTScan prints Monte Carlo p for the others: Gumbel p are near them, as near as 999 simulations settle a p.
    for _, _, _, _, ratio, p in CLUSTERS[1:]:
        got = gumbel_p(ratio, mean=MEAN, spread=SPREAD)
        assert abs(got - p) < 4 * np.sqrt(p * (1 - p) / 999) + 0.01


@pytest.mark.parametrize(("observed", "people", "published"), BINOMIAL)
def test_binomial_ratios_of_flexscan(observed: int, people: int, published: float, conformance) -> None:
    got = float(bernoulli_log_ratio(observed, people, cases=CASES, individuals=PEOPLE))
    conformance(f"Bernoulli scan ratio, {observed} of {people}", FLEXSCAN, published, round(got, 5))
    assert got == pytest.approx(published, abs=1.5e-5)


# Lung cancer in Pennsylvania, 2002: cases and people of 16 strata (race, sex, age), and two counties' people. Data of
# the R package SpatialEpi (pennLC).
# fmt: off
STRATA_CASES = [139, 134, 244, 3, 165, 155, 259, 3, 713, 935, 2394, 25, 866, 1344, 2870, 30]
STRATA_PEOPLE = [212150, 56371, 65165, 600471, 185048, 43058, 37153, 597435, 1481077, 476626, 823926, 2635605, 1443402,
                 416257, 512265, 2695045]
ADAMS = [365, 68, 73, 1492, 387, 69, 53, 1697, 12136, 3609, 5411, 23351, 11844, 3469, 3666, 23602]
ALLEGHENY = [24634, 6988, 9107, 66530, 19796, 5088, 5271, 63452, 157968, 52580, 100327, 256530, 148349, 42873, 60460,
             261713]
# fmt: on


def test_expected_lung_cancer_in_pennsylvania(conformance) -> None:
    got = standardised(STRATA_CASES, _with_the_rest(STRATA_PEOPLE, [ADAMS, ALLEGHENY]))[:2]
    strata = list(zip(STRATA_CASES, STRATA_PEOPLE, strict=True))
    by_hand = [
        sum(people * c / p for people, (c, p) in zip(county, strata, strict=True)) for county in (ADAMS, ALLEGHENY)
    ]
    source = "each stratum at the state's rate, summed; data of SpatialEpi"
    conformance("expected lung cancer: Adams, Allegheny", source, by_hand, got)
    assert got == pytest.approx(by_hand, rel=1e-12)


def _with_the_rest(everybody: list[int], counties: list[list[int]]) -> np.ndarray:
    known = np.array(counties)
    return np.vstack([known, np.array(everybody) - known.sum(axis=0)])


# Direct enumeration on 50 areas
# ------------------------------


def fifty(seed: int, risk_inside: float = 2.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = np.round(rng.uniform(0, 10_000, (50, 2)), 1)
    people = rng.integers(200, 4_000, 50)
    risk = np.where(np.hypot(*(points - points[7]).T) < 1_800, risk_inside, 1.0)
    return points, people, rng.poisson(people * risk * 0.004)


@pytest.mark.parametrize("model", ["poisson", "bernoulli"])
@pytest.mark.parametrize("seed", [1, 2])
def test_fifty_areas_by_enumeration(model: str, seed: int, conformance) -> None:
    points, people, cases = fifty(seed)
    controls = np.maximum(people // 40 - cases, 0)
    weights = people if model == "poisson" else cases + controls
    other = people if model == "poisson" else controls
    mine = {"poisson": poisson, "bernoulli": bernoulli}[model](cases.tolist(), other.tolist())
    left = {z: mine(z) for z in circles([tuple(p) for p in points.tolist()], weights.tolist(), max_share=0.4)}
    limits = {"max_share": 0.4, "simulations": 19, "max_p": 1.0, "seed": seed}
    found = (
        poisson_scan(points, cases=cases, expected=people, **limits)
        if model == "poisson"
        else bernoulli_scan(points, cases=cases, controls=controls, **limits)
    )
    best = max(left.values())
    got = found.clusters[0].log_ratio
    conformance(f"{model} scan of 50 areas, seed {seed}, ratio", "direct enumeration, Kulldorff (1997)", best, got)
    # The best, then the best of what shares no area with it, and so on to the end.
    for cluster in found.clusters:
        inside = frozenset(cluster.locations)
        assert cluster.log_ratio == pytest.approx(max(left.values()), rel=1e-9)
        assert left[inside] == pytest.approx(cluster.log_ratio, rel=1e-9)
        assert cluster.observed == sum(int(cases[i]) for i in inside)
        left = {z: v for z, v in left.items() if not z & inside}
    assert max(left.values(), default=0.0) < 1e-9


def test_monte_carlo_p_by_enumeration_of_the_same_draws(conformance) -> None:
    points, people, cases = fifty(3, risk_inside=1.3)
    zones = circles([tuple(p) for p in points.tolist()], people.tolist(), max_share=0.4)
    rng = np.random.default_rng(11)
    total = int(cases.sum())
    maxima = [
        max(map(poisson(rng.multinomial(total, people / people.sum()).tolist(), people.tolist()), zones))
        for _ in range(9)
    ]
    found = poisson_scan(points, cases=cases, expected=people, max_share=0.4, simulations=9, max_p=1.0, seed=11)
    expected = [(1 + sum(m >= c.log_ratio - 1e-9 for m in maxima)) / 10 for c in found.clusters]
    got = [c.p for c in found.clusters]
    conformance("Poisson scan p of each cluster, 9 draws", "direct enumeration of the same draws", expected, got)
    assert got == pytest.approx(expected)
    assert len(set(expected)) > 1


def test_standardised_mortality_as_printed_by_esda(conformance) -> None:
    """Two regions of four age groups; the standard population is there, less the region, as a third."""
    deaths = np.array([[30, 25, 25, 15], [33, 21, 30, 20]])
    people = np.array([[100, 100, 110, 90], [100, 90, 110, 90]])
    standard = (([100, 45, 120, 100], [1000, 900, 1000, 900]), ([50, 30, 200, 80], [1000, 900, 1000, 900]))
    got = [
        float(d.sum() / standardised(e, np.vstack([p, np.array(b) - p]))[0])
        for d, p, (e, b) in zip(deaths, people, standard, strict=True)
    ]
    conformance(
        "standardised mortality, two regions", "esda standardized_mortality_ratio docstring", [2.4869, 2.7368], got
    )
    assert got == pytest.approx([2.4869, 2.7368], abs=5e-5)
