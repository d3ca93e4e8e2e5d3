"""Primary and secondary suppression: withhold small counts, and few others so that they cannot be recovered.

The terms are those of Hundepool et al. (2012), chapter 4. *Primary* cells hold 1 to threshold - 1. *Secondary* cells
are withheld so that every withheld cell keeps the range that the audit demands (`audit` says what the attacker knows).
Zeros are withheld where needed; a total is withheld where no partner suffices. Primary and secondary look the same in
the release; `reason` and `status` are for the data owner.

**From the top down, block by block** (the same chapter's hierarchical method, after de Wolf). A release has too many
cells for one optimisation, and most relations stay inside one borough and window. So:

1. The *coarse* block: region and boroughs of one window.
2. A borough's number that is withheld takes the borough's smaller areas with it: they are *not offered by rule*.
3. Each borough's block: its wards and what has no place in them, with the borough's own numbers given.
4. The audit covers everything together. Around each narrow cell less is offered: not the borough's detail of the
   category, then not the borough's number (`_Choice.take_detail_away`). Then 1 to 3 again for these blocks, at most
   `ROUNDS` times; after that only detail is removed, without a search. Something is removed each time, so the procedure
   ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.domain.progress import Progress, unwatched
from pipeline.errors import InputError
from pipeline.release.audit import (
    FEWEST_OF_A_CLASS,
    AuditResult,
    CellState,
    Witness,
    audit,
    classes_of,
    propagate,
    reduce_system,
    witnessed_intervals,
)
from pipeline.release.linked_tables import Relations
from pipeline.release.programmes import Programme

__all__ = ["Reason", "Status", "Suppression", "suppress"]


FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

REACH = 3  # thresholds by which a count may change in the search for protection
ZERO_SHARE = 0.05  # a reader assumes what is true of 19 withheld counts in 20
ROUNDS = 6  # of search and audit; the second finds partners for the few that the first left, later ones hardly any


class Reason(StrEnum):
    """Why a cell is withheld; for the data owner only."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    DECLARED = "declared"
    """Withheld whatever its value, because it is not offered to other readers."""
    RULE = "rule"
    """Its area or category is not offered."""


