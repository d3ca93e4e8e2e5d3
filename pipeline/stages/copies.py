"""Local copies of what a configuration names beyond files: tables of databases.

A run starts with them, so that every stage, check and message works on files. They are in `.<run>.sources` beside the
outputs, readable by their owner alone. A copy of a table is deleted when the command ends, unless `watermark` lets the
next run read only what is new; its SHA-256 stays in the manifest, so that nothing runs again where no row has changed.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import Config, DatabaseTable
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
    return bool(_tables(config))


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
        Read every row again, also where a kept copy appears to be up to date.

    Raises
    ------
    HotspotsError
        If a source cannot be read; the copies of earlier runs are kept.
    """
    if not needs_copies(config):
        yield Localised(config)
        return
    from pipeline.ingest.databases import copy_rows, copy_suffix

    folder = Workspace(base / config.run.output_dir / config.run.name).sources
    _clear(folder, keep={_folder_name(key) for key, table in _tables(config).items() if table.watermark})
    copies: dict[str, Path] = {}
    origins = []
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    try:
        for key, table in _tables(config).items():
            # A trial does not touch the kept copy: it reads other rows.
            kept = table.watermark is not None and rows is None
            own = folder / (_folder_name(key) if kept else f"{_folder_name(key)}.once")
            own.mkdir(exist_ok=True)
            target = own / f"{_file_name(table)}{copy_suffix(key)}"
            for other in own.iterdir():
                if other not in {target, own / _RECORD}:
                    other.unlink()
            settings = key_of({"source": table.settings(), "key": key})
            known = _known(own / _RECORD, settings) if kept and not again else None
            done = copy_rows(
                table,
                key=f"{key}.source",
                base=base,
                target=target,
                limits=config.run,
                most_rows=rows,
                known=known,
            )
            if kept:
                record = json.dumps({"settings": settings, "memory": done.memory}, ensure_ascii=False)
                (own / _RECORD).write_text(record, "utf-8")
            copies[key] = target
            origins.append(
                {
                    "key": f"{key}.source",
                    "database": table.file or f"environment variable {table.url_env}",
                    "table": table.table or "query",
                    "rows": done.rows,
                    "rows_read": done.added,
                    "copy": target.name,
                }
            )
        yield Localised(_with_copies(config, base, copies), origins)
    finally:
        _clear(folder, keep={_folder_name(key) for key, table in _tables(config).items() if table.watermark})


def _tables(config: Config) -> dict[str, DatabaseTable]:
    """Return the tables by the key of their section."""
    sections = {
        **{f"incidents[{n}]": source.source for n, source in enumerate(config.incidents)},
        **{f"published_counts[{n}]": counts.source for n, counts in enumerate(config.published_counts)},
        **{f"areas.population[{n}]": people.source for n, people in enumerate(config.areas.population)},
    }
    return {key: table for key, table in sections.items() if table is not None}


def _with_copies(config: Config, base: Path, copies: dict[str, Path]) -> Config:
    # Relative to the configuration, like every other path: the manifest does not depend on where the folder is.
    found = {k: p.relative_to(base).as_posix() if p.is_relative_to(base) else str(p) for k, p in copies.items()}

    def local(section: Any, key: str) -> Any:
        if key not in found:
            return section
        single = "path" in type(section).model_fields
        return section.model_copy(update={"path": found[key]} if single else {"paths": (found[key],)})

    areas = config.areas
    people = tuple(local(s, f"areas.population[{n}]") for n, s in enumerate(areas.population))
    return config.model_copy(
        update={
            "incidents": tuple(local(s, f"incidents[{n}]") for n, s in enumerate(config.incidents)),
            "published_counts": tuple(
                local(s, f"published_counts[{n}]") for n, s in enumerate(config.published_counts)
            ),
            "areas": areas.model_copy(update={"population": people}),
        }
    )


def _known(record: Path, settings: str) -> dict[str, Any] | None:
    """Return what is known of the kept copy, if it was made with the same settings."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        kept = json.loads(record.read_text("utf-8"))
        if kept["settings"] == settings:
            memory: dict[str, Any] = kept["memory"]
            return memory
    return None


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
