// @ts-check
/* What is shown: the state, and for a scene (level, category, measure, period) each area's value, class and rank.

   `begin` sets the state once data.js holds a payload. Exports the state and its scenes, which levels and periods a
   choice has, values, ranges and classes, ranks, the two sides of a comparison, search by name, and the state as the
   address after #. `act` is what modules below may ask of the page. Nothing here touches the page. */

import { LETTERS, NOT_OFFERED } from "./fields.js";
import { capital, countText, say, whole } from "./words.js";
import {
  BANDS, CATEGORIES, HOTSPOTS, INFO, LEVELS, MAPPED, OVERLAYS, byDays, categoryOf, cell, column, isFirstStep, offeredRange,
  parentOf, periodOf, rangeOf, seriesOf,
} from "./data.js";

/** @import { BreakFields, PeriodFields } from "./fields.js" */
/** @import { Band, Cell, CountRange, Hotspot, Level, Overlay } from "./data.js" */

/** @typedef {"rate" | "count" | "change" | "significance" | "outcomes"} Measure */
/** @typedef {{level: string, mode: string, category: string, measure: Measure, period: string}} Scene */
/** @typedef {"ok" | "first" | "zero" | "notoffered" | "few" | "incomparable" | "norate" | "nocover" | "nodata"} ValueState */
/** An area in a scene. `first` is a count in the first step: fewer than so many, perhaps none. `value` is what classes go
 * by: the middle of a range, which no reader sees; `range` holds the count's ends wherever the count is offered.
 * @typedef {{state: ValueState, value: number | null, range: CountRange | null}} Found */
/** @typedef {{level: string, detailed: boolean, mode: string, category: string, measure: Measure, period: string,
 *   area: number | null, hotspot: number | null, hotspots: boolean, names: boolean, context: boolean, compare: string | null, overlay: string, tab: string,
 *   view: number[] | null, theme: string | null, instead: boolean, keepFlat: boolean}} State
 * `instead`: circles stand in for rates that all lie in one class; `keepFlat`: the reader asked for such rates. */

/** What the page can be asked to do; controls.js fills it in. */
export const act = {
  /** Bring everything in line with the state. @param {{quiet?: boolean}} [options] */
  redraw(options) { void options; },
  /** @param {number | null} i @param {boolean} [zoom] */
  chooseArea(i, zoom) { void i; void zoom; },
  /** @param {number} k @param {boolean} zoom */
  chooseHotspot(k, zoom) { void k; void zoom; },
  /** @param {string} level */
  setLevel(level) { void level; },
  stopPlaying() { /* filled in */ },
  /** @param {string} name */
  showTab(name) { void name; },
};

/** Column of each measure, and its colours. @type {Record<Measure, {key: string, ramp: "s" | "c" | "g"}>} */
export const MEASURES = {
  rate: { key: "r", ramp: "s" },
  count: { key: "n", ramp: "s" },
  change: { key: "cw", ramp: "c" },
  significance: { key: "g", ramp: "g" },
  outcomes: { key: "s", ramp: "s" },
};
/** A change is one of three classes, as the release calls it: the letters of its words and their classes.
 * @type {Record<string, number>} */
export const CHANGE_CLASSES = { l: -1, n: 0, h: 1 };
export const SIGNIFICANCE = [-3, -2, -1, 0, 1, 2, 3];
const DETAILED = ["ward", "ward_group"];

/** Measures that the release holds. @type {Measure[]} */
export let SHOWN_MEASURES = [];
/** @type {string[]} */
export let DENSITY_CATEGORIES = [];
/** @type {State} */
export const state = { ...startState(true), theme: null };
/** Whether a background map is on, and whether it waits for a key. */
export const tiles = { shown: false, failed: false, ask: false };

/** Set everything to how it starts; data.js must hold a payload. */
export function begin() {
  SHOWN_MEASURES = /** @type {Measure[]} */ (Object.keys(MEASURES)).filter((m) => m === "count" || measureExists(m));
  DENSITY_CATEGORIES = [...new Set(BANDS.map((b) => b.category))];
  tiles.ask = INFO.tiles.includes("{key}");
  tiles.shown = Boolean(INFO.tiles) && !tiles.ask;
  Object.assign(state, startState());
}

