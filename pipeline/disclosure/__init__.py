"""The release gate: unprotected results in, one profile's `Released` out."""

from pipeline.disclosure.gate import Detected, release
from pipeline.disclosure.layers import area_layer, density_layer, headline_rows, hotspot_layer
from pipeline.disclosure.packing import Packed, pack, unpack
from pipeline.disclosure.released import Break, CategoryInfo, Event, PeriodInfo, Released, ReleaseInfo
from pipeline.disclosure.windows import Windows, choose_windows

__all__ = [
    "Break",
    "CategoryInfo",
    "Detected",
    "Event",
    "Packed",
    "PeriodInfo",
    "ReleaseInfo",
    "Released",
    "Windows",
    "area_layer",
    "choose_windows",
    "density_layer",
    "headline_rows",
    "hotspot_layer",
    "pack",
    "release",
    "unpack",
]
