"""Boundaries and tables of residents: which columns, layers and sheets, and in which coordinate system."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.config import Run
from pipeline.errors import InputError
from pipeline.ingest.formats.files import AreaRequest, file_name, read_layer, read_table
from pipeline.ingest.formats.header import FIRST_ROW, Layout
from pipeline.ingest.recognition.tables import encoding_of, has_plain_header, header_of, several_tables
from pipeline.ingest.recognition.texts import MOST, ONS_CODE, Guess, is_number, named, number, plain, share

__all__ = ["SeenAreas", "SeenPeople", "by_name", "chain_of", "try_areas", "try_people"]

# Areas.


@dataclass(frozen=True, slots=True)
class SeenAreas:
    """A layer of areas: its columns, and what they hold.

    Attributes
    ----------
    path, layer
        Its file, and its name if the file has several.
    count
        Areas.
    code, name, parent_code, parent_name
        Its columns.
    vintage, label, parent_label
        Edition of the boundaries, and what areas are called.
    crs
        Coordinate system, if the file does not state it.
    system, shapes
        Coordinate system, and outlines.
    codes, names, parents, parent_names
        The values of the columns.
    further
        Columns of the code and the name of still larger areas and their codes, the smaller ones first.
    dissolved
        Whether these are areas that a column of smaller ones names.
    """

    path: Path
    layer: Guess | None
    count: int
    code: Guess
    name: Guess | None
    parent_code: Guess | None
    parent_name: Guess | None
    vintage: Guess | None
    label: Guess | None
    parent_label: Guess | None
    crs: Guess | None
    system: Any
    shapes: Any
    codes: frozenset[str]
    names: frozenset[str]
    parents: frozenset[str]
    parent_names: frozenset[str]
    further: tuple[tuple[Guess, Guess | None, frozenset[str]], ...] = ()
    dissolved: bool = False


def by_name(areas: SeenAreas) -> SeenAreas | None:
    """Return the areas identified by their names in place of codes; None if names are not unique."""
    why = "the rows name their areas and have no codes of them"
    if areas.name is None or len(areas.names) < areas.count:
        return None
    parent = areas.parent_name
    return replace(
        areas,
        code=Guess(areas.name.value, why),
        codes=areas.names,
        parent_code=Guess(parent.value, why) if parent else None,
        parents=areas.parent_names,
    )


def try_areas(path: Path, *, limits: Run) -> list[SeenAreas]:
    """Recognise the layers and columns of a boundary file.

    Returns
    -------
    layers
        Every layer of areas with codes: the one with the most areas first.

    Raises
    ------
    InputError
        If it cannot be read, or no column identifies its areas.
    """
    _, tables = several_tables(path, limits=limits)
    names: list[str | None] = [n for n, kind in tables if kind is not None and not _NO_AREAS.search(kind)]
    if not tables:
        names = [None]
    elif not names:
        listed = ", ".join(f"{n}: {kind or 'a table'}" for n, kind in tables)
        raise InputError(f"{file_name(path)} has no layer of areas ({listed}): give boundaries with outlines")
    found: list[SeenAreas] = []
    faults: list[InputError] = []
    for name in names:
        try:
            found.append(_try_layer(path, name, limits=limits))
        except InputError as error:
            faults.append(error)
    if not found:
        raise faults[0]
    if len(found) < len(tables):
        why = f"the only layer of areas with codes among {len(tables)} layers"
        found = [replace(f, layer=Guess(f.layer.value, why)) if f.layer and len(found) == 1 else f for f in found]
    return sorted(found, key=lambda layer: -layer.count)


_NO_AREAS = re.compile("Point|Line")
"""Kinds of geometry without an inside; a KML does not state the kind of its layers."""


def _try_layer(path: Path, layer_name: str | None, *, limits: Run) -> SeenAreas:
    import shapely

    layer = read_layer(path, AreaRequest("--areas", (), layer=layer_name, limits=limits))
    where = f"{path.name}, layer {layer_name!r}" if layer_name else path.name
    if not (shapely.get_dimensions(layer.shapes) == 2).any():
        raise InputError(f"{where} has no outlines of areas, only points or lines: give boundaries with --areas")
    frame = layer.frame
    texts = {str(c): [plain(v) for v in frame[c]] for c in frame.columns}
    unique = [c for c, v in texts.items() if all(v) and len(set(v)) == len(v)]
    if not unique:
        raise InputError(f"{where}: no column has a different value for every area, so none is a code of areas")
    rows = len(frame)
    coded = [c for c in unique if share(texts[c], ONS_CODE.fullmatch) > MOST]
    # Codes of the Office for National Statistics are known by their form; others by the name of the column.
    # A file may hold its codes twice, also as ids of its features: readers of the layer know them by the other name.
    code = min(
        coded or unique,
        key=lambda c: (is_number(texts[c]), not named(c, _CODE), named(c, _FEATURE_ID), named(c, _NAME)),
    )
    why = "codes of the form E05000001" if coded else "the name of the column"
    names = [c for c in texts if c != code and named(c, _NAME) and not is_number(texts[c])]
    # Of several columns of names, the own one has (nearly) as many texts as there are areas.
    names.sort(key=lambda c: (-len(set(texts[c])), not c.casefold().startswith(_stem(code)), _welsh(c)))
    name = next((c for c in names if len(set(texts[c])) > rows * 0.7), None)
    above = _larger(texts, code=code, name=name)
    parent_code, parent_name = above[0] if above else (None, None)
    crs, system = _system(layer, path)
    stem = f"{layer_name or path.stem} {code}".casefold()
    year = re.search(r"(?<!\d)(20[012]\d)(?!\d)", f"{path.stem} {layer_name or ''}") or re.search(
        r"(?<=[a-z])([012]\d)(?=cd|nm)", code.casefold()
    )
    vintage = year[1] if year and len(year[1]) == 4 else f"20{year[1]}" if year else None
    return SeenAreas(
        path=path,
        layer=None if layer_name is None else Guess(layer_name, f"{rows:,} areas"),
        count=rows,
        code=Guess(code, f"{rows:,} different values; {why}"),
        name=None if name is None else Guess(name, f"names such as {texts[name][0]!r}"),
        parent_code=parent_code,
        parent_name=parent_name,
        vintage=None if vintage is None else Guess(vintage, "the name of the file or of the column"),
        label=_label(stem, texts[code]),
        parent_label=_label(parent_code.value.casefold(), texts[parent_code.value]) if parent_code else None,
        crs=crs,
        system=system,
        shapes=layer.shapes,
        codes=frozenset(texts[code]),
        names=frozenset(texts[name]) if name else frozenset(),
        parents=frozenset(texts[parent_code.value]) if parent_code else frozenset(),
        parent_names=frozenset(texts[parent_name.value]) if parent_name else frozenset(),
        further=tuple((at, by, frozenset(texts[at.value])) for at, by in above[1:] if at is not None),
    )


_CODE = re.compile(r"code|(^|[_\d])cd$|\d\dcd|gss|geoid|_id$|^id$|ref")
_FEATURE_ID = re.compile(r"^(f|ogc_f|object|global)?id$")
_NAME = re.compile(r"name|nm[a-z]?$|label|title|^ward$|^borough$|^district$")
_PARENT = re.compile(r"lad|lagss|lb_|borough|district|county|authority|parent|division|force|region")


def _larger(texts: Mapping[str, list[str]], *, code: str, name: str | None) -> list[tuple[Guess | None, Guess | None]]:
    """Find the columns of larger areas, codes and names: fewer values than areas, each inside one of the next."""
    rows = len(texts[code])
    few = [c for c, v in texts.items() if c not in {code, name} and all(v) and 1 < len(set(v)) <= 0.7 * rows]
    codes = [c for c in few if share(texts[c], ONS_CODE.fullmatch) > MOST] or [
        c for c in few if named(c, _PARENT) and (named(c, _CODE) or not named(c, _NAME))
    ]
    names = [c for c in few if c not in codes and not is_number(texts[c]) and (named(c, _NAME) or named(c, _PARENT))]
    found: list[tuple[Guess | None, Guess | None]] = []
    below = code
    for at in sorted(codes, key=lambda c: -len(set(texts[c]))):
        distinct = len(set(texts[at]))
        if found and (distinct == len(set(texts[below])) or not _inside(texts[below], texts[at])):
            continue
        fits = [c for c in names if _inside(texts[at], texts[c]) and _inside(texts[c], texts[at])]
        fits = fits or [c for c in names if not found and _inside(texts[at], texts[c])]
        of = f"{distinct:,} values for {rows:,} areas" + (f", each {below} in one of them" if found else "")
        found.append((Guess(at, of), Guess(fits[0], f"one for each value of {at}") if fits else None))
        below = at
    if found:
        return found
    at_name = next((c for c in names if named(c, _PARENT)), None)
    if at_name is not None:
        return [(None, Guess(at_name, f"{len(set(texts[at_name])):,} values for {rows:,} areas; no column of codes"))]
    return []


def _inside(small: Sequence[str], large: Sequence[str]) -> bool:
    """Whether each value of a column has one value of another."""
    return len(set(zip(small, large, strict=True))) == len(set(small))


def chain_of(smallest: SeenAreas, others: Sequence[SeenAreas]) -> list[SeenAreas]:
    """Return levels of areas, each inside the next: of other layers, or of columns of the smallest areas.

    Parameters
    ----------
    smallest
        The smallest areas.
    others
        Other layers.
    """
    chain = [smallest]
    for layer in sorted(others, key=lambda layer: -layer.count):
        if 1 < layer.count < chain[-1].count and (found := _inside_layer(chain[-1], layer)):
            column = found if isinstance(found, Guess) else None
            chain[-1] = replace(chain[-1], parent_code=column, parent_name=None)
            chain.append(layer)
    if len(chain) == 1 and smallest.parent_code is not None:
        first = smallest.parent_code, smallest.parent_name, smallest.parents
        for code, name, codes in [first, *smallest.further]:
            chain[-1] = replace(chain[-1], parent_code=code, parent_name=None, parents=codes)
            names = smallest.parent_names if code is smallest.parent_code else frozenset[str]()
            chain.append(
                replace(
                    smallest, count=len(codes), code=code, name=name, codes=codes, names=names, parents=frozenset(),
                    parent_names=frozenset(), label=_label(code.value.casefold(), sorted(codes)), vintage=None,
                    further=(), dissolved=True,
                )
            )  # fmt: skip
    chain[-1] = replace(chain[-1], parent_code=None, parent_name=None)
    return chain


def _inside_layer(small: SeenAreas, large: SeenAreas) -> Guess | bool:
    """Say whether each area lies in one of a larger layer: the column that names it, or true where outlines show it."""
    if small.parents and small.parents <= large.codes:
        return small.parent_code or False
    import geopandas as gpd
    import shapely

    from pipeline.ingest.areas import NESTED

    outlines = gpd.GeoSeries(large.shapes, crs=large.system).to_crs(small.system).to_numpy()
    own, around = (shapely.force_2d(shapely.make_valid(shapes)) for shapes in (small.shapes, outlines))
    tree = shapely.STRtree(around)
    at, of = tree.query(own, predicate="intersects")
    shares = shapely.area(shapely.intersection(own[at], around[of])) / shapely.area(own[at])
    most = dict.fromkeys(range(len(own)), 0.0)
    for n, share_of in zip(at.tolist(), shares.tolist(), strict=True):
        most[n] = max(most[n], share_of)
    return min(most.values()) >= NESTED


def _system(layer: Any, path: Path) -> tuple[Guess | None, Any]:
    """Return the coordinate system, with a guess where the file does not state one."""
    import pyproj
    import shapely

    west, south, east, north = shapely.total_bounds(layer.shapes)
    degrees = west >= -180 and east <= 180 and south >= -90 and north <= 90
    stated = None if layer.system is None else pyproj.CRS.from_user_input(layer.system)
    # A GeoJSON that states nothing is WGS 84 by definition, whatever its coordinates are.
    if stated is not None and stated.is_geographic == degrees:
        return None, stated
    if degrees:
        return Guess("EPSG:4326", "coordinates are within 180 and 90 degrees"), pyproj.CRS.from_epsg(4326)
    if west >= 0 and east <= 700_000 and south >= 0 and north <= 1_300_000:
        return Guess("EPSG:27700", f"{path.name} does not state it; the coordinates fit the British National Grid"), (
            pyproj.CRS.from_epsg(27700)
        )
    raise InputError(f"{path.name} states no coordinate system, and its coordinates fit none that is common: give .prj")


_LABELS = (
    ("ward", "ward"), ("lsoa", "LSOA"), ("msoa", "MSOA"), ("borough", "borough"), ("district", "district"),
    ("division", "division"), ("county", "county"),
)  # fmt: skip


def _label(stem: str, codes: Sequence[str]) -> Guess | None:
    kinds = {"E05": "ward", "W05": "ward", "S13": "ward", "E09": "borough", "E07": "district", "E06": "district",
             "E08": "district", "E01": "LSOA", "E02": "MSOA"}  # fmt: skip
    begins = {c[:3] for c in codes}
    found = {kinds[b] for b in begins if b in kinds}
    if len(found) == 1 and begins <= set(kinds):
        return Guess(found.pop(), f"codes begin with {min(begins)}")
    return next((Guess(label, "the name of the file or column") for text, label in _LABELS if text in stem), None)


# Residents.


@dataclass(frozen=True, slots=True)
class SeenPeople:
    """A table of residents: its columns, its year, and how many of its rows are of other areas."""

    code: Guess
    value: Guess
    year: Guess | None
    encoding: Guess | None
    sheet: Guess | None
    header_row: Guess | None
    others: int


_PEOPLE = re.compile(r"pop|resid|people|person|all ages|age: total|usual|inhabit", re.IGNORECASE)
_NOT_PEOPLE = re.compile(r"densit|%|per |aged|share|house|change|female|male\b", re.IGNORECASE)


def try_people(path: Path, *, codes: frozenset[str], limits: Run) -> SeenPeople:
    """Recognise the sheet and the columns of a table of residents.

    Raises
    ------
    InputError
        If no column has the codes of the areas, or none looks like a number of people.
    """
    key, tables = several_tables(path, limits=limits)
    if key != "sheet" or not tables:
        return _try_people(path, None, codes=codes, limits=limits)
    found: list[SeenPeople] = []
    faults: list[InputError] = []
    for name, _ in tables:
        try:
            found.append(_try_people(path, name, codes=codes, limits=limits))
        except InputError as error:
            faults.append(error)
    if not found:
        raise faults[0]
    if len(found) > 1:
        listed = ", ".join(repr(f.sheet.value) for f in found if f.sheet)
        why = f"{listed} have residents of the areas: this one has the latest year, or is the first"
        best = max(found, key=lambda f: f.year.value if f.year else 0)
        return replace(best, sheet=Guess(best.sheet.value, why) if best.sheet else None)
    return found[0]


def _try_people(path: Path, sheet: str | None, *, codes: frozenset[str], limits: Run) -> SeenPeople:
    encoding = encoding_of(path)
    of = (path.name if sheet is None else f"{path.name}, sheet {sheet!r}") + ":"
    how: dict[str, Any] = {"encoding": encoding.value if encoding else "utf-8", "sheet": sheet, "limits": limits}
    header = None
    try:
        frame = read_table(path, **how)
        plain_names = has_plain_header([str(c) for c in frame.columns])
    except InputError:
        plain_names = False  # a title above the table has fewer cells than its rows
    if not plain_names:
        header = header_of(path, limits=limits, chosen=("sheet", sheet) if sheet else None)
        frame = read_table(path, layout=Layout(header.value) if header else FIRST_ROW, **how)
    texts = {str(c): [plain(v) for v in frame[c]] for c in frame.columns}
    matched = {c: len(codes.intersection(v)) for c, v in texts.items()}
    code = max(matched, key=lambda c: matched[c])
    if matched[code] < len(codes) / 2:
        raise InputError(
            f"{of} no column has the codes of the areas ({code!r} has {matched[code]:,} of {len(codes):,}): "
            "give residents of the same edition of the areas"
        )
    rows = [i for i, v in enumerate(texts[code]) if v in codes]
    numbers = [
        c for c, v in texts.items() if c != code and sum(number(v[i]) is not None for i in rows) > MOST * len(rows)
    ]
    people = [c for c in numbers if _PEOPLE.search(c) and not _NOT_PEOPLE.search(c)]
    whole = [c for c in people or numbers if all((n := number(texts[c][i])) is None or n == int(n) for i in rows)]
    if not whole or (not people and len(whole) > 1):
        raise InputError(f"{of} no column is recognisable as a number of people: name it in the configuration")
    # The latest year, where there is one for each.
    value = max(whole, key=lambda c: int(y[0]) if (y := re.findall(r"(?:19|20)\d\d", c)) else 0)
    stated = (re.search(r"(?:19|20)\d\d", text) for text in (value, sheet or "", path.stem))
    year = next((y for y in stated if y), None)
    return SeenPeople(
        Guess(code, f"{matched[code]:,} of {len(codes):,} codes of the areas"),
        Guess(value, "the name of the column" if people else "the only column of whole numbers"),
        None if year is None else Guess(int(year[0]), "the name of the column, the sheet or the file"),
        encoding,
        None if sheet is None else Guess(sheet, "the only sheet with the codes of the areas and a number of people"),
        header,
        sum(bool(v) and v not in codes for v in texts[code]),
    )


def _stem(code: str) -> str:
    """Return what a column of codes and its column of names share: `wd25` of WD25CD."""
    return re.sub(r"(code|cd|_)*$", "", code.casefold())


def _welsh(column: str) -> bool:
    return column.casefold().endswith("nmw")
