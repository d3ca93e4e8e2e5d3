"""`hotspots init --from`: a configuration for given files, with the evidence of each setting beside it."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.config import Run, load_config
from pipeline.config.templates import template_text
from pipeline.errors import ConfigError, HotspotsError, InputError
from pipeline.ingest.recognition import (
    Guess,
    SeenAreas,
    SeenCounts,
    SeenLookup,
    SeenPeople,
    SeenRows,
    by_name,
    chain_of,
    choose_rows,
    require_inside,
    selecting,
    system_of_points,
    tree_of,
    try_areas,
    try_counts,
    try_lookup,
    try_people,
    try_rows_of,
    zone_of,
)
from pipeline.stages.checks import check_inputs
from pipeline.stages.inputs import expand
from pipeline.stages.trial import try_rows
from pipeline.storage.archives import ENDINGS, file_of
from pipeline.storage.files import write_text
from pipeline.storage.workspace import Fingerprints

__all__ = ["Begun", "begin"]

Ask = Callable[[str], str]
_LIMITS = Run.model_validate({})
_WIDTH = 44  # column at which the evidence begins
_POLICE_UK = frozenset({"month", "crime type"})
_DASHBOARD = frozenset({"month_year", "area_type", "area_code", "crime_subtype", "measure", "count"})
_OTHER_POLICE_UK = re.compile(r"-(outcomes|stop-and-search)\.")
_TWO, _MOST_LEVELS = 2, 4  # levels: two of them are wards and boroughs; a run has at most four
_MANY = 20  # dates that show by their spread what is the day
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
    lookup: Sequence[str] = (),
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
    lookup
        Lookups of postcodes, LSOAs, MSOAs or beats.
    config
        The file to write; paths in it are relative to its folder.
    force
        Overwrite it if it is there.
    ask
        Asks a person for what cannot be seen, and returns an empty text for no answer; None if nobody is there.

    Raises
    ------
    ConfigError
        If the file is there already, or no boundaries are given.
    InputError
        If a file cannot be read or recognised, or the boundaries are those of another place.
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
    text = made.text(data, areas, population, lookup)
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
    chain: list[SeenAreas] = field(default_factory=list)
    """Levels of areas, smallest first, where there are more than two."""

    def text(self, data: Sequence[str], areas: Sequence[str], population: Sequence[str], lookup: Sequence[str]) -> str:
        here = Path.cwd()
        data, files = _incident_files(data, expand(tuple(data), base=here, key="--from"))
        wards, boroughs = self._levels(expand(tuple(areas), base=here, key="--areas"))
        known = _joined(wards, boroughs)
        rows, rivals = choose_rows(files[0], known, limits=_LIMITS)
        rows = self._meant(rows, rivals)
        counts = try_counts(rows, known)
        if counts is None:
            self._require_recognised(rows)
            require_inside(rows, known)
        elif counts.areas is not known:
            wards, boroughs = counts.areas, by_name(boroughs) if boroughs else None
            self.chain = []
        people = [
            (path, try_people(path, codes=wards.codes, limits=_LIMITS))
            for path in (expand(tuple(population), base=here, key="--population") if population else ())
        ]
        lookups = self._lookups(rows, known, lookup) if counts is None else []
        working = self._working(wards)
        columns = {c.casefold().strip() for c in rows.columns}
        base = "police-uk" if columns >= _POLICE_UK else "mps-dashboard" if columns >= _DASHBOARD else "extract"
        named = ", ".join(p.name for p in files[:2]) + (f" and {len(files) - 2} more" if len(files) > 2 else "")
        head = [
            *_wrapped(f"Written by `hotspots init --from` from {named}. Paths are relative to this file.", indent=0),
            "# Beside each setting that was recognised stands the evidence. Read it, then run `hotspots check`.",
            *self._run(files, rows, base, zone=self._zone(rows, wards, working)),
            "",
            *_lines(0, [("crs", None), ("  working", working)]),
            "",
            *self._areas(wards, boroughs, people),
            "",
        ]
        if counts is not None:
            return "\n".join([*head, *self._counts(data, rows, counts, base)]) + "\n"
        head += _geocode(lookups, self._path)
        return "\n".join([*head, *self._incidents(data, rows, wards, working), "", _rest(base, "periods")]) + "\n"

    def _levels(self, paths: Sequence[Path]) -> tuple[SeenAreas, SeenAreas | None]:
        """Return the layers of the small areas, and of those that contain them if they have one."""
        layers = [layer for path in paths for layer in try_areas(path, limits=_LIMITS)]
        # The layer with the most areas has the small ones, unless its codes or names say that others are wards.
        layers.sort(key=lambda layer: -layer.count)
        labels = [layer.label.value if layer.label else "" for layer in layers]
        wards = layers[labels.index("ward")] if labels.count("ward") == 1 else layers[0]
        others = [layer for layer in layers if layer is not wards and 1 < layer.count < wards.count]
        if len(others) > 1 or wards.further:
            chain = chain_of(wards, others)
            if len(chain) > _TWO:
                self.chain = chain[:_MOST_LEVELS]
                self.chain[-1] = replace(self.chain[-1], parent_code=None)
                return self.chain[0], self.chain[1]
        above = [layer for layer in others if layer.label and layer.label.value in {"borough", "district"}]
        boroughs = next((layer for layer in others if _nested(wards, layer)), None) or next(iter(above), None)
        if boroughs is None and len(paths) > 1 and others:
            boroughs = others[0]
        if len(layers) > len(paths):
            listed = ", ".join(f"{layer.layer.value} ({layer.count:,})" for layer in layers if layer.layer)
            if labels.count("ward") != 1:
                wards = self._layer_meant(wards, layers, listed)
                boroughs = None if boroughs is wards else boroughs
            if wards.layer:
                why = f"{wards.count:,} areas; the layers of areas are {listed}"
                wards = replace(wards, layer=Guess(wards.layer.value, why))
        return wards, boroughs

    def _layer_meant(self, wards: SeenAreas, layers: Sequence[SeenAreas], listed: str) -> SeenAreas:
        """Ask which of several layers has the small areas."""
        answer = self.ask(f"Which layer has the small areas (wards)? {listed}") if self.ask else ""
        if answer:
            return next((layer for layer in layers if layer.layer and layer.layer.value == answer), wards)
        if wards.layer:
            self.unseen.append(
                f"which layer has the small areas: {wards.layer.value} was taken, of {listed} (areas.wards.layer)"
            )
        return wards

    def _meant(self, rows: SeenRows, rivals: Sequence[str]) -> SeenRows:
        """Ask which of several sheets or layers is meant."""
        if not rivals or rows.chosen is None:
            return rows
        key, taken = rows.chosen
        listed = ", ".join(map(repr, [taken.value, *rivals]))
        answer = self.ask(f"Which {key} has the incidents? {listed}") if self.ask else ""
        if answer in rivals:
            found = try_rows_of(rows.path, limits=_LIMITS, chosen=(key, answer))
            found.chosen = (key, Guess(answer, "entered"))
            return found
        if not answer:
            self.unseen.append(
                f"which {key} has the incidents: {taken.value!r} was taken, and {', '.join(map(repr, rivals))} may be "
                f"meant as well (incidents.{key})"
            )
        return rows

    def _require_recognised(self, rows: SeenRows) -> None:
        """Ask for the column of dates; refuse a table in which nothing says when or where.

        Raises
        ------
        InputError
            With its columns.
        """
        if not rows.has_date and rows.has_place and self.ask is not None:
            column = self.ask(f"Which column has the date? {', '.join(rows.columns)}")
            if column in rows.columns:
                rows.guesses["date"] = Guess(column, "entered")
        if rows.has_date and rows.has_place:
            return
        lacking = [
            *([] if rows.has_date else ["a date"]),
            *([] if rows.has_place else ["coordinates, a postcode, or a code or name of the areas"]),
        ]
        where = f", {rows.chosen[0]} {rows.chosen[1].value!r}" if rows.chosen else ""
        more = f" and {len(rows.columns) - 30} more" if len(rows.columns) > 30 else ""
        raise InputError(
            f"{file_of(rows.path).name}{where}: no column is recognisable as {', nor as '.join(lacking)}. Its columns "
            f"are {', '.join(map(repr, rows.columns[:30]))}{more}. Check that this is the file of incidents (or of "
            "counts by area and month) and that the boundaries are of the same place; or write a template with "
            "`hotspots init extract` and name the columns in it"
        )

    def _lookups(self, rows: SeenRows, areas: SeenAreas, lookup: Sequence[str]) -> list[SeenLookup]:
        """Recognise the lookups, and ask for that of the postcodes if rows have nothing else that places them."""
        lookup = list(lookup)
        postcode = rows.column("postcode")
        if postcode and not lookup and not rows.coordinates:
            question = f"Lookup of the postcodes in {postcode!r} (ONSPD, NSPL or Code-Point Open; empty for none)"
            answer = self.ask(question) if self.ask else ""
            lookup = [answer] if answer else []
            if not answer:
                self.unseen.append(
                    f"where the postcodes in {postcode!r} are: name a lookup such as ONSPD with --lookup "
                    "(geocode.postcodes); until then rows without coordinates count in the ward or borough that they "
                    "name, or else in the region alone"
                )
        files = expand(tuple(lookup), base=Path.cwd(), key="--lookup") if lookup else ()
        found: list[SeenLookup] = []
        for path in files:
            seen = try_lookup(path, rows, areas, limits=_LIMITS)
            # Code-Point Open is many files with one layout: the pattern that names them is the setting.
            if seen.role != "postcode" or not any(f.role == "postcode" for f in found):
                found.append(seen)
            if seen.role != "postcode" and seen.column and not rows.column(seen.role):
                rows.guesses[seen.role] = seen.column
        if sum(len(expand((p,), base=Path.cwd(), key="--lookup")) > 1 for p in lookup):
            found = [replace(f, path=Path(lookup[0])) if f.role == "postcode" else f for f in found]
        return found

    def _zone(self, rows: SeenRows, areas: SeenAreas, working: Guess) -> Guess | None:
        """Return the local time of dates with an offset from UTC, where the working system does not say it."""
        column = rows.column("date") or rows.column("from")
        if column is None or working.value in {"EPSG:27700", "EPSG:2157", "EPSG:29902"}:
            return None
        return zone_of(rows.texts[column], areas)

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

    def _run(self, files: Sequence[Path], rows: SeenRows, base: str, *, zone: Guess | None) -> list[str]:
        words = " ".join([files[0].stem, *rows.columns]).casefold()
        hate = re.search(r"hate|bias|strand|antisemit|islamoph|racist|homophob", words)
        name = re.sub(r"[^a-z0-9]+", "-", file_of(files[0]).name.split(".")[0].casefold()).strip("-")[:60] or "my-area"
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
                *([("  time_zone", zone)] if zone else []),
            ],
        )

    def _areas(
        self, wards: SeenAreas, boroughs: SeenAreas | None, people: Sequence[tuple[Path, SeenPeople]]
    ) -> list[str]:
        if self.chain:
            return [*self._named_levels(), *self._people(people)]
        one_level = wards.parent_code is None and wards.parent_name is None and boroughs is None
        # Areas that nothing groups are the only level, which is that of the boroughs.
        levels = [("boroughs" if one_level else "wards", wards), *([("boroughs", boroughs)] if boroughs else [])]
        out = ["areas:"]
        for level, seen in levels:
            settings: list[tuple[str, Guess | None]] = [
                ("path", Guess(self._path(seen.path), f"{seen.count:,} areas")),
                ("layer", seen.layer),
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
        return [*out, *self._people(people)]

    def _named_levels(self) -> list[str]:
        """Return the levels where there are more than two, the smallest areas first."""
        out = ["areas:", "  levels:"]
        taken = {"region", "ward_group"}
        for number, seen in enumerate(self.chain):
            label = seen.label.value if seen.label else ""
            word = label or re.sub(r"(cd|code|id|_|\d)+$", "", str(seen.code.value).casefold())
            word = re.sub(r"[^a-z0-9]+", "_", word.casefold()).strip("_")
            name = word if re.match("[a-z]", word) and word not in taken else f"level{number + 1}"
            taken.add(name)
            why = f"{len(seen.codes):,} areas" + (f", put together by {seen.code.value}" if seen.dissolved else "")
            if number and self.chain[number - 1].parent_code is None:
                why += "; by their outlines each area of the level before lies in one"
            settings = [
                ("path", Guess(self._path(seen.path), why)),
                ("layer", seen.layer),
                ("crs", seen.crs),
                ("code", seen.code),
                ("name", seen.name or Guess(seen.code.value, "no column of names was found")),
                ("dissolve", Guess(True, "rows with the same code are one area") if seen.dissolved else None),
                ("parent_code", seen.parent_code),
                ("vintage", seen.vintage),
                ("label", seen.label),
            ]
            out += [f"    - id: {name}", *_lines(6, [(k, g) for k, g in settings if g is not None])]
        return out

    def _people(self, people: Sequence[tuple[Path, SeenPeople]]) -> list[str]:
        out = ["  # region: {code: E12000007, name: London}   # the area that all of these make up"]
        out.append(
            "  population:" if people else "  population: []   # without it: counts only, no rates (--population)"
        )
        for path, seen_people in people:
            year = seen_people.year or Guess(2021, "not stated: enter the year of the figures")
            given = [(k, g) for k in ("sheet", "header_row") if (g := getattr(seen_people, k)) is not None]
            given += [("code", seen_people.code), ("value", seen_people.value), ("year", year)]
            given += [("encoding", seen_people.encoding)] if seen_people.encoding else []
            if seen_people.others:
                given.append(("ignore_unknown", Guess(True, f"{seen_people.others:,} rows are of other areas")))
            out += [f"    - path: {_yaml(self._path(path))}", *_lines(6, given)]
        out.append("  not_covered: []   # codes of areas that the data does not cover; otherwise they count as zero")
        return out

    def _incidents(self, data: Sequence[str], rows: SeenRows, wards: SeenAreas, working: Guess) -> list[str]:
        out = ["incidents:", "  - name: police", f"    paths: {_yaml([self._path(Path(p)) for p in data])}"]
        out += [line for note in rows.notes for line in _wrapped(note, indent=4)]
        settings: list[tuple[str, Guess | None]] = [("encoding", rows.head.encoding)]
        settings += [rows.chosen] if rows.chosen else []
        settings.append(("header_row", rows.head.header))
        if rows.coordinates == "xy":
            system = system_of_points(rows, wards)
            if system is None:
                self.unseen.append(
                    "the coordinate system of the points: they lie in the areas in none that is used there"
                )
                entered = self.ask("Coordinate system of the points (EPSG:27700)") if self.ask else ""
                # Tried in the working system, the rows show what is probably wrong with their coordinates.
                unknown = Guess(
                    working.value, "in no system that is used there do the points lie in the areas: enter it"
                )
                system = Guess(entered, "entered") if entered else unknown
            settings.append(("crs", system))
        settings.append(("day_first", self._day_first(rows)))
        out += _lines(4, [(k, g) for k, g in settings if g is not None])
        if picked := selecting(rows, wards):
            column, texts, why = picked
            out += _lines(4, [("where", None), (f"  {_yaml(column)}", Guess(texts, why))])
        used = [f"{role} {column!r}" for role, column in sorted(rows.roles.items()) if role not in rows.guesses]
        if used:
            out += _wrapped(f"Recognised by their usual names: {', '.join(used)}.", indent=4)
        if rows.guesses:
            out += ["    columns:", *_lines(6, sorted(rows.guesses.items()))]
        out += _outcomes(rows)
        category = rows.column("category")
        found: dict[str, int] = {}
        for text in rows.texts[category] if category else ():
            found[text] = found.get(text, 0) + 1
        most = sorted((t for t in found if t), key=lambda t: (-found[t], t))
        tree = tree_of([part for t in most for part in map(str.strip, t.split(";")) if part])
        return [*out, "", "categories:", "  unknown: ignore", *_tree(tree, found, most, rows=rows.rows)]

    def _day_first(self, rows: SeenRows) -> Guess | None:
        """Ask which part of a date is the day, where the rows do not show it."""
        columns = [c for role in ("date", "from", "to") if (c := rows.column(role)) is not None]
        dates = [m for column in columns for v in rows.texts[column] if (m := _AMBIGUOUS.match(v))]
        if not dates or any(int(m[1]) > 12 or int(m[2]) > 12 for m in dates):
            return None
        example = next((m[0] for m in dates if m[1] != m[2]), None)
        if example is None:
            return None
        first, second = ({int(m[at]) for m in dates} for at in (1, 2))
        if len(dates) >= _MANY and (first == {1}) != (second == {1}):
            # Months written by their first day: days of incidents would be spread over the month.
            which = "first" if first == {1} else "second"
            return Guess(first == {1}, f"the {which} number is 1 in all {len(dates):,} dates such as {example}: months")
        if self.ask is None:
            self.unseen.append(f"whether the day or the month comes first in dates such as {example} (day_first)")
            return None
        answer = self.ask(f"In {example}, is the first number the day or the month? (day/month)")
        return Guess(answer.casefold().startswith("d"), "entered") if answer else None

    def _counts(self, data: Sequence[str], rows: SeenRows, counts: SeenCounts, base: str) -> list[str]:
        paths = _yaml([self._path(Path(p)) for p in data])
        if base == "mps-dashboard":
            known = _rest(base, "published_counts")
            lines = ["# The columns are those of the Metropolitan Police's dashboard of hate crime."]
            return [*lines, re.sub(r"paths: \[[^\]]*\]", lambda _: f"paths: {paths}", known, count=1)]
        out = ["published_counts:", "  - name: publisher", f"    paths: {paths}"]
        given = [("encoding", rows.head.encoding), ("header_row", rows.head.header)]
        out += _lines(4, [(k, g) for k, g in [*given, *([rows.chosen] if rows.chosen else [])] if g is not None])
        columns, texts = dict(counts.columns), counts.texts
        exclusive = self._exclusive(counts)
        category = columns.pop("category") if exclusive else None
        out += ["    columns:", *_lines(6, list(columns.items()))]
        if category is not None:
            texts = []
            out += _wrapped(
                f"category: {category.value} is left out, so that the rows add up to the total: {exclusive}. Maps of "
                "each category need a category that is the total (categories.all_from).",
                indent=6,
            )
        if counts.levels:
            out.append(f"    levels: {_yaml(counts.levels)}")
        if counts.measures:
            out.append(f"    measures: {_yaml(counts.measures)}")
        out += _lines(4, [("period_format", counts.period_format)])
        out.append("    absent: unknown   # what a missing row means: zero, if the publisher leaves out zeros")
        out += ["", "categories:"]
        tree = tree_of(texts)
        if counts.whole:
            whole = next(c["id"] for c in tree if counts.whole.value in c["match"])
            out += _lines(2, [("all_from", Guess(whole, counts.whole.why))])
        needed = counts.whole is not None or "wide" in counts.columns
        out += _tree(tree, {}, texts, rows=0, always=needed and bool(tree))
        return [*out, "", _rest("mps-dashboard", "periods")]

    def _exclusive(self, counts: SeenCounts) -> str | None:
        """Return why rows of several categories add up, if none is the total; ask if that cannot be seen."""
        if counts.whole or not counts.texts:
            return None
        can_add_up = "category" in counts.columns
        if can_add_up and counts.exclusive:
            return counts.exclusive
        if can_add_up and self.ask is not None:
            answer = self.ask("Can an incident count in several categories? (yes/no)")
            if answer.casefold().startswith("n"):
                return "no incident counts in two categories (entered)"
        self.unseen.append(
            "which category is the total (categories.all_from)"
            + ("; if no incident counts in two categories, leave out columns.category" if can_add_up else "")
        )
        return None

    def _path(self, path: Path) -> str:
        """Return a path as the configuration has it: relative to its folder."""
        full = path if path.is_absolute() else Path.cwd() / path
        folder = self.config.resolve().parent
        return full.relative_to(folder).as_posix() if full.is_relative_to(folder) else str(full)


def _incident_files(data: Sequence[str], files: Sequence[Path]) -> tuple[list[str], Sequence[Path]]:
    """Leave out police.uk's outcomes, and stops and searches, that lie beside its street-level files."""
    street = [f for f in files if "-street." in f.name]
    if len(street) == len(files) or not all(f in street or _OTHER_POLICE_UK.search(f.name) for f in files):
        return list(data), files
    patterns = []
    for pattern in data:
        if _OTHER_POLICE_UK.search(pattern):
            continue
        ending = "*-street.csv.gz" if any(f.name.endswith(".gz") for f in street) else "*-street.csv"
        is_archive = Path(pattern).suffix.casefold() in ENDINGS
        named = "-street." in pattern
        patterns.append(
            pattern if named else f"{pattern}/**/{ending}" if is_archive else str(Path(pattern).parent / ending)
        )
    return patterns, street


