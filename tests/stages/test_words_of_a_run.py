"""Words of a run: another language reaches pages, script and terminal; nothing is British in another country."""

import html
import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import geopandas as gpd
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config import release as settings_of_pages
from pipeline.config.templates import TEMPLATES, template_text
from pipeline.publish import words
from pipeline.publish.words import catalogue
from tests.kit.city import LIGHT, write_city
from tests.kit.map_pages import data_of

pytestmark = pytest.mark.slow

FIVE = {
    "front_door.heading.folders": "Ffolderi",
    "protection.title": "Sut y caiff pobl eu diogelu",
    "common.not_offered": "heb ei gynnig",
    "terminal.column.stage": "cam",
    "record.counter.wards": "{n} o {areas}",
}
"""Five keys of a language file: one page each, the map's script and the terminal."""
BRITISH = (
    r"\bOFFICIAL\b|\b(?:wards?|boroughs?)\b|\bLondon|\bMetropolitan\b|\bBritish\b|\bBritain\b|\bOrdnance Survey\b"
    r"|\bCrown copyright\b|\b(?:call|dial|ring) (?:999|101)\b|\bTrue Vision\b|\bVictim Support\b"
    r"|\bTell MAMA\b|\bGalop\b|\bpolice\.uk\b|\bONS\b|\bE1\d{7}\b"
)
FILE_NAMES = re.compile(r"\b(?:boroughs|wards)(?:/[\w.%-]*|\.\w+|_\w+)|\b(?:ward|borough)_\w+(?:\.\w+)?|\bborough =")
"""Names of files, columns and settings: part of what programs read, and the same everywhere."""


