"""When: seasons, weekends, a mild trend of each borough's own, and one invented surge."""

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.layout import DAYS, FIRST_DAY, draw, generator
from pipeline.sample.strands import GROUPS

__all__ = ["draw_days", "draw_delays"]

WEEKEND = np.array([0.95, 0.94, 0.97, 0.99, 1.07, 1.10, 0.98])  # Monday first
SURGE = (620, 670, 1.8)  # first and last day, factor; rows of religion only

Index = NDArray[np.int64]


def draw_days(rng: np.random.Generator, *, seed: int, borough: Index, group: Index, boroughs: int) -> Index:
    """Draw the day of each row, shape (n,), from 0 to DAYS - 1.

    Parameters
    ----------
    rng
        Source of chance for the rows.
    seed
        Seed of the sample: trends belong to it, so chunks share them.
    borough, group
        Position of the borough and strand group of each row, shape (n,).
    boroughs
        Number of boroughs.
    """
    day = np.arange(DAYS)
    year = day / 365.25
    of_year = (FIRST_DAY + day - (FIRST_DAY + day).astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    weekday = (FIRST_DAY.astype(np.int64) + 3 + day) % 7  # 1970-01-01 was a Thursday
    common = (1.0 + 0.14 * np.cos(2 * np.pi * (of_year - 185) / 365.25)) * WEEKEND[weekday]
    trend = 0.02 + 0.11 * generator(seed, 3).standard_normal(boroughs)
    odds = common * np.exp(trend[:, None] * (year - 1.5))
    odds = np.repeat(odds[:, None, :], len(GROUPS), axis=1)
    first, last, factor = SURGE
    odds[:, GROUPS.index("religion"), first : last + 1] *= factor
    return draw(rng, odds.reshape(-1, DAYS), borough * len(GROUPS) + group)


def draw_delays(rng: np.random.Generator, count: int) -> Index:
    """Draw days from occurrence to record, shape (count,): most the same day, a few after months."""
    kind = rng.random(count)
    late = 2 + (-16.0 * np.log1p(-rng.random(count))).astype(np.int64)
    return np.where(kind < 0.62, 0, np.where(kind < 0.82, 1, late))
