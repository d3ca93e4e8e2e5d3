"""Row accounting of a run: every row read is an incident, refused, a duplicate, merged or replaced.

Numbers that are counted twice in different ways must agree; if they do not, there is a bug, and the run stops.
"""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from pipeline.domain.categories import ROOT
from pipeline.errors import InputError, QualityError, SchemaError
from pipeline.ingest.incidents.account import fault_sentences, merged_faults
from pipeline.ingest.incidents.repeated_ids import Fate, Settled, SourceRules, Strays
from pipeline.ingest.postcodes import STATES, postcode_texts
from pipeline.tables import Level, Place, Precision

__all__ = [
    "BORDER_M",
    "LISTED",
    "PLACED",
    "CountsAccount",
    "PartAccount",
    "at_each_place",
    "broken",
    "counts_quality",
    "coverage_caution",
    "hit_rates",
    "incidents_quality",
    "largest",
    "looks_snapped",
    "near_border_pct",
    "outside_tables",
    "pct",
    "police_layout",
    "records",
    "repeated_share",
    "require_kept",
    "scarce",
    "scarce_boroughs",
    "settled_cautions",
    "settled_record",
    "snapped_caution",
    "summed",
    "uncovered_caution",
]


# Accounts of single files, and how they are added up and checked.

LISTED = 20


