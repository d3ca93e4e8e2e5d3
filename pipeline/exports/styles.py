"""Styles for QGIS: the same classes and the same colours as the map, from the same palette."""

import math
from collections.abc import Sequence

import pandas as pd

from pipeline import palette
from pipeline.exports.layers import Layer
from pipeline.exports.qml import Label, Paint, Rule, Symbol, circle, document, fill, hatch, line, quoted, stipple
from pipeline.exports.registers import Style
from pipeline.release import Released

__all__ = ["rate_limits", "styles_of"]

_INK = palette.LIGHT
_RANKS = {"ward": (22, 47, 76, 93), "borough": (20, 45, 72, 90)}
_MOST_MM = {"ward": 7.0, "borough": 14.0}
_SIGNIFICANCE = {
    -3: "Lower recorded, 99 per cent",
    -2: "Lower recorded, 95 per cent",
    -1: "Lower recorded, 90 per cent",
    0: "Not significant",
    1: "Higher, 90 per cent",
    2: "Higher, 95 per cent",
    3: "Higher, 99 per cent",
}


def styles_of(released: Released, layers: Sequence[Layer]) -> tuple[Style, ...]:
    """Return the styles of every layer; one of each layer is its default."""
    styles: list[Style] = []
    for layer in layers:
        if layer.name == "density":
            styles.append(_density(released, layer))
        elif layer.name == "hotspots":
            styles.append(_hotspots(layer))
        else:
            styles += _areas(released, layer, "borough" if layer.name == "boroughs" else "ward")
    return tuple(styles)


def rate_limits(released: Released, *, level: str) -> tuple[float, ...]:
    """Choose the limits between the five classes of rates, as the map does.

    Rates of all offences are pooled over every window of the level that is as long as the headline; windows of months,
    quarters and years never share a scale. Rates marked unreliable are left out of a window that has others.
    """
    counts, headline = released.counts, released.info.headline
    windows = {p.id: p for p in released.info.periods.get(level, ())} | {headline.id: headline}
    alike = [name for name, period in windows.items() if _length(period.days) == _length(headline.days)]
    rows = counts[(counts["level"] == level) & (counts["category"] == "all") & counts["period"].isin(alike)]
    rows = rows[rows["rate_per_10000"].notna()]
    pool: list[float] = []
    for _, window in rows.groupby("period", sort=True, observed=True):
        steady = window[~window["reliability"].isin(["unreliable", "too few to say"])]
        pool += (steady if len(steady) else window)["rate_per_10000"].round(4).tolist()
    return palette.class_limits(pool, percentiles=_RANKS[level])


def _length(days: int) -> str:
    return "month" if days <= 31 else "quarter" if days <= 92 else "year"


