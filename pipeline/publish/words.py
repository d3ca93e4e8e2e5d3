"""How numbers, periods, and the counters and choices of a run are written for readers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "NOT_AUDITED",
    "NOT_OFFERED",
    "SYNTHETIC",
    "about_signed",
    "capital",
    "choice_name",
    "count_text",
    "counted",
    "counted_range",
    "counters_text",
    "in_period",
    "listed",
    "month_name",
    "named_period",
    "ordinal",
    "protection_sentence",
    "rate_range_text",
    "rate_text",
    "share_range_text",
    "share_text",
    "signed",
    "small",
    "steps_sentence",
    "times_range_words",
    "times_words",
    "whole",
]

NOT_AUDITED = "Not audited: do not publish"
NOT_OFFERED = "not offered"
"""What stands in place of a count, or of a figure made from it, that a release does not give."""
SYNTHETIC = "Synthetic data: these incidents are made up and say nothing about real places."

_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def half_up(value: float) -> int:
    """Round to the nearest whole number, halves away from zero, as readers do.

    >>> half_up(2.5), half_up(-2.5), half_up(0.49)
    (3, -3, 0)
    """
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def whole(number: float) -> str:
    """Write a count.

    >>> whole(10572)
    '10,572'
    """
    return f"{half_up(number):,}".replace("-", "\u2212")


def count_text(lower: float, upper: float) -> str:
    """Write a count by the range that it lies in: the number itself where it is known.

    >>> count_text(20, 29), count_text(0, 9), count_text(1230, 1230), count_text(0, 0)
    ('20 to 29', 'fewer than 10', '1,230', '0')
    """
    if lower == upper:
        return whole(lower)
    return f"fewer than {whole(upper + 1)}" if lower == 0 else f"{whole(lower)} to {whole(upper)}"


def steps_sentence(step: int) -> str:
    """Say on every page how counts are given.

    >>> steps_sentence(10)
    'Counts, totals too, are given in steps of 10, each by itself, so that subtraction gives nothing.'
    """
    return f"Counts, totals too, are given in steps of {step}, each by itself, so that subtraction gives nothing."


def protection_sentence(mechanism: str, *, step: int = 1, threshold: int = 0, noise_reach: int = 0) -> str:
    """Say on every page of a released profile how its counts are protected; empty where nothing is.

    Parameters
    ----------
    mechanism
        `exact`, `steps`, `suppress` or `noise`.
    step
        Width of the steps.
    threshold
        Least count that `suppress` and `noise` show.
    noise_reach
        Most that noise adds to a count or takes from it.

    Examples
    --------
    >>> protection_sentence("exact"), protection_sentence("steps", step=5)[:49]
    ('', 'Counts, totals too, are given in steps of 5, each')
    """
    match mechanism:
        case "steps":
            return steps_sentence(step)
        case "suppress":
            return (
                f"Counts under {threshold}, and others from which these could be worked out, are not offered; "
                "every count shown is exact."
            )
        case "noise":
            return (
                f"Counts, totals too, carry random noise of at most {noise_reach} either way and are given as the "
                "range that the true number lies in; parts need not add up to totals."
            )
        case _:
            return ""


def counted_range(lower: float, upper: float, noun: str) -> str:
    """Write a count that lies in a range, with what is counted.

    >>> counted_range(20, 29, "offences"), counted_range(0, 9, "offences"), counted_range(1, 1, "offences")
    ('20 to 29 offences', 'fewer than 10 offences', '1 offence')
    """
    return counted(int(lower), noun) if lower == upper else f"{count_text(lower, upper)} {noun}"


def rate_text(value: float) -> str:
    """Write a rate: one decimal under 10, none above.

    >>> rate_text(9.94), rate_text(9.96), rate_text(84.2), rate_text(0.0)
    ('9.9', '10', '84', '0')
    """
    if value == 0:
        return "0"
    return f"{value:.1f}" if value < 9.95 else whole(value)


def rate_range_text(low: float, high: float) -> str:
    """Write a rate that lies in a range: one number where both ends read alike.

    >>> rate_range_text(59.2, 59.4), rate_range_text(9.2, 11.3)
    ('59', '9.2 to 11')
    """
    texts = rate_text(low), rate_text(high)
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)


def share_text(share: float) -> str:
    """Write a share between 0 and 1 in per cent; what is neither nothing nor everything never looks like it.

    >>> share_text(0.16), share_text(0.001), share_text(0.999)
    ('16%', 'under 1%', 'over 99%')
    """
    pct = half_up(share * 100)
    if pct == 0 and share > 0:
        return "under 1%"
    if pct == 100 and share < 1:
        return "over 99%"
    return f"{pct}%"


def share_range_text(low: float, high: float) -> str:
    """Write a share that lies in a range: one number where both ends read alike.

    >>> share_range_text(0.131, 0.146), share_range_text(0.153, 0.148), share_range_text(0.0, 0.034)
    ('13% to 15%', '15%', 'at most 3%')
    >>> share_range_text(0.97, 1.0), share_range_text(0.996, 0.999), share_range_text(0.0, 1.0)
    ('at least 97%', 'over 99%', 'any share')
    """
    texts = share_text(low), share_text(high)
    if texts[0] == texts[1]:
        return texts[0]
    # A range that ends at nothing or at everything has one end that says something.
    nothing, everything = low < 0.005, high > 0.995
    if nothing and everything:
        return "any share"
    if nothing:
        return f"at most {texts[1]}"
    return f"at least {texts[0]}" if everything else " to ".join(texts)


def signed(change_pct: float) -> str:
    """Write a change in per cent with its sign.

    >>> signed(-24.4), signed(17.0), signed(0.2)
    ('−24%', '+17%', '0%')
    """
    pct = half_up(change_pct)
    return f"{'+' if pct > 0 else chr(0x2212) if pct < 0 else ''}{abs(pct):,}%"


def about_signed(change_pct: float, *, exact: bool) -> str:
    """Write the size of a change: "about" where it comes from the middles of steps.

    >>> about_signed(17.0, exact=False), about_signed(-24.4, exact=True)
    ('about +17%', '−24%')
    """
    return signed(change_pct) if exact else f"about {signed(change_pct)}"


def small(number: int) -> str:
    """Write a whole number, in letters under ten.

    >>> small(3), small(18)
    ('three', '18')
    """
    return _SMALL[number] if 0 <= number < len(_SMALL) else whole(number)


def ordinal(number: int) -> str:
    """Write a place in an order.

    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 32)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '32nd']
    """
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def listed(names: Sequence[str]) -> str:
    """Join names.

    >>> listed(["A", "B", "C"]), listed(["A"])
    ('A, B and C', 'A')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def counted(number: int, noun: str) -> str:
    """Write a count with what is counted, in the singular for one.

    >>> counted(1719, "hate crimes"), counted(1, "hate crimes"), counted(0, "offences")
    ('1,719 hate crimes', '1 hate crime', 'no offences')
    """
    one = number == 1 and noun.endswith("s") and not noun.endswith("ss")
    return f"{whole(number) if number else 'no'} {noun[:-1] if one else noun}"


