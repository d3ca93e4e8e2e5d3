"""Linked tables: the cells of a release and the relations between them (sums over areas and periods, subsets, parts).

A cell table has one row per (area_code, period, category, measure); a relation is a row of a sparse matrix over the
positions of that table: ``lower <= matrix @ values <= upper``, 1 for a total and -1 for a part. A sum is an equation; a
part is at most its total; parts that cover a total add up to it at least. Builders look only at the keys, never at the
values. Every mechanism has its relations from here: steps (`offer`), suppression and its audit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, vstack

from pipeline.domain.categories import ROOT, Subset, Union
from pipeline.domain.periods import Period, month_range
from pipeline.errors import InputError
from pipeline.release.released import CategoryInfo
from pipeline.release.steps import has_room, step_floor
from pipeline.tables import Level

__all__ = [
    "BROKEN_SHARE",
    "COUNTS",
    "DECLARED_UNION",
    "FOUND_UNION",
    "KEY",
    "CellTable",
    "Layout",
    "Relations",
    "area_equations",
    "area_sums",
    "broken_shares",
    "category_disjoint",
    "category_pairs",
    "category_subsets",
    "category_unions",
    "cell_table",
    "counted",
    "declared_unions",
    "drop_violated",
    "families_of",
    "generic_rows",
    "implied",
    "kept_rows",
    "long_cells",
    "measure_subsets",
    "no_relations",
    "period_sums",
    "relation_rows",
    "relations_that_hold",
    "stack",
    "unions_found",
]


KEY = ("area_code", "period", "category", "measure")
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Relations:
    """Linear rows over the positions of a cell table: ``lower <= matrix @ values <= upper``.

    Attributes
    ----------
    matrix
        1 for a total, -1 for a part, shape (rows, cells).
    lower, upper
        Bounds of each row, shape (rows,): 0 and 0 for an equation, 0 and infinity where the parts are at most the
        total, minus infinity and 0 for a union, whose parts are at least the total.
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
    def equal(self) -> BoolArray:
        """Which rows are sums (both bounds finite and equal)."""
        return np.asarray(self.lower == self.upper, dtype=np.bool_)

    @property
    def narrowing(self) -> BoolArray:
        """Which rows are equations or unions: those that bound a total from above."""
        return np.asarray(self.upper < np.inf, dtype=np.bool_)

    def complete(self, offered: BoolArray) -> BoolArray:
        """Return which rows have all their counts offered: a part that is not offered could have any value."""
        return np.asarray(abs(self.matrix) @ (~offered).astype(np.int64) == 0, dtype=np.bool_)

    def room(self, values: IntArray, step: int) -> BoolArray:
        """Return which rows leave every value of their steps possible; see `has_room`."""
        totals, parts = (csr_array(self.matrix > 0), csr_array(self.matrix < 0))
        lower = step_floor(values, step)
        count = [np.asarray(side.sum(axis=1), dtype=np.int64).ravel() for side in (totals, parts)]
        enough = has_room(totals @ lower, parts @ lower, count[1], step=step)
        # A total that is the sum of several windows can be less than its parts' floors: the same rule the other way.
        enough &= ~np.isfinite(self.lower) | has_room(parts @ lower, totals @ lower, count[0], step=step)
        return np.asarray(enough | ~self.narrowing, dtype=np.bool_)

    def select(self, rows: NDArray[Any]) -> "Relations":
        """Keep some rows, by mask or position."""
        return Relations(self.matrix[rows], self.lower[rows], self.upper[rows], self.kind[rows], self.anchor[rows])

    def remap(self, positions: IntArray, *, cells: int) -> "Relations":
        """Move the rows onto another table of `cells` cells, where old position i is `positions[i]`."""
        coo = self.matrix.tocoo()
        row, column = coo.coords
        matrix = csr_array((coo.data, (row, positions[column])), shape=(len(self), cells))
        return Relations(matrix, self.lower, self.upper, self.kind, positions[self.anchor])

    def violated(self, values: IntArray) -> BoolArray:
        """Which rows the given values break, shape (rows,)."""
        total = self.matrix @ np.asarray(values, dtype=np.int64)
        return np.asarray((total < self.lower) | (total > self.upper), dtype=np.bool_)


