"""Tables passed between stages; they must not leave the organisation."""

from pipeline.tables.table import Column, Table

__all__ = [
    "AREAS",
    "AREA_DAYS",
    "AREA_MONTHS",
    "CONCENTRATION",
    "CONTEXT",
    "HARM_AREAS",
    "HARM_OFFENCES",
    "HARM_RULES",
    "HOTSPOT_FACTS",
    "HOURS",
    "HOUR_PEAKS",
    "INCIDENTS",
    "LOCATIONS",
    "MASK",
    "PUBLISHED_COUNTS",
    "QUARANTINE",
    "SEASONS",
    "SEASON_MONTHS",
    "SPACE_TIME_CLUSTERS",
    "SPATIAL_CLUSTERS",
    "STREET_RUNS",
    "STREET_SEGMENTS",
]

INCIDENTS = Table(
    "incidents",
    ("source", "source_row"),
    (
        Column("incident_id", "string", "Identifier from the source, or source and row if there is none."),
        Column("occurred_on", "date", "Date of the incident, ISO; the first of the month if only the month is known."),
        Column("date_precision", "string", "`day` or `month`.", null=True),
        Column("recorded_on", "date", "Date it was recorded, ISO.", null=True),
        Column("month", "int", "Month of the incident as yyyymm."),
        Column("hour_band", "int", "Hour of the day, 0 to 23.", null=True),
        Column(
            "interval_start",
            "int",
            "Earliest time, in minutes of local time since 1970, if it happened between two times.",
            null=True,
        ),
        Column("interval_minutes", "int", "Minutes from then to the latest time.", null=True),
        Column(
            "categories",
            "string",
            "Category ids including all ancestors, sorted, joined by semicolons; empty for none.",
            null=True,
        ),
        Column("kind", "string", "`offence` or `incident`.", null=True),
        Column("offence_group", "string", "Offence group.", null=True),
        Column("aggravated", "bool", "Whether the offence is an aggravated one.", null=True),
        Column("flag_status", "string", "`confirmed` or `presumed`.", null=True),
        Column("place_type", "string", "Kind of place.", null=True),
        Column("reporting_route", "string", "How it was reported.", null=True),
        Column("online", "bool", "Whether it happened online."),
        Column("outcome", "string", "Latest outcome, as worded by the source.", null=True),
        Column(
            "outcome_class", "string", "`positive`, `pending` or `other`; empty if the source gives none.", null=True
        ),
        Column("victim_hash", "string", "Salted hash of the victim reference.", null=True),
        Column("organisation", "string", "Recording organisation."),
        Column("source", "string", "Input file, as source name and file name."),
        Column("source_row", "int", "Row in the file, the first data row being 1."),
        Column("easting_m", "float", "Easting in the working system, in metres.", null=True),
        Column("northing_m", "float", "Northing in the working system, in metres.", null=True),
        Column(
            "place",
            "string",
            "`point`, `outside` (a point outside all areas), `not_covered` (in an area of `areas.not_covered`), "
            "`area` (no point, ward named), `borough` (no point, borough named) or `none`.",
        ),
        Column(
            "place_precision",
            "string",
            "How precisely the location is known: `point`, `square_100m`, `square_1km` or `square_10km` (the middle of "
            "a grid reference's square), `postcode` (the middle of one), `area` (the code or name of a ward, or a "
            "smaller area's code) or `borough`; empty if unknown.",
            null=True,
        ),
        Column(
            "postcode_terminated",
            "bool",
            "Whether the postcode that locates it had been terminated before its month; empty if no postcode does.",
            null=True,
        ),
        Column("snapped", "bool", "Whether it was outside all areas and assigned to the nearest."),
        Column("ward_code", "string", "Ward.", null=True),
        Column("borough_code", "string", "Borough.", null=True),
    ),
    "One row per incident kept, sorted by source and row; one Parquet part per input file.",
)

