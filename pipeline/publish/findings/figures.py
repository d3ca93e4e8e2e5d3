"""What sentences are made from: the released figures of one area, and the setting they are read in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.domain.categories import ROOT
from pipeline.publish import words
from pipeline.statistics.change import COMPARED, ChangeWord
from pipeline.statistics.rates import Reliability

__all__ = [
    "EMPTY",
    "LEAST",
    "VAGUE",
    "AreaProfile",
    "Case",
    "CountRange",
    "Figure",
    "count_range",
    "figure_of",
    "number",
    "total_of",
    "whole_number",
]

VAGUE = 0.15
"""A share whose ends lie farther apart than this says too little for a sentence."""
LEAST = 20
"""No sentence rests on fewer incidents than this, on either side of a comparison."""


@dataclass(frozen=True, slots=True)
class CountRange:
    """A count as released: the least and the greatest that it may be, equal where it is known."""

    lower: int
    upper: int

    @property
    def exact(self) -> bool:
        """Whether the count itself is given."""
        return self.lower == self.upper

    @property
    def first_step(self) -> bool:
        """Whether the count may be nothing or something."""
        return self.lower == 0 < self.upper

    @property
    def middle(self) -> int:
        """The number that rates and percentages were made from."""
        return self.lower + (self.upper - self.lower + 1) // 2

    @property
    def text(self) -> str:
        """The count in words: `20 to 29`."""
        return words.count_text(self.lower, self.upper)

    def of(self, noun: str) -> str:
        """Write the count with what is counted: `20 to 29 offences`."""
        return words.counted_range(self.lower, self.upper, noun)


def total_of(counts: Iterable[CountRange]) -> CountRange:
    """Add counts of several areas or windows: the sum of the least to the sum of the greatest.

    >>> total_of([CountRange(20, 29), CountRange(0, 9)])
    CountRange(lower=20, upper=38)
    """
    ranges = list(counts)
    return CountRange(sum(c.lower for c in ranges), sum(c.upper for c in ranges))


@dataclass(frozen=True, slots=True)
class Figure:
    """One area, category and window as released; None where there is nothing to show.

    Attributes
    ----------
    incidents, earlier, outcomes, known
        Counts of the window, of the window compared with, of positive outcomes, and of incidents whose outcome is
        known.
    rate, rate_low, rate_high
        Per 10,000 people in the whole window, with the 95 % interval.
    reliability
        A value of `Reliability`.
    share, share_low, share_high
        Cohort: share with a positive outcome, 0 to 1. Flow: outcomes recorded per 100 recorded, no interval.
    change_pct, change_word, versus_word
        Change in per cent, the word for it, and the word for it against the region's change.
    not_offered
        Columns that are not offered.
    """

    incidents: CountRange | None = None
    earlier: CountRange | None = None
    outcomes: CountRange | None = None
    known: CountRange | None = None
    rate: float | None = None
    rate_low: float | None = None
    rate_high: float | None = None
    reliability: str = ""
    share: float | None = None
    share_low: float | None = None
    share_high: float | None = None
    change_pct: float | None = None
    change_word: str = ""
    versus_word: str = ""
    not_offered: frozenset[str] = frozenset()

    @property
    def hidden(self) -> bool:
        """Whether the count itself is not offered."""
        return "incidents" in self.not_offered

    @property
    def unrated(self) -> bool:
        """Whether a count that could have a rate has none, as where visitors dominate."""
        gone = self.hidden or "rate_per_10000" in self.not_offered or self.reliability == Reliability.TOO_FEW
        return self.incidents is not None and self.incidents.lower > 0 and self.rate is None and not gone

    @property
    def least(self) -> int:
        """The least that the count may be; 0 where there is none."""
        return self.incidents.lower if self.incidents else 0

    @property
    def exact(self) -> bool:
        """Whether the count and the one it is compared with are given as numbers."""
        return all(count is None or count.exact for count in (self.incidents, self.earlier))

    @property
    def rate_span(self) -> tuple[float, float] | None:
        """The rate of the least and of the greatest that the count may be; None without a rate."""
        if self.rate is None:
            return None
        if self.incidents is None or self.incidents.exact:
            return self.rate, self.rate
        per_one = self.rate / self.incidents.middle
        return self.incidents.lower * per_one, self.incidents.upper * per_one

    def share_span(self, basis: str) -> tuple[float, float] | None:
        """Return the least and the greatest that the share (`cohort`) or flow of outcomes may be; None without one."""
        if self.share is None:
            return None
        whole = self.known if basis == "cohort" and self.known else self.incidents
        if self.outcomes is None or whole is None or not whole.lower or (self.outcomes.exact and whole.exact):
            return self.share, self.share
        low, high = self.outcomes.lower / whole.upper, self.outcomes.upper / whole.lower
        # A flow is per 100 and has no ceiling: outcomes may belong to offences recorded earlier.
        return (100 * low, 100 * high) if basis == "flow" else (low, min(1.0, high))

    @property
    def comparable(self) -> bool:
        """Whether the count and the earlier one are both large enough to speak of their change."""
        return (
            self.incidents is not None
            and self.incidents.lower >= LEAST
            and (self.earlier is None or self.earlier.lower >= LEAST)
            and self.change_pct is not None
            and self.change_word in COMPARED
        )

    @property
    def direction(self) -> Literal[-1, 0, 1]:
        """Direction that the word of change gives, unless the percentage points the other way."""
        if self.change_word == ChangeWord.HIGHER and (self.change_pct is None or self.change_pct >= 0):
            return 1
        if self.change_word == ChangeWord.LOWER and (self.change_pct is None or self.change_pct <= 0):
            return -1
        return 0

    @property
    def changed(self) -> Literal[-1, 0, 1]:
        """Direction of a clear change between counts large enough to speak of; 0 otherwise."""
        return self.direction if self.comparable else 0


EMPTY = Figure()
"""No row at all: an area or a category without data."""


def _null(value: Any) -> Any:
    return None if value is None or value != value or str(value) == "<NA>" else value  # noqa: PLR0124 - NaN


def whole_number(value: Any) -> int | None:
    """Read a cell that holds a count; None where it is empty."""
    found = _null(value)
    return None if found is None else int(found)


def number(value: Any) -> float | None:
    """Read a cell of a table; None where it is empty."""
    found = _null(value)
    return None if found is None else float(found)


def count_range(row: Mapping[str, Any], measure: str) -> CountRange | None:
    """Read the range of a count; None where it is not offered or there is no data."""
    lower, upper = whole_number(row.get(f"{measure}_lower")), whole_number(row.get(f"{measure}_upper"))
    return None if lower is None or upper is None else CountRange(lower, upper)


def figure_of(row: Mapping[str, Any] | None, *, earlier: Mapping[str, Any] | None = None) -> Figure:
    """Read one row of `area_counts`, and the row of the window that it is compared with."""
    if row is None:
        return EMPTY
    return Figure(
        incidents=count_range(row, "incidents"),
        earlier=None if earlier is None else count_range(earlier, "incidents"),
        outcomes=count_range(row, "positive_outcomes"),
        known=count_range(row, "known_outcomes"),
        rate=number(row["rate_per_10000"]),
        rate_low=number(row["rate_low"]),
        rate_high=number(row["rate_high"]),
        reliability=str(_null(row["reliability"]) or ""),
        share=number(row["outcome_share"]),
        share_low=number(row["outcome_low"]),
        share_high=number(row["outcome_high"]),
        change_pct=number(row["change_pct"]),
        change_word=str(_null(row["change_word"]) or ""),
        versus_word=str(_null(row["change_vs_region"]) or ""),
        not_offered=frozenset(w for w in str(_null(row["not_offered"]) or "").split(";") if w),
    )


@dataclass(frozen=True, slots=True)
class AreaProfile:
    """An area with its figures by category, of which `subject` is what its page is about: mostly `all`, the total."""

    code: str
    name: str
    population: int | None
    covered: bool
    figures: Mapping[str, Figure] = field(default_factory=dict)
    subject: str = ROOT

    @property
    def total(self) -> Figure:
        """The figure that the page is about: of each incident once, or where that is not shown of one category."""
        return self.figures.get(self.subject, EMPTY)

    def figure(self, category: str) -> Figure:
        """Return the figure of a category; empty where there is none."""
        return self.figures.get(category, EMPTY)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a briefing's sentences may rest on.

    Attributes
    ----------
    area, region
        The area of the briefing, and the region it is compared with (the same, on the panel page).
    peers
        Covered areas of the briefing's level, itself among them; empty on the panel page.
    parts
        Covered areas one level down.
    categories
        Id and label of every category but the total.
    outside
        Labels of the categories that are part of no total.
    noun
        What is counted, in the plural.
    recorder
        Who recorded; empty where it was several organisations.
    period, before
        Label of the window; how the one compared with is called ("the year before"), empty if there is none.
    part_words, peer_words
        Singular and plural of the parts and of the peers.
    audience
        Places are ranked and named only inside and among partners.
    outcome_basis
        What outcomes are set against.
    lacking
        Months of the window that the data lacks, in words; empty where it is whole.
    break_text
        Why the windows cannot be compared, as half a sentence, where a break in the series says so.
    inside_note
        Where much of the data lies outside the areas: that figures speak of the part inside.
    has_total
        Whether all categories together are shown; otherwise the page is about one of them, and `noun` names it.
    each_noun
        What is counted in any category; empty where `noun` says so.
    """

    area: AreaProfile
    region: AreaProfile
    peers: tuple[AreaProfile, ...]
    parts: tuple[AreaProfile, ...]
    categories: tuple[tuple[str, str], ...]
    outside: tuple[str, ...] = field(default=(), kw_only=True)
    noun: str
    period: str
    before: str
    part_words: tuple[str, str] = ("ward", "wards")
    peer_words: tuple[str, str] = ("borough", "boroughs")
    audience: Literal["internal", "partner", "public"] = "internal"
    outcome_basis: Literal["cohort", "flow", "none"] = "none"
    break_text: str = ""
    lacking: str = ""
    recorder: str = ""
    inside_note: str = ""
    has_total: bool = True
    each_noun: str = ""

    @property
    def of_any(self) -> str:
        """What is counted, whatever its category."""
        return self.each_noun or self.noun

    @property
    def whole_region(self) -> bool:
        """Whether the briefing is about the region itself."""
        return self.area.code == self.region.code

    @property
    def back_then(self) -> str:
        """When the window compared with was, as it stands after a count: "the year before", "in Q1 2024"."""
        relative = {"", words.say("finding.before.year"), words.say("finding.before.same_months")}
        return self.before if self.before in relative else words.say("finding.before.in_period", period=self.before)
