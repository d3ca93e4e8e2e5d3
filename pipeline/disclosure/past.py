"""Releases that are out already: what their readers know, and what they may not learn from the next one."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.disclosure.cells import COUNTS, CellTable, Layout
from pipeline.disclosure.released import Released
from pipeline.disclosure.shapes import bands_of
from pipeline.disclosure.spots import SPOT_LEVEL, Spot, spots_of
from pipeline.history import Earlier, History, constraints_from_history
from pipeline.relations import KEY, Relations
from pipeline.rounding import rounding_interval

__all__ = ["AUDIENCES", "Past", "closer", "joined", "past_of", "readable", "windows_of"]

AUDIENCES = {"public": 0, "partner": 1, "internal": 2}
"""Whoever may read a folder may read those of the audiences before it."""


@dataclass(frozen=True, eq=False)  # no slots: the digest is worked out once
class Past:
    """One release as its readers hold it: published numbers only.

    Attributes
    ----------
    run, profile, audience, threshold, headline
        Which release it is, and what it promised.
    cells
        KEY, level, low, high: the values each count may have by what is shown. Equal where a number is printed
        unrounded; high null where the count is withheld.
    spots
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
    spots: tuple[Spot, ...]
    hotspots: gpd.GeoDataFrame
    density: gpd.GeoDataFrame

    @cached_property
    def digest(self) -> str:
        """Return a digest of the published numbers: equal releases have equal digests, whatever they are called."""
        frame = self.cells.sort_values(list(KEY), ignore_index=True)
        high = frame["high"].astype("Int64").fillna(-1)
        columns = [c.astype("object").tolist() for c in (*(frame[k] for k in (*KEY, "level", "low")), high)]
        told = "\n".join("|".join(map(str, row)) for row in zip(*columns, strict=True))
        told += "\n".join(repr(s) for s in self.spots)
        told += "".join(shapely.to_wkb(shapely.normalize(shape), hex=True) for shape in self.density.geometry)
        return hashlib.sha256(f"{self.audience} {self.threshold}\n{told}".encode()).hexdigest()

    @property
    def name(self) -> str:
        """Return a name for logs."""
        return f"{self.run}/{self.profile} {self.headline} {self.digest[:12]}"


def past_of(released: Released) -> Past:
    """Read a release the way the ledger keeps it, from what it shows and nothing else."""
    info, rules = released.info, released.record["rules"]
    frames = []
    for measure in COUNTS:
        part = released.counts[["area_code", "level", "period", "category"]].assign(measure=measure)
        value = released.counts[measure].astype("Int64")
        hidden = released.counts["withheld"].fillna("").map(lambda names, m=measure: m in names.split(";")).astype(bool)
        low, high = _interval(value, info.threshold, rules)
        part["low"] = low
        part["high"] = pd.array(high, dtype="Int64")
        part.loc[hidden, "low"] = 0
        part.loc[hidden, "high"] = pd.NA
        frames.append(part[(value.notna() | hidden).to_numpy(dtype=bool)])
    cells = pd.concat(frames, ignore_index=True)
    spots = spots_of(
        released.hotspots,
        areas=released.areas,
        period=info.headline.id,
        lattice_m=float(rules["lattice_m"]),
        bands=bands_of(info.threshold),
    )
    shown = pd.DataFrame(
        [(s.code, SPOT_LEVEL, s.period, "all", "incidents", s.low, s.high) for s in spots], columns=cells.columns
    )
    cells = pd.concat([cells, shown.astype(cells.dtypes)], ignore_index=True) if spots else cells
    cells = cells.drop_duplicates(list(KEY)).sort_values(list(KEY), ignore_index=True)
    return Past(
        run=info.run_name,
        profile=info.profile,
        audience=info.audience,
        threshold=info.threshold,
        headline=info.headline.id,
        cells=cells,
        spots=spots,
        hotspots=released.hotspots,
        density=released.density,
    )


def _interval(value: "pd.Series[int]", threshold: int, rules: dict[str, object]) -> tuple[list[int], list[int]]:
    """Say which true counts a printed number may stand for."""
    shown = value.fillna(0).to_numpy(dtype=np.int64)
    base, reach = int(str(rules["rounding"])), int(str(rules.get("noise_reach") or 0))
    if rules["protection"] == "noise":
        low = np.where(shown == 0, 0, np.where(shown == threshold, 1, np.maximum(shown - reach, 1)))
        return low.tolist(), np.where(shown == 0, max(threshold - 1, 0), shown + reach).tolist()
    if base > 1:
        low, high = rounding_interval(shown, base=base, threshold=threshold)
        return np.where(shown == 0, 0, low).tolist(), np.where(shown == 0, 0, high).tolist()
    return shown.tolist(), shown.tolist()


def readable(past: Sequence[Past], *, audience: str) -> tuple[Past, ...]:
    """Return the earlier releases that readers of a new one may hold, oldest first."""
    return tuple(p for p in past if AUDIENCES[p.audience] <= AUDIENCES[audience])


def closer(past: Sequence[Past], *, audience: str) -> tuple[str, ...]:
    """Return the audiences that may read more than this one, and already did."""
    found = {p.audience for p in past if AUDIENCES[audience] < AUDIENCES[p.audience] < AUDIENCES["internal"]}
    return tuple(sorted(found, key=AUDIENCES.__getitem__))


def windows_of(past: Sequence[Past]) -> dict[str, set[str]]:
    """Return the windows that earlier releases showed at each level."""
    found: dict[str, set[str]] = {}
    for release in past:
        for level, group in release.cells.groupby("level", sort=True):
            found.setdefault(str(level), set()).update(group["period"].unique())
    return found


def joined(table: CellTable, *, layout: Layout, past: Sequence[Past], threshold: int) -> History:
    """Join a release with the earlier ones its readers hold.

    A printed number that was rounded, or a hotspot's band, is no withheld cell: nothing is promised for it.
    """
    known = replace(layout, spots=(*layout.spots, *(p.spots for p in past)))
    found = constraints_from_history(
        table.cells.drop(columns="row"),
        relations=table.relations,
        earlier=[Earlier(p.name, p.cells[[*KEY, "level", "low", "high"]].astype({"high": "float64"})) for p in past],
        relate=_but(known, table, layout),
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


def _but(known: Layout, table: CellTable, layout: Layout) -> Callable[[pd.DataFrame], Relations]:
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
