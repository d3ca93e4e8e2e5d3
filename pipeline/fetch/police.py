"""Street-level crimes from data.police.uk: files of whole forces from its archive, or one area from its interface."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlencode

from pipeline.errors import InputError
from pipeline.fetch.boundaries import read_json_page
from pipeline.fetch.client import Client
from pipeline.fetch.download import JSON, ZIP, Fetched, Progress, Source, describe, download, keep, noted, sidecar_of
from pipeline.fetch.unpack import Unpacking, unpack
from pipeline.fetch.untrusted import checked_url, cleaned
from pipeline.storage.files import write_json

__all__ = ["BASE", "COLUMNS", "fetch_archive", "fetch_street"]

BASE = "https://data.police.uk"
SOURCE = Source(
    "data.police.uk",
    "Contains public sector information from data.police.uk licensed under the Open Government Licence v3.0. Places "
    "are anonymised map points, not addresses.",
)
COLUMNS = (
    "Crime ID", "Month", "Reported by", "Falls within", "Longitude", "Latitude", "Location", "LSOA code", "LSOA name",
    "Crime type", "Last outcome category", "Context",
)  # fmt: skip
_TYPES = {
    "anti-social-behaviour": "Anti-social behaviour",
    "bicycle-theft": "Bicycle theft",
    "burglary": "Burglary",
    "criminal-damage-arson": "Criminal damage and arson",
    "drugs": "Drugs",
    "other-crime": "Other crime",
    "other-theft": "Other theft",
    "possession-of-weapons": "Possession of weapons",
    "public-order": "Public order",
    "robbery": "Robbery",
    "shoplifting": "Shoplifting",
    "theft-from-the-person": "Theft from the person",
    "vehicle-crime": "Vehicle crime",
    "violent-crime": "Violence and sexual offences",
}
_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)
_FORCE = re.compile(r"[a-z]+(-[a-z]+)*")
_PAIR = re.compile(r"-?\d{1,2}(\.\d{1,8})?,-?\d{1,3}(\.\d{1,8})?", re.ASCII)
_ARCHIVE_BYTES = 6_000_000_000
_ARCHIVE_SECONDS = 8 * 3600.0
_LONGEST_QUERY = 4094  # the interface refuses longer ones
_MOST_MONTHS = 240


def fetch_archive(
    client: Client,
    out: Path,
    *,
    forces: Sequence[str],
    first: str,
    last: str,
    archive: str = "latest",
    base: str = BASE,
    sha256: str | None = None,
    unpacking: Unpacking | None = None,
    progress: Progress | None = None,
) -> list[Fetched]:
    """Fetch the street-level files of some forces and months from the archive.

    Parameters
    ----------
    client
        Who asks.
    out
        Folder: the archive goes to `archive/`, the files to `street/`, where the police-uk configuration looks.
    forces
        Names of forces as police.uk writes them: `metropolitan`, `city-of-london`.
    first, last
        Months, both included: `2024-01`.
    archive
        `latest`, or the month of an archive; each holds the three years up to its month.
    base
        Address of the site.
    sha256
        Checksum the archive must have.
    unpacking
        How much it may hold.
    progress
        Told how many bytes have come.

    Raises
    ------
    InputError
        If it cannot be had, is broken or hostile, or lacks a month of a force.
    """
    months = list(_months(first, last))
    if archive != "latest" and not _MONTH.fullmatch(archive):
        raise InputError(f"--archive {cleaned(archive)!r} is not a month: give one such as 2024-06, or latest")
    for force in forces or ("",):
        if not _FORCE.fullmatch(force):
            raise InputError(
                f"--force-name {cleaned(force)!r} is not a force: write it as police.uk does, e.g. metropolitan"
            )
    url = f"{checked_url(base)}/data/archive/{archive}.zip"
    limits = replace(client.limits, max_bytes=_ARCHIVE_BYTES, deadline_s=_ARCHIVE_SECONDS)
    whole = download(
        client, url, out / "archive" / f"{archive}.zip", kind=ZIP, source=SOURCE, limits=limits, sha256=sha256,
        progress=progress,
    )  # fmt: skip
    names = {f"{month}-{force}-street.csv" for month in months for force in forces}
    street = out / "street"
    before = {name: noted(street / name) for name in names}
    files = unpack(whole.path, street, wanted=lambda name: PurePosixPath(name).name in names, limits=unpacking)
    missing = sorted(names - {path.name for path in files})
    if missing:
        raise InputError(
            f"{whole.path.name} lacks {len(missing)} of {len(names)} files (the first: {missing[0]}): an archive holds "
            "three years, so choose --archive; some forces have gaps, and names are as police.uk writes them"
        )
    done = [whole]
    for path in files:
        old = before[path.name]
        record = describe(path, url=url, source=SOURCE, more={"archive_sha256": whole.record["sha256"]})
        changed = old is None or old["sha256"] != record["sha256"]
        if changed:
            write_json(sidecar_of(path), record)
        done.append(Fetched(path, record if changed or old is None else old, changed=changed))
    return done


def fetch_street(
    client: Client,
    out: Path,
    *,
    polygon: str,
    first: str,
    last: str,
    base: str = BASE,
    progress: Progress | None = None,
) -> list[Fetched]:
    """Ask the interface for the crimes of one small area, a month at a time, and write them in the archive's layout.

    The interface gives no force and no LSOA: those columns are blank.

    Parameters
    ----------
    client
        Who asks.
    out
        Folder: the files go to `street/`.
    polygon
        Corners of the area as police.uk writes them: `51.51,-0.12:51.52,-0.10:51.50,-0.09`.
    first, last
        Months, both included.
    base
        Address of the site.
    progress
        Told how many months have come.

    Raises
    ------
    InputError
        If it cannot be had: among others an area with more than 10,000 crimes in a month.
    """
    months = list(_months(first, last))
    corners = polygon.split(":")
    if len(corners) < 3 or not all(_PAIR.fullmatch(c) for c in corners):
        raise InputError(
            f"--polygon {cleaned(polygon)!r} is not an area: give at least three corners lat,lng:lat,lng:lat,lng"
        )
    done = []
    for number, month in enumerate(months, start=1):
        query = urlencode({"poly": polygon, "date": month}, safe=",:")
        url = f"{checked_url(base)}/api/crimes-street/all-crime?{query}"
        if len(url) > _LONGEST_QUERY:
            raise InputError(f"--polygon has {len(corners)} corners, too many for the interface: simplify it")
        try:
            page = download(client, url, out / ".pages" / f"{month}.json", kind=JSON, source=SOURCE)
        except InputError as error:
            if " 503 " in str(error):
                raise InputError(
                    f"{error}. police.uk also answers 503 where an area has more than 10,000 crimes in a month: if "
                    "waiting does not help, use a smaller --polygon or the archive"
                ) from None
            raise
        content = _layout(read_json_page(page.path), month)
        more = {"crimes": content.count(b"\n") - 1, "month": month}
        done.append(keep(out / "street" / f"{month}-area-street.csv", content, url=url, source=SOURCE, more=more))
        if progress:
            progress("months", number, len(months))
    return done


def _months(first: str, last: str) -> Iterator[str]:
    ends = []
    for name, text in (("--first", first), ("--last", last)):
        found = _MONTH.fullmatch(text)
        if not found:
            raise InputError(f"{name} {cleaned(text)!r} is not a month: give one such as 2024-01")
        ends.append(int(found[1]) * 12 + int(found[2]) - 1)
    if not 0 <= ends[1] - ends[0] < _MOST_MONTHS:
        raise InputError(f"{first} to {last} is not a range of months: --last must not be before --first")
    for number in range(ends[0], ends[1] + 1):
        yield f"{number // 12}-{number % 12 + 1:02d}"


def _layout(crimes: Any, month: str) -> bytes:
    """Write crimes of the interface as the archive's files are written."""
    if not isinstance(crimes, list):
        raise InputError(
            f"police.uk sent {type(crimes).__name__} for {month} where a list was expected: nothing was kept"
        )
    rows = []
    for crime in crimes:
        try:
            rows.append(_row(crime, month))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = cleaned(json.dumps(crime), most=80)
            raise InputError(
                f"police.uk sent a crime for {month} that cannot be read ({cleaned(error)}: {said}): nothing was kept"
            ) from None
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted(rows))
    return out.getvalue().encode()


def _row(crime: Any, month: str) -> tuple[str, ...]:
    if crime["month"] != month:
        raise ValueError(f"its month is {crime['month']!r}")
    place = crime["location"]
    longitude, latitude = (float(place["longitude"]), float(place["latitude"])) if place else (None, None)
    if longitude is not None and latitude is not None and not (abs(longitude) <= 180 and abs(latitude) <= 90):
        raise ValueError("its place is not on the globe")
    kind = str(crime["category"])
    outcome = (crime.get("outcome_status") or {}).get("category")
    return (
        _cell(crime.get("persistent_id")),
        month,
        "",
        "",
        "" if longitude is None else f"{longitude:.6f}",
        "" if latitude is None else f"{latitude:.6f}",
        _cell(place["street"]["name"]) if place else "No Location",
        "",
        "",
        _TYPES.get(kind) or _cell(kind),
        _cell(outcome),
        _cell(crime.get("context")),
    )


def _cell(value: object) -> str:
    """Return a text that a spreadsheet will not interpret as a formula."""
    text = cleaned(value, most=300) if value else ""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
