"""What a release must keep: numbers that are out, steps that others hold, what a closer audience is not offered."""

from typing import Any

import pandas as pd
import pytest

from pipeline.config import Config
from pipeline.domain.periods import Period
from pipeline.errors import DisclosureError
from pipeline.release.calendar import Before, Reissue, calendar_of, keep, next_date
from pipeline.release.earlier_releases import APART, EarlierRelease, Kept, as_first_released, edition_of
from pipeline.release.hotspots import Outlines
from pipeline.release.linked_tables import COUNTS
from pipeline.release.steps import in_steps
from tests.kit.gated import config_of
from tests.release.test_ledger import CELL, counts, release

YEAR = "2024-01..2024-12"


def config(**profile: Any) -> Config:
    return config_of([{"name": "public", "audience": "public", "threshold": 10} | profile])


def kept(*releases: EarlierRelease, data_to: int = 202412, reissue: Reissue | None = None, **profile: Any) -> Kept:
    settings = config(**profile)
    return keep(Before(releases, reissue=reissue), profile=settings.profiles[0], config=settings, data_to=data_to)


def table(*rows: tuple[str, str, int | None]) -> pd.DataFrame:
    frame = pd.DataFrame([(a, level, YEAR, "all", n) for a, level, n in rows], columns=[*CELL[:-1], "incidents"])
    frame["incidents"] = frame["incidents"].astype("Int64")
    for measure in COUNTS:
        if measure not in frame:
            frame[measure] = pd.array([pd.NA] * len(frame), dtype="Int64")
    return frame.assign(not_offered=[frozenset()] * len(frame))


def ends(frame: pd.DataFrame, area: str) -> list[Any]:
    row = frame[frame["area_code"] == area].iloc[0]
    return [None if pd.isna(row[c]) else int(row[c]) for c in ("incidents_lower", "incidents_upper")]


def test_numbers_that_are_out_stay_whatever_the_data_say_now() -> None:
    now = in_steps(table(("B", "borough", 55), ("W1", "ward", 3), ("W2", "ward", 41), ("W3", "ward", 41)), step=10)
    shown = kept(release()).applied(now)
    assert ends(shown, "B") == [20, 29]
    assert ends(shown, "W1") == [10, 19]
    assert ends(shown, "W2") == [None, None]  # not offered then, not offered now
    assert shown["not_offered"].map(lambda names: "incidents" in names).tolist() == [False, False, True, False]
    assert ends(shown, "W3") == [40, 49]  # never out


@pytest.mark.slow
def test_counts_move_into_the_steps_that_other_readers_hold() -> None:
    """The public has 20 to 29; the data say 31 now, or 18: partners' steps of 5 lie inside the public's."""
    public = release()
    found = [
        kept(public, name="partner", audience="partner", threshold=5).within(table(("B", "borough", n)))
        for n in (31, 18, 23)
    ]
    assert [int(f["incidents"].iloc[0]) for f in found] == [29, 20, 23]
    assert ends(in_steps(found[0], step=5), "B") == [25, 29]


