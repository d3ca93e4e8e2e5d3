"""What areas of each level are called, as the configuration has it."""

from pipeline.config import AreaLevel, Areas
from pipeline.tables import Level

__all__ = ["level_ids", "level_words"]


def level_ids(areas: Areas) -> dict[str, str]:
    """Return the names in files of levels that have another name than their role, by role.

    Examples
    --------
    >>> named = [{"id": "lsoa", "path": "lsoa.gpkg"}, {"id": "borough", "path": "boroughs.gpkg"}]
    >>> level_ids(Areas(levels=named))
    {'ward': 'lsoa'}
    """
    given = {level: one.file.id for level, one in areas.by_level().items() if isinstance(one.file, AreaLevel)}
    return {level.value: name for level, name in given.items() if name != level}


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
    given, names = areas.by_level(), level_ids(areas)
    words = {Level.REGION: ("region", "regions")}
    for level, one in given.items():
        default = names.get(level, level.value).replace("_", " ")
        words[level] = _one_and_many(one.file.label, one.file.label_plural, default=default)
    if Level.WARD not in given:
        # One level: no area has the lower one, and sentences about the smallest areas are about these.
        words[Level.WARD] = words[Level.BOROUGH]
    elif Level.BOROUGH not in given:
        wards = given[Level.WARD].file
        words[Level.BOROUGH] = _one_and_many(wards.parent_label, wards.parent_label_plural, default="borough")
    return {level.value: words[level] for level in Level if level in words}


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
