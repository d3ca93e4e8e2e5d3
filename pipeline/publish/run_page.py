"""The analyst's front door of a run: which folders there are, what is in them, how good the data was, what was chosen.

It is internal: it may name inputs and show timings, and it is never part of a released folder.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.publish.page import attribute, colour_tokens, document, text
from pipeline.publish.words import choice_name, count_text, protection_sentence, say
from pipeline.storage.workspace import cautions_in
from pipeline.tables import Level

__all__ = ["front_door"]

_STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper-2);color:var(--ink);font:15px/21px var(--font);
 font-variant-numeric:tabular-nums lining-nums}
main{max-width:980px;margin:0 auto;padding:32px 22px 64px}
h1{font-size:30px;line-height:36px;letter-spacing:-.012em;margin:0 0 4px}
h2{font-size:20px;line-height:24px;margin:40px 0 12px}
p{margin:0 0 8px}.sub{color:var(--ink-2);font-size:16px}
.tag{display:inline-block;border:1px solid var(--ctl);border-radius:2px;padding:0 6px;font-size:12px;font-weight:700;
 letter-spacing:.04em;text-transform:uppercase;margin-bottom:8px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(270px,1fr));gap:16px}
.card{background:var(--paper);border:1px solid var(--rule);border-radius:4px;padding:16px 18px}
.card h3{margin:0 0 2px;font-size:17px}.card p{color:var(--ink-2);font-size:14px}
.card ul{margin:10px 0 0;padding:0;list-style:none}.card li{padding:3px 0}
a{color:var(--link)}
a:focus-visible{outline:3px solid var(--focus);outline-offset:2px;box-shadow:0 0 0 5px var(--ink)}
.open{display:inline-block;margin-top:6px;font-weight:700}
table{border-collapse:collapse;width:100%;background:var(--paper);border:1px solid var(--rule)}
th,td{text-align:left;padding:7px 12px;border-bottom:1px solid var(--rule);vertical-align:top;overflow-wrap:anywhere}
th{font-size:13px;color:var(--ink-2);font-weight:600}
td.n,th.n{text-align:right;white-space:nowrap}
.scroll{overflow-x:auto}
.note{border-left:4px solid var(--ink);background:var(--paper);padding:10px 14px;margin:0 0 12px}
"""

_LINKS = (
    ("index.html", "Open the map"),
    ("panel.html", "Panel page"),
    ("circumstances.html", "What partnerships ask first"),
    ("protection.html", "How people are protected"),
    ("area_counts.csv", "area_counts.csv"),
    ("circumstances.csv", "circumstances.csv"),
    ("boroughs.geojson", "boroughs.geojson"),
    ("ward_groups.geojson", "ward_groups.geojson"),
    ("wards.geojson", "wards.geojson"),
    ("hotspots.geojson", "hotspots.geojson"),
    ("density.geojson", "density.geojson"),
    ("hotspots.gpkg", "hotspots.gpkg"),
    ("release.json", "release.json"),
)
_AUDIENCES = {
    "internal": "Everything is shown. Not for release.",
    "partner": "For agencies under a sharing agreement.",
    "public": "For anybody.",
}


_AGAIN = {
    "victim": "incidents with a known victim share the victim with another",
    "place": "located incidents share their exact point with another (expected where points are snapped)",
}


def front_door(folder: Path, *, manifest: Mapping[str, Any], quality: Mapping[str, Any]) -> str:
    """Return the page for a finished run folder.

    Parameters
    ----------
    folder
        The run, complete but for this page.
    manifest
        Content of manifest.json.
    quality
        Content of quality.json.
    """
    run = manifest["settings"]["run"]
    body = ["<main>"]
    if run["synthetic"]:
        body.append('<p class="tag">Synthetic</p>')
    body.append(f"<h1>{text(run['title'])}</h1>")
    body.append(f'<p class="sub">{text(run["place"])} Run “{text(run["name"])}”. For the analyst: internal.</p>')
    if run["synthetic"]:
        body.append(f'<p class="note">{text(say("common.synthetic"))}</p>')
    body += [f'<p class="note">{text(caution)}</p>' for caution in cautions_in(manifest["stages"])]
    body += ["<h2>Folders</h2>", '<div class="cards">']
    for profile in manifest["settings"]["profiles"]:
        body += _card(folder, profile)
    body += ["</div>", "<h2>Quality of the data</h2>", *_quality(quality)]
    body += ["<h2>What was chosen</h2>", *_choices(manifest)]
    body += ["<h2>Stages</h2>", *_stages(manifest), "<h2>Inputs</h2>", *_inputs(manifest), "</main>"]
    return document(
        language="en-GB",
        title=f"{run['title']}: run {run['name']}",
        styles=[colour_tokens(), _STYLE],
        body="\n".join(body),
    )