@pytest.fixture
def languages(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add a Welsh catalogue of five keys to the English one."""
    folder = tmp_path_factory.mktemp("package")
    there = folder / "publish" / "words"
    there.mkdir(parents=True)
    english = resources.files("pipeline.publish.words").joinpath("en.toml").read_text("utf-8")
    (there / "en.toml").write_text(english, "utf-8")
    lines = ['language.name = "Cymraeg"', 'language.plural_forms = ["other"]', 'language.plural_rule = "0"']
    (there / "cy.toml").write_text("\n".join([*lines, *(f'{key} = "{text}"' for key, text in FIVE.items())]), "utf-8")
    monkeypatch.setattr(settings_of_pages, "files", lambda _package: folder)
    monkeypatch.setattr(catalogue, "folder", lambda: there)
    words.catalogue_of.cache_clear()
    yield
    words.catalogue_of.cache_clear()


def hotspots(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments])
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done.output


@pytest.mark.usefixtures("languages")
def test_five_keys_of_another_language_reach_pages_script_and_terminal(tmp_path: Path) -> None:
    config = str(write_city(tmp_path, **LIGHT | {"page.language": "cy"}))
    said = hotspots("run", "--config", config)
    assert "cam " in said
    assert "3 o wards" in said
    folder = tmp_path / "outputs" / "city"
    door = (folder / "index.html").read_text("utf-8")
    assert '<html lang="cy"' in door
    assert "<h2>Ffolderi</h2>" in door
    assert "<h2>How rows were settled</h2>" in door  # English stands in for what the file lacks
    protection = (folder / "public" / "protection.html").read_text("utf-8")
    assert "<h1>Sut y caiff pobl eu diogelu</h1>" in protection
    assert "heb ei gynnig" in protection
    script = data_of((folder / "public" / "index.html").read_text("utf-8"))["words"]
    assert script["common.not_offered"] == "heb ei gynnig"
    assert "cam " in hotspots("stages", "--config", config)


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_language_without_words_is_refused_in_one_paragraph(tmp_path: Path, command: str) -> None:
    config = write_city(tmp_path, **{"page.language": "fr-CA"})
    done = CliRunner().invoke(app, [command, "--config", str(config)])
    error = done.exception
    assert getattr(error, "exit_code", None) == 2
    assert re.search(r"page\.language: [^\n]* for en \(", str(error))
    assert "\n\n" not in str(error)
    assert not (tmp_path / "outputs").exists()


def run_abroad(folder: Path, **labels: str) -> Path:
    """Move the small city to where UTM zone 33 has Berlin, and call its areas precincts of districts, or as given."""
    east, north = -140_000, 5_640_000
    config = write_city(folder, **LIGHT | {"run.title": "Recorded crime", "page.briefings": True})
    wards = gpd.read_file(folder / "wards.gpkg")
    moved = gpd.GeoDataFrame(wards.drop(columns="geometry"), geometry=wards.translate(east, north).to_numpy())
    moved = moved.set_crs("EPSG:25833")
    (folder / "wards.gpkg").unlink()
    moved.to_file(folder / "wards.gpkg", driver="GPKG")
    head, *rows = (folder / "incidents.csv").read_text("utf-8").splitlines()
    cells = [row.split(",") for row in rows]
    for row in cells:
        if row[2] and float(row[2]):
            row[2], row[3] = str(float(row[2]) + east), str(float(row[3]) + north)
    head = head.replace("borough", "kreis")
    (folder / "incidents.csv").write_text("\n".join([head, *map(",".join, cells)]) + "\n", "utf-8")
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["crs"]["working"] = settings["incidents"][0]["crs"] = "EPSG:25833"
    settings["incidents"][0]["columns"]["borough"] = "kreis"
    settings["areas"]["wards"] |= labels or {"label": "precinct", "parent_label": "district"}
    del settings["profiles"]  # the default ones
    config.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    return config


def visible(path: Path) -> str:
    """Return the words of a file as people read them: without names of files, columns and settings."""
    text = path.read_text("utf-8")
    if path.suffix == ".html":
        held = [json.dumps(data_of(text)["info"], ensure_ascii=False)] if 'id="data"' in text else []
        text = re.sub(r"<(style|script)\b.*?</\1>", " ", text, flags=re.DOTALL)
        text = html.unescape(" ".join([re.sub(r"<[^>]+>", " ", text), *held]))
    return FILE_NAMES.sub(" ", text)


def test_nothing_british_stands_on_pages_of_another_country(tmp_path: Path) -> None:
    config = str(run_abroad(tmp_path))
    said = {command: hotspots(command, "--config", config) for command in ("check", "run", "stages", "quarantine")}
    folder = tmp_path / "outputs" / "city"
    pages = sorted([*folder.glob("*.html"), *folder.glob("[!w]*/**/*.html"), *folder.glob("[!w]*/*.xml")])
    assert len(pages) > 8
    # A README ends in the data dictionary, which names levels by their ids in every country.
    texts = {p.relative_to(folder).as_posix(): visible(p) for p in pages if p.name != "README.html"}
    texts |= {f"hotspots {command}": FILE_NAMES.sub(" ", text) for command, text in said.items()}
    found = {name: sorted({w[0] for w in re.finditer(BRITISH, text)}) for name, text in texts.items()}
    assert {name: names for name, names in found.items() if names} == {}
    assert "precincts" in said["run"]
    assert "district" in (folder / "public" / "protection.html").read_text("utf-8")


LABELS = {
    "label": "Stadtteil",
    "label_plural": "Stadtteile",
    "parent_label": "Bezirk",
    "parent_label_plural": "Bezirke",
}
LEVELS = re.compile(r"\b(?:wards?|boroughs?)\b", re.IGNORECASE)


def texts_in(value: object) -> Iterator[str]:
    """Every text inside a payload, without the names of its fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts_in(part)


def test_every_label_of_levels_is_that_of_the_configuration(tmp_path: Path) -> None:
    config = run_abroad(tmp_path, **LABELS)
    # Rows that lack what others have: what a run says of them names levels too.
    rows = (tmp_path / "incidents.csv").read_text("utf-8").splitlines()
    cells = [row.split(",") for row in rows]
    for row in cells[5:25]:
        row[2] = row[3] = ""
    (tmp_path / "incidents.csv").write_text("\n".join(map(",".join, cells)) + "\n", "utf-8")
    commands = (["check"], ["run"], ["stages"], ["quarantine"], ["ledger", "list"])
    said = {" ".join(c): hotspots(*c, "--config", str(config)) for c in commands}
    folder = tmp_path / "outputs" / "city"
    pages = sorted([*folder.glob("*.html"), *folder.glob("[!w]*/**/*.html"), *folder.glob("[!w]*/*.xml")])
    assert len(pages) > 8
    texts = {p.relative_to(folder).as_posix(): visible(p) for p in pages if p.name != "README.html"}
    for page in folder.glob("*/index.html"):
        data = data_of(page.read_text("utf-8"))
        # Ids of levels stand for themselves in two fields; texts that readers see are everywhere else.
        seen = [text for text in texts_in(data) if text not in {"ward", "borough", "ward_group"}]
        texts[f"{page.parent.name}: data of the map"] = "\n".join(seen)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    texts["cautions and choices"] = "\n".join(texts_in([manifest.get(k) for k in ("cautions", "choices")]))
    texts |= {f"hotspots {command}": text for command, text in said.items()}
    found = {name: sorted({w[0] for w in LEVELS.finditer(FILE_NAMES.sub(" ", t))}) for name, t in texts.items()}
    assert {name: names for name, names in found.items() if names} == {}
    assert "Stadtteile" in said["run"]
    briefings = list(folder.glob("internal/boroughs/*.html"))
    assert briefings
    assert any("Bezirk" in visible(p) or "Stadtteil" in visible(p) for p in briefings)
    for page in folder.glob("*/index.html"):
        levels = data_of(page.read_text("utf-8"))["levels"]
        assert (levels["ward"]["one"], levels["ward"]["many"]) == ("Stadtteil", "Stadtteile")


def test_the_catalogue_is_of_no_country_and_templates_are_british() -> None:
    # The Ordnance Survey's point is examined only where its grid is asked for; `projsync` names a file of that grid.
    spared = ("terminal.doctor.",)
    texts = {key: str(text) for key, text in words.catalogue_of("en").texts.items() if not key.startswith(spared)}
    found = {
        key: w[0]
        for key, text in texts.items()
        if (w := re.search(BRITISH, FILE_NAMES.sub(" ", re.sub(r"\{\w+\}", "", text))))
    }
    assert found == {}
    for name in TEMPLATES:
        assert re.search(r"call 101", template_text(name))
