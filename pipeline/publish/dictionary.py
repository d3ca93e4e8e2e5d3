"""The data dictionary, from the table contracts: `python -m pipeline.publish.dictionary > outputs/README.md`."""

import sys

from pipeline.aggregate.circumstances import variable_list
from pipeline.tables.outputs import (
    ANALYSIS_CELLS,
    AREA_COUNTS,
    AREA_LAYER,
    CIRCUMSTANCES,
    DENSITY_CATEGORY_LAYER,
    DENSITY_LAYER,
    GROUP_LAYER,
    HARM_COLUMNS,
    HARM_DENSITY,
    HARM_HOTSPOTS,
    HOTSPOT_CATEGORY_LAYER,
    HOTSPOT_CORE_LAYER,
    HOTSPOT_LAYER,
    NEAR_REPEAT_ZONES,
    RISK_BANDS,
    SCAN_CLUSTERS,
    STATES_NOTE,
)
from pipeline.tables.table import Table
from pipeline.tables.work import (
    AREA_DAYS,
    AREA_MONTHS,
    AREAS,
    CONCENTRATION,
    HARM_AREAS,
    HARM_OFFENCES,
    HARM_RULES,
    HOTSPOT_FACTS,
    HOUR_PEAKS,
    HOURS,
    INCIDENTS,
    LOCATIONS,
    NEAR_REPEATS,
    PUBLISHED_COUNTS,
    QUARANTINE,
    SEASON_MONTHS,
    SEASONS,
    STREET_RUNS,
    STREET_SEGMENTS,
)

__all__ = ["data_dictionary"]

_FOLDER = """# What a run writes

`hotspots run` builds everything below and then replaces the last run: `outputs/<run.name>/` is always one complete run.

| path | what it is | who it is for |
|---|---|---|
| `index.html` | overview: profiles, maps, layers, data quality | analyst |
| `manifest.json` | inputs with SHA-256, settings, versions, automatic choices, counts, cautions (`cautions`), timings |\
 analyst |
| `quality.json` | row accounting: refused rows by rule, geocode hit rate by area and month, repeated coordinates, probable\
 duplicates, boroughs with hardly any incidents (`scarce_boroughs`) | analyst |
| `backtest.html`, `backtest.svg` | which method would have caught most of the later incidents, of `hotspots backtest`: summary,\
 picture, tables by target, category and cells | analyst |
| `backtest.csv` | one row per category, cells, method and target: area marked (`marked_pct`), ties (`tied_units`,\
 `tied_pct`), hits, hit rate, PAI, PEI* (`pei`) and RRI with intervals, how often other lots or half the ties would change\
 the rank (`other_seed_pct`, `half_ties_pct`) | analyst |
| `backtest.json` | the same, with paired differences, settings tried and the summary | a program |
| `work/` | stage tables; must not leave the organisation | analyst |
| `<profile>/` | `internal`, `partner`, `public`, as configured; only `partner` and `public` are for handing over | the\
 profile's audience |

In each profile's folder:

| path | what it is |
|---|---|
| `index.html` | the map: one file that opens from disk and makes no network requests |
| `boroughs.geojson`, `wards.geojson` | areas with the figures of the headline period |
| `<id>.geojson` | the same of a level that `areas.levels` names otherwise; a third and a fourth level are sums of boroughs: in released\
 folders of the ranges of those |
| `ward_groups.geojson` | groups of neighbouring wards, for categories that are too rare to be given by ward;\
 `release.json` gives each category's level (`rules.detail`). The columns of a category that groups have in longer\
 windows alone are of the latest of these (`rules.long_windows`), not of the row's period |
| `hotspots.geojson` | outlines of clusters of all categories together, in the headline period |
| `density.geojson` | bands of kernel density of all categories together, in the headline period |
| `hotspots_by_category.geojson`, `density_by_category.geojson` | the same of each category that has enough incidents |
| `hotspot_cores.geojson` | densest parts of hotspots larger than `detect.clusters.core_over_km2`, where there are any\
 (`internal` only) |
| `analysis_cells.geojson` | equal cells with their incidents and Gi*, if `detect.gistar.grid` is not `none` (`internal` only) |
| `scan_clusters.geojson` | circles that scans found, if `detect.scan` is switched on (`internal` only) |
| `risk_bands.geojson` | bands of the risk surface, if `detect.density.risk` is switched on (`internal` only) |
| `near_repeat_zones.geojson` | cells in which near repeats raise the risk after the last day of the data, if\
 `detect.knox` is switched on (`internal` only) |
| `hotspots.gpkg` | the same layers in the working system (GeoPackage 1.3), with styles for QGIS |
| `hotspots.xml` | discovery metadata (UK GEMINI 2.3): title, abstract, extent, lineage, licence, contact |
| `<layer>.parquet`, `<layer>.fgb` | the same layers as GeoParquet and FlatGeobuf, if switched on in `exports` |
| `area_counts.csv` | one row for every covered area, period and category; zeros are written in `internal` and belong to\
 the first step in other folders |
| `area_counts.csv-metadata.json` | machine-readable description of its columns (CSV on the Web) |
| `circumstances.csv` | time, day, place, offence, reporting and outcome of the incidents, if recorded |
| `circumstances.csv-metadata.json` | description of its columns |
| `boroughs/<code>.html`, `panel.html` | a briefing for each borough and for the region |
| `boroughs/<code>-circumstances.html`, `circumstances.html` | the figures of `circumstances.csv` as charts and\
 sentences |
| `hotspots/<id>.html` | a printed page for each hotspot; in `internal` and `partner` |
| `concentration.html` | how few cells and areas hold most incidents, and whether they are the same each year\
 (`internal` only) |
| `near-repeats.html` | whether incidents follow one another nearby within days, by category, if `detect.knox` is\
 switched on (`internal` only) |
| `clusters.html` | clusters in space and time and in space alone, by category, if `detect.scan` asks for them\
 (`internal` only) |
| `harm.html` | incidents by the weight of their offence, if `harm.weights` is set (`internal` only) |
| `harm_areas.csv`, `harm_offences.csv` | harm by area and by offence; columns as of the stage tables of these names\
 (`internal` only) |
| `harm_hotspots.geojson`, `harm_density.geojson` | hotspots and bands of density by harm (`internal` only) |
| `when.html` | incidents by day and hour in the region, areas and hotspots; season, trend, and the latest months against\
 expectation (`internal` only) |
| `hours.csv`, `hour_peaks.csv`, `season_months.csv`, `seasons.csv` | the figures behind it; columns as of the stage tables\
 of these names (`internal` only) |
| `README.html` | which file is for whom, and this dictionary |
| `tables.xlsx`, `tables.ods` | the tables as a workbook (`exports.workbook`): cover, contents, notes, one table a sheet;\
 `[c]` is a number that is not offered, `[x]` one that there is not |
| `accessibility.html` | the accessibility statement: what works, what does not, how it was tested |
| `release.json`, `protection.html` | how counts are protected and why, how many are released in which form, result of\
 the audit |

GeoJSON follows RFC 7946: longitude and latitude (WGS 84) to six decimals, outer rings anticlockwise, `bbox`, and an
`id` on every feature that repeats its key. Dates are ISO, periods include both ends. No file contains a point, an
identifier or a date of a single incident. [docs/gis.md](../docs/gis.md) shows how to load the layers.

In `hotspots.gpkg`, GeoParquet and FlatGeobuf a `date` is a date, a `bool` true or false and an `int` 32 bits wide. CSV
is UTF-8 with CRLF line ends; a text that a spreadsheet would treat as a formula starts with an apostrophe. Short names
are for shapefiles, which allow ten characters; `hotspots.gpkg` contains them, with the descriptions, in
`gpkg_data_columns`.

"""


