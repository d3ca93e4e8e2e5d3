"""Places of parts of incidents, counted and merged as the stage does."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from pipeline.aggregate.reduce import CountJob, count_part, merge_locations
from pipeline.storage.files import read_table
from pipeline.tables import LOCATIONS


def locations(parts: Sequence[Path], *, placeholders: Iterable[tuple[float, float, float]] = ()) -> pd.DataFrame:
    """Return LOCATIONS of parts of INCIDENTS."""
    with tempfile.TemporaryDirectory(dir=parts[0].parent) as folder:
        kept = [Path(folder) / str(number) for number in range(len(parts))]
        for part, into in zip(parts, kept, strict=True):
            count_part(
                CountJob(label=part.stem, part=part, into=into, region_code="R", placeholders=tuple(placeholders))
            )
        out = Path(folder) / "locations.parquet"
        merge_locations(kept, out=out, months=(1, 999_912))
        return read_table(out, LOCATIONS)
