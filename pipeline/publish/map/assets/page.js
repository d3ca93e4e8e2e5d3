// @ts-check
/* Elements of the page: made with text only, never with markup; and the colours of the style sheet.

   Exports `byId` and its kin to find elements, `el`, `add`, `button` and their kin to make them, `announce` for screen
   readers, `showInPanel` for what was chosen, `touches` for what stands too close, and the palette with the fill of every area. */

import { say } from "./words.js";
import { CONTEXT, INFO } from "./data.js";
import { MEASURES, bandsOf, classOf, sharedLimits, stateText, valueOf, tiles } from "./model.js";

/** @import { Segment } from "./words.js" */
/** @import { Scene } from "./model.js" */

const SVG_NS = "http://www.w3.org/2000/svg";

/** @param {string} id @returns {HTMLElement} */
export function byId(id) { return /** @type {HTMLElement} */ (document.getElementById(id)); }

/** @param {string} id @returns {HTMLInputElement} */
export function inputById(id) { return /** @type {HTMLInputElement} */ (byId(id)); }

/** @param {string} id @returns {HTMLSelectElement} */
export function selectById(id) { return /** @type {HTMLSelectElement} */ (byId(id)); }

/** The element that carries the theme. @returns {HTMLElement} */
export function root() { return document.documentElement; }

/** @template {keyof HTMLElementTagNameMap} K
 * @param {K} name @param {string} [className] @param {string} [text] @returns {HTMLElementTagNameMap[K]} */
