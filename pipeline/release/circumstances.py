"""Circumstances: when, where and how incidents happened and were reported, one variable at a time, through the gate.

One window, all categories together (but for internal). Each variable is a table of areas by values that is suppressed
and audited by itself; the only links between variables are the totals of each area.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.aggregate.circumstances import (
    KEYS,
    NOT_STATED,
    OTHER,
    TOO_RECENT,
    TOTAL,
    VARIABLES,
    Detail,
    add_shares,
    window_counts,
)
from pipeline.config import Profile
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period, add_months, month_of
from pipeline.release.audit import CellState, audit
from pipeline.release.earlier_releases import AUDIENCES, EarlierRelease
from pipeline.release.linked_tables import Relations, generic_rows
from pipeline.release.released import ReleasePlan
from pipeline.release.suppression import suppress
from pipeline.tables import CIRCUMSTANCES, Level, Measure

__all__ = [
    "Cell",
    "Circumstances",
    "ReleasedCircumstances",
    "Setting",
    "Sums",
    "hidden_cells",
    "release_circumstances",
    "shown_cells",
    "withheld_values",
]


@dataclass(frozen=True, slots=True)
class ReleasedCircumstances:
    """The circumstances of a previous release, as its readers hold them: `KEYS` and incidents, null where withheld."""

    run: str
    profile: str
    audience: str
    threshold: int
    headline: str
    counts: pd.DataFrame

    @classmethod
    def of(cls, release: EarlierRelease) -> "ReleasedCircumstances | None":
        """Return those of an earlier release; None where it shows none."""
        if release.circumstances is None:
            return None
        counts = release.circumstances[[*KEYS, "incidents"]]
        return cls(release.run, release.profile, release.audience, release.step, release.headline, counts)

    def fits(self, counts: pd.DataFrame) -> bool:
        """Whether these counts would show what was shown: then no reader can see that anything changed."""
        now = counts.set_index(list(KEYS))["incidents"]
        shown = self.counts[self.counts["incidents"].notna()]
        present = now.reindex(pd.MultiIndex.from_frame(shown[list(KEYS)])).to_numpy(dtype=np.float64)
        printed = shown["incidents"].to_numpy(dtype=np.int64)
        return bool((present == printed).all())


def shown_cells(previous: Sequence[ReleasedCircumstances]) -> set[tuple[str, ...]]:
    """Return what readers of previous releases see: organisation, variable, area, value."""
    return {
        (o, q, a, v)
        for t in previous
        for a, o, q, v in t.counts.loc[
            t.counts["incidents"].notna(), ["area_code", "organisation", "question", "answer"]
        ].itertuples(index=False, name=None)
    }


# Which values of which variables a release shows, organisation by organisation.


TYPICAL = 10
"""Values are shown by borough where an organisation's typical borough has this many times the threshold."""


Cell = tuple[str, ...]
"""Organisation, variable, area, value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a release of circumstances covers, and what its readers hold already.

    Attributes
    ----------
    run, profile, headline
        Whose, under which rules, and of which window.
    areas
        Table `areas` of the profile's scope.
    counts
        Protected counts of the headline window, the totals that readers have; `withheld` is a set for each row.
    mature_until
        Last month whose outcomes had time to come (yyyymm), 0 for no outcomes.
    fewest
        Values that are not in the product's own lists are named from this many incidents in the region on.
    region_whole
        Whether the region's counts of all categories together are shown in every window.
    previous
        Circumstances released before from the same data, oldest first.
    """

    run: str
    profile: Profile
    headline: Period
    areas: pd.DataFrame
    counts: pd.DataFrame
    mature_until: int
    fewest: int
    region_whole: bool
    previous: tuple[ReleasedCircumstances, ...] = ()

    @classmethod
    def of(cls, plan: ReleasePlan, counts: pd.DataFrame) -> "Setting":
        """Take the setting of one release from its plan and its protected counts."""
        config, headline = plan.config, plan.windows.headline
        last = add_months(month_of(plan.windows.last_date), -config.outcomes.maturity_months)
        region = counts[(counts["level"] == Level.REGION) & (counts["category"] == ROOT)]
        return cls(
            run=config.run.name,
            profile=plan.profile,
            headline=headline,
            areas=plan.areas,
            counts=counts[counts["period"] == headline.id],
            mature_until=last if config.outcomes.basis == "cohort" else 0,
            fewest=max(p.threshold for p in config.profiles),
            region_whole=frozenset().union(*region["not_offered"]) <= {Measure.INCIDENTS_UNPLACED},
            previous=tuple(c for r in plan.kept.others if (c := ReleasedCircumstances.of(r)) is not None),
        )

    @property
    def region(self) -> str:
        """Code of the region."""
        return str(self.areas.loc[self.areas["level"] == "region", "area_code"].iloc[0])

    def total(self, area: str, measure: str = "incidents") -> bool:
        """Whether the count of an area is shown."""
        row = self.counts[(self.counts["area_code"] == area) & (self.counts["category"] == ROOT)]
        return bool(len(row) and row[measure].notna().all())

    def withheld(self, area: str, measure: str) -> bool:
        """Whether a count of an area is withheld, rather than absent."""
        row = self.counts[(self.counts["area_code"] == area) & (self.counts["category"] == ROOT)]
        return any(measure in names for names in row["not_offered"])


