"""accessibility.html: whether everybody can use the pages of a folder, how that was tested, and the known limits."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pipeline
from pipeline.publish import page
from pipeline.publish.words import say
from pipeline.release.released import Released
from pipeline.storage.files import write_text

__all__ = ["PAGE", "Examined", "accessibility_html", "examined", "write_accessibility"]

PAGE = "accessibility.html"


@dataclass(frozen=True, slots=True)
class Examined:
    """The latest run of the tests that examine the pages with axe.

    Attributes
    ----------
    tested
        Its day, ISO.
    axe
        Version of axe.
    browser
        In which the pages were opened.
    violations
        How many rules were violated.
    """

    tested: str
    axe: str
    browser: str
    violations: int


def examined() -> Examined:
    """Return what the latest tests found; it comes with the package."""
    text = (resources.files(__package__) / "axe.toml").read_text("utf-8")
    return Examined(**tomllib.loads(text))


def write_accessibility(released: Released, folder: Path) -> None:
    """Write the page into the folder of a profile, once its tables and briefings are there."""
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    write_text(folder / PAGE, accessibility_html(released, present=present))


def accessibility_html(released: Released, *, present: set[str]) -> str:
    """Return the page.

    Parameters
    ----------
    released
        What came through the gate: only words of it are used, no number.
    present
        Files of the folder: the page names other ways to the same content that are there.
    """
    info, found = released.info, examined()
    given = {
        "version": pipeline.__version__,
        "axe": found.axe,
        "browser": found.browser,
        "day": found.tested,
        "found": say("accessibility.found", n=found.violations),
    }
    workbook = next((name for name in ("tables.xlsx", "tables.ods") if name in present), None)
    others = [("area_counts.csv", "csv"), ("panel.html", "briefings")]
    ways = [say("accessibility.way.map"), *(say(f"accessibility.way.{key}") for name, key in others if name in present)]
    ways += [say("accessibility.way.workbook", file=workbook)] if workbook else []
    body = page.render(
        "pages/accessibility.html",
        info=info,
        lead=say("accessibility.lead", title=info.title),
        works=[
            say(f"accessibility.works.{key}") for key in ("keyboard", "zoom", "colour", "text", "motion", "offline")
        ],
        tests=[say(f"accessibility.test.{key}", **given) for key in ("axe", "keyboard", "layout", "by_people")],
        limits=[say(f"accessibility.limit.{key}") for key in ("map", "screen_readers", "print", "layers", "names")],
        ways=ways,
        contact=say("accessibility.contact", contact=info.contact) if info.contact else say("accessibility.no_contact"),
    )
    return page.document(
        language=info.language,
        title=say("accessibility.page_title", title=info.title),
        styles=[page.colour_tokens(), page.style_sheet("pages/protection.css")],
        body=body,
    )
