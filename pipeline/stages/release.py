"""Release: each profile's tables through the gate, kept in work/ for publishing."""

from datetime import date

import pandas as pd

from pipeline.disclosure import CategoryInfo, Detected, pack, release
from pipeline.records import read_json, write_json
from pipeline.schemas import AREA_COUNTS, AREA_MONTHS, AREAS, LOCATIONS
from pipeline.stages import Context
from pipeline.store import read_layer, read_table, write_layer, write_table

__all__ = ["run"]


def run(context: Context) -> None:
    """Protect, derive, and keep what passed."""
    detected = _detected(context)
    for number, profile in enumerate(context.config.profiles, start=1):
        packed = pack(release(detected, profile=profile, config=context.config))
        folder = context.work(f"release/{profile.name}")
        write_layer(folder / "areas.parquet", packed.areas)
        write_table(folder / "counts.parquet", AREA_COUNTS, packed.counts)
        write_layer(folder / "hotspots.parquet", packed.hotspots)
        write_layer(folder / "density.parquet", packed.density)
        write_json(folder / "release.json", {"info": packed.info, "record": packed.record, "digest": packed.digest})
        context.choices[f"audit {profile.name}"] = packed.info["audit"]
        context.progress("releasing", number, len(context.config.profiles))
    context.counters["profiles"] = len(context.config.profiles)


def _detected(context: Context) -> Detected:
    """Gather what the earlier stages found."""
    crs = context.config.crs.working
    found, span = read_json(context.work("detect.json")), read_json(context.work("span.json"))
    record = read_json(context.work("ingest.json"))
    history = context.work("emerging.parquet")
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
        has_points=record["kind"] == "incidents",
    )
