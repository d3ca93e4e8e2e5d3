"""Choose which values of the circumstances are offered, once for all audiences, areas and steps.

As `pipeline.release.steps` explains, inequalities between counts never narrow a step, but equations do. A variable is
an equation: its values add up to the organisation's total. Therefore part of every such sum is offered to no released
audience, and this part must not be negligible:

1. Not offered are: not stated, too recent to say, and rare values.
2. If these are negligible in the data, further values are not offered, from the last one on: if nearly every record
   states a weekday, Sunday could otherwise be computed from Monday to Saturday.
3. Nor are values that select the same incidents as the part of another variable that is not offered: if "incident" of
   `kind` is not offered, "Non-crime incident" of the offence groups is not either. A value that is part of another
   needs no treatment: it is one more inequality. A value that contains everything that is not offered bounds the sum
   from above, and is omitted if the row rule requires it.
4. If every incident of the region is in a borough, one borough of each value is not offered.
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
"""Readers may rely on a relation if a smaller share of the areas breaks it."""
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
