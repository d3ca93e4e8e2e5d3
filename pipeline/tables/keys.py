"""Values of key columns: levels of areas, measures, and how an incident is located."""

from enum import StrEnum

__all__ = ["RESIDENTS", "Level", "Measure", "Place", "Precision"]

RESIDENTS = "residents"
"""What rates are divided by unless `areas.population[].measure` names another base."""


class Level(StrEnum):
    """Level of an area, from the largest: each consists of areas of the next.

    These are roles: `WARD` is the smallest level and `BOROUGH` the one that contains it, whatever `areas.levels` calls
    them. `THIRD` and `FOURTH` are sums of boroughs: of counts, and in released folders of the ranges that these are in.

    A `WARD_GROUP` exists only in released folders: neighbouring wards of one borough, for categories that are too rare
    for wards. Inputs and internal results do not contain it.
    """

    REGION = "region"
    FOURTH = "level_4"
    THIRD = "level_3"
    BOROUGH = "borough"
    WARD_GROUP = "ward_group"
    WARD = "ward"


class Measure(StrEnum):
    """A measure, with the name of its column. The configuration offers the first two; the others follow from them."""

    INCIDENTS = "incidents"
    POSITIVE_OUTCOMES = "positive_outcomes"
    KNOWN_OUTCOMES = "known_outcomes"
    INCIDENTS_UNPLACED = "incidents_unplaced"


class Place(StrEnum):
    """How an incident is located. A `POINT` is in a ward; an `AREA` has no usable point but names a ward.

    A `BOROUGH` has no usable point and names only its borough. Only a `POINT` is used by methods that need points
    (density, clusters, cells, pairs), and of these only those with a `Precision` that the settings accept.
    `NOT_COVERED` is in an area that, according to the settings, the data does not cover: like an incident `OUTSIDE` all
    areas it is accounted for, but part of no count, rate or method.
    """

    POINT = "point"
    OUTSIDE = "outside"
    NOT_COVERED = "not_covered"
    AREA = "area"
    BOROUGH = "borough"
    NONE = "none"


class Precision(StrEnum):
    """How precisely an incident's location is known, from the finest.

    A `POINT` has coordinates, or a reference to the National Grid to 10 m or better. The others with coordinates lie in
    the middle of a square or of a postcode, so that all incidents there have the same coordinates: methods that need
    points use them only if `detect.precision` lists them. `AREA` and `BOROUGH` have no coordinates.
    """

    POINT = "point"
    SQUARE_100M = "square_100m"
    POSTCODE = "postcode"
    SQUARE_1KM = "square_1km"
    SQUARE_10KM = "square_10km"
    AREA = "area"
    BOROUGH = "borough"