def stack(*relations: Relations) -> Relations:
    """Combine the rows of several relations over the same table.

    Raises
    ------
    InputError
        If there are none, or they refer to tables of different length.
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

    An attacker who assumes a false relation reaches false conclusions, so such rows would only make the audit
    infeasible. Dropped rows are always reported.

    Returns
    -------
    kept, report
        The rows that hold, and a frame ``kind, rows, dropped``.
    """
    broken = relations.violated(values)
    frame = pd.DataFrame({"kind": relations.kind.astype(str), "rows": 1, "dropped": broken.astype(np.int64)})
    report = frame.groupby("kind", sort=True).sum().reset_index()
    return relations.select(~broken), report


def implied(relations: Relations, *, values: IntArray) -> BoolArray:
    """Return which rows say nothing beside another: parts that are at most a total, among more parts that are.

    No count is negative, so that "a and b are at most the total" follows from "a, b and c are at most the total". Each
    row is held against the longest one of its total that the data satisfies; programmes over what is left have the
    same solutions. With fourteen kinds of crime that exclude each other, 105 of 106 rows say nothing.

    Parameters
    ----------
    relations
        Rows over a table of counts.
    values
        The counts, shape (cells,): a row that they break implies no other.

    Returns
    -------
    implied
        Mask of shape (rows,).

    Examples
    --------
    >>> table = pd.DataFrame({"category": ["all", "a", "b", "c"], "area_code": "W", "period": "2024"})
    >>> table = table.assign(measure="incidents", value=[9, 4, 3, 2])
    >>> rows = category_disjoint(table, unions=[("all", ("a", "b", "c"))])
    >>> implied(rows, values=table["value"].to_numpy()).tolist()
    [False, True, True, True]
    """
    matrix = relations.matrix
    one_total = np.asarray((matrix > 0).sum(axis=1)).ravel() == 1
    at_most = np.flatnonzero((relations.lower == 0) & (relations.upper == np.inf) & one_total)
    if not at_most.size:
        return np.zeros(len(relations), dtype=bool)
    rows = relations.select(at_most)
    size, total = np.diff(rows.matrix.indptr), csr_array(rows.matrix > 0).indices
    # The longest row of each total, the first of several.
    order = np.lexsort((np.arange(size.size), -size, rows.violated(values), total))
    longest = order[np.unique(total[order], return_index=True)[1]]
    longest = longest[~rows.violated(values)[longest]]
    entry = np.repeat(total, size).astype(np.int64) * matrix.shape[1] + rows.matrix.indices
    is_longest = np.isin(np.arange(size.size), longest)
    inside = np.isin(entry, entry[np.repeat(is_longest, size)])
    said = np.logical_and.reduceat(inside, rows.matrix.indptr[:-1]) & ~is_longest
    return np.isin(np.arange(len(relations)), at_most[said])


BROKEN_SHARE = 0.05
"""A kind of relation that fewer rows break is assumed to be known to the reader; see `Layout.rows_of_readers`."""
DECLARED_UNION = "declared_union"
FOUND_UNION = "found_union"


def relations_that_hold(
    cells: pd.DataFrame, relations: Relations, *, rows_of_readers: Mapping[str, float] | None = None
) -> Relations:
    """Keep the relations that a reader would rely on: those broken in fewer than `BROKEN_SHARE` of his rows.

    Rows are judged together where they state the same thing in other areas and windows: the same kind of relation, at
    the same level, between the same categories and measures. A group is kept or dropped as a whole; in a group that is
    kept, rows that the data breaks are kept too, because a reader cannot know which ones these are. Unions that the
    source declares are relied on wherever they hold, however often the data breaks them elsewhere.

    Parameters
    ----------
    cells
        The columns of `KEY`, `level`, and `value`, the true counts.
    relations
        Candidates over the positions of `cells`: declared ones, and those that may be found to hold.
    rows_of_readers
        Rows that a reader has for each of `cells`, by level (`Layout.rows_of_readers`); one where it is not named.

    Returns
    -------
    relations
        The rows kept, in their order; `violated` tells which of them the data breaks.

    Examples
    --------
    In 20 wards the strand never exceeds the total, in a 21st it does; the total exceeds the strand in most wards.

    >>> table = pd.DataFrame({"area_code": np.repeat(range(21), 2).astype(str), "category": ["all", "race"] * 21})
    >>> table = table.assign(period="2024", measure="incidents", level="ward", value=[9, 5] * 20 + [3, 4])
    >>> one = category_subsets(table, pairs=[("race", "all")])
    >>> other = category_subsets(table, pairs=[("all", "race")])
    >>> len(relations_that_hold(table, stack(one, other))), int(one.violated(table["value"].to_numpy()).sum())
    (21, 1)
    """
    if not len(relations):
        return relations
    broken = relations.violated(cells["value"].to_numpy(dtype=np.int64))
    named = cells.iloc[relations.anchor]
    group = pd.DataFrame(
        {
            "kind": relations.kind.astype(str),
            "level": named["level"].astype(str).to_numpy(),
            "total": named["category"].astype(str).to_numpy(),
            "categories": _distinct_values(relations, cells["category"]),
            "measures": _distinct_values(relations, cells["measure"]),
        }
    )
    share = pd.Series(broken).groupby([group[c] for c in group]).transform("mean").to_numpy()
    # A row of a group that passes is kept although the data breaks it; one of a group that fails is kept by nobody.
    declared = (group["kind"] == DECLARED_UNION).to_numpy() & ~broken
    return relations.select((share < broken_shares(group["level"], rows_of_readers)) | declared)


