"""Layers to draw under the hotspots: OS OpenData for Great Britain, OpenStreetMap for any place.

Each source brings features of its own kinds; here they become a few small GeoJSON files, one a kind, with the columns
`name` and `rank` that the `context` of a configuration asks for.
"""

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlencode

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.fetch.boundaries import read_json_page
from pipeline.fetch.client import Client
from pipeline.fetch.download import JSON, ZIP, Fetched, Progress, Source, download, keep
from pipeline.fetch.unpack import Unpacking, unpack
from pipeline.fetch.untrusted import checked_url, cleaned

__all__ = [
    "EXTRACTS",
    "ORDNANCE_SURVEY",
    "OVERPASS",
    "Bounds",
    "fetch_extract",
    "fetch_os",
    "fetch_overpass",
    "snippet",
]

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

ORDNANCE_SURVEY = "https://api.os.uk/downloads/v1"
OVERPASS = "https://overpass-api.de/api/interpreter"
EXTRACTS = "https://download.geofabrik.de"

OS_SOURCE = Source(
    "Ordnance Survey, OS OpenData",
    "Contains OS data © Crown copyright and database right, under the Open Government Licence v3.0.",
)
OSM_SOURCE = Source(
    "OpenStreetMap",
    "© OpenStreetMap contributors, under the Open Database Licence (ODbL).",
    {"name": "Open Database License v1.0", "url": "https://opendatacommons.org/licenses/odbl/1-0/"},
)
FILES = {
    "water": "water.geojson",
    "green": "green.geojson",
    "road": "roads.geojson",
    "rail": "rail.geojson",
    "station": "stations.geojson",
    "place": "places.geojson",
}
_WIDEST_DEG = 3.0  # a question about more than a large region would keep a public server busy for minutes
_ARCHIVE_BYTES = 3_000_000_000
_ARCHIVE_SECONDS = 4 * 3600.0
_MOST_FEATURES = 300_000
_DEGREES = 5  # decimals: a metre, finer than any zoom of the map shows

# What is taken of OpenStreetMap, by key and value, with its rank; 1 is the most important.
_OSM: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "road": ("highway", {"motorway": 1, "trunk": 1, "primary": 1, "secondary": 2, "tertiary": 3}),
    "rail": ("railway", {"rail": 1, "subway": 2, "light_rail": 2, "tram": 3}),
    "station": ("railway", {"station": 1, "halt": 2, "tram_stop": 3}),
    "place": (
        "place",
        {"city": 1, "town": 1, "borough": 2, "suburb": 2, "village": 2, "quarter": 3, "neighbourhood": 3},
    ),
    "green": ("leisure", {"park": 1, "nature_reserve": 2, "golf_course": 3, "common": 2}),
    "water": ("natural", {"water": 1}),
}
# Layers of Geofabrik's shapefiles and the classes of each that are the same as above.
_EXTRACT_LAYERS = {
    "road": ("gis_osm_roads_free_1", {"motorway": 1, "trunk": 1, "primary": 1, "secondary": 2, "tertiary": 3}),
    "rail": ("gis_osm_railways_free_1", {"rail": 1, "subway": 2, "light_rail": 2, "tram": 3}),
    "station": ("gis_osm_transport_free_1", {"railway_station": 1, "railway_halt": 2, "tram_stop": 3}),
    "place": ("gis_osm_places_free_1", {"city": 1, "national_capital": 1, "town": 1, "suburb": 2, "village": 2}),
    "green": ("gis_osm_landuse_a_free_1", {"park": 1, "nature_reserve": 2}),
    "water": ("gis_osm_water_a_free_1", {"water": 1, "reservoir": 1, "river": 1, "dock": 2}),
}
# Products of Ordnance Survey by tile of 100 km: layer in the shapefile's name, column of the class, class to rank.
_OS_LAYERS: tuple[tuple[str, str, str, str, Mapping[str, int]], ...] = (
    ("road", "OpenRoads", "RoadLink", "class", {"Motorway": 1, "A Road": 1, "B Road": 2}),
    ("green", "OpenGreenspace", "GreenspaceSite", "function", {"Public Park Or Garden": 1, "Golf Course": 3}),
    ("water", "OpenMapLocal", "TidalWater", "", {}),
    ("water", "OpenMapLocal", "SurfaceWater_Area", "", {}),
    ("rail", "OpenMapLocal", "RailwayTrack", "", {}),
)
_OS_NAMES = ("name1", "distname1", "distinctive_name_1", "distname", "roadnumber")
_OPEN_NAMES = {
    "Railway Station": ("station", 1), "City": ("place", 1), "Town": ("place", 1), "Suburban Area": ("place", 2),
    "Village": ("place", 2), "Other Settlement": ("place", 3), "Hamlet": ("place", 3),
}  # fmt: skip
_TILE_M = 100_000
_SHAPEFILES = Unpacking(max_ratio=1000.0)  # a table of codes that repeat packs well


