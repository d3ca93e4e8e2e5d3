/* Values, classes, ranks, choices and the address: expected values follow from payload.js by hand. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LEVELS, areaAt, takeIn } from "../../pipeline/publish/map/assets/data.js";
import {
  SHOWN_MEASURES, begin, circleExamples, classOf, compareChoices, funnelOf, largeLevel, levelsOf, mainScene, matching, overlayOf, piecesOf, rankOf,
  rateEnds, settleCompare, settleLevel, shareEnds, shortName, shownAs, sorted, state, stateText, takeAddress, valueOf, valuesOf,
} from "../../pipeline/publish/map/assets/model.js";
import { useWords } from "../../pipeline/publish/map/assets/words.js";
import { LAST_YEAR, THIS_YEAR, columns, payload, withCounty } from "./payload.js";

function open(change) {
  takeIn(payload(change));
  useWords({}, "en");
  begin();
}

/** The states of all wards, for a measure. */
function states(measure) { return [0, 1, 2, 3].map((i) => valueOf({ ...mainScene(), level: "ward", measure }, i).state); }

test("an area without a value says why", () => {
  open((p) => { p.levels.ward.covered[1] = false; });
  assert.deepEqual(SHOWN_MEASURES, ["rate", "count", "change"]);
  assert.deepEqual(states("count"), ["ok", "nocover", "ok", "notoffered"]);
  assert.deepEqual(states("rate"), ["ok", "nocover", "norate", "notoffered"]); // no residents in the third
  open();
  assert.deepEqual(states("change"), ["ok", "few", "incomparable", "notoffered"]);
  assert.equal(valueOf({ ...mainScene(), level: "ward", measure: "change" }, 0).value, -1);
  assert.equal(valueOf({ ...mainScene(), period: LAST_YEAR }, 0).state, "nodata");
});

test("change is no choice where no area has one", () => {
  open((p) => {
    const columnsOf = Object.values(p.levels).flatMap((level) => Object.values(level.values));
    for (const held of columnsOf.filter((c) => c.cw)) held.cw = { [THIS_YEAR]: ["w", "w", "w", "w"] };
  });
  assert.deepEqual(SHOWN_MEASURES, ["rate", "count"]);
  /** Every area is "not comparable": with a window that it was compared with, and without any. */
  const apart = (earlierNamed) => open((p) => {
    p.info.earlierNamed = earlierNamed;
    for (const level of Object.values(p.levels)) for (const c of Object.values(level.values)) if (c.cw) c.cw = columns({ cw: ["c", "c", "c", "c"] }).cw;
  });
  apart("");
  assert.deepEqual(SHOWN_MEASURES, ["rate", "count"]);
  apart("2023");
  assert.deepEqual(SHOWN_MEASURES, ["rate", "count", "change"]);
});

test("the values of a scene are worked out once, and belong to one release", () => {
  open();
  const scene = mainScene(), held = valuesOf(scene);
  assert.equal(valuesOf({ ...scene, measure: "count" })[0].value, 50);
  assert.equal(valuesOf({ ...scene }), held);
  open((p) => { p.levels.ward.values.all.r[THIS_YEAR][0] = 7; });
  assert.equal(valuesOf(scene)[0].value, 7);
});

test("none recorded is a class of its own, where that is known", () => {
  open((p) => {
    Object.assign(p.levels.ward.values.all, columns({
      n: [0, 3, 0, 0], nx: [0, 3, 0, 0], nm: [0, 3, 0, 0], r: [null, null, null, null], rel: ["f", "f", null, "f"],
    }));
  });
  assert.deepEqual(states("rate"), ["zero", "few", "zero", "zero"]);
  assert.deepEqual(states("count"), ["ok", "ok", "ok", "ok"]);
  open((p) => { // in steps a first step may hold some
    p.info.step = 10;
    Object.assign(p.levels.ward.values.all, columns({
      n: [0, 0, 0, 0], nx: [9, 9, 9, 9], nm: [null, null, null, null], r: [null, null, null, null], rel: ["f", "f", "f", "f"],
    }));
  });
  assert.deepEqual(states("rate"), ["few", "few", "few", "few"]);
});