def _distinct_values(relations: Relations, column: "pd.Series[Any]") -> IntArray:
    """Return one number for each set of values that the cells of a row have in a column, shape (rows,)."""
    code, names = pd.factorize(column.astype(str), sort=True)
    row, cell = relations.matrix.tocoo().coords
    pairs = pd.DataFrame({"row": row, "code": code[cell]}).drop_duplicates()
    # The sum of one fixed random number per value stands for the set of values.
    stamp = np.random.default_rng(0).integers(1, 2**40, size=len(names))
    total = np.zeros(len(relations), dtype=np.int64)
    np.add.at(total, pairs["row"].to_numpy(), stamp[pairs["code"].to_numpy()])
    return total


def generic_rows(
    cells: pd.DataFrame, rows: Iterable[tuple[Mapping[int, int], float, float]], *, kind: str = "generic"
) -> Relations:
    """Build rows given one by one as (position -> coefficient, lower, upper)."""
    given = list(rows)
    entries = [(r, c, a) for r, (weights, _, _) in enumerate(given) for c, a in sorted(weights.items())]
    triple = np.asarray(entries, dtype=np.int64).reshape(-1, 3)
    bounds = np.asarray([(low, high) for _, low, high in given], dtype=np.float64).reshape(-1, 2)
    anchor = np.asarray([min(weights) for weights, _, _ in given], dtype=np.int64)
    matrix = csr_array((triple[:, 2], (triple[:, 0], triple[:, 1])), shape=(len(given), len(cells)), dtype=np.int64)
    return Relations(matrix, bounds[:, 0], bounds[:, 1], np.full(len(given), kind, dtype=object), anchor)


def no_relations(cells: int) -> Relations:
    """Return no rows over a table of so many cells."""
    matrix = csr_array((0, cells), dtype=np.int64)
    return Relations(matrix, np.empty(0), np.empty(0), np.empty(0, dtype=object), np.empty(0, dtype=np.int64))


def relation_rows(
    cells: int,
    totals: pd.DataFrame,
    parts: pd.DataFrame,
    *,
    kind: str,
    lower: float = 0.0,
    upper: float | FloatArray = np.inf,
) -> Relations:
    """Build rows from frames of `row` (from 0 on, without gaps) and `at`, the positions of their totals and parts."""
    row = np.concatenate([side["row"].to_numpy(np.int64) for side in (totals, parts)])
    at = np.concatenate([side["at"].to_numpy(np.int64) for side in (totals, parts)])
    sign = np.repeat(np.array([1, -1], dtype=np.int64), [len(totals), len(parts)])
    first = totals.drop_duplicates("row").sort_values("row")
    n = len(first)
    matrix = csr_array(coo_array((sign, (row, at)), shape=(n, cells)))
    anchor = first["at"].to_numpy(np.int64)
    return Relations(matrix, np.full(n, lower), np.full(n, upper), np.full(n, kind, dtype=object), anchor)


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


