"""Kernel density along a network: simple, and with equal split at junctions (Okabe and Sugihara 2012, chapter 9).

Both spread each incident along the streets, as far as the bandwidth. The simple kernel gives every street beyond a
junction the whole of what arrives: its total exceeds the number of incidents, so it is no density in the strict sense.
The equal-split discontinuous kernel divides what arrives among the streets that lead on, and keeps the total away from
dead ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.detect.streets.segments import Network
from pipeline.errors import InputError

__all__ = [
    "LADDER_M",
    "LEAST_SHARE",
    "MOST_STEPS",
    "Located",
    "NetworkBandwidth",
    "NetworkKernel",
    "choose_network_bandwidth",
    "network_density",
    "quartic",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Form = Literal["simple", "discontinuous"]

LEAST_SHARE = 1e-4
"""A path whose share of an incident is below this ends: all of them together hold less than the fourth digit."""
MOST_STEPS = 20_000_000
"""Steps from segment to segment; a million take a few seconds."""
LADDER_M = (100.0, 150.0, 200.0, 300.0, 400.0)
"""Candidate bandwidths: from one block to about four, beyond which too many paths lie within reach."""
LEAST_DENSITY = 1e-3
"""Of the mean density: what a place with no other within reach counts as, or its logarithm would be infinite."""


def quartic(distance_m: Floats, bandwidth_m: float) -> Floats:
    """Return the quartic kernel along a line, which integrates to 1, per metre."""
    u = np.minimum(distance_m / bandwidth_m, 1.0)
    return np.asarray(15 / 16 * (1 - u * u) ** 2 / bandwidth_m, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Located:
    """Places on segments.

    Attributes
    ----------
    segment
        Number of the segment, shape (n,).
    along_m
        Distance from its start, shape (n,).
    """

    segment: Ints
    along_m: Floats


@dataclass(frozen=True, slots=True)
class NetworkKernel:
    """How incidents are spread.

    Attributes
    ----------
    form
        ``"simple"`` (shortest path, no division) or ``"discontinuous"`` (equal split at every junction).
    bandwidth_m
        Reach along the streets.
    junction_m
        A place this near to the end of its segment is at the junction: centre lines are no more exact.
    """

    form: Form
    bandwidth_m: float
    junction_m: float = 1.0


def network_density(
    network: Network, events: Located, weights: Floats, *, at: Located | None, kernel: NetworkKernel
) -> Floats:
    """Estimate density at places on the network.

    An incident at distance d along a path over junctions of n_1, n_2 ... streets adds k(d) / ((n_1 - 1)(n_2 - 1) ...),
    summed over all paths within the bandwidth that never turn back. At a dead end a path ends. An incident at a
    junction of n streets starts with 2 / n on each. The simple kernel adds k of the shortest path.

    Parameters
    ----------
    network
        Segments and their nodes.
    events
        Distinct places of incidents.
    weights
        Incidents at each, shape (n,).
    at
        Where the density is wanted; None for the places of the incidents, each without its own.
    kernel
        Form and bandwidth.

    Returns
    -------
    density
        Incidents per metre of street, shape (m,).

    Raises
    ------
    InputError
        If the bandwidth is not positive or so long that too many paths lie within it.
    """
    if not kernel.bandwidth_m > 0:
        raise InputError(f"a network bandwidth of {kernel.bandwidth_m} m is none: give a number above 0")
    spread = _Spread(network, events if at is None else at, kernel)
    given = np.asarray(weights, dtype=np.float64).tolist()
    for place, (segment, along) in enumerate(zip(events.segment.tolist(), events.along_m.tolist(), strict=True)):
        before = spread.density[place] if at is None else 0.0
        spread.add(segment, along, given[place])
        if at is None:  # also what comes back to it round a block
            spread.density[place] = before
    return spread.density


@dataclass(frozen=True, slots=True)
class NetworkBandwidth:
    """A bandwidth, and the candidates with their mean log likelihoods where it was chosen among them."""

    bandwidth_m: float
    ladder: tuple[tuple[float, float], ...]

    @property
    def at_first(self) -> bool:
        """Whether it is the first candidate."""
        return bool(self.ladder) and self.bandwidth_m == self.ladder[0][0]

    @property
    def at_the_end(self) -> bool:
        """Whether it is the first or the last candidate: a better one may lie beyond."""
        return bool(self.ladder) and self.bandwidth_m in {self.ladder[0][0], self.ladder[-1][0]}


def choose_network_bandwidth(
    network: Network, events: Located, weights: Floats, *, form: Form, ladder_m: Sequence[float] = LADDER_M
) -> NetworkBandwidth:
    """Choose the bandwidth by leave-one-out likelihood: each place is predicted from all others.

    All incidents of a place are left out together, because open data repeats coordinates. A candidate under which too
    many paths lie within reach ends the ladder.

    Parameters
    ----------
    network, events, weights
        As for `network_density`.
    form
        Kernel.
    ladder_m
        Candidates, shortest first.
    """
    total = float(weights.sum())
    least = LEAST_DENSITY * total / float(network.length_m.sum())
    found: list[tuple[float, float]] = []
    for bandwidth in ladder_m:
        try:
            others = network_density(network, events, weights, at=None, kernel=NetworkKernel(form, bandwidth))
        except InputError:
            if not found:
                raise
            break
        # The density that the others would have if there were as many as all.
        scaled = others * (total / np.maximum(total - weights, 1.0))
        found.append((bandwidth, float((weights * np.log(np.maximum(scaled, least))).sum() / total)))
    best = max(found, key=lambda pair: (pair[1], -pair[0]))
    return NetworkBandwidth(best[0], tuple(found))


class _Spread:
    """The walk from each incident along the streets, and what it leaves at the places of `at`."""

    def __init__(self, network: Network, at: Located, kernel: NetworkKernel) -> None:
        self.kernel = kernel
        self.density = np.zeros(len(at.segment))
        self.steps = 0
        self.length = network.length_m.tolist()
        self.ends = network.ends.tolist()
        # The segments at each node; a loop is there twice.
        self.around: list[list[tuple[int, int]]] = [[] for _ in range(network.nodes)]
        for segment, (start, end) in enumerate(self.ends):
            self.around[start].append((segment, 0))
            self.around[end].append((segment, 1))
        # The wanted places of each segment, by their distance from its start.
        order = np.lexsort((at.along_m, at.segment))
        cuts = np.searchsorted(at.segment[order], np.arange(len(self.length) + 1))
        self.first, self.number, self.along = cuts.tolist(), order, at.along_m[order]

    def add(self, segment: int, along: float, weight: float) -> None:
        """Spread one place's incidents."""
        if self.kernel.form == "simple":
            self._shortest(segment, along, weight)
        else:
            self._split(segment, along, weight)

    def _leave(self, segment: int, *, distance: Floats, share: float) -> None:
        """Add to the wanted places of a segment what arrives over these distances."""
        low, high = self.first[segment], self.first[segment + 1]
        self.density[self.number[low:high]] += share * quartic(distance, self.kernel.bandwidth_m)

    def _places(self, segment: int) -> Floats:
        return self.along[self.first[segment] : self.first[segment + 1]]

    def _split(self, segment: int, along: float, weight: float) -> None:
        """Follow every path that never turns back, with its share."""
        reach, length = self.kernel.bandwidth_m, self.length[segment]
        start, end = self.ends[segment]
        # An incident at a node starts there, with an equal part of twice itself on each street.
        if along <= self.kernel.junction_m or along >= length - self.kernel.junction_m:
            node = start if along <= self.kernel.junction_m else end
            streets = self.around[node]
            stack = [(other, side, 0.0, 2 * weight / len(streets)) for other, side in streets]
        else:
            self._leave(segment, distance=np.abs(self._places(segment) - along), share=weight)
            stack = []
            for node, side, gone in ((start, 0, along), (end, 1, length - along)):
                stack += self._onward(node, segment, side, gone=gone, share=weight)
        least = LEAST_SHARE * weight
        while stack:
            other, side, gone, share = stack.pop()
            if gone >= reach or share < least:
                continue
            self._step()
            places = self._places(other)
            span = self.length[other]
            if places.size:
                self._leave(other, distance=gone + (places if side == 0 else span - places), share=share)
            if gone + span < reach:
                stack += self._onward(self.ends[other][1 - side], other, 1 - side, gone=gone + span, share=share)

    def _onward(
        self, node: int, came: int, side: int, *, gone: float, share: float
    ) -> list[tuple[int, int, float, float]]:
        """Return the streets that lead on from a node, each with its share."""
        streets = [s for s in self.around[node] if s != (came, side)]
        return [(other, at, gone, share / len(streets)) for other, at in streets]

    def _shortest(self, segment: int, along: float, weight: float) -> None:
        """Spread by shortest path: every node within reach once, every place over the nearer end of its segment."""
        import heapq

        reach, length = self.kernel.bandwidth_m, self.length[segment]
        best: dict[int, float] = {}
        start, end = self.ends[segment]
        queue = [(along, start), (length - along, end)]
        while queue:
            gone, node = heapq.heappop(queue)
            if gone >= reach or node in best:
                continue
            best[node] = gone
            self._step()
            for other, side in self.around[node]:
                queue_at = gone + self.length[other]
                if queue_at < reach:
                    heapq.heappush(queue, (queue_at, self.ends[other][1 - side]))
        touched = {other for node in best for other, _ in self.around[node]} | {segment}
        for other in sorted(touched):
            places = self._places(other)
            if not places.size:
                continue
            one, two = self.ends[other]
            distance = np.minimum(best.get(one, np.inf) + places, best.get(two, np.inf) + self.length[other] - places)
            if other == segment:
                distance = np.minimum(distance, np.abs(places - along))
            self._leave(other, distance=distance, share=weight)

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise InputError(
                f"more than {MOST_STEPS:,} paths along streets lie within {self.kernel.bandwidth_m:g} m of the "
                "incidents: lower detect.streets.bandwidth_m"
            )
