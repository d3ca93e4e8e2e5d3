"""Map files that GDAL reads (see `FORMATS`): points as rows of text, areas as shapes."""

import codecs
import os
import re
import shutil
import tempfile
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
from pipeline.storage.formats import Format, by_content, by_ending, format_of, is_geodatabase

__all__ = ["as_text", "closed", "coordinates", "list_tables", "open_rows", "read_areas", "read_header"]


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
            layer = _layer(source, path=path, layer=layer, key="`layer` for this source")
            unused = _unused(source, path=path, layer=layer)
            # As text, times keep the offset of each row; as timestamps, GDAL converts all of them to one offset, even
            # those without.
            opening = pyogrio.raw.open_arrow(
                source,
                layer=layer,
                encoding=_stated_encoding(path, how),
                use_pyarrow=True,
                batch_size=STAGE_ROWS,
                datetime_as_string=True,
            )
            with opening as (meta, reader):
                geometry = meta["geometry_name"] or "wkb_geometry"
                names = [n for n in reader.schema.names if n not in {geometry, meta["fid_column"], *unused}]
                require_columns(len(names), name=path.name, limits=limits)
                writer = StageWriter(how, len(names))
                # ArcGIS marks every time in a geodatabase as UTC, whatever was entered, and shows it as it was entered.
                clock = _as_entered if is_geodatabase(path) else as_text
                for batch in reader:
                    unfolding.add(batch.nbytes)
                    x, y, fault = coordinates(batch[geometry]) if geometry in batch.schema.names else (None, None, None)
                    fault = [None] * batch.num_rows if fault is None else fault
                    writer.write([clock(batch[n]) for n in names], fault=fault, x=x, y=y)
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
        facts={"layer": layer},
        cautions=_cut_by_service(path),
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
            layer = _layer(source, path=path, layer=how.layer, key="`layer` for this source")
            unused = _unused(source, path=path, layer=layer)
            info = pyogrio.read_info(source, layer=layer, encoding=_stated_encoding(path, how))
    except (DataSourceError, DataLayerError) as error:
        raise _no_layer(path, error) from None
    names = [str(n) for n in info["fields"] if n not in unused]
    return Header(clean_names(names), info["geometry_type"] is not None)


