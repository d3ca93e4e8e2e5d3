"""Outlines of one window are released once: two versions side by side would single out what changed between them."""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.domain.periods import Period
from pipeline.release.hotspots import Shapes
from pipeline.release.previous_releases import Past

__all__ = ["as_first_released"]

APART_M = 0.25
FIRST = "Shown as first released for this period; records that came later are not in it."
APART = "Not shown: other outlines of a period that overlaps this one were released before."


def as_first_released(
    made: Shapes,
    *,
    kind: str,
    past: Sequence[Past],
    who: tuple[str, str],
    headline: Period,
) -> Shapes:
    """Keep a layer as it was first released for its window, or leave it out where other outlines are too near it.

    One incident more moves the contours of a surface in a disc about it, and adds a hexagon to an outline: whoever
    holds both versions finds it.

    Parameters
    ----------
    made
        The layer as it would be released now.
    kind
        Which layer of the earlier releases to compare with: ``hotspots`` or ``density``.
    past
        Earlier releases that the readers may hold, oldest first.
    who
        Run and profile of the release.
    headline
        Window of the layer.
    """
    for release in past:
        before: gpd.GeoDataFrame = getattr(release, kind)
        if not len(before) or not Period.parse(release.headline).overlaps(headline):
            continue
        if release.headline != headline.id:
            return Shapes(made.layer.iloc[:0], APART)
        if (release.run, release.profile) == who:
            if _outlines(before) == _outlines(made.layer):
                return made
            return Shapes(before, f"{made.note} {FIRST}".strip())
        if len(made.layer) and not _same_records(before, made.layer):
            return Shapes(made.layer.iloc[:0], APART)
    return made


def _outlines(layer: gpd.GeoDataFrame) -> list[str]:
    return sorted(shapely.to_wkb(shapely.normalize(shape), hex=True) for shape in layer.geometry)


def _same_records(before: gpd.GeoDataFrame, now: gpd.GeoDataFrame) -> bool:
    """Whether two layers draw the same outlines, but for pieces that only one of them may show.

    Bands of density are compared line by line: ground that holds too few for one profile lies in the band below there,
    which takes lines away and moves none.
    """
    if "density_low" in now:
        return _drawn_on(now, before) or _drawn_on(before, now)
    one, other = set(_pieces(before)), set(_pieces(now))
    return one <= other or other <= one


def _pieces(layer: gpd.GeoDataFrame) -> list[str]:
    """Return every connected piece of a layer as text."""
    return [shapely.to_wkb(shapely.normalize(p), hex=True) for p in shapely.get_parts(layer.geometry.to_numpy())]


def _drawn_on(few: gpd.GeoDataFrame, many: gpd.GeoDataFrame) -> bool:
    """Whether every line of one layer's bands lies on a line of the other's bands of the same category.

    A corner may lie between two of the other's, where ground was joined, no farther off than corners are rounded.
    """
    for category, mine in few.groupby("category", sort=False):
        theirs = many[many["category"] == category]
        if not len(theirs):
            continue  # only one of them shows the category
        lines, others = _lines(mine), _lines(theirs)
        ends, known = ({tuple(sorted(map(tuple, pair))) for pair in drawn.tolist()} for drawn in (lines, others))
        lost = np.array(sorted(ends - known))
        if not len(lost):
            continue
        corners = shapely.points(np.concatenate([lost.mean(axis=1), lost.reshape(-1, 2)]))
        near, _ = shapely.STRtree(shapely.linestrings(others)).query(corners, predicate="dwithin", distance=APART_M)
        if len(np.unique(near)) < len(corners):
            return False
    return True


def _lines(layer: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Return the straight lines of all outlines, shape (n, 2, 2), in metres."""
    rings = shapely.get_rings(shapely.get_parts(layer.geometry.to_numpy()))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    follows = ring[1:] == ring[:-1]
    return np.asarray(np.stack([xy[:-1], xy[1:]], axis=1)[follows].round(3), dtype=np.float64)
