"""Settings of clusters chosen from the data: `auto_eps`, `auto_min_samples`, and a cap on the largest cluster.

`eps_m` is the knee of the weighted k-distance curve, with a warning when it joins everything; `min_samples` is what the
densest incidents have around them and chance would not give.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.detect.clusters.dbscan import Clustering, check_settings, distinct
from pipeline.detect.clusters.methods import ClusterMethod, ClusterSettings
from pipeline.errors import InputError

__all__ = [
    "AutoSamples",
    "EpsChoice",
    "auto_eps",
    "auto_min_samples",
    "capped",
    "joining_note",
    "k_distances",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAMPLE = 20_000  # locations the curve is measured at; more change the knee by less than its rounding
TAIL_PCT = 95  # the last incidents are the lone ones: they say how large the map is, not how tight a cluster
NEIGHBOURS_AT_ONCE = 1 << 20  # distances held at once, 8 MB


@dataclass(frozen=True, slots=True)
class EpsChoice:
    """An automatic `eps_m`, and how it was determined.

    Attributes
    ----------
    eps_m
        The choice in metres, rounded up to a whole metre.
    min_samples
        The k of the curve.
    knee_pct
        Share of incidents at or below the knee, per cent.
    curve
        Pairs of share of incidents (per cent, 0 to 100 in steps of 1) and k-distance in metres.
    sampled_locations
        Locations the curve was measured at.
    note
        The choice in words.
    """

    eps_m: float
    min_samples: int
    knee_pct: float
    curve: tuple[tuple[float, float], ...]
    sampled_locations: int
    note: str


def k_distances(
    locations_m: Floats, *, weights: Ints, min_samples: int, at: NDArray[np.integer] | None = None
) -> Floats:
    """Return the distance from locations within which they have `min_samples` incidents, their own included.

    Parameters
    ----------
    locations_m
        Distinct locations in metres, shape (m, 2).
    weights
        Incidents at each, at least 1, shape (m,).
    min_samples
        Incidents to reach.
    at
        Rows to measure, all by default.

    Returns
    -------
    distances
        Metres, shape of `at`; infinite where all incidents together are fewer.
    """
    from scipy.spatial import KDTree

    rows = np.arange(len(locations_m)) if at is None else np.asarray(at)
    reached = np.full(len(rows), np.inf)
    if not len(locations_m) or int(weights.sum()) < min_samples:
        return reached
    tree = KDTree(locations_m)
    # Few neighbours first, four times as many for those that have not enough incidents yet: where weights are large, a
    # handful of places holds min_samples.
    waiting = np.arange(len(rows))
    k = min(8, min_samples, len(locations_m))
    while len(waiting):
        left: list[NDArray[np.integer]] = []
        for part in np.array_split(waiting, 1 + len(waiting) * k // NEIGHBOURS_AT_ONCE):
            gap, near = tree.query(locations_m[rows[part]], k=np.arange(1, k + 1))
            enough = np.cumsum(weights[near], axis=1) >= min_samples
            found = enough[:, -1]
            reached[part[found]] = gap[found, np.argmax(enough[found], axis=1)]
            left.append(part[~found])
        waiting = np.concatenate(left)
        k = min(4 * k, min_samples, len(locations_m))
    return reached


def auto_eps(points_m: ArrayLike, *, min_samples: int, weights: ArrayLike | None = None) -> EpsChoice:
    """Choose the reach of DBSCAN at the knee of the weighted k-distance curve.

    The curve sorts incidents by the distance within which they have `min_samples` incidents. It rises slowly inside
    clusters and fast between them; the knee is the point furthest below the chord from its start to its 95th
    per cent, both axes scaled to one. Incidents at a place that holds `min_samples` on its own have distance zero
    whatever the reach, so they are left out.

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    min_samples
        Incidents within reach that will make a core point.
    weights
        Incidents per point, shape (n,); one each by default.

    Returns
    -------
    choice
        The reach and the curve it was read from.

    Raises
    ------
    InputError
        If there are fewer than `min_samples` incidents, or every one of them is at a place that holds as many.

    References
    ----------
    Ester et al. (1996), section 4.2, for the curve; Satopää et al. (2011), "Finding a kneedle in a haystack".
    """
    check_settings(min_samples=min_samples)
    locations, counts, _ = distinct(points_m, weights=weights)
    locations, counts = locations[counts > 0], counts[counts > 0]
    if int(counts.sum()) < min_samples:
        raise InputError(
            f"{int(counts.sum())} incidents are fewer than min_samples ({min_samples}), so eps_m cannot be chosen: "
            "set eps_m in metres, or lower min_samples"
        )
    # A place that holds min_samples alone has distance zero whatever eps is: it says nothing about eps, and hundreds of
    # them would bend the curve.
    open_places = np.flatnonzero(counts < min_samples)
    if not len(open_places):
        raise InputError(
            f"every place holds at least min_samples ({min_samples}) incidents on its own, so the k-distances are all "
            "zero and eps_m cannot be chosen: set eps_m in metres, or raise min_samples"
        )
    at = _spread(open_places)
    gaps = k_distances(locations, weights=counts, min_samples=min_samples, at=at)
    shares = np.arange(101.0)
    curve = _quantiles(gaps, counts[at], shares)
    knee = _knee(curve[: TAIL_PCT + 1])
    eps_m = float(np.ceil(curve[knee]))
    left_out = len(locations) - len(open_places)
    note = (
        f"eps_m {eps_m:g} m, chosen at the knee of the k-distance curve (k = {min_samples} incidents): {knee} % of the "
        f"incidents lie below it, half within {curve[50]:.0f} m; {len(at):,} locations measured"
        + (f", {left_out:,} that hold k on their own left out" if left_out else "")
    )
    return EpsChoice(
        eps_m=eps_m,
        min_samples=int(min_samples),
        knee_pct=float(knee),
        curve=tuple(zip(shares.tolist(), np.round(curve, 3).tolist(), strict=True)),
        sampled_locations=len(at),
        note=note,
    )


def joining_note(
    points_m: ArrayLike,
    clustering: Clustering,
    *,
    eps_m: float,
    min_samples: int,
    weights: ArrayLike | None = None,
) -> str | None:
    """Warn if one cluster has more than half of all incidents, and quote the k-distance; None otherwise.

    Parameters
    ----------
    points_m
        The points that were clustered, metres, shape (n, 2).
    clustering
        Their clusters.
    eps_m, min_samples
        The settings they were clustered with.
    weights
        Incidents per point, shape (n,); one each by default.
    """
    locations, counts, inverse = distinct(points_m, weights=weights)
    per_point = np.ones(len(inverse), dtype=np.int64) if weights is None else np.asarray(weights, dtype=np.int64)
    total = int(counts.sum())
    sizes = np.bincount(clustering.labels[clustering.labels >= 0], weights=per_point[clustering.labels >= 0])
    if not sizes.size or 2 * sizes.max() <= total:
        return None
    locations, counts = locations[counts > 0], counts[counts > 0]
    at = _spread(np.arange(len(counts)))
    gaps = k_distances(locations, weights=counts, min_samples=min_samples, at=at)
    middle = _quantiles(gaps, counts[at], np.array([50.0]))[0]
    held = f"{100 * sizes.max() / total:.0f} % of all {total:,} incidents"
    if clustering.method != ClusterMethod.DBSCAN:
        return (
            f"one cluster of {clustering.method} holds {held}: it says little; dbscan with its own eps_m may say more"
        )
    return (
        f"eps_m {eps_m:g} m joins {held} into one cluster: half of them have {min_samples} incidents within "
        f"{middle:.0f} m (their k-distance), so a smaller eps_m would separate them"
    )


def _spread(rows: NDArray[np.int64], *, most: int = SAMPLE) -> NDArray[np.int64]:
    """Pick `most` rows evenly at most: locations are sorted, so every part of the map is represented."""
    # In whole numbers: steps of a fraction can reach one row too far.
    count = min(len(rows), most)
    picked: NDArray[np.int64] = rows[np.arange(count) * len(rows) // max(count, 1)]
    return picked


def _quantiles(values: Floats, weights: Ints, shares_pct: Floats) -> Floats:
    """Return the smallest values that at least these shares of the weight do not exceed."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    wanted = np.ceil(shares_pct / 100 * below[-1])
    picked: Floats = values[order][np.minimum(np.searchsorted(below, wanted), len(order) - 1)]
    return picked


