"""What `python -m tests.benchmarks` does."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import ConfigError, InputError
from tests.benchmarks.making import VARIANTS
from tests.benchmarks.measuring import Limits
from tests.benchmarks.report import as_json, as_summary, as_table
from tests.benchmarks.trial import Trial, run_trial

__all__ = ["bench"]


def bench(
    *,
    rows: Sequence[int],
    variants: Sequence[str],
    areas: Path,
    folder: Path,
    out: Path | None = None,
    baseline: bool = True,
    strong: bool = True,
    engine: str = "local",
    files: int = 1,
    seconds: float = 900.0,
    memory_gb: float = 12.0,
    density_seconds: float = 120.0,
    memory_limit_mb: int = 1500,
) -> list[Trial]:
    """Run the trials, printing each as it ends, and write them as JSON.

    Raises
    ------
    ConfigError
        If a variant or engine is not known.
    InputError
        If the boundaries are not there.
    """
    unknown = sorted(set(variants) - set(VARIANTS))
    if unknown or engine not in {"local", "dask"}:
        raise ConfigError(
            f"there is no variant {', '.join(unknown)}: choose from {', '.join(VARIANTS)}"
            if unknown
            else f'there is no engine "{engine}": choose local or dask'
        )
    for name in ("wards.geojson", "boroughs.geojson", "population.csv"):
        if not (areas / name).is_file():
            raise InputError(f"{areas / name} is missing: give the folder of the sample's areas with --areas")
    trials = []
    for count in rows:
        for variant in variants:
            trial = run_trial(
                folder / f"{variant}-{count}",
                rows=count,
                variant=variant,
                areas=areas,
                engine=engine,
                files=files,
                baseline=baseline,
                strong=strong,
                limits=Limits(seconds, memory_gb),
                density_seconds=density_seconds,
                memory_limit_mb=memory_limit_mb,
            )
            trials.append(trial)
            sys.stdout.write(as_table([trial]) + "\n\n")
            sys.stdout.flush()
            if out is not None:
                out.parent.mkdir(parents=True, exist_ok=True)
                out.write_text(as_json(trials), encoding="utf-8")
    if len(trials) > 1:
        sys.stdout.write(as_summary(trials) + "\n")
    return trials
