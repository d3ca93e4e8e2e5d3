"""Charts as inline SVG for pages without network or inline styles.

Functions take released figures and return one `<svg>` element; what a picture shows is also in a table beside it.
"""

from pipeline.publish.charts.area_map import Ground, HotspotMark, Neighbour, NoClass, Part, area_map, locator
from pipeline.publish.charts.canvas import Canvas
from pipeline.publish.charts.cluster_map import Circle, cluster_map
from pipeline.publish.charts.harm_map import harm_map
from pipeline.publish.charts.hotspot import Column, Landmark, Streets, columns, hotspot_map
from pipeline.publish.charts.lorenz import LorenzCurve, lorenz_chart
from pipeline.publish.charts.rates import Curve, Dot, LogAxis, Span, bar, strip, trend
from pipeline.publish.charts.street_map import street_map
from pipeline.publish.charts.week import week_grid, week_key

__all__ = [
    "Canvas",
    "Circle",
    "Column",
    "Curve",
    "Dot",
    "Ground",
    "HotspotMark",
    "Landmark",
    "LogAxis",
    "LorenzCurve",
    "Neighbour",
    "NoClass",
    "Part",
    "Span",
    "Streets",
    "area_map",
    "bar",
    "cluster_map",
    "columns",
    "harm_map",
    "hotspot_map",
    "locator",
    "lorenz_chart",
    "street_map",
    "strip",
    "trend",
    "week_grid",
    "week_key",
]
