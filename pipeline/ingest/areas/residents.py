"""Residents by area, from one or several tables that may mix levels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import PopulationFile, Run
from pipeline.errors import InputError
from pipeline.ingest.formats.files import DEFAULT_LIMITS, existing
from pipeline.ingest.formats.source import find_columns
from pipeline.ingest.formats.table import read_text_table

__all__ = ["Residents", "population_columns", "read_residents"]

_MISSING = frozenset({"", ".", "..", "-", ":", "n/a", "na", "nan", "null"})
_LISTED = 10


@dataclass(frozen=True, slots=True, eq=False)
class Residents:
    """People by area.

    Attributes
    ----------
    figures
        Number and year per area code, for the denominator of all categories.
    others
        Denominators of single categories: area_code, category, population, population_year, measure.
    report
        Per file: rows, areas matched, rows without a figure, codes that are in no boundary file.
    """

    figures: dict[str, tuple[int, int]]
    others: pd.DataFrame
    report: list[dict[str, Any]] = field(default_factory=list)


def read_residents(
    files: Sequence[PopulationFile],
    *,
    base: Path,
    codes: Collection[str],
    limits: Run = DEFAULT_LIMITS,
    scratch: Path | None = None,
) -> Residents:
    """Read every population file.

    Parameters
    ----------
    files
        The files; the first that has a figure for an area gives it.
    base
        Folder that paths start from.
    codes
        Codes of all areas, of every level.
    limits
        How long a file and its rows may be.
    scratch
        Folder for what is needed while they are read; the system's if left out.

    Raises
    ------
    InputError
        If a file or column is missing, a figure is not a number, an area has two figures in one file, or a code is
        unknown and not expected to be.
    """
    figures: dict[str, tuple[int, int]] = {}
    others = []
    report = []
    for settings in files:
        found, account = _read(settings, base=base, codes=frozenset(codes), limits=limits, scratch=scratch)
        report.append(account)
        if settings.category is None:
            account["already_given"] = sum(code in figures for code in found)
            figures = {code: (people, settings.year) for code, people in found.items()} | figures
        else:
            others += [(c, settings.category, n, settings.year, settings.measure) for c, n in sorted(found.items())]
    columns = ["area_code", "category", "population", "population_year", "measure"]
    return Residents(figures, pd.DataFrame(others, columns=columns), report)


def population_columns(settings: PopulationFile) -> list[tuple[str, str]]:
    """Return configuration key and name of every column a population file needs."""
    return [("areas.population.code", settings.code), ("areas.population.value", settings.value)]


def _read(
    settings: PopulationFile, *, base: Path, codes: frozenset[str], limits: Run, scratch: Path | None
) -> tuple[dict[str, int], dict[str, Any]]:
    path = existing(settings.path, base=base, what="areas.population")
    table = read_text_table(path, encoding=settings.encoding, limits=limits, scratch=scratch)
    code_at, value_at = find_columns(population_columns(settings), list(table.columns), file=path.name)
    found: dict[str, int] = {}
    unknown: list[str] = []
    blank = rounded = 0
    faults = []
    for row, (code, text) in enumerate(zip(table.iloc[:, code_at], table.iloc[:, value_at], strict=True), start=1):
        key = code.strip()
        if not key or text.strip().casefold() in _MISSING:
            blank += 1
            continue
        people = _number(text)
        if people is None:
            faults.append(f"row {row}: {text!r} is not a number of people")
            continue
        if key not in codes:
            unknown.append(key)
            continue
        rounded += people != int(people)
        if found.setdefault(key, round(people)) != round(people):
            faults.append(f"row {row}: {key} has {round(people)}, but an earlier row says {found[key]}")
    if unknown and not settings.ignore_unknown:
        more = f" and {len(unknown) - _LISTED} more" if len(unknown) > _LISTED else ""
        faults.append(
            f"{len(unknown)} codes are in no boundary file ({', '.join(unknown[:_LISTED])}{more}): use residents of "
            "the same edition as the boundaries, or set ignore_unknown if such rows are expected"
        )
    if faults:
        raise InputError(f"{path.name} cannot be used as population: " + "; ".join(faults[:_LISTED]))
    return found, {
        "file": path.name,
        "year": settings.year,
        "measure": settings.measure,
        "category": settings.category,
        "rows": len(table),
        "matched": len(found),
        "without_figure": blank,
        "rounded": rounded,
        "unknown": len(unknown),
        "unknown_codes": sorted(set(unknown))[:100],
    }


def _number(text: str) -> float | None:
    plain = text.strip().replace(",", "").replace(" ", "").replace("\u00a0", "")
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if 0 <= value < 1e10 else None
