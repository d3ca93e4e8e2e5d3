"""Bands by volume against a closed form, tests of harm against statsmodels, robust dispersion against a planted one."""

from math import log, pi

import numpy as np
import pytest

from pipeline.detect.density import share_thresholds
from pipeline.statistics.harm import change_of_sums, effective_incidents
from pipeline.statistics.uncertainty import dispersion, robust_dispersion


def test_shares_of_a_normal_surface(conformance) -> None:
    """Of a normal density in the plane, a share s lies above 1 - s of its peak: an area of 2 pi ln(1 / (1 - s))."""
    at = np.arange(-100, 101) / 20.0  # cells of a twentieth of the standard deviation
    surface = np.exp(-(at[:, None] ** 2 + at[None] ** 2) / 2)
    levels = share_thresholds(surface, inside=np.ones(surface.shape), shares_pct=(25, 50, 75))
    conformance("levels of bands of 25, 50 and 75 %, of the peak", "closed form", [0.75, 0.5, 0.25], levels)
    assert levels == pytest.approx([0.75, 0.5, 0.25], abs=2e-3)
    areas = [float((surface >= level).sum()) / 400 for level in levels]
    expected = [2 * pi * log(1 / (1 - s)) for s in (0.25, 0.5, 0.75)]
    conformance("areas of bands of 25, 50 and 75 %", "closed form", expected, areas)
    assert areas == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize(("later", "earlier", "days_later", "days_earlier"), [(100, 60, 365, 365), (41, 15, 280, 190)])
def test_change_of_equal_weights(later: int, earlier: int, days_later: int, days_earlier: int, conformance) -> None:
    from statsmodels.stats.rates import test_poisson_2indep

    found = test_poisson_2indep(later, days_later, earlier, days_earlier, method="wald", compare="diff")
    [got] = change_of_sums(
        [3.0 * later], [3.0 * earlier], later_squares=[9.0 * later], earlier_squares=[9.0 * earlier],
        days_later=days_later, days_earlier=days_earlier, dispersion=1.0,
    )  # fmt: skip
    name = f"p of harm, {later} of weight 3 in {days_later}, after {earlier} in {days_earlier}"
    conformance(name, "statsmodels test_poisson_2indep(wald)", found.pvalue, got)
    assert got == pytest.approx(found.pvalue, rel=1e-9)


def test_incidents_that_a_sum_of_weights_is_worth(conformance) -> None:
    weights = np.array([1.0] * 10 + [90.0])
    expected = weights.sum() ** 2 / (weights**2).sum()
    [got] = effective_incidents([weights.sum()], [(weights**2).sum()])
    conformance("effective incidents: ten of weight 1, one of 90", "Kish (1965), by hand", expected, got)
    assert got == pytest.approx(1.2330456, abs=1e-7)


def test_dispersion_of_areas_that_did_not_change(conformance) -> None:
    """Gamma-Poisson counts of variance 1.7 times the mean; the plain estimate sees the same."""
    rng = np.random.default_rng(12)
    robust, plain = [], []
    for _ in range(12):
        mean = rng.uniform(20, 90, 600)
        first, second = rng.poisson(rng.gamma(mean / 0.7, 0.7)), rng.poisson(rng.gamma(mean / 0.7, 0.7))
        robust.append(robust_dispersion([(first, second)]).value)
        plain.append(dispersion(np.column_stack([first, second])).value)
    for name, got in (("robust dispersion", robust), ("dispersion", plain)):
        conformance(f"{name} of 600 areas, mean of 12 draws", "planted", 1.7, float(np.mean(got)))
        assert np.mean(got) == pytest.approx(1.7, abs=0.1)
