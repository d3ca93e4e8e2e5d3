"""What stands in `tables.xlsx` or `tables.ods`: a cover, contents, notes, and one table a sheet.

The layout follows the Analysis Function's guidance "Releasing statistics in spreadsheets" (2023): one table a sheet,
which begins in column A; no merged, hidden or empty cells; `[c]` and `[x]` in place of numbers that are not there;
notes in a sheet of their own. `xlsx_bytes` and `ods_bytes` write it. It contains nothing that the tables of the release
do not contain.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.domain.categories import ROOT
from pipeline.publish.exports.description import Description
from pipeline.publish.exports.harm_columns import with_harm
from pipeline.publish.exports.layers import period_in_layer
from pipeline.publish.words import (
    area_words,
    capital,
    count_text,
    named_period,
    protection_sentence,
    say,
    variable_name,
    whole,
)
from pipeline.release.released import CategoryInfo, Released, Rung
from pipeline.tables import Level, plain_values

__all__ = ["MOST_ROWS", "NOT_AVAILABLE", "NOT_OFFERED", "Column", "Sheet", "Workbook", "workbook_of"]

NOT_OFFERED, NOT_AVAILABLE = "[c]", "[x]"
MOST_ROWS = 1_048_576  # of a sheet, in both formats
_NAME_LENGTH = 31  # of a sheet; spreadsheet programs repair longer names, which breaks links
_NO_NAME = re.compile(r"[\[\]:*?/\\]")

Kind = Literal["text", "count", "rate", "share"]
Cell = str | int | float


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet: its heading, how its numbers are written, and its width in characters."""

    title: str
    kind: Kind = "text"
    width: int = 16

    def is_symbol(self, text: str) -> bool:
        """Whether a text of the column stands for a number, or for a text that is not there."""
        return self.kind != "text" or text == NOT_AVAILABLE


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet with one table.

    Attributes
    ----------
    name
        Name on the tab, at most 31 characters.
    title
        First line.
    lines
        Further lines before the table.
    columns
        Headings of the table; none on the cover, which is lines alone.
    rows
        As many cells as columns in each, none of them empty.
    """

    name: str
    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Workbook:
    """The sheets in order: cover, contents, notes, tables; `stamp` stands for the time of writing, ISO date."""

    title: str
    author: str
    stamp: str
    language: str
    sheets: tuple[Sheet, ...]


def workbook_of(released: Released, description: Description, *, most_rows: int = MOST_ROWS) -> Workbook:
    """Lay out the tables of a release as a workbook.

    Parameters
    ----------
    released
        What passed the gate.
    description
        What every format repeats about the release.
    most_rows
        Rows that a sheet can hold; a longer table is left out, and the contents say where it is.
    """
    made = list(_distinct(sheet for sheet in _tables(released) if sheet.rows))
    held = [sheet for sheet in made if len(sheet.rows) + len(sheet.lines) + 2 <= most_rows]
    notes = _notes(released)
    contents = Sheet(
        say("workbook.contents.name"),
        say("workbook.contents.title"),
        (say("workbook.one_table"),),
        (
            Column(say("workbook.contents.sheet"), width=32),
            Column(say("workbook.contents.what"), width=80),
            Column(say("workbook.contents.rows"), "count"),
        ),
        tuple(
            (sheet.name if fits else NOT_AVAILABLE, _listed(sheet, fits=fits), len(sheet.rows))
            for sheet, fits in [(notes, True), *((sheet, sheet in held) for sheet in made)]
        ),
    )
    sheets = (_cover(released, description), contents, notes, *held)
    author = description.publisher or description.title
    return Workbook(description.title, author, description.stamp, description.language, sheets)


def _listed(sheet: Sheet, *, fits: bool) -> str:
    return sheet.title if fits else say("workbook.contents.too_long", title=sheet.title, most=whole(MOST_ROWS))


def _distinct(sheets: Iterable[Sheet]) -> Iterator[Sheet]:
    """Give every sheet a name that spreadsheet programs accept: short, without brackets and slashes, unlike others."""
    taken = {say(f"workbook.{kind}.name").casefold() for kind in ("cover", "contents", "notes")}
    for sheet in sheets:
        plain = _NO_NAME.sub(" ", sheet.name).strip().strip("'") or "Table"
        name, number = plain[:_NAME_LENGTH].strip(), 2
        while name.casefold() in taken:
            end = f" {number}"
            name, number = plain[: _NAME_LENGTH - len(end)].strip() + end, number + 1
        taken.add(name.casefold())
        yield replace(sheet, name=name)


def _cover(released: Released, description: Description) -> Sheet:
    info, reach = released.info, int(released.record.get("rules", {}).get("noise_reach", 0))
    lines = [
        info.marking,
        say("common.synthetic") if info.synthetic else "",
        f"{say('common.not_audited')}." if info.audit.startswith("not audited") else "",
        say("workbook.cover.period", period=capital(named_period(info.headline.label)), start=info.headline.start,
            end=info.headline.end),
        say("workbook.cover.publisher", publisher=info.publisher) if info.publisher else "",
        protection_sentence(info.mechanism, step=info.step, threshold=info.threshold, noise_reach=reach),
        *description.limits,
        say("workbook.cover.symbols", not_offered=NOT_OFFERED, not_available=NOT_AVAILABLE),
        say("workbook.cover.sheets"),
        say("workbook.cover.contact", contact=description.contact) if description.contact else "",
        say("workbook.cover.licence", licence=info.licence) if info.licence else "",
    ]  # fmt: skip
    return Sheet(say("workbook.cover.name"), description.title, tuple(line for line in lines if line))


def _note_numbers(released: Released) -> dict[str, int]:
    """Return the number of each note that the release needs."""
    info = released.info
    keys = [
        *(["range"] if info.mechanism != "exact" else []),
        *(["categories"] if len(info.categories) > 1 else []),
        "rate",
        "change",
        *(["outcome"] if _with_outcomes(released) else []),
        *(["levels"] if any(c.rung != Rung.WARD for c in info.categories) else []),
    ]
    return {key: number for number, key in enumerate(keys, start=1)}


def _with_outcomes(released: Released) -> bool:
    return "positive_outcomes" in released.info.measures and released.info.outcome_basis != "none"


def _notes(released: Released) -> Sheet:
    info = released.info
    given = {"noun": info.noun, "q": f"{info.change_fdr_q:.0%}", "basis": say(f"workbook.basis.{info.change_basis}")}
    given["base"] = info.every_base
    numbers = _note_numbers(released)
    rows = tuple((number, say(f"workbook.note.{key}", **given)) for key, number in numbers.items())
    return Sheet(
        say("workbook.notes.name"),
        say("workbook.notes.title"),
        (say("workbook.one_table"),),
        (Column(say("workbook.notes.number"), "count", 8), Column(say("workbook.notes.text"), width=110)),
        rows,
    )


def _tables(released: Released) -> Iterator[Sheet]:
    """Give the sheets with tables: the latest period by level, boroughs over time, hotspots, circumstances."""
    info = released.info
    present = set(released.counts["level"])
    large = [level for level in (Level.REGION, Level.FOURTH, Level.THIRD, Level.BOROUGH) if level in present]
    largest = area_words(info.level_labels, Level.BOROUGH)[1]
    together = say("workbook.region_and", region=info.region_name, areas=largest)
    latest = [_latest(released, level) for level in large]
    yield _areas(released, pd.concat(latest), name=capital(largest), what=together, over_time=False)
    for level in (Level.WARD_GROUP, Level.WARD):
        if level in present:
            words = capital(area_words(info.level_labels, level)[1])
            yield _areas(released, _latest(released, level), name=words, what=words, over_time=False)
    rows = released.counts[released.counts["level"].isin(large)]
    name = say("workbook.over_time.name", areas=capital(largest))
    yield _areas(released, rows, name=name, what=together, over_time=True)
    if len(released.hotspots):
        yield _hotspots(released)
    if len(released.circumstances):
        yield _circumstances(released)


def _latest(released: Released, level: Level) -> pd.DataFrame:
    """Return the rows of a level for the window that its layer shows, of the categories that are given by it."""
    counts = released.counts[released.counts["level"] == level]
    keys = [(period_in_layer(released, level=level, category=c.id).id, c.id) for c in _given(released, level)]
    chosen = (
        pd.MultiIndex.from_frame(counts[["period", "category"]]).isin(keys) if keys else np.zeros(len(counts), bool)
    )
    return counts[chosen]


def _given(released: Released, level: Level) -> Sequence[CategoryInfo]:
    """Return the categories that a level has: wards and groups of wards those that are given by them."""
    categories = released.info.categories
    return [c for c in categories if level not in {Level.WARD, Level.WARD_GROUP} or c.detail == level]


def _areas(released: Released, rows: pd.DataFrame, *, name: str, what: str, over_time: bool) -> Sheet:
    """Lay out rows of AREA_COUNTS."""
    info = released.info
    rows = rows if over_time else with_harm(rows, released)
    order = {category.id: number for number, category in enumerate(info.categories)}
    labels = {category.id: category.label for category in info.categories}
    levels = {level: number for number, level in enumerate((Level.REGION, Level.FOURTH, Level.THIRD))}
    rows = rows.sort_values(
        ["level", "area_code", "category", "period_start", "period"],
        key=lambda c: c.map(order) if c.name == "category" else c.map(levels).fillna(9) if c.name == "level" else c,
    )
    periods = {p.id: p.label for series in info.periods.values() for p in (*series, *info.long_windows)}
    periods |= {p.id: p.label for p in (info.headline, *info.long_windows)}
    inside = _parents(released)
    table = _Table(rows, _note_numbers(released))
    table.text(say("workbook.column.area"), rows["area_name"], 30)
    table.text(say("workbook.column.code"), rows["area_code"])
    if rows["level"].isin([Level.WARD, Level.WARD_GROUP]).any():
        table.text(capital(area_words(info.level_labels, Level.BOROUGH)[0]), rows["area_code"].map(inside), 24)
    if len(labels) > 1:
        table.text(table.noted("categories", say("workbook.column.category")), rows["category"].map(labels), 24)
    table.text(say("workbook.column.period"), rows["period"].map(periods).fillna(rows["period"]), 24)
    table.text(say("workbook.column.first_day"), rows["period_start"], 12)
    table.text(say("workbook.column.last_day"), rows["period_end"], 12)
    table.count(capital(info.noun), "incidents", exact=info.mechanism == "exact")
    table.numbers(table.noted("rate", say("workbook.column.rate", base=info.every_base)), "rate_per_10000", "rate")
    table.numbers(say("workbook.column.rate_low"), "rate_low", "rate")
    table.numbers(say("workbook.column.rate_high"), "rate_high", "rate")
    table.words(say("workbook.column.reliability"), "reliability", blank=say("workbook.sound"))
    table.words(table.noted("change", say("workbook.column.change")), "change_word")
    table.numbers(say("workbook.column.change_pct"), "change_pct", "rate")
    if "harm" in rows and rows["harm"].notna().any():
        table.numbers(say("workbook.column.harm"), "harm", "rate")
        table.numbers(say("workbook.column.harm_change"), "harm_change_pct", "rate")
    if _with_outcomes(released):
        table.numbers(table.noted("outcome", say("workbook.column.outcome_low")), "outcome_low", "share")
        table.numbers(say("workbook.column.outcome_high"), "outcome_high", "share")
    window = say("workbook.every_period") if over_time else named_period(info.headline.label)
    title = say("workbook.title", title=info.title, what=what, window=window)
    return Sheet(name, title, _before(released), tuple(table.columns), table.rows())


def _hotspots(released: Released) -> Sheet:
    info, rows = released.info, released.hotspots.sort_values(["rank", "hotspot_id"])
    table = _Table(pd.DataFrame(rows.drop(columns="geometry")), _note_numbers(released))
    table.numbers(say("workbook.column.rank"), "rank", "count")
    table.text(say("workbook.column.hotspot"), rows["name"], 48)
    table.text(say("workbook.column.hotspot_id"), rows["hotspot_id"])
    table.count(capital(info.noun), "incidents", exact=info.mechanism == "exact")
    table.numbers(say("workbook.column.area_km2"), "area_km2", "rate")
    title = say(
        "workbook.title", title=info.title, what=say("map.hotspots.title"), window=named_period(info.headline.label)
    )
    return Sheet(say("map.hotspots.title"), title, _before(released), tuple(table.columns), table.rows())


def _circumstances(released: Released) -> Sheet:
    info, rows = released.info, released.circumstances
    labels = {category.id: category.label for category in info.categories}
    table = _Table(rows, _note_numbers(released))
    table.text(say("workbook.column.area"), rows["area_name"], 30)
    table.text(say("workbook.column.code"), rows["area_code"])
    if (rows["category"] != ROOT).any():
        table.text(say("workbook.column.category"), rows["category"].map(labels).fillna(rows["category"]), 24)
    table.words(say("workbook.column.organisation"), "organisation")
    questions = {q: capital(variable_name(q)) for q in rows["question"].unique()}
    table.text(say("workbook.column.question"), rows["question"].map(questions), 28)
    table.text(say("workbook.column.answer"), rows["answer"], 36)
    table.count(capital(info.noun), "incidents", exact=info.mechanism == "exact")
    table.numbers(say("workbook.column.share_low"), "share_low", "share")
    table.numbers(say("workbook.column.share_high"), "share_high", "share")
    name = say("folder.page.circumstances_page")
    title = say("workbook.title", title=info.title, what=name, window=named_period(info.headline.label))
    return Sheet(name, title, _before(released), tuple(table.columns), table.rows())


def _before(released: Released) -> tuple[str, ...]:
    """Return the lines that stand before every table: marking, what its symbols mean, and where the notes are."""
    info = released.info
    lines = (
        info.marking,
        say("common.synthetic") if info.synthetic else "",
        say("workbook.one_table"),
        say("workbook.cover.symbols", not_offered=NOT_OFFERED, not_available=NOT_AVAILABLE),
        say("workbook.see_notes"),
    )
    return tuple(line for line in lines if line)


def _parents(released: Released) -> dict[str, str]:
    names = dict(zip(released.areas["area_code"], released.areas["name"], strict=True))
    pairs = zip(released.areas["area_code"], released.areas["parent_code"], strict=True)
    return {code: names.get(parent, NOT_AVAILABLE) for code, parent in pairs}


def _as_in_csv(value: float) -> float:
    """Return a number with ten significant digits, as the CSV has it."""
    return float(f"{value:.10g}")


class _Table:
    """The columns of a table as they are added, with a symbol for every number that is not there."""

    def __init__(self, frame: pd.DataFrame, notes: Mapping[str, int]) -> None:
        self.columns: list[Column] = []
        self._notes = notes
        self._frame = frame
        self._cells: list[list[Cell]] = []
        # Rows share a few lists of what is not offered.
        codes, lists = pd.factorize(frame["not_offered"].fillna("")) if "not_offered" in frame else (None, ())
        self._codes: NDArray[np.intp] | None = codes
        self._lists = [frozenset(text.split(";")) for text in lists]

    def rows(self) -> tuple[tuple[Cell, ...], ...]:
        """Return the rows."""
        return tuple(zip(*self._cells, strict=True))

    def noted(self, key: str, title: str) -> str:
        """Return a heading that points to the note on it, if there is one."""
        return say("workbook.noted", title=title, number=self._notes[key]) if key in self._notes else title

    def text(self, title: str, values: "pd.Series[Any]", width: int = 16) -> None:
        """Add a column of texts."""
        self.columns.append(Column(title, "text", width))
        self._cells.append([NOT_AVAILABLE if v is None or v == "" else str(v) for v in plain_values(values)])

    def words(self, title: str, name: str, *, blank: str = NOT_AVAILABLE) -> None:
        """Add a column of texts that may be missing or not offered; `blank` is what an empty text means."""
        self._add(title, "text", name, lambda value: str(value) or blank, width=20)

    def numbers(self, title: str, name: str, kind: Kind) -> None:
        """Add a column of numbers; one that is empty throughout is left out."""
        if self._frame[name].notna().any() or self._withheld(name).any():
            self._add(title, kind, name, int if kind == "count" else _as_in_csv)

    def count(self, title: str, name: str, *, exact: bool) -> None:
        """Add a count: a number where it is exact, else its range as text and as two numbers."""
        if exact:
            self._add(title, "count", name, int)
            return
        low, high = self._frame[f"{name}_lower"], self._frame[f"{name}_upper"]
        there = (low.notna() & high.notna()).to_numpy(dtype=bool)
        symbols = self._symbols(name)
        pairs = {pair: count_text(*pair) for pair in set(zip(low[there], high[there], strict=True))}
        ends = zip(low.astype(object), high.astype(object), symbols, strict=True)
        written: list[Cell] = [
            pairs[lower, upper] if given else symbol for given, (lower, upper, symbol) in zip(there, ends, strict=True)
        ]
        self.columns.append(Column(self.noted("range", title), "text", 20))
        self._cells.append(written)
        self._add(say("workbook.column.lowest", count=title), "count", f"{name}_lower", int, base=name)
        self._add(say("workbook.column.highest", count=title), "count", f"{name}_upper", int, base=name)

    def _add(
        self,
        title: str,
        kind: Kind,
        name: str,
        write: Callable[[Any], Cell],
        *,
        base: str | None = None,
        width: int = 14,
    ) -> None:
        values, symbols = plain_values(self._frame[name]), self._symbols(base or name)
        self.columns.append(Column(title, kind, width))
        self._cells.append([s if v is None else write(v) for v, s in zip(values, symbols, strict=True)])

    def _withheld(self, name: str) -> NDArray[np.bool_]:
        """Return the rows that do not offer a figure."""
        if self._codes is None:
            return np.zeros(len(self._frame), dtype=bool)
        return np.array([name in listed for listed in self._lists] or [False], dtype=bool)[self._codes]

    def _symbols(self, name: str) -> list[str]:
        """Return what stands in each row if the figure is not there."""
        return [NOT_OFFERED if held else NOT_AVAILABLE for held in self._withheld(name).tolist()]
