"""CSV that a spreadsheet can open without running anything."""

import csv
import io

import pandas as pd

__all__ = ["csv_text"]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(frame: pd.DataFrame) -> str:
    """Write a frame as UTF-8 CSV text with CRLF line ends (RFC 4180); empty means null.

    Texts that a spreadsheet would read as a formula get an apostrophe in front; numbers are left alone.
    """
    out = frame.copy()
    for column in out.columns:
        if pd.api.types.is_bool_dtype(out[column]):
            out[column] = out[column].map({True: "true", False: "false"})
        elif not pd.api.types.is_numeric_dtype(out[column]):
            out[column] = _disarmed(out[column])
    buffer = io.StringIO()
    out.to_csv(buffer, index=False, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL, float_format="%.10g")
    return buffer.getvalue()


def _disarmed(series: pd.Series) -> pd.Series:
    """Put an apostrophe before texts that start like a formula; work on distinct values only."""
    distinct = [v for v in series.unique() if isinstance(v, str) and v.startswith(_FORMULA_STARTS)]
    return series.replace({v: "'" + v for v in distinct}) if distinct else series
