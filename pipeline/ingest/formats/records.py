"""JSON records: a list of objects, as the API of police.uk and many others answer, or one object a line (NDJSON).

An object is a row. The keys of an object within it are columns named by their path, `location.latitude`; a list is kept
as its JSON text. Numbers are kept as they are written. The file is read twice as a stream: for the columns, and for the
rows.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pipeline.config import Run
from pipeline.errors import InputError
from pipeline.ingest.formats.files import (
    Header,
    Opened,
    Opening,
    StageWriter,
    bounded_lines,
    clean_names,
    plain_text,
    require_columns,
)

__all__ = ["open_rows", "read_header"]

STAGE_ROWS = 50_000
STAGE_CHARACTERS = 1 << 24
_CHUNK = 1 << 20
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def open_rows(path: Path, how: Opening) -> Opened:
    """Open a file of JSON objects (see `Reader`).

    Raises
    ------
    InputError
        If it is not such a file, is cut off, or exceeds the limits.
    """
    plain = plain_text(path, encoding=how.encoding, folder=how.folder, limits=how.limits, whole=how.whole)
    keys = _keys(plain, path, how)
    writer = StageWriter(how.folder / "rows.parquet", len(keys))
    rows: list[dict[str, str]] = []
    faults: list[str | None] = []
    held = 0

    def flush() -> None:
        if rows:
            writer.write([[row.get(key, "") for row in rows] for key in keys], fault=faults)
            rows.clear()
            faults.clear()

    for row, fault in _rows(plain, name=path.name, encoding=how.encoding, limits=how.limits):
        rows.append(row)
        faults.append(fault)
        held += sum(map(len, row.values()))
        if len(rows) == STAGE_ROWS or held > STAGE_CHARACTERS:
            flush()
            held = 0
    flush()
    return Opened(path.name, clean_names(keys), writer.close(), staged=True, facts={"encoding": how.encoding})


def read_header(path: Path, how: Opening) -> Header:
    """Return the columns that `open_rows` finds; all objects are read, as any of them may have another key.

    Raises
    ------
    InputError
        As `open_rows`.
    """
    plain = plain_text(path, encoding=how.encoding, folder=how.folder, limits=how.limits, whole=how.whole)
    return Header(clean_names(_keys(plain, path, how)))


def _keys(plain: Path, path: Path, how: Opening) -> list[str]:
    """Return the paths of all keys, in the order in which they first appear."""
    found: dict[str, None] = {}
    for row, _ in _rows(plain, name=path.name, encoding=how.encoding, limits=how.limits):
        found.update(dict.fromkeys(row))
        require_columns(len(found), name=path.name, limits=how.limits)
    if not found:
        raise InputError(f"{path.name} has no rows: its list of objects is empty. Check the request or the export")
    return list(found)


def _rows(plain: Path, *, name: str, encoding: str, limits: Run) -> Iterator[tuple[dict[str, str], str | None]]:
    """Yield each object as texts by the path of their keys; a line that is not an object as a fault."""
    try:
        with plain.open(encoding="utf-8-sig", newline="") as file:
            start = file.read(1)
            while start.isspace():
                start = file.read(1)
            file.seek(0)
            if start == "[":
                for value in _listed(file, name=name, limits=limits):
                    yield _flat(value), None
            else:
                yield from _lines(file, name=name, limits=limits)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not {encoding} text (byte 0x{error.object[error.start]:02x}): set `encoding` for this source, "
            "for example latin-1 or cp1252"
        ) from None
    except RecursionError:
        raise InputError(f"{name} has objects nested too deeply to be rows: export it as CSV or NDJSON") from None


def _listed(file: TextIO, *, name: str, limits: Run) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list without holding more than one of them and a block of text."""
    most = limits.max_row_kb * 1000
    text, at, number, ended = "", 0, 0, False
    while True:
        # Between objects stand blanks and commas; the first of them is the bracket that opens the list.
        while at < len(text) and (text[at].isspace() or text[at] == "," or (text[at] == "[" and number == 0)):
            at += 1
        if at < len(text) and text[at] == "]":
            return
        try:
            value, end = _DECODER.raw_decode(text, at) if at < len(text) else (None, -1)
        except json.JSONDecodeError as error:
            if len(text) - at > most + _CHUNK or ended:
                raise InputError(
                    f"{name} cannot be read as JSON: object {number + 1:,} of its list is damaged, cut off, or longer "
                    f"than run.max_row_kb ({limits.max_row_kb} kB) ({error.msg}). Fetch or export it again"
                ) from None
            end = -1
        if end >= 0:
            if not isinstance(value, dict):
                raise InputError(f"{name}: item {number + 1:,} of its list is not an object: export it as CSV")

            number += 1
            at = end
            yield value
            continue
        more = file.read(_CHUNK)
        if not more and at >= len(text):
            raise InputError(f"{name} is cut off after {number:,} objects of its list: fetch or export it again")
        text, at, ended = text[at:] + more, 0, not more


def _lines(file: TextIO, *, name: str, limits: Run) -> Iterator[tuple[dict[str, str], str | None]]:
    good = False
    for number, line in enumerate(bounded_lines(file, name=name, limits=limits), start=1):
        if not line.strip():
            continue
        try:
            value = _DECODER.decode(line)
            fault = None if isinstance(value, dict) else "not an object"
        except json.JSONDecodeError as error:
            value, fault = {}, error.msg
        if fault is not None and not good:
            raise InputError(
                f"{name}, line {number}, is not a JSON object ({fault}): a file of records is a list of objects, or "
                "one object a line"
            )
        good = True
        yield ({}, json.dumps({"line": number, "fault": fault})) if fault else (_flat(value), None)


def _flat(value: dict[str, Any], *, above: str = "") -> dict[str, str]:
    """Return texts by the path of their keys.

    Examples
    --------
    >>> _flat({"id": "7", "location": {"street": {"name": "High Street"}, "longitude": None}, "tags": ["a"]})
    {'id': '7', 'location.street.name': 'High Street', 'location.longitude': '', 'tags': '["a"]'}
    """
    found: dict[str, str] = {}
    for key, inner in value.items():
        path = f"{above}{key}"
        if isinstance(inner, dict) and inner:
            found |= _flat(inner, above=f"{path}.")
        else:
            found[path] = _text(inner)
    return found


def _text(value: Any) -> str:
    if value is None or value == {}:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
