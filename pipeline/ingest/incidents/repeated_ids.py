"""Which of the rows read count: files that others replace, ids that repeat, and dates far from all others.

It happens once all files of a run are read, because each of these is known only from all of them. Only what repeats is
looked at closely; parts that lose nothing are linked, not copied.
"""

import hashlib
import json
import math
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.domain.periods import months_between
from pipeline.domain.progress import Progress, unwatched
from pipeline.errors import ConfigError, InputError, QualityError
from pipeline.ingest.incidents.account import RULES, PartReport, is_street_file
from pipeline.ingest.incidents.editions import Edition, Replaced, issue_ranks, replaced_files
from pipeline.ingest.incidents.read import PartWriter, incidents_schema
from pipeline.storage.duckdb import connect, identifier, literal, scan_parts
from pipeline.tables import QUARANTINE, Column, Table

__all__ = ["LEFT_OUT", "Body", "Fate", "Part", "RepeatedId", "Settled", "SourceRules", "Strays", "main_body", "settle"]


LEFT_OUT = Table(
    "left_out",
    ("source", "source_row"),
    (
        Column("source", "string", "Input file of the row left out."),
        Column("source_row", "int", "Its row."),
        Column("incident_id", "string", "The id that repeats."),
        Column("kept_source", "string", "Input file of the row kept."),
        Column("kept_row", "int", "Its row."),
        Column(
            "fate",
            "string",
            "`duplicate` (equal to a row before it), `merged` (its categories were added to the row kept), `replaced` "
            "(the row kept is of a file issued later) or `conflict` (the row kept is the first).",
        ),
    ),
    "Rows that are no incident of their own because another row has their id.",
)
MOST_CONFLICTS = 0.01  # share of a source's ids that may conflict without an answer
_BATCH_ROWS = 1 << 17
_SAMPLE_ROWS = 200
_LISTED = 3
_STEPS = 5  # of `settle`, for the report of its progress
# 2.4E+11: what a spreadsheet makes of a long number. Several numbers become one text.
_MANGLED = "[0-9]([.,][0-9]+)?[eE][+]?[0-9]+"


_CONFLICT_COLUMNS = (
    "incident_id", "column", "kept_source", "kept_row", "kept_value", "source", "source_row", "value", "fate",
)  # fmt: skip


class RepeatedId(StrEnum):
    """What rows of one id are: `incidents[].repeated_id`."""

    AUTO = "auto"
    CATEGORIES = "categories"
    NEWEST = "newest"
    FIRST = "first"
    ERROR = "error"