def hidden_cells(
    counts: pd.DataFrame, setting: Setting, *, known: AbstractSet[Cell], least: AbstractSet[Cell] | None
) -> dict[Cell, bool]:
    """Decide for every cell whether it is withheld; cells that are not named are.

    `known` is what readers hold; `least`, if given, is all that readers of a folder for fewer people hold: no more is
    shown.
    """
    region = setting.region
    if setting.profile.audience == "partner":
        every = [region, *sorted(set(counts["area_code"]) - {region, ""}), ""]
        found = _over(every, counts, setting, known=known, least=least)
        if found is not None:
            return found
    if any(a != region for _, _, a, _ in known):
        return {}
    return _over([region], counts, setting, known=known, least=least) or {}


def _over(
    every: list[str],
    counts: pd.DataFrame,
    setting: Setting,
    *,
    known: AbstractSet[Cell],
    least: AbstractSet[Cell] | None,
) -> dict[Cell, bool] | None:
    """Choose over some areas, the region first; None if the totals of organisations cannot be shown."""
    profile, region = setting.profile, setting.region
    outside = set(every) - set(setting.areas["area_code"])
    totals = counts[counts["question"] == TOTAL].pivot_table(
        index="area_code", columns="organisation", values="incidents", aggfunc="sum", fill_value=0
    )
    totals = totals.reindex(every, fill_value=0)
    of_total = {(q, a, v) for o, q, a, v in known if q == TOTAL}
    unknown = {a for a in every if a and not setting.total(a)}
    hidden = withheld_values(
        Sums(
            totals,
            region,
            totals={a for a in every if a not in unknown and (a or not unknown)},
            closed=unknown | outside,
            known={(a, v) for _, a, v in of_total},
            declared=_beyond(least, totals, TOTAL, None),
        ),
        profile,
    )
    if hidden is None:
        return None
    out: dict[Cell, bool] = {(o, TOTAL, a, o): bool(hidden.loc[a, o]) for a in every for o in totals.columns}
    rest = counts[counts["question"] != TOTAL]
    for (organisation, question), rows in rest.groupby(["organisation", "question"], sort=True):
        wide = rows.pivot_table(index="area_code", columns="answer", values="incidents", aggfunc="sum", fill_value=0)
        open_ = _open_totals(hidden[organisation])
        if region not in open_:
            continue
        regional = VARIABLES[question].detail is Detail.REGION
        alone = regional or not _enough(totals[organisation], setting)
        if regional and not setting.region_whole:
            continue
        # Such a variable comes close to the number without a place in a borough, which may be withheld.
        near_unplaced = VARIABLES[question].tells_unplaced
        shut = {a for a in every if near_unplaced and setting.withheld(a, Measure.INCIDENTS_UNPLACED)} - {region}
        mine = {(a, v) for o, q, a, v in known if (o, q) == (organisation, question)}
        for areas in ([region],) if alone else (every, [region]):
            if any(a not in areas for a, _ in mine):
                continue
            sums = Sums(
                wide.reindex(areas, fill_value=0),
                region,
                totals=open_ & set(areas),
                closed=(set(areas) - open_) | shut & set(areas) | outside & set(areas),
                known=mine,
                declared=_beyond(least, wide.reindex(areas), question, organisation),
            )
            gone = withheld_values(sums, profile)
            if gone is not None:
                out |= {(organisation, question, a, v): bool(gone.loc[a, v]) for a in areas for v in wide.columns}
                break
    return out


def _enough(totals: "pd.Series[int]", setting: Setting) -> bool:
    """Whether an organisation recorded enough in a typical borough for most values to be shown."""
    by_borough = totals.drop([setting.region, ""], errors="ignore")
    return bool(len(by_borough) and by_borough.median() >= TYPICAL * setting.profile.threshold)


