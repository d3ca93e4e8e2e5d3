"""Sentences chosen by rule from released figures."""

from pipeline.publish.findings.circumstances import Answer, Asked, told
from pipeline.publish.findings.figures import EMPTY, LEAST, Case, Figure, Profiled, figure_of, number
from pipeline.publish.findings.sentences import (
    Finding,
    Segment,
    Window,
    amount,
    before_and_after,
    beside_region,
    change_phrase,
    findings,
    lead,
    rank_range,
)

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
