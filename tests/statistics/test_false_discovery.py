import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.statistics.false_discovery import Family, benjamini_hochberg

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=60)


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