/** Whether a measure holds at least one number, offered or not, somewhere. A change must be given: where no window has an
 * earlier one, every area is only "not comparable", and there is nothing to choose.
 * @param {Measure} measure @returns {boolean} */
function measureExists(measure) {
  const key = MEASURES[measure].key;
  return MAPPED.some((id) => {
    const hasEarlier = Boolean(INFO.earlierNamed) || LEVELS[id].periods.some((p) => p.against);
    const says = (/** @type {Cell} */ c) => c !== null && c !== NOT_OFFERED && (hasEarlier || c !== "c");
    const given = (/** @type {Cell[]} */ cells) => measure !== "change" || cells.some(says);
    return Object.values(LEVELS[id].values).some((columns) => Object.values(columns[key] || {}).some(given));
  });
}

/** How everything starts; the theme stays as the reader chose it.
 * @param {boolean} [empty] before there is a payload @returns {Omit<State, "theme">} */
export function startState(empty = false) {
  const first = empty ? "" : CATEGORIES[0].id;
  const level = empty ? "" : levelsOf(first)[0] || "borough";
  // Where residents are known of no area, the first look is at numbers and not at an empty map.
  const rates = !empty && SHOWN_MEASURES.includes("rate") && column(level, INFO.headline, first, MEASURES.rate.key).some((r) => r !== null);
  return {
    level,
    detailed: true,
    mode: "areas",
    category: first,
    measure: rates ? "rate" : "count",
    period: empty ? "" : INFO.headline,
    area: null,
    hotspot: null,
    hotspots: HOTSPOTS.length > 0,
    names: true,
    context: true,
    compare: null,
    overlay: "",
    tab: "area",
    view: null,
    instead: false,
    keepFlat: false,
  };
}

export function isPublic() { return INFO.audience === "public"; }

/** Outcomes are counted in the period in which they were recorded, not of the offences of the period. */
export function isFlow() { return INFO.outcomes === "flow"; }

/** Fills let the streets of a background map through, and nothing else. */
export function fillOpacity() { return tiles.shown ? 0.78 : 1; }

/** @returns {Scene} */
export function mainScene() {
  return { level: state.level, mode: state.mode, category: state.category, measure: state.measure, period: state.period };
}

/** The other side of a comparison: "p:<period>" or "c:<category>".
 * @returns {Scene} */
export function otherScene() {
  const scene = mainScene();
  if (!state.compare) return scene;
  const what = state.compare.slice(2);
  return state.compare[0] === "p" ? { ...scene, period: what } : { ...scene, category: what };
}

/* ---------- levels: each category is given by ward, by group of neighbouring wards or by borough alone ---------- */

/** @param {string} levelId @returns {boolean} */
export function isDetailed(levelId) { return DETAILED.includes(levelId); }

/** The level whose outlines and names a map of a level carries: its own where its areas are large, else that of boroughs.
 * @param {string} levelId @returns {string} */
export function largeLevel(levelId) { return isDetailed(levelId) ? "borough" : levelId; }

/** The levels that a category is given by, smallest areas first; never none.
 * @param {string} categoryId @returns {string[]} */
export function levelsOf(categoryId) {
  const offered = MAPPED.filter((id) => !isDetailed(id) || id === categoryOf(categoryId).detail);
  return offered.length ? offered : MAPPED.slice(0, 1);
}

/** The group that holds a ward, or -1.
 * @param {number} ward @returns {number} */
function groupOf(ward) { return LEVELS.ward_group ? (LEVELS.ward_group.wards || []).findIndex((wards) => wards.includes(ward)) : -1; }

/** Names of the wards in a group; none of any other area.
 * @param {string} levelId @param {number} i @returns {string[]} */
export function wardsOf(levelId, i) {
  return levelId === "ward_group" ? (LEVELS.ward_group.wards || [])[i].map((w) => shortName(LEVELS.ward, w)) : [];
}

/** A name without what every name of its level ends with, in brackets: that says nothing on the map.
 * @param {Level} level @param {number} i @returns {string} */
