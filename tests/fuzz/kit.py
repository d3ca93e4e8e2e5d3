"""What a bad input is, and what should come of it."""

import csv
import io
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import HotspotsError
from tests.kit.readers import Read, read, settings

COLUMNS = ("id", "date", "easting", "northing", "strand", "note")
Row = dict[str, str]


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes
    ----------
    act
        What is done with it.
    check
        Takes what came of it to an account of what is wrong; asserts. None where it must be refused.
    code
        Exit code it must end with; 0 where it must be read, None where either is right (and `check` holds).
    says
        Words, one of which the error must have.
    """

    act: Callable[[], Any]
    check: Callable[[Any], None] | None = None
    code: int | None = 0
    says: Collection[str] = field(default_factory=tuple)

    def run(self) -> str:
        """Do it, hold it against what should come of it, and return what came of it."""
        try:
            found = self.act()
        except HotspotsError as error:
            return self._refused(error)
        assert self.code in {0, None}, "it was read"
        if self.check is not None:
            self.check(found)
        refused = getattr(getattr(found, "report", None), "quarantined", {})
        return "rows refused, each by name" if refused else "read whole"

    def _refused(self, error: HotspotsError) -> str:
        """Hold a refusal against what should have come: the right exit code, one paragraph, the words."""
        said = str(error)
        assert self.code != 0, said
        assert self.code in {None, error.exit_code}, (error.exit_code, said)
        assert said.strip()
        assert "Traceback" not in said
        assert len(said) < 6000
        assert error.exit_code == 2 or "\n" not in said.strip(), said
        assert not self.says or any(word in said for word in self.says), said
        return f"exit {error.exit_code}"


def good_rows(rng: random.Random, count: int) -> list[Row]:
    """Make rows that nothing is wrong with, at places inside the four wards."""
    return [
        {
            "id": f"r{n}",
            "date": f"2025-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
            "easting": str(rng.randint(530_001, 531_999)),
            "northing": str(rng.randint(180_001, 181_999)),
            "strand": rng.choice(["race", "religion", ""]),
            "note": rng.choice(["", "plain", "a, b", 'said "no"', "naïve £5"]),
        }
        for n in range(count)
    ]


def as_text(rows: Sequence[Mapping[str, str]], *, columns: Sequence[str] = COLUMNS, **style: Any) -> str:
    """Write rows as delimited text."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, extrasaction="ignore", **({"lineterminator": "\n"} | style))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def reading(path: Path, content: bytes | None = None, **source: Any) -> Callable[[], Read]:
    """Write a file (unless it is there) and return what reads it and accounts for every row."""
    if content is not None:
        path.write_bytes(content)
    return lambda: read(path, settings(source))


def gives(rows: int, rules: Mapping[int, str | Collection[str]] | None = None) -> Callable[[Read], None]:
    """Return a check: so many rows, and these refused (row number to rule, or to the rules that will do)."""

    def check(found: Read) -> None:
        assert found.report.rows_read == rows
        wanted = {n: {r} if isinstance(r, str) else set(r) for n, r in (rules or {}).items()}
        assert set(found.rules) == set(wanted), found.rules
        wrong = {n: rule for n, rule in found.rules.items() if rule not in wanted[n]}
        assert not wrong, wrong
        assert found.report.incidents == rows - len(wanted)

    return check


def adds_up(rows: int) -> Callable[[Read], None]:
    """Return a check: every row is an incident or refused, whatever has become of its cells."""

    def check(found: Read) -> None:
        assert found.report.rows_read == rows
        assert found.report.incidents + sum(found.report.quarantined.values()) == rows

    return check
