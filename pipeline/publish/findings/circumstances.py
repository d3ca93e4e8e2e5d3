"""One sentence for each thing partnerships ask first, chosen by rule from the released shares."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.aggregate.circumstances import DELAYS, NOT_STATED, TOO_RECENT, Summary, Variable, median_answer
from pipeline.domain.outcome_kinds import OutcomeKind
from pipeline.publish import words

__all__ = ["Answer", "Asked", "told"]

_WITHIN_7 = tuple(name for name, last in DELAYS if last is not None and last <= 7)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: how many gave it (None: withheld), their share and its interval (None: not known)."""

    name: str
    incidents: int | None
    share: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One question in one area: its answers in order, and the region's shares beside which they stand."""

    variable: Variable
    answers: tuple[Answer, ...]
    noun: str
    about: str = ""
    place: str = ""
    region: Mapping[str, float] = field(default_factory=dict)

    @property
    def given(self) -> tuple[Answer, ...]:
        """The answers proper."""
        return tuple(a for a in self.answers if a.name not in (NOT_STATED, TOO_RECENT))

    def answer(self, name: str) -> Answer | None:
        """Find one answer."""
        return next((a for a in self.answers if a.name == name), None)


def told(asked: Asked) -> str:
    """Say what the answers come to; empty where too much is withheld to say anything.

    Examples
    --------
    >>> from pipeline.aggregate.circumstances import VARIABLES
    >>> told(Asked(VARIABLES["online"], (Answer("yes", 10, 0.1), Answer("no", 90, 0.9)), "offences"))
    '10% happened online.'
    """
    match asked.variable.summary:
        case Summary.ONE_VALUE:
            value, words_after = asked.variable.highlight
            one = asked.answer(value)
            return f"{_pct(asked, one)} {words_after}.{_beside(asked, one)}" if one and one.share is not None else ""
        case Summary.DELAY:
            return _delay(asked)
        case Summary.OUTCOME:
            return _outcome(asked)
        case _:
            return _most(asked)


def _pct(asked: Asked, one: Answer) -> str:
    if one.share in (0.0, 1.0):
        return "All" if one.share else "None"
    return words.capital(f"{asked.about}{words.share_text(one.share or 0.0)}")


def _beside(asked: Asked, one: Answer | None) -> str:
    """Give the region's share where it lies outside the interval."""
    if one is None or one.low is None or one.high is None or one.name not in asked.region:
        return ""
    theirs = asked.region[one.name]
    return "" if one.low <= theirs <= one.high else f" {asked.place}: {words.share_text(theirs)}."


def _most(asked: Asked) -> str:
    """Name the most frequent answer, if it stands out, or say that none does."""
    known = [a for a in asked.given if a.share is not None]
    ranked = sorted(known, key=lambda a: -(a.share or 0.0))
    hidden = [a for a in asked.given if a.incidents is None]
    if not ranked or not ranked[0].share or len(hidden) * 2 > len(asked.given):
        return ""
    first = ranked[0]
    if first.share == 1:
        return f"Every record says {first.name}."
    share = f"{asked.about}{words.share_text(first.share or 0.0)}"
    if len(ranked) > 1 and first.low is not None and first.low <= (ranked[1].share or 0.0):
        return f"No single answer stands out: {first.name}, the most frequent, is {share}."
    second = ""
    if len(ranked) > 1 and ranked[1].share:
        second = f", then {ranked[1].name} ({words.share_text(ranked[1].share)})"
    return f"Most often {first.name} ({share}){second}.{_beside(asked, first)}"


def _delay(asked: Asked) -> str:
    """Say how many were recorded within a week, and when half of them were."""
    within = [a for a in asked.given if a.name in _WITHIN_7]
    if any(a.share is None or a.incidents is None for a in within) or not within:
        return ""
    share = min(1.0, sum(a.share or 0.0 for a in within))
    said = f"{words.capital(asked.about + words.share_text(share))} were recorded within 7 days"
    theirs = [asked.region[a.name] for a in within if a.name in asked.region]
    if theirs:
        said += f" ({asked.place}: {words.share_text(min(1.0, sum(theirs)))})"
    middle = _middle(asked)
    return f"{said}{middle}."


def _middle(asked: Asked) -> str:
    """Say in which band the middle incident falls, where nothing withheld can move it."""
    if any(a.incidents is None for a in asked.given):
        return ""
    middle = median_answer([a.name for a in asked.given], [a.incidents or 0 for a in asked.given])
    if not middle:
        return ""
    halves = {"same day": "half of them on the same day", "next day": "half of them by the next day"}
    return f"; {halves.get(middle, f'the middle one after {middle}')}"


def _outcome(asked: Asked) -> str:
    """Say how many had a positive outcome, and what stood most often in its way."""
    positive, unsupported = (
        asked.answer(kind.label) for kind in (OutcomeKind.POSITIVE, OutcomeKind.VICTIM_DOES_NOT_SUPPORT)
    )
    said = []
    if positive and positive.share is not None:
        said.append(f"{_pct(asked, positive)} had a positive outcome.{_beside(asked, positive)}")
    if unsupported and unsupported.share:
        said.append(f"In {asked.about}{words.share_text(unsupported.share)} the victim did not support action.")
    return " ".join(said)
