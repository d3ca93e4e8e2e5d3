"""Sentences about an area: the opening, what stands out, and what was recorded before and after an event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from pipeline.domain.periods import Break
from pipeline.publish import words
from pipeline.publish.findings.figures import LEAST, Case, Figure
from pipeline.statistics.change import COMPARED, ChangeWord
from pipeline.statistics.events import Event, EventRates, around_event
from pipeline.statistics.rates import Reliability

__all__ = [
    "Finding",
    "Segment",
    "Window",
    "amount",
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

    >>> change_phrase(Figure(100, 125, change_pct=-20.0, change_word="lower"), "the year before")
    '20% fewer than the year before'
    """
    pct = words.half_up(figure.change_pct or 0.0)
    if figure.direction:
        size = f"{words.whole(abs(pct))}%" if pct else "slightly"
        wording = f"{size} {'more' if figure.direction > 0 else 'fewer'} than"
    elif figure.change_word in COMPARED:
        wording = "no clear change on" if pct or figure.change_pct is None else "about the same as"
    else:
        few = {ChangeWord.TOO_FEW: "too few to compare with", ChangeWord.NOT_COMPARABLE: "not comparable with"}
        wording = next((text for word, text in few.items() if figure.change_word == word), "")
    return f"{wording} {before}" if wording and before else ""


def compared_with_region(figure: Figure, region: Figure, place: str) -> str:
    """Say how a rate compares with the region's; a difference inside the interval is no difference.

    Empty where either rate is missing or rests on fewer than `LEAST` incidents.
    """
    if not figure.rate or not region.rate or figure.reliability or (figure.incidents or 0) < LEAST:
        return ""
    ratio = figure.rate / region.rate
    # Within a tenth is "close" whatever the interval; beyond it, a rate whose interval holds the region's is no
    # difference that a sentence may state.
    close = 0.9 < ratio < 1.1
    low, high = figure.rate_low, figure.rate_high
    if not close and low is not None and high is not None and low <= region.rate <= high:
        return f"not clearly different from the {place} rate"
    return words.times_words(ratio, place)


def rank_range(case: Case, category: str = "all") -> tuple[int, int, int, int] | None:
    """Place a rate among its peers, with the places that its interval leaves open.

    Returns
    -------
    rank, best, worst, peers
        1 is the highest rate. `best` counts the peers whose whole interval lies above, `worst` those whose whole
        interval lies below. None in public, and where the rate or its interval is missing.
    """
    mine = case.area.figure(category)
    if case.audience == "public" or mine.rate is None or mine.rate_low is None or mine.rate_high is None:
        return None
    others = [p.figure(category) for p in case.peers if p.code != case.area.code]
    known = [f for f in others if f.rate is not None and f.rate_low is not None and f.rate_high is not None]
    if len(known) < 2 or (mine.incidents or 0) < LEAST:
        return None
    rank = 1 + sum(f.rate > mine.rate for f in known if f.rate is not None)
    best = 1 + sum(f.rate_low > mine.rate_high for f in known if f.rate_low is not None)
    worst = len(known) + 1 - sum(f.rate_high < mine.rate_low for f in known if f.rate_high is not None)
    return rank, best, worst, len(known) + 1


def amount(incidents: int, case: Case) -> str:
    """Write a count with what is counted; a rounded one says that it is."""
    if case.rounding <= 1:
        return words.counted(incidents, case.noun)
    if incidents == 0:
        return f"fewer than {case.rounding} {case.noun}"
    return f"about {words.counted(incidents, case.noun)}"


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
            ("withheld", True),
            (" to protect the people involved.", False),
        )
    if total.incidents is None:
        return ((f"There are no figures for {place} {when}.", False),)
    wording = amount(total.incidents, case)
    out: list[Segment] = [(f"{case.recorder} recorded ", False), (wording, True), (f" in {place} {when}", False)]
    if not case.recorder:  # several organisations did, or the configuration does not name one
        verb = "was" if total.incidents == 1 and case.rounding <= 1 else "were"
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
    elif case.whole_region and total.rate is not None:
        out.append((f" That is {words.rate_text(total.rate)} for every 10,000 residents.", False))
    if part:
        out.append((f" {case.inside_note}", False))
    return tuple(out)


