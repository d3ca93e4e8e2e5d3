"""Synthetic incidents to try everything out on: invented rows in the shape of a police extract."""

from pipeline.sample.faults import planted_faults
from pipeline.sample.incidents import DEFAULT_ROWS, DEFAULT_SEED, incident_chunks, make_incidents, to_csv_text
from pipeline.sample.layout import COLUMNS, FIRST_DAY, LAST_DAY
from pipeline.sample.places import Boroughs

__all__ = [
    "COLUMNS",
    "DEFAULT_ROWS",
    "DEFAULT_SEED",
    "FIRST_DAY",
    "LAST_DAY",
    "Boroughs",
    "incident_chunks",
    "make_incidents",
    "planted_faults",
    "to_csv_text",
]
