"""The release gate: unprotected results in, one profile's `Released` out."""

from pipeline.disclosure.detected import Detected
from pipeline.disclosure.gate import examine, release
from pipeline.disclosure.layers import area_layer, density_layer, headline_rows, hotspot_layer
from pipeline.disclosure.making import Passed
from pipeline.disclosure.packing import Packed, pack, unpack
from pipeline.disclosure.past import AUDIENCES, Past, past_of
from pipeline.disclosure.protect import RefusedError
from pipeline.disclosure.released import Break, CategoryInfo, Event, PeriodInfo, Released, ReleaseInfo
from pipeline.disclosure.shapes import Ground
from pipeline.disclosure.spots import Spot
from pipeline.disclosure.told import Told
from pipeline.domain.windows import Windows, choose_windows

__all__ = [
    "AUDIENCES",
    "Break",
    "CategoryInfo",
    "Detected",
    "Event",
    "Ground",
    "Packed",
    "Passed",
    "Past",
    "PeriodInfo",
    "RefusedError",
    "ReleaseInfo",
    "Released",
    "Spot",
    "Told",
    "Windows",
    "area_layer",
    "choose_windows",
    "density_layer",
    "examine",
    "headline_rows",
    "hotspot_layer",
    "pack",
    "past_of",
    "release",
    "unpack",
]
