"""The layers of a release as every GIS format takes them: described columns, polygons only, typed Arrow tables."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from pipeline.domain.categories import ROOT
from pipeline.publish.cluster_circles import cluster_layer
from pipeline.publish.exports.harm_columns import harm_by_area
from pipeline.release.released import PeriodInfo, Released
from pipeline.tables import (
    ANALYSIS_CELLS,
    AREA_LAYER,
    DENSITY_CATEGORY_LAYER,
    DENSITY_LAYER,
    GROUP_LAYER,
    HARM_DENSITY,
    HARM_HOTSPOTS,
    HOTSPOT_CATEGORY_LAYER,
    HOTSPOT_CORE_LAYER,
    HOTSPOT_LAYER,
    NEAR_REPEAT_ZONES,
    RISK_BANDS,
    SCAN_CLUSTERS,
    Kind,
    Level,
    Table,
    plain_values,
    with_harm_columns,
)

__all__ = [
    "Field",
    "Layer",
    "area_contract",
    "area_layer",
    "arrow_table",
    "layer_levels",
    "layers_of",
    "period_in_layer",
    "polygons",
]


# Tables of the layers: the headline period as one row per area, hotspots and density bands. Every writer takes its
# layers from here, so that all formats hold the same.


_LAYER_NAMES = {"borough": "boroughs", "ward_group": "ward_groups", "ward": "wards"}
"""Layers whose name is not that of the level."""
ENDS = ("", "_lower", "_upper")  # of a count's columns: the middle, and the least and the greatest it may be


def _headline_rows(released: Released, *, level: str, category: str) -> pd.DataFrame:
    """Return the area_counts rows of the headline period for one level and category, indexed by area code.

    A category that groups of wards are given in longer windows alone has its latest one there.
    """
    counts, period = released.counts, period_in_layer(released, level=level, category=category).id
    chosen = counts[(counts["level"] == level) & (counts["period"] == period) & (counts["category"] == category)]
    return chosen.set_index("area_code")


def layer_levels(released: Released) -> dict[str, str]:
    """Return the layers of areas and the level that each shows, in the order in which they lie on one another.

    A level without areas has no layer: the smallest if there is one level or the profile's scope has none, groups of
    wards if no category is given by them, and those above boroughs outside the internal folder.
    """
    present = set(released.areas["level"]) | {Level.BOROUGH}
    named = {level: released.info.level_ids.get(level, level.value) for level in Level if level != Level.REGION}
    return {_LAYER_NAMES.get(name, name): level for level, name in named.items() if level in present}


def period_in_layer(released: Released, *, level: str, category: str) -> PeriodInfo:
    """Return the window that a layer has a category's counts of: the headline, or the latest longer window."""
    info = released.info
    long = any(c.id == category and c.long_windows for c in info.categories) and level == Level.WARD_GROUP
    return info.long_windows[-1] if long and info.long_windows else info.headline


def area_contract(released: Released, level: str) -> Table:
    """Return the contract of a layer of areas: with harm where the release has it and gives all incidents together."""
    if level == Level.WARD_GROUP:
        return GROUP_LAYER
    has_harm = harm_by_area(released) is not None and released.info.main_category == ROOT
    return with_harm_columns(AREA_LAYER) if has_harm else AREA_LAYER


def area_layer(released: Released, *, level: str) -> gpd.GeoDataFrame:
    """Return one level with the figures of the headline period, in the working system, sorted by code.

    The period is a longer window where the main category is given in those alone. Areas that are not covered are
    present with empty figures. The figures are of the release's `main_category`. Each category adds the columns
    `incidents_<category>`, `incidents_<category>_lower` and `_upper`; where it is not offered, the first is named in
    `not_offered`. See `period_in_layer` for its window.
    """
    areas = released.areas[released.areas["level"] == level].sort_values("area_code")
    names = released.areas.set_index("area_code")["name"]
    above = released.info.parents_above if level == Level.BOROUGH else {}
    parents = areas["area_code"].map(above) if above else areas["parent_code"]
    rows = _headline_rows(released, level=level, category=released.info.main_category).reindex(areas["area_code"])
    # Where the main category is given over two years alone, so is every part of it that groups have: one window fits.
    window = period_in_layer(released, level=level, category=released.info.main_category)
    out = pd.DataFrame(
        {
            "area_code": areas["area_code"].to_numpy(),
            "area_name": areas["name"].to_numpy(),
            "level": released.info.level_ids.get(level, level),
            "parent_code": parents.to_numpy(),
            "parent_name": parents.map(names).to_numpy(),
            "area_vintage": areas["vintage"].to_numpy(),
            "population": areas["population"].to_numpy(),
            "population_year": areas["population_year"].to_numpy(),
            "covered": areas["covered"].to_numpy(),
            "period_start": window.start,
            "period_end": window.end,
            "complete": window.complete,
        }
    )
    table = area_contract(released, level)
    if (harm := harm_by_area(released)) is not None and released.info.main_category == ROOT:
        rows = rows.join(harm)
    if level == Level.WARD_GROUP:
        out["ward_codes"] = [";".join(released.info.ward_groups[code]) for code in out["area_code"]]
    for column in (name for name in table.names if name not in out):  # what is left are the figures of the period
        out[column] = rows[column].to_numpy()
    not_offered = out["not_offered"].fillna("").str.split(";").map(lambda names: [n for n in names if n in out])
    by_category: dict[str, Any] = {}  # added together: a frame that grows column by column becomes slow
    for category in released.info.categories:
        if category.id == "all":
            continue
        column = f"incidents_{category.id}"
        part = _headline_rows(released, level=level, category=category.id).reindex(areas["area_code"])
        for end in ENDS:
            by_category[f"{column}{end}"] = part[f"incidents{end}"].astype("Int64").to_numpy()
        hidden = part["not_offered"].fillna("").str.split(";").map(lambda names: "incidents" in names).to_numpy()
        not_offered = pd.Series(
            [[*names, column] if hide else names for names, hide in zip(not_offered, hidden, strict=True)], dtype=object
        )
    out = pd.concat([out, pd.DataFrame(by_category, index=out.index)], axis=1)
    out["not_offered"] = not_offered.map(";".join).astype("str")
    out["withheld"] = out["not_offered"]
    checked = table.conform(out)
    for category in released.info.categories:
        if category.id != "all":
            for end in ENDS:
                name = f"incidents_{category.id}{end}"
                checked[name] = checked[name].astype("Int64")
    return gpd.GeoDataFrame(checked, geometry=areas.geometry.to_numpy(), crs=released.info.working_crs)


