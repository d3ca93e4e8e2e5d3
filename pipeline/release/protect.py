"""Suppression, rounding or noise, and the audit: true counts in, counts that may be seen out.

The order is that of Hundepool et al. (2012), chapter 4: lay out the cells and what links them, primary suppression,
secondary suppression, audit; repeated for the readers of every audience that may hold more than this release.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from pipeline.config import Config, Profile
from pipeline.errors import DisclosureError
from pipeline.release.audit import AuditResult, CellState, audit
from pipeline.release.detail import not_offered_by_detail
from pipeline.release.known_tables import claim_no_protection, disclosed_by_known_tables, known_cells, mark_known
from pipeline.release.linked_tables import (
    COUNTS,
    KEY,
    CellTable,
    Layout,
    Relations,
    cell_table,
    counted,
)
from pipeline.release.offer import Offer
from pipeline.release.released import ReleaseInfo, ReleasePlan
from pipeline.release.rounding import NOISE_REACH, Perturbed, narrow_after_perturbation, perturb
from pipeline.release.steps import RANGED, in_steps, with_composites
from pipeline.release.suppression import Reason, Status, Suppression, suppress
from pipeline.tables import Measure

__all__ = ["NOTHING_SHOWN", "Protected", "RefusedError", "Verdict", "cautions_of", "protect", "release_record"]


class Verdict(StrEnum):
    """What the audit found."""

    PASSED = "passed"
    NOT_NEEDED = "not needed"
    NOT_AUDITED = "not audited: do not publish"


PRUNE_CELLS = 150  # as `suppress` has it: above, trying every secondary cell again takes longer than it is worth
SMALL_TABLE = 5_000  # cells; taking secondary cells back one by one costs an attack each, too long on larger tables
WIDENINGS = 6  # rounds of suppressing the neighbours of disclosed cells; each reaches two relations farther
BROKEN_ROUNDS = 2  # times more that totals are withheld for the sake of relations that do not hold
BoolArray = NDArray[np.bool_]
# States in which a count is not printed. A band still shows that the count is under the threshold.
NOT_PRINTED = (CellState.WITHHELD, CellState.BAND)


class RefusedError(DisclosureError):
    """A release that would disclose a count; `cells` names what could be worked out, for the internal log only."""

    def __init__(self, message: str, cells: pd.DataFrame) -> None:
        super().__init__(message)
        self.cells = cells


@dataclass(frozen=True, slots=True)
class Protected:
    """Counts after the rules of a profile.

    Attributes
    ----------
    counts
        As given, with the range of each count (`<measure>_lower`, `<measure>_upper`), its middle, and a column
        `not_offered`, the set of counts of each row that are not offered.
    verdict
        What the audit found.
    record
        What release.json may report: nothing that distinguishes primary from secondary suppression.
    log
        For the data owner only: primary and secondary cells by level, relations that do not hold, revisions.
    states
        One row per withheld cell: key, state, reason. For the data owner only.
    """

    counts: pd.DataFrame
    verdict: Verdict
    record: dict[str, Any] = field(default_factory=dict)
    log: dict[str, Any] = field(default_factory=dict)
    states: pd.DataFrame = field(default_factory=pd.DataFrame)


def protect(counts: pd.DataFrame, *, months: pd.DataFrame, plan: ReleasePlan, offer: Offer | None = None) -> Protected:
    """Apply a profile's rules to the counts of every window, then attack the result.

    Parameters
    ----------
    counts
        Columns area_code, level, period, category and COUNTS, dense; null where not covered.
    months
        The same per month (see `cell_table`).
    plan
        What the release covers, its rules, and what its readers hold already.
    offer
        Which counts are offered in steps; needed for these alone.

    Raises
    ------
    RefusedError
        If a withheld count could be worked out and no further suppression helps.
    """
    profile = plan.profile
    shown = plan.kept.within(counts).copy()
    for column in COUNTS:
        if column not in counted(profile.measures) or column not in shown.columns:
            shown[column] = pd.array([pd.NA] * len(shown), dtype="Int64")

    if profile.threshold <= 1:
        shown["not_offered"] = [frozenset()] * len(shown)
        return Protected(plan.kept.applied(in_steps(shown, step=1)), Verdict.NOT_NEEDED)
    if offer is not None:
        return _in_steps(shown, plan, offer)

    # The cells of the release and everything that links them, as an attacker sees it.
    layout = Layout(
        parents=plan.parents,
        pairs=plan.category_pairs,
        cohort=plan.config.outcomes.basis == "cohort",
        unions=plan.category_children,
    )
    table = cell_table(shown, months=months, layout=layout, measures=profile.measures)
    table = replace(table, cells=_with_what_is_out(table.cells, shown, plan))
    if plan.known_tables is not None:
        table = replace(table, cells=mark_known(table.cells, known_cells(plan.known_tables, counts)))

    suppressor = _Suppressor(table, layout, plan)
    if profile.protection != "suppress":
        return _perturbed(shown, suppressor, months=months)
    found, verdict, attack = suppressor.withhold()
    hidden = _withheld_by_column(found.cells, len(shown))
    for column, mask in hidden.items():
        shown[column] = shown[column].astype("Int64").mask(mask)
    shown["not_offered"] = _withheld_by_row(hidden, len(shown))
    record, log, states = _report(found, attack, table=table)
    return Protected(plan.kept.applied(in_steps(shown, step=1)), verdict, record, log, states)


def _in_steps(shown: pd.DataFrame, plan: ReleasePlan, offer: Offer) -> Protected:
    """Give every count that is offered as the step it lies in."""
    held = {measure: shown[measure].notna().to_numpy() for measure in COUNTS}
    # What is without a place is the one part of an area's sum that nobody is offered: see `offer`.
    gone = {Measure.INCIDENTS_UNPLACED.value: held[Measure.INCIDENTS_UNPLACED]}
    here = pd.MultiIndex.from_frame(shown[["area_code", "period", "category"]])
    refused = not_offered_by_detail(shown, {c.id: c.detail for c in plan.categories}).to_numpy(dtype=bool)
    series = {(level, p.id) for level, windows in plan.windows.series.items() for p in windows}
    own = pd.MultiIndex.from_frame(shown[["level", "period"]]).isin(list(series))
    for measure in RANGED:
        mine = (offer.cells["measure"] == measure).to_numpy() & offer.offered
        offered = pd.MultiIndex.from_frame(offer.cells.loc[mine, ["area_code", "period", "category"]])
        gone[measure] = held[measure] & (refused | (own & ~here.isin(offered)) | plan.kept.hidden(shown, measure))
    for measure, mask in gone.items():
        shown[measure] = shown[measure].astype("Int64").mask(mask)
    shown["not_offered"] = _withheld_by_row(gone, len(shown))
    # What is out already stays as it is; longer windows are sums of both.
    ranged = plan.kept.applied(in_steps(shown, step=plan.profile.step))
    ranged = with_composites(ranged, plan.windows.series)
    return Protected(ranged, Verdict.PASSED, log={"not offered": offer.log})


@dataclass(frozen=True, slots=True)
class _Suppressor:
    """Suppression and audit of one release, for its own readers and for those who may hold more."""

    table: CellTable
    layout: Layout
    plan: ReleasePlan

    def withhold(self) -> tuple[Suppression, Verdict, AuditResult | None]:
        """Choose what to withhold and attack it.

        Raises
        ------
        RefusedError
            If no suppression helps.
        """
        profile = self.plan.profile
        found, attack = self._for_audience(profile.threshold, self.table.cells["declared"].to_numpy(dtype=bool))
        return found, Verdict.NOT_AUDITED if attack is None else Verdict.PASSED, attack

    def _for_audience(self, threshold: int, declared: BoolArray) -> tuple[Suppression, AuditResult | None]:
        """Suppress; where the cheapest choice does not pass the audit, more of the linked cells."""
        # Totals of relations that the data breaks: the primary cells are known at once, so that one choice of secondary
        # cells mostly is enough.
        declared = declared | self._totals_of_broken_relations(self._primary(threshold))
        rounds, before = BROKEN_ROUNDS, None
        for _ in range(WIDENINGS):
            cells, relations = self.table.cells.assign(declared=declared), self.table.relations
            found = suppress(
                cells,
                relations=relations,
                threshold=threshold,
                zero_rule=self.plan.profile.zero_rule,
                secondary=self.plan.profile.secondary,
                prune_cells=PRUNE_CELLS if len(cells) <= SMALL_TABLE else 0,
                after=before,
            )
            if not self.plan.profile.secondary:
                return found, None
            attack = audit(found.cells, relations=relations, threshold=threshold, witnesses=found.witnesses)
            # What the known tables disclose by themselves no suppression can protect: no protection is claimed.
            public = cells["known"].to_numpy(dtype=bool) if "known" in cells else np.zeros(len(cells), dtype=bool)
            disclosed = attack.too_narrow
            if public.any():
                given = disclosed_by_known_tables(found.cells, relations, public, threshold, among=disclosed)
                found = replace(found, cells=claim_no_protection(found.cells, given))
                disclosed = np.setdiff1d(disclosed, given)
            if disclosed.size == 0:
                # The audit passed. Secondary cells may have joined further broken relations: withhold their totals too.
                own = found.cells["state"].iloc[: len(declared)].isin(NOT_PRINTED).to_numpy(dtype=bool)
                more, rounds = self._totals_of_broken_relations(own) & ~own, rounds - 1
                if rounds < 0 or not more.any():
                    return found, attack
            else:
                more = self._linked_cells(disclosed, relations, found.cells)
            if not more.any():
                break
            declared |= more
            before = found if len(cells) > SMALL_TABLE else None  # a small table is chosen anew, and loses less
        raise RefusedError(_refusal(self.plan.profile, int(disclosed.size)), found.cells.iloc[disclosed])

    def _primary(self, threshold: int) -> BoolArray:
        """Return the cells of primary suppression."""
        few = self.table.cells["value"].between(1, threshold - 1) & ~self.table.cells["latent"].astype(bool)
        return np.asarray(few, dtype=np.bool_)

    def _totals_of_broken_relations(self, hidden: BoolArray) -> BoolArray:
        """Return the totals of sums and subsets that do not hold in the data and have a withheld member.

        Whoever assumes that such a row holds works out a withheld count, mostly wrongly, but now and then not.
        """
        broken = self.table.broken
        beside = np.abs(broken.matrix) @ hidden.astype(np.int64) > 0
        totals = np.zeros(len(hidden), dtype=bool)
        totals[broken.anchor[beside]] = True
        known = self.table.cells.get("known", False)
        return np.asarray(totals & ~self.table.cells["latent"].astype(bool) & ~np.asarray(known), dtype=np.bool_)

    def _linked_cells(self, disclosed: NDArray[np.int64], relations: Relations, cells: pd.DataFrame) -> BoolArray:
        """Return the published cells of this release within two relations of the disclosed ones."""
        own = len(self.table.cells)
        matrix = csc_array(relations.matrix)
        at = disclosed
        for _ in range(2):
            rows = np.unique(matrix[:, at].indices)
            at = np.unique(csr_array(relations.matrix)[rows].indices)
        linked = np.zeros(len(cells), dtype=bool)
        linked[at] = True
        linked &= (cells["state"] == CellState.PUBLISHED).to_numpy(dtype=bool) & ~cells["known"].to_numpy(dtype=bool)
        return np.asarray(linked[:own], dtype=np.bool_)


def _with_what_is_out(cells: pd.DataFrame, shown: pd.DataFrame, plan: ReleasePlan) -> pd.DataFrame:
    """Mark the cells that are out: numbers stay and are known, what is not offered stays away, here and below."""
    fixed, declared = np.zeros(len(cells), dtype=bool), np.zeros(len(cells), dtype=bool)
    out = plan.kept.fixed(shown)
    at, latent = cells["row"].to_numpy(dtype=np.int64), cells["latent"].to_numpy(dtype=bool)
    for measure in COUNTS:
        mine = (cells["measure"] == measure).to_numpy() & ~latent
        numbers = plan.kept.given(shown, measure)
        gone = plan.kept.hidden(shown, measure) | (out & ~numbers)
        fixed[mine], declared[mine] = numbers[at[mine]], (gone & ~numbers)[at[mine]]
    return cells.assign(fixed=fixed, declared=declared)


def _perturbed(shown: pd.DataFrame, suppressor: _Suppressor, *, months: pd.DataFrame) -> Protected:
    """Add noise to every count; suppress as well where that alone would not protect."""
    profile, table = suppressor.plan.profile, suppressor.table
    count = int((~table.cells["latent"].astype(bool)).sum())
    perturbed = perturb(table.cells.iloc[:count], months=months, profile=profile, secret=suppressor.plan.secret)
    hidden = np.zeros(count, dtype=bool)
    threshold, kept = profile.threshold, suppressor.plan.kept
    if kept.releases or narrow_after_perturbation(table, perturbed, hidden=hidden, threshold=threshold).size:
        found, _, _ = suppressor.withhold()
        gone = (CellState.WITHHELD,)
        hidden = found.cells["state"].iloc[:count].isin(gone).to_numpy(dtype=bool)
    at, measure = table.cells["row"].iloc[:count].to_numpy(), table.cells["measure"].iloc[:count].to_numpy()
    masks: dict[str, BoolArray] = {}
    for column in COUNTS:
        mine = measure == column
        values = np.zeros(len(shown), dtype=np.int64)
        values[at[mine]] = perturbed.shown[mine]
        masks[column] = np.zeros(len(shown), dtype=bool)
        masks[column][at[mine]] = hidden[mine] | perturbed.banded[mine]
        shown[column] = pd.Series(values, index=shown.index, dtype="Int64").mask(
            shown[column].isna().to_numpy(dtype=bool) | masks[column]
        )
    shown["not_offered"] = _withheld_by_row(masks, len(shown))
    record = {
        "states": {},
        "attack": {"counts_attacked": count},
    }
    log = {"withheld_outright": int(hidden.sum()), "relations_dropped": table.dropped.to_dict("records")}
    ranged = _with_errors(in_steps(shown, step=1), table, perturbed)
    return Protected(kept.applied(ranged), Verdict.PASSED, record, log)


def _with_errors(ranged: pd.DataFrame, table: CellTable, perturbed: Perturbed) -> pd.DataFrame:
    """Put the counts that may be behind a blurred number in the place of its range."""
    out, count = ranged.copy(), perturbed.shown.size
    at, measure = table.cells["row"].iloc[:count].to_numpy(), table.cells["measure"].iloc[:count].to_numpy()
    for column in RANGED:
        mine = measure == column
        for end, values in (("lower", perturbed.low), ("upper", perturbed.high)):
            ends = np.zeros(len(out), dtype=np.int64)
            ends[at[mine]] = values[mine]
            name = f"{column}_{end}"
            out[name] = pd.Series(pd.array(ends, dtype="Int64"), index=out.index).mask(out[column].isna())
    return out


def _refusal(profile: Profile, number: int) -> str:
    return (
        f'profile "{profile.name}": {number} withheld counts could be worked out from what is published, and no '
        "further withholding helps. Nothing was written. Use longer windows, fewer categories or a higher threshold."
    )


# What the release reports about suppression: to readers, and to the data owner alone.


def _report(
    found: Suppression, attack: AuditResult | None, *, table: CellTable
) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    """Return what release.json may report, what is for the data owner only, and every withheld cell with its state."""
    own = found.cells[(found.cells["status"] != "") & ~found.cells["latent"].astype(bool)]
    # "Added by us" would separate secondary from primary cells: readers see both as protected.
    reported = own.assign(state=own["status"].replace({Status.ADDED.value: Status.PROTECTED.value}))
    record: dict[str, Any] = {
        "states": _states(reported),
        "attack": None if attack is None else {"counts_attacked": len(attack.cells), **attack.blocks},
    }
    log = {
        "primary": int(found.counts[Reason.PRIMARY].sum()),
        "secondary": int(found.counts[Reason.SECONDARY].sum()),
        "withheld_per_primary": None if found.ratio is None else round(found.ratio, 3),
        "by_level": found.counts.to_dict("records"),
        "states": _states(own.assign(state=own["status"])),
        "relations_dropped": table.dropped.to_dict("records"),
    }
    return record, log, own[["level", *KEY, "status", "reason"]].rename(columns={"status": "state"})


def _states(cells: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """Count withheld cells by level, measure and state."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (level, measure, state), group in cells.groupby(["level", "measure", "state"], sort=True):
        found.setdefault(str(level), {}).setdefault(str(measure), {})[str(state)] = len(group)
    return found


