"""Ids that a source gives more than once, within one file or across files: one row is kept, the others are listed."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InputError
from pipeline.ingest.incidents.read import PartWriter, incidents_schema
from pipeline.storage.duckdb import connect, identifier, scan_parts
from pipeline.tables import Column, Table

__all__ = ["DUPLICATES", "Duplicates", "settle_duplicates"]

DUPLICATES = Table(
    "duplicates",
    ("source", "source_row"),
    (
        Column("source", "string", "Input file of the row left out."),
        Column("source_row", "int", "Its row."),
        Column("incident_id", "string", "The id that repeats."),
        Column("kept_source", "string", "Input file of the row kept."),
        Column("kept_row", "int", "Its row."),
        Column("identical", "bool", "Whether both rows say the same."),
    ),
    "Rows left out because their id is that of an earlier row of the same source.",
)


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """The rows left out.

    Attributes
    ----------
    frame
        One row per row left out (the contract DUPLICATES), sorted by source and row.
    """

    frame: pd.DataFrame

    @property
    def table(self) -> Table:
        """The contract of `frame`."""
        return DUPLICATES

    @property
    def identical(self) -> int:
        """Rows that said the same as the row kept."""
        return int(self.frame["identical"].sum())

    @property
    def conflicting(self) -> int:
        """Rows that said something else."""
        return len(self.frame) - self.identical

    @property
    def by_source(self) -> dict[str, int]:
        """Rows left out per file."""
        return {str(k): int(v) for k, v in self.frame.groupby("source", sort=True).size().items()}


def settle_duplicates(parts: Sequence[Path], *, memory_limit_mb: int = 1000, into: Path | None = None) -> Duplicates:
    """Keep one row of every id that repeats.

    Of the rows of one source name that share an id, the one that sorts first by source and row is kept, whatever the
    others say. Rows without an id of their own never repeat. Only parts that lose rows are written again.

    Parameters
    ----------
    parts
        Parts of INCIDENTS.
    memory_limit_mb
        Memory of the database, in MB.
    into
        Folder for the settled parts, under their names; parts that lose nothing are linked there, and the given ones
        stay as they were read, so that they can be settled again with others. Without it the given parts themselves
        lose the rows.

    Raises
    ------
    InputError
        If two parts have one name and `into` is given.
    """
    if into is not None:
        if len({p.name for p in parts}) < len(parts):
            raise InputError("parts to settle must have different file names")
        into.mkdir(parents=True, exist_ok=True)
    frame = _repeats(parts, memory_limit_mb=memory_limit_mb) if parts else DUPLICATES.empty()
    lost = {str(s): g["source_row"].to_numpy(dtype=np.int64) for s, g in frame.groupby("source", sort=True)}
    # Most parts lose nothing: they are linked, not copied.
    for part in parts:
        target = part if into is None else into / part.name
        rows = lost.get(_label(part))
        if rows is not None:
            _without(part, rows, target)
        elif target != part:
            _link(part, target)
    return Duplicates(frame)


def _repeats(parts: Sequence[Path], *, memory_limit_mb: int) -> pd.DataFrame:
    """Find the rows to leave out.

    `seen` holds the ids that may repeat, `own` their rows, `ids` those that do repeat, `met` all rows of these, and
    `judged` sets each beside the first of its id. To settle repeats by another rule, change the order in `same`.
    """
    # Ids repeat within a source, not across sources: two organisations may number alike. An id made from label and row
    # (`read._ids`) is no id of the source, and is unique anyway.
    content = ", ".join(identifier(c.name) for c in _CONTENT)
    origin, has_own = "split_part(source, '/', 1)", "incident_id <> concat(source, '#', source_row)"
    key = f"hash({origin}, incident_id)"
    sql = f"""
        WITH own AS (
            SELECT *, {origin} AS origin FROM {scan_parts(parts)} WHERE {has_own} AND {key} IN (SELECT key FROM seen)
        ), ids AS (
            SELECT origin, incident_id FROM own GROUP BY ALL HAVING count(*) > 1
        ), met AS (
            SELECT own.origin, own.incident_id, source, source_row, row({content}) AS content
            FROM own JOIN ids ON own.origin = ids.origin AND own.incident_id = ids.incident_id
        ), judged AS (
            SELECT source, source_row, incident_id,
                   first_value(source) OVER same AS kept_source, first_value(source_row) OVER same AS kept_row,
                   content IS NOT DISTINCT FROM first_value(content) OVER same AS identical
            FROM met WINDOW same AS (PARTITION BY origin, incident_id ORDER BY source, source_row)
        )
        SELECT * FROM judged WHERE source <> kept_source OR source_row <> kept_row ORDER BY source, source_row
    """
    spill = parts[0].parent / ".spill"
    with connect(memory_limit_mb=memory_limit_mb, folders={p.parent for p in parts}, spill=spill) as connection:
        # Numbers first, which are a quarter of the work: texts are compared only where their numbers meet.
        connection.execute(
            f"CREATE TEMP TABLE seen AS SELECT {key} AS key FROM {scan_parts(parts)} WHERE {has_own} "
            "GROUP BY 1 HAVING count(*) > 1"
        )
        if not connection.sql("SELECT 1 FROM seen LIMIT 1").fetchall():
            return DUPLICATES.empty()
        return DUPLICATES.conform(connection.sql(sql).to_arrow_table().to_pandas())


_KEYS = frozenset({"incident_id", "source", "source_row"})
_CONTENT = tuple(c for c in incidents_schema() if c.name not in _KEYS)


def _label(part: Path) -> str:
    """Return the source label of a part; empty for a part without rows."""
    with pq.ParquetFile(part) as file:
        for batch in file.iter_batches(1, columns=["source"]):
            return str(batch.column(0)[0].as_py())
    return ""


def _without(part: Path, rows: np.ndarray, target: Path) -> None:
    """Write a part again without some rows."""
    # Group by group, so that memory does not grow with the part; under another name until it is whole.
    new = target.with_name(f".{target.name}.new")
    with pq.ParquetFile(part) as file, PartWriter(new, incidents_schema()) as writer:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group).cast(incidents_schema())
            kept = ~np.isin(np.asarray(table["source_row"]), rows)
            writer.write(table.filter(pa.array(kept)))
    new.replace(target)


def _link(part: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(part, target)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(part, target)
