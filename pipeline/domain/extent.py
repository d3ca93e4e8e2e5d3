"""How much of the data lies inside the areas: where much of it does not, every count says which part it speaks of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["NOTED_PCT", "Extent"]

NOTED_PCT = 2.0  # below, it is points on the border and slips; above, the files cover more ground than the areas


@dataclass(frozen=True, slots=True)
class Extent:
    """Incidents of the data, and how many of them lie outside all areas.

    Attributes
    ----------
    incidents
        All incidents of the data.
    outside
        Those with a point outside all areas.
    uncounted
        Others in no total: in areas that are not covered, or with nothing that says they are inside.

    Examples
    --------
    >>> Extent(incidents=200, outside=60).outside_pct
    30.0
    >>> Extent(incidents=200, outside=4).noted
    False
    """

    incidents: int = 0
    outside: int = 0
    uncounted: int = 0

    @classmethod
    def of_quality(cls, quality: Mapping[str, Any]) -> "Extent":
        """Read it from the content of quality.json; published counts have no points, so none of them lies outside."""
        account, without = quality["accounting"], quality.get("without_a_place", {})
        return cls(
            incidents=account.get("incidents", 0),
            outside=account.get("incidents_outside_areas", 0),
            uncounted=account.get("incidents_not_covered", 0) + without.get("in_no_total", 0),
        )

    @property
    def outside_pct(self) -> float:
        """Share outside, in per cent; 0 of no incidents."""
        return 100.0 * self.outside / self.incidents if self.incidents else 0.0

    @property
    def noted(self) -> bool:
        """Whether so many lie outside that every count must say that it speaks of the others."""
        return self.outside_pct > NOTED_PCT

    @property
    def inside_words(self) -> str:
        """How many lie inside, in a clause, for the data owner alone."""
        inside = self.incidents - self.outside - self.uncounted
        return f"{inside:,} of {self.incidents:,} incidents in the data ({self._pct(inside)}) lie inside the areas"

    def caution(self) -> str:
        """Write the warning of a run; empty where few lie outside."""
        if not self.noted:
            return ""
        return (
            f"{self._pct(self.outside)} of the incidents ({self.outside:,} of {self.incidents:,}) lie outside all "
            f"areas: {self.inside_words}, and every figure, map and method speaks of these alone. If the files are of "
            "a larger area, this is as it should be; otherwise give boundaries of all of it, or check incidents.crs."
        )

    def note(self, *, exact: bool) -> str:
        """Write what pages say of it; empty where few lie outside.

        Parameters
        ----------
        exact
            With numbers. They come from counts that were not released, so only the data owner's pages have them.
        """
        if not self.noted:
            return ""
        if exact:
            return f"{self.inside_words}; the figures count these alone."
        return "The data holds incidents outside the areas shown; the figures count only those inside."

    def _pct(self, part: int) -> str:
        share = 100.0 * part / self.incidents
        return f"{share:.0f} %" if 1 <= share <= 99 else f"{share:.1f} %"
