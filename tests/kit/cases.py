"""A city of four wards, its incidents, and one call that tries a configuration: the ground of the cases of issue 14.

    +--------+--------+     Alder (5,000 residents) and Birch (6,000) are the borough Northby,
    | Alder  | Birch  |     Cedar (7,000) and Damson (8,000) the borough Southby; wards have sides
    +--------+--------+     of 1.5 km, the south-west corner lies at easting 528000, northing 180000
    | Cedar  | Damson |
    +--------+--------+

The ward of every incident was drawn before its point, so that every count is known: the first n incidents have the
same wards, months and days as the first n of `../shared/cases/00-base` (400: 178, 102, 88, 32; 300: 142, 73, 62, 23;
260: 122, 66, 51, 21; 200: 95, 51, 41, 13).
"""

import copy
import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyproj
import shapely
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import HotspotsError
from tests.kit.map_pages import readable

REGION, NORTHBY, SOUTHBY, EASTBY = "Testshire", "Northby", "Southby", "Eastby"
WARDS = {"A": "Alder", "B": "Birch", "C": "Cedar", "D": "Damson"}
CODES = {
    "Alder": "E05009001",
    "Birch": "E05009002",
    "Cedar": "E05009003",
    "Damson": "E05009004",
    "Elder": "E05009005",
    "Fern": "E05009006",
    NORTHBY: "E09000001",
    SOUTHBY: "E09000002",
    EASTBY: "E09000003",
    REGION: "E12000007",
}
BOROUGH = {
    "Alder": NORTHBY,
    "Birch": NORTHBY,
    "Cedar": SOUTHBY,
    "Damson": SOUTHBY,
    "Elder": EASTBY,
    "Fern": EASTBY,
}
CORNERS = {
    "Alder": (528_000, 181_500),
    "Birch": (529_500, 181_500),
    "Cedar": (528_000, 180_000),
    "Damson": (529_500, 180_000),
    "Elder": (531_000, 181_500),
    "Fern": (531_000, 180_000),
}
RESIDENTS = {"Alder": 5000, "Birch": 6000, "Cedar": 7000, "Damson": 8000, "Elder": 9000, "Fern": 10_000}
SIDE = 1500
PEOPLE = "\n".join(["WD25CD,pop", *(f"{CODES[w]},{RESIDENTS[w]}" for w in WARDS.values())]) + "\n"

# Right values of the first n incidents, by ward.
RIGHT = {
    400: {"Alder": 178, "Birch": 102, "Cedar": 88, "Damson": 32},
    300: {"Alder": 142, "Birch": 73, "Cedar": 62, "Damson": 23},
    260: {"Alder": 122, "Birch": 66, "Cedar": 51, "Damson": 21},
    200: {"Alder": 95, "Birch": 51, "Cedar": 41, "Damson": 13},
}

