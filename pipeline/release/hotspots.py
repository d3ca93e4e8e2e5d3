"""Outlines that may be released: hotspots and density bands under a profile's rules."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.detect.density import density_bands, lowered, month_rows
from pipeline.detect.hotspots.finding import NOWHERE, numbered
from pipeline.domain.categories import ROOT, in_total, outside_total
from pipeline.geography.areas import StudyArea
from pipeline.geography.grid import HexGrid
from pipeline.geography.landmarks import Landmarks, place_names
from pipeline.release.released import ReleasePlan
from pipeline.statistics.intervals import Ranges
from pipeline.tables import DENSITY_LAYER, HOTSPOT_LAYER, Level

__all__ = ["Outlines", "Premises", "no_hotspots", "release_density", "release_hotspots", "with_names"]


AT_PLACE_M = 50.0  # an incident this close to an institution counts as being at it


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


def _empty(table: Any, areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(table.empty(), geometry=gpd.GeoSeries([], crs=areas.crs), crs=areas.crs)


def no_hotspots(areas: gpd.GeoDataFrame, why: str) -> Outlines:
    """Return the empty layer with its reason."""
    return Outlines(_empty(HOTSPOT_LAYER, areas), why)


def release_hotspots(
    hotspots: dict[str, gpd.GeoDataFrame],
    members: dict[str, pd.DataFrame],
    *,
    counts: pd.DataFrame,
    true: pd.DataFrame,
    plan: ReleasePlan,
) -> Outlines:
    """Choose the hotspots that a profile may show, and coarsen their outlines and counts.

    Outside internal a hotspot needs at least the threshold in incidents and in distinct victims (if known),
    `min_locations` distinct locations, no location with more than `max_location_share_pct`, and `min_addresses`
    addresses in its outline (if there is a layer of addresses). Its outline is the union of the lattice hexagons that
    contain its locations, its count is a step, and its density is null. It is shown only if its count and outline
    reveal nothing about the counts of areas (`_with_room`), and the way it was found reveals nothing about its count
    (`_least_known`). The public profile shows no hotspot that is a single institution: one with most of its incidents,
    or the only one in an outline of one hexagon.

    Nothing else depends on the true count: ids run from south-west to north-east, and ranks follow the lower end of the
    step. `with_names` names what is shown.

    Parameters
    ----------
    hotspots, members
        Headline window id to its hotspots, and to the locations of each.
    counts
        Released counts, with their ranges.
    true
        The true counts behind them.
    plan
        What the release covers.
    """
    profile, areas, headline = plan.profile, plan.areas, plan.windows.headline
    found = hotspots.get(headline.id)
    if found is None or not profile.hotspots or len(found) == 0:
        why = "No hotspots were found." if profile.hotspots else "This profile shows no hotspots."
        searched = plan.config.detect.clusters.enabled
        none = "Hotspots need points; there are none." if searched else "Hotspots were not searched for."
        return no_hotspots(areas, why if found is not None else none)
    if plan.internal:
        boroughs = set(areas.loc[areas["level"] == Level.BOROUGH, "area_code"])
        kept = found[found["borough_code"].isin(boroughs)] if profile.scope else found
        exact = kept["incidents"].astype("Int64")
        band = [f"{int(n):,}" for n in exact]
        layer = kept.assign(incidents_lower=exact, incidents_upper=exact, incidents_band=band)
        return Outlines(_conformed(layer, areas), "")
    step = max(profile.threshold, 1)
    enough = (found["incidents"] >= profile.threshold) & (found["distinct_locations"] >= profile.min_locations)
    enough &= found["top_location_share_pct"] <= profile.max_location_share_pct
    victims = pd.to_numeric(found["distinct_victims"]).astype("Float64")
    enough &= (victims.isna() | (victims >= profile.threshold)).astype(bool)
    kept = found[enough].copy()
    places = members[headline.id]
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
    kept = kept[_with_room(kept, counts=counts, true=true, plan=plan, step=step)].copy()
    if len(kept) == 0:
        return no_hotspots(areas, "No hotspot is large enough to be shown without risk.")
    kept["hotspot_id"] = [f"H{number:03d}" for number in range(1, len(kept) + 1)]
    kept["rank"] = kept["incidents_lower"].rank(method="min", ascending=False).astype("int64")
    kept["incidents_upper"] = kept["incidents_lower"] + step - 1
    kept["incidents"] = kept["incidents_lower"] + step // 2
    ends = zip(kept["incidents_lower"], kept["incidents_upper"], strict=True)
    kept["incidents_band"] = [f"{low:,} to {high:,}" if low else f"fewer than {high + 1:,}" for low, high in ends]
    kept["ward_codes"] = [";".join(codes) for _, codes in _wards_of(kept.geometry, areas)]
    kept["area_km2"] = (kept.geometry.area / 1e6).round(4)
    kept["density_per_km2"] = np.nan
    # First and last month of the window: those of the incidents would disclose the dates of the first and the last.
    kept["first_period"] = headline.start.isoformat()[:7]
    kept["last_period"] = headline.end.isoformat()[:7]
    kept = kept.sort_values(["rank", "hotspot_id"])
    note = "Hotspots that are too small are not shown, to protect the people involved."
    return Outlines(_conformed(kept, areas), note if len(found) > len(kept) else "")


def with_names(hotspots: Outlines, plan: ReleasePlan) -> Outlines:
    """Name hotspots by the outlines that are shown: what people call the place, then the ward: "Soho, West End".

    A name is made of the outline and of public layers alone: stations, places and roads in it or next to it, and the
    ward with most of its area. (A name taken from the ward with most of its incidents would disclose that this ward
    has more of them than any other.) What stands at an institution names nothing.
    """
    layer = hotspots.layer
    if not len(layer):
        return hotspots
    wards = [name for name, _ in _wards_of(layer.geometry, plan.areas)]
    known = plan.premises.landmarks
    if known is not None:
        at_institution = np.zeros(len(known.frame), dtype=bool)
        for place in plan.premises.institutions:
            at_institution |= shapely.dwithin(known.frame.geometry.to_numpy(dtype=object), place, AT_PLACE_M)
        known = dataclasses.replace(known, frame=known.frame[~at_institution])
        both = zip(place_names(layer.geometry.to_numpy(dtype=object), known), wards, strict=True)
        # A ward named after the same place says it once.
        wards = [f"{name}, {ward}" if name and name != ward else ward for name, ward in both]
    return Outlines(layer.assign(name=pd.array(numbered(wards), dtype="str")), hotspots.note)


TOUCH_M2 = 1.0  # outlines are stored to the centimetre: a smaller intersection is not an overlap


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
        return max(profile.min_locations, clusters.min_samples)
    _, centres = _hexagons(shape, profile.lattice_m)
    reach = 2.0 * (clusters.eps_m if isinstance(clusters.eps_m, (int, float)) else profile.lattice_m)
    groups, left = 0, centres
    while len(left):
        left = left[np.hypot(*(left - left[0]).T) > reach]
        groups += 1
    return max(profile.min_locations, len(centres), groups * clusters.min_samples)


def _in_scope(shape: shapely.Geometry, plan: ReleasePlan) -> bool:
    """Whether most of an outline lies in the profile's boroughs."""
    if not plan.profile.scope:
        return True
    boroughs = plan.areas.loc[plan.areas["level"] == Level.BOROUGH].geometry.to_numpy()
    return bool(shapely.area(shapely.intersection(boroughs, shape)).sum() >= shapely.area(shape) / 2)


