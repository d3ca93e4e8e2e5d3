"""Perturbation instead of suppression: rounding to a base, or cell-key noise that repeats.

Both never show 1 to threshold - 1. Rounding shows everything under the threshold, zeros too, as one band, and every
total is rounded on its own, so that rounded parts need not add up to a rounded total. Cell-key noise gives the same
records the same noise wherever they are counted, so that asking twice, or for two overlapping tables, averages
nothing out: the better choice against differencing.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline.config import Profile
from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.release.audit import feasibility_intervals
from pipeline.release.linked_tables import COUNTS, CellTable

__all__ = [
    "NOISE_REACH",
    "Perturbed",
    "cell_noise",
    "keys_of",
    "narrow_after_perturbation",
    "noise_table",
    "perturb",
    "round_to_base",
    "rounding_interval",
    "sum_keys",
]


IntArray = NDArray[np.int64]

KEY_BITS = 32  # keys are added modulo 2**32
MIN_SECRET_BYTES = 16


@dataclass(frozen=True, slots=True)
class Perturbed:
    """Counts that may be shown, and what each discloses about the true one.

    Attributes
    ----------
    shown
        Number to print, shape (n,); -1 where the cell is shown as "fewer than the threshold".
    low, high
        Smallest and largest true count that could be behind it, shape (n,).
    """

    shown: IntArray
    low: IntArray
    high: IntArray

    @property
    def banded(self) -> NDArray[np.bool_]:
        """Cells shown as "fewer than the threshold"."""
        return np.asarray(self.shown < 0, dtype=np.bool_)


def round_to_base(counts: ArrayLike, *, base: int, threshold: int) -> Perturbed:
    """Round counts to the nearest multiple of a base, halves up; band what is under the threshold.

    A count at or above the threshold never rounds below it: the smallest number shown is the first multiple that is
    not under the threshold.

    Raises
    ------
    InputError
        If counts are negative, the base is under 1 or the threshold negative.

    Examples
    --------
    >>> round_to_base([0, 4, 10, 12, 13, 27], base=5, threshold=10).shown.tolist()
    [-1, -1, 10, 10, 15, 25]
    """
    values = _counts(counts)
    if base < 1 or threshold < 0:
        raise InputError(f"rounding needs a base of at least 1 and a threshold of at least 0: got {base}, {threshold}.")
    rounded = np.maximum((2 * values + base) // (2 * base) * base, _first(base, threshold))
    shown = np.where(values < threshold, -1, rounded)
    low, high = rounding_interval(shown, base=base, threshold=threshold)
    return Perturbed(shown, low, high)


def rounding_interval(shown: ArrayLike, *, base: int, threshold: int) -> tuple[IntArray, IntArray]:
    """Return which true counts a rounded number (-1: the band) may stand for, low and high, shape (n,) each."""
    number = np.asarray(shown, dtype=np.int64)
    low = np.maximum(number - base // 2, threshold)
    low = np.where(number == _first(base, threshold), threshold, low)
    high = number + (base + 1) // 2 - 1
    return np.where(number < 0, 0, low), np.where(number < 0, max(threshold - 1, 0), high)


def noise_table(reach: int) -> NDArray[np.float64]:
    """Return the probabilities of the noise -reach ... reach: triangular, mean 0, variance reach (reach + 2) / 6.

    >>> noise_table(2).tolist()
    [0.1111111111111111, 0.2222222222222222, 0.3333333333333333, 0.2222222222222222, 0.1111111111111111]
    """
    weight = reach + 1 - np.abs(np.arange(-reach, reach + 1))
    return np.asarray(weight / (reach + 1) ** 2, dtype=np.float64)


def keys_of(ids: Iterable[str], *, secret: bytes) -> NDArray[np.uint32]:
    """Give every record (or, where there are no records, every cell) its key: 32 bits of a keyed BLAKE2 hash.

    The secret stays with the controller and must be the same for every release, or the noise does not repeat.

    Raises
    ------
    InputError
        If the secret is shorter than 16 or longer than 64 bytes.
    """
    if not MIN_SECRET_BYTES <= len(secret) <= hashlib.blake2b.MAX_KEY_SIZE:
        raise InputError(f"the noise secret must be 16 to 64 bytes long: it has {len(secret)}.")
    digests = [hashlib.blake2b(i.encode(), key=secret, digest_size=KEY_BITS // 8).digest() for i in ids]
    return np.frombuffer(b"".join(digests), dtype="<u4").astype(np.uint32)


def sum_keys(record_keys: NDArray[np.uint32], *, cell: IntArray, cells: int) -> NDArray[np.uint32]:
    """Add record keys within each cell modulo 2**32: the same records give the same cell key in any table.

    Parameters
    ----------
    record_keys
        Key of each record, shape (records,).
    cell
        Which cell each record falls in, 0 to `cells` - 1, shape (records,).
    cells
        Number of cells.
    """
    total = np.zeros(cells, dtype=np.uint64)
    np.add.at(total, cell, record_keys.astype(np.uint64))
    return (total & np.uint64(2**KEY_BITS - 1)).astype(np.uint32)


def cell_noise(counts: ArrayLike, *, keys: NDArray[np.uint32], threshold: int, reach: int = 3) -> Perturbed:
    """Add noise that depends on the cell key alone.

    * 0 stays 0.
    * 1 to t - 1 becomes 0 or t, t with probability count / t, so that sums are right on average.
    * t and more get noise from `noise_table`, its reach cut to ``count - t`` so that it stays symmetric, has mean 0
      and never enters 1 to t - 1.

    The noise never exceeds `reach` (or t - 1 for small counts).

    Raises
    ------
    InputError
        If counts are negative, shapes differ, the threshold is under 1 or the reach negative.
    """
    values = _counts(counts)
    if keys.shape != values.shape or threshold < 1 or reach < 0:
        raise InputError("cell-key noise needs one key per count, a threshold of at least 1 and a reach of at least 0.")
    chance = keys.astype(np.float64) / 2.0**KEY_BITS
    shown = values.copy()
    small = (values > 0) & (values < threshold)
    shown[small] = np.where(chance[small] * threshold < values[small], threshold, 0)
    room = np.minimum(values - threshold, reach)
    for width in range(1, reach + 1):
        at = room == width
        shown[at] = values[at] + np.searchsorted(np.cumsum(noise_table(width))[:-1], chance[at], side="right") - width
    low = np.maximum(shown - reach, (shown + threshold + 1) // 2)
    low = np.where(shown == 0, 0, np.where(shown == threshold, 1, low))
    high = np.where(shown == 0, threshold - 1, shown + reach)
    return Perturbed(shown, low, high)


def _counts(counts: ArrayLike) -> IntArray:
    values = np.asarray(counts)
    if values.size and (values.dtype.kind not in "iu" or values.min() < 0):
        raise InputError("counts must be whole numbers and not negative.")
    return values.astype(np.int64)


def _first(base: int, threshold: int) -> int:
    """Smallest multiple of the base that is not under the threshold."""
    return -(-threshold // base) * base


# A table of counts by the rule of a profile.


NOISE_REACH = 3  # largest error of a printed count, so that release.json can state it


def perturb(cells: pd.DataFrame, *, months: pd.DataFrame, profile: Profile, secret: bytes) -> Perturbed:
    """Round every published cell of a table, or add noise, by the rule of the profile.

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
        Key of the noise, at least 16 bytes; it must stay the same and stay with the data owner.
    """
    value = cells["value"].to_numpy(dtype=np.int64)
    return cell_noise(value, keys=_keys(cells, months, secret), threshold=profile.threshold, reach=NOISE_REACH)


def _keys(cells: pd.DataFrame, months: pd.DataFrame, secret: bytes) -> NDArray[np.uint32]:
    """Add the keys of the months that hold anything, modulo 2**32."""
    frames = []
    for measure in (c for c in COUNTS if c in months.columns):
        part = months.loc[months[measure].fillna(0) > 0, ["area_code", "month", "category"]].assign(measure=measure)
        frames.append(part)
    held = pd.concat(frames, ignore_index=True)
    names = held["area_code"] + "|" + held["month"].astype("str") + "|" + held["category"] + "|" + held["measure"]
    record_keys = keys_of(names, secret=secret)
    total = np.zeros(len(cells), dtype=np.uint32)
    index = ["area_code", "category", "measure"]
    for period, rows in cells.reset_index(drop=True).groupby("period", sort=True):
        span = Period.parse(str(period))
        inside = held["month"].between(span.first_month, span.last_month).to_numpy()
        cell = pd.MultiIndex.from_frame(rows[index]).get_indexer(pd.MultiIndex.from_frame(held.loc[inside, index]))
        shown = cell >= 0
        total[rows.index.to_numpy()] = sum_keys(record_keys[inside][shown], cell=cell[shown], cells=len(rows))
    return total


def narrow_after_perturbation(
    table: CellTable, perturbed: Perturbed, *, hidden: NDArray[np.bool_], threshold: int
) -> IntArray:
    """Return the positions of small cells that the perturbed figures together disclose.

    A count of 1 to threshold - 1 must stay as uncertain as a count known only to be under the threshold, or, where
    it is withheld outright, as the threshold itself.

    Parameters
    ----------
    table
        All cells; the first rows are the published ones.
    perturbed
        What is shown of the published cells.
    hidden
        Published cells that are withheld outright, shape (published cells,).
    threshold
        The profile's.
    """
    value = table.cells["value"].to_numpy(dtype=np.float64)
    count = perturbed.shown.size
    low = pd.to_numeric(table.cells["known_low"]).fillna(0.0).to_numpy(dtype=np.float64).copy()
    high = pd.to_numeric(table.cells["known_high"]).fillna(np.inf).to_numpy(dtype=np.float64).copy()
    low[:count] = np.where(hidden, 0.0, perturbed.low)
    high[:count] = np.where(hidden, np.inf, perturbed.high)
    small = (value > 0) & (value < threshold)
    latent = table.cells["latent"].to_numpy(dtype=bool)
    banded = np.zeros(value.size, dtype=bool)
    banded[:count] = perturbed.banded
    gone = np.zeros(value.size, dtype=bool)
    gone[:count] = hidden
    required = np.where(small | banded, threshold - 1.0, 0.0)
    required = np.where(gone | (latent & small), float(threshold), required)
    found = feasibility_intervals(table.relations, low=low, high=high, required=required, truth=value)
    narrow = found.cells[found.high - found.low < required[found.cells]]
    given = np.flatnonzero((low == high) & (required > 0))
    return np.asarray(np.union1d(narrow, given), dtype=np.int64)
