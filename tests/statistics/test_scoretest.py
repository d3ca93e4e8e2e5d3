"""Two-window tests against SciPy and statsmodels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.errors import InputError
from pipeline.statistics.change import against_rest, against_self
from pipeline.statistics.intervals import Dispersion

POISSON = Dispersion()
events = st.integers(0, 3000)


@given(events, events, st.integers(28, 400), st.integers(28, 400))
@settings(max_examples=60, deadline=None)
def test_against_self_is_the_score_test_of_two_poisson_rates(x2: int, x1: int, d2: int, d1: int) -> None:
    from statsmodels.stats.rates import test_poisson_2indep as two_rates

    p = against_self([x2], [x1], days_later=d2, days_earlier=d1, spread=POISSON)[0]
    if x1 + x2 == 0:
        assert p == 1
        return
    with np.errstate(divide="ignore"):  # the oracle also prints the ratio
        expected = two_rates(x2, d2, x1, d1, method="score", compare="ratio").pvalue
    assert p == pytest.approx(expected, rel=1e-8, abs=1e-14)


@given(st.integers(1, 500), st.integers(1, 500), st.floats(1.0, 8.0), st.integers(1, 700))
def test_dispersion_scales_the_statistic_and_t_replaces_the_normal(x2: int, x1: int, phi: float, df: int) -> None:
    p = against_self([x2], [x1], days_later=365, days_earlier=365, spread=Dispersion(phi, phi, df))[0]
    z = (x2 - x1) / np.sqrt(phi * (x1 + x2))
    assert p == pytest.approx(2 * stats.t.sf(abs(z), df), rel=1e-6, abs=1e-14)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 9000), st.integers(1, 9000), st.floats(1.0, 5.0))
@settings(max_examples=60, deadline=None)
def test_against_rest_is_the_chi_squared_of_the_table(x2: int, x1: int, r2: int, r1: int, phi: float) -> None:
    chi2 = stats.chi2_contingency([[x2, x1], [r2, r1]], correction=False)
    p = against_rest([x2], [x1], rest_later=[r2], rest_earlier=[r1], spread=POISSON)[0]
    assert p == pytest.approx(chi2.pvalue, rel=1e-6, abs=1e-14)
    wide = against_rest([x2], [x1], rest_later=[r2], rest_earlier=[r1], spread=Dispersion(phi, phi, 0))[0]
    assert wide == pytest.approx(stats.chi2.sf(chi2.statistic / phi, 1), rel=1e-6, abs=1e-14)


def test_empty_margins_prove_nothing() -> None:
    none = against_rest([0, 5], [0, 7], rest_later=[9, 0], rest_earlier=[4, 0], spread=POISSON)
    assert none.tolist() == [1, 1]
    with pytest.raises(InputError, match="length in days"):
        against_self([1], [1], days_later=0, days_earlier=30, spread=POISSON)


def test_the_test_keeps_its_level_on_overdispersed_counts() -> None:
    """Counts with twice the variance of chance: as Poisson, too many differ; with it, five in a hundred."""
    rng = np.random.default_rng(8)
    x1, x2 = rng.negative_binomial(40.0, 0.5, size=(2, 20_000))
    plain = against_self(x2, x1, days_later=365, days_earlier=365, spread=POISSON)
    right = against_self(x2, x1, days_later=365, days_earlier=365, spread=Dispersion(2.0, 2.0, 19_999))
    assert (plain < 0.05).mean() > 0.13
    assert (right < 0.05).mean() == pytest.approx(0.05, abs=0.006)
