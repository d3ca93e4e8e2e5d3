"""What deserves attention, for the map's page: the released figures that the statements rest on, and their fields."""

from datetime import date

from pipeline.publish import findings, words
from pipeline.publish.briefings.release_index import ReleaseIndex, before_words, break_text
from pipeline.publish.map.fields import AttentionFields
from pipeline.publish.words import say
from pipeline.release.released import PeriodInfo, Released
from pipeline.tables import Level

__all__ = ["attention_fields", "overview_of"]


def attention_fields(released: Released) -> list[AttentionFields]:
    """Choose the statements of a release and write them as the page reads them.

    Parameters
    ----------
    released
        What came through the gate, and nothing else.
    """
    index = ReleaseIndex(released)
    levels = {"areas": _detail(index), "groups": Level.BOROUGH.value, "": ""}
    return [
        {
            "kind": found.kind,
            "text": list(found.text),
            "tested": found.tested,
            "category": index.subject,
            "measure": found.evidence.measure,
            "level": levels[found.evidence.level],
            "codes": list(found.evidence.codes),
            "hotspots": found.evidence.hotspots,
            "period": found.evidence.window,
        }
        for found in findings.statements(overview_of(index))
    ]


def _detail(index: ReleaseIndex) -> str:
    """Return the level with the smallest areas that the main category is given by."""
    detail = next((c.detail_in_headline for c in index.info.categories if c.id == index.subject), Level.WARD)
    return next((str(level) for level in (detail, Level.BOROUGH, Level.WARD) if index.level(level)), str(detail))


def overview_of(index: ReleaseIndex) -> findings.Overview:
    """Read what the statements may rest on.

    It is the headline of the main category, and where that cannot be compared the shorter window that stands in for it.

    Parameters
    ----------
    index
        What came through the gate.
    """
    info, counts = index.info, index.released.counts
    detail, region = _detail(index), index.places.get(info.region_code)
    return findings.Overview(
        region=index.region(),
        areas=_profiles(index, detail),
        area_words=index.words_for(detail),
        groups=_profiles(index, Level.BOROUGH) if detail != Level.BOROUGH else (),
        group_words=index.words_for(Level.BOROUGH),
        noun=index.noun,
        period=info.headline.label,
        before=index.before,
        one_in=max(1, round(1 / info.change_fdr_q)),
        region_km2=region.area_km2 if region else 0.0,
        audience=info.audience,
        has_change=bool(counts["change_word"].notna().any()) if "change_word" in counts else False,
        break_text=break_text(info),
        stand_in=_stand_in(index, detail),
        spots=tuple(
            findings.Spot(int(h["rank"]), str(h["name"]), findings.count_range(h, "incidents"), float(h["area_km2"]))
            for h in index.hotspots
        ),
        spot_note=info.hotspot_note,
    )


def _stand_in(index: ReleaseIndex, detail: str) -> findings.Overview | None:
    """Read the same of the shorter window that stands in for a headline that cannot be compared; None without one."""
    info = index.info
    if info.stand_in is None:
        return None
    later, earlier = info.stand_in
    first, last = (date.fromisoformat(text) for text in (later.start, later.end))
    one_year = first.year == last.year
    names = [words.month_name(f"{day.year}-{day.month:02d}") for day in (first, last)]
    if one_year:
        names[0] = say(f"month.{first.month}")
    when = (
        names[1]
        if later.start[:7] == later.end[:7]
        else say("attention.stand_in.months", first=names[0], last=names[1])
    )
    return findings.Overview(
        region=index.profile_in(info.region_code, later, earlier),
        areas=_profiles(index, detail, info.stand_in),
        area_words=index.words_for(detail),
        groups=_profiles(index, Level.BOROUGH, info.stand_in) if detail != Level.BOROUGH else (),
        group_words=index.words_for(Level.BOROUGH),
        noun=index.noun,
        period=info.headline.label,
        before=before_words(later, earlier),
        one_in=max(1, round(1 / info.change_fdr_q)),
        audience=info.audience,
        break_text=break_text(info),
        window=later.id,
        when=when,
    )


def _profiles(
    index: ReleaseIndex, level: str, windows: tuple[PeriodInfo, PeriodInfo] | None = None
) -> tuple[findings.AreaProfile, ...]:
    later, earlier = windows or (index.info.headline, index.info.earlier)
    return tuple(index.profile_in(place.code, later, earlier) for place in index.level(level) if place.covered)
