"""Density bands of a set of places: bandwidth, surface, contours and the rules that keep lone places out."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.config import Density, DensityBands
from pipeline.detect.kde import (
    ADAPTIVE_WIDEST,
    BandwidthChoice,
    Surface,
    adaptive_density,
    bin_linear,
    choose_bandwidth,
    collapse,
    density,
    kde_grid,
    peak_per_km2,
    reach_m,
)
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.domain.categories import having, in_total
from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.geography.areas import AreaIndex
from pipeline.geography.grid import Grid

__all__ = [
    "MEAN_MULTIPLES",
    "METHOD",
    "Band",
    "Bands",
    "bands",
    "bandwidth_of",
    "density_bands",
    "filled",
    "lowered",
    "mean_thresholds",
    "month_rows",
    "patch_shapes",
    "places_of",
    "share_thresholds",
]


# In per cent: the peaks, a quarter, half, and three quarters, which in London end about where density is average. Times
# the mean: three and over is the field's usual cut for a hotspot.
LIMITS = {"share": (10.0, 25.0, 50.0, 75.0), "mean": (1.5, 3.0, 5.0, 8.0, 13.0, 20.0)}
MOSTLY_DRAWN = 0.9  # of the incidents that a band of shares is to hold: with less it is not named after them
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


def places_of(locations: pd.DataFrame, *, category: str, outside: Collection[str] = ()) -> tuple[Any, Any]:
    """Return distinct places, shape (m, 2) in metres, and the incidents of a category at each, shape (m,).

    `outside` are the categories that count in no total: rows that are in these alone are no part of `all`.
    """
    rows = locations
    if category == "all":
        rows = locations[in_total(locations["categories"], outside)] if outside else locations
    else:
        rows = locations[having(locations["categories"], category)]
    points = np.column_stack([rows[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m")])
    first, place = collapse(points)
    sums = np.zeros(len(first), dtype=np.int64)
    np.add.at(sums, place, rows["incidents"].to_numpy(dtype=np.int64))
    return points[first], sums


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
    outside: Collection[str] = (),
    min_locations: int,
    min_incidents: int = 0,
    min_total: int = 0,
    step: int = 1,
    done: Callable[[int, int], None] = lambda _done, _total: None,
) -> Bands:
    """Draw the bands of each category.

    Parameters
    ----------
    locations
        Rows of the table `locations` in one period.
    study_area
        Polygon that shares and the mean density are taken over and the bands are cut to.
    crs
        System of the result.
    settings
        Kernel, cells, edge correction, band limits.
    bandwidth_m
        Bandwidth, metres.
    categories
        Surfaces to make.
    outside
        Categories that count in no total.
    min_locations
        Fewest distinct places a band rests on.
    min_incidents
        Fewest incidents inside a connected patch of a band and what lies above it; smaller patches are left out.
    min_total
        Fewest incidents of a category for a surface of its own.
    step
        Width of the steps that counts are released in: limits say no more than the step of the incidents inside.
    done
        Called before each surface with how many of how many are drawn.

    Returns
    -------
    bands
        Columns density_id, category, density_low, density_high (incidents per square kilometre in the period), and
        share_pct where limits are shares: how much of all incidents the band holds together with those above it.
    """
    cell = settings.cell_m or bandwidth_m / 10
    widest = ADAPTIVE_WIDEST if settings.adaptive else 1.0
    grid = kde_grid(study_area.bounds, bandwidth_m=bandwidth_m, kernel=settings.kernel, cell_m=cell, widest=widest)
    # The mean, the edge correction and the bands all refer to the study area, so incidents outside it stay out.
    inside = grid.fraction(study_area)
    whole = AreaIndex.build(np.array([study_area], dtype=object), ["all"], snap_m=0)
    rows: list[tuple[str, str, float, float | None, float | None]] = []
    shapes: list[Any] = []
    notes: list[str] = []
    for number, category in enumerate(categories):
        done(number, len(categories))
        xy, weights = places_of(locations, category=category, outside=outside)
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
        places_per_km2 = density(xy, **options).density_per_km2
        least_places = min_locations * peak_per_km2(settings.kernel, bandwidth_m)
        levels = _levels(surface, settings.bands, step=step, drawable=places_per_km2 >= least_places)
        found = bands(
            surface.density_per_km2,
            grid=grid,
            thresholds_per_km2=tuple(levels),
            locations_per_km2=places_per_km2,
            location_peak_per_km2=peak_per_km2(settings.kernel, bandwidth_m),
            min_locations=min_locations,
            within=study_area,
        )
        for low, high, shape in _without_small_patches(
            [(b.density_low, b.density_high, b.geometry) for b in found], xy, weights, min_incidents
        ):
            upper = None if high is None else round(high, 4)
            rows.append((f"{category}-{len(rows) + 1:02d}", category, round(low, 4), upper, levels[low]))
            shapes.append(shapely.set_precision(shape, SNAP_M))
    frame = pd.DataFrame(rows, columns=["density_id", "category", "density_low", "density_high", "share_pct"])
    reach = reach_m(settings.kernel, bandwidth_m)
    # The least density of places times the area within reach: about three times as many as at one spot for the quartic.
    spread = round(min_locations * peak_per_km2(settings.kernel, bandwidth_m) * np.pi * reach**2 / 1e6)
    least = f" A patch has {min_incidents} incidents or more; one with fewer is drawn in the band below." * (
        min_incidents > 0
    )
    note = (
        f"{settings.kernel.capitalize()} kernel, bandwidth {bandwidth_m:,.0f} m, cells of {cell:,.0f} m"
        f"{', corrected at borders' if settings.edge != 'none' else ''}. {_bands_in_words(settings.bands)} "
        f"A band needs {min_locations} places close together, or about {spread} spread over its reach.{least}"
    )
    return Bands(gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(shapes, crs=crs), crs=crs), note, tuple(notes))


def _levels(surface: Surface, asked: DensityBands, *, step: int, drawable: Any) -> dict[float, float | None]:
    """Return the level at which each band begins, ascending, and the share of the incidents at or above it.

    Levels that follow from the data are rounded to two figures: readers can quote them, and nothing exact can be
    computed from them. Where two come out equal, the area is the same and holds the greater share. No share is stated
    where more than a tenth of it lies where too few places are for a band (`drawable`, shape (rows, cols)).
    """
    if asked.by == "per_km2":
        return dict.fromkeys(_limits(asked))
    if asked.by == "mean":
        # The mean of a released surface follows from its step: the exact total cannot be computed from it.
        stepped = surface.incidents // step * step + step // 2
        mean = surface.mean_inside_per_km2 * stepped / surface.incidents
        return dict.fromkeys(sorted(_two_figures(t) for t in mean_thresholds(mean, multiples=_limits(asked))))
    values = surface.density_per_km2
    inside = np.ones(values.shape) if surface.inside is None else surface.inside
    volume, shares = values * inside, dict[float, float | None]()
    # Greater shares last: they stay.
    for share, exact in zip(
        _limits(asked), share_thresholds(values, inside=inside, shares_pct=_limits(asked)), strict=False
    ):
        level = _two_figures(exact)
        drawn = 100 * volume[drawable & (values >= level)].sum() / volume.sum()
        shares[level] = share if drawn >= MOSTLY_DRAWN * share else None
    return dict(sorted(shares.items()))


def _limits(asked: DensityBands) -> tuple[float, ...]:
    """Limits as set or by default, ascending."""
    return tuple(sorted(set(asked.limits if asked.limits is not None else LIMITS[asked.by])))


def _two_figures(level: float) -> float:
    return float(f"{level:.2g}")


def _bands_in_words(asked: DensityBands) -> str:
    limits = [f"{limit:g}" for limit in _limits(asked)]
    listed = " and ".join([", ".join(limits[:-1]), limits[-1]] if len(limits) > 1 else limits)
    if asked.by == "share":
        return f"Bands are the smallest areas that hold {listed}% of all, by the volume under the surface."
    unit = "per km²" if asked.by == "per_km2" else "times the mean density"
    return f"Bands begin at {listed} {unit}."


def _without_small_patches(
    found: list[tuple[float, float | None, Any]], xy: Any, weights: Any, min_incidents: int
) -> list[tuple[float, float | None, Any]]:
    """Lower the band of patches (a connected piece with everything above it) that have too few incidents."""
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

    def enough(patch: Any, piece: Any) -> Any:
        return np.bincount(patch, weights=held[piece]) >= min_incidents

    kept = lowered(shapes, enough)
    return [(low, high, shape) for (low, high, _), shape in zip(found, kept, strict=True) if not shape.is_empty]


# Density bands as polygons: contours of a surface, with a rule that keeps lone incidents off the map
# ----------------------------------------------------------------------------------------------------


MEAN_MULTIPLES = (1.0, 2.0, 3.0, 5.0, 8.0)  # three times the mean and over is the usual cut for a hotspot
PRECISION_M = 0.001  # a millimetre: overlays snap to it, so that rounding leaves no hair-thin gaps
LEAST_PART_M2 = 1.0  # what clipping leaves behind below this is dropped

Values = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """The area in which density lies between two levels.

    Attributes
    ----------
    density_low, density_high
        Incidents per square kilometre, low included; None above the highest level.
    geometry
        A valid multipolygon in the grid's projection.
    """

    density_low: float
    density_high: float | None
    geometry: Any


def mean_thresholds(mean_per_km2: float, *, multiples: Sequence[float] = MEAN_MULTIPLES) -> tuple[float, ...]:
    """Return levels at multiples of the mean density inside the study area, per square kilometre.

    An area without incidents has no levels.

    Raises
    ------
    InputError
        If the mean is negative or not finite, or a multiple is not above 0.
    """
    if not (np.isfinite(mean_per_km2) and mean_per_km2 >= 0):
        raise InputError(f"a mean density of {mean_per_km2} per km2 cannot be multiplied: give 0 or more")
    if not all(np.isfinite(m) and m > 0 for m in multiples):
        raise InputError(f"multiples of the mean {tuple(multiples)} must all be above 0")
    return tuple(sorted({float(m * mean_per_km2) for m in multiples})) if mean_per_km2 > 0 else ()


def share_thresholds(density_per_km2: Values, *, inside: Values, shares_pct: Sequence[float]) -> tuple[float, ...]:
    """Return the levels above which the smallest area holds given shares of a surface's volume, per square kilometre.

    The area at or above a level is the smallest that holds its volume, because any other of the same size has lower
    ground in place of higher. Land without incidents adds no volume, so it moves no level.

    Parameters
    ----------
    density_per_km2
        Surface, shape (rows, cols).
    inside
        Share of each cell in the study area, same shape.
    shares_pct
        Shares in per cent, over 0 and under 100.

    Returns
    -------
    levels
        One for each share, in its order; none if the surface is 0 everywhere.

    Raises
    ------
    InputError
        If a share is not between 0 and 100.

    References
    ----------
    Worton (1989), Ecology 70, 164-168: contours of volume; Hyndman (1996), The American Statistician 50, 120-126:
    the smallest region that holds a share.
    """
    wanted = np.asarray(shares_pct, dtype=np.float64)
    if not ((wanted > 0) & (wanted < 100)).all():
        raise InputError(f"shares of the incidents {tuple(shares_pct)} must be over 0 and under 100 per cent")
    flat, volume = density_per_km2.ravel(), (density_per_km2 * inside).ravel()
    held = np.flatnonzero(volume > 0)
    if not held.size:
        return ()
    order = held[np.argsort(-flat[held], kind="stable")]
    running = np.cumsum(volume[order])
    at = np.searchsorted(running, wanted / 100 * running[-1])
    return tuple(flat[order[np.minimum(at, order.size - 1)]].tolist())


def bands(
    density_per_km2: Values,
    *,
    grid: Grid,
    thresholds_per_km2: Sequence[float],
    locations_per_km2: Values,
    location_peak_per_km2: float,
    min_locations: int = 5,
    within: Any = None,
) -> tuple[Band, ...]:
    """Draw the bands of a surface.

    A band reaches only where the density of *distinct locations*, surfaced with the same kernel, is at least
    `min_locations` times what one location has at its own place (for the quartic: density x pi h^2 / 3 >= the minimum
    number of locations). A lone incident, or ten at one address, is one location and makes no band.

    Parameters
    ----------
    density_per_km2
        Incidents per square kilometre at the cell centres, shape (rows, cols).
    grid
        The cells.
    thresholds_per_km2
        Levels, above 0; a band runs from each to the next, the last upwards.
    locations_per_km2
        Distinct locations per square kilometre, same kernel, same cells.
    location_peak_per_km2
        Density of one location at its own place, per square kilometre.
    min_locations
        Distinct locations a band must rest on, 1 or more.
    within
        Polygon to cut the bands to; None leaves them whole.

    Returns
    -------
    bands
        Lowest first; a band without ground is left out. Same input, same bytes.

    Raises
    ------
    InputError
        If shapes disagree, or a number cannot be used.
    """
    levels = _checked_levels(thresholds_per_km2)
    for name, values in (("density", density_per_km2), ("location density", locations_per_km2)):
        if values.shape != grid.shape or not np.isfinite(values).all():
            raise InputError(f"the {name} must be finite numbers of shape {grid.shape}: got shape {values.shape}")
    if min_locations < 1 or not location_peak_per_km2 > 0:
        raise InputError(f"min_locations {min_locations} must be 1 or more, and one location's peak above 0")
    if not levels or density_per_km2.max(initial=0.0) < levels[0]:
        return ()
    # A hair under the minimum, so that rounding in the transform does not undo locations that meet it exactly.
    # Where fewer than the minimum of *distinct* locations contribute no band is drawn: a kernel round one address would
    # mark it as exactly as a pin.
    enough = filled(locations_per_km2, grid, min_locations * location_peak_per_km2 * (1 - 1e-6), None)
    if within is not None:
        enough = _polygons(shapely.intersection(enough, within))
    found = []
    for low, high in zip(levels, [*levels[1:], None], strict=True):
        ground = _polygons(shapely.intersection(filled(density_per_km2, grid, low, high), enough))
        if not ground.is_empty:
            found.append(Band(low, high, ground))
    return tuple(found)


def lowered(shapes: NDArray[Any], enough: Callable[[Places, Places], Any]) -> list[Any]:
    """Draw patches with too few incidents in the band below, or omit them if there is none.

    A patch is a connected piece of a band with everything above it. Leaving a small one out would cut a hole into the
    band round it: readers would see where the few are, and take the densest ground for the emptiest.

    Parameters
    ----------
    shapes
        Multipolygons of the bands, lowest first, shape (m,); they do not overlap.
    enough
        Takes the patch of each of some pieces, numbered from 0, and its position among the pieces of all bands (in the
        order of `shapely.get_parts(shapes)`), both of shape (n,); says of each patch whether it rests on enough.

    Returns
    -------
    shapes
        As many, empty where nothing is left of a band.
    """
    pieces, band = shapely.get_parts(shapes, return_index=True)
    if not len(pieces):
        return list(shapes)
    linked = _linked(pieces)
    drawn = np.full(len(pieces), -1)
    for number in range(band[-1] + 1):
        above = np.flatnonzero(band >= number)
        # From the lowest band up: join everything at or above it into patches, and let each piece keep the highest band
        # at which its patch still rests on enough.
        patch = connected_components(linked[above][:, above], directed=False)[1].astype(np.int64)
        drawn[above[enough(patch, above)[patch]]] = number
    out = []
    for number in range(len(shapes)):
        mine = np.flatnonzero(drawn == number)
        # Drawn alike whether or not patches of the band above are among them: on one grid, in one order (`_polygons`).
        if (band[mine] != number).any():
            # Only pieces that share a line have to be joined: unions of many pieces take long.
            patch = connected_components(linked[mine][:, mine], directed=False)[1]
            out.append(_polygons(patch_shapes(pieces[mine], patch)))
        else:
            out.append(_polygons(shapely.set_precision(pieces[mine], PRECISION_M)))
    return out


def patch_shapes(pieces: NDArray[Any], patch: Places) -> NDArray[Any]:
    """Join pieces, shape (n,), to the ground of each patch, where `patch` is that of each piece, numbered from 0."""
    joined = [shapely.union_all(pieces[patch == number], grid_size=PRECISION_M) for number in range(patch.max() + 1)]
    # A union of one piece is not on the grid yet.
    return np.asarray(shapely.set_precision(joined, PRECISION_M), dtype=object)


def _linked(pieces: NDArray[Any]) -> csr_array:
    """Return which pieces share part of their outlines, more than single points, shape (n, n).

    Neighbouring bands are cut along the same line, so that their outlines have its corners in common.
    """
    rings, piece = shapely.get_rings(pieces, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    place = np.rint(xy / PRECISION_M).astype(np.int64)
    place -= place.min(axis=0)
    corner = np.unique(place[:, 0] * (place[:, 1].max() + 1) + place[:, 1], return_inverse=True)[1]
    ends = np.sort(np.column_stack([corner[:-1], corner[1:]]), axis=1)
    within = (ring[:-1] == ring[1:]) & (ends[:, 0] < ends[:, 1])
    ends, owner = ends[within], piece[ring[:-1][within]]
    segment = np.unique(ends[:, 0] * len(corner) + ends[:, 1], return_inverse=True)[1]
    having = csr_array((np.ones(len(owner)), (owner, segment)), shape=(len(pieces), len(ends)))
    return csr_array(having @ having.T)


def _checked_levels(thresholds_per_km2: Sequence[float]) -> list[float]:
    levels = [float(t) for t in thresholds_per_km2]
    if not all(np.isfinite(t) and t > 0 for t in levels) or any(b <= a for a, b in pairwise(levels)):
        raise InputError(f"band levels {levels} must be above 0 per km2 and ascending")
    return levels


def filled(values: Values, grid: Grid, low: float, high: float | None) -> Any:
    """Return the area where low <= value < high, linear between centres, as a valid multipolygon."""
    from contourpy import FillType, contour_generator

    top = float(values.max(initial=0.0))
    if top < low:
        return shapely.MultiPolygon()
    # A ring of zeros closes every contour before the grid ends.
    padded = np.pad(values, 1)
    x = grid.x0 + (np.arange(-1, grid.cols + 1) + 0.5) * grid.cell_m
    y = grid.y0 + (np.arange(-1, grid.rows + 1) + 0.5) * grid.cell_m
    maker = contour_generator(x, y, padded, name="serial", fill_type=FillType.OuterOffset)
    shapes = []
    for points, offsets in zip(*maker.filled(low, top + 1.0 if high is None else high), strict=True):
        rings = [points[a:b] for a, b in pairwise(offsets)]
        shapes.append(shapely.Polygon(rings[0], rings[1:]))
    whole = shapely.multipolygons(shapes)
    # Contours may meet at a corner, which makes a ring touch itself. Where none do, there is nothing to join.
    if not shapely.is_valid(whole):
        whole = shapely.union_all(shapely.make_valid(np.array(shapes, dtype=object), method="structure"))
    return _polygons(whole)


def _polygons(shape: Any) -> Any:
    """Keep the polygons of whatever an overlay gave, as one multipolygon in one order."""
    parts = shapely.get_parts(np.atleast_1d(np.asarray(shape, dtype=object)))
    parts = shapely.get_parts(parts)  # a collection may hold multipolygons
    keep = parts[(shapely.get_dimensions(parts) == 2) & (shapely.area(parts) >= LEAST_PART_M2)]
    return shapely.normalize(shapely.multipolygons(keep)) if len(keep) else shapely.MultiPolygon()


# The entry in the registry
# -------------------------
# The bands themselves are drawn by the release stage, under each profile's own rules: the
# detect stage settles the bandwidth, so that every profile's surface has the same.


def _report_bandwidth(data: DetectInput) -> Findings:
    """Record the bandwidth, why it was chosen, and how well each candidate did."""
    choice = data.bandwidth
    if choice is None:
        return Findings()
    ladder = zip(choice.ladder_m, choice.log_likelihoods, strict=True)
    return Findings(
        state={"bandwidth_m": choice.bandwidth_m},
        choices={
            "bandwidth_m": choice.bandwidth_m,
            "bandwidth_reason": choice.reason,
            "bandwidth_ladder": {f"{h:g} m": score for h, score in ladder},
        },
    )


METHOD = Method(
    name="density",
    section="detect.density",
    needs=frozenset({Need.POINTS}),
    scope=Scope.RUN,
    switch=None,  # the risk surface and the release need a bandwidth even where no bands are drawn
    run=_report_bandwidth,
)
