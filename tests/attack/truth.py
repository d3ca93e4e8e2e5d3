"""The true counts that the attacker is granted to decide which relations hold: months summed to any window."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from tests.attack.folder import MEASURES, UNPLACED, Folder, Key, months_of, table

NUMBERS = [*MEASURES, UNPLACED]


class Truth(Mapping[Key, int]):
    """True counts by key, of windows as they are asked for; an absent row is a zero.

    Parameters
    ----------
    months
        Rows of area_code, month (year times 100 plus month), category and the counts.
    members
        Group of wards to its wards.
    """

    def __init__(self, months: pd.DataFrame, members: Mapping[str, tuple[str, ...]]) -> None:
        own = months[["area_code", "month", "category", *NUMBERS]].copy()
        own["month"] = own["month"].astype(int)
        numbers = own[NUMBERS].apply(pd.to_numeric).fillna(0).astype("int64")
        self.months = own[["area_code", "month", "category"]].astype({"area_code": str, "category": str}).join(numbers)
        self.members = members
        self.of_period: dict[str, dict[tuple[str, str, str], int]] = {}
        self.extra: dict[Key, int] = {}

    def _window(self, period: str) -> dict[tuple[str, str, str], int]:
        wanted = {int(m.replace("-", "")) for m in months_of(period)}
        sums = self.months[self.months["month"].isin(wanted)].groupby(["area_code", "category"])[NUMBERS].sum()
        return {(a, c, m): int(n) for m in NUMBERS for (a, c), n in sums[m].items()}

    def __getitem__(self, key: Key) -> int:
        """Return a count."""
        if "/" in key.measure:
            return self.extra[key]
        if key.period not in self.of_period:
            self.of_period[key.period] = self._window(key.period)
        own = self.of_period[key.period]
        if key.area in self.members and (key.area, key.category, key.measure) not in own:
            return sum(own.get((w, key.category, key.measure), 0) for w in self.members[key.area])
        return own.get((key.area, key.category, key.measure), 0)

    def __iter__(self) -> Iterator[Key]:
        """Counts of circumstances alone can be listed."""
        return iter(self.extra)

    def __len__(self) -> int:
        """Return the number of counts of circumstances."""
        return len(self.extra)


def truth_of(output: Path, folder: Folder) -> Truth:
    """Read the true counts of a run from its working folder, which never leaves the building.

    Outcomes count up to the month in which they are old enough; which month that is shows in the internal folder.
    """
    members = {code: area.members for code, area in folder.areas.items() if area.members}
    months = pd.read_parquet(output / "work" / "area_months.parquet")
    inside = [r for r in table(output / "internal" / "area_counts.csv") if r["level"] == "region"]
    regions = months[months["area_code"].isin({r["area_code"] for r in inside})].copy()
    for row in (r for r in inside if r["known_outcomes"]):
        own = regions[(regions["area_code"] == row["area_code"]) & (regions["category"] == row["category"])]
        own = own[own["month"].isin([int(m.replace("-", "")) for m in months_of(row["period"])])].sort_values("month")
        sums = own["known_outcomes"].fillna(0).cumsum()
        counted = own["month"][sums <= int(row["known_outcomes"])]
        if len(counted) < len(own) and own["known_outcomes"].iloc[len(counted)] > 0:
            for frame in (months, regions):
                frame.loc[frame["month"] > counted.max(), ["known_outcomes", "positive_outcomes"]] = 0
    return Truth(months, members)