def _open_totals(hidden: "pd.Series[bool]") -> set[str]:
    """Return the areas whose total readers know: those shown, and what is in no borough where all others are shown."""
    shown = {str(a) for a in hidden.index if a and not hidden[a]}
    return shown | {""} if len(shown) == len(hidden) - 1 and "" in hidden.index else shown


def _beyond(
    least: AbstractSet[Cell] | None, wide: pd.DataFrame, question: str, organisation: str | None
) -> set[tuple[str, str]]:
    """Return the cells that readers of a folder for fewer people do not hold."""
    if least is None:
        return set()
    return {(a, v) for a in wide.index for v in wide.columns if (organisation or v, question, a, v) not in least}


# One variable's values by area: primary suppression of small ones, secondary suppression, audit.
#
# The attacker knows how many incidents each organisation recorded in each area wherever that is shown, that the values
# of an area add up to that number, and that boroughs add up to the region. Two variables of the same incidents share
# nothing but these totals, so each is protected by itself: any values of one go with any values of another. An area
# whose total is withheld shows no value of any variable, so that no variable discloses more of its total than the
# totals do.


AREA_TOTAL = "(total)"
AreaValue = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sums:
    """True counts of one variable, and what may be shown or is known of them.

    Attributes
    ----------
    counts
        One row per area, the region first, "" for what is in no borough; one column per value. Columns without any
        incident and rows without any are left out by `withheld_values`.
    region
        Code of the region.
    totals
        Areas whose sum over the values the attacker knows.
    closed
        Areas that show nothing.
    known
        Cells (area, value) that readers have from other folders.
    declared
        Cells that must be withheld.
    """

    counts: pd.DataFrame
    region: str
    totals: AbstractSet[str]
    closed: AbstractSet[str] = frozenset()
    known: AbstractSet[AreaValue] = frozenset()
    declared: AbstractSet[AreaValue] = field(default_factory=frozenset)


def withheld_values(sums: Sums, profile: Profile) -> pd.DataFrame | None:
    """Choose which values to withhold, and attack the choice.

    Parameters
    ----------
    sums
        What there is.
    profile
        The rules.

    Returns
    -------
    hidden
        True where withheld, in the shape of `sums.counts`; None if the attack finds a count whatever is withheld.
    """
    counts = sums.counts.loc[sums.counts.sum(axis=1).gt(0), sums.counts.columns[sums.counts.loc[sums.region].gt(0)]]
    hidden = pd.DataFrame(data=False, index=sums.counts.index, columns=sums.counts.columns)
    hidden.loc[[a for a in hidden.index if a in sums.closed or a == ""]] = True
    if not counts.size:
        return hidden
    cells = _cells(counts, sums)
    found = suppress(
        cells,
        relations=_rows(cells, counts),
        threshold=profile.threshold,
        zero_rule=profile.zero_rule,
        secondary=profile.secondary,
        prune_cells=0,
    )
    if profile.secondary:
        attack = audit(found.cells, relations=_rows(cells, counts), threshold=profile.threshold)
        if not attack.safe:
            return None
    gone = found.cells["state"].ne(CellState.PUBLISHED).to_numpy(dtype=bool)[len(counts) :].reshape(counts.shape)
    hidden.loc[counts.index, counts.columns] |= gone
    return hidden


def _cells(counts: pd.DataFrame, sums: Sums) -> pd.DataFrame:
    """Lay out totals first, then values area by area, as `suppress` and `audit` take them."""
    areas, values = [str(a) for a in counts.index], [str(a) for a in counts.columns]
    pairs = [(a, AREA_TOTAL) for a in areas] + [(a, b) for a in areas for b in values]
    numbers = np.concatenate([counts.sum(axis=1).to_numpy(), counts.to_numpy().ravel()]).astype(np.int64)
    total = np.array([b == AREA_TOTAL for _, b in pairs])
    open_total = np.array([a in sums.totals for a, _ in pairs])
    shut = np.array([a in sums.closed for a, _ in pairs])
    nowhere = np.array([a == "" for a, _ in pairs])
    return pd.DataFrame(
        {
            "area_code": [a for a, _ in pairs],
            "level": "answers",
            "period": "",
            "category": [b for _, b in pairs],
            "measure": "incidents",
            "value": numbers,
            "latent": (total & ~open_total) | (nowhere & ~total),
            "known": (total & open_total) | np.array([pair in sums.known for pair in pairs]),
            "declared": ~total & (shut | np.array([pair in sums.declared for pair in pairs])) & ~nowhere,
            "protect": total & ~open_total,
        }
    )


