"""Zip archives read as folders: a member is named by a path such as `2025-01.zip/2024-12/2024-12-kent-street.csv`.

Nothing is unpacked to a place that the archive names: a member is written to a folder of the program when it is read.
"""

import fnmatch
import hashlib
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from pipeline.errors import InputError
from pipeline.storage.formats import by_ending, without_gz

__all__ = [
    "ENDINGS",
    "PATTERN_LACKS",
    "Archive",
    "archive_of",
    "content_checksum",
    "file_of",
    "is_archive",
    "matching",
    "open_archive",
    "unpack",
    "unpacked_size",
]

ENDINGS = (".zip", ".kmz")
PATTERN_LACKS = "no file that matches"
_CHUNK = 1 << 20
_MOST_ENTRIES = 100_000
_NO_DATA = ("__MACOSX",)
_DEFLATE64 = 9  # what Windows writes for files beyond 2 GB; Python cannot read it


@dataclass(frozen=True, slots=True)
class Archive:
    """The content of a zip archive, examined before any of it is read.

    Attributes
    ----------
    path
        The archive.
    files
        Entries of files by their names.
    data
        Names of the files that hold data, each in a format that can be read; a geodatabase is one, named by its folder.
    others
        Names of the files that are neither data nor belong to it, such as a licence.
    """

    path: Path
    files: dict[str, zipfile.ZipInfo]
    data: tuple[str, ...]
    others: tuple[str, ...]


def is_archive(path: Path) -> bool:
    """Whether a path is that of an archive."""
    return path.suffix.casefold() in ENDINGS and path.is_file()


def archive_of(path: Path) -> tuple[Path, str] | None:
    """Return the archive of a member's path and its name in the archive; None for a path that is no member's."""
    for above in path.parents:
        if is_archive(above):
            return above, path.relative_to(above).as_posix()
    return None


def file_of(path: Path) -> Path:
    """Return the file on disk that holds a file: its archive, if it is a member of one."""
    found = archive_of(path)
    return found[0] if found else path


def open_archive(path: Path) -> Archive:
    """Examine an archive.

    Raises
    ------
    InputError
        If it is damaged or hostile, is encrypted, or holds another archive.
    """
    about = path.stat()
    return _examined(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=64)
def _examined(path: Path, _changed: int, size: int) -> Archive:
    with _readable(path), zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise InputError(
            f"{path.name} has {len(entries):,} entries, more than {_MOST_ENTRIES:,}: unpack it and name the files "
            "that are needed"
        )
    if sum(e.compress_size for e in entries) > size:
        raise InputError(
            f"{path.name}: its entries overlap, as in archives that are made to fill a computer: check where it comes "
            "from, and fetch it again"
        )
    files: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        if fault := _fault(entry):
            raise InputError(f"{path.name}: the entry {entry.orig_filename[:100]!r} {fault}")
        if entry.is_dir() or _is_hidden(entry.filename):
            continue
        if entry.filename in files:
            raise InputError(
                f"{path.name}: the entry {entry.filename!r} is in it twice: unpack it and name the right file"
            )
        files[entry.filename] = entry
    data = _data(list(files))
    nested = [n for n in files if PurePosixPath(n).suffix.casefold() in ENDINGS]
    if nested:
        raise InputError(
            f"{path.name} holds {'another archive' if len(nested) == 1 else f'{len(nested)} other archives'} "
            f"({_listed(nested)}): unpack it, and name the archives in it (a pattern such as "
            f"`{path.stem}/*.zip` names many)"
        )
    return Archive(path, files, data, tuple(n for n in files if not _belongs(n, data)))


def _fault(entry: zipfile.ZipInfo) -> str:
    """Return what is wrong with an entry, and what to do; empty if nothing is."""
    name = entry.filename
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or any(c in name for c in "\\:\0") or not name.isprintable():
        return "has a name that leads out of the archive or is no file's: check where it comes from, and fetch it again"
    if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link or a device, not a file: unpack it and name the file"
    if entry.flag_bits & 1:
        return "is encrypted with a password: unpack it with the password, and name the file"
    if entry.compress_type == _DEFLATE64:
        return "is compressed by Deflate64, as Windows does with large files: unpack it and name the file"
    return ""


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return parts[0] in _NO_DATA or parts[-1].startswith(".")


def _data(names: Sequence[str]) -> tuple[str, ...]:
    found = set()
    for name in names:
        folder = _geodatabase(name)
        if folder or by_ending(Path(without_gz(name))) is not None:
            found.add(folder or name)
    # A .txt beside other data is a licence or a note; alone it is the data.
    texts = {n for n in found if without_gz(n).casefold().endswith(".txt")}
    return tuple(sorted(found - texts or texts))


