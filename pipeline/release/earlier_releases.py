"""Previous releases: what readers of the same data already have, and what a new release must keep.

A release must be seen together with last month's folder and those of other audiences, because they can be subtracted.
Steps that are released only once need no joint audit of months. Therefore a released window keeps its numbers, and
later records are not added: two steps of one count, before and after a change, would narrow each other. Readers of
several folders have several steps of one count. These nest if they are made from the same count, because the step of a
wider audience is a multiple of every closer audience's step. Therefore the count of a released window is first moved
into the step that readers already have (`Kept.within`), then converted to the step of the profile.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.domain.periods import Period
from pipeline.release.hotspots import Outlines
from pipeline.release.linked_tables import COUNTS
from pipeline.release.released import Released, no_outlines, split_not_offered
from pipeline.release.steps import RANGED
from pipeline.tables import DENSITY_CATEGORY_LAYER, HOTSPOT_CATEGORY_LAYER, Level

__all__ = [
    "AUDIENCES",
    "LONG_SERIES",
    "EarlierRelease",
    "Kept",
    "as_earlier_release",
    "as_first_released",
    "edition_of",
    "other_edition",
]

AUDIENCES = {"public": 0, "partner": 1, "internal": 2}
"""Readers of an audience's folder may also read the folders of the audiences before it."""

LONG_SERIES = "ward_group, longer windows"
"""Name under which a release's series hold the longer windows of its groups of wards; see `detail`."""

CELL = ("area_code", "level", "period", "category", "measure")
"""Key of a count in the ledger; `lower` and `upper` are its range, both null if it is not offered."""

_ROW = list(CELL[:-1])


@dataclass(frozen=True, slots=True, eq=False)
class EarlierRelease:
    """One release, with published numbers only.

    Attributes
    ----------
    run, profile, audience
        Run, profile and audience of the release.
    protection, step
        How its counts are protected, and the width of their steps (1 for exact numbers).
    headline
        Id of its main window, to which hotspots, density and circumstances refer.
    data_to
        Last complete month of the data when it was made, as yyyymm.
    anchor
        Month in which one fixed window ends, as yyyymm; its calendar is counted from it too.
    edition
        Code of each area that consists of smaller areas to a digest of their codes and editions (see `edition_of`).
    detail
        Category to the rung of the ladder at which it is shown (`released.Rung`).
    series
        Level to the ids of the windows whose counts were converted to steps; other windows are sums of these.
    incomplete
        Ids of the windows that the data covered in part.
    counts
        `CELL`, lower, upper.
    hotspots, density, hotspots_by_category, density_by_category
        Layers in the working system, as released.
    circumstances
        Table `CIRCUMSTANCES` as released; None if there was none.
    notes
        Notes on pages about hotspots, density and circumstances, by these names.
    reissue
        Reason for a correction of released numbers; empty otherwise.
    version
        Version of the ledger's lines; version 1 contained exact numbers and withheld cells.
    """

    run: str
    profile: str
    audience: str
    protection: str
    step: int
    headline: str
    data_to: int
    anchor: int
    edition: Mapping[str, str]
    detail: Mapping[str, str]
    series: Mapping[str, tuple[str, ...]]
    incomplete: tuple[str, ...]
    counts: pd.DataFrame
    hotspots: gpd.GeoDataFrame
    density: gpd.GeoDataFrame
    circumstances: pd.DataFrame | None = None
    hotspots_by_category: gpd.GeoDataFrame = field(default_factory=lambda: no_outlines(HOTSPOT_CATEGORY_LAYER))
    density_by_category: gpd.GeoDataFrame = field(default_factory=lambda: no_outlines(DENSITY_CATEGORY_LAYER))
    notes: Mapping[str, str] = field(default_factory=dict)
    reissue: str = ""
    version: int = 2

    @property
    def name(self) -> str:
        """Return a name for messages."""
        return f"{self.profile} of run {self.run}, with data to {Period(self.data_to, self.data_to).label}"

    @property
    def digest(self) -> str:
        """Return a digest of the released content: equal releases have equal digests, whatever run they come from."""
        frame = self.counts.sort_values(list(CELL), ignore_index=True)
        total = hashlib.sha256(f"{self.audience} {self.profile} {self.step} {self.headline}".encode())
        for column in (*CELL, "lower", "upper"):
            values = frame[column].astype("Int64" if column in {"lower", "upper"} else "str")
            total.update("|".join(map(str, values.tolist())).encode())
        for layer in (self.hotspots, self.density, self.hotspots_by_category, self.density_by_category):
            total.update("".join(shapely.to_wkb(shapely.normalize(s), hex=True) for s in layer.geometry).encode())
        if self.circumstances is not None:
            total.update("|".join(map(str, self.circumstances.to_numpy(dtype=object).ravel())).encode())
        return total.hexdigest()

    def base_counts(self) -> pd.DataFrame:
        """Return the counts of the windows that have their own steps, without the sums of such windows."""
        own = {(level.split(",")[0], period) for level, periods in self.series.items() for period in periods}
        pairs = pd.MultiIndex.from_frame(self.counts[["level", "period"]].astype(object))
        return self.counts[pairs.isin(own)] if own else self.counts.iloc[:0]


