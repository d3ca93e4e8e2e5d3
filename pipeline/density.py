"""Density bands of a set of places: bandwidth, surface, contours and the rules that keep lone places out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.clusters import distinct
from pipeline.config import Density
from pipeline.domain.periods import Period
from pipeline.geography.areas import AreaIndex
from pipeline.isopleths import bands, lowered, mean_thresholds
from pipeline.kde import (
    ADAPTIVE_WIDEST,
    BandwidthChoice,
    adaptive_density,
    bin_linear,
    choose_bandwidth,
    density,
    kde_grid,
    peak_per_km2,
)

__all__ = ["Bands", "bandwidth_of", "density_bands", "month_rows", "places_of"]


SNAP_M = 0.1  # neighbouring bands then share their corners, and no sliver lies between them


@dataclass(frozen=True, slots=True)
class Bands:
    """Bands of one or more categories (columns of the density layer), and how they were made, in a sentence."""

    bands: gpd.GeoDataFrame
    note: str
    notes: tuple[str, ...]


def month_rows(locations: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Return the rows of `locations` whose month lies in the period."""
    inside = locations["month"].between(period.first_month, period.last_month)
    return locations if inside.all() else locations[inside]


def places_of(locations: pd.DataFrame, *, category: str) -> tuple[Any, Any]:
    """Return distinct places, shape (m, 2) in metres, and the incidents of a category at each, shape (m,)."""
    rows = locations
    if category != "all":
        named = locations["categories"].fillna("").drop_duplicates()
        having = {text for text in named if category in text.split(";")}
        rows = locations[locations["categories"].fillna("").isin(having)]
    points = np.column_stack([rows[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m")])
    xy, sums, _ = distinct(points, weights=rows["incidents"].to_numpy(dtype=np.int64))
    return xy, sums


def bandwidth_of(locations: pd.DataFrame, *, settings: Density) -> BandwidthChoice:
    """Choose the bandwidth: as configured, or by leave-one-out likelihood over all incidents."""
    xy, weights = places_of(locations, category="all")
    if settings.bandwidth_m != "auto":
        return BandwidthChoice(
            bandwidth_m=float(settings.bandwidth_m),
            ladder_m=(),
            log_likelihoods=(),
            n_incidents=float(weights.sum()),
            n_locations=len(xy),
            repeated_share=float(weights[weights > 1].sum() / max(weights.sum(), 1)),
            reason="as configured",
        )
    return choose_bandwidth(xy, kernel=settings.kernel, weights=weights, floor_m=settings.min_bandwidth_m)


def density_bands(
    locations: pd.DataFrame,
    *,
    study_area: Any,
    crs: Any,
    settings: Density,
    bandwidth_m: float,
    categories: Sequence[str],
    min_locations: int,
    min_incidents: int = 0,
    min_total: int = 0,
) -> Bands:
    """Draw the bands of each category.

    Parameters
    ----------
    locations
        Rows of the table `locations` in one period.
    study_area
        Polygon the mean density is taken over and the bands are cut to.
    crs
        System of the result.
    settings
        Kernel, cells, edge correction, band limits as multiples of the mean.
    bandwidth_m
        Bandwidth, metres.
    categories
        Surfaces to make.
    min_locations
        Fewest distinct places a band rests on.
    min_incidents
        Fewest incidents inside a connected patch of a band and what lies above it; smaller patches are left out.
    min_total
        Fewest incidents of a category for a surface of its own.

    Returns
    -------
    bands
        Columns density_id, category, density_low, density_high (incidents per square kilometre in the period).
    """
    cell = settings.cell_m or bandwidth_m / 10
    widest = ADAPTIVE_WIDEST if settings.adaptive else 1.0
    grid = kde_grid(study_area.bounds, bandwidth_m=bandwidth_m, kernel=settings.kernel, cell_m=cell, widest=widest)
    inside = grid.fraction(study_area)
    whole = AreaIndex.build(np.array([study_area], dtype=object), ["all"], snap_m=0)
    rows: list[tuple[str, str, float, float | None]] = []
    shapes: list[Any] = []
    notes: list[str] = []
    for category in categories:
        xy, weights = places_of(locations, category=category)
        held = whole.locate(xy).code_index >= 0
        xy, weights = xy[held], weights[held]
        if weights.sum() < max(min_total, 1):
            notes.append(f"{category}: too few incidents for a surface")
            continue
        options: dict[str, Any] = {"grid": grid, "bandwidth_m": bandwidth_m, "kernel": settings.kernel}
        corrected: dict[str, Any] = {"edge": settings.edge, "inside": inside}
        if settings.adaptive:
            surface = adaptive_density(bin_linear(xy, grid=grid, weights=weights), **options, **corrected)
        else:
            surface = density(xy, **options, **corrected, weights=weights)
        notes += [f"{category}: {note}" for note in surface.notes]
        found = bands(
            surface.density_per_km2,
            grid=grid,
            thresholds_per_km2=_told(mean_thresholds(surface.mean_inside_per_km2, multiples=settings.bands)),
            locations_per_km2=density(xy, **options).density_per_km2,
            location_peak_per_km2=peak_per_km2(settings.kernel, bandwidth_m),
            min_locations=min_locations,
            within=study_area,
        )
        for low, high, shape in _enough(
            [(b.density_low, b.density_high, b.geometry) for b in found], xy, weights, min_incidents
        ):
            rows.append(
                (f"{category}-{len(rows) + 1:02d}", category, round(low, 4), None if high is None else round(high, 4))
            )
            shapes.append(shapely.set_precision(shape, SNAP_M))
    frame = pd.DataFrame(rows, columns=["density_id", "category", "density_low", "density_high"])
    least = f" or {min_incidents} incidents: such ground is drawn in the band below" if min_incidents > 0 else ""
    note = (
        f"{settings.kernel.capitalize()} kernel, bandwidth {bandwidth_m:,.0f} m, cells of {cell:,.0f} m; "
        f"bands at {', '.join(f'{b:g}' for b in settings.bands)} times the mean density; "
        f"no band from fewer than {min_locations} places{least}."
    )
    return Bands(gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(shapes, crs=crs), crs=crs), note, tuple(notes))


def _told(thresholds: Sequence[float]) -> tuple[float, ...]:
    """Round band limits to two figures: readers can say them, and they do not give the exact total back."""
    return tuple(sorted({float(f"{t:.2g}") for t in thresholds}))


def _enough(
    found: list[tuple[float, float | None, Any]], xy: Any, weights: Any, min_incidents: int
) -> list[tuple[float, float | None, Any]]:
    """Lower patches (a connected piece of a band with everything above it) that hold too few incidents."""
    if min_incidents <= 0 or not found:
        return found
    # Pieces of all bands, the highest first, so that a place on the line between two counts for the higher.
    shapes = np.array([shape for _, _, shape in found], dtype=object)
    pieces, band = shapely.get_parts(shapes, return_index=True)
    order = np.argsort(-band, kind="stable")
    codes = np.empty(len(pieces), dtype=object)
    codes[order] = [f"{i:09d}" for i in range(len(pieces))]
    piece = AreaIndex.build(pieces, codes.tolist(), snap_m=0).locate(xy).code_index
    held = np.bincount(piece[piece >= 0], weights=weights[piece >= 0], minlength=len(pieces))

    def enough(patches: Any, patch: Any, at: Any) -> Any:
        return np.bincount(patch, weights=held[at], minlength=len(patches)) >= min_incidents

    kept = lowered(shapes, enough)
    return [(low, high, shape) for (low, high, _), shape in zip(found, kept, strict=True) if not shape.is_empty]
