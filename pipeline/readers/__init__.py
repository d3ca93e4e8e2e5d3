"""Files in: incidents, published counts, boundaries and residents, read into the tables of the house."""

from pipeline.readers.account import PartReport
from pipeline.readers.files import expand, source_labels
from pipeline.readers.incidents import read_incidents
from pipeline.readers.sorting import merged_labels

__all__ = ["PartReport", "expand", "merged_labels", "read_incidents", "source_labels"]
