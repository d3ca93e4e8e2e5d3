"""The audit: the attacker's problem, solved for the feasibility interval of every withheld count.

**What the attacker knows.** Every published number, the relations between cells (sums, subsets, unions, parts), the
known tables, previous releases, and the rules. The rules disclose this much about a withheld cell:

* *Primary* cells hold 1 to threshold - 1, but *secondary* ones hold anything, look the same, and may be zeros: from
  its marker alone a withheld cell is any whole number from 0 up.
* A published number other than 0 is at least the threshold. That says nothing about cells that are not published.
* Under ``zero_rule: band`` what is below the threshold, zeros too, is shown as "fewer than t": such a cell is known to
  lie in [0, t - 1]. Where bands alone would give a cell away some are withheld outright, so a cell that is withheld
  without a band may again hold anything (two bands under t never hide a sum of t or more for long).

**What is promised.** Each withheld cell's feasible whole-number range has ``high - low >= threshold``. Containing 0
is not enough: under a borough of 7 with wards 5, 1, 1 the small wards lie in [0, 2]. Width is ``high - low`` and not
the number of values, so a cell known to be at most the smallest number that may be printed, [0, t], just passes. A
cell shown as a band must keep the whole band: ``high - low = t - 1``.

**What is not promised.** The range is over counts that agree with the figures, not over what the choice of secondary
cells might betray: somebody who reruns the optimiser on every candidate table may find some of them unlikely. That no
value inside the range is ruled out is not promised either, only how wide it is.

Bounds that a relaxation gives can only show that a cell is *unsafe*; that it is safe is shown by two whole-number
tables that agree with everything published and differ by the threshold in that cell (witnesses).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.release.audit.intervals import Intervals, Witness, feasibility_intervals
from pipeline.release.linked_tables import KEY, Relations

__all__ = ["AuditResult", "CellState", "Intervals", "Witness", "attacker_view", "audit", "feasibility_intervals"]


class CellState(StrEnum):
    """How a release shows a cell."""

    PUBLISHED = "published"
    WITHHELD = "withheld"
    BAND = "band"
    """Shown as "fewer than the threshold"."""
    LATENT = "latent"
    """Never published, but implied: a piece of a window, a hotspot, a count of an earlier release."""


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Verdict on a release.

    Attributes
    ----------
    safe
        Whether every cell keeps the range it was promised.
    cells
        One row per cell that the attacker does not know: position in the cell table, its key, `lo`, `hi` (null: nothing
        bounds it), `width`, `required`, `method`, `block` (-1:
        settled by what is known of it alone), `safe`. Where `method` is ``witness`` the range was widened
        only until it sufficed and may be wider.
    blocks
        Connected components: `blocks`, `largest` (cells), and the number of cells settled by each method.
    """

    safe: bool
    cells: pd.DataFrame
    blocks: dict[str, int]

    @property
    def too_narrow(self) -> NDArray[np.int64]:
        """Positions of the cells whose feasibility interval is narrower than promised; for the internal log only."""
        return np.asarray(self.cells.loc[~self.cells["safe"], "position"], dtype=np.int64)


def attacker_view(cells: pd.DataFrame, *, threshold: int) -> pd.DataFrame:
    """Return what is known of each cell alone, and its protection level.

    Parameters
    ----------
    cells
        Columns `state` (a `CellState`), `value`, and, where wanted, `known` (the attacker has the value from a known
        table), `shown_low` and `shown_high` (a published cell was rounded or perturbed: the values it may stand for),
        `known_low` and `known_high` (bounds from previous releases).
        Nulls in the last four mean that nothing is added.
    threshold
        Smallest count other than 0 that may be published.

    Returns
    -------
    view
        Columns `low`, `high` (infinite: unbounded) and `required`, one row per cell.

    Raises
    ------
    InputError
        If a state is unknown, or two sources of bounds contradict each other.
    """
    state = cells["state"].astype(str).to_numpy()
    wrong = sorted(set(state) - set(CellState))
    if wrong:
        raise InputError(f"cell states are {', '.join(CellState)}; found {', '.join(wrong)}.")
    value = cells["value"].to_numpy(dtype=np.float64)
    known = cells["known"].to_numpy(dtype=bool) if "known" in cells else np.zeros(len(cells), dtype=bool)
    shown, band, hidden = (state == s for s in (CellState.PUBLISHED, CellState.BAND, CellState.WITHHELD))
    low, high = np.zeros(len(cells)), np.where(band, threshold - 1.0, np.inf)
    at_least, at_most = _column(cells, "shown_low", value), _column(cells, "shown_high", value)
    low, high = np.where(shown, at_least, low), np.where(shown, at_most, high)
    low = np.where(known, value, np.maximum(low, _column(cells, "known_low", np.zeros(len(cells)))))
    high = np.where(known, value, np.minimum(high, _column(cells, "known_high", np.full(len(cells), np.inf))))
    if np.any(low > high):
        at = cells.iloc[int(np.argmax(low > high))][list(KEY)].to_dict()
        raise InputError(f"what is published and what was published earlier contradict each other at {at}.")
    small = (state == CellState.LATENT) & (value > 0) & (value < threshold)
    if "protect" in cells:
        small |= (state == CellState.LATENT) & cells["protect"].to_numpy(dtype=bool)
    required = np.select([known, hidden | small, band], [0.0, float(threshold), threshold - 1.0], 0.0)
    return pd.DataFrame({"low": low, "high": high, "required": required})


