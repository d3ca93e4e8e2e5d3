"""One question's answers by area, protected: small ones withheld, and as many more as keep sums from giving them back.

The attacker knows how many incidents each organisation recorded in each area wherever that is shown, that the answers
of an area add up to that number, and that boroughs add up to the region. Two questions about the same incidents share
nothing but these totals, so each is protected by itself: any answers to one go with any answers to another. An area
whose total is withheld shows no answer to any question, so that no question says more of its total than the totals do.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.audit import audit
from pipeline.config import Profile
from pipeline.relations import Relations, generic_rows
from pipeline.suppress import suppress

__all__ = ["Sums", "withheld_answers"]

TOTAL = "(total)"
Cell = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sums:
    """True counts of one question, and what may be shown or is known of them.

    Attributes
    ----------
    counts
        One row per area, the region first, "" for what is in no borough; one column per answer. Columns without any
        incident and rows without any are left out by `withheld_answers`.
    region
        Code of the region.
    totals
        Areas whose sum over the answers the attacker knows.
    closed
        Areas that show nothing.
    known
        Cells (area, answer) that readers have from other folders.
    declared
        Cells that must be withheld.
    """

    counts: pd.DataFrame
    region: str
    totals: AbstractSet[str]
    closed: AbstractSet[str] = frozenset()
    known: AbstractSet[Cell] = frozenset()
    declared: AbstractSet[Cell] = field(default_factory=frozenset)


def withheld_answers(sums: Sums, profile: Profile) -> pd.DataFrame | None:
    """Choose which answers to withhold, and attack the choice.

    Parameters
    ----------
    sums
        What there is.
    profile
        The rules.

    Returns
    -------
    hidden
        True where withheld, in the shape of `sums.counts`; None if the attack finds a count whatever is withheld.
    """
    band = profile.zero_rule == "band"
    counts = sums.counts.loc[
        sums.counts.sum(axis=1).gt(0) | band, sums.counts.columns[sums.counts.loc[sums.region].gt(0) | band]
    ]
    hidden = pd.DataFrame(data=False, index=sums.counts.index, columns=sums.counts.columns)
    hidden.loc[[a for a in hidden.index if a in sums.closed or a == ""]] = True
    if not counts.size:
        return hidden
    cells = _cells(counts, sums)
    found = suppress(
        cells,
        relations=_rows(cells, counts),
        threshold=profile.threshold,
        zero_rule=profile.zero_rule,
        secondary=profile.secondary,
        prune_cells=0,
    )
    if profile.secondary:
        attack = audit(found.cells, relations=_rows(cells, counts), threshold=profile.threshold)
        if not attack.safe:
            return None
    gone = found.cells["state"].ne("published").to_numpy(dtype=bool)[len(counts) :].reshape(counts.shape)
    hidden.loc[counts.index, counts.columns] |= gone
    return hidden


def _cells(counts: pd.DataFrame, sums: Sums) -> pd.DataFrame:
    """Lay out totals first, then answers area by area, as `suppress` and `audit` take them."""
    areas, answers = [str(a) for a in counts.index], [str(a) for a in counts.columns]
    pairs = [(a, TOTAL) for a in areas] + [(a, b) for a in areas for b in answers]
    values = np.concatenate([counts.sum(axis=1).to_numpy(), counts.to_numpy().ravel()]).astype(np.int64)
    total = np.array([b == TOTAL for _, b in pairs])
    told = np.array([a in sums.totals for a, _ in pairs])
    shut = np.array([a in sums.closed for a, _ in pairs])
    nowhere = np.array([a == "" for a, _ in pairs])
    return pd.DataFrame(
        {
            "area_code": [a for a, _ in pairs],
            "level": "answers",
            "period": "",
            "category": [b for _, b in pairs],
            "measure": "incidents",
            "value": values,
            "latent": (total & ~told) | (nowhere & ~total),
            "known": (total & told) | np.array([pair in sums.known for pair in pairs]),
            "declared": ~total & (shut | np.array([pair in sums.declared for pair in pairs])) & ~nowhere,
            "protect": total & ~told,
        }
    )


def _rows(cells: pd.DataFrame, counts: pd.DataFrame) -> Relations:
    """Answers add up to their area's total, and areas to the region, which comes first."""
    areas, answers = counts.shape
    at = areas + np.arange(counts.size, dtype=np.int64).reshape(counts.shape)
    rows = [({a: -1, **dict.fromkeys(at[a].tolist(), 1)}, 0.0, 0.0) for a in range(areas)]
    if areas > 1:
        rows += [({int(at[0, b]): -1, **dict.fromkeys(at[1:, b].tolist(), 1)}, 0.0, 0.0) for b in range(answers)]
    return generic_rows(cells, rows, kind="answer_sum")
