"""The entry in the registry: incidents by street segment in one window, concentration on them, and runs of hot ones.

An incident counts on the segment that is nearest to its place. Where the source moved incidents to fixed map points,
that is the map point's street, which need not be the incident's. All of it is for the internal folder.
"""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.detect.concentration import (
    SAMPLES,
    TOP_PCT,
    Unit,
    Units,
    categories_with_enough,
    concentration_rows,
    earlier_years,
)
from pipeline.detect.density import month_rows, places_of
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope
from pipeline.detect.streets.density import (
    Located,
    NetworkBandwidth,
    NetworkKernel,
    choose_network_bandwidth,
    network_density,
)
from pipeline.detect.streets.segments import Nearest, Network, nearest_segments, runs_of
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period
from pipeline.statistics.concentration import FEWEST_INCIDENTS, top_units
from pipeline.tables import CONCENTRATION, STREET_RUNS, STREET_SEGMENTS

__all__ = ["METHOD", "hot_runs", "segment_table"]

MANY_DEAD_ENDS_PCT = 60.0
"""From here on most ends meet nothing: lines run through junctions. In Cleveland's layer, split at junctions, it is
13 %."""
MOST_NAMES = 3
PIECE_M = 50.0
"""Density is estimated at the middle of pieces of at most this length: a sixth of the usual bandwidths."""
SPREAD = (0.5, 0.9, 0.99)
"""Shares of incidents whose distance from their segment is stated."""

Counts = NDArray[np.int64]
Ints = NDArray[np.int64]


def segment_table(
    streets: gpd.GeoDataFrame, network: Network, counts: Counts, *, density_per_km: NDArray[np.float64] | None = None
) -> gpd.GeoDataFrame:
    """Return the segments with incidents or density: counts, rates, ranks, and which are hot and in which run.

    Hot segments are the fewest that hold a quarter of the incidents, with all that equal the last of them. Segments
    are ranked by incidents, not by their rate per 100 m, which one incident on a short segment would lead.

    Parameters
    ----------
    streets
        segment_id, name, geometry.
    network
        Of the same segments.
    counts
        Incidents of each, shape (n,).
    density_per_km
        Density along the network, shape (n,), if it was estimated.

    Returns
    -------
    segments
        Columns of STREET_SEGMENTS, by rank. `run` is the rank of the run, empty where a segment is not hot.
    """
    top = top_units(counts, TOP_PCT)
    hot = np.zeros(len(counts), dtype=bool) if top is None else top
    run = runs_of(network, hot)
    # Runs by their incidents; of equal ones the first segment's id decides.
    totals = np.bincount(run[hot], weights=counts[hot]) if hot.any() else np.zeros(0)
    place = np.empty(len(totals), dtype=np.int64)
    place[np.lexsort((np.arange(len(totals)), -totals))] = np.arange(1, len(totals) + 1)
    ranked = pd.array(np.where(hot, place[run] if len(place) else 0, 0), dtype="Int64")
    ranked[~hot] = pd.NA
    there = counts > 0 if density_per_km is None else (counts > 0) | (density_per_km > 0)
    table = gpd.GeoDataFrame(
        {
            "segment_id": streets["segment_id"].to_numpy(),
            "name": streets["name"].to_numpy(),
            "length_m": network.length_m.round(1),
            "incidents": counts,
            "per_100m": (100 * counts / network.length_m).round(2),
            "rank": pd.Series(counts).rank(method="min", ascending=False).astype("int64").to_numpy(),
            "hot": hot,
            "run": ranked,
            "density_per_km": np.full(len(counts), np.nan) if density_per_km is None else density_per_km.round(3),
        },
        geometry=streets.geometry.to_numpy(),
        crs=streets.crs,
    )[there]
    return table.sort_values(["rank", "segment_id"], kind="stable", ignore_index=True)


