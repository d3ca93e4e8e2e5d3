"""How counters, choices and variables of a run's record are written for people."""

from collections.abc import Mapping
from typing import Any

from pipeline.publish.words.areas import area_words
from pipeline.publish.words.catalogue import catalogue_of, say
from pipeline.publish.words.numbers import capital

__all__ = ["choice_name", "counters_text", "variable_name"]

_COUNTERS, _CHOICES = "record.counter.", "record.choice."
_LEVELS = {"wards": "ward", "boroughs": "borough"}
"""Counters of areas, and the level whose name the configuration gives."""


def _names(prefix: str) -> list[str]:
    """Return the counters or choices that have words, in the order in which they are listed."""
    return [key.removeprefix(prefix) for key in catalogue_of("en").texts if key.startswith(prefix)]


def counters_text(counters: Mapping[str, Any], labels: Mapping[str, tuple[str, str]]) -> str:
    """Write a stage's counters for people.

    Parameters
    ----------
    counters
        As in manifest.json; a name may end in what it was counted in: `hotspots 2024-01..2024-12`.
    labels
        What areas of each level are called, one and many.
    """
    order = _names(_COUNTERS)
    wording = []
    for name in sorted(counters, key=lambda n: order.index(k) if (k := n.partition(" ")[0]) in order else len(order)):
        value = counters[name]
        kind, _, of = name.partition(" ")
        if name == "boundaries_taken_over":
            wording.append(say("record.boundaries_reused" if value else "record.boundaries_read"))
        elif kind in order and isinstance(value, int):
            area, areas = area_words(labels, _LEVELS[kind]) if kind in _LEVELS else ("", "")
            words = say(f"{_COUNTERS}{kind}", n=value, area=area, areas=areas)
            wording.append(say("record.of", words=words, of=of) if of else words)
        elif not isinstance(value, Mapping):
            wording.append(f"{name.replace('_', ' ')}: {value}")
    return ", ".join(wording)


def choice_name(key: str) -> str:
    """Return the words for a choice; its key may end in what it was chosen for: `eps_m 2024-01..2024-12`."""
    for name in _names(_CHOICES):
        if key == name:
            return say(f"{_CHOICES}{name}")
        if key.startswith(f"{name} "):
            return say("record.of", words=say(f"{_CHOICES}{name}"), of=key.removeprefix(name).strip())
    return key.replace("_", " ")


def variable_name(variable: str) -> str:
    """Return the heading of a variable of the circumstances; one that has no words is spelled out.

    Examples
    --------
    >>> variable_name("hour_band"), variable_name("month_half")
    ('Time of day', 'Month half')
    """
    key = f"circumstances.variable.{variable}"
    return say(key) if key in catalogue_of("en").texts else capital(variable.replace("_", " "))
