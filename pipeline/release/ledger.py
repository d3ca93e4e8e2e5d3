"""The ledger: what has been released from one body of data, across runs, profiles and folders; published numbers only.

A ledger is a folder with `releases.jsonl`, one line per release, and `ledger.json`, which says what data it is about
(`sketches`). Lines are only ever added. Each names the digests of the lines it follows, so that a line that was changed
or taken out is noticed. A line holds the counts that no earlier release of its profile showed, so that a ledger grows
with the numbers that are out and not with the runs.

The same ledger stands in two places: under the folder of outputs, and in the user's state folder, where a run into
another folder finds it (synthetic data have the first place alone). Lines of both are merged when they are read: each
place may have missed what was released while it was away.

A line is written only after the run it belongs to has been swapped in, and under a lock from the moment the run was
checked against the ledger. What would be written is written beside the ledger first: a disk that is full or read-only
stops the run before anything of it is in place.
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
from pipeline.storage.files import write_bytes, write_private
from pipeline.storage.workspace import Workspace

if TYPE_CHECKING:  # a run in which nothing changed opens the ledger too, and must stay light
    import geopandas as gpd
    import pandas as pd

    from pipeline.release.earlier_releases import EarlierRelease
    from pipeline.release.sketches import Sketches

__all__ = [
    "Candidate",
    "Ledger",
    "anchor_of",
    "choose_ledger",
    "entry_of",
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
"""Where `disclosure.data_source` names no ledger and more than this share of the data is in one, that one is used:
chance never explains so much. Below, the name is believed, and a ledger of its own is begun."""

_LAYERS = ("hotspots", "density")


# Where ledgers are.


def state_folder() -> Path:
    """Return the folder for what this user's programs remember: HOTSPOTS_STATE_DIR, else the platform's."""
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
    """Return the folders that ledgers are kept in: under the outputs, and the user's own unless data are synthetic."""
    beside = outputs / ".ledger"
    return (beside,) if synthetic else (beside, state_folder() / "ledger")


def root_key(root: Path) -> bytes:
    """Return the secret that sketches in a root are hashed with; it is made where there is none.

    Raises
    ------
    DisclosureError
        If it cannot be read or made, or is damaged.
    """
    path = root / KEY
    with _readable(path):
        if not path.is_file():
            # Two runs may come here together: both then read what the second of them left.
            write_private(path, secrets.token_hex(KEY_BYTES))
        text = path.read_text("ascii").strip()
    if len(text) != 2 * KEY_BYTES or set(text) - set("0123456789abcdef"):
        raise DisclosureError(
            f"{path} is damaged: it should hold {2 * KEY_BYTES} hexadecimal digits. Put back a copy; or delete it, and "
            "name the ledger by hand (disclosure.data_source), for it can no longer be found by its data. Nothing was "
            "written."
        )
    return bytes.fromhex(text)


def key_name(key: bytes) -> str:
    """Return what tells one key from another without giving it away."""
    return hashlib.sha256(b"name of " + key).hexdigest()[:16]


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Explain why a part of the ledger cannot be used."""
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DisclosureError(
            f"{path}: {why}. The ledger of releases must be read and written before anything is released, or the next "
            "release could give away what this one hides. Change the permission or free some disk space; "
            "HOTSPOTS_STATE_DIR names another folder for the copy in the user's state folder. Nothing was written."
        ) from None


# The ledgers that there are.


@dataclass(frozen=True, slots=True)
class Ledger:
    """One ledger, wherever its copies stand.

    Attributes
    ----------
    identity
        Made at random when it was begun; the copies have the same.
    name
        For people: `disclosure.data_source`, or the name of the first run.
    folders
        Its folder in each root; it need not exist.
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
        """Return the digests that the next line must name: of the lines that none follows yet."""
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
    """Read the lines of one copy, and hold each to those that it follows."""
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
                "ever added to. Put back a copy of it (another may stand in the user's state folder or beside the "
                "outputs: `hotspots ledger list`), or, if nothing listed there was ever handed over, move it away. "
                "Nothing was written."
            )
        seen.add(_digest(text))
    return texts


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ledger that is there, with what each copy says of its data, by the name of the key."""

    ledger: Ledger
    sketches: Mapping[str, Mapping[str, Any]]


def ledgers_in(roots: Sequence[Path]) -> list[Candidate]:
    """Find the ledgers in some roots, the copies of one put together, by name.

    Raises
    ------
    DisclosureError
        If what says which data a ledger is about cannot be read.
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
    """Return what a ledger says of itself; one of version 1 has its folder's name, and no sketches."""
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
                    f"{path} is damaged: put back a copy of it. Without it nobody knows which data the ledger is "
                    "about. Nothing was written."
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
    """Return a ledger that is yet to be written."""
    identity = secrets.token_hex(16)
    return Ledger(identity, name, tuple(root / _folder_name(name, identity) for root in roots))


