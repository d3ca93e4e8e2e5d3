"""An overview map of the street segments with most incidents, as lines inside the outlines of areas."""

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.publish import palette
from pipeline.publish.charts.canvas import Canvas
from pipeline.publish.words import say

__all__ = ["street_map"]

_C = palette.LIGHT
_CLASSES = ((0.20, "s3", 0.8), (0.05, "s5", 1.3))
"""Share of the length of the streets with the highest values, colour and width; the later is drawn over the earlier."""
_HOT_PT = 2.4


def street_map(streets: gpd.GeoDataFrame, *, outlines: NDArray[np.object_], width_pt: float) -> str:
    """Draw streets by density along the network, or by incidents per 100 m, and hot segments over them.

    Parameters
    ----------
    streets
        Table STREET_SEGMENTS, in metres; at least one row.
    outlines
        Outlines of the areas around them.
    width_pt
        Width of the drawing; its height follows the areas.
    """
    west, south, east, north = shapely.total_bounds(outlines) if len(outlines) else streets.total_bounds
    side = max(east - west, 1.0)
    height_pt = width_pt * max(north - south, side / 20) / side
    canvas = Canvas(width_pt=width_pt, height_pt=height_pt)
    plot = canvas.plot(4, 4, width_pt - 8, height_pt - 8, units=(west, south, east, max(north, south + side / 20)))
    # Details under half a point are not seen, and would make the page large.
    fine_m = 0.4 * side / width_pt
    plot.surface(_rings(shapely.simplify(outlines, fine_m)), "land", fill=_C["land"], stroke=_C["bar"], width=0.6)
    value = streets["density_per_km"].astype("float64").to_numpy(na_value=np.nan)
    if not np.isfinite(value).any():
        value = streets["per_100m"].to_numpy(dtype=np.float64)
    length = streets["length_m"].to_numpy(dtype=np.float64)
    order = np.argsort(-np.nan_to_num(value), kind="stable")
    reached = np.cumsum(length[order]) / length.sum()
    lines = shapely.simplify(streets.geometry.to_numpy(), fine_m)
    for share, colour, width in _CLASSES:
        inner = next((s for s, *_ in _CLASSES if s < share), 0.0)
        chosen = order[(reached <= share) & (reached > inner)]
        plot.lines(map(shapely.get_coordinates, lines[np.sort(chosen)]), "street", colour=_C[colour], width=width)
    hot = np.flatnonzero(streets["hot"].to_numpy(dtype=bool))
    plot.lines(map(shapely.get_coordinates, lines[hot]), "hot", colour=_C["hot"], width=_HOT_PT)
    return canvas.svg(say("concentration.street_label", n=len(hot)), role="tr")


def _rings(shapes: NDArray[np.object_]) -> Any:
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(shapely.get_parts(shapes))]
