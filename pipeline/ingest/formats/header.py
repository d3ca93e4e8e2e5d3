"""Where a table starts and ends: lines above its header and below its data, or no header at all.

Reports put a title above the table and a total or a source below it. `find_start` and `find_end` work on rows of text,
so that every format that has rows (delimited text, sheets) uses the same rules. A file whose first row has the columns
that are looked for is never examined further.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.config.section import HeaderRow
from pipeline.errors import InputError

__all__ = [
    "FIRST_ROW",
    "LOOKED_AT",
    "Layout",
    "LeftOut",
    "Row",
    "Start",
    "find_end",
    "find_start",
    "left_out",
    "left_out_caution",
]

LOOKED_AT = 60  # rows from each end: titles, filters and notes of a report need fewer
_FEWEST_ROLES = 3  # a row below the first is taken as the header if it names a date and at least two other facts
_TEXT = 120  # characters of a line that are listed
_NAMED = 6
_LISTED = 3


class Row(NamedTuple):
    """A row as it stands in the file: its line or row number, from 1, and its cells as text."""

    number: int
    cells: tuple[str, ...]

    @property
    def filled(self) -> tuple[str, ...]:
        """The cells that are not blank, trimmed."""
        return tuple(cell.strip() for cell in self.cells if cell.strip())


class LeftOut(NamedTuple):
    """A row that is not part of the table: its number, its text, and whether it is `above` or `below`."""

    number: int
    text: str
    where: str


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of a table before it is opened.

    Attributes
    ----------
    header_row
        `auto`, `none`, or the number of the row with the column names.
    wanted
        Names of columns in the configuration: the header has all of them.
    keys
        Those of them that every row of data fills, such as the date or the area code.
    roles
        Where no setting names a column: how many facts the names in a row are recognised as, 0 if no date is among
        them.
    """

    header_row: HeaderRow = "auto"
    wanted: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    roles: Callable[[Sequence[str]], int] | None = field(default=None, compare=False)

    @property
    def looked_at(self) -> int:
        """How many rows `find_start` needs, from the first."""
        return max(LOOKED_AT, self.header_row) if isinstance(self.header_row, int) else LOOKED_AT

    def accepts(self, cells: Sequence[str], *, fewest: int = 1) -> bool:
        """Whether cells are the header: they have every name in the configuration, or usual names."""
        if self.wanted:
            return {_key(name) for name in self.wanted} <= {_key(cell) for cell in cells}
        return self.roles is None or self.roles(cells) >= fewest


FIRST_ROW = Layout()
"""A table whose first row is its header."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a table starts.

    Attributes
    ----------
    names
        Cells of the header as they are; blank if there is none.
    header
        Number of the row with the names; None if there is none.
    above
        Rows with text above the header.
    """

    names: tuple[str, ...]
    header: int | None
    above: tuple[LeftOut, ...] = ()


def find_start(head: Sequence[Row], layout: Layout, *, name: str, unit: str = "line") -> Start:
    """Find the header of a table.

    Parameters
    ----------
    head
        Its first `layout.looked_at` rows, or all; blank ones may be missing.
    layout
        What is known of it.
    name
        Name of the file (and sheet), for messages.
    unit
        What a row is called in messages: `line` of a text file, `row` of a sheet.

    Returns
    -------
    start
        With `header_row: auto` the first row that is not blank, unless only a later one has the names that are looked
        for. With `none`, one blank name for each cell of the first row.

    Raises
    ------
    InputError
        If there is no such row, several rows could be the header, or the names are spread over two rows.

    Examples
    --------
    >>> head = [Row(1, ("Crime report", "")), Row(3, ("Code", "People")), Row(4, ("E05009001", "5000"))]
    >>> start = find_start(head, Layout(wanted=("code", "people")), name="people.csv")
    >>> start.header, start.above
    (3, (LeftOut(number=1, text='Crime report', where='above'),))
    """
    rows = [row for row in head if row.filled]
    if layout.header_row == "none":
        return Start(("",) * len(rows[0].cells) if rows else (), None)
    if isinstance(layout.header_row, int):
        chosen = next((row for row in rows if row.number == layout.header_row), None)
        if chosen is None:
            raise InputError(
                f"{name}: header_row is {layout.header_row}, but no row with text begins in this {unit}: set it to the "
                f"{unit} with the names of the columns"
            )
        return _start(chosen, rows)
    if not rows or layout.accepts(rows[0].cells):
        return Start(rows[0].cells, rows[0].number) if rows else Start((), None)
    later = [row for row in rows[1:] if layout.accepts(row.cells, fewest=_FEWEST_ROLES)]
    different = {tuple(map(_key, row.cells)): row for row in reversed(later)}
    if len(different) > 1:
        listed = "; ".join(f"{unit} {row.number} ({_names(row)})" for row in list(different.values())[::-1][:_LISTED])
        raise InputError(
            f"{name}: the names of the columns may be in any of {len(different)} {unit}s: {listed}. Set header_row of "
            f"this input to the number of the {unit} that is the header"
        )
    if not later:
        _require_one_row(rows, layout, name=name, unit=unit)
        return Start(rows[0].cells, rows[0].number)
    _require_unrepeated(later[0], rows, layout, name=name, unit=unit)
    return _start(later[0], rows)