class Fate(StrEnum):
    """What became of a row that is no incident of its own."""

    DUPLICATE = "duplicate"
    MERGED = "merged"
    REPLACED = "replaced"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class SourceRules:
    """What the configuration says of one source.

    Attributes
    ----------
    key
        Its place in the configuration, for messages: `incidents[0]`.
    repeated_id, issued, overlap_replaces
        Its settings.
    first_month, last_month
        Months (yyyymm) that the configuration says the data cover: no date between them is a stray.
    """

    key: str = "incidents[0]"
    repeated_id: RepeatedId = RepeatedId.AUTO
    issued: str | None = None
    overlap_replaces: bool = False
    first_month: int | None = None
    last_month: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A file as it was read: its rows, its place among the others, its account."""

    path: Path
    edition: Edition
    report: PartReport

    @property
    def label(self) -> str:
        """What the `source` column says of the file."""
        return self.edition.label

    @property
    def source(self) -> str:
        """Name of its source."""
        return self.label.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Strays:
    """Rows of a source dated before or after the months that its data cover."""

    source: str
    late: bool
    rows: int
    first_date: str
    last_date: str
    body_first: int
    body_last: int


@dataclass(slots=True, eq=False)
class Settled:
    """What became of the rows.

    Attributes
    ----------
    left_out
        Parquet file with one row per row left out for its id (the contract LEFT_OUT), sorted by source and row.
    replaced_files
        Files of which no row counts.
    replaced_months
        Rows replaced by month (yyyymm) and file, where `overlap: replace` says so.
    fates
        Rows by file and fate; those of replaced files and months are not among them.
    refused
        Rows refused for their date (the contract QUARANTINE).
    strays
        Dates outside the months covered, early and late, by source.
    first_date, last_date
        First and last date within the months covered; empty where there is no row.
    conflicts
        A sample of rows that say something else than the row kept, one row per column that differs.
    unsettled
        By source, ids whose rows differ without anything that says which counts.
    equal
        By file, how many of its rows without an id stand in an overlapping file too, and how many there are.
    changes
        By file, a digest of what it lost or gained; files without one stayed as they were read.
    """

    left_out: Path
    replaced_files: list[Replaced] = field(default_factory=list)
    replaced_months: dict[str, dict[int, int]] = field(default_factory=dict)
    fates: dict[str, dict[str, int]] = field(default_factory=dict)
    refused: pd.DataFrame = field(default_factory=QUARANTINE.empty)
    strays: list[Strays] = field(default_factory=list)
    first_date: str = ""
    last_date: str = ""
    conflicts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_CONFLICT_COLUMNS)))
    conflicting: int = 0
    unsettled: dict[str, int] = field(default_factory=dict)
    equal: dict[str, tuple[int, int]] = field(default_factory=dict)
    changes: dict[str, str] = field(default_factory=dict)

    def rows(self, fate: Fate) -> int:
        """Rows left out for their id with one fate."""
        return sum(by_fate.get(fate, 0) for by_fate in self.fates.values())

    def account(self, parts: Sequence[Part]) -> dict[str, dict[str, int]]:
        """Return what each file lost, by file: duplicates, merged, replaced, date_outlier; nothing for the others."""
        refused = Counter(self.refused["source"])
        found: dict[str, dict[str, int]] = {}
        whole = {r.label for r in self.replaced_files}
        for part in parts:
            fates = self.fates.get(part.label, {})
            # Of a file that another stands for no row counts, the refused ones included.
            months = sum(self.replaced_months.get(part.label, {}).values())
            gone = part.report.rows_read if part.label in whole else months
            lost = {
                "duplicates": fates.get(Fate.DUPLICATE, 0) + fates.get(Fate.CONFLICT, 0),
                "merged": fates.get(Fate.MERGED, 0),
                "replaced": fates.get(Fate.REPLACED, 0) + gone,
                "date_outlier": refused.get(part.label, 0),
            }
            if any(lost.values()):
                found[part.label] = lost
        return found


_KEYS = frozenset({"incident_id", "source", "source_row"})
_CONTENT = tuple(c for c in incidents_schema().names if c not in _KEYS)
_BESIDE_CATEGORIES = tuple(c for c in _CONTENT if c != "categories")


def settle(
    parts: Sequence[Part],
    *,
    rules: Mapping[str, SourceRules],
    into: Path,
    left_out: Path,
    memory_limit_mb: int = 1000,
    progress: Progress = unwatched,
) -> Settled:
    """Settle which rows count, and write the parts without the others.

    Parameters
    ----------
    parts
        Parts of INCIDENTS as they were read, in the order of their labels. They stay as they are, so that they can be
        settled again with others.
    rules
        Settings by name of source.
    into
        Folder for the settled parts, under their names.
    left_out
        Parquet file to write: what was left out because another row has its id.
    memory_limit_mb
        Memory of the database, in MB.
    progress
        Called as steps over all parts, and then parts, are done.

    Raises
    ------
    QualityError
        If rows of one id, or files of one month and force, differ and nothing says which counts.
    ConfigError
        If `issued` finds nothing in any path.
    InputError
        If ids were mangled by a spreadsheet, or two parts have one name.
    """
    if len({p.path.name for p in parts}) < len(parts):
        raise InputError("parts to settle must have different file names")
    into.mkdir(parents=True, exist_ok=True)
    settled = Settled(left_out)
    if not parts:
        _write_left_out(left_out, ())
        return settled
    ranks: dict[str, int | None] = {}
    for name, of_source in _by_source(parts).items():
        editions = [p.edition for p in of_source]
        ranks |= issue_ranks(editions, issued=rules[name].issued)
        if rules[name].issued and len(editions) > 1 and not any(ranks[e.label] is not None for e in editions):
            raise ConfigError(
                f"{rules[name].key}.issued ({rules[name].issued}) finds nothing in the path of any file, such as "
                f"{editions[0].path}: correct the pattern, or leave the setting out"
            )
        first = rules[name].repeated_id == RepeatedId.FIRST
        settled.replaced_files += replaced_files(editions, ranks, keep_first=first)
    whole = {r.label for r in settled.replaced_files}
    left = [p for p in parts if p.label not in whole]

    folders = {p.path.parent for p in parts}
    spill = parts[0].path.parent / ".spill"
    with connect(memory_limit_mb=memory_limit_mb, folders=folders, spill=spill) as connection:
        database = _Database(connection, left, ranks, rules)
        progress("settling ids", 0, _STEPS)
        gone = database.replace_months()
        progress("settling ids", 1, _STEPS)
        merged = database.settle_ids(settled)
        progress("settling ids", 2, _STEPS)
        late = database.find_strays(settled)
        progress("settling ids", 3, _STEPS)
        database.find_equal_rows(settled)
    progress("settling ids", 4, _STEPS)
    settled.replaced_months = gone
    _write(parts, settled, gone=gone, merged=merged, late=late, into=into)
    progress("settling ids", _STEPS, _STEPS)
    return settled


def _by_source(parts: Iterable[Part]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        found[part.source].append(part)
    return dict(found)


_ORIGIN = "split_part(source, '/', 1)"
# An id made from label and row (`read._ids`) is no id of the source, and is unique anyway.
_HAS_OWN = "incident_id <> concat(source, '#', source_row)"


def _hashed(columns: Sequence[str]) -> str:
    # Compared only between rows of one id, or counted for a caution: 64 bits are enough.
    return f"hash({', '.join(identifier(c) for c in columns)})"


# By file: rows whose categories are to be replaced, ascending, and their new categories.
Merged = dict[str, tuple[NDArray[np.int64], Any]]


@dataclass(slots=True)
class _Database:
    """The rows of the parts that count, and the questions asked of them."""

    connection: Any
    parts: Sequence[Part]
    ranks: Mapping[str, int | None]
    rules: Mapping[str, SourceRules]
    scan: str = ""

    def __post_init__(self) -> None:
        self.scan = scan_parts([p.path for p in self.parts])
        # Small tables that the larger queries are joined with: where each file stands, and what its source's rule is.
        self.connection.execute(
            "CREATE TEMP TABLE editions (source VARCHAR, rank INTEGER, rule VARCHAR, place INTEGER, many BOOLEAN)"
        )
        rows = []
        for part in self.parts:
            rank, rule = self.ranks[part.label], self.rules[part.source].repeated_id
            # The newest first; where the first row counts all files stand in one place, and their labels decide.
            place = 0 if rule == RepeatedId.FIRST or rank is None else -rank
            many = is_street_file(part.report)
            rows.append([part.label, rank, rule.value, place, many])
        self.connection.executemany("INSERT INTO editions VALUES (?, ?, ?, ?, ?)", rows)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        found: list[tuple[Any, ...]] = self.connection.sql(sql).fetchall()
        return found

    def frame(self, sql: str) -> pd.DataFrame:
        """Return a query as a frame."""
        found: pd.DataFrame = self.connection.sql(sql).to_arrow_table().to_pandas()
        return found

    # Months that a later file replaces.

    def replace_months(self) -> dict[str, dict[int, int]]:
        """Find the months of files that a file issued later replaces, and leave their rows out from here on."""
        gone: dict[str, dict[int, int]] = {}
        for name, of_source in _by_source(self.parts).items():
            if self.rules[name].overlap_replaces and len(of_source) > 1:
                gone |= self._replaced_months(of_source, self.rules[name])
        if gone:
            self.connection.execute("CREATE TEMP TABLE gone (source VARCHAR, month INTEGER)")
            rows = [[label, month] for label, months in gone.items() for month in months]
            self.connection.executemany("INSERT INTO gone VALUES (?, ?)", rows)
            self.scan = f"(SELECT * FROM {self.scan} ANTI JOIN gone USING (source, month))"
        return gone

    def _replaced_months(self, of_source: Sequence[Part], rules: SourceRules) -> dict[str, dict[int, int]]:
        counts: dict[str, dict[int, int]] = defaultdict(dict)
        scan = scan_parts([p.path for p in of_source])
        for source, month, rows in self.ask(f"SELECT source, month, count(*) FROM {scan} GROUP BY ALL ORDER BY ALL"):
            counts[source][int(month)] = int(rows)
        bodies = {label: main_body(months) for label, months in counts.items()}
        gone: dict[str, dict[int, int]] = defaultdict(dict)
        for label, months in sorted(counts.items()):
            for month, rows in months.items():
                # A file speaks for the months that its data cover, not for that of a single stray date.
                others = [o for o, b in bodies.items() if o != label and b.first <= month <= b.last]
                rank = self.ranks[label]
                if any(_later(self.ranks[other], rank) for other in others):
                    gone[label][month] = rows
                elif tie := [o for o in others if self.ranks[o] == rank or None in {self.ranks[o], rank}]:
                    raise QualityError(
                        f"{label} and {tie[0]} both have rows of {month // 100}-{month % 100:02d}, {rules.key}.overlap "
                        "is replace, and nothing says which file was issued later: set "
                        f"{rules.key}.issued to a pattern that finds the date in the path"
                    )
        return dict(gone)

    # Ids that repeat.

    def settle_ids(self, settled: Settled) -> Merged:
        """Settle ids that repeat; return the categories of rows that others were merged into, by file and row."""
        key = f"hash({_ORIGIN}, incident_id)"
        # Numbers first, which are a quarter of the work: texts are compared only where their numbers meet.
        self.connection.execute(
            f"CREATE TEMP TABLE seen AS SELECT {key} AS key FROM {self.scan} WHERE {_HAS_OWN} "
            "GROUP BY 1 HAVING count(*) > 1"
        )
        if not self.ask("SELECT 1 FROM seen LIMIT 1"):
            _write_left_out(settled.left_out, ())
            return {}
        self.connection.execute(f"""
            CREATE TEMP TABLE met AS
            SELECT {_ORIGIN} AS origin, incident_id, source, source_row, month,
                   coalesce(categories, '') AS categories, {_hashed(_BESIDE_CATEGORIES)} AS rest
            FROM {self.scan} WHERE {_HAS_OWN} AND {key} IN (SELECT key FROM seen)
        """)
        self._require_sound_ids()
        # Beside each row the one of its id that counts (`kept_`), and which time its content stands here (`nth`).
        self.connection.execute(f"""
            CREATE TEMP TABLE judged AS
            WITH beside AS (
                SELECT met.*, rank, rule, many,
                       first_value(source) OVER same AS kept_source, first_value(source_row) OVER same AS kept_row,
                       first_value(rest) OVER same AS kept_rest, first_value(rank) OVER same AS kept_rank,
                       row_number() OVER (
                           PARTITION BY origin, incident_id, rest, categories ORDER BY place, source, source_row
                       ) AS nth
                FROM met JOIN editions USING (source)
                WINDOW same AS (PARTITION BY origin, incident_id ORDER BY place, source, source_row)
            ), fated AS (
                SELECT *, CASE
                    WHEN nth > 1 THEN '{Fate.DUPLICATE}'
                    WHEN rule = '{RepeatedId.CATEGORIES}' THEN '{Fate.MERGED}'
                    WHEN rule = '{RepeatedId.FIRST}' THEN '{Fate.CONFLICT}'
                    WHEN rank < kept_rank THEN '{Fate.REPLACED}'
                    WHEN rule = '{RepeatedId.AUTO}' AND rest = kept_rest THEN '{Fate.MERGED}'
                    ELSE '{Fate.CONFLICT}'
                END AS fate
                FROM beside WHERE source <> kept_source OR source_row <> kept_row
            )
            SELECT *, fate IN ('{Fate.REPLACED}', '{Fate.CONFLICT}') OR (fate = '{Fate.MERGED}' AND rest <> kept_rest)
                          AS conflicting,
                   fate = '{Fate.CONFLICT}' AND rule <> '{RepeatedId.FIRST}' AS unsettled
            FROM fated
        """)
        self._require_answers(settled)
        columns = ", ".join(LEFT_OUT.names)
        # Batch by batch: where a file repeats another there are as many as it has rows.
        rows = self.connection.sql(f"SELECT {columns} FROM judged ORDER BY source, source_row")
        _write_left_out(settled.left_out, rows.to_arrow_reader(_BATCH_ROWS))
        fates: dict[str, dict[str, int]] = defaultdict(dict)
        for source, fate, rows in self.ask("SELECT source, fate, count(*) FROM judged GROUP BY ALL ORDER BY ALL"):
            fates[source][fate] = int(rows)
        settled.fates = dict(fates)
        return self._merged()

    def _merged(self) -> Merged:
        sql = f"""
            WITH rows AS (SELECT * FROM judged WHERE fate = '{Fate.MERGED}'), texts AS (
                SELECT kept_source, kept_row, categories FROM rows
                UNION SELECT source, source_row, categories FROM met SEMI JOIN rows
                    ON met.source = rows.kept_source AND met.source_row = rows.kept_row
            ), ids AS (
                SELECT DISTINCT kept_source, kept_row, unnest(string_split(categories, ';')) AS id FROM texts
            )
            SELECT kept_source, kept_row, string_agg(id, ';' ORDER BY id) AS categories
            FROM ids WHERE id <> '' GROUP BY 1, 2 ORDER BY 1, 2
        """
        found = self.connection.sql(sql).to_arrow_table()
        texts = found["categories"].combine_chunks().dictionary_encode()
        numbers = found["kept_row"].to_numpy()
        return {
            source: (numbers[rows], texts.take(pa.array(rows)))
            for source, rows in _rows_by_text(found["kept_source"].combine_chunks())
        }

    def _own_rows(self, origin: str) -> int:
        ((rows,),) = self.ask(f"SELECT count(*) FROM {self.scan} WHERE {_HAS_OWN} AND {_ORIGIN} = {literal(origin)}")
        return int(rows)

    def _require_sound_ids(self) -> None:
        """Refuse ids that a spreadsheet has turned into few rounded numbers."""
        for origin, ids, rows, example in self.ask(f"""
            SELECT origin, count(DISTINCT incident_id), count(DISTINCT (incident_id, rest, categories)),
                   min(incident_id)
            FROM met WHERE regexp_full_match(incident_id, {literal(_MANGLED)}) GROUP BY 1 ORDER BY 1
        """):
            own = self._own_rows(origin)
            if rows - ids > MOST_CONFLICTS * own:
                raise InputError(
                    f"a spreadsheet has rounded the ids in column {self._id_column(origin)!r} of {origin}: {rows:,} "
                    f"different rows share {ids:,} values such as {example!r}. Export the file again with this column "
                    f"as text (in a spreadsheet, format it as text before opening the export), or take "
                    f"{self.rules[origin].key}.columns.id out of the configuration and rename the column, so that "
                    "every row counts by itself"
                )

    def _id_column(self, origin: str) -> str:
        """Return the column that the ids of a source stand in."""
        (part, *_) = [p for p in self.parts if p.source == origin]
        return str(part.report.decisions.get("columns", {}).get("id", "id")).rpartition(" (")[0] or "id"

    def _require_answers(self, settled: Settled) -> None:
        """Stop where ids have different rows, more than a few, and nothing says which counts."""
        ((settled.conflicting,),) = self.ask("SELECT count(*) FROM judged WHERE conflicting")
        self._sample(settled)
        stopped = self.ask(f"""
            SELECT origin, count(DISTINCT incident_id) FROM judged
            WHERE rule = '{RepeatedId.ERROR}' GROUP BY 1 ORDER BY 1
        """)
        for origin, ids in stopped:
            key = self.rules[origin].key
            raise QualityError(
                f"{ids:,} ids of {origin} stand in several rows: {self._examples(origin)}. {key}.repeated_id is error: "
                "correct the files, or choose auto, categories, newest or first"
            )
        for origin, ids in self.ask(
            "SELECT origin, count(DISTINCT incident_id) FROM judged WHERE unsettled GROUP BY 1 ORDER BY 1"
        ):
            settled.unsettled[origin] = int(ids)
        # police.uk lists one crime at several places within a file, with one id: that is its way, and no mix-up.
        for origin, ids in self.ask("""
            SELECT origin, count(DISTINCT incident_id) FROM judged
            WHERE unsettled AND NOT (many AND source = kept_source) GROUP BY 1 ORDER BY 1
        """):
            surplus = f"SELECT count(*) - count(DISTINCT incident_id) FROM met WHERE origin = {literal(origin)}"
            distinct = self._own_rows(origin) - int(self.ask(surplus)[0][0])
            if ids > MOST_CONFLICTS * distinct:
                key = self.rules[origin].key
                columns = ", ".join(sorted(set(settled.conflicts["column"])))
                examples = self._examples(origin, "AND unsettled")
                raise QualityError(
                    f"{ids:,} of {distinct:,} ids in column {self._id_column(origin)!r} of {origin} "
                    f"({100 * ids / distinct:.1f} %) stand in several rows that differ ({columns}), and nothing says "
                    f"which row counts: {examples}. If the files were issued one after another, set {key}.issued to a "
                    "pattern that finds the date in "
                    f"the path; otherwise set {key}.repeated_id to first or categories, or {key}.columns.id to the "
                    "column that tells incidents apart"
                )

    def _examples(self, origin: str, which: str = "") -> str:
        rows = self.ask(f"""
            SELECT incident_id, kept_source, kept_row, source, source_row FROM judged
            WHERE origin = {literal(origin)} {which} ORDER BY incident_id, source, source_row LIMIT {_LISTED}
        """)
        return "; ".join(f"{i} ({a} row {b}, {c} row {d})" for i, a, b, c, d in rows)

    def _sample(self, settled: Settled) -> None:
        """Set the first rows in conflict beside the rows kept, column by column."""
        pairs = self.frame(f"""
            SELECT {", ".join(LEFT_OUT.names)} FROM judged WHERE conflicting
            ORDER BY incident_id, source, source_row LIMIT {_SAMPLE_ROWS}
        """)
        if pairs.empty:
            return
        wanted: dict[str, set[int]] = defaultdict(set)
        for pair in pairs.itertuples():
            wanted[pair.source].add(pair.source_row)
            wanted[pair.kept_source].add(pair.kept_row)
        rows: dict[tuple[str, int], dict[str, Any]] = {}
        for part in self.parts:
            if part.label in wanted:
                chosen = [("source_row", "in", sorted(wanted[part.label]))]
                for row in pq.read_table(part.path, filters=chosen).to_pylist():
                    rows[part.label, row["source_row"]] = row
        found = []
        for pair in pairs.itertuples():
            kept, other = rows[pair.kept_source, pair.kept_row], rows[pair.source, pair.source_row]
            for column in _CONTENT:
                if kept[column] != other[column]:
                    secret = column == "victim_hash"
                    values = ("", "") if secret else (str(kept[column] or ""), str(other[column] or ""))
                    found.append((pair.incident_id, column, pair.kept_source, pair.kept_row, values[0],
                                  pair.source, pair.source_row, values[1], pair.fate))  # fmt: skip
        settled.conflicts = pd.DataFrame(found, columns=list(_CONFLICT_COLUMNS))

    # Dates far from all others.

    def find_strays(self, settled: Settled) -> dict[str, set[int]]:
        """Find the months each source covers; return those after them, whose rows are refused, by source."""
        counts: dict[str, dict[int, int]] = defaultdict(dict)
        dates: dict[tuple[str, int], tuple[str, str]] = {}
        for origin, month, rows, first, last in self.ask(f"""
            SELECT {_ORIGIN} AS origin, month, count(*), min(occurred_on), max(occurred_on)
            FROM {self.scan} GROUP BY 1, 2 ORDER BY 1, 2
        """):
            counts[origin][int(month)] = int(rows)
            dates[origin, int(month)] = (first, last)
        if settled.fates:
            for origin, month, rows in self.ask("SELECT origin, month, count(*) FROM judged GROUP BY 1, 2"):
                counts[origin][int(month)] -= int(rows)
        late: dict[str, set[int]] = {}
        spans = []
        for origin, months in sorted(counts.items()):
            held = {m: n for m, n in months.items() if n}
            rules = self.rules[origin]
            body = main_body(held, first_month=rules.first_month, last_month=rules.last_month)
            spans.append((dates[origin, body.first][0], dates[origin, body.last][1]))
            for months_out, is_late in ((body.early, False), (body.late, True)):
                if months_out:
                    rows = sum(held[m] for m in months_out)
                    ends = dates[origin, months_out[0]][0], dates[origin, months_out[-1]][1]
                    settled.strays.append(Strays(origin, is_late, rows, *ends, body.first, body.last))
            late[origin] = set(body.late)
        settled.first_date = min((first for first, _ in spans), default="")
        settled.last_date = max((last for _, last in spans), default="")
        return late

    # Rows without an id in files that overlap.

    def find_equal_rows(self, settled: Settled) -> None:
        """Count the rows without an id that stand in another file of the source too, where files share months."""
        overlapping = [
            part.path
            for name, of_source in _by_source(self.parts).items()
            if not self.rules[name].overlap_replaces
            for part in _sharing_months([p for p in of_source if p.report.without_id])
        ]
        if not overlapping:
            return
        for source, equal, rows in self.ask(f"""
            WITH held AS (
                SELECT source, {_ORIGIN} AS origin, {_hashed(_CONTENT)} AS content, count(*) AS rows
                FROM {scan_parts(overlapping)} WHERE NOT ({_HAS_OWN}) GROUP BY ALL
            ), shared AS (
                SELECT origin, content, sum(rows) AS total FROM held GROUP BY ALL HAVING count(*) > 1
            )
            SELECT source, sum(CASE WHEN total IS NULL THEN 0 ELSE least(rows, total - rows) END), sum(rows)
            FROM held LEFT JOIN shared USING (origin, content) GROUP BY 1 ORDER BY 1
        """):
            if equal:
                settled.equal[source] = (int(equal), int(rows))


def _later(other: int | None, rank: int | None) -> bool:
    return other is not None and rank is not None and other > rank


def _sharing_months(parts: Sequence[Part]) -> list[Part]:
    """Choose the files whose first to last month meet those of another."""
    ordered = sorted((p for p in parts if p.report.first_date), key=lambda p: (p.report.first_date[:7], p.label))
    found: dict[str, Part] = {}
    reach: Part | None = None
    for part in ordered:
        if reach is not None and part.report.first_date[:7] <= reach.report.last_date[:7]:
            found |= {reach.label: reach, part.label: part}
        if reach is None or part.report.last_date[:7] > reach.report.last_date[:7]:
            reach = part
    return [found[label] for label in sorted(found)]


# Parts without the rows that do not count.


def _write(
    parts: Sequence[Part],
    settled: Settled,
    *,
    gone: Mapping[str, Mapping[int, int]],
    merged: Merged,
    late: Mapping[str, set[int]],
    into: Path,
) -> None:
    whole = {r.label for r in settled.replaced_files}
    lost = _lost(settled.left_out)
    refused: list[dict[str, Any]] = []
    for part in parts:
        label, target = part.label, into / part.path.name
        if label in whole:
            with PartWriter(target, incidents_schema()):
                pass
            settled.changes[label] = "replaced"
            continue
        after = late.get(part.source, set())
        has_late = bool(after) and int(part.report.last_date[:7].replace("-", "") or 0) >= min(after)
        if label not in lost and label not in merged and label not in gone and not has_late:
            _link(part.path, target)
            continue
        none = np.array([], dtype=np.int64)
        rows, texts = merged.get(label, (none, pa.array([], pa.string())))
        change = _Change(lost.get(label, none), rows, texts, set(gone.get(label, {})), after)
        refused += [_refusal(row) for row in _rewrite(part.path, target, change)]
        settled.changes[label] = change.digest
    settled.refused = QUARANTINE.conform(pd.DataFrame(refused, columns=list(QUARANTINE.names)))


@dataclass(frozen=True, slots=True)
class _Change:
    """What a part loses or gains: rows by number, categories by row, rows by month replaced or refused."""

    lost: NDArray[np.int64]
    merged: NDArray[np.int64]
    categories: Any
    gone: set[int]
    late: set[int]

    @property
    def digest(self) -> str:
        """A short text that differs where the change differs."""
        rest = json.dumps([sorted(self.gone), sorted(self.late)])
        made = hashlib.sha256(rest.encode())
        for content in (self.lost.tobytes(), self.merged.tobytes(), "\n".join(self.categories.to_pylist()).encode()):
            made.update(len(content).to_bytes(8, "big") + content)
        return made.hexdigest()


def _rewrite(part: Path, target: Path, change: _Change) -> list[dict[str, Any]]:
    """Write a part again under a change; return the rows refused for their month."""
    # Group by group, so that memory does not grow with the part; under another name until it is whole.
    new = target.with_name(f".{target.name}.new")
    refused: list[dict[str, Any]] = []
    gone, late = (np.array(sorted(months), dtype=np.int64) for months in (change.gone, change.late))
    with pq.ParquetFile(part) as file, PartWriter(new, incidents_schema()) as writer:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group).cast(incidents_schema())
            rows, months = np.asarray(table["source_row"]), np.asarray(table["month"])
            kept = ~np.isin(rows, change.lost) & ~np.isin(months, gone)
            too_late = kept & np.isin(months, late)
            refused += table.filter(pa.array(too_late)).to_pylist()
            mask = np.isin(rows, change.merged)
            if mask.any():
                texts = change.categories.take(pa.array(np.searchsorted(change.merged, rows[mask]))).cast(pa.string())
                place = table.schema.get_field_index("categories")
                column = pc.replace_with_mask(table["categories"].combine_chunks(), pa.array(mask), texts)
                table = table.set_column(place, table.schema.field(place), column)
            writer.write(table.filter(pa.array(kept & ~too_late)))
    new.replace(target)
    return refused


def _refusal(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of QUARANTINE for an incident whose date lies after all others; a victim's hash stays out."""
    raw = {k: v for k, v in row.items() if v is not None and k not in {"source", "source_row", "victim_hash"}}
    return {
        "source": row["source"],
        "source_row": row["source_row"],
        "rule": "date_outlier",
        "reason": RULES["date_outlier"],
        "raw": json.dumps(raw, ensure_ascii=False),
    }


