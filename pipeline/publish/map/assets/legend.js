// @ts-check
/* The texts around the map that follow the state: legend, titles, the notice, the guide and what to keep in mind.

   Exports `drawLegend` and `settleLegend`, `drawTitles`, `drawNotice`, `drawStatics` for what never changes, and `drawGuide`. */

import { capital, clip, isolate, limitText, listed, say, whole } from "./words.js";
import { CONTEXT, HOTSPOTS, INFO, LEVELS, OVERLAYS, periodOf, regional, regionalRange } from "./data.js";
import {
  MEASURES, SIGNIFICANCE, act, bandsOf, circleExamples, classOf, fillOpacity, isPublic, mainScene, otherScene, overlayOf,
  sharedLimits, spotsOf, state, valueOf, valuesOf,
} from "./model.js";
import {
  areaSentence, careTexts, changeFigure, classLimit, counted, guideParts, headingOf, keysOf, noticeOf, regionName,
  regionShort, significanceWord, sourceText, subtitleOf, unitOf, valueText, insteadText, noSpotsText,
} from "./sentences.js";
import {
  add, bandColours, bandShares, byId, drawCredit, el, nameEl, palette, rampOf,
  significanceColour, svgEl, textWidth, trianglePath, touches,
} from "./page.js";
import { VIEWS, circleScale, firstRadius } from "./view.js";

/** @import { Scene, ValueState } from "./model.js" */

/** @param {HTMLElement} list @param {string} paint a colour or a pattern @param {string} text
 * @param {number} [direction] of a triangle on it, 1 or -1 */
function keyRow(list, paint, text, direction = 0) {
  const picture = svgEl("svg", { viewBox: "0 0 18 12", "aria-hidden": "true" });
  const opacity = paint.startsWith("url") ? 1 : fillOpacity();
  picture.append(svgEl("rect", { x: 0.5, y: 0.5, width: 17, height: 11, fill: paint, stroke: palette.ctl, "fill-opacity": opacity }));
  if (direction) picture.append(svgEl("path", { d: trianglePath(direction), fill: palette.paper, transform: "translate(4.8 1.8) scale(.7)" }));
  list.append(add(el("li"), picture, text));
}

/** What comes before the lowest class of those that have a rate: none recorded, and too few for a rate. */
const BEFORE = ["zero", "few"];

/** The first classes, before the ramp. @param {[string, string][]} keys @returns {HTMLElement} */
function keysBefore(keys) {
  const list = el("ul", "keys before");
  for (const [name, text] of keys) keyRow(list, "url(#pt-" + name + ")", text);
  return list;
}

/** Keys of patterns and hotspots that occur.
 * @param {HTMLElement} list @param {Scene[]} scenes @param {boolean} fewShown whether the first class stands before the ramp
 * @returns {HTMLElement} */
function legendKeys(list, scenes, fewShown) {
  const withNumbers = scenes[0].measure === "change" && scenes.length === 1;
  for (const [key, text] of keysOf(scenes)) {
    if (BEFORE.includes(key) && fewShown) continue;
    keyRow(list, "url(#pt-" + key + ")", withNumbers ? areasIn(scenes[0], key, text) : text);
  }
  if (scenes[0].mode === "density") {
    const bands = bandsOf(scenes[0].category);
    keyRow(list, palette.land, bands.length ? say("map.legend.under", { limit: limitText(bands[0].low) }) : say("map.legend.no_bands"));
  }
  const spots = scenes.flatMap(spotsOf);
  if (state.hotspots && spots.length) {
    const picture = svgEl("svg", { viewBox: "0 0 18 12", "aria-hidden": "true" });
    picture.append(svgEl("rect", { x: 1.2, y: 1.2, width: 15.6, height: 9.6, rx: 4, fill: "none", stroke: palette.hot, "stroke-width": 2 }));
    list.append(add(el("li"), picture, say("map.legend.hotspot")));
  } else if (state.hotspots && HOTSPOTS.length) list.append(el("li", "note", noSpotsText(scenes[0])));
  return list;
}

