"""Clusters of incidents: exact DBSCAN at any size, HDBSCAN and OPTICS as choices, and a reach read from the data."""

from pipeline.detect.clusters.dbscan import Clustering, dbscan, distinct, reach
from pipeline.detect.clusters.methods import (
    ClusterMethod,
    EpsChoice,
    auto_eps,
    cluster,
    hdbscan,
    joining_note,
    k_distances,
    optics,
)

__all__ = [
    "ClusterMethod",
    "Clustering",
    "EpsChoice",
    "auto_eps",
    "cluster",
    "dbscan",
    "distinct",
    "hdbscan",
    "joining_note",
    "k_distances",
    "optics",
    "reach",
]
