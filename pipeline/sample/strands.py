"""Which borough and which strands: odds that follow published 12-month totals."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.sample.layout import draw

__all__ = ["GROUPS", "Strands", "draw_strands", "labels", "strand_odds"]

GROUPS = ("race", "religion", "other")  # what decides where and when; the finer strands do not
TOTALS = (
    "Hate crime",
    "Racist Crime",
    "Faith Crime",
    "Racist and Religious Crime",
    "AntiSemitic",
    "Islamophobic Crime",
    "Homophobic Crime",
    "Transphobic Crime",
    "Disability Crime",
)
UNCOVERED_SHARE = 0.003  # a borough without published totals (the City of London) still gets a few rows
CHILD_ALONE = 0.05  # recorders sometimes write the sub-strand without its parent

Flags = NDArray[np.bool_]
Odds = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Strands:
    """Strand flags, each of shape (n,); a sub-strand implies religion."""

    race: Flags
    religion: Flags
    antisemitic: Flags
    islamophobic: Flags
    sexual_orientation: Flags
    transgender: Flags
    disability: Flags

    def group(self) -> NDArray[np.int64]:
        """Position in GROUPS, shape (n,): religion before race before the rest."""
        return np.where(self.religion, 1, np.where(self.race, 0, 2))


@dataclass(frozen=True, slots=True)
class StrandOdds:
    """Odds per borough, shape (boroughs, ...), in the order of the boroughs given."""

    rows: Odds
    faith: Odds  # race only, religion only, both, neither
    other: Odds  # sexual orientation, transgender, disability
    extra: Odds  # chance that a row of race or religion also carries one of the others
    sub: Odds  # antisemitic, islamophobic, neither; given religion


def strand_odds(totals: pd.DataFrame, *, codes: tuple[str, ...]) -> StrandOdds:
    """Turn totals that overlap into odds whose expected totals are the same.

    Parameters
    ----------
    totals
        One row per borough: `area_code` and the columns of TOTALS. "Racist and Religious" is the union of both, so
        the overlap is their sum less the union; what "Hate crime" leaves is rows of the other strands alone.
    codes
        Boroughs to give odds for. Those without totals get the mix of all and a small share.

    Raises
    ------
    InputError
        If a column is missing, a code is unknown, or a total contradicts another.
    """
    missing = [name for name in ("area_code", *TOTALS) if name not in totals.columns]
    if missing:
        raise InputError(f"strand totals lack the columns {', '.join(missing)}: expected {', '.join(TOTALS)}")
    unknown = sorted(set(totals["area_code"]) - set(codes))
    if unknown:
        raise InputError(f"strand totals name areas not among the boroughs: {', '.join(unknown)}")
    table = totals.set_index("area_code")[list(TOTALS)].astype(float).reindex(list(codes))
    known = table["Hate crime"].notna().to_numpy()
    if not known.any():
        raise InputError("strand totals name none of the boroughs: no mix to follow")
    average = table[known].sum()
    small = average * (UNCOVERED_SHARE / average["Hate crime"])
    table = table.where(
        pd.DataFrame(np.tile(known[:, None], (1, len(TOTALS))), table.index, table.columns), small, axis=1
    )
    hate, race, faith, union, anti, islam, homo, trans, disabled = table.to_numpy().T
    rows = np.where(known, hate / average["Hate crime"], UNCOVERED_SHARE)
    rest = np.column_stack([homo, trans, disabled])
    alone = hate - union
    spare = rest.sum(axis=1) - alone
    cells = np.column_stack([union - faith, union - race, race + faith - union, alone])
    sub = np.column_stack([anti, islam, faith - anti - islam])
    wrong = (cells < 0).any(axis=1) | (sub < 0).any(axis=1) | (spare < 0) | (union <= 0) | (rest.sum(axis=1) <= 0)
    wrong &= known  # the rest take the mix of these
    if wrong.any():
        raise InputError(
            f"strand totals contradict each other for {', '.join(np.array(codes, dtype=object)[wrong])}: "
            "a part exceeds its whole, or rows remain without any strand"
        )
    return StrandOdds(rows=rows, faith=cells, other=rest, extra=spare / union, sub=np.maximum(sub, 1e-9))


def draw_strands(rng: np.random.Generator, odds: StrandOdds, *, rows: int) -> tuple[NDArray[np.int64], Strands]:
    """Draw each row's borough (position in the order of the odds) and strands."""
    borough = draw(rng, odds.rows[None, :], np.zeros(rows, dtype=np.int64))
    cell = draw(rng, odds.faith, borough)
    race, religion = np.isin(cell, (0, 2)), np.isin(cell, (1, 2))
    carries = (cell == 3) | (rng.random(rows) < odds.extra[borough])
    other = np.where(carries, draw(rng, odds.other, borough), -1)
    sub = np.where(religion, draw(rng, odds.sub, borough), -1)
    return borough, Strands(
        race=race,
        religion=religion,
        antisemitic=sub == 0,
        islamophobic=sub == 1,
        sexual_orientation=other == 0,
        transgender=other == 1,
        disability=other == 2,
    )


def labels(rng: np.random.Generator, strands: Strands) -> NDArray[np.object_]:
    """Write flags as a list in one cell, "race;religion;islamophobic", shape (n,)."""
    child = strands.antisemitic | strands.islamophobic
    named = strands.religion & ~(child & (rng.random(len(child)) < CHILD_ALONE))
    flags = {
        "race": strands.race,
        "religion": named,
        "antisemitic": strands.antisemitic,
        "islamophobic": strands.islamophobic,
        "sexual_orientation": strands.sexual_orientation,
        "transgender": strands.transgender,
        "disability": strands.disability,
    }
    # There are few combinations and many rows, so each combination is spelled once.
    code = sum(
        (flag.astype(np.int64) << bit for bit, flag in enumerate(flags.values())), np.zeros(len(child), np.int64)
    )
    words = [";".join(name for bit, name in enumerate(flags) if value >> bit & 1) for value in range(1 << len(flags))]
    return np.array(words, dtype=object)[code]
