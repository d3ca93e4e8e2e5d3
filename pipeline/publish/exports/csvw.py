"""Descriptions of tables in CSV that programs read: CSV on the Web (W3C, 2015)."""

from typing import Any

from pipeline.publish.exports.words import Words
from pipeline.tables import WITHHELD_NOTE, Column, Table

__all__ = ["csvw"]

_CHOICES = {
    "level": "ward|borough|region",
    "change_word": "higher|lower|no clear change|too few|not comparable",
    "change_vs_region": "higher|lower|no clear change|too few|not comparable",
    "reliability": "unreliable|too few to say",
    "moran_class": "HH|LL|HL|LH|ns",
}
_RANGES: dict[str, tuple[int | None, int | None]] = {
    "incidents": (0, None),
    "incidents_unplaced": (0, None),
    "positive_outcomes": (0, None),
    "known_outcomes": (0, None),
    "stated": (0, None),
    "hotspot_class": (-3, 3),
}


def csvw(table: Table, words: Words, *, url: str, title: str) -> dict[str, Any]:
    """Return the description of one table, beside which it stands as `<file>-metadata.json`.

    Parameters
    ----------
    table
        Contract of the file.
    words
        The release in words.
    url
        Name of the file, relative to the description.
    title
        What the file holds.
    """
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": words.language.split("-")[0]}],
        "url": url,
        "dc:title": f"{words.title}: {title}",
        "dc:description": f"{table.text} {words.abstract}",
        "dc:provenance": words.lineage,
        "dc:license": words.licence,
        "dc:publisher": words.publisher,
        "dc:subject": list(words.keywords),
        "dc:spatial": words.place,
        "dc:temporal": f"{words.begin}/{words.end}",
        "rdfs:comment": (
            f"{WITHHELD_NOTE} `withheld` lists column names joined by semicolons. A text that a spreadsheet would run "
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
            "columns": [_column(column) for column in table.columns],
            "primaryKey": list(table.key),
        },
    } | ({"dc:contactPoint": words.contact} if words.contact else {})


def _column(column: Column) -> dict[str, Any]:
    out: dict[str, Any] = {"name": column.name, "titles": column.name, "dc:description": column.text}
    if column.name == "withheld":
        return out | {"separator": ";", "datatype": "string", "null": ""}
    low, high = _RANGES.get(column.name, (None, None))
    if column.kind == "string":
        choices = _CHOICES.get(column.name)
        out["datatype"] = {"base": "string", "format": choices} if choices else "string"
    elif column.kind == "bool":
        out["datatype"] = {"base": "boolean", "format": "true|false"}
    elif column.kind == "int":
        limits = {"minimum": low, "maximum": high}
        out["datatype"] = {"base": "integer", **{k: v for k, v in limits.items() if v is not None}}
    else:
        out["datatype"] = {"float": "double", "date": "date"}[column.kind]
    return out | {"required": not column.null, "null": ""}
