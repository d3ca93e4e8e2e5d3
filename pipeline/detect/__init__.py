"""Stage 3: where incidents concentrate, by density, clusters and tests of significance.

Every method is one entry in `METHODS`, in the module that holds it. To add one, write a module with an entry `METHOD`
and name it here; the stage loads what the entry needs, runs it and saves what it finds.
"""

from pipeline.detect import concentration, density, emerging, gistar, hotspots, knox, risk, scan, streets
from pipeline.detect.method import DetectInput, Findings, Method, Need, Scope

__all__ = ["METHODS", "DetectInput", "Findings", "Method", "Need", "Scope"]

METHODS: tuple[Method, ...] = (
    density.METHOD,
    hotspots.METHOD,
    gistar.METHOD,
    scan.METHOD,
    knox.METHOD,
    risk.METHOD,
    emerging.METHOD,
    concentration.METHOD,
    streets.METHOD,
)
