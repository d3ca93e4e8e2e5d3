"""Which of a source's files was issued later, and which files a later one replaces completely.

File modification times are not used, because copying changes them. Only names given by the publisher or analyst count.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import QualityError
from pipeline.ingest.incidents.dates import parse_date

__all__ = ["Edition", "Replaced", "file_month", "issue_ranks", "replaced_files"]

# A month, or a day, in a name: 2025-01, 2025_01, 202501, 2025-01-31. More digits on either side make it something else.
_DATED = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])(?:[-_.]?(0[1-9]|[12]\d|3[01]))?(?!\d)")
_MONTH_FOLDER = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])")
_STREET = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))-(.+)-street(?:\.[^/]*)?", re.IGNORECASE)
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Edition:
    """One file of a source, for comparison with the others.

    Attributes
    ----------
    label
        Its value in the `source` column.
    path
        Its path from the configuration's folder, with forward slashes.
    checksum
        SHA-256 of its bytes.
    """

    label: str
    path: str
    checksum: str = ""

    @property
    def name(self) -> str:
        """File name."""
        return self.path.rpartition("/")[2]

    @property
    def folders(self) -> list[str]:
        """Names of its folders, the nearest last."""
        return [part for part in self.path.split("/")[:-1] if part not in {"", ".", ".."}]


@dataclass(frozen=True, slots=True)
class Replaced:
    """A file whose rows do not count, because another file replaces it.

    Attributes
    ----------
    label, by
        The file, and the one that replaces it.
    same
        Whether both have the same bytes: the file was added twice.
    """

    label: str
    by: str
    same: bool


def file_month(name: str) -> str:
    """Return the last month in a file's name, as yyyy-mm; empty if there is none.

    Examples
    --------
    >>> [file_month(n) for n in ("2024-03-northshire-street.csv", "extract 20250131.csv", "incidents.csv")]
    ['2024-03', '2025-01', '']
    """
    found = _DATED.findall(name)
    return f"{found[-1][0]}-{found[-1][1]}" if found else ""


def issue_ranks(files: Sequence[Edition], *, issued: str | None) -> dict[str, int | None]:
    """Rank the files of one source by when they were issued, 0 for the earliest; files with equal rank are tied.

    With `issued`, the text found by its first group in the path decides: as a date if all are dates, otherwise as text
    in natural order. Without it, the last month in the name of the archive or folder above the month's folder decides;
    a folder without a month in its name has the latest month in its files' names.

    Parameters
    ----------
    files
        The files of the source.
    issued
        The setting: a regular expression, or None.

    Returns
    -------
    ranks
        By label; None if the issue date of a file is unknown.

    Examples
    --------
    >>> later = Edition("b", "archive-2025-01/2024-03/2024-03-force-street.csv")
    >>> issue_ranks([Edition("a", "archive-2024-12/2024-03/2024-03-force-street.csv"), later], issued=None)
    {'a': 0, 'b': 1}
    """
    texts = _stated(files, issued) if issued else _by_folder(files)
    known = {label: text for label, text in texts.items() if text}
    dates = {text: parse_date(text, day_first=True) for text in set(known.values())}
    if all(dates.values()):
        keys = {label: (str(parts.iso),) for label, text in known.items() if (parts := dates[text])}
        order: list[tuple[object, ...]] = sorted(set(keys.values()))
        return {label: order.index(keys[label]) if label in keys else None for label in texts}
    natural = {label: _natural(text) for label, text in known.items()}
    ordered = sorted(set(natural.values()))
    return {label: ordered.index(natural[label]) if label in natural else None for label in texts}


def _stated(files: Sequence[Edition], issued: str) -> dict[str, str]:
    pattern = re.compile(issued)
    found = {file.label: pattern.search(file.path) for file in files}
    # The first group that matched; without groups, the whole match.
    return {
        label: next((g for g in match.groups() if g), match.group()) if match else "" for label, match in found.items()
    }


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort numbers within a text as numbers: v2 before v10."""
    return tuple((0, int(t), "") if t.isdigit() else (1, 0, t.casefold()) for t in _DIGITS.split(text) if t)


