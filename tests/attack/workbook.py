"""What an attacker reads in `tables.xlsx`: the ranges of counts, by the labels that the workbook gives.

Read with the standard library, as a file of its format (ECMA-376), without the package.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

_NAMES = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
_VALUE = f"{{{_NAMES['m']}}}v"
_LOWEST, _HIGHEST = ": lowest", ": highest"


class Row(NamedTuple):
    """A range of one count: where, when, of which label, lowest and highest."""

    area: str
    period: str
    label: str
    lower: float
    upper: float


def sheets(path: Path) -> Iterator[list[list[str]]]:
    """Yield the cells of each sheet, row by row, as texts."""
    with zipfile.ZipFile(path) as packed:
        shared: list[str] = []
        if "xl/sharedStrings.xml" in packed.namelist():
            root = ET.fromstring(packed.read("xl/sharedStrings.xml"))  # noqa: S314 - of a run of ours
            shared = ["".join(t.text or "" for t in item.iter(f"{{{_NAMES['m']}}}t")) for item in root]
        for name in sorted(n for n in packed.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", n)):
            root = ET.fromstring(packed.read(name))  # noqa: S314
            yield [[_text(cell, shared) for cell in row] for row in root.iterfind(".//m:row", _NAMES)]


def _text(cell: ET.Element, shared: Sequence[str]) -> str:
    # Not `find`, which takes several times as long: a workbook has some hundred thousand cells.
    text = next((child.text or "" for child in cell if child.tag == _VALUE), "")
    return shared[int(text)] if cell.get("t") == "s" else text


def rows(path: Path, window: Callable[[str, str], str]) -> list[Row]:
    """Return every range of a count of an area and period, which `window` names by its first and last day."""
    found = []
    for cells in sheets(path):
        top = next((n for n, row in enumerate(cells) if any(c.endswith(_LOWEST) for c in row)), None)
        if top is None or not {"Area code", "First day", "Last day"} <= set(cells[top]):
            continue
        head = cells[top]
        at = {name: head.index(name) for name in ("Area code", "First day", "Last day")}
        label = next((n for n, name in enumerate(head) if name.startswith("Category")), None)
        # The first pair is the count; rates and shares have ends too, which the attack reads as CSV.
        low = next(
            n for n, name in enumerate(head) if name.endswith(_LOWEST) and name[: -len(_LOWEST)] + _HIGHEST in head
        )
        high = head.index(head[low][: -len(_LOWEST)] + _HIGHEST)
        for row in cells[top + 1 :]:
            if re.fullmatch(r"[\d.]+", row[low]) and re.fullmatch(r"[\d.]+", row[high]):
                named = row[label] if label is not None else ""
                area, start, end = (row[n] for n in at.values())
                found.append(Row(area, window(start, end), named, float(row[low]), float(row[high])))
    return found


def categories_of(found: Sequence[Row], shown: Mapping[tuple[str, str, str], tuple[float, float]]) -> dict[str, str]:
    """Tell which category each label stands for: the one most of whose counts are the same.

    `shown` is by area, period and category.
    """
    same: dict[str, Counter[str]] = {}
    labels = _labels_at(found)
    for (area, period, category), ends in shown.items():
        for label in labels.get((area, period, *ends), ()):
            same.setdefault(label, Counter())[category] += 1
    return {label: counted.most_common(1)[0][0] for label, counted in same.items()}


def _labels_at(found: Sequence[Row]) -> dict[tuple[str, str, float, float], list[str]]:
    at: dict[tuple[str, str, float, float], list[str]] = {}
    for row in found:
        at.setdefault((row.area, row.period, row.lower, row.upper), []).append(row.label)
    return at