def audit(
    cells: pd.DataFrame,
    *,
    relations: Relations,
    threshold: int,
    exact: bool = False,
    witnesses: Iterable[Witness] = (),
) -> AuditResult:
    """Attack a release: test whether every withheld cell keeps its protection level.

    Published sums count as exact here even if the release rounds them: an attacker who sees rounded figures knows
    less, so a release that passes unrounded passes rounded. Give `shown_low` and `shown_high` to audit rounding itself.

    Parameters
    ----------
    cells
        Cell table: the columns of `KEY` and those of `attacker_view`; `value` is the true count.
    relations
        Rows over the positions of `cells`; they must hold in the true counts.
    threshold
        Smallest count other than 0 that may be published.
    exact
        Find every range exactly. Default: stop where a cell is shown to be wide enough, or too narrow.
    witnesses
        Tables that whoever chose what to withhold claims to be possible: the positions of the cells that differ from
        the true one, and what they hold instead. Each is checked against every row and bound before it counts: they
        save the search, not the proof.

    Raises
    ------
    InputError
        If figures contradict each other or the relations.

    Examples
    --------
    >>> import pandas as pd
    >>> from pipeline.release.linked_tables import area_sums
    >>> cells = pd.DataFrame({
    ...     "area_code": ["B", "W1", "W2", "W3"], "period": "2024", "category": "all", "measure": "incidents",
    ...     "value": [7, 5, 1, 1], "state": ["published", "published", "withheld", "withheld"]})
    >>> sums = area_sums(cells, parents={"W1": "B", "W2": "B", "W3": "B"}, unplaced={"incidents": None})
    >>> audit(cells, relations=sums, threshold=5).cells[["area_code", "lo", "hi", "safe"]].values.tolist()
    [['W2', 0, 2, False], ['W3', 0, 2, False]]
    """
    if relations.matrix.shape[1] != len(cells):
        raise InputError(f"relations speak of {relations.matrix.shape[1]} cells, the table has {len(cells)}.")
    view = attacker_view(cells, threshold=threshold)
    required = view["required"].to_numpy()
    found = feasibility_intervals(
        relations,
        low=view["low"].to_numpy(),
        high=view["high"].to_numpy(),
        required=required,
        truth=cells["value"].to_numpy(dtype=np.float64),
        exact=exact,
        witnesses=witnesses,
    )
    low, high = view["low"].to_numpy(), view["high"].to_numpy()
    given = np.flatnonzero((low == high) & (required > 0))  # known before any arithmetic
    position = np.concatenate([given, found.cells])
    lo, hi = np.concatenate([low[given], found.low]), np.concatenate([high[given], found.high])
    frame = cells.iloc[position][[c for c in ("level", *KEY) if c in cells]].reset_index(drop=True)
    frame.insert(0, "position", position)
    frame["lo"] = lo.astype(np.int64)
    frame["hi"] = _whole(hi)
    frame["width"] = _whole(hi - lo)
    frame["required"] = required[position].astype(np.int64)
    frame["method"] = np.concatenate([np.full(given.size, "bounds", dtype=object), found.method])
    frame["block"] = np.concatenate([np.full(given.size, -1), found.block])
    frame["safe"] = hi - lo >= required[position]
    frame = frame.sort_values("position", ignore_index=True)
    size = np.bincount(found.block, minlength=1)
    methods = {f"by_{m}": int((found.method == m).sum()) for m in ("bounds", "witness", "linear", "integer")}
    blocks = {"blocks": int((size > 0).sum()), "largest": int(size.max()), **methods}
    return AuditResult(bool(frame["safe"].all()), frame, blocks)


def _column(cells: pd.DataFrame, name: str, default: NDArray[np.float64]) -> NDArray[np.float64]:
    if name not in cells:
        return default
    given = pd.to_numeric(cells[name]).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(given), default, given)


def _whole(values: NDArray[np.float64]) -> "pd.Series[int]":
    endless = np.isinf(values)
    return pd.Series(np.where(endless, 0, values).astype(np.int64), dtype="Int64").mask(endless)
