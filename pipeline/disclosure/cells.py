"""The cell table of a release: every count that is published or implied, and what ties the counts together."""

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import pandas as pd

from pipeline.disclosure.released import CategoryInfo
from pipeline.periods import Period, month_range
from pipeline.relations import (
    Relations,
    area_sums,
    category_subsets,
    drop_violated,
    measure_subsets,
    period_sums,
    stack,
    window_atoms,
)

__all__ = ["COUNTS", "CellTable", "cell_table", "counted"]

COUNTS = ("incidents", "incidents_unplaced", "positive_outcomes", "known_outcomes")


@dataclass(frozen=True, slots=True)
class CellTable:
    """What a release is made of, for suppression and audit.

    Attributes
    ----------
    cells
        KEY columns, level, value, latent; `row` is the position in the counts, -1 for latent cells.
    relations
        Those that hold in the data.
    dropped
        A report of those that do not.
    """

    cells: pd.DataFrame
    relations: Relations
    dropped: pd.DataFrame


def cell_table(
    counts: pd.DataFrame,
    *,
    months: pd.DataFrame,
    areas: gpd.GeoDataFrame,
    categories: Sequence[CategoryInfo],
    measures: Sequence[str],
    cohort: bool,
) -> CellTable:
    """Lay out the cells of a release and tie them together.

    Parameters
    ----------
    counts
        True counts per area, period and category: the columns of COUNTS, null where there is nothing to publish.
    months
        The same per month, for pieces of windows that overlap; columns area_code, level, month, category and COUNTS.
    areas
        Table `areas`: parents and coverage.
    categories
        Categories shown, with parents.
    measures
        Measures shown.
    cohort
        Whether positive outcomes belong to the incidents they stand beside, so that they never exceed them.
    """
    published = _long(counts, measures)
    latent = _atoms(published, months, measures)
    cells = pd.concat([published.assign(latent=False), latent.assign(latent=True, row=-1)], ignore_index=True)
    covered = areas[areas["covered"].astype(bool) & areas["parent_code"].notna()]
    parents = dict(zip(covered["area_code"], covered["parent_code"], strict=True))
    windows = _windows(published)
    nested = {
        window: atoms
        for window, atoms in window_atoms({w: list(m) for w, m in windows.items()}).items()
        if len(atoms) > 1
    }
    names = {months: window for window, months in windows.items()}
    parts = {window: [names.get(atom, _name(atom)) for atom in atoms] for window, atoms in nested.items()}
    rows = [
        area_sums(cells, parents=parents, unplaced={"incidents": "incidents_unplaced"}),
        period_sums(cells, parts=parts),
        category_subsets(cells, pairs=[(c.id, c.parent or "all") for c in categories if c.id != "all"]),
        measure_subsets(cells, pairs=[("incidents_unplaced", "incidents")]),
    ]
    if cohort:
        pairs = [("positive_outcomes", "known_outcomes"), ("known_outcomes", "incidents")]
        rows.append(measure_subsets(cells, pairs=pairs))
    kept, report = drop_violated(stack(*rows), values=cells["value"].to_numpy())
    return CellTable(cells, kept, report)


def counted(measures: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of counts that a profile with these measures shows."""
    whole = "incidents" in measures
    outcomes = "positive_outcomes" in measures
    shown = {"incidents": whole, "incidents_unplaced": whole, "positive_outcomes": outcomes, "known_outcomes": outcomes}
    return tuple(c for c in COUNTS if shown[c])


def _long(counts: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """One row per count."""
    shown = [c for c in counted(measures) if c in counts.columns]
    frames = []
    for measure in shown:
        known = counts[measure].notna().to_numpy()
        part = counts.loc[known, ["area_code", "level", "period", "category"]].copy()
        part["measure"] = measure
        part["value"] = counts.loc[known, measure].astype("int64").to_numpy()
        part["row"] = known.nonzero()[0]
        frames.append(part)
    return pd.concat(frames, ignore_index=True)


def _windows(published: pd.DataFrame) -> dict[str, tuple[int, ...]]:
    """Every window of the release and its months."""
    spans = {p: Period.parse(p) for p in sorted(published["period"].unique())}
    return {p: month_range(s.first_month, s.last_month) for p, s in spans.items()}


def _name(atom: tuple[int, ...]) -> str:
    """Name a piece of a window that is no window itself."""
    return "+".join(str(month) for month in atom)


def _atoms(published: pd.DataFrame, months: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Cells for the pieces that subtracting overlapping windows can reach, per level, where they are not published."""
    frames = []
    for level, group in published.groupby("level", sort=True):
        windows = _windows(group)
        own = set(windows.values())
        pieces = {
            atom
            for atoms in window_atoms({w: list(m) for w, m in windows.items()}).values()
            if len(atoms) > 1
            for atom in atoms
            if atom not in own
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
