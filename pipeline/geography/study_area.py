"""The study area: the part of the areas that the data covers, less the ground in it that cannot hold incidents.

Every method takes its ground from here: density and the correction at its borders, cells by their share, the risk
surface, the places of simulations, cells of a backtest, middles of areas. `areas.not_covered` lists boroughs or wards
that the data does not cover; `areas.mask` shows ground, such as water, that cannot hold incidents. Every mean,
background, population, share of the area and significance test refers to what remains, so that a run gives the same
results as a run on that part alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.tables import Level

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["Coverage", "StudyArea", "coverage", "without"]

Shapes = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which areas the data covers.

    Attributes
    ----------
    covered
        For each area, whether the data covers it, completely or in part.
    partial
        Codes of the areas that are covered in part: some of the areas in them are not.
    """

    covered: tuple[bool, ...]
    partial: frozenset[str]


def coverage(
    codes: Sequence[str], *, levels: Sequence[str], parents: Sequence[str | None], not_covered: Collection[str]
) -> Coverage:
    """Determine which areas are covered, given the codes of those that are not.

    A ward is not covered if it or its borough is named, a borough if it or every one of its wards is.

    Parameters
    ----------
    codes, levels, parents
        Code, level and code of the larger area of every area.
    not_covered
        Codes of boroughs and wards.

    Raises
    ------
    ConfigError
        If no area is covered.

    Examples
    --------
    >>> levels = ["region", "borough", "borough", "ward", "ward", "ward"]
    >>> parents = [None, "R", "R", "A", "A", "B"]
    >>> found = coverage(["R", "A", "B", "A1", "A2", "B1"], levels=levels, parents=parents, not_covered=["A2", "B1"])
    >>> found.covered, sorted(found.partial)
    ((True, True, False, True, False, False), ['A', 'R'])
    """
    level_of, parent_of = dict(zip(codes, levels, strict=True)), dict(zip(codes, parents, strict=True))
    named = set(not_covered)
    out = {c for c in codes if level_of[c] != Level.REGION and (c in named or parent_of[c] in named)}
    for level in (Level.WARD, Level.BOROUGH):
        members: dict[str, list[bool]] = {}
        for code in (c for c in codes if level_of[c] == level):
            members.setdefault(str(parent_of[code]), []).append(code in out)
        out |= {whole for whole, parts in members.items() if whole in level_of and all(parts)}
    if all(c in out for c in codes if level_of[c] == Level.BOROUGH):
        raise ConfigError(
            f"areas.not_covered names every area ({', '.join(sorted(named)[:5])}...), so nothing is left to map: "
            "name only the areas that the data does not cover"
        )
    partial = {str(parent_of[c]) for c in out if parent_of[c] is not None and parent_of[c] not in out}
    partial |= {str(parent_of[c]) for c in partial if parent_of[c] is not None}
    return Coverage(tuple(c not in out for c in codes), frozenset(partial))


@dataclass(frozen=True, slots=True, eq=False)
class StudyArea:
    """The ground that can hold incidents of the data.

    Attributes
    ----------
    outline
        One polygon or multipolygon in the working system: the union of all covered areas, less the mask.
    wards
        The smallest areas that are covered, as rows of the table `areas`: wards, or boroughs if there are no wards.
        Their outlines are whole: they hold points, and two that meet are neighbours, whatever ground is masked.
    ground
        Of each of them, in their order, the part that can hold incidents, shape (n,).
    covered
        The union of all covered areas, masked ground included: streets cross water on bridges.
    """

    outline: Any
    wards: "gpd.GeoDataFrame"
    ground: Shapes
    covered: Any

    @classmethod
    def of(cls, areas: "gpd.GeoDataFrame", mask: Any = None) -> Self:
        """Return the study area of the table `areas`, or of the part of it that a profile shows.

        A completely covered borough contributes its own outline, which may differ from its wards' (a river); one
        covered in part contributes the union of its covered wards.

        Parameters
        ----------
        areas
            Table `areas`.
        mask
            Ground that cannot hold incidents, one polygon or multipolygon (`ingest.mask`); None for none.
        """
        covered = areas["covered"].astype(bool)
        wards = areas[areas["level"] == Level.WARD]
        if wards.empty:
            wards = areas[areas["level"] == Level.BOROUGH]
        inside = covered[wards.index]
        partial = set(wards.loc[~inside, "parent_code"])
        boroughs = areas[(areas["level"] == Level.BOROUGH) & covered]
        whole = boroughs[~boroughs["area_code"].isin(partial)]
        pieces = wards[inside & wards["parent_code"].isin(partial)]
        shapes = np.concatenate((whole.geometry.to_numpy(), pieces.geometry.to_numpy()))
        # Normalised, so that the outline starts at the same point whatever the order of the areas.
        union, kept = shapely.normalize(shapely.union_all(shapes)), wards[inside]
        ground = without(kept.geometry.to_numpy(), mask)
        return cls(union if mask is None else shapely.normalize(without([union], mask)[0]), kept, ground, union)

    def masks(self, points_m: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say which points, shape (n, 2), lie on covered ground that cannot hold incidents, shape (n,)."""
        if self.outline is self.covered or not len(points_m):
            return np.zeros(len(points_m), dtype=bool)
        x, y = np.asarray(points_m, dtype=np.float64).T
        for shape in (self.covered, self.outline):
            shapely.prepare(shape)
        found: NDArray[np.bool_] = shapely.intersects_xy(self.covered, x, y) & ~shapely.intersects_xy(
            self.outline, x, y
        )
        return found

    def areas_at(self, points: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        """Return code and name of the smallest area that holds each point, shape (n,); outside all, of the nearest."""
        if not len(points) or not len(self.wards):
            nothing = np.full(len(points), "", dtype=object)
            return nothing, nothing
        at = self.wards.sindex.nearest(points, return_all=False)[1]
        return self.wards["area_code"].to_numpy(dtype=object)[at], self.wards["name"].to_numpy(dtype=object)[at]


def without(shapes: Sequence[Any] | Shapes, mask: Any) -> Shapes:
    """Return what a mask leaves of each shape, shape (n,): polygons, empty where nothing is left.

    Parameters
    ----------
    shapes
        Valid polygons or multipolygons.
    mask
        A valid polygon or multipolygon in the same system, or None.

    Examples
    --------
    >>> city = [shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 100)]
    >>> river = shapely.box(0, 40, 150, 60)
    >>> [shape.area for shape in without(city, river)]
    [8000.0, 9000.0]
    """
    out = np.empty(len(shapes), dtype=object)
    out[:] = list(shapes)
    if mask is None:
        return out
    # Only the parts of the mask near a shape: a mask may be all the water of a country.
    parts = shapely.get_parts(mask)
    tree = shapely.STRtree(parts)
    for at in np.unique(tree.query(out, predicate="intersects")[0]):
        near = parts[tree.query(out[at])]
        left = shapely.difference(out[at], shapely.union_all(near))
        pieces = shapely.get_parts(left)
        out[at] = (
            left
            if left.geom_type != "GeometryCollection"
            else shapely.union_all(pieces[shapely.get_dimensions(pieces) == 2])
        )
    return out
