"""The run's folder: locked while in use, built beside the last one, swapped in whole.

`outputs/<name>` is always one complete run. A new one grows in `outputs/.<name>.new`; when it is finished the old one
is renamed to `outputs/.<name>.old`, the new one takes its place, and the old one is deleted. Whatever moment the
power fails at, `recover` finds one complete run among the three and puts it back.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import EngineError

__all__ = ["Workspace", "link_tree"]


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a run lives and where it grows."""

    folder: Path

    @property
    def growing(self) -> Path:
        """The folder a run is built in."""
        return self.folder.with_name(f".{self.folder.name}.new")

    @property
    def leaving(self) -> Path:
        """Where the last run stands for the moment of the swap."""
        return self.folder.with_name(f".{self.folder.name}.old")

    @property
    def failed(self) -> Path:
        """What is kept of the latest attempt, if it failed."""
        return self.folder.with_name(f".{self.folder.name}.failed")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run to one process at a time; the lock goes with the process, however it ends.

        Raises
        ------
        EngineError
            If another process holds it, or the folder cannot be written to.
        """
        path = self.folder.with_name(f".{self.folder.name}.lock")
        # The operating system's own lock, which it drops when the process dies: after a power cut nobody has to delete
        # a stale file. A file system without such locks is refused, because a mere marker file would outlive a crash.
        lock = FileLock(path, timeout=0, fallback_to_soft=False)
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise EngineError(
                f"another run is writing {self.folder}: wait for it to end, or give this one another run.name. "
                "Nothing was changed."
            ) from None
        except OSError as error:
            raise EngineError(
                f"{self.folder.parent} cannot be written to ({error.strerror}): "
                "choose another run.output_dir or free the folder. Nothing was changed."
            ) from None
        try:
            yield
        finally:
            # Removed while it is still held: a process that opened it before and locks it after finds a file without
            # a name, which filelock does not count as the lock, and is refused. Windows keeps open files; so be it.
            with contextlib.suppress(OSError):
                path.unlink()
            lock.release()

    def recover(self) -> str | None:
        """Put the last complete run back if a swap was cut short; return what was done, in words."""
        done = None
        # What is in place says how far the swap had come: both there, the new run was in and only the deletion was
        # missing; the old one alone, the power failed between the two renames and nothing else is complete.
        if self.leaving.exists():
            if self.folder.exists():
                shutil.rmtree(self.leaving)
                done = "cleared the remains of an earlier swap"
            else:
                self.leaving.replace(self.folder)
                done = "put the last complete run back after an interrupted swap"
        # A run that was still being built may lack anything: it is never finished, always built anew.
        if self.growing.exists():
            shutil.rmtree(self.growing)
            done = done or "cleared the remains of an interrupted run"
        return done

    def begin(self) -> Path:
        """Return the empty folder to build in."""
        self.growing.mkdir(parents=True)
        return self.growing

    def swap(self) -> None:
        """Put the finished run in place of the last one."""
        # Two renames, each of which happens whole or not at all, because no system exchanges two folders in one step.
        # Deleting comes last: until the new run is in place the old one can be put back (`recover`).
        if self.folder.exists():
            self.folder.replace(self.leaving)
        self.growing.replace(self.folder)
        if self.leaving.exists():
            shutil.rmtree(self.leaving)

    def abandon(self) -> None:
        """Throw away what was being built; the last run stays."""
        shutil.rmtree(self.growing, ignore_errors=True)


def link_tree(source: Path, target: Path) -> None:
    """Make `target` hold the same files as `source`, by hard link where the disk can, else by copy."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for child in sorted(source.iterdir()):
            link_tree(child, target / child.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # A link costs no space and no time. It is safe because nothing here writes into a file that exists: every writer
    # makes a new file and renames it (`storage.files.write_bytes`), which leaves the other name with the old content.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
