"""Emerging hot spots: what each area's run of Gi* scores says, in one of eight classes."""

from pipeline.emerging.classes import PATTERNS, Emerging, classify, emerging
from pipeline.emerging.mannkendall import Trend, mann_kendall
from pipeline.emerging.scores import Panel, scores_by_period

__all__ = [
    "PATTERNS",
    "Emerging",
    "Panel",
    "Trend",
    "classify",
    "emerging",
    "mann_kendall",
    "scores_by_period",
]
