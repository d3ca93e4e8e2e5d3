"""Previous releases: what those of the same source disclose about this one.

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

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array, eye_array, hstack

from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.release.hotspots import Outlines, bands_of, read_hotspot_facts
from pipeline.release.linked_tables import COUNTS, HOTSPOT_LEVEL, KEY, CellTable, HotspotFacts, Layout, Relations, stack
from pipeline.release.released import Released, split_withheld
from pipeline.release.steps import RANGED

__all__ = [
    "AUDIENCES",
    "Earlier",
    "History",
    "PreviousRelease",
    "as_first_released",
    "as_previous_release",
    "closer_audiences",
    "constraints_from_history",
    "joined",
    "readable",
    "windows_of",
]


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
    """The release together with the previous ones.

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
    previous = (joined["release_id"] != "").to_numpy()
    low = np.where(previous, joined["known_low"].to_numpy(), value)
    high = np.where(previous, joined["known_high"].to_numpy(), value)
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


# Releases that are out already: what their readers know, and what they may not learn from the next one.


AUDIENCES = {"public": 0, "partner": 1, "internal": 2}
"""Whoever may read a folder may read those of the audiences before it."""


@dataclass(frozen=True, eq=False)  # no slots: the digest is worked out once
class PreviousRelease:
    """One release as its readers hold it: published numbers only.

    Attributes
    ----------
    run, profile, audience, threshold, headline
        Which release it is, and what it promised.
    cells
        KEY, level, low, high: the values each count may have by what is shown. Equal where a number is printed
        unrounded; high null where the count is withheld.
    hotspot_facts
        Its hotspots as an attacker reads them.
    hotspots, density
        Its layers, in the working system; outlines that differ between two releases of one window would single out
        what changed.
    """

    run: str
    profile: str
    audience: str
    threshold: int
    headline: str
    cells: pd.DataFrame
    hotspot_facts: tuple[HotspotFacts, ...]
    hotspots: gpd.GeoDataFrame
    density: gpd.GeoDataFrame

    @cached_property
    def digest(self) -> str:
        """Return a digest of the published numbers: equal releases have equal digests, whatever they are called."""
        frame = self.cells.sort_values(list(KEY), ignore_index=True)
        high = frame["high"].astype("Int64").fillna(-1)
        columns = [c.astype("object").tolist() for c in (*(frame[k] for k in (*KEY, "level", "low")), high)]
        text = "\n".join("|".join(map(str, row)) for row in zip(*columns, strict=True))
        text += "\n".join(s.text for s in self.hotspot_facts)
        text += "".join(shapely.to_wkb(shapely.normalize(shape), hex=True) for shape in self.density.geometry)
        return hashlib.sha256(f"{self.audience} {self.threshold}\n{text}".encode()).hexdigest()

    @property
    def name(self) -> str:
        """Return a name for logs."""
        return f"{self.run}/{self.profile} {self.headline} {self.digest[:12]}"


def as_previous_release(released: Released) -> PreviousRelease:
    """Read a release the way the ledger keeps it, from what it shows and nothing else."""
    info, rules = released.info, released.record["rules"]
    withheld = split_withheld(released.counts["not_offered"])
    frames = []
    for measure in COUNTS:
        part = released.counts[["area_code", "level", "period", "category"]].assign(measure=measure)
        ends = [f"{measure}_{end}" if measure in RANGED else measure for end in ("lower", "upper")]
        low, high = (released.counts[c].astype("Int64") for c in ends)
        hidden = np.array([measure in names for names in withheld], dtype=bool)
        part["low"] = low.fillna(0).astype("int64")
        part["high"] = high
        part.loc[hidden, "low"] = 0
        part.loc[hidden, "high"] = pd.NA
        frames.append(part[low.notna().to_numpy(dtype=bool) | hidden])
    cells = pd.concat(frames, ignore_index=True)
    hotspot_facts = read_hotspot_facts(
        released.hotspots,
        areas=released.areas,
        period=info.headline.id,
        lattice_m=float(rules["lattice_m"]),
        bands=bands_of(info.threshold),
    )
    shown = pd.DataFrame(
        [(s.code, HOTSPOT_LEVEL, s.period, "all", "incidents", s.low, s.high) for s in hotspot_facts],
        columns=cells.columns,
    )
    cells = pd.concat([cells, shown.astype(cells.dtypes)], ignore_index=True) if hotspot_facts else cells
    cells = cells.drop_duplicates(list(KEY)).sort_values(list(KEY), ignore_index=True)
    return PreviousRelease(
        run=info.run_name,
        profile=info.profile,
        audience=info.audience,
        threshold=info.threshold,
        headline=info.headline.id,
        cells=cells,
        hotspot_facts=hotspot_facts,
        hotspots=released.hotspots,
        density=released.density,
    )


