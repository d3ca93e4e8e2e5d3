"""Outlines that may be seen: hotspots and density bands under a profile's rules."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.detect.density import density_bands, lowered, month_rows
from pipeline.domain.categories import in_total, outside_total
from pipeline.errors import InputError
from pipeline.geography.coverage import StudyArea
from pipeline.geography.grid import HexGrid
from pipeline.release.linked_tables import HotspotFacts
from pipeline.release.released import ReleasePlan
from pipeline.tables import DENSITY_LAYER, HOTSPOT_LAYER

__all__ = [
    "Bands",
    "Outlines",
    "Premises",
    "bands_of",
    "count_bands",
    "fewer_than",
    "no_hotspots",
    "read_hotspot_facts",
    "release_density",
    "release_hotspots",
]


# Counts in bands: the interval that is released in place of a number.
#
# A band is written the way people write it: "10-19", "500 or more", "fewer than 10".


STEPS = (1, 2, 5)  # of each power of ten: limits that people read easily, each about twice the one before


@dataclass(frozen=True, slots=True)
class Bands:
    """Bands of whole numbers.

    Attributes
    ----------
    edges
        Smallest count of each band, ascending; the last band has no end. Counts under the first edge have the band
        "fewer than ..." with it.

    Raises
    ------
    InputError
        If the edges are not ascending whole numbers from 1.

    Examples
    --------
    >>> bands = Bands((10, 20, 50))
    >>> bands.label(19), bands.label(50), bands.label(3), bands.label(0)
    ('10-19', '50 or more', 'fewer than 10', 'fewer than 10')
    >>> bands.interval("10-19"), bands.interval("50 or more"), bands.interval("fewer than 10")
    ((10, 19), (50, None), (0, 9))
    """

    edges: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse edges that are no bands."""
        if not self.edges or self.edges[0] < 1 or any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise InputError(f"band edges must be whole numbers from 1, ascending and at least one: got {self.edges}.")

    @property
    def labels(self) -> tuple[str, ...]:
        """Every band in words, from the smallest, the one under the first edge included."""
        return (fewer_than(self.edges[0]), *(self.label(edge) for edge in self.edges))

    def label(self, count: int) -> str:
        """Name the band a count lies in."""
        if count < 0:
            raise InputError(f"a count cannot be negative: {count}.")
        place = bisect_right(self.edges, count)
        if place == 0:
            return fewer_than(self.edges[0])
        if place == len(self.edges):
            return f"{self.edges[-1]:,} or more"
        low, high = self.edges[place - 1], self.edges[place] - 1
        return f"{low:,}" if low == high else f"{low:,}-{high:,}"

    def interval(self, label: str) -> tuple[int, int | None]:
        """Read a band's smallest and largest count, None where it has no end."""
        limits = (0, *self.edges)
        for place, name in enumerate(self.labels):
            if name == label:
                return limits[place], None if place == len(self.edges) else limits[place + 1] - 1
        raise InputError(f"{label!r} is none of the bands {', '.join(self.labels)}.")


def count_bands(threshold: int, *, last: int = 500) -> Bands:
    """Make the default bands: from the threshold on in steps of 1, 2, 5, 10, ... up to `last`.

    >>> count_bands(10).labels
    ('fewer than 10', '10-19', '20-49', '50-99', '100-199', '200-499', '500 or more')
    >>> count_bands(5).labels[:3]
    ('fewer than 5', '5-9', '10-19')
    """
    if threshold < 1 or last < threshold:
        raise InputError(f"bands begin at a threshold of at least 1 and at most {last}: got {threshold}.")
    return Bands(tuple(sorted({threshold, *_ladder(threshold, last)})))


def fewer_than(threshold: int) -> str:
    """Word the band under a threshold, zeros included."""
    return f"fewer than {threshold:,}"


def _ladder(threshold: int, last: int) -> Iterable[int]:
    decade = 1
    while decade <= last:
        yield from (step * decade for step in STEPS if threshold < step * decade <= last)
        decade *= 10


