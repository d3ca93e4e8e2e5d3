"""`hotspots run --profile`: which step a moment belongs to, and the table of what each has cost."""

import sys
import time
from pathlib import Path

from pipeline.commands.timings import Cost, Step, Timings, print_timings, step_of, timed
from pipeline.domain.progress import unwatched
from pipeline.stages.engines import LocalEngine


def test_a_function_that_stages_call_is_a_step_and_what_it_calls_is_not() -> None:
    seen = LocalEngine().map(lambda _: step_of(sys._getframe()), [1], done=lambda n: unwatched("", n, 1))
    # The engine is a caller like the stages; where nothing but callers is under way, the innermost is named.
    assert seen == [Step("run", "LocalEngine.map")]
    timings = Timings({Step("detect", "a"): Cost()})
    assert [row[:2] for row in timings.rows()] == [("detect", "a"), ("", "")]


def test_the_time_of_a_block_is_all_in_the_table() -> None:
    began = time.perf_counter()
    with timed() as timings:
        time.sleep(0.1)
    clock = time.perf_counter() - began
    assert 0.1 <= sum(cost.clock_s for cost in timings.costs.values()) <= clock


def test_small_steps_are_one_line_of_their_stage_and_the_run_comes_last(tmp_path: Path) -> None:
    timings = Timings(
        {
            Step("publish", "write_map"): Cost(6.0, 5.0, 300.0),
            Step("ingest", "read_incidents"): Cost(12.0, 94.2, 200.0),
            Step("publish", "write_readme"): Cost(0.3, 0.5, 250.0),  # less than 1 % of 100 s, as the next is
            Step("publish", "write_harm"): Cost(0.1, 0.3, 310.0),
        }
    )
    assert timings.rows() == [
        ("ingest", "read_incidents", "12.0", "94.2", "200"),
        ("publish", "write_map", "6.0", "5.0", "300"),
        ("publish", "other steps", "0.4", "0.8", "310"),
        ("", "", "18.4", "100.0", "310"),
    ]
    (tmp_path / "work").mkdir()
    print_timings(timings, tmp_path, quiet=True)
    written = (tmp_path / "work" / "timings.txt").read_text("utf-8").splitlines()
    assert [line.split() for line in written] == [
        ["stage", "step", "CPU", "s", "clock", "s", "peak", "MB"],
        ["ingest", "read_incidents", "12.0", "94.2", "200"],
        ["publish", "write_map", "6.0", "5.0", "300"],
        ["publish", "other", "steps", "0.4", "0.8", "310"],
        ["18.4", "100.0", "310"],
    ]