def _number(value: float) -> str:
    """Write a limit for people: 1,500 or 0.25."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,g}"


def _classes(column: str, limits: Sequence[float], colours: Sequence[str], edge: str) -> list[Rule]:
    """Return a rule for each class; class k holds values from limit k up to, not including, limit k + 1."""
    rules = []
    for k, colour in enumerate(colours):
        low, high = (limits[k - 1] if k else None), (limits[k] if k < len(limits) else None)
        tests = ([f'"{column}" >= {low!r}'] if low is not None else []) + (
            [f'"{column}" < {high!r}'] if high is not None else []
        )
        if low is None:
            words = f"under {_number(high or 0.0)}"
        else:
            words = f"{_number(low)} or more" if high is None else f"{_number(low)} to under {_number(high)}"
        rules.append(Rule(words, " AND ".join(tests), fill(colour, edge=edge)))
    return rules


def _withheld(column: str) -> str:
    """Return the test of a withheld figure; what is derived from a withheld number is withheld with it."""
    names = "string_to_array(coalesce(\"withheld\", ''), ';')"
    return " OR ".join(f"array_contains({names}, '{name}')" for name in dict.fromkeys((column, "incidents")))


def _absent(column: str, edge: str, *, few: str) -> list[Rule]:
    """Return the rules of areas without a figure: withheld, too few, no data and not covered are told apart."""
    land, ground, ink = _INK["land"], _INK["ground"], _INK["pattern"]
    empty, hidden = f'"covered" AND "{column}" IS NULL', f"({_withheld(column)})"
    rules = [Rule("Withheld", f"{empty} AND {hidden}", hatch(land, ink, edge=edge))]
    rest = f"{empty} AND NOT {hidden}"
    if few:
        rules.append(Rule("Too few to say", f"{rest} AND {few}", stipple(land, ink, edge=edge)))
        rest += f" AND NOT coalesce({few}, false)"
    rules.append(Rule("No data", rest, fill(ground, edge=edge)))
    rules.append(Rule("Not covered", 'NOT "covered"', hatch(ground, ink, edge=edge, apart_mm=2.0, cross=True)))
    return rules


def _areas(released: Released, layer: Layer, level: str) -> list[Style]:
    info, frame = released.info, layer.frame
    edge = _INK["wardline"] if level == "ward" else _INK["boroline"]
    has_rate = bool(frame["rate_per_10000"].notna().any())
    names = None if level == "ward" else Label('"area_name"', _INK["ink"], 7.5, halo=_INK["halo"])
    noun, when = info.noun[:1].upper() + info.noun[1:], info.headline.label
    limits = rate_limits(released, level=level)
    rate = _classes("rate_per_10000", limits, palette.ramp("sequential"), edge)
    change = _classes("change_pct", palette.CHANGE_LIMITS, palette.ramp("diverging"), edge)
    change = [Rule(_signed(rule.label), rule.filter, rule.symbol) for rule in change]
    shown = [k for k in _SIGNIFICANCE if info.audience != "public" or k >= 0]
    ramp = palette.ramp("significance")
    classes = [Rule(_SIGNIFICANCE[k], f'"hotspot_class" = {k}', fill(ramp[k + 3], edge=edge)) for k in shown]
    rate_few, change_few = '"incidents" IS NOT NULL AND "population" > 0', "\"change_word\" = 'too few'"
    made = (
        (
            "Rate",
            f"{noun} per 10,000 people, {when}",
            [*rate, *_absent("rate_per_10000", edge, few=rate_few)],
            has_rate,
        ),
        ("Number", f"{noun}, {when}", _sizes(frame["incidents"], level, edge), not has_rate),
        ("Change", f"Change in per cent, {when}", [*change, *_absent("change_pct", edge, few=change_few)], False),
        ("Significance", f"Gi* significance, {when}", [*classes, *_absent("hotspot_class", edge, few="")], False),
    )
    styles = [
        Style(layer.name, name, text, document(rules, label=names), default) for name, text, rules, default in made
    ]
    rim = fill("", edge=_INK["boroline"], width_mm=0.35) if names else fill("", edge=_INK["ctl"], width_mm=0.12)
    outline = document([Rule("", "", rim)], label=names)
    return [*styles, Style(layer.name, "Outline", "Outlines alone, to lie on other layers", outline, default=False)]


def _signed(words: str) -> str:
    return words.replace("-", "\N{MINUS SIGN}")


def _sizes(incidents: pd.Series, level: str, edge: str) -> list[Rule]:
    """Return circles whose area follows the number, on open land."""
    most = max(1, int(incidents.max())) if incidents.notna().any() else 1
    size = f'{_MOST_MM[level] / math.sqrt(most):.6g} * sqrt("incidents")'
    dot = Symbol("marker", (circle(_INK["dot"], size_mm=2, edge=_INK["halo"], size=size, alpha=0.75),))
    land = fill(_INK["land"], edge=_INK["rule"]).layers
    inside = {"point_on_surface": "1", "point_on_all_parts": "0", "clip_points": "0"}
    known = Symbol("fill", (*land, Paint("CentroidFill", inside, dot)))
    return [Rule(f"Number (largest: {most:,})", '"incidents" IS NOT NULL', known), *_absent("incidents", edge, few="")]


def _density(released: Released, layer: Layer) -> Style:
    """Return the relief: one group of bands for each surface, all offences shown and the others ready to be shown."""
    frame = layer.frame
    labels = {c.id: c.label for c in released.info.categories}
    order = [c for c in labels if c in set(frame["category"])]
    order += sorted(set(frame["category"]) - set(order))
    groups = []
    for place, category in enumerate(order):
        lows = sorted({float(v) for v in frame.loc[frame["category"] == category, "density_low"]})
        bands = []
        for k, low in enumerate(lows):
            high = lows[k + 1] if k + 1 < len(lows) else None
            colour = palette.ramp("terrain")[palette.terrain_index(k, len(lows))]
            words = f"{_number(low)} or more" if high is None else f"{_number(low)} to {_number(high)}"
            test = f'"density_low" >= {low!r}' + (f' AND "density_low" < {high!r}' if high is not None else "")
            bands.append(Rule(f"{words} per km²", test, fill(colour, edge=_INK["halo"], width_mm=0.1)))
        test = f'"category" = {quoted(category)}'
        groups.append(Rule(labels.get(category, category), test, rules=tuple(bands), shown=place == 0))
    text = f"{released.info.noun[:1].upper()}{released.info.noun[1:]} per square kilometre, as a relief"
    return Style(layer.name, "Relief", text, document(groups, opacity=0.85), default=True)


def _hotspots(layer: Layer) -> Style:
    rim = Symbol("fill", (line(_INK["halo"], width_mm=1.1), line(_INK["hot"], width_mm=0.55)))
    label = Label('"rank"', _INK["hot-on"], 7.5, badge=_INK["hot"])
    return Style(
        layer.name, "Rank", "Outlines with their rank", document([Rule("Hotspot", "", rim)], label=label), True
    )
