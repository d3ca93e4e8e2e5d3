"""What the counters and choices of a run's record are called in words; programs read them in manifest.json."""

from collections.abc import Mapping
from typing import Any

__all__ = ["choice_name", "counted"]

# Counter: the words for one and for any other number, in the order they are said.
_COUNTERS = {
    "wards": ("ward", "wards"),
    "boroughs": ("borough", "boroughs"),
    "rows": ("row read", "rows read"),
    "incidents": ("incident kept", "incidents kept"),
    "quarantined": ("row refused", "rows refused"),
    "duplicates": ("duplicate dropped", "duplicates dropped"),
    "files_read": ("file read", "files read"),
    "files_taken_over": ("reused", "reused"),
    "parts_counted": ("file counted", "files counted"),
    "parts_taken_over": ("count reused", "counts reused"),
    "area_months": ("count by area, month and category", "counts by area, month and category"),
    "locations": ("distinct point", "distinct points"),
    "hotspots": ("hotspot", "hotspots"),
    "cells": ("grid cell tested", "grid cells tested"),
    "scan_clusters": ("cluster in space and time", "clusters in space and time"),
    "scan_alerts": ("alert", "alerts"),
    "profiles": ("profile released", "profiles released"),
    "folders": ("folder written", "folders written"),
}
_CHOICES = {
    "area_index_cell_m": "cell of the area index, m",
    "snap_m": "points given to the nearest area within, m",
    "data_from": "data from",
    "data_complete_to": "data complete to",
    "bandwidth_m": "bandwidth of the density, m",
    "bandwidth_reason": "why this bandwidth",
    "bandwidth_ladder": "bandwidths tried",
    "eps_m": "reach of a cluster, m",
    "eps_reason": "why this reach",
    "eps_curve": "reaches tried",
    "min_samples": "fewest incidents around a core of a cluster",
    "emerging": "emerging hot spots",
    "scan": "space-time scan",
    "reading_encoding": "text encoding of the files",
    "reading_delimiter": "column separator of the files",
    "reading_coordinates": "coordinates used",
    "reading_operation": "transformation of coordinates",
    "reading_dates": "form of the dates",
    "relations_dropped": "relations of categories that the data violates",
    "withheld per primary": "withheld counts for each that had to be",
}


def counted(counters: Mapping[str, Any]) -> str:
    """Say a stage's counters in words.

    Parameters
    ----------
    counters
        As in manifest.json; a name may end in what it was counted in: `hotspots 2024-01..2024-12`.
    """
    order = list(_COUNTERS)
    said = []
    for name in sorted(counters, key=lambda n: order.index(k) if (k := n.partition(" ")[0]) in order else len(order)):
        value = counters[name]
        kind, _, of = name.partition(" ")
        if name == "boundaries_taken_over":
            said.append("boundaries reused" if value else "boundaries read")
        elif kind in _COUNTERS and isinstance(value, int):
            one, many = _COUNTERS[kind]
            said.append(f"{value:,} {one if value == 1 else many}" + (f" ({of})" if of else ""))
        elif not isinstance(value, Mapping):
            said.append(f"{name.replace('_', ' ')}: {value}")
    return ", ".join(said)


def choice_name(key: str) -> str:
    """Return the words for a choice; its key may end in what it was chosen for: `eps_m 2024-01..2024-12`."""
    for name, words in _CHOICES.items():
        if key == name:
            return words
        if key.startswith(f"{name} "):
            return f"{words} ({key.removeprefix(name).strip()})"
    return key.replace("_", " ")
