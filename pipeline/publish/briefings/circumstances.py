"""The page of what partnerships ask first: each question with a sentence, its answers and the region's beside them."""

from collections.abc import Iterator
from importlib import resources
from typing import Any

from pipeline.aggregate.circumstances import HOUR_BANDS, NOT_STATED, TOO_RECENT, VARIABLES, Grid, Variable
from pipeline.publish import charts, findings, page, words
from pipeline.publish.briefings.elements import care, foot, link_to, mast, sources
from pipeline.publish.briefings.release_index import Book
from pipeline.tables import Level

__all__ = ["circumstances_page", "described", "page_name"]

SHADES = 5
"""Shades of the grid, classes h1 to h5 of the style sheet."""


def page_name(code: str) -> str:
    """Return the file name of an area's page of circumstances.

    >>> page_name("E09000033")
    'E09000033-circumstances.html'
    """
    return link_to(code).removesuffix(".html") + "-circumstances.html"


def described(book: Book, code: str) -> bool:
    """Whether anything of an area's circumstances is shown."""
    return any(book.circumstances(code, o) for o in book.organisations)


def circumstances_page(book: Book, code: str) -> str:
    """Write the page of one area."""
    info, place = book.info, book.places[code]
    region = place.level == Level.REGION
    style = resources.files(__package__).joinpath("briefing.css").read_text("utf-8")
    links = [f'<a href="{"" if region else "../"}index.html">Map</a>']
    if info.region_code in book.places:
        links.append(f'<a href="{"" if region else "../"}panel.html">{page.text(info.region_name)}</a>')
    if not region:
        links.append(f'<a href="{link_to(code)}">{page.text(place.name)}</a>')
    body = (
        f'<nav class="top" aria-label="Pages">{"".join(links)}</nav>'
        f'<main><section class="pg flow" aria-label="What partnerships ask first">{mast(book, code)}'
        f"<h1>{page.text(place.name)}</h1>"
        f'<p class="lead">{page.text(_lead(book))}</p>{_notes(book, region=region)}'
        f"{''.join(_organisations(book, code))}{care(book, room=420)}"
        f"{foot(sources(book), 'Every figure here is also in circumstances.csv.')}</section></main>"
    )
    return page.document(
        language=info.language,
        title=f"{info.title}: what partnerships ask first, {place.name}, {info.headline.label}",
        styles=[page.colour_tokens(), style],
        body=body,
    )


def _lead(book: Book) -> str:
    """Say what the page answers, and in which months."""
    period = words.in_period(book.info.headline.label)
    return f"When, where and how {book.info.noun} happened and were reported {period}, and what came of them."


def _notes(book: Book, *, region: bool) -> str:
    """Say what must be known before reading on."""
    info = book.info
    said = ["Shares are of those records that state an answer."]
    if len(book.organisations) > 1:
        said.append("Organisations record in their own ways: their figures stand apart and are never added up.")
    if not region and described(book, info.region_code):
        said.append(f"The thin line across a bar marks {info.region_name or 'the whole area'}.")
    if info.rounding > 1:
        said.append(f"Counts are rounded to {info.rounding}, and shares come from rounded counts.")
    if info.audience != "internal":
        said.append("What could point to a person is withheld.")
    note = book.released.record.get("circumstances", {}).get("note", "")
    return f'<p class="note">{page.text(" ".join([*said, note]).strip())}</p>'


def _organisations(book: Book, code: str) -> Iterator[str]:
    """Write what each organisation recorded, the one with most records in the region first."""
    for organisation in book.organisations:
        asked, name = book.circumstances(code, organisation), page.text(words.capital(organisation))
        if not asked:
            if code != book.info.region_code and book.circumstances(book.info.region_code, organisation):
                why = f"Too few records here for their circumstances; {book.info.region_name} has them."
                yield f'<h2 class="org">{name}</h2><p class="note">{page.text(why)}</p>'
            continue
        total = book.recorded(code, organisation)
        count = "" if total is None else f" <span>{page.text(words.counted(total, book.info.noun))} recorded</span>"
        ordered = sorted(VARIABLES.values(), key=lambda v: not v.first)
        blocks = "".join(_block(book, code, organisation, v, asked[v.id]) for v in ordered if v.id in asked)
        yield f'<h2 class="org">{name}{count}</h2><div class="asked">{blocks}</div>'