# Ward and day of the month (in base 36) of each incident, drawn once.
_WARDS = (
    "AAAABAABABABACAAAACAAABAABBCBAAAABABADCCBCCAADACACABABBACAACBBBBABBBBCACBCCAAADACAAABAAABAAABBCAADAD"
    "ABAACACCACBDABBCBDABBBCDDAAAACACACABCABDABABBBACBBCCCACACCBBBABAAAAAAADBACCABADAAAABAAAACACACBADCCAA"
    "AAAADCDAACABBDCBDCBBABAABBBAACCAACABDCAABBDBAACBDACADAAABAAACCCBAACAACADBBACACACBBAAACAAAACBAABAAACD"
    "CCAABABCCCAAACACBCCCBBCBDABABAABABDAAABAACBDDBAACBABCDBBBACBBABACAABACBAADCBDCABABCACADCABBDCACCAABC"
)
_DAYS = (
    "37il256imf8oe2rqnjm48fsd815oml65scfb1i3c8qh9f8kqqqd6lcosaemhf5mihfn8ifmnf6ho13499ne9494lm2hlhr2eh2ca"
    "g12jq5rqrml29i983llg7far794dd44cc29eiegelmhp6qdpm3e2jr4r3j93898ae8mhra85enb2bc7efld7b9lf5rb724gfp9fj"
    "h2f7cpk7rkg59211d13547gnsg6r2i86fg353qnqrkgc99s4qcosoekaa6f9rk225lanf4ol9h7bnh8j4n2pmdsgaakqgrhcg66n"
    "dliflrffa8b6ql1ldjosbqemp277cmk2mdfqrr5d1bcrr3s7kroeg6bf6247m7rhgji1mkmppral2dml13o2om2dro4gploe8e2j"
)
COLUMNS = ("incident_id", "occurred_on", "easting", "northing", "category", "ward")
POLICE_COLUMNS = (
    "Crime ID",
    "Month",
    "Reported by",
    "Falls within",
    "Longitude",
    "Latitude",
    "Location",
    "LSOA code",
    "LSOA name",
    "Crime type",
    "Last outcome category",
    "Context",
)
OUTCOME_COLUMNS = (*POLICE_COLUMNS[:9], "Outcome type")
STOP_COLUMNS = [
    "Type",
    "Date",
    "Part of a policing operation",
    "Policing operation",
    "Latitude",
    "Longitude",
    "Gender",
    "Age range",
    "Self-defined ethnicity",
    "Officer-defined ethnicity",
    "Legislation",
    "Object of search",
    "Outcome",
    "Outcome linked to object of search",
    "Removal of more than just outer clothing",
]
_TO_DEGREES = pyproj.Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True)

Row = dict[str, str]

CONFIG = """
run: {name: t, title: Hate crime}
crs: {working: "EPSG:27700"}
areas:
  wards: {path: wards.geojson, code: WD25CD, name: WD25NM, parent_code: LAD25CD, parent_name: LAD25NM, vintage: "2025"}
  region: {code: E12000007, name: Testshire}
  population: [{path: pop.csv, code: WD25CD, value: pop, year: 2021}]
incidents:
  - name: police
    paths: [incidents.csv]
    crs: EPSG:27700
    columns: {id: incident_id, date: occurred_on, x: easting, y: northing, category: category}
categories: {all_label: All, tree: []}
detect:
  density: {enabled: false}
  clusters: {enabled: false}
  gistar: {enabled: false}
  concentration: {enabled: false}
  hours: {enabled: false}
  seasons: {enabled: false}
emerging: {enabled: false}
profiles:
  - {name: internal, audience: internal, threshold: 0, secondary: false, ward_period: month, min_bandwidth_m: 0,
     min_density_incidents: 0, min_locations: 5, min_addresses: 0, max_location_share_pct: 100, lattice_m: 0}
page: {briefings: false}
exports: {geopackage: false, workbook: none}
"""
NO_METHODS: dict[str, Any] = {
    name: {"enabled": False} for name in ("density", "clusters", "gistar", "concentration", "hours", "seasons")
}
"""What `detect` of the configuration above says, for tests that replace it: `NO_METHODS | {"clusters": {...}}`."""
POLICE_SOURCE = {
    "name": "police",
    "paths": ["*-street.csv"],
    "pending_outcomes": ["Under investigation"],
    "positive_outcomes": ["Offender given a caution"],
}


# Months and incidents.


def months(first: str, number: int) -> list[str]:
    """Return consecutive months as yyyy-mm."""
    year, month = map(int, first.split("-"))
    return [f"{year + (month - 1 + i) // 12}-{(month - 1 + i) % 12 + 1:02d}" for i in range(number)]


def point(number: int, ward: str) -> tuple[float, float]:
    """Return the easting and northing of an incident: distinct places, 80 m or more from every border."""
    west, south = CORNERS[ward]
    return west + 80 + (number * 557.1) % 1340, south + 80 + (number * 331.7) % 1340


