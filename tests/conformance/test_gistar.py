"""Gi*, empirical-Bayes standardised rates and the false discovery rate against published numbers and esda."""

import contextlib
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy
from scipy.spatial import cKDTree

from pipeline.detect.gistar import gistar, standardised_rates
from pipeline.geography.neighbours import Weights, from_pairs, lattice
from pipeline.statistics.uncertainty import benjamini_hochberg

SIX_POINTS = [(10, 10), (20, 10), (40, 10), (15, 20), (30, 20), (30, 30)]
SIX_VALUES = [2, 3, 3.2, 5, 8, 7]


def from_pysal(w: Any) -> Weights:
    order = {name: i for i, name in enumerate(w.id_order)}
    pairs = [(order[a], order[b]) for a, others in w.neighbors.items() for b in others]
    return from_pairs([a for a, _ in pairs], [b for _, b in pairs], n=w.n, rule="given")


def st_louis() -> tuple[np.ndarray, np.ndarray, Any]:
    """Homicides and residents 1988-93 of the 78 counties round St Louis, shipped inside libpysal."""
    import libpysal

    table = pd.read_csv(libpysal.examples.get_path("stl_hom.csv"), header=None, skiprows=1)
    with contextlib.closing(libpysal.io.open(libpysal.examples.get_path("stl.gal"))) as file:
        w = file.read()
    return table[10].to_numpy(float), table[13].to_numpy(float), w


def test_six_points_of_getis_and_ord(conformance) -> None:
    # Published in the docstring of esda.getisord.G_Local (star=True, transform="B"), after Getis and Ord (1992).
    published = [-1.39727626, -0.28917762, 0.65064964, -0.28917762, 1.23452088, 2.02424331]
    left, right = cKDTree(SIX_POINTS).query_pairs(15, output_type="ndarray").T
    within_15 = from_pairs(left, right, n=6, rule="within 15")
    result = gistar(SIX_VALUES, weights=within_15, family="six points", min_units=6)
    conformance("Gi* z, six points within 15", "esda 2.9 docstring, Getis and Ord (1992)", published, result.z)
    np.testing.assert_allclose(result.z, published, atol=5e-9)


@pytest.mark.parametrize("rule", ["queen", "rook"])
@pytest.mark.slow
def test_z_equals_esda_on_random_lattices(rule: str, conformance) -> None:
    import esda
    import libpysal

    worst = 0.0
    for seed, (rows, columns) in enumerate([(6, 9), (10, 10), (4, 20)]):
        values = np.random.default_rng(seed).poisson(3, rows * columns)
        weights = lattice(np.ones((rows, columns)), rule=rule)
        ours = gistar(values, weights=weights, family="x", inference="analytic")
        w = libpysal.weights.lat2W(rows, columns, rook=rule == "rook")
        theirs = esda.G_Local(values.astype(float), w, transform="B", star=True, permutations=0)
        np.testing.assert_allclose(ours.z, theirs.Zs, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(ours.p, 2 * theirs.p_norm, rtol=1e-9)
        worst = max(worst, float(np.abs(ours.z - theirs.Zs).max()))
    conformance(f"Gi* z, largest difference, {rule} lattices", "esda.G_Local 2.9", "< 1e-09", worst)


@pytest.mark.slow
def test_permutation_p_equals_esda_within_its_noise(conformance) -> None:
    import esda
    import libpysal

    values = np.random.default_rng(8).gamma(2, 3, 100)  # no ties: esda counts them on one side only
    ours = gistar(values, weights=lattice(np.ones((10, 10))), family="x", seed=1)
    w = libpysal.weights.lat2W(10, 10, rook=False)
    theirs = esda.G_Local(values.astype(float), w, transform="B", star=True, permutations=49_999, seed=1, n_jobs=1)
    # esda folds to one tail; ours names both. 49,999 draws: five standard errors of twice a share are at most 0.023.
    expected = np.minimum(1, 2 * theirs.p_sim)
    conformance("Gi* permutation p, mean over 100 cells", "esda.G_Local 2.9, doubled", expected.mean(), ours.p.mean())
    np.testing.assert_allclose(ours.p, expected, atol=0.023)


@pytest.mark.slow
def test_empirical_bayes_standardised_rates_on_st_louis(conformance) -> None:
    import esda

    homicides, residents, _ = st_louis()
    theirs = esda.smoothing.assuncao_rate(homicides, residents)
    ours = standardised_rates(homicides, population=residents)
    conformance(
        "EB standardised rate, St Louis, first 5 counties", "esda.smoothing.assuncao_rate", theirs[:5], ours[:5]
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_empirical_bayes_standardised_rates_of_eight_regions(conformance) -> None:
    # Published in the docstring of esda.smoothing.assuncao_rate.
    published = [1.03843594, -0.04099089, -0.56250375, -1.73061861]
    got = standardised_rates([30, 25, 25, 15, 33, 21, 30, 20], population=[100, 100, 110, 90, 100, 90, 110, 90])[:4]
    conformance("EB standardised rate, eight regions", "esda.smoothing.assuncao_rate docstring", published, got)
    np.testing.assert_allclose(got, published, atol=5e-9)


def test_gistar_of_rates_on_st_louis(conformance) -> None:
    import esda

    homicides, residents, w = st_louis()
    ours = gistar(homicides, weights=from_pysal(w), family="counties", population=residents, inference="analytic")
    rates = esda.smoothing.assuncao_rate(homicides, residents)
    theirs = esda.G_Local(rates, w, transform="B", star=True, permutations=0).Zs
    # esda divides by the sum of the values, which flips every sign where that sum is negative.
    theirs = theirs * np.sign(rates.sum())
    conformance("Gi* z of rates, St Louis, first 5 counties", "esda.G_Local on assuncao_rate", theirs[:5], ours.z[:5])
    np.testing.assert_allclose(ours.z, theirs, rtol=1e-8)


def test_false_discovery_rate_on_st_louis(conformance) -> None:
    import esda

    homicides, residents, w = st_louis()
    rates = 100_000 * homicides / residents
    local = esda.Moran_Local(rates, w, transformation="r", permutations=999, seed=10, n_jobs=1)
    for alpha in (0.05, 0.1, 0.25):
        theirs, ours = local.p_sim <= esda.fdr(local.p_sim, alpha), benjamini_hochberg(local.p_sim) <= alpha
        conformance(f"FDR discoveries at {alpha}, St Louis", "esda.fdr", theirs.sum(), ours.sum())
        assert ours.tolist() == theirs.tolist()
    ours_q, theirs_q = benjamini_hochberg(local.p_sim), scipy.stats.false_discovery_control(local.p_sim)
    conformance(
        "FDR adjusted p, St Louis, smallest", "scipy.stats.false_discovery_control", theirs_q.min(), ours_q.min()
    )
    np.testing.assert_allclose(ours_q, theirs_q, rtol=1e-12)


def test_ten_times_the_permutations_need_no_more_memory() -> None:
    """Over 24,964 cells: a table of cells by permutations would need 20 MB more with 99 of them, 200 with 999."""
    values = np.random.default_rng(0).poisson(2, 158 * 158)
    weights = lattice(np.ones((158, 158)))
    peaks = []
    for permutations in (99, 999):
        tracemalloc.start()
        result = gistar(values, weights=weights, family="x", permutations=permutations)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert result.family.tests == 158 * 158
    assert peaks[1] - peaks[0] < 1e6
