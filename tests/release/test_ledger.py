"""The ledger: found by its data, kept twice, only ever added to."""

import dataclasses
import hashlib
import json
import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from pipeline.errors import DisclosureError, EngineError
from pipeline.release.calendar import Before, keep
from pipeline.release.earlier_releases import EarlierRelease
from pipeline.release.ledger import (
    Ledger,
    choose_ledger,
    entry_of,
    key_name,
    ledger_roots,
    ledgers_in,
    make_good,
    new_ledger,
    recorded,
    root_key,
    save_pending,
    state_folder,
)
from pipeline.release.sketches import Sketch, Sketches
from tests.kit.gated import config_of

CELL = ["area_code", "level", "period", "category", "measure"]
CRS = "EPSG:27700"
ROWS = (("B", "borough", 20), ("W1", "ward", 10), ("W2", "ward", None))


def counts(period: str = "2024", rows: tuple[tuple[str, str, int | None], ...] = ROWS, step: int = 10) -> pd.DataFrame:
    period = f"{period}-01..{period}-12"
    frame = pd.DataFrame([(a, level, period, "all", "incidents", low) for a, level, low in rows], columns=[*CELL, "l"])
    lower = frame.pop("l").astype("Int64")
    return frame.astype("str").assign(lower=lower, upper=lower + (step - 1)).sort_values(CELL, ignore_index=True)


def outlines(size: float = 1.0) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"name": ["one"]}, geometry=[shapely.box(0, 0, size, size)], crs=CRS)


