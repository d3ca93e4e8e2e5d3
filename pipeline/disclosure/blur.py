"""Counts that are shown blurred instead of withheld: rounded to a base, or with noise that repeats."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.audit import feasible_ranges
from pipeline.config import Profile
from pipeline.disclosure.cells import COUNTS, CellTable
from pipeline.domain.periods import Period
from pipeline.rounding import Blurred, cell_noise, keys_of, round_to_base

__all__ = ["NOISE_REACH", "blurred", "still_pinned"]

NOISE_REACH = 3
IntArray = NDArray[np.int64]


def blurred(cells: pd.DataFrame, *, months: pd.DataFrame, profile: Profile, secret: bytes) -> Blurred:
    """Blur every published cell of a table by the rule of the profile.

    Parameters
    ----------
    cells
        Published cells: KEY, value.
    months
        Table `area_months`: noise is keyed by the months that make up a count, so that the same records have the
        same noise in whatever window of whatever release they are counted.
    profile
        `protection`: ``round`` or ``noise``.
    secret
        Key of the noise, at least 16 bytes; it must stay the same and stay in the house.
    """
    value = cells["value"].to_numpy(dtype=np.int64)
    if profile.protection == "round":
        return round_to_base(value, base=profile.rounding, threshold=profile.threshold)
    return cell_noise(value, keys=_keys(cells, months, secret), threshold=profile.threshold, reach=NOISE_REACH)


def _keys(cells: pd.DataFrame, months: pd.DataFrame, secret: bytes) -> NDArray[np.uint32]:
    """Add the keys of the months that hold anything, modulo 2**32."""
    frames = []
    for measure in (c for c in COUNTS if c in months.columns):
        part = months.loc[months[measure].fillna(0) > 0, ["area_code", "month", "category"]].assign(measure=measure)
        frames.append(part)
    held = pd.concat(frames, ignore_index=True)
    names = held["area_code"] + "|" + held["month"].astype("str") + "|" + held["category"] + "|" + held["measure"]
    held["key"] = keys_of(names, secret=secret).astype(np.uint64)
    total = np.zeros(len(cells), dtype=np.uint64)
    index = ["area_code", "category", "measure"]
    for period, rows in cells.reset_index(drop=True).groupby("period", sort=True):
        span = Period.parse(str(period))
        inside = held[held["month"].between(span.first_month, span.last_month)]
        sums = inside.groupby(index)["key"].sum()
        at = pd.MultiIndex.from_frame(rows[index])
        total[rows.index.to_numpy()] = sums.reindex(at, fill_value=0).to_numpy(dtype=np.uint64)
    return (total & np.uint64(2**32 - 1)).astype(np.uint32)


def still_pinned(table: CellTable, blur: Blurred, *, hidden: NDArray[np.bool_], threshold: int) -> IntArray:
    """Return the positions of small cells that the blurred figures together give away.

    A count of 1 to threshold - 1 must stay as uncertain as a count known only to be under the threshold, or, where
    it is withheld outright, as the threshold itself.

    Parameters
    ----------
    table
        All cells; the first rows are the published ones.
    blur
        What is shown of the published cells.
    hidden
        Published cells that are withheld outright, shape (published cells,).
    threshold
        The profile's.
    """
    value = table.cells["value"].to_numpy(dtype=np.float64)
    count = blur.shown.size
    low = pd.to_numeric(table.cells["known_low"]).fillna(0.0).to_numpy(dtype=np.float64).copy()
    high = pd.to_numeric(table.cells["known_high"]).fillna(np.inf).to_numpy(dtype=np.float64).copy()
    low[:count] = np.where(hidden, 0.0, blur.low)
    high[:count] = np.where(hidden, np.inf, blur.high)
    small = (value > 0) & (value < threshold)
    latent = table.cells["latent"].to_numpy(dtype=bool)
    banded = np.zeros(value.size, dtype=bool)
    banded[:count] = blur.banded
    gone = np.zeros(value.size, dtype=bool)
    gone[:count] = hidden
    required = np.where(small | banded, threshold - 1.0, 0.0)
    required = np.where(gone | (latent & small), float(threshold), required)
    found = feasible_ranges(table.relations, low=low, high=high, required=required, truth=value)
    narrow = found.cells[found.high - found.low < required[found.cells]]
    given = np.flatnonzero((low == high) & (required > 0))
    return np.asarray(np.union1d(narrow, given), dtype=np.int64)
