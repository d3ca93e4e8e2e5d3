"""Clusters of one window that count as hotspots, ranked by incidents."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from pandas.api.extensions import ExtensionArray

from pipeline.detect.clusters import (
    Clustering,
    ClusterMethod,
    ClusterSettings,
    EpsChoice,
    auto_eps,
    distinct,
    joining_note,
)
from pipeline.detect.hotspots.stability import Background, monte_carlo_p, stability
from pipeline.domain.periods import Period, month_range
from pipeline.errors import InputError
from pipeline.geography.landmarks import NOWHERE, numbered

__all__ = [
    "COLUMNS",
    "Detection",
    "Hotspots",
    "by_category",
    "by_period",
    "change_pct",
    "cluster_outlines",
    "describe",
    "detect",
    "find_hotspots",
    "lower_min_samples",
    "members_of",
    "nullable",
    "outline",
    "victims_in",
    "within",
]


# Outlines that follow a cluster: discs round its locations, never a convex hull
# ------------------------------------------------------------------------------------


if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


Floats = NDArray[np.float64]

SNAP_ABOVE = 2000  # locations from which they are snapped to a grid before discs are drawn
SNAP_STEP = 1 / 8  # of eps: moves a disc by at most eps / 11
CLOSING = 1 / 4  # of eps: fills gaps narrower than eps / 2, so discs that only touch become one piece
TOLERANCE = 1 / 100  # of eps: how far simplifying may move a line
QUARTER_SEGMENTS = 8  # of a quarter circle: 32 corners, within 0.5 % of the radius of a true disc


def outline(places_m: ArrayLike, *, eps_m: float) -> "BaseGeometry":
    """Draw round the locations of one cluster.

    The union of discs of radius eps / 2, closed (grown and shrunk by eps / 4, which joins discs that only touch) and
    simplified by at most eps / 100. Over 2,000 locations are snapped to a grid of eps / 8 first, which moves the
    line by at most eps / 11, so that memory follows the outline's length and not the number of incidents.

    Parameters
    ----------
    places_m
        Locations in metres, shape (m, 2), at least one.
    eps_m
        Reach of the clustering in metres.

    Returns
    -------
    outline
        A valid polygon in metres; in several pieces only if the locations are not linked within eps.

    Raises
    ------
    InputError
        If there is no location, a coordinate is not finite, or `eps_m` is not positive.
    """
    import shapely

    places = np.asarray(places_m, dtype=np.float64).reshape(-1, 2)
    if not (math.isfinite(eps_m) and eps_m > 0):
        raise InputError(f"eps_m is {eps_m}: an outline needs a positive number of metres")
    if not len(places) or not np.isfinite(places).all():
        raise InputError("an outline needs at least one location, all with finite coordinates in metres")
    # Sorted, so that the same places in another order draw the same outline, byte for byte.
    places = _sorted(places)
    parts = _discs(places, eps_m) if len(places) <= SNAP_ABOVE else _snapped(places, eps_m)
    drawn: Any = shapely.union_all(parts)
    # A union of discs is scalloped and may touch itself in points; closing fills what is narrower than eps / 2.
    closing = eps_m * CLOSING
    drawn = shapely.buffer(shapely.buffer(drawn, closing, quad_segs=QUARTER_SEGMENTS), -closing, quad_segs=4)
    drawn = shapely.simplify(drawn, eps_m * TOLERANCE, preserve_topology=True)
    return shapely.normalize(drawn if shapely.is_valid(drawn) else shapely.make_valid(drawn))


def cluster_outlines(
    points_m: ArrayLike, *, labels: ArrayLike, eps_m: float, count: int | None = None
) -> NDArray[np.object_]:
    """Draw every cluster: an array of polygons, one for each label from 0.

    Parameters
    ----------
    points_m
        Locations in metres, shape (n, 2).
    labels
        Cluster of each location, -1 for none, shape (n,).
    eps_m
        Reach of the clustering in metres.
    count
        Number of clusters, by default the highest label plus one.

    Raises
    ------
    InputError
        If a cluster has no location, or as `outline` does.
    """
    points, label = np.asarray(points_m, dtype=np.float64).reshape(-1, 2), np.asarray(labels, dtype=np.int64)
    use = np.flatnonzero(label >= 0)
    use = use[np.argsort(label[use], kind="stable")]
    total = int(label.max(initial=-1)) + 1 if count is None else count
    cuts = np.searchsorted(label[use], np.arange(total + 1))
    drawn = np.empty(total, dtype=object)
    for i in range(total):
        drawn[i] = outline(points[use[cuts[i] : cuts[i + 1]]], eps_m=eps_m)
    return drawn


def _discs(centres: Floats, eps_m: float) -> NDArray[np.object_]:
    import shapely

    discs: NDArray[np.object_] = shapely.buffer(shapely.points(centres), eps_m / 2, quad_segs=QUARTER_SEGMENTS)
    return discs


def _snapped(core: Floats, eps_m: float) -> NDArray[np.object_]:
    """Draw the discs of occupied grid cells: squares where they certainly cover, discs only where squares do not.

    Every square within two cells of an occupied cell lies inside its disc of four cells' radius, so the union is that
    of all discs, at the cost of those along the edge.
    """
    import shapely

    side, radius = eps_m * SNAP_STEP, round(0.5 / SNAP_STEP)
    low = np.floor(core.min(axis=0) / side)
    column, row = (np.floor(core / side) - low).astype(np.int64).T
    stride = int(row.max()) + 2 * radius + 2
    key = np.unique((column + radius) * stride + row + radius)
    # Cells inside some disc wholly are drawn as boxes, joined along rows; discs are drawn only for cells whose
    # surroundings are not all filled, which are those along the edge.
    filled = np.unique(np.concatenate([key + shift for shift in _around(radius - 1.2, stride, farthest=True)]))
    bare = np.zeros(len(key), dtype=bool)
    for shift in _around(radius, stride, farthest=False):
        at = np.minimum(np.searchsorted(filled, key + shift), len(filled) - 1)
        bare |= filled[at] != key + shift
    begins = np.flatnonzero(np.diff(filled, prepend=-2) != 1)
    ends = np.append(begins[1:], len(filled)) - 1
    west, south = _corner(filled[begins], stride, radius, low, side)
    east, north = _corner(filled[ends], stride, radius, low + 1, side)
    centres = np.column_stack(_corner(key[bare], stride, radius, low + 0.5, side))
    return np.concatenate((_discs(centres, eps_m), shapely.box(west, south, east, north)))


def _sorted(places: Floats) -> Floats:
    """Return distinct places sorted by easting, then northing; tables of locations are so already."""
    x, y = places[:, 0], places[:, 1]
    if ((x[1:] > x[:-1]) | ((x[1:] == x[:-1]) & (y[1:] > y[:-1]))).all():
        return places
    return np.unique(places, axis=0)


def _around(reach: float, stride: int, *, farthest: bool) -> list[int]:
    """List shifts to cells whose farthest (else nearest) point is within so many sides of a cell's centre."""
    half = 0.5 if farthest else -0.5
    steps = range(-math.ceil(reach), math.ceil(reach) + 1)
    return [
        i * stride + j for i in steps for j in steps if math.hypot(max(abs(i) + half, 0), max(abs(j) + half, 0)) < reach
    ]


