"""What files hold, recognised from their names and values, each with its evidence: for `hotspots init --from`.

Nothing here decides anything for a run: what is recognised is written into a configuration, where a person reads it.
`tables` finds where a table is in a file, `areas` boundaries and residents, `rows` the columns of incidents,
`coordinate_systems` that of their points, `places` which areas they lie in, and `counts` tables of counts by area.
"""

from pipeline.ingest.recognition.areas import SeenAreas, SeenPeople, by_name, chain_of, try_areas, try_people
from pipeline.ingest.recognition.coordinate_systems import inside, require_inside, system_of_points
from pipeline.ingest.recognition.counts import SeenCounts, tree_of, try_counts
from pipeline.ingest.recognition.places import (
    SeenLookup,
    choose_rows,
    selecting,
    try_lookup,
    zone_of,
)
from pipeline.ingest.recognition.rows import SeenRows, try_rows_of
from pipeline.ingest.recognition.texts import Guess

__all__ = [
    "Guess",
    "SeenAreas",
    "SeenCounts",
    "SeenLookup",
    "SeenPeople",
    "SeenRows",
    "by_name",
    "chain_of",
    "choose_rows",
    "inside",
    "require_inside",
    "selecting",
    "system_of_points",
    "tree_of",
    "try_areas",
    "try_counts",
    "try_lookup",
    "try_people",
    "try_rows_of",
    "zone_of",
]
