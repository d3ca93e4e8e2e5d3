"""What the headers of input files say, so that a wrong column name is known before any row is read."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import Categories, IncidentSource, Run
from pipeline.ingest.formats.files import DEFAULT_LIMITS, file_format, plain_text
from pipeline.ingest.formats.parquet import parquet_header
from pipeline.ingest.formats.source import Opened, find_columns
from pipeline.ingest.formats.text import text_header
from pipeline.ingest.formats.vector import vector_header
from pipeline.ingest.incidents.categories import category_columns, plan_sorting
from pipeline.ingest.incidents.columns import find_roles, role_columns

__all__ = ["require_incident_columns", "require_text_columns"]


def require_text_columns(
    path: Path, wanted: Sequence[tuple[str, str]], *, encoding: str, limits: Run = DEFAULT_LIMITS
) -> None:
    """Refuse a text table whose header lacks a column.

    Parameters
    ----------
    path
        CSV, also .gz.
    wanted
        Configuration key and name of each column.
    encoding
        As configured.
    limits
        How long the file may be.

    Raises
    ------
    InputError
        Naming every column that is missing; or if there is no header.
    """
    columns = _text_columns(path, encoding=encoding, delimiter=None, limits=limits, whole=True)
    find_columns(wanted, columns, file=path.name)


def require_incident_columns(
    path: Path, *, source: IncidentSource, categories: Categories, limits: Run = DEFAULT_LIMITS
) -> None:
    """Refuse a file of incidents whose header lacks what the source or the categories name.

    Raises
    ------
    InputError
        Naming every column that is missing, or the part that no column plays; or if the header cannot be read.
    """
    kind = file_format(path, stated=source.format)
    has_geometry = False
    if kind == "parquet":
        columns, has_geometry = parquet_header(path, limits=limits)
    elif kind != "csv":
        columns, has_geometry = vector_header(path, layer=source.layer, limits=limits)
    else:
        columns = _text_columns(path, encoding=source.encoding, delimiter=source.delimiter, limits=limits, whole=False)
    opened = Opened(path.name, columns, scan="", has_geometry=has_geometry)
    find_columns([*role_columns(source), *category_columns(categories)], columns, file=path.name)
    roles = find_roles(opened, source=source)
    plan_sorting(opened, roles=roles, source=source, categories=categories)


def _text_columns(path: Path, *, encoding: str, delimiter: str | None, limits: Run, whole: bool) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory(prefix="hotspots-") as folder:
        head = plain_text(path, encoding=encoding, folder=Path(folder), limits=limits, whole=whole, head=True)
        return text_header(head, name=path.name, encoding=encoding, delimiter=delimiter, limits=limits)