def edition_of(areas: pd.DataFrame) -> dict[str, str]:
    """Return an identifier of the edition of areas: for each area, a digest of the codes and vintages inside it.

    Parameters
    ----------
    areas
        Table `areas`, of the whole place or of a profile's scope.
    """
    found: dict[str, str] = {}
    inside = areas[areas["parent_code"].notna()]
    for (parent, level), group in inside.groupby(["parent_code", "level"], sort=True):
        if level != Level.WARD:  # a profile's scope may omit boroughs of a region, and groups consist of wards
            continue
        lines = sorted(f"{c} {v}" for c, v in zip(group["area_code"], group["vintage"].fillna(""), strict=True))
        found[str(parent)] = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    return found


def other_edition(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether the wards of any area have changed, or the area no longer exists (`edition_of`)."""
    return any(now.get(parent) != digest for parent, digest in before.items())


def as_earlier_release(released: Released) -> EarlierRelease:
    """Convert a release to the form kept in the ledger, using only what it shows."""
    info, record = released.info, released.record
    calendar = record["calendar"]
    # Levels above boroughs are sums of what is kept: they have no numbers of their own to keep.
    counts = released.counts[~released.counts["level"].isin([Level.THIRD, Level.FOURTH])]
    names = split_not_offered(counts["not_offered"])
    frames = []
    for measure in COUNTS:
        ends = [f"{measure}_{end}" if measure in RANGED else measure for end in ("lower", "upper")]
        part = counts[_ROW].assign(measure=measure)
        part["lower"], part["upper"] = (counts[column].astype("Int64") for column in ends)
        hidden = np.array([measure in columns for columns in names], dtype=bool)
        part.loc[hidden, ["lower", "upper"]] = pd.NA
        frames.append(part[part["lower"].notna().to_numpy(dtype=bool) | hidden])
    cells = pd.concat(frames, ignore_index=True)
    described = record.get("circumstances", {})
    return EarlierRelease(
        run=info.run_name,
        profile=info.profile,
        audience=info.audience,
        protection=info.mechanism,
        step=info.step,
        headline=info.headline.id,
        data_to=int(calendar["data_to"].replace("-", "")),
        anchor=int(calendar["anchor"].replace("-", "")),
        edition=edition_of(released.areas),
        detail={c.id: c.rung.value for c in info.categories},
        series={
            level: tuple(p.id for p in periods)
            for level, periods in info.periods.items()
            if level not in {Level.THIRD, Level.FOURTH}
        }
        | ({LONG_SERIES: tuple(p.id for p in info.long_windows)} if info.long_windows else {}),
        incomplete=tuple(
            sorted({p.id for periods in info.periods.values() for p in periods if not p.complete} | _part(info))
        ),
        counts=cells.sort_values(list(CELL), ignore_index=True),
        hotspots=released.hotspots,
        density=released.density,
        hotspots_by_category=released.hotspots_by_category,
        density_by_category=released.density_by_category,
        circumstances=released.circumstances if len(released.circumstances) else None,
        notes={"hotspots": info.hotspot_note, "density": info.density_note, "circumstances": described.get("note", "")},
        reissue=str(calendar.get("reissue", "")),
    )


def _part(info: Any) -> set[str]:
    return {p.id for p in (info.headline, info.earlier) if p is not None and not p.complete}


def _rows_of(frame: pd.DataFrame) -> pd.MultiIndex:
    """Return the key of the rows of a table of counts."""
    return pd.MultiIndex.from_frame(frame[_ROW].astype(object))


@cache
def _empty_counts() -> pd.DataFrame:
    frame = pd.DataFrame({column: pd.Series(dtype="str") for column in CELL})
    return frame.assign(lower=pd.array([], dtype="Int64"), upper=pd.array([], dtype="Int64"))


def _no_counts() -> pd.DataFrame:
    return _empty_counts().copy()  # made once: each release needs a dozen


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What a profile's release must keep from previous releases; determined by `calendar.keep`.

    Attributes
    ----------
    due
        Whether new numbers may be released. If not, all numbers are those of `last`.
    data_to
        Last month of the numbers, as yyyymm: of the data if the release is due, otherwise of `last`.
    anchor
        Month from which fixed windows are counted, as yyyymm; None before the first release.
    last
        The latest release of this profile, with every number that any of its releases showed; None if there is none.
    counts
        `CELL`, lower, upper: numbers of this profile's windows that do not change.
    bounds
        The same for all audiences, closest last: the ranges of a count that any reader has.
    not_below
        `CELL` of the counts that are not offered to a closer audience.
    others
        The latest release of each other profile, with every number that any of its releases showed.
    reissue
        Reason for releasing numbers at borough level and above again; empty if they do not change.
    corrections
        Last month of the data (yyyymm) and reason of every correction so far, this one included.
    releases
        How many releases there were with data up to an earlier month.
    unknown
        Whether previous releases were forgotten: what their readers have is not known.
    """

    due: bool = True
    data_to: int = 0
    anchor: int | None = None
    last: EarlierRelease | None = None
    counts: pd.DataFrame = field(default_factory=_no_counts)
    bounds: pd.DataFrame = field(default_factory=_no_counts)
    not_below: pd.DataFrame = field(default_factory=_no_counts)
    others: tuple[EarlierRelease, ...] = ()
    reissue: str = ""
    corrections: tuple[tuple[int, str], ...] = ()
    releases: int = 0
    unknown: bool = False

    @property
    def windows(self) -> Mapping[str, tuple[Period, ...]]:
        """Level to the released windows, without those that are sums of others."""
        series = self.last.series if self.last is not None else {}
        return {level: tuple(Period.parse(p) for p in periods) for level, periods in series.items()}

    def within(self, counts: pd.DataFrame) -> pd.DataFrame:
        """Move true counts into the ranges that readers of any audience already have, and return a copy.

        Parameters
        ----------
        counts
            area_code, level, period, category, and some of `COUNTS`.
        """
        if not len(self.bounds):
            return counts
        out, at = counts.copy(), _rows_of(counts)
        for measure in (m for m in COUNTS if m in out):
            for bounds in self._by_measure(self.bounds, measure):
                low, high = (bounds[c].reindex(at).to_numpy(np.float64, na_value=np.nan) for c in ("lower", "upper"))
                values = out[measure].astype("Float64").to_numpy(np.float64, na_value=np.nan)
                moved = np.where(np.isnan(low), values, np.clip(values, low, high))
                out[measure] = pd.Series(pd.array(moved, dtype="Float64"), index=out.index).astype("Int64")
        return out

    def hidden(self, rows: pd.DataFrame, measure: str) -> NDArray[np.bool_]:
        """Return which counts are not offered to a closer audience, and therefore to nobody, shape (n,)."""
        return self._named(rows, self.not_below, measure)

    def _named(self, rows: pd.DataFrame, cells: pd.DataFrame, measure: str) -> NDArray[np.bool_]:
        mine = cells[cells["measure"] == measure]
        return np.asarray(_rows_of(rows).isin(_rows_of(mine)), dtype=bool) if len(mine) else np.zeros(len(rows), bool)

    def _by_measure(self, bounds: pd.DataFrame, measure: str) -> list[pd.DataFrame]:
        """Return the ranges of a measure by row, one frame for each audience that has any."""
        own = bounds[(bounds["measure"] == measure) & bounds["lower"].notna()]
        order = own.groupby(_ROW, sort=False).cumcount()
        return [part.set_index(_ROW) for _, part in own.groupby(order, sort=True)]

    def fixed(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Return which rows (area, level, period, category) were released and do not change, shape (n,)."""
        if not len(self.counts):
            return np.zeros(len(rows), dtype=bool)
        return np.asarray(_rows_of(rows).isin(_rows_of(self.counts.drop_duplicates(_ROW))), dtype=bool)

    def given(self, rows: pd.DataFrame, measure: str) -> NDArray[np.bool_]:
        """Return which counts were released with a number, shape (n,)."""
        return self._named(rows, self.counts[self.counts["lower"].notna()], measure)

    def applied(self, ranged: pd.DataFrame) -> pd.DataFrame:
        """Replace newly computed numbers by those already released.

        Parameters
        ----------
        ranged
            Rows with `<measure>_lower`, `<measure>_upper` and `not_offered` (see `steps.in_steps`).
        """
        fixed = self.fixed(ranged)
        if not fixed.any():
            return ranged
        out = ranged.copy()
        at = _rows_of(out)
        # Every count of a released row is taken from the previous release: a count that was absent there is absent
        # here.
        names = [set(c) - set(COUNTS) if f else set(c) for c, f in zip(out["not_offered"], fixed, strict=True)]
        for measure in COUNTS:
            part = self.counts[self.counts["measure"] == measure].set_index(_ROW)
            there = np.asarray(at.isin(part.index), dtype=bool)
            ends = [f"{measure}_{end}" for end in ("lower", "upper")] if measure in RANGED else [measure]
            for column, end in zip(ends, ("lower", "upper"), strict=False):
                before = part[end].reindex(at).to_numpy(dtype=object)
                now = out[column].to_numpy(dtype=object)
                out[column] = pd.array(np.where(fixed, before, now), dtype="Int64")
            missing = part["lower"].isna().reindex(at, fill_value=False).to_numpy(dtype=bool)
            for row in np.flatnonzero(there & missing):
                names[row].add(measure)
        return out.assign(not_offered=[frozenset(columns) for columns in names])


# Outlines of a window are released once: two versions would show what changed between them.


APART_M = 0.25  # metres that a vertex may move when pieces of a band are joined and coordinates are rounded
FIRST = "Shown as first released for this period; records that came later are not in it."
APART = "Not shown: other outlines of a period that overlaps this one were released before."


def as_first_released(
    made: Outlines,
    *,
    kind: str,
    kept: Kept,
    headline: Period,
) -> Outlines:
    """Keep a layer as it was first released for its window, or omit it if other outlines are too near.

    One more incident moves the contours of a surface in a disc around it, and adds a hexagon to an outline: a reader
    with both versions can locate it.

    Parameters
    ----------
    made
        The layer computed from the current data.
    kind
        Which layer of the earlier releases to compare with: ``hotspots``, ``density``, or one of these followed by
        ``_by_category``.
    kept
        Previous releases.
    headline
        Window of the layer.
    """
    last = kept.last
    before: gpd.GeoDataFrame
    # Hotspots of version 1 have bands for counts and true ranks: neither they nor new ones for the same window are
    # shown.
    old = [r for r in (last, *kept.others) if r is not None and r.version == 1 and kind == "hotspots"]
    if any(len(r.hotspots) and Period.parse(r.headline).overlaps(headline) for r in old):
        return Outlines(made.layer.iloc[:0], APART)
    # If nothing was drawn, outlines may be added later; the folders of other audiences decide.
    # Those of single categories share what areas leave with those of all: they are released together or not at all.
    together = kind.endswith("_by_category")
    if last is not None and last.headline == headline.id and (len(getattr(last, kind)) or not kept.due or together):
        before = getattr(last, kind)
        if _outlines(before) == _outlines(made.layer):
            return replace(made, layer=before)
        note = last.notes.get(kind, "") or made.note
        return Outlines(before, note if FIRST in note or not len(before) else f"{note} {FIRST}".strip())
    for release in kept.others:
        before = getattr(release, kind)
        if not len(before) or not Period.parse(release.headline).overlaps(headline):
            continue
        if release.headline != headline.id or (len(made.layer) and not _same_records(before, made.layer)):
            return Outlines(made.layer.iloc[:0], APART)
    return made


def _outlines(layer: gpd.GeoDataFrame) -> list[str]:
    return sorted(shapely.to_wkb(shapely.normalize(shape), hex=True) for shape in layer.geometry)


def _same_records(before: gpd.GeoDataFrame, now: gpd.GeoDataFrame) -> bool:
    """Whether two layers draw the same outlines, except for pieces that only one of them may show.

    Layers of several categories are compared category by category. Density bands are compared line by line: an area
    with too few incidents for one profile is drawn in the band below, which removes lines but moves none.
    """
    if "density_low" in now:
        return _drawn_on(now, before) or _drawn_on(before, now)
    if "category" in now:
        both = set(now["category"]) & set(before["category"])
        pairs = [[layer[layer["category"] == c].drop(columns="category") for layer in (before, now)] for c in both]
        return all(_same_records(*pair) for pair in pairs)
    one, other = set(_pieces(before)), set(_pieces(now))
    return one <= other or other <= one


def _pieces(layer: gpd.GeoDataFrame) -> list[str]:
    """Return every connected piece of a layer as text."""
    return [shapely.to_wkb(shapely.normalize(p), hex=True) for p in shapely.get_parts(layer.geometry.to_numpy())]


def _drawn_on(few: gpd.GeoDataFrame, many: gpd.GeoDataFrame) -> bool:
    """Whether every line of one layer's bands lies on a line of the other's bands of the same category.

    If pieces were joined, a vertex may lie between two of the other's, no farther off than the rounding of coordinates.
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
