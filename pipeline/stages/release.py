"""Release: each profile's tables through the gate, kept in work/ for publishing.

Besides the tables of the earlier stages, the gate reads the ledger of the data, external tables that readers know, and
layers of addresses, of institutions and of what names a place: the second and third part of this module.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from pipeline.aggregate.coverage import Extent
from pipeline.aggregate.precision import Basis
from pipeline.config import KnownTable, Profile
from pipeline.domain.categories import outside_total
from pipeline.domain.periods import Period, Span, without_months
from pipeline.errors import ConfigError, InputError
from pipeline.geography.levels_above import LevelsAbove
from pipeline.ingest import closed, existing, read_counts, read_lookup, require_size, stored_mask, unpacked
from pipeline.release.calendar import Before, Reissue, keep, last_complete_month, windows_of_release
from pipeline.release.earlier_releases import AUDIENCES, EarlierRelease, as_earlier_release
from pipeline.release.gate import Detected, Passed, Shared, examine
from pipeline.release.hotspot_names import Landmarks
from pipeline.release.hotspots import Premises
from pipeline.release.ledger import (
    Ledger,
    anchor_of,
    choose_ledger,
    entry_of,
    key_name,
    ledger_roots,
    root_key,
    save_pending,
)
from pipeline.release.patterns import has_geometry
from pipeline.release.protect import RefusedError
from pipeline.release.released import CategoryInfo, pack
from pipeline.release.sketches import Sketches, sketches_of_counts, sketches_of_incidents
from pipeline.release.stored import FOR_THE_OWNER, read_patterns
from pipeline.stages import Context, RecordKind
from pipeline.stages.checks import RELEASE_COLUMNS
from pipeline.storage.files import (
    read_columns,
    read_json,
    read_layer,
    read_table,
    write_json,
    write_layer,
    write_private,
    write_table,
)
from pipeline.tables import (
    AREA_COUNTS,
    AREA_DAYS,
    AREA_MONTHS,
    AREAS,
    CIRCUMSTANCES,
    CONCENTRATION,
    CONTEXT,
    HOTSPOT_FACTS,
    STREET_RUNS,
    Level,
)

__all__ = ["OpenLedger", "foresee", "open_ledger", "read_known_tables", "released_anchor", "run"]


def run(context: Context) -> None:
    """Release every profile: the closest audience first, because counts not offered to it are offered to nobody.

    Internal profiles wait for none and bind none: a second process releases one meanwhile, and the others come last.
    """
    opened, reissue = open_ledger(context), _reissue(context)
    profiles = sorted(context.config.profiles, key=lambda p: (-AUDIENCES[p.audience], p.step))
    internal = [(p, context.second.start(_release_alone, context, p)) for p in profiles if p.audience == "internal"]
    detected = _load(context)
    releases: list[EarlierRelease] = list(opened.releases)
    entries: list[dict[str, Any]] = []
    shared = Shared()
    released = [profile for profile in profiles if profile.audience != "internal"]

    for number, profile in enumerate(released, start=1):
        passed = _examine(context, detected, profile, Before(tuple(releases), opened.forgotten, reissue), shared)
        context.choices |= _save(context, passed, profile)
        # Each folder is an earlier release for the folders after it: readers may hold several.
        if opened.ledger is not None:
            release = as_earlier_release(passed.released)
            entry = entry_of(release, opened.ledger, releases)
            releases.append(release)
            entries += [entry] if entry else []
        context.progress("releasing", number, len(profiles))
    for number, (profile, task) in enumerate(internal, start=len(released) + 1):
        context.choices |= task.result(context.progress) or _release_internal(context, profile, detected, opened)
        context.progress("releasing", number, len(profiles))

    if opened.ledger is not None:
        path = context.work("release/ledger.json")
        synthetic = context.config.run.synthetic
        save_pending(path, opened.ledger, entries, sketches=opened.sketches, synthetic=synthetic)
    _refused_log(context).unlink(missing_ok=True)
    context.counters["profiles"] = len(profiles)


def _release_alone(context: Context, profile: Profile) -> dict[str, Any]:
    """Release an internal profile in the second process, which loads for itself."""
    return _release_internal(context, profile, _load(context), open_ledger(context))


def _release_internal(context: Context, profile: Profile, detected: Detected, opened: "OpenLedger") -> dict[str, Any]:
    """Release an internal profile, which earlier releases give nothing but the first month; return the choices."""
    before = Before(opened.releases, opened.forgotten, None)
    return _save(context, _examine(context, detected, profile, before, Shared()), profile)


def foresee(context: Context, *, whole: bool) -> None:
    """Refuse what the calendar would refuse because of earlier releases, before any number is made.

    Parameters
    ----------
    context
        A run as far as its areas are counted.
    whole
        Whether every row was read: only then are the last month and the windows those of a run.

    Raises
    ------
    DisclosureError
        If a profile contradicts an earlier release.
    """
    opened, config = open_ledger(context), context.config
    if not opened.releases:
        return
    span = Span.restored(read_json(context.work("span.json")))
    latest = max(release.data_to for release in opened.releases)
    data_to = last_complete_month(span.first, span.last) if whole else latest
    areas = read_table(context.work("areas.parquet"), AREAS, crs=config.crs.working)
    before = Before(opened.releases, opened.forgotten, None)
    for profile in config.profiles:
        kept = keep(before, profile=profile, config=config, data_to=data_to)
        if whole:
            windows_of_release(
                profile, config, kept=kept, areas=areas, span=(span.first, span.last), lacking=span.lacking
            )


def _reissue(context: Context) -> Reissue | None:
    """Return the correction that was asked for.

    Raises
    ------
    ConfigError
        If it names no released profile.
    """
    asked = context.reissue
    released = [p.name for p in context.config.profiles if p.audience != "internal"]
    if asked is not None and asked[0] not in released:
        listed = ", ".join(released) or "none"
        raise ConfigError(f"--reissue {asked[0]}: there is no such released profile; there are {listed}")
    return None if asked is None else Reissue(*asked)


def _load(context: Context) -> Detected:
    """Gather what the earlier stages found."""
    settings = context.config.disclosure
    found, span = read_json(context.work("detect.json")), Span.restored(read_json(context.work("span.json")))
    record = read_json(context.work("ingest.json"))
    areas = read_table(context.work("areas.parquet"), AREAS, crs=context.config.crs.working)
    outside = outside_total(context.config.categories)
    history, facets = context.work("emerging.parquet"), context.work("facets.parquet")
    people = pd.read_parquet(context.work("denominators.parquet"))
    quality = read_json(context.folder / "quality.json")
    names = [n for n in found["windows"] if context.work(f"hotspots/{n}.parquet").is_file()]
    return Detected(
        areas=areas,
        area_months=read_table(context.work("area_months.parquet"), AREA_MONTHS),
        area_days=read_table(context.work("area_days.parquet"), AREA_DAYS),
        categories=tuple(
            CategoryInfo(c["id"], c["label"], c["parent"], c["id"] in outside) for c in record["categories"]
        ),
        first_date=span.first,
        last_date=span.last,
        lacking=span.lacking,
        locations=partial(_locations, context, span),
        hotspots={n: read_layer(context.work(f"hotspots/{n}.parquet")) for n in names},
        members={n: pd.read_parquet(context.work(f"hotspots/{n}.members.parquet")) for n in names},
        facts={
            n: read_table(path, HOTSPOT_FACTS)
            for n in names
            if (path := context.work(f"hotspots/{n}.facts.parquet")).is_file()
        },
        cores={n: read_layer(context.work(f"hotspots/{n}.cores.parquet")) for n in names},
        concentration={n: table for n in found["windows"] if len(table := _concentration(context, n))},
        streets={
            n: read_layer(path) for n in found["windows"] if (path := context.work(f"streets/{n}.parquet")).is_file()
        },
        street_runs={
            n: read_table(path, STREET_RUNS)
            for n in found["windows"]
            if (path := context.work(f"streets/{n}.runs.parquet")).is_file()
        },
        patterns={n: read_patterns(context.work(f"patterns/{n}")) for n in found["windows"]},
        hotspots_by_category={n: read_layer(context.work(f"hotspots/{n}.by_category.parquet")) for n in names},
        members_by_category={
            n: pd.read_parquet(context.work(f"hotspots/{n}.by_category.members.parquet")) for n in names
        },
        min_samples={n: used for n in names if (used := found["windows"][n].get("min_samples"))},
        bandwidth_m=found["bandwidth_m"],
        emerging=pd.read_parquet(history) if history.is_file() else None,
        has_points=record["kind"] == RecordKind.INCIDENTS,
        premises=dataclasses.replace(read_premises(context), landmarks=read_landmarks(context, areas)),
        known_tables=read_known_tables(context) if settings.known_tables else None,
        facets=pd.read_parquet(facets) if facets.is_file() else None,
        denominators=people if len(people) else None,
        extent=Extent.of_quality(quality),
        basis=Basis.of_quality(quality),
        levels=read_json(context.work("levels.json")),
        mask=stored_mask(context.work("mask.parquet")),
        above=_levels_above(context, record, areas),
    )


def _locations(context: Context, span: Span, period: Period) -> pd.DataFrame:
    """Read the locations of a period; the other months are not held, as there may be many."""
    months = (period.first_month, period.last_month)
    columns = ["easting_m", "northing_m", "month", "categories", "incidents"]
    rows = read_columns([context.work("locations.parquet")], columns, months=months)
    # Where sources differ, a month that one of them lacks would draw only the places of the others.
    return without_months(rows, span.lacking.uneven)


def _levels_above(context: Context, record: dict[str, Any], areas: gpd.GeoDataFrame) -> LevelsAbove | None:
    """Return the third and the fourth level, where there are any."""
    inside = record["areas"].get("levels_inside")
    if not inside:
        return None
    above = read_table(context.work("levels_above.parquet"), AREAS, crs=context.config.crs.working)
    return LevelsAbove(above, inside).settled(areas)


def _concentration(context: Context, window: str) -> pd.DataFrame:
    """Read the table of concentration of a window: by areas and cells, and by street segments where there are any."""
    paths = (context.work(f"concentration/{window}.parquet"), context.work(f"streets/{window}.concentration.parquet"))
    found = [read_table(path, CONCENTRATION) for path in paths if path.is_file()]
    return pd.concat(found, ignore_index=True) if found else CONCENTRATION.empty()


def _examine(context: Context, detected: Detected, profile: Profile, before: Before, shared: Shared) -> Passed:
    """Release one profile; if it is refused, list the cells in a log for the data owner."""
    try:
        return examine(
            detected,
            profile=profile,
            config=context.config,
            before=before,
            secret=context.salt,
            shared=shared,
            progress=context.progress,
        )
    except RefusedError as error:
        path = _refused_log(context)
        columns = ["level", "area_code", "period", "category", "measure", "release_id"]
        named = error.cells[[c for c in columns if c in error.cells]].astype("str").to_dict("records")
        write_json(path, {"profile": profile.name, "why": str(error), "cells": named})
        raise RefusedError(
            f"{error} The counts are named in {path}, which is for the data owner alone.", error.cells
        ) from None


def _save(context: Context, passed: Passed, profile: Profile) -> dict[str, Any]:
    """Write a release, and the log for the data owner; return what was chosen."""
    folder, packed = context.work(f"release/{profile.name}"), pack(passed.released)
    write_layer(folder / "areas.parquet", packed.areas)
    write_table(folder / "counts.parquet", AREA_COUNTS, packed.counts)
    write_layer(folder / "hotspots.parquet", packed.hotspots)
    write_layer(folder / "density.parquet", packed.density)
    write_layer(folder / "hotspots_by_category.parquet", packed.hotspots_by_category)
    write_layer(folder / "density_by_category.parquet", packed.density_by_category)
    write_table(folder / "circumstances.parquet", CIRCUMSTANCES, packed.circumstances)
    write_table(folder / "facts.parquet", HOTSPOT_FACTS, packed.facts)
    write_layer(folder / "hotspot_cores.parquet", packed.cores)
    write_table(folder / "concentration.parquet", CONCENTRATION, packed.concentration)
    write_layer(folder / "streets.parquet", packed.streets)
    write_table(folder / "street_runs.parquet", STREET_RUNS, packed.street_runs)
    for table, rows in packed.patterns:
        path = folder / "patterns" / f"{table.name}.parquet"
        if has_geometry(table):
            write_layer(path, rows)
        else:
            write_table(path, table, rows)
    write_json(folder / "release.json", {"info": packed.info, "record": packed.record, "digest": packed.digest})
    log, states = FOR_THE_OWNER
    write_json(folder / log, passed.log)
    if len(passed.states):
        passed.states.to_parquet(folder / states, index=False, compression="zstd")
    choices = {f"audit {profile.name}": packed.info["audit"]}
    if passed.log.get("withheld_per_primary"):
        choices[f"withheld per primary {profile.name}"] = passed.log["withheld_per_primary"]
    return choices


def _refused_log(context: Context) -> Path:
    return context.folder.parent / f".{context.config.run.name}.refused.json"


# The ledger of a run: found by what the data is, opened once, and handed to the stages that need it.

_SKETCHES = "sketches.json"


@dataclass(frozen=True, slots=True)
class OpenLedger:
    """What has been released from the data of a run.

    Attributes
    ----------
    ledger
        The ledger; None where the run releases nothing.
    releases
        Its releases, oldest first.
    forgotten
        Whether earlier releases were forgotten.
    sketches
        What the data is, by the name of the key.
    """

    ledger: Ledger | None = None
    releases: tuple[EarlierRelease, ...] = ()
    forgotten: bool = False
    sketches: dict[str, Sketches] = field(default_factory=dict)


def released_anchor(context: Context) -> int | None:
    """Return the month (yyyymm) that fixed windows of earlier releases are counted from; None where there are none.

    Errors are those of `open_ledger`.
    """
    ledger, _, _ = _find(context)
    lines = ledger.epoch()[0] if ledger is not None else []
    return anchor_of(lines[0]) if lines else None


def open_ledger(context: Context) -> OpenLedger:
    """Find the ledger of the run's data and read it.

    Raises
    ------
    DisclosureError
        If it is damaged, cannot be read, or several match.
    """
    ledger, how, sketches = _find(context)
    if ledger is None:
        return OpenLedger()
    context.choices["ledger"] = f"{ledger.name} ({ledger.identity[:8]}): {how}"
    releases = tuple(ledger.releases(crs=context.config.crs.working))
    return OpenLedger(ledger, releases, ledger.epoch()[1], sketches)


def _find(context: Context) -> tuple[Ledger | None, str, dict[str, Sketches]]:
    """Return the ledger of the run's data, how it was found, and the sketches; none where nothing is released."""
    config = context.config
    if all(profile.audience == "internal" for profile in config.profiles):
        return None, "", {}
    if context.ledgers is None:
        roots = ledger_roots(context.folder.parent, synthetic=config.run.synthetic)
    elif context.ledgers:
        roots = context.ledgers
    else:
        return None, "", {}
    sketches = _sketches(context, roots)
    ledger, how = choose_ledger(roots, sketches, source=config.disclosure.data_source, run=config.run.name)
    return ledger, how, sketches