export function shortName(level, i) {
  if (level.ending === undefined) {
    const ending = (/ (\([^()]+\))$/.exec(level.name[0]) || [])[1];
    level.ending = ending && level.name.length > 1 && level.name.every((n) => n.endsWith(" " + ending)) ? ending : "";
  }
  return level.ending ? level.name[i].slice(0, -level.ending.length - 1) : level.name[i];
}

/** An area as the category on the map has it: itself, the group or the borough that holds it; null if there is none.
 * @param {string} levelId @param {number} i @returns {[string, number] | null} */
export function shownAs(levelId, i) {
  const offered = levelsOf(state.category);
  if (offered.includes(levelId)) return [levelId, i];
  if (levelId === "ward" && offered.includes("ward_group") && groupOf(i) >= 0) return ["ward_group", groupOf(i)];
  const parent = parentOf(levelId, i);
  return parent && offered.includes(parent[0]) ? parent : null;
}

/** Whether a level has a category in longer windows alone. @param {string} levelId @param {string} categoryId */
export function isLong(levelId, categoryId) { return isDetailed(levelId) && categoryOf(categoryId).long; }

/** Whether a category is given at a level in a kind of window. @param {string} levelId @param {string} categoryId @param {string} kind */
export function isGivenIn(levelId, categoryId, kind) { return isLong(levelId, categoryId) === (kind === "l"); }

/** Moves to a level and a window that the category is given by. */
export function settleLevel() {
  settleArea();
  if (state.mode === "density" || isGivenIn(state.level, state.category, kindOf(mainScene()))) return;
  const long = seriesOf(state.level, "l");
  state.period = isLong(state.level, state.category) && long.length ? long[long.length - 1].id : INFO.headline;
}

/** Moves to a level that the category is given by; whoever had small areas gets them back with the next category. */
function settleArea() {
  const offered = levelsOf(state.category);
  const level = state.detailed || !offered.includes(state.level) ? offered[0] : state.level;
  if (level === state.level) return;
  const area = state.area === null ? null : shownAs(state.level, state.area);
  state.level = level;
  state.area = area && area[0] === level ? area[1] : null;
  if (!periodOf(level, state.period)) state.period = INFO.headline;
}

/* ---------- values ---------- */

/** @param {{level: string, period: string}} scene @returns {string} kind of window: y, q or m */
export function kindOf(scene) { const p = periodOf(scene.level, scene.period); return p ? p.kind : "y"; }

/** The windows of the kind that is shown. @returns {PeriodFields[]} */
export function currentSeries() { return seriesOf(state.level, kindOf(mainScene())); }

/** @param {Scene} scene @returns {boolean} */
export function hasMeasure(scene) {
  return column(scene.level, scene.period, scene.category, MEASURES[scene.measure].key).some((v) => v !== null);
}

/** Values of the scenes of late: map, legend, card and notice each ask for those of every area. They are of one payload.
 * @type {{levels: Record<string, Level> | null, scenes: Map<string, Found[]>, last: Scene | null, values: Found[]}} */
const taken = { levels: null, scenes: new Map(), last: null, values: [] };
/** Scenes that are kept: a few categories and their measures. */
const KEPT_SCENES = 24;

/** @param {Scene} scene @returns {Found[]} those of every area of the scene's level */
export function valuesOf(scene) {
  const { level, period, category, measure } = scene, last = taken.last;
  if (taken.levels !== LEVELS) Object.assign(taken, { levels: LEVELS, scenes: new Map(), last: null });
  else if (last && last.level === level && last.period === period && last.category === category && last.measure === measure) return taken.values;
  const name = [level, period, category, measure].join("|");
  const values = taken.scenes.get(name) || LEVELS[level].code.map((_, i) => findValue(scene, i));
  if (!taken.scenes.has(name)) {
    if (taken.scenes.size >= KEPT_SCENES) taken.scenes.clear();
    taken.scenes.set(name, values);
  }
  Object.assign(taken, { last: { ...scene }, values });
  return values;
}

/** @param {Scene} scene @param {number} i @returns {Found} */
export function valueOf(scene, i) { return valuesOf(scene)[i]; }

