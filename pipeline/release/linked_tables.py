"""Linked tables: the cells of a release and the relations between them (sums over areas and periods, subsets, parts).

A cell table has one row per (area_code, period, category, measure); a relation is a row of a sparse matrix over the
positions of that table: ``lower <= matrix @ values <= upper``. Sums are equalities, subsets are inequalities. Builders
look only at the keys, never at the values, so the same builder serves the release, the audit and an attacker.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import combinations, pairwise
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
    "HOTSPOT_LEVEL",
    "KEY",
    "CellTable",
    "HotspotFacts",
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
    "hotspot_cells",
    "hotspot_relations",
    "long_cells",
    "measure_subsets",
    "period_sums",
    "relations_that_hold",
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


# What a released hotspot discloses about its wards: by its band, its rank, its name, and the hexagons it covers.


HOTSPOT_LEVEL = "hotspot"


REST = "rest of "


@dataclass(frozen=True, slots=True)
class HotspotFacts:
    """One released hotspot as a reader sees it.

    Attributes
    ----------
    code
        Stands for the outline: two releases that draw the same outline have the same code.
    period
        The window it belongs to.
    rank
        1 holds the most incidents of its release.
    wards
        Codes of the wards it touches.
    named
        The ward it is named after, which holds the largest part of it; empty where the name does not settle it.
    low, high
        Fewest and most incidents by its band; None where the band has no end.
    inside
        Ward code to the hexagons of the outline that lie wholly in that ward. Each holds at least one incident.
    """

    code: str
    period: str
    rank: int
    wards: tuple[str, ...]
    named: str
    low: int
    high: int | None
    inside: tuple[tuple[str, int], ...]

    @property
    def text(self) -> str:
        """The facts as the digests in ledgers have them; ledgers written before must still be recognised."""
        named = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self))
        return f"Spot({named})"


def hotspot_cells(hotspot_facts: Sequence[HotspotFacts], *, held: Sequence[int], counts: pd.DataFrame) -> pd.DataFrame:
    """Return latent cells for hotspots and for what their wards hold beside them.

    Parameters
    ----------
    hotspot_facts
        Hotspots of the release.
    held
        True incidents of each.
    counts
        Published cells with true values: KEY, value.

    Returns
    -------
    cells
        KEY, level, value, known_low, known_high (null: no bound).
    """
    true = counts[(counts["category"] == "all") & (counts["measure"] == "incidents")]
    value = dict(zip(zip(true["area_code"], true["period"], strict=True), true["value"], strict=True))
    number = dict(zip((s.code for s in hotspot_facts), held, strict=True))
    rows = [(s.code, s.period, number[s.code], float(s.low), s.high) for s in hotspot_facts]
    for group in _groups(hotspot_facts):
        wards = _wards(group)
        if all((w, group[0].period) in value for w in wards):
            rest = sum(int(value[w, group[0].period]) for w in wards) - sum(number[s.code] for s in group)
            if rest >= 0:
                rows.append((REST + _name(group), group[0].period, rest, 0.0, None))
    frame = pd.DataFrame(rows, columns=["area_code", "period", "value", "known_low", "known_high"])
    frame = frame.drop_duplicates("area_code", ignore_index=True)
    frame["known_high"] = pd.to_numeric(frame["known_high"]).astype("float64")
    return frame.assign(level=HOTSPOT_LEVEL, category="all", measure="incidents")


def hotspot_relations(cells: pd.DataFrame, *, hotspot_facts: Sequence[HotspotFacts]) -> Relations:
    """Return the rows that tie hotspots to wards and to one another, over the positions of `cells`."""
    keys = cells.reset_index(drop=True)
    keys = keys[(keys["category"] == "all") & (keys["measure"] == "incidents")]
    at = {(a, p): i for i, a, p in zip(keys.index, keys["area_code"], keys["period"], strict=True)}
    rows: list[tuple[dict[int, int], float, float]] = []
    present = [s for s in hotspot_facts if (s.code, s.period) in at]
    for group in _groups(present):
        rows += _group_rows(group, at)
    for one, other in pairwise(present):
        if one.period == other.period and one.rank < other.rank:
            rows.append(({at[one.code, one.period]: 1, at[other.code, other.period]: -1}, 0.0, np.inf))
    least: dict[int, int] = {}
    for hotspot in present:
        for ward, hexagons in hotspot.inside:
            if (ward, hotspot.period) in at:
                least[at[ward, hotspot.period]] = least.get(at[ward, hotspot.period], 0) + hexagons
        touched = {w for w, _ in hotspot.inside}
        for ward in hotspot.wards:
            if ward not in touched and (ward, hotspot.period) in at:
                least[at[ward, hotspot.period]] = least.get(at[ward, hotspot.period], 0) + 1
    rows += [({position: 1}, float(n), np.inf) for position, n in sorted(least.items())]
    return generic_rows(cells, rows, kind="hotspot_part")


def _group_rows(
    group: Sequence[HotspotFacts], at: Mapping[tuple[str, str], int]
) -> list[tuple[dict[int, int], float, float]]:
    """Tie hotspots that share wards to these wards: no more than they hold, and their rest where it is a cell."""
    rows: list[tuple[dict[int, int], float, float]] = []
    period = group[0].period
    for hotspot in group:
        around = [(w, period) for w in hotspot.wards]
        if around and all(k in at for k in around):
            rows.append(({at[hotspot.code, period]: 1, **{at[k]: -1 for k in around}}, -np.inf, 0.0))
        if (hotspot.named, period) in at:
            rows.append(({at[hotspot.named, period]: len(hotspot.wards), at[hotspot.code, period]: -1}, 0.0, np.inf))
    wards = [(w, period) for w in _wards(group)]
    if all(k in at for k in wards):
        line = {at[s.code, period]: 1 for s in group} | {at[k]: -1 for k in wards}
        rest = at.get((REST + _name(group), period))
        rows.append((line, -np.inf, 0.0) if rest is None else ({**line, rest: 1}, 0.0, 0.0))
    return rows


def _groups(hotspot_facts: Sequence[HotspotFacts]) -> list[list[HotspotFacts]]:
    """Join hotspots of one window that share wards."""
    groups: list[list[HotspotFacts]] = []
    for hotspot in hotspot_facts:
        touching = [
            g for g in groups if any(o.period == hotspot.period and set(o.wards) & set(hotspot.wards) for o in g)
        ]
        groups = [g for g in groups if g not in touching] + [[*(s for g in touching for s in g), hotspot]]
    return groups


def _wards(group: Sequence[HotspotFacts]) -> list[str]:
    return sorted({w for s in group for w in s.wards})


def _name(group: Sequence[HotspotFacts]) -> str:
    return "+".join(sorted(s.code for s in group))


# The cell table of a release: every count that is published or implied, and the relations between them.


COUNTS = ("incidents", "incidents_unplaced", "positive_outcomes", "known_outcomes")
LEVELS = ("region", "borough", "ward")
JOIN = "+"


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
    hotspot_facts
        Facts of the hotspots of each release, the new one's first.
    unions
        Category to all of its parts, which may cover it, or share no incident (see `category_children`).
    """

    parents: Mapping[str, str]
    pairs: tuple[tuple[str, str], ...]
    cohort: bool
    hotspot_facts: tuple[tuple[HotspotFacts, ...], ...] = ()
    unions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def relate(self, cells: pd.DataFrame) -> Relations:
        """Write down every sum and subset that a table of cells implies (columns KEY and level)."""
        table = cells.reset_index(drop=True)
        rows = [area_sums(table, parents=self.parents, unplaced={"incidents": "incidents_unplaced"})]
        for level in LEVELS:
            at = np.flatnonzero(table["level"] == level).astype(np.int64)
            if at.size:
                part = table.iloc[at].reset_index(drop=True)
                rows.append(period_sums(part, parts=_parts(part["period"].unique())).remap(at, cells=len(table)))
        rows.append(category_subsets(table, pairs=self.pairs))
        rows.append(measure_subsets(table, pairs=[("incidents_unplaced", "incidents")]))
        if self.cohort:
            chain = [("positive_outcomes", "known_outcomes"), ("known_outcomes", "incidents")]
            rows.append(measure_subsets(table, pairs=chain))
        rows += [hotspot_relations(table, hotspot_facts=facts) for facts in self.hotspot_facts]
        return stack(*rows)

    def candidates(self, cells: pd.DataFrame) -> Relations:
        """Write down what nobody declares but a reader may find to hold: `relations_that_hold` tells where."""
        table = cells.reset_index(drop=True)
        return stack(
            area_equations(table, parents=self.parents),
            category_unions(table, unions=self.unions),
            category_disjoint(table, unions=self.unions),
        )


