"""Which stages are fresh: the only place that decides whether the last run's outputs are still valid.

A stage is fresh when all four of these are as they were in the last complete run; otherwise it is stale and runs again:

1. its settings: the sections of the configuration that its entry in `STAGES` names, no others;
2. the input files: their SHA-256 (`storage.workspace.Fingerprints` says when a file is hashed again);
3. the code: a digest of every file of this package (`storage.workspace.code_version`);
4. the stages before it, and its own outputs, which must be there with the sizes in the manifest.

The first three, with those of the stages before, make the stage's key. Inside a stale stage, ingest and aggregate
take over single parts (one input file each) by keys of their own, made with the same `key_of`, and publish takes over
those parts of a profile's folder whose release and settings are as they were (`storage.results`).
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import Config, load_config
from pipeline.errors import InputError
from pipeline.stages import STAGES, Stage
from pipeline.stages.copies import local_copies, needs_copies
from pipeline.stages.inputs import input_files
from pipeline.storage.files import read_json
from pipeline.storage.workspace import Fingerprints, Workspace, code_version, key_of

__all__ = ["State", "stage_states", "states_of"]


@dataclass(frozen=True, slots=True)
class State:
    """The state of a stage before a run.

    Attributes
    ----------
    stage
        The stage.
    key
        Digest of everything its outputs depend on; it goes into the manifest.
    fresh
        Whether the last run's outputs are still valid.
    """

    stage: Stage
    key: str
    fresh: bool


def stage_states(config_path: Path) -> list[State]:
    """Determine whether each stage of a configuration is fresh; nothing is written.

    Raises
    ------
    ConfigError
        If the configuration cannot be used.
    InputError
        If an input file is missing.
    EngineError
        If tables of databases are to be copied, and a run is under way.
    """
    config = load_config(config_path)
    base = config_path.resolve().parent
    folder = base / config.run.output_dir / config.run.name
    locked = Workspace(folder).locked() if needs_copies(config) else contextlib.nullcontext()
    with locked, local_copies(config, base) as local:
        return states_of(local.config, base, folder, Fingerprints(folder / "manifest.json"))


def states_of(config: Config, base: Path, folder: Path, prints: Fingerprints) -> list[State]:
    """Compare what each stage depends on now with what the manifest in `folder` says of the last run.

    Parameters
    ----------
    config
        Settings.
    base
        Folder that paths start from.
    folder
        The last complete run, if there is one.
    prints
        Checksums of input files, known from the last run; those read anew are added to it.

    Returns
    -------
    states
        One per stage, in the order of `STAGES`.
    """
    last = _last_records(folder)
    # Each key contains the one before it, so what makes a stage stale makes all after it stale. The chain starts with
    # what every stage depends on. A single input is not traced to the stages that read it: all read what ingest wrote.
    key = key_of({"code": code_version(), "inputs": prints.of(input_files(config, base), base=base)})
    settings = config.settings()
    states: list[State] = []
    for stage in STAGES:
        # Only the stage's own sections: another title or profile does not detect anew.
        key = key_of({"before": key, "settings": {name: settings[name] for name in stage.sections}})
        record = last.get(stage.name, {})
        # A later stage reads the earlier ones' outputs, so it cannot be fresher than they are, even where its own key
        # matches: a file that somebody deleted from `work/` would be made again, perhaps after a repaired input.
        before = all(state.fresh for state in states)
        states.append(State(stage, key, before and record.get("key") == key and _outputs_are_there(record, folder)))
    return states


def _last_records(folder: Path) -> dict[str, Any]:
    """Return what the last run's manifest says of its stages: nothing where it is missing or damaged, so all run."""
    if (folder / "manifest.json").is_file():
        with contextlib.suppress(InputError):
            records: dict[str, Any] = read_json(folder / "manifest.json").get("stages", {})
            return records
    return {}


def _outputs_are_there(record: dict[str, Any], folder: Path) -> bool:
    """Whether every output a stage left is still there, with its size.

    Sizes, not checksums: hashing gigabytes at each start would cost more than it finds. This is against files that were
    deleted or cut off; `hotspots run --force` is for a folder that is no longer trusted.
    """
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == size
        for name, size in record.get("outputs", {}).items()
    )