def hot_runs(segments: pd.DataFrame) -> pd.DataFrame:
    """Return runs of hot segments that share their ends, by incidents.

    Parameters
    ----------
    segments
        As `segment_table` returns them.

    Returns
    -------
    runs
        Columns of STREET_RUNS. `names` are the names of most incidents, three at most.
    """
    hot = segments[segments["hot"]]
    rows = []
    for run, part in hot.groupby("run", sort=True):
        named = part[part["name"] != ""].groupby("name")["incidents"].sum().reset_index()
        named = named.sort_values(["incidents", "name"], ascending=[False, True])
        length, incidents = float(part["length_m"].sum()), int(part["incidents"].sum())
        rows.append(
            {
                "run": int(run),
                "names": "; ".join(named["name"].head(MOST_NAMES)),
                "segments": len(part),
                "length_m": round(length, 1),
                "incidents": incidents,
                "per_100m": round(100 * incidents / length, 2),
            }
        )
    return STREET_RUNS.conform(pd.DataFrame(rows, columns=STREET_RUNS.names))


# The entry in the registry
# -------------------------


class _Located:
    """Incidents by segment: every place is looked up once, for all windows and categories."""

    def __init__(self, data: DetectInput, streets: gpd.GeoDataFrame, *, max_distance_m: float) -> None:
        self._data, self.segments = data, len(streets)
        rows = data.locations if data.apart is None else pd.concat([data.locations, data.apart], ignore_index=True)
        places = rows[["easting_m", "northing_m"]].drop_duplicates().to_numpy(dtype=np.float64)
        self.nearest: Nearest = nearest_segments(streets.geometry.to_numpy(), places)
        self._along = shapely.line_locate_point(
            streets.geometry.to_numpy()[self.nearest.segment], shapely.points(places)
        )
        self._max_m = max_distance_m
        self._number = pd.Series(np.arange(len(places)), index=pd.MultiIndex.from_arrays([places[:, 0], places[:, 1]]))

    def _of(self, category: str, period: Period) -> tuple[Ints, Counts]:
        xy, incidents = places_of(month_rows(self._data.rows_of(category), period), category=category)
        number = self._number.reindex(pd.MultiIndex.from_arrays([xy[:, 0], xy[:, 1]])).to_numpy(dtype=np.int64)
        return number, np.asarray(incidents, dtype=np.int64)

    def counts(self, category: str, period: Period) -> Counts:
        """Return the incidents of every segment."""
        number, incidents = self._of(category, period)
        near = self.nearest.distance_m[number] <= self._max_m
        segment = self.nearest.segment[number[near]]
        return np.bincount(segment, weights=incidents[near], minlength=self.segments).astype(np.int64)

    def places(self, period: Period) -> tuple[Located, Counts]:
        """Return where the incidents lie on their segments, distinct places with their incidents."""
        number, incidents = self._of(ROOT, period)
        near = self.nearest.distance_m[number] <= self._max_m
        return Located(self.nearest.segment[number[near]], self._along[number[near]]), incidents[near]

    def distances(self, period: Period) -> tuple[NDArray[np.float64], Counts]:
        """Return the distance of each place to its segment, and its incidents."""
        number, incidents = self._of(ROOT, period)
        return self.nearest.distance_m[number], incidents


