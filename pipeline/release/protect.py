"""Steps, suppression or noise: convert true counts to counts that may be released.

Suppression follows the order of Hundepool et al. (2012), chapter 4: lay out the cells and what links them, primary
suppression, secondary suppression, audit. Previous releases need no search: released numbers do not change, and counts
not offered to a closer audience are withheld here too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Config, Profile
from pipeline.domain.categories import declared_relations
from pipeline.domain.periods import Period
from pipeline.errors import DisclosureError
from pipeline.release.audit import CellState
from pipeline.release.detail import given_otherwise
from pipeline.release.linked_tables import (
    COUNTS,
    KEY,
    CellTable,
    Layout,
    cell_table,
    counted,
    declared_unions,
    long_cells,
)
from pipeline.release.noise import NOISE_REACH, perturb
from pipeline.release.offer import Offer
from pipeline.release.released import ReleaseInfo, ReleasePlan
from pipeline.release.steps import RANGED, in_steps, with_composites
from pipeline.release.suppression import Reason, Status, Suppression, suppress
from pipeline.statistics.uncertainty import Ranges
from pipeline.tables import Level, Measure

__all__ = [
    "NOTHING_SHOWN",
    "Protected",
    "RefusedError",
    "State",
    "Verdict",
    "cautions_of",
    "known_cells",
    "mark_known",
    "protect",
    "release_record",
    "states_of",
]


class Verdict(StrEnum):
    """Result of the audit."""

    PASSED = "passed"
    NOT_NEEDED = "not needed"
    NOT_AUDITED = "not audited: do not publish"
    EXPERIMENTAL = "not audited: noise is experimental"


BoolArray = NDArray[np.bool_]


class RefusedError(DisclosureError):
    """A release that would disclose a count; `cells` lists the recoverable counts, for the internal log only."""

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
        Content of release.json: nothing that distinguishes primary from secondary suppression.
    log
        For the data owner only: primary and secondary cells by level, broken relations.
    states
        One row per withheld cell: key, state, reason. For the data owner only.
    """

    counts: pd.DataFrame
    verdict: Verdict
    record: dict[str, Any] = field(default_factory=dict)
    log: dict[str, Any] = field(default_factory=dict)
    states: pd.DataFrame = field(default_factory=pd.DataFrame)


