"""When new numbers are released, for which windows, and which releases are refused because of previous ones.

Release dates follow from the months of the data and from the month that fixed windows are counted from, never from a
clock: the same data give the same release on any day. Between two dates the numbers stay the same and pages are
rendered again from them, so that wording, licences and fixes still reach readers. On a release date, windows that were
already released keep their numbers, and only new windows get numbers from the data.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import geopandas as gpd
import pandas as pd

from pipeline.config import Config, Profile
from pipeline.domain.periods import Break, MissingMonths, Period, add_months, complete_span, months_between
from pipeline.domain.profile_windows import Windows, choose_windows, long_windows
from pipeline.errors import DisclosureError
from pipeline.release.earlier_releases import (
    AUDIENCES,
    LONG_SERIES,
    EarlierRelease,
    Kept,
    edition_of,
    other_edition,
)
from pipeline.release.linked_tables import counted
from pipeline.tables import Level, Measure

__all__ = [
    "Before",
    "Reissue",
    "calendar_of",
    "is_due",
    "joined_windows",
    "keep",
    "last_complete_month",
    "next_date",
    "sentences",
    "windows_of_release",
]

MONTHS = {"month": 1, "quarter": 3, "year": 12}
"""Length of a step of each calendar."""

_DEFAULT = {"partner": "quarter", "public": "year", "internal": "each_run"}

REISSUE_MONTHS = 12
"""Corrections are released at most once in this many months of data: each is a second version of the same counts."""

NEVER_HANDED_OVER = (
    "If no copy of that release was ever handed over, close its ledger: hotspots ledger forget --reason TEXT."
)
"""Ends every refusal because of an earlier release: somebody who only tried settings out has nobody to protect from."""

_SMALL = {Level.WARD.value, Level.WARD_GROUP.value}
_OF_WARDS = {*_SMALL, LONG_SERIES}
"""Series of windows whose numbers depend on the edition of the wards."""


@dataclass(frozen=True, slots=True)
class Reissue:
    """The profile whose numbers are to be corrected, and the reason."""

    profile: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """Previous releases of the same data.

    Attributes
    ----------
    releases
        Previous releases of the same data, oldest first; those of this run's closer audiences come last.
    forgotten
        Whether some were forgotten (`hotspots ledger forget`).
    reissue
        A requested correction, of this profile or another.
    """

    releases: tuple[EarlierRelease, ...] = ()
    forgotten: bool = False
    reissue: Reissue | None = None


def calendar_of(profile: Profile, *, synthetic: bool) -> str:
    """Return how often new numbers of a profile are released: `month`, `quarter`, `year` or `each_run`."""
    if profile.audience == "internal":
        return "each_run"
    return profile.release or ("each_run" if synthetic else _DEFAULT[profile.audience])


def _dates_passed(calendar: str, *, anchor: int, month: int) -> int:
    """Count the release dates from the anchor to a complete month; negative if the month is before the anchor."""
    return (months_between(anchor, month) - 1) // MONTHS[calendar]


def is_due(calendar: str, *, anchor: int, data_to: int, released_to: int | None) -> bool:
    """Return whether new numbers may be released.

    Parameters
    ----------
    calendar
        `month`, `quarter`, `year` or `each_run`.
    anchor
        Month (yyyymm) at whose end there is a release date; the other dates are whole steps before and after it.
    data_to
        Last complete month of the data.
    released_to
        The same for the last release of numbers; None if there was none.

    Examples
    --------
    Quarters counted from December: data up to March complete one, data up to February do not.

    >>> [is_due("quarter", anchor=202412, data_to=m, released_to=202412) for m in (202501, 202502, 202503)]
    [False, False, True]

    After a release with data up to January, the first quarter is still complete in March.

    >>> is_due("quarter", anchor=202412, data_to=202503, released_to=202501)
    True
    """
    if released_to is None or calendar == "each_run":
        return True
    now, then = (_dates_passed(calendar, anchor=anchor, month=m) for m in (data_to, released_to))
    return now > then


def next_date(calendar: str, *, anchor: int, released_to: int) -> int | None:
    """Return the month (yyyymm) that the data must reach for new numbers; None if every run may release some.

    >>> next_date("quarter", anchor=202412, released_to=202501), next_date("year", anchor=202412, released_to=202412)
    (202503, 202512)
    """
    if calendar == "each_run":
        return None
    return add_months(anchor, (_dates_passed(calendar, anchor=anchor, month=released_to) + 1) * MONTHS[calendar])


def last_complete_month(first_date: date, last_date: date) -> int:
    """Return the last month that the data covers completely (yyyymm), or the month of its last day if there is none."""
    span = complete_span(first_date=first_date, last_date=last_date)
    return span.last_month if span else last_date.year * 100 + last_date.month


# What a release must keep from previous releases.


def keep(before: Before, *, profile: Profile, config: Config, data_to: int) -> Kept:
    """Determine what a profile's release must keep, and whether new numbers may be released.

    Parameters
    ----------
    before
        Previous releases.
    profile, config
        Profile and configuration of the release.
    data_to
        Last complete month of the data, as yyyymm.

    Raises
    ------
    DisclosureError
        If the profile shows more than one released to its audience, its steps do not nest with those of another
        audience, the data is older than the last release, or a correction comes too soon.
    """
    releases, reissue, unknown = before.releases, before.reissue, before.forgotten
    stated = int(config.periods.anchor.replace("-", "")) if config.periods.anchor else None
    anchor = stated or (releases[0].anchor if releases else None)
    if profile.audience == "internal":
        return Kept(data_to=data_to, anchor=anchor, unknown=unknown)
    _require_nesting(releases, profile)
    own = [r for r in releases if (r.profile, r.audience) == (profile.name, profile.audience)]
    last = _together(own)
    if last is not None and data_to < last.data_to:
        raise DisclosureError(
            f'profile "{profile.name}": the data ends with {_month(data_to)}, but numbers with the data to '
            f"{_month(last.data_to)} have been released, and no release can go back in time. Provide later data, or "
            f"release under another profile name. {NEVER_HANDED_OVER} Nothing was written."
        )
    correcting = reissue is not None and reissue.profile == profile.name
    if correcting:
        _require_time(own, profile, data_to)
    calendar = calendar_of(profile, synthetic=config.run.synthetic)
    due = is_due(calendar, anchor=anchor or data_to, data_to=data_to, released_to=last.data_to if last else None)

    why = reissue.reason if correcting and reissue is not None else ""
    now = data_to if due or correcting or last is None else last.data_to
    counts = last.base_counts() if last is not None else Kept().counts
    bounds = [r.base_counts() for r in _by_closeness(releases)]
    hidden = [_not_offered(r) for r in _by_closeness(r for r in releases if _rank(r) > _rank_of(profile))]
    if correcting and last is not None:  # only numbers at borough level and above are released again
        counts, *bounds = (f[f["level"].isin(_SMALL)] for f in (counts, *bounds))
        hidden.append(_not_offered(last))
    return Kept(
        due=due,
        data_to=now,
        anchor=anchor,
        last=_in_steps_of(last, profile),
        counts=_widened(counts[counts["measure"].isin(counted(profile.measures))], profile.step, last),
        bounds=pd.concat(bounds, ignore_index=True) if bounds else Kept().bounds,
        not_below=pd.concat(hidden, ignore_index=True) if hidden else Kept().not_below,
        others=tuple(r for r in _by_closeness(releases) if (r.profile, r.audience) != (profile.name, profile.audience)),
        reissue=why,
        corrections=(*((r.data_to, r.reissue) for r in own if r.reissue), *([(now, why)] if why else [])),
        releases=sum(r.data_to < now for r in releases),
        unknown=unknown,
    )


def _month(month: int) -> str:
    return Period(month, month).label


def _rank(release: EarlierRelease) -> tuple[int, int]:
    """Order audiences from the public to the closest; within an audience, wider steps come first."""
    return AUDIENCES[release.audience], -release.step


def _rank_of(profile: Profile) -> tuple[int, int]:
    return AUDIENCES[profile.audience], -profile.step


def _by_closeness(given: Iterable[EarlierRelease]) -> list[EarlierRelease]:
    """Return the latest release of each profile, the closest audience last."""
    releases = list(given)
    profiles = {(r.profile, r.audience): None for r in releases}
    held = [_together([r for r in releases if (r.profile, r.audience) == key]) for key in profiles]
    return sorted((r for r in held if r is not None), key=_rank)


def _together(own: Sequence[EarlierRelease]) -> EarlierRelease | None:
    """Return the latest release of a profile, with every number and window that any of its releases showed."""
    if len(own) < 2:
        return own[0] if own else None
    key = ["area_code", "level", "period", "category", "measure"]
    counts = pd.concat([r.counts for r in own], ignore_index=True).drop_duplicates(key, keep="last", ignore_index=True)
    levels = dict.fromkeys(level for r in own for level in r.series)
    series = {
        level: tuple(sorted({p for r in own for p in r.series.get(level, ())}, key=Period.parse)) for level in levels
    }
    incomplete = tuple(sorted({p for r in own for p in r.incomplete}))
    return replace(own[-1], counts=counts, series=series, incomplete=incomplete)


def _widened(counts: pd.DataFrame, step: int, last: EarlierRelease | None) -> pd.DataFrame:
    """Convert released numbers to the wider steps of the current profile, including exact numbers of old releases.

    A rounded number of version 1 gets the step of its middle. Counts that were withheld are not offered, nor are counts
    without a location: together with steps they would complete the equation of an area's parts.
    """
    if last is None or step <= 1 or (last.version > 1 and last.step == step):
        return counts
    middle = (counts["lower"] + counts["upper"]) // 2 if last.version == 1 else counts["lower"]
    lower = (middle // step * step).mask(counts["measure"] == Measure.INCIDENTS_UNPLACED)
    return counts.assign(lower=lower, upper=lower + (step - 1))


def _in_steps_of(last: EarlierRelease | None, profile: Profile) -> EarlierRelease | None:
    """Return the last release without the parts of its window that were made by rules other than the current ones."""
    if last is None or (last.step, last.protection) == (profile.step, profile.protection):
        return last
    return replace(last, circumstances=None, detail={})


def _not_offered(release: EarlierRelease) -> pd.DataFrame:
    return release.counts[release.counts["lower"].isna()]


def _require_nesting(releases: Sequence[EarlierRelease], profile: Profile) -> None:
    """Refuse a profile with narrower steps than were promised, or with steps that do not nest with those of others."""
    mine = AUDIENCES[profile.audience]
    releases = [r for r in releases if r.version > 1]  # version 1 released exact numbers and promised no steps
    promised = min((r.step for r in releases if r.audience == profile.audience), default=profile.step)
    for release in releases:
        theirs = AUDIENCES[release.audience]
        if theirs == mine and profile.step < promised:
            raise DisclosureError(
                f'profile "{profile.name}" has steps of {profile.step}, but the {profile.audience} audience has '
                f"been promised steps of {release.step} (release {release.name}), and this cannot be taken back. "
                f"Set its threshold to {release.step} or a multiple. {NEVER_HANDED_OVER} Nothing was written."
            )
        wide, close = (profile.step, release.step) if mine < theirs else (release.step, profile.step)
        if theirs == mine:
            wide, close = max(wide, close), min(wide, close)
        if wide % close:
            raise DisclosureError(
                f'profile "{profile.name}" gives counts in steps of {profile.step}, which do not nest with the steps '
                f"of {release.step} of release {release.name}: readers of both would find narrower ranges. The step of "
                f"a wider audience must be a multiple of every closer one's. {NEVER_HANDED_OVER} Nothing was written."
            )


def _require_time(own: Sequence[EarlierRelease], profile: Profile, data_to: int) -> None:
    """Refuse a correction if nothing has been released, and a second one within a year of data."""
    if not own:
        raise DisclosureError(
            f'profile "{profile.name}" has released nothing yet, so there is nothing to reissue: run without '
            "--reissue. Nothing was written."
        )
    for release in own:
        if release.reissue and months_between(release.data_to, data_to) - 1 < REISSUE_MONTHS:
            again = add_months(release.data_to, REISSUE_MONTHS)
            raise DisclosureError(
                f'profile "{profile.name}": numbers were already corrected with the data to {_month(release.data_to)}. '
                f"Corrections are released once in {REISSUE_MONTHS} months of data, so that nobody can trace single "
                f"records: the next is possible with the data to {_month(again)}. Nothing was written."
            )


# The windows of a release.


def windows_of_release(
    profile: Profile,
    config: Config,
    *,
    kept: Kept,
    areas: gpd.GeoDataFrame,
    span: tuple[date, date],
    lacking: MissingMonths,
) -> Windows:
    """Choose the windows of a profile: those already released, and on a release date those that the data completes.

    Parameters
    ----------
    profile, config
        Profile and configuration of the release.
    kept
        What it must keep.
    areas
        Table `areas` of the whole place.
    span
        First and last day of the data.
    lacking
        Months in between that are missing from a source.

    Raises
    ------
    DisclosureError
        If a new window overlaps a released one, or wards have different boundaries than in a released window.
    """
    first, last = span
    if not kept.due and kept.last is not None:
        last = min(last, Period(kept.last.data_to, kept.last.data_to).end)
    edition = edition_of(areas)
    out = kept.windows if profile.audience != "internal" else {}
    if kept.last is not None and kept.due and other_edition(kept.last.edition, edition):
        # Numbers of wards with other boundaries stay in the earlier folders; boroughs keep their series.
        out = {level: windows for level, windows in out.items() if level not in _OF_WARDS}
    starts = [windows[0].start for windows in out.values() if windows]
    chosen = choose_windows(
        profile,
        config.periods,
        first_date=min([first, *starts]),
        last_date=last,
        compare=config.change.compare,
        lacking=lacking,
        anchor=kept.anchor,
        released=Period.parse(kept.last.headline) if kept.last is not None and out.get(Level.WARD) else None,
    )
    if profile.audience == "internal":
        return chosen
    # Windows that the data covers only in part (also those before an extract that was cut to its last months) are shown
    # only if they were already released: their numbers could never be changed.
    series = {}
    for level, own in chosen.series.items():
        released = set(out.get(level, ()))
        series[level] = tuple(sorted({p for p in own if p.start >= first and p.end <= last} | released)) or own
    as_released = _as_released(kept.last)
    windows = chosen.with_series(series, as_released=as_released)
    releases = (*kept.others, *([kept.last] if kept.last is not None else []))
    long = joined_windows(windows, config, releases, edition=edition)
    released_long = set(out.get(LONG_SERIES, ()))
    windows = replace(
        windows, long=tuple(p for p in long if (p.start >= first and p.end <= last) or p in released_long)
    )
    _require_apart(windows, kept=kept, edition=edition, profile=profile)
    if kept.due or kept.last is None:
        return windows
    if chosen.headline.id != kept.last.headline:
        raise DisclosureError(
            f'profile "{profile.name}" would have the main window {chosen.headline.id}, but released '
            f"{kept.last.headline}, and new numbers are not due yet. Set periods.headline and periods.months as they "
            f"were, or wait for the date that the pages name. {NEVER_HANDED_OVER} Nothing was written."
        )
    as_before = chosen.with_series({level: out.get(level, ()) for level in series}, as_released=as_released)
    return replace(as_before, long=out.get(LONG_SERIES, ()))


def joined_windows(
    windows: Windows, config: Config, releases: Sequence[EarlierRelease], *, edition: Mapping[str, str]
) -> tuple[Period, ...]:
    """Return the longer windows of groups of wards: those released for these wards, and those that follow.

    Parameters
    ----------
    windows
        Windows of a release; only those that the data covers completely are joined.
    config
        Configuration, for the breaks between recording systems.
    releases
        Previous releases of all profiles: they share one series of longer windows.
    edition
        Today's wards (see `edition_of`).
    """
    kept = {
        Period.parse(p)
        for release in releases
        if not other_edition(release.edition, edition)
        for p in release.series.get(LONG_SERIES, ())
    }
    breaks = () if config.periods.ignore_breaks else config.periods.breaks
    return long_windows(
        # Windows of days, which only internal has, are not joined.
        [p for p in windows.series[Level.WARD] if p.whole_months and not windows.partial(p)],
        kept=kept,
        breaks=[Break(int(b.month.replace("-", "")), b.text) for b in breaks],
    )


def _as_released(last: EarlierRelease | None) -> dict[Period, bool]:
    """Return the released windows, and whether the data covered each of them completely."""
    if last is None:
        return {}
    every = {p for periods in last.series.values() for p in periods} | {last.headline}
    return {Period.parse(p): p not in last.incomplete for p in every}


def _require_apart(windows: Windows, *, kept: Kept, edition: Mapping[str, str], profile: Profile) -> None:
    """Refuse a window that overlaps a released window of the same level without being equal to it.

    Two such windows, or the same window with different wards, would disclose the counts that only one of them contains.
    """
    for release in (*kept.others, *([kept.last] if kept.last is not None else [])):
        for level, periods in release.series.items():
            changed = level in _OF_WARDS and other_edition(release.edition, edition)
            there = {Period.parse(p) for p in periods}
            for window in {**windows.series, LONG_SERIES: windows.long}.get(level, ()):
                clash = next((p for p in sorted(there) if p.overlaps(window)), None)
                if clash is None or (window in there and not changed):
                    continue
                what = (
                    f"wards had other boundaries in the window {clash.id} ({clash.label})"
                    if changed
                    else f"it overlaps the window {clash.id} ({clash.label})"
                )
                way = (
                    "Provide the boundaries of that edition, or set periods.first_month to the month after it"
                    if changed
                    else "Keep the windows of that release (periods.anchor, periods.months, ward_period, "
                    "borough_period), or begin after it (periods.first_month)"
                )
                raise DisclosureError(
                    f'profile "{profile.name}" would show the window {window.id} ({window.label}) at {level} level, '
                    f"but {what}, which has been released (release {release.name}): subtraction would disclose counts. "
                    f"{way}. {NEVER_HANDED_OVER} Nothing was written."
                )


# What pages say about it.


def sentences(kept: Kept, *, calendar: str, windows: Windows, labels: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    """Return the sentences for pages on what was kept, when new numbers are due, and what was corrected.

    Parameters
    ----------
    kept
        What the release keeps.
    calendar
        How often new numbers are released.
    windows
        Its windows.
    labels
        What areas of each level are called, one and many.
    """
    found = []
    anchor = kept.anchor or kept.data_to
    if not kept.due and kept.last is not None:
        coming = next_date(calendar, anchor=anchor, released_to=kept.last.data_to)
        then = f" New numbers come with the data to {_month(coming)}." if coming else ""
        found.append(f"Numbers are those released with the data to {_month(kept.last.data_to)}.{then}")
    elif kept.last is not None and kept.last.data_to < kept.data_to:
        found.append("Periods released before keep their numbers: records that came later are not in them.")
    found += [
        f"Numbers of {labels[Level.BOROUGH][1]} and larger areas were corrected with the data to {_month(month)}: {why}"
        for month, why in kept.corrections
    ]
    if kept.last is not None and kept.due:
        shown = {p for periods in windows.series.values() for p in periods} | set(windows.long)
        lost = [p for periods in kept.windows.values() for p in periods if p not in shown]
        if lost:
            wards = labels[Level.WARD][1]
            found.append(
                f"Numbers of {wards} up to {_month(max(p.last_month for p in lost))} are in earlier releases: {wards} "
                "had other borders then."
            )
    return tuple(found)