def _by_folder(files: Sequence[Edition]) -> dict[str, str]:
    dated = {file.label: _folder_date(file) for file in files}
    # An archive without a date in its name is as old as the latest month in its files' names.
    latest: dict[str, str] = defaultdict(str)
    for file in files:
        latest[_archive(file)] = max(latest[_archive(file)], file_month(file.name), _month_folder(file))
    return {file.label: dated[file.label] or latest[_archive(file)] for file in files}


def _month_folder(file: Edition) -> str:
    """Return the folder whose name is the month of the rows, not of the issue; empty if none."""
    last = file.folders[-1] if file.folders else ""
    if not _MONTH_FOLDER.fullmatch(last):
        return ""
    above = any(_DATED.search(folder) for folder in file.folders[:-1])
    return last if above or file_month(file.name) == last else ""


def _archive(file: Edition) -> str:
    """Return the folder that contains the months' folders."""
    return "/".join(file.path.split("/")[: -2 if _month_folder(file) else -1])


def _folder_date(file: Edition) -> str:
    folders = file.folders[:-1] if _month_folder(file) else file.folders
    for folder in reversed(folders):
        if found := _DATED.findall(folder):
            return "-".join(part for part in found[-1] if part)
    return ""


def replaced_files(
    files: Sequence[Edition], ranks: Mapping[str, int | None], *, keep_first: bool = False
) -> list[Replaced]:
    """Find the files of one source that another file replaces completely.

    These are files with the same bytes as another, and of police.uk files with the same name (`2024-03-force-street`:
    one month of one force) all but the one issued last.

    Parameters
    ----------
    files, ranks
        The files of the source, and their ranks from `issue_ranks`.
    keep_first
        The first by label counts, not the one issued last (`repeated_id: first`).

    Raises
    ------
    QualityError
        If files of one month and force differ and it is unknown which was issued later.

    Examples
    --------
    >>> files = [Edition("a", "x-2024-12/2024-03-force-street.csv"), Edition("b", "x-2025-01/2024-03-force-street.csv")]
    >>> replaced_files(files, issue_ranks(files, issued=None))
    [Replaced(label='a', by='b', same=False)]
    """
    found: dict[str, Replaced] = {}
    # The newest first; among ties the first label, so that the result does not depend on the input order.
    ordered = sorted(files, key=lambda f: (0 if keep_first else -_height(ranks[f.label]), f.label))
    by_bytes: dict[str, Edition] = {}
    for file in ordered:
        first = by_bytes.setdefault(file.checksum, file) if file.checksum else file
        if first is not file:
            found[file.label] = Replaced(file.label, first.label, same=True)
    of_a_month: dict[tuple[str, str], list[Edition]] = defaultdict(list)
    for file in ordered:
        if (match := _STREET.fullmatch(file.name)) and file.label not in found:
            of_a_month[(match[1], match[2].casefold())].append(file)
    for newest, *others in of_a_month.values():
        for other in others:
            if not keep_first and ranks[other.label] == ranks[newest.label]:
                raise QualityError(
                    f"{newest.path} and {other.path} are for the same month and force but differ, and it is unknown "
                    "which was "
                    "issued later: put each archive in a folder whose name has its month (archive-2025-01), or set "
                    "incidents.issued to a pattern that finds the date in the path"
                )
            found[other.label] = Replaced(other.label, newest.label, same=False)
    # A copy of a file that is itself replaced is replaced by the file that counts in the end.
    settled = []
    for label, replaced in sorted(found.items()):
        by = replaced.by
        while by in found:
            by = found[by].by
        settled.append(Replaced(label, by, replaced.same))
    return settled


def _height(rank: int | None) -> int:
    return -1 if rank is None else rank
