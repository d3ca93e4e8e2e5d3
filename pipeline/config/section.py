"""What all sections of the configuration are made of: their base, and the types and settings that several share."""

import difflib
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "HEADER_ROW",
    "NO",
    "SHEET",
    "TRUTHS",
    "YES",
    "CategoryId",
    "Code",
    "DatabaseTable",
    "Day",
    "HeaderRow",
    "Month",
    "Months",
    "Paths",
    "Section",
    "as_numbered",
    "did_you_mean",
    "listed",
    "require_one_origin",
]

Code = Annotated[str, Field(min_length=1, max_length=120)]
CategoryId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
Months = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])(\.\.\d{4}-(0[1-9]|1[0-2]))?$")]
"""One month, or a range of months such as `2020-01..2022-12`."""
Paths = str | Annotated[tuple[str, ...], Field(min_length=1)]
"""One file, or several files and globs."""


def listed(path: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the files and globs of a setting that may be one or several."""
    return (path,) if isinstance(path, str) else path


HeaderRow = Annotated[int, Field(ge=1)] | Literal["auto", "none"]
"""Where the names of the columns stand in a table."""
TRUTHS = YES, NO = ("true", "yes", "y", "t", "1"), ("false", "no", "n", "f", "0")


class Section(BaseModel):
    """One frozen section; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

    def settings(self) -> dict[str, Any]:
        """Return the section as plain JSON values, for manifests and freshness keys."""
        return self.model_dump(mode="json", by_alias=True)


def did_you_mean(word: str, known: list[str]) -> str:
    """Return ` (did you mean "x"?)` for the most similar known word, or nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f' (did you mean "{close[0]}"?)' if close else ""


SHEET = (
    "Sheet of a workbook. By default its only visible sheet with cells, or all of them, one after the other, if they "
    "have the same columns."
)
HEADER_ROW = (
    "Row with the names of the columns, in a text file or a sheet: `auto`, its number as a text editor or spreadsheet "
    "shows it, or `none`. `auto` is the first row, or a later one if only that has the columns named here. With `none` "
    "the columns are named by their numbers, `{example}`. Lines above the header, and totals and notes below the data, "
    "are left out and reported."
)


def as_numbered(given: object, *parts: str) -> object:
    """Return settings with numbers as names of columns: of a file without header `3` stands for `column 3`."""
    if not isinstance(given, dict):
        return given
    headless = given.get("header_row") == "none"

    def named(name: object) -> object:
        if isinstance(name, bool) or not isinstance(name, int | str):
            return name
        text = str(name)
        return f"column {text}" if headless and re.fullmatch(r"[1-9][0-9]*", text) else text

    out = dict(given)
    for part in parts:
        value = out.get(part)
        if isinstance(value, dict):
            out[part] = {
                role: [named(n) for n in name] if isinstance(name, list | tuple) else named(name)
                for role, name in value.items()
            }
        elif value is not None:
            out[part] = named(value)
    return out


class DatabaseTable(Section):
    """A table or query of a database, read in place of files; nothing is ever written to it."""

    url_env: str | None = Field(
        None,
        description="Name of the environment variable that holds the address with user and password, "
        "`postgresql://user:password@host/database`. Needs the extra `database`.",
    )
    file: str | None = Field(None, description="Or a DuckDB or SQLite file, relative to this file.")
    table: str | None = Field(None, min_length=1, description="Table or view, also `schema.table`.")
    query: str | None = Field(None, min_length=1, description="Or one SELECT statement.")
    order_by: tuple[str, ...] = Field(
        min_length=1,
        description="Columns that sort the rows, together unique: a database returns rows in any order, and results "
        "depend on it where rows repeat.",
    )
    watermark: str | None = Field(
        None,
        description="Column that only grows and that every change of a row renews, for example `updated_at`. With it "
        "the copy of the rows is kept beside the outputs, and only what is new is read if `order_by` begins with it; "
        "otherwise every run reads all rows and deletes the copy.",
    )

    @field_validator("url_env")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        # The text itself is not repeated: it may be an address with a password.
        if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(
                "this is not the name of an environment variable: put the address of the database in a variable, for "
                "example HOTSPOTS_DATABASE, and name it here. A password does not belong in a configuration"
            )
        return name

    @field_validator("order_by", mode="before")
    @classmethod
    def _as_list(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_of_each(self) -> "DatabaseTable":
        if (self.url_env is None) == (self.file is None):
            raise ValueError("give either url_env (a database server) or file (a DuckDB or SQLite file)")
        if (self.table is None) == (self.query is None):
            raise ValueError("give either table or query")
        return self


def require_one_origin(paths: object, source: DatabaseTable | None, *, key: str) -> None:
    """Refuse a section that names files and a table of a database, or neither."""
    if bool(paths) == (source is not None):
        raise ValueError(f"give either {key} (files) or source (a table of a database)")
