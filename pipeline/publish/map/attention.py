"""What deserves attention, for the map's page: the released figures that the statements rest on, and their fields."""

from typing import Any

from pipeline.publish import findings, words
from pipeline.publish.briefings.release_index import before_words, break_text
from pipeline.publish.map.fields import AttentionFields
from pipeline.release.released import Released
from pipeline.tables import Level

__all__ = ["attention_fields", "overview_of"]


def attention_fields(released: Released) -> list[AttentionFields]:
    """Choose the statements of a release and write them as the page reads them.

    Parameters
    ----------
    released
        What came through the gate, and nothing else.
    """
    overview, category = overview_of(released), released.info.main_category
    levels = {"areas": _detail(released), "groups": Level.BOROUGH.value, "": ""}
    return [
        {
            "kind": found.kind,
            "text": list(found.text),
            "tested": found.tested,
            "category": category,
            "measure": found.evidence.measure,
            "level": levels[found.evidence.level],
            "codes": list(found.evidence.codes),
            "hotspots": found.evidence.hotspots,
        }
        for found in findings.statements(overview)
    ]


def _detail(released: Released) -> str:
    """Return the level with the smallest areas that the main category is given by."""
    info = released.info
    detail = next((c.detail for c in info.categories if c.id == info.main_category), Level.WARD)
    present = set(released.areas["level"])
    return next((str(level) for level in (detail, Level.BOROUGH, Level.WARD) if level in present), str(detail))


def overview_of(released: Released) -> findings.Overview:
    """Read what the statements may rest on: the headline window of the main category.

    Parameters
    ----------
    released
        What came through the gate.
    """
    info, category = released.info, released.info.main_category
    noun = info.noun
    label = next((c.label for c in info.categories if c.id == category), "")
    if not any(c.id == "all" for c in info.categories):
        noun = words.say("finding.noun_of_category", noun=noun, category=label)
    detail = _detail(released)
    figures = _figures(released)
    region_rows = released.areas[released.areas["area_code"] == info.region_code]
    region = findings.AreaProfile(
        info.region_code, info.region_name, None, covered=True, figures={category: figures[info.region_code]}
        if info.region_code in figures else {}, subject=category,
    )  # fmt: skip
    return findings.Overview(
        region=region,
        areas=_profiles(released, detail, figures),
        area_words=words.area_words(info.level_labels, detail),
        groups=_profiles(released, Level.BOROUGH, figures) if detail != Level.BOROUGH else (),
        group_words=words.area_words(info.level_labels, Level.BOROUGH),
        noun=noun,
        period=info.headline.label,
        before=before_words(info.headline, info.earlier),
        one_in=max(1, round(1 / info.change_fdr_q)),
        region_km2=float(region_rows["area_km2"].sum()),
        audience=info.audience,
        has_change=bool(released.counts["change_word"].notna().any()) if "change_word" in released.counts else False,
        break_text=break_text(info),
        spots=_spots(released),
        spot_note=info.hotspot_note,
    )


def _figures(released: Released) -> dict[str, findings.Figure]:
    """Read each area's figure of the headline window with the count of the earlier one."""
    info, counts = released.info, released.counts
    mine = counts[counts["category"] == info.main_category]

    def rows(period: str) -> dict[str, dict[str, Any]]:
        found = mine[mine["period"] == period]
        return dict(zip(found["area_code"].astype(str), found.to_dict("records"), strict=True))

    earlier = rows(info.earlier.id) if info.earlier else {}
    return {
        code: findings.figure_of(row, earlier=earlier.get(code)) for code, row in rows(info.headline.id).items()
    }  # fmt: skip


def _profiles(
    released: Released, level: str, figures: dict[str, findings.Figure]
) -> tuple[findings.AreaProfile, ...]:  # fmt: skip
    category = released.info.main_category
    frame = released.areas[(released.areas["level"] == level) & released.areas["covered"].astype(bool)]
    return tuple(
        findings.AreaProfile(
            code,
            name,
            None,
            covered=True,
            figures={category: figures[code]} if code in figures else {},
            subject=category,
        )
        for code, name in zip(frame["area_code"].astype(str), frame["name"].astype(str), strict=True)
    )


def _spots(released: Released) -> tuple[findings.Spot, ...]:
    """Read the hotspots by number."""
    rows = released.hotspots.sort_values("rank").drop(columns="geometry").to_dict("records")
    return tuple(
        findings.Spot(
            int(row["rank"]), str(row["name"]), findings.count_range(row, "incidents"), float(row["area_km2"])
        )
        for row in rows
    )
