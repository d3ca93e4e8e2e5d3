"""The account of a run on published counts."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pipeline.errors import InputError
from pipeline.quality.accounts import LISTED, CountsAccount, broken, largest, pct, records, require_kept, summed

__all__ = ["counts_quality"]


def counts_quality(
    parts: Sequence[CountsAccount],
    *,
    relations: pd.DataFrame,
    max_quarantined_pct: float,
    min_matched_pct: float,
    allow_low_match: bool,
) -> dict[str, Any]:
    """Assemble quality.json of a run on published counts.

    Parameters
    ----------
    parts
        The account of every file.
    relations
        What testing the declared relations gave (`categories.relation_report`).
    max_quarantined_pct, min_matched_pct
        Limits, in per cent.
    allow_low_match
        Go on where fewer codes match than `min_matched_pct`.

    Raises
    ------
    QualityError
        If more rows than allowed were refused.
    InputError
        If no file has a row, or too few codes are in the boundaries.
    SchemaError
        If an account does not add up.
    """
    rules = summed(p.quarantined for p in parts)
    read = sum(p.rows_read for p in parts)
    require_kept(read, rules, max_pct=max_quarantined_pct, files=len(parts))
    key = ["level", "measure", "category"]
    account = pd.concat([p.accounting for p in parts]).groupby(key, sort=True).sum().reset_index()
    sums = account[["mapped", "unmapped", "quarantined", "ignored"]].sum(axis=1)
    if (account["published"] != sums).any():
        raise broken(f"values of {account.loc[account['published'] != sums, key].to_dict('records')}")
    matched = [p.matched_pct for p in parts if p.matched_pct is not None]
    if matched and min(matched) < min_matched_pct and not allow_low_match:
        worst = min(parts, key=lambda p: 100.0 if p.matched_pct is None else p.matched_pct)
        codes = sorted(set(worst.unmapped["area_code"]))
        raise InputError(
            f"{worst.source}: only {worst.matched_pct} per cent of its area codes are in the boundaries (at least "
            f"{min_matched_pct} wanted): {', '.join(codes[:LISTED])}. Use boundaries of the edition of the counts, "
            "give areas.lookup, or set areas.allow_low_match"
        )
    listed = [p.unmapped.assign(file=p.source) for p in parts if len(p.unmapped)]
    return {
        "accounting": {"rows_read": read, "rows_quarantined": sum(rules.values())},
        "quarantined_pct": pct(sum(rules.values()), read),
        "max_quarantined_pct": max_quarantined_pct,
        "quarantined_by_rule": dict(sorted(rules.items())),
        "values": records(account),
        "unmapped": records(pd.concat(listed, ignore_index=True)) if listed else [],
        "matched_pct": min(matched) if matched else None,
        "ignored_categories": largest(summed(p.ignored_categories for p in parts)),
        "relations": records(relations),
    }
