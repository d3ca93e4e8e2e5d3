"""Circumstances: when, where and how incidents happened and were reported, with each value's count as a step.

One window, all categories together (except in internal). `choose_values` chooses which values of an organisation are
offered. If there are several organisations, the totals of the last one are not offered, because
together the totals add up to the area's count.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.aggregate.circumstances import (
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
from pipeline.release.linked_tables import BROKEN_SHARE
from pipeline.release.released import ReleasePlan
from pipeline.release.steps import has_room, step_floor
from pipeline.statistics.uncertainty import Ranges, middle_of
from pipeline.tables import CIRCUMSTANCES, Level

__all__ = ["Circumstances", "Columns", "Offered", "Setting", "choose_values", "release_circumstances"]


# Which values are offered, chosen once for all audiences, areas and steps.
#
# As `pipeline.release.steps` explains, inequalities between counts never narrow a step, but equations do. A variable is
# an equation: its values add up to the organisation's total. Therefore part of every such sum is offered to no released
# audience, and this part must not be negligible:
#
# 1. Not offered are: not stated, too recent to say, and rare values.
# 2. If these are negligible in the data, further values are not offered, from the last one on: if nearly every record
#    states a weekday, Sunday could otherwise be computed from Monday to Saturday.
# 3. Nor are values that select the same incidents as the part of another variable that is not offered: if "incident" of
#    `kind` is not offered, "Non-crime incident" of the offence groups is not either. A value that is part of another
#    needs no treatment: it is one more inequality. A value that contains everything that is not offered bounds the sum
#    from above, and is omitted if the row rule requires it.
# 4. If every incident of the region is in a borough, one borough of each value is not offered.


NOTHING_SHARE = 0.1
"""A value that occurs in a smaller share of the areas is negligible. Twice `BROKEN_SHARE`, so that no relation becomes
reliable just because its rows are counted differently."""
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Offered:
    """The values of one organisation that are offered, the same for all released audiences.

    A value is offered if the region holds at least `fewest` incidents with it, the widest step of any audience, and it
    occurs in `NOTHING_SHARE` of the areas. What readers who know this rule learn: that the region's count of a value
    shown is at least `fewest`, where a step begins for every audience, and its step is printed anyway; and of a value
    that is not shown, that there are fewer than `fewest`, perhaps none. What is not offered of a variable comes to
    `fewest` or more for the same reason: the floor of the total is then at least `fewest` above the floors of the
    values shown, as if that part were a count in steps itself, so that no step loses a value.

    Attributes
    ----------
    by_variable
        Variable to its values that are offered, in the order shown.
    stated
        Variables whose number of incidents with any value may be given as a separate step: a value that is not offered
        makes up the difference to the values shown.
    hidden_in
        (variable, value) to the borough for which it is not offered; empty if not every incident is in a borough.
    last
        Borough whose total and numbers of incidents with a value are not offered; empty in the same case.
    by_borough
        Whether anything can be shown by borough.
    """

    by_variable: Mapping[str, tuple[str, ...]]
    stated: frozenset[str]
    hidden_in: Mapping[tuple[str, str], str] = field(default_factory=dict)
    last: str = ""
    by_borough: bool = True

    def of(self, question: str) -> tuple[str, ...]:
        """Return the values of a variable that are offered."""
        return self.by_variable.get(question, ())


@dataclass(frozen=True, slots=True)
class Columns:
    """Compare columns of counts over areas; the region comes first.

    Attributes
    ----------
    fewest
        Widest step of any audience.
    """

    fewest: int

    def occurs(self, column: IntArray) -> bool:
        """Whether a column is not negligible, in the region and in enough areas."""
        return bool(column[0] >= self.fewest and np.mean(column > 0) >= NOTHING_SHARE)

    def same(self, one: IntArray, other: IntArray) -> bool:
        """Whether two columns select nearly the same incidents."""
        return bool(np.mean(one != other) < BROKEN_SHARE)

    def covers(self, one: IntArray, other: IntArray) -> bool:
        """Whether the second column nearly contains the first."""
        return bool(np.mean(one > other) < BROKEN_SHARE)


def choose_values(
    held: pd.DataFrame,
    total: "pd.Series[int]",
    *,
    region: str,
    steps: Sequence[int],
    known: Sequence["pd.Series[int]"] = (),
) -> Offered:
    """Choose the values of one organisation that are offered.

    Parameters
    ----------
    held
        Its counts, one row per area: the region, boroughs, and "" for incidents in no borough. Columns are (variable,
        value), the values of a variable in the order shown.
    total
        What it recorded in each of these areas.
    region
        Code of the region.
    steps
        Steps of all audiences.
    known
        Counts of the same areas that are released anyway and may equal a value's: those of categories.

    Examples
    --------
    Of 40 incidents, 25 were in the street and 15 in a shop; all state the place. The last of the two values is not
    offered.

    >>> held = pd.DataFrame({("place_type", "shop"): [15, 8, 7], ("place_type", "street"): [25, 13, 12]})
    >>> held[("place_type", NOT_STATED)] = 0
    >>> held.index = ["R", "A", "B"]
    >>> choose_values(held, pd.Series([40, 21, 19], held.index), region="R", steps=[5]).by_variable
    {'place_type': ('shop',)}
    """
    columns = Columns(max(steps))
    areas = [region, *(a for a in held.index if a not in ("", region) and total[a] > 0)]
    choosing = _Choosing(columns, held.loc[areas], total[areas].to_numpy(), tuple(steps))
    choosing.leave_out_what_completes_a_sum([k[areas].to_numpy() for k in known])
    by_variable = {q: tuple(values) for q, values in choosing.offered.items() if values}
    stated = frozenset(q for q in by_variable if columns.occurs(choosing.rest(q, of_stated=True)))
    return _with_boroughs(Offered(by_variable, stated), held, total, region=region, columns=columns)


class _Choosing:
    """The choice in progress: `offered` only ever shrinks. Counts are arrays over areas, the region first."""

    def __init__(self, columns: Columns, held: pd.DataFrame, total: IntArray, steps: tuple[int, ...]) -> None:
        self.columns, self.total, self.steps = columns, total, steps
        self.counts: dict[str, dict[str, IntArray]] = {}
        for question, value in held.columns:
            self.counts.setdefault(question, {})[value] = held[question, value].to_numpy(dtype=np.int64)
        self.offered = {
            q: [v for v, column in mine.items() if v not in _never_offered(q) and columns.occurs(column)]
            for q, mine in self.counts.items()
        }

    def shown(self, question: str) -> IntArray:
        """Add up what is offered of a variable."""
        found = [self.counts[question][v] for v in self.offered[question]]
        return np.sum(found, axis=0, dtype=np.int64) if found else np.zeros_like(self.total)

    def rest(self, question: str, *, of_stated: bool) -> IntArray:
        """Count the incidents of a variable that are not offered, with or without those not stated."""
        variable, mine = VARIABLES[question], self.counts[question]
        left = self.total - self.shown(question) - mine.get(TOO_RECENT, 0)
        # Area tables have a total for outcomes, which are stated late (`known_outcomes`): the part that is not offered
        # must not be negligible relative to that total either.
        if of_stated or variable.matures:
            left = left - mine[NOT_STATED] - sum(mine[v] for v in variable.never_offered if v in mine)
        return np.asarray(left, dtype=np.int64)

    def leave_out_what_completes_a_sum(self, known: Sequence[IntArray]) -> None:
        """Remove values until no sum is complete; this takes at most as many rounds as there are values."""
        before = -1
        while before != (before := sum(map(len, self.offered.values()))):
            for question, values in self.offered.items():
                while values and not self.columns.occurs(self.rest(question, of_stated=False)):
                    values.remove(_first_to_go(values))
                if values and any(self.columns.same(c, k) for c in self._links(question) for k in known):
                    values.remove(_first_to_go(values))
            for question in [q for q, values in self.offered.items() if values]:
                for other in [o for o in self.offered if o != question]:
                    self._leave_out_of(other, beside=question)

    def _leave_out_of(self, other: str, *, beside: str) -> None:
        """Remove the values of one variable that would complete the sum of another."""
        links, theirs = self._links(beside), self.offered[other]
        rest = self.rest(beside, of_stated=False)
        # The values of a variable exclude each other, so only one of them can contain everything that is not offered.
        # If several are equally frequent, this is a matter of size, not of which incidents they select.
        above = [v for v, column in self.counts[other].items() if self.columns.covers(rest, column)]
        for value in list(theirs):
            column = self.counts[other][value]
            if any(self.columns.same(column, link) for link in links):
                theirs.remove(value)
            elif above == [value] and self.offered[beside] and self._no_room(beside, column):
                # Of two variables, the one that comes later in the registry loses a value.
                loser = max(beside, other, key=list(self.counts).index)
                self.offered[loser].remove(value if loser == other else _first_to_go(self.offered[loser]))
                return
        # The same part is missing from both sums: then the values shown of one add up to those of the other.
        both = [(self.rest(beside, of_stated=s), self.rest(other, of_stated=s)) for s in (False, True)]
        if theirs and any(self.columns.occurs(one) and self.columns.same(one, two) for one, two in both):
            theirs.remove(_first_to_go(theirs))

    def _links(self, question: str) -> list[IntArray]:
        """List the columns of other variables that would complete the sum of this variable, or equal it."""
        hidden = [v for v in self.counts[question] if v not in self.offered[question] and v != TOO_RECENT]
        found = [self.counts[question][v] for v in hidden]
        found += [self.rest(question, of_stated=s) for s in (False, True)]
        if len(self.offered[question]) > 1:  # a single value has the same count and step as its counterpart
            found.append(self.shown(question))
        return [column for column in found if self.columns.occurs(column)]

    def _no_room(self, question: str, column: IntArray) -> bool:
        """Return whether a column that contains everything not offered completes the sum: a union, see `has_room`."""
        rest = self.rest(question, of_stated=False)
        parts = np.array([*(self.counts[question][v] for v in self.offered[question]), column])
        whole = self.shown(question) + rest
        if VARIABLES[question].detail is Detail.REGION:
            parts, whole = parts[:, :1], whole[:1]
        return any(
            not has_room(step_floor(whole, t), step_floor(parts, t).sum(axis=0), len(parts), step=t).all()
            for t in self.steps
        )


def _never_offered(question: str) -> set[str]:
    return {NOT_STATED, OTHER, TOO_RECENT, *VARIABLES[question].never_offered}


def _first_to_go(values: Sequence[str]) -> str:
    """Return the value to remove first, by its label and position only: a remainder value, otherwise the last."""
    leftovers = [v for v in values if v.casefold().startswith(("other", "unknown", "not known"))]
    return leftovers[-1] if leftovers else values[-1]


def _with_boroughs(
    offered: Offered, held: pd.DataFrame, total: "pd.Series[int]", *, region: str, columns: Columns
) -> Offered:
    """Omit one borough for each value, if the boroughs add up to the region."""
    boroughs = sorted(a for a in held.index if a not in ("", region))
    shown = [(q, v) for q, mine in offered.by_variable.items() for v in mine if VARIABLES[q].detail is Detail.BOROUGHS]
    held = held.loc[[region, *boroughs], shown]
    beside = held.iloc[0].to_numpy() - held.iloc[1:].sum(axis=0).to_numpy()
    if not shown or np.mean(beside != 0) >= NOTHING_SHARE:
        return offered
    # The omitted borough depends on the position of the value in the list, so that no borough loses many. Values that
    # select the same incidents are omitted in the same borough: either would disclose the other.
    hidden: dict[tuple[str, str], str] = {}
    for place, column in enumerate(shown):
        twins = [c for c in hidden if columns.same(held[c].to_numpy(), held[column].to_numpy())]
        hidden[column] = hidden[twins[0]] if twins else boroughs[place % len(boroughs)]
    enough = np.mean([held.loc[borough, c] > 0 for c, borough in hidden.items()]) >= NOTHING_SHARE
    last = [b for b in boroughs if total[b] >= columns.fewest]
    if len(boroughs) < 2 or not enough or not last:
        return replace(offered, by_borough=False)
    return replace(offered, hidden_in=hidden, last=last[-1])


# What a release shows of them.


TYPICAL = 10
"""Values are shown by borough if an organisation's typical borough has this many times the step; with fewer, most
values of most variables would read "fewer than". A whole number of steps, so that knowing it narrows no step."""

ABSENT = "The data does not describe its incidents."
NOT_IN_STEPS = "Not shown: circumstances are given in steps alone, and the counts of this folder are not."
TOO_FEW = "Not shown: the numbers are too small."
APART = "Not shown: circumstances of a window that overlaps this one were released before."


@dataclass(frozen=True, slots=True)
class Setting:
    """What a release of circumstances covers.

    Attributes
    ----------
    profile, headline
        The rules and the window.
    areas
        Table `areas` of the profile's scope.
    counts
        Released counts of the headline window, with the range of each; `not_offered` is a set for each row.
    mature_until
        Last month whose outcomes are no longer pending (yyyymm), 0 for no outcomes.
    steps
        Steps of all audiences.
    in_one
        Whether the window belongs to the boroughs' series and is not the sum of several.
    earlier
        Tables CIRCUMSTANCES of other profiles, for windows that share a month with this one.
    """

    profile: Profile
    headline: Period
    areas: pd.DataFrame
    counts: pd.DataFrame
    mature_until: int
    steps: tuple[int, ...]
    in_one: bool = True
    earlier: tuple[pd.DataFrame, ...] = ()

    @classmethod
    def of(cls, plan: ReleasePlan, counts: pd.DataFrame) -> "Setting":
        """Create the setting of a release from its plan and its protected counts."""
        config, headline = plan.config, plan.windows.headline
        last = add_months(month_of(plan.windows.last_date), -config.outcomes.maturity_months)
        return cls(
            profile=plan.profile,
            headline=headline,
            areas=plan.areas,
            counts=counts[counts["period"] == headline.id],
            mature_until=last if config.outcomes.basis == "cohort" else 0,
            steps=tuple(sorted({p.step for p in config.profiles if p.step > 1})),
            in_one=all(headline in plan.windows.series[level] for level in (Level.REGION, Level.BOROUGH)),
            earlier=tuple(
                r.circumstances
                for r in plan.kept.others
                if r.circumstances is not None and Period.parse(r.headline).overlaps(headline)
            ),
        )

    @property
    def region(self) -> str:
        """Code of the region."""
        return str(self.areas.loc[self.areas["level"] == "region", "area_code"].iloc[0])

    @property
    def fewest(self) -> int:
        """Widest step of any audience."""
        return max(self.steps)

    def totals(self) -> pd.DataFrame:
        """Return the released ranges of all incidents by area: columns lower and upper, null if not offered."""
        whole = self.counts[self.counts["category"] == ROOT].set_index("area_code")
        ranges = Ranges.of(whole)
        return pd.DataFrame({"lower": ranges.lower, "upper": ranges.upper}, index=whole.index)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """A table CIRCUMSTANCES that may be released, a note for readers, and how it was protected."""

    table: pd.DataFrame
    note: str
    record: dict[str, Any]


def release_circumstances(
    facets: pd.DataFrame | None, setting: Setting, *, counted: dict[tuple[Any, ...], pd.DataFrame] | None = None
) -> Circumstances:
    """Make the table CIRCUMSTANCES of one profile.

    Internal sees every variable by borough and category, exactly. Partners see all categories together, for the region
    and by borough; the public sees the region.

    Parameters
    ----------
    facets
        As for `window_counts`; None if the source has no incident records.
    setting
        Rules, window, areas and counts of the release.
    counted
        Counts of windows made for other profiles of the same run, to which those of this one are added.
    """
    profile = setting.profile
    inside = profile.audience == "internal" or profile.threshold <= 1
    if not inside and profile.protection != "steps":
        return _none(NOT_IN_STEPS)
    if facets is None or not len(facets) or "incidents" not in profile.measures:
        return _none(ABSENT)
    counted = {} if counted is None else counted
    key = (setting.headline.id, setting.region, setting.mature_until, inside)
    if key not in counted:
        counted[key] = window_counts(
            facets if inside else _without_internal(facets),
            setting.headline,
            region_code=setting.region,
            mature_until=setting.mature_until,
        )
    counts = counted[key]
    if set(counts["question"]) <= {TOTAL}:
        return _none(ABSENT)
    if inside:
        kept = counts["area_code"].isin(setting.areas["area_code"])
        kept &= counts["category"].isin(setting.counts["category"])
        return Circumstances(_table(_exact(counts[kept]), setting), "", {"rule": "none needed"})
    if any((table["period"] != setting.headline.id).any() for table in setting.earlier):
        return _none(APART)
    return _in_steps(counts, setting)


def _without_internal(facets: pd.DataFrame) -> pd.DataFrame:
    """Return what a profile that is not internal shows, and how many incidents of single categories there are.

    That number is all that is needed of them: see `known` in `_in_steps`.
    """
    internal = [v.id for v in VARIABLES.values() if v.detail is Detail.INTERNAL]
    shown = ~facets["facet"].isin(internal) & ((facets["category"] == ROOT) | (facets["facet"] == TOTAL))
    return facets[shown]


def _none(note: str) -> Circumstances:
    return Circumstances(CIRCUMSTANCES.empty(), note, {"rule": "nothing shown", "note": note})


def _exact(counts: pd.DataFrame) -> pd.DataFrame:
    """Return every count as a range of one number."""
    made = add_shares(counts)
    for name in ("incidents", "stated"):
        made[f"{name}_lower"] = made[f"{name}_upper"] = made[name]
    return made.assign(not_offered="")


def _in_steps(counts: pd.DataFrame, setting: Setting) -> Circumstances:
    """Choose what is offered for each organisation, and convert the counts to steps."""
    every = counts[counts["category"] == ROOT]
    recorded = every[every["question"] == TOTAL].pivot_table(
        index="area_code", columns="organisation", values="incidents", aggfunc="sum", fill_value=0
    )
    boroughs = setting.areas.loc[setting.areas["level"] == Level.BOROUGH, "area_code"]
    recorded = recorded.reindex(sorted({*recorded.index, *boroughs}), fill_value=0)
    alone = len(recorded.columns) == 1
    totalled = _offered_totals(recorded, setting)
    # With one organisation, a category's count is one of its counts, and may equal the count of a value.
    categories = counts[(counts["question"] == TOTAL) & (counts["category"] != ROOT)] if alone else counts.iloc[:0]
    known = [
        rows.set_index("area_code")["incidents"].reindex(recorded.index, fill_value=0)
        for _, rows in categories.groupby("category")
    ]
    outcomes = every.loc[every["question"].isin([v.id for v in VARIABLES.values() if v.matures]), "organisation"]
    ranges, frames = setting.totals(), []
    for organisation, rows in every[every["question"] != TOTAL].groupby("organisation", sort=True):
        held, total = _held(rows, list(recorded.index), setting), recorded[organisation]
        offered = choose_values(held, total, region=setting.region, steps=setting.steps, known=known)
        # Outcomes of several organisations add up to the region's: only those of the first are offered.
        closed = [v for q in offered.by_variable for v in VARIABLES[q].one_recorder if organisation != outcomes.min()]
        rules = _Rules(
            organisation=str(organisation),
            region=setting.region,
            offered=offered,
            step=setting.profile.step,
            closed=frozenset(closed),
            whole=_range_of_total(str(organisation), recorded, totalled, ranges, setting.profile.step),
            several=not alone,
            total_offered=organisation in totalled,
            total_in_a_step=organisation in totalled and (not alone or setting.in_one),
            readers=tuple(_Readers.of(table, str(organisation), setting.region) for table in setting.earlier),
        )
        shown = _areas_shown(total, offered, ranges, setting)
        frames.append(_rows(held, total, areas=shown, rules=rules))
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    of_values = table[table["question"] != TOTAL] if len(table) else table
    if not len(of_values) or of_values["incidents_lower"].isna().all():
        return _none(TOO_FEW)
    record = {
        "rule": "each count is the step it lies in; of every sum a part is not offered",
        "areas": "boroughs and region" if of_values["area_code"].ne(setting.region).any() else "region",
        "categories": "all together",
        "named_from": setting.fewest,
        "shown": int(table["incidents_lower"].notna().sum()),
        "not_offered": int(table["incidents_lower"].isna().sum()),
        "note": "",
    }
    return Circumstances(_table(_with_shares(table.assign(category=ROOT)), setting), "", record)


def _offered_totals(recorded: pd.DataFrame, setting: Setting) -> list[str]:
    """Choose the organisations whose totals are offered: all but the last of several, or fewer if that one is small."""
    areas = [setting.region, *(a for a in recorded.index if a not in ("", setting.region))]
    names, columns = list(recorded.columns), Columns(setting.fewest)
    count = max(len(names) - 1, 1)
    while count > 1 and not columns.occurs(recorded.loc[areas, names[count:]].sum(axis=1).to_numpy()):
        count -= 1
    return names[:count]


def _range_of_total(
    name: str, recorded: pd.DataFrame, totalled: Collection[str], ranges: pd.DataFrame, step: int
) -> pd.DataFrame:
    """Return what readers know about an organisation's total in each area: columns lower and upper.

    With a single organisation this is the area's released count. With several, the offered totals are in steps, and the
    last one lies within the area's count minus the others.
    """
    if recorded.shape[1] == 1:
        return ranges
    if name in totalled:
        lower = pd.Series(step_floor(recorded[name], step), index=recorded.index)
        return pd.DataFrame({"lower": lower, "upper": lower + step - 1})
    if len(totalled) < recorded.shape[1] - 1:
        return pd.DataFrame(columns=["lower", "upper"], dtype=np.float64)
    lowers = pd.Series(0, index=recorded.index).add(sum(step_floor(recorded[o], step) for o in totalled))
    known = ranges.reindex(recorded.index)
    return pd.DataFrame(
        {
            "lower": (known["lower"] - lowers - len(totalled) * (step - 1)).clip(lower=0),
            "upper": known["upper"] - lowers,
        }
    )


def _areas_shown(total: "pd.Series[int]", offered: Offered, ranges: pd.DataFrame, setting: Setting) -> list[str]:
    """List the areas for which an organisation's values are shown: the region, and boroughs for partners."""
    inside = set(setting.areas["area_code"])
    # An area whose count is not offered gets no values: their sum would be a lower bound for it.
    given = [a for a in total.index if a in inside and a in ranges.index and not np.isnan(ranges.loc[a, "lower"])]
    by_borough = total.drop([setting.region, ""], errors="ignore")
    typical = by_borough[by_borough > 0].median() >= TYPICAL * setting.profile.step
    if setting.profile.audience == "public" or not offered.by_borough or not typical:
        return [a for a in given if a == setting.region]
    return given


