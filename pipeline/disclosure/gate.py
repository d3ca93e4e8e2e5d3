"""The gate: what was detected goes in, one profile's `Released` comes out, and nothing else can make one."""

from collections.abc import Sequence

from pipeline.config import Config, Profile
from pipeline.disclosure.detected import Detected
from pipeline.disclosure.making import Making, Passed
from pipeline.disclosure.past import Past, past_of
from pipeline.disclosure.protect import RefusedError
from pipeline.disclosure.released import Released
from pipeline.disclosure.shapes import no_hotspots

__all__ = ["examine", "release"]


def release(
    detected: Detected, *, profile: Profile, config: Config, past: Sequence[Past] = (), secret: bytes = b""
) -> Released:
    """Make one profile's release; see `examine`."""
    return examine(detected, profile=profile, config=config, past=past, secret=secret).released


def examine(
    detected: Detected, *, profile: Profile, config: Config, past: Sequence[Past] = (), secret: bytes = b""
) -> Passed:
    """Make one profile's release and keep the books on it.

    If the last release of the same run and profile would come out again as it was, from what had been released until
    then, it does: nothing new is told, whatever was released since.

    Parameters
    ----------
    detected
        Unprotected results.
    profile
        The rules of the audience.
    config
        The whole configuration: texts, rates, windows.
    past
        Releases of the same data source that are out already, oldest first.
    secret
        Key of repeatable noise, at least 16 bytes; needed for ``protection: noise`` alone.

    Raises
    ------
    DisclosureError
        If a count could be worked out and no withholding helps.
    ConfigError
        If the profile names categories or boroughs that do not exist.
    """
    own = [i for i, p in enumerate(past) if (p.run, p.profile) == (config.run.name, profile.name)]
    if own and profile.audience != "internal":
        try:
            again = _once(detected, profile, config, tuple(past[: own[-1]]), secret)
        except RefusedError:
            again = None
        if again is not None and past_of(again.released).digest == past[own[-1]].digest:
            return again
    return _once(detected, profile, config, tuple(past), secret)


def _once(detected: Detected, profile: Profile, config: Config, past: tuple[Past, ...], secret: bytes) -> Passed:
    """Make a release in the light of some earlier ones; without its hotspots if these would tell too much."""
    making = Making.start(detected, profile, config, past)
    shapes = making.hotspots()
    try:
        guarded = making.protect(shapes, secret)
    except RefusedError:
        if not len(shapes.layer):
            raise
        shapes = no_hotspots(making.areas, "Hotspots are not shown: beside the counts they would tell too much.")
        guarded = making.protect(shapes, secret)
    return making.finish(guarded, shapes)
