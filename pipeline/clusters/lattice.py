"""Points sorted into square cells, so that a run of cells is a slice of the points."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError

__all__ = ["Lattice", "Occupied", "expand"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Rounding moves a point by about 1e-16 of its cell number; the tolerances of the callers (1e-6 of a cell) hold to here.
MAX_CELLS_ACROSS = 1e9
CELLS_PER_POINT = 32  # of a table, one byte each
BLOCK = 8  # bits of a key: so many occupied cells of a block lie before a cell that a byte holds their number


@dataclass(frozen=True, slots=True)
class Occupied:
    """Cells that hold something, by key.

    Attributes
    ----------
    key
        Keys of the occupied cells, ascending, shape (c,).
    blocks, within
        Occupied cells before each block of 256 keys, and before each key inside its block. None where the keys range
        too wide for a table: they are then searched for.
    """

    key: Ints
    blocks: Ints | None
    within: NDArray[np.uint8] | None

    @classmethod
    def at(cls, key: Ints, *, size: int, things: int) -> tuple[Self, Ints]:
        """Collect the occupied cells of `key` (below `size`, in any order); return them, and the cell of each key.

        A table is kept where `size` is no more than `things` points allow.
        """
        if size > roomy(things):
            cells, number = np.unique(key, return_inverse=True)
            return cls(cells, None, None), number
        blocks, within = _table(key, size)
        cells = np.empty(int(blocks[-1]), dtype=np.int64)
        number = blocks[key >> BLOCK] + within[key]
        cells[number] = key
        return cls(cells, blocks, within), number

    @classmethod
    def of(cls, key: Ints, *, size: int, things: int) -> Self:
        """Take over ascending keys of occupied cells, with a table as in `at`."""
        blocks, within = _table(key, size) if size <= roomy(things) else (None, None)
        return cls(key, blocks, within)

    def before(self, keys: Ints) -> Ints:
        """Count the occupied cells before each key."""
        if self.blocks is None or self.within is None:
            return np.searchsorted(self.key, keys)
        before: Ints = self.blocks[keys >> BLOCK] + self.within[keys]
        return before


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
    occupied
        The same keys, to be looked up.
    """

    order: Ints
    cell_key: Ints
    cell_start: Ints
    stride: int
    occupied: Occupied

    @classmethod
    def over(cls, x: Floats, y: Floats, *, side: float, reach: int) -> Self:
        """Sort points into cells of the given side (metres) that look at most `reach` cells around them."""
        column, columns = _number(x, side, reach)
        row, rows = _number(y, side, reach)
        if columns * rows > roomy(len(x)):
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
        occupied = Occupied.of(cell_key, size=columns * stride, things=len(x))
        return cls(order, cell_key, cell_start, stride, occupied)

    @property
    def sizes(self) -> Ints:
        """Points per cell, shape (c,)."""
        return np.diff(self.cell_start)

    def position(self, keys: Ints) -> Ints:
        """Return where in `order` the first point at or after each key stands."""
        return self.cell_start[self.occupied.before(keys)]

    def neighbour(self, shift: int) -> tuple[Ints, Ints]:
        """Return pairs of occupied cells whose keys differ by `shift`, as two arrays of cell numbers."""
        wanted = self.cell_key + shift
        there = np.minimum(self.occupied.before(wanted), len(wanted) - 1)
        here = np.flatnonzero(self.cell_key[there] == wanted)
        return here, there[here]


def roomy(things: int) -> int:
    """Return the most cells that a table over so many points may have."""
    return CELLS_PER_POINT * things + 4096


def _table(key: Ints, size: int) -> tuple[Ints, NDArray[np.uint8]]:
    """Count the occupied cells before each block of keys (one block more than there are), and inside it before each."""
    blocks = (size >> BLOCK) + 1
    filled = np.zeros((blocks, 1 << BLOCK), dtype=np.uint8)
    filled.reshape(-1)[key] = 1
    counts = np.zeros(blocks + 1, dtype=np.int64)
    np.cumsum(filled.sum(axis=1, dtype=np.int64), out=counts[1:])
    within = np.cumsum(filled, axis=1, dtype=np.uint8)
    within -= filled
    return counts, within.reshape(-1)


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
