"""The map of a release: one file that opens anywhere, without a network.

`HotspotMap` is a map of folium. `document` writes the page around it; `folium_elements` holds the layers for areas,
density and hotspots, and checks and renders what a notebook adds. `payload` encodes what is shown, `geometry` the
shapes. `assets` holds the script and the style sheets.
"""

from collections.abc import Collection
from pathlib import Path

from pipeline.publish.map.document import HotspotMap, map_html
from pipeline.publish.map.folium_elements import AreaLayer, ContextLayer, DensityLayer, HotspotLayer, Label, MapLayer
from pipeline.publish.surroundings import Surroundings, read_surroundings
from pipeline.release.released import Released

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