test("a count in its first step is no value, and a share over it is too unsure", () => {
  open((p) => {
    p.info.step = 5;
    Object.assign(p.levels.ward.values.all, columns({
      n: [0, 5, 10, 0], nx: [4, 9, 14, 0], nm: [null, 7, 12, 0], r: [null, 3.5, null, null], o: [0, 0, 5, 0], ox: [4, 4, 9, 0],
      k: [0, 5, 10, 0], kx: [4, 9, 14, 0], s: [null, null, 0.5833, null],
    }));
  });
  assert.deepEqual(states("count"), ["first", "ok", "ok", "ok"]);
  assert.deepEqual(states("outcomes"), ["few", "few", "ok", "few"]);
  assert.deepEqual(rateEnds({ ...mainScene(), level: "ward" }, 1), [(3.5 * 5) / 7, (3.5 * 9) / 7]);
  assert.deepEqual(shareEnds({ ...mainScene(), level: "ward" }, 2), [5 / 14, 9 / 10]);
});

test("a value is in the class whose lower limit it reaches", () => {
  assert.deepEqual([0, 1, 1.9, 2, 5, 99].map((v) => classOf(v, [1, 2, 5])), [0, 1, 1, 2, 3, 3]);
});

test("ranks count ties, and intervals say how far they could move", () => {
  open();
  const rate = { ...mainScene(), level: "borough", measure: "rate" };
  assert.deepEqual(rankOf(rate, 1), { rank: 1, of: 2, joint: false, best: 1, worst: 1 }); // 44 to 56 lies above 20 to 30
  assert.deepEqual(rankOf(rate, 0), { rank: 2, of: 2, joint: false, best: 2, worst: 2 });
  assert.deepEqual(rankOf({ ...rate, level: "ward" }, 1), { rank: 1, of: 2, joint: true, best: 1, worst: 2 });
  assert.equal(rankOf({ ...rate, level: "ward" }, 3), null);
  open((p) => { p.info.audience = "public"; });
  assert.equal(rankOf({ ...rate, level: "ward" }, 1), null); // no league tables of small areas
});

test("sorting keeps the order of equals, in both directions", () => {
  const size = [3, 1, 3, 2];
  assert.deepEqual(sorted([0, 1, 2, 3], (i) => size[i], 1), [1, 3, 0, 2]);
  assert.deepEqual(sorted([0, 1, 2, 3], (i) => size[i], -1), [0, 2, 3, 1]);
});

test("search finds names that begin with the text first", () => {
  const all = ["South Ash", "Ash", "Birch", "Ashby"].map((name, i) => ({ name, key: name.toLowerCase(), level: "ward", i }));
  assert.deepEqual(matching(all, " aSh ").map((hit) => hit.name), ["Ash", "Ashby", "South Ash"]);
  assert.deepEqual(matching(all, "a"), []);
  assert.deepEqual(matching(all, "(.*"), []);
});

test("a category that is given by borough moves the map and the choice there, and back", () => {
  open();
  assert.deepEqual(levelsOf("faith"), ["borough"]);
  assert.deepEqual(levelsOf("all"), ["ward", "borough"]);
  Object.assign(state, { category: "faith" });
  assert.deepEqual(shownAs("ward", 2), ["borough", 1]);
  assert.equal(shortName(LEVELS.ward, 0), "Ash North");
  assert.equal(shortName(LEVELS.borough, 0), "Ash");
});

test("a comparison with itself moves on", () => {
  open();
  assert.deepEqual(compareChoices().map((c) => c.value), ["p:" + THIS_YEAR, "p:" + LAST_YEAR, "c:all"]);
  state.compare = "p:" + THIS_YEAR;
  settleCompare();
  assert.equal(state.compare, "p:" + LAST_YEAR);
});

test("a category that is too rare for a year is shown over two", () => {
  const label = "24 months to December 2024";
  const both = { id: "2023-01..2024-12", label, named: label, start: "2023-01", end: "2024-12", complete: true, kind: "l" };
  open((p) => {
    Object.assign(p.categories[1], { detail: "ward", long: true });
    p.levels.ward.periods = [...p.levels.ward.periods, both];
    p.levels.ward.values.faith = { n: { [both.id]: [5, 5, 0, "w"] } };
  });
  state.category = "faith";
  settleLevel();
  assert.deepEqual([state.level, state.period], ["ward", both.id]);
  assert.deepEqual(compareChoices().map((c) => c.value), ["p:" + both.id, "c:faith"]); // nothing else has this window
  state.category = "all";
  settleLevel();
  assert.deepEqual([state.level, state.period], ["ward", THIS_YEAR]);
  assert.ok(!compareChoices().some((c) => c.value === "c:faith"));
  takeAddress("l=borough&c=faith&p=" + LAST_YEAR); // boroughs have every year
  assert.deepEqual([state.level, state.period], ["borough", LAST_YEAR]);
});

