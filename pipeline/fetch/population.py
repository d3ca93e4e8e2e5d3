"""Usual residents of Census 2021 from Nomis, by ward or by district."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pipeline.errors import InputError
from pipeline.fetch.boundaries import read_json_page
from pipeline.fetch.client import Client
from pipeline.fetch.download import CSV, Fetched, Progress, Source, download, keep
from pipeline.fetch.untrusted import checked_url, cleaned

__all__ = ["BASE", "GEOGRAPHIES", "fetch_population"]

BASE = "https://www.nomisweb.co.uk/api/v01/dataset"
SOURCE = Source(
    "Office for National Statistics, Census 2021, table TS001, by Nomis",
    "Source: Office for National Statistics licensed under the Open Government Licence v3.0.",
)
# Nomis' own names of the wards of 2022 and the districts of Census 2021.
GEOGRAPHIES: Mapping[str, str] = {"wards": "TYPE153", "boroughs": "TYPE154"}
_DATASET = "NM_2021_1.data.csv"
_PAGE_ROWS = 25_000  # what Nomis gives a guest at a time
_MOST_PAGES = 40
_CODE = re.compile(r"[A-Z][0-9]{8}")
_MOST_PEOPLE = 2_000_000_000


def fetch_population(
    client: Client,
    out: Path,
    *,
    level: str = "wards",
    only: Path | None = None,
    base: str = BASE,
    page_rows: int = _PAGE_ROWS,
    progress: Progress | None = None,
) -> Fetched:
    """Write `population-<level>.csv`: area_code, population, year.

    Parameters
    ----------
    client
        Who asks.
    out
        Folder for the file.
    level
        `wards` or `boroughs`.
    only
        Boundaries fetched before: keep the areas in that file, and miss none of them. Without it every area of England
        and Wales is kept.
    base
        Address of the data sets.
    page_rows
        Rows asked for at a time.
    progress
        Told how many rows have come.

    Raises
    ------
    InputError
        If Nomis cannot be reached or what it sends is no table of residents by area.
    """
    if level not in GEOGRAPHIES:
        raise InputError(f"there is no level {cleaned(level)!r}: choose from {', '.join(GEOGRAPHIES)}")
    wanted = _codes(only) if only else None
    query = {
        "date": "latest",
        "geography": GEOGRAPHIES[level],
        "c2021_restype_3": "0",
        "measures": "20100",
        "select": "date_name,geography_code,obs_value",
    }
    address = f"{checked_url(base)}/{_DATASET}?{urlencode(query)}"
    people: dict[str, tuple[int, int]] = {}
    for number in range(_MOST_PAGES):
        url = f"{address}&{urlencode({'RecordLimit': page_rows, 'RecordOffset': number * page_rows})}"
        page = download(client, url, out / ".pages" / f"residents-{level}-{number:02d}.csv", kind=CSV, source=SOURCE)
        rows = _rows(page.path)
        for code, value, year in rows:
            if people.setdefault(code, (value, year)) != (value, year):
                raise InputError(f"Nomis gives {code} two numbers of residents: fetch again; nothing was kept")
        if progress:
            progress("residents", len(people), 0)
        if len(rows) < page_rows:
            break
    else:
        raise InputError(
            f"Nomis goes on beyond {_MOST_PAGES * page_rows:,} rows: the table has changed, nothing was kept"
        )
    if wanted is not None:
        missing = sorted(wanted - set(people))
        if missing:
            raise InputError(
                f"Nomis has no residents for {len(missing):,} of {len(wanted):,} areas of {only} (the first: "
                f"{missing[0]}): Census 2021 is published for the wards of 2022, so fetch boundaries with --year 2022"
            )
        people = {code: found for code, found in people.items() if code in wanted}
    if not people:
        raise InputError(
            "Nomis sent a table without rows: the table has moved. Fetch it by hand from www.nomisweb.co.uk"
        )
    lines = [f"{code},{value},{year}" for code, (value, year) in sorted(people.items())]
    return keep(
        out / f"population-{level}.csv",
        ("\n".join(["area_code,population,year", *lines]) + "\n").encode(),
        url=address,
        source=SOURCE,
        more={"areas": len(people), "measure": "usual residents", "census": 2021},
    )


def _codes(path: Path) -> set[str]:
    """Return the area codes of a boundary file that this project fetched."""
    if not path.is_file():
        raise InputError(f"--only {path} is not there: fetch boundaries first")
    content: Any = read_json_page(path) if path.suffix == ".geojson" else None
    try:
        return {str(feature["properties"]["area_code"]) for feature in content["features"]}
    except (KeyError, TypeError):
        raise InputError(f"--only {path} is no GeoJSON with area_code: use one that was fetched here") from None


def _rows(path: Path) -> list[tuple[str, int, int]]:
    """Read a page of Nomis: code, people, year."""
    try:
        reader = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")), strict=True)
        return [_row({str(k).upper(): v for k, v in row.items()}) for row in reader]
    except (KeyError, ValueError, csv.Error) as error:
        path.unlink(missing_ok=True)
        raise InputError(
            f"Nomis sent something that is no table of residents by area ({cleaned(error)}): fetch again; if it "
            "stays so, the table has changed"
        ) from None


def _row(row: Mapping[str, str | None]) -> tuple[str, int, int]:
    code, value, year = ((row[name] or "").strip() for name in ("GEOGRAPHY_CODE", "OBS_VALUE", "DATE_NAME"))
    if not _CODE.fullmatch(code) or not re.fullmatch(r"[0-9]{1,10}", value) or not re.fullmatch(r"[0-9]{4}", year):
        raise ValueError(f"a row says {code!r}, {value!r}, {year!r}")
    if int(value) > _MOST_PEOPLE:
        raise ValueError(f"{code} has {value} people")
    return code, int(value), int(year)
