"""Files of another kind among the files of a source: found from their headers, before any row is read.

A glob such as `2024-*/*.csv` takes all that police.uk packs into a month's folder. Its outcomes and its stops and
searches have a date and a place, so they would be counted as crimes.
"""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.config import Categories, IncidentSource, Run
from pipeline.errors import HotspotsError, InputError
from pipeline.ingest.formats import row_reader
from pipeline.ingest.formats.opened import Header, Opened, Opening
from pipeline.ingest.incidents.categories import category_columns
from pipeline.ingest.incidents.columns import find_roles

__all__ = ["require_alike"]

# Columns that tell a kind of file, none of which a street file has.
_OTHER_KINDS = {
    "outcomes": frozenset({"crime id", "outcome type"}),
    "stops and searches": frozenset({"type", "gender", "age range", "object of search"}),
}
_STREET = frozenset({"month", "crime type"})
_LISTED = 5


def require_alike(
    files: Sequence[Path], *, source: IncidentSource, categories: Categories, limits: Run, key: str
) -> None:
    """Refuse files of a source that are of another kind than the others, before any row is read.

    These are police.uk's outcomes and stops and searches among its street files, and files without a column that plays
    a part in most of the others. A column that nothing reads may come and go.

    Parameters
    ----------
    files
        All files of the source.
    source, categories, limits
        Settings.
    key
        Place of the source in the configuration, for messages: `incidents[0]`.

    Raises
    ------
    InputError
        Naming the files and what to do.
    """
    if len(files) < 2:
        return
    headers = {}
    with tempfile.TemporaryDirectory(prefix="hotspots-") as folder:
        how = Opening(Path(folder), limits, encoding=source.encoding, delimiter=source.delimiter, layer=source.layer)
        for file in files:
            # What cannot be opened at all is refused by name where it is read.
            try:
                headers[file] = row_reader(file, stated=source.format).read_header(file, how)
            except HotspotsError:
                continue
    kinds = {file: _kind(header) for file, header in headers.items()}
    others = {file: kind for file, kind in kinds.items() if kind}
    if others and len(set(kinds.values())) > 1:
        raise _of_another_kind(others, street=[f for f in headers if f not in others], source=source, key=key)
    parts = {f: _parts(f, header, source=source, categories=categories) for f, header in headers.items()}
    lacking = _lacking({file: found for file, found in parts.items() if found is not None})
    if lacking:
        raise InputError(
            "; ".join(f"{_named(alike)} {columns}" for columns, alike in sorted(lacking.items()))
            + f", which most files of {key}.paths have: they may be of another kind. Take them out of {key}.paths, or "
            "make them a source of their own with its own columns"
        )


def _kind(header: Header) -> str:
    names = {column.casefold() for column in header.columns}
    if names >= _STREET:
        return ""
    return next((kind for kind, columns in _OTHER_KINDS.items() if columns <= names), "")


def _of_another_kind(
    others: Mapping[Path, str], *, street: Sequence[Path], source: IncidentSource, key: str
) -> InputError:
    by_kind: dict[str, list[Path]] = defaultdict(list)
    for file, kind in sorted(others.items()):
        by_kind[kind].append(file)
    listed = "; ".join(f"{kind}: {_named(files, 20)}" for kind, files in sorted(by_kind.items()))
    remedy = f"Take them out of {key}.paths"
    endings = sorted({"*-street" + "".join(f.suffixes[-2:]) for f in street if "-street." in f.name})
    if endings and all("-street." in f.name for f in street):
        # The same folders, the street files alone.
        folders = {"".join(pattern.rpartition("/")[:2]) for pattern in source.paths}
        globs = sorted(folder + ending for folder in folders for ending in endings)
        remedy = f"Set {key}.paths to [{', '.join(globs)}], which takes the street files alone"
    return InputError(
        f"{len(others)} of the files of {key}.paths are police.uk's outcomes or stops and searches, which are no "
        f"incidents and would be counted as such ({listed}). {remedy}"
    )


def _parts(file: Path, header: Header, *, source: IncidentSource, categories: Categories) -> dict[str, str] | None:
    """Return the parts that the file's columns play, each with the column; None where the columns do not do at all."""
    opened = Opened(file.name, header.columns, scan="", has_geometry=header.has_geometry)
    try:
        roles = find_roles(opened, source=source)
    except HotspotsError:
        return None  # refused by name where it is read
    names = {column.casefold(): column for column in header.columns}
    found = {role: text.rpartition(" (")[0] for role, text in roles.found.items()}
    # One part, whatever its form: a CSV with longitudes and a GeoPackage with points go together.
    pairs = [[found.pop(role) for role in pair if role in found] for pair in (("lon", "lat"), ("x", "y"))]
    if header.has_geometry or any(pairs):
        found["coordinates"] = next((" and ".join(pair) for pair in pairs if pair), "a geometry")
    found |= {
        setting: names[name.casefold()] for setting, name in category_columns(categories) if name.casefold() in names
    }
    return found


def _lacking(parts: Mapping[Path, Mapping[str, str]]) -> dict[str, list[Path]]:
    """Group the files by what they lack of what most of the others have."""
    have = Counter(part for found in parts.values() for part in found)
    column = {part: name for found in parts.values() for part, name in found.items()}
    lacking: dict[str, list[Path]] = defaultdict(list)
    for file, found in sorted(parts.items()):
        missing = [p for p in sorted(have) if p not in found and 2 * have[p] > len(parts) - 1]
        if missing:
            lacking[f"without {', '.join(repr(column[p]) for p in missing)}"].append(file)
    return dict(lacking)


def _named(files: Sequence[Path], most: int = _LISTED) -> str:
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return ", ".join(file.name for file in files[:most]) + more