def protect(counts: pd.DataFrame, *, months: pd.DataFrame, plan: ReleasePlan, offer: Offer | None = None) -> Protected:
    """Apply a profile's rules to the counts of every window, then audit the result.

    Parameters
    ----------
    counts
        Columns area_code, level, period, category and COUNTS, dense; null where not covered.
    months
        The same per month, for noise.
    plan
        What the release covers, its rules, and previous releases.
    offer
        Which counts are offered in steps; needed for these alone.

    Raises
    ------
    RefusedError
        If a withheld count could be recovered and no further suppression helps.
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

    if profile.protection == "noise":
        return _perturbed(shown, months=months, plan=plan)
    return _suppressed(shown, plan=plan)


def _suppressed(shown: pd.DataFrame, *, plan: ReleasePlan) -> Protected:
    """Withhold small counts and further counts from which they could be recovered.

    Raises
    ------
    RefusedError
        If external tables disclose a withheld count.
    """
    profile = plan.profile
    layout = Layout(
        parents=plan.parents,
        part_of=plan.category_pairs,
        cohort=plan.config.outcomes.basis == "cohort",
        unions=declared_unions(declared_relations(plan.config)),
        levels=dict(zip(plan.areas["area_code"], plan.areas["level"], strict=True)),
    )
    series = {str(level): [p.id for p in windows] for level, windows in plan.windows.series.items()}

    # The cells of the release and everything that links them, as an attacker sees it.
    table = cell_table(shown, layout=layout, measures=profile.measures, series=series)
    cells = _with_what_is_out(table.cells, shown, plan)
    if plan.known_tables is not None:
        cells = mark_known(cells, known_cells(plan.known_tables, shown))
    found = suppress(
        cells,
        relations=table.relations,
        progress=plan.progress,
        broken=table.broken,
        threshold=profile.threshold,
        secondary=profile.secondary,
        part_of=plan.category_pairs,
    )
    if found.unprotected.size:
        raise RefusedError(_refusal(profile, int(found.unprotected.size)), cells.iloc[found.unprotected])

    hidden = _withheld_by_column(found.cells, len(shown))
    for column, mask in hidden.items():
        shown[column] = shown[column].astype("Int64").mask(mask)
    shown["not_offered"] = _not_offered_by_row(hidden, len(shown))
    # Released numbers do not change; longer windows are sums of both.
    ranged = with_composites(plan.kept.applied(in_steps(shown, step=1)), plan.windows.series)
    record, log, states = _report(found, table=table)
    verdict = Verdict.NOT_AUDITED if found.attack is None else Verdict.PASSED
    return Protected(ranged, verdict, record, log, states)


def _in_steps(shown: pd.DataFrame, plan: ReleasePlan, offer: Offer) -> Protected:
    """Convert every offered count to the step it lies in."""
    held = {measure: shown[measure].notna().to_numpy() for measure in COUNTS}
    # The part of an area's sum without a location is offered to nobody: see `offer`.
    gone = {Measure.INCIDENTS_UNPLACED.value: held[Measure.INCIDENTS_UNPLACED]}
    here = pd.MultiIndex.from_frame(shown[["area_code", "period", "category"]])
    refused = given_otherwise(shown, plan).to_numpy(dtype=bool)
    long = {(Level.WARD_GROUP.value, p.id) for p in plan.windows.long}
    series = {(level, p.id) for level, windows in plan.windows.series.items() for p in windows} | long
    own = pd.MultiIndex.from_frame(shown[["level", "period"]]).isin(list(series))
    for measure in RANGED:
        mine = (offer.cells["measure"] == measure).to_numpy() & offer.offered
        offered = pd.MultiIndex.from_frame(offer.cells.loc[mine, ["area_code", "period", "category"]])
        gone[measure] = held[measure] & (refused | (own & ~here.isin(offered)) | plan.kept.hidden(shown, measure))
    for measure, mask in gone.items():
        shown[measure] = shown[measure].astype("Int64").mask(mask)
    shown["not_offered"] = _not_offered_by_row(gone, len(shown))
    # Released numbers do not change; longer windows are sums of both.
    ranged = plan.kept.applied(in_steps(shown, step=plan.profile.step))
    ranged = with_composites(ranged, plan.windows.series, own=long)
    return Protected(ranged, Verdict.PASSED, log={"not offered": offer.log})


def _with_what_is_out(cells: pd.DataFrame, shown: pd.DataFrame, plan: ReleasePlan) -> pd.DataFrame:
    """Mark the released cells: numbers are kept and known; cells not offered remain so, with everything below."""
    fixed, declared = np.zeros(len(cells), dtype=bool), np.zeros(len(cells), dtype=bool)
    out, stays = plan.kept.fixed(shown), np.zeros(len(cells), dtype=bool)
    at, latent = cells["row"].to_numpy(dtype=np.int64), cells["latent"].to_numpy(dtype=bool)
    for measure in COUNTS:
        mine = (cells["measure"] == measure).to_numpy() & ~latent
        numbers = plan.kept.given(shown, measure)
        gone = plan.kept.hidden(shown, measure) | (out & ~numbers)
        fixed[mine], declared[mine] = numbers[at[mine]], (gone & ~numbers)[at[mine]]
        stays[mine] = out[at[mine]]
    return cells.assign(fixed=fixed, declared=declared, out=stays)


def _perturbed(shown: pd.DataFrame, *, months: pd.DataFrame, plan: ReleasePlan) -> Protected:
    """Add noise to every count, and set the range of each number to the possible true counts."""
    cells = long_cells(shown, plan.profile.measures)
    perturbed = perturb(cells, months=months, threshold=plan.profile.threshold, secret=plan.secret)
    row, measure = cells["row"].to_numpy(), cells["measure"].to_numpy()
    ranged = shown.assign(not_offered=[frozenset[str]()] * len(shown))
    for column in (c for c in COUNTS if c in set(measure)):
        mine = measure == column
        given = {column: perturbed.shown, f"{column}_lower": perturbed.low, f"{column}_upper": perturbed.high}
        for name, values in given.items():
            if name != column and column not in RANGED:
                continue
            numbers = pd.Series(pd.NA, index=shown.index, dtype="Int64")
            numbers.iloc[row[mine]] = values[mine]
            ranged[name] = numbers
    for column in RANGED:
        for name in (f"{column}_lower", f"{column}_upper"):
            if name not in ranged:
                ranged[name] = pd.array([pd.NA] * len(ranged), dtype="Int64")
    error = np.abs(perturbed.shown - cells["value"].to_numpy(dtype=np.int64))
    record = {"noise": {"reach": NOISE_REACH, "mean_error_pct": _mean_error_pct(perturbed.shown, error)}}
    return Protected(plan.kept.applied(ranged), Verdict.EXPERIMENTAL, record)


def _mean_error_pct(shown: NDArray[np.int64], error: NDArray[np.int64]) -> float | None:
    """Return the errors of all numbers that are not 0, in whole per cent of these numbers."""
    some = shown > 0
    return float(round(100 * error[some].sum() / shown[some].sum())) if some.any() else None


def _refusal(profile: Profile, number: int) -> str:
    return (
        f'profile "{profile.name}": {number} withheld counts could be recovered from published counts, and no '
        "further withholding helps. Nothing was written. Use longer windows, fewer categories or a higher threshold."
    )


# What the release reports about suppression, to readers and to the data owner.


def _report(found: Suppression, *, table: CellTable) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    """Return the content of release.json, the log for the data owner, and every withheld cell with its state."""
    own = found.cells[(found.cells["status"] != "") & ~found.cells["latent"].astype(bool)]
    # "Added by us" would separate secondary from primary cells: readers see both as protected.
    reported = own.assign(state=own["status"].replace({Status.ADDED.value: Status.PROTECTED.value}))
    attack = found.attack
    record: dict[str, Any] = {
        "states": _states(reported),
        "attack": None if attack is None else {"counts_attacked": len(attack.cells), **attack.blocks},
    }
    log = {
        "primary": int(found.counts[Reason.PRIMARY].sum()),
        "secondary": int(found.counts[Reason.SECONDARY].sum()),
        "not_offered_by_rule": int(found.counts[Reason.RULE].sum()),
        "rounds": found.rounds,
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


def _not_offered_by_row(hidden: Mapping[str, BoolArray], rows: int) -> list[frozenset[str]]:
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
    """Return cautions if nothing can be shown, or if known tables contain withheld counts."""
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
    """Return the content of release.json."""
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
        "noise": shown.get("noise"),
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


# Known tables: counts that the public can look up, added up to the windows of a release.


def known_cells(known: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Return what a reader of the known tables knows about each count.

    Parameters
    ----------
    known
        Rows of the known tables: KEY, value. If they contain single months, a window within their span is the sum of
        its months; a month without a row counts as 0.
    counts
        Counts of the release: area_code, period, category.

    Returns
    -------
    cells
        KEY, value: rows for windows of the release.
    """
    frames = [known[known["period"].isin(counts["period"].unique())]]
    single = known[known["period"].str.len() == len("2024-08")]
    for measure, rows in single.groupby("measure", sort=True):
        if measure not in COUNTS:
            continue
        months = rows["period"].str.replace("-", "").astype("int64")
        for period in sorted(counts["period"].unique()):
            span = Period.parse(period)
            if span.first_month < months.min() or span.last_month > months.max():
                continue
            inside = rows[months.between(span.first_month, span.last_month)]
            sums = inside.groupby(["area_code", "category"])["value"].sum()
            here = counts.loc[
                (counts["period"] == period)
                & counts["area_code"].isin(rows["area_code"].unique())
                & counts["category"].isin(rows["category"].unique()),
                ["area_code", "period", "category"],
            ]
            value = sums.reindex(pd.MultiIndex.from_frame(here[["area_code", "category"]]), fill_value=0)
            frames.append(here.assign(measure=measure, value=value.to_numpy()))
    return pd.concat(frames, ignore_index=True).drop_duplicates(list(KEY), ignore_index=True)


