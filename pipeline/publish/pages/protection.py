"""protection.html: how people are protected in one folder, for the data-protection officer who must decide on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.domain.periods import Period
from pipeline.publish import page, words
from pipeline.release.released import Released, ReleaseInfo
from pipeline.release.suppression import Status
from pipeline.storage.files import write_text
from pipeline.tables import Level, Measure

__all__ = ["missing_statements", "protection_html", "write_protection"]

Rule = tuple[str, str]
"""A rule: its short name and its sentences."""

_ASSESSMENT = (
    "controller",
    "purpose",
    "legal_condition",
    "sharing_gateway",
    "intruder_test",
    "retention",
    "review_date",
    "contact",
)
"""What an impact assessment asks for, by the keys of the configuration's section `protection`."""
_MEASURES: dict[str, str] = {
    Measure.INCIDENTS: "protection.measure.incidents",
    Measure.INCIDENTS_UNPLACED: "protection.measure.unplaced",
    Measure.POSITIVE_OUTCOMES: "protection.measure.positive_outcomes",
    Measure.KNOWN_OUTCOMES: "protection.measure.known_outcomes",
}
_ORDER: dict[str, int] = {level: place for place, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What came of the audit: a tag, a sentence, and whether the folder may go out as far as the audit goes."""

    tag: str
    sentence: str
    sound: bool = True


@dataclass(frozen=True, slots=True)
class _Promise:
    """What the folder promises, against whom, what that costs, and what it does not promise; all in sentences."""

    is_made: list[str]
    readers: list[str]
    costs: list[str]
    tables: list[page.Table]
    notes: list[str]
    is_not_made: list[str]


def write_protection(released: Released, path: Path) -> None:
    """Write the page of one profile."""
    write_text(path, protection_html(released))


def protection_html(released: Released) -> str:
    """Return the page; it says no more than the folder's other files do."""
    info, record = released.info, released.record
    about = words.say("number.list_joint").join(part for part in (info.title, info.place, info.headline.label) if part)
    audience = words.say(f"protection.audience.{info.audience}")
    body = page.render(
        "pages/protection.html",
        info=info,
        lead=words.say("protection.lead", about=about, folder=info.profile, audience=audience),
        verdict=_verdict(info, record),
        nothing_shown=bool(record.get("everything_withheld")),
        promise=_promise(info, record) if record.get("protected") else None,
        rules=_rules(info, record, has_density=len(released.density) > 0),
        assessment=[
            (words.say(f"protection.assessment.{key}"), given)
            for key in _ASSESSMENT
            if (given := str(info.protection.get(key, "")).strip())
        ],
        to_be_filled_in=_to_be_filled_in(info),
    )
    return page.document(
        language=info.language,
        title=words.say("protection.page_title", title=info.title, folder=info.profile),
        styles=[page.colour_tokens(), page.style_sheet("pages/protection.css")],
        body=body,
    )


def missing_statements(stated: Mapping[str, str]) -> list[str]:
    """List what an impact assessment asks for and the configuration's section `protection` does not state, by key."""
    return [key for key in _ASSESSMENT if not str(stated.get(key, "")).strip()]


def _to_be_filled_in(info: ReleaseInfo) -> str:
    """Say once what the configuration does not state; nothing where it is never handed over."""
    missing = [] if info.audience == "internal" else missing_statements(info.protection)
    if not missing:
        return ""
    named = words.listed([words.say(f"protection.assessment.{key}") for key in missing])
    keys = words.listed([f"protection.{key}" for key in missing])
    return words.say("protection.to_be_filled_in", statements=named, keys=keys)


def _verdict(info: ReleaseInfo, record: Mapping[str, Any]) -> _Verdict:
    """Say what came of the audit."""
    say = words.say
    if info.audit == "passed":
        tried = (record.get("attack") or {}).get("counts_attacked")
        passed = say("protection.verdict.passed") if tried is None else say("protection.verdict.counts", n=int(tried))
        return _Verdict(say("protection.verdict.passed_tag"), passed)
    if info.audit == "not needed":
        return _Verdict(say("protection.verdict.not_needed_tag"), say("protection.verdict.not_needed"))
    return _Verdict(say("common.not_audited"), say("protection.verdict.not_audited"), sound=False)


# The rules of a release.


def _rules(info: ReleaseInfo, record: Mapping[str, Any], *, has_density: bool) -> list[Rule]:
    """Return the rules in force; those that do not apply are left out."""
    rules = record["rules"]
    missing = [_rule("missing", " ".join(info.lacking))] if info.lacking else []
    if info.audience == "internal":
        return [_rule("everything", words.say("protection.rule.everything.text")), *missing]
    least, wards = int(rules["threshold"]), _areas(info, Level.WARD)[1]
    if least > 1:
        found = [*_counts(rules, least), *_sums(info)]
    else:
        found = [_rule("no_threshold", words.say("protection.rule.no_threshold.text"))]
    found += _detail(info, record)
    never_overlap = words.say("protection.rule.shortest.never_overlap", areas=wards)
    found.append(_rule("shortest", f"{_shortest(info)} {never_overlap}"))
    found.append(_rule("derived", words.say("protection.rule.derived.text")))
    if info.has_points:
        found += _shapes(info, rules, least, has_density=has_density)
    found.append(_rule("never", words.say("protection.rule.never.text")))
    found += missing + _calendar(info, record)
    if rules["scope"]:
        found.append(_rule("places", words.say("protection.rule.places.text", places=words.listed(rules["scope"]))))
    return found


def _rule(kind: str, text: str) -> Rule:
    return words.say(f"protection.rule.{kind}.name"), text


def _shortest(info: ReleaseInfo) -> str:
    """Say how much time a count covers at least."""
    levels = ("borough", "borough") if _one_level(info) else ("ward", "borough")
    windows = ([info.headline, *info.periods.get(level, ())] for level in levels)
    small, large = (_length(min((Period.parse(w.id) for w in mine), key=lambda p: p.days)) for mine in windows)
    if small == large:
        return words.say("protection.rule.shortest.alike", length=small)
    names = {"small": _areas(info, Level.WARD)[0], "large": _areas(info, Level.BOROUGH)[0]}
    return words.say("protection.rule.shortest.by_level", small_length=small, large_length=large, **names)


def _length(period: Period) -> str:
    if period.whole_months:
        return words.say("protection.rule.shortest.months", n=period.months)
    return words.say("protection.rule.shortest.days", n=period.days)


def _counts(rules: Mapping[str, Any], least: int) -> list[Rule]:
    """Say how counts are protected, and why otherwise than by the rule."""
    kind = str(rules["protection"])
    sentence = words.protection_sentence(
        kind, step=int(rules["step"]), threshold=least, noise_reach=int(rules["noise_reach"])
    )
    found = [_rule(kind, sentence)]
    if kind == "noise":
        found.append(_rule("experimental", words.say("protection.rule.experimental.text")))
    if rules["protection_reason"]:
        found.append(_rule("protection_reason", str(rules["protection_reason"])))
    if rules["threshold_reason"]:
        found.append(_rule("threshold_reason", str(rules["threshold_reason"])))
    return found


def _sums(info: ReleaseInfo) -> list[Rule]:
    """Say which levels are sums of ranges, where there are any."""
    if not info.parents_above:
        return []
    what, parts = words.sums_sentence(info.level_labels, step=info.step), _areas(info, Level.BOROUGH)[1]
    return [_rule("sums", f"{what} {words.say('protection.rule.sums.text', parts=parts)}")]


def _detail(info: ReleaseInfo, record: Mapping[str, Any]) -> list[Rule]:
    """Say down to which level each category is given, and which are left out for the sake of the others."""
    say = words.say
    chosen: Mapping[str, str] = record["rules"].get("detail") or {}
    long = {c.id for c in info.categories if c.long_windows}
    (ward, wards), (borough, _) = _areas(info, Level.WARD), _areas(info, Level.BOROUGH)
    found, sentences = [], []
    for level, key, areas in (
        (Level.WARD, "protection.rule.detail.by_area", ward),
        (Level.WARD_GROUP, "protection.rule.detail.by_group", wards),
        (Level.BOROUGH, "protection.rule.detail.only_by", borough),
    ):
        if given := [c.label for c in info.categories if chosen.get(c.id) == level and c.id not in long]:
            sentences.append(say(key, categories=words.listed(given), areas=areas))
        if level == Level.WARD_GROUP and long and info.long_windows:
            given = [c.label for c in info.categories if c.id in long]
            months = Period.parse(info.long_windows[0].id).months
            by = "protection.rule.detail.by_group_long"
            sentences.append(say(by, categories=words.listed(given), areas=areas, months=months))
    finest = Level.BOROUGH if _one_level(info) else Level.WARD
    if not set(chosen.values()) <= {finest}:
        found.append(_rule("detail", " ".join([*sentences, say("protection.rule.detail.why")])))
    # A category that its level shows nothing of is one part of a sum of categories: see `offer`.
    utility: Mapping[str, Any] = record.get("utility") or {}
    hidden = [
        say("protection.rule.never_offered.category", category=c.label, area=_areas(info, own)[0])
        for c in info.categories
        if (own := chosen.get(c.id, "")) in utility and c.id not in utility[own]
    ]
    if record["rules"]["protection"] == "steps":
        left = words.listed([say("protection.measure.unplaced"), *hidden])
        found.append(_rule("never_offered", say("protection.rule.never_offered.text", parts=left)))
    return found


def _calendar(info: ReleaseInfo, record: Mapping[str, Any]) -> list[Rule]:
    """Say when numbers change, and what was corrected."""
    calendar = record.get("calendar") or {}
    if not calendar.get("release"):
        return []
    sentences = [words.say(f"protection.rule.calendar.{calendar['release']}")]
    if calendar.get("numbers") == "as released before":
        sentences.append(words.say("protection.rule.calendar.as_before"))
    found = [_rule("calendar", " ".join(sentences))]
    if why := calendar.get("reissue"):
        areas = _areas(info, Level.BOROUGH)[1]
        found.append(_rule("corrected", words.say("protection.rule.corrected.text", areas=areas, why=why)))
    return found


def _shapes(info: ReleaseInfo, rules: Mapping[str, Any], least: int, *, has_density: bool) -> list[Rule]:
    """Say from how much a hotspot and the density are made."""
    say = words.say
    places = words.whole(rules["min_locations"])
    given = {
        "least": words.whole(least),
        "places": places,
        "addresses": words.whole(rules["min_addresses"]),
        "share": f"{rules['max_location_share_pct']:g}",
        "width": f"{rules['lattice_m']:g}",
    }
    key = "protection.rule.hotspots.addresses" if rules["min_addresses"] else "protection.rule.hotspots.places"
    why = "not_shown" if int(rules["step"]) > 1 else "not_shown_suppress"
    sentences = [
        say(key, **given),
        say(f"protection.rule.hotspots.{why}"),
        say("protection.rule.hotspots.outline", **given),
    ]
    if info.audience == "public":
        sentences.append(say("protection.rule.hotspots.institution"))
    found = [_rule("hotspots", " ".join(sentences))]
    if has_density:
        text = say(
            "protection.rule.density.text",
            bandwidth=f"{rules['min_bandwidth_m']:g}",
            incidents=words.whole(rules["min_density_incidents"]),
            least=words.whole(least),
            places=places,
        )
        found.append(_rule("density", text))
    return [*found, _rule("outlines", say("protection.rule.outlines.text"))]


# What is promised, against whom, what it costs, and what is not promised.


def _promise(info: ReleaseInfo, record: Mapping[str, Any]) -> _Promise:
    rules = record["rules"]
    tables = [_areas_with_a_number(info, record), _counts_by_state(info, record)]
    return _Promise(
        is_made=_made(rules),
        readers=_readers(record),
        costs=_errors(rules, record.get("noise") or {}),
        tables=[table for table in tables if table],
        notes=_suppressed(record) if tables[-1] else [],
        is_not_made=_not_made(info, record),
    )


def _made(rules: Mapping[str, Any]) -> list[str]:
    """Return what the folder promises."""
    say = words.say
    least, step = int(rules["threshold"]), int(rules["step"])
    if rules["protection"] == "steps":
        first, third = words.count_text(0, step - 1), words.count_text(2 * step, 3 * step - 1)
        return [
            say("protection.promise.steps", step=step, third=third, first=first),
            say("protection.promise.first_step", first=words.capital(first), most=step - 1),
        ]
    if rules["protection"] == "noise":
        return [say("protection.promise.noise", reach=rules["noise_reach"])]
    return [say("protection.promise.suppress", most=least - 1, least=least)]


def _readers(record: Mapping[str, Any]) -> list[str]:
    """Return against whom the promise holds."""
    found = [words.say("protection.readers.everything_made")]
    earlier = record.get("earlier_releases") or 0
    if earlier == "unknown":
        found.append(words.say("protection.readers.earlier_unknown"))
    elif int(earlier):
        found.append(words.say("protection.readers.earlier", n=int(earlier)))
    if record.get("known_tables"):
        found.append(words.say("protection.readers.known_tables", tables=words.listed(record["known_tables"])))
    return found


def _not_made(info: ReleaseInfo, record: Mapping[str, Any]) -> list[str]:
    """Return what the folder does not promise."""
    say = words.say
    found = [say("protection.not_promised.other_sources")]
    if record["rules"]["protection"] == "steps":
        larger = words.area_words(info.level_labels, Level.REGION if _one_level(info) else Level.BOROUGH)[0]
        names = {"areas": _areas(info, Level.WARD)[1], "larger": larger}
        found.append(say("protection.not_promised.missing_numbers", **names))
        found.append(say("protection.not_promised.not_offered"))
    if record["withheld"]["states"]:
        found.append(say("protection.not_promised.known_already"))
    return found


def _errors(rules: Mapping[str, Any], noise: Mapping[str, Any]) -> list[str]:
    """Say how far off the numbers may be."""
    say, step = words.say, int(rules["step"])
    if rules["protection"] == "steps":
        half = step // 2
        small, large = (words.count_text(k * step, (k + 1) * step - 1) for k in (2, 20))
        off_small, off_large = (words.share_text(half / (k * step)) for k in (2, 20))
        return [
            say("protection.cost.steps", half=half, small=small, off_small=off_small, large=large, off_large=off_large),
            say("protection.cost.rates"),
            say("protection.cost.changes"),
        ]
    if rules["protection"] == "noise":
        reach, mean = int(rules["noise_reach"]), noise.get("mean_error_pct")
        found = [say("protection.cost.noise", reach=words.whole(reach), tenfold=words.whole(10 * reach))]
        return [*found, say("protection.cost.mean_error", mean=f"{mean:g}")] if mean is not None else found
    return [say("protection.cost.suppress")]


def _areas_with_a_number(info: ReleaseInfo, record: Mapping[str, Any]) -> page.Table | None:
    """Give the share of areas with a number, by category and level, in the headline window of each level."""
    say = words.say
    utility: Mapping[str, Any] = record.get("utility") or {}
    levels = [str(level) for level in Level if level in utility and level != Level.REGION]
    detail = record["rules"].get("detail") or {}
    # Categories in longer windows: the latest.
    long = {c.id: info.long_windows[-1].label for c in info.categories if c.long_windows and info.long_windows}
    if not levels:
        return None

    def cell(level: str, category: str) -> str:
        windows = utility[level].get(category)
        if not windows:
            given = str(detail.get(category, level))
            if given == level:
                return say("common.not_offered")
            return say("protection.given_by", areas=_areas(info, given)[given == Level.WARD_GROUP])
        window = windows.get(info.headline.id) or windows[max(windows)]
        counts = {"given": words.whole(window["with_number"]), "every": words.whole(window["areas"])}
        # From the counts: `pct` is rounded already, and rounding twice makes 49% of 16 in 33.
        share = words.share_text(window["with_number"] / window["areas"] if window["areas"] else 0.0)
        if level == Level.WARD_GROUP and category in long:
            return say("protection.areas_given_long", share=share, period=long[category], **counts)
        return say("protection.areas_given", share=share, **counts)

    rows = [(c.label, *(cell(level, c.id) for level in levels)) for c in info.categories]
    step, when = int(record["rules"]["step"]), words.in_period(info.headline.label)
    key = "protection.table.areas_with_step" if step > 1 else "protection.table.areas_with_number"
    head = (say("protection.column.category"), *(words.capital(_areas(info, level)[1]) for level in levels))
    return page.Table(say(key, step=step, when=when), head, rows)


def _counts_by_state(info: ReleaseInfo, record: Mapping[str, Any]) -> page.Table | None:
    """Count the rows of area_counts.csv by state: they add up."""
    tallies: Mapping[str, Any] = record.get("states") or {}
    rules = record["rules"]
    names = words.count_states(int(rules["step"]) if rules["protection"] == "steps" else 1)
    found = [
        (
            words.say("protection.counts_of", areas=words.capital(_areas(info, level)[1]), measure=words.say(measure)),
            tally,
        )
        for level in sorted(tallies, key=lambda name: _ORDER.get(name, 9))
        for measure, tally in ((_MEASURES[m], t) for m, t in tallies[level].items())
    ]
    if not found:
        return None
    used = [key for key in names if any(tally[key] for _, tally in found)]
    return page.Table(
        words.say("protection.table.states"),
        (words.say("protection.column.counts_of"), *(names[key] for key in used)),
        [(name, *(_with_share(tally, key) for key in used)) for name, tally in found],
    )


def _with_share(tally: Mapping[str, int], state: str) -> str:
    """Write how many rows are in a state; of those with a number, their share as well."""
    number = tally[state]
    if state != "number" or not number:
        return words.whole(number)
    share = words.share_text(number / tally["rows"])
    return words.say("protection.with_share", number=words.whole(number), share=share)


def _suppressed(record: Mapping[str, Any]) -> list[str]:
    """Say of suppressed counts what the table does not tell apart."""
    states = [tally for level in record["withheld"]["states"].values() for tally in level.values()]
    if not states:
        return []
    public = sum(t.get(Status.AT_SOURCE.value, 0) for t in states)
    found = [words.say("protection.small_and_beside")]
    return [*found, words.say("protection.public_at_source", n=public)] if public else found


def _one_level(info: ReleaseInfo) -> bool:
    """Whether there are no areas below boroughs: then both levels have the words of the one that there is."""
    return info.level_labels.get(Level.WARD) == info.level_labels.get(Level.BOROUGH)


def _areas(info: ReleaseInfo, level: str) -> tuple[str, str]:
    """Name areas of a level, one and many; the region by its name."""
    if level == Level.REGION and info.region_name:
        return info.region_name, info.region_name
    return words.area_words(info.level_labels, level)
