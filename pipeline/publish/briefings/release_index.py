"""An index of one release by area: its figures, its parts, its peers and its history, for the briefings."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from pipeline.aggregate.circumstances import TOTAL
from pipeline.domain.categories import ROOT
from pipeline.domain.periods import Period, month_names
from pipeline.geography import topology as simplify
from pipeline.publish import charts, findings, palette, words
from pipeline.publish.surroundings import Surroundings
from pipeline.publish.words import say
from pipeline.release.released import PeriodInfo, Released, ReleaseInfo
from pipeline.statistics.rates import WEAK
from pipeline.tables import Level, plain_values

__all__ = ["Place", "ReleaseIndex", "before_words", "break_text"]

_KEY = ("area_code", "period", "category")
_PLACE = ("area_code", "name", "parent_code", "population", "population_year", "covered", "area_km2")
_FIGURES = (
    *(f"{count}_{end}" for count in ("incidents", "positive_outcomes", "known_outcomes") for end in ("lower", "upper")),
    *("rate_per_10000", "rate_low", "rate_high", "reliability", "outcome_share", "outcome_low", "outcome_high"),
    *("change_pct", "change_word", "change_vs_region", "not_offered"),
)


class _Outlines:
    """Outlines of the areas of one level, simplified together once the first is asked for: a map's page needs none."""

    def __init__(self, frame: gpd.GeoDataFrame, level: str, tolerance_m: float) -> None:
        self._frame, self._level, self._tolerance_m = frame, level, tolerance_m

    @cached_property
    def by_code(self) -> dict[str, Any]:
        shapes = np.array([shapely.make_valid(g) for g in self._frame.geometry], dtype=object)
        if self._level != Level.REGION and len(shapes) and shapely.coverage_is_valid(shapes):
            shapes = simplify.simplify_coverage(shapes, tolerance_m=self._tolerance_m)
        return dict(zip(self._frame["area_code"].astype(str), shapes, strict=True))


@dataclass(frozen=True, slots=True)
class Place:
    """An area as the release lists it."""

    code: str
    name: str
    level: str
    parent: str
    population: int | None
    population_year: int | None
    covered: bool
    area_km2: float
    outlines: _Outlines

    @property
    def shape(self) -> Any:
        """Outline in the working system, simplified together with its neighbours."""
        return self.outlines.by_code[self.code]


def before_words(headline: PeriodInfo, earlier: PeriodInfo | None) -> str:
    """Name the window that changes are compared with, as it stands after "than"; empty if there is none."""
    if earlier is None:
        return ""
    start, then = date.fromisoformat(headline.start), date.fromisoformat(earlier.start)
    # Exactly one year apart is "a year earlier" only if the months are the same; a leap year makes 366 days.
    follows = date.fromisoformat(earlier.end) + timedelta(days=1) == start
    if follows and 364 <= headline.days <= 366 and 364 <= earlier.days <= 366:
        return say("finding.before.year")
    if (then.year + 1, then.month, then.day) == (start.year, start.month, start.day):
        return say("finding.before.same_months")
    return words.named_period(earlier.label)


def _ground(surroundings: Surroundings) -> charts.Ground:
    """Return what maps of briefings show under the hotspots: water, main roads and places, the important ones first."""
    frame = surroundings.frame

    def united(kind: str, rank: int) -> Any:
        found = frame.geometry[(frame["kind"] == kind) & (frame["rank"] <= rank)]
        return shapely.union_all(found.to_numpy()) if len(found) else None

    named = frame[(frame["kind"] == "place") & (frame["name"].fillna("") != "")].sort_values(["rank", "name"])
    places = tuple((str(n), p.x, p.y) for n, p in zip(named["name"], named.geometry, strict=True))
    return charts.Ground(united("water", 9), united("road", 1), places)


def break_text(info: ReleaseInfo) -> str:
    """Say why the headline and the window before it cannot be compared, as half a sentence; empty if unknown."""
    return obstacle_text(info, info.headline, info.earlier)


def obstacle_text(info: ReleaseInfo, later: PeriodInfo, earlier: PeriodInfo | None) -> str:
    """Say why two windows cannot be compared, as half a sentence; empty if they can or it is not known."""
    windows = [w for w in (later, earlier) if w is not None]
    if gone := sorted({int(m.replace("-", "")) for w in windows for m in w.lacking}):
        return say("finding.break.incomplete", n=len(gone), months=month_names(gone))
    if earlier is None:
        return ""
    first, last = earlier.start[:7], later.end[:7]
    inside = [b for b in info.breaks if first < b.month <= last]
    return say("finding.break.series", month=words.month_name(inside[0].month)) if inside else ""


