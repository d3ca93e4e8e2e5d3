"""The space-time scan against a brute force written from the paper, cylinder by cylinder."""

import math

import numpy as np
import pytest

from pipeline.detect.scan import space_time_scan


def brute_force(points, counts, *, max_radius_m, max_share, max_periods, prospective):
    """Kulldorff et al. (2005), equations as printed, in plain loops over sets. Returns all cylinders."""
    places, periods = len(points), len(counts[0])
    total = sum(map(sum, counts))
    found = {}
    for i in range(places):
        distances = {j: math.dist(points[i], points[j]) for j in range(places)}
        for radius in sorted({d for d in distances.values() if d <= max_radius_m}):
            inside = frozenset(j for j in range(places) if distances[j] <= radius)
            at_places = sum(sum(counts[j]) for j in inside)
            if at_places > max_share * total:
                continue
            for length in range(1, max_periods + 1):
                for start in range(periods - length + 1):
                    if prospective and start + length != periods:
                        continue
                    window = range(start, start + length)
                    seen = sum(counts[j][t] for j in inside for t in window)
                    mu = at_places * sum(counts[j][t] for j in range(places) for t in window) / total
                    if mu == 0 or seen <= mu:
                        continue
                    rest = (total - seen) * math.log((total - seen) / (total - mu)) if seen < total else 0.0
                    found[(inside, start, start + length - 1)] = (seen * math.log(seen / mu) + rest, seen, mu)
    return found


def case(seed: int, *, lattice: bool):
    rng = np.random.default_rng(seed)
    points = (
        np.stack(np.meshgrid(np.arange(4), np.arange(4)), axis=-1).reshape(-1, 2) * 100.0
        if lattice
        else np.round(rng.uniform(0, 400, (14, 2)), 1)
    )
    counts = rng.poisson(rng.gamma(1, 1, (len(points), 1)) * np.ones((1, 7)))
    counts[2:4, 4:] += rng.poisson(3, (2, 3))
    return points, counts


@pytest.mark.parametrize("prospective", [False, True], ids=["retrospective", "prospective"])
@pytest.mark.parametrize("lattice", [False, True], ids=["scattered", "lattice"])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_cylinder_equals_brute_force(seed: int, lattice, prospective, conformance) -> None:
    points, counts = case(seed, lattice=lattice)
    limits = {"max_radius_m": 200.0, "max_share": 0.4, "max_periods": 3, "prospective": prospective}
    everything = brute_force(points.tolist(), counts.tolist(), **limits)
    best = max(v[0] for v in everything.values())
    result = space_time_scan(points, counts=counts, permutations=9, seed=1, **limits)
    top = result.clusters[0]
    key = (frozenset(top.locations), top.first_period, top.last_period)
    if seed == 0:
        kind = f"{'prospective' if prospective else 'retrospective'}, {'lattice' if lattice else 'scattered'}"
        conformance(f"scan log ratio, {kind}", "brute force of Kulldorff et al. (2005)", best, top.log_ratio)
    assert top.log_ratio == pytest.approx(best, rel=1e-12)
    assert everything[key] == pytest.approx((top.log_ratio, top.observed, top.expected), rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_secondary_clusters_are_the_best_of_what_is_left(seed: int) -> None:
    points, counts = case(seed, lattice=False)
    limits = {"max_radius_m": 200.0, "max_share": 0.4, "max_periods": 3, "prospective": False}
    left = brute_force(points.tolist(), counts.tolist(), **limits)
    result = space_time_scan(points, counts=counts, permutations=9, max_p=1.0, **limits)
    assert len(result.clusters) > 2
    for cluster in result.clusters:
        assert cluster.log_ratio == pytest.approx(max(v[0] for v in left.values()), rel=1e-9)
        left = {k: v for k, v in left.items() if not k[0] & set(cluster.locations)}
    assert not left


def test_monte_carlo_p_equals_brute_force_on_the_same_shuffles(conformance) -> None:
    """The dates are shuffled here as documented: one permutation of the cases' periods per data set."""
    points, counts = case(7, lattice=True)
    limits = {"max_radius_m": 150.0, "max_share": 0.5, "max_periods": 2, "prospective": False}
    result = space_time_scan(points, counts=counts, permutations=39, seed=5, max_p=1.0, **limits)
    rng = np.random.default_rng(5)
    cases = [(i, t) for i, row in enumerate(counts.tolist()) for t, n in enumerate(row) for _ in range(n)]
    maxima = []
    for _ in range(39):
        shuffled = [[0] * counts.shape[1] for _ in points]
        for (i, _), t in zip(cases, rng.permutation([t for _, t in cases]), strict=True):
            shuffled[i][t] += 1
        maxima.append(max(v[0] for v in brute_force(points.tolist(), shuffled, **limits).values()))
    expected = [(1 + sum(m >= c.log_ratio - 1e-9 for m in maxima)) / 40 for c in result.clusters]
    conformance(
        "scan p of each cluster, 39 shuffles",
        "brute force on the same shuffles",
        expected,
        [c.p for c in result.clusters],
    )
    assert [c.p for c in result.clusters] == pytest.approx(expected)
    assert 0 < len(set(expected)) <= len(expected)
