// @ts-check
/* What the page shows: the payload, decoded, the only source of everything on the page, in pictures and in downloads.

   `takeIn` reads a payload; until then everything else is empty. Exports the release (`INFO`, `CATEGORIES`, `LEVELS`,
   `MAPPED`, `EDGE`, `FRAMED`, `WATER`, `HOTSPOTS`, `BANDS`, `ATTENTION`, `OVERLAYS`) and how numbers are looked up in it: by column, by cell, and counts
   as the range that they lie in. Nothing here touches the page. */

import { NOT_OFFERED } from "./fields.js";

/** @import { AttentionFields, BandFields, CategoryFields, CoreFields, HotspotFields, InfoFields, LevelFields, LineFields, OverlayFeatureFields,
 *   OverlayFields, Payload, PeriodFields, PointFields, SurfaceFields } from "./fields.js" */

/** @typedef {[number, number]} Point latitude and longitude */
/** @typedef {Point[][]} Shape closed rings, the first point of each not repeated */
/** @typedef {number | string | null} Cell a number, a word, `w` (not offered) or null (no data) */
/** @typedef {{lower: number, upper: number}} CountRange the ends of what a count may be */
/** @typedef {LevelFields & {id: string, at: Map<string, number>, shapes: Shape[], nothing: null[], most: Map<string, number>, ending?: string}} Level */
/** @typedef {CoreFields & {shape: Shape, point: Point}} Core */
/** @typedef {Omit<HotspotFields, "cores"> & {shape: Shape, point: Point, corners?: Point[], cores: Core[]}} Hotspot */
/** @typedef {BandFields & {shape: Shape}} Band */
/** @typedef {Omit<OverlayFields, "features"> & {features: (OverlayFeatureFields & {shape: Shape})[]}} Overlay */
/** Context, decoded: lines and rings of places. @typedef {{any: boolean, credits: string[],
 *   lines: (Omit<LineFields, "parts"> & {lines: Point[][]})[], surfaces: (SurfaceFields & {rings: Shape, middle: Point})[],
 *   points: (PointFields & {place: Point})[]}} ContextData */

export const UNIT = 1e5;
/** Context is drawn to 1/20,000 of a degree; context.py has the same. */
const CONTEXT_UNIT = 2e4;
const ALWAYS = ["region", "level_4", "level_3", "borough", "ward_group", "ward"];

/** @type {InfoFields} */
export let INFO;
/** @type {CategoryFields[]} */
export let CATEGORIES = [];
/** Levels of the release by name. @type {Record<string, Level>} */
export let LEVELS = {};
/** Levels that have outlines, smallest areas first. @type {string[]} */
export let MAPPED = [];
/** Outline of everything, and water. @type {Shape} */
export let EDGE = [];
/** What the first view shows: everything, or covered areas where they are few. @type {Shape} */
export let FRAMED = [];
/** @type {Shape} */
export let WATER = [];
/** @type {Hotspot[]} */
export let HOTSPOTS = [];
/** @type {Band[]} */
export let BANDS = [];
/** What the page opens with. @type {AttentionFields[]} */
export let ATTENTION = [];
/** What tests found, to be drawn over the areas. @type {Overlay[]} */
export let OVERLAYS = [];
/** @type {ContextData} */
export let CONTEXT = { any: false, credits: [], lines: [], surfaces: [], points: [] };

/** Decode a line: differences of whole units of a degree, x and y in turn; shared arcs are in hundred-thousandths.
 * @param {number[]} code @param {number} [unit] @returns {Point[]} */
export function decodeArc(code, unit = UNIT) {
  /** @type {Point[]} */
  const points = [];
  let x = 0, y = 0;
  for (let k = 0; k < code.length; k += 2) {
    x += code[k];
    y += code[k + 1];
    points.push([y / unit, x / unit]);
  }
  return points;
}

/** One closed ring from the arcs that it consists of; `-r - 1` is arc `r` run backwards.
 * @param {number[]} references @param {Point[][]} arcs @returns {Point[]} */
export function ringOf(references, arcs) {
  /** @type {Point[]} */
  const out = [];
  for (const r of references) {
    const arc = r < 0 ? arcs[-r - 1] : arcs[r];
    const n = arc.length - 1;
    for (let k = 0; k < n; k++) out.push(r < 0 ? arc[n - k] : arc[k]);
  }
  return out;
}

/** Whether a point lies in a ring, both with the same axes.
 * @param {Point} point @param {Point[]} ring @returns {boolean} */
