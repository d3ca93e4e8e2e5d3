"""Charts of rates: bands over time, one axis with a dot for every area, and the marks inside the rows of tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.publish import palette
from pipeline.publish.charts.canvas import Canvas, Plot, escape
from pipeline.publish.words import say, whole

__all__ = ["Curve", "Dot", "LogAxis", "Span", "bar", "strip", "trend"]

_C = palette.LIGHT
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500)


Span = tuple[float, float]
"""The least and the greatest that a value may be."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over time, each from the least to the greatest that it may be; x in months, None where nothing joins."""

    points: tuple[tuple[float, Span | None], ...]
    name: str = ""
    value: str = ""

    def last(self) -> tuple[float, float] | None:
        """Return the middle of the last point that has a value."""
        return next(((x, sum(y) / 2) for x, y in reversed(self.points) if y is not None), None)


def _tick_step(top: float, *, most: int = 4) -> float:
    """Choose a step for ticks from zero.

    >>> _tick_step(112.0), _tick_step(9.0)
    (50.0, 5.0)
    """
    scale = 1.0
    while True:
        for step in _STEPS:
            if top / (step * scale) < most - 0.3:
                return step * scale
        scale *= 1000


def _short(words: str, most: int = 17) -> str:
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def _split(points: Sequence[tuple[float, Span | None]]) -> list[list[tuple[float, Span]]]:
    runs: list[list[tuple[float, Span]]] = [[]]
    for x, y in points:
        if y is None:
            runs.append([])
        else:
            runs[-1].append((x, y))
    return [run for run in runs if run]


def _draw_curve(plot: Plot, curve: Curve, *, colour: str, width: float, dots: bool) -> None:
    """Draw values as a line, and ranges as a band with its ends: a first step reaches down to the axis."""
    for run in _split(curve.points):
        xs = [x for x, _ in run]
        lows, highs = [low for _, (low, _) in run], [high for _, (_, high) in run]
        ranged = lows != highs
        if ranged:
            rim = [*zip(xs, lows, strict=True), *zip(reversed(xs), reversed(highs), strict=True)]
            plot.surface([[*rim, rim[0]]], "band", fill=colour, opacity=0.22)
        for ys in (lows, highs) if ranged else (lows,):
            stroke = width / 2 if ranged else width
            plot.line(xs, ys, colour=colour, width=stroke)
        if ranged and (dots or len(run) == 1):
            for x, low, high in zip(xs, lows, highs, strict=True):
                plot.line([x, x], [low, high], colour=colour, width=3.4)
        elif dots or len(run) == 1:
            plot.dots(xs, lows, size=3.4, fill=colour, rim=_C["paper"], width=0.5)


def trend(
    *,
    area: Curve,
    region: Curve | None,
    faint: Curve | None,
    breaks: Sequence[tuple[float, str]],
    events: Sequence[tuple[float, str]],
    ticks: Sequence[tuple[float, str]],
    width_pt: float,
    height_pt: float,
    label: str,
) -> str:
    """Draw an area's rate beside the region's.

    Parameters
    ----------
    area, region
        The two lines, named at their ends; bands where counts are given as ranges.
    faint
        Single windows behind the area's line.
    breaks, events
        Place on the time axis (months) and words; events are numbered marks at the top.
    ticks
        Place and words of the time axis.
    """
    curves = [c for c in (area, region, faint) if c is not None]
    values = [y[1] for c in curves for _, y in c.points if y is not None]
    top = max([*values, 1e-9]) * 1.08
    xs = [x for c in curves for x, _ in c.points]
    ends = [c for c in (area, region) if c is not None and c.last() is not None]
    label_pt = 12 + max((len(f"{_short(c.name)} {c.value}") for c in ends), default=0) * 4.35
    step = _tick_step(top)
    left = 8 + 4.3 * max(len(_tick(k * step)) for k in range(int(top / step) + 1))
    canvas = Canvas(width_pt=width_pt, height_pt=height_pt)
    first, last = min(xs, default=0.0), max(xs, default=1.0)
    units = (first, 0.0, last if last > first else first + 1, top)
    plot = canvas.plot(
        left, 15, max(40.0, width_pt - left - label_pt), height_pt - 15 - (15 if events else 5), units=units
    )
    for k in range(int(top / step) + 1):
        plot.line([first, units[2]], [k * step] * 2, colour=_C["rule"] if k else _C["ink-2"], width=0.6 if k else 0.8)
        canvas.text(plot, first, k * step, _tick(k * step), role="ax", anchor="end", dx=-4, dy=-2.6)
    for x, words in breaks:
        plot.line([x, x], [0, top], colour=_C["ctl"], width=0.8, dash="2 2", cap="butt")
        late = (x - first) > 0.55 * (last - first)
        canvas.text(plot, x, 0, words, role="ax on", anchor="end" if late else "start", dx=-3 if late else 3, dy=3)
    for x, number in events:
        plot.line([x, x], [0, top], colour=_C["ink-3"], width=0.5)
        canvas.text(plot, x, top, number, role="ev", dy=3)
    if faint is not None:
        _draw_curve(plot, faint, colour=_C["bar"], width=0.8, dots=False)
    few = len([1 for _, y in area.points if y is not None]) <= 12
    if region is not None:
        _draw_curve(plot, region, colour=_C["bar-hover"], width=1.3, dots=few)
    _draw_curve(plot, area, colour=_C["ink"], width=1.9, dots=few)
    _name_ends(canvas, plot, area, region, top=top, height=height_pt - 20)
    per_month = (width_pt - left - label_pt) / max(1.0, last - first)
    clear = float("inf")
    for x, words in reversed(ticks):
        if (clear - x) * per_month >= 36:
            canvas.text(plot, x, 0, words, role="ax", dy=-11)
            clear = x
    return canvas.svg(label, role="tr")