def list_tables(path: Path, how: Opening) -> tuple[tuple[str, str | None], ...]:
    """Return the name and the kind of geometry of every layer with rows; the kind is None for a table.

    Raises
    ------
    InputError
        If GDAL cannot read the file, or it exceeds the limits.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    require_size(path, limits=how.limits, whole=how.whole)
    try:
        with closed(path) as source:
            layers = [(str(name), kind) for name, kind in pyogrio.list_layers(source).tolist() if name != _STYLES]
            rows = {n: pyogrio.read_info(source, layer=n, force_feature_count=True)["features"] for n, _ in layers}
    except (DataSourceError, DataLayerError) as error:
        raise _no_layer(path, error) from None
    return tuple((name, kind) for name, kind in layers if rows[name])


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
            layer = _layer(source, path=path, layer=request.layer, key=f"{key}.layer", areas=True)
            # Reading one more than the limit is enough to see that there are too many.
            frame = pyogrio.read_dataframe(
                source,
                layer=layer,
                max_features=MOST_AREAS + 1,
                read_geometry=request.shapes,
                encoding=_encoding(path, request),
            )
    except (DataSourceError, DataLayerError) as error:
        raise InputError(
            f"{path.name} cannot be read as boundaries ({key}): {_reason(error, path)}. It is not a map layer, or is "
            "damaged or truncated: fetch or export it again, for example as GeoPackage"
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
    if kind is None or not kind.encoded:
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


_STYLES = "layer_styles"  # QGIS's styles, a table in a GeoPackage


def _layer(source: str, *, path: Path, layer: str | None, key: str, areas: bool = False) -> str:
    """Return the layer to read: the one that is named, or the only one with rows; for areas, with a geometry."""
    import pyogrio

    kinds = {str(name): kind for name, kind in pyogrio.list_layers(source).tolist()}
    if layer is not None:
        if layer not in kinds:
            raise InputError(f"{path.name} has no layer {layer!r}; it has {', '.join(kinds) or 'none'}")
        return layer
    found = [n for n, kind in kinds.items() if n != _STYLES and (kind is not None or not areas)]
    if not found:
        what = f"only tables ({', '.join(kinds)}), no layer with outlines" if kinds else "no layer"
        raise InputError(f"{path.name} has {what}: use a file of areas, or export the layer that is meant")
    if len(found) > 1:
        # Some formats have a fixed set of layers, most of them empty.
        rows = {n: int(pyogrio.read_info(source, layer=n, force_feature_count=True)["features"]) for n in found}
        filled = [n for n in found if rows[n]]
        if len(filled) != 1:
            listed = ", ".join(f"{n}: {rows[n]:,} rows, {kinds[n] or 'a table'}" for n in filled or found)
            raise InputError(f"{path.name} has several layers ({listed}): set {key} to one of them")
        found = filled
    return found[0]


_KML_FIELDS = frozenset(
    {"Name", "description", "timestamp", "begin", "end", "altitudeMode", "tessellate", "extrude", "visibility",
     "drawOrder", "icon", "snippet"}
)  # fmt: skip
_KML_UNSET = {"-1", "0", ""}  # of `tessellate`, `extrude` and `visibility`


def _unused(source: str, *, path: Path, layer: str) -> frozenset[str]:
    """Return the columns that GDAL gives every KML and GPX layer, and that hold nothing in this one.

    A blank column named `timestamp` would otherwise be taken for the date.
    """
    import pyogrio

    kind = format_of(path)
    if kind is None or kind.name not in {"kml", "gpx"}:
        return frozenset()
    names = [str(n) for n in pyogrio.read_info(source, layer=layer)["fields"]]
    blank = {n for n in names if kind.name == "gpx" or n in _KML_FIELDS}
    opening = pyogrio.raw.open_arrow(
        source, layer=layer, columns=sorted(blank), read_geometry=False, use_pyarrow=True, batch_size=STAGE_ROWS,
        datetime_as_string=True,
    )  # fmt: skip
    with opening as (_, reader):
        for batch in reader:
            for name in sorted(blank & set(batch.schema.names)):
                texts = pc.unique(pc.fill_null(as_text(batch[name]), "")).to_pylist()
                if set(texts) - (_KML_UNSET if kind.name == "kml" else {""}):
                    blank.discard(name)
    return frozenset(blank)


_CUT = re.compile(rb'"exceededTransferLimit"\s*:\s*true')


def _cut_by_service(path: Path) -> tuple[str, ...]:
    """Say that an Esri service had more rows than it sent, if its answer states so, at the start or the end."""
    kind = format_of(path)
    if kind is None or kind.name not in {"esrijson", "geojson"}:
        return ()
    with path.open("rb") as file:
        start = file.read(1 << 16)
        file.seek(max(0, path.stat().st_size - (1 << 12)))
        if not _CUT.search(start) and not _CUT.search(file.read()):
            return ()
    caution = (
        f"{path.name}: the service that sent it had more rows than it sends at once (`exceededTransferLimit`): fetch "
        "the rest too (`resultOffset`), and name all files in `paths`."
    )
    return (caution,)


def _stated_encoding(path: Path, how: Opening) -> str | None:
    """Return the encoding of rows in formats that can have different ones; None for what the file states."""
    kind = format_of(path)
    plain = codecs.lookup(how.encoding).name if _is_codec(how.encoding) else how.encoding
    return plain if kind is not None and kind.encoded and plain != "utf-8" else None


def _is_codec(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def _reason(error: Exception, path: Path) -> str:
    """Return what GDAL says of a file, without the folder: that of a file in an archive means nothing to a reader."""
    return str(error).replace(f"{path.parent.absolute()}{os.sep}", "").rstrip(".")


def _no_layer(path: Path, error: Exception) -> InputError:
    kind = by_content(path)
    what = kind.label if kind else "a map layer"
    return InputError(
        f"{path.name} cannot be read as {what} ({_reason(error, path)}): check the file and `format`, or export the "
        "layer again, for example as GeoPackage"
    )


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


_MOMENT_IN_UTC = r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?)Z$"


def _as_entered(values: Any) -> Any:
    """Return a column as text, times without their mark of UTC."""
    texts = as_text(values)
    return pc.replace_substring_regex(texts, _MOMENT_IN_UTC, r"\1") if pa.types.is_string(texts.type) else texts


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

    kind, meant = by_content(path), format_of(path)
    if kind is None or not kind.is_map or (meant is not None and meant.is_map and kind is not meant):
        raise InputError(
            f"{path.name} does not match its extension: it does not begin like a map file. Use GeoPackage, GeoJSON, "
            "Shapefile, an Esri file geodatabase, GML, KML, FlatGeobuf, MapInfo TAB or GeoParquet"
        )
    if kind.begins == (b"<",):
        _require_plain_xml(path)
    before = {name: pyogrio.get_gdal_config_option(name) for name in _NO_NETWORK}
    pyogrio.set_gdal_config_options(dict(_NO_NETWORK))
    try:
        with warnings.catch_warnings(), _apart(path, kind) as there:
            # GDAL's warnings about single shapes are ignored: bad shapes are found and counted when the rows are read.
            warnings.simplefilter("ignore", RuntimeWarning)
            yield f"{kind.prefix}{there.absolute()}" if kind.prefix else str(there)
    finally:
        pyogrio.set_gdal_config_options(before)


_POINTS_ELSEWHERE = re.compile(rb"<OGR\w*DataSource|<!DOCTYPE|<!ENTITY")


def _require_plain_xml(path: Path) -> None:
    """Refuse XML that GDAL might take for one of its formats that only name other files or addresses."""
    with path.open("rb") as file:
        if _POINTS_ELSEWHERE.search(file.read(1 << 16)):
            raise InputError(
                f"{path.name} refers to other files or declares a document type, which map files do not need: export "
                "it again as GeoPackage"
            )


@contextmanager
def _apart(path: Path, kind: Format) -> Iterator[Path]:
    """Yield a link to a GML file in a folder of its own: GDAL writes a description (.gfs) beside the file it opens."""
    if kind.name != "gml":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="hotspots-") as name:
        folder = Path(name)
        for each in (path, path.with_suffix(".xsd")):
            if each.is_file():
                shutil.copyfile(each, folder / each.name)
        yield folder / path.name
