"""The shape of the synthetic extract: its columns, its days, and one way to draw from tables of odds."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLUMNS", "DAYS", "EXTRACT_DAY", "FIRST_DAY", "LAST_DAY", "Columns", "draw", "generator", "pick"]

COLUMNS = (
    "incident_id",
    "occurred_on",
    "hour",
    "recorded_on",
    "easting",
    "northing",
    "borough",
    "strands",
    "offence_group",
    "kind",
    "aggravated",
    "flag_status",
    "place_type",
    "reporting_route",
    "online",
    "outcome",
    "victim_ref",
    "organisation",
    "note",
)

FIRST_DAY = np.datetime64("2022-08-01")
LAST_DAY = np.datetime64("2025-07-31")
EXTRACT_DAY = np.datetime64("2025-08-08")  # nothing was recorded later; late reports of July are therefore missing
DAYS = int((LAST_DAY - FIRST_DAY).astype(int)) + 1

Columns = dict[str, NDArray[np.object_]]


def generator(*key: int) -> np.random.Generator:
    """Give the stream of random numbers that belongs to a key such as (seed, purpose, chunk)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def draw(rng: np.random.Generator, odds: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Draw one choice per row, each row from its own group's odds.

    Parameters
    ----------
    rng
        Source of chance; one number is used per row.
    odds
        Non-negative odds, shape (groups, choices); each row of it has a positive sum.
    group
        Row of `odds` for each draw, shape (n,).

    Returns
    -------
    choice
        Column of `odds`, shape (n,).
    """
    cumulative = np.cumsum(odds, axis=1)
    cumulative /= cumulative[:, -1:]
    # Laying the groups end to end turns n draws from many tables into one sorted search.
    flat = (cumulative + np.arange(len(odds))[:, None]).ravel()
    found: NDArray[np.int64] = np.searchsorted(flat, group + rng.random(len(group)), side="right")
    choice: NDArray[np.int64] = np.minimum(found - group * odds.shape[1], odds.shape[1] - 1)
    return choice


def pick(rng: np.random.Generator, odds: dict[str, float], count: int) -> NDArray[np.object_]:
    """Draw words by their odds, shape (count,)."""
    table = np.array([list(odds.values())])
    return np.array(list(odds), dtype=object)[draw(rng, table, np.zeros(count, dtype=np.int64))]
