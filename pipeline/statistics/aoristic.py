"""Aoristic weights: an incident that happened at some time between two counts for every hour between them.

Each incident is worth `UNITS`, shared over its interval in proportion to time, in whole units, so that sums are exact
in any order. Counts of incidents are made from the sums of units at the very end.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = ["BAND_MINUTES", "UNITS", "WEEK_BANDS", "week_units", "whole_by_key", "whole_incidents", "whole_of_parts"]

Ints = NDArray[np.int64]
UNITS = 1440
"""Units of one incident: the minutes of a day."""
BAND_MINUTES = 180
"""Minutes of a band of the day; the first begins at midnight."""
_BANDS = 1440 // BAND_MINUTES
WEEK_BANDS = 7 * _BANDS
"""Bands of a week, Monday's first."""
_THURSDAY = 3  # the weekday of 1970-01-01, Monday being 0


def week_units(start_min: ArrayLike, minutes: ArrayLike, *, band_minutes: int = BAND_MINUTES) -> Ints:
    """Share incidents over the bands of the week in which they may have happened.

    Parameters
    ----------
    start_min
        Start of each interval in minutes of local time since 1970-01-01 00:00, shape (n,).
    minutes
        Its length in minutes, at least 1, shape (n,).
    band_minutes
        Length of a band, a divisor of a day.

    Returns
    -------
    units
        Shape (n, bands of a week); each row adds up to `UNITS`, and the units of short bands to those of the long band
        that they make up. Up to the end of a band that lies `t` minutes into an
        interval of `m` minutes, ``UNITS * t // m`` units are given: rounding never adds or loses one.

    References
    ----------
    Ratcliffe (2000), Aoristic analysis: the spatial interpretation of unspecific temporal events. International Journal
    of Geographical Information Science 14(7), 669-679.

    Examples
    --------
    From Monday 5 January 1970, 22:00, for eight hours: a quarter until midnight, three eighths in each of two bands.

    >>> found = week_units([4 * 1440 + 22 * 60], [480])[0]
    >>> {int(band): int(found[band]) for band in np.flatnonzero(found)}
    {7: 360, 8: 540, 9: 540}
    """
    start, length = (np.atleast_1d(np.asarray(v, dtype=np.int64)) for v in (start_min, minutes))
    of_day = 1440 // band_minutes
    units = np.zeros((len(start), 7 * of_day), dtype=np.int64)
    if not len(start):
        return units
    first = start // band_minutes
    row = np.arange(len(start))
    given = np.zeros(len(start), dtype=np.int64)
    for step in range(int(((start + length - 1) // band_minutes - first).max()) + 1):
        band = first + step
        until = np.clip((band + 1) * band_minutes - start, 0, length)
        reached = UNITS * until // length
        day = (band // of_day + _THURSDAY) % 7
        # A row meets each band of a week once in a step, so nothing is added to one cell twice.
        units[row, day * of_day + band % of_day] += reached - given
        given = reached
    return units


def whole_incidents(units: ArrayLike) -> Ints:
    """Round sums of units to incidents, so that each row keeps its number of incidents.

    Parameters
    ----------
    units
        Sums of units, shape (rows, cells). Each row adds up to a multiple of `UNITS`.

    Returns
    -------
    incidents
        Whole incidents, less than one away from the exact share: those left after rounding down go to the cells with
        the largest remainders, the first of equal ones.

    Examples
    --------
    >>> whole_incidents([[700, 740, 1440]]).tolist()
    [[0, 1, 1]]
    """
    sums = np.atleast_2d(np.asarray(units, dtype=np.int64))
    whole, rest = sums // UNITS, sums % UNITS
    left = rest.sum(axis=1) // UNITS
    rank = np.argsort(np.argsort(-rest, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray(whole + (rank < left[:, None]), dtype=np.int64)


def whole_of_parts(units: ArrayLike, parts: ArrayLike) -> Ints:
    """Round sums of units of a whole to incidents that are at least those of each of its parts.

    Parameters
    ----------
    units
        Sums of units of the whole, shape (cells,), a multiple of `UNITS` in all.
    parts
        Incidents of parts of it that have none in common, from `whole_incidents`, shape (parts, cells).

    Returns
    -------
    incidents
        Shape (cells,), as many in all as the whole has.

    Examples
    --------
    One incident in each of two parts: the second is counted where the first was not.

    >>> whole_of_parts([1440, 1440], [[1, 0], [1, 0]]).tolist(), whole_of_parts([1000, 1880], [[1, 0]]).tolist()
    ([1, 1], [1, 1])
    """
    sums = np.asarray(units, dtype=np.int64)
    least = np.asarray(parts, dtype=np.int64).max(axis=0, initial=0)
    found = np.maximum(sums // UNITS, least)
    # Few steps: a part exceeds the whole rounded down by at most one in each cell.
    while (left := int(sums.sum() // UNITS - found.sum())) != 0:
        wanted = sums - found * UNITS
        if left > 0:
            found[np.argmax(wanted)] += 1
        elif (found > least).any():
            found[np.argmin(np.where(found > least, wanted, np.iinfo(np.int64).max))] -= 1
        else:
            break
    return np.asarray(found, dtype=np.int64)


def whole_by_key(units: pd.DataFrame, *, key: list[str], cell: str) -> pd.DataFrame:
    """Round sums of units in a long table to incidents, by key over its cells; cells without incidents are left out."""
    wide = units.pivot_table(index=key, columns=cell, values="units", aggfunc="sum", fill_value=0)
    found = pd.DataFrame(whole_incidents(wide.to_numpy()), index=wide.index, columns=wide.columns)
    long = found.melt(ignore_index=False, value_name="incidents").reset_index()
    return long[long["incidents"] > 0]
