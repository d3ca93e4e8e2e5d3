"""Risk surfaces: incidents over the people, or the other incidents, that could have had them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from pipeline.detect.density import filled, lowered, month_rows, patch_shapes, places_of
from pipeline.detect.kde import SCALE, Surface, bin_linear, density_from_bins, kde_grid
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.domain.categories import ROOT
from pipeline.errors import InputError
from pipeline.geography.grid import Grid
from pipeline.tables import RISK_BANDS

__all__ = ["MEASURES", "METHOD", "RiskSurface", "population_bins", "risk_surface"]

MEASURES = ("ratio", "difference", "log_ratio")
FLOOR_SHARE = 0.05  # of the base's mean density: in parks and on water a handful of residents would make any risk huge

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RiskSurface:
    """How incidents compare with a base, cell by cell.

    Attributes
    ----------
    grid
        The cells.
    value
        The measure, shape (rows, cols): always a number, 0 where `known` is False.
    known
        Whether the base is dense enough, inside the study area, for the measure to mean anything.
    measure
        ``ratio``: incidents per `per` of the base. ``difference``: incidents per square kilometre above what the base
        would have led one to expect. ``log_ratio``: natural logarithm of the relative risk, 0 where a cell has its
        share.
    per
        Size of the base the ratio is given for, for instance 10,000 residents; 1 for the other measures.
    floor_per_km2
        Base density under which a cell is not known.
    overall_ratio
        Incidents per one of the base, over everything: what the difference and the log ratio compare with.
    """

    grid: Grid
    value: Values
    known: NDArray[np.bool_]
    measure: str
    per: float
    floor_per_km2: float
    overall_ratio: float


def risk_surface(
    incidents: Surface,
    *,
    base: Surface,
    measure: str = "ratio",
    per: float = 1.0,
    floor_per_km2: float | None = None,
) -> RiskSurface:
    """Compare incidents with a population or a second point set.

    With r the incidents per one of the base overall, f and g the two densities: ratio = per x f / g,
    difference = f - r g, log ratio = ln(max(f, r x floor) / (r g)). The floor under f makes the log ratio of an empty
    cell a stated low number in place of minus infinity.

    Parameters
    ----------
    incidents, base
        Two surfaces on the same cells; use one kernel, bandwidth and edge correction for both, so that the ratio is
        unbiased where risk is even.
    measure
        One of `MEASURES`.
    per
        For the ratio: the base it is given for, such as 10,000 residents.
    floor_per_km2
        Base density under which nothing is said; default 5 % of the base's mean over the study area.

    Returns
    -------
    risk
        Numbers everywhere and a mask of where they are known.

    Raises
    ------
    InputError
        If the cells, kernels or bandwidths differ, the base is empty, or a number cannot be used.

    References
    ----------
    Kelsall and Diggle (1995), Statistics in Medicine 14, 2335-2342.
    """
    _check(incidents, base, measure=measure, per=per)
    floor = FLOOR_SHARE * base.mean_inside_per_km2 if floor_per_km2 is None else float(floor_per_km2)
    if not (np.isfinite(floor) and floor > 0):
        raise InputError(f"a floor of {floor} per km2 under the base would divide by nothing: give a number above 0")

    f, g = incidents.density_per_km2, base.density_per_km2
    # Where hardly anyone lives the ratio is noise over nearly nothing: it is unknown there, not high.
    known = g >= floor
    if incidents.inside is not None:
        known = known & (incidents.inside > 0)
    overall = incidents.incidents / base.incidents
    denominator = np.where(known, g, 1.0)
    if measure == "ratio":
        value = per * f / denominator
    elif measure == "difference":
        value = f - overall * g
    elif overall > 0:
        value = np.log(np.maximum(f / overall, floor) / denominator)
    else:  # no incidents: nowhere has more or less than its share of none
        value = np.zeros(f.shape)
    value = np.where(known, value, 0.0)
    return RiskSurface(incidents.grid, value, known, measure, float(per) if measure == "ratio" else 1.0, floor, overall)


def _check(incidents: Surface, base: Surface, *, measure: str, per: float) -> None:
    """Refuse surfaces that cannot be compared."""
    if measure not in MEASURES:
        raise InputError(f"risk measure {measure!r} is not known: use one of {', '.join(MEASURES)}")
    if incidents.grid != base.grid:
        raise InputError(f"incidents are on {incidents.grid}, the base on {base.grid}: use the same cells for both")
    made = [(s.kernel, s.bandwidth_m, s.edge) for s in (incidents, base)]
    if made[0] != made[1]:
        raise InputError(f"incidents were smoothed with {made[0]}, the base with {made[1]}: smooth both alike")
    if not (np.isfinite(per) and per > 0):
        raise InputError(f"a ratio per {per} of the base cannot be given: give a number above 0")
    if base.incidents <= 0:
        raise InputError("the base is empty, so incidents cannot be compared with it: give a population or points")


def population_bins(geometries: Sequence[object], population: ArrayLike, *, grid: Grid) -> NDArray[np.int64]:
    """Spread each area's population evenly over its land, as a base for `risk_surface`.

    Parameters
    ----------
    geometries
        Valid polygons in metres.
    population
        Residents of each, 0 or more.
    grid
        The cells; what lies outside them is left out.

    Returns
    -------
    bins
        Residents per cell in fixed point, `SCALE` to a resident, as `density_from_bins` takes them.

    Raises
    ------
    InputError
        If the lengths differ or a population is not a number of 0 or more.
    """
    people = np.asarray(population, dtype=np.float64)
    if people.shape != (len(geometries),) or not np.isfinite(people).all() or (people < 0).any():
        raise InputError(f"population must be {len(geometries)} finite numbers of 0 or more, one per area")
    bins = np.zeros(grid.shape, dtype=np.int64)
    for shape, residents in zip(geometries, people.tolist(), strict=True):
        west, south, east, north = shapely.bounds(shape)
        # Only the cells under the area's own box: the whole grid for every ward would be wards x cells of work.
        first_col, last_col = _span(west, east, grid.x0, grid.cell_m, grid.cols)
        first_row, last_row = _span(south, north, grid.y0, grid.cell_m, grid.rows)
        if first_col >= last_col or first_row >= last_row:
            continue
        window = Grid(
            grid.x0 + first_col * grid.cell_m,
            grid.y0 + first_row * grid.cell_m,
            grid.cell_m,
            last_row - first_row,
            last_col - first_col,
        )
        # The exact share of the area that each cell holds; residents are spread evenly over it, in fixed point.
        share = window.fraction(shape) * window.cell_km2 * 1e6 / shapely.area(shape)
        bins[first_row:last_row, first_col:last_col] += np.rint(share * residents * SCALE).astype(np.int64)
    return bins


def _span(low: float, high: float, origin: float, cell_m: float, count: int) -> tuple[int, int]:
    """First cell that a stretch touches, and the one past its last, within the grid."""
    first = int(np.floor((low - origin) / cell_m))
    last = int(np.floor((high - origin) / cell_m)) + 1
    return max(first, 0), min(last, count)


# The entry in the registry
# -------------------------


PER_RESIDENTS = 10_000.0  # the base of every rate in the outputs


def _incidents_over_residents(data: DetectInput) -> Findings:
    """Divide the density of incidents by that of residents, cell by cell."""
    settings = data.config.detect.density
    if data.bandwidth is None:
        return Findings()
    bandwidth_m = data.bandwidth.bandwidth_m
    counted = data.study.wards["population"].notna().to_numpy(dtype=bool)
    wards, land = data.study.wards[counted], data.study.ground[counted]
    # Incidents in wards whose residents are unknown would stand over a base that lacks them: both leave.
    ground = data.study.outline if counted.all() else shapely.union_all(land)
    grid = kde_grid(data.study.outline.bounds, bandwidth_m=bandwidth_m, kernel=settings.kernel, cell_m=settings.cell_m)
    # One kernel, bandwidth, edge and grid for both, so that where risk is even their ratio is even; nothing is known
    # beyond the study area.
    options: dict[str, Any] = {
        "grid": grid,
        "bandwidth_m": bandwidth_m,
        "kernel": settings.kernel,
        "edge": settings.edge,
        "inside": grid.fraction(ground),
    }
    rows = month_rows(data.locations, data.window.headline)
    if len(wards) < len(data.study.wards):
        rows = rows[rows["ward_code"].isin(wards["area_code"])]
    xy, weights = places_of(rows, category="all")
    residents = population_bins(list(land), wards["population"].to_numpy(dtype=np.float64), grid=grid)
    found = risk_surface(
        density_from_bins(bin_linear(xy, grid=grid, weights=weights), **options),
        base=density_from_bins(residents, **options),
        measure=settings.risk.form,
        per=PER_RESIDENTS,
    )
    layer, name = _bands(found, within=ground, places_m=xy, least=settings.min_locations), data.window.headline.id
    known, base = int(found.known.sum()), data.config.areas.base
    few = f"; {len(xy)} places are too few for a band, which needs {settings.min_locations}"
    return Findings(
        tables={f"patterns/{name}/{RISK_BANDS.name}.parquet": layer.set_crs(data.areas.crs)},
        choices={
            f"risk_surface {name}": f"{settings.risk.form} to {base}, {known:,} cells known, {len(layer)} bands"
            + (few if len(xy) < settings.min_locations else "")
        },
    )


BAND_TIMES = (1.5, 2.0, 3.0, 5.0, 10.0)
"""Bands of the surface, as multiples of the risk of everybody; under 1.5 times it is about the same."""


def _bands(risk: RiskSurface, *, within: Any, places_m: NDArray[np.float64], least: int) -> gpd.GeoDataFrame:
    """Return the bands of a surface as rows of RISK_BANDS; those without ground are left out.

    A patch with fewer than `least` of the distinct places of incidents is in the band below, or in none: where few
    live, one incident alone is many times the usual risk.

    A difference has no multiple: its bands are these multiples of the mean by which incidents exceed what residents
    lead to expect, where they do not as 0.
    """
    if risk.measure == "ratio":
        levels = [times * risk.overall_ratio * risk.per for times in BAND_TIMES]
    elif risk.measure == "log_ratio":
        levels = [float(np.log(times)) for times in BAND_TIMES]
    else:
        levels = (
            [times * float(risk.value[risk.known].clip(min=0).mean()) for times in BAND_TIMES]
            if risk.known.any()
            else []
        )
    rows, shapes = [], []
    levels = [low for low in levels if low > 0]
    for k, low in enumerate(levels):
        high = levels[k + 1] if k + 1 < len(levels) else None
        # Borders that only touch leave lines and points, which are no ground.
        pieces = shapely.get_parts(
            shapely.get_parts(shapely.intersection(filled(risk.value, risk.grid, low, high), within))
        )
        shape = shapely.multipolygons(pieces[shapely.get_dimensions(pieces) == 2])
        if shapely.is_empty(shape):
            continue
        rows.append(
            {
                "band_id": f"R{k + 1}",
                "category": ROOT,
                "measure": risk.measure,
                "value_low": low,
                "value_high": high,
                "times_low": None if risk.measure == "difference" else BAND_TIMES[k],
            }
        )
        shapes.append(shape)
    if shapes:
        tree = shapely.STRtree(shapely.points(places_m))
        pieces = shapely.get_parts(shapes)

        def enough(patch: Any, piece: Any) -> Any:
            patches = patch_shapes(pieces[piece], patch)
            held, _ = tree.query(patches, predicate="intersects")
            return np.bincount(held, minlength=len(patches)) >= least

        shapes = lowered(np.array(shapes, dtype=object), enough)
    table = RISK_BANDS.conform(pd.DataFrame(rows, columns=RISK_BANDS.names))
    layer = gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(shapes))
    return layer[~layer.geometry.is_empty].reset_index(drop=True)


METHOD = Method(
    name="risk_surface",
    section="detect.density.risk",
    needs=frozenset({Need.POINTS, Need.POPULATION}),
    scope=Scope.INTERNAL,
    switch="detect.density.risk.against",
    run=_incidents_over_residents,
)