class ReleaseIndex:
    """Look-ups in one release. Nothing here computes a figure: it finds the released one."""

    def __init__(self, released: Released, surroundings: Surroundings | None = None) -> None:
        self.released = released
        self.surroundings = surroundings or Surroundings()
        self.ground = _ground(self.surroundings)
        self.info = released.info
        # A profile may show some categories and not all of them together: its pages are then about the first one.
        self.has_total = any(c.id == ROOT for c in self.info.categories)
        self.subject = ROOT if self.has_total else self.info.categories[0].id
        label = next(c.label for c in self.info.categories if c.id == self.subject)
        self.noun = self.info.noun
        if not self.has_total:
            self.noun = say("finding.noun_of_category", noun=self.info.noun, category=label)
        self.places = self._places()
        self._rows = self._read()
        self.before = before_words(self.info.headline, self.info.earlier)
        self._known: dict[str, findings.AreaProfile] = {}

    # The map's page needs the figures alone: what only briefings need is looked up when the first asks for it.

    @cached_property
    def limits(self) -> dict[str, tuple[float, ...]]:
        """Classes of the total's rate, by level."""
        return {level: self._limits(level) for level in (Level.BOROUGH, Level.WARD_GROUP, Level.WARD)}

    @cached_property
    def organisations(self) -> tuple[str, ...]:
        """Organisations that describe incidents, those with most records in the region first."""
        return self._descriptions[1]

    @cached_property
    def _descriptions(self) -> tuple[dict[tuple[str, str], dict[str, list[dict[str, Any]]]], tuple[str, ...]]:
        """Index circumstances of all categories together; organisations with most records in the region first."""
        table = self.released.circumstances
        table = table[table["category"] == "all"]
        found: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
        for row in table.to_dict("records"):
            found.setdefault((row["area_code"], row["organisation"]), {}).setdefault(row["question"], []).append(row)
        whole = {
            o: findings.whole_number(q[TOTAL][0]["incidents_lower"]) or 0
            for (a, o), q in found.items()
            if a == self.info.region_code
        }
        names = sorted({o for _, o in found}, key=lambda o: (-whole.get(o, 0), o))
        return found, tuple(names)

    def circumstances(self, code: str, organisation: str) -> dict[str, list[dict[str, Any]]]:
        """Return what is shown of an area's circumstances: variable to its rows."""
        asked = self._descriptions[0].get((code, organisation), {})
        return {q: rows for q, rows in asked.items() if q != TOTAL}

    def recorded(self, code: str, organisation: str) -> tuple[int, int] | None:
        """Return between which limits an organisation's incidents in an area lie, if that is shown."""
        rows = self._descriptions[0].get((code, organisation), {}).get(TOTAL, [])
        ends = [findings.whole_number(rows[0][f"incidents_{end}"]) for end in ("lower", "upper")] if rows else [None]
        return None if None in ends else (ends[0] or 0, ends[1] or 0)

    def _read(self) -> dict[tuple[str, str, str], tuple[Any, ...]]:
        """Index the rows that pages use: the windows compared, and the history of the total above wards."""
        counts, earlier = self.released.counts, self.info.earlier
        stand_in = [p.id for p in self.info.stand_in or ()]
        now = counts["period"].isin([self.info.headline.id, *([earlier.id] if earlier else []), *stand_in])
        past = (counts["category"] == self.subject) & (counts["level"] != Level.WARD)
        used = counts.loc[now | past, [*_KEY, *_FIGURES]]
        keys, rows = (zip(*(plain_values(used[n]) for n in names), strict=True) for names in (_KEY, _FIGURES))
        return dict(zip(keys, rows, strict=True))

    def _places(self) -> dict[str, Place]:
        out: dict[str, Place] = {}
        for level in Level:
            frame = self.released.areas[self.released.areas["level"] == level].sort_values("area_code")
            outlines = _Outlines(frame, level, self.info.simplify_m)
            columns = [plain_values(frame[name]) for name in _PLACE]
            for code, name, parent, population, year, covered, area_km2 in zip(*columns, strict=True):
                out[str(code)] = Place(
                    code=str(code),
                    name=str(name),
                    level=level,
                    parent=str(parent),
                    population=findings.whole_number(population),
                    population_year=findings.whole_number(year),
                    covered=bool(covered),
                    area_km2=float(area_km2),
                    outlines=outlines,
                )
        return out

    @cached_property
    def hotspots(self) -> tuple[dict[str, Any], ...]:
        """List the hotspots by their number, each with its outline as `shape`."""
        frame = self.released.hotspots
        if not len(frame):
            return ()
        return tuple(frame.sort_values("rank").rename_geometry("shape").to_dict("records"))

    @cached_property
    def cores(self) -> dict[str, list[dict[str, Any]]]:
        """List the densest parts of each hotspot by its id, most incidents first; none outside internal."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.released.cores.sort_values("core_id").to_dict("records"):
            found.setdefault(str(row["hotspot_id"]), []).append(row)
        return found

    @cached_property
    def water(self) -> Any:
        """Water in the gaps between areas."""
        if not self.info.gaps_are_water:
            return shapely.MultiPolygon()
        shapes = [p.shape for p in self.level("borough") or self.level("ward")]
        return simplify.water_gaps(shapely.union_all(shapes)) if shapes else shapely.MultiPolygon()

    def _limits(self, level: str) -> tuple[float, ...]:
        """Choose the classes of the total's rate over all windows as long as the headline, as the map does."""
        counts = self.released.counts
        kind = palette.window_kind(self.info.headline.days)
        long = {p.id for p in self.info.periods.get(level, ()) if palette.window_kind(p.days) == kind}
        mine = counts[
            (counts["level"] == level)
            & counts["period"].isin({*long, self.info.headline.id})
            & (counts["category"] == self.subject)
        ]
        steady = mine[~mine["reliability"].isin(WEAK)]
        rates = steady["rate_per_10000"].dropna().tolist() or mine["rate_per_10000"].dropna().tolist()
        return palette.class_limits(rates, percentiles=palette.PERCENTILES[level])

    def level(self, level: str) -> list[Place]:
        """List the areas of a level by code."""
        return [p for p in self.places.values() if p.level == level]

    def parts(self, code: str) -> list[Place]:
        """List the covered areas one level down, by name; none in a borough whose total is given by no smaller area."""
        below = self._below(self.places[code].level)
        region = self.places[code].level == Level.REGION
        found = [p for p in self.level(below) if p.covered and (region or p.parent == code)]
        return sorted(found, key=lambda p: (p.name, p.code))

    def shows_rates(self, code: str) -> bool:
        """Whether an area's parts are mapped and ordered by rate; by number otherwise.

        Where the part with most recorded has no resident rate, because visitors outnumber residents, rates would put it
        last and leave it blank.
        """
        figures = [self.area_profile(p.code).total for p in self.parts(code)]
        if all(f.rate is None for f in figures):
            return False
        most = max(figures, key=lambda f: f.least)
        return not most.unrated

    @property
    def protection(self) -> str:
        """Say in one sentence how counts are protected; empty where they are not."""
        info = self.info
        reach = int(self.released.record.get("rules", {}).get("noise_reach", 0))
        return words.protection_sentence(info.mechanism, step=info.step, threshold=info.threshold, noise_reach=reach)

    def _below(self, level: str) -> str:
        """Return the level of an area's parts: in a borough wards, or groups of them where the total is given so."""
        if level == Level.REGION:
            return Level.BOROUGH
        detail = next(c.detail_in_headline for c in self.info.categories if c.id == self.subject)
        return detail if level == Level.BOROUGH and detail != Level.BOROUGH else ""

    def words_for(self, level: str) -> tuple[str, str]:
        """Return what areas of a level are called, one and many."""
        return words.area_words(self.info.level_labels, level)

    def row(self, code: str, period: str, category: str = "") -> dict[str, Any] | None:
        """Find one row of `area_counts`; of the subject of the pages unless a category is named."""
        found = self._rows.get((code, period, category or self.subject))
        return None if found is None else dict(zip(_FIGURES, found, strict=True))

    def area_profile(self, code: str) -> findings.AreaProfile:
        """Read an area's figures of the headline window."""
        if code not in self._known:
            place = self.places[code]
            earlier = self.info.earlier
            figures = {
                c.id: findings.figure_of(
                    self.row(code, self.info.headline.id, c.id),
                    earlier=self.row(code, earlier.id, c.id) if earlier else None,
                )
                for c in self.info.categories
            }
            self._known[code] = findings.AreaProfile(
                code, place.name, place.population, place.covered, figures, subject=self.subject
            )
        return self._known[code]

    def profile_in(self, code: str, later: PeriodInfo, earlier: PeriodInfo | None) -> findings.AreaProfile:
        """Read an area's figures of the subject alone, in the headline or in the window that stands in for it."""
        place = self.places.get(code)
        before = self.row(code, earlier.id) if earlier else None
        figures = {self.subject: findings.figure_of(self.row(code, later.id), earlier=before)}
        name, population, covered = (
            (place.name, place.population, place.covered) if place else (self.info.region_name, None, False)
        )
        return findings.AreaProfile(code, name, population, covered, figures, subject=self.subject)

    def region(self) -> findings.AreaProfile:
        """Read the region's figures; an area without figures where the release leaves the region out."""
        code = self.info.region_code
        if code in self.places:
            return self.area_profile(code)
        return findings.AreaProfile(code, self.info.region_name, None, covered=False)

    def case(self, code: str) -> findings.Case:
        """Gather what the sentences about an area may rest on."""
        info, level = self.info, self.places[code].level
        peers = [p for p in self.level(level) if p.covered] if level != Level.REGION else []
        return findings.Case(
            area=self.area_profile(code),
            region=self.region(),
            peers=tuple(self.area_profile(p.code) for p in peers),
            parts=tuple(self.area_profile(p.code) for p in self.parts(code)),
            categories=tuple((c.id, c.label) for c in info.categories if c.id != ROOT),
            outside=tuple(c.label for c in info.categories if c.outside),
            noun=self.noun,
            has_total=self.has_total,
            each_noun=info.noun,
            recorder=info.recorder,
            period=info.headline.label,
            before=self.before,
            part_words=self.words_for(self._below(level) or Level.WARD),
            peer_words=self.words_for(level),
            audience=info.audience,
            outcome_basis=info.outcome_basis,
            break_text=break_text(info),
            inside_note=info.inside_note,
            lacking=month_names(int(m.replace("-", "")) for m in info.headline.lacking),
        )

    @property
    def main_months(self) -> int:
        """Months of the main window, whose figures stand at the head of every page."""
        return _months(self.info.headline)

    def main_windows(self, code: str) -> dict[int, findings.CountRange | None]:
        """List the released counts of windows as long as the main one, by the number of their last month."""
        known = [*self.info.periods.get(self.places[code].level, ()), self.info.headline, self.info.earlier]
        whole = [p for p in known if p is not None and p.complete and _whole_months(p)]
        found = {p.id: p for p in whole if _months(p) == self.main_months}
        rows = {p.end: row for p in found.values() if (row := self.row(code, p.id)) is not None}
        return {
            int(end[:4]) * 12 + int(end[5:7]) - 1: findings.figure_of(row).incidents
            for end, row in sorted(rows.items())
        }

    def history(self, code: str) -> tuple[tuple[PeriodInfo, findings.Figure], ...]:
        """List an area's windows of the length most of its series has, oldest first.

        A window that the data covers in part has no figure: it is a gap in the line, and none at either end. Windows of
        days are left to the map: the charts of a briefing count months.
        """
        windows = [p for p in self.info.periods.get(self.places[code].level, ()) if _whole_months(p)]
        kinds = [palette.window_kind(p.days) for p in windows]
        if not kinds:
            return ()
        usual = max(sorted(set(kinds)), key=kinds.count)
        alike = [p for p in windows if palette.window_kind(p.days) == usual]
        whole = [k for k, p in enumerate(alike) if p.complete]
        chosen = alike[whole[0] : whole[-1] + 1] if whole else []
        return tuple((p, findings.figure_of(self.row(code, p.id) if p.complete else None)) for p in chosen)


def _whole_months(period: PeriodInfo) -> bool:
    return Period.parse(period.id).whole_months


def _months(period: PeriodInfo) -> int:
    return int(period.end[:4]) * 12 + int(period.end[5:7]) - int(period.start[:4]) * 12 - int(period.start[5:7]) + 1
