"""The ledger: what is out already counts in every later release."""

import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import DisclosureError, EngineError, HotspotsError, InputError
from pipeline.release import protect as gate_protect
from pipeline.release.gate import examine
from pipeline.release.ledger import Ledger, keep_entry, make_good, recorded
from pipeline.release.previous_releases import PreviousRelease, as_previous_release
from pipeline.release.released import Released
from pipeline.stages.runner import run
from tests.kit.city import write_city
from tests.kit.folder_attacker import Book, ranges
from tests.kit.folder_search import Line
from tests.kit.gated import config_of, detected_of, planted, small

pytestmark = pytest.mark.slow

HEADLINE = "2024-01..2024-12"
PARTNER = {"name": "partner", "audience": "partner", "threshold": 5, "borough_period": "fixed"}
PUBLIC = {"name": "public", "audience": "public", "threshold": 10, "rounding": 5, "borough_period": "fixed"}
PARENTS = {"B1W0": "B1", "B1W1": "B1", "B1W2": "B1", "B2W0": "B2", "B2W1": "B2"}


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_protect, "PRUNE_CELLS", 0)


def let_out(
    detected: Any, profile: dict[str, Any], previous: tuple[PreviousRelease, ...] = (), **run_: Any
) -> Released:
    config = config_of([profile], detect={"gistar": {"enabled": False}}, run=run_)
    return examine(detected, profile=config.profiles[0], config=config, previous=previous).released


def year(released: Released, category: str = "all") -> dict[str, int | None]:
    rows = released.counts[(released.counts["period"] == HEADLINE) & (released.counts["category"] == category)]
    return {a: None if pd.isna(n) else int(n) for a, n in zip(rows["area_code"], rows["incidents"], strict=True)}


def town(**counts: int) -> Any:
    return detected_of(
        PARENTS, {(w, 202406, "all"): (n, 0, 0) for w, n in counts.items() if n}, np.random.default_rng(0)
    )


def both(*releases: Released) -> Book:
    """What somebody knows who holds several releases of the same records: all numbers, and how areas nest."""
    book = Book(promise=5)
    for previous in map(as_previous_release, releases):
        for row in previous.cells.itertuples():
            key = (row.area_code, row.period, row.category, row.measure)
            book.narrow(key, row.low, np.inf if pd.isna(row.high) else row.high)
            if pd.isna(row.high):
                book.hidden.add(key)
    book.hidden -= {k for k, (low, high) in book.seen.items() if low == high}
    chain = {**PARENTS, "B1": "R", "B2": "R"}
    for area, period, category, measure in list(book.seen):
        kids = [(k, period, category, measure) for k, p in chain.items() if p == area]
        rest = (area, period, category, "incidents_unplaced")
        if measure == "incidents" and kids and rest in book.seen and all(k in book.seen for k in kids):
            whole = {(area, period, category, measure): 1.0, rest: -1.0, **dict.fromkeys(kids, -1.0)}
            book.lines.append(Line(whole, 0, 0))
    return book


def test_an_identical_release_adds_nothing(tmp_path: Path) -> None:
    config = write_city(tmp_path, **{"page.briefings": False})
    outcome = run(config, progress=lambda *_: None)
    ledger = Ledger.of(tmp_path / "outputs", source="city")
    assert [(line["profile"], line["audience"]) for line in ledger.lines()] == [("public", "public")]
    before = (outcome.folder / "public" / "area_counts.csv").read_bytes()
    run(config, progress=lambda *_: None, force=True)
    assert len(ledger.lines()) == 1
    assert (outcome.folder / "public" / "area_counts.csv").read_bytes() == before


def test_the_ledger_holds_published_numbers_only(tmp_path: Path) -> None:
    released = let_out(planted({"B1W0": 40, "B1W1": 3, "B1W2": 30}), PARTNER)
    keep_entry(tmp_path / "work" / "release" / "partner", as_previous_release(released), source="s", head="", order=1)
    make_good(tmp_path, outputs=tmp_path)
    (line,) = Ledger.of(tmp_path, source="s").lines()
    numbers = pd.DataFrame(line["numbers"])
    small_ward = numbers[(numbers["area_code"] == "B1W1") & (numbers["period"] == HEADLINE)]
    told = small_ward[(small_ward["category"] == "all") & (small_ward["measure"] == "incidents")]
    assert told["low"].tolist() == [0]
    assert told["high"].isna().all()
    (back,) = Ledger.of(tmp_path, source="s").releases(areas=released.areas)
    assert back.digest == as_previous_release(released).digest
    pd.testing.assert_frame_equal(back.cells, as_previous_release(released).cells, check_dtype=False)


def test_a_record_that_came_late_is_not_the_difference_of_two_releases() -> None:
    before, after = town(B1W0=40, B1W1=30, B2W0=25, B2W1=12), town(B1W0=41, B1W1=30, B2W0=25, B2W1=12)
    first = let_out(before, PARTNER)
    alone = let_out(after, PARTNER)
    assert (year(first)["B1W0"], year(alone)["B1W0"]) == (40, 41)  # one late record of one victim
    second = let_out(after, PARTNER, (as_previous_release(first),))
    shown = year(second)
    assert shown["B1W0"] is None
    assert shown["B1"] is None
    assert shown["R"] is None
    assert shown["B2W0"] == 25