@dataclass(frozen=True, slots=True)
class _Feature:
    kind: str
    name: str
    rank: int
    shape: Any


def fetch_overpass(
    client: Client, out: Path, *, bounds: Bounds, base: str = OVERPASS, progress: Progress | None = None
) -> list[Fetched]:
    """Ask a server of the Overpass API for what OpenStreetMap has within bounds, and write one file a kind.

    Parameters
    ----------
    client
        Who asks.
    out
        Folder for the files.
    bounds
        Degrees; at most 3 degrees wide and high.
    base
        Address of the interpreter.
    progress
        Told how many bytes have come.

    Raises
    ------
    InputError
        If the server cannot be reached, refuses, or sends something that is no set of features.
    """
    checked_bounds(bounds)
    west, south, east, north = bounds
    wanted = "".join(f'nwr["{key}"~"^({"|".join(values)})$"];' for key, values in _OSM.values())
    question = f"[out:json][timeout:180][bbox:{south:.5f},{west:.5f},{north:.5f},{east:.5f}];({wanted});out tags geom;"
    url = f"{checked_url(base)}?{urlencode({'data': question})}"
    page = download(client, url, out / ".pages" / "overpass.json", kind=JSON, source=OSM_SOURCE, progress=progress)
    content = read_json_page(page.path)
    elements = content.get("elements") if isinstance(content, dict) else None
    if not isinstance(elements, list):
        page.path.unlink(missing_ok=True)
        remark = content.get("remark") if isinstance(content, dict) else ""
        raise InputError(f"the Overpass server sent no list of elements ({cleaned(remark)}): try again later")
    if isinstance(content.get("remark"), str):  # a query that ran out of time or memory is answered in part
        page.path.unlink(missing_ok=True)
        raise InputError(
            f"the Overpass server answered only in part ({cleaned(content['remark'])}): ask for smaller --bounds, or "
            "fetch an extract (--extract)"
        )
    return _write(out, _elements(elements), bounds=bounds, url=url, source=OSM_SOURCE)


def fetch_extract(
    client: Client, out: Path, *, region: str, bounds: Bounds, base: str = EXTRACTS, progress: Progress | None = None
) -> list[Fetched]:
    """Take layers within bounds out of an extract of OpenStreetMap in shapefiles, as Geofabrik makes them every day.

    Parameters
    ----------
    client
        Who asks.
    out
        Folder for the files; the extract stays in `.pages` in it.
    region
        Path of the extract on the server: `europe/ireland-and-northern-ireland`.
    bounds
        Degrees.
    base
        Address of the server.
    progress
        Told how many bytes have come.

    Raises
    ------
    InputError
        If it cannot be had, or is broken or hostile.
    """
    checked_bounds(bounds)
    if not region or any(not part or not part.replace("-", "").isalnum() for part in region.split("/")):
        raise InputError(f"--extract {cleaned(region)!r} is no region: write it as in its address, europe/andorra")
    url = f"{checked_url(base)}/{region}-latest-free.shp.zip"
    layers = {layer: (kind, ranks) for kind, (layer, ranks) in _EXTRACT_LAYERS.items()}

    def found() -> Iterator[_Feature]:
        folder = out / ".pages" / region.replace("/", "-")
        with _unpacked(client, url, folder, set(layers), source=OSM_SOURCE, progress=progress) as files:
            for path in files:
                kind, ranks = layers[path.stem]
                yield from _layer(path, kind, "fclass", ranks, ("name",), bounds=bounds)

    return _write(out, found(), bounds=bounds, url=url, source=OSM_SOURCE)


