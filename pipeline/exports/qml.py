"""QGIS style documents: rules, symbols, labels as XML, in the older forms of each element, which all of QGIS 3 reads.

Data comes in as attribute values only, and ElementTree escapes those.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = [
    "Label",
    "Paint",
    "Rule",
    "Symbol",
    "circle",
    "document",
    "fill",
    "hatch",
    "line",
    "quoted",
    "stipple",
    "xml_safe",
]


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
    ground: str, ink: str, *, edge: str, angle: float = 45.0, apart_mm: float = 1.3, cross: bool = False
) -> Symbol:
    """Return a surface of parallel lines; `cross` adds the other diagonal."""
    stroke = Symbol("line", (line(ink, width_mm=0.35),))
    angles = (angle, angle + 90) if cross else (angle,)
    strokes = [
        Paint("LinePatternFill", {"angle": f"{a:g}", "distance": f"{apart_mm:g}", "distance_unit": "MM"}, stroke)
        for a in angles
    ]
    return Symbol("fill", (_fill(ground), *strokes, _fill("", edge)))


def stipple(ground: str, ink: str, *, edge: str, apart_mm: float = 1.3) -> Symbol:
    """Return a surface of small dots."""
    settings = {f"distance_{axis}": f"{apart_mm:g}" for axis in "xy"} | {f"distance_{axis}_unit": "MM" for axis in "xy"}
    dot = Symbol("marker", (circle(ink, size_mm=0.55),))
    return Symbol("fill", (_fill(ground), Paint("PointPatternFill", settings, dot), _fill("", edge)))


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
