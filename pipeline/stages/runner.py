"""One run: choose the stages that are stale, build beside the last run, swap, and leave a manifest.

Of a run that fails, what it had refused is kept (`latest_attempt`).
"""

import contextlib
import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.config import Config, load_config
from pipeline.errors import ConfigError, EngineError, HotspotsError, InputError
from pipeline.release.ledger import make_good, recorded
from pipeline.stages import Context, Progress, Stage
from pipeline.stages.copies import Localised, local_copies
from pipeline.stages.engines import Engine, engine_of
from pipeline.stages.freshness import State, states_of
from pipeline.stages.second_process import SecondProcess
from pipeline.storage.files import read_json, write_json, write_text
from pipeline.storage.workspace import Fingerprints, Workspace, code_version, link_tree, salt_of, versions

if TYPE_CHECKING:  # a run with nothing to do must stay light
    import pandas as pd

__all__ = ["LOG", "Attempt", "Outcome", "latest_attempt", "run"]

LOG = logging.getLogger("pipeline.run")
"""Every record has `event` (its name) and `facts` (plain values): `hotspots run --log-json` writes these as JSON."""


def _log(level: int, words: str, event: str, **facts: Any) -> None:
    LOG.log(level, words, extra={"event": event, "facts": facts})


@dataclass(slots=True)
class Outcome:
    """What a run did.

    Attributes
    ----------
    folder
        Where the complete run stands.
    config
        The settings it was asked for with.
    ran, fresh
        Names of the stages that ran, and of those that were fresh.
    seconds
        Wall-clock time of all of it.
    recovered
        What was cleared up or put back after an interrupted run, in words; None if nothing was.
    manifest
        What `manifest.json` holds.
    """

    folder: Path
    config: Config
    ran: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    seconds: float = 0.0
    recovered: str | None = None
    manifest: dict[str, Any] = field(default_factory=dict)


def run(
    settings: Config | Path,
    *,
    progress: Progress,
    start: str | None = None,
    only: Sequence[str] = (),
    force: bool = False,
    reissue: tuple[str, str] | None = None,
    second_process: bool = False,
) -> Outcome:
    """Bring the outputs of a configuration up to date.

    Parameters
    ----------
    settings
        The configuration, or its file.
    progress
        Called as long steps advance.
    start
        Run this stage and all after it, fresh or not.
    only
        Run these stages and no other; what comes before them must be fresh.
    force
        Run everything.
    reissue
        A profile whose numbers are to be corrected at borough level and above, and why.
    second_process
        Whether a second process may release and write the internal folder meanwhile; see `SecondProcess`.

    Raises
    ------
    HotspotsError
        With the exit code of its branch. The last complete run is then as it was.
    """
    began = time.monotonic()
    config = settings if isinstance(settings, Config) else load_config(settings)
    base = config.folder
    workspace = Workspace(base / config.run.output_dir / config.run.name)
    outcome = Outcome(folder=workspace.folder, config=config)
    _log(logging.INFO, f"run {config.run.name} started", "run_started", run=config.run.name, version=__version__)
    # Everything that reads the last run is under the lock: another process may be about to swap it.
    with workspace.locked(), contextlib.ExitStack() as copies:
        outcome.recovered = workspace.recover()
        # A process that died after its swap had released what the ledger does not yet know. This comes before anything
        # is chosen: the next release is checked against the ledger, which must hold every release that anybody has.
        make_good(workspace.folder, outputs=workspace.folder.parent)
        local = copies.enter_context(local_copies(config, base, again=force))
        config = local.config
        prints = Fingerprints(workspace.folder / "manifest.json")
        states = states_of(config, base, workspace.folder, prints)
        start = start or ("release" if reissue and not only else None)
        chosen = _choose(states, start=start, only=only, force=force)
        outcome.fresh = [s.stage.name for s in states if s.fresh and s.stage.name not in chosen]
        if not chosen:
            _forget_failed(workspace)
            outcome.manifest = read_json(workspace.folder / "manifest.json")
            return _ended(outcome, began)
        building = _Building(
            local, base, workspace, prints, progress, began, force, reissue, SecondProcess(allowed=second_process)
        )
        try:
            outcome.manifest = building.build(states, chosen)
            outcome.ran = chosen
            # `recorded` writes the ledger only once the swap is done: a release that never came into place must not
            # bind later ones. It holds the ledger's lock across the swap, so that no other run on the same data is
            # checked against a ledger that lacks this release.
            with recorded(workspace.growing, outputs=workspace.folder.parent):
                workspace.swap()
        except OSError as error:
            stopped = _stopped(error, workspace.folder)
            _keep_failed(workspace, stopped, cautions=building.cautions)
            workspace.abandon()
            raise stopped from error
        except Exception as error:
            _keep_failed(workspace, error, cautions=building.cautions)
            workspace.abandon()
            raise
        except BaseException:  # Ctrl-C: whatever ends the run, the last one stays and the new one goes
            workspace.abandon()
            raise
        _forget_failed(workspace)
    return _ended(outcome, began)


