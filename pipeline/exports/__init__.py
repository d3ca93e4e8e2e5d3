"""The files of a released folder, pages apart. Only a `Released` gets this far."""

from pathlib import Path

from pipeline.disclosure import Released, area_layer, density_layer, hotspot_layer
from pipeline.exports.geojson import geojson_text
from pipeline.exports.geopackage import geopackage_bytes
from pipeline.exports.tables import csv_text
from pipeline.schemas import AREA_COUNTS
from pipeline.records import write_bytes, write_json, write_text

__all__ = ["csv_text", "geojson_text", "geopackage_bytes", "write_exports"]


def write_exports(released: Released, folder: Path, *, geopackage: bool = True) -> None:
    """Write the GeoJSON layers, hotspots.gpkg, area_counts.csv and release.json of one profile."""
    layers = {
        "boroughs": (area_layer(released, level="borough"), "area_code"),
        "wards": (area_layer(released, level="ward"), "area_code"),
        "hotspots": (hotspot_layer(released), "hotspot_id"),
        "density": (density_layer(released), "density_id"),
    }
    for name, (layer, key) in layers.items():
        write_text(folder / f"{name}.geojson", geojson_text(layer, key=key, name=name))
    if geopackage:
        content = geopackage_bytes({n: layer for n, (layer, _) in layers.items()}, stamp=released.info.headline.end)
        write_bytes(folder / "hotspots.gpkg", content)
    write_bytes(folder / "area_counts.csv", csv_text(AREA_COUNTS.conform(released.counts)).encode("utf-8"))
    write_json(folder / "release.json", released.record)
