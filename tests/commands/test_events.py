"""`hotspots run --log-json`: one JSON object a line, from the start of a run to its end or its error."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import app
from pipeline.commands.events import json_events
from pipeline.config.release import LICENCE_TO_WRITE
from pipeline.errors import HotspotsError, InputError
from pipeline.stages.runner import LOG
from tests.kit.city import LIGHT, write_city


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    written = capsys.readouterr().out.splitlines()
    return [json.loads(line) for line in written]


@pytest.mark.slow
def test_the_events_of_a_run_and_of_one_with_nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    public = {"name": "public", "audience": "public", "threshold": 10}
    config = write_city(tmp_path, **LIGHT, **{"page.licence": LICENCE_TO_WRITE, "profiles": [public]})
    words = ["run", "--config", str(config), "--log-json"]
    app([*words, "--profile"], standalone_mode=False)
    events = lines(capsys)
    names = [event["event"] for event in events]
    assert (names[0], names[-1]) == ("run_started", "run_finished")
    stages = ["ingest", "aggregate", "detect", "release", "publish"]
    assert [e["stage"] for e in events if e["event"] == "stage_started"] == stages
    assert [e["stage"] for e in events if e["event"] == "stage_finished"] == stages
    assert events[-1]["exit_code"] == 0
    assert events[-1]["ran"] == stages
    assert events[-1]["folder"] == str(tmp_path / "outputs" / events[0]["run"])
    times = [datetime.fromisoformat(event["time"]) for event in events]
    assert times == sorted(times)
    ends = [e for e in events if e["event"] == "progress" and e["done"] == e["total"]]
    assert {"ingest", "release", "publish"} <= {e["stage"] for e in ends}
    # Cautions are those of the manifest, at the level of warnings.
    manifest = json.loads((tmp_path / "outputs" / events[0]["run"] / "manifest.json").read_text("utf-8"))
    held = [c for s in manifest["stages"].values() for c in (*s["first_cautions"], *s["cautions"])]
    assert held
    assert [e["text"] for e in events if e["event"] == "caution"] == held
    assert {e["level"] for e in events if e["event"] == "caution"} <= {"warning"}
    # The last line of the table adds up all steps: it cannot be more than the run took, nor much less.
    timings = (tmp_path / "outputs" / events[0]["run"] / "work" / "timings.txt").read_text("utf-8").splitlines()
    assert {line.split()[0] for line in timings[1:-1]} >= {"ingest", "detect", "publish"}
    assert events[-1]["seconds"] * 0.9 <= float(timings[-1].split()[1])
    app(words, standalone_mode=False)
    again = lines(capsys)
    assert [event["event"] for event in again] == ["run_started", "run_finished"]
    assert (again[-1]["ran"], again[-1]["fresh"]) == ([], stages)


def test_an_error_is_an_event_and_is_raised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_city(tmp_path, **{"incidents.0.paths": ["away.csv"]})
    with pytest.raises(HotspotsError) as caught:
        app(["run", "--config", str(config), "--log-json"], standalone_mode=False)
    last = lines(capsys)[-1]
    assert (last["event"], last["level"], last["exit_code"]) == ("run_failed", "error", 3)
    assert last["message"] == str(caught.value)
    assert "away.csv" in last["message"]
    assert LOG.handlers == []


def test_a_configuration_that_is_wrong_is_an_event_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HotspotsError):
        app(["run", "--config", str(tmp_path / "none.yaml"), "--log-json"], standalone_mode=False)
    (only,) = lines(capsys)
    assert (only["event"], only["exit_code"]) == ("run_failed", 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("odd")])
def test_what_nobody_foresaw_ends_in_an_event(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(type(error)), json_events():
        raise error
    (only,) = lines(capsys)
    assert (only["event"], only["exit_code"]) == ("run_failed", 1)


def test_progress_is_thinned_but_its_end_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with json_events() as report:
        for done in range(1, 101):
            report("counting", done, 100)
    written = lines(capsys)
    assert len(written) <= 3
    assert (written[-1]["done"], written[-1]["total"], written[-1]["left_s"]) == (100, 100, 0)


def test_what_is_left_of_a_step_follows_from_its_speed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten parts in 20 s leave 90 parts, 180 s; a step of the same name that begins again knows nothing yet."""
    clock = iter([100.0, 120.0, 130.0, 136.0])
    with json_events() as report:
        monkeypatch.setattr("pipeline.commands.events.time.monotonic", lambda: next(clock))
        for done, total in ((0, 100), (10, 100), (0, 4), (3, 4)):
            report("auditing counts", done, total)
        monkeypatch.undo()
    assert [(line["done"], line["left_s"]) for line in lines(capsys)] == [(0, None), (10, 180.0), (0, None), (3, 2.0)]


def test_a_step_whose_end_is_not_known_leaves_open_how_much_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    with json_events() as report:
        for done in range(100, 10_000, 100):
            report("reading rows", done, 0)
        report("reading rows", 5, 10)
    first, *rest = lines(capsys)
    assert (first["done"], first["total"], first["left_s"]) == (100, 0, None)
    assert len(rest) <= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--json", "--log-json"), "exclude each other"),
        (("--sample", "--config", "my.yaml"), "a configuration of its own"),
    ],
)
def test_options_that_contradict_each_other(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(HotspotsError, match=said) as caught:
        app(["run", *words], standalone_mode=False)
    assert caught.value.exit_code == 2
    assert not isinstance(caught.value, InputError)