class PartAccount(Protocol):
    """The account of one input file, from reading it."""

    @property
    def source(self) -> str: ...  # noqa: D102 the names say it
    @property
    def rows_read(self) -> int: ...  # noqa: D102
    @property
    def incidents(self) -> int: ...  # noqa: D102
    @property
    def left_out(self) -> int: ...  # noqa: D102
    @property
    def quarantined(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def lost_places(self) -> Mapping[int, int]: ...  # noqa: D102
    @property
    def unknown_categories(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def unknown_boroughs(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def unknown_areas(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def unreadable(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def intervals(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def ward_checks(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def postcodes(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def postcode_examples(self) -> Mapping[str, Mapping[str, int]]: ...  # noqa: D102
    @property
    def without_id(self) -> int: ...  # noqa: D102
    @property
    def faults(self) -> Sequence[Mapping[str, Any]]: ...  # noqa: D102


class CountsAccount(Protocol):
    """The account of one file of published counts."""

    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def rows_read(self) -> int: ...  # noqa: D102
    @property
    def quarantined(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def suppressed(self) -> int: ...  # noqa: D102
    @property
    def wide(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def ignored_categories(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def accounting(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def unmapped(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def matched_pct(self) -> float | None: ...  # noqa: D102


def require_kept(
    read: int, rules: Mapping[str, int], *, max_pct: float, files: int, faults: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Raise an error if too many rows were refused.

    Parameters
    ----------
    read, rules
        Rows read, and rows refused by rule.
    max_pct
        How many may be refused, in per cent.
    files
        Input files.
    faults
        Details of the refused rows (`merged_faults`): column, examples and likely cause.

    Raises
    ------
    InputError
        If no row was read.
    QualityError
        If more than `max_pct` per cent of the rows were refused, or all of them.
    """
    refused = sum(rules.values())
    if read == 0:
        raise InputError(f"no row of data in {files} input file(s): check the paths and the exports")
    if refused == read or 100 * refused > max_pct * read:
        known = {fault["rule"] for fault in faults}
        others = [
            (rule, rows) for rule, rows in sorted(rules.items(), key=lambda r: (-r[1], r[0])) if rule not in known
        ]
        said = [fault_sentences(faults)] if faults else []
        listed = ", ".join([*said, *(f"{rule} {rows}" for rule, rows in others)])
        raise QualityError(
            f"{refused} of {read} rows ({100 * refused / read:.1f} per cent) were refused, more than "
            f"quality.max_quarantined_pct allows ({max_pct:g}): {listed}. See the rows with `hotspots quarantine`, "
            "correct the settings or the data, or raise the limit if this is expected"
        )


def broken(what: str) -> SchemaError:
    """Return the error for two counts that disagree."""
    return SchemaError(f"the row accounting does not add up: {what}. This is a bug: please report it.")


def summed(counts: Iterable[Mapping[Any, int]]) -> Counter[Any]:
    """Add counts up."""
    total: Counter[Any] = Counter()
    for count in counts:
        total.update(count)
    return total


def largest(counts: Counter[Any]) -> dict[str, Any]:
    """Texts with their number of rows, the most frequent first, limited to a readable number."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    listed = {str(text): rows for text, rows in ordered[:LISTED]}
    return {"texts": len(ordered), "rows": sum(counts.values()), "listed": listed}


def pct(part: int, whole: int) -> float | None:
    """Share in per cent; None if the total is 0."""
    return round(100 * part / whole, 3) if whole else None


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain JSON values."""
    return [{str(k): v.item() if hasattr(v, "item") else v for k, v in row.items()} for row in frame.to_dict("records")]


# The account of a run on published counts.


def counts_quality(
    parts: Sequence[CountsAccount],
    *,
    relations: pd.DataFrame,
    max_quarantined_pct: float,
    min_matched_pct: float,
    allow_low_match: bool,
) -> dict[str, Any]:
    """Assemble quality.json of a run on published counts.

    Parameters
    ----------
    parts
        The account of every file.
    relations
        Result of testing the declared relations (`categories.relation_report`).
    max_quarantined_pct, min_matched_pct
        Limits, in per cent.
    allow_low_match
        Continue if fewer codes match than `min_matched_pct`.

    Raises
    ------
    QualityError
        If more rows than allowed were refused.
    InputError
        If no file has a row, or too few codes are in the boundaries.
    SchemaError
        If an account does not add up.
    """
    rules = summed(p.quarantined for p in parts)
    read = sum(p.rows_read for p in parts)
    require_kept(read, rules, max_pct=max_quarantined_pct, files=len(parts))
    key = ["level", "measure", "category"]
    account = pd.concat([p.accounting for p in parts]).groupby(key, sort=True).sum().reset_index()
    sums = account[["mapped", "unmapped", "quarantined", "ignored"]].sum(axis=1)
    if (account["published"] != sums).any():
        raise broken(f"values of {account.loc[account['published'] != sums, key].to_dict('records')}")
    matched = [p.matched_pct for p in parts if p.matched_pct is not None]
    if matched and min(matched) < min_matched_pct and not allow_low_match:
        worst = min(parts, key=lambda p: 100.0 if p.matched_pct is None else p.matched_pct)
        codes = sorted(set(worst.unmapped["area_code"]))
        raise InputError(
            f"{worst.source}: only {worst.matched_pct} per cent of its area codes are in the boundaries (at least "
            f"{min_matched_pct} wanted): {', '.join(codes[:LISTED])}. Use boundaries of the edition of the counts, "
            "give areas.lookup, or set areas.allow_low_match"
        )
    listed = [p.unmapped.assign(file=p.source) for p in parts if len(p.unmapped)]
    return {
        "accounting": {"rows_read": read, "rows_quarantined": sum(rules.values())},
        "quarantined_pct": pct(sum(rules.values()), read),
        "max_quarantined_pct": max_quarantined_pct,
        "quarantined_by_rule": dict(sorted(rules.items())),
        "values": records(account),
        "suppressed": sum(p.suppressed for p in parts),
        "unmapped": records(pd.concat(listed, ignore_index=True)) if listed else [],
        "matched_pct": min(matched) if matched else None,
        "ignored_categories": largest(summed(p.ignored_categories for p in parts)),
        "relations": records(relations),
        **({"wide_tables": dict(sorted(wide.items()))} if (wide := summed(p.wide for p in parts)) else {}),
    }


# Boroughs with hardly any incidents: they may not be covered by the files, but would be shown as zero.

SCARCE_PCT = 5.0
_FEWEST = 3
_LISTED = 10


def scarce(counts: Mapping[str, int]) -> list[str]:
    """Find areas whose count is 0 or under 5 per cent of the median area's (of the largest, if the median is 0).

    Parameters
    ----------
    counts
        Incidents of each area over all data, without areas in areas.not_covered.

    Returns
    -------
    codes
        Fewest first; none if there are fewer than three areas, too few for a typical count.
    """
    if len(counts) < _FEWEST:
        return []
    # If more than half have 0, the median is 0 too: then areas are compared with the largest.
    typical = statistics.median(counts.values()) or max(counts.values())
    least = typical * SCARCE_PCT / 100
    return sorted((c for c, n in counts.items() if n == 0 or n < least), key=lambda c: (counts[c], c))


def coverage_caution(
    counts: Mapping[str, int], *, names: Mapping[str, str], called: str = "boroughs"
) -> tuple[list[dict[str, object]], str]:
    """Return which areas the files may not cover, and a caution.

    Parameters
    ----------
    counts
        As for `scarce`.
    names
        Name of each area.
    called
        What such areas are called.

    Returns
    -------
    found, caution
        Code, name and count of each such area, and a sentence; none and an empty text if there are none.
    """
    codes = scarce(counts)
    found: list[dict[str, object]] = [
        {"area_code": code, "name": names[code], "incidents": counts[code]} for code in codes
    ]
    if not codes:
        return [], ""
    listed = ", ".join(f"{names[code]} {counts[code]:,}" for code in codes[:_LISTED])
    more = f" and {len(codes) - _LISTED} more" if len(codes) > _LISTED else ""
    one = len(codes) == 1
    beside = "typical" if statistics.median(counts.values()) else "largest"
    least = f"under 5 % of the {beside} count" if any(counts[code] for code in codes) else "a count of 0"
    return found, (
        f"{len(codes)} of {len(counts)} {called} {'has' if one else 'have'} {least} ({listed}{more}). If the files do "
        f"not cover {'it, put its code' if one else 'them, put their codes'} in areas.not_covered (quality.json lists "
        "codes under scarce_boroughs): otherwise they count as zero on the map and in rates."
    )


def scarce_boroughs(
    counts: pd.DataFrame, *, areas: pd.DataFrame, called: str = "boroughs"
) -> tuple[list[dict[str, object]], str]:
    """Find the boroughs with hardly any incidents: unless they are in areas.not_covered, they count as zero.

    Parameters
    ----------
    counts
        Rows of level, area_code, category and incidents, each incident in one row of its borough with category `all`.
    areas
        area_code, level, name and covered of every area.
    called
        What boroughs are called.

    Returns
    -------
    found, caution
        As `coverage_caution`.
    """
    boroughs = areas[(areas["level"] == Level.BOROUGH) & areas["covered"].astype(bool)]
    whole = counts[(counts["level"] == Level.BOROUGH) & (counts["category"] == ROOT)]
    sums = whole.groupby("area_code")["incidents"].sum().to_dict()
    names = {str(code): str(name) for code, name in zip(boroughs["area_code"], boroughs["name"], strict=True)}
    return coverage_caution({code: int(sums.get(code, 0)) for code in names}, names=names, called=called)


def uncovered_caution(counts: Mapping[str, int], *, names: Mapping[str, str]) -> tuple[list[dict[str, object]], str]:
    """Return the areas in areas.not_covered that nevertheless have incidents, and a caution.

    Parameters
    ----------
    counts
        Incidents by the code of such an area, or of the borough that contains it.
    names
        Name of each area.

    Returns
    -------
    found, caution
        Code, name and count of each such area, most first, and a sentence; none and an empty text if there are none.
    """
    codes = sorted((c for c, n in counts.items() if n > 0), key=lambda c: (-counts[c], c))
    found: list[dict[str, object]] = [
        {"area_code": code, "name": names.get(code, code), "incidents": counts[code]} for code in codes
    ]
    if not codes:
        return [], ""
    total = sum(counts[code] for code in codes)
    listed = ", ".join(f"{names.get(code, code)} {counts[code]:,}" for code in codes[:_LISTED])
    more = f" and {len(codes) - _LISTED} more" if len(codes) > _LISTED else ""
    return found, (
        f"{total:,} {'incident lies' if total == 1 else 'incidents lie'} in areas of areas.not_covered "
        f"({listed}{more}): counted in quality.json under not_covered, in no figure, map or method. If the files do "
        "cover them, take their codes out."
    )


# The account of a run on incidents.

PLACED = (Place.POINT, Place.OUTSIDE, Place.AREA)
FATES = ("duplicates", "merged", "replaced")
OUTLIER = "date_outlier"
EQUAL_PCT = 1.0
_WORST = 3


def incidents_quality(
    parts: Sequence[PartAccount],
    *,
    settled: Mapping[str, Any],
    places: pd.DataFrame,
    locations: pd.DataFrame,
    max_quarantined_pct: float,
    geocode_target_pct: float,
) -> dict[str, Any]:
    """Assemble quality.json of a run on incidents.

    Parameters
    ----------
    parts
        The account of every file, before it is decided which rows count.
    settled
        The other rows: `account` by file, and the result of `settled_record`.
    places
        Incidents that count, by source, borough_code (empty for none), month, place, place_precision, online,
        date_precision, with the measures incidents and snapped.
    locations
        Distinct places with the measure incidents (LOCATIONS).
    max_quarantined_pct, geocode_target_pct
        Limits, in per cent.

    Raises
    ------
    QualityError
        If more rows than allowed were refused, or all.
    InputError
        If no file has a row.
    SchemaError
        If an account does not add up.
    """
    # No row of a replaced file counts, so none of its rows counts as refused either.
    whole = {str(r["file"]) for r in settled["replaced_files"]}
    counted = [p for p in parts if p.source not in whole]
    lost: Mapping[str, Mapping[str, int]] = settled["account"]
    fates = summed(lost.values())
    rules = summed([*(p.quarantined for p in counted), {OUTLIER: fates[OUTLIER]} if fates[OUTLIER] else {}])
    read, refused = sum(p.rows_read for p in parts), sum(rules.values())
    left_out = sum(p.left_out for p in counted)
    # Rows that `where` leaves out are left out on purpose: they do not count in the share of refused rows.
    judged = sum(p.rows_read for p in counted) - left_out
    faults = merged_faults(counted)
    require_kept(judged, rules, max_pct=max_quarantined_pct, files=len(parts), faults=faults)
    by_place = places.groupby("place")["incidents"].sum()
    kept = int(places["incidents"].sum())
    point, outside, uncovered, area, borough, none = (int(by_place.get(place, 0)) for place in Place)
    inside = point + area
    kept_by_source = places.groupby("source")["incidents"].sum()
    files = [_file(p, lost.get(p.source, {}), kept=int(kept_by_source.get(p.source, 0)), whole=whole) for p in parts]
    # Counted twice in different ways: by the reader row by row, and by the database over the kept rows.
    for part, file in zip(parts, files, strict=True):
        accounted = sum(file[key] for key in ("incidents", "quarantined", *FATES, "left_out_by_where"))
        as_read = part.incidents + sum(part.quarantined.values()) + part.left_out
        if not part.rows_read == as_read == accounted:
            raise broken(f"rows of {part.source}: {part.rows_read} read, but {file}")
    if kept != inside + outside + uncovered + borough + none:
        raise broken(
            f"{kept} incidents, but {inside} inside, {outside} outside, {uncovered} in areas that are not covered, "
            f"{borough + none} without a place"
        )
    rates = hit_rates(places, lost=summed(p.lost_places for p in counted), target_pct=geocode_target_pct)
    between = summed(p.intervals for p in parts)
    online = int(places.loc[places["online"].astype(bool), "incidents"].sum())
    return {
        "accounting": {
            "rows_read": read,
            "incidents": kept,
            "quarantined": refused,
            **{fate: fates[fate] for fate in FATES},
            "left_out_by_where": left_out,
            "incidents_inside_areas": inside,
            "incidents_outside_areas": outside,
            "incidents_not_covered": uncovered,
            "incidents_without_a_place": borough + none,
        },
        "quarantined_pct": pct(refused, judged),
        "max_quarantined_pct": max_quarantined_pct,
        "quarantined_by_rule": dict(sorted(rules.items())),
        "faults": faults,
        **{key: value for key, value in settled.items() if key != "account"},
        "without_a_place": {"borough_named": borough, "no_borough": none, "online": online},
        "placed_by": _placed_by(places, area=area),
        "snapped": int(places["snapped"].sum()),
        "month_only": int(places.loc[places["date_precision"] == "month", "incidents"].sum()),
        "without_id": sum(p.without_id for p in parts),
        "geocode": rates,
        "repeated_coordinates": repeated_share(locations),
        "unknown_categories": largest(summed(p.unknown_categories for p in parts)),
        "unknown_boroughs": largest(summed(p.unknown_boroughs for p in parts)),
        "unknown_areas": largest(summed(p.unknown_areas for p in parts)),
        "unreadable_values": dict(sorted(summed(p.unreadable for p in parts).items())),
        "ward_checks": _ward_checks(summed(p.ward_checks for p in parts)),
        **({"between_two_times": dict(sorted(between.items()))} if between else {}),
        "postcodes": _postcodes(parts),
        "files": files,
    }


_LINES_LISTED = 1000


def outside_tables(
    data: Mapping[str, Sequence[Mapping[str, Any]]], population: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the lines above the header and below the data of each file, for quality.json; nothing if there are none.

    Such lines are no rows: titles, totals, sources and notes.

    Parameters
    ----------
    data
        The lines of each file of incidents or counts.
    population
        The account of each population file (`read_residents`).
    """
    files = [*data.items(), *((str(p["file"]), p.get("outside", ())) for p in population)]
    found = [{"file": file, **row} for file, lines in files for row in lines]
    if not found:
        return {}
    return {"lines_outside_tables": {"lines": len(found), "listed": found[:_LINES_LISTED]}}


def _placed_by(places: pd.DataFrame, *, area: int) -> dict[str, int]:
    """Count the incidents with a location by its precision, those outside the areas included."""
    located = places[places["place"].isin([Place.POINT, Place.OUTSIDE])]
    found = located.groupby("place_precision")["incidents"].sum()
    numbers = {p.value: int(found.get(p, 0)) for p in Precision if p not in {Precision.AREA, Precision.BOROUGH}}
    return {p: n for p, n in numbers.items() if n or p == Precision.POINT} | {"area": area}


def _postcodes(parts: Sequence[PartAccount]) -> dict[str, Any]:
    """Profile the columns of postcodes over all rows; empty if there is none."""
    rows = summed(p.postcodes for p in parts)
    given = sum(rows[state] for state in STATES[1:])
    if not given:
        return {}
    examples: dict[str, Counter[str]] = {}
    for part in parts:
        for state, texts in part.postcode_examples.items():
            examples.setdefault(state, Counter()).update(texts)
    return {
        "rows_with_a_postcode": given,
        "matched": rows["found"],
        "matched_pct": pct(rows["found"], given),
        **{state: rows[state] for state in STATES if state != "found"},
        "terminated": rows["terminated"],
        "located_by_postcode": rows["used"],
        "of_them_terminated_before_the_incident": rows["terminated_before"],
        "examples": postcode_texts(examples),
    }


def _file(part: PartAccount, lost: Mapping[str, int], *, kept: int, whole: set[str]) -> dict[str, Any]:
    """Account for the rows of one file."""
    refused = 0 if part.source in whole else sum(part.quarantined.values())
    return {
        "file": part.source,
        "rows_read": part.rows_read,
        "incidents": kept,
        "quarantined": refused + lost.get(OUTLIER, 0),
        **{fate: lost.get(fate, 0) for fate in FATES},
        "left_out_by_where": 0 if part.source in whole else part.left_out,
    }


# Rows that do not count because of repeated ids, replaced files or stray dates, and the cautions about them.


def settled_record(settled: Settled) -> dict[str, Any]:
    """Return the decisions on which rows count, as listed in quality.json."""
    differing = Counter(settled.conflicts["column"])
    return {
        "duplicates": {"identical": settled.rows(Fate.DUPLICATE), "conflicting": settled.conflicting},
        "repeated_ids": {
            "merged": settled.rows(Fate.MERGED),
            "newest_kept": settled.rows(Fate.REPLACED),
            "first_kept": settled.rows(Fate.CONFLICT),
            "ids_without_an_answer": dict(sorted(settled.unsettled.items())),
            "columns_that_differ_in_sample": dict(sorted(differing.items())),
        },
        "replaced_files": [{"file": r.label, "by": r.by, "same_bytes": r.same} for r in settled.replaced_files],
        "replaced_months": [
            {"file": label, "month": _iso(month), "rows": rows}
            for label, months in sorted(settled.replaced_months.items())
            for month, rows in sorted(months.items())
        ],
        "equal_rows_in_overlapping_files": [
            {"file": label, "equal": equal, "rows_without_id": rows, "equal_pct": pct(equal, rows)}
            for label, (equal, rows) in sorted(settled.equal.items())
        ],
        "stray_dates": [
            {
                "source": s.source,
                "rows": s.rows,
                "first_date": s.first_date,
                "last_date": s.last_date,
                "data_from": _iso(s.body_first),
                "data_to": _iso(s.body_last),
                "refused": s.late,
            }
            for s in settled.strays
        ],
    }


def settled_cautions(settled: Settled, *, rules: Mapping[str, SourceRules]) -> list[str]:
    """Return cautions: unresolved conflicts, overlapping files, dates far from all others."""
    said = []
    for source, ids in sorted(settled.unsettled.items()):
        mine = settled.conflicts[settled.conflicts["source"].str.partition("/")[0] == source]
        columns = ", ".join(sorted(set(mine["column"])))
        apart = f"{rules[source].key}.issued if a later file should count, or " if _across_files(mine) else ""
        said.append(
            f"{_number(ids, 'id')} of {source} {_has(ids)} rows in conflict (they differ in {columns}), and nothing "
            "says which row counts: the first was kept. work/conflicts.csv lists the first of them. Set "
            f"{apart}{rules[source].key}.repeated_id if another rule should settle them."
        )
    copies = [r for r in settled.replaced_files if r.same]
    if copies:
        said.append(
            f"{_number(len(copies), 'file')} {'is a copy' if len(copies) == 1 else 'are copies'} of another "
            f"({copies[0].label} of {copies[0].by}{' and others' if len(copies) > 1 else ''}): each row counts once."
        )
    many = {f: (equal, rows) for f, (equal, rows) in settled.equal.items() if 100 * equal >= EQUAL_PCT * rows}
    if many:
        worst = sorted(many, key=lambda f: (-many[f][0] / many[f][1], f))[:_WORST]
        listed = "; ".join(f"{f}: {many[f][0]:,} of {many[f][1]:,}, {pct(*many[f]):g} %" for f in worst)
        more = f"; and {len(many) - _WORST} more files" if len(many) > _WORST else ""
        key = rules[worst[0].partition("/")[0]].key
        said.append(
            f"Files overlap: rows without an id are equal to rows of another file with the same months "
            f"({listed}{more}). All of them count. If the files repeat each other, set {key}.overlap: replace, or name "
            "each file once."
        )
    return said + [_stray_caution(s, rules[s.source].key) for s in settled.strays]


def _across_files(conflicts: pd.DataFrame) -> bool:
    return bool((conflicts["source"] != conflicts["kept_source"]).any())


def _stray_caution(strays: Strays, key: str) -> str:
    when = strays.first_date if strays.rows == 1 else f"{strays.first_date} to {strays.last_date}"
    if strays.late:
        return (
            f"{_number(strays.rows, 'row')} of {strays.source} {_has(strays.rows)} a date long after the last month "
            f"with data, {_iso(strays.body_last)} ({when}), and {'was' if strays.rows == 1 else 'were'} refused "
            f"(date_outlier). If the date is right, set {key}.last_date to it."
        )
    return (
        f"{_number(strays.rows, 'incident')} of {strays.source} {_has(strays.rows)} a date before the first month that "
        f"the data cover, {_iso(strays.body_first)} ({when}): counted among the incidents, and shown in no period. Set "
        f"periods.first_month to {strays.first_date[:7]} to show {'it' if strays.rows == 1 else 'them'}."
    )


def _iso(month: int) -> str:
    return f"{month // 100}-{month % 100:02d}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def hit_rates(places: pd.DataFrame, *, lost: Mapping[int, int], target_pct: float) -> dict[str, Any]:
    """Share of rows with a usable location: overall, by borough, by month, and by both.

    Parameters
    ----------
    places
        As for `incidents_quality`. Online rows have no location by nature and are not counted.
    lost
        Rows refused for their location, by month (0 if unknown): they should have had one, and belong to no borough.
        Rows in areas that are not covered are not counted either.
    target_pct
        Rule of thumb, in per cent (Ratcliffe 2004: 85).

    Returns
    -------
    rates
        Rows and `placed_pct` (None if there are no rows), with areas and months under the target marked.
    """
    due = places[~places["online"].astype(bool) & (places["place"] != Place.NOT_COVERED)]
    table = pd.DataFrame(
        {
            "area_code": due["borough_code"].astype("str"),
            "month": due["month"].astype("int64"),
            "rows": due["incidents"].astype("int64"),
            "placed": due["incidents"].where(due["place"].isin(PLACED), 0).astype("int64"),
        }
    )
    failed = pd.DataFrame(
        [("", month, rows, 0) for month, rows in sorted(lost.items())], columns=["area_code", "month", "rows", "placed"]
    ).astype({"area_code": "str", "month": "int64", "rows": "int64", "placed": "int64"})
    table = pd.concat([table, failed], ignore_index=True)

    def by(*keys: str) -> list[dict[str, Any]]:
        sums = table.groupby(list(keys), sort=True)[["rows", "placed"]].sum().reset_index()
        out = []
        for row in sums.to_dict("records"):
            share = pct(int(row["placed"]), int(row["rows"]))
            names = {k: int(row[k]) if k == "month" else str(row[k]) for k in keys}
            below = share is not None and share < target_pct
            out.append({**names, "rows": int(row["rows"]), "placed_pct": share, "under_target": below})
        return out

    rows, placed = int(table["rows"].sum()), int(table["placed"].sum())
    share = pct(placed, rows)
    return {
        "target_pct": target_pct,
        "rows": rows,
        "placed": placed,
        "placed_pct": share,
        "under_target": share is not None and share < target_pct,
        "by_area": by("area_code"),
        "by_month": by("month"),
        "by_area_and_month": by("area_code", "month"),
    }


def repeated_share(locations: pd.DataFrame) -> dict[str, Any]:
    """Share of incidents with the same coordinates as others: high if points are snapped to map points."""
    _, at = at_each_place(locations)
    total, repeated = int(at.sum()), int(at[at > 1].sum())
    return {
        "incidents": total,
        "distinct_places": len(at),
        "repeated_pct": pct(repeated, total),
        "largest_place_pct": pct(int(at.max()) if len(at) else 0, total),
    }


def at_each_place(locations: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distinct places in metres, shape (n, 2), and incidents at each; rows in order are not sorted again."""
    x, y = (locations[name].to_numpy(dtype=np.float64) for name in ("easting_m", "northing_m"))
    incidents: NDArray[np.int64] = locations["incidents"].to_numpy(dtype=np.int64)
    if not len(x):
        return np.empty((0, 2)), incidents
    if ((x[1:] < x[:-1]) | ((x[1:] == x[:-1]) & (y[1:] < y[:-1]))).any():
        order = np.lexsort((y, x))
        x, y, incidents = x[order], y[order], incidents[order]
    starts = np.flatnonzero(np.concatenate(([True], (x[1:] != x[:-1]) | (y[1:] != y[:-1]))))
    sums: NDArray[np.int64] = np.add.reduceat(incidents, starts)
    return np.column_stack((x[starts], y[starts])), sums


def _ward_checks(counts: Counter[Any]) -> dict[str, Any]:
    return {
        "compared": counts["compared"],
        "same": counts["same"],
        "same_pct": pct(counts["same"], counts["compared"]),
        "differ": counts["compared"] - counts["same"],
        "point_outside": counts["outside"],
        "unused": counts["unused"],
    }


# Points that the publisher snapped to map points: recognised by file layout or repetition; effect on ward boundaries.
# police.uk moves every crime to the nearest of a list of anonymised map points, others to the centre of a block. Counts
# of large areas are hardly affected, but such a point does not identify a street or an address, and near a ward
# boundary the ward may be the neighbouring one.

POLICE_COLUMNS = frozenset({"Month", "Longitude", "Latitude", "Location", "Crime type"})
REPEATED_PCT = 75.0  # in a year a third of measured points share their place, but nearly all snapped points do
FEWEST = 30  # with fewer incidents a share is not meaningful
BORDER_M = 30.0
MOST_PLACES = 200_000  # more are not needed for a share: with more places every n-th is used
CHUNK = 1 << 16


def police_layout(columns: Iterable[Mapping[str, str]]) -> bool:
    """Whether every file has the layout of police.uk's street-level files, whose points are anonymised map points.

    Parameters
    ----------
    columns
        For each file, the column that plays each role, as the reader reports it: ``"Month (recognised)"``.

    Examples
    --------
    >>> police_layout([{"date": "Month (recognised)", "lon": "Longitude (recognised)", "lat": "Latitude (recognised)",
    ...                 "location": "Location (recognised)", "category": "Crime type (recognised)"}])
    True
    >>> police_layout([{"date": "occurred_on (recognised)"}])
    False
    """
    files = [{text.rsplit(" (", 1)[0] for text in roles.values()} for roles in columns]
    return bool(files) and all(names >= POLICE_COLUMNS for names in files)


def near_border_pct(
    places_m: NDArray[np.float64],
    incidents: NDArray[np.int64],
    *,
    wards: NDArray[np.object_],
    within_m: float = BORDER_M,
) -> float | None:
    """Measure the share of incidents near a ward boundary.

    Parameters
    ----------
    places_m
        Distinct places in metres, shape (n, 2), sorted.
    incidents
        Incidents at each, shape (n,).
    wards
        Outlines of the wards.
    within_m
        How near, in metres.

    Returns
    -------
    share
        In per cent; None if there are no incidents.
    """
    step = max(1, -(-len(places_m) // MOST_PLACES))
    places, weights = places_m[::step], incidents[::step]
    if not len(places) or not weights.sum():
        return None
    # Boundaries as single segments: with whole outlines every point would be compared with thousands of vertices.
    rings = shapely.get_rings(shapely.get_parts(wards))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = np.flatnonzero(ring[1:] == ring[:-1])
    tree = shapely.STRtree(shapely.linestrings(np.stack((xy[same], xy[same + 1]), axis=1)))
    near = np.zeros(len(places), dtype=bool)
    for start in range(0, len(places), CHUNK):
        points = shapely.points(places[start : start + CHUNK])
        hit = tree.query(points, predicate="dwithin", distance=within_m)[0]
        near[start + np.unique(hit)] = True
    return round(100.0 * float(weights[near].sum()) / float(weights.sum()), 1)


def snapped_caution(repeated: Mapping[str, Any], *, police: bool, near_pct: float | None, ward: str = "ward") -> str:
    """Return the caution that points are, or seem to be, snapped.

    Parameters
    ----------
    repeated
        The result of `quality.repeated_share`.
    police
        Whether the files are from police.uk.
    near_pct
        Share of incidents near a boundary, in per cent; None if unknown.
    ward
        Noun for a small area.
    """
    share = f"{repeated['repeated_pct']:.0f} % of incidents share their exact coordinates with another"
    what = (
        f"police.uk publishes anonymised map points, not the places of the incidents ({share})"
        if police
        else f"The points look as if the publisher had snapped them to map points or blocks: {share} "
        f"({repeated['incidents']:,} incidents, distinct places: {repeated['distinct_places']:,})"
    )
    border = (
        f", and {near_pct:g} % of incidents are within {BORDER_M:g} m of the boundary of a {ward}: they may belong to "
        "the neighbouring one"
        if near_pct
        else ""
    )
    return f"{what}. They cannot show figures for streets or addresses{border}."


def looks_snapped(repeated: Mapping[str, Any]) -> bool:
    """Whether so many incidents share their coordinates that the points are probably not measured."""
    return repeated["incidents"] >= FEWEST and (repeated["repeated_pct"] or 0.0) >= REPEATED_PCT
