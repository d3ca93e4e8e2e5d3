/* The payload, decoded: expected values are worked out by hand. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import {
  EDGE, LEVELS, MAPPED, cell, containing, decodeArc, isFirstStep, isInside, kindsOf, levelAbove, parentName, parentOf, periodOf, rangeOf,
  FRAMED, regional, ringOf, takeIn, unpacked,
} from "../../pipeline/publish/map/assets/data.js";
import { THIS_YEAR, payload, withCounty } from "./payload.js";

test("the block of the page is unpacked, and a damaged one is refused", async () => {
  const block = (text) => JSON.stringify({ gzip: gzipSync(text).toString("base64") });
  assert.deepEqual(await unpacked(block('{"a":"\u00e9<"}')), { a: "\u00e9<" });
  await assert.rejects(unpacked(block("{")));
  await assert.rejects(unpacked(JSON.stringify({ gzip: gzipSync("{}").toString("base64").slice(0, 20) })));
  await assert.rejects(unpacked("nothing"));
});

test("arcs are differences, and a ring may run them backwards", () => {
  assert.deepEqual(decodeArc([100000, 5000000, 50000, -100000]), [[50, 1], [49, 1.5]]);
  const lines = [[[0, 0], [0, 1], [1, 1]], [[0, 0], [1, 0], [1, 1]]];
  assert.deepEqual(ringOf([0, -2], lines), [[0, 0], [0, 1], [1, 1], [1, 0]]);
});

test("a point is inside or outside of a ring, whatever its direction", () => {
  const ring = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]];
  for (const points of [ring, ring.slice().reverse()]) {
    assert.equal(isInside([1, 1], points), true);
    assert.equal(isInside([2, 3], points), false); // in the notch
    assert.equal(isInside([5, 1], points), false);
  }
});

test("levels, parents and cells are found", () => {
  takeIn(payload());
  assert.deepEqual(MAPPED, ["ward", "borough"]);
  assert.deepEqual(EDGE, [[[50, 0], [50, 4], [52, 4], [52, 0]]]);
  assert.equal(LEVELS.ward.at.get("B1"), 2);
  assert.deepEqual(parentOf("ward", 3), ["borough", 1]);
  assert.equal(parentName("ward", 0), "Ash");
  assert.equal(parentName("borough", 0), "");
  assert.equal(parentOf("region", 0), null);
  assert.equal(cell("ward", 3, THIS_YEAR, "all", "n"), "w");
  assert.equal(cell("ward", 0, "no such", "all", "n"), null);
  assert.equal(cell("ward", 0, THIS_YEAR, "none", "n"), null);
  assert.equal(periodOf("ward", "no such"), null);
  assert.deepEqual(kindsOf("ward"), ["y"]);
});

test("a third level contains the boroughs", () => {
  takeIn(payload(withCounty));
  assert.deepEqual(MAPPED, ["ward", "borough", "level_3"]);
  assert.deepEqual(["ward", "borough", "level_3"].map(levelAbove), ["borough", "level_3", ""]);
  assert.equal(parentName("borough", 1), "Shire");
  assert.equal(parentName("level_3", 0), "");
  assert.equal(containing("ward", 3, "borough"), 1);
  assert.equal(containing("ward", 3, "level_3"), 0);
  assert.equal(containing("borough", 1, "borough"), 1);
  assert.equal(containing("level_3", 0, "ward"), null);
  takeIn(payload());
  assert.deepEqual(["ward", "borough"].map(levelAbove), ["borough", ""]);
});

test("a count is a range, not offered, or absent", () => {
  takeIn(payload((p) => { p.levels.borough.values.all = { n: { [THIS_YEAR]: [0, null] }, nx: { [THIS_YEAR]: [4, null] } }; }));
  const first = rangeOf("borough", 0, THIS_YEAR, "all", "n");
  assert.deepEqual(first, { lower: 0, upper: 4 });
  assert.equal(isFirstStep(first), true);
  assert.equal(rangeOf("borough", 1, THIS_YEAR, "all", "n"), null);
  assert.equal(rangeOf("ward", 3, THIS_YEAR, "all", "n"), "w");
  assert.equal(regional(THIS_YEAR, "all", "r"), 40);
  assert.equal(regional(THIS_YEAR, "all", "s"), null);
});

test("the first view shows covered areas where they are few", () => {
  takeIn(payload());
  assert.deepEqual(FRAMED, EDGE);
  takeIn(payload((p) => { p.levels.ward.covered = [false, true, false, false]; }));
  // Ash South alone: from 1 to 2 degrees east.
  assert.deepEqual(new Set(FRAMED.flat().map(([, x]) => x)), new Set([1, 2]));
  for (const covered of [[false, false, false, false], [true, true, false, false]]) {
    takeIn(payload((p) => { p.levels.ward.covered = covered; }));
    assert.deepEqual(FRAMED, EDGE);
  }
});
