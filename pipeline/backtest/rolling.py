"""Roll an origin through time: predict from before it, score on what follows, pool over origins."""

from collections.abc import Collection
from dataclasses import fields
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.backtest.methods import Method, kde_method
from pipeline.backtest.scores import (
    FEWEST_ORIGINS,
    BacktestResult,
    Covered,
    Rung,
    Track,
    cover,
    pool,
    ratio,
    verdict,
)
from pipeline.backtest.study import Mosaic, Study
from pipeline.errors import InputError

__all__ = ["backtest", "rolling_origins"]

SHARES = (0.01, 0.03, 0.05, 0.10)
RANK_BY = 0.05


def rolling_origins(
    when: ArrayLike, *, count: int, horizon: int = 1, history: int = 1, lacking: Collection[int] = ()
) -> tuple[int, ...]:
    """Return the latest origins that have a whole horizon after and at least so much history before them.

    Parameters
    ----------
    when
        Period number of each incident.
    count
        How many origins at most; they are one horizon apart, so that no incident is tested twice.
    horizon, history
        Periods predicted, and fewest periods before the first origin.
    lacking
        Numbers of periods that the data lacks: nothing is tested there, where every method would seem to fail.

    Returns
    -------
    origins
        Period numbers in time order; empty if the data is too short.
    """
    periods = np.asarray(when, dtype=np.int64)
    if not periods.size:
        return ()
    first, end = int(periods.min()), int(periods.max()) + 1
    every = range(end - horizon, first + history - 1, -horizon)
    whole = [o for o in every if not any(o <= period < o + horizon for period in lacking)]
    return tuple(reversed(whole[:count]))


def backtest(
    study: Study,
    *,
    methods: tuple[Method, ...],
    origins: tuple[int, ...],
    bandwidths_m: tuple[float, ...] = (),
    kernel: str = "quartic",
    history: int | None = None,
    horizon: int = 1,
    shares: tuple[float, ...] = SHARES,
    rank_by: float = RANK_BY,
    resamples: int = 999,
    seed: int = 0,
) -> BacktestResult:
    """Score every method at every origin, beside a random order and an oracle that knew what would come.

    At an origin a method gets a `Past`: copies of what lies strictly before. Only the scoring sees the rest.

    Parameters
    ----------
    study
        Incidents, periods, units.
    methods
        What to compare, see `standard_methods`.
    origins
        First period of each test; they must not test an incident twice.
    bandwidths_m
        Candidates of kernel density, in metres. The method ``"KDE"`` takes at each origin the candidate that
        did best at the origins before it (at the first, the middle one).
    kernel
        For kernel density.
    history, horizon
        Periods seen before an origin (None: all), and periods predicted.
    shares
        Shares of the area to score at.
    rank_by
        One of `shares`: methods are ranked, and the bandwidth chosen, by PAI there.
    resamples, seed
        Bootstrap resamples of origins, and the seed of every draw.

    Returns
    -------
    result
        Scores with intervals, ranking, bandwidth ladder, notes.

    Raises
    ------
    InputError
        If there is no origin, origins overlap, `rank_by` is not among the shares, or a method ranks units
        that the study does not have.
    """
    _check(study, methods, origins, horizon=horizon, shares=shares, rank_by=rank_by)
    mosaics = {m.name: m for m in study.mosaics}
    ladder = tuple(kde_method(b, kernel=kernel) for b in sorted(set(bandwidths_m)))
    covered: dict[str, list[Covered]] = {m.name: [] for m in (*methods, *ladder)}
    chance: list[Covered] = []
    perfect: list[Covered] = []
    tests, trained = [], []
    for origin in origins:
        past = study.past(origin, history=history, seed=seed)
        after = study.after(origin, horizon)
        tests.append(int(after.sum()))
        trained.append(int(past.points_m.shape[0]))
        came = {name: m.counts(after) for name, m in mosaics.items()}
        for method in (*methods, *ladder):
            covered[method.name].append(
                cover(
                    method.score(past),
                    hits=came[method.mosaic],
                    before=past.counts[method.mosaic],
                    area_km2=mosaics[method.mosaic].area_km2,
                    shares=shares,
                )
            )
        # A random order on average: every cell ties with every other.
        level = np.ones(came["cells"].size)
        chance.append(
            cover(
                level,
                hits=came["cells"],
                before=past.counts["cells"],
                area_km2=mosaics["cells"].area_km2,
                shares=shares,
            )
        )
        perfect.append(_oracle(tuple(mosaics.values()), came, past.counts, shares))
    tracks = [Track(m.name, m.mosaic, tuple(covered[m.name])) for m in methods]
    rungs = [Track(m.name, m.mosaic, tuple(covered[m.name])) for m in ladder]
    at = shares.index(rank_by)
    if rungs:
        tracks.insert(0, _chosen(rungs, at))
    tracks += [Track("random", "cells", tuple(chance)), Track("oracle", "best units", tuple(perfect))]
    draws = np.random.default_rng(seed).integers(0, len(origins), size=(resamples, len(origins)))
    scores = pool(tracks, tests=np.array(tests), trained=np.array(trained), shares=shares, draws=draws)
    candidates = tuple(sorted(set(bandwidths_m)))
    pai = [ratio(float(t.table("hits")[:, at].sum()), sum(tests) * rank_by) for t in rungs]
    known = [(p, b) for p, b in zip(pai, candidates, strict=True) if p is not None]
    ranking, words = verdict(scores, tested=sum(tests), share=rank_by)
    return BacktestResult(
        scores=scores,
        origins=origins,
        history=history,
        horizon=horizon,
        test_incidents=sum(tests),
        rank_area_pct=100 * rank_by,
        ranking=ranking,
        verdict=words,
        ladder=tuple(Rung(b, p) for b, p in zip(candidates, pai, strict=True)),
        bandwidth_m=max(known)[1] if known else None,  # of equals the wider: it says less about single homes
        notes=tuple(_notes(study, tests, trained)),
    )