@pytest.mark.slow
def test_every_step_of_five_inside_a_step_of_ten_gives_that_step_back() -> None:
    """By enumeration: whatever the data say later, the public's step is the one that the partners' lies in."""
    lows = {f"B{lower}": lower for lower in range(0, 60, 5)}
    out = counts(rows=tuple((area, "borough", lower) for area, lower in lows.items()), step=5)
    partner = kept(release(profile="partner", audience="partner", step=5, counts=out))
    for now in range(70):
        shown = in_steps(partner.within(table(*((area, "borough", now) for area in lows))), step=10)
        assert shown["area_code"].tolist() == list(lows)
        assert shown["incidents_lower"].tolist() == [lower // 10 * 10 for lower in lows.values()]
        assert shown["incidents_upper"].tolist() == [lower // 10 * 10 + 9 for lower in lows.values()]


def test_what_a_closer_audience_is_not_offered_is_not_offered_below() -> None:
    partner = release(profile="partner", audience="partner", step=5, counts=counts(step=5))
    rows = table(("B", "borough", 20), ("W1", "ward", 10), ("W2", "ward", 30))
    assert kept(partner).hidden(rows, "incidents").tolist() == [False, False, True]
    public = release()
    assert not kept(public, name="partner", audience="partner", threshold=5).hidden(rows, "incidents").any()


def test_a_correction_leaves_wards_and_offers_nothing_more() -> None:
    with_hidden = release(counts=counts(rows=(("B", "borough", 20), ("C", "borough", None), ("W1", "ward", 10))))
    found = kept(with_hidden, reissue=Reissue("public", "late"), data_to=202501)
    rows = table(("B", "borough", 55), ("C", "borough", 60), ("W1", "ward", 3))
    assert found.fixed(rows).tolist() == [False, False, True]
    assert found.hidden(rows, "incidents").tolist() == [False, True, False]
    assert found.within(rows)["incidents"].tolist() == [55, 60, 10]
    other = kept(with_hidden, reissue=Reissue("partner", "late"))
    assert other.fixed(rows).all()


@pytest.mark.parametrize(("months", "allowed"), [(11, False), (12, True)])
def test_corrections_come_once_in_twelve_months(months: int, allowed: bool) -> None:  # noqa: FBT001
    done = release(reissue="late", data_to=202401)
    now = {11: 202412, 12: 202501}[months]
    if allowed:
        assert kept(release(data_to=202312), done, data_to=now, reissue=Reissue("public", "more")).reissue == "more"
    else:
        with pytest.raises(DisclosureError, match="data to January 2025"):
            kept(done, data_to=now, reissue=Reissue("public", "more"))


def test_two_partners_may_have_different_steps() -> None:
    close = release(profile="a", audience="partner", step=5)
    wide = release(profile="b", audience="partner", step=10)
    kept(close, wide, name="a", audience="partner", threshold=5)
    with pytest.raises(DisclosureError, match="promised steps of 10"):
        kept(wide, name="a", audience="partner", threshold=5)


@pytest.mark.parametrize(
    ("profile", "synthetic", "calendar"),
    [
        ({}, False, "year"),
        ({"audience": "partner", "threshold": 5}, False, "quarter"),
        ({}, True, "each_run"),
        ({"release": "month"}, True, "month"),
        ({"audience": "internal", "threshold": 0}, False, "each_run"),
    ],
)
def test_calendars_by_default(profile: dict[str, Any], synthetic: bool, calendar: str) -> None:  # noqa: FBT001
    assert calendar_of(config(**profile).profiles[0], synthetic=synthetic) == calendar


def test_the_next_date_is_the_first_after_the_last_release() -> None:
    assert next_date("month", anchor=202412, released_to=202501) == 202502
    assert next_date("year", anchor=202412, released_to=202501) == 202512
    assert next_date("quarter", anchor=202503, released_to=202411) == 202412
    assert next_date("each_run", anchor=202503, released_to=202411) is None


def test_an_edition_is_told_by_codes_and_vintages() -> None:
    areas = pd.DataFrame(
        {
            "area_code": ["R", "B1", "B2", "W1", "W2", "W3"],
            "level": ["region", "borough", "borough", "ward", "ward", "ward"],
            "parent_code": [None, "R", "R", "B1", "B1", "B2"],
            "vintage": ["1"] * 6,
        }
    )
    whole = edition_of(areas)
    assert set(whole) == {"B1", "B2"}
    scope = edition_of(areas[areas["area_code"].isin(["R", "B1", "W1", "W2"])])
    assert scope == {"B1": whole["B1"]}  # a borough's own folder has the same edition
    assert edition_of(areas.replace("W2", "W9"))["B1"] != whole["B1"]
    assert edition_of(areas.assign(vintage="2"))["B2"] != whole["B2"]
    assert edition_of(areas.sample(frac=1, random_state=1)) == whole


def test_hotspots_of_version_1_are_not_shown_again_nor_others_beside_them() -> None:
    """Their counts were bands and their ranks followed the true counts."""
    old = release(version=1, protection="suppress")
    assert len(old.hotspots)
    window = Period.parse(YEAR)
    found = as_first_released(Outlines(old.hotspots, ""), kind="hotspots", kept=kept(old), headline=window)
    assert len(found.layer) == 0
    assert found.note == APART
    later = Period.parse("2025-01..2025-12")
    assert len(as_first_released(Outlines(old.hotspots, ""), kind="hotspots", kept=kept(old), headline=later).layer)


def test_what_had_no_place_in_version_1_is_not_offered_beside_steps() -> None:
    cells = counts()
    cells = pd.concat([cells, cells.head(1).assign(measure="incidents_unplaced", lower=3, upper=3)], ignore_index=True)
    found = kept(release(version=1, protection="suppress", counts=cells)).counts
    unplaced = found[found["measure"] == "incidents_unplaced"]
    assert len(unplaced) == 1
    assert unplaced[["lower", "upper"]].isna().all(axis=None)