def fetch_os(
    client: Client, out: Path, *, bounds: Bounds, base: str = ORDNANCE_SURVEY, progress: Progress | None = None
) -> list[Fetched]:
    """Take layers within bounds out of OS OpenData: roads, green space, water, rail, stations and names of places.

    Products that come in tiles of 100 km (OS Open Roads, OS Open Greenspace, OS OpenMap - Local) are fetched for the
    tiles that the bounds touch; OS Open Names comes whole.

    Parameters
    ----------
    client
        Who asks.
    out
        Folder for the files; archives stay in `.pages` in it.
    bounds
        Degrees, inside Great Britain.
    base
        Address of the OS Downloads API.
    progress
        Told how many bytes have come.

    Raises
    ------
    InputError
        If the bounds lie outside the National Grid, or a product cannot be had or has changed.
    """
    checked_bounds(bounds)
    tiles = _tiles(bounds)
    address, pages = checked_url(base), out / ".pages"

    def found() -> Iterator[_Feature]:
        for tile in tiles:
            for product in dict.fromkeys(product for _, product, *_ in _OS_LAYERS):
                layers = {f"{tile}_{layer}": of for of in _OS_LAYERS if of[1] == product for layer in (of[2],)}
                url = _os_download(client, address, pages, product=product, area=tile, kind="ESRI® Shapefile")
                folder = pages / f"{product}-{tile}"
                with _unpacked(client, url, folder, set(layers), source=OS_SOURCE, progress=progress) as files:
                    for path in files:
                        kind, _, _, column, ranks = layers[path.stem]
                        yield from _layer(path, kind, column, ranks, _OS_NAMES, bounds=bounds)
        url = _os_download(client, address, pages, product="OpenNames", area="GB", kind="CSV")
        yield from _open_names(client, url, pages / "OpenNames", bounds=bounds, progress=progress)

    return _write(out, found(), bounds=bounds, url=address, source=OS_SOURCE)


def checked_bounds(bounds: Bounds) -> None:
    """Refuse bounds that are none, or too wide to be a place.

    Raises
    ------
    InputError
        Naming what is wrong.
    """
    west, south, east, north = bounds
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InputError(
            f"--bounds {west:g},{south:g},{east:g},{north:g} is no box: give west,south,east,north in degrees"
        )
    if max(east - west, north - south) > _WIDEST_DEG:
        raise InputError(
            f"--bounds reaches over {max(east - west, north - south):.1f} degrees, more than {_WIDEST_DEG:g}: give the "
            "box of your area"
        )


def snippet(files: Iterable[Fetched]) -> str:
    """Return the lines of a configuration that name fetched layers."""
    kinds = {name: kind for kind, name in FILES.items()}
    lines = ["context:"]
    for file in files:
        licence = "ODbL" if file.record["publisher"] == OSM_SOURCE.publisher else "OGL v3"
        credit = "© OpenStreetMap contributors" if licence == "ODbL" else "Contains OS data © Crown copyright"
        lines.append(
            f"  - {{path: {json.dumps(file.path.as_posix())}, kind: {kinds[file.path.name]}, name: name, rank: rank, "
            f'attribution: "{credit}", licence: {licence}}}'
        )
    return "\n".join(lines)


# OpenStreetMap's own elements, as the Overpass API sends them with their geometry.


def _elements(elements: Sequence[Any]) -> Iterator[_Feature]:
    for element in elements:
        tags = element.get("tags") if isinstance(element, dict) else None
        if not isinstance(tags, dict):
            continue
        for kind, (key, ranks) in _OSM.items():
            rank = ranks.get(str(tags.get(key)))
            shape = _shape(element, kind) if rank is not None else None
            if rank is not None and shape is not None:
                yield _Feature(kind, str(tags.get("name") or tags.get("ref") or ""), rank, shape)


def _shape(element: Mapping[str, Any], kind: str) -> Any:
    """Build the shape of an element; None where it is broken."""
    try:
        if element.get("type") == "node":
            return shapely.Point(float(element["lon"]), float(element["lat"]))
        if element.get("type") == "way":
            shape = _line(element["geometry"])
            closed = shape is not None and shape.is_ring and kind not in {"road", "rail"}
            shape = shapely.Polygon(shape.coords) if closed else shape
        else:
            outer, inner = (_surface(element["members"], roles) for roles in ({"outer", ""}, {"inner"}))
            shape = shapely.difference(outer, inner)
    except (KeyError, TypeError, ValueError, shapely.errors.GEOSException):
        return None
    # A station or a place that is drawn as an outline stands for its middle.
    return shapely.centroid(shape) if shape is not None and kind in {"station", "place"} else shape