def area_equations(cells: pd.DataFrame, *, parents: Mapping[str, str]) -> Relations:
    """State that each area's cell is the sum of the areas inside it, without unplaced incidents.

    A candidate for `relations_that_hold`: true where every incident has a usable place, as in most published counts.
    Rows of which a child's cell is missing are left out.
    """
    sums = area_sums(cells, parents=parents)
    size = np.diff(sums.matrix.indptr) - 1
    inside = pd.Series(dict(parents), dtype=object).value_counts()
    wanted = cells["area_code"].iloc[sums.anchor].map(inside).to_numpy(dtype=np.int64)
    whole = sums.select(size == wanted)
    kind = np.full(len(whole), "area_equation", dtype=object)
    return Relations(whole.matrix, np.zeros(len(whole)), np.zeros(len(whole)), kind, whole.anchor)


def period_sums(cells: pd.DataFrame, *, parts: Mapping[Any, Sequence[Any]]) -> Relations:
    """Relate each window's cell to those of the periods that make it up, within area, category and measure.

    `parts` maps a window's period to its periods (12 months, say). Where a part's cell is missing the row states only
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
    """Relate each category to the one it is part of and never exceeds, in one area, period and measure."""
    return _subsets(cells, column="category", pairs=pairs)


def measure_subsets(cells: pd.DataFrame, *, pairs: Iterable[tuple[str, str]]) -> Relations:
    """Relate measures of which one never exceeds the other (outcomes of a cohort, a kind, a flag), cell by cell."""
    return _subsets(cells, column="measure", pairs=pairs)


def category_unions(
    cells: pd.DataFrame, *, unions: Iterable[tuple[str, Sequence[str]]], kind: str = "category_union"
) -> Relations:
    """Relate a category to others that cover it: total <= sum of the parts, where all of these are in the table."""
    found = [_union(cells, whole, parts, kind=kind) for whole, parts in unions]
    return stack(*found) if found else no_relations(len(cells))


def _union(cells: pd.DataFrame, whole: str, parts: Sequence[str], *, kind: str) -> Relations:
    """Write down one union, in the rows in which it has all its parts."""
    totals, inside = _family(cells, whole, parts)
    full = (inside.groupby("row").size().reindex(totals["row"], fill_value=0) == len(parts)).to_numpy()
    return kept_rows(len(cells), totals, inside, full, kind=kind, lower=-np.inf, upper=0.0)


LEFT_OUT = 2
"""So many parts may be left out of a union that readers find: parts that are rare."""
ROWS_TO_FIND = 20
"""Rows that are not empty, in which a reader must have seen a rule that no layout suggests: 5 % of them is one row."""


def unions_found(
    cells: pd.DataFrame,
    *,
    unions: Iterable[tuple[str, tuple[str, ...]]],
    rows_of_readers: Mapping[str, float] | None = None,
) -> dict[tuple[str, tuple[str, ...]], Relations]:
    """Relate each category to those of its parts that cover it though one or two of the parts are left out.

    No layout suggests such a rule: a reader sees it in the counts, among rows that are not empty and enough of them, or
    not at all. So these are no candidates: what is returned is what a reader finds and the data satisfies. All choices
    of parts are tried at once, as columns of one product of matrices: n (n + 1) / 2 of n parts. Of choices that hold in
    a row only the smallest say anything.

    Parameters
    ----------
    cells
        KEY, `level`, and `value`, the true counts.
    unions
        Categories and all of their parts.
    rows_of_readers
        Rows that a reader has for each of `cells`, by level (`Layout.rows_of_readers`); one where it is not named.

    Examples
    --------
    In 25 wards every incident is of a or of b, and c is rare.

    >>> table = pd.DataFrame({"area_code": np.repeat(np.arange(25), 4).astype(str), "category": list("wabc") * 25})
    >>> table = table.assign(period="2024", measure="incidents", level="ward", value=[5, 3, 2, 1] * 25)
    >>> found = unions_found(table, unions=[("w", ("a", "b", "c"))])
    >>> {parts: (len(rows), rows.matrix.toarray()[0, :4].tolist()) for (_, parts), rows in found.items()}
    {('a', 'b'): (25, [1, -1, -1, 0])}
    """
    rows = {}
    for whole, parts in unions:
        totals, inside = _family(cells, whole, parts)
        values = cells["value"].to_numpy(np.int64)
        held = np.zeros((len(totals), len(parts)), dtype=np.int64)
        there = np.zeros(held.shape, dtype=bool)
        row = inside["row"].to_numpy(np.int64)
        column = inside["category"].map({c: n for n, c in enumerate(parts)}).to_numpy(np.int64)
        held[row, column], there[row, column] = values[inside["at"].to_numpy(np.int64)], True
        choices = [
            np.isin(np.arange(len(parts)), some)
            for size in range(max(len(parts) - LEFT_OUT, 1), len(parts))
            for some in combinations(range(len(parts)), size)
        ]
        if not choices or totals.empty:
            continue
        chosen = np.array(choices, dtype=np.int64).T
        total = values[totals["at"].to_numpy(np.int64)][:, None]
        full = (~there).astype(np.int64) @ chosen == 0
        holds = full & (total <= held @ chosen)
        kind = [cells[c].iloc[totals["at"]].to_numpy() for c in ("level", "measure")]
        seen = pd.DataFrame(full & (total > 0)).groupby(kind).transform("sum").to_numpy()
        broken = pd.DataFrame(full & ~holds).groupby(kind).transform("sum").to_numpy()
        readers = seen * broken_shares(kind[0], rows_of_readers)[:, None]
        holds &= (broken < readers) & (readers >= BROKEN_SHARE * ROWS_TO_FIND)
        for n, mine in enumerate(choices):  # smaller choices come first
            smaller = [k for k in range(n) if not (choices[k] & ~mine).any()]
            kept = holds[:, n] & ~holds[:, smaller].any(axis=1)
            some = inside[mine[column]]
            if kept.any():
                family = (whole, tuple(p for p, is_mine in zip(parts, mine, strict=True) if is_mine))
                rows[family] = kept_rows(len(cells), totals, some, kept, kind=FOUND_UNION, lower=-np.inf, upper=0.0)
    return rows


def broken_shares(levels: Iterable[str], rows_of_readers: Mapping[str, float] | None) -> FloatArray:
    """Return for each level the share of broken rows of the tables from which nobody relies on a relation."""
    return BROKEN_SHARE * np.array([(rows_of_readers or {}).get(str(level), 1.0) for level in levels])


def _family(cells: pd.DataFrame, whole: str, parts: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cells of a category, numbered `row`, and those of its parts in the same row; `at` is the position."""
    name = [*(c for c in KEY if c != "category")]
    here = cells["category"].isin([whole, *parts]).to_numpy()
    frame = cells.loc[here, [*name, "category"]].assign(at=np.flatnonzero(here))
    totals = frame[frame["category"] == whole].reset_index(drop=True)
    totals["row"] = np.arange(len(totals))
    return totals, frame[frame["category"] != whole].merge(totals[[*name, "row"]], on=name)


