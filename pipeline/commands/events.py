"""`--log-json`: the events of a run as JSON lines, for schedulers and log collectors.

Each line is one object with `time` (UTC, ISO 8601), `level`, `event` and what belongs to the event:

- `run_started`: `run`, `version`; `stage_started`: `stage`; `progress`: `stage`, `step`, `done`, `total`, `left_s`
- `caution`: `stage`, `text`; `stage_finished`: `stage`, `seconds`
- `run_finished`: `folder`, `ran`, `fresh`, `seconds`, `exit_code` 0; or `run_failed`: `exit_code`, `message`

`left_s` is how many seconds the step will still take at its speed so far; null until that is known. The last line is
always `run_finished` or `run_failed`. No line holds anything of an incident.
"""

import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import HotspotsError
from pipeline.stages import Progress
from pipeline.stages.runner import LOG

__all__ = ["json_events"]

_PAUSE_S = 5.0  # between two lines about the progress of one step; its end is always reported


class _Lines(logging.Handler):
    """Writes each record as one line of JSON to standard output."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.stage = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one event."""
        facts: dict[str, Any] = getattr(record, "facts", {"text": record.getMessage()})
        event = getattr(record, "event", "message")
        self.stage = str(facts.get("stage", self.stage))
        if event == "run_finished":
            facts = {**facts, "exit_code": 0}
        self.write(event, level=record.levelname.lower(), **facts)

    @staticmethod
    def write(event: str, *, level: str = "info", **facts: Any) -> None:
        """Write one line, and hand it on at once."""
        head = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event}
        sys.stdout.write(json.dumps(head | facts, ensure_ascii=False, default=str) + "\n")
        sys.stdout.flush()


@contextlib.contextmanager
def json_events() -> Iterator[Progress]:
    """Write the events of a run in a `with` block as JSON lines, and yield the reporter of its progress.

    An error is written as the event `run_failed`, and raised.
    """
    lines, last, first = _Lines(), {"": 0.0}, dict[str, tuple[float, int]]()

    def report(label: str, done: int, total: int) -> None:
        now = time.monotonic()
        if label not in first or done <= first[label][1]:  # a step that begins, or begins again
            first[label] = (now, done)
        began, at = first[label]
        left_s = round((now - began) * (total - done) / (done - at), 1) if total and done > at else None
        if done == total or now - last.get(label, 0.0) >= _PAUSE_S:
            last[label] = now
            lines.write("progress", stage=lines.stage, step=label, done=done, total=total, left_s=left_s)

    level = LOG.level
    LOG.addHandler(lines)
    LOG.setLevel(logging.INFO)
    try:
        yield report
    except HotspotsError as error:
        lines.write("run_failed", level="error", exit_code=error.exit_code, message=str(error))
        raise
    except BaseException as error:
        what = "stopped" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        lines.write("run_failed", level="error", exit_code=1, message=what)
        raise
    finally:
        LOG.removeHandler(lines)
        LOG.setLevel(level)
