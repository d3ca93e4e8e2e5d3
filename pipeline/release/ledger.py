"""The ledger: what has been released from the same data by all runs, profiles and folders; published numbers only.

A ledger is a folder with `releases.jsonl`, one line per release, and `ledger.json`, which identifies the data by
sketches (`pipeline/release/sketches.py`). Lines are only ever added. Each contains the digests of the lines that it
follows, so that a changed or removed line is detected. A line contains the counts that no previous release of its
profile showed, so that a ledger grows with the released numbers and not with the number of runs.

Each ledger has two copies: in the folder of outputs, and in the user's state folder, where a run into another folder
finds it (synthetic data have only the first copy). Lines of both are merged when they are read, because either may have
been unavailable when something was released.

A line is written only after its run has replaced the last one, and under a lock from the moment the run was checked
against the ledger. The new lines are first written to a file beside the ledger: a full or read-only disk stops the run
before any output is replaced.
"""

import contextlib
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import DisclosureError, EngineError
from pipeline.release.sketches import OVERLAP, Sketches
from pipeline.storage.files import write_bytes, write_private
from pipeline.storage.workspace import Workspace

if TYPE_CHECKING:  # a run in which nothing changed also opens the ledger, and must not import these
    import geopandas as gpd
    import pandas as pd

    from pipeline.release.earlier_releases import EarlierRelease

__all__ = [
    "KEY",
    "Candidate",
    "Ledger",
    "anchor_of",
    "choose_ledger",
    "entry_of",
    "key_name",
    "ledger_roots",
    "ledgers_in",
    "make_good",
    "new_ledger",
    "recorded",
    "root_key",
    "save_pending",
    "state_folder",
]

VERSION = 2
LINES, ABOUT, KEY, PENDING = "releases.jsonl", "ledger.json", ".key", "ledger.json"
KEY_BYTES = 32

MISTAKEN = 0.5
"""If `disclosure.data_source` names no existing ledger but more than this share of the data is in one, that one is
used: so large a share cannot be chance. Below it, a new ledger with that name is created."""

_LAYERS = ("hotspots", "density", "hotspots_by_category", "density_by_category")


# Folders of ledgers.


def state_folder() -> Path:
    """Return the user's state folder: HOTSPOTS_STATE_DIR, or the platform's default."""
    given = os.environ.get("HOTSPOTS_STATE_DIR")
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "hotspots"


def ledger_roots(outputs: Path, *, synthetic: bool) -> tuple[Path, ...]:
    """Return the folders of ledgers: in the outputs, and in the user's state folder unless the data are synthetic."""
    beside = outputs / ".ledger"
    return (beside,) if synthetic else (beside, state_folder() / "ledger")


def root_key(root: Path) -> bytes:
    """Return the secret that sketches in a root are hashed with; it is created if there is none.

    Raises
    ------
    DisclosureError
        If it cannot be read or created, or is damaged.
    """
    path = root / KEY
    with _readable(path):
        if not path.is_file():
            # Two runs may create it at the same time: both then read what the second one wrote.
            write_private(path, secrets.token_hex(KEY_BYTES))
        text = path.read_text("ascii").strip()
    if len(text) != 2 * KEY_BYTES or set(text) - set("0123456789abcdef"):
        raise DisclosureError(
            f"{path} is damaged: it should hold {2 * KEY_BYTES} hexadecimal digits. Restore a copy; or delete it, and "
            "name the ledger by hand (disclosure.data_source), for it can no longer be found by its data. Nothing was "
            "written."
        )
    return bytes.fromhex(text)


