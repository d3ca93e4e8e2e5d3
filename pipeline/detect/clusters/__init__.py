"""Clusters of incidents: exact DBSCAN at any size, HDBSCAN and OPTICS as choices, and a reach read from the data."""

from pipeline.detect.clusters.dbscan import Clustering, dbscan, distinct
from pipeline.detect.clusters.methods import (
    CLUSTER_METHODS,
    AutoSamples,
    ClusterMethod,
    ClusterSettings,
    EpsChoice,
    auto_eps,
    auto_min_samples,
    capped,
    hdbscan,
    joining_note,
    k_distances,
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