def _held(rows: pd.DataFrame, every: Sequence[str], setting: Setting) -> pd.DataFrame:
    """Arrange one organisation's counts: rare values of the source are merged, the others are in a fixed order.

    A value that is in no list of this package is named if the rule of `Offered` would offer it. The order of values
    does not depend on counts: known values come first, then the others alphabetically.
    """
    wide = rows.pivot_table(index="area_code", columns=["question", "answer"], values="incidents", fill_value=0)
    areas = [setting.region, *(a for a in wide.index if a not in ("", setting.region))]
    columns = Columns(setting.fewest)
    made: dict[tuple[str, str], pd.Series[int]] = {}
    for question in (q for q in VARIABLES if q in wide.columns.get_level_values(0)):
        mine, known = wide[question].astype("int64"), VARIABLES[question].known_values
        own = [v for v in mine.columns if v not in (*known, NOT_STATED, TOO_RECENT)]
        named = [v for v in own if columns.occurs(mine.loc[areas, v].to_numpy())]
        for value in (*known, *sorted(named, key=lambda v: (v.casefold(), v))):
            made[question, value] = mine[value] if value in mine else pd.Series(0, index=mine.index)
        if len(named) < len(own):
            made[question, OTHER] = mine[[v for v in own if v not in named]].sum(axis=1)
        for value in (TOO_RECENT, NOT_STATED):
            if value in mine:
                made[question, value] = mine[value]
    # Every area has a row for every value, even if nothing was recorded: a missing row would disclose that.
    return pd.DataFrame(made).reindex(every, fill_value=0)


