"""What has been released from a data source so far, across runs, profiles and scopes: published numbers only.

`outputs/.ledger/<source>/releases.jsonl` holds one line per release. Lines are only ever added; each names the digest
of the line before it, so that a line that was changed or taken out is noticed. An identical release adds nothing.
Neither ``--force`` nor a run's replacement touches it. A line is written only after the run it belongs to has been
swapped in, and under a lock from the moment the run was checked against the ledger.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import DisclosureError, EngineError, InputError
from pipeline.storage.files import read_json, write_bytes, write_json
from pipeline.storage.workspace import Workspace

if TYPE_CHECKING:  # a run in which nothing changed opens the ledger too, and must stay light
    import geopandas as gpd

    from pipeline.release.circumstances import ReleasedCircumstances
    from pipeline.release.previous_releases import PreviousRelease

__all__ = ["Ledger", "keep_entry", "make_good", "recorded"]

FILE = "releases.jsonl"
KEPT = "ledger.json"
KEYS = ("area_code", "level", "period", "category", "measure")
_LAYERS = ("hotspots", "density")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of one data source in an outputs folder."""

    folder: Path

    @classmethod
    def of(cls, outputs: Path, *, source: str) -> "Ledger":
        """Return the ledger of a data source; it need not exist yet."""
        return cls(outputs / ".ledger" / source)

    @property
    def path(self) -> Path:
        """The file of lines."""
        return self.folder / FILE

    def lines(self) -> list[dict[str, Any]]:
        """Read every line, oldest first.

        Raises
        ------
        InputError
            If a line is damaged or the chain is broken.
        """
        if not self.path.is_file():
            return []
        found: list[dict[str, Any]] = []
        before = ""
        for number, text in enumerate(self.path.read_text("utf-8").splitlines(), start=1):
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                raise InputError(self._damaged(number)) from None
            if line.get("before") != before or "numbers" not in line:
                raise InputError(self._damaged(number))
            before = _digest(text)
            found.append(line)
        return found

    def _damaged(self, number: int) -> str:
        return (
            f"{self.path}, line {number}, is damaged or does not follow from the line before it: the ledger is only "
            "ever added to. Put back a copy of it, or, if nothing listed there was ever handed over, move it away"
        )

    @property
    def head(self) -> str:
        """Digest of the last line; empty where there is none."""
        if not self.path.is_file():
            return ""
        lines = self.path.read_text("utf-8").splitlines()
        return _digest(lines[-1]) if lines else ""

    def releases(self, *, areas: "gpd.GeoDataFrame") -> "tuple[PreviousRelease, ...]":
        """Return all releases, oldest first.

        Parameters
        ----------
        areas
            Table `areas` of the run, for the coordinate system, and to refuse a ledger of another place.

        Raises
        ------
        InputError
            If the ledger is damaged, or none of a release's areas is among these.
        """
        known = set(areas["area_code"])
        found: dict[str, PreviousRelease] = {}
        for line in self.lines():
            previous = _previous_release(line, crs=areas.crs)
            codes = set(previous.cells.loc[previous.cells["level"] != "hotspot", "area_code"])
            if codes and not codes & known:
                raise InputError(
                    f"{self.path} lists a release of other areas ({previous.name}; for example {min(codes)}): two data "
                    "sources share a ledger. Give each its own disclosure.data_source"
                )
            found.setdefault(previous.digest, previous)  # again where only the circumstances are new
        return tuple(found.values())

    def circumstances(self) -> list[dict[str, Any]]:
        """Return the circumstances released so far, oldest first, as `ReleasedCircumstances.of` reads them."""
        return [line["circumstances"] for line in self.lines() if "circumstances" in line]

    def add(self, entries: Sequence[dict[str, Any]]) -> int:
        """Add the entries whose numbers no earlier line of the same audience holds; return how many that were."""
        lines = self.lines()
        there = {line["digest"] for line in lines}
        texts = self.path.read_text("utf-8").splitlines() if lines else []
        fresh = 0
        for entry in entries:
            if entry["digest"] in there:
                continue
            there.add(entry["digest"])
            before = _digest(texts[-1]) if texts else ""
            texts.append(
                json.dumps({**entry, "before": before}, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
            )
            fresh += 1
        if fresh:
            write_bytes(self.path, ("\n".join(texts) + "\n").encode("ascii"))
        return fresh

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the ledger to one process at a time.

        Raises
        ------
        EngineError
            If another run holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with Workspace(self.folder / "ledger").locked():
                yield
        except EngineError as error:
            if "another run is writing" not in str(error):
                raise
            raise EngineError(
                f"another run is releasing from the same data source ({self.folder.name}): wait for it to end and run "
                "again. Nothing was changed."
            ) from None


def keep_entry(
    folder: Path,
    release: "PreviousRelease",
    circumstances: "ReleasedCircumstances | None" = None,
    *,
    source: str,
    head: str,
    order: int,
) -> None:
    """Keep beside a profile's stage tables the line that the ledger gets once the run is in place.

    Parameters
    ----------
    folder
        Of the profile's stage tables.
    release, circumstances
        The release as its readers hold it, and its circumstances, if it has any.
    source
        Names the ledger.
    head
        Last line of the ledger when the release was made.
    order
        Place among the run's releases: later ones were checked against the earlier.
    """
    entry = _entry(release)
    if circumstances is not None:
        mine = circumstances.entry()
        entry |= {"circumstances": mine, "digest": _digest(release.digest + json.dumps(mine, sort_keys=True))}
    write_json(folder / KEPT, {"source": source, "head": head, "order": order, "entry": entry})


def make_good(folder: Path, *, outputs: Path) -> None:
    """Enter the releases of a run that is in place, in case the last run died between the swap and the entry."""
    kept = _kept(folder)
    for source in sorted({k["source"] for k in kept}):
        ledger = Ledger.of(outputs, source=source)
        with ledger.locked():
            ledger.add([k["entry"] for k in kept if k["source"] == source])


def _kept(folder: Path) -> list[dict[str, Any]]:
    found = [read_json(path) for path in sorted((folder / "work" / "release").glob(f"*/{KEPT}"))]
    return sorted(found, key=lambda one: int(one["order"]))


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
        If something else was released from the same data source since the run was checked against the ledger.
    EngineError
        If another run holds the ledger.
    """
    kept = _kept(building)
    with contextlib.ExitStack() as held:
        ledgers = {k["source"]: Ledger.of(outputs, source=k["source"]) for k in kept}
        for source in sorted(ledgers):
            held.enter_context(ledgers[source].locked())
        for one in kept:
            ledger = ledgers[one["source"]]
            listed = {line["digest"] for line in ledger.lines()}
            if one["head"] != ledger.head and one["entry"]["digest"] not in listed:
                raise DisclosureError(
                    "something else was released from the same data source after this run had checked what is out: "
                    "run again with --from release. Nothing was written."
                )
        yield
        for source, ledger in sorted(ledgers.items()):
            ledger.add([k["entry"] for k in kept if k["source"] == source])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _entry(previous: "PreviousRelease") -> dict[str, Any]:
    """Return a release as a line holds it."""
    import pandas as pd

    cells = previous.cells.sort_values(list(KEYS), ignore_index=True)
    columns: dict[str, list[Any]] = {k: cells[k].astype("str").tolist() for k in KEYS}
    columns["low"] = [int(v) for v in cells["low"]]
    columns["high"] = [None if pd.isna(v) else int(v) for v in cells["high"]]
    return {
        "digest": previous.digest,
        "run": previous.run,
        "profile": previous.profile,
        "audience": previous.audience,
        "threshold": previous.threshold,
        "headline": previous.headline,
        "numbers": columns,
        "spots": [
            {
                "code": s.code, "period": s.period, "rank": s.rank, "wards": list(s.wards), "named": s.named,
                "low": s.low, "high": s.high, "inside": [list(pair) for pair in s.inside],
            }
            for s in previous.hotspot_facts
        ],
        "layers": {name: _layer(getattr(previous, name)) for name in _LAYERS},
    }  # fmt: skip


def _layer(layer: "gpd.GeoDataFrame") -> dict[str, Any]:
    """Return a released layer as text: columns, and outlines as hexadecimal WKB."""
    import pandas as pd
    import shapely

    columns = [c for c in layer.columns if c != layer.geometry.name]
    return {
        "columns": {c: [None if pd.isna(v) else v for v in layer[c].astype(object)] for c in columns},
        "kinds": {c: str(layer[c].dtype) for c in columns},
        "outlines": [shapely.to_wkb(shape, hex=True) for shape in layer.geometry],
    }


def _previous_release(line: dict[str, Any], *, crs: Any) -> "PreviousRelease":
    """Read a line."""
    import geopandas as gpd
    import pandas as pd
    import shapely

    from pipeline.release.linked_tables import HotspotFacts
    from pipeline.release.previous_releases import PreviousRelease

    numbers = line["numbers"]
    cells = pd.DataFrame({k: pd.array(numbers[k], dtype="str") for k in KEYS})
    cells["low"] = pd.array(numbers["low"], dtype="int64")
    cells["high"] = pd.array(numbers["high"], dtype="Int64")
    hotspot_facts = tuple(
        HotspotFacts(
            wards=tuple(s["wards"]),
            inside=tuple((str(ward), int(n)) for ward, n in s["inside"]),
            **{k: s[k] for k in ("code", "period", "rank", "named", "low", "high")},
        )
        for s in line["spots"]
    )
    layers = {}
    for name in _LAYERS:
        kept = line["layers"][name]
        frame = pd.DataFrame({c: pd.Series(v, dtype=kept["kinds"][c]) for c, v in kept["columns"].items()})
        shapes = gpd.GeoSeries(shapely.from_wkb(kept["outlines"]), crs=crs)
        layers[name] = gpd.GeoDataFrame(frame, geometry=shapes, crs=crs)
    return PreviousRelease(
        cells=cells[["area_code", "level", "period", "category", "measure", "low", "high"]],
        hotspot_facts=hotspot_facts,
        **{k: line[k] for k in ("run", "profile", "audience", "threshold", "headline")},
        **layers,
    )
