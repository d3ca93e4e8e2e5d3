"""Sentences about an area: the opening, what stands out, and what was recorded before and after an event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from pipeline.domain.periods import Break
from pipeline.publish import words
from pipeline.publish.findings.figures import EMPTY, LEAST, Case, CountRange, Figure, total_of
from pipeline.statistics.change import COMPARED, ChangeWord
from pipeline.statistics.events import Event, EventRates, around_event
from pipeline.statistics.rates import Reliability

__all__ = [
    "Finding",
    "Segment",
    "Window",
    "before_and_after",
    "change_phrase",
    "compared_with_region",
    "findings",
    "lead",
    "rank_range",
]


Segment = tuple[str, bool]
"""Words, and whether they are stressed."""


def change_phrase(figure: Figure, before: str) -> str:
    """Say in words how a count changed, never more than its change word allows.

    Examples
    --------
    >>> now, then = CountRange(100, 100), CountRange(125, 125)
    >>> change_phrase(Figure(now, then, change_pct=-20.0, change_word="lower"), "the year before")
    'clearly fewer than the year before, by 20%'
    >>> now, then = CountRange(100, 109), CountRange(140, 149)
    >>> change_phrase(Figure(now, then, change_pct=-27.6, change_word="lower"), "the year before")
    'clearly fewer than the year before, by about 28%'
    """
    if figure.direction:
        wording, size = f"clearly {'more' if figure.direction > 0 else 'fewer'} than", _by(figure)
        return f"{wording} {before}{f', by {size}' if size else ''}" if before else ""
    wording = {
        ChangeWord.TOO_FEW.value: "too few to compare with",
        ChangeWord.NOT_COMPARABLE.value: "not comparable with",
        **dict.fromkeys((word.value for word in COMPARED), "no clear change on"),
    }.get(figure.change_word, "")
    return f"{wording} {before}" if wording and before else ""


def _by(figure: Figure) -> str:
    """Write the size of a change; the middles of steps give it only about. Empty where it rounds to nothing."""
    pct = abs(words.half_up(figure.change_pct or 0.0))
    return f"{'' if figure.exact else 'about '}{words.whole(pct)}%" if pct else ""


def compared_with_region(figure: Figure, region: Figure, place: str) -> str:
    """Say how a rate compares with the region's; a difference inside the interval is no difference.

    Where counts are given as ranges, only what holds for all counts in them is said. Empty where either rate is missing
    or rests on fewer than `LEAST` incidents.
    """
    mine, theirs = figure.rate_span, region.rate_span
    if not mine or not theirs or not theirs[0] or not mine[0] or figure.reliability or figure.least < LEAST:
        return ""
    ratios = mine[0] / theirs[1], mine[1] / theirs[0]
    # Within a tenth is "close" whatever the interval; beyond it, a rate whose interval holds the region's is no
    # difference that a sentence may state.
    close = ratios[0] > 0.9 and ratios[1] < 1.1
    low, high = figure.rate_low, figure.rate_high
    if not close and low is not None and high is not None and low <= theirs[1] and theirs[0] <= high:
        return f"not clearly different from the {place} rate"
    return words.times_range_words(*ratios, place)


def rank_range(case: Case, category: str = "") -> tuple[int, int, int, int] | None:
    """Place a rate among its peers, with the places that its interval leaves open.

    Returns
    -------
    rank, best, worst, peers
        1 is the highest rate. Rates are ranked by the lower ends of their ranges; equal ones share one. `best` counts
        the peers whose whole interval lies above, `worst` those whose whole interval lies below. None in public, and
        where the rate or its interval is missing.
    """
    category = category or case.area.subject
    mine = case.area.figure(category)
    if case.audience == "public" or mine.rate is None or mine.rate_low is None or mine.rate_high is None:
        return None
    others = [p.figure(category) for p in case.peers if p.code != case.area.code]
    known = [f for f in others if f.rate is not None and f.rate_low is not None and f.rate_high is not None]
    if len(known) < 2 or mine.least < LEAST:
        return None
    own = mine.rate_span or (0.0, 0.0)
    rank = 1 + sum(span[0] > own[0] for f in known if (span := f.rate_span))
    best = 1 + sum(f.rate_low > mine.rate_high for f in known if f.rate_low is not None)
    worst = len(known) + 1 - sum(f.rate_high < mine.rate_low for f in known if f.rate_high is not None)
    return rank, best, worst, len(known) + 1


def _when(case: Case) -> str:
    """Write the window, with the months that it lacks."""
    return words.in_period(case.period) + (f" (without {case.lacking})" if case.lacking else "")


def lead(case: Case) -> tuple[Segment, ...]:
    """Write the opening sentences."""
    total, when = case.area.total, _when(case)
    # A borough or ward is the part that its sentence names; the region's sentence must say that it is the part inside.
    part = case.whole_region and bool(case.inside_note)
    place = f"the areas of {case.area.name}" if part else case.area.name
    if total.hidden:
        return (
            (f"The number of {case.noun} recorded in {place} {when} is ", False),
            (words.say("common.not_offered"), True),
            (", to protect the people involved.", False),
        )
    if total.incidents is None:
        return ((f"There are no figures for {place} {when}.", False),)
    wording = total.incidents.of(case.noun)
    out: list[Segment] = [(f"{case.recorder} recorded ", False), (wording, True), (f" in {place} {when}", False)]
    if not case.recorder:  # several organisations did, or the configuration does not name one
        verb = "was" if total.incidents == CountRange(1, 1) else "were"
        out = [(words.capital(wording), True), (f" {verb} recorded in {place} {when}", False)]
    change = change_phrase(total, case.before)
    if total.change_word == ChangeWord.NOT_COMPARABLE:
        reason = f": {case.break_text}" if case.break_text else ""
        out.append((f". Not comparable with {case.before or 'earlier periods'}{reason}.", False))
    elif change:
        stressed, joint, rest = change.partition(" than ")
        out += [(", ", False), (stressed, True), (f"{joint}{rest}.", False)]
    else:
        out.append((".", False))
    beside = "" if case.whole_region else compared_with_region(total, case.region.total, case.region.name)
    if beside:
        out.append((f" The rate is {beside}.", False))
    elif not case.whole_region and total.reliability == Reliability.TOO_FEW:
        out.append((" That is too few for a rate.", False))
    elif case.whole_region and total.rate_span is not None:
        out.append((f" That is {words.rate_range_text(*total.rate_span)} for every 10,000 residents.", False))
    if part:
        out.append((f" {case.inside_note}", False))
    return tuple(out)


# What stands out: at most three findings that do not contradict each other.
#
# Each rule looks at one matter and gives one finding or none. A change that is "no clear change" is never called a rise
# or a fall; nothing rests on fewer than `LEAST` incidents; places are named or ranked only where the audience allows.


TOP = 3
"""Parts that the finding on concentration adds up: as many as one sentence can name."""
VAGUE = 0.15
"""A share whose ends lie farther apart than this says too little for a sentence."""
CONCENTRATED = 1.5
"""The top parts hold this many times an even share before that is worth saying."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A bold first line, and what stands under it."""

    kind: str
    head: str
    text: str


