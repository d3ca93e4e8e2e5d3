"""The release gate."""

from pipeline.disclosure.layers import area_layer, density_layer, headline_rows, hotspot_layer
from pipeline.disclosure.released import Break, CategoryInfo, Event, PeriodInfo, Released, ReleaseInfo

__all__ = [
    "Break",
    "CategoryInfo",
    "Event",
    "PeriodInfo",
    "ReleaseInfo",
    "Released",
    "area_layer",
    "density_layer",
    "headline_rows",
    "hotspot_layer",
]
