"""Circumstances that are out already: what their readers hold, as the ledger keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.aggregate.circumstances import KEYS
from pipeline.rounding import rounding_interval

__all__ = ["Told", "shown_cells"]


@dataclass(frozen=True, slots=True)
class Told:
    """The circumstances of an earlier release, as its readers hold them: `KEYS` and incidents, null where withheld."""

    run: str
    profile: str
    audience: str
    threshold: int
    rounding: int
    headline: str
    counts: pd.DataFrame

    def entry(self) -> dict[str, Any]:
        """Return plain values for the ledger."""
        names = ("run", "profile", "audience", "threshold", "rounding", "headline")
        counts = self.counts.astype(object).where(self.counts.notna(), None)
        return {n: getattr(self, n) for n in names} | {"counts": {c: counts[c].tolist() for c in counts.columns}}

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "Told":
        """Read what `entry` wrote."""
        counts = pd.DataFrame({c: pd.Series(entry["counts"][c], dtype="str") for c in KEYS})
        counts["incidents"] = pd.array(entry["counts"]["incidents"], dtype="Int64")
        return cls(**{k: v for k, v in entry.items() if k != "counts"}, counts=counts)

    def fits(self, counts: pd.DataFrame) -> bool:
        """Whether these counts would show what was shown: then no reader can tell that anything changed."""
        now = counts.set_index(list(KEYS))["incidents"]
        shown = self.counts[self.counts["incidents"].notna()]
        present = now.reindex(pd.MultiIndex.from_frame(shown[list(KEYS)])).to_numpy(dtype=np.float64)
        said = shown["incidents"].to_numpy(dtype=np.int64)
        low, high = said, said
        if self.rounding > 1:
            low, high = rounding_interval(said, base=self.rounding, threshold=self.threshold)
            low, high = np.where(said == 0, 0, low), np.where(said == 0, 0, high)
        return bool(((present >= low) & (present <= high)).all())


def shown_cells(told: Sequence[Told]) -> set[tuple[str, ...]]:
    """Return what readers of earlier releases see: organisation, question, area, answer."""
    return {
        (o, q, a, v)
        for t in told
        for a, o, q, v in t.counts.loc[
            t.counts["incidents"].notna(), ["area_code", "organisation", "question", "answer"]
        ].itertuples(index=False, name=None)
    }
