"""Primary and secondary suppression: small counts, and as few others as keep arithmetic from disclosing them.

Primary cells hold 1 to threshold - 1. Secondary cells are chosen so that every withheld cell keeps the range that the
audit demands, with the least loss found: proven least where a table is small, greedy with repair otherwise. Zeros are
withheld where needed; a total is withheld where no partner suffices. Primary and secondary look the same in the
release; `reason` and `status` are for the data owner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pipeline.errors import InputError
from pipeline.release.audit import CellState, Witness
from pipeline.release.audit.intervals import propagate, reduce_system
from pipeline.release.linked_tables import Relations
from pipeline.release.suppression.search import Pattern, Table, cheapest_pattern, greedy_pattern, pruned

__all__ = ["Loss", "Reason", "Status", "Suppression", "ZeroRule", "suppress"]


class Reason(StrEnum):
    """Why a cell is withheld; for the data owner only."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    DECLARED = "declared"
    """Whatever its value: a small revision, or a cell that other readers would need to be withheld."""


class Status(StrEnum):
    """What is promised for a withheld cell."""

    PROTECTED = "protected"
    AT_SOURCE = "already public at source"
    ALREADY_RELEASED = "already released by us"
    ADDED = "added by us"
    """Secondary: protected as well, and reported to readers as `PROTECTED`."""


