"""Styles for QGIS: rules, symbols and labels as XML, in the older forms of each element, which all of QGIS 3 reads.

The first half writes the language of QGIS, the second the styles of our layers. Data comes in as attribute values only,
and ElementTree escapes those.
"""

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from pipeline.publish import palette
from pipeline.publish.exports.geopackage import Style
from pipeline.publish.exports.layers import Layer, layer_levels, period_in_layer
from pipeline.publish.words import capital, count_text
from pipeline.release.released import Released
from pipeline.statistics.change import ChangeWord
from pipeline.statistics.rates import WEAK
from pipeline.statistics.uncertainty import Ranges
from pipeline.tables import Level

__all__ = ["count_limits", "quoted", "rate_limits", "styles_of", "xml_safe"]


# The point of the outline nearest to the north-east corner of its box: where the map puts the badge of a hotspot.
_RIM = "closest_point($geometry, make_point(x_max($geometry), y_max($geometry)))"


def xml_safe(value: str) -> str:
    """Replace characters that XML 1.0 cannot hold, escaped or not."""
    return re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", value)


def quoted(value: str) -> str:
    """Return a text constant of the expression language."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Symbol:
    """How to draw: a kind (fill, line or marker) and layers of paint, lowest first."""

    kind: str
    layers: tuple["Paint", ...]


@dataclass(frozen=True, slots=True)
class Paint:
    """One layer of a symbol: its class in QGIS, its settings, what it repeats, and settings that follow the data."""

    name: str
    settings: Mapping[str, str]
    inner: Symbol | None = None
    following: Mapping[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """A class of features: a filter in the expression language, words for the legend, a symbol or further rules."""

    label: str
    filter: str = ""
    symbol: Symbol | None = None
    rules: tuple["Rule", ...] = ()
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Label:
    """Text on features; with `badge`, in a filled circle of that colour on the north-east rim, as on the map."""

    expression: str
    colour: str
    size_pt: float
    halo: str = ""
    badge: str = ""
    bold: bool = True


def _colour(text: str, alpha: float = 1.0) -> str:
    """Turn #RRGGBB into what QGIS writes: red,green,blue,alpha."""
    return ",".join(str(int(text[i : i + 2], 16)) for i in (1, 3, 5)) + f",{round(alpha * 255)}"


def _fill(colour: str, edge: str = "", width_mm: float = 0.1, alpha: float = 1.0) -> Paint:
    settings = {
        "color": _colour(colour or "#000000", alpha),
        "style": "solid" if colour else "no",
        "outline_color": _colour(edge or "#000000"),
        "outline_style": "solid" if edge else "no",
        "outline_width": f"{width_mm:g}",
        "outline_width_unit": "MM",
        "joinstyle": "round",
    }
    return Paint("SimpleFill", settings)


def fill(colour: str, *, edge: str = "", width_mm: float = 0.1, alpha: float = 1.0) -> Symbol:
    """Return a plain surface; an empty colour leaves it open, an empty edge draws none."""
    return Symbol("fill", (_fill(colour, edge, width_mm, alpha),))


def hatch(
    background: str, ink: str, *, edge: str, angle: float = 45.0, apart_mm: float = 1.3, cross: bool = False
) -> Symbol:
    """Return a surface of parallel lines; `cross` adds the other diagonal."""
    stroke = Symbol("line", (line(ink, width_mm=0.35),))
    angles = (angle, angle + 90) if cross else (angle,)
    strokes = [
        Paint("LinePatternFill", {"angle": f"{a:g}", "distance": f"{apart_mm:g}", "distance_unit": "MM"}, stroke)
        for a in angles
    ]
    return Symbol("fill", (_fill(background), *strokes, _fill("", edge)))


def stipple(background: str, ink: str, *, edge: str, apart_mm: float = 1.3) -> Symbol:
    """Return a surface of small dots."""
    settings = {f"distance_{axis}": f"{apart_mm:g}" for axis in "xy"} | {f"distance_{axis}_unit": "MM" for axis in "xy"}
    dot = Symbol("marker", (circle(ink, size_mm=0.55),))
    return Symbol("fill", (_fill(background), Paint("PointPatternFill", settings, dot), _fill("", edge)))


