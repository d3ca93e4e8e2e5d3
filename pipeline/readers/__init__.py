"""Files in: incidents, published counts, boundaries and residents, read into the tables of the house."""

from pipeline.readers.account import PartReport
from pipeline.readers.files import expand, source_labels
from pipeline.readers.incidents import read_incidents
from pipeline.readers.levels import AreaSet, read_areas
from pipeline.readers.reduce import (
    LocationCounts,
    count_area_months,
    count_facets,
    count_locations,
    count_places,
    reduce_area_months,
    reduce_facets,
    reduce_locations,
    reduce_places,
)
from pipeline.readers.sorting import merged_labels

__all__ = [
    "AreaSet",
    "LocationCounts",
    "PartReport",
    "count_area_months",
    "count_facets",
    "count_locations",
    "count_places",
    "expand",
    "merged_labels",
    "read_areas",
    "read_incidents",
    "reduce_area_months",
    "reduce_facets",
    "reduce_locations",
    "reduce_places",
    "source_labels",
]
