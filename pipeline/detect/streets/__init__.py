"""Streets: incidents by street segment, hot segments and runs of them, and density along the network."""

from pipeline.detect.streets.entry import METHOD

__all__ = ["METHOD"]