def release(**changes: Any) -> EarlierRelease:
    window = ("2024-01..2024-12",)
    made = EarlierRelease(
        run="run", profile="public", audience="public", protection="steps", step=10, headline=window[0],
        data_to=202412, anchor=202412, edition={"B": "wards"}, detail={"all": "ward"},
        series={"borough": window, "ward": window}, incomplete=(), counts=counts(), hotspots=outlines(),
        density=outlines().iloc[:0], circumstances=pd.DataFrame({"area_code": ["R"], "share": [0.5], "n": [None]}),
        notes={"hotspots": "made so"},
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def data(*tokens: str) -> Sketches:
    return Sketches(records=Sketch.of(hashlib.sha256(t.encode()).hexdigest()[:16] for t in tokens))


MINE = tuple(f"record {n}" for n in range(100))


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


def roots_of(outputs: Path, *, synthetic: bool = False) -> tuple[Path, ...]:
    return ledger_roots(outputs, synthetic=synthetic)


def sketched(roots: tuple[Path, ...], *tokens: str) -> dict[str, Sketches]:
    """The same data, as each root's key has it; tokens stand for hashes, which a key changes altogether."""
    return {(name := key_name(root_key(root))): data(*(name + t for t in tokens)) for root in roots}


def let_out(
    outputs: Path, *releases: EarlierRelease, tokens: tuple[str, ...] = MINE, synthetic: bool = False, **choice: str
) -> Ledger:
    """Find the ledger of some data, check releases against it, swap the run in and enter them."""
    roots = roots_of(outputs, synthetic=synthetic)
    sketches = sketched(roots, *tokens)
    ledger, _ = choose_ledger(roots, sketches, **({"source": "", "run": "run"} | choice))
    before, entries = ledger.releases(crs=CRS), []
    for one in releases:
        entry = entry_of(one, ledger, before)
        before.append(one)
        entries += [entry] if entry else []
    building = outputs / ".run.new"
    save_pending(building / "work/release/ledger.json", ledger, entries, sketches=sketches, synthetic=synthetic)
    with recorded(building, outputs=outputs):
        pass
    return ledger


# What a line holds.


def test_a_release_comes_back_as_it_was(outputs: Path) -> None:
    first = release()
    (back,) = let_out(outputs, first).releases(crs=CRS)
    pd.testing.assert_frame_equal(back.counts, first.counts, check_dtype=False)
    pd.testing.assert_frame_equal(back.circumstances, first.circumstances)
    assert back.hotspots.geometry.iloc[0].equals(first.hotspots.geometry.iloc[0])
    assert back.hotspots.crs == first.hotspots.crs
    names = [f.name for f in dataclasses.fields(EarlierRelease)]
    plain = [n for n in names if n not in {"counts", "circumstances"} and "hotspots" not in n and "density" not in n]
    assert {n: getattr(back, n) for n in plain} == {n: getattr(first, n) for n in plain}
    assert back.digest == first.digest


@pytest.mark.slow
def test_an_identical_release_adds_nothing(outputs: Path) -> None:
    let_out(outputs, release())
    assert len(let_out(outputs, release(run="another")).lines()) == 1


@pytest.mark.slow
def test_a_later_release_adds_what_is_new_alone(outputs: Path) -> None:
    let_out(outputs, release())
    both = pd.concat([counts(), counts("2025")], ignore_index=True)
    window = "2025-01..2025-12"
    series = dict.fromkeys(("borough", "ward"), ("2024-01..2024-12", window))
    later = release(counts=both, data_to=202512, headline=window, series=series, hotspots=outlines(2))
    ledger = let_out(outputs, later)
    lines = ledger.lines()
    assert set(lines[1]["numbers"]["period"]["of"]) == {window}
    config = config_of([{"name": "public", "audience": "public", "threshold": 10}])
    kept = keep(Before(tuple(ledger.releases(crs=CRS))), profile=config.profiles[0], config=config, data_to=202512)
    assert kept.last is not None
    pd.testing.assert_frame_equal(
        kept.last.counts.sort_values(CELL, ignore_index=True), later.counts.sort_values(CELL, ignore_index=True),
        check_dtype=False,
    )  # fmt: skip
    assert kept.last.hotspots.geometry.iloc[0].area == 4.0


@pytest.mark.slow
def test_layers_come_in_the_working_system_of_today(outputs: Path) -> None:
    ledger = let_out(outputs, release())
    (back,) = ledger.releases(crs="EPSG:32630")
    assert back.hotspots.crs == "EPSG:32630"
    assert back.hotspots.to_crs(CRS).geometry.iloc[0].centroid.distance(shapely.Point(0.5, 0.5)) < 0.01


# Lines of version 1, as they were before steps.


def old_line() -> dict[str, Any]:
    window, layer = "2024-01..2024-12", {"columns": {}, "kinds": {}, "outlines": []}
    months = [f"2024-{m:02d}" for m in range(1, 13)]
    periods = [window, window, window, *months, window]
    return {
        "digest": "d", "run": "old", "profile": "public", "audience": "public", "threshold": 10, "headline": window,
        "numbers": {
            "area_code": ["W1", "W2", "W3", *["B"] * 12, "B"],
            "level": ["ward"] * 3 + ["borough"] * 13,
            "period": periods,
            "category": ["all"] * 16,
            "measure": ["incidents"] * 16,
            "low": [23, 0, 28, *[12] * 12, 144],
            "high": [23, None, 32, *[12] * 12, 144],
        },
        "spots": [], "layers": {"hotspots": layer, "density": layer}, "before": "",
    }  # fmt: skip


def write_old(outputs: Path, name: str = "run") -> Path:
    path = outputs / ".ledger" / name / "releases.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(old_line(), separators=(",", ":"), sort_keys=True) + "\n", "utf-8")
    return path


def test_a_window_of_version_1_keeps_the_steps_of_its_numbers(outputs: Path) -> None:
    write_old(outputs)
    ledger, how = choose_ledger(roots_of(outputs), sketched(roots_of(outputs), *MINE), source="", run="run")
    assert how == "has the run's name"
    (old,) = ledger.releases(crs=CRS)
    assert old.version == 1
    assert len(old.series["borough"]) == 12  # the year is the sum of its months
    config = config_of([{"name": "public", "audience": "public", "threshold": 10}])
    kept = keep(Before((old,)), profile=config.profiles[0], config=config, data_to=202501)
    found = kept.counts.set_index(["area_code", "period"])
    year = "2024-01..2024-12"
    assert found.loc[("W1", year), ["lower", "upper"]].tolist() == [20, 29]  # 23 was printed
    assert found.loc[("W3", year), ["lower", "upper"]].tolist() == [30, 39]  # 30, rounded to 5, was printed
    assert found.loc[("W2", year), ["lower", "upper"]].isna().all()  # withheld: not offered
    assert found.loc[("B", "2024-03"), ["lower", "upper"]].tolist() == [10, 19]


def test_an_old_ledger_goes_on_with_new_lines(outputs: Path) -> None:
    path = write_old(outputs)
    ledger = let_out(outputs, release(data_to=202501))
    assert [line.get("version", 1) for line in ledger.lines()] == [1, 2]
    assert path.read_text("utf-8").splitlines()[0] == json.dumps(old_line(), separators=(",", ":"), sort_keys=True)
    # From now on it is found by its data, whatever the run is called.
    assert choose_ledger(roots_of(outputs), sketched(roots_of(outputs), *MINE), source="", run="x")[0] == ledger


# Two places.


def test_the_state_folder_is_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "HOTSPOTS_STATE_DIR" in __import__("os").environ  # set for every test
    monkeypatch.setenv("HOTSPOTS_STATE_DIR", "/somewhere")
    assert state_folder() == Path("/somewhere")
    monkeypatch.delenv("HOTSPOTS_STATE_DIR")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state_folder() == Path("/state/hotspots")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == Path.home() / ".local" / "state" / "hotspots"
    monkeypatch.setattr("sys.platform", "darwin")
    assert state_folder() == Path.home() / "Library" / "Application Support" / "hotspots"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert state_folder() == Path("/local/hotspots")


def test_synthetic_data_leave_the_state_folder_alone(outputs: Path) -> None:
    let_out(outputs, release(), synthetic=True)
    assert not state_folder().exists() or not list(state_folder().iterdir())


@pytest.mark.slow
def test_another_folder_of_outputs_finds_the_ledger(outputs: Path, tmp_path: Path) -> None:
    ledger = let_out(outputs, release())
    other = let_out(tmp_path / "other", release(run="another", profile="second"), run="another")
    assert other.identity == ledger.identity
    assert [line["profile"] for line in other.lines()] == ["public", "second"]
    # The first folder has missed a release; it is read from the state folder, and entered here with the next.
    assert [line["profile"] for line in ledger.lines()] == ["public", "second"]
    assert len((ledger.folders[0] / "releases.jsonl").read_text("utf-8").splitlines()) == 1
    let_out(outputs, release(profile="third"))
    assert len((ledger.folders[0] / "releases.jsonl").read_text("utf-8").splitlines()) == 3


@pytest.mark.slow
def test_copies_that_went_apart_are_merged(outputs: Path, tmp_path: Path) -> None:
    ledger = let_out(outputs, release())
    let_out(tmp_path / "other", release(profile="second"))
    shutil.rmtree(state_folder())  # lost; each folder of outputs goes on by itself
    let_out(outputs, release(profile="third"))
    shutil.copytree(outputs / ".ledger", tmp_path / "again" / ".ledger")
    mine = (ledger.folders[0] / "releases.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(t)["profile"] for t in mine] == ["public", "third"]
    theirs = next((tmp_path / "other" / ".ledger").glob("*/releases.jsonl"))
    both = Ledger(ledger.identity, ledger.name, (ledger.folders[0], theirs.parent))
    assert {line["profile"] for line in both.lines()} == {"public", "second", "third"}
    assert len(both.heads().split()) == 2
    both.close("a test")
    assert len(both.heads().split()) == 1
    texts = [(f / "releases.jsonl").read_text("utf-8") for f in both.folders]
    assert texts[0] == texts[1]
    assert both.lines()[-1]["closed"] == "a test"


def test_keys_are_private_and_differ(outputs: Path) -> None:
    let_out(outputs, release())
    keys = [root / ".key" for root in roots_of(outputs)]
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)
    assert keys[0].read_text() != keys[1].read_text()
    about = [json.loads(next(root.glob("*/ledger.json")).read_text()) for root in roots_of(outputs)]
    assert not set(about[0]["sketches"]) & set(about[1]["sketches"])


# Which ledger.


def test_data_that_share_nothing_have_ledgers_of_their_own(outputs: Path) -> None:
    one, two = let_out(outputs, release()), let_out(outputs, release(), tokens=("x", "y"))
    assert one.identity != two.identity
    assert one.name == two.name == "run"


@pytest.mark.parametrize(("shared", "joined"), [(4, False), (5, True), (60, True)])
def test_five_per_cent_in_common_join(outputs: Path, shared: int, joined: bool) -> None:  # noqa: FBT001
    one = let_out(outputs, release())
    tokens = (*MINE[:shared], *(f"other {n}" for n in range(100 - shared)))
    assert (let_out(outputs, release(), tokens=tokens, run="other").identity == one.identity) == joined


@pytest.mark.slow
def test_a_part_and_the_whole_are_the_same_data(outputs: Path) -> None:
    one = let_out(outputs, release())
    assert let_out(outputs, release(), tokens=MINE[:3]).identity == one.identity
    assert let_out(outputs, release(), tokens=(*MINE, *map(str, range(5000)))).identity == one.identity


@pytest.mark.slow
def test_two_that_match_must_be_chosen_by_hand(outputs: Path) -> None:
    one = let_out(outputs, release())
    two = let_out(outputs, release(), tokens=("x", "y"), run="second")
    tokens = (*MINE, "x", "y")
    with pytest.raises(DisclosureError, match=r"disclosure\.data_source") as refused:
        let_out(outputs, release(), tokens=tokens)
    assert refused.value.exit_code == 6
    assert one.identity[:8] in str(refused.value)
    assert let_out(outputs, release(), tokens=tokens, source="second").identity == two.identity
    assert let_out(outputs, release(), tokens=tokens, source=one.identity[:8]).identity == one.identity


def test_data_source_joins_by_hand(outputs: Path) -> None:
    one = let_out(outputs, release(), source="police")
    assert one.name == "police"
    assert let_out(outputs, release(), tokens=("x",), source="police").identity == one.identity


@pytest.mark.slow
def test_another_data_source_does_not_hide_the_same_data(outputs: Path) -> None:
    one = let_out(outputs, release(), source="police")
    assert let_out(outputs, release(), source="elsewhere").identity == one.identity
    few = (*MINE[:20], *(f"other {n}" for n in range(80)))  # chance may explain this much: the name is believed
    assert let_out(outputs, release(), tokens=few, source="elsewhere").identity != one.identity


# What goes wrong: one paragraph, exit 6, nothing written.


def refused(outputs: Path, match: str) -> None:
    before = {p: p.read_bytes() for root in roots_of(outputs) for p in root.rglob("*") if p.is_file()}
    with pytest.raises(DisclosureError, match=match) as error:
        let_out(outputs, release(profile="next"))
    assert error.value.exit_code == 6
    assert "\n" not in str(error.value)
    after = {p: p.read_bytes() for root in roots_of(outputs) for p in root.rglob("*") if p.is_file()}
    assert after == before


@pytest.mark.parametrize("harm", ["cut", "change", "remove", "no json", "no text"])
def test_a_damaged_ledger_is_refused(outputs: Path, harm: str) -> None:
    ledger = let_out(outputs, release(), release(profile="second"))
    path = ledger.folders[0] / "releases.jsonl"
    first, second = path.read_text("utf-8").splitlines()
    spoilt = {
        "cut": [first, second[:50]],
        "change": [first.replace("[0,1", "[1,1", 1), second],
        "remove": [second],
        "no json": [first, "[]"],
        "no text": [],
    }[harm]
    path.write_bytes(b"\xff\xfe" if harm == "no text" else ("\n".join(spoilt) + "\n").encode())
    refused(outputs, "releases.jsonl")


@pytest.mark.parametrize("name", ["releases.jsonl", "ledger.json"])
def test_a_newer_ledger_is_refused(outputs: Path, name: str) -> None:
    ledger = let_out(outputs, release())
    path = ledger.folders[1] / name
    path.write_text(path.read_text("utf-8").replace('"version":2', '"version":3'), "utf-8")
    refused(outputs, "newer version of hotspots")


def test_a_ledger_that_does_not_say_what_it_is_about_is_refused(outputs: Path) -> None:
    ledger = let_out(outputs, release())
    (ledger.folders[0] / "ledger.json").write_text("{}", "utf-8")
    refused(outputs, "not known to which data")


def test_a_damaged_key_is_refused(outputs: Path) -> None:
    let_out(outputs, release())
    (roots_of(outputs)[0] / ".key").write_text("short", "ascii")
    refused(outputs, r"\.key is damaged")


def test_a_state_folder_that_cannot_be_written_is_refused(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv("HOTSPOTS_STATE_DIR", str(tmp_path / "file" / "state"))
    with pytest.raises(DisclosureError, match="HOTSPOTS_STATE_DIR") as error:
        let_out(outputs, release())
    assert error.value.exit_code == 6


def test_a_disk_that_turns_read_only_stops_the_run_before_the_swap(
    outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = let_out(outputs, release())
    before = [(f / "releases.jsonl").read_bytes() for f in ledger.folders]

    def full(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system", str(path))

    entry = entry_of(release(profile="next"), ledger, ledger.releases(crs=CRS))
    assert entry is not None
    building = outputs / ".run.new"
    save_pending(building / "work/release/ledger.json", ledger, [entry], sketches={}, synthetic=False)
    monkeypatch.setattr("pipeline.release.ledger.write_bytes", full)
    with pytest.raises(DisclosureError, match="Read-only file system"), recorded(building, outputs=outputs):
        pytest.fail("the swap must not happen")
    assert [(f / "releases.jsonl").read_bytes() for f in ledger.folders] == before


def test_nothing_is_recorded_when_the_swap_fails(outputs: Path) -> None:
    ledger = let_out(outputs, release())
    entry = entry_of(release(profile="next"), ledger, ledger.releases(crs=CRS))
    building = outputs / ".run.new"
    save_pending(building / "work/release/ledger.json", ledger, [entry or {}], sketches={}, synthetic=False)
    with pytest.raises(OSError, match="disk"), recorded(building, outputs=outputs):
        raise OSError("disk")
    assert len(ledger.lines()) == 1
    assert not list(outputs.rglob("*.next"))
    with recorded(building, outputs=outputs):
        pass
    assert len(ledger.lines()) == 2


def test_a_run_that_died_after_its_swap_is_entered_later(outputs: Path) -> None:
    roots = roots_of(outputs)
    ledger = new_ledger("run", roots)
    entry = entry_of(release(), ledger, [])
    place = outputs / "run"
    sketches = sketched(roots, *MINE)
    save_pending(place / "work/release/ledger.json", ledger, [entry or {}], sketches=sketches, synthetic=False)
    for _ in range(2):
        make_good(place, outputs=outputs)
        assert len(ledger.lines()) == 1
    assert choose_ledger(roots, sketches, source="", run="x")[0].identity == ledger.identity


@pytest.mark.slow
def test_a_run_checked_against_an_older_ledger_is_refused(outputs: Path) -> None:
    ledger = let_out(outputs, release())
    mine = outputs / ".mine.new"
    entry = entry_of(release(profile="mine"), ledger, ledger.releases(crs=CRS))
    save_pending(mine / "work/release/ledger.json", ledger, [entry or {}], sketches={}, synthetic=False)
    let_out(outputs, release(profile="theirs"))
    with pytest.raises(DisclosureError, match="run again"), recorded(mine, outputs=outputs):
        pytest.fail("the swap must not happen")
    assert len(ledger.lines()) == 2


def _hold(folder: str, ready: Any, done: Any) -> None:
    from pipeline.release.ledger import _locked

    with _locked([Path(folder)]):
        ready.set()
        done.wait(60)


@pytest.mark.slow
def test_ledgers_are_held_by_one_run_at_a_time(outputs: Path) -> None:
    let_out(outputs, release())
    spawn = multiprocessing.get_context("spawn")
    ready, done = spawn.Event(), spawn.Event()
    other = spawn.Process(target=_hold, args=(str(roots_of(outputs)[0]), ready, done))
    other.start()
    assert ready.wait(60)
    with pytest.raises(EngineError, match="another run is adding its releases"):
        let_out(outputs, release(profile="next"))
    done.set()
    other.join(60)
    assert len(let_out(outputs, release(profile="next")).lines()) == 2


# Forgetting.


def test_a_forgotten_ledger_binds_nobody_but_is_found(outputs: Path) -> None:
    ledger = let_out(outputs, release())
    ledger.close("nothing was handed over")
    assert ledger.releases(crs=CRS) == []
    assert ledger.epoch() == ([], True)
    again = let_out(outputs, release())
    assert again.identity == ledger.identity
    assert [("closed" in line) for line in again.lines()] == [False, True, False]
    assert len(again.releases(crs=CRS)) == 1


def test_ledgers_are_listed_by_name(outputs: Path) -> None:
    let_out(outputs, release(), source="b")
    let_out(outputs, release(), tokens=("x",), source="a")
    assert [c.ledger.name for c in ledgers_in(roots_of(outputs))] == ["a", "b"]
