"""One sentence for each variable of the circumstances, chosen by rule from the released shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.aggregate.circumstances import DELAYS, NOT_STATED, TOO_RECENT, OutcomeKind, Summary, Variable
from pipeline.publish import words
from pipeline.publish.words import say
from pipeline.statistics.uncertainty import wilson

__all__ = ["Limits", "ValueFigures", "VariableFigures", "summary_sentence"]

_WITHIN_7 = tuple(name for name, last in DELAYS if last is not None and last <= 7)


Limits = tuple[int, int]
"""Between which numbers a count lies; the same number twice where it is known."""


@dataclass(frozen=True, slots=True)
class ValueFigures:
    """One value in one area.

    Attributes
    ----------
    name
        The value.
    count, stated
        Limits of the incidents that have it, and of those that state any value; None: not offered.
    share
        Its share, or the middle of what it lies between; None where nothing can be said of it.
    """

    name: str
    count: Limits | None = None
    stated: Limits | None = None
    share: float | None = None

    @property
    def exact(self) -> bool:
        """Whether the count is known as a number."""
        return self.count is not None and self.count[0] == self.count[1]

    @property
    def limits(self) -> tuple[float, float]:
        """Between which numbers the share lies."""
        return share_limits(self.count or (0, 0), self.stated or (0, 0))

    @property
    def interval(self) -> tuple[float, float]:
        """What chance allows for the share: the Wilson interval, at both ends of what is known."""
        if self.count is None or self.stated is None or not self.stated[0]:
            return 0.0, 1.0
        ends = (self.count[0], self.stated[1]), (min(self.count[1], self.stated[0]), self.stated[0])
        (low, _), (_, high) = (wilson(k, n) for k, n in ends)
        return float(low), float(high)


def share_limits(part: Limits, whole: Limits) -> tuple[float, float]:
    """Return between which numbers a share lies: the least part of the greatest whole, and the other way round.

    >>> share_limits((20, 24), (100, 104))[1], share_limits((0, 4), (0, 4))
    (0.24, (0.0, 1.0))
    """
    low = part[0] / whole[1] if whole[1] else 0.0
    return low, min(1.0, part[1] / whole[0]) if whole[0] else 1.0


@dataclass(frozen=True, slots=True)
class VariableFigures:
    """One variable in one area: its values in order, and the region's to compare them with."""

    variable: Variable
    rows: tuple[ValueFigures, ...]
    noun: str
    place: str = ""
    region: Mapping[str, ValueFigures] = field(default_factory=dict)

    @property
    def offered(self) -> tuple[ValueFigures, ...]:
        """The rows of values, without what is not known, whose counts are shown."""
        return tuple(a for a in self.rows if a.name not in (NOT_STATED, TOO_RECENT) and a.count is not None)

    @property
    def left_out(self) -> int:
        """The most incidents that any value that is not offered can have."""
        values = [a for a in self.rows if a.name not in (NOT_STATED, TOO_RECENT)]
        if all(a.count is not None for a in values) or not values or values[0].stated is None:
            return 0
        return values[0].stated[1] - sum(a.count[0] for a in values if a.count is not None)

    def row(self, name: str) -> ValueFigures | None:
        """Find the row of one value, where a share is shown."""
        return next((a for a in self.rows if a.name == name and a.share is not None), None)


def summary_sentence(figures: VariableFigures) -> str:
    """Sum the variable up: only what holds for every value inside the steps; empty where that is nothing.

    Examples
    --------
    >>> from pipeline.aggregate.circumstances import VARIABLES
    >>> rows = (ValueFigures("yes", (10, 10), (100, 100), 0.1), ValueFigures("no", (90, 90), (100, 100), 0.9))
    >>> summary_sentence(VariableFigures(VARIABLES["online"], rows, "offences"))
    '10% happened online.'
    """
    match figures.variable.summary:
        case Summary.ONE_VALUE:
            one = figures.row(figures.variable.highlight)
            if one is None:
                return ""
            stated = say(f"circumstances.share.{figures.variable.id}", share=_share(one))
            return " ".join([stated, *_beside(figures, one)])
        case Summary.DELAY:
            return _delay(figures)
        case Summary.OUTCOME:
            return _outcome(figures)
        case _:
            return _most(figures)


def _share(one: ValueFigures) -> str:
    """Write a share at the beginning of a sentence."""
    if one.exact and one.share in (0.0, 1.0):
        return say("circumstances.all") if one.share else say("circumstances.none")
    return words.capital(words.share_range_text(*one.limits))


