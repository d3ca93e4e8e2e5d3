"""The table of `harm.weights`: a weight for each offence, of the user's own."""

import math
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Harm, Run
from pipeline.errors import InputError
from pipeline.ingest.formats.files import DEFAULT_LIMITS, existing, find_columns, read_table

__all__ = ["KEY", "OffenceWeights", "read_weights"]

KEY = "harm.weights"
_NAMED = 10  # faults listed of many


@dataclass(frozen=True, slots=True)
class OffenceWeights:
    """Weights by offence.

    Attributes
    ----------
    weights
        Offence as the table names it to its weight, 0 or more.
    cautions
        What should be looked at, a sentence each.
    """

    weights: dict[str, float]
    cautions: tuple[str, ...] = ()


def read_weights(settings: Harm, *, base: Path, limits: Run = DEFAULT_LIMITS) -> OffenceWeights:
    """Read the table.

    Parameters
    ----------
    settings
        As configured, with a path.
    base
        Folder that the path starts from.
    limits
        How long the file may be.

    Raises
    ------
    InputError
        If the file or a column is missing, it has no row, a weight is missing, no number or negative, or an offence
        stands twice: all faults in one message.
    """
    path = existing(settings.weights or "", base=base, what=KEY)
    table = read_table(path, encoding="utf-8", limits=limits)
    wanted = [("harm.offence", settings.offence), ("harm.weight", settings.weight)]
    at = find_columns(wanted, [str(c) for c in table.columns], file=path.name)
    offences, texts = (table.iloc[:, place].astype("str").str.strip().tolist() for place in at)
    found: dict[str, float] = {}
    first: dict[str, int] = {}
    faults = []
    for row, (offence, text) in enumerate(zip(offences, texts, strict=True), start=1):
        name = " ".join(offence.split())
        if not name and not text:
            continue
        if fault := _fault(name, text, first):
            faults.append(f"row {row}{fault}")
        else:
            found[name] = _number(text) or 0.0
        first.setdefault(name.casefold(), row)
    if faults:
        more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise InputError(f"{path.name} ({KEY}): {'; '.join(faults[:_NAMED])}{more}. Rows are counted below the header")
    if not found:
        raise InputError(f"{path.name} ({KEY}) has no row with an offence and a weight")
    if not any(found.values()):
        raise InputError(f"{path.name} ({KEY}): every weight is 0, so nothing can be counted")
    none = [name for name, value in found.items() if value == 0]
    listed = ", ".join(none[:_NAMED]) + (", ..." if len(none) > _NAMED else "")
    cautions = (f"{KEY}: a weight of 0 lets these offences count nothing: {listed}.",) if none else ()
    return OffenceWeights(found, cautions)


def _fault(name: str, text: str, first: dict[str, int]) -> str:
    """Return what is wrong with a row, empty if nothing is; `first` has the row of each offence before it."""
    value = _number(text)
    if not name:
        return " has no offence"
    if name.casefold() in first:
        return f": {name!r} stands in row {first[name.casefold()]} as well"
    if not text:
        return f": {name!r} has no weight"
    if value is None:
        return f": {text!r} is no number"
    return f": the weight of {name!r} is negative ({text})" if value < 0 else ""


def _number(text: str) -> float | None:
    """Read a number; None where it is none, or not finite."""
    try:
        value = float(text.replace(",", "") if text.count(".") <= 1 and _thousands(text) else text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _thousands(text: str) -> bool:
    """Whether every comma of a number separates three digits: 1,825."""
    head, *rest = text.partition(".")[0].split(",")
    return bool(rest) and 1 <= len(head.lstrip("+-")) <= 3 and all(len(part) == 3 for part in rest)
