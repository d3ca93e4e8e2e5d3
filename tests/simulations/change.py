"""How often changes of wards are called, where none changed and where some did."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.domain.periods import Period
from pipeline.statistics.change import CLEAR, Comparison, against_self, change
from pipeline.statistics.uncertainty import Dispersion, benjamini_hochberg, dispersion
from pipeline.statistics.usual_variation import parts_of

Floats = npt.NDArray[np.float64]
YEARS = tuple(Period.parse(p) for p in ("2022-08..2023-07", "2023-08..2024-07", "2024-08..2025-07"))
LATER = Comparison(YEARS[1], YEARS[2])
BEFORE = Comparison(YEARS[0], YEARS[1])
WARDS, MEAN, PHI = 640, 40.0, 1.7
LASTING = 0.25


def months(rng: np.random.Generator, *, changed: float, factor: float, lasting: bool = False) -> tuple[Floats, Floats]:
    """Draw counts of wards in 36 months, shape (wards, months), and which wards change at the last year's start.

    Every month varies by itself, with a variance of `PHI` times its mean; `lasting` adds rates that drift (standard
    deviation of a quarter, over about six months), which is a change to one reader and chance to another.
    """
    rate = MEAN / 12 * rng.gamma(3.0, 1 / 3, WARDS)[:, None] * np.ones((WARDS, 36))
    some = np.arange(WARDS) < round(changed * WARDS)
    rate[some, 24:] *= factor
    if lasting:
        shocks = rng.standard_normal((WARDS, 36))
        level = np.zeros((WARDS, 36))
        level[:, 0] = shocks[:, 0]
        keep = np.exp(-1 / 6)
        for month in range(1, 36):
            level[:, month] = keep * level[:, month - 1] + np.sqrt(1 - keep**2) * shocks[:, month]
        rate *= np.exp(LASTING * level - LASTING**2 / 2)
    return rng.negative_binomial(rate / (PHI - 1), 1 / PHI).astype(np.float64), some


def table(counts: Floats, *, parts: bool, earlier: bool, step: int = 1) -> pd.DataFrame:
    """Write what a profile shows: the years, and where wanted the quarters and the first year; in steps if not 1."""
    windows = [*YEARS[0 if earlier else 1 :], *(q for y in YEARS[1:] for q in parts_of(y) if parts)]
    frames = []
    for window in windows:
        first = (window.first_month // 100 - 2022) * 12 + window.first_month % 100 - 8
        value = counts[:, first : first + window.months].sum(axis=1).astype(np.int64)
        lower = value // step * step
        frames.append(
            pd.DataFrame(
                {
                    "area_code": [f"W{n:03d}" for n in range(len(value))],
                    "level": "ward",
                    "period": window.id,
                    "category": "all",
                    "incidents": value,
                    "incidents_lower": lower,
                    "incidents_upper": lower + step - 1,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def plain(counts: Floats, spread: Dispersion | None) -> npt.NDArray[np.bool_]:
    """Call changes with a given dispersion, or with Pearson's of the two years themselves, as versions before did."""
    x1, x2 = counts[:, 12:24].sum(axis=1), counts[:, 24:].sum(axis=1)
    spread = spread or dispersion(np.column_stack([x1, x2]))
    p = against_self(x2, x1, days_later=YEARS[2].days, days_earlier=YEARS[1].days, spread=spread)
    return np.asarray(benjamini_hochberg(p, included=x1 >= 20) <= 0.05)


def simulate(*, changed: float, factor: float, runs: int, seed: int, lasting: bool = False) -> pd.DataFrame:
    """Return for each way of estimating: dispersion, true and false calls, share of runs with a false call."""
    rng = np.random.default_rng(seed)
    shown = {
        "quarters of the windows": {"parts": True, "earlier": True},
        "earlier windows": {"parts": False, "earlier": True},
        "these windows": {"parts": False, "earlier": False},
        "earlier windows, steps of 5": {"parts": False, "earlier": True, "step": 5},
        "earlier windows, steps of 10": {"parts": False, "earlier": True, "step": 10},
    }
    rows = []
    for _ in range(runs):
        counts, some = months(rng, changed=changed, factor=factor, lasting=lasting)
        called = {"the true dispersion": (plain(counts, Dispersion(PHI)), PHI)}
        pearson = dispersion(np.column_stack([counts[:, 12:24].sum(axis=1), counts[:, 24:].sum(axis=1)]))
        called["Pearson of these windows"] = plain(counts, None), pearson.value
        for name, how in shown.items():
            found = change(table(counts, **how), LATER, before=BEFORE)
            clear = found.table["change_word"].isin([str(word) for word in CLEAR]).to_numpy()
            called[name] = clear, float(found.spread["dispersion"].iloc[0])
        for name, (clear, phi) in called.items():
            rows.append((name, phi, int(clear[some].sum()), int(clear[~some].sum()), bool(clear[~some].any())))
    made = pd.DataFrame(rows, columns=["estimate", "dispersion", "found", "false", "any_false"])
    return made.groupby("estimate", sort=False).mean().round(2)


def main(runs: int) -> None:
    """Print all scenarios."""
    print(f"{WARDS} wards with {MEAN:.0f} incidents a year on average, dispersion {PHI}, {runs} runs of each\n")
    for title, how in (
        ("nothing changes", {"changed": 0.0, "factor": 1.0}),
        ("a tenth of wards rise by 60 %", {"changed": 0.1, "factor": 1.6}),
        ("a tenth of wards double", {"changed": 0.1, "factor": 2.0}),
        ("three tenths of wards rise by 60 %", {"changed": 0.3, "factor": 1.6}),
        ("nothing changes but rates drift", {"changed": 0.0, "factor": 1.0, "lasting": True}),
    ):
        print(title)
        print(simulate(runs=runs, seed=19, **how).to_string(), end="\n\n")
