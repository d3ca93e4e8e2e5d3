"""JSON records: a list of objects, as the API of police.uk and many others answer, or one object a line (NDJSON).

The list may stand under one key of an object, `{"data": [...]}`, beside facts about it; the key is reported.
An object is a row. The keys of an object within it are columns named by their path, `location.latitude`; a list is kept
as its JSON text. Numbers are kept as they are written. The file is read twice as a stream: for the columns, and for the
rows.
"""

import json
import re
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
_LEAST_LINE = 1 << 16
"""Characters in which the list of an object must begin, as for the recognition of its format."""
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
    writer = StageWriter(how, len(keys))
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
    facts = {"encoding": how.encoding}
    if key := _key_of_list(plain, name=path.name, limits=how.limits):
        facts["list"] = key
    return Opened(path.name, clean_names(keys), writer.close(), staged=True, facts=facts)


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
            kind = _kind(file, name=name, limits=limits)
            file.seek(0)
            text = _Text(file, name=name, limits=limits)
            if kind == _LIST:
                for value in _listed(text):
                    yield _flat(value), None
            elif kind == _KEYED:
                for _, value in _keyed(text):
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


def _key_of_list(plain: Path, *, name: str, limits: Run) -> str:
    """Return the key of the object under which the list stands; empty if the list is the file, or there is none."""
    with plain.open(encoding="utf-8-sig", newline="") as file:
        if _kind(file, name=name, limits=limits) != _KEYED:
            return ""
        file.seek(0)
        return next((key for key, _ in _keyed(_Text(file, name=name, limits=limits))), "")


_LIST, _KEYED, _NDJSON = "list", "keyed", "lines"


def _kind(file: TextIO, *, name: str, limits: Run) -> str:
    """Tell a list, an object with the list under a key, and one object a line apart."""
    text = _Text(file, name=name, limits=limits)
    start = text.peek()
    if start != "{":
        return _LIST if start == "[" else _NDJSON
    file.seek(0)
    first, following = "", ""
    while not first.strip():
        first = file.readline(limits.max_row_kb * 1000 + 1)
    try:
        value = _DECODER.decode(first)
    except json.JSONDecodeError:
        # An object over several lines, or a line longer than a row: is its list under a key?
        head = first if len(first) > _LEAST_LINE else first + file.read(_LEAST_LINE)
        return _KEYED if re.search(r'"\s*:\s*\[\s*\{', head) else _NDJSON
    while not following.strip() and (following := file.readline(_CHUNK)):
        pass
    lists = [key for key, inner in value.items() if _is_list_of_objects(inner)]
    return _KEYED if not following.strip() and lists else _NDJSON


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


class _Text:
    """A text read in blocks: no more than one value and a block is in memory."""

    def __init__(self, file: TextIO, *, name: str, limits: Run) -> None:
        self.name, self._file = name, file
        self._kb = limits.max_row_kb
        self._text, self._at, self._ended = "", 0, False

    def peek(self, skip: str = "") -> str:
        """Return the next character that is neither blank nor to be skipped, without taking it; empty at the end."""
        while True:
            while self._at < len(self._text) and (self._text[self._at].isspace() or self._text[self._at] in skip):
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def opens_objects(self) -> bool:
        """Whether the list that begins here has an object as its first item."""
        while not (inside := self._text[self._at + 1 :].lstrip()) and self._more():
            pass
        return inside.startswith("{")

    def take(self) -> None:
        """Take the character that `peek` has returned."""
        self._at += 1

    def value(self, what: str) -> Any:
        """Return the next value, `what` in errors.

        Raises
        ------
        InputError
            If it is damaged, cut off, or longer than `run.max_row_kb`.
        """
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - self._at <= self._kb * 1000 + _CHUNK and self._more():
                    continue
                raise InputError(
                    f"{self.name} cannot be read as JSON: {what} is damaged, cut off, or longer than run.max_row_kb "
                    f"({self._kb} kB) ({error.msg}). Fetch or export it again"
                ) from None
            # A number at the end of a block may go on in the next.
            if end == len(self._text) and not self._ended:
                self._more()
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        more = "" if self._ended else self._file.read(_CHUNK)
        self._text, self._at, self._ended = self._text[self._at :] + more, 0, not more
        return bool(more)


def _listed(text: _Text) -> Iterator[dict[str, Any]]:
    """Yield the objects of the list that begins here."""
    text.peek()
    text.take()
    number = 0
    while (after := text.peek(",")) != "]":
        if not after:
            raise InputError(f"{text.name} is cut off after {number:,} objects of its list: fetch or export it again")
        value = text.value(f"object {number + 1:,} of its list")
        if not isinstance(value, dict):
            raise InputError(f"{text.name}: item {number + 1:,} of its list is not an object: export it as CSV")
        number += 1
        yield value
    text.take()


def _keyed(text: _Text) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of the only list of objects among the values of an object, each with the list's key.

    Raises
    ------
    InputError
        If several keys have a list of objects, or the object is damaged or cut off.
    """
    text.peek()
    text.take()
    found = ""
    while (after := text.peek(",")) != "}":
        if not after:
            raise InputError(f"{text.name} is cut off after its key {found!r}: fetch or export it again")
        key = text.value("a key of its object")
        if text.peek() == ":":
            text.take()
        if text.peek() == "[" and text.opens_objects():
            if found:
                raise InputError(
                    f"{text.name} has several lists of objects, under {found!r} and {key!r}: save the one that holds "
                    "the rows as a file of its own"
                )
            found = str(key)
            for value in _listed(text):
                yield found, value
        else:
            text.value(f"the value of {key!r}")
    text.take()
    if text.peek():
        raise InputError(
            f"{text.name} has something after its object: a file of records is a list of objects, an object with the "
            "list under one key, or one object a line"
        )


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