QUARANTINE = Table(
    "quarantine",
    ("source", "source_row"),
    (
        Column("source", "string", "Input file, as source name and file name."),
        Column("source_row", "int", "Row in the file, the first data row being 1."),
        Column("rule", "string", "Rule by which it was refused."),
        Column("reason", "string", "Reason, for people."),
        Column("raw", "string", "The row as read, as JSON."),
    ),
    "Every refused row, with the reason.",
)

PUBLISHED_COUNTS = Table(
    "published_counts",
    ("source", "level", "area_code", "month", "category", "measure"),
    (
        Column("source", "string", "Publisher."),
        Column("area_code", "string", "Area code as published."),
        Column("level", "string", "`ward`, `borough` or `region`."),
        Column("month", "int", "Month as yyyymm."),
        Column("category", "string", "Category id."),
        Column("measure", "string", "`incidents` or `positive_outcomes`."),
        Column("value", "int", "The count; empty if the publisher suppressed it or it cannot be read.", null=True),
        Column("mapped", "bool", "Whether the code is in the boundaries."),
    ),
    "Counts as published, sorted by their key.",
)

AREAS = Table(
    "areas",
    ("area_code",),
    (
        Column("area_code", "string", "Unique code."),
        Column("level", "string", "`ward`, `borough`, `level_3`, `level_4` or `region`."),
        Column("name", "string", "Name."),
        Column("parent_code", "string", "Code of the area it lies in.", null=True),
        Column(
            "population",
            "int",
            "Residents, or what `areas.population[].measure` names; for an area that is covered in part, those of the "
            "covered part.",
            null=True,
        ),
        Column("population_year", "int", "Year of the population.", null=True),
        Column("vintage", "string", "Edition of the boundaries.", null=True),
        Column(
            "area_km2",
            "float",
            "Square kilometres that can hold incidents (`areas.mask`); for an area that is covered in part, those of "
            "the covered part.",
        ),
        Column("covered", "bool", "Whether the data covers it."),
        Column("geometry", "geometry", "Outline in the working system."),
    ),
    "Wards, boroughs and the region, sorted by level (region, borough, ward) and code; the third and fourth level of "
    "`areas.levels` apart in `levels_above`.",
)

AREA_DAYS = Table(
    "area_days",
    ("area_code", "month", "day", "category"),
    (
        Column("area_code", "string", "Area."),
        Column("level", "string", "`ward`, `borough` or `region`."),
        Column("month", "int", "Month as yyyymm."),
        Column("day", "string", "Day (ISO); empty for incidents whose month alone is known."),
        Column("category", "string", "Category id, or `all`."),
        Column("incidents", "int", "Incidents."),
    ),
    "Counts by area, day and category, where windows of days, weeks or 28 days are shown; empty otherwise.",
)

AREA_MONTHS = Table(
    "area_months",
    ("area_code", "month", "category"),
    (
        Column("area_code", "string", "Area."),
        Column("level", "string", "`ward`, `borough` or `region`."),
        Column("month", "int", "Month as yyyymm."),
        Column("category", "string", "Category id, or `all`."),
        Column("incidents", "int", "Incidents; empty if a published count is unknown.", null=True),
        Column(
            "incidents_unplaced",
            "int",
            "Incidents known to be in the area, but not in which ward (boroughs) or borough (region).",
            null=True,
        ),
        Column("positive_outcomes", "int", "Positive outcomes.", null=True),
        Column("known_outcomes", "int", "Incidents whose outcome is known (cohort only).", null=True),
    ),
    "Counts by area, month and category, from which all other counts are computed.",
)

