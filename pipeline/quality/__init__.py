"""The account of a run's data: every row read is an incident, refused with a reason, or a duplicate, and none is lost.

What is counted twice in different ways must agree; where it does not, the program is wrong and says so.
"""

from pipeline.quality.accounts import CountsAccount, PartAccount
from pipeline.quality.counts import counts_quality
from pipeline.quality.coverage import coverage_caution, scarce
from pipeline.quality.incidents import hit_rates, incidents_quality, repeated_share

__all__ = [
    "CountsAccount",
    "PartAccount",
    "counts_quality",
    "coverage_caution",
    "hit_rates",
    "incidents_quality",
    "repeated_share",
    "scarce",
]
