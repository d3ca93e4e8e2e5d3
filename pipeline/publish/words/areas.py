"""What areas of a level and states of a count are called."""

from collections.abc import Mapping

from pipeline.publish.words.catalogue import say
from pipeline.publish.words.numbers import count_text, listed

__all__ = ["area_words", "count_states", "sums_sentence"]


def area_words(labels: Mapping[str, tuple[str, str]], level: str) -> tuple[str, str]:
    """Return what an area of a level is called, one and many.

    Parameters
    ----------
    labels
        Words of each level, as the configuration has them.
    level
        `region`, `borough`, `ward_group` or `ward`.

    Examples
    --------
    >>> area_words({"ward": ("ward", "wards")}, "ward_group")
    ('group of wards', 'groups of wards')
    """
    if level == "ward_group":
        smaller = labels["ward"][1]
        return say("common.area_group.one", areas=smaller), say("common.area_group.many", areas=smaller)
    return labels.get(level, (level, level))


def sums_sentence(labels: Mapping[str, tuple[str, str]], *, step: int) -> str:
    """Say which levels of a release are given as sums of ranges; empty where counts are exact, or none are.

    Parameters
    ----------
    labels
        Words of each level, as the configuration has them.
    step
        Width of the steps that counts are given in; 1 where they are not.

    Examples
    --------
    >>> names = {"borough": ("borough", "boroughs"), "level_3": ("county", "counties")}
    >>> sums_sentence(names, step=5)[:58]
    'Counts of counties are the sums of those of the boroughs i'
    >>> sums_sentence(names, step=1), sums_sentence({"borough": names["borough"]}, step=5)
    ('', '')
    """
    larger = [labels[level][1] for level in ("level_3", "level_4") if level in labels]
    if step <= 1 or not larger:
        return ""
    return say("common.protection.sums", areas=listed(larger), parts=labels["borough"][1])


def count_states(step: int) -> dict[str, str]:
    """Name the states that a count of a released table may be in, and all of them together.

    Parameters
    ----------
    step
        Width of the steps that counts are given in; 1 where they are not.

    Examples
    --------
    >>> list(count_states(10).values())  # doctest: +NORMALIZE_WHITESPACE
    ['10 or more, in steps', 'fewer than 10', 'given at another level', 'not offered', 'no data', 'not covered', 'all']
    """
    return {
        "number": say("common.state.step_or_more", step=step) if step > 1 else say("common.state.number"),
        "first_step": count_text(0, step - 1) if step > 1 else say("common.state.perhaps_none"),
        "other_level": say("common.state.other_level"),
        "not_offered": say("common.not_offered"),
        "no_data": say("common.state.no_data"),
        "not_covered": say("common.state.not_covered"),
        "rows": say("common.state.all"),
    }
