"""What is kept of an attempt that failed, and for how long."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import HotspotsError, InputError
from pipeline.stages import runner
from pipeline.stages.runner import latest_attempt, run
from tests.kit.city import COUNTS, write_city

pytestmark = pytest.mark.slow


def quiet(_label: str, _done: int, _total: int) -> None:
    """Report nothing."""


def try_run(config: Path) -> HotspotsError:
    with pytest.raises(HotspotsError) as caught:
        run(config, progress=quiet)
    return caught.value


def change(config: Path, **keys: Any) -> None:
    settings = yaml.safe_load(config.read_text("utf-8"))
    for key, value in keys.items():
        settings[key] = value
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")


def bad_rows(config: Path, name: str, rows: int) -> None:
    """Add a file of the same columns whose rows have no date."""
    header = (config.parent / "incidents.csv").read_text("utf-8").splitlines()[0]
    cells = ["x"] * len(header.split(","))
    (config.parent / name).write_text("\n".join([header, *[",".join(cells)] * rows]) + "\n", encoding="utf-8")


def test_files_read_before_one_that_cannot_be_are_kept(tmp_path: Path) -> None:
    config = write_city(tmp_path, **COUNTS)
    bad_rows(config, "a.csv", 7)
    (tmp_path / "z.csv").write_text("nothing,of,use\n1,2,3\n", encoding="utf-8")
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["incidents"][0]["paths"] = ["a.csv", "z.csv"]
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    error = try_run(config)
    assert error.exit_code == 3
    found = latest_attempt(tmp_path / "outputs" / settings["run"]["name"])
    assert (found.failed, found.exit_code, found.error) == (True, 3, str(error))
    assert found.refused["rule"].tolist() == ["date_unreadable"] * 7
    assert found.refused["source_row"].tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_it_holds_the_quarantine_and_the_account_and_nothing_else_for_its_owner_alone(tmp_path: Path) -> None:
    config = write_city(tmp_path, **COUNTS)
    name = yaml.safe_load(config.read_text("utf-8"))["run"]["name"]
    run(config, progress=quiet)
    complete = tmp_path / "outputs" / name
    before = {p: (p.read_bytes(), p.stat().st_mode) for p in complete.rglob("*") if p.is_file()}
    change(config, quality={"max_quarantined_pct": 0})
    assert try_run(config).exit_code == 5
    kept = tmp_path / "outputs" / f".{name}.failed"
    files = [p for p in kept.rglob("*") if p.is_file()]
    assert {p.relative_to(kept).parts[0] for p in files} == {"attempt.json", "quarantine"}
    assert {stat.S_IMODE(p.stat().st_mode) for p in files} == {0o600}
    assert {stat.S_IMODE(p.stat().st_mode) for p in (kept, kept / "quarantine")} == {0o700}
    # The part was taken over from the complete run, whose own file and rights stay as they were.
    assert {p: (p.read_bytes(), p.stat().st_mode) for p in complete.rglob("*") if p.is_file()} == before
    account = json.loads((kept / "attempt.json").read_text("utf-8"))["account"]
    assert [part["rows_read"] for part in account] == [58]
    # The settings of the complete run again: everything is fresh, and the failed attempt is over.
    change(config, quality={"max_quarantined_pct": 20.0})
    run(config, progress=quiet)
    assert not kept.exists()
    assert not latest_attempt(complete).failed


def test_a_stop_by_hand_leaves_the_earlier_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write_city(tmp_path, **COUNTS)
    name = yaml.safe_load(config.read_text("utf-8"))["run"]["name"]
    change(config, quality={"max_quarantined_pct": 0})
    assert try_run(config).exit_code == 5

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner._Building, "build", stop)
    with pytest.raises(KeyboardInterrupt):
        run(config, progress=quiet)
    assert latest_attempt(tmp_path / "outputs" / name).exit_code == 5


def test_without_any_attempt_the_command_to_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hotspots run"):
        latest_attempt(tmp_path / "outputs" / "t")


@pytest.mark.slow
def test_outputs_that_another_program_has_open_stay_and_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows does not rename a folder while Excel has a file in it open; elsewhere the error is made here."""
    config = write_city(tmp_path, **COUNTS)
    folder = run(config, progress=quiet).folder
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    change(config, categories={"all_label": "Everything"})
    replace = Path.replace

    def locked(self: Path, target: Path) -> Path:
        if self == folder:
            raise PermissionError(13, "The process cannot access the file", str(self))
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", locked)
        error = try_run(config)
    assert error.exit_code == 3
    assert "close it" in str(error)
    assert str(folder) in str(error)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert run(config, progress=quiet).ran
