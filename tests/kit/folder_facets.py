"""What the attacker of a folder reads in circumstances.csv: answers make up what each organisation recorded."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from math import inf

from tests.kit.folder_search import Line

Key = tuple[str, str, str, str]  # area, period, category, and organisation/question/answer
Span = tuple[float, float]
WHOLE = "organisation"


def facets(rows: list[dict], span: Callable[[float], Span]) -> Iterator[tuple[Key, Span | None]]:
    """Read each answer: its key, and what it may be (None: withheld).

    A share and what it is a share of give a count back.
    """
    for row in rows:
        key = _key(row, row["area_code"], row["question"], row["answer"])
        if row["incidents"] != "":
            yield key, span(float(row["incidents"]))
        elif "incidents" in row["withheld"].split(";"):
            yield key, None
            if row["share"] and row["stated"]:
                worked = float(row["share"]) * float(row["stated"])
                yield key, (worked - 0.5, worked + 0.5)


def facet_lines(rows: list[dict], region: str) -> Iterator[Line]:
    """Write down that answers add up to what the organisation recorded, organisations to all, boroughs to no more."""
    answers: dict[tuple[str, ...], list[Key]] = defaultdict(list)
    places: dict[tuple[str, ...], list[Key]] = defaultdict(list)
    totals: dict[Key, list[Key]] = defaultdict(list)
    for row in rows:
        area, question = row["area_code"], row["question"]
        key = _key(row, area, question, row["answer"])
        if question == WHOLE:
            totals[area, row["period"], row["category"], "incidents"].append(key)
        else:
            answers[_key(row, area, WHOLE, row["organisation"])].append(key)
        if area != region:
            places[_key(row, region, question, row["answer"])].append(key)
    for whole, parts in totals.items():
        yield Line({whole: 1.0, **dict.fromkeys(parts, -1.0)}, 0.0, 0.0, ("facets", "organisations"))
    for whole, found in answers.items():
        for question in sorted({key[3].split("/")[1] for key in found}):
            parts = [key for key in found if key[3].split("/")[1] == question]
            yield Line({whole: 1.0, **dict.fromkeys(parts, -1.0)}, 0.0, 0.0, ("facets", question))
    for whole, parts in places.items():
        yield Line({whole: 1.0, **dict.fromkeys(parts, -1.0)}, 0.0, inf, ("facets", "boroughs"))


def questions_of(rows: list[dict]) -> dict[str, dict[str, dict[str, dict[str, Key]]]]:
    """Return the key of every answer by area, organisation, question and answer, as a page may spell them."""
    found: dict[str, dict[str, dict[str, dict[str, Key]]]] = {}
    for row in rows:
        area, question = row["area_code"], row["question"]
        asked = found.setdefault(area, {}).setdefault(row["organisation"].casefold(), {}).setdefault(question, {})
        asked[row["answer"].casefold()] = _key(row, area, question, row["answer"])
    return found


def _key(row: dict, area: str, question: str, answer: str) -> Key:
    return area, row["period"], row["category"], f"{row['organisation']}/{question}/{answer}"
