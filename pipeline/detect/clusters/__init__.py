"""Clusters of incidents: exact DBSCAN at any size, HDBSCAN and OPTICS as choices, and a reach read from the data."""

from pipeline.detect.clusters.automatic import (
    AutoSamples,
    EpsChoice,
    auto_eps,
    auto_min_samples,
    capped,
    joining_note,
    k_distances,
)
from pipeline.detect.clusters.dbscan import Clustering, dbscan, distinct
from pipeline.detect.clusters.methods import (
    CLUSTER_METHODS,
    ClusterMethod,
    ClusterSettings,
    hdbscan,
    optics,
)

__all__ = [
    "CLUSTER_METHODS",
    "AutoSamples",
    "ClusterMethod",
    "ClusterSettings",
    "Clustering",
    "EpsChoice",
    "auto_eps",
    "auto_min_samples",
    "capped",
    "dbscan",
    "distinct",
    "hdbscan",
    "joining_note",
    "k_distances",
    "optics",
]
