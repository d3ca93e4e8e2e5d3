"""Limits on the quality of the data: how many rows may be refused, and how many should have a location."""

from pydantic import Field

from pipeline.config.section import Section

__all__ = [
    "Quality",
]


class Quality(Section):
    """How many rows may be refused."""

    max_quarantined_pct: float = Field(
        20.0, ge=0, le=100, description="Stop (exit 5) if more rows than this are refused, in per cent."
    )
    geocode_target_pct: float = Field(
        85.0, ge=0, le=100, description="Rule of thumb for the share of rows with a usable location, in per cent."
    )
