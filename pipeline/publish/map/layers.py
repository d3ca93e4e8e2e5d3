"""The layers of a hotspot map as elements of folium: areas, density, hotspots, and labels with plain text.

Folium renders the output of an element's template as a template once more, so that a name in it would be run as code.
The templates of these elements therefore receive ids only; areas, bands, outlines and texts reach the page as data.
"""

from typing import ClassVar

from branca.element import MacroElement
from jinja2 import Template

__all__ = ["AreaLayer", "ContextLayer", "DensityLayer", "HotspotLayer", "Label", "MapLayer"]


class MapLayer(MacroElement):  # type: ignore[misc] # branca is untyped
    """A layer that the page's script draws: it creates the panes that it is drawn in.

    A Leaflet pane holds layers; panes are stacked by their `z-index`. Other elements of folium can be drawn in a pane
    by naming it: `folium.GeoJson(..., pane="areas")`.

    Attributes
    ----------
    panes
        Name of each pane and its `z-index`.
    """

    panes: ClassVar[tuple[tuple[str, int], ...]] = ()
    _template = Template(
        """{% macro script(this, kwargs) %}
{% for name, height in this.panes %}
{{ this._parent.get_name() }}.createPane({{ name|tojson }}).style.zIndex = {{ height }};
{% endfor %}
{% endmacro %}"""
    )

    def __init__(self) -> None:
        super().__init__()
        self._name = type(self).__name__
        self._id = "hotspots"  # random otherwise, and two maps of one release would differ


class AreaLayer(MapLayer):
    """Boroughs, groups of wards and wards, filled by class, and circles for counts. Every map has it."""

    panes = (("areas", 400), ("circles", 425))


class DensityLayer(MapLayer):
    """Density of incidents as isopleths: bands between two values per square kilometre."""

    panes = (("bands", 370),)


class HotspotLayer(MapLayer):
    """Outlines of hotspots, with their rank."""

    panes = (("spots", 450),)


class ContextLayer(MapLayer):
    """Water, green, rail, roads, stations and places under the outlines of hotspots, where the run has them."""

    panes = (("green", 405), ("water", 432), ("casing", 434), ("core", 435), ("stations", 460))


class Label(MacroElement):  # type: ignore[misc] # branca is untyped
    """A text that is shown while the pointer is on an element of the map, always as plain text.

    It replaces `folium.Tooltip` and `folium.Popup`, which treat their text as HTML and as a script.

    Parameters
    ----------
    text
        Text for the whole element.
    column
        Instead of `text`, for `folium.GeoJson`: the property of each feature that contains its text.

    Raises
    ------
    ValueError
        If both are given, or neither.

    Examples
    --------
    >>> import folium
    >>> marker = folium.Marker((51.5, -0.12)).add_child(Label("Town hall"))
    """

    _template = Template(
        """{% macro script(this, kwargs) %}
{{ this._parent.get_name() }}.bindTooltip(labelOf({{ this.get_name()|tojson }}), {sticky: true, className: "tip"});
{% endmacro %}"""
    )

    def __init__(self, text: str = "", *, column: str = "") -> None:
        if bool(text) == bool(column):
            raise ValueError("a Label needs either a text or the column that contains it: Label('Town hall')")
        super().__init__()
        self._name = "Label"
        self.text, self.column = text, column
