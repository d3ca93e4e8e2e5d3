"""The space-time permutation scan: where and when more happened together than place and time alone explain."""

from pipeline.detect.scan.search import ScanResult, SpaceTimeCluster, space_time_scan

__all__ = ["ScanResult", "SpaceTimeCluster", "space_time_scan"]
