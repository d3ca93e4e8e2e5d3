"""The windows of a profile: those that readers step through at each level, and the headline.

A release can be compared with previous ones. Windows of smaller areas therefore never overlap outside internal (the
difference of two overlapping windows is the count of the months that only one of them contains), and they are counted
from a fixed month, so that next month's release does not move them. A missing month does not move them either: the
windows that contain it stay the same and are incomplete. Windows of days are for internal alone.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from pipeline.config import Periods, Profile
from pipeline.domain.periods import (
    Break,
    MissingMonths,
    Period,
    WindowKind,
    add_months,
    breaks_within,
    complete_span,
    earlier_window,
    headline,
    is_partial,
    latest_fixed,
    month_of,
    windows,
    without_overlap,
)
from pipeline.domain.short_windows import DAYS_OF, short_windows, whole_short_windows
from pipeline.errors import ConfigError
from pipeline.tables import Level

__all__ = ["Windows", "choose_windows", "long_windows"]


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows by level, oldest first; `earlier` is the comparison window of the headline, if the data reach that far.

    `series` is the sequence of windows that readers step through at each level; `by_level` also includes those of
    smaller areas, so that every ward count appears together with its borough's. `lacking` are the missing months, which
    make every window that contains them incomplete; `anchor` is the month from which fixed windows are counted;
    `as_released` states for each released window whether the data covered it completely at the time. `stand_in` is what
    changes are read from where a break of the series divides the headline and `earlier`: the latest shorter window of
    the wards inside the headline, and what it is compared with, both on one side of every break.
    `long` are the windows of categories that are too rare for those of their level (see `long_windows`).
    """

    headline: Period
    earlier: Period | None
    series: dict[str, tuple[Period, ...]]
    by_level: dict[str, tuple[Period, ...]]
    first_date: date
    last_date: date
    lacking: MissingMonths = field(default_factory=MissingMonths)
    anchor: int = 0
    as_released: Mapping[Period, bool] = field(default_factory=dict)
    stand_in: tuple[Period, Period] | None = None
    long: tuple[Period, ...] = ()

    def with_series(self, series: Mapping[str, tuple[Period, ...]], *, as_released: Mapping[Period, bool]) -> "Windows":
        """Return the windows of a release with other series, some of whose windows have been released."""
        by_level = {
            level: tuple(sorted(given if level == Level.WARD else {*given, *series[Level.WARD]}))
            for level, given in series.items()
        }
        wards = series[Level.WARD]
        earlier = self.earlier if self.earlier in wards else None
        stand_in = self.stand_in if self.stand_in and set(self.stand_in) <= set(wards) else None
        return replace(
            self, series=dict(series), by_level=by_level, earlier=earlier, as_released=as_released, stand_in=stand_in
        )

    def all_of(self, level: str) -> tuple[Period, ...]:
        """Return the windows of a level including the headline and the earlier window, oldest first."""
        extra = [p for p in (self.headline, self.earlier) if p is not None]
        return tuple(sorted({*self.by_level[level], *extra}))

    def partial(self, period: Period) -> bool:
        """Whether the data covers the window only in part, or did so when it was released."""
        if period in self.as_released:
            return not self.as_released[period]
        return is_partial(
            period,
            first_date=self.first_date,
            last_date=self.last_date,
            missing=self.lacking.months,
            missing_days=self.lacking.days,
        )

    @property
    def shown(self) -> tuple[Period, ...]:
        """Every window of any level, oldest first."""
        return tuple(sorted({p for level in self.by_level for p in self.all_of(level)}))


LONG_MONTHS = 24
"""Length of a longer window at most: a number that covers more years says little of any of them."""


