"""CSV that a spreadsheet can open without running anything."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import InputError

__all__ = ["csv_text"]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_SPECIAL = ('"', ",", "\r", "\n")


def csv_text(frame: pd.DataFrame) -> str:
    r"""Write a frame as CSV text with CRLF line ends (RFC 4180); empty means null.

    Texts that a spreadsheet would read as a formula get an apostrophe in front; numbers are left alone, with up to ten
    significant digits. Each distinct value of a column is written once and then looked up.

    Raises
    ------
    InputError
        If a number is infinite.

    Examples
    --------
    >>> csv_text(pd.DataFrame({"name": ["=1+1", 'a "b", c'], "rate": [0.1, None], "whole": [True, False]}))
    'name,rate,whole\r\n\'=1+1,0.1,true\r\n"a ""b"", c",,false\r\n'
    """
    columns = [_cells(frame[name]) for name in frame.columns]
    head = ",".join(_quoted(_disarmed(str(name))) for name in frame.columns)
    lines = [head, *map(",".join, zip(*columns, strict=True))]
    return "\r\n".join(lines) + "\r\n"


def _cells(series: pd.Series) -> list[str]:
    """Return the text of each cell."""
    codes, distinct = pd.factorize(series)
    write = _writer(series)
    texts = np.array([*(write(value) for value in distinct.tolist()), ""], dtype=object)
    cells: list[str] = texts[codes].tolist()  # a null has code -1: the last text, which is empty
    return cells


def _writer(series: pd.Series) -> Callable[[Any], str]:
    types = pd.api.types
    if types.is_bool_dtype(series):
        return lambda value: "true" if value else "false"
    if types.is_integer_dtype(series):
        return str
    if types.is_float_dtype(series):
        return lambda value: _decimal(value, str(series.name))
    return lambda value: _quoted(_disarmed(str(value)))


def _decimal(value: float, name: str) -> str:
    if not np.isfinite(value):
        raise InputError(f"column {name} holds {value}, which is not a number a table can carry: write it as null")
    return f"{value + 0.0:.10g}"  # adding zero turns -0 into 0


def _disarmed(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def _quoted(text: str) -> str:
    """Quote a text that needs it."""
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in _SPECIAL) else text
