"""Kulldorff (1997), equations as printed, in plain loops over sets: every circle round every location."""

import math
from collections.abc import Callable, Sequence

Points = Sequence[tuple[float, float]]


def circles(points: Points, weights: Sequence[float], *, max_share: float, max_radius_m: float = math.inf):
    """Give every set of locations inside a circle round one of them that holds at most a share of the weights."""
    found = set()
    for centre in points:
        distances = [round(math.dist(centre, p), 6) for p in points]
        for radius in sorted(set(distances)):
            inside = frozenset(i for i, d in enumerate(distances) if d <= radius)
            if radius <= max_radius_m and sum(weights[i] for i in inside) <= max_share * sum(weights) * (1 + 1e-12):
                found.add(inside)
    return found


def poisson(cases: Sequence[int], expected: Sequence[float]) -> Callable[[frozenset[int]], float]:
    """Return the log likelihood ratio of a set of locations under the Poisson model."""
    total = sum(cases)
    factor = total / sum(expected)

    def ratio(inside: frozenset[int]) -> float:
        c, e = sum(cases[i] for i in inside), sum(expected[i] for i in inside) * factor
        if not c > e > 0:
            return 0.0
        rest = (total - c) * math.log((total - c) / (total - e)) if c < total else 0.0
        return c * math.log(c / e) + rest

    return ratio


def bernoulli(cases: Sequence[int], controls: Sequence[int]) -> Callable[[frozenset[int]], float]:
    """Return the log likelihood ratio of a set of locations under the Bernoulli model."""
    C, N = sum(cases), sum(cases) + sum(controls)

    def term(number: int, of: int) -> float:
        return number * math.log(number / of) if number else 0.0

    def ratio(inside: frozenset[int]) -> float:
        c = sum(cases[i] for i in inside)
        n = c + sum(controls[i] for i in inside)
        if not c * N > n * C:
            return 0.0
        one = term(C, N) + term(N - C, N)
        return term(c, n) + term(n - c, n) + term(C - c, N - n) + term(N - n - C + c, N - n) - one

    return ratio
