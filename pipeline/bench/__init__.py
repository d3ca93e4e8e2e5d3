"""How fast, in how much memory, and how much faster than the script an analyst would write: measured, never guessed."""

from pipeline.bench.command import bench
from pipeline.bench.making import VARIANTS, write_incidents
from pipeline.bench.measuring import Limits, Measured, Stopwatch, measure
from pipeline.bench.report import as_json, as_summary, as_table, ratios
from pipeline.bench.settings import write_settings
from pipeline.bench.trial import Trial, run_trial

__all__ = [
    "VARIANTS",
    "Limits",
    "Measured",
    "Stopwatch",
    "Trial",
    "as_json",
    "as_summary",
    "as_table",
    "bench",
    "measure",
    "ratios",
    "run_trial",
    "write_incidents",
    "write_settings",
]