LOCATIONS = Table(
    "locations",
    ("easting_m", "northing_m", "month", "categories"),
    (
        Column("easting_m", "float", "Easting, in metres."),
        Column("northing_m", "float", "Northing, in metres."),
        Column("ward_code", "string", "Ward; the borough if there is one level of areas.", null=True),
        Column("borough_code", "string", "Borough.", null=True),
        Column("month", "int", "Month as yyyymm."),
        Column("categories", "string", "Category ids joined by semicolons.", null=True),
        Column("incidents", "int", "Incidents."),
        Column("positive_outcomes", "int", "Positive outcomes.", null=True),
        Column("known_outcomes", "int", "Incidents whose outcome is known.", null=True),
        Column("distinct_victims", "int", "Distinct victims of this row, if known.", null=True),
    ),
    "Distinct places with weights, of rows whose precision `detect.precision` accepts, without online and placeholder "
    "rows: the input of all point methods.",
)

MASK = Table(
    "mask",
    (),
    (Column("geometry", "geometry", "Outline in the working system, inside the areas."),),
    "Ground inside the areas that cannot hold incidents (`areas.mask`), as one shape; no row where nothing is masked.",
)

CONTEXT = Table(
    "context",
    (),
    (
        Column("kind", "string", "`water`, `green`, `road`, `rail`, `station`, `place` or `building`."),
        Column("name", "string", "Its name.", null=True),
        Column("rank", "int", "Importance; 1 is the highest."),
        Column("geometry", "geometry", "Outline, line or point in the working system, inside the region."),
    ),
    "Public information that is drawn under the hotspots and gives them names; contains no incident data.",
)

HOTSPOT_FACTS = Table(
    "hotspot_facts",
    ("hotspot_id", "question", "answer"),
    (
        Column("hotspot_id", "string", "Id of the hotspot."),
        Column(
            "question",
            "string",
            "`recorded`, `weekday_hour`, `category`, `place_type`, `organisation`, `reporting_route`, `kind`, `month`, "
            "`year_before`, `earlier_outline`, `distinct_places`, `top_place`, `distinct_victims` or `stability`.",
        ),
        Column("answer", "string", "Answer, such as the category, or weekday (1 to 7) and three-hour band (0 to 7)."),
        Column("incidents", "int", "Incidents (or places, or victims) inside the outline.", null=True),
        Column("whole", "int", "The same of all data with a place.", null=True),
        Column("share_pct", "float", "Share in per cent, where the answer is one.", null=True),
        Column(
            "word",
            "string",
            "`higher`: clearly above the rest of the region after testing all answers together; for `year_before` the "
            "word of the change.",
            null=True,
        ),
    ),
    "What describes each hotspot of a window, exact: for the internal folder alone.",
)

CONCENTRATION = Table(
    "concentration",
    ("unit", "category", "period", "figure", "at"),
    (
        Column("unit", "string", "What incidents are counted by: `cell`, `area`, `street` (a segment) or `place`."),
        Column("category", "string", "Category id, or `all`."),
        Column("period", "string", "Period; a comparison is given under the later of its two."),
        Column(
            "figure",
            "string",
            "`incidents`, `units`, `cell_m` (side of a cell), `occupied` (units with an incident), `holding` (per cent "
            "of units that hold `at` per cent of incidents), `gini`, `adjusted_gini`, `lorenz` (per cent of incidents "
            "on the first `at` per cent of units); of the top units, which hold `at` per cent of incidents: "
            "`top_units` (of the period before), `overlap` (Jaccard), `top_then` and `top_now` (per cent of incidents "
            "on the top units of the period before, then and now), `pai_then`, `pai_now`, `recapture` (RRI); of places "
            "with at least `at` incidents: "
            "`repeat_places` (number) and `repeat_incidents` (per cent of incidents).",
        ),
        Column("at", "float", "What the figure is given for; 0 where nothing needs to be stated."),
        Column("value", "float", "The figure."),
        Column("low", "float", "Lower end of its 95 % interval.", null=True),
        Column("high", "float", "Upper end.", null=True),
        Column(
            "chance",
            "float",
            "What chance alone would give: incidents scattered by the units' size, or, for overlap and recapture, "
            "incidents of both periods divided between them at random.",
            null=True,
        ),
    ),
    "How concentrated incidents are, exact: for the internal folder alone.",
)

