"""Bad text tables: encodings, separators, quotes, widths, cuts, NULs, numbers, places, dates, headers."""

import gzip
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from tests.fuzz.kit import COLUMNS, Case, adds_up, as_text, gives, good_rows, reading

__all__ = ["FAMILIES"]

ENCODINGS = (
    # what it is written in, what the configuration says, the exit code
    ("utf-8", "utf-8", 0), ("utf-8-sig", "utf-8", 0), ("latin-1", "latin-1", 0), ("cp1252", "cp1252", 0),
    ("utf-16", "utf-16", 0), ("utf-32", "utf-32", 0), ("cp1252", "latin-1", 0), ("mac_roman", "mac_roman", 0),
    ("latin-1", "utf-8", 3), ("cp1252", "utf-8", 3), ("utf-16", "utf-8", 3), ("utf-16-le", "utf-8", 3),
    ("utf-16-be", "utf-8", 3), ("utf-32", "utf-8", 3), ("cp037", "utf-8", 3), ("utf-8", "utf-16", 3),
    ("utf-8", "ascii", 0), ("utf-8", "utf-99", 2), ("utf-8", "rot13", 2), ("utf-8", "base64", 2),
)  # fmt: skip


def encodings(rng: random.Random, folder: Path) -> Case:
    written, stated, code = ENCODINGS[rng.randrange(len(ENCODINGS))]
    rows = good_rows(rng, rng.randint(3, 30))
    rows[-1]["note"] = "naïve £5"
    act = reading(folder / "rows.csv", as_text(rows).encode(written), encoding=stated)
    return Case(act, gives(len(rows)), code, ("encoding", "utf") if code else ())


def separators(rng: random.Random, folder: Path) -> Case:
    rows = good_rows(rng, rng.randint(1, 40))
    style = {"delimiter": rng.choice(",;\t|"), "lineterminator": rng.choice(["\n", "\r\n", "\r"])}
    if rng.random() < 0.5:
        style["quoting"] = rng.choice([1, 2])
    lines = as_text(rows, **style).split(style["lineterminator"])
    for _ in range(rng.randint(0, 4)):
        lines.insert(rng.randint(1, len(lines)), "")
    text = style["lineterminator"].join(lines)
    if rng.random() < 0.3:
        text = style["lineterminator"] * rng.randint(1, 3) + text
    return Case(reading(folder / "rows.csv", text.encode()), gives(len(rows)))


def quotes(rng: random.Random, folder: Path) -> Case:
    rows = good_rows(rng, rng.randint(1, 30))
    marks = ['"', "'", ",", ";", "\n", "\r\n", "\\", "|", "\t", " ", "é", "x", "=", "#", "\u2028", "\x0b", "\x85"]
    for row in rows:
        row["note"] = "".join(rng.choices(marks, k=rng.randint(0, 12)))
    return Case(reading(folder / "rows.csv", as_text(rows).encode()), gives(len(rows)))


def ragged(rng: random.Random, folder: Path) -> Case:
    rows = good_rows(rng, rng.randint(2, 40))
    for row in rows:
        row["note"] = "x"
    head, *lines = as_text(rows).splitlines()
    bad = {}
    for n in rng.sample(range(len(lines)), rng.randint(1, len(lines))):
        cells = lines[n].split(",")
        if rng.random() < 0.5:
            lines[n] = ",".join(cells[: rng.randint(1, len(cells) - 1)])
        else:
            lines[n] += ",y" * rng.randint(1, 50)
        bad[n + 1] = "malformed"
    return Case(reading(folder / "rows.csv", "\n".join([head, *lines, ""]).encode()), gives(len(lines), bad))


def cut_text(rng: random.Random, folder: Path) -> Case:
    """A text that was cut off: every row before the cut is read, the last may be refused, none is lost."""
    rows = good_rows(rng, rng.randint(5, 30))
    for row in rows:
        row["note"] = "x"
    text = as_text(rows)
    cut = text[: rng.randint(len(",".join(COLUMNS)) + 2, len(text) - 1)]
    whole = len(cut.splitlines()) - 1

    def check(found: object) -> None:
        adds_up(whole)(found)  # type: ignore[arg-type]
        assert set(found.rules) <= {whole}  # type: ignore[attr-defined]

    return Case(reading(folder / "rows.csv", cut.encode()), check)


