"""A small city of four square wards, and one call that reads a file into it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from pipeline import ingest as readers
from pipeline.config import Config, parse_config
from pipeline.geography.areas import AreaIndex

WEST, SOUTH = 530_000.0, 180_000.0
SALT = b"a key for tests"


@dataclass(frozen=True)
class City:
    """Square wards in rows; each column of them is a borough."""

    west: float = WEST
    south: float = SOUTH
    side: float = 1000.0
    columns: int = 2
    rows: int = 2
    codes: tuple[str, ...] = field(init=False)
    parents: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        cells = [(c, r) for c in range(self.columns) for r in range(self.rows)]
        object.__setattr__(self, "codes", tuple(f"W{c}{r}" for c, r in cells))
        object.__setattr__(self, "parents", tuple(f"B{c}" for c, _ in cells))

    @property
    def shapes(self) -> np.ndarray:
        cells = [(c, r) for c in range(self.columns) for r in range(self.rows)]
        return np.array(
            [
                shapely.box(
                    self.west + c * self.side,
                    self.south + r * self.side,
                    self.west + (c + 1) * self.side,
                    self.south + (r + 1) * self.side,
                )
                for c, r in cells
            ],
            dtype=object,
        )

    @property
    def names(self) -> dict[str, str]:
        return {f"B{c}": name for c, name in zip(range(self.columns), ("Ash & Elm", "Birch", "Cedar"), strict=False)}

    @property
    def lookup(self) -> readers.AreaLookup:
        return _lookup(self)


@cache
def _lookup(city: City) -> readers.AreaLookup:
    west, south, east, north = (float(v) for v in shapely.total_bounds(city.shapes))
    index = AreaIndex.build(city.shapes, city.codes, cell_m=city.side / 20, snap_m=0)
    return readers.AreaLookup(city.codes, city.parents, city.names, (west, south, east, north), index)


CITY = City()


def settings(source: dict[str, Any] | None = None, **sections: Any) -> Config:
    """A configuration with one source."""
    return parse_config(
        {
            "areas": {"wards": {"path": "wards.gpkg"}},
            "incidents": [{"paths": ["*.csv"], "crs": "EPSG:27700", "last_date": "2025-12-31", **(source or {})}],
            **sections,
        }
    )


@dataclass(frozen=True)
class Read:
    """What reading gave."""

    report: readers.PartReport
    incidents: pd.DataFrame
    quarantine: pd.DataFrame
    part: Path
    quarantine_part: Path

    @property
    def rules(self) -> dict[int, str]:
        """Rule per refused row."""
        return dict(zip(self.quarantine["source_row"].tolist(), self.quarantine["rule"].tolist(), strict=True))


def read(path: Path, config: Config | None = None, *, city: City = CITY, out: Path | None = None, **more: Any) -> Read:
    """Read a file and check that every row is accounted for."""
    config = config or settings()
    folder = out or path.parent / "out"
    name = path.name
    report = readers.read_incidents(
        readers.ReadJob(
            path=path,
            source=config.incidents[0],
            config=config,
            areas=more.pop("areas", None) or city.lookup,
            out=folder / f"{name}.parquet",
            quarantine_out=folder / "quarantine" / f"{name}.parquet",
            salt=SALT,
            **{"label": f"{config.incidents[0].name}/{name}", "today": "2026-01-01", **more},
        )
    )
    incidents = pd.read_parquet(folder / f"{name}.parquet")
    quarantine = pd.read_parquet(folder / "quarantine" / f"{name}.parquet")
    rows = sorted([*incidents["source_row"], *quarantine["source_row"]])
    assert rows == list(range(1, report.rows_read + 1))
    assert report.rows_read == report.incidents + sum(report.quarantined.values())
    assert report.incidents == len(incidents) == sum(report.places.values())
    assert quarantine["rule"].value_counts().to_dict() == report.quarantined
    assert incidents["source_row"].is_monotonic_increasing
    return Read(report, incidents, quarantine, folder / f"{name}.parquet", folder / "quarantine" / f"{name}.parquet")


def settle(found: Sequence[Read], into: Path, **rules: Any) -> readers.Settled:
    """Settle which rows of files that were read count; `rules` are those of every source."""
    parts = [readers.Part(f.part, readers.Edition(f.report.source, f.report.source), f.report) for f in found]
    names = {part.source for part in parts}
    return readers.settle(
        parts,
        rules={name: readers.SourceRules(**rules) for name in names},
        into=into,
        left_out=into.with_name(f"{into.name}-left-out.parquet"),
    )


def settled_account(found: Sequence[Read], settled: readers.Settled) -> dict[str, Any]:
    """Return what a run's record says of the settling."""
    parts = [readers.Part(f.part, readers.Edition(f.report.source, f.report.source), f.report) for f in found]
    return {"account": settled.account(parts), **readers.settled_record(settled)}


def write(folder: Path, text: str | bytes, name: str = "rows.csv") -> Path:
    """Write a file of rows."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
