"""Clusters of incidents."""

from pipeline.clusters.dbscan import Clustering, dbscan, reach
from pipeline.clusters.locations import distinct

__all__ = ["Clustering", "dbscan", "distinct", "reach"]