def _beside(figures: VariableFigures, one: ValueFigures) -> list[str]:
    """Give the region's share, where it lies outside what chance allows; else nothing."""
    theirs = figures.region.get(one.name)
    if theirs is None or theirs.share is None:
        return []
    (low, high), (least, most) = one.interval, theirs.limits
    if low <= most and least <= high:
        return []
    return [say("circumstances.beside", place=figures.place, share=words.share_range_text(least, most))]


def _most(figures: VariableFigures) -> str:
    """Name the most frequent value, if it stands out, or say that none does."""
    ranked = sorted((a for a in figures.offered if a.share is not None), key=lambda a: (-(a.share or 0.0), a.name))
    if not ranked or not ranked[0].share:
        return ""
    first, others = ranked[0], ranked[1:]
    share = words.share_range_text(*first.limits)
    if first.exact and first.share == 1:
        return say("circumstances.every_record", value=first.name)
    # What is not offered may be the most frequent value itself.
    if figures.left_out > _least(first):
        return ""
    next_share = max((a.limits[1] for a in others), default=0.0)
    if first.interval[0] <= next_share:
        if _least(first) > max((_greatest(a) for a in others), default=0):
            return say("circumstances.none_stands_out_but", value=first.name, share=share)
        return say("circumstances.none_stands_out")
    stated = say("circumstances.most_often", value=first.name, share=share)
    if others and others[0].share and _least(others[0]) > max([*map(_greatest, others[1:]), figures.left_out]):
        second, then_share = others[0].name, words.share_range_text(*others[0].limits)
        stated = say(
            "circumstances.most_often_then", value=first.name, share=share, second=second, then_share=then_share
        )
    return " ".join([stated, *_beside(figures, first)])


def _least(one: ValueFigures) -> int:
    return one.count[0] if one.count else 0


def _greatest(one: ValueFigures) -> int:
    return one.count[1] if one.count else 0


def _delay(figures: VariableFigures) -> str:
    """Say how many were recorded within a week, and when half of them were."""
    within = _together([a for a in figures.offered if a.name in _WITHIN_7])
    if within is None:
        return ""
    share = words.capital(words.share_range_text(*within))
    stated = say("circumstances.within_7_days", share=share)
    if theirs := _together([figures.region[name] for name in _WITHIN_7 if name in figures.region]):
        beside = words.share_range_text(*theirs)
        stated = say("circumstances.within_7_days_beside", share=share, place=figures.place, beside=beside)
    return " ".join([stated, *_middle(figures)])


def _together(rows: Sequence[ValueFigures]) -> tuple[float, float] | None:
    """Return between which numbers the share of all values within a week lies; None unless all are offered."""
    counts = [a.count for a in rows if a.count is not None]
    if len(counts) < len(_WITHIN_7) or rows[0].stated is None or not rows[0].stated[1]:
        return None
    return share_limits((sum(c[0] for c in counts), sum(c[1] for c in counts)), rows[0].stated)


def _middle(figures: VariableFigures) -> list[str]:
    """Say in which band the middle incident falls, where it falls there for every value inside the steps."""
    low = high = 0
    for one in (a for a in figures.rows if a.name not in (NOT_STATED, TOO_RECENT)):
        if one.count is None or one.stated is None:
            return []
        before, low, high = high, low + one.count[0], high + one.count[1]
        if 2 * high < one.stated[0]:
            continue
        if 2 * low < one.stated[1] or (2 * before >= one.stated[0] and before):
            return []
        if one.name == DELAYS[0][0]:
            return [say("circumstances.half_on_the_day")]
        if one.name == DELAYS[1][0]:
            return [say("circumstances.half_by_next_day")]
        return [say("circumstances.median_delay", delay=one.name)]
    return []


def _outcome(figures: VariableFigures) -> str:
    """Say how many had a positive outcome, and what stood most often in its way."""
    positive, unsupported = (
        figures.row(kind.label) for kind in (OutcomeKind.POSITIVE, OutcomeKind.VICTIM_DOES_NOT_SUPPORT)
    )
    wording = []
    if positive:
        wording += [say("circumstances.positive_outcome", share=_share(positive)), *_beside(figures, positive)]
    if unsupported and unsupported.share:
        wording.append(say("circumstances.not_supported", share=words.share_range_text(*unsupported.limits)))
    return " ".join(wording)
