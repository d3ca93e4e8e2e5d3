"""RFC 7946 GeoJSON: longitude and latitude to six decimals, right-hand rule, bbox, an id on every feature."""

import json
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from pipeline.geography.projection import LONLAT
from pipeline.tables import plain_values

__all__ = ["geojson_text"]

_DECIMALS = 6


def geojson_text(layer: gpd.GeoDataFrame, *, key: str, name: str, members: Mapping[str, str] | None = None) -> str:
    """Write a layer as a FeatureCollection, one feature a line.

    Parameters
    ----------
    layer
        Features in any system; `key` names the column that identifies them.
    key
        Column repeated as the feature's `id`.
    name
        Name of the collection.
    members
        Foreign members of the collection: its title, licence and the like. Empty ones are left out.

    Returns
    -------
    text
        The same bytes for the same layer. No feature has a null geometry; nulls stay nulls; no NaN.

    References
    ----------
    RFC 7946 (2016), sections 3.1.6, 3.2, 5, 6.1 and 11.2.
    """
    placed = layer.to_crs(LONLAT) if len(layer) else layer
    shapes = _rounded(placed.geometry.to_numpy())
    boxes = shapely.bounds(shapes).tolist() if len(shapes) else []
    columns = [c for c in layer.columns if c != layer.geometry.name]
    records = zip(*(plain_values(layer[column]) for column in columns), strict=True)
    lines = []
    for record, shape, box in zip(records, shapes, boxes, strict=True):
        properties = dict(zip(columns, record, strict=True))
        feature = {
            "type": "Feature",
            "id": properties[key],
            "bbox": _bbox(box),
            "properties": properties,
            "geometry": shapely.geometry.mapping(shape),
        }
        lines.append(json.dumps(feature, ensure_ascii=False, separators=(",", ":"), allow_nan=False))
    head: dict[str, Any] = {"type": "FeatureCollection", "name": name}
    head |= {member: text for member, text in (members or {}).items() if text}
    if len(shapes):
        head["bbox"] = _bbox(shapely.total_bounds(shapes))
    opening = json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1]
    return opening + ',"features":[\n' + ",\n".join(lines) + "\n]}\n"


def _rounded(shapes: Any) -> Any:
    """Round coordinates, repair what rounding folded over, and wind outer rings anticlockwise."""
    out = shapely.transform(shapes, lambda xy: np.round(xy, _DECIMALS))
    broken = ~shapely.is_valid(out)
    if broken.any():
        repaired = shapely.make_valid(out[broken], method="structure", keep_collapsed=False)
        repaired = shapely.transform(repaired, lambda xy: np.round(xy, _DECIMALS))
        empty = shapely.is_empty(repaired)  # smaller than a decimal: unrounded rather than a null geometry
        repaired[empty] = shapes[broken][empty]
        out[broken] = repaired
    return shapely.orient_polygons(out, exterior_cw=False)


def _bbox(bounds: Any) -> list[float]:
    return [round(float(v), _DECIMALS) for v in bounds]