def _name_ends(canvas: Canvas, plot: Plot, area: Curve, region: Curve | None, *, top: float, height: float) -> None:
    found = [(c, end, role) for c, role in ((area, "en b"), (region, "en")) if c is not None and (end := c.last())]
    ys = [end[1] / top * height for _, end, _ in found]
    moves = [0.0] * len(found)
    if len(found) == 2 and abs(ys[0] - ys[1]) < 10:
        middle, direction = (ys[0] + ys[1]) / 2, 1 if ys[0] >= ys[1] else -1
        low = max(0.0, 5 - middle)
        moves = [middle + low + 5 * direction - ys[0], middle + low - 5 * direction - ys[1]]
    for (curve, end, role), move in zip(found, moves, strict=True):
        exact = all(y is None or y[0] == y[1] for _, y in curve.points)
        if exact:
            plot.dots([end[0]], [end[1]], size=4.4, fill=_C["ink"] if role == "en b" else _C["bar-hover"])
        words = f"{_short(curve.name)} {curve.value}".strip()
        canvas.text(plot, plot.right, end[1], words, role=role, anchor="start", dx=6, dy=move - 2.8)


def _tick(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 10 else whole(value)


@dataclass(frozen=True, slots=True)
class Dot:
    """An area on the axis, with the range of its value."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def strip(
    *,
    dots: Sequence[Dot],
    chosen: int | None,
    region: Dot | None,
    ends: bool,
    number: Sequence[str],
    width_pt: float,
    height_pt: float,
    label: str,
) -> str:
    """Draw one dot per area along a rate axis, the chosen one large with its range, the region as a line.

    Parameters
    ----------
    chosen
        Index of the area of the page; None on the region's own page.
    ends
        Whether the lowest and highest areas are named.
    number
        Each dot's value in words; the region's last.
    """
    top = max([d.value for d in dots] + [d.high or 0.0 for k, d in enumerate(dots) if k == chosen] + [1e-9]) * 1.04
    canvas = Canvas(width_pt=width_pt, height_pt=height_pt)
    plot = canvas.plot(6, 0, width_pt - 12, height_pt, units=(0.0, 0.0, top, height_pt))
    line = height_pt - 30
    plot.line([0, top], [line, line], colour=_C["rule"], width=0.8)
    step = _tick_step(top)
    for k in range(int(top / step) + 1):
        plot.line([k * step] * 2, [line - 16, line - 12], colour=_C["rule"], width=0.6)
        canvas.text(plot, k * step, line - 25, _tick(k * step), role="ax")
    scale = (width_pt - 12) / top
    lifts = _swarm([d.value * scale for d in dots], reach=5.4)
    others = [k for k in range(len(dots)) if k != chosen]
    places = [dots[k].value for k in others], [line + lifts[k] for k in others]
    plot.dots(*places, size=6, fill=_C["bar"], rim=_C["paper"], width=0.6)
    if region is not None:
        plot.line([region.value] * 2, [line - 12, line + 12], colour=_C["ink"], width=1.1)
        side = _side(region.value * scale, width_pt)
        canvas.text(plot, region.value, line - 37, f"{_short(region.name)} {number[-1]}", role="en", anchor=side)
    if ends and len(dots) > 2:
        order = sorted(range(len(dots)), key=lambda k: (dots[k].value, dots[k].name))
        low, high = (_short(dots[k].name, 24) for k in (order[0], order[-1]))
        if len(low) + len(high) > 34:  # two long names would meet in the middle
            low, high = _short(low, 17), _short(high, 17)
        if order[0] != chosen:
            lowest = say("chart.strip.lowest", name=low, value=number[order[0]])
            canvas.text(plot, 0, 4, lowest, role="ax", anchor="start", dx=-6)
        if order[-1] != chosen:
            highest = say("chart.strip.highest", name=high, value=number[order[-1]])
            canvas.text(plot, top, 4, highest, role="ax", anchor="end", dx=6)
    if chosen is not None:
        mine = dots[chosen]
        if mine.low is not None and mine.high is not None:
            plot.line([mine.low, mine.high], [line, line], colour=_C["ink"], width=1.8, cap="butt")
        plot.dots([mine.value], [line], size=9.5, fill=_C["ink"], rim=_C["paper"], width=1.2)
        side = _side(mine.value * scale, width_pt)
        canvas.text(plot, mine.value, line + 16, f"{_short(mine.name, 28)} {number[chosen]}", role="en b", anchor=side)
    return canvas.svg(label, role="tr")


def _side(x: float, width: float) -> str:
    return "start" if x < 0.22 * width else "end" if x > 0.72 * width else "middle"


def _swarm(xs: Sequence[float], *, reach: float) -> list[float]:
    """Lift dots off the line, up and down in turn, so that none hides another."""
    lifts = [0.0] * len(xs)
    placed: list[tuple[float, float]] = []
    for k in sorted(range(len(xs)), key=lambda k: (xs[k], k)):
        for lift in (0.0, 3.2, -3.2, 6.4, -6.4, 9.6, -9.6):
            if all(math.hypot(xs[k] - x, lift - y) >= reach for x, y in placed):
                lifts[k] = lift
                break
        placed.append((xs[k], lifts[k]))
    return lifts


# Marks inside rows of tables: a bar, and a rate with its range on a logarithmic axis.


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
