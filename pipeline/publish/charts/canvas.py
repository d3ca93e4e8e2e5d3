"""Matplotlib figures as inline SVG that a strict page policy accepts: no style attribute, no script, equal bytes.

Matplotlib draws the shapes; its transforms say where words go, but it never sees the words: they are written over the
shapes as escaped text, so that installed fonts, mathematics between dollar signs and hostile names have no part in it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

__all__ = ["Canvas", "Plot", "escape"]

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_KEPT = ("fill", "stroke", "opacity", "clip")
_DROPPED = {"stroke-miterlimit", "fill-rule", "stroke-dashoffset"}
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.image_inline": True,
    "path.simplify": False,
    "path.snap": False,
    "axes.unicode_minus": True,
    "text.usetex": False,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
}


def escape(text: object) -> str:
    """Escape for text and double-quoted attributes; template openers are broken up."""
    plain = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return re.sub(r"\{(?=[{%#])", "&#123;", plain)


class _Sink:
    """Collects what the SVG writer writes."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("text only")
        self.parts.append(text)
        return len(text)

    def seek(self, *_: int) -> int:
        """Exist: matplotlib takes what can seek for a file."""
        return 0

    def flush(self) -> None:
        """Nothing to do."""


class Plot:
    """A plotting area: a box of the drawing in points, and its own units from one corner to the other.

    Parameters
    ----------
    figure
        What is drawn on.
    box, units
        Left, bottom, right, top: in points of the drawing, and in the plot's units. What reaches over the box is drawn.
    """

    def __init__(
        self, figure: Any, box: tuple[float, float, float, float], units: tuple[float, float, float, float]
    ) -> None:
        from matplotlib.transforms import Affine2D, Bbox, BboxTransform

        self._figure = figure
        self.right = units[2]
        # Worked out once: a chain of transforms is walked again for every shape.
        self._transform = Affine2D(BboxTransform(Bbox.from_extents(*units), Bbox.from_extents(*box)).get_matrix())

    def points(self, x: float, y: float) -> tuple[float, float]:
        """Return where a place lies on the drawing, in points."""
        across, up = self._transform.transform((x, y))
        return float(across), float(up)

    def surface(self, path: Any, role: str, **style: Any) -> None:
        """Fill a path; `role` becomes its class."""
        from matplotlib.patches import PathPatch

        self._figure.add_artist(PathPatch(path, gid=f"k-{role}", transform=self._transform, **style))

    def circle(self, x: float, y: float, radius: float, role: str, **style: Any) -> None:
        """Fill a circle; its radius in the plot's units."""
        from matplotlib.patches import Circle

        self._figure.add_artist(Circle((x, y), radius, gid=f"k-{role}", transform=self._transform, **style))

    def line(self, xs: Sequence[float], ys: Sequence[float], **style: Any) -> None:
        """Join places by a line, or mark them; `style` goes to `matplotlib.lines.Line2D`."""
        from matplotlib.lines import Line2D

        self._figure.add_artist(Line2D(xs, ys, transform=self._transform, **style))


@dataclass(frozen=True, slots=True)
class _Text:
    plot: Plot
    x: float
    y: float
    dx: float
    dy: float
    role: str
    anchor: str
    words: str