def line(colour: str, *, width_mm: float) -> Paint:
    """Return a stroke: of a line, or of the rim of a surface."""
    settings = {
        "line_color": _colour(colour),
        "line_width": f"{width_mm:g}",
        "line_width_unit": "MM",
        "line_style": "solid",
        "joinstyle": "round",
        "capstyle": "round",
    }
    return Paint("SimpleLine", settings)


def circle(colour: str, *, size_mm: float, edge: str = "", size: str = "", alpha: float = 1.0) -> Paint:
    """Return a round marker; `size` is an expression in millimetres that the marker follows."""
    settings = {
        "name": "circle",
        "color": _colour(colour, alpha),
        "outline_color": _colour(edge or colour),
        "outline_style": "solid" if edge else "no",
        "outline_width": "0.2",
        "size": f"{size_mm:g}",
        "size_unit": "MM",
    }
    return Paint("SimpleMarker", settings, following={"size": (3, size)} if size else {})


def document(rules: Sequence[Rule], *, label: Label | None = None, opacity: float = 1.0) -> str:
    """Return a style document that QGIS loads as QML."""
    root = ET.Element(
        "qgis",
        {"version": "3.22.0", "styleCategories": "Symbology|Labeling", "labelsEnabled": str(int(label is not None))},
    )
    renderer = ET.SubElement(
        root, "renderer-v2", {"type": "RuleRenderer", "forceraster": "0", "symbollevels": "0", "enableorderby": "0"}
    )
    tree = ET.SubElement(renderer, "rules", {"key": "{root}"})
    symbols: list[Symbol] = []
    for number, rule in enumerate(rules):
        _rule(tree, rule, f"{number}", symbols)
    listed = ET.SubElement(renderer, "symbols")
    for number, symbol in enumerate(symbols):
        _symbol(listed, symbol, str(number))
    if label is not None:
        _label(root, label)
    for tag, value in (("blendMode", "0"), ("featureBlendMode", "0"), ("layerOpacity", f"{opacity:g}")):
        ET.SubElement(root, tag).text = value
    ET.indent(root, " ")
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return head + ET.tostring(root, encoding="unicode") + "\n"


def _rule(parent: ET.Element, rule: Rule, key: str, symbols: list[Symbol]) -> None:
    attributes = {"key": f"{{rule-{key}}}", "label": xml_safe(rule.label)}
    if rule.filter:
        attributes["filter"] = xml_safe(rule.filter)
    if rule.symbol is not None:
        attributes["symbol"] = str(len(symbols))
        symbols.append(rule.symbol)
    if not rule.shown:
        attributes["checkstate"] = "0"
    element = ET.SubElement(parent, "rule", attributes)
    for number, child in enumerate(rule.rules):
        _rule(element, child, f"{key}-{number}", symbols)


def _symbol(parent: ET.Element, symbol: Symbol, name: str) -> None:
    attributes = {"type": symbol.kind, "name": name, "alpha": "1", "clip_to_extent": "1", "force_rhr": "0"}
    element = ET.SubElement(parent, "symbol", attributes)
    for number, paint in enumerate(symbol.layers):
        layer = ET.SubElement(element, "layer", {"class": paint.name, "enabled": "1", "locked": "0", "pass": "0"})
        for key, value in sorted(paint.settings.items()):
            ET.SubElement(layer, "prop", {"k": key, "v": value})
        if paint.following:
            _following(layer, paint.following)
        if paint.inner is not None:
            _symbol(layer, paint.inner, f"@{name}@{number}")