def _quantile(values: NDArray[np.float64], weights: Counts, share: float) -> float:
    """Return the least value that a share of the weight does not exceed."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, share * reached[-1], side="left")])


def _density(
    data: DetectInput, network: Network, located: _Located
) -> tuple[NDArray[np.float64] | None, NetworkBandwidth | None]:
    """Estimate density along the streets, as the mean of each segment's pieces; none where incidents are too few."""
    settings = data.config.detect.streets
    events, weights = located.places(data.window.headline)
    if settings.density == "none" or int(weights.sum()) < FEWEST_INCIDENTS:
        return None, None
    if settings.bandwidth_m == "auto":
        chosen = choose_network_bandwidth(network, events, weights.astype(np.float64), form=settings.density)
    else:
        chosen = NetworkBandwidth(float(settings.bandwidth_m), ())
    pieces = np.maximum(1, np.ceil(network.length_m / PIECE_M)).astype(np.int64)
    segment = np.repeat(np.arange(len(pieces)), pieces)
    nth = np.arange(len(segment)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    middle = (nth + 0.5) * (network.length_m / pieces)[segment]
    found = network_density(
        network,
        events,
        weights.astype(np.float64),
        at=Located(segment, middle),
        kernel=NetworkKernel(settings.density, chosen.bandwidth_m),
    )
    return 1000 * np.bincount(segment, weights=found) / pieces, chosen


def _streets(data: DetectInput) -> Findings:
    """Count one window by segment."""
    headline, name = data.window.headline, data.window.headline.id
    settings, streets = data.config.detect.streets, data.streets
    assert streets is not None  # noqa: S101 `_no_streets`
    network = Network.of(streets.geometry.to_numpy())
    located = _Located(data, streets, max_distance_m=settings.max_distance_m)
    counts = located.counts(ROOT, headline)
    away, incidents = located.distances(headline)
    cautions = []
    if network.dead_ends_pct > MANY_DEAD_ENDS_PCT:
        cautions.append(
            f"detect.streets: {network.dead_ends_pct:.0f} % of segment ends meet no other segment: lines seem to run "
            "through junctions, so segments are long and runs break off. Split them at junctions."
        )
    total, on = int(incidents.sum()), int(counts.sum())
    if total and on < 0.9 * total:
        cautions.append(
            f"detect.streets: {total - on:,} of {total:,} incidents of {headline.label} are more than "
            f"{settings.max_distance_m:g} m from any segment and count on none."
        )
    density, bandwidth = _density(data, network, located)
    if bandwidth is not None and bandwidth.at_the_end:
        cautions.append(
            f"detect.streets.bandwidth_m: of the candidates the {'first' if bandwidth.at_first else 'last'} is best, "
            f"{bandwidth.bandwidth_m:g} m: a better one may lie beyond. Places that are far apart, such as map points, "
            "ask for long bandwidths."
        )
    segments = segment_table(streets, network, counts, density_per_km=density)
    rows = concentration_rows(
        Units(Unit.STREET, network.length_m, located.counts),
        categories=categories_with_enough(data, headline),
        headline=headline,
        earlier=earlier_years(data),
        seed=data.config.run.seed,
        samples=SAMPLES,
    )
    choices: dict[str, Any] = {}
    if bandwidth is not None:
        choices[f"network bandwidth_m {name}"] = bandwidth.bandwidth_m
        choices[f"network bandwidth ladder {name}"] = [list(pair) for pair in bandwidth.ladder]
    if total:
        spread = ", ".join(
            f"{share:.0%} within {_quantile(away, incidents, share):.0f} m" for share in (0.5, 0.9, 0.99)
        )
        choices[f"streets {name}"] = (
            f"{on:,} of {total:,} incidents on {len(streets):,} segments; nearest segment: {spread}, all within "
            f"{float(away.max()):.0f} m"
        )
    return Findings(
        tables={
            f"streets/{name}.parquet": gpd.GeoDataFrame(
                STREET_SEGMENTS.conform(segments.drop(columns="geometry")), geometry=segments.geometry, crs=streets.crs
            ),
            f"streets/{name}.runs.parquet": hot_runs(segments),
            f"streets/{name}.concentration.parquet": CONCENTRATION.conform(
                pd.DataFrame(rows, columns=CONCENTRATION.names)
            ),
        },
        choices=choices,
        counters={f"hot segments {name}": int(segments["hot"].sum())},
        cautions=tuple(cautions),
    )


def _no_streets(data: DetectInput) -> str:
    return "" if data.streets is not None and len(data.streets) else "no street of the layer is inside the study area"


METHOD = Method(
    name="streets",
    section="detect.streets",
    needs=frozenset({Need.POINTS, Need.STREETS}),
    scope=Scope.INTERNAL,
    switch="detect.streets.path",
    run=_streets,
    obstacle=_no_streets,
    also_reads=earlier_years,
)
