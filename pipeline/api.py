"""Runs from Python: what `from pipeline import Config, check, run` gives.

Errors are those of the command line (`pipeline.errors`), raised. Nothing is printed; progress goes to a callback, and
events to the logger `pipeline.run`, whose records have `event` and `facts`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config import Config
from pipeline.domain.progress import unwatched
from pipeline.errors import InputError
from pipeline.stages import Progress
from pipeline.stages.runner import Outcome
from pipeline.stages.runner import run as run_stages
from pipeline.storage.workspace import cautions_in

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.publish.map import HotspotMap

__all__ = ["CheckResult", "Config", "RunResult", "check", "run"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a run would do.

    Attributes
    ----------
    files
        Every file that it would read.
    stages
        Names of the stages that it would run; none if everything is fresh.
    sources
        What the first rows of each source hold, as plain values: rows read and refused, months, categories.
    cautions
        What a person should look at before the run.
    """

    files: tuple[Path, ...]
    stages: tuple[str, ...]
    sources: tuple[Mapping[str, Any], ...]
    cautions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did, and what it wrote.

    Attributes
    ----------
    folder
        The run's folder: `outputs/<name>`.
    profiles
        Names of the profiles; each has a folder of its name there.
    ran, fresh
        Names of the stages that ran, and of those that had nothing to do.
    seconds
        Wall-clock time.
    figures
        What each stage counted, by its name: rows read, hotspots found, counts withheld.
    choices
        What was chosen automatically, such as the bandwidth of the density.
    cautions
        What a person should look at before the outputs are used.
    """

    folder: Path
    profiles: tuple[str, ...]
    ran: tuple[str, ...]
    fresh: tuple[str, ...]
    seconds: float
    figures: Mapping[str, Mapping[str, Any]] = field(repr=False)
    choices: Mapping[str, Any] = field(repr=False)
    cautions: tuple[str, ...] = field(repr=False)

    def path(self, profile: str) -> Path:
        """Return the folder of a profile, which is what is handed over.

        Raises
        ------
        InputError
            If the run has no profile of this name.
        """
        if profile not in self.profiles:
            raise InputError(f'the run has no profile "{profile}": there are {", ".join(self.profiles)}')
        return self.folder / profile

    def tables(self, profile: str) -> "dict[str, pd.DataFrame]":
        """Return the tables and layers of a profile, as they passed the release gate.

        Parameters
        ----------
        profile
            Name of the profile.

        Returns
        -------
        frames
            By the name of the file that holds the same: `area_counts`, `circumstances` (data frames); `boroughs`,
            `wards`, `hotspots`, `density` (geopandas frames in the working system, metres). outputs/README.md describes
            every column. Counts are given by `<count>_lower` and `<count>_upper`; both are empty if the count is not
            offered.

        Raises
        ------
        InputError
            If the run has no profile of this name.
        DisclosureError
            If the stored release is not the one that passed the gate.
        """
        from pipeline.publish.exports import released_frames
        from pipeline.release.stored import read_release

        return released_frames(read_release(self.folder / "work" / "release" / self.path(profile).name))

    def map(self, profile: str) -> "HotspotMap":
        """Return the map of a profile: shown in a notebook as it is, and further elements of folium can be added.

        Raises
        ------
        InputError
            If the run has no profile of this name.
        DisclosureError
            If the stored release is not the one that passed the gate.
        """
        from pipeline.publish.map import HotspotMap

        return HotspotMap.from_folder(self.path(profile))


def check(config: Config | str | Path, *, rows: int = 10_000) -> CheckResult:
    """Find every file and column and try the first rows of each source; nothing is written.

    Parameters
    ----------
    config
        The settings, or the path of their file.
    rows
        Rows to read of each source; 0 reads headers alone.

    Raises
    ------
    HotspotsError
        What would stop the run.
    """
    from pipeline.stages.trial import check as try_out

    checked = try_out(_settings(config), rows=rows)
    if checked.trial.error is not None:
        raise checked.trial.error
    return CheckResult(
        files=tuple(checked.files),
        stages=tuple(state.stage.name for state in checked.states if not state.fresh),
        sources=tuple(checked.trial.sources),
        cautions=(*checked.cautions, *checked.trial.cautions),
    )


def run(
    config: Config | str | Path,
    *,
    start: str | None = None,
    only: Sequence[str] = (),
    force: bool = False,
    reissue: tuple[str, str] | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Bring maps, layers and tables up to date.

    Parameters
    ----------
    config
        The settings, or the path of their file.
    start
        Run this stage and all after it, fresh or not.
    only
        Run these stages alone; what comes before them must be fresh.
    force
        Run every stage, fresh or not.
    reissue
        A profile whose released numbers are to be corrected, and why.
    progress
        Called as `progress(label, done, total)` while long steps advance.

    Raises
    ------
    HotspotsError
        What stopped the run; the last complete outputs are unchanged.

    Examples
    --------
    >>> result = run("config.yaml")  # doctest: +SKIP
    >>> result.tables("public")["area_counts"]  # doctest: +SKIP
    """
    outcome = run_stages(
        _settings(config),
        progress=progress or unwatched,
        start=start,
        only=only,
        force=force,
        reissue=reissue,
    )
    return _result(outcome)


def _settings(config: Config | str | Path) -> Config:
    return config if isinstance(config, Config) else Config.from_file(config)


def _result(outcome: Outcome) -> RunResult:
    stages = outcome.manifest["stages"]
    return RunResult(
        folder=outcome.folder,
        profiles=tuple(profile.name for profile in outcome.config.profiles),
        ran=tuple(outcome.ran),
        fresh=tuple(outcome.fresh),
        seconds=outcome.seconds,
        figures={name: dict(record.get("counters", {})) for name, record in stages.items()},
        choices={key: value for record in stages.values() for key, value in record.get("choices", {}).items()},
        cautions=tuple(cautions_in(stages)),
    )
