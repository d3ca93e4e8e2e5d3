"""Delimited text: the header and separator recognised, the rows read by DuckDB.

DuckDB reads strictly and fast, and refuses a file with a single bad line. Such a file is read again line by line, so
that each bad row is named and every other is kept.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import InputError
from pipeline.readers.opened import Opened, StageWriter, clean_names
from pipeline.readers.sql import literal

__all__ = ["open_text"]

SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
STAGE_ROWS = 50_000


def open_text(path: Path, *, name: str, encoding: str, delimiter: str | None, folder: Path, careful: bool) -> Opened:
    """Open a plain UTF-8 text file (see `plain_text`).

    Parameters
    ----------
    path
        The text.
    name
        Name of the file it came from, for messages.
    encoding
        Encoding the configuration states, for messages.
    delimiter
        Separator; recognised from the header if None.
    folder
        Where a file with bad rows is staged.
    careful
        Read it line by line: slower, and the way to do it once DuckDB has refused the file.

    Raises
    ------
    InputError
        If it has no header, is not text in the encoding, or a quote is never closed.
    """
    try:
        header, separator, lines = _header(path, name=name, delimiter=delimiter)
        columns = clean_names(header)
        types = ", ".join(f"{literal(f'c{i}')}: 'VARCHAR'" for i in range(len(columns)))
        scan = (
            f"read_csv({literal(str(path))}, auto_detect=false, header=false, skip={lines}, "
            f"delim={literal(separator)}, quote='\"', escape='\"', strict_mode=true, "
            f"nullstr={literal(chr(1))}, columns={{{types}}})"
        )
        facts = {"encoding": encoding, "delimiter": _SEPARATOR_WORDS.get(separator, separator)}
        if careful:
            staged = _stage(path, name=name, separator=separator, lines=lines, columns=len(columns), folder=folder)
            return Opened(name, columns, staged, staged=True, facts=facts | {"reading": "row by row (malformed rows)"})
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not {encoding} text (byte 0x{error.object[error.start]:02x}): set `encoding` for this source, "
            "for example latin-1 or cp1252"
        ) from None
    return Opened(name, columns, scan, facts=facts)


def _header(path: Path, *, name: str, delimiter: str | None) -> tuple[list[str], str, int]:
    """Read the first row: its cells, the separator, and how many lines it takes up."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next((line for line in file if line.strip()), "")
    if not first:
        raise InputError(f"{name} has no header row: the file is blank. Check the export")
    separator = delimiter or max(SEPARATORS, key=lambda s: (len(next(csv.reader([first], delimiter=s))), s == ","))
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        cells = next(row for row in reader if any(cell.strip() for cell in row))
        return cells, separator, reader.line_num


def _stage(path: Path, *, name: str, separator: str, lines: int, columns: int, folder: Path) -> str:
    """Read the rows one by one into a staged table, with a fault where one is malformed."""
    writer = StageWriter(folder / "rows.parquet", columns)
    rows: list[list[str]] = []
    faults: list[str | None] = []

    def flush() -> None:
        if rows:
            writer.write([[row[i] for row in rows] for i in range(columns)], fault=faults)
            rows.clear()
            faults.clear()

    for cells, fault in _careful(path, name=name, separator=separator, lines=lines, columns=columns):
        rows.append(cells)
        faults.append(fault)
        if len(rows) == STAGE_ROWS:
            flush()
    flush()
    return writer.close()


def _careful(
    path: Path, *, name: str, separator: str, lines: int, columns: int
) -> Iterator[tuple[list[str], str | None]]:
    blank = [""] * columns
    with path.open(encoding="utf-8-sig", newline="") as file:
        for _ in range(lines):
            next(file)
        reader = csv.reader(file, delimiter=separator, strict=True, skipinitialspace=True)
        while True:
            start = lines + reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    raise InputError(
                        f"{name}: a quotation mark opened in line {start} is never closed, so nothing after it can be "
                        "read. Repair that line"
                    ) from None
                yield blank, json.dumps({"line": start, "fault": str(error)})
                continue
            if not row:
                continue
            if len(row) > columns and not any(cell.strip() for cell in row[columns:]):
                row = row[:columns]
            if len(row) == columns:
                yield row, None
            else:
                yield blank, json.dumps({"line": start, "cells": len(row), "columns": columns})
