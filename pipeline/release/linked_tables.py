"""Linked tables: the cells of a release and the relations between them (sums over areas and periods, subsets, parts).

A cell table has one row per (area_code, period, category, measure); a relation is a row of a sparse matrix over the
positions of that table: ``lower <= matrix @ values <= upper``. Sums are equalities, subsets are inequalities. Builders
look only at the keys, never at the values, so the same builder serves the release, the audit and an attacker.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from pipeline.domain.periods import Period, month_range
from pipeline.errors import InputError
from pipeline.release.released import CategoryInfo

__all__ = [
    "COUNTS",
    "KEY",
    "CellTable",
    "Layout",
    "Relations",
    "area_equations",
    "area_sums",
    "category_children",
    "category_disjoint",
    "category_pairs",
    "category_subsets",
    "category_unions",
    "cell_table",
    "counted",
    "drop_violated",
    "generic_rows",
    "long_cells",
    "measure_subsets",
    "period_sums",
    "relations_that_hold",
    "stack",
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


# A reader who sees a relation hold in 19 rows of 20 takes it to hold in all of them.
BELIEVED_BROKEN_SHARE = 0.05


def relations_that_hold(
    cells: pd.DataFrame, relations: Relations, *, tolerance: float = BELIEVED_BROKEN_SHARE
) -> Relations:
    """Keep the relations that a reader would rely on: those broken in fewer than `tolerance` of their rows.

    Rows are judged together where they state the same thing in other areas and windows: the same kind of relation, at
    the same level, between the same categories and measures. A group passes or goes as a whole; of a group that
    passes, the rows that the data breaks stay in, because a reader cannot tell which ones those are.

    Parameters
    ----------
    cells
        The columns of `KEY`, `level`, and `value`, the true counts.
    relations
        Candidates over the positions of `cells`: declared ones, and those that may be found to hold.
    tolerance
        Share of broken rows from which nobody relies on a relation.

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
    return relations.select((share < tolerance) | ((share == 0) & (tolerance == 0)))


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


