"""What release.json says: the rules, the verdict, what is withheld and in which state, and what that costs the reader.

Nothing here tells a small count from one that is withheld for its sake: how many of each there are, their sums, and
which relations the data breaks stay in the house.
"""

from typing import Any

import pandas as pd

from pipeline.config import Config, Profile
from pipeline.release.protect import NOT_NEEDED, Protected
from pipeline.release.released import ReleaseInfo
from pipeline.release.rounding import NOISE_REACH

__all__ = ["NOTHING_SHOWN", "cautions_of", "release_record"]

NOTHING_SHOWN = (
    "Every count is withheld under the rules of this folder: the numbers are too small to be shown without risk to "
    "the people involved. Ask for longer periods, larger areas or fewer categories."
)
AT_SOURCE = "already public at source"


def cautions_of(guarded: Protected, profile: Profile) -> tuple[str, ...]:
    """Say so where the rules leave nothing to show, or where what is withheld can be looked up elsewhere."""
    counts = guarded.counts
    if "incidents" in profile.measures and len(counts) and counts["incidents"].isna().all():
        return (NOTHING_SHOWN,)
    public = any(
        AT_SOURCE in states for level in guarded.record.get("states", {}).values() for states in level.values()
    )
    if public:
        return ("Some numbers withheld here are public at their source; no protection is claimed for them.",)
    return ()


def release_record(
    info: ReleaseInfo, config: Config, profile: Profile, guarded: Protected, notes: tuple[str, ...]
) -> dict[str, Any]:
    """Return what release.json says."""
    shown = guarded.record
    return {
        "profile": info.profile,
        "audience": info.audience,
        "marking": info.marking,
        "title": info.title,
        "synthetic": info.synthetic,
        "headline": {"start": info.headline.start, "end": info.headline.end},
        "audit": info.audit,
        "attack": shown.get("attack"),
        "rules": rules_of(profile),
        "withheld": {"cells": shown["cells"], "states": shown.get("states", {})},
        "information_lost": information_lost(guarded.counts, guarded.record["cells"]),
        "known_tables": [t.name for t in config.disclosure.known_tables],
        "earlier_releases": shown.get("earlier_releases", 0),
        "everything_withheld": NOTHING_SHOWN in info.caveats,
        "hotspots": info.hotspot_note,
        "density": info.density_note,
        "method_notes": list(notes) if info.audience == "internal" else [],
        "licence": info.licence,
        "publisher": info.publisher,
        "protected": guarded.verdict != NOT_NEEDED,
    }


def rules_of(profile: Profile) -> dict[str, Any]:
    """Return the rules of a profile as release.json states them."""
    return {
        "threshold": profile.threshold,
        "threshold_reason": profile.threshold_reason,
        "zero_rule": profile.zero_rule,
        "secondary": profile.secondary,
        "protection": profile.protection,
        "rounding": profile.rounding,
        "noise_reach": NOISE_REACH if profile.protection == "noise" else 0,
        "ward_period": profile.ward_period,
        "borough_period": profile.borough_period,
        "min_bandwidth_m": profile.min_bandwidth_m,
        "min_density_incidents": profile.min_density_incidents,
        "min_locations": profile.min_locations,
        "min_addresses": profile.min_addresses,
        "max_location_share_pct": profile.max_location_share_pct,
        "lattice_m": profile.lattice_m,
        "scope": list(profile.scope),
    }


def information_lost(counts: pd.DataFrame, cells: dict[str, Any]) -> dict[str, Any]:
    """Return, per level, what is not shown, from what is shown alone.

    `counts_withheld_pct` is the share of the numbers of each measure; `incidents_shown_pct` is what the shown counts
    of all incidents add up to, in per cent of the region's own shown total over the same windows (null where that is
    withheld or nothing is comparable).
    """
    whole = counts[counts["category"] == "all"]
    region = whole[whole["level"] == "region"].groupby("period")["incidents"].first()
    lost: dict[str, Any] = {}
    for level, measures in cells.items():
        shown, hidden = (sum(m[k] for m in measures.values()) for k in ("shown", "withheld"))
        here = whole[(whole["level"] == level)]
        parts = here.groupby("period")["incidents"].sum(min_count=1)
        total = region.reindex(parts.index)
        both = parts.notna() & total.notna() & (total > 0)
        share = float(100 * parts[both].sum() / total[both].sum()) if both.any() else None
        lost[level] = {
            "counts_withheld_pct": round(100 * hidden / (shown + hidden), 1) if shown + hidden else 0.0,
            "incidents_shown_pct": None if share is None else round(min(share, 100.0), 1),
        }
    return lost
