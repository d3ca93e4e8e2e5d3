"""Files in: incidents, published counts, boundaries and residents, read into the tables of the house."""

from pipeline.aggregate.reduce import (
    KEPT,
    LocationCounts,
    OpenPart,
    count_area_months,
    count_facets,
    count_locations,
    count_places,
    keep_counts,
    merge_kept,
    merge_locations,
    merge_victims,
    open_part,
    reduce_area_months,
    reduce_facets,
    reduce_locations,
    reduce_places,
)
from pipeline.ingest.areas.boundaries import boundary_texts
from pipeline.ingest.areas.parents import AreaSet, read_areas, require_areas
from pipeline.ingest.areas.residents import population_columns
from pipeline.ingest.counts.account import (
    CountsPart,
    CountsReport,
    check_relations,
    declared_relations,
    merge_published,
)
from pipeline.ingest.counts.read import COUNT_RULES, LOOKUP_COLUMNS, count_columns, read_counts, read_lookup
from pipeline.ingest.formats.files import require_size, source_labels
from pipeline.ingest.formats.headers import require_incident_columns, require_text_columns
from pipeline.ingest.formats.vector import closed
from pipeline.ingest.incidents.account import PartReport
from pipeline.ingest.incidents.categories import merged_labels
from pipeline.ingest.incidents.duplicates import DUPLICATES, Duplicates, settle_duplicates
from pipeline.ingest.incidents.quarantine import PLACE_RULES, RULES
from pipeline.ingest.incidents.read import read_incidents

__all__ = [
    "COUNT_RULES",
    "DUPLICATES",
    "KEPT",
    "LOOKUP_COLUMNS",
    "PLACE_RULES",
    "RULES",
    "AreaSet",
    "CountsPart",
    "CountsReport",
    "Duplicates",
    "LocationCounts",
    "OpenPart",
    "PartReport",
    "boundary_texts",
    "check_relations",
    "closed",
    "count_area_months",
    "count_columns",
    "count_facets",
    "count_locations",
    "count_places",
    "declared_relations",
    "keep_counts",
    "merge_kept",
    "merge_locations",
    "merge_published",
    "merge_victims",
    "merged_labels",
    "open_part",
    "population_columns",
    "read_areas",
    "read_counts",
    "read_incidents",
    "read_lookup",
    "reduce_area_months",
    "reduce_facets",
    "reduce_locations",
    "reduce_places",
    "require_areas",
    "require_incident_columns",
    "require_size",
    "require_text_columns",
    "settle_duplicates",
    "source_labels",
]
