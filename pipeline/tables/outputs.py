"""Tables and layers of a released folder: the contract with users."""

from dataclasses import replace

from pipeline.tables.table import Column, Table, ranged

__all__ = [
    "AREA_COUNTS",
    "AREA_LAYER",
    "CIRCUMSTANCES",
    "DENSITY_CATEGORY_LAYER",
    "DENSITY_LAYER",
    "GROUP_LAYER",
    "HARM_COLUMNS",
    "HARM_DENSITY",
    "HARM_HOTSPOTS",
    "HOTSPOT_CATEGORY_LAYER",
    "HOTSPOT_CORE_LAYER",
    "HOTSPOT_LAYER",
    "STATES_NOTE",
    "with_harm_columns",
]

STATES_NOTE = (
    "A count is given as a range, `_lower` to `_upper`, and its middle. Middle empty and `_lower` 0: fewer than "
    "`_upper` + 1, which includes 0. All three empty and named in `not_offered`: not offered. Any other empty cell "
    "means no data."
)

# Columns of several tables, in groups that always occur together; a single column has its own name.
_AREA = (
    Column("area_code", "string", "Unique code of the area.", alias="area_code"),
    Column("area_name", "string", "Name of the area.", alias="area_name"),
    Column("level", "string", "`ward`, `ward_group`, `borough`, `region`, or an id of areas.levels.", alias="level"),
)
_SPAN = (
    Column("period_start", "date", "First day of the period, ISO.", alias="per_start"),
    Column("period_end", "date", "Last day of the period, ISO, inclusive.", alias="per_end"),
)
_COMPLETE = Column(
    "complete",
    "bool",
    "Whether the data covers the whole period; false if a month is missing from a source.",
    alias="complete",
)

_COUNTS = (
    *ranged(
        "incidents",
        "Incidents of the category (or all) recorded in the period: exact in internal, otherwise the middle of the "
        "step, empty in the first step; empty, not 0, if only part of the period is known and it has no incidents.",
        "incidents",
    ),
    Column(
        "incidents_unplaced",
        "int",
        "Of these, known to be in the area but not in which smaller one (internal only).",
        null=True,
        alias="unplaced",
    ),
)
_RATES = (
    Column(
        "rate_per_10000",
        "float",
        "Incidents per 10,000 people of the denominator, for the whole period.",
        null=True,
        alias="rate10k",
    ),
    Column("rate_low", "float", "Lower end of the 95 % interval of the rate.", null=True, alias="rate_low"),
    Column("rate_high", "float", "Upper end of the 95 % interval of the rate.", null=True, alias="rate_high"),
)
_POSITIVE_OUTCOMES = ranged("positive_outcomes", "Positive outcomes, in the same form as incidents.", "pos_outc")
_OUTCOME_SHARE = Column(
    "outcome_share",
    "float",
    "Cohort: share with a positive outcome, 0 to 1. Flow: outcomes recorded per 100 incidents recorded.",
    null=True,
    alias="outc_share",
)
_CHANGE = (
    Column("change_pct", "float", "Change from the comparison window, in per cent.", null=True, alias="chg_pct"),
    Column(
        "change_word",
        "string",
        "`higher`, `lower`, `no clear change`, `too few` or `not comparable`.",
        null=True,
        alias="chg_word",
    ),
)
_GISTAR = (
    Column("gistar_z", "float", "Gi* z (internal only).", null=True, alias="gi_z"),
    Column("gistar_p", "float", "Two-sided p of Gi* (internal only).", null=True, alias="gi_p"),
    Column(
        "hotspot_class",
        "int",
        "Gi* class, -3 to 3: cold or hot at 99, 95, 90 per cent; 0 not significant.",
        null=True,
        alias="hot_class",
    ),
)
_STATES = (
    Column(
        "not_offered",
        "string",
        "Columns that are not offered in this row, joined by semicolons; empty if none.",
        alias="not_offer",
    ),
    Column("withheld", "string", "The same as `not_offered`; will be removed in the next version.", alias="withheld"),
)

