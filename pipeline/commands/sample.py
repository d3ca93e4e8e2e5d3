"""Writing the synthetic sample: the generator's rows into a file."""

import gzip
import io
from pathlib import Path

import geopandas as gpd
import pandas as pd

from pipeline.errors import InputError
from pipeline.sample import Boroughs, incident_chunks, to_csv_text
from pipeline.storage.files import write_bytes

__all__ = ["SAMPLE_FOLDER", "sample_bytes", "write_sample"]

SAMPLE_FOLDER = Path(__file__).parents[2] / "data" / "sample"


def sample_bytes(*, seed: int, rows: int, compressed: bool, folder: Path = SAMPLE_FOLDER) -> tuple[bytes, int]:
    """Return the sample as CSV, gzip-compressed on request, and its number of rows.

    Raises
    ------
    InputError
        If the outlines that come with the project are not there.
    """
    outlines, totals = folder / "boroughs.geojson", folder / "strand_totals.csv"
    for path in (outlines, totals):
        if not path.is_file():
            raise InputError(f"{path} is missing: the sample needs the project's data folder; clone the project again")
    shapes = gpd.read_file(outlines)
    boroughs = Boroughs(
        codes=tuple(shapes["area_code"]), names=tuple(shapes["area_name"]), polygons=shapes.geometry.to_numpy()
    )
    buffer, made = io.BytesIO(), 0
    for frame in incident_chunks(boroughs=boroughs, totals=pd.read_csv(totals, comment="#"), seed=seed, rows=rows):
        buffer.write(to_csv_text(frame, header=made == 0).encode("utf-8"))
        made += len(frame)
    content = buffer.getvalue()
    return (gzip.compress(content, mtime=0) if compressed else content), made


def write_sample(out: Path, *, seed: int, rows: int) -> int:
    """Write the sample and return its number of rows."""
    content, made = sample_bytes(seed=seed, rows=rows, compressed=out.suffix == ".gz")
    write_bytes(out, content)
    return made
