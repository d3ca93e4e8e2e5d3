"""A workbook as `tables.ods`: OpenDocument 1.3, written directly.

The libraries for the format take a minute or more for the tables of one region (measured: 38 CPU seconds for 100,000
cells, which this writes in half a second), and put a clock and a template of their own into the file.
"""

import io
import zipfile
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from pipeline.publish.exports.workbook import Column, Sheet, Workbook

__all__ = ["ods_bytes"]

_TYPE = "application/vnd.oasis.opendocument.spreadsheet"
_SPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in (
        ("office", "office"), ("table", "table"), ("text", "text"), ("style", "style"),
        ("fo", "xsl-fo-compatible"), ("number", "datastyle"), ("meta", "meta"), ("manifest", "manifest"),
    )
)  # fmt: skip
_SPACES += ' xmlns:dc="http://purl.org/dc/elements/1.1/" office:version="1.3"'
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can name
_CM_PER_CHARACTER, _WIDE = 0.2, 100

# How numbers are written, by kind of column: the data style and the style of cells that uses it.
_NUMBERS = {
    "count": '<number:number number:min-integer-digits="1" number:decimal-places="0" number:grouping="true"/>',
    "rate": '<number:number number:min-integer-digits="1" number:decimal-places="1" number:grouping="true"/>',
    "share": '<number:number number:min-integer-digits="1" number:decimal-places="1"/><number:text>%</number:text>',
}
_PAGE = (
    '<office:automatic-styles><style:page-layout style:name="a4"><style:page-layout-properties fo:page-width="29.7cm" '
    'fo:page-height="21cm" style:print-orientation="landscape" style:scale-to-X="1" style:scale-to-Y="0"/>'
    "</style:page-layout></office:automatic-styles><office:master-styles>"
    '<style:master-page style:name="Default" style:page-layout-name="a4"/></office:master-styles>'
)
_CELL = 'style:family="table-cell"'
_STYLES = (
    '<style:style style:name="sheet" style:family="table" style:master-page-name="Default"/>'
    f'<style:style style:name="title" {_CELL}><style:text-properties fo:font-size="15pt" fo:font-weight="bold"/>'
    "</style:style>"
    f'<style:style style:name="head" {_CELL}><style:table-cell-properties fo:wrap-option="wrap" '
    'style:vertical-align="top" fo:border-bottom="0.75pt solid #000000"/>'
    '<style:text-properties fo:font-weight="bold"/></style:style>'
    f'<style:style style:name="wrap" {_CELL}><style:table-cell-properties fo:wrap-option="wrap" '
    'style:vertical-align="top"/></style:style>'
    f'<style:style style:name="symbol" {_CELL}><style:paragraph-properties fo:text-align="end"/></style:style>'
)


