"""Where: invented centres in each borough that grow, fade and shift, and a background between them."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from pipeline.errors import InputError
from pipeline.sample.layout import DAYS, draw, generator

__all__ = ["Boroughs", "Towns", "borough_shapes_m", "draw_places", "lay_towns"]

# British National Grid by a fixed seven-parameter shift. A general transformer takes a better grid where one is
# installed, and the "same" sample would then differ by metres from one machine to the next.
TO_GRID = (
    "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=push +v_3 +step +proj=cart +ellps=WGS84 "
    "+step +inv +proj=helmert +x=446.448 +y=-125.157 +z=542.06 +rx=0.15 +ry=0.247 +rz=0.842 +s=-20.489 "
    "+convention=position_vector +step +inv +proj=cart +ellps=airy +step +proj=pop +v_3 "
    "+step +proj=tmerc +lat_0=49 +lon_0=-2 +k=0.9996012717 +x_0=400000 +y_0=-100000 +ellps=airy"
)
CENTRES = 9  # at most, per borough
ADDRESSES = 30  # per centre: places that come back
IN_CENTRES, NEAR_CENTRES, ANYWHERE = 0.55, 0.27, 0.18
MONTHS = 36

Points = NDArray[np.float64]
Shapes = NDArray[np.object_]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Boroughs:
    """Areas to spread incidents over; polygons in longitude and latitude (EPSG:4326), one per code."""

    codes: tuple[str, ...]
    names: tuple[str, ...]
    polygons: Shapes

    def __post_init__(self) -> None:
        if not 0 < len(self.codes) == len(self.names) == len(self.polygons):
            raise InputError(
                f"boroughs need one name and one polygon per code: {len(self.codes)} codes, {len(self.names)} names, "
                f"{len(self.polygons)} polygons"
            )
        if len(set(self.codes)) < len(self.codes):
            raise InputError("borough codes repeat: give each borough once")
        bounds = shapely.total_bounds(self.polygons)
        if not (np.isfinite(bounds).all() and np.abs(bounds[[0, 2]]).max() <= 180 and np.abs(bounds).max() <= 360):
            raise InputError("borough polygons must be in degrees (EPSG:4326): their bounds are not on the globe")

    def in_order(self) -> "Boroughs":
        """Sort by code, so that a sample does not depend on the order of a file."""
        order = sorted(range(len(self.codes)), key=self.codes.__getitem__)
        names = tuple(self.names[i] for i in order)
        return Boroughs(tuple(self.codes[i] for i in order), names, np.asarray(self.polygons)[order])


@dataclass(frozen=True, slots=True)
class Towns:
    """Centres of all boroughs; first axis is the borough, second the centre; lengths in metres."""

    centre_m: Points
    drift_m: Points  # per year
    axis_m: Points  # along, across
    angle: Points
    odds: Points  # (borough, month, strand group, centre + 2)
    address_m: Points  # (borough, centre, address, 2)
    spread_m: Points  # (borough,) of the wider surroundings


def borough_shapes_m(boroughs: Boroughs) -> Shapes:
    """Project outlines to eastings and northings in metres, prepared for many tests."""
    road = Transformer.from_pipeline(TO_GRID)
    shapes = shapely.transform(boroughs.polygons, lambda xy: np.column_stack(road.transform(xy[:, 0], xy[:, 1])))
    shapely.prepare(shapes)
    return np.asarray(shapes)


def scatter(rng: np.random.Generator, shape: shapely.Geometry, count: int) -> Points:
    """Draw places evenly over one outline, shape (count, 2)."""
    west, south, east, north = shapely.bounds(shape)
    box = np.array([east - west, north - south])
    share = shapely.area(shape) / box.prod()
    found = np.empty((0, 2))
    while len(found) < count:
        xy = rng.random((int((count - len(found)) / share * 1.1) + 8, 2)) * box + (west, south)
        found = np.vstack([found, xy[shapely.contains_xy(shape, xy)]])
    return found[:count]


def inland(rng: np.random.Generator, shape: shapely.Geometry) -> Points:
    """Draw two places per centre and keep the one further from the border, shape (CENTRES, 2)."""
    twins = scatter(rng, shape, 2 * CENTRES).reshape(CENTRES, 2, 2)
    depth = shapely.distance(shapely.points(twins), shapely.boundary(shape))
    return np.where(depth[:, :1] >= depth[:, 1:], twins[:, 0], twins[:, 1])


def turn(angle: Points, along: Points, across: Points) -> Points:
    """Rotate offsets, shape (..., 2)."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([along * cos - across * sin, along * sin + across * cos], axis=-1)