def long_windows(
    series: Sequence[Period], *, kept: Collection[Period] = (), breaks: Iterable[Break] = ()
) -> tuple[Period, ...]:
    """Join every two neighbouring windows of a series, for categories that are too rare for one of them.

    The pairs are counted back from the latest window. Once some have been released, later windows are joined from there
    on, so that two longer windows never overlap. Windows of two recording systems are not joined.

    Parameters
    ----------
    series
        Windows that the data covers completely, oldest first.
    kept
        Longer windows that have been released.
    breaks
        Breaks between recording systems.

    Examples
    --------
    >>> years = [Period.parse(p) for p in ("2021-01..2021-12", "2022-01..2022-12", "2023-01..2023-12")]
    >>> [p.id for p in long_windows(years)]
    ['2022-01..2023-12']
    >>> [p.id for p in long_windows(years, kept=[Period.parse("2020-01..2021-12")])]
    ['2020-01..2021-12', '2022-01..2023-12']
    """
    declared, last = list(breaks), max((p.last_month for p in kept), default=0)
    free = [p for p in sorted(series) if p.first_month > last]
    if not kept:
        free.reverse()
    found, at = list(kept), 0
    while at + 1 < len(free):
        one, two = sorted(free[at : at + 2])
        whole = Period(one.first_month, two.last_month)
        neighbours = add_months(one.last_month, 1) == two.first_month and whole.months <= LONG_MONTHS
        alike = not breaks_within(whole.first_month, whole.last_month, declared)
        if neighbours and alike:
            found.append(whole)
        # Windows that cannot be joined with the next one are left over.
        at += 2 if neighbours and alike else 1
    return tuple(sorted(found))


def choose_windows(
    profile: Profile,
    periods: Periods,
    *,
    first_date: date,
    last_date: date,
    compare: str,
    lacking: MissingMonths | None = None,
    anchor: int | None = None,
    released: Period | None = None,
) -> Windows:
    """Choose the windows of one profile.

    Fixed windows are counted from `periods.anchor`, otherwise from `anchor` (of previous releases), otherwise from the
    first month of the data, so that a later month does not move them. Outside internal, ward windows never overlap.
    `released` is the main window of the last release: it stays until the data completes another.

    Raises
    ------
    ConfigError
        If the stated headline lies outside the data.
    InputError
        If not one month is complete.
    """
    first, last = month_of(first_date), month_of(last_date)
    anchor = int(periods.anchor.replace("-", "")) if periods.anchor else anchor
    if anchor is None:
        span = complete_span(first_date=first_date, last_date=last_date)
        anchor = add_months(first, periods.months - 1)
        # If the data are shorter than a window, the main window ends with the data, and the next one must begin after
        # it.
        anchor = span.last_month if span and span.last_month < anchor and profile.audience != "internal" else anchor
    main = _headline(profile, periods, first_date=first_date, last_date=last_date, anchor=anchor, released=released)
    series: dict[str, tuple[Period, ...]] = {}
    # The series of each level. Region and borough have the same kind of window, so that they can be compared.
    for level, chosen in (
        (Level.REGION, profile.borough_period),
        (Level.BOROUGH, profile.borough_period),
        (Level.WARD, profile.ward_period),
    ):
        if chosen in DAYS_OF:
            if profile.audience != "internal":
                raise ConfigError(
                    f'profile "{profile.name}": {chosen} windows are shorter than a month, for internal only'
                )
            day = date.fromisoformat(periods.anchor_day) if periods.anchor_day else None
            most, every = periods.short_windows, short_windows(chosen, first=first_date, last=last_date, anchor=day)
            inside = whole_short_windows(chosen, first_date=first_date, last_date=last_date, most=most, anchor=day)
            series[level] = inside or every[-1:]
            continue
        kind = WindowKind(chosen)
        if kind == WindowKind.ROLLING:
            every = windows(kind, first=first, last=main.last_month, months=main.months)
            given = tuple(sorted(every[::-1][:: periods.rolling_step_months]))
        else:
            every = windows(
                kind,
                first=first,
                last=last,
                months=periods.months,
                anchor=anchor,
                financial_year_from=periods.financial_year_from,
            )
            complete = tuple(p for p in every if not is_partial(p, first_date=first_date, last_date=last_date))
            given = complete or every[-1:]
        # Wards outside internal: the headline, and of the other windows those that overlap neither it nor each other.
        if level == Level.WARD and profile.audience != "internal":
            given = without_overlap([p for p in given if p == main or not p.overlaps(main)] + [main])
        series[level] = given
    # The headline is compared with the same months a year earlier (to remove seasons) unless the two would overlap.
    # Outside internal the earlier window must belong to the wards' series, which is released anyway.
    earlier = earlier_window(main, basis="previous" if compare == "previous" or main.over_a_year else "year_before")
    lacking = lacking or MissingMonths()
    # With a comparison to the window before, shorter windows answer another question than the headline.
    divided = () if periods.ignore_breaks or compare == "previous" else periods.breaks
    stand_in = _stand_in(
        series[Level.WARD],
        # The data owner gets the latest calendar quarter, whatever windows were chosen; other readers only windows that
        # are shown anyway, because every further window of a ward is one more number about few people.
        windows(WindowKind.QUARTER, first=first, last=main.last_month) if profile.audience == "internal" else (),
        main=main,
        earlier=earlier,
        breaks=[Break(int(b.month.replace("-", "")), b.text) for b in divided],
        whole=lambda p: not is_partial(p, first_date=first_date, last_date=last_date, missing=lacking.months),
    )
    series[Level.WARD] = tuple(sorted({*series[Level.WARD], *(stand_in or ())}))
    # A released window is the sum of the windows of its level's series, never a separate count. If these do not add up
    # to the wards' windows (calendar quarters, for example), the wards' windows are the series.
    if profile.audience != "internal":
        for level in (Level.REGION, Level.BOROUGH):
            if not all(window.made_of(series[level]) for window in series[Level.WARD]):
                series[level] = series[Level.WARD]
        series[Level.WARD_GROUP] = series[Level.WARD]  # a category moves from wards to groups with its windows
    by_level = {
        level: tuple(sorted(given if level == Level.WARD else {*given, *series[Level.WARD]}))
        for level, given in series.items()
    }
    known = not is_partial(earlier, first_date=first_date, last_date=last_date)
    allowed = known and (profile.audience == "internal" or earlier in series[Level.WARD])
    return Windows(
        main,
        earlier if allowed else None,
        series,
        by_level,
        first_date,
        last_date,
        lacking,
        anchor,
        stand_in=stand_in,
    )


