"""The page of circumstances: each variable with a sentence, its values, and the region's shares beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pipeline.aggregate.circumstances import HOUR_BANDS, NOT_STATED, TOO_RECENT, VARIABLES, Grid, Variable
from pipeline.publish import charts, findings, page, words
from pipeline.publish.briefings.elements import MOST_CAVEATS, frame_of, link_to, reading_notes, sources, written
from pipeline.publish.briefings.release_index import ReleaseIndex
from pipeline.publish.words import say
from pipeline.tables import Level

__all__ = ["circumstances_page", "has_circumstances"]

SHADES = 5
"""Shades of the grid, classes h1 to h5 of the style sheet."""


def has_circumstances(index: ReleaseIndex, code: str) -> bool:
    """Whether anything of an area's circumstances is shown."""
    return any(index.circumstances(code, o) for o in index.organisations)


def circumstances_page(index: ReleaseIndex, code: str) -> str:
    """Write the page of one area."""
    info, place = index.info, index.places[code]
    region = place.level == Level.REGION
    links = [("index.html" if region else "../index.html", say("briefing.map_link"))]
    if info.region_code in index.places:
        links.append(("panel.html" if region else "../panel.html", info.region_name))
    if not region:
        links.append((link_to(code), place.name))
    period, heading = info.headline.label, say("briefing.circumstances.heading", title=info.title)
    return written(
        index,
        "circumstances.html",
        title=say("briefing.circumstances.document_title", heading=heading, place=place.name, period=period),
        frame=frame_of(index, code, links, heading=heading),
        lead=say("briefing.circumstances.lead", noun=info.noun, period=words.in_period(period)),
        note=" ".join(_notes(index, region=region)),
        heads=_heads(),
        organisations=list(_by_organisation(index, code)),
        reading=reading_notes(index, caveats=MOST_CAVEATS),
        sources=(*sources(index), say("briefing.circumstances.every_figure")),
    )


def _heads() -> tuple[str, ...]:
    return (
        say("briefing.circumstances.answer"),
        say("briefing.table.size"),
        say("briefing.circumstances.share"),
        say("briefing.circumstances.count"),
    )