ZeroRule = Literal["show", "band"]
Loss = Literal["cells", "incidents", "balanced"]
TOTAL_WEIGHT = 2.0  # a total costs this many times what one of its parts would
MAX_HEIGHT = 8  # bound on the levels of sums that are counted, so that relations in a circle end
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Suppression:
    """What a release shows of each cell.

    Attributes
    ----------
    cells
        The cells given, with `state` (a `CellState`), `known`, `reason` (a `Reason`, or empty) and `status` (a
        `Status`, or empty).
    counts
        One row per level and measure: `cells`, `published`, `withheld`, `band`, `primary`, `secondary`, `declared` and
        `incidents_lost` (sum of the secondary cells' true counts).
    unprotected
        Positions of withheld cells that no withholding protects (earlier releases give them away): do not publish.
    witnesses
        Tables that agree with everything published, for the audit to check: what the search for protection found.
    """

    cells: pd.DataFrame
    counts: pd.DataFrame
    unprotected: NDArray[np.int64]
    witnesses: tuple[Witness, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Withheld cells per primary one, or None where nothing is primary."""
        primary = int(self.counts[Reason.PRIMARY].sum())
        return float(self.counts[[Reason.PRIMARY, Reason.SECONDARY]].to_numpy().sum()) / primary if primary else None


def suppress(
    cells: pd.DataFrame,
    *,
    relations: Relations,
    threshold: int,
    zero_rule: ZeroRule = "show",
    secondary: bool = True,
    loss: Loss | FloatArray = "balanced",
    exact_cells: int = 18,
    prune_cells: int = 150,
    after: "Suppression | None" = None,
) -> Suppression:
    """Choose what to withhold.

    Parameters
    ----------
    cells
        Cell table: `KEY` columns, `level`, `value` (true counts), and optionally `latent` (never published; protected
        where small, or where `protect`), `known` (in a known table: withheld where small, never claimed as protected),
        `declared` (withheld whatever its value), `known_low`, `known_high` (bounds an attacker has from earlier
        releases; null: none) and `fixed` (released before with this value: no protection is claimed).
    relations
        Rows over the positions of `cells`; the true counts must satisfy them (`drop_violated` first).
    threshold
        Smallest count other than 0 to publish; 0 or 1 withholds nothing.
    zero_rule
        ``show`` zeros where safe, or ``band``: everything under the threshold is shown as "fewer than t", but
        withheld outright where bands alone would give a cell away.
    secondary
        Whether to withhold more where arithmetic would give a cell back.
    loss
        What a secondary cell costs: ``cells`` 1 each; ``incidents`` its count; ``balanced`` 1 + log10(1 + count),
        doubled for every level of sums below it, since more readers rest on a total; or one positive number per cell.
    exact_cells
        Connected tables of up to this many cells are solved to the proven least loss.
    prune_cells
        Where at most this many secondary cells were chosen greedily, each is tried for publication again.
    after
        A choice for the same cells with fewer of them `declared`: it is built on, not made again. A choice
        with bands is made anew all the same.

    Raises
    ------
    InputError
        If the cells, threshold or loss are unusable, or the relations do not hold.
    """
    n = len(cells)
    if threshold < 0 or relations.matrix.shape[1] != n:
        raise InputError(
            f"threshold {threshold} must not be negative, and relations must speak of the {n} cells given."
        )
    x = cells["value"].to_numpy(dtype=np.float64)
    if np.any(x < 0) or np.any(relations.violated(x.astype(np.int64))):
        raise InputError("counts are negative or break a relation: test the relations on the data (drop_violated).")
    flag = {c: _flag(cells, c) for c in ("latent", "protect", "known", "declared", "fixed")}
    # Primary suppression: counts of 1 to threshold - 1, and zeros too where they are shown as a band.
    small = (x < threshold) & ((x > 0) | (zero_rule == "band")) & ~flag["latent"]
    band = small & (zero_rule == "band") & ~flag["declared"]
    start = small | flag["latent"] | flag["declared"]
    after = None if band.any() else after
    if after is not None:
        start |= (after.cells["state"] == CellState.WITHHELD).to_numpy(dtype=bool)
    # What the attacker knows of each cell once it is withheld.
    low, top = _bound(cells, "known_low", 0.0), _bound(cells, "known_high", np.inf)
    high = np.where(band, np.minimum(threshold - 1.0, top), top)
    given = flag["known"] | flag["fixed"]
    at_source = flag["known"] | _narrow_by_known_tables(relations, x, flag["known"], threshold)
    low, high, top = (np.where(given, x, bound) for bound in (low, high, top))
    if np.any(low > x) or np.any(high < x):
        raise InputError("earlier releases' bounds exclude the true counts: they speak of other data.")
    # The protection level of each cell, once withheld: the threshold, or the whole band. None is promised for what is
    # public already, nor for latent cells that are not small.
    free = at_source | flag["fixed"] | (flag["latent"] & ~flag["protect"] & ~((x > 0) & (x < threshold)))
    outright = np.where(free, 0.0, float(threshold))
    need = np.where(band & ~free, threshold - 1.0, outright)
    table = Table(relations, x, low, high, top, need, outright, _loss(loss, x, relations), start)
    nothing = np.zeros(n, dtype=bool)
    pattern = Pattern(start, nothing, nothing)
    if secondary and start.any():
        known = after.witnesses if after is not None else ()
        pattern = _choose(table, exact_cells=0 if band.any() else exact_cells, prune_cells=prune_cells, witnesses=known)
    hidden = pattern.hidden
    band &= ~pattern.outright
    frame = cells.assign(
        state=np.select(
            [flag["latent"], band, hidden], [CellState.LATENT, CellState.BAND, CellState.WITHHELD], CellState.PUBLISHED
        ),
        known=given,
    )
    seen = hidden & ~flag["latent"]
    frame["reason"] = np.select(
        [seen & small, seen & flag["declared"], seen], [Reason.PRIMARY, Reason.DECLARED, Reason.SECONDARY], ""
    )
    added = (frame["reason"] == Reason.SECONDARY).to_numpy()
    frame["status"] = np.select(
        [seen & at_source, seen & flag["fixed"], added, seen],
        [Status.AT_SOURCE, Status.ALREADY_RELEASED, Status.ADDED, Status.PROTECTED],
        "",
    )
    lost = pattern.given_up | (start & (low == high) & (need > 0))
    return Suppression(frame, _tally(frame), np.flatnonzero(lost).astype(np.int64), pattern.witnesses)


def _choose(table: Table, *, exact_cells: int, prune_cells: int, witnesses: Sequence[Witness]) -> Pattern:
    """Solve small connected tables exactly and the rest greedily; `witnesses` are possible tables known already."""
    hidden, outright = table.hidden.copy(), np.zeros(table.x.size, dtype=bool)
    given_up = outright.copy()
    label = table.labels()
    size = np.bincount(label)
    rest, witnessed = [], list[Witness]()
    for number in np.unique(label[table.hidden & table.movable]):
        columns = np.flatnonzero(label == number) if size[number] <= exact_cells else None
        found = cheapest_pattern(table.part(columns)) if columns is not None else None
        if columns is None or found is None:
            rest.append(number)
        else:
            hidden[columns] = found
    columns = np.flatnonzero(np.isin(label, rest))
    if columns.size:
        part = table.part(columns)
        within = [(cells, values) for cells, values in witnesses if np.isin(cells, columns).all()]
        pattern = greedy_pattern(part, [(np.searchsorted(columns, cells), values) for cells, values in within])
        if 0 < int((pattern.hidden & ~part.hidden).sum() + pattern.outright.sum()) <= prune_cells:
            pattern = pruned(part, pattern)
        hidden[columns], outright[columns], given_up[columns] = pattern.hidden, pattern.outright, pattern.given_up
        witnessed += [(columns[cells], values) for cells, values in pattern.witnesses]
    return Pattern(hidden, outright, given_up, tuple(witnessed))


def _narrow_by_known_tables(relations: Relations, x: FloatArray, known: BoolArray, threshold: int) -> BoolArray:
    """Cells that the known tables alone give away by arithmetic, whatever this release does."""
    too_narrow = np.zeros(x.size, dtype=bool)
    if known.any():
        system = propagate(reduce_system(relations, low=np.where(known, x, 0.0), high=np.where(known, x, np.inf)))
        too_narrow[system.cells] = system.high - system.low < threshold
    return too_narrow


def _loss(loss: Loss | FloatArray, x: FloatArray, relations: Relations) -> FloatArray:
    if isinstance(loss, str):
        balanced = (1.0 + np.log10(1.0 + x)) * TOTAL_WEIGHT ** _height(relations)
        choices = {"cells": np.ones(x.size), "incidents": np.maximum(x, 0.5), "balanced": balanced}
        if loss not in choices:
            raise InputError(f"loss {loss!r} is not one of {', '.join(choices)}.")
        return choices[loss]
    if loss.shape != x.shape or np.any(loss <= 0):
        raise InputError(f"loss must be one positive number for each of the {x.size} cells.")
    return loss.astype(np.float64)


def _height(relations: Relations) -> FloatArray:
    """Count the sums stacked below each cell: 0 for a ward's month, 1 for a borough's month, 2 for its year."""
    sums = np.char.endswith(relations.kind.astype(str), "_sum")
    matrix, total = csr_array(relations.matrix[sums]), relations.anchor[sums]
    row, column = matrix.tocoo().coords
    height = np.zeros(matrix.shape[1])
    for _ in range(MAX_HEIGHT):
        below = np.zeros(total.size)
        part = column != total[row]
        np.maximum.at(below, row[part], height[column[part]] + 1.0)
        raised = height.copy()
        np.maximum.at(raised, total, below)
        if np.array_equal(raised, height):
            break
        height = raised
    return height


def _flag(cells: pd.DataFrame, name: str) -> BoolArray:
    return cells[name].to_numpy(dtype=bool) if name in cells else np.zeros(len(cells), dtype=bool)


def _bound(cells: pd.DataFrame, name: str, default: float) -> FloatArray:
    if name not in cells:
        return np.full(len(cells), default)
    return np.asarray(pd.to_numeric(cells[name]).fillna(default), dtype=np.float64)


def _tally(frame: pd.DataFrame) -> pd.DataFrame:
    """Count cells by level and measure."""
    tally: dict[str, Any] = {"cells": 1}
    shown = (CellState.PUBLISHED, CellState.WITHHELD, CellState.BAND)
    tally |= {s.value: (frame["state"] == s).astype(np.int64) for s in shown}
    tally |= {r.value: (frame["reason"] == r).astype(np.int64) for r in Reason}
    tally["incidents_lost"] = frame["value"].where(frame["reason"] == Reason.SECONDARY, 0).astype(np.int64)
    counted = frame[["level", "measure"]].assign(**tally)[frame["state"] != CellState.LATENT]
    return counted.groupby(["level", "measure"], sort=True).sum().reset_index()
