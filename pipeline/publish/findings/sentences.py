"""Sentences about an area: the opening, what stands out, and what was recorded before and after an event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from pipeline.domain.periods import Break
from pipeline.publish import words
from pipeline.publish.findings.figures import EMPTY, LEAST, VAGUE, AreaProfile, Case, CountRange, Figure, total_of
from pipeline.publish.words import Segment, say
from pipeline.statistics.change import COMPARED, ChangeWord
from pipeline.statistics.events import Event, EventRates, around_event
from pipeline.statistics.rates import Reliability

__all__ = [
    "Finding",
    "Window",
    "before_and_after",
    "compared_with_region",
    "findings",
    "lead",
    "not_comparable",
    "rank_range",
]


def _size(figure: Figure) -> str:
    """Write the size of a change; the middles of steps give it only about. Empty where it rounds to nothing."""
    pct = abs(words.half_up(figure.change_pct or 0.0))
    if not pct:
        return ""
    size = f"{words.whole(pct)}%"
    return size if figure.exact else say("number.about", size=size)


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
        return say("finding.not_clearly_different", place=place)
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
    when = words.in_period(case.period)
    return say("finding.without", when=when, months=case.lacking) if case.lacking else when


def lead(case: Case) -> tuple[Segment, ...]:
    """Write the opening sentences: never more of a change than its word allows.

    Examples
    --------
    >>> now, then = CountRange(100, 109), CountRange(140, 149)
    >>> figure = Figure(now, then, change_pct=-27.6, change_word="lower")
    >>> area = AreaProfile("A", "Anytown", None, covered=True, figures={"all": figure})
    >>> made = Case(area, area, (), (), (), noun="thefts", recorder="Police", period="2024", before="the year before")
    >>> "".join(text for text, _ in lead(made))
    'Police recorded 100 to 109 thefts in Anytown in 2024, clearly fewer than the year before, by about 28%.'
    """
    total, when = case.area.total, _when(case)
    # A borough or ward is the part that its sentence names; the region's sentence must say that it is the part inside.
    part = case.whole_region and bool(case.inside_note)
    place = say("finding.areas_of", area=case.area.name) if part else case.area.name
    if total.hidden:
        return words.parts("finding.lead.not_offered", noun=case.noun, place=place, when=when)
    if total.incidents is None:
        return words.parts("finding.lead.no_figures", place=place, when=when)
    sentences = [_recorded(case, total.incidents, place, when)]
    if total.change_word == ChangeWord.NOT_COMPARABLE:
        sentences.append(((not_comparable(case), False),))
    beside = "" if case.whole_region else compared_with_region(total, case.region.total, case.region.name)
    if beside:
        sentences.append(words.parts("finding.lead.rate", comparison=beside))
    elif not case.whole_region and total.reliability == Reliability.TOO_FEW:
        sentences.append(words.parts("finding.lead.too_few_for_a_rate"))
    elif case.whole_region and total.rate_span is not None:
        sentences.append(words.parts("finding.lead.region_rate", rate=words.rate_range_text(*total.rate_span)))
    if part:
        sentences.append(((case.inside_note, False),))
    first, *others = sentences
    return (*first, *(segment for sentence in others for segment in ((" ", False), *sentence)))


def _recorded(case: Case, count: CountRange, place: str, when: str) -> tuple[Segment, ...]:
    """Say how many were recorded, by whom if it was one organisation, and how that changed."""
    total = case.area.total
    values = {"place": place, "when": when, "before": case.before, "size": _size(total)}
    if case.before and total.direction:
        kind = ("more" if total.direction > 0 else "fewer") + ("_by" if values["size"] else "")
    elif case.before and total.change_word in {ChangeWord.TOO_FEW, *COMPARED}:
        kind = "too_few" if total.change_word == ChangeWord.TOO_FEW else "no_clear_change"
    else:
        kind = "plain"
    if case.recorder:
        return words.parts(f"finding.by_one.{kind}", recorder=case.recorder, count=count.of(case.noun), **values)
    # "1 was recorded", and every other number, ranges too, "were".
    n = count.upper if count.exact else max(2, count.upper)
    return words.parts(f"finding.by_several.{kind}", n=n, count=words.capital(count.of(case.noun)), **values)


def not_comparable(case: Case) -> str:
    """Say that the windows cannot be compared, and why if that is known."""
    if not case.before:
        return say("finding.not_comparable")
    if not case.break_text:
        return say("finding.not_comparable_with", before=case.before)
    return say("finding.not_comparable_because", before=case.before, reason=case.break_text)


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
    many = case.part_words[1]
    pct = words.share_range_text(low, high)
    spread, concentrated = high < CONCENTRATED * even, low >= CONCENTRATED * even
    # Neither may hold for all counts inside the steps; and a part that is not offered could be among the largest.
    if not concentrated and (not spread or len(known) < len(case.parts)):
        return None
    top_words = words.small(TOP)
    if spread:
        text = say("finding.spread.text", top=top_words, parts=many, share=pct, even=words.share_text(even))
        return Finding("spread", say("finding.spread.head", parts=many), text)
    head = say(
        "finding.concentration.head",
        top=words.capital(top_words),
        count=len(case.parts),
        parts=many,
        share=pct,
        noun=case.noun,
    )
    return Finding("concentration", head, _held_by(case, top, held))


def _held_by(case: Case, top: Sequence[AreaProfile], held: CountRange) -> str:
    """Name the top parts with their count, and say how many people live there; in public no part is named."""
    people = [p.population for p in top]
    home = ""
    if case.area.population and all(people):
        home = words.share_text(min(1.0, sum(n or 0 for n in people) / case.area.population))
    if case.audience == "public":
        busy = say("finding.concentration.busy", part=case.part_words[0])
        return f"{say('finding.concentration.home', share=words.capital(home))} {busy}" if home else busy
    named = {"places": words.listed([p.name for p in top]), "count": held.text}
    if home:
        return say("finding.concentration.named_home", share=home, **named)
    return say("finding.concentration.named", **named)


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
        count, left = len(moved), len(moved) - 4
        head = words.capital(say(f"finding.change.categories_{verb}", n=count, count=words.small(count)))
        each = words.listed([say("finding.change.one", category=label, change=_signed(f)) for label, f in moved[:4]])
        if left > 0:
            text = say("finding.change.categories_and_more", categories=each, n=left, more=words.small(left))
        else:
            text = say("finding.change.categories", categories=each)
        return Finding("change", head, text)
    label, figure = moved[0]
    sentences = _against(figure, case)
    if total.comparable and total.changed == 0:
        sentences.append(say("finding.change.total_no_clear_change"))
    elif total.changed == -figure.changed:
        sentences.append(say("finding.change.total_rose" if total.changed > 0 else "finding.change.total_fell"))
    sentences += _region_change(case, label)
    kind, size = "more" if figure.changed > 0 else "fewer", _size(figure)
    head = say(f"finding.change.{kind}{'_by' if size else ''}", category=label, size=size)
    return Finding("change", head, " ".join(sentences))


def _signed(figure: Figure) -> str:
    """Write a clear change with its sign, also where it rounds to nothing."""
    if words.half_up(figure.change_pct or 0.0):
        return words.about_signed(figure.change_pct or 0.0, exact=figure.exact)
    return say("finding.change.slightly_up" if figure.changed > 0 else "finding.change.slightly_down")


def _against(figure: Figure, case: Case) -> list[str]:
    """Say how many were recorded, and how many before."""
    if figure.incidents is None:
        return []
    now = words.capital(figure.incidents.text)
    if figure.earlier is None:
        return [say("finding.change.recorded", count=now)]
    return [say("finding.change.recorded_against", count=now, earlier=figure.earlier.text, when=case.back_then)]


def _region_change(case: Case, label: str) -> list[str]:
    """Say how the region changed in the same category."""
    found = next((id_ for id_, name in case.categories if name == label), "")
    figure = case.region.figure(found)
    if case.whole_region or not figure.comparable:
        return []
    region = case.region.name
    if not figure.changed:
        return [say("finding.change.region_no_clear_change", region=region)]
    return [say("finding.change.region", region=region, change=_signed(figure))]


def _steady(case: Case, tested: list[tuple[str, Figure]]) -> Finding | None:
    if len(tested) < 2:
        return None
    values = {"count": words.small(len(tested)), "noun": case.of_any, "before": case.before}
    if all(f.exact for _, f in tested):
        text = say("finding.steady.text", n=len(tested), **values)
    else:
        text = say("finding.steady.text_steps", n=len(tested), **values)
    return Finding("steady", say("finding.steady.head"), text)


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
    values = {"count": words.capital(mine.incidents.text), "rate": words.rate_range_text(*mine.rate_span)}
    if mine.rate_low is not None and mine.rate_high is not None:
        low, high = words.rate_text(mine.rate_low), words.rate_text(mine.rate_high)
        text = say("finding.standing.rate_interval", low=low, high=high, **values)
    else:
        text = say("finding.standing.rate", **values)
    head = say("finding.standing.head", category=label, comparison=wording)
    return Finding("standing", head, " ".join([text, *_place(case, id_)]))


def _place(case: Case, category: str) -> list[str]:
    """Say which place the rate has among the peers, where its interval leaves few of them open."""
    ranked = rank_range(case, category)
    if ranked is None:
        return []
    _, best, worst, peers = ranked
    values = {"peers": peers, "plural": case.peer_words[1]}
    if best == worst == 1:
        return [say("finding.standing.highest", **values)]
    if best == worst:
        return [say("finding.standing.rank", rank=words.ordinal(best), **values)]
    if (worst - best) * 3 > peers:
        return []
    return [say("finding.standing.between", best=words.ordinal(best), worst=words.ordinal(worst), **values)]


def _outcomes(case: Case) -> Finding | None:
    """Say how many outcomes were recorded, and how that compares with the region."""
    mine, theirs = case.area.total, case.region.total
    span, beside = mine.share_span(case.outcome_basis), theirs.share_span(case.outcome_basis)
    if case.outcome_basis == "none" or span is None or mine.outcomes is None or mine.least < LEAST:
        return None
    flow, count = case.outcome_basis == "flow", words.capital(mine.outcomes.text)
    if flow:
        head = say("finding.outcomes.flow_head", rate=words.capital(words.rate_range_text(*span)), noun=case.noun)
        text = say("finding.outcomes.flow_text", count=count, noun=case.noun)
    else:
        share = words.capital(words.share_range_text(*span))
        head = say("finding.outcomes.head", share=share, noun=case.noun)
        text = say("finding.outcomes.text", count=count, noun=case.noun)
    if case.whole_region or beside is None:
        return Finding("outcomes", head, text)
    region = {
        "region": case.region.name,
        "value": words.rate_range_text(*beside) if flow else words.share_range_text(*beside),
    }
    if flow or mine.share_low is None or mine.share_high is None:
        compared = say("finding.outcomes.region", **region)
    elif mine.share_low <= beside[1] and beside[0] <= mine.share_high:
        compared = say("finding.outcomes.not_different", **region)
    else:
        compared = say("finding.outcomes.above" if span[0] > beside[1] else "finding.outcomes.below", **region)
    return Finding("outcomes", head, f"{text} {compared}")


def _not_offered(case: Case) -> Finding | None:
    """Say so where too many figures are missing to describe the parts."""
    hidden = sum(p.total.hidden for p in case.parts)
    if not case.parts or hidden * 10 < len(case.parts) * 4:
        return None
    one, many = case.part_words
    head = say("finding.not_offered.head", hidden=words.small(hidden), count=len(case.parts), parts=many)
    return Finding("not offered", head, say("finding.not_offered.text", part=one))


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
    named = {"label": label, "day": words.month_name(day)}
    at = next((k for k, w in enumerate(series) if w.start <= day <= w.end), None)
    if at is None:
        return say("finding.event.outside", **named)
    if (date.fromisoformat(series[at].end) - date.fromisoformat(day)).days < 7:
        at += 1  # nearly all of this window came before the event
    steps = -(-SPAN_DAYS // series[0].days)  # rounded up
    if at < steps or at + steps > len(series):
        return say("finding.event.near_an_end", **named)
    before, after = series[at - steps : at], series[at : at + steps]
    if any(w.incidents is None for w in (*before, *after)):
        return say("finding.event.missing", **named)
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
    first, months = series[at].start[:7], steps * round(series[0].days / 30.4)
    return _ratio_sentence(named, rates, sides, first=first, months=months)


def _ratio_sentence(
    named: dict[str, str],
    rates: tuple[EventRates, EventRates],
    sides: tuple[CountRange, CountRange],
    *,
    first: str,
    months: int,
) -> str:
    """Compare both sides of an event: the least and the greatest ratio that the counts leave open."""
    low, high = rates[0].ratio_low, rates[1].ratio_high
    before, after = sides
    if (low is None or high is None) and "Not comparable" in rates[0].note:
        return say("finding.event.not_comparable", **named)
    if low is None or high is None or min(before.lower, after.lower) < LEAST:
        return say("finding.event.too_few", **named)
    clear = "more" if low > 1 else "fewer" if high < 1 else "no_clear_difference"
    values = named | {
        "after": after.text,
        "before": before.text,
        "first": words.month_name(first),
        "low": f"{low:.2f}",
        "high": f"{high:.2f}",
    }
    if before.exact and after.exact and rates[0].ratio is not None:
        values["ratio"] = f"{rates[0].ratio:.2f}"
        return say(f"finding.event.exact.{clear}", n=months, months=words.small(months), **values)
    return say(f"finding.event.ranges.{clear}", n=months, months=words.small(months), **values)
