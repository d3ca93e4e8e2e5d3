"""Download one file from one address, and write a record of its origin beside it.

An interrupted download is continued, an unchanged file is not downloaded again, and every file is checked before it is
kept. Its record (`NAME.source.json`) states checksum, address, day, publisher and licence.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any

import httpx

from pipeline.errors import InputError
from pipeline.fetch.client import AGENT, Client, Later, Limits
from pipeline.fetch.untrusted import cleaned
from pipeline.storage.files import digest, read_json, write_bytes, write_json

__all__ = [
    "CSV",
    "JSON",
    "OGL",
    "ZIP",
    "Fetched",
    "Kind",
    "Progress",
    "Source",
    "describe",
    "download",
    "keep",
    "noted",
    "sidecar_of",
]

Progress = Callable[[str, int, int], None]

OGL = {
    "name": "Open Government Licence v3.0",
    "url": "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Who publishes a file, and how to credit them."""

    publisher: str
    attribution: str
    licence: Mapping[str, str] = field(default_factory=lambda: dict(OGL))


@dataclass(frozen=True, slots=True)
class Fetched:
    """One downloaded file.

    Attributes
    ----------
    path
        The file.
    record
        Content of its sidecar.
    changed
        Whether its bytes are new; False if the server's copy, or the result, is what was here already.
    """

    path: Path
    record: Mapping[str, Any]
    changed: bool


def sidecar_of(path: Path) -> Path:
    """Name the sidecar of a file."""
    return path.with_name(path.name + ".source.json")


def noted(path: Path) -> dict[str, Any] | None:
    """Return what the sidecar says, if the file is there and still has that checksum."""
    try:
        record = read_json(sidecar_of(path))
        sound = isinstance(record, dict) and path.is_file() and record.get("sha256") == digest(path)
    except (InputError, OSError):
        return None
    return record if sound else None


def describe(path: Path, *, url: str, source: Source, more: Mapping[str, Any]) -> dict[str, Any]:
    """Make the record of a file that is in place."""
    return {
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": digest(path),
        "url": url,
        "retrieved": datetime.now(UTC).isoformat(timespec="seconds"),
        "publisher": source.publisher,
        "attribution": source.attribution,
        "licence": dict(source.licence),
        "agent": AGENT,
        **more,
    }


def keep(path: Path, content: bytes, *, url: str, source: Source, more: Mapping[str, Any]) -> Fetched:
    """Write a file made from what was fetched, and its sidecar; leave both alone where nothing is new."""
    before = noted(path)
    if before is not None and before["url"] == url and path.read_bytes() == content:
        return Fetched(path, before, changed=False)
    write_bytes(path, content)
    record = describe(path, url=url, source=source, more=more)
    write_json(sidecar_of(path), record)
    return Fetched(path, record, changed=True)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: the content types that servers give it, and how its bytes begin."""

    name: str
    types: frozenset[str]
    starts: tuple[bytes, ...] = ()


_ANY = {"application/octet-stream", "binary/octet-stream", "text/plain"}
JSON = Kind("JSON", frozenset({"application/json", "application/geo+json", *_ANY}), (b"{", b"["))
CSV = Kind("CSV", frozenset({"text/csv", "application/csv", *_ANY}))
ZIP = Kind("zip", frozenset({"application/zip", "application/x-zip-compressed", *_ANY}), (b"PK\x03\x04", b"PK\x05\x06"))


def download(
    client: Client,
    url: str,
    path: Path,
    *,
    kind: Kind,
    source: Source,
    limits: Limits | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Download a file, or update it if it has changed.

    Parameters
    ----------
    client
        HTTP client.
    url
        Address.
    path
        Where the file goes; what is there stays until the new one is whole. Parts lie beside it as `.part`.
    kind
        What is expected; anything else is refused.
    source
        For the sidecar.
    limits
        The client's if left out.
    sha256
        Checksum it must have, in hexadecimal.
    progress
        Told the name, the bytes so far and the bytes promised (0 if unknown).

    Raises
    ------
    InputError
        If it cannot be had, is of another kind, too long, or has another checksum.
    """
    job = _Job(client, url, path, kind, limits or client.limits, progress or (lambda _name, _done, _total: None))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = client.exchange(url, headers=job.headers, take=job.take, limits=job.limits)
        if not fresh:
            known = noted(path)
            if known is not None and (sha256 is None or known["sha256"] == sha256.casefold()):
                return Fetched(path, known, changed=False)
            raise InputError(f"{path} has changed since it was fetched: delete it and fetch again")
        return job.finish(source, sha256)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}): free the disk or choose --out"
        ) from None


