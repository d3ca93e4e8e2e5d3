"""The rules of a release in plain words."""

from collections.abc import Mapping
from typing import Any

from pipeline.domain.periods import Period
from pipeline.release import ReleaseInfo

__all__ = ["attacker", "rule_sentences"]


def rule_sentences(info: ReleaseInfo, rules: Mapping[str, Any], *, has_density: bool) -> list[tuple[str, str]]:
    """Return the rules in force, each with a short name; rules that do not apply are left out."""
    if info.audience == "internal":
        return [
            ("Everything is shown", "This folder is the analyst's own. It holds every count and is not for release.")
        ]
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
                "here, rounding included, and from nothing else."
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
    if rules["protection"] == "round":
        found = [
            (
                "Rounding",
                (
                    f"Every count is rounded to {rules['rounding']}, totals on their own; counts under {least}, none "
                    "included, are shown as withheld."
                ),
            )
        ]
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
        zero = (
            "so are counts of none, "
            if rules["zero_rule"] == "band"
            else "counts of none are shown where that is safe, "
        )
        found = [
            (
                "Small counts",
                f"Counts from 1 to {least - 1} are withheld; {zero}and both kinds of withheld count look the same.",
            )
        ]
        if rules["rounding"] > 1:
            found.append(
                ("Rounding", f"What is shown is rounded to {rules['rounding']}; totals are rounded on their own.")
            )
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


def attacker(rules: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
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