test("the address keeps what was chosen and ignores what is odd", () => {
  open();
  takeAddress("l=borough&m=change&c=all&p=" + LAST_YEAR + "&a=B&names=0&v=51.5,1.25,9&t=dark&x=c:all");
  const { level, measure, area, names, view, theme, compare } = state;
  assert.deepEqual([level, measure, area, names, view, theme, compare], ["borough", "change", 1, false, [51.5, 1.25, 9], "dark", "c:all"]);
  const text = stateText();
  takeAddress("");
  assert.equal(state.level, "ward");
  assert.equal(state.theme, "dark"); // a theme stays until another is chosen
  takeAddress(text);
  assert.equal(stateText(), text);
  takeAddress("l=__proto__&m=toString&c=%E0%A4&p=x&a=constructor&v=1,2&tab=x&=&&h=1&x=p:none&on=ward");
  assert.equal(stateText(), "l=ward&m=rate&c=all&p=" + encodeURIComponent(THIS_YEAR) + "&t=dark");
  assert.deepEqual(piecesOf("a=1&b&=2&c=%zz&d=%20"), { a: "1", d: " " });
});

test("the circles of the legend are round numbers below the largest count", () => {
  open((p) => { p.levels.ward.values.all.nm[THIS_YEAR] = [50, 730, 40, null]; });
  useWords({ "number.thousands": "," }, "en");
  assert.deepEqual(circleExamples({ ...mainScene(), level: "ward", measure: "count" }).map((e) => e.value), [500, 100, 20]);
});

test("where a rate lies against the region's is known where the release gives it", () => {
  open((p) => { p.levels.ward.values.all.f = { [THIS_YEAR]: ["H", "w", null, "l"] }; });
  const scene = { ...mainScene(), level: "ward" };
  assert.deepEqual([0, 1, 2, 3].map((i) => funnelOf(scene, i)), ["high_998", "within", "", "low_95"]);
  assert.equal(funnelOf({ ...scene, period: LAST_YEAR }, 0), "");
});

test("a third level is a choice for every category, and stays chosen", () => {
  open(withCounty);
  assert.deepEqual([levelsOf("all"), levelsOf("faith")], [["ward", "borough", "level_3"], ["borough", "level_3"]]);
  assert.deepEqual(["ward", "ward_group", "borough", "level_3"].map(largeLevel), ["borough", "borough", "borough", "level_3"]);
  takeAddress("l=level_3&c=all&m=rate&a=C");
  assert.deepEqual([state.level, state.area, valueOf(mainScene(), 0).value], ["level_3", 0, 40]);
  state.category = "faith";
  settleLevel();
  assert.equal(state.level, "level_3");
  assert.match(stateText(), /^l=level_3&/);
  takeAddress("l=ward&c=all");
  state.category = "faith";
  settleLevel();
  assert.equal(state.level, "borough");
});

test("a chosen test is in the address and shows what it found in the category", () => {
  const feature = (category) => ({ category, shade: 0, rings: [[0, 5000000, 100000, 0, 0, 100000]], row: [category] });
  const near = { id: "near", name: "Near", note: "", columns: ["In"], keys: [["hot", 1, "now"]], features: [feature("all"), feature("faith")] };
  open((p) => { p.overlays = [near]; });
  assert.equal(overlayOf(mainScene()), null);
  takeAddress("o=unheard-of");
  assert.equal(overlayOf(mainScene()), null);
  takeAddress("o=near&c=faith");
  assert.deepEqual(overlayOf(mainScene()).features.map((f) => f.row), [["faith"]]);
  assert.deepEqual(overlayOf(mainScene()).features[0].shape, [[[50, 0], [50, 1], [51, 1]]]);
  assert.match(stateText(), /(^|&)o=near(&|$)/);
});

test("a click on what a test found chooses the area under it", () => {
  open();
  const middle = (i) => LEVELS.ward.shapes[i][0].reduce(([y, x], p, _, all) => [y + p[0] / all.length, x + p[1] / all.length], [0, 0]);
  assert.deepEqual([0, 3].map((i) => areaAt("ward", middle(i))), [0, 3]);
  assert.equal(areaAt("ward", [-80, -80]), -1);
});

test("the map opens on rates, and on numbers where no area has one", () => {
  open();
  assert.equal(state.measure, "rate");
  open((p) => { p.levels.ward.values.all.r = { [THIS_YEAR]: [null, null, null, null] }; });
  assert.equal(state.measure, "count");
});
