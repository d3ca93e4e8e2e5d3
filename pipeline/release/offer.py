"""Choose the counts that a release in steps offers: those of which every value of the step remains possible.

`steps` says why inequalities never narrow a step. Here is what does: equations (an area whose parts leave nothing out)
and complete unions (a category whose parts cover it). The choice has three steps, without a search:

1. **Never offered**, whatever the counts are: the last part of a small complete union below borough level; the smaller
   areas of an equation of two or three, and of a region of two or three boroughs its total. A union is one by the tree
   of categories, by what the source declares, or because a reader would find it (`linked_tables.unions_found`).
2. **The row rule**: an equation or union without room for all values (`steps.has_room`) is not offered, total and
   parts, with everything below it. Neither total nor parts can be kept: that a row has no room discloses that its total
   is not at its ceiling and that its parts are near theirs.
3. **The audit**: rows linked to one another can still narrow a count. Linear programmes over the rows of one borough
   and window find the least and the greatest value of each count; if a count is left with fewer values than its step,
   its detail is not offered, then its number. The same over the rows of the region and its boroughs: there the
   region's number is not offered.

A count is offered to all audiences or to none: that a row has no room in steps of 10 discloses something about its
counts in steps of 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array, csr_array, vstack

from pipeline.domain.periods import Period
from pipeline.domain.progress import Progress, unwatched
from pipeline.release.linked_tables import (
    DECLARED_UNION,
    FOUND_UNION,
    KEY,
    Layout,
    Relations,
    broken_shares,
    category_disjoint,
    category_unions,
    drop_violated,
    implied,
    kept_rows,
    no_relations,
    period_sums,
    relation_rows,
    relations_that_hold,
    stack,
    unions_found,
)
from pipeline.release.steps import RANGED, step_floor
from pipeline.release.values_left import values_left
from pipeline.tables import Level

__all__ = ["Offer", "choose_offer"]

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

DETAIL = (Level.WARD, Level.WARD_GROUP)
SMALL_UNION = 7
"""A complete union of fewer parts has its last one not offered below borough level. From seven parts on a row without
room is so rare (all parts near the ceilings of their steps) that the row rule costs less than a part would."""
FEW_PARTS = 3
"""A row of two or three parts is without room too often, and discloses too much if it is: some of its parts are never
offered, whatever the counts."""
AUDIT_ROUNDS = 8
"""Rounds of the audit; each removes detail around the narrow counts that it finds, so that later rounds find fewer."""


@dataclass(frozen=True, slots=True)
class Absences:
    """Knowledge from the absence of rows without room: by step, which rows of the table had none."""

    tight: Mapping[int, BoolArray]

    def rows(self, rows: Relations, *, block: IntArray) -> tuple[csr_array, FloatArray, FloatArray]:
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
    """Which counts are offered, and how many each move removed.

    Attributes
    ----------
    cells
        area_code, level, period, category, measure, value and `row`, the position in the counts.
    offered
        Whether each cell is offered to released audiences, shape (cells,).
    log
        For the data owner: how many counts each move removed.
    """

    cells: pd.DataFrame
    offered: BoolArray
    log: dict[str, int]


def choose_offer(
    counts: pd.DataFrame, *, layout: Layout, steps: Sequence[int], progress: Progress = unwatched
) -> Offer:
    """Choose which counts are offered in steps.

    Parameters
    ----------
    counts
        True counts: area_code, level, period, category and the measures of `RANGED`, null where there is nothing.
    layout
        How they nest.
    steps
        Steps of all released audiences.
    progress
        Called as the audit advances.
    """
    cells = _cells(counts, layout)
    values = cells["value"].to_numpy(np.int64)
    orders = layout.orders(cells)
    areas, pairs, granted = _area_rows(cells, layout)
    unions = {(whole, parts): _unions(cells, layout, whole, parts) for whole, parts in layout.covering}
    apart = _relied_on(cells, layout, category_disjoint(cells, unions=layout.families))
    unions = unions_found(cells, unions=layout.families, rows_of_readers=layout.rows_of_readers) | unions
    rows = stack(
        areas,
        _group_sums(cells, layout),
        period_sums(cells, parts=_parts_of_long_windows(layout)),
        *unions.values(),
        _cover_rows(cells, layout),
        apart,
        orders,
    )
    rows = rows.select(~implied(rows, values=values))
    # Counts of levels that a category is not given at are never offered: they take nothing with them, and are in the
    # programmes all the same.
    open_ = cells["open"].to_numpy(dtype=bool)
    below = csr_array(_below(len(cells), pairs, orders) * open_[None, :])
    given = {family: some.select(some.complete(open_)) for family, some in unions.items()}
    never, silent = _never_offered(cells, areas=areas.select(granted), unions=given)
    offered = _closed(~never, below) & open_
    left = [int((offered & ~silent).sum())]
    offered, silent, absences = _with_room(
        cells, rows, values, offered=offered, silent=silent, below=below, steps=steps
    )
    left.append(int((offered & ~silent).sum()))
    for step in steps:
        offered = _audited(
            cells,
            rows,
            values,
            offered,
            below=below,
            step=step,
            layout=layout,
            silent=silent,
            absences=absences,
            progress=progress,
        )
    for step in steps:
        silent = _region_audited(
            cells, rows, values, offered, step=step, silent=silent, absences=absences, progress=progress
        )
    left.append(int((offered & ~silent).sum()))
    taken = -np.diff([int(open_.sum()), *left])
    log = dict(zip(("never offered", "without room", "by the audit"), taken.tolist(), strict=True))
    return Offer(cells[open_].drop(columns="open").reset_index(drop=True), (offered & ~silent)[open_], log)


# The cells and their relations.


def _cells(counts: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """List every count of the series; `open` says whether its category is given at its level and in its window."""
    series = {(level, p.id) for level, windows in layout.series.items() for p in windows}
    series |= {(Level.WARD_GROUP.value, p) for p in layout.long_windows}
    inside = pd.MultiIndex.from_frame(counts[["level", "period"]]).isin(list(series))
    finest = counts["category"].map(lambda c: layout.detail.get(c, Level.WARD.value))
    over_years = counts["period"].isin(layout.long_windows) == counts["category"].isin(layout.long_categories)
    open_ = ~counts["level"].isin(DETAIL) | ((counts["level"] == finest) & over_years)
    frames = []
    for measure in (m for m in RANGED if m in counts):
        known = counts[measure].notna().to_numpy() & inside
        part = counts.loc[known, ["area_code", "level", "period", "category"]].copy()
        part["measure"], part["value"] = measure, counts.loc[known, measure].astype("int64").to_numpy()
        part["row"], part["open"] = np.flatnonzero(known), open_[known].to_numpy(dtype=bool)
        frames.append(part)
    return pd.concat(frames, ignore_index=True)


def _area_rows(cells: pd.DataFrame, layout: Layout) -> tuple[Relations, pd.DataFrame, BoolArray]:
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
    rows = relation_rows(len(cells), totals, parts, kind="area_sum")

    # Which of them a reader assumes to be equations.
    inside = pd.Series([(p, layout.levels[a]) for a, p in layout.parents.items()], dtype=object).value_counts()
    here = parts.groupby("row").size().reindex(heads["row"], fill_value=0).to_numpy()
    whole = here == inside.reindex(list(zip(heads["parent"], heads["level"], strict=True))).to_numpy()
    left = np.asarray(rows.matrix @ cells["value"].to_numpy(np.int64))
    kind = [heads["level"], heads["category"], heads["measure"]]
    broken = pd.Series(left != 0).groupby(kind).transform("mean").to_numpy()
    broken = broken >= broken_shares(heads["level"], layout.rows_of_readers)
    granted = whole & ~broken
    pairs = pairs.rename(columns={"at": "total"})[["part", "total"]]
    # A reader who wrongly assumes a row to be an equation reaches wrong conclusions.
    return replace(rows, upper=np.where(granted & (left == 0), 0.0, np.inf)), pairs, granted


def _relied_on(cells: pd.DataFrame, layout: Layout, candidates: Relations) -> Relations:
    """Keep what a reader relies on and the data satisfies."""
    relied_on = relations_that_hold(cells, candidates, rows_of_readers=layout.rows_of_readers)
    return drop_violated(relied_on, values=cells["value"].to_numpy(np.int64))[0]


def _unions(cells: pd.DataFrame, layout: Layout, whole: str, parts: tuple[str, ...]) -> Relations:
    """Relate a category to parts that cover it, where they nearly always do or the source declares that they do."""
    kind = "category_union" if (whole, parts) in layout.families else DECLARED_UNION
    found = [category_unions(cells, unions=[(whole, parts)], kind=kind)]
    if {layout.detail.get(c, Level.WARD) for c in (whole, *parts)} == set(DETAIL):
        found.append(_mixed_union_rows(cells, layout, whole, parts, kind=kind))
    return _relied_on(cells, layout, stack(*found))


def _mixed_union_rows(
    cells: pd.DataFrame, layout: Layout, whole: str, parts: tuple[str, ...], *, kind: str
) -> Relations:
    """Relate, group by group, a category to the parts that cover it where some are given by ward and some by group."""
    here = (cells["level"].isin(DETAIL) & cells["category"].isin([whole, *parts])).to_numpy()
    mine = cells.loc[here, ["period", "category", "measure"]].assign(at=np.flatnonzero(here))
    area, ward = cells.loc[here, "area_code"], cells.loc[here, "level"] == Level.WARD
    mine["group"] = area.map(layout.group_of).where(ward, area)
    # Of each category the cells of its own level: those of the other are not offered.
    mine = mine[
        (cells.loc[here, "level"] == mine["category"].map(lambda c: layout.detail.get(c, Level.WARD))).to_numpy()
    ]
    name = ["group", "period", "measure"]
    heads = mine[name].drop_duplicates().reset_index(drop=True)
    heads["row"] = np.arange(len(heads))
    mine = mine.merge(heads, on=name)
    by_ward = sum(layout.detail.get(c, Level.WARD) == Level.WARD for c in (whole, *parts))
    wards = pd.to_numeric(heads["group"].map(pd.Series(layout.group_of, dtype=object).value_counts()))
    wanted = wards * by_ward + (len(parts) + 1 - by_ward)
    full = (mine.groupby("row").size().reindex(heads["row"], fill_value=0).to_numpy() == wanted).to_numpy(dtype=bool)
    total = (mine["category"] == whole).to_numpy()
    return kept_rows(len(cells), mine[total], mine[~total], full, kind=kind, lower=-np.inf, upper=0.0)


def _group_sums(cells: pd.DataFrame, layout: Layout) -> Relations:
    """State that a group's count is the sum of its wards'.

    No category is given by both, but a reader may know how categories nest among wards that he is not shown: where
    nearly every ward is empty, parts cover the category in nearly every ward, and so in the group.
    """
    if not layout.group_of:
        return no_relations(len(cells))
    place = cells[[*KEY, "level"]].assign(at=np.arange(len(cells)))
    group = place[place["level"] == Level.WARD_GROUP].reset_index(drop=True)
    group["row"] = np.arange(len(group))
    ward = place[place["level"] == Level.WARD].copy()
    ward["area_code"] = ward["area_code"].map(layout.group_of)
    inside = ward.merge(group[[*KEY, "row"]], on=list(KEY))
    size = inside.groupby("row").size().reindex(group["row"], fill_value=0).to_numpy()
    wanted = group["area_code"].map(pd.Series(layout.group_of, dtype=object).value_counts()).to_numpy()
    return kept_rows(len(cells), group, inside, size == wanted, kind="group_sum", lower=0.0, upper=0.0)


def _parts_of_long_windows(layout: Layout) -> dict[str, list[str]]:
    """Return each longer window with the windows of the groups' series that it consists of."""
    series = layout.series.get(Level.WARD_GROUP, ())
    return {p: [part.id for part in Period.parse(p).made_of(series)] for p in sorted(layout.long_windows)}