def _geocode(lookups: Sequence[SeenLookup], shown: Callable[[Path], str]) -> list[str]:
    """Return the settings of lookups."""
    if not lookups:
        return []
    out, tables = ["geocode:"], [seen for seen in lookups if seen.role != "postcode"]
    for seen in lookups:
        if seen.role == "postcode":
            why = Guess(shown(seen.path), "columns of postcodes and coordinates are recognised in it")
            out += [
                "  postcodes:",
                *_lines(4, [("path", why), *([("encoding", seen.encoding)] if seen.encoding else [])]),
            ]
    out += ["  areas:"] if tables else []
    for seen in tables:
        out.append(f"    - path: {_yaml(shown(seen.path))}")
        out += _lines(6, [(k, g) for k, g in (("code", seen.code), ("encoding", seen.encoding)) if g])
    return [*out, ""]


def _tree(
    tree: Sequence[dict[str, Any]], found: dict[str, int], most: Sequence[str], *, rows: int, always: bool = False
) -> list[str]:
    """Return the categories: none, so that each text is one, unless texts differ in punctuation alone."""
    out: list[str] = []
    several = [c for c in tree if len(c["match"]) > 1]
    if several or always:
        if several:
            shared = " and ".join(map(repr, several[0]["match"]))
            out += _wrapped(f"Texts that differ in punctuation alone, such as {shared}, are one category.", indent=2)
        out += ["  tree:", *(f"    - {json.dumps(c, ensure_ascii=False)}" for c in tree)]
    else:
        out.append("  tree: []   # one category for each text of the column")
    if found:
        listed = ", ".join(f"{t} ({found[t]:,})" for t in most[:12]) + (", ..." if len(most) > 12 else "")
        out += _wrapped(f"In the first {rows:,} rows: {listed}", indent=2)
    return out


def _joined(wards: SeenAreas, boroughs: SeenAreas | None) -> SeenAreas:
    """Return the small areas with the codes of the large ones, also those of their own layer."""
    if boroughs is None:
        return wards
    return replace(wards, parents=wards.parents | boroughs.codes, parent_names=wards.parent_names | boroughs.names)


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
