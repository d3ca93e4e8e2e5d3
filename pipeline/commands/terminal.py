"""What commands print: tables for people, JSON for programs, progress only where somebody watches.

Words come from the catalogue, in the language of the configuration's pages. JSON has the same keys in every language.
"""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.config import Config, load_config
from pipeline.domain.levels import level_words
from pipeline.domain.progress import unwatched
from pipeline.publish.words import area_words, choice_name, counters_text, say, speaking, whole
from pipeline.stages import STAGES
from pipeline.stages import Progress as Report
from pipeline.stages.freshness import State
from pipeline.stages.runner import Outcome
from pipeline.storage.workspace import cautions_in
from pipeline.tables import Level

if TYPE_CHECKING:
    from pipeline.commands.backtest import BacktestReport
    from pipeline.stages.runner import Attempt
    from pipeline.stages.trial import Checked

__all__ = [
    "configured",
    "open_console",
    "open_table",
    "print_backtest",
    "print_check",
    "print_json",
    "print_outcome",
    "print_quarantine",
    "print_stages",
    "progress_bar",
    "shown_path",
    "size_text",
]

_STEPS = {
    "reading incidents": "terminal.progress.reading_incidents",
    "reading rows": "terminal.progress.reading_rows",
    "settling ids": "terminal.progress.settling_ids",
    "reading counts": "terminal.progress.reading_counts",
    "counting": "terminal.progress.counting",
    "merging counts": "terminal.progress.merging_counts",
    "finding hotspots": "terminal.progress.finding_hotspots",
    "measuring concentration": "terminal.progress.measuring_concentration",
    "releasing": "terminal.progress.releasing",
    "making a release": "terminal.progress.making_a_release",
    "auditing counts": "terminal.progress.auditing_counts",
    "withholding counts": "terminal.progress.withholding_counts",
    "drawing density": "terminal.progress.drawing_density",
    "publishing": "terminal.progress.publishing",
    "writing briefings": "terminal.progress.writing_briefings",
}
"""Words of the long steps, by what stages call them."""
_FEW = 12
"""Names or months in a line; of more, the first and the last are listed."""


# What every command uses.


@contextlib.contextmanager
def configured(path: Path) -> Iterator[Config]:
    """Load a configuration, and speak the language of its pages in a `with` block.

    Raises
    ------
    ConfigError
        If the configuration cannot be used.
    """
    config = load_config(path)
    with speaking(config.page.language):
        yield config


def open_console() -> Console:
    """Return where reports are printed; what is not a terminal gets lines of one width everywhere."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 110)


def open_table(*columns: str, right: Sequence[str] = (), fold: bool = False) -> Table:
    """Return an empty table under the headings `terminal.column.<name>`; those in `right` are numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(
            say(f"terminal.column.{name}"),
            justify="right" if name in right else "left",
            overflow="fold" if fold else "ellipsis",
        )
    return table


def print_json(answer: Any, **options: Any) -> None:
    """Write a program's answer to standard output."""
    sys.stdout.write(json.dumps(answer, indent=2, **options) + "\n")