def _cover_rows(cells: pd.DataFrame, layout: Layout) -> Relations:
    """Relate a group's count of a category to the counts of the category above that cover it: at most their sum.

    Where one category is given by groups and the one it is part of by wards, or one in longer windows and the other in
    the windows that these consist of, the larger count is a sum of several steps, so that floors alone do not keep the
    order: the row needs room like a union.
    """
    if not layout.group_of:
        return no_relations(len(cells))
    place = cells.loc[cells["level"].isin(DETAIL), [*KEY, "level", "open"]]
    place = place.assign(at=place.index.to_numpy(), group=place["area_code"].map(layout.group_of))
    place["group"] = place["group"].where(place["level"] == Level.WARD, place["area_code"])
    heads = place[(place["level"] == Level.WARD_GROUP) & place["open"]]
    wards = pd.Series(layout.group_of, dtype=object).value_counts()
    made = _parts_of_long_windows(layout)
    inner = pd.DataFrame(
        [(p, part) for p in heads["period"].unique() for part in made.get(p, [p])], columns=["window", "period"]
    ).astype("str")
    found = []
    for part, whole in layout.part_of:
        by_ward = layout.detail.get(whole, Level.WARD) == Level.WARD
        in_years = whole not in layout.long_categories
        head = heads[heads["category"] == part].reset_index(drop=True)
        if head.empty or not (by_ward or (part in layout.long_categories and in_years)):
            continue  # the two are given by the same areas in the same windows: the order of their floors is enough
        head["row"] = np.arange(len(head))
        given = place[(place["category"] == whole) & (place["level"] == (Level.WARD if by_ward else Level.WARD_GROUP))]
        given = given.merge(inner, on="period") if in_years else given.assign(window=given["period"])
        rows = head[["group", "period", "measure", "row"]].rename(columns={"period": "window"})
        inside = given[["group", "window", "measure", "at"]].merge(rows, on=["group", "window", "measure"])
        size = inside.groupby("row").size().reindex(head["row"], fill_value=0).to_numpy()
        wanted = head["period"].map(lambda p: len(made.get(p, [p]))).to_numpy(np.int64)
        wanted = wanted * (head["group"].map(wards).to_numpy(np.int64) if by_ward else 1)
        found.append(
            kept_rows(len(cells), head, inside, size == wanted, kind="category_cover", lower=-np.inf, upper=0.0)
        )
    return stack(*found) if found else no_relations(len(cells))