def kept_rows(
    cells: int, totals: pd.DataFrame, parts: pd.DataFrame, kept: BoolArray, *, kind: str, lower: float, upper: float
) -> Relations:
    """Build those rows that are kept, numbered anew; arguments as for `relation_rows`."""
    number, sides = np.cumsum(kept) - 1, []
    for side in (totals, parts):
        mine = side[kept[side["row"].to_numpy(np.int64)]]
        sides.append(mine.assign(row=number[mine["row"].to_numpy(np.int64)]))
    return relation_rows(cells, sides[0], sides[1], kind=kind, lower=lower, upper=upper)


def category_disjoint(
    cells: pd.DataFrame, *, unions: Iterable[tuple[str, Sequence[str]]], pairs: bool = True
) -> Relations:
    """Relate a category to parts that share no incident: their sum never exceeds it.

    Candidates for `relations_that_hold`: all parts of a category that are in a row together, and with `pairs` every two
    of them, since two may share nothing where all of them do not.
    """
    found = []
    for whole, parts in unions:
        totals, inside = _family(cells, whole, parts)
        size = inside.groupby("row").size().reindex(totals["row"], fill_value=0).to_numpy()
        pairwise = pairs and len(parts) > 2
        many = size > (2 if pairwise else 1)
        found.append(kept_rows(len(cells), totals, inside, many, kind="category_disjoint", lower=0.0, upper=np.inf))
        for pair in combinations(parts, 2) if pairwise else ():
            two = _union(cells, whole, pair, kind="category_disjoint")
            found.append(replace(two, lower=np.zeros(len(two)), upper=np.full(len(two), np.inf)))
    return stack(*found) if found else no_relations(len(cells))


