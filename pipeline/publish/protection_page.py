"""protection.html: how people are protected in one folder, for the data-protection officer who must decide on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.domain.periods import Period
from pipeline.publish.page import colour_tokens, document, text
from pipeline.publish.words import (
    capital,
    count_text,
    listed,
    named_period,
    protection_sentence,
    say,
    share_text,
)
from pipeline.release.released import Released, ReleaseInfo
from pipeline.release.suppression import Status
from pipeline.storage.files import write_text
from pipeline.tables import Level, Measure

__all__ = ["protection_html", "write_protection"]


# The rules of a release in plain words.


def _rule_sentences(info: ReleaseInfo, record: Mapping[str, Any], *, has_density: bool) -> list[tuple[str, str]]:
    """Return the rules in force, each with a short name; rules that do not apply are left out."""
    rules = record["rules"]
    missing = [("Months that are missing", " ".join(info.lacking))] if info.lacking else []
    if info.audience == "internal":
        own = "This folder is the analyst's own. It holds every count and is not for release."
        return [("Everything is shown", own), *missing]
    least = int(rules["threshold"])
    found = _counts(rules, least) if least > 1 else [("No threshold", "No count is left out for being small.")]
    found += _detail(info, record)
    found += [
        (
            "Shortest periods",
            (
                f"{_shortest(info)} The windows of wards are fixed and never overlap, so that subtracting one from "
                "another gives nothing back."
            ),
        ),
        (
            "Derived figures",
            (
                "Rates, intervals, changes, shares, ranks, classes, sentences and charts come from the counts shown "
                "here, and from nothing else."
            ),
        ),
    ]
    if info.has_points:
        found += _shapes(info, rules, least, has_density=has_density)
    found.append(
        (
            "Never in this folder",
            (
                "No point, address, identifier, free text, exact date, victim reference or file name of an "
                "incident, in no file and in no hidden part of one."
            ),
        )
    )
    found += missing + _calendar(record)
    if rules["scope"]:
        found.append(("Places", f"This folder covers {', '.join(rules['scope'])}, beside the totals of the region."))
    return found


def _shortest(info: ReleaseInfo) -> str:
    """Say how much time a count covers at least."""
    windows = ([info.headline, *info.periods.get(level, ())] for level in ("ward", "borough"))
    least = [min(Period.parse(w.id).months for w in mine) for mine in windows]
    ward, borough = (f"{n} months" if n > 1 else "a month" for n in least)
    if ward == borough:
        return f"No count covers less than {ward}."
    return f"No count of a ward covers less than {ward}, none of a borough less than {borough}."


def _counts(rules: Mapping[str, Any], least: int) -> list[tuple[str, str]]:
    kind, name = str(rules["protection"]), {"steps": "Steps", "suppress": "Small counts", "noise": "Noise"}
    sentence = protection_sentence(
        kind, step=int(rules["step"]), threshold=least, noise_reach=int(rules["noise_reach"])
    )
    found = [(name[kind], sentence)]
    if kind == "noise":
        found.append(("Experimental", "Noise is experimental and for partners only: its errors stand below."))
    if rules["protection_reason"]:
        found.append(("Why counts are not given in steps", str(rules["protection_reason"])))
    if rules["threshold_reason"]:
        found.append(("Why the threshold is lower than the rule", str(rules["threshold_reason"])))
    return found


_DETAIL = {
    Level.WARD.value: "by {ward}",
    Level.WARD_GROUP.value: "by groups of neighbouring {wards}",
    Level.BOROUGH.value: "by {borough} alone",
}


def _detail(info: ReleaseInfo, record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say down to which level each category is given, and which are left out for the sake of the others."""
    chosen: Mapping[str, str] = record["rules"].get("detail") or {}
    names = {level: _level_words(info, level) for level in (Level.WARD, Level.BOROUGH)}
    ward, borough = names[Level.WARD], names[Level.BOROUGH]
    found, sentences = [], []
    for level, wording in _DETAIL.items():
        given = [c.label for c in info.categories if chosen.get(c.id) == level]
        if given:
            sentences.append(f"{listed(given)}: {wording.format(ward=ward[0], wards=ward[1], borough=borough[0])}.")
    if not set(chosen.values()) <= {Level.WARD}:
        why = "Where most areas would read “fewer than”, larger areas are shown instead."
        found.append(("Detail", " ".join([*sentences, why])))
    # A category that its level shows nothing of is one part of a sum of categories: see `offer`.
    utility: Mapping[str, Any] = record.get("utility") or {}
    parts = [
        f"{c.label} by {_level_words(info, level)[0]}"
        for c in info.categories
        if (level := chosen.get(c.id, "")) in utility and c.id not in utility[level]
    ]
    if record["rules"]["protection"] == "steps":
        left = ["incidents without a smaller place", *parts]
        found.append(("Never offered", f"One part of every sum, so that no other can be worked out: {listed(left)}."))
    return found