# The three moves.


def _below(cells: int, pairs: pd.DataFrame, orders: Relations) -> csr_array:
    """Return the dependent cells of each: a smaller area, a part of the category, an outcome of the incidents."""
    small = coo_array(orders.matrix)
    row, at = (c.astype(np.int64) for c in small.coords)
    total, part = np.empty(len(orders), dtype=np.int64), np.empty(len(orders), dtype=np.int64)
    total[row[small.data > 0]], part[row[small.data < 0]] = at[small.data > 0], at[small.data < 0]
    start = np.concatenate([pairs["total"].to_numpy(np.int64), total])
    end = np.concatenate([pairs["part"].to_numpy(np.int64), part])
    return csr_array(coo_array((np.ones(start.size, dtype=np.int64), (end, start)), shape=(cells, cells)))


def _closed(offered: BoolArray, below: csr_array) -> BoolArray:
    """Remove all dependent cells of cells that are not offered."""
    gone = ~offered
    while True:
        more = gone | (below @ gone.astype(np.int64) > 0)
        if (more == gone).all():
            return np.asarray(~gone, dtype=np.bool_)
        gone = more


def _never_offered(
    cells: pd.DataFrame, *, areas: Relations, unions: Mapping[tuple[str, tuple[str, ...]], Relations]
) -> tuple[BoolArray, BoolArray]:
    """Return what is never offered, and totals of regions that are not though their parts are."""
    never, silent = np.zeros(len(cells), dtype=bool), np.zeros(len(cells), dtype=bool)
    levels, categories = cells["level"].to_numpy(), cells["category"].to_numpy()

    # The last part of a small union goes in every area and window of a level and measure where the union holds, not
    # only in those rows where it does: its absence must not tell where. Of unions that readers find by themselves this
    # is so of two parts alone: of more, the row rule takes less away.
    for (_, parts), rows in unions.items():
        if not 1 < len(parts) < SMALL_UNION:  # one part that covers the whole is the whole: the two share every step
            continue
        total = np.zeros(len(cells), dtype=bool)
        total[csr_array(rows.matrix > 0).indices] = True
        found = (rows.kind == FOUND_UNION).any()
        fewer = (FEW_PARTS, FEW_PARTS) if found else (SMALL_UNION, FEW_PARTS + 1)
        for at, few in zip((np.isin(levels, DETAIL), levels == Level.BOROUGH), fewer, strict=True):
            held = cells["measure"].isin(cells.loc[total & at, "measure"].unique())
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
    cells: pd.DataFrame, rows: Relations, values: IntArray, *, offered: BoolArray, silent: BoolArray, below: csr_array,
    steps: Sequence[int],
) -> tuple[BoolArray, BoolArray, Absences]:  # fmt: skip
    """Apply the row rule until there is no change.

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


def _members(rows: Relations, chosen: BoolArray) -> BoolArray:
    """Return the cells that any of some rows holds."""
    return np.asarray(abs(rows.matrix[chosen]).sum(axis=0) > 0, dtype=np.bool_).ravel()


def _audited(
    cells: pd.DataFrame,
    rows: Relations,
    values: IntArray,
    offered: BoolArray,
    *,
    below: csr_array,
    step: int,
    layout: Layout,
    silent: BoolArray,
    absences: Absences,
    progress: Progress,
) -> BoolArray:
    """Audit block after block, and remove counts that narrow others, until every count keeps its step."""
    borough = _borough_of(cells, layout)
    attacked = np.ones(len(cells), dtype=bool)
    for turn in range(AUDIT_ROUNDS + 1):
        narrow = _narrow(
            rows,
            values,
            offered & ~silent,
            step=step,
            block=borough,
            absences=absences,
            attacked=attacked,
            progress=progress,
        )
        if not narrow.size:
            break
        last = turn == AUDIT_ROUNDS
        offered = _closed(offered & ~_remedy(cells, narrow, borough, offered=offered, last=last), below)
        # Whatever goes leaves the others more room, so that only what was narrow can be narrow still; the last round
        # takes all of it.
        attacked = np.isin(np.arange(len(cells)), narrow)
    return offered


def _region_audited(
    cells: pd.DataFrame,
    rows: Relations,
    values: IntArray,
    offered: BoolArray,
    *,
    step: int,
    silent: BoolArray,
    absences: Absences,
    progress: Progress,
) -> BoolArray:
    """Audit the region together with its boroughs, and return what is silent then: numbers of the region go alone.

    Where few boroughs have few incidents, the sums over boroughs of several categories can narrow a borough's count
    though each sum has room. Without the region's number there is no sum.
    """
    region, top = (cells["level"] == Level.REGION).to_numpy(), cells["level"].isin([Level.REGION, Level.BOROUGH])
    # Smaller areas have been audited with their boroughs: each is a block of its own here, so that no row is used.
    block = np.asarray(cells["area_code"].mask(top, ""), dtype=object)
    pair = pd.MultiIndex.from_frame(cells[["period", "category"]])
    attacked = top.to_numpy(dtype=np.bool_)
    for turn in range(AUDIT_ROUNDS + 1):
        narrow = _narrow(
            rows,
            values,
            offered & ~silent,
            step=step,
            block=block,
            absences=absences,
            attacked=attacked,
            progress=progress,
        )
        if not narrow.size:
            break
        hit = pair.isin(pair[narrow]) if turn < AUDIT_ROUNDS else cells["period"].isin(cells["period"].iloc[narrow])
        silent = np.asarray(silent | (region & hit), dtype=np.bool_)
    return silent


def _borough_of(cells: pd.DataFrame, layout: Layout) -> npt.NDArray[np.object_]:
    """Return the borough of each cell, empty for the region: the blocks that are audited one by one."""
    area, level = cells["area_code"], cells["level"]
    own = area.where(level == Level.BOROUGH, area.map(layout.parents))
    boroughs = [a for a, at in layout.levels.items() if at == Level.BOROUGH]
    # A region of one borough is that borough: what is known of one is known of the other.
    region = boroughs[0] if len(boroughs) == 1 else ""
    return np.asarray(own.where(level != Level.REGION, region).fillna(region), dtype=object)


def _remedy(
    cells: pd.DataFrame,
    narrow: npt.NDArray[np.intp],
    borough: npt.NDArray[np.object_],
    *,
    offered: BoolArray,
    last: bool,
) -> BoolArray:
    """Return the cells to remove for a narrow count: the category's detail in that borough, in the end its number."""
    keys = pd.DataFrame({"borough": borough, "period": cells["period"], "category": cells["category"]})
    detail = cells["level"].isin(DETAIL).to_numpy()
    hit = pd.MultiIndex.from_frame(keys).isin(pd.MultiIndex.from_frame(keys.iloc[narrow]))
    gone = hit & detail & offered
    own = np.zeros(len(cells), dtype=bool)
    own[narrow] = True
    # For a borough without remaining detail, or in the last rounds, the number itself.
    bare = ~pd.MultiIndex.from_frame(keys).isin(pd.MultiIndex.from_frame(keys[gone]))
    return np.asarray(gone | (own & (last | bare)), dtype=np.bool_)


