"""How the counters and choices of a run's record are written for people."""

from collections.abc import Mapping
from typing import Any

from pipeline.publish.words.catalogue import catalogue_of, say

__all__ = ["choice_name", "counters_text"]

_COUNTERS, _CHOICES = "record.counter.", "record.choice."


def _names(prefix: str) -> list[str]:
    """Return the counters or choices that have words, in the order in which they are listed."""
    return [key.removeprefix(prefix) for key in catalogue_of("en").texts if key.startswith(prefix)]


def counters_text(counters: Mapping[str, Any]) -> str:
    """Write a stage's counters for people.

    Parameters
    ----------
    counters
        As in manifest.json; a name may end in what it was counted in: `hotspots 2024-01..2024-12`.
    """
    order = _names(_COUNTERS)
    wording = []
    for name in sorted(counters, key=lambda n: order.index(k) if (k := n.partition(" ")[0]) in order else len(order)):
        value = counters[name]
        kind, _, of = name.partition(" ")
        if name == "boundaries_taken_over":
            wording.append(say("record.boundaries_reused" if value else "record.boundaries_read"))
        elif kind in order and isinstance(value, int):
            words = say(f"{_COUNTERS}{kind}", n=value)
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