def _rows(cells: pd.DataFrame, counts: pd.DataFrame) -> Relations:
    """Values add up to their area's total, and areas to the region, which comes first."""
    areas, values = counts.shape
    at = areas + np.arange(counts.size, dtype=np.int64).reshape(counts.shape)
    rows = [({a: -1, **dict.fromkeys(at[a].tolist(), 1)}, 0.0, 0.0) for a in range(areas)]
    if areas > 1:
        rows += [({int(at[0, b]): -1, **dict.fromkeys(at[1:, b].tolist(), 1)}, 0.0, 0.0) for b in range(values)]
    return generic_rows(cells, rows, kind="answer_sum")


# The released table of one profile.


FIRST = "Shown as first released for this period; records that came later are not in it."
APART = "Not shown: other figures of a period that overlaps this one were released before."
ABSENT = "The data does not describe its incidents."
PERTURBED = "Not shown: the counts of this folder are blurred, and these are not."
HIDDEN = "Not shown: the numbers are too small."


@dataclass(frozen=True, slots=True)
class Circumstances:
    """A table CIRCUMSTANCES that may be shown, a note for readers, how it was protected, and what the ledger keeps."""

    table: pd.DataFrame
    note: str
    record: dict[str, Any]
    released: ReleasedCircumstances | None = None


def release_circumstances(facets: pd.DataFrame | None, setting: Setting) -> Circumstances:
    """Make the table of one profile.

    Internal sees every variable by borough and category. Partners see all categories together, by borough where the
    attack finds nothing, else for the region; the public sees the region. A window is released once: with other
    records its figures would single out what changed.

    Parameters
    ----------
    facets
        As `window_counts` takes them; None where the source has no incident records.
    setting
        Whose release it is.
    """
    if setting.profile.protection != "suppress" and setting.profile.threshold > 1:
        return _none(PERTURBED)
    if facets is None or not len(facets) or "incidents" not in setting.profile.measures:
        return _none(ABSENT)
    inside = setting.profile.audience == "internal" or setting.profile.threshold <= 1
    if not inside:
        internal = [v.id for v in VARIABLES.values() if v.detail is Detail.INTERNAL]
        facets = facets[(facets["category"] == ROOT) & ~facets["facet"].isin(internal)]
    counts = window_counts(facets, setting.headline, region_code=setting.region, mature_until=setting.mature_until)
    if set(counts["question"]) <= {TOTAL}:
        return _none(ABSENT)
    if inside:
        kept = counts["area_code"].isin(setting.areas["area_code"])
        kept &= counts["category"].isin(setting.counts["category"])
        return Circumstances(_table(counts[kept], setting), "", {"rule": "none needed"})
    return _protected(_with_rare_values_merged(counts, setting), setting)


def _none(note: str) -> Circumstances:
    return Circumstances(CIRCUMSTANCES.empty(), note, {"rule": "nothing shown", "note": note})


