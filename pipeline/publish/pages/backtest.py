"""backtest.html: which method would have caught most of the later incidents, for the analyst and the chief analyst.

The page is internal. It is written from backtest.json alone, so that it says no more and no less than that file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.publish import page
from pipeline.publish.charts.backtest import CaughtBar, caught_chart
from pipeline.publish.words import capital, listed, month_name, say, whole

__all__ = ["backtest_html", "backtest_picture", "summary"]

Study = Mapping[str, Any]
_APART = ("random", "oracle")
_SIMPLEST = (
    "last_period",
    "long_run",
    "area_density",
    "area_rate",
    "grid_count",
    "turned_grid",
    "gistar",
    "clusters",
    "kde",
)
"""Methods from the one that takes least to compute and to explain."""


_ENOUGH_MONTHS = 6


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(range(1, len(self.head)))


def backtest_html(record: Mapping[str, Any]) -> str:
    """Return the page.

    Parameters
    ----------
    record
        The content of backtest.json: names of the run, and its studies, the main one first.
    """
    main = record["studies"][0]
    tables = [_scores(record, main, target) for target in _targets(main)]
    first = next(k for k, target in enumerate(_targets(main)) if target == main["rank_target"])
    body = page.render(
        "pages/backtest.html",
        record=record,
        summary=summary(record),
        picture=page.safe(backtest_picture(record, standalone=False)),
        main_table=tables.pop(first),
        tables=tables,
        pairs=_pairs(record, main),
        by_category=_by_study(record, [s for s in record["studies"] if s["cells"] == main["cells"]], "category"),
        by_cells=_by_study(record, [s for s in record["studies"] if s["category"] == main["category"]], "cells"),
        settings=_settings(record),
        notes=[say(f"backtest.note.{n['key']}", **n["values"]) for n in main["notes"]],
    )
    return page.document(
        language=record["language"],
        title=say("backtest.page_title", title=record["title"]),
        styles=[
            page.colour_tokens(),
            page.style_sheet("pages/front_door.css"),
            page.style_sheet("pages/backtest.css"),
            page.dark_if_asked(body),
        ],
        body=body,
    )


def backtest_picture(record: Mapping[str, Any], *, standalone: bool = True) -> str:
    """Draw what each method caught at the target that methods are ranked by."""
    main = record["studies"][0]
    rows = sorted(_at(main, main["rank_target"]), key=lambda s: -s["hits"])
    bars = [
        CaughtBar(
            _name(record, s["method"]),
            s["hit_rate_pct"]["value"] or 0.0,
            s["hit_rate_pct"]["low"],
            s["hit_rate_pct"]["high"],
            say("backtest.bar", pct=_pct(s["hit_rate_pct"]["value"]))
            if not _short(s)
            else say("backtest.bar_short", pct=_pct(s["hit_rate_pct"]["value"]), marked=_figures(s["marked_pct"])),
            stands_apart=s["method"] in _APART or _short(s),
        )
        for s in rows
    ]
    title = say("backtest.picture_title", target=_area(main))
    return caught_chart(bars, title=title, axis=say("backtest.axis"), label=title, standalone=standalone)


# The result in sentences.


def summary(record: Mapping[str, Any]) -> list[str]:
    """Say what was found: the best method, those that cannot be distinguished from it, and the limits of each."""
    main = record["studies"][0]
    months = main["origins"]
    first, last = month_name(months[0]), month_name(months[-1])
    found = [
        say(
            "backtest.tested",
            first=first,
            last=last,
            n=len(months),
            incidents=whole(main["test_incidents"]),
            noun=record["noun"],
            history=main["history"],
        )
    ]
    by_method = {s["method"]: s for s in _at(main, main["rank_target"])}
    if main["standing"] != "ranked":
        return [*found, say(f"backtest.{main['standing']}", target=_area(main))]
    best, equal = main["ranking"][0], list(main["equal"])
    score = by_method[best]
    found.append(
        say(
            "backtest.best",
            method=_name(record, best),
            target=_area(main),
            pct=_pct(score["hit_rate_pct"]["value"]),
            times=_figures(score["pai"]["value"]),
            possible=_pct(100 * (score["pei"]["value"] or 0.0)),
        )
    )
    simplest = min([best, *equal], key=_SIMPLEST.index)
    worse = [m for m in main["ranking"][1:] if m not in equal]
    if worse:
        behind = [f"{_name(record, m)} ({_pct(by_method[m]['hit_rate_pct']['value'])})" for m in worse]
        found.append(say("backtest.worse", methods=listed(behind)))
    if equal:
        found.append(say("backtest.equal", methods=_names(record, equal)))
    if equal and simplest != best:
        pct = _pct(by_method[simplest]["hit_rate_pct"]["value"])
        found.append(say("backtest.use_simplest", method=_name(record, simplest), pct=pct))
    found += [
        say(
            "backtest.short",
            method=capital(_name(record, m)),
            marked=_figures(s["marked_pct"]),
            pct=_pct(s["hit_rate_pct"]["value"]),
        )
        for m, s in by_method.items()
        if m not in _APART and _short(s)
    ]
    if len(months) < _ENOUGH_MONTHS and any(s["hit_rate_pct"]["low"] is not None for s in by_method.values()):
        found.append(say("backtest.few_months", n=len(months)))
    return found


# Tables.


def _scores(record: Mapping[str, Any], study: Study, target: str) -> _Table:
    """List every method at one target, best first."""
    keys = ("method", "caught", "interval", "marked", "pai", "pei", "rri", "first", "ties", "other_seed", "half_ties")
    rows = []
    for s in sorted(_at(study, target), key=lambda s: -s["hits"]):
        rate, ties = s["hit_rate_pct"], ""
        if s["tied_units"]:
            ties = say("backtest.ties", units=whole(s["tied_units"]), pct=_figures(s["tied_pct"]))
        rows.append(
            (
                _name(record, s["method"]),
                say("backtest.caught", pct=_pct(rate["value"]), hits=whole(s["hits"])),
                _interval(rate),
                f"{_figures(s['marked_pct'])}%",
                *("" if (v := s[key]["value"]) is None else f"{v:.2f}" for key in ("pai", "pei", "rri")),
                "" if s["first_pct"] is None else f"{s['first_pct']:.0f}%",
                ties,
                *("" if v is None else f"{v:.0f}%" for v in (s["other_seed_pct"], s["half_ties_pct"])),
            )
        )
    name = say("backtest.table", target=_area(study, target), label=study["label"], cells=study["cells"])
    return _Table(name, tuple(say(f"backtest.column.{key}") for key in keys), rows)


def _pairs(record: Mapping[str, Any], study: Study) -> _Table:
    """List the differences between methods, the one that catches more first."""
    rows: list[tuple[str, ...]] = []
    for pair in sorted(study["pairs"], key=lambda p: -abs(p["difference"]["value"] or 0.0)):
        difference = pair["difference"]
        turned = (difference["value"] or 0.0) < 0
        one, other = (pair["other"], pair["method"]) if turned else (pair["method"], pair["other"])
        ends = [difference["low"], difference["high"]]
        if turned:
            ends = [None if e is None else -e for e in reversed(ends)]
        rows.append(
            (
                say("backtest.pair", one=_name(record, one), other=_name(record, other)),
                f"{abs(difference['value'] or 0.0):.1f}",
                "" if ends[0] is None else say("backtest.range", low=f"{ends[0]:.1f}", high=f"{ends[1]:.1f}"),
                f"{_figures(pair['area_pct'])}%",
                say("backtest.clear") if pair["clear"] else say("backtest.unclear"),
            )
        )
    keys = ("pair", "difference", "interval", "same_area", "verdict")
    return _Table(say("backtest.pairs"), tuple(say(f"backtest.column.{key}") for key in keys), rows)


def _settings(record: Mapping[str, Any]) -> _Table | None:
    """List the best candidate of every setting in each study, those tried, and whether it lies at an end of them."""
    rows: list[tuple[str, ...]] = []
    for study in record["studies"]:
        for ladder in study["ladders"]:
            # Turns and shifts say little one by one: the grid as it is, and the best.
            first, best = ladder["rungs"][0]["setting"], ladder["best"]
            shown = [r for r in ladder["rungs"] if ladder["ordered"] or r["setting"] in {first, best}]
            tried = say("number.list_joint").join(f"{r['setting']} {_pct(r['hit_rate_pct'])}" for r in shown)
            remark = say("backtest.at_end") if ladder["at_end"] else ""
            name = _name(record, ladder["method"])
            rows.append((study["label"], _whole_line(study["cells"]), name, best or "", tried, remark))
    if not rows:
        return None
    keys = ("category", "cells", "method", "setting", "tried", "remark")
    return _Table(say("backtest.section.settings"), tuple(say(f"backtest.column.{key}") for key in keys), rows)


def _by_study(record: Mapping[str, Any], studies: Sequence[Study], kind: str) -> _Table | None:
    """List what the best method catches in every category or tiling, beside the simplest method and hindsight."""
    if len(studies) < 2:
        return None
    keys = (kind, "incidents", "best", "caught", "interval", "equal", "last_period", "oracle")
    rows = []
    for study in studies:
        by_method = {s["method"]: s for s in _at(study, study["rank_target"])}
        best = study["ranking"][0] if study["ranking"] else None
        score = by_method[best] if best else None
        rows.append(
            (
                study["label"] if kind == "category" else _whole_line(study["cells"]),
                whole(study["test_incidents"]),
                _name(record, best) if best else say(f"backtest.short_{study['standing']}"),
                "" if score is None else _pct(score["hit_rate_pct"]["value"]),
                "" if score is None else _interval(score["hit_rate_pct"]),
                listed([_name(record, m) for m in study["equal"]]),
                *(_pct(by_method[m]["hit_rate_pct"]["value"]) for m in ("last_period", "oracle")),
            )
        )
    name = say(f"backtest.by_{kind}", target=_area(studies[0]))
    return _Table(name, tuple(say(f"backtest.column.{key}") for key in keys), rows)


# Names and numbers.


def _at(study: Study, target: str) -> list[Mapping[str, Any]]:
    return [s for s in study["scores"] if s["target"] == target]


def _targets(study: Study) -> list[str]:
    return list(dict.fromkeys(s["target"] for s in study["scores"]))


def _short(score: Mapping[str, Any]) -> bool:
    """Say whether a method marked less than was asked."""
    return bool(score["marked_pct"] < score["area_pct"] * (1 - 1e-9))


def _area(study: Study, target: str = "") -> str:
    """Write a target: a share as it is, another area with its share of the study area."""
    text = target or study["rank_target"]
    share = _at(study, text)[0]["area_pct"]
    km2 = _figures(share * study["total_km2"] / 100)
    if text.endswith("%"):
        return say("backtest.share_of_area", pct=_figures(share), km2=km2)
    return say("backtest.other_area", target=text.replace("km2", "km²"), km2=km2, pct=_figures(share))


def _name(record: Mapping[str, Any], method: str) -> str:
    return say(f"backtest.method.{method}", areas=record["areas"])


def _names(record: Mapping[str, Any], methods: Sequence[str]) -> str:
    return listed([_name(record, m) for m in methods])


def _whole_line(words: str) -> str:
    """Keep a short name on one line of a table."""
    return words.replace(" ", "\u00a0")


def _pct(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}%" if value < 10 else f"{value:.0f}%"


def _figures(value: float | None) -> str:
    """Write three significant figures, or nothing."""
    return "" if value is None else f"{float(f'{value:.3g}'):,g}"


def _interval(interval: Mapping[str, float | None]) -> str:
    low, high = interval["low"], interval["high"]
    return "" if low is None or high is None else say("backtest.range", low=f"{low:.1f}", high=f"{high:.1f}")
