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

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run to one process at a time; the lock goes with the process, however it ends.

        Raises
        ------
        EngineError
            If another process holds it, or the folder cannot be written to.
        """
        path = self.folder.with_name(f".{self.folder.name}.lock")
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b")
        except OSError as error:
            raise EngineError(
                f"{self.folder.parent} cannot be written to ({error.strerror}): "
                "choose another run.output_dir or free the folder. Nothing was changed."
            ) from None
        with file:
            if not _try_lock(file.fileno()) or not _still_there(path, file.fileno()):
                raise EngineError(
                    f"another run is writing {self.folder}: wait for it to end, or give this one another run.name. "
                    "Nothing was changed."
                )
            try:
                yield
            finally:
                _unlock(file.fileno())
                with contextlib.suppress(OSError):
                    path.unlink()

    def recover(self) -> str | None:
        """Put the last complete run back if a swap was cut short; return what was done, in words."""
        done = None
        if self.leaving.exists():
            if self.folder.exists():
                shutil.rmtree(self.leaving)
                done = "cleared the remains of an earlier swap"
            else:
                self.leaving.replace(self.folder)
                done = "put the last complete run back after an interrupted swap"
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
        if self.folder.exists():
            self.folder.replace(self.leaving)
        self.growing.replace(self.folder)
        if self.leaving.exists():
            shutil.rmtree(self.leaving)

    def abandon(self) -> None:
        """Throw away what was being built; the last run stays."""
        shutil.rmtree(self.growing, ignore_errors=True)


def _try_lock(descriptor: int) -> bool:
    if os.name == "nt":  # pragma: no cover - Windows only
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _still_there(path: Path, descriptor: int) -> bool:
    """Whether the locked file is the one others will find: an ending run may have removed it in between."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _unlock(descriptor: int) -> None:
    if os.name == "nt":  # pragma: no cover - Windows only
        import msvcrt

        with contextlib.suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_UN)


def link_tree(source: Path, target: Path) -> None:
    """Make `target` hold the same files as `source`, by hard link where the disk can, else by copy."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for child in sorted(source.iterdir()):
            link_tree(child, target / child.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