/** Where a value stands on the ramp, in per cent of its width.
 * @param {number} value @param {number[]} limits @param {number} classes @returns {number} */
export function rampPosition(value, limits, classes) {
  const k = classOf(value, limits);
  const low = k === 0 ? (limits[0] < 0 ? limits[0] * 2 : 0) : limits[k - 1];
  const high = k === limits.length ? limits[k - 1] * 2.2 : limits[k];
  return ((k + Math.min(0.95, Math.max(0.05, (value - low) / (high - low || 1)))) / classes) * 100;
}

/** @param {string[]} colours @returns {HTMLElement} */
function rampBar(colours) {
  const bar = el("div", "ramp");
  for (const colour of colours) {
    const block = el("i");
    block.style.background = colour;
    block.style.opacity = String(fillOpacity());
    bar.append(block);
  }
  return bar;
}

/** @param {HTMLElement} host @param {string} text @param {number} percent from the left @param {string} [className] */
function tick(host, text, percent, className) {
  const mark = el("span", className || "", text);
  mark.style.left = percent + "%";
  host.append(mark);
}

/** @param {{settle?: boolean}} [options] whether the texts keep clear of each other at once, or when `settleLegend` is called */
export function drawLegend({ settle = true } = {}) {
  const host = byId("legend");
  host.textContent = "";
  fillLegend(host, mainScene());
  const spots = spotsOf(mainScene()).length;
  byId("hotspot-count").textContent = spots ? String(spots) : "";
  if (settle) settleLegend();
}

/** @param {HTMLElement} host @param {Scene} scene */
function fillLegend(host, scene) {
  const title = el("h2");
  for (const [text, stressed] of unitOf(scene)) title.append(stressed ? text : el("span", "", text));
  host.append(title);
  const found = valuesOf(scene);
  const scenes = state.compare ? [scene, otherScene()] : [scene];
  if (scene.mode === "density") densityLegend(host, scene);
  else if (scene.measure === "count") {
    circleLegend(host, scene);
    const why = insteadText(scene);
    if (why) host.append(el("p", "note", why));
    const sums = found.some((v) => v.state === "ok" && v.range && v.range.upper - v.range.lower > INFO.step - 1);
    if (sums) host.append(el("p", "note tight", say("map.legend.circles_by_middle")));
  } else if (scene.measure === "significance") significanceLegend(host);
  else if (scene.measure === "change") changeLegend(host, scene);
  else if (found.some((v) => v.state === "ok")) {
    // What is too few for a rate comes before the lowest class of those that have one: quieter, and never a gap.
    const before = keysOf(scenes).filter(([name]) => BEFORE.includes(name));
    if (before.length) host.append(keysBefore(before));
    rampLegend(host, scene);
  }
  host.append(legendKeys(el("ul", "keys"), scenes, Boolean(host.querySelector(".keys.before"))));
  overlayLegend(host, scene);
}

/** The key of the chosen test; a sentence where it found nothing in the category.
 * @param {HTMLElement} host @param {Scene} scene */
function overlayLegend(host, scene) {
  const overlay = overlayOf(scene);
  if (!overlay) return;
  if (!overlay.features.length) { host.append(el("p", "note", say("map.overlay.nothing", { name: overlay.name }))); return; }
  host.append(el("p", "note tight", overlay.name));
  const list = el("ul", "keys");
  overlay.keys.forEach(([colour, opacity, text], k) => {
    if (!overlay.features.some((f) => f.shade === k)) return;
    const picture = svgEl("svg", { viewBox: "0 0 18 12", "aria-hidden": "true" });
    picture.append(overlay.lines
      ? svgEl("path", { d: "M1 6H17", stroke: palette[colour], "stroke-width": 3.5, "stroke-opacity": opacity })
      : svgEl("rect", { x: 0.5, y: 0.5, width: 17, height: 11, fill: palette[colour], "fill-opacity": opacity, stroke: palette[colour] }));
    list.append(add(el("li"), picture, text));
  });
  host.append(list);
}

