"""Density along a network: worked out by hand on a line, a crossing, a dead end and a loop, and kept totals."""

import numpy as np
import pytest
import shapely
from scipy.integrate import quad

from pipeline.detect.streets.density import (
    Located,
    NetworkKernel,
    choose_network_bandwidth,
    network_density,
    quartic,
)
from pipeline.detect.streets.segments import Network
from pipeline.errors import InputError


def network(*ends) -> Network:
    return Network.of(np.array([shapely.LineString(e) for e in ends], dtype=object))


def places(*pairs: tuple[int, float]) -> Located:
    return Located(np.array([s for s, _ in pairs]), np.array([a for _, a in pairs], dtype=float))


def density(net: Network, event: tuple[int, float], at, *, form="discontinuous", bandwidth=100.0, weight=1.0):
    kernel = NetworkKernel(form, bandwidth)
    return network_density(net, places(event), np.array([weight]), at=places(*at), kernel=kernel)


def k(distance: float, bandwidth: float = 100.0) -> float:
    return 15 / 16 * (1 - (distance / bandwidth) ** 2) ** 2 / bandwidth if distance < bandwidth else 0.0


CROSS = network([(0, 0), (200, 0)], [(200, 0), (400, 0)], [(200, 0), (200, 200)], [(200, -200), (200, 0)])


def test_the_kernel_integrates_to_one() -> None:
    assert quad(lambda d: float(quartic(np.array([abs(d)]), 100.0)[0]), -100, 100)[0] == pytest.approx(1)


def test_at_a_crossing_a_third_goes_each_way() -> None:
    # 30 m before a crossing of four streets.
    at = [(0, 170), (0, 140), (0, 60), (1, 20), (2, 20), (3, 180), (1, 80)]
    found = density(CROSS, (0, 170), at, weight=2.0)
    expected = [k(0), k(30), 0, k(50) / 3, k(50) / 3, k(50) / 3, 0]
    assert found == pytest.approx([2 * e for e in expected])
    simple = density(CROSS, (0, 170), at, form="simple")
    assert simple == pytest.approx([k(0), k(30), 0, k(50), k(50), k(50), 0])


def test_an_incident_at_the_crossing_starts_with_a_half_on_each_of_four() -> None:
    assert density(CROSS, (0, 200), [(0, 160), (1, 40), (2, 40), (3, 160)]) == pytest.approx([k(40) / 2] * 4)
    # The same from any of the four streets, and within a metre of it.
    assert density(CROSS, (2, 0.4), [(0, 160)]) == pytest.approx([k(40) / 2])


def test_nothing_comes_back_from_a_dead_end() -> None:
    net = network([(0, 0), (50, 0)], [(50, 0), (50, 30)])
    # 50 m along to a bend with one street on: all of it goes on; 30 m further it ends.
    assert density(net, (0, 20), [(1, 10), (0, 10)]) == pytest.approx([k(40), k(10)])


def test_a_block_is_reached_both_ways_round() -> None:
    # A loop of 60 m: what is 10 m away one way is 50 m away the other.
    net = network([(0, 0), (20, 0)], [(20, 0), (10, 17.320508)], [(10, 17.320508), (0, 0)])
    found = density(net, (0, 5), [(0, 15)], bandwidth=60.0)
    assert found == pytest.approx([k(10, 60) + k(50, 60)], rel=1e-6)
    simple = density(net, (0, 5), [(0, 15)], form="simple", bandwidth=60.0)
    assert simple == pytest.approx([k(10, 60)])


def test_the_total_is_kept_away_from_ends() -> None:
    along = np.arange(0.5, 200, 1.0)
    at = Located(np.repeat(np.arange(4), 200), np.tile(along, 4))
    for event in ((0, 170.0), (2, 60.0), (1, 0.0)):
        found = network_density(
            CROSS, places(event), np.array([1.0]), at=at, kernel=NetworkKernel("discontinuous", 100.0)
        )
        assert found.sum() == pytest.approx(1, abs=2e-3)  # metre by metre; an incident on a sample's edge is coarse
    many = network_density(CROSS, places((0, 170)), np.array([1.0]), at=at, kernel=NetworkKernel("simple", 100.0))
    assert many.sum() > 1.2


def test_bandwidth_by_likelihood_is_the_best_of_a_direct_search() -> None:
    rng = np.random.default_rng(4)
    along = np.sort(np.clip(rng.normal(500, 60, 40), 5, 995))
    net = network([(0, 0), (1000, 0)])
    events, weights = Located(np.zeros(40, dtype=np.int64), along), np.ones(40)
    found = choose_network_bandwidth(net, events, weights, form="discontinuous", ladder_m=(20.0, 80.0, 300.0))

    def score(bandwidth: float) -> float:
        each = [sum(k(abs(a - b), bandwidth) for j, b in enumerate(along) if j != i) for i, a in enumerate(along)]
        return float(np.mean([np.log(max(e * 40 / 39, 1e-3 * 40 / 1000)) for e in each]))

    assert [s for _, s in found.ladder] == pytest.approx([score(b) for b in (20.0, 80.0, 300.0)])
    assert found.bandwidth_m == max((20.0, 80.0, 300.0), key=score)
    assert not found.at_the_end


def test_one_incident_and_impossible_bandwidths() -> None:
    alone = choose_network_bandwidth(CROSS, places((0, 5)), np.ones(1), form="simple")
    assert alone.bandwidth_m == 100  # nothing predicts it: the shortest candidate
    with pytest.raises(InputError, match="0 m is none"):
        density(CROSS, (0, 5), [(0, 5)], bandwidth=0.0)
