"""Outlines that may be seen: hotspots and density bands under a profile's rules."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.bands import count_bands
from pipeline.config import Density, Profile
from pipeline.density import density_bands, month_rows
from pipeline.disclosure.windows import Windows
from pipeline.grid import HexGrid
from pipeline.schemas import DENSITY_LAYER, HOTSPOT_LAYER

__all__ = ["Shapes", "release_density", "release_hotspots"]


@dataclass(frozen=True, slots=True)
class Shapes:
    """A layer in the working system and a sentence on how it was made, or why it is empty."""

    layer: gpd.GeoDataFrame
    note: str


def _empty(table: Any, areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(table.empty(), geometry=gpd.GeoSeries([], crs=areas.crs), crs=areas.crs)


def release_hotspots(
    hotspots: dict[str, gpd.GeoDataFrame],
    members: dict[str, pd.DataFrame],
    *,
    profile: Profile,
    windows: Windows,
    areas: gpd.GeoDataFrame,
) -> Shapes:
    """Choose the hotspots a profile may show, and blur their outlines and counts.

    Outside internal a hotspot needs the threshold in incidents and in distinct victims (where known), `min_locations`
    distinct locations, no location over `max_location_share_pct`; its outline is the union of lattice hexagons that
    hold its locations, its count a band, its density null. Ranks and ids are given anew to those that are left.
    """
    found = hotspots.get(windows.headline.id)
    if not profile.hotspots or found is None or len(found) == 0:
        why = "This profile shows no hotspots." if not profile.hotspots else "No hotspots were found."
        return Shapes(
            _empty(HOTSPOT_LAYER, areas), why if found is not None else "Hotspots need points; there are none."
        )
    boroughs = set(areas.loc[areas["level"] == "borough", "area_code"])
    kept = found[found["borough_code"].isin(boroughs)] if profile.scope else found
    bands = count_bands(max(profile.threshold, 5))
    if profile.audience == "internal":
        layer = kept.assign(incidents_band=[bands.label(int(n)) for n in kept["incidents"]])
        return Shapes(_conformed(layer, areas), "")
    enough = (kept["incidents"] >= profile.threshold) & (kept["distinct_locations"] >= profile.min_locations)
    enough &= kept["top_location_share_pct"] <= profile.max_location_share_pct
    victims = pd.to_numeric(kept["distinct_victims"]).astype("Float64")
    enough &= (victims.isna() | (victims >= profile.threshold)).astype(bool)
    dropped, kept = int((~enough).sum()), kept[enough].sort_values("rank").copy()
    if len(kept) == 0:
        return Shapes(_empty(HOTSPOT_LAYER, areas), "No hotspot is large enough to be shown without risk.")
    kept["incidents_band"] = [bands.label(int(n)) for n in kept["incidents"]]
    kept["rank"] = np.arange(1, len(kept) + 1)
    places = members[windows.headline.id]
    if profile.lattice_m > 0:
        kept.geometry = [_on_lattice(places[places["hotspot_id"] == i], profile.lattice_m) for i in kept["hotspot_id"]]
    kept["hotspot_id"] = [f"H{rank:03d}" for rank in kept["rank"]]
    kept["area_km2"] = (kept.geometry.area / 1e6).round(4)
    kept["incidents"] = pd.NA
    kept["density_per_km2"] = np.nan
    note = f"{dropped} smaller hotspots are not shown, to protect the people involved." if dropped else ""
    return Shapes(_conformed(kept, areas), note)


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
    areas: gpd.GeoDataFrame,
    settings: Density,
    profile: Profile,
    windows: Windows,
    bandwidth_m: float | None,
) -> Shapes:
    """Make the density bands a profile may show: never under its bandwidth, never from few incidents.

    Outside internal each patch of a band must also hold the threshold in incidents and `min_locations` places.
    """
    if bandwidth_m is None or len(locations) == 0:
        return Shapes(_empty(DENSITY_LAYER, areas), "Density needs points; there are none.")
    if not (settings.enabled and profile.density):
        return Shapes(_empty(DENSITY_LAYER, areas), "This profile shows no density.")
    chosen = month_rows(locations, windows.headline)
    total = int(chosen["incidents"].sum())
    if total < profile.min_density_incidents:
        note = f"Density is shown from {profile.min_density_incidents:,} incidents on: there are fewer in the period."
        return Shapes(_empty(DENSITY_LAYER, areas), note)
    made = density_bands(
        chosen,
        study_area=shapely.union_all(areas.loc[areas["level"] == "borough"].geometry.to_numpy()),
        crs=areas.crs,
        settings=settings,
        bandwidth_m=max(bandwidth_m, profile.min_bandwidth_m),
        categories=[c for c in settings.categories if not profile.categories or c == "all" or c in profile.categories],
        min_locations=max(settings.min_locations, profile.min_locations),
        min_incidents=profile.threshold,
        min_total=profile.min_density_incidents,
    )
    layer = gpd.GeoDataFrame(
        DENSITY_LAYER.conform(pd.DataFrame(made.bands)), geometry=made.bands.geometry.to_numpy(), crs=areas.crs
    )
    return Shapes(layer, made.note)