# What stands out: at most three findings that do not contradict each other.
#
# Each rule looks at one matter and gives one finding or none. A change that is "no clear change" is never called a rise
# or a fall; nothing rests on fewer than `LEAST` incidents; places are named or ranked only where the audience allows.


TOP = 3
"""Parts that the finding on concentration adds up: as many as one sentence can name."""
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
    rules = (_change, _concentration, _standing, _outcomes, _withheld)
    found = [finding for rule in rules if (finding := rule(case)) is not None]
    order = ("concentration", "change", "standing", "outcomes", "spread", "steady", "withheld")
    return tuple(sorted(found, key=lambda f: order.index(f.kind))[:most])


def _about(case: Case) -> str:
    return "about " if case.rounding > 1 else ""


def _concentration(case: Case) -> Finding | None:
    """Say what share of the total the top parts hold, or that no few of them hold much."""
    total = case.area.total.incidents
    known = [p for p in case.parts if p.total.incidents is not None]
    if total is None or total < LEAST or len(case.parts) < 2 * TOP or len(known) < TOP:
        return None
    top = sorted(known, key=lambda p: (-(p.total.incidents or 0), p.code))[:TOP]
    held = sum(p.total.incidents or 0 for p in top)
    if held < LEAST or held > total:
        return None
    share, even = held / total, TOP / len(case.parts)
    one, many = case.part_words
    pct = f"{_about(case)}{words.share_text(share)}"
    if share < CONCENTRATED * even:
        if len(known) < len(case.parts):
            return None  # a withheld part could be among the largest
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
    names = words.listed([p.name for p in top])
    text = f"{names} recorded {_about(case)}{words.whole(held)}"
    return Finding("concentration", head, f"{text}; {home}." if home else f"{text}.")


def _change(case: Case) -> Finding | None:
    """Name the category that changed most, or say how categories and total differ."""
    if not case.before:
        return None
    # What counts in no total says nothing of how categories and total differ.
    parts = [(id_, label) for id_, label in case.categories if label not in case.outside]
    tested = [(label, f) for id_, label in parts if (f := case.area.figure(id_)).comparable]
    moved = [(label, f) for label, f in tested if f.changed]
    total = case.area.total
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
        return words.signed(figure.change_pct or 0.0)
    return "slightly up" if figure.changed > 0 else "slightly down"


def _sized(figure: Figure) -> str:
    pct = abs(words.half_up(figure.change_pct or 0.0))
    direction = "more" if figure.changed > 0 else "fewer"
    return f"{words.whole(pct)}% {direction} recorded" if pct else f"slightly {direction} recorded"


def _against(figure: Figure, case: Case) -> str:
    if figure.incidents is None:
        return ""
    now = f"{words.capital(_about(case))}{words.whole(figure.incidents)}"
    if figure.earlier is None:
        return f"{now} were recorded."
    return f"{now} were recorded, against {words.whole(figure.earlier)} {case.back_then}."


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
    return Finding(
        "steady",
        "No category changed clearly.",
        f"In none of the {words.small(len(tested))} categories with enough {case.noun} to compare does the change on "
        f"{case.before} go beyond what chance explains.",
    )


