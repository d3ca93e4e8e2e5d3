"""Rates and their intervals against published tables, SciPy, statsmodels and esda."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy

from pipeline.statistics.rates import empirical_bayes, local_empirical_bayes
from pipeline.statistics.uncertainty import dispersion, garwood, rate_ratio, wilson

Record = Callable[[str, str, Any, Any], None]


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (5, 1.6235, 11.668), (20, 12.217, 30.888), (100, 81.364, 121.627)],
)
def test_poisson_limits_as_tabled(conformance: Record, events: int, low: float, high: float) -> None:
    got = np.array(garwood(events))
    conformance(f"95 % limits of {events} events", "Breslow and Day (1987), exact Poisson limits", [low, high], got)
    assert got == pytest.approx([low, high], abs=5e-4)


def test_wilson_as_printed(conformance: Record) -> None:
    """Newcombe's worked examples, method 3: 81/263, 15/148, 0/20 and 1/29."""
    printed = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (k, n), limits in printed.items():
        got = np.array(wilson(k, n))
        conformance(f"Wilson 95 % limits of {k}/{n}", "Newcombe (1998), table I, method 3", limits, got)
        assert got == pytest.approx(limits, abs=5e-5)


def test_intervals_of_random_counts(conformance: Record) -> None:
    from statsmodels.stats.proportion import proportion_confint
    from statsmodels.stats.rates import confint_poisson

    rng = np.random.default_rng(11)
    events = rng.integers(0, 3000, 200)
    expected = np.array(confint_poisson(events, 1, method="exact-c"))
    got = np.array(garwood(events))
    conformance("Garwood limits of 200 counts, sum", "statsmodels confint_poisson(exact-c)", expected.sum(), got.sum())
    assert got == pytest.approx(expected, rel=1e-9)
    trials = events + rng.integers(1, 500, 200)
    expected = np.array(proportion_confint(events, trials, method="wilson"))
    got = np.array(wilson(events, trials))
    conformance("Wilson limits of 200 shares, sum", "statsmodels proportion_confint", expected.sum(), got.sum())
    assert got == pytest.approx(expected, abs=1e-12)


def test_smoothing_of_random_areas(conformance: Record) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from esda.smoothing import Empirical_Bayes

    rng = np.random.default_rng(12)
    people = rng.integers(800, 20_000, 300)
    events = rng.poisson(people * rng.gamma(4.0, 0.001, 300))
    expected, got = Empirical_Bayes(events, people).r.ravel(), empirical_bayes(events, people)
    conformance("empirical Bayes rates of 300 areas, sd", "esda Empirical_Bayes", expected.std(), got.std())
    assert got == pytest.approx(expected, rel=1e-10)


@pytest.mark.slow
def test_dispersion_of_random_tables(conformance: Record) -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(13)
    table = rng.negative_binomial(20.0, 0.5, size=(30, 3))
    row, column = (i.ravel() for i in np.indices(table.shape))
    design = np.column_stack([row == i for i in range(30)] + [column == j for j in (1, 2)]).astype(float)
    fit = sm.GLM(table.ravel(), design, family=sm.families.Poisson()).fit(scale="X2")
    got = dispersion(table).raw
    conformance("dispersion of 30 areas by 3 windows", "statsmodels GLM, Pearson scale", fit.scale, got)
    assert got == pytest.approx(fit.scale, rel=1e-8)


def test_ratio_of_two_rates(conformance: Record) -> None:
    ratio, low, high = rate_ratio(41, 15, days_later=28_010, days_earlier=19_017)
    share = scipy.stats.binomtest(41, 56).proportion_ci(method="exact")
    expected = [q / (1 - q) * 19_017 / 28_010 for q in (41 / 56, share.low, share.high)]
    conformance("ratio of 41 per 28,010 to 15 per 19,017", "SciPy binomtest, exact", expected, [ratio, low, high])
    assert [ratio, low, high] == pytest.approx(expected)


def test_smoothed_homicide_rates_of_st_louis(conformance: Record) -> None:
    """Counties around St Louis, the first ten rates as printed in esda's documentation."""
    import contextlib

    import libpysal

    with contextlib.closing(libpysal.io.open(libpysal.examples.get_path("stl_hom.csv"), "r")) as table:
        events, people = np.array(table[:, 10], dtype=float), np.array(table[:, 13], dtype=float)
    printed = [
        2.36718950e-05, 4.54539167e-05, 4.78114019e-05, 2.76907146e-05, 6.58989323e-05,
        3.66494122e-05, 5.79952721e-05, 2.03064590e-05, 3.31152999e-05, 3.02748380e-05,
    ]  # fmt: skip
    got = empirical_bayes(events, people)[:10]
    conformance("empirical Bayes rates, St Louis, first 10", "esda Empirical_Bayes docstring", printed, got)
    assert got == pytest.approx(printed, rel=2e-8)
    with contextlib.closing(libpysal.io.open(libpysal.examples.get_path("stl.gal"), "r")) as neighbours:
        around = neighbours.read()
    if not around.id_order_set:
        around.id_order = [str(number) for number in range(1, len(events) + 1)]
    printed = [
        4.01485749e-05, 3.62437513e-05, 4.93034844e-05, 5.09387329e-05, 3.72735210e-05,
        3.69333797e-05, 5.40245456e-05, 2.99806055e-05, 3.73034109e-05, 3.47270722e-05,
    ]  # fmt: skip
    got = local_empirical_bayes(events, people, scipy.sparse.csr_array(around.sparse))[:10]
    conformance(
        "local empirical Bayes rates, St Louis, first 10", "esda Spatial_Empirical_Bayes docstring", printed, got
    )
    assert got == pytest.approx(printed, rel=2e-8)


@pytest.mark.parametrize("confidence", [0.95, 0.998])
def test_limits_of_funnels(confidence: float, conformance: Record) -> None:
    from scipy.stats import chi2

    events, tail = np.array([3, 40, 411]), (1 - confidence) / 2
    expected = np.array([chi2.ppf(tail, 2 * events) / 2, chi2.ppf(1 - tail, 2 * events + 2) / 2])
    got = np.array(garwood(events, confidence=confidence))
    conformance(f"{confidence:.1%} limits of 3, 40 and 411", "scipy chi2 quantiles", expected, got)
    assert got == pytest.approx(expected, rel=1e-9)


def test_dispersion_of_a_series(conformance: Record) -> None:
    import statsmodels.api as sm

    counts, days = np.array([31, 90, 31, 30, 44, 52]), np.array([31, 28, 31, 30, 31, 30])
    fit = sm.GLM(counts, np.ones(6), family=sm.families.Poisson(), exposure=days).fit(scale="X2")
    got = dispersion(counts, days=days).raw
    conformance("dispersion of six months", "statsmodels GLM, Pearson scale", fit.scale, got)
    assert got == pytest.approx(fit.scale, rel=1e-8)