def readable(previous: Sequence[PreviousRelease], *, audience: str) -> tuple[PreviousRelease, ...]:
    """Return the earlier releases that readers of a new one may hold, oldest first."""
    return tuple(p for p in previous if AUDIENCES[p.audience] <= AUDIENCES[audience])


def closer_audiences(previous: Sequence[PreviousRelease], *, audience: str) -> tuple[str, ...]:
    """Return the audiences that may read more than this one, and already did."""
    found = {p.audience for p in previous if AUDIENCES[audience] < AUDIENCES[p.audience] < AUDIENCES["internal"]}
    return tuple(sorted(found, key=AUDIENCES.__getitem__))


def windows_of(previous: Sequence[PreviousRelease]) -> dict[str, set[str]]:
    """Return the windows that earlier releases showed at each level."""
    found: dict[str, set[str]] = {}
    for release in previous:
        for level, group in release.cells.groupby("level", sort=True):
            found.setdefault(str(level), set()).update(group["period"].unique())
    return found


def joined(table: CellTable, *, layout: Layout, previous: Sequence[PreviousRelease], threshold: int) -> History:
    """Join a release with the earlier ones its readers hold.

    A printed number that was rounded, or a hotspot's band, is no withheld cell: nothing is promised for it.
    """
    known = replace(layout, hotspot_facts=(*layout.hotspot_facts, *(p.hotspot_facts for p in previous)))
    found = constraints_from_history(
        table.cells.drop(columns="row"),
        relations=table.relations,
        earlier=[
            Earlier(p.name, p.cells[[*KEY, "level", "low", "high"]].astype({"high": "float64"})) for p in previous
        ],
        relate=_without_broken(known, table, layout),
        threshold=threshold,
    )
    cells = found.cells.assign(row=-1)
    cells.iloc[: len(table.cells), cells.columns.get_loc("row")] = table.cells["row"].to_numpy()
    printed = (cells["release_id"] != "") & np.isfinite(cells["known_high"]) & (cells["known_low"] > 0)
    cells["protect"] = cells["protect"].astype(bool) & ~printed
    # A number printed rounded before cannot hide anything now: it counts as known to the last unit.
    close = np.isfinite(cells["known_high"]) & (cells["known_high"] - cells["known_low"] < threshold)
    cells["fixed"] = cells["fixed"].astype(bool) | ((cells["release_id"] == "") & (cells["known_low"] > 0) & close)
    return replace(found, cells=cells)


def _without_broken(known: Layout, table: CellTable, layout: Layout) -> Callable[[pd.DataFrame], Relations]:
    """Return the relations of a table without those that the data breaks: an attacker who assumes them errs."""
    rows = layout.relate(table.cells)
    broken = rows.select(rows.violated(table.cells["value"].to_numpy(dtype=np.int64)))
    false = set(_signature(broken, table.cells).tolist())

    def relate(cells: pd.DataFrame) -> Relations:
        every = known.relate(cells)
        return every.select(~np.isin(_signature(every, cells), list(false))) if false else every

    return relate


def _signature(rows: Relations, cells: pd.DataFrame) -> NDArray[np.int64]:
    """Return a number for each row that its members give, the same in every table."""
    stamp = pd.util.hash_pandas_object(cells[list(KEY)].astype("str"), index=False).to_numpy().view(np.int64)
    return np.asarray(rows.matrix @ stamp, dtype=np.int64)


