"""The files of a released folder that are not pages: layers, tables, their descriptions and release.json.

`write_exports` writes them all. `layers` makes the layers once for every format; `description` holds the words that
each format repeats about the release; the other modules write one format each.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from pipeline.aggregate.circumstances import variable_list
from pipeline.publish.exports.csv_tables import csv_text, csvw
from pipeline.publish.exports.description import Description, describe
from pipeline.publish.exports.gemini import gemini_xml, qgis_metadata
from pipeline.publish.exports.geojson import geojson_text
from pipeline.publish.exports.geopackage import GeoPackageExtras, MetadataDocument, geopackage_bytes
from pipeline.publish.exports.geoparquet import flatgeobuf_bytes, geoparquet_bytes
from pipeline.publish.exports.harm_columns import with_harm
from pipeline.publish.exports.layers import Layer, layers_of
from pipeline.publish.exports.qgis_styles import rate_limits, styles_of
from pipeline.publish.exports.workbook import workbook_of
from pipeline.publish.exports.workbook_ods import ods_bytes
from pipeline.publish.exports.workbook_xlsx import xlsx_bytes
from pipeline.release.released import Released
from pipeline.storage.files import write_bytes, write_json, write_text
from pipeline.tables import AREA_COUNTS, CIRCUMSTANCES, Level, Table, with_harm_columns

__all__ = [
    "ReleasedTable",
    "csv_text",
    "geojson_text",
    "layers_of",
    "rate_limits",
    "released_frames",
    "tables_of",
    "write_exports",
]


_WORKBOOKS = {"xlsx": ("Office Open XML (ISO/IEC 29500)", ""), "ods": ("OpenDocument (ISO/IEC 26300)", "1.3")}


def write_exports(
    released: Released,
    folder: Path,
    *,
    geopackage: bool = True,
    geoparquet: bool = False,
    flatgeobuf: bool = False,
    workbook: Literal["xlsx", "ods", "none"] = "none",
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
    workbook
        Whether to write the tables as a workbook, and in which format.
    """
    layers, description = layers_of(released), describe(released)
    formats = [("GeoJSON (RFC 7946)", ""), ("CSV (RFC 4180)", "")]
    formats += [("GeoPackage", "1.3")] if geopackage else []
    formats += [("GeoParquet", "1.1.0")] if geoparquet else []
    formats += [("FlatGeobuf", "3")] if flatgeobuf else []
    formats += [_WORKBOOKS[workbook]] if workbook != "none" else []
    record = gemini_xml(description, formats)
    for layer in layers:
        members = _members(layer, description)
        write_text(
            folder / f"{layer.name}.geojson", geojson_text(layer.frame, key=layer.key, name=layer.name, members=members)
        )
        if geoparquet:
            write_bytes(folder / f"{layer.name}.parquet", geoparquet_bytes(layer, description))
        if flatgeobuf:
            write_bytes(folder / f"{layer.name}.fgb", flatgeobuf_bytes(layer, description))
    if geopackage:
        extra = GeoPackageExtras(
            styles_of(released, layers), _metadata_documents(released, layers, description, record), description.stamp
        )
        content = geopackage_bytes(layers, extra=extra, beside=folder / "hotspots.part.gpkg")
        write_bytes(folder / "hotspots.gpkg", content)
    write_text(folder / "hotspots.xml", record)
    levels = list(_level_names(released).values())
    for table in tables_of(released):
        name = f"{table.contract.name}.csv"
        write_bytes(folder / name, csv_text(table.frame).encode("utf-8"))
        described = csvw(table.contract, description, url=name, title=table.title, levels=levels)
        write_json(folder / f"{name}-metadata.json", described)
    if workbook != "none":
        write = xlsx_bytes if workbook == "xlsx" else ods_bytes
        write_bytes(folder / f"tables.{workbook}", write(workbook_of(released, description)))
    write_json(folder / "release.json", released.record)


@dataclass(frozen=True, slots=True)
class ReleasedTable:
    """A table of a release: its contract, its rows, and what it holds in a few words."""

    contract: Table
    frame: pd.DataFrame
    title: str


def tables_of(released: Released) -> list[ReleasedTable]:
    """Return the tables of a release that are no layers; levels have the names that files give them."""
    counts = with_harm(released.counts, released)
    contract = with_harm_columns(AREA_COUNTS) if "harm" in counts else AREA_COUNTS
    tables = [(contract, counts, "counts by area, period and category")]
    if len(released.circumstances):
        tables.append(
            (CIRCUMSTANCES.described(variables=variable_list()), released.circumstances, "when, where and how")
        )
    levels, made = _level_names(released), []
    for contract, frame, title in tables:
        named = frame.assign(level=frame["level"].map(levels).astype("str")) if "level" in frame else frame
        made.append(ReleasedTable(contract, contract.conform(named), title))
    return made


def released_frames(released: Released) -> dict[str, pd.DataFrame]:
    """Return every table and layer of a release by the name of its file; layers are in the working system."""
    tables = {table.contract.name: table.frame for table in tables_of(released)}
    return tables | {layer.name: layer.frame for layer in layers_of(released)}


def _level_names(released: Released) -> dict[str, str]:
    """Return the name of each level in files, the smallest areas first."""
    above = {Level.THIRD, Level.FOURTH} - set(released.areas["level"])
    return {
        level.value: released.info.level_ids.get(level, level.value) for level in reversed(Level) if level not in above
    }


def _members(layer: Layer, description: Description) -> dict[str, str]:
    """Return what a GeoJSON file says about itself, as foreign members of the collection."""
    return {
        "title": layer.title,
        "description": f"{layer.text} {description.abstract}",
        "attribution": description.publisher,
        "licence": description.licence,
        "lineage": description.lineage,
        "contact": description.contact,
    }


def _metadata_documents(
    released: Released, layers: tuple[Layer, ...], description: Description, record: str
) -> tuple[MetadataDocument, ...]:
    """Return the metadata of the GeoPackage: the GEMINI record, release.json, and what QGIS shows on each layer."""
    decision = json.dumps(released.record, ensure_ascii=False, sort_keys=True, default=str)
    return (
        MetadataDocument("http://www.isotc211.org/2005/gmd", "text/xml", record),
        MetadataDocument("https://www.rfc-editor.org/rfc/rfc8259", "application/json", decision),
        *(
            MetadataDocument("http://mrcc.com/qgis.dtd", "text/xml", qgis_metadata(description, layer), layer.name)
            for layer in layers
        ),
    )
