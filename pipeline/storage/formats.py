"""The file formats that can be read, one entry each, for the configuration, the readers and every message.

To add a format, write a module with the functions that `pipeline.ingest.formats.files.Reader` describes, and add its
entry. The reader is named, not imported, so that the configuration and `hotspots --help` stay light.

Below them are the types of file that are recognised but not read, one entry each in `UNREAD`.
"""

import gzip
import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

__all__ = [
    "FORMATS",
    "UNREAD",
    "Format",
    "FormatName",
    "Unread",
    "by_content",
    "by_ending",
    "endings",
    "format_of",
    "is_geodatabase",
    "recognised",
    "refusal",
    "without_gz",
]


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    Attributes
    ----------
    name
        Its name in the configuration (`incidents.format`).
    label
        Its name in messages.
    endings
        File name extensions of the format, in lower case with their dot.
    reader
        Module that reads it.
    begins
        First bytes of such a file, any of these; a map file is checked for them before GDAL opens it.
    holds
        Pattern near the start of the file, in any case; with `begins`, both must match.
    inside
        Pattern that a name in a zip archive matches, if such a file is one.
    also
        Further extensions that mean this format if the content does: `.tab` is MapInfo's, and tab-separated text; some
        systems also name such text `.xls`.
    companions
        Whether files of the same name with other endings belong to it.
    encoded
        Whether its texts can be in another encoding than UTF-8, so that a setting may state it.
    prefix
        How GDAL is asked for this format only, before the path; otherwise it goes by the content.
    """

    name: str
    label: str
    endings: tuple[str, ...]
    reader: str
    begins: tuple[bytes, ...] = ()
    holds: bytes = b""
    inside: str = ""
    also: tuple[str, ...] = ()
    companions: bool = False
    encoded: bool = False
    prefix: str = ""

    @property
    def is_map(self) -> bool:
        """Whether GDAL reads it."""
        return self.reader == _GDAL


_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)
_XML = (b"<",)

# The start of an XML file up to its first element, and then that element's name.
_ROOT = rb"\A(?:<\?xml[^>]*>)?(?:\s|<!--.*?-->|<\?.*?\?>)*<(?:\w+:)?"
_NO_GEOJSON = rb'\A(?!.*"type"\s*:\s*"feature)'

_TEXT, _GDAL, _JSON = (f"pipeline.ingest.formats.{module}" for module in ("text", "vector", "records"))
FORMATS: tuple[Format, ...] = (
    Format("csv", "CSV", (".csv", ".txt", ".tsv"), _TEXT, also=(".tab", ".xls"), encoded=True),
    Format(
        "topojson",
        "TopoJSON",
        (".topojson",),
        _GDAL,
        (b"{",),
        _NO_GEOJSON + rb'.*"type"\s*:\s*"topology"',
        also=(".json", ".geojson"),
        prefix="TopoJSON:",
    ),
    Format(
        "esrijson",
        "JSON of an Esri service",
        (".esrijson",),
        _GDAL,
        (b"{",),
        _NO_GEOJSON
        + rb'.*("geometrytype"\s*:\s*"esrigeometry|"spatialreference"\s*:\s*\{'
        + rb'|"features"\s*:\s*\[\s*\{\s*"attributes")',
        also=(".json", ".geojson"),
        prefix="ESRIJSON:",
    ),
    Format(
        "geojsonseq",
        "GeoJSON of one object a line",
        (".geojsonl", ".geojsons"),
        _GDAL,
        (b"\x1e", b"{"),
        rb'\A\x1e|\A\{(?![^\n]*"featurecollection")[^\n]*"type"\s*:\s*"feature"[^\n]*\}\s*(\n\s*\{|\Z)',
        also=(".ndjson", ".jsonl", ".json", ".geojson"),
        prefix="GeoJSONSeq:",
    ),
    Format(
        "geojson",
        "GeoJSON",
        (".geojson", ".json"),
        _GDAL,
        (b"{",),
        rb'"type"\s*:\s*"((feature|geometry)(collection)?|(multi)?(point|linestring|polygon))"',
        prefix="GeoJSON:",
    ),
    Format(
        "records",
        "JSON records (a list of objects, also under one key, or one object a line)",
        (".ndjson", ".jsonl"),
        _JSON,
        (b"[", b"{"),
        rb'\A\[\s*(\{|\]\s*\Z)|\A\{[^\n]*\}\s*(\n\s*\{|\Z)|\A\{.*?"\s*:\s*\[\s*\{',
        also=(".json",),
    ),
    Format("gpkg", "GeoPackage", (".gpkg",), _GDAL, (b"SQLite format 3\0",)),
    Format("spatialite", "SpatiaLite", (".sqlite", ".spatialite"), _GDAL, (b"SQLite format 3\0",)),
    Format("shapefile", "Shapefile", (".shp",), _GDAL, (b"\0\0\x27\x0a",), companions=True, encoded=True),
    Format("tab", "MapInfo TAB", (".tab",), _GDAL, (b"!table",), companions=True, encoded=True),
    Format("flatgeobuf", "FlatGeobuf", (".fgb",), _GDAL, (b"fgb\x03fgb",)),
    Format("filegdb", "an Esri file geodatabase", (".gdb",), _GDAL),
    Format("kml", "KML", (".kml",), _GDAL, (b"<",), _ROOT + rb"kml[\s>]", also=(".xml",)),
    Format(
        "gml",
        "GML",
        (".gml",),
        _GDAL,
        (b"<",),
        _ROOT + rb"[^>]*opengis\.net/(gml|wfs)",
        also=(".xml",),
        companions=True,
    ),
    Format("gpx", "GPX", (".gpx",), _GDAL, (b"<",), _ROOT + rb"gpx[\s>]"),
    Format("parquet", "GeoParquet", (".parquet", ".geoparquet"), "pipeline.ingest.formats.parquet", (b"PAR1",)),
    Format(
        "workbook",
        "a workbook (Excel or OpenDocument)",
        (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
        "pipeline.ingest.formats.workbook",
        (*_ZIP, *_OLE),
        inside=r"^xl/|^content\.xml$",
    ),
)

if TYPE_CHECKING:
    FormatName = str
else:
    # The values of `incidents.format`: pydantic, the JSON schema and the reference take them from here.
    FormatName = Literal[("auto", *(f.name for f in FORMATS))]


def endings() -> tuple[str, ...]:
    """Return the extensions of all formats, in the order of the formats."""
    return tuple(ending for f in FORMATS for ending in f.endings)


def by_ending(path: Path) -> Format | None:
    """Return the format of a file name by its extension, or None.

    Examples
    --------
    >>> by_ending(Path("Crimes.CSV")).name
    'csv'
    """
    ending = path.suffix.casefold()
    return next((f for f in FORMATS if ending in f.endings), None)


def is_geodatabase(path: Path) -> bool:
    """Whether a path is that of an Esri file geodatabase, which is a folder."""
    return path.suffix.casefold() == ".gdb" and path.is_dir()


def without_gz(name: str) -> str:
    """Return a file name without the ending of gzip.

    Examples
    --------
    >>> without_gz("crimes.csv.gz"), without_gz("wards.geojson")
    ('crimes.csv', 'wards.geojson')
    """
    return name[:-3] if name.casefold().endswith(".gz") else name


def format_of(path: Path) -> Format | None:
    """Return the format of a file by its extension and, where formats share an extension, by its content."""
    named, ending = by_ending(path), path.suffix.casefold()
    sharing = [f for f in FORMATS if ending in f.also]
    if sharing and path.is_file():
        head = _head(path)
        real = _format_of(head, path)
        if real in sharing:
            return real
        if real is None and _is_text(head):
            return next((f for f in sharing if not f.begins), named)
    return named


# Types of file that are known but not read: they are recognised by their content, and the error says what to do. They
# are tried in the order of `UNREAD`. `refusal` is called before any file of the user is opened, so that a workbook
# named `.csv` is always reported as a workbook.

_HEAD = 1 << 16  # bytes read: enough for the root element of an XML file or the first keys of a JSON file
_GZIP = b"\x1f\x8b"
_TO_CSV = "open it in a spreadsheet, save the sheet as `CSV UTF-8 (comma delimited)` and name that file"
_TO_MAP = (
    "convert it to GeoPackage (in QGIS: Export, Save Features As; or `ogr2ogr {stem}.gpkg {name}`) and name that file"
)
_OUTLINES = "name a file with outlines, such as GeoPackage, GeoJSON, Shapefile or an Esri file geodatabase"
_UNPACK = "unpack it and name the file or files in it"


@dataclass(frozen=True, slots=True)
class Unread:
    """One type of file that is recognised but not read.

    Attributes
    ----------
    label
        What it is, after "is".
    remedy
        What to do, with `{name}` and `{stem}` of the file.
    begins
        First bytes, any of these.
    holds
        Pattern near the start of the file, ignoring case; with `begins`, both must match.
    inside
        Pattern that a name in a zip archive matches.
    endings
        Extensions that identify it if the content does not.
    folder
        Whether it is a folder.
    """

    label: str
    remedy: str
    begins: tuple[bytes, ...] = ()
    holds: bytes = b""
    inside: str = ""
    endings: tuple[str, ...] = ()
    folder: bool = False


UNREAD: tuple[Unread, ...] = (
    Unread(
        "an Esri file geodatabase whose name does not say so",
        "rename the folder to end in .gdb and name it",
        folder=True,
    ),
    # The names inside a zip archive identify it.
    Unread("a Word document", "export the table in it as CSV UTF-8", _ZIP, inside=r"^word/", endings=(".docx", ".doc")),
    Unread(
        "a zip archive",
        "rename it to end in .zip (.kmz if it is zipped KML) and name that file; the files in it are then read",
        _ZIP,
    ),
    Unread(
        "a compressed archive",
        _UNPACK,
        (b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh91AY&SY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"),
        endings=(".7z", ".rar", ".bz2", ".xz", ".zst", ".tar", ".tgz"),
    ),
    Unread("a PDF document", "ask for the table or map layer that it was printed from", (b"%PDF",), endings=(".pdf",)),
    Unread(
        "an Access database",
        "export the table in it as CSV UTF-8",
        (b"\0\x01\0\0Standard Jet DB", b"\0\x01\0\0Standard ACE DB"),
        endings=(".mdb", ".accdb"),
    ),
    Unread(
        "a data file of SPSS, Stata or R",
        "export it there as CSV UTF-8",
        (b"$FL2", b"$FL3", b"<stata_dta>", b"RDX2", b"RDX3"),
        endings=(".sav", ".zsav", ".dta", ".rds", ".rda", ".rdata", ".sas7bdat"),
    ),
    Unread("a picture or raster", "give a layer of areas or points", (b"II*\0", b"MM\0*", b"\x89PNG", b"\xff\xd8\xff")),
    # Markup: identified by the root element.
    Unread("an OpenStreetMap file", _TO_MAP, _XML, rb"<osm[\s>]", endings=(".osm", ".pbf")),
    Unread("an Excel 2003 workbook in XML", _TO_CSV, _XML, rb"urn:schemas-microsoft-com:office:spreadsheet"),
    Unread(
        "a web page (HTML)",
        "a download that needs a login, or whose address has moved, gives a page in place of the file: fetch it again. "
        "If it holds the table itself, as some systems write files named .xls, " + _TO_CSV,
        _XML,
        rb"<(!doctype html|html|head|table|meta)[\s>]",
        endings=(".html", ".htm"),
    ),
    Unread("an XML file", "export the data as CSV UTF-8, GeoJSON or GeoPackage", _XML, rb"^<\?xml", endings=(".xml",)),
    # JSON other than GeoJSON.
    # Parts of files, and types that only their name identifies.
    Unread(
        "a part of a Shapefile or a dBase table",
        "name the .shp file beside it; if it is a table of its own, " + _TO_CSV,
        endings=(".dbf", ".shx", ".prj", ".cpg", ".sbn", ".qpj"),
    ),
    Unread("MapInfo interchange format (MIF)", _TO_MAP, endings=(".mif", ".mid")),
    Unread("a drawing (DXF, DWG or DGN)", _TO_MAP, endings=(".dxf", ".dwg", ".dgn")),
)


def recognised(path: Path) -> Unread | None:
    """Return the type of a file that is known but not read, by its content; None for any other.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = Path(folder) / "counts.csv"
    ...     _ = page.write_text("<!DOCTYPE html><html><body>Please log in</body></html>")
    ...     recognised(page).label
    'a web page (HTML)'
    """
    if path.is_dir():
        tables = not is_geodatabase(path) and any(path.glob("*.gdbtable"))
        return next(kind for kind in UNREAD if kind.folder) if tables else None
    return _kind(_head(path), path)


def refusal(path: Path, *, meant: Format | None, key: str = "") -> str | None:
    """Return why a file cannot be read in its stated format, and what to do; None if it can.

    Parameters
    ----------
    path
        The file, or a folder that was given instead of one.
    meant
        The format by its extension or the configuration; None if the extension belongs to no format.
    key
        The setting that states a format, for messages; empty if there is none.
    """
    found = recognised(path) if path.exists() else None
    if found is not None:
        return _sentence(path, found)
    if is_geodatabase(path):
        return None
    if path.is_dir():
        return f"{path.name} is a folder: name the file or files in it (a pattern such as `{path.name}/*.csv` may)"
    head = _head(path) if path.exists() else b""
    if head.startswith(_GZIP):
        return _packed(path, _unpacked(head), meant=meant)
    return _other_format(path, head, meant=meant, key=key)


def _other_format(path: Path, head: bytes, *, meant: Format | None, key: str) -> str | None:
    """Return a message if a file has a readable format other than the stated one."""
    real = _format_of(head, path)
    # The index of a Shapefile (.shx) begins as the Shapefile itself does.
    part = real is not None and real.name == "shapefile" and path.suffix.casefold() not in real.endings
    if meant is None and (real is None or part):
        return _by_name(path)
    if real is not None and real is not meant:
        stated = f", or set `{key}: {real.name}`" if key else ""
        return (
            f"{path.name} is {real.label}{f', not {meant.label}' if meant else ''}: rename it to end in "
            f"{real.endings[0]} and name that file{stated}"
        )
    if meant is not None and meant.begins and real is None and _is_text(head):
        remedy = f"set `{key}: csv` for this source, or rename it to end in .tsv or .csv" if key else _OUTLINES
        ending = f"which its ending {path.suffix!r} stands for"
        return f"{path.name} is delimited text, not {meant.label}, {ending}: {remedy}"
    return None


def _packed(path: Path, inner: bytes, *, meant: Format | None) -> str | None:
    """Return a message if a gzip-compressed file contains anything but delimited text."""
    kind = _kind(inner, Path(path.stem))
    if kind is not None:
        return _sentence(path, kind, packed="gzip-compressed, and what is inside is ")
    if inner[257:262] == b"ustar":
        return f"{path.name} is a compressed archive (tar.gz): {_UNPACK}"
    real = _format_of(inner, path)
    if real is not None:
        return f"{path.name} is {real.label} compressed with gzip: unpack it (`gunzip {path.name}`) and name that file"
    if path.suffix.casefold() != ".gz":
        return f"{path.name} is compressed with gzip, which its name does not say: rename it to {path.name}.gz"
    if meant is not None and meant.begins:
        return f"{path.name} is compressed with gzip, and only delimited text is read so: unpack it and name that file"
    return None


def _by_name(path: Path) -> str | None:
    """Return the unreadable type that the extension alone indicates."""
    named = next((kind for kind in UNREAD if path.suffix.casefold() in kind.endings), None)
    return None if named is None else _sentence(path, named)


def _sentence(path: Path, kind: Unread, *, packed: str = "") -> str:
    remedy = kind.remedy.format(name=path.name, stem=path.stem)
    return f"{path.name} is {packed}{kind.label}, which is not read: {remedy}"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _unpacked(head: bytes) -> bytes:
    """Return the start of the uncompressed content; empty if it is damaged, which the reader reports."""
    try:
        with gzip.open(io.BytesIO(head)) as file:
            return file.read1(_HEAD)
    except (OSError, EOFError, zlib.error):
        return b""


def _kind(head: bytes, path: Path) -> Unread | None:
    """Return the first unreadable type that a file matches."""
    plain = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if plain[:2] in (b"\xff\xfe", b"\xfe\xff"):
        plain = head.decode("utf-16", "ignore").encode()
    if _format_of(head, path) is not None:
        return None
    names = _names(path) if head.startswith(_ZIP) else []
    for kind in UNREAD:
        if not kind.begins or not plain.startswith(kind.begins):
            continue
        if kind.holds and not re.search(kind.holds, plain[:_HEAD], re.IGNORECASE):
            continue
        if kind.inside and not any(re.search(kind.inside, name, re.IGNORECASE) for name in names):
            continue
        return kind
    return None


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return []


def by_content(path: Path) -> Format | None:
    """Return the readable format of a file by its content; None for text and unknown content."""
    return by_ending(path) if is_geodatabase(path) else _format_of(_head(path), path)


def _format_of(head: bytes, path: Path) -> Format | None:
    found = [f for f in FORMATS if _is_of(head, f, path)]
    # GeoPackage and SpatiaLite begin alike: the extension decides. JSON is tried in the order of `FORMATS`.
    named = by_ending(path)
    return named if named in found and not named.holds else next(iter(found), None)


def _is_of(head: bytes, kind: Format, path: Path) -> bool:
    plain = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not any(plain.startswith(b.lower()) for b in kind.begins):
        return False
    if kind.holds and not re.search(kind.holds, plain, re.DOTALL):
        return False
    return (
        not kind.inside
        or not head.startswith(_ZIP)
        or any(re.search(kind.inside, name, re.IGNORECASE) for name in _names(path))
    )


def _is_text(head: bytes) -> bool:
    """Whether bytes are delimited text: no zero byte, and cells rather than a JSON object."""
    return bool(head.strip()) and b"\0" not in head and not head.lstrip().startswith((b"{", b"[", b"<"))