def _ended(outcome: Outcome, began: float) -> Outcome:
    outcome.seconds = time.monotonic() - began
    _log(
        logging.INFO,
        f"run {outcome.config.run.name} finished in {outcome.seconds:.1f} s",
        "run_finished",
        folder=str(outcome.folder),
        ran=outcome.ran,
        fresh=outcome.fresh,
        seconds=round(outcome.seconds, 3),
    )
    return outcome


def _stopped(error: OSError, folder: Path) -> HotspotsError:
    """Explain an operating-system error in terms of what an operator can do about it."""
    where = error.filename if isinstance(error.filename, str | Path) else folder
    # A file of this package that cannot be read is no input of the reader's: the installation is incomplete.
    if Path(where).is_relative_to(Path(__file__).parents[1]):
        return EngineError(
            f"this installation is incomplete ({where}: {error.strerror or error}): install the project again; "
            "`hotspots doctor` names what is missing. The last complete outputs are as they were."
        )
    if isinstance(error, PermissionError):
        remedy = "If another program has a file in it open, such as a workbook, close it; else change the permission"
    else:
        remedy = "Free some disk space"
    return InputError(
        f"{where}: {error.strerror or error}: the run was stopped and the last complete outputs were left as they "
        f"were. {remedy}, and run again."
    )


def _choose(states: Sequence[State], *, start: str | None, only: Sequence[str], force: bool) -> list[str]:
    """Return the names of the stages to run, in order.

    Raises
    ------
    ConfigError
        If an option names no stage, or `only` would build on stale outputs.
    """
    names = [state.stage.name for state in states]
    for name in (*([start] if start else []), *only):
        if name not in names:
            raise ConfigError(f'there is no stage "{name}": the stages are {", ".join(names)}')
    if force:
        return names
    if only:
        chosen = [name for name in names if name in only]
        # Outputs of a stale stage are of other settings or inputs: what is built on them would be of two minds.
        before = [s.stage.name for s in states[: names.index(chosen[0])] if not s.fresh]
        if before:
            raise ConfigError(
                f"--only {chosen[0]} needs the stages before it, but {', '.join(before)} is stale: run without --only"
            )
        return chosen
    stale = next((number for number, state in enumerate(states) if not state.fresh), len(names))
    return names[min(stale, names.index(start) if start else len(names)) :]