def _withheld_by_column(cells: pd.DataFrame, rows: int) -> dict[str, BoolArray]:
    """Which rows of which column of counts are withheld."""
    hidden = {}
    at = cells[~cells["latent"].astype(bool) & (cells["state"] != CellState.PUBLISHED)]
    for column in COUNTS:
        mask = np.zeros(rows, dtype=bool)
        mask[at.loc[at["measure"] == column, "row"].to_numpy(dtype=np.int64)] = True
        hidden[column] = mask
    return hidden


def _withheld_by_row(hidden: Mapping[str, BoolArray], rows: int) -> list[frozenset[str]]:
    """Return the withheld columns of each row."""
    return [frozenset(column for column, mask in hidden.items() if mask[row]) for row in range(rows)]


# What release.json reports: the rules, the verdict, and which counts are withheld in which state; `record` counts the
# rest on the released table.
#
# Nothing here distinguishes primary from secondary suppression: how many cells of each there are, their sums, and which
# relations the data breaks are for the data owner only.


NOTHING_SHOWN = (
    "No number can be shown under the rules of this folder: counts are too small to be shown without risk to the "
    "people involved. Ask for longer periods, larger areas or fewer categories."
)


def cautions_of(protected: Protected, profile: Profile) -> tuple[str, ...]:
    """Return the cautions due where nothing can be shown, or where known tables hold what is withheld."""
    counts = protected.counts
    if "incidents" in profile.measures and len(counts) and counts["incidents"].fillna(0).eq(0).all():
        return (NOTHING_SHOWN,)
    public = any(
        Status.AT_SOURCE in states for level in protected.record.get("states", {}).values() for states in level.values()
    )
    if public:
        return ("Some numbers withheld here are public at their source; no protection is claimed for them.",)
    return ()


