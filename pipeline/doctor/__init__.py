"""Is this computer fit for a run: versions, projection grids, memory, disk, the locked database, the output folder.

Every check stands alone: one that cannot even be made is reported as broken, and the others go on.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from pipeline.doctor import computer, installation, libraries
from pipeline.doctor.finding import BROKEN, NOTE, OK, Finding, Situation, State
from pipeline.errors import ConfigError

__all__ = ["BROKEN", "NOTE", "OK", "Finding", "Situation", "State", "doctor", "examine"]

_CHECKS: tuple[tuple[str, Callable[[Situation], Iterator[Finding]]], ...] = (
    ("Python", libraries.python),
    ("packages", libraries.packages),
    ("installation", installation.installation),
    ("geography", libraries.geography),
    ("computer", computer.computer),
    ("folder", computer.folder),
    ("database", libraries.database),
    ("text", computer.text),
    ("programs", computer.programs),
)


def doctor(config: Path, *, as_json: bool) -> int:
    """Examine the computer, print what was found, and return the exit code: 1 if anything is broken, else 0."""
    situation, first = _situation(config)
    findings = (first, *examine(situation))
    broken = [f for f in findings if f.state == BROKEN]
    if as_json:
        answer = {"sound": not broken, "findings": [asdict(f) for f in findings]}
        sys.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")
    else:
        _print(findings)
    return 1 if broken else 0


def examine(situation: Situation) -> tuple[Finding, ...]:
    """Look at everything a run needs."""
    return tuple(finding for about, check in _CHECKS for finding in _guarded(about, check, situation))


def _guarded(about: str, check: Callable[[Situation], Iterator[Finding]], situation: Situation) -> Iterator[Finding]:
    try:
        yield from check(situation)
    except Exception as error:  # noqa: BLE001 - the point of a doctor: whatever is wrong is a finding
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        yield Finding(
            about, "examination", BROKEN, said, "install the project again: pip install -c constraints.txt -e ."
        )


def _situation(config: Path) -> tuple[Situation, Finding]:
    """Read what the configuration asks for; without one, or with a broken one, the defaults are examined."""
    try:
        from pipeline.stages.runner import load_config

        settings = load_config(config)
    except ConfigError as error:
        if config.is_file():
            return Situation(), Finding("configuration", str(config), BROKEN, str(error))
        return Situation(), Finding("configuration", str(config), NOTE, "not there: defaults are examined")
    except Exception as error:  # noqa: BLE001 - a missing package must not stop the doctor from naming it
        return Situation(), Finding("configuration", str(config), BROKEN, f"{type(error).__name__}: {error}")
    folder = config.resolve().parent / settings.run.output_dir
    found = Situation(folder, settings.crs.working, settings.run.memory_limit_mb)
    return found, Finding("configuration", str(config), OK, f"run {settings.run.name}, {settings.crs.working}")


def _print(findings: tuple[Finding, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("about", "what", "state", "found"):
        table.add_column(column, overflow="fold")
    last = ""
    for f in findings:
        mark = f.state if f.state == OK else f"[bold]{f.state}[/bold]"
        found = escape(f.found) + (f"\n[italic]{escape(f.advice)}[/italic]" if f.advice else "")
        table.add_row("" if f.about == last else f.about, escape(f.name), mark, found)
        last = f.about
    console.print(table)
    broken, notes = (sum(f.state == s for f in findings) for s in (BROKEN, NOTE))
    verdict = f"{broken} broken: see above." if broken else "Nothing is broken."
    console.print(f"\n{verdict}" + (f" {notes} notes to read." if notes else ""))
