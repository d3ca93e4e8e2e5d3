"""The cell table of a release: every count that is published or implied, and what ties the counts together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.domain.periods import Period, month_range
from pipeline.release.hotspots import Spot, spot_rows
from pipeline.release.relations import (
    Relations,
    area_sums,
    category_subsets,
    drop_violated,
    measure_subsets,
    period_sums,
    stack,
    window_atoms,
)
from pipeline.release.released import CategoryInfo

__all__ = ["COUNTS", "CellTable", "Layout", "cell_table", "counted", "long_cells", "shown_pairs"]

COUNTS = ("incidents", "incidents_unplaced", "positive_outcomes", "known_outcomes")
LEVELS = ("region", "borough", "ward")
JOIN = "+"


@dataclass(frozen=True, slots=True)
class Layout:
    """What an attacker knows about the layout of a source: how areas, windows, categories and measures nest.

    Attributes
    ----------
    parents
        Area code to the code of the area it lies in, for every area that is covered, inside a release's scope or not.
    pairs
        Category and the category it is part of, for every two that may both be shown.
    cohort
        Whether positive outcomes belong to the incidents they stand beside, so that they never exceed them.
    spots
        Hotspots of each release, the new one's first.
    """

    parents: Mapping[str, str]
    pairs: tuple[tuple[str, str], ...]
    cohort: bool
    spots: tuple[tuple[Spot, ...], ...] = ()

    def relate(self, cells: pd.DataFrame) -> Relations:
        """Write down every sum and subset that a table of cells implies (columns KEY and level)."""
        table = cells.reset_index(drop=True)
        rows = [area_sums(table, parents=self.parents, unplaced={"incidents": "incidents_unplaced"})]
        for level in LEVELS:
            at = np.flatnonzero(table["level"] == level).astype(np.int64)
            if at.size:
                part = table.iloc[at].reset_index(drop=True)
                rows.append(period_sums(part, parts=_parts(part["period"].unique())).remap(at, cells=len(table)))
        rows.append(category_subsets(table, pairs=self.pairs))
        rows.append(measure_subsets(table, pairs=[("incidents_unplaced", "incidents")]))
        if self.cohort:
            chain = [("positive_outcomes", "known_outcomes"), ("known_outcomes", "incidents")]
            rows.append(measure_subsets(table, pairs=chain))
        rows += [spot_rows(table, spots=spots) for spots in self.spots]
        return stack(*rows)


@dataclass(frozen=True, slots=True)
class CellTable:
    """What a release is made of, for suppression and audit.

    Attributes
    ----------
    cells
        KEY columns, level, value, latent, known_low, known_high; `row` is the position in the counts, -1 for latent
        cells.
    relations
        Those that hold in the data.
    broken
        Those that do not.
    dropped
        A report of both.
    """

    cells: pd.DataFrame
    relations: Relations
    broken: Relations
    dropped: pd.DataFrame


def cell_table(
    counts: pd.DataFrame,
    *,
    months: pd.DataFrame,
    layout: Layout,
    measures: Sequence[str],
    spots: pd.DataFrame | None = None,
    earlier: Mapping[str, Iterable[str]] | None = None,
) -> CellTable:
    """Lay out the cells of a release and tie them together.

    Parameters
    ----------
    counts
        True counts per area, period and category: the columns of COUNTS, null where there is nothing to publish.
    months
        The same per month, for pieces of windows that overlap; columns area_code, level, month, category and COUNTS.
    layout
        How the cells nest.
    measures
        Measures shown.
    spots
        Latent cells of the hotspots (see `spot_cells`).
    earlier
        Level to the windows of earlier releases: where they overlap with the new ones, the pieces become cells too.
    """
    published = long_cells(counts, measures)
    latent = _atoms(published, months, measures, earlier or {})
    frames = [published.assign(latent=False), latent.assign(latent=True, row=-1)]
    if spots is not None and len(spots):
        frames.append(spots.assign(latent=True, row=-1))
    cells = pd.concat(frames, ignore_index=True)
    for column in ("known_low", "known_high"):
        cells[column] = pd.to_numeric(cells[column]).astype("float64") if column in cells else np.nan
    every, values = layout.relate(cells), cells["value"].to_numpy(dtype=np.int64)
    kept, report = drop_violated(every, values=values)
    return CellTable(cells, kept, every.select(every.violated(values)), report)


def counted(measures: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of counts that a profile with these measures shows."""
    whole = "incidents" in measures
    outcomes = "positive_outcomes" in measures
    shown = {"incidents": whole, "incidents_unplaced": whole, "positive_outcomes": outcomes, "known_outcomes": outcomes}
    return tuple(c for c in COUNTS if shown[c])


