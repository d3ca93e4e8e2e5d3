"""Hours of the week against a sum by minutes, and trend and season against statsmodels on the counts themselves."""

import numpy as np
import pytest

from pipeline.statistics.aoristic import UNITS, week_units
from pipeline.statistics.seasons import MONTH_DAYS, decompose, expect, smoother

BY_MINUTES = "direct sum by minutes"


def by_minutes(start: int, length: int) -> np.ndarray:
    """Give every minute of an interval its part of the units; 1970 began on a Thursday."""
    hours = np.zeros(168)
    for minute in range(start, start + length):
        hours[(minute + 3 * 1440) % (7 * 1440) // 60] += UNITS / length
    return hours


def test_hours_of_incidents_between_two_times(conformance) -> None:
    rng = np.random.default_rng(5)
    exact = rng.choice([1, 30, 60, 90, 360, 480, 720, 1440], 60)
    other = rng.integers(1, 9_000, 40)
    for name, lengths, within in (("lengths that divide a day", exact, 0), ("any lengths", other, 1)):
        starts = rng.integers(28_000_000, 28_900_000, len(lengths))
        got = week_units(starts, lengths, band_minutes=60)
        expected = np.array([by_minutes(*pair) for pair in zip(starts.tolist(), lengths.tolist(), strict=True)])
        conformance(f"units of Fridays 20:00 to 24:00, {len(lengths)} incidents, {name}", BY_MINUTES,
                    expected[:, 116:120].sum(), got[:, 116:120].sum())  # fmt: skip
        assert (got.sum(axis=1) == UNITS).all()
        # A unit is rounded at the end of an hour, at most one a hour and week.
        weeks = np.ceil(lengths / 10_080) + 1
        assert (np.abs(got - expected).max(axis=1) <= within * weeks + 1e-6).all()
        # Short bands add up to the long ones exactly.
        assert (got.reshape(len(got), 56, 3).sum(axis=2) == week_units(starts, lengths)).all()


@pytest.mark.parametrize("months", [24, 47])
def test_trend_and_season(months: int, conformance) -> None:
    from statsmodels.tsa.seasonal import STL

    rng = np.random.default_rng(months)
    counts = rng.poisson(200 + 40 * np.sin(np.arange(months) * np.pi / 6)).astype(float)
    days = np.full(months, MONTH_DAYS)
    oracle = STL(counts, period=12, seasonal=10 * months + 1, seasonal_deg=0).fit()
    found = decompose(counts, days, seed=1)
    for name, expected, got in (("trend", oracle.trend, found.trend), ("season", oracle.seasonal, found.season)):
        conformance(f"{name} of {months} months, last three", "statsmodels STL", expected[-3:], got[-3:])
        assert np.abs(expected - got).max() < 1e-9
    ahead = expect(counts, days, latest=3)
    if months > 24:
        before = STL(counts[:-3], period=12, seasonal=10 * (months - 3) + 1, seasonal_deg=0).fit()
        expected = before.trend[-1] + before.seasonal[months - 15 : months - 12]
        conformance(f"expected, three months after {months - 3}", "statsmodels STL, last trend and season", expected,
                    ahead.incidents)  # fmt: skip
        assert np.abs(expected - ahead.incidents).max() < 1e-9


def test_a_season_about_a_level_is_found_exactly() -> None:
    season = np.array([5, 3, 1, -2, -4, -6, -5, -3, 0, 2, 4, 5], dtype=float)  # adds up to nothing
    counts = 100 + np.tile(season, 4)
    matrices = smoother(48)
    assert matrices.trend @ counts == pytest.approx(np.full(48, 100.0), abs=1e-4)
    assert matrices.season @ counts == pytest.approx(np.tile(season, 4), abs=1e-4)
    found = expect(counts, np.full(48, MONTH_DAYS), latest=3)
    assert found.incidents == pytest.approx(counts[-3:], abs=1e-4)
    assert (found.p > 0.99).all()
