/* The catalogue in the script: what is missing shows itself and never breaks the page. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  countText, isolate, limitText, ordinal, parts, rateText, say, shareRangeText, shortDate, signed, timesRangeText,
  useWords, whole,
} from "../../pipeline/publish/map/assets/words.js";

const ENGLISH = {
  "number.thousands": ",", "number.minus": "\u2212", "number.range": "{low} to {high}", "number.fewer_than": "fewer than {limit}",
  "number.under_one_per_cent": "under 1%", "number.over_99_per_cent": "over 99%", "number.at_most": "at most {share}",
  "number.at_least": "at least {share}", "number.any_share": "any share", "number.ordinal": "{n}{ending}",
  "number.times.about_range": "about {low} to {high} times the {place} rate", "number.times.about": "about {times} times the {place} rate",
  "month.in_year": "{month} {year}", "month.short.7": "Jul",
  plural: { one: "{n} ward", other: "{n} wards" }, stressed: "**{name}** is {size}", twice: "{name} and {name}",
};
const WELSH = {
  plural: { zero: "{n} wardiau", one: "{n} ward", two: "{n} ward (dwy)", few: "{n} ward (tair)", many: "{n} ward (chwe)", other: "{n} o wardiau" },
};

test("a number chooses the plural form of its language", () => {
  useWords(ENGLISH, "en-GB");
  assert.deepEqual([0, 1, 2, 1234].map((n) => say("plural", { n })), ["0 wards", "1 ward", "2 wards", "1,234 wards"]);
  useWords(WELSH, "cy");
  const said = [0, 1, 2, 3, 6, 7].map((n) => say("plural", { n }));
  assert.deepEqual(said, ["0 wardiau", "1 ward", "2 ward (dwy)", "3 ward (tair)", "6 ward (chwe)", "7 o wardiau"]);
});

test("what is missing shows itself", () => {
  useWords(ENGLISH, "en");
  assert.equal(say("map.nothing"), "map.nothing");
  assert.equal(say("constructor"), "constructor");
  assert.equal(say("number.range", { low: "2" }), "2 to \u2026");
  assert.equal(say("plural"), "\u2026 wards");
  useWords(ENGLISH, "not a language");
  assert.equal(say("plural", { n: 1 }), "1 ward");
});

test("values are never read as placeholders or as stress", () => {
  useWords(ENGLISH, "en");
  assert.equal(say("twice", { name: "{size} $& **x**" }), "{size} $& **x** and {size} $& **x**");
  assert.deepEqual(parts("stressed", { name: "**Ash**", size: "large" }), [["**Ash**", true], [" is large", false]]);
  assert.deepEqual(parts("twice", { name: parts("stressed", { name: "A", size: "b" }) }), [["A", true], [" is b and ", false], ["A", true], [" is b", false]]);
});

test("what rates are divided by is put into texts, and texts on residents have another form", () => {
  const words = { rate: "per 10,000 {base}", home: "residents live there", home_other: "{base} is there", "common.residents": "residents" };
  useWords(words, "en");
  assert.deepEqual([say("rate"), say("home"), say("rate", { base: "footfall" })], ["per 10,000 residents", "residents live there", "per 10,000 footfall"]);
  useWords(words, "en", "footfall");
  assert.deepEqual([say("rate"), say("home")], ["per 10,000 footfall", "footfall is there"]);
  assert.deepEqual([say("rate", { base: "" }), say("home", { base: "" })], ["per 10,000 residents", "residents live there"]);
});

test("numbers read as they do in Python's docstrings", () => {
  useWords(ENGLISH, "en");
  assert.equal(whole(10572), "10,572");
  assert.deepEqual([[20, 29], [0, 9], [1230, 1230], [0, 0]].map(([lower, upper]) => countText({ lower, upper })), ["20 to 29", "fewer than 10", "1,230", "0"]);
  assert.deepEqual([9.94, 9.96, 84.2].map(rateText), ["9.9", "10", "84"]);
  assert.deepEqual([[0.131, 0.146], [0.153, 0.148], [0, 0.034], [0.97, 1], [0.996, 0.999], [0, 1]].map(([low, high]) => shareRangeText(low, high)),
    ["13% to 15%", "15%", "at most 3%", "at least 97%", "over 99%", "any share"]);
  assert.deepEqual([-24.4, 17, 0.2, 1250].map(signed), ["\u221224%", "+17%", "0%", "+1,250%"]);
  assert.deepEqual([1, 2, 3, 4, 11, 12, 13, 21, 32, 112].map(ordinal), ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "32nd", "112th"]);
  assert.equal(timesRangeText(2.9, 3.6, "London"), "about 3 to 3\u00bd times the London rate");
  assert.deepEqual([0.123456, 12.5, 1234.5, -3].map(limitText), ["0.1235", "12.5", "1,235", "\u22123"]);
  assert.equal(shortDate("2025-07-30"), "Jul 2025");
});

test("a name with an override of direction is kept apart from the words around it", () => {
  assert.equal(isolate("Ash"), "Ash");
  assert.equal(isolate("A\u202esh"), "\u2068A\u202esh\u2069");
});