def _following(parent: ET.Element, following: Mapping[str, tuple[int, str]]) -> None:
    """Write settings that follow the data; the number is the kind of property (3: an expression)."""
    outer = ET.SubElement(ET.SubElement(parent, "data_defined_properties"), "Option", {"type": "Map"})
    ET.SubElement(outer, "Option", {"name": "name", "type": "QString", "value": ""})
    listed = ET.SubElement(outer, "Option", {"name": "properties", "type": "Map"})
    for name, (kind, expression) in sorted(following.items()):
        one = ET.SubElement(listed, "Option", {"name": name, "type": "Map"})
        ET.SubElement(one, "Option", {"name": "active", "type": "bool", "value": "true"})
        ET.SubElement(one, "Option", {"name": "expression", "type": "QString", "value": xml_safe(expression)})
        ET.SubElement(one, "Option", {"name": "type", "type": "int", "value": str(kind)})
    ET.SubElement(outer, "Option", {"name": "type", "type": "QString", "value": "collection"})


def _label(root: ET.Element, label: Label) -> None:
    settings = ET.SubElement(ET.SubElement(root, "labeling", {"type": "simple"}), "settings", {"calloutType": "simple"})
    weight = {"fontWeight": "75", "namedStyle": "Bold"} if label.bold else {"fontWeight": "50"}
    style = {
        "fieldName": xml_safe(label.expression),
        "isExpression": "1",
        "fontFamily": "Arial",
        "fontSize": f"{label.size_pt:g}",
        "fontSizeUnit": "Point",
        "textColor": _colour(label.colour),
        "textOpacity": "1",
        "multilineHeight": "0.9",
        **weight,
    }
    text = ET.SubElement(settings, "text-style", style)
    halo = {
        "bufferDraw": str(int(bool(label.halo))),
        "bufferSize": "0.8",
        "bufferSizeUnits": "MM",
        "bufferOpacity": "1",
    }
    ET.SubElement(
        text, "text-buffer", halo | {"bufferColor": _colour(label.halo or "#FFFFFF"), "bufferJoinStyle": "128"}
    )
    if label.badge:
        shape = {
            "shapeDraw": "1",
            "shapeType": "3",
            "shapeSizeType": "1",
            "shapeSizeUnit": "MM",
            "shapeSizeX": "4.2",
            "shapeSizeY": "4.2",
        }
        rim = {
            "shapeBorderColor": _colour("#FFFFFF"),
            "shapeBorderWidth": "0.4",
            "shapeBorderWidthUnit": "MM",
            "shapeOpacity": "1",
        }
        ET.SubElement(text, "background", shape | rim | {"shapeFillColor": _colour(label.badge)})
    wrap = {"autoWrapLength": "14", "useMaxLineLengthForAutoWrap": "1", "multilineAlign": "1"}
    ET.SubElement(settings, "text-format", {} if label.badge else wrap)
    over = {
        "placement": "1",
        "quadOffset": "4",
        "centroidInside": "1",
        "centroidWhole": "1",
        "polygonPlacementFlags": "2",
    }
    rim_point = {"geometryGenerator": _RIM, "geometryGeneratorEnabled": "1", "geometryGeneratorType": "PointGeometry"}
    ET.SubElement(settings, "placement", over | rim_point if label.badge else over)
    ET.SubElement(
        settings,
        "rendering",
        {"displayAll": str(int(bool(label.badge))), "obstacle": "1", "drawLabels": "1", "labelPerPart": "0"},
    )


# The styles themselves: the same classes and colours as the map, from the same palette.


_INK = palette.LIGHT
_MOST_MM = {"ward": 7.0, "ward_group": 10.0, "borough": 14.0, "level_3": 18.0, "level_4": 22.0}
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
    levels = layer_levels(released)
    for layer in layers:
        if layer.name in {"density", "density_by_category"}:
            styles.append(_density(released, layer))
        elif layer.name in {"hotspots", "hotspots_by_category"}:
            styles.append(_hotspots(layer))
        elif layer.name == "hotspot_cores":
            styles.append(_cores(layer))
        elif layer.name == "near_repeat_zones":
            styles.append(_zones(released, layer))
        elif layer.name == "analysis_cells":
            styles.append(_cells(released, layer))
        elif layer.name == "risk_bands":
            styles.append(_risk(layer))
        elif layer.name == "scan_clusters":
            styles.append(_clusters(layer))
        elif layer.name in {"harm_density", "harm_hotspots"}:
            styles.append(_by_harm(layer))
        else:
            styles += _areas(released, layer, levels[layer.name])
    return tuple(styles)