/** @param {Scene} scene @param {number} i @returns {Found} */
function findValue(scene, i) {
  const { level, period, category, measure } = scene;
  const range = rangeOf(level, i, period, category, "n"), offered = range === NOT_OFFERED ? null : range;
  /** @param {ValueState} name @param {number | null} [value] @returns {Found} */
  const found = (name, value = null) => ({ state: name, value, range: offered });
  if (!LEVELS[level].covered[i]) return found("nocover");
  const raw = cell(level, i, period, category, MEASURES[measure].key);
  if (raw === NOT_OFFERED) return found("notoffered");
  if (measure === "count" && range && range !== NOT_OFFERED) {
    return isFirstStep(range) ? found("first") : found("ok", Number(cell(level, i, period, category, "nm")));
  }
  if (measure === "change" && typeof raw === "string" && raw in CHANGE_CLASSES) return found("ok", CHANGE_CLASSES[raw]);
  if (measure === "change" && raw === "f") return found("few");
  if (measure === "change" && raw === "c") return found("incomparable");
  // Nothing recorded is known only where counts are exact: a first step may hold some.
  if (measure === "rate" && range && range !== NOT_OFFERED && range.upper === 0) return found("zero", typeof raw === "number" ? 0 : null);
  if (typeof raw === "number") return found("ok", raw);
  if (range === NOT_OFFERED) return found("notoffered");
  if (measure === "rate" && cell(level, i, period, category, "rel") === "f") return found("few");
  const window = periodOf(level, period);
  if (window && !window.complete) return found("nodata");
  if (measure === "rate" && range) return found("norate");
  if (measure === "outcomes" && range && (range.upper === 0 || hasUnsureShare(scene, i, range))) return found("few");
  return found("nodata");
}

/** Outcomes, or what they are a share of, are in their first step: both nothing and something are possible.
 * @param {Scene} scene @param {number} i @param {CountRange} range @returns {boolean} */
function hasUnsureShare({ level, period, category }, i, range) {
  const positive = rangeOf(level, i, period, category, "o");
  const known = rangeOf(level, i, period, category, "k");
  /** @param {CountRange | "w" | null} r */
  const unsure = (r) => r !== null && r !== NOT_OFFERED && isFirstStep(r);
  return unsure(positive) || (positive !== null && (unsure(known) || unsure(range)));
}

/** Between what a rate lies for all counts of the range; the same number twice where the count is known.
 * @param {{level: string, period: string, category: string}} scene @param {number} i @returns {[number, number] | null} */
export function rateEnds({ level, period, category }, i) {
  const rate = cell(level, i, period, category, "r");
  const range = offeredRange(level, i, period, category, "n");
  const middle = cell(level, i, period, category, "nm");
  if (typeof rate !== "number" || !range) return null;
  return typeof middle === "number" && middle ? [(rate * range.lower) / middle, (rate * range.upper) / middle] : [rate, rate];
}

/** The rate of the whole region. @param {{period: string, category: string}} scene @returns {[number, number] | null} */
export function regionalRateEnds({ period, category }) { return LEVELS.region ? rateEnds({ level: "region", period, category }, 0) : null; }

/** The same of a share: fewest outcomes of most offences, most of fewest.
 * @param {{level: string, period: string, category: string}} scene @param {number} i @returns {[number, number] | null} */
export function shareEnds({ level, period, category }, i) {
  const share = cell(level, i, period, category, "s");
  if (typeof share !== "number") return null;
  /** @param {"n" | "o" | "k"} key */
  const of = (key) => offeredRange(level, i, period, category, key);
  const part = of("o"), all = (isFlow() ? of("n") : of("k")) || of("n");
  if (part && all && !all.lower && all.upper && !isFlow()) return [part.lower / all.upper, 1];
  if (!part || !all || !all.lower || (part.lower === part.upper && all.lower === all.upper)) return [share, share];
  const unit = isFlow() ? 100 : 1;
  const high = (part.upper / all.lower) * unit;
  return [(part.lower / all.upper) * unit, isFlow() ? high : Math.min(1, high)];
}

/* ---------- classes ---------- */

