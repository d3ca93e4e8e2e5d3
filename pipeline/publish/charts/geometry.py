"""Polygons as matplotlib paths, and room for words: where a label fits without touching another."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

__all__ = ["Labels", "folded", "patch_path"]

_WIDE = 0.54
"""Mean width of a letter, in ems of the page's sans-serif."""


def patch_path(shape: Any) -> Any:
    """Return the rings of a polygon or multipolygon as one closed matplotlib path; None if it has no surface."""
    from matplotlib.path import Path

    vertices, codes = [], []
    for part in shapely.get_parts(shape):
        if part.geom_type != "Polygon" or part.is_empty:
            continue
        for ring in (part.exterior, *part.interiors):
            points = shapely.get_coordinates(ring)
            vertices.append(points)
            codes += [Path.MOVETO, *[Path.LINETO] * (len(points) - 2), Path.CLOSEPOLY]
    return Path(np.concatenate(vertices), codes) if vertices else None


def folded(words: str, *, longest: int = 11, most: int = 3) -> tuple[str, ...]:
    """Break a name into short lines at its spaces; what does not fit ends in an ellipsis.

    >>> folded("Knightsbridge & Belgravia"), folded("St James's")
    (('Knightsbridge', '& Belgravia'), ("St James's",))
    """
    lines: list[str] = []
    for word in words.split():
        if lines and len(lines[-1]) + 1 + len(word) <= longest:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1] + "…"]
    return tuple(line if len(line) <= 2 * longest else line[: 2 * longest - 1] + "…" for line in lines)


@dataclass(slots=True)
class Labels:
    """Boxes taken so far, in points from the lower left corner."""

    width_pt: float
    height_pt: float
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def block(self, x: float, y: float, half_width: float, half_height: float) -> None:
        """Keep words away from a place."""
        self.taken.append((x - half_width, y - half_height, x + half_width, y + half_height))

    def place(self, x: float, y: float, lines: Sequence[str], *, size_pt: float) -> tuple[float, float] | None:
        """Find room for centred lines near a place, and take it.

        Returns
        -------
        centre
            Where the middle of the words goes; None if they fit nowhere near.
        """
        half_w = max(len(line) for line in lines) * size_pt * _WIDE / 2
        half_h = len(lines) * size_pt * 0.56
        for steps_x, steps_y in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1.4, 1), (-1.4, -1), (0, 1.8), (0, -1.8)):
            cx, cy = x + steps_x * size_pt, y + steps_y * size_pt
            box = (cx - half_w, cy - half_h, cx + half_w, cy + half_h)
            inside = box[0] > 2 and box[1] > 2 and box[2] < self.width_pt - 2 and box[3] < self.height_pt - 2
            if inside and not any(
                box[0] < b[2] and box[2] > b[0] and box[1] < b[3] and box[3] > b[1] for b in self.taken
            ):
                self.taken.append(box)
                return cx, cy
        return None