def shown_pairs(every: Sequence[CategoryInfo], shown: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Pair each shown category with the nearest shown one that it is part of; `all` holds every other."""
    parents = {c.id: c.parent for c in every}
    present = set(shown)
    pairs = []
    for category in (c.id for c in every if c.id in present and c.id != "all"):
        above = parents[category]
        while above is not None and above not in present:
            above = parents.get(above)
        pairs.append((category, above or "all"))
    return tuple(pairs)


def long_cells(counts: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Return one row per count that is not null: KEY, level, value and `row`, its position in the counts."""
    frames = []
    for measure in (c for c in counted(measures) if c in counts.columns):
        known = counts[measure].notna().to_numpy()
        part = counts.loc[known, ["area_code", "level", "period", "category"]].copy()
        part["measure"] = measure
        part["value"] = counts.loc[known, measure].astype("int64").to_numpy()
        part["row"] = known.nonzero()[0]
        frames.append(part)
    return pd.concat(frames, ignore_index=True)


def _months_of(period: str) -> tuple[int, ...]:
    """Return the months of a window, or of a piece of one."""
    if JOIN in period or period.isdigit():
        return tuple(int(month) for month in period.split(JOIN))
    span = Period.parse(period)
    return month_range(span.first_month, span.last_month)


def _name(months: tuple[int, ...]) -> str:
    """Name a piece of a window that is no window itself."""
    return JOIN.join(str(month) for month in months)


def _parts(periods: Iterable[str]) -> dict[str, list[str]]:
    """Say which cells make up each window: windows that lie inside it, or pieces that subtraction can reach."""
    months = {p: _months_of(p) for p in sorted(periods)}
    names = {m: p for p, m in sorted(months.items(), reverse=True)}
    atoms = window_atoms({p: list(m) for p, m in months.items()})
    return {p: [names.get(atom, _name(atom)) for atom in found] for p, found in atoms.items() if len(found) > 1}


def _atoms(
    published: pd.DataFrame, months: pd.DataFrame, measures: Sequence[str], earlier: Mapping[str, Iterable[str]]
) -> pd.DataFrame:
    """Cells for the pieces that subtracting overlapping windows can reach, per level, where they are not published."""
    frames = []
    for level, group in published.groupby("level", sort=True):
        own = {_months_of(p) for p in group["period"].unique()}
        windows = own | {_months_of(p) for p in earlier.get(str(level), ())}
        pieces = {
            atom
            for atoms in window_atoms({w: list(w) for w in sorted(windows)}).values()
            if len(atoms) > 1
            for atom in atoms
            if atom not in windows
        }
        here = months[months["level"] == level]
        frames += [_piece(here, atom, published=group, measures=measures) for atom in sorted(pieces)]
    empty = published.iloc[:0].drop(columns="row")
    return pd.concat([empty, *frames], ignore_index=True)


def _piece(
    months: pd.DataFrame, atom: tuple[int, ...], *, published: pd.DataFrame, measures: Sequence[str]
) -> pd.DataFrame:
    """Return the true counts of one piece, for every area, category and measure published at the level."""
    keys = published[["area_code", "level", "category", "measure"]].drop_duplicates()
    inside = months[months["month"].isin(atom)]
    shown = [c for c in counted(measures) if c in months.columns]
    sums = inside.groupby(["area_code", "category"], sort=True)[shown].sum().reset_index()
    long = sums.melt(["area_code", "category"], var_name="measure", value_name="value")
    out = keys.merge(long, on=["area_code", "category", "measure"], how="left")
    out["value"] = out["value"].fillna(0).astype("int64")
    out["period"] = _name(atom)
    return out
