"""protection.html: how people are protected in one folder, for the data-protection officer who must decide on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.domain.periods import Period
from pipeline.publish.page import colour_tokens, document, text
from pipeline.publish.words import NOT_AUDITED, SYNTHETIC, steps_sentence
from pipeline.release.released import Released, ReleaseInfo
from pipeline.storage.files import write_text
from pipeline.tables import Level, Measure

__all__ = ["protection_html", "write_protection"]


# The rules of a release in plain words.


def _rule_sentences(info: ReleaseInfo, rules: Mapping[str, Any], *, has_density: bool) -> list[tuple[str, str]]:
    """Return the rules in force, each with a short name; rules that do not apply are left out."""
    missing = [("Months that are missing", " ".join(info.lacking))] if info.lacking else []
    if info.audience == "internal":
        own = "This folder is the analyst's own. It holds every count and is not for release."
        return [("Everything is shown", own), *missing]
    least = int(rules["threshold"])
    found = _counts(rules, least) if least > 1 else [("No threshold", "No count is withheld for being small.")]
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
    found += missing
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
    if rules["protection"] == "steps":
        found = [("Steps", steps_sentence(rules["step"]))]
    elif rules["protection"] == "noise":
        found = [
            (
                "Noise",
                (
                    f"Counts carry noise of at most {rules['noise_reach']}, the same noise wherever the same records "
                    f"are counted; no count from 1 to {least - 1} is ever shown."
                ),
            )
        ]
    else:
        found = [
            (
                "Small counts",
                (
                    f"Counts from 1 to {least - 1} are withheld; counts of none are shown where that is safe, and both "
                    "kinds of withheld count look the same."
                ),
            )
        ]
        if rules["secondary"]:
            found.append(
                (
                    "Arithmetic",
                    (
                        "Other counts are withheld, totals too where needed, so that no sum over areas or periods, "
                        "no subset and no earlier release gives a small count back."
                    ),
                )
            )
    if rules["threshold_reason"]:
        found.append(("Why the threshold is lower than the rule", str(rules["threshold_reason"])))
    return found


def _shapes(info: ReleaseInfo, rules: Mapping[str, Any], least: int, *, has_density: bool) -> list[tuple[str, str]]:
    addresses = f", at least {rules['min_addresses']} addresses where these are known" if rules["min_addresses"] else ""
    found = [
        (
            "Hotspots",
            f"A hotspot is shown from {least} incidents, as many known victims, and {rules['min_locations']} different "
            f"places{addresses}; no place holds more than {rules['max_location_share_pct']:g} per cent of it. Its "
            f"outline is made of hexagons {rules['lattice_m']:g} m wide, its count is a band, and no density is given."
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


def _attacker_sentences(rules: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    """Return what the attacker of the audit is given, as sentences."""
    least = int(rules["threshold"])
    found = ["He knows these rules and every file of this folder, and that parts add up to their totals."]
    earlier = int(record.get("earlier_releases") or 0)
    if earlier:
        word = "one earlier release" if earlier == 1 else f"{earlier} earlier releases"
        found.append(
            f"He holds {word} of the same data, of this and of other runs and folders that its readers may have."
        )
    if record.get("known_tables"):
        found.append(f"He has what is public elsewhere: {', '.join(record['known_tables'])}.")
    found.append(
        "For every withheld count he computes the smallest and the largest whole number that agrees with all of this. "
        f"The two must lie at least {least} apart."
    )
    return found


# The page itself: verdict, rules, what is withheld, what it costs, and the blocks an impact assessment asks for.


_STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/22px var(--font);
 font-variant-numeric:tabular-nums lining-nums}
main{max-width:820px;margin:0 auto;padding:32px 28px 64px;background:var(--paper);min-height:100vh}
.mast{display:flex;flex-wrap:wrap;justify-content:space-between;gap:4px 24px;border-top:4px solid var(--ink);
 padding-top:8px;font-size:14px;line-height:20px;color:var(--ink-2)}
.mast b{color:var(--ink)}
h1{font-size:32px;line-height:38px;letter-spacing:-.014em;margin:18px 0 6px;overflow-wrap:anywhere}
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
        body.append(f'<p><span class="tag">Synthetic</span> {text(SYNTHETIC)}</p>')
    body += ["<h2>Verdict</h2>", *_verdict(info, record)]
    body += ["<h2>The rules</h2>", *_rules(released)]
    if record.get("protected"):
        body += ["<h2>The attacker</h2>", *_items(_attacker_sentences(record["rules"], record))]
        body += ["<h2>What is withheld</h2>", *_withheld(info, record)]
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
        number = f"{int(attack['counts_attacked']):,}" if attack.get("counts_attacked") is not None else "All"
        where = "in it or in an earlier release" if int(record.get("earlier_releases") or 0) else "in it"
        lines = [
            '<p><span class="tag">Passed</span></p>',
            (
                f"<p>The folder was attacked before it was written: {number} counts not shown {where} were tried; "
                "none can be worked out more narrowly than the rules promise.</p>"
            ),
            (
                "<p>The promise is about numbers. It does not cover what somebody knows of an incident from elsewhere, "
                "such as having witnessed it.</p>"
            ),
        ]
    elif info.audit == "not needed":
        lines = [
            '<p><span class="tag">No audit</span></p>',
            "<p>No count is withheld in this folder, so there is nothing to attack. It shows single incidents.</p>",
        ]
    else:
        lines = [
            f'<p><span class="tag stop">{text(NOT_AUDITED)}</span></p>',
            "<p>Small counts are withheld, but nothing keeps arithmetic from giving them back.</p>",
        ]
    if record.get("everything_withheld"):
        lines.append("<p><b>Every count is withheld.</b> The rules leave nothing to show for data this sparse.</p>")
    return lines


def _rules(released: Released) -> list[str]:
    pairs = _rule_sentences(released.info, released.record["rules"], has_density=len(released.density) > 0)
    return ["<dl>", *(f"<dt>{text(name)}</dt><dd>{text(words)}</dd>" for name, words in pairs), "</dl>"]


def _items(sentences: Sequence[str]) -> list[str]:
    return ["<ul>", *(f"<li>{text(s)}</li>" for s in sentences), "</ul>"]


def _withheld(info: ReleaseInfo, record: Mapping[str, Any]) -> list[str]:
    rows = []
    cells, states = record["withheld"]["cells"], record["withheld"]["states"]
    for level in sorted(cells, key=lambda name: _ORDER.get(name, 9)):
        word = info.level_labels.get(level, (level, level))[1]
        for measure, tally in cells[level].items():
            if tally["shown"] + tally["withheld"] == 0:
                continue
            state = states.get(level, {}).get(measure, {})
            public = state.get("already public at source", 0)
            ours = state.get("already released by us", 0)
            rows.append(
                (
                    f"{word.capitalize()}, {_MEASURES[measure]}",
                    tally["shown"],
                    tally["withheld"] - public - ours,
                    ours,
                    public,
                )
            )
    head = ("Counts of", "shown", "protected", "released before", "public at source")
    lines = _table("Numbers over all periods and categories", head, rows)
    lines.append(
        "<p>“Protected” holds small counts and those withheld for their sake alike: telling the two apart would tell "
        "which are small. No protection is claimed for counts that were released before or are public at their source; "
        "a reader can look them up.</p>"
    )
    lost = record["information_lost"]
    lines += _table(
        "What that costs the reader",
        ("Level", "counts not shown, %", "of the region's incidents shown, %"),
        [
            (
                info.level_labels.get(level, (level, level))[1].capitalize(),
                f"{lost[level]['counts_withheld_pct']:.1f}",
                "not known"
                if lost[level]["incidents_shown_pct"] is None
                else f"{lost[level]['incidents_shown_pct']:.1f}",
            )
            for level in sorted(lost, key=lambda name: _ORDER.get(name, 9))
        ],
    )
    return lines


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
