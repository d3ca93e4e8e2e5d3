"""The ledger of a run: found by what the data is, opened once, and handed to the stages that need it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.release.earlier_releases import EarlierRelease
from pipeline.release.ledger import Ledger, anchor_of, choose_ledger, key_name, ledger_roots, root_key
from pipeline.release.sketches import Sketches, sketches_of_counts, sketches_of_incidents
from pipeline.stages import Context, RecordKind
from pipeline.storage.files import read_json, write_private

__all__ = ["OpenLedger", "open_ledger", "released_anchor"]

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
    roots = ledger_roots(context.folder.parent, synthetic=config.run.synthetic)
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
