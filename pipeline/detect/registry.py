"""The registry of detection methods. Each is one entry, in the module that holds the method.

To add one, write a module with an entry `METHOD` (`pipeline/detect/method.py` describes it) and name it here; the stage
loads what the entry needs, runs it and saves what it finds.
"""

from pipeline.detect import (
    concentration,
    density,
    emerging,
    gistar,
    harm,
    hotspots,
    hours,
    near_repeats,
    risk,
    scan,
    seasons,
    streets,
)
from pipeline.detect.method import Method

__all__ = ["METHODS"]

METHODS: tuple[Method, ...] = (
    density.METHOD,
    hotspots.METHOD,
    gistar.METHOD,
    *scan.METHODS,
    near_repeats.METHOD,
    risk.METHOD,
    emerging.METHOD,
    concentration.METHOD,
    streets.METHOD,
    hours.METHOD,
    seasons.METHOD,
    harm.METHOD,
)