def _with_rare_values_merged(counts: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """Merge rare values of a source's own wording, with the next larger one, so that none is known as rare."""
    known = {(v.id, a) for v in VARIABLES.values() for a in (*v.known_values, NOT_STATED, TOO_RECENT)}
    free = [(q, a) not in known and q != TOTAL for q, a in zip(counts["question"], counts["answer"], strict=True)]
    of_region = counts[np.array(free) & (counts["area_code"] == setting.region).to_numpy()]
    rare = set()
    for (organisation, question), rows in of_region.groupby(["organisation", "question"], sort=True):
        order = rows.sort_values(["incidents", "answer"])
        few = int((order["incidents"] < setting.fewest).sum())
        rare |= {(organisation, question, a) for a in order["answer"].iloc[: few + 1 if few else 0]}
    keys = zip(counts["organisation"], counts["question"], counts["answer"], strict=True)
    answer = counts["answer"].mask(np.array([key in rare for key in keys], dtype=bool), OTHER)
    return counts.assign(answer=answer).groupby(list(KEYS), sort=False)["incidents"].sum().reset_index()


def _protected(counts: pd.DataFrame, setting: Setting) -> Circumstances:
    """Withhold variable by variable, in the light of what readers hold already."""
    profile = setting.profile
    mine = [t for t in setting.previous if Period.parse(t.headline).overlaps(setting.headline)]
    readable = [t for t in mine if AUDIENCES[t.audience] <= AUDIENCES[profile.audience]]
    for earlier in readable:
        if earlier.headline != setting.headline.id:
            return _none(APART)
        same = (earlier.run, earlier.profile, earlier.threshold)
        if same == (setting.run, profile.name, profile.threshold):
            return _as_first_released(earlier, counts, setting)
        if not earlier.fits(counts):
            return _none(APART)
    closer = [t for t in mine if AUDIENCES[profile.audience] < AUDIENCES[t.audience] < AUDIENCES["internal"]]
    if any(t.headline != setting.headline.id for t in closer) or not setting.total(setting.region):
        return _none(APART if closer else HIDDEN)
    hidden = hidden_cells(counts, setting, known=shown_cells(readable), least=shown_cells(closer) if closer else None)
    keys = list(zip(*(counts[k] for k in KEYS), strict=True))
    gone = np.array([hidden.get((o, q, a, v), True) for a, _, o, q, v in keys], dtype=bool)
    protected = counts.assign(incidents=counts["incidents"].astype("Int64").mask(gone))
    protected = protected[_listed(protected, setting)].reset_index(drop=True)
    if protected["incidents"].isna().all():
        return _none(HIDDEN)
    return _made(protected, setting, "")


def _listed(counts: pd.DataFrame, setting: Setting) -> "pd.Series[bool]":
    """Keep areas of the profile; and of each area, the variables of which anything is shown."""
    shown = [setting.region] if setting.profile.audience == "public" else setting.areas["area_code"]
    here = counts["area_code"].isin(shown)
    some = counts["incidents"].notna().groupby([counts[k] for k in KEYS[:-1]]).transform("any")
    named = counts["incidents"].notna().groupby(counts["organisation"]).transform("any")
    return here & named & (some | (counts["question"] == TOTAL))


def _as_first_released(first: ReleasedCircumstances, counts: pd.DataFrame, setting: Setting) -> Circumstances:
    """Show what was released for this window."""
    here = first.counts["area_code"].isin(setting.areas["area_code"])
    return _made(first.counts[here].reset_index(drop=True), setting, "" if first.fits(counts) else FIRST)


def _made(counts: pd.DataFrame, setting: Setting, note: str) -> Circumstances:
    """Put the table together, with its note and what the ledger keeps of it."""
    profile = setting.profile
    parts = counts[counts["question"] != TOTAL]
    by_borough = bool(parts.loc[parts["area_code"] != setting.region, "incidents"].notna().any())
    record = {
        "rule": "each question by itself: small counts withheld, then what sums would give back; attacked",
        "areas": "boroughs and region" if by_borough else "region",
        "categories": "all together",
        "named_from": setting.fewest,
        "shown": int(counts["incidents"].notna().sum()),
        "withheld": int(counts["incidents"].isna().sum()),
        "audit": "passed" if profile.secondary else "not audited: do not publish",
        "note": note,
    }
    released = ReleasedCircumstances(
        setting.run, profile.name, profile.audience, profile.threshold, setting.headline.id,
        counts[[*KEYS, "incidents"]].reset_index(drop=True),
    )  # fmt: skip
    return Circumstances(_table(counts, setting), note, record, released)


def _table(counts: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """Add shares from what is shown, and the words of areas and window."""
    table = add_shares(counts)
    of_variable = table["question"] != TOTAL
    lost = {"incidents": table["incidents"].isna(), "stated": table["stated"].isna() & of_variable}
    unsure = of_variable & (lost["incidents"] | lost["stated"]) & ~table["answer"].isin([NOT_STATED])
    lost |= dict.fromkeys(("share", "share_low", "share_high"), unsure)
    pattern = sum(mask.to_numpy(dtype=np.int64) << bit for bit, mask in enumerate(lost.values()))
    words = [";".join(n for bit, n in enumerate(lost) if code >> bit & 1) for code in range(1 << len(lost))]
    table["not_offered"] = np.array(words, dtype=object)[pattern]
    table["withheld"] = table["not_offered"]
    names = setting.areas.set_index("area_code")
    order = {name: n for n, name in enumerate(VARIABLES, start=1)} | {TOTAL: 0}
    categories = {c: n for n, c in enumerate(dict.fromkeys(setting.counts["category"]))}
    table = table.assign(
        area_name=table["area_code"].map(names["name"]),
        level=table["area_code"].map(names["level"]),
        period=setting.headline.id,
        period_start=setting.headline.start.isoformat(),
        period_end=setting.headline.end.isoformat(),
        _level=table["area_code"].map(names["level"]).map({"region": 0, "borough": 1}),
        _category=table["category"].map(categories),
        _question=table["question"].map(order),
    )
    table = table.sort_values(
        ["_level", "area_code", "_category", "organisation", "_question"], kind="stable", ignore_index=True
    )
    return CIRCUMSTANCES.conform(table)
