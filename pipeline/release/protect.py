"""Withholding, rounding and the audit: true counts in, counts that may be seen out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from pipeline.config import Config, Profile
from pipeline.errors import DisclosureError
from pipeline.release.audit import AuditResult, audit
from pipeline.release.known_tables import at_source, given_away, with_known
from pipeline.release.linked_tables import COUNTS, KEY, CellTable, Layout, Relations, cell_table, counted
from pipeline.release.previous_releases import Past, closer, joined, readable, windows_of
from pipeline.release.released import ReleaseInfo
from pipeline.release.rounding import NOISE_REACH, blurred, round_to_base, still_pinned
from pipeline.release.suppression import ADDED, PROTECTED, Suppression, suppress

__all__ = [
    "NOTHING_SHOWN",
    "NOT_AUDITED",
    "NOT_NEEDED",
    "PASSED",
    "Protected",
    "RefusedError",
    "cautions_of",
    "hidden_columns",
    "hidden_names",
    "protect",
    "release_record",
    "tally",
    "told",
]


PASSED, NOT_NEEDED, NOT_AUDITED = "passed", "not needed", "not audited: do not publish"
PRUNE_CELLS = 150
SMALL_TABLE = 5_000  # cells; taking secondary cells back one by one costs an attack each, too long on larger tables
WIDENINGS = 6
BELIEFS = 2  # times more that totals are withheld for the sake of relations that do not hold
TRIES = 4  # of withholding for one audience what another's readers would need
BoolArray = NDArray[np.bool_]


class RefusedError(DisclosureError):
    """A release that would give somebody away; `cells` names what could be worked out, for the internal log only."""

    def __init__(self, message: str, cells: pd.DataFrame) -> None:
        super().__init__(message)
        self.cells = cells


@dataclass(frozen=True, slots=True)
class Protected:
    """Counts after the rules of a profile.

    Attributes
    ----------
    counts
        As given, with nulls where withheld and a column `withheld` that names them.
    verdict
        `passed`, `not needed`, or `not audited: do not publish`.
    record
        What release.json may say: nothing that tells a small count from one withheld for its sake.
    log
        What only the house may know: primary and secondary cells by level, relations that do not hold, revisions.
    states
        One row per withheld cell: key, state, reason. For the house.
    """

    counts: pd.DataFrame
    verdict: str
    record: dict[str, Any] = field(default_factory=dict)
    log: dict[str, Any] = field(default_factory=dict)
    states: pd.DataFrame = field(default_factory=pd.DataFrame)


def protect(
    counts: pd.DataFrame,
    *,
    months: pd.DataFrame,
    layout: Layout,
    profile: Profile,
    spots: pd.DataFrame | None = None,
    known: pd.DataFrame | None = None,
    past: Sequence[Past] = (),
    secret: bytes = b"",
) -> Protected:
    """Apply a profile's rules to the counts of every window, then attack the result.

    Parameters
    ----------
    counts
        Columns area_code, level, period, category and COUNTS, dense; null where not covered.
    months, layout, spots
        See `cell_table`.
    profile
        The rules.
    known
        Counts that anybody can look up elsewhere: KEY, value.
    past
        Releases that are out already, oldest first.
    secret
        Key of repeatable noise.

    Raises
    ------
    RefusedError
        If a withheld count could be worked out and no withholding helps.
    """
    shown = counts.copy()
    for column in COUNTS:
        if column not in counted(profile.measures) or column not in shown.columns:
            shown[column] = pd.array([pd.NA] * len(shown), dtype="Int64")
    if profile.threshold <= 1:
        if profile.rounding > 1:
            shown = _rounded(shown, profile)
        shown["withheld"] = ""
        return Protected(shown, NOT_NEEDED, {"cells": tally(shown, {})})
    table = cell_table(
        shown, months=months, layout=layout, measures=profile.measures, spots=spots, earlier=windows_of(past)
    )
    if known is not None:
        table = replace(table, cells=with_known(table.cells, known))
    guard = _Guard(table, layout, profile, tuple(past))
    if profile.protection != "suppress":
        return _blurred(shown, guard, months=months, secret=secret)
    found, verdict, attack = guard.withhold()
    hidden = hidden_columns(found.cells, len(shown))
    for column, mask in hidden.items():
        shown[column] = shown[column].astype("Int64").mask(mask)
    if profile.rounding > 1:
        shown = _rounded(shown, profile)
    shown["withheld"] = hidden_names(hidden, len(shown))
    return Protected(shown, verdict, *told(found, attack, tally(shown, hidden), table=table, earlier=guard.earlier))


@dataclass(frozen=True, slots=True)
class _Guard:
    """One release, the rules it is held to, and what is out already."""

    table: CellTable
    layout: Layout
    profile: Profile
    past: tuple[Past, ...]

    @property
    def earlier(self) -> int:
        """How many earlier releases the readers may hold."""
        return len(readable(self.past, audience=self.profile.audience))

    def withhold(self) -> tuple[Suppression, str, AuditResult | None]:
        """Choose what to withhold and attack it, for the readers of this release and for those who may read more.

        Raises
        ------
        RefusedError
            If no withholding helps.
        """
        declared = np.zeros(len(self.table.cells), dtype=bool)
        for _ in range(TRIES):
            found, attack = self._for(self.profile.audience, self.profile.threshold, declared)
            if attack is None:
                return found, NOT_AUDITED, None
            more = self._for_closer(found)
            if not more.any():
                return found, PASSED, attack
            declared |= more
        raise RefusedError(_refusal(self.profile, int(declared.sum())), self.table.cells[declared])

    def _joined(self, audience: str, threshold: int, declared: BoolArray) -> tuple[pd.DataFrame, Relations]:
        cells = self.table.cells.assign(declared=declared)
        mine = readable(self.past, audience=audience)
        if not mine:
            return cells, self.table.relations
        history = joined(replace(self.table, cells=cells), layout=self.layout, past=mine, threshold=threshold)
        return history.cells, history.relations

    def _for(self, audience: str, threshold: int, declared: BoolArray) -> tuple[Suppression, AuditResult | None]:
        """Withhold for one audience; where the cheapest choices do not suffice, more and more of what is tied to it."""
        declared = declared | self._believed(self._small(threshold))
        rounds, before = BELIEFS, None
        for _ in range(WIDENINGS):
            cells, relations = self._joined(audience, threshold, declared)
            found = suppress(
                cells,
                relations=relations,
                threshold=threshold,
                zero_rule=self.profile.zero_rule,
                secondary=self.profile.secondary,
                prune_cells=PRUNE_CELLS if len(cells) <= SMALL_TABLE else 0,
                after=before,
            )
            if not self.profile.secondary:
                return found, None
            attack = audit(found.cells, relations=relations, threshold=threshold, witnesses=found.witnesses)
            public = cells["known"].to_numpy(dtype=bool) if "known" in cells else np.zeros(len(cells), dtype=bool)
            given = given_away(found.cells, relations, public, threshold, among=attack.pinned)
            found = replace(found, cells=at_source(found.cells, given))
            pinned = np.setdiff1d(attack.pinned, given)
            if pinned.size == 0:
                own = found.cells["state"].iloc[: len(declared)].isin(["withheld", "band"]).to_numpy(dtype=bool)
                more, rounds = self._believed(own) & ~own, rounds - 1
                if rounds < 0 or not more.any():
                    return found, attack
            else:
                more = self._tied(pinned, relations, found.cells)
            if not more.any():
                break
            declared |= more
            before = found if len(cells) > SMALL_TABLE else None  # a small table is chosen anew, and loses less
        raise RefusedError(_refusal(self.profile, int(pinned.size)), found.cells.iloc[pinned])

    def _small(self, threshold: int) -> BoolArray:
        """Return the counts that are withheld for their own sake, so that one choice mostly is enough."""
        few = self.table.cells["value"].between(1, threshold - 1) & ~self.table.cells["latent"].astype(bool)
        return np.asarray(few, dtype=np.bool_)

    def _believed(self, hidden: BoolArray) -> BoolArray:
        """Return the totals of sums and subsets that do not hold and have a withheld member.

        Whoever believes such a row works out a withheld count, mostly wrongly, but now and then not.
        """
        broken = self.table.broken
        beside = np.abs(broken.matrix) @ hidden.astype(np.int64) > 0
        told = np.zeros(len(hidden), dtype=bool)
        told[broken.anchor[beside]] = True
        known = self.table.cells.get("known", False)
        return np.asarray(told & ~self.table.cells["latent"].astype(bool) & ~np.asarray(known), dtype=np.bool_)

    def _tied(self, pinned: NDArray[np.int64], relations: Relations, cells: pd.DataFrame) -> BoolArray:
        """Return published cells of this release that share a relation with pinned ones, or with withheld ones."""
        own = len(self.table.cells)
        matrix = csc_array(relations.matrix)
        at = pinned
        for _ in range(2):
            rows = np.unique(matrix[:, at].indices)
            at = np.unique(csr_array(relations.matrix)[rows].indices)
        tied = np.zeros(len(cells), dtype=bool)
        tied[at] = True
        tied &= (cells["state"] == "published").to_numpy(dtype=bool) & ~cells["known"].to_numpy(dtype=bool)
        return np.asarray(tied[:own], dtype=np.bool_)

    def _for_closer(self, found: Suppression) -> BoolArray:
        """Return what must be withheld here so that readers who may hold more learn nothing from both."""
        own, latent = len(self.table.cells), self.table.cells["latent"].to_numpy(dtype=bool)
        first = found.cells["state"].iloc[:own].isin(["withheld", "band"]).to_numpy(dtype=bool)
        hidden = first.copy()
        for audience in closer(self.past, audience=self.profile.audience):
            threshold = min(p.threshold for p in self.past if p.audience == audience)
            cells, relations = self._joined(audience, threshold, hidden)
            state = np.full(len(cells), "latent", dtype=object)
            state[:own] = np.select([latent, hidden], ["latent", "withheld"], "published")
            known = cells["fixed"] | cells["known"] if "known" in cells else cells["fixed"]
            view = cells.assign(state=state, known=known.astype(bool))
            if not audit(view, relations=relations, threshold=threshold).safe:
                wider, _ = self._for(audience, threshold, hidden)
                hidden |= wider.cells["state"].iloc[:own].isin(["withheld", "band"]).to_numpy(dtype=bool)
        return np.asarray(hidden & ~first, dtype=np.bool_)


def _blurred(shown: pd.DataFrame, guard: _Guard, *, months: pd.DataFrame, secret: bytes) -> Protected:
    """Round every count, or add noise; withhold as well where that alone would not protect."""
    profile, table = guard.profile, guard.table
    count = int((~table.cells["latent"].astype(bool)).sum())
    blur = blurred(table.cells.iloc[:count], months=months, profile=profile, secret=secret)
    nothing = np.zeros(count, dtype=bool)
    hidden, found = nothing, None
    if guard.past or still_pinned(table, blur, hidden=nothing, threshold=profile.threshold).size:
        found, _, _ = guard.withhold()
        gone = ["withheld", "band"] if profile.protection == "round" else ["withheld"]
        hidden = found.cells["state"].iloc[:count].isin(gone).to_numpy(dtype=bool)
    at, measure = table.cells["row"].iloc[:count].to_numpy(), table.cells["measure"].iloc[:count].to_numpy()
    masks: dict[str, BoolArray] = {}
    for column in COUNTS:
        mine = measure == column
        values = np.zeros(len(shown), dtype=np.int64)
        values[at[mine]] = blur.shown[mine]
        masks[column] = np.zeros(len(shown), dtype=bool)
        masks[column][at[mine]] = hidden[mine] | blur.banded[mine]
        shown[column] = pd.Series(values, index=shown.index, dtype="Int64").mask(
            shown[column].isna().to_numpy(dtype=bool) | masks[column]
        )
    shown["withheld"] = hidden_names(masks, len(shown))
    record = {
        "cells": tally(shown, masks),
        "states": {},
        "attack": {"counts_attacked": count},
        "earlier_releases": guard.earlier,
    }
    log = {"withheld_outright": int(hidden.sum()), "relations_dropped": table.dropped.to_dict("records")}
    return Protected(shown, PASSED, record, log)


def _rounded(shown: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Round what is published; zeros stay zeros, and nothing falls under the threshold."""
    out = shown.copy()
    for column in COUNTS:
        values = out[column].astype("Int64")
        whole = values.fillna(0).to_numpy(dtype=np.int64)
        told = round_to_base(whole, base=profile.rounding, threshold=profile.threshold).shown
        out[column] = pd.Series(np.where(whole == 0, 0, told), index=out.index, dtype="Int64").mask(values.isna())
    return out