@dataclass(slots=True)
class _Job:
    """One download on its way."""

    client: Client
    url: str
    path: Path
    kind: Kind
    limits: Limits
    progress: Progress
    began: float = 0.0
    answer: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began = self.client.clock()

    @property
    def part(self) -> Path:
        return self.path.with_name(self.path.name + ".part")

    @property
    def notes(self) -> Path:
        return self.path.with_name(self.path.name + ".part.json")

    def headers(self) -> dict[str, str]:
        """Ask for the rest of a part, else only for what is newer than the file."""
        start, validator = self._resumable()
        if start:
            return {"Range": f"bytes={start}-", "If-Range": validator}
        known = noted(self.path)
        if known is None or known.get("url") != self.url:
            return {}
        if known.get("etag"):
            return {"If-None-Match": known["etag"]}
        return {"If-Modified-Since": known["last_modified"]} if known.get("last_modified") else {}

    def _resumable(self) -> tuple[int, str]:
        """Return the length of a part that can be continued and the validator that proves it is of the same file."""
        try:
            notes = read_json(self.notes)
            length = self.part.stat().st_size
        except (InputError, OSError):
            return 0, ""
        validator = str(notes.get("etag") or notes.get("last_modified") or "") if isinstance(notes, dict) else ""
        if not validator or validator.startswith("W/") or notes.get("url") != self.url:
            return 0, ""
        return length, validator

    def take(self, answer: httpx.Response) -> bool:
        """Read an answer into the part; False means that the file here is still the server's."""
        if answer.status_code == 304:
            return False
        if answer.status_code == 416:  # the part is as long as the file or longer: begin again
            self.drop()
            raise Later("the part here does not fit the file there any more")
        if answer.status_code not in {200, 206}:
            raise InputError(
                f"{cleaned(self.url)} answered {answer.status_code} {cleaned(answer.reason_phrase, most=60)}: check "
                "the address (--from) and what was asked for"
            )
        self._refuse_other_kinds(answer)
        start = self._continued(answer) if answer.status_code == 206 else 0
        promised = answer.headers.get("Content-Length", "")
        total = start + int(promised) if promised.isdecimal() else 0
        self._refuse_too_long(total, start)
        if not start:
            self.answer = {"etag": answer.headers.get("ETag"), "last_modified": answer.headers.get("Last-Modified")}
            write_json(self.notes, {"url": self.url, **self.answer})
        else:
            notes = read_json(self.notes)
            self.answer = {"etag": notes.get("etag"), "last_modified": notes.get("last_modified")}
        try:
            self._receive(answer, start, total)
        except Later as later:  # bytes that cannot be continued from are no progress
            raise Later(str(later), gained=later.gained if self._resumable()[1] else 0) from None
        return True

    def _receive(self, answer: httpx.Response, start: int, total: int) -> None:
        length = start
        with self.part.open("ab" if start else "wb") as file:
            for piece in self.client.chunks(answer, limits=self.limits, began=self.began):
                length += len(piece)
                self._refuse_too_long(length, length)
                file.write(piece)
                self.progress(self.path.name, length, total)
            file.flush()
            os.fsync(file.fileno())

    def _continued(self, answer: httpx.Response) -> int:
        """Return where the answer goes on, or begin again if that is not where the part ends."""
        here = self.part.stat().st_size if self.part.is_file() else 0
        span = answer.headers.get("Content-Range", "")
        if not here or not span.startswith(f"bytes {here}-"):
            self.drop()
            raise Later(f"it sent another piece than the one asked for ({cleaned(span) or 'no range'})")
        return here

    def _refuse_other_kinds(self, answer: httpx.Response) -> None:
        header = Message()  # for its reading of "text/csv; charset=utf-8"
        header["Content-Type"] = answer.headers.get("Content-Type", "application/octet-stream")
        given = header.get_content_type()
        packed = answer.headers.get("Content-Encoding", "identity")
        if given not in self.kind.types or packed != "identity":
            what = given if packed == "identity" else f"{given}, packed with {packed}"
            raise InputError(
                f"{cleaned(self.url)} sent {cleaned(what)} where {self.kind.name} was expected: the service may be "
                "down for maintenance or has moved. Open the address in a browser to see"
            )

    def _refuse_too_long(self, total: int, have: int) -> None:
        if total > self.limits.max_bytes:
            self.drop()
            raise InputError(
                f"{cleaned(self.url)} is longer than {self.limits.max_bytes / 1e6:,.0f} MB, the most that is taken: "
                "ask for fewer areas or months"
            )
        free = shutil.disk_usage(self.path.parent).free if total > have else total
        if total - have > free:
            raise InputError(
                f"{self.path.name} needs {(total - have) / 1e6:,.0f} MB but {self.path.parent} has {free / 1e6:,.0f} "
                "free: make room or choose --out"
            )

    def finish(self, source: Source, sha256: str | None) -> Fetched:
        """Check the whole part and put it in place."""
        with self.part.open("rb") as file:
            head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
        if not head or (self.kind.starts and not head.startswith(self.kind.starts)):
            self.drop()
            raise InputError(
                f"{cleaned(self.url)} sent something that is not {self.kind.name} (it begins {cleaned(head[:16])}): "
                "open the address in a browser to see"
            )
        found = digest(self.part)
        if sha256 is not None and found != sha256.casefold():
            self.drop()
            raise InputError(
                f"{self.path.name} has the checksum {found}, not {cleaned(sha256)}: it was changed on the way or the "
                "publisher replaced it. It was not kept"
            )
        before = noted(self.path)
        self.part.replace(self.path)
        record = describe(self.path, url=self.url, source=source, more=self.answer)
        write_json(sidecar_of(self.path), record)
        self.drop()
        return Fetched(self.path, record, changed=before is None or before["sha256"] != found)

    def drop(self) -> None:
        """Forget the part."""
        for path in (self.part, self.notes):
            with suppress(FileNotFoundError):
                path.unlink()
