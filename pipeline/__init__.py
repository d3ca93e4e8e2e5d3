"""Crime-hotspot maps from geocoded incidents or published counts.

From Python: `Config` holds the settings, `check` tries a configuration without writing anything, `run` brings its
outputs up to date and returns a `RunResult`. They raise the errors of `pipeline.errors`, print nothing, and log to
`pipeline.run`.
"""

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.api import CheckResult, Config, RunResult, check, run

__all__ = ["DISTRIBUTION", "CheckResult", "Config", "RunResult", "__version__", "check", "run"]
__version__ = "0.2.0"

DISTRIBUTION = "hotspots-map"
"""What the package is called where packages are installed from: `hotspots` belongs to another project."""

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    # Imported when first used: the command line starts without the libraries that a run needs.
    if name in {"CheckResult", "Config", "RunResult", "check", "run"}:
        return getattr(importlib.import_module("pipeline.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
