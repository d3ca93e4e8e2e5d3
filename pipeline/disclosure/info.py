"""The words and choices that go with the numbers of a release."""

from pipeline.config import Config, Profile
from pipeline.disclosure.released import Break, CategoryInfo, Event, PeriodInfo, ReleaseInfo
from pipeline.domain.periods import Period
from pipeline.domain.windows import Windows

__all__ = ["release_info"]


def _period_info(period: Period, windows: Windows) -> PeriodInfo:
    return PeriodInfo(
        id=period.id,
        label=period.label,
        start=period.start.isoformat(),
        end=period.end.isoformat(),
        days=period.days,
        complete=not windows.partial(period),
    )


def _recorder(config: Config) -> str:
    if config.run.recorded_by is not None:
        return config.run.recorded_by.strip()
    several = len(config.incidents) + len(config.published_counts) > 1
    return "" if several or any(s.columns.organisation for s in config.incidents) else "Police"


def release_info(
    config: Config,
    profile: Profile,
    windows: Windows,
    *,
    categories: tuple[CategoryInfo, ...],
    verdict: str,
    has_points: bool,
    hotspot_note: str,
    density_note: str,
    cautions: tuple[str, ...] = (),
) -> ReleaseInfo:
    """Put together what pages say of a profile's release; `cautions` come before the configured ones."""
    wards, boroughs = config.areas.wards, config.areas.boroughs
    borough_word = (boroughs.label if boroughs else "") or "borough"
    borough_plural = (boroughs.label_plural if boroughs else "") or f"{borough_word}s"
    ward_word = wards.label or "ward"
    return ReleaseInfo(
        run_name=config.run.name,
        title=config.run.title,
        noun=config.run.noun,
        recorder=_recorder(config),
        place=config.run.place,
        publisher=config.run.publisher,
        licence=config.page.licence,
        synthetic=config.run.synthetic,
        language=config.page.language,
        profile=profile.name,
        audience=profile.audience,
        marking=profile.marking,
        threshold=profile.threshold,
        rounding=profile.rounding,
        zero_rule=profile.zero_rule,
        audit=verdict,
        region_code=config.areas.region.code,
        region_name=config.areas.region.name,
        level_labels={
            "region": ("region", "regions"),
            "borough": (borough_word, borough_plural),
            "ward": (ward_word, wards.label_plural or f"{ward_word}s"),
        },
        categories=categories,
        headline=_period_info(windows.headline, windows),
        earlier=_period_info(windows.earlier, windows) if windows.earlier else None,
        periods={level: tuple(_period_info(p, windows) for p in laid) for level, laid in windows.series.items()},
        breaks=() if config.periods.ignore_breaks else tuple(Break(b.month, b.text) for b in config.periods.breaks),
        events=tuple(Event(e.date, e.label, e.areas) for e in config.periods.events),
        outcome_basis=config.outcomes.basis if "positive_outcomes" in profile.measures else "none",
        measures=profile.measures,
        has_points=has_points,
        working_crs=config.crs.working,
        support=tuple((link.text, link.contact) for link in config.page.support),
        caveats=(*cautions, *config.page.caveats),
        density_note=density_note,
        hotspot_note=hotspot_note,
        simplify_m=config.page.simplify_m,
        tiles_url=config.page.tiles.url,
        tiles_attribution=config.page.tiles.attribution,
        contact=config.exports.contact,
        abstract=config.exports.abstract,
        protection=config.protection.settings(),
    )
