"""Tables that say in which ward or borough a smaller area lies: LSOAs, MSOAs, output areas, a force's beats.

Wards are seldom made up of such areas exactly. A code that a table gives several wards of one borough counts in that
borough alone; a code in several boroughs counts in neither, and is reported.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config import AreaTable, Run
from pipeline.errors import InputError
from pipeline.ingest.formats.files import DEFAULT_LIMITS, existing, find_columns, read_table

__all__ = ["read_small_areas", "small_area_columns"]


def small_area_columns(settings: AreaTable, *, key: str) -> list[tuple[str, str]]:
    """Return configuration key and name of every column that a table needs."""
    named = [(f"{key}.code", settings.code)]
    return [*named, (f"{key}.area", settings.area)] if settings.area is not None else named


def read_small_areas(
    tables: Sequence[AreaTable],
    *,
    base: Path,
    parents: Mapping[str, str],
    limits: Run = DEFAULT_LIMITS,
    scratch: Path | None = None,
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Read in which ward or borough every smaller area lies.

    Parameters
    ----------
    tables
        The tables; of a code in several, the first decides.
    base
        Folder that paths start from.
    parents
        Borough code of every ward.
    limits
        How long a file and its rows may be.
    scratch
        Folder for temporary files while reading; by default the system's.

    Returns
    -------
    codes, report
        Code of the ward or borough by that of the smaller area; and for each file: rows, codes in one ward, codes in
        one borough alone, codes in several boroughs, codes whose area is not in the boundaries.

    Raises
    ------
    InputError
        If a file or column is missing, or none of its areas is in the boundaries.
    """
    found: dict[str, str] = {}
    report = []
    for number, settings in enumerate(tables):
        codes, account = _read(
            settings, key=f"geocode.areas[{number}]", base=base, parents=parents, limits=limits, scratch=scratch
        )
        found = codes | found
        report.append(account)
    return found, report


def _read(
    settings: AreaTable, *, key: str, base: Path, parents: Mapping[str, str], limits: Run, scratch: Path | None
) -> tuple[dict[str, str], dict[str, Any]]:
    path = existing(settings.path, base=base, what=f"{key}.path")
    wanted = small_area_columns(settings, key=key)
    table = read_table(path, encoding=settings.encoding, sheet=settings.sheet, limits=limits, scratch=scratch)
    places = find_columns(wanted, list(table.columns), file=path.name)
    # The boundaries' codes in any case; of the columns of ward codes, borough codes and names, the finest that fits.
    wards = {code.casefold(): code for code in parents}
    boroughs = {code.casefold(): code for code in parents.values()}
    known = wards | {code: own for code, own in boroughs.items() if code not in wards}
    own = table.iloc[:, places[0]].astype("str").str.strip()
    candidates = [places[1]] if settings.area is not None else [i for i in range(table.shape[1]) if i != places[0]]
    texts = {i: table.iloc[:, i].astype("str").str.strip().str.casefold() for i in candidates}
    fits = {i: (int(texts[i].isin(wards).sum()), int(texts[i].isin(boroughs).sum()), -i) for i in candidates}
    at = max(fits, key=lambda i: fits[i]) if fits else -1
    if at < 0 or fits[at][:2] == (0, 0):
        column = f"column {settings.area!r}" if settings.area is not None else "any column"
        raise InputError(
            f"{path.name} ({key}) has no code of the boundaries' wards or boroughs in {column}: set {key}.area to the "
            "column of the ward's code, or use a table of the edition of the boundaries"
        )
    targets: dict[str, set[str]] = {}
    lost: set[str] = set()
    for code, text in zip(own.tolist(), texts[at].tolist(), strict=True):
        if not code:
            continue
        if text in known:
            targets.setdefault(code, set()).add(known[text])
        else:
            lost.add(code)
    found: dict[str, str] = {}
    in_wards, split = 0, []
    for code, areas in targets.items():
        # A code that also lies in an area that is not in the boundaries lies beside them in part.
        of_boroughs = {parents.get(area, area) for area in areas}
        if len(areas) == 1 and code not in lost:
            found[code] = next(iter(areas))
            in_wards += found[code] in parents
        elif len(of_boroughs) == 1 and code not in lost:
            found[code] = next(iter(of_boroughs))
        else:
            split.append(code)
    account = {
        "file": path.name,
        "area_column": str(table.columns[at]),
        "rows": len(table),
        "codes_in_one_ward": in_wards,
        "codes_in_one_borough": len(found) - in_wards,
        "codes_in_several_boroughs": len(split),
        "codes_outside": len(lost - set(split)),
        "several": sorted(split)[:20],
    }
    return found, account
