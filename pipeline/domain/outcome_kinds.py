"""Kinds of outcome: what came of an offence, or why nothing did, read from the words of the source."""

from enum import StrEnum
from typing import Self

__all__ = ["OutcomeKind", "kind_of_outcome"]


class OutcomeKind(StrEnum):
    """A kind of outcome: its id, a label for readers, and lower-case words by one of which a text is recognised.

    Members stand in the order in which they are shown; `_TRIED` is the order in which texts are compared with them.

    Examples
    --------
    >>> OutcomeKind.POSITIVE, OutcomeKind.POSITIVE.label
    (<OutcomeKind.POSITIVE: 'positive'>, 'Positive outcome')
    """

    label: str
    texts: tuple[str, ...]

    def __new__(cls, value: str, label: str = "", *texts: str) -> Self:
        """Make a member of its id, its label and its words."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        member.texts = texts
        return member

    POSITIVE = (
        "positive",
        "Positive outcome",
        "charge",
        "summons",
        "caution",
        "resolution",
        "penalty notice",
        "taken into consideration",
        "offender ",
        "diversionary",
    )
    VICTIM_DOES_NOT_SUPPORT = (
        "victim_does_not_support",
        "Victim does not support action",
        "victim does not support",
        "victim declines",
        "evidential difficulties (victim",
    )
    NO_SUSPECT = "no_suspect", "No suspect identified", "no suspect", "suspect not identified", "unidentified"
    EVIDENTIAL_DIFFICULTIES = (
        "evidential_difficulties",
        "Evidential difficulties",
        "evidential difficulties",
        "unable to prosecute",
    )
    NOT_IN_PUBLIC_INTEREST = "not_in_public_interest", "Not in the public interest", "public interest"
    PENDING = (
        "pending",
        "Under investigation or awaiting a decision",
        "under investigation",
        "awaiting",
        "pending",
        "court result unavailable",
    )
    OTHER = "other", "Other outcome"
    NOT_STATED = "not_stated", "No outcome stated"


# "Evidential difficulties: victim does not support" is about the victim, and "prosecution of the offender is not in the
# public interest" is not a positive outcome: kinds with specific words are tried before those with general ones.
_TRIED = (
    OutcomeKind.PENDING,
    OutcomeKind.VICTIM_DOES_NOT_SUPPORT,
    OutcomeKind.NO_SUSPECT,
    OutcomeKind.NOT_IN_PUBLIC_INTEREST,
    OutcomeKind.EVIDENTIAL_DIFFICULTIES,
    OutcomeKind.POSITIVE,
)
# These hold words of a positive outcome ("charge", "offender ") but say that there was none.
_NO_ACTION = ("not charged", "no charge", "offender died", "offender has died", "too ill")


def kind_of_outcome(text: str, outcome_class: str = "") -> OutcomeKind:
    """Find the kind of an outcome from its text; what the configuration says of it comes first.

    Parameters
    ----------
    text
        The outcome as the source puts it.
    outcome_class
        ``positive``, ``pending`` or ``other`` where the configuration settles it, else empty.

    Examples
    --------
    >>> str(kind_of_outcome("Evidential difficulties: victim does not support"))
    'victim_does_not_support'
    >>> str(kind_of_outcome("charged")), str(kind_of_outcome("charged", "other")), str(kind_of_outcome(""))
    ('positive', 'other', 'not_stated')
    """
    if outcome_class in (OutcomeKind.POSITIVE, OutcomeKind.PENDING):
        return OutcomeKind(outcome_class)
    words = " ".join(text.casefold().replace(":", " ").replace("-", " ").split())
    if not words:
        return OutcomeKind.NOT_STATED
    if any(part in words for part in _NO_ACTION):
        return OutcomeKind.OTHER
    # A space is added because "offender " must match the last word of a text too, but not "offenders".
    found = next((kind for kind in _TRIED if any(part in f"{words} " for part in kind.texts)), OutcomeKind.OTHER)
    # The configuration may deny that an outcome is positive; it does not deny the more specific kinds.
    if outcome_class == OutcomeKind.OTHER and found == OutcomeKind.POSITIVE:
        return OutcomeKind.OTHER
    return found
