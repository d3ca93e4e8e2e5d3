"""Secondary suppression of large tables: search for witnesses, repair what stays narrow, repeat."""

import numpy as np
from numpy.typing import NDArray

from pipeline.audit import witness_ranges
from pipeline.suppress.repair import Board, slide
from pipeline.suppress.table import Table

__all__ = ["greedy_pattern", "pruned"]

BoolArray = NDArray[np.bool_]

ROUNDS = 40


def greedy_pattern(table: Table) -> tuple[BoolArray, BoolArray]:
    """Hide more cells until every hidden cell is shown to keep its required width.

    Each round searches for witnesses of what is hidden, then repairs the cells that stay narrow, cheapest first, by
    the slide of least loss. Hidden cells only ever gain, so the rounds end; what no slide can widen is given up.

    Returns
    -------
    pattern, given_up
        All hidden cells, and those of them that cannot be protected whatever is withheld.
    """
    board = Board.build(table)
    hidden, given_up = table.hidden.copy(), np.zeros(table.x.size, dtype=bool)
    seen_low, seen_high = table.x.copy(), table.x.copy()
    for _ in range(ROUNDS):
        low, high, required = table.promising_less(given_up).view(hidden)
        seen_low, seen_high = witness_ranges(
            table.relations, low=low, high=high, required=required, truth=table.x, seen=(seen_low, seen_high)
        )
        narrow = np.flatnonzero(seen_high - seen_low < required)
        if narrow.size == 0:
            break
        for target in narrow[np.argsort(table.loss[narrow], kind="stable")]:
            seen = (float(seen_low[target]), float(seen_high[target]))
            if seen[1] - seen[0] >= required[target]:
                continue
            found = slide(board, target=int(target), seen=seen, need=float(required[target]), hidden=hidden)
            if found is None:
                given_up[target] = True
                continue
            hidden[found.cells] = True
            if found.witness:
                seen_low[found.cells] = np.minimum(seen_low[found.cells], found.values)
                seen_high[found.cells] = np.maximum(seen_high[found.cells], found.values)
    return hidden, given_up


def pruned(table: Table, pattern: BoolArray) -> BoolArray:
    """Publish again, dearest first, every secondary cell that the others turn out not to need."""
    kept = pattern.copy()
    extra = np.flatnonzero(pattern & ~table.hidden)
    for cell in extra[np.argsort(-table.loss[extra], kind="stable")]:
        kept[cell] = False
        if table.failing(kept).size:
            kept[cell] = True
    return kept
