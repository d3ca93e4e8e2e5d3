"""`hotspots init --from`: a configuration for given files, with the evidence of each setting beside it."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import Run, load_config
from pipeline.config.templates import template_text
from pipeline.errors import ConfigError, HotspotsError
from pipeline.ingest.recognition import (
    Guess,
    SeenAreas,
    SeenCounts,
    SeenPeople,
    SeenRows,
    system_of_points,
    try_areas,
    try_counts,
    try_people,
    try_rows_of,
)
from pipeline.stages.checks import check_inputs
from pipeline.stages.inputs import expand
from pipeline.stages.trial import try_rows
from pipeline.storage.files import write_text
from pipeline.storage.workspace import Fingerprints

__all__ = ["Begun", "begin"]

Ask = Callable[[str], str]
_LIMITS = Run.model_validate({})
_WIDTH = 44  # column at which the evidence begins
_POLICE_UK = frozenset({"month", "crime type"})
_DASHBOARD = frozenset({"month_year", "area_type", "area_code", "crime_subtype", "measure", "count"})
_AMBIGUOUS = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d\d)(?!\d)")


@dataclass(slots=True)
class Begun:
    """What was written: the file, what could not be seen, and what a trial of it stopped at."""

    path: Path
    unseen: list[str] = field(default_factory=list)
    error: HotspotsError | None = None


def begin(
    data: Sequence[str],
    *,
    areas: Sequence[str],
    population: Sequence[str],
    config: Path,
    force: bool,
    ask: Ask | None = None,
) -> Begun:
    """Read files, write a configuration for them, and try it on their first rows.

    Parameters
    ----------
    data
        Files or globs of incidents, or of counts published by area.
    areas
        Boundary files: the small areas, and those that contain them if they have a file.
    population
        Tables of residents.
    config
        The file to write; paths in it are relative to its folder.
    force
        Overwrite it if it is there.
    ask
        Asks a person for what cannot be seen; None if nobody is there.

    Raises
    ------
    ConfigError
        If the file is there already, or no boundaries are given.
    InputError
        If a file cannot be read or recognised.
    """
    if config.exists() and not force:
        raise ConfigError(f"{config} already exists: give another name with --config, or overwrite it with --force")
    if not areas and ask is not None:
        areas = [ask("Boundary file of the areas (wards)")]
    if not any(areas):
        raise ConfigError(
            "no boundaries are given: name a file of them with --areas (`hotspots fetch boundaries` downloads those of "
            "England and Wales)"
        )
    made = _Making(config, ask)
    text = made.text(data, areas, population)
    write_text(config, text)
    return Begun(config, made.unseen, _trial(config))


def _trial(path: Path) -> HotspotsError | None:
    """Take the first rows through the stages, as `hotspots check` does."""
    try:
        settings, base = load_config(path), path.resolve().parent
        check_inputs(settings, base)
        prints = Fingerprints(base / settings.run.output_dir / settings.run.name / "manifest.json")
        from pipeline.stages.inputs import input_files

        prints.of(input_files(settings, base), base=base)
        return try_rows(settings, base, rows=10_000, checksums=prints.checksums).error
    except HotspotsError as error:
        return error


@dataclass(slots=True)
class _Making:
    config: Path
    ask: Ask | None
    unseen: list[str] = field(default_factory=list)

    def text(self, data: Sequence[str], areas: Sequence[str], population: Sequence[str]) -> str:
        here = Path.cwd()
        files = expand(tuple(data), base=here, key="--from")
        layers = [try_areas(path, limits=_LIMITS) for path in expand(tuple(areas), base=here, key="--areas")]
        # The file with the most areas has the small ones.
        layers.sort(key=lambda layer: -layer.count)
        wards, boroughs = layers[0], layers[1] if len(layers) > 1 else None
        rows = try_rows_of(files[0], limits=_LIMITS)
        known = _joined(wards, boroughs)
        counts = try_counts(rows, known)
        people = [
            (path, try_people(path, codes=wards.codes, limits=_LIMITS))
            for path in (expand(tuple(population), base=here, key="--population") if population else ())
        ]
        working = self._working(wards)
        columns = {c.casefold().strip() for c in rows.columns}
        base = "police-uk" if columns >= _POLICE_UK else "mps-dashboard" if columns >= _DASHBOARD else "extract"
        named = ", ".join(p.name for p in files[:3]) + (" and others" if len(files) > 3 else "")
        head = [
            f"# Written by `hotspots init --from` from {named}. Paths are relative to this file.",
            "# Beside each setting that was recognised stands the evidence. Read it, then run `hotspots check`.",
            *self._run(files, rows, base),
            "",
            *_lines(0, [("crs", None), ("  working", working)]),
            "",
            *self._areas(wards, boroughs, people),
            "",
        ]
        if counts is not None:
            return "\n".join([*head, *self._counts(data, rows, counts, base)]) + "\n"
        return "\n".join([*head, *self._incidents(data, rows, wards), "", _rest(base, "periods")]) + "\n"

    def _working(self, wards: SeenAreas) -> Guess:
        import pyproj
        import shapely

        system = wards.system
        metres = system.is_projected and all(a.unit_name == "metre" for a in system.axis_info)
        if metres and system.to_epsg() and system.to_epsg() != 3857:
            return Guess(f"EPSG:{system.to_epsg()}", f"the system of {wards.path.name}, in metres")
        to = pyproj.Transformer.from_crs(system, 4326, always_xy=True)
        west, south, east, north = to.transform_bounds(*shapely.total_bounds(wards.shapes))
        if west > -9 and east < 2.1 and south > 49.8 and north < 61 and not (west < -5.4 and north < 55.5):
            return Guess("EPSG:27700", "the areas lie in Great Britain")
        if west > -10.7 and east < -5.3 and south > 51.2 and north < 55.5:
            return Guess("EPSG:2157", "the areas lie in Ireland")
        zone = int((west + east) / 2 // 6) + 31
        number = (32600 if south + north > 0 else 32700) + zone
        return Guess(f"EPSG:{number}", f"UTM zone {zone}, in which the middle of the areas lies")

    def _run(self, files: Sequence[Path], rows: SeenRows, base: str) -> list[str]:
        words = " ".join([files[0].stem, *rows.columns]).casefold()
        hate = re.search(r"hate|bias|strand|antisemit|islamoph|racist|homophob", words)
        name = re.sub(r"[^a-z0-9]+", "-", files[0].name.split(".")[0].casefold()).strip("-")[:60] or "my-area"
        title = "Hate crime" if hate else "Recorded crime"
        why = f"the file or a column says {hate[0]!r}" if hate else "nothing says which crime: enter it"
        return _lines(
            0,
            [
                ("run", None),
                ("  name", Guess(name, "the name of the file; folder under outputs/")),
                ("  title", Guess(title, why)),
                ("  noun", Guess("offences", "plural noun for incidents in sentences")),
                ("  place", Guess("", "enter it: for example Metropolitan Police area, London")),
                (
                    "  publisher",
                    Guess("data.police.uk, street-level crime", "the columns of police.uk")
                    if base == "police-uk"
                    else Guess("", "enter who recorded this, and when the extract was made"),
                ),
            ],
        )

    def _areas(
        self, wards: SeenAreas, boroughs: SeenAreas | None, people: Sequence[tuple[Path, SeenPeople]]
    ) -> list[str]:
        one_level = wards.parent_code is None and wards.parent_name is None and boroughs is None
        # Areas that nothing groups are the only level, which is that of the boroughs.
        levels = [("boroughs" if one_level else "wards", wards), *([("boroughs", boroughs)] if boroughs else [])]
        out = ["areas:"]
        for level, seen in levels:
            settings: list[tuple[str, Guess | None]] = [
                ("path", Guess(self._path(seen.path), f"{seen.count:,} areas")),
                ("crs", seen.crs),
                ("code", seen.code),
                ("name", seen.name or Guess(seen.code.value, "no column of names was found")),
            ]
            if level == "wards":
                settings += [
                    ("parent_code", None if boroughs and not _nested(wards, boroughs) else seen.parent_code),
                    ("parent_name", None if boroughs else seen.parent_name),
                    ("parent_label", None if boroughs else seen.parent_label),
                ]
            settings += [("vintage", seen.vintage), ("label", seen.label)]
            out += [f"  {level}:", *_lines(4, [(k, g) for k, g in settings if g is not None])]
        out.append("  # region: {code: E12000007, name: London}   # the area that all of these make up")
        out.append(
            "  population:" if people else "  population: []   # without it: counts only, no rates (--population)"
        )
        for path, seen_people in people:
            year = seen_people.year or Guess(2021, "not stated: enter the year of the figures")
            given = [("code", seen_people.code), ("value", seen_people.value), ("year", year)]
            given += [("encoding", seen_people.encoding)] if seen_people.encoding else []
            if seen_people.others:
                given.append(("ignore_unknown", Guess(True, f"{seen_people.others:,} rows are of other areas")))
            out += [f"    - path: {_yaml(self._path(path))}", *_lines(6, given)]
        out.append("  not_covered: []   # codes of areas that the data does not cover; otherwise they count as zero")
        return out

    def _incidents(self, data: Sequence[str], rows: SeenRows, wards: SeenAreas) -> list[str]:
        out = ["incidents:", "  - name: police", f"    paths: {_yaml([self._path(Path(p)) for p in data])}"]
        settings: list[tuple[str, Guess | None]] = [("encoding", rows.encoding)]
        if rows.coordinates == "xy":
            system = system_of_points(rows, wards)
            if system is None:
                self.unseen.append(
                    "the coordinate system of the points: they lie in the areas in none that is used there"
                )
                if self.ask is not None:
                    system = Guess(self.ask("Coordinate system of the points (EPSG:27700)"), "entered")
            settings.append(("crs", system))
        settings.append(("day_first", self._day_first(rows)))
        out += _lines(4, [(k, g) for k, g in settings if g is not None])
        used = [f"{role} {column!r}" for role, column in sorted(rows.roles.items()) if role not in rows.guesses]
        if used:
            out += _wrapped(f"Recognised by their usual names: {', '.join(used)}.", indent=4)
        if rows.guesses:
            out += ["    columns:", *_lines(6, sorted(rows.guesses.items()))]
        out += _outcomes(rows)
        out += ["", "categories:", "  unknown: ignore", "  tree: []   # one category for each text of the column"]
        category = rows.column("category")
        if category:
            found: dict[str, int] = {}
            for text in rows.texts[category]:
                found[text] = found.get(text, 0) + 1
            most = sorted((t for t in found if t), key=lambda t: (-found[t], t))
            listed = ", ".join(f"{t} ({found[t]:,})" for t in most[:12]) + (", ..." if len(most) > 12 else "")
            out += _wrapped(f"In the first {len(rows.texts[category]):,} rows: {listed}.", indent=2)
        return out

    def _day_first(self, rows: SeenRows) -> Guess | None:
        """Ask which part of a date is the day, where the rows do not show it."""
        column = rows.column("date")
        if column is None:
            self.unseen.append("which column has the date (incidents.columns.date)")
            return None
        dates = [m for v in rows.texts[column] if (m := _AMBIGUOUS.match(v))]
        if not dates or any(int(m[1]) > 12 or int(m[2]) > 12 for m in dates):
            return None
        example = next((m[0] for m in dates if m[1] != m[2]), None)
        if example is None:
            return None
        if self.ask is None:
            self.unseen.append(f"whether the day or the month comes first in dates such as {example} (day_first)")
            return None
        answer = self.ask(f"In {example}, is the first number the day or the month? (day/month)")
        return Guess(answer.casefold().startswith("d"), "entered")

    def _counts(self, data: Sequence[str], rows: SeenRows, counts: SeenCounts, base: str) -> list[str]:
        paths = _yaml([self._path(Path(p)) for p in data])
        if base == "mps-dashboard":
            known = _rest(base, "published_counts")
            lines = ["# The columns are those of the Metropolitan Police's dashboard of hate crime."]
            return [*lines, re.sub(r"paths: \[[^\]]*\]", lambda _: f"paths: {paths}", known, count=1)]
        out = ["published_counts:", "  - name: publisher", f"    paths: {paths}"]
        if rows.encoding:
            out += _lines(4, [("encoding", rows.encoding)])
        out += ["    columns:", *_lines(6, list(counts.columns.items()))]
        if counts.levels:
            out.append(f"    levels: {_yaml(counts.levels)}")
        if counts.measures:
            out.append(f"    measures: {_yaml(counts.measures)}")
        out += _lines(4, [("period_format", counts.period_format)])
        out.append("    absent: unknown   # what a missing row means: zero, if the publisher leaves out zeros")
        out += ["", "categories:", "  tree: []   # one category for each text of the column"]
        if "category" in counts.columns:
            self.unseen.append("which category is the total, if one is (categories.all_from)")
        return [*out, "", _rest("mps-dashboard", "periods")]

    def _path(self, path: Path) -> str:
        """Return a path as the configuration has it: relative to its folder."""
        full = path if path.is_absolute() else Path.cwd() / path
        folder = self.config.resolve().parent
        return full.relative_to(folder).as_posix() if full.is_relative_to(folder) else str(full)


def _joined(wards: SeenAreas, boroughs: SeenAreas | None) -> SeenAreas:
    """Return the small areas with the codes of the large ones, also those of their own file."""
    from dataclasses import replace

    return wards if boroughs is None else replace(wards, parents=wards.parents | boroughs.codes)


def _nested(wards: SeenAreas, boroughs: SeenAreas) -> bool:
    return bool(wards.parents) and wards.parents <= boroughs.codes


def _outcomes(rows: SeenRows) -> list[str]:
    """Return the settings of outcomes: those of police.uk are known, others are listed."""
    column = rows.column("outcome")
    if column is None:
        return []
    template = template_text("police-uk")
    known = re.search(r"    positive_outcomes:\n(?:      - .*\n)+    pending_outcomes: .*\n", template)
    texts = {v for v in rows.texts[column] if v}
    if known and any(line.strip(" -") in texts for line in known[0].splitlines()):
        return ["    # The usual texts of police.uk:", *known[0].rstrip("\n").splitlines()]
    listed = ", ".join(sorted(texts)[:15])
    return [
        *_wrapped(
            f"Outcomes in {column!r}: {listed}. List those that count as positive, and those still open:", indent=4
        ),
        "    positive_outcomes: []",
        "    pending_outcomes: []",
    ]


def _rest(template: str, section: str) -> str:
    """Return a template from one of its sections on."""
    text = template_text(template)
    return text[text.index(f"\n{section}:") + 1 :].rstrip("\n")


def _lines(indent: int, settings: Sequence[tuple[str, Guess | None]]) -> list[str]:
    """Write settings, each with its evidence as a comment."""
    out = []
    for key, guess in settings:
        line = f"{' ' * indent}{key}:"
        if guess is not None:
            line = f"{line} {_yaml(guess.value)}".ljust(_WIDTH) + f" # {' '.join(guess.why.split())}"
        out.append(line)
    return out


def _wrapped(text: str, *, indent: int) -> list[str]:
    import textwrap

    return textwrap.wrap(
        " ".join(text.split()), 118, initial_indent=f"{' ' * indent}# ", subsequent_indent=f"{' ' * indent}# "
    )


def _yaml(value: Any) -> str:
    """Write a value as YAML on one line; JSON is YAML."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z/][\w./:*@-]*\w", value):
        plain = value.casefold() not in {"yes", "no", "true", "false", "null", "on", "off", "none", "nan"}
        return value if plain and not value.endswith(":") else json.dumps(value)
    return json.dumps(value, ensure_ascii=False)
