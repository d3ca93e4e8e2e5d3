"""The page of circumstances: each variable with a sentence, its values, and the region's shares beside them."""

from collections.abc import Iterator
from importlib import resources
from typing import Any

from pipeline.aggregate.circumstances import HOUR_BANDS, NOT_STATED, TOO_RECENT, VARIABLES, Grid, Variable
from pipeline.publish import charts, findings, page, words
from pipeline.publish.briefings.elements import link_to, page_footer, page_header, reading_notes, sources
from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.tables import Level

__all__ = ["circumstances_page", "has_circumstances", "page_name"]

SHADES = 5
"""Shades of the grid, classes h1 to h5 of the style sheet."""


def page_name(code: str) -> str:
    """Return the file name of an area's page of circumstances.

    >>> page_name("E09000033")
    'E09000033-circumstances.html'
    """
    return link_to(code).removesuffix(".html") + "-circumstances.html"


def has_circumstances(index: ReleaseIndex, code: str) -> bool:
    """Whether anything of an area's circumstances is shown."""
    return any(index.circumstances(code, o) for o in index.organisations)


def circumstances_page(index: ReleaseIndex, code: str) -> str:
    """Write the page of one area."""
    info, place = index.info, index.places[code]
    region = place.level == Level.REGION
    style = resources.files(__package__).joinpath("briefing.css").read_text("utf-8")
    links = [f'<a href="{"" if region else "../"}index.html">Map</a>']
    if info.region_code in index.places:
        links.append(f'<a href="{"" if region else "../"}panel.html">{page.text(info.region_name)}</a>')
    if not region:
        links.append(f'<a href="{link_to(code)}">{page.text(place.name)}</a>')
    body = (
        f'<nav class="top" aria-label="Pages">{"".join(links)}</nav>'
        f'<main><section class="pg flow" aria-label="What partnerships ask first">{page_header(index, code)}'
        f"<h1>{page.text(place.name)}</h1>"
        f'<p class="lead">{page.text(_lead(index))}</p>{_notes(index, region=region)}'
        f"{''.join(_by_organisation(index, code))}{reading_notes(index, letters=420)}"
        f"{page_footer(sources(index), 'Every figure here is also in circumstances.csv.')}</section></main>"
    )
    return page.document(
        language=info.language,
        title=f"{info.title}: what partnerships ask first, {place.name}, {info.headline.label}",
        styles=[page.colour_tokens(), style],
        body=body,
    )


def _lead(index: ReleaseIndex) -> str:
    """Say what the page answers, and in which months."""
    period = words.in_period(index.info.headline.label)
    return f"When, where and how {index.info.noun} happened and were reported {period}, and what came of them."


def _notes(index: ReleaseIndex, *, region: bool) -> str:
    """Say what must be known before reading on."""
    info = index.info
    wording = [info.inside_note] if region and info.inside_note else []
    wording.append("Shares are of those records that state an answer.")
    if len(index.organisations) > 1:
        wording.append("Organisations record in their own ways: their figures stand apart and are never added up.")
    if not region and has_circumstances(index, info.region_code):
        wording.append(f"The thin line across a bar marks {info.region_name or 'the whole area'}.")
    if info.step > 1:
        wording.append("Of each question one answer or more are not offered, so that none is what the others leave.")
    note = index.released.record.get("circumstances", {}).get("note", "")
    return f'<p class="note">{page.text(" ".join([*wording, note]).strip())}</p>'


def _by_organisation(index: ReleaseIndex, code: str) -> Iterator[str]:
    """Write what each organisation recorded, the one with most records in the region first."""
    for organisation in index.organisations:
        variables, name = index.circumstances(code, organisation), page.text(words.capital(organisation))
        if not variables:
            if code != index.info.region_code and index.circumstances(index.info.region_code, organisation):
                why = f"Too few records here for their circumstances; {index.info.region_name} has them."
                yield f'<h2 class="org">{name}</h2><p class="note">{page.text(why)}</p>'
            continue
        recorded = index.recorded(code, organisation)
        total = "" if recorded is None else f"{words.counted_range(*recorded, index.info.noun)} recorded"
        count = f" <span>{page.text(total)}</span>" if total else ""
        ordered = sorted(VARIABLES.values(), key=lambda v: not v.first)
        blocks = "".join(_block(index, code, organisation, v, variables[v.id]) for v in ordered if v.id in variables)
        yield f'<h2 class="org">{name}{count}</h2><div class="asked">{blocks}</div>'