def _outline_layer(layer: gpd.GeoDataFrame, table: Table, *, by: list[str], crs: str) -> gpd.GeoDataFrame:
    """Return hotspots or bands of the release in their order."""
    ordered = layer.sort_values(by, kind="stable")
    frame = table.conform(pd.DataFrame(ordered))
    return gpd.GeoDataFrame(frame, geometry=ordered.geometry.to_numpy(), crs=crs)


def _outline_layers(released: Released) -> tuple[tuple[str, Table, gpd.GeoDataFrame, str], ...]:
    """Return density and hotspots, of all categories together and of each: name, contract, features, a word."""
    crs = released.info.working_crs
    bands, spots = ["category", "density_low"], ["category", "rank"]
    # Cores lie on their hotspots; a folder without any has no such layer.
    cores = ((HOTSPOT_CORE_LAYER, released.cores, ["core_id"], "cores of hotspots"),) if len(released.cores) else ()
    # What tests found is for the data owner alone; a test that found nothing has no layer.
    tests = tuple(
        (table, layer, by, word)
        for table, layer, by, word in (
            (ANALYSIS_CELLS, released.patterns.layer(ANALYSIS_CELLS), ["feature_id"], "analysis cells"),
            (RISK_BANDS, released.patterns.layer(RISK_BANDS), ["value_low"], "risk surface"),
            (SCAN_CLUSTERS, cluster_layer(released), ["cluster_id"], "clusters found by scans"),
            (NEAR_REPEAT_ZONES, released.patterns.layer(NEAR_REPEAT_ZONES), ["category", "rank"], "near repeats"),
            (HARM_DENSITY, released.patterns.layer(HARM_DENSITY), bands, "density by harm"),
            (HARM_HOTSPOTS, released.patterns.layer(HARM_HOTSPOTS), spots, "hotspots by harm"),
        )
        if len(layer)
    )
    return tuple(
        (table.name, table, _outline_layer(layer, table, by=by, crs=crs), word)
        for table, layer, by, word in (
            (DENSITY_CATEGORY_LAYER, released.density_by_category, bands, "density by category"),
            (DENSITY_LAYER, released.density, bands, "density"),
            (HOTSPOT_CATEGORY_LAYER, released.hotspots_by_category, spots, "hotspots by category"),
            (HOTSPOT_LAYER, released.hotspots, ["rank"], "hotspots"),
            *cores,
            *tests,
        )
    )