def _knee(curve: Floats) -> int:
    """Return the index of the point furthest below the chord; the first where the curve is flat."""
    # Both axes scaled to one: the knee must not depend on whether the map is in metres or kilometres.
    rise = float(curve[-1] - curve[0])
    if rise <= 0:
        return 0
    return int(np.argmax(np.linspace(0, 1, len(curve)) - (curve - curve[0]) / rise))


# How many incidents make a core: as many as the densest fifth has within reach; and a limit on the largest cluster
# -------------------------------------------------------------------------------------------------------------------

DENSEST_PCT = 20
"""Share of incidents whose surroundings count as dense. Clusters then hold about 30 % of the incidents, in windows of
any length: on police.uk street crimes 125, 119 and 110 clusters in 1, 3 and 6 months of London and 17, 24 and 28 in 1,
6 and 12 months of Cleveland, where a fixed 30 gives 219, 557, 506 and 24, 108, 114."""
FEWEST_INCIDENTS = 10
"""Fewer incidents within reach are no concentration, however few there are elsewhere."""
BY_CHANCE = 0.05
"""Chance that anywhere so many incidents lie within reach if all surroundings were like that of the incident in the
middle: incidents spread evenly have no dense fifth."""
MEASURED = 4000  # places at which incidents within reach are counted; a fifth of them is known to 1 %
STEP_UP, STEP_DOWN = 1.25, 0.85  # by which min_samples grows, or eps_m shrinks, until no cluster is too large
STEPS = 20


