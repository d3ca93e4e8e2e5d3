"""One sentence for each variable of the circumstances, chosen by rule from the released shares."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.aggregate.circumstances import DELAYS, NOT_STATED, TOO_RECENT, Summary, Variable, median_value
from pipeline.domain.outcome_kinds import OutcomeKind
from pipeline.publish import words

__all__ = ["ValueFigures", "VariableFigures", "summary_sentence"]

_WITHIN_7 = tuple(name for name, last in DELAYS if last is not None and last <= 7)


@dataclass(frozen=True, slots=True)
class ValueFigures:
    """One value: how many incidents have it (None: withheld), their share and its interval (None: not known)."""

    name: str
    incidents: int | None
    share: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class VariableFigures:
    """One variable in one area: its values in order, and the region's shares to compare them with."""

    variable: Variable
    rows: tuple[ValueFigures, ...]
    noun: str
    about: str = ""
    place: str = ""
    region: Mapping[str, float] = field(default_factory=dict)

    @property
    def stated(self) -> tuple[ValueFigures, ...]:
        """The rows of incidents whose value is known."""
        return tuple(a for a in self.rows if a.name not in (NOT_STATED, TOO_RECENT))

    def row(self, name: str) -> ValueFigures | None:
        """Find the row of one value."""
        return next((a for a in self.rows if a.name == name), None)


def summary_sentence(figures: VariableFigures) -> str:
    """Sum the variable up; empty where too much is withheld for any sentence.

    Examples
    --------
    >>> from pipeline.aggregate.circumstances import VARIABLES
    >>> rows = (ValueFigures("yes", 10, 0.1), ValueFigures("no", 90, 0.9))
    >>> summary_sentence(VariableFigures(VARIABLES["online"], rows, "offences"))
    '10% happened online.'
    """
    match figures.variable.summary:
        case Summary.ONE_VALUE:
            value, words_after = figures.variable.highlight
            one = figures.row(value)
            return (
                f"{_pct(figures, one)} {words_after}.{_beside(figures, one)}" if one and one.share is not None else ""
            )
        case Summary.DELAY:
            return _delay(figures)
        case Summary.OUTCOME:
            return _outcome(figures)
        case _:
            return _most(figures)


def _pct(figures: VariableFigures, one: ValueFigures) -> str:
    if one.share in (0.0, 1.0):
        return "All" if one.share else "None"
    return words.capital(f"{figures.about}{words.share_text(one.share or 0.0)}")


def _beside(figures: VariableFigures, one: ValueFigures | None) -> str:
    """Give the region's share where it lies outside the interval."""
    if one is None or one.low is None or one.high is None or one.name not in figures.region:
        return ""
    theirs = figures.region[one.name]
    return "" if one.low <= theirs <= one.high else f" {figures.place}: {words.share_text(theirs)}."


def _most(figures: VariableFigures) -> str:
    """Name the most frequent value, if it stands out, or say that none does."""
    known = [a for a in figures.stated if a.share is not None]
    ranked = sorted(known, key=lambda a: -(a.share or 0.0))
    hidden = [a for a in figures.stated if a.incidents is None]
    if not ranked or not ranked[0].share or len(hidden) * 2 > len(figures.stated):
        return ""
    first = ranked[0]
    if first.share == 1:
        return f"Every record says {first.name}."
    share = f"{figures.about}{words.share_text(first.share or 0.0)}"
    if len(ranked) > 1 and first.low is not None and first.low <= (ranked[1].share or 0.0):
        return f"No single answer stands out: {first.name}, the most frequent, is {share}."
    second = ""
    if len(ranked) > 1 and ranked[1].share:
        second = f", then {ranked[1].name} ({words.share_text(ranked[1].share)})"
    return f"Most often {first.name} ({share}){second}.{_beside(figures, first)}"


def _delay(figures: VariableFigures) -> str:
    """Say how many were recorded within a week, and when half of them were."""
    within = [a for a in figures.stated if a.name in _WITHIN_7]
    if any(a.share is None or a.incidents is None for a in within) or not within:
        return ""
    share = min(1.0, sum(a.share or 0.0 for a in within))
    wording = f"{words.capital(figures.about + words.share_text(share))} were recorded within 7 days"
    theirs = [figures.region[a.name] for a in within if a.name in figures.region]
    if theirs:
        wording += f" ({figures.place}: {words.share_text(min(1.0, sum(theirs)))})"
    middle = _middle(figures)
    return f"{wording}{middle}."


def _middle(figures: VariableFigures) -> str:
    """Say in which band the middle incident falls, where nothing withheld can move it."""
    if any(a.incidents is None for a in figures.stated):
        return ""
    middle = median_value([a.name for a in figures.stated], [a.incidents or 0 for a in figures.stated])
    if not middle:
        return ""
    halves = {"same day": "half of them on the same day", "next day": "half of them by the next day"}
    return f"; {halves.get(middle, f'the middle one after {middle}')}"


def _outcome(figures: VariableFigures) -> str:
    """Say how many had a positive outcome, and what stood most often in its way."""
    positive, unsupported = (
        figures.row(kind.label) for kind in (OutcomeKind.POSITIVE, OutcomeKind.VICTIM_DOES_NOT_SUPPORT)
    )
    wording = []
    if positive and positive.share is not None:
        wording.append(f"{_pct(figures, positive)} had a positive outcome.{_beside(figures, positive)}")
    if unsupported and unsupported.share:
        wording.append(f"In {figures.about}{words.share_text(unsupported.share)} the victim did not support action.")
    return " ".join(wording)
