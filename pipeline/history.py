"""What earlier releases of the same source tell about this one.

A release is never alone: last month's folder, the partner's, a borough's own are out, and subtraction works across
them. The ledger keeps published numbers only, so the true counts behind an earlier withheld cell are not known any
more. The choices here are those that arm the attacker most:

* **Unchanged unless shown otherwise.** A cell of the same area, period, category and measure is taken to hold the same
  count in both releases, so that what one release withheld and the other published is subtracted freely. An attacker
  who assumes this wrongly concludes falsehoods; one who assumes it rightly is the one to fear.
* **Revised** cells are those whose earlier number (or band) excludes the present count, and those withheld ones that
  must have changed for the earlier sums to hold (as few and as little as possible). They become variables of their
  own, not linked to the present count, since nobody outside knows what was revised.
* **A small revision is a small count.** If a number was published and its successor differs by 1 to threshold - 1, the
  difference is a count of that many late (or withdrawn) records: the cell is *declared* withheld in the new release.
* **Published before** at the same value: it cannot be taken back. It is `fixed`: known to the attacker, and no
  protection is claimed for it.

Records may be added, withdrawn or reclassified, so revisions go both ways; no monotony is assumed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array, eye_array, hstack

from pipeline.errors import InputError
from pipeline.relations import KEY, Relations, stack

__all__ = ["Earlier", "History", "constraints_from_history"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Relate = Callable[[pd.DataFrame], Relations]

BROKEN_ROW = 1e4  # cost of giving up an earlier relation, against 1 per unit that a withheld count is moved


@dataclass(frozen=True, slots=True)
class Earlier:
    """One earlier release.

    Attributes
    ----------
    release_id
        Its name, for the internal log.
    cells
        Columns of `KEY` and `level`, and `low` and `high`: the values each cell may have by what the release showed
        (equal: published; high null: withheld outright).
    """

    release_id: str
    cells: pd.DataFrame


@dataclass(frozen=True, slots=True)
class History:
    """The release together with its past.

    Attributes
    ----------
    cells
        The cells given, in their order, then one row for each variable that only an earlier release has. Columns added
        or updated: `fixed`, `declared`, `latent`, `protect`, `known_low`, `known_high`, `release_id` (empty for the
        cells given). Pass to `suppress`; drop the latent rows afterwards.
    relations
        Rows over `cells`: the given ones and those of every earlier release.
    revised
        One row per published number that changed: key, `release_id`, `before`, `now`, `declared`.
    dropped
        Number of earlier relations that no counts satisfy any more, per release.
    """

    cells: pd.DataFrame
    relations: Relations
    revised: pd.DataFrame
    dropped: dict[str, int]


def constraints_from_history(
    cells: pd.DataFrame, *, relations: Relations, earlier: Sequence[Earlier], relate: Relate, threshold: int
) -> History:
    """Join a release with what is known from the ones before it.

    Parameters
    ----------
    cells
        Cell table of the new release: `KEY`, `level`, `value`, and whatever `suppress` takes.
    relations
        Rows over the positions of `cells`.
    earlier
        Releases that the readers of the new one may hold, oldest first.
    relate
        Builds the relations of any cell table of this source: used for each earlier table, and for all cells together
        (so that a new period meets the window that contains it). Leave out the relations that are known not to hold
        in the data: withheld counts would be moved to satisfy them.
    threshold
        Of the new release: a published number that changes by less is declared withheld.

    Raises
    ------
    InputError
        If an earlier table has a lower bound above its upper one.
    """
    joined = cells.reset_index(drop=True).copy()
    for column, default in (("fixed", False), ("declared", False), ("latent", False), ("protect", False)):
        if column not in joined:
            joined[column] = default
    for column, limit in (("known_low", 0.0), ("known_high", np.inf)):
        joined[column] = pd.to_numeric(joined[column]).fillna(limit) if column in joined else limit
    joined["release_id"] = ""
    pieces: list[tuple[Relations, IntArray]] = [(relations, np.arange(len(joined), dtype=np.int64))]
    revised, dropped = [], {}
    for release in earlier:
        joined, rows, place, report, lost = _join(joined, release, relate, threshold)
        pieces.append((rows, place))
        revised.append(report)
        dropped[release.release_id] = lost
    n = len(joined)
    newest = joined.reset_index().drop_duplicates(list(KEY), keep="first")["index"].to_numpy(dtype=np.int64)
    together = relate(joined.iloc[newest].reset_index(drop=True))
    everything = stack(*(part.remap(place, cells=n) for part, place in pieces), together.remap(newest, cells=n))
    value = joined["value"].to_numpy(dtype=np.float64)
    past = (joined["release_id"] != "").to_numpy()
    low = np.where(past, joined["known_low"].to_numpy(), value)
    high = np.where(past, joined["known_high"].to_numpy(), value)
    value = _nearest(everything, value, low=low, high=high, cost=np.ones(n))
    joined["value"] = value.astype(np.int64)
    report = pd.concat(revised, ignore_index=True) if revised else pd.DataFrame(columns=[*KEY, "release_id"])
    holds = ~everything.violated(joined["value"].to_numpy(dtype=np.int64))
    return History(joined, _distinct(everything.select(holds)), report, dropped)


def _join(
    joined: pd.DataFrame, release: Earlier, relate: Relate, threshold: int
) -> tuple[pd.DataFrame, Relations, IntArray, pd.DataFrame, int]:
    """Add one release: new table, its rows over its own cells, where those cells are now, revisions, rows dropped."""
    old = release.cells.reset_index(drop=True)
    low = old["low"].to_numpy(dtype=np.float64)
    high = pd.to_numeric(old["high"]).fillna(np.inf).to_numpy(dtype=np.float64)
    if np.any(low > high):
        raise InputError(f"release {release.release_id} has a cell whose lower bound is above its upper bound.")
    first = joined.reset_index().drop_duplicates(list(KEY), keep="first").set_index(list(KEY))["index"]
    place = first.reindex(pd.MultiIndex.from_frame(old[list(KEY)])).fillna(-1).to_numpy(dtype=np.int64).copy()
    shared = place >= 0
    now = np.where(shared, joined["value"].to_numpy(dtype=np.float64)[place], np.nan)
    fits = shared & (np.nan_to_num(now, nan=-1.0) >= low) & (np.nan_to_num(now, nan=-1.0) <= high)
    rows = relate(old)
    guess = np.where(fits, np.nan_to_num(now), low)
    before = _nearest(rows, guess, low=low, high=high, cost=np.where(fits, 1.0, 0.01))
    kept = ~rows.violated(before.astype(np.int64))
    same = fits & (before == now)
    published = low == high
    step = np.abs(now - low)
    small = published & shared & ~same & (step < threshold)
    joined = joined.copy()
    at = place[same]
    joined.iloc[at, joined.columns.get_loc("known_low")] = np.maximum(joined["known_low"].iloc[at], low[same])
    joined.iloc[at, joined.columns.get_loc("known_high")] = np.minimum(joined["known_high"].iloc[at], high[same])
    joined.iloc[place[same & published], joined.columns.get_loc("fixed")] = True
    joined.iloc[place[small], joined.columns.get_loc("declared")] = True
    extra = np.flatnonzero(~same)
    place[extra] = len(joined) + np.arange(extra.size)
    addition = old.loc[extra, [*KEY, "level"]].assign(
        value=before[extra].astype(np.int64),
        fixed=published[extra],
        declared=False,
        latent=True,
        protect=~published[extra],
        known_low=low[extra],
        known_high=high[extra],
        release_id=release.release_id,
    )
    for column in joined.columns.difference(addition.columns):
        addition[column] = False if joined[column].dtype == bool else None
    joined = pd.concat([joined, addition[joined.columns]], ignore_index=True).astype(joined.dtypes)
    changed = published & shared & ~same
    report = old.loc[changed, list(KEY)].assign(
        release_id=release.release_id,
        before=low[changed].astype(np.int64),
        now=now[changed].astype(np.int64),
        declared=small[changed],
    )
    return joined, rows.select(kept), place, report, int((~kept).sum())


def _nearest(rows: Relations, guess: FloatArray, *, low: FloatArray, high: FloatArray, cost: FloatArray) -> FloatArray:
    """Move counts as little as possible so that as many rows as possible hold."""
    if not rows.violated(guess.astype(np.int64)).any():
        return guess
    n, m = guess.size, len(rows)
    identity = eye_array(m)
    matrix = csc_array(hstack([rows.matrix, -rows.matrix, identity, -identity]))
    shift = rows.matrix @ guess
    result = milp(
        np.concatenate([cost, cost, np.full(2 * m, BROKEN_ROW)]),
        constraints=LinearConstraint(matrix, rows.lower - shift, rows.upper - shift),
        bounds=Bounds(np.zeros(2 * (n + m)), np.concatenate([high - guess, guess - low, np.full(2 * m, np.inf)])),
        integrality=np.concatenate([np.ones(2 * n), np.zeros(2 * m)]),
    )
    if result.x is None:
        return guess
    return np.asarray(guess + np.round(result.x[:n] - result.x[n : 2 * n]), dtype=np.float64)


def _distinct(relations: Relations) -> Relations:
    """Keep each row once: releases of the same layout repeat theirs."""
    stamp = np.random.default_rng(0).integers(1, 2**40, size=relations.matrix.shape[1])
    frame = pd.DataFrame({"stamp": relations.matrix @ stamp, "low": relations.lower, "high": relations.upper})
    return relations.select(~frame.duplicated().to_numpy())