def test_the_release_of_an_earlier_month_stands_again_unchanged() -> None:
    detected = town(B1W0=40, B1W1=3, B1W2=8, B2W0=25, B2W1=12)
    first = let_out(detected, PARTNER)
    other = let_out(detected, {**PARTNER, "name": "b", "scope": ["B1"]}, (as_previous_release(first),))
    again = let_out(detected, PARTNER, (as_previous_release(first), as_previous_release(other)))
    pd.testing.assert_frame_equal(first.counts, again.counts)


def test_a_boroughs_own_folder_beside_londons() -> None:
    """London withholds one borough beside the small one; the borough's own folder must not print it."""
    detected = town(B1W0=3, B2W0=60, B2W1=45)
    london = let_out(detected, PARTNER)
    scope = {**PARTNER, "name": "b2", "scope": ["B2"]}
    assert year(london)["B1"] is None
    assert year(london)["B2"] is None or year(london)["R"] is None
    alone = let_out(detected, scope)
    found = ranges(both(london, alone), enough=5)
    careless = {k for k, (low, high) in found.items() if high - low < 5}
    assert ("B1", HEADLINE, "all", "incidents") in careless  # R - B2: the mistake
    together = let_out(detected, scope, (as_previous_release(london),))
    kept = ranges(both(london, together), enough=5)
    assert {k: v for k, v in kept.items() if v[1] - v[0] < 5} == {}
    assert together.record["earlier_releases"] == 1


def test_a_merged_ward_does_not_give_its_half_back() -> None:
    """The first release shows W1 beside a withheld W2; the next has both as one ward of a new code."""
    first = let_out(town(B1W0=40, B1W1=12, B1W2=3, B2W0=30), PARTNER)
    shown = year(first)
    assert shown["B1W2"] is None
    merged = {**{w: b for w, b in PARENTS.items() if w not in {"B1W1", "B1W2"}}, "B1W9": "B1"}
    counts = {
        ("B1W0", 202406, "all"): (40, 0, 0),
        ("B1W9", 202406, "all"): (15, 0, 0),
        ("B2W0", 202406, "all"): (30, 0, 0),
    }
    detected = detected_of(merged, counts, np.random.default_rng(0))
    second = let_out(detected, PARTNER, (as_previous_release(first),))
    told = {**year(first), "B1W9": year(second)["B1W9"]}
    if told["B1W1"] is not None:  # W9 - W1 would be the small ward
        assert told["B1W9"] is None
    assert second.info.audit == "passed"


def test_a_new_month_of_data_moves_no_window(tmp_path: Path) -> None:
    config = write_city(tmp_path, **{"page.briefings": False})
    run(config, progress=lambda *_: None)
    ledger = Ledger.of(tmp_path / "outputs", source="city")
    windows = set(ledger.lines()[0]["numbers"]["period"])
    with (tmp_path / "incidents.csv").open("a", encoding="utf-8") as file:
        file.write("R900,2025-01-10,530300,180500,Ashby,race,no,no suspect\n")
    write_city_dates = (tmp_path / "config.yaml").read_text("utf-8").replace("2024-12-31", "2025-01-31")
    (tmp_path / "config.yaml").write_text(write_city_dates, "utf-8")
    run(config, progress=lambda *_: None)
    assert {p for line in ledger.lines() for p in line["numbers"]["period"]} == windows


def test_partners_may_hold_what_the_public_holds() -> None:
    detected = small(3, mean=1.0, wards=3)
    public = let_out(detected, PUBLIC)
    partner = let_out(detected, PARTNER, (as_previous_release(public),))
    assert partner.record["earlier_releases"] == 1
    assert let_out(detected, PUBLIC, (as_previous_release(partner),)).record["earlier_releases"] == 0


def test_the_public_release_leaves_partners_none_the_wiser() -> None:
    """A public release made after a partner's must not print what hides the partner's small counts."""
    detected = town(B1W0=3, B1W1=14, B1W2=26, B2W0=40, B2W1=35)
    partner = let_out(detected, PARTNER)
    public = let_out(detected, {**PUBLIC, "rounding": 0}, (as_previous_release(partner),))
    found = ranges(both(partner, public), enough=5)
    assert {k: v for k, v in found.items() if v[1] - v[0] < 5} == {}


def test_outlines_of_a_window_are_released_once() -> None:
    import dataclasses

    from tests.release.test_folder_attack import hotspot_of

    def with_places(n: int) -> Any:
        base = planted({"B1W0": 60, "B1W1": 40})
        hotspots, members = hotspot_of(base, places=n, ward="B1W0")
        return dataclasses.replace(base, hotspots=hotspots, members=members, has_points=True)

    first = let_out(with_places(23), PARTNER)
    later = let_out(with_places(40), PARTNER)
    assert not first.hotspots.geometry.iloc[0].equals(later.hotspots.geometry.iloc[0])  # what would single out records
    again = let_out(with_places(40), PARTNER, (as_previous_release(first),))
    assert again.hotspots.geometry.iloc[0].equals(first.hotspots.geometry.iloc[0])
    assert "as first released" in again.info.hotspot_note
    other = let_out(with_places(40), {**PARTNER, "name": "another"}, (as_previous_release(first),))
    assert len(other.hotspots) == 0


