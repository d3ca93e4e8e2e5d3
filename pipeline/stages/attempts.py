"""What is kept of an attempt that failed, so that `hotspots quarantine` can show the rows it refused.

A run that fails leaves the last complete outputs as they were, and nothing of its own but this: in
`outputs/.<name>.failed/` the quarantine of the files that were read, `attempt.json` with the time, the error, the
account as far as it had come and the cautions. It holds no more about people than `work/` of a complete run does, and
only its owner may read it. The next attempt that fails replaces it, and the next one that succeeds removes it.
"""

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import HotspotsError, InputError
from pipeline.storage.files import read_json, write_json
from pipeline.storage.workspace import Workspace

if TYPE_CHECKING:  # the runner imports this: a run with nothing to do must stay light
    import pandas as pd

__all__ = ["Attempt", "forget_failed", "keep_failed", "latest_attempt"]

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


def keep_failed(workspace: Workspace, error: Exception, *, cautions: Sequence[str]) -> None:
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


def forget_failed(workspace: Workspace) -> None:
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
