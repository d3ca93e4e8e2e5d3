"""The first sheet: how much, beside whom, where, what stands out, and since when."""

from pipeline.publish import findings, page
from pipeline.publish.briefings.book import Book
from pipeline.publish.briefings.pictures import MOST_EVENTS, events_of, locator_of, map_of, map_unit, strip_of, trend_of
from pipeline.publish.briefings.pieces import (
    care,
    count_words,
    foot,
    mast,
    outcome_words,
    rate_words,
    segments,
    subject_of,
    tile,
)
from pipeline.publish.briefings.room import SHEET_PT, lines, stack
from pipeline.publish.findings import words

__all__ = ["first_sheet"]

CHART_PT = 92.0


def first_sheet(book: Book, code: str) -> str:
    """Write the first sheet of an area's briefing."""
    info, place, case = book.info, book.places[code], book.case(code)
    trend, unit, lines_note = trend_of(book, code, height_pt=CHART_PT)
    strip = strip_of(book, code, height_pt=CHART_PT)
    said, found, told = findings.lead(case), findings.findings(case), _events(book, code)
    height_pt = _map_height(book, code, said, told)
    panel = case.whole_region
    spare_pt = height_pt + 30 - _column_height(found)
    locator = "" if panel else locator_of(book, place, room_pt=spare_pt)
    end = care(book) if panel else foot(*page.fixed_wording(subject_of(book)))
    below = words.capital(case.part_words[0])
    among = f"Among {info.region_name} {book.words_for('borough')[1]}".replace("  ", " ")
    note = f'<p class="note">{page.text(lines_note)}</p>' if lines_note else ""
    dated = "".join(f"<li>{page.text(line)}</li>" for line in told)
    return f"""<section class="pg" aria-label="Page 1">{mast(book, code, 1)}
<h1>{page.text(place.name)}</h1>
<p class="lead">{segments(said)}</p>
<dl class="kf">{"".join(_tiles(case))}</dl>
<div class="two"><div><h2>{page.text(f"{below} by {below.lower()}")} <span>{page.text(map_unit(book, code))}</span></h2>
{map_of(book, code, height_pt=height_pt)}</div>
<div><h2>What stands out</h2>{_findings(found)}
{locator}</div></div>
<div class="half"><div><h2>Over time <span>{page.text(unit)}</span></h2>{trend}{note}</div>
<div><h2>{page.text(among)} <span>per 10,000 residents</span></h2>
{strip or '<p class="note">Too few of them have a rate to be shown on one axis.</p>'}</div></div>
{f'<ol class="events">{dated}</ol>' if dated else ""}
{end}</section>"""


def _map_height(book: Book, code: str, said: tuple[findings.Segment, ...], told: list[str]) -> float:
    """Give the map the height that the rest of the sheet leaves, in points."""
    info, panel = book.info, book.places[code].level == "region"
    banner = len(info.marking) + (50 if info.audit not in {"passed", "not needed"} else 0) + 90 * info.synthetic
    wording = " ".join(page.fixed_wording(subject_of(book)))
    taken = (
        20.0
        + 12 * (lines(f"{info.title} panel briefing · {book.places[code].name}", 78) - 1)
        + lines(banner, 120) * 11
        + 4
        + 9
        + 33 * min(2, lines(book.places[code].name, 30))
    )
    taken += 2 + 18.8 * lines("".join(t for t, _ in said), 78)
    taken += 77 + 54 + CHART_PT + 58 + stack(told, per_line=128, line_pt=10.8)
    taken += 11 * (lines(info.noun, 24) - 1) + 15 * (lines(info.noun, 36) - 1)
    if panel:
        taken += 62 + 10.8 * lines(len(wording), 110) + stack([a + b for a, b in info.support], per_line=56, line_pt=7)
    else:
        taken += 6 + 10 * lines(len(wording), 140)
    return max(150.0, min(262.0 if panel else 330.0, SHEET_PT - taken))


def _column_height(found: tuple[findings.Finding, ...]) -> float:
    return stack((f.head for f in found), per_line=29, line_pt=13.2) + stack(
        (f.text for f in found), per_line=34, line_pt=12.6, gap_pt=14
    )


def _findings(found: tuple[findings.Finding, ...]) -> str:
    if not found:
        return '<p class="note">Nothing stands out: too little is recorded or shown to choose findings by rule.</p>'
    items = "".join(f"<li><b>{page.text(f.head)}</b>{page.text(f.text)}</li>" for f in found)
    return f'<ul class="fi">{items}</ul>'


def _events(book: Book, code: str) -> list[str]:
    """Say what was recorded before and after each dated event; the latest three at most."""
    series = [findings.Window(p.start, p.end, p.days, f.incidents) for p, f in book.history(code)]
    breaks = [b.month for b in book.info.breaks]
    return [
        findings.before_and_after(e.date, e.label, series, breaks=breaks) for e in events_of(book, code)[-MOST_EVENTS:]
    ]


def _tiles(case: findings.Case) -> list[str]:
    total, region = case.area.total, case.region.total
    beside = "" if case.whole_region else case.region.name
    then = f"{words.whole(total.earlier)} {case.back_then}" if total.earlier is not None and total.comparable else ""
    out = [tile(words.capital(case.noun), count_words(total), then, wordy=total.incidents is None)]
    note = ""
    if total.rate is not None and total.rate_low is not None and total.rate_high is not None:
        note = f"95% range {words.rate_text(total.rate_low)} to {words.rate_text(total.rate_high)}"
        if beside and region.rate is not None:
            note = f"{beside} {words.rate_text(region.rate)}"
    out.append(tile("Per 10,000 residents", rate_words(total), note, wordy=total.rate is None))
    out.append(_change_tile(case))
    ranked = findings.rank_range(case)
    if ranked is not None:
        rank, best, worst, peers = ranked
        reach = "" if best == worst else f"; range {words.ordinal(best)} to {words.ordinal(worst)}"
        out.append(tile("Rank by rate", words.ordinal(rank), f"of {peers} {case.peer_words[1]}{reach}"))
    elif case.outcome_basis != "none":
        label = "Positive outcomes"
        label += " per 100 recorded" if case.outcome_basis == "flow" else ", share"
        said = outcome_words(total, case.outcome_basis)
        note = f"{beside} {outcome_words(region, case.outcome_basis)}" if beside and region.share is not None else ""
        out.append(tile(label, said, note, wordy=not said[:1].isdigit()))
    else:
        rated = sum(p.total.rate is not None for p in case.parts)
        out.append(
            tile(f"{words.capital(case.part_words[1])} with a rate", words.whole(rated), f"of {len(case.parts)}")
        )
    return out


def _change_tile(case: findings.Case) -> str:
    total, region = case.area.total, case.region.total
    label = f"On {case.before.removeprefix('the ')}" if case.before else "Change"
    theirs = ""
    if not case.whole_region and region.change_pct is not None:
        size = words.signed(region.change_pct)
        theirs = f"{case.region.name} {size}"
        if not region.sense:
            theirs = f"{case.region.name}: no clear change"
    if total.sense and total.change_pct is not None:
        return tile(label, words.signed(total.change_pct), theirs)
    if total.change_word in {"higher", "lower", "no clear change"} and total.change_pct is not None:
        size = f"{words.signed(total.change_pct)}, within chance"
        return tile(label, "No clear change", "; ".join(part for part in (size, theirs) if part), wordy=True)
    if total.change_word:
        return tile(label, words.capital(total.change_word), theirs, wordy=True)
    said = "Withheld" if "change_pct" in total.withheld or total.hidden else "No earlier period"
    return tile(label, said, wordy=True)
