"""Which files of `pipeline/` an incident enters on its way from a CSV file to a map page, and how many.

Run it with `python -m tests.benchmarks.entered` (a minute). It runs the configuration of the sample, with all of its
profiles, and follows every call. A file counts if a function or method in it is called, or if it is a template that is
rendered; the code of a module that runs on import does not count, nor do the start and the end of a run (arguments,
checksums, the ledger's lock, the overview page). Counted are the stages ingest, aggregate, detect and release, for all
profiles, and of the stage publish what reads a release and writes its `index.html`: the briefings, tables and layers
beside the map are other trips.
"""

import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pipeline
from pipeline.stages import Context, Stage, publish, runner

ROOT = Path(pipeline.__file__).parent
FULL_STAGES = ("ingest", "aggregate", "detect", "release")
OWN_NAMES = 0x2  # CO_NEWLOCALS: set for functions and methods, not for the bodies of modules and classes


def entered_by_stage(config: Path) -> dict[str, set[str]]:
    """Run a configuration; return the files entered in each stage, and for the map page under "publish"."""
    entered: dict[str, set[str]] = {name: set() for name in (*FULL_STAGES, "publish")}
    now: list[str] = []  # where the run is; empty outside the stages

    def follow(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if now and event == "call" and code.co_flags & OWN_NAMES and code.co_filename.startswith(f"{ROOT}/"):
            entered[now[-1]].add(code.co_filename.removeprefix(f"{ROOT}/"))

    def during(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def followed(*args: Any, **how: Any) -> Any:
            now.append(name)
            try:
                return call(*args, **how)
            finally:
                now.pop()

        return followed

    run_stage = Stage.run

    def run(stage: Stage, context: Context) -> None:
        (during(stage.name, run_stage) if stage.name in FULL_STAGES else run_stage)(stage, context)

    before = publish.read_release, publish.write_map
    Stage.run = run  # type: ignore[method-assign]
    publish.read_release, publish.write_map = (during("publish", call) for call in before)  # type: ignore[assignment]
    threading.setprofile(follow)
    sys.setprofile(follow)
    try:
        runner.run(config, progress=lambda *_: None)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        Stage.run = run_stage  # type: ignore[method-assign]
        publish.read_release, publish.write_map = before
    return entered


def main() -> None:
    """Print the files by stage, and how many there are."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        shutil.copy(ROOT.parent / "config.yaml", config)
        (config.parent / "data").symlink_to(ROOT.parent / "data")
        entered = entered_by_stage(config)
    for stage, files in entered.items():
        print(stage, *sorted(files), sep="\n  ")
    print({stage: len(files) for stage, files in entered.items()}, "in all:", len(set().union(*entered.values())))


if __name__ == "__main__":
    main()
