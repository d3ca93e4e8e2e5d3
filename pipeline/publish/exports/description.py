"""What a release says about itself: title, abstract, lineage, extent and terms, in the same words in every format."""

from dataclasses import dataclass

import shapely

from pipeline.geography.projection import to_lonlat
from pipeline.publish.page import fixed_wording, protection_of
from pipeline.publish.words import named_period, say
from pipeline.release.released import Released
from pipeline.tables import STATES_NOTE

__all__ = ["Description", "describe"]

_READERS = {
    "internal": "Every count is shown. Not for release outside the organisation.",
    "partner": "For named partners only.",
    "public": "",
}


@dataclass(frozen=True, slots=True)
class Description:
    """What every format repeats about a release.

    Attributes
    ----------
    extent
        West, south, east and north, in degrees.
    begin, end
        First and last day of any period in the release, ISO.
    stamp
        ISO date that stands for the time of writing: the last day of the headline period. A release carries no clock,
        so that equal input gives equal bytes.
    """

    title: str
    headline: str
    abstract: str
    lineage: str
    limits: tuple[str, ...]
    licence: str
    publisher: str
    contact: str
    place: str
    language: str
    audience: str
    crs: str
    extent: tuple[float, float, float, float]
    begin: str
    end: str
    stamp: str
    keywords: tuple[str, ...]
    identity: str


def describe(released: Released) -> Description:
    """Describe a release."""
    info = released.info
    limits = (*fixed_wording(info.title[:1].lower() + info.title[1:]), *info.caveats)
    doubts = ([info.marking] if info.marking else []) + ([say("common.synthetic")] if info.synthetic else [])
    doubts += [f"{say('common.not_audited')}."] if info.audit.startswith("not audited") else []
    where = f" in {info.place}" if info.place else ""
    own = info.abstract or (
        f"{info.title} recorded{where}, by area, with outlines of hotspots and bands of density. "
        f"Layers hold {named_period(info.headline.label)} ({info.headline.start} to {info.headline.end}); the table "
        "area_counts holds every period."
    )
    starts, ends = released.counts["period_start"], released.counts["period_end"]
    return Description(
        title=": ".join(part for part in (info.title, info.place) if part),
        headline=info.headline.label,
        abstract=" ".join(
            filter(None, [*doubts, own, _protection(released), _READERS[info.audience], STATES_NOTE, *limits])
        ),
        lineage=_lineage(released),
        limits=limits,
        licence=info.licence,
        publisher=info.publisher,
        contact=info.contact,
        place=info.region_name,
        language=info.language,
        audience=info.audience,
        crs=info.working_crs,
        extent=_extent(released),
        begin=str(starts.min()) if len(starts) else info.headline.start,
        end=str(ends.max()) if len(ends) else info.headline.end,
        stamp=info.headline.end,
        keywords=("crime", "crime mapping", "hotspots", *(c.label for c in info.categories if c.id != "all")),
        identity=f"hotspots/{info.run_name}/{info.profile}/{info.headline.id}",
    )


def _protection(released: Released) -> str:
    """Say how counts are protected."""
    return protection_of(released)


def _lineage(released: Released) -> str:
    info = released.info
    people = released.areas.loc[released.areas["population"].notna(), "population_year"].dropna()
    parts = [
        f"Source: {info.publisher}.",
        f"Counted by area in {info.working_crs}; a period includes both its ends.",
        f"Denominator: {info.every_base} of {int(people.max())}." if len(people) else "",
        f"Hotspots: {info.hotspot_note}" if info.hotspot_note else "",
        f"Density: {info.density_note}" if info.density_note else "",
        *(f"Series break in {pause.month}: {pause.text}." for pause in info.breaks),
        _protection(released),
        f"Disclosure audit: {info.audit}.",
    ]
    return " ".join(part for part in parts if part)


def _extent(released: Released) -> tuple[float, float, float, float]:
    """Return the box of all areas, from outlines densified first so that no bent edge leaves it."""
    if not len(released.areas):
        return (-180.0, -90.0, 180.0, 90.0)
    box = shapely.segmentize(shapely.box(*released.areas.total_bounds), 1000.0)
    west, south, east, north = shapely.total_bounds(to_lonlat([box], working=released.info.working_crs))
    return (round(float(west), 6), round(float(south), 6), round(float(east), 6), round(float(north), 6))
