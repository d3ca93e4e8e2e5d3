"""Stage 1: read incidents, published counts, boundaries and residents, and account for every row.

`formats` converts every file to one form; `incidents` reads rows; `counts` reads counts published by area; `areas`
combines wards, boroughs and the region in one table; `quality` does the row accounting.
"""

from pipeline.ingest.area_lookup import AreaLookup, load_index, save_index
from pipeline.ingest.areas import (
    LOOKUP_COLUMNS,
    AreaSet,
    boundary_cautions,
    boundary_texts,
    population_columns,
    population_layout,
    read_areas,
    read_lookup,
    require_areas,
)
from pipeline.ingest.context import read_context, require_context
from pipeline.ingest.counts import (
    check_relations,
    count_columns,
    counts_layout,
    first_day,
    incidents_by_borough,
    merge_published,
    read_counts,
    require_total,
)
from pipeline.ingest.formats.files import (
    existing,
    months_named,
    require_size,
    require_text_columns,
    source_labels,
    unpacked,
)
from pipeline.ingest.formats.vector import closed
from pipeline.ingest.incidents.account import PartReport, decisions, merged_faults
from pipeline.ingest.incidents.categories import listed_categories, merged_labels, require_outside
from pipeline.ingest.incidents.clock import local_time
from pipeline.ingest.incidents.editions import Edition
from pipeline.ingest.incidents.read import (
    ReadJob,
    read_incidents,
    require_alike,
    require_incident_columns,
    require_selected,
)
from pipeline.ingest.incidents.repeated_ids import Part, RepeatedId, Settled, SourceRules, settle
from pipeline.ingest.mask import require_mask, save_mask, stored_mask
from pipeline.ingest.offence_weights import read_weights
from pipeline.ingest.postcodes import (
    load_postcodes,
    postcode_texts,
    read_postcodes,
    require_postcode_columns,
    require_postcodes_found,
)
from pipeline.ingest.quality import (
    at_each_place,
    counts_quality,
    incidents_quality,
    looks_snapped,
    near_border_pct,
    outside_tables,
    police_layout,
    require_kept,
    scarce_boroughs,
    settled_cautions,
    settled_record,
    snapped_caution,
    summed,
    uncovered_caution,
)
from pipeline.ingest.small_areas import read_small_areas, small_area_columns
from pipeline.ingest.street_layer import read_streets

__all__ = [
    "LOOKUP_COLUMNS",
    "AreaLookup",
    "AreaSet",
    "Edition",
    "Part",
    "PartReport",
    "ReadJob",
    "RepeatedId",
    "Settled",
    "SourceRules",
    "at_each_place",
    "boundary_cautions",
    "boundary_texts",
    "check_relations",
    "closed",
    "count_columns",
    "counts_layout",
    "counts_quality",
    "decisions",
    "existing",
    "first_day",
    "incidents_by_borough",
    "incidents_quality",
    "listed_categories",
    "load_index",
    "load_postcodes",
    "local_time",
    "looks_snapped",
    "merge_published",
    "merged_faults",
    "merged_labels",
    "months_named",
    "near_border_pct",
    "outside_tables",
    "police_layout",
    "population_columns",
    "population_layout",
    "postcode_texts",
    "read_areas",
    "read_context",
    "read_counts",
    "read_incidents",
    "read_lookup",
    "read_postcodes",
    "read_small_areas",
    "read_streets",
    "read_weights",
    "require_alike",
    "require_areas",
    "require_context",
    "require_incident_columns",
    "require_kept",
    "require_mask",
    "require_outside",
    "require_postcode_columns",
    "require_postcodes_found",
    "require_selected",
    "require_size",
    "require_text_columns",
    "require_total",
    "save_index",
    "save_mask",
    "scarce_boroughs",
    "settle",
    "settled_cautions",
    "settled_record",
    "small_area_columns",
    "snapped_caution",
    "source_labels",
    "stored_mask",
    "summed",
    "uncovered_caution",
    "unpacked",
]
