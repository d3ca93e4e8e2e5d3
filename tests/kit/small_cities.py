"""Small cities made up at random: a region, two boroughs, a few wards, two nested categories, halves of a year."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.release.linked_tables import Relations, area_sums, category_subsets, period_sums, stack

HALVES = {"2024": ["2024-H1", "2024-H2"]}
UNPLACED = {"incidents": "incidents_unplaced"}
LEVELS = {"R": "region", "B1": "borough", "B2": "borough"}


@dataclass
class City:
    cells: pd.DataFrame
    parents: dict[str, str]
    windows: dict[str, list[str]]
    relations: Relations


def small_city(rng: np.random.Generator, *, halves: bool = False, mean: float = 4.0, cities: int = 1) -> City:
    """Draw a city whose sums and subsets hold by construction; several are named a, b, c, ... and share nothing."""
    parents: dict[str, str] = {}
    rows: dict[tuple[str, str, str, str], int] = {}
    for name in "abcdefghijklmnopqrstuvwxyz"[:cities] if cities > 1 else ("",):
        kin = {f"{name}B1": f"{name}R", f"{name}B2": f"{name}R"}
        for borough in list(kin):
            kin |= {f"{borough}W{i}": borough for i in range(int(rng.integers(2, 5)))}
        rows |= _counts(rng, kin, HALVES["2024"] if halves else ["2024"], mean=mean)
        parents |= kin
    if halves:
        for area, category, measure in sorted({(a, c, m) for a, _, c, m in rows}):
            rows[area, "2024", category, measure] = sum(rows[area, h, category, measure] for h in HALVES["2024"])
        for key in [k for k in rows if "W" in k[0] and k[1] != "2024"]:
            del rows[key]
    cells = pd.DataFrame(
        [(LEVELS.get(a[-2:], LEVELS.get(a[-1:], "ward")), a, p, c, m, v) for (a, p, c, m), v in sorted(rows.items())],
        columns=["level", "area_code", "period", "category", "measure", "value"],
    )
    windows = HALVES if halves else {}
    relations = stack(
        area_sums(cells, parents=parents, unplaced=UNPLACED),
        period_sums(cells, parts=windows),
        category_subsets(cells, pairs=[("racist", "all")]),
    )
    return City(cells, parents, windows, relations)


def in_blocks(city: City) -> pd.DataFrame:
    """Say of each cell of which borough it is a detail: wards, and what has no place in them."""
    level, area = city.cells["level"], city.cells["area_code"]
    unplaced = (city.cells["measure"] == UNPLACED["incidents"]) & (level == "borough")
    return city.cells.assign(block=area.map(city.parents).where(level == "ward").mask(unplaced, area).fillna(""))


def _counts(
    rng: np.random.Generator, parents: dict[str, str], periods: list[str], *, mean: float
) -> dict[tuple[str, str, str, str], int]:
    """Draw wards and unplaced parts, and add them up."""
    rows: dict[tuple[str, str, str, str], int] = {}
    totals = sorted(set(parents.values()))  # boroughs before their region
    for period in periods:
        for area in [*sorted(set(parents) - set(totals)), *totals]:
            lone = area in totals
            everything = int(rng.geometric(1 / (1 + (1 if lone else mean))) - 1) if rng.random() < 0.8 else 0
            racist = int(rng.binomial(everything, 0.6))
            for category, count in (("all", everything), ("racist", racist)):
                rows[area, period, category, "incidents_unplaced" if lone else "incidents"] = count
        for category in ("all", "racist"):
            for parent in totals:
                placed = sum(rows[k, period, category, "incidents"] for k, p in parents.items() if p == parent)
                unplaced = rows[parent, period, category, "incidents_unplaced"]
                rows[parent, period, category, "incidents"] = placed + unplaced
    return rows


def shown(cells: pd.DataFrame, *, threshold: int) -> list[tuple[str, str, str, str, int | str]]:
    """Write the released table as a reader finds it."""
    marks = {"withheld": "withheld", "not offered by rule": "withheld", "band": f"<{threshold}"}
    return [
        (a, p, c, m, marks.get(state, value))
        for a, p, c, m, value, state in cells[
            ["area_code", "period", "category", "measure", "value", "state"]
        ].itertuples(index=False)
    ]
