"""A small city whose extract grows month by month, with records that come late, and runs over it."""

import copy
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from pipeline.domain.periods import Period, add_months, month_range
from pipeline.stages.runner import Outcome, run
from tests.kit.city import LIGHT, X0, Y0, write_city

FIRST = 202201
COLUMNS = ["id", "date", "easting", "northing", "borough", "strand", "online", "outcome"]
LATE_MONTHS = 2  # one record in eight is seen this much later: what was counted before then changes


def all_rows(last: int = 202512, *, seed: int = 7) -> pd.DataFrame:
    """Draw every record to the last month, with the month (yyyymm) that it is first seen in."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for month in month_range(FIRST, last):
        for ward, (x, borough, mean) in enumerate(((0, "Ashby", 9.0), (1000, "Ashby", 4.0), (2000, "Barton", 6.0))):
            for _ in range(int(rng.poisson(mean))):
                day, east, north = int(rng.integers(1, 28)), rng.uniform(x + 20, x + 980), rng.uniform(20, 980)
                strand = str(rng.choice(["race", "religion", "race;religion"]))
                seen = add_months(month, LATE_MONTHS) if rng.random() < 1 / 8 else month
                date = f"{month // 100}-{month % 100:02d}-{day:02d}"
                about = (round(X0 + east, 1), round(Y0 + north, 1), borough, strand, "no", "charged")
                rows.append((f"G{len(rows):05d}-{ward}", date, *about, seen))
    return pd.DataFrame(rows, columns=[*COLUMNS, "seen"])


PROFILES: list[dict[str, Any]] = [
    {"name": "partner", "audience": "partner", "threshold": 5, "hotspots": False, "density": False},
    {"name": "public", "audience": "public", "threshold": 10, "hotspots": False, "density": False},
]


class Growing:
    """One configuration, run again and again over an extract that grows.

    `changes` are those of `write_city`; `calendars` are the releases of partner and public.
    """

    def __init__(self, folder: Path, *, calendars: tuple[str, str] = ("quarter", "year"), **changes: object) -> None:
        self.folder = folder
        self.rows = all_rows()
        profiles = [p | {"release": c} for p, c in zip(PROFILES, calendars, strict=True)]
        light = {f"detect.{method}.enabled": False for method in ("density", "clusters")}  # no profile shows them
        settings = LIGHT | light | {"profiles": profiles, "periods": {"months": 3}} | changes
        self.config = write_city(folder, **settings)

    def copied(self, folder: Path) -> Self:
        """Return the city in another folder, with its outputs and the ledger beside them."""
        other = copy.copy(self)
        shutil.copytree(self.folder, folder)
        other.folder, other.config = folder, folder / self.config.name
        return other

    def write(self, last: int, *, first: int = FIRST, wards: Iterable[str] = ()) -> None:
        """Write the extract as it was at the end of a month, from a first month on."""
        month = self.rows["date"].str[:7].str.replace("-", "").astype(int)
        chosen = self.rows[(self.rows["seen"] <= last) & (month >= first)]
        if wards:
            chosen = chosen[chosen["id"].str[-1].isin(set(wards))]
        chosen[COLUMNS].to_csv(self.folder / "incidents.csv", index=False)
        text = self.config.read_text("utf-8").splitlines()
        kept = [line for line in text if "last_complete_date" not in line and "last_date" not in line]
        at = next(n for n, line in enumerate(kept) if line.startswith("periods:"))
        end = Period(last, last).end.isoformat()
        kept.insert(at + 1, f"  last_complete_date: '{end}'")
        self.config.write_text("\n".join(kept) + "\n", "utf-8")

    def run(self, last: int, *, pages: bool = False, **options: Any) -> Outcome:
        """Run over the extract as it was at the end of a month: to the release, or with the pages made from it."""
        first = options.pop("first", FIRST)
        self.write(last, first=first)
        if not pages and "start" not in options:
            options["only"] = ("ingest", "aggregate", "detect", "release")
        return run(self.config, progress=lambda *_: None, **options)


def outputs_of(folder: Path) -> dict[str, bytes]:
    """Return everything that a run has left but the two files with timings, by path in its folder."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in files.items() if name not in {"manifest.json", "index.html"}}


KEY = ["area_code", "level", "period", "category"]
ENDS = [f"{measure}_{end}" for measure in ("incidents", "positive_outcomes") for end in ("lower", "upper")]


def numbers(outcome: Outcome, profile: str) -> pd.DataFrame:
    """Return the counts of a profile's release, by row, as pages and area_counts.csv take them from it."""
    frame = pd.read_parquet(outcome.folder / "work" / "release" / profile / "counts.parquet")
    return frame.set_index(KEY)[ENDS].sort_index()


def numbers_shown(outcome: Outcome, profile: str) -> pd.DataFrame:
    """Return what area_counts.csv of a folder shows, by row."""
    frame = pd.read_csv(outcome.folder / profile / "area_counts.csv", dtype=dict.fromkeys(ENDS, "Int64"))
    return frame.set_index(KEY)[ENDS].sort_index()
