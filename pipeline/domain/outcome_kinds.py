"""Kinds of outcome: what came of an offence, or why nothing did, told from the words of the source."""

from dataclasses import dataclass

__all__ = ["REASONS", "Reason", "reason_of"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A kind of outcome: id, words for readers, and lower-case texts one of which tells it."""

    id: str
    label: str
    texts: tuple[str, ...] = ()


REASONS = (
    Reason(
        "positive",
        "Positive outcome",
        ("charge", "summons", "caution", "resolution", "penalty notice", "taken into consideration", "offender ",
         "diversionary"),
    ),
    Reason(
        "victim_does_not_support",
        "Victim does not support action",
        ("victim does not support", "victim declines", "evidential difficulties (victim"),
    ),
    Reason("no_suspect", "No suspect identified", ("no suspect", "suspect not identified", "unidentified")),
    Reason("evidential_difficulties", "Evidential difficulties", ("evidential difficulties", "unable to prosecute")),
    Reason("not_in_public_interest", "Not in the public interest", ("public interest",)),
    Reason(
        "pending",
        "Under investigation or awaiting a decision",
        ("under investigation", "awaiting", "pending", "court result unavailable"),
    ),
    Reason("other", "Other outcome"),
    Reason("not_stated", "No outcome stated"),
)  # fmt: skip
"""Kinds of outcome in the order they are shown. The order in which texts are tried is that of `_TRIED`."""

# "Evidential difficulties: victim does not support" is about the victim, and "prosecution of the offender is not in the
# public interest" is no positive outcome: the telling words are tried before the general ones.
_TRIED = (
    "pending",
    "victim_does_not_support",
    "no_suspect",
    "not_in_public_interest",
    "evidential_difficulties",
    "positive",
)
_NO_ACTION = ("not charged", "no charge", "offender died", "offender has died", "too ill")


def reason_of(text: str, outcome_class: str = "") -> str:
    """Tell the kind of an outcome (id of `REASONS`) from its text; what the configuration says of it comes first.

    Parameters
    ----------
    text
        The outcome as the source puts it.
    outcome_class
        ``positive``, ``pending`` or ``other`` where the configuration settles it, else empty.

    Examples
    --------
    >>> reason_of("Evidential difficulties: victim does not support"), reason_of("charged", "other")
    ('victim_does_not_support', 'other')
    """
    if outcome_class in ("positive", "pending"):
        return outcome_class
    words = " ".join(text.casefold().replace(":", " ").replace("-", " ").split())
    if not words:
        return "not_stated"
    if any(part in words for part in _NO_ACTION):
        return "other"
    texts = {r.id: r.texts for r in REASONS}
    found = next((r for r in _TRIED if any(part in f"{words} " for part in texts[r])), "other")
    return "other" if (outcome_class, found) == ("other", "positive") else found