SMALLEST_BAND = 5  # bands of hotspot counts start no lower, however small the threshold
AT_PLACE_M = 50.0  # an incident this near an institution counts as one at it


@dataclass(frozen=True, slots=True)
class Outlines:
    """A layer in the working system and a sentence on how it was made, or why it is empty.

    `true_counts` are the incidents of each row, for the audit alone; empty where they are not known.
    """

    layer: gpd.GeoDataFrame
    note: str
    true_counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Premises:
    """What stands on the ground, where a layer of it was given.

    Attributes
    ----------
    addresses
        Eastings and northings of addresses, metres, shape (n, 2); None where no layer is given.
    institutions
        Points or polygons of single institutions, in the working system.
    """

    addresses: NDArray[np.float64] | None = None
    institutions: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))


def bands_of(threshold: int) -> Bands:
    """Return the bands that hotspot counts are given in."""
    return count_bands(max(threshold, SMALLEST_BAND))


def _empty(table: Any, areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(table.empty(), geometry=gpd.GeoSeries([], crs=areas.crs), crs=areas.crs)


def no_hotspots(areas: gpd.GeoDataFrame, why: str) -> Outlines:
    """Return the empty layer with its reason."""
    return Outlines(_empty(HOTSPOT_LAYER, areas), why)


def release_hotspots(
    hotspots: dict[str, gpd.GeoDataFrame],
    members: dict[str, pd.DataFrame],
    *,
    plan: ReleasePlan,
) -> Outlines:
    """Choose the hotspots a profile may show, and coarsen their outlines and counts.

    Outside internal a hotspot needs the threshold in incidents and in distinct victims (where known), `min_locations`
    distinct locations, no location over `max_location_share_pct`, and `min_addresses` addresses in its outline (where
    a layer of addresses is given); its outline is the union of lattice hexagons that hold its locations, its count a
    band, its density null. In public no hotspot is shown that is a single institution: most of its incidents are at
    one, or its outline is one hexagon with one inside. Ranks and ids are given anew to those that are left.
    """
    profile, areas, headline = plan.profile, plan.areas, plan.windows.headline
    found = hotspots.get(headline.id)
    if found is None or not profile.hotspots or len(found) == 0:
        why = "No hotspots were found." if profile.hotspots else "This profile shows no hotspots."
        return Outlines(
            _empty(HOTSPOT_LAYER, areas), why if found is not None else "Hotspots need points; there are none."
        )
    boroughs = set(areas.loc[areas["level"] == "borough", "area_code"])
    kept = found[found["borough_code"].isin(boroughs)] if profile.scope else found
    bands = bands_of(profile.threshold)
    if plan.internal:
        layer = kept.assign(incidents_band=[bands.label(int(n)) for n in kept["incidents"]])
        return Outlines(_conformed(layer, areas), "", tuple(int(n) for n in kept["incidents"]))
    enough = (kept["incidents"] >= profile.threshold) & (kept["distinct_locations"] >= profile.min_locations)
    enough &= kept["top_location_share_pct"] <= profile.max_location_share_pct
    victims = pd.to_numeric(kept["distinct_victims"]).astype("Float64")
    enough &= (victims.isna() | (victims >= profile.threshold)).astype(bool)
    before, kept = len(kept), kept[enough].sort_values("rank").copy()
    places = members[headline.id]
    inside = {str(i): places[places["hotspot_id"] == i] for i in kept["hotspot_id"]}
    if profile.lattice_m > 0:
        kept.geometry = [_on_lattice(inside[str(i)], profile.lattice_m) for i in kept["hotspot_id"]]
    safe = [
        _addresses_in(shape, plan.premises.addresses) >= profile.min_addresses
        and not (profile.audience == "public" and _one_institution(shape, inside[str(i)], plan))
        for i, shape in zip(kept["hotspot_id"], kept.geometry, strict=True)
    ]
    kept = kept[np.asarray(safe, dtype=bool)].copy()
    if len(kept) == 0:
        return Outlines(_empty(HOTSPOT_LAYER, areas), "No hotspot is large enough to be shown without risk.")
    held = tuple(int(n) for n in kept["incidents"])
    kept["incidents_band"] = [bands.label(n) for n in held]
    kept["rank"] = np.arange(1, len(kept) + 1)
    kept["hotspot_id"] = [f"H{rank:03d}" for rank in kept["rank"]]
    kept["area_km2"] = (kept.geometry.area / 1e6).round(4)
    kept["incidents"] = pd.NA
    kept["density_per_km2"] = np.nan
    # First and last month of the window: those of the incidents would date the first and the last of them.
    kept["first_period"] = headline.start.isoformat()[:7]
    kept["last_period"] = headline.end.isoformat()[:7]
    note = "Hotspots that are too small are not shown, to protect the people involved." if before > len(kept) else ""
    return Outlines(_conformed(kept, areas), note, held)


def _addresses_in(shape: shapely.Geometry, addresses: NDArray[np.float64] | None) -> float:
    """Count the addresses in an outline; without a layer nothing is required."""
    if addresses is None:
        return np.inf
    shapely.prepare(shape)
    return float(shapely.intersects_xy(shape, addresses[:, 0], addresses[:, 1]).sum())


def _one_institution(shape: shapely.Geometry, places: pd.DataFrame, plan: ReleasePlan) -> bool:
    """Whether an outline is as good as one institution's."""
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
    """Return the union of the lattice hexagons that hold any of the places."""
    xy = places[["easting_m", "northing_m"]].to_numpy(dtype=np.float64)
    low, high = xy.min(axis=0), xy.max(axis=0)
    lattice = HexGrid.covering((low[0], low[1], high[0], high[1]), size_m=size_m, margin_m=size_m)
    return shapely.union_all(lattice.polygons(np.unique(lattice.cell_of(xy))), grid_size=0.01)


def release_density(
    locations: pd.DataFrame,
    *,
    bandwidth_m: float | None,
    plan: ReleasePlan,
) -> Outlines:
    """Make the density bands a profile may show: never under its bandwidth, never from few incidents.

    Outside internal each patch of a band must also hold the threshold in incidents, `min_locations` places, and
    `min_addresses` addresses where a layer of them is given.
    """
    profile, areas, settings = plan.profile, plan.areas, plan.config.detect.density
    if bandwidth_m is None or len(locations) == 0:
        return Outlines(_empty(DENSITY_LAYER, areas), "Density needs points; there are none.")
    if not (settings.enabled and profile.density):
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
    )
    bands = made.bands
    if not plan.internal and plan.premises.addresses is not None:
        bands = _addressed(bands, plan.premises.addresses, profile.min_addresses)
    if len(bands) == 0:
        return Outlines(_empty(DENSITY_LAYER, areas), "No density band rests on enough incidents to be shown.")
    layer = gpd.GeoDataFrame(
        DENSITY_LAYER.conform(pd.DataFrame(bands)), geometry=bands.geometry.to_numpy(), crs=areas.crs
    )
    return Outlines(layer, made.note)


def _addressed(bands: gpd.GeoDataFrame, addresses: NDArray[np.float64], least: int) -> gpd.GeoDataFrame:
    """Lower patches, a connected piece of a band with everything above it, that hold too few addresses."""

    def enough(patches: NDArray[Any], _patch: object, _piece: object) -> NDArray[np.bool_]:
        return np.array([_addresses_in(p, addresses) >= least for p in patches], dtype=bool)

    shapes = pd.Series(index=bands.index, dtype="object")
    for _, mine in bands.groupby("category", sort=False):
        shapes[mine.index] = lowered(mine.geometry.to_numpy(), enough)
    made = gpd.GeoSeries(shapes, index=bands.index, crs=bands.crs)
    return bands.set_geometry(made)[~made.is_empty]


# What a released hotspot discloses about its wards: by its band, its rank, its name, and the hexagons it covers.


TOUCH_M = 0.01  # outlines are stored to the centimetre


def read_hotspot_facts(
    hotspots: gpd.GeoDataFrame, *, areas: gpd.GeoDataFrame, period: str, lattice_m: float, bands: Bands
) -> tuple[HotspotFacts, ...]:
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
            HotspotFacts(
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