def _keyed(cells: pd.DataFrame) -> pd.DataFrame:
    missing = [c for c in KEY if c not in cells]
    if missing:
        raise InputError(f"a cell table needs the columns {', '.join(KEY)}: {', '.join(missing)} missing.")
    frame = cells[list(KEY)].reset_index(drop=True)
    if frame.duplicated().any():
        first = frame[frame.duplicated()].iloc[0].to_dict()
        raise InputError(f"a cell table holds each cell once, this one comes twice: {first}. Merge the rows.")
    return frame.assign(position=np.arange(len(frame), dtype=np.int64))


def _sums(cells: int, total: IntArray, members: pd.DataFrame, *, closed: BoolArray, kind: str) -> Relations:
    row = np.searchsorted(total, members["position_parent"].to_numpy(dtype=np.int64))
    totals = pd.DataFrame({"row": np.arange(total.size), "at": total})
    parts = pd.DataFrame({"row": row, "at": members["position"].to_numpy(dtype=np.int64)})
    return relation_rows(cells, totals, parts, kind=kind, upper=np.where(closed, 0.0, np.inf))


def _subsets(cells: pd.DataFrame, *, column: str, pairs: Iterable[tuple[str, str]]) -> Relations:
    frame = _keyed(cells)
    table = pd.DataFrame(list(pairs), columns=[column, "larger"]).astype("str")
    child = frame.merge(table, on=column).drop(columns=column).rename(columns={"larger": column})
    found = child.merge(frame, on=list(KEY), suffixes=("", "_parent")).sort_values(["position_parent", "position"])
    row = np.arange(len(found))
    small, large = (pd.DataFrame({"row": row, "at": found[c].to_numpy()}) for c in ("position", "position_parent"))
    return relation_rows(len(cells), large, small, kind=f"{column}_subset")


# The cell table of a release: every count that is published or implied, and the relations between them.