NEAR_REPEATS = Table(
    "near_repeats",
    ("category", "distance_low_m", "days_low"),
    (
        Column("category", "string", "Category id, or `all`: all categories pooled."),
        Column("distance_low_m", "float", "Pairs at least this far apart, in metres."),
        Column("distance_high_m", "float", "And less than this."),
        Column("days_low", "float", "Pairs at least so many days apart."),
        Column("days_high", "float", "And fewer than this."),
        Column("observed", "int", "Pairs of incidents."),
        Column("expected", "float", "Median of the pairs if days are shuffled among the incidents."),
        Column("ratio", "float", "Observed over expected; empty where no pair is expected.", null=True),
        Column("p", "float", "Monte-Carlo p of so many pairs or more."),
        Column("acting", "bool", "Whether zones are made from the band (see docs/methods.md, near repeats)."),
        Column("incidents", "int", "Incidents that were paired."),
        Column("metric", "string", "`euclidean` or `manhattan`."),
        Column("permutations", "int", "How often days were shuffled."),
    ),
    "How often incidents follow one another closely (Knox), exact: for the internal folder alone.",
)

_CLUSTER_COLUMNS = (
    Column(
        "kind",
        "string",
        "`space_time` (permutation scan), `poisson` (against the population) or `bernoulli` (a category against "
        "all other incidents).",
    ),
    Column("category", "string", "Category id, or `all`."),
    Column("rank", "int", "1 for the most likely cluster, and so on; 0 for the search as a whole."),
    Column("period", "string", "Period of the cluster; of the search as a whole, the period searched."),
    Column("alive", "bool", "Whether a cluster in space and time reaches the last period and is beyond chance."),
    Column("easting_m", "float", "Centre in the working system.", null=True),
    Column("northing_m", "float", "Centre in the working system.", null=True),
    Column("radius_m", "float", "Radius; 0 for a single place.", null=True),
    Column("places", "int", "Cells or areas inside, or searched."),
    Column("area_codes", "string", "Codes of the smallest areas inside, nearest first, joined by semicolons."),
    Column("observed", "int", "Incidents inside, or all."),
    Column("expected", "float", "Incidents expected inside.", null=True),
    Column(
        "relative_risk",
        "float",
        "Risk inside over risk outside; empty in space and time, and where nothing lies outside.",
        null=True,
    ),
    Column("log_ratio", "float", "Log likelihood ratio.", null=True),
    Column("p", "float", "Monte Carlo p.", null=True),
    Column("p_gumbel", "float", "p from a Gumbel distribution; scans in space alone.", null=True),
    Column("simulations", "int", "Simulated data sets that p rests on."),
    Column(
        "notes",
        "string",
        "Of the search as a whole: what limits it, as keys with a number where there is one, joined by semicolons.",
    ),
)

SPACE_TIME_CLUSTERS = Table(
    "space_time_clusters",
    ("kind", "category", "rank"),
    _CLUSTER_COLUMNS,
    "Clusters in space and time that the scan found, exact: for the internal folder alone.",
)

SPATIAL_CLUSTERS = Table(
    "spatial_clusters",
    ("kind", "category", "rank"),
    _CLUSTER_COLUMNS,
    "Clusters in space alone that the scans found, exact: for the internal folder alone.",
)

STREET_SEGMENTS = Table(
    "street_segments",
    ("segment_id",),
    (
        Column("segment_id", "string", "Id from the street layer; `#1`, `#2` follow where several segments share it."),
        Column("name", "string", "Name of the street; empty if it has none."),
        Column("length_m", "float", "Length, in metres."),
        Column("incidents", "int", "Incidents whose place is nearest to it."),
        Column("per_100m", "float", "Incidents per 100 m."),
        Column("rank", "int", "Rank by incidents; equal segments share it."),
        Column("hot", "bool", "Whether it is one of the fewest segments that hold a quarter of the incidents."),
        Column("run", "int", "Number of the run of hot segments that it is in.", null=True),
        Column(
            "density_per_km",
            "float",
            "Kernel density along the network, incidents per kilometre of street, mean over the segment.",
            null=True,
        ),
        Column("geometry", "geometry", "Centre line in the working system."),
    ),
    "Street segments with incidents or density in a window, exact: for the internal folder alone.",
)