export function isInside([a, b], ring) {
  // A ray from the point crosses the ring an odd number of times.
  return ring.reduce((odd, [a1, b1], k) => {
    const [a2, b2] = ring[(k + 1) % ring.length];
    return (b1 > b) !== (b2 > b) && a < ((a2 - a1) * (b - b1)) / (b2 - b1) + a1 ? !odd : odd;
  }, false);
}

/** The area of a level that holds a point; -1 where none does. @param {string} levelId @param {Point} point @returns {number} */
export function areaAt(levelId, point) {
  return LEVELS[levelId].shapes.findIndex((rings) => rings.reduce((odd, ring) => (isInside(point, ring) ? !odd : odd), false));
}

/** Unpack the block of the page: JSON, compressed: {"gzip": "<base64>"}.
 * @param {string} block @returns {Promise<Payload>} */
export async function unpacked(block) {
  const bytes = Uint8Array.from(atob(JSON.parse(block).gzip), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

/** Read a payload.
 * @param {Payload} payload */
export function takeIn(payload) {
  const arcs = payload.arcs.map((code) => decodeArc(code));
  /** @param {number[][]} rings @returns {Shape} */
  const shape = (rings) => rings.map((references) => ringOf(references, arcs));
  INFO = payload.info;
  CATEGORIES = payload.categories;
  LEVELS = {};
  for (const id of ALWAYS) {
    const level = payload.levels[id];
    if (!level) continue;
    const at = new Map(level.code.map((code, i) => [code, i]));
    LEVELS[id] = Object.assign(level, { id, at, shapes: level.rings ? level.rings.map(shape) : [], nothing: level.code.map(() => null), most: new Map() });
  }
  MAPPED = ALWAYS.slice(1).reverse().filter((id) => LEVELS[id] && LEVELS[id].rings && LEVELS[id].code.length);
  EDGE = shape(payload.edge);
  FRAMED = framed();
  WATER = shape(payload.water);
  /** @template {{rings: number[][], at: [number, number]}} T @param {T} h @returns {T & {shape: Shape, point: Point}} */
  const placed = (h) => Object.assign(h, { shape: shape(h.rings), point: /** @type {Point} */ ([h.at[1] / UNIT, h.at[0] / UNIT]) });
  HOTSPOTS = payload.hotspots.map((h) => Object.assign(placed(h), { cores: h.cores.map(placed) }));
  BANDS = payload.density.map((b) => Object.assign(b, { shape: shape(b.rings) }));
  ATTENTION = payload.attention;
  OVERLAYS = payload.overlays.map((o) => ({
    ...o, features: o.features.map((f) => ({ ...f, shape: f.rings.map((code) => decodeArc(code)) })),
  }));
  CONTEXT = surroundingsOf(payload.context);
}

/** The rings of covered areas where they are fewer than half; the edge of all otherwise. @returns {Shape} */
function framed() {
  const { covered, shapes } = LEVELS[MAPPED[0]] || { covered: [], shapes: [] };
  const inside = shapes.filter((_, i) => covered[i]);
  return inside.length && inside.length < shapes.length / 2 ? inside.flat() : EDGE;
}

/** @param {Payload["context"]} context @returns {ContextData} */
function surroundingsOf(context) {
  const decode = (/** @type {number[]} */ code) => decodeArc(code, CONTEXT_UNIT);
  /** @param {number[]} at @returns {Point} */
  const place = ([x, y]) => [y / CONTEXT_UNIT, x / CONTEXT_UNIT];
  return {
    any: context.lines.length + context.surfaces.length + context.points.length > 0,
    credits: context.credits,
    lines: context.lines.map(({ kind, rank, name, parts }) => ({ kind, rank, name, lines: parts.map(decode) })),
    surfaces: context.surfaces.map((s) => ({ ...s, rings: s.parts.map(decode), middle: place(s.at) })),
    points: context.points.map((p) => ({ ...p, place: place(p.at) })),
  };
}

/* ---------- columns ---------- */

/** One column of a level: the cell of each area.
 * @param {string} levelId @param {string} periodId @param {string} categoryId @param {string} key @returns {Cell[]} */
export function column(levelId, periodId, categoryId, key) {
  const level = LEVELS[levelId];
  const columns = level.values[categoryId] || {};
  return (columns[key] || {})[periodId] || level.nothing;
}

/** @param {string} levelId @param {number} i @param {string} periodId @param {string} categoryId @param {string} key @returns {Cell} */
export function cell(levelId, i, periodId, categoryId, key) { return column(levelId, periodId, categoryId, key)[i]; }

/* ---------- periods, categories, areas ---------- */

/** @param {string} levelId @param {string | undefined} id @returns {PeriodFields | null} */
export function periodOf(levelId, id) { return LEVELS[levelId].periods.find((p) => p.id === id) || null; }

/** Kinds of window that a level has: years, quarters, months, 28 days, weeks, days.
 * @param {string} levelId @returns {string[]} */
export function kindsOf(levelId) { return ["y", "q", "m", "f", "w", "d"].filter((k) => LEVELS[levelId].periods.some((p) => p.kind === k)); }

/** Whether windows of a kind are days: such a window is compared with that of the same weekdays, 364 days before.
 * @param {string} kind @returns {boolean} */
export function byDays(kind) { return ["f", "w", "d"].includes(kind); }

/** @param {string} levelId @param {string} kind @returns {PeriodFields[]} */
export function seriesOf(levelId, kind) { return LEVELS[levelId].periods.filter((p) => p.kind === kind); }

/** @param {string} id @returns {CategoryFields} the first where there is none of that name */
export function categoryOf(id) { return CATEGORIES.find((c) => c.id === id) || CATEGORIES[0]; }

/** The area one level up: its level and place.
 * @param {string} levelId @param {number} i @returns {[string, number] | null} */
export function parentOf(levelId, i) {
  const code = LEVELS[levelId].parent[i];
  for (const id of ALWAYS) {
    const place = LEVELS[id] ? LEVELS[id].at.get(code) : undefined;
    if (place !== undefined) return [id, place];
  }
  return null;
}

/** The area of another level that contains an area, or is it. @param {string} levelId @param {number} i @param {string} wanted
 * @returns {number | null} */
export function containing(levelId, i, wanted) {
  /** @type {[string, number] | null} */
  let at = [levelId, i];
  while (at && at[0] !== wanted) at = parentOf(...at);
  return at && at[1];
}

/** The level one up that is on the map; empty where only the region is above.
 * @param {string} levelId @returns {string} */
export function levelAbove(levelId) {
  const parent = LEVELS[levelId].code.length ? parentOf(levelId, 0) : null;
  return parent && parent[0] !== "region" ? parent[0] : "";
}

/** Name of the area one level up, where that is not the region. @param {string} levelId @param {number} i @returns {string} */
export function parentName(levelId, i) {
  const parent = parentOf(levelId, i);
  return parent && parent[0] !== "region" ? LEVELS[parent[0]].name[parent[1]] : "";
}

/* ---------- counts ---------- */

/** A count as the range that it lies in; `w` (not offered) or null (no data).
 * @param {string} levelId @param {number} i @param {string} periodId @param {string} categoryId
 * @param {"n" | "o" | "k"} key recorded, positive outcomes, known outcomes @returns {CountRange | "w" | null} */
export function rangeOf(levelId, i, periodId, categoryId, key) {
  const lower = cell(levelId, i, periodId, categoryId, key);
  if (typeof lower !== "number") return lower === NOT_OFFERED ? NOT_OFFERED : null;
  return { lower, upper: Number(cell(levelId, i, periodId, categoryId, key + "x")) };
}

/** The same where it is offered.
 * @param {string} levelId @param {number} i @param {string} periodId @param {string} categoryId @param {"n" | "o" | "k"} key
 * @returns {CountRange | null} */
export function offeredRange(levelId, i, periodId, categoryId, key) {
  const range = rangeOf(levelId, i, periodId, categoryId, key);
  return range === NOT_OFFERED ? null : range;
}

/** The count may be nothing or something: it is worded "fewer than".
 * @param {CountRange} range @returns {boolean} */
export function isFirstStep(range) { return range.lower === 0 && range.upper > 0; }

/** The whole region's count; null where there is none.
 * @param {string} periodId @param {string} categoryId @returns {CountRange | null} */
export function regionalRange(periodId, categoryId) { return LEVELS.region ? offeredRange("region", 0, periodId, categoryId, "n") : null; }

/** A number of the whole region; null where there is none or it is not offered.
 * @param {string} periodId @param {string} categoryId @param {string} key @returns {number | null} */
export function regional(periodId, categoryId, key) {
  if (!LEVELS.region) return null;
  const value = cell("region", 0, periodId, categoryId, key);
  return typeof value === "number" ? value : null;
}