export function el(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

/** @template {Element} T @param {T} parent @param {(Node | string)[]} children @returns {T} */
export function add(parent, ...children) { parent.append(...children); return parent; }

/** Segments as nodes: what is stressed in bold. @param {Segment[]} segments @returns {(Node | string)[]} */
export function nodesOf(segments) { return segments.map(([text, stressed]) => (stressed ? el("b", "", text) : text)); }

/** @param {string} name @param {Record<string, string | number>} [attributes] @param {string} [text] @returns {SVGElement} */
export function svgEl(name, attributes = {}, text) {
  const node = /** @type {SVGElement} */ (document.createElementNS(SVG_NS, name));
  for (const key of Object.keys(attributes)) node.setAttribute(key, String(attributes[key]));
  if (text !== undefined) node.textContent = text;
  return node;
}

/** @param {string} id of a symbol in the page @returns {SVGElement} */
export function icon(id) {
  const picture = svgEl("svg", { class: "i", "aria-hidden": "true" });
  picture.append(svgEl("use", { href: "#" + id }));
  return picture;
}

/** @param {string} className @param {string | undefined} text @param {() => void} action @returns {HTMLButtonElement} */
export function button(className, text, action) {
  const node = el("button", className, text);
  node.type = "button";
  node.addEventListener("click", action);
  return node;
}

/** A name, which keeps its own direction.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {string} className @param {string} text @returns {HTMLElementTagNameMap[K]} */
export function nameEl(tag, className, text) {
  const node = el(tag, className, text);
  node.dir = "auto";
  return node;
}

export function isPhone() { return window.innerWidth <= 760; }

/** How much larger names and badges on the map are on a wall screen, as frame.css makes the rest; on paper they are not.
 * @returns {number} */
export function typeScale() {
  if (root().classList.contains("printing")) return 1;
  return window.innerWidth >= 3600 ? 2 : window.innerWidth >= 2400 ? 1.5 : 1;
}

/** The typeface of the page, read once: asking for it settles the style of everything. */
let family = "";

/** @returns {string} */
export function fontFamily() { return family || (family = getComputedStyle(document.body).fontFamily); }

/** @type {CanvasRenderingContext2D | null} */
let textMeter = null;
/** Widths by font and text: names stay the same from map to map. @type {Map<string, number>} */
const textWidths = new Map();

/** How wide a text of the page's typeface is, measured off the page, so that nothing there is set out for it.
 * @param {string} text @param {string} font weight and size @returns {number} pixels */
export function textWidth(text, font) {
  const name = font + "|" + text;
  let wide = textWidths.get(name);
  if (wide === undefined) {
    if (!textMeter) textMeter = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
    textMeter.font = font + " " + fontFamily();
    wide = textMeter.measureText(text).width;
    textWidths.set(name, wide);
  }
  return wide;
}

/** Whether two boxes touch, or come closer than a gap. What stands beside others is measured first and moved afterwards:
 * measuring after each change would set out the page anew each time.
 * @param {DOMRect} a @param {DOMRect} b @param {number} [gap] in pixels, sideways @returns {boolean} */
export function touches(a, b, gap = 0) {
  return a.left < b.right + gap && b.left < a.right + gap && a.top < b.bottom && b.top < a.bottom;
}

/** Bring what was chosen into the upper part of the panel, under its tabs, where it is not there already. The focus stays
 * where it is; on a phone the panel does not scroll, and its lower edge says what was chosen.
 * @param {Element | null} node */
export function showInPanel(node) {
  const panel = document.querySelector(".panel");
  if (!node || !panel) return;
  const box = panel.getBoundingClientRect();
  const above = box.top + byId("tabs").getBoundingClientRect().height, top = node.getBoundingClientRect().top;
  if (top >= above && top <= box.top + box.height / 2) return;
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  panel.scrollTo({ top: panel.scrollTop + top - above, behavior: still ? "instant" : "smooth" });
}

/** Say something to a screen reader. @param {string} text */
export function announce(text) { byId("live").textContent = text; }

/** Name whoever made the background map, unless it still waits for a key, and the layers under the hotspots. */
export function drawCredit() {
  const credits = [...(INFO.credit && (tiles.shown || !tiles.ask) ? [INFO.credit] : []), ...CONTEXT.credits];
  byId("credit").hidden = !credits.length;
  byId("credit-text").textContent = credits.join(". ");
}

/** Keep everything chosen in the address. */
export function saveAddress() {
  try { history.replaceState(null, "", "#" + stateText()); } catch (error) { /* some viewers forbid it; the page works without */ }
}

/* ---------- colours, read from the style sheet so that a theme needs no code ---------- */

/** @param {string} name @returns {string} */
function token(name) { return getComputedStyle(root()).getPropertyValue("--" + name).trim(); }

/** Classes of a sequence, of changes, of significance and of density. @type {Record<"s" | "c" | "g" | "t", string[]>} */
let ramps = { s: [], c: [], g: [], t: [] };
/** Single colours by name. @type {Record<string, string>} */
export let palette = {};

function readPalette() {
  /** @param {string} letter @param {number} n */
  const list = (letter, n) => Array.from({ length: n }, (_, k) => token(letter + (k + 1)));
  ramps = { s: list("s", 5), c: ["c-lo", "c-no", "c-hi"].map(token), g: list("g", 7), t: list("t", 6) };
  palette = {};
  for (const name of ["c-lo", "c-no", "c-hi", "s0", "s0-dot"]) palette[name] = token(name);
  for (const letter of /** @type {("s" | "g" | "t")[]} */ (["s", "g", "t"])) ramps[letter].forEach((colour, k) => { palette[letter + (k + 1)] = colour; });
  for (const name of ["ink", "ink-2", "ink-3", "halo", "wardline", "boroline", "edge", "hot", "hot-on", "land", "water", "dot", "paper",
    "ground", "pattern", "rule", "ctl", "bar", "bar-hover", "ctx-case", "ctx-core", "ctx-rail", "ctx-rail-gap", "ctx-dot", "ctx-green",
    "ctx-green-ink", "ctx-water-ink", "ctx-road-ink"]) palette[name] = token(name);
}

/** @param {Scene} scene @returns {string[]} */
export function rampOf(scene) { return ramps[MEASURES[scene.measure].ramp]; }

/** @param {number} k class of significance @returns {string} */
export function significanceColour(k) { return ramps.g[k + 3]; }

/** Colours of the bands of a category, by the least density of each. @param {string} category @returns {Map<number, string>} */
export function bandColours(category) {
  const lows = [...new Set(bandsOf(category).map((b) => b.low))].sort((a, b) => a - b);
  return new Map(lows.map((low, k) => [low, ramps.t[lows.length < 2 ? 2 : Math.round((k * 5) / (lows.length - 1))]]));
}

/** How much of all the bands of a category hold, the densest first, each with those above it; none where limits are no shares.
 * @param {string} category @returns {number[]} per cent */
export function bandShares(category) {
  const shares = bandsOf(category).flatMap((b) => (b.share === null ? [] : [b.share]));
  return [...new Set(shares)].sort((a, b) => a - b);
}

/** @param {Scene} scene @param {number} i @returns {string} a colour, or the pattern of a state without a value */
export function fillOf(scene, i) {
  const found = valueOf(scene, i);
  if (found.state !== "ok" || found.value === null) return "url(#pt-" + found.state + ")";
  return rampOf(scene)[classOf(found.value, sharedLimits())];
}

/** A triangle in a box of 12 by 12: what changed clearly is known by its direction, and by its colour only besides.
 * @param {number} direction 1 up, for higher; -1 down, for lower @returns {string} */
export function trianglePath(direction) { return direction > 0 ? "M6 1.5L11 10H1Z" : "M6 10.5L11 2H1Z"; }

/** @param {string} theme "light" or "dark" */
export function setTheme(theme) {
  root().dataset.theme = theme;
  byId("theme").setAttribute("aria-label", say(theme === "dark" ? "map.controls.use_light" : "map.controls.use_dark"));
  byId("theme-icon").setAttribute("href", theme === "dark" ? "#i-sun" : "#i-moon");
  readPalette();
}