def _geodatabase(name: str) -> str:
    """Return the folder of a geodatabase that a file is in; empty if it is in none."""
    parts = PurePosixPath(name).parts
    at = next((i for i, part in enumerate(parts[:-1]) if part.casefold().endswith(".gdb")), None)
    return "" if at is None else "/".join(parts[: at + 1])


def _belongs(name: str, data: Sequence[str]) -> bool:
    """Whether a file is data, or one of the other files of a Shapefile, MapInfo layer or geodatabase."""
    stem = str(PurePosixPath(name).parent / PurePosixPath(name).name.split(".")[0])
    stems = {str(PurePosixPath(d).parent / PurePosixPath(d).name.split(".")[0]) for d in data if _has_companions(d)}
    return name in data or _geodatabase(name) in data or stem in stems


def _has_companions(name: str) -> bool:
    kind = by_ending(Path(name))
    return kind is not None and kind.companions


def matching(archive: Archive, pattern: str) -> list[Path]:
    """Return the members of an archive that a pattern within it names, as paths; all data if it is empty.

    Raises
    ------
    InputError
        If it names none.
    """
    names = archive.data
    if pattern:
        wanted = pattern.split("/")
        # A note may be named, though it is not taken by itself.
        known = [n for n in archive.files if by_ending(Path(without_gz(n))) is not None and not _geodatabase(n)]
        names = tuple(n for n in sorted({*archive.data, *known}) if _matches(n.split("/"), wanted))
    if not names:
        there = archive.data or tuple(archive.files)
        what = f"{PATTERN_LACKS} {pattern!r}" if pattern else "no file in a format that can be read"
        raise InputError(f"{archive.path.name} has {what}; it has {_listed(there) or 'no files'}")
    return [archive.path / n for n in names]


def _matches(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_matches(parts[i:], wanted[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def unpack(path: Path, folder: Path, *, check: Callable[[int, int], None], head: bool = False) -> Path:
    """Write a member, with the files that belong to it, to a folder.

    Parameters
    ----------
    path
        The member's path (see `archive_of`).
    folder
        An empty folder.
    check
        Called with the bytes of the member so far and those it has in the archive; raises if there are too many.
    head
        Write only the first megabyte, enough for the header of a text.

    Returns
    -------
    file
        The file; its name is that of the member.

    Raises
    ------
    InputError
        If it is not in the archive, or damaged.
    """
    found = archive_of(path)
    if found is None:
        raise InputError(f"{path.name} is not in an archive")
    archive = open_archive(found[0])
    name = found[1]
    if name in archive.files:
        names = [name, *(n for n in archive.files if n != name and _has_companions(name) and _belongs(n, (name,)))]
    else:
        names = [n for n in archive.files if _geodatabase(n) == name]
    if not names:
        raise InputError(
            f"{archive.path.name} has no file {name!r}; it has {_listed(archive.data) or 'no file that can be read'}"
        )
    above = PurePosixPath(name).parent
    with _readable(archive.path), zipfile.ZipFile(archive.path) as opened:
        for each in names:
            target = folder / PurePosixPath(each).relative_to(above)
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(opened, archive.files[each], target, check=check, head=head)
    return folder / PurePosixPath(name).name


def _write(
    opened: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    target: Path,
    *,
    check: Callable[[int, int], None],
    head: bool,
) -> None:
    check(entry.file_size, entry.compress_size)
    length = 0
    with opened.open(entry) as source, target.open("wb") as file:
        # zipfile stops at the size that the directory states, and then finds that the checksum differs.
        while chunk := source.read(_CHUNK):
            length += len(chunk)
            check(length, entry.compress_size)
            file.write(chunk)
            if head:
                return
    if length != entry.file_size:
        raise zipfile.BadZipFile(f"{entry.filename} is shorter than the archive states")


def unpacked_size(path: Path) -> int:
    """Return the bytes of a file, or those that the archive states of a member; 0 for a folder."""
    found = archive_of(path)
    if found is None:
        return path.stat().st_size if path.is_file() else 0
    entry = open_archive(found[0]).files.get(found[1])
    return entry.file_size if entry else 0


def content_checksum(path: Path) -> str:
    """Return the SHA-256 of the content of a member of an archive.

    Raises
    ------
    InputError
        If it is damaged.
    """
    found = archive_of(path)
    if found is None:
        raise InputError(f"{path.name} is not in an archive")
    total = hashlib.sha256()
    with _readable(found[0]), zipfile.ZipFile(found[0]) as opened, opened.open(found[1]) as source:
        while chunk := source.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError) as error:
        raise InputError(
            f"{path.name} is not a whole zip archive ({error}): fetch or copy it again, or unpack it and name the files"
        ) from None