/** @param {HTMLElement} host @param {Scene} scene */
function rampLegend(host, scene) {
  const limits = sharedLimits();
  const colours = rampOf(scene);
  const bar = rampBar(colours);
  const words = limits.map((v) => classLimit(scene, v));
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", say("map.legend.five_classes", { limits: words.join(", ") }));
  /** @type {[number, string][]} */
  const pointers = [];
  const overall = regional(scene.period, scene.category, MEASURES[scene.measure].key);
  if (overall !== null) pointers.push([overall, regionShort()]);
  if (state.area !== null) {
    const found = valueOf(scene, state.area);
    if (found.state === "ok" && found.value !== null) pointers.push([found.value, clip(LEVELS[scene.level].name[state.area], 17)]);
  }
  const at = pointers.map(([v]) => rampPosition(v, limits, colours.length));
  pointers.forEach(([, text], k) => {
    const mark = nameEl("span", "pointer", text);
    mark.style.left = at[k] + "%";
    bar.append(mark);
  });
  if (!pointers.length) bar.classList.add("plain");
  const ticks = el("div", "ticks");
  words.forEach((text, k) => tick(ticks, text, ((k + 1) / colours.length) * 100));
  tick(ticks, say("map.legend.lower"), 0, "first");
  tick(ticks, say("map.legend.higher"), 100, "last");
  add(host, bar, ticks);
}

/** Words at the ramp keep clear of each other, whatever the font: measured where they stand. */
export function settleLegend() {
  const host = byId("legend");
  if (!host.offsetWidth) return;
  const boxOf = (/** @type {Element} */ node) => node.getBoundingClientRect();
  const pointers = [...host.querySelectorAll(".pointer")], bar = host.querySelector(".ramp"), ticks = host.querySelector(".ticks");
  const numbers = ticks ? [...ticks.children].filter((node) => !node.matches(".first:not(.value), .last")) : [];
  const ends = ticks ? [...ticks.children].filter((node) => !numbers.includes(node)) : [];
  const frame = bar ? boxOf(bar) : null;
  const at = pointers.map(boxOf), atNumbers = numbers.map(boxOf), atEnds = ends.map(boxOf);
  // A pointer's name leans inwards where it would leave the ramp; of two that meet, the area's stays.
  pointers.forEach((mark, k) => {
    if (frame && at[k].left < frame.left) mark.classList.add("left");
    else if (frame && at[k].right > frame.right) mark.classList.add("right");
  });
  if (pointers.length > 1 && touches(boxOf(pointers[0]), boxOf(pointers[1]), 4)) pointers[0].textContent = "";
  // Words at the ends move to a line of their own where they touch a number.
  if (ticks && atEnds.some((end) => atNumbers.some((number) => touches(end, number, 4)))) {
    ticks.after(add(el("div", "ends"), ...ends.map((end) => el("span", "", end.textContent || ""))));
    for (const end of ends) end.remove();
  }
  // Of numbers in a row that touch, the earlier stays.
  let last = 0;
  numbers.forEach((number, k) => { if (k && touches(atNumbers[last], atNumbers[k], 3)) number.remove(); else last = k; });
}

/** @param {HTMLElement} host @param {Scene} scene */
function densityLegend(host, scene) {
  const colours = bandColours(scene.category);
  if (!colours.size) return;
  const bar = rampBar([...colours.values()]);
  bar.classList.add("plain");
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", say("map.legend.bands_from", { limits: [...colours.keys()].map(limitText).join(", ") }));
  const ticks = el("div", "ticks");
  [...colours.keys()].forEach((low, k) => tick(ticks, limitText(low), (k / colours.size) * 100, k ? "" : "first value"));
  add(host, bar, ticks);
  const shares = bandShares(scene.category);
  if (shares.length) host.append(el("p", "note tight", say("map.legend.shares", { shares: listed(shares.map((share) => share + "%")) })));
}

