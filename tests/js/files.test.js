/* Downloads: what a spreadsheet and a GIS program read. And that reading a module does nothing. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { csvText, toGeometry } from "../../pipeline/publish/map/assets/table.js";

const ASSETS = new URL("../../pipeline/publish/map/assets/", import.meta.url);

test("a cell that would be read as a formula is text, a number stays a number", () => {
  assert.equal(csvText([["=1+1", -2, null, "a,\"b\""], ["\u202e=x", "-", 0, true]]), "\ufeff'=1+1,-2,,\"a,\"\"b\"\"\"\r\n'\u202e=x,'-,0,true\r\n");
});

test("rings become polygons: a hole goes to the smallest ring around it", () => {
  const box = (a, b) => [[a, a], [a, b], [b, b], [b, a]]; // latitude, longitude: anticlockwise
  const hole = (a, b) => box(a, b).reverse();
  const shell = (a, b) => [[a, a], [b, a], [b, b], [a, b], [a, a]];
  assert.deepEqual(toGeometry([box(0, 9)]), { type: "Polygon", coordinates: [shell(0, 9)] });
  const two = toGeometry([box(0, 9), hole(1, 8), box(2, 7), hole(3, 4)]);
  assert.equal(two.type, "MultiPolygon");
  assert.deepEqual(two.coordinates.map((rings) => rings.length), [2, 2]);
  assert.deepEqual(two.coordinates[1][0], shell(2, 7));
});

test("every module but the one that starts the page can be read where there is no page", async () => {
  const names = readdirSync(ASSETS).filter((name) => name.endsWith(".js") && name !== "main.js");
  assert.ok(names.length >= 8);
  for (const name of names) await import(new URL(name, ASSETS));
});
