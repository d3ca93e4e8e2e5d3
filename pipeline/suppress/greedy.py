"""Secondary suppression of large tables: search for witnesses, repair what stays narrow, repeat."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.audit import Witness, witness_ranges
from pipeline.suppress.repair import Board, slide
from pipeline.suppress.table import Table

__all__ = ["Pattern", "greedy_pattern", "pruned"]

BoolArray = NDArray[np.bool_]

ROUNDS = 40


@dataclass(frozen=True, slots=True)
class Pattern:
    """What to hide: all hidden cells, those among them that lost their band, and those that nothing protects.

    `witnesses` are possible tables that show how far the hidden cells can move.
    """

    hidden: BoolArray
    outright: BoolArray
    given_up: BoolArray
    witnesses: tuple[Witness, ...] = ()


def greedy_pattern(table: Table, witnesses: Sequence[Witness] = ()) -> Pattern:
    """Hide more cells until every hidden cell is shown to keep its required width.

    `witnesses` are possible tables that are known already.

    Each round searches for witnesses of what is hidden, then repairs the cells that stay narrow, cheapest first, by
    the slide of least loss. Hidden cells only ever gain, so the rounds end; what no slide can widen is given up.
    """
    hidden, outright = table.hidden.copy(), np.zeros(table.x.size, dtype=bool)
    given_up = outright.copy()
    seen_low, seen_high = table.x.copy(), table.x.copy()
    board = Board.build(table)
    witnesses = list(witnesses)
    for cells, values in witnesses:
        seen_low[cells] = np.minimum(seen_low[cells], values)
        seen_high[cells] = np.maximum(seen_high[cells], values)
    for _ in range(ROUNDS):
        now = table.promising_less(given_up).without_bands(outright)
        board = replace(board, table=now)
        low, high, required = now.view(hidden)
        seen_low, seen_high, told = witness_ranges(
            now.relations, low=low, high=high, required=required, truth=now.x, seen=(seen_low, seen_high)
        )
        witnesses += told
        narrow = np.flatnonzero(seen_high - seen_low < required)
        if narrow.size == 0:
            break
        for target in np.repeat(narrow[np.argsort(now.loss[narrow], kind="stable")], 2):  # once up, once down
            seen = (float(seen_low[target]), float(seen_high[target]))
            if seen[1] - seen[0] >= required[target] or given_up[target]:
                continue
            found = slide(board, target=int(target), seen=seen, need=float(required[target]), hidden=hidden)
            if found is None:
                given_up[target] = True
                continue
            hidden[found.cells] = True
            outright[found.cells[found.values > now.high[found.cells]]] = True
            if found.witness:
                witnesses.append((found.cells, found.values))
                seen_low[found.cells] = np.minimum(seen_low[found.cells], found.values)
                seen_high[found.cells] = np.maximum(seen_high[found.cells], found.values)
    return Pattern(hidden, outright, given_up, tuple(witnesses))


def pruned(table: Table, pattern: Pattern) -> Pattern:
    """Publish again, dearest first, every secondary cell that the others turn out not to need; then restore bands."""
    table = table.promising_less(pattern.given_up)
    hidden, outright = pattern.hidden.copy(), pattern.outright.copy()
    for mask, cells in ((hidden, np.flatnonzero(hidden & ~table.hidden)), (outright, np.flatnonzero(outright))):
        for cell in cells[np.argsort(-table.loss[cells], kind="stable")]:
            mask[cell] = False
            if table.without_bands(outright).failing(hidden).size:
                mask[cell] = True
    return replace(pattern, hidden=hidden, outright=outright & hidden)