# Outlines of one window are released once: two versions side by side would single out what changed between them.


APART_M = 0.25  # metres that a corner may move where pieces of a band were joined and its corners rounded
FIRST = "Shown as first released for this period; records that came later are not in it."
APART = "Not shown: other outlines of a period that overlaps this one were released before."


def as_first_released(
    made: Outlines,
    *,
    kind: str,
    previous: Sequence[PreviousRelease],
    who: tuple[str, str],
    headline: Period,
) -> Outlines:
    """Keep a layer as it was first released for its window, or leave it out where other outlines are too near it.

    One incident more moves the contours of a surface in a disc about it, and adds a hexagon to an outline: whoever
    holds both versions finds it.

    Parameters
    ----------
    made
        The layer as it would be released now.
    kind
        Which layer of the earlier releases to compare with: ``hotspots`` or ``density``.
    previous
        Earlier releases that the readers may hold, oldest first.
    who
        Run and profile of the release.
    headline
        Window of the layer.
    """
    for release in previous:
        before: gpd.GeoDataFrame = getattr(release, kind)
        if not len(before) or not Period.parse(release.headline).overlaps(headline):
            continue
        if release.headline != headline.id:
            return Outlines(made.layer.iloc[:0], APART)
        if (release.run, release.profile) == who:
            if _outlines(before) == _outlines(made.layer):
                return made
            return Outlines(before, f"{made.note} {FIRST}".strip())
        if len(made.layer) and not _same_records(before, made.layer):
            return Outlines(made.layer.iloc[:0], APART)
    return made


def _outlines(layer: gpd.GeoDataFrame) -> list[str]:
    return sorted(shapely.to_wkb(shapely.normalize(shape), hex=True) for shape in layer.geometry)


def _same_records(before: gpd.GeoDataFrame, now: gpd.GeoDataFrame) -> bool:
    """Whether two layers draw the same outlines, but for pieces that only one of them may show.

    Bands of density are compared line by line: ground that holds too few for one profile lies in the band below there,
    which takes lines away and moves none.
    """
    if "density_low" in now:
        return _drawn_on(now, before) or _drawn_on(before, now)
    one, other = set(_pieces(before)), set(_pieces(now))
    return one <= other or other <= one


def _pieces(layer: gpd.GeoDataFrame) -> list[str]:
    """Return every connected piece of a layer as text."""
    return [shapely.to_wkb(shapely.normalize(p), hex=True) for p in shapely.get_parts(layer.geometry.to_numpy())]


def _drawn_on(few: gpd.GeoDataFrame, many: gpd.GeoDataFrame) -> bool:
    """Whether every line of one layer's bands lies on a line of the other's bands of the same category.

    A corner may lie between two of the other's, where ground was joined, no farther off than corners are rounded.
    """
    for category, mine in few.groupby("category", sort=False):
        theirs = many[many["category"] == category]
        if not len(theirs):
            continue  # only one of them shows the category
        lines, others = _lines(mine), _lines(theirs)
        ends, known = ({tuple(sorted(map(tuple, pair))) for pair in drawn.tolist()} for drawn in (lines, others))
        lost = np.array(sorted(ends - known))
        if not len(lost):
            continue
        corners = shapely.points(np.concatenate([lost.mean(axis=1), lost.reshape(-1, 2)]))
        near, _ = shapely.STRtree(shapely.linestrings(others)).query(corners, predicate="dwithin", distance=APART_M)
        if len(np.unique(near)) < len(corners):
            return False
    return True


def _lines(layer: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Return the straight lines of all outlines, shape (n, 2, 2), in metres."""
    rings = shapely.get_rings(shapely.get_parts(layer.geometry.to_numpy()))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    follows = ring[1:] == ring[:-1]
    return np.asarray(np.stack([xy[:-1], xy[1:]], axis=1)[follows].round(3), dtype=np.float64)