def key_name(key: bytes) -> str:
    """Return an identifier of a key that does not disclose it."""
    return hashlib.sha256(b"name of " + key).hexdigest()[:16]


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Return the error for a part of the ledger that cannot be used."""
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DisclosureError(
            f"{path}: {why}. The ledger of releases must be read and written before anything is released, or the next "
            "release could disclose what this one protects. Change the permission or free some disk space; "
            "HOTSPOTS_STATE_DIR names another folder for the copy in the user's state folder. Nothing was written."
        ) from None


# Existing ledgers.


@dataclass(frozen=True, slots=True)
class Ledger:
    """One ledger and the places of its copies.

    Attributes
    ----------
    identity
        Random identifier, chosen when the ledger was created; all copies have the same.
    name
        Name for people: `disclosure.data_source`, or the name of the first run.
    folders
        Folder of the ledger in each root; it need not exist.
    """

    identity: str
    name: str
    folders: tuple[Path, ...]

    def texts(self) -> list[str]:
        """Read the lines of all copies, merged, each after those that it follows.

        Raises
        ------
        DisclosureError
            If a copy is damaged, of a newer version, or cannot be read.
        """
        copies = sorted((_checked(folder / LINES) for folder in self.folders), key=len, reverse=True)
        return list(dict.fromkeys(text for copy in copies for text in copy))

    def lines(self) -> list[dict[str, Any]]:
        """Read every line, oldest first; errors are those of `texts`."""
        return [json.loads(text) for text in self.texts()]

    def heads(self) -> str:
        """Return the digests that the next line must contain: those of the lines that no other line follows."""
        return _heads(self.texts())

    def epoch(self) -> tuple[list[dict[str, Any]], bool]:
        """Return the lines since the ledger was last closed, and whether it ever was."""
        lines = self.lines()
        closed = [n for n, line in enumerate(lines) if "closed" in line]
        return (lines[closed[-1] + 1 :], True) if closed else (lines, False)

    def releases(self, *, crs: str) -> "list[EarlierRelease]":
        """Return the releases since the ledger was last closed, oldest first; layers come in the working system."""
        found: list[EarlierRelease] = []
        latest: dict[tuple[str, str], EarlierRelease] = {}
        for line in self.epoch()[0]:
            release = _earlier_release(line, crs=crs, before=latest.get((line["profile"], line["audience"])))
            latest[release.profile, release.audience] = release
            found.append(release)
        return found

    def close(self, reason: str) -> None:
        """Add a line after which nothing released before counts any more.

        Raises
        ------
        DisclosureError
            If the ledger cannot be read or written.
        """
        with _locked([f.parent for f in self.folders]):
            _write(self, [{"version": VERSION, "ledger": self.identity, "closed": reason}], {})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _heads(texts: Sequence[str]) -> str:
    followed = {d for text in texts for d in json.loads(text)["before"].split()}
    return " ".join(d for d in map(_digest, texts) if d not in followed)


def _checked(path: Path) -> list[str]:
    """Read the lines of one copy, and check each against the lines that it follows."""
    with _readable(path):
        if not path.is_file():
            return []
        texts = path.read_text("utf-8").splitlines()
    seen: set[str] = set()
    for number, text in enumerate(texts, start=1):
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            line = {}
        version = line.get("version", 1) if isinstance(line, dict) else 0
        if isinstance(version, int) and version > VERSION:
            raise DisclosureError(
                f"{path}, line {number}, was written by a newer version of hotspots (ledger version {version}; this "
                f"one knows {VERSION}): install that version or a later one. Nothing was written."
            )
        before = line.get("before") if isinstance(line, dict) else None
        follows = isinstance(before, str) and (set(before.split()) <= seen and bool(before) == bool(seen))
        if not follows or not ("closed" in line or "numbers" in line):
            raise DisclosureError(
                f"{path}, line {number}, is damaged or does not follow from the lines before it: the ledger is only "
                "ever added to. Restore a copy of it (there may be one in the user's state folder or beside the "
                "outputs: `hotspots ledger list`), or, if nothing listed there was ever handed over, move it away. "
                "Nothing was written."
            )
        seen.add(_digest(text))
    return texts


@dataclass(frozen=True, slots=True)
class Candidate:
    """An existing ledger, with each copy's sketches of its data, by the name of the key."""

    ledger: Ledger
    sketches: Mapping[str, Mapping[str, Any]]


