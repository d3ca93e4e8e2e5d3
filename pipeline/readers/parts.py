"""Parquet parts with the same bytes for the same rows."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.tables import INCIDENTS, QUARANTINE, Table

__all__ = ["PartWriter", "incidents_schema", "quarantine_schema"]

_TYPES = {"string": pa.string(), "date": pa.string(), "float": pa.float64(), "bool": pa.bool_(), "int": pa.int64()}
_SMALL = {"month": pa.int32(), "hour_band": pa.int8()}


def _schema(table: Table) -> Any:
    return pa.schema([pa.field(c.name, _SMALL.get(c.name, _TYPES[c.kind]), nullable=c.null) for c in table.columns])


def incidents_schema() -> Any:
    """Arrow schema of INCIDENTS."""
    return _schema(INCIDENTS)


def quarantine_schema() -> Any:
    """Arrow schema of QUARANTINE."""
    return _schema(QUARANTINE)


# Columns of mostly different values: a dictionary of them would only be tried and thrown away.
_DISTINCT = frozenset({"incident_id", "victim_hash", "source_row", "easting_m", "northing_m", "raw"})


class PartWriter:
    """Writes a part batch by batch, in a thread of its own and one batch behind, so that memory does not grow.

    A fault in writing is raised with the next batch, or at the end.
    """

    def __init__(self, path: Path, schema: Any) -> None:
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=1,
            store_schema=False,
            use_dictionary=[n for n in schema.names if n not in _DISTINCT],
            column_encoding={"source_row": "DELTA_BINARY_PACKED"},
        )
        self._beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="part")
        self._under_way: Future[None] | None = None

    def write(self, table: Any) -> None:
        """Append rows."""
        if table.num_rows:
            self._wait()
            self._under_way = self._beside.submit(self._writer.write_table, table)

    def _wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._wait()
        finally:
            self._beside.shutdown()
            self._writer.close()
