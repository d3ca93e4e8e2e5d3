"""What a doctor finds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["BROKEN", "NOTE", "OK", "Finding", "Situation", "State"]

State = Literal["ok", "note", "broken"]
OK: State = "ok"
NOTE: State = "note"
BROKEN: State = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes
    ----------
    about
        What it belongs to: Python, packages, geography, computer, folder, database, text, programs.
    name
        What was looked at.
    state
        `ok`, `note` (a run works, but a person should know) or `broken` (a run fails or cannot be trusted).
    found
        What is the case.
    advice
        What to do; empty where there is nothing to do.
    """

    about: str
    name: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the run would be asked to do: where it writes, in which system, with how much memory in MB."""

    folder: Path = Path("outputs")
    working: str = "EPSG:27700"
    memory_limit_mb: int = 2000
