/* Which sentence is said of what: without words a key shows itself, so that the choice is seen. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LEVELS, takeIn } from "../../pipeline/publish/map/assets/data.js";
import { begin, mainScene, settleHotspot, settleMeasure, spotsOf, state, stateText, usefulChoice } from "../../pipeline/publish/map/assets/model.js";
import {
  areaSentence, changeAgainst, changeSentence, clusterSentence, counted, headingOf, insteadText, keysOf, noticeOf, regionSentence, spotNote, unitOf, valueText,
} from "../../pipeline/publish/map/assets/sentences.js";
import { useWords } from "../../pipeline/publish/map/assets/words.js";
import { LAST_YEAR, THIS_YEAR, columns, payload } from "./payload.js";

function open(change) {
  takeIn(payload(change));
  useWords({}, "en");
  begin();
}

/** The text of segments. */
function text(segments) { return segments.map(([piece]) => piece).join(""); }

test("the sentence of an area says what is known of it", () => {
  open();
  const scene = mainScene();
  assert.equal(text(areaSentence(scene, 0)), "map.card.recorded_rate_times");
  assert.equal(text(areaSentence(scene, 2)), "map.card.recorded_no_rate");
  assert.equal(text(areaSentence(scene, 3)), "map.card.not_offered map.card.in_whole");
  assert.equal(text(areaSentence({ ...scene, category: "faith" }, 0)), "map.card.no_figures_when");
  const all = "map.card.not_offered map.card.whole_not_offered map.card.given_for";
  open((p) => {
    Object.assign(p.levels.borough.values.all, columns({ n: [100, "w"], nx: [100, null] }));
    p.levels.ward.values.all.n[LAST_YEAR] = [40, 40, 40, 30];
    p.levels.ward.values.all.nx[LAST_YEAR] = [49, 49, 49, 39];
  });
  assert.equal(text(areaSentence(scene, 3)), all);
  open((p) => { p.levels.ward.covered[0] = false; p.info.mechanism = "suppress"; });
  assert.equal(text(areaSentence(scene, 0)), "map.card.not_covered");
  assert.equal(text(areaSentence(scene, 3)), "map.card.not_offered_suppress map.card.in_whole");
});

test("one is singular, none and a range are plural", () => {
  open();
  const recorded = { one: "**{counted}** was recorded in {area} {when}.", other: "**{counted}** were recorded in {area} {when}." };
  useWords({
    "number.range": "{low} to {high}", "number.fewer_than": "fewer than {limit}", "map.card.recorded": recorded,
    "map.card.recorded_no_rate": recorded, "number.none": "no", "month.in_period": "in {period}",
  }, "en");
  const ranges = [[1, 1], [0, 0], [1, 4], [0, 4]].map(([lower, upper]) => counted({ lower, upper }));
  assert.deepEqual(ranges, ["1 offence", "no offences", "1 to 4 offences", "fewer than 5 offences"]);
  const shown = [[1, 1], [0, 0], [1, 4]].map(([lower, upper]) => {
    takeIn(payload((p) => { p.levels.ward.values.all = { n: { [THIS_YEAR]: [lower] }, nx: { [THIS_YEAR]: [upper] } }; }));
    begin();
    return areaSentence({ ...mainScene(), level: "ward" }, 0);
  });
  assert.deepEqual(shown[0], [["1 offence", true], [" was recorded in Ash North (old) in 2024.", false]]);
  assert.deepEqual(shown[1], [["No offences", true], [" were recorded in Ash North (old) in 2024.", false]]);
  assert.deepEqual(shown[2], [["1 to 4 offences", true], [" were recorded in Ash North (old) in 2024.", false]]);
});

test("the region's sentence has the change only where one was called", () => {
  open();
  assert.equal(text(regionSentence("ward", mainScene())), "map.card.region_rate_change");
  open((p) => { p.levels.region.values.all.cw = {}; });
  assert.equal(text(regionSentence("ward", mainScene())), "map.card.region_rate");
  assert.equal(text(regionSentence("ward", { ...mainScene(), category: "faith" })), "map.card.no_total");
});

