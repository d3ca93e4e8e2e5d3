"""The analyst's front door of a run: which folders there are, what is in them, how good the data was, what was chosen.

It is internal: it may name inputs and show timings, and it is never part of a released folder.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import Config, Profile
from pipeline.domain.levels import level_words
from pipeline.publish import page, words
from pipeline.storage.workspace import cautions_in
from pipeline.tables import Level

__all__ = ["front_door"]

# Pages have names for readers; layers and tables go by their file names, which programs and colleagues use.
_PAGES = {
    "index.html": "front_door.link.map",
    "panel.html": "front_door.link.panel",
    "circumstances.html": "front_door.link.circumstances",
    "protection.html": "front_door.link.protection",
}
_DATA = (
    "area_counts.csv",
    "circumstances.csv",
    "boroughs.geojson",
    "ward_groups.geojson",
    "wards.geojson",
    "hotspots.geojson",
    "density.geojson",
    "hotspots.gpkg",
    "release.json",
)
_LONGEST = 300
"""Letters of a value that still fit into the table of choices; a longer one is left to manifest.json."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of texts; `numbers` are the places of the columns set to the right."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numbers: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """What assistive technology calls the table: its headings, since no two tables have the same."""
        return words.say("number.list_joint").join(self.head)


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of the page under one heading: tables and sentences in order, and a link at its end."""

    heading: str
    parts: list[_Table | str]
    link: str = ""
    link_words: str = ""


@dataclass(frozen=True, slots=True)
class _Card:
    """A profile's folder: what it is for, how it is protected, and what can be opened (address, words).

    `briefed` is what the areas of the briefings are called, one and many.
    """

    name: str
    sentences: list[str]
    links: list[tuple[str, str]]
    briefed: tuple[str, str]
    briefings: int
    first_briefing: str


def front_door(folder: Path, *, config: Config, manifest: Mapping[str, Any], quality: Mapping[str, Any]) -> str:
    """Return the page for a finished run folder, in the language of the configuration.

    Parameters
    ----------
    folder
        The run, complete but for this page.
    config
        The settings it was made with.
    manifest
        Content of manifest.json.
    quality
        Content of quality.json; empty where there is none.
    """
    run = config.run
    with words.speaking(config.page.language):
        body = page.render(
            "pages/front_door.html",
            run=run,
            cautions=cautions_in(manifest["stages"]),
            cards=[_card(folder, profile, config) for profile in config.profiles],
            sections=[_quality(quality), _choices(manifest), _stages(manifest), _inputs(manifest)],
        )
        return page.document(
            language=config.page.language,
            title=words.say("front_door.page_title", title=run.title, run=run.name),
            styles=[page.colour_tokens(), page.style_sheet("pages/front_door.css")],
            body=body,
        )


# The folders.


def _card(folder: Path, profile: Profile, config: Config) -> _Card:
    """Describe the folder of one profile."""
    name = profile.name
    links = [(f"{name}/{file}", words.say(key)) for file, key in _PAGES.items() if (folder / name / file).is_file()]
    links += [(f"{name}/{file}", file) for file in _DATA if (folder / name / file).is_file()]
    briefings = [
        path for path in sorted((folder / name / "boroughs").glob("*.html")) if not path.stem.endswith("-circumstances")
    ]
    return _Card(
        name,
        [words.say(f"front_door.audience.{profile.audience}"), *_protection(folder / name / "release.json", config)],
        links,
        words.area_words(level_words(config.areas), Level.BOROUGH),
        len(briefings),
        f"{name}/boroughs/{briefings[0].name}" if briefings else "",
    )


def _protection(path: Path, config: Config) -> list[str]:
    """Say how a folder's counts are protected, and of how many of its smallest areas a number is shown."""
    record = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if not record.get("protected"):
        return []
    rules = record["rules"]
    step = int(rules["step"])
    found = [
        words.protection_sentence(
            rules["protection"], step=step, threshold=int(rules["threshold"]), noise_reach=int(rules["noise_reach"])
        )
    ]
    for level in (Level.WARD, Level.WARD_GROUP):
        areas = words.area_words(level_words(config.areas), level)[1]
        if windows := record.get("utility", {}).get(level, {}).get("all"):
            latest = windows[max(windows)]
            key = "front_door.areas_with_step" if step > 1 else "front_door.areas_with_number"
            given, every = words.whole(latest["with_number"]), words.whole(latest["areas"])
            found.append(words.say(key, given=given, every=every, areas=areas, step=step))
        if tally := record.get("states", {}).get(level, {}).get("incidents"):
            found.append(_tally_sentence(tally, areas, step))
    return found


def _tally_sentence(tally: Mapping[str, int], areas: str, step: int) -> str:
    """Say of the counts of a level how many are given in which way."""
    states = words.count_states(step)
    states["number"] = words.say("front_door.with_step", step=step) if step > 1 else words.say("front_door.with_number")
    states.pop("rows")
    pieces = [
        words.say("front_door.counts_in_state", counts=words.whole(tally[state]), state=wording)
        for state, wording in states.items()
        if tally[state]
    ]
    joined = words.say("number.list_joint").join(pieces)
    return words.say("front_door.counts_by_state", areas=areas, counts=joined, every=words.whole(tally["rows"]))


# The quality of the data.