AREA_LAYER = Table(
    "areas",
    ("area_code",),
    (
        *_AREA,
        Column("parent_code", "string", "Code of the area that contains it.", null=True, alias="par_code"),
        Column("parent_name", "string", "Name of the area that contains it.", null=True, alias="par_name"),
        Column("area_vintage", "string", "Edition of the boundaries.", null=True, alias="vintage"),
        Column("population", "int", "Number of people in the denominator.", null=True, alias="population"),
        Column("population_year", "int", "Year of the denominator.", null=True, alias="pop_year"),
        Column("covered", "bool", "Whether the data covers the area.", alias="covered"),
        *_SPAN,
        _COMPLETE,
        *_COUNTS,
        *_RATES,
        *_POSITIVE_OUTCOMES,
        _OUTCOME_SHARE,
        *_CHANGE,
        *_GISTAR,
        *_STATES,
    ),
    "Areas of one level with the figures of the headline period. Columns that name no category are of all categories "
    "together or, in a folder without `all`, of the first of its categories.",
    open_prefix="incidents_",
)

GROUP_LAYER = Table(
    "ward_groups",
    AREA_LAYER.key,
    (
        *AREA_LAYER.columns,
        Column("ward_codes", "string", "Wards in the group, joined by semicolons.", alias="ward_codes"),
    ),
    "Groups of neighbouring wards with the figures of the headline period, for categories that are too rare for wards. "
    "Columns that name no category are as in the layers of areas.",
    open_prefix=AREA_LAYER.open_prefix,
)

AREA_COUNTS = Table(
    "area_counts",
    ("area_code", "period", "category"),
    (
        *_AREA,
        Column(
            "period",
            "string",
            "Period id: `2025-07`, or first and last month `2024-08..2025-07`. In internal also a day `2025-07-01`, an "
            "ISO week `2025-W27`, or first and last day `2025-06-02..2025-06-29`.",
        ),
        *_SPAN,
        _COMPLETE,
        Column(
            "category", "string", "Category id; `all` counts each incident once. Categories overlap and never add up."
        ),
        *_COUNTS,
        *_POSITIVE_OUTCOMES,
        *ranged("known_outcomes", "Cohort: incidents whose outcome is known, without the latest months.", "kno_outc"),
        *_RATES,
        Column("rate_smoothed", "float", "Empirical-Bayes smoothed rate per 10,000.", null=True),
        Column(
            "rate_smoothed_local",
            "float",
            "The same, smoothed towards the rate of the area and its neighbours.",
            null=True,
        ),
        Column("reliability", "string", "Empty, `unreliable` or `too few to say`.", null=True),
        Column(
            "funnel_class",
            "string",
            "Where the rate of the headline period lies against the region's (internal only): `within` what chance "
            "gives, `high_95` or `low_95` beyond 95 %, `high_998` or `low_998` beyond 99.8 %.",
            null=True,
        ),
        _OUTCOME_SHARE,
        Column("outcome_low", "float", "Lower end of the interval of a cohort share.", null=True),
        Column("outcome_high", "float", "Upper end of the interval of a cohort share.", null=True),
        *_CHANGE,
        Column("change_vs_region", "string", "The same values, relative to the region's change.", null=True),
        *_GISTAR,
        Column("moran_class", "string", "Local Moran quadrant: `HH`, `LL`, `HL`, `LH`, or `ns`.", null=True),
        Column("emerging_class", "string", "Emerging hot spot class of the area's history.", null=True),
        *_STATES,
    ),
    "One row for every covered area, period and category; internal includes zeros.",
)