def findings(case: Case, *, most: int = 3) -> tuple[Finding, ...]:
    """Choose the findings of a briefing, the most important first.

    Parameters
    ----------
    case
        Released figures and their setting.
    most
        How many fit on the page.
    """
    rules = (_change, _concentration, _standing, _outcomes, _not_offered)
    found = [finding for rule in rules if (finding := rule(case)) is not None]
    order = ("concentration", "change", "standing", "outcomes", "spread", "steady", "not offered")
    return tuple(sorted(found, key=lambda f: order.index(f.kind))[:most])


def _concentration(case: Case) -> Finding | None:
    """Say what share of the total the top parts hold, or that no few of them hold much."""
    total = case.area.total.incidents
    known = [p for p in case.parts if p.total.incidents is not None]
    if total is None or total.lower < LEAST or len(case.parts) < 2 * TOP or len(known) < TOP:
        return None
    # Steps put parts in order as far as they can; among equal ones the code decides, and the sentence names them.
    top = sorted(known, key=lambda p: (-p.total.least, p.code))[:TOP]
    held = total_of(p.total.incidents for p in top if p.total.incidents)
    low, high = held.lower / total.upper, min(1.0, held.upper / total.lower)
    if held.lower < LEAST or low > 1 or high - low > VAGUE:
        return None
    even = TOP / len(case.parts)
    one, many = case.part_words
    pct = words.share_range_text(low, high)
    spread, concentrated = high < CONCENTRATED * even, low >= CONCENTRATED * even
    # Neither may hold for all counts inside the steps; and a part that is not offered could be among the largest.
    if not concentrated and (not spread or len(known) < len(case.parts)):
        return None
    if spread:
        return Finding(
            "spread",
            f"Spread over many {many}.",
            f"The three {many} with the most hold {pct} of the total; an even share is {words.share_text(even)}.",
        )
    head = f"{words.capital(words.small(TOP))} of {len(case.parts)} {many} hold {pct} of {case.noun}."
    people = [p.population for p in top]
    home = ""
    if case.area.population and all(people):
        part = sum(n or 0 for n in people) / case.area.population
        home = f"{words.share_text(min(1.0, part))} of residents live there"
    if case.audience == "public":
        text = f"{words.capital(home)}. " if home else ""
        note = f"Busy places record more: the rate of a {one} says little about its residents."
        return Finding("concentration", head, text + note)
    text = f"{words.listed([p.name for p in top])} recorded {held.text} together"
    return Finding("concentration", head, f"{text}; {home}." if home else f"{text}.")


