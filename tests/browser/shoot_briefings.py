"""Pictures of briefings to look at: `python tests/browser/shoot_briefings.py OUTPUTS/PROFILE TARGET [CODE ...]`.

For every page: 1280 and 320 px wide, and the PDF with its sheets (pdftoppm, from poppler-utils, if it is there).
"""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright


def shoot(folder: Path, target: Path, codes: list[str]) -> None:
    pages = [folder / "panel.html", *sorted((folder / "boroughs").glob("*.html"))]
    pages = [p for p in pages if p.exists() and (not codes or p.stem in codes)]
    target.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium)
        for path in pages:
            for width in (1280, 320):
                page = browser.new_page(viewport={"width": width, "height": 900})
                page.goto(path.resolve().as_uri())
                page.screenshot(path=target / f"{path.stem}-{width}.png", full_page=True)
                page.close()
            page = browser.new_page()
            page.goto(path.resolve().as_uri())
            page.pdf(path=target / f"{path.stem}.pdf", prefer_css_page_size=True, print_background=True)
            page.close()
            if shutil.which("pdftoppm"):
                pdf = target / f"{path.stem}.pdf"
                subprocess.run(["pdftoppm", "-png", "-r", "90", pdf, target / path.stem], check=True)
        browser.close()


if __name__ == "__main__":
    shoot(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
