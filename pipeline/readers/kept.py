"""The counts of a part, kept on disk beside it, so that a part that has not changed is never counted again.

Merging reads these files alone. The locations stay in the database until they are written: their number grows with the
rows where coordinates are measured, and memory must not.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.readers.reduce import (
    LOCATION_KEY,
    count_area_months,
    count_facets,
    count_places,
    location_queries,
    open_part,
    reduce_area_months,
    reduce_facets,
    reduce_places,
)
from pipeline.storage.duckdb import connect, scan_parts
from pipeline.tables import LOCATIONS

__all__ = ["KEPT", "keep_counts", "merge_kept", "merge_locations", "merge_victims"]

KEPT = ("area_months", "facets", "locations", "places", "victims")
"""Files of one part's counts, without their ending."""

_MERGE = {"area_months": reduce_area_months, "facets": reduce_facets, "places": reduce_places}
_BATCH_ROWS = 1 << 17
_TYPES = {"string": pa.string(), "float": pa.float64(), "int": pa.int64()}


def keep_counts(
    part: Path,
    *,
    into: Path,
    region_code: str,
    placeholders: Iterable[tuple[float, float]] = (),
    memory_limit_mb: int = 1000,
) -> None:
    """Count one part and keep the counts.

    Parameters
    ----------
    part
        A part of INCIDENTS, settled.
    into
        Folder for the files of `KEPT`.
    region_code
        Code of the region.
    placeholders
        Places that stand for no place (see `count_locations`).
    memory_limit_mb
        Memory of the database, in MB.
    """
    into.mkdir(parents=True, exist_ok=True)
    with open_part(part, memory_limit_mb=memory_limit_mb) as asked:
        frames = {
            "area_months": count_area_months(asked, region_code=region_code),
            "facets": count_facets(asked),
            "places": count_places(asked),
        }
        for name, frame in frames.items():
            pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), into / f"{name}.parquet")
        locations, victims = location_queries(asked, placeholders=placeholders)
        for name, sql in (("locations", locations), ("victims", victims)):
            reader = asked.connection.sql(sql).to_arrow_reader(_BATCH_ROWS)
            _write(into / f"{name}.parquet", reader.schema, reader)


def merge_kept(folders: Sequence[Path], *, name: str) -> pd.DataFrame:
    """Merge the area_months, facets or places of parts."""
    return _MERGE[name]([pd.read_parquet(folder / f"{name}.parquet") for folder in folders])


def merge_locations(
    folders: Sequence[Path], *, out: Path, months: tuple[int, int], memory_limit_mb: int = 1000
) -> tuple[int, pd.DataFrame]:
    """Merge the locations of parts into LOCATIONS, written in its order.

    Parameters
    ----------
    folders
        Where parts' counts are kept.
    out
        Parquet file to write.
    months
        First and last month to write (yyyymm).
    memory_limit_mb
        Memory of the database, in MB; what does not fit is spilled to disk.

    Returns
    -------
    rows, places
        Rows written; and incidents at every place over all months, in the order of the places: easting_m,
        northing_m, incidents.
    """
    key = ", ".join(LOCATION_KEY)
    with _merging(folders, "locations", near=out, memory_limit_mb=memory_limit_mb) as (connection, kept, victims):
        counts = kept  # one part's counts are in order already
        if len(folders) > 1:
            sums = ", ".join(f"sum({n})::BIGINT AS {n}" for n in ("incidents", "positive_outcomes", "known_outcomes"))
            connection.execute(
                f"CREATE TEMP TABLE merged AS SELECT {key}, min(ward_code) AS ward_code, "
                f"min(borough_code) AS borough_code, {sums} FROM {kept} GROUP BY {key} ORDER BY {key}"
            )
            counts = "merged"
        places = connection.sql(f"SELECT easting_m, northing_m, incidents FROM {counts}").to_arrow_table().to_pandas()
        joined, told, order = "", "NULL::BIGINT", ""
        if connection.sql(f"SELECT 1 FROM {victims} LIMIT 1").fetchall():
            same = " AND ".join(f"counts.{n} IS NOT DISTINCT FROM v.{n}" for n in LOCATION_KEY)
            many = f"SELECT {key}, count(DISTINCT victim_hash) AS distinct_victims FROM {victims} GROUP BY {key}"
            joined, told = f"LEFT JOIN ({many}) v ON {same}", "v.distinct_victims"
            order = "ORDER BY " + ", ".join(f"counts.{n}" for n in LOCATION_KEY)
        columns = ", ".join(f"{told} AS {n}" if n == "distinct_victims" else f"counts.{n}" for n in LOCATIONS.names)
        reader = connection.sql(
            f"SELECT {columns} FROM {counts} AS counts {joined} "
            f"WHERE counts.month BETWEEN {int(months[0])} AND {int(months[1])} {order}"
        ).to_arrow_reader(_BATCH_ROWS)
        schema = pa.schema([pa.field(c.name, _TYPES[c.kind]) for c in LOCATIONS.columns])
        return _write(out, schema, reader), places


def merge_victims(folders: Sequence[Path], *, out: Path, memory_limit_mb: int = 1000) -> int:
    """Write which victims were where and when, each once: easting_m, northing_m, month, victim_hash."""
    with _merging(folders, "victims", near=out, memory_limit_mb=memory_limit_mb) as (connection, _, victims):
        reader = connection.sql(
            f"SELECT DISTINCT easting_m, northing_m, month, victim_hash FROM {victims} ORDER BY ALL"
        ).to_arrow_reader(_BATCH_ROWS)
        return _write(out, reader.schema, reader)


@contextmanager
def _merging(folders: Sequence[Path], name: str, *, near: Path, memory_limit_mb: int) -> Iterator[tuple[Any, str, str]]:
    """Open a database over the kept files; yield it, the counts and the victims as table expressions."""
    files = {kind: scan_parts([folder / f"{kind}.parquet" for folder in folders]) for kind in ("locations", "victims")}
    near.parent.mkdir(parents=True, exist_ok=True)
    spill = near.parent / f".spill-{name}"
    with connect(memory_limit_mb=memory_limit_mb, folders=set(folders), spill=spill) as connection:
        yield connection, files["locations"], files["victims"]


def _write(path: Path, schema: Any, batches: Iterable[Any]) -> int:
    """Write batches as they come; rows per group are fixed, so the bytes are too."""
    rows, held, waiting = 0, 0, []
    texts = [f.name for f in schema if f.type == pa.string()]
    with pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=texts, store_schema=False) as writer:
        for batch in batches:
            waiting.append(batch)
            held += batch.num_rows
            while held >= _BATCH_ROWS:
                table = pa.Table.from_batches(waiting)
                writer.write_table(table.slice(0, _BATCH_ROWS).cast(schema))
                rows += _BATCH_ROWS
                rest = table.slice(_BATCH_ROWS)
                held, waiting = rest.num_rows, rest.to_batches()
        if held:
            writer.write_table(pa.Table.from_batches(waiting).cast(schema))
    return rows + held
