"""Which incidents each kind of map rests on, by how precisely their locations are known.

Wards, boroughs and the region count every incident that can be placed in them. Density, clusters, hotspots and the
other methods that need points use only incidents whose precision `detect.precision` accepts: all incidents of a
postcode have the same coordinates, which would make a hotspot of every busy postcode.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pipeline.tables import Place, Precision

__all__ = ["PRECISION_WORDS", "Basis"]

PRECISION_WORDS = {
    Precision.POINT: "coordinates",
    Precision.SQUARE_100M: "a grid reference to 100 m",
    Precision.POSTCODE: "a postcode",
    Precision.SQUARE_1KM: "a grid reference to 1 km",
    Precision.SQUARE_10KM: "a grid reference to 10 km",
}


@dataclass(frozen=True, slots=True)
class Basis:
    """Numbers of incidents behind the maps, over all data.

    Attributes
    ----------
    accepted
        Precisions that the methods that need points accept.
    points
        Incidents with an accepted precision inside the areas, online ones left out.
    left_out
        Other incidents with coordinates inside the areas, by precision.
    wards, boroughs
        Incidents placed in a ward, and in a borough at least; no number of wards if there are none.

    Examples
    --------
    >>> basis = Basis(accepted=("point",), points=40, left_out={"postcode": 60}, wards=110, boroughs=120)
    >>> basis.note(exact=False)
    'Density and hotspots show only incidents with coordinates; incidents with a postcode count in the areas alone.'
    """

    accepted: tuple[str, ...]
    points: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    wards: int | None = None
    boroughs: int = 0

    @classmethod
    def of_places(cls, places: pd.DataFrame, *, accepted: Sequence[str], one_level: bool = False) -> "Basis":
        """Count it from incidents by place, place_precision and online."""
        by_place = places.groupby("place")["incidents"].sum()
        in_wards = sum(int(by_place.get(p, 0)) for p in (Place.POINT, Place.AREA))
        points = places[(places["place"] == Place.POINT) & ~places["online"].astype(bool)]
        found = points.groupby("place_precision")["incidents"].sum()
        numbers = {p.value: int(found.get(p, 0)) for p in Precision}
        return cls(
            accepted=tuple(accepted),
            points=sum(numbers[p] for p in accepted),
            left_out={p: n for p, n in numbers.items() if n and p not in accepted},
            wards=None if one_level else in_wards,
            boroughs=in_wards + int(by_place.get(Place.BOROUGH, 0)),
        )

    @classmethod
    def of_quality(cls, quality: Mapping[str, Any]) -> "Basis":
        """Read it from the content of quality.json; published counts have no points."""
        kept = quality.get("maps")
        if kept is None:
            return cls(accepted=())
        points = kept["density_clusters_hotspots"]
        return cls(
            tuple(points["precision"]), points["incidents"], points["left_out"], kept.get("wards"), kept["boroughs"]
        )

    def plain(self) -> dict[str, Any]:
        """Return what quality.json says of it, under `maps`."""
        points = {"precision": list(self.accepted), "incidents": self.points, "left_out": dict(self.left_out)}
        wards = {} if self.wards is None else {"wards": self.wards}
        return {"boroughs": self.boroughs, **wards, "density_clusters_hotspots": points}

    def caution(self) -> str:
        """Write the warning of a run; empty if nothing is left out."""
        if not self.left_out:
            return ""
        every = self.points + sum(self.left_out.values())
        listed = ", ".join(f"{n:,} have {PRECISION_WORDS[Precision(p)]}" for p, n in self.left_out.items())
        return (
            f"Density, clusters and hotspots rest on {self.points:,} of {every:,} located incidents ({listed}): many "
            "incidents share one such location, which would make a hotspot of it. All of them count in the areas. "
            "detect.precision sets which locations these methods use."
        )

    def note(self, *, exact: bool) -> str:
        """Write what pages say of it; empty if nothing is left out.

        Parameters
        ----------
        exact
            With numbers. They come from counts that were not released, so only the data owner's pages have them.
        """
        if not self.left_out:
            return ""
        used = _either([PRECISION_WORDS[Precision(p)] for p in self.accepted])
        others = _either([PRECISION_WORDS[Precision(p)] for p in self.left_out])
        if exact:
            every = self.points + sum(self.left_out.values())
            return (
                f"Density and hotspots rest on {self.points:,} of {every:,} located incidents, those with {used}; the "
                f"others have {others} and count in the areas alone."
            )
        return (
            f"Density and hotspots show only incidents with {used}; incidents with {others} count in the areas alone."
        )


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
