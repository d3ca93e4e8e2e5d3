"""Areas as polygons: sound shapes, which one holds a point, and how two levels of them agree."""

from pipeline.areas.index import AreaIndex, LocateResult
from pipeline.areas.levels import LevelAgreement, dissolve, level_agreement, overlap_km2
from pipeline.areas.shapes import check_codes, repair

__all__ = [
    "AreaIndex",
    "LevelAgreement",
    "LocateResult",
    "check_codes",
    "dissolve",
    "level_agreement",
    "overlap_km2",
    "repair",
]
