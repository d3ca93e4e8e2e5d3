"""The two tables of a briefing: categories beside the region, and every part with the range of its rate."""

from collections.abc import Iterable, Sequence

from pipeline.domain.categories import ROOT
from pipeline.publish import charts, findings, page, words
from pipeline.publish.briefings.elements import (
    NOT_CLEAR,
    change_cell,
    count_words,
    link_to,
    long_class,
    outcome_words,
    rate_words,
    row_head,
)
from pipeline.publish.briefings.pictures import fill_of, map_unit
from pipeline.publish.briefings.release_index import Place, ReleaseIndex
from pipeline.statistics.change import COMPARED, ChangeWord

__all__ = ["MOST_CATEGORIES", "ROWS_PT", "category_table", "part_table", "rows_pt"]

MOST_CATEGORIES = 9
ROWS_PT = (("", 15.7), ("dense", 11.8), ("tight", 10.8))
"""Ways to set the rows of parts, and their height in points, roomiest first."""

HEAD_PT = 42.0


def _head(label: str, kind: str = "n") -> str:
    """Write a column head; a line break where the label has a bar, and long words cut."""
    parts = [part if len(part) <= 18 else part[:17].rstrip() + "…" for part in label.split("|")]
    shown = "<br>".join(page.text(part) for part in parts)
    return f'<th scope="col"{long_class(label, kind)}>{shown}</th>'


def _change_head(case: findings.Case) -> str:
    return _head("On year|before" if case.before == "the year before" else "Change")


def _outcome_head(case: findings.Case) -> str:
    return _head("Outcomes|per 100" if case.outcome_basis == "flow" else "Positive|outcome")


def _broken(figures: Iterable[findings.Figure]) -> bool:
    """Whether a break in the series leaves no change to show: then one sentence says so in place of a column."""
    wording = {figure.change_word for figure in figures}
    return ChangeWord.NOT_COMPARABLE in wording and not wording & (COMPARED | {ChangeWord.TOO_FEW})


def _break_words(case: findings.Case) -> str:
    reason = f": {case.break_text}" if case.break_text else ""
    return f"not comparable with {case.before or 'earlier periods'}{reason}"


def _apart(case: findings.Case) -> str:
    """Name the categories that are part of no total."""
    return f" {', '.join(case.outside)}: counted apart, in no total." if case.outside else ""


def category_table(case: findings.Case, *, dense: bool) -> str:
    """Write every category with its change, the region's change, and its outcomes."""
    total = [(ROOT, "All")] if case.has_total else []
    shown = [*total, *case.categories][: MOST_CATEGORIES + 1]
    most = max((n.upper for id_, _ in shown[len(total) :] if (n := case.area.figure(id_).incidents)), default=0)
    broken = _broken(case.area.figure(id_) for id_, _ in shown)
    compare, outcomes = not case.whole_region and not broken, case.outcome_basis != "none"
    heads = [_head("Category", ""), _head("Relative size", "br"), _head(words.capital(case.of_any))]
    if not broken:
        heads.append(_change_head(case))
    if compare:
        heads.append(_head(f"{case.region.name or 'Overall'}|change"))
    if outcomes:
        heads.append(_outcome_head(case))
    rows = []
    for id_, label in shown:
        mine = case.area.figure(id_)
        n = mine.incidents
        size = charts.bar(n.lower / most, upto=n.upper / most) if n and n.upper and id_ != ROOT else ""
        cells = [
            f'{row_head(label)}<td class="br">{size}</td>',
            f'<td class="{"n" if n is not None else "n mu"}">{page.text(count_words(mine))}</td>',
            "" if broken else change_cell(mine, narrow=True),
        ]
        if compare:
            cells.append(change_cell(case.region.figure(id_), muted=True, narrow=True))
        if outcomes:
            cells.append(f'<td class="n">{page.text(outcome_words(mine, case.outcome_basis))}</td>')
        rows.append(f"<tr{' class=all' if id_ == ROOT else ''}>{''.join(cells)}</tr>")
    kind = "st dense" if dense else "st"
    return (
        f'<table class="{kind}"><thead><tr>{"".join(heads)}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        f'<p class="note">{page.text(_category_note(case, [case.area.figure(id_) for id_, _ in shown]))}</p>'
    )


def _category_note(case: findings.Case, shown: Sequence[findings.Figure]) -> str:
    """Say how to read the table of categories, and what it leaves out."""
    note = f"One offence can fall in several categories: do not add them.{_apart(case)}"
    steady = [f for f in shown if f.change_word == ChangeWord.NO_CLEAR_CHANGE]
    if any(f.exact for f in steady):
        note += " In brackets: no clear change."
    if any(not f.exact for f in steady):
        note += f" {words.capital(NOT_CLEAR)}: no change that holds for all numbers inside the ranges."
    if _broken(shown):
        note += f" {words.capital(_break_words(case))}."
    left = len(case.categories) + case.has_total - len(shown)
    return f"{note} And {left} more in area_counts.csv." if left else note


def rows_pt(index: ReleaseIndex, case: findings.Case, row_pt: float) -> float:
    """Return the height of the table of parts with rows of `row_pt`, in points."""
    uncovered = sum(not p.covered for p in index.level("borough")) if case.whole_region else 0
    return HEAD_PT + row_pt * (len(case.parts) + uncovered)


