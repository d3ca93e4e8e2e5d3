"""What a released hotspot tells about its wards: by its band, its rank, its name, and the hexagons it covers."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.domain.bands import Bands
from pipeline.geography.grid import HexGrid
from pipeline.relations import Relations, generic_rows

__all__ = ["SPOT_LEVEL", "Spot", "spot_cells", "spot_rows", "spots_of"]

SPOT_LEVEL = "hotspot"
REST = "rest of "
TOUCH_M = 0.01


@dataclass(frozen=True, slots=True)
class Spot:
    """One released hotspot as a reader sees it.

    Attributes
    ----------
    code
        Stands for the outline: two releases that draw the same outline have the same code.
    period
        The window it belongs to.
    rank
        1 holds the most incidents of its release.
    wards
        Codes of the wards it touches.
    named
        The ward it is named after, which holds the largest part of it; empty where the name does not tell.
    low, high
        Fewest and most incidents by its band; None where the band has no end.
    inside
        Ward code to the hexagons of the outline that lie wholly in that ward. Each holds at least one incident.
    """

    code: str
    period: str
    rank: int
    wards: tuple[str, ...]
    named: str
    low: int
    high: int | None
    inside: tuple[tuple[str, int], ...]


def spots_of(
    hotspots: gpd.GeoDataFrame, *, areas: gpd.GeoDataFrame, period: str, lattice_m: float, bands: Bands
) -> tuple[Spot, ...]:
    """Read released hotspots the way an attacker who knows the lattice does.

    Parameters
    ----------
    hotspots
        The released layer, in the working system.
    areas
        Table `areas` of the release.
    period
        Id of the headline window.
    lattice_m
        Width of the hexagons, metres; 0: the outlines are no hexagons, and nothing is counted inside them.
    bands
        The bands the counts are given in.
    """
    wards = areas[areas["level"] == "ward"].sort_values("area_code")
    shapes = dict(zip(wards["area_code"], wards.geometry, strict=True))
    names = dict(zip(wards["area_code"], wards["name"], strict=True))
    found = []
    for row, shape in zip(hotspots.to_dict("records"), hotspots.geometry, strict=True):
        codes = [c for c in str(row["ward_codes"] or "").split(";") if c]
        title = str(row["name"]).rsplit(" (", 1)[0]
        named = [c for c in codes if names.get(c) == title]
        low, high = bands.interval(str(row["incidents_band"]))
        digest = hashlib.sha256(shapely.to_wkb(shapely.normalize(shape)) + period.encode()).hexdigest()[:16]
        found.append(
            Spot(
                code=f"hotspot {digest}",
                period=period,
                rank=int(row["rank"]),
                wards=tuple(sorted(codes)),
                named=named[0] if len(named) == 1 else "",
                low=low,
                high=high,
                inside=_inside(shape, {c: shapes[c] for c in codes if c in shapes}, lattice_m),
            )
        )
    return tuple(sorted(found, key=lambda s: (s.rank, s.code)))


def _inside(
    shape: shapely.Geometry, wards: Mapping[str, shapely.Geometry], size_m: float
) -> tuple[tuple[str, int], ...]:
    """Count the hexagons of an outline that lie wholly in one ward."""
    if size_m <= 0 or shape.is_empty:
        return ()
    lattice = HexGrid.covering(shape.bounds, size_m=size_m, margin_m=size_m)
    centres = shapely.points(lattice.centres())
    hexagons = lattice.polygons(np.flatnonzero(shapely.intersects(shape, centres)))
    counted = {c: int(shapely.contains(w.buffer(TOUCH_M), hexagons).sum()) for c, w in sorted(wards.items())}
    return tuple((c, n) for c, n in counted.items() if n)


def spot_cells(spots: Sequence[Spot], *, held: Sequence[int], counts: pd.DataFrame) -> pd.DataFrame:
    """Return latent cells for hotspots and for what their wards hold beside them.

    Parameters
    ----------
    spots
        Hotspots of the release.
    held
        True incidents of each.
    counts
        Published cells with true values: KEY, value.

    Returns
    -------
    cells
        KEY, level, value, known_low, known_high (null: no bound).
    """
    true = counts[(counts["category"] == "all") & (counts["measure"] == "incidents")]
    value = dict(zip(zip(true["area_code"], true["period"], strict=True), true["value"], strict=True))
    number = dict(zip((s.code for s in spots), held, strict=True))
    rows = [(s.code, s.period, number[s.code], float(s.low), s.high) for s in spots]
    for group in _groups(spots):
        wards = _wards(group)
        if all((w, group[0].period) in value for w in wards):
            rest = sum(int(value[w, group[0].period]) for w in wards) - sum(number[s.code] for s in group)
            if rest >= 0:
                rows.append((REST + _name(group), group[0].period, rest, 0.0, None))
    frame = pd.DataFrame(rows, columns=["area_code", "period", "value", "known_low", "known_high"])
    frame = frame.drop_duplicates("area_code", ignore_index=True)
    frame["known_high"] = pd.to_numeric(frame["known_high"]).astype("float64")
    return frame.assign(level=SPOT_LEVEL, category="all", measure="incidents")


def spot_rows(cells: pd.DataFrame, *, spots: Sequence[Spot]) -> Relations:
    """Return the rows that tie hotspots to wards and to one another, over the positions of `cells`."""
    keys = cells.reset_index(drop=True)
    keys = keys[(keys["category"] == "all") & (keys["measure"] == "incidents")]
    at = {(a, p): i for i, a, p in zip(keys.index, keys["area_code"], keys["period"], strict=True)}
    rows: list[tuple[dict[int, int], float, float]] = []
    present = [s for s in spots if (s.code, s.period) in at]
    for group in _groups(present):
        rows += _group_rows(group, at)
    for one, other in pairwise(present):
        if one.period == other.period and one.rank < other.rank:
            rows.append(({at[one.code, one.period]: 1, at[other.code, other.period]: -1}, 0.0, np.inf))
    least: dict[int, int] = {}
    for spot in present:
        for ward, hexagons in spot.inside:
            if (ward, spot.period) in at:
                least[at[ward, spot.period]] = least.get(at[ward, spot.period], 0) + hexagons
        touched = {w for w, _ in spot.inside}
        for ward in spot.wards:
            if ward not in touched and (ward, spot.period) in at:
                least[at[ward, spot.period]] = least.get(at[ward, spot.period], 0) + 1
    rows += [({position: 1}, float(n), np.inf) for position, n in sorted(least.items())]
    return generic_rows(cells, rows, kind="hotspot_part")


def _group_rows(group: Sequence[Spot], at: Mapping[tuple[str, str], int]) -> list[tuple[dict[int, int], float, float]]:
    """Tie hotspots that share wards to these wards: no more than they hold, and their rest where it is a cell."""
    rows: list[tuple[dict[int, int], float, float]] = []
    period = group[0].period
    for spot in group:
        around = [(w, period) for w in spot.wards]
        if around and all(k in at for k in around):
            rows.append(({at[spot.code, period]: 1, **{at[k]: -1 for k in around}}, -np.inf, 0.0))
        if (spot.named, period) in at:
            rows.append(({at[spot.named, period]: len(spot.wards), at[spot.code, period]: -1}, 0.0, np.inf))
    wards = [(w, period) for w in _wards(group)]
    if all(k in at for k in wards):
        line = {at[s.code, period]: 1 for s in group} | {at[k]: -1 for k in wards}
        rest = at.get((REST + _name(group), period))
        rows.append((line, -np.inf, 0.0) if rest is None else ({**line, rest: 1}, 0.0, 0.0))
    return rows


def _groups(spots: Sequence[Spot]) -> list[list[Spot]]:
    """Join hotspots of one window that share wards."""
    groups: list[list[Spot]] = []
    for spot in spots:
        touching = [g for g in groups if any(o.period == spot.period and set(o.wards) & set(spot.wards) for o in g)]
        groups = [g for g in groups if g not in touching] + [[*(s for g in touching for s in g), spot]]
    return groups


def _wards(group: Sequence[Spot]) -> list[str]:
    return sorted({w for s in group for w in s.wards})


def _name(group: Sequence[Spot]) -> str:
    return "+".join(sorted(s.code for s in group))
