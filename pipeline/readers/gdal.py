"""The one door to GDAL: a map file is opened as what its name says, and nothing in it leads anywhere else.

GDAL opens a file by its content, and some of its formats are only pointers to other files or addresses (VRT, WFS,
GDALG); even a GeoJSON may name an address as its coordinate system, which GDAL would then ask.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import InputError

__all__ = ["closed"]

_BEGINS = {".gpkg": b"SQLite format 3\0", ".shp": b"\x00\x00\x27\x0a", ".tab": b"!table"}
_JSON = frozenset({".geojson", ".json"})
# A proxy that is not there: whatever still asks for an address gets no further than this computer.
_NO_NETWORK = {
    "GDAL_HTTP_PROXY": "http://127.0.0.1:1",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_HTTP_TIMEOUT": "1",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
}


@contextmanager
def closed(path: Path) -> Iterator[str]:
    """Yield the name by which GDAL opens a file as what it should be; inside the block GDAL has no network.

    Raises
    ------
    InputError
        If the file does not begin as files of its ending do.
    """
    import pyogrio

    suffix = path.suffix.casefold()
    with path.open("rb") as file:
        head = file.read(256).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    begins = [b"{"] if suffix in _JSON else [_BEGINS[suffix]] if suffix in _BEGINS else [b"{", *_BEGINS.values()]
    if not any(head.startswith(b.lstrip().lower()) for b in begins):
        raise InputError(
            f"{path.name} is not what its ending says: a map file is GeoJSON, GeoPackage, Shapefile, MapInfo TAB or "
            "GeoParquet. Export it again"
        )
    before = {name: pyogrio.get_gdal_config_option(name) for name in _NO_NETWORK}
    pyogrio.set_gdal_config_options(dict(_NO_NETWORK))
    try:
        with warnings.catch_warnings():
            # What GDAL mutters about single shapes is seen again, and counted, when the rows are read.
            warnings.simplefilter("ignore", RuntimeWarning)
            yield f"GeoJSON:{path.absolute()}" if head.startswith(b"{") else str(path)
    finally:
        pyogrio.set_gdal_config_options(before)
