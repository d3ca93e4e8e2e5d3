"""The second sheet: categories, hotspots, outcomes, every part with its range, cautions, and where to turn."""

from dataclasses import dataclass

from pipeline.publish import findings, page
from pipeline.publish.briefings.book import Book
from pipeline.publish.briefings.hotspot_list import hotspot_list
from pipeline.publish.briefings.pictures import hotspots_in
from pipeline.publish.briefings.pieces import care, foot, mast, outcome_words, sources, subject_of
from pipeline.publish.briefings.room import SHEET_PT, lines, stack
from pipeline.publish.briefings.tables import MOST_CATEGORIES, ROWS_PT, category_table, part_table, rows_pt
from pipeline.publish.findings import words

__all__ = ["second_sheet"]

CAVEAT_LETTERS = 420
MOST, BRIEF = 3, 2
"""Hotspots spelled out on a briefing, and on the panel page."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the second sheet is laid out: what is set small, where outcomes stand, what is left for the parts."""

    dense: bool
    aside: bool
    parts_pt: float


def second_sheet(book: Book, code: str) -> str:
    """Write the second sheet of an area's briefing."""
    case = book.case(code)
    cautions = _cautions(book, case)
    panel = case.whole_region
    plan = _plan(book, case, cautions)
    hotspots = f"<h2>Hotspots</h2>{hotspot_list(book, code, most=BRIEF if panel else MOST, brief=panel)}"
    outcomes = _outcomes(case)
    end = care(book, cautions, room=CAVEAT_LETTERS, whole=not panel)
    return f"""<section class="pg" aria-label="Page 2">{mast(book, code, 2)}
<div class="two"><div><h2>By category</h2>{category_table(case, dense=plan.dense)}{"" if plan.aside else outcomes}</div>
<div>{hotspots}{outcomes if plan.aside else ""}</div></div>
<div class="wt">{part_table(book, case, height_pt=plan.parts_pt)}</div>
{end}
{foot(sources(book), "Every figure here is also in the map’s table and in area_counts.csv.")}</section>"""


def _plan(book: Book, case: findings.Case, cautions: list[tuple[str, str]]) -> _Plan:
    """Choose the roomiest layout in which all parts fit, in points."""
    panel = case.whole_region
    rest = _rest(book, case, cautions)
    found = len(hotspots_in(book, case.area.code))
    right = 15 + (44 if not found else min(found, BRIEF if panel else MOST) * (28 if panel else 44) + 26)
    plan = _Plan(dense=True, aside=True, parts_pt=0.0)
    for dense in (False, True):
        left = 56 + (11.8 if dense else 15.7) * (min(len(case.categories), MOST_CATEGORIES) + 1)
        aside = right + 76 <= max(left, right) + 50
        sides = max(left, right + 76) if aside else max(left + 52, right)
        plan = _Plan(dense, aside, rest - sides)
        if rows_pt(book, case, ROWS_PT[0 if not dense else 1][1]) <= plan.parts_pt:
            break
    return plan


def _rest(book: Book, case: findings.Case, cautions: list[tuple[str, str]]) -> float:
    """Estimate what mast, cautions and foot leave for both tables, in points."""
    info, panel = book.info, case.whole_region
    marked = len(info.marking) + 90 * info.synthetic + (50 if info.audit not in {"passed", "not needed"} else 0)
    noted = [f"{a} {b}" for a, b in cautions] + list(info.caveats)
    box = 40.0
    if not panel:
        noted += page.fixed_wording(subject_of(book))
        box += 15 + stack([a + b for a, b in info.support], per_line=52, line_pt=6.0, gap_pt=1.5)
    kept = min(stack(noted, per_line=57, line_pt=5.5, gap_pt=1.3), 105.0)
    feet = 9 + 10 * lines(len(sources(book)) + 70, 140)
    named = 12 * (lines(f"{info.title} panel briefing · {case.area.name}", 78) - 1)
    return SHEET_PT - named - 24 - 11 * lines(marked, 120) - 10 - 9 - 9 - box - kept - feet + 12


def _outcomes(case: findings.Case) -> str:
    """Say what came of it."""
    mine, theirs = case.area.total, case.region.total
    head = '<h2 class="next">Outcomes</h2>'
    if case.outcome_basis == "none":
        return f'{head}<p class="note">The data has no outcomes.</p>'
    said = outcome_words(mine, case.outcome_basis)
    if mine.outcomes is None or mine.share is None:
        return f'{head}<p class="note">Positive outcomes: {page.text(said)}.</p>'
    if case.outcome_basis == "flow":
        line = f"{words.whole(mine.outcomes)} positive outcomes: {said} recorded per 100 {case.noun} recorded"
        caveat = "Outcomes may belong to earlier years."
    else:
        line = f"{words.whole(mine.outcomes)} with a positive outcome: {said}"
        if mine.share_low is not None and mine.share_high is not None:
            line += f" (95% range {words.share_text(mine.share_low)} to {words.share_text(mine.share_high)})"
        caveat = "Recent offences may still get one."
    if not case.whole_region and theirs.share is not None:
        line += f"; {case.region.name} {outcome_words(theirs, case.outcome_basis)}"
    return f'{head}<p class="out">{page.text(line)}. <span class="mu">{caveat}</span></p>'


def _cautions(book: Book, case: findings.Case) -> list[tuple[str, str]]:
    """Choose the cautions that concern this sheet."""
    info = book.info
    out = [("Small numbers.", "Ranges that overlap may differ by chance alone; hollow marks rest on fewer than 20.")]
    if any(p.total.rate is not None for p in case.parts):
        out.append(("Visitors.", "Rates divide by residents, so places with many visitors look high."))
    if info.breaks:
        texts = "; ".join(f"{words.month_name(b.month)}: {b.text}" for b in info.breaks[:2])
        out.append(("Break in the series.", f"{texts}. Nothing is compared across it."))
    if any(p.total.hidden for p in (*case.parts, case.area)):
        out.append(("Withheld.", "Some numbers are withheld to protect the people involved; they are not zeros."))
    if info.rounding > 1:
        out.append(("Rounded.", f"Counts are rounded to {info.rounding}; parts need not add up."))
    return out
