"""The data dictionary, written from the table contracts: `python -m pipeline.publish.dictionary > outputs/README.md`."""

import sys

from pipeline.aggregate.circumstances import variable_list
from pipeline.tables.outputs import (
    AREA_COUNTS,
    AREA_LAYER,
    CIRCUMSTANCES,
    DENSITY_LAYER,
    GROUP_LAYER,
    HOTSPOT_LAYER,
    STATES_NOTE,
)
from pipeline.tables.table import Table
from pipeline.tables.work import AREA_MONTHS, AREAS, CELLS, INCIDENTS, LOCATIONS, PUBLISHED_COUNTS, QUARANTINE

__all__ = ["data_dictionary"]

_FOLDER = """# What a run writes

`hotspots run` builds everything below in one go and swaps it in whole: `outputs/<run.name>/` is always one complete
run. Results are not kept in version control; this page is, and a test holds it to the files.

| path | what it is | who it is for |
|---|---|---|
| `index.html` | front door: profiles, maps, layers, quality | analyst |
| `manifest.json` | inputs with SHA-256, settings, versions, what was chosen and counted, what to look at first (`cautions`), timings | analyst |
| `quality.json` | every row accounted for: refused by which rule, geocode hit rate by area and month, repeated coordinates, what may be the same, boroughs the files hardly reach (`scarce_boroughs`) | analyst |
| `backtest.json`, `backtest.svg` | how well maps would have done, when asked for | analyst |
| `work/` | stage tables; never leaves the building | analyst |
| `<profile>/` | `internal`, `partner`, `public`, as configured: the only folders that are handed over | the profile's audience |

In each profile's folder:

| path | what it is |
|---|---|
| `index.html` | the map: one file, opens from disk, asks the network for nothing |
| `boroughs.geojson`, `wards.geojson` | areas with the figures of the headline period |
| `ward_groups.geojson` | groups of neighbouring wards, where a category is too rare to be given by ward; `release.json` names each category's level (`rules.detail`) |
| `hotspots.geojson` | outlines of clusters |
| `density.geojson` | bands of kernel density |
| `hotspots.gpkg` | the same layers in the working system (GeoPackage 1.3), with styles for QGIS |
| `hotspots.xml` | discovery metadata (UK GEMINI 2.3): title, abstract, extent, lineage, licence, contact |
| `<layer>.parquet`, `<layer>.fgb` | the same layers as GeoParquet and FlatGeobuf, where `exports` asks for them |
| `area_counts.csv` | one row per area, period and category; dense over what is covered; zeros written in `internal`, part of the first step in other folders |
| `area_counts.csv-metadata.json` | the columns of that file, for programs (CSV on the Web) |
| `circumstances.csv` | time, day, place, offence, reporting and outcome of the incidents, where the data has them |
| `circumstances.csv-metadata.json` | the columns of that file |
| `boroughs/<code>.html`, `panel.html` | a briefing for each borough, and for the region |
| `boroughs/<code>-circumstances.html`, `circumstances.html` | the same figures as `circumstances.csv`, drawn and in sentences |
| `release.json`, `protection.html` | how counts are protected and why, how many are given in which way, the audit's verdict |

GeoJSON follows RFC 7946: longitude and latitude (WGS 84) to six decimals, outer rings anticlockwise, `bbox`, and an `id`
on every feature that repeats its key. Dates are ISO, periods include both ends. No file carries a point, a number or a
date of a single incident. [docs/gis.md](../docs/gis.md) shows how to load the layers.

In `hotspots.gpkg`, GeoParquet and FlatGeobuf a `date` is a date, a `bool` true or false and an `int` 32 bits wide. CSV is
UTF-8 with CRLF line ends; a text that a spreadsheet would run as a formula has an apostrophe in front. Short names are
for shapefiles, whose columns hold ten characters; `hotspots.gpkg` repeats them, and the meanings, in `gpkg_data_columns`.

"""


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
            ("", "Incidents of each category in the period, given as incidents are.", ""),
            ("_lower", f"Least that {name} may be.", "_lo"),
            ("_upper", f"Greatest that {name} may be.", "_up"),
        ):
            row = f"| `{name}{end}` | int | yes | {text} |"
            lines.append(row + (f" `inc_<category>{short}`, cut |" if aliases else ""))
    return "\n".join(lines) + "\n\n"


def data_dictionary() -> str:
    """Return the text of outputs/README.md."""
    text = _FOLDER + f"## Layers and tables of a released folder\n\n{STATES_NOTE}\n\n"
    for table, files in ((AREA_LAYER, "boroughs, wards"), (HOTSPOT_LAYER, "hotspots"), (DENSITY_LAYER, "density")):
        text += f"### {files.capitalize()}\n\n" + _table(table, aliases=True)
    wards = GROUP_LAYER.columns[-1]
    text += (
        f"### Ward_groups\n\n{GROUP_LAYER.text} All columns of boroughs and wards, and `{wards.name}`: {wards.text}\n\n"
    )
    text += "### area_counts.csv\n\n"
    text += _table(AREA_COUNTS)
    text += "### circumstances.csv\n\n"
    text += _table(CIRCUMSTANCES.described(variables=variable_list()))
    text += "## Stage tables in `work/`\n\n"
    for table in (AREAS, INCIDENTS, QUARANTINE, PUBLISHED_COUNTS, AREA_MONTHS, LOCATIONS, CELLS):
        text += _table(table)
    return text.rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(data_dictionary())