def _notes(index: ReleaseIndex, *, region: bool) -> Iterator[str]:
    """Say what must be known before reading on."""
    info = index.info
    if region and info.inside_note:
        yield info.inside_note
    yield say("briefing.circumstances.stated")
    if len(index.organisations) > 1:
        yield say("briefing.circumstances.apart")
    if not region and has_circumstances(index, info.region_code):
        name = info.region_name
        yield say("briefing.circumstances.line", region=name) if name else say("briefing.circumstances.line_overall")
    if info.step > 1:
        yield say("briefing.circumstances.steps")
    note = index.released.record.get("circumstances", {}).get("note", "")
    if note:
        yield str(note)


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One value of a variable: its bar, its share and its count."""

    name: str
    bar: Markup
    share: str
    count: str


@dataclass(frozen=True, slots=True)
class Block:
    """One variable: its values, or two crossed; `columns` and `rows_are` are the heads of a grid."""

    label: str
    rows: tuple[Any, ...]
    sentence: str = ""
    note: str = ""
    rows_are: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Organisation:
    """What one organisation recorded, or why nothing of it is shown."""

    name: str
    total: str = ""
    why: str = ""
    blocks: tuple[Block, ...] = ()


def _by_organisation(index: ReleaseIndex, code: str) -> Iterator[Organisation]:
    """List what each organisation recorded, the one with most records in the region first."""
    region = index.info.region_name
    for organisation in index.organisations:
        variables, name = index.circumstances(code, organisation), words.capital(organisation)
        if not variables:
            if code != index.info.region_code and index.circumstances(index.info.region_code, organisation):
                why = say("briefing.circumstances.too_few", region=region)
                yield Organisation(name, why=why if region else say("briefing.circumstances.too_few_overall"))
            continue
        recorded = index.recorded(code, organisation)
        total = "" if recorded is None else words.counted_range(*recorded, index.info.noun)
        ordered = sorted(VARIABLES.values(), key=lambda v: not v.first)
        blocks = (_block(index, code, organisation, v, variables[v.id]) for v in ordered if v.id in variables)
        yield Organisation(name, total and say("briefing.circumstances.recorded", count=total), blocks=tuple(blocks))


def _block(index: ReleaseIndex, code: str, organisation: str, variable: Variable, rows: list[dict[str, Any]]) -> Block:
    """Describe one variable: its sentence, its values with their bars, and what is not known."""
    if variable.grid is not None:
        return _grid(variable.id, variable.grid, rows)
    beside = {} if code == index.info.region_code else index.circumstances(index.info.region_code, organisation)
    of_region = {str(r["answer"]): _figures(r) for r in beside.get(variable.id, [])}
    figures = [_figures(r) for r in rows]
    sentence = findings.summary_sentence(
        findings.VariableFigures(
            variable, tuple(figures), noun=index.info.noun, place=index.info.region_name, region=of_region
        )
    )
    most = max((one.share or 0.0 for one in (*figures, *of_region.values())), default=0.0)
    unknowns = (NOT_STATED, TOO_RECENT)
    # What is not offered stands in one line under the table: a row of its own would say no more.
    lines = [
        _row(one, one.count, most, of_region.get(one.name))
        for one in figures
        if one.name not in unknowns and one.count is not None
    ]
    left_out = [one.name for one in figures if one.count is None]
    unknown = [
        say("briefing.circumstances.value", value=one.name, count=words.count_text(*one.count))
        for one in figures
        if one.name in unknowns and one.count is not None and one.count[1]
    ]
    unknown += [say("briefing.circumstances.not_offered", values=words.listed(left_out))] if left_out else []
    note = f"{words.capital(say('briefing.circumstances.joint').join(unknown))}." if unknown else ""
    return Block(words.variable_name(variable.id), tuple(lines), sentence, note)


def _figures(row: dict[str, Any]) -> findings.ValueFigures:
    """Read one value's count, what it is a share of, and the share."""

    def limits(name: str) -> tuple[int, int] | None:
        lower, upper = (findings.whole_number(row[f"{name}_{end}"]) for end in ("lower", "upper"))
        return None if lower is None or upper is None else (lower, upper)

    return findings.ValueFigures(
        str(row["answer"]), limits("incidents"), limits("stated"), findings.number(row["share"])
    )


def _row(
    one: findings.ValueFigures, count: tuple[int, int], most: float, region: findings.ValueFigures | None
) -> ValueRow:
    """Describe one value: name, bar with the region's mark, share, count."""
    mark = region.share / most if region and region.share is not None and most else None
    drawn = charts.bar(one.share / most, mark=mark) if most and one.share is not None else ""
    share = "" if one.share is None else words.share_range_text(*one.limits)
    return ValueRow(words.capital(one.name), page.safe(drawn), share, words.count_text(*count))


def _grid(variable: str, grid: Grid, rows: list[dict[str, Any]]) -> Block:
    """Cross rows with columns, shaded by how many; the counts stand in the cells."""
    count = {str(r["answer"]): int(findings.number(r["incidents"]) or 0) for r in rows}
    most = max((n for value, n in count.items() if value != NOT_STATED), default=0)

    def cell(held: int) -> tuple[str, int]:
        return words.whole(held), 1 + min(SHADES - 1, SHADES * held // (most + 1)) if most else 1

    lines = [(row, [cell(count.get(f"{row}, {column}", 0)) for column in grid.columns]) for row in grid.rows]
    left = count.get(NOT_STATED, 0)
    unknown = say(f"circumstances.unknown.{variable}")
    note = say("briefing.circumstances.value", value=unknown, count=words.whole(left)) if left else ""
    return Block(
        words.variable_name(variable),
        tuple(lines),
        note=note and f"{note}.",
        rows_are=say(f"circumstances.rows.{variable}"),
        columns=tuple(map(_short, grid.columns)),
    )


def _short(band: str) -> str:
    """Shorten a band of hours for a narrow column; any other word stands as it is.

    >>> _short("09:00 to 11:59"), _short("street")
    ('09\u201312', 'street')
    """
    return f"{band[:2]}\u2013{int(band[:2]) + 3:02d}" if band in HOUR_BANDS else band
