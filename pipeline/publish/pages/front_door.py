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
from pipeline.publish.pages.folder import Listed, files_of, size_text, title_of
from pipeline.publish.pages.protection import missing_statements
from pipeline.storage.workspace import cautions_in
from pipeline.tables import Level

__all__ = ["front_door"]

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
class _File:
    """A file, or several of one kind: those have no address, but each is listed by its title."""

    name: str
    address: str
    size: str
    use: str
    each: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Card:
    """A profile's folder: who reads it, its marking, how it is protected, and what is in it."""

    name: str
    purpose: str
    marking: str
    sentences: list[str]
    map: str
    pages: list[_File]
    data: list[_File]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the account of rows: its sign (`=` for a result), words, number and a note."""

    sign: str
    words: str
    number: str
    note: str = ""


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
    with words.speaking(config.page.language), words.per(config.areas.base):
        body = page.render(
            "pages/front_door.html",
            run=run,
            before=_before(config, cautions_in(manifest["stages"])),
            cards=[_card(folder, profile, config) for profile in sorted(config.profiles, key=_widest_first)],
            account=_account(quality.get("accounting", {})),
            refusals=_refusals(quality, folder / "work" / "quarantine.parquet"),
            refused=_refused(quality),
            choices=_choices(manifest),
            releases=_releases(folder, config),
            backtest="backtest.html" if (folder / "backtest.html").is_file() else "",
            sections=[_quality(quality, config)],
            technical=[_stages(manifest), _inputs(manifest)],
        )
        return page.document(
            language=config.page.language,
            title=words.say("front_door.page_title", title=run.title, run=run.name),
            styles=[page.colour_tokens(), page.style_sheet("pages/front_door.css")],
            body=body,
        )


def _before(config: Config, cautions: Iterable[str]) -> list[str]:
    """Say what to know before anything is sent: what is made up, what stays, and the cautions of the run."""
    exact = [profile.name for profile in config.profiles if profile.audience == "internal"]
    found = [words.say("common.synthetic")] if config.run.synthetic else []
    found.append(words.say("front_door.work_stays"))
    if exact:
        found.append(words.say("front_door.internal_stays", folders=words.listed(exact)))
    released = [profile.name for profile in config.profiles if profile.audience != "internal"]
    if released and (missing := missing_statements(config.protection.model_dump())):
        keys = words.listed([f"protection.{key}" for key in missing])
        found.append(words.say("front_door.not_ready", folders=words.listed(released), keys=keys))
    return [*found, words.say("front_door.send_whole"), *cautions]


# The folders.


def _widest_first(profile: Profile) -> int:
    """Order folders from what anybody may have to what stays."""
    return ("public", "partner", "internal").index(profile.audience)


def _card(folder: Path, profile: Profile, config: Config) -> _Card:
    """Describe the folder of one profile."""
    here, name = folder / profile.name, profile.name
    files = files_of(here) if here.is_dir() else []
    return _Card(
        name,
        words.say(f"folder.audience.{profile.audience}"),
        profile.marking,
        _protection(here / "release.json", config),
        f"{name}/index.html" if (here / "index.html").is_file() else "",
        [_file(here, f) for f in files if f.is_page],
        [_file(here, f) for f in files if not f.is_page],
    )


def _file(folder: Path, listed: Listed) -> _File:
    """Describe files of one kind; of several pages each is listed by its own title."""
    one = len(listed.paths) == 1
    each = () if one else tuple((f"{folder.name}/{path}", title_of(folder / path)) for path in listed.paths)
    address = f"{folder.name}/{listed.paths[0]}" if one else ""
    return _File(listed.name, address, size_text(listed.bytes), listed.use, tuple(sorted(each, key=lambda e: e[1])))


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


def _quality(quality: Mapping[str, Any], config: Config) -> _Section:
    """Say how rows were settled, and what of them may be the same."""
    say = words.say
    account = quality.get("accounting", {})
    parts: list[_Table | str] = [] if account else [say("front_door.see_quality")]
    if "duplicates" in account:
        parts.append(say("front_door.duplicates"))
    if maps := quality.get("maps"):
        points = maps["density_clusters_hotspots"]
        numbers = {"points": points["incidents"], **{k: maps[k] for k in ("wards", "boroughs") if k in maps}}
        key = "front_door.maps_rest_on" if "wards" in maps else "front_door.maps_of_one_level_rest_on"
        labels = level_words(config.areas)
        areas = {"small": words.area_words(labels, Level.WARD)[1], "large": words.area_words(labels, Level.BOROUGH)[1]}
        precision = words.say("number.list_joint").join(points["precision"])
        parts.append(say(key, precision=precision, **areas, **{k: words.whole(n) for k, n in numbers.items()}))
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


# The account of rows: a sum that adds up.

_TAKEN_OFF = ("left_out_by_where", "duplicates", "merged", "replaced")
_PLACES = (
    "incidents_inside_areas",
    "incidents_without_a_place",
    "incidents_not_covered",
    "incidents_outside_areas",
)


def _account(account: Mapping[str, int]) -> list[_Line]:
    """Write the account of rows as a sum: read, less what was taken off, is what counts, and that is on the map or not.

    Lines of nothing are left out. Both results stand for the same number, and are called checked only if they are.
    """
    if not account or "incidents" not in account:
        return []
    say, kept = words.say, account["incidents"]
    read = account.get("rows_read", 0)
    off = [(k, account[k]) for k in (*_TAKEN_OFF, "quarantined") if account.get(k)]
    # Where published counts were refused their number stands beside that of refused rows.
    if account.get("rows_quarantined") and "quarantined" not in account:
        off.append(("rows_quarantined", account["rows_quarantined"]))
    places = [(k, account[k]) for k in _PLACES if account.get(k)]
    lines = [_Line("", say("front_door.sum.rows_read"), words.whole(read))]
    lines += [
        _Line("\u2212", say(f"front_door.sum.{k}"), words.whole(n), say(f"front_door.sum_note.{k}")) for k, n in off
    ]
    left = read - sum(n for _, n in off)
    lines.append(_Line("=", say("front_door.sum.incidents"), words.whole(kept), _check(left, kept)))
    if places:
        lines += [
            _Line("+" if k else "", say(f"front_door.sum.{name}"), words.whole(n), say(f"front_door.sum_note.{name}"))
            for k, (name, n) in enumerate(places)
        ]
        together = sum(n for _, n in places)
        lines.append(_Line("=", say("front_door.sum.incidents"), words.whole(together), _check(together, kept)))
    return lines


def _check(found: int, expected: int) -> str:
    """Say that a sum is right, or by how much it is not."""
    if found == expected:
        return words.say("front_door.checked")
    return words.say("front_door.does_not_add_up", difference=words.whole(found - expected))


# Refusals: the reason in words, a sample without anything personal, and what helps.


def _refusals(quality: Mapping[str, Any], quarantine: Path) -> _Table | None:
    """List why rows were refused; samples are the values of the columns concerned, and of no other."""
    rules = quality.get("quarantined_by_rule") or quality.get("rules") or {}
    if not rules:
        return None
    say, first = words.say, _first_rows(quarantine)
    by_rule: dict[str, list[Mapping[str, Any]]] = {}
    for fault in quality.get("faults", ()):
        by_rule.setdefault(str(fault["rule"]), []).append(fault)
    rows: list[tuple[str, ...]] = []
    for rule, count in sorted(rules.items(), key=lambda item: (-item[1], item[0])):
        known = f"front_door.refusal.{rule}" in words.catalogue_of("en").texts
        reason = say(f"front_door.refusal.{rule}") if known else rule
        causes = list(dict.fromkeys(str(fault["cause"]) for fault in by_rule.get(rule, ()) if fault["cause"]))
        rows.append((reason, words.whole(count), _sample(by_rule.get(rule, ()), first.get(rule)), " ".join(causes)))
    head = tuple(say(f"front_door.column.{key}") for key in ("reason", "rows", "examples", "remedy"))
    return _Table(head, rows, (1,))


def _refused(quality: Mapping[str, Any]) -> str:
    """Say how many of the rows were refused."""
    account = quality.get("accounting", {})
    read, refused = account.get("rows_read", 0), sum((quality.get("quarantined_by_rule") or {}).values())
    if not read or not refused:
        return ""
    pct = f"{100 * refused / read:.1f}"
    return words.say("front_door.refused_lead", n=refused, all=words.whole(read), pct=pct)


def _sample(faults: Iterable[Mapping[str, Any]], row: int | None) -> str:
    """Write one sample: its row, and what stands in the column."""
    fault = next(iter(faults), None)
    if fault is None:
        return words.say("front_door.sample_row", row=words.whole(row)) if row is not None else ""
    value = str(fault["examples"][0]) if fault["examples"] else words.say("front_door.empty")
    text = words.say("front_door.sample_value", column=fault["column"], value=value) if fault["column"] else value
    where = words.say("front_door.sample_row", row=words.whole(row)) if row is not None else ""
    return words.say("front_door.sample", row=where, value=text) if where else text


def _first_rows(quarantine: Path) -> dict[str, int]:
    """Find the first row of each rule; nothing else of a refused row is read."""
    if not quarantine.is_file():
        return {}
    import pandas as pd

    rows = pd.read_parquet(quarantine, columns=["rule", "source_row"]).drop_duplicates("rule")
    return {str(rule): int(row) for rule, row in zip(rows["rule"], rows["source_row"], strict=True) if row == row}  # noqa: PLR0124 - NaN


# What is released, and when next.


def _releases(folder: Path, config: Config) -> list[str]:
    """Say of each released folder when its numbers change, and how many releases came before."""
    out = []
    for profile in config.profiles:
        path = folder / profile.name / "release.json"
        record = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        calendar = record.get("calendar") or {}
        if not calendar.get("release"):
            continue
        sentences = [
            words.say("front_door.release_of", folder=profile.name, month=words.month_name(calendar["data_to"]))
        ]
        if calendar.get("numbers") == "as released before":
            sentences.append(words.say("protection.rule.calendar.as_before"))
        sentences.append(words.say(f"protection.rule.calendar.{calendar['release']}"))
        if isinstance(earlier := record.get("earlier_releases"), int):
            sentences.append(words.say("front_door.earlier_releases", n=earlier))
        out.append(" ".join(sentences))
    return out


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


def _choices(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write what was chosen automatically or by default as sentences, each with the name of the choice."""
    out = []
    for stage, record in manifest["stages"].items():
        for key, value in record.get("choices", {}).items():
            shown = _plain(value)
            if not shown:
                continue
            if len(shown) >= _LONGEST:
                shown = words.say("front_door.see_manifest")
            out.append(
                (
                    words.capital(words.say("front_door.choice", choice=words.choice_name(str(key)), value=shown)),
                    f"{stage}: {key}",
                )
            )
    return out


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
