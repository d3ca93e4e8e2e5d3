"""Harm: incidents by the weight of their offence, beside counts, for the internal folder.

Weights differ a thousandfold, so a sum of them can rest on a single incident. A patch of density or a cluster is called
a hotspot by harm only if it has enough incidents and none of them has more than a stated share; areas state the largest
share of one incident, and a change is given only where a few grave incidents do not decide it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.detect.clusters import ClusterMethod
from pipeline.detect.density import density_bands, lowered, patch_shapes
from pipeline.detect.hotspots.ranking import detect
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.statistics.change import ChangeWord
from pipeline.statistics.harm import FEWEST_EFFECTIVE, change_of_sums, effective_incidents, transformed
from pipeline.statistics.uncertainty import benjamini_hochberg, dispersion
from pipeline.tables import HARM_AREAS, HARM_DENSITY, HARM_HOTSPOTS, HARM_OFFENCES, HARM_RULES, Level

__all__ = ["METHOD", "Guard", "Lookup", "area_table", "guarded_bands", "harm_hotspots", "offence_table"]

SCALE = 1000
"""Whole units of a weight that is the mean: places and bands are computed from whole numbers."""
_NAMED = 10  # offences without a weight that a caution names
REACH = 0.5
"""Of the bandwidth: up to there a quartic kernel keeps over half of its height."""
MOSTLY_PCT = 90.0
"""Below this share of incidents with a weight, the figures describe a part of the data."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Guard:
    """When a cluster or a patch may be called a hotspot by harm."""

    min_incidents: int
    max_share_pct: float

    def holds(self, incidents: NDArray[Any], harm: NDArray[Any], largest: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where there are enough incidents and none has more than its share."""
        return np.asarray(
            (incidents >= self.min_incidents) & (harm > 0) & (100 * largest <= self.max_share_pct * harm), dtype=bool
        )


@dataclass(frozen=True, slots=True)
class Lookup:
    """Finds the weight of an incident.

    Attributes
    ----------
    weights
        Offence to weight.
    labels
        Category id to label.
    """

    weights: Mapping[str, float]
    labels: Mapping[str, str]

    def of(self, incidents: pd.DataFrame, by: str) -> tuple[Floats, NDArray[np.object_]]:
        """Return weight (NaN where there is none) and offence of every incident, shape (n,) each.

        Of several categories the one with the highest weight counts; an incident without a weight has the text that
        was looked up.
        """
        text = incidents["offence_group" if by == "offence_group" else "categories"].astype("object")
        codes, distinct = pd.factorize(text.where(text.notna(), ""))
        found = [self._text(str(t)) if by == "offence_group" else self._categories(str(t)) for t in distinct]
        value = np.array([np.nan if w is None else w for w, _ in found], dtype=np.float64)
        names = np.array([name for _, name in found], dtype=object)
        return value[codes], names[codes]

    def _text(self, text: str) -> tuple[float | None, str]:
        keys = {name.casefold(): (weight, name) for name, weight in self.weights.items()}
        plain = " ".join(text.split())
        return keys.get(plain.casefold(), (None, plain))

    def _categories(self, text: str) -> tuple[float | None, str]:
        ids = [c for c in text.split(";") if c]
        # A category may be named by its id or by its label.
        each = [self._text(key) for c in ids for key in (c, self.labels.get(c, c))]
        known = [(weight, name) for weight, name in each if weight is not None]
        if known:
            return max(known, key=lambda pair: (pair[0], pair[1]))
        return None, "; ".join(self.labels.get(c, c) for c in ids)


def offence_table(weight: Floats, offence: NDArray[np.object_], harm: Floats) -> pd.DataFrame:
    """Return HARM_OFFENCES: each offence, most harm first; those without a weight last, most incidents first."""
    frame = pd.DataFrame({"offence": offence, "weight": weight, "harm": harm, "incidents": 1})
    table = frame.groupby(["offence", "weight"], dropna=False, sort=True).sum().reset_index()
    table["harm"] = table["harm"].mask(table["weight"].isna())
    total = float(table["harm"].sum())
    table["share_pct"] = 100 * table["harm"] / total if total else np.nan
    table = table.sort_values(["harm", "incidents", "offence"], ascending=[False, False, True], na_position="last")
    return HARM_OFFENCES.conform(table.assign(category=ROOT).reset_index(drop=True))


def area_table(
    level: str,
    codes: list[str],
    *,
    place: Ints,
    harm: Floats,
    earlier: tuple[Ints, Floats] | None,
    days: tuple[int, int],
    min_earlier: int,
    fdr_q: float,
    spread: float = 1.0,
) -> pd.DataFrame:
    """Return HARM_AREAS of one level.

    Parameters
    ----------
    level, codes
        The areas.
    place, harm
        Area of each incident of the headline, and what it adds to harm, NaN without a weight, shape (n,).
    earlier
        The same of the earlier window; None where nothing can be compared.
    days
        Length of the two windows.
    min_earlier
        Fewest incidents with a weight in the earlier window.
    fdr_q
        Expected share of false ones among the areas called higher or lower.
    spread
        Variance over mean of counts, for a level of a single area, which shows none.
    """
    size = len(codes)
    known = np.isfinite(harm)
    count = np.bincount(place[known], minlength=size)
    total = np.bincount(place[known], weights=harm[known], minlength=size)
    largest = _largest(place[known], harm[known], size)
    table = pd.DataFrame(
        {
            "category": ROOT,
            "level": level,
            "area_code": codes,
            "incidents": np.bincount(place, minlength=size),
            "weighed": count,
            "harm": total,
            "per_incident": np.divide(total, count, out=np.full(size, np.nan), where=count > 0),
            "top_share_pct": np.divide(100 * largest, total, out=np.full(size, np.nan), where=total > 0),
        }
    )
    if earlier is not None:
        at, before = earlier
        had = np.isfinite(before)
        count_before = np.bincount(at[had], minlength=size)
        total_before = np.bincount(at[had], weights=before[had], minlength=size)
        squares = np.bincount(place[known], weights=harm[known] ** 2, minlength=size)
        squares_before = np.bincount(at[had], weights=before[had] ** 2, minlength=size)
        p = change_of_sums(
            total,
            total_before,
            later_squares=squares,
            earlier_squares=squares_before,
            days_later=days[0],
            days_earlier=days[1],
            dispersion=_spread(count_before, count) if size > 1 else spread,
        )
        effective = np.minimum(effective_incidents(total, squares), effective_incidents(total_before, squares_before))
        enough = (count_before >= min_earlier) & (effective >= FEWEST_EFFECTIVE)
        clear = benjamini_hochberg(p, included=enough) <= fdr_q
        rate, rate_before = total / days[0], total_before / days[1]
        table["incidents_earlier"], table["harm_earlier"] = count_before, total_before
        pct = np.divide(100 * (rate - rate_before), rate_before, out=np.full(size, np.nan), where=rate_before > 0)
        table["change_pct"] = np.where(enough, pct, np.nan)
        table["change_word"] = np.select(
            [~enough, ~clear, rate > rate_before],
            [ChangeWord.TOO_FEW.value, ChangeWord.NO_CLEAR_CHANGE.value, ChangeWord.HIGHER.value],
            ChangeWord.LOWER.value,
        )
    return HARM_AREAS.conform(table.reindex(columns=HARM_AREAS.names))


def _spread(before: NDArray[Any], now: NDArray[Any]) -> float:
    """Return the dispersion of counts between two windows."""
    return float(dispersion(np.column_stack([before, now])).value)


def _largest(place: Ints, harm: Floats, size: int) -> Floats:
    """Return the largest value in each place, 0 where it has none."""
    found = np.zeros(size)
    np.maximum.at(found, place, harm)
    return found


def harm_hotspots(
    rows: pd.DataFrame,
    *,
    settings: Any,
    guard: Guard,
    by_count: gpd.GeoDataFrame | None,
    names: Mapping[str, str],
    crs: Any,
) -> tuple[gpd.GeoDataFrame, int]:
    """Cluster incidents by harm, in which the mean weight counts as one incident.

    Automatic settings are those that the same incidents give by number, so that the two kinds of hotspots compare.

    Parameters
    ----------
    rows
        Incidents with a weight at their places: easting_m, northing_m, ward_code, harm.
    settings
        Of `detect.clusters`: reach, `min_samples`, fewest locations, most hotspots.
    guard
        When a cluster may be listed.
    by_count
        Hotspots of incidents, which are named where they overlap.
    names
        Area code to name.
    crs
        System of the outlines.

    Returns
    -------
    hotspots, left_out
        Layer HARM_HOTSPOTS by harm, and how many clusters the guard left out.
    """
    mean = float(rows["harm"].mean()) if len(rows) else 0.0
    nothing = gpd.GeoDataFrame(HARM_HOTSPOTS.empty(), geometry=gpd.GeoSeries([], crs=crs), crs=crs)
    if mean <= 0:
        return nothing, 0
    harm = rows["harm"].to_numpy(dtype=np.float64)
    units = np.rint(SCALE * harm / mean).astype(np.int64)
    places = rows[["easting_m", "northing_m"]]
    eps_m, min_samples = settings.eps_m, settings.min_samples
    if "auto" in (eps_m, min_samples):
        by_number = detect(
            places.assign(incidents=1),
            eps_m=eps_m,
            min_samples=min_samples,
            method=settings.method,
            min_locations=settings.min_locations,
            max_hotspots=None,
            largest_pct=settings.largest_pct,
        )
        if by_number.settings is None:  # too few to choose a reach
            return nothing, 0
        eps_m, min_samples = by_number.settings.eps_m, by_number.settings.min_samples
    found = detect(
        places.assign(incidents=units),
        eps_m=eps_m,
        # The other methods count places, which have no weight.
        min_samples=SCALE * min_samples if settings.method == ClusterMethod.DBSCAN else min_samples,
        method=settings.method,
        min_locations=settings.min_locations,
        max_hotspots=None,
    )
    if not found.count:
        return nothing, 0
    hotspot = found.member[found.place].astype(np.int64)
    inside = hotspot >= 0
    incidents = np.bincount(hotspot[inside], minlength=found.count)
    total = np.bincount(hotspot[inside], weights=harm[inside], minlength=found.count)
    largest = _largest(hotspot[inside].astype(np.int64), harm[inside], found.count)
    listed = guard.holds(incidents, total, largest)
    order = np.flatnonzero(listed)
    order = order[np.lexsort((order, -total[order]))][: settings.max_hotspots]
    shapes = found.outlines()[order] if len(order) else np.empty(0, dtype=object)
    wards = rows["ward_code"].astype("object").to_numpy()
    records = []
    for rank, k in enumerate(order, start=1):
        mine = pd.Series(wards[hotspot == k]).dropna()
        most = mine.value_counts().sort_index().idxmax() if len(mine) else ""
        records.append(
            {
                "hotspot_id": f"harm-{rank:02d}",
                "category": ROOT,
                "rank": rank,
                "area_name": names.get(most, most),
                "incidents": int(incidents[k]),
                "harm": float(total[k]),
                "per_incident": float(total[k] / incidents[k]),
                "top_share_pct": float(100 * largest[k] / total[k]),
                "by_count": _overlapped(shapes[rank - 1], by_count),
            }
        )
    frame = HARM_HOTSPOTS.conform(pd.DataFrame(records, columns=HARM_HOTSPOTS.names))
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(list(shapes), crs=crs), crs=crs), int((~listed).sum())


def _overlapped(shape: Any, by_count: gpd.GeoDataFrame | None) -> int | None:
    """Return the rank of the hotspot of incidents that an outline overlaps most."""
    if by_count is None or not len(by_count):
        return None
    common = shapely.area(shapely.intersection(by_count.geometry.to_numpy(), shape))
    return int(by_count["rank"].iloc[int(np.argmax(common))]) if common.max() > 0 else None


def guarded_bands(
    layer: gpd.GeoDataFrame, xy: Floats, harm: Floats, guard: Guard, *, reach_m: float
) -> gpd.GeoDataFrame:
    """Lower the band of patches that too few or too unequal incidents make, as density does with few places.

    Parameters
    ----------
    layer
        Bands, the lowest first.
    xy, harm
        Incidents, shape (n, 2), and what each adds, shape (n,).
    reach_m
        How far from a patch an incident still makes it: a grave one beside a patch may have raised it.
    """
    if not len(layer):
        return layer
    tree = shapely.STRtree(shapely.points(xy))

    shapes = layer.geometry.to_numpy()
    pieces = shapely.get_parts(shapes)

    def enough(patch: Any, piece: Any) -> Any:
        patches = patch_shapes(pieces[piece], patch)
        size = len(patches)
        held, _ = tree.query(patches, predicate="intersects")
        near, which = tree.query(shapely.buffer(patches, reach_m), predicate="intersects")
        return guard.holds(
            np.bincount(held, minlength=size),
            np.bincount(near, weights=harm[which], minlength=size),
            _largest(near.astype(np.int64), harm[which], size),
        )

    kept = lowered(shapes, enough)
    out = layer.set_geometry(gpd.GeoSeries(kept, crs=layer.crs, index=layer.index))
    return out[~out.geometry.is_empty].reset_index(drop=True)


# The entry in the registry
# -------------------------


def _bands(data: DetectInput, rows: pd.DataFrame, guard: Guard) -> gpd.GeoDataFrame:
    """Draw the density of harm with the kernel, the bandwidth and the rule for limits that incidents have."""
    crs, settings = data.areas.crs, data.config.detect.density
    mean = float(rows["harm"].mean()) if len(rows) else 0.0
    nothing = gpd.GeoDataFrame(HARM_DENSITY.empty(), geometry=gpd.GeoSeries([], crs=crs), crs=crs)
    if mean <= 0 or data.bandwidth is None or not settings.enabled:
        return nothing
    units = np.rint(SCALE * rows["harm"].to_numpy(dtype=np.float64) / mean).astype(np.int64)
    placed = pd.DataFrame(
        {"easting_m": rows["easting_m"], "northing_m": rows["northing_m"], "categories": "", "incidents": units}
    )
    made = density_bands(
        placed[units > 0],
        study_area=data.study.outline,
        crs=crs,
        settings=settings,
        bandwidth_m=data.bandwidth.bandwidth_m,
        categories=[ROOT],
        min_locations=settings.min_locations,
    ).bands
    if not len(made):
        return nothing
    xy = rows[["easting_m", "northing_m"]].to_numpy(dtype=np.float64)
    harm = rows["harm"].to_numpy(dtype=np.float64)
    layer = guarded_bands(made, xy, harm, guard, reach_m=data.bandwidth.bandwidth_m * REACH)
    for name in ("density_low", "density_high"):
        layer[name] = [None if pd.isna(v) else float(f"{v * mean / SCALE:.3g}") for v in layer[name]]
    layer["density_id"] = [f"harm-{k:02d}" for k in range(1, len(layer) + 1)]
    frame = HARM_DENSITY.conform(pd.DataFrame(layer.drop(columns="geometry")))
    return gpd.GeoDataFrame(frame, geometry=layer.geometry, crs=crs)


def _chosen(data: DetectInput, lookup: Lookup, incidents: pd.DataFrame) -> str:
    """Return what of an incident is looked up; an error where nothing of any has a weight."""
    ways = ("offence_group", "category") if data.config.harm.by == "auto" else (data.config.harm.by,)
    found = {way: int(np.isfinite(lookup.of(incidents, way)[0]).sum()) for way in ways}
    best = max(ways, key=lambda way: found[way])
    if not found[best]:
        what = " or ".join("columns.offence_group" if way == "offence_group" else "a category" for way in ways)
        raise InputError(
            f"no incident of {data.window.headline.label} has an offence that the table of harm.weights names: its "
            f"offences must be written as in {what}"
        )
    return best


def _earlier(data: DetectInput) -> Period | None:
    """Return the window that the headline is compared with, where both are whole."""
    window = data.window
    if window.earlier is None or window.partial(window.headline) or window.partial(window.earlier):
        return None
    return window.earlier


_READ = ("categories", "offence_group", "ward_code", "borough_code")


def _harm(data: DetectInput) -> Findings:
    """Count harm in one window."""
    headline, name, crs = data.window.headline, data.window.headline.id, data.areas.crs
    if data.timed is None or data.described is None or data.weights is None:
        return Findings()
    settings, rows = data.config.harm, data.timed(headline).rows(_READ)
    lookup = Lookup(data.weights, data.labels)
    by = _chosen(data, lookup, rows)

    def weighed(frame: pd.DataFrame) -> tuple[Floats, NDArray[np.object_], Floats]:
        weight, offence = lookup.of(frame, by)
        harm = np.full(len(frame), np.nan)
        known = np.isfinite(weight)
        harm[known] = transformed(weight[known], settings.transform)
        return weight, offence, harm

    weight, offence, harm = weighed(rows)
    offences = offence_table(weight, offence, harm)
    earlier = _earlier(data)
    before = data.timed(earlier).rows(_READ) if earlier is not None else None
    harm_before = weighed(before)[2] if before is not None else None
    areas, tables = data.areas[data.areas["covered"]], []
    spread = 1.0
    if before is not None and harm_before is not None:
        known_codes = sorted(areas.loc[areas["level"] == Level.BOROUGH, "area_code"])
        counts = [
            frame.loc[np.isfinite(value), "borough_code"].value_counts().reindex(known_codes, fill_value=0)
            for frame, value in ((before, harm_before), (rows, harm))
        ]
        spread = _spread(*(c.to_numpy(dtype=np.int64) for c in counts))
    for level, column in ((Level.REGION, ""), (Level.BOROUGH, "borough_code"), (Level.WARD, "ward_code")):
        codes = sorted(areas.loc[areas["level"] == level, "area_code"])
        if not codes:
            continue

        def place_of(frame: pd.DataFrame, codes: list[str] = codes, column: str = column) -> Ints:
            if not column:
                return np.zeros(len(frame), dtype=np.int64)
            return np.asarray(pd.Index(codes).get_indexer(frame[column]), dtype=np.int64)

        at = place_of(rows)
        there = at >= 0
        compared = None
        if before is not None and harm_before is not None:
            at_before = place_of(before)
            compared = (at_before[at_before >= 0], harm_before[at_before >= 0])
        tables.append(
            area_table(
                level.value,
                codes,
                place=at[there],
                harm=harm[there],
                earlier=compared,
                days=(headline.days, earlier.days if earlier else headline.days),
                min_earlier=data.config.change.min_earlier,
                fdr_q=data.config.change.fdr_q,
                spread=spread,
            )
        )
    placed = data.described(headline).rows(["easting_m", "northing_m", "ward_code", "categories", "offence_group"])
    placed = placed.assign(harm=weighed(placed)[2])
    placed = placed[placed["harm"].notna()].sort_values(["easting_m", "northing_m"], kind="stable", ignore_index=True)
    guard = Guard(settings.min_incidents, settings.max_share_pct)
    density = _bands(data, placed, guard)
    by_count = data.made.get(f"hotspots/{name}.parquet")
    names = data.areas.set_index("area_code")["name"].to_dict()
    hotspots, left_out = harm_hotspots(
        placed, settings=data.config.detect.clusters, guard=guard, by_count=by_count, names=names, crs=crs
    )
    known = int(np.isfinite(weight).sum())
    rules = {
        "by": by,
        "transform": settings.transform,
        "min_incidents": settings.min_incidents,
        "max_share_pct": settings.max_share_pct,
        "incidents": len(rows),
        "weighed": known,
        "left_out": left_out,
        **({"earlier": earlier.id} if earlier else {}),
    }
    rule_table = pd.DataFrame({"category": ROOT, "rule": list(rules), "value": [str(v) for v in rules.values()]})
    folder = f"patterns/{name}"
    return Findings(
        tables={
            f"{folder}/{HARM_OFFENCES.name}.parquet": offences,
            f"{folder}/{HARM_RULES.name}.parquet": HARM_RULES.conform(rule_table),
            f"{folder}/{HARM_AREAS.name}.parquet": HARM_AREAS.conform(pd.concat(tables, ignore_index=True)),
            f"{folder}/{HARM_DENSITY.name}.parquet": density,
            f"{folder}/{HARM_HOTSPOTS.name}.parquet": hotspots,
        },
        choices={
            f"harm {name}": f"{known:,} of {len(rows):,} incidents have a weight, by {by}; {left_out} clusters have "
            "too few incidents, or one with too large a share, to be hotspots by harm"
        },
        counters={f"harm_hotspots {name}": len(hotspots)},
        cautions=_cautions(offences, known, len(rows), headline),
    )


def _cautions(offences: pd.DataFrame, known: int, total: int, headline: Period) -> tuple[str, ...]:
    """Name the offences without a weight."""
    lacking = offences[offences["weight"].isna()]
    if not len(lacking):
        return ()
    named = [
        f"{text or 'none stated'} ({n:,})"
        for text, n in lacking[["offence", "incidents"]].head(_NAMED).itertuples(index=False)
    ]
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    less = " The figures by harm describe a part of the data." if 100 * known < MOSTLY_PCT * total else ""
    caution = (
        f"harm.weights has no weight for {total - known:,} of {total:,} incidents of {headline.label}, which count "
        f"nothing there: {', '.join(named)}{more}.{less}"
    )
    return (caution,)


METHOD = Method(
    name="harm",
    section="harm",
    needs=frozenset({Need.POINTS}),
    scope=Scope.INTERNAL,
    switch="harm.weights",
    run=_harm,
)
