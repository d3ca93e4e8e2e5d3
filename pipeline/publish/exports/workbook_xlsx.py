"""A workbook as `tables.xlsx`."""

import gc
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pipeline.publish.exports.workbook import Sheet, Workbook

__all__ = ["xlsx_bytes"]

_FORMATS = {"text": "", "count": "#,##0", "rate": "#,##0.0", "share": "0.0%"}
_WIDE = 100  # characters that a line of the cover is wrapped at
_LINE_HEIGHT = 15.0  # points
# An Excel file holds the time of writing. Ours is that of the data, so that equal input gives equal bytes.
_NOON = 12
_A4 = 9


def xlsx_bytes(workbook: Workbook) -> bytes:
    """Write a workbook in the format of Excel 2007 and later.

    Texts are written as texts: nothing in them can become a formula or a link.
    """
    import xlsxwriter

    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(buffer, options)
    written = datetime.fromisoformat(workbook.stamp).replace(hour=_NOON)
    book.set_properties({"title": workbook.title, "author": workbook.author, "created": written})
    styles = {
        "title": book.add_format({"bold": True, "font_size": 15}),
        "line": book.add_format({"text_wrap": True, "valign": "top"}),
        "head": book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1}),
        "text": book.add_format({"text_wrap": True, "valign": "top"}),
        # Symbols stand in columns of numbers: to the right, as the numbers do.
        "symbol": book.add_format({"align": "right", "valign": "top"}),
        **{
            kind: book.add_format({"num_format": code, "valign": "top"})
            for kind, code in _FORMATS.items()
            if kind != "text"
        },
    }
    with _uncollected():
        for number, sheet in enumerate(workbook.sheets):
            _write(book.add_worksheet(sheet.name), sheet, styles, table=f"table_{number}")
        book.close()
    return buffer.getvalue()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Pause the search for cyclic garbage in a `with` block.

    XlsxWriter keeps every cell as an object until the end, and none of them is garbage: to look through them again and
    again takes a tenth of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _write(page: Any, sheet: Sheet, styles: dict[str, Any], *, table: str) -> None:
    page.hide_gridlines(2)
    page.set_paper(_A4)
    page.set_landscape()
    page.fit_to_pages(1, 0)
    page.write_string(0, 0, sheet.title, styles["title"])
    if not sheet.columns:
        page.set_column(0, 0, _WIDE)
        for row, line in enumerate(sheet.lines, start=1):
            page.write_string(row, 0, line, styles["line"])
            page.set_row(row, _height(line, _WIDE))
        return
    for row, line in enumerate(sheet.lines, start=1):
        page.write_string(row, 0, line)  # no wrap: it runs over the empty cells beside it
    top = 1 + len(sheet.lines)
    bottom, right = top + len(sheet.rows), len(sheet.columns) - 1
    headings = [{"header": column.title, "header_format": styles["head"]} for column in sheet.columns]
    options = {"columns": headings, "name": table, "style": None, "autofilter": len(sheet.rows) > 1}
    page.add_table(top, 0, bottom, right, options)
    # Under the sign for the filter a heading has two characters less.
    page.set_row(top, max(_height(column.title, column.width - 2) for column in sheet.columns))
    page.freeze_panes(top + 1, 1)
    page.repeat_rows(top)
    heights: dict[int, float] = {}
    for place, column in enumerate(sheet.columns):
        page.set_column(place, place, column.width)
        style, width = styles[column.kind], column.width
        for row, values in enumerate(sheet.rows, start=top + 1):
            value = values[place]
            if isinstance(value, str):
                page.write_string(row, place, value, styles["symbol"] if column.is_symbol(value) else style)
                if len(value) > width:  # most texts fit on one line, which is the height of a row as it comes
                    heights[row] = max(heights.get(row, 0), _height(value, width))
            else:
                page.write_number(row, place, value, style)
    for row, height in heights.items():
        if height > _LINE_HEIGHT:
            page.set_row(row, height)


def _height(text: str, width: int) -> float:
    """Return how high a row must be for a text, in points: programs do not work it out for a file they did not write.

    >>> _height("Boroughs", 16), _height("Positive outcomes: lowest share", 14)
    (15.0, 45.0)
    """
    lines, left = 1, width
    for word in text.split(" "):
        if len(word) > left and left < width:
            lines, left = lines + 1, width
        left -= len(word) + 1
    return _LINE_HEIGHT * lines
