"""Bad settings and bad published counts: YAML, keys, contradictions, category rules, counts tables."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pipeline.config import load_config, parse_config
from pipeline.ingest import read_counts
from tests.fuzz.kit import Case, as_text, good_rows
from tests.kit.city import CONFIG
from tests.kit.readers import read

__all__ = ["FAMILIES"]

Way = tuple[Callable[[dict[str, Any]], Any], tuple[str, ...]]


def loading(folder: Path, text: str | bytes) -> Callable[[], Any]:
    """Write a configuration and return what loads it."""
    path = folder / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return lambda: load_config(path)


BROKEN_YAML: tuple[bytes, ...] = (
    b"",
    b"\n\n",
    b"#only a comment\n",
    b"- a\n- b\n",
    b"text",
    b"12",
    b"null",
    b"{",
    b"run: [",
    b"run: {name: x",
    b"a: b: c",
    b"run:\n\tname: x",
    b"run: 'x",
    b'run: "x',
    b"run: *nothing",
    b"run: &a [*a]",
    b"%YAML 9.9\n---\n",
    b"\xff\xfe\x00run",
    b"run: \x00",
    b"run: !!python/name:os.system",
    b"run: !!binary x",
    b"---\na: 1\n---\nb: 2\n",
    b"? [a, b]\n: c\n",
    b"run: {name: \x07}",
    b"[" * 5000,
    b"a: " * 500,
    b"\xef\xbb\xbf",
    b"run: !unknown x",
    b"<<: 5\n",
    b"caf\xe9: 1",
)


def broken_yaml(rng: random.Random, folder: Path) -> Case:
    text = BROKEN_YAML[rng.randrange(len(BROKEN_YAML))]
    if rng.random() < 0.3:
        text = CONFIG.encode() + b"\n" + text.replace(b"run", b"page") if len(text) > 10 else text
        return Case(loading(folder, text), code=None)  # the whole may still be sound
    return Case(loading(folder, text), code=2)


def cut_yaml(rng: random.Random, folder: Path) -> Case:
    """A configuration cut off or with a character changed: refused as a configuration, or still sound."""
    text = CONFIG
    at = rng.randrange(len(text))
    text = text[:at] if rng.random() < 0.5 else text[:at] + rng.choice("{}[]:,'\"\t#&*!|>%@`\0x9") + text[at + 1 :]
    return Case(loading(folder, text), lambda found: found.run.name, None)


def keys(rng: random.Random, folder: Path) -> Case:
    """One unknown key, somewhere: refused, and named."""
    content = yaml.safe_load(CONFIG)
    sections = [content, content["run"], content["crs"], content["areas"], content["areas"]["wards"],
                content["incidents"][0], content["incidents"][0]["columns"], content["categories"],
                content["categories"]["tree"][0], content["periods"], content["detect"],
                content["detect"]["density"], content["profiles"][0], content["areas"]["population"][0]]  # fmt: skip
    section = rng.choice(sections)
    known = rng.choice(sorted(section))
    at = rng.randrange(len(known))
    wrong = known[:at] + rng.choice("qzx_") + known[at + rng.randint(0, 1) :]
    section[wrong if wrong not in section else wrong + "q"] = section.pop(known)
    return Case(loading(folder, yaml.safe_dump(content)), code=2, says=(wrong,))


TYPES: tuple[tuple[str, Any], ...] = (
    ("run.seed", "many"),
    ("run.seed", -1),
    ("run.seed", 1.5),
    ("run.name", ""),
    ("run.name", "../x"),
    ("run.name", "a/b"),
    ("run.name", "."),
    ("run.name", None),
    ("run.title", ["x"]),
    ("run.engine", "spark"),
    ("run.memory_limit_mb", 0),
    ("run.max_row_kb", 0),
    ("run.max_columns", "all"),
    ("run.max_unpacked_ratio", 1),
    ("run.workers", 10**9),
    ("crs.working", 27700),
    ("crs.working", None),
    ("areas", None),
    ("areas.wards", "wards.gpkg"),
    ("areas.cell_m", 0),
    ("areas.cell_m", float("nan")),
    ("areas.cell_m", float("inf")),
    ("areas.snap_m", -1),
    ("incidents", {}),
    ("incidents", []),
    ("incidents.0.paths", []),
    ("incidents.0.paths", "x.csv"),
    ("incidents.0.format", "xls"),
    ("incidents.0.delimiter", ";;"),
    ("incidents.0.extent", [1, 2, 3]),
    ("incidents.0.name", "../../etc"),
    ("categories.tree", "race"),
    ("categories.unknown", "maybe"),
    ("periods.last_complete_date", 2024),
    ("quality", {"max_quarantined_pct": 101}),
    ("quality", {"max_quarantined_pct": -1}),
    ("profiles", []),
    ("profiles.0.audience", "everyone"),
    ("profiles.1.threshold", -5),
    ("profiles.1.threshold", 2),
    ("profiles.1.ward_period", "rolling"),
    ("profiles.0.name", "work"),
    ("profiles.1.name", "internal"),
    ("page", {"tiles": {"url": "http://x.org/{z}"}}),
    ("page", {"language": 5}),
    ("disclosure", {"data_source": "../x"}),
)


def types(rng: random.Random, folder: Path) -> Case:
    """One value of the wrong type or outside its bounds: refused, and its place named."""
    key, value = TYPES[rng.randrange(len(TYPES))]
    content = yaml.safe_load(CONFIG)
    at: Any = content
    *path, last = key.split(".")
    for part in path:
        at = at[int(part)] if part.isdigit() else at[part]
    at[last] = value
    place = key.split(".")[-1]
    return Case(loading(folder, yaml.safe_dump(content)), code=2, says=(place, "data", "profile"))


CATEGORY_MISTAKES: tuple[tuple[list[dict[str, Any]], int, tuple[str, ...]], ...] = (
    ([{"id": "race"}, {"id": "race"}], 2, ("race",)),
    ([{"id": "all"}], 2, ("all",)),
    ([{"id": "a", "parent": "b"}, {"id": "b", "parent": "a"}], 2, ("circle",)),
    ([{"id": "a", "parent": "a"}], 2, ("circle",)),
    ([{"id": "race", "parent": "rage"}], 2, ("race",)),
    ([{"id": "Race"}], 2, ("id",)),
    ([{"id": "9race"}], 2, ("id",)),
    ([{"id": "race-hate"}], 2, ("id",)),
    ([{"id": ""}], 2, ("id",)),
    ([{"id": "x" * 61}], 2, ("id",)),
    ([{"id": "ra ce"}], 2, ("id",)),
    ([{"id": "r'; --"}], 2, ("id",)),
    ([{"id": "race", "label": "x" * 301}], 2, ("label",)),
    ([{"label": "Race"}], 2, ("id",)),
    ([{}], 2, ("id",)),
    ([{"id": "race", "flag": "no such column"}], 3, ("no such column",)),
    ([{"id": "race", "rule": {"no such column": ["x"]}}], 3, ("no such column",)),
    ([{"id": "race", "rule": {"note": "x"}}], 2, ("rule",)),
    ([{"id": "race", "match": "race"}], 2, ("match",)),
)


def categories(rng: random.Random, folder: Path) -> Case:
    tree, code, says = CATEGORY_MISTAKES[rng.randrange(len(CATEGORY_MISTAKES))]
    path = folder / "rows.csv"
    path.write_text(as_text(good_rows(rng, 10)), encoding="utf-8")

    def act() -> Any:
        content = yaml.safe_load(CONFIG)
        content["categories"] = {"tree": tree}
        content["incidents"][0]["columns"] = {"category": "strand"}
        return read(path, parse_config(content))

    return Case(act, code=code, says=says)


MISTAKES: dict[str, tuple[str, str]] = {
    # column, text: and the rule that refuses it ("" for a row that is right all the same)
    "negative": ("value", "-3"), "fraction": ("value", "2.5"), "text": ("value", "three"), "blank": ("value", ""),
    "infinite": ("value", "inf"), "huge": ("value", "9" * 20), "exponent": ("value", "1e3"), "arabic": ("value", "٣"),
    "month 13": ("month", "2025-13-01"), "no month": ("month", ""), "other form": ("month", "01/02/2025"),
    "level": ("level", "county"), "no level": ("level", ""), "measure": ("measure", "arrests"),
}  # fmt: skip
RULE_OF = {"value": "value", "month": "period", "level": "level", "measure": "measure"}


def counts(rng: random.Random, folder: Path) -> Case:
    """Published counts with mistakes: every row is mapped, unmapped, or refused by the rule that names its mistake."""
    wards = [f"W{n}" for n in range(4)]
    rows = [
        {
            "level": "ward",
            "measure": "incidents",
            "code": rng.choice([*wards, "X9"]),
            "month": f"2025-{n % 12 + 1:02d}-01",
            "value": str(rng.randint(0, 50)),
        }
        for n in range(rng.randint(4, 40))
    ]
    rules: dict[str, int] = {}
    bad = set()
    for at in rng.sample(range(len(rows)), rng.randint(1, len(rows))):
        column, text = MISTAKES[rng.choice(sorted(MISTAKES))]
        rows[at][column] = text
        rules[RULE_OF[column]] = rules.get(RULE_OF[column], 0) + 1
        bad.add(at)
    path = folder / "counts.csv"
    path.write_text(as_text(rows, columns=["level", "measure", "code", "month", "value"]), encoding="utf-8")
    config = parse_config(
        {
            "areas": {"wards": {"path": "wards.gpkg"}},
            "published_counts": [{"paths": ["counts.csv"], "columns": {"area_code": "code", "level": "level",
                                  "measure": "measure", "period": "month", "value": "value"}}],
        }
    )  # fmt: skip
    table = pd.DataFrame({"area_code": ["R", *wards], "level": ["region", *["ward"] * 4]})

    def check(part: Any) -> None:
        assert part.report.rows_read == len(rows)
        assert part.report.quarantined == rules
        sound = [row for at, row in enumerate(rows) if at not in bad]
        mapped = [int(row["value"]) for row in sound if row["code"] in wards]
        kept = part.table
        assert int(kept["value"].sum()) == sum(int(row["value"]) for row in sound)
        assert int(kept.loc[kept["mapped"], "value"].sum()) == sum(mapped)

    return Case(lambda: read_counts(path, source=config.published_counts[0], config=config, areas_table=table), check)


FAMILIES: dict[str, tuple[int, Callable[[random.Random, Path], Case]]] = {
    "broken YAML": (20, broken_yaml),
    "YAML cut or changed": (15, cut_yaml),
    "unknown keys": (15, keys),
    "values of the wrong kind": (20, types),
    "category rules": (15, categories),
    "published counts": (15, counts),
}
