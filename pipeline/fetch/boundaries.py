"""Ward and borough outlines from the Open Geography portal of the Office for National Statistics (ArcGIS REST)."""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pipeline.errors import InputError
from pipeline.fetch.client import Client
from pipeline.fetch.download import JSON, Fetched, Progress, Source, download, keep
from pipeline.fetch.untrusted import checked_url, cleaned, plain_name

__all__ = ["BASE", "EDITIONS", "LEVELS", "fetch_boundaries", "read_json_page"]

BASE = "https://services1.arcgis.com/ESMARspQHYMw9BZ9/arcgis/rest/services"
SOURCE = Source(
    "Office for National Statistics, Open Geography portal",
    "Source: Office for National Statistics licensed under the Open Government Licence v3.0. Contains OS data © Crown "
    "copyright and database right.",
)
LEVELS = ("wards", "boroughs")
# Generalised to 20 metres, clipped to the coast: suitable detail for a map of a city. Census 2021 is published for the
# wards of 2022, so those two editions belong together.
EDITIONS: Mapping[int, Mapping[str, str]] = {
    2022: {
        "wards": "Wards_December_2022_Boundaries_UK_BGC",
        "boroughs": "Local_Authority_Districts_December_2022_UK_BGC_V2",
    },
    2024: {
        "wards": "Wards_December_2024_Boundaries_UK_BGC",
        "boroughs": "Local_Authority_Districts_May_2024_Boundaries_UK_BGC",
    },
}
_WITHIN = re.compile(r"[A-Z][0-9]{2}(\*|[0-9]{6})")
_SHAPES = frozenset({"Polygon", "MultiPolygon"})
_MOST_AREAS = 20_000
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer of one edition, and the requested part of it."""

    level: str
    year: int
    service: str
    within: tuple[str, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of its columns: code and name, and for wards those of the district."""
        year = self.year % 100
        district = (f"LAD{year:02d}CD", f"LAD{year:02d}NM")
        return (f"WD{year:02d}CD", f"WD{year:02d}NM", *district) if self.level == "wards" else district

    @property
    def where(self) -> str:
        """The filter, made of codes that matched a pattern without any quote."""
        column = f"LAD{self.year % 100:02d}CD"
        return " OR ".join(
            f"{column} LIKE '{w[:-1]}%'" if w.endswith("*") else f"{column} = '{w}'" for w in self.within
        )

    def address(self, base: str, **more: str) -> str:
        """Return the address of a query."""
        return f"{base}/{self.service}/FeatureServer/0/query?{urlencode({'where': self.where, **more})}"

    def page(self, base: str, *, first: int, size: int) -> str:
        """Return the address of one page of outlines, in the order of their codes."""
        return self.address(
            base,
            outFields=",".join(self.fields),
            orderByFields=self.fields[0],
            outSR="4326",
            geometryPrecision="6",
            resultOffset=str(first),
            resultRecordCount=str(size),
            f="geojson",
        )


def fetch_boundaries(
    client: Client,
    out: Path,
    *,
    levels: Sequence[str] = LEVELS,
    year: int = 2022,
    within: Sequence[str] = ("E09*",),
    services: Mapping[str, str] | None = None,
    base: str = BASE,
    page_size: int = 250,
    progress: Progress | None = None,
) -> list[Fetched]:
    """Write `wards.geojson` and `boroughs.geojson` with the columns that the configuration expects by default.

    Parameters
    ----------
    client
        HTTP client.
    out
        Folder for the files. Pages are kept in `.pages` in it, so that an interrupted fetch can continue.
    levels
        Which of `wards` and `boroughs`.
    year
        Edition, as in `EDITIONS`; any year if `services` names its layers.
    within
        Codes of districts, or the beginning of codes with a star: `E09*` is London.
    services
        Level to name of the feature service, for other editions.
    base
        Address of the folder of services.
    page_size
        Areas asked for at a time.
    progress
        Called with the number of areas received.

    Raises
    ------
    InputError
        If the portal cannot be reached, answers an error, or the outlines are incomplete.
    """
    address = checked_url(base)
    known = services or EDITIONS.get(year, {})
    for level in levels:
        if level not in LEVELS:
            raise InputError(f"there is no level {cleaned(level)!r}: choose from {', '.join(LEVELS)}")
        if not re.fullmatch(r"\w{1,120}", known.get(level, ""), re.ASCII):
            years = ", ".join(str(y) for y in EDITIONS)
            raise InputError(f"no feature service is known for {level} of {year}: choose {years}, or name --service")
    for code in within:
        if not _WITHIN.fullmatch(code):
            raise InputError(
                f"--within {cleaned(code)!r} is not a district: give codes such as E09000007, or E09* for London"
            )
    return [
        _fetch_level(
            client, out, _Layer(level, year, known[level], tuple(within)), address, size=page_size, progress=progress
        )
        for level in levels
    ]