@dataclass(frozen=True, slots=True)
class _Readers:
    """What readers of a previous table of the same window know about one organisation.

    Values that were not offered to them are offered to nobody, so that two choices, made before and after a revision of
    the data, never complete a sum. A count is first moved into the range that they know, so that its steps for two
    audiences nest.
    """

    region: str
    areas: frozenset[str]
    ranges: Mapping[tuple[str, str, str, str], tuple[int, int]]

    @classmethod
    def of(cls, table: pd.DataFrame, organisation: str, region: str) -> "_Readers":
        """Read a table as it was released."""
        mine = table[table["organisation"] == organisation]
        ranges: dict[tuple[str, str, str, str], tuple[int, int]] = {}
        for name in ("incidents", "stated"):
            ends = [f"{name}_lower", f"{name}_upper"]
            given = mine[mine[ends].notna().all(axis=1)]
            keys = zip(given["area_code"], given["question"], given["answer"], [name] * len(given), strict=True)
            ranges |= dict(zip(keys, given[ends].itertuples(index=False, name=None), strict=True))
        return cls(region, frozenset(table["area_code"]), ranges)

    def moved(self, area: str, question: str, answer: str, count: int, name: str = "incidents") -> int | None:
        """Return a count moved into the range that these readers know; None if it is not offered to them."""
        held = self.ranges.get((area if area in self.areas else self.region, question, answer, name))
        if held is None:
            return None
        return int(np.clip(count, *held)) if area in self.areas else count


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """Which of one organisation's counts are offered, and in which steps.

    Attributes
    ----------
    organisation, region
        Its name, and the code of the region.
    offered
        Its offered values.
    step
        Width of the steps.
    closed
        Values that are not offered, because another organisation's are.
    whole
        What readers know about its totals: columns lower and upper by area.
    several
        Whether there are other organisations.
    total_offered, total_in_a_step
        Whether its totals are offered, and whether they are steps of their own.
    readers
        Those who hold an earlier table of the same window.
    """

    organisation: str
    region: str
    offered: Offered
    step: int
    closed: frozenset[str]
    whole: pd.DataFrame
    several: bool
    total_offered: bool
    total_in_a_step: bool
    readers: tuple[_Readers, ...] = ()

    def floors(self, question: str, area: str, held: "pd.Series[int]") -> dict[str, int]:
        """Return the floors of the values of a variable that an area is given."""
        offered = [
            v
            for v in self.offered.of(question)
            if v not in self.closed and self.offered.hidden_in.get((question, v)) != area
        ]
        counts = {v: self._moved(area, question, v, int(held[v])) for v in offered}
        return {v: int(step_floor(count, self.step)) for v, count in counts.items() if count is not None}

    def _moved(self, area: str, question: str, value: str, count: int | None, name: str = "incidents") -> int | None:
        for readers in self.readers:
            count = None if count is None else readers.moved(area, question, value, count, name)
        return count

    def total(self, area: str) -> tuple[float, float]:
        """Return what the total of an area lies between, as it is printed; NaN where it is not offered."""
        hidden = not self.total_offered or (self.several and area == self.offered.last)
        return (np.nan, np.nan) if hidden else self._known_total(area)

    def _known_total(self, area: str) -> tuple[float, float]:
        if area not in self.whole.index:
            return np.nan, np.nan
        return float(self.whole.loc[area, "lower"]), float(self.whole.loc[area, "upper"])

    def stated(
        self, question: str, area: str, held: "pd.Series[int]", *, total: int, floors: Mapping[str, int]
    ) -> tuple[float, float]:
        """Return what the number of incidents that state a value lies between; NaN where it is not offered.

        It is a second total of the same values. Where all of them are shown it cannot be a step of its own: it is then
        the sum of their floors up to the sum of their ceilings, or what the organisation recorded if that is less.
        """
        if area == self.offered.last:
            return np.nan, np.nan
        if question not in self.offered.stated:
            lower, upper = float(sum(floors.values())), self._known_total(area)[1]
            unseen = set(held.index) - set(floors) - {NOT_STATED, TOO_RECENT}
            highest = lower + len(floors) * (self.step - 1)
            return lower, upper if unseen else float(np.fmin(upper, highest))
        count = int(total - held[NOT_STATED] - held.get(TOO_RECENT, 0))
        moved = self._moved(area, question, NOT_STATED, count, "stated") if self.total_in_a_step else None
        if moved is None:
            return np.nan, np.nan
        lower = float(step_floor(moved, self.step))
        return lower, lower + self.step - 1