_EVERY = {
    "month": "New numbers come out each month",
    "quarter": "New numbers come out each quarter",
    "year": "New numbers come out each year",
    "each_run": "New numbers come out whenever the folder is made again",
}


def _calendar(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say when numbers change, and what was corrected."""
    calendar = record.get("calendar") or {}
    every = _EVERY.get(str(calendar.get("release")), "")
    if not every:
        return []
    between = "" if calendar["release"] == "each_run" else "; between the dates pages may change, numbers do not"
    kept = " These are the numbers released before." if calendar.get("numbers") == "as released before" else ""
    found = [("Calendar", f"{every}{between}.{kept}")]
    if calendar.get("reissue"):
        found.append(("Corrected", f"Numbers of boroughs and larger areas were corrected: {calendar['reissue']}"))
    return found


def _shapes(info: ReleaseInfo, rules: Mapping[str, Any], least: int, *, has_density: bool) -> list[tuple[str, str]]:
    addresses = f", at least {rules['min_addresses']} addresses where these are known" if rules["min_addresses"] else ""
    found = [
        (
            "Hotspots",
            f"A hotspot is shown from {least} incidents, as many known victims, and {rules['min_locations']} different "
            f"places{addresses}; no place holds more than {rules['max_location_share_pct']:g} per cent of it. Its "
            f"outline is made of hexagons {rules['lattice_m']:g} m wide, its count is a range, and no density is given."
            + (" An outline is never that of a single institution." if info.audience == "public" else ""),
        )
    ]
    if has_density:
        found.append(
            (
                "Density",
                (
                    f"The surface is smoothed over at least {rules['min_bandwidth_m']:g} m and made from at least "
                    f"{rules['min_density_incidents']:,} incidents; each patch rests on {least} incidents at "
                    f"{rules['min_locations']} places."
                ),
            )
        )
    found.append(
        (
            "One version of each outline",
            "Outlines of a period are released once. Two versions side by side would single out what changed.",
        )
    )
    return found


# What is promised, to whom, what it costs, and what is not promised.


def _promise(rules: Mapping[str, Any]) -> list[str]:
    """Return what the folder promises, as sentences."""
    least, step = int(rules["threshold"]), int(rules["step"])
    if rules["protection"] == "steps":
        first, third = count_text(0, step - 1), count_text(2 * step, 3 * step - 1)
        return [
            (
                f"Every count, totals too, is given as the step of {step} that it lies in: “{third}”, or “{first}”. "
                f"All {step} numbers of a step remain possible, for every count shown."
            ),
            (
                f"“{capital(first)}” always includes none: an area with nothing recorded and one with {step - 1} "
                "look the same."
            ),
        ]
    if rules["protection"] == "noise":
        return [
            (
                f"Every count carries noise of at most {rules['noise_reach']} either way and is given as the range "
                "that the true number lies in; the same records have the same noise wherever they are counted."
            )
        ]
    return [
        (
            f"No count from 1 to {least - 1} is shown. For every count that is not offered, at least {least} numbers "
            "remain possible; counts that are shown are exact."
        )
    ]


def _readers(record: Mapping[str, Any]) -> list[str]:
    """Return against whom the promise holds, as sentences."""
    found = [
        (
            "It holds against a reader who knows these rules and the program that made the folder, who has every file "
            "of this folder and of the other folders made from the same data that such a reader may have, and who "
            "knows that parts add up to totals."
        )
    ]
    earlier = record.get("earlier_releases") or 0
    if earlier == "unknown":
        found.append(
            "Earlier releases are unknown: their list was set aside by the publisher. The promise does not cover what "
            "they give away together with this one."
        )
    elif int(earlier):
        word = "one earlier release" if int(earlier) == 1 else f"{earlier} earlier releases"
        found.append(f"It holds beside {word} of the same data: numbers that are out stay as they are.")
    if record.get("known_tables"):
        found.append(f"The reader also has what is published in other places: {', '.join(record['known_tables'])}.")
    return found


def _not_promised(rules: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    """Return what the folder does not promise, as sentences."""
    found = [
        "What somebody knows from other sources: from having been there, or from a number another office gave.",
    ]
    if rules["protection"] == "steps":
        found.append(
            "That a missing number tells nothing. A number is not offered where the numbers beside it would narrow its "
            "step, and a reader who knows the rules learns that this was so. For example, in steps of 5 four wards of "
            "fewer than 5 that make up a borough of 15 to 19 can only hold 3 or 4 each: none of the five is offered."
        )
        found.append("Counts that are not offered at a level: they have no step, so nothing is promised about them.")
    if record["withheld"]["states"]:
        found.append("Counts that were released before or are public at their source: a reader can look them up.")
    return found


# The page itself: verdict, promise, costs, rules, and the blocks an impact assessment asks for.


_STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/22px var(--font);
 font-variant-numeric:tabular-nums lining-nums}
main{max-width:820px;margin:0 auto;padding:32px 28px 64px;background:var(--paper);min-height:100vh}
.mast{display:flex;flex-wrap:wrap;justify-content:space-between;gap:4px 24px;border-top:4px solid var(--ink);
 padding-top:8px;font-size:14px;line-height:20px;color:var(--ink-2)}
.mast b{color:var(--ink)}
h1{font-size:32px;line-height:38px;letter-spacing:-.014em;margin:18px 0 6px;overflow-wrap:anywhere}
h3{font-size:16px;line-height:22px;margin:16px 0 6px}
h2{font-size:20px;line-height:26px;letter-spacing:-.004em;margin:40px 0 10px;padding-top:14px;
 border-top:1px solid var(--rule)}
p{margin:0 0 8px;max-width:68ch}
.scroll+p{margin-bottom:24px}
.lead{font-size:19px;line-height:27px;max-width:60ch;text-wrap:pretty}
.tag{display:inline-block;border:1px solid var(--ctl);border-radius:2px;padding:0 6px;font-size:13px;font-weight:700}
.tag.stop{background:var(--ink);color:var(--paper);border-color:var(--ink)}
dl{margin:0;display:grid;grid-template-columns:minmax(150px,210px) 1fr}
dt,dd{margin:0;padding:8px 0;border-bottom:1px solid var(--rule);overflow-wrap:anywhere}
dt{font-weight:600;padding-right:16px}
.todo{color:var(--ink-2);font-style:italic}
ul{margin:0 0 8px;padding-left:20px}li{margin-bottom:4px;max-width:66ch}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--ink-2);font-size:14px;padding-bottom:6px}
th,td{text-align:left;padding:7px 14px 7px 0;border-bottom:1px solid var(--rule);vertical-align:top}
th{font-size:14px;font-weight:600}
tbody th{min-width:9em}
thead th{color:var(--ink-2)}
td.n,th.n{text-align:right;white-space:nowrap}
.scroll{overflow-x:auto;margin-bottom:12px}
.scroll:focus-visible,a:focus-visible{outline:3px solid var(--focus);outline-offset:2px;box-shadow:0 0 0 5px var(--ink)}
a{color:var(--link)}
.foot{margin-top:40px;padding-top:10px;border-top:1px solid var(--rule);font-size:13px;line-height:19px;
 color:var(--ink-2)}
@media (max-width:560px){main{padding:20px 16px 48px}h1{font-size:26px;line-height:32px}dl{display:block}
 dt{border:0;padding-bottom:0}dd{padding-top:2px}}
@media print{body{background:none}main{padding:0;max-width:none}h2{break-after:avoid}tr,dt,dd{break-inside:avoid}}
"""

_MEASURES: dict[str, str] = {
    Measure.INCIDENTS: "incidents",
    Measure.INCIDENTS_UNPLACED: "incidents without a smaller place",
    Measure.POSITIVE_OUTCOMES: "positive outcomes",
    Measure.KNOWN_OUTCOMES: "incidents whose outcome is known",
}
_BLOCKS = (
    ("controller", "Controller"),
    ("purpose", "Purpose"),
    ("legal_condition", "Legal basis and condition for special-category data"),
    ("sharing_gateway", "Gateway for sharing"),
    ("intruder_test", "Motivated-intruder test"),
    ("retention", "Retention"),
    ("review_date", "Next review"),
    ("contact", "Contact"),
)
_AUDIENCES = {
    "internal": "For the analyst alone",
    "partner": "For named partners under a sharing agreement",
    "public": "For anybody",
}
_ORDER: dict[str, int] = {level: place for place, level in enumerate(Level)}


def protection_html(released: Released) -> str:
    """Return the page; it says no more than the folder's other files do."""
    info, record = released.info, released.record
    marking = f'<span class="tag">{text(info.marking)}</span>' if info.marking else ""
    body = ["<main>", f'<div class="mast"><b>{text(info.publisher or info.title)}</b><span>{marking}</span></div>']
    body.append("<h1>How people are protected</h1>")
    body.append(
        f'<p class="lead">{text(info.title)}, {text(info.place)}, {text(info.headline.label)}. '
        f"Folder “{text(info.profile)}”. {_AUDIENCES[info.audience]}.</p>"
    )
    if info.synthetic:
        body.append(f'<p><span class="tag">Synthetic</span> {text(say("common.synthetic"))}</p>')
    rules = record["rules"]
    body += ["<h2>Verdict</h2>", *_verdict(info, record)]
    if record.get("protected"):
        body += ["<h2>What is promised</h2>", *_items(_promise(rules))]
        body += ["<h3>To whom</h3>", *_items(_readers(record))]
        body += ["<h2>What it costs</h2>", *_costs(info, record)]
        body += ["<h2>What is not promised</h2>", *_items(_not_promised(rules, record))]
    body += ["<h2>The rules</h2>", *_rules(released)]
    body += ["<h2>For the impact assessment</h2>", *_blocks(info)]
    body += [*_foot(info), "</main>"]
    return document(
        language=info.language,
        title=f"How people are protected: {info.title}, {info.profile}",
        styles=[colour_tokens(), _STYLE],
        body="\n".join(body),
    )


def _verdict(info: ReleaseInfo, record: Mapping[str, Any]) -> list[str]:
    if info.audit == "passed":
        attack = record.get("attack") or {}
        tried = attack.get("counts_attacked")
        how = "attacked" if tried is None else f"attacked, {int(tried):,} counts in all,"
        lines = [
            '<p><span class="tag">Passed</span></p>',
            (
                f"<p>The folder was {how} before it was written: none of its counts can be worked out more narrowly "
                "than is promised here.</p>"
            ),
        ]
    elif info.audit == "not needed":
        lines = [
            '<p><span class="tag">No audit</span></p>',
            "<p>Every count is shown in this folder, so there is nothing to attack. It shows single incidents.</p>",
        ]
    else:
        lines = [
            f'<p><span class="tag stop">{text(say("common.not_audited"))}</span></p>',
            "<p>Small counts are not shown, but nothing keeps arithmetic from giving them back.</p>",
        ]
    if record.get("everything_withheld"):
        lines.append("<p><b>No number is shown.</b> The rules leave nothing to show for data this sparse.</p>")
    return lines


def _rules(released: Released) -> list[str]:
    pairs = _rule_sentences(released.info, released.record, has_density=len(released.density) > 0)
    return ["<dl>", *(f"<dt>{text(name)}</dt><dd>{text(words)}</dd>" for name, words in pairs), "</dl>"]


def _items(sentences: Sequence[str]) -> list[str]:
    return ["<ul>", *(f"<li>{text(s)}</li>" for s in sentences), "</ul>"]


def _costs(info: ReleaseInfo, record: Mapping[str, Any]) -> list[str]:
    """Say how far off the numbers may be, and how many of them there are."""
    return [
        *_items(_errors(record["rules"], record.get("noise") or {})),
        *_useful(info, record),
        *_states(info, record),
    ]


def _errors(rules: Mapping[str, Any], noise: Mapping[str, Any]) -> list[str]:
    step = int(rules["step"])
    if rules["protection"] == "steps":
        half = step // 2
        small, large = (count_text(k * step, (k + 1) * step - 1) for k in (2, 20))
        return [
            (
                f"A number read as the middle of its step is off by {half} at most, half a step. Of “{small}” that is "
                f"up to {share_text(half / (2 * step))}, of “{large}” up to {share_text(half / (20 * step))}."
            ),
            "Rates, shares and changes carry that error; the ranges given with them hold the whole step.",
            "A change is called only where it holds for all numbers inside both steps, so some real changes are not.",
        ]
    if rules["protection"] == "noise":
        reach, mean = int(rules["noise_reach"]), noise.get("mean_error_pct")
        found = [
            f"A number may be off by {reach}: a count of {10 * reach} by up to 10%, one of {reach} by all of itself."
        ]
        if mean is not None:
            found.append(f"All errors of this folder together come to {mean:g}% of its numbers.")
        return found
    return ["Counts that are shown are exact; those that are not offered leave gaps in tables and maps."]


def _useful(info: ReleaseInfo, record: Mapping[str, Any]) -> list[str]:
    """Write the share of areas with a number, by category and level, in the headline window of each level."""
    utility: Mapping[str, Any] = record.get("utility") or {}
    levels = [str(level) for level in Level if level in utility and level != Level.REGION]
    detail = record["rules"].get("detail") or {}
    if not levels:
        return []

    def cell(level: str, category: str) -> str:
        windows = utility[level].get(category)
        if not windows:
            given = str(detail.get(category, level))
            if given == level:
                return say("common.not_offered")
            return f"by {_level_words(info, given)[given == Level.WARD_GROUP]}"
        window = windows.get(info.headline.id) or windows[max(windows)]
        return f"{window['with_number']:,} of {window['areas']:,} ({share_text(window['pct'] / 100)})"

    rows = [(c.label, *(cell(level, c.id) for level in levels)) for c in info.categories]
    step = int(record["rules"]["step"])
    what = f"with {step} or more" if step > 1 else "with a number"
    head = ("Category", *(capital(_level_words(info, level)[1]) for level in levels))
    return _table(f"Areas {what}, in {named_period(info.headline.label)}", head, rows)


def _states(info: ReleaseInfo, record: Mapping[str, Any]) -> list[str]:
    """Write how many rows of area_counts.csv are in which state: they add up."""
    states: Mapping[str, Any] = record.get("states") or {}
    rules = record["rules"]
    stepped = rules["protection"] == "steps"
    step = int(rules["step"])
    names = {"number": f"{step} or more, in steps" if stepped else "a number"}
    names |= {"first_step": count_text(0, step - 1) if stepped else "perhaps none"}
    names |= {
        "other_level": "given at another level",
        "not_offered": say("common.not_offered"),
        "no_data": "no data",
        "not_covered": "not covered",
        "rows": "all",
    }
    levels = sorted(states, key=lambda name: _ORDER.get(name, 9))
    found = [
        (f"{capital(_level_words(info, level)[1])}: {_MEASURES[measure]}", tally)
        for level in levels
        for measure, tally in states[level].items()
    ]
    if not found:
        return []
    used = [key for key in names if any(tally[key] for _, tally in found)]
    lines = _table(
        "Counts over all areas, periods and categories, by what is shown of them",
        ("Counts of", *(names[key] for key in used)),
        [(name, *(_with_share(tally, key) for key in used)) for name, tally in found],
    )
    return [*lines, *(f"<p>{text(line)}</p>" for line in _suppressed(record))]


def _with_share(tally: Mapping[str, int], state: str) -> int | str:
    """Write how many rows are in a state; of those with a number, their share as well."""
    number = tally[state]
    return f"{number:,} ({share_text(number / tally['rows'])})" if state == "number" and number else number


def _suppressed(record: Mapping[str, Any]) -> list[str]:
    """Say of suppressed counts what the table does not tell apart."""
    states = [tally for level in record["withheld"]["states"].values() for tally in level.values()]
    if not states:
        return []
    public = sum(t.get(Status.AT_SOURCE.value, 0) for t in states)
    found = [
        (
            "“Not offered” holds small counts and those left out for their sake alike: telling the two apart would "
            "tell which are small."
        )
    ]
    if public:
        found.append(f"{public:,} of them are public at source: no protection is claimed for them.")
    return found


def _level_words(info: ReleaseInfo, level: str) -> tuple[str, str]:
    """Name areas of a level, one and many; the region by its name."""
    if level == Level.REGION and info.region_name:
        return info.region_name, info.region_name
    return info.level_labels.get(level, (level, f"{level}s"))


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    def cell(value: object) -> str:
        return f"{value:,}" if isinstance(value, int) else text(value)

    heads = "".join(f'<th scope="col"{"" if i == 0 else " class=n"}>{text(h)}</th>' for i, h in enumerate(head))
    lines = [f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}">', "<table>"]
    lines += [f"<caption>{text(caption)}</caption>", f"<thead><tr>{heads}</tr></thead><tbody>"]
    for name, *values in rows:
        numbers = "".join(f'<td class="n">{cell(v)}</td>' for v in values)
        lines.append(f'<tr><th scope="row">{text(name)}</th>{numbers}</tr>')
    return [*lines, "</tbody></table></div>"]


def _blocks(info: ReleaseInfo) -> list[str]:
    lines = ["<dl>"]
    for key, name in _BLOCKS:
        given = str(info.protection.get(key, "")).strip()
        missing = f'<span class="todo">To be filled in: protection.{key} in the configuration.</span>'
        words = text(given) if given else missing
        lines.append(f"<dt>{text(name)}</dt><dd>{words}</dd>")
    return [*lines, "</dl>"]


def _foot(info: ReleaseInfo) -> list[str]:
    marking = f" {text(info.marking)}." if info.marking else ""
    return [
        (
            f'<p class="foot">{text(info.licence)}{marking} The same statement for programs is in release.json. '
            '<a href="index.html">Back to the map</a></p>'
        )
    ]


def write_protection(released: Released, path: Path) -> None:
    """Write the page of one profile."""
    write_text(path, protection_html(released))
