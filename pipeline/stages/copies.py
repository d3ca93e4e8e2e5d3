"""Local copies of what a configuration names beyond files: tables of databases, and files at addresses.

A run starts with them, so that every stage, check and message works on files. They are in `.<run>.sources` beside the
outputs, readable by their owner alone. A copy of a table is deleted when the command ends, unless `watermark` lets the
next run read only what is new; its SHA-256 stays in the manifest, so that nothing runs again where no row has changed.
The copy of a file is kept, and made again only if the file has changed.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pipeline.config import Config, DatabaseTable
from pipeline.stages.inputs import input_patterns
from pipeline.storage.workspace import Workspace, key_of

__all__ = ["Localised", "local_copies", "needs_copies"]

_RECORD = "copy.json"


@dataclass(frozen=True, slots=True)
class Localised:
    """A configuration whose sources are all files.

    Attributes
    ----------
    config
        The settings, with the paths of the copies.
    origins
        What each copy was made from, for the manifest and messages; empty if there is none.
    """

    config: Config
    origins: list[dict[str, Any]] = field(default_factory=list)


def needs_copies(config: Config) -> bool:
    """Whether a configuration names anything beyond files."""
    return bool(_tables(config) or _addresses(config))


@contextlib.contextmanager
def local_copies(config: Config, base: Path, *, rows: int | None = None, again: bool = False) -> Iterator[Localised]:
    """Copy what is not a file, and yield the configuration with the copies; the run's folder must be locked.

    Parameters
    ----------
    config
        Settings as written.
    base
        Folder that paths start from.
    rows
        Only the first rows of each table, for a trial.
    again
        Read everything again, also where a kept copy appears to be up to date.

    Raises
    ------
    HotspotsError
        If a source cannot be read; the copies of earlier runs are kept.
    """
    if not needs_copies(config):
        yield Localised(config)
        return
    folder = Workspace(base / config.run.output_dir / config.run.name).sources
    keep = {_folder_name(key) for key, table in _tables(config).items() if table.watermark}
    keep |= {_folder_name(key) for key in _addresses(config)}
    _clear(folder, keep=keep)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    copying = _Copying(config, base, folder, rows, again)
    try:
        for key, table in _tables(config).items():
            copying.copy_table(key, table)
        for key, paths in _addresses(config).items():
            copying.fetch(key, paths)
        yield Localised(copying.localised(), copying.origins)
    finally:
        _clear(folder, keep=keep)


@dataclass(slots=True)
class _Copying:
    config: Config
    base: Path
    folder: Path
    rows: int | None
    again: bool
    copies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    origins: list[dict[str, Any]] = field(default_factory=list)

    def copy_table(self, key: str, table: DatabaseTable) -> None:
        """Copy a table of a database."""
        from pipeline.ingest.databases import copy_rows, copy_suffix

        # A trial does not touch the kept copy: it reads other rows.
        kept = table.watermark is not None and self.rows is None
        own = self.folder / (_folder_name(key) if kept else f"{_folder_name(key)}.once")
        own.mkdir(exist_ok=True)
        target, record = own / f"{_file_name(table)}{copy_suffix(key)}", own / _RECORD
        for other in own.iterdir():
            if other not in {target, record}:
                other.unlink()
        settings = key_of({"source": table.settings(), "key": key})
        done = copy_rows(
            table,
            key=f"{key}.source",
            base=self.base,
            target=target,
            limits=self.config.run,
            most_rows=self.rows,
            known=self._known(record, target, settings) if kept else None,
        )
        if kept:
            _remember(record, target, settings, done.memory)
        single = key.startswith("areas.")
        self.copies[f"{key}.{'path' if single else 'paths'}"] = (self._relative(target),)
        self.origins.append(
            {
                "key": f"{key}.source",
                "database": table.file or f"environment variable {table.url_env}",
                "table": table.table or "query",
                "rows": done.rows,
                "rows_read": done.added,
                "copy": target.name,
            }
        )

    def fetch(self, key: str, paths: tuple[str, ...]) -> None:
        """Copy the files at the addresses among the paths of a key."""
        from pipeline.ingest.remote import fetch_file, is_address, local_name, shown_address

        found = []
        for number, path in enumerate(paths):
            if not is_address(path):
                found.append(path)
                continue
            about, name = local_name(path)
            own = self.folder / _folder_name(key) / str(number)
            target, record = own / about / name, own / _RECORD
            target.parent.mkdir(parents=True, exist_ok=True)
            for other in own.iterdir():
                if other not in {target.parent, record}:
                    shutil.rmtree(other)
            settings = key_of({"address": path})
            known = self._known(record, target, settings) or {}
            done = fetch_file(
                path,
                key=key,
                target=target,
                limits=self.config.run,
                known=known.get("mark") or None,
                whole=not key.startswith("incidents"),
            )
            _remember(record, target, settings, {"mark": done.mark})
            found.append(self._relative(target))
            self.origins.append(
                {
                    "key": key,
                    "address": shown_address(path),
                    "mark": done.mark,
                    "bytes": done.size,
                    "taken_over": done.taken_over,
                    "copy": target.name,
                }
            )
        self.copies[key] = tuple(found)

    def _known(self, record: Path, copy: Path, settings: str) -> dict[str, Any] | None:
        """Return what is known of a kept copy, if it was made with the same settings and is whole."""
        if self.again:
            return None
        with contextlib.suppress(OSError, ValueError, KeyError):
            kept = json.loads(record.read_text("utf-8"))
            # After a power cut the record may be older than the copy.
            if kept["settings"] == settings and kept["bytes"] == copy.stat().st_size:
                memory: dict[str, Any] = kept["memory"]
                return memory
        return None

    def _relative(self, copy: Path) -> str:
        # Relative to the configuration, like every other path: the manifest does not depend on where the folder is.
        return copy.relative_to(self.base).as_posix() if copy.is_relative_to(self.base) else str(copy)

    def localised(self) -> Config:
        """Return the settings with the paths of the copies."""
        config: Any = self.config
        for key, paths in self.copies.items():
            steps = [int(s) if s.isdigit() else s for s in re.findall(r"[a-z_]+|\d+", key)]
            config = _with_paths(config, steps, paths)
        return cast("Config", config)


def _remember(record: Path, copy: Path, settings: str, memory: Mapping[str, Any]) -> None:
    about = {"settings": settings, "bytes": copy.stat().st_size, "memory": memory}
    record.write_text(json.dumps(about, ensure_ascii=False), "utf-8")


def _with_paths(section: Any, steps: list[int | str], paths: tuple[str, ...]) -> Any:
    """Return a section with other paths at a position in it; it was validated before and is not again."""
    if not steps:
        return paths if isinstance(section, tuple) else paths[0]
    first, *rest = steps
    if isinstance(section, tuple):
        at = int(first)
        return (*section[:at], _with_paths(section[at], rest, paths), *section[at + 1 :])
    name = str(first)
    return section.model_copy(update={name: _with_paths(getattr(section, name), rest, paths)})


def _addresses(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the paths of each key that has an address among them."""
    return {key: paths for key, paths in input_patterns(config).items() if any("://" in path for path in paths)}


def _tables(config: Config) -> dict[str, DatabaseTable]:
    """Return the tables by the key of their section."""
    sections = {
        **{f"incidents[{n}]": source.source for n, source in enumerate(config.incidents)},
        **{f"published_counts[{n}]": counts.source for n, counts in enumerate(config.published_counts)},
        **{f"areas.population[{n}]": people.source for n, people in enumerate(config.areas.population)},
    }
    return {key: table for key, table in sections.items() if table is not None}


def _clear(folder: Path, *, keep: set[str]) -> None:
    """Delete copies that are of no more use, also those of a command that was killed."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _folder_name(key: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", key).strip("-")


def _file_name(table: DatabaseTable) -> str:
    """Return a name that can be read: rows are listed under it in the quarantine."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", table.table or "query").strip("-")[:60] or "rows"
