"""The briefing of a borough, and the panel page of the region: two A4 pages each that never run over.

Browsers are not asked how high a text is: heights are estimated from the number of letters, in points, and what takes
too much is set smaller or cut with a note of what is left out.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from pipeline.publish import findings, page, words
from pipeline.publish.briefings.circumstances import has_circumstances, page_name
from pipeline.publish.briefings.elements import (
    count_words,
    outcome_words,
    page_footer,
    page_header,
    rate_words,
    reading_notes,
    segments,
    sources,
    subject_of,
    tile,
)
from pipeline.publish.briefings.pictures import (
    MOST_EVENTS,
    events_of,
    hotspots_in,
    locator_of,
    map_of,
    map_unit,
    strip_of,
    trend_of,
)
from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.publish.briefings.tables import MOST_CATEGORIES, ROWS_PT, category_table, part_table, rows_pt
from pipeline.statistics.change import COMPARED
from pipeline.tables import Level

__all__ = ["briefing_page"]


PAGE_PT = 776.0
"""Height inside the margins of an A4 page, with a little to spare."""


def line_count(text: str | int, per_line: int) -> int:
    """Estimate how many lines a text takes; words break, so lines are not quite full."""
    letters = text if isinstance(text, int) else len(text)
    return max(1, math.ceil(letters * 1.04 / per_line)) if letters else 0


def stacked_pt(texts: Iterable[str], *, per_line: int, line_pt: float, gap_pt: float = 0.0) -> float:
    """Estimate the height of paragraphs on top of each other, in points."""
    return sum(line_count(text, per_line) * line_pt + gap_pt for text in texts)


# Hotspots of an area as a numbered list: counts in the internal folder, bands in the others.


def hotspot_list(index: ReleaseIndex, code: str, *, most: int, brief: bool = False) -> str:
    """Write the hotspots that lie in an area, at most `most` of them spelled out; `brief` keeps to the numbers."""
    info, found = index.info, hotspots_in(index, code)
    if not info.has_points and not found:
        return '<p class="note">The data has no points, so no hotspots are drawn.</p>'
    if not found:
        where = f"No hotspot is shown in {index.places[code].name}."
        return f'<p class="note">{page.text(where)} {page.text(info.hotspot_note)}</p>'
    items = [
        f'<li><span class="badge">{page.text(row["rank"])}</span><div><b>{page.text(row["name"])}</b><br>'
        f"{page.text(_size(index, row, brief=brief))}</div></li>"
        for row in found[:most]
    ]
    left = len(found) - most
    note = "Numbered as on the map; outlines cross borders."
    note += f" {words.capital(words.small(left))} more on the map." if left > 0 else ""
    return f'<ul class="hl">{"".join(items)}</ul><p class="note">{page.text(note)}</p>'


def _size(index: ReleaseIndex, row: dict[str, Any], *, brief: bool) -> str:
    info = index.info
    size = f"{row['area_km2']:.1f} km²"
    # Exact for the analyst alone; outside, a hotspot has the step that its count lies in, and no density.
    lower, upper = (findings.whole_number(row.get(f"incidents_{end}")) for end in ("lower", "upper"))
    density = findings.number(row.get("density_per_km2"))
    if lower is None or upper is None:
        return size
    wording = f"{words.counted_range(lower, upper, info.noun)} in {size}"
    region, total = index.places.get(info.region_code), index.region().total.least
    if not brief and density and region and total and region.area_km2:
        times = density * region.area_km2 / total
        if times >= 2:
            wording += f", {words.whole(times)} times the {info.region_name} density".replace("  ", " ")
    return wording


# Page 1: how much, compared with the region, where, what stands out, and since when.


CHART_PT = 92.0
"""Height of the two charts at the foot of page 1."""


def first_page(index: ReleaseIndex, code: str) -> str:
    """Write the first page of an area's briefing."""
    info, place, case = index.info, index.places[code], index.case(code)
    trend, unit, lines_note = trend_of(index, code, height_pt=CHART_PT)
    strip = strip_of(index, code, height_pt=CHART_PT)
    opening, found, events = findings.lead(case), findings.findings(case), _events(index, code)
    height_pt = _map_height(index, code, opening, events)
    panel = case.whole_region
    spare_pt = height_pt + 30 - _column_height(found)
    locator = "" if panel else locator_of(index, place, available_pt=spare_pt)
    end = reading_notes(index) if panel else page_footer(*page.fixed_wording(subject_of(index)), index.protection)
    below, unit_of_map = words.capital(case.part_words[0]), map_unit(index, code)
    among = f"Among {info.region_name} {index.words_for('borough')[1]}".replace("  ", " ")
    note = f'<p class="note">{page.text(lines_note)}</p>' if lines_note else ""
    dated = "".join(f"<li>{page.text(line)}</li>" for line in events)
    return f"""<section class="pg" aria-label="Page 1">{page_header(index, code, 1)}
<h1>{page.text(place.name)}</h1>
<p class="lead">{segments(opening)}</p>
<dl class="kf">{"".join(_tiles(case))}</dl>
<div class="two"><div><h2>{page.text(f"{below} by {below.lower()}")} <span>{page.text(unit_of_map)}</span></h2>
{map_of(index, code, height_pt=height_pt)}</div>
<div><h2>What stands out</h2>{_findings(found)}
{locator}</div></div>
<div class="half"><div><h2>Over time <span>{page.text(unit)}</span></h2>{trend}{note}</div>
<div><h2>{page.text(among)} <span>per 10,000 residents</span></h2>
{strip or '<p class="note">Too few of them have a rate to be shown on one axis.</p>'}</div></div>
{f'<ol class="events">{dated}</ol>' if dated else ""}
{end}</section>"""


