"""The contracts of all tables: those passed between stages, and those in a released folder."""

from pipeline.tables.keys import Level, Measure, Place, Precision
from pipeline.tables.outputs import (
    AREA_COUNTS,
    AREA_LAYER,
    CIRCUMSTANCES,
    DENSITY_CATEGORY_LAYER,
    DENSITY_LAYER,
    GROUP_LAYER,
    HOTSPOT_CATEGORY_LAYER,
    HOTSPOT_CORE_LAYER,
    HOTSPOT_LAYER,
    STATES_NOTE,
)
from pipeline.tables.table import Column, Kind, Table, nullable
from pipeline.tables.work import (
    AREA_DAYS,
    AREA_MONTHS,
    AREAS,
    CELLS,
    CONTEXT,
    HOTSPOT_FACTS,
    INCIDENTS,
    LOCATIONS,
    PUBLISHED_COUNTS,
    QUARANTINE,
)

__all__ = [
    "AREAS",
    "AREA_COUNTS",
    "AREA_DAYS",
    "AREA_LAYER",
    "AREA_MONTHS",
    "CELLS",
    "CIRCUMSTANCES",
    "CONTEXT",
    "DENSITY_CATEGORY_LAYER",
    "DENSITY_LAYER",
    "GROUP_LAYER",
    "HOTSPOT_CATEGORY_LAYER",
    "HOTSPOT_CORE_LAYER",
    "HOTSPOT_FACTS",
    "HOTSPOT_LAYER",
    "INCIDENTS",
    "LOCATIONS",
    "PUBLISHED_COUNTS",
    "QUARANTINE",
    "STATES_NOTE",
    "Column",
    "Kind",
    "Level",
    "Measure",
    "Place",
    "Precision",
    "Table",
    "nullable",
]