HOTSPOT_LAYER = Table(
    "hotspots",
    ("hotspot_id",),
    (
        Column("hotspot_id", "string", "Id within this release.", alias="hs_id"),
        Column("rank", "int", "1 has the most incidents; outside internal equal steps share a rank.", alias="rank"),
        Column(
            "name",
            "string",
            "Stations, places or roads in the outline or next to it, where `context` has them, then the area of "
            "the smallest level that holds most of it.",
            alias="name",
        ),
        *ranged(
            "incidents",
            "Incidents of the period inside the outline that internal draws: exact there, otherwise the middle of the "
            "step.",
            "incidents",
        ),
        Column("incidents_band", "string", "Incidents as text: `20 to 29`.", null=True, alias="inc_band"),
        Column("area_km2", "float", "Area of the outline in square kilometres.", alias="area_km2"),
        Column(
            "density_per_km2", "float", "Incidents per square kilometre (internal only).", null=True, alias="dens_km2"
        ),
        Column("first_period", "string", "First month of the period.", null=True, alias="first_per"),
        Column("last_period", "string", "Last month of the period.", null=True, alias="last_per"),
        Column(
            "ward_codes",
            "string",
            "Codes of the areas of the smallest level that it overlaps, joined by semicolons.",
            null=True,
            alias="ward_codes",
        ),
    ),
    "Outlines of clusters of incidents.",
)

DENSITY_LAYER = Table(
    "density",
    ("density_id",),
    (
        Column("density_id", "string", "Id of the band.", alias="dens_id"),
        Column("category", "string", "Always `all`: other categories are in `density_by_category`.", alias="category"),
        Column("density_low", "float", "Lower limit of the band, incidents per square kilometre.", alias="dens_low"),
        Column(
            "density_high", "float", "Upper limit of the band; empty for the highest.", null=True, alias="dens_high"
        ),
        Column(
            "share_pct",
            "float",
            "Share of all incidents that the band holds together with those above it, per cent of the volume under the "
            "surface; empty where bands are not shares (`detect.density.bands`), or where too few places lie to draw "
            "most of it.",
            null=True,
            alias="share_pct",
        ),
    ),
    "Bands of kernel density in the headline period.",
)

_OF_CATEGORY = (
    Column("category", "string", "Category id.", alias="category"),
    Column("period_start", "date", "First day of the period.", alias="per_start"),
    Column("period_end", "date", "Last day of the period.", alias="per_end"),
)

HOTSPOT_CATEGORY_LAYER = Table(
    "hotspots_by_category",
    ("hotspot_id",),
    (HOTSPOT_LAYER.columns[0], *_OF_CATEGORY, *HOTSPOT_LAYER.columns[1:]),
    "Outlines of clusters of the incidents of one category. Categories overlap: an incident may lie in several.",
)

HOTSPOT_CORE_LAYER = Table(
    "hotspot_cores",
    ("core_id",),
    (
        Column("core_id", "string", "Id of the hotspot and a letter: `H001a`.", alias="core_id"),
        Column("hotspot_id", "string", "Hotspot that it lies in.", alias="hs_id"),
        Column(
            "number", "string", "Rank of the hotspot and a letter: `1a` has more incidents than `1b`.", alias="number"
        ),
        Column("name", "string", "As the name of a hotspot.", alias="name"),
        Column("incidents", "int", "Incidents of the period inside the outline.", alias="incidents"),
        Column("distinct_locations", "int", "Distinct places of these.", alias="places"),
        Column("area_km2", "float", "Area of the outline in square kilometres.", alias="area_km2"),
        Column("density_per_km2", "float", "Incidents per square kilometre.", alias="dens_km2"),
        Column(
            "min_samples", "int", "Incidents within the reach of the clustering that make a core.", alias="min_sampl"
        ),
    ),
    "Densest parts of hotspots that are larger than `detect.clusters.core_over_km2` (internal only).",
)