def _corner(key: NDArray[np.int64], stride: int, pad: int, low: Floats, side: float) -> tuple[Floats, Floats]:
    column, row = np.divmod(key, stride)
    return (column - pad + low[0]) * side, (row - pad + low[1]) * side


Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Detection:
    """Distinct locations of a window, their clusters, and which clusters are hotspots.

    Attributes
    ----------
    places_m, weights
        Distinct locations in metres, shape (m, 2), and incidents at each, shape (m,).
    place
        Location of every input row, shape (n,).
    clustering
        Cluster of every location.
    hotspot_of
        Hotspot of each label from 0 in order of rank, -1 for none; the last entry answers for label -1.
    settings
        Settings used; None where no reach could be chosen.
    choice
        How an automatic reach was read, otherwise None.
    notes
        What a reader must know.
    """

    places_m: Floats
    weights: Ints
    place: Ints
    clustering: Clustering
    hotspot_of: Ints
    settings: ClusterSettings | None
    choice: EpsChoice | None
    notes: tuple[str, ...]

    @property
    def count(self) -> int:
        """Number of hotspots."""
        return int(self.hotspot_of.max(initial=-1)) + 1

    @property
    def member(self) -> Ints:
        """Hotspot of every location, -1 for none."""
        return self.hotspot_of[self.clustering.labels]

    def outlines(self) -> NDArray[np.object_]:
        """Draw every hotspot round all its locations, in metres."""
        if self.settings is None:
            return np.empty(0, dtype=object)
        return cluster_outlines(self.places_m, labels=self.member, eps_m=self.settings.eps_m, count=self.count)