def _start(chosen: Row, rows: Sequence[Row]) -> Start:
    above = (left_out(row, "above") for row in rows if row.number < chosen.number)
    return Start(chosen.cells, chosen.number, tuple(above))


def left_out(row: Row, where: str) -> LeftOut:
    """Return a row that is not part of the table, as it is listed."""
    text = " ".join(", ".join(row.filled).split())
    return LeftOut(row.number, text if len(text) <= _TEXT else f"{text[:_TEXT]}...", where)


def _require_one_row(rows: Sequence[Row], layout: Layout, *, name: str, unit: str) -> None:
    """Refuse a header in two rows: which names a reader expects of it cannot be known."""
    wanted = {_key(n) for n in layout.wanted}
    if not wanted:
        return
    for upper, lower in itertools.pairwise(rows):
        one, two = ({_key(c) for c in row.cells} for row in (upper, lower))
        # The name above a group of columns stands in the first of them only.
        across = _filled_across(upper.cells)
        joined = {_key(f"{a} {b}") for a, b in zip(across, lower.cells, strict=False)}
        if wanted <= one | two | joined and not wanted <= one and not wanted <= two:
            raise InputError(
                f"{name} has its column names in two rows, {unit}s {upper.number} ({_names(upper)}) and {lower.number} "
                f"({_names(lower)}): put each column's whole name in one row; or set header_row to the {unit} whose "
                "names tell the columns apart, and use these names in the configuration"
            )


def _require_unrepeated(row: Row, rows: Sequence[Row], layout: Layout, *, name: str, unit: str) -> None:
    """Refuse a header in which a wanted name stands twice: the row above it tells the columns apart."""
    keys = [_key(cell) for cell in row.cells]
    twice = [wanted for wanted in layout.wanted if keys.count(_key(wanted)) > 1]
    if twice:
        above = max((r for r in rows if r.number < row.number), key=lambda r: r.number)
        raise InputError(
            f"{name} has several columns named {twice[0]!r} in {unit} {row.number}, which the {unit} above it "
            f"({above.number}: {_names(above)}) probably tells apart: give each column its own name in one row, or set "
            f"header_row: {row.number} to use the first of them (the others are called {twice[0] + ' (2)'!r} and so on)"
        )


def _filled_across(cells: Sequence[str]) -> list[str]:
    out, last = [], ""
    for cell in cells:
        last = cell.strip() or last
        out.append(last)
    return out


def _names(row: Row) -> str:
    return ", ".join(row.filled[:_NAMED]) + (", ..." if len(row.filled) > _NAMED else "")


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


# The end: totals, sources and notes below the data.

_TOTAL = re.compile(r"(grand |overall |sub-?)?totals?( (of|for) .*)?:?|sum:?", re.IGNORECASE)
_NOTE = re.compile(
    r"(sources?|(foot)?notes?|figures|data|disclaimer|copyright|warning|caveats?|key|contact)( \d+)?\s*[:.\-\u2013].*"
    r"|(foot)?notes?( \d+)?|sources?|(\u00a9|\(c\) |crown copyright|contains |end of |printed |(report )?generated |"
    r"extracted |produced |report run|page \d).*|\[?note \d.*|[\d,]+ (rows?|records?)( .*)?|(rows|records): *[\d,]+",
    re.IGNORECASE | re.DOTALL,
)
_WORDS = 3  # a lone cell of at least so many words is a sentence, not a value


