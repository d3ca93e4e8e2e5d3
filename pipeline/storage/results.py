"""Results of the last run that a new one takes over, because nothing that they depend on has changed.

A result is some files of the run's folder. `work/results/` records a key of everything that they depend on, the
version of the code included, and the SHA-256 of each. Files that were changed, damaged or deleted since, and records
that cannot be read, are no error: the result is made again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.storage.files import digest, read_json, write_json
from pipeline.storage.workspace import code_version, key_of, link_tree

__all__ = ["Results", "digests"]


@dataclass(frozen=True, slots=True)
class Results:
    """Results of a run.

    Attributes
    ----------
    run
        Folder of the run that is being built.
    last
        That of the last complete run; None where nothing is taken over.
    """

    run: Path
    last: Path | None

    def make(self, name: str, *, folder: str, depends_on: Mapping[str, Any], make: Callable[[], object]) -> bool:
        """Take a result over from the last run, or make it.

        Parameters
        ----------
        name
            Name of the result, unique in the run.
        folder
            Where its files are written, relative to the run's folder.
        depends_on
            All that they depend on, as plain values. The version of the code is added, and the names of the files that
            the folder holds before: results are made in the same order in each run.
        make
            What writes them. No file that is there before may be changed.

        Returns
        -------
        made
            False if the result was taken over.
        """
        record, into = Path("work") / "results" / f"{name}.json", self.run / folder
        before = _files(into)
        key = key_of({"code": code_version(), "result": name, "beside": before, **depends_on})
        known = _unchanged(self.last / folder, record=self.last / record, key=key) if self.last is not None else None
        if self.last is not None and known is not None:
            # Only what was recorded: a file that somebody has put beside it stays behind.
            for file in known:
                link_tree(self.last / folder / file, into / file)
        else:
            make()
        new = {file: digest(into / file) for file in _files(into) if file not in before}
        write_json(self.run / record, {"key": key, "files": new})
        return known is None


def _unchanged(folder: Path, *, record: Path, key: str) -> list[str] | None:
    """Return the files of a result of the last run; None if its key is another, or a file is not as it was left."""
    try:
        kept = read_json(record)
        same = kept["key"] == key and all(digest(folder / file) == sha for file, sha in kept["files"].items())
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return None
    return list(kept["files"]) if same else None


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def digests(folder: Path, *, leave_out: Iterable[str] = ()) -> dict[str, str]:
    """Return the SHA-256 of every file of a folder, by its path in it, but those that are left out."""
    return {file: digest(folder / file) for file in _files(folder) if file not in leave_out}
