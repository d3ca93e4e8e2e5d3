"""The synthetic sample: set up in a folder to be run, or made anew by the generator."""

import gzip
import io
from pathlib import Path

import geopandas as gpd
import pandas as pd

from pipeline.errors import InputError
from pipeline.sample import Boroughs, incident_chunks, to_csv_text
from pipeline.storage.files import write_bytes

__all__ = ["SAMPLE_FOLDER", "sample_bytes", "set_up_sample", "write_sample"]

# An installed package holds its sample (setup.py puts it there); a checkout holds it at the top.
_SHIPPED = Path(__file__).parents[1] / "sample" / "shipped"
_HOME = _SHIPPED if _SHIPPED.is_dir() else Path(__file__).parents[2]
SAMPLE_FOLDER = _HOME / "data" / "sample"
_MISSING = "the installation is incomplete, because the sample is part of it: install or clone the project again"


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
            raise InputError(f"{path} is missing: {_MISSING}")
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


def set_up_sample(folder: Path) -> Path:
    """Put the sample's configuration and data into a folder, and return the configuration.

    Files that are there stay as they are: a configuration that somebody has changed is run as changed.

    Raises
    ------
    InputError
        If the sample is missing from the installation, or the folder cannot be written.
    """
    sources = [_HOME / "config.yaml", *sorted(path for path in SAMPLE_FOLDER.rglob("*") if path.is_file())]
    for source in sources:
        if not source.is_file():
            raise InputError(f"{source} is missing: {_MISSING}")
        target = folder / source.relative_to(_HOME)
        try:
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(target, source.read_bytes())
        except OSError as error:
            raise InputError(
                f"{target}: {error.strerror or error}: the sample is put into the current folder, which must be "
                "writable. Change to another folder and run again"
            ) from None
    return folder / "config.yaml"
