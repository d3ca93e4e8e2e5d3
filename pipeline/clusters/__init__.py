"""Clusters of incidents: exact DBSCAN at any size, HDBSCAN and OPTICS as choices, and a reach read from the data."""

from pipeline.clusters.choices import Method, cluster, hdbscan, optics
from pipeline.clusters.dbscan import Clustering, dbscan, reach
from pipeline.clusters.knee import EpsChoice, auto_eps, joining_note, k_distances
from pipeline.clusters.locations import distinct

__all__ = [
    "Clustering",
    "EpsChoice",
    "Method",
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