/** @param {Scene} scene @returns {number[]} */
function limitsOf(scene) {
  if (scene.measure === "change") return [-0.5, 0.5];
  if (scene.measure === "significance") return [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5];
  const all = (LEVELS[scene.level].limits || {})[kindOf(scene)] || {};
  return (all[scene.category] || {})[scene.measure] || [1, 2, 5, 10];
}

/** Both sides of a comparison are coloured by the classes of the left one. @returns {number[]} */
export function sharedLimits() { return limitsOf(mainScene()); }

/** @param {number} value @param {number[]} limits @returns {number} how many limits it reaches */
export function classOf(value, limits) {
  let k = 0;
  while (k < limits.length && value >= limits[k]) k++;
  return k;
}

/** Whether a hotspot belongs on a map: it is of the map's category, and hotspots are of the headline period.
 * @param {Hotspot} spot @param {Scene} scene @returns {boolean} */
export function isSpotOf(spot, scene) { return spot.category === scene.category && scene.period === INFO.headline; }

/** The hotspots that a map shows. @param {Scene} scene @returns {Hotspot[]} */
export function spotsOf(scene) { return HOTSPOTS.filter((spot) => isSpotOf(spot, scene)); }

/** A chosen hotspot is let go where the map shows others. */
export function settleHotspot() {
  if (state.hotspot !== null && !isSpotOf(HOTSPOTS[state.hotspot], mainScene())) state.hotspot = null;
}

/** What the chosen test found in the category of a scene; null where no test is chosen.
 * @param {Scene} scene @returns {Overlay | null} */
export function overlayOf(scene) {
  const chosen = OVERLAYS.find((o) => o.id === state.overlay);
  return chosen ? { ...chosen, features: chosen.features.filter((f) => f.category === scene.category) } : null;
}

/** @param {string} category @returns {Band[]} */
export function bandsOf(category) { return BANDS.filter((b) => b.category === category); }

/** What a circle's area stands for: the count, or in steps the middle (by ratio) of the class that its step lies in. Both
 * sides of a comparison have the circles of the left one.
 * @param {number} value @returns {number} */
export function circleValue(value) { return INFO.step > 1 ? classMiddle(classOf(value, sharedLimits())) : value; }

/** Class k of counts in steps: the lowest begins where the first step ends, which is a ring and no circle.
 * @param {number} k @returns {number} */
function classMiddle(k) {
  const limits = sharedLimits();
  const low = k ? limits[k - 1] : INFO.step;
  return Math.sqrt(low * (k < limits.length ? Math.max(low, limits[k]) : Math.max(low, largestCount(mainScene()))));
}

/** The largest count of any period of the same kind: circles keep their scale while the map plays.
 * @param {Scene} scene @returns {number} */
export function largestCount(scene) {
  const kind = kindOf(scene);
  const held = LEVELS[scene.level].most;
  const name = kind + "|" + scene.category;
  let most = held.get(name);
  if (most === undefined) {
    most = 1;
    for (const p of seriesOf(scene.level, kind)) {
      for (const n of column(scene.level, p.id, scene.category, "nm")) if (typeof n === "number" && n > most) most = n;
    }
    held.set(name, most);
  }
  return most;
}

/** A handful of areas needs no other map: their names and numbers are read at a glance. */
const FEWEST_OF_ONE_CLASS = 5;

/** How many areas have a rate, where a map of rates says nothing: all in one class, or none where counts are known;
 * null where it says something.
 * @param {Scene} scene @returns {number | null} */
export function flatRates(scene) {
  if (scene.measure !== "rate" || scene.mode !== "areas" || !isDetailed(scene.level)) return null;
  const all = valuesOf(scene);
  const found = all.filter((v) => v.state === "ok");
  const few = all.filter((v) => v.state === "few" && v.range && v.range.lower > 0).length;
  if (!found.length) return few >= FEWEST_OF_ONE_CLASS ? 0 : null;
  const classes = new Set(found.map((v) => classOf(Number(v.value), limitsOf(scene))));
  return found.length >= FEWEST_OF_ONE_CLASS && classes.size === 1 ? found.length : null;
}

