"""Sketches tell whether two extracts are of the same data: small samples of keyed hashes show what they have in common.

A ledger must be found whatever the run, the folder or the file is called. Therefore it contains, for all the data
that its releases were made from, two *bottom-k sketches* (Bar-Yossef et al. 2002; Cohen and Kaplan 2007): the 8,192
smallest hashes of each kind of token. Hashes behave like random numbers, so these are a simple random sample of the
distinct tokens; the same token is sampled in every extract, and the share of one extract that is contained in another
can be estimated from the two samples alone:

* records: incident id, date and place. Ids alone would match unrelated extracts whose ids run from 1 to n.
* cells: date and 100 m cell. If all points shift by a metre, every record changes but hardly any cell.

Published counts have one kind of token: area, month, category, measure and value.

The hashes are keyed with a secret of the ledger's folder: without it nobody can test guessed tokens.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "OVERLAP",
    "SIZE",
    "Sketch",
    "Sketches",
    "containment",
    "sketches_of_counts",
    "sketches_of_incidents",
]

SIZE = 8192
"""Hashes kept. A borough's 2,000 records in 500,000 leave about 33 of them in the sample: enough to see 5 %."""

OVERLAP = 0.05
"""If either extract shares this much with the other, they are the same data. Other types of crime in the same city and
years share under 1 % of their days and 100 m cells by chance."""

_DIGITS = 16  # of a hash, in hexadecimal: 64 bits, so that collisions are very unlikely even with a billion tokens
_LAST = "f" * _DIGITS
_SPARE = 4  # this many times more rows than needed pass the first cut, because rows may repeat

# Texts with a separator that occurs in no number, so that different tokens never have the same text.
_RECORD_TEXT = (
    "concat_ws('|', incident_id, coalesce(occurred_on::VARCHAR, month::VARCHAR), "
    "coalesce(round(easting_m)::BIGINT::VARCHAR, ward_code, borough_code, ''), "
    "coalesce(round(northing_m)::BIGINT::VARCHAR, ''))"
)
# Month and cell are not specific enough: in a city most cells with a burglary also have a theft in the same month.
_CELL_TEXT = "concat_ws('|', occurred_on::VARCHAR, floor(easting_m / 100)::BIGINT, floor(northing_m / 100)::BIGINT)"
_CELL_ROWS = "easting_m IS NOT NULL AND occurred_on IS NOT NULL AND coalesce(date_precision, 'day') = 'day'"
# A count of 0 does not identify the data.
_COUNT_TEXT = "concat_ws('|', area_code, month, category, measure, value)"
_COUNT_ROWS = "value IS NOT NULL AND value > 0"


@dataclass(frozen=True, slots=True)
class Sketch:
    """The smallest hashes of a set.

    Attributes
    ----------
    hashes
        At most `SIZE`, distinct, in ascending order, 16 hexadecimal digits each.
    whole
        Whether these are all hashes of the set.
    """

    hashes: tuple[str, ...] = ()
    whole: bool = True

    @classmethod
    def of(cls, hashes: Iterable[str], *, size: int = SIZE) -> "Sketch":
        """Return the sketch of a set, given all its hashes.

        >>> Sketch.of(["c", "a", "b", "a"], size=2)
        Sketch(hashes=('a', 'b'), whole=False)
        """
        distinct = sorted(set(hashes))
        return cls(tuple(distinct[:size]), whole=len(distinct) <= size)

    @property
    def limit(self) -> str:
        """The hash up to which the sketch contains every hash of the set."""
        return _LAST if self.whole else self.hashes[-1]

    def united(self, other: "Sketch", *, size: int = SIZE) -> "Sketch":
        """Return the sketch of the union of both sets.

        >>> Sketch(("a", "d"), whole=False).united(Sketch(("b",)), size=2)
        Sketch(hashes=('a', 'b'), whole=False)
        """
        limit = min(self.limit, other.limit)
        both = sorted({h for h in (*self.hashes, *other.hashes) if h <= limit})
        return Sketch(tuple(both[:size]), whole=self.whole and other.whole and len(both) <= size)

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"hashes": "".join(self.hashes), "whole": self.whole}

    @classmethod
    def restored(cls, plain: dict[str, Any]) -> "Sketch":
        """Read what `plain` wrote."""
        text = str(plain["hashes"])
        return cls(tuple(text[i : i + _DIGITS] for i in range(0, len(text), _DIGITS)), whole=bool(plain["whole"]))


def containment(part: Sketch, whole: Sketch) -> float:
    """Estimate the share of one set that is contained in another.

    Below the smaller of the two limits both sketches contain every hash of their sets. These hashes are a random sample
    of the first set, and for each it is known whether the second set has it. The standard error is sqrt(c (1 - c) / m)
    with m sampled members.

    Parameters
    ----------
    part
        The set whose share is estimated.
    whole
        The set that may contain it.

    Returns
    -------
    share
        From 0 to 1; 0 if no member of the first set was sampled.

    References
    ----------
    Bar-Yossef, Jayram, Kumar, Sivakumar and Trevisan (2002), Counting distinct elements in a data stream.
    Cohen and Kaplan (2007), Summarizing data using bottom-k sketches.

    Examples
    --------
    Both contain all hashes up to "c"; of a, b and c the second has a and c.

    >>> containment(Sketch(("a", "b", "c"), whole=False), Sketch(("a", "c", "d"), whole=False))
    0.6666666666666666
    """
    limit = min(part.limit, whole.limit)
    sampled = [h for h in part.hashes if h <= limit]
    members = set(whole.hashes)
    return sum(h in members for h in sampled) / len(sampled) if sampled else 0.0