def _change(case: Case) -> Finding | None:
    """Name the category that changed most, or say how categories and total differ."""
    if not case.before:
        return None
    # What counts in no total says nothing of how categories and total differ.
    parts = [(id_, label) for id_, label in case.categories if label not in case.outside]
    tested = [(label, f) for id_, label in parts if (f := case.area.figure(id_)).comparable]
    moved = [(label, f) for label, f in tested if f.changed]
    total = case.area.total if case.has_total else EMPTY
    if not moved:
        return _steady(case, tested)
    moved.sort(key=lambda pair: (-abs(pair[1].change_pct or 0.0), pair[0]))
    directions = {f.changed for _, f in moved}
    if total.comparable and not total.changed and len(moved) > 1:
        verb = {frozenset({-1}): "fell", frozenset({1}): "rose"}.get(frozenset(directions), "changed")
        each = words.listed([f"{label} {_signed(f)}" for label, f in moved[:4]])
        more = f" and {words.small(len(moved) - 4)} more" if len(moved) > 4 else ""
        return Finding(
            "change",
            f"{words.capital(words.small(len(moved)))} categories {verb}, the total shows no clear change.",
            f"{each}{more}. One offence can fall in several categories, so they do not add up.",
        )
    label, figure = moved[0]
    head = f"{label}: {_sized(figure)}."
    text = _against(figure, case)
    if total.comparable and total.changed == 0:
        text += " The total shows no clear change."
    elif total.changed == -figure.changed:
        text += f" The total {'rose' if total.changed > 0 else 'fell'}."
    return Finding("change", head, f"{text}{_region_change(case, label)}".strip())


def _signed(figure: Figure) -> str:
    """Write a clear change with its sign, also where it rounds to nothing."""
    if words.half_up(figure.change_pct or 0.0):
        return words.about_signed(figure.change_pct or 0.0, exact=figure.exact)
    return "slightly up" if figure.changed > 0 else "slightly down"


def _sized(figure: Figure) -> str:
    direction, size = "more" if figure.changed > 0 else "fewer", _by(figure)
    return f"clearly {direction} recorded{f', by {size}' if size else ''}"


def _against(figure: Figure, case: Case) -> str:
    if figure.incidents is None:
        return ""
    now = words.capital(figure.incidents.text)
    if figure.earlier is None:
        return f"{now} were recorded."
    return f"{now} were recorded, against {figure.earlier.text} {case.back_then}."