/** @param {HTMLElement} host */
function significanceLegend(host) {
  const classes = SIGNIFICANCE.filter((k) => !isPublic() || k >= 0);
  const bar = rampBar(classes.map(significanceColour));
  bar.classList.add("plain");
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", classes.map((k) => significanceWord(k)).join("; "));
  const ticks = el("div", "ticks");
  classes.forEach((k, n) => tick(ticks, k === 0 ? say("map.legend.none") : [90, 95, 99][Math.abs(k) - 1] + "%", ((n + 0.5) / classes.length) * 100));
  const ends = el("div", "ends");
  add(ends, el("span", "", say(isPublic() ? "map.significance.none_public" : "map.legend.lower_recorded")), el("span", "", say("map.legend.higher")));
  add(host, bar, ticks, ends);
}

/** A change is one of three: nothing between is claimed. On one map each is counted, none included.
 * @param {HTMLElement} host @param {Scene} scene */
function changeLegend(host, scene) {
  const list = el("ul", "keys first");
  for (const k of [1, -1, 0]) {
    const text = capital(changeFigure(k));
    keyRow(list, rampOf(scene)[k + 1], state.compare ? text : areasIn(scene, "ok", text, k), k);
  }
  host.append(list);
}

/** A class of the legend with how many areas it holds.
 * @param {Scene} scene @param {ValueState} name @param {string} text @param {number} [value] of the class @returns {string} */
function areasIn(scene, name, text, value) {
  const n = valuesOf(scene).filter((v) => v.state === name && (value === undefined || v.value === value)).length;
  return say("map.legend.class_count", { class: text, n: whole(n) });
}

/** Circles one within another, each with its count; in steps one for each class, and a ring for the first step.
 * @param {HTMLElement} host @param {Scene} scene */
function circleLegend(host, scene) {
  const size = circleScale(VIEWS[0], scene);
  const examples = circleExamples(scene).map(({ value, text }) => {
    return { ring: value === null, r: Math.min(60, value === null ? firstRadius(size) : size(value)), text };
  });
  const radius = examples[0].r;
  const within = radius > 22; // smaller ones stand in rows: one within another they would look the same
  const tall = 2 * radius + 6;
  const picture = svgEl("svg", { "aria-hidden": "true" });
  let last = -Infinity;
  examples.forEach(({ ring: isRing, r, text }, k) => {
    const top = within ? tall - 2 - 2 * r : 0;
    const y = within ? Math.max(top + 5, last + 15, 11) : k ? last + Math.max(15, examples[k - 1].r + r + 2) : Math.max(11, r + 5);
    last = y;
    /** @type {Record<string, string | number>} */
    const style = isRing
      ? { fill: "none", "stroke-width": 1.2 }
      : { fill: palette.dot, "fill-opacity": within ? 0.18 : 0.72, "stroke-width": within ? 1.3 : 0 };
    picture.append(svgEl("circle", { cx: radius + 3, cy: within ? tall - 2 - r : y - 4, r, stroke: palette.dot, ...style }));
    const lead = { x1: radius + 3 + (isRing ? r : 0), x2: 2 * radius + 16, y1: isRing ? top + r : top, y2: y - 4 };
    if (within) picture.append(svgEl("line", { ...lead, stroke: palette.ctl, "stroke-width": 0.7 }));
    picture.append(svgEl("text", { x: 2 * radius + (within ? 20 : 12), y, "font-size": 12, fill: palette.ink }, text));
  });
  // Labels keep their distance, and may end below the circles.
  picture.setAttribute("height", String(Math.max(within ? tall : 0, last + 5)));
  const texts = examples.map((e) => e.text), wide = texts.map((text) => textWidth(text, "400 12px"));
  picture.setAttribute("width", String(2 * radius + 28 + Math.max(...wide)));
  const spoken = INFO.step > 1
    ? say("map.legend.circles_by_class", { classes: texts.join("; ") })
    : say("map.legend.circles_by_area", { examples: texts.join(", ") });
  add(host, el("p", "vh", spoken), picture);
}

