"""Drawings as SVG that a strict page policy accepts: no style attribute, no script, the same bytes each time.

Shapes are written where they are drawn, to a tenth of a point (0.04 mm), and paths step from point to point, which
takes half the letters. Words stand over the shapes as escaped text, so hostile names have no part in the markup.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.publish.page import attribute

__all__ = ["Canvas", "Plot", "escape"]

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


def escape(text: object) -> str:
    """Escape for text and double-quoted attributes; template openers are broken up.

    >>> escape('<b> "x" & {{ y }}')
    '&lt;b&gt; &quot;x&quot; &amp; &#123;{ y }}'
    """
    return attribute(text).replace("&#x27;", "'")


@cache
def _tenths(value: int) -> str:
    """Write a number of tenths as short as SVG allows: 5 is ".5", -20 is "-2"."""
    whole, rest = divmod(abs(value), 10)
    digits = (str(whole) if whole or not rest else "") + (f".{rest}" if rest else "")
    return f"-{digits}" if value < 0 else digits


@cache
def _further(value: int) -> str:
    """Write a number of tenths after another one: a minus sign parts the two, else a space does."""
    return _tenths(value) if value < 0 else f" {_tenths(value)}"


def short(value: float) -> str:
    """Write a length or a place to a tenth of a point.

    >>> short(0.04), short(-0.51), short(12.0)
    ('0', '-.5', '12')
    """
    return _tenths(round(value * 10))


def path_data(points: npt.NDArray[np.float64], *, closed: bool) -> str:
    """Write points as a path of steps; those that fall on the point before are left out.

    Parameters
    ----------
    points
        Places on the drawing, y downwards, shape (n, 2). A ring repeats its first point at its end.

    Examples
    --------
    >>> path_data(np.array([[0.0, 0.0], [10.0, 0.02], [10.0, 5.5], [0.0, 0.0]]), closed=True)
    'M0 0l10 0 0 5.5z'
    """
    # Rounded before the steps are taken: rounding errors do not add up, and neighbours share their border exactly.
    at = np.rint(points * 10).astype(np.int64)
    if closed:
        at = at[:-1]
    steps = np.diff(at, axis=0)
    steps = steps[steps.any(axis=1)]
    joined = "".join(map(_further, steps.ravel().tolist())).removeprefix(" ")
    x, y = at[0].tolist()
    # A line that is shorter than a tenth still shows its round ends.
    return f"M{_tenths(x)} {_tenths(y)}l{joined or '0 0'}{'z' if closed else ''}"


class Plot:
    """A plotting area: a box of the drawing in points, and its own units from one corner to the other.

    Parameters
    ----------
    canvas
        What is drawn on.
    box, units
        Left, bottom, right, top: in points of the drawing, and in the plot's units. What reaches over the box is drawn.
    """

    def __init__(self, canvas: "Canvas", box: Box, units: Box) -> None:
        self._canvas = canvas
        self.right = units[2]
        scale = np.array([(box[2] - box[0]) / (units[2] - units[0]), (box[3] - box[1]) / (units[3] - units[1])])
        # SVG counts downwards from the top, a plot upwards from the bottom.
        self._scale = scale * (1, -1)
        self._origin = np.array([box[0], canvas.height_pt - box[1]]) - np.array(units[:2]) * self._scale

    def on_drawing(self, places: Any) -> npt.NDArray[np.float64]:
        """Return where places lie on the drawing, in points from its upper left corner, shape (n, 2)."""
        return np.asarray(places, dtype=np.float64) * self._scale + self._origin

    def surface(self, rings: Iterable[Any], role: str, *, fill: str, stroke: str = "", **style: float) -> None:
        """Fill closed rings, holes among them, each of shape (n, 2); `role` becomes the class.

        `style` takes `width` of the stroke in points and `opacity` of the fill.
        """
        data = "".join(path_data(self.on_drawing(ring), closed=True) for ring in rings)
        if data:
            self._canvas.add("path", f' class="{escape(role)}" d="{data}"{_style(fill, stroke, **style)}')

    def lines(self, parts: Iterable[Any], role: str, *, colour: str, width: float) -> None:
        """Draw lines, each of shape (n, 2), as one path; `role` becomes the class."""
        data = "".join(path_data(self.on_drawing(part), closed=False) for part in parts)
        if data:
            self._canvas.add("path", f' class="{escape(role)}" d="{data}"{_style("", colour, width=width)}')

    def circle(self, x: float, y: float, radius_pt: float, role: str, *, fill: str, stroke: str, width: float) -> None:
        """Fill a circle whose radius is given in points."""
        (across, down), r = self.on_drawing((x, y)), short(radius_pt)
        place = f' class="{escape(role)}" cx="{short(across)}" cy="{short(down)}" r="{r}"'
        self._canvas.add("circle", place + _style(fill, stroke, width=width))

    def dots(
        self, xs: Sequence[float], ys: Sequence[float], *, size: float, fill: str, rim: str = "", width: float = 0.0
    ) -> None:
        """Mark places by dots of `size` points across."""
        places = self.on_drawing(np.column_stack([xs, ys])).tolist() if len(xs) else []
        inner = "".join(f'<circle cx="{short(x)}" cy="{short(y)}" r="{short(size / 2)}"/>' for x, y in places)
        if inner:
            self._canvas.add("g", _style(fill, rim, width=width), inner)

    def line(
        self,
        xs: Sequence[float],
        ys: Sequence[float],
        *,
        colour: str,
        width: float,
        dash: str = "",
        cap: str = "",
    ) -> None:
        """Join places by a line of `width` points; `dash` and `cap` are those of SVG."""
        data = path_data(self.on_drawing(np.column_stack([xs, ys])), closed=False)
        look = (f' stroke-dasharray="{dash}"' if dash else "") + (f' stroke-linecap="{cap}"' if cap else "")
        self._canvas.add("path", f' d="{data}"{_style("", colour, width=width)}{look}')


def _style(fill: str, stroke: str, *, width: float = 0.0, opacity: float = 1.0) -> str:
    """Write presentation attributes; a drawing fills nothing and strokes nothing unless asked to."""
    out = f' fill="{fill}"' if fill else ""
    out += f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
    return out + (f' stroke="{stroke}" stroke-width="{width:g}"' if stroke else "")


class Canvas:
    """A drawing of a fixed size in points, y upwards, with one or more plotting areas."""

    def __init__(self, *, width_pt: float, height_pt: float) -> None:
        self.width_pt = width_pt
        self.height_pt = height_pt
        self._shapes: list[str] = []
        self._texts: list[str] = []

    def plot(self, left: float, bottom: float, width: float, height: float, *, units: Box) -> Plot:
        """Add a plotting area: its box in points, and left, bottom, right, top in its own units."""
        return Plot(self, (left, bottom, left + width, bottom + height), units)

    def add(self, tag: str, attributes: str, inner: str = "") -> None:
        """Add an element whose attributes and content are markup already."""
        self._shapes.append(f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>")

    def text(
        self,
        plot: Plot,
        x: float,
        y: float,
        words: str,
        *,
        role: str,
        anchor: str = "middle",
        dx: float = 0.0,
        dy: float = 0.0,
    ) -> None:
        """Write words at a place in the units of `plot`, moved by points; `role` becomes the class.

        `anchor` is `start`, `middle` or `end`; y is the baseline.
        """
        across, down = plot.on_drawing((x, y))
        side = f' text-anchor="{anchor}"' if anchor != "start" else ""
        place = f'x="{short(across + dx)}" y="{short(down - dy)}"'
        self._texts.append(f'<text class="{escape(role)}" {place}{side}>{escape(words)}</text>')

    def svg(self, label: str, *, role: str = "chart", attributes: str = "") -> str:
        """Return the drawing as one element with an accessible name; hidden from screen readers without one.

        Parameters
        ----------
        attributes
            More attributes of the element, as markup.
        """
        named = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
        box = f"0 0 {short(self.width_pt)} {short(self.height_pt)}"
        return (
            f'<svg class="{escape(role)}" viewBox="{box}" {named} fill="none" stroke-linejoin="round" '
            f'stroke-linecap="round"{attributes}>{"".join(self._shapes)}{"".join(self._texts)}</svg>'
        )