def _write_left_out(path: Path, batches: Iterable[Any]) -> None:
    types = {"string": pa.string(), "int": pa.int64()}
    schema = pa.schema([pa.field(c.name, types[c.kind]) for c in LEFT_OUT.columns])
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, store_schema=False) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def _lost(left_out: Path) -> dict[str, NDArray[np.int64]]:
    """Read which rows each file loses."""
    found: dict[str, list[NDArray[np.int64]]] = defaultdict(list)
    with pq.ParquetFile(left_out) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=["source", "source_row"]):
            numbers = batch.column(1).to_numpy()
            for source, rows in _rows_by_text(batch.column(0)):
                found[source].append(numbers[rows])
    return {source: np.concatenate(numbers) for source, numbers in found.items()}


def _rows_by_text(column: Any) -> list[tuple[str, NDArray[np.int64]]]:
    """Return each distinct text of an Arrow column with the positions it stands at."""
    made = column.dictionary_encode()
    codes = np.asarray(made.indices)
    return [(text, np.flatnonzero(codes == code)) for code, text in enumerate(made.dictionary.to_pylist())]


def _link(part: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(part, target)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(part, target)


# Rows whose date lies far from all others: which months are the body of a source's data, and which are strays.
#
# One date with a wrong year must not make the data a year longer, and an offence of 1968 not fifty years.

IMPROBABLE = 0.001  # an empty month is no quiet month if it has less than this chance, given the usual month
SPARSE_ROWS = 3  # a source with fewer rows in a usual month comes in bursts: only
SPARSE_MONTHS = 24  # two empty years part its runs
STRAY_SHARE = 0.02  # a run of months with at most this share of the rows may be strays,
FEW_ROWS, FEW_SHARE = 3, 0.1  # or with three rows, where those are at most a tenth of all
LATE_SHARE = 0.05  # more than this share of the rows is no slip: the source went on
NEAR_MONTHS = 3  # a run so near the body belongs to it if it has a tenth of the usual rows: a month was missing
NEAR_SHARE = 0.1
FAR_MONTHS = 120  # what lies ten empty years before the body is outside it, however many rows it has
THIN_SHARE = 0.05  # a first month with less than this share of a usual one is the tail of earlier offences


@dataclass(frozen=True, slots=True)
class Body:
    """Where most of a source's rows lie.

    Attributes
    ----------
    first, last
        Its first and last month (yyyymm).
    early, late
        Months with rows before and after it.
    usual
        Rows of a usual month: half of all rows lie in months with at least so many.
    """

    first: int
    last: int
    early: tuple[int, ...]
    late: tuple[int, ...]
    usual: int


def main_body(counts: Mapping[int, int], *, first_month: int | None = None, last_month: int | None = None) -> Body:
    """Find the months that a source's data cover, and the strays on both sides.

    The months with rows fall into runs, parted where so many months are empty that chance does not explain it. The
    body is the run with the most rows and every other run, except those with at most 2 % of the rows (or three rows)
    that lie more than three months away or have under a tenth of the usual rows, and those before ten empty years. What
    comes later and has more than 5 % of the rows in all belongs to it. Months at its beginning with under 5 % of the
    usual rows do not.

    Parameters
    ----------
    counts
        Rows by month (yyyymm).
    first_month, last_month
        Months that the configuration says the data cover: what lies between them is no stray.

    Examples
    --------
    >>> months = dict.fromkeys([*range(201801, 201813), *range(201901, 201913)], 30)
    >>> body = main_body({190001: 5, **months, 202101: 1})
    >>> (body.first, body.last, body.early, body.late)
    (201801, 201912, (190001,), (202101,))
    """
    months = sorted(m for m, n in counts.items() if n)
    usual = _usual([counts[m] for m in months])
    runs = _runs(months, usual=usual)
    total = sum(counts[m] for m in months)
    rows = [sum(counts[m] for m in run) for run in runs]
    main = max(range(len(runs)), key=lambda i: (rows[i], -i))
    first, last = main, main
    # Outwards from the largest run: what lies beyond a run that belongs to the body is judged by its distance to that.
    for i in range(main - 1, -1, -1):
        empty = _between(runs[i][-1], runs[first][0])
        if empty < FAR_MONTHS and _belongs(runs[i], rows[i], empty=empty, usual=usual, total=total):
            first = i
    for i in range(main + 1, len(runs)):
        if _belongs(runs[i], rows[i], empty=_between(runs[last][-1], runs[i][0]), usual=usual, total=total):
            last = i
    if sum(rows[last + 1 :]) > LATE_SHARE * total:
        last = len(runs) - 1
    held = [m for run in runs[first : last + 1] for m in run]
    thick = [m for m in held if not _improbable(usual) or counts[m] >= THIN_SHARE * usual]
    start, end = thick[0], held[-1]
    if first_month is not None:
        start = min([start, *(m for m in months if m >= first_month)])
    if last_month is not None:
        end = max([end, *(m for m in months if m <= last_month)])
    return Body(start, end, tuple(m for m in months if m < start), tuple(m for m in months if m > end), usual)


def _usual(counts: list[int]) -> int:
    """Weigh months by their rows, so that a hundred months with one old offence each do not make one row usual."""
    half, held = sum(counts) / 2, 0
    for count in sorted(counts, reverse=True):
        held += count
        if held >= half:
            return count
    raise ValueError("no month has a row")


def _improbable(expected: float) -> bool:
    return math.exp(-expected) < IMPROBABLE


def _runs(months: list[int], *, usual: int) -> list[list[int]]:
    runs = [[months[0]]]
    for before, month in pairwise(months):
        empty = _between(before, month)
        if _improbable(usual * empty) and (usual >= SPARSE_ROWS or empty >= SPARSE_MONTHS):
            runs.append([])
        runs[-1].append(month)
    return runs


def _between(before: int, after: int) -> int:
    """Count the months between two months."""
    return months_between(before, after) - 2


def _belongs(run: list[int], rows: int, *, empty: int, usual: int, total: int) -> bool:
    if rows > max(STRAY_SHARE * total, min(FEW_ROWS, FEW_SHARE * total)):
        return True
    return empty <= NEAR_MONTHS and rows >= NEAR_SHARE * usual * months_between(run[0], run[-1])
