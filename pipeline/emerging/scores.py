"""Gi* of every area in every period: what the classes are read from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.domain.periods import Period
from pipeline.errors import InputError
from pipeline.geography.neighbours import Weights
from pipeline.gistar import gistar

__all__ = ["Panel", "scores_by_period"]

PERMUTATIONS = 9_999  # every period is a family of its own: wards by the hundred need no more


@dataclass(frozen=True, slots=True)
class Panel:
    """Gi* by area and period.

    Attributes
    ----------
    z
        Scores, shape (n, periods). 0 where not defined.
    hotspot_class
        Codes -3 to 3, shape (n, periods).
    defined
        False for areas that no period could test, shape (n,): they have no history to class.
    notes
        What was said of any period, each sentence once.
    """

    z: NDArray[np.float64]
    hotspot_class: NDArray[np.int8]
    defined: NDArray[np.bool_]
    notes: tuple[str, ...]


def scores_by_period(
    counts: ArrayLike,
    *,
    weights: Weights,
    periods: Sequence[Period],
    layer: str,
    population: ArrayLike | None = None,
    covered: ArrayLike | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Panel:
    """Test every period on its own, each a family of all areas in one layer, category and period.

    Parameters
    ----------
    counts
        Incidents per area and period, shape (n, periods).
    weights
        Neighbours, self not included.
    periods
        What the columns stand for.
    layer
        Layer and category in words, for the family.
    population
        Residents per area, shape (n,): rates are then tested.
    covered
        False for areas the source does not cover, shape (n,).
    permutations
        Conditional permutations; 0 takes the normal approximation.
    seed
        Of the permutations; each period draws from its own stream.

    Returns
    -------
    panel
        Scores and classes for `emerging`.

    Raises
    ------
    InputError
        If the counts have no column for each period, or as for `gistar`.
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.shape != (weights.n, len(periods)):
        raise InputError(
            f"counts have shape {table.shape}: give one row for each of {weights.n} areas and one column for each of "
            f"{len(periods)} periods"
        )
    results = [
        gistar(
            table[:, i],
            weights=weights,
            family=f"{layer}, {period.label}",
            population=population,
            covered=covered,
            inference="permutation" if permutations else "analytic",
            permutations=permutations or 1,
            seed=int(np.random.SeedSequence([seed, i]).generate_state(1)[0]),
        )
        for i, period in enumerate(periods)
    ]
    shape = table.shape
    return Panel(
        z=np.stack([r.z for r in results], axis=1) if results else np.zeros(shape),
        hotspot_class=np.stack([r.hotspot_class for r in results], axis=1)
        if results
        else np.zeros(shape, dtype=np.int8),
        defined=np.any([r.defined for r in results], axis=0) if results else np.zeros(shape[0], dtype=bool),
        notes=tuple(dict.fromkeys(note for r in results for note in r.notes)),
    )
