"""Which files a run reads: the paths and globs of the configuration, expanded."""

import glob
import os
from pathlib import Path

from pipeline.config import Config
from pipeline.config.section import listed
from pipeline.errors import ConfigError, InputError
from pipeline.storage.archives import ENDINGS, PATTERN_LACKS, file_of, is_archive, matching, open_archive
from pipeline.storage.formats import by_ending, is_geodatabase, refusal

__all__ = ["expand", "files_of", "input_files", "input_patterns"]


def expand(patterns: tuple[str, ...], *, base: Path, key: str) -> tuple[Path, ...]:
    """Return the files that paths and globs name, sorted.

    Raises
    ------
    InputError
        Naming the first pattern that matches no file, and the folder looked in.
    ConfigError
        If a pattern is an address.
    """
    found: set[Path] = set()
    for pattern in patterns:
        if "://" in pattern:
            raise ConfigError(
                f"{key}: {pattern!r} is an address, and here only files on a disk are read: fetch it first, or name it "
                "in a configuration, which copies it (`hotspots check`)"
            )
        direct = base / pattern
        met = [direct] if direct.exists() else _glob(pattern, base)
        matched = [m for p in met for m in _files(p)] or _within_archives(pattern, base)
        # A folder that was named in place of a file, such as a geodatabase, is no path that matches nothing.
        if met and not matched and (reason := refusal(met[0], meant=None)):
            raise InputError(f"{key}: {reason}")
        if not matched:
            raise InputError(
                f"{key}: no file matches {pattern!r} in {base}: "
                "correct the path, which is relative to the configuration file"
            )
        found.update(matched)
    unreadable = [p for p in sorted(found) if not _is_text(p)]
    if unreadable:
        raise InputError(
            f"{key}: the name of {_shown(unreadable[0])} is not UTF-8 text, so nothing could say where its rows came "
            "from: rename the file or folder"
        )
    return tuple(sorted(found))


def _files(path: Path) -> list[Path]:
    """Return what a path that exists is read as: a file, the data in an archive, or a geodatabase."""
    if is_archive(path):
        return matching(open_archive(path), "")
    return [path] if path.is_file() or is_geodatabase(path) else []


def _within_archives(pattern: str, base: Path) -> list[Path]:
    """Return the members of archives that a pattern names: `2025-*.zip/*/*-street.csv`."""
    parts = Path(pattern).parts
    for at, part in enumerate(parts[:-1]):
        if Path(part).suffix.casefold() not in ENDINGS:
            continue
        outer, inner = Path(*parts[: at + 1]), "/".join(parts[at + 1 :])
        found = [outer] if (base / outer).exists() else _glob(str(outer), base)
        if archives := [base / p for p in found if is_archive(base / p)]:
            named: list[Path] = []
            faults: list[InputError] = []
            for archive in archives:
                try:
                    named += matching(open_archive(archive), inner)
                except InputError as error:
                    faults.append(error)
            # Of several archives, one may lack what the pattern names; one that is damaged is an error.
            if faults and (not named or any(PATTERN_LACKS not in str(fault) for fault in faults)):
                raise faults[0]
            return named
    return []


def _is_text(path: Path) -> bool:
    """Whether a path can be written down: on some disks a name is any bytes."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _glob(pattern: str, base: Path) -> list[Path]:
    """Return what a pattern matches; `Path.glob` refuses absolute patterns and does not go up by `..`."""
    path = Path(pattern)
    if path.is_absolute():
        return sorted(Path(path.anchor).glob(path.relative_to(path.anchor).as_posix()))
    parts = path.parts
    while parts and parts[0] == "..":
        base, parts = base.parent, parts[1:]
    return sorted(base.glob("/".join(parts))) if parts else []


def input_patterns(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the paths and globs of every input by configuration key."""
    areas, disclosure = config.areas, config.disclosure
    found = {f"incidents[{n}].paths": source.paths for n, source in enumerate(config.incidents)}
    found |= {f"published_counts[{n}].paths": counts.paths for n, counts in enumerate(config.published_counts)}
    found |= {f"geocode.areas[{n}].path": (table.path,) for n, table in enumerate(config.geocode.areas)}
    if config.geocode.postcodes:
        found["geocode.postcodes.path"] = listed(config.geocode.postcodes.path)
    found |= {f"areas.{level.key}.path": listed(level.file.path) for level in areas.by_level().values()}
    single = {
        **{f"areas.population[{n}].path": people.path for n, people in enumerate(areas.population)},
        "areas.mask.path": areas.mask and areas.mask.path,
        "areas.lookup": areas.lookup and areas.lookup.path,
        **{f"context[{n}].path": layer.path for n, layer in enumerate(config.context)},
        "detect.streets.path": config.detect.streets.path,
        "harm.weights": config.harm.weights,
        "disclosure.addresses": disclosure.addresses,
        "disclosure.institutions": disclosure.institutions,
        **{f"disclosure.known_tables[{n}].path": table.path for n, table in enumerate(disclosure.known_tables)},
    }
    return found | {key: (path,) for key, path in single.items() if path}


def input_files(config: Config, base: Path) -> list[Path]:
    """Return every file the run reads: archives, and the other files of a Shapefile, MapInfo layer or geodatabase."""
    patterns = input_patterns(config).items()
    found = {file_of(file) for key, paths in patterns for file in expand(paths, base=base, key=key)}
    # A Shapefile or MapInfo layer is several files. All are read, so a change in any of them makes the stages stale.
    return sorted(file for path in found for file in files_of(path))


def files_of(path: Path) -> list[Path]:
    """Return the files on disk that hold what a path names."""
    path = file_of(path)
    if is_geodatabase(path):
        return sorted(p for p in path.iterdir() if p.is_file())
    kind = by_ending(path)
    beside = path.parent.glob(f"{glob.escape(path.stem)}.*") if kind and kind.companions else ()
    return sorted({path, *(p for p in beside if p.is_file())})
