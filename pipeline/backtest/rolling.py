"""Roll an origin through time: predict from before it, score on what follows, pool over origins."""

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.backtest.methods import Chosen, Method
from pipeline.backtest.ranking import SAME, Covered, Ranking
from pipeline.backtest.scores import (
    FEWEST_ORIGINS,
    FEWEST_TO_RANK,
    UNRANKED,
    BacktestResult,
    Ladder,
    MethodScore,
    Note,
    Rung,
    Standing,
    Track,
    compare,
    pool,
)
from pipeline.backtest.study import CELLS, Mosaic, Past, Study
from pipeline.backtest.targets import Target
from pipeline.errors import InputError

__all__ = ["TARGETS", "backtest", "history_and_origins", "rolling_origins"]

TARGETS = tuple(Target.read(text) for text in ("1 %", "3 %", "5 %", "10 %"))
LONGEST_HISTORY = 12  # a year: older incidents say less about next month, and every season is in it
SHORTEST_HISTORY = 3
TIE_DRAWS = 200
"""How often ties are broken by lot: a share of draws is then known to 3.5 percentage points."""


def history_and_origins(periods: int, *, count: int, horizon: int = 1) -> tuple[int, int]:
    """Share a short series between what methods see and what they are tested on.

    Parameters
    ----------
    periods
        Periods that the data has.
    count
        Origins wanted.
    horizon
        Periods predicted at each.

    Returns
    -------
    history, origins
        Periods before each origin, 3 to 12, and how many origins fit.

    Examples
    --------
    Six months: three to learn from, three to predict. From 18 on there is a year before each of six origins.

    >>> [history_and_origins(n, count=6) for n in (3, 6, 12, 18, 29)]
    [(3, 0), (3, 3), (6, 6), (12, 6), (12, 6)]
    """
    history = min(LONGEST_HISTORY, max(SHORTEST_HISTORY, periods - count * horizon))
    return history, max(0, min(count, (periods - history) // horizon))


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


@dataclass(slots=True)
class _Entry:
    """What is kept of one method from origin to origin.

    Attributes
    ----------
    caught
        Hits of each candidate at the target that methods are ranked by, one list per origin.
    picks
        Candidate taken at each origin.
    other_seed, half_ties
        Sums over origins of hits with ties broken by lot, shape (draws, targets).
    """

    method: Method | Chosen
    covered: list[Covered] = field(default_factory=list)
    caught: list[list[float]] = field(default_factory=list)
    picks: list[int] = field(default_factory=list)
    other_seed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    half_ties: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def candidates(self) -> tuple[Method, ...]:
        return (self.method,) if isinstance(self.method, Method) else self.method.candidates

    def pick(self) -> int:
        """Take the candidate that caught most at the origins so far; of equals the later, which is the wider."""
        if isinstance(self.method, Method) or not self.caught:
            return 0 if isinstance(self.method, Method) else self.method.first
        return _best(np.sum(self.caught, axis=0))

    def track(self) -> Track:
        method = self.method
        units = "turned grids" if isinstance(method, Chosen) and not method.ordered else self.candidates[0].mosaic
        return Track(method.key, units, tuple(self.covered), self.other_seed, self.half_ties)

    def ladder(self, tested: int) -> Ladder:
        """Describe the candidates over all origins."""
        sums = np.sum(self.caught, axis=0)
        taken = np.bincount(self.picks, minlength=len(self.candidates)).tolist()
        rungs = tuple(
            Rung(c.key, 100 * float(s) / tested if tested else None, t)
            for c, s, t in zip(self.candidates, sums, taken, strict=True)
        )
        best = _best(sums) if sums.any() else None
        ordered = isinstance(self.method, Chosen) and self.method.ordered
        ends = {0, len(rungs) - 1} if ordered and len(rungs) > 1 else set()
        return Ladder(self.method.key, rungs, None if best is None else rungs[best].setting, ordered, best in ends)


def backtest(
    study: Study,
    *,
    methods: tuple[Method | Chosen, ...],
    origins: tuple[int, ...],
    targets: tuple[Target, ...] = TARGETS,
    rank_by: Target = TARGETS[2],
    history: int | None = None,
    horizon: int = 1,
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
        What to compare, see `standard_methods`. A `Chosen` takes at each origin the candidate that caught most at
        the origins before it.
    origins
        First period of each test; they must not test an incident twice.
    targets
        Areas to mark.
    rank_by
        One of `targets`: methods are ranked and compared, and settings chosen, by the hits there.
    history, horizon
        Periods seen before an origin (None: all), and periods predicted.
    resamples, seed
        Bootstrap resamples of origins, and the seed of every draw.

    Returns
    -------
    result
        Scores with intervals, ranking, comparisons, ladders, notes.

    Raises
    ------
    InputError
        If there is no origin, origins overlap, `rank_by` is not among the targets, or a method ranks units that the
        study does not have.
    """
    _check(study, methods, origins, horizon=horizon, targets=targets, rank_by=rank_by)
    total_km2 = float(study.tiling.area_km2.sum())
    asked = np.array([t.area_km2(total_km2) for t in targets])
    at = targets.index(rank_by)
    entries = [_Entry(m) for m in methods]
    chance: list[Covered] = []
    perfect: list[Covered] = []
    tests, trained, differences, shared = [], [], [], []
    for i, origin in enumerate(origins):
        past = study.past(origin, history=history, seed=seed)
        after = study.between(origin, origin + horizon)
        tests.append(int(after.sum()))
        trained.append(int(past.points_m.shape[0]))
        came = {name: m.counts(after) for name, m in study.mosaics.items()}
        taken: list[Ranking] = []
        for number, entry in enumerate(entries):
            rankings = [_rank(m.score(past), m.mosaic, came, past, study) for m in entry.candidates]
            entry.picks.append(entry.pick())
            entry.caught.append([float(r.caught(asked[at])) for r in rankings])
            ranking = rankings[entry.picks[-1]]
            taken.append(ranking)
            entry.covered.append(ranking.take(asked))
            # Every method and origin has lots of its own, so that adding a method leaves those of the others.
            rng = np.random.default_rng([seed, i, number])
            for name, half in (("other_seed", False), ("half_ties", True)):
                hits = ranking.drawn(asked, half=half, draws=TIE_DRAWS, rng=rng)
                setattr(entry, name, hits if i == 0 else getattr(entry, name) + hits)
        # Every two methods on the area that both of them mark.
        marked = np.array([r.marked_km2 for r in taken])
        common = np.minimum(np.minimum.outer(marked, marked), asked[at])
        caught = np.array([r.caught(area) for r, area in zip(taken, common, strict=True)]).reshape(common.shape)
        differences.append(caught - caught.T)
        shared.append(100 * common / total_km2)
        # A random order on average: every cell ties with every other.
        everywhere = np.ones(study.tiling.cell.size)
        chance.append(_rank(everywhere, CELLS, came, past, study).take(asked))
        perfect.append(_oracle(study.mosaics, came, past, study, asked))
    tracks = [e.track() for e in entries]
    tracks += [Track("random", CELLS, tuple(chance)), Track("oracle", "best units", tuple(perfect))]
    draws = np.random.default_rng(seed).integers(0, len(origins), size=(resamples, len(origins)))
    tested = np.array(tests)
    scores = pool(tracks, tests=tested, trained=np.array(trained), targets=targets, total_km2=total_km2, draws=draws)
    pairs = compare([m.key for m in methods], np.array(differences), np.array(shared), tests=tested, draws=draws)
    standing, ranking_of = _standing(scores, tested=sum(tests), target=rank_by)
    unclear = {frozenset((p.method, p.other)) for p in pairs if not p.clear}
    return BacktestResult(
        cells=study.tiling.name,
        units=study.tiling.cell.size,
        total_km2=total_km2,
        scores=scores,
        pairs=pairs,
        ladders=tuple(e.ladder(sum(tests)) for e in entries if isinstance(e.method, Chosen)),
        origins=origins,
        history=history,
        horizon=horizon,
        test_incidents=sum(tests),
        rank_target=rank_by.text,
        standing=standing,
        ranking=ranking_of,
        equal=tuple(m for m in ranking_of[1:] if frozenset((ranking_of[0], m)) in unclear),
        notes=tuple(_notes(study, tests, trained)),
    )


def _best(caught: NDArray[np.float64]) -> int:
    """Return the candidate with most hits; of equals the later: the wider bandwidth says less about single homes."""
    return int(np.flatnonzero(caught >= caught.max() * (1 - SAME))[-1])


def _rank(
    score: NDArray[np.float64], mosaic: str, came: dict[str, NDArray[np.int64]], past: Past, study: Study
) -> Ranking:
    return Ranking.of(score, hits=came[mosaic], before=past.counts[mosaic], area_km2=study.mosaics[mosaic].area_km2)


def _check(
    study: Study,
    methods: tuple[Method | Chosen, ...],
    origins: tuple[int, ...],
    *,
    horizon: int,
    targets: tuple[Target, ...],
    rank_by: Target,
) -> None:
    if not origins:
        raise InputError(
            "there is no origin to predict from: give more periods, a shorter history or a shorter horizon"
        )
    if horizon < 1 or any(b - a < horizon for a, b in pairwise(origins)):
        raise InputError(
            f"origins {list(origins)} must rise by at least the horizon of {horizon}: no incident tests twice"
        )
    if rank_by not in targets:
        asked = [t.text for t in targets]
        raise InputError(f"rank_by is {rank_by.text!r} and targets are {asked}: rank by one of them")
    keys = [m.key for m in methods]
    if len(set(keys)) < len(keys) or UNRANKED & set(keys):
        raise InputError(f"methods {keys} use names twice, or one of random, oracle: give each its own")
    every = [c for m in methods for c in ((m,) if isinstance(m, Method) else m.candidates)]
    missing = sorted({m.mosaic for m in every} - set(study.mosaics))
    if missing:
        raise InputError(
            f"methods rank {missing}, which the study does not have: give areas, or leave those methods out"
        )


def _oracle(
    mosaics: dict[str, Mosaic],
    came: dict[str, NDArray[np.int64]],
    past: Past,
    study: Study,
    asked: NDArray[np.float64],
) -> Covered:
    """Cover as one who knew what would come, with whichever units serve each target best."""
    runs = []
    for name, m in mosaics.items():
        # Units without any later incident come last, so that the oracle marks as much as was asked.
        per_km2 = np.divide(came[name], m.area_km2, out=np.zeros(m.area_km2.size), where=m.area_km2 > 0) + 1e-9
        runs.append(_rank(per_km2, name, came, past, study).take(asked))
    which, each = np.argmax([r.hits for r in runs], axis=0), np.arange(asked.size)
    return Covered(*(np.stack([getattr(r, f.name) for r in runs])[which, each] for f in fields(Covered)))


def _standing(scores: tuple[MethodScore, ...], *, tested: int, target: Target) -> tuple[Standing, tuple[str, ...]]:
    """Rank the methods that mark the whole target, by hits; those named last, the simplest, come first of equals."""
    if tested < FEWEST_TO_RANK:
        return Standing.TOO_FEW_INCIDENTS, ()
    asked = [s for s in scores if s.target == target.text and s.method not in UNRANKED]
    whole = [s for s in reversed(asked) if s.marked_pct >= s.area_pct * (1 - SAME)]
    if not whole:
        return Standing.NONE_MARKS_ENOUGH, ()
    return Standing.RANKED, tuple(s.method for s in sorted(whole, key=lambda s: -s.hits))


def _notes(study: Study, tests: list[int], trained: list[int]) -> list[Note]:
    notes = []
    if outside := int((~study.placed).sum()):
        notes.append(Note("outside", {"n": outside}))
    if len(tests) < FEWEST_ORIGINS:
        notes.append(Note("few_origins", {"n": len(tests), "needed": FEWEST_ORIGINS}))
    if empty := sum(n == 0 for n in tests):
        notes.append(Note("nothing_after", {"n": empty, "of": len(tests)}))
    if blind := sum(n == 0 for n in trained):
        notes.append(Note("nothing_before", {"n": blind, "of": len(trained)}))
    return notes
