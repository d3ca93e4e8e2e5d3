"""The map of a release as a map of folium, to which other elements of folium can be added."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, ClassVar, Self

import folium
from branca.element import Figure
from jinja2 import Template

from pipeline.errors import InputError
from pipeline.publish.map.document import ELEMENT, OPENING, image_origin, page_of_map
from pipeline.publish.map.folium_elements import (
    AreaLayer,
    ContextLayer,
    DensityLayer,
    HotspotLayer,
    MapLayer,
    PagePart,
    labels_of,
    marker_pictures,
    refuse_unsafe,
    rendered_once,
    styles_of,
    text_block,
)
from pipeline.publish.map.script import open_script
from pipeline.publish.surroundings import Surroundings, read_surroundings
from pipeline.release.released import Released
from pipeline.release.stored import read_release

__all__ = ["HotspotMap"]

OVER_AREAS = 445
"""`z-index` of what a notebook adds: above areas and circles, below the outlines of hotspots."""


class HotspotMap(folium.Map):  # type: ignore[misc] # folium is untyped
    """The map of a release, as `hotspots run` writes it: a map of folium that other elements can be added to.

    It works without a network. Numbers, names and outlines are in one block of data, which the page's own script reads;
    none of them passes through a template or an argument of folium.

    Parameters
    ----------
    released
        What came through the gate. Nothing else is on the page, but for what is added to the map.
    layers
        Layers drawn from the release. Without a `DensityLayer`, a `HotspotLayer` or a `ContextLayer`, its shapes are
        not in the page.
    surroundings
        Public layers under the hotspots. Nothing of them comes from the data.
    pages
        Addresses of the pages beside the map, as seen from it: "panel.html". The map leads to them, and to no other.

    Attributes
    ----------
    released
        As given.

    Raises
    ------
    InputError
        If `layers` lacks an `AreaLayer`; if tiles are configured without attribution, or with an address that is not
        http(s).

    Notes
    -----
    Elements of folium are added as to any map: `folium.Marker((51.5, -0.1)).add_to(hotspot_map)`. They are drawn above
    the areas and below the outlines of hotspots. The pictures and files that readers download do not contain them.
    An `InputError` is raised for elements that load anything from the network (tiles, icons, most plugins, heat maps,
    from which points could be recovered as well) and for those that treat their text as HTML or as a script (popups,
    tooltips): `Label` shows plain text instead.

    What is added has not passed the release gate: whoever hands the map on is responsible for it.

    Examples
    --------
    >>> hotspot_map = HotspotMap.from_folder("outputs/sample/public")  # doctest: +SKIP
    >>> folium.GeoJson("stations.geojson").add_child(Label(column="name")).add_to(hotspot_map)  # doctest: +SKIP
    >>> hotspot_map.save("with_stations.html")  # doctest: +SKIP
    """

    default_js: ClassVar[list[tuple[str, str]]] = []
    default_css: ClassVar[list[tuple[str, str]]] = []
    # Folium's own template would put its settings into the page; ours is the page's own element and script.
    _template = Template(
        f"{{% macro html(this, kwargs) %}}{ELEMENT}{{% endmacro %}}"
        f"{{% macro script(this, kwargs) %}}{{% raw %}}{OPENING}{{% endraw %}}{{% endmacro %}}"
    )

    def __init__(
        self,
        released: Released,
        *,
        layers: Sequence[MapLayer] | None = None,
        surroundings: Surroundings | None = None,
        pages: Collection[str] = (),
    ) -> None:
        super().__init__(location=(0, 0), tiles=None, zoom_start=9)
        self._id = "hotspots"  # random otherwise, and two builds would differ
        self.released = released
        self.surroundings = surroundings or Surroundings()
        self.pages = frozenset(pages)
        image_origin(released.info)  # an address of tiles that cannot be used is reported before anything is drawn
        drawn = (AreaLayer(), DensityLayer(), ContextLayer(), HotspotLayer()) if layers is None else layers
        if not any(isinstance(layer, AreaLayer) for layer in drawn):
            raise InputError("a hotspot map needs an AreaLayer: add AreaLayer() to its layers")
        MapPage(self)
        for layer in drawn:
            layer.add_to(self)

    @classmethod
    def from_folder(cls, folder: str | Path, *, layers: Sequence[MapLayer] | None = None) -> Self:
        """Draw the map of a finished run.

        Parameters
        ----------
        folder
            Folder of a profile in a run's outputs: "outputs/sample/public". The release is read from `work/release`
            beside it, which stays with the data owner.
        layers
            As for the class.

        Raises
        ------
        InputError
            If the release is not there: a folder that was handed over contains layers and tables, not the release.
        DisclosureError
            If the stored release is not the one that passed the gate.
        """
        here = Path(folder).resolve()
        work = here.parent / "work"
        released = read_release(work / "release" / here.name)
        return cls(released, layers=layers, surroundings=read_surroundings(work))

    def add_child(self, child: Any, name: str | None = None, index: int | None = None) -> Any:
        """Add an element of folium.

        Raises
        ------
        InputError
            If it needs the network, or treats its text as HTML or as a script.
        """
        refuse_unsafe(child)
        return super().add_child(child, name=name, index=index)

    def keep_in_front(self, *_: Any) -> None:
        """Raise an error: folium needs a script from the network for it. Give the layer a pane instead.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError("keep_in_front needs a script from the network: give the layer a pane, pane='markerPane'")


