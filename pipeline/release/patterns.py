"""What tests of place and time found, for the data owner alone.

Each of these tables is a function of exact counts of cells, places and days, which no rule of steps covers. So they are
in internal folders only, and a folder of some boroughs has none, because the tables are those of all data.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import geopandas as gpd
import pandas as pd

from pipeline.tables import (
    ANALYSIS_CELLS,
    HARM_AREAS,
    HARM_DENSITY,
    HARM_HOTSPOTS,
    HARM_OFFENCES,
    HARM_RULES,
    HOUR_PEAKS,
    HOURS,
    NEAR_REPEAT_ZONES,
    NEAR_REPEATS,
    RISK_BANDS,
    SEASON_MONTHS,
    SEASONS,
    SPACE_TIME_CLUSTERS,
    SPATIAL_CLUSTERS,
    Table,
)

__all__ = ["PATTERN_TABLES", "Patterns", "has_geometry"]

PATTERN_TABLES: tuple[Table, ...] = (
    ANALYSIS_CELLS,
    NEAR_REPEATS,
    NEAR_REPEAT_ZONES,
    RISK_BANDS,
    SPACE_TIME_CLUSTERS,
    SPATIAL_CLUSTERS,
    HOURS,
    HOUR_PEAKS,
    SEASON_MONTHS,
    SEASONS,
    HARM_AREAS,
    HARM_OFFENCES,
    HARM_RULES,
    HARM_HOTSPOTS,
    HARM_DENSITY,
)
"""Every table that a method of `Scope.INTERNAL` may leave, by its name, in `work/patterns/<window>/`."""

_LAYERS = frozenset(t.name for t in (ANALYSIS_CELLS, NEAR_REPEAT_ZONES, RISK_BANDS, HARM_HOTSPOTS, HARM_DENSITY))


def has_geometry(table: Table) -> bool:
    """Whether a table is a layer."""
    return table.name in _LAYERS


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """The tables of one window, by name; a method that did not run has none."""

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def of(self, table: Table) -> pd.DataFrame:
        """Return a table, without rows where it was not made."""
        found = self.tables.get(table.name)
        return table.empty() if found is None else found

    def layer(self, table: Table) -> gpd.GeoDataFrame:
        """Return a layer, without features where it was not made."""
        found = self.tables.get(table.name)
        if found is None:
            return gpd.GeoDataFrame(table.empty(), geometry=gpd.GeoSeries([]))
        return gpd.GeoDataFrame(found)

    def shown(self, categories: list[str]) -> "Patterns":
        """Keep the rows of the categories that a folder shows."""
        return Patterns(
            {
                name: table[table["category"].isin(categories)].reset_index(drop=True) if "category" in table else table
                for name, table in self.tables.items()
            }
        )

    def __iter__(self) -> Iterator[tuple[Table, pd.DataFrame]]:
        """Yield every table that was made with its contract."""
        yield from ((table, self.tables[table.name]) for table in PATTERN_TABLES if table.name in self.tables)