def area_equations(cells: pd.DataFrame, *, parents: Mapping[str, str]) -> Relations:
    """State that each area's cell is the sum of the areas inside it, with nothing unplaced.

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


def category_unions(cells: pd.DataFrame, *, unions: Mapping[str, Sequence[str]]) -> Relations:
    """Relate a category to others that cover it: parent <= sum of its children, where all children are in the table."""
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


def category_disjoint(cells: pd.DataFrame, *, unions: Mapping[str, Sequence[str]]) -> Relations:
    """Relate a category to parts that share no incident: their sum never exceeds it.

    Candidates for `relations_that_hold`: all parts of a category together, and every two of them, since two may share
    nothing where all of them do not.
    """
    families = [(p, tuple(c)) for p, c in unions.items() if len(c) > 1]
    families += [(p, pair) for p, parts in families if len(parts) > 2 for pair in combinations(parts, 2)]
    found = [
        category_unions(cells[cells["category"].isin([parent, *parts])].reset_index(drop=True), unions={parent: parts})
        for parent, parts in families
    ]
    at = [np.flatnonzero(cells["category"].isin([parent, *parts])).astype(np.int64) for parent, parts in families]
    moved = [rows.remap(place, cells=len(cells)) for rows, place in zip(found, at, strict=True)]
    if not moved:
        return generic_rows(cells, [])
    every = stack(*moved)
    n = len(every)
    kind = np.full(n, "category_disjoint", dtype=object)
    return Relations(every.matrix, np.zeros(n), np.full(n, np.inf), kind, every.anchor)


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


# The cell table of a release: every count that is published or implied, and the relations between them.


COUNTS = ("incidents", "incidents_unplaced", "positive_outcomes", "known_outcomes")
COARSE = ("region", "borough")


@dataclass(frozen=True, slots=True)
class Layout:
    """What an attacker knows about the layout of a source: how areas, windows, categories and measures nest.

    Attributes
    ----------
    parents
        Area code to the code of the area it lies in, for every area that is covered, inside a release's scope or not.
    pairs
        Category and the category it is part of, for every two that may both be shown.
    cohort
        Whether positive outcomes belong to the incidents they stand beside, so that they never exceed them.
    unions
        Category to all of its parts, which may cover it, or share no incident (see `category_children`).
    levels
        Area code to its level: wards and groups of wards both make up their borough, each by themselves. Without it
        all areas inside one area make it up together.
    """

    parents: Mapping[str, str]
    pairs: tuple[tuple[str, str], ...]
    cohort: bool
    unions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)

    @property
    def parents_by_level(self) -> list[dict[str, str]]:
        """Return `parents` apart for each level of the smaller areas."""
        level = {area: str(self.levels.get(area, "")) for area in self.parents}
        return [{a: p for a, p in self.parents.items() if level[a] == name} for name in sorted(set(level.values()))]

    def relate(self, cells: pd.DataFrame) -> Relations:
        """Write down every sum and subset that a table of cells implies (columns KEY and level)."""
        table = cells.reset_index(drop=True)
        unplaced = {"incidents": "incidents_unplaced"}
        rows = [area_sums(table, parents=inside, unplaced=unplaced) for inside in self.parents_by_level]
        for level in sorted(set(table["level"])):
            at = np.flatnonzero(table["level"] == level).astype(np.int64)
            if at.size:
                part = table.iloc[at].reset_index(drop=True)
                rows.append(period_sums(part, parts=_parts(part["period"].unique())).remap(at, cells=len(table)))
        rows.append(category_subsets(table, pairs=self.pairs))
        rows.append(measure_subsets(table, pairs=[("incidents_unplaced", "incidents")]))
        if self.cohort:
            chain = [("positive_outcomes", "known_outcomes"), ("known_outcomes", "incidents")]
            rows.append(measure_subsets(table, pairs=chain))
        return stack(*rows)

    def candidates(self, cells: pd.DataFrame) -> Relations:
        """Write down what nobody declares but a reader may find to hold: `relations_that_hold` tells where."""
        table = cells.reset_index(drop=True)
        # What is without a place is too small a part for anybody to look for patterns in it.
        at = np.flatnonzero(table["measure"] != "incidents_unplaced").astype(np.int64)
        placed = table.iloc[at].reset_index(drop=True)
        found = stack(
            *(area_equations(placed, parents=inside) for inside in self.parents_by_level),
            category_unions(placed, unions=self.unions),
            category_disjoint(placed, unions=self.unions),
        )
        return found.remap(at, cells=len(table))


@dataclass(frozen=True, slots=True)
class CellTable:
    """What a release is made of, for suppression and audit.

    Attributes
    ----------
    cells
        KEY columns, level, value, latent, block (the borough that a cell is a detail of; none for region and boroughs);
        `row` is the position in the counts.
    relations
        Those that a reader relies on (`relations_that_hold`) and the data satisfies.
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
    # Wards are a detail of their borough, and so is what has no place in any of them.
    borough = cells["area_code"].map(layout.parents).where(~cells["level"].isin(COARSE))
    unplaced = (cells["measure"] == "incidents_unplaced") & (cells["level"] == "borough")
    cells["block"] = borough.mask(unplaced, cells["area_code"]).fillna("")
    every, values = stack(layout.relate(cells), layout.candidates(cells)), cells["value"].to_numpy(dtype=np.int64)
    granted = relations_that_hold(cells, every)
    kept, _ = drop_violated(granted, values=values)
    report = drop_violated(every, values=values)[1]
    return CellTable(cells, kept, granted.select(granted.violated(values)), report)


def counted(measures: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of counts that a profile with these measures shows."""
    whole = "incidents" in measures
    outcomes = "positive_outcomes" in measures
    shown = {"incidents": whole, "incidents_unplaced": whole, "positive_outcomes": outcomes, "known_outcomes": outcomes}
    return tuple(c for c in COUNTS if shown[c])


def category_pairs(every: Sequence[CategoryInfo], shown: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Pair each shown category with the nearest shown one that it is part of; `all` holds every other.

    But for those outside the total: such a category may exceed it, so that nothing is known of the one from the other.
    """
    parents = {c.id: c.parent for c in every}
    outside = {c.id for c in every if c.outside}
    present = set(shown)
    pairs = []
    for category in (c.id for c in every if c.id in present and c.id != "all"):
        above = parents[category]
        while above is not None and above not in present:
            above = parents.get(above)
        if above or category not in outside:
            pairs.append((category, above or "all"))
    return tuple(pairs)


def category_children(every: Sequence[CategoryInfo]) -> dict[str, tuple[str, ...]]:
    """Return each category with all of its parts; those of `all` are the ones that are part of nothing else."""
    parents = {c.id: c.parent or "all" for c in every if c.id != "all" and (c.parent or not c.outside)}
    return {p: tuple(c for c, q in parents.items() if q == p) for p in dict.fromkeys(parents.values())}


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
