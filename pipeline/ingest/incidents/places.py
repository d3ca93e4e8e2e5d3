"""Where: coordinates checked, projected and given to areas; rows without a place given to the borough they name."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import IncidentSource
from pipeline.errors import InputError
from pipeline.geography import projection as crs
from pipeline.ingest.areas.read import AreaLookup, BoroughNames, Bounds
from pipeline.ingest.formats.opened import GEOMETRY_X, GEOMETRY_Y, Opened
from pipeline.ingest.incidents.account import rule_code
from pipeline.ingest.incidents.columns import Roles, cell_text, coded, strings
from pipeline.tables import Place

__all__ = ["FAR_M", "NOT_COVERED", "PLACES", "Placed", "Placer", "plan_placing"]

FAR_M = 50_000.0
Points = NDArray[np.float64]
Bools = NDArray[np.bool_]
PLACES = tuple(Place)
"""Places in the order of their codes: text is written once per code, not once per row."""
_POINT, _OUTSIDE, _BOROUGH, _NONE = (PLACES.index(p) for p in (Place.POINT, Place.OUTSIDE, Place.BOROUGH, Place.NONE))
NOT_COVERED = PLACES.index(Place.NOT_COVERED)


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Where the rows of a batch are: columns of the incidents table, and a rule code per row (0 for none)."""

    easting_m: Any
    northing_m: Any
    place: Any
    snapped: Bools
    ward_code: Any
    borough_code: Any
    place_code: NDArray[np.int8]
    rule: NDArray[np.int8]


