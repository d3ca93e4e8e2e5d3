"""Values of key columns: the levels of areas, what is counted in them, and how an incident is placed."""

from enum import StrEnum

__all__ = ["Level", "Measure", "Place"]


class Level(StrEnum):
    """Level of an area, from the largest: each is made up of areas of the next.

    A `WARD_GROUP` is made for released folders alone: neighbouring wards of one borough, for categories too rare for
    wards. What is read and what is internal know nothing of it.
    """

    REGION = "region"
    BOROUGH = "borough"
    WARD_GROUP = "ward_group"
    WARD = "ward"


class Measure(StrEnum):
    """What a count counts, named as its column. The configuration offers the first two; the others follow from them."""

    INCIDENTS = "incidents"
    POSITIVE_OUTCOMES = "positive_outcomes"
    KNOWN_OUTCOMES = "known_outcomes"
    INCIDENTS_UNPLACED = "incidents_unplaced"


class Place(StrEnum):
    """How an incident is placed. A `POINT` is in a ward, and so is an `AREA`, which has no usable point but names one.

    `BOROUGH` has no usable point and names its borough alone. Only a `POINT` enters what needs points: density,
    clusters, cells, pairs. `NOT_COVERED` lies in an area that the settings say the data does not cover: like one
    `OUTSIDE` all areas it is accounted for, and is part of no count, rate or method.
    """

    POINT = "point"
    OUTSIDE = "outside"
    NOT_COVERED = "not_covered"
    AREA = "area"
    BOROUGH = "borough"
    NONE = "none"
