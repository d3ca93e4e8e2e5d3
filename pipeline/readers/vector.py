"""Vector formats and Parquet, brought into the shape of a text file."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import InputError
from pipeline.readers.gdal import closed
from pipeline.readers.opened import NOT_A_POINT, Opened, StageWriter, clean_names
from pipeline.readers.sql import identifier, literal

__all__ = ["open_parquet", "open_vector"]

STAGE_ROWS = 50_000
POINT = 0


def open_vector(path: Path, *, layer: str | None, folder: Path) -> Opened:
    """Open a layer of points: GeoJSON, GeoPackage, Shapefile or MapInfo TAB.

    Parameters
    ----------
    path
        The file.
    layer
        Its layer, needed where there are several.
    folder
        Where the rows are staged.

    Raises
    ------
    InputError
        If GDAL cannot read it, or the layer must be named.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        with closed(path) as source:
            layers = [str(n) for n in pyogrio.list_layers(source)[:, 0]]
            if layer is None and len(layers) > 1:
                raise InputError(f"{path.name} has several layers ({', '.join(layers)}): set `layer` for this source")
            if layer is not None and layer not in layers:
                raise InputError(f"{path.name} has no layer {layer!r}; it has {', '.join(layers)}")
            with pyogrio.raw.open_arrow(source, layer=layer, use_pyarrow=True, batch_size=STAGE_ROWS) as (meta, reader):
                geometry = meta["geometry_name"] or "wkb_geometry"
                names = [n for n in reader.schema.names if n not in {geometry, meta["fid_column"]}]
                writer = StageWriter(folder / "rows.parquet", len(names))
                for batch in reader:
                    x, y, fault = (
                        _coordinates(batch[geometry]) if geometry in batch.schema.names else (None, None, None)
                    )
                    fault = [None] * batch.num_rows if fault is None else fault
                    writer.write([_as_text(batch[n]) for n in names], fault=fault, x=x, y=y)
                scan = writer.close()
    except (DataSourceError, DataLayerError) as error:
        raise InputError(f"{path.name} cannot be read as a map layer ({error}): check the file and `format`") from None
    return Opened(
        path.name,
        clean_names(names),
        scan,
        staged=True,
        has_geometry=meta["geometry_type"] is not None,
        crs=meta["crs"],
        facts={"layer": layer or layers[0]},
    )


def _as_text(values: Any) -> Any:
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        return pc.strftime(values, format="%Y-%m-%d %H:%M:%S" if pa.types.is_timestamp(values.type) else "%Y-%m-%d")
    if pa.types.is_binary(values.type) or pa.types.is_nested(values.type):
        return pa.array([None if v is None else str(v) for v in values.to_pylist()], pa.string())
    return pc.cast(values, pa.string())


def _coordinates(wkb: Any) -> tuple[Any, Any, list[str | None]]:
    """Coordinates of points, with a fault for every geometry that is something else."""
    import shapely

    shapes = shapely.from_wkb(np.asarray(wkb.to_pylist(), dtype=object), on_invalid="ignore")
    single = (shapely.get_type_id(shapes) == 4) & (shapely.get_num_geometries(shapes) == 1)
    shapes = np.where(single, shapely.get_geometry(shapes, 0), shapes)
    is_point = shapely.get_type_id(shapes) == POINT
    blank = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    points = np.where(is_point & ~blank, shapes, None)
    x, y = shapely.get_x(points), shapely.get_y(points)
    fault = [None if sound else NOT_A_POINT for sound in is_point | blank]
    return pa.array(x, mask=blank | ~is_point), pa.array(y, mask=blank | ~is_point), fault


def open_parquet(path: Path, *, folder: Path) -> Opened:
    """Open a Parquet or GeoParquet file of rows.

    Raises
    ------
    InputError
        If it is not a Parquet file.
    """
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path.name} cannot be read as Parquet ({error}): check the file and `format`") from None
    if b"geo" in (schema.metadata or {}):
        return _open_geoparquet(path, folder=folder)
    chosen = ", ".join(f"CAST({identifier(n)} AS VARCHAR) AS c{i}" for i, n in enumerate(schema.names))
    return Opened(path.name, clean_names(schema.names), f"(SELECT {chosen} FROM read_parquet({literal(str(path))}))")


def _open_geoparquet(path: Path, *, folder: Path) -> Opened:
    import geopandas as gpd

    frame = gpd.read_parquet(path)
    names = [str(n) for n in frame.columns if n != frame.geometry.name]
    writer = StageWriter(folder / "rows.parquet", len(names))
    for start in range(0, len(frame), STAGE_ROWS):
        part = frame.iloc[start : start + STAGE_ROWS]
        x, y, fault = _coordinates(pa.array(part.geometry.to_wkb(), pa.binary()))
        table = pa.Table.from_pandas(part[names], preserve_index=False)
        writer.write([_as_text(table[n].combine_chunks()) for n in names], fault=fault, x=x, y=y)
    return Opened(
        path.name,
        clean_names(names),
        writer.close(),
        staged=True,
        has_geometry=True,
        crs=frame.crs,
        facts={"layer": frame.geometry.name},
    )