def _sketches(context: Context, roots: tuple[Path, ...]) -> dict[str, Sketches]:
    """Sketch the data with the key of each root; the last stage that needed them left them beside its tables."""
    keys = {key_name(key): key for key in map(root_key, roots)}
    path = context.work(_SKETCHES)
    known: dict[str, Any] = read_json(path) if path.is_file() else {}
    if set(known) == set(keys):
        return {name: Sketches.restored(one) for name, one in known.items()}
    record, limit = read_json(context.work("ingest.json")), context.config.run.memory_limit_mb
    if record["kind"] == RecordKind.INCIDENTS:
        parts = [context.folder / part["part"] for part in record["parts"]]
        made = sketches_of_incidents(parts, keys=list(keys.values()), memory_limit_mb=limit)
    else:
        table = context.work("published_counts.parquet")
        made = sketches_of_counts(table, keys=list(keys.values()), memory_limit_mb=limit)
    found = dict(zip(keys, made, strict=True))
    # Somebody with both this and the key could test guessed records: only the owner of the folder may read it.
    write_private(path, json.dumps({name: one.plain() for name, one in found.items()}, sort_keys=True))
    return found


# What the gate reads besides the data: known tables, addresses, institutions, and what names a place.

_KEY = ["area_code", "period", "category", "measure"]
_MEASURES = ("incidents", "incidents_unplaced", "positive_outcomes", "known_outcomes")