def _card(folder: Path, profile: Mapping[str, Any]) -> list[str]:
    name = str(profile["name"])
    lines = ['<section class="card">', f"<h3>{text(name)}</h3>", f"<p>{_AUDIENCES[profile['audience']]}</p>"]
    lines += [f"<p>{text(sentence)}</p>" for sentence in _protection(folder / name / "release.json")]
    links = [(file, words) for file, words in _LINKS if (folder / name / file).is_file()]
    pages = sorted((folder / name / "boroughs").glob("*.html"))
    briefings = [page for page in pages if not page.stem.endswith("-circumstances")]
    for number, (file, words) in enumerate(links):
        if number == 1:
            lines.append("<ul>")
        link = f'<a href="{attribute(name)}/{file}"' + (' class="open"' if number == 0 else "") + f">{words}</a>"
        lines.append(link if number == 0 else f"<li>{link}</li>")
    if briefings:
        first = f'<a href="{attribute(name)}/boroughs/{attribute(briefings[0].name)}">the first</a>'
        lines.append(f"<li>{len(briefings)} briefings in {text(name)}/boroughs: {first}</li>")
    lines.append("</ul>" if len(links) > 1 else "")
    return [*lines, "</section>"]


def _protection(path: Path) -> list[str]:
    """Say how a folder's counts are protected, and of how many of its smallest areas a number is shown."""
    record = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if not record.get("protected"):
        return []
    rules = record["rules"]
    step = int(rules["step"])
    found = [
        protection_sentence(
            rules["protection"], step=step, threshold=int(rules["threshold"]), noise_reach=int(rules["noise_reach"])
        )
    ]
    more = f"{step} or more" if step > 1 else "a number"
    few = count_text(0, step - 1) if step > 1 else "perhaps none"
    wordings = {"number": f"with {more}", "first_step": few, "other_level": "given at another level"}
    wordings |= {"not_offered": say("common.not_offered"), "no_data": "no data", "not_covered": "not covered"}
    for level, many in _MANY.items():
        if windows := record.get("utility", {}).get(level, {}).get("all"):
            latest = windows[max(windows)]
            found.append(
                f"{latest['with_number']:,} of {latest['areas']:,} {many} have {more} in the latest period, all "
                "categories together."
            )
        if tally := record.get("states", {}).get(level, {}).get("incidents"):
            parts = [f"{tally[state]:,} {wording}" for state, wording in wordings.items() if tally[state]]
            found.append(f"Counts of {many}: {', '.join(parts)}; {tally['rows']:,} in all.")
    return found


_MANY: dict[str, str] = {Level.WARD: "wards", Level.WARD_GROUP: "groups of wards"}


def _table(
    head: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: frozenset[int] = frozenset()
) -> list[str]:
    """Return a table; `numbers` are the columns set to the right."""

    def cells(row: Sequence[object], tag: str) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        return "".join(
            f"<{tag}{scope}" + (' class="n"' if i in numbers else "") + f">{text(_plain(v))}</{tag}>"
            for i, v in enumerate(row)
        )

    lines = ['<div class="scroll" tabindex="0" role="region" aria-label="Table">', "<table>"]
    lines.append(f"<thead><tr>{cells(head, 'th')}</tr></thead><tbody>")
    lines += [f"<tr>{cells(row, 'td')}</tr>" for row in rows]
    return [*lines, "</tbody></table></div>"]


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(v) for v in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {_plain(v)}" for k, v in value.items())
    return "" if value is None else str(value)


