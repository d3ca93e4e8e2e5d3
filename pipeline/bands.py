"""Count bands: how a count is told where its exact value is not."""

from pipeline.errors import InputError

__all__ = ["EDGES", "count_band"]

EDGES = (1, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def count_band(count: int) -> str:
    """Return the band a count lies in: ``0``, ``1-4``, ``5-9``, ``10-19`` ... ``5000 or more``.

    Raises
    ------
    InputError
        If the count is negative.

    Examples
    --------
    >>> [count_band(n) for n in (0, 4, 10, 199, 7000)]
    ['0', '1-4', '10-19', '100-199', '5000 or more']
    """
    if count < 0:
        raise InputError(f"a count of {count} has no band: counts are 0 or more")
    if count == 0:
        return "0"
    place = max(i for i, edge in enumerate(EDGES) if edge <= count)
    if place == len(EDGES) - 1:
        return f"{EDGES[-1]} or more"
    return f"{EDGES[place]}-{EDGES[place + 1] - 1}"