/** Rates of one colour give way to circles by themselves, and come back where they say more. */
export function settleMeasure() {
  if (state.instead) Object.assign(state, { measure: "rate", instead: false });
  if (!state.keepFlat && flatRates(mainScene()) !== null) Object.assign(state, { measure: "count", instead: true });
}

/** The largest of 1, 2, 5, 10, 20 ... that is not above v. @param {number} v @returns {number} */
function roundBelow(v) {
  const power = Math.pow(10, Math.floor(Math.log10(v)));
  return [5, 2, 1].map((k) => k * power).find((k) => k <= v) || power;
}

/** The circles of the legend, largest first; the first step, without a value, is a ring.
 * @param {Scene} scene @returns {{value: number | null, text: string}[]} */
export function circleExamples(scene) {
  /** @type {{value: number | null, text: string}[]} */
  const found = [];
  if (INFO.step === 1) {
    const big = roundBelow(largestCount(scene));
    for (const n of new Set([big, roundBelow(Math.max(1, big / 4)), roundBelow(Math.max(1, big / 20))])) found.push({ value: n, text: whole(n) });
  } else {
    const limits = sharedLimits();
    [...limits, Infinity].forEach((limit, k) => {
      const lower = k ? limits[k - 1] : INFO.step;
      if (limit <= lower) return;
      const text = limit === Infinity ? say("map.legend.or_more", { low: whole(lower) }) : countText({ lower, upper: limit - 1 });
      found.unshift({ value: classMiddle(k), text });
    });
  }
  // Sums of several steps, and noise, have first steps of their own: the widest is what the ring says.
  const first = valuesOf(scene).filter((v) => v.state === "first").map((v) => (v.range ? v.range.upper : 0));
  const upper = Math.max(INFO.step - 1, ...first);
  return upper ? found.concat({ value: null, text: capital(countText({ lower: 0, upper })) }) : found;
}

/** Which areas changed clearly: each with 1 for higher and -1 for lower.
 * @param {Scene} scene @returns {[number, number][]} */
export function clearChanges(scene) {
  if (scene.mode === "density" || scene.measure !== "change") return [];
  return valuesOf(scene).flatMap((found, i) => {
    return found.state === "ok" && found.value ? [/** @type {[number, number]} */ ([i, found.value])] : [];
  });
}

/** Whether hotspots are thin outlines without badges: the map answers another question than they do.
 * @param {Scene} scene @returns {boolean} */
export function areHotspotsQuiet(scene) {
  return scene.mode === "areas" && (scene.measure === "change" || scene.measure === "significance");
}

/* ---------- ranks ---------- */

/** What areas are ranked by: the least that a count may be, else the measure itself.
 * @param {Scene} scene @param {number} i @returns {number | null} */
export function rankValue(scene, i) {
  const found = valueOf(scene, i);
  if (scene.measure === "count") return found.range ? found.range.lower : null;
  return found.state === "ok" || found.state === "zero" ? found.value : null;
}

/** Rank by the measure among areas with a value, how many share it, and how far the intervals could move it.
 * @param {Scene} scene @param {number} i
 * @returns {{rank: number, of: number, joint: boolean, best: number, worst: number} | null} */
export function rankOf(scene, i) {
  if (isPublic() && isDetailed(scene.level)) return null;
  const mine = rankValue(scene, i);
  if (mine === null) return null;
  const lows = column(scene.level, scene.period, scene.category, "lo"), highs = column(scene.level, scene.period, scene.category, "hi");
  const low = lows[i], high = highs[i];
  let rank = 1, of = 0, same = 0, surelyAbove = 0, surelyBelow = 0;
  LEVELS[scene.level].code.forEach((_, j) => {
    const other = rankValue(scene, j);
    if (other === null) return;
    of += 1;
    if (other > mine) rank += 1;
    if (other === mine) same += 1;
    if (scene.measure !== "rate" || typeof low !== "number" || typeof high !== "number" || j === i) return;
    const otherLow = lows[j], otherHigh = highs[j];
    if (typeof otherLow === "number" && otherLow > high) surelyAbove += 1;
    if (typeof otherHigh === "number" && otherHigh < low) surelyBelow += 1;
  });
  return { rank, of, joint: same > 1, best: surelyAbove + 1, worst: of - surelyBelow };
}

