"""Scan statistics: clusters in space and time, and in space against people at risk or against other incidents."""

from pipeline.detect.scan.entry import METHODS
from pipeline.detect.scan.space_time import space_time_scan
from pipeline.detect.scan.spatial import bernoulli_scan, poisson_scan

__all__ = ["METHODS", "bernoulli_scan", "poisson_scan", "space_time_scan"]