_UNITS = {"per 10000": "per 10,000", " per km2": " per km²", " km2": ", km²", " pct": ", per cent", "Gistar ": "Gi* "}
_LARGEST_INT32 = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Field:
    """A column as a reader sees it: name, kind, a title, what it means, and ten characters for shapefiles."""

    name: str
    kind: Kind
    title: str
    text: str
    short: str


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a release.

    Attributes
    ----------
    name
        Name of the file or table.
    key
        Column that identifies a feature.
    title, text
        What it is, in words.
    frame
        Features in the working system, one row each, geometry of polygons only.
    fields
        Columns in order, geometry left out.
    """

    name: str
    key: str
    title: str
    text: str
    frame: gpd.GeoDataFrame
    fields: tuple[Field, ...]


def layers_of(released: Released) -> tuple[Layer, ...]:
    """Return boroughs, wards, density and hotspots, in the order in which they lie on one another.

    Groups of wards lie between boroughs and wards where a category is given by groups.
    """
    info = released.info
    levels = layer_levels(released)
    made = (
        *(
            (
                name,
                area_contract(released, level),
                area_layer(released, level=level),
                info.level_labels.get(level, (level, f"{level}s"))[1],
            )
            for name, level in levels.items()
        ),
        *_outline_layers(released),
    )
    about = ", ".join(part for part in (info.title, info.place) if part)
    heads = [word if sum(w == word for *_, w in made) == 1 else f"{word} ({name})" for name, *_, word in made]
    return tuple(
        Layer(
            name=name,
            key=table.key[0],
            title=f"{about}: {head}, {info.headline.label}",
            text=table.text,
            frame=frame.set_geometry(gpd.GeoSeries(polygons(frame.geometry), index=frame.index, crs=frame.crs)),
            fields=_fields(table, frame, _labels(released, level=levels.get(name, ""))),
        )
        for (name, table, frame, _), head in zip(made, heads, strict=True)
    )


def _labels(released: Released, *, level: str) -> dict[str, str]:
    """Name each column of a category; one of another window than the headline says which."""
    found: dict[str, str] = {}
    for category in released.info.categories:
        window = period_in_layer(released, level=level, category=category.id)
        label = category.label if window == released.info.headline else f"{category.label}, {window.label}"
        found |= {f"incidents_{category.id}{end}": label for end in ENDS}
    return found


def polygons(shapes: Any) -> NDArray[Any]:
    """Return multipolygons: the surfaces of each shape, without any line or point that clipping left."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    parts, outer = shapely.get_parts(parts, return_index=True)  # twice: a collection may hold multipolygons
    kept = (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(parts)
    out = np.full(len(shapes), shapely.MultiPolygon(), dtype=object)
    return np.asarray(shapely.multipolygons(parts[kept], indices=owner[outer][kept], out=out))


def _fields(table: Table, frame: gpd.GeoDataFrame, labels: dict[str, str]) -> tuple[Field, ...]:
    known = {column.name: column for column in table.columns}
    taken: set[str] = set()
    fields = []
    for name in (c for c in map(str, frame.columns) if c != frame.geometry.name):
        column = known.get(name)
        if column is None:
            fields.append(_category_field(name, labels.get(name, name.removeprefix("incidents_")), taken))
        else:
            fields.append(Field(name, column.kind, _titled(name), column.text, _free(column.short, taken)))
    return tuple(fields)


_END_WORDS = {"_lower": ("least", "_lo"), "_upper": ("most", "_up")}


def _category_field(name: str, label: str, taken: set[str]) -> Field:
    """Describe a column of a category: its middle, or the least or the most that it may be."""
    end = next((end for end in _END_WORDS if name.endswith(end)), "")
    wanted = "inc_" + name.removeprefix("incidents_").removesuffix(end)
    if not end:
        text = f"Incidents of the category {label} in the period, given as incidents are."
        return Field(name, "int", f"Incidents: {label}", text, _free(wanted, taken))
    word, short = _END_WORDS[end]
    text = f"{word.capitalize()} that the incidents of the category {label} may be."
    return Field(name, "int", f"Incidents: {label}, {word}", text, _free(wanted[: 10 - len(short)] + short, taken))


def _titled(name: str) -> str:
    """Turn a column's name into a title: rate_per_10000 becomes Rate per 10,000."""
    title = name.replace("_", " ").capitalize()
    for plain, real in _UNITS.items():
        title = title.replace(plain, real)
    return title


def _free(wanted: str, taken: set[str]) -> str:
    """Shorten a name to ten characters, none used twice whatever the case of its letters."""
    short, number = wanted[:10], 1
    while short.lower() in taken:
        number += 1
        short = f"{wanted[: 10 - len(str(number))]}{number}"
    taken.add(short.lower())
    return short


def arrow_table(layer: Layer, *, geometry: str) -> pa.Table:
    """Return a layer as Arrow: every column of its own type whatever the rows hold, geometry as ISO WKB.

    Parameters
    ----------
    layer
        A layer of a release.
    geometry
        Name of the geometry column, put last.
    """
    columns = {field.name: _array(layer.frame[field.name], field.kind) for field in layer.fields}
    blobs = shapely.to_wkb(layer.frame.geometry.to_numpy(), byte_order=1, flavor="iso")
    columns[geometry] = pa.array(list(blobs), type=pa.binary())
    return pa.table(columns)


def _array(series: pd.Series, kind: Kind) -> pa.Array:
    values = plain_values(series)
    if kind == "date":
        return pa.array(values, type=pa.string()).cast(pa.date32())
    if kind == "int":
        wide = any(v is not None and abs(v) > _LARGEST_INT32 for v in values)
        return pa.array(values, type=pa.int64() if wide else pa.int32())
    types = {"string": pa.string(), "float": pa.float64(), "bool": pa.bool_()}
    return pa.array(values, type=types[kind])
