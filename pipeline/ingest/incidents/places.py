"""Locations: check and project coordinates, assign points to areas, and other rows to their named ward or borough."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import IncidentSource
from pipeline.errors import HotspotsError, InputError
from pipeline.geography import projection as crs
from pipeline.ingest.area_lookup import AreaLookup, BoroughNames, Bounds, WardNames
from pipeline.ingest.formats.files import GEOMETRY_X, GEOMETRY_Y, Opened
from pipeline.ingest.incidents.account import rule_code
from pipeline.ingest.incidents.columns import Coded, Roles, coded, strings
from pipeline.ingest.incidents.coordinate_notation import GRID_CRS, Coordinates, plan_coordinates
from pipeline.ingest.postcodes import FOUND, UNKNOWN, PostcodeProfile, Postcodes
from pipeline.tables import Place, Precision

__all__ = ["FAR_M", "NOT_COVERED", "PLACES", "Guess", "Placed", "Placer", "likely_cause", "plan_placing"]


FAR_M = 50_000.0
Points = NDArray[np.float64]
Bools = NDArray[np.bool_]
PLACES = tuple(Place)
"""Places in the order of their codes: text is written once for each code, not for each row."""
_POINT, _OUTSIDE, _AREA, _BOROUGH, _NONE = (
    PLACES.index(p) for p in (Place.POINT, Place.OUTSIDE, Place.AREA, Place.BOROUGH, Place.NONE)
)
NOT_COVERED = PLACES.index(Place.NOT_COVERED)
PRECISIONS = tuple(Precision)
"""Precisions in the order of their codes."""
_OF_FIGURES = {2: Precision.SQUARE_10KM, 4: Precision.SQUARE_1KM, 6: Precision.SQUARE_100M}
"""Grid references with more figures are as good as other coordinates: 10 m is the size of a house."""
_SMALL_AREAS = ("lsoa", "msoa", "beat")
_OWN_CODES = {"lsoa": re.compile(r"[EWS]01\d{6}"), "msoa": re.compile(r"[EWS]02\d{6}")}
"""Codes of these areas: where the boundaries have such codes themselves, no table is needed."""
_ORIGIN_M = 100.0
"""A point this close to the origin of the working system, and far from every area, was 0,0 before conversion."""
_ORDINALS = 1.0
_FEWEST_NINES = 3
"""999 means an unknown number; 9 and 99 may be real numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Locations of a batch: columns of the incidents table, and a rule code for each row (0 for none)."""

    easting_m: Any
    northing_m: Any
    place: Any
    precision: Any
    snapped: Bools
    ward_code: Any
    borough_code: Any
    place_code: NDArray[np.int8]
    rule: NDArray[np.int8]
    axes: NDArray[np.int8]
    """Which coordinates are at fault: 1 the first, 2 the second, 3 both."""
    ended: NDArray[np.int32]
    """Month (yyyymm) in which the postcode that locates a row was terminated, 0 if it was not, -1 for other rows."""


@dataclass(frozen=True, slots=True, eq=False)
class _Named:
    """The areas named in a batch's rows: a ward (its position, -1 for none), a borough (its code), and unknown texts.

    `counted_in` is the ward in which a row without a point counts: -1 if the ward is only in a column that no setting
    names. Texts that matched nothing are given as a column with the rows in which it failed.
    """

    ward: NDArray[np.int64]
    counted_in: NDArray[np.int64]
    borough: Any
    unknown_areas: tuple[tuple[Coded, Bools], ...]
    unknown_boroughs: tuple[tuple[Coded, Bools], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Coded:
    """The postcodes of a batch: which rows have one that is found, and its place in the lookup (-1 for none).

    `whole` are the rows with a text of the form of a postcode.
    """

    found: Bools
    at: NDArray[np.int64]
    whole: Bools


_MOST_PLACES = 10_000
_SIDES = {2: "10 km", 4: "1 km", 6: "100 m"}


@dataclass(slots=True)
class _Stacked:
    """Number of points and distinct places, if digits were lost: counted up to `_MOST_PLACES`."""

    points: int = 0
    places: NDArray[np.complex128] = field(default_factory=lambda: np.empty(0, dtype=np.complex128))

    def add(self, xy: Points) -> None:
        self.points += len(xy)
        if len(self.places) <= _MOST_PLACES:
            places = np.concatenate([self.places, xy[:, 0] + 1j * xy[:, 1]])
            self.places = np.unique(places, return_counts=True)[0]  # NumPy sorts; without counts it hashes, far slower


_STRAYS_KEPT = 2000


@dataclass(slots=True)
class _Strays:
    """Points outside the areas' bounds: their number, the number of all points, and the first ones as in the file."""

    points: int = 0
    off: int = 0
    first: list[Points] = field(default_factory=list)

    def add(self, xy: Points, *, asked: Bools, off: Bools) -> None:
        self.points += int(asked.sum())
        left = _STRAYS_KEPT - min(self.off, _STRAYS_KEPT)
        self.off += int(off.sum())
        if left and off.any():
            self.first.append(xy[off][:left])


