"""What areas of each level are called, as the configuration has it."""

from pipeline.config import AreaFile, Areas
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
    if wards is None:
        # One level: no area has the lower one, and sentences about the smallest areas are about these.
        only = boroughs or AreaFile(path="")
        one = _one_and_many(only.label, only.label_plural, default="borough")
        return {Level.REGION.value: ("region", "regions"), Level.BOROUGH.value: one, Level.WARD.value: one}
    if boroughs is None:
        large = _one_and_many(wards.parent_label, wards.parent_label_plural, default="borough")
    else:
        large = _one_and_many(boroughs.label, boroughs.label_plural, default="borough")
    small = _one_and_many(wards.label, wards.label_plural, default="ward")
    return {Level.REGION.value: ("region", "regions"), Level.BOROUGH.value: large, Level.WARD.value: small}


def _one_and_many(one: str, many: str, *, default: str) -> tuple[str, str]:
    """Return the word for one area and for many: by the rules of English, unless the plural is given.

    >>> [_one_and_many(word, "", default="ward")[1] for word in ("", "city", "parish", "valley")]
    ['wards', 'cities', 'parishes', 'valleys']
    """
    word = one or default
    if many:
        return word, many
    if word[-1:] in "yY" and word[-2:-1].lower() not in set("aeiou"):
        return word, word[:-1] + "ies"
    return word, word + ("es" if word.lower().endswith(("s", "x", "z", "ch", "sh")) else "s")
