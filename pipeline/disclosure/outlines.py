"""Outlines of one window are released once: two versions side by side would single out what changed between them."""

from collections.abc import Sequence

import geopandas as gpd
import shapely

from pipeline.disclosure.past import Past
from pipeline.disclosure.shapes import Shapes
from pipeline.periods import Period

__all__ = ["as_first_released"]

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
    """Whether two layers draw the same outlines, but for pieces that only one of them may show."""
    one, other = set(_pieces(before)), set(_pieces(now))
    return one <= other or other <= one


def _pieces(layer: gpd.GeoDataFrame) -> list[str]:
    """Return every connected piece of a layer as text, with its category where it has one."""
    kinds = layer["category"] if "category" in layer else [""] * len(layer)
    return [
        f"{kind} {shapely.to_wkb(shapely.normalize(piece), hex=True)}"
        for kind, shape in zip(kinds, layer.geometry, strict=True)
        for piece in shapely.get_parts(shape)
    ]