def read_premises(context: Context) -> Premises:
    """Read the layers of addresses and institutions, where they are configured."""
    settings = context.config.disclosure
    addresses = _shapes(context, settings.addresses, "disclosure.addresses") if settings.addresses else None
    institutions = _shapes(context, settings.institutions, "disclosure.institutions") if settings.institutions else None
    places = None
    if addresses is not None:
        centres = shapely.point_on_surface(addresses)
        places = np.column_stack([shapely.get_x(centres), shapely.get_y(centres)])
    return Premises(addresses=places, institutions=np.empty(0, dtype=object) if institutions is None else institutions)


def read_landmarks(context: Context, areas: gpd.GeoDataFrame) -> Landmarks | None:
    """Return what can name a hotspot; None where `context` has nothing of the kind."""
    frame = read_table(context.work("context.parquet"), CONTEXT, crs=context.config.crs.working)
    boroughs = areas[areas["level"] == Level.BOROUGH]
    return Landmarks(frame, boroughs.geometry.to_numpy(), boroughs["area_code"].tolist()) if len(frame) else None


def _shapes(context: Context, path: str, key: str) -> Any:
    """Read a layer's geometry in the working system."""
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    file = existing(path, base=context.base, what=key)
    try:
        with unpacked(file, limits=context.config.run, scratch=context.folder) as plain:
            require_size(plain, limits=context.config.run)
            with closed(plain) as source:
                layer = pyogrio.read_dataframe(source, columns=[])
    except (DataSourceError, DataLayerError) as error:
        raise InputError(f"{key}: {file.name} cannot be read as a map layer ({error})") from None
    if layer.crs is None:
        raise InputError(f"{key}: {file.name} does not state its coordinate system: save it with one")
    shapes = layer.to_crs(context.config.crs.working).geometry.to_numpy()
    return shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]