def _check(
    study: Study,
    methods: tuple[Method, ...],
    origins: tuple[int, ...],
    *,
    horizon: int,
    shares: tuple[float, ...],
    rank_by: float,
) -> None:
    if not origins:
        raise InputError(
            "there is no origin to predict from: give more periods, a shorter history or a shorter horizon"
        )
    if horizon < 1 or any(b - a < horizon for a, b in pairwise(origins)):
        raise InputError(
            f"origins {list(origins)} must rise by at least the horizon of {horizon}: no incident tests twice"
        )
    if rank_by not in shares:
        raise InputError(f"rank_by is {rank_by} and shares are {list(shares)}: rank by one of them")
    names = [m.name for m in methods]
    if len(set(names)) < len(names) or {"KDE", "random", "oracle"} & set(names):
        raise InputError(f"methods {names} use names twice, or one of KDE, random, oracle: give each its own")
    missing = sorted({m.mosaic for m in methods} - {m.name for m in study.mosaics})
    if missing:
        raise InputError(
            f"methods rank {missing}, which the study does not have: give areas, or leave those methods out"
        )


def _oracle(
    mosaics: tuple[Mosaic, ...],
    came: dict[str, NDArray[np.int64]],
    before: dict[str, NDArray[np.int64]],
    shares: tuple[float, ...],
) -> Covered:
    """Cover as one who knew what would come, with whichever units serve each share best."""
    runs = []
    for m in mosaics:
        # Units without any later incident come last, so that the oracle marks as much as was asked.
        per_km2 = np.divide(came[m.name], m.area_km2, out=np.zeros(m.area_km2.size), where=m.area_km2 > 0) + 1e-9
        runs.append(cover(per_km2, hits=came[m.name], before=before[m.name], area_km2=m.area_km2, shares=shares))
    which, each = np.argmax([r.best for r in runs], axis=0), np.arange(len(shares))
    return Covered(*(np.stack([getattr(r, f.name) for r in runs])[which, each] for f in fields(Covered)))


def _chosen(rungs: list[Track], at: int) -> Track:
    """Take at each origin the bandwidth that caught most at the origins before it; at the first, the middle one."""
    caught = np.stack([t.table("hits")[:, at] for t in rungs])
    so_far = np.cumsum(caught, axis=1) - caught
    # Of equals the wider, as in the final choice.
    pick = len(rungs) - 1 - np.argmax(so_far[::-1], axis=0)
    pick[0] = len(rungs) // 2
    return Track("KDE", "cells", tuple(rungs[k].covered[i] for i, k in enumerate(pick)))


def _notes(study: Study, tests: list[int], trained: list[int]) -> list[str]:
    notes = []
    if outside := int((~study.placed).sum()):
        notes.append(f"{outside:,} incidents lie outside the units and take no part.")
    if len(tests) < FEWEST_ORIGINS:
        notes.append(f"{len(tests)} origins are too few for intervals: {FEWEST_ORIGINS} are needed.")
    if empty := sum(n == 0 for n in tests):
        notes.append(f"{empty} of {len(tests)} origins have no incident after them.")
    if blind := sum(n == 0 for n in trained):
        notes.append(f"{blind} of {len(trained)} origins have no incident before them: every method ties there.")
    return notes
