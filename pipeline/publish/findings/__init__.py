"""Sentences chosen by rule from released figures."""

from pipeline.publish.findings.answers import Answer, Asked, told
from pipeline.publish.findings.events import Window, before_and_after
from pipeline.publish.findings.figures import EMPTY, LEAST, Case, Figure, Profiled, figure_of, number
from pipeline.publish.findings.lead import Segment, amount, beside_region, change_phrase, lead, rank_range
from pipeline.publish.findings.rules import Finding, findings

__all__ = [
    "EMPTY",
    "LEAST",
    "Answer",
    "Asked",
    "Case",
    "Figure",
    "Finding",
    "Profiled",
    "Segment",
    "Window",
    "amount",
    "before_and_after",
    "beside_region",
    "change_phrase",
    "figure_of",
    "findings",
    "lead",
    "number",
    "rank_range",
    "told",
]
