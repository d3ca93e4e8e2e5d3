"""Outlines that may be released: hotspots and density bands, of all categories and of each, by a profile's rules."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pipeline.detect.density import density_bands, lowered, patch_shapes
from pipeline.domain.categories import ROOT, having, in_total, outside_total
from pipeline.domain.periods import Period
from pipeline.geography.grid import HexGrid
from pipeline.geography.study_area import StudyArea
from pipeline.release.hotspot_names import AT_PLACE_M, TOUCH_M2, Landmarks, wards_of
from pipeline.release.released import ReleasePlan, no_outlines
from pipeline.statistics.uncertainty import Ranges
from pipeline.tables import (
    DENSITY_CATEGORY_LAYER,
    DENSITY_LAYER,
    HOTSPOT_CATEGORY_LAYER,
    HOTSPOT_LAYER,
    Level,
    Table,
)

__all__ = [
    "Outlines",
    "Premises",
    "Room",
    "no_hotspots",
    "release_density",
    "release_hotspots",
    "release_hotspots_by_category",
]


@dataclass(frozen=True, slots=True)
class Outlines:
    """A layer in the working system, and a sentence on how it was made or why it is empty."""

    layer: gpd.GeoDataFrame
    note: str


@dataclass(frozen=True, slots=True)
class Premises:
    """Addresses and institutions, if layers of them were provided.

    Attributes
    ----------
    addresses
        Eastings and northings of addresses, metres, shape (n, 2); None without such a layer.
    institutions
        Points or polygons of single institutions, in the working system.
    landmarks
        Stations, places and roads that name a hotspot; None where no layer of context is given.
    """

    addresses: NDArray[np.float64] | None = None
    institutions: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))
    landmarks: Landmarks | None = None


def no_hotspots(areas: gpd.GeoDataFrame, why: str, *, by_category: bool = False) -> Outlines:
    """Return the empty layer with its reason."""
    return Outlines(no_outlines(HOTSPOT_CATEGORY_LAYER if by_category else HOTSPOT_LAYER, areas.crs), why)


def release_hotspots(
    hotspots: dict[str, gpd.GeoDataFrame],
    members: dict[str, pd.DataFrame],
    *,
    plan: ReleasePlan,
    room: "Room",
) -> Outlines:
    """Choose the hotspots that a profile may show, and coarsen their outlines and counts.

    Outside internal a hotspot needs at least the threshold in incidents and in distinct victims (if known),
    `min_locations` distinct locations, no location with more than `max_location_share_pct`, and `min_addresses`
    addresses in its outline (if there is a layer of addresses). Its outline is the union of the lattice hexagons that
    contain its locations, its count is a step, and its density is null. It is shown only if its count and outline
    reveal nothing about the counts of areas (`Room`), and the way it was found reveals nothing about its count
    (`_least_known`). The public profile shows no hotspot that is a single institution: one with most of its incidents,
    or the only one in an outline of one hexagon.

    Nothing else depends on the true count: ids run from south-west to north-east, and ranks follow the lower end of the
    step. `with_names` names what is shown.

    Parameters
    ----------
    hotspots, members
        Headline window id to its hotspots, and to the locations of each.
    plan
        What the release covers.
    room
        What the released counts of areas leave for outlines.
    """
    profile, areas, headline = plan.profile, plan.areas, plan.windows.headline
    found = hotspots.get(headline.id)
    if found is None or not profile.hotspots or len(found) == 0:
        why = "No hotspots were found." if profile.hotspots else "This profile shows no hotspots."
        searched = plan.config.detect.clusters.enabled
        none = "Hotspots need points; there are none." if searched else "Hotspots were not searched for."
        return no_hotspots(areas, why if found is not None else none)
    kept = _shown(found, members[headline.id], ROOT, plan=plan, room=room)
    if len(kept) == 0 and not plan.internal:
        return no_hotspots(areas, "No hotspot is large enough to be shown without risk.")
    note = "Some hotspots are not shown, to protect the people involved."
    return Outlines(
        _conformed(kept.assign(name=""), HOTSPOT_LAYER, areas),
        note if len(found) > len(kept) and not plan.internal else "",
    )


def release_hotspots_by_category(
    hotspots: dict[str, gpd.GeoDataFrame],
    members: dict[str, pd.DataFrame],
    *,
    plan: ReleasePlan,
    room: "Room",
) -> Outlines:
    """Choose the hotspots of each category under the same rules as those of all categories together.

    Parameters
    ----------
    hotspots, members
        Headline window id to the hotspots of each category (column category), and to the locations of each.
    plan
        What the release covers.
    room
        What the released counts of areas, and the hotspots of all categories together, leave for outlines.
    """
    headline, areas = plan.windows.headline, plan.areas
    found = hotspots.get(headline.id)
    if found is None or not plan.profile.hotspots or len(found) == 0:
        return no_hotspots(areas, "", by_category=True)
    layers = []
    # A category given over two years alone has no outline: that of the headline would show one of the two years.
    for category in (c for c in _wholes_first(plan) if c not in plan.long_categories):
        mine = found[found["category"] == category]
        if not len(mine):
            continue
        kept = _shown(mine, members[headline.id], category, plan=plan, room=room)
        kept = kept.assign(category=category, hotspot_id=[f"{category}-{i}" for i in kept["hotspot_id"]])
        layers.append(kept)
    if not any(len(layer) for layer in layers):
        return no_hotspots(areas, "", by_category=True)
    layer = pd.concat([layer for layer in layers if len(layer)], ignore_index=True)
    layer = layer.assign(period_start=headline.start.isoformat(), period_end=headline.end.isoformat(), name="")
    return Outlines(_conformed(layer, HOTSPOT_CATEGORY_LAYER, areas), "")


def _wholes_first(plan: ReleasePlan) -> list[str]:
    """Return the categories that are shown, each after those that it is part of; not the total."""
    waiting = [c.id for c in plan.categories if c.id != ROOT]
    done: list[str] = []
    while waiting:
        free = [c for c in waiting if not any(p in waiting for part, p in plan.category_pairs if part == c)]
        # Two categories may be declared part of each other: they are the same.
        done += free or waiting
        waiting = [c for c in waiting if c not in done]
    return done


def _shown(
    found: gpd.GeoDataFrame, places: pd.DataFrame, category: str, *, plan: ReleasePlan, room: "Room"
) -> gpd.GeoDataFrame:
    """Choose the hotspots of one category, with what is shown of each: all columns of the layer but its name."""
    profile, areas, headline = plan.profile, plan.areas, plan.windows.headline
    if plan.internal:
        boroughs = set(areas.loc[areas["level"] == Level.BOROUGH, "area_code"])
        kept = found[found["borough_code"].isin(boroughs)] if profile.scope else found
        exact = kept["incidents"].astype("Int64")
        band = [f"{int(n):,}" for n in exact]
        own_id = kept["hotspot_id"].str.removeprefix(f"{category}-")
        return kept.assign(hotspot_id=own_id, incidents_lower=exact, incidents_upper=exact, incidents_band=band)
    step = max(profile.threshold, 1)
    enough = (found["incidents"] >= profile.threshold) & (found["distinct_locations"] >= profile.min_locations)
    enough &= found["top_location_share_pct"] <= profile.max_location_share_pct
    victims = pd.to_numeric(found["distinct_victims"]).astype("Float64")
    enough &= (victims.isna() | (victims >= profile.threshold)).astype(bool)
    kept = found[enough].copy()
    inside = {str(i): places[places["hotspot_id"] == i] for i in kept["hotspot_id"]}
    if profile.lattice_m > 0:
        kept.geometry = [_on_lattice(inside[str(i)], profile.lattice_m) for i in kept["hotspot_id"]]
    kept["incidents_lower"] = kept["incidents"].astype("int64") // step * step
    known = [_least_known(shape, plan) for shape in kept.geometry]
    safe = [
        lower >= least
        and _addresses_in(shape, plan.premises.addresses) >= profile.min_addresses
        and not (profile.audience == "public" and _one_institution(shape, inside[str(i)], plan))
        and _in_scope(shape, plan)
        for i, shape, lower, least in zip(
            kept["hotspot_id"], kept.geometry, kept["incidents_lower"], known, strict=True
        )
    ]
    kept = kept[np.asarray(safe, dtype=bool)]
    # From south-west to north-east: an order that the map shows anyway.
    middle = shapely.centroid(kept.geometry.to_numpy())
    xy = np.column_stack([shapely.get_x(middle), shapely.get_y(middle)]).round(1)
    kept = kept.iloc[np.lexsort((xy[:, 0], xy.sum(axis=1)))]
    kept = kept[room.take(kept, category)].copy()
    kept["hotspot_id"] = [f"H{number:03d}" for number in range(1, len(kept) + 1)]
    kept["rank"] = kept["incidents_lower"].rank(method="min", ascending=False).astype("int64")
    kept["incidents_upper"] = kept["incidents_lower"] + step - 1
    kept["incidents"] = kept["incidents_lower"] + step // 2
    ends = zip(kept["incidents_lower"], kept["incidents_upper"], strict=True)
    kept["incidents_band"] = [f"{low:,} to {high:,}" if low else f"fewer than {high + 1:,}" for low, high in ends]
    kept["ward_codes"] = [";".join(codes) for _, codes in wards_of(kept.geometry, areas)]
    kept["area_km2"] = (kept.geometry.area / 1e6).round(4)
    kept["density_per_km2"] = np.nan
    # First and last month of the window: those of the incidents would disclose the dates of the first and the last.
    kept["first_period"] = headline.start.isoformat()[:7]
    kept["last_period"] = headline.end.isoformat()[:7]
    return kept.sort_values(["rank", "hotspot_id"])


def _least_known(shape: shapely.Geometry, plan: ReleasePlan) -> int:
    """Return how many incidents the outline itself reveals to a reader who knows the method.

    The step must not begin below this number. Every hexagon contains an incident, a hotspot has as many locations as
    the profile requires, and DBSCAN requires a core with `min_samples` incidents within `eps_m`. Every member is within
    `eps_m` of a core, so hexagons whose centres are more than four times `eps_m` apart belong to cores that share no
    incident. Centres within twice that distance of one of them are within four times of each other, so there are at
    most as many such hexagons as there are groups of this kind.
    """
    profile, clusters = plan.profile, plan.config.detect.clusters
    if profile.lattice_m <= 0:
        return max(profile.min_locations, plan.min_samples)
    _, centres = _hexagons(shape, profile.lattice_m)
    reach = 2.0 * (clusters.eps_m if isinstance(clusters.eps_m, (int, float)) else profile.lattice_m)
    near = np.hypot(*(centres[:, None, :] - centres[None, :, :]).T) <= reach
    groups, left = 0, np.ones(len(centres), dtype=bool)
    while left.any():
        # Round the centre with most of what is left: any choice gives a bound, and fewer groups a closer one.
        left &= ~near[np.argmax((near & left).sum(axis=1))]
        groups += 1
    return max(profile.min_locations, len(centres), groups * plan.min_samples)


def _in_scope(shape: shapely.Geometry, plan: ReleasePlan) -> bool:
    """Whether most of an outline lies in the profile's boroughs."""
    if not plan.profile.scope:
        return True
    boroughs = plan.areas.loc[plan.areas["level"] == Level.BOROUGH].geometry.to_numpy()
    return bool(shapely.area(shapely.intersection(boroughs, shape)).sum() >= shapely.area(shape) / 2)


