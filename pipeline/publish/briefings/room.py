"""How much fits on a sheet: heights in points, estimated from the number of letters. A sheet never runs over."""

import math
from collections.abc import Iterable

__all__ = ["SHEET_PT", "lines", "stack"]

SHEET_PT = 776.0
"""Height inside the margins of an A4 sheet, with a little to spare."""


def lines(text: str | int, per_line: int) -> int:
    """Estimate how many lines a text takes; words break, so lines are not quite full."""
    letters = text if isinstance(text, int) else len(text)
    return max(1, math.ceil(letters * 1.04 / per_line)) if letters else 0


def stack(texts: Iterable[str], *, per_line: int, line_pt: float, gap_pt: float = 0.0) -> float:
    """Estimate the height of paragraphs on top of each other, in points."""
    return sum(lines(text, per_line) * line_pt + gap_pt for text in texts)
