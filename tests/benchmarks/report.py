"""Trials as a table for people and as JSON."""

import json
from collections.abc import Iterable, Sequence

from tests.benchmarks.measuring import Measured
from tests.benchmarks.settings import COMPACT, METHOD
from tests.benchmarks.trial import Trial

__all__ = ["as_json", "as_summary", "as_table", "ratios", "strong_price"]

# Steps that do the same work, on either side. Density is drawn in the release, so it stands with detection.
PAIRS = (
    ("start-up", ("start",), ("start",)),
    ("read, place, count", ("ingest", "aggregate"), ("read", "wards and boroughs")),
    ("density and clusters", ("detect", "release"), ("density", "clusters")),
    ("maps and files", ("publish",), ("map",)),
)
_ALONE = ("audit", "rerun")
_IN_STRONG = {"hotspots", "density"}  # methods of detection that the strong script has too


def _whole(measured: Iterable[Measured]) -> list[Measured]:
    """Leave out what is inside another step, and the rerun."""
    return [m for m in measured if m.step not in _ALONE and not m.step.startswith(METHOD)]


def _cpu(steps: Iterable[Measured]) -> float:
    return sum(m.cpu_seconds for m in steps)


def ratios(trial: Trial) -> dict[str, float | None]:
    """Return how many times the pipeline's CPU seconds the plain script took, for each kind of work and over all.

    The audit has no counterpart and is taken out of the release. Work the script did not finish is left out of both
    sides, unless what it finished of it cost more than all of ours; over all there is a ratio only where it read and
    placed the incidents. Density that was extrapolated is in, and its measurement says so.
    """
    ours, theirs = {m.step: m for m in trial.product}, {m.step: m for m in trial.baseline}
    audit = ours["audit"].cpu_seconds if "audit" in ours else 0.0
    out: dict[str, float | None] = {}
    total_ours = total_theirs = 0.0
    died = {m.step for m in trial.baseline if m.fate and m.share == 1}
    for name, mine, same in PAIRS:
        survived = _cpu(theirs[s] for s in same if s in theirs and s not in died)
        spent = _cpu(ours[s] for s in mine if s in ours) - (audit if "release" in mine else 0.0)
        whole = died.isdisjoint(same) and any(s in theirs for s in same)
        counted = spent > 0 and (whole or survived > spent)
        out[name] = survived / spent if counted else None
        if counted:
            total_ours += spent
            total_theirs += survived
    read, drawn = out["read, place, count"] is not None, out["density and clusters"] is not None
    out["end to end"] = total_theirs / total_ours if read else None
    if read and drawn and COMPACT in theirs and "density" in theirs:
        compact = total_theirs - theirs["density"].cpu_seconds + theirs[COMPACT].cpu_seconds
        out[f"end to end, {COMPACT}"] = compact / total_ours
    return out


def strong_price(trial: Trial) -> dict[str, float]:
    """Return the pipeline's CPU seconds as a multiple of the strong script's, and those of what that script leaves out.

    Empty where the strong script was not run or did not finish. What it leaves out and takes a stage or a method of its
    own is listed; the account of every refused row, repeated ids, counts by month and circumstance, and tables for
    other programs are inside ingest, aggregate and publish.
    """
    if not trial.strong or any(m.fate for m in trial.strong):
        return {}
    ours, spent = {m.step: m.cpu_seconds for m in trial.product}, _cpu(trial.strong)
    methods = {name: cpu for name, cpu in ours.items() if name.startswith(METHOD)}
    others = sum(cpu for name, cpu in methods.items() if name.removeprefix(METHOD) not in _IN_STRONG)
    return {
        "strong script, CPU s": spent,
        "times the strong script": _cpu(_whole(trial.product)) / spent,
        "protection, rates and change for two audiences, CPU s": ours.get("release", 0.0),
        "other methods of detection, CPU s": others,
        "times without these": (_cpu(_whole(trial.product)) - ours.get("release", 0.0) - others) / spent,
    }