def _block(book: Book, code: str, organisation: str, variable: Variable, rows: list[dict[str, Any]]) -> str:
    """Write one variable: its sentence, its values with their bars, and what is not known."""
    if variable.grid is not None:
        return _grid(variable.label, variable.grid, rows)
    beside = {} if code == book.info.region_code else book.circumstances(book.info.region_code, organisation)
    theirs = {r["answer"]: float(r["share"]) for r in beside.get(variable.id, []) if _number(r["share"]) is not None}
    label = variable.label
    said = findings.told(
        findings.Asked(
            variable,
            tuple(_answer(r) for r in rows),
            noun=book.info.noun,
            about="about " if book.info.rounding > 1 else "",
            place=book.info.region_name,
            region=theirs,
        )
    )
    most = max([_number(r["share"]) or 0.0 for r in rows] + list(theirs.values()), default=0.0)
    lines = "".join(_row(r, most, theirs) for r in rows if r["answer"] not in (NOT_STATED, TOO_RECENT))
    silent = [_silent(r) for r in rows if r["answer"] in (NOT_STATED, TOO_RECENT) and r["incidents"] != 0]
    note = f'<p class="note">{page.text(words.capital("; ".join(silent)))}.</p>' if silent else ""
    sentence = f'<p class="said">{page.text(said)}</p>' if said else ""
    return (
        f'<section class="q"><h3>{page.text(label)}</h3>{sentence}<table class="st dense">'
        '<colgroup><col class="c1"><col class="c2"><col class="c3"><col class="c4"></colgroup><thead class="vh"><tr>'
        '<th scope="col">Answer</th><th scope="col">Relative size</th><th scope="col">Share</th>'
        f'<th scope="col">Count</th></tr></thead><tbody>{lines}</tbody></table>{note}</section>'
    )


def _number(value: Any) -> float | None:
    return None if value is None or value != value or str(value) == "<NA>" else float(value)  # noqa: PLR0124 - NaN


def _answer(row: dict[str, Any]) -> findings.Answer:
    count = _number(row["incidents"])
    shares = (_number(row[name]) for name in ("share", "share_low", "share_high"))
    return findings.Answer(str(row["answer"]), None if count is None else int(count), *shares)


def _row(row: dict[str, Any], most: float, theirs: dict[str, float]) -> str:
    """Write one answer: name, bar with the region's mark, share, count."""
    share, count, name = _number(row["share"]), _number(row["incidents"]), str(row["answer"])
    mark = theirs[name] / most if name in theirs and most else None
    drawn = charts.bar((share or 0.0) / most, strong=False, mark=mark) if most and share is not None else ""
    pct = "" if share is None else words.share_text(share)
    said = "withheld" if count is None else words.whole(count)
    return (
        f'<tr><th scope="row">{page.text(words.capital(name))}</th><td class="br">{drawn}</td>'
        f'<td class="n">{pct}</td><td class="{"n mu" if count is None else "n"}">{said}</td></tr>'
    )


def _silent(row: dict[str, Any]) -> str:
    count = _number(row["incidents"])
    return f"{row['answer']}: {'withheld' if count is None else words.whole(count)}"


def _grid(label: str, grid: Grid, rows: list[dict[str, Any]]) -> str:
    """Write rows against columns, shaded by how many; the counts stand in the cells."""
    count = {str(r["answer"]): int(_number(r["incidents"]) or 0) for r in rows}
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
