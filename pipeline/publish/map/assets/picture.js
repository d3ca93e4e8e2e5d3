// @ts-check
/* What leaves the screen: a picture of the map, drawn on a canvas from the released data alone; and the sheet of paper,
   light, whole and without controls.

   Exports `savePicture`, `toPaper`, `fromPaper`, and `isPrinting` for whoever must leave the map alone meanwhile. */

import { capital, clip, limitText, say } from "./words.js";
import { CONTEXT, EDGE, INFO, LEVELS, MAPPED, UNIT, WATER, periodOf } from "./data.js";
import {
  SHOWN_MEASURES, SIGNIFICANCE, act, areHotspotsQuiet, bandsOf, circleExamples, circleValue, clearChanges,
  isPublic, largeLevel, largestCount, mainScene, otherScene, overlayOf, sharedLimits, sideLabel, sorted, spotsOf, state, valueOf,
} from "./model.js";
import { changeFigure, classLimit, figure, keysOf, significanceWord, unitOf } from "./sentences.js";
import {
  add, bandColours, byId, el, fillOf, fontFamily, nameEl, palette, rampOf, root, setTheme, significanceColour, trianglePath,
  selectById,
} from "./page.js";
import { VIEWS, besideOf, byRoom, labelsOf, nameLines } from "./view.js";
import { goHome, resizeMap } from "./stage.js";
import { fillCard, fillHotspots } from "./card.js";
import { download, fileName } from "./table.js";

/** @import { Level, Point, Shape } from "./data.js" */
/** @import { Measure, Scene } from "./model.js" */

/** @typedef {CanvasRenderingContext2D} Canvas */
/** @typedef {(point: Point) => [number, number]} Projection from a place to pixels */
/** @typedef {[number, number, number, number]} Frame left, top, width, height */

const PICTURE = { width: 1600, margin: 56 };

/** The patterns of states without a value. @param {Canvas} context @returns {Record<string, string | CanvasPattern>} */
function picturePatterns(context) {
  /** @param {number} size @param {(c: Canvas) => void} draw @returns {string | CanvasPattern} */
  const tile = (size, draw) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size;
    const c = contextOf(canvas);
    c.fillStyle = palette.land;
    c.fillRect(0, 0, size, size);
    c.strokeStyle = c.fillStyle = palette.pattern;
    c.lineWidth = 2;
    draw(c);
    return context.createPattern(canvas, "repeat") || palette.land;
  };
  const line = (/** @type {Canvas} */ c, /** @type {number[]} */ ...[x1, y1, x2, y2]) => {
    c.beginPath();
    c.moveTo(x1, y1);
    c.lineTo(x2, y2);
    c.stroke();
  };
  return {
    few: tile(10, (c) => {
      c.fillStyle = palette.s0;
      c.fillRect(0, 0, 10, 10);
      c.fillStyle = palette["s0-dot"];
      c.beginPath();
      c.arc(5, 5, 1.8, 0, 7);
      c.fill();
    }),
    // Quieter than any class: what is left out must not be the first thing that is seen.
    notoffered: tile(20, (c) => { c.fillStyle = palette.s0; c.fillRect(0, 0, 20, 20); line(c, 2, 5, 10, 5); line(c, 12, 15, 20, 15); }),
    incomparable: tile(12, (c) => line(c, 0, 6, 12, 6)),
    nocover: tile(16, (c) => { c.fillStyle = palette.ground; c.fillRect(0, 0, 16, 16); line(c, 0, 0, 16, 16); line(c, 16, 0, 0, 16); }),
    norate: tile(18, (c) => { c.fillStyle = palette.ground; c.fillRect(0, 0, 18, 18); line(c, 9, 5, 9, 13); line(c, 5, 9, 13, 9); }),
    nodata: palette.ground,
    zero: palette.land,
  };
}

/** @param {HTMLCanvasElement} canvas @returns {Canvas} */
function contextOf(canvas) { return /** @type {Canvas} */ (canvas.getContext("2d")); }

