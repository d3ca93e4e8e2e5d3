"""Aoristic shares against a count of minutes, one by one."""

import numpy as np
import pytest

from pipeline.statistics.aoristic import BAND_MINUTES, UNITS, WEEK_BANDS, week_units


def by_minutes(start: int, length: int) -> np.ndarray:
    """Give each minute its share of the incident; 1 January 1970 was a Thursday."""
    minutes = np.arange(start, start + length)
    band = (minutes // 1440 + 3) % 7 * (1440 // BAND_MINUTES) + minutes % 1440 // BAND_MINUTES
    return np.bincount(band, minlength=WEEK_BANDS) / length


def test_a_night_from_ten_to_six(conformance) -> None:
    monday = 4 * 1440
    got = week_units([monday + 22 * 60], [480])[0] / UNITS
    found = got[got > 0].tolist()
    conformance("shares from 22:00 to 6:00", "by hand: 2, 3 and 3 of 8 hours", [0.25, 0.375, 0.375], found)
    assert found == [0.25, 0.375, 0.375]


def test_random_intervals(conformance) -> None:
    rng = np.random.default_rng(6)
    start, length = rng.integers(0, 5_000_000, 150), rng.integers(1, 9_000, 150)
    expected = np.array([by_minutes(int(s), int(n)) for s, n in zip(start, length, strict=True)])
    got = week_units(start, length) / UNITS
    worst = float(np.abs(got - expected).max())
    # Whole units: each band's two ends are rounded down to one in 1,440.
    conformance("aoristic shares of 150 intervals, largest error", "count of minutes", "< 0.0007", worst)
    assert worst < 1 / UNITS + 1e-12
    assert got.sum(axis=1) == pytest.approx(1)
