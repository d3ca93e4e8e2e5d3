"""Parquet and GeoParquet: rows as text, areas as shapes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import Run
from pipeline.errors import InputError
from pipeline.ingest.formats.files import (
    AreaLayer,
    AreaRequest,
    Header,
    Opened,
    Opening,
    StageWriter,
    clean_names,
    find_columns,
    first_line,
    require_columns,
    require_size,
    unfolds,
)
from pipeline.ingest.formats.vector import as_text, coordinates
from pipeline.storage.duckdb import exact, literal

__all__ = ["open_rows", "read_areas", "read_header"]

STAGE_ROWS = 50_000


def parquet_schema(path: Path, *, limits: Run, whole: bool = False) -> Any:
    """Return the Arrow schema of a Parquet file within the limits.

    A Parquet file may store a billion equal cells in a few bytes, so its size is estimated as at least one byte for
    every cell, as in a text file.

    Raises
    ------
    InputError
        If it is not a Parquet file, or exceeds the limits.
    """
    require_size(path, limits=limits, whole=whole)
    try:
        found = pq.read_metadata(path)
        schema = found.schema.to_arrow_schema()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path.name} cannot be read as Parquet ({first_line(error)}): check the file and `format`"
        ) from None
    require_columns(found.num_columns, name=path.name, limits=limits)
    bytes_ = sum(found.row_group(i).total_byte_size for i in range(found.num_row_groups))
    unfolds(path, size=max(bytes_, found.num_rows * found.num_columns), limits=limits, whole=whole)
    return schema


def open_rows(path: Path, how: Opening) -> Opened:
    """Open a Parquet or GeoParquet file of rows (see `Reader`).

    Raises
    ------
    InputError
        If it is not a Parquet file, exceeds the limits, or has an unknown kind of geometry.
    """
    schema = parquet_schema(path, limits=how.limits, whole=how.whole)
    if b"geo" in (schema.metadata or {}):
        return _open_geoparquet(path, schema=schema, how=how)
    # Columns by position: names may be blank, repeated, or differ only in case, which the database ignores.
    # A time of day has no time zone: Parquet writers mark it as UTC by convention.
    chosen = ", ".join(
        f"CAST(CAST(p{i} AS TIME) AS VARCHAR) AS c{i}" if pa.types.is_time(t) else f"CAST(p{i} AS VARCHAR) AS c{i}"
        for i, t in enumerate(schema.types)
    )
    named = ", ".join(f"p{i}" for i in range(len(schema.names)))
    rows = f"read_parquet({literal(exact(path))}, hive_partitioning=false) AS rows_of_file({named})"
    return Opened(path.name, clean_names(schema.names), f"(SELECT {chosen} FROM {rows})")


def read_header(path: Path, how: Opening) -> Header:
    """Return the columns of a Parquet file, as `open_rows` finds them, and whether it has a geometry.

    Raises
    ------
    InputError
        As `open_rows`.
    """
    schema = parquet_schema(path, limits=how.limits, whole=how.whole)
    if b"geo" not in (schema.metadata or {}):
        return Header(clean_names(schema.names))
    geometry = _geometry(path, schema)[0]
    at = schema.names.index(geometry)
    return Header(clean_names([n for i, n in enumerate(schema.names) if i != at]), has_geometry=True)


def read_areas(path: Path, request: AreaRequest) -> AreaLayer:
    """Read areas from GeoParquet; without their shapes, only the requested columns (see `Reader`).

    Raises
    ------
    InputError
        If it is not a GeoParquet file, exceeds the limits, or lacks a column.
    """
    schema = parquet_schema(path, limits=request.limits, whole=True)
    if not request.shapes:
        find_columns(request.columns, schema.names, file=path.name)
        wanted = {" ".join(name.split()).casefold() for _, name in request.columns}
        chosen = [n for n in schema.names if " ".join(n.split()).casefold() in wanted]
        return AreaLayer(pq.read_table(path, columns=chosen).to_pandas(ignore_metadata=True))
    import geopandas as gpd

    try:
        frame = gpd.read_parquet(path)
    except (ValueError, TypeError, KeyError, OSError, pa.ArrowException) as error:
        raise InputError(f"{path.name} cannot be read as boundaries ({request.key}): {first_line(error)}") from None
    shapes = np.asarray(frame.geometry.array, dtype=object)
    return AreaLayer(frame.drop(columns=frame.geometry.name), shapes, frame.crs)


def _open_geoparquet(path: Path, *, schema: Any, how: Opening) -> Opened:
    """Stage the rows of a GeoParquet file in batches of limited size."""
    geometry, encoding, system = _geometry(path, schema)
    at = schema.names.index(geometry)
    others = [i for i in range(len(schema.names)) if i != at]
    writer = StageWriter(how, len(others))
    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=STAGE_ROWS):
            x, y, fault = coordinates(_wkb(batch.column(at), encoding))
            writer.write([as_text(batch.column(i)) for i in others], fault=fault, x=x, y=y)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path.name} cannot be read as GeoParquet ({first_line(error)}): export it again") from None
    return Opened(
        path.name,
        clean_names([schema.names[i] for i in others]),
        writer.close(),
        staged=True,
        has_geometry=True,
        crs=system,
        beyond_degrees=writer.beyond_degrees,
        facts={"layer": geometry},
    )


def _geometry(path: Path, schema: Any) -> tuple[str, str, Any]:
    """Return the geometry column, its encoding and its coordinate system, from the file's metadata."""
    import pyproj

    try:
        described = json.loads(schema.metadata[b"geo"])
        name = described["primary_column"]
        about = described["columns"][name]
        encoding = str(about.get("encoding", "WKB"))
        given = about.get("crs", "OGC:CRS84")
        system = None if given is None else pyproj.CRS.from_user_input(given)
    except (ValueError, KeyError, TypeError, AttributeError, pyproj.exceptions.CRSError) as error:
        raise InputError(
            f"{path.name} describes its geometry wrongly ({first_line(error)}): export it as GeoParquet again"
        ) from None
    if name not in schema.names or encoding not in {"WKB", "point"}:
        raise InputError(
            f"{path.name} has no column {name!r} of points (its encoding is {encoding}): export points as GeoParquet "
            "with WKB geometry"
        )
    return str(name), encoding, system


def _wkb(values: Any, encoding: str) -> Any:
    """Return a geometry column as WKB."""
    if encoding == "WKB":
        return values
    import shapely

    x, y = (np.asarray(values.field(n).to_numpy(zero_copy_only=False), dtype=float) for n in ("x", "y"))
    points = np.where(np.asarray(values.is_null()) | np.isnan(x) | np.isnan(y), None, shapely.points(x, y))
    return pa.array(shapely.to_wkb(points).tolist(), pa.binary())
