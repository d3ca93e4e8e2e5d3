"""The Knox table against brute force, and the E-test against its published value."""

import math

import numpy as np
import pytest
from statsmodels.stats.rates import test_poisson_2indep as poisson_2indep

from pipeline.detect.knox import knox
from pipeline.statistics.change import etest

SPACE, TIME = (0.0, 1.0, 100.0, 200.0, 400.0), (0.0, 1.0, 7.0, 14.0, 28.0)


def brute_force(points, days) -> list[list[int]]:
    """Every pair, one by one, into its half-open band."""
    table = [[0] * (len(TIME) - 1) for _ in range(len(SPACE) - 1)]
    for i in range(len(points)):
        for j in range(i):
            apart, later = math.dist(points[i], points[j]), abs(days[i] - days[j])
            for a in range(len(SPACE) - 1):
                for b in range(len(TIME) - 1):
                    table[a][b] += SPACE[a] <= apart < SPACE[a + 1] and TIME[b] <= later < TIME[b + 1]
    return table


@pytest.mark.parametrize("seed", range(3))
def test_table_expectation_and_p_equal_brute_force(seed: int, conformance) -> None:
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 12, (60, 2)) * 50.0  # many pairs at exactly 0, 100, 200 and 400 m
    days = rng.integers(0, 50, 60)
    result = knox(points, days=days, distance_edges_m=SPACE, time_edges_days=TIME, permutations=49, seed=seed)
    observed = brute_force(points.tolist(), days.tolist())
    shuffle = np.random.default_rng(seed)
    tables = np.array([brute_force(points.tolist(), shuffle.permutation(days).tolist()) for _ in range(49)])
    p = (1 + (tables >= np.array(observed)).sum(axis=0)) / 50
    if seed == 0:
        conformance(
            "Knox pairs within 100 m, by time band", "brute force over all pairs", observed[1], result.observed[1]
        )
        conformance("Knox p, same place, by time band", "brute force, 49 shuffles", p[0], result.p[0])
    assert result.observed.tolist() == observed
    np.testing.assert_array_equal(result.expected, np.median(tables, axis=0))
    np.testing.assert_allclose(result.p, p, rtol=1e-12)


def test_the_published_value_of_the_e_test(conformance) -> None:
    # Python and R implementations of Krishnamoorthy and Thomson (2004) both document e_test(6, 2) = 0.1748748.
    conformance("E-test p of counts 6 and 2", "poisson-etest, documented example", 0.1748748, etest(6, 2))
    assert etest(6, 2) == pytest.approx(0.1748748, abs=5e-8)


@pytest.mark.parametrize(
    "counts",
    [(60, 51_477.5, 30, 54_308.7), (41, 28_010.0, 15, 19_017.0), (3, 2.0, 1, 5.0), (12, 1.0, 12, 1.0)],
    ids=str,
)
def test_e_test_equals_statsmodels(counts, conformance) -> None:
    k1, n1, k2, n2 = counts
    theirs = poisson_2indep(k1, n1, k2, n2, method="etest-wald", compare="diff")
    ours = etest(k1, k2, first_exposure=n1, second_exposure=n2)
    conformance(f"E-test p of {k1}/{n1:g} and {k2}/{n2:g}", "statsmodels, etest-wald", theirs.pvalue, ours)
    assert ours == pytest.approx(theirs.pvalue, abs=1e-6)
