"""One GeoPackage with every layer in the working system: the format for QGIS and ArcGIS alike."""

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyogrio

from pipeline.publish.exports.layers import Layer, arrow_table

__all__ = ["GeoPackageExtras", "MetadataDocument", "Style", "geopackage_bytes"]


# The tables beside the layers: descriptions of columns, metadata, styles.


@dataclass(frozen=True, slots=True)
class Style:
    """A named QGIS style of one layer."""

    layer: str
    name: str
    text: str
    qml: str
    default: bool


@dataclass(frozen=True, slots=True)
class MetadataDocument:
    """A metadata document; `layer` is empty for one that is about the whole file."""

    standard: str
    mime: str
    content: str
    layer: str = ""


@dataclass(frozen=True, slots=True)
class GeoPackageExtras:
    """What goes into a GeoPackage beside its layers; `stamp` is the ISO date of every time stamp."""

    styles: tuple[Style, ...]
    documents: tuple[MetadataDocument, ...]
    stamp: str


# Tables as the standard defines them: OGC 12-128r17, annexes F.8 (metadata) and F.9 (schema).
_TABLES = """
CREATE TABLE gpkg_data_columns (
  table_name TEXT NOT NULL,
  column_name TEXT NOT NULL,
  name TEXT,
  title TEXT,
  description TEXT,
  mime_type TEXT,
  constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
  CONSTRAINT gdc_tn UNIQUE (table_name, name)
);
CREATE TABLE gpkg_data_column_constraints (
  constraint_name TEXT NOT NULL,
  constraint_type TEXT NOT NULL,
  value TEXT,
  min NUMERIC,
  min_is_inclusive BOOLEAN,
  max NUMERIC,
  max_is_inclusive BOOLEAN,
  description TEXT,
  CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value)
);
CREATE TABLE gpkg_metadata (
  id INTEGER CONSTRAINT m_pk PRIMARY KEY ASC NOT NULL,
  md_scope TEXT NOT NULL DEFAULT 'dataset',
  md_standard_uri TEXT NOT NULL,
  mime_type TEXT NOT NULL DEFAULT 'text/xml',
  metadata TEXT NOT NULL DEFAULT ''
);
CREATE TABLE gpkg_metadata_reference (
  reference_scope TEXT NOT NULL,
  table_name TEXT,
  column_name TEXT,
  row_id_value INTEGER,
  timestamp DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  md_file_id INTEGER NOT NULL,
  md_parent_id INTEGER,
  CONSTRAINT crmr_mfi_fk FOREIGN KEY (md_file_id) REFERENCES gpkg_metadata(id),
  CONSTRAINT crmr_mpi_fk FOREIGN KEY (md_parent_id) REFERENCES gpkg_metadata(id)
);
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY NOT NULL,
  f_table_catalog TEXT(256),
  f_table_schema TEXT(256),
  f_table_name TEXT(256),
  f_geometry_column TEXT(256),
  styleName TEXT(30),
  styleQML TEXT,
  styleSLD TEXT,
  useAsDefault BOOLEAN,
  description TEXT,
  owner TEXT(30),
  ui TEXT(30),
  update_time DATETIME
);
"""

_EXTENSIONS = (
    ("gpkg_data_columns", "gpkg_schema", "http://www.geopackage.org/spec121/#extension_schema"),
    ("gpkg_data_column_constraints", "gpkg_schema", "http://www.geopackage.org/spec121/#extension_schema"),
    ("gpkg_metadata", "gpkg_metadata", "http://www.geopackage.org/spec120/#extension_metadata"),
    ("gpkg_metadata_reference", "gpkg_metadata", "http://www.geopackage.org/spec120/#extension_metadata"),
)


def _write_registers(connection: sqlite3.Connection, layers: Sequence[Layer], extra: GeoPackageExtras) -> None:
    """Write titles, descriptions, metadata and styles. Every text is a bound value: nothing is built from data."""
    stamp = f"{extra.stamp}T00:00:00.000Z"
    for statement in filter(str.strip, _TABLES.split(";\n")):
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope) "
        "VALUES (?, NULL, ?, ?, 'read-write')",
        _EXTENSIONS,
    )
    for layer in layers:
        connection.execute(
            "UPDATE gpkg_contents SET identifier = ?, description = ? WHERE table_name = ?",
            (layer.title, layer.text, layer.name),
        )
        connection.executemany(
            "INSERT INTO gpkg_data_columns (table_name, column_name, name, title, description) VALUES (?, ?, ?, ?, ?)",
            [(layer.name, f.name, f.short, f.title, f.text) for f in layer.fields],
        )
    for number, document in enumerate(extra.documents, start=1):
        connection.execute(
            "INSERT INTO gpkg_metadata (id, md_scope, md_standard_uri, mime_type, metadata) VALUES (?, ?, ?, ?, ?)",
            (number, "dataset", document.standard, document.mime, document.content),
        )
        connection.execute(
            "INSERT INTO gpkg_metadata_reference (reference_scope, table_name, timestamp, md_file_id) "
            "VALUES (?, ?, ?, ?)",
            ("table" if document.layer else "geopackage", document.layer or None, stamp, number),
        )
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change) VALUES "
        "('layer_styles', 'attributes', 'layer_styles', 'Styles that QGIS applies on load.', ?)",
        (stamp,),
    )
    connection.executemany(
        "INSERT INTO layer_styles (id, f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
        "styleQML, styleSLD, useAsDefault, description, owner, update_time) "
        "VALUES (?, '', '', ?, 'geom', ?, ?, '', ?, ?, '', ?)",
        [(i, s.layer, s.name, s.qml, s.default, s.text, stamp) for i, s in enumerate(extra.styles, start=1)],
    )


GEOMETRY = "geom"
"""Name of the geometry column."""


def geopackage_bytes(layers: Sequence[Layer], *, extra: GeoPackageExtras, beside: Path) -> bytes:
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
    # GDAL stamps `last_change` with the clock unless told a date, and writes version 1.4, at which older readers warn.
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


def _finish(path: Path, layers: Sequence[Layer], extra: GeoPackageExtras) -> None:
    """Add what readers want to know, and leave no journal beside the file and no free page inside it."""
    connection = sqlite3.connect(os.fspath(path))
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA synchronous=OFF")
        with connection:
            _write_registers(connection, layers, extra)
        connection.execute("VACUUM")  # rewrites every page in order: free pages would hold what was deleted
    finally:
        connection.close()