def test_a_ledger_of_another_place_is_refused(tmp_path: Path) -> None:
    released = let_out(planted({"B1W0": 40}), PARTNER)
    keep_entry(tmp_path / "work" / "release" / "partner", as_previous_release(released), source="s", head="", order=1)
    make_good(tmp_path, outputs=tmp_path)
    areas = released.areas.assign(area_code="X" + released.areas["area_code"])
    with pytest.raises(InputError, match="data_source"):
        Ledger.of(tmp_path, source="s").releases(areas=areas)


@pytest.mark.parametrize("harm", ["cut", "change", "remove"])
def test_a_damaged_ledger_is_refused(tmp_path: Path, harm: str) -> None:
    ledger = Ledger.of(tmp_path, source="s")
    for n, ward in enumerate(("B1W0", "B1W1")):
        released = let_out(planted({"B1W0": 40, "B1W1": 30, ward: 50 + n}), PARTNER)
        keep_entry(
            tmp_path / "work" / "release" / "partner",
            as_previous_release(released),
            source="s",
            head=ledger.head,
            order=1,
        )
        make_good(tmp_path, outputs=tmp_path)
    assert len(ledger.lines()) == 2
    lines = ledger.path.read_text("utf-8").splitlines()
    spoilt = {
        "cut": [lines[0], lines[1][:50]],
        "change": [lines[0].replace("50", "51"), lines[1]],
        "remove": [lines[1]],
    }
    ledger.path.write_text("\n".join(spoilt[harm]) + "\n", "utf-8")
    with pytest.raises(InputError, match="ledger is only"):
        ledger.lines()


def test_nothing_is_recorded_when_the_swap_fails(tmp_path: Path) -> None:
    released = let_out(planted({"B1W0": 40}), PARTNER)
    building = tmp_path / ".run.new"
    keep_entry(building / "work" / "release" / "partner", as_previous_release(released), source="s", head="", order=1)
    with pytest.raises(OSError, match="disk"), recorded(building, outputs=tmp_path):
        raise OSError("disk")
    assert Ledger.of(tmp_path, source="s").lines() == []
    with recorded(building, outputs=tmp_path):
        pass
    assert len(Ledger.of(tmp_path, source="s").lines()) == 1


def test_a_run_checked_against_an_older_ledger_is_refused(tmp_path: Path) -> None:
    ledger = Ledger.of(tmp_path, source="s")
    mine, theirs = tmp_path / ".mine.new", tmp_path / ".theirs.new"
    for building, n in ((mine, 40), (theirs, 60)):
        previous = as_previous_release(let_out(planted({"B1W0": n}), PARTNER))
        keep_entry(building / "work" / "release" / "partner", previous, source="s", head=ledger.head, order=1)
    with recorded(theirs, outputs=tmp_path):
        pass
    with pytest.raises(DisclosureError, match="run again"), recorded(mine, outputs=tmp_path):
        pytest.fail("the swap must not happen")
    assert len(ledger.lines()) == 1


def _hold(folder: str, ready: Any, done: Any) -> None:
    with Ledger(Path(folder)).locked():
        ready.set()
        done.wait(20)


def test_the_ledger_is_held_by_one_run_at_a_time(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready, done = spawn.Event(), spawn.Event()
    other = spawn.Process(target=_hold, args=(str(tmp_path / "s"), ready, done))
    other.start()
    assert ready.wait(30)
    with pytest.raises(EngineError, match="another run is releasing"), Ledger(tmp_path / "s").locked():
        pytest.fail("both held it")
    done.set()
    other.join(20)
    with Ledger(tmp_path / "s").locked():
        pass


def test_a_refusal_names_its_cells_in_the_house_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every audit fail: nothing is written, the message has no area in it, the log has."""
    from pipeline.release.audit import AuditResult, audit

    def never_safe(cells: Any, **rest: Any) -> AuditResult:
        found = audit(cells, **rest)
        return AuditResult(False, found.cells.assign(safe=False), found.blocks)

    monkeypatch.setattr(gate_protect, "audit", never_safe)
    monkeypatch.setattr(gate_protect, "WIDENINGS", 1)
    with pytest.raises(HotspotsError) as refusal:
        run(write_city(tmp_path, **{"page.briefings": False}), progress=lambda *_: None)
    assert refusal.value.exit_code == 6
    assert "B1" not in str(refusal.value).replace(str(tmp_path), "")
    log = json.loads((tmp_path / "outputs" / ".city.refused.json").read_text("utf-8"))
    assert {cell["area_code"] for cell in log["cells"]} & {"B", "B1"}
    assert not (tmp_path / "outputs" / "city").exists()
    assert Ledger.of(tmp_path / "outputs", source="city").lines() == []
