"""The release gate: unprotected results in, one profile's `Released` out."""

from pipeline.domain.windows import Windows, choose_windows
from pipeline.release.circumstances import Told
from pipeline.release.gate import Detected, Passed, examine, release
from pipeline.release.hotspots import Ground, Spot
from pipeline.release.previous_releases import AUDIENCES, Past, past_of
from pipeline.release.protect import RefusedError
from pipeline.release.released import (
    Break,
    CategoryInfo,
    Event,
    Packed,
    PeriodInfo,
    Released,
    ReleaseInfo,
    pack,
    unpack,
)

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
    "choose_windows",
    "examine",
    "pack",
    "past_of",
    "release",
    "unpack",
]