/* ---------- titles, what never changes, and the notice under the controls ---------- */

export function drawTitles() {
  const scene = mainScene();
  const window = periodOf(scene.level, scene.period);
  const heading = headingOf(scene);
  byId("heading").textContent = isolate(heading);
  byId("subtitle").textContent = subtitleOf(scene);
  document.title = [heading, INFO.region || INFO.place, window ? window.label : ""].filter(Boolean).join(say("number.list_joint"));
  const i = state.area;
  byId("peek-name").textContent = i === null ? regionName() : LEVELS[scene.level].name[i];
  byId("peek-name").dir = "auto";
  const total = regionalRange(scene.period, scene.category);
  byId("peek-value").textContent = i !== null ? valueText(scene, i) : total === null ? "" : capital(counted(total));
  byId("peek-say").textContent = i === null ? say("map.card.tap_hint") : areaSentence(scene, i).map(([text]) => text).join("");
}

export function drawStatics() {
  byId("place").textContent = isolate(INFO.place);
  byId("synthetic").hidden = !INFO.synthetic;
  byId("marking").hidden = !INFO.marking;
  byId("marking").textContent = isolate(INFO.marking);
  byId("banner").hidden = !INFO.audit;
  byId("banner").textContent = INFO.audit;
  byId("source").textContent = sourceText();
  byId("overlays").hidden = !OVERLAYS.length;
  byId("check-hot").hidden = !HOTSPOTS.length;
  byId("check-context").hidden = !CONTEXT.lines.length && !CONTEXT.points.length && !CONTEXT.surfaces.some((s) => s.kind !== "water");
  drawCredit();
  drawCare();
}

function drawCare() {
  const list = byId("care-list");
  list.textContent = "";
  for (const text of careTexts()) list.append(nameEl("li", "", text));
  const rows = byId("support-list");
  rows.textContent = "";
  for (const [text, contact] of INFO.support) add(rows, nameEl("dt", "", text), nameEl("dd", "", contact));
  if (!INFO.support.length) add(rows, el("dt", "", say("map.support.emergency")), el("dd", "", say("map.support.call")));
}

export function drawNotice() {
  const notice = noticeOf();
  byId("notice").hidden = !notice;
  if (!notice) return;
  byId("notice-text").textContent = isolate(notice.text);
  byId("notice-action").hidden = !notice.action;
  byId("notice-action").textContent = notice.action || "";
  byId("notice-action").onclick = () => {
    if (notice.level) { act.setLevel(notice.level); return; }
    Object.assign(state, notice.change);
    act.redraw();
  };
}

/* ---------- how to read the map ---------- */

/** @param {HTMLElement} list @param {string} patternId @param {string} text */
function guideKey(list, patternId, text) {
  const picture = svgEl("svg", { "aria-hidden": "true", viewBox: "0 0 26 16" });
  picture.append(svgEl("rect", { x: 0.5, y: 0.5, width: 25, height: 15, fill: "url(#pt-" + patternId + ")", stroke: "currentColor", "stroke-opacity": 0.5 }));
  list.append(add(el("li"), picture, el("span", "", text)));
}

export function drawGuide() {
  const host = byId("guide");
  host.textContent = "";
  for (const { title, texts, patterns } of guideParts()) {
    if (title) host.append(el("h3", "", title));
    for (const text of texts || []) host.append(nameEl("p", "", text));
    if (!patterns) continue;
    const list = el("ul");
    for (const [name, text] of patterns) guideKey(list, name, text);
    host.append(list);
  }
}
