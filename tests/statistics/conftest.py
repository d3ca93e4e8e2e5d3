"""The library that expected values come from is loaded before the tests: the first of them would pay for it."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _scipy_stats() -> None:
    import scipy.stats  # noqa: F401