def _region_change(case: Case, label: str) -> str:
    """Say how the region changed in the same category."""
    if case.whole_region:
        return ""
    found = next((id_ for id_, name in case.categories if name == label), "")
    figure = case.region.figure(found)
    if not figure.comparable:
        return ""
    change = _signed(figure) if figure.changed else "no clear change"
    return f" {case.region.name} as a whole: {change}."


def _steady(case: Case, tested: list[tuple[str, Figure]]) -> Finding | None:
    if len(tested) < 2:
        return None
    limit = "chance explains" if all(f.exact for _, f in tested) else "chance and the steps leave open"
    return Finding(
        "steady",
        "No category changed clearly.",
        f"In none of the {words.small(len(tested))} categories with enough {case.of_any} to compare does the change on "
        f"{case.before} go beyond what {limit}.",
    )


def _standing(case: Case) -> Finding | None:
    """Name the category whose rate stands furthest above the region's, with its place among the peers."""
    best: tuple[float, str, str, Figure] | None = None
    for id_, label in case.categories:
        mine, theirs = case.area.figure(id_), case.region.figure(id_)
        span, beside = mine.rate_span, theirs.rate_span
        if not span or not beside or not beside[0] or mine.rate_low is None or mine.least < LEAST:
            continue
        ratio = span[0] / beside[1]  # the least that it may be
        if ratio >= 1.1 and mine.rate_low > beside[1] and (best is None or ratio > best[0]):
            best = (ratio, id_, label, mine)
    if best is None or case.whole_region:
        return None
    _, id_, label, mine = best
    wording = compared_with_region(mine, case.region.figure(id_), case.region.name)
    if not wording or mine.incidents is None or mine.rate_span is None:
        return None
    reach = ""
    if mine.rate_low is not None and mine.rate_high is not None:
        reach = f" (95% range {words.rate_text(mine.rate_low)} to {words.rate_text(mine.rate_high)})"
    text = (
        f"{words.capital(mine.incidents.text)} were recorded, "
        f"{words.rate_range_text(*mine.rate_span)} for every 10,000 residents{reach}."
    )
    return Finding("standing", f"{label}: {wording}.", text + _place(case, id_))


def _place(case: Case, category: str) -> str:
    ranked = rank_range(case, category)
    if ranked is None:
        return ""
    _, best, worst, peers = ranked
    many = case.peer_words[1]
    if best == worst == 1:
        return f" It is the highest rate of the {peers} {many} that have one."
    if best == worst:
        return f" It is {words.ordinal(best)} of the {peers} {many} that have one."
    if (worst - best) * 3 > peers:
        return ""  # the interval leaves nearly every place open
    return (
        f" Among the {peers} {many} with such a rate it lies between {words.ordinal(best)} and {words.ordinal(worst)}."
    )


def _outcomes(case: Case) -> Finding | None:
    """Say how many outcomes were recorded, and how that compares with the region."""
    mine, theirs = case.area.total, case.region.total
    span, beside = mine.share_span(case.outcome_basis), theirs.share_span(case.outcome_basis)
    if case.outcome_basis == "none" or span is None or mine.outcomes is None or mine.least < LEAST:
        return None
    flow = case.outcome_basis == "flow"
    count = words.capital(mine.outcomes.text)
    if flow:
        head = f"{words.capital(words.rate_range_text(*span))} positive outcomes recorded per 100 {case.noun} recorded."
        text = f"{count} outcomes, some of them for {case.noun} recorded earlier."
    else:
        head = f"{words.capital(words.share_range_text(*span))} had a positive outcome."
        text = f"{count} {case.noun} so far."
    if case.whole_region or beside is None:
        return Finding("outcomes", head, text)
    other = words.rate_range_text(*beside) if flow else words.share_range_text(*beside)
    place = case.region.name
    if flow or mine.share_low is None or mine.share_high is None:
        return Finding("outcomes", head, f"{text} {place}: {other}.")
    if mine.share_low <= beside[1] and beside[0] <= mine.share_high:
        return Finding("outcomes", head, f"{text} That is not clearly different from {place}, {other}.")
    direction = "above" if span[0] > beside[1] else "below"
    return Finding("outcomes", head, f"{text} That is {direction} {place}, {other}.")


