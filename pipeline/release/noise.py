"""Cell-key noise: every area has a number, and every number has a repeatable error (experimental, partners only).

The same records have the same noise wherever they are counted, so that the noise cannot be averaged out over repeated
or overlapping tables (Fraser and Wooton, 2005, and the census of 2021). No number from 1 to threshold - 1 is shown.

The errors are stated: the largest in `NOISE_REACH`, the mean in release.json. The protection is not proven, because no
audit is made: sums of noisy numbers narrow each other a little, and it is not known by how much.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.release.linked_tables import COUNTS

__all__ = [
    "NOISE_REACH",
    "Perturbed",
    "cell_noise",
    "keys_of",
    "noise_table",
    "perturb",
    "sum_keys",
]


IntArray = NDArray[np.int64]

KEY_BITS = 32  # keys are added modulo 2**32
MIN_SECRET_BYTES = 16


@dataclass(frozen=True, slots=True)
class Perturbed:
    """Counts that may be released, and what each discloses about the true count.

    Attributes
    ----------
    shown
        Number to print, shape (n,).
    low, high
        Smallest and largest true count that the number is consistent with, shape (n,).
    """

    shown: IntArray
    low: IntArray
    high: IntArray


def noise_table(reach: int) -> NDArray[np.float64]:
    """Return the probabilities of the noise -reach ... reach: triangular, mean 0, variance reach (reach + 2) / 6.

    >>> noise_table(2).tolist()
    [0.1111111111111111, 0.2222222222222222, 0.3333333333333333, 0.2222222222222222, 0.1111111111111111]
    """
    weight = reach + 1 - np.abs(np.arange(-reach, reach + 1))
    return np.asarray(weight / (reach + 1) ** 2, dtype=np.float64)


def keys_of(ids: Iterable[str], *, secret: bytes) -> NDArray[np.uint32]:
    """Return the key of every record (or of every cell, if there are no records): 32 bits of a keyed BLAKE2 hash.

    The secret stays with the data owner and must be the same for every release, otherwise the noise is not repeatable.

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
        Cell of each record, 0 to `cells` - 1, shape (records,).
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


# A table of counts, protected by the rules of a profile.


NOISE_REACH = 9
"""Largest error of a printed count. Under a reach of 9 a number may stand for 10 counts or more; measured on the sample
and on the Met's counts, the numbers of wards are off by 15 to 18 % on average."""


def perturb(cells: pd.DataFrame, *, months: pd.DataFrame, threshold: int, secret: bytes) -> Perturbed:
    """Add noise to every count of a table.

    Parameters
    ----------
    cells
        Counts to publish: KEY, value.
    months
        Table `area_months`: the noise of a count is keyed by its months, so that the same records have the same noise
        in every window of every release.
    threshold
        Smallest number other than 0 to show.
    secret
        Key of the noise, at least 16 bytes; it must not change and must not leave the data owner.
    """
    value = cells["value"].to_numpy(dtype=np.int64)
    return cell_noise(value, keys=_keys(cells, months, secret), threshold=threshold, reach=NOISE_REACH)


def _keys(cells: pd.DataFrame, months: pd.DataFrame, secret: bytes) -> NDArray[np.uint32]:
    """Add the keys of the months with a count above 0, modulo 2**32."""
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
