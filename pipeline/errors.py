"""The error tree, and the exit code each branch ends the process with.

HotspotsError (1)
├── ConfigError (2)       a setting is missing, unknown, or contradicts another
├── InputError (3)        a file, one of its columns or an argument is missing or cannot be used as it is
├── SchemaError (4)       a table that one stage hands to the next breaks its contract: a fault of the program
├── QualityError (5)      too much was quarantined to trust the rest
├── DisclosureError (6)   a release would give somebody away
└── EngineError (7)       the place the work runs in failed
"""

from typing import ClassVar

__all__ = [
    "ConfigError",
    "DisclosureError",
    "EngineError",
    "HotspotsError",
    "InputError",
    "QualityError",
    "SchemaError",
]


class HotspotsError(Exception):
    """Anything this project refuses to do: one paragraph that says what, where, and what to do."""

    exit_code: ClassVar[int] = 1


class ConfigError(HotspotsError):
    """The configuration is wrong."""

    exit_code = 2


class InputError(HotspotsError):
    """An input is missing, lacks a column, or cannot be used as it is."""

    exit_code = 3


class SchemaError(HotspotsError):
    """A table breaks its contract."""

    exit_code = 4


class QualityError(HotspotsError):
    """Too many rows were refused."""

    exit_code = 5


class DisclosureError(HotspotsError):
    """A release would break its own rules."""

    exit_code = 6


class EngineError(HotspotsError):
    """The engine that runs the work failed."""

    exit_code = 7
