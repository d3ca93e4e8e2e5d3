"""Release: each profile's tables through the gate, kept in work/ for publishing."""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.aggregate.coverage import Extent
from pipeline.aggregate.precision import Basis
from pipeline.config import Profile
from pipeline.domain.categories import outside_total
from pipeline.domain.periods import Span, without_months
from pipeline.errors import ConfigError
from pipeline.release.calendar import Before, Reissue
from pipeline.release.earlier_releases import AUDIENCES, EarlierRelease, as_earlier_release
from pipeline.release.gate import Detected, Passed, examine
from pipeline.release.ledger import entry_of, save_pending
from pipeline.release.offer import Offer
from pipeline.release.protect import RefusedError
from pipeline.release.released import CategoryInfo, pack
from pipeline.stages import Context, RecordKind
from pipeline.stages.gate_inputs import read_known_tables, read_landmarks, read_premises
from pipeline.stages.ledgers import open_ledger
from pipeline.storage.files import read_json, read_layer, read_table, write_json, write_layer, write_table
from pipeline.tables import AREA_COUNTS, AREA_MONTHS, AREAS, CIRCUMSTANCES, HOTSPOT_FACTS, LOCATIONS

__all__ = ["run"]


def run(context: Context) -> None:
    """Release every profile: the closest audience first, because counts not offered to it are offered to nobody."""
    detected, opened = _load(context), open_ledger(context)
    reissue = _reissue(context)
    releases: list[EarlierRelease] = list(opened.releases)
    entries: list[dict[str, Any]] = []
    offers: dict[str, Offer] = {}
    profiles = sorted(context.config.profiles, key=lambda p: (-AUDIENCES[p.audience], p.step))

    for number, profile in enumerate(profiles, start=1):
        passed = _examine(context, detected, profile, Before(tuple(releases), opened.forgotten, reissue), offers)
        _save(context, passed, profile)
        # Each folder is an earlier release for the folders after it: readers may hold several.
        if profile.audience != "internal" and opened.ledger is not None:
            release = as_earlier_release(passed.released)
            entry = entry_of(release, opened.ledger, releases)
            releases.append(release)
            entries += [entry] if entry else []
        context.progress("releasing", number, len(profiles))

    if opened.ledger is not None:
        path = context.work("release/ledger.json")
        synthetic = context.config.run.synthetic
        save_pending(path, opened.ledger, entries, sketches=opened.sketches, synthetic=synthetic)
    _refused_log(context).unlink(missing_ok=True)
    context.counters["profiles"] = len(profiles)


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
        categories=tuple(
            CategoryInfo(c["id"], c["label"], c["parent"], c["id"] in outside) for c in record["categories"]
        ),
        first_date=span.first,
        last_date=span.last,
        lacking=span.lacking,
        # Where sources differ, a month that one of them lacks would draw only the places of the others.
        locations=without_months(read_table(context.work("locations.parquet"), LOCATIONS), span.lacking.uneven),
        hotspots={n: read_layer(context.work(f"hotspots/{n}.parquet")) for n in names},
        members={n: pd.read_parquet(context.work(f"hotspots/{n}.members.parquet")) for n in names},
        facts={
            n: read_table(path, HOTSPOT_FACTS)
            for n in names
            if (path := context.work(f"hotspots/{n}.facts.parquet")).is_file()
        },
        hotspots_by_category={n: read_layer(context.work(f"hotspots/{n}.by_category.parquet")) for n in names},
        members_by_category={
            n: pd.read_parquet(context.work(f"hotspots/{n}.by_category.members.parquet")) for n in names
        },
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
    )


def _examine(
    context: Context, detected: Detected, profile: Profile, before: Before, offers: dict[str, Offer]
) -> Passed:
    """Release one profile; if it is refused, list the cells in a log for the data owner."""
    try:
        return examine(
            detected, profile=profile, config=context.config, before=before, secret=context.salt, offers=offers
        )
    except RefusedError as error:
        path = _refused_log(context)
        columns = ["level", "area_code", "period", "category", "measure", "release_id"]
        named = error.cells[[c for c in columns if c in error.cells]].astype("str").to_dict("records")
        write_json(path, {"profile": profile.name, "why": str(error), "cells": named})
        raise RefusedError(
            f"{error} The counts are named in {path}, which is for the data owner alone.", error.cells
        ) from None


def _save(context: Context, passed: Passed, profile: Profile) -> None:
    """Write a release, and the log for the data owner."""
    folder, packed = context.work(f"release/{profile.name}"), pack(passed.released)
    write_layer(folder / "areas.parquet", packed.areas)
    write_table(folder / "counts.parquet", AREA_COUNTS, packed.counts)
    write_layer(folder / "hotspots.parquet", packed.hotspots)
    write_layer(folder / "density.parquet", packed.density)
    write_layer(folder / "hotspots_by_category.parquet", packed.hotspots_by_category)
    write_layer(folder / "density_by_category.parquet", packed.density_by_category)
    write_table(folder / "circumstances.parquet", CIRCUMSTANCES, packed.circumstances)
    write_table(folder / "facts.parquet", HOTSPOT_FACTS, packed.facts)
    write_json(folder / "release.json", {"info": packed.info, "record": packed.record, "digest": packed.digest})
    write_json(folder / "withheld.json", passed.log)
    if len(passed.states):
        passed.states.to_parquet(folder / "withheld.parquet", index=False, compression="zstd")
    context.choices[f"audit {profile.name}"] = packed.info["audit"]
    if passed.log.get("withheld_per_primary"):
        context.choices[f"withheld per primary {profile.name}"] = passed.log["withheld_per_primary"]


def _refused_log(context: Context) -> Path:
    return context.folder.parent / f".{context.config.run.name}.refused.json"
