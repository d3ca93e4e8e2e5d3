"""Collect what was expected and what was got, and print both with their difference once the suite is through."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

Row = tuple[str, str, str, str, str]
Record = Callable[[str, str, Any, Any], None]
ROWS: pytest.StashKey[list[Row]] = pytest.StashKey()
HEADER: Row = ("quantity", "source", "expected", "got", "difference")
WIDTHS = (48, 60, 44, 44, 10)  # characters; longer cells are cut with an ellipsis


def shown(value: Any) -> str:
    """Write a number, an array or a word so that two of them can be compared by eye."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return f"{value:.7g}"
    if isinstance(value, Iterable):
        return " ".join(shown(v) for v in np.asarray(value).ravel().tolist())
    return str(value)


def difference(expected: Any, got: Any) -> str:
    """Write the largest difference of two numbers or arrays; nothing where one of them is words (a limit)."""
    if isinstance(expected, str) or isinstance(got, str):
        return ""
    one, other = (np.asarray(v, dtype=np.float64).ravel() for v in (expected, got))
    if one.shape != other.shape:
        return "shapes"
    apart = float(np.abs(one - other).max(initial=0.0))
    return f"{apart:.2g}"


def pytest_configure(config: pytest.Config) -> None:
    config.stash.setdefault(ROWS, [])


@pytest.fixture(scope="session")
def conformance(pytestconfig: pytest.Config) -> Record:
    """Note one agreement for the table: ``conformance(quantity, source, expected, got)``. It asserts nothing."""
    rows = pytestconfig.stash.setdefault(ROWS, [])

    def record(quantity: str, source: str, expected: Any, got: Any) -> None:
        rows.append((quantity, source, shown(expected), shown(got), difference(expected, got)))

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = sorted(config.stash.get(ROWS, []))
    if not rows:
        return
    cut = [tuple(c if len(c) <= w else c[: w - 1] + "…" for c, w in zip(r, WIDTHS, strict=True)) for r in rows]
    widths = [max(len(r[i]) for r in [HEADER, *cut]) for i in range(len(HEADER))]
    terminalreporter.section(f"conformance: {len(rows)} entries")
    for row in [HEADER, tuple("-" * w for w in widths), *cut]:
        terminalreporter.write_line("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