def _standing(case: Case) -> Finding | None:
    """Name the category whose rate stands furthest above the region's, with its place among the peers."""
    best: tuple[float, str, str, Figure] | None = None
    for id_, label in case.categories:
        mine, theirs = case.area.figure(id_), case.region.figure(id_)
        if not mine.rate or not theirs.rate or mine.rate_low is None or (mine.incidents or 0) < LEAST:
            continue
        ratio = mine.rate / theirs.rate
        if ratio >= 1.1 and mine.rate_low > theirs.rate and (best is None or ratio > best[0]):
            best = (ratio, id_, label, mine)
    if best is None or case.whole_region:
        return None
    _, id_, label, mine = best
    beside = compared_with_region(mine, case.region.figure(id_), case.region.name)
    if not beside:
        return None
    reach = ""
    if mine.rate_low is not None and mine.rate_high is not None:
        reach = f" (95% range {words.rate_text(mine.rate_low)} to {words.rate_text(mine.rate_high)})"
    text = (
        f"{words.capital(_about(case))}{words.whole(mine.incidents or 0)} were recorded, "
        f"{words.rate_text(mine.rate or 0.0)} for every 10,000 residents{reach}."
    )
    return Finding("standing", f"{label}: {beside}.", text + _place(case, id_))


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
    if case.outcome_basis == "none" or mine.share is None or mine.outcomes is None:
        return None
    if (mine.incidents or 0) < LEAST:
        return None
    flow = case.outcome_basis == "flow"
    if flow:
        head = f"{words.rate_text(mine.share)} positive outcomes recorded per 100 {case.noun} recorded."
        text = f"{words.whole(mine.outcomes)} outcomes, some of them for {case.noun} recorded earlier."
    else:
        head = f"{words.share_text(mine.share)} had a positive outcome."
        text = f"{words.whole(mine.outcomes)} {case.noun} so far."
    if case.whole_region or theirs.share is None:
        return Finding("outcomes", head, text)
    other = words.rate_text(theirs.share) if flow else words.share_text(theirs.share)
    place = case.region.name
    if flow or mine.share_low is None or mine.share_high is None:
        return Finding("outcomes", head, f"{text} {place}: {other}.")
    if mine.share_low <= theirs.share <= mine.share_high:
        return Finding("outcomes", head, f"{text} That is not clearly different from {place}, {other}.")
    direction = "above" if mine.share > theirs.share else "below"
    return Finding("outcomes", head, f"{text} That is {direction} {place}, {other}.")


def _withheld(case: Case) -> Finding | None:
    """Say so where too many figures are missing to describe the parts."""
    hidden = sum(p.total.hidden for p in case.parts)
    if not case.parts or hidden * 10 < len(case.parts) * 4:
        return None
    one, many = case.part_words
    return Finding(
        "withheld",
        f"{words.capital(words.small(hidden))} of {len(case.parts)} {many} are withheld.",
        f"The exact numbers are withheld to protect the people involved; a missing {one} is not a low one.",
    )


# Before and after a dated event: a ratio of rates with its interval, or why there is none.


SPAN_DAYS = 80
"""Windows on each side reach at least this far: three months, or one quarter."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a series; ISO dates, both included; no count where it is withheld or missing."""

    start: str
    end: str
    days: int
    incidents: int | None


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
        Counts and the ratio of the rates with its 95 % interval, or why they cannot be given. The window that holds
        the event counts as after it, unless less than a week of it was left.
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
    frame = pd.DataFrame(
        {
            "start": [date.fromisoformat(w.start) for w in series],
            "days": [w.days for w in series],
            "incidents": pd.array([w.incidents for w in series], dtype="Int64"),
        }
    )
    rates = around_event(
        frame,
        Event(date.fromisoformat(series[at].start), label),
        steps_before=steps,
        steps_after=steps,
        breaks=[Break(int(month.replace("-", "")), "new recording system") for month in breaks],
    )
    return f"{name}: {_ratio_sentence(rates, series[at].start[:7], steps * round(series[0].days / 30.4))}"


def _ratio_sentence(rates: EventRates, first: str, months: int) -> str:
    before, after = rates.before, rates.after
    if before is None or after is None:
        return "counts around it are withheld or missing."
    if rates.ratio is None and "Not comparable" in rates.note:
        return "not comparable, the recording system changed near it."
    if min(before.incidents, after.incidents) < LEAST or None in {rates.ratio, rates.ratio_low, rates.ratio_high}:
        return "too few to compare before and after."
    ratio, low, high = rates.ratio or 0.0, rates.ratio_low or 0.0, rates.ratio_high or 0.0
    clear = "more" if low > 1 else "fewer" if high < 1 else "no clear difference"
    return (
        f"{words.whole(after.incidents)} in the {words.small(months)} months from {words.month_name(first)}, "
        f"{words.whole(before.incidents)} in the {words.small(months)} before; {clear}, ratio {ratio:.2f} "
        f"(95% range {low:.2f} to {high:.2f}), seasons not taken out."
    )
