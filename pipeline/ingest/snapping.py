"""Points that the publisher snapped to map points: found by layout or by repetition, and what that means for borders.

police.uk moves every crime to the nearest of a list of anonymised map points, others to the middle of a block. The
counts of large areas are hardly touched by it; a street or an address cannot be read from such a point, and where a
border of wards is near, the ward may be the one beside it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["BORDER_M", "looks_snapped", "near_border_pct", "police_layout", "snapped_caution"]

POLICE_COLUMNS = frozenset({"Month", "Longitude", "Latitude", "Location", "Crime type"})
REPEATED_PCT = 75.0  # of a year's measured points a third share their place, of snapped ones nearly all
FEWEST = 30  # of fewer incidents a share says nothing
BORDER_M = 30.0
MOST_PLACES = 200_000  # more say no more about a share: every n-th place then stands for its neighbours in the list
CHUNK = 1 << 16


def police_layout(columns: Iterable[Mapping[str, str]]) -> bool:
    """Whether every file has the layout of police.uk's street-level files, whose points are anonymised map points.

    Parameters
    ----------
    columns
        For each file, the column that plays each role, as the reader reports it: ``"Month (recognised)"``.

    Examples
    --------
    >>> police_layout([{"date": "Month (recognised)", "lon": "Longitude (recognised)", "lat": "Latitude (recognised)",
    ...                 "location": "Location (recognised)", "category": "Crime type (recognised)"}])
    True
    >>> police_layout([{"date": "occurred_on (recognised)"}])
    False
    """
    files = [{text.rsplit(" (", 1)[0] for text in roles.values()} for roles in columns]
    return bool(files) and all(names >= POLICE_COLUMNS for names in files)


def near_border_pct(
    places_m: NDArray[np.float64],
    incidents: NDArray[np.int64],
    *,
    wards: NDArray[np.object_],
    within_m: float = BORDER_M,
) -> float | None:
    """Measure the share of incidents that lie near the border of a ward.

    Parameters
    ----------
    places_m
        Distinct places in metres, shape (n, 2), sorted.
    incidents
        Incidents at each, shape (n,).
    wards
        Outlines of the wards.
    within_m
        How near, in metres.

    Returns
    -------
    share
        In per cent; None without incidents.
    """
    step = max(1, -(-len(places_m) // MOST_PLACES))
    places, weights = places_m[::step], incidents[::step]
    if not len(places) or not weights.sum():
        return None
    # Borders as single segments: a tree of whole outlines would measure every point against thousands of corners.
    rings = shapely.get_rings(shapely.get_parts(wards))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = np.flatnonzero(ring[1:] == ring[:-1])
    tree = shapely.STRtree(shapely.linestrings(np.stack((xy[same], xy[same + 1]), axis=1)))
    near = np.zeros(len(places), dtype=bool)
    for start in range(0, len(places), CHUNK):
        points = shapely.points(places[start : start + CHUNK])
        hit = tree.query(points, predicate="dwithin", distance=within_m)[0]
        near[start + np.unique(hit)] = True
    return round(100.0 * float(weights[near].sum()) / float(weights.sum()), 1)


def snapped_caution(repeated: Mapping[str, Any], *, police: bool, near_pct: float | None, ward: str = "ward") -> str:
    """Say that points are, or look, snapped, and what follows.

    Parameters
    ----------
    repeated
        What `quality.repeated_share` found.
    police
        Whether the files are police.uk's.
    near_pct
        Share of incidents near a border, in per cent; None if it is not known.
    ward
        What a small area is called.
    """
    share = f"{repeated['repeated_pct']:.0f} % of incidents share their exact coordinates with another"
    what = (
        f"police.uk publishes anonymised map points, not the places of the incidents ({share})"
        if police
        else f"The points look as if the publisher had snapped them to map points or blocks: {share} "
        f"({repeated['incidents']:,} incidents, distinct places: {repeated['distinct_places']:,})"
    )
    border = (
        f", and {near_pct:g} % of incidents lie within {BORDER_M:g} m of the border of a {ward}: they may belong to "
        "the one beside it"
        if near_pct
        else ""
    )
    return f"{what}. Figures of streets or addresses cannot be read from them{border}."


def looks_snapped(repeated: Mapping[str, Any]) -> bool:
    """Whether so many incidents share their coordinates that the points were hardly measured."""
    return repeated["incidents"] >= FEWEST and (repeated["repeated_pct"] or 0.0) >= REPEATED_PCT