def find_end(tail: Sequence[Row], layout: Layout, *, names: Sequence[str]) -> int:
    """Count the rows at the end of a table that are not data: totals, sources, notes, and blank rows among them.

    A row counts as such if its first filled cell is a word such as "Total" or begins as "Source:" and "Note 1" do, and
    a column that every row of data fills (`layout.keys`) is blank in it or holds that word, or most columns are blank
    that all others fill; below such a row or a blank one, also if a sentence is all that it holds. Anything else is
    data, and is refused there if it cannot be read.

    Parameters
    ----------
    tail
        The last rows, at most `LOOKED_AT`.
    layout
        What is known of the table.
    names
        Its columns.

    Returns
    -------
    rows
        How many of the last rows are not data; 0 if all the rows could be notes, so that their start is not known.

    Examples
    --------
    >>> rows = [("E05009004", "Damson", "8000"), ("", "", ""), ("Total", "", "26000"), ("Source: Nomis",)]
    >>> find_end([Row(n, cells) for n, cells in enumerate(rows, start=5)], Layout(), names=("Code", "Ward", "People"))
    3
    """
    if len(names) < 2:  # a list of texts: no row differs from the others
        return 0
    wanted = {_key(k) for k in layout.keys}
    keys = [at for at, name in enumerate(names) if _key(name) in wanted]
    kinds = [_kind(row) for row in tail]
    start = len(tail)
    while start and kinds[start - 1]:
        start -= 1
    if start == 0 and len(tail) == LOOKED_AT:
        return 0
    usual = [at for at in range(len(names)) if tail[:start] and all(_cell(row, at) for row in tail[:start])]
    # A row of data may begin with "Total", as a category or the name of an area: the notes start below the last such.
    for at in range(start, len(tail)):
        if kinds[at] in {"total", "note"} and not _keyless(tail[at], keys, usual):
            start = at + 1
    # A sentence directly under the data may be a value; below a blank row or a note it is a note.
    while start < len(tail) and kinds[start] == "sentence":
        start += 1
    return 0 if set(kinds[start:]) <= {"blank"} else len(tail) - start


def _kind(row: Row) -> str:
    filled = row.filled
    if not filled:
        return "blank"
    if _TOTAL.fullmatch(filled[0]):
        return "total"
    if _NOTE.fullmatch(filled[0]):
        return "note"
    return "sentence" if len(filled) == 1 and len(filled[0].split()) >= _WORDS else ""


def _cell(row: Row, at: int) -> str:
    return row.cells[at].strip() if at < len(row.cells) else ""


def _keyless(row: Row, keys: Sequence[int], usual: Sequence[int]) -> bool:
    """Whether a row lacks what every row of data has: a key, or most of the cells that all others fill."""
    if len(row.filled) == 1:
        return not keys or any(not _is_value(_cell(row, at)) for at in keys)
    if any(not _is_value(_cell(row, at)) for at in keys or usual):
        return True
    return 2 * sum(not _cell(row, at) for at in usual) > len(usual)


def _is_value(text: str) -> bool:
    return bool(text) and not _TOTAL.fullmatch(text) and not _NOTE.fullmatch(text)


def left_out_caution(file: str, rows: Sequence[LeftOut], *, header: int | None, unit: str = "line") -> str:
    """Return a sentence about the rows that are not part of the table; empty if there are none.

    Examples
    --------
    >>> left_out_caution("a.csv", [LeftOut(1, "Report", "above"), LeftOut(90, "Total, 80", "below")], header=2)
    "a.csv: the header is line 2; 2 lines outside the table are left out: 1 'Report'; 90 'Total, 80'."
    """
    if not rows:
        return ""
    listed = "; ".join(f"{row.number} {row.text!r}" for row in rows[:_NAMED])
    more = f"; and {len(rows) - _NAMED} more (see quality.json)" if len(rows) > _NAMED else ""
    one = len(rows) == 1
    begins = f"the header is {unit} {header}; " if any(row.where == "above" for row in rows) else ""
    return (
        f"{file}: {begins}{len(rows)} {unit}{'' if one else 's'} outside the table {'is' if one else 'are'} left out: "
        f"{listed}{more}."
    )
