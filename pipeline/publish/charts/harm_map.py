"""An overview map of density by harm, with the hotspots by harm and those by count."""

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.publish import palette
from pipeline.publish.charts.canvas import Canvas

__all__ = ["harm_map"]

_C = palette.LIGHT


def harm_map(
    density: gpd.GeoDataFrame,
    hotspots: gpd.GeoDataFrame,
    by_count: gpd.GeoDataFrame,
    *,
    outlines: NDArray[np.object_],
    label: str,
    width_pt: float,
) -> str:
    """Draw bands of density by harm, hotspots by harm with their rank, and the outlines of hotspots by count.

    Parameters
    ----------
    density, hotspots
        Layers HARM_DENSITY and HARM_HOTSPOTS.
    by_count
        Hotspots of incidents.
    outlines
        Outlines of the areas around them, in metres.
    label
        What the picture shows, for screen readers.
    width_pt
        Width of the drawing; its height follows the areas.
    """
    west, south, east, north = shapely.total_bounds(outlines)
    side = max(east - west, 1.0)
    height_pt = width_pt * max(north - south, side / 20) / side
    canvas = Canvas(width_pt=width_pt, height_pt=height_pt)
    plot = canvas.plot(4, 4, width_pt - 8, height_pt - 8, units=(west, south, east, max(north, south + side / 20)))
    # Details under half a point are not seen, and would make the page large.
    fine_m = 0.4 * side / width_pt
    plot.surface(_rings(shapely.simplify(outlines, fine_m)), "land", fill=_C["land"], stroke=_C["bar"], width=0.6)
    bands = shapely.simplify(density.geometry.to_numpy(), fine_m)
    for place, shape in enumerate(bands):
        # The highest band is the darkest, however many there are.
        shade = max(1, 5 - (len(bands) - 1 - place))
        plot.surface(_rings(np.array([shape])), f"k{shade}", fill=_C[f"s{shade}"], opacity=0.85)
    plain = shapely.simplify(by_count.geometry.to_numpy(), fine_m)
    plot.surface(_rings(plain), "count", fill="", stroke=_C["ink"], width=0.9)
    own = shapely.simplify(hotspots.geometry.to_numpy(), fine_m)
    plot.surface(_rings(own), "hot", fill="", stroke=_C["hot"], width=1.6)
    for rank, shape in zip(hotspots["rank"].tolist(), own, strict=True):
        _, _, right, top = shapely.bounds(shape)
        canvas.text(plot, right, top, str(rank), role="en b", anchor="start", dx=1, dy=1)
    return canvas.svg(label, role="tr")


def _rings(shapes: NDArray[np.object_]) -> Any:
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(shapely.get_parts(shapes))]