/** Places of a list in the order of a key; equal keys keep their order.
 * @param {number[]} rows @param {(i: number) => string | number} order @param {number} direction 1, or -1 for the largest first
 * @returns {number[]} */
export function sorted(rows, order, direction) {
  const keys = new Map(rows.map((i) => [i, order(i)]));
  return rows.slice().sort((a, b) => {
    const x = /** @type {string | number} */ (keys.get(a)), y = /** @type {string | number} */ (keys.get(b));
    return (x < y ? -1 : x > y ? 1 : 0) * direction || a - b;
  });
}

/* ---------- comparison: another period, or another category ---------- */

/** @param {Scene} scene @returns {string} what the side of a comparison is called */
export function sideLabel(scene) {
  const window = periodOf(scene.level, scene.period);
  if (state.compare && state.compare[0] === "c") return categoryOf(scene.category).label;
  return window ? window.label : scene.period;
}

/** What the right map may show: the other windows of the same kind, then the other categories.
 * @returns {{value: string, label: string, group: string}[]} */
export function compareChoices() {
  const periods = currentSeries().slice().reverse().map((q) => ({ value: "p:" + q.id, label: q.label, group: say("map.compare.another_period") }));
  const kind = kindOf(mainScene());
  const categories = CATEGORIES.filter((c) => levelsOf(c.id).includes(state.level) && isGivenIn(state.level, c.id, kind));
  return periods.concat(categories.map((c) => ({ value: "c:" + c.id, label: c.label, group: say("map.compare.another_category") })));
}

/** Breaks of the series between two windows or inside either: nothing is compared across one.
 * @param {PeriodFields} one @param {PeriodFields} other @returns {BreakFields[]} */
export function breaksBetween(one, other) {
  const first = one.start < other.start ? one.start : other.start, last = one.end > other.end ? one.end : other.end;
  return INFO.breaks.filter((b) => first.slice(0, 7) < b.month && b.month <= last.slice(0, 7));
}

/** The nearest sensible comparison, on the same side of every break if there is one: the same months a year earlier, else
 * the window before, else the one after; else another category.
 * @returns {string | null} */
export function usefulChoice() {
  const series = currentSeries();
  const at = series.findIndex((p) => p.id === state.period);
  const here = series[at];
  if (here) {
    const before = new Date(Date.parse(here.start) - 364 * 86400000).toISOString().slice(0, 10);
    const sameMonths = (/** @type {PeriodFields} */ p) => Number(p.start.slice(0, 4)) + 1 === Number(here.start.slice(0, 4))
      && Number(p.end.slice(0, 4)) + 1 === Number(here.end.slice(0, 4)) && p.start.slice(5, 7) === here.start.slice(5, 7)
      && p.end.slice(5, 7) === here.end.slice(5, 7);
    const yearBefore = series.find(byDays(here.kind) ? (p) => p.start === before : sameMonths);
    const nearest = [yearBefore, series[at - 1], series[at + 1]].filter((p) => p !== undefined);
    const alike = nearest.find((p) => !breaksBetween(p, here).length) || nearest[0];
    if (alike) return "p:" + alike.id;
  }
  const other = CATEGORIES.find((c) => levelsOf(c.id).includes(state.level) && c.id !== state.category);
  return other ? "c:" + other.id : null;
}

/** A comparison with itself, or with something this level lacks, moves on to the nearest sensible one. */
export function settleCompare() {
  if (!state.compare) return;
  if (state.mode === "density") { state.compare = null; return; }
  const same = state.compare === "p:" + state.period || state.compare === "c:" + state.category;
  if (same || !compareChoices().some((c) => c.value === state.compare)) state.compare = usefulChoice();
}

/* ---------- search ---------- */

/** @typedef {{name: string, key: string, level: string, i: number}} Named an area, and its name in small letters */

/** Areas whose name holds the text, those that begin with it first; at most seven.
 * @template {Named} T @param {T[]} all @param {string} text @returns {T[]} */
export function matching(all, text) {
  const wanted = text.trim().toLowerCase();
  if (wanted.length < 2) return [];
  return all.filter((a) => a.key.includes(wanted)).sort((a, b) => a.key.indexOf(wanted) - b.key.indexOf(wanted)).slice(0, 7);
}

