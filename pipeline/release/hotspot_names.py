"""The name of a hotspot, as people use it: by the stations, places and roads in it or next to it, and its ward.

A name follows from the outline and from public layers alone, so it says nothing that the outline does not. Buildings
and green never name a hotspot: a name must not point at one address, an estate or an institution.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.domain.categories import ROOT
from pipeline.tables import Level

if TYPE_CHECKING:
    from pipeline.release.released import ReleasePlan

__all__ = ["AT_PLACE_M", "NOWHERE", "TOUCH_M2", "Landmarks", "numbered", "place_names", "wards_of", "with_names"]

Shapes = NDArray[np.object_]

STATION_NEXT_M, PLACE_NEXT_M = 400.0, 700.0
"""How far outside an outline a station or a place may lie and still name it: a walk of five and of nine minutes."""
NEAR_M = 2_000.0
"""Beyond, "Near ..." would name another part of town."""
LEAST_ROAD_M = 150.0
"""A road must run through an outline for this far; shorter, it only touches it."""
MOST_NAMES = 2
NOWHERE = "Outside all wards"
AT_PLACE_M = 50.0  # what is this close to an institution counts as being at it
TOUCH_M2 = 1.0  # outlines are stored to the centimetre: a smaller intersection is not an overlap


def with_names(layer: gpd.GeoDataFrame, plan: "ReleasePlan") -> gpd.GeoDataFrame:
    """Name hotspots by the outlines that are shown: what people call the place, then the ward: "Soho, West End".

    A name is made of the outline and of public layers alone: stations, places and roads in it or next to it, and the
    ward with most of its area. (A name taken from the ward with most of its incidents would disclose that this ward
    has more of them than any other.) What stands at an institution names nothing.
    """
    if not len(layer):
        return layer
    wards = [name for name, _ in wards_of(layer.geometry, plan.areas)]
    known = plan.premises.landmarks
    if known is not None:
        at_institution = np.zeros(len(known.frame), dtype=bool)
        for place in plan.premises.institutions:
            at_institution |= shapely.dwithin(known.frame.geometry.to_numpy(dtype=object), place, AT_PLACE_M)
        known = dataclasses.replace(known, frame=known.frame[~at_institution])
        both = zip(place_names(layer.geometry.to_numpy(dtype=object), known), wards, strict=True)
        # A ward named after the same place says it once.
        wards = [f"{name}, {ward}" if name and name != ward else ward for name, ward in both]
    names = pd.Series(wards, index=layer.index, dtype="str")
    # Names that occur twice are numbered within a category: no list shows several.
    of = layer["category"] if "category" in layer else pd.Series(ROOT, index=layer.index)
    for _, own in names.groupby(of, sort=False):
        names[own.index] = numbered(own.tolist())
    return layer.assign(name=names.astype("str"))


def wards_of(shapes: gpd.GeoSeries, areas: gpd.GeoDataFrame) -> list[tuple[str, list[str]]]:
    """Return the name of the ward with most of each outline's area, and the codes of the wards that it overlaps.

    With one level of areas these are its boroughs.
    """
    level = Level.WARD if (areas["level"] == Level.WARD).any() else Level.BOROUGH
    wards = areas[areas["level"] == level].sort_values("area_code")
    ground = wards.geometry.to_numpy()
    found = []
    for shape in shapes:
        near = np.flatnonzero(shapely.intersects(ground, shape))
        shared = shapely.area(shapely.intersection(ground[near], shape))
        over = near[shared > TOUCH_M2]
        name = str(wards["name"].iloc[near[np.argmax(shared)]]) if over.size else NOWHERE
        found.append((name, wards["area_code"].iloc[over].tolist()))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """What can name a place.

    Attributes
    ----------
    frame
        Rows of the table CONTEXT: kind, name, rank, geometry; only named stations, places and roads are used.
    boroughs, codes
        Outlines of the boroughs and their codes: what lies across a border or a river names no place on this side.
    """

    frame: Any
    boroughs: Shapes
    codes: Sequence[str]


def place_names(outlines: Shapes, landmarks: Landmarks) -> list[str]:
    """Name outlines after what lies in them or next to them.

    At most two names, in this order: stations inside, places inside (each by rank, then by nearness to the middle), the
    road with the longest way inside, a station within `STATION_NEXT_M` or a place within `PLACE_NEXT_M` in the same
    borough. Where there is none of these, "Near" and the nearest station or place of the borough within `NEAR_M`.

    Parameters
    ----------
    outlines
        In the working system.
    landmarks
        In the working system.

    Returns
    -------
    names
        Of each outline, such as "Oxford Circus and Soho"; empty where nothing names it.
    """
    frame = landmarks.frame
    frame = frame[frame["kind"].isin(["station", "place", "road"]) & frame["name"].fillna("").ne("")]
    points = frame[frame["kind"] != "road"].reset_index(drop=True)
    roads = frame[frame["kind"] == "road"].reset_index(drop=True)
    found = _Points(points, _borough_of(points.geometry.to_numpy(dtype=object), landmarks))
    return [_name(shape, found, roads, _main_borough(shape, landmarks)) for shape in outlines]


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    frame: pd.DataFrame
    boroughs: NDArray[np.object_]


def _name(outline: Any, points: _Points, roads: pd.DataFrame, borough: str) -> str:
    chosen: list[str] = []

    def take(names: Sequence[str]) -> None:
        for name in names:
            if len(chosen) < MOST_NAMES and name not in chosen:
                chosen.append(name)

    frame, shapes = points.frame, points.frame.geometry.to_numpy(dtype=object)
    apart = shapely.distance(shapes, outline)
    to_middle = shapely.distance(shapes, shapely.centroid(outline))
    station = (frame["kind"] == "station").to_numpy()
    rank = frame["rank"].to_numpy(dtype=np.int64)
    names = frame["name"].to_numpy(dtype=object)
    inside = apart == 0
    for kind in (station, ~station):
        at = np.flatnonzero(inside & kind)
        take(names[at[np.lexsort((names[at].astype(str), to_middle[at].round(1), rank[at]))]].tolist())
    if len(chosen) < MOST_NAMES:
        take(_roads_in(outline, roads))
    if not chosen:
        beside = np.where(station, STATION_NEXT_M, PLACE_NEXT_M)
        at = np.flatnonzero((apart <= beside) & (points.boroughs == borough))
        take(names[at[np.lexsort((names[at].astype(str), apart[at].round(1), rank[at]))]].tolist()[:1])
    if not chosen:
        at = np.flatnonzero((apart <= NEAR_M) & (points.boroughs == borough))
        nearest = names[at[np.lexsort((names[at].astype(str), apart[at].round(1)))]].tolist()[:1]
        return f"Near {nearest[0]}" if nearest else ""
    return " and ".join(chosen)


def numbered(names: Sequence[str]) -> list[str]:
    """Append numbers to names that occur more than once: (1), (2), ... in the given order.

    >>> numbered(["Soho", "Camden Town", "Soho"])
    ['Soho (1)', 'Camden Town', 'Soho (2)']
    """
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(f"{name} ({seen[name]})" if names.count(name) > 1 else name)
    return distinct


def _roads_in(outline: Any, roads: pd.DataFrame) -> list[str]:
    """Return the names of the roads that run through an outline, the one with the longest way inside first."""
    at = np.flatnonzero(shapely.intersects(roads.geometry.to_numpy(dtype=object), outline))
    if not at.size:
        return []
    metres = shapely.length(shapely.intersection(roads.geometry.to_numpy(dtype=object)[at], outline))
    by_name = pd.Series(metres).groupby(roads["name"].to_numpy(dtype=object)[at]).sum().round(1)
    long_enough = by_name[by_name >= LEAST_ROAD_M].reset_index()
    long_enough.columns = pd.Index(["name", "metres"])
    longest = long_enough.sort_values(["metres", "name"], ascending=[False, True])["name"]
    return [str(name) for name in longest[:1]]


def _borough_of(points: Shapes, landmarks: Landmarks) -> NDArray[np.object_]:
    found = np.full(len(points), "", dtype=object)
    point, borough = shapely.STRtree(landmarks.boroughs).query(points, predicate="intersects")
    found[point[::-1]] = np.asarray(landmarks.codes, dtype=object)[borough[::-1]]  # on a border: the first of them
    return found


def _main_borough(outline: Any, landmarks: Landmarks) -> str:
    """Return the borough with most of an outline's area."""
    shared = shapely.area(shapely.intersection(landmarks.boroughs, outline))
    return str(landmarks.codes[int(np.argmax(shared))]) if len(shared) and shared.max() > 0 else ""