def cut_packed(rng: random.Random, folder: Path) -> Case:
    packed = gzip.compress(as_text(good_rows(rng, rng.randint(5, 200))).encode(), mtime=0)
    cut = packed[: rng.randint(0, len(packed) - 1)]
    return Case(reading(folder / "rows.csv.gz", cut), code=3, says=("unpacked", "decompressed", "empty"))


def nuls(rng: random.Random, folder: Path) -> Case:
    rows = good_rows(rng, rng.randint(3, 30))
    if rng.random() < 0.3:
        at = rng.randrange(len(",".join(COLUMNS)))
        text = as_text(rows)
        return Case(reading(folder / "rows.csv", (text[:at] + "\0" + text[at:]).encode()), code=3, says=("NUL",))
    bad = {}
    for n in rng.sample(range(len(rows)), rng.randint(1, len(rows))):
        column = rng.choice(["note", "date", "easting"])
        rows[n][column] = rows[n][column][:4] + "\0" * rng.randint(1, 2000) + rows[n][column][4:]
        if column != "note":
            bad[n + 1] = {"date_unreadable", "coordinates_unreadable", "malformed"}
    return Case(reading(folder / "rows.csv", as_text(rows).encode()), gives(len(rows), bad))


NUMBERS: dict[str, set[str]] = {
    "NaN": {"coordinates_half"}, "nan": {"coordinates_half"}, "-inf": {"not_finite"}, "Infinity": {"not_finite"},
    "9" * 400: {"not_finite", "far", "coordinates_unreadable"}, "9" * 40: {"far"}, "1e308": {"far"},
    "1e999": {"not_finite", "far", "coordinates_unreadable"}, "-9223372036854775809": {"far"},
    "0x81A00": {"coordinates_unreadable"}, "5.3.0": {"coordinates_unreadable"}, "--530500": {"coordinates_unreadable"},
    "530_500": {"coordinates_unreadable"}, "530 50": {"coordinates_unreadable"}, "£5": {"coordinates_unreadable"},
    "=1+1": {"coordinates_unreadable"}, "E530500": {"coordinates_unreadable"}, "": {"coordinates_half"},
    "TQ305805": {"coordinates_unreadable"}, "530500ft": {"coordinates_unreadable"}, "1e": {"coordinates_unreadable"},
    "٥٣٠٥٠٠": {"coordinates_unreadable"}, "−530500": {"far"}, "True": {"coordinates_unreadable"},
    "null": {"coordinates_unreadable", "coordinates_half"}, "'; DROP TABLE x; --": {"coordinates_unreadable"},
}  # fmt: skip


def numbers(rng: random.Random, folder: Path) -> Case:
    rows = good_rows(rng, rng.randint(2, 30))
    bad = {}
    for n in rng.sample(range(len(rows)), rng.randint(1, len(rows) - 1)):
        text = rng.choice(sorted(NUMBERS))
        rows[n][rng.choice(["easting", "northing"])] = text
        bad[n + 1] = NUMBERS[text]
    return Case(reading(folder / "rows.csv", as_text(rows).encode()), gives(len(rows), bad))


