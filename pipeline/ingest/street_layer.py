"""The street layer of `detect.streets`: lines with ids, cut into segments that are counted each by itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.config import Run, Streets
from pipeline.errors import InputError
from pipeline.geography import projection as crs
from pipeline.ingest.formats.files import DEFAULT_LIMITS, AreaRequest, existing, find_columns, read_layer

__all__ = ["KEY", "MOST_SEGMENTS", "StreetLayer", "read_streets", "segments_of"]

KEY = "detect.streets"
MOST_SEGMENTS = 1_000_000
"""Segments inside the study area: Great Britain has about 4 million, a force's area under 200 thousand. Their
index takes 0.3 GB for a million."""
SHORTEST_M = 0.01
LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class StreetLayer:
    """Segments of the streets in the study area.

    Attributes
    ----------
    frame
        segment_id, name and geometry (a line in the working system), sorted by id.
    cautions
        What was changed or left out, a sentence each.
    """

    frame: Any
    cautions: tuple[str, ...] = ()


def read_streets(
    settings: Streets, *, base: Path, working: str, outline: Any, border_m: float = 0.0, limits: Run = DEFAULT_LIMITS
) -> StreetLayer:
    """Read the layer and return its segments.

    Parameters
    ----------
    settings
        As configured, with a path.
    base
        Folder that the path starts from.
    working
        The working system, in metres.
    outline
        The covered areas: segments that do not touch them are left out.
    border_m
        How far beyond them a point still counts as inside, metres: there segments are cut.
    limits
        How long the file may be.

    Raises
    ------
    InputError
        If the file or a column is missing, it is no layer of lines, states no coordinate system, or has more segments
        inside the study area than can be worked with.
    """
    path = existing(settings.path or "", base=base, what=f"{KEY}.path")
    wanted = [(f"{KEY}.{role}", name) for role, name in (("id", settings.id), ("name", settings.name)) if name]
    layer = read_layer(path, AreaRequest(KEY, tuple(wanted), settings.layer, limits=limits))
    at = find_columns(tuple(wanted), [str(c) for c in layer.frame.columns], file=path.name)
    columns = dict(zip([key for key, _ in wanted], (layer.frame.iloc[:, place] for place in at), strict=True))
    system = crs.source_crs(settings.crs, what=f"{KEY}.crs") if settings.crs else layer.system
    if system is None:
        raise InputError(f"{path.name} does not state its coordinate system ({KEY}): set {KEY}.crs, such as EPSG:27700")
    lines = shapely.force_2d(np.asarray(layer.shapes, dtype=object))
    lines = crs.project_geometries(lines, source=system, working=working)
    return segments_of(
        lines,
        ids=columns.get(f"{KEY}.id"),
        names=columns.get(f"{KEY}.name"),
        outline=outline,
        border_m=border_m,
        working=working,
        file=path.name,
    )


def segments_of(
    lines: NDArray[np.object_], *, ids: Any, names: Any, outline: Any, working: str, file: str, border_m: float = 0.0
) -> StreetLayer:
    """Turn lines into segments with ids of their own.

    A multiline becomes one segment for each of its parts. Ids that repeat are numbered, in the order of their shapes,
    so that the order of the file does not matter. A line that crosses the border is cut there: beyond it nothing is
    counted, and its whole length would make the street look quiet. Where lines cross without a common end, as on a
    bridge, they stay apart.

    Parameters
    ----------
    lines
        Shapes in the working system, shape (n,).
    ids, names
        Columns of the layer, or None: without ids segments are numbered in the order of their shapes.
    outline
        The covered areas.
    border_m
        How far beyond them a point still counts as inside, metres.
    working
        The working system.
    file
        Name of the file, for messages.
    """
    import geopandas as gpd

    kinds = shapely.get_type_id(lines)
    empty = shapely.is_missing(lines) | shapely.is_empty(lines)
    wrong = ~empty & ~np.isin(kinds, (1, 2, 5))
    if wrong.all() and len(lines):
        raise InputError(f"{file} has no lines ({KEY}): give a layer of street centre lines")
    cautions = []
    if left := int((wrong | empty).sum()):
        cautions.append(f"{KEY}: {left:,} of {len(lines):,} features of {file} are no lines and are left out.")
    row = np.flatnonzero(~(wrong | empty))
    parts, owner = shapely.get_parts(lines[row], return_index=True)
    row = row[owner]
    shapely.prepare(outline)
    kept = (shapely.length(parts) >= SHORTEST_M) & shapely.intersects(outline, parts)
    parts, row = parts[kept], row[kept]
    joined = int(pd.Series(row).duplicated().sum())
    parts, row = _cut(parts, row, outline=outline, border_m=border_m)
    if len(parts) > MOST_SEGMENTS:
        raise InputError(
            f"{file} has {len(parts):,} segments inside the study area ({KEY}), and at most {MOST_SEGMENTS:,} can be "
            "worked with: leave out paths and service roads, or join segments between junctions"
        )
    if not len(parts):
        cautions.append(
            f"{KEY}: nothing in {file} is inside the study area: check {KEY}.crs, or give a layer for this place."
        )
    given = _texts(ids, row) if ids is not None else np.full(len(row), "", dtype=object)
    frame = pd.DataFrame({"given": given, "bytes": shapely.to_wkb(parts, byte_order=1), "part": np.arange(len(parts))})
    frame = frame.sort_values(["given", "bytes"], kind="stable", ignore_index=True)
    number = frame.groupby("given", sort=False).cumcount() + 1
    repeats = frame.duplicated("given", keep=False) & (frame["given"] != "")
    several = pd.Series(row).duplicated(keep=False).to_numpy()[frame["part"].to_numpy()]
    if joined:
        cautions.append(f"{KEY}: multilines of {file} are counted as {joined:,} segments more, one for each part.")
    if ids is not None and (twice := int((repeats & ~several).sum())):
        cautions.append(f"{KEY}: {twice:,} segments of {file} share their id with another; #1, #2 tell them apart")
    if ids is not None and (nameless := int((frame["given"] == "").sum())):
        cautions.append(f"{KEY}: {nameless:,} segments of {file} have no id; they are numbered.")
    width = max(6, len(str(len(frame))))
    made = np.where(
        frame["given"] == "",
        "segment-" + number.astype(str).str.zfill(width),
        frame["given"] + np.where(repeats, "#" + number.astype(str), ""),
    )
    while pd.Series(made).duplicated().any():  # an id that was given already ends in such a number
        made = made + np.where(pd.Series(made).duplicated(), "#", "")
    order = frame["part"].to_numpy()
    found = gpd.GeoDataFrame(
        {"segment_id": made.astype(str), "name": _texts(names, row[order]) if names is not None else ""},
        geometry=parts[order],
        crs=working,
    )
    return StreetLayer(found.sort_values("segment_id", kind="stable", ignore_index=True), tuple(cautions))


def _cut(
    parts: NDArray[np.object_], row: NDArray[np.int64], *, outline: Any, border_m: float
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Cut lines where they leave the covered areas; a line that comes back is one segment for each of its pieces.

    A street along the border runs now on this side and now on that: within `border_m` it is not cut, as points there
    count as inside.
    """
    ground = shapely.buffer(outline, border_m, quad_segs=2) if border_m else outline
    shapely.prepare(ground)
    leaving = ~shapely.covers(ground, parts)
    pieces, owner = shapely.get_parts(shapely.intersection(parts[leaving], ground), return_index=True)
    inside = (shapely.length(pieces) >= SHORTEST_M) & shapely.intersects(outline, pieces)
    rows = np.concatenate((row[~leaving], row[leaving][owner[inside]]))
    order = np.argsort(rows, kind="stable")
    return np.concatenate((parts[~leaving], pieces[inside]))[order], rows[order]


def _texts(column: Any, row: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return texts of rows as plain text; blank where there is none."""
    values = column.iloc[row]
    blank = values.isna().to_numpy()
    texts = (" ".join("".join(c if c.isprintable() else " " for c in str(v)).split()) for v in values.tolist())
    return np.array(
        ["" if gone else text[:LONGEST_NAME].rstrip() for gone, text in zip(blank, texts, strict=True)], dtype=object
    )