def _refusal(profile: Profile, number: int) -> str:
    return (
        f'profile "{profile.name}": {number} withheld counts could be worked out from what is published, and no '
        "further withholding helps. Nothing was written. Use longer windows, fewer categories or a higher threshold."
    )


# What is told of the withholding: to readers, and to the house alone.


def told(
    found: Suppression, attack: AuditResult | None, cells: dict[str, Any], *, table: CellTable, earlier: int
) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    """Return what release.json may say, what only the house may know, and every withheld cell with its state."""
    own = found.cells[(found.cells["status"] != "") & ~found.cells["latent"].astype(bool)]
    # "Added by us" would tell the small counts from the others: readers are told of both as protected.
    told = own.assign(state=own["status"].replace({ADDED: PROTECTED}))
    record: dict[str, Any] = {
        "cells": cells,
        "states": _states(told),
        "attack": None if attack is None else {"counts_attacked": len(attack.cells), **attack.blocks},
        "earlier_releases": earlier,
    }
    log = {
        "primary": int(found.counts["primary"].sum()),
        "secondary": int(found.counts["secondary"].sum()),
        "withheld_per_primary": None if found.ratio is None else round(found.ratio, 3),
        "by_level": found.counts.to_dict("records"),
        "states": _states(own.assign(state=own["status"])),
        "relations_dropped": table.dropped.to_dict("records"),
    }
    return record, log, own[["level", *KEY, "status", "reason"]].rename(columns={"status": "state"})