def ledgers_in(roots: Sequence[Path]) -> list[Candidate]:
    """Find the ledgers in some roots, the copies of one put together, by name.

    Raises
    ------
    DisclosureError
        If the file that identifies a ledger's data cannot be read.
    """
    names: dict[str, str] = {}
    sketches: dict[str, dict[str, Mapping[str, Any]]] = {}
    places: dict[tuple[str, Path], Path] = {}
    for root in roots:
        with _readable(root):
            folders = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
        for folder in folders:
            about = _about(folder)
            if about is None:
                continue
            identity = str(about["identity"])
            names.setdefault(identity, str(about["name"]))
            sketches.setdefault(identity, {}).update(about["sketches"])
            places[identity, root] = folder
    found = []
    for identity, name in sorted(names.items(), key=lambda one: (one[1], one[0])):
        copies = tuple(places.get((identity, r), r / _folder_name(name, identity)) for r in roots)
        found.append(Candidate(Ledger(identity, name, copies), sketches[identity]))
    return found


def _about(folder: Path) -> dict[str, Any] | None:
    """Return the description of a ledger; one of version 1 has its folder's name and no sketches."""
    path = folder / ABOUT
    with _readable(path):
        if path.is_file():
            try:
                about = json.loads(path.read_text("utf-8"))
                version = int(about["version"])
                known = {"identity", "name", "sketches"} <= set(about)
            except (json.JSONDecodeError, KeyError, TypeError, ValueError):
                version, known = 0, False
            if version > VERSION:
                raise DisclosureError(
                    f"{path} was written by a newer version of hotspots (ledger version {version}; this one knows "
                    f"{VERSION}): install that version or a later one. Nothing was written."
                )
            if not known:
                raise DisclosureError(
                    f"{path} is damaged: restore a copy of it. Without it, it is not known to which data the ledger "
                    "belongs. Nothing was written."
                )
            return dict(about)
        if not (folder / LINES).is_file():
            return None
        with (folder / LINES).open("rb") as file:
            first = file.readline()
    return {"identity": hashlib.sha256(first).hexdigest()[:32], "name": folder.name, "sketches": {}}


def _folder_name(name: str, identity: str) -> str:
    return f"{name}-{identity[:8]}"


def new_ledger(name: str, roots: Sequence[Path]) -> Ledger:
    """Return a new ledger, not yet written."""
    identity = secrets.token_hex(16)
    return Ledger(identity, name, tuple(root / _folder_name(name, identity) for root in roots))


def choose_ledger(
    roots: Sequence[Path], sketches: "Mapping[str, Sketches]", *, source: str, run: str
) -> tuple[Ledger, str]:
    """Find the ledger of some data, or create one.

    Parameters
    ----------
    roots
        Folders of ledgers.
    sketches
        Sketches of the data, by the name of the key they were hashed with.
    source
        `disclosure.data_source`: the ledger's name from the configuration; empty if not set.
    run
        Name of the run, for a new ledger and for one of version 1, which has no sketches.

    Returns
    -------
    ledger
        The one to use.
    how
        How it was found, in words.

    Raises
    ------
    DisclosureError
        If several ledgers hold releases of this data and none is named.
    """
    there = ledgers_in(roots)
    shares = {
        c.ledger.identity: max(
            (mine.overlap(Sketches.restored(dict(c.sketches[k]))) for k, mine in sketches.items() if k in c.sketches),
            default=0.0,
        )
        for c in there
    }
    ledgers = [c.ledger for c in there]
    matching = [one for one in ledgers if shares[one.identity] >= OVERLAP]
    if source:
        named = [one for one in ledgers if source == one.name or (len(source) >= 8 and one.identity.startswith(source))]
        chosen = [one for one in named if one in matching] if len(named) > 1 else named
        if len(chosen) == 1:
            return chosen[0], "named in disclosure.data_source"
        surely = [one for one in matching if shares[one.identity] >= MISTAKEN] if not named else []
        if len(surely) == 1:
            share = shares[surely[0].identity]
            return surely[0], f'{share:.0%} of the data in common; no ledger is called "{source}"'
        if named or surely:
            raise DisclosureError(_several(chosen or named or surely, shares))
        return new_ledger(source, roots), "begun by this run"
    if len(matching) > 1:
        raise DisclosureError(_several(matching, shares))
    if matching:
        return matching[0], f"{shares[matching[0].identity]:.0%} of the data in common"
    old = [c.ledger for c in there if not c.sketches and c.ledger.name == run]
    return (old[0], "has the run's name") if len(old) == 1 else (new_ledger(run, roots), "begun by this run")


