"""The two tables of a briefing: categories beside the region, and every part with the range of its rate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.domain.categories import ROOT
from pipeline.publish import charts, findings, page, words
from pipeline.publish.briefings.elements import (
    change_words,
    count_words,
    link_to,
    outcome_words,
    rate_words,
)
from pipeline.publish.briefings.pictures import fill_of, map_unit
from pipeline.publish.briefings.release_index import Place, ReleaseIndex
from pipeline.publish.words import say
from pipeline.statistics.change import COMPARED, ChangeWord

__all__ = ["MOST_CATEGORIES", "Cell", "Head", "Row", "Table", "category_table", "part_table"]

MOST_CATEGORIES = 9
MOST_PARTS, MOST_PARTS_REGION = 24, 33
"""Parts listed on a borough's page, and on the region's, whose notes are shorter."""
ROOMY, DENSE = 16, 20
"""Most rows that are set roomily, and densely; more are set as tightly as can be read."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: words, a drawing, a range for narrow screens; `kind` is its class."""

    text: str = ""
    kind: str = ""
    drawing: Markup | str = ""
    range: str = ""
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Head:
    """Head of a column; a line break in its words is kept."""

    text: str
    kind: str = "n"
    drawing: Markup | str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its name, perhaps a link, and its cells."""

    name: str
    cells: tuple[Cell, ...]
    kind: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the note under it, and for the parts its heading."""

    kind: str
    heads: tuple[Head, ...] = ()
    rows: tuple[Row, ...] = ()
    note: str = ""
    heading: str = ""
    about: str = ""


def _change_head(case: findings.Case) -> Head:
    yearly = case.before == say("finding.before.year")
    return Head(say("briefing.table.on_year_before" if yearly else "briefing.table.change"))


def _outcome_head(case: findings.Case) -> Head:
    flow = case.outcome_basis == "flow"
    return Head(say("briefing.table.outcomes_per_100" if flow else "briefing.table.positive_outcome"))


def _number(text: str, *, given: bool) -> Cell:
    return Cell(text, "n" if given else "n mu")


def _change_cell(figure: findings.Figure, *, muted: bool = False, narrow: bool = False) -> Cell:
    text, clear = change_words(figure, narrow=narrow)
    return _number(text, given=clear and not muted)


def _broken(figures: Iterable[findings.Figure]) -> bool:
    """Whether a break in the series leaves no change to show: then one sentence says so in place of a column."""
    wording = {figure.change_word for figure in figures}
    return ChangeWord.NOT_COMPARABLE in wording and not wording & (COMPARED | {ChangeWord.TOO_FEW})


def category_table(case: findings.Case) -> Table:
    """List every category with its change, the region's change, and its outcomes."""
    total = [(ROOT, say("briefing.table.all"))] if case.has_total else []
    shown = [*total, *case.categories][: MOST_CATEGORIES + 1]
    most = max((n.upper for id_, _ in shown[len(total) :] if (n := case.area.figure(id_).incidents)), default=0)
    broken = _broken(case.area.figure(id_) for id_, _ in shown)
    compare, outcomes = not case.whole_region and not broken, case.outcome_basis != "none"
    heads = [Head(say("briefing.table.category"), ""), Head(say("briefing.table.size"), "br")]
    heads.append(Head(words.capital(case.of_any), "n own"))
    if not broken:
        heads.append(_change_head(case))
    if compare:
        place = case.region.name
        change = say("briefing.table.region_change", region=place) if place else say("briefing.table.overall_change")
        heads.append(Head(change, "n own"))
    if outcomes:
        heads.append(_outcome_head(case))
    rows = []
    for id_, label in shown:
        mine = case.area.figure(id_)
        n = mine.incidents
        size = charts.bar(n.lower / most, upto=n.upper / most) if n and n.upper and id_ != ROOT else ""
        cells = [Cell("", "br", page.safe(size)), _number(count_words(mine), given=n is not None)]
        if not broken:
            cells.append(_change_cell(mine, narrow=True))
        if compare:
            cells.append(_change_cell(case.region.figure(id_), muted=True, narrow=True))
        if outcomes:
            cells.append(Cell(outcome_words(mine, case.outcome_basis), "n"))
        rows.append(Row(label, tuple(cells), "all" if id_ == ROOT else ""))
    kind = "st" if len(case.parts) + len(shown) <= ROOMY else "st dense"
    note = _category_note(case, [case.area.figure(id_) for id_, _ in shown])
    return Table(kind, tuple(heads), tuple(rows), note)


def _category_note(case: findings.Case, shown: Sequence[findings.Figure]) -> str:
    """Say how to read the table of categories, and what it leaves out."""
    notes = [say("briefing.table.do_not_add")]
    if case.outside:
        notes.append(say("briefing.table.outside", n=len(case.outside), categories=words.listed(case.outside)))
    steady = [f for f in shown if f.change_word == ChangeWord.NO_CLEAR_CHANGE]
    if any(f.exact for f in steady):
        notes.append(say("briefing.table.brackets"))
    if any(not f.exact for f in steady):
        notes.append(say("briefing.table.not_clear"))
    if _broken(shown):
        notes.append(findings.not_comparable(case))
    if case.outcome_basis == "cohort":
        notes.append(say("briefing.table.outcomes"))
    left = len(case.categories) + case.has_total - len(shown)
    if left:
        notes.append(say("briefing.table.more", n=left))
    return " ".join(notes)


