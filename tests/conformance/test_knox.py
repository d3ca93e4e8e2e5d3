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
@pytest.mark.slow
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


def test_burkitt_s_lymphoma_in_uganda(conformance) -> None:
    """188 cases, 1961 to 1975 (Williams et al. 1978), with the thresholds and figures of pointpats' documentation."""
    import geopandas as gpd
    import libpysal

    cases = gpd.read_file(libpysal.examples.get_path("burkitt.shp"))
    points, days = cases[["X", "Y"]].to_numpy(float), cases["T"].to_numpy()
    # Both thresholds are included there: a band ends just beyond them.
    edges = {"distance_edges_m": (0.0, 20.001, 1e6), "time_edges_days": (0.0, 5.5, 1e6)}
    found = knox(points, days=days, permutations=999, seed=1, expectation="mean", **edges)
    source = "pointpats documentation, Knox on burkitt.shp"
    got = [int(found.observed[0, 0]), int(found.observed.sum())]
    conformance("Knox pairs within 20 and 5, and all pairs", source, [13, 17_578], got)
    assert got == [13, 17_578]
    # Expected by its formula; ours is the mean of shuffles, settled to a tenth.
    conformance("Knox expected pairs within 20 and 5", source, 10.1438161, float(found.expected[0, 0]))
    assert found.expected[0, 0] == pytest.approx(10.1438161, abs=0.4)
    # 0.17 and 0.21 from 99 shuffles of its own, 0.146 from a Poisson distribution.
    conformance("Knox p within 20 and 5", source, "0.15 to 0.21", float(found.p[0, 0]))
    assert 0.12 < found.p[0, 0] < 0.25
