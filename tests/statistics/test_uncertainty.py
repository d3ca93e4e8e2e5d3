"""Intervals, dispersion and adjusted p-values against SciPy, statsmodels and published tables."""

import numpy as np
import pytest
import scipy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.statistics.uncertainty import (
    Dispersion,
    Family,
    benjamini_hochberg,
    dispersion,
    garwood,
    rate_ratio,
    wilson,
)

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=60)
confidences = st.sampled_from([0.8, 0.9, 0.95, 0.99, 0.998])


@given(st.integers(0, 100_000), confidences)
@pytest.mark.slow
def test_garwood_is_the_chi_squared_interval(events: int, confidence: float) -> None:
    low, high = garwood(events, confidence=confidence)
    tail = (1 - confidence) / 2
    assert low == pytest.approx(scipy.stats.chi2.ppf(tail, 2 * events) / 2 if events else 0, rel=1e-9)
    assert high == pytest.approx(scipy.stats.chi2.isf(tail, 2 * events + 2) / 2, rel=1e-9)


@given(st.integers(0, 3000), confidences)
@settings(max_examples=30, deadline=None)
def test_garwood_agrees_with_statsmodels(events: int, confidence: float) -> None:
    from statsmodels.stats.rates import confint_poisson

    assert np.array(garwood(events, confidence=confidence)) == pytest.approx(
        np.array(confint_poisson(events, 1, method="exact-c", alpha=1 - confidence)), rel=1e-8, abs=1e-12
    )


def test_garwood_of_a_published_table() -> None:
    """Limits of 1, 10 and 100 events as printed in tables of exact Poisson limits."""
    low, high = garwood([0, 1, 10, 100])
    assert low.round(2).tolist() == [0.0, 0.03, 4.8, 81.36]
    assert high.round(2).tolist() == [3.69, 5.57, 18.39, 121.63]


@pytest.mark.slow
@given(st.integers(30, 5000), st.floats(1.01, 6.0))
def test_dispersion_widens_by_about_its_root(events: int, phi: float) -> None:
    assume(events / phi > 25)
    plain, wide = garwood(events), garwood(events, dispersion=phi)
    assert wide[0] <= plain[0] <= events <= plain[1] <= wide[1]
    assert (wide[1] - wide[0]) / (plain[1] - plain[0]) == pytest.approx(np.sqrt(phi), rel=0.1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: garwood([-1]),
        lambda: garwood([np.nan]),
        lambda: garwood([3], dispersion=0.5),
        lambda: garwood([3], confidence=95),
        lambda: wilson([4], [3]),
        lambda: wilson([-1], [3]),
        lambda: dispersion([[[1]]]),
        lambda: dispersion([1, 2], days=[30, 0]),
        lambda: dispersion([[1, 2]], days=[30, 31]),
        lambda: rate_ratio(1, 2, days_later=0, days_earlier=30),
        lambda: rate_ratio(1, 2, days_later=30, days_earlier=30, dispersion=0.9),
    ],
)
def test_nonsense_is_refused(call: object) -> None:
    with pytest.raises(InputError):
        call()  # type: ignore[operator]


@given(st.integers(0, 400), st.integers(0, 400), confidences)
@settings(max_examples=60, deadline=None)
def test_wilson_agrees_with_statsmodels_and_scipy(k: int, more: int, confidence: float) -> None:
    from statsmodels.stats.proportion import proportion_confint

    n = k + more
    low, high = wilson(k, n, confidence=confidence)
    if n == 0:
        assert (low, high) == (0, 1)
        return
    assert (low, high) == pytest.approx(proportion_confint(k, n, alpha=1 - confidence, method="wilson"), abs=1e-10)
    theirs = scipy.stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-10)
    assert 0 <= low <= k / n <= high <= 1


@given(st.integers(0, 3000), st.floats(0.5, 800.0), confidences)
def test_an_interval_leaves_out_what_a_poisson_test_refuses(count: int, expected: float, confidence: float) -> None:
    left, right = garwood(count, confidence=confidence)
    tail = (1 - confidence) / 2
    above, below = scipy.stats.poisson.sf(count - 1, expected), scipy.stats.poisson.cdf(count, expected)
    assume(abs(above - tail) > 1e-9 and abs(below - tail) > 1e-9)
    assert (left > expected) == (above < tail)
    assert (right < expected) == (below < tail)


@pytest.mark.parametrize("seed", range(12))
def test_table_dispersion_is_that_of_a_glm(seed: int) -> None:
    """Quasi-Poisson regression with a factor for each area and one for each window."""
    import statsmodels.api as sm

    rng = np.random.default_rng(seed)
    areas, spans = int(rng.integers(2, 9)), int(rng.integers(2, 5))
    table = 1 + rng.poisson(rng.gamma(3.0, 4.0, size=(areas, spans)))
    row, column = (index.ravel() for index in np.indices(table.shape))
    design = np.column_stack([row == i for i in range(areas)] + [column == j for j in range(1, spans)]).astype(float)
    fit = sm.GLM(table.ravel(), design, family=sm.families.Poisson()).fit()
    found = dispersion(table)
    assert found.raw == pytest.approx(fit.pearson_chi2 / fit.df_resid, rel=1e-6)
    assert found.df == fit.df_resid
    assert found.value == max(1.0, found.raw)


