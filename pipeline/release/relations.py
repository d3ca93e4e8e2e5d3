"""What ties published cells together: sums over areas and periods, subsets, unions, parts.

A cell table has one row per (area_code, period, category, measure); a relation is a row of a sparse matrix over the
positions of that table: ``lower <= matrix @ values <= upper``. Sums are equalities, subsets are inequalities. Builders
look only at the keys, never at the values, so the same builder serves the release, the audit and an attacker.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from pipeline.errors import InputError

__all__ = [
    "KEY",
    "Relations",
    "area_sums",
    "category_subsets",
    "category_unions",
    "drop_violated",
    "generic_rows",
    "hotspot_parts",
    "measure_subsets",
    "period_sums",
    "stack",
    "window_atoms",
]

KEY = ("area_code", "period", "category", "measure")
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Relations:
    """Linear rows over the positions of a cell table.

    Attributes
    ----------
    matrix
        Whole-number coefficients, shape (rows, cells).
    lower, upper
        Bounds of each row's sum, shape (rows,); infinite where a side is open, equal where the row is a sum.
    kind
        What built each row (``area_sum``, ``category_subset``, ...), shape (rows,).
    anchor
        Position of the cell that names the row in messages (the total, the larger set), shape (rows,).
    """

    matrix: csr_array
    lower: FloatArray
    upper: FloatArray
    kind: NDArray[np.object_]
    anchor: IntArray

    def __len__(self) -> int:
        return int(self.lower.size)

    @property
    def equal(self) -> NDArray[np.bool_]:
        """Which rows are sums (both sides closed and the same)."""
        return np.asarray(self.lower == self.upper, dtype=np.bool_)

    def select(self, rows: NDArray[Any]) -> "Relations":
        """Keep some rows, by mask or position."""
        return Relations(self.matrix[rows], self.lower[rows], self.upper[rows], self.kind[rows], self.anchor[rows])

    def remap(self, positions: IntArray, *, cells: int) -> "Relations":
        """Move the rows onto another table of `cells` cells, where old position i is `positions[i]`."""
        coo = self.matrix.tocoo()
        row, column = coo.coords
        matrix = csr_array((coo.data, (row, positions[column])), shape=(len(self), cells))
        return Relations(matrix, self.lower, self.upper, self.kind, positions[self.anchor])

    def violated(self, values: IntArray) -> NDArray[np.bool_]:
        """Which rows the given values break, shape (rows,)."""
        total = self.matrix @ np.asarray(values, dtype=np.int64)
        return np.asarray((total < self.lower) | (total > self.upper), dtype=np.bool_)


def stack(*relations: Relations) -> Relations:
    """Put the rows of several relations over the same table into one.

    Raises
    ------
    InputError
        If none is given or they speak of tables of different length.
    """
    if len({r.matrix.shape[1] for r in relations}) != 1:
        raise InputError("relations to stack must be over one cell table: build all of them from the same frame.")
    return Relations(
        csr_array(vstack([r.matrix for r in relations], format="csr")),
        np.concatenate([r.lower for r in relations]),
        np.concatenate([r.upper for r in relations]),
        np.concatenate([r.kind for r in relations]),
        np.concatenate([r.anchor for r in relations]),
    )


def drop_violated(relations: Relations, *, values: IntArray) -> tuple[Relations, pd.DataFrame]:
    """Drop the rows that the data breaks, and count them.

    An attacker who assumes a relation that is false concludes falsehoods, so such rows protect nobody and would only
    make the audit infeasible. What was dropped is reported, never silent.

    Returns
    -------
    kept, report
        The rows that hold, and a frame ``kind, rows, dropped``.
    """
    broken = relations.violated(values)
    frame = pd.DataFrame({"kind": relations.kind.astype(str), "rows": 1, "dropped": broken.astype(np.int64)})
    report = frame.groupby("kind", sort=True).sum().reset_index()
    return relations.select(~broken), report


def generic_rows(
    cells: pd.DataFrame, rows: Iterable[tuple[Mapping[int, int], float, float]], *, kind: str = "generic"
) -> Relations:
    """Build rows given one by one as (position -> coefficient, lower, upper)."""
    given = list(rows)
    entries = [(r, c, a) for r, (weights, _, _) in enumerate(given) for c, a in sorted(weights.items())]
    triple = np.asarray(entries, dtype=np.int64).reshape(-1, 3)
    bounds = np.asarray([(low, high) for _, low, high in given], dtype=np.float64).reshape(-1, 2)
    anchor = np.asarray([min(weights) for weights, _, _ in given], dtype=np.int64)
    return _rows(len(cells), triple, (bounds[:, 0], bounds[:, 1]), kind=kind, anchor=anchor)


def area_sums(
    cells: pd.DataFrame, *, parents: Mapping[str, str], unplaced: Mapping[str, str | None] | None = None
) -> Relations:
    """Relate each area's cell to those of the areas inside it: parent = sum of children + unplaced.

    Parameters
    ----------
    cells
        Table with the columns of `KEY`, one row per cell.
    parents
        Child area code to parent area code, for areas that are covered; any number of levels.
    unplaced
        Measure to the measure that holds the parent's part without a usable place (``{"incidents":
        "incidents_unplaced"}``); None as value means that the children add up exactly. A measure that is not named,
        or whose unplaced cell is not in the table, may have a hidden unplaced part: its row is an inequality.

    Returns
    -------
    relations
        One row per parent cell with at least one child cell; an inequality, too, where a child's cell is missing.
    """
    rest = dict(unplaced or {})
    frame = _keyed(cells)
    hidden = {m for m in rest.values() if m is not None}
    child = frame[frame["area_code"].isin(list(parents)) & ~frame["measure"].isin(list(hidden))].copy()
    child["area_code"] = child["area_code"].map(parents)
    pairs = child.merge(frame, on=list(KEY), suffixes=("", "_parent"))
    families = pd.Series(dict(parents), dtype=object).value_counts()
    part = frame[frame["measure"].isin(list(hidden))].copy()
    part["measure"] = part["measure"].map({v: k for k, v in rest.items() if v is not None})
    leftover = part.merge(frame, on=list(KEY), suffixes=("", "_parent"))
    leftover = leftover[leftover["position_parent"].isin(pairs["position_parent"])]
    total = np.sort(pairs["position_parent"].unique()).astype(np.int64)
    whole = pairs["position_parent"].value_counts().reindex(total).to_numpy() == frame["area_code"].iloc[total].map(
        families
    ).to_numpy(dtype=np.int64)
    exact = {m for m, part_measure in rest.items() if part_measure is None}
    closed = frame["measure"].iloc[total].isin(list(exact)).to_numpy() | np.isin(total, leftover["position_parent"])
    members = pd.concat([pairs, leftover])
    return _sums(len(cells), total, members, closed=whole & closed, kind="area_sum")


def period_sums(cells: pd.DataFrame, *, parts: Mapping[Any, Sequence[Any]]) -> Relations:
    """Relate each window's cell to those of the periods that make it up, within area, category and measure.

    `parts` maps a window's period to its periods (12 months, say). Where a part's cell is missing the row says only
    that the parts present do not exceed the window.
    """
    frame = _keyed(cells)
    table = pd.DataFrame(
        [(part, window) for window, members in parts.items() for part in members], columns=["period", "window"]
    )
    child = frame.merge(table, on="period")
    child = child.drop(columns="period").rename(columns={"window": "period"})
    pairs = child.merge(frame, on=list(KEY), suffixes=("", "_parent"))
    total = np.sort(pairs["position_parent"].unique()).astype(np.int64)
    wanted = frame["period"].iloc[total].map({w: len(p) for w, p in parts.items()}).to_numpy(dtype=np.int64)
    whole = pairs["position_parent"].value_counts().reindex(total).to_numpy() == wanted
    return _sums(len(cells), total, pairs, closed=whole, kind="period_sum")


def category_subsets(cells: pd.DataFrame, *, pairs: Iterable[tuple[str, str]]) -> Relations:
    """Say that a child category never exceeds its parent, in one area, period and measure."""
    return _subsets(cells, column="category", pairs=pairs)


def measure_subsets(cells: pd.DataFrame, *, pairs: Iterable[tuple[str, str]]) -> Relations:
    """Say that one measure never exceeds another (outcomes of a cohort, a kind, a flag status), cell by cell."""
    return _subsets(cells, column="measure", pairs=pairs)


def category_unions(cells: pd.DataFrame, *, unions: Mapping[str, Sequence[str]]) -> Relations:
    """Say that a category is covered by others: parent <= sum of its children, where all children are in the table."""
    frame = _keyed(cells)
    table = pd.DataFrame([(c, p) for p, group in unions.items() for c in group], columns=["category", "union"])
    child = frame.merge(table, on="category").drop(columns="category").rename(columns={"union": "category"})
    pairs = child.merge(frame, on=list(KEY), suffixes=("", "_parent"))
    total = np.sort(pairs["position_parent"].unique()).astype(np.int64)
    wanted = frame["category"].iloc[total].map({p: len(c) for p, c in unions.items()}).to_numpy(dtype=np.int64)
    total = total[pairs["position_parent"].value_counts().reindex(total).to_numpy() == wanted]
    pairs = pairs[pairs["position_parent"].isin(total)]
    found = _sums(len(cells), total, pairs, closed=np.zeros(total.size, dtype=bool), kind="category_union")
    return Relations(found.matrix, np.full(total.size, -np.inf), np.zeros(total.size), found.kind, found.anchor)


def hotspot_parts(cells: pd.DataFrame, *, wards: Mapping[str, Sequence[str]]) -> Relations:
    """Say that hotspots hold no more than the wards they lie in, singly and all together.

    `wards` maps a hotspot's area code to the codes of every ward it touches. Hotspots never share an incident, so
    those that share wards are also bounded together by the union of their wards.
    """
    frame = _keyed(cells).set_index(list(KEY))["position"]
    groups: list[set[str]] = []
    for hotspot in sorted(wards):
        touching = [g for g in groups if any(set(wards[hotspot]) & set(wards[other]) for other in g)]
        groups = [g for g in groups if g not in touching] + [{hotspot}.union(*touching)]
    sets = {frozenset(g) for g in groups} | {frozenset({h}) for h in wards}
    rows = []
    for _, *rest in frame.index[frame.index.isin(list(wards), level=0)]:
        for group in sets:
            inside = [(h, *rest) for h in sorted(group)]
            around = [(w, *rest) for w in sorted({w for h in group for w in wards[h]})]
            if all(k in frame.index for k in around):
                weights = {int(frame[k]): 1 for k in inside if k in frame.index}
                weights.update({int(frame[k]): -1 for k in around})
                rows.append(tuple(sorted(weights.items())))
    unique = sorted({r for r in rows if any(a > 0 for _, a in r)})
    return generic_rows(cells, [(dict(r), -np.inf, 0.0) for r in unique], kind="hotspot_part")


def window_atoms(windows: Mapping[Any, Sequence[Any]]) -> dict[Any, tuple[tuple[Any, ...], ...]]:
    """Cut overlapping windows into the pieces that subtraction can reach.

    Two windows a month apart give back the difference of two single months. Periods that the same windows cover
    form one atom; each window is the sum of its atoms. Give every atom a cell of its own (`period` = the tuple
    returned here) and pass the result to `period_sums`.

    >>> window_atoms({"a": ["jan", "feb", "mar"], "b": ["feb", "mar", "apr"]})
    {'a': (('jan',), ('feb', 'mar')), 'b': (('feb', 'mar'), ('apr',))}
    """
    signature: dict[Any, list[Any]] = {}
    for window, parts in windows.items():
        for part in parts:
            signature.setdefault(part, []).append(window)
    atoms: dict[tuple[Any, ...], list[Any]] = {}
    for part, covering in signature.items():
        atoms.setdefault(tuple(covering), []).append(part)
    return {w: tuple(tuple(a) for covering, a in atoms.items() if w in covering) for w in windows}


def _keyed(cells: pd.DataFrame) -> pd.DataFrame:
    missing = [c for c in KEY if c not in cells]
    if missing:
        raise InputError(f"a cell table needs the columns {', '.join(KEY)}: {', '.join(missing)} missing.")
    frame = cells[list(KEY)].reset_index(drop=True)
    if frame.duplicated().any():
        first = frame[frame.duplicated()].iloc[0].to_dict()
        raise InputError(f"a cell table holds each cell once, this one comes twice: {first}. Merge the rows.")
    return frame.assign(position=np.arange(len(frame), dtype=np.int64))


def _sums(cells: int, total: IntArray, members: pd.DataFrame, *, closed: NDArray[np.bool_], kind: str) -> Relations:
    row_of = np.searchsorted(total, members["position_parent"].to_numpy(dtype=np.int64))
    minus = np.column_stack([row_of, members["position"].to_numpy(dtype=np.int64), np.full(len(members), -1)])
    plus = np.column_stack([np.arange(total.size), total, np.ones(total.size, dtype=np.int64)])
    upper = np.where(closed, 0.0, np.inf)
    return _rows(cells, np.concatenate([plus, minus]), (np.zeros(total.size), upper), kind=kind, anchor=total)


def _subsets(cells: pd.DataFrame, *, column: str, pairs: Iterable[tuple[str, str]]) -> Relations:
    frame = _keyed(cells)
    table = pd.DataFrame(list(pairs), columns=[column, "larger"])
    child = frame.merge(table, on=column).drop(columns=column).rename(columns={"larger": column})
    found = child.merge(frame, on=list(KEY), suffixes=("", "_parent")).sort_values(["position_parent", "position"])
    small, large = (found[c].to_numpy(dtype=np.int64) for c in ("position", "position_parent"))
    row = np.arange(len(found), dtype=np.int64)
    triple = np.concatenate([np.column_stack([row, small, row * 0 + 1]), np.column_stack([row, large, row * 0 - 1])])
    bounds = (np.full(row.size, -np.inf), np.zeros(row.size))
    return _rows(len(cells), triple, bounds, kind=f"{column}_subset", anchor=large)


def _rows(
    cells: int, triple: IntArray, bounds: tuple[FloatArray, FloatArray], *, kind: str, anchor: IntArray
) -> Relations:
    lower, upper = bounds
    matrix = csr_array((triple[:, 2], (triple[:, 0], triple[:, 1])), shape=(lower.size, cells), dtype=np.int64)
    return Relations(matrix, lower, upper, np.full(lower.size, kind, dtype=object), anchor)