def choose_ledger(
    roots: Sequence[Path], sketches: "Mapping[str, Sketches]", *, source: str, run: str
) -> tuple[Ledger, str]:
    """Find the ledger of some data, or begin one.

    Parameters
    ----------
    roots
        Folders of ledgers.
    sketches
        What the data is, by the name of the key it was hashed with.
    source
        `disclosure.data_source`: the ledger's name, given by hand; empty if it is not.
    run
        Name of the run, for a new ledger and for one of version 1, which its data do not identify.

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
    from pipeline.release.sketches import OVERLAP, Sketches

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


# What a run will add to its ledger once it is in place.


def save_pending(
    path: Path,
    ledger: Ledger,
    entries: Sequence[dict[str, Any]],
    *,
    sketches: "Mapping[str, Sketches]",
    synthetic: bool,
) -> None:
    """Keep beside the stage tables what the ledger gets once the run is in place.

    Parameters
    ----------
    path
        The file.
    ledger
        The ledger that the run was checked against.
    entries
        Lines to add, in this order: later releases were checked against the earlier (see `entry_of`).
    sketches
        What the data is, by the name of the key.
    synthetic
        Whether the data are: such ledgers have no copy in the user's state folder.
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
    """Return the ledger that a run belongs to, wherever its copies stand now."""
    roots = ledger_roots(outputs, synthetic=bool(pending["synthetic"]))
    identity, name = str(pending["ledger"]["identity"]), str(pending["ledger"]["name"])
    there = [c.ledger for c in ledgers_in(roots) if c.ledger.identity == identity]
    return there[0] if there else Ledger(identity, name, tuple(r / _folder_name(name, identity) for r in roots))


def make_good(folder: Path, *, outputs: Path) -> None:
    """Enter the releases of a run that is in place, in case the last run died between the swap and the entry.

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
    """Enter a run's releases in the ledger if what is done inside (the swap) succeeds.

    Parameters
    ----------
    building
        The run's folder before the swap.
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
                "something else was released from the same data after this run had checked what is out: run again with "
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
            # What the data is comes first: a ledger with releases that no data finds would bind nobody.
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
    """Return what the copy in a folder says of its data, with the data of this run."""
    from pipeline.release.sketches import Sketches

    known: dict[str, Any] = dict((_about(folder) or {"sketches": {}})["sketches"])
    key = key_name(root_key(folder.parent))
    if key in sketches:  # each copy is hashed with the key of its own root alone
        mine = Sketches.restored(dict(sketches[key]))
        known[key] = (mine.united(Sketches.restored(known[key])) if key in known else mine).plain()
    about = {"version": VERSION, "identity": ledger.identity, "name": ledger.name, "sketches": known}
    return (_line(about) + "\n").encode("ascii")


@contextlib.contextmanager
def _locked(roots: Sequence[Path]) -> Iterator[None]:
    """Hold the ledgers of some roots to one process at a time.

    Raises
    ------
    EngineError
        If another run holds one.
    DisclosureError
        If a root cannot be written to.
    """
    with contextlib.ExitStack() as held:
        for root in sorted(set(roots)):  # always in one order, so that two runs never wait for each other
            with _readable(root):
                root.mkdir(parents=True, exist_ok=True)
            try:
                held.enter_context(Workspace(root / "ledger").locked())
            except EngineError as error:
                if "another run is writing" in str(error):
                    raise EngineError(
                        f"another run is entering its releases in {root}: wait for it to end and run again. Nothing "
                        "was changed."
                    ) from None
                raise DisclosureError(
                    f"{root} cannot be written to: the ledger of releases is kept there. Change the permission, or "
                    "name another folder (run.output_dir; HOTSPOTS_STATE_DIR for the user's state folder). Nothing was "
                    "written."
                ) from None
        yield


# A release as a line holds it.


def anchor_of(line: Mapping[str, Any]) -> int:
    """Return the month (yyyymm) that fixed windows are counted from; in version 1, that in which the main one ends."""
    return int(line["anchor"]) if "anchor" in line else int(str(line["headline"])[-7:].replace("-", ""))


_CELL = ("area_code", "level", "period", "category", "measure")


def entry_of(release: "EarlierRelease", ledger: Ledger, before: "Sequence[EarlierRelease]") -> dict[str, Any] | None:
    """Return a release as a line holds it, or None if its readers hold every number of it already.

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
    """Return counts as text: each column of names once and by number, for a name stands in thousands of rows."""
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
    """Return a table as text: its columns and their kinds."""
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


def _earlier_release(line: Mapping[str, Any], *, crs: str, before: "EarlierRelease | None") -> "EarlierRelease":
    """Read a line."""
    from pipeline.release.earlier_releases import EarlierRelease

    if line.get("version", 1) == 1:
        return _of_version_1(line, crs=crs)
    layers = {}
    for name in _LAYERS:
        kept = line["layers"][name]
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
    """Read a line of the ledger as it was before steps: exact or rounded numbers, and cells that were withheld.

    Such a line names neither windows nor editions: its windows are those that are no sum of others, and its last month
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
        # Groups beside wards would be sums of numbers that are out exactly.
        detail=dict.fromkeys(cells.loc[cells["level"] == "ward", "category"].unique(), "ward"),
        series=series,
        incomplete=(),
        counts=cells,
        **{name: _as_layer(line["layers"][name], written="", crs=crs) for name in _LAYERS},
        version=1,
    )
