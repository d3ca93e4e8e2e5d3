"""Which values of the circumstances are offered: chosen once for all audiences, areas and steps, from whole columns.

By `pipeline.release.steps`, inequalities between counts never narrow a step, and equations do. A variable is one: its
values add up to what the organisation recorded. So of every such sum something is never offered to any released
audience, and what is not offered must be more than nothing:

1. What is not stated, what is too recent to say, and rare values.
2. Where these are next to nothing in the data, further values from the last one on: somebody who knows that nearly
   every record states a weekday would otherwise work out Sunday from Monday to Saturday.
3. Values that select the same incidents as what is not offered of another variable: of `kind`, "incident" is not
   offered, so of the offence groups "Non-crime incident" is not either. A value that is a part of another's needs
   nothing: it is one more inequality. A value that contains all that is not offered closes the sum from above, and is
   left out where that leaves no room.
4. Where boroughs leave nothing out of the region, of each value one borough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.aggregate.circumstances import NOT_STATED, OTHER, TOO_RECENT, VARIABLES, Detail
from pipeline.release.steps import has_room, step_floor

__all__ = ["Columns", "Offered", "choose_values"]

BROKEN_SHARE = 0.05
"""A relation that fewer areas break is one that readers may rely on."""
NOTHING_SHARE = 0.1
"""What occurs in a smaller share of the areas counts as nothing. Twice `BROKEN_SHARE`, so that no relation becomes one
to rely on just because somebody counts its rows in another way."""
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Offered:
    """Which values of one organisation are offered, to all released audiences alike.

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
        Variables whose number of incidents with a value may be given as a step of its own: a value that is not
        offered makes up the difference between it and the values shown.
    hidden_in
        (variable, value) to the borough that does not get it; empty where the boroughs leave something out.
    last
        Borough whose total and numbers of incidents with a value are not offered; empty likewise.
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
    """How columns of counts over areas compare; the region stands first.

    Attributes
    ----------
    fewest
        Widest step of any audience.
    """

    fewest: int

    def occurs(self, column: IntArray) -> bool:
        """Whether a column is more than nothing, in the region and in enough areas."""
        return bool(column[0] >= self.fewest and np.mean(column > 0) >= NOTHING_SHARE)

    def same(self, one: IntArray, other: IntArray) -> bool:
        """Whether two columns would pass for the same incidents."""
        return bool(np.mean(one != other) < BROKEN_SHARE)

    def covers(self, one: IntArray, other: IntArray) -> bool:
        """Whether the second column would pass for one that contains the first."""
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
        Its counts, one row per area: the region, boroughs, and "" for what is in no borough. Columns are (variable,
        value), the values of a variable in the order shown.
    total
        What it recorded in each of these areas.
    region
        Code of the region.
    steps
        Steps of all audiences.
    known
        Counts of the same areas that are released anyway and may coincide with a value's: those of categories.

    Examples
    --------
    Of 40 incidents 25 were in the street and 15 in a shop; all say where. The last of two values is not offered.

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
    """The choice under way: `offered` only ever shrinks. Counts are arrays over areas, the region first."""

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
        """Count what is not offered of a variable, with what is not stated or without it."""
        variable, mine = VARIABLES[question], self.counts[question]
        left = self.total - self.shown(question) - mine.get(TOO_RECENT, 0)
        # Area tables have a total of what is stated of a variable that matures, without what is never offered of it
        # (`known_outcomes`): the rest must be more than nothing beside that total too.
        if of_stated or variable.matures:
            left = left - mine[NOT_STATED] - sum(mine[v] for v in variable.never_offered if v in mine)
        return np.asarray(left, dtype=np.int64)

    def leave_out_what_completes_a_sum(self, known: Sequence[IntArray]) -> None:
        """Take values away until no sum is complete; there are at most as many rounds as values."""
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
        """Take from one variable what would complete the sum of another."""
        links, theirs = self._links(beside), self.offered[other]
        rest = self.rest(beside, of_stated=False)
        # The values of a variable exclude each other, so one of them alone can contain what is not offered. Where
        # several are as frequent, they are so by their size, and not by what they select.
        above = [v for v, column in self.counts[other].items() if self.columns.covers(rest, column)]
        for value in list(theirs):
            column = self.counts[other][value]
            if any(self.columns.same(column, link) for link in links):
                theirs.remove(value)
            elif above == [value] and self.offered[beside] and self._no_room(beside, column):
                # Of two variables the one that stands later in the registry loses a value.
                loser = max(beside, other, key=list(self.counts).index)
                self.offered[loser].remove(value if loser == other else _first_to_go(self.offered[loser]))
                return
        # Both sums lack the same: then the values shown of one add up to those of the other.
        both = [(self.rest(beside, of_stated=s), self.rest(other, of_stated=s)) for s in (False, True)]
        if theirs and any(self.columns.occurs(one) and self.columns.same(one, two) for one, two in both):
            theirs.remove(_first_to_go(theirs))

    def _links(self, question: str) -> list[IntArray]:
        """List the columns that, under another name, would complete the sum of this variable, or be it."""
        hidden = [v for v in self.counts[question] if v not in self.offered[question] and v != TOO_RECENT]
        found = [self.counts[question][v] for v in hidden]
        found += [self.rest(question, of_stated=s) for s in (False, True)]
        if len(self.offered[question]) > 1:  # one value alone is a count like its twin, in the same step
            found.append(self.shown(question))
        return [column for column in found if self.columns.occurs(column)]

    def _no_room(self, question: str, column: IntArray) -> bool:
        """Say whether a column that contains all that is not offered closes the sum: a union, see `has_room`."""
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
    """Return the value that is given up first, by its words and its place alone: one of leftovers, else the last."""
    leftovers = [v for v in values if v.casefold().startswith(("other", "unknown", "not known"))]
    return leftovers[-1] if leftovers else values[-1]


def _with_boroughs(
    offered: Offered, held: pd.DataFrame, total: "pd.Series[int]", *, region: str, columns: Columns
) -> Offered:
    """Leave one borough out of each value where the boroughs together are the region."""
    boroughs = sorted(a for a in held.index if a not in ("", region))
    shown = [(q, v) for q, mine in offered.by_variable.items() for v in mine if VARIABLES[q].detail is Detail.BOROUGHS]
    held = held.loc[[region, *boroughs], shown]
    beside = held.iloc[0].to_numpy() - held.iloc[1:].sum(axis=0).to_numpy()
    if not shown or np.mean(beside != 0) >= NOTHING_SHARE:
        return offered
    # Which borough is left out goes by the place of the value in the list, so that no borough loses much. Values that
    # pass for the same incidents are left out of the same borough: either would tell the other.
    hidden: dict[tuple[str, str], str] = {}
    for place, column in enumerate(shown):
        twins = [c for c in hidden if columns.same(held[c].to_numpy(), held[column].to_numpy())]
        hidden[column] = hidden[twins[0]] if twins else boroughs[place % len(boroughs)]
    enough = np.mean([held.loc[borough, c] > 0 for c, borough in hidden.items()]) >= NOTHING_SHARE
    last = [b for b in boroughs if total[b] >= columns.fewest]
    if len(boroughs) < 2 or not enough or not last:
        return replace(offered, by_borough=False)
    return replace(offered, hidden_in=hidden, last=last[-1])