/** @param {Frame} frame @returns {Projection} */
function pictureProjection([left, top, width, height]) {
  const mercator = (/** @type {number} */ lat) => Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)) * (180 / Math.PI);
  const points = EDGE.flat();
  const xs = points.map((p) => p[1]), ys = points.map((p) => mercator(p[0]));
  const least = (/** @type {number[]} */ list) => list.reduce((a, b) => Math.min(a, b));
  const most = (/** @type {number[]} */ list) => list.reduce((a, b) => Math.max(a, b));
  const box = [least(xs), least(ys), most(xs), most(ys)];
  const scale = Math.min(width / (box[2] - box[0]), height / (box[3] - box[1]));
  const dx = left + (width - scale * (box[2] - box[0])) / 2, dy = top + (height - scale * (box[3] - box[1])) / 2;
  return ([lat, lon]) => [dx + (lon - box[0]) * scale, dy + (box[3] - mercator(lat)) * scale];
}

/** @param {Canvas} context @param {Shape} rings @param {Projection} at */
function tracePath(context, rings, at) {
  context.beginPath();
  for (const points of rings) {
    points.forEach((p, k) => { const [x, y] = at(p); if (k) context.lineTo(x, y); else context.moveTo(x, y); });
    context.closePath();
  }
}

/** @param {Canvas} context @param {Scene} scene @param {Frame} frame */
function drawScene(context, scene, frame) {
  const at = pictureProjection(frame);
  const patterns = picturePatterns(context);
  /** @param {Shape} rings @param {string | CanvasPattern | null | undefined} fill @param {string} [stroke] @param {number} [width] */
  const paint = (rings, fill, stroke, width) => {
    tracePath(context, rings, at);
    if (fill) { context.fillStyle = fill; context.fill("evenodd"); }
    if (stroke) { context.strokeStyle = stroke; context.lineWidth = width || 1; context.stroke(); }
  };
  context.lineJoin = "round";
  paint(EDGE, palette.land, palette.edge, 5);
  paint(WATER, palette.water);
  const level = LEVELS[scene.level];
  const plain = scene.mode === "density" || scene.measure === "count";
  level.shapes.forEach((rings, i) => {
    const found = valueOf(scene, i);
    const bare = scene.mode === "density" || (plain && ["ok", "first"].includes(found.state));
    const fill = bare ? palette.land : found.state === "ok" ? fillOf(scene, i) : patterns[found.state];
    paint(rings, fill, plain ? palette.rule : palette.wardline, 1);
  });
  if (scene.mode === "density") {
    const colours = bandColours(scene.category);
    for (const b of bandsOf(scene.category)) paint(b.shape, colours.get(b.low), palette.halo, 1);
    level.shapes.forEach((rings) => paint(rings, null, "rgba(27,39,49,.22)", 0.8));
  }
  const large = largeLevel(scene.level);
  if (MAPPED.includes(large)) LEVELS[large].shapes.forEach((rings) => paint(rings, null, palette.boroline, 2));
  for (const { kind, rings } of CONTEXT.surfaces) if (kind === "water") paint(rings, palette.water);
  if (state.context) pictureRoads(context, at);
  if (scene.mode === "areas" && scene.measure === "count") pictureCircles(context, scene, at);
  const overlay = overlayOf(scene);
  if (overlay) overlay.features.forEach((found) => {
    const [colour, opacity] = overlay.keys[found.shade];
    if (overlay.lines) { pictureStreet(context, found.shape, at, palette[colour], opacity); return; }
    context.globalAlpha = opacity;
    paint(found.shape, palette[colour]);
    context.globalAlpha = 1;
    paint(found.shape, null, palette[colour], 1);
  });
  const quiet = areHotspotsQuiet(scene);
  if (state.hotspots) spotsOf(scene).forEach((h) => { paint(h.shape, null, palette.halo, quiet ? 4 : 8); paint(h.shape, null, palette.hot, quiet ? 2 : 4); });
  pictureTriangles(context, scene, at);
  if (state.area !== null) { paint(level.shapes[state.area], null, palette.halo, 10); paint(level.shapes[state.area], null, palette.ink, 5); }
  const badges = state.hotspots && !quiet ? badgePlaces(scene, at) : [];
  if (state.names && MAPPED.includes(large) && LEVELS[large].code.length < 60) pictureNames(context, at, frame, badges, LEVELS[large]);
  drawBadges(context, badges);
}