@dataclass(frozen=True, slots=True)
class CellTable:
    """What a release is made of, for suppression and audit.

    Attributes
    ----------
    cells
        KEY columns, level, value, latent, known_low, known_high; `row` is the position in the counts, -1 for latent
        cells.
    relations
        Those that hold in the data.
    broken
        Those that do not.
    dropped
        A report of both.
    """

    cells: pd.DataFrame
    relations: Relations
    broken: Relations
    dropped: pd.DataFrame


def cell_table(
    counts: pd.DataFrame,
    *,
    months: pd.DataFrame,
    layout: Layout,
    measures: Sequence[str],
    latent: pd.DataFrame | None = None,
    earlier: Mapping[str, Iterable[str]] | None = None,
) -> CellTable:
    """Lay out the cells of a release and relate them.

    Parameters
    ----------
    counts
        True counts per area, period and category: the columns of COUNTS, null where there is nothing to publish.
    months
        The same per month, for pieces of windows that overlap; columns area_code, level, month, category and COUNTS.
    layout
        How the cells nest.
    measures
        Measures shown.
    latent
        Latent cells of the hotspots (see `hotspot_cells`).
    earlier
        Level to the windows of earlier releases: where they overlap with the new ones, the pieces become cells too.
    """
    published = long_cells(counts, measures)
    atoms = _atoms(published, months, measures, earlier or {})
    frames = [published.assign(latent=False), atoms.assign(latent=True, row=-1)]
    if latent is not None and len(latent):
        frames.append(latent.assign(latent=True, row=-1))
    cells = pd.concat(frames, ignore_index=True)
    for column in ("known_low", "known_high"):
        cells[column] = pd.to_numeric(cells[column]).astype("float64") if column in cells else np.nan
    every, values = layout.relate(cells), cells["value"].to_numpy(dtype=np.int64)
    kept, report = drop_violated(every, values=values)
    return CellTable(cells, kept, every.select(every.violated(values)), report)


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


