"""Charts as inline SVG for pages without network or inline styles.

Functions take released figures and return one `<svg>` element; what a picture shows is also in a table beside it.
"""

from pipeline.publish.charts.area_map import Ground, HotspotMark, Neighbour, NoClass, Part, area_map, locator
from pipeline.publish.charts.canvas import Canvas
from pipeline.publish.charts.rates import Curve, Dot, LogAxis, Span, bar, strip, trend

__all__ = [
    "Canvas",
    "Curve",
    "Dot",
    "Ground",
    "HotspotMark",
    "LogAxis",
    "Neighbour",
    "NoClass",
    "Part",
    "Span",
    "area_map",
    "bar",
    "locator",
    "strip",
    "trend",
]