NEAR_REPEAT_ZONES = Table(
    "near_repeat_zones",
    ("zone_id",),
    (
        Column("zone_id", "string", "Category and cell.", alias="zone_id"),
        Column("category", "string", "Category id, or `all`.", alias="category"),
        Column("rank", "int", "Rank within its category by `extra_incidents`.", alias="rank"),
        Column("area_code", "string", "Smallest area that holds the middle of the cell.", alias="area_code"),
        Column("area_name", "string", "Its name.", alias="area_name"),
        Column("incidents", "int", "Recent incidents that raise the risk in the cell.", alias="incidents"),
        Column("first_day", "date", "First day: the day after the last of the data.", alias="first_day"),
        Column("last_day", "date", "Last day on which the risk is raised.", alias="last_day"),
        Column("days_left", "int", "Days from the first to the last, both included.", alias="days_left"),
        Column(
            "extra_incidents",
            "float",
            "Incidents to expect in the cell on these days beyond those that chance would give.",
            alias="extra_inc",
        ),
        Column(
            "times_as_likely",
            "float",
            "Pairs observed for each expected by chance, in the band that the first day is in; the highest of the "
            "incidents that reach the cell.",
            alias="times",
        ),
    ),
    "Cells in which near repeats raise the risk after the last day of the data (internal only).",
)

ANALYSIS_CELLS = Table(
    "analysis_cells",
    ("feature_id",),
    (
        Column("feature_id", "string", "Category and cell.", alias="feat_id"),
        Column("category", "string", "Category id, or `all`.", alias="category"),
        Column("cell_id", "string", "Analysis cell.", alias="cell_id"),
        Column("area_code", "string", "Smallest area that holds the middle of the cell.", alias="area_code"),
        Column("area_name", "string", "Its name.", alias="area_name"),
        Column("incidents", "int", "Incidents in the headline period.", alias="incidents"),
        Column("covered_km2", "float", "Part of it inside the study area, square kilometres.", alias="cov_km2"),
        Column("density_per_km2", "float", "Incidents per square kilometre of that part.", alias="dens_km2"),
        Column("gistar_z", "float", "Gi* z.", null=True, alias="gistar_z"),
        Column("gistar_p", "float", "Two-sided p.", null=True, alias="gistar_p"),
        Column("hotspot_class", "int", "-3 to 3: cold or hot at 99, 95, 90 per cent.", null=True, alias="hot_class"),
    ),
    "Gi* on equal cells, headline period (internal only).",
)

RISK_BANDS = Table(
    "risk_bands",
    ("band_id",),
    (
        Column("band_id", "string", "Id of the band.", alias="band_id"),
        Column("category", "string", "Always `all`.", alias="category"),
        Column(
            "measure", "string", "`ratio`, `difference` or `log_ratio` (`detect.density.risk.form`).", alias="measure"
        ),
        Column(
            "value_low",
            "float",
            "Lower limit: incidents per 10,000 people of the denominator, incidents per square kilometre above "
            "expectation, or the natural logarithm of the relative risk.",
            alias="value_low",
        ),
        Column("value_high", "float", "Upper limit; empty for the highest.", null=True, alias="value_high"),
        Column(
            "times_low",
            "float",
            "Lower limit as a multiple of the risk over everybody; empty for a difference.",
            null=True,
            alias="times_low",
        ),
    ),
    "Bands of the risk surface, incidents against the population, in the headline period (internal only).",
)

SCAN_CLUSTERS = Table(
    "scan_clusters",
    ("cluster_id",),
    (
        Column("cluster_id", "string", "Kind of scan, category and rank.", alias="cluster_id"),
        Column("kind", "string", "`space_time`, `poisson` or `bernoulli`.", alias="kind"),
        Column("category", "string", "Category id, or `all`.", alias="category"),
        Column("rank", "int", "Rank within its scan and category, the most likely first.", alias="rank"),
        Column("period_start", "date", "First day of the cluster.", alias="per_start"),
        Column("period_end", "date", "Last day.", alias="per_end"),
        Column("alive", "bool", "Whether it reaches the last period that was searched.", alias="alive"),
        Column("places", "int", "Cells or areas inside.", alias="places"),
        Column("observed", "int", "Incidents inside.", alias="observed"),
        Column("expected", "float", "Incidents expected inside.", alias="expected"),
        Column("relative_risk", "float", "Risk inside over risk outside.", null=True, alias="rel_risk"),
        Column("p", "float", "Monte Carlo p.", alias="p"),
    ),
    "Circles that scans found, beyond chance or not: see p (internal only).",
)

