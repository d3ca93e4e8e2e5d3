"""The attacker on outlines, worked by hand: what he finds where an outline says too much."""

from pathlib import Path

import pytest
import shapely
import shapely.geometry

from tests.attack.attacker import attack
from tests.attack.folder import Area, Folder, Key
from tests.attack.outlines import note_outlines, outline_relations, unexplained_numbers
from tests.attack.relations import Published

PERIOD = "2024-01..2024-12"


def folder_with(first: int, second: int, spot: int) -> Folder:
    """Two wards and a hotspot over both, each count a step of 5 given by its lower end; the borough is not shown."""
    folder = Folder(step=5)
    folder.areas = {
        "R": Area("region", ""),
        "B": Area("borough", "R"),
        "W1": Area("ward", "B"),
        "W2": Area("ward", "B"),
    }
    for code, lower in (("W1", first), ("W2", second)):
        folder.note(Key(code, PERIOD, "all", "incidents"), lower, lower + 4)
    own = {"hotspot_id": "H001", "incidents_lower": spot, "incidents_upper": spot + 4, "ward_codes": "W1;W2"}
    own |= {"first_period": "2024-01", "last_period": "2024-12"}
    folder.layers["hotspots"] = [{"properties": own, "geometry": shapely.geometry.mapping(shapely.box(0, 0, 1, 1))}]
    note_outlines(folder)
    return folder


@pytest.mark.parametrize(
    ("first", "second", "spot", "left"),
    [
        (5, 5, 5, [5, 5, 5]),  # everything can be at its least and at its most
        (0, 0, 5, [4, 4, 4]),  # two wards of at most 4 hold at most 8, and each at least 1
        (0, 5, 10, [4, 4, 4]),  # at most 13; the first at least 10 - 9 = 1, the second at least 10 - 4 = 6
    ],
)
def test_an_outline_over_wards_that_hold_too_little_is_found(
    first: int, second: int, spot: int, left: list[int]
) -> None:
    folder = folder_with(first, second, spot)
    truth = {k: int(s.upper) for k, s in folder.shown.items() if k.area.startswith("W")}
    truth |= {k: spot for k in folder.shown if k.area == "R"}
    found = attack(folder, Published({}), truth, more=outline_relations(folder, {}))
    assert [found.values_left[k] for k in sorted(found.values_left, key=lambda k: k.area != "R")] == left
    assert bool(found.narrow) == (min(left) < 5)


def test_a_number_that_the_layer_lacks_is_found_on_a_page(tmp_path: Path) -> None:
    own = {
        "rank": 1,
        "name": "Bank 7",
        "incidents_lower": 20,
        "incidents_upper": 24,
        "area_km2": 0.312,
        "ward_codes": "W1",
    }
    features = [{"properties": {**own, "hotspot_id": ident}} for ident in ("H001", "H002", "H003")]
    for ident in ("H001", "H002", "H003"):
        more = "<svg aria-label='of them 21 at night'></svg>" if ident == "H002" else ""
        text = (
            f"<p>Hotspot 1 of 3, Bank 7: 20 to 24 on 0.31 km², 12 months. 1 ward. 8.5 km north-east. {ident}</p>{more}"
        )
        (tmp_path / f"{ident}.html").write_text(text, "utf-8")
    assert unexplained_numbers(sorted(tmp_path.glob("*.html")), features, []) == ["H002: 21"]
