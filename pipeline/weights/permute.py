"""How neighbour sums vary when every other unit's value could be anywhere: conditional permutations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import InputError
from pipeline.weights.neighbours import Weights

__all__ = ["Exceedance", "conditional"]

FIXED_POINT = 2.0**40  # real values become whole numbers of their range: sums and ties are then exact
CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Exceedance:
    """How many permuted neighbour sums reached the observed one from either side.

    Attributes
    ----------
    above, below
        Permutations with a sum at least, at most the observed one, shape (n,).
    permutations
        How many were drawn.
    """

    above: NDArray[np.int64]
    below: NDArray[np.int64]
    permutations: int

    @property
    def p(self) -> NDArray[np.float64]:
        """Two-sided p: twice the smaller tail, the observed arrangement counted, at most 1, shape (n,)."""
        tail = np.minimum(self.above, self.below) + 1
        return np.minimum(1.0, 2.0 * tail / (self.permutations + 1))


def conditional(values: ArrayLike, *, weights: Weights, permutations: int, seed: int) -> Exceedance:
    """Compare each unit's neighbour sum with sums of as many values drawn from all other units.

    A draw is k+1 different units out of all n. Dropping the unit itself (or, where it is not among
    them, the last) leaves k of the n-1 others, each set equally likely. So units with equally many
    neighbours share one sorted list of sums, and only draws that hold the unit itself are put right:
    the cost is that of drawing, not of units times permutations.

    Parameters
    ----------
    values
        One number per unit, shape (n,).
    weights
        Binary neighbours, self not included.
    permutations
        How many sets to draw, shared by all units.
    seed
        Seed of the draws. The same seed gives the same counts.

    Returns
    -------
    exceedance
        Counts per unit. Units without neighbours have every draw on both sides: p is 1.

    Raises
    ------
    InputError
        If lengths differ, a value is missing, or a unit neighbours all others but one draw needs more units.

    References
    ----------
    Anselin (1995), Geographical Analysis 27, 93-115, section 3.
    """
    if permutations < 1:
        raise InputError(f"permutations is {permutations}: draw at least one")
    whole = _whole(values, weights.n)
    observed = _lag(whole, weights)
    above = np.where(weights.isolated, permutations, 0)
    below = above.copy()
    sizes = [int(k) for k in np.unique(weights.neighbours) if k]
    if sizes:
        rng = np.random.default_rng(seed)
        wide = sizes[-1] + 1
        at_once = max(1, CELLS_AT_ONCE // wide)
        for start in range(0, permutations, at_once):
            drawn = _draw(weights.n, wide, rows=min(at_once, permutations - start), rng=rng)
            sums = np.cumsum(whole[drawn], axis=1)
            for k in sizes:
                units = np.flatnonzero(weights.neighbours == k)
                up, down = _count(whole, observed, units, drawn[:, : k + 1], sums[:, k - 1])
                above[units] += up
                below[units] += down
    return Exceedance(above=above, below=below, permutations=permutations)


def _whole(values: ArrayLike, n: int) -> NDArray[np.int64]:
    """Turn values into whole numbers that keep their order and, to one part in 2**40, their distances."""
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (n,) or not np.isfinite(given).all():
        raise InputError(f"values have shape {given.shape}: give one finite number for each of the {n} units")
    if not given.size or (np.abs(given).max() < FIXED_POINT and bool((given == np.rint(given)).all())):
        return given.astype(np.int64)
    low, high = float(given.min()), float(given.max())
    if low == high:
        return np.zeros(n, dtype=np.int64)
    return np.rint((given - low) / (high - low) * FIXED_POINT).astype(np.int64)


def _lag(whole: NDArray[np.int64], weights: Weights) -> NDArray[np.int64]:
    running = np.concatenate([[0], np.cumsum(whole[weights.matrix.indices])])
    return np.asarray(np.diff(running[weights.matrix.indptr]), dtype=np.int64)


def _draw(n: int, wide: int, *, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw rows of different unit numbers, every ordered choice equally likely: repeats are drawn again."""
    drawn = np.empty((rows, wide), dtype=np.int64)
    for column in range(wide):
        wanted = np.arange(rows)
        while wanted.size:
            drawn[wanted, column] = rng.integers(0, n, size=wanted.size)
            before = drawn[wanted, :column]
            wanted = wanted[(before == drawn[wanted, column][:, None]).any(axis=1)]
    return drawn


def _count(
    whole: NDArray[np.int64],
    observed: NDArray[np.int64],
    units: NDArray[np.int64],
    drawn: NDArray[np.int64],
    sums: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count sums at least and at most the observed ones, for units with the same number of neighbours."""
    ranked = np.sort(sums)
    target = observed[units]
    up = ranked.size - np.searchsorted(ranked, target, side="left")
    down = np.searchsorted(ranked, target, side="right")
    place = np.full(whole.size, -1, dtype=np.int64)
    place[units] = np.arange(units.size)
    row, column = np.nonzero(place[drawn[:, :-1]] >= 0)
    unit = drawn[row, column]
    at, was = place[unit], sums[row]
    now = was - whole[unit] + whole[drawn[row, -1]]
    up += _tally(at, (now >= observed[unit]).astype(np.int64) - (was >= observed[unit]), units.size)
    down += _tally(at, (now <= observed[unit]).astype(np.int64) - (was <= observed[unit]), units.size)
    return up, down


def _tally(at: NDArray[np.int64], step: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    rise = np.bincount(at[step > 0], minlength=size)
    fall = np.bincount(at[step < 0], minlength=size)
    return np.asarray(rise - fall, dtype=np.int64)