def _surface(members: Sequence[Mapping[str, Any]], roles: set[str]) -> Any:
    """Join the ways of a relation to surfaces: a lake's shore comes in pieces."""
    lines = [_line(m["geometry"]) for m in members if m.get("role") in roles and "geometry" in m]
    rings = shapely.polygonize([shapely.union_all([line for line in lines if line is not None])])
    return shapely.union_all(list(rings.geoms))


def _line(places: Any) -> Any:
    pairs = [(float(p["lon"]), float(p["lat"])) for p in places if isinstance(p, dict)]
    return shapely.LineString(pairs) if len(pairs) > 1 else None


# Shapefiles in archives.


@contextmanager
def _unpacked(
    client: Client, url: str, folder: Path, layers: set[str], *, source: Source, progress: Progress | None
) -> Iterator[list[Path]]:
    """Give the wanted layers of a fetched archive of shapefiles, unpacked for the length of a block."""
    limits = replace(client.limits, max_bytes=_ARCHIVE_BYTES, deadline_s=_ARCHIVE_SECONDS)
    path = folder.with_name(f"{folder.name}.zip")
    archive = download(client, url, path, kind=ZIP, source=source, limits=limits, progress=progress).path

    def wanted(name: str) -> bool:
        member = PurePosixPath(name)
        return member.suffix in {".shp", ".dbf", ".shx", ".prj", ".cpg"} and member.stem in layers

    try:
        found = [f for f in unpack(archive, folder, wanted=wanted, limits=_SHAPEFILES) if f.suffix == ".shp"]
        if not found:
            raise InputError(
                f"{archive.name} has none of the layers {', '.join(sorted(layers))}: the product has changed"
            )
        yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the archive stays, the layers are many times as large


def _layer(
    path: Path, kind: str, column: str, ranks: Mapping[str, int], names: Sequence[str], *, bounds: Bounds
) -> Iterator[_Feature]:
    """Read one layer within bounds; classes that have no rank are left out."""
    import geopandas as gpd

    box = gpd.GeoSeries([shapely.box(*bounds)], crs="EPSG:4326")
    frame = gpd.read_file(path, mask=box, max_features=_MOST_FEATURES)
    if not len(frame):
        return
    frame = frame.to_crs("EPSG:4326")
    columns = {str(c).casefold(): c for c in frame.columns}
    if column and column.casefold() not in columns:
        raise InputError(f"{path.name} has no column {column}: the product has changed, nothing was kept")
    classes = frame[columns[column.casefold()]].astype(str) if column else None
    named = [frame[columns[n]].fillna("").astype(str) for n in names if n in columns]
    for number, shape in enumerate(frame.geometry):
        rank = ranks.get(classes.iloc[number]) if classes is not None else 1
        if rank is None or shape is None or shape.is_empty:
            continue
        name = next((text.iloc[number] for text in named if text.iloc[number].strip()), "")
        yield _Feature(kind, name, rank, shape)


# Ordnance Survey: tiles of the National Grid, the list of downloads of a product, OS Open Names.


