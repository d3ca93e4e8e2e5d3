"""What deserves attention: the three to five statements that a map opens with, each with the test that it passed.

A statement says what the released tables show and no more: a change only where its word says so, the hotspots' share
only as the range that their steps allow. Where nothing is clear, a statement says that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.publish import words
from pipeline.publish.findings.figures import VAGUE, AreaProfile, CountRange, Figure, total_of
from pipeline.publish.words import Segment, say
from pipeline.statistics.change import CLEAR, COMPARED, ChangeWord

__all__ = ["Evidence", "Overview", "Spot", "Statement", "statements"]

NAMED = 4
"""Areas that one sentence names; the others are counted. The map marks them all."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A hotspot as released: its number, its name, its count (None where it is not given) and its area in km2."""

    rank: int
    name: str
    count: CountRange | None
    km2: float


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the statements may rest on.

    Attributes
    ----------
    region
        The region; without figures where the release leaves it out.
    areas, area_words
        Covered areas of the finest level that the total is given by; what one and several are called.
    groups, group_words
        Covered areas one level up; empty where `areas` are those already.
    noun
        What is counted, in the plural.
    period, before
        Label of the window; how the one compared with is called ("the year before"), empty if there is none.
    one_in
        Of so many clear changes, at most one is expected to be chance: 20 at a false discovery rate of 5 %.
    region_km2
        Area of the region.
    has_change
        Whether the release shows change at all.
    break_text
        Why the windows cannot be compared, as half a sentence; empty where that is not known.
    stand_in
        Where the headline cannot be compared: the same of the latest shorter window that can be, from which changes are
        then read.
    window, when
        Of a window that stands in: its id, and its months in words ("April to June 2025"); empty for the headline.
    spots, spot_note
        The hotspots by number, and how they were found or why there are none; no spots and no note: not shown.
    """

    region: AreaProfile
    areas: tuple[AreaProfile, ...]
    area_words: tuple[str, str]
    groups: tuple[AreaProfile, ...]
    group_words: tuple[str, str]
    noun: str
    period: str
    before: str
    one_in: int = 20
    region_km2: float = 0.0
    audience: Literal["internal", "partner", "public"] = "internal"
    has_change: bool = True
    break_text: str = ""
    stand_in: "Overview | None" = None
    window: str = ""
    when: str = ""
    spots: tuple[Spot, ...] = ()
    spot_note: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the map shows for a statement.

    Attributes
    ----------
    measure
        `change` or `count`; empty to leave the measure as it is.
    level
        `areas`, `groups`, or empty to leave the level as it is.
    codes
        Areas to move to; the whole region where there are none.
    hotspots
        Whether it is the hotspots.
    window
        Id of the window; empty for the headline.
    """

    measure: str = ""
    level: Literal["", "areas", "groups"] = ""
    codes: tuple[str, ...] = ()
    hotspots: bool = False
    window: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence with a bold beginning, how it was tested, and where the map shows it."""

    kind: str
    text: tuple[Segment, ...]
    tested: str
    evidence: Evidence


def statements(overview: Overview) -> tuple[Statement, ...]:
    """Choose the statements: higher, lower, the whole region, hotspots, and what the map does not show.

    Parameters
    ----------
    overview
        Released figures and their setting.

    Returns
    -------
    statements
        Three to five where the release has counts by area; one where nothing is clearly higher or lower.
    """
    # Changes are those of the headline, or of the window that stands in for it; what is on the map is the headline's.
    changes = overview.stand_in or overview
    rules = [(rule, changes) for rule in (_higher, _lower, _nothing_clear, _whole_region)]
    rules += [(rule, overview) for rule in (_hotspots, _not_shown)]
    return tuple(found for rule, figures in rules if (found := rule(figures)) is not None)


# Areas that are clearly higher or lower, or that none is.


def _clear(profiles: Sequence[AreaProfile], direction: int) -> list[AreaProfile]:
    return [p for p in profiles if p.total.direction == direction]


def _in_order(overview: Overview, found: list[AreaProfile]) -> list[AreaProfile]:
    """Put areas in order: by name in public, where nothing is ranked, else by the change that is certain."""
    by_name = sorted(found, key=lambda p: (p.name, p.code))
    return by_name if overview.audience == "public" else sorted(by_name, key=lambda p: -_certain_change(p.total))


def _certain_change(figure: Figure) -> int:
    """Return by how many incidents two counts differ at least, whatever they are inside their ranges."""
    if figure.incidents is None or figure.earlier is None:
        return 0
    up, down = figure.incidents.lower - figure.earlier.upper, figure.earlier.lower - figure.incidents.upper
    return max(up, down, 0)


def _with_counts(profile: AreaProfile) -> str:
    """Name an area with both counts: "Ealing 12 (71 to 151)", "Ealing 12 (70 to 79, now 150 to 159)"."""
    now, then = profile.total.incidents, profile.total.earlier
    if now is None or then is None:
        return profile.name
    key = "attention.area" if now.exact and then.exact else "attention.area_ranges"
    return say(key, area=profile.name, earlier=then.text, now=now.text)


def _named(overview: Overview, found: list[AreaProfile]) -> str:
    """List the areas; of more than `NAMED`, say how many there are besides."""
    shown = [_with_counts(p) for p in _in_order(overview, found)[:NAMED]]
    left = len(found) - len(shown)
    return words.listed([*shown, say("attention.more", n=left, count=words.small(left))] if left > 0 else shown)


def _tested(overview: Overview, profiles: Sequence[AreaProfile], many: str) -> str:
    """Say how many areas were compared, and how often such a finding is chance."""
    compared = sum(p.total.change_word in COMPARED for p in profiles)
    tested = say("attention.tested", n=compared, areas=many, one_in=overview.one_in)
    exact = all(p.total.exact for p in profiles)
    return tested if exact else f"{tested} {say('attention.tested_ranges')}"


def _why_shorter(overview: Overview) -> str:
    """Say of a window that stands in why it is not the headline; empty for the headline."""
    if not overview.window:
        return ""
    key = "attention.stand_in.because" if overview.break_text else "attention.stand_in.why"
    return say(key, headline=words.capital(words.named_period(overview.period)), reason=overview.break_text)


def _of_direction(overview: Overview, direction: Literal[-1, 1]) -> Statement | None:
    found = _clear(overview.areas, direction) if overview.has_change and overview.before else []
    if not found:
        return None
    kind = "higher" if direction > 0 else "lower"
    one, many = overview.area_words
    values = {"areas": one if len(found) == 1 else many, "before": overview.before, "named": _named(overview, found)}
    count = words.small(len(found))
    if overview.when:
        text = words.parts(f"attention.stand_in.{kind}", n=len(found), count=count, when=overview.when, **values)
    else:
        text = words.parts(f"attention.{kind}", n=len(found), count=words.capital(count), **values)
    tested = _tested(overview, overview.areas, many)
    said = [tested, _why_shorter(overview), say("attention.fewer_reports") if direction < 0 else ""]
    tested = " ".join(part for part in said if part)
    codes = tuple(p.code for p in found)
    return Statement(kind, text, tested, Evidence("change", "areas", codes, window=overview.window))


def _higher(overview: Overview) -> Statement | None:
    return _of_direction(overview, 1)


def _lower(overview: Overview) -> Statement | None:
    return _of_direction(overview, -1)


def _nothing_clear(overview: Overview) -> Statement | None:
    """Say that nothing is clearly higher or lower, or why nothing could be compared."""
    known = [p.total.change_word for p in overview.areas]
    if not overview.has_change or not overview.areas or (overview.before and CLEAR & set(known)):
        return None
    one, many = overview.area_words
    evidence = Evidence("change", "areas", window=overview.window)
    if not overview.before:
        return Statement("steady", words.parts("attention.no_earlier"), "", Evidence())
    if not any(known):
        return Statement("steady", words.parts("attention.not_given", area=one), "", Evidence())
    if any(word in COMPARED for word in known):
        tested = " ".join(part for part in (_tested(overview, overview.areas, many), _why_shorter(overview)) if part)
        key = "attention.stand_in.steady" if overview.when else "attention.steady"
        text = words.parts(key, areas=many, before=overview.before, when=overview.when)
        return Statement("steady", text, tested, evidence)
    if ChangeWord.NOT_COMPARABLE in known:
        reason = "attention.not_comparable_because" if overview.break_text else "attention.not_comparable"
        text = words.parts(reason, before=overview.before, reason=overview.break_text)
        return Statement("steady", text, "", evidence)
    key = "attention.stand_in.too_few" if overview.when else "attention.too_few"
    text = words.parts(key, area=one, noun=overview.noun, before=overview.before, when=overview.when)
    return Statement("steady", text, _why_shorter(overview), evidence)


# The whole region, and its larger areas.


def _whole_region(overview: Overview) -> Statement | None:
    total, name = overview.region.total, overview.region.name
    if total.incidents is None:
        return None
    named = say("attention.all_of", region=name) if name else say("attention.all_areas")
    values = {"region": named, "count": words.capital(total.incidents.of(overview.noun)), "before": overview.before}
    values["when"] = say("month.in_period", period=overview.when) if overview.when else words.in_period(overview.period)
    compared = bool(overview.before) and total.change_word in COMPARED
    if compared and total.earlier is not None:
        kind = {1: "higher", -1: "lower", 0: "no_clear_change"}[total.direction]
        text = words.parts(f"attention.region.{kind}", earlier=total.earlier.text, **values)
    else:
        text = words.parts("attention.region.plain", **values)
    groups = _groups(overview)
    if groups:
        text = (*text, (" ", False), (groups, False))
    tested = _tested(overview, overview.groups, overview.group_words[1]) if groups else ""
    evidence = Evidence("change" if compared else "", "groups" if groups else "", window=overview.window)
    return Statement("region", text, tested, evidence)


def _groups(overview: Overview) -> str:
    """Say which boroughs are clearly higher or lower, or that none is; empty where none was compared."""
    if not overview.has_change or not any(p.total.change_word in COMPARED for p in overview.groups):
        return ""
    one, many = overview.group_words
    said = []
    for kind, direction in (("higher", 1), ("lower", -1)):
        if found := _clear(overview.groups, direction):
            areas = one if len(found) == 1 else many
            count = words.capital(words.small(len(found)))
            listed = _named(overview, found)
            said.append(say(f"attention.groups.{kind}", n=len(found), count=count, areas=areas, named=listed))
    return " ".join(said) or say("attention.groups.none", area=one)


# Hotspots.


def _hotspots(overview: Overview) -> Statement | None:
    spots = overview.spots
    if not spots:
        if not overview.spot_note:
            return None
        return Statement("hotspots", words.parts("attention.hotspots.none"), overview.spot_note, Evidence())
    counts = [s.count for s in spots if s.count is not None]
    total = overview.region.total.incidents or CountRange(0, 0)
    km2 = sum(s.km2 for s in spots)
    values = {
        "n": len(spots),
        "noun": overview.noun,
        "area": f"{km2:.1f}",
        "count": total_of(counts).text if len(counts) == len(spots) else "",
    }
    share = _share(total_of(counts), total) if len(counts) == len(spots) else None
    if share is not None and overview.region_km2:
        land = words.share_text(min(1.0, km2 / overview.region_km2))
        text = words.parts("attention.hotspots.share", share=words.share_range_text(*share), land=land, **values)
    elif len(counts) == len(spots):
        text = words.parts("attention.hotspots.count", **values)
    else:
        text = words.parts("attention.hotspots.found", **values)
    first = spots[0]
    # In public nothing is ranked: the first number says no more than the last.
    if overview.audience != "public" and first.count is not None:
        size = first.count.of(overview.noun)
        text = (*text, (" ", False), *words.parts("attention.hotspots.first", name=first.name, count=size))
    tested = " ".join(part for part in (say("attention.hotspots.tested"), overview.spot_note) if part)
    return Statement("hotspots", text, tested, Evidence(hotspots=True))


def _share(part: CountRange, whole: CountRange) -> tuple[float, float] | None:
    """Return between which shares the part lies; None where that says too little."""
    if not whole.lower:
        return None
    low, high = part.lower / whole.upper, part.upper / whole.lower
    return None if high > 1 or high - low > VAGUE else (low, high)


# What the map does not show.


def _where_they_count(overview: Overview, left: int) -> str:
    """Say where records that lie in no area of the finest level count: some in a larger area, all in the region."""
    larger = [p.total.incidents for p in overview.groups if p.total.incidents is not None]
    if larger and len(larger) == len(overview.groups) and all(c.exact for c in larger):
        finest = total_of(p.total.incidents for p in overview.areas if p.total.incidents is not None)
        in_larger = total_of(larger).upper - finest.upper
        if 0 < in_larger <= left:
            n = words.whole(in_larger)
            return say("attention.not_shown.in_group", n=n, larger=overview.group_words[0])
    return say("attention.not_shown.in_region")


def _not_shown(overview: Overview) -> Statement | None:
    """Say how many records have no place on the map, or for how many areas it gives no number above the first step."""
    one, many = overview.area_words
    evidence = Evidence("count", "areas")
    figures = [p.total for p in overview.areas]
    total = overview.region.total.incidents
    known = [f.incidents for f in figures if f.incidents is not None]
    if not figures:
        return None
    if total is not None and len(known) == len(figures) and all(c.exact for c in (total, *known)):
        left = total.upper - total_of(known).upper
        if left <= 0:
            return None
        whole = total.of(overview.noun)
        text = words.parts("attention.not_shown.no_place", n=left, whole=whole, area=one)
        return Statement("not shown", text, _where_they_count(overview, left), evidence)
    first = [c.upper for c in known if c.first_step]
    hidden = sum(f.hidden for f in figures)
    sentences = []
    values = {"all": words.whole(len(figures)), "areas": many, "noun": overview.noun}
    if first:
        fewer = words.count_text(0, max(first))
        sentences.append(words.parts("attention.not_shown.first_step", n=len(first), fewer=fewer, **values))
    if hidden:
        sentences.append(words.parts("attention.not_shown.hidden", n=hidden, **values))
    if not sentences:
        return None
    text = sentences[0] if len(sentences) == 1 else (*sentences[0], (" ", False), *sentences[1])
    return Statement("not shown", text, say("attention.not_shown.to_protect"), evidence)