def release_record(
    info: ReleaseInfo, config: Config, profile: Profile, protected: Protected, notes: tuple[str, ...]
) -> dict[str, Any]:
    """Return what release.json reports."""
    shown = protected.record
    return {
        "profile": info.profile,
        "audience": info.audience,
        "marking": info.marking,
        "title": info.title,
        "synthetic": info.synthetic,
        "headline": {"start": info.headline.start, "end": info.headline.end},
        "missing_months": list(info.lacking),
        "audit": info.audit,
        "attack": shown.get("attack"),
        "rules": _rules_of(profile),
        "withheld": {"states": shown.get("states", {})},
        "known_tables": [t.name for t in config.disclosure.known_tables],
        "everything_withheld": NOTHING_SHOWN in info.caveats,
        "hotspots": info.hotspot_note,
        "density": info.density_note,
        "method_notes": list(notes) if info.audience == "internal" else [],
        "licence": info.licence,
        "publisher": info.publisher,
        "protected": protected.verdict != Verdict.NOT_NEEDED,
    }


def _rules_of(profile: Profile) -> dict[str, Any]:
    """Return the rules of a profile as release.json states them."""
    return {
        "threshold": profile.threshold,
        "threshold_reason": profile.threshold_reason,
        "protection": profile.protection,
        "protection_reason": profile.protection_reason,
        "step": profile.step,
        "zero_rule": profile.zero_rule,
        "secondary": profile.secondary,
        "noise_reach": NOISE_REACH if profile.protection == "noise" else 0,
        "ward_period": profile.ward_period,
        "borough_period": profile.borough_period,
        "min_bandwidth_m": profile.min_bandwidth_m,
        "min_density_incidents": profile.min_density_incidents,
        "min_locations": profile.min_locations,
        "min_addresses": profile.min_addresses,
        "max_location_share_pct": profile.max_location_share_pct,
        "lattice_m": profile.lattice_m,
        "scope": list(profile.scope),
    }
