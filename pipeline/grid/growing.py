"""A set of cells grown by its neighbours."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["grown"]


def grown(cells: NDArray[np.bool_], *, reach: int = 1) -> NDArray[np.bool_]:
    """Add every cell at most `reach` rows and columns from one of the set, diagonals included.

    Examples
    --------
    >>> grown(np.array([[True, False, False]])).tolist()
    [[True, True, False]]
    """
    out = cells.copy()
    for axis in (0, 1):
        before = np.moveaxis(out.copy(), axis, 0)
        after = np.moveaxis(out, axis, 0)
        for step in range(1, min(reach, len(before) - 1) + 1):
            after[step:] |= before[:-step]
            after[:-step] |= before[step:]
    return out
