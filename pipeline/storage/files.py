"""Files of a run (texts, JSON, and tables as Parquet): written completely or not at all, with reproducible bytes."""

import hashlib
import io
import json
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError

if TYPE_CHECKING:  # commands that only read JSON load no array library
    import pandas as pd

    from pipeline.tables import Table

__all__ = [
    "digest",
    "read_batches",
    "read_columns",
    "read_json",
    "read_layer",
    "read_table",
    "write_bytes",
    "write_json",
    "write_layer",
    "write_private",
    "write_table",
    "write_text",
]


def write_bytes(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Replace a file atomically, with permissions no wider than `mode`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def write_private(path: Path, text: str) -> None:
    """Write UTF-8 text that only the owner of the file may read."""
    write_bytes(path, text.encode("utf-8"), mode=0o600)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON for people and programs: sorted keys, two spaces, no NaN."""
    text = json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False, default=_plain)
    write_text(path, text + "\n")


def _plain(value: object) -> object:
    """Convert NumPy scalars, paths and frozen sets to JSON types."""
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, set | frozenset):
        return sorted(value)
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises
    ------
    InputError
        If the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `hotspots run` first") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is damaged ({error}): run `hotspots run --force`") from None


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Tables between stages: Parquet, checked against their contract when written and when read.

_LEVEL = 1  # of zstd: stage tables are read again within the minute


def write_table(path: Path, table: "Table", frame: "pd.DataFrame") -> None:
    """Check a frame against its contract and write it as Parquet; geometry is stored as WKB."""
    import pandas as pd

    out = table.conform(pd.DataFrame(frame))
    for column in table.columns:
        if column.kind == "geometry":
            import shapely

            out[column.name] = shapely.to_wkb(out[column.name].to_numpy())
    buffer = io.BytesIO()
    out.to_parquet(buffer, index=False, compression="zstd", compression_level=_LEVEL)
    write_bytes(path, buffer.getvalue())


def read_table(path: Path, table: "Table", *, crs: str | None = None, months: Collection[int] | None = None) -> Any:
    """Read a table and check it against its contract; with geometry it is a GeoDataFrame in `crs`.

    `months` (yyyymm) are those to read; memory then follows their rows, and not the table.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: run the earlier stages with `hotspots run`")
    frame = table.conform(_read(path, months))
    geometry = next((c.name for c in table.columns if c.kind == "geometry"), None)
    if geometry is None:
        return frame
    import geopandas as gpd
    import shapely

    shapes = gpd.GeoSeries(shapely.from_wkb(frame[geometry].to_numpy()), crs=crs)
    return gpd.GeoDataFrame(frame.drop(columns=geometry), geometry=shapes)


def _read(path: Path, months: Collection[int] | None) -> "pd.DataFrame":
    """Read Parquet; integer columns stay integers even with empty values."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    kinds = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    with pq.ParquetFile(path, read_dictionary=_few_texts(path)) as file:
        if months is None:
            table = file.read()
        else:
            wanted = pa.array(sorted(months), pa.int64())
            # One group of rows at a time: the others are not held while it is filtered.
            groups = (file.read_row_group(number) for number in range(file.num_row_groups))
            kept = [rows.filter(pc.is_in(rows.column("month"), value_set=wanted)) for rows in groups]
            table = pa.concat_tables(kept) if kept else file.read()
        table = table.replace_schema_metadata(None)
    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(pa.large_string()))
    frame: pd.DataFrame = table.to_pandas(types_mapper=kinds.get, split_blocks=True, self_destruct=True)
    return frame


def _few_texts(path: Path) -> list[str]:
    """Return the text columns with repeated values: they are read dictionary-encoded and converted in one step."""
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
    """Write a layer without a table contract, as GeoParquet."""
    buffer = io.BytesIO()
    layer.to_parquet(buffer, index=False, compression="zstd")
    write_bytes(path, buffer.getvalue())


def read_batches(path: Path, columns: Sequence[str]) -> "Iterator[pd.DataFrame]":
    """Read some columns of a table without missing values, one group of rows after the other."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, columns=list(columns)).to_pandas()


def read_columns(
    parts: Sequence[Path], columns: Sequence[str], *, months: tuple[int, int] | None = None
) -> "pd.DataFrame":
    """Read some columns of all parts of a table; `months` are the first and last month to read (yyyymm)."""
    import pandas as pd

    chosen = None if months is None else [("month", ">=", months[0]), ("month", "<=", months[1])]
    frames = [pd.read_parquet(part, columns=list(columns), filters=chosen) for part in parts]
    return pd.concat(frames, ignore_index=True)


def read_layer(path: Path) -> Any:
    """Read a layer written by `write_layer`."""
    if not path.is_file():
        raise InputError(f"{path} is missing: run the earlier stages with `hotspots run`")
    import geopandas as gpd

    return gpd.read_parquet(path)
