"""Which answers to which questions a release of circumstances shows, organisation by organisation."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pandas as pd

from pipeline.aggregate.circumstances import TOTAL
from pipeline.config import Profile
from pipeline.disclosure.answers import Sums, withheld_answers
from pipeline.disclosure.told import Told
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period

__all__ = ["Cell", "Setting", "hidden_cells"]

REGION_ONLY = ("outcome",)
"""Asked of the region alone outside internal: their total is of other months, which borough counts may withhold."""
TYPICAL = 10
"""Answers are given by borough where an organisation's typical borough has this many times the threshold."""
PLACED = ("online", "place_type")
"""What these say of a borough is close to how many of its incidents have no place, which may be withheld."""


Cell = tuple[str, ...]
"""Organisation, question, area, answer."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a release of circumstances stands in.

    Attributes
    ----------
    run, profile, headline
        Whose, under which rules, and of which window.
    areas
        Table `areas` of the profile's scope.
    counts
        Released counts of the headline window: the totals that readers have.
    mature_until
        Last month whose outcomes had time to come (yyyymm), 0 for no outcomes.
    fewest
        Answers that are not known beforehand are named from this many incidents in the region on.
    region_whole
        Whether the region's counts of all categories together are shown in every window.
    told
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
    told: tuple[Told, ...] = ()

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
        return any(measure in str(names).split(";") for names in row["withheld"])


def hidden_cells(
    counts: pd.DataFrame, setting: Setting, *, known: AbstractSet[Cell], least: AbstractSet[Cell] | None
) -> dict[Cell, bool]:
    """Say of every cell whether it is withheld; cells that are not named are.

    `known` is what readers hold; `least`, if given, is all that readers of a closer folder hold: no more is shown.
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
    hidden = withheld_answers(
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
        alone = question in REGION_ONLY or not _enough(totals[organisation], setting)
        if question in REGION_ONLY and not setting.region_whole:
            continue
        shut = {a for a in every if question in PLACED and setting.withheld(a, "incidents_unplaced")} - {region}
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
            gone = withheld_answers(sums, profile)
            if gone is not None:
                out |= {(organisation, question, a, v): bool(gone.loc[a, v]) for a in areas for v in wide.columns}
                break
    return out


def _enough(totals: "pd.Series[int]", setting: Setting) -> bool:
    """Whether an organisation recorded enough in a typical borough for its answers to be more than gaps."""
    by_borough = totals.drop([setting.region, ""], errors="ignore")
    return bool(len(by_borough) and by_borough.median() >= TYPICAL * setting.profile.threshold)


def _open_totals(hidden: "pd.Series[bool]") -> set[str]:
    """Return the areas whose total readers know: those shown, and what is in no borough where all others are shown."""
    shown = {str(a) for a in hidden.index if a and not hidden[a]}
    return shown | {""} if len(shown) == len(hidden) - 1 and "" in hidden.index else shown


def _beyond(
    least: AbstractSet[Cell] | None, wide: pd.DataFrame, question: str, organisation: str | None
) -> set[tuple[str, str]]:
    """Return the cells that readers of a closer folder do not hold."""
    if least is None:
        return set()
    return {(a, v) for a in wide.index for v in wide.columns if (organisation or v, question, a, v) not in least}
