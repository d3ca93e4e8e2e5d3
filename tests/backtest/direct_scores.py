"""Hit rate, PAI and PEI* straight from their definitions, without the package: what the backtest is held against.

Cells are squares from the origin of the coordinates. A dictionary counts, sorting ranks, and a loop fills the area.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby


def direct_scores(
    points_m: Iterable[Sequence[float]],
    when: Iterable[int],
    *,
    cell_m: float,
    areas_km2: Mapping[tuple[int, int], float],
    asked_km2: Sequence[float],
    total_km2: float,
    origins: Sequence[int],
    history: int | None,
) -> list[dict[str, float]]:
    """Score counts of the latest `history` periods (None: all), one dictionary per area asked for.

    `areas_km2` holds the cells that are not whole, and 0 for those outside the study area.
    """
    cells = [(int(x // cell_m), int(y // cell_m)) for x, y in points_m]
    rows = [(c, int(t)) for c, t in zip(cells, when, strict=True) if areas_km2.get(c, 1) > 0]

    def area(cell: tuple[int, int]) -> float:
        return areas_km2.get(cell, cell_m**2 / 1e6)

    def fill(ranked: Sequence[tuple[float, tuple[int, int]]], came: Counter, room: float) -> tuple[float, float]:
        """Return hits and area of the first cells that fit; cells with the same rank are taken in proportion."""
        hits = used = 0.0
        for _, tied in groupby(sorted(ranked, reverse=True), key=lambda pair: pair[0]):
            group = [cell for _, cell in tied]
            size = sum(map(area, group))
            part = min(1.0, (room - used) / size)
            hits += part * sum(came[cell] for cell in group)
            used += part * size
            if part < 1:
                break
        return hits, used

    out = []
    for room in asked_km2:
        hits = chance = best = later = marked = 0.0
        for origin in origins:
            before = Counter(c for c, t in rows if t < origin and (history is None or t >= origin - history))
            came = Counter(c for c, t in rows if t == origin)
            caught, used = fill([(n, cell) for cell, n in before.items()], came, room)
            hits, later, marked = hits + caught, later + came.total(), marked + used / total_km2
            chance += came.total() * used / total_km2
            best += fill([(n / area(cell), cell) for cell, n in came.items()], came, used)[0]
        out.append({
            "hits": hits,
            "hit_rate_pct": 100 * hits / later,
            "pai": hits / chance,
            "pei": hits / best,
            "marked_pct": 100 * marked / len(origins),
        })  # fmt: skip
    return out