def _not_offered(case: Case) -> Finding | None:
    """Say so where too many figures are missing to describe the parts."""
    hidden = sum(p.total.hidden for p in case.parts)
    if not case.parts or hidden * 10 < len(case.parts) * 4:
        return None
    one, many = case.part_words
    return Finding(
        "not offered",
        f"No number for {words.small(hidden)} of {len(case.parts)} {many}.",
        f"Their numbers are not offered, to protect the people involved; a missing {one} is not a low one.",
    )


# Before and after a dated event: a ratio of rates with its interval, or why there is none.


SPAN_DAYS = 80
"""Windows on each side reach at least this far: three months, or one quarter."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a series; ISO dates, both included; no count where it is not offered or missing."""

    start: str
    end: str
    days: int
    incidents: CountRange | None


def before_and_after(day: str, label: str, series: Sequence[Window], *, breaks: Sequence[str]) -> str:
    """Compare the windows from an event on with as many before it.

    Parameters
    ----------
    day
        Date of the event, ISO.
    label
        What happened.
    series
        Windows of one length that do not overlap, oldest first.
    breaks
        First months of new recording systems, "2024-03".

    Returns
    -------
    sentence
        Counts and the 95 % interval of the ratio of the rates, or why they cannot be given. Where counts are ranges,
        the interval holds those of all counts inside them. The window that holds the event counts as after it, unless
        less than a week of it was left.
    """
    name = f"{label} ({words.month_name(day)})"
    at = next((k for k, w in enumerate(series) if w.start <= day <= w.end), None)
    if at is None:
        return f"{name}: outside the data."
    if (date.fromisoformat(series[at].end) - date.fromisoformat(day)).days < 7:
        at += 1  # nearly all of this window came before the event
    steps = -(-SPAN_DAYS // series[0].days)  # rounded up
    if at < steps or at + steps > len(series):
        return f"{name}: too close to the ends of the data to compare before and after."
    before, after = series[at - steps : at], series[at : at + steps]
    if any(w.incidents is None for w in (*before, *after)):
        return f"{name}: counts around it are not offered or missing."
    sides = total_of(w.incidents for w in before if w.incidents), total_of(w.incidents for w in after if w.incidents)

    # The ratio is least where all of the earlier windows hold the most and all of the later ones the least, and the
    # other way round.
    def around(earlier: str, later: str) -> EventRates:
        counts = [*(getattr(w.incidents, earlier) for w in before), *(getattr(w.incidents, later) for w in after)]
        frame = pd.DataFrame(
            {
                "start": [date.fromisoformat(w.start) for w in series],
                "days": [w.days for w in series],
                "incidents": pd.array(
                    [None] * (at - steps) + counts + [None] * (len(series) - at - steps), dtype="Int64"
                ),
            }
        )
        return around_event(
            frame,
            Event(date.fromisoformat(series[at].start), label),
            steps_before=steps,
            steps_after=steps,
            breaks=[Break(int(month.replace("-", "")), "new recording system") for month in breaks],
        )

    rates = around("upper", "lower"), around("lower", "upper")
    sentence = _ratio_sentence(rates, sides, series[at].start[:7], steps * round(series[0].days / 30.4))
    return f"{name}: {sentence}"


def _ratio_sentence(
    rates: tuple[EventRates, EventRates], sides: tuple[CountRange, CountRange], first: str, months: int
) -> str:
    low, high = rates[0].ratio_low, rates[1].ratio_high
    if low is None or high is None:
        if "Not comparable" in rates[0].note:
            return "not comparable, the recording system changed near it."
        return "too few to compare before and after."
    before, after = sides
    if min(before.lower, after.lower) < LEAST:
        return "too few to compare before and after."
    clear = "clearly more" if low > 1 else "clearly fewer" if high < 1 else "no clear difference"
    point = f"{rates[0].ratio:.2f}, 95% range" if before.exact and after.exact else "95% range"
    return (
        f"{after.text} in the {words.small(months)} months from {words.month_name(first)}, "
        f"{before.text} in the {words.small(months)} before; {clear}, ratio {point} "
        f"{low:.2f} to {high:.2f}, seasons not taken out."
    )
