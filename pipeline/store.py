"""Stage tables on disk: Parquet, held to their contract when written and when read."""

import io
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from pipeline.errors import InputError
from pipeline.records import write_bytes
from pipeline.schemas import Table

__all__ = ["read_layer", "read_table", "write_layer", "write_table"]


def write_table(path: Path, table: Table, frame: pd.DataFrame) -> None:
    """Hold a frame to its contract and write it as Parquet; geometry goes in as WKB."""
    out = table.conform(pd.DataFrame(frame))
    for column in table.columns:
        if column.kind == "geometry":
            out[column.name] = shapely.to_wkb(out[column.name].to_numpy())
    buffer = io.BytesIO()
    out.to_parquet(buffer, index=False, compression="zstd")
    write_bytes(path, buffer.getvalue())


def read_table(path: Path, table: Table, *, crs: str | None = None) -> Any:
    """Read a table back and hold it to its contract; with geometry it is a GeoDataFrame in `crs`."""
    if not path.is_file():
        raise InputError(f"{path} is missing: run the earlier stages with `hotspots run`")
    frame = table.conform(pd.read_parquet(path))
    geometry = next((c.name for c in table.columns if c.kind == "geometry"), None)
    if geometry is None:
        return frame
    shapes = gpd.GeoSeries(shapely.from_wkb(frame[geometry].to_numpy()), crs=crs)
    return gpd.GeoDataFrame(frame.drop(columns=geometry), geometry=shapes)


def write_layer(path: Path, layer: gpd.GeoDataFrame) -> None:
    """Write a layer that is no contract table, as GeoParquet."""
    buffer = io.BytesIO()
    layer.to_parquet(buffer, index=False, compression="zstd")
    write_bytes(path, buffer.getvalue())


def read_layer(path: Path) -> gpd.GeoDataFrame:
    """Read such a layer."""
    if not path.is_file():
        raise InputError(f"{path} is missing: run the earlier stages with `hotspots run`")
    return gpd.read_parquet(path)
