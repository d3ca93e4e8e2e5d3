"""How much area a method may mark: a share of the study area, square kilometres, or cells of a stated size."""

import re
from dataclasses import dataclass
from typing import Self

from pipeline.errors import InputError

__all__ = ["Target"]

FOOT_M = 0.3048  # the international foot, exact
_NUMBER = r"(\d+(?:\.\d+)?)"
_PER_CENT = re.compile(rf"{_NUMBER} ?%")
_KM2 = re.compile(rf"{_NUMBER} ?(?:km2|km²)")
_CELLS = re.compile(rf"(\d+) cells? of {_NUMBER} ?(m|ft)")


@dataclass(frozen=True, slots=True)
class Target:
    """An area to mark.

    Attributes
    ----------
    text
        As configured: ``"5 %"``, ``"0.75 km2"``, ``"20 cells of 600 ft"``.
    pct
        Share of the study area in per cent, or None.
    km2
        Square kilometres, or None.
    """

    text: str
    pct: float | None
    km2: float | None

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a target.

        Raises
        ------
        InputError
            If the text has none of the three forms, or is not over 0 and at most 100 %.

        Examples
        --------
        20 cells of 600 ft are 7.2 million square feet, about the least that the forecasts of the challenge of the
        National Institute of Justice (2017) could mark.

        >>> round(Target.read("20 cells of 600 ft").area_km2(1_000.0), 4)
        0.6689
        >>> Target.read("5%").area_km2(40.0)
        2.0
        """
        plain = text.strip()
        if (found := _PER_CENT.fullmatch(plain)) and 0 < (pct := float(found[1])) <= 100:
            return cls(f"{pct:g} %", pct, None)
        if (found := _KM2.fullmatch(plain)) and (km2 := float(found[1])) > 0:
            return cls(f"{km2:g} km2", None, km2)
        if found := _CELLS.fullmatch(plain):
            side_m = float(found[2]) * (FOOT_M if found[3] == "ft" else 1.0)
            if (km2 := int(found[1]) * side_m**2 / 1e6) > 0:
                return cls(f"{int(found[1])} cells of {float(found[2]):g} {found[3]}", None, km2)
        raise InputError(
            f"{text!r} is no area to mark: write a share such as '5 %', an area such as '0.75 km2', or cells such as "
            "'20 cells of 600 ft'"
        )

    def area_km2(self, total_km2: float) -> float:
        """Return the area, square kilometres, in a study area of `total_km2`.

        Raises
        ------
        InputError
            If it is larger than the study area.
        """
        area = total_km2 * self.pct / 100 if self.pct is not None else self.km2 or 0.0
        if area > total_km2:
            raise InputError(
                f"{self.text} are {area:,.2f} km2, and the study area has {total_km2:,.2f} km2: mark less of it"
            )
        return area