def capital(text: str) -> str:
    """Begin with a capital letter, and leave the rest as it is."""
    return text[:1].upper() + text[1:]


def named_period(label: str) -> str:
    """Name a period inside a sentence: with an article where its label wants one. Maps and briefings both ask here.

    >>> named_period("12 months to July 2025"), named_period("financial year 2024/25")
    ('the 12 months to July 2025', 'the financial year 2024/25')
    >>> named_period("2024"), named_period("Q2 2024"), named_period("July 2025")
    ('2024', 'Q2 2024', 'July 2025')
    """
    return f"the {label}" if " months to " in label or label.startswith("financial") else label


def in_period(label: str) -> str:
    """Say when, by a period's label.

    >>> in_period("12 months to July 2025"), in_period("2024")
    ('in the 12 months to July 2025', 'in 2024')
    """
    return f"in {named_period(label)}"


def month_name(month: str) -> str:
    """Name a month or day given in ISO.

    >>> month_name("2024-03"), month_name("2024-07-30")
    ('March 2024', '30 July 2024')
    """
    year, number, *day = month.split("-")
    named = f"{_MONTHS[int(number) - 1]} {year}"
    return f"{int(day[0])} {named}" if day else named


def times_words(ratio: float, place: str) -> str:
    """Compare a rate with that of the whole region.

    Parameters
    ----------
    ratio
        Rate over the region's rate.
    place
        Name of the region.

    Examples
    --------
    >>> [times_words(r, "London") for r in (3.5, 2.04, 1.3, 1.05, 0.6)]  # doctest: +NORMALIZE_WHITESPACE
    ['about 3½ times the London rate', 'about 2 times the London rate', '30% above the London rate',
     'close to the London rate', '40% below the London rate']
    """
    if ratio >= 1.95:
        near = f"{half_up(ratio * 2) / 2:g}".replace(".5", "½") if ratio < 4.75 else whole(ratio)
        return f"about {near} times the {place} rate"
    if ratio >= 1.1:
        return f"{half_up((ratio - 1) * 100)}% above the {place} rate"
    if ratio > 0.9:
        return f"close to the {place} rate"
    return f"{half_up((1 - ratio) * 100)}% below the {place} rate"