@dataclass(slots=True)
class _Floors:
    """Areas of the finest level at which a category is given, and what is left of the floors of their counts.

    `left` has one row for each width of step that a reader may know counts by; `taken` holds, for each hotspot shown,
    its outline and the part of these floors that it took and that parts of the category have not used.
    """

    shapes: NDArray[Any]
    left: list[NDArray[np.int64]]
    taken: list[tuple[shapely.Geometry, list[NDArray[np.int64]]]] = field(default_factory=list)


class Room:
    """What released counts leave for outlines: a hotspot is shown only if all values of all steps stay possible.

    A hotspot lies in the areas that its outline overlaps, so together these have at least its count, and at least one
    incident for each hexagon. This is a complete union, which could narrow a step (`pipeline.release.steps`) and would
    disclose that a ward with "fewer than 10" is not 0. It does neither if the floors of the areas are large enough:
    each area's floor covers one incident for every hexagon that overlaps it, and together the floors, less what other
    hotspots need of them, cover the floor of the hotspot. Then everything can be at its floor, and the hotspot's count
    can be raised to any value of its step by raising one of these areas, and those that contain it, by as much.

    The areas are those of the finest level at which all incidents are given, or a borough if none of its smaller areas
    is offered. Any other area that is not offered counts as 0.

    A hotspot of a category consists of incidents of every category that it is part of. If its outline lies in a shown
    hotspot of such a category, its incidents are among those of that hotspot, so it must find room in what that hotspot
    took, and parts side by side share it; otherwise it must find room in what is left of the floors of that category.
    Raising its count raises the hotspots and areas around it by as much, each within its step.

    Parameters
    ----------
    counts
        Released counts, with their ranges.
    true
        The true counts behind them.
    plan
        What the release covers.
    """

    def __init__(self, counts: pd.DataFrame, *, true: pd.DataFrame, plan: ReleasePlan) -> None:
        self._counts, self._true, self._plan = counts, true, plan
        self._step = max(plan.profile.threshold, 1)
        # A reader who also has the folder of a closer audience knows both counts in both steps, so the condition must
        # hold for the narrower steps as well. Exact counts of areas cannot be raised: they cover the whole step.
        self._exact = plan.profile.step <= 1
        others = {p.step for p in plan.config.profiles if 1 < p.step < self._step}
        self._closer = [] if self._exact else sorted(others)
        self._of: dict[str, _Floors] = {}

    def take(self, hotspots: gpd.GeoDataFrame, category: str) -> NDArray[np.bool_]:
        """Return which hotspots of a category have room, considered one after the other, and take it.

        Parameters
        ----------
        hotspots
            Outlines as they would be shown, and `incidents`, their true counts.
        category
            Their category. Those that it is part of come first.
        """
        held = hotspots["incidents"].to_numpy(dtype=np.int64)
        step = self._step
        needs = [held // t * t for t in self._closer]
        needs.append(held // step * step + (step - 1 if self._exact else 0))
        shown = np.zeros(len(hotspots), dtype=bool)
        own = self._floors(category)
        for place, shape in enumerate(hotspots.geometry):
            taken = self._took(shape, [int(need[place]) for need in needs], self._around(shape, category))
            if taken is not None:
                shown[place] = True
                own.taken.append((shape, taken))
        return shown

    def _took(
        self, shape: shapely.Geometry, needs: list[int], limits: list[tuple[_Floors, list[NDArray[np.int64]]]]
    ) -> list[NDArray[np.int64]] | None:
        """Take what an outline needs from all its limits, or nothing; the first limit is that of its own category."""
        size = self._plan.profile.lattice_m
        hexagons = _hexagons(shape, size)[0] if size > 0 else np.array([shape])
        # Incidents are assigned to the smallest areas that any of the limits knows, and summed for the others.
        over = [_hexagons_over(floors.shapes, hexagons) for floors, _ in limits]
        finest = max(range(len(limits)), key=lambda i: (len(over[i][0]), -i))
        near, number = over[finest]
        inner = shapely.point_on_surface(limits[finest][0].shapes[near]) if len(near) else np.empty(0, dtype=object)
        at = [
            near if floors.shapes is limits[finest][0].shapes else _containing(floors.shapes, inner)
            for floors, _ in limits
        ]
        own: list[NDArray[np.int64]] = []
        changes = []
        for rule, need in enumerate(needs):
            budget = np.min(
                [np.where(of >= 0, left[rule][of], 0) for of, (_, left) in zip(at, limits, strict=True)], axis=0
            )
            part = _taken(budget, number, need)
            if part is None:
                return None
            for of, (_, left) in zip(at, limits, strict=True):
                used = np.bincount(of, weights=part, minlength=len(left[rule])).astype(np.int64)
                if (used > left[rule]).any():
                    return None
                changes.append((left[rule], used))
            own.append(changes[-len(limits)][1])
        for budget, used in changes:
            np.subtract(budget, used, out=budget)
        return own

    def _around(self, shape: shapely.Geometry, category: str) -> list[tuple[_Floors, list[NDArray[np.int64]]]]:
        """Return the limits of a hotspot: its category's floors, then those of each category that it is part of."""
        own = self._floors(category)
        limits, seen, waiting = [(own, own.left)], {category}, [category]
        while waiting:
            part = waiting.pop(0)
            for whole in (w for p, w in self._plan.category_pairs if p == part and w not in seen):
                seen.add(whole)
                if whole not in {c.id for c in self._plan.categories}:
                    continue
                floors = self._floors(whole)
                inside = next((left for drawn, left in floors.taken if shape.difference(drawn).area <= TOUCH_M2), None)
                limits.append((floors, floors.left if inside is None else inside))
                if inside is None:  # what a shown hotspot took, it took from the categories above it too
                    waiting.append(whole)
        return limits

    def _floors(self, category: str) -> _Floors:
        if category not in self._of:
            shapes, own = _floors(category, counts=self._counts, plan=self._plan)
            closer = [
                _floors(category, counts=self._counts, plan=self._plan, true=self._true, step=t)[1]
                for t in self._closer
            ]
            self._of[category] = _Floors(shapes, [*closer, own])
        return self._of[category]


def _hexagons_over(shapes: NDArray[Any], hexagons: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return the areas that hexagons overlap, and how many each."""
    near = np.unique(shapely.STRtree(shapes).query(hexagons, predicate="intersects")[1])
    shared = shapely.area(shapely.intersection(shapes[near, None], hexagons[None, :]))
    number = (shared > TOUCH_M2).sum(axis=1)
    return near[number > 0], number[number > 0].astype(np.int64)


def _containing(shapes: NDArray[Any], points: NDArray[Any]) -> NDArray[np.intp]:
    """Return which shape contains each point, -1 for none."""
    found = np.full(len(points), -1, dtype=np.intp)
    point, shape = shapely.STRtree(shapes).query(points, predicate="intersects")
    found[point] = shape
    return found


def _floors(
    category: str, *, counts: pd.DataFrame, plan: ReleasePlan, true: pd.DataFrame | None = None, step: int = 1
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the areas of the finest level at which a category is given, and the floors of their counts.

    The floors are those released; with `true` counts, those of a narrower step, if the count is released as one step.
    """
    level = next((c.detail for c in plan.categories if c.id == category), Level.WARD)
    units = plan.areas[plan.areas["level"] == level].sort_values("area_code")

    def here(table: pd.DataFrame) -> pd.DataFrame:
        rows = table[(table["category"] == category) & (table["period"] == plan.windows.headline.id)]
        return rows.set_index("area_code").reindex(units["area_code"])

    # A borough without any offered smaller area is one area: none of its smaller areas has a step that could be
    # narrowed.
    given = pd.Series(Ranges.of(here(counts)).known, index=units["parent_code"]).groupby(level=0).any()
    closed = [b for b in plan.areas.loc[plan.areas["level"] == Level.BOROUGH, "area_code"] if not given.get(b, True)]
    inside = units["parent_code"].isin(closed)
    units = pd.concat([units[~inside], plan.areas[plan.areas["area_code"].isin(closed)]]).sort_values("area_code")

    released = Ranges.of(here(counts))
    floors = np.nan_to_num(released.lower).astype(np.int64)
    if true is not None:
        exact = here(true)["incidents"].astype("Float64").to_numpy(np.float64, na_value=0.0).astype(np.int64)
        one_step = released.upper - released.lower == plan.profile.step - 1
        floors = np.where(one_step & (exact >= floors), exact // step * step, floors)
    return units.geometry.to_numpy(), floors


def _taken(left: NDArray[np.int64], held: NDArray[np.int64], need: int) -> NDArray[np.int64] | None:
    """Distribute what an outline needs over areas: at least `held` in each, the rest where most is left.

    >>> _taken(np.array([20, 10]), np.array([2, 3]), 24), _taken(np.array([20, 0]), np.array([2, 1]), 5)
    (array([17,  7]), None)
    """
    if not len(left) or (left < held).any() or left.sum() < need:
        return None
    spare, more = left - held, need - int(held.sum())
    if more <= 0:
        return held.copy()
    # The areas with most left are lowered to one common level, or to levels that differ by 1: the first to the lower.
    fullest = np.sort(spare)[::-1]
    room = np.cumsum(fullest) - np.arange(1, len(left) + 1) * np.append(fullest[1:], 0)  # down to the next one's level
    lowered = 1 + int(np.searchsorted(room, more))
    level, higher = divmod(int(fullest[:lowered].sum()) - more, lowered)
    chosen = np.flatnonzero(spare >= fullest[lowered - 1])
    taken = held.copy()
    taken[chosen] += spare[chosen] - level
    taken[chosen[lowered - higher :]] -= 1
    return taken


def _hexagons(shape: shapely.Geometry, size_m: float) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the lattice hexagons of an outline, and their centres, shape (n, 2)."""
    lattice = HexGrid.covering(shape.bounds, size_m=size_m, margin_m=size_m)
    centres = lattice.centres()
    held = np.flatnonzero(shapely.intersects_xy(shape, centres[:, 0], centres[:, 1]))
    return lattice.polygons(held), centres[held]


def _addresses_in(shape: shapely.Geometry, addresses: NDArray[np.float64] | None) -> float:
    """Return whether an outline contains enough addresses; without a layer nothing is required."""
    if addresses is None:
        return np.inf
    shapely.prepare(shape)
    return float(shapely.intersects_xy(shape, addresses[:, 0], addresses[:, 1]).sum())


def _one_institution(shape: shapely.Geometry, places: pd.DataFrame, plan: ReleasePlan) -> bool:
    """Whether an outline identifies a single institution."""
    profile, institutions = plan.profile, plan.premises.institutions
    near = institutions[shapely.dwithin(institutions, shape, AT_PLACE_M)]
    if near.size == 0:
        return False
    points = shapely.points(places[["easting_m", "northing_m"]].to_numpy(dtype=np.float64))
    share = [
        100.0 * places.loc[shapely.dwithin(points, one, AT_PLACE_M), "incidents"].sum() / places["incidents"].sum()
        for one in near
    ]
    hexagon_m2 = profile.lattice_m**2 * np.sqrt(3) / 2
    return bool(max(share) > profile.max_location_share_pct or shapely.area(shape) < 1.5 * hexagon_m2)


def _conformed(layer: gpd.GeoDataFrame, table: Table, areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    shapes = layer.geometry.to_numpy()
    return gpd.GeoDataFrame(table.conform(pd.DataFrame(layer)), geometry=shapes, crs=areas.crs)


def _on_lattice(places: pd.DataFrame, size_m: float) -> shapely.Geometry:
    """Return the union of the lattice hexagons that contain any of the places."""
    xy = places[["easting_m", "northing_m"]].to_numpy(dtype=np.float64)
    low, high = xy.min(axis=0), xy.max(axis=0)
    lattice = HexGrid.covering((low[0], low[1], high[0], high[1]), size_m=size_m, margin_m=size_m)
    return shapely.union_all(lattice.polygons(np.unique(lattice.cell_of(xy))), grid_size=0.01)


def release_density(
    locations: Callable[[Period], pd.DataFrame],
    *,
    bandwidth_m: float | None,
    counts: pd.DataFrame,
    plan: ReleasePlan,
) -> tuple[Outlines, Outlines]:
    """Make the density bands that a profile may show: never below its minimum bandwidth, never from few incidents.

    Returns the bands of all categories together, and those of each category that is frequent enough.

    Outside internal each patch of a band must also have at least the threshold in incidents, `min_locations` places,
    and `min_addresses` addresses if there is a layer of them; and the floors of the areas that it overlaps must cover
    as many incidents (see `Room`). Limits have two figures: those of shares follow from the volume of the surface, and
    those that are multiples of the mean from the number of located incidents, given in steps like any other count.
    """
    profile, areas, settings = plan.profile, plan.areas, plan.config.detect.density
    if not settings.enabled or bandwidth_m is None:
        none = "Density needs points; there are none." if settings.enabled else "Density was not computed."
        return _no_density(areas, none)
    if not profile.density:
        return _no_density(areas, "This profile shows no density.")
    chosen = locations(plan.windows.headline)
    outside = outside_total(plan.config.categories)
    total = int(chosen.loc[in_total(chosen["categories"], outside), "incidents"].sum())
    if total < profile.min_density_incidents:
        note = f"Density is shown from {profile.min_density_incidents:,} incidents on: there are fewer in the period."
        return _no_density(areas, note)
    ground = StudyArea.of(areas, plan.mask).outline
    if ground.is_empty:
        return _no_density(areas, "Density is not shown: the data does not cover these areas.")
    made = density_bands(
        chosen,
        study_area=ground,
        crs=areas.crs,
        settings=settings,
        bandwidth_m=max(bandwidth_m, profile.min_bandwidth_m),
        categories=_surfaces(chosen, plan),
        outside=outside,
        min_locations=max(settings.min_locations, profile.min_locations),
        min_incidents=profile.threshold,
        min_total=profile.min_density_incidents,
        step=1 if plan.internal else max(profile.threshold, 1),
        done=partial(plan.progress, "drawing density"),
    )
    bands = made.bands
    if not plan.internal:
        bands = _patches_with_room(bands, counts=counts, plan=plan)
    if not plan.internal and plan.premises.addresses is not None:
        bands = _addressed(bands, plan.premises.addresses, profile.min_addresses)
    window = plan.windows.headline
    bands = bands.assign(period_start=window.start.isoformat(), period_end=window.end.isoformat())
    of_all = bands["category"] == ROOT
    every, each = (
        gpd.GeoDataFrame(table.conform(pd.DataFrame(part)), geometry=part.geometry.to_numpy(), crs=areas.crs)
        for table, part in ((DENSITY_LAYER, bands[of_all]), (DENSITY_CATEGORY_LAYER, bands[~of_all]))
    )
    none = "No density band rests on enough incidents to be shown."
    return Outlines(every, made.note if len(every) else none), Outlines(each, made.note if len(each) else none)


def _no_density(areas: gpd.GeoDataFrame, why: str) -> tuple[Outlines, Outlines]:
    return Outlines(no_outlines(DENSITY_LAYER, areas.crs), why), Outlines(
        no_outlines(DENSITY_CATEGORY_LAYER, areas.crs), why
    )


def _surfaces(chosen: pd.DataFrame, plan: ReleasePlan) -> list[str]:
    """Return the categories that have a surface: those named, or all together and each that is frequent enough."""
    named, least = plan.config.detect.density.categories, plan.config.detect.min_category_incidents
    # A patch is of the headline period: it would show one of the two years of a category given over both alone. All
    # incidents together keep theirs, as they keep their hotspots.
    shown = [c.id for c in plan.categories if c.id == ROOT or not c.long_windows]
    if named is not None:
        return [c for c in named if c in shown]
    # By the lower end of the step: that there is a surface must say no more about the total than its step does.
    step = 1 if plan.internal else max(plan.profile.threshold, 1)
    totals = {c: int(chosen.loc[having(chosen["categories"], c), "incidents"].sum()) for c in shown if c != ROOT}
    return [c for c in shown if c == ROOT or totals[c] // step * step >= least]


def _patches_with_room(bands: gpd.GeoDataFrame, *, counts: pd.DataFrame, plan: ReleasePlan) -> gpd.GeoDataFrame:
    """Move patches to a lower band if the floors of the areas that they overlap may not cover their incidents."""
    least = max(plan.profile.threshold, plan.profile.min_locations, plan.config.detect.density.min_locations)
    made = pd.Series(index=bands.index, dtype="object")
    for category, mine in bands.groupby("category", sort=False):
        shapes, floors = _floors(str(category), counts=counts, plan=plan)
        drawn = mine.geometry.to_numpy()
        pieces = shapely.get_parts(drawn)
        at, area = shapely.STRtree(shapes).query(pieces, predicate="intersects")
        common = shapely.area(shapely.intersection(shapes[area], pieces[at]))
        shared_m2 = csr_array((common, (at, area)), shape=(len(pieces), len(shapes)))

        def enough(
            patch: NDArray[np.int64],
            piece: NDArray[np.int64],
            *,
            shared_m2: csr_array = shared_m2,
            floors: NDArray[np.int64] = floors,
        ) -> NDArray[np.bool_]:
            left, room = floors.copy(), np.zeros(patch.max() + 1, dtype=bool)
            for number in range(len(room)):
                over = np.flatnonzero(shared_m2[piece[patch == number]].sum(axis=0) > TOUCH_M2)
                taken = _taken(left[over], np.zeros(len(over), dtype=np.int64), least)
                if taken is not None:
                    left[over] -= taken
                    room[number] = True
            return room

        made[mine.index] = lowered(drawn, enough)
    shown = gpd.GeoSeries(made, index=bands.index, crs=bands.crs)
    return bands.set_geometry(shown)[~shown.is_empty]


def _addressed(bands: gpd.GeoDataFrame, addresses: NDArray[np.float64], least: int) -> gpd.GeoDataFrame:
    """Lower the band of patches with too few addresses; a patch is a connected piece with everything above it."""
    shapes = pd.Series(index=bands.index, dtype="object")
    for _, mine in bands.groupby("category", sort=False):
        drawn = mine.geometry.to_numpy()
        pieces = shapely.get_parts(drawn)

        def enough(patch: NDArray[np.int64], piece: NDArray[np.int64], *, pieces: NDArray[Any] = pieces) -> Any:
            found = [_addresses_in(p, addresses) >= least for p in patch_shapes(pieces[piece], patch)]
            return np.array(found, dtype=bool)

        shapes[mine.index] = lowered(drawn, enough)
    made = gpd.GeoSeries(shapes, index=bands.index, crs=bands.crs)
    return bands.set_geometry(made)[~made.is_empty]
