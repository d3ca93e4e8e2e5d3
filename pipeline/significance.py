"""Gi* and local Moran's I on areas, as a table: which of them stand out from the rest, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pipeline.geography.neighbours import Weights
from pipeline.gistar import gistar, standardised_rates
from pipeline.moran import local_moran

__all__ = ["COLUMNS", "Significance", "area_significance"]

COLUMNS = ("area_code", "category", "gistar_z", "gistar_p", "hotspot_class", "moran_class")
_MORAN_CODES = {0: "ns", 1: "HH", 2: "LH", 3: "LL", 4: "HL"}


@dataclass(frozen=True, slots=True)
class Significance:
    """Table `frame` (COLUMNS, one row per area and category) and what to say about how it was made."""

    frame: pd.DataFrame
    notes: tuple[str, ...]


def area_significance(
    counts: pd.DataFrame,
    *,
    codes: Sequence[str],
    weights: Weights,
    population: ArrayLike,
    categories: Sequence[str],
    permutations: int,
    seed: int,
    moran: bool = True,
) -> Significance:
    """Test every area for every category over one period.

    Parameters
    ----------
    counts
        Columns area_code, category, incidents; incidents null where unknown or withheld: such areas take no part.
    codes
        Areas in the order of `weights`.
    weights
        Neighbours, self not included.
    population
        Residents per area, NaN where unknown, shape (n,). Where all areas with a count have one, rates are tested.
    categories
        Categories to test; each is a family of its own.
    permutations
        Conditional permutations; 0 takes the normal approximation.
    seed
        Seed of the permutations.
    moran
        Local Moran's I as well (needs permutations).

    Returns
    -------
    significance
        Null statistics where an area could not be tested.
    """
    people = np.asarray(population, dtype=np.float64)
    frames, notes = [], []
    for category in categories:
        rows = counts[counts["category"] == category].set_index("area_code")["incidents"]
        values = pd.to_numeric(rows.reindex(codes)).astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        known = np.isfinite(values)
        rated = bool(known.any()) and bool((people[known] > 0).all())
        family = f"all areas, {category}, one period"
        found = gistar(
            np.where(known, values, 0.0),
            weights=weights,
            family=family,
            population=np.where(known, people, 1.0) if rated else None,
            covered=known,
            inference="permutation" if permutations else "analytic",
            permutations=permutations or 1,
            seed=seed,
        )
        frame = found.frame()[["gistar_z", "gistar_p", "hotspot_class"]]
        frame.insert(0, "area_code", list(codes))
        frame.insert(1, "category", category)
        frame["moran_class"] = None
        if moran and permutations and known.any():
            taken = values[known]
            tested = standardised_rates(taken, population=people[known]) if rated else taken
            local = local_moran(
                tested, weights=weights.subset(known), family=family, permutations=permutations, seed=seed
            )
            words = [_MORAN_CODES[int(c)] if ok else None for c, ok in zip(local.cluster, local.defined, strict=True)]
            frame.loc[known, "moran_class"] = words
        frames.append(frame)
        notes += [f"{category}: {note}" for note in found.notes]
        notes.append(f"{category}: Gi* on {found.measure}, {found.inference}, {found.family}")
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))
    return Significance(table, tuple(notes))
