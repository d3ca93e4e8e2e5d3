"""Outlines of one window are released once: two versions side by side would single out what changed between them."""

from collections.abc import Sequence

import geopandas as gpd
import shapely

from pipeline.disclosure.past import Past
from pipeline.disclosure.shapes import Shapes
from pipeline.periods import Period

__all__ = ["as_first_released"]

FIRST = "Shown as first released for this period; records that came later are not in it."
SAME = 1e-4  # limits are printed to four decimals
APART = "Not shown: outlines of a period that overlaps this one were released from other records."


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
        if len(made.layer) and not _same_records(before, made.layer, kind):
            return Shapes(made.layer.iloc[:0], APART)
    return made


def _outlines(layer: gpd.GeoDataFrame) -> list[str]:
    return sorted(shapely.to_wkb(shapely.normalize(shape), hex=True) for shape in layer.geometry)


def _same_records(before: gpd.GeoDataFrame, now: gpd.GeoDataFrame, kind: str) -> bool:
    """Whether two layers come from the same incidents, as far as they tell."""
    if kind == "hotspots":  # each profile shows a choice of the same clusters
        one, other = set(_outlines(before)), set(_outlines(now))
        return one <= other or other <= one
    limits = [dict(layer.groupby("category")["density_low"].min()) for layer in (before, now)]
    return all(abs(limits[0][c] - limits[1][c]) < SAME for c in set(limits[0]) & set(limits[1]))