@pytest.mark.parametrize("seed", range(12))
def test_series_dispersion_is_that_of_a_glm_with_exposure(seed: int) -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(seed)
    size = int(rng.integers(3, 40))
    days = rng.integers(1, 32, size=size).astype(float)
    counts = rng.poisson(days * rng.gamma(2.0, 1.0, size=size)).astype(float)
    fit = sm.GLM(counts, np.ones((size, 1)), family=sm.families.Poisson(), exposure=days).fit()
    found = dispersion(counts, days=days)
    assert found.raw == pytest.approx(fit.pearson_chi2 / fit.df_resid, rel=1e-6)
    assert found.df == fit.df_resid


def test_poisson_counts_have_no_dispersion_however_small() -> None:
    rng = np.random.default_rng(4)
    level = rng.gamma(2.0, 0.8, size=(4000, 1))
    assert dispersion(rng.poisson(level * [1.0, 1.2, 0.9])).raw == pytest.approx(1.0, abs=0.04)
    clustered = rng.negative_binomial(20.0, 0.4, size=(4000, 3))
    assert dispersion(clustered).raw == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize("counts", [[], [5], [0, 0, 0], [[1, 2]], [[1], [2]], [[0, 0], [0, 0]], np.zeros((0, 2))])
def test_what_cannot_be_estimated_says_so(counts: object) -> None:
    assert dispersion(counts) == Dispersion(1.0, None, 0)


@given(st.integers(0, 400), st.integers(1, 400), st.integers(20, 400), st.integers(20, 400))
@pytest.mark.slow
def test_rate_ratio_inverts_the_exact_binomial_test(later: int, earlier: int, t2: int, t1: int) -> None:
    ratio, low, high = rate_ratio(later, earlier, days_later=t2, days_earlier=t1)
    assert ratio == pytest.approx((later / t2) / (earlier / t1))
    share = scipy.stats.binomtest(later, later + earlier).proportion_ci(0.95, method="exact")
    assert low == pytest.approx(share.low / (1 - share.low) * t1 / t2, rel=1e-7, abs=1e-12)
    assert high == pytest.approx(share.high / (1 - share.high) * t1 / t2, rel=1e-7)


def test_rate_ratio_without_earlier_events_has_no_upper_end() -> None:
    ratio, low, high = rate_ratio(5, 0, days_later=30, days_earlier=30)
    assert (ratio, high) == (None, None)
    root = scipy.optimize.brentq(lambda p: scipy.stats.binom.sf(4, 5, p) - 0.025, 1e-9, 1 - 1e-9)
    assert low == pytest.approx(root / (1 - root))
    assert rate_ratio(0, 0, days_later=30, days_earlier=30) == (None, None, None)


def test_rate_ratio_widens_with_dispersion() -> None:
    plain = rate_ratio(120, 100, days_later=365, days_earlier=365)
    wide = rate_ratio(120, 100, days_later=365, days_earlier=365, dispersion=2.0)
    assert plain[0] == wide[0]
    assert wide[1] < plain[1] < plain[2] < wide[2]  # type: ignore[operator]


# The false discovery rate.


@settings(max_examples=60, deadline=None)
@given(PROBABILITIES)
def test_adjusted_values_equal_scipys(p: list[float]) -> None:
    np.testing.assert_allclose(benjamini_hochberg(p), scipy.stats.false_discovery_control(p, method="bh"), rtol=1e-12)


def test_the_table_of_the_1995_paper() -> None:
    # Benjamini and Hochberg (1995), section 3.2: of these 15 p-values, their rule rejects the first four at 0.05.
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1,
    ]
    assert (benjamini_hochberg(p) <= 0.05).tolist() == [True] * 4 + [False] * 11


def test_units_without_a_test_are_not_counted() -> None:
    p = np.array([0.01, np.nan, 0.02])
    q = benjamini_hochberg(p, included=[True, False, True])
    assert q.tolist() == [0.02, 1.0, 0.02]


def test_no_test_at_all_gives_no_discovery() -> None:
    assert benjamini_hochberg([]).shape == (0,)
    assert benjamini_hochberg([0.001], included=[False]).tolist() == [1.0]


@pytest.mark.parametrize("p", [[0.1, np.nan], [-0.1], [1.2]])
def test_a_missing_or_impossible_p_is_refused(p: list[float]) -> None:
    with pytest.raises(InputError, match="outside 0 to 1"):
        benjamini_hochberg(p)


def test_flags_must_match() -> None:
    with pytest.raises(InputError, match="one flag per p-value"):
        benjamini_hochberg([0.1, 0.2], included=[True])


def test_a_family_says_how_many_tests_it_holds() -> None:
    assert str(Family(name="wards, all, 2024", tests=1234)) == "wards, all, 2024 (1,234 tests)"
