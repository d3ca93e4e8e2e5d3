"""The file formats that can be read, one entry each; the configuration, the readers and every message take them here.

To add a format, write a module with the functions that `pipeline.ingest.formats.Reader` describes, and add its entry.
The reader is named, not imported, so that the configuration and `hotspots --help` stay light.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

__all__ = ["FORMATS", "Format", "FormatName", "by_ending", "endings"]


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    Attributes
    ----------
    name
        What the configuration calls it (`incidents.format`).
    label
        What people call it.
    endings
        Endings of file names that mean it, in small letters with their dot.
    reader
        Module that reads it.
    begins
        First bytes of such a file, checked before GDAL is given it; empty where GDAL is not used.
    companions
        Whether files of the same name with other endings belong to it.
    """

    name: str
    label: str
    endings: tuple[str, ...]
    reader: str
    begins: bytes = b""
    companions: bool = False


FORMATS: tuple[Format, ...] = (
    Format("csv", "CSV", (".csv", ".txt", ".tsv"), "pipeline.ingest.formats.text"),
    Format("geojson", "GeoJSON", (".geojson", ".json"), "pipeline.ingest.formats.vector", b"{"),
    Format("gpkg", "GeoPackage", (".gpkg",), "pipeline.ingest.formats.vector", b"SQLite format 3\0"),
    Format("shapefile", "Shapefile", (".shp",), "pipeline.ingest.formats.vector", b"\0\0\x27\x0a", companions=True),
    Format("tab", "MapInfo TAB", (".tab",), "pipeline.ingest.formats.vector", b"!table", companions=True),
    Format("parquet", "GeoParquet", (".parquet", ".geoparquet"), "pipeline.ingest.formats.parquet"),
)

if TYPE_CHECKING:
    FormatName = str
else:
    # What `incidents.format` may be: pydantic, the JSON schema and the reference list the names from here.
    FormatName = Literal[("auto", *(f.name for f in FORMATS))]


def endings() -> tuple[str, ...]:
    """Return every ending that means a format, in the order of the formats."""
    return tuple(ending for f in FORMATS for ending in f.endings)


def by_ending(path: Path) -> Format | None:
    """Return the format that the ending of a file name means, or None.

    Examples
    --------
    >>> by_ending(Path("Crimes.CSV")).name
    'csv'
    """
    ending = path.suffix.casefold()
    return next((f for f in FORMATS if ending in f.endings), None)
