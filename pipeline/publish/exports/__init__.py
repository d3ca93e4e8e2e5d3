"""The files of a released folder, pages apart. Only a `Released` gets this far."""

import json
from pathlib import Path

from pipeline.publish.exports.csv_tables import csv_text, csvw
from pipeline.publish.exports.description import Words, describe
from pipeline.publish.exports.gemini import gemini_xml, qgis_metadata
from pipeline.publish.exports.geojson import geojson_text
from pipeline.publish.exports.geopackage import Extra, Sheet, geopackage_bytes
from pipeline.publish.exports.geoparquet import flatgeobuf_bytes, geoparquet_bytes
from pipeline.publish.exports.layers import Layer, layers_of
from pipeline.publish.exports.qgis_styles import rate_limits, styles_of
from pipeline.release.released import Released
from pipeline.storage.files import write_bytes, write_json, write_text
from pipeline.tables import AREA_COUNTS, CIRCUMSTANCES

__all__ = ["csv_text", "geojson_text", "layers_of", "rate_limits", "write_exports"]


def write_exports(
    released: Released,
    folder: Path,
    *,
    geopackage: bool = True,
    geoparquet: bool = False,
    flatgeobuf: bool = False,
) -> None:
    """Write the layers, the tables, their metadata and release.json of one profile.

    Parameters
    ----------
    released
        What passed the gate.
    folder
        Where to write; made if missing.
    geopackage
        Whether to write hotspots.gpkg.
    geoparquet, flatgeobuf
        Whether to write <layer>.parquet and <layer>.fgb too.
    """
    layers, words = layers_of(released), describe(released)
    formats = [("GeoJSON (RFC 7946)", ""), ("CSV (RFC 4180)", "")]
    formats += [("GeoPackage", "1.3")] if geopackage else []
    formats += [("GeoParquet", "1.1.0")] if geoparquet else []
    formats += [("FlatGeobuf", "3")] if flatgeobuf else []
    record = gemini_xml(words, formats)
    for layer in layers:
        members = _members(layer, words)
        write_text(
            folder / f"{layer.name}.geojson", geojson_text(layer.frame, key=layer.key, name=layer.name, members=members)
        )
        if geoparquet:
            write_bytes(folder / f"{layer.name}.parquet", geoparquet_bytes(layer, words))
        if flatgeobuf:
            write_bytes(folder / f"{layer.name}.fgb", flatgeobuf_bytes(layer, words))
    if geopackage:
        extra = Extra(styles_of(released, layers), _sheets(released, layers, words, record), words.stamp)
        content = geopackage_bytes(layers, extra=extra, beside=folder / "hotspots.part.gpkg")
        write_bytes(folder / "hotspots.gpkg", content)
    write_text(folder / "hotspots.xml", record)
    sheets = [(AREA_COUNTS, released.counts, "counts by area, period and category")]
    if len(released.circumstances):
        sheets.append((CIRCUMSTANCES, released.circumstances, "what partnerships ask first"))
    for table, frame, title in sheets:
        name = f"{table.name}.csv"
        write_bytes(folder / name, csv_text(table.conform(frame)).encode("utf-8"))
        write_json(folder / f"{name}-metadata.json", csvw(table, words, url=name, title=title))
    write_json(folder / "release.json", released.record)


def _members(layer: Layer, words: Words) -> dict[str, str]:
    """Return what a GeoJSON file says about itself, as foreign members of the collection."""
    return {
        "title": layer.title,
        "description": f"{layer.text} {words.abstract}",
        "attribution": words.publisher,
        "licence": words.licence,
        "lineage": words.lineage,
        "contact": words.contact,
    }


def _sheets(released: Released, layers: tuple[Layer, ...], words: Words, record: str) -> tuple[Sheet, ...]:
    """Return the metadata of the GeoPackage: the GEMINI record, release.json, and what QGIS shows on each layer."""
    decision = json.dumps(released.record, ensure_ascii=False, sort_keys=True, default=str)
    return (
        Sheet("http://www.isotc211.org/2005/gmd", "text/xml", record),
        Sheet("https://www.rfc-editor.org/rfc/rfc8259", "application/json", decision),
        *(Sheet("http://mrcc.com/qgis.dtd", "text/xml", qgis_metadata(words, layer), layer.name) for layer in layers),
    )
