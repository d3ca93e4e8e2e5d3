"""Rows whose date lies far from all others: which months are the body of a source's data, and which are strays.

One date with a wrong year must not make the data a year longer, and an offence of 1968 not fifty years.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from pipeline.domain.periods import months_between

__all__ = ["Body", "main_body"]

IMPROBABLE = 0.001  # an empty month is no quiet month if it has less than this chance, given the usual month
SPARSE_ROWS = 3  # a source with fewer rows in a usual month comes in bursts: only
SPARSE_MONTHS = 24  # two empty years part its runs
STRAY_SHARE = 0.02  # a run of months with at most this share of the rows may be strays,
FEW_ROWS, FEW_SHARE = 3, 0.1  # or with three rows, where those are at most a tenth of all
LATE_SHARE = 0.05  # more than this share of the rows is no slip: the source went on
NEAR_MONTHS = 3  # a run so near the body belongs to it if it has a tenth of the usual rows: a month was missing
NEAR_SHARE = 0.1
FAR_MONTHS = 120  # what lies ten empty years before the body is outside it, however many rows it has
THIN_SHARE = 0.05  # a first month with less than this share of a usual one is the tail of earlier offences


@dataclass(frozen=True, slots=True)
class Body:
    """Where most of a source's rows lie.

    Attributes
    ----------
    first, last
        Its first and last month (yyyymm).
    early, late
        Months with rows before and after it.
    usual
        Rows of a usual month: half of all rows lie in months with at least so many.
    """

    first: int
    last: int
    early: tuple[int, ...]
    late: tuple[int, ...]
    usual: int


def main_body(counts: Mapping[int, int], *, first_month: int | None = None, last_month: int | None = None) -> Body:
    """Find the months that a source's data cover, and the strays on both sides.

    The months with rows fall into runs, parted where so many months are empty that chance does not explain it. The
    body is the run with the most rows and every other run, except those with at most 2 % of the rows (or three rows)
    that lie more than three months away or have under a tenth of the usual rows, and those before ten empty years. What
    comes later and has more than 5 % of the rows in all belongs to it. Months at its beginning with under 5 % of the
    usual rows do not.

    Parameters
    ----------
    counts
        Rows by month (yyyymm).
    first_month, last_month
        Months that the configuration says the data cover: what lies between them is no stray.

    Examples
    --------
    >>> months = dict.fromkeys([*range(201801, 201813), *range(201901, 201913)], 30)
    >>> body = main_body({190001: 5, **months, 202101: 1})
    >>> (body.first, body.last, body.early, body.late)
    (201801, 201912, (190001,), (202101,))
    """
    months = sorted(m for m, n in counts.items() if n)
    usual = _usual([counts[m] for m in months])
    runs = _runs(months, usual=usual)
    total = sum(counts[m] for m in months)
    rows = [sum(counts[m] for m in run) for run in runs]
    main = max(range(len(runs)), key=lambda i: (rows[i], -i))
    first, last = main, main
    # Outwards from the largest run: what lies beyond a run that belongs to the body is judged by its distance to that.
    for i in range(main - 1, -1, -1):
        empty = _between(runs[i][-1], runs[first][0])
        if empty < FAR_MONTHS and _belongs(runs[i], rows[i], empty=empty, usual=usual, total=total):
            first = i
    for i in range(main + 1, len(runs)):
        if _belongs(runs[i], rows[i], empty=_between(runs[last][-1], runs[i][0]), usual=usual, total=total):
            last = i
    if sum(rows[last + 1 :]) > LATE_SHARE * total:
        last = len(runs) - 1
    held = [m for run in runs[first : last + 1] for m in run]
    thick = [m for m in held if not _improbable(usual) or counts[m] >= THIN_SHARE * usual]
    start, end = thick[0], held[-1]
    if first_month is not None:
        start = min([start, *(m for m in months if m >= first_month)])
    if last_month is not None:
        end = max([end, *(m for m in months if m <= last_month)])
    return Body(start, end, tuple(m for m in months if m < start), tuple(m for m in months if m > end), usual)


def _usual(counts: list[int]) -> int:
    """Weigh months by their rows, so that a hundred months with one old offence each do not make one row usual."""
    half, held = sum(counts) / 2, 0
    for count in sorted(counts, reverse=True):
        held += count
        if held >= half:
            return count
    raise ValueError("no month has a row")


def _improbable(expected: float) -> bool:
    return math.exp(-expected) < IMPROBABLE


def _runs(months: list[int], *, usual: int) -> list[list[int]]:
    runs = [[months[0]]]
    for before, month in pairwise(months):
        empty = _between(before, month)
        if _improbable(usual * empty) and (usual >= SPARSE_ROWS or empty >= SPARSE_MONTHS):
            runs.append([])
        runs[-1].append(month)
    return runs


def _between(before: int, after: int) -> int:
    """Count the months between two months."""
    return months_between(before, after) - 2


def _belongs(run: list[int], rows: int, *, empty: int, usual: int, total: int) -> bool:
    if rows > max(STRAY_SHARE * total, min(FEW_ROWS, FEW_SHARE * total)):
        return True
    return empty <= NEAR_MONTHS and rows >= NEAR_SHARE * usual * months_between(run[0], run[-1])