@dataclass(slots=True)
class Placer:
    """How the places of a file are found, with what was met on the way."""

    coordinates: str
    source_crs: str
    working: str
    operation: str
    areas: AreaLookup
    boroughs: BoroughNames
    columns: Mapping[str, int]
    extent: Bounds | None
    decimal_comma: bool
    no_location: frozenset[str]
    missing: frozenset[str] = frozenset()
    unknown_boroughs: Counter[str] = field(default_factory=Counter)
    ward_checks: Counter[str] = field(default_factory=Counter)

    def extra(self) -> dict[str, str]:
        """Columns that the scan must give besides the file's own: coordinates as numbers."""
        pair = {"lonlat": ("lon", "lat"), "xy": ("x", "y")}.get(self.coordinates)
        if pair is None:
            return {}
        out = {}
        for name, role in zip(("at_x", "at_y"), pair, strict=True):
            text = cell_text(self.columns[role], self.missing)
            number = f"replace({text}, ',', '.')" if self.decimal_comma else text
            # A database reads 530_500 as a number; in an extract it is a slip.
            out[name] = f"CASE WHEN contains({number}, '_') THEN NULL ELSE TRY_CAST({number} AS DOUBLE) END"
            out[f"{name}_blank"] = f"coalesce({text}, '') = ''"
        return out

    def place(self, table: Any, *, online: Bools) -> Placed:
        """Place a batch.

        Parameters
        ----------
        table
            The batch, with the columns of `extra`.
        online
            Rows that happened online: their coordinates, if any, are of something else and are not used.
        """
        rows = table.num_rows
        rule = np.zeros(rows, dtype=np.int8)
        xy, asked = self._points(table, online=online, rule=rule)
        metres = np.full((rows, 2), np.nan)
        metres[asked] = crs.project(xy[asked], source=self.source_crs, working=self.working) if asked.any() else 0
        # A point far from every area is a slip of the pen or another system, not an incident somewhere else.
        near = asked & self._near(metres)
        if self.extent is not None:
            west, south, east, north = self.extent
            near &= (xy[:, 0] >= west) & (xy[:, 0] <= east) & (xy[:, 1] >= south) & (xy[:, 1] <= north)
        lost = asked & ~near
        if lost.any():
            # Exchanged coordinates are the commonest slip: said so, it is repaired in the export at once.
            turned = crs.project(xy[lost][:, ::-1], source=self.source_crs, working=self.working)
            rule[lost] = np.where(self._near(turned, margin=0.0), rule_code("swapped"), rule_code("far"))
        ward = np.full(rows, -1, dtype=np.int64)
        snapped = np.zeros(rows, dtype=bool)
        if near.any():
            found = self.areas.locate(np.ascontiguousarray(metres[near]))
            ward[near], snapped[near] = found.code_index, found.snapped
        return self._placed(table, metres=metres, near=near, ward=ward, snapped=snapped, rule=rule)

    def _points(self, table: Any, *, online: Bools, rule: NDArray[np.int8]) -> tuple[Points, Bools]:
        """Coordinates as given, and which rows have usable ones; the faults of the others go into `rule`."""
        rows = table.num_rows
        if not self.coordinates:
            return np.full((rows, 2), np.nan), np.zeros(rows, dtype=bool)
        names = (GEOMETRY_X, GEOMETRY_Y) if self.coordinates == "geometry" else ("at_x", "at_y")
        columns = [table[name] for name in names]
        absent = [np.asarray(pc.is_null(c)) for c in columns]
        xy = np.column_stack([np.asarray(pc.fill_null(c, np.nan), dtype=np.float64) for c in columns])
        blank = absent if self.coordinates == "geometry" else [np.asarray(table[f"{n}_blank"]) for n in names]
        # Online incidents carry the address of a person or a station at best: it is not where they happened.
        without = (blank[0] & blank[1]) | online
        if "location" in self.columns and self.no_location:
            without |= coded(table[f"c{self.columns['location']}"]).flags(lambda v: v.casefold() in self.no_location)
        # Each fault only where no earlier one applies, so that a row is counted under one.
        half = ~without & (blank[0] ^ blank[1])
        unreadable = ~without & ~half & (absent[0] | absent[1])
        endless = ~without & ~half & ~unreadable & ~np.isfinite(xy).all(axis=1)
        zero = ~without & (xy == 0).all(axis=1)
        faults = {"coordinates_half": half, "coordinates_unreadable": unreadable, "not_finite": endless, "zero": zero}
        for name, mask in faults.items():
            rule[mask] = rule_code(name)
        return xy, ~without & (rule == 0)

    def _near(self, metres: Points, *, margin: float = FAR_M) -> Bools:
        west, south, east, north = self.areas.bounds
        x, y = metres[:, 0], metres[:, 1]
        return np.asarray((x >= west - margin) & (x <= east + margin) & (y >= south - margin) & (y <= north + margin))

    def _placed(
        self, table: Any, *, metres: Points, near: Bools, ward: NDArray[Any], snapped: Bools, rule: NDArray[np.int8]
    ) -> Placed:
        rows = table.num_rows
        inside = ward >= 0
        # A point inside an area is that area's, whatever borough the row names; the name counts only where there is no
        # usable point. A row refused for its place takes no borough: it is in the quarantine, not in a total.
        place = np.full(rows, _NONE, dtype=np.int8)
        place[near] = np.where(inside[near], _POINT, _OUTSIDE)
        from_point = strings([*self.areas.parents, None], np.where(inside, ward, len(self.areas.parents)))
        wards = strings([*self.areas.ward_codes, None], np.where(inside, ward, len(self.areas.ward_codes)))
        named = self._named(table, only=(place == _NONE) & (rule == 0))
        place[(place == _NONE) & np.asarray(pc.is_valid(named))] = _BOROUGH
        self._check_wards(table, wards, inside)
        hidden = ~near
        boroughs = pc.coalesce(from_point, named)
        place[self._uncovered(wards) | self._uncovered(boroughs)] = NOT_COVERED
        return Placed(
            # Millimetres: the same place from two files is then the same number.
            pa.array(np.round(np.where(hidden, 0, metres[:, 0]), 3), mask=hidden),
            pa.array(np.round(np.where(hidden, 0, metres[:, 1]), 3), mask=hidden),
            strings(PLACES, place),
            snapped,
            wards,
            boroughs,
            place,
            rule,
        )

    def _named(self, table: Any, *, only: Bools) -> Any:
        """Boroughs that rows without a point name."""
        if "borough" not in self.columns:
            return pa.nulls(table.num_rows, pa.string())
        texts = coded(table[f"c{self.columns['borough']}"], self.missing)
        found = [self.boroughs.code(v) if v else None for v in texts.values]
        met = np.bincount(texts.codes[only], minlength=len(found))
        for text, code, count in zip(texts.values, found, met, strict=True):
            if text and code is None and count:
                self.unknown_boroughs[text] += int(count)
        spread = strings(found, texts.codes)
        return pc.if_else(pa.array(only), spread, pa.scalar(None, pa.string()))

    def _uncovered(self, codes: Any) -> Bools:
        """Rows in an area that the settings say the data does not cover: read and accounted for, and in no method."""
        if not self.areas.not_covered:
            return np.zeros(len(codes), dtype=bool)
        return np.asarray(pc.is_in(codes, value_set=pa.array(sorted(self.areas.not_covered))), dtype=bool)

    def _check_wards(self, table: Any, wards: Any, inside: Bools) -> None:
        """Count how often the ward the source gives is the one the point is in."""
        if "ward" not in self.columns:
            return
        given = coded(table[f"c{self.columns['ward']}"], self.missing)
        known = given.flags(frozenset(self.areas.ward_codes).__contains__) & inside
        same = np.asarray(pc.fill_null(pc.equal(given.texts(lambda v: v), wards), fill_value=False)) & known
        self.ward_checks.update({"compared": int(known.sum()), "same": int(same.sum())})


