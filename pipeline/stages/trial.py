"""A trial of a run on the first rows of every source: what `hotspots check` says of them before anything is written.

The stages themselves run, in a temporary folder that is deleted: every rule and every message is that of the run. Where
only a part of a file was read and a stage refuses it, the whole file decides: a first part may be all of one month, or
leave open which of two forms its dates have.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import Config, changed_defaults, settings_cautions
from pipeline.domain.progress import unwatched
from pipeline.errors import HotspotsError
from pipeline.ingest import count_columns
from pipeline.release.ledger import KEY, ledger_roots
from pipeline.stages import Context, RecordKind, aggregate, detect, ingest, release
from pipeline.stages.checks import check_inputs
from pipeline.stages.copies import local_copies, needs_copies
from pipeline.stages.engines import LocalEngine
from pipeline.stages.freshness import State, states_of
from pipeline.stages.inputs import expand
from pipeline.storage.files import read_json
from pipeline.storage.workspace import Fingerprints, Workspace
from pipeline.tables import Level, Place

__all__ = ["Checked", "Trial", "check", "try_rows"]

_EXAMPLES = 3
_SALT = b"a trial"  # hashes of victims are made as in a run, and thrown away
_FEWEST_SIMULATIONS = 19  # whether a method can run does not depend on how often it draws
# Columns that a rule is about, by the start of its name; their values are the examples.
_ABOUT = {"date": ("date", "time"), "category": ("category",)}
_PLACES = ("x", "y", "lon", "lat")


@dataclass(slots=True)
class Trial:
    """What a trial found.

    Attributes
    ----------
    sources
        What the rows of each source hold, as plain values.
    cautions
        What the stages warned of.
    whole
        Whether every row of every file was read.
    error
        What stopped it; None where the stages went through.
    people
        For each denominator that is configured, how many covered areas of each level have a figure.
    """

    sources: list[dict[str, Any]] = field(default_factory=list)
    people: list[dict[str, Any]] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)
    whole: bool = True
    error: HotspotsError | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What can be known of a run before it.

    Attributes
    ----------
    config
        The settings.
    files
        Every file a run would read, and its bytes.
    states
        Whether each stage is fresh.
    cautions
        Warnings about settings.
    trial
        What the first rows of each source hold.
    """

    config: Config
    files: dict[Path, int]
    states: list[State]
    cautions: list[str]
    trial: Trial


def check(config: Config, *, rows: int) -> Checked:
    """Find every file and column, and try the first rows of each source; nothing is written but copies of databases.

    Parameters
    ----------
    config
        Settings.
    rows
        Rows to read of each source, shared out over its files; 0 reads headers alone.

    Raises
    ------
    HotspotsError
        If a file or a column is missing. What rows are refused for is in `trial`.
    """
    base = config.folder
    folder = base / config.run.output_dir / config.run.name
    with Workspace(folder).locked() if needs_copies(config) else nullcontext():
        with local_copies(config, base, rows=rows) as local:
            checked = _checked(local.config, base, folder, rows=rows)
            cut = any(origin.get("rows") == rows for origin in local.origins)
        if checked.trial.error is None or not cut:
            return checked
        # Of a table, the first rows; all of them only where these leave a doubt, as with files.
        with local_copies(config, base) as local:
            return _checked(local.config, base, folder, rows=rows)


def _checked(config: Config, base: Path, folder: Path, *, rows: int) -> Checked:
    files = check_inputs(config, base)
    prints = Fingerprints(folder / "manifest.json")
    states = states_of(config, base, folder, prints)
    roots = ledger_roots(folder.parent, synthetic=config.run.synthetic)
    # A root without a key holds no ledger, and a trial creates none.
    ledgers = tuple(root for root in roots if (root / KEY).is_file())
    trial = try_rows(config, base, rows=rows, checksums=prints.checksums, ledgers=ledgers) if rows else Trial()
    cautions = [*settings_cautions(config), *changed_defaults(config)]
    return Checked(config, {file: file.stat().st_size for file in files}, states, cautions, trial)