/** A hot street, in the two strokes of the map.
 * @param {Canvas} context @param {Point[][]} lines @param {Projection} at @param {string} colour @param {number} opacity */
function pictureStreet(context, lines, at, colour, opacity) {
  context.beginPath();
  for (const line of lines) line.forEach((p, k) => { const [x, y] = at(p); if (k) context.lineTo(x, y); else context.moveTo(x, y); });
  for (const [stroke, width, strength] of /** @type {[string, number, number][]} */ ([[palette.halo, 8, 1], [colour, 5, opacity]])) {
    context.globalAlpha = strength;
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** The main roads, in the two strokes that show on every class. @param {Canvas} context @param {Projection} at */
function pictureRoads(context, at) {
  const lines = CONTEXT.lines.filter((l) => l.kind === "road" && l.rank === 1).flatMap((l) => l.lines);
  for (const [blend, colour, width] of /** @type {[GlobalCompositeOperation, string, number][]} */ ([
    ["multiply", palette["ctx-case"], 2.2], ["screen", palette["ctx-core"], 1],
  ])) {
    context.globalCompositeOperation = blend;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    for (const line of lines) line.forEach((p, k) => { const [x, y] = at(p); if (k) context.lineTo(x, y); else context.moveTo(x, y); });
    context.stroke();
  }
  context.globalCompositeOperation = "source-over";
}

/** Triangles on what changed clearly. @param {Canvas} context @param {Scene} scene @param {Projection} at */
function pictureTriangles(context, scene, at) {
  const labels = labelsOf(LEVELS[scene.level]);
  for (const [i, direction] of clearChanges(scene)) {
    const [x, y] = at([labels[i][1] / UNIT, labels[i][0] / UNIT]);
    pictureTriangle(context, x, y, 18, direction, direction > 0 ? palette["c-hi"] : palette["c-lo"]);
  }
}

/** A pale triangle with a rim in its own colour, so that it shows where the area is smaller than it.
 * @param {Canvas} context @param {number} x of the middle @param {number} y @param {number} size @param {number} direction @param {string} colour */
function pictureTriangle(context, x, y, size, direction, colour) {
  context.save();
  context.translate(x - size / 2, y - size / 2);
  context.scale(size / 12, size / 12);
  const path = new Path2D(trianglePath(direction));
  context.lineWidth = 3;
  context.strokeStyle = colour;
  context.stroke(path);
  context.fillStyle = palette.paper;
  context.fill(path);
  context.restore();
}

/** Radius of a count's circle, in pixels of the picture. @param {Scene} scene @returns {(n: number) => number} */
function pictureCircle(scene) {
  const most = largestCount(mainScene());
  const widest = Math.min(60, Math.max(18, 900 / Math.sqrt(LEVELS[scene.level].code.length)));
  return (n) => Math.sqrt(n / most) * widest;
}

/** @param {Canvas} context @param {Scene} scene @param {Projection} at */
function pictureCircles(context, scene, at) {
  const labels = labelsOf(LEVELS[scene.level]);
  const size = pictureCircle(scene);
  const first = Math.max(1.5, Math.min(4, 0.7 * size(INFO.step)));
  const found = labels.map((_, i) => valueOf(scene, i));
  const drawn = labels.map((_, i) => i).filter((i) => found[i].state === "first" || (found[i].state === "ok" && Number(found[i].value) > 0));
  for (const i of sorted(drawn, (k) => Number(found[k].value), -1)) {
    const [x, y] = at([labels[i][1] / UNIT, labels[i][0] / UNIT]);
    context.beginPath();
    if (found[i].state === "first") {
      context.arc(x, y, first, 0, 7);
      context.strokeStyle = palette.dot;
      context.lineWidth = 2;
      context.stroke();
      continue;
    }
    context.arc(x, y, Math.max(1.5, size(circleValue(Number(found[i].value)))), 0, 7);
    context.lineWidth = 1;
    context.globalAlpha = 0.72;
    context.fillStyle = palette.dot;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = palette.halo;
    context.stroke();
  }
}

/** @typedef {{x: number, y: number, rank: number}} Badge */

/** @param {Canvas} context @param {Projection} at @param {Frame} frame @param {Badge[]} badges @param {Level} large the large areas */
function pictureNames(context, at, frame, badges, large) {
  context.font = "700 " + (frame[2] > 900 ? 21 : 15) + "px " + fontFamily();
  context.textAlign = "center";
  const taken = badges.map(({ x, y }) => [x - 22, y - 22, x + 22, y + 22]);
  byRoom(large).forEach(([[lon, lat], i]) => {
    const [x, y] = at([lat / UNIT, lon / UNIT]);
    const lines = nameLines(large.name[i], 11);
    const half = Math.max(...lines.map((t) => context.measureText(t).width)) / 2 + 4;
    const box = [x - half, y - 14 * lines.length, x + half, y + 14 * lines.length];
    const shift = [0, -24, 24, -40, 40].find((dy) => !taken.some((q) => box[0] < q[2] && box[2] > q[0] && box[1] + dy < q[3] && box[3] + dy > q[1]));
    if (shift === undefined) return;
    taken.push([box[0], box[1] + shift, box[2], box[3] + shift]);
    lines.forEach((text, k) => {
      const line = y + shift + (k - (lines.length - 1) / 2) * 24 + 7;
      context.lineWidth = 5;
      context.strokeStyle = palette.halo;
      context.strokeText(text, x, line);
      context.fillStyle = palette.ink;
      context.fillText(text, x, line);
    });
  });
}

/** @param {Scene} scene @param {Projection} at @returns {Badge[]} */
function badgePlaces(scene, at) {
  /** @type {Badge[]} */
  const placed = [];
  /** @param {L.LatLngExpression} p */
  const project = (p) => { const { lat, lng } = L.latLng(p), [x, y] = at([lat, lng]); return { x, y }; };
  for (const spot of spotsOf(scene)) {
    const place = besideOf(spot, project, 12).find((p) => placed.every((other) => Math.hypot(p.x - other.x, p.y - other.y) > 34));
    if (place) placed.push({ x: place.x, y: place.y, rank: spot.rank });
  }
  return placed;
}

/** @param {Canvas} context @param {Badge[]} badges */
function drawBadges(context, badges) {
  for (const { x, y, rank } of badges) {
    context.beginPath();
    context.arc(x, y, 18, 0, 7);
    context.fillStyle = palette.hot;
    context.strokeStyle = palette.halo;
    context.lineWidth = 3;
    context.stroke();
    context.fill();
    context.font = "700 20px " + fontFamily();
    context.textAlign = "center";
    context.fillStyle = palette["hot-on"];
    context.fillText(String(rank), x, y + 7);
  }
}

/** Words that wrap.
 * @param {Canvas} context @param {string} text
 * @param {{x: number, y: number, width: number, size: number, weight?: number, colour?: string, gap?: number}} style
 * @returns {number} the line after the last */
function writeLines(context, text, { x, y: first, width, size, weight, colour, gap }) {
  let y = first;
  context.font = (weight || 400) + " " + size + "px " + fontFamily();
  context.fillStyle = colour || palette.ink;
  context.textAlign = "left";
  let line = "";
  const put = () => { if (line) { context.fillText(line, x, y); y += gap || size * 1.35; line = ""; } };
  for (const word of text.split(" ")) {
    let rest = word;
    while (context.measureText(rest).width > width) {
      put();
      let k = rest.length;
      while (k > 1 && context.measureText(rest.slice(0, k)).width > width) k -= 1;
      line = rest.slice(0, k);
      put();
      rest = rest.slice(k);
    }
    if (context.measureText(line ? line + " " + rest : rest).width > width) put();
    line = line ? line + " " + rest : rest;
  }
  put();
  return y;
}

/** @typedef {[string | CanvasPattern | number | null, string]} Entry a colour, a circle's value or null for a ring, and its words */

/** Classes of the legend. @param {Scene} scene @returns {Entry[]} */
function legendEntries(scene) {
  if (scene.mode === "density") {
    const shares = new Map(bandsOf(scene.category).map((b) => [b.low, b.share]));
    return [...bandColours(scene.category)].map(([low, colour]) => {
      const share = shares.get(low), limit = { low: limitText(low) };
      return [colour, share ? say("map.picture.band_share", { ...limit, share }) : say("map.picture.and_more", limit)];
    });
  }
  if (scene.measure === "count") return circleExamples(scene).reverse().map(({ value, text }) => [value, text]);
  if (scene.measure === "significance") return SIGNIFICANCE.filter((k) => !isPublic() || k >= 0).map((k) => [significanceColour(k), significanceWord(k)]);
  if (scene.measure === "change") return [1, -1, 0].map((k) => [rampOf(scene)[k + 1], capital(changeFigure(k))]);
  const limits = sharedLimits().map((v) => classLimit(scene, v));
  return rampOf(scene).map((colour, k) => {
    if (k === 0) return [colour, say("map.picture.under", { limit: limits[0] })];
    return [colour, k === limits.length ? say("map.picture.and_more", { low: limits[k - 1] }) : say("number.range", { low: limits[k - 1], high: limits[k] })];
  });
}

/** @param {Canvas} context @param {Scene} scene @param {number} x @param {number} y @param {number} width
 * @returns {number} the line below it */
function pictureLegend(context, scene, x, y, width) {
  const unit = scene.mode === "density" ? unitOf(scene).filter(([, stressed]) => stressed) : unitOf(scene);
  const title = unit.map(([text]) => text).join("").trim();
  const entries = legendEntries(scene);
  const patterns = picturePatterns(context);
  for (const [key, text] of keysOf([scene])) entries.push([patterns[key], text]);
  const overlay = overlayOf(scene);
  (overlay ? overlay.keys : []).forEach(([colour, opacity, text], k) => {
    const faint = palette[colour] + Math.round(255 * opacity).toString(16);
    if (overlay && overlay.features.some((f) => f.shade === k)) entries.push([faint, text]);
  });
  context.font = "700 22px " + fontFamily();
  context.fillStyle = palette.ink;
  context.textAlign = "left";
  context.fillText(title, x, y);
  const across = Math.max(1, Math.floor(width / 250));
  const circles = entries.map(([value]) => (typeof value === "number" ? pictureCircle(scene)(value) : 0));
  const tall = Math.max(0, 2 * Math.max(0, ...circles) - 20);
  entries.forEach(([colour, text], k) => {
    const row = Math.floor(k / across);
    const px = x + (k % across) * 250, py = y + 18 + row * 32 + (row ? tall : tall / 2);
    if (colour === null || typeof colour === "number") pictureDot(context, px + 17, py + 10, colour === null ? null : pictureCircle(scene)(colour));
    else {
      context.fillStyle = colour;
      context.fillRect(px, py, 34, 20);
      context.strokeStyle = palette.ctl;
      context.lineWidth = 1;
      context.strokeRect(px + 0.5, py + 0.5, 34, 20);
      if (scene.measure === "change" && k < 2) pictureTriangle(context, px + 17, py + 10, 13, k ? -1 : 1, String(colour));
    }
    context.fillStyle = palette.ink;
    context.font = "400 19px " + fontFamily();
    const beside = typeof colour === "number" ? Math.max(44, 17 + pictureCircle(scene)(colour) + 10) : 44;
    context.fillText(clip(text, 22), px + beside, py + 17);
  });
  return y + 18 + tall + Math.ceil(entries.length / across) * 32;
}

/** A circle of the legend; without a radius the ring of the first step.
 * @param {Canvas} context @param {number} x @param {number} y @param {number | null} radius */
function pictureDot(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius || 4, 0, 7);
  context.fillStyle = context.strokeStyle = palette.dot;
  context.lineWidth = 2;
  if (radius) context.fill(); else context.stroke();
}

function drawPicture() {
  const { width, margin } = PICTURE;
  const scenes = state.compare ? [mainScene(), otherScene()] : [mainScene()];
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = scenes.length > 1 ? 1160 : 1560;
  const context = contextOf(canvas);
  context.fillStyle = palette.paper;
  context.fillRect(0, 0, width, canvas.height);
  const inner = width - 2 * margin;
  let y = margin + 34;
  const warnings = [INFO.marking, INFO.audit, INFO.synthetic].filter(Boolean);
  const loud = { x: margin, y: y - 10, width: inner, size: 22, weight: 700, colour: palette.hot };
  if (warnings.length) y = writeLines(context, warnings.join(" \u00b7 "), loud) + 18;
  y = writeLines(context, byId("heading").textContent || "", { x: margin, y: y + 8, width: inner, size: 46, weight: 700 }) + 2;
  y = writeLines(context, (byId("subtitle").textContent || "") + (INFO.place ? " \u00b7 " + INFO.place : ""), { x: margin, y: y - 6, width: inner, size: 27 });
  // Circles stand in the legend as large as on the map.
  const round = scenes[0].mode !== "density" && scenes[0].measure === "count";
  const circles = round ? circleExamples(scenes[0]).map(({ value }) => pictureCircle(scenes[0])(value || 0)) : [0];
  const top = y, tall = canvas.height - top - 300 - Math.max(0, 2 * Math.max(...circles) - 20);
  const each = (inner - (scenes.length - 1) * 40) / scenes.length;
  scenes.forEach((scene, k) => {
    const left = margin + k * (each + 40);
    let start = top;
    if (scenes.length > 1) start = writeLines(context, sideLabel(scene), { x: left, y: top + 20, width: each, size: 26, weight: 700 });
    drawScene(context, scene, [left, start, each, tall - (start - top)]);
  });
  y = pictureLegend(context, scenes[0], margin, top + tall + 46, inner) + 22;
  for (const text of [INFO.counts, [INFO.publisher, INFO.licence].filter(Boolean).join(". "), INFO.wording.join(" ")]) {
    if (text) y = writeLines(context, text, { x: margin, y, width: inner, size: 17, colour: palette["ink-2"] }) + 4;
  }
  return canvas;
}

export function savePicture() {
  drawPicture().toBlob((blob) => { if (blob) download(fileName("png"), "image/png", blob); }, "image/png");
}

/* ---------- paper ---------- */

/** How the page was on the screen, while it is laid out for paper.
 * @type {{theme: string, centre: L.LatLng, zoom: number, snap: number | undefined} | null} */
let onScreen = null;
/** Height in pixels between the margins of each sheet, less a few, and the lowest and tallest map on it; paper.css has the
 * widths.
 * @type {Record<string, {tall: number, least: number, most: number}>} */
const SHEETS = {
  a4: { tall: 1024, least: 300, most: 560 },
  "a4-landscape": { tall: 692, least: 300, most: 620 },
  a3: { tall: 1488, least: 600, most: 900 },
  "a3-landscape": { tall: 1024, least: 600, most: 940 },
};
/** Steps in which paper.css leaves parts of the card out. */
const GIVES_WAY = 3;

/** @returns {boolean} whether the page is laid out for paper */
export function isPrinting() { return onScreen !== null; }

export function toPaper() {
  if (onScreen) return;
  const view = VIEWS[0];
  onScreen = { theme: root().dataset.theme || "light", centre: view.map.getCenter(), zoom: view.map.getZoom(), snap: view.map.options.zoomSnap };
  act.stopPlaying();
  setTheme("light");
  root().dataset.paper = selectById("sheet-size").value;
  root().classList.add("printing");
  for (const v of VIEWS) {
    v.map.options.zoomSnap = 0.01;
    resizeMap(v.map);
  }
  goHome();
  act.redraw({ quiet: true });
  fillCard(byId("paper-card"), { paper: true });
  byId("paper-hot-title").hidden = !spotsOf(mainScene()).length || !state.hotspots;
  fillHotspots(byId("paper-hotspots"), 0, true);
  if (!state.hotspots) byId("paper-hotspots").textContent = "";
  paperTable();
  const foot = byId("paper-foot");
  foot.textContent = "";
  const contacts = INFO.support.map(([text, contact]) => text + (contact ? ": " + contact : "")).join("; ");
  const care = [INFO.synthetic, INFO.counts, ...INFO.wording, ...INFO.caveats].filter(Boolean).join(" ");
  for (const text of [[INFO.publisher, INFO.licence].filter(Boolean).join(". "), care, contacts && say("map.support.on_paper", { contacts })]) {
    if (text) foot.append(nameEl("p", "", text));
  }
  fillSheet();
}

/** The first sheet is complete: the map takes what the words leave of it, within reason. Charts, facts and categories of
 * the card give way, in this order, where they would leave the map less than it needs or push hotspots off the sheet. */
function fillSheet() {
  const { tall: sheet, least, most } = SHEETS[root().dataset.paper || "a4"], before = least;
  root().style.setProperty("--paper-map", before + "px");
  const top = byId("app").getBoundingClientRect().top;
  const bottom = (/** @type {string} */ id) => byId(id).getBoundingClientRect().bottom - top;
  // In landscape the card and the hotspots stand beside the map and leave it its height.
  const landscape = (root().dataset.paper || "").endsWith("landscape");
  const words = ["paper-card", "paper-hotspots"], below = ["stage", "paper-foot", ...(landscape ? [] : words)];
  const fits = () => [...below, ...words].every((id) => bottom(id) <= sheet);
  for (let less = 1; less <= GIVES_WAY && !fits(); less++) root().classList.add("less-" + less);
  const used = Math.max(...below.map(bottom));
  root().style.setProperty("--paper-map", Math.round(Math.min(most, Math.max(least, before + sheet - used))) + "px");
  for (const v of VIEWS) resizeMap(v.map);
  goHome();
}

/** @type {Measure[]} */
const PAPER_COLUMNS = ["count", "rate", "change"];

/* The large areas (or, where there are none, the first areas by name) with the measure on the map. */
function paperTable() {
  const host = byId("paper-table");
  host.textContent = "";
  const scene = mainScene();
  const large = largeLevel(scene.level), levelId = MAPPED.includes(large) ? large : scene.level;
  const window = periodOf(levelId, scene.period) || periodOf(levelId, INFO.headline);
  const period = window ? window.id : scene.period;
  const level = LEVELS[levelId];
  const measures = PAPER_COLUMNS.filter((m) => SHOWN_MEASURES.includes(m));
  const rows = level.code.map((_, i) => i).sort((a, b) => (level.name[a] < level.name[b] ? -1 : 1)).slice(0, 40);
  const made = el("table"), head = el("tr"), body = el("tbody");
  add(head, el("th", "", capital(level.one)), ...measures.map((m) => el("th", "n", say("map.table." + m))));
  for (const i of rows) {
    const row = el("tr");
    row.append(nameEl("th", "", clip(level.name[i], 60)));
    for (const measure of measures) {
      row.append(el("td", "n", figure({ ...scene, level: levelId, period, measure }, i)));
    }
    body.append(row);
  }
  const part = el("thead");
  add(host, el("h2", "", say("map.paper.table_title", { areas: capital(level.many), period: window ? window.label : "" })), add(made, add(part, head), body));
}

export function fromPaper() {
  if (!onScreen) return;
  const was = onScreen;
  onScreen = null;
  root().classList.remove("printing", ...Array.from({ length: GIVES_WAY }, (_, k) => "less-" + (k + 1)));
  delete root().dataset.paper;
  root().style.removeProperty("--paper-map");
  setTheme(was.theme);
  for (const v of VIEWS) {
    v.map.options.zoomSnap = was.snap;
    resizeMap(v.map);
  }
  VIEWS[0].map.setView(was.centre, was.zoom, { animate: false });
  act.redraw({ quiet: true });
}