def read_known_tables(context: Context) -> pd.DataFrame | None:
    """Read the external tables that readers know: area_code, period, category, measure, value."""
    frames = [_known(context, table) for table in context.config.disclosure.known_tables]
    return pd.concat(frames, ignore_index=True) if frames else None


def _known(context: Context, table: KnownTable) -> pd.DataFrame:
    path = context.base / table.path
    if path.is_file():  # one that is not there is named by what reads it
        require_size(path, limits=context.config.run, whole=True)
    return _of_source(context, table, path) if table.source else _of_release(path, table)


def _of_release(path: Path, table: KnownTable) -> pd.DataFrame:
    """Read an area_counts.csv."""
    try:
        frame = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise InputError(f'known table "{table.name}": {path.name} cannot be read ({error})') from None
    missing = [c for c in RELEASE_COLUMNS if c not in frame.columns]
    if missing:
        raise InputError(
            f'known table "{table.name}": {path.name} has no column {", ".join(missing)}; it should be an '
            "area_counts.csv, or name in `source` the published source whose columns it has"
        )
    shown = [m for m in _MEASURES if m in frame.columns]
    long = frame.melt(["area_code", "period", "category"], shown, var_name="measure", value_name="value")
    long["value"] = pd.to_numeric(long["value"], errors="coerce")
    return long[long["value"].notna()].astype({"value": "int64"})[[*_KEY, "value"]]


