"""The pipeline under the stopwatch, in a process of its own: python -m tests.benchmarks.product LOG CONFIG."""

import functools
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Measured, Stopwatch, cpu_now
from tests.benchmarks.settings import METHOD

__all__ = ["main"]

_AUDITS = ("audit", "values_left")  # of exact numbers and of steps; the second is how steps are audited


def main(log: Path, config: Path) -> None:
    """Run everything once with every stage timed, and methods and the audit on their own."""
    watch = Stopwatch(log)
    with watch.step("start"):
        from pipeline.stages import Stage
        from pipeline.stages.runner import run
    audit, methods = _Audit(), _Methods()
    plain = Stage.run

    def timed(self: Any, context: Any) -> None:
        with watch.step(self.name):
            if self.name == "detect":
                methods.lay()
            plain(self, context)
            audit.lay()

    stage: Any = Stage  # a stopwatch laid round the stages of this process alone
    stage.run = timed
    audit.lay()
    run(config, progress=lambda _label, _done, _total: None, force=True)
    watch.add(Measured("audit", audit.wall, audit.cpu, 0.0))
    for name, cpu in sorted(methods.cpu.items()):
        watch.add(Measured(f"{METHOD}{name}", 0.0, cpu, 0.0))
    stage.run = plain
    with watch.step("rerun"):
        run(config, progress=lambda _label, _done, _total: None)


class _Methods:
    """Adds up what each method of detection takes; it is inside the stage `detect`, and given on its own."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = {}

    def lay(self) -> None:
        """Time every call of a method by the stage."""
        from pipeline.stages import detect

        find = detect._find

        def timed(method: Any, data: Any) -> Any:
            began = cpu_now()
            try:
                return find(method, data)
            finally:
                self.cpu[method.name] = self.cpu.get(method.name, 0.0) + cpu_now() - began

        detect._find = timed


class _Audit:
    """Adds up what the attack on each release takes; it is inside the stage `release`, and given on its own."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def lay(self) -> None:
        """Time the audit wherever a loaded module calls it."""
        for module in [m for n, m in sys.modules.items() if n.startswith("pipeline.release.") and m is not None]:
            for name in _AUDITS:
                call = getattr(module, name, None)
                if callable(call) and not hasattr(call, "timed"):
                    setattr(module, name, self._timed(call))

    def _timed(self, call: Any) -> Any:
        import time

        @functools.wraps(call)
        def timed(*args: Any, **named: Any) -> Any:
            wall, cpu = time.monotonic(), cpu_now()
            try:
                return call(*args, **named)
            finally:
                self.wall += time.monotonic() - wall
                self.cpu += cpu_now() - cpu

        timed.timed = True  # type: ignore[attr-defined]
        return timed


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
