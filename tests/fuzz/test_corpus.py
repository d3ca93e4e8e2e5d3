"""Five hundred bad inputs, made afresh from their seeds: each refused as it should be, or read and accounted for.

A quarter of every family is tried each time, all with `HOTSPOTS_LONG=1`; another `HOTSPOTS_FUZZ_SEED` makes others.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz import layers, rules, texts

FAMILIES = texts.FAMILIES | layers.FAMILIES | rules.FAMILIES
SEED = os.environ.get("HOTSPOTS_FUZZ_SEED", "0")
OUTCOMES: Counter[tuple[str, str]] = Counter()
MOST_GROWTH_MB = 600
SHARE = 1 if os.environ.get("HOTSPOTS_LONG") else 4


def peak_mb() -> float:
    try:
        import resource
    except ImportError:  # not on Windows
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def test_the_corpus_holds_five_hundred() -> None:
    assert sum(count for count, _ in FAMILIES.values()) == 500


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_bad_inputs(name: str, tmp_path: Path) -> None:
    count, make = FAMILIES[name]
    before, wrong = peak_mb(), []
    for number in range(-(-count // SHARE)):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            OUTCOMES[name, make(random.Random(f"{SEED} {name} {number}"), folder).run()] += 1
        except Exception as error:  # noqa: BLE001 every bad input is told, not the first alone
            wrong.append(f"{name} {number}: {type(error).__name__}: {str(error)[:500]}")
    assert not wrong, "\n".join(wrong)
    assert peak_mb() - before < MOST_GROWTH_MB


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """With HOTSPOTS_FUZZ_TABLE=FILE, write what came of every family."""
    yield
    path = os.environ.get("HOTSPOTS_FUZZ_TABLE")
    if path:
        _write(Path(path))


def _write(path: Path) -> None:
    kinds = sorted({kind for _, kind in OUTCOMES})
    lines = [f"| family | cases | {' | '.join(kinds)} |", "|---" * (len(kinds) + 2) + "|"]
    for name, (count, _) in FAMILIES.items():
        lines.append(f"| {name} | {count} | {' | '.join(str(OUTCOMES[name, k] or '') for k in kinds)} |")
    totals = [str(sum(n for (_, k), n in OUTCOMES.items() if k == kind)) for kind in kinds]
    lines.append(f"| all | {sum(OUTCOMES.values())} | {' | '.join(totals)} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