def rate_limits(released: Released, *, level: str) -> tuple[float, ...]:
    """Choose the limits between the five classes of rates, as the map does.

    Rates of all offences are pooled over every window of the level that is as long as the headline; windows of months,
    quarters and years never share a scale. Rates marked unreliable are left out of a window that has others.
    """
    rows = _alike(released, level=level, category=released.info.main_category)
    rows = rows[rows["rate_per_10000"].notna()]
    pool: list[float] = []
    for _, window in rows.groupby("period", sort=True, observed=True):
        steady = window[~window["reliability"].isin(WEAK)]
        pool += (steady if len(steady) else window)["rate_per_10000"].round(4).tolist()
    return palette.class_limits(pool, percentiles=palette.PERCENTILES[level])


def count_limits(released: Released, *, level: str, category: str) -> tuple[float, ...]:
    """Choose the limits of classes of counts in steps, as the map does: between steps, the first step apart."""
    values = Ranges.of(_alike(released, level=level, category=category)).value
    pool = values[~np.isnan(values)].round(4).tolist()
    return palette.class_limits(pool, percentiles=palette.PERCENTILES[level], step=released.info.step)


def _alike(released: Released, *, level: str, category: str) -> pd.DataFrame:
    """Return the rows of every window of a level that is as long as the headline."""
    counts, headline = released.counts, released.info.headline
    windows = {p.id: p for p in released.info.periods.get(level, ())} | {headline.id: headline}
    kind = palette.window_kind(headline.days)
    alike = [name for name, period in windows.items() if palette.window_kind(period.days) == kind]
    return counts[(counts["level"] == level) & (counts["category"] == category) & counts["period"].isin(alike)]


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


def _not_offered(column: str) -> str:
    """Return the test of a figure that is not offered; what is derived from such a number is not offered either."""
    names = "string_to_array(coalesce(\"not_offered\", ''), ';')"
    return " OR ".join(f"array_contains({names}, '{name}')" for name in dict.fromkeys((column, "incidents")))


FEW = "Too few to say"


def _absent(column: str, edge: str, *, few: Mapping[str, str]) -> list[Rule]:
    """Return the rules of areas without a figure: not offered, too few, no data, not covered each look different.

    `few` has words and a test for each reason of too few; the first, the first step of a count, has the denser dots.
    """
    land, background, ink = _INK["land"], _INK["ground"], _INK["pattern"]
    empty, hidden = f'"covered" AND "{column}" IS NULL', f"({_not_offered(column)})"
    rules = [Rule("Not offered", f"{empty} AND {hidden}", hatch(land, ink, edge=edge))]
    rest = f"{empty} AND NOT {hidden}"
    for number, (words, test) in enumerate(few.items()):
        dots = stipple(land, ink, edge=edge, apart_mm=1.3 + 1.3 * number)
        rules.append(Rule(words, f"{rest} AND {test}", dots))
        rest += f" AND NOT coalesce({test}, false)"
    rules.append(Rule("No data", rest, fill(background, edge=edge)))
    rules.append(Rule("Not covered", 'NOT "covered"', hatch(background, ink, edge=edge, apart_mm=2.0, cross=True)))
    return rules


