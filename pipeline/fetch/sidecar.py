"""Where a fetched file came from: a JSON file beside it, with checksum, address, day and licence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.fetch.client import AGENT
from pipeline.storage.files import digest, read_json, write_bytes, write_json

__all__ = ["OGL", "Fetched", "Source", "describe", "keep", "noted", "sidecar_of"]

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
    """One file that is now on the disk.

    Attributes
    ----------
    path
        The file.
    record
        What its sidecar says.
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
