"""The map of a release as a map of folium: one page with our style sheets and scripts, nothing from the network."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Self

import folium
from branca.element import Figure

from pipeline.errors import InputError
from pipeline.publish import page, words
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
from pipeline.publish.map.payload import make_payload
from pipeline.publish.map.script import map_script, open_script
from pipeline.publish.surroundings import Surroundings, read_surroundings
from pipeline.release.released import Released
from pipeline.release.stored import read_release

__all__ = ["HotspotMap", "map_html"]

STYLES = ("frame.css", "panel.css", "map.css", "drawers.css", "narrow.css", "paper.css")

LINKED = (
    ("panel.html", "folder.page.panel"),
    ("circumstances.html", "folder.page.circumstances_page"),
    ("concentration.html", "concentration.title"),
    ("near-repeats.html", "near_repeats.title"),
    ("clusters.html", "clusters.title"),
    ("when.html", "when.title"),
    ("harm.html", "harm.title"),
    ("protection.html", "folder.page.protection"),
    ("README.html", "folder.page.readme"),
)
"""Pages beside the map that its guide leads to, and the words of each link."""

OVER_AREAS = 445
"""`z-index` of what a notebook adds: above areas and circles, below the outlines of hotspots."""


def _asset(name: str) -> str:
    return files("pipeline.publish.map").joinpath("assets", name).read_text("utf-8")


def _style() -> str:
    """Join our style sheets; rules for paper apply both in print and while the page is laid out for it."""
    return page.colour_tokens() + "\n".join(_asset(name) for name in STYLES)


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

    def __init__(
        self,
        released: Released,
        *,
        layers: Sequence[MapLayer] | None = None,
        surroundings: Surroundings | None = None,
        pages: Collection[str] = (),
    ) -> None:
        # Only settings of ours pass through folium's templates.
        super().__init__(
            location=(0, 0),
            tiles=None,
            zoom_start=9,
            min_zoom=5,
            max_zoom=16,
            zoom_control=False,
            attribution_control=False,
            zoom_snap=0.25,
            zoom_delta=0.75,
            wheel_px_per_zoom_level=110,
            zoom_animation=False,
            fade_animation=False,
            marker_zoom_animation=False,
        )
        self._id = "hotspots"  # random otherwise, and two builds would differ
        self.released = released
        self.surroundings = surroundings or Surroundings()
        self.pages = frozenset(pages)
        origin = page.tile_origin(released.info.tiles_url)
        if origin and not released.info.tiles_attribution:
            raise InputError("page.tiles.url is set without page.tiles.attribution: say whose map it is")
        drawn = (AreaLayer(), DensityLayer(), ContextLayer(), HotspotLayer()) if layers is None else layers
        if not any(isinstance(layer, AreaLayer) for layer in drawn):
            raise InputError("a hotspot map needs an AreaLayer: add AreaLayer() to its layers")
        MapPage(self, image_origin=origin)
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
    image_origin
        The one host that pictures may come from; empty for none.
    """

    def __init__(self, shown: HotspotMap, *, image_origin: str) -> None:
        super().__init__(height="760px")
        self._id, self.shown, self.image_origin = "hotspots", shown, image_origin
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
        shown, info = self.shown, self.shown.released.info
        own: list[Any] = [shown, *(layer for layer in shown._children.values() if isinstance(layer, MapLayer))]  # noqa: SLF001
        labels = labels_of(shown)
        self._empty()
        for child in shown._children.values():  # noqa: SLF001 - what was added to an element after it was added itself
            refuse_unsafe(child)
        with rendered_once(shown):
            shown.render()

        # Scripts of added elements are separate, so that an error in them does not stop the map.
        base = "\n".join(self.script.texts.pop(element.get_name()) for element in own)
        element = self.html.texts.pop(shown.get_name())
        added = "\n".join(self.script.texts.values())
        leaflet_script, leaflet_style = page.leaflet()
        scripts = [leaflet_script, base]
        if added:
            pictures = marker_pictures() if "L.marker(" in added else ""
            words_of = open_script("labels.js") if labels else ""
            over = f'{shown.get_name()}.getPane("overlayPane").style.zIndex = {OVER_AREAS};'
            scripts.append("\n".join(text for text in (pictures, words_of, over, added) if text))
        with words.speaking(info.language):
            body = page.render(
                "map.html",
                map=page.safe(element),
                added=[page.safe(text) for text in self.html.texts.values()],
                labels=page.safe(text_block(labels)) if labels else "",
                links=[(address, words.say(key)) for address, key in LINKED if address in shown.pages],
            )
            return page.document(
                language=info.language,
                title=words.say("map_frame.page_title", title=info.title),
                styles=[leaflet_style, _style(), *styles_of(self.header)],
                body=body,
                data=make_payload(_shown(shown.released, own), _around(shown.surroundings, own), pages=shown.pages),
                scripts=(*scripts, map_script()),
                image_origin=self.image_origin,
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


def map_html(released: Released, surroundings: Surroundings | None = None, *, pages: Collection[str] = ()) -> str:
    """Write the map page of a profile.

    Parameters
    ----------
    released
        What came through the gate. Nothing else of the data is on the page.
    surroundings
        Public layers under the hotspots.
    pages
        Addresses of the pages beside the map, as seen from it. The map leads to them, and to no other.

    Returns
    -------
    html
        One self-contained file. The same release gives the same bytes.

    Raises
    ------
    InputError
        If tiles are configured without attribution, or with an address that is not http(s).
    """
    html: str = HotspotMap(released, surroundings=surroundings, pages=pages).get_root().render()
    return html
