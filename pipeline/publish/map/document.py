"""The page of a map: our style sheets and scripts around Leaflet's map, nothing from the network.

A run writes it from here. `hotspot_map` writes the same page with folium, whose elements can be added to it.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from importlib.resources import files

from pipeline.errors import InputError
from pipeline.publish import page, words
from pipeline.publish.map.payload import make_payload
from pipeline.publish.map.script import map_script
from pipeline.publish.surroundings import Surroundings
from pipeline.release.released import Released, ReleaseInfo

__all__ = ["map_html"]

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

Panes = tuple[tuple[str, int], ...]
"""Panes of Leaflet, which hold layers: the name of each and its `z-index`, by which they are stacked."""

AREA_PANES: Panes = (("areas", 400), ("circles", 425))
DENSITY_PANES: Panes = (("bands", 370),)
CONTEXT_PANES: Panes = (("green", 405), ("water", 432), ("casing", 434), ("core", 435), ("stations", 460))
HOTSPOT_PANES: Panes = (("spots", 450),)

MAP = "map_hotspots"
"""Name of the map in the page and in its script."""

ELEMENT = f'<div class="folium-map" id="{MAP}" ></div>'

OPENING = f"""var {MAP} = L.map(
                "{MAP}",
                {{
                    center: [0.0, 0.0],
                    crs: L.CRS.EPSG3857,
                    ...{{
  "zoom": 9,
  "zoomControl": false,
  "preferCanvas": false,
  "attributionControl": false,
  "zoomSnap": 0.25,
  "zoomDelta": 0.75,
  "wheelPxPerZoomLevel": 110,
  "zoomAnimation": false,
  "fadeAnimation": false,
  "markerZoomAnimation": false,
}}

                }}
            );"""
"""Script that makes the map, in the form in which folium writes it; the page's own script fits it to the areas."""


def panes_script(panes: Panes) -> str:
    """Return the script that makes the panes of a layer."""
    return "\n\n".join(f"{MAP}.createPane({json.dumps(name)}).style.zIndex = {height};" for name, height in panes)


def _asset(name: str) -> str:
    return files("pipeline.publish.map").joinpath("assets", name).read_text("utf-8")


def _style() -> str:
    """Join our style sheets; rules for paper apply both in print and while the page is laid out for it."""
    return page.colour_tokens() + "\n".join(_asset(name) for name in STYLES)


def image_origin(info: ReleaseInfo) -> str:
    """Return the one host that pictures may come from; empty for none.

    Raises
    ------
    InputError
        If tiles are configured without attribution, or with an address that is not http(s).
    """
    origin = page.tile_origin(info.tiles_url)
    if origin and not info.tiles_attribution:
        raise InputError("page.tiles.url is set without page.tiles.attribution: say whose map it is")
    return origin


def page_of_map(
    released: Released,
    surroundings: Surroundings,
    *,
    pages: Collection[str],
    base: str,
    styles: Iterable[str] = (),
    added: Sequence[str] = (),
    labels: str = "",
    scripts: Iterable[str] = (),
) -> str:
    """Write the page around a map.

    Parameters
    ----------
    released, surroundings, pages
        As for `map_html`.
    base
        Script that makes the map and its panes.
    styles, added, labels, scripts
        What elements of folium bring along: style sheets, markup, a block of texts, and scripts to run after `base`.

    Raises
    ------
    InputError
        If tiles are configured without attribution, or with an address that is not http(s).
    """
    info = released.info
    origin = image_origin(info)
    leaflet_script, leaflet_style = page.leaflet()
    with words.speaking(info.language), words.per(info.base):
        body = page.render(
            "map.html",
            map=page.safe(ELEMENT),
            added=[page.safe(text) for text in added],
            labels=page.safe(labels),
            links=[(address, words.say(key)) for address, key in LINKED if address in pages],
        )
        return page.document(
            language=info.language,
            title=words.say("map_frame.page_title", title=info.title),
            styles=[leaflet_style, _style(), *styles],
            body=body,
            data=make_payload(released, surroundings, pages=pages),
            scripts=(leaflet_script, base, *scripts, map_script()),
            image_origin=origin,
        )


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
    panes = (AREA_PANES, DENSITY_PANES, CONTEXT_PANES, HOTSPOT_PANES)
    base = "\n".join((OPENING, *map(panes_script, panes)))
    return page_of_map(released, surroundings or Surroundings(), pages=pages, base=base)