def _block(index: ReleaseIndex, code: str, organisation: str, variable: Variable, rows: list[dict[str, Any]]) -> str:
    """Write one variable: its sentence, its values with their bars, and what is not known."""
    if variable.grid is not None:
        return _grid(variable.label, variable.grid, rows)
    beside = {} if code == index.info.region_code else index.circumstances(index.info.region_code, organisation)
    of_region = {str(r["answer"]): _figures(r) for r in beside.get(variable.id, [])}
    figures, label = [_figures(r) for r in rows], variable.label
    wording = findings.summary_sentence(
        findings.VariableFigures(
            variable, tuple(figures), noun=index.info.noun, place=index.info.region_name, region=of_region
        )
    )
    most = max((one.share or 0.0 for one in (*figures, *of_region.values())), default=0.0)
    unknowns = (NOT_STATED, TOO_RECENT)
    lines = "".join(_row(one, most, of_region.get(one.name)) for one in figures if one.name not in unknowns)
    # What is not offered stands in one line under the table: a row of its own would say no more.
    left_out = [one.name for one in figures if one.count is None]
    some = [one for one in figures if one.name in unknowns and one.count is not None and one.count[1]]
    unknown = [f"{one.name}: {words.count_text(*(one.count or (0, 0)))}" for one in some]
    unknown += [f"{words.say('common.not_offered')}: {words.listed(left_out)}"] if left_out else []
    note = f'<p class="note">{page.text(words.capital("; ".join(unknown)))}.</p>' if unknown else ""
    sentence = f'<p class="said">{page.text(wording)}</p>' if wording else ""
    return (
        f'<section class="q"><h3>{page.text(label)}</h3>{sentence}<table class="st dense">'
        '<colgroup><col class="c1"><col class="c2"><col class="c3"><col class="c4"></colgroup><thead class="vh"><tr>'
        '<th scope="col">Answer</th><th scope="col">Relative size</th><th scope="col">Share</th>'
        f'<th scope="col">Count</th></tr></thead><tbody>{lines}</tbody></table>{note}</section>'
    )


def _figures(row: dict[str, Any]) -> findings.ValueFigures:
    """Read one value's count, what it is a share of, and the share."""

    def limits(name: str) -> tuple[int, int] | None:
        lower, upper = (findings.whole_number(row[f"{name}_{end}"]) for end in ("lower", "upper"))
        return None if lower is None or upper is None else (lower, upper)

    return findings.ValueFigures(
        str(row["answer"]), limits("incidents"), limits("stated"), findings.number(row["share"])
    )


def _row(one: findings.ValueFigures, most: float, region: findings.ValueFigures | None) -> str:
    """Write one value: name, bar with the region's mark, share, count; nothing where it is not offered."""
    if one.count is None:
        return ""
    mark = region.share / most if region and region.share is not None and most else None
    drawn = charts.bar(one.share / most, mark=mark) if most and one.share is not None else ""
    pct = "" if one.share is None else words.share_range_text(*one.limits)
    return (
        f'<tr><th scope="row">{page.text(words.capital(one.name))}</th><td class="br">{drawn}</td>'
        f'<td class="n">{pct}</td><td class="n">{words.count_text(*one.count)}</td></tr>'
    )


def _grid(label: str, grid: Grid, rows: list[dict[str, Any]]) -> str:
    """Write rows against columns, shaded by how many; the counts stand in the cells."""
    count = {str(r["answer"]): int(findings.number(r["incidents"]) or 0) for r in rows}
    most = max((n for value, n in count.items() if value != NOT_STATED), default=0)
    heads = "".join(f'<th scope="col">{page.text(_short(column))}</th>' for column in grid.columns)
    lines = []
    for row in grid.rows:
        cells = ""
        for column in grid.columns:
            held = count.get(f"{row}, {column}", 0)
            shade = 1 + min(SHADES - 1, SHADES * held // (most + 1)) if most else 1
            cells += f'<td class="n h{shade}">{words.whole(held)}</td>'
        lines.append(f'<tr><th scope="row">{page.text(row)}</th>{cells}</tr>')
    left = count.get(NOT_STATED, 0)
    note = f'<p class="note">{page.text(grid.unknown)}: {words.whole(left)}.</p>' if left else ""
    return (
        f'<section class="q wide"><h3>{page.text(label)}</h3><div class="scroll" role="group" tabindex="0" '
        f'aria-label="{page.attribute(label)}"><table class="heat"><thead><tr>'
        f'<th scope="col">{page.text(grid.rows_are)}</th>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
        f"</div>{note}</section>"
    )


def _short(band: str) -> str:
    """Shorten a band of hours for a narrow column; any other word stands as it is.

    >>> _short("09:00 to 11:59"), _short("street")
    ('09\u201312', 'street')
    """
    return f"{band[:2]}\u2013{int(band[:2]) + 3:02d}" if band in HOUR_BANDS else band
