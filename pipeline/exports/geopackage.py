"""One GeoPackage with every layer in the working system: the format for QGIS and ArcGIS alike."""

import os
import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import pyogrio
import shapely

__all__ = ["geopackage_bytes"]


def geopackage_bytes(layers: Mapping[str, gpd.GeoDataFrame], *, stamp: str) -> bytes:
    """Write layers into one GeoPackage 1.3 and return the file.

    Parameters
    ----------
    layers
        Name to layer, written in this order as MultiPolygon.
    stamp
        ISO date that stands for the time of writing, so that equal layers give equal bytes.
    """
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    with tempfile.TemporaryDirectory(prefix="hotspots-") as folder:
        path = Path(folder) / "hotspots.gpkg"
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{stamp}T00:00:00Z"})
        try:
            for name, layer in layers.items():
                multi = layer.set_geometry(
                    gpd.GeoSeries([_multi(g) for g in layer.geometry], index=layer.index, crs=layer.crs)
                )
                pyogrio.write_dataframe(
                    multi,
                    path,
                    layer=name,
                    driver="GPKG",
                    append=path.exists(),
                    geometry_type="MultiPolygon",
                    dataset_options={"VERSION": "1.3"},
                    layer_options={"GEOMETRY_NAME": "geom", "FID": "fid", "SPATIAL_INDEX": "YES"},
                )
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
        _tidy(path)
        return path.read_bytes()


def _multi(shape: shapely.Geometry) -> shapely.Geometry:
    return shape if shape.geom_type == "MultiPolygon" else shapely.multipolygons([shape])


def _tidy(path: Path) -> None:
    """Leave no journal beside the file and no free page inside it."""
    connection = sqlite3.connect(os.fspath(path))
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("VACUUM")
        connection.commit()
    finally:
        connection.close()
