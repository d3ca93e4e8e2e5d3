"""The history of an area as the lines of a chart: twelve months inside one recording system, and single windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.publish import findings
from pipeline.release.released import Break, PeriodInfo

__all__ = ["History", "history", "month_number", "tick_marks"]

History = Sequence[tuple[PeriodInfo, findings.Figure]]

_SHORT = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Lines:
    """Points of a chart; x is the number of the window's last month.

    Attributes
    ----------
    main
        Rate per 10,000 residents in twelve months, or in each window where windows are longer than a month.
        Counts instead of rates where no population is known.
    single
        Each month times twelve; empty where windows are longer.
    yearly
        Whether `main` sums twelve months.
    """

    main: tuple[tuple[float, float | None], ...]
    single: tuple[tuple[float, float | None], ...]
    yearly: bool


def month_number(day: str) -> int:
    """Count months from the year 0: "2025-07-31" and "2025-07" are the same."""
    return int(day[:4]) * 12 + int(day[5:7]) - 1


def history(
    windows: History, *, population: int | None, breaks: Sequence[Break], years: Mapping[int, int | None]
) -> Lines:
    """Make the lines of one area.

    Parameters
    ----------
    windows
        Complete windows of one length, oldest first, with their released figures.
    population
        Residents; None or 0 draws counts.
    breaks
        A sum across one is left out.
    years
        Last month to the released count of its twelve months, where one is released: it goes before the sum, from
        which rounding could make it differ.
    """
    starts = [month_number(b.month) for b in breaks]
    scale = 1e4 / population if population else 1.0
    counts = {month_number(p.end): f.incidents for p, f in windows}
    monthly = bool(windows) and all(p.days <= 31 for p, _ in windows)
    first, last = (min(counts), max(counts)) if counts else (0, -1)
    if not monthly:
        main = tuple(
            (
                float(month_number(p.end)),
                None
                if f.incidents is None or any(month_number(p.start) < b <= month_number(p.end) for b in starts)
                else f.incidents * scale,
            )
            for p, f in windows
        )
        return Lines(main, (), yearly=False)
    months = range(first, last + 1)
    single = tuple((float(m), None if (n := counts.get(m)) is None else n * 12 * scale) for m in months)
    if len(months) < 12:
        return Lines(single, (), yearly=False)
    main = tuple((float(m), _year(counts, m, starts, scale, years)) for m in months)
    return Lines(main, single, yearly=True)


def _year(
    counts: Mapping[int, int | None], last: int, breaks: Sequence[int], scale: float, years: Mapping[int, int | None]
) -> float | None:
    if any(last - 11 < b <= last for b in breaks):
        return None
    if last in years:
        total = years[last]
        return None if total is None else total * scale
    known = [n for m in range(last - 11, last + 1) if (n := counts.get(m)) is not None]
    return sum(known) * scale if len(known) == 12 else None


def tick_marks(first: int, last: int) -> tuple[tuple[float, str], ...]:
    """Label the time axis: the last month and the same month of earlier years, at most six."""
    step = 12 * max(1, -(-(last - first) // 60)) if last - first >= 12 else max(1, last - first)
    marks = range(last, first - 1, -step)
    return tuple((float(m), f"{_SHORT[m % 12]} {m // 12}") for m in reversed(marks))
