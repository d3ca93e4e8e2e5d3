"""Cores: the densest parts of a hotspot that is too large to act on.

A hotspot joins everything that is dense enough, street by street: in a city centre it can cover square kilometres. Its
cores are clusters of the same kind inside it, at tighter levels: the same reach, and twice, four times, eight times as
many incidents within it, until each part is small.
"""

from dataclasses import dataclass
from string import ascii_lowercase

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.detect.clusters import ClusterMethod
from pipeline.detect.hotspots.outlines import cluster_outlines, within
from pipeline.detect.hotspots.ranking import detect
from pipeline.tables import HOTSPOT_CORE_LAYER

__all__ = ["find_cores"]

LARGEST_SHARE = 0.5
"""Of the hotspot's area: a core that is nearly all of it says nothing more."""


def find_cores(
    hotspots: gpd.GeoDataFrame,
    members: pd.DataFrame,
    *,
    eps_m: float,
    min_samples: int,
    min_locations: int,
    over_km2: float,
) -> gpd.GeoDataFrame:
    """Find the cores of every hotspot that is larger than `over_km2`.

    Inside a hotspot `min_samples` is doubled; each cluster that is still larger than `over_km2` is searched in the same
    way, until its parts are small or none is left. A cluster without denser parts is a core itself, unless it is more
    than half of the hotspot: that hotspot is equally dense all over and has no cores.

    Parameters
    ----------
    hotspots
        Columns hotspot_id, rank, and outlines in metres.
    members
        Places inside each outline: hotspot_id, easting_m, northing_m, incidents.
    eps_m, min_samples
        Reach in metres and incidents within it that found the hotspots.
    min_locations
        Fewest distinct places in a core: many incidents at one address are none.
    over_km2
        Area in square kilometres above which a hotspot is searched; 0 for no search.

    Returns
    -------
    cores
        Table HOTSPOT_CORE_LAYER without names, in metres, by hotspot, most incidents first: 1a, 1b. Cores lie inside
        their hotspot, and their incidents are those inside their outline.
    """
    rows: list[dict[str, object]] = []
    shapes: list[shapely.Geometry] = []
    for hotspot in hotspots.itertuples() if over_km2 > 0 else ():
        if hotspot.geometry.area / 1e6 <= over_km2:
            continue
        mine = members[members["hotspot_id"] == hotspot.hotspot_id].reset_index(drop=True)
        search = _Search(mine, hotspot.geometry, eps_m, min_locations, over_km2)
        made = search.inside(hotspot.geometry, 2 * min_samples)
        drawn = np.array([shape for shape, _ in made], dtype=object)
        # Counted like the hotspot itself: what lies inside the outline, whichever cluster it is of.
        core, at = within(drawn, mine)
        weights = mine["incidents"].to_numpy(dtype=np.int64)[at]
        incidents = np.bincount(core, weights=weights, minlength=len(drawn)).astype(np.int64)
        places = np.bincount(core, minlength=len(drawn))
        order = np.argsort(-incidents, kind="stable")[: len(ascii_lowercase)]
        for letter, k in zip(ascii_lowercase, order, strict=False):
            km2 = drawn[k].area / 1e6
            rows.append(
                {
                    "core_id": f"{hotspot.hotspot_id}{letter}",
                    "hotspot_id": hotspot.hotspot_id,
                    "number": f"{hotspot.rank}{letter}",
                    "name": "",
                    "incidents": int(incidents[k]),
                    "distinct_locations": int(places[k]),
                    "area_km2": km2,
                    "density_per_km2": int(incidents[k]) / km2,
                    "min_samples": made[k][1],
                }
            )
            shapes.append(drawn[k])
    table = HOTSPOT_CORE_LAYER.conform(pd.DataFrame(rows)) if rows else HOTSPOT_CORE_LAYER.empty()
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(shapes, crs=hotspots.crs), crs=hotspots.crs)


@dataclass(frozen=True, slots=True)
class _Search:
    """How cores of one hotspot are found; `members` are the places inside it."""

    members: pd.DataFrame
    outline: shapely.Geometry
    eps_m: float
    min_locations: int
    over_km2: float

    def inside(self, outline: shapely.Geometry, level: int) -> list[tuple[shapely.Geometry, int]]:
        """Tighten inside an outline: the cores in it, each with the `min_samples` that drew it."""
        mine = self.members.iloc[within(np.array([outline]), self.members)[1]].reset_index(drop=True)
        found = detect(
            mine,
            eps_m=self.eps_m,
            min_samples=level,
            method=ClusterMethod.DBSCAN,
            min_locations=self.min_locations,
            max_hotspots=None,
        )
        cores: list[tuple[shapely.Geometry, int]] = []
        # Around the dense places alone: what is merely within reach of them made the hotspot wide. A core at the rim
        # is drawn no farther than what it lies in.
        dense = found.clustering.core
        shapes = cluster_outlines(
            found.places_m[dense], labels=found.member[dense], eps_m=self.eps_m, count=found.count
        )
        for drawn in shapely.intersection(shapes, outline):
            km2 = drawn.area / 1e6
            tighter = [] if km2 <= self.over_km2 else self.inside(drawn, 2 * level)
            if tighter:
                cores += tighter
            elif km2 <= LARGEST_SHARE * self.outline.area / 1e6:
                # Small enough, or no part of it is denser than the rest.
                cores.append((drawn, level))
        return cores
