"""What reading gives of each file, and how such accounts are added up and checked."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import pandas as pd

from pipeline.errors import InputError, QualityError, SchemaError

__all__ = [
    "LISTED",
    "CountsAccount",
    "PartAccount",
    "broken",
    "largest",
    "pct",
    "records",
    "require_kept",
    "summed",
]

LISTED = 20


class PartAccount(Protocol):
    """The account of one input file, as reading it gives."""

    @property
    def source(self) -> str: ...  # noqa: D102 the names say it
    @property
    def rows_read(self) -> int: ...  # noqa: D102
    @property
    def incidents(self) -> int: ...  # noqa: D102
    @property
    def quarantined(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def lost_places(self) -> Mapping[int, int]: ...  # noqa: D102
    @property
    def unknown_categories(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def unknown_boroughs(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def unreadable(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def ward_checks(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def without_id(self) -> int: ...  # noqa: D102


class CountsAccount(Protocol):
    """The account of one file of published counts."""

    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def rows_read(self) -> int: ...  # noqa: D102
    @property
    def quarantined(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def ignored_categories(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def accounting(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def unmapped(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def matched_pct(self) -> float | None: ...  # noqa: D102


def require_kept(read: int, rules: Mapping[str, int], *, max_pct: float, files: int) -> None:
    """Stop where too many rows were refused to trust the rest.

    Raises
    ------
    InputError
        If no row was read.
    QualityError
        If more than `max_pct` per cent of the rows were refused, or all of them.
    """
    refused = sum(rules.values())
    if read == 0:
        raise InputError(f"no row of data in {files} input file(s): check the paths and the exports")
    if refused == read or 100 * refused > max_pct * read:
        told = ", ".join(f"{rule} {rows}" for rule, rows in sorted(rules.items(), key=lambda r: (-r[1], r[0])))
        raise QualityError(
            f"{refused} of {read} rows ({100 * refused / read:.1f} per cent) were refused, more than "
            f"quality.max_quarantined_pct allows ({max_pct:g}): {told}. Look at them with `hotspots quarantine`, "
            "correct the settings or the data, or raise the limit if this is expected"
        )


def broken(what: str) -> SchemaError:
    """Say that two ways of counting disagree."""
    return SchemaError(f"the account does not add up: {what}. This is a fault of the program: please report it.")


def summed(counts: Iterable[Mapping[Any, int]]) -> Counter[Any]:
    """Add counts up."""
    total: Counter[Any] = Counter()
    for count in counts:
        total.update(count)
    return total


def largest(counts: Counter[Any]) -> dict[str, Any]:
    """Texts by rows, the most frequent first, so many as are worth reading."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    listed = {str(text): rows for text, rows in ordered[:LISTED]}
    return {"texts": len(ordered), "rows": sum(counts.values()), "listed": listed}


def pct(part: int, whole: int) -> float | None:
    """Share in per cent; None of nothing."""
    return round(100 * part / whole, 3) if whole else None


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values that JSON knows."""
    return [{str(k): v.item() if hasattr(v, "item") else v for k, v in row.items()} for row in frame.to_dict("records")]
