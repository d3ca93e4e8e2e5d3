"""Stage tables on disk: Parquet, held to their contract when written and when read."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import InputError
from pipeline.storage.files import write_bytes
from pipeline.tables import Table

__all__ = ["read_columns", "read_layer", "read_table", "write_layer", "write_table"]

_LEVEL = 1  # of zstd: stage tables are read again within the minute


def write_table(path: Path, table: Table, frame: pd.DataFrame) -> None:
    """Hold a frame to its contract and write it as Parquet; geometry goes in as WKB."""
    out = table.conform(pd.DataFrame(frame))
    for column in table.columns:
        if column.kind == "geometry":
            import shapely

            out[column.name] = shapely.to_wkb(out[column.name].to_numpy())
    buffer = io.BytesIO()
    out.to_parquet(buffer, index=False, compression="zstd", compression_level=_LEVEL)
    write_bytes(path, buffer.getvalue())


def read_table(path: Path, table: Table, *, crs: str | None = None) -> Any:
    """Read a table back and hold it to its contract; with geometry it is a GeoDataFrame in `crs`."""
    if not path.is_file():
        raise InputError(f"{path} is missing: run the earlier stages with `hotspots run`")
    frame = table.conform(_read(path))
    geometry = next((c.name for c in table.columns if c.kind == "geometry"), None)
    if geometry is None:
        return frame
    import geopandas as gpd
    import shapely

    shapes = gpd.GeoSeries(shapely.from_wkb(frame[geometry].to_numpy()), crs=crs)
    return gpd.GeoDataFrame(frame.drop(columns=geometry), geometry=shapes)


def _read(path: Path) -> pd.DataFrame:
    """Read Parquet; whole numbers stay whole, whether or not some are empty."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    with pq.ParquetFile(path, read_dictionary=_few_texts(path)) as file:
        table = file.read().replace_schema_metadata(None)
    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(pa.large_string()))
    frame: pd.DataFrame = table.to_pandas(types_mapper=kinds.get, split_blocks=True, self_destruct=True)
    return frame


def _few_texts(path: Path) -> list[str]:
    """Name the columns of texts that repeat: they are read as numbers first, and written out in one go."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if not file.metadata.num_row_groups:
            return []
        schema, group = file.schema_arrow, file.metadata.row_group(0)
        texts = [i for i, field in enumerate(schema) if pa.types.is_string(field.type)]
        chunks = {schema.names[i]: group.column(i) for i in texts} if group.num_columns == len(schema) else {}
    return [n for n, c in chunks.items() if c.has_dictionary_page and c.total_uncompressed_size < 4 * c.num_values]


def write_layer(path: Path, layer: Any) -> None:
    """Write a layer that is no contract table, as GeoParquet."""
    buffer = io.BytesIO()
    layer.to_parquet(buffer, index=False, compression="zstd")
    write_bytes(path, buffer.getvalue())


def read_columns(
    parts: Sequence[Path], columns: Sequence[str], *, months: tuple[int, int] | None = None
) -> pd.DataFrame:
    """Read some columns of parts of one table, put together; `months` are the first and last wanted (yyyymm)."""
    chosen = None if months is None else [("month", ">=", months[0]), ("month", "<=", months[1])]
    frames = [pd.read_parquet(part, columns=list(columns), filters=chosen) for part in parts]
    return pd.concat(frames, ignore_index=True)


def read_layer(path: Path) -> Any:
    """Read such a layer."""
    if not path.is_file():
        raise InputError(f"{path} is missing: run the earlier stages with `hotspots run`")
    import geopandas as gpd

    return gpd.read_parquet(path)
