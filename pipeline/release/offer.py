"""What a release in steps offers: the counts of which every value of the step remains possible, and no others.

`steps` says why inequalities never narrow a step. Here is what does: equations (an area whose parts leave nothing out)
and complete unions (a category whose parts cover it). In three moves, bounded and without a search:

1. **Never offered**, whatever the counts are: the last part of a small complete union below borough level; the smaller
   areas of an equation of two or three, and of a region of two or three boroughs its total.
2. **The row rule**: an equation or union without room for all values (`steps.has_room`) is not offered, total and
   parts, with everything below it. Keeping either would not do: that a row has no room tells, by itself, that its total
   is not at its ceiling and that its parts are near theirs.
3. **The audit**: rows linked to one another can still narrow a count. Linear programmes over the rows of one borough
   and window find the least and the greatest value of each count; what is left with fewer values than its step loses
   its detail, then its number.

A count is offered to all audiences or to none: that a row has no room in steps of 10 says something about its counts in
steps of 5.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, vstack
from scipy.sparse.csgraph import connected_components

from pipeline.domain.periods import Period
from pipeline.release.steps import RANGED, has_room, step_floor
from pipeline.tables import Level, Measure

__all__ = ["Layout", "Offer", "Rows", "choose_offer", "values_left"]

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

DETAIL = (Level.WARD, Level.WARD_GROUP)
KEY = ["area_code", "period", "category", "measure"]
BROKEN_SHARE = 0.05
"""A kind of relation that fewer rows break is granted to the reader: somebody who assumes it is right nearly always."""
SMALL_UNION = 7
"""A complete union of fewer parts has its last one not offered below borough level. From seven parts on a row without
room is so rare (all parts near the ceilings of their steps) that the row rule costs less than a part would."""
FEW_PARTS = 3
"""A row of two or three parts is without room too often, and tells too much where it is: parts of it go before any
count is looked at."""
AUDIT_ROUNDS = 8
"""Rounds of the audit; each takes detail away from whatever it finds, so that later ones find less."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the counts of a source nest, as every reader knows.

    Attributes
    ----------
    parents, levels
        Area code to the code of the area it lies in, and to its level, for every covered area.
    categories
        Categories in the order of the configuration, `all` first.
    part_of
        Category and the category it is part of.
    series
        Level to the windows whose counts are put in steps.
    cohort
        Whether positive outcomes belong to the incidents they stand beside.
    group_of
        Ward code to the code of its group of wards; empty where there are none.
    detail
        Category to the smallest level it is offered at; wards where it is not named.
    """

    parents: Mapping[str, str]
    levels: Mapping[str, str]
    categories: tuple[str, ...]
    part_of: tuple[tuple[str, str], ...]
    series: Mapping[str, Sequence[Period]]
    cohort: bool
    group_of: Mapping[str, str] = field(default_factory=dict)
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Relations over the positions of a table of cells: ``low <= matrix @ values <= high``.

    Attributes
    ----------
    matrix
        1 for a total, -1 for a part, shape (rows, cells).
    low, high
        Bounds, shape (rows,): 0 and 0 for an equation, 0 and infinity where the parts are at most the total, minus
        infinity and 0 for a union, whose parts are at least the total.
    """

    matrix: csr_array
    low: FloatArray
    high: FloatArray

    def __len__(self) -> int:
        return int(self.low.size)

    def take(self, rows: npt.NDArray[np.intp] | BoolArray) -> "Rows":
        """Keep some rows, by mask or position."""
        return Rows(csr_array(self.matrix[rows]), self.low[rows], self.high[rows])

    @property
    def narrowing(self) -> BoolArray:
        """Which rows are equations or unions: those that bound a total from above."""
        return np.asarray(self.high < np.inf, dtype=np.bool_)

    def complete(self, offered: BoolArray) -> BoolArray:
        """Say which rows have all their counts offered: a part that is not could be anything."""
        return np.asarray(abs(self.matrix) @ (~offered).astype(np.int64) == 0, dtype=np.bool_)

    def room(self, values: IntArray, step: int) -> BoolArray:
        """Say which rows leave every value of their steps possible; see `has_room`."""
        totals, parts = (csr_array(self.matrix > 0), csr_array(self.matrix < 0))
        lower = step_floor(values, step)
        count = [np.asarray(side.sum(axis=1), dtype=np.int64).ravel() for side in (totals, parts)]
        enough = has_room(totals @ lower, parts @ lower, count[1], step=step)
        # A total that is the sum of several windows can be less than its parts' floors: the same rule the other way.
        enough &= ~np.isfinite(self.low) | has_room(parts @ lower, totals @ lower, count[0], step=step)
        return np.asarray(enough | ~self.narrowing, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Absences:
    """What the absence of rows without room tells: by step, which rows of the table had none."""

    tight: Mapping[int, BoolArray]

    def rows(self, rows: Rows, *, block: IntArray) -> tuple[csr_array, FloatArray, FloatArray]:
        """Write down each as rows of the programmes, over the cells and further columns for the rests of their steps.

        Each count is the floor of its step and a rest; the floor of the total is above those of the parts by more than
        a row with room would have it.

        Returns
        -------
        matrix, low, upper
            Rows `low <= matrix @ columns`, shapes (rows, cells + rests) and (rows,), and the greatest value of each
            rest, shape (rests,).
        """
        cells = rows.matrix.shape[1]
        entries: list[tuple[int, int, int]] = []
        low: list[float] = []
        upper: list[float] = []
        for step, mask in self.tight.items():
            column: dict[int, int] = {}
            for row in np.flatnonzero(mask):
                span = slice(rows.matrix.indptr[row], rows.matrix.indptr[row + 1])
                at, sign = rows.matrix.indices[span], rows.matrix.data[span]
                # Sums over several windows or boroughs are left to the row rule.
                if (sign > 0).sum() != 1 or np.unique(block[at]).size > 1:
                    continue
                for cell in (int(c) for c in at if int(c) not in column):
                    column[cell] = cells + len(upper)
                    upper.append(step - 1.0)
                    entries += [(len(low), cell, 1), (len(low), column[cell], -1)]
                    low.append(0.0)
                entries += [(len(low), int(c), int(v)) for c, v in zip(at, sign, strict=True)]
                entries += [(len(low), column[int(c)], -int(v)) for c, v in zip(at, sign, strict=True)]
                low.append(float(((at.size - 2) * (step - 1) // step + 1) * step))
        r, c, v = zip(*entries, strict=True) if entries else ((), (), ())
        matrix = csr_array(coo_array((np.array(v, dtype=np.int64), (r, c)), shape=(len(low), cells + len(upper))))
        return matrix, np.array(low), np.array(upper)


@dataclass(frozen=True, slots=True)
class Offer:
    """Which counts are offered, and what that took.

    Attributes
    ----------
    cells
        area_code, level, period, category, measure, value and `row`, the position in the counts.
    offered
        Whether each cell is offered to released audiences, shape (cells,).
    log
        For the data owner: how many counts each move took away.
    """

    cells: pd.DataFrame
    offered: BoolArray
    log: dict[str, int]


def choose_offer(counts: pd.DataFrame, *, layout: Layout, steps: Sequence[int]) -> Offer:
    """Choose which counts are offered in steps.

    Parameters
    ----------
    counts
        True counts: area_code, level, period, category and the measures of `RANGED`, null where there is nothing.
    layout
        How they nest.
    steps
        Steps of all released audiences.
    """
    cells = _cells(counts, layout)
    values = cells["value"].to_numpy(np.int64)
    orders = _stack([_category_rows(cells, layout.part_of), _measure_rows(cells, cohort=layout.cohort)], len(cells))
    areas, pairs, granted = _area_rows(cells, layout)
    whole, apart = _union_rows(cells, layout)
    unions = _stack([whole, _mixed_union_rows(cells, layout)], len(cells))
    covers = _cover_rows(cells, layout)
    rows = _stack([areas, unions, covers, apart, orders], len(cells))
    # Counts of levels that a category is not given at are never offered: they take nothing with them, and are in the
    # programmes all the same.
    open_ = cells["open"].to_numpy(dtype=bool)
    below = csr_array(_below(len(cells), pairs, orders) * open_[None, :])
    never, silent = _never_offered(cells, layout, areas=areas.take(granted), unions=unions.take(unions.complete(open_)))
    offered = _closed(~never, below) & open_
    left = [int((offered & ~silent).sum())]
    offered, silent, absences = _with_room(
        cells, rows, values, offered=offered, silent=silent, below=below, steps=steps
    )
    left.append(int((offered & ~silent).sum()))
    for step in steps:
        offered = _audited(
            cells, rows, values, offered, below=below, step=step, layout=layout, silent=silent, absences=absences
        )
    left.append(int((offered & ~silent).sum()))
    taken = -np.diff([int(open_.sum()), *left])
    log = dict(zip(("never offered", "without room", "by the audit"), taken.tolist(), strict=True))
    return Offer(cells[open_].drop(columns="open").reset_index(drop=True), (offered & ~silent)[open_], log)


# The cells and their relations.


def _cells(counts: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """List every count of the series; `open` says whether its level is that of its category's detail, or above."""
    series = {(level, p.id) for level, windows in layout.series.items() for p in windows}
    inside = pd.MultiIndex.from_frame(counts[["level", "period"]]).isin(list(series))
    finest = counts["category"].map(lambda c: layout.detail.get(c, Level.WARD.value))
    open_ = ~counts["level"].isin(DETAIL) | (counts["level"] == finest)
    frames = []
    for measure in (m for m in RANGED if m in counts):
        known = counts[measure].notna().to_numpy() & inside
        part = counts.loc[known, ["area_code", "level", "period", "category"]].copy()
        part["measure"], part["value"] = measure, counts.loc[known, measure].astype("int64").to_numpy()
        part["row"], part["open"] = np.flatnonzero(known), open_[known].to_numpy(dtype=bool)
        frames.append(part)
    return pd.concat(frames, ignore_index=True)


def _stack(rows: Iterable[Rows], cells: int) -> Rows:
    given = [r for r in rows if len(r)]
    if not given:
        return Rows(csr_array((0, cells), dtype=np.int64), np.empty(0), np.empty(0))
    matrix = csr_array(vstack([r.matrix for r in given], format="csr"))
    return Rows(matrix, np.concatenate([r.low for r in given]), np.concatenate([r.high for r in given]))


def _rows(
    cells: int, totals: Sequence[pd.DataFrame], parts: Sequence[pd.DataFrame], *, low: FloatArray, high: FloatArray
) -> Rows:
    """Build rows from frames of `row` and `at`, the positions of their totals and of their parts."""
    sides = [(pd.concat(totals), 1), (pd.concat(parts), -1)]
    row = np.concatenate([side["row"].to_numpy(np.int64) for side, _ in sides])
    at = np.concatenate([side["at"].to_numpy(np.int64) for side, _ in sides])
    sign = np.concatenate([np.full(len(side), s, dtype=np.int64) for side, s in sides])
    return Rows(csr_array(coo_array((sign, (row, at)), shape=(low.size, cells))), low, high)


def _none(cells: int) -> Rows:
    return _stack([], cells)


def _pairs(cells: pd.DataFrame, column: str, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Pair each cell with the one that differs from it in one column alone: positions `part` and `total`."""
    table = pd.DataFrame(list(pairs), columns=[column, "above"]).astype("str")
    place = cells[KEY].assign(at=np.arange(len(cells)))
    part = place.merge(table, on=column).drop(columns=column).rename(columns={"above": column, "at": "part"})
    return part.merge(place.rename(columns={"at": "total"}), on=KEY)[["part", "total"]]


def _category_rows(cells: pd.DataFrame, part_of: Sequence[tuple[str, str]]) -> Rows:
    """Relate each category to the one it is part of, and never exceeds."""
    return _orders(len(cells), _pairs(cells, "category", part_of))


def _measure_rows(cells: pd.DataFrame, *, cohort: bool) -> Rows:
    """Relate positive outcomes of a cohort to known ones, and known ones to incidents."""
    chain = [(Measure.POSITIVE_OUTCOMES, Measure.KNOWN_OUTCOMES), (Measure.KNOWN_OUTCOMES, Measure.INCIDENTS)]
    return _orders(len(cells), _pairs(cells, "measure", chain)) if cohort else _none(len(cells))


def _orders(cells: int, pairs: pd.DataFrame) -> Rows:
    row = np.arange(len(pairs))
    sides = [pd.DataFrame({"row": row, "at": pairs[side].to_numpy()}) for side in ("total", "part")]
    return _rows(cells, sides[:1], sides[1:], low=np.zeros(len(pairs)), high=np.full(len(pairs), np.inf))


def _area_rows(cells: pd.DataFrame, layout: Layout) -> tuple[Rows, pd.DataFrame, BoolArray]:
    """Relate each area to the areas inside it, window by window of the smaller ones.

    Where the larger area has shorter windows, its total is the sum of those inside the window. The row is an equation
    where a reader may take it for one: nothing is left over in nearly all rows of its level, category and measure, and
    no part is missing. Otherwise the parts are at most the total.

    Returns
    -------
    rows, pairs, granted
        The relations, the positions `part` and `total` that they pair, and which rows are of a kind that a reader takes
        for equations.
    """
    place = cells[[*KEY, "level"]].assign(at=np.arange(len(cells)))
    child = place[place["area_code"].isin(list(layout.parents))].copy()
    child["parent"] = child["area_code"].map(layout.parents)
    child["parent_level"] = child["parent"].map(layout.levels)

    # Windows of the larger area that make up each window of the smaller ones.
    made = [
        (period, level, part.id)
        for period, level in child[["period", "parent_level"]].drop_duplicates().itertuples(index=False, name=None)
        for part in Period.parse(period).made_of(layout.series[level])
    ]
    of = pd.DataFrame(made, columns=["period", "parent_level", "part"]).astype("str")
    name = ["parent", "period", "category", "measure", "level"]
    larger = place.drop(columns="level").rename(columns={"area_code": "parent", "period": "part"})
    totals = child[[*name, "parent_level"]].drop_duplicates().merge(of, on=["period", "parent_level"])
    wanted = totals.groupby(name)["part"].transform("size")
    totals = totals.assign(wanted=wanted).merge(larger, on=["parent", "part", "category", "measure"])
    totals = totals[totals.groupby(name)["part"].transform("size") == totals["wanted"]]
    heads = totals[name].drop_duplicates().reset_index(drop=True)
    heads["row"] = np.arange(len(heads))
    totals, parts = totals.merge(heads, on=name), child.merge(heads, on=name)
    pairs = parts[["row", "at"]].rename(columns={"at": "part"}).merge(totals[["row", "at"]], on="row")
    rows = _rows(len(cells), [totals], [parts], low=np.zeros(len(heads)), high=np.full(len(heads), np.inf))

    # Which of them a reader takes for equations.
    inside = pd.Series([(p, layout.levels[a]) for a, p in layout.parents.items()], dtype=object).value_counts()
    here = parts.groupby("row").size().reindex(heads["row"], fill_value=0).to_numpy()
    whole = here == inside.reindex(list(zip(heads["parent"], heads["level"], strict=True))).to_numpy()
    left = np.asarray(rows.matrix @ cells["value"].to_numpy(np.int64))
    kind = [heads["level"], heads["category"], heads["measure"]]
    broken = pd.Series(left != 0).groupby(kind).transform("mean").to_numpy() >= BROKEN_SHARE
    granted = whole & ~broken
    pairs = pairs.rename(columns={"at": "total"})[["part", "total"]]
    # A reader who takes a row for an equation that is none learns nothing right from it.
    return Rows(rows.matrix, rows.low, np.where(granted & (left == 0), 0.0, np.inf)), pairs, granted


def _unions(layout: Layout) -> list[tuple[str, list[str]]]:
    """Return each category that has parts, and its parts in the order of the configuration."""
    order = {c: n for n, c in enumerate(layout.categories)}
    wholes = dict.fromkeys(w for _, w in layout.part_of)
    return [(w, sorted((p for p, of in layout.part_of if of == w), key=order.__getitem__)) for w in wholes]


def _kept(cells: int, totals: pd.DataFrame, parts: pd.DataFrame, kept: BoolArray, *, low: float, high: float) -> Rows:
    """Build the rows that are kept, numbered anew, with the same bounds for all."""
    number, sides = np.cumsum(kept) - 1, []
    for side in (totals, parts):
        mine = side[kept[side["row"].to_numpy(np.int64)]]
        sides.append(mine.assign(row=number[mine["row"].to_numpy(np.int64)]))
    n = int(kept.sum())
    return _rows(cells, sides[:1], sides[1:], low=np.full(n, low), high=np.full(n, high))


def _few(broken: npt.ArrayLike, among: npt.ArrayLike, kind: Sequence["pd.Series[str]"]) -> BoolArray:
    """Say for each row whether its kind is broken in so few rows that a reader relies on it."""
    count = [pd.Series(np.asarray(mask)).groupby(list(kind)).transform("sum") for mask in (broken, among)]
    return np.asarray(count[0] < BROKEN_SHARE * count[1], dtype=np.bool_)


def _union_rows(cells: pd.DataFrame, layout: Layout) -> tuple[Rows, Rows]:
    """Relate each category to its parts, where in nearly all rows of a level and measure they cover it or are apart.

    Returns
    -------
    unions, apart
        Parts that cover the whole add up to it at least; parts that exclude each other add up to it at most.
    """
    place = cells[[*KEY, "level", "value"]].assign(at=np.arange(len(cells)))
    name = ["area_code", "period", "measure", "level"]
    unions, apart = [], []
    for whole, parts in _unions(layout):
        heads = place[place["category"] == whole].reset_index(drop=True)
        heads["row"] = np.arange(len(heads))
        inside = place[place["category"].isin(parts)].merge(heads[[*name, "row"]], on=name)
        sums = inside.groupby("row")["value"].agg(["sum", "size"]).reindex(range(len(heads)), fill_value=0)
        over = (heads["value"] - sums["sum"]).to_numpy(np.int64)
        kind = [heads["level"], heads["measure"]]
        # A row in which a part has no cell is no union; of a single part there is nothing to be apart from.
        full, several = (sums["size"] == len(parts)).to_numpy(), (sums["size"] > 1).to_numpy()
        covered = full & (over <= 0) & _few(full & (over > 0), full, kind)
        unions.append(_kept(len(cells), heads, inside, covered, low=-np.inf, high=0.0))
        alone = several & (over >= 0) & _few(several & (over < 0), several, kind)
        apart.append(_kept(len(cells), heads, inside, alone, low=0.0, high=np.inf))
    return _stack(unions, len(cells)), _stack(apart, len(cells))


def _mixed_union_rows(cells: pd.DataFrame, layout: Layout) -> Rows:
    """Relate, group by group, a category to the parts that cover it where some are given by ward and some by group."""
    found = []
    ward = cells["level"] == Level.WARD
    place = cells[[*KEY, "value"]].assign(at=np.arange(len(cells)))
    place["group"] = cells["area_code"].map(layout.group_of).where(ward, cells["area_code"])
    place = place[cells["level"].isin(DETAIL).to_numpy()]
    size = pd.Series(layout.group_of).value_counts()
    for whole, parts in _unions(layout):
        levels = {layout.detail.get(c, Level.WARD) for c in (whole, *parts)}
        if levels != set(DETAIL):
            continue
        name = ["group", "period", "measure"]
        mine = place[place["category"].isin([whole, *parts])]
        if mine.empty:  # all windows are out already
            continue
        heads = mine[name].drop_duplicates().reset_index(drop=True)
        heads["row"] = np.arange(len(heads))
        mine = mine.merge(heads, on=name)
        by_ward = sum(layout.detail.get(c, Level.WARD) == Level.WARD for c in (whole, *parts))
        wanted = heads["group"].map(size) * by_ward + (len(parts) + 1 - by_ward)
        full = (mine.groupby("row").size().reindex(heads["row"]).to_numpy() == wanted).to_numpy()
        signed = mine["value"].where(mine["category"] == whole, -mine["value"])
        over = signed.groupby(mine["row"]).sum().reindex(heads["row"]).to_numpy() > 0
        kept = full & ~over & _few(over & full, full, [heads["measure"]])
        total = mine["category"] == whole
        found.append(_kept(len(cells), mine[total], mine[~total], kept, low=-np.inf, high=0.0))
    return _stack(found, len(cells))


def _cover_rows(cells: pd.DataFrame, layout: Layout) -> Rows:
    """Relate a group's count of a category to what its wards hold of the category above: at most their sum.

    Where one category is given by groups and the one it is part of by wards, the larger count is a sum of several
    steps, so that floors alone do not keep the order: the row needs room like a union.
    """
    if not layout.group_of:
        return _none(len(cells))
    place = cells[[*KEY, "level"]].assign(at=np.arange(len(cells)))
    group = place[place["level"] == Level.WARD_GROUP].rename(columns={"area_code": "group"})
    ward = place[place["level"] == Level.WARD].copy()
    ward["group"] = ward["area_code"].map(layout.group_of)
    found = []
    for part, whole in layout.part_of:
        name = ["group", "period", "measure"]
        head = group[group["category"] == part].reset_index(drop=True)
        head["row"] = np.arange(len(head))
        inside = ward[ward["category"] == whole].merge(head[[*name, "row"]], on=name)
        size = inside.groupby("row").size().reindex(head["row"], fill_value=0).to_numpy()
        wanted = head["group"].map(pd.Series(layout.group_of).value_counts()).to_numpy()
        found.append(_kept(len(cells), head, inside, size == wanted, low=-np.inf, high=0.0))
    return _stack(found, len(cells))


# The three moves.


def _below(cells: int, pairs: pd.DataFrame, orders: Rows) -> csr_array:
    """Return which cells go with each: a smaller area, a part of the category, an outcome of the incidents."""
    small = coo_array(orders.matrix)
    row, at = (c.astype(np.int64) for c in small.coords)
    total, part = np.empty(len(orders), dtype=np.int64), np.empty(len(orders), dtype=np.int64)
    total[row[small.data > 0]], part[row[small.data < 0]] = at[small.data > 0], at[small.data < 0]
    start = np.concatenate([pairs["total"].to_numpy(np.int64), total])
    end = np.concatenate([pairs["part"].to_numpy(np.int64), part])
    return csr_array(coo_array((np.ones(start.size, dtype=np.int64), (end, start)), shape=(cells, cells)))


def _closed(offered: BoolArray, below: csr_array) -> BoolArray:
    """Take away everything below what is not offered."""
    gone = ~offered
    while True:
        more = gone | (below @ gone.astype(np.int64) > 0)
        if (more == gone).all():
            return np.asarray(~gone, dtype=np.bool_)
        gone = more


def _never_offered(cells: pd.DataFrame, layout: Layout, *, areas: Rows, unions: Rows) -> tuple[BoolArray, BoolArray]:
    """Return what is never offered, and totals of regions that are not though their parts are."""
    never, silent = np.zeros(len(cells), dtype=bool), np.zeros(len(cells), dtype=bool)
    levels, categories = cells["level"].to_numpy(), cells["category"].to_numpy()

    # The last part of a small union goes in every area and window of a level and measure where the union holds, not
    # only in those rows where it does: its absence must not tell where.
    total = np.zeros(len(cells), dtype=bool)
    total[csr_array(unions.matrix > 0).indices] = True
    for whole, parts in _unions(layout):
        if not 1 < len(parts) < SMALL_UNION:  # one part that covers the whole is the whole: the two share every step
            continue
        for at, few in ((np.isin(levels, DETAIL), SMALL_UNION), (levels == Level.BOROUGH, FEW_PARTS + 1)):
            held = cells["measure"].isin(cells.loc[total & (categories == whole) & at, "measure"].unique())
            never |= (categories == parts[-1]) & held.to_numpy() & at & (len(parts) < few)

    parts_of = csr_array(areas.matrix < 0)
    totals_of = csr_array(areas.matrix > 0)
    count = np.asarray(parts_of.sum(axis=1)).ravel()
    for row in np.flatnonzero((count > 1) & (count <= FEW_PARTS)):
        parts = parts_of.indices[parts_of.indptr[row] : parts_of.indptr[row + 1]]
        if levels[parts[0]] == Level.BOROUGH:
            # Two or three boroughs are worth more to a reader than the region that is their sum.
            silent[totals_of.indices[totals_of.indptr[row] : totals_of.indptr[row + 1]]] = True
        else:
            never[parts] = True
    return never, silent


def _with_room(
    cells: pd.DataFrame, rows: Rows, values: IntArray, *, offered: BoolArray, silent: BoolArray, below: csr_array,
    steps: Sequence[int],
) -> tuple[BoolArray, BoolArray, Absences]:  # fmt: skip
    """Apply the row rule until nothing changes.

    Return what is offered, what goes without what is below it, and what the absence of both tells a reader.
    """
    outside = (cells["level"] != Level.REGION).to_numpy(dtype=np.int64)
    of_region = np.asarray(abs(rows.matrix) @ outside == 0, dtype=np.bool_)
    absences = {step: np.zeros(len(rows), dtype=bool) for step in steps}
    while True:
        whole = rows.complete(offered & ~silent)
        tight = np.zeros(len(rows), dtype=bool)
        for step in steps:
            without = ~rows.room(values, step) & whole
            absences[step] |= without
            tight |= without
        if not tight.any():
            return offered, silent, Absences(absences)
        # Of a union in the region the region's numbers go alone: its boroughs have unions of their own.
        silent = silent | _members(rows, tight & of_region)
        offered = _closed(offered & ~_members(rows, tight & ~of_region), below)


def _members(rows: Rows, chosen: BoolArray) -> BoolArray:
    """Return the cells that any of some rows holds."""
    return np.asarray(abs(rows.matrix[chosen]).sum(axis=0) > 0, dtype=np.bool_).ravel()


def _audited(
    cells: pd.DataFrame,
    rows: Rows,
    values: IntArray,
    offered: BoolArray,
    *,
    below: csr_array,
    step: int,
    layout: Layout,
    silent: BoolArray,
    absences: Absences,
) -> BoolArray:
    """Attack block after block, and take away what narrows a count, until every count keeps its step."""
    borough = _borough_of(cells, layout)
    for turn in range(AUDIT_ROUNDS + 2):
        narrow = _narrow(rows, values, offered & ~silent, step=step, block=borough, absences=absences)
        if not narrow.size:
            return offered
        offered = _closed(offered & ~_remedy(cells, narrow, borough, last=turn >= AUDIT_ROUNDS), below)
    return offered


def _borough_of(cells: pd.DataFrame, layout: Layout) -> npt.NDArray[np.object_]:
    """Return the borough of each cell, empty for the region: the blocks that are attacked one by one."""
    area, level = cells["area_code"], cells["level"]
    own = area.where(level == Level.BOROUGH, area.map(layout.parents))
    boroughs = [a for a, at in layout.levels.items() if at == Level.BOROUGH]
    # A region of one borough is that borough: what is known of one is known of the other.
    region = boroughs[0] if len(boroughs) == 1 else ""
    return np.asarray(own.where(level != Level.REGION, region).fillna(region), dtype=object)


def _remedy(
    cells: pd.DataFrame, narrow: npt.NDArray[np.intp], borough: npt.NDArray[np.object_], *, last: bool
) -> BoolArray:
    """Return what goes where a count is narrow: the category's detail in that borough, in the end its number there."""
    keys = pd.DataFrame({"borough": borough, "period": cells["period"], "category": cells["category"]})
    detail = cells["level"].isin(DETAIL).to_numpy()
    hit = pd.MultiIndex.from_frame(keys).isin(pd.MultiIndex.from_frame(keys.iloc[narrow]))
    gone = hit & detail
    own = np.zeros(len(cells), dtype=bool)
    own[narrow] = True
    # A borough without detail left, or the last rounds: the number itself.
    bare = ~pd.MultiIndex.from_frame(keys).isin(pd.MultiIndex.from_frame(keys[gone]))
    return np.asarray(gone | (own & (last | bare)), dtype=np.bool_)


def _narrow(
    rows: Rows, values: IntArray, offered: BoolArray, *, step: int, block: npt.NDArray[np.object_], absences: Absences
) -> npt.NDArray[np.intp]:
    """Find the offered counts that do not keep every value of their step, block by block.

    Counts that are not offered are in the programmes too, from 0 on without an end: a union or an equation still says
    that such a count is at least what the others leave, and another row may hold it down.
    """
    # Rows between blocks (a region and its boroughs) are left to the row rule, and what does not hold tells nothing.
    code, matrix = pd.factorize(block)[0], rows.matrix
    ends = [end.reduceat(code[matrix.indices], matrix.indptr[:-1]) for end in (np.minimum, np.maximum)]
    holds = (at := matrix @ values) >= rows.low
    holds &= at <= rows.high
    usable = rows.take((ends[0] == ends[1]) & holds)
    # Unknowns: how far an offered count is above its floor, and the whole of one that is not offered.
    floor = np.where(offered, step_floor(values, step), 0)
    base = usable.matrix @ floor
    marks, low, rests = absences.rows(rows, block=code)
    own = usable.matrix
    wide = csr_array((own.data, own.indices, own.indptr), shape=(len(usable), marks.shape[1]))
    system = csr_array(vstack([wide, marks], format="csr")).astype(np.float64)
    upper = np.concatenate([np.where(offered, step - 1.0, np.inf), rests])
    wanted = np.concatenate([offered, np.zeros(rests.size, dtype=bool)])
    found = values_left(
        system,
        np.concatenate([usable.low - base, low]),
        np.concatenate([usable.high - base, np.full(low.size, np.inf)]),
        step=step,
        upper=upper,
        wanted=wanted,
        telling=np.concatenate([usable.narrowing, np.ones(low.size, dtype=bool)]),
    )
    return np.flatnonzero(wanted & (found < step)).astype(np.intp)


def values_left(
    matrix: csr_array,
    low: FloatArray,
    high: FloatArray,
    *,
    step: int,
    upper: FloatArray | None = None,
    wanted: BoolArray | None = None,
    telling: BoolArray | None = None,
) -> IntArray:
    """Count the values that each rest can have: the audit's linear programmes.

    Parameters
    ----------
    matrix, low, high
        Relations ``low <= matrix @ rest <= high`` over rests from 0, shape (rows, n).
    step
        Width of the steps.
    upper
        Greatest value of each rest, shape (n,); step - 1 if not given. Counts that are not offered have no end.
    wanted
        Which rests to count, shape (n,); all if not given.
    telling
        Rows that may narrow something, shape (rows,); all if not given. What is tied to none of them keeps its step.

    Returns
    -------
    left
        floor(greatest) - ceil(least) + 1 of each rest, shape (n,). Whole-number tables may leave fewer values than the
        linear relaxation does; for single rows the two are the same.
    """
    n = matrix.shape[1]
    top = np.full(n, step - 1.0) if upper is None else upper
    mine = np.ones(n, dtype=bool) if wanted is None else wanted
    some = np.ones(low.size, dtype=bool) if telling is None else telling
    left = np.full(n, step, dtype=np.int64)
    pattern = csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    _, label = connected_components(csr_array(pattern.T @ pattern), directed=False)
    filled = np.flatnonzero(np.diff(matrix.indptr))
    label_of_row = np.full(low.size, -1)
    label_of_row[filled] = label[matrix.indices[matrix.indptr[filled]]]
    by_row = np.argsort(label_of_row, kind="stable")
    for block in np.intersect1d(label_of_row[some & (label_of_row >= 0)], label[mine]):
        columns = np.flatnonzero(label == block)
        ends = np.searchsorted(label_of_row[by_row], [block, block + 1])
        rows = by_row[ends[0] : ends[1]]
        part = csr_array(matrix[rows][:, columns])
        left[columns] = _block_values(part, low[rows], high[rows], step=step, upper=top[columns], wanted=mine[columns])
    return left


def _block_values(
    matrix: csr_array, low: FloatArray, high: FloatArray, *, step: int, upper: FloatArray, wanted: BoolArray
) -> IntArray:
    """Count the values of one block. One programme that raises (or lowers) many rests at once settles most of them."""
    n = matrix.shape[1]
    below, above = np.isfinite(high), np.isfinite(low)
    bounds = csr_array(vstack([matrix[below], -matrix[above]], format="csr"))
    limit = np.concatenate([high[below], -low[above]])
    ends = np.zeros((2, n))
    ends[1] = step - 1
    for side, (sign, goal) in enumerate(((1.0, 0.0), (-1.0, float(step - 1)))):
        open_ = wanted.copy()
        while open_.any():
            found = _optimum(sign * open_.astype(np.float64), bounds, limit, upper)
            if found is None:  # the rows contradict one another: a reader who believes them learns nothing right
                return np.full(n, step, dtype=np.int64)
            reached = open_ & (np.abs(found - goal) < TOLERANCE)
            open_ &= ~reached
            if not reached.any():
                for cell in np.flatnonzero(open_):
                    alone = np.zeros(n)
                    alone[cell] = sign
                    best = _optimum(alone, bounds, limit, upper)
                    ends[side, cell] = found[cell] if best is None else best[cell]
                break
    return np.asarray(np.floor(ends[1] + TOLERANCE) - np.ceil(ends[0] - TOLERANCE) + 1, dtype=np.int64)


TOLERANCE = 1e-6  # of the solver: its answers are whole numbers or simple fractions, far apart from this


def _optimum(cost: FloatArray, matrix: csr_array, limit: FloatArray, upper: FloatArray) -> FloatArray | None:
    bounds = np.column_stack([np.zeros(upper.size), upper])
    found = linprog(cost, A_ub=matrix, b_ub=limit, bounds=bounds, method="highs")
    return None if found.x is None else np.asarray(found.x, dtype=np.float64)