def _several(ledgers: Sequence[Ledger], shares: Mapping[str, float]) -> str:
    listed = "; ".join(f"{one.name} ({one.identity[:8]}, {shares[one.identity]:.0%} in common)" for one in ledgers)
    return (
        f"several ledgers hold releases of the same data: {listed}. A release must be held against one of them. Write "
        "its name, or the eight characters behind it, as disclosure.data_source; `hotspots ledger list` shows what "
        "each holds. Nothing was written."
    )


# What a run adds to its ledger once its outputs are in place.


def save_pending(
    path: Path,
    ledger: Ledger,
    entries: Sequence[dict[str, Any]],
    *,
    sketches: "Mapping[str, Sketches]",
    synthetic: bool,
) -> None:
    """Store beside the stage tables what will be added to the ledger once the run's outputs are in place.

    Parameters
    ----------
    path
        The file.
    ledger
        The ledger that the run was checked against.
    entries
        Lines to add, in this order: later releases were checked against earlier ones (see `entry_of`).
    sketches
        Sketches of the data, by the name of the key.
    synthetic
        Whether the data are synthetic: such ledgers have no copy in the user's state folder.
    """
    heads = ledger.heads()
    numbered = [e | {"id": _digest(json.dumps([ledger.identity, heads, e], sort_keys=True))[:32]} for e in entries]
    pending = {
        "version": VERSION,
        "ledger": {"identity": ledger.identity, "name": ledger.name},
        "synthetic": synthetic,
        "heads": heads,
        "entries": numbered,
        "sketches": {key: one.plain() for key, one in sketches.items()},
    }
    write_bytes(path, _line(pending).encode("ascii"))


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=True, separators=(",", ":"), sort_keys=True)


def _pending(folder: Path) -> dict[str, Any] | None:
    path = folder / "work" / "release" / PENDING
    if not path.is_file():
        return None
    with _readable(path):
        content = json.loads(path.read_text("utf-8"))
    return dict(content) if content.get("version") == VERSION else None


def _ledger_of(pending: Mapping[str, Any], outputs: Path) -> Ledger:
    """Return the ledger of a run, wherever its copies are now."""
    roots = ledger_roots(outputs, synthetic=bool(pending["synthetic"]))
    identity, name = str(pending["ledger"]["identity"]), str(pending["ledger"]["name"])
    there = [c.ledger for c in ledgers_in(roots) if c.ledger.identity == identity]
    return there[0] if there else Ledger(identity, name, tuple(r / _folder_name(name, identity) for r in roots))


def make_good(folder: Path, *, outputs: Path) -> None:
    """Add the releases of a completed run, in case it was killed between replacing the outputs and writing the ledger.

    Raises
    ------
    DisclosureError
        If the ledger cannot be read or written.
    """
    pending = _pending(folder)
    if pending is None or not pending["entries"]:
        return
    ledger = _ledger_of(pending, outputs)
    with _locked([f.parent for f in ledger.folders]):
        listed = {line.get("id") for line in ledger.lines()}
        missing = [entry for entry in pending["entries"] if entry["id"] not in listed]
        if missing:
            _write(ledger, missing, pending["sketches"])


@contextlib.contextmanager
def recorded(building: Path, *, outputs: Path) -> Iterator[None]:
    """Add a run's releases to the ledger if the body (which replaces the outputs) succeeds.

    Parameters
    ----------
    building
        The run's folder before it replaces the last one.
    outputs
        The folder of all runs.

    Raises
    ------
    DisclosureError
        If something else was released from the same data since the run was checked against the ledger, or the ledger
        cannot be written.
    EngineError
        If another run holds the ledger.
    """
    pending = _pending(building)
    if pending is None:
        yield
        return
    ledger = _ledger_of(pending, outputs)
    with _locked([f.parent for f in ledger.folders]):
        listed = {line.get("id") for line in ledger.lines()}
        fresh = [entry for entry in pending["entries"] if entry["id"] not in listed]
        if fresh and pending["heads"] != ledger.heads():
            raise DisclosureError(
                "something else was released from the same data while this run was working: run again with "
                "--from release. Nothing was written."
            )
        written = _prepare(ledger, fresh, pending["sketches"])
        try:
            yield
        except BaseException:
            for beside, _ in written:
                beside.unlink(missing_ok=True)
            raise
        _finish(written)


