"""The key of the hashes that stand for victims: from the environment, else made once and kept beside the outputs."""

import os
import secrets
import time
from pathlib import Path

from pipeline.errors import EngineError, InputError
from pipeline.storage.workspace import Workspace

__all__ = ["salt_of"]

SALT_BYTES = 32
_TRIES, _PAUSE_S = 50, 0.1


def salt_of(outputs: Path) -> bytes:
    """Return the salt of victim hashes of an outputs folder: HOTSPOTS_SALT, else the one kept there.

    Raises
    ------
    InputError
        If the one kept there is damaged.
    EngineError
        If another run holds the folder for as long as none makes it.
    """
    given = os.environ.get("HOTSPOTS_SALT")
    if given:
        return given.encode()
    kept = outputs / ".salt"
    if not kept.is_file():
        _make(kept)
    salt = kept.read_bytes()
    if len(salt) != SALT_BYTES:
        raise InputError(
            f"{kept} is damaged: it should hold {SALT_BYTES} bytes. Restore it, or delete it: victims' hashes then "
            "no longer match those of earlier runs"
        )
    return salt


def _make(kept: Path) -> None:
    """Write a new salt, whole or not at all, unless another run in the folder has just done so."""
    beside = kept.with_name(f"{kept.name}.part")
    for _ in range(_TRIES):
        try:
            with Workspace(kept).locked():
                if not kept.is_file():
                    beside.unlink(missing_ok=True)
                    with open(beside, "xb", opener=_private) as file:
                        file.write(secrets.token_bytes(SALT_BYTES))
                        file.flush()
                        os.fsync(file.fileno())
                    beside.replace(kept)
                return
        except EngineError:
            time.sleep(_PAUSE_S)
    raise EngineError(f"{kept} cannot be made: another run holds {kept.parent}. Wait for it to end and run again")


def _private(path: str, flags: int) -> int:
    """Open a new file that nobody else can read, from its first moment on."""
    return os.open(path, flags, mode=0o600)
