"""Map files that GDAL reads (GeoJSON, GeoPackage, Shapefile, MapInfo TAB): points as rows of text, areas as shapes."""

import codecs
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ConfigError, InputError
from pipeline.ingest.formats.files import (
    NOT_A_POINT,
    AreaLayer,
    AreaRequest,
    Header,
    Opened,
    Opening,
    StageWriter,
    Unfolding,
    clean_names,
    require_columns,
    require_size,
)
from pipeline.storage.formats import FORMATS, by_ending, format_of

__all__ = ["as_text", "closed", "coordinates", "open_rows", "read_areas", "read_header"]


STAGE_ROWS = 50_000
MOST_AREAS = 1_000_000
POINT = 0


def open_rows(path: Path, how: Opening) -> Opened:
    """Open a layer of points that GDAL reads (see `Reader`).

    Raises
    ------
    InputError
        If GDAL cannot read it, it exceeds the limits, or the layer must be named.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    limits, layer = how.limits, how.layer
    require_size(path, limits=limits, whole=how.whole)
    unfolding = Unfolding(path, limits=limits)
    try:
        with closed(path) as source:
            layers = _layers(source, path=path, layer=layer)
            # As text, times keep the offset of each row; as timestamps, GDAL converts all of them to one offset, even
            # those without.
            opening = pyogrio.raw.open_arrow(
                source, layer=layer, use_pyarrow=True, batch_size=STAGE_ROWS, datetime_as_string=True
            )
            with opening as (meta, reader):
                geometry = meta["geometry_name"] or "wkb_geometry"
                names = [n for n in reader.schema.names if n not in {geometry, meta["fid_column"]}]
                require_columns(len(names), name=path.name, limits=limits)
                writer = StageWriter(how.folder / "rows.parquet", len(names))
                for batch in reader:
                    unfolding.add(batch.nbytes)
                    x, y, fault = coordinates(batch[geometry]) if geometry in batch.schema.names else (None, None, None)
                    fault = [None] * batch.num_rows if fault is None else fault
                    writer.write([as_text(batch[n]) for n in names], fault=fault, x=x, y=y)
                scan = writer.close()
    except (DataSourceError, DataLayerError) as error:
        raise _no_layer(path, error) from None
    return Opened(
        path.name,
        clean_names(names),
        scan,
        staged=True,
        has_geometry=meta["geometry_type"] is not None,
        crs=meta["crs"],
        beyond_degrees=writer.beyond_degrees,
        facts={"layer": layer or layers[0]},
    )


def read_header(path: Path, how: Opening) -> Header:
    """Return the columns of a layer, like `open_rows`, and whether it has a geometry, without reading rows.

    Raises
    ------
    InputError
        If GDAL cannot read it, or the layer must be named.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    require_size(path, limits=how.limits, whole=how.whole)
    try:
        with closed(path) as source:
            _layers(source, path=path, layer=how.layer)
            info = pyogrio.read_info(source, layer=how.layer)
    except (DataSourceError, DataLayerError) as error:
        raise _no_layer(path, error) from None
    return Header(clean_names([str(n) for n in info["fields"]]), info["geometry_type"] is not None)


