"""Points sorted into square cells, so that a run of cells is a slice of the points."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError

__all__ = ["Lattice", "expand"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Rounding moves a point by about 1e-16 of its cell number; the tolerances of the callers (1e-6 of a cell) hold to here.
MAX_CELLS_ACROSS = 1e9
CELLS_PER_POINT = 64  # as one bit and a share of a rank each: 16 bytes per point


@dataclass(frozen=True, slots=True)
class Lattice:
    """Square cells over points, numbered strip by strip from west to east.

    Attributes
    ----------
    order
        Points sorted by cell, shape (n,).
    cell_key
        Ascending keys of the occupied cells, shape (c,). Adding `stride` moves one strip east, adding 1 one cell
        north; a pad of the reach round the edge keeps strips apart.
    cell_start
        Where each cell begins in `order`, shape (c + 1,).
    stride
        Cells in one strip, pads included.
    bits, rank
        One bit for every cell of the lattice, set where it is occupied, 64 to a word; and the occupied cells before
        each word. None where the lattice is too large for its points: keys are then searched for.
    """

    order: Ints
    cell_key: Ints
    cell_start: Ints
    stride: int
    bits: NDArray[np.uint64] | None
    rank: Ints | None

    @classmethod
    def over(cls, x: Floats, y: Floats, *, side: float, reach: int) -> Self:
        """Sort points into cells of the given side (metres) that look at most `reach` cells around them."""
        column, columns = _number(x, side, reach)
        row, rows = _number(y, side, reach)
        roomy = CELLS_PER_POINT * len(x) + 4096
        if columns * rows > roomy:
            column, columns = _squeeze(column, reach)
            row, rows = _squeeze(row, reach)
        stride = rows
        key = column * stride + row
        order = np.argsort(key)  # whatever the order inside a cell, counts and labels are the same
        key = key[order]
        new = np.ones(len(key), dtype=bool)
        np.not_equal(key[1:], key[:-1], out=new[1:])
        starts = np.flatnonzero(new)
        cell_key = key[starts]
        cell_start = np.append(starts, len(key))
        bits, rank = _index(cell_key, columns * stride) if columns * stride <= roomy else (None, None)
        return cls(order, cell_key, cell_start, stride, bits, rank)

    @property
    def sizes(self) -> Ints:
        """Points per cell, shape (c,)."""
        return np.diff(self.cell_start)

    def position(self, keys: Ints) -> Ints:
        """Return where in `order` the first point at or after each key stands."""
        return self.cell_start[self._before(keys)]

    def neighbour(self, shift: int) -> tuple[Ints, Ints]:
        """Return pairs of occupied cells whose keys differ by `shift`, as two arrays of cell numbers."""
        wanted = self.cell_key + shift
        there = np.minimum(self._before(wanted), len(wanted) - 1)
        here = np.flatnonzero(self.cell_key[there] == wanted)
        return here, there[here]

    def _before(self, keys: Ints) -> Ints:
        """Count the occupied cells before each key."""
        if self.bits is None or self.rank is None:
            return np.searchsorted(self.cell_key, keys)
        word = keys >> 6
        lower = (np.uint64(1) << (keys & 63).astype(np.uint64)) - np.uint64(1)
        before: Ints = self.rank[word] + np.bitwise_count(self.bits[word] & lower)
        return before


def _index(cell_key: Ints, size: int) -> tuple[NDArray[np.uint64], Ints]:
    bits = np.zeros((size >> 6) + 1, dtype=np.uint64)
    np.bitwise_or.at(bits, cell_key >> 6, np.uint64(1) << (cell_key & 63).astype(np.uint64))
    filled = np.bitwise_count(bits).astype(np.int64)
    return bits, np.cumsum(filled) - filled


def _number(values: Floats, side: float, reach: int) -> tuple[Ints, int]:
    low = float(values.min())
    across = (float(values.max()) - low) / side
    if not across < MAX_CELLS_ACROSS:
        raise InputError(
            f"the points stretch over {float(values.max()) - low:.6g} m, more than {MAX_CELLS_ACROSS:.0e} cells of "
            f"{side:.3g} m: eps_m is too small for these coordinates, or a coordinate is not in metres"
        )
    number = ((values - low) / side).astype(np.int64)
    number += reach
    return number, int(number.max()) + reach + 1


def _squeeze(number: Ints, reach: int) -> tuple[Ints, int]:
    """Close gaps wider than the reach, so that one far point does not stretch the lattice."""
    used, inverse = np.unique(number, return_inverse=True)
    steps = np.minimum(np.diff(used, prepend=used[0] - reach), reach + 1)
    steps[0] = reach
    squeezed = np.cumsum(steps)
    return squeezed[inverse], int(squeezed[-1]) + reach + 1


def expand(starts: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """Write out ranges: the members of range after range, and where each range ends in that list."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    members = np.arange(total, dtype=np.int64)
    members += np.repeat(starts - (ends - lengths), lengths)
    return members, ends
