"""Public layers under the hotspots, as maps and briefings draw them."""

from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd

from pipeline.storage.files import read_json, read_table
from pipeline.tables import CONTEXT

__all__ = ["SURROUNDINGS", "Surroundings", "read_surroundings"]

SURROUNDINGS = ("context.json", "context.parquet")
"""Their files in a run's folder for tables between stages."""

_EMPTY = gpd.GeoDataFrame({"kind": [], "name": [], "rank": []}, geometry=[], crs="EPSG:4326")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Public layers that are drawn under the hotspots.

    Attributes
    ----------
    frame
        Rows of the table CONTEXT, in the order in which they are drawn.
    credits
        Whom pages name for them.
    """

    frame: gpd.GeoDataFrame = field(default_factory=lambda: _EMPTY)
    credits: tuple[str, ...] = ()


def read_surroundings(work: Path) -> Surroundings:
    """Read the layers that a run has stored.

    Parameters
    ----------
    work
        Its folder for tables between stages.

    Raises
    ------
    InputError
        If they are not there, or damaged.
    """
    about = read_json(work / "context.json")
    return Surroundings(read_table(work / "context.parquet", CONTEXT, crs=about["crs"]), tuple(about["credits"]))