def read_areas(path: Path, request: AreaRequest) -> AreaLayer:
    """Read a layer of areas that GDAL reads (see `Reader`).

    Raises
    ------
    InputError
        If GDAL cannot read it, the layer must be named, it has too many areas, or no area has an outline.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    key = request.key
    try:
        with closed(path) as source:
            layers = [str(n) for n in pyogrio.list_layers(source)[:, 0]]
            if request.layer is None and len(layers) > 1:
                raise InputError(f"{path.name} has several layers ({', '.join(layers)}): set {key}.layer")
            # Reading one more than the limit is enough to see that there are too many.
            frame = pyogrio.read_dataframe(
                source,
                layer=request.layer,
                max_features=MOST_AREAS + 1,
                read_geometry=request.shapes,
                encoding=_encoding(path, request),
            )
    except (DataSourceError, DataLayerError) as error:
        raise InputError(
            f"{path.name} cannot be read as boundaries ({key}): {str(error).rstrip('.')}. It is not a map layer, or is "
            "damaged or truncated: fetch or export it again"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name} ({key}): a text is not {request.encoding or error.encoding} "
            f"(byte 0x{error.object[error.start]:02x}): set {key}.encoding, for example latin-1 or cp1252"
        ) from None
    if not request.shapes:
        return AreaLayer(frame)
    if len(frame) > MOST_AREAS:
        raise InputError(f"{path.name} has more than {MOST_AREAS:,} areas ({key}): name a layer of areas")
    if "geometry" not in frame.columns:
        raise InputError(f"{path.name} has no outlines ({key}): it is a table. Use a boundary file")
    return AreaLayer(frame.drop(columns="geometry"), np.asarray(frame.geometry.array, dtype=object), frame.crs)


def _encoding(path: Path, request: AreaRequest) -> str | None:
    """Return the encoding of texts: only the older formats Shapefile and MapInfo TAB can have different ones."""
    if request.encoding is None:
        return None
    kind = by_ending(path)
    if kind is None or not kind.companions:
        raise ConfigError(
            f"{request.key}.encoding is for Shapefile and MapInfo TAB, but {path.name} is always UTF-8: remove this "
            "setting"
        )
    try:
        return codecs.lookup(request.encoding).name
    except LookupError:
        raise ConfigError(
            f"{request.key}.encoding: {request.encoding!r} is not known: use for example utf-8, latin-1 or cp1252"
        ) from None


def _layers(source: str, *, path: Path, layer: str | None) -> list[str]:
    """Return the layer of a file; refuse a missing layer, or several layers without a choice."""
    import pyogrio

    layers = [str(n) for n in pyogrio.list_layers(source)[:, 0]]
    if layer is None and len(layers) > 1:
        raise InputError(f"{path.name} has several layers ({', '.join(layers)}): set `layer` for this source")
    if layer is not None and layer not in layers:
        raise InputError(f"{path.name} has no layer {layer!r}; it has {', '.join(layers)}")
    return layers


def _no_layer(path: Path, error: Exception) -> InputError:
    return InputError(f"{path.name} cannot be read as a map layer ({error}): check the file and `format`")


def as_text(values: Any) -> Any:
    """Return a column of any type as readable text; a timestamp with a time zone is given in UTC, marked as such."""
    if pa.types.is_timestamp(values.type) and values.type.tz is not None:
        instants = pc.cast(pc.cast(values, pa.int64()), pa.timestamp(values.type.unit))
        return pc.strftime(instants, format="%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        return pc.strftime(values, format="%Y-%m-%d %H:%M:%S" if pa.types.is_timestamp(values.type) else "%Y-%m-%d")
    if pa.types.is_binary(values.type) or pa.types.is_nested(values.type):
        return pa.array([None if v is None else str(v) for v in values.to_pylist()], pa.string())
    return pc.cast(values, pa.string())


def coordinates(wkb: Any) -> tuple[Any, Any, list[str | None]]:
    """Return coordinates of points (binary WKB), with a fault for every other geometry."""
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


# The only access to GDAL: a map file is opened only in the format of its name, and cannot refer to other files.
# GDAL recognises a file by its content, and some of its formats only point to other files or addresses (VRT, WFS,
# GDALG). Even a GeoJSON may give an address as its coordinate system, which GDAL would then request.


# A proxy that does not exist: any remaining network request fails on this computer.
_NO_NETWORK = {
    "GDAL_HTTP_PROXY": "http://127.0.0.1:1",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_HTTP_TIMEOUT": "1",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
}


@contextmanager
def closed(path: Path) -> Iterator[str]:
    """Yield the name with which GDAL opens a file in the expected format; inside the block GDAL has no network access.

    Raises
    ------
    InputError
        If the file does not begin like files of its format.
    """
    import pyogrio

    with path.open("rb") as file:
        head = file.read(256).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    # With a stated format the extension may be anything: such a file must begin like some map file.
    maps = [f for f in FORMATS if f.is_map]
    meant = format_of(path)
    begins = [b for f in ([meant] if meant in maps else maps) for b in f.begins]
    if not any(head.startswith(b.lstrip().lower()) for b in begins):
        raise InputError(
            f"{path.name} does not match its extension: a map file is {', '.join(f.label for f in maps)} or "
            "GeoParquet, "
            "and begins like one. Use a file in one of these formats"
        )
    before = {name: pyogrio.get_gdal_config_option(name) for name in _NO_NETWORK}
    pyogrio.set_gdal_config_options(dict(_NO_NETWORK))
    try:
        with warnings.catch_warnings():
            # GDAL's warnings about single shapes are ignored: bad shapes are found and counted when the rows are read.
            warnings.simplefilter("ignore", RuntimeWarning)
            yield f"GeoJSON:{path.absolute()}" if head.startswith(b"{") else str(path)
    finally:
        pyogrio.set_gdal_config_options(before)
