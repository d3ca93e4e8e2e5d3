"""Layers for large-scale tools, by configuration: GeoParquet and FlatGeobuf, in the working system."""

import io
import json

import pyarrow.parquet as pq
import pyogrio
import shapely

from pipeline.publish.exports.description import Description
from pipeline.publish.exports.layers import Layer, arrow_table

__all__ = ["flatgeobuf_bytes", "geoparquet_bytes"]

GEOMETRY = "geometry"


def geoparquet_bytes(layer: Layer, description: Description) -> bytes:
    """Return a layer as GeoParquet 1.1, with title, licence and column descriptions in the file's metadata."""
    frame = layer.frame
    column = {
        "encoding": "WKB",
        "geometry_types": ["MultiPolygon"] if len(frame) else [],
        "crs": frame.crs.to_json_dict(),
        "orientation": "counterclockwise",
        "edges": "planar",
    }
    if len(frame):
        column["bbox"] = [float(v) for v in frame.total_bounds]
    geo = {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
    turned = frame.set_geometry(shapely.orient_polygons(frame.geometry.to_numpy(), exterior_cw=False), crs=frame.crs)
    oriented = Layer(layer.name, layer.key, layer.title, layer.text, turned, layer.fields)
    table = arrow_table(oriented, geometry=GEOMETRY)
    for i, field in enumerate(layer.fields):
        described = table.schema.field(i).with_metadata({"description": field.text, "short_name": field.short})
        table = table.cast(table.schema.set(i, described))
    notes = {
        "geo": json.dumps(geo),
        "title": layer.title,
        "description": f"{layer.text} {description.abstract}",
        "lineage": description.lineage,
        "licence": description.licence,
        "contact": description.contact,
    }
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(notes), buffer, compression="zstd")
    return buffer.getvalue()


def flatgeobuf_bytes(layer: Layer, description: Description) -> bytes:
    """Return a layer as FlatGeobuf with its spatial index, title, description and terms."""
    notes = {"lineage": description.lineage, "licence": description.licence, "contact": description.contact}
    buffer = io.BytesIO()
    pyogrio.write_arrow(
        arrow_table(layer, geometry=GEOMETRY),
        buffer,
        layer=layer.name,
        driver="FlatGeobuf",
        geometry_name=GEOMETRY,
        geometry_type="MultiPolygon",
        crs=layer.frame.crs.to_string(),
        layer_options={
            "SPATIAL_INDEX": "YES",
            "TITLE": layer.title,
            "DESCRIPTION": f"{layer.text} {description.abstract} "
            + " ".join(f"{k.capitalize()}: {v}" for k, v in notes.items() if v),
        },
    )
    return buffer.getvalue()