def _tiles(bounds: Bounds) -> list[str]:
    """Return the squares of 100 km of the National Grid that bounds touch, by their two letters."""
    from pipeline.geography.projection import project

    west, south, east, north = bounds
    rim = np.array([[x, y] for x in np.linspace(west, east, 9) for y in np.linspace(south, north, 9)])
    metres = project(rim, source="EPSG:4326", working="EPSG:27700")
    if not np.isfinite(metres).all() or (metres < 0).any() or (metres >= [700_000, 1_300_000]).any():
        raise InputError("--bounds reaches beyond the National Grid of Great Britain: use --source osm")
    squares = {(int(x // _TILE_M), int(y // _TILE_M)) for x, y in metres}
    return sorted(_letters(column, row) for column, row in squares)


def _letters(column: int, row: int) -> str:
    """Return the letters of a square: a grid of 5 by 5 letters without I, inside a grid of the same kind.

    >>> _letters(5, 1), _letters(3, 8), _letters(2, 6)
    ('TQ', 'NJ', 'NS')
    """
    alphabet = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
    first = (19 - row) - (19 - row) % 5 + (column + 10) // 5
    second = (19 - row) * 5 % 25 + column % 5
    return alphabet[first] + alphabet[second]


def _os_download(client: Client, base: str, pages: Path, *, product: str, area: str, kind: str) -> str:
    """Return the address of a product's archive for an area."""
    query = urlencode({"area": area, "format": kind})
    url = f"{base}/products/{product}/downloads?{query}"
    page = pages / f"{product}-{area}.json"
    listed = read_json_page(download(client, url, page, kind=JSON, source=OS_SOURCE).path)
    found = [d for d in listed if isinstance(d, dict) and d.get("area") == area] if isinstance(listed, list) else []
    address = str(found[0].get("url", "")) if found else ""
    if not address:
        page.unlink(missing_ok=True)
        raise InputError(
            f"Ordnance Survey offers no {product} for {area} as {kind}: the product has changed. Fetch it by hand from "
            "osdatahub.os.uk/downloads/open"
        )
    return checked_url(address, setting="the address that Ordnance Survey gives,")


def _open_names(
    client: Client, url: str, folder: Path, *, bounds: Bounds, progress: Progress | None
) -> Iterator[_Feature]:
    """Read stations and places of OS Open Names: files by squares of 20 km, a header in a file of its own."""
    from pipeline.geography.projection import project

    limits = replace(client.limits, max_bytes=_ARCHIVE_BYTES, deadline_s=_ARCHIVE_SECONDS)
    path = folder.with_name(f"{folder.name}.zip")
    archive = download(client, url, path, kind=ZIP, source=OS_SOURCE, limits=limits, progress=progress).path
    try:
        files = unpack(archive, folder, wanted=lambda name: name.casefold().endswith(".csv"))
        header = next((f for f in files if "header" in f.name.casefold()), None)
        if header is None:
            raise InputError(f"{archive.name} has no file with the header: the product has changed")
        columns = [c.strip().upper() for c in _rows(header)[0]]
        needed = ("NAME1", "LOCAL_TYPE", "GEOMETRY_X", "GEOMETRY_Y")
        if not set(needed) <= set(columns):
            raise InputError(f"{archive.name} lacks one of the columns {', '.join(needed)}: the product has changed")
        name_at, type_at, x_at, y_at = (columns.index(c) for c in needed)
        kept = [
            (row[name_at], *_OPEN_NAMES[row[type_at]], float(row[x_at]), float(row[y_at]))
            for file in files
            if file != header
            for row in _rows(file)
            if len(row) == len(columns) and row[type_at] in _OPEN_NAMES
        ]
    except ValueError as error:
        raise InputError(f"{archive.name} has a coordinate that is no number ({cleaned(error)})") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not kept:
        return
    places = project(np.array([k[3:] for k in kept]), source="EPSG:27700", working="EPSG:4326")
    west, south, east, north = bounds
    for (name, kind, rank, _, _), (lon, lat) in zip(kept, places, strict=True):
        if west <= lon <= east and south <= lat <= north:
            yield _Feature(kind, name, rank, shapely.Point(lon, lat))


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        return list(csv.reader(file))


def _write(out: Path, features: Iterable[_Feature], *, bounds: Bounds, url: str, source: Source) -> list[Fetched]:
    """Cut features to the bounds and write a file for each kind that has any."""
    box = shapely.box(*bounds)
    lines: dict[str, list[str]] = {kind: [] for kind in FILES}
    for feature in features:
        shape = shapely.intersection(shapely.make_valid(feature.shape), box)
        for part in _parts(shape, feature.kind):
            lines[feature.kind].append(_line_of(feature, part))
    if not any(lines.values()):
        raise InputError("the source has nothing within --bounds: check that they are west,south,east,north in degrees")
    done = []
    for kind, found in lines.items():
        if not found:
            continue
        found.sort()
        text = '{"type":"FeatureCollection","features":[\n' + ",\n".join(found) + "\n]}\n"
        more = {"features": len(found), "bounds": list(bounds)}
        done.append(keep(out / FILES[kind], text.encode(), url=url, source=source, more=more))
    return done


def _parts(shape: Any, kind: str) -> list[Any]:
    wanted = {"road": "LineString", "rail": "LineString", "station": "Point", "place": "Point"}.get(kind, "Polygon")
    flat = [p for part in shapely.get_parts(shape) for p in shapely.get_parts(part)]
    return [p for p in flat if p.geom_type == wanted and not p.is_empty]


def _line_of(feature: _Feature, shape: Any) -> str:
    geometry = json.loads(shapely.to_geojson(shapely.transform(shape, _rounded)))
    properties = {"name": cleaned(feature.name, most=100), "rank": feature.rank}
    return json.dumps(
        {"type": "Feature", "properties": properties, "geometry": geometry}, ensure_ascii=False, separators=(",", ":")
    )


def _rounded(places: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(places, _DEGREES)
