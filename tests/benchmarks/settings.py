"""The benchmark configuration, filled in for one trial."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

__all__ = ["CELL_M", "COMPACT", "EPS_M", "KDE_BANDWIDTH_M", "METHOD", "min_samples", "write_settings"]

COMPACT = "density, compact kernel"
METHOD = "method "  # before the name of a method of detection, where it is measured on its own
CELL_M = 100.0
EPS_M = 200.0
KDE_BANDWIDTH_M = 800.0
_ROWS_PER_SAMPLE = 5000


def min_samples(rows: int) -> int:
    """Return the least incidents within reach of a core point: two and a half times the mean, so that it scales."""
    return max(10, rows // _ROWS_PER_SAMPLE)


def write_settings(
    path: Path, *, incidents: Sequence[Path], areas: Path, rows: int, engine: str = "local", scheduler: str = "",
    workers: int = 2, memory_limit_mb: int = 1500,
) -> dict[str, Any]:  # fmt: skip
    """Write the configuration of a trial and return it.

    Parameters
    ----------
    path
        YAML to write.
    incidents
        Files that `write_incidents` made.
    areas
        Folder of the boundaries and residents.
    rows
        Incidents in all, for the scale of the clusters.
    engine, scheduler, workers, memory_limit_mb
        As in the section `run`.
    """
    settings: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("benchmark.yaml").read_text("utf-8"))
    settings["run"] |= {
        "engine": engine,
        "scheduler": scheduler,
        "workers": workers,
        "memory_limit_mb": memory_limit_mb,
    }
    settings["incidents"][0]["paths"] = [p.resolve().as_posix() for p in incidents]
    for level in ("wards", "boroughs"):
        settings["areas"][level]["path"] = (areas.resolve() / settings["areas"][level]["path"]).as_posix()
    settings["areas"]["population"][0]["path"] = (areas.resolve() / "population.csv").as_posix()
    settings["detect"]["clusters"] |= {"eps_m": EPS_M, "min_samples": min_samples(rows)}
    settings["detect"]["density"]["bandwidth_m"] = KDE_BANDWIDTH_M
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return settings
