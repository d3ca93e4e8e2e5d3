"""How many incidents each kind of map rests on, and what a run and its pages say of it."""

import pandas as pd

from pipeline.aggregate.precision import Basis

PLACES = pd.DataFrame(
    [
        ("point", "point", False, 40),
        ("point", "postcode", False, 25),
        ("point", "square_1km", False, 5),
        ("outside", "postcode", False, 3),
        ("area", "area", False, 30),
        ("borough", "borough", True, 7),
        ("none", "", False, 9),
    ],
    columns=["place", "place_precision", "online", "incidents"],
)


def test_each_map_has_its_number() -> None:
    found = Basis.of_places(PLACES, accepted=["point"])
    assert found.plain() == {
        "boroughs": 107,
        "wards": 100,
        "density_clusters_hotspots": {
            "precision": ["point"], "incidents": 40, "left_out": {"postcode": 25, "square_1km": 5}
        },
    }  # fmt: skip
    assert Basis.of_quality({"maps": found.plain()}) == found
    assert "rest on 40 of 70 located incidents (25 have a postcode, 5 have a grid reference to 1 km)" in found.caution()


def test_only_pages_of_the_data_owner_have_numbers() -> None:
    found = Basis.of_places(PLACES, accepted=["point"])
    assert "40 of 70" in found.note(exact=True)
    assert not any(c.isdigit() for c in found.note(exact=False).replace("1 km", ""))


def test_nothing_is_said_where_nothing_is_left_out() -> None:
    found = Basis.of_places(PLACES, accepted=["point", "postcode", "square_1km"])
    assert (found.points, found.caution(), found.note(exact=True), found.note(exact=False)) == (70, "", "", "")
    assert Basis.of_quality({"accounting": {}}).note(exact=True) == ""
