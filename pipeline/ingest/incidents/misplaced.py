"""What is probably wrong with coordinates that do not lie in the areas: found by trying what people get wrong.

Nothing is corrected: digits cut off, another unit or system, or exchanged columns are named, with what to do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geography import projection as crs

__all__ = ["Guess", "likely_cause"]

Points = NDArray[np.float64]
Bounds = tuple[float, float, float, float]

_EXPLAINED = 0.9  # of the points lie in the areas under the guess
_MARGIN_M = 1000.0
_SQUARE_M = 100_000.0
_SCALES = {
    10.0: "tens of metres",
    100.0: "hundreds of metres",
    1000.0: "kilometres",
    0.1: "tenths of a metre",
    0.01: "centimetres",
    0.001: "millimetres",
    0.3048: "feet",
}
_DEGREE_SCALES = {1e-5: "hundred-thousandths", 1e-6: "millionths", 1e-7: "ten-millionths"}
_SYSTEMS = ("EPSG:27700", "EPSG:29902", "EPSG:2157", "EPSG:3857", "EPSG:32629", "EPSG:32630", "EPSG:32631")
_BEYOND = 1e12
_WHOLE_CIRCLE, _QUARTER = 180.0, 90.0


@dataclass(frozen=True, slots=True)
class Guess:
    """A likely cause in words, and whether it is that the two columns are exchanged (which rows are refused for)."""

    text: str
    exchanged: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    points: Points
    system: str
    working: str
    bounds: Bounds
    names: tuple[str, str]
    key: str

    @property
    def both(self) -> str:
        return " and ".join(f"'{n}'" for n in dict.fromkeys(self.names)) if self.names[0] else "the geometry"

    def lies(self, points: Points, system: str | None = None) -> bool:
        """Whether nearly all of some points lie in the areas."""
        sound = np.isfinite(points).all(axis=1)
        if sound.mean() < _EXPLAINED:
            return False
        metres = crs.project(points[sound], source=system or self.system, working=self.working)
        west, south, east, north = self.bounds
        x, y = metres[:, 0], metres[:, 1]
        inside = (x >= west - _MARGIN_M) & (x <= east + _MARGIN_M) & (y >= south - _MARGIN_M) & (y <= north + _MARGIN_M)
        return bool(inside.sum() >= _EXPLAINED * len(points))


def likely_cause(
    points: Points, *, system: str, working: str, bounds: Bounds, names: tuple[str, str], key: str
) -> Guess | None:
    """Say what is probably wrong with points outside the areas.

    Parameters
    ----------
    points
        A sample of them, as the file gives them.
    system, working
        The system that they are said to be in, and the working one.
    bounds
        West, south, east and north of the areas, in the working system.
    names
        Columns of the coordinates; empty for a geometry.
    key
        Where the source stands in the configuration: `incidents[0]`.

    Returns
    -------
    guess
        None where no single mistake explains nearly all points.
    """
    # Numbers of no size that a place on earth has are slips, and overflow when they are multiplied.
    points = points[np.abs(points).max(axis=1) < _BEYOND]
    if not len(points) or not np.isfinite(bounds).all():
        return None
    case = _Case(points, system, working, bounds, names, key)
    geographic = crs.source_crs(system, what=key).is_geographic
    guesses = _in_degrees(case) if geographic else _in_metres(case)
    return next(guesses, None)


def _in_metres(case: _Case) -> Iterator[Guess]:
    points, both, key = case.points, case.both, case.key
    if case.lies(points[:, ::-1]):
        yield Guess(f"{both} are exchanged: exchange the two in {key}.columns", exchanged=True)
    if crs.same_crs(case.system, case.working) and (cut := _cut_off(case)):
        yield Guess(cut)
    for factor, unit in _SCALES.items():
        if case.lies(points * factor):
            yield Guess(f"{both} are in {unit}, not in metres: multiply both by {factor:g}, or export them in metres")
    x, y = np.abs(points).max(axis=0)
    if x <= _WHOLE_CIRCLE and y <= _WHOLE_CIRCLE:
        for turned, order in ((points, "longitude and latitude"), (points[:, ::-1], "latitude and longitude")):
            if case.lies(turned, crs.LONLAT):
                yield Guess(
                    f"{both} hold {order} in degrees: name them in {key}.columns.lon and {key}.columns.lat, "
                    f"and leave x, y and {key}.crs out"
                )
    yield from _other_systems(case)


def _in_degrees(case: _Case) -> Iterator[Guess]:
    points, both, key = case.points, case.both, case.key
    if case.lies(points[:, ::-1]):
        yield Guess(f"longitude and latitude are exchanged: exchange {both} in {key}.columns", exchanged=True)
    for signs, what in (((-1, 1), "longitudes west of Greenwich"), ((1, -1), "latitudes south of the equator")):
        if case.lies(points * np.array(signs)):
            yield Guess(f"{both} lack the right sign: {what} are negative, others positive")
    for factor, unit in _DEGREE_SCALES.items():
        if case.lies(points * factor):
            yield Guess(f"{both} are in {unit} of a degree: multiply both by {factor:.10f}".rstrip("0"))
    yield from _other_systems(case)


def _other_systems(case: _Case) -> Iterator[Guess]:
    for system in dict.fromkeys((case.working, *_SYSTEMS)):
        if crs.same_crs(system, case.system):
            continue
        for turned, order in ((case.points, ""), (case.points[:, ::-1], ", with the two exchanged")):
            if case.lies(turned, system):
                yield Guess(
                    f"{case.both} are metres in {system}{order}: name them in {case.key}.columns.x and "
                    f"{case.key}.columns.y and set {case.key}.crs to {system}"
                )


def _cut_off(case: _Case) -> str:
    """Say which coordinates lack the digit of 100 km, which letters of the National Grid stand for; empty if none."""
    low, high = np.array(case.bounds[:2]), np.array(case.bounds[2:])
    for axes in ((0, 1), (0,), (1,)):
        offsets = {axis: _offset(case.points[:, axis], low[axis], high[axis]) for axis in axes}
        shifted = case.points.copy()
        for axis, offset in offsets.items():
            shifted[:, axis] += np.nan if offset is None else offset
        if case.lies(shifted):
            names = [f"'{case.names[a]}'" if case.names[a] else ("the first coordinate", "the second")[a] for a in axes]
            first = axes[0]
            add = " and ".join(f"{_words(offsets[a])} to {name}" for a, name in zip(axes, names, strict=True))
            return (
                f"{' and '.join(names)} lack the digit of 100 km, for which the letters of a grid reference stand "
                f"({case.points[0, first]:.0f}, where the areas lie at {low[first]:.0f} to {high[first]:.0f}): "
                f"add {add}, or export full coordinates"
            )
    return ""


def _offset(values: Points, low: float, high: float) -> Points | None:
    """Return for each value the hundreds of kilometres that bring it between two bounds; None where it is not cut."""
    if (values < 0).any() or (values >= _SQUARE_M).any() or high < _SQUARE_M:
        return None
    wanted = np.ceil((low - _MARGIN_M - values) / _SQUARE_M) * _SQUARE_M
    return np.asarray(np.maximum(wanted, 0.0)) if (wanted > 0).any() else None


def _words(offsets: Points | None) -> str:
    distinct: Sequence[float] = [] if offsets is None else np.unique(offsets).tolist()
    return " or ".join(f"{offset:,.0f}" for offset in distinct[:2])
