"""What may leave the building: the only type that exports, maps and briefings accept.

A `Released` can be made by `disclosure.release` alone, so an unprotected number cannot reach a file by mistake.
Everything in it is already protected: counts, and whatever was derived from those counts.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import geopandas as gpd
import pandas as pd

from pipeline.errors import DisclosureError
from pipeline.tables import CIRCUMSTANCES

__all__ = ["Break", "CategoryInfo", "Event", "PeriodInfo", "ReleaseInfo", "Released"]

_SEAL = object()


@dataclass(frozen=True, slots=True)
class CategoryInfo:
    """A category as readers see it; `all` comes first."""

    id: str
    label: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class PeriodInfo:
    """A window of the series of one level; both ends are inclusive ISO dates."""

    id: str
    label: str
    start: str
    end: str
    days: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Break:
    """A change of recording system: nothing is compared across it."""

    month: str
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """A dated event for charts."""

    date: str
    label: str
    areas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReleaseInfo:
    """The words and choices that go with the numbers."""

    run_name: str
    title: str
    noun: str
    recorder: str
    """Who recorded, where that was one organisation; empty where it was several."""
    place: str
    publisher: str
    licence: str
    synthetic: bool
    language: str
    profile: str
    audience: Literal["internal", "partner", "public"]
    marking: str
    threshold: int
    rounding: int
    zero_rule: Literal["show", "band"]
    audit: str
    """`passed`, `not needed` (internal), or `not audited: do not publish`."""
    region_code: str
    region_name: str
    level_labels: dict[str, tuple[str, str]]
    """Level to singular and plural: {"ward": ("ward", "wards"), ...}."""
    categories: tuple[CategoryInfo, ...]
    headline: PeriodInfo
    earlier: PeriodInfo | None
    """The window that changes compare with."""
    periods: dict[str, tuple[PeriodInfo, ...]]
    """Level to its windows, oldest first; the headline is among each level's windows or beside them."""
    breaks: tuple[Break, ...]
    events: tuple[Event, ...]
    outcome_basis: Literal["cohort", "flow", "none"]
    measures: tuple[str, ...]
    has_points: bool
    working_crs: str
    support: tuple[tuple[str, str], ...]
    """Where to report and find support: text and contact."""
    caveats: tuple[str, ...]
    density_note: str
    """Bandwidth and kernel in words, or why there is no density."""
    hotspot_note: str
    """Method in words, or why there are none."""
    simplify_m: float
    tiles_url: str = ""
    tiles_attribution: str = ""
    contact: str = ""
    abstract: str = ""
    protection: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Released:
    """One profile's tables after the gate.

    Attributes
    ----------
    areas
        Table `areas`: region, boroughs, wards in the working system (a scope leaves out others).
    counts
        Table `area_counts`: the windows of `info.periods` and the headline, every category shown.
    hotspots, density
        Tables `hotspots` and `density` with geometry in the working system; empty where the profile shows none.
    record
        What release.json says.
    circumstances
        Table CIRCUMSTANCES of the headline window; empty where nothing describes incidents or nothing may be shown.
    """

    info: ReleaseInfo
    areas: gpd.GeoDataFrame
    counts: pd.DataFrame
    hotspots: gpd.GeoDataFrame
    density: gpd.GeoDataFrame
    record: dict[str, Any]
    seal: object = None
    circumstances: pd.DataFrame = field(default_factory=CIRCUMSTANCES.empty)

    def __post_init__(self) -> None:
        """Refuse to exist unless the gate made it."""
        if self.seal is not _SEAL:
            raise DisclosureError(
                "a Released table can only be made by disclosure.release(): pass the tables through it"
            )