@dataclass(frozen=True, slots=True)
class Sketches:
    """Sketches that identify the data of a run or of a ledger.

    Attributes
    ----------
    records
        Sketch of incident id, date and place; for published counts, of area, month, category, measure and value.
    cells
        Sketch of date and 100 m cell; empty for published counts.
    """

    records: Sketch = field(default_factory=Sketch)
    cells: Sketch = field(default_factory=Sketch)

    def overlap(self, other: "Sketches") -> float:
        """Return the greatest share that either has in common with the other, by records or by cells."""
        pairs = ((self.records, other.records), (self.cells, other.cells))
        return max(max(containment(a, b), containment(b, a)) for a, b in pairs)

    def united(self, other: "Sketches") -> "Sketches":
        """Return the sketches of both together."""
        return Sketches(self.records.united(other.records), self.cells.united(other.cells))

    def plain(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"records": self.records.plain(), "cells": self.cells.plain()}

    @classmethod
    def restored(cls, plain: dict[str, Any]) -> "Sketches":
        """Read what `plain` wrote."""
        return cls(Sketch.restored(plain["records"]), Sketch.restored(plain["cells"]))


def sketches_of_incidents(
    parts: Sequence[Path], *, keys: Sequence[bytes], memory_limit_mb: int, size: int = SIZE
) -> tuple[Sketches, ...]:
    """Sketch the incidents of a run, once for each key; rows are streamed and never all in memory.

    Parameters
    ----------
    parts
        Files of the stage table `INCIDENTS`.
    keys
        Secrets that the hashes are made with.
    memory_limit_mb
        Memory of the database, in MB.
    size
        Hashes kept of each kind.

    Raises
    ------
    InputError
        If a part cannot be read back.
    """
    kinds = ((_RECORD_TEXT, "TRUE"), (_CELL_TEXT, _CELL_ROWS))
    return tuple(
        Sketches(*found) for found in _smallest(parts, kinds, keys=keys, memory_limit_mb=memory_limit_mb, size=size)
    )


def sketches_of_counts(
    path: Path, *, keys: Sequence[bytes], memory_limit_mb: int, size: int = SIZE
) -> tuple[Sketches, ...]:
    """Sketch published counts, once for each key; parameters and errors are those of `sketches_of_incidents`."""
    kinds = ((_COUNT_TEXT, _COUNT_ROWS),)
    return tuple(
        Sketches(*found) for found in _smallest([path], kinds, keys=keys, memory_limit_mb=memory_limit_mb, size=size)
    )


def _smallest(
    parts: Sequence[Path], kinds: Sequence[tuple[str, str]], *, keys: Sequence[bytes], memory_limit_mb: int, size: int
) -> list[list[Sketch]]:
    """Return for each key the sketch of each kind of token."""
    from pipeline.storage.duckdb import connect, guarded, literal, scan_parts

    if not parts:
        return [[Sketch() for _ in kinds] for _ in keys]
    folders = sorted({part.parent for part in parts})
    database = connect(memory_limit_mb=memory_limit_mb, folders=folders, spill=folders[0])
    with guarded("what the data is", damaged="a part that was read cannot be read back"):
        try:
            scan = scan_parts(parts)
            return [
                [_of_tokens(database, scan, literal(key.hex()), token, rows, size=size) for token, rows in kinds]
                for key in keys
            ]
        finally:
            database.close()


def _of_tokens(database: Any, scan: str, key: str, token: str, rows: str, *, size: int) -> Sketch:
    """Return the sketch of one kind of token, from the rows that have one."""
    count = int(database.execute(f"SELECT count(*) FROM {scan} WHERE {rows}").fetchone()[0])
    # Only hashes below a cut are collected, so that memory depends on the size of the sketch and not on the number of
    # rows. If rows repeat so often that too few distinct ones remain, the cut is raised.
    share = min(1.0, _SPARE * size / count) if count else 1.0
    while True:
        cut = _LAST if share >= 1 else f"{int(share * 16**_DIGITS):0{_DIGITS}x}"
        found = database.execute(
            f"SELECT DISTINCT hash FROM (SELECT left(sha256({key} || '|' || {token}), {_DIGITS}) AS hash FROM {scan} "
            f"WHERE {rows}) WHERE hash <= ? ORDER BY hash LIMIT ?",
            [cut, size + 1],
        ).fetchall()
        if len(found) > size or share >= 1:
            hashes = tuple(str(h) for (h,) in found)
            return Sketch(hashes[:size], whole=len(hashes) <= size)
        share *= 8
