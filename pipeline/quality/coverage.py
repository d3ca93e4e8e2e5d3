"""Boroughs that the files hardly reach: a count of nothing is drawn as nothing, whoever was never asked."""

import statistics
from collections.abc import Mapping

__all__ = ["coverage_caution", "scarce"]

SCARCE_PCT = 5.0
_FEWEST = 3
_LISTED = 10


def scarce(counts: Mapping[str, int]) -> list[str]:
    """Find areas whose count is 0 or under 5 per cent of the median area's (of the largest, where the median is 0).

    Parameters
    ----------
    counts
        Incidents of each area over the whole data; areas said not to be covered are left out.

    Returns
    -------
    codes
        Fewest first; none where there are fewer than three areas, of which none is typical.
    """
    if len(counts) < _FEWEST:
        return []
    # Where more than half have nothing, the median says nothing either: strays beside the one that is covered stay few.
    typical = statistics.median(counts.values()) or max(counts.values())
    least = typical * SCARCE_PCT / 100
    return sorted((c for c, n in counts.items() if n == 0 or n < least), key=lambda c: (counts[c], c))


def coverage_caution(counts: Mapping[str, int], *, names: Mapping[str, str]) -> tuple[list[dict[str, object]], str]:
    """Say which areas the files may not cover.

    Parameters
    ----------
    counts
        As for `scarce`.
    names
        Name of each area.

    Returns
    -------
    found, caution
        Code, name and count of each such area, and a sentence; none and an empty text where all is well.
    """
    codes = scarce(counts)
    found: list[dict[str, object]] = [
        {"area_code": code, "name": names[code], "incidents": counts[code]} for code in codes
    ]
    if not codes:
        return [], ""
    listed = ", ".join(f"{names[code]} {counts[code]:,}" for code in codes[:_LISTED])
    more = f" and {len(codes) - _LISTED} more" if len(codes) > _LISTED else ""
    one = len(codes) == 1
    beside = "typical" if statistics.median(counts.values()) else "largest"
    least = f"under 5 % of the {beside} count" if any(counts[code] for code in codes) else "a count of 0"
    return found, (
        f"{len(codes)} of {len(counts)} boroughs {'has' if one else 'have'} {least} ({listed}{more}). If the files do "
        f"not cover {'it, put its code' if one else 'them, put their codes'} in areas.not_covered (quality.json lists "
        "codes under scarce_boroughs): left out, they count as zero on the map and in rates."
    )
