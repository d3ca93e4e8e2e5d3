"""Release: each profile's tables through the gate, kept in work/ for publishing."""

import dataclasses
from datetime import date
from pathlib import Path

import pandas as pd

from pipeline.config import Profile
from pipeline.release.circumstances import Told
from pipeline.release.gate import Detected, Passed, examine
from pipeline.release.ledger import Ledger, keep_entry
from pipeline.release.previous_releases import AUDIENCES, Past, past_of
from pipeline.release.protect import RefusedError
from pipeline.release.released import CategoryInfo, pack
from pipeline.stages import Context
from pipeline.stages.checks import settings_cautions
from pipeline.stages.context import RecordKind
from pipeline.stages.surroundings import ground_of, known_of
from pipeline.storage.files import read_json, write_json
from pipeline.storage.parquet import read_layer, read_table, write_layer, write_table
from pipeline.tables import AREA_COUNTS, AREA_MONTHS, AREAS, CIRCUMSTANCES, LOCATIONS

__all__ = ["run"]


def run(context: Context) -> None:
    """Protect, derive, and keep what passed: the folders that most people may read come first."""
    detected = _detected(context)
    source = context.config.disclosure.data_source or context.config.run.name
    ledger = Ledger.of(context.folder.parent, source=source)
    past, head = list(ledger.releases(areas=detected.areas)), ledger.head
    detected = dataclasses.replace(detected, told=tuple(Told.of(entry) for entry in ledger.circumstances()))
    profiles = sorted(context.config.profiles, key=lambda p: AUDIENCES[p.audience])
    for number, profile in enumerate(profiles, start=1):
        passed = _examined(context, detected, profile, past)
        folder = context.work(f"release/{profile.name}")
        _keep(context, passed, profile)
        if profile.audience != "internal":
            mine = past_of(passed.released)
            keep_entry(folder, mine, passed.told, source=source, head=head, order=number)
            detected = dataclasses.replace(detected, told=(*detected.told, *([passed.told] if passed.told else [])))
            past += [mine] if mine.digest not in {p.digest for p in past} else []
        context.progress("releasing", number, len(profiles))
    _refused_log(context).unlink(missing_ok=True)
    context.counters["profiles"] = len(profiles)
    context.cautions += settings_cautions(context.config)


def _examined(context: Context, detected: Detected, profile: Profile, past: list[Past]) -> Passed:
    """Take a profile through the gate; name the cells of a refusal in a log that stays in the house."""
    try:
        return examine(detected, profile=profile, config=context.config, past=past, secret=context.salt)
    except RefusedError as error:
        path = _refused_log(context)
        columns = ["level", "area_code", "period", "category", "measure", "release_id"]
        named = error.cells[[c for c in columns if c in error.cells]].astype("str").to_dict("records")
        write_json(path, {"profile": profile.name, "why": str(error), "cells": named})
        raise RefusedError(f"{error} The counts are named in {path}, which stays in the house.", error.cells) from None


def _refused_log(context: Context) -> Path:
    return context.folder.parent / f".{context.config.run.name}.refused.json"


def _keep(context: Context, passed: Passed, profile: Profile) -> None:
    """Write a release and the books on it."""
    folder, packed = context.work(f"release/{profile.name}"), pack(passed.released)
    write_layer(folder / "areas.parquet", packed.areas)
    write_table(folder / "counts.parquet", AREA_COUNTS, packed.counts)
    write_layer(folder / "hotspots.parquet", packed.hotspots)
    write_layer(folder / "density.parquet", packed.density)
    write_table(folder / "circumstances.parquet", CIRCUMSTANCES, packed.circumstances)
    write_json(folder / "release.json", {"info": packed.info, "record": packed.record, "digest": packed.digest})
    write_json(folder / "withheld.json", passed.log)
    if len(passed.states):
        passed.states.to_parquet(folder / "withheld.parquet", index=False, compression="zstd")
    context.choices[f"audit {profile.name}"] = packed.info["audit"]
    if passed.log.get("withheld_per_primary"):
        context.choices[f"withheld per primary {profile.name}"] = passed.log["withheld_per_primary"]


def _detected(context: Context) -> Detected:
    """Gather what the earlier stages found."""
    crs = context.config.crs.working
    found, span = read_json(context.work("detect.json")), read_json(context.work("span.json"))
    record = read_json(context.work("ingest.json"))
    history, facets = context.work("emerging.parquet"), context.work("facets.parquet")
    people = pd.read_parquet(context.work("denominators.parquet"))
    names = [n for n in found["windows"] if context.work(f"hotspots/{n}.parquet").is_file()]
    return Detected(
        areas=read_table(context.work("areas.parquet"), AREAS, crs=crs),
        area_months=read_table(context.work("area_months.parquet"), AREA_MONTHS),
        categories=tuple(CategoryInfo(c["id"], c["label"], c["parent"]) for c in record["categories"]),
        first_date=date.fromisoformat(span["first"]),
        last_date=date.fromisoformat(span["last"]),
        locations=read_table(context.work("locations.parquet"), LOCATIONS),
        hotspots={n: read_layer(context.work(f"hotspots/{n}.parquet")) for n in names},
        members={n: pd.read_parquet(context.work(f"hotspots/{n}.members.parquet")) for n in names},
        bandwidth_m=found["bandwidth_m"],
        emerging=pd.read_parquet(history) if history.is_file() else None,
        has_points=record["kind"] == RecordKind.INCIDENTS,
        ground=ground_of(context),
        known=known_of(context),
        facets=pd.read_parquet(facets) if facets.is_file() else None,
        denominators=people if len(people) else None,
    )