/* ---------- the address after #: everything chosen; anything odd in there is ignored ---------- */

/** The state as it stands in the address. @returns {string} */
export function stateText() {
  /** @type {Record<string, string>} */
  const pieces = { l: state.mode === "density" ? "density" : state.level, m: state.instead ? "rate" : state.measure, c: state.category, p: state.period };
  if (state.keepFlat) pieces.flat = "1";
  if (state.mode === "density") pieces.on = state.level;
  if (state.area !== null) pieces.a = LEVELS[state.level].code[state.area];
  if (state.hotspot !== null) pieces.h = HOTSPOTS[state.hotspot].id;
  if (!state.hotspots && HOTSPOTS.length) pieces.spots = "0";
  if (!state.names) pieces.names = "0";
  if (!state.context) pieces.context = "0";
  if (state.compare) pieces.x = state.compare;
  if (state.overlay) pieces.o = state.overlay;
  if (state.tab !== "area") pieces.tab = state.tab;
  if (state.view) pieces.v = state.view.join(",");
  if (state.theme) pieces.t = state.theme;
  return Object.keys(pieces).map((k) => k + "=" + encodeURIComponent(pieces[k])).join("&");
}

/** Where a rate lies against the region's: `within` what chance gives, or beyond; empty where it is not given.
 * @param {{level: string, period: string, category: string}} scene @param {number} i @returns {string} */
export function funnelOf(scene, i) {
  const letter = cell(scene.level, i, scene.period, scene.category, "f");
  return typeof letter === "string" ? LETTERS.f[letter] || "" : "";
}

/** @param {string} text @returns {Record<string, string>} */
export function piecesOf(text) {
  /** @type {Record<string, string>} */
  const pieces = {};
  for (const piece of text.split("&")) {
    const at = piece.indexOf("=");
    if (at < 1) continue;
    try { pieces[piece.slice(0, at)] = decodeURIComponent(piece.slice(at + 1)); } catch (error) { /* not an encoding: ignored */ }
  }
  return pieces;
}

/** Set the state to how it starts and to what an address says.
 * @param {string} text */
export function takeAddress(text) {
  const pieces = piecesOf(text);
  Object.assign(state, startState());
  if (pieces.l === "density" && BANDS.length) {
    state.mode = "density";
    if (MAPPED.includes(pieces.on)) state.level = pieces.on;
  } else if (MAPPED.includes(pieces.l)) state.level = pieces.l;
  const measure = SHOWN_MEASURES.find((m) => m === pieces.m);
  if (measure) state.measure = measure;
  if (pieces.flat === "1") state.keepFlat = true;
  if (CATEGORIES.some((c) => c.id === pieces.c)) state.category = pieces.c;
  state.detailed = isDetailed(state.level);
  settleLevel();
  if (periodOf(state.level, pieces.p)) state.period = pieces.p;
  if (state.mode === "density") state.period = INFO.headline;
  const area = LEVELS[state.level].at.get(pieces.a);
  if (area !== undefined) state.area = area;
  const spot = HOTSPOTS.findIndex((h) => h.id === pieces.h);
  if (spot >= 0) state.hotspot = spot;
  if (pieces.spots === "0") state.hotspots = false;
  if (pieces.names === "0") state.names = false;
  if (pieces.context === "0") state.context = false;
  if (OVERLAYS.some((o) => o.id === pieces.o)) state.overlay = pieces.o;
  if (pieces.tab === "hotspots") state.tab = "hotspots";
  if (pieces.x && compareChoices().some((c) => c.value === pieces.x)) state.compare = pieces.x;
  const view = (pieces.v || "").split(",").map(Number);
  const [latitude, longitude, zoom] = view;
  const onEarth = Math.abs(latitude) <= 85 && Math.abs(longitude) <= 180 && zoom >= 3 && zoom <= 18;
  if (view.length === 3 && view.every(Number.isFinite) && onEarth) state.view = view;
  if (pieces.t === "dark" || pieces.t === "light") state.theme = pieces.t;
}
