"""The settings of a run: read from YAML once, frozen and complete, with every key documented.

Each stage receives its own section. Unknown keys, contradictions and wrong types are collected and reported together,
each with its position and, for a mistyped key, the most similar known one.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, PrivateAttr, ValidationError, model_validator

from pipeline.config.analysis import (
    Backtest,
    Change,
    Clusters,
    Concentration,
    Density,
    DensityBands,
    Detect,
    Emerging,
    Event,
    Gistar,
    Harm,
    Hours,
    Knox,
    Outcomes,
    Periods,
    Placeholder,
    Rates,
    Risk,
    Scan,
    Seasons,
    SeriesBreak,
    Streets,
)
from pipeline.config.areas import (
    AreaFile,
    AreaLevel,
    Areas,
    AreaTable,
    CodeLookup,
    ContextLayer,
    Crs,
    Geocode,
    GivenLevel,
    Mask,
    PopulationFile,
    PostcodeFile,
    Region,
)
from pipeline.config.inputs import (
    Categories,
    Category,
    Columns,
    CountColumns,
    IncidentSource,
    PublishedSource,
    Relation,
    Run,
)
from pipeline.config.quality import Quality
from pipeline.config.release import (
    AUDIENCE_THRESHOLD,
    LICENCE_TO_WRITE,
    Disclosure,
    Exports,
    KnownTable,
    Links,
    MapSettings,
    Page,
    Profile,
    Protection,
    Tiles,
)
from pipeline.config.section import DatabaseTable, Section, did_you_mean
from pipeline.errors import ConfigError

__all__ = [
    "RESERVED_ENDS",
    "AreaFile",
    "AreaLevel",
    "AreaTable",
    "Areas",
    "Backtest",
    "Categories",
    "Category",
    "Change",
    "Clusters",
    "CodeLookup",
    "Columns",
    "Concentration",
    "Config",
    "ContextLayer",
    "CountColumns",
    "Crs",
    "DatabaseTable",
    "Density",
    "DensityBands",
    "Detect",
    "Disclosure",
    "Emerging",
    "Event",
    "Exports",
    "Geocode",
    "Gistar",
    "GivenLevel",
    "Harm",
    "Hours",
    "IncidentSource",
    "KnownTable",
    "Knox",
    "Links",
    "MapSettings",
    "Mask",
    "Outcomes",
    "Page",
    "Periods",
    "Placeholder",
    "PopulationFile",
    "PostcodeFile",
    "Profile",
    "Protection",
    "PublishedSource",
    "Quality",
    "Rates",
    "Region",
    "Relation",
    "Risk",
    "Run",
    "Scan",
    "Seasons",
    "Section",
    "SeriesBreak",
    "Streets",
    "Tiles",
    "changed_defaults",
    "did_you_mean",
    "load_config",
    "names_an_end",
    "parse_config",
    "settings_cautions",
]

_MONTHS = {"day": 0, "week": 0, "28_days": 0, "month": 1, "quarter": 3}
_SHORT = ("day", "week", "28_days")
LEAST_LATTICE_M = 100.0
_SAFE_TILES = re.compile(r"(https://[^/\s@]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?)(/|$)", re.IGNORECASE)


def _default_profiles() -> tuple[Profile, ...]:
    return (
        Profile(
            name="internal",
            audience="internal",
            threshold=0,
            ward_period="rolling",
            borough_period="month",
            min_bandwidth_m=0,
            min_density_incidents=0,
            min_locations=5,
            min_addresses=0,
            lattice_m=0,
            max_location_share_pct=100,
            marking="Internal: not for release",
        ),
        Profile(name="partner", audience="partner", threshold=5),
        Profile(name="public", audience="public", threshold=10),
    )


class Config(Section):
    """All settings of a run.

    Examples
    --------
    >>> config = Config.from_file("my.yaml")  # doctest: +SKIP
    >>> Config.from_settings({"areas": {}})
    Traceback (most recent call last):
    pipeline.errors.ConfigError: the settings cannot be used:
      areas: there are no boundaries: set wards (and boroughs if they have a file), or boroughs
    """

    _folder: Path | None = PrivateAttr(None)

    run: Run = Field(default_factory=lambda: Run.model_validate({}), description="Name and labels of the run.")
    crs: Crs = Field(default_factory=lambda: Crs.model_validate({}), description="Coordinate reference systems.")
    areas: Areas = Field(description="Boundaries, populations and coverage.")
    geocode: Geocode = Field(
        default_factory=lambda: Geocode.model_validate({}), description="How rows without coordinates are located."
    )
    incidents: tuple[IncidentSource, ...] = Field((), description="Sources of points.")
    published_counts: tuple[PublishedSource, ...] = Field(
        (), description="Sources of counts that are already published by area."
    )
    categories: Categories = Field(
        default_factory=lambda: Categories.model_validate({}), description="Categories (strands)."
    )
    quality: Quality = Field(
        default_factory=lambda: Quality.model_validate({}), description="How many rows may be refused."
    )
    periods: Periods = Field(default_factory=lambda: Periods.model_validate({}), description="Windows.")
    detect: Detect = Field(default_factory=lambda: Detect.model_validate({}), description="Detection.")
    harm: Harm = Field(default_factory=lambda: Harm.model_validate({}), description="Harm by weights of offences.")
    rates: Rates = Field(default_factory=lambda: Rates.model_validate({}), description="Rates.")
    change: Change = Field(default_factory=lambda: Change.model_validate({}), description="Change.")
    emerging: Emerging = Field(default_factory=lambda: Emerging.model_validate({}), description="Emerging hot spots.")
    outcomes: Outcomes = Field(default_factory=lambda: Outcomes.model_validate({}), description="Outcomes.")
    backtest: Backtest = Field(default_factory=lambda: Backtest.model_validate({}), description="Backtest.")
    profiles: tuple[Profile, ...] = Field(
        default_factory=_default_profiles, min_length=1, description="Audiences and their rules."
    )
    disclosure: Disclosure = Field(
        default_factory=lambda: Disclosure.model_validate({}), description="Protection across profiles."
    )
    protection: Protection = Field(
        default_factory=lambda: Protection.model_validate({}), description="Impact-assessment texts."
    )
    page: Page = Field(default_factory=lambda: Page.model_validate({}), description="Maps and briefings.")
    context: tuple[ContextLayer, ...] = Field(
        (), max_length=40, description="Public layers under the hotspots: water, roads, stations, names of places."
    )
    map: MapSettings = Field(
        default_factory=lambda: MapSettings.model_validate({}), description="How the map is drawn."
    )
    exports: Exports = Field(default_factory=lambda: Exports.model_validate({}), description="Layers for GIS.")

    @property
    def folder(self) -> Path:
        """Folder that relative paths in the settings start from: that of their file, else the current folder."""
        return self._folder or Path.cwd()

    @classmethod
    def from_file(cls, path: str | Path) -> "Config":
        """Read the settings from a YAML file, as the command line does.

        Raises
        ------
        ConfigError
            If the file is missing, is not YAML, or a setting is wrong.
        """
        return load_config(Path(path))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, folder: str | Path = ".") -> "Config":
        """Take the settings from a mapping with the keys of the YAML file.

        Parameters
        ----------
        settings
            As in docs/configuration.md.
        folder
            Folder that relative paths start from.

        Raises
        ------
        ConfigError
            With one line for each setting that is wrong.
        """
        return parse_config(settings, where="the settings", folder=Path(folder).resolve())

    def model_post_init(self, context: Any, /) -> None:
        """Remember the folder: it is where the settings come from, not one of them."""
        self._folder = (context or {}).get("folder")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Config":
        faults = [*_input_faults(self), *_category_faults(self), *_outside_faults(self), *_profile_faults(self)]
        faults += _audience_faults(self)
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _input_faults(config: Config) -> list[str]:
    faults = []
    if not config.incidents and not config.published_counts:
        faults.append("there is no data: set incidents or published_counts")
    if config.incidents and config.published_counts:
        faults.append("incidents and published_counts cannot be used in one run: write a configuration for each")
    names = [*(s.name for s in config.incidents), *(s.name for s in config.published_counts)]
    faults += [f'source name "{n}" is used twice' for n in sorted({n for n in names if names.count(n) > 1})]
    known = list(config.areas.roles())
    faults += [
        f'published_counts[{n}].levels: "{level}" is no level{did_you_mean(level, known)}: there are {", ".join(known)}'
        for n, source in enumerate(config.published_counts)
        for level in sorted(set(source.levels.values()) - set(known))
    ]
    if config.page.tiles.url and not config.page.tiles.attribution:
        faults.append("page.tiles.url needs page.tiles.attribution")
    if config.page.tiles.url and not _SAFE_TILES.match(config.page.tiles.url):
        faults.append(
            "page.tiles.url must begin with https:// and the name of a host (http:// only for 127.0.0.1 or localhost): "
            "over http others on the network can see what is viewed, and can replace the map"
        )
    if config.page.tiles.write_key and not ("{key}" in config.page.tiles.url and config.page.tiles.key_env):
        faults.append("page.tiles.write_key needs a {key} in page.tiles.url, and page.tiles.key_env")
    return faults


RESERVED_ENDS = "columns that end in _lower and _upper are the ends of a count's range"


def names_an_end(category: str) -> bool:
    """Say whether a category's column would pass for the lower or upper end of another count.

    >>> names_an_end("lower"), names_an_end("race_upper"), names_an_end("upper_street")
    (True, True, False)
    """
    return f"_{category}".endswith(("_lower", "_upper"))


def _category_faults(config: Config) -> list[str]:
    tree = config.categories.tree
    ids = [c.id for c in tree]
    faults = [f'category id "{i}" is used twice' for i in sorted({i for i in ids if ids.count(i) > 1})]
    if "all" in ids:
        faults.append('category id "all" is reserved: it counts each incident once')
    faults += [f'category id "{i}" is reserved: {RESERVED_ENDS}' for i in ids if names_an_end(i)]
    parents = {c.id: c.parent for c in tree}
    for category in tree:
        if category.parent is not None and category.parent not in parents:
            hint = did_you_mean(category.parent, ids)
            faults.append(f'category "{category.id}": parent "{category.parent}" is not a category{hint}')
        seen, at = {category.id}, category.parent
        while at is not None and at not in seen:
            seen.add(at)
            at = parents.get(at)
        if at is not None:
            faults.append(f'category "{category.id}": its parents run in a circle')
    return faults


def _outside_faults(config: Config) -> list[str]:
    """Return contradictions in categories.outside; without a tree, ids are only known once the rows are read."""
    settings = config.categories
    faults = ['categories.outside names "all", which is the total'] if "all" in settings.outside else []
    parents = {c.id: c.parent for c in settings.tree}
    for category in (c for c in settings.outside if settings.tree and c != "all"):
        if category not in parents:
            hint = did_you_mean(category, list(parents))
            faults.append(f'categories.outside: "{category}" is not a category{hint}')
        elif category == settings.all_from:
            faults.append(f'categories.outside: "{category}" is the whole (categories.all_from)')
        elif (above := parents[category]) is not None and above not in settings.outside:
            faults.append(
                f'categories.outside: "{category}" is part of "{above}", which counts in the total: add that too, or '
                "remove its parent"
            )
    return faults


def _profile_faults(config: Config) -> list[str]:
    faults = []
    names = [p.name for p in config.profiles]
    faults += [f'profile "{n}" is given twice' for n in sorted({n for n in names if names.count(n) > 1})]
    for p in config.profiles:
        least = AUDIENCE_THRESHOLD[p.audience]
        if p.threshold < least and not p.threshold_reason:
            faults.append(
                f'profile "{p.name}": threshold {p.threshold} is under the {p.audience} default of {least}: '
                "say why in threshold_reason (it is recorded in release.json)"
            )
        if p.audience != "internal" and p.ward_period == "rolling":
            faults.append(f'profile "{p.name}": rolling ward windows overlap and disclose single months: use "fixed"')
        if p.name == "work":
            faults.append('profile "work": this is the name of the folder of stage tables: choose another name')
        if not config.incidents and any(kind in _SHORT for kind in (p.ward_period, p.borough_period)):
            faults.append(
                f'profile "{p.name}": published counts are by month, and cannot be given by day, week or 28 days: use '
                '"month" or longer'
            )
        faults += _contradictions(p)
    return faults


def _audience_faults(config: Config) -> list[str]:
    """Return conflicts between profiles for readers of several: steps that do not nest, windows that overlap."""
    released = sorted(
        (p for p in config.profiles if p.audience != "internal"), key=lambda p: (p.audience != "partner", p.step)
    )
    faults = []
    for number, closer in enumerate(released):
        for wider in released[number + 1 :]:
            if wider.step % closer.step:
                faults.append(
                    f'profiles "{closer.name}" and "{wider.name}": steps of {wider.step} and of {closer.step} do not '
                    "nest, and readers of both would find narrower ranges: the step of a wider audience must be a "
                    "multiple of every closer one's"
                )
            faults += [
                f'profiles "{closer.name}" and "{wider.name}" have a different {key} ({getattr(closer, key)}, '
                f"{getattr(wider, key)}): overlapping windows disclose counts. Use the same value in all released "
                "profiles"
                for key in ("ward_period", "borough_period")
                if getattr(closer, key) != getattr(wider, key)
            ]
    return faults


def _contradictions(p: Profile) -> list[str]:
    """Return contradictory settings of a profile."""
    found = []
    released = p.audience != "internal" and p.threshold > 1
    if p.protection == "noise" and p.audience != "partner":
        found.append('protection "noise" is experimental and for partners only: set protection to "steps"')
    if p.protection != "steps" and p.threshold <= 1:
        found.append(f'protection "{p.protection}" needs a threshold of 2 or more: otherwise it protects nothing')
    if p.protection != "steps" and released and not p.protection_reason:
        found.append(
            f'protection "{p.protection}" needs a reason why counts are not given in steps: write it in '
            "protection_reason (it is recorded in release.json)"
        )
    if p.protection != "suppress" and released and not p.secondary:
        found.append(
            f'secondary applies only to protection "suppress": delete the line (counts are given in steps of '
            f'{p.threshold}), or set protection to "suppress" and write a protection_reason'
        )
    if not p.measures:
        found.append("measures is empty, so there is nothing to show: list incidents, positive_outcomes or both")
    if p.audience != "internal":
        found += [
            f'{key} "{getattr(p, key)}" is shorter than a month: counts of so short a time single out incidents, and '
            'belong in internal profiles only. Use "month" or longer'
            for key in ("ward_period", "borough_period")
            if getattr(p, key) in _SHORT
        ]
        if p.hotspots and p.lattice_m < LEAST_LATTICE_M:
            found.append(
                f"lattice_m {p.lattice_m:g} would draw hotspots around single places: set {LEAST_LATTICE_M:g} or more, "
                "or hotspots to false"
            )
        if _MONTHS.get(p.ward_period, 12) < _MONTHS.get(p.borough_period, 12):
            found.append(
                f'ward_period "{p.ward_period}" is shorter than borough_period "{p.borough_period}": '
                "smaller areas cannot have shorter periods"
            )
    return [f'profile "{p.name}": {fault}' for fault in found]


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys allowed at the position of an unknown one."""
    model: Any = Config
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return []
        model = next(
            (a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if hasattr(a, "model_fields")),
            None,
        )
    return [field.alias or name for name, field in getattr(model, "model_fields", {}).items()]


