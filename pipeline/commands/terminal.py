"""What commands print: tables for people, JSON for programs, progress only where somebody watches."""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipeline.config import Config
from pipeline.publish.words import choice_name, counters_text
from pipeline.stages import STAGES
from pipeline.stages import Progress as Report
from pipeline.stages.freshness import State
from pipeline.stages.runner import Outcome
from pipeline.storage.workspace import cautions_in

if TYPE_CHECKING:
    from pipeline.backtest import BacktestResult
    from pipeline.stages.runner import Attempt
    from pipeline.stages.trial import Trial

__all__ = ["print_backtest", "print_check", "print_outcome", "print_quarantine", "print_stages", "progress_bar"]


# What a folder of the run holds; every other folder is a profile's.
_FOLDERS = {
    "work": "stage tables: never leave the building",
    "internal": "for the analyst alone: everything is shown",
}


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else 110)


@contextlib.contextmanager
def progress_bar() -> Iterator[Report]:
    """Yield a reporter that draws bars on a terminal and is silent elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _label, _done, _total: None
        return
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=total)
            bars.update(tasks[label], completed=done, total=total)

        yield report


def _emit(text: str) -> None:
    """Write a program's answer to standard output."""
    sys.stdout.write(text + "\n")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Say what ran, what was fresh, what was chosen, and where everything is."""
    held = outcome.manifest.get("stages", {})
    stages = {stage.name: held[stage.name] for stage in STAGES if stage.name in held}
    if as_json:
        _emit(json.dumps({"folder": str(outcome.folder), "ran": outcome.ran, "fresh": outcome.fresh,
                          "seconds": round(outcome.seconds, 2), "stages": stages}, indent=2))  # fmt: skip
        return
    console = _console()
    if outcome.recovered:
        console.print(f"Note: {outcome.recovered}.")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("stage", "state", "seconds", "what"):
        table.add_column(name, justify="right" if name == "seconds" else "left")
    for name, record in stages.items():
        ran = name in outcome.ran
        words = counters_text(record.get("counters", {}))
        table.add_row(name, "ran" if ran else "fresh", f"{record['seconds']:.1f}" if ran else "", escape(words))
    console.print(table)
    _print_cautions(console, cautions_in(stages))
    choices = [
        (n, k, v) for n, r in stages.items() for k, v in r.get("choices", {}).items() if not isinstance(v, dict | list)
    ]
    if choices and outcome.ran:
        console.print("\n[bold]Chosen automatically or by default[/bold]")
        for _, key, value in choices:
            console.print(f"  {escape(choice_name(key))}: {escape(_words(value))}")
    _print_files(console, outcome)
    done = "Everything is fresh; nothing was run" if not outcome.ran else "Done"
    console.print(f"\n{done} in {outcome.seconds:.1f} s. Open [bold]{_shown(outcome.folder / 'index.html')}[/bold]")


def _print_cautions(console: Console, cautions: Sequence[str], *, title: str = "Look at this first") -> None:
    """Say what should be looked at before the outputs are used."""
    if cautions:
        console.print(f"\n[bold]{title}[/bold]")
        for caution in cautions:
            console.print(f"  {escape(caution)}")


def _print_files(console: Console, outcome: Outcome) -> None:
    """List what stands in the run folder, one line a folder."""
    table = Table(box=None, pad_edge=False, header_style="bold", title=None)
    for name in ("folder", "files", "size", "what it holds"):
        table.add_column(name, justify="right" if name in {"files", "size"} else "left")
    folders = sorted(p for p in outcome.folder.iterdir() if p.is_dir())
    for folder in folders:
        files = [p for p in folder.rglob("*") if p.is_file()]
        what = _FOLDERS.get(folder.name, "for handing over: map, layers, tables")
        table.add_row(_shown(folder), str(len(files)), _size(sum(p.stat().st_size for p in files)), what)
    console.print()
    console.print(table)


def _shown(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return path.relative_to(Path.cwd()).as_posix()
    return str(path)


def _words(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def print_check(
    config: Config,
    files: Sequence[Path],
    states: Sequence[State],
    cautions: Sequence[str],
    trial: "Trial",
    *,
    as_json: bool,
) -> None:
    """Say which files would be read, what their first rows hold, which stages would run, and what to look at."""
    cautions = [*cautions, *(trial.cautions if trial.whole else [])]
    stale = [state.stage.name for state in states if not state.fresh]
    if as_json:
        _emit(
            json.dumps(
                {
                    "files": [str(f) for f in files],
                    "stale": stale,
                    "profiles": [p.name for p in config.profiles],
                    "cautions": list(cautions),
                    "cautions_of_rows_read": [] if trial.whole else trial.cautions,
                    "sources": trial.sources,
                    "every_row_read": trial.whole,
                    "error": None if trial.error is None else str(trial.error),
                },
                indent=2,
                ensure_ascii=False,
            )
        )
        return
    console = _console()
    sound = "the configuration and the columns are sound" if trial.error is None else "a run would stop"
    console.print(f"[bold]{escape(config.run.title)}[/bold], run {config.run.name}: {sound}.")
    for file in files:
        console.print(f"  {escape(_shown(file))}  {_size(file.stat().st_size)}")
    for source in trial.sources:
        _print_source(console, source)
    would = ", ".join(stale) or "nothing, all is fresh"
    console.print(f"Profiles: {', '.join(p.name for p in config.profiles)}. Would run: {would}.")
    _print_cautions(console, cautions)
    if not trial.whole and trial.cautions:
        # A file may be sorted by place or time, so what is seen of its first rows may be no more than that.
        title = "Seen in the rows that were read, the first of each file; --rows reads more"
        _print_cautions(console, trial.cautions, title=title)


_FEW = 12  # names or months in a line


def _print_source(console: Console, source: Mapping[str, Any]) -> None:
    """Say what the rows of a source that were read hold."""
    limit, files = source["rows_per_file"], source["files"]
    many = "1 file" if files == 1 else f"{files} files"
    rows = f"{source['rows_read']:,} rows"
    read = f"all {rows}" if source["all_rows"] else f"{rows} (the first {limit:,} of each file)"
    console.print(f"\n[bold]{escape(source['source'])}[/bold]: {many}, {read}, {source['incidents']:,} kept")
    among = "" if source["all_rows"] else " among those that were read"
    lines: list[tuple[str, str]] = [
        ("columns", _listed([f"{role} = {name}" for role, name in source["columns"].items()], every=True)),
        ("dates", "; ".join(source["dates"]) + _in_brackets(source.get("date_forms", ()))),
    ]
    for rule in source["refused"]:
        values = f", for example {' | '.join(rule['examples'])}" if rule["examples"] else ""
        lines.append(("refused", f"{rule['rule']} {rule['rows']:,} ({rule['pct']:g} %){values}. {rule['reason']}"))
    if not source["refused"]:
        lines.append(("refused", "none"))
    if source.get("points"):
        lines.append(
            (
                "places",
                f"{source['points']:,} points, {source['inside_pct']:g} % inside the areas; they reach "
                f"{_box(source['points_extent_m'])}, the areas {_box(source['areas_extent_m'])}"
                + (f"; {source['outside']:,} outside: {_box(source['outside_extent_m'])}" if source["outside"] else ""),
            )
        )
    elif "points" in source:
        lines.append(("places", "no row has a point"))
    months = [f"{month} {count:,}" for month, count in source["months"].items()]
    lines.append(("months", _listed(months)))
    if source["months_without_rows"]:
        lines.append(("no rows in", _listed(source["months_without_rows"])))
    lines += [
        (f"empty {level}", f"{len(empty):,} without a row{among}: {_listed(empty)}")
        for level in ("boroughs", "wards")
        if (empty := source.get(f"{level}_without_incidents"))
    ]
    lines.append(("categories", _listed([f"{c} {n:,}" for c, n in source["categories"].items()]) or "none"))
    if source["unknown_categories"]:
        lines.append(("unknown", _listed([f"{c!r} {n:,}" for c, n in source["unknown_categories"].items()])))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, words in lines:
        table.add_row(f"  {name}", escape(words))
    console.print(table)


def _in_brackets(words: Sequence[str]) -> str:
    return f" ({_listed(words)})" if words else ""


def _listed(words: Sequence[str], *, every: bool = False) -> str:
    """List words; of many the first and the last, which say where a series begins and ends."""
    if every or len(words) <= _FEW:
        return ", ".join(words)
    return f"{', '.join(words[: _FEW - 2])}, ... ({len(words) - _FEW:,} more), {', '.join(words[-2:])}"


def _box(bounds: Sequence[int]) -> str:
    west, south, east, north = bounds
    return f"{west:,} to {east:,} east, {south:,} to {north:,} north"


def print_stages(states: Sequence[State], *, as_json: bool) -> None:
    """List the stages and their state."""
    if as_json:
        listed = [{"stage": s.stage.name, "fresh": s.fresh, "does": s.stage.does} for s in states]
        _emit(json.dumps(listed, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("stage", "state", "does"):
        table.add_column(name)
    for state in states:
        table.add_row(state.stage.name, "fresh" if state.fresh else "stale", state.stage.does)
    _console().print(table)


def print_quarantine(attempt: "Attempt", rule: str | None, limit: int, *, as_json: bool) -> None:
    """Say which attempt it was, how many rows each rule refused, and show the first of them."""
    frame = attempt.refused
    chosen = frame[frame["rule"] == rule] if rule else frame
    counts = {str(r): int(n) for r, n in frame["rule"].value_counts().sort_index().items()}
    outcome = "failed" if attempt.failed else "complete"
    if as_json:
        which: dict[str, Any] = {"time": attempt.time, "outcome": outcome}
        if attempt.failed:
            which |= {"error": attempt.error, "exit_code": attempt.exit_code, "cautions": attempt.cautions}
        rows = json.loads(chosen.head(limit).to_json(orient="records", force_ascii=False))
        _emit(json.dumps({"attempt": which, "refused": counts, "rows": rows}, indent=2, ensure_ascii=False))
        return
    console = _console()
    listed = ", ".join(f"{r} {n:,}" for r, n in counts.items())
    if attempt.failed:
        console.print(
            f"The latest attempt (ended {attempt.time}) failed with exit code {attempt.exit_code}: "
            f"{escape(attempt.error)}\nThe last complete outputs, if any, are as they were."
        )
        refused = f"{len(frame):,} rows had been refused: {listed}" if len(frame) else "No row had been refused by then"
        console.print(f"{refused}.")
    else:
        console.print(f"The latest attempt (begun {attempt.time}) is complete.")
        console.print(f"{len(frame):,} rows were refused: {listed or 'none'}.")
        for fault in attempt.faults:
            if rule in {None, fault["rule"]}:
                shown = ", ".join(map(repr, fault["examples"]))
                about = "; ".join(w for w in (f"such as {shown}" if shown else "", fault["cause"]) if w)
                column = f", {fault['column']}" if fault["column"] else ""
                console.print(
                    escape(f"  {fault['rule']}{column}: {fault['rows']:,} rows{', ' if about else ''}{about}.")
                )
    if not len(chosen):
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("file", "row", "rule", "reason"):
        table.add_column(name, overflow="fold")
    for row in chosen.head(limit).itertuples():
        table.add_row(escape(str(row.source)), str(row.source_row), str(row.rule), escape(str(row.reason)))
    console.print(table)


def _figure(value: Any) -> str:
    """Two decimals, or nothing for null."""
    return "" if value is None or str(value) in {"<NA>", "nan"} else f"{value:.2f}"


def print_backtest(result: "BacktestResult", folder: Path, *, as_json: bool) -> None:
    """Print the scores at every share of the area, best first, and the verdict."""
    if as_json:
        _emit(json.dumps(result.as_dict(), indent=2))
        return
    console = _console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("method", "area %", "hit rate %", "PAI", "95 %", "PEI", "RRI"):
        table.add_column(name, justify="left" if name == "method" else "right")
    frame = result.frame().sort_values(["area_pct", "pai"], ascending=[True, False], na_position="last")
    for row in frame.to_dict("records"):
        told = {k: _figure(row[k]) for k in ("hit_rate_pct", "pai", "pai_low", "pai_high", "pei", "rri")}
        between = f"{told['pai_low']}–{told['pai_high']}" if told["pai_low"] else ""
        numbers, others = (told["hit_rate_pct"], told["pai"]), (told["pei"], told["rri"])
        table.add_row(str(row["method"]), f"{row['area_pct']:g}", *numbers, between, *others)
    console.print(table)
    console.print(f"\n{escape(result.verdict)}")
    if result.bandwidth_m is not None:
        console.print(f"Bandwidth for the next period: {result.bandwidth_m:g} m.")
    for note in result.notes:
        console.print(f"  {escape(note)}")
    console.print(f"Wrote {_shown(folder / 'backtest.json')} and {_shown(folder / 'backtest.svg')}")
