"""Tests of change and the false discovery rate against statsmodels, SciPy and a published family of tests."""

import numpy as np
import pytest

from pipeline.statistics.change import against_rest, against_self
from pipeline.statistics.uncertainty import Dispersion, benjamini_hochberg

PAIRS = ((130, 100, 365, 365), (41, 15, 28_010, 19_017), (7, 19, 31, 28), (3, 1, 90, 92), (2_411, 2_290, 366, 365))


@pytest.mark.parametrize(("later", "earlier", "days_later", "days_earlier"), PAIRS)
def test_score_test_of_two_counts(later: int, earlier: int, days_later: int, days_earlier: int, conformance) -> None:
    from statsmodels.stats.rates import test_poisson_2indep

    expected = test_poisson_2indep(later, days_later, earlier, days_earlier, method="score").pvalue
    [got] = against_self([later], [earlier], days_later=days_later, days_earlier=days_earlier, spread=Dispersion())
    name = f"p of change, {later} in {days_later:,} after {earlier} in {days_earlier:,}"
    conformance(name, "statsmodels test_poisson_2indep(score)", expected, got)
    assert got == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("table", [(20, 10, 100, 100), (3, 9, 210, 190), (55, 81, 4_000, 4_310)])
def test_change_against_the_rest_of_the_region(table: tuple[int, int, int, int], conformance) -> None:
    from scipy.stats import chi2_contingency

    later, earlier, rest_later, rest_earlier = table
    expected = chi2_contingency([[later, earlier], [rest_later, rest_earlier]], correction=False).pvalue
    [got] = against_rest([later], [earlier], rest_later=[rest_later], rest_earlier=[rest_earlier], spread=Dispersion())
    conformance(f"p against the rest, {earlier} to {later}", "scipy chi2_contingency, uncorrected", expected, got)
    assert got == pytest.approx(expected, rel=1e-10)


def test_overdispersed_change_is_a_t_test(conformance) -> None:
    """Quasi-Poisson: the score z over the root of the dispersion, against Student's t on its degrees of freedom."""
    from scipy.stats import t

    z = (130 - 100) / np.sqrt(230)
    expected = 2 * t.sf(z / np.sqrt(1.7), 24)
    [got] = against_self([130], [100], days_later=365, days_earlier=365, spread=Dispersion(1.7, 1.7, 24))
    conformance("p of change, 100 to 130, dispersion 1.7 on 24 df", "scipy t, by hand", expected, got)
    assert got == pytest.approx(expected, rel=1e-12)


def test_false_discovery_rate_of_the_published_family(conformance) -> None:
    """Fifteen hypotheses of a study of thrombolysis: Bonferroni rejects three, the step-up rule four (section 3.2)."""
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
    got = int((benjamini_hochberg(p) <= 0.05).sum())
    conformance("rejected of 15 hypotheses at 0.05", "Benjamini and Hochberg (1995), section 3.2", 4, got)
    assert got == 4


def test_adjusted_p_of_random_families(conformance) -> None:
    from scipy.stats import false_discovery_control
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(3).beta(0.4, 2, 500)
    got = benjamini_hochberg(p)
    for source, expected in (
        ("statsmodels multipletests(fdr_bh)", multipletests(p, method="fdr_bh")[1]),
        ("scipy false_discovery_control", false_discovery_control(p)),
    ):
        conformance("adjusted p of 500 tests, sum", source, expected.sum(), got.sum())
        np.testing.assert_allclose(got, expected, rtol=1e-12)
