"""One GeoPackage with every layer in the working system: the format for QGIS and ArcGIS alike."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pyogrio

from pipeline.publish.exports.layers import Layer, arrow_table
from pipeline.publish.exports.registers import Extra, register

__all__ = ["GEOMETRY", "geopackage_bytes"]

GEOMETRY = "geom"
"""Name of the geometry column."""


def geopackage_bytes(layers: Sequence[Layer], *, extra: Extra, beside: Path) -> bytes:
    """Write layers into one GeoPackage 1.3 and return the file.

    Parameters
    ----------
    layers
        Written in this order, as MultiPolygon in the system of their frames.
    extra
        Styles, metadata and the date that stands for the time of writing.
    beside
        Path without a file; the GeoPackage is built there and taken away again, since SQLite needs a real file.

    Returns
    -------
    content
        The same bytes for the same layers: journal mode `delete`, no free page, no clock.
    """
    options = ("OGR_CURRENT_DATE", "OGR_SQLITE_SYNCHRONOUS")
    before = {name: pyogrio.get_gdal_config_option(name) for name in options}
    pyogrio.set_gdal_config_options(dict(zip(options, (f"{extra.stamp}T00:00:00.000Z", "OFF"), strict=True)))
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.unlink(missing_ok=True)
    try:
        for layer in layers:
            pyogrio.write_arrow(
                arrow_table(layer, geometry=GEOMETRY),
                beside,
                layer=layer.name,
                driver="GPKG",
                append=beside.exists(),
                geometry_name=GEOMETRY,
                geometry_type="MultiPolygon",
                crs=layer.frame.crs.to_string(),
                dataset_options={"VERSION": "1.3"},
                layer_options={"GEOMETRY_NAME": GEOMETRY, "FID": "fid", "SPATIAL_INDEX": "YES"},
            )
        _finish(beside, layers, extra)
        return beside.read_bytes()
    finally:
        pyogrio.set_gdal_config_options(before)
        beside.unlink(missing_ok=True)


def _finish(path: Path, layers: Sequence[Layer], extra: Extra) -> None:
    """Add what readers want to know, and leave no journal beside the file and no free page inside it."""
    connection = sqlite3.connect(os.fspath(path))
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA synchronous=OFF")
        with connection:
            register(connection, layers, extra)
        connection.execute("VACUUM")
    finally:
        connection.close()
