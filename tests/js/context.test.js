/* Context: what is drawn at which zoom, and how its lines are decoded. */

import assert from "node:assert/strict";
import test from "node:test";
import { CONTEXT, decodeArc, takeIn } from "../../pipeline/publish/map/assets/data.js";
import { between, clipped, leastRoad, leastStation, roadWidths, stepOf } from "../../pipeline/publish/map/assets/context.js";
import { isNamed } from "../../pipeline/publish/map/assets/view.js";
import { payload } from "./payload.js";

test("more is drawn step by step", () => {
  assert.deepEqual([9, 11.2, 11.3, 12.9, 13, 13.9, 14, 16].map(stepOf),
    ["region", "region", "town", "town", "quarter", "quarter", "street", "street"]);
  assert.deepEqual([10, 12, 12.5, 13.2, 13.5, 15].map(leastStation), [0, 1, 2, 2, 3, 9]);
  assert.deepEqual([10, 12, 13.5, 15].map(leastRoad), [1, 2, 3, 9]);
});

test("widths lie between those given, and stay at the ends", () => {
  const table = [[10, 1], [12, 3]];
  assert.deepEqual([8, 10, 11, 12, 20].map((zoom) => between(zoom, table)), [1, 1, 2, 3, 3]);
});

test("a line is clipped to the view", () => {
  const box = { min: { x: 0, y: 0 }, max: { x: 10, y: 10 } };
  assert.deepEqual(clipped({ x: -10, y: 5 }, { x: 30, y: 5 }, box), [[0, 5], [10, 5]]);
  assert.deepEqual(clipped({ x: 2, y: 2 }, { x: 4, y: 4 }, box), [[2, 2], [4, 4]]);
  assert.equal(clipped({ x: -10, y: 11 }, { x: 30, y: 11 }, box), null);
  assert.equal(clipped({ x: 20, y: 0 }, { x: 30, y: 5 }, box), null);
});

test("a road is a hairline in a casing until there is room for its core", () => {
  assert.deepEqual(roadWidths(10.7, 1), { casing: 0.8, core: 0.8 * 0.45 });
  assert.deepEqual(roadWidths(15.5, 1), { casing: 9, core: 6.6 });
  assert.ok(roadWidths(13.5, 3).casing < roadWidths(13.5, 1).casing);
});

test("lines and places are decoded from differences of 1/20,000 of a degree", () => {
  assert.deepEqual(decodeArc([20000, 1030000, 200, -2000], 2e4), [[51.5, 1], [51.4, 1.01]]);
  takeIn(payload((made) => {
    made.context = {
      credits: ["Names: GeoNames (CC BY 4.0)"],
      lines: [{ kind: "road", rank: 1, name: "A1", parts: [[0, 0, 20000, 20000]] }],
      surfaces: [{ kind: "water", name: "", parts: [[0, 0, 20000, 0, 0, 20000]], at: [10000, 5000, 90] }],
      points: [{ kind: "station", name: "Bank", rank: 1, at: [-2000, 1030000] }],
    };
  }));
  assert.ok(CONTEXT.any);
  assert.deepEqual(CONTEXT.lines[0].lines, [[[0, 0], [1, 1]]]);
  assert.deepEqual(CONTEXT.surfaces[0].middle, [0.25, 0.5]);
  assert.deepEqual(CONTEXT.points[0].place, [51.5, -0.1]);
});

test("an area is named by a place of its name inside it, not by one outside", () => {
  const square = [[[51, 0], [51, 1], [52, 1], [52, 0]]];
  const named = new Map([["hackney", [[51.5, 0.5]]], ["brent", [[53, 0.5]]]]);
  assert.deepEqual(["Hackney", "Brent", "Camden"].map((name) => isNamed(named, name, square)), [true, false, false]);
});