def part_table(index: ReleaseIndex, case: findings.Case, *, height_pt: float) -> str:
    """Write the areas one level down, by name in public and highest first otherwise, as many as fit."""
    one = case.part_words[0]
    parts = list(case.parts)
    uncovered = [p for p in index.level("borough") if not p.covered] if case.whole_region else []
    if not parts:
        return f'<h2>By {page.text(one)}</h2><p class="note">This release has no figures by {page.text(one)}.</p>'
    kind, row_pt = next((way for way in ROWS_PT if rows_pt(index, case, way[1]) <= height_pt), ROWS_PT[-1])
    fits = len(parts) if rows_pt(index, case, row_pt) <= height_pt else int((height_pt - HEAD_PT - 14) / row_pt)
    order, how = _ordered(case, parts, max(4, fits - (len(uncovered) if fits < len(parts) else 0)))
    rate = case.region.total.rate
    stepped = any(n is not None and not n.exact for n in (p.total.incidents for p in parts))
    axis = charts.LogAxis.over([(p.total.rate or 0.0, p.total.rate_low, p.total.rate_high) for p in order], rate)
    outcomes = case.whole_region and case.outcome_basis != "none"
    broken = _broken(p.total for p in case.parts)
    rows = [_part_row(index, case, p, axis, change=not broken, outcomes=outcomes) for p in order]
    rows += [_uncovered_row(p, columns=3 + bool(axis) + outcomes + (not broken)) for p in uncovered]
    line = f"; line: {case.region.name or 'all'} {words.rate_text(rate)}" if rate is not None else ""
    heads = [_head(words.capital(one), ""), _head(words.capital(case.of_any)), _head("Rate")]
    if axis:
        heads.append(f'<th scope="col" class="br">95% range, log scale{page.text(line)}{axis.head()}</th>')
    if not broken:
        heads.append(_change_head(case))
    if outcomes:
        heads.append(_outcome_head(case))
    left = len(parts) - len(order)
    notes = [f"And {left} more in area_counts.csv."] if left else []
    if stepped and axis:
        notes.append("A rate comes from the middle of its count’s range; the 95% range holds the whole of it.")
    more = f'<p class="note">{page.text(" ".join(notes))}</p>' if notes else ""
    about = f"{map_unit(index, case.area.code)}, {how}" + ("; not comparable with earlier periods" if broken else "")
    return (
        f"<h2>By {page.text(one)} <span>{page.text(about)}</span></h2>"
        f'<table class="{f"pt {kind}".rstrip()}"><thead><tr>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>{more}"
    )


def _ordered(
    case: findings.Case, parts: list[findings.AreaProfile], most: int
) -> tuple[list[findings.AreaProfile], str]:
    """Choose and order the rows. In public nothing tells which parts are higher: all by name, the first that fit."""
    if case.audience == "public":
        return parts[:most], "by name"
    by = "" if all(p.total.exact for p in parts) else ", by the lower end of each range"
    # Counts in steps are put in order by the lower ends of their ranges; equal ones by name.
    kept = sorted(parts, key=lambda p: (-p.total.least, p.name, p.code))[:most]
    if all(p.total.rate is None for p in kept):
        return kept, f"most first{by}"
    return sorted(kept, key=lambda p: (-(p.total.rate_span or (-1.0,))[0], p.name)), f"highest first{by}"


def _uncovered_row(place: Place, *, columns: int) -> str:
    return f'<tr>{row_head(place.name)}<td class="mu" colspan="{columns - 1}">not covered</td></tr>'


def _part_row(
    index: ReleaseIndex,
    case: findings.Case,
    part: findings.AreaProfile,
    axis: charts.LogAxis | None,
    *,
    change: bool,
    outcomes: bool,
) -> str:
    figure, level = part.total, index.places[part.code].level
    mark = reach = ""
    if axis and figure.rate is not None and not figure.hidden:
        fill = fill_of(figure, index.limits[level])
        mark = axis.row(figure.rate, figure.rate_low, figure.rate_high, fill=fill, sure=not figure.reliability)
        if figure.rate_low is not None and figure.rate_high is not None:
            unsure = ", unreliable" if figure.reliability else ""
            reach = f"{words.rate_text(figure.rate_low)}–{words.rate_text(figure.rate_high)}{unsure}"
            reach = f' <span class="rt"><span class="vh">range </span>{reach}</span>'
    link = f"boroughs/{link_to(part.code)}" if case.whole_region else ""
    cells = [
        row_head(part.name, link=link),
        f'<td class="{"n mu" if figure.incidents is None else "n"}">{page.text(count_words(figure))}</td>',
        f'<td class="{"n" if figure.rate is not None else "n mu"}">{rate_words(figure)}{reach}</td>',
        f'<td class="br">{mark}</td>' if axis else "",
        change_cell(figure) if change else "",
    ]
    if outcomes:
        cells.append(f'<td class="n">{page.text(outcome_words(figure, case.outcome_basis))}</td>')
    return f"<tr>{''.join(cells)}</tr>"
