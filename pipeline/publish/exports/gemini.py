"""Discovery metadata: a UK GEMINI 2.3 record (ISO 19139) of a release, and the short form that QGIS shows."""

import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from pipeline.publish.exports.description import Description
from pipeline.publish.exports.layers import Layer
from pipeline.publish.exports.qgis_styles import xml_safe

__all__ = ["gemini_xml", "qgis_metadata"]

_NAMES = {
    "gmd": "http://www.isotc211.org/2005/gmd",
    "gco": "http://www.isotc211.org/2005/gco",
    "gmx": "http://www.isotc211.org/2005/gmx",
    "gml": "http://www.opengis.net/gml/3.2",
    "xlink": "http://www.w3.org/1999/xlink",
}
_CODES = (
    "http://standards.iso.org/ittf/PubliclyAvailableStandards/ISO_19139_Schemas/resources/codelist/gmxCodelists.xml"
)
_LANGUAGES = {"en": ("eng", "English"), "cy": ("cym", "Welsh"), "fr": ("fra", "French"), "de": ("deu", "German")}
_ACCESS = "http://inspire.ec.europa.eu/metadata-codelist/LimitationsOnPublicAccess/"
_OPEN = ("noLimitations", "no limitations to public access")
_CLOSED = (
    "INSPIRE_Directive_Article13_1f",
    "public access limited according to Article 13(1)(f) of the INSPIRE Directive",
)
_INSPIRE = (
    "Commission Regulation (EU) No 1089/2010 of 23 November 2010 implementing Directive 2007/2/EC of the European "
    "Parliament and of the Council as regards interoperability of spatial data sets and services"
)
_EMAIL = re.compile(r"[^\s<>()\"',;:]+@[^\s<>()\"',;:]+\.[^\s<>()\"',;:.]+")


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_NAMES[prefix]}}}{local}"


def _add(parent: ET.Element, path: str, **attributes: str) -> ET.Element:
    """Add nested elements, `a/b/c`, and return the innermost; prefixed names, `gmd` where there is none."""
    element = parent
    for name in path.split("/"):
        element = ET.SubElement(element, _tag(name if ":" in name else f"gmd:{name}"))
    for name, value in attributes.items():
        element.set(name, value)
    return element


def _text(parent: ET.Element, path: str, value: str, kind: str = "gco:CharacterString") -> None:
    if value:
        _add(parent, f"{path}/{kind}").text = xml_safe(value)
    else:
        _add(parent, path).set(_tag("gco:nilReason"), "missing")


def _code(parent: ET.Element, path: str, value: str) -> None:
    name = path.rsplit("/", 1)[-1]
    _add(parent, path, codeList=f"{_CODES}#{name}", codeListValue=value).text = value


def _anchor(parent: ET.Element, path: str, href: str, value: str) -> None:
    element = _add(parent, f"{path}/gmx:Anchor")
    element.set(_tag("xlink:href"), href)
    element.text = xml_safe(value)


def _language(parent: ET.Element, description: Description) -> None:
    code, name = _LANGUAGES.get(description.language[:2].lower(), _LANGUAGES["en"])
    lists = "http://www.loc.gov/standards/iso639-2/php/code_list.php"
    _add(parent, "language/LanguageCode", codeList=lists, codeListValue=code).text = name


def _party(parent: ET.Element, path: str, description: Description) -> None:
    party = _add(parent, f"{path}/CI_ResponsibleParty")
    mail = _EMAIL.search(description.contact)
    if description.contact and (mail is None or mail.group() != description.contact):
        _text(party, "positionName", description.contact)
    _text(party, "organisationName", description.publisher or description.place)
    party[:] = sorted(party, key=lambda element: element.tag.endswith("positionName"))  # the order of the standard
    _text(party, "contactInfo/CI_Contact/address/CI_Address/electronicMailAddress", mail.group() if mail else "")
    _code(party, "role/CI_RoleCode", "pointOfContact")


def _date(parent: ET.Element, path: str, day: str, kind: str) -> None:
    date = _add(parent, f"{path}/CI_Date")
    _text(date, "date", day, "gco:Date")
    _code(date, "dateType/CI_DateTypeCode", kind)


