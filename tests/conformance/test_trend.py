"""The Mann-Kendall test against pymannkendall's figures and SciPy's tau."""

import numpy as np
import pytest

from pipeline.detect.emerging import mann_kendall

# Figures of pymannkendall 1.4.3, original_test: S, z, p.
SERIES = {
    "ten rising values": ([3, 5, 4, 7, 7, 9, 8, 10, 12, 11], 38, 3.322698087495336, 0.0008915134791795953),
    "eleven falling values": ([5, 5, 5, 4, 4, 6, 3, 3, 2, 2, 1], -39, -3.0199337741082997, 0.002528299621710861),
    "twelve values with ties": ([1, 2, 2, 2, 3, 1, 2, 3, 1, 2, 2, 3], 15, 1.0523044392039604, 0.292659895634124),
}


@pytest.mark.parametrize("name", SERIES)
def test_s_z_and_p(name: str, conformance) -> None:
    values, s, z, p = SERIES[name]
    found = mann_kendall([values])
    got = [float(found.s[0]), found.z[0], found.p[0]]
    conformance(f"Mann-Kendall S, z, p, {name}", "pymannkendall 1.4.3", [s, z, p], got)
    assert got == pytest.approx([s, z, p], rel=1e-10)


def test_tau_of_random_series(conformance) -> None:
    from scipy.stats import kendalltau

    table = np.random.default_rng(4).poisson(3, (40, 12))
    # Time has no ties: tau-b divides by the pairs that differ in value.
    expected = np.array([kendalltau(np.arange(12), row, variant="b").statistic for row in table])
    got = mann_kendall(table).tau
    conformance("Kendall's tau-b of 40 series, sum", "scipy kendalltau", expected.sum(), got.sum())
    np.testing.assert_allclose(got, expected, rtol=1e-10)