def incidents(number: int, *, first: str = "2024-01", span: int = 13) -> list[Row]:
    """Return the first incidents of the city, one month after another over `span` months."""
    names = months(first, span)
    rows = []
    for i in range(number):
        ward = WARDS[_WARDS[i % 400]]
        x, y = point(i, ward)
        rows.append(
            {
                "incident_id": f"A{i:05d}",
                "occurred_on": f"{names[i % span]}-{int(_DAYS[i % 400], 36):02d}",
                "easting": f"{x:.1f}",
                "northing": f"{y:.1f}",
                "category": ("race", "religion", "disability")[(i * 7 // 3) % 3],
                "ward": CODES[ward],
                "borough": BOROUGH[ward],
                "ward_name": ward,
            }
        )
    return rows


def police(rows: Iterable[Mapping[str, str]], *, outcome: str = "Under investigation") -> list[Row]:
    """Return incidents as police.uk writes them: a month, degrees, a hashed id."""
    return [
        {
            "Crime ID": hashlib.sha256(r["incident_id"].encode()).hexdigest(),
            "Month": r["occurred_on"][:7],
            "Reported by": "Northshire Police",
            "Falls within": "Northshire Police",
            **dict(zip(("Longitude", "Latitude"), degrees(float(r["easting"]), float(r["northing"])), strict=True)),
            "Location": "On or near Mill Lane",
            "LSOA code": "E01000001",
            "LSOA name": "Northby 001A",
            "Crime type": "Burglary",
            "Last outcome category": outcome,
            "Context": "",
        }
        for r in rows
    ]


def antisocial(row: Mapping[str, str]) -> Row:
    """Return a police.uk row of antisocial behaviour: no id, no outcome."""
    return {**row, "Crime ID": "", "Crime type": "Anti-social behaviour", "Last outcome category": ""}


def degrees(x: float, y: float) -> tuple[str, str]:
    """Return longitude and latitude of a point as police.uk writes them."""
    lon, lat = _TO_DEGREES.transform(x, y)
    return f"{lon:.6f}", f"{lat:.6f}"


def by_month(rows: Iterable[Row], column: str = "Month") -> dict[str, list[Row]]:
    """Sort rows into months."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[column][:7], []).append(row)
    return dict(sorted(found.items()))


def ward_counts(rows: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """Count incidents by ward: the right value of rows picked from the city."""
    found = dict.fromkeys(WARDS.values(), 0)
    for row in rows:
        found[row["ward_name"]] += 1
    return found


# Files.


def write_rows(
    path: Path, rows: Sequence[Mapping[str, str]], columns: Sequence[str] = COLUMNS, *, delimiter: str = ","
) -> Path:
    """Write rows as delimited text; columns that a row lacks are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=delimiter, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def write_police(folder: Path, rows: Sequence[Row], *, nested: bool = False, force: str = "northshire") -> None:
    """Write police.uk rows as one file a month, `2024-05-force-street.csv`, in folders of their months if nested."""
    for month, found in by_month(rows).items():
        where = folder / month if nested else folder
        write_rows(where / f"{month}-{force}-street.csv", found, POLICE_COLUMNS)


def points(rows: Sequence[Mapping[str, Any]], *, crs: str = "EPSG:27700", **columns: Any) -> gpd.GeoDataFrame:
    """Return rows as points with their columns, for GeoJSON, GeoPackage and GeoParquet."""
    shapes = [shapely.Point(float(r["easting"]), float(r["northing"])) for r in rows]
    keep = [{k: v for k, v in r.items() if k not in {"easting", "northing", "borough", "ward_name"}} for r in rows]
    return gpd.GeoDataFrame(pd.DataFrame(keep).assign(**columns), geometry=shapes, crs="EPSG:27700").to_crs(crs)


def wards(names: Sequence[str] = tuple(WARDS.values())) -> gpd.GeoDataFrame:
    """Return the wards as squares in metres."""
    return gpd.GeoDataFrame(
        {
            "WD25CD": [CODES[n] for n in names],
            "WD25NM": list(names),
            "LAD25CD": [CODES[BOROUGH[n]] for n in names],
            "LAD25NM": [BOROUGH[n] for n in names],
        },
        geometry=[shapely.box(x, y, x + SIDE, y + SIDE) for x, y in (CORNERS[n] for n in names)],
        crs="EPSG:27700",
    )


def write_boundaries(path: Path, frame: gpd.GeoDataFrame | None = None, *, crs: str = "EPSG:4326") -> Path:
    """Write boundaries as GeoJSON in degrees, or in another system without saying so."""
    frame = (wards() if frame is None else frame).to_crs(crs)
    shapes = json.loads(frame.to_json(drop_id=True))
    shapes.pop("crs", None)
    path.write_text(json.dumps(shapes), encoding="utf-8")
    return path


def write_case(
    folder: Path,
    rows: Sequence[Mapping[str, str]] | None = None,
    *,
    source: Mapping[str, Any] | None = None,
    columns: Mapping[str, str | None] | None = None,
    boundaries: gpd.GeoDataFrame | None = None,
    **changes: Any,
) -> Path:
    """Write boundaries, residents, incidents and the configuration an analyst would write first; return its path.

    Parameters
    ----------
    folder
        Where to write; made if it is not there.
    rows
        Incidents for `incidents.csv`; None leaves the file to the caller.
    source
        Replaces keys of the one source of incidents; a `name` replaces the whole source.
    columns
        Replaces names of columns; None takes a key out.
    boundaries
        Wards, the four of the city if left out.
    changes
        Values of the configuration by dotted key with `__` for the dot: `detect__density={"enabled": True}`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_boundaries(folder / "wards.geojson", boundaries)
    names = list(WARDS.values()) if boundaries is None else boundaries["WD25NM"].tolist()
    (folder / "pop.csv").write_text(
        "\n".join(["WD25CD,pop", *(f"{CODES[n]},{RESIDENTS[n]}" for n in names)]) + "\n", encoding="utf-8"
    )
    if rows is not None:
        write_rows(folder / "incidents.csv", rows, [c for c in rows[0] if c not in {"borough", "ward_name"}])
    settings = yaml.safe_load(CONFIG)
    given = settings["incidents"][0]
    if source and "name" in source:
        settings["incidents"][0] = copy.deepcopy(dict(source))
    else:
        given.update(source or {})
        for key, name in (columns or {}).items():
            given["columns"].pop(key, None) if name is None else given["columns"].update({key: name})
    return configure(folder, settings, **changes)


def configure(folder: Path, settings: dict[str, Any], *, name: str = "my.yaml", **changes: Any) -> Path:
    """Write a configuration, with values replaced by dotted key (`__` for the dot)."""
    settings = copy.deepcopy(settings)
    for key, value in changes.items():
        *path, last = key.split("__")
        at = settings
        for part in path:
            at = at[int(part)] if part.isdigit() else at.setdefault(part, {})
        if value is None:
            at.pop(last, None)
        else:
            at[last] = value
    path = folder / name
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


def change(config: Path, **changes: Any) -> Path:
    """Change a written configuration."""
    return configure(config.parent, yaml.safe_load(config.read_text("utf-8")), name=config.name, **changes)


# Published counts by area.

PUBLISHED = {
    "name": "mps",
    "paths": ["counts.csv"],
    "columns": {"area_code": "Code", "period": "Month", "value": "Count", "category": "MajorText"},
    "period_format": "%Y%m",
}


def published_cells(areas: Sequence[str], *, level: int = 6) -> list[Row]:
    """Return counts of 2024 by area and month: `level` in January, one more each month, one more for each next area."""
    return [
        {"MajorText": "Burglary", "Code": CODES[a], "Month": m.replace("-", ""), "Count": str(level + i + j)}
        for j, m in enumerate(months("2024-01", 12))
        for i, a in enumerate(areas)
    ]


def write_published(folder: Path, cells: Sequence[Row], **source: Any) -> Path:
    """Write a case of published counts."""
    config = write_case(folder, None)
    write_rows(folder / "counts.csv", cells, ("MajorText", "Code", "Month", "Count"))
    return change(
        config,
        incidents=None,
        published_counts=[{**PUBLISHED, **source}],
        categories={"all_label": "All", "tree": [{"id": "burglary", "match": ["Burglary"]}], "all_from": "burglary"},
    )


# What a run gave.


@dataclass(frozen=True)
class Attempt:
    """A command that was tried on a configuration: how it ended, what it printed, and its outputs."""

    code: int
    text: str
    crash: str
    config: Path

    @property
    def folder(self) -> Path:
        return self.config.parent / "outputs" / "t"

    @cached_property
    def counts(self) -> pd.DataFrame:
        assert self.code == 0, f"exit {self.code}: {self.crash}{self.text[-1500:]}"
        shown = self.folder / "internal" / "area_counts.csv"
        if shown.exists():
            return pd.read_csv(shown, keep_default_na=False, na_values=[""])
        kept = self.folder / "work" / "release" / "internal" / "counts.parquet"
        if kept.exists():
            return pd.read_parquet(kept)
        counts = self.folder / "work" / "area_months.parquet"
        months = pd.read_parquet(counts) if counts.exists() else self._of_rows()
        return months.assign(period=months["month"].astype(str).str.replace(r"(\d{4})(\d\d)", r"\1-\2", regex=True))

    def _of_rows(self) -> pd.DataFrame:
        """Count the rows that a first stage alone has kept, by the areas that it has given them."""
        parts = (self.folder / "work" / "incidents").glob("*.parquet")
        rows = pd.concat([pd.read_parquet(p) for p in parts], ignore_index=True)
        assert set(rows["place"]) <= {"point", "area", "borough"}  # every row lies in the region
        named = rows.assign(
            area_code=rows[["ward_code", "borough_code"]].assign(region=CODES[REGION]).to_numpy().tolist()
        )
        named["category"] = ("all;" + named["categories"].fillna("")).str.rstrip(";").str.split(";")
        cells = named.explode("area_code").explode("category").dropna(subset="area_code")
        cells["positive_outcomes"] = cells["outcome_class"] == "positive"
        cells = cells.groupby(["area_code", "month", "category"])
        return cells.agg(incidents=("place", "size"), positive_outcomes=("positive_outcomes", "sum")).reset_index()

    @cached_property
    def quality(self) -> dict[str, Any]:
        return json.loads((self.folder / "quality.json").read_text("utf-8"))

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.folder / "manifest.json").read_text("utf-8"))

    @cached_property
    def front_door(self) -> str:
        return (self.folder / "index.html").read_text("utf-8")

    @cached_property
    def page(self) -> str:
        return readable((self.folder / "internal" / "index.html").read_text("utf-8"))

    def layer(self, name: str) -> dict[str, dict[str, Any]]:
        """Return properties of a layer's areas by name."""
        shapes = json.loads((self.folder / "internal" / f"{name}.geojson").read_text("utf-8"))
        return {f["properties"]["area_name"]: f["properties"] for f in shapes["features"]}

    def cell(self, area: str, period: str, column: str = "incidents", category: str = "all") -> Any:
        """Return one figure; None where it is empty or its row is not there."""
        found = self.counts[
            (self.counts["area_code"] == CODES[area])
            & (self.counts["period"] == period)
            & (self.counts["category"] == category)
        ]
        assert len(found) < 2
        return None if found.empty or pd.isna(found.iloc[0][column]) else found.iloc[0][column]

    def total(self, area: str, category: str = "all") -> int | None:
        """Sum the months of an area; None where every month is empty."""
        found = self.counts[
            (self.counts["area_code"] == CODES[area])
            & (self.counts["period"].str.len() == len("2024-01"))
            & (self.counts["category"] == category)
        ]["incidents"].dropna()
        return None if found.empty else int(found.sum())

    def totals(self, areas: Iterable[str] = tuple(WARDS.values()), category: str = "all") -> dict[str, int | None]:
        return {a: self.total(a, category) for a in areas}

    @property
    def headline(self) -> str:
        """The latest window of twelve months: that of the layers, or of the release where there are no layers."""
        record = self.folder / "work" / "release" / "internal" / "release.json"
        if not (self.folder / "internal").exists() and record.exists():
            return str(json.loads(record.read_text("utf-8"))["info"]["headline"]["id"])
        shown = self.layer("boroughs")[NORTHBY]
        return f"{shown['period_start'][:7]}..{shown['period_end'][:7]}"

    def windows_over(self, month: str) -> pd.DataFrame:
        """Return the rows of windows, longer than a month, that a month lies in."""
        first = self.counts["period_start"].str[:7]
        last = self.counts["period_end"].str[:7]
        return self.counts[(first <= month) & (last >= month) & (first != last)]

    def accounting(self) -> dict[str, int]:
        return self.quality["accounting"]

    @property
    def rules(self) -> dict[str, int]:
        return self.quality["quarantined_by_rule"]


def attempt(config: Path, command: str = "run", *more: str) -> Attempt:
    """Try a command in this process: a refusal's exit code and paragraph, or the name of a crash."""
    result = CliRunner().invoke(
        app, [command, "--config", str(config), *more], env={"COLUMNS": "250", "TERM": "dumb", "NO_COLOR": "1"}
    )
    error = result.exception
    crash = ""
    if isinstance(error, HotspotsError):
        code, message = error.exit_code, str(error)
    elif error is None or isinstance(error, SystemExit):
        code, message = result.exit_code, ""
    else:
        code, message, crash = 1, "", f"{type(error).__name__}: {error}\n"
    return Attempt(code, " ".join(f"{result.output} {message}".split()), crash, config)


BEFORE_PAGES = ("ingest", "aggregate", "detect", "release")


def read(config: Path) -> Attempt:
    """Read: the first stage of a run alone, half the cost of `counted`; `total` and `cell` count the rows it kept.

    For tests of formats and notations, of which every row lies in an area; quality.json is not written.
    """
    return attempt(config, "run", "--only", "ingest")


def counted(config: Path) -> Attempt:
    """Read and count: the first two stages of a run, a third of its cost; a cell without incidents has no row.

    For tests of how input is read: what comes after sees the same tables whatever the input looked like.
    """
    return attempt(config, "run", "--only", "ingest", "--only", "aggregate")


def detected(config: Path) -> Attempt:
    """Read, count and detect, for tests of what a method finds: its tables are in `work/`."""
    return attempt(config, "run", *(word for stage in BEFORE_PAGES[:3] for word in ("--only", stage)))


def released(config: Path) -> Attempt:
    """Read, count and release: a run without its pages, for tests of released counts, rates and changes.

    `area_counts.csv` holds the same rows (tests/release/test_monthly_runs.py).
    """
    return attempt(config, "run", *(word for stage in BEFORE_PAGES for word in ("--only", stage)))


def refused(tried: Attempt, *words: str, codes: Sequence[int] = (2, 3, 5)) -> None:
    """Check a refusal: its exit code, and that it names each of the words (`a|b` for either), in any case."""
    assert tried.code in codes, f"exit {tried.code}: {tried.crash}{tried.text[-800:]}"
    for word in words:
        assert says(tried.text, word), f"no {word!r} in: {tried.text[-1200:]}"


def says(text: str, words: str) -> bool:
    """Whether a text has one of some words, in any case (`a|b`)."""
    return any(word.lower() in text.lower() for word in words.split("|"))


def names_month(text: str, month: str, near: str = "") -> bool:
    """Whether a text names a month in words or figures, within 120 characters of another word where one is given."""
    name = f"{pd.Timestamp(month).strftime('%B %Y')}|{month}(?!-?\\d|\\.\\.)|{month.replace('-', '')}"
    if not near:
        return re.search(name, text) is not None
    return re.search(rf"({name})[^<>]{{0,120}}({near})|({near})[^<>]{{0,120}}({name})", text, re.IGNORECASE) is not None


def read_or_refused(tried: Attempt, right: Mapping[str, int], *words: str) -> None:
    """Check that a file was counted right, or refused in words that help: never counted wrong, never a crash."""
    if tried.code == 0:
        assert tried.totals(right) == dict(right)
    else:
        refused(tried, *words)