def lay_towns(seed: int, shapes: Shapes) -> Towns:
    """Invent the centres of every borough; they depend on the seed alone, so every chunk of rows shares them."""
    rng = generator(seed, 1)
    count = len(shapes)
    shape = (count, CENTRES)
    width = np.sqrt(shapely.area(shapes))
    centre = np.stack([inland(rng, outline) for outline in shapes])
    # High streets are long and thin, stations round; a small borough has smaller ones.
    scale = np.clip(width / 6000.0, 0.35, 1.2)[:, None]
    across = scale * (70.0 + 150.0 * rng.random(shape))
    along = across * (1.0 + 3.0 * rng.random(shape) ** 2)
    angle = np.pi * rng.random(shape)
    drift = rng.standard_normal((*shape, 2)) * (0.35 * across[..., None])
    size = np.exp(0.5 * rng.standard_normal(shape)) / np.arange(1, CENTRES + 1) ** 0.8
    growth = 0.18 * rng.standard_normal(shape)
    fate = rng.random(shape)
    taste = np.exp(0.6 * rng.standard_normal((*shape, 3)))
    years = (np.arange(MONTHS) + 0.5) / 12.0 - 1.5
    # A few centres come up in the last year, a few fade from the first; the rest drift along.
    rise = 1.0 / (1.0 + np.exp(-(years - 0.6) * 6.0))
    pulse = np.where(fate[..., None] < 0.10, 0.15 + 1.7 * rise, np.where(fate[..., None] > 0.92, 1.6 - 1.3 * rise, 1.0))
    course = size[..., None] * np.exp(growth[..., None] * years) * pulse
    odds = np.einsum("bcm,bcg->bmgc", course, taste)
    odds *= IN_CENTRES / odds.sum(axis=-1, keepdims=True)
    rest = np.broadcast_to([NEAR_CENTRES, ANYWHERE], (*odds.shape[:-1], 2))
    spot = rng.standard_normal((2, *shape, ADDRESSES)) * 0.8
    address = centre[:, :, None, :] + turn(angle[..., None], spot[0] * along[..., None], spot[1] * across[..., None])
    return Towns(
        centre_m=centre,
        drift_m=drift,
        axis_m=np.stack([along, across], axis=-1),
        angle=angle,
        odds=np.concatenate([odds, rest], axis=-1),
        address_m=np.round(address),
        spread_m=0.16 * width,
    )


def draw_places(
    rng: np.random.Generator, towns: Towns, shapes: Shapes, *, borough: Index, day: Index, group: Index
) -> tuple[Points, NDArray[np.bool_]]:
    """Place each row.

    Parameters
    ----------
    rng
        Source of chance.
    towns, shapes
        Centres and outlines (metres) of the boroughs.
    borough, day, group
        Position of the borough, day since the first (0 to DAYS - 1) and strand group of each row, shape (n,).

    Returns
    -------
    points_m
        Eastings and northings, whole metres, shape (n, 2), inside the row's borough. About a third are at one of
        the addresses that come back; some of the rest are rounded to 10, 50 or 100 m, as recorders do.
    central
        Whether the row belongs to a centre, shape (n,).
    """
    count = len(borough)
    month = np.minimum(day * MONTHS // DAYS, MONTHS - 1)
    table = towns.odds.reshape(-1, CENTRES + 2)
    choice = draw(rng, table, (borough * MONTHS + month) * 3 + group)
    central = choice < CENTRES
    # Rows near a centre, but not of it, lie round one of the boroughs' centres at random.
    centre = np.where(central, choice, rng.integers(0, CENTRES, count))
    offset = rng.standard_normal((2, count))
    axis = np.where(central[:, None], towns.axis_m[borough, centre], towns.spread_m[borough][:, None])
    moved = towns.drift_m[borough, centre] * (day / 365.25 - 1.5)[:, None]
    points = towns.centre_m[borough, centre] + np.where(central[:, None], moved, 0.0)
    points = points + turn(towns.angle[borough, centre], offset[0] * axis[:, 0], offset[1] * axis[:, 1])
    known = central & (rng.random(count) < 0.6)
    which = (ADDRESSES * rng.random(count) ** 2.5).astype(np.int64)
    points = np.where(known[:, None], towns.address_m[borough, centre, which], points)
    step = np.array([1.0, 10.0, 50.0, 100.0])[draw(rng, np.array([[50.0, 30.0, 12.0, 8.0]]), np.zeros(count, np.int64))]
    step = np.where(known, 1.0, step)[:, None]
    points = np.round(points / step) * step
    for index, outline in enumerate(shapes):
        rows = np.flatnonzero(borough == index)
        lost = (choice[rows] == CENTRES + 1) | ~shapely.contains_xy(outline, points[rows])
        points[rows[lost]] = np.round(scatter(rng, outline, int(lost.sum())))
    return points, central