@contextlib.contextmanager
def progress_bar() -> Iterator[Report]:
    """Yield a reporter that draws bars on a terminal and is silent elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield unwatched
        return
    measures = (MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    columns = (TextColumn("{task.description:<34}"), BarColumn(), *measures)
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(say(_STEPS[label]) if label in _STEPS else label, total=total or None)
            bars.update(tasks[label], completed=done, total=total or None)

        yield report


def size_text(count: int) -> str:
    """Write the size of files in bytes.

    >>> size_text(24_400_000), size_text(1_234)
    ('24.4 MB', '1.2 kB')
    """
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def shown_path(path: Path) -> str:
    """Write a path as it is typed from here."""
    with contextlib.suppress(ValueError):
        return path.relative_to(Path.cwd()).as_posix()
    return str(path)


def _plain(value: Any) -> str:
    return whole(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _heading(console: Console, words: str) -> None:
    console.print(f"\n[bold]{escape(words)}[/bold]")


def _print_cautions(console: Console, cautions: Sequence[str], title: str) -> None:
    """Print what should be read before the outputs are used."""
    if cautions:
        _heading(console, title)
        for caution in cautions:
            console.print(f"  {escape(caution)}")


def _joined(pieces: Sequence[str]) -> str:
    return say("number.list_joint").join(pieces)


def _listed(pieces: Sequence[str]) -> str:
    """List names; of many the first and the last, which say where a series begins and ends."""
    if len(pieces) <= _FEW:
        return _joined(pieces)
    first, last = _joined(pieces[: _FEW - 2]), _joined(pieces[-2:])
    return say("terminal.shortened", first=first, more=whole(len(pieces) - _FEW), last=last)


# hotspots run


def print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Say what ran, what was fresh, what was chosen, and where everything is."""
    held = outcome.manifest.get("stages", {})
    stages = {stage.name: held[stage.name] for stage in STAGES if stage.name in held}
    if as_json:
        print_json(
            {
                "folder": str(outcome.folder),
                "ran": outcome.ran,
                "fresh": outcome.fresh,
                "seconds": round(outcome.seconds, 2),
                "stages": stages,
            }
        )
        return
    console = open_console()
    if outcome.recovered:
        console.print(escape(say("terminal.run.recovered", what=outcome.recovered)))
    table = open_table("stage", "state", "seconds", "result", right=("seconds",))
    labels = level_words(outcome.config.areas)
    for name, record in stages.items():
        ran = name in outcome.ran
        state, seconds = (say("terminal.state.ran"), f"{record['seconds']:.1f}") if ran else (_freshness(True), "")
        table.add_row(name, state, seconds, escape(counters_text(record.get("counters", {}), labels)))
    console.print(table)
    _print_cautions(console, cautions_in(stages), say("terminal.cautions"))
    choices = [
        (k, v) for r in stages.values() for k, v in r.get("choices", {}).items() if not isinstance(v, dict | list)
    ]
    if choices and outcome.ran:
        _heading(console, say("terminal.run.choices"))
        for key, value in choices:
            console.print(f"  {escape(choice_name(key))}: {escape(_plain(value))}")
    _print_folders(console, outcome)
    seconds, page = f"{outcome.seconds:.1f}", shown_path(outcome.folder / "index.html")
    done = say("terminal.run.done", seconds=seconds) if outcome.ran else say("terminal.run.fresh", seconds=seconds)
    console.print(f"\n{escape(done)} {escape(say('terminal.run.open', page=page))}")


def _freshness(fresh: bool) -> str:  # noqa: FBT001 - the value is the whole question
    return say("terminal.state.fresh") if fresh else say("terminal.state.stale")


def _print_folders(console: Console, outcome: Outcome) -> None:
    """List what stands in the run folder, one line a folder."""
    table = open_table("folder", "files", "size", "contents", right=("files", "size"))
    special = {"work": say("terminal.run.work"), "internal": say("terminal.run.internal")}
    for folder in sorted(p for p in outcome.folder.iterdir() if p.is_dir()):
        files = [p for p in folder.rglob("*") if p.is_file()]
        what = special.get(folder.name) or say("terminal.run.released")
        table.add_row(shown_path(folder), whole(len(files)), size_text(sum(p.stat().st_size for p in files)), what)
    console.print()
    console.print(table)


# hotspots check


def print_check(checked: "Checked", *, as_json: bool) -> None:
    """Say which files would be read, what their first rows hold, which stages would run, and what to look at."""
    config, files, trial = checked.config, checked.files, checked.trial
    cautions = [*checked.cautions, *(trial.cautions if trial.whole else [])]
    stale = [state.stage.name for state in checked.states if not state.fresh]
    if as_json:
        print_json(
            {
                "files": [str(f) for f in files],
                "stale": stale,
                "profiles": [p.name for p in config.profiles],
                "cautions": cautions,
                "cautions_of_rows_read": [] if trial.whole else trial.cautions,
                "sources": trial.sources,
                "people": trial.people,
                "every_row_read": trial.whole,
                "error": None if trial.error is None else str(trial.error),
            },
            ensure_ascii=False,
        )
        return
    console = open_console()
    verdict = say("terminal.check.usable") if trial.error is None else say("terminal.check.would_stop")
    console.print(escape(say("terminal.check.title", title=config.run.title, run=config.run.name, verdict=verdict)))
    for file, size in files.items():
        console.print(f"  {escape(shown_path(file))}  {size_text(size)}")
    labels = level_words(config.areas)
    for source in trial.sources:
        _print_source(console, source, labels)
    for people in trial.people:
        _print_people(console, people, labels)
    if not trial.people and trial.sources:
        console.print(escape(say("terminal.check.no_people")))
    profiles = _joined([p.name for p in config.profiles])
    plan = say("terminal.check.would_run", stages=_joined(stale)) if stale else say("terminal.check.nothing_to_run")
    console.print(escape(f"{say('terminal.check.profiles', profiles=profiles)} {plan}"))
    _print_cautions(console, cautions, say("terminal.cautions"))
    if not trial.whole:
        # A file may be sorted by place or time, so what is seen of its first rows may be no more than that.
        _print_cautions(console, trial.cautions, say("terminal.check.cautions_of_rows_read"))