def _rows(held: pd.DataFrame, total: "pd.Series[int]", *, areas: Sequence[str], rules: _Rules) -> pd.DataFrame:
    """Write one organisation's totals and values, each as a range; null where not offered."""
    found: list[dict[str, Any]] = []
    for area in areas:
        lower, upper = rules.total(area)
        found.append({"area_code": area, "question": TOTAL, "answer": rules.organisation, "incidents_lower": lower,
                      "incidents_upper": upper})  # fmt: skip
        for question in rules.offered.by_variable:
            if area != rules.region and VARIABLES[question].detail is not Detail.BOROUGHS:
                continue
            mine = held[question].loc[area]
            floors = rules.floors(question, area, mine)
            low, high = rules.stated(question, area, mine, total=int(total[area]), floors=floors)
            for value in mine.index:
                floor = floors.get(value, np.nan)
                found.append({"area_code": area, "question": question, "answer": value, "incidents_lower": floor,
                              "incidents_upper": floor + rules.step - 1, "stated_lower": low,
                              "stated_upper": high})  # fmt: skip
    return pd.DataFrame(found).assign(organisation=rules.organisation)


def _with_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Add middles, and shares from the ranges alone: null in a first step, and where a number is not offered."""
    of_variable = table["question"] != TOTAL
    out = table.reindex(
        columns=[*table.columns.difference(["stated_lower", "stated_upper"]), "stated_lower", "stated_upper"]
    )
    part, whole = Ranges.of(out, "incidents"), Ranges.of(out, "stated")
    given = part.known & whole.known & ~part.first_step & ~whole.first_step & of_variable.to_numpy()
    middle = {"incidents": middle_of(part.lower, part.upper), "stated": middle_of(whole.lower, whole.upper)}
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = part.lower / whole.upper, np.minimum(1, part.upper / whole.lower)
        share = np.clip(middle["incidents"] / middle["stated"], low, high)
    for name, values in (("share", share), ("share_low", low), ("share_high", high)):
        out[name] = pd.array(np.where(given, values, np.nan), dtype="Float64")
        out[name] = out[name].mask(~given)
    for name, values in middle.items():
        out[name] = pd.array(np.nan_to_num(values), dtype="Int64")
        out[name] = out[name].mask(np.isnan(values))
    # A share is not offered where a number that it rests on is not; what is no value of the variable has none.
    unsure = of_variable & ~(part.known & whole.known) & ~out["answer"].isin([NOT_STATED, TOO_RECENT])
    lost = {"incidents": ~part.known, "stated": of_variable.to_numpy() & ~whole.known}
    lost |= dict.fromkeys(("share", "share_low", "share_high"), unsure.to_numpy())
    pattern = sum(mask.astype(np.int64) << bit for bit, mask in enumerate(lost.values()))
    texts = [";".join(n for bit, n in enumerate(lost) if code >> bit & 1) for code in range(1 << len(lost))]
    return out.assign(not_offered=np.array(texts, dtype=object)[pattern])


def _table(table: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    """Add the words of areas and window, and put rows in order."""
    names = setting.areas.set_index("area_code")
    order = {name: n for n, name in enumerate(VARIABLES, start=1)} | {TOTAL: 0}
    categories = {c: n for n, c in enumerate(dict.fromkeys(setting.counts["category"]))}
    table = table.assign(
        area_name=table["area_code"].map(names["name"]),
        level=table["area_code"].map(names["level"]),
        period=setting.headline.id,
        period_start=setting.headline.start.isoformat(),
        period_end=setting.headline.end.isoformat(),
        withheld=table["not_offered"],
        _level=table["area_code"].map(names["level"]).map({"region": 0, "borough": 1}),
        _category=table["category"].map(categories),
        _question=table["question"].map(order),
    )
    table = table.sort_values(
        ["_level", "area_code", "_category", "organisation", "_question"], kind="stable", ignore_index=True
    )
    return CIRCUMSTANCES.conform(table)
