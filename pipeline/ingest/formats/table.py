"""A small text table read whole."""

import tempfile
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.compute as pc

from pipeline.config import Run
from pipeline.errors import InputError
from pipeline.ingest.formats.files import DEFAULT_LIMITS, plain_text
from pipeline.ingest.formats.source import FAULT
from pipeline.ingest.formats.text import open_text
from pipeline.storage.duckdb import connect

__all__ = ["FAULT", "read_text_table"]


def read_text_table(
    path: Path,
    *,
    encoding: str,
    delimiter: str | None = None,
    limits: Run = DEFAULT_LIMITS,
    faults: bool = False,
    scratch: Path | None = None,
) -> pd.DataFrame:
    """Read delimited text (also .gz) into a frame of texts.

    Parameters
    ----------
    path
        The file.
    encoding, delimiter
        As configured; a separator of None is recognised.
    limits
        How long it and its rows may be.
    faults
        Keep malformed rows, blank, with the fault in a last column `fault` (empty for sound rows); otherwise they
        are an error.
    scratch
        Folder for what is needed while it is read; the system's if left out. What lies in a run's own folder is
        cleared away even after the power failed.

    Raises
    ------
    InputError
        If the file cannot be read, or has malformed rows that are not asked for.
    """
    with tempfile.TemporaryDirectory(prefix="hotspots-", dir=scratch) as name:
        folder = Path(name)
        plain = plain_text(path, encoding=encoding, folder=folder, limits=limits, whole=True)
        connection = connect(memory_limit_mb=1000, folders=(path.parent, folder), spill=folder / "spill")
        try:
            for careful in (False, True):
                opened = open_text(
                    plain,
                    name=path.name,
                    encoding=encoding,
                    delimiter=delimiter,
                    folder=folder,
                    careful=careful,
                    limits=limits,
                )
                try:
                    table = connection.sql(f"SELECT * FROM {opened.scan}").to_arrow_table()
                except duckdb.Error:
                    if careful:
                        raise
                    continue
                break
        finally:
            connection.close()
    frame = pd.DataFrame(
        {n: pc.fill_null(table[f"c{i}"], "").to_pandas() for i, n in enumerate(opened.columns)}, dtype="str"
    )
    marks = pc.fill_null(table[FAULT], "").to_pandas() if opened.staged else pd.Series("", index=frame.index)
    bad = marks[marks != ""]
    if len(bad) and not faults:
        raise InputError(
            f"{path.name} has {len(bad)} malformed rows (the first: {bad.iloc[0]}): each row needs as many cells as "
            "the header. Repair them"
        )
    return frame.assign(**{FAULT: marks.astype("str")}) if faults else frame
