"""What areas of each level are called, as the configuration has it."""

from pipeline.config import Areas
from pipeline.tables import Level

__all__ = ["level_words"]


def level_words(areas: Areas) -> dict[str, tuple[str, str]]:
    """Return what an area of each level is called in sentences, one and many.

    The large areas have words of their own in their file, or, where they are put together from the small ones, in the
    file of these.

    Examples
    --------
    >>> from pipeline.config import AreaFile
    >>> precincts = AreaFile(path="precincts.gpkg", label="precinct", parent_label="city", parent_label_plural="cities")
    >>> level_words(Areas(wards=precincts))["borough"], level_words(Areas(wards=precincts))["ward"]
    (('city', 'cities'), ('precinct', 'precincts'))
    """
    wards, boroughs = areas.wards, areas.boroughs
    if boroughs is None:
        large = _one_and_many(wards.parent_label, wards.parent_label_plural, default="borough")
    else:
        large = _one_and_many(boroughs.label, boroughs.label_plural, default="borough")
    small = _one_and_many(wards.label, wards.label_plural, default="ward")
    return {Level.REGION.value: ("region", "regions"), Level.BOROUGH.value: large, Level.WARD.value: small}


def _one_and_many(one: str, many: str, *, default: str) -> tuple[str, str]:
    """Return the word for one area and for many: with an s, unless the plural is given."""
    return one or default, many or f"{one or default}s"