def detect(
    rows: pd.DataFrame,
    *,
    eps_m: float | Literal["auto"],
    min_samples: int,
    method: str,
    min_locations: int,
    max_hotspots: int | None,
) -> Detection:
    """Cluster the rows of a window (columns easting_m, northing_m, incidents) and keep the clusters that are hotspots.

    Parameters and errors are those of `find_hotspots`.
    """
    places, weights, place = distinct(rows[["easting_m", "northing_m"]], weights=rows["incidents"])
    notes: list[str] = []
    choice: EpsChoice | None = None
    if eps_m == "auto":
        if int(weights.sum()) < min_samples or not (weights < min_samples).any():
            notes.append(
                f"no hotspot: eps_m cannot be chosen from {int(weights.sum())} incidents at {len(places)} places "
                f"with min_samples {min_samples}"
            )
            nothing = Clustering(np.full(len(places), -1, dtype=np.int32), np.zeros(len(places), dtype=bool), method)
            return Detection(places, weights, place, nothing, np.array([-1]), None, None, tuple(notes))
        choice = auto_eps(places, min_samples=min_samples, weights=weights)
        notes.append(choice.note)
    used = ClusterSettings(choice.eps_m if choice else float(eps_m), min_samples, min_locations, method)
    found = used.cluster(places, weights)
    notes.extend(found.notes)
    warning = joining_note(places, found, eps_m=used.eps_m, min_samples=min_samples, weights=weights)
    notes.extend([warning] if warning else [])
    order = _rank(found, weights, min_locations, max_hotspots, notes)
    hotspot_of = np.full(found.count + 1, -1, dtype=np.int64)
    hotspot_of[order] = np.arange(len(order))
    return Detection(places, weights, place, found, hotspot_of, used, choice, tuple(notes))


def _rank(
    found: Clustering, weights: Ints, min_locations: int, max_hotspots: int | None, notes: list[str]
) -> NDArray[np.intp]:
    """List the labels that are hotspots: most incidents first, ties by the lower label."""
    inside = found.labels >= 0
    incidents = np.bincount(found.labels[inside], weights=weights[inside], minlength=found.count)
    enough = np.bincount(found.labels[inside], minlength=found.count) >= min_locations
    # A cluster at fewer than `min_locations` distinct places is an address, not a hotspot: to show it would point at
    # one.
    order = np.argsort(-incidents, kind="stable")
    order = order[enough[order]]
    if not enough.all():
        notes.append(
            f"{int((~enough).sum())} of {found.count} clusters have fewer than {min_locations} distinct locations "
            "and are no hotspots"
        )
    if not len(order):
        notes.append(f"no hotspot among {int(weights.sum())} incidents at {len(weights)} places")
    if max_hotspots is not None and len(order) > max_hotspots:
        notes.append(f"the {max_hotspots} largest of {len(order)} hotspots are kept")
        order = order[:max_hotspots]
    return order


# The columns of a hotspot: sums, shares and names, all from the rows it holds
# ----------------------------------------------------------------------------


MIN_BEFORE = 20  # incidents in the earlier window below which a percentage says nothing


def nullable(values: Iterable[float | None], *, kind: str = "Float64") -> ExtensionArray:
    """Return a column with unknown values as null."""
    return pd.array([None if v is None else v for v in values], dtype=kind)