def _map_height(index: ReleaseIndex, code: str, opening: tuple[findings.Segment, ...], events: list[str]) -> float:
    """Give the map the height that the rest of the page leaves, in points.

    The numbers stand for the heights of header, banners, title, opening, figures, charts, events and footer in the
    style sheet, with the letters that fit on a line of each.
    """
    info, panel = index.info, index.places[code].level == Level.REGION
    banner = len(info.marking) + (50 if info.audit not in {"passed", "not needed"} else 0) + 90 * info.synthetic
    wording = " ".join((*page.fixed_wording(subject_of(index)), index.protection))
    taken = (
        20.0
        + 12 * (line_count(f"{info.title} panel briefing · {index.places[code].name}", 78) - 1)
        + line_count(banner, 120) * 11
        + 4
        + 9
        + 33 * min(2, line_count(index.places[code].name, 30))
    )
    taken += 2 + 18.8 * line_count("".join(t for t, _ in opening), 78)
    taken += 77 + 54 + CHART_PT + 58 + stacked_pt(events, per_line=128, line_pt=10.8)
    taken += 11 * (line_count(info.noun, 24) - 1) + 15 * (line_count(info.noun, 36) - 1)
    if panel:
        taken += (
            62
            + 10.8 * line_count(len(wording), 110)
            + stacked_pt([a + b for a, b in info.support], per_line=56, line_pt=7)
        )
    else:
        taken += 6 + 10 * line_count(len(wording), 140)
    return max(150.0, min(262.0 if panel else 330.0, PAGE_PT - taken))


def _column_height(found: tuple[findings.Finding, ...]) -> float:
    return stacked_pt((f.head for f in found), per_line=29, line_pt=13.2) + stacked_pt(
        (f.text for f in found), per_line=34, line_pt=12.6, gap_pt=14
    )


def _findings(found: tuple[findings.Finding, ...]) -> str:
    if not found:
        return '<p class="note">Nothing stands out: too little is recorded or shown to choose findings by rule.</p>'
    items = "".join(f"<li><b>{page.text(f.head)}</b>{page.text(f.text)}</li>" for f in found)
    return f'<ul class="fi">{items}</ul>'


def _events(index: ReleaseIndex, code: str) -> list[str]:
    """Say what was recorded before and after each dated event; the latest three at most."""
    series = [findings.Window(p.start, p.end, p.days, f.incidents) for p, f in index.history(code)]
    breaks = [b.month for b in index.info.breaks]
    return [
        findings.before_and_after(e.date, e.label, series, breaks=breaks) for e in events_of(index, code)[-MOST_EVENTS:]
    ]