def _quality(quality: Mapping[str, Any]) -> list[str]:
    rows = [(str(key).replace("_", " "), value) for key, value in quality.get("accounting", {}).items()]
    lines = _table(["Rows", "Number"], rows, numbers=frozenset({1})) if rows else ["<p>See quality.json.</p>"]
    refused = quality.get("quarantined_by_rule") or quality.get("rules") or {}
    if refused:
        lines += ["<p></p>", *_table(["Refused by rule", "Rows"], list(refused.items()), numbers=frozenset({1}))]
    faults = [
        (f["rule"], f["rows"], f["column"], ", ".join(f["examples"]), f["cause"]) for f in quality.get("faults", ())
    ]
    if faults:
        head = ["Why rows were refused", "Rows", "Column", "For example", "Likely cause"]
        lines += ["<p></p>", *_table(head, faults, numbers=frozenset({1}))]
    if "duplicates" in quality.get("accounting", {}):
        lines.append(
            "<p>Duplicates, rows whose id was read before, are dropped; merged rows gave their categories to a row of "
            "the same id; replaced rows are of a file that a later one stands for. Each is counted above; those with "
            "an id are listed in work/left_out.parquet. They are not quarantined, so they count towards no refusal.</p>"
        )
    if apart := quality.get("incidents_outside_the_total"):
        lines.append(
            f"<p>{_plain(apart)} of the incidents are in categories that categories.outside names: they count in these "
            "alone, and in no total, hotspot or sentence about the whole.</p>"
        )
    if quality.get("accounting", {}).get("left_out_by_where"):
        lines.append(
            "<p>Left out by where: rows that incidents[].where does not ask for. They are neither refused nor "
            "duplicates, and are part of no figure.</p>"
        )
    settled = _settled(quality)
    if settled:
        lines += ["<p></p>", *_table(["How rows were settled", "Number"], settled, numbers=frozenset({1}))]
        if quality.get("duplicates", {}).get("conflicting"):
            lines.append("<p>work/conflicts.csv shows the first rows in conflict, column by column.</p>")
    same = _same(quality)
    if same:
        lines += [
            "<p></p>",
            *_table(["May be the same; flagged, never merged", "Incidents"], same, numbers=frozenset({1})),
        ]
    return [*lines, '<p><a href="quality.json">quality.json</a> has the rest, by area and month.</p>']


def _settled(quality: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return what was settled of rows with one id, of files that replace each other, and of stray dates."""
    ids, files = quality.get("repeated_ids", {}), quality.get("replaced_files", [])
    columns = ", ".join(ids.get("columns_that_differ_in_sample", {}))
    copies = sum(bool(file["same_bytes"]) for file in files)
    rows: list[tuple[str, object]] = [
        (
            f"rows in conflict with another row of their id ({columns})",
            quality.get("duplicates", {}).get("conflicting"),
        ),
        ("of them, replaced because a later file has the id", ids.get("newest_kept")),
        ("of them, left out because the first row counts", ids.get("first_kept")),
        ("rows whose categories were added to another row of their id", ids.get("merged")),
        ("files replaced by a file of the same month and force that was issued later", len(files) - copies),
        ("files that are copies of another", copies),
        ("rows of months that a later file replaces", sum(m["rows"] for m in quality.get("replaced_months", []))),
    ]
    for stray in quality.get("stray_dates", []):
        where = (
            f"after {stray['data_to']}, refused" if stray["refused"] else f"before {stray['data_from']}, in no period"
        )
        dates = f"{stray['first_date']} to {stray['last_date']}"
        rows.append((f"rows of {stray['source']} dated {where} ({dates})", stray["rows"]))
    return [(words, count) for words, count in rows if count]


def _same(quality: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return what was counted of probable duplicates, repeat victims and repeat places."""
    twice, again = quality.get("probable_duplicates", {}), quality.get("repeats", {})
    rows: list[tuple[str, object]] = []
    if "incidents_flagged" in twice:
        rows.append(("probable duplicates across organisations", twice["incidents_flagged"]))
    for by, words in _AGAIN.items():
        found = again.get(by, {})
        if found.get("identified"):
            wording = f"{found['repeat_incidents']:,} of {found['identified']:,} {words}"
            rows.append((f"{wording}, {again['period']}", found["repeat_incidents"]))
    return rows


def _choices(manifest: Mapping[str, Any]) -> list[str]:
    rows = [
        (stage, choice_name(str(key)), value if len(_plain(value)) < 300 else "see manifest.json")
        for stage, record in manifest["stages"].items()
        for key, value in record.get("choices", {}).items()
    ]
    return _table(["Stage", "Choice", "Value"], rows) if rows else ["<p>Nothing was chosen automatically.</p>"]


def _stages(manifest: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            name,
            "carried over" if record.get("carried_over") else "ran",
            f"{record['seconds']:.1f}",
            len(record["outputs"]),
        )
        for name, record in manifest["stages"].items()
    ]
    return _table(["Stage", "State", "Seconds", "Files"], rows, numbers=frozenset({2, 3}))


def _inputs(manifest: Mapping[str, Any]) -> list[str]:
    rows = [(entry["path"], entry["bytes"], entry["sha256"][:12]) for entry in manifest["inputs"]]
    return _table(["File", "Bytes", "SHA-256 begins"], rows, numbers=frozenset({1}))
