"""The clusters that scans found as circles: a layer for GIS, and an overlay of the internal map."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.domain.periods import Period
from pipeline.release.released import Released
from pipeline.tables import SCAN_CLUSTERS, SPACE_TIME_CLUSTERS, SPATIAL_CLUSTERS

__all__ = ["LEAST_RADIUS_M", "cluster_circles"]

LEAST_RADIUS_M = 250.0
"""A single cell has no radius: it is drawn as a circle of this one, half the usual side of a cell."""


def cluster_circles(released: Released) -> gpd.GeoDataFrame:
    """Return the clusters of every scan as rows of SCAN_CLUSTERS, in the working system; the most likely ones first.

    A circle takes in the middles of the cells or areas that belong to the cluster, so its rim may cut them.
    """
    rows = pd.concat(
        [found for t in (SPACE_TIME_CLUSTERS, SPATIAL_CLUSTERS) if len(found := released.patterns.of(t))]
        or [SPATIAL_CLUSTERS.empty()],
        ignore_index=True,
    )
    rows = rows[rows["rank"] > 0].sort_values(["category", "p", "kind", "rank"], kind="stable", ignore_index=True)
    windows = [Period.parse(str(period)) for period in rows["period"]]
    layer = pd.DataFrame(
        {
            "cluster_id": [f"{r['kind']}:{r['category']}:{r['rank']}" for r in rows.to_dict("records")],
            **{name: rows[name] for name in ("kind", "category", "rank")},
            "period_start": [window.start.isoformat() for window in windows],
            "period_end": [window.end.isoformat() for window in windows],
            **{name: rows[name] for name in SCAN_CLUSTERS.names[6:]},
        }
    )
    middles = shapely.points(rows[["easting_m", "northing_m"]].to_numpy(dtype=np.float64, na_value=np.nan))
    radius = np.maximum(rows["radius_m"].to_numpy(dtype=np.float64, na_value=0.0), LEAST_RADIUS_M)
    shapes = shapely.buffer(middles, radius, quad_segs=12)
    return gpd.GeoDataFrame(SCAN_CLUSTERS.conform(layer), geometry=shapes, crs=released.info.working_crs)
