"""The run folder: one complete run at any moment, whatever moment the power fails at."""

import multiprocessing
from pathlib import Path

import pytest

from pipeline.errors import EngineError
from pipeline.storage.workspace import Workspace, link_tree


def complete(folder: Path, words: str) -> None:
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text(words, encoding="utf-8")


def test_swap_puts_the_new_run_in_place(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "run")
    complete(space.folder, "old")
    (space.begin() / "a.txt").write_text("new", encoding="utf-8")
    space.swap()
    assert (space.folder / "a.txt").read_text("utf-8") == "new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize(
    ("there", "kept"),
    [
        (("folder",), "last"),  # nothing happened
        (("folder", "growing"), "last"),  # died while building
        (("leaving", "growing"), "last"),  # died between the two renames
        (("folder", "leaving"), "new"),  # died before the old one was deleted
        (("growing",), None),  # died in the very first run
    ],
)
def test_recovery_from_every_moment(there: tuple[str, ...], kept: str | None, tmp_path: Path) -> None:
    space = Workspace(tmp_path / "run")
    for name in there:
        complete(getattr(space, name), "new" if name == "folder" and "leaving" in there else "last")
    space.recover()
    assert not space.growing.exists()
    assert not space.leaving.exists()
    if kept is None:
        assert not space.folder.exists()
    else:
        assert (space.folder / "a.txt").read_text("utf-8") == kept


def hold(folder: Path, started: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event") -> None:
    with Workspace(folder).locked():
        started.set()
        done.wait(30)


@pytest.mark.slow
def test_two_runs_at_once_are_refused_and_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    started, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "run", started, done))
    other.start()
    assert started.wait(30)
    with pytest.raises(EngineError, match="another run is writing"), Workspace(tmp_path / "run").locked():
        pass
    other.kill()
    other.join(30)
    with Workspace(tmp_path / "run").locked():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_an_ending_run_removed_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    plain = fcntl.flock

    def removed_meanwhile(descriptor: int, how: int) -> None:
        (tmp_path / ".run.lock").unlink(missing_ok=True)
        plain(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", removed_meanwhile)
    with pytest.raises(EngineError, match="another run is writing"), Workspace(tmp_path / "run").locked():
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_workspaces_of_one_process_do_not_share_a_lock(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "run")
    with space.locked():
        with pytest.raises(EngineError, match="another run is writing"), Workspace(tmp_path / "run").locked():
            pass
        assert [p.name for p in tmp_path.iterdir()] == [".run.lock"]
    assert list(tmp_path.iterdir()) == []


def test_links_do_not_tie_runs_together(tmp_path: Path) -> None:
    complete(tmp_path / "one" / "deep", "old")
    link_tree(tmp_path / "one", tmp_path / "two")
    from pipeline.storage.files import write_text

    write_text(tmp_path / "two" / "deep" / "a.txt", "new")
    assert (tmp_path / "one" / "deep" / "a.txt").read_text("utf-8") == "old"
