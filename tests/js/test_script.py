"""The map's script under Node: its own tests, types, style, and the same words and numbers as Python.

Node comes with the system; eslint and tsc by `npm install --no-package-lock --prefix tests/js`. Where they are absent
these tests are skipped, but never in continuous integration.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.publish import words
from pipeline.publish.words import catalogue as catalogue_module

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ASSETS = ROOT / "pipeline" / "publish" / "map" / "assets"
SAMPLES = {"area": "Ash {n} **North**", "size": "about +17%", "low": "12", "high": "1,340", "place": "", "times": "2½"}

pytestmark = pytest.mark.slow


def program(name: str) -> str:
    """Return the path of Node or of a program that npm has installed; skip where it is absent, but not in CI."""
    path = shutil.which("node") if name == "node" else shutil.which(name, path=HERE / "node_modules" / ".bin")
    if path is None:
        how = "install nodejs" if name == "node" else "run npm install --no-package-lock --prefix tests/js"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is missing in continuous integration: {how}")
        pytest.skip(f"{name} is missing: {how}")
    return path


def run(*command: str | Path, given: str | None = None) -> str:
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_the_script_works_out_is_right() -> None:
    run(program("node"), "--test", *sorted(HERE.glob("*.test.js")))


def test_the_script_has_no_error_of_types() -> None:
    run(program("tsc"), "--project", HERE / "tsconfig.json")


def test_the_script_keeps_its_style() -> None:
    files = [*sorted(ASSETS.glob("*.js")), *sorted(HERE.glob("*.js"))]
    run(program("eslint"), "--config", HERE / "eslint.config.js", "--max-warnings", "0", *files)


def said_by_the_script(language: str, keys: list[Any], calls: list[Any]) -> dict[str, Any]:
    given = {"language": language, "texts": words.script_words(language), "keys": keys, "calls": calls}
    return json.loads(run(program("node"), HERE / "say.js", given=json.dumps(given)))


def cases(language: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every key that the script has with sample values; those with plural forms with every number to 200."""
    for key, text in words.script_words(language).items():
        forms = text.values() if isinstance(text, Mapping) else [text]
        names = {name for form in forms for name in re.findall(r"\{(\w+)\}", form)} - {"n"}
        values = {name: SAMPLES.get(name, f"<{name}>") for name in sorted(names)}
        counts = isinstance(text, Mapping) or any("{n}" in form for form in forms)
        for n in (*range(201), 1234, 1000000) if counts else (None,):
            yield key, values if n is None else values | {"n": n}


WELSH = """
[language]
name = "Cymraeg"
plural_forms = ["zero", "one", "two", "few", "many", "other"]
plural_rule = "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n==3 ? 3 : n==6 ? 4 : 5"

[map.search]
matches = { zero = "dim {n}", one = "{n} un", two = "{n} dau", few = "{n} tri", many = "{n} chwech", other = "{n}" }
none = "Dim ardal"
"""


@pytest.fixture(params=["en", "cy"])
def language(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """English as it is, and a language with other plural forms whose gaps English fills."""
    for held in (ROOT / "pipeline" / "publish" / "words").glob("*.toml"):
        (tmp_path / held.name).write_bytes(held.read_bytes())
    (tmp_path / "cy.toml").write_text(WELSH, "utf-8")
    monkeypatch.setattr(catalogue_module, "folder", lambda: tmp_path)
    words.catalogue_of.cache_clear()
    yield request.param
    words.catalogue_of.cache_clear()


def test_page_and_script_say_the_same(language: str) -> None:
    keys = list(cases(language))
    said = said_by_the_script(language, keys, [])["said"]
    with words.speaking(language):
        for (key, values), (text, segments) in zip(keys, said, strict=True):
            assert text == words.say(key, **values), key
            assert "".join(piece for piece, _ in segments) == "".join(piece for piece, _ in words.parts(key, **values))
            stressed = [[p for p, stress in given if stress] for given in (segments, words.parts(key, **values))]
            assert "".join(stressed[0]) == "".join(stressed[1]), key


def test_page_and_script_write_numbers_alike() -> None:
    counts = [(lower, upper) for lower in (0, 1, 9, 10, 1230, 1234567) for upper in (lower, lower + 4, lower + 999)]
    shares = [k / 200 for k in range(201)] + [0.0004, 0.0049, 0.9951, 0.9996]
    ratios = [
        0.1,
        0.5,
        0.6,
        0.89,
        0.91,
        1.0,
        1.05,
        1.2,
        1.36,
        1.94,
        1.95,
        2.04,
        2.69,
        2.9,
        3.6,
        4.7,
        4.75,
        12.4,
        1400.2,
    ]
    changes = [-100.0, -24.4, -0.6, -0.4, 0.0, 0.2, 0.5, 17.0, 99.6, 1250.0]
    pairs: list[tuple[list[Any], str]] = [
        *((["countText", {"lower": low, "upper": high}], words.count_text(low, high)) for low, high in counts),
        *((["rateText", rate], words.rate_text(rate)) for rate in (0.04, 0.5, 9.94, 9.96, 84.2, 10572.4)),
        *((["shareText", share], words.share_text(share)) for share in shares),
        *((["shareRangeText", low, high], words.share_range_text(low, high)) for low in shares[::9] for high in shares),
        *((["signed", change], words.signed(change)) for change in changes),
        *((["ordinal", n], words.ordinal(n)) for n in range(1, 130)),
        *((["timesText", ratio, "Anytown"], words.times_words(ratio, "Anytown")) for ratio in ratios),
        *(
            (["timesRangeText", low, high, "Anytown"], words.times_range_words(low, high, "Anytown"))
            for low in ratios
            for high in ratios
            if low < high
        ),
    ]
    written = said_by_the_script("en", [], [call for call, _ in pairs])["written"]
    wrong = [(call, got, text) for (call, text), got in zip(pairs, written, strict=True) if got != text]
    assert not wrong