test("values, headings and units follow the measure", () => {
  open();
  const scene = { ...mainScene(), level: "ward" };
  assert.equal(valueText({ ...scene, measure: "change" }, 0), "map.value.change_lower");
  assert.equal(valueText({ ...scene, measure: "change" }, 1), "map.value.too_few_to_compare");
  assert.equal(valueText(scene, 3), "map.value.not_offered");
  assert.equal(changeSentence(scene, 2), "map.change.not_comparable.with");
  assert.equal(headingOf({ ...scene, mode: "density" }), "map.heading.density");
  assert.deepEqual(unitOf({ ...scene, measure: "count" }), [["Offences", true]]);
  assert.deepEqual(keysOf([{ ...scene, measure: "change" }]).map(([name]) => name), ["few", "notoffered", "incomparable"]);
});

test("a map without values says what would have some", () => {
  open();
  assert.equal(noticeOf(), null);
  state.period = payload().levels.ward.periods[0].id;
  const notice = noticeOf();
  assert.equal(notice.text, "map.notice.not_given.rate");
  assert.deepEqual(notice.change, { period: THIS_YEAR });
  open((p) => { p.levels.ward.values.all.r[THIS_YEAR] = ["w", "w", "w", "w"]; });
  assert.deepEqual([noticeOf().text, noticeOf().level], ["map.notice.protected", "borough"]);
});

test("two sides of a break are not compared, and a comparison begins on the same side", () => {
  open((p) => { p.info.breaks = [{ month: "2024-01", text: "New system" }]; });
  assert.equal(usefulChoice(), "p:" + LAST_YEAR); // there is no other window
  state.compare = "p:" + LAST_YEAR;
  assert.equal(noticeOf().text, "map.notice.across_break");
  const quarter = (id, start, end) => ({ id, label: id, named: id, start, end, complete: true, kind: "q" });
  open((p) => {
    p.info.breaks = [{ month: "2024-04", text: "New system" }];
    const quarters = [["2024-01", "2024-03"], ["2024-04", "2024-06"], ["2024-07", "2024-09"], ["2025-04", "2025-06"]];
    p.levels.ward.periods = quarters.map(([start, end]) => quarter(start + ".." + end, start, end));
  });
  Object.assign(state, { level: "ward", period: "2025-04..2025-06", compare: null });
  assert.equal(usefulChoice(), "p:2024-04..2024-06"); // the same months a year earlier
  state.period = "2024-04..2024-06";
  assert.equal(usefulChoice(), "p:2024-07..2024-09"); // the window before lies on the other side
});

test("a window names the one that it is compared with, and no other", () => {
  const quarter = (year, against) => ({
    id: year + "-04.." + year + "-06", label: "April to June " + year, named: "April to June " + year, start: year + "-04", end: year + "-06",
    complete: true, kind: "q", against,
  });
  open((p) => {
    p.levels.ward.periods = [
      quarter("2024", ""),
      quarter("2025", "April to June 2024"),
      ...p.levels.ward.periods,
    ];
  });
  assert.equal(changeAgainst({ level: "ward", period: "2025-04..2025-06" }), "April to June 2024");
  assert.equal(changeAgainst({ level: "ward", period: "2024-04..2024-06" }), "map.change.period_before");
  assert.equal(changeAgainst({ level: "ward", period: THIS_YEAR }), "2023");
});

/** Five wards whose rates all lie in the class from 5 to 10, last year in several. */
function flat() {
  const wards = [0, 1, 2, 3, 4];
  open((p) => {
    Object.assign(p.levels.ward, { code: wards.map(String), name: wards.map(String), parent: wards.map(() => "A"), people: wards.map(() => 1000),
      covered: wards.map(() => true), rings: wards.map(() => [[2]]), labels: wards.map(() => [0, 0, 1]) });
    const cells = (list) => ({ [THIS_YEAR]: list });
    const counts = cells([30, 31, 32, 33, 34]);
    p.levels.ward.values.all = { n: counts, nx: counts, nm: counts, r: { ...cells([6, 7, 8, 9, 9.5]), [LAST_YEAR]: [2, 7, 12, 30, 50] } };
  });
}

