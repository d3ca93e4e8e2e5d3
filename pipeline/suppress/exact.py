"""The cheapest set of cells to withhold, proven, for tables small enough.

Withholding more never narrows a range, so every set that fails can be grown to a largest set that still fails, and
any set that works holds a cell outside it. Those statements are the constraints of a small hitting-set programme,
added one by one until its cheapest answer passes the audit.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from pipeline.suppress.table import Table

__all__ = ["cheapest_pattern"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MAX_CUTS = 400


def cheapest_pattern(table: Table) -> BoolArray | None:
    """Find the cells to hide with the least loss so that every hidden cell keeps its required width.

    Returns
    -------
    pattern
        All hidden cells, or None where no pattern works or the search grew too long.
    """
    allowed = table.hidden | table.movable
    bounds = Bounds(table.hidden.astype(np.float64), allowed.astype(np.float64))
    cuts: list[FloatArray] = []
    while len(cuts) < MAX_CUTS:
        constraint = LinearConstraint(np.asarray(cuts), 0.0, np.inf) if cuts else ()
        answer = milp(table.loss, constraints=constraint, bounds=bounds, integrality=np.ones(table.x.size))
        if answer.x is None:
            return None
        pattern = np.asarray(answer.x > 0.5, dtype=np.bool_)
        failing = table.failing(pattern)
        if failing.size == 0:
            return pattern
        for target in failing:
            outside = allowed & ~_grown(table, pattern, int(target), allowed)
            if not outside.any():
                return None
            cut = outside.astype(np.float64)
            cut[target] = -1.0  # a cell that is not hidden after all needs no partner
            cuts.append(cut)
    return None


def _grown(table: Table, pattern: BoolArray, target: int, allowed: BoolArray) -> BoolArray:
    """Hide more cells, dearest last, as long as the target still fails; halving finds the few that end it."""
    grown = pattern.copy()
    order = np.argsort(table.loss, kind="stable")
    waiting = [order[allowed[order] & ~grown[order]]]
    while waiting:
        cells = waiting.pop()
        grown[cells] = True
        if cells.size and table.failing(grown, only=target).size == 0:
            grown[cells] = False
            if cells.size > 1:
                half = cells.size // 2
                waiting += [cells[half:], cells[:half]]
    return grown
