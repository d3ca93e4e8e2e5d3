"""The layers of a release: the headline period as one row per area, hotspots and density bands.

Every writer (GeoJSON, GeoPackage, pages) takes its layers from here, so that all of them say the same.
"""

import geopandas as gpd
import pandas as pd

from pipeline.release.released import Released
from pipeline.tables import AREA_LAYER, DENSITY_LAYER, HOTSPOT_LAYER

__all__ = ["area_layer", "density_layer", "headline_rows", "hotspot_layer"]


def headline_rows(released: Released, *, level: str, category: str = "all") -> pd.DataFrame:
    """Return the area_counts rows of the headline period for one level and category, indexed by area code."""
    counts = released.counts
    chosen = counts[
        (counts["level"] == level) & (counts["period"] == released.info.headline.id) & (counts["category"] == category)
    ]
    return chosen.set_index("area_code")


def area_layer(released: Released, *, level: str) -> gpd.GeoDataFrame:
    """Return one level with the figures of the headline period, in the working system, sorted by code.

    Areas that are not covered are present with empty figures. Each category adds a column `incidents_<category>`;
    where it is withheld, the column is named in `withheld`.
    """
    areas = released.areas[released.areas["level"] == level].sort_values("area_code")
    names = released.areas.set_index("area_code")["name"]
    rows = headline_rows(released, level=level).reindex(areas["area_code"])
    out = pd.DataFrame(
        {
            "area_code": areas["area_code"].to_numpy(),
            "area_name": areas["name"].to_numpy(),
            "level": level,
            "parent_code": areas["parent_code"].to_numpy(),
            "parent_name": areas["parent_code"].map(names).to_numpy(),
            "area_vintage": areas["vintage"].to_numpy(),
            "population": areas["population"].to_numpy(),
            "population_year": areas["population_year"].to_numpy(),
            "covered": areas["covered"].to_numpy(),
            "period_start": released.info.headline.start,
            "period_end": released.info.headline.end,
        }
    )
    for column in AREA_LAYER.names[AREA_LAYER.names.index("incidents") :]:
        out[column] = rows[column].to_numpy()
    withheld = out["withheld"].fillna("").str.split(";").map(lambda names: [n for n in names if n in out])
    for category in released.info.categories:
        if category.id == "all":
            continue
        column = f"incidents_{category.id}"
        part = headline_rows(released, level=level, category=category.id).reindex(areas["area_code"])
        out[column] = part["incidents"].astype("Int64").to_numpy()
        hidden = part["withheld"].fillna("").str.split(";").map(lambda names: "incidents" in names).to_numpy()
        withheld = pd.Series(
            [[*names, column] if hide else names for names, hide in zip(withheld, hidden, strict=True)], dtype=object
        )
    out["withheld"] = withheld.map(";".join).astype("str")
    checked = AREA_LAYER.conform(out)
    for category in released.info.categories:
        if category.id != "all":
            checked[f"incidents_{category.id}"] = checked[f"incidents_{category.id}"].astype("Int64")
    return gpd.GeoDataFrame(checked, geometry=areas.geometry.to_numpy(), crs=released.info.working_crs)


def hotspot_layer(released: Released) -> gpd.GeoDataFrame:
    """Return the hotspots of the release, by rank."""
    frame = HOTSPOT_LAYER.conform(pd.DataFrame(released.hotspots).sort_values("rank"))
    shapes = released.hotspots.sort_values("rank").geometry.to_numpy()
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=released.info.working_crs)


def density_layer(released: Released) -> gpd.GeoDataFrame:
    """Return the density bands of the release, by category and from low to high."""
    ordered = released.density.sort_values(["category", "density_low"])
    frame = DENSITY_LAYER.conform(pd.DataFrame(ordered))
    return gpd.GeoDataFrame(frame, geometry=ordered.geometry.to_numpy(), crs=released.info.working_crs)