test("rates that all lie in one class are shown as numbers by themselves, and come back where they differ", () => {
  flat();
  settleMeasure();
  assert.equal(state.measure, "count");
  assert.equal(insteadText(mainScene()), "map.legend.circles_instead");
  assert.match(stateText(), /m=rate/); // the address keeps what was asked for
  state.period = LAST_YEAR;
  settleMeasure();
  assert.equal(state.measure, "rate");
  assert.equal(insteadText(mainScene()), "");
});

test("where no area has enough for a rate, circles say how many were recorded", () => {
  /** A release without rates, in which the areas have these counts; what is taken in never changes. */
  const settle = (rates, counts) => {
    flat();
    const values = LEVELS.ward.values.all;
    values.r = { [THIS_YEAR]: rates };
    values.rel = { [THIS_YEAR]: ["f", "f", "f", "f", "f"] };
    for (const key of ["n", "nx", "nm"]) values[key] = { [THIS_YEAR]: counts };
    settleMeasure();
  };
  settle([0, null, null, null, null], [0, 1, 2, 3, 4]); // none recorded in the first is no rate either
  assert.equal(state.measure, "rate"); // four are read at a glance
  settle([null, null, null, null, null], [5, 1, 2, 3, 4]);
  assert.equal(state.measure, "count");
  assert.equal(insteadText(mainScene()), "map.legend.circles_no_rate");
});

test("a reader who asks for rates of one class gets them, with a notice", () => {
  flat();
  Object.assign(state, { measure: "rate", keepFlat: true });
  settleMeasure();
  assert.equal(state.measure, "rate");
  assert.match(stateText(), /flat=1/);
  assert.deepEqual(noticeOf().change, { measure: "count", keepFlat: false });
  open((p) => { p.levels.ward.values.all.r = { [THIS_YEAR]: [6, 7, 8, 9] }; }); // four areas are read at a glance
  assert.equal(noticeOf(), null);
});

test("hotspots of another category or period are never shown, and the list says why", () => {
  const spot = (id, category) => ({
    id, category, rank: 1, name: id, n: 9, band: "9", km2: 1, density: 9, within: [], rings: [[0]], at: [1e5, 51e5], steady: "", cores: [],
  });
  open((p) => {
    p.categories.push({ id: "race", label: "Race", parent: "all", detail: "ward" });
    p.hotspots = [spot("H001", "all"), spot("faith-H001", "faith")];
  });
  const shown = () => spotsOf(mainScene()).map((s) => s.id);
  assert.deepEqual(shown(), ["H001"]);
  assert.equal(spotNote(), "map.hotspots.note");
  state.hotspot = 0;
  state.category = "faith";
  settleHotspot();
  assert.equal(state.hotspot, null);
  assert.deepEqual(shown(), ["faith-H001"]);
  state.category = "race";
  assert.deepEqual(shown(), []);
  assert.equal(spotNote(), "map.hotspots.none_of");
  state.category = "all";
  state.period = LAST_YEAR;
  assert.deepEqual(shown(), []);
  assert.equal(spotNote(), "map.hotspots.other_period");
});

test("a history is a sentence about one side, and none where there is no pattern", () => {
  const worded = (history) => {
    open((p) => { p.levels.ward.values.all.e = { [THIS_YEAR]: [history, null, null, null] }; });
    useWords({ "map.history.sporadic": "{side}, not {other}", "map.side.hot": "higher", "map.side.cold": "lower" }, "en");
    return clusterSentence({ ...mainScene(), level: "ward" }, 0);
  };
  assert.deepEqual(["sporadic hot spot", "sporadic cold spot", "no pattern"].map(worded), ["higher, not lower", "lower, not higher", ""]);
});
