"""One run: choose the stages that are stale, build beside the last run, swap, and leave a manifest."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pipeline.config import Config, parse_config
from pipeline.errors import ConfigError, EngineError, HotspotsError, InputError
from pipeline.release.ledger import make_good, recorded
from pipeline.stages import STAGES, Context, Progress, Stage, input_files
from pipeline.stages.engines import DaskEngine, Engine, LocalEngine
from pipeline.storage.files import read_json, write_json, write_text
from pipeline.storage.manifest import Fingerprints, code_version, key_of, versions
from pipeline.storage.salt import salt_of
from pipeline.storage.workspace import Workspace, link_tree

__all__ = ["Outcome", "load_config", "run", "stage_states"]


@dataclass(slots=True)
class Outcome:
    """What a run did."""

    folder: Path
    ran: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    seconds: float = 0.0
    recovered: str | None = None
    manifest: dict[str, Any] = field(default_factory=dict)


def load_config(path: Path) -> Config:
    """Read and check the configuration.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or a setting is wrong.
    """
    try:
        data = yaml.safe_load(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist: write one with `hotspots init extract`, or name another with --config"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): save it as UTF-8 text") from None
    except RecursionError:
        raise ConfigError(
            f"{path} is nested too deeply to be a configuration: write it again from a template"
        ) from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise ConfigError(f"{path}{line} is not YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no settings: write one with `hotspots init extract --force`")
    return parse_config(data, where=str(path))


def run(
    config_path: Path, *, progress: Progress, start: str | None = None, only: Sequence[str] = (), force: bool = False
) -> Outcome:
    """Bring the outputs of a configuration up to date.

    Parameters
    ----------
    config_path
        The configuration; paths in it are relative to its folder.
    progress
        Told how far long steps have come.
    start
        Run this stage and all after it, fresh or not.
    only
        Run these stages and no other; what comes before them must be fresh.
    force
        Run everything.

    Raises
    ------
    HotspotsError
        With the exit code of its branch. The last complete run is then as it was.
    """
    began = time.monotonic()
    config = load_config(config_path)
    base = config_path.resolve().parent
    workspace = Workspace(base / config.run.output_dir / config.run.name)
    outcome = Outcome(folder=workspace.folder)
    with workspace.locked():
        outcome.recovered = workspace.recover()
        make_good(workspace.folder, outputs=workspace.folder.parent)
        prints = Fingerprints(workspace.folder / "manifest.json")
        states = _states(config, base, workspace.folder, prints)
        chosen = _choose(states, start=start, only=only, force=force)
        outcome.fresh = [s.name for s, _, fresh in states if fresh and s.name not in chosen]
        if not chosen:
            outcome.manifest = read_json(workspace.folder / "manifest.json")
            outcome.seconds = time.monotonic() - began
            return outcome
        try:
            job = _Job(config, base, workspace, prints, progress, began, force)
            outcome.manifest = job.build(states, chosen)
            outcome.ran = chosen
            with recorded(workspace.growing, outputs=workspace.folder.parent):
                workspace.swap()
        except OSError as error:
            workspace.abandon()
            raise _stopped(error, workspace.folder) from error
        except BaseException:
            workspace.abandon()
            raise
    outcome.seconds = time.monotonic() - began
    return outcome


def _stopped(error: OSError, folder: Path) -> HotspotsError:
    """Say what an operator can do about what the disk said."""
    where = error.filename if isinstance(error.filename, str | Path) else folder
    if Path(where).is_relative_to(Path(__file__).parents[1]):
        return EngineError(
            f"this installation is not whole ({where}: {error.strerror or error}): install the project again; "
            "`hotspots doctor` names what is missing. The last complete outputs are as they were."
        )
    return InputError(
        f"{where}: {error.strerror or error}: the run was stopped and the last complete outputs were left as they "
        "were. Free the disk or mend the permission and run again."
    )


State = tuple[Stage, str, bool]


def stage_states(config_path: Path) -> list[tuple[Stage, bool]]:
    """Return every stage and whether its outputs are fresh."""
    config = load_config(config_path)
    base = config_path.resolve().parent
    folder = base / config.run.output_dir / config.run.name
    prints = Fingerprints(folder / "manifest.json")
    return [(stage, fresh) for stage, _, fresh in _states(config, base, folder, prints)]


def _states(config: Config, base: Path, folder: Path, prints: Fingerprints) -> list[State]:
    """Work out each stage's key (settings, inputs, code, everything upstream) and whether the last run has it."""
    inputs = prints.of(input_files(config, base), base=base)
    last: dict[str, Any] = {}
    if (folder / "manifest.json").is_file():
        with contextlib.suppress(InputError):
            last = read_json(folder / "manifest.json").get("stages", {})
    upstream = key_of({"code": code_version(), "inputs": inputs})
    settings = config.settings()
    states, all_fresh = [], True
    for stage in STAGES:
        upstream = key_of({"before": upstream, "settings": {s: settings[s] for s in stage.sections}})
        record = last.get(stage.name, {})
        whole = all((folder / name).is_file() and (folder / name).stat().st_size == size
                    for name, size in record.get("outputs", {}).items())  # fmt: skip
        all_fresh = all_fresh and record.get("key") == upstream and whole
        states.append((stage, upstream, all_fresh))
    return states