# Settings of earlier versions: the removed value (None: the key itself), and what to do instead.
_STEPS_NOW = "counts are given in steps of the profile's threshold now"
_RETIRED = {
    "rounding": (None, f"rounding is no longer a setting: {_STEPS_NOW}; delete the line"),
    "zero_rule": (
        None,
        f"zero_rule is no longer a setting: {_STEPS_NOW} (under protection suppress, safe zeros are shown); delete it",
    ),
    "protection": ("round", f'protection "round" no longer exists: {_STEPS_NOW}; delete the line or write "steps"'),
}


def parse_config(data: Mapping[str, Any], *, where: str = "config.yaml", folder: Path | None = None) -> Config:
    """Validate plain data and return the frozen settings, whose paths start from `folder`, else the current one.

    Raises
    ------
    ConfigError
        With one line per fault: its position, what is wrong, and what was probably meant.
    """
    try:
        return Config.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        lines = []
        for fault in error.errors():
            place = ".".join(str(p) for p in fault["loc"]) or "the configuration"
            last, given = str(fault["loc"][-1]) if fault["loc"] else "", fault.get("input")
            if last in _RETIRED and _RETIRED[last][0] in (None, given):
                lines.append(f"{place}: {_RETIRED[last][1]}")
            elif fault["type"] == "extra_forbidden":
                lines.append(f"{place}: unknown key{did_you_mean(last, _known_keys(fault['loc']))}")
            else:
                lines.append(f"{place}: {fault['msg'].removeprefix('Value error, ')}")
        raise ConfigError(f"{where} cannot be used:\n  " + "\n  ".join(lines)) from None