def times_range_words(low: float, high: float, place: str) -> str:
    """Compare a rate that lies in a range with that of the whole region: only what holds for all of the range.

    Examples
    --------
    >>> times_range_words(2.04, 2.1, "London"), times_range_words(2.9, 3.6, "London")
    ('about 2 times the London rate', 'about 3 to 3½ times the London rate')
    >>> times_range_words(1.2, 1.3, "London"), times_range_words(0.5, 0.6, "London")
    ('20% to 30% above the London rate', '40% to 50% below the London rate')
    >>> times_range_words(1.05, 1.2, "London"), times_range_words(0.8, 0.95, "London")
    ('close to the London rate or up to 20% above it', 'close to the London rate or up to 20% below it')
    >>> times_range_words(1.36, 2.69, "London"), times_range_words(0.8, 1.2, "London")
    ('1.4 to 2.7 times the London rate', 'somewhere between 20% below and 20% above the London rate')
    """
    ends = times_words(low, place), times_words(high, place)
    above, below = f"{half_up((high - 1) * 100)}%", f"{half_up((1 - low) * 100)}%"
    if ends[0] == ends[1]:
        wording = ends[0]
    elif low >= 1.95:
        first, last = (end.removeprefix("about ").partition(" ")[0] for end in ends)
        wording = f"about {first} to {last} times the {place} rate"
    elif low >= 1.1 and high >= 1.95:
        # From here on people think in times, not in per cent.
        wording = f"{low:.1f} to {high:.1f} times the {place} rate"
    elif low >= 1.1:
        wording = f"{half_up((low - 1) * 100)}% to {above} above the {place} rate"
    elif high <= 0.9:
        wording = f"{half_up((1 - high) * 100)}% to {below} below the {place} rate"
    elif low > 0.9:
        wording = f"close to the {place} rate or up to {above} above it"
    elif high < 1.1:
        wording = f"close to the {place} rate or up to {below} below it"
    else:
        wording = f"somewhere between {below} below and {above} above the {place} rate"
    return wording


# Counters and choices of a run's record: manifest.json keeps short keys for programs; people read these.

# Counter: the words for one and for any other number, in the order in which they are listed.
_COUNTERS = {
    "wards": ("ward", "wards"),
    "boroughs": ("borough", "boroughs"),
    "rows": ("row read", "rows read"),
    "incidents": ("incident kept", "incidents kept"),
    "quarantined": ("row refused", "rows refused"),
    "duplicates": ("duplicate dropped", "duplicates dropped"),
    "merged": ("row merged with another of its id", "rows merged with others of their id"),
    "replaced": ("row replaced by a later file", "rows replaced by later files"),
    "left_out_by_where": ("row left out by `where`", "rows left out by `where`"),
    "files_read": ("file read", "files read"),
    "files_taken_over": ("reused", "reused"),
    "parts_counted": ("file counted", "files counted"),
    "parts_taken_over": ("count reused", "counts reused"),
    "area_months": ("count by area, month and category", "counts by area, month and category"),
    "locations": ("distinct point", "distinct points"),
    "hotspots": ("hotspot", "hotspots"),
    "cells": ("grid cell tested", "grid cells tested"),
    "scan_clusters": ("cluster in space and time", "clusters in space and time"),
    "scan_alerts": ("alert", "alerts"),
    "profiles": ("profile released", "profiles released"),
    "folders": ("folder written", "folders written"),
}
_CHOICES = {
    "area_index_cell_m": "cell of the area index, m",
    "snap_m": "points given to the nearest area within, m",
    "data_from": "data from",
    "data_complete_to": "data complete to",
    "quiet_months": "months without a row that count as 0",
    "missing_months": "months that are missing",
    "incomplete_months": "months that are incomplete",
    "bandwidth_m": "bandwidth of the density, m",
    "bandwidth_reason": "why this bandwidth",
    "bandwidth_ladder": "bandwidths tried",
    "eps_m": "reach of a cluster, m",
    "eps_reason": "why this reach",
    "eps_curve": "reaches tried",
    "min_samples": "fewest incidents around a core of a cluster",
    "emerging": "emerging hot spots",
    "scan": "space-time scan",
    "reading_encoding": "text encoding of the files",
    "reading_delimiter": "column separator of the files",
    "reading_coordinates": "coordinates used",
    "reading_operation": "transformation of coordinates",
    "reading_dates": "date format",
    "relations_dropped": "relations of categories that the data violates",
    "withheld per primary": "withheld counts for each that had to be",
}


def counters_text(counters: Mapping[str, Any]) -> str:
    """Write a stage's counters for people.

    Parameters
    ----------
    counters
        As in manifest.json; a name may end in what it was counted in: `hotspots 2024-01..2024-12`.
    """
    order = list(_COUNTERS)
    wording = []
    for name in sorted(counters, key=lambda n: order.index(k) if (k := n.partition(" ")[0]) in order else len(order)):
        value = counters[name]
        kind, _, of = name.partition(" ")
        if name == "boundaries_taken_over":
            wording.append("boundaries reused" if value else "boundaries read")
        elif kind in _COUNTERS and isinstance(value, int):
            one, many = _COUNTERS[kind]
            wording.append(f"{value:,} {one if value == 1 else many}" + (f" ({of})" if of else ""))
        elif not isinstance(value, Mapping):
            wording.append(f"{name.replace('_', ' ')}: {value}")
    return ", ".join(wording)


def choice_name(key: str) -> str:
    """Return the words for a choice; its key may end in what it was chosen for: `eps_m 2024-01..2024-12`."""
    for name, words in _CHOICES.items():
        if key == name:
            return words
        if key.startswith(f"{name} "):
            return f"{words} ({key.removeprefix(name).strip()})"
    return key.replace("_", " ")