class Status(StrEnum):
    """What is promised for a withheld cell."""

    PROTECTED = "protected"
    AT_SOURCE = "already public at source"
    ADDED = "added by us"
    """Secondary: protected as well, and reported to readers as `PROTECTED`."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """What a release shows of each cell.

    Attributes
    ----------
    cells
        The cells given, with `state` (a `CellState`), `known`, `at_source` (no protection is claimed), `rests` (see
        `audit.attacker_view`), `reason` (a `Reason`, or empty) and `status` (a `Status`, or empty).
    counts
        One row per level and measure: `cells`, `published`, `withheld`, one column per `Reason`, and `incidents_lost`
        (sum of the secondary cells' true counts).
    attack
        The last audit; None where secondary suppression is switched off, which leaves nothing to audit.
    rounds
        Rounds of search, and of taking detail away, that it took.
    """

    cells: pd.DataFrame
    counts: pd.DataFrame
    attack: AuditResult | None
    rounds: int

    @property
    def unprotected(self) -> IntArray:
        """Positions of withheld cells that nothing protects: do not publish."""
        return np.empty(0, dtype=np.int64) if self.attack is None else self.attack.too_narrow

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
    secondary: bool = True,
    broken: Relations | None = None,
    part_of: Sequence[tuple[str, str]] = (),
    progress: Progress = unwatched,
) -> Suppression:
    """Choose the cells to withhold, and audit the choice.

    Parameters
    ----------
    cells
        Cell table: `KEY` columns, `level`, `value` (true counts), and optionally `block` (code of the borough that a
        cell is a detail of, empty for region and boroughs; without it all cells are one block), `latent` (never
        published; protected where `protect`), `known` (in a known table: withheld where small, never claimed as
        protected), `declared` (withheld whatever its value), `fixed` (published before: not withheld again), `out` (of
        a window that was released and cannot be changed), and `known_low`, `known_high` (bounds that the attacker has
        from external tables; null: none).
    relations
        Rows over the positions of `cells` that the attacker relies on and the true counts satisfy.
    threshold
        Smallest count other than 0 to publish, and the number of values that every withheld count keeps; 0 or 1
        withholds nothing.
    secondary
        Whether to apply secondary suppression; without it nothing is audited.
    broken
        Rows that the attacker relies on although the true counts break them.
    part_of
        Category and the category it is part of.
    progress
        Called after each block.

    Returns
    -------
    suppression
        If `unprotected` is not empty, these cells cannot be protected (external tables disclose them).

    Raises
    ------
    InputError
        If the cells or threshold are unusable, or the relations do not hold.
    """
    if threshold < 0 or relations.matrix.shape[1] != len(cells):
        raise InputError(
            f"threshold {threshold} must not be negative, and relations must refer to the {len(cells)} cells."
        )
    x = cells["value"].to_numpy(dtype=np.float64)
    if np.any(x < 0) or np.any(relations.violated(x.astype(np.int64))):
        raise InputError("counts are negative or break a relation: test the relations on the data (drop_violated).")
    choice = _Choice.start(cells, relations, broken, threshold, part_of)
    attack, rounds = None, 0
    if secondary:
        while True:
            rounds += 1
            if rounds <= ROUNDS:
                choice.search(choice.all_blocks if attack is None else choice.blocks_of(attack.too_narrow), progress)
            attack = choice.attacked()
            # If one search could not protect a cell, another seldom can: detail is removed, in the end all of it.
            if attack.safe or not choice.take_detail_away(attack.too_narrow, once=rounds <= ROUNDS):
                break
    return choice.result(attack, rounds)


# The current choice of withheld cells, and the operations that change it.


@dataclass(slots=True)
class _Choice:
    """A choice of cells to withhold, which only grows, except for zeros that are published permanently.

    Attributes
    ----------
    cells, relations, broken, threshold
        As `suppress` has them.
    above
        Category to those it is part of.
    x
        True counts, shape (cells,).
    latent, known, at_source
        Never published; in a known table; disclosed by the known tables, or settled.
    settled
        Cells of windows that were released completely.
    hidden, ruled
        Withheld for any reason; withheld by rule, whatever its value.
    pinned
        Zeros that are published permanently.
    family
        Number of the windows that relations link, shape (cells,).
    block
        Number of the block, shape (cells,): a borough's detail in windows that relations link. Block numbers of
        region and boroughs come first.
    coarse, group
        Whether a cell is a number of the region or of a borough as a whole, not of what lies in no ward of it; number
        of the group that such a cell forms with its details: the same area, windows, category and measure.
    witnesses
        Possible tables found on the way.
    """

    cells: pd.DataFrame
    relations: Relations
    broken: Relations | None
    threshold: int
    above: Mapping[str, tuple[str, ...]]
    x: FloatArray
    latent: BoolArray
    known: BoolArray
    at_source: BoolArray
    settled: BoolArray
    hidden: BoolArray
    ruled: BoolArray
    pinned: BoolArray
    family: IntArray
    block: IntArray
    coarse: BoolArray
    group: IntArray
    classes: IntArray
    loss: FloatArray
    witnesses: list[Witness] = field(default_factory=list)

    @classmethod
    def start(
        cls,
        cells: pd.DataFrame,
        relations: Relations,
        broken: Relations | None,
        threshold: int,
        part_of: Sequence[tuple[str, str]],
    ) -> "_Choice":
        """Withhold the primary cells and those declared."""
        x = cells["value"].to_numpy(dtype=np.float64)
        latent, known, declared = (_flag(cells, c) for c in ("latent", "known", "declared"))
        small = (x > 0) & (x < threshold) & ~latent
        family = _families(cells, relations)
        # Windows that are out entirely: what was promised of them was promised then.
        all_out = pd.Series(_flag(cells, "out") | latent).groupby(family).transform("all").to_numpy(dtype=bool)
        settled = all_out & _flag(cells, "out")
        name = cells["block"].astype(str) if "block" in cells else pd.Series("", index=cells.index)
        # Sorted by name, the coarse blocks ("") come before those of the boroughs.
        block = (
            pd.DataFrame({"name": name.to_numpy(), "family": family}).groupby(["name", "family"], sort=True).ngroup()
        )
        measure, whole = cells["measure"].astype(str), (name == "").to_numpy()
        groups = pd.DataFrame(
            {
                "area": np.where(whole, cells["area_code"], name),
                "family": family,
                "category": cells["category"].to_numpy(),
                "measure": measure.str.removesuffix(UNPLACED).to_numpy(),
            }
        )
        return cls(
            cells=cells.assign(block=name).reset_index(drop=True),
            relations=relations,
            broken=broken,
            threshold=threshold,
            above={part: tuple(w for p, w in part_of if p == part) for part, _ in part_of},
            x=x,
            latent=latent,
            known=known,
            at_source=known | _narrow_by_known_tables(relations, x, known, threshold) | settled,
            settled=settled,
            hidden=(small & ~_flag(cells, "fixed")) | latent | declared,
            ruled=np.zeros(x.size, dtype=bool),
            pinned=_flag(cells, "fixed").copy(),
            family=family,
            block=block.to_numpy(dtype=np.int64),
            coarse=whole & ~measure.str.endswith(UNPLACED).to_numpy(),
            group=groups.groupby(list(groups.columns), sort=False).ngroup().to_numpy(dtype=np.int64),
            classes=classes_of(cells),
            loss=_loss(x, relations),
        )

    @property
    def all_blocks(self) -> IntArray:
        return np.unique(self.block)

    def blocks_of(self, positions: IntArray) -> IntArray:
        """Return the blocks of some cells, coarse ones first."""
        return np.unique(self.block[positions])

    @property
    def state(self) -> NDArray[Any]:
        return np.select(
            [self.latent, self.ruled, self.hidden],
            [CellState.LATENT, CellState.RULED_OUT, CellState.WITHHELD],
            CellState.PUBLISHED,
        )

    def search(self, blocks: IntArray, progress: Progress) -> None:
        """Choose secondary cells, block by block from the top down."""
        self.hide_totals_of_broken_relations()
        self.widen_classes()
        coarse = True
        for done, number in enumerate(blocks, start=1):
            inside = np.flatnonzero(self.block == number)
            if coarse and self.cells["block"].iloc[inside[0]] != "":
                coarse = False
                self.rule_out_details()  # of boroughs that no longer have a number
                self.widen_classes()  # which have fewer members now
                self.show_narrow_zeros()
            self.search_block(inside)
            progress("withholding counts", done, len(blocks))
        self.rule_out_details()

    def search_block(self, inside: IntArray) -> None:
        """Choose secondary cells of one block, with everything outside it fixed."""
        if not self.hidden[inside].any():
            return  # nothing to protect
        low, high = self.bounds()
        given = self.at_source | (self.latent & ~_flag(self.cells, "protect")) | self.resting()
        required = np.where(given, 0.0, self.threshold - 1.0)
        fixed = self.known | self.pinned
        low, high = np.where(fixed, self.x, low), np.where(fixed, self.x, high)
        relations = self.relations
        if self.cells["block"].iloc[inside[0]] == "":
            # Smaller areas are not given: those of a borough without a number are not offered, and may hold anything.
            detail = (self.cells["block"] != "").to_numpy().astype(np.int64)
            relations = relations.select(abs(relations.matrix) @ detail == 0)
        # No protection needs a count to move farther than this, and what moves little is limited by few relations.
        reach = REACH * self.threshold
        low, high = np.maximum(low, self.x - reach), np.minimum(high, self.x + reach)
        table = Table(relations, self.x, low, high, required, self.loss, self.hidden).part(inside)
        if not (table.hidden & table.movable).any():
            return
        pattern = greedy_pattern(table)
        self.hidden[inside] |= pattern.hidden
        self.witnesses += [(inside[cells], values) for cells, values in pattern.witnesses]

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the bounds that the attacker is assumed to know once a cell is withheld; see `audit.observed_bounds`.

        A cell that is not withheld yet would stretch its class to its own value.
        """
        chosen = self.state == CellState.WITHHELD
        size = np.bincount(self.classes[chosen], minlength=self.classes.max() + 1)
        least, most = np.full(size.size, np.inf), np.full(size.size, -np.inf)
        np.minimum.at(least, self.classes[chosen], self.x[chosen])
        np.maximum.at(most, self.classes[chosen], self.x[chosen])
        granted = size >= FEWEST_OF_A_CLASS
        least, most = np.where(granted, least, 0.0), np.where(granted, most, np.inf)
        free = self.latent | self.ruled
        low = np.where(free, 0.0, np.minimum(least[self.classes], self.x))
        high = np.where(free, np.inf, np.maximum(most[self.classes], self.x))
        low = np.maximum(low, _bound(self.cells, "known_low", 0.0))
        high = np.minimum(high, _bound(self.cells, "known_high", np.inf))
        if np.any(low > self.x) or np.any(high < self.x):
            raise InputError("bounds from external tables exclude the true counts: they refer to other data.")
        return low, high

    def widen_classes(self) -> None:
        """Withhold further cells in each class, so that the bounds of the withheld values reveal little.

        Where only 1 to t - 1 is withheld, everybody knows that of each: t - 1 values, one too few. So one withheld cell
        in `ZERO_SHARE` is a zero: then "no withheld count is 0" is false too often to be relied on. And where even the
        greatest withheld count leaves fewer than t values, the smallest count of t - 1 or more is withheld too.
        """
        wide = self.could_be_large()
        for number in np.flatnonzero(np.bincount(self.classes[self.state == CellState.WITHHELD]) >= FEWEST_OF_A_CLASS):
            inside = np.flatnonzero(self.classes == number)
            chosen = self.hidden[inside] & ~self.ruled[inside]
            free = ~self.hidden[inside] & ~self.known[inside] & ~self.pinned[inside]
            zeros = inside[free & (self.x[inside] == 0) & wide[inside]]
            missing = int(np.ceil(ZERO_SHARE * chosen.sum())) - int((chosen & (self.x[inside] == 0)).sum())
            if missing > 0 and zeros.size:
                # Spread evenly over the table, so that they are not all in one area.
                picks = np.linspace(0, zeros.size - 1, min(missing, zeros.size)).astype(np.int64)
                self.hidden[zeros[picks]] = True
            least = 0.0 if zeros.size else self.x[inside[chosen]].min()
            most = self.x[inside[chosen]].max()
            larger = inside[free & (self.x[inside] >= least + self.threshold - 1)]
            if most - least < self.threshold - 1 and larger.size:
                self.hidden[larger[np.argmin(self.x[larger])]] = True
            elif most - least < self.threshold - 1:
                # A strand too rare to have any such count at this level is not offered there.
                self.rule_out(self.classes == number)

    def could_be_large(self) -> BoolArray:
        """Return the cells that could not be recognised as under t if all zeros and small counts were withheld."""
        low = np.where(self.x < self.threshold, 0.0, self.x)
        high = np.where(self.hidden | (self.x < self.threshold), np.inf, self.x)
        system = propagate(reduce_system(self.relations, low=np.where(self.hidden, 0.0, low), high=high))
        wide = np.zeros(self.x.size, dtype=bool)
        wide[system.cells] = system.high >= self.threshold - 1
        return wide

    def hide_totals_of_broken_relations(self) -> None:
        """Withhold the total of each row that readers rely on wrongly, where a part of it is withheld.

        A reader who assumes that such a row holds computes a withheld count, usually but not always wrongly. The rows
        of areas that leave nothing unplaced are no such rows: whether they hold is plain from the unplaced count.
        """
        if self.broken is None or not len(self.broken):
            return
        rows = self.broken.select(self.broken.kind != "area_equation")
        beside = np.abs(rows.matrix) @ (self.hidden & ~self.latent).astype(np.int64) > 0
        totals = rows.anchor[beside]
        self.hidden[totals[~self.known[totals] & ~self.pinned[totals]]] = True

    def rule_out_details(self) -> None:
        """Withhold the smaller areas of every withheld borough number, in the same windows."""
        self.rule_out(self.below_what_is_withheld())

    def below_what_is_withheld(self) -> BoolArray:
        """Return the details of boroughs whose number is withheld: the same category and measure, in its windows."""
        # A longer window is latent: it is withheld exactly if one of its parts is, and these are in its family.
        lost = self.group[self.hidden & ~self.latent & self.coarse]
        return np.asarray((self.cells["block"] != "").to_numpy() & np.isin(self.group, lost), dtype=np.bool_)

    def resting(self) -> BoolArray:
        """Return the cells whose range rests on that of their borough's number, so that no tables are sought for them.

        Where a borough may hold 4 or 13, any ward of it may hold the 9 more, unless the ward's own numbers limit it:
        then the bounds that these give are too narrow, and the cell is treated like any other.
        """
        below = self.below_what_is_withheld() & self.ruled
        if below.any():
            low, high = self.bounds()
            low, high = np.where(self.hidden, low, self.x), np.where(self.hidden, high, self.x)
            system = propagate(reduce_system(self.relations, low=low, high=high))
            narrow = system.cells[system.high - system.low < self.threshold - 1]
            below[narrow] = False
        return below

    def rule_out(self, mask: BoolArray) -> bool:
        """Stop offering some cells; return whether any of them was offered or chosen until now."""
        fresh = mask & ~self.ruled & ~self.latent & ~self.known & ~self.pinned
        self.ruled |= fresh
        self.hidden |= fresh
        return bool(fresh.any())

    def take_detail_away(self, narrow: IntArray, *, once: bool) -> bool:
        """Offer less around each narrow cell; return whether there was anything left to remove.

        With `once`, only one thing is removed for all narrow cells of one borough, window and category, and nothing
        more for a cell that was removed with another: the next audit shows whether that was enough. Otherwise many
        narrow wards of one borough would remove the region's numbers in a single round.

        Counts of outcomes cost outcomes alone, as long as there are any. In the borough and window of the cell go, one
        at a time: its own ward, all categories of it; the wards of its category, then of those it is part of, up to the
        total; the borough's number of its category, then of these; in the end the number of these in the region and in
        every borough.

        A zero that is a secondary cell is published instead: see `show_narrow_zeros`.
        """
        zeros = narrow[(self.x[narrow] == 0) & ~self.latent[narrow] & ~_flag(self.cells, "declared")[narrow]]
        self.publish(zeros)
        taken, narrow = bool(zeros.size), np.setdiff1d(narrow, zeros)
        before, done = self.ruled.copy(), set()
        block, area = (self.cells[c].to_numpy() for c in ("block", "area_code"))
        outcomes = self.cells["measure"].isin(OUTCOMES).to_numpy()
        groups = pd.DataFrame({"own": area, "area": np.where(block == "", area, block)})
        groups = groups.assign(category=self.cells["category"], family=self.family, outcomes=outcomes)
        for cell, (own, borough, category, family, of_outcomes) in zip(
            narrow, groups.iloc[narrow].itertuples(index=False, name=None), strict=True
        ):
            key = ("" if once else own, borough, category, family, of_outcomes)
            if key in done or (once and self.ruled[cell] and not before[cell]):
                continue
            done.add(key)
            here = self.family == family
            detail, number = here & (block == borough), here & (block == "") & (area == borough)
            chain = [category]
            while more := [w for c in chain for w in self.above.get(c, ()) if w not in chain]:
                chain += dict.fromkeys(more)
            below = [self.cells["category"].isin(self.with_parts(c)).to_numpy() for c in chain]
            every = here & (block == "")
            # What more readers use goes last: the region and the other boroughs.
            steps = [detail & (area == own)]
            steps += [part & cells for part in (detail, number, every) for cells in below]
            steps += [every]
            if of_outcomes:
                steps = [step & outcomes for step in steps] + steps
            taken |= any(self.rule_out(step) for step in steps)
        self.rule_out_details()
        return taken

    def with_parts(self, category: str) -> set[str]:
        """Return a category and all that are part of it."""
        found = {category}
        while more := {c for c, p in self.above.items() if found & set(p)} - found:
            found |= more
        return found

    def attacked(self) -> AuditResult:
        """Audit the choice as it stands."""
        self.hide_totals_of_broken_relations()
        view = self.cells.assign(state=self.state, known=self.at_source, rests=self.resting())
        found = audit(view, relations=self.relations, threshold=self.threshold, witnesses=self.witnesses)
        self.witnesses += found.witnesses
        return found

    def show_narrow_zeros(self) -> None:
        """Publish zeros that are secondary cells and that the published numbers nearly determine.

        A ward without any incident has none of any strand, whether its strands are offered or not; one with 5, of
        which 4 are of other strands, has 0 or 1. Where it is 1, more detail is taken away. So "not offered" never
        means "0 or 1, but not 0".
        """
        low = np.where(self.hidden, 0.0, self.x)
        high = np.where(self.hidden, np.inf, self.x)
        system = propagate(reduce_system(self.relations, low=low, high=high))
        narrow = system.cells[system.high < self.threshold - 1]
        narrow = narrow[(self.x[narrow] == 0) & ~self.latent[narrow] & ~_flag(self.cells, "declared")[narrow]]
        self.publish(narrow)

    def publish(self, cells: IntArray) -> None:
        """Publish cells permanently."""
        self.hidden[cells] = False
        self.ruled[cells] = False
        self.pinned[cells] = True

    def result(self, attack: AuditResult | None, rounds: int) -> Suppression:
        """Give every cell its state, reason and status."""
        small = (self.x > 0) & (self.x < self.threshold)
        seen = self.hidden & ~self.latent
        frame = self.cells.assign(state=self.state, known=self.known, at_source=self.at_source, rests=self.resting())
        frame["reason"] = np.select(
            [seen & small, seen & _flag(self.cells, "declared"), seen & self.ruled, seen],
            [Reason.PRIMARY, Reason.DECLARED, Reason.RULE, Reason.SECONDARY],
            "",
        )
        added = (frame["reason"] == Reason.SECONDARY).to_numpy()
        frame["status"] = np.select(
            [seen & self.at_source & ~self.settled, added, seen],
            [Status.AT_SOURCE, Status.ADDED, Status.PROTECTED],
            "",
        )
        return Suppression(frame, _tally(frame), attack, rounds)


UNPLACED = "_unplaced"
OUTCOMES = ("positive_outcomes", "known_outcomes")


def _families(cells: pd.DataFrame, relations: Relations) -> IntArray:
    """Return one number for all windows that relations link, for each cell, shape (cells,)."""
    period, _ = pd.factorize(cells["period"].astype(str), sort=True)
    row, cell = relations.matrix.tocoo().coords
    rows, n = len(relations), int(period.max(initial=0)) + 1
    graph = csr_array((np.ones(row.size), (row, period[cell] + rows)), shape=(rows + n, rows + n))
    label = connected_components(graph, directed=False)[1]
    return np.asarray(np.unique(label[rows + period], return_inverse=True)[1], dtype=np.int64)


def _narrow_by_known_tables(relations: Relations, x: FloatArray, known: BoolArray, threshold: int) -> BoolArray:
    """Cells that can be recovered from the known tables alone, whatever this release withholds."""
    too_narrow = np.zeros(x.size, dtype=bool)
    if known.any():
        system = propagate(reduce_system(relations, low=np.where(known, x, 0.0), high=np.where(known, x, np.inf)))
        too_narrow[system.cells] = system.high - system.low < threshold - 1
    return too_narrow


TOTAL_WEIGHT = 4.0  # a total costs this many times as much as one of its parts: more readers use it


def _loss(x: FloatArray, relations: Relations) -> FloatArray:
    """Return the cost of withholding each cell: 1, and a little more the larger it is; more for a total."""
    loss = 1.0 + np.log10(1.0 + x)
    totals = np.unique(relations.anchor[np.char.endswith(relations.kind.astype(str), "_sum")])
    loss[totals] *= TOTAL_WEIGHT
    return loss


def _flag(cells: pd.DataFrame, name: str) -> BoolArray:
    return cells[name].to_numpy(dtype=bool) if name in cells else np.zeros(len(cells), dtype=bool)


def _bound(cells: pd.DataFrame, name: str, default: float) -> FloatArray:
    if name not in cells:
        return np.full(len(cells), default)
    return np.asarray(pd.to_numeric(cells[name]).fillna(default), dtype=np.float64)


def _tally(frame: pd.DataFrame) -> pd.DataFrame:
    """Count cells by level and measure."""
    tally: dict[str, Any] = {"cells": 1}
    tally["published"] = (frame["state"] == CellState.PUBLISHED).astype(np.int64)
    tally["withheld"] = 1 - tally["published"]
    tally |= {r.value: (frame["reason"] == r).astype(np.int64) for r in Reason}
    tally["incidents_lost"] = frame["value"].where(frame["reason"] == Reason.SECONDARY, 0).astype(np.int64)
    counted = frame[["level", "measure"]].assign(**tally)[frame["state"] != CellState.LATENT]
    return counted.groupby(["level", "measure"], sort=True).sum().reset_index()


# Secondary suppression of one block: search for witnesses, repair what stays narrow, repeat.


BLOCK_ROUNDS = 6  # bound on rounds of search and repair; hidden cells only ever grow, so that fewer are mostly enough


@dataclass(frozen=True, slots=True)
class Table:
    """The suppression problem as arrays of shape (cells,): what each cell holds, costs and must keep once hidden.

    Attributes
    ----------
    relations
        Rows over the cells; `x` satisfies them.
    x
        True counts.
    low, high
        What an attacker knows of a cell once it is hidden; equal where it cannot be hidden.
    required
        Width ``high - low`` that a hidden cell must keep.
    loss
        Cost of hiding each cell.
    hidden
        Cells hidden whatever it costs.
    """

    relations: Relations
    x: FloatArray
    low: FloatArray
    high: FloatArray
    required: FloatArray
    loss: FloatArray
    hidden: BoolArray

    @property
    def movable(self) -> BoolArray:
        """Which cells may be hidden and then have a non-trivial feasibility interval."""
        return np.asarray(self.low < self.high, dtype=np.bool_)

    def view(self, pattern: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return what is known and required of each cell when `pattern` is hidden: low, high, required."""
        low, high = np.where(pattern, self.low, self.x), np.where(pattern, self.high, self.x)
        return low, high, np.where(pattern, self.required, 0.0)

    def part(self, columns: IntArray) -> "Table":
        """Cut out some cells with every row they stand in; what lies outside is held at its true count."""
        rows = np.unique(csc_array(self.relations.matrix)[:, columns].indices)
        matrix = csr_array(self.relations.matrix[rows])
        inside = np.zeros(self.x.size, dtype=bool)
        inside[columns] = True
        # Rows that no count within its bounds can break limit nothing.
        most, least = np.where(inside, self.high, self.x), np.where(inside, self.low, self.x)
        up, down = csr_array(matrix * (matrix > 0)), csr_array(matrix * (matrix < 0))
        bent = (up @ least + down @ most < self.relations.lower[rows]) | (
            up @ most + down @ least > self.relations.upper[rows]
        )
        rows, matrix = rows[bent], csr_array(matrix[np.flatnonzero(bent)])
        shift = matrix @ np.where(inside, 0.0, self.x)
        relations = Relations(
            csr_array(matrix[:, columns]),
            self.relations.lower[rows] - shift,
            self.relations.upper[rows] - shift,
            self.relations.kind[rows],
            np.searchsorted(columns, self.relations.anchor[rows]).clip(max=columns.size - 1),
        )
        x, low, high, required, loss = (
            array[columns] for array in (self.x, self.low, self.high, self.required, self.loss)
        )
        return Table(relations, x, low, high, required, loss, self.hidden[columns])


@dataclass(frozen=True, slots=True)
class Pattern:
    """What to hide: all hidden cells, those that nothing protects, and possible tables that show the others safe."""

    hidden: BoolArray
    given_up: BoolArray
    witnesses: tuple[Witness, ...] = ()


def greedy_pattern(table: Table) -> Pattern:
    """Hide more cells until every hidden cell is shown to keep its required width.

    Sums by themselves come first, by counting. Then each round searches for witnesses of what is hidden and repairs
    the cells that stay narrow, cheapest first, by the adjustment of least loss. Hidden cells only ever gain; what no
    adjustment can widen is given up.
    """
    hidden = with_room_in_sums(table)
    given_up = beyond_help(table)
    seen_low, seen_high = table.x.copy(), table.x.copy()
    indexed = IndexedTable.build(table)
    witnesses: list[Witness] = []
    for _ in range(BLOCK_ROUNDS):
        low, high, required = table.view(hidden)
        required[given_up] = 0.0
        seen_low, seen_high, witnessed = witnessed_intervals(
            table.relations, low=low, high=high, required=required, truth=table.x, seen=(seen_low, seen_high)
        )
        witnesses += witnessed
        narrow = np.flatnonzero(seen_high - seen_low < required)
        if narrow.size == 0:
            break
        for target in np.repeat(narrow[np.argsort(table.loss[narrow], kind="stable")], 2):  # once up, once down
            seen = (float(seen_low[target]), float(seen_high[target]))
            if seen[1] - seen[0] >= required[target] or given_up[target]:
                continue
            found = cheapest_adjustment(
                indexed, target=int(target), seen=seen, need=float(required[target]), hidden=hidden
            )
            if found is None:
                given_up[target] = True
                continue
            hidden[found.cells] = True
            if found.witness:
                witnesses.append((found.cells, found.counts))
                seen_low[found.cells] = np.minimum(seen_low[found.cells], found.counts)
                seen_high[found.cells] = np.maximum(seen_high[found.cells], found.counts)
    return Pattern(hidden, given_up, tuple(witnesses))


def with_room_in_sums(table: Table) -> BoolArray:
    """Hide partners in each sum until its hidden cells have room to move against each other.

    In one sum, a cell can rise by what the others can fall together, and fall by what they can rise. What other
    relations allow is left to the search that follows; this finds most partners, in no time.

    Returns
    -------
    hidden
        The cells hidden, shape (cells,).

    Examples
    --------
    A total of 46 with the parts 2, 4, 10 and 30, and t = 5 values, a width of 4. With 2 and 4 hidden, each can rise by
    what the other can fall, 4 and 2, and fall by its own 2 and 4: that is enough. The 4 alone needs a partner.

    >>> from pipeline.release.linked_tables import generic_rows
    >>> total = generic_rows(pd.DataFrame(index=range(5)), [({0: 1, 1: -1, 2: -1, 3: -1, 4: -1}, 0.0, 0.0)])
    >>> x, loss = np.array([46.0, 2.0, 4.0, 10.0, 30.0]), np.array([4.0, 1.0, 1.0, 1.0, 1.0])
    >>> known, need = (np.zeros(5), np.full(5, np.inf)), np.full(5, 4.0)
    >>> with_room_in_sums(Table(total, x, *known, need, loss, np.isin(x, [2.0, 4.0]))).tolist()
    [False, True, True, False, False]
    >>> with_room_in_sums(Table(total, x, *known, need, loss, x == 4.0)).tolist()
    [False, False, True, True, False]
    """
    hidden = table.hidden.copy()
    matrix, equal = csr_array(table.relations.matrix), table.relations.equal
    down, up = table.x - table.low, table.high - table.x
    for row in np.flatnonzero(equal):
        at = slice(matrix.indptr[row], matrix.indptr[row + 1])
        cells, sign = matrix.indices[at], matrix.data[at]
        # With the sign of each cell, so that a total that rises counts as a part that falls.
        fall, rise = np.where(sign > 0, up[cells], down[cells]), np.where(sign > 0, down[cells], up[cells])
        while True:
            inside = hidden[cells]
            others_fall = fall[inside].sum() - np.where(np.isinf(fall[inside]), np.nan, fall[inside])
            others_rise = rise[inside].sum() - np.where(np.isinf(rise[inside]), np.nan, rise[inside])
            room = np.minimum(rise[inside], np.nan_to_num(others_fall, nan=np.inf))
            room += np.minimum(fall[inside], np.nan_to_num(others_rise, nan=np.inf))
            if inside.sum() == 1:
                room[:] = 0.0
            missing = table.required[cells][inside] - room
            free = np.flatnonzero(~inside & table.movable[cells])
            if not inside.any() or missing.max() <= 0 or not free.size:
                break
            # The cheapest cell that can fall far enough, else the one that can fall farthest.
            enough = free[fall[free] >= missing.max()]
            best = enough[np.argmin(table.loss[cells[enough]])] if enough.size else free[np.argmax(fall[free])]
            if fall[best] <= 0 and rise[best] <= 0:
                break
            hidden[cells[best]] = True
    return hidden


def beyond_help(table: Table) -> BoolArray:
    """Return the cells that stay too narrow even if everything is hidden: no search can help them."""
    low, high, required = table.view(table.movable | table.hidden)
    system = propagate(reduce_system(table.relations, low=low, high=high))
    lost = np.zeros(table.x.size, dtype=bool)
    lost[system.cells] = system.high - system.low < required[system.cells]
    return lost


# Secondary suppression for one cell: the cheapest change of other cells that moves it far enough.


# Neighbourhoods of a cell in which its protection is sought, smallest first, in the steps of `_near`: the programme
# over a small one is solved fast, and what is chosen in it lies near the cell. Its own sums (s) come first, then the
# sums that cross them (ss). Chains of subsets (c) and inequalities (i) follow, for cells that a category limits. The
# last one alternates both four times, which reaches all of a block; a cell that finds no protection there is given up.
WIDENING = ("s", "ss", "css", "iscss", "isisisis")
LEAN = ("css", "iscss")  # neighbourhoods that leave out published zeros, of which there are many
# Further solutions, at prices divided by what each cell moved in the one before: favours few cells that move far.
REWEIGHTS = 1
NEAR = 1e-6  # tolerance of the solver
LARGE = 600  # cells of a neighbourhood above which the first direction that works is taken
KEPT = 1e-3  # cost per unit of moving a cell that is withheld already: keeps adjustments short
NODES = 200  # branches of an integer programme, after which the adjustment is given up


@dataclass(frozen=True, slots=True)
class IndexedTable:
    """A table with its matrix in both orders."""

    table: Table
    rows: csr_array
    columns: csc_array
    equal: BoolArray

    @classmethod
    def build(cls, table: Table) -> "IndexedTable":
        """Prepare both orders once."""
        matrix = csr_array(table.relations.matrix).astype(np.float64)
        return cls(table, matrix, csc_array(matrix), table.relations.equal)

    def rows_of(self, cells: IntArray) -> IntArray:
        """Rows that any of the cells stands in, ascending."""
        return np.unique(self.columns.indices[_slices(self.columns.indptr, cells)]).astype(np.int64)

    def cells_of(self, rows: IntArray) -> IntArray:
        """Cells of any of the rows, ascending."""
        return np.unique(self.rows.indices[_slices(self.rows.indptr, rows)]).astype(np.int64)

    def neighbourhood(self, cells: IntArray) -> tuple[csc_array, FloatArray, FloatArray]:
        """Rows of a set of cells, everything else held, over what each rises and falls, and the bounds of each row."""
        rows = self.rows_of(cells)
        at = _slices(self.rows.indptr, rows)
        row = np.repeat(np.arange(rows.size), np.diff(self.rows.indptr)[rows])
        column, data = self.rows.indices[at], self.rows.data[at]
        total = np.bincount(row, weights=data * self.table.x[column], minlength=rows.size)
        place = np.searchsorted(cells, column).clip(max=cells.size - 1)
        inside = cells[place] == column
        row, place, data = row[inside], place[inside], data[inside]
        columns = np.concatenate([place, place + cells.size])
        matrix = csc_array((np.concatenate([data, -data]), (np.tile(row, 2), columns)), (rows.size, 2 * cells.size))
        relations = self.table.relations
        return matrix, relations.lower[rows] - total, relations.upper[rows] - total

    def holds(self, cells: IntArray, values: FloatArray) -> bool:
        """Whether the rows still hold after some cells moved."""
        rows = self.rows_of(cells)
        moved = self.table.x.copy()
        moved[cells] = values
        total = self.rows[rows] @ moved
        relations = self.table.relations
        return bool(np.all(total >= relations.lower[rows]) and np.all(total <= relations.upper[rows]))


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Cells that move, the counts they move to, and whether that is a whole-number table (a witness)."""

    cells: IntArray
    counts: FloatArray
    witness: bool


def cheapest_adjustment(
    indexed: IndexedTable, *, target: int, seen: tuple[float, float], need: float, hidden: BoolArray
) -> Adjustment | None:
    """Find the cheapest set of cells whose counts can slide so that the target's range reaches `need`.

    The target is moved up (or down) until the widest pair of witnesses is `need` apart, or as far as its own bounds let
    it (the other way comes with the next adjustment); cells that are published now pay their loss for taking part,
    withheld ones next to nothing. The programme prices each unit moved, so it is solved again with prices divided by
    what each cell moved, which favours few cells. The search starts with the target's nearest relatives and widens
    only while nothing suffices.

    Parameters
    ----------
    indexed
        The table.
    target
        Position of the cell to protect.
    seen
        Lowest and highest value the target is known to be able to take.
    need
        Width its range must have.
    hidden
        Cells withheld so far, shape (cells,).

    Returns
    -------
    adjustment
        None if the table allows none.
    """
    table = indexed.table
    rise, fall = min(seen[0] + need, table.high[target]), max(seen[1] - need, table.low[target])
    goals = [g for g in (rise, fall) if not seen[0] <= g <= seen[1]]
    for steps in WIDENING:
        cells = _near(indexed, target, steps, hidden)
        best: tuple[float, Adjustment] | None = None
        rows = indexed.neighbourhood(cells)
        for goal in goals:
            moved = _cheapest(table, cells, rows, target=target, goal=goal, hidden=hidden, last=steps == WIDENING[-1])
            if moved is None:
                continue
            step = np.abs(moved - table.x[cells])
            changed = step > NEAR
            fresh = changed & ~hidden[cells]
            cost = float(table.loss[cells[fresh]].sum()) + KEPT * float(step.sum())
            if best is None or cost < best[0]:
                values = np.round(moved[changed])
                whole = bool(np.all(np.abs(values - moved[changed]) < NEAR)) and indexed.holds(cells[changed], values)
                best = (cost, Adjustment(cells[changed], values, whole))
            if not fresh.any() or cells.size > LARGE:
                break
        if best is not None:
            return best[1]
    return None


def _near(indexed: IndexedTable, target: int, steps: str, hidden: BoolArray) -> IntArray:
    """Grow a neighbourhood from the target.

    Steps: ``s`` adds all cells of its sums; ``i`` all cells of its inequalities; ``c`` the chains above and below
    the target itself (what must rise with it and what must fall with it). The neighbourhoods in `LEAN` leave out
    published zeros.
    """
    cells = np.asarray([target], dtype=np.int64)
    useful = indexed.table.movable
    if steps in LEAN:
        useful = useful & (hidden | (indexed.table.x > 0))
    for step in steps:
        if step == "c":
            cells = np.union1d(_chain(indexed, cells, 1), _chain(indexed, cells, -1))
        else:
            rows = indexed.rows_of(cells)
            cells = np.union1d(cells, indexed.cells_of(rows[indexed.equal[rows] == (step == "s")]))
        cells = cells[useful[cells] | (cells == target)]
    return cells.astype(np.int64)


def _chain(indexed: IndexedTable, cells: IntArray, sign: int) -> IntArray:
    """Follow the inequalities in which a cell has coefficients of one sign, until no cell is new."""
    while True:
        at = _slices(indexed.columns.indptr, cells)
        rows = np.unique(indexed.columns.indices[at][np.sign(indexed.columns.data[at]) == sign])
        grown = np.union1d(cells, indexed.cells_of(rows[~indexed.equal[rows]]))
        if grown.size == cells.size:
            return cells
        cells = grown.astype(np.int64)


def _cheapest(
    table: Table,
    cells: IntArray,
    rows: tuple[csc_array, FloatArray, FloatArray],
    *,
    target: int,
    goal: float,
    hidden: BoolArray,
    last: bool,
) -> FloatArray | None:
    """Solve for the moved counts of the cells near the target, everything else held, or None.

    The `last` attempt goes without presolving, which has called feasible systems infeasible.
    """
    x, at = table.x[cells], int(np.searchsorted(cells, target))
    step = goal - x[at]
    # The target moves by exactly the step; everything else at most to its own bounds.
    limits = np.concatenate([table.high[cells] - x, x - table.low[cells]])
    least = np.zeros(2 * x.size)
    least[at], least[x.size + at] = max(step, 0.0), max(-step, 0.0)
    limits[[at, x.size + at]] = least[[at, x.size + at]]
    matrix, low, high = rows
    programme = Programme(matrix, low=low, high=high, least=least, most=limits)
    price = np.where(hidden[cells], KEPT, table.loss[cells])
    for _ in range(REWEIGHTS + 1):
        price[at] = 0.0
        prices = np.concatenate([price, price])
        result = programme.minimise(prices, presolve=not last)
        if result.x is None:
            return None
        rise, fall = result.x.reshape(2, -1)
        amount = np.abs(rise - fall)
        fresh = (amount > NEAR) & ~hidden[cells]
        fresh[at] = False
        if not fresh.any():
            break
        price = np.where(hidden[cells], KEPT, table.loss[cells] * abs(step) / (amount + 0.1 * abs(step)))
    moved = rise - fall
    if not fresh.any() and np.any(np.abs(moved - np.round(moved)) > NEAR):
        # Nothing new to withhold and yet no whole-number table: only the integer programme makes progress.
        whole = Programme(matrix, low=low, high=high, least=least, most=limits, integer=True)
        result = whole.minimise(prices, nodes=NODES)
        if result.x is None:
            return None
        rise, fall = np.round(result.x).reshape(2, -1)
        moved = rise - fall
    return np.asarray(x + moved, dtype=np.float64)


def _slices(indptr: NDArray[Any], picks: IntArray) -> IntArray:
    """Positions of the entries of some rows (or columns) of a compressed matrix, in their order."""
    size = np.diff(indptr)[picks]
    ends = np.cumsum(size)
    return np.asarray(np.arange(ends[-1] if size.size else 0) + np.repeat(indptr[picks] - ends + size, size), np.int64)
