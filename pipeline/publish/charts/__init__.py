"""Charts as inline SVG for pages without network or inline styles."""

from pipeline.publish.charts.area_map import HotspotMark, Neighbour, Part, area_map, locator
from pipeline.publish.charts.canvas import Canvas
from pipeline.publish.charts.lines import Curve, Dot, strip, trend
from pipeline.publish.charts.marks import LogAxis, bar

__all__ = [
    "Canvas",
    "Curve",
    "Dot",
    "HotspotMark",
    "LogAxis",
    "Neighbour",
    "Part",
    "area_map",
    "bar",
    "locator",
    "strip",
    "trend",
]
