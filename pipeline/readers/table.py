"""A small text table read whole."""

import tempfile
from pathlib import Path

import duckdb
import pandas as pd

from pipeline.errors import InputError
from pipeline.readers.files import plain_text
from pipeline.readers.opened import FAULT
from pipeline.readers.sql import connect
from pipeline.readers.text import open_text

__all__ = ["FAULT", "read_text_table"]


def read_text_table(
    path: Path, *, encoding: str, delimiter: str | None = None, max_mb: int = 2000, faults: bool = False
) -> pd.DataFrame:
    """Read delimited text (also .gz) into a frame of texts.

    Parameters
    ----------
    path
        The file.
    encoding, delimiter
        As configured; a separator of None is recognised.
    max_mb
        Largest file accepted, in MB, unpacked.
    faults
        Keep malformed rows, blank, with the fault in a last column `fault` (empty for sound rows); otherwise they
        are an error.

    Raises
    ------
    InputError
        If the file cannot be read, or has malformed rows that are not asked for.
    """
    with tempfile.TemporaryDirectory(prefix="hotspots-") as name:
        folder = Path(name)
        plain = plain_text(path, encoding=encoding, folder=folder, max_mb=max_mb)
        connection = connect(memory_limit_mb=1000, folders=(path.parent, folder), spill=folder / "spill")
        try:
            for careful in (False, True):
                opened = open_text(
                    plain, name=path.name, encoding=encoding, delimiter=delimiter, folder=folder, careful=careful
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
    columns = {n: table[f"c{i}"].to_pylist() for i, n in enumerate(opened.columns)}
    frame = pd.DataFrame({n: [v or "" for v in values] for n, values in columns.items()}, dtype="str")
    marks = [v or "" for v in table[FAULT].to_pylist()] if opened.staged else [""] * len(frame)
    if faults:
        return frame.assign(**{FAULT: pd.Series(marks, dtype="str")})
    if any(marks):
        first = next(m for m in marks if m)
        raise InputError(
            f"{path.name} has {sum(map(bool, marks))} malformed rows (the first: {first}): each row needs as many cells "
            "as the header. Repair them"
        )
    return frame