@dataclass(frozen=True, slots=True)
class AutoSamples:
    """An automatic `min_samples`, and how it was determined in words."""

    min_samples: int
    note: str


def auto_min_samples(points_m: ArrayLike, *, eps_m: float, weights: ArrayLike | None = None) -> AutoSamples:
    """Choose how many incidents within reach make a core: as many as the densest fifth of incidents has.

    The number grows with the length of the window and with the density of the data, so that about as much of the map
    is a hotspot whatever they are. It is at least 10, and more than chance would give anywhere if all surroundings were
    like that of the incident in the middle (Poisson).

    Parameters
    ----------
    points_m
        Eastings and northings in metres, shape (n, 2).
    eps_m
        Reach in metres.
    weights
        Incidents per point, shape (n,); one each by default.

    Examples
    --------
    Twenty incidents at one corner and 60 scattered ones a kilometre apart:

    >>> places = [[0.0, 0.0]] + [[1000.0 * n, 5000.0] for n in range(60)]
    >>> auto_min_samples(places, eps_m=200, weights=[20] + [1] * 60).min_samples
    20
    """
    from scipy import special
    from scipy.spatial import KDTree

    check_settings(eps_m=eps_m, min_samples=1)
    locations, counts, _ = distinct(points_m, weights=weights)
    locations, counts = locations[counts > 0], counts[counts > 0]
    if not len(locations):
        return AutoSamples(
            FEWEST_INCIDENTS, f"min_samples {FEWEST_INCIDENTS}: there are no incidents to choose it from"
        )
    at = _spread(np.arange(len(locations)), most=MEASURED)
    tree = KDTree(locations)
    near = np.concatenate(
        [
            [counts[found].sum() for found in tree.query_ball_point(locations[part], eps_m)]
            for part in np.array_split(at, 1 + len(at) // 500)
            if len(part)
        ]
    ).astype(np.float64)
    middle, dense = _quantiles(near, counts[at], np.array([50.0, 100.0 - DENSEST_PCT]))
    chance = special.pdtrik(1 - BY_CHANCE / counts.sum(), middle)
    chosen = int(max(FEWEST_INCIDENTS, dense, np.ceil(chance)))
    note = (
        f"min_samples {chosen:,}: the densest {DENSEST_PCT} % of incidents have at least {dense:,.0f} incidents within "
        f"{eps_m:g} m, half have {middle:,.0f} or more; at least {FEWEST_INCIDENTS}, and more than chance would give"
    )
    return AutoSamples(chosen, note)


def capped(
    points_m: ArrayLike,
    settings: ClusterSettings,
    *,
    weights: ArrayLike,
    largest_pct: float,
    eps_is_free: bool,
    min_samples_is_free: bool,
) -> tuple[ClusterSettings, Clustering, str | None]:
    """Tighten automatic settings until no cluster holds more than a share of all incidents.

    Parameters
    ----------
    points_m, weights
        Locations in metres, shape (n, 2), and incidents at each, shape (n,).
    settings
        Where to start.
    largest_pct
        Largest share of all incidents, per cent.
    eps_is_free, min_samples_is_free
        Which settings are automatic: `min_samples` is raised, or if it is not automatic `eps_m` is lowered.

    Returns
    -------
    settings, clustering, note
        What was settled on; the note says from what, None if nothing was tightened. After 20 steps, or if the next one
        would leave no cluster, the last settings stand and the note says so. A place that holds more than the share by
        itself sets the limit.
    """
    counts = np.asarray(weights, dtype=np.int64)
    limit = largest_pct / 100 * counts.sum()
    found = settings.cluster(points_m, counts)
    first, used = settings, settings
    limit = max(limit, counts.max(initial=0))
    for _ in range(STEPS):
        if _largest(found, counts) <= limit or not (eps_is_free or min_samples_is_free):
            break
        tighter = (
            replace(used, min_samples=int(np.ceil(used.min_samples * STEP_UP)))
            if min_samples_is_free
            else replace(used, eps_m=float(np.ceil(used.eps_m * STEP_DOWN)))
        )
        made = tighter.cluster(points_m, counts)
        if not made.count:
            break  # equally dense all over: it is one cluster or none
        used, found = tighter, made
    if used == first:
        return used, found, None
    changed = (
        f"min_samples was raised from {first.min_samples:,} to {used.min_samples:,}"
        if min_samples_is_free
        else f"eps_m was lowered from {first.eps_m:g} to {used.eps_m:g} m"
    )
    note = f"{changed}, because one cluster held over {largest_pct:g} % of all incidents (detect.clusters.largest_pct)"
    if _largest(found, counts) > limit:
        note += f"; the largest still holds {100 * _largest(found, counts) / counts.sum():.0f} %"
    return used, found, note


def _largest(found: Clustering, counts: Ints) -> int:
    inside = found.labels >= 0
    return int(np.bincount(found.labels[inside], weights=counts[inside]).max(initial=0))