def _stand_in(
    shown: Collection[Period],
    further: Iterable[Period],
    *,
    main: Period,
    earlier: Period,
    breaks: Collection[Break],
    whole: Callable[[Period], bool],
) -> tuple[Period, Period] | None:
    """Return the latest comparable shorter window inside the headline, where a break makes the headline incomparable.

    Which window that is follows from the calendar and the breaks alone, never from the counts: nobody can choose the
    window with the largest change. `further` windows may be added to those shown, and are preferred.
    """
    if not breaks_within(earlier.first_month, main.last_month, breaks):
        return None
    for candidates, added in ((further, True), (shown, False)):
        shorter = [
            p
            for p in candidates
            if p.whole_months and p.months < min(main.months, 13) and p.first_month >= main.first_month
        ]
        for later in sorted(shorter, key=lambda p: (p.last_month, p.months), reverse=True):
            before = earlier_window(later, basis="year_before")
            there = added or before in shown
            inside = later.last_month <= main.last_month and whole(later) and whole(before)
            if there and inside and not breaks_within(before.first_month, later.last_month, breaks):
                return later, before
    return None


def _headline(
    profile: Profile, periods: Periods, *, first_date: date, last_date: date, anchor: int, released: Period | None
) -> Period:
    if periods.headline != "latest":
        stated = Period.parse(periods.headline)
        if not stated.whole_months:
            raise ConfigError(
                f"periods.headline is {stated.id}, a window of days: rates, hotspots and density are of whole months. "
                "Choose a window such as 2024-08..2025-07, or `latest`, and windows of days in borough_period"
            )
        if is_partial(stated, first_date=first_date, last_date=last_date):
            raise ConfigError(
                f"periods.headline is {stated.id}, but the data covers {first_date} to {last_date}: "
                "choose a window inside, or `latest`"
            )
        return stated
    if profile.audience != "internal":
        fixed = latest_fixed(first_date=first_date, last_date=last_date, months=periods.months, anchor=anchor)
        chosen = fixed or released
        if chosen is not None:
            return chosen
    return headline(first_date=first_date, last_date=last_date, months=periods.months)
