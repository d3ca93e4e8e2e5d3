"""The contract of a table, and how a frame is checked against it."""

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import SchemaError

if TYPE_CHECKING:  # the names of levels and tables are needed where no array library is loaded
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = ["Column", "Kind", "Table", "nullable", "ranged"]

Kind = Literal["string", "int", "float", "bool", "date", "geometry"]

# pandas type of each kind. Integers and booleans use the nullable types, so that an empty cell does not turn a count
# into a float; dates stay ISO texts, which sort like dates.
_EMPTY = {"string": "str", "int": "Int64", "float": "float64", "bool": "boolean", "date": "str", "geometry": "object"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, whether it may be empty, its meaning, and its short name for shapefiles."""

    name: str
    kind: Kind
    text: str
    null: bool = False
    alias: str = ""

    @property
    def short(self) -> str:
        """Name of ten characters or fewer."""
        return self.alias or self.name[:10]


def ranged(name: str, text: str, short: str) -> tuple[Column, ...]:
    """Return a count's three columns: its middle, and its lowest and highest possible value."""
    return (
        Column(name, "int", text, null=True, alias=short),
        Column(f"{name}_lower", "int", f"Lowest possible value of {name}.", null=True, alias=f"{short[:7]}_lo"),
        Column(f"{name}_upper", "int", f"Highest possible value of {name}.", null=True, alias=f"{short[:7]}_up"),
    )


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its key, its columns in order, and whether others (categories) may follow.

    Examples
    --------
    >>> table = Table("counts", ("code",), (Column("code", "string", "Code."), Column("n", "int", "Count.", null=True)),
    ...               "Counts.")
    >>> import pandas as pd
    >>> table.conform(pd.DataFrame({"n": [3, None], "code": ["A", "B"]}))["n"].tolist()
    [3, <NA>]
    >>> table.conform(pd.DataFrame({"code": ["A", "A"]}))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    pipeline.errors.SchemaError: table counts breaks its contract: 1 rows repeat the key (code). This is ...
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    text: str
    open_prefix: str = ""

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [c.name for c in self.columns]

    def described(self, **lists: str) -> "Table":
        """Return the table with `{name}` in the descriptions of its columns replaced by `lists[name]`.

        A description that lists the entries of a registry cannot be written here, because registries are in higher
        packages.
        """
        columns = []
        for column in self.columns:
            text = column.text
            for name, listed in lists.items():
                text = text.replace(f"{{{name}}}", listed)
            columns.append(replace(column, text=text))
        return replace(self, columns=tuple(columns))

    def empty(self) -> "pd.DataFrame":
        """Return the table without rows."""
        return _without_rows(self.columns).copy()

    def conform(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """Return a copy with every column, in order and with its type; open columns come last."""
        extra = [c for c in map(str, frame.columns) if self.open_prefix and c.startswith(self.open_prefix)]
        out = frame.reindex(columns=[*self.names, *(c for c in extra if c not in self.names)])
        # Most columns have their type already: only the others are looked at.
        types = _types(out)
        for column in self.columns:
            if column.kind != "geometry" and types[column.name] != _EMPTY[column.kind]:
                out[column.name] = _as_kind(out[column.name], column.kind)
        self.check(out)
        return out

    def check(self, frame: "pd.DataFrame") -> None:
        """Check a frame against the contract.

        Raises
        ------
        SchemaError
            With every column that is missing, empty although it may not be, or of another type, and repeated keys.
        """
        import pandas as pd

        faults = []
        frame = pd.DataFrame(frame)  # of a frame with geometry every single column would be looked at for shapes
        types = _types(frame)
        missing = [n for n in self.names if n not in types]
        if missing:
            faults.append(f"columns missing: {', '.join(missing)}")
        # Of all columns at once: taking one out of a frame costs more than all that is done with it in a small table.
        empty_rows = dict(zip(frame.columns, frame.isna().to_numpy().sum(axis=0).tolist(), strict=True))
        for column in self.columns:
            if column.name in missing or column.kind == "geometry":
                continue
            empty = empty_rows[column.name]
            if not column.null and empty:
                faults.append(f"{column.name} is empty in {empty} rows")
            typed = types[column.name] == _EMPTY[column.kind] or empty == len(frame)
            if not typed and not _is_kind(frame[column.name], column.kind):
                faults.append(f"{column.name} is {frame[column.name].dtype}, not {column.kind}")
        keyed = bool(self.key) and not missing and len(frame) > 1
        if keyed and not _ascends(frame, self.key) and frame.duplicated(list(self.key)).any():
            faults.append(f"{int(frame.duplicated(list(self.key)).sum())} rows repeat the key ({', '.join(self.key)})")
        if faults:
            raise SchemaError(
                f"table {self.name} breaks its contract: {'; '.join(faults)}. This is a bug: please report it."
            )


@cache
def _without_rows(columns: tuple[Column, ...]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({c.name: pd.Series([], dtype=_EMPTY[c.kind]) for c in columns})


def _types(frame: "pd.DataFrame") -> dict[Any, str]:
    """Return the name of each column's type."""
    return dict(zip(frame.columns, map(str, frame.dtypes), strict=True))


def nullable(values: "npt.ArrayLike", *, given: "npt.NDArray[np.bool_]") -> Any:
    """Return a nullable numeric column, empty for missing numbers.

    >>> import numpy as np
    >>> nullable([1.5, 2.5], given=np.array([True, False])).tolist()
    [1.5, <NA>]
    """
    import numpy as np
    import pandas as pd

    column = pd.array(np.where(given, values, 0.0), dtype="Float64")
    column[~given] = pd.NA
    return column


def plain_values(column: "pd.Series[Any]") -> list[Any]:
    """Return the values of a column as Python's own, None where one is missing.

    >>> import pandas as pd
    >>> plain_values(pd.Series([3, None], dtype="Int64")), plain_values(pd.Series([0.5, None]))
    ([3, None], [0.5, None])
    """
    values: list[Any] = column.to_numpy(dtype=object, na_value=None).tolist()
    return values


def _ascends(frame: "pd.DataFrame", key: tuple[str, ...]) -> bool:
    """Whether each row's key is greater than the one before: tables are written in order, and this is fast to check."""
    import numpy as np

    equal = None  # rows equal to the previous one in the columns so far; at first, all rows but the first
    for name in key:
        if frame[name].isna().any():
            return False
        values = frame[name].array
        here, before = (values[1:], values[:-1]) if equal is None else (values.take(equal), values.take(equal - 1))
        if (here < before).any():
            return False
        same = np.flatnonzero(np.asarray(here == before, dtype=bool))
        equal = same + 1 if equal is None else equal[same]
        if not len(equal):
            return True
    return False


def _as_kind(series: "pd.Series", kind: Kind) -> "pd.Series":
    if kind == "float":
        import pandas as pd

        return pd.to_numeric(series).astype("float64")
    if (kind == "int" and series.dtype.kind in "iu") or (kind == "bool" and series.dtype == bool):
        return series.astype(_EMPTY[kind])
    if kind in {"string", "date"}:
        return series.astype(object).where(series.notna(), None).astype("str")
    return series.astype(object).where(series.notna(), None).astype(_EMPTY[kind])


def _is_kind(series: "pd.Series", kind: Kind) -> bool:
    import pandas as pd

    types = pd.api.types
    if kind in {"string", "date"}:
        return (
            types.is_string_dtype(series)
            or types.is_object_dtype(series)
            or isinstance(series.dtype, pd.CategoricalDtype)
        )
    if kind == "int":
        return bool(types.is_integer_dtype(series))
    if kind == "float":
        return bool(types.is_float_dtype(series))
    return bool(types.is_bool_dtype(series))