def _of_source(context: Context, table: KnownTable, path: Path) -> pd.DataFrame:
    """Read counts in the layout of a published source: one row per area, month, category and measure."""
    sources = {s.name: s for s in context.config.published_counts}
    if table.source not in sources:
        known = ", ".join(sorted(sources)) or "none"
        raise ConfigError(
            f'known table "{table.name}": source "{table.source}" is no published source of this configuration '
            f"(there is {known}): leave `source` out and give the table as an area_counts.csv"
        )
    config = context.config
    areas = read_table(context.work("areas.parquet"), AREAS, crs=config.crs.working)
    part = read_counts(
        path,
        source=sources[table.source],
        config=config,
        areas_table=areas,
        lookup=read_lookup(config.areas, base=context.base),
    )
    # Counts that the publisher suppressed are not known to anybody.
    rows = part.table[part.table["mapped"].astype(bool) & part.table["value"].notna()]
    month = rows["month"].astype("int64")
    period = (month // 100).astype("str") + "-" + (month % 100).astype("str").str.zfill(2)
    category = rows["category"].where(rows["category"] != config.categories.all_from, "all")
    out = pd.DataFrame({"area_code": rows["area_code"], "period": period, "category": category})
    return out.assign(measure=rows["measure"], value=rows["value"].astype("int64")).reset_index(drop=True)
