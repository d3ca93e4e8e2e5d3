"""Parquet parts with the same bytes for the same rows."""

from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.schemas import INCIDENTS, QUARANTINE, Table

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
    """Writes a part batch by batch, so that memory does not grow with the file."""

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

    def write(self, table: Any) -> None:
        """Append rows."""
        if table.num_rows:
            self._writer.write_table(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
