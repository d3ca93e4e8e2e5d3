"""Unpack untrusted zip archives: all members are examined before any is written."""

import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import InputError
from pipeline.fetch.untrusted import cleaned

__all__ = ["Unpacking", "unpack"]

_CHUNK = 1 << 20
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_SMALL = 1 << 20  # below this a high ratio is harmless: a file of blanks


@dataclass(frozen=True, slots=True)
class Unpacking:
    """Limits on the content of an archive.

    Attributes
    ----------
    max_members
        Entries in the archive.
    max_bytes
        Bytes of all the files taken out.
    max_ratio
        Bytes out per byte in, for any file beyond one MiB.
    """

    max_members: int = 50_000
    max_bytes: int = 20_000_000_000
    max_ratio: float = 200.0


def unpack(path: Path, target: Path, *, wanted: Callable[[str], bool], limits: Unpacking | None = None) -> list[Path]:
    """Take files out of an archive, into one folder, by their last name.

    Parameters
    ----------
    path
        The archive.
    target
        Folder for the files; made if it is not there.
    wanted
        Whether a member, named by its path in the archive, is taken.
    limits
        Limits on its content.

    Returns
    -------
    files
        The files taken, sorted. Nothing is written if any member of the archive, wanted or not, has an invalid name or
        type.

    Raises
    ------
    InputError
        If the archive is broken, or hostile: a name that leads out of the folder, a link, an encrypted or doubly
        named file, members that overlap, more bytes than `limits` or than the directory states.
    """
    allowed = limits or Unpacking()
    try:
        with zipfile.ZipFile(path) as archive:
            members = _examined(archive, path, allowed)
            taken = [m for m in members if not m.is_dir() and wanted(m.filename)]
            _bounded(taken, path, allowed)
            target.mkdir(parents=True, exist_ok=True)
            return sorted(_take(archive, member, target) for member in taken)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{path.name} is not a whole zip archive ({cleaned(error)}): delete it and fetch it again"
        ) from None
    except OSError as error:
        raise InputError(f"{path.name} cannot be unpacked into {target} ({error.strerror or error})") from None


def _examined(archive: zipfile.ZipFile, path: Path, limits: Unpacking) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > limits.max_members:
        raise InputError(f"{path.name} has {len(members):,} entries, more than {limits.max_members:,}: not unpacked")
    seen: set[str] = set()
    for member in members:
        fault = _fault(member)
        if not fault and member.filename.casefold() in seen:
            fault = "is in it twice"
        if fault:
            raise InputError(f"{path.name}: the entry {cleaned(member.orig_filename)!r} {fault}. Nothing was unpacked")
        seen.add(member.filename.casefold())
    if sum(m.compress_size for m in members) > path.stat().st_size:
        raise InputError(f"{path.name}: its entries overlap, as in a decompression bomb. Nothing was unpacked")
    return members


def _fault(member: zipfile.ZipInfo) -> str:
    """Return what is wrong with an entry, or an empty text."""
    name = member.orig_filename
    parts = PurePosixPath(name).parts
    mode = member.external_attr >> 16
    if not parts or name.startswith("/") or ".." in parts or any(c in name for c in "\\:\0"):
        return "leads out of the folder"
    if len(name) > 250 or not name.isprintable():
        return "has a name that cannot be a file's"
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link or a device, not a file"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in _METHODS:
        return "is packed in an unusual way"
    return ""


def _bounded(members: list[zipfile.ZipInfo], path: Path, limits: Unpacking) -> None:
    total = sum(m.file_size for m in members)
    if total > limits.max_bytes:
        raise InputError(
            f"{path.name} would unpack to {total / 1e6:,.0f} MB, more than {limits.max_bytes / 1e6:,.0f}: choose fewer "
            "forces or months"
        )
    for member in members:
        if member.file_size > _SMALL and member.file_size > limits.max_ratio * max(member.compress_size, 1):
            raise InputError(
                f"{path.name}: {cleaned(member.filename)!r} would grow more than {limits.max_ratio:,.0f} times, as "
                "only a decompression bomb does. Nothing was unpacked"
            )
    names = [PurePosixPath(m.filename).name for m in members]
    if len({n.casefold() for n in names}) != len(names):
        raise InputError(f"{path.name} has several wanted files of one name in different folders. Nothing was unpacked")


def _take(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> Path:
    """Write one member to a temporary file, and move it into place when its checksum has been confirmed."""
    place = target / PurePosixPath(member.filename).name
    part = place.with_name(place.name + ".part")
    try:
        with archive.open(member) as source, part.open("wb") as file:
            length = 0
            while chunk := source.read(_CHUNK):
                length += len(chunk)
                if length > member.file_size:
                    raise zipfile.BadZipFile(f"{place.name} is longer than the archive says")
                file.write(chunk)
        if length != member.file_size:
            raise zipfile.BadZipFile(f"{place.name} is shorter than the archive says")
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)
    return place