def as_table(trials: Sequence[Trial]) -> str:
    """Write trials as text: a block for each, a line for each step."""
    return "\n\n".join(_block(trial) for trial in trials)


def as_summary(trials: Sequence[Trial]) -> str:
    """Write trials as one table: a line for each, with what the script came to and what it did not survive."""
    head = (
        f"{'rows':>12} {'variant':<9}{'CPU s':>8}{'us/row':>10}{'clock s':>9}{'peak GB':>9}"
        f"{'plain s':>11}{'times':>9}{'compact':>9}{'strong s':>10}  what the scripts did not finish"
    )
    return "\n".join([head, *(_summed(trial) for trial in trials)])


def _summed(trial: Trial) -> str:
    steps = _whole(trial.product)
    cpu, wall = _cpu(steps), sum(m.wall_seconds for m in steps)
    peak = max((m.peak_mb for m in trial.product), default=0.0) / 1000
    script = _cpu(m for m in trial.baseline if m.step != COMPACT)
    found = ratios(trial)
    times, compact = (found.get(k) for k in ("end to end", f"end to end, {COMPACT}"))
    lost = [f"{m.step} ({m.fate})" for m in (*trial.product, *trial.baseline, *trial.strong) if m.fate and m.share == 1]
    line = f"{trial.rows:12,} {trial.variant:<9}{cpu:8.1f}{1e6 * cpu / trial.rows:10.1f}{wall:9.1f}{peak:9.2f}"
    texts = [f"{value:,.1f}" if value else "" for value in (script, times, compact)]
    strong = f"{_cpu(trial.strong):,.1f}" if trial.strong else ""
    return f"{line}{texts[0]:>11}{texts[1]:>9}{texts[2]:>9}{strong:>10}  {'; '.join(lost)}".rstrip()


def _block(trial: Trial) -> str:
    steps = _whole(trial.product)
    audit = next((m.cpu_seconds for m in trial.product if m.step == "audit"), 0.0)
    lines = [
        (
            f"{trial.rows:,} incidents, {trial.variant}, {trial.bytes_read / 1e6:,.0f} MB in {trial.files} file(s), "
            f"engine {trial.engine}, {trial.machine['cores']} cores"
        ),
        f"{'step':<28}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}{'MB/s':>8}",
    ]
    for side, measured in (
        ("pipeline", trial.product),
        ("strong script", trial.strong),
        ("plain script", trial.baseline),
    ):
        lines += [side, *(_line(m, trial) for m in measured)] if measured else []
    everything = _cpu(steps)
    peak = max((m.peak_mb for m in trial.product), default=0.0)
    lines.append(
        f"in all {everything:.1f} s of CPU ({everything - audit:.1f} s without the audit), "
        f"{sum(m.wall_seconds for m in steps):.1f} s on the clock, {peak:,.0f} MB at most, "
        f"{1e6 * (everything - audit) / trial.rows:.1f} s of CPU per million rows"
    )
    found = {name: value for name, value in ratios(trial).items() if value is not None}
    if found:
        plain = ", ".join(f"{name} {value:,.1f}" for name, value in found.items())
        lines.append(f"times as fast as the plain script (CPU): {plain}")
    if price := strong_price(trial):
        lines.append("beside the strong script: " + ", ".join(f"{name} {value:,.1f}" for name, value in price.items()))
    return "\n".join(lines)


def _line(m: Measured, trial: Trial) -> str:
    speed = f"{trial.bytes_read / 1e6 / m.wall_seconds:8.1f}" if m.step in {"ingest", "read"} and m.wall_seconds else ""
    peak = f"{m.peak_mb:9,.0f}" if m.peak_mb else f"{'':9}"
    return f"  {m.step:<26}{m.cpu_seconds:9.2f}{m.wall_seconds:9.2f}{peak}{speed}  {m.fate}".rstrip()


def as_json(trials: Sequence[Trial]) -> str:
    """Write trials as JSON."""
    content = [{**trial.to_dict(), "ratios": ratios(trial), "strong_price": strong_price(trial)} for trial in trials]
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
