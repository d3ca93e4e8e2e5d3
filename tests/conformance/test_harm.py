"""Change of harm with unequal weights, against a simulation of no change."""

import numpy as np

from pipeline.statistics.harm import change_of_sums


def test_unequal_weights_reject_one_case_of_twenty(conformance) -> None:
    # 200 incidents a window of weights 5, 30 and 365, which nine, eight and three of twenty have.
    rng = np.random.default_rng(4)
    weights, expected = np.array([5.0, 30.0, 365.0]), np.array([90.0, 80.0, 30.0])
    one, other = rng.poisson(expected, (2, 4000, 3))
    squares = {"later_squares": one @ weights**2, "earlier_squares": other @ weights**2}
    p = change_of_sums(one @ weights, other @ weights, **squares, days_later=365, days_earlier=365, dispersion=1.0)
    share = float((p <= 0.05).mean())
    conformance("share of p at most .05 without a change, 4,000 pairs", "simulation of the null", 0.05, share)
    assert 0.04 < share < 0.06