def _with_room(
    kept: gpd.GeoDataFrame, *, counts: pd.DataFrame, true: pd.DataFrame, plan: ReleasePlan, step: int
) -> NDArray[np.bool_]:
    """Return which hotspots leave all values of all steps possible, considered one after the other.

    A hotspot lies in the areas that its outline overlaps, so together these have at least its count, and at least one
    incident for each hexagon. This is a complete union, which could narrow a step (`pipeline.release.steps`) and would
    disclose that a ward with "fewer than 10" is not 0. It does neither if the floors of the areas are large enough:
    each area's floor covers one incident for every hexagon that overlaps it, and together the floors, less what other
    hotspots need of them, cover the floor of the hotspot. Then everything can be at its floor, and the hotspot's count
    can be raised to any value of its step by raising one of these areas, and those that contain it, by as much.

    The areas are those of the finest level at which all incidents are given, or a borough if none of its smaller areas
    is offered. Any other area that is not offered counts as 0.
    """
    shapes, own = _floors(ROOT, counts=counts, plan=plan)
    held = kept["incidents"].to_numpy(dtype=np.int64)
    exact = plan.profile.step <= 1
    if exact:  # exact counts of areas cannot be raised: they must cover the whole step
        rules = [(own, held // step * step + step - 1)]
    else:
        # A reader who also has the folder of a closer audience knows both counts in both steps, so the condition must
        # hold for the narrower steps as well.
        closer = sorted({p.step for p in plan.config.profiles if 1 < p.step < step})
        rules = [(_floors(ROOT, counts=counts, plan=plan, true=true, step=t)[1], held // t * t) for t in closer]
        rules.append((own, held // step * step))
    room = np.zeros(len(kept), dtype=bool)
    for place, shape in enumerate(kept.geometry):
        hexagons = _hexagons(shape, plan.profile.lattice_m)[0] if plan.profile.lattice_m > 0 else np.array([shape])
        near = np.flatnonzero(shapely.intersects(shapes, shape))
        shared = shapely.area(shapely.intersection(shapes[near, None], hexagons[None, :]))
        number = (shared > TOUCH_M2).sum(axis=1)
        near, number = near[number > 0], number[number > 0]
        taken = [_taken(left[near], number, int(need[place])) for left, need in rules]
        if all(part is not None for part in taken):
            room[place] = True
            for (left, _), part in zip(rules, taken, strict=True):
                left[near] -= part
    return room


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
    taken = held.copy()
    while taken.sum() < need:
        spare = left - taken
        fullest = int(np.argmax(spare))
        # Take from the area with most left until it is level with the next one, but at least 1.
        others = np.delete(spare, fullest)
        amount = max(int(spare[fullest] - (others.max() if others.size else 0)), 1)
        taken[fullest] += min(amount, need - int(taken.sum()), int(spare[fullest]))
    return taken


def _wards_of(shapes: gpd.GeoSeries, areas: gpd.GeoDataFrame) -> list[tuple[str, list[str]]]:
    """Return the name of the ward with most of each outline's area, and the codes of the wards that it overlaps."""
    wards = areas[areas["level"] == Level.WARD].sort_values("area_code")
    ground = wards.geometry.to_numpy()
    found = []
    for shape in shapes:
        near = np.flatnonzero(shapely.intersects(ground, shape))
        shared = shapely.area(shapely.intersection(ground[near], shape))
        over = near[shared > TOUCH_M2]
        name = str(wards["name"].iloc[near[np.argmax(shared)]]) if over.size else NOWHERE
        found.append((name, wards["area_code"].iloc[over].tolist()))
    return found


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


def _conformed(layer: gpd.GeoDataFrame, areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    shapes = layer.geometry.to_numpy()
    return gpd.GeoDataFrame(HOTSPOT_LAYER.conform(pd.DataFrame(layer)), geometry=shapes, crs=areas.crs)


def _on_lattice(places: pd.DataFrame, size_m: float) -> shapely.Geometry:
    """Return the union of the lattice hexagons that contain any of the places."""
    xy = places[["easting_m", "northing_m"]].to_numpy(dtype=np.float64)
    low, high = xy.min(axis=0), xy.max(axis=0)
    lattice = HexGrid.covering((low[0], low[1], high[0], high[1]), size_m=size_m, margin_m=size_m)
    return shapely.union_all(lattice.polygons(np.unique(lattice.cell_of(xy))), grid_size=0.01)


def release_density(
    locations: pd.DataFrame,
    *,
    bandwidth_m: float | None,
    counts: pd.DataFrame,
    plan: ReleasePlan,
) -> Outlines:
    """Make the density bands that a profile may show: never below its minimum bandwidth, never from few incidents.

    Outside internal each patch of a band must also have at least the threshold in incidents, `min_locations` places,
    and `min_addresses` addresses if there is a layer of them; and the floors of the areas that it overlaps must cover
    as many incidents (see `_with_room`). Limits are multiples of the mean, and the mean is computed from the number of
    located incidents, given in steps like any other count.
    """
    profile, areas, settings = plan.profile, plan.areas, plan.config.detect.density
    if not settings.enabled or bandwidth_m is None or len(locations) == 0:
        none = "Density needs points; there are none." if settings.enabled else "Density was not computed."
        return Outlines(_empty(DENSITY_LAYER, areas), none)
    if not profile.density:
        return Outlines(_empty(DENSITY_LAYER, areas), "This profile shows no density.")
    chosen = month_rows(locations, plan.windows.headline)
    outside = outside_total(plan.config.categories)
    total = int(chosen.loc[in_total(chosen["categories"], outside), "incidents"].sum())
    if total < profile.min_density_incidents:
        note = f"Density is shown from {profile.min_density_incidents:,} incidents on: there are fewer in the period."
        return Outlines(_empty(DENSITY_LAYER, areas), note)
    ground = StudyArea.of(areas).outline
    if ground.is_empty:
        return Outlines(_empty(DENSITY_LAYER, areas), "Density is not shown: the data does not cover these areas.")
    made = density_bands(
        chosen,
        study_area=ground,
        crs=areas.crs,
        settings=settings,
        bandwidth_m=max(bandwidth_m, profile.min_bandwidth_m),
        categories=[c for c in settings.categories if c in {shown.id for shown in plan.categories}],
        outside=outside,
        min_locations=max(settings.min_locations, profile.min_locations),
        min_incidents=profile.threshold,
        min_total=profile.min_density_incidents,
        step=1 if plan.internal else max(profile.threshold, 1),
    )
    bands = made.bands
    if not plan.internal:
        bands = _patches_with_room(bands, counts=counts, plan=plan)
    if not plan.internal and plan.premises.addresses is not None:
        bands = _addressed(bands, plan.premises.addresses, profile.min_addresses)
    if len(bands) == 0:
        return Outlines(_empty(DENSITY_LAYER, areas), "No density band rests on enough incidents to be shown.")
    layer = gpd.GeoDataFrame(
        DENSITY_LAYER.conform(pd.DataFrame(bands)), geometry=bands.geometry.to_numpy(), crs=areas.crs
    )
    return Outlines(layer, made.note)


def _patches_with_room(bands: gpd.GeoDataFrame, *, counts: pd.DataFrame, plan: ReleasePlan) -> gpd.GeoDataFrame:
    """Move patches to a lower band if the floors of the areas that they overlap may not cover their incidents."""
    least = max(plan.profile.threshold, plan.profile.min_locations, plan.config.detect.density.min_locations)
    made = pd.Series(index=bands.index, dtype="object")
    for category, mine in bands.groupby("category", sort=False):
        shapes, floors = _floors(str(category), counts=counts, plan=plan)

        def enough(
            patches: NDArray[Any],
            _patch: object,
            _piece: object,
            *,
            shapes: NDArray[Any] = shapes,
            floors: NDArray[np.int64] = floors,
        ) -> NDArray[np.bool_]:
            left, room = floors.copy(), np.zeros(len(patches), dtype=bool)
            for place, patch in enumerate(patches):
                near = np.flatnonzero(shapely.intersects(shapes, patch))
                over = near[shapely.area(shapely.intersection(shapes[near], patch)) > TOUCH_M2]
                taken = _taken(left[over], np.zeros(len(over), dtype=np.int64), least)
                if taken is not None:
                    left[over] -= taken
                    room[place] = True
            return room

        made[mine.index] = lowered(mine.geometry.to_numpy(), enough)
    shown = gpd.GeoSeries(made, index=bands.index, crs=bands.crs)
    return bands.set_geometry(shown)[~shown.is_empty]


def _addressed(bands: gpd.GeoDataFrame, addresses: NDArray[np.float64], least: int) -> gpd.GeoDataFrame:
    """Lower the band of patches with too few addresses; a patch is a connected piece with everything above it."""

    def enough(patches: NDArray[Any], _patch: object, _piece: object) -> NDArray[np.bool_]:
        return np.array([_addresses_in(p, addresses) >= least for p in patches], dtype=bool)

    shapes = pd.Series(index=bands.index, dtype="object")
    for _, mine in bands.groupby("category", sort=False):
        shapes[mine.index] = lowered(mine.geometry.to_numpy(), enough)
    made = gpd.GeoSeries(shapes, index=bands.index, crs=bands.crs)
    return bands.set_geometry(made)[~made.is_empty]
