"""A release read from the stage store, `work/release/<profile>`, which stays with the data owner."""

from pathlib import Path

from pipeline.errors import InputError
from pipeline.release.patterns import PATTERN_TABLES, Patterns, has_geometry
from pipeline.release.released import Packed, Released, unpack
from pipeline.storage.files import read_json, read_layer, read_table
from pipeline.tables import AREA_COUNTS, CIRCUMSTANCES, CONCENTRATION, HOTSPOT_FACTS, STREET_RUNS

__all__ = ["FOR_THE_OWNER", "RECORD", "RECORD_OF_PAGES", "read_patterns", "read_release"]

RECORD = "release.json"
"""File of a stored release with its texts and its record."""
RECORD_OF_PAGES = frozenset({"rules", "circumstances"})
"""What pages show of the record; layers, tables and the page on protection show all of it."""
FOR_THE_OWNER = ("withheld.json", "withheld.parquet")
"""Files beside a stored release that say how it was made: no part of it, and never published."""


def read_release(folder: Path) -> Released:
    """Read one profile's release.

    Parameters
    ----------
    folder
        As the release stage wrote it: "outputs/sample/work/release/public".

    Raises
    ------
    InputError
        If no release is there.
    DisclosureError
        If its counts are not those that left the gate.
    """
    if not (folder / RECORD).is_file():
        raise InputError(
            f"{folder} holds no release: name the folder of a profile in the outputs of a run, with its folder `work` "
            "beside it. A folder that was handed over holds layers and tables, not the release"
        )
    stored = read_json(folder / RECORD)
    return unpack(
        Packed(
            info=stored["info"],
            areas=read_layer(folder / "areas.parquet"),
            counts=read_table(folder / "counts.parquet", AREA_COUNTS),
            hotspots=read_layer(folder / "hotspots.parquet"),
            density=read_layer(folder / "density.parquet"),
            hotspots_by_category=read_layer(folder / "hotspots_by_category.parquet"),
            density_by_category=read_layer(folder / "density_by_category.parquet"),
            circumstances=read_table(folder / "circumstances.parquet", CIRCUMSTANCES),
            facts=read_table(folder / "facts.parquet", HOTSPOT_FACTS),
            cores=read_layer(folder / "hotspot_cores.parquet"),
            concentration=read_table(folder / "concentration.parquet", CONCENTRATION),
            streets=read_layer(folder / "streets.parquet"),
            street_runs=read_table(folder / "street_runs.parquet", STREET_RUNS),
            patterns=read_patterns(folder / "patterns"),
            record=stored["record"],
            digest=stored["digest"],
        )
    )


def read_patterns(folder: Path) -> Patterns:
    """Read the tables of one window that are in a folder; none where it does not exist."""
    paths = {table: folder / f"{table.name}.parquet" for table in PATTERN_TABLES}
    return Patterns(
        {
            table.name: read_layer(path) if has_geometry(table) else read_table(path, table)
            for table, path in paths.items()
            if path.is_file()
        }
    )