def describe(rows: pd.DataFrame, *, count: int, ward_names: Mapping[str, str], total: int) -> dict[str, Any]:
    """Sum up each hotspot's rows.

    Parameters
    ----------
    rows
        Rows of the locations table that lie in a hotspot, with its number from 0 in `hotspot`, and the number of
        its distinct location in `place`.
    count
        Number of hotspots; each has rows.
    ward_names
        Names by ward code; a code without a name stands for itself.
    total
        All incidents of the window, inside hotspots or not.
    """
    per_place = rows.groupby(["hotspot", "place"])["incidents"].sum()
    repeated = per_place.where(per_place > 1, 0).groupby("hotspot").sum()
    groups = rows.groupby("hotspot")
    incidents = groups["incidents"].sum().to_numpy(dtype=np.int64)
    wards, boroughs = (_codes(rows, column, count) for column in ("ward_code", "borough_code"))
    named = [ward_names.get(codes[0], codes[0]) if codes else NOWHERE for codes in wards]
    return {
        "name": pd.array(numbered(named), dtype="str"),
        "incidents": incidents,
        "distinct_locations": per_place.groupby("hotspot").size().to_numpy(dtype=np.int64),
        "share_of_all_pct": 100 * incidents / total,
        "first_period": _months(groups["month"].min()),
        "last_period": _months(groups["month"].max()),
        "ward_codes": pd.array([";".join(sorted(codes)) for codes in wards], dtype="str"),
        "borough_code": pd.array([codes[0] if codes else None for codes in boroughs], dtype="str"),
        "repeat_location_share_pct": 100 * repeated.to_numpy() / incidents,
        "top_location_share_pct": 100 * per_place.groupby("hotspot").max().to_numpy() / incidents,
        "outcome_share_pct": _outcomes(rows, count),
    }


def _codes(rows: pd.DataFrame, column: str, count: int) -> list[list[str]]:
    """List the codes of each hotspot, the one with most incidents first, ties by the lower code."""
    sums = rows[rows[column].notna()].groupby(["hotspot", column])["incidents"].sum().reset_index()
    sums = sums.sort_values(["hotspot", "incidents", column], ascending=[True, False, True], kind="stable")
    codes: list[list[str]] = [[] for _ in range(count)]
    for hotspot, code in zip(sums["hotspot"], sums[column], strict=True):
        codes[int(hotspot)].append(str(code))
    return codes


def _outcomes(rows: pd.DataFrame, count: int) -> ExtensionArray:
    """Return positive outcomes per 100 known ones, null where none is known."""
    if not {"positive_outcomes", "known_outcomes"} <= set(rows.columns):
        return nullable([None] * count)
    known_rows = rows[rows["positive_outcomes"].notna() & rows["known_outcomes"].notna()]
    sums = (
        known_rows.groupby("hotspot")[["positive_outcomes", "known_outcomes"]].sum().reindex(range(count), fill_value=0)
    )
    pairs = zip(sums["positive_outcomes"], sums["known_outcomes"], strict=True)
    return nullable([100 * int(good) / int(known) if known > 0 else None for good, known in pairs])


def by_category(rows: pd.DataFrame, *, ids: Sequence[str], categories: Sequence[str]) -> pd.DataFrame:
    """Count incidents by hotspot and category, zeros written; an incident counts in each of its categories."""
    few = rows[["hotspot", "incidents"]].assign(categories=rows["categories"].fillna(""))
    few = few.groupby(["hotspot", "categories"], as_index=False)["incidents"].sum()
    split = few[["hotspot", "incidents"]].assign(category=few["categories"].str.split(";"))
    sums = split.explode("category").groupby(["hotspot", "category"])["incidents"].sum()
    return _dense(sums, ids, "category", categories)


def by_period(
    rows: pd.DataFrame, *, ids: Sequence[str], window: tuple[int, int], lacking: Collection[int] = ()
) -> pd.DataFrame:
    """Count incidents by hotspot and month of the window, zeros written; months that the data lacks have no row."""
    months = [month for month in month_range(*window) if month not in lacking]
    sums = rows.groupby(["hotspot", "month"])["incidents"].sum()
    counted = _dense(sums, ids, "month", months)
    return counted.assign(month=_months(counted["month"])).rename(columns={"month": "period"})


def _dense(sums: "pd.Series[int]", ids: Sequence[str], name: str, values: Sequence[object]) -> pd.DataFrame:
    full = pd.MultiIndex.from_product([range(len(ids)), values], names=["hotspot", name])
    table = sums.reindex(full, fill_value=0).reset_index()
    hotspot = table.pop("hotspot").to_numpy(dtype=np.int64)
    table.insert(0, "hotspot_id", pd.array(np.asarray(ids, dtype=object)[hotspot], dtype="str"))
    return table.astype({"incidents": "int64"})


