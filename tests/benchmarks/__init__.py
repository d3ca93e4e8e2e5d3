"""How fast, in how much memory, and beside the scripts that an analyst would write: measured, never guessed."""

from tests.benchmarks.command import bench
from tests.benchmarks.making import VARIANTS, write_incidents
from tests.benchmarks.measuring import Limits, Measured, Stopwatch, measure
from tests.benchmarks.report import as_json, as_summary, as_table, ratios, strong_price
from tests.benchmarks.settings import write_settings
from tests.benchmarks.trial import Trial, run_trial

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
    "strong_price",
    "write_incidents",
    "write_settings",
]