def _write(ledger: Ledger, entries: Sequence[Mapping[str, Any]], sketches: Mapping[str, Mapping[str, Any]]) -> None:
    _finish(_prepare(ledger, entries, sketches))


def _prepare(
    ledger: Ledger, entries: Sequence[Mapping[str, Any]], sketches: Mapping[str, Mapping[str, Any]]
) -> list[tuple[Path, Path]]:
    """Write the new files of every copy beside the old ones; return both names of each."""
    texts = ledger.texts()
    for entry in entries:
        texts.append(_line({**entry, "before": _heads(texts)}))
    lines = "".join(f"{text}\n" for text in texts).encode("ascii")
    pairs: list[tuple[Path, Path]] = []
    for folder in ledger.folders:
        with _readable(folder):
            # The sketches are written first: a ledger with releases that cannot be matched to any data would have no
            # effect.
            for name, content in ((ABOUT, _about_now(ledger, folder, sketches)), (LINES, lines)):
                path = folder / name
                if path.is_file() and path.read_bytes() == content:
                    continue
                beside = path.with_name(f"{name}.next")
                write_bytes(beside, content)
                pairs.append((beside, path))
    return pairs


def _finish(pairs: Sequence[tuple[Path, Path]]) -> None:
    for beside, path in pairs:
        with _readable(path):
            beside.replace(path)