def _areas(released: Released, layer: Layer, level: str) -> list[Style]:
    info, frame = released.info, layer.frame
    edge = _INK["wardline"] if level == Level.WARD else _INK["boroline"]
    if level == Level.WARD_GROUP:
        return _groups(released, layer, edge)
    has_rate = bool(frame["rate_per_10000"].notna().any())
    names = None if level == Level.WARD else Label('"area_name"', _INK["ink"], 7.5, halo=_INK["halo"])
    noun, when = info.noun[:1].upper() + info.noun[1:], info.headline.label
    limits = rate_limits(released, level=level)
    rate = _classes("rate_per_10000", limits, palette.ramp("sequential"), edge)
    # As called, not by percentage: a percentage of steps may have another sign at their other ends.
    lower, steady, higher = palette.ramp("change")
    change = [
        Rule(words, f"\"change_word\" = '{word}'", symbol)
        for words, word, symbol in (
            ("Clearly higher", ChangeWord.HIGHER, fill(higher, edge=edge)),
            ("Clearly lower", ChangeWord.LOWER, fill(lower, edge=edge)),
            ("No clear change", ChangeWord.NO_CLEAR_CHANGE, fill(steady, edge=edge)),
            ("Not comparable", ChangeWord.NOT_COMPARABLE, hatch(_INK["ground"], _INK["pattern"], edge=edge, angle=135)),
            ("Too few to compare", ChangeWord.TOO_FEW, stipple(_INK["land"], _INK["pattern"], edge=edge)),
        )
    ]
    shown = [k for k in _SIGNIFICANCE if info.audience != "public" or k >= 0]
    ramp = palette.ramp("significance")
    classes = [Rule(_SIGNIFICANCE[k], f'"hotspot_class" = {k}', fill(ramp[k + 3], edge=edge)) for k in shown]
    rate_few = _first_step(frame, "incidents") | {FEW: '"incidents_lower" IS NOT NULL AND "population" > 0'}
    made = (
        (
            "Rate",
            f"{noun} per 10,000 {info.base}, {when}",
            [*rate, *_absent("rate_per_10000", edge, few=rate_few)],
            has_rate,
        ),
        (
            "Number",
            f"{noun}, {when}",
            _sizes(released, frame, info.main_category, level=level, edge=edge),
            not has_rate,
        ),
        ("Change", f"Change, {when}", [*change, *_absent("change_word", edge, few={})], False),
        ("Significance", f"Gi* significance, {when}", [*classes, *_absent("hotspot_class", edge, few={})], False),
    )
    labels = {"Number": _with_count("incidents")} if names else {}
    styles = [
        Style(layer.name, name, text, document(rules, label=labels.get(name, names)), default)
        for name, text, rules, default in made
    ]
    rim = fill("", edge=_INK["boroline"], width_mm=0.35) if names else fill("", edge=_INK["ctl"], width_mm=0.12)
    outline = document([Rule("", "", rim)], label=names)
    return [*styles, Style(layer.name, "Outline", "Outlines alone, to lie on other layers", outline, default=False)]


def _first_step(frame: pd.DataFrame, column: str) -> dict[str, str]:
    """Return the words and the test of a count that is nothing or something, where the layer has any."""
    lower, upper = frame[f"{column}_lower"], frame[f"{column}_upper"]
    first = upper[((lower == 0) & (upper > 0)).fillna(value=False)]
    if not len(first):
        return {}
    return {capital(count_text(0, int(first.max()))): f'"{column}_lower" = 0 AND "{column}_upper" > 0'}


def _with_count(column: str) -> Label:
    """Return a label of name and count, worded as `words.count_text` does: 20 to 29, fewer than 10."""
    lower, upper = f'"{column}_lower"', f'"{column}_upper"'
    few, step = f"'fewer than ' || to_string({upper} + 1)", f"to_string({lower}) || ' to ' || to_string({upper})"
    count = f"if({lower} = {upper}, to_string({lower}), if({lower} = 0, {few}, {step}))"
    return Label(f"\"area_name\" || coalesce('\\n' || {count}, '')", _INK["ink"], 7.5, halo=_INK["halo"])