def swapped(rng: random.Random, folder: Path) -> Case:
    rows = good_rows(rng, rng.randint(4, 40))
    bad = {}
    for n in rng.sample(range(len(rows)), rng.randint(1, len(rows) // 2)):
        rows[n]["easting"], rows[n]["northing"] = rows[n]["northing"], rows[n]["easting"]
        bad[n + 1] = "swapped"
    return Case(reading(folder / "rows.csv", as_text(rows).encode()), gives(len(rows), bad))


SYSTEMS = (
    "EPSG:4326",
    "EPSG:3857",
    "EPSG:32630",
    "EPSG:2193",
    "EPSG:27700,",
    "EPSG:-1",
    "27700 27700",
    "OSGB",
    "",
    "x",
)


def systems(rng: random.Random, folder: Path) -> Case:
    """A wrong system: no row may come to lie in a ward."""
    rows = good_rows(rng, rng.randint(2, 20))

    def check(found: object) -> None:
        adds_up(len(rows))(found)  # type: ignore[arg-type]
        assert found.report.places["point"] == 0  # type: ignore[attr-defined]

    act = reading(folder / "rows.csv", as_text(rows).encode(), crs=SYSTEMS[rng.randrange(len(SYSTEMS))])
    return Case(act, check, None)


FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%d/%m/%Y", "%Y/%m/%d")
NO_DATES = ("2025-02-30", "2025-13-01", "2025-00-10", "2025-06-31", "soon", "0000-00-00", "2025-1", "20250", "45678.5",
            "2025-01-02-03", "31/02/2025", "१२-०३-२०२५", "2025-W01", "NaT", "1e5", "--", "99/99/9999")  # fmt: skip


def dates(rng: random.Random, folder: Path) -> Case:
    rows = good_rows(rng, rng.randint(3, 40))
    style = rng.choice(FORMATS)
    days = [date(2025, 1, 13) + timedelta(days=rng.randrange(340)) for _ in rows]
    days[0] = date(2025, 6, 30)  # no file that is day first throughout may leave it open
    bad: dict[int, set[str] | str] = {}
    for row, day in zip(rows, days, strict=True):
        row["date"] = day.strftime(style)
    for n in rng.sample(range(1, len(rows)), rng.randint(1, len(rows) // 2)):
        kind = rng.random()
        if kind < 0.6:
            rows[n]["date"], bad[n + 1] = rng.choice(NO_DATES), "date_unreadable"
        elif kind < 0.8:
            rows[n]["date"], bad[n + 1] = date(2199, 1, 20).strftime(style), "date_future"
        else:
            rows[n]["date"], bad[n + 1] = " " * rng.randint(0, 3), "date_missing"
    act = reading(folder / "rows.csv", as_text(rows).encode())

    def check(found: object) -> None:
        gives(len(rows), bad)(found)  # type: ignore[arg-type]
        wanted = [d.isoformat() for n, d in enumerate(days, start=1) if n not in bad]
        assert found.incidents["occurred_on"].tolist() == wanted  # type: ignore[attr-defined]

    return Case(act, check)


def repeated_headers(rng: random.Random, folder: Path) -> Case:
    """Columns of one name: the first is meant, and nothing of the others gets into it."""
    rows = good_rows(rng, rng.randint(1, 20))
    again = rng.sample(COLUMNS, rng.randint(1, len(COLUMNS)))
    head, *lines = as_text([{**r, "note": "x"} for r in rows]).splitlines()
    text = "\n".join([",".join([head, *again]), *(",".join([line, *("9" * len(again))]) for line in lines), ""])

    def check(found: object) -> None:
        gives(len(rows))(found)  # type: ignore[arg-type]
        assert found.incidents["incident_id"].tolist() == [r["id"] for r in rows]  # type: ignore[attr-defined]
        assert found.incidents["easting_m"].tolist() == [float(r["easting"]) for r in rows]  # type: ignore[attr-defined]

    return Case(reading(folder / "rows.csv", text.encode()), check)


def headers(rng: random.Random, folder: Path) -> Case:
    rows = good_rows(rng, rng.randint(0, 10))
    head, *lines = as_text([{**r, "note": "x"} for r in rows]).splitlines()
    kinds: tuple[tuple[str, int, tuple[str, ...]], ...] = (
        (head.replace("date", "when"), 3, ("date",)),
        (head.replace("easting", "across"), 3, ("easting", "northing", "column")),
        (",,,,,", 3, ("header", "column")),
        ("  \t ", 3, ("header", "column", "date")),
        (head.upper(), 0, ()),
        (head.replace("date", "  date  "), 0, ()),
        (head.replace("note", "x" * 100_000), 0, ()),
        (head.replace("note", "note" + ",z" * 3000), 3, ("max_columns",)),
        ("1,2025-01-02,530500,180500,race,x", 3, ("date", "column")),
        ("<!DOCTYPE html><html><body>Please sign in</body></html>", 3, ("date", "column")),
    )
    first, code, says = kinds[rng.randrange(len(kinds))]
    act = reading(folder / "rows.csv", "\n".join([first, *lines, ""]).encode())
    return Case(act, gives(len(rows)), code if rows or code == 0 else 3, says)


FAMILIES: dict[str, tuple[int, Callable[[random.Random, Path], Case]]] = {
    "encodings": (25, encodings),
    "separators and line ends": (25, separators),
    "quotes": (25, quotes),
    "rows of the wrong width": (25, ragged),
    "texts cut off": (15, cut_text),
    "packed texts cut off": (15, cut_packed),
    "NUL bytes": (15, nuls),
    "numbers that are none": (30, numbers),
    "coordinates exchanged": (15, swapped),
    "wrong systems": (15, systems),
    "dates": (30, dates),
    "repeated columns": (10, repeated_headers),
    "headers": (15, headers),
}