COUNTS = ("incidents", "incidents_unplaced", "positive_outcomes", "known_outcomes")
COARSE = ("region", "borough")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the counts of a source nest, as every reader knows: areas, windows, categories and measures.

    Attributes
    ----------
    parents
        Area code to the code of the area it lies in, for every area that is covered, inside a release's scope or not.
    levels
        Area code to its level: wards and groups of wards both make up their borough, each by themselves.
    part_of
        Category and the category it is part of (`category_pairs`), parts in the order of the configuration.
    cohort
        Whether positive outcomes belong to the incidents they stand beside, so that they never exceed them.
    unions
        Category and parts that cover it, as the source declares.
    series
        Level to the windows whose counts are put in steps.
    group_of
        Ward code to the code of its group of wards; empty where there are none.
    detail
        Category to the smallest level it is offered at; wards where it is not named.
    long_categories
        Categories that groups of wards are given in longer windows alone.
    long_windows
        Ids of these windows.
    """

    parents: Mapping[str, str]
    levels: Mapping[str, str]
    part_of: tuple[tuple[str, str], ...]
    cohort: bool
    unions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    series: Mapping[str, Sequence[Period]] = field(default_factory=dict)
    group_of: Mapping[str, str] = field(default_factory=dict)
    detail: Mapping[str, str] = field(default_factory=dict)
    long_categories: frozenset[str] = frozenset()
    long_windows: frozenset[str] = frozenset()

    @property
    def families(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return each category that has parts, and its parts in the order of the configuration."""
        return families_of(self.part_of)

    @property
    def rows_of_readers(self) -> dict[str, float]:
        """Return how many rows a reader has for each row of a level: he can add up windows to those that are longer.

        With three years and the last two of them in one, which groups of wards are given, four for three. If the added
        rows all hold, a relation that 1 row of 15 breaks in the tables is broken by 1 of 20 of his. Wards are not given
        in longer windows.
        """
        longer = len(self.long_windows)
        return {level: 1 + longer / len(own) for level, own in self.series.items() if own and level != Level.WARD}

    @property
    def parents_by_level(self) -> list[dict[str, str]]:
        """Return `parents` apart for each level of the smaller areas."""
        level = {area: str(self.levels.get(area, "")) for area in self.parents}
        return [{a: p for a, p in self.parents.items() if level[a] == name} for name in sorted(set(level.values()))]

    def relate(self, cells: pd.DataFrame) -> Relations:
        """Return every sum and subset that a table of cells implies (columns KEY and level)."""
        table = cells.reset_index(drop=True)
        unplaced = {"incidents": "incidents_unplaced"}
        rows = [area_sums(table, parents=inside, unplaced=unplaced) for inside in self.parents_by_level]
        for level in sorted(set(table["level"])):
            at = np.flatnonzero(table["level"] == level).astype(np.int64)
            if at.size:
                part = table.iloc[at].reset_index(drop=True)
                rows.append(period_sums(part, parts=_parts(part["period"].unique())).remap(at, cells=len(table)))
        rows.append(self.orders(table))
        rows.append(measure_subsets(table, pairs=[("incidents_unplaced", "incidents")]))
        return stack(*rows)

    def orders(self, cells: pd.DataFrame) -> Relations:
        """Relate each category to the one it is part of, and in a cohort each outcome to what it is an outcome of."""
        chain = [("positive_outcomes", "known_outcomes"), ("known_outcomes", "incidents")]
        rows = measure_subsets(cells, pairs=chain if self.cohort else [])
        return stack(category_subsets(cells, pairs=self.part_of), rows)

    @property
    def covering(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return each category with the parts that may cover it: all of them, and those that the source declares to."""
        return tuple(dict.fromkeys([*self.families, *self.unions]))

    def candidates(self, cells: pd.DataFrame) -> Relations:
        """Return undeclared relations that the layout suggests to a reader; `relations_that_hold` tests them."""
        placed, at = _placed(cells)
        found = stack(
            *(area_equations(placed, parents=inside) for inside in self.parents_by_level),
            category_unions(placed, unions=self.families),
            category_unions(placed, unions=self.unions, kind=DECLARED_UNION),
            category_disjoint(placed, unions=self.families),
        )
        return found.remap(at, cells=len(cells))

    def found(self, cells: pd.DataFrame) -> Relations:
        """Return the unions that no layout suggests and that a reader finds in the counts (`unions_found`)."""
        placed, at = _placed(cells)
        rows = unions_found(placed, unions=self.families, rows_of_readers=self.rows_of_readers).values()
        return stack(no_relations(len(placed)), *rows).remap(at, cells=len(cells))


def _placed(cells: pd.DataFrame) -> tuple[pd.DataFrame, IntArray]:
    """Return the cells in which readers look for patterns, and their positions."""
    # Incidents without a location are too few for that.
    at = np.flatnonzero(cells["measure"] != "incidents_unplaced").astype(np.int64)
    return cells.iloc[at].reset_index(drop=True), at


@dataclass(frozen=True, slots=True)
class CellTable:
    """What a release is made of, for suppression and audit.

    Attributes
    ----------
    cells
        KEY columns, level, value, latent, block (the borough that a cell is a detail of; none for region and boroughs);
        `row` is the position in the counts.
    relations
        Those that a reader relies on (`relations_that_hold`) or finds (`unions_found`), and the data satisfies.
    broken
        Those that a reader relies on although the data breaks them, in under 5 % of rows of their kind.
    dropped
        A report of all candidates, those that nobody relies on among them: ``kind, rows, dropped`` (broken).
    """

    cells: pd.DataFrame
    relations: Relations
    broken: Relations
    dropped: pd.DataFrame


def cell_table(
    counts: pd.DataFrame,
    *,
    layout: Layout,
    measures: Sequence[str],
    series: Mapping[str, Iterable[str]] | None = None,
) -> CellTable:
    """Lay out the cells of a release and relate them.

    Parameters
    ----------
    counts
        True counts per area, period and category: the columns of COUNTS, null where there is nothing to publish.
    layout
        How the cells nest.
    measures
        Measures shown.
    series
        Level to the windows that have counts of their own; a window beside them is the sum of theirs, so that its cell
        is latent. Without it every window has counts of its own.
    """
    published = long_cells(counts, measures)
    own = pd.MultiIndex.from_tuples([(level, p) for level, windows in (series or {}).items() for p in windows])
    made = ~pd.MultiIndex.from_frame(published[["level", "period"]]).isin(own) if series else False
    cells = published.assign(latent=made)
    # Wards are details of their borough, and so are its incidents without a ward.
    borough = cells["area_code"].map(layout.parents).where(~cells["level"].isin(COARSE))
    unplaced = (cells["measure"] == "incidents_unplaced") & (cells["level"] == "borough")
    cells["block"] = borough.mask(unplaced, cells["area_code"]).fillna("")
    every, values = stack(layout.relate(cells), layout.candidates(cells)), cells["value"].to_numpy(dtype=np.int64)
    granted = relations_that_hold(cells, every, rows_of_readers=layout.rows_of_readers)
    kept, _ = drop_violated(granted, values=values)
    report = drop_violated(every, values=values)[1]
    # Unions that readers find are held to the counts already.
    known = stack(kept, layout.found(cells))
    return CellTable(cells, known, granted.select(granted.violated(values)), report)


def counted(measures: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of counts that a profile with these measures shows."""
    whole = "incidents" in measures
    outcomes = "positive_outcomes" in measures
    shown = {"incidents": whole, "incidents_unplaced": whole, "positive_outcomes": outcomes, "known_outcomes": outcomes}
    return tuple(c for c in COUNTS if shown[c])


def category_pairs(
    every: Sequence[CategoryInfo], shown: Iterable[str], declared: Sequence[Subset | Union] = ()
) -> tuple[tuple[str, str], ...]:
    """Pair each shown category with the nearest shown ones that it is part of; `all` holds every other.

    But for those outside the total: such a category may exceed it, so that nothing is known of the one from the other.

    Parameters
    ----------
    every
        All categories of the source.
    shown
        Those that may be shown.
    declared
        What the source declares beside the tree. Parts of a union are parts of the whole.

    Examples
    --------
    The tree says nothing of faith; the source declares that it is part of religion.

    >>> tree = [CategoryInfo(c, c, None) for c in ("all", "religion", "faith")]
    >>> category_pairs(tree, ["all", "religion", "faith"], [Subset("faith", "religion")])
    (('religion', 'all'), ('faith', 'religion'))
    """
    order = [c.id for c in every]
    above: dict[str, set[str]] = {c: set() for c in order}
    for info in every:
        if info.id != ROOT and (info.parent or not info.outside):
            above[info.id].add(info.parent or ROOT)
    for relation in declared:
        whole = relation.parent if isinstance(relation, Subset) else relation.whole
        for part in (relation.child,) if isinstance(relation, Subset) else relation.parts:
            if part in above and whole in above and part != whole:
                above[part].add(whole)
    # Everything above each category, then the nearest of what is shown: what lies between two others says both.
    while more := [(c, p) for c, known in above.items() for q in known for p in above.get(q, set()) - known - {c}]:
        for category, whole in more:
            above[category].add(whole)
    present = {*shown, ROOT}
    within = {c: known & present for c, known in above.items()}
    return tuple(
        (c, p)
        for c in order
        if c in present
        for p in order
        if p in within[c]
        # Two categories that are part of each other are the same, and lie between nothing.
        and not any(p in within[q] and q not in within[p] and c not in within[q] for q in within[c] - {p})
    )


def declared_unions(declared: Iterable[Subset | Union]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the categories and the parts that a source declares to cover them."""
    return tuple((relation.whole, relation.parts) for relation in declared if isinstance(relation, Union))


def families_of(part_of: Iterable[tuple[str, str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each category that has parts, and these in their order."""
    pairs = list(part_of)
    return tuple((whole, tuple(p for p, of in pairs if of == whole)) for whole in dict.fromkeys(w for _, w in pairs))


def long_cells(counts: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Return one row per count that is not null: KEY, level, value and `row`, its position in the counts."""
    frames = []
    for measure in (c for c in counted(measures) if c in counts.columns):
        known = counts[measure].notna().to_numpy()
        part = counts.loc[known, ["area_code", "level", "period", "category"]].copy()
        part["measure"] = measure
        part["value"] = counts.loc[known, measure].astype("int64").to_numpy()
        part["row"] = known.nonzero()[0]
        frames.append(part)
    return pd.concat(frames, ignore_index=True)


def _parts(periods: Iterable[str]) -> dict[str, list[str]]:
    """Return the windows that make up each longer window: months of a quarter, quarters of a year, never both."""
    every = {p: Period.parse(p) for p in sorted(periods)}
    found: dict[str, list[str]] = {}
    for name, window in every.items():
        inside = {
            n: p
            for n, p in every.items()
            if n != name and window.first_month <= p.first_month <= p.last_month <= window.last_month
        }
        largest = [
            n
            for n, p in inside.items()
            if not any(
                q != p and q.first_month <= p.first_month <= p.last_month <= q.last_month for q in inside.values()
            )
        ]
        if largest and sum(len(_months(inside[n])) for n in largest) == len(_months(window)):
            found[name] = largest
    return found


def _months(window: Period) -> tuple[int, ...]:
    return month_range(window.first_month, window.last_month)
