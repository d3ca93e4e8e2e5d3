"""The clusters that scans found, as circles: for the layer for GIS, and for the overlay of the internal map."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.domain.periods import Period
from pipeline.release.released import Released
from pipeline.tables import SCAN_CLUSTERS, SPACE_TIME_CLUSTERS, SPATIAL_CLUSTERS

__all__ = ["LEAST_RADIUS_M", "cluster_layer", "clusters_as_circles"]

LEAST_RADIUS_M = 250.0
"""A single cell has no radius: it is drawn as a circle of this one, half the usual side of a cell."""


def clusters_as_circles(released: Released) -> gpd.GeoDataFrame:
    """Return the clusters of every scan with their circles, in the working system; the most likely ones first.

    A circle takes in the middles of the cells or areas that belong to the cluster, so its rim may cut them.
    """
    rows = pd.concat(
        [found for t in (SPACE_TIME_CLUSTERS, SPATIAL_CLUSTERS) if len(found := released.patterns.of(t))]
        or [SPATIAL_CLUSTERS.empty()],
        ignore_index=True,
    )
    rows = rows[rows["rank"] > 0].sort_values(["category", "p", "kind", "rank"], kind="stable", ignore_index=True)
    middles = shapely.points(rows[["easting_m", "northing_m"]].to_numpy(dtype=np.float64, na_value=np.nan))
    radius = np.maximum(rows["radius_m"].to_numpy(dtype=np.float64, na_value=0.0), LEAST_RADIUS_M)
    shapes = shapely.buffer(middles, radius, quad_segs=12)
    return gpd.GeoDataFrame(rows, geometry=shapes, crs=released.info.working_crs)


def cluster_layer(released: Released) -> gpd.GeoDataFrame:
    """Return the circles as rows of SCAN_CLUSTERS."""
    circles = clusters_as_circles(released)
    rows = pd.DataFrame(circles.drop(columns="geometry"))
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
    return gpd.GeoDataFrame(SCAN_CLUSTERS.conform(layer), geometry=circles.geometry, crs=circles.crs)
