"""The command line. Heavy libraries load only when a command needs them."""

import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import pipeline

__all__ = ["app", "main"]

# As somebody new uses them, from a configuration to maps; then what helps when something is odd.
_ORDER = ("init", "fetch", "check", "run", "stages", "quarantine", "backtest", "ledger", "sample", "doctor")


class _InOrder(TyperGroup):
    """Commands in the order of `_ORDER`: typer itself would list the group `fetch` after all others."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, hidden ones last."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


app = typer.Typer(
    name="hotspots",
    cls=_InOrder,
    help="Crime-hotspot maps that agencies can open and victims can trust.\n\nExample: hotspots run",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_DEFAULT_CONFIG = Path("config.yaml")
_ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
_JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
_DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def main() -> None:
    """Run the command line; errors end as one paragraph and their exit code."""
    if problem := _shadowed():
        advice = (
            "Take its folder out of PYTHONPATH, or keep hotspots in a virtual environment of its own. Nothing was done."
        )
        typer.echo(f"hotspots: another package named `pipeline` is in the way: {problem}. {advice}", err=True)
        raise SystemExit(7)
    from pipeline.errors import HotspotsError

    try:
        app(standalone_mode=True)
    except HotspotsError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(f"hotspots: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        from pipeline.publish.words import say

        typer.echo(say("terminal.main.stopped"), err=True)
        raise SystemExit(1) from None
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        what = f"{type(error).__name__}: {error}"
        # An installation that is not all there may lack the catalogue of words too.
        if isinstance(error, ImportError | SyntaxError):
            typer.echo(
                f"hotspots: the installation is incomplete ({what}). `hotspots doctor` names what is missing. The last "
                "complete outputs are unchanged.",
                err=True,
            )
            raise SystemExit(7) from None
        from pipeline.publish.words import say

        typer.echo(say("terminal.main.unforeseen", what=what), err=True)
        raise SystemExit(1) from None


def _shadowed() -> str:
    """Return what stands in for this package, or between its parts, in words; nothing if all is well.

    It comes before any other import of ours: modules of another package may answer to our names.
    """
    here = Path(__file__).resolve().parent
    folders = [Path(folder).resolve() for folder in pipeline.__path__]
    if pipeline.__file__:
        folders.insert(0, Path(pipeline.__file__).resolve().parent)
    others = [str(folder) for folder in dict.fromkeys(folders) if folder != here]
    if others:
        return f"Python takes modules from {', '.join(others)} as well as from {here}"
    from pipeline.commands.shadowing import another_version

    return another_version()


@app.command()
def run(
    config: _ConfigOption = Path("config.yaml"),
    start: Annotated[str | None, typer.Option("--from", help="Run this stage and all after it, fresh or not.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run this stage alone; may be repeated.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Run every stage, fresh or not.")] = False,
    reissue: Annotated[
        str | None,
        typer.Option(help="Correct numbers that this profile released, at borough level and above; needs --reason."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, in words for readers: printed on the corrected pages.")] = "",
    sample: Annotated[
        bool, typer.Option("--sample", help="Run the synthetic sample in a new folder, hotspots-sample.")
    ] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Print events as JSON lines instead of the report, for schedulers.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Measure where the time goes: a table at the end and in work/timings.txt.")
    ] = False,
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """Bring maps, layers and tables up to date.

    Example: hotspots run --config config.yaml
    """
    from pipeline.commands.events import json_events
    from pipeline.commands.terminal import configured, print_outcome, progress_bar
    from pipeline.commands.timings import print_timings, timed
    from pipeline.errors import ConfigError
    from pipeline.stages.runner import run as run_all

    if bool(reissue) != bool(reason.strip()):
        raise ConfigError("--reissue PROFILE and --reason TEXT go together: pages say why numbers were corrected")
    if log_json and as_json:
        raise ConfigError("--json and --log-json exclude each other: one JSON object at the end, or a line an event")
    if sample and config != _DEFAULT_CONFIG:
        raise ConfigError("--sample and --config exclude each other: the sample has a configuration of its own")
    correction = (reissue, reason.strip()) if reissue else None
    with ExitStack() as stack:
        # Also what is wrong with the configuration is an event.
        events = stack.enter_context(json_events()) if log_json else None
        if sample:
            from pipeline.commands.sample import set_up_sample

            config = set_up_sample(Path("hotspots-sample"))
        settings = stack.enter_context(configured(config))
        with (
            timed() if profile else nullcontext() as timings,
            nullcontext(events) if events else progress_bar() as progress,
        ):
            outcome = run_all(
                settings,
                progress=progress,
                start=start,
                only=only or (),
                force=force,
                reissue=correction,
                second_process=not profile,  # one process is what is timed
            )
        if not log_json:
            print_outcome(outcome, as_json=as_json)
        if timings is not None:
            print_timings(timings, outcome.folder, quiet=log_json or as_json)


@app.command()
def check(
    config: _ConfigOption = Path("config.yaml"),
    rows: Annotated[
        int, typer.Option(min=0, help="Rows to read of each source, shared out over its files; 0 reads headers alone.")
    ] = 10_000,
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """Find every file and column, try the first rows of each source, and say what a run would do; write nothing.

    Example: hotspots check --config config.yaml
    """
    from pipeline.commands.terminal import configured, print_check
    from pipeline.stages.trial import check as try_out

    with configured(config) as settings:
        checked = try_out(settings, rows=rows)
        print_check(checked, as_json=as_json)
    if checked.trial.error is not None:
        raise checked.trial.error


@app.command()
def stages(
    config: _ConfigOption = Path("config.yaml"),
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """List the stages and whether each is fresh.

    Example: hotspots stages
    """
    from pipeline.commands.terminal import configured, print_stages
    from pipeline.stages.freshness import stage_states

    with configured(config):
        print_stages(stage_states(config), as_json=as_json)


@app.command()
def quarantine(
    config: _ConfigOption = Path("config.yaml"),
    rule: Annotated[str | None, typer.Option(help="Show only rows refused by this rule.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 20,
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """Show the rows that the latest attempt refused, also one that failed, and why.

    Example: hotspots quarantine --rule future --limit 5
    """
    from pipeline.commands.terminal import configured, print_quarantine
    from pipeline.stages.runner import latest_attempt

    with configured(config) as settings:
        folder = config.resolve().parent / settings.run.output_dir / settings.run.name
        print_quarantine(latest_attempt(folder), rule, limit, as_json=as_json)


@app.command()
def backtest(
    config: _ConfigOption = Path("config.yaml"),
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """Measure how well each method would have predicted the months that followed.

    Example: hotspots backtest --config config.yaml
    """
    from pipeline.commands.backtest import run_backtest
    from pipeline.commands.terminal import configured, print_backtest

    with configured(config):
        result, folder = run_backtest(config)
        print_backtest(result, folder, as_json=as_json)


@app.command()
def init(
    template: Annotated[str | None, typer.Argument(help="extract, police-uk or mps-dashboard.")] = None,
    config: _ConfigOption = Path("config.yaml"),
    data: Annotated[
        list[str] | None,
        typer.Option("--from", help="Instead of a template: files of incidents or counts; may be repeated."),
    ] = None,
    areas: Annotated[
        list[str] | None, typer.Option(help="With --from: boundaries of wards, and of boroughs; may be repeated.")
    ] = None,
    population: Annotated[
        list[str] | None, typer.Option(help="With --from: residents by area; may be repeated.")
    ] = None,
    lookup: Annotated[
        list[str] | None,
        typer.Option(help="With --from: where postcodes, LSOAs, MSOAs or beats are (such as ONSPD); may be repeated."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
    debug: _DebugOption = False,
) -> None:
    """Write a commented configuration to start from: for files that you name, or a template.

    Example: hotspots init --from incidents.csv --areas wards.gpkg --config my.yaml
    """
    from pipeline.errors import ConfigError
    from pipeline.publish.words import say

    if bool(data) == bool(template):
        raise ConfigError(
            "give either a template (extract, police-uk or mps-dashboard) or files with --from: "
            "hotspots init --from incidents.csv --areas wards.gpkg"
        )
    if template:
        from pipeline.config.templates import write_template

        write_template(template, config, force=force)
        typer.echo(say("terminal.init.wrote", path=config))
        return
    from pipeline.commands.begin import begin

    ask = (lambda question: str(typer.prompt(question, default="", show_default=False))) if sys.stdin.isatty() else None
    done = begin(
        data or (),
        areas=areas or (),
        population=population or (),
        lookup=lookup or (),
        config=config,
        force=force,
        ask=ask,
    )
    typer.echo(say("terminal.init.recognised", path=config))
    for text in done.unseen:
        typer.echo(say("terminal.init.unseen", what=text))
    if done.error is not None:
        typer.echo(say("terminal.init.not_yet", error=str(done.error)))
        raise typer.Exit(done.error.exit_code)


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="Where to write; .gz is compressed.")] = Path(
        "data/sample/incidents.csv.gz"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the generator.")] = 2025,
    rows: Annotated[int, typer.Option(min=1, help="Rows to make.")] = 40_000,
    debug: _DebugOption = False,
) -> None:
    """Make synthetic incidents over London: nothing in them ever happened.

    Example: hotspots sample --out data/sample/incidents.csv.gz --rows 40000
    """
    from pipeline.commands.sample import write_sample
    from pipeline.publish.words import say

    typer.echo(say("terminal.sample.wrote", n=write_sample(out, seed=seed, rows=rows), path=out))


@app.command()
def doctor(
    config: _ConfigOption = Path("config.yaml"),
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """Examine this computer: versions, projection grids, memory, disk, the output folder.

    Example: hotspots doctor
    """
    from pipeline.commands.doctor import doctor as examine

    raise typer.Exit(examine(config, as_json=as_json))


ledger = typer.Typer(help="What has been released from the same data so far.", no_args_is_help=True)
app.add_typer(ledger, name="ledger")


@ledger.command("list")
def ledger_list(
    config: _ConfigOption = Path("config.yaml"),
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """List the ledgers beside the outputs and in the user's state folder, and the releases in each.

    Example: hotspots ledger list
    """
    from pipeline.commands import ledger as command
    from pipeline.commands.terminal import configured

    with configured(config):
        command.print_ledgers(command.listed(config), as_json=as_json)


@ledger.command("forget")
def ledger_forget(
    name: Annotated[
        str | None, typer.Argument(help="Its name or the first characters of its id; that of the configuration's run.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why what was released does not count any more.")] = "",
    config: _ConfigOption = Path("config.yaml"),
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """Close a ledger: releases so far no longer bind later ones, which say that earlier releases are unknown.

    Example: hotspots ledger forget --reason "nothing was ever handed over"
    """
    from pipeline.commands import ledger as command
    from pipeline.commands.terminal import configured

    with configured(config):
        command.print_forgotten(command.forget(config, name=name, reason=reason), as_json=as_json)


fetch = typer.Typer(help="Fetch public data: outlines, residents, police.uk crimes, context.", no_args_is_help=True)
app.add_typer(fetch, name="fetch")

_OutOption = Annotated[Path, typer.Option("--out", help="Folder to write to.")]
_FromOption = Annotated[str | None, typer.Option("--from", help="Another address that answers in the same way.")]


@fetch.command("boundaries")
def fetch_boundaries(
    out: _OutOption = Path("boundaries"),
    year: Annotated[int, typer.Option(help="Edition of the outlines.")] = 2022,
    within: Annotated[list[str] | None, typer.Option(help="Only these boroughs, by code; may be repeated.")] = None,
    level: Annotated[str, typer.Option(help="wards, boroughs or both.")] = "both",
    service: Annotated[str | None, typer.Option(help="Layer name of another edition.")] = None,
    address: _FromOption = None,
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """Fetch outlines of wards and boroughs from ONS Open Geography.

    Example: hotspots fetch boundaries --year 2022 --out boundaries
    """
    from pipeline.commands import fetch as command

    done = command.boundaries(out, year=year, within=within or (), level=level, service=service, address=address)
    command.print_fetched(done, as_json=as_json)


@fetch.command("population")
def fetch_population(
    out: _OutOption = Path("population"),
    level: Annotated[str, typer.Option(help="wards or boroughs.")] = "wards",
    only: Annotated[Path | None, typer.Option(help="A boundary file fetched before: its areas alone.")] = None,
    address: _FromOption = None,
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """Fetch Census residents by area.

    Example: hotspots fetch population --level wards --out population
    """
    from pipeline.commands import fetch as command

    command.print_fetched(command.residents(out, level=level, only=only, address=address), as_json=as_json)


@fetch.command("context")
def fetch_context(
    out: _OutOption = Path("context"),
    config: Annotated[Path | None, typer.Option("--config", "-c", help="For the areas of this configuration.")] = None,
    bounds: Annotated[str | None, typer.Option(help="Or for west,south,east,north in degrees.")] = None,
    source: Annotated[str, typer.Option(help="os (Great Britain) or osm (any place).")] = "os",
    extract: Annotated[str | None, typer.Option(help="An extract of OpenStreetMap: europe/andorra.")] = None,
    address: _FromOption = None,
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """Fetch roads, water, parks, stations and places to draw under hotspots.

    Example: hotspots fetch context --config my.yaml --out context
    """
    from pipeline.commands import fetch as command

    done = command.context(out, config=config, bounds=bounds, source=source, extract=extract, address=address)
    command.print_fetched(done, as_json=as_json)
    if not as_json:
        command.print_snippet(done)


@fetch.command("police-uk")
def fetch_police_uk(
    out: _OutOption = Path("street"),
    forces: Annotated[list[str] | None, typer.Option("--force-name", help="Whole forces; may be repeated.")] = None,
    polygon: Annotated[str | None, typer.Option(help="One small area as lat,lon:lat,lon:...")] = None,
    first: Annotated[str, typer.Option(help="First month, yyyy-mm.")] = "2025-01",
    last: Annotated[str, typer.Option(help="Last month, yyyy-mm.")] = "2025-01",
    archive: Annotated[str, typer.Option(help="Which archive: latest, or yyyy-mm.")] = "latest",
    sha256: Annotated[str | None, typer.Option(help="Checksum the archive must have.")] = None,
    address: _FromOption = None,
    as_json: _JsonOption = False,
    debug: _DebugOption = False,
) -> None:
    """Fetch street-level crimes from data.police.uk.

    Example: hotspots fetch police-uk --force-name city-of-london --first 2025-01 --last 2025-06
    """
    from pipeline.commands import fetch as command

    done = command.police_uk(
        out,
        forces=forces or (),
        polygon=polygon,
        first=first,
        last=last,
        archive=archive,
        sha256=sha256,
        address=address,
    )
    command.print_fetched(done, as_json=as_json)


# The benchmark left the package, but people remember the command: it answers with where to go instead of "no such".
@app.command(hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench() -> None:
    """Say where the benchmark is: python -m tests.benchmarks."""
    from pipeline.errors import ConfigError

    raise ConfigError(
        "the benchmark is not part of the installed package: run `python -m tests.benchmarks --rows 100000` "
        "in a checkout of the project"
    )