def _narrow(
    rows: Relations,
    values: IntArray,
    offered: BoolArray,
    *,
    step: int,
    block: npt.NDArray[np.object_],
    absences: Absences,
    attacked: BoolArray,
    progress: Progress,
) -> npt.NDArray[np.intp]:
    """Find the offered counts, of those attacked, that do not keep every value of their step, block by block.

    Counts that are not offered are in the programmes too, from 0 on without an end: a union or an equation still says
    that such a count is at least what the others leave, and another row may hold it down.
    """
    # Rows between blocks (a region and its boroughs) are left to the row rule, and what does not hold tells nothing.
    code, matrix = pd.factorize(block)[0], rows.matrix
    ends = [end.reduceat(code[matrix.indices], matrix.indptr[:-1]) for end in (np.minimum, np.maximum)]
    usable = rows.select((ends[0] == ends[1]) & ~rows.violated(values))
    # Unknowns: how far an offered count is above its floor, and the whole of one that is not offered.
    floor = np.where(offered, step_floor(values, step), 0)
    base = usable.matrix @ floor
    marks, low, rests = absences.rows(rows, block=code)
    own = usable.matrix
    wide = csr_array((own.data, own.indices, own.indptr), shape=(len(usable), marks.shape[1]))
    system = csr_array(vstack([wide, marks], format="csr")).astype(np.float64)
    upper = np.concatenate([np.where(offered, step - 1.0, np.inf), rests])
    wanted = np.concatenate([offered & attacked, np.zeros(rests.size, dtype=bool)])
    lowest = np.concatenate([usable.lower - base, low])
    highest = np.concatenate([usable.upper - base, np.full(low.size, np.inf)])
    telling = np.concatenate([usable.narrowing, np.ones(low.size, dtype=bool)])
    binding = _can_bind(system, lowest, highest, upper)
    found = values_left(
        csr_array(system[binding]),
        lowest[binding],
        highest[binding],
        step=step,
        upper=upper,
        wanted=wanted,
        telling=telling[binding],
        done=partial(progress, "auditing counts"),
    )
    return np.flatnonzero(wanted & (found < step)).astype(np.intp)


def _can_bind(matrix: csr_array, low: FloatArray, high: FloatArray, upper: FloatArray) -> BoolArray:
    """Return the rows that some values between 0 and `upper` break: the others say nothing, and would cost time.

    Nine in ten of the rows that parts which exclude each other add at borough level are of this kind.
    """
    endless = np.isinf(upper)
    size = np.where(endless, 0.0, upper)
    ends = []
    for sign in (1.0, -1.0):
        side = csr_array(matrix.multiply(matrix * sign > 0))
        open_end = abs(side) @ endless.astype(np.float64) > 0
        ends.append(np.where(open_end, sign * np.inf, side @ size))
    return np.asarray((ends[0] > high) | (ends[1] < low), dtype=np.bool_)