def _print_source(console: Console, source: Mapping[str, Any], labels: Mapping[str, tuple[str, str]]) -> None:
    """Say what the rows of a source that were read hold."""
    files, rows = say("terminal.check.files", n=source["files"]), say("terminal.check.rows", n=source["rows_read"])
    kept = whole(source["incidents"])
    if source["all_rows"]:
        read = say("terminal.check.all_rows", files=files, rows=rows, kept=kept)
    else:
        read = say("terminal.check.first_rows", files=files, rows=rows, kept=kept, first=whole(source["rows_per_file"]))
    console.print(f"\n[bold]{escape(source['source'])}[/bold]: {escape(read)}")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, words in _source_lines(source, labels):
        table.add_row(f"  {escape(name)}", escape(words))
    console.print(table)


def _print_people(console: Console, people: Mapping[str, Any], labels: Mapping[str, tuple[str, str]]) -> None:
    """Say for how many areas rates can be computed from a denominator."""
    areas = _joined(
        [
            say(
                "terminal.check.with_a_figure",
                given=whole(n["with_a_figure"]),
                covered=whole(n["covered"]),
                areas=area_words(labels, level)[1],
            )
            for level, n in people["areas"].items()
        ]
    )
    given = {
        "measure": people["measure"],
        "files": _joined(people["files"]),
        "years": _joined([str(year) for year in people["years"]]),
        "areas": areas,
    }
    if people["category"] is None:
        console.print(escape(say("terminal.check.people", **given)))
    else:
        console.print(escape(say("terminal.check.people_of_category", category=people["category"], **given)))


