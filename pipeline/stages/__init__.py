"""The stages of a run, in order: each loads, computes, saves, in a module of its name.

What each does, in words for people, is `terminal.stage.<name>` in the catalogue of words.

Exported: `STAGES`, the registry; `Stage`, an entry in it; `Context`, what a stage is handed; `Progress`;
`RecordKind`, what a run is made from.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.domain.progress import Progress
from pipeline.stages.engines import Engine
from pipeline.stages.second_process import SecondProcess

__all__ = ["STAGES", "Context", "Progress", "RecordKind", "Stage"]


class RecordKind(StrEnum):
    """What a run is made from, as `ingest.json` records it."""

    INCIDENTS = "incidents"
    PUBLISHED = "published"


@dataclass(slots=True)
class Context:
    """One run in the making.

    `folder` is being built; `last` is the last complete run, or None; `checksums` are the SHA-256 of all input files;
    `rows` says how many rows are read of each file of a source, by its name, in a trial (`trial`): a run reads all.
    A stage adds what it chose to `choices` and what it counted to `counters`; what a person should look
    at before the outputs are used is a sentence in `cautions`, or in `first_cautions` if it bears on every number. All
    go into the manifest, and none into a release. `reissue` is the profile whose numbers are to be corrected, and why.
    `ledgers` are the folders of ledgers where they are not those beside `folder`: a trial reads what is there.
    `second` is the second process of the run.
    """

    config: Config
    base: Path
    folder: Path
    last: Path | None
    engine: Engine
    progress: Progress
    salt: bytes
    checksums: Mapping[Path, str]
    rows: Mapping[str, int] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)
    counters: dict[str, Any] = field(default_factory=dict)
    first_cautions: list[str] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)
    reissue: tuple[str, str] | None = None
    ledgers: tuple[Path, ...] | None = None
    second: SecondProcess = field(default_factory=SecondProcess)

    def work(self, name: str) -> Path:
        """Return the place of a stage table."""
        return self.folder / "work" / name


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the run, and which sections of the configuration it depends on.

    Its work is `run(context)` in the module of its name, imported when it is needed.
    """

    name: str
    sections: tuple[str, ...]

    def run(self, context: Context) -> None:
        """Load, compute, save."""
        # Imported by name and late: listing the stages, or finding all of them fresh, loads no array library.
        importlib.import_module(f"pipeline.stages.{self.name}").run(context)


STAGES = (
    Stage("ingest", ("crs", "areas", "incidents", "published_counts", "categories", "quality", "context")),
    Stage("aggregate", ("periods", "detect", "outcomes")),
    Stage("detect", ("run", "rates", "change", "emerging", "harm")),
    Stage("release", ("profiles", "disclosure", "protection", "page", "map")),
    Stage("publish", ("exports",)),
)
