"""One trial: incidents made, the pipeline and the two scripts run on them, everything measured."""

import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.making import write_incidents
from tests.benchmarks.measuring import Limits, Measured, measure
from tests.benchmarks.settings import write_settings

__all__ = ["Trial", "run_trial"]

_PATIENCE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What one trial measured.

    Attributes
    ----------
    rows, variant, engine, files
        What was run.
    bytes_read
        Size of the incidents, in bytes.
    product, baseline, strong
        Steps of the pipeline, of the plain script and of the strong one; a script that was not asked for has none.
    machine
        Where.
    """

    rows: int
    variant: str
    engine: str
    files: int
    bytes_read: int
    product: tuple[Measured, ...]
    baseline: tuple[Measured, ...]
    machine: dict[str, Any]
    strong: tuple[Measured, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def run_trial(
    folder: Path,
    *,
    rows: int,
    variant: str,
    areas: Path,
    engine: str = "local",
    files: int = 1,
    baseline: bool = True,
    strong: bool = True,
    limits: Limits | None = None,
    density_seconds: float = 120.0,
    memory_limit_mb: int = 1500,
    keep: bool = False,
) -> Trial:
    """Make incidents and measure all sides on them, one after the other, each in a process of its own.

    Parameters
    ----------
    folder
        Where everything is written; emptied afterwards.
    rows, variant, areas, files
        As for `write_incidents`.
    engine
        `local` or `dask`.
    baseline, strong
        Whether to run the plain script and the strong one too.
    limits
        What a script may use; the pipeline may run for an hour.
    density_seconds
        How long the plain script's density may take before it is extrapolated.
    memory_limit_mb
        What DuckDB may use before it spills.
    keep
        Leave the incidents and outputs.
    """
    import os

    limits = limits or Limits()
    folder.mkdir(parents=True, exist_ok=True)
    paths = write_incidents(folder / "incidents.csv", rows=rows, variant=variant, areas=areas, files=files)
    size = sum(p.stat().st_size for p in paths)
    config = folder / "config.yaml"
    write_settings(config, incidents=paths, areas=areas, rows=rows, engine=engine, memory_limit_mb=memory_limit_mb)
    patient = Limits(max(limits.seconds, _PATIENCE_S), limits.memory_gb)
    ours = measure("tests.benchmarks.product", [str(config)], log=folder / "product.log", limits=patient)
    plain: list[Measured] = []
    anchor: list[Measured] = []
    arguments = ["|".join(map(str, paths)), str(areas), str(folder), str(limits.memory_gb)]
    if strong:
        anchor = measure("tests.benchmarks.strong", arguments, log=folder / "strong.log", limits=limits)
    if baseline:
        arguments.append(str(density_seconds))
        plain = measure("tests.benchmarks.baseline", arguments, log=folder / "baseline.log", limits=limits)
    if not keep:
        shutil.rmtree(folder)
    machine = {"cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}
    return Trial(rows, variant, engine, files, size, tuple(ours), tuple(plain), machine, tuple(anchor))