class MapPage(Figure):  # type: ignore[misc] # branca is untyped
    """The page around a map: folium's figure, written by our template, with a policy that lists the scripts' hashes.

    Parameters
    ----------
    shown
        The map; the figure takes it in.
    """

    def __init__(self, shown: HotspotMap) -> None:
        super().__init__(height="760px")
        self._id, self.shown = "hotspots", shown
        self._empty()
        self.add_child(shown)

    def _empty(self) -> None:
        # Folium's own head repeats what our style sheet says.
        self.header = PagePart(self, "header", without=self.shown.get_name())
        self.html, self.script = PagePart(self, "html"), PagePart(self, "script")

    def render(self, **_: Any) -> str:
        """Write the page.

        Returns
        -------
        html
            One self-contained file. The same release gives the same bytes, unless elements with ids of folium's own
            were added.

        Raises
        ------
        InputError
            If an element needs the network, or treats its text as HTML or as a script.
        """
        shown = self.shown
        own: list[Any] = [shown, *(layer for layer in shown._children.values() if isinstance(layer, MapLayer))]  # noqa: SLF001
        labels = labels_of(shown)
        self._empty()
        for child in shown._children.values():  # noqa: SLF001 - what was added to an element after it was added itself
            refuse_unsafe(child)
        with rendered_once(shown):
            shown.render()

        # Scripts of added elements are separate, so that an error in them does not stop the map.
        base = "\n".join(self.script.texts.pop(element.get_name()) for element in own)
        del self.html.texts[shown.get_name()]  # the page has the map's own element
        added = "\n".join(self.script.texts.values())
        scripts = []
        if added:
            pictures = marker_pictures() if "L.marker(" in added else ""
            words_of = open_script("labels.js") if labels else ""
            over = f'{shown.get_name()}.getPane("overlayPane").style.zIndex = {OVER_AREAS};'
            scripts.append("\n".join(text for text in (pictures, words_of, over, added) if text))
        return page_of_map(
            _shown(shown.released, own),
            _around(shown.surroundings, own),
            pages=shown.pages,
            base=base,
            styles=styles_of(self.header),
            added=list(self.html.texts.values()),
            labels=text_block(labels) if labels else "",
            scripts=scripts,
        )

    def _repr_html_(self, **_: Any) -> str:
        """Show the page inside a notebook, in a frame."""
        return (
            f'<iframe title="{escape(self.shown.released.info.title)}" srcdoc="{escape(self.render())}" '
            f'width="{self.width}" height="{self.height}" style="border: 0" allowfullscreen></iframe>'
        )


def _shown(released: Released, layers: Sequence[Any]) -> Released:
    """Leave out the shapes of layers that are not on the map."""
    without = {
        name: getattr(released, name).iloc[:0]
        for kind, names in (
            (DensityLayer, ("density", "density_by_category")),
            (HotspotLayer, ("hotspots", "hotspots_by_category")),
        )
        for name in names
        if not any(isinstance(layer, kind) for layer in layers)
    }
    return replace(released, **without)


def _around(surroundings: Surroundings, layers: Sequence[Any]) -> Surroundings:
    return surroundings if any(isinstance(layer, ContextLayer) for layer in layers) else Surroundings()