def gemini_xml(description: Description, formats: Sequence[tuple[str, str]]) -> str:
    """Return the record of a release.

    Parameters
    ----------
    description
        What every format repeats about the release.
    formats
        Names and versions of the formats it comes in; an empty version means that the format has none.

    References
    ----------
    UK GEMINI 2.3 (AGI); ISO/TS 19139:2007; Commission Regulation (EC) No 1205/2008.
    """
    for prefix, uri in _NAMES.items():
        ET.register_namespace(prefix, uri)
    root = ET.Element(_tag("gmd:MD_Metadata"))
    _text(root, "fileIdentifier", str(uuid.uuid5(uuid.NAMESPACE_URL, description.identity)))
    _language(root, description)
    _code(root, "hierarchyLevel/MD_ScopeCode", "dataset")
    _party(root, "contact", description)
    _text(root, "dateStamp", description.stamp, "gco:Date")
    _anchor(root, "metadataStandardName", "http://vocab.nerc.ac.uk/collection/M25/current/GEMINI/", "UK GEMINI")
    _text(root, "metadataStandardVersion", "2.3")
    identifier = _add(root, "referenceSystemInfo/MD_ReferenceSystem/referenceSystemIdentifier/RS_Identifier")
    authority, _, code = description.crs.partition(":")
    if code.isdigit():
        _anchor(identifier, "code", f"http://www.opengis.net/def/crs/{authority}/0/{code}", description.crs)
    else:
        _text(identifier, "code", description.crs)
    _identification(_add(root, "identificationInfo/MD_DataIdentification"), description)
    distribution = _add(root, "distributionInfo/MD_Distribution")
    for name, version in formats:
        one = _add(distribution, "distributionFormat/MD_Format")
        _text(one, "name", name)
        if version:
            _text(one, "version", version)
        else:
            _add(one, "version").set(_tag("gco:nilReason"), "inapplicable")
    _quality(_add(root, "dataQualityInfo/DQ_DataQuality"), description)
    ET.indent(root, "  ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _identification(data: ET.Element, description: Description) -> None:
    citation = _add(data, "citation/CI_Citation")
    _text(citation, "title", f"{description.title}, {description.headline}")
    _date(citation, "date", description.stamp, "revision")
    _text(citation, "identifier/MD_Identifier/code", description.identity)
    _text(data, "abstract", description.abstract)
    _party(data, "pointOfContact", description)
    _code(
        data,
        "resourceMaintenance/MD_MaintenanceInformation/maintenanceAndUpdateFrequency/MD_MaintenanceFrequencyCode",
        "asNeeded",
    )
    keywords = _add(data, "descriptiveKeywords/MD_Keywords")
    for keyword in description.keywords:
        _text(keywords, "keyword", keyword)
    legal = _add(data, "resourceConstraints/MD_LegalConstraints")
    _code(legal, "accessConstraints/MD_RestrictionCode", "otherRestrictions")
    code, sentence = _OPEN if description.audience == "public" else _CLOSED
    _anchor(legal, "otherConstraints", _ACCESS + code, sentence)
    use = _add(data, "resourceConstraints/MD_LegalConstraints")
    for limit in description.limits:
        _text(use, "useLimitation", limit)
    _code(use, "useConstraints/MD_RestrictionCode", "otherRestrictions")
    _text(use, "otherConstraints", description.licence)
    _code(data, "spatialRepresentationType/MD_SpatialRepresentationTypeCode", "vector")
    _add(data, "spatialResolution").set(_tag("gco:nilReason"), "inapplicable")
    _language(data, description)
    _code(data, "characterSet/MD_CharacterSetCode", "utf8")
    _add(data, "topicCategory/MD_TopicCategoryCode").text = "society"
    extent = _add(data, "extent/EX_Extent")
    box = _add(extent, "geographicElement/EX_GeographicBoundingBox")
    west, south, east, north = description.extent
    sides = {
        "westBoundLongitude": west,
        "eastBoundLongitude": east,
        "southBoundLatitude": south,
        "northBoundLatitude": north,
    }
    for side, degrees in sides.items():
        _text(box, side, f"{degrees:.6f}", "gco:Decimal")
    _text(
        extent, "geographicElement/EX_GeographicDescription/geographicIdentifier/MD_Identifier/code", description.place
    )
    period = _add(extent, "temporalElement/EX_TemporalExtent/extent/gml:TimePeriod")
    period.set(_tag("gml:id"), "period")
    _add(period, "gml:beginPosition").text = description.begin
    _add(period, "gml:endPosition").text = description.end


def _quality(quality: ET.Element, description: Description) -> None:
    _code(quality, "scope/DQ_Scope/level/MD_ScopeCode", "dataset")
    result = _add(quality, "report/DQ_DomainConsistency/result/DQ_ConformanceResult")
    specification = _add(result, "specification/CI_Citation")
    _text(specification, "title", _INSPIRE)
    _date(specification, "date", "2010-12-08", "publication")
    _text(result, "explanation", "Not evaluated: statistics outside the INSPIRE themes.")
    _add(result, "pass").set(_tag("gco:nilReason"), "unknown")
    _text(quality, "lineage/LI_Lineage/statement", description.lineage)


def qgis_metadata(description: Description, layer: Layer) -> str:
    """Return what QGIS shows under Metadata in the properties of a layer."""
    root = ET.Element("qgis", {"version": "3.22.0"})

    def put(tag: str, value: str, **attributes: str) -> None:
        ET.SubElement(root, tag, attributes).text = xml_safe(value)

    put("identifier", f"{description.identity}/{layer.name}")
    put("language", description.language)
    put("type", "dataset")
    put("title", layer.title)
    put("abstract", f"{layer.text} {description.abstract}")
    keywords = ET.SubElement(root, "keywords", {"vocabulary": "gmd:topicCategory"})
    ET.SubElement(keywords, "keyword").text = "Society"
    contact = ET.SubElement(root, "contact")
    mail = _EMAIL.search(description.contact)
    listed = {
        "organization": description.publisher,
        "position": description.contact,
        "email": mail.group() if mail else "",
        "role": "pointOfContact",
    }
    for tag, value in listed.items():
        ET.SubElement(contact, tag).text = xml_safe(value)
    put("fees", "")
    put("rights", description.publisher)
    put("license", description.licence)
    for limit in description.limits:
        put("constraints", limit, type="use")
    put("history", description.lineage)
    ET.indent(root, " ")
    return ET.tostring(root, encoding="unicode") + "\n"
