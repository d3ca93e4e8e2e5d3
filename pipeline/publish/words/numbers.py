"""How counts, rates, shares, changes and periods are written for readers."""

import math
from collections.abc import Sequence

from pipeline.publish.words.catalogue import say

__all__ = [
    "about_signed",
    "capital",
    "count_text",
    "counted",
    "counted_range",
    "half_up",
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
    return _separated(f"{half_up(number):,}")


def _separated(written: str) -> str:
    """Put the language's separators and minus sign into a number that Python has written."""
    return written.replace(",", say("number.thousands")).replace("-", say("number.minus"))


def count_text(lower: float, upper: float) -> str:
    """Write a count by the range that it lies in: the number itself where it is known.

    >>> count_text(20, 29), count_text(0, 9), count_text(1230, 1230), count_text(0, 0)
    ('20 to 29', 'fewer than 10', '1,230', '0')
    """
    if lower == upper:
        return whole(lower)
    if lower == 0:
        return say("number.fewer_than", limit=whole(upper + 1))
    return say("number.range", low=whole(lower), high=whole(upper))


def steps_sentence(step: int) -> str:
    """Say on every page how counts are given.

    >>> steps_sentence(10)
    'Counts, totals too, are given in steps of 10, each by itself, so that subtraction gives nothing.'
    """
    return say("common.protection.steps", step=step)


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
            return say("common.protection.suppress", threshold=threshold)
        case "noise":
            return say("common.protection.noise", reach=noise_reach)
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
    return texts[0] if texts[0] == texts[1] else say("number.range", low=texts[0], high=texts[1])


def share_text(share: float) -> str:
    """Write a share between 0 and 1 in per cent; what is neither nothing nor everything never looks like it.

    >>> share_text(0.16), share_text(0.001), share_text(0.999)
    ('16%', 'under 1%', 'over 99%')
    """
    pct = half_up(share * 100)
    if pct == 0 and share > 0:
        return say("number.under_one_per_cent")
    if pct == 100 and share < 1:
        return say("number.over_99_per_cent")
    return f"{pct}%"


def fine_pct_text(pct: float) -> str:
    """Write a share that is given in per cent, with more digits the smaller it is.

    >>> fine_pct_text(0.583), fine_pct_text(7.42), fine_pct_text(31.6), fine_pct_text(0.001)
    ('0.58%', '7.4%', '32%', 'under 0.01%')
    """
    if 0 < pct < 0.005:
        return say("number.under_a_hundredth_per_cent")
    digits = 2 if pct < 0.995 else 1 if pct < 9.95 else 0
    return f"{pct:.{digits}f}%" if digits else f"{half_up(pct)}%"


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
        return say("number.any_share")
    if nothing:
        return say("number.at_most", share=texts[1])
    if everything:
        return say("number.at_least", share=texts[0])
    return say("number.range", low=texts[0], high=texts[1])


def signed(change_pct: float) -> str:
    """Write a change in per cent with its sign.

    >>> signed(-24.4), signed(17.0), signed(0.2)
    ('−24%', '+17%', '0%')
    """
    pct = half_up(change_pct)
    return f"{'+' if pct > 0 else ''}{whole(pct)}%"


def about_signed(change_pct: float, *, exact: bool) -> str:
    """Write the size of a change: "about" where it comes from the middles of steps.

    >>> about_signed(17.0, exact=False), about_signed(-24.4, exact=True)
    ('about +17%', '−24%')
    """
    return signed(change_pct) if exact else say("number.about", size=signed(change_pct))


def small(number: int) -> str:
    """Write a whole number, in letters under ten.

    >>> small(3), small(18)
    ('three', '18')
    """
    written = say("number.small").split()
    return written[number] if 0 <= number < len(written) else whole(number)


def ordinal(number: int) -> str:
    """Write a place in an order.

    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 32)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '32nd']
    """
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return say("number.ordinal", n=number, ending=ending)


def listed(names: Sequence[str]) -> str:
    """Join names.

    >>> listed(["A", "B", "C"]), listed(["A"])
    ('A, B and C', 'A')
    """
    if len(names) < 2:
        return names[0] if names else ""
    return say("number.list_last", first=say("number.list_joint").join(names[:-1]), last=names[-1])


def counted(number: int, noun: str) -> str:
    """Write a count with what is counted, in the singular for one.

    >>> counted(1719, "hate crimes"), counted(1, "hate crimes"), counted(0, "offences")
    ('1,719 hate crimes', '1 hate crime', 'no offences')
    """
    one = number == 1 and noun.endswith("s") and not noun.endswith("ss")
    return f"{whole(number) if number else say('number.none')} {noun[:-1] if one else noun}"


def capital(text: str) -> str:
    """Begin with a capital letter, and leave the rest as it is."""
    return text[:1].upper() + text[1:]


def named_period(label: str) -> str:
    """Name a period inside a sentence: with an article where its label wants one. Maps and briefings both ask here.

    >>> named_period("12 months to July 2025"), named_period("financial year 2024/25")
    ('the 12 months to July 2025', 'the financial year 2024/25')
    >>> named_period("28 days to 29 June 2025"), named_period("1 July 2025")
    ('the 28 days to 29 June 2025', '1 July 2025')
    >>> named_period("2024"), named_period("Q2 2024"), named_period("July 2025")
    ('2024', 'Q2 2024', 'July 2025')
    """
    named = " months to " in label or " days to " in label or label.startswith("financial")
    return say("month.the_period", period=label) if named else label


def in_period(label: str) -> str:
    """Say when, by a period's label.

    >>> in_period("12 months to July 2025"), in_period("2024")
    ('in the 12 months to July 2025', 'in 2024')
    """
    return say("month.in_period", period=named_period(label))


def month_name(month: str) -> str:
    """Name a month or day given in ISO.

    >>> month_name("2024-03"), month_name("2024-07-30")
    ('March 2024', '30 July 2024')
    """
    year, number, *day = month.split("-")
    named = say("month.in_year", month=say(f"month.{int(number)}"), year=year)
    return say("month.day", day=int(day[0]), month=named) if day else named


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
        return say("number.times.about", times=_near(ratio), place=place)
    if ratio >= 1.1:
        return say("number.times.above", pct=half_up((ratio - 1) * 100), place=place)
    if ratio > 0.9:
        return say("number.times.close", place=place)
    return say("number.times.below", pct=half_up((1 - ratio) * 100), place=place)


def _near(ratio: float) -> str:
    """Write a ratio from 1.95 on as people say it: to the half, and from 4¾ on to the whole number."""
    return f"{half_up(ratio * 2) / 2:g}".replace(".5", "½") if ratio < 4.75 else whole(ratio)


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
    above, below = half_up((high - 1) * 100), half_up((1 - low) * 100)
    if ends[0] == ends[1]:
        wording = ends[0]
    elif low >= 1.95:
        wording = say("number.times.about_range", low=_near(low), high=_near(high), place=place)
    elif low >= 1.1 and high >= 1.95:
        # From here on people think in times, not in per cent.
        wording = say("number.times.range", low=f"{low:.1f}", high=f"{high:.1f}", place=place)
    elif low >= 1.1:
        wording = say("number.times.above_range", low=half_up((low - 1) * 100), high=above, place=place)
    elif high <= 0.9:
        wording = say("number.times.below_range", low=half_up((1 - high) * 100), high=below, place=place)
    elif low > 0.9:
        wording = say("number.times.close_or_above", pct=above, place=place)
    elif high < 1.1:
        wording = say("number.times.close_or_below", pct=below, place=place)
    else:
        wording = say("number.times.between", below=below, above=above, place=place)
    return wording