@dataclass(frozen=True, slots=True)
class _Building:
    """A run being built beside the last one."""

    local: Localised
    base: Path
    workspace: Workspace
    prints: Fingerprints
    progress: Progress
    began: float
    force: bool
    reissue: tuple[str, str] | None
    second: SecondProcess
    cautions: list[str] = field(default_factory=list)  # of the stages so far, also of one that fails

    def build(self, states: Sequence[State], chosen: Sequence[str]) -> dict[str, Any]:
        """Run the chosen stages in the growing folder, carry over what is fresh, and return the manifest."""
        folder = self.workspace.begin()
        last = self.workspace.folder if (self.workspace.folder / "manifest.json").is_file() else None
        old = read_json(last / "manifest.json")["stages"] if last else {}
        manifest: dict[str, Any] = {
            "run": self.local.config.run.name,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": self.local.config.settings(),
            "versions": versions(),
            "code": code_version(),
            "inputs": sorted(self.prints.files.values(), key=lambda entry: str(entry["path"])),
            **({"origins": self.local.origins} if self.local.origins else {}),
            "stages": {},
        }
        engine = engine_of(self.local.config.run)
        try:
            for state in states:
                name = state.stage.name
                if name in chosen:
                    manifest["stages"][name] = {"key": state.key, **self._run(state.stage, folder, last, engine)}
                elif last and name in old:
                    # The manifest lists exactly what each stage wrote, so nothing of a stage that runs again, or that
                    # no longer exists, comes along.
                    for output in old[name]["outputs"]:
                        link_tree(last / output, folder / output)
                    manifest["stages"][name] = {**old[name], "carried_over": True}
        finally:
            engine.close()
            self.second.close()
        # A backtest is no stage but reads what aggregate wrote: it stays true as long as that does.
        if last and "aggregate" not in chosen:
            for path in sorted(last.glob("backtest.*")):
                link_tree(path, folder / path.name)
        manifest["seconds"] = round(time.monotonic() - self.began, 3)
        write_json(folder / "manifest.json", manifest)
        from pipeline.publish.pages.front_door import front_door

        quality = read_json(folder / "quality.json") if (folder / "quality.json").is_file() else {}
        html = front_door(folder, config=self.local.config, manifest=manifest, quality=quality)
        write_text(folder / "index.html", html)
        return manifest

    def _run(self, stage: Stage, folder: Path, last: Path | None, engine: Engine) -> dict[str, Any]:
        """Run one stage and return its entry in the manifest."""
        context = Context(
            config=self.local.config,
            base=self.base,
            folder=folder,
            last=None if self.force else last,  # with --force no part of the last run is taken over either
            engine=engine,
            progress=self.progress,
            salt=salt_of(folder.parent),
            checksums=self.prints.checksums,
            reissue=self.reissue,
            second=self.second,
        )
        # What a stage wrote is what is there now and was not before: no stage can forget to declare an output.
        before, at = _files(folder), time.monotonic()
        _log(logging.INFO, f"stage {stage.name} started", "stage_started", stage=stage.name)
        try:
            stage.run(context)
        finally:
            self.cautions.extend(context.cautions)
            for caution in (*context.first_cautions, *context.cautions):
                _log(logging.WARNING, caution, "caution", stage=stage.name, text=caution)
        seconds = round(time.monotonic() - at, 3)
        text = f"stage {stage.name} finished in {seconds:.1f} s"
        _log(logging.INFO, text, "stage_finished", stage=stage.name, seconds=seconds)
        return {
            "seconds": seconds,
            "carried_over": False,
            "choices": context.choices,
            "counters": context.counters,
            "first_cautions": context.first_cautions,
            "cautions": context.cautions,
            "outputs": {name: size for name, size in _files(folder).items() if name not in before},
        }


def _files(folder: Path) -> dict[str, int]:
    """Return every file of the folder and its size."""
    return {p.relative_to(folder).as_posix(): p.stat().st_size for p in sorted(folder.rglob("*")) if p.is_file()}


# What is kept of an attempt that failed, so that `hotspots quarantine` can show the rows it refused.
#
# A run that fails leaves the last complete outputs as they were, and nothing of its own but this: in
# `outputs/.<name>.failed/` the quarantine of the files that were read, `attempt.json` with the time, the error, the
# account as far as it had come and the cautions. It holds no more about people than `work/` of a complete run does, and
# only its owner may read it. The next attempt that fails replaces it, and the next one that succeeds removes it.

