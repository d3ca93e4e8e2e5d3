"""An overview map of clusters: numbered circles over the outlines of areas."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.publish import palette
from pipeline.publish.charts.canvas import Canvas

__all__ = ["Circle", "cluster_map"]

_C = palette.LIGHT
_LEAST_PT = 4.0  # a cluster of a single place has no radius, and must be seen all the same


@dataclass(frozen=True, slots=True)
class Circle:
    """One cluster.

    Attributes
    ----------
    easting_m, northing_m, radius_m
        Centre and radius, in metres.
    name
        What is written beside it.
    strong
        Whether it is drawn in the colour of hotspots, rather than in grey.
    """

    easting_m: float
    northing_m: float
    radius_m: float
    name: str
    strong: bool


def cluster_map(
    circles: Sequence[Circle], *, outlines: NDArray[np.object_], inner: NDArray[np.object_], label: str, width_pt: float
) -> str:
    """Draw circles over areas.

    Parameters
    ----------
    circles
        At least one.
    outlines, inner
        Outlines of the larger and of the smaller areas, in metres.
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
    plot.surface(_rings(shapely.simplify(inner, fine_m)), "land", fill=_C["land"], stroke=_C["rule"], width=0.3)
    plot.surface(_rings(shapely.simplify(outlines, fine_m)), "land", fill="", stroke=_C["bar"], width=0.8)
    for circle in circles:
        radius_pt = max(_LEAST_PT, circle.radius_m * (width_pt - 8) / side)
        colour = _C["hot"] if circle.strong else _C["ink-2"]
        place = (circle.easting_m, circle.northing_m)
        plot.circle(*place, radius_pt, "cluster", fill="none", stroke=colour, width=2.0 if circle.strong else 1.0)
        canvas.text(plot, *place, circle.name, role="en b", dy=radius_pt + 2)
    return canvas.svg(label, role="tr")


def _rings(shapes: NDArray[np.object_]) -> list[NDArray[np.float64]]:
    return [shapely.get_coordinates(ring) for ring in shapely.get_rings(shapely.get_parts(shapes))]