def try_rows(
    config: Config, base: Path, *, rows: int, checksums: Mapping[Path, str], ledgers: tuple[Path, ...] = ()
) -> Trial:
    """Read the first rows of every source and take them through the stages as far as they tell something.

    Parameters
    ----------
    config
        Settings.
    base
        Folder that paths start from.
    rows
        Rows to read of each source, shared out evenly over its files.
    checksums
        SHA-256 of all input files.
    ledgers
        Folders of ledgers, which may hold earlier releases of the data.
    """
    limits = {
        source.name: -(-rows // max(1, len(expand(source.paths, base=base, key="paths"))))
        for source in config.incidents
    }
    attempt = partial(_trial, config, base, checksums=checksums, ledgers=ledgers)
    trial = attempt(limits=limits)
    return attempt(limits={}) if trial.error is not None and not trial.whole else trial


def _trial(
    config: Config, base: Path, *, limits: Mapping[str, int], checksums: Mapping[Path, str], ledgers: tuple[Path, ...]
) -> Trial:
    trial = Trial(whole=not limits)
    with tempfile.TemporaryDirectory(prefix="hotspots-check-") as name:
        context = Context(
            config=_quick(config),
            base=base,
            folder=Path(name),
            last=None,
            engine=LocalEngine(),
            progress=unwatched,
            salt=_SALT,
            checksums=checksums,
            rows=limits,
            ledgers=ledgers,
        )
        try:
            ingest.run(context)
            trial.sources = _described(context, limits=limits)
            trial.whole = all(source["all_rows"] for source in trial.sources)
            trial.people = _people(context)
            aggregate.run(context)
            release.foresee(context, whole=trial.whole)
            # Part of the rows say nothing about whether the rest is enough for a method.
            if trial.whole:
                detect.run(context)
        except HotspotsError as error:
            trial.error = error
        trial.cautions = list(dict.fromkeys(context.cautions))
        if trial.whole:
            trial.cautions += [
                f"{method}: {why}."
                for method, why in context.choices.items()
                if isinstance(why, str) and why.startswith("skipped: ")
            ]
    return trial


def _quick(config: Config) -> Config:
    """Return the settings with as few draws as the methods allow."""
    methods = config.detect
    few = {"simulations": _FEWEST_SIMULATIONS}
    changed = {
        "scan": methods.scan.model_copy(update=few),
        "knox": methods.knox.model_copy(update=few),
        "gistar": methods.gistar.model_copy(update={"permutations": min(99, methods.gistar.permutations)}),
    }
    return config.model_copy(update={"detect": methods.model_copy(update=changed)})


def _described(context: Context, *, limits: Mapping[str, int]) -> list[dict[str, Any]]:
    """Describe the rows of every source from the tables that ingest wrote."""
    record = read_json(context.work("ingest.json"))
    areas = pd.read_parquet(context.work("boundaries.parquet"), columns=["area_code", "level", "name", "covered"])
    refused = pd.read_parquet(context.work("quarantine.parquet"))
    if record["kind"] == RecordKind.PUBLISHED:
        return _published(context, refused)
    found = []
    for source in context.config.incidents:
        parts = [part for part in record["parts"] if part["name"] == source.name]
        read = pd.concat(
            [pd.read_parquet(context.folder / part["part"], columns=_COLUMNS) for part in parts], ignore_index=True
        )
        labels = {part["label"] for part in parts}
        limit = limits.get(source.name)
        reports = [part["report"] for part in parts]
        rows = sum(report["rows_read"] for report in reports)
        columns = reports[0]["decisions"].get("columns", {})
        found.append(
            {
                "source": source.name,
                "files": len(parts),
                "rows_read": rows,
                "all_rows": limit is None or all(report["rows_read"] < limit for report in reports),
                "rows_per_file": limit,
                "incidents": len(read),
                "refused": _refused(refused[refused["source"].isin(labels)], rows, columns),
                "columns": columns,
                "coordinates": _each(reports, "coordinates"),
                "dates": _each(reports, "dates"),
                "date_forms": list(dict.fromkeys(f for r in reports for f in r["decisions"].get("date_forms", ()))),
                **_extent(read, context),
                "months": {_month(m): int(n) for m, n in read["month"].value_counts().sort_index().items()},
                "months_without_rows": _gaps(read["month"]),
                **_empty_areas(read, areas),
                "categories": _categories(read),
                "unknown_categories": _summed(reports, "unknown_categories"),
            }
        )
    return found


_COLUMNS = ["month", "categories", "easting_m", "northing_m", "place", "ward_code", "borough_code"]


def _people(context: Context) -> list[dict[str, Any]]:
    """Count the covered areas that have a figure of each denominator: for all categories, and for single ones."""
    columns = ["area_code", "level", "covered", "population"]
    areas = pd.read_parquet(context.work("boundaries.parquet"), columns=columns)
    areas = areas[areas["covered"].astype(bool)]
    single = pd.read_parquet(context.work("denominators.parquet"))
    files: dict[str | None, list[Mapping[str, Any]]] = {}
    for file in read_json(context.work("ingest.json"))["areas"]["population"]:
        files.setdefault(file["category"], []).append(file)
    found = []
    for category, named in files.items():
        given = areas["population"].notna()
        if category is not None:
            given = areas["area_code"].isin(single.loc[single["category"] == category, "area_code"])
        found.append(
            {
                "category": category,
                "measure": named[0]["measure"],
                "files": [file["file"] for file in named],
                "years": sorted({file["year"] for file in named}),
                "areas": {
                    level: {"with_a_figure": int(given[of_level].sum()), "covered": int(of_level.sum())}
                    for level in (Level.BOROUGH, Level.WARD)
                    if (of_level := areas["level"] == level).any()
                },
            }
        )
    return found


def _published(context: Context, refused: pd.DataFrame) -> list[dict[str, Any]]:
    """Describe counts that are already published by area."""
    counts = pd.read_parquet(context.work("published_counts.parquet"))
    quality = read_json(context.work("quality.json") if context.work("quality.json").is_file() else
                        context.folder / "quality.json")  # fmt: skip
    found = []
    for source in context.config.published_counts:
        mine = counts[counts["source"] == source.name]
        own = refused[refused["source"].str.split("/").str[0] == source.name]
        months = mine.groupby("month")["value"].count()
        columns = {key.rpartition(".")[2]: column for key, column in count_columns(source)}
        found.append(
            {
                "source": source.name,
                "files": len(expand(source.paths, base=context.base, key="published_counts.paths")),
                "rows_read": quality["accounting"]["rows_read"],
                "all_rows": True,
                "rows_per_file": None,
                "incidents": len(mine),
                "refused": _refused(own, quality["accounting"]["rows_read"], columns),
                "columns": columns | ({"wide": source.columns.wide} if source.columns.wide else {}),
                "dates": [source.period_format],
                "matched_pct": quality["matched_pct"],
                "months": {_month(m): int(n) for m, n in months.items()},
                "months_without_rows": _gaps(mine["month"]),
                "categories": {str(c): int(n) for c, n in mine["category"].value_counts().sort_index().items()},
                "unknown_categories": quality["ignored_categories"].get("listed", {}),
            }
        )
    return found


def _refused(refused: pd.DataFrame, rows: int, columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Count the refused rows by rule, with the values that broke it."""
    found = []
    for rule, group in refused.groupby("rule", sort=True):
        asked = _ABOUT.get(str(rule).split("_", maxsplit=1)[0], _PLACES)
        names = [str(columns[role]).rpartition(" (")[0] or str(columns[role]) for role in asked if columns.get(role)]
        examples = dict.fromkeys(_example(raw, names) for raw in group["raw"].head(100))
        found.append(
            {
                "rule": rule,
                "rows": len(group),
                "pct": _pct(len(group), rows),
                "reason": group["reason"].iloc[0],
                "examples": [e for e in examples if e][:_EXAMPLES],
            }
        )
    return found


def _example(raw: str, names: Sequence[str]) -> str:
    """Return the values of a refused row in the columns that the rule is about."""
    try:
        row = json.loads(raw)
    except ValueError:
        return ""
    return ", ".join(f"{name} {row[name]!r}" for name in names if name in row)


def _extent(read: pd.DataFrame, context: Context) -> dict[str, Any]:
    """Set the extent of the points beside that of the areas, and say where those outside lie."""
    points = read[read["easting_m"].notna()]
    inside = points[points["place"] == Place.POINT]
    outside = points[points["place"] == Place.OUTSIDE]
    return {
        "points": len(points),
        "inside": len(inside),
        "inside_pct": _pct(len(inside), len(points)),
        "outside": len(outside),
        "points_extent_m": _bounds(points),
        "areas_extent_m": _area_bounds(context),
        "outside_extent_m": _bounds(outside),
        "without_a_point": len(read) - len(points),
    }


def _bounds(points: pd.DataFrame) -> list[int] | None:
    if not len(points):
        return None
    low, high = points[["easting_m", "northing_m"]].min(), points[["easting_m", "northing_m"]].max()
    return [round(float(v)) for v in (*low, *high)]


def _area_bounds(context: Context) -> list[int]:
    import shapely

    table = pd.read_parquet(context.work("boundaries.parquet"), columns=["level", "geometry"])
    whole = shapely.from_wkb(table.loc[table["level"] == Level.REGION, "geometry"].to_numpy())
    return [round(float(v)) for v in shapely.total_bounds(whole)]


def _empty_areas(read: pd.DataFrame, areas: pd.DataFrame) -> dict[str, Any]:
    """Name the covered areas that no row lies in."""
    covered = areas[areas["covered"].astype(bool)]
    found = {}
    for level, column, key in (
        (Level.BOROUGH, "borough_code", "boroughs_without_incidents"),
        (Level.WARD, "ward_code", "wards_without_incidents"),
    ):
        of_level = covered[covered["level"] == level]
        found[key] = of_level.loc[~of_level["area_code"].isin(read[column].dropna().unique()), "name"].tolist()
    return found


def _categories(read: pd.DataFrame) -> dict[str, int]:
    """Count the incidents of each category; one incident may be in several."""
    met = read["categories"].dropna().value_counts()
    found: dict[str, int] = {}
    for text, rows in met.items():
        for category in str(text).split(";"):
            if category:
                found[category] = found.get(category, 0) + int(rows)
    return dict(sorted(found.items()))


def _gaps(months: pd.Series) -> list[str]:
    """Return the months between the first and the last that have no row."""
    if not len(months):
        return []
    met = {int(m) for m in months.unique()}
    first, last = min(met), max(met)
    every = pd.period_range(_month(first), _month(last), freq="M")
    return [str(p) for p in every if p.year * 100 + p.month not in met]


def _month(number: Any) -> str:
    return f"{int(number) // 100:04d}-{int(number) % 100:02d}"


def _each(reports: Sequence[Mapping[str, Any]], decision: str) -> list[str]:
    return list(dict.fromkeys(str(r["decisions"][decision]) for r in reports if r["decisions"].get(decision)))


def _summed(reports: Sequence[Mapping[str, Any]], key: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for report in reports:
        for text, rows in report[key].items():
            found[text] = found.get(text, 0) + rows
    return dict(sorted(found.items()))


def _pct(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
