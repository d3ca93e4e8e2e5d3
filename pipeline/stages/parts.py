"""One input file, one part: the functions that an engine maps over files. All of them can be sent to a worker."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.areas import AreaIndex
from pipeline.config import Config, IncidentSource
from pipeline.readers import (
    LocationCounts,
    PartReport,
    count_area_months,
    count_facets,
    count_locations,
    count_places,
    read_incidents,
)

__all__ = ["PartCounts", "PartJob", "ReadJob", "count_part", "part_name", "read_part"]


def part_name(label: str) -> str:
    """Return a file name for a part: readable, and different for different labels."""
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in label)[-80:]
    return f"{plain}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class ReadJob:
    """One file to read, with all that reading needs."""

    path: Path
    label: str
    source: IncidentSource
    config: Config
    index: AreaIndex
    ward_codes: tuple[str, ...]
    parents: tuple[str, ...]
    borough_names: dict[str, str]
    bounds: tuple[float, float, float, float]
    out: Path
    quarantine_out: Path
    salt: bytes
    today: str

    def locate(self, xy: Any) -> tuple[Any, Any]:
        """Return the ward of every point and whether it was snapped."""
        found = self.index.locate(xy)
        return found.code_index, found.snapped


def read_part(job: ReadJob) -> PartReport:
    """Read one file into its part."""
    return read_incidents(
        job.path,
        source=job.source,
        config=job.config,
        locate=job.locate,
        ward_codes=job.ward_codes,
        parents=job.parents,
        borough_names=job.borough_names,
        bounds=job.bounds,
        out=job.out,
        quarantine_out=job.quarantine_out,
        salt=job.salt,
        label=job.label,
        today=job.today,
    )


@dataclass(frozen=True, slots=True)
class PartJob:
    """One part to reduce."""

    part: Path
    region_code: str
    placeholders: tuple[tuple[float, float], ...]
    memory_limit_mb: int


@dataclass(frozen=True, slots=True)
class PartCounts:
    """The sufficient statistics of one part: whole numbers only, so that any order of merging gives the same."""

    area_months: pd.DataFrame
    locations: LocationCounts
    facets: pd.DataFrame
    places: pd.DataFrame


def count_part(job: PartJob) -> PartCounts:
    """Reduce one part."""
    limit = job.memory_limit_mb
    return PartCounts(
        area_months=count_area_months(job.part, region_code=job.region_code, memory_limit_mb=limit),
        locations=count_locations(job.part, placeholders=job.placeholders, memory_limit_mb=limit),
        facets=count_facets(job.part, memory_limit_mb=limit),
        places=count_places(job.part, memory_limit_mb=limit),
    )