class Canvas:
    """A drawing of a fixed size in points, y upwards, with one or more plotting areas."""

    def __init__(self, name: str, *, width_pt: float, height_pt: float) -> None:
        from matplotlib.figure import Figure

        self.name = name
        self.width_pt = width_pt
        self.height_pt = height_pt
        self.figure = Figure(figsize=(width_pt / 72, height_pt / 72), dpi=72, frameon=False)
        self._texts: list[_Text] = []

    def plot(
        self, left: float, bottom: float, width: float, height: float, *, units: tuple[float, float, float, float]
    ) -> Plot:
        """Add a plotting area: its box in points, and left, bottom, right, top in its own units."""
        return Plot(self.figure, (left, bottom, left + width, bottom + height), units)

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
        self._texts.append(_Text(plot, x, y, dx, dy, role, anchor, words))

    def svg(self, label: str, *, role: str = "chart") -> str:
        """Return the drawing as one element with an accessible name; hidden from screen readers without one."""
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        sink = _Sink()
        with mpl.rc_context():
            mpl.rcParams.update(_changed(mpl.rcParams, mpl.rcParamsDefault) | {"svg.hashsalt": self.name})
            blank = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            FigureCanvasSVG(self.figure).print_svg(sink, metadata=blank)
        root = ET.fromstring("".join(sink.parts))  # noqa: S314 - written by matplotlib a line above
        named = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
        box = f"0 0 {_number(self.width_pt)} {_number(self.height_pt)}"
        inner = "".join(_write(child) for child in root) + "".join(self._label(text) for text in self._texts)
        return f'<svg class="{escape(role)}" viewBox="{box}" {named}>{inner}</svg>'

    def _label(self, text: _Text) -> str:
        across, up = text.plot.points(text.x, text.y)
        side = f' text-anchor="{text.anchor}"' if text.anchor != "start" else ""
        place = f'x="{_number(across + text.dx)}" y="{_number(self.height_pt - up - text.dy)}"'
        return f'<text class="{escape(text.role)}" {place}{side}>{escape(text.words)}</text>'


def _changed(now: Any, plain: Any) -> dict[str, Any]:
    """Return the settings that differ from what a drawing needs: setting all of them takes longer than drawing."""
    held = dict(dict.items(now))  # the items themselves: asking for the backend would load one
    wanted = {k: v for k, v in dict.items(plain) if not k.startswith("backend")} | _SETTINGS
    return {k: v for k, v in wanted.items() if held.get(k) != v}


def _write(node: ET.Element, role: str = "") -> str:
    """Write an element again: presentation attributes, classes from `k-` ids, short numbers."""
    tag = node.tag.removeprefix(_SVG)
    if tag in {"metadata", "style"}:
        return ""
    if tag == "g" and node.get("id", "").startswith("k-"):
        role = node.get("id", "")[2:]
    inner = "".join(_write(child, role) for child in node)
    attributes = _attributes(node, tag, role)
    if tag == "g" and not attributes:
        return inner
    if tag in {"g", "defs"} and not inner:
        return ""
    return f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>"


def _attributes(node: ET.Element, tag: str, role: str) -> str:
    pairs: dict[str, str] = {}
    if role and tag in {"path", "use"}:
        pairs["class"] = role
    for name, value in node.attrib.items():
        plain = "href" if name == _HREF else name
        if plain == "style":
            pairs.update(_presentation(value))
        elif plain == "id" and tag != "g":
            pairs["id"] = value
        elif plain == "d":
            pairs["d"] = _path(value)
        elif plain in {"x", "y", "width", "height", "transform"}:
            pairs[plain] = _numbers(value)
        elif plain in {"clip-path", "href"}:
            pairs[plain] = value
    return "".join(f' {name}="{escape(value)}"' for name, value in pairs.items())


def _number(value: float) -> str:
    return f"{round(value, 2) + 0:g}"


def _numbers(text: str) -> str:
    return re.sub(r"-?\d+\.\d+(?:e-?\d+)?", lambda m: _number(float(m[0])), text)


def _path(data: str) -> str:
    """Shorten path data to a hundredth of a point."""
    return re.sub(r" ?([A-Za-z]) ?", r"\1", re.sub(r"\s+", " ", _numbers(data)).strip())


def _presentation(style: str) -> dict[str, str]:
    """Turn style declarations into the attributes of the same name."""
    found = {}
    for part in style.split(";"):
        name, _, value = part.partition(":")
        name, value = name.strip(), value.strip()
        if name.startswith(_KEPT) and name not in _DROPPED:
            found[name] = _numbers(value)
    return found
