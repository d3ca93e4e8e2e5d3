"""Which rows of a file are meant: `incidents[].where` keeps those that match and leaves the others out of the run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import IncidentSource
from pipeline.config.inputs import TRUTHS
from pipeline.errors import InputError
from pipeline.ingest.formats.opened import Opened, find_columns
from pipeline.ingest.incidents.account import PartReport
from pipeline.ingest.incidents.columns import Roles, coded

__all__ = ["Selection", "plan_selection", "require_selected", "where_columns"]

_LISTED = 20


@dataclass(frozen=True, slots=True)
class _Criterion:
    """What one column must hold, or must not hold: texts as `_key` makes them."""

    column: str
    at: int
    texts: frozenset[str]
    excluded: bool
    missing: frozenset[str]


@dataclass(slots=True)
class Selection:
    """The criteria of one file, with what was met: rows left out, and rows by text of each column."""

    criteria: tuple[_Criterion, ...]
    left_out: int = 0
    met: dict[str, Counter[str]] = field(default_factory=dict)

    def keep(self, table: Any) -> NDArray[np.bool_]:
        """Return which rows of a batch match every criterion."""
        kept = np.ones(table.num_rows, dtype=bool)
        for criterion in self.criteria:
            found = coded(table[f"c{criterion.at}"], criterion.missing)
            met = self.met.setdefault(criterion.column, Counter())
            for text, rows in found.counts().items():
                met[_key(text)] += rows
            kept &= found.flags(lambda text, c=criterion: (_key(text) in c.texts) != c.excluded)  # type: ignore[misc]
        return kept

    def report(self) -> dict[str, dict[str, int]]:
        """Return rows by text of each column: those that a setting names, and the most frequent of the others."""
        out = {}
        for criterion in self.criteria:
            met = self.met.get(criterion.column, Counter())
            often = sorted(met, key=lambda t: (-met[t], t))[:_LISTED]
            out[criterion.column] = {t: met[t] for t in sorted({*often, *criterion.texts})}
        return out


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()


def where_columns(source: IncidentSource, *, key: str = "incidents") -> list[tuple[str, str]]:
    """Return configuration key and name of every column that a source selects by."""
    return [(f"{key}.where", name) for name in source.where]


def plan_selection(opened: Opened, *, roles: Roles, source: IncidentSource, key: str) -> Selection:
    """Find the columns that a source selects by.

    Raises
    ------
    InputError
        If one of them is missing.
    """
    places = find_columns(where_columns(source, key=key), opened.columns, file=opened.name)
    criteria = []
    for at, (column, value) in zip(places, source.where.items(), strict=True):
        excluded = isinstance(value, Mapping)
        texts = frozenset(_key(t) for t in (value["not"] if isinstance(value, Mapping) else value))
        # A text that is asked for is never a missing one; a missing one is asked for as an empty text.
        missing = frozenset(m for m in roles.missing if _key(m) not in texts)
        criteria.append(_Criterion(column, at, texts, excluded, missing))
    return Selection(tuple(criteria))


def require_selected(source: IncidentSource, reports: Sequence[PartReport], *, key: str) -> list[str]:
    """Return a caution for every text of `where` that no row holds.

    Raises
    ------
    InputError
        If every row is left out, naming what the columns hold.
    """
    read, left_out = sum(r.rows_read for r in reports), sum(r.left_out for r in reports)
    met: dict[str, Counter[str]] = {}
    for report in reports:
        for column, texts in report.where.items():
            met.setdefault(column, Counter()).update(texts)
    if read and left_out == read:
        held = "; ".join(f"{column!r} holds {_listed(texts)}" for column, texts in met.items())
        raise InputError(
            f"{key}.where leaves out all {read:,} rows of {source.name}: {held}. Set it to texts that the column holds "
            "(any case), or take it out"
        )
    cautions = []
    for column, value in source.where.items():
        named = value["not"] if isinstance(value, Mapping) else value
        held_here = met.get(column, Counter())
        lost = [t for t in named if not held_here[_key(t)]]
        # An unquoted yes stands for every way to write it, of which a file has one.
        if lost and not (named in TRUTHS and len(lost) < len(named)):
            cautions.append(
                f"No row of {source.name} has {' or '.join(map(repr, lost))} in the column {column!r}, which "
                f"{key}.where names. It holds {_listed(held_here)}."
            )
    return cautions


def _listed(texts: Mapping[str, int]) -> str:
    held: Iterable[str] = sorted((t for t in texts if texts[t]), key=lambda t: (-texts[t], t))[:5]
    return ", ".join(f"{t or 'nothing'!r} ({texts[t]:,} rows)" for t in held)
