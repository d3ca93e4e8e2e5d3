"""The first sentences of a briefing: how much, more or fewer, and beside the region."""

from pipeline.publish.findings import words
from pipeline.publish.findings.figures import LEAST, Case, Figure

__all__ = ["Segment", "amount", "beside_region", "change_phrase", "lead", "rank_range"]

Segment = tuple[str, bool]
"""Words, and whether they are stressed."""


def change_phrase(figure: Figure, before: str) -> str:
    """Say in words how a count changed, never more than its change word allows.

    >>> change_phrase(Figure(100, 125, change_pct=-20.0, change_word="lower"), "the year before")
    '20% fewer than the year before'
    """
    pct = words.half_up(figure.change_pct or 0.0)
    if figure.sense:
        size = f"{words.whole(abs(pct))}%" if pct else "slightly"
        said = f"{size} {'more' if figure.sense > 0 else 'fewer'} than"
    elif figure.change_word in {"higher", "lower", "no clear change"}:
        said = "no clear change on" if pct or figure.change_pct is None else "about the same as"
    else:
        few = {"too few": "too few to compare with", "not comparable": "not comparable with"}
        said = few.get(figure.change_word, "")
    return f"{said} {before}" if said and before else ""


def beside_region(figure: Figure, region: Figure, place: str) -> str:
    """Say how a rate compares with the region's; a difference inside the interval is no difference.

    Empty where either rate is missing or rests on fewer than `LEAST` incidents.
    """
    if not figure.rate or not region.rate or figure.reliability or (figure.incidents or 0) < LEAST:
        return ""
    ratio = figure.rate / region.rate
    apart = 0.9 < ratio < 1.1
    if not apart and figure.rate_low is not None and figure.rate_high is not None:
        apart = figure.rate_low <= region.rate <= figure.rate_high
        if apart:
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


def lead(case: Case) -> tuple[Segment, ...]:
    """Write the opening sentences."""
    total, when = case.area.total, words.in_period(case.period)
    place = case.area.name
    if total.hidden:
        return (
            (f"The number of {case.noun} recorded in {place} {when} is ", False),
            ("withheld", True),
            (" to protect the people involved.", False),
        )
    if total.incidents is None:
        return ((f"There are no figures for {place} {when}.", False),)
    said = amount(total.incidents, case)
    out: list[Segment] = [(f"{case.recorder} recorded ", False), (said, True), (f" in {place} {when}", False)]
    if not case.recorder:  # several did, or it is not said
        verb = "was" if total.incidents == 1 and case.rounding <= 1 else "were"
        out = [(words.capital(said), True), (f" {verb} recorded in {place} {when}", False)]
    change = change_phrase(total, case.before)
    if total.change_word == "not comparable":
        reason = f": {case.break_text}" if case.break_text else ""
        out.append((f". Not comparable with {case.before or 'earlier periods'}{reason}.", False))
    elif change:
        stressed, joint, rest = change.partition(" than ")
        out += [(", ", False), (stressed, True), (f"{joint}{rest}.", False)]
    else:
        out.append((".", False))
    beside = "" if case.whole_region else beside_region(total, case.region.total, case.region.name)
    if beside:
        out.append((f" The rate is {beside}.", False))
    elif not case.whole_region and total.reliability == "too few to say":
        out.append((" That is too few for a rate.", False))
    elif case.whole_region and total.rate is not None:
        out.append((f" That is {words.rate_text(total.rate)} for every 10,000 residents.", False))
    return tuple(out)