def _quality(quality: Mapping[str, Any]) -> _Section:
    """Tell every row's account, why rows were refused, and what of the rows may be the same."""
    say = words.say
    account = quality.get("accounting", {})
    parts: list[_Table | str] = []
    if account:
        parts.append(_counts(words.account_lines(account), "front_door.column.account", "front_door.column.number"))
    else:
        parts.append(say("front_door.see_quality"))
    if refused := quality.get("quarantined_by_rule") or quality.get("rules"):
        parts.append(_counts(refused.items(), "front_door.column.rule", "front_door.column.rows"))
    if faults := quality.get("faults"):
        keys = ("rule", "rows", "data_column", "examples", "cause")
        parts.append(
            _Table(
                tuple(say(f"front_door.column.{key}") for key in keys),
                [
                    (f["rule"], words.whole(f["rows"]), str(f["column"] or ""), ", ".join(f["examples"]), f["cause"])
                    for f in faults
                ],
                (1,),
            )
        )
    if "duplicates" in account:
        parts.append(say("front_door.duplicates"))
    if apart := quality.get("incidents_outside_the_total"):
        parts.append(say("front_door.outside_the_total", n=apart))
    if account.get("left_out_by_where"):
        parts.append(say("front_door.left_out_by_where"))
    if settled := _settled(quality):
        parts.append(_counts(settled, "front_door.column.settled", "front_door.column.number"))
        if quality.get("duplicates", {}).get("conflicting"):
            parts.append(say("front_door.conflicts"))
    if same := _same(quality):
        parts.append(_counts(same, "front_door.column.same", "front_door.column.incidents"))
    return _Section(say("front_door.heading.quality"), parts, "quality.json", say("front_door.more_quality"))


def _counts(rows: Iterable[tuple[str, Any]], *head: str) -> _Table:
    """Make a table of names and numbers under two headings."""
    return _Table(tuple(words.say(key) for key in head), [(name, _plain(number)) for name, number in rows], (1,))


def _settled(quality: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return what was settled of rows with one id, of files that replace each other, and of stray dates."""
    say = words.say
    ids, files = quality.get("repeated_ids", {}), quality.get("replaced_files", [])
    columns = ", ".join(ids.get("columns_that_differ_in_sample", {}))
    copies = sum(bool(file["same_bytes"]) for file in files)
    conflicts = quality.get("duplicates", {}).get("conflicting")
    rows = [
        (say("front_door.settled.conflicts", columns=columns), conflicts),
        (say("front_door.settled.newest_kept"), ids.get("newest_kept")),
        (say("front_door.settled.first_kept"), ids.get("first_kept")),
        (say("front_door.settled.merged"), ids.get("merged")),
        (say("front_door.settled.replaced_files"), len(files) - copies),
        (say("front_door.settled.copies"), copies),
        (say("front_door.settled.replaced_rows"), sum(m["rows"] for m in quality.get("replaced_months", []))),
    ]
    for stray in quality.get("stray_dates", []):
        about = {"source": stray["source"], "first": stray["first_date"], "last": stray["last_date"]}
        if stray["refused"]:
            wording = say("front_door.settled.late_dates", limit=stray["data_to"], **about)
        else:
            wording = say("front_door.settled.early_dates", limit=stray["data_from"], **about)
        rows.append((wording, stray["rows"]))
    return [(wording, count) for wording, count in rows if count]


def _same(quality: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return what was counted of probable duplicates, repeat victims and repeat places."""
    twice, again = quality.get("probable_duplicates", {}), quality.get("repeats", {})
    rows: list[tuple[str, int]] = []
    if "incidents_flagged" in twice:
        rows.append((words.say("front_door.same.organisations"), twice["incidents_flagged"]))
    for by, key in (("victim", "front_door.same.victim"), ("place", "front_door.same.place")):
        found = again.get(by, {})
        if found.get("identified"):
            count, of = found["repeat_incidents"], found["identified"]
            wording = words.say(key, count=words.whole(count), of=words.whole(of), period=again["period"])
            rows.append((wording, count))
    return rows


# The record of the run.


def _choices(manifest: Mapping[str, Any]) -> _Section:
    """List what was chosen automatically or by default."""
    say = words.say
    rows: list[tuple[str, ...]] = []
    for stage, record in manifest["stages"].items():
        for key, value in record.get("choices", {}).items():
            shown = _plain(value)
            if len(shown) >= _LONGEST:
                shown = say("front_door.see_manifest")
            rows.append((stage, words.choice_name(str(key)), shown))
    head = tuple(say(f"front_door.column.{key}") for key in ("stage", "choice", "value"))
    return _Section(say("front_door.heading.choices"), [_Table(head, rows) if rows else say("front_door.no_choices")])


def _stages(manifest: Mapping[str, Any]) -> _Section:
    """List the stages with their times."""
    say = words.say
    rows: list[tuple[str, ...]] = []
    for name, record in manifest["stages"].items():
        state = say("front_door.carried_over") if record.get("carried_over") else say("front_door.ran")
        rows.append((name, state, f"{record['seconds']:.1f}", words.whole(len(record["outputs"]))))
    head = tuple(say(f"front_door.column.{key}") for key in ("stage", "state", "seconds", "files"))
    return _Section(say("front_door.heading.stages"), [_Table(head, rows, (2, 3))])


def _inputs(manifest: Mapping[str, Any]) -> _Section:
    """List the files that were read."""
    rows: list[tuple[str, ...]] = [
        (entry["path"], words.whole(entry["bytes"]), entry["sha256"][:12]) for entry in manifest["inputs"]
    ]
    head = tuple(words.say(f"front_door.column.{key}") for key in ("file", "bytes", "checksum"))
    return _Section(words.say("front_door.heading.inputs"), [_Table(head, rows, (1,))])


def _plain(value: object) -> str:
    """Write a value of a record for people."""
    if isinstance(value, bool):
        return words.say("common.yes") if value else words.say("common.no")
    if isinstance(value, int):
        return words.whole(value)
    if isinstance(value, list | tuple):
        return words.say("number.list_joint").join(_plain(v) for v in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {_plain(v)}" for k, v in value.items())
    return "" if value is None else str(value)