def _groups(released: Released, layer: Layer, edge: str) -> list[Style]:
    """Return circles for each category that is given by groups of wards; others have nothing to show there."""
    info = released.info
    noun = info.noun
    names = Label('"area_name"', _INK["ink"], 7.5, halo=_INK["halo"])
    styles: list[Style] = []
    for category in (c for c in info.categories if c.detail == Level.WARD_GROUP):
        column = "incidents" if category.id == info.main_category else f"incidents_{category.id}"
        rules = _sizes(released, layer.frame, category.id, level=Level.WARD_GROUP, edge=edge)
        when = period_in_layer(released, level=Level.WARD_GROUP, category=category.id).label
        style, text = document(rules, label=_with_count(column)), f"{category.label}: {noun}, {when}"
        styles.append(Style(layer.name, f"Number: {category.label}", text, style, default=not styles))
    outline = document([Rule("", "", fill("", edge=_INK["boroline"], width_mm=0.35))], label=names)
    return [*styles, Style(layer.name, "Outline", "Outlines alone, to lie on other layers", outline, default=False)]


def _sizes(released: Released, frame: pd.DataFrame, category: str, *, level: str, edge: str) -> list[Rule]:
    """Return circles on open land: their area follows the number, or the class of the step that it lies in.

    A count in its first step has a ring of one size, so that nothing and something look the same.
    """
    column = "incidents" if category == released.info.main_category else f"incidents_{category}"
    lower, middle = f'"{column}_lower"', frame[column]
    most = max(1, int(middle.max())) if middle.notna().any() else 1
    scale = _MOST_MM[level] / math.sqrt(most)
    if released.info.step > 1:
        # The lowest class begins after the first step, which has a sign of its own.
        step = released.info.step
        limits = sorted({step, *map(int, count_limits(released, level=level, category=category))})
        shown = []
        for low, high in zip(limits, [*limits[1:], None], strict=True):
            words = f"{low:,} or more" if high is None else count_text(low, high - 1)
            test = f"{lower} >= {low}" + (f" AND {lower} < {high}" if high is not None else "")
            radius = scale * math.sqrt(math.sqrt(low * (high or max(low, most))))
            shown.append(
                Rule(words, test, _circles(circle(_INK["dot"], size_mm=radius, edge=_INK["halo"], alpha=0.75)))
            )
    else:
        # Exact counts, and counts with noise: circles follow the number itself.
        dot = circle(_INK["dot"], size_mm=2, edge=_INK["halo"], size=f'{scale:.6g} * sqrt("{column}")', alpha=0.75)
        top = frame.loc[middle.idxmax()] if middle.notna().any() else None
        largest = "0" if top is None else count_text(int(top[f"{column}_lower"]), int(top[f"{column}_upper"]))
        shown = [Rule(f"Number (largest: {largest})", f'"{column}" IS NOT NULL', _circles(dot))]
    ring = circle("#000000", size_mm=_RING_MM, edge=_INK["dot"], alpha=0.0)
    rings = [
        Rule(words, f'{test} AND "{column}" IS NULL', _circles(ring))
        for words, test in _first_step(frame, column).items()
    ]
    absent = _absent(column, edge, few={})
    # What has a ring has data.
    return [
        *shown,
        *rings,
        *(replace(r, filter=f"{r.filter} AND {lower} IS NULL") if r.label == "No data" else r for r in absent),
    ]


_RING_MM = 1.6


def _circles(paint: Paint) -> Symbol:
    """Return open land with a marker in its middle."""
    land = fill(_INK["land"], edge=_INK["rule"]).layers
    inside = {"point_on_surface": "1", "point_on_all_parts": "0", "clip_points": "0"}
    return Symbol("fill", (*land, Paint("CentroidFill", inside, Symbol("marker", (paint,)))))


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
            share = frame.loc[(frame["category"] == category) & (frame["density_low"] == low), "share_pct"].max()
            held = "" if pd.isna(share) else f": {_number(float(share))}% of all, with the bands above"
            bands.append(Rule(f"{words} per km²{held}", test, fill(colour, edge=_INK["halo"], width_mm=0.1)))
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