def _choose(states: list[State], *, start: str | None, only: Sequence[str], force: bool) -> list[str]:
    names = [stage.name for stage, _, _ in states]
    for name in (*([start] if start else []), *only):
        if name not in names:
            raise ConfigError(f'there is no stage "{name}": the stages are {", ".join(names)}')
    if force:
        return names
    if only:
        chosen = [n for n in names if n in only]
        before = [s.name for s, _, fresh in states[: names.index(chosen[0])] if not fresh]
        if before:
            raise ConfigError(
                f"--only {chosen[0]} needs the stages before it, but {', '.join(before)} is stale: run without --only"
            )
        return chosen
    stale = next((i for i, (_, _, fresh) in enumerate(states) if not fresh), len(names))
    return names[min(stale, names.index(start) if start else len(names)) :]


@dataclass(frozen=True, slots=True)
class _Job:
    """What building a run needs to know."""

    config: Config
    base: Path
    workspace: Workspace
    prints: Fingerprints
    progress: Progress
    began: float
    force: bool

    def build(self, states: list[State], chosen: list[str]) -> dict[str, Any]:
        """Run the chosen stages in the growing folder, carry over what is fresh, and return the manifest."""
        folder = self.workspace.begin()
        last = self.workspace.folder if (self.workspace.folder / "manifest.json").is_file() else None
        old = read_json(last / "manifest.json")["stages"] if last else {}
        manifest: dict[str, Any] = {
            "run": self.config.run.name,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": self.config.settings(),
            "versions": versions(),
            "code": code_version(),
            "inputs": sorted(self.prints.files.values(), key=lambda entry: str(entry["path"])),
            "stages": {},
        }
        engine = _engine(self.config)
        try:
            for stage, key, _ in states:
                if stage.name in chosen:
                    manifest["stages"][stage.name] = {"key": key, **self._run(stage, folder, last, engine)}
                elif last and stage.name in old:
                    for name in old[stage.name]["outputs"]:
                        link_tree(last / name, folder / name)
                    manifest["stages"][stage.name] = {**old[stage.name], "carried_over": True}
        finally:
            engine.close()
        if last and "aggregate" not in chosen:
            for path in sorted(last.glob("backtest.*")):
                link_tree(path, folder / path.name)
        manifest["seconds"] = round(time.monotonic() - self.began, 3)
        write_json(folder / "manifest.json", manifest)
        from pipeline.publish.run_page import front_door

        quality = read_json(folder / "quality.json") if (folder / "quality.json").is_file() else {}
        write_text(folder / "index.html", front_door(folder, manifest=manifest, quality=quality))
        return manifest

    def _run(self, stage: Stage, folder: Path, last: Path | None, engine: Engine) -> dict[str, Any]:
        context = Context(
            config=self.config,
            base=self.base,
            folder=folder,
            last=None if self.force else last,
            engine=engine,
            progress=self.progress,
            salt=salt_of(folder.parent),
            checksums=self.prints.checksums,
        )
        before, at = _files(folder), time.monotonic()
        stage.run(context)
        return {
            "seconds": round(time.monotonic() - at, 3),
            "carried_over": False,
            "choices": context.choices,
            "counters": context.counters,
            "cautions": context.cautions,
            "outputs": {name: size for name, size in _files(folder).items() if name not in before},
        }


def _files(folder: Path) -> dict[str, int]:
    """Return every file of the folder and its size."""
    return {p.relative_to(folder).as_posix(): p.stat().st_size for p in sorted(folder.rglob("*")) if p.is_file()}


def _engine(config: Config) -> Engine:
    if config.run.engine == "dask":
        return DaskEngine(
            scheduler=config.run.scheduler, workers=config.run.workers, memory_limit_mb=config.run.memory_limit_mb
        )
    return LocalEngine()