_RECORD = "attempt.json"
_PARTS = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The latest attempt at a run.

    Attributes
    ----------
    time
        When it ended (failed) or began (complete), ISO.
    failed
        Whether it failed.
    error, exit_code
        What it failed with; empty and 0 where it is complete.
    refused
        Its refused rows (QUARANTINE).
    cautions
        What it had warned of before it failed.
    faults
        Why its rows were refused, where it is complete: rule, column, rows, examples and cause. The error of a failed
        attempt says so itself.
    """

    time: str
    failed: bool
    refused: "pd.DataFrame"
    error: str = ""
    exit_code: int = 0
    cautions: list[str] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)


def _keep_failed(workspace: Workspace, error: Exception, *, cautions: Sequence[str]) -> None:
    """Keep the quarantine of what was being built, in place of that of any earlier attempt that failed.

    It never stands in the way of the error itself: where the disk is full, nothing is kept.
    """
    try:
        shutil.rmtree(workspace.failed, ignore_errors=True)
        parts = workspace.failed / _PARTS
        workspace.failed.mkdir(mode=0o700, parents=True)
        parts.mkdir(mode=0o700)
        work = workspace.growing / "work"
        # One part for each file that was read; published counts have one table for all.
        for part in sorted((work / "quarantine").glob("*.parquet")) or sorted(work.glob("quarantine.parquet")):
            _hand_over(part, parts / part.name)
        record = workspace.failed / _RECORD
        write_json(
            record,
            {
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "error": str(error),
                "exit_code": error.exit_code if isinstance(error, HotspotsError) else 1,
                "account": _account(work),
                "cautions": list(cautions),
            },
        )
        record.chmod(0o600)
    except OSError:
        shutil.rmtree(workspace.failed, ignore_errors=True)


def _forget_failed(workspace: Workspace) -> None:
    """Remove what was kept of an earlier attempt, once one has succeeded."""
    shutil.rmtree(workspace.failed, ignore_errors=True)


def _hand_over(part: Path, target: Path) -> None:
    """Move a part out of a folder that is about to be deleted; one that the last run shares is copied."""
    if part.stat().st_nlink == 1:
        part.replace(target)
    else:
        shutil.copyfile(part, target)
    target.chmod(0o600)


def _account(work: Path) -> list[dict[str, Any]]:
    """Return the account of each file, where reading had come to its end."""
    with contextlib.suppress(InputError, KeyError):
        reports = [part["report"] for part in read_json(work / "ingest.json")["parts"]]
        return [{key: report[key] for key in ("source", "rows_read", "incidents", "quarantined")} for report in reports]
    return []


def latest_attempt(folder: Path) -> Attempt:
    """Return the latest attempt at the run in `folder`: the one that failed since, else the complete one.

    Raises
    ------
    InputError
        If there was none.
    """
    import pandas as pd

    from pipeline.storage.files import read_table
    from pipeline.tables import QUARANTINE

    failed = Workspace(folder).failed
    if (failed / _RECORD).is_file():
        record = read_json(failed / _RECORD)
        parts = [read_table(part, QUARANTINE) for part in sorted((failed / _PARTS).glob("*.parquet"))]
        refused = pd.concat(parts, ignore_index=True) if parts else QUARANTINE.empty()
        return Attempt(
            time=record["time"],
            failed=True,
            refused=refused.sort_values(["source", "source_row"], ignore_index=True),
            error=record["error"],
            exit_code=record["exit_code"],
            cautions=record["cautions"],
        )
    refused = read_table(folder / "work" / "quarantine.parquet", QUARANTINE)
    time = read_json(folder / "manifest.json")["started"] if (folder / "manifest.json").is_file() else ""
    quality = read_json(folder / "quality.json") if (folder / "quality.json").is_file() else {}
    return Attempt(time=time, failed=False, refused=refused, faults=quality.get("faults", []))
