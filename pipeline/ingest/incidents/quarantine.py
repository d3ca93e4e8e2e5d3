"""The rules that refuse a row, in the order in which they are applied, and their reasons in words."""

__all__ = ["PLACE_RULES", "RULES", "rule_code"]

RULES: dict[str, str] = {
    "malformed": "The row cannot be read: it has more or fewer cells than columns, or its quotes do not close.",
    "geometry": "The geometry is not a point.",
    "date_missing": "No date is given.",
    "date_unreadable": "The date is none in the form of this column.",
    "date_early": "The date is before the first one accepted (first_date).",
    "date_future": "The date is after the day of the extract (last_date).",
    "category_unknown": "A category is given that is not in the configuration.",
    "coordinates_half": "One coordinate is given without the other.",
    "coordinates_unreadable": "A coordinate is not a number.",
    "not_finite": "A coordinate is not a finite number.",
    "zero": "Both coordinates are 0, which stands for no place.",
    "swapped": "The coordinates lie in the areas only if they are exchanged.",
    "far": "The place is more than 50 km from every area, or outside the extent given for the source.",
}
PLACE_RULES = ("geometry", "coordinates_half", "coordinates_unreadable", "not_finite", "zero", "swapped", "far")

_CODES = {name: code for code, name in enumerate(RULES, start=1)}


def rule_code(name: str) -> int:
    """Return the number of a rule; 0 stands for a row that none refuses."""
    return _CODES[name]