@dataclass(slots=True)
class Placer:
    """Finds the locations of a file's rows, and collects findings."""

    coordinates: str
    source_crs: str
    working: str
    operation: str
    areas: AreaLookup
    wards: WardNames
    boroughs: BoroughNames
    columns: Mapping[str, int]
    extent: Bounds | None
    written: Coordinates | None
    ward_places: bool
    no_location: frozenset[str]
    missing: frozenset[str] = frozenset()
    unknown_boroughs: Counter[str] = field(default_factory=Counter)
    unknown_areas: Counter[str] = field(default_factory=Counter)
    ward_checks: Counter[str] = field(default_factory=Counter)
    postcodes: Postcodes | None = None
    postcode_profile: PostcodeProfile = field(default_factory=PostcodeProfile)
    stacked: _Stacked = field(default_factory=_Stacked)
    strays: _Strays = field(default_factory=_Strays)

    def extra(self) -> dict[str, str]:
        """Additional columns that the scan must provide: coordinates as numbers."""
        return {} if self.written is None else self.written.extra()

    def place(self, table: Any, *, online: Bools) -> Placed:
        """Locate the rows of a batch.

        Parameters
        ----------
        table
            The batch, with the columns of `extra`.
        online
            Rows that happened online: their coordinates, if any, are those of something else and are not used.
        """
        rows = table.num_rows
        rule = np.zeros(rows, dtype=np.int8)
        named = self._named(table)
        coded_as = self._coded(table)
        says_where = (named.counted_in >= 0) | np.asarray(pc.is_valid(named.borough)) | coded_as.found
        axes = np.zeros(rows, dtype=np.int8)
        xy, asked, precise = self._points(table, online=online, says_where=says_where, rule=rule, axes=axes)
        metres = np.full((rows, 2), np.nan)
        metres[asked] = crs.project(xy[asked], source=self.source_crs, working=self.working) if asked.any() else 0
        # A point far from every area is a typing error or in another coordinate system, not an incident in another
        # place.
        near = asked & self._near(metres)
        if self.extent is not None:
            west, south, east, north = self.extent
            near &= (xy[:, 0] >= west) & (xy[:, 0] <= east) & (xy[:, 1] >= south) & (xy[:, 1] <= north)
        lost = asked & ~near
        if lost.any():
            # 0,0 in another system, or all nines, mean an unknown location: then the named borough or ward counts. If
            # nothing was converted, only 1,1 and the like do: other small numbers may be degrees in columns of metres.
            about = _ORDINALS if crs.same_crs(self.source_crs, self.working) else _ORIGIN_M
            origin = (np.abs(metres) <= about).all(axis=1)
            stand_in = lost & (origin | _all_nines(xy))
            rule[stand_in & ~says_where] = rule_code("zero")
            lost &= ~stand_in
            # Swapped coordinates are the most common mistake: with a clear message it is easily corrected in the
            # export.
            turned = crs.project(xy[lost][:, ::-1], source=self.source_crs, working=self.working)
            rule[lost] = np.where(self._near(turned, margin=0.0), rule_code("swapped"), rule_code("far"))
        self.strays.add(xy, asked=near | lost, off=lost | (near & ~self._near(metres, margin=0.0)))
        # A row without usable coordinates lies in the middle of its postcode, however far from the areas that is: it is
        # a place that exists, not a typing error. The postcode of an online incident is that of a person.
        free = ~near & (rule == 0) & ~online
        by_postcode = free & coded_as.found
        ended = np.full(rows, -1, dtype=np.int32)
        if self.postcodes is not None and by_postcode.any():
            metres[by_postcode] = self.postcodes.xy[coded_as.at[by_postcode]]
            ended[by_postcode] = self.postcodes.ended[coded_as.at[by_postcode]]
            precise[by_postcode] = PRECISIONS.index(Precision.POSTCODE)
            near |= by_postcode
        depends = free & coded_as.whole & (named.counted_in < 0)
        self.postcode_profile.rows.update(
            {
                "needed": int(depends.sum()),
                "needed_found": int((depends & by_postcode).sum()),
                "used": int(by_postcode.sum()),
            }
        )
        ward = np.full(rows, -1, dtype=np.int64)
        snapped = np.zeros(rows, dtype=bool)
        if near.any():
            found = self.areas.locate(np.ascontiguousarray(metres[near]))
            ward[near], snapped[near] = found.code_index, found.snapped
        return self._placed(
            named,
            metres=metres,
            near=near,
            precise=precise,
            online=online,
            ward=ward,
            snapped=snapped,
            rule=rule,
            axes=axes,
            ended=ended,
        )

    def _coded(self, table: Any) -> _Coded:
        """Look the postcodes of a batch up, and count what its column holds."""
        texts = self._texts(table, "postcode")
        rows = table.num_rows
        if texts is None:
            nowhere = np.zeros(rows, dtype=bool)
            return _Coded(nowhere, np.full(rows, -1, dtype=np.int64), nowhere)
        lookup = self.postcodes if self.postcodes is not None else Postcodes.none()
        states, at = lookup.find(texts.values)
        met = np.bincount(texts.codes, minlength=len(texts.values))
        self.postcode_profile.add(texts.values, states, met)
        found = states == FOUND
        if found.any():
            self.postcode_profile.rows["terminated"] += int(met[found & (lookup.ended[at] > 0)].sum())
        return _Coded(found[texts.codes], at[texts.codes], (states >= UNKNOWN)[texts.codes])

    def _points(
        self, table: Any, *, online: Bools, says_where: Bools, rule: NDArray[np.int8], axes: NDArray[np.int8]
    ) -> tuple[Points, Bools, NDArray[np.int8]]:
        """Coordinates as given, which rows have usable ones, and their precision as a position in `PRECISIONS`.

        The faults of the others are set in `rule`.
        """
        rows = table.num_rows
        precise = np.full(rows, PRECISIONS.index(Precision.POINT), dtype=np.int8)
        if not self.coordinates:
            return np.full((rows, 2), np.nan), np.zeros(rows, dtype=bool), precise
        blank: Sequence[Bools]
        if self.written is not None:
            read = self.written.read(table)
            columns, blank = read.numbers, read.blank
            for figures, precision in _OF_FIGURES.items() if read.figures is not None else ():
                precise[read.figures == figures] = PRECISIONS.index(precision)
        else:
            columns = (table[GEOMETRY_X], table[GEOMETRY_Y])
            blank = [np.asarray(pc.is_null(c)) for c in columns]
        absent = [np.asarray(pc.is_null(c)) for c in columns]
        xy = np.column_stack([np.asarray(pc.fill_null(c, np.nan), dtype=np.float64) for c in columns])
        # The coordinates of an online incident are those of a person or a police station, not where it happened.
        without = (blank[0] & blank[1]) | online
        if "location" in self.columns and self.no_location:
            without |= coded(table[f"c{self.columns['location']}"]).flags(lambda v: v.casefold() in self.no_location)
        # Each fault is set only if no earlier one applies, so that a row is counted under one fault.
        half = ~without & (blank[0] ^ blank[1])
        unreadable = ~without & ~half & (absent[0] | absent[1])
        endless = ~without & ~half & ~unreadable & ~np.isfinite(xy).all(axis=1)
        # Many systems write 0,0 for an empty cell: a row with a borough or ward counts there, as with empty cells.
        # Without either its location is unknown, and it is refused.
        zero = ~without & (xy == 0).all(axis=1)
        without |= zero & says_where
        zero &= ~says_where
        faults = {"coordinates_half": half, "coordinates_unreadable": unreadable, "not_finite": endless, "zero": zero}
        for name, mask in faults.items():
            rule[mask] = rule_code(name)
        for number, (gone, empty) in enumerate(zip(absent, blank, strict=True), start=1):
            axes[half & empty] |= number
            axes[unreadable & gone] |= number
        asked = ~without & (rule == 0)
        if self.written is not None and self.written.rounded is not None:
            self.stacked.add(xy[asked])
        return xy, asked, precise

    def by_the_areas(self, xy: Points) -> Bools:
        """Whether points, as given in the file, are near the areas; False for points that are not numbers."""
        sound = np.isfinite(xy).all(axis=1)
        found = np.zeros(len(xy), dtype=bool)
        if sound.any():
            found[sound] = self._near(crs.project(xy[sound], source=self.source_crs, working=self.working))
        return found

    def cautions(self) -> list[str]:
        """Return cautions about the coordinates."""
        written = self.written
        if written is None:
            return []
        found = []
        if written.rounded is not None and len(self.stacked.places):
            text, step = written.rounded
            places = len(self.stacked.places)
            many = f"more than {_MOST_PLACES:,}" if places > _MOST_PLACES else f"{places:,}"
            found.append(
                f"{written.names[0]} and {written.names[1]} are in scientific notation (such as {text}), which a "
                f"spreadsheet has rounded to steps of {step:,g}: {self.stacked.points:,} points lie on {many} places, "
                "so wards, hotspots and density are wrong. Export both columns as whole numbers."
            )
        if coarse := {f: n for f, n in sorted(written.figures.items()) if f in _SIDES}:
            named = ", ".join(f"{n:,} of {_SIDES[f]}" for f, n in coarse.items())
            found.append(
                f"{sum(coarse.values()):,} of {sum(written.figures.values()):,} grid references in {written.names[0]} "
                f"name squares ({named}): each incident is placed in the middle of its square, which may be in a "
                "neighbouring ward."
            )
        return found

    def misplaced(self, key: str) -> "Guess | None":
        """Return the probable mistake behind points outside the areas' bounds; None if no single one explains them.

        `key` is the position of the source in the configuration: `incidents[0]`.
        """
        if not self.strays.first:
            return None
        return likely_cause(
            np.concatenate(self.strays.first),
            system=self.source_crs,
            working=self.working,
            bounds=self.areas.bounds,
            names=self.written.names if self.written is not None else ("", ""),
            key=key,
        )

    def _near(self, metres: Points, *, margin: float = FAR_M) -> Bools:
        west, south, east, north = self.areas.bounds
        x, y = metres[:, 0], metres[:, 1]
        return np.asarray((x >= west - margin) & (x <= east + margin) & (y >= south - margin) & (y <= north + margin))

    def _placed(
        self,
        named: _Named,
        *,
        metres: Points,
        near: Bools,
        precise: NDArray[np.int8],
        online: Bools,
        ward: NDArray[np.int64],
        snapped: Bools,
        rule: NDArray[np.int8],
        axes: NDArray[np.int8],
        ended: NDArray[np.int32],
    ) -> Placed:
        inside = ward >= 0
        # A point inside an area belongs to it, whatever the row names; names count only without a usable point. A row
        # refused for its location has no area: it is in the quarantine, not in a total.
        place = np.full(len(ward), _NONE, dtype=np.int8)
        place[near] = np.where(inside[near], _POINT, _OUTSIDE)
        free = (place == _NONE) & (rule == 0)
        self.ward_checks.update(
            {
                "compared": int((inside & (named.ward >= 0)).sum()),
                "same": int((inside & (named.ward == ward)).sum()),
                "outside": int((near & ~inside & (named.ward >= 0)).sum()),
                "unused": int((free & ~online & (named.ward >= 0) & (named.counted_in < 0)).sum()),
            }
        )
        _count_texts(self.unknown_areas, named.unknown_areas, only=free)
        _count_texts(self.unknown_boroughs, named.unknown_boroughs, only=free)
        # The ward of an online incident is that of a home or a police station, not where it happened: it counts only in
        # the borough.
        by_code = free & (named.counted_in >= 0)
        place[by_code & ~online] = _AREA
        ward = np.where(by_code, named.counted_in, ward)
        parents = strings([*self.areas.parents, None], np.where(ward >= 0, ward, len(self.areas.parents)))
        ward = np.where(by_code & online, -1, ward)
        borough = pc.if_else(pa.array(free), pc.coalesce(parents, named.borough), parents)
        place[(place == _NONE) & np.asarray(pc.is_valid(borough))] = _BOROUGH
        precise = np.where(place == _AREA, PRECISIONS.index(Precision.AREA), precise)
        precise = np.where(place == _BOROUGH, PRECISIONS.index(Precision.BOROUGH), precise)
        precision = strings([*PRECISIONS, None], np.where(place == _NONE, len(PRECISIONS), precise))
        if self.areas.one_level:
            # The area of a row is its borough: one that is named without a point is known to its borough, not better.
            place[place == _AREA] = _BOROUGH
            ward = np.full(len(ward), -1, dtype=np.int64)
        wards = strings([*self.areas.ward_codes, None], np.where(ward >= 0, ward, len(self.areas.ward_codes)))
        place[self._uncovered(wards) | self._uncovered(borough)] = NOT_COVERED
        hidden = ~near
        return Placed(
            # Rounded to millimetres, so that the same place in two files has the same coordinates.
            pa.array(np.round(np.where(hidden, 0, metres[:, 0]), 3), mask=hidden),
            pa.array(np.round(np.where(hidden, 0, metres[:, 1]), 3), mask=hidden),
            strings(PLACES, place),
            precision,
            snapped,
            wards,
            borough,
            place,
            rule,
            axes,
            ended,
        )

    def _uncovered(self, codes: Any) -> Bools:
        """Rows in an area of areas.not_covered: they are read and accounted for, but not used in any method."""
        if not self.areas.not_covered:
            return np.zeros(len(codes), dtype=bool)
        return np.asarray(pc.is_in(codes, value_set=pa.array(sorted(self.areas.not_covered))), dtype=bool)

    def _texts(self, table: Any, role: str) -> Coded | None:
        return coded(table[f"c{self.columns[role]}"], self.missing) if role in self.columns else None

    def _named(self, table: Any) -> _Named:
        """Find each row's named areas: its ward by code, name or a smaller area's code, and its borough."""
        rows = table.num_rows
        ward = np.full(rows, -1, dtype=np.int64)
        borough = pa.nulls(rows, pa.string())
        unknown_boroughs: list[tuple[Coded, Bools]] = []
        unknown_areas: list[tuple[Coded, Bools]] = []
        texts = self._texts(table, "borough")
        boroughs: list[str | None] = [None]
        borough_of = np.zeros(rows, dtype=np.int64)
        if texts is not None:
            boroughs = [self.boroughs.code(v) if v else None for v in texts.values]
            borough_of = texts.codes.astype(np.int64)
            borough = strings(boroughs, borough_of)
            unknown_boroughs = [(texts, np.asarray(pc.is_null(borough)))]
        texts = self._texts(table, "ward")
        if texts is not None:
            # Once for each pair of ward and borough: several boroughs may have wards of the same name.
            pairs, pair_of = np.unique(texts.codes * np.int64(len(boroughs)) + borough_of, return_inverse=True)
            found = [
                self.wards.of(texts.values[pair // len(boroughs)], borough=boroughs[pair % len(boroughs)])
                if texts.values[pair // len(boroughs)]
                else -1
                for pair in pairs.tolist()
            ]
            ward = np.array([*found, -1], dtype=np.int64)[pair_of]
            if self.ward_places:
                unknown_areas.append((texts, ward < 0))
        # A column that was only recognised by its name may contain something else, or old wards: it is compared with
        # the points, but not used for locations until a setting names it.
        counted_in = ward if self.ward_places else np.full(rows, -1, dtype=np.int64)
        for role in _SMALL_AREAS:
            texts = self._texts(table, role)
            if texts is not None:
                at = texts.numbers(lambda v: self.wards.of_code(v) if v else -1)
                # In several wards of one borough: the borough is known.
                of_borough = texts.texts(lambda v: self.wards.borough_of_code(v) if v else None)
                borough = pc.coalesce(borough, of_borough)
                unknown_areas.append((texts, (at < 0) & np.asarray(pc.is_null(of_borough))))
                ward = np.where(ward >= 0, ward, at)
                counted_in = np.where(counted_in >= 0, counted_in, at)
        return _Named(ward, counted_in, borough, tuple(unknown_areas), tuple(unknown_boroughs))


def _count_texts(counter: Counter[str], columns: Sequence[tuple[Coded, Bools]], *, only: Bools) -> None:
    """Count the texts that matched nothing in the given rows."""
    for texts, lost in columns:
        met = np.bincount(texts.codes[lost & only], minlength=len(texts.values))
        counter.update({text: int(met[at]) for at, text in enumerate(texts.values) if text and met[at]})


def _all_nines(xy: Points) -> Bools:
    """Whether both numbers of a pair consist of nines, as in 999999 for an unknown location."""
    # A number of nines plus one is a power of ten. Beyond 2**53 the two can no longer be distinguished.
    whole = np.abs(xy) + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = np.log10(whole)
    exact = whole < 2.0**53
    return np.asarray((exact & (digits >= _FEWEST_NINES) & (digits == np.round(digits))).all(axis=1))


def plan_placing(
    opened: Opened,
    *,
    roles: Roles,
    source: IncidentSource,
    key: str,
    working: str,
    areas: AreaLookup,
    connection: Any,
    whole: bool,
) -> Placer:
    """Determine the coordinate system and notation of the coordinates, and their transformation to the working system.

    Parameters
    ----------
    opened, roles, source
        The file, its columns and its settings.
    key
        Position of the source in the configuration, for messages: `incidents[0]`.
    working, areas
        The working system, and the areas to which points are assigned.
    connection
        Database with access to the file.
    whole
        Examine every row for the notation of coordinates, not only the first ones.

    Raises
    ------
    InputError
        If the coordinate system is not stated, the file and the configuration contradict each other, or the coordinates
        are ambiguous; or if a column of LSOA or MSOA codes is set without a table of their wards.
    """
    named = [
        role
        for role, form in _OWN_CODES.items()
        if role in roles.at and not any(form.fullmatch(code) for code in areas.ward_codes)
    ]
    if named and not areas.other_codes:
        raise InputError(
            f"incidents.columns.{named[0]} names {opened.columns[roles.at[named[0]]]!r}, but nothing says which ward "
            f"each of them is in: set geocode.areas to a table of them ({named[0].upper()} and ward), or areas.lookup "
            "to a CSV of from_code,to_code"
        )
    system = ""
    if roles.coordinates == "lonlat":
        system = crs.LONLAT
    elif roles.coordinates == "xy":
        if not source.crs:
            raise InputError(
                f"{opened.name} has {opened.columns[roles.at['x']]!r} and {opened.columns[roles.at['y']]!r} but "
                "their coordinate system is not stated: set `crs` for this source, for example EPSG:27700 "
                "for British eastings and northings"
            )
        system = source.crs
    elif roles.coordinates == "grid":
        system = GRID_CRS
    elif roles.coordinates == "geometry":
        system = _geometry_system(opened, source=source)
    known = crs.source_crs(system, what=opened.name) if system else None
    placer = Placer(
        coordinates=roles.coordinates,
        source_crs=system,
        working=working,
        operation=crs.operation_name(known, working) if known is not None else "none (no coordinates)",
        areas=areas,
        wards=WardNames(areas),
        boroughs=BoroughNames(areas.borough_names),
        columns=roles.at,
        extent=source.extent,
        ward_places=source.columns.ward is not None,
        written=None,
        no_location=frozenset(t.casefold() for t in source.no_location),
        missing=roles.missing,
        postcodes=areas.postcode_lookup() if "postcode" in roles.at else None,
    )
    if known is not None and roles.coordinates != "geometry":
        placer.written = plan_coordinates(
            opened,
            roles=roles,
            source=source,
            key=key,
            geographic=known.is_geographic,
            near=placer.by_the_areas,
            connection=connection,
            whole=whole,
        )
    return placer


def _geometry_system(opened: Opened, *, source: IncidentSource) -> str:
    if opened.crs is None and source.crs is None:
        raise InputError(
            f"{opened.name} does not state its coordinate system: set `crs` for this source (for example "
            "EPSG:27700), or supply its .prj file"
        )
    if opened.crs is None:
        return str(source.crs)
    inside = crs.source_crs(str(opened.crs), what=opened.name)
    if opened.beyond_degrees and inside.is_geographic:
        # GeoJSON is in degrees unless it states a system that GDAL knows, so the file's statement cannot be trusted.
        if source.crs is not None and not crs.source_crs(source.crs, what="incidents.crs").is_geographic:
            return source.crs
        raise InputError(
            f"{opened.name} should be in {crs.crs_label(inside)} (GeoJSON is, if it states no other system that is "
            "known), but most of its coordinates lie beyond 180 and 90 degrees: they are metres or feet. Set "
            "incidents.crs (`crs` of this source) to the system they are in, for example EPSG:27700"
        )
    if source.crs is not None:
        stated = crs.source_crs(source.crs, what="incidents.crs")
        if not crs.same_crs(inside, stated):
            raise InputError(
                f"{opened.name} is in {crs.crs_label(inside)}, but the configuration says {crs.crs_label(stated)}: "
                "remove `crs` from this source, or set it to the system of the file"
            )
    return str(opened.crs)


# Probable mistakes behind coordinates outside the areas: found by trying common mistakes.
#
# Nothing is corrected: missing digits, another unit or system, or swapped columns are reported, with what to do.


_EXPLAINED = 0.9  # share of the points that must be inside the areas under the guess
_MARGIN_M = 1000.0
_SQUARE_M = 100_000.0
_SCALES = {
    10.0: "tens of metres",
    100.0: "hundreds of metres",
    1000.0: "kilometres",
    0.1: "tenths of a metre",
    0.01: "centimetres",
    0.001: "millimetres",
    0.3048: "feet",
}
_DEGREE_SCALES = {1e-5: "hundred-thousandths", 1e-6: "millionths", 1e-7: "ten-millionths"}
_SYSTEMS = ("EPSG:27700", "EPSG:29902", "EPSG:2157", "EPSG:3857", "EPSG:32629", "EPSG:32630", "EPSG:32631")
_BEYOND = 1e12
_WHOLE_CIRCLE, _QUARTER = 180.0, 90.0


@dataclass(frozen=True, slots=True)
class Guess:
    """A likely cause, and whether it is that the two columns are swapped (which has its own rule)."""

    text: str
    exchanged: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    points: Points
    system: str
    working: str
    bounds: Bounds
    names: tuple[str, str]
    key: str

    @property
    def both(self) -> str:
        return " and ".join(f"'{n}'" for n in dict.fromkeys(self.names)) if self.names[0] else "the geometry"

    def lies(self, points: Points, system: str | None = None) -> bool:
        """Whether nearly all of the given points are inside the areas."""
        sound = np.isfinite(points).all(axis=1)
        if sound.mean() < _EXPLAINED:
            return False
        try:
            metres = crs.project(points[sound], source=system or self.system, working=self.working)
        except HotspotsError:
            return False  # a system of another part of the world, of which nothing leads to the working system
        west, south, east, north = self.bounds
        x, y = metres[:, 0], metres[:, 1]
        inside = (x >= west - _MARGIN_M) & (x <= east + _MARGIN_M) & (y >= south - _MARGIN_M) & (y <= north + _MARGIN_M)
        return bool(inside.sum() >= _EXPLAINED * len(points))


def likely_cause(
    points: Points, *, system: str, working: str, bounds: Bounds, names: tuple[str, str], key: str
) -> Guess | None:
    """Return the probable mistake behind points outside the areas.

    Parameters
    ----------
    points
        A sample of them, as in the file.
    system, working
        Their stated coordinate system, and the working system.
    bounds
        West, south, east and north of the areas, in the working system.
    names
        Columns of the coordinates; empty for a geometry.
    key
        Where the source stands in the configuration: `incidents[0]`.

    Returns
    -------
    guess
        None if no single mistake explains nearly all points.
    """
    # Numbers too large for any coordinate are mistakes, and would overflow if multiplied.
    points = points[np.abs(points).max(axis=1) < _BEYOND]
    if not len(points) or not np.isfinite(bounds).all():
        return None
    case = _Case(points, system, working, bounds, names, key)
    geographic = crs.source_crs(system, what=key).is_geographic
    guesses = _in_degrees(case) if geographic else _in_metres(case)
    return next(guesses, None)


def _in_metres(case: _Case) -> Iterator[Guess]:
    points, both, key = case.points, case.both, case.key
    if case.lies(points[:, ::-1]):
        yield Guess(f"{both} are exchanged: exchange the two in {key}.columns", exchanged=True)
    if crs.same_crs(case.system, case.working) and (cut := _cut_off(case)):
        yield Guess(cut)
    for factor, unit in _SCALES.items():
        if case.lies(points * factor):
            yield Guess(f"{both} are in {unit}, not in metres: multiply both by {factor:g}, or export them in metres")
    x, y = np.abs(points).max(axis=0)
    if x <= _WHOLE_CIRCLE and y <= _WHOLE_CIRCLE:
        for turned, order in ((points, "longitude and latitude"), (points[:, ::-1], "latitude and longitude")):
            if case.lies(turned, crs.LONLAT):
                yield Guess(
                    f"{both} hold {order} in degrees: name them in {key}.columns.lon and {key}.columns.lat, "
                    f"and leave x, y and {key}.crs out"
                )
    yield from _other_systems(case)


def _in_degrees(case: _Case) -> Iterator[Guess]:
    points, both, key = case.points, case.both, case.key
    if case.lies(points[:, ::-1]):
        yield Guess(f"longitude and latitude are exchanged: exchange {both} in {key}.columns", exchanged=True)
    for signs, what in (((-1, 1), "longitudes west of Greenwich"), ((1, -1), "latitudes south of the equator")):
        if case.lies(points * np.array(signs)):
            yield Guess(f"{both} lack the right sign: {what} are negative, others positive")
    for factor, unit in _DEGREE_SCALES.items():
        if case.lies(points * factor):
            yield Guess(f"{both} are in {unit} of a degree: multiply both by {factor:.10f}".rstrip("0"))
    yield from _other_systems(case)


def _other_systems(case: _Case) -> Iterator[Guess]:
    for system in dict.fromkeys((case.working, *_SYSTEMS)):
        if crs.same_crs(system, case.system):
            continue
        for turned, order in ((case.points, ""), (case.points[:, ::-1], ", with the two exchanged")):
            if case.lies(turned, system):
                yield Guess(
                    f"{case.both} are metres in {system}{order}: name them in {case.key}.columns.x and "
                    f"{case.key}.columns.y and set {case.key}.crs to {system}"
                )


def _cut_off(case: _Case) -> str:
    """Return which coordinates lack the 100 km digit, which the letters of the National Grid give; empty if none."""
    low, high = np.array(case.bounds[:2]), np.array(case.bounds[2:])
    for axes in ((0, 1), (0,), (1,)):
        offsets = {axis: _offset(case.points[:, axis], low[axis], high[axis]) for axis in axes}
        shifted = case.points.copy()
        for axis, offset in offsets.items():
            shifted[:, axis] += np.nan if offset is None else offset
        if case.lies(shifted):
            names = [f"'{case.names[a]}'" if case.names[a] else ("the first coordinate", "the second")[a] for a in axes]
            first = axes[0]
            add = " and ".join(f"{_words(offsets[a])} to {name}" for a, name in zip(axes, names, strict=True))
            return (
                f"{' and '.join(names)} lack the digit of 100 km, for which the letters of a grid reference stand "
                f"({case.points[0, first]:.0f}, where the areas lie at {low[first]:.0f} to {high[first]:.0f}): "
                f"add {add}, or export full coordinates"
            )
    return ""


def _offset(values: Points, low: float, high: float) -> Points | None:
    """Return for each value the hundreds of kilometres that move it between two bounds; None if there are none."""
    if (values < 0).any() or (values >= _SQUARE_M).any() or high < _SQUARE_M:
        return None
    wanted = np.ceil((low - _MARGIN_M - values) / _SQUARE_M) * _SQUARE_M
    return np.asarray(np.maximum(wanted, 0.0)) if (wanted > 0).any() else None


def _words(offsets: Points | None) -> str:
    distinct: Sequence[float] = [] if offsets is None else np.unique(offsets).tolist()
    return " or ".join(f"{offset:,.0f}" for offset in distinct[:2])