STREET_RUNS = Table(
    "street_runs",
    ("run",),
    (
        Column("run", "int", "Rank by incidents; 1 is the run with most."),
        Column("names", "string", "Names of its streets, those with most incidents first, three at most."),
        Column("segments", "int", "Hot segments in it, each of which shares an end with another."),
        Column("length_m", "float", "Length of all, in metres."),
        Column("incidents", "int", "Incidents on them."),
        Column("per_100m", "float", "Incidents per 100 m."),
    ),
    "Runs of hot street segments that join end to end, exact: for the internal folder alone.",
)

HOURS = Table(
    "hours",
    ("level", "code", "weekday", "hour", "category"),
    (
        Column("category", "string", "Category id, or `all`."),
        Column("level", "string", "`region`, `borough`, `ward` or `hotspot`."),
        Column("code", "string", "Code of the area, or id of the hotspot."),
        Column("weekday", "int", "Day of the week, 1 is Monday."),
        Column("hour", "int", "Hour of the day, 0 to 23."),
        Column(
            "incidents",
            "float",
            "Incidents in this hour of the week: an incident between two times counts for every hour between them in "
            "proportion to time (in units of 1/1440).",
        ),
        Column(
            "word",
            "string",
            "`higher`: the three-hour band that the hour is in, from midnight on, holds clearly more of the place's "
            "incidents than of the rest of the region's, after testing all bands of all places of the level together.",
            null=True,
        ),
    ),
    "Incidents by day and hour in a window, exact: for the internal folder alone.",
)

HOUR_PEAKS = Table(
    "hour_peaks",
    ("level", "code", "category"),
    (
        Column("category", "string", "Category id, or `all`."),
        Column("level", "string", "`region`, `borough`, `ward` or `hotspot`."),
        Column("code", "string", "Code of the area, or id of the hotspot."),
        Column("incidents", "int", "Incidents."),
        Column("timed", "int", "Those whose day and time, or earliest and latest time, are known."),
        Column("weekday", "int", "Day on which the busiest four hours begin; empty with too few incidents.", null=True),
        Column("hour", "int", "Hour in which they begin.", null=True),
        Column("peak", "float", "Incidents in them.", null=True),
        Column(
            "chance", "float", "Mean of the busiest four hours if the incidents fell evenly over the week.", null=True
        ),
        Column("chance_high", "float", "What they would hold at most in 95 of 100 cases.", null=True),
    ),
    "Busiest four hours of the week in a window, exact: for the internal folder alone.",
)

SEASON_MONTHS = Table(
    "season_months",
    ("level", "area_code", "month", "category"),
    (
        Column("category", "string", "Category id, or `all`."),
        Column("level", "string", "`region` or `borough`."),
        Column("area_code", "string", "Area."),
        Column("month", "int", "Month as yyyymm."),
        Column("incidents", "int", "Incidents; empty if the month is not covered or the count is unknown.", null=True),
        Column("per_month", "float", "The same in a month of average length (30.44 days).", null=True),
        Column("trend", "float", "Trend, per month of average length; empty where nothing is fitted.", null=True),
        Column("season", "float", "What the month of the year adds to the trend.", null=True),
        Column("expected", "float", "Incidents that the months before lead to expect; latest months only.", null=True),
        Column("expected_low", "float", "Lower end of the 95 % prediction interval.", null=True),
        Column("expected_high", "float", "Upper end.", null=True),
        Column(
            "word",
            "string",
            "`higher`, `lower` or `no clear change` against what was expected, after testing all areas and months "
            "together.",
            null=True,
        ),
    ),
    "Monthly counts with trend, season and expectation, exact: for the internal folder alone.",
)

