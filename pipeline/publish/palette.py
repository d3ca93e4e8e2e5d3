"""Colours, and the limits of classes: one source for the map, the briefings, the picture and the styles for GIS.

A theme is a flat table of named colours ("tokens"). Pages turn it into style-sheet variables, so a colour is written
down once. The ramps were measured under normal, protan, deutan and tritan vision; the tests measure them again.
"""

import bisect
import math
from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.tables import Level

__all__ = [
    "DARK",
    "LIGHT",
    "PERCENTILES",
    "RAMPS",
    "class_limits",
    "class_of",
    "nice_number",
    "ramp",
    "terrain_index",
    "window_kind",
]


PERCENTILES: dict[str, tuple[float, ...]] = {
    Level.WARD: (22, 47, 76, 93),
    Level.WARD_GROUP: (22, 47, 76, 93),
    Level.BOROUGH: (20, 45, 72, 90),
    Level.THIRD: (20, 45, 72, 90),
    Level.FOURTH: (20, 45, 72, 90),
}
"""Where the limits between five classes lie before rounding, in per cent. The top class is meant to be rare."""

RAMPS = {"sequential": 5, "change": 3, "significance": 7, "terrain": 6}
"""Ramps and how many colours each has."""

_PREFIX = {"sequential": "s", "significance": "g", "terrain": "t"}
_CHANGE = ("c-lo", "c-no", "c-hi")
"""Clearly lower, no clear change, clearly higher: only what passed a test has a colour."""

LIGHT: dict[str, str] = {
    "ground": "#E4E8E9",
    "water": "#C3D6E2",
    "land": "#FCFCFA",
    "paper": "#FFFFFF",
    "paper-2": "#F3F5F5",
    "ink": "#10181F",
    "ink-2": "#44505A",
    "ink-3": "#5C6873",
    "rule": "#D5DBDF",
    "ctl": "#78848E",
    "link": "#0B4F8F",
    "hot": "#9B1148",
    "hot-on": "#FFFFFF",
    "halo": "#FFFFFF",
    "bar": "#A9B4BC",
    "bar-hover": "#7C8993",
    "focus": "#FFDD00",
    "dot": "#1C5F97",
    "inverse": "#FFFFFF",
    "inverse-halo": "#0C1454",
    "wardline": "#FFFFFF",
    "boroline": "#1B2731",
    "edge": "#1B2731",
    "pattern": "#98A3AB",
    "s0": "#F4F4EF",
    "s0-dot": "#A9B3BA",
    "s1": "#E6EFBC",
    "s2": "#93CDA3",
    "s3": "#2F9FB5",
    "s4": "#1C5F97",
    "s5": "#0C1454",
    "c-lo": "#0B5F73",
    "c-no": "#ECEBE6",
    "c-hi": "#9A4A06",
    "g1": "#084B5C",
    "g2": "#3C8C9A",
    "g3": "#9FCCD0",
    "g4": "#EFEEE9",
    "g5": "#EDC48F",
    "g6": "#CC7B2C",
    "g7": "#7E3600",
    "t1": "#F1E8CC",
    "t2": "#E5D2A0",
    "t3": "#D3B173",
    "t4": "#B5854F",
    "t5": "#8A5836",
    "t6": "#5A3226",
    "q1": "#EEF1F3",
    "q2": "#CBD5DC",
    "q3": "#94A5B1",
    "q4": "#566A79",
    "q5": "#23323E",
    "ctx-case": "#A3ABB1",
    "ctx-core": "#6F7B85",
    "ctx-rail": "#8A95A0",
    "ctx-rail-gap": "#77828C",
    "ctx-dot": "#3A4650",
    "ctx-green": "#DCE9CF",
    "ctx-green-ink": "#3B6430",
    "ctx-water-ink": "#2C5C7C",
    "ctx-road-ink": "#4A555F",
}
"""The light theme; print is always light."""

DARK: dict[str, str] = {
    "ground": "#0B1015",
    "water": "#132B3D",
    "land": "#1B232B",
    "paper": "#131A21",
    "paper-2": "#1C252E",
    "ink": "#F0F3F5",
    "ink-2": "#BCC6CE",
    "ink-3": "#98A5B0",
    "rule": "#2B3640",
    "ctl": "#7D8B97",
    "link": "#8EC5FF",
    "hot": "#FF9DBB",
    "hot-on": "#2A0514",
    "halo": "#0B1015",
    "bar": "#4A5864",
    "bar-hover": "#7D8B97",
    "focus": "#FFDD00",
    "dot": "#92CE9E",
    "inverse": "#10181F",
    "inverse-halo": "#F4F4BC",
    "wardline": "#0F151B",
    "boroline": "#E9EEF2",
    "edge": "#8796A3",
    "pattern": "#63717D",
    "s0": "#222B33",
    "s0-dot": "#4F5C67",
    "s1": "#26386B",
    "s2": "#2A6796",
    "s3": "#379CA8",
    "s4": "#92CE9E",
    "s5": "#F4F4BC",
    "c-lo": "#6AD2E0",
    "c-no": "#2C353D",
    "c-hi": "#F7BE72",
    "g1": "#9BEAF5",
    "g2": "#4BA3B1",
    "g3": "#265F6B",
    "g4": "#333B43",
    "g5": "#7E5624",
    "g6": "#C58B42",
    "g7": "#FFD79B",
    "t1": "#2E2A25",
    "t2": "#4A3B2B",
    "t3": "#735331",
    "t4": "#A4763D",
    "t5": "#D3A659",
    "t6": "#FBE3A0",
    "q1": "#1C252E",
    "q2": "#33424F",
    "q3": "#56697A",
    "q4": "#8FA3B3",
    "q5": "#DCE5EC",
    "ctx-case": "#7C858D",
    "ctx-core": "#4A5660",
    "ctx-rail": "#8A939B",
    "ctx-rail-gap": "#525E68",
    "ctx-dot": "#C9D2D9",
    "ctx-green": "#22352A",
    "ctx-green-ink": "#A6CF9C",
    "ctx-water-ink": "#8FBBDA",
    "ctx-road-ink": "#B6C0C8",
}
"""The dark theme: more of something still means more contrast with the ground, so the ramps turn over."""

_STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_LADDER = tuple(step * 10.0**power for power in range(-6, 9) for step in _STEPS)


def ramp(name: str, *, theme: dict[str, str] | None = None) -> tuple[str, ...]:
    """List the colours of a ramp, lowest class first.

    Parameters
    ----------
    name
        A key of `RAMPS`.
    theme
        `LIGHT` (the default) or `DARK`.

    Returns
    -------
    colours
        As "#RRGGBB".
    """
    tokens = LIGHT if theme is None else theme
    if name == "change":
        return tuple(tokens[token] for token in _CHANGE)
    return tuple(tokens[f"{_PREFIX[name]}{i + 1}"] for i in range(RAMPS[name]))


def nice_number(value: float) -> float:
    """Round to the nearest of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten, by ratio.

    >>> nice_number(47.0), nice_number(0.017), nice_number(1200.0)
    (50.0, 0.015, 1000.0)
    """
    i = bisect.bisect_left(_LADDER, value)
    near = _LADDER[max(0, i - 1) : i + 1]
    target = math.log(max(value, _LADDER[0]))
    nearest: float = min(near, key=lambda rung: abs(math.log(rung) - target))
    return round(nearest, 9)


def class_limits(
    values: Iterable[float], *, percentiles: Sequence[float] = (22, 47, 76, 93), step: int = 1
) -> tuple[float, ...]:
    """Choose the four limits between five classes: percentiles rounded to numbers that people can hold in mind.

    Counts in steps have limits between steps, so that no step lies in two classes.

    Parameters
    ----------
    values
        Released values of one measure, category and level, pooled over all periods; of ranges the middle. Zeros are
        left out: a true zero is in the lowest class whatever the limits.
    percentiles
        Where the limits would lie before rounding, in per cent. The top class is meant to be rare.
    step
        Width of the steps that the values, counts, are given in; 1 where they are given as they are.

    Returns
    -------
    limits
        Four rising numbers, all different; class k holds values from limit k up to, not including, limit k + 1.
        Without values, 1, 2, 5 and 10, times the step.

    Examples
    --------
    >>> class_limits([4.5, 4.5, 15, 25, 25, 45, 75, 135, 305], step=10)
    (20.0, 30.0, 80.0, 200.0)
    """
    pool = np.asarray([v for v in values if v > 0], dtype=float)
    if pool.size == 0:
        return (1.0 * step, 2.0 * step, 5.0 * step, 10.0 * step)
    if step > 1:
        between: list[float] = [0.0]
        for raw in np.percentile(pool, percentiles):
            steps = math.floor(nice_number(float(raw)) / step + 0.5)
            between.append(max(float(steps * step), between[-1] + step))
        return tuple(between[1:])
    limits: list[float] = []
    for raw in np.percentile(pool, percentiles):
        nice = nice_number(float(raw))
        if limits and nice <= limits[-1]:
            nice = round(_LADDER[bisect.bisect_right(_LADDER, limits[-1] * (1 + 1e-9))], 9)
        limits.append(nice)
    return tuple(limits)


_LONGEST = {"d": 1, "w": 7, "f": 28, "m": 31, "q": 92}
"""Days of the longest window of each kind, from the shortest kind: day, week, 28 days, month, quarter."""


def window_kind(days: int, *, whole_months: bool = True) -> str:
    """Sort a window by length. Kinds never share a scale.

    `d` is a day, `w` up to a week, `f` up to 28 days that are not a month, `m` up to a month, `q` up to a quarter and
    `y` longer.

    >>> window_kind(31), window_kind(92), window_kind(365), window_kind(28), window_kind(7)
    ('m', 'q', 'y', 'm', 'w')
    >>> window_kind(28, whole_months=False)
    'f'
    """
    return next((k for k, most in _LONGEST.items() if days <= most and not (k == "f" and whole_months)), "y")


def class_of(value: float, limits: Sequence[float]) -> int:
    """Return the class of a value, from 0: how many limits it reaches.

    >>> class_of(10.0, (5.0, 10.0, 20.0, 40.0))
    2
    """
    return bisect.bisect_right(list(limits), value)


def terrain_index(band: int, bands: int) -> int:
    """Return which of the six terrain colours (from 0) draws band `band` (from 0) of `bands`.

    >>> [terrain_index(k, 6) for k in range(6)], [terrain_index(k, 2) for k in range(2)]
    ([0, 1, 2, 3, 4, 5], [0, 5])
    """
    last = RAMPS["terrain"] - 1
    return last // 2 if bands < 2 else round(band * last / (bands - 1))
