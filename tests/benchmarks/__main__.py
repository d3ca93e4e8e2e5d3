"""Measure a run against two scripts: python -m tests.benchmarks --rows 100000 --variant snapped."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.sample import SAMPLE_FOLDER
from pipeline.errors import HotspotsError
from tests.benchmarks.command import bench


def main(
    rows: Annotated[list[int] | None, typer.Option(min=100, help="Incidents; may be repeated.")] = None,
    variant: Annotated[list[str] | None, typer.Option(help="distinct or snapped; may be repeated.")] = None,
    folder: Annotated[Path, typer.Option(help="Where to work; needs room for the incidents.")] = Path("outputs/.bench"),
    out: Annotated[Path | None, typer.Option(help="Write the measurements as JSON too.")] = None,
    baseline: Annotated[bool, typer.Option(help="Run the plain script beside it.")] = True,
    strong: Annotated[bool, typer.Option(help="Run the strong script beside it.")] = True,
    engine: Annotated[str, typer.Option(help="local or dask.")] = "local",
    files: Annotated[int, typer.Option(min=1, help="Files the incidents come in.")] = 1,
    seconds: Annotated[float, typer.Option(min=1, help="Longest that a script may run.")] = 900.0,
    density_seconds: Annotated[
        float, typer.Option(min=1, help="Of the plain script; then it is extrapolated.")
    ] = 120.0,
) -> None:
    """Measure a run against the plain and the strong script of an analyst, stage by stage, on this machine."""
    try:
        bench(
            rows=rows or [10_000, 100_000],
            variants=variant or ["distinct", "snapped"],
            areas=SAMPLE_FOLDER,
            folder=folder,
            out=out,
            baseline=baseline,
            strong=strong,
            engine=engine,
            files=files,
            seconds=seconds,
            density_seconds=density_seconds,
        )
    except HotspotsError as error:
        sys.stderr.write(f"benchmarks: {error}\n")
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    typer.run(main)
