"""Hotspots: clusters of incidents ranked, outlined, described, and tested where asked."""

from pipeline.detect.hotspots.description import hotspot_facts
from pipeline.detect.hotspots.entry import METHOD
from pipeline.detect.hotspots.finding import Hotspots, find_hotspots
from pipeline.detect.hotspots.stability import Background, monte_carlo_p, stability

__all__ = ["METHOD", "Background", "Hotspots", "find_hotspots", "hotspot_facts", "monte_carlo_p", "stability"]
