"""The attacker on tables small enough to list all that look the same, and on rules switched off one by one."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tests.attack.attacker import Verdict, attack
from tests.attack.checks import counts_inside_ranges, outlines_off_the_lattice, ranks_finer_than_steps
from tests.attack.folder import UNPLACED, Folder, Key, joined, read_folder, table
from tests.attack.reference import City, not_offered, write_folder, write_table
from tests.attack.relations import Published

YEAR, EARLIER = "2024-01..2024-12", "2023-01..2023-12"
TREE = {"race": "", "religion": ""}


def at(area: str, category: str) -> Key:
    """Name the incidents of an area and category in the year."""
    return Key(area, YEAR, category, "incidents")


def city(wards: dict[str, int], *, unplaced: int = 0, total: dict[str, int] | None = None, period: str = YEAR) -> City:
    """A borough of some wards, and another, so that the region is the sum of two; all of one category unless named."""
    areas = {"R": ("region", ""), "B": ("borough", "R"), **dict.fromkeys(wards, ("ward", "B"))}
    counts = {Key(w, period, "all", "incidents"): n for w, n in wards.items()}
    counts[Key("B", period, "all", "incidents")] = sum(wards.values()) + unplaced
    counts |= {Key("B", period, c, "incidents"): n for c, n in (total or {}).items()}
    return City(areas, TREE if total else {}, counts, (period,))


def folder_of(made: City, path: Path, *, step: int = 5, hidden: set[Key] | None = None) -> Folder:
    return read_folder(write_folder(path, made, step=step, hidden=hidden or set()))


def attacked(folder: Folder, made: City) -> Verdict:
    return attack(folder, Published(made.parents), made.counts)


def test_four_wards_of_four_under_sixteen(tmp_path: Path) -> None:
    """Four wards of at most 4 hold at least 15: each has 3 or 4, and the borough 15 or 16."""
    made = city(dict.fromkeys(("W1", "W2", "W3", "W4"), 4))
    found = attacked(folder_of(made, tmp_path), made)
    assert found.ranges[Key("W1", YEAR, "all", "incidents")] == (3, 4)
    assert found.ranges[Key("B", YEAR, "all", "incidents")] == (15, 16)
    assert len(found.narrow) == 5


@pytest.mark.parametrize("step", [3, 5])
@pytest.mark.parametrize("parts", [2, 3, 4])
def test_ranges_are_those_of_all_tables_that_look_the_same(parts: int, step: int, tmp_path: Path) -> None:
    """Equations of up to four wards: enumeration and linear programmes agree to the last value."""
    tables = {
        "low": (0,) * (parts - 1) + (1,),
        "tight": (step - 1,) * parts,
        "mixed": tuple(range(step - 1, step - 1 + parts)),
        "high": (2 * step - 1,) * (parts - 1) + (1,),
    }
    for name, truth in tables.items():
        made = city({f"W{i}": n for i, n in enumerate(truth)})
        found = attacked(folder_of(made, tmp_path / name, step=step), made)
        ranges = [range(n // step * step, n // step * step + step) for n in truth]
        total = sum(truth) // step * step
        alike = [t for t in product(*ranges) if total <= sum(t) < total + step]
        for i in range(parts):
            own = {t[i] for t in alike}
            assert found.ranges[Key(f"W{i}", YEAR, "all", "incidents")] == (min(own), max(own))
        sums = {sum(t) for t in alike}
        assert found.ranges[Key("B", YEAR, "all", "incidents")] == (min(sums), max(sums))


def test_linked_rows_contain_all_tables_that_look_the_same(tmp_path: Path) -> None:
    """A borough's wards add up, and two categories cover each: every table in the display is within the ranges."""
    wards, categories, step = ("W1", "W2"), ("all", "race", "religion"), 3
    counts = dict(zip((at(w, c) for w in wards for c in categories), (4, 2, 2, 2, 1, 1), strict=True))
    counts |= {at("B", "all"): 6, at("B", "race"): 3, at("B", "religion"): 3}
    areas = {"R": ("region", ""), "B": ("borough", "R"), "W1": ("ward", "B"), "W2": ("ward", "B")}
    made = City(areas, TREE, counts, (YEAR,))
    found = attacked(folder_of(made, tmp_path, step=step), made)
    floors = {k: n // step * step for k, n in counts.items()}
    cells = [at(w, c) for w in wards for c in categories[1:]]
    seen: dict[Key, set[int]] = {}
    for values in product(*(range(floors[k], floors[k] + step) for k in cells)):
        mine = dict(zip(cells, values, strict=True))
        mine |= {at(w, "all"): mine[at(w, "race")] + mine[at(w, "religion")] for w in wards}
        mine |= {at("B", c): mine[at("W1", c)] + mine[at("W2", c)] for c in categories}
        if all(n // step * step == floors[k] for k, n in mine.items()):
            for k, n in mine.items():
                seen.setdefault(k, set()).add(n)
    assert seen
    for key, values in seen.items():
        low, high = found.ranges[key]
        assert low <= min(values)
        assert max(values) <= high


def test_inequalities_alone_narrow_nothing(tmp_path: Path) -> None:
    """Wards that are at most their borough: METHODS, "No equations"."""
    made = city({"W1": 4, "W2": 4, "W3": 4, "W4": 9}, unplaced=3)
    assert attacked(folder_of(made, tmp_path), made).narrow == []


# --- planted mistakes: numbers of a folder changed by hand from the true ones ----------------------------------------

ROOMY = {"W1": 2, "W2": 7, "W3": 1, "W4": 9}


def edited(path: Path, made: City, row: dict[str, str], changes: dict[str, Any], *, step: int = 5) -> Verdict:
    """Change one row of a folder's table and attack it."""
    write_folder(path, made, step=step, hidden=not_offered(made, (step,)))
    rows: list[dict[str, Any]] = list(table(path / "area_counts.csv"))
    chosen = [r for r in rows if row.items() <= r.items()]
    assert len(chosen) == 1
    chosen[0].update(changes)
    for r in rows:
        for column in changes:
            r.setdefault(column, "")
    write_table(path / "area_counts.csv", rows)
    return attacked(read_folder(path), made)


def test_a_careful_folder_gives_nothing(tmp_path: Path) -> None:
    made = city(ROOMY)
    assert attacked(folder_of(made, tmp_path, hidden=not_offered(made, (5,))), made).narrow == []


def test_a_zero_shown_is_found(tmp_path: Path) -> None:
    made = city(ROOMY | {"W5": 0, "W6": 3})
    found = edited(tmp_path, made, {"area_code": "W5", "category": "all"}, {"incidents_lower": 0, "incidents_upper": 0})
    assert found.exact == [Key("W5", YEAR, "all", "incidents")]


def test_a_middle_that_is_the_true_count_is_found(tmp_path: Path) -> None:
    made = city({"W1": 6, "W2": 8, "W3": 9, "W4": 9, "W5": 12})
    found = edited(tmp_path, made, {"area_code": "W1", "category": "all"}, {"incidents": 6})
    assert found.exact == [Key("W1", YEAR, "all", "incidents")]
    assert found.contradictions


def test_a_number_that_stands_in_the_workbook_alone_is_found(tmp_path: Path) -> None:
    """Three wards are as in the table; the fourth has a range of one number in a spreadsheet."""
    made = city(ROOMY)
    write_folder(tmp_path, made, step=5, hidden=not_offered(made, (5,)))
    rows = [r for r in table(tmp_path / "area_counts.csv") if r["area_code"] in ROOMY]
    ends = {r["area_code"]: (int(r["incidents_lower"]), int(r["incidents_upper"])) for r in rows}
    days = f"{YEAR[:7]}-01", f"{YEAR[-7:]}-28"
    for exact in ({}, {"W2": (7, 7)}):
        book = xlsxwriter.Workbook(tmp_path / "tables.xlsx")
        page = book.add_worksheet()
        page.write_row(
            0, 0, ["Area code", "First day", "Last day", "Offences", "Offences: lowest", "Offences: highest"]
        )
        for number, (code, pair) in enumerate((ends | exact).items(), start=1):
            page.write_row(number, 0, [code, *days, "some", *pair])
        book.close()
        found = attacked(read_folder(tmp_path), made)
        assert found.exact == [Key(code, YEAR, "all", "incidents") for code in exact]


def test_an_unplaced_part_that_is_offered_is_found(tmp_path: Path) -> None:
    """Four wards of 4 and 4 in no ward: 20 is more than five times 3, so that each is 4 but for a few."""
    made = city(dict.fromkeys(("W1", "W2", "W3", "W4"), 4), unplaced=4)
    assert attacked(folder_of(made, tmp_path / "careful"), made).narrow == []
    counts = made.counts | {Key("B", YEAR, "all", UNPLACED): 4}
    write_folder(tmp_path / "careless", made, step=5, hidden=set())
    rows = [
        r | {f"{UNPLACED}_lower": "", f"{UNPLACED}_upper": ""} for r in table(tmp_path / "careless" / "area_counts.csv")
    ]
    rows[0] |= {f"{UNPLACED}_lower": "0", f"{UNPLACED}_upper": "4"}
    assert rows[0]["area_code"] == "B"
    write_table(tmp_path / "careless" / "area_counts.csv", rows)
    found = attack(read_folder(tmp_path / "careless"), Published({}), counts)
    assert Key("W1", YEAR, "all", "incidents") in found.exact


def wards_of_categories() -> City:
    """Thirty wards whose incidents are of one of two categories or of both."""
    wards = [f"W{i}" for i in range(30)]
    areas = {"R": ("region", ""), "B": ("borough", "R"), **dict.fromkeys(wards, ("ward", "B"))}
    counts = {Key(w, YEAR, c, "incidents"): n for w in wards for c, n in (("all", 8), ("race", 4), ("religion", 4))}
    counts |= {Key("B", YEAR, c, "incidents"): n for c, n in (("all", 260), ("race", 131), ("religion", 137))}
    return City(areas, TREE, counts, (YEAR,))


@pytest.mark.slow
def test_the_last_part_of_a_union_that_is_offered_is_found(tmp_path: Path) -> None:
    """Of 5 to 9 incidents at most 4 are racist and 4 religious: both are 1 or more."""
    made = wards_of_categories()
    assert attacked(folder_of(made, tmp_path / "careful", hidden=not_offered(made, (5,))), made).narrow == []
    hidden = not_offered(made, (5,), leave_out="last part") - {k for k in made.counts if k.area != "B"}
    found = attacked(folder_of(made, tmp_path / "careless", hidden=hidden), made)
    assert found.ranges[Key("W0", YEAR, "race", "incidents")] == (1, 4)
    assert len(found.narrow) == 90


def test_a_row_rule_switched_off_is_found(tmp_path: Path) -> None:
    made = city(dict.fromkeys(("W1", "W2", "W3", "W4"), 4))
    assert attacked(folder_of(made, tmp_path / "careful", hidden=not_offered(made, (5,))), made).narrow == []
    found = attacked(folder_of(made, tmp_path / "careless", hidden=not_offered(made, (5,), leave_out="room")), made)
    assert len(found.narrow) == 5


def test_two_wards_that_add_up_are_found(tmp_path: Path) -> None:
    made = city({"W1": 4, "W2": 4})
    hidden = not_offered(made, (5,), leave_out="few parts")
    assert Key("W1", YEAR, "all", "incidents") in hidden, "the row rule takes them here"
    assert attacked(folder_of(made, tmp_path), made).narrow


def test_an_audit_switched_off_is_found(tmp_path: Path) -> None:
    """Rows that each have room: wards that add up, a union in one ward, the same categories under the borough."""
    wards = {"W1": (9, 4, 5), "W2": (3, 3, 0), "W3": (4, 4, 0), "W4": (4, 4, 0)}
    areas = {"R": ("region", ""), "B": ("borough", "R"), **dict.fromkeys(wards, ("ward", "B"))}
    counts = {at(w, c): n for w, own in wards.items() for c, n in zip(("all", *TREE), own, strict=True)}
    counts |= {Key("B", YEAR, c, "incidents"): n for c, n in (("all", 20), ("race", 15), ("religion", 5))}
    made = City(areas, TREE, counts, (YEAR,))
    hidden = {Key(w, YEAR, "religion", "incidents") for w in wards}
    found = attacked(folder_of(made, tmp_path, hidden=hidden), made)
    assert found.narrow


def test_what_goes_by_a_rule_that_looks_at_no_count_tells_nothing(tmp_path: Path) -> None:
    """Religion by ward is one of two parts, and in the borough the last of a union: its row is never reckoned with.

    8 in the borough and 4 in each ward have no room in steps of 5, but whoever ran the code on 20, 10 and 10 would see
    the same. Four wards of 4 under 16 are not offered for want of room alone.
    """
    counts = {at("B", c): n for c, n in (("all", 30), ("race", 22), ("religion", 8))}
    counts |= {at(w, c): n for w in ("W1", "W2") for c, n in (("all", 15), ("race", 11), ("religion", 4))}
    areas = {"R": ("region", ""), "B": ("borough", "R"), **dict.fromkeys(("W1", "W2"), ("ward", "B"))}
    made = City(areas, TREE, counts, (YEAR,))
    hidden = not_offered(made, (5,))
    assert {at(a, "religion") for a in ("B", "W1", "W2")} <= hidden
    found = attacked(folder_of(made, tmp_path / "ruled", hidden=hidden), made)
    assert found.markers == 0
    assert found.narrow == []
    four = city(dict.fromkeys(("W1", "W2", "W3", "W4"), 4))
    assert attacked(folder_of(four, tmp_path / "room", hidden=not_offered(four, (5,))), four).markers == 1


def test_windows_that_overlap_are_found(tmp_path: Path) -> None:
    """24 months less 12 months: 5 to 9 in both years, and 15 to 19 in the two together."""
    key, both = Key("W1", YEAR, "all", "incidents"), "2023-01..2024-12"
    counts = {key: 9, key._replace(period=both): 17}
    areas = {"R": ("region", ""), "B": ("borough", "R"), "W1": ("ward", "B")}
    later = City(areas, {}, {key._replace(period=both): 17}, (both,))
    earlier = [City(areas, {}, {key._replace(period=p): n}, (p,)) for p, n in ((EARLIER, 8), (YEAR, 9))]
    counts[key._replace(period=EARLIER)] = 8
    folders = [folder_of(c, tmp_path / str(i)) for i, c in enumerate((*earlier, later))]
    alone = [attack(f, Published({}), counts) for f in folders]
    assert all(v.narrow == [] for v in alone)
    found = attack(joined(*folders), Published({}), counts)
    assert found.ranges[key] == (6, 9)
    assert {k.period for k in found.narrow} == {YEAR, EARLIER, both}


def test_steps_that_do_not_nest_are_found(tmp_path: Path) -> None:
    """5 to 9 for partners and 7 to 13 for the public: 7 to 9 for who has both."""
    made = city({"W1": 8, "W2": 30, "W3": 22, "W4": 41}, unplaced=3)
    partner, public = (folder_of(made, tmp_path / str(t), step=t) for t in (5, 7))
    found = attack(joined(partner, public), Published({}), made.counts, steps=(5, 7))
    assert found.ranges[Key("W1", YEAR, "all", "incidents")] == (7, 9)
    nested = folder_of(made, tmp_path / "10", step=10)
    assert attack(joined(partner, nested), Published({}), made.counts).narrow == []


def test_a_number_in_a_layer_alone_is_found(tmp_path: Path) -> None:
    made = city(dict.fromkeys(("W1", "W2", "W3", "W4"), 4))
    path = write_folder(tmp_path, made, step=5, hidden=not_offered(made, (5,)))
    text = (path / "wards.geojson").read_text("utf-8")
    (path / "wards.geojson").write_text(
        text.replace('"area_code": "W1",', '"area_code": "W1", "incidents_lower": 4, "incidents_upper": 4,'), "utf-8"
    )
    assert Key("W1", YEAR, "all", "incidents") in attacked(read_folder(path), made).exact


def hotspot(rank: int, lower: int, number: int | None, ring: list[list[float]]) -> dict[str, Any]:
    own = {"hotspot_id": f"H{rank:03d}", "rank": rank, "incidents": number, "incidents_band": f"{lower} to {lower + 9}"}
    own |= {"incidents_lower": lower, "incidents_upper": lower + 9}
    return {"properties": own, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def test_hotspots_that_follow_true_counts_are_found() -> None:
    square = [[0.0, 0.0], [0.01, 0.0], [0.01, 0.01], [0.0, 0.01], [0.0, 0.0]]
    assert ranks_finer_than_steps([hotspot(1, 20, 25, square), hotspot(2, 20, 25, square)])
    assert not ranks_finer_than_steps(
        [hotspot(1, 20, 25, square), hotspot(1, 20, 25, square), hotspot(3, 10, 15, square)]
    )
    assert counts_inside_ranges([hotspot(1, 20, 27, square)]) == ["H001: 27"]
    assert not counts_inside_ranges([hotspot(1, 20, 25, square)])
    assert outlines_off_the_lattice([hotspot(1, 20, 25, square)], 250.0) == ["H001"]
