"""The command line. Heavy libraries load only when a command needs them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import HotspotsError

__all__ = ["app", "main"]

app = typer.Typer(
    name="hotspots",
    help="Crime-hotspot maps that agencies can open and victims can trust.\n\nExample: hotspots run",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
_JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
_DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def main() -> None:
    """Run the command line; errors end as one paragraph and their exit code."""
    try:
        app(standalone_mode=True)
    except HotspotsError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(f"hotspots: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        typer.echo("hotspots: stopped. The last complete outputs are as they were.", err=True)
        raise SystemExit(1) from None
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(
            f"hotspots: something unforeseen happened ({type(error).__name__}: {error}). The last complete outputs are "
            "as they were. Run again with --debug for the details, and please report them.",
            err=True,
        )
        raise SystemExit(1) from None