def part_table(index: ReleaseIndex, case: findings.Case) -> Table:
    """List the areas one level down, by name in public and highest first otherwise, as many as the rule allows."""
    one = case.part_words[0]
    heading = say("briefing.table.by_part", part=one)
    if not case.parts:
        return Table("", heading=heading, note=say("briefing.table.no_parts", part=one))
    parts = list(case.parts)
    uncovered = [p for p in index.level("borough") if not p.covered] if case.whole_region else []
    most = MOST_PARTS_REGION if case.whole_region else MOST_PARTS
    fits = len(parts) + len(uncovered) <= most
    by_rate = index.shows_rates(case.area.code)
    order, how = _ordered(case, parts, len(parts) if fits else max(4, most - len(uncovered)), by_rate=by_rate)
    rate = case.region.total.rate
    axis = charts.LogAxis.over([(p.total.rate or 0.0, p.total.rate_low, p.total.rate_high) for p in order], rate)
    outcomes = case.whole_region and case.outcome_basis != "none"
    broken = _broken(p.total for p in case.parts)
    rows = [_part_row(index, case, p, axis, change=not broken, outcomes=outcomes) for p in order]
    rows += [_uncovered_row(p, columns=2 + bool(axis) + outcomes + (not broken)) for p in uncovered]
    heads = [Head(words.capital(one), "own"), Head(words.capital(case.of_any), "n own")]
    heads.append(Head(say("briefing.table.rate")))
    if axis:
        heads.append(Head(_axis_words(case, rate), "br", page.safe(axis.head())))
    if not broken:
        heads.append(_change_head(case))
    if outcomes:
        heads.append(_outcome_head(case))
    notes = (
        [say("briefing.table.all_parts", count=len(parts), parts=case.part_words[1])] if len(order) < len(parts) else []
    )
    if axis and any(n is not None and not n.exact for n in (p.total.incidents for p in parts)):
        notes.append(say("briefing.table.middle"))
    unit = map_unit(index, case.area.code)
    all_rows = len(parts) + len(uncovered)
    kind = "pt" if all_rows <= ROOMY else "pt dense" if all_rows <= DENSE else "pt tight"
    return Table(
        kind,
        tuple(heads),
        tuple(rows),
        " ".join(notes),
        heading=heading,
        about=say("briefing.table.about_broken" if broken else "briefing.table.about", unit=unit, order=how),
    )


def _axis_words(case: findings.Case, rate: float | None) -> str:
    if rate is None:
        return say("briefing.table.axis")
    if not case.region.name:
        return say("briefing.table.axis_overall", rate=words.rate_text(rate))
    return say("briefing.table.axis_region", region=case.region.name, rate=words.rate_text(rate))


def _ordered(
    case: findings.Case, parts: list[findings.AreaProfile], most: int, *, by_rate: bool
) -> tuple[list[findings.AreaProfile], str]:
    """Choose and order the rows. In public nothing tells which parts are higher: all by name, the first that fit."""
    if case.audience == "public":
        return parts[:most], say("briefing.table.by_name")
    exact = all(p.total.exact for p in parts)
    # Counts in steps are put in order by the lower ends of their ranges; equal ones by name.
    kept = sorted(parts, key=lambda p: (-p.total.least, p.name, p.code))[:most]
    if not by_rate:
        return kept, say("briefing.table.most_first" if exact else "briefing.table.most_first_by_lower_end")
    highest = say("briefing.table.highest_first" if exact else "briefing.table.highest_first_by_lower_end")
    return sorted(kept, key=lambda p: (-(p.total.rate_span or (-1.0,))[0], p.name)), highest


def _uncovered_row(place: Place, *, columns: int) -> Row:
    return Row(place.name, (Cell(say("common.state.not_covered"), "mu", columns=columns),))


def _part_row(
    index: ReleaseIndex,
    case: findings.Case,
    part: findings.AreaProfile,
    axis: charts.LogAxis | None,
    *,
    change: bool,
    outcomes: bool,
) -> Row:
    figure, level = part.total, index.places[part.code].level
    mark = reach = ""
    if axis and figure.rate is not None and not figure.hidden:
        fill = fill_of(figure, index.limits[level])
        mark = axis.row(figure.rate, figure.rate_low, figure.rate_high, fill=fill, sure=not figure.reliability)
        if figure.rate_low is not None and figure.rate_high is not None:
            low, high = words.rate_text(figure.rate_low), words.rate_text(figure.rate_high)
            weak = bool(figure.reliability)
            reach = say(
                "briefing.table.range_unreliable" if weak else "briefing.table.range_values", low=low, high=high
            )
    cells = [
        _number(count_words(figure), given=figure.incidents is not None),
        Cell(rate_words(figure), "n" if figure.rate is not None else "n mu", range=reach),
    ]
    if axis:
        cells.append(Cell("", "br", page.safe(mark)))
    if change:
        cells.append(_change_cell(figure))
    if outcomes:
        cells.append(Cell(outcome_words(figure, case.outcome_basis), "n"))
    return Row(part.name, tuple(cells), link=f"boroughs/{link_to(part.code)}" if case.whole_region else "")