def mark_known(cells: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Mark the cells whose count is in a known table."""
    public = known.drop_duplicates(list(KEY)).set_index(list(KEY))["value"]
    there = public.reindex(pd.MultiIndex.from_frame(cells[list(KEY)])).to_numpy(dtype=np.float64, na_value=np.nan)
    return cells.assign(known=there == cells["value"].to_numpy(dtype=np.float64))


# The state of every count, for release.json, counted on the released table alone: readers can count the same in
# area_counts.csv, and no true count is used.


States = dict[str, dict[str, dict[str, int]]]
"""Level to measure to the number of rows in each state, and of all rows."""


class State(StrEnum):
    """The state of a count in a released table; every row has exactly one."""

    NUMBER = "number"
    """A step other than the first, or an exact number."""
    FIRST_STEP = "first_step"
    OTHER_LEVEL = "other_level"
    """Not offered because the category is given at another level, or in longer windows."""
    NOT_OFFERED = "not_offered"
    NO_DATA = "no_data"
    NOT_COVERED = "not_covered"


def states_of(counts: pd.DataFrame, areas: gpd.GeoDataFrame, otherwise: pd.Series) -> States:
    """Count the rows of a released table by level, measure and state, so that the states add up to the rows.

    Parameters
    ----------
    counts
        Table `area_counts`: one row for each covered area, window and category.
    areas
        area_code, level, covered. An area that is not covered has no rows; it is counted with as many as other areas of
        its level.
    otherwise
        Which rows are of another level or window than those of their category (`detail.given_otherwise`).

    Returns
    -------
    states
        Level to measure to the number of rows in each `State` and their sum, `rows`. A measure without any data at a
        level is omitted.

    Examples
    --------
    >>> counts = pd.DataFrame({"area_code": ["A", "B", "C"], "level": "ward", "period": "2024", "category": "all",
    ...                        "incidents_lower": [20, 0, None], "incidents_upper": [29, 9, None],
    ...                        "not_offered": ["", "", "incidents"]})
    >>> areas = pd.DataFrame({"area_code": list("ABCD"), "level": "ward", "covered": [True, True, True, False]})
    >>> states_of(counts, areas, pd.Series([False] * 3))["ward"]["incidents"]
    {'number': 1, 'first_step': 1, 'other_level': 0, 'not_offered': 1, 'no_data': 0, 'not_covered': 1, 'rows': 4}
    """
    found: States = {}
    for level, own in counts.groupby("level", sort=True):
        uncovered = int((~areas.loc[areas["level"] == level, "covered"].astype(bool)).sum())
        each = len(own[["period", "category"]].drop_duplicates())
        other_level = otherwise.loc[own.index].to_numpy(dtype=bool)
        for measure, states in _by_measure(own, other_level):
            tally = {state.value: int(mask.sum()) for state, mask in states.items()}
            if tally[State.NO_DATA] == len(own):
                continue
            tally[State.NOT_COVERED.value] = uncovered * each
            found.setdefault(str(level), {})[measure] = {**tally, "rows": sum(tally.values())}
    return found


def _by_measure(
    rows: pd.DataFrame, other_level: npt.NDArray[np.bool_]
) -> Iterator[tuple[str, dict[State, npt.NDArray[np.bool_]]]]:
    """Return, for each measure, which rows are in which state."""
    names = rows["not_offered"].fillna("").str.split(";")
    for measure in COUNTS:
        if f"{measure}_lower" not in rows and measure not in rows:
            continue
        ranges = Ranges.of(rows, measure)
        gone = np.array([measure in listed for listed in names], dtype=bool) & ~ranges.known
        yield (
            measure,
            {
                State.NUMBER: ranges.known & ~ranges.first_step,
                State.FIRST_STEP: ranges.first_step,
                State.OTHER_LEVEL: gone & other_level,
                State.NOT_OFFERED: gone & ~other_level,
                State.NO_DATA: ~ranges.known & ~gone,
            },
        )
