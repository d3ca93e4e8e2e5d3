"""Marks inside table rows: a bar, and a rate with its range on a logarithmic axis. Too small for a plotting library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.publish import palette
from pipeline.publish.charts.canvas import escape

__all__ = ["LogAxis", "bar"]

_C = palette.LIGHT
_GRID = tuple(m * 10.0**p for p in range(-2, 6) for m in (1, 2, 5))


def bar(share: float, *, upto: float | None = None, mark: float | None = None) -> str:
    """Draw a bar of a share (0 to 1) of the cell, paler on to `upto`, and a line across it at `mark`, other shares.

    A count that may be nothing or something has no dark part: 0 and 9 look the same.
    """
    wide = max(0.6, 200 * min(1.0, share)) if share > 0 else 0
    pale = max(0.0, 200 * min(1.0, upto) - wide) if upto is not None else 0.0
    x = 0.0 if mark is None else min(198.0, max(1.0, 200 * mark))
    line = (
        f'<rect x="{x - 2:.1f}" width="6" height="12" fill="{_C["paper"]}"/>'
        f'<rect x="{x:.1f}" width="2" height="12" fill="{_C["hot"]}"/>'
    )
    line = "" if mark is None else line
    return (
        '<svg class="bar" viewBox="0 0 200 12" preserveAspectRatio="none" aria-hidden="true">'
        + (f'<rect width="{wide:.1f}" height="12" fill="{_C["ink-3"]}"/>' if wide else "")
        + (f'<rect x="{wide:.1f}" width="{pale:.1f}" height="12" fill="{_C["bar"]}"/>' if pale else "")
        + f"{line}</svg>"
    )


@dataclass(frozen=True, slots=True)
class LogAxis:
    """An axis of rates, 320 units wide, from `low` to `high`, with the region's rate as a line."""

    low: float
    high: float
    region: float | None

    @classmethod
    def over(cls, rates: Sequence[tuple[float, float | None, float | None]], region: float | None) -> "LogAxis | None":
        """Fit an axis to rates with their ranges; None without a rate above zero."""
        values = [v for triple in rates for v in triple if v] + ([region] if region else [])
        floor = min((rate for rate, _, _ in rates if rate), default=0.0)
        if not floor:
            return None
        # The range of a small rate reaches down to nothing; the axis need not follow it further than a quarter.
        low = max(min(values), floor / 4)
        high = max(values)
        return cls(low * 0.85, max(high * 1.08, low * 2), region)

    def x(self, value: float) -> float:
        """Place a rate; what lies beyond the ends is put on them."""
        span = math.log(self.high / self.low)
        return 8 + 304 * min(1.0, max(0.0, math.log(max(value, 1e-12) / self.low) / span))

    def ticks(self) -> list[float]:
        """Choose the numbers of the axis."""
        inside = [v for v in _GRID if self.low * 1.05 < v < self.high / 1.03]
        return inside if len(inside) <= 7 else [v for v in inside if f"{v:e}"[0] == "1"]

    def head(self) -> str:
        """Draw the numbers above the rows, and keep what stands behind each of them: a page has one such axis."""
        words = "".join(f'<text class="m" x="{self.x(v):.1f}" y="11">{v:g}</text>' for v in self.ticks())
        lines = "".join(f"M{self.x(v):.1f}-6v24" for v in self.ticks())
        behind = f'<path d="{lines}" stroke="{_C["ground"]}"/>'
        if self.region:
            behind += f'<path d="M{self.x(self.region):.1f}-6v24" stroke="{_C["ink-3"]}" stroke-width="1.3"/>'
        kept = f'<defs><g id="axis">{behind}</g></defs>'
        return f'<svg class="gh" viewBox="0 0 320 14" aria-hidden="true">{kept}{words}</svg>'

    def row(self, rate: float, low: float | None, high: float | None, *, fill: str, sure: bool) -> str:
        """Draw one row: grid, the region's line, the range, the rate. A rate that is not sure is hollow."""
        out = ['<use href="#axis"/>']
        if low is not None and high is not None:
            out.append(
                f'<line x1="{self.x(low):.1f}" x2="{self.x(high):.1f}" y1="6" y2="6" stroke="{_C["bar-hover"]}" '
                'stroke-width="2.6"/>'
            )
        colour = _C.get(fill, _C["land"]) if sure else _C["paper"]
        if rate:
            out.append(f'<circle cx="{self.x(rate):.1f}" cy="6" r="5" fill="{escape(colour)}" stroke="{_C["ink"]}"/>')
        return f'<svg class="rg" viewBox="0 0 320 12" aria-hidden="true">{"".join(out)}</svg>'
