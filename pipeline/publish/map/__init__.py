"""The map of a release: one file that opens anywhere, without a network.

`document` writes the page. `hotspot_map` is the same map as an element of folium, which a run does without;
`folium_elements` holds its layers for areas, density and hotspots, and checks and renders what a notebook adds.
`payload` encodes what is shown, `geometry` the shapes. `assets` holds the script and the style sheets.
"""

import importlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.publish.map.document import map_html
from pipeline.publish.surroundings import Surroundings, read_surroundings
from pipeline.release.released import Released

if TYPE_CHECKING:
    from pipeline.publish.map.folium_elements import (
        AreaLayer,
        ContextLayer,
        DensityLayer,
        HotspotLayer,
        Label,
        MapLayer,
    )
    from pipeline.publish.map.hotspot_map import HotspotMap

__all__ = [
    "AreaLayer",
    "ContextLayer",
    "DensityLayer",
    "HotspotLayer",
    "HotspotMap",
    "Label",
    "MapLayer",
    "Surroundings",
    "map_html",
    "read_surroundings",
    "write_map",
]


def __getattr__(name: str) -> Any:
    # Imported when first used: folium is for notebooks, and takes as long to load as a small map to write.
    if name == "HotspotMap":
        return importlib.import_module("pipeline.publish.map.hotspot_map").HotspotMap
    if name in {"AreaLayer", "ContextLayer", "DensityLayer", "HotspotLayer", "Label", "MapLayer"}:
        return getattr(importlib.import_module("pipeline.publish.map.folium_elements"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def write_map(
    released: Released, path: Path, *, surroundings: Surroundings | None = None, pages: Collection[str] = ()
) -> None:
    """Write the map page of a profile, normally as `index.html` of its folder.

    Parameters
    ----------
    released
        What came through the gate.
    path
        File to write; the folder must exist.
    surroundings
        Public layers under the hotspots.
    pages
        Addresses of the pages beside the map, as seen from it. The map leads to them.
    """
    path.write_bytes(map_html(released, surroundings, pages=pages).encode())