def hidden_columns(cells: pd.DataFrame, rows: int) -> dict[str, BoolArray]:
    """Which rows of which column are withheld."""
    hidden = {}
    at = cells[~cells["latent"].astype(bool) & (cells["state"] != "published")]
    for column in COUNTS:
        mask = np.zeros(rows, dtype=bool)
        mask[at.loc[at["measure"] == column, "row"].to_numpy(dtype=np.int64)] = True
        hidden[column] = mask
    return hidden


def _states(cells: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """Count withheld cells by level, measure and state."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (level, measure, state), group in cells.groupby(["level", "measure", "state"], sort=True):
        found.setdefault(str(level), {}).setdefault(str(measure), {})[str(state)] = len(group)
    return found


def tally(shown: pd.DataFrame, hidden: dict[str, BoolArray]) -> dict[str, Any]:
    """Count what is shown and withheld by level and measure."""
    nothing = np.zeros(len(shown), dtype=bool)
    return {
        str(level): {
            column: {
                "shown": int(group[column].notna().sum()),
                "withheld": int(hidden.get(column, nothing)[group.index].sum()),
            }
            for column in COUNTS
        }
        for level, group in shown.reset_index(drop=True).groupby("level", sort=True)
    }


def hidden_names(hidden: dict[str, BoolArray], rows: int) -> list[str]:
    """Return, for each row, the hidden columns joined by semicolons."""
    words = [""] * rows
    for column, mask in hidden.items():
        for position in mask.nonzero()[0]:
            words[position] = f"{words[position]};{column}" if words[position] else column
    return words


# What release.json says: the rules, the verdict, what is withheld and in which state, and what that costs the reader.
#
# Nothing here tells a small count from one that is withheld for its sake: how many of each there are, their sums, and
# which relations the data breaks stay in the house.


NOTHING_SHOWN = (
    "Every count is withheld under the rules of this folder: the numbers are too small to be shown without risk to "
    "the people involved. Ask for longer periods, larger areas or fewer categories."
)
AT_SOURCE = "already public at source"


def cautions_of(guarded: Protected, profile: Profile) -> tuple[str, ...]:
    """Say so where the rules leave nothing to show, or where what is withheld can be looked up elsewhere."""
    counts = guarded.counts
    if "incidents" in profile.measures and len(counts) and counts["incidents"].isna().all():
        return (NOTHING_SHOWN,)
    public = any(
        AT_SOURCE in states for level in guarded.record.get("states", {}).values() for states in level.values()
    )
    if public:
        return ("Some numbers withheld here are public at their source; no protection is claimed for them.",)
    return ()


def release_record(
    info: ReleaseInfo, config: Config, profile: Profile, guarded: Protected, notes: tuple[str, ...]
) -> dict[str, Any]:
    """Return what release.json says."""
    shown = guarded.record
    return {
        "profile": info.profile,
        "audience": info.audience,
        "marking": info.marking,
        "title": info.title,
        "synthetic": info.synthetic,
        "headline": {"start": info.headline.start, "end": info.headline.end},
        "audit": info.audit,
        "attack": shown.get("attack"),
        "rules": rules_of(profile),
        "withheld": {"cells": shown["cells"], "states": shown.get("states", {})},
        "information_lost": information_lost(guarded.counts, guarded.record["cells"]),
        "known_tables": [t.name for t in config.disclosure.known_tables],
        "earlier_releases": shown.get("earlier_releases", 0),
        "everything_withheld": NOTHING_SHOWN in info.caveats,
        "hotspots": info.hotspot_note,
        "density": info.density_note,
        "method_notes": list(notes) if info.audience == "internal" else [],
        "licence": info.licence,
        "publisher": info.publisher,
        "protected": guarded.verdict != NOT_NEEDED,
    }


def rules_of(profile: Profile) -> dict[str, Any]:
    """Return the rules of a profile as release.json states them."""
    return {
        "threshold": profile.threshold,
        "threshold_reason": profile.threshold_reason,
        "zero_rule": profile.zero_rule,
        "secondary": profile.secondary,
        "protection": profile.protection,
        "rounding": profile.rounding,
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


def information_lost(counts: pd.DataFrame, cells: dict[str, Any]) -> dict[str, Any]:
    """Return, per level, what is not shown, from what is shown alone.

    `counts_withheld_pct` is the share of the numbers of each measure; `incidents_shown_pct` is what the shown counts
    of all incidents add up to, in per cent of the region's own shown total over the same windows (null where that is
    withheld or nothing is comparable).
    """
    whole = counts[counts["category"] == "all"]
    region = whole[whole["level"] == "region"].groupby("period")["incidents"].first()
    lost: dict[str, Any] = {}
    for level, measures in cells.items():
        shown, hidden = (sum(m[k] for m in measures.values()) for k in ("shown", "withheld"))
        here = whole[(whole["level"] == level)]
        parts = here.groupby("period")["incidents"].sum(min_count=1)
        total = region.reindex(parts.index)
        both = parts.notna() & total.notna() & (total > 0)
        share = float(100 * parts[both].sum() / total[both].sum()) if both.any() else None
        lost[level] = {
            "counts_withheld_pct": round(100 * hidden / (shown + hidden), 1) if shown + hidden else 0.0,
            "incidents_shown_pct": None if share is None else round(min(share, 100.0), 1),
        }
    return lost
