"""The page around the data: folium's base map, our style sheets and scripts, nothing from the network."""

from importlib.resources import files
from typing import ClassVar

import folium

from pipeline.errors import InputError
from pipeline.publish import page
from pipeline.publish.map.payload import make_payload
from pipeline.publish.map.script import map_script
from pipeline.release.released import Released

__all__ = ["map_html"]

STYLES = ("frame.css", "panel.css", "map.css", "drawers.css", "narrow.css", "paper.css")


class _OfflineMap(folium.Map):  # type: ignore[misc] # folium is untyped
    """A folium map that links to nothing: no scripts or styles from elsewhere, no tiles."""

    default_js: ClassVar[list[tuple[str, str]]] = []
    default_css: ClassVar[list[tuple[str, str]]] = []


def _asset(name: str) -> str:
    return files("pipeline.publish.map").joinpath("assets", name).read_text("utf-8")


def _base_map() -> tuple[str, str]:
    """Return folium's element and script for the base map. Only settings of ours pass through its templates."""
    base = _OfflineMap(
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
    base._id = "hotspots"  # noqa: SLF001 - random otherwise, and two builds would differ
    figure = base.get_root()
    figure.render()
    return figure.html.render().strip(), figure.script.render().strip()


def _style() -> str:
    """Join our style sheets; rules for paper apply both in print and while the page is laid out for it."""
    return page.colour_tokens() + "\n".join(_asset(name) for name in STYLES)


def map_html(released: Released) -> str:
    """Write the map page of a profile.

    Parameters
    ----------
    released
        What came through the gate. Nothing else is on the page.

    Returns
    -------
    html
        One self-contained file. The same release gives the same bytes.

    Raises
    ------
    InputError
        If tiles are configured without attribution, or with an address that is not http(s).
    """
    info = released.info
    origin = page.tile_origin(info.tiles_url)
    if origin and not info.tiles_attribution:
        raise InputError("page.tiles.url is set without page.tiles.attribution: say whose map it is")
    element, base_script = _base_map()
    leaflet_script, leaflet_style = page.leaflet()
    return page.document(
        language=info.language,
        title=f"{info.title}: map",
        styles=[leaflet_style, _style()],
        body=page.render("map.html", map=page.safe(element)),
        data=make_payload(released),
        scripts=(leaflet_script, base_script, map_script()),
        image_origin=origin,
    )