def change_pct(now: NDArray[np.int64], before: NDArray[np.int64], *, days_now: int, days_before: int) -> ExtensionArray:
    """Return the change in incidents per day, per cent; null if there were fewer than 20 before."""
    return nullable(
        [
            100 * ((n / days_now) / (b / days_before) - 1) if b >= MIN_BEFORE else None
            for n, b in zip(now.tolist(), before.tolist(), strict=True)
        ]
    )


def victims_in(hotspot: NDArray[np.int64], victims: "pd.Series[str]", *, count: int) -> ExtensionArray:
    """Count the distinct known victims of each hotspot, null if none is known."""
    known = pd.DataFrame({"hotspot": hotspot, "victim": victims.to_numpy(dtype=object)}).dropna()
    sizes = known[known["hotspot"] >= 0].groupby("hotspot")["victim"].nunique().reindex(range(count))
    return nullable([None if pd.isna(v) else int(v) for v in sizes], kind="Int64")


def _months(months: Iterable[int]) -> ExtensionArray:
    return pd.array([f"{int(m) // 100:04d}-{int(m) % 100:02d}" for m in months], dtype="str")


# Find hotspots in the locations table: cluster, rank, outline, describe, test
# ----------------------------------------------------------------------------


Window = tuple[int, int]

NEEDED = ("easting_m", "northing_m", "ward_code", "borough_code", "month", "categories", "incidents")
COLUMNS = (
    "hotspot_id", "rank", "name", "incidents", "distinct_locations", "area_km2", "density_per_km2",
    "share_of_all_pct", "first_period", "last_period", "ward_codes", "borough_code", "repeat_location_share_pct",
    "top_location_share_pct", "outcome_share_pct", "change_pct", "stability", "p_value", "distinct_victims",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hotspots:
    """Hotspots, most incidents first.

    Attributes
    ----------
    table
        One row for each hotspot, columns as in `COLUMNS`; what is not known is null, never NaN.
    geometry
        Outlines in metres, in the table's order.
    by_category
        hotspot_id, category, incidents: every category of the window, zeros written; categories overlap.
    by_period
        hotspot_id, period (yyyy-mm), incidents: every month of the window, zeros written.
    eps_m, min_samples
        The settings that were used.
    eps_choice
        How an automatic reach was read, otherwise None.
    notes
        What a reader must know.
    """

    table: pd.DataFrame
    geometry: NDArray[np.object_]
    by_category: pd.DataFrame
    by_period: pd.DataFrame
    eps_m: float | None
    min_samples: int
    eps_choice: EpsChoice | None
    notes: tuple[str, ...]


def find_hotspots(
    locations: pd.DataFrame,
    *,
    window: Window,
    eps_m: float | Literal["auto"],
    min_samples: int,
    previous: Window | None = None,
    lacking: Collection[int] = (),
    method: str = ClusterMethod.DBSCAN,
    min_locations: int = 5,
    max_hotspots: int | None = None,
    ward_names: Mapping[str, str] | None = None,
    victims: pd.DataFrame | None = None,
    resamples: int = 0,
    simulations: int = 0,
    background: Background | None = None,
    rng: np.random.Generator | None = None,
) -> Hotspots:
    """Find, rank and describe the hotspots of a window of months.

    Parameters
    ----------
    locations
        One row for each location, month and set of categories: `easting_m`, `northing_m` (metres), `ward_code`,
        `borough_code` (may be null), `month` (yyyymm), `categories` (semicolon-joined, closed under ancestors),
        `incidents`, and where known `positive_outcomes`, `known_outcomes`. Other months may be there.
    window
        First and last month of detection, both included.
    eps_m
        Reach of a cluster in metres, or `auto`.
    min_samples
        Incidents within reach that make a core location.
    previous
        Earlier window to compare with, not overlapping; none by default.
    lacking
        Months of the window that the data lacks: they have no row in `by_period`.
    method
        A `ClusterMethod`, by its name.
    min_locations
        Fewest distinct locations in a hotspot: ten incidents at one address are none.
    max_hotspots
        Most hotspots kept; all by default.
    ward_names
        Names by ward code. A hotspot is named after the ward that holds most of its incidents.
    victims
        Rows of `easting_m`, `northing_m`, `month`, `victim_hash`, for counting distinct victims.
    resamples
        Resamples of locations for `stability`; 0 leaves it null.
    simulations
        Simulated nulls for `p_value`; 0 leaves it null.
    background
        Where incidents fall in a simulated null.
    rng
        Source of the draws of both.

    Returns
    -------
    hotspots
        The table, outlines and companions; empty, with the reason in `notes`, where there is none.

    Raises
    ------
    InputError
        If columns are missing, a value is unusable, windows overlap, or draws are asked for without what they need.
    """
    span, earlier = Period(*window), None if previous is None else Period(*previous)
    _check(locations, span, earlier)
    if (resamples or simulations) and rng is None:
        raise InputError("stability and p-values draw at random: pass rng, a seeded numpy Generator")
    if simulations and background is None:
        raise InputError("a p-value needs a background: the cells of the study area and their weights")
    now = _in(locations, span)
    found = detect(
        now,
        eps_m=eps_m,
        min_samples=min_samples,
        method=method,
        min_locations=min_locations,
        max_hotspots=max_hotspots,
    )
    notes = list(found.notes)
    in_clusters = np.bincount(
        found.member[found.member >= 0], weights=found.weights[found.member >= 0], minlength=found.count
    ).astype(np.int64)
    found, geometry, order = _by_content(found)
    # Every row of the window belongs to the outlines that hold its place; what follows is sums over these rows. The
    # outline holds all members of the cluster, and what else lies inside it counts too: whoever counts the points in an
    # outline finds the number beside it.
    hotspot, at = within(geometry, now)
    rows = now.iloc[at][[n for n in now.columns if n not in {"easting_m", "northing_m"}]].reset_index(drop=True)
    rows = rows.assign(hotspot=hotspot, place=found.place[at])
    columns = describe(rows, count=found.count, ward_names=ward_names or {}, total=int(found.weights.sum()))
    incidents = columns["incidents"]
    area_km2 = np.array([shape.area for shape in geometry], dtype=np.float64) / 1e6
    columns["hotspot_id"] = pd.array([f"H{i + 1:03d}" for i in range(found.count)], dtype="str")
    columns["rank"] = np.arange(1, found.count + 1)
    columns["area_km2"], columns["density_per_km2"] = area_km2, incidents / area_km2
    columns["change_pct"] = _change(
        geometry, incidents=incidents, locations=locations, span=span, earlier=earlier, notes=notes
    )
    columns["distinct_victims"] = _victims(geometry, rows, victims, span, notes)
    columns |= _certainty(
        found,
        incidents=in_clusters[order],  # simulated clusters have no outlines: like is compared with like
        resamples=resamples,
        simulations=simulations,
        background=background,
        rng=rng,
        notes=notes,
    )
    table = pd.DataFrame({name: columns[name] for name in COLUMNS})
    ids = table["hotspot_id"].tolist()
    return Hotspots(
        table=table,
        geometry=geometry,
        by_category=by_category(rows, ids=ids, categories=_categories(now)),
        by_period=by_period(rows, ids=ids, window=window, lacking=lacking),
        eps_m=found.settings.eps_m if found.settings else None,
        min_samples=min_samples,
        eps_choice=found.choice,
        notes=tuple(notes),
    )


def _check(locations: pd.DataFrame, span: Period, earlier: Period | None) -> None:
    missing = [name for name in NEEDED if name not in locations.columns]
    if missing:
        raise InputError(f"the locations table has no column {', '.join(missing)}: it needs {', '.join(NEEDED)}")
    if locations["incidents"].isna().any() or locations["month"].isna().any():
        raise InputError("the locations table has rows without month or incidents: both must be whole numbers")
    if ((locations["incidents"] < 0) | (locations["incidents"] % 1 != 0)).any():
        raise InputError("the locations table has incidents that are negative or not whole: each row is a count")
    if earlier is not None and earlier.last_month >= span.first_month:
        raise InputError(f"the earlier window {earlier.id} must end before the window {span.id} begins")


def _in(frame: pd.DataFrame, span: Period) -> pd.DataFrame:
    """Return the rows of a window with incidents."""
    kept = frame["month"].between(span.first_month, span.last_month) & (frame["incidents"] != 0)
    return (
        (frame if kept.all() else frame[kept]).reset_index(drop=True).astype({"incidents": "int64", "month": "int64"})
    )


def _categories(rows: pd.DataFrame) -> list[str]:
    words = {word for joined in rows["categories"].dropna().unique() for word in str(joined).split(";")}
    return sorted(words - {""})


def _by_content(found: Detection) -> tuple[Detection, NDArray[np.object_], NDArray[np.intp]]:
    """Draw the hotspots and rank them by the incidents inside their outlines.

    Returns
    -------
    found
        The detection, with hotspots in their new order.
    geometry
        Outlines in that order.
    order
        The former number of each hotspot.
    """
    drawn = found.outlines()
    places = pd.DataFrame({"easting_m": found.places_m[:, 0], "northing_m": found.places_m[:, 1]})
    hotspot, at = within(drawn, places)
    incidents = np.bincount(hotspot, weights=found.weights[at], minlength=found.count).astype(np.int64)
    order = np.argsort(-incidents, kind="stable")
    renumbered = np.full(found.count + 1, -1, dtype=np.int64)
    renumbered[order] = np.arange(len(order))
    return replace(found, hotspot_of=renumbered[found.hotspot_of]), drawn[order], order


def _change(
    geometry: NDArray[np.object_],
    *,
    incidents: Ints,
    locations: pd.DataFrame,
    span: Period,
    earlier: Period | None,
    notes: list[str],
) -> ExtensionArray:
    if earlier is None or not len(geometry):
        return nullable([None] * len(geometry))
    before = _in(locations, earlier)
    # Both windows inside the same outlines, so that the change is that of the same places.
    hotspot, at = within(geometry, before)
    counts = np.bincount(hotspot, weights=before["incidents"].to_numpy()[at], minlength=len(geometry))
    notes.append(
        f"change_pct: incidents per day against {earlier.id}, inside the same outlines. They were picked for being "
        "high now, so it leans upwards"
    )
    return change_pct(incidents, counts.astype(np.int64), days_now=span.days, days_before=earlier.days)


def _victims(
    geometry: NDArray[np.object_], rows: pd.DataFrame, victims: pd.DataFrame | None, span: Period, notes: list[str]
) -> ExtensionArray:
    """Count victims from their list; from the locations table alone only "at least the largest row" is sure."""
    count = len(geometry)
    if victims is not None:
        known = victims[victims["month"].between(span.first_month, span.last_month)]
        hotspot, at = within(geometry, known)
        return victims_in(hotspot, known["victim_hash"].iloc[at], count=count)
    if "distinct_victims" not in rows or rows["distinct_victims"].isna().all():
        return nullable([None] * count, kind="Int64")
    notes.append("distinct_victims: at least this many, the most in any one row of the locations table")
    least = rows.groupby("hotspot")["distinct_victims"].max().reindex(range(count))
    return nullable([None if pd.isna(v) else int(v) for v in least], kind="Int64")


def _certainty(
    found: Detection,
    *,
    incidents: Ints,
    resamples: int,
    simulations: int,
    background: Background | None,
    rng: np.random.Generator | None,
    notes: list[str],
) -> dict[str, ExtensionArray]:
    """Fill stability and p_value if requested; each has its own random stream, so one does not affect the other."""
    columns = {"stability": nullable([None] * found.count), "p_value": nullable([None] * found.count)}
    if rng is None or found.settings is None or not found.count:
        return columns
    # Each has a stream of its own: asking for one does not change the numbers of the other.
    steady_rng, null_rng = rng.spawn(2)
    if resamples:
        columns["stability"] = nullable(
            stability(
                found.places_m,
                weights=found.weights,
                members=found.member,
                settings=found.settings,
                resamples=resamples,
                rng=steady_rng,
            )
        )
        notes.append(f"stability: share of {resamples} resamples of locations in which half of the hotspot comes back")
    if simulations and background is not None:
        columns["p_value"] = nullable(
            monte_carlo_p(
                incidents,
                weights=found.weights,
                background=background,
                settings=found.settings,
                simulations=simulations,
                rng=null_rng,
            )
        )
        notes.append(
            f"p_value: against the largest cluster in each of {simulations} simulations that lay the same locations "
            f"{background.words}"
        )
    return columns


# Settings that would find some, and the places inside outlines
# -------------------------------------------------------------


FEWEST_SAMPLES = 2  # two incidents near each other: fewer would make every place a cluster


def lower_min_samples(
    rows: pd.DataFrame,
    *,
    eps_m: float | Literal["auto"],
    min_samples: int,
    method: str,
    min_locations: int,
) -> tuple[int, int] | None:
    """Halve `min_samples` until clusters that count as hotspots appear: as many runs as it has binary digits, at most.

    Parameters are those of `detect`.

    Returns
    -------
    min_samples, hotspots
        The largest of the halves that finds any, and how many; None where none does.
    """
    tried = min_samples // 2
    while tried >= FEWEST_SAMPLES:
        found = detect(
            rows, eps_m=eps_m, min_samples=tried, method=method, min_locations=min_locations, max_hotspots=None
        )
        if found.count:
            return tried, found.count
        tried //= 2
    return None


def members_of(rows: pd.DataFrame, outlines: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the places inside each hotspot's outline, from which the release stage counts what it may show.

    Parameters
    ----------
    rows
        Columns easting_m, northing_m, ward_code and incidents; a place may have several rows.
    outlines
        Column hotspot_id, and outlines in the same system. They may overlap: a place counts in each that holds it.

    Returns
    -------
    members
        hotspot_id, easting_m, northing_m, ward_code, incidents: a row per hotspot and place, sorted by the first three.
    """
    rows = rows[["easting_m", "northing_m", "ward_code", "incidents"]]
    outlines = outlines.sort_values("hotspot_id")
    x, y = (rows[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m"))
    # The table of locations is written in this order already.
    if not ((x[1:] > x[:-1]) | ((x[1:] == x[:-1]) & (y[1:] >= y[:-1]))).all():
        rows = rows.sort_values(["easting_m", "northing_m"], kind="stable")
        x, y = (rows[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m"))
    hotspot, at = within(outlines.geometry.to_numpy(), rows)
    # Rows of one place follow one another within a hotspot: sum each run.
    new = np.ones(len(at), dtype=bool)
    for values in (hotspot, x[at], y[at]):
        new[1:] &= values[1:] == values[:-1]
    new[1:] = ~new[1:]
    begins = np.flatnonzero(new)
    inside = rows.iloc[at[begins]].reset_index(drop=True)
    counts = rows["incidents"].to_numpy(dtype=np.int64)[at]
    sums = np.add.reduceat(counts, begins) if len(at) else counts
    inside["incidents"] = pd.array(sums, dtype=rows["incidents"].dtype)
    inside.insert(0, "hotspot_id", outlines["hotspot_id"].to_numpy()[hotspot[begins]])
    return inside


def within(shapes: NDArray[Any], rows: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return which rows lie inside which outlines, on their line included.

    Parameters
    ----------
    shapes
        Outlines in metres, shape (m,). They may overlap: a row is inside each that holds it.
    rows
        Columns easting_m and northing_m, n rows.

    Returns
    -------
    shape, row
        A position in each for every pair, sorted by shape; within a shape by easting, rows that are sorted by easting
        in their order.
    """
    x, y = (rows[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m"))
    order = None
    if not (x[1:] >= x[:-1]).all():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    shapely.prepare(shapes)
    # Sorted by easting, the candidates of an outline are one slice: only they are tested against its polygon.
    held = [np.empty(0, dtype=np.int64)]
    for shape, (west, _, east, _) in zip(shapes, shapely.bounds(shapes), strict=True):
        first, last = np.searchsorted(x, west, side="left"), np.searchsorted(x, east, side="right")
        held.append(first + np.flatnonzero(shapely.intersects_xy(shape, x[first:last], y[first:last])))
    at = np.concatenate(held)
    return np.repeat(np.arange(-1, len(shapes)), [len(h) for h in held]), at if order is None else order[at]