def plan_placing(opened: Opened, *, roles: Roles, source: IncidentSource, working: str, areas: AreaLookup) -> Placer:
    """Settle which system the coordinates are in and how they come into the working one.

    Raises
    ------
    InputError
        If the system is not given anywhere, or the file and the configuration name different ones.
    """
    system = ""
    if roles.coordinates == "lonlat":
        system = crs.LONLAT
    elif roles.coordinates == "xy":
        if not source.crs:
            raise InputError(
                f"{opened.name} has {opened.columns[roles.at['x']]!r} and {opened.columns[roles.at['y']]!r} but "
                "nothing says which system they are in: set `crs` for this source, for example EPSG:27700 "
                "for British eastings and northings"
            )
        system = source.crs
    elif roles.coordinates == "geometry":
        system = _geometry_system(opened, source=source)
    return Placer(
        coordinates=roles.coordinates,
        source_crs=system,
        working=working,
        operation=(
            crs.operation_name(crs.source_crs(system, what=opened.name), working) if system else "none (no coordinates)"
        ),
        areas=areas,
        boroughs=BoroughNames(areas.borough_names),
        columns=roles.at,
        extent=source.extent,
        # Files that separate columns with semicolons come from places that write decimals with a comma.
        decimal_comma=opened.facts.get("delimiter") == "semicolon",
        no_location=frozenset(t.casefold() for t in source.no_location),
        missing=roles.missing,
    )


def _geometry_system(opened: Opened, *, source: IncidentSource) -> str:
    if opened.crs is None and source.crs is None:
        raise InputError(
            f"{opened.name} does not say which coordinate system it is in: set `crs` for this source (for example "
            "EPSG:27700), or supply its .prj file"
        )
    if opened.crs is None:
        return str(source.crs)
    inside = crs.source_crs(str(opened.crs), what=opened.name)
    if source.crs is not None:
        stated = crs.source_crs(source.crs, what="incidents.crs")
        if not crs.same_crs(inside, stated):
            raise InputError(
                f"{opened.name} is in {crs.crs_label(inside)}, but the configuration says {crs.crs_label(stated)}: "
                "take `crs` out of this source, or set it to what the file says"
            )
    return str(opened.crs)