_HARM = Table(
    "harm columns",
    (),
    HARM_COLUMNS,
    "Columns before `not_offered` that the `internal` folder has where `harm.weights` is set.",
)


def _table(table: Table, *, aliases: bool = False) -> str:
    """Return one table as Markdown."""
    head = f"`{table.name}`: {table.text}"
    if table.key:
        head += f" Key: {', '.join(f'`{k}`' for k in table.key)}."
    lines = [head, ""]
    lines += ["| column | kind | may be empty | meaning |" + (" short name |" if aliases else "")]
    lines += ["|---|---|---|---|" + ("---|" if aliases else "")]
    for column in table.columns:
        row = f"| `{column.name}` | {column.kind} | {'yes' if column.null else ''} | {column.text} |"
        lines.append(row + (f" `{column.short}` |" if aliases else ""))
    if table.open_prefix:  # three columns for each category, one category after the other
        name = f"{table.open_prefix}<category>"
        for end, text, short in (
            ("", "Incidents of each category in the period, in the same form as incidents.", ""),
            ("_lower", f"Lowest possible value of {name}.", "_lo"),
            ("_upper", f"Highest possible value of {name}.", "_up"),
        ):
            row = f"| `{name}{end}` | int | yes | {text} |"
            lines.append(row + (f" `inc_<category>{short}`, cut |" if aliases else ""))
    return "\n".join(lines) + "\n\n"


def data_dictionary() -> str:
    """Return the text of outputs/README.md."""
    text = _FOLDER + f"## Layers and tables of a released folder\n\n{STATES_NOTE}\n\n"
    for table, files in (
        (AREA_LAYER, "boroughs, wards"),
        (HOTSPOT_LAYER, "hotspots"),
        (DENSITY_LAYER, "density"),
        (HOTSPOT_CATEGORY_LAYER, "hotspots_by_category"),
        (HOTSPOT_CORE_LAYER, "hotspot_cores"),
        (NEAR_REPEAT_ZONES, "near_repeat_zones"),
        (ANALYSIS_CELLS, "analysis_cells"),
        (SCAN_CLUSTERS, "scan_clusters"),
        (HARM_HOTSPOTS, "harm_hotspots"),
        (HARM_DENSITY, "harm_density"),
        (RISK_BANDS, "risk_bands"),
        (DENSITY_CATEGORY_LAYER, "density_by_category"),
    ):
        text += f"### {files.capitalize()}\n\n" + _table(table, aliases=True)
    wards = GROUP_LAYER.columns[-1]
    text += (
        f"### Ward_groups\n\n{GROUP_LAYER.text} All columns of boroughs and wards, and `{wards.name}`: {wards.text}\n\n"
    )
    text += "### area_counts.csv\n\n"
    text += _table(AREA_COUNTS)
    text += "### Harm in boroughs, wards and area_counts.csv\n\n"
    text += _table(_HARM, aliases=True)
    text += "### circumstances.csv\n\n"
    text += _table(CIRCUMSTANCES.described(variables=variable_list()))
    text += "## Stage tables in `work/`\n\n"
    for table in (
        AREAS,
        INCIDENTS,
        QUARANTINE,
        PUBLISHED_COUNTS,
        AREA_MONTHS,
        AREA_DAYS,
        LOCATIONS,
        HOTSPOT_FACTS,
        CONCENTRATION,
        NEAR_REPEATS,
        STREET_SEGMENTS,
        STREET_RUNS,
        HOURS,
        HOUR_PEAKS,
        HARM_OFFENCES,
        HARM_AREAS,
        HARM_RULES,
        SEASON_MONTHS,
        SEASONS,
    ):
        text += _table(table)
    return text.rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(data_dictionary())
