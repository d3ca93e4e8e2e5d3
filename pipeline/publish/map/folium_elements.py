"""Elements of folium on a hotspot map: its own layers and labels, and what a notebook adds.

The layers of a map are areas, density, hotspots and context. Folium renders the output of an element's template as a
template once more, after data was inserted, so that a name in it would be run as code. The templates of our elements
therefore receive ids only; areas, bands, outlines and texts reach the page as data.

A hotspot map works without a network, and its policy allows only the scripts that it was written with. Of the elements
that a notebook adds, some load scripts from the network, and some put their text into HTML or into a script: these are
refused. The output of the others is not rendered a second time here.
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import folium
import folium.features
import folium.raster_layers
from branca.element import Element, Link, MacroElement
from jinja2 import Template

from pipeline.errors import InputError
from pipeline.publish.map.document import AREA_PANES, CONTEXT_PANES, DENSITY_PANES, HOTSPOT_PANES, Panes, panes_script

__all__ = [
    "AreaLayer",
    "ContextLayer",
    "DensityLayer",
    "HotspotLayer",
    "Label",
    "MapLayer",
    "PagePart",
    "labels_of",
    "marker_pictures",
    "refuse_unsafe",
    "rendered_once",
    "styles_of",
    "text_block",
]


class MapLayer(MacroElement):  # type: ignore[misc] # branca is untyped
    """A layer that the page's script draws: it creates the panes that it is drawn in.

    A Leaflet pane holds layers; panes are stacked by their `z-index`. Other elements of folium can be drawn in a pane
    by naming it: `folium.GeoJson(..., pane="areas")`.

    Attributes
    ----------
    panes
        Name of each pane and its `z-index`.
    """

    panes: ClassVar[Panes] = ()
    _template = Template("{% macro script(this, kwargs) %}{{ this.panes_script() }}{% endmacro %}")

    def __init__(self) -> None:
        super().__init__()
        self._name = type(self).__name__
        self._id = "hotspots"  # random otherwise, and two maps of one release would differ

    def panes_script(self) -> str:
        """Return the script that makes the panes."""
        return panes_script(self.panes)


class AreaLayer(MapLayer):
    """Boroughs, groups of wards and wards, filled by class, and circles for counts. Every map has it."""

    panes = AREA_PANES


class DensityLayer(MapLayer):
    """Density of incidents as isopleths: bands between two values per square kilometre."""

    panes = DENSITY_PANES


class HotspotLayer(MapLayer):
    """Outlines of hotspots, with their rank."""

    panes = HOTSPOT_PANES


class ContextLayer(MapLayer):
    """Water, green, rail, roads, stations and places under the outlines of hotspots, where the run has them."""

    panes = CONTEXT_PANES


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


# What a notebook adds: which elements are refused, and how the others are rendered safely.


_AS_CODE = (
    "puts its text into the page as HTML or as a script, and a name from the data could be run as code: use "
    "pipeline.publish.map.Label, which shows plain text"
)
_REFUSED: tuple[tuple[type, str], ...] = (
    (folium.Popup, _AS_CODE),
    (folium.Tooltip, _AS_CODE),
    (folium.features.GeoJsonDetail, _AS_CODE),
    (folium.LayerControl, "writes the names of layers into the page as HTML: choose in Python what is added"),
    (folium.Icon, "needs scripts and fonts from the network: leave `icon` out, or use folium.CircleMarker"),
    (folium.TileLayer, "loads pictures from the network: set page.tiles in the configuration instead"),
    (folium.raster_layers.WmsTileLayer, "loads pictures from the network: set page.tiles in the configuration instead"),
)
_GAP = "\ue0f1"
"""Inserted between the two characters of `{{`, `{%` and `{#`, and removed again: a character for private use."""


def _all_of(element: Any) -> Iterator[Any]:
    """Yield an element, its children, and theirs."""
    yield element
    for child in element._children.values():  # noqa: SLF001 - branca has no other way to the children
        yield from _all_of(child)


def refuse_unsafe(element: Any) -> None:
    """Raise an error for what needs the network, or would run text as code.

    Parameters
    ----------
    element
        Element of folium or branca, with everything that was added to it.

    Raises
    ------
    InputError
        If it, or what was added to it, is refused.
    """
    for each in _all_of(element):
        for kind, reason in _REFUSED:
            if isinstance(each, kind):
                raise InputError(f"{type(each).__name__} cannot be added to a hotspot map: it {reason}")
        if not isinstance(each, MacroElement) or each._template_str is not None:  # noqa: SLF001
            raise InputError(
                f"{type(each).__name__} cannot be added to a hotspot map: its text would be run as a template. Write a "
                "subclass of branca's MacroElement whose template receives ids"
            )
        links = [url for of in ("default_js", "default_css") for _, url in getattr(each, of, ())]
        if links:
            raise InputError(_from_network(type(each).__name__, links))


def _from_network(name: str, links: list[str]) -> str:
    return (
        f"{name} cannot be added to a hotspot map: it loads {', '.join(links)}, and the map must open without a "
        "network. Show it on a folium.Map of its own"
    )


class PagePart(Element):  # type: ignore[misc] # branca is untyped
    """Collects what elements write into one part of the page, as text that is not rendered a second time.

    Parameters
    ----------
    page
        The figure whose part it is.
    part
        Name of the part, for messages: "header", "html" or "script".
    without
        Name of the element whose text is left out.
    """

    def __init__(self, page: Any, part: str, *, without: str = "") -> None:
        super().__init__()
        self._parent, self.part, self.without = page, part, without
        self.texts: dict[str, str] = {}

    def add_child(self, child: Any, name: str | None = None, index: int | None = None) -> Any:
        """Collect what an element wrote.

        Raises
        ------
        InputError
            If it is a link, or no text.
        """
        if isinstance(child, Link):
            raise InputError(_from_network(name or type(child).__name__, [child.url]))
        if name == self.without:
            return self
        text = child._template_str  # noqa: SLF001 - what was written, before branca renders it as a template
        if type(child) is not Element or not isinstance(text, str) or index is not None:
            raise InputError(
                f"{type(child).__name__} cannot be put into the {self.part} of a hotspot map's page: add it to the map"
            )
        text = text.replace(_GAP, "").replace("\r\n", "\n").replace("\r", "\n").strip()
        markup = r"<(?:script|link|iframe|object|embed|base|meta)\b" if self.part != "script" else r"</script|<!--"
        if re.search(markup, text, re.IGNORECASE):
            raise InputError(
                f"{name} cannot be added to a hotspot map: its {self.part} holds markup that loads or ends a script"
            )
        self.texts[name or child.get_name()] = text
        return self


@contextmanager
def rendered_once(element: Any) -> Iterator[None]:
    """Break up `{{`, `{%` and `{#` in the output of an element and its children while they are rendered.

    Branca compiles the output of a macro as a template before `PagePart` receives it, which fails at a name such as
    `{% raw %}`. `PagePart` restores the output.
    """
    before = [(each, vars(each).get("_template")) for each in _all_of(element)]
    for each, _ in before:
        each._template = _WithoutOpeners(each._template)  # noqa: SLF001
    try:
        yield
    finally:
        for each, own in before:
            if own is None:
                del each._template  # noqa: SLF001 - the class has its own
            else:
                each._template = own  # noqa: SLF001


class _WithoutOpeners:
    """A template whose macros write no `{{`, `{%` or `{#`."""

    def __init__(self, template: Any) -> None:
        self.template = template

    @property
    def module(self) -> SimpleNamespace:
        """The macros that branca asks for."""
        macros = vars(self.template.module)
        parts = ("header", "html", "script")
        return SimpleNamespace(**{part: self._broken_up(macros[part]) for part in parts if part in macros})

    @staticmethod
    def _broken_up(macro: Any) -> Any:
        return lambda *values: re.sub(r"\{(?=[{%#])", "{" + _GAP, str(macro(*values)))


def styles_of(header: PagePart) -> list[str]:
    """Return the style sheets in what elements wrote into the head of the page.

    Raises
    ------
    InputError
        If they wrote anything else.
    """
    found = []
    for name, text in header.texts.items():
        found += re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL)
        if re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL).strip():
            raise InputError(f"{name} cannot be added to a hotspot map: its header holds more than style sheets")
    return found


def labels_of(element: Any) -> dict[str, dict[str, str]]:
    """Return text and column of every `Label` on an element or its children, by the label's id."""
    found = [each for each in _all_of(element) if isinstance(each, Label)]
    return {each.get_name(): {"text": each.text, "column": each.column} for each in found}


def text_block(data: object) -> str:
    """Write JSON so that nothing in it can be read as markup or as a template: `{"base64": "..."}`."""
    return json.dumps({"base64": base64.b64encode(json.dumps(data).encode()).decode()})


def marker_pictures() -> str:
    """Return a script that sets the pictures of Leaflet's markers, which Leaflet would load from beside the page."""
    import xstatic.pkg.leaflet

    folder = Path(xstatic.pkg.leaflet.BASE_DIR) / "images"
    names = {"iconUrl": "marker-icon", "iconRetinaUrl": "marker-icon-2x", "shadowUrl": "marker-shadow"}
    found = {key: base64.b64encode((folder / f"{name}.png").read_bytes()).decode() for key, name in names.items()}
    return f'L.Icon.Default.imagePath = "data:image/png;base64,";\nL.Icon.Default.mergeOptions({json.dumps(found)});'