HARM_COLUMNS = (
    Column(
        "harm",
        "float",
        "Weights of the incidents added up, if `harm.weights` is set (internal only): of all categories together, for "
        "the region, areas and smaller areas, in the headline period and the one that it is compared with.",
        null=True,
        alias="harm",
    ),
    Column(
        "harm_change_pct",
        "float",
        "Change of harm a day in the headline period, in per cent; empty where too few incidents carry it.",
        null=True,
        alias="harm_chg",
    ),
    Column(
        "harm_change_word",
        "string",
        "`higher`, `lower`, `no clear change` or `too few` (too few incidents, or a few grave ones decide).",
        null=True,
        alias="harm_word",
    ),
)
"""Columns that stand in tables and layers of areas where offences have weights."""


def with_harm_columns(table: Table) -> Table:
    """Return a contract of areas with the columns of harm, before those that state what is not offered."""
    at = table.names.index("not_offered")
    return replace(table, columns=(*table.columns[:at], *HARM_COLUMNS, *table.columns[at:]))


HARM_HOTSPOTS = Table(
    "harm_hotspots",
    ("hotspot_id",),
    (
        Column("hotspot_id", "string", "Id.", alias="hotspot_id"),
        Column("category", "string", "Category id, or `all`.", alias="category"),
        Column("rank", "int", "Rank by harm.", alias="rank"),
        Column("area_name", "string", "Smallest area with most of its incidents.", alias="area_name"),
        Column("incidents", "int", "Incidents in the outline that have a weight.", alias="incidents"),
        Column("harm", "float", "What they add up to.", alias="harm"),
        Column("per_incident", "float", "Harm for each of them.", alias="per_inc"),
        Column("top_share_pct", "float", "Largest share of one incident, in per cent.", alias="top_share"),
        Column(
            "by_count",
            "int",
            "Rank of the hotspot of incidents that it overlaps most; empty if none.",
            null=True,
            alias="by_count",
        ),
    ),
    "Hotspots by harm (internal only).",
)

HARM_DENSITY = Table(
    "harm_density",
    ("density_id",),
    (
        Column("density_id", "string", "Id.", alias="density_id"),
        Column("category", "string", "Category id, or `all`.", alias="category"),
        Column("density_low", "float", "Harm per square kilometre in the period, at least.", alias="dens_low"),
        Column("density_high", "float", "At most; empty for the highest band.", null=True, alias="dens_high"),
    ),
    "Bands of kernel density of harm (internal only).",
)

DENSITY_CATEGORY_LAYER = Table(
    "density_by_category",
    ("density_id",),
    (DENSITY_LAYER.columns[0], *_OF_CATEGORY, *DENSITY_LAYER.columns[2:]),
    "Bands of kernel density of the incidents of one category.",
)

CIRCUMSTANCES = Table(
    "circumstances",
    ("area_code", "period", "category", "organisation", "question", "answer"),
    (
        *_AREA,
        Column("period", "string", "Period id: first and last month `2024-08..2025-07`."),
        *_SPAN,
        Column("category", "string", "Category id; outside internal `all` only. Categories overlap and never add up."),
        Column("organisation", "string", "Who recorded the incidents; organisations are never added up."),
        Column(
            "question",
            "string",
            "Variable: `organisation` (its incidents), {variables}.",  # from the registry, in a higher package
        ),
        Column(
            "answer",
            "string",
            "Value of the variable, or `not stated`, `too recent to say`, `other kinds` (rare values).",
        ),
        *ranged("incidents", "Incidents with this value.", "incidents"),
        *ranged("stated", "Incidents that state a value of the variable.", "stated"),
        Column("share", "float", "Share of these with this value, 0 to 1.", null=True),
        Column("share_low", "float", "Lowest possible share; 95 % interval in internal.", null=True),
        Column("share_high", "float", "Highest possible share; 95 % interval in internal.", null=True),
        *_STATES,
    ),
    "Circumstances of incidents in the headline period: time, place, offence, reporting and outcome.",
)