def _tiles(case: findings.Case) -> list[str]:
    total, region = case.area.total, case.region.total
    beside = "" if case.whole_region else case.region.name
    then = f"{total.earlier.text} {case.back_then}" if total.earlier is not None and total.comparable else ""
    wordy = total.incidents is None or total.incidents.first_step
    out = [tile(words.capital(case.noun), words.capital(count_words(total)), then, wordy=wordy)]
    note = ""
    if total.rate is not None and total.rate_low is not None and total.rate_high is not None:
        note = f"95% range {words.rate_text(total.rate_low)} to {words.rate_text(total.rate_high)}"
        if beside and region.rate_span is not None:
            note = f"{beside} {words.rate_range_text(*region.rate_span)}"
    rate = words.rate_range_text(*total.rate_span) if total.rate_span else words.capital(rate_words(total))
    out.append(tile("Per 10,000 residents", rate, note, wordy=total.rate is None))
    out.append(_change_tile(case))
    ranked = findings.rank_range(case)
    if ranked is not None:
        rank, best, worst, peers = ranked
        reach = "" if best == worst else f"; range {words.ordinal(best)} to {words.ordinal(worst)}"
        out.append(tile("Rank by rate", words.ordinal(rank), f"of {peers} {case.peer_words[1]}{reach}"))
    elif case.outcome_basis != "none":
        label = "Positive outcomes"
        label += " per 100 recorded" if case.outcome_basis == "flow" else ", share"
        wording = outcome_words(total, case.outcome_basis)
        note = f"{beside} {outcome_words(region, case.outcome_basis)}" if beside and region.share is not None else ""
        out.append(tile(label, words.capital(wording), note, wordy=not wording[:1].isdigit()))
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
        theirs = f"{case.region.name} {words.about_signed(region.change_pct, exact=region.exact)}"
        if not region.direction:
            theirs = f"{case.region.name}: no clear change"
    if total.direction and total.change_pct is not None:
        size = words.about_signed(total.change_pct, exact=total.exact)
        word = f"Clearly {'higher' if total.direction > 0 else 'lower'}"
        return tile(label, word, "; ".join(part for part in (size, theirs) if part), wordy=True)
    if total.change_word in COMPARED and total.change_pct is not None:
        size = f"{words.signed(total.change_pct)}, within chance" if total.exact else ""
        return tile(label, "No clear change", "; ".join(part for part in (size, theirs) if part), wordy=True)
    if total.change_word:
        return tile(label, words.capital(total.change_word), theirs, wordy=True)
    gone = "change_pct" in total.not_offered or total.hidden
    return tile(label, words.capital(words.say("common.not_offered")) if gone else "No earlier period", wordy=True)


# Page 2: categories, hotspots, outcomes, every part with its range, cautions, and where to get support.


CAVEAT_LETTERS = 420
"""Letters of the data's own caveats that fit under the cautions."""
MOST, BRIEF = 3, 2
"""Hotspots spelled out on a briefing, and on the panel page."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the second page is laid out: what is set small, where outcomes stand, what is left for the parts."""

    dense: bool
    aside: bool
    parts_pt: float


def second_page(index: ReleaseIndex, code: str) -> str:
    """Write the second page of an area's briefing."""
    case = index.case(code)
    cautions = _cautions(index, case)
    panel = case.whole_region
    plan = _plan(index, case, cautions)
    hotspots = f"<h2>Hotspots</h2>{hotspot_list(index, code, most=BRIEF if panel else MOST, brief=panel)}"
    outcomes = _outcomes(case)
    end = reading_notes(index, cautions, letters=CAVEAT_LETTERS, whole=not panel)
    return f"""<section class="pg" aria-label="Page 2">{page_header(index, code, 2)}
<div class="two"><div><h2>By category</h2>{category_table(case, dense=plan.dense)}{"" if plan.aside else outcomes}</div>
<div>{hotspots}{outcomes if plan.aside else ""}</div></div>
<div class="wt">{part_table(index, case, height_pt=plan.parts_pt)}</div>
{end}
{page_footer(sources(index), "Every figure here is also in the map’s table and in area_counts.csv.")}</section>"""


def _plan(index: ReleaseIndex, case: findings.Case, cautions: list[tuple[str, str]]) -> _Plan:
    """Choose the roomiest layout in which all parts fit, in points."""
    panel = case.whole_region
    rest = _rest(index, case, cautions)
    found = len(hotspots_in(index, case.area.code))
    right = 15 + (44 if not found else min(found, BRIEF if panel else MOST) * (28 if panel else 44) + 26)
    plan = _Plan(dense=True, aside=True, parts_pt=0.0)
    for dense in (False, True):
        left = 56 + (11.8 if dense else 15.7) * (min(len(case.categories), MOST_CATEGORIES) + 1)
        aside = right + 76 <= max(left, right) + 50
        sides = max(left, right + 76) if aside else max(left + 52, right)
        plan = _Plan(dense, aside, rest - sides)
        if rows_pt(index, case, ROWS_PT[0 if not dense else 1][1]) <= plan.parts_pt:
            break
    return plan


def _rest(index: ReleaseIndex, case: findings.Case, cautions: list[tuple[str, str]]) -> float:
    """Estimate what header, cautions and footer leave for both tables, in points."""
    info, panel = index.info, case.whole_region
    marked = len(info.marking) + 90 * info.synthetic + (50 if info.audit not in {"passed", "not needed"} else 0)
    noted = [f"{a} {b}" for a, b in cautions] + list(info.caveats)
    box = 40.0
    if not panel:
        noted += page.fixed_wording(subject_of(index))
        box += 15 + stacked_pt([a + b for a, b in info.support], per_line=52, line_pt=6.0, gap_pt=1.5)
    kept = min(stacked_pt(noted, per_line=57, line_pt=5.5, gap_pt=1.3), 105.0)
    feet = 9 + 10 * line_count(len(sources(index)) + 70, 140)
    named = 12 * (line_count(f"{info.title} panel briefing · {case.area.name}", 78) - 1)
    return PAGE_PT - named - 24 - 11 * line_count(marked, 120) - 10 - 9 - 9 - box - kept - feet + 12


