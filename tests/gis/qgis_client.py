"""What QGIS makes of a released folder. Run by the system's Python, where PyQGIS lives; prints one line of JSON.

Usage: qgis_client.py FOLDER PICTURE
"""

import json
import os
import sys
from pathlib import Path

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsExpression,
    QgsExpressionContext,
    QgsFeatureSource,
    QgsLayoutExporter,
    QgsLayoutItemLabel,
    QgsLayoutItemLegend,
    QgsLayoutItemMap,
    QgsLayoutPoint,
    QgsLayoutSize,
    QgsLegendStyle,
    QgsPrintLayout,
    QgsProject,
    QgsRenderContext,
    QgsUnitTypes,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor, QFont
from qgis.PyQt.QtXml import QDomDocument

LAYERS = ("boroughs", "wards", "density_by_category", "density", "hotspots_by_category", "hotspots")
KEYS = ("area_code", "density_id", "hotspot_id")
MM = QgsUnitTypes.LayoutMillimeters
WIDTH, HEIGHT, SIDE = 250, 170, 60


def opened(path: Path, name: str) -> QgsVectorLayer:
    layer = QgsVectorLayer(f"{path}|layername={name}", name, "ogr")
    if not layer.isValid():
        raise SystemExit(f"QGIS cannot open {name} of {path}")
    return layer


def styled(layer: QgsVectorLayer, style: str) -> QgsVectorLayer:
    """Return a copy of a layer in another of its stored styles."""
    copy = layer.clone()
    _, ids, names, *_ = layer.listStylesInDatabase()
    document = QDomDocument()
    assert document.setContent(layer.getStyleFromDatabase(ids[names.index(style)])[0])
    done, message = copy.importNamedStyle(document)
    assert done, message
    return copy


def rules_of(layer: QgsVectorLayer) -> list:
    found = []
    for rule in layer.renderer().rootRule().descendants():
        if rule.symbol() is None:
            continue
        paint = rule.symbol().symbolLayer(0)
        colour = paint.fillColor() if paint.layerType() == "SimpleFill" else paint.color()
        fault = rule.filter().parserErrorString() if rule.filter() else ""
        found.append({"label": rule.label(), "colour": colour.name(), "key": rule.ruleKey(), "fault": fault})
    return found


def drawn(layer: QgsVectorLayer) -> dict:
    """Say which rules with a symbol draw each feature."""
    labels = {rule["key"]: rule["label"] for rule in rules_of(layer)}
    key = next(name for name in KEYS if name in layer.fields().names())
    context, renderer = QgsRenderContext(), layer.renderer().clone()
    context.expressionContext().setFields(layer.fields())
    renderer.startRender(context, layer.fields())
    out = {}
    for feature in layer.getFeatures():
        context.expressionContext().setFeature(feature)
        keys = renderer.legendKeysForFeature(feature, context)
        out[feature[key]] = sorted(labels[k] for k in keys if k in labels)
    renderer.stopRender(context)
    return out


def texts(layer: QgsVectorLayer) -> dict:
    """Return the label of each feature, as the style has it."""
    if not layer.labelsEnabled():
        return {}
    expression = QgsExpression(layer.labeling().settings().fieldName)
    context = QgsExpressionContext()
    context.setFields(layer.fields())
    out = {}
    for feature in layer.getFeatures():
        context.setFeature(feature)
        out[feature[next(name for name in KEYS if name in layer.fields().names())]] = expression.evaluate(context)
    return out


def look(layer: QgsVectorLayer) -> dict:
    number, _, names, *_ = layer.listStylesInDatabase()
    copies = {name: styled(layer, name) for name in names[:number]}
    return {
        "features": layer.featureCount(),
        "crs": layer.crs().authid(),
        "fields": layer.fields().names(),
        "title": layer.metadata().title(),
        "licences": layer.metadata().licenses(),
        "renderer": layer.renderer().type(),
        "rules": rules_of(layer),
        "drawn": drawn(layer),
        "labels": layer.labelsEnabled(),
        "styles": {name: rules_of(copy) for name, copy in copies.items()},
        "drawn_in": {name: drawn(copy) for name, copy in copies.items()},
        "texts_in": {name: texts(copy) for name, copy in copies.items()},
        "indexed": layer.hasSpatialIndex() == QgsFeatureSource.SpatialIndexPresent,
    }


