"""The space-time permutation scan: where and when more happened together than place and time alone explain."""

from pipeline.detect.scan.search import METHOD, ScanResult, SpaceTimeCluster, space_time_scan

__all__ = ["METHOD", "ScanResult", "SpaceTimeCluster", "space_time_scan"]
