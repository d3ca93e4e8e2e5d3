"""Two levels of areas: the upper one made from the lower, and how far a given upper level disagrees with it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.areas.shapes import Geometries, check_codes, checked_shapes

__all__ = ["LevelAgreement", "dissolve", "level_agreement", "overlap_km2"]

M2_PER_KM2 = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class LevelAgreement:
    """How a given upper level agrees with the one its members make up.

    Attributes
    ----------
    codes
        Upper codes found on either side, sorted.
    only_in_members_km2
        Per code, what its members cover and the given outline does not, square kilometres.
    only_in_given_km2
        Per code, what the given outline covers and its members do not, square kilometres.
    """

    codes: tuple[str, ...]
    only_in_members_km2: NDArray[np.float64]
    only_in_given_km2: NDArray[np.float64]

    @property
    def disagreement_km2(self) -> float:
        """Everything covered on one side only, summed over the codes, square kilometres."""
        return float(self.only_in_members_km2.sum() + self.only_in_given_km2.sum())


def dissolve(geometries: Geometries, parent_codes: Sequence[str]) -> tuple[tuple[str, ...], Geometries]:
    """Join areas that share a parent.

    Parameters
    ----------
    geometries
        Valid polygons or multipolygons.
    parent_codes
        The code of each one's parent.

    Returns
    -------
    codes
        Distinct parent codes, sorted.
    joined
        One shape per code.

    Raises
    ------
    InputError
        If a geometry cannot be used, or the lengths differ.
    """
    shapes = checked_shapes(geometries, parent_codes)
    codes = check_codes(sorted(set(parent_codes)))
    parents = np.array(parent_codes, dtype=object)
    joined = np.empty(len(codes), dtype=object)
    for at, code in enumerate(codes):
        joined[at] = shapely.normalize(shapely.union_all(shapes[parents == code]))
    return codes, joined


def level_agreement(
    geometries: Geometries,
    parent_codes: Sequence[str],
    *,
    given: Geometries,
    given_codes: Sequence[str],
) -> LevelAgreement:
    """Measure where the outlines given for an upper level disagree with those that its members make up.

    Parameters
    ----------
    geometries, parent_codes
        The lower level, in metres, and the parent of each.
    given, given_codes
        The upper level as its own file has it, in the same projection.

    Raises
    ------
    InputError
        If a geometry cannot be used or a given code repeats.
    """
    made_codes, made = dissolve(geometries, parent_codes)
    upper_codes = check_codes(given_codes)
    ours = dict(zip(made_codes, made, strict=True))
    theirs = dict(zip(upper_codes, checked_shapes(given, upper_codes), strict=True))
    nothing = shapely.Polygon()
    codes = tuple(sorted(set(ours) | set(theirs)))
    left = np.array([ours.get(code, nothing) for code in codes], dtype=object)
    right = np.array([theirs.get(code, nothing) for code in codes], dtype=object)
    return LevelAgreement(
        codes,
        shapely.area(shapely.difference(left, right)) / M2_PER_KM2,
        shapely.area(shapely.difference(right, left)) / M2_PER_KM2,
    )


def overlap_km2(geometries: Geometries) -> float:
    """Area covered more than once, each time counted, square kilometres; 0 for a clean partition."""
    shapes = np.asarray(geometries, dtype=object)
    excess = float(shapely.area(shapes).sum() - shapely.area(shapely.union_all(shapes))) / M2_PER_KM2
    return max(round(excess, 9), 0.0)