SEASONS = Table(
    "seasons",
    ("level", "area_code", "category"),
    (
        Column("category", "string", "Category id, or `all`."),
        Column("level", "string", "`region` or `borough`."),
        Column("area_code", "string", "Area."),
        Column("months", "int", "Months of the latest run without a gap under one recording system."),
        Column("state", "string", "`fitted`, `too few months` or `too few incidents`."),
        Column("strength", "float", "Strength of the season, 0 to 1 (Wang, Smith and Hyndman 2006).", null=True),
        Column("strength_chance", "float", "What months in random order reach at most in 95 of 100 cases.", null=True),
        Column("high_month", "int", "Month of the year with the highest season, 1 to 12.", null=True),
        Column("high_pct", "float", "How far it is above the mean level, in per cent of it.", null=True),
        Column("low_month", "int", "Month of the year with the lowest season.", null=True),
        Column("low_pct", "float", "How far it is from the mean level, in per cent of it; negative.", null=True),
        Column("trend_pct", "float", "Change of the trend over the latest twelve months, in per cent.", null=True),
        Column("trend_low", "float", "Lower end of its 95 % interval.", null=True),
        Column("trend_high", "float", "Upper end.", null=True),
    ),
    "Season and trend of the region and its areas above the smallest, exact: for the internal folder alone.",
)

HARM_OFFENCES = Table(
    "harm_offences",
    ("offence", "category"),
    (
        Column("category", "string", "Category id, or `all`."),
        Column("offence", "string", "Offence; of those without a weight, as the incidents name it."),
        Column("weight", "float", "Its weight; empty where the table of weights does not name it.", null=True),
        Column("incidents", "int", "Incidents in the headline period."),
        Column("harm", "float", "What they add up to.", null=True),
        Column("share_pct", "float", "Share of all harm, in per cent.", null=True),
    ),
    "Incidents and harm by offence in a window, exact: for the internal folder alone.",
)

HARM_AREAS = Table(
    "harm_areas",
    ("level", "area_code", "category"),
    (
        Column("category", "string", "Category id, or `all`."),
        Column("level", "string", "`region`, `borough` or `ward`."),
        Column("area_code", "string", "Area."),
        Column("incidents", "int", "Incidents in the headline period."),
        Column("weighed", "int", "Those whose offence has a weight."),
        Column("harm", "float", "What they add up to."),
        Column("per_incident", "float", "Harm for each of them.", null=True),
        Column("top_share_pct", "float", "Largest share of one incident, in per cent.", null=True),
        Column("incidents_earlier", "int", "Incidents in the earlier period that have a weight.", null=True),
        Column("harm_earlier", "float", "What they add up to.", null=True),
        Column("change_pct", "float", "Change of harm a day, in per cent.", null=True),
        Column(
            "change_word",
            "string",
            "`higher`, `lower`, `no clear change` or `too few` (too few incidents, or a few grave ones decide), after "
            "testing all areas of the level together.",
            null=True,
        ),
    ),
    "Harm by area in a window, exact: for the internal folder alone.",
)

HARM_RULES = Table(
    "harm_rules",
    ("rule", "category"),
    (
        Column("category", "string", "Category id, or `all`."),
        Column(
            "rule",
            "string",
            "`by`, `transform`, `min_incidents` and `max_share_pct` of the settings; `incidents` of the headline "
            "period, `weighed` (those with a weight), `left_out` (clusters that are no hotspots by harm, because they "
            "have too few incidents or one with too large a share), `earlier` (period compared with).",
        ),
        Column("value", "string", "Its value."),
    ),
    "What figures by harm rest on, exact: for the internal folder alone.",
)