def _months_of(period: str) -> tuple[int, ...]:
    """Return the months of a window, or of a piece of one."""
    if JOIN in period or period.isdigit():
        return tuple(int(month) for month in period.split(JOIN))
    span = Period.parse(period)
    return month_range(span.first_month, span.last_month)


def _atom_name(months: tuple[int, ...]) -> str:
    """Name a piece of a window that is no window itself."""
    return JOIN.join(str(month) for month in months)


def _parts(periods: Iterable[str]) -> dict[str, list[str]]:
    """Return the cells that make up each window: windows that lie inside it, or pieces that subtraction can reach."""
    months = {p: _months_of(p) for p in sorted(periods)}
    names = {m: p for p, m in sorted(months.items(), reverse=True)}
    atoms = window_atoms({p: list(m) for p, m in months.items()})
    return {p: [names.get(atom, _atom_name(atom)) for atom in found] for p, found in atoms.items() if len(found) > 1}


def _atoms(
    published: pd.DataFrame, months: pd.DataFrame, measures: Sequence[str], earlier: Mapping[str, Iterable[str]]
) -> pd.DataFrame:
    """Cells for the pieces that subtracting overlapping windows can reach, per level, where they are not published."""
    frames = []
    for level, group in published.groupby("level", sort=True):
        own = {_months_of(p) for p in group["period"].unique()}
        windows = own | {_months_of(p) for p in earlier.get(str(level), ())}
        pieces = {
            atom
            for atoms in window_atoms({w: list(w) for w in sorted(windows)}).values()
            if len(atoms) > 1
            for atom in atoms
            if atom not in windows
        }
        here = months[months["level"] == level]
        frames += [_piece(here, atom, published=group, measures=measures) for atom in sorted(pieces)]
    empty = published.iloc[:0].drop(columns="row")
    return pd.concat([empty, *frames], ignore_index=True)


def _piece(
    months: pd.DataFrame, atom: tuple[int, ...], *, published: pd.DataFrame, measures: Sequence[str]
) -> pd.DataFrame:
    """Return the true counts of one piece, for every area, category and measure published at the level."""
    keys = published[["area_code", "level", "category", "measure"]].drop_duplicates()
    inside = months[months["month"].isin(atom)]
    shown = [c for c in counted(measures) if c in months.columns]
    sums = inside.groupby(["area_code", "category"], sort=True)[shown].sum().reset_index()
    long = sums.melt(["area_code", "category"], var_name="measure", value_name="value")
    out = keys.merge(long, on=["area_code", "category", "measure"], how="left")
    out["value"] = out["value"].fillna(0).astype("int64")
    out["period"] = _atom_name(atom)
    return out
