"""CSV that a spreadsheet can open without running anything, and its description for programs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import InputError
from pipeline.publish.exports.description import Description
from pipeline.statistics.change import ChangeWord
from pipeline.statistics.rates import FunnelClass, Reliability
from pipeline.tables import STATES_NOTE, Column, Table

__all__ = ["csv_text", "csvw"]


# Full-width signs count too: spreadsheets of East Asian locales read them as formulas.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_SPECIAL = ('"', ",", "\r", "\n")


def csv_text(frame: pd.DataFrame) -> str:
    r"""Write a frame as CSV text with CRLF line ends (RFC 4180); empty means null.

    Texts that a spreadsheet would read as a formula get an apostrophe in front; numbers are left alone, with up to ten
    significant digits. Each distinct value of a column is written once and then looked up.

    Raises
    ------
    InputError
        If a number is infinite.

    Examples
    --------
    >>> csv_text(pd.DataFrame({"name": ["=1+1", 'a "b", c'], "rate": [0.1, None], "whole": [True, False]}))
    'name,rate,whole\r\n\'=1+1,0.1,true\r\n"a ""b"", c",,false\r\n'
    """
    columns = [_cells(frame[name]) for name in frame.columns]
    head = ",".join(_quoted(_disarmed(str(name))) for name in frame.columns)
    lines = [head, *map(",".join, zip(*columns, strict=True))]
    return "\r\n".join(lines) + "\r\n"


def _cells(series: pd.Series) -> list[str]:
    """Return the text of each cell."""
    codes, distinct = pd.factorize(series)
    write = _writer(series)
    texts = np.array([*(write(value) for value in distinct.tolist()), ""], dtype=object)
    cells: list[str] = texts[codes].tolist()  # a null has code -1: the last text, which is empty
    return cells


def _writer(series: pd.Series) -> Callable[[Any], str]:
    types = pd.api.types
    if types.is_bool_dtype(series):
        return lambda value: "true" if value else "false"
    if types.is_integer_dtype(series):
        return str
    if types.is_float_dtype(series):
        return lambda value: _decimal(value, str(series.name))
    return lambda value: _quoted(_disarmed(str(value)))


def _decimal(value: float, name: str) -> str:
    if not np.isfinite(value):
        raise InputError(f"column {name} holds {value}, which is not a number a table can carry: write it as null")
    return f"{value + 0.0:.10g}"  # adding zero turns -0 into 0


def _disarmed(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def _quoted(text: str) -> str:
    """Quote a text that needs it."""
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in _SPECIAL) else text


# The description of a table for programs: CSV on the Web (W3C, 2015). A reader finds it by its name alone, the name of
# the file with `-metadata.json` appended, so it must lie beside the file.


_CHOICES = {
    "change_word": "|".join(ChangeWord),
    "change_vs_region": "|".join(ChangeWord),
    "harm_change_word": "|".join(ChangeWord),
    "reliability": "|".join(word for word in Reliability if word),
    "funnel_class": "|".join(FunnelClass),
    "moran_class": "HH|LL|HL|LH|ns",
}
_COUNTS = ("incidents", "incidents_unplaced", "positive_outcomes", "known_outcomes", "stated")
_RANGES: dict[str, tuple[int | None, int | None]] = {
    **{f"{count}{end}": (0, None) for count in _COUNTS for end in ("", "_lower", "_upper")},
    "hotspot_class": (-3, 3),
}


def csvw(table: Table, description: Description, *, url: str, title: str, levels: Sequence[str] = ()) -> dict[str, Any]:
    """Return the description of one table, beside which it stands as `<file>-metadata.json`.

    Parameters
    ----------
    table
        Contract of the file.
    description
        What every format repeats about the release.
    url
        Name of the file, relative to the description.
    title
        What the file holds.
    levels
        What may stand in its column `level`, the smallest areas first.
    """
    choices = _CHOICES | {"level": "|".join(levels)}
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": description.language.split("-")[0]}],
        "url": url,
        "dc:title": f"{description.title}: {title}",
        "dc:description": f"{table.text} {description.abstract}",
        "dc:provenance": description.lineage,
        "dc:license": description.licence,
        "dc:publisher": description.publisher,
        "dc:subject": list(description.keywords),
        "dc:spatial": description.place,
        "dc:temporal": f"{description.begin}/{description.end}",
        "rdfs:comment": (
            f"{STATES_NOTE} `not_offered` lists column names joined by semicolons. A text that a spreadsheet would run "
            "as a formula has an apostrophe in front."
        ),
        "dialect": {
            "encoding": "utf-8",
            "delimiter": ",",
            "quoteChar": '"',
            "doubleQuote": True,
            "header": True,
            "lineTerminators": ["\r\n"],
        },
        "tableSchema": {
            "columns": [_column(column, choices) for column in table.columns],
            "primaryKey": list(table.key),
        },
    } | ({"dc:contactPoint": description.contact} if description.contact else {})


def _column(column: Column, choices: Mapping[str, str]) -> dict[str, Any]:
    out: dict[str, Any] = {"name": column.name, "titles": column.name, "dc:description": column.text}
    if column.name in ("not_offered", "withheld"):
        return out | {"separator": ";", "datatype": "string", "null": ""}
    low, high = _RANGES.get(column.name, (None, None))
    if column.kind == "string":
        allowed = choices.get(column.name)
        out["datatype"] = {"base": "string", "format": allowed} if allowed else "string"
    elif column.kind == "bool":
        out["datatype"] = {"base": "boolean", "format": "true|false"}
    elif column.kind == "int":
        limits = {"minimum": low, "maximum": high}
        out["datatype"] = {"base": "integer", **{k: v for k, v in limits.items() if v is not None}}
    else:
        out["datatype"] = {"float": "double", "date": "date"}[column.kind]
    return out | {"required": not column.null, "null": ""}