def _source_lines(source: Mapping[str, Any], labels: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Give the lines about a source: what each is about, and what was found."""
    none = say("terminal.check.none")
    yield say("terminal.check.columns"), _joined([f"{role} = {name}" for role, name in source["columns"].items()])
    forms = source.get("date_forms", ())
    dates = "; ".join(source["dates"])
    yield say("terminal.check.dates"), f"{dates} ({_listed(forms)})" if forms else dates
    for rule in source["refused"]:
        given = {"rule": rule["rule"], "rows": whole(rule["rows"]), "pct": f"{rule['pct']:g}", "reason": rule["reason"]}
        if rule["examples"]:
            found = say("terminal.check.refused_examples", examples=" | ".join(rule["examples"]), **given)
        else:
            found = say("terminal.check.refused_rows", **given)
        yield say("terminal.check.refused"), found
    if not source["refused"]:
        yield say("terminal.check.refused"), none
    if source.get("points"):
        yield say("terminal.check.places"), _extents(source)
    elif "points" in source:
        yield say("terminal.check.places"), say("terminal.check.no_points")
    yield say("terminal.check.months"), _listed([f"{month} {whole(n)}" for month, n in source["months"].items()])
    if source["months_without_rows"]:
        yield say("terminal.check.months_without_rows"), _listed(source["months_without_rows"])
    for key, level in (("boroughs_without_incidents", Level.BOROUGH), ("wards_without_incidents", Level.WARD)):
        if empty := source.get(key):
            areas = area_words(labels, level)[1]
            given = {"number": whole(len(empty)), "names": _listed(empty)}
            words = "terminal.check.empty_of_all" if source["all_rows"] else "terminal.check.empty_of_rows_read"
            yield say("terminal.check.empty", areas=areas), say(words, **given)
    yield (
        say("terminal.check.categories"),
        _listed([f"{c} {whole(n)}" for c, n in source["categories"].items()]) or none,
    )
    if unknown := source["unknown_categories"]:
        yield say("terminal.check.unknown_categories"), _listed([f"{c!r} {whole(n)}" for c, n in unknown.items()])


def _extents(source: Mapping[str, Any]) -> str:
    """Say how many points lie inside the areas, and how far both reach."""
    given = {
        "points": whole(source["points"]),
        "inside": f"{source['inside_pct']:g}",
        "reach": _extent(source["points_extent_m"]),
        "areas": _extent(source["areas_extent_m"]),
    }
    if not source["outside"]:
        return say("terminal.check.points", **given)
    outside = {"outside": whole(source["outside"]), "outside_reach": _extent(source["outside_extent_m"])}
    return say("terminal.check.points_outside", **given, **outside)


def _extent(bounds: Sequence[int]) -> str:
    west, south, east, north = map(whole, bounds)
    return say("terminal.check.extent", west=west, east=east, south=south, north=north)


# hotspots stages


def print_stages(states: Sequence[State], *, as_json: bool) -> None:
    """List the stages and their state."""
    does = {state.stage.name: say(f"terminal.stage.{state.stage.name}") for state in states}
    if as_json:
        print_json([{"stage": s.stage.name, "fresh": s.fresh, "does": does[s.stage.name]} for s in states])
        return
    table = open_table("stage", "state", "does")
    for state in states:
        table.add_row(state.stage.name, _freshness(state.fresh), does[state.stage.name])
    open_console().print(table)


# hotspots quarantine


def print_quarantine(attempt: "Attempt", rule: str | None, limit: int, *, as_json: bool) -> None:
    """Say which attempt it was, how many rows each rule refused, and show the first of them."""
    frame = attempt.refused
    chosen = frame[frame["rule"] == rule] if rule else frame
    counts = {str(r): int(n) for r, n in frame["rule"].value_counts().sort_index().items()}
    if as_json:
        which: dict[str, Any] = {"time": attempt.time, "outcome": "failed" if attempt.failed else "complete"}
        if attempt.failed:
            which |= {"error": attempt.error, "exit_code": attempt.exit_code, "cautions": attempt.cautions}
        rows = json.loads(chosen.head(limit).to_json(orient="records", force_ascii=False))
        print_json({"attempt": which, "refused": counts, "rows": rows}, ensure_ascii=False)
        return
    console = open_console()
    if attempt.failed:
        given = {"time": attempt.time, "code": attempt.exit_code, "error": attempt.error}
        console.print(escape(say("terminal.quarantine.failed", **given)))
        console.print(escape(say("terminal.quarantine.outputs_kept")))
    else:
        console.print(escape(say("terminal.quarantine.complete", time=attempt.time)))
    if len(frame):
        rules = _joined([f"{r} {whole(n)}" for r, n in counts.items()])
        console.print(escape(say("terminal.quarantine.refused", n=len(frame), rules=rules)))
    elif attempt.failed:
        console.print(say("terminal.quarantine.none_yet"))
    else:
        console.print(say("terminal.quarantine.none"))
    for fault in attempt.faults:
        if rule in {None, fault["rule"]}:
            console.print(f"  {escape(_fault(fault))}")
    if not len(chosen):
        return
    table = open_table("file", "row", "rule", "reason", fold=True)
    for row in chosen.head(limit).itertuples():
        table.add_row(escape(str(row.source)), str(row.source_row), str(row.rule), escape(str(row.reason)))
    console.print(table)


def _fault(fault: Mapping[str, Any]) -> str:
    """Say how many rows a rule refused, of which column, with examples and the likely cause."""
    rows = say("terminal.check.rows", n=fault["rows"])
    where = f"{fault['rule']}, {fault['column']}" if fault["column"] else fault["rule"]
    pieces = [say("terminal.quarantine.fault", where=where, rows=rows)]
    if fault["examples"]:
        pieces.append(say("terminal.quarantine.examples", examples=_joined([*map(repr, fault["examples"])])))
    return "; ".join([*pieces, *([fault["cause"]] if fault["cause"] else [])]) + "."


# hotspots backtest


def _figure(value: Any) -> str:
    """Two decimals, or nothing for null."""
    return "" if value is None or str(value) in {"<NA>", "nan"} else f"{value:.2f}"


def print_backtest(report: "BacktestReport", folder: Path, *, as_json: bool) -> None:
    """Print the scores of the first study at the target that methods are ranked by, best first, and the summary."""
    if as_json:
        print_json(report.record | {"summary": list(report.summary)})
        return
    console = open_console()
    numbers = ("marked", "hit_rate", "interval", "pai", "pei", "rri", "ties")
    table = open_table("method", *numbers, right=numbers)
    main = report.results[0]
    frame = main.frame().sort_values("hits", ascending=False)
    for row in frame[frame["target"] == main.rank_target].to_dict("records"):
        shown = {k: _figure(row[k]) for k in ("hit_rate_pct", "hit_rate_pct_low", "hit_rate_pct_high")}
        between = "–".join(v for k, v in shown.items() if k != "hit_rate_pct" and v)
        figures = (shown["hit_rate_pct"], between, *(_figure(row[k]) for k in ("pai", "pei", "rri")))
        name = say(f"backtest.method.{row['method']}", areas=report.record["areas"])
        table.add_row(name, f"{row['marked_pct']:.3g}", *figures, f"{row['tied_units']:.0f}")
    console.print(table)
    console.print()
    for sentence in report.summary:
        console.print(escape(sentence))
    for note in main.notes:
        console.print(escape(say(f"backtest.note.{note.key}", **note.values)))
    names = {"page": "html", "table": "csv", "record": "json", "picture": "svg"}
    files = {name: shown_path(folder / f"backtest.{end}") for name, end in names.items()}
    console.print(escape(say("terminal.backtest.wrote", **files)))