def look_at_geojson(path: Path) -> dict:
    layer = QgsVectorLayer(str(path), path.stem, "ogr")
    if not layer.isValid():
        raise SystemExit(f"QGIS cannot open {path}")
    return {
        "features": layer.featureCount(),
        "crs": layer.crs().authid(),
        "fields": layer.fields().names(),
        "whole": all(f.hasGeometry() and f.geometry().isGeosValid() for f in layer.getFeatures()),
    }


def heading(layout: QgsPrintLayout, text: str) -> None:
    item = QgsLayoutItemLabel(layout)
    item.setText(text)
    item.setFont(QFont("Arial", 11, QFont.Bold))
    item.setHAlign(Qt.AlignLeft)
    item.attemptMove(QgsLayoutPoint(4, 4, MM))
    item.attemptResize(QgsLayoutSize(SIDE - 4, 30, MM))
    layout.addLayoutItem(item)


def draw(layers: list, title: str, picture: str) -> None:
    """Print a page: the map, its legend and a scale bar, as QGIS makes them from the stored styles."""
    project = QgsProject.instance()
    layout = QgsPrintLayout(project)
    layout.initializeDefaults()
    layout.pageCollection().page(0).setPageSize(QgsLayoutSize(WIDTH, HEIGHT, MM))
    view = QgsLayoutItemMap(layout)
    view.attemptMove(QgsLayoutPoint(SIDE + 4, 4, MM))
    view.attemptResize(QgsLayoutSize(WIDTH - SIDE - 8, HEIGHT - 8, MM))
    view.setCrs(layers[-1].crs())
    view.setLayers(layers)
    box = layers[-1].extent()
    box.scale(1.04)
    view.setBackgroundColor(QColor("#E4E8E9"))
    layout.addLayoutItem(view)
    view.setExtent(box)  # which shapes the item after the box, so that it is given its size again
    view.attemptResize(QgsLayoutSize(WIDTH - SIDE - 8, HEIGHT - 8, MM))
    view.zoomToExtent(box)
    heading(layout, title)
    legend = QgsLayoutItemLegend(layout)
    legend.setLinkedMap(view)
    legend.setAutoUpdateModel(False)
    root = legend.model().rootGroup()
    root.removeAllChildren()
    for layer in layers:
        root.addLayer(layer)
    legend.attemptMove(QgsLayoutPoint(2, 30, MM))
    for style, size in ((QgsLegendStyle.Group, 10), (QgsLegendStyle.Subgroup, 10), (QgsLegendStyle.SymbolLabel, 9)):
        font = QFont("Arial", size)
        font.setBold(style != QgsLegendStyle.SymbolLabel)
        legend.setStyleFont(style, font)
    layout.addLayoutItem(legend)
    assert QgsLayoutExporter(layout).renderPageToImage(0, dpi=130).save(picture)


def main(folder: Path, picture: str) -> None:
    application = QgsApplication([], False)
    application.initQgis()
    package = folder / "hotspots.gpkg"
    layers = {name: opened(package, name) for name in LAYERS}
    report = {
        "version": Qgis.QGIS_VERSION,
        "layers": {name: look(layer) for name, layer in layers.items()},
        "geojson": {name: look_at_geojson(folder / f"{name}.geojson") for name in LAYERS},
    }
    outline = styled(layers["boroughs"], "Outline")
    for layer, name in (
        (layers["hotspots"], "Hotspots"),
        (outline, "Boroughs"),
        (layers["wards"], "Rate per 10,000 people"),
    ):
        layer.setName(name)
    shown = [layers["hotspots"], outline, layers["wards"]]
    QgsProject.instance().addMapLayers(shown)
    draw(shown, layers["wards"].metadata().title(), picture)
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
    os._exit(0)  # PyQGIS may crash while it is torn down without a display; everything has been said by now
