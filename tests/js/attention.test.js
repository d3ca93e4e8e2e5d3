/* What deserves attention: what the map shows for a statement, and what is copied with it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { copyText, evidenceOf, hasEvidence } from "../../pipeline/publish/map/assets/attention.js";
import { takeIn } from "../../pipeline/publish/map/assets/data.js";
import { begin, state } from "../../pipeline/publish/map/assets/model.js";
import { useWords } from "../../pipeline/publish/map/assets/words.js";
import { LAST_YEAR, THIS_YEAR, payload } from "./payload.js";

const HIGHER = {
  kind: "higher", text: [["One ward is clearly higher", true], [" than 2023: Ash (1 to 20).", false]], tested: "3 wards compared.",
  category: "all", measure: "change", level: "ward", codes: ["A1"], hotspots: false, period: "",
};

function open(change) {
  takeIn(payload(change));
  useWords({}, "en");
  begin();
}

test("the evidence of a change is the map of changes in the window that was tested", () => {
  open();
  Object.assign(state, { category: "faith", level: "borough", detailed: false, measure: "rate", compare: "c:all", mode: "density" });
  Object.assign(state, evidenceOf(HIGHER));
  const { mode, compare, category, period, level, detailed, measure } = state;
  assert.deepEqual([mode, compare, category, period, level, detailed, measure], ["areas", null, "all", THIS_YEAR, "ward", true, "change"]);
});

test("a statement about another window moves the map and the copy to it, where the level has it", () => {
  open();
  assert.equal(evidenceOf({ ...HIGHER, period: LAST_YEAR }).period, LAST_YEAR);
  assert.match(copyText({ ...HIGHER, period: LAST_YEAR }).split("\n")[2], /^Hate crime\. Anytown\. 2023\./);
  assert.equal(evidenceOf({ ...HIGHER, period: "2022-01..2022-03" }).period, THIS_YEAR);
});

test("hotspots leave the measure and the level as they are", () => {
  open((p) => { p.hotspots = [{ id: "H1", rank: 1, name: "Ash", n: 5, band: "5", km2: 1, density: 5, within: [], rings: [],
    at: [0, 0], steady: "", cores: [] }]; });
  Object.assign(state, { measure: "count", hotspots: false });
  Object.assign(state, evidenceOf({ ...HIGHER, measure: "", level: "", codes: [], hotspots: true }));
  assert.deepEqual([state.measure, state.level, state.hotspots, state.tab], ["count", "ward", true, "hotspots"]);
});

test("a measure that the release lacks is not chosen, nor a level that the category lacks", () => {
  open((p) => { for (const level of Object.values(p.levels)) for (const c of Object.values(level.values)) delete c.cw; });
  assert.equal("measure" in evidenceOf(HIGHER), false);
  assert.equal(evidenceOf({ ...HIGHER, category: "faith" }).level, "borough");
});

test("a copy holds the sentence, its test, the source and every caution", () => {
  open((p) => {
    Object.assign(p.info, { synthetic: "Synthetic data.", counts: "Steps of 10.", audit: "Not audited", marking: "OFFICIAL" });
    p.info.wording = ["Recorded, not experienced."];
  });
  const lines = copyText(HIGHER).split("\n");
  assert.deepEqual(lines.slice(0, 2), ["One ward is clearly higher than 2023: Ash (1 to 20).", "3 wards compared."]);
  assert.match(lines[2], /^Hate crime\. Anytown\. 2024\. .*Police/);
  for (const caution of ["Synthetic data.", "Steps of 10.", "Not audited", "OFFICIAL", "Recorded, not experienced."]) {
    assert.ok(lines.includes(caution), caution);
  }
  assert.equal(lines.filter((line) => line.includes("Police")).length, 1);
});

test("a statement without evidence has nothing to show on the map", () => {
  const nothing = { ...HIGHER, kind: "hotspots", measure: "", level: "", codes: [] };
  assert.equal(hasEvidence(HIGHER), true);
  assert.equal(hasEvidence({ ...nothing, hotspots: true }), true);
  assert.equal(hasEvidence(nothing), false);
});