class _Repeated(yaml.constructor.ConstructorError):
    """A key stands twice in one mapping."""


class _OnceOnly(yaml.SafeLoader):
    """YAML in which a key stands once: of two, YAML would take the second, and the first would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Return a mapping, unless a key stands in it twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise _Repeated(
                    None, None, f'"{key.value}" stands here a second time: put both parts under one', key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def load_config(path: Path) -> Config:
    """Read and check the configuration.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or a setting is wrong.
    """
    # A safe loader creates texts, numbers, lists and maps, never objects: an untrusted configuration cannot run code.
    # utf-8-sig also reads the mark that some Windows editors put before the first key.
    try:
        data = _OnceOnly(path.read_text("utf-8-sig")).get_single_data()
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist: write one with `hotspots init extract`, or name another with --config"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): save it as UTF-8 text") from None
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply to be a configuration: start again from a template") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        fault = "" if isinstance(error, _Repeated) else " is not YAML"
        raise ConfigError(f"{path}{line}{fault}: {getattr(error, 'problem', error)}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path} contains no settings: write one with `hotspots init extract --force`")
    return parse_config(data, where=str(path), folder=path.resolve().parent)


def settings_cautions(config: Config) -> list[str]:
    """Return warnings about settings that are allowed but probably not intended."""
    found = []
    ids = [level.id for level in config.areas.levels]
    without = [p.name for p in config.profiles if p.scope or (p.audience != "internal" and p.step <= 1)]
    if without and ids[2:]:
        found.append(
            f"{', '.join(without)}: of the levels only {' and '.join(ids[:2])} are shown. {' and '.join(ids[2:])} are "
            "shown in folders without a scope, exact in internal ones and with protection: steps as sums of ranges."
        )
    if " ".join(config.page.licence.split()) == LICENCE_TO_WRITE:
        found.append("page.licence is still the template's text, which would appear on public pages: enter your own.")
    return found


def changed_defaults(config: Config) -> list[str]:
    """Return warnings about omitted settings whose default has changed since earlier versions."""
    return [
        f"published_counts[{n}].absent is not set: a missing row is unknown, and windows over it have no count "
        "(earlier versions counted it as 0). Set it to zero if the publisher leaves out zeros, otherwise to unknown."
        for n, source in enumerate(config.published_counts)
        if "absent" not in source.model_fields_set
    ]
