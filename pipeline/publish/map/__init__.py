"""The map of a release: one file that opens anywhere, without a network.

`payload` encodes what is shown, `outlines` the shapes, `document` writes the page round them. `assets` holds the
script and the style sheets.
"""

from pathlib import Path

from pipeline.publish.map.document import map_html
from pipeline.release.released import Released

__all__ = ["map_html", "write_map"]


def write_map(released: Released, path: Path) -> None:
    """Write the map page of a profile, normally as `index.html` of its folder.

    Parameters
    ----------
    released
        What came through the gate.
    path
        File to write; the folder must exist.
    """
    path.write_bytes(map_html(released).encode())
