"""The Knox table against brute force."""

import math

import numpy as np
import pytest

from pipeline.detect.knox import knox

SPACE, TIME = (0.0, 1.0, 100.0, 200.0, 400.0), (0.0, 1.0, 7.0, 14.0, 28.0)


def by_streets(a, b) -> float:
    return sum(abs(p - q) for p, q in zip(a, b, strict=True))


def brute_force(points, days, distance=math.dist) -> list[list[int]]:
    """Every pair, one by one, into its half-open band."""
    table = [[0] * (len(TIME) - 1) for _ in range(len(SPACE) - 1)]
    for i in range(len(points)):
        for j in range(i):
            apart, later = distance(points[i], points[j]), abs(days[i] - days[j])
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


def test_manhattan_distance_equals_brute_force(conformance) -> None:
    rng = np.random.default_rng(5)
    points, days = rng.integers(0, 12, (60, 2)) * 50.0, rng.integers(0, 50, 60)
    settings = {"distance_edges_m": SPACE, "time_edges_days": TIME, "permutations": 19}
    found = knox(points, days=days, metric="manhattan", **settings)
    expected = brute_force(points.tolist(), days.tolist(), by_streets)
    conformance("Knox pairs within 100 m by Manhattan distance", "brute force", expected[1], found.observed[1])
    assert found.observed.tolist() == expected
    assert found.observed.tolist() != brute_force(points.tolist(), days.tolist())