def _outcomes(case: findings.Case) -> str:
    """Say what came of it."""
    mine, theirs = case.area.total, case.region.total
    head = '<h2 class="next">Outcomes</h2>'
    if case.outcome_basis == "none":
        return f'{head}<p class="note">The data has no outcomes.</p>'
    wording = outcome_words(mine, case.outcome_basis)
    if mine.outcomes is None or mine.share is None:
        return f'{head}<p class="note">Positive outcomes: {page.text(wording)}.</p>'
    count = words.capital(mine.outcomes.text)
    if case.outcome_basis == "flow":
        line = f"{count} positive outcomes: {wording} recorded per 100 {case.noun} recorded"
        caveat = "Outcomes may belong to earlier years."
    else:
        line = f"{count} with a positive outcome: {wording}"
        if mine.share_low is not None and mine.share_high is not None:
            line += f" (95% range {words.share_range_text(mine.share_low, mine.share_high)})"
        caveat = "Recent offences may still get one."
    if not case.whole_region and theirs.share is not None:
        line += f"; {case.region.name} {outcome_words(theirs, case.outcome_basis)}"
    return f'{head}<p class="out">{page.text(line)}. <span class="mu">{caveat}</span></p>'


def _cautions(index: ReleaseIndex, case: findings.Case) -> list[tuple[str, str]]:
    """Choose the cautions that concern this page."""
    info = index.info
    out = [("Small numbers.", "Ranges that overlap may differ by chance alone; hollow marks rest on fewer than 20.")]
    if any(p.total.rate is not None for p in case.parts):
        out.append(("Visitors.", "Rates divide by residents, so places with many visitors look high."))
    if info.breaks:
        texts = "; ".join(f"{words.month_name(b.month)}: {b.text}" for b in info.breaks[:2])
        out.append(("Break in the series.", f"{texts}. Nothing is compared across it."))
    if info.step > 1:
        first = words.count_text(0, info.step - 1)
        out.append(("Steps.", f"{words.steps_sentence(info.step)} “{words.capital(first)}” may be none at all."))
    elif index.protection:
        out.append(("Protection.", index.protection))
    if any(p.total.hidden for p in (*case.parts, case.area)):
        out.append(
            ("Not offered.", "Some numbers are not offered, to protect the people involved; they are not zeros.")
        )
    return out


# The file: both pages, links to the other files, and the style.


_CIRCUMSTANCES_LINK = "When, where and how"
_PATTERNS = (
    '<svg class="defs" aria-hidden="true" focusable="false"><defs>'
    '<pattern id="few" width="4" height="4" patternUnits="userSpaceOnUse"><rect class="pl" width="4" height="4"/>'
    '<circle class="pd" cx="2" cy="2" r=".75"/></pattern>'
    '<pattern id="hidden" width="4" height="4" patternUnits="userSpaceOnUse"><rect class="pl" width="4" height="4"/>'
    '<path class="ps" d="M-1 1L1-1M0 4L4 0M3 5L5 3"/></pattern></defs></svg>'
)


def briefing_page(index: ReleaseIndex, code: str) -> str:
    """Write the page of an area: a borough's briefing, or the panel page of the region."""
    info, place = index.info, index.places[code]
    panel = place.level == Level.REGION
    style = resources.files(__package__).joinpath("briefing.css").read_text("utf-8")
    up = "" if panel else "../"
    links = [f'<a href="{up}index.html">Map</a>']
    if not panel and info.region_code in index.places:
        links.append(f'<a href="../panel.html">{page.text(info.region_name)}</a>')
    if has_circumstances(index, code):
        links.append(f'<a href="{"circumstances.html" if panel else page_name(code)}">{_CIRCUMSTANCES_LINK}</a>')
    elif has_circumstances(index, info.region_code):
        links.append(f'<a href="../circumstances.html">{_CIRCUMSTANCES_LINK}, {page.text(info.region_name)}</a>')
    body = (
        f'<nav class="top" aria-label="Pages">{"".join(links)}</nav>{_PATTERNS}'
        f"<main>{first_page(index, code)}\n{second_page(index, code)}</main>"
    )
    kind = "panel briefing" if panel else "briefing"
    return page.document(
        language=info.language,
        title=f"{info.title} {kind}: {place.name}, {info.headline.label}",
        styles=[page.colour_tokens(), style],
        body=body,
    )