def _fetch_level(
    client: Client, out: Path, layer: _Layer, base: str, *, size: int, progress: Progress | None
) -> Fetched:
    pages = out / ".pages"
    counted = _page(client, layer.address(base, returnCountOnly="true", f="json"), pages, layer).get("count")
    if not isinstance(counted, int) or not 0 < counted <= _MOST_AREAS:
        raise InputError(
            f"{layer.service} has {cleaned(counted)} areas within {', '.join(layer.within)}, expected 1 to "
            f"{_MOST_AREAS:,}: check --within and --year"
        )
    features: list[Any] = []
    while len(features) < counted:
        url = layer.page(base, first=len(features), size=size)
        found = _page(client, url, pages, layer).get("features")
        if not isinstance(found, list) or not found:
            raise InputError(
                f"{layer.service} said it has {counted:,} areas but sent {len(features):,}: fetch again; if "
                "it stays so, the service has changed"
            )
        features += found
        if progress:
            progress(layer.level, len(features), counted)
    areas = sorted((_area(feature, layer) for feature in features), key=lambda a: str(a["properties"]["area_code"]))
    codes = [a["properties"]["area_code"] for a in areas]
    if len(set(codes)) != counted:
        raise InputError(
            f"{layer.service} sent {len(codes):,} areas, {len(set(codes)):,} of them different, and had said "
            f"{counted:,}: it changed while it was read. Fetch again"
        )
    text = json.dumps(
        {"type": "FeatureCollection", "name": layer.level, "features": areas},
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )
    return keep(
        out / f"{layer.level}.geojson",
        text.encode() + b"\n",
        url=layer.address(base, f="geojson"),
        source=SOURCE,
        more={"edition": layer.service, "year": layer.year, "within": list(layer.within), "areas": counted},
    )


def _page(client: Client, url: str, folder: Path, layer: _Layer) -> Mapping[str, Any]:
    name = f"{layer.service}-{hashlib.sha256(url.encode()).hexdigest()[:16]}.json"
    page = read_json_page(download(client, url, folder / name, kind=JSON, source=SOURCE).path)
    if not isinstance(page, dict):
        raise InputError(
            f"{layer.service} sent {type(page).__name__} where an object was expected: the service has changed"
        )
    error = page.get("error")
    if error is not None:  # ArcGIS answers 200 and puts the error into the body
        (folder / name).unlink(missing_ok=True)
        said = error.get("message") if isinstance(error, dict) else error
        raise InputError(f"{layer.service} answered: {cleaned(said)}. Check --year and --service")
    return page


def read_json_page(path: Path) -> Any:
    """Read a fetched JSON file; a damaged one is removed, so that the next fetch requests it again.

    Raises
    ------
    InputError
        If it is not JSON, holds NaN, or is nested without end.
    """
    try:
        return json.loads(path.read_bytes(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        path.unlink(missing_ok=True)
        raise InputError(f"what came for {path.name} is not whole JSON ({cleaned(error)}): fetch again") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _area(feature: Any, layer: _Layer) -> dict[str, Any]:
    """Return one outline with this project's columns."""
    properties = feature.get("properties") if isinstance(feature, dict) else None
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    if not isinstance(properties, dict) or not isinstance(geometry, dict) or geometry.get("type") not in _SHAPES:
        raise InputError(
            f"{layer.service} sent something that is not an area: the service has changed, nothing was kept"
        )
    values = [plain_name(properties.get(name), what=f"{layer.service}: {name}") for name in layer.fields]
    if not all(_degrees(pair) for pair in _corners(geometry.get("coordinates"), 0)):
        raise InputError(
            f"{layer.service}: {values[0]} has vertices that are not longitude and latitude: nothing was kept"
        )
    names = ("area_code", "area_name", "parent_code", "parent_name")
    return {
        "type": "Feature",
        "properties": dict(zip(names, values, strict=False)),
        "geometry": {"type": geometry["type"], "coordinates": geometry["coordinates"]},
    }


def _corners(nested: Any, depth: int) -> Iterator[Any]:
    """Yield the positions of nested rings; anything that is none is yielded as it is, to be refused."""
    if not isinstance(nested, list) or depth > _DEEPEST or not nested:
        yield None
    elif isinstance(nested[0], list):
        for inner in nested:
            yield from _corners(inner, depth + 1)
    else:
        yield nested


def _degrees(pair: Any) -> bool:
    if not isinstance(pair, list) or len(pair) not in {2, 3} or not all(type(v) in {int, float} for v in pair):
        return False
    return all(math.isfinite(v) for v in pair) and abs(pair[0]) <= 180 and abs(pair[1]) <= 90
