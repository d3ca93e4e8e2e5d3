import doctest
import importlib

import pytest

from pipeline.errors import InputError
from pipeline.statistics.change import etest


def test_one_against_none_by_a_double_sum() -> None:
    # Pooled mean 1/2 each; |T| of (1, 0) is 1, so every pair with (a - b)^2 >= a + b counts, except (0, 0).
    from math import exp, factorial

    pmf = [exp(-0.5) * 0.5**k / factorial(k) for k in range(30)]
    p = sum(pmf[a] * pmf[b] for a in range(30) for b in range(30) if (a - b) ** 2 >= a + b and a + b > 0)
    assert etest(1, 0) == pytest.approx(p, rel=1e-10)


def test_symmetric_and_falls_with_the_gap() -> None:
    assert etest(9, 3) == pytest.approx(etest(3, 9))
    assert etest(5, 5) > etest(8, 2) > etest(12, 1)
    assert etest(0, 0) == 1.0


def test_exposure_counts() -> None:
    assert etest(30, 15, first_exposure=2, second_exposure=1) > 0.9
    assert etest(30, 15) < 0.05


@pytest.mark.parametrize("arguments", [{"first": -1}, {"second_exposure": 0.0}], ids=["count", "exposure"])
def test_bad_input_is_refused(arguments: dict) -> None:
    with pytest.raises(InputError, match="must be 0 or more"):
        etest(**({"first": 3, "second": 2} | arguments))


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(importlib.import_module("pipeline.statistics.change"))
    assert result.attempted > 0
    assert result.failed == 0