def ods_bytes(workbook: Workbook) -> bytes:
    """Write a workbook as an OpenDocument spreadsheet; texts are texts, and never formulas or links."""
    parts = {
        "content.xml": _content(workbook),
        "meta.xml": _document(
            "meta",
            f"<office:meta><dc:title>{escape(workbook.title)}</dc:title><dc:language>{escape(workbook.language)}"
            f"</dc:language><dc:creator>{escape(workbook.author)}</dc:creator>"
            f"<dc:date>{workbook.stamp}T12:00:00</dc:date></office:meta>",
        ),
        "styles.xml": _document("styles", _PAGE),
    }
    parts["META-INF/manifest.xml"] = _manifest(parts)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        # The type comes first and uncompressed, so that programs find it at a fixed place.
        archive.writestr(zipfile.ZipInfo("mimetype", _EPOCH), _TYPE, compress_type=zipfile.ZIP_STORED)
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text.encode(), compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _document(kind: str, inside: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><office:document-{kind} {_SPACES}>{inside}</office:document-{kind}>'


def _manifest(parts: dict[str, str]) -> str:
    space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    entries = [("/", _TYPE), *((name, "text/xml") for name in parts)]
    listed = "".join(
        f'<manifest:file-entry manifest:full-path="{name}" manifest:media-type="{kind}"/>' for name, kind in entries
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><manifest:manifest xmlns:manifest="{space}" manifest:version="1.3">'
        f"{listed}</manifest:manifest>"
    )


def _content(workbook: Workbook) -> str:
    styles = [_STYLES]
    for kind, numbers in _NUMBERS.items():
        tag = "percentage-style" if kind == "share" else "number-style"
        styles.append(f'<number:{tag} style:name="n-{kind}">{numbers}</number:{tag}>')
        styles.append(f'<style:style style:name="{kind}" {_CELL} style:data-style-name="n-{kind}"/>')
    widths = {_WIDE, *(column.width for sheet in workbook.sheets for column in sheet.columns)}
    styles += [
        f'<style:style style:name="w{width}" style:family="table-column"><style:table-column-properties '
        f'style:column-width="{width * _CM_PER_CHARACTER:.1f}cm"/></style:style>'
        for width in sorted(widths)
    ]
    tables = "".join(piece for sheet in workbook.sheets for piece in _table(sheet))
    marked = "".join(_range(sheet, f"table_{n}") for n, sheet in enumerate(workbook.sheets) if sheet.columns)
    return _document(
        "content",
        f"<office:automatic-styles>{''.join(styles)}</office:automatic-styles><office:body><office:spreadsheet>"
        f"{tables}<table:database-ranges>{marked}</table:database-ranges></office:spreadsheet></office:body>",
    )


def _table(sheet: Sheet) -> Iterator[str]:
    """Give the pieces of one sheet."""
    yield f'<table:table table:name={quoteattr(sheet.name)} table:style-name="sheet">'
    widths = [column.width for column in sheet.columns] or [_WIDE]
    yield from (f'<table:table-column table:style-name="w{width}"/>' for width in widths)
    yield _row([_text(sheet.title, "title")])
    yield from (_row([_text(line, "" if sheet.columns else "wrap")]) for line in sheet.lines)
    if sheet.columns:
        # Header rows are marked as such: screen readers and printed pages repeat them.
        headings = _row([_text(column.title, "head") for column in sheet.columns])
        yield f"<table:table-header-rows>{headings}</table:table-header-rows>"
        for values in sheet.rows:
            yield _row([_cell(value, column) for value, column in zip(values, sheet.columns, strict=True)])
    yield "</table:table>"


def _row(cells: list[str]) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def _text(text: str, style: str) -> str:
    styled = f' table:style-name="{style}"' if style else ""
    return f'<table:table-cell{styled} office:value-type="string"><text:p>{escape(text)}</text:p></table:table-cell>'


def _cell(value: str | float, column: Column) -> str:
    if isinstance(value, str):
        return _text(value, "symbol" if column.is_symbol(value) else "wrap")
    kind = "percentage" if column.kind == "share" else "float"
    return (
        f'<table:table-cell table:style-name="{column.kind}" office:value-type="{kind}" office:value="{value!r}">'
        "</table:table-cell>"
    )


def _range(sheet: Sheet, name: str) -> str:
    """Mark the table of a sheet, with its header, so that programs can sort and filter it."""
    top = len(sheet.lines) + 2
    quoted = "'" + sheet.name.replace("'", "''") + "'"
    corner = _letters(len(sheet.columns))
    address = f"{quoted}.A{top}:{quoted}.{corner}{top + len(sheet.rows)}"
    return (
        f'<table:database-range table:name="{name}" table:target-range-address={quoteattr(address)} '
        'table:contains-header="true" table:display-filter-buttons="true"/>'
    )


def _letters(number: int) -> str:
    """Name a column by its number.

    >>> _letters(1), _letters(26), _letters(27)
    ('A', 'Z', 'AA')
    """
    name = ""
    while number:
        number, letter = divmod(number - 1, 26)
        name = chr(ord("A") + letter) + name
    return name
