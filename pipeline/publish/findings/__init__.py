"""Sentences chosen by rule from released figures: what a briefing states, and what it must not.

`figures` reads the figures, `sentences` states what they show of an area, `circumstances` sums up one variable,
`attention` chooses what a map opens with. Nothing here reads a release or writes HTML, so every rule is tested on plain
numbers.
"""

from pipeline.publish.findings.attention import Evidence, Overview, Spot, Statement, statements
from pipeline.publish.findings.circumstances import ValueFigures, VariableFigures, summary_sentence
from pipeline.publish.findings.figures import (
    LEAST,
    AreaProfile,
    Case,
    CountRange,
    Figure,
    count_range,
    figure_of,
    number,
    total_of,
    whole_number,
)
from pipeline.publish.findings.sentences import (
    Finding,
    Window,
    before_and_after,
    compared_with_region,
    findings,
    lead,
    not_comparable,
    rank_range,
)

__all__ = [
    "LEAST",
    "AreaProfile",
    "Case",
    "CountRange",
    "Evidence",
    "Figure",
    "Finding",
    "Overview",
    "Spot",
    "Statement",
    "ValueFigures",
    "VariableFigures",
    "Window",
    "before_and_after",
    "compared_with_region",
    "count_range",
    "figure_of",
    "findings",
    "lead",
    "not_comparable",
    "number",
    "rank_range",
    "statements",
    "summary_sentence",
    "total_of",
    "whole_number",
]