def _about_now(ledger: Ledger, folder: Path, sketches: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return the sketches of the copy in a folder, combined with those of this run's data."""
    known: dict[str, Any] = dict((_about(folder) or {"sketches": {}})["sketches"])
    key = key_name(root_key(folder.parent))
    if key in sketches:  # each copy is hashed only with the key of its own root
        mine = Sketches.restored(dict(sketches[key]))
        known[key] = (mine.united(Sketches.restored(known[key])) if key in known else mine).plain()
    about = {"version": VERSION, "identity": ledger.identity, "name": ledger.name, "sketches": known}
    return (_line(about) + "\n").encode("ascii")


@contextlib.contextmanager
def _locked(roots: Sequence[Path]) -> Iterator[None]:
    """Lock the ledgers of some roots, so that one process at a time writes to them.

    Raises
    ------
    EngineError
        If another run holds one.
    DisclosureError
        If a root cannot be written to.
    """
    with contextlib.ExitStack() as held:
        for root in sorted(set(roots)):  # always in the same order, so that two runs never wait for each other
            with _readable(root):
                root.mkdir(parents=True, exist_ok=True)
            try:
                held.enter_context(Workspace(root / "ledger").locked())
            except EngineError as error:
                if "another run is writing" in str(error):
                    raise EngineError(
                        f"another run is adding its releases to {root}: wait for it to end and run again. Nothing "
                        "was changed."
                    ) from None
                raise DisclosureError(
                    f"{root} cannot be written to: the ledger of releases is kept there. Change the permission, or "
                    "name another folder (run.output_dir; HOTSPOTS_STATE_DIR for the user's state folder). Nothing was "
                    "written."
                ) from None
        yield


# A release as one line of the ledger.


def anchor_of(line: Mapping[str, Any]) -> int:
    """Return the month (yyyymm) from which fixed windows are counted; version 1: the last month of the main window."""
    return int(line["anchor"]) if "anchor" in line else int(str(line["headline"])[-7:].replace("-", ""))


_CELL = ("area_code", "level", "period", "category", "measure")


def entry_of(release: "EarlierRelease", ledger: Ledger, before: "Sequence[EarlierRelease]") -> dict[str, Any] | None:
    """Return a release as a ledger line, or None if its readers already have all its numbers.

    Parameters
    ----------
    release
        The release.
    ledger
        Its ledger.
    before
        Earlier releases of the same data, oldest first.
    """
    import pandas as pd

    own = [r for r in before if (r.profile, r.audience) == (release.profile, release.audience)]
    last = own[-1] if own else None
    counts = release.counts
    if own:
        ends = ["lower", "upper"]
        known = pd.concat([r.counts for r in own], ignore_index=True).drop_duplicates(list(_CELL), keep="last")
        both = counts.merge(known, on=list(_CELL), how="left", suffixes=("", "_known"), indicator=True)
        same = both["_merge"].eq("both").to_numpy(dtype=bool, copy=True)
        for end in ends:
            now, then = (both[c].astype("Float64").fillna(-1).to_numpy() for c in (end, f"{end}_known"))
            same &= now == then
        counts = counts[~same]
    layers: dict[str, dict[str, Any] | None] = {name: _layer(getattr(release, name)) for name in _LAYERS}
    if last is not None:
        layers = {name: None if layers[name] == _layer(getattr(last, name)) else layers[name] for name in _LAYERS}
    table = None if release.circumstances is None else _columns(release.circumstances)
    content = {
        "audience": release.audience,
        "circumstances": table,
        "detail": dict(release.detail),
        "edition": dict(release.edition),
        "headline": release.headline,
        "incomplete": list(release.incomplete),
        "notes": dict(release.notes),
        "profile": release.profile,
        "protection": release.protection,
        "reissue": release.reissue,
        "series": {level: list(periods) for level, periods in release.series.items()},
        "step": release.step,
    }
    unchanged = last is not None and not len(counts) and not any(layers.values()) and not release.reissue
    if unchanged and last is not None and release.data_to == last.data_to and release.headline == last.headline:
        return None
    return content | {
        "version": VERSION,
        "ledger": ledger.identity,
        "run": release.run,
        "data_to": release.data_to,
        "anchor": release.anchor,
        "crs": release.hotspots.crs.to_string() if release.hotspots.crs is not None else "",
        "digest": release.digest,
        "numbers": _coded(counts),
        "layers": layers,
    }


def _coded(counts: "pd.DataFrame") -> dict[str, Any]:
    """Return counts as text: each name once, and by number in the rows, because a name occurs in thousands of rows."""
    import pandas as pd

    out: dict[str, Any] = {}
    for column in _CELL:
        at, names = pd.factorize(counts[column].astype("str"), sort=True)
        out[column] = {"at": at.tolist(), "of": [str(n) for n in names]}
    for end in ("lower", "upper"):
        out[end] = [None if pd.isna(v) else int(v) for v in counts[end]]
    return out


def _decoded(numbers: Mapping[str, Any]) -> "pd.DataFrame":
    import numpy as np
    import pandas as pd

    frame = {}
    for column in _CELL:
        names = np.array(numbers[column]["of"], dtype=object)
        frame[column] = pd.array(names[np.array(numbers[column]["at"], dtype=np.int64)], dtype="str")
    return pd.DataFrame(frame).assign(**{end: pd.array(numbers[end], dtype="Int64") for end in ("lower", "upper")})


def _columns(table: "pd.DataFrame") -> dict[str, Any]:
    """Return a table as text: its columns and their types."""
    import pandas as pd

    return {
        "columns": {c: [None if pd.isna(v) else v for v in table[c].astype(object)] for c in table.columns},
        "kinds": {c: str(table[c].dtype) for c in table.columns},
        "order": list(table.columns),  # keys are sorted in a line
    }


def _table(kept: Mapping[str, Any]) -> "pd.DataFrame":
    import pandas as pd

    order = kept.get("order", list(kept["columns"]))
    return pd.DataFrame({c: pd.Series(kept["columns"][c], dtype=kept["kinds"][c]) for c in order})


def _layer(layer: "gpd.GeoDataFrame") -> dict[str, Any]:
    """Return a released layer as text: columns, and outlines as hexadecimal WKB."""
    import shapely

    table = layer.drop(columns=layer.geometry.name)
    return {**_columns(table), "outlines": [shapely.to_wkb(shape, hex=True) for shape in layer.geometry]}


def _as_layer(kept: Mapping[str, Any], *, written: str, crs: str) -> "gpd.GeoDataFrame":
    import geopandas as gpd
    import shapely

    shapes = gpd.GeoSeries(shapely.from_wkb(kept["outlines"]), crs=written or crs)
    layer = gpd.GeoDataFrame(_table(kept), geometry=shapes)
    return layer if not written or written == crs else layer.to_crs(crs)


def _no_layer(name: str) -> dict[str, Any]:
    """Return the layer of a line that was written before single categories had layers: empty, with its columns."""
    from pipeline.tables import DENSITY_CATEGORY_LAYER, DENSITY_LAYER, HOTSPOT_CATEGORY_LAYER, HOTSPOT_LAYER

    tables = {t.name: t for t in (HOTSPOT_LAYER, DENSITY_LAYER, HOTSPOT_CATEGORY_LAYER, DENSITY_CATEGORY_LAYER)}
    return {**_columns(tables[name].empty()), "outlines": []}


def _earlier_release(line: Mapping[str, Any], *, crs: str, before: "EarlierRelease | None") -> "EarlierRelease":
    """Read a line."""
    from pipeline.release.earlier_releases import EarlierRelease

    if line.get("version", 1) == 1:
        return _of_version_1(line, crs=crs)
    layers = {}
    for name in _LAYERS:
        kept = line["layers"].get(name, _no_layer(name))
        if kept is None and before is not None:
            layers[name] = getattr(before, name)
        else:
            layers[name] = _as_layer(kept, written=str(line["crs"]), crs=crs)
    return EarlierRelease(
        run=str(line["run"]),
        profile=str(line["profile"]),
        audience=str(line["audience"]),
        protection=str(line["protection"]),
        headline=str(line["headline"]),
        reissue=str(line["reissue"]),
        **layers,
        step=int(line["step"]),
        data_to=int(line["data_to"]),
        anchor=anchor_of(line),
        edition=dict(line["edition"]),
        detail=dict(line["detail"]),
        series={level: tuple(periods) for level, periods in line["series"].items()},
        incomplete=tuple(line["incomplete"]),
        counts=_decoded(line["numbers"]),
        circumstances=None if line["circumstances"] is None else _table(line["circumstances"]),
        notes=dict(line["notes"]),
    )


def _of_version_1(line: Mapping[str, Any], *, crs: str) -> "EarlierRelease":
    """Read a ledger line of version 1, from before steps: exact or rounded numbers, and withheld cells.

    Such a line has neither windows nor editions: its windows are those that are not sums of others, and its last month
    is that of its latest window.
    """
    import pandas as pd

    from pipeline.domain.periods import Period
    from pipeline.release.earlier_releases import EarlierRelease

    numbers = line["numbers"]
    cells = pd.DataFrame({c: pd.array(numbers[c], dtype="str") for c in _CELL})
    cells["lower"], cells["upper"] = (pd.array(numbers[end], dtype="Int64") for end in ("low", "high"))
    cells = cells[cells["level"] != "hotspot"].reset_index(drop=True)
    cells["lower"] = cells["lower"].mask(cells["upper"].isna())
    series = {}
    for level, group in cells.groupby("level", sort=True):
        periods = sorted(map(Period.parse, group["period"].unique()))
        series[str(level)] = tuple(p.id for p in periods if len(p.made_of(q for q in periods if q != p)) < 2)
    last = max(Period.parse(p).last_month for periods in series.values() for p in periods)
    return EarlierRelease(
        run=str(line["run"]),
        profile=str(line["profile"]),
        audience=str(line["audience"]),
        protection="suppress",
        step=int(line["threshold"]),
        headline=str(line["headline"]),
        data_to=last,
        anchor=anchor_of(line),
        edition={},
        # Groups would be sums of ward numbers that were released exactly.
        detail=dict.fromkeys(cells.loc[cells["level"] == "ward", "category"].unique(), "ward"),
        series=series,
        incomplete=(),
        counts=cells,
        **{name: _as_layer(line["layers"].get(name, _no_layer(name)), written="", crs=crs) for name in _LAYERS},
        version=1,
    )
