"""Pictures of a map to look at: `python -m tests.browser.shoot_maps OUTPUTS/PROFILE/index.html TARGET [NAME]`.

Wide, dark, density, boroughs, compared, phone, narrow, and the printed sheet (as PNG where pdftoppm, from
poppler-utils, is found). With Firefox installed, its own headless picture too. The README's pictures are made so.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.kit.firefox import firefox_picture

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
VIEWS = {
    "wide": ((1280, 800, 1), ""),
    "dark": ((1280, 800, 1), "t=dark"),
    "density": ((1280, 800, 1), "l=density&tab=hotspots"),
    "boroughs": ((1280, 800, 1), "l=borough&m=change"),
    "compare": ((1280, 800, 1), "l=borough&x=c:{second}"),
    "phone": ((390, 844, 2), ""),
    "narrow": ((320, 640, 2), ""),
}


def slim(picture: Path) -> None:
    """Keep 256 colours: a map has few, and the file is a third."""
    with Image.open(picture) as image:
        few = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)


def shoot(path: Path, target: Path, name: str) -> None:
    target.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for view, ((width, height, scale), state) in VIEWS.items():
            context = browser.new_context(
                viewport={"width": width, "height": height}, device_scale_factor=scale, offline=True
            )
            page = context.new_page()
            page.goto(path.resolve().as_uri())
            page.wait_for_selector("html[data-ready]")
            second = page.locator("#category option").nth(1)
            if "{second}" in state and not second.count():
                continue
            wanted = state.replace("{second}", (second.get_attribute("value") or "") if "{second}" in state else "")
            page.evaluate("state => { location.hash = state; }", wanted)
            page.wait_for_timeout(400)
            page.screenshot(path=target / f"{name}-{view}.png")
            context.close()
        page = browser.new_page()
        page.goto(path.resolve().as_uri())
        page.wait_for_selector("html[data-ready]")
        page.pdf(path=target / f"{name}-print.pdf", prefer_css_page_size=True)
        browser.close()
    if shutil.which("pdftoppm"):
        pdf = target / f"{name}-print.pdf"
        subprocess.run(
            ["pdftoppm", "-png", "-r", "110", "-f", "1", "-l", "1", "-singlefile", pdf, pdf.with_suffix("")], check=True
        )
    firefox = shutil.which("firefox") or shutil.which("firefox-esr")
    if firefox:
        with tempfile.TemporaryDirectory() as scratch:
            firefox_picture(firefox, path, target / f"{name}-firefox.png", scratch=Path(scratch))
    for picture in target.glob(f"{name}-*.png"):
        slim(picture)


if __name__ == "__main__":
    shoot(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "map")