def _cores(layer: Layer) -> Style:
    rim = Symbol("fill", (line(_INK["halo"], width_mm=0.7), line(_INK["hot"], width_mm=0.35)))
    label = Label('"number"', _INK["hot-on"], 6.5, badge=_INK["hot"])
    return Style(
        layer.name, "Number", "Outlines with their number", document([Rule("Core", "", rim)], label=label), True
    )


def _zones(released: Released, layer: Layer) -> Style:
    """Return the cells of near repeats: one group for each category, the first shown, by how long they last."""
    labels = {c.id: c.label for c in released.info.categories}
    groups = []
    for place, category in enumerate(c for c in labels if c in set(layer.frame["category"])):
        rules = tuple(
            Rule(words, test, fill(palette.ramp("sequential")[shade], edge=_INK["halo"], width_mm=0.1))
            for words, test, shade in (
                ("Up to 7 days left", '"days_left" <= 7', 1),
                ("8 days or more left", '"days_left" > 7', 3),
            )
        )
        groups.append(Rule(labels[category], f'"category" = {quoted(category)}', rules=rules, shown=place == 0))
    return Style(layer.name, "Days left", "How long the risk is raised", document(groups, opacity=0.75), True)


def _cells(released: Released, layer: Layer) -> Style:
    """Return the cells that stand out, as the map does: one group for each category, the first shown."""
    labels, ramp = {c.id: c.label for c in released.info.categories}, palette.ramp("significance")
    groups = []
    for place, category in enumerate(c for c in labels if c in set(layer.frame["category"])):
        rules = tuple(
            Rule(_SIGNIFICANCE[k], f'"hotspot_class" = {k}', fill(ramp[k + 3], edge=_INK["halo"], width_mm=0.1))
            for k in _SIGNIFICANCE
        )
        groups.append(Rule(labels[category], f'"category" = {quoted(category)}', rules=rules, shown=place == 0))
    return Style(layer.name, "Stands out", "Gi* on equal cells", document(groups, opacity=0.75), True)


def _clusters(layer: Layer) -> Style:
    """Return the circles of scans: beyond chance, or not."""
    rules = tuple(
        Rule(words, test, Symbol("fill", (line(_INK["halo"], width_mm=0.9), line(colour, width_mm=0.45))))
        for words, test, colour in (
            ("Beyond chance", '"p" <= 0.05', _INK["hot"]),
            ("Within chance", '"p" > 0.05', _INK["ctl"]),
        )
    )
    return Style(layer.name, "Beyond chance", "Circles that scans found", document(rules), True)


def _by_harm(layer: Layer) -> Style:
    """Return bands of density by harm in shades, the highest darkest, or hotspots by harm as one surface."""
    ramp = palette.ramp("sequential")
    if layer.name == "harm_hotspots":
        one = (Rule("Hotspot by harm", "", fill(_INK["hot"], edge=_INK["halo"], width_mm=0.1)),)
        return Style(layer.name, "By harm", "Hotspots by harm", document(one, opacity=0.6), True)
    lows = sorted(set(layer.frame["density_low"].tolist()))
    rules = tuple(
        Rule(
            f"{low:,.4g} per km² and over",
            f'"density_low" = {low!r}',
            fill(ramp[max(0, len(ramp) - len(lows) + k)], edge=_INK["halo"], width_mm=0.1),
        )
        for k, low in enumerate(lows)
    )
    return Style(layer.name, "By harm", "Density of harm", document(rules, opacity=0.75), True)


def _risk(layer: Layer) -> Style:
    """Return the bands of the risk surface, the higher the darker."""
    ramp, lows = palette.ramp("sequential"), layer.frame["value_low"].tolist()
    rules = tuple(
        Rule(f"{_number(low)} or more", f'"value_low" = {low!r}', fill(ramp[min(k, len(ramp) - 1)], edge=_INK["halo"]))
        for k, low in enumerate(lows)
    )
    return Style(layer.name, "Risk", "Incidents against population", document(rules, opacity=0.75), True)
