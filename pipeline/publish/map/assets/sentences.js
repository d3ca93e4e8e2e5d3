// @ts-check
/* What the page says of a scene: headings, units, values, the sentences of cards, notices and the guide.

   "Recorded", never "committed"; "fewer" and "more", never "better" and "worse". Every text comes from the catalogue;
   names, levels and what is counted come from the release. Exports texts and segments (text, stressed) that the modules
   of the page put into elements. Nothing here touches the page. */

import { NOT_OFFERED } from "./fields.js";
import {
  capital, countText, isolate, limitText, parts, rangeText, rateText, say, shareRangeText, shortDate, signed,
  timesRangeText, whole,
} from "./words.js";
import {
  BANDS, CATEGORIES, HOTSPOTS, INFO, LEVELS, MAPPED, byDays, categoryOf, cell, offeredRange, parentOf, periodOf,
  rangeOf, regional, regionalRange,
} from "./data.js";
import {
  DENSITY_CATEGORIES, SHOWN_MEASURES, bandsOf, breaksBetween, hasMeasure, isDetailed, isFlow, isGivenIn, isLong, isPublic, levelsOf,
  mainScene, flatRates, rateEnds, regionalRateEnds, shareEnds, sharedLimits, spotsOf, state, tiles, valueOf,
} from "./model.js";

/** @import { PeriodFields } from "./fields.js" */
/** @import { Segment } from "./words.js" */
/** @import { CountRange, Hotspot } from "./data.js" */
/** @import { Found, Measure, Scene, State, ValueState } from "./model.js" */

/* ---------- names of things ---------- */

/** @param {string} levelId @param {boolean} [many] @returns {string} */
export function levelWord(levelId, many) { const l = LEVELS[levelId]; return l ? (many ? l.many : l.one) : levelId; }

/** Words for an area without a value. @type {Record<string, string>} */
const STATE_KEYS = {
  notoffered: "common.not_offered",
  zero: "common.state.none_recorded",
  few: "common.state.too_few",
  incomparable: "common.state.not_comparable",
  nocover: "common.state.not_covered",
  norate: "common.state.no_resident_rate",
  nodata: "common.state.no_data",
};

/** @param {ValueState} name @returns {string} */
function stateWord(name) { return say(STATE_KEYS[name] || name); }

/** @param {Measure} measure @returns {string} as the choice of measures has it */
export function measureWord(measure) { return say("map.measure." + measure); }

/** What is counted, in the range that the count lies in: singular for one.
 * @param {CountRange} range @returns {string} */
export function counted(range) {
  const noun = INFO.noun;
  const one = range.lower === 1 && range.upper === 1 && /[^s]s$/.test(noun);
  if (!range.upper) return say("number.none") + " " + noun;
  return countText(range) + " " + (one ? noun.slice(0, -1) : noun);
}

/** The same, with the category where it is not all of them. @param {CountRange} range @param {string} category @returns {string} */
function countedOf(range, category) {
  if (category === CATEGORIES[0].id) return counted(range);
  return say("map.card.counted_of_category", { counted: counted(range), category: categoryOf(category).label });
}

/** @param {CountRange} range @returns {number} what chooses between singular and plural */
function grammarNumber(range) { return range.lower === range.upper ? range.lower : range.upper + 2; }

/** @param {PeriodFields} period @returns {string} */
function inPeriod(period) {
  const when = say("month.in_period", { period: period.named });
  return period.complete ? when : say("map.card.in_part", { when });
}

/** @param {string} categoryId @returns {string} */
export function subjectOf(categoryId) {
  const category = categoryOf(categoryId);
  return category.id === CATEGORIES[0].id ? INFO.title : say("map.heading.subject_of_category", { title: INFO.title, category: category.label });
}

/** @param {{level: string, period: string}} scene @returns {string} the period that its changes are against */
export function changeAgainst({ level, period }) {
  const window = periodOf(level, period);
  return (window && window.against) || (period === INFO.headline && INFO.earlierNamed) || say("map.change.period_before");
}

/** @returns {string} the region at the head of a card */
export function regionName() { return INFO.region || say("map.region.all_areas"); }

/** @returns {string} the region beside a figure */
export function regionShort() { return INFO.region || say("map.region.all"); }

/* ---------- headings and units ---------- */

/** @param {Scene} scene @returns {string} */
export function headingOf(scene) {
  const measure = scene.measure === "outcomes" && isFlow() ? "outcome_flow" : scene.measure;
  const { base } = categoryOf(scene.category);
  const values = { subject: subjectOf(scene.category), earlier: changeAgainst(scene), areas: levelWord(scene.level, true), base };
  return say("map.heading." + (scene.mode === "density" ? "density" : measure), values);
}

/** @param {Scene} scene @returns {string} */
export function subtitleOf(scene) {
  const window = periodOf(scene.level, scene.period);
  const period = capital(window ? window.label : "");
  const line = scene.mode === "density" ? period : say("map.heading.by_level", { period, level: levelWord(scene.level) });
  return line + (INFO.insideNote ? ". " + INFO.insideNote : "");
}

/** The unit at the head of a legend: what is stressed there stands in bold.
 * @param {Scene} scene @returns {Segment[]} */
export function unitOf(scene) {
  const noun = capital(INFO.noun);
  if (scene.mode === "density") return parts("map.unit.density", { noun, period: INFO.headlineNamed });
  if (scene.measure === "count") return [[noun, true]];
  const measure = scene.measure === "outcomes" && isFlow() ? "outcome_flow" : scene.measure;
  const areas = capital(levelWord(scene.level, true)), { base } = categoryOf(scene.category);
  const values = { noun: scene.measure === "rate" ? noun : INFO.noun, earlier: changeAgainst(scene), areas, base };
  return parts("map.unit." + measure, values);
}

/** @param {Scene} scene @param {number} limit of a class @returns {string} */
export function classLimit(scene, limit) { return scene.measure === "outcomes" && !isFlow() ? limitText(limit * 100) + "%" : limitText(limit); }

/* ---------- values ---------- */

/** @param {number} k class of significance, -3 to 3 @param {boolean} [short] for a cell of a table @returns {string} */
export function significanceWord(k, short = false) {
  if (k === 0) return say(isPublic() ? "map.significance.none_public" : "map.significance.none");
  const confidence = [90, 95, 99][Math.abs(k) - 1];
  if (short) return say(k > 0 ? "map.significance.higher_short" : "map.significance.lower_short", { confidence });
  return say(k > 0 ? "map.significance.higher" : "map.significance.lower", { confidence });
}

/** @param {number | null} value class of a change @returns {string} */
export function changeFigure(value) {
  return say(!value ? "map.change.none" : value > 0 ? "map.change.higher" : "map.change.lower");
}

/** The size of a change that was called: about, where it comes from the middles of steps.
 * @param {number} change @returns {string} */
export function sizeText(change) {
  return INFO.mechanism === "exact" || INFO.mechanism === "suppress" ? signed(change) : say("number.about", { size: signed(change) });
}

/** The size of a change that no test found, in brackets; of counts in steps the words say all there is.
 * @param {number} change @returns {string} */
export function withinChance(change) {
  return INFO.mechanism === "exact" || INFO.mechanism === "suppress" ? say("map.change.within_chance", { size: signed(change) }) : "";
}

/** @param {[number, number] | null} ends @returns {string} */
export function rateRangeText(ends) { return ends ? rangeText(ends[0], ends[1], rateText) : ""; }

/** A share, or in a flow the outcomes for every 100 recorded. @param {[number, number] | null} ends @returns {string} */
export function outcomeText(ends) {
  if (!ends) return "";
  return isFlow() ? rangeText(ends[0], ends[1], rateText) : shareRangeText(ends[0], ends[1]);
}

/** A bare figure for table cells and bars; never the middle of a range as if it were known.
 * @param {Scene} scene @param {number} i @param {boolean} [short] @returns {string} */
export function figure(scene, i, short = false) {
  const found = valueOf(scene, i);
  if (found.state === "first" && found.range) return countText(found.range);
  if (found.state !== "ok") return stateWord(found.state);
  switch (scene.measure) {
    case "rate": return rateRangeText(rateEnds(scene, i));
    case "count": return found.range ? countText(found.range) : "";
    case "change": return changeFigure(found.value);
    case "significance": return significanceWord(Number(found.value), short);
    default: return outcomeText(shareEnds(scene, i));
  }
}

/** A value with its unit; the same words in tooltips, cards, the table and announcements.
 * @param {Scene} scene @param {number} i @returns {string} */
export function valueText(scene, i) {
  const found = valueOf(scene, i);
  if (found.state === "ok") return measureText(scene, i, found);
  if (found.state === "first" && found.range) return capital(counted(found.range));
  if (found.state === "zero") return capital(stateWord("zero"));
  if (found.state === "few") {
    if (scene.measure === "rate" && found.range) return say("map.value.too_few_for_rate", { counted: capital(counted(found.range)) });
    return say(scene.measure === "change" ? "map.value.too_few_to_compare" : "map.value.too_few_to_say");
  }
  if (found.state === "notoffered") return say("map.value.not_offered");
  return capital(stateWord(found.state));
}

/** @param {Scene} scene @param {number} i @param {Found} found @returns {string} */
function measureText(scene, i, found) {
  switch (scene.measure) {
    case "rate": return say("map.value.rate", { rate: figure(scene, i) });
    case "count": return found.range ? capital(counted(found.range)) : "";
    case "change": {
      const key = !found.value ? "map.value.change_none" : found.value > 0 ? "map.value.change_higher" : "map.value.change_lower";
      return say(key, { earlier: changeAgainst(scene) });
    }
    case "significance": return capital(figure(scene, i));
    default: return say(isFlow() ? "map.value.outcome_flow" : "map.value.outcomes", { outcome: figure(scene, i) });
  }
}

/* ---------- sentences of cards ---------- */

/** "clearly more than in the 12 months to July 2024 (+17%)", or nothing where no change was called.
 * @param {string} levelId @param {number} i @param {string} period @param {string} category @returns {Segment[]} */
function changePhrase(levelId, i, period, category) {
  const word = cell(levelId, i, period, category, "cw"), change = cell(levelId, i, period, category, "c");
  const earlier = changeAgainst({ level: levelId, period });
  if (word === "n") {
    const size = typeof change === "number" ? withinChance(change) : "";
    return size ? parts("map.card.with_no_change_size", { earlier, size }) : parts("map.card.with_no_change", { earlier });
  }
  if (word !== "h" && word !== "l") return [];
  if (typeof change !== "number") return parts(word === "h" ? "map.card.more" : "map.card.fewer", { earlier });
  return parts(word === "h" ? "map.card.more_by" : "map.card.fewer_by", { earlier, size: sizeText(change) });
}

/** @returns {string} why a number is left out */
function notOfferedText() { return say(INFO.mechanism === "suppress" ? "map.guide.not_offered_suppress" : "map.guide.not_offered"); }

/** What is offered of the area around: "In Ealing as a whole: 10 to 19 offences (Disability)."
 * @param {Scene} scene @param {number} i @returns {Segment[]} */
function aboveSegments({ level, period, category }, i) {
  const parent = parentOf(level, i);
  const range = parent ? rangeOf(parent[0], parent[1], period, category, "n") : null;
  if (!parent || !range) return [];
  const area = isolate(LEVELS[parent[0]].name[parent[1]]);
  // A whole borough is left out where its categories nearly add up to its total: what it holds is then left out too.
  if (range === NOT_OFFERED) return INFO.mechanism === "suppress" ? [] : [[" ", false], ...parts("map.card.whole_not_offered", { area })];
  return [[" ", false], ...parts("map.card.in_whole", { area, counted: countedOf(range, category) })];
}

/** The latest other window for which a number is given: "It is given for the 12 months to July 2024."
 * @param {Scene} scene @param {number} i @returns {Segment[]} */
function otherWindowSegments({ level, period, category }, i) {
  const window = periodOf(level, period);
  const given = LEVELS[level].periods.filter((p) => window && p.kind === window.kind && offeredRange(level, i, p.id, category, "n")).pop();
  return given ? [[" ", false], ...parts("map.card.given_for", { period: given.named })] : [];
}

/** The sentence at the head of an area's card.
 * @param {Scene} scene @param {number} i @returns {Segment[]} */
export function areaSentence(scene, i) {
  const { level, period, category } = scene;
  const window = periodOf(level, period);
  const area = isolate(LEVELS[level].name[i]);
  if (!LEVELS[level].covered[i]) return parts("map.card.not_covered");
  const range = rangeOf(level, i, period, category, "n");
  if (range === NOT_OFFERED) {
    const key = INFO.mechanism === "suppress" ? "map.card.not_offered_suppress" : "map.card.not_offered";
    return [...parts(key, { level: levelWord(level) }), ...aboveSegments(scene, i), ...otherWindowSegments(scene, i)];
  }
  if (range === null || !window) return window ? parts("map.card.no_figures_when", { area, when: inPeriod(window) }) : parts("map.card.no_figures", { area });
  const values = { counted: capital(countedOf(range, category)), area, when: inPeriod(window), n: grammarNumber(range), base: categoryOf(category).base };
  const rate = rateEnds(scene, i), all = regionalRateEnds(scene);
  if (rate && range.upper > 0) {
    const rated = { ...values, rate: rateRangeText(rate) };
    if (!all || !all[0] || level === "region") return parts("map.card.recorded_rate", rated);
    const place = INFO.region || say("map.region.overall");
    return parts("map.card.recorded_rate_times", { ...rated, times: timesRangeText(rate[0] / all[1], rate[1] / all[0], place) });
  }
  const rated = SHOWN_MEASURES.includes("rate") && range.upper > 0;
  if (rated && cell(level, i, period, category, "rel") === "f") return parts("map.card.recorded_too_few", values);
  const lacks = !rate && rated;
  return parts(lacks ? "map.card.recorded_no_rate" : "map.card.recorded", values);
}

/** The sentence of the whole region, which has the same windows as the level on the map where the release gives them.
 * @param {string} level on the map @param {Scene} scene @returns {Segment[]} */
export function regionSentence(level, { period, category }) {
  const window = periodOf(level, period);
  const range = regionalRange(period, category);
  if (!range || !window) return parts("map.card.no_total");
  const values = { counted: capital(countedOf(range, category)), when: inPeriod(window), base: categoryOf(category).base };
  const rate = regionalRateEnds({ period, category });
  const change = changePhrase("region", 0, period, category);
  if (rate && change.length) return parts("map.card.region_rate_change", { ...values, rate: rateRangeText(rate), change });
  if (rate) return parts("map.card.region_rate", { ...values, rate: rateRangeText(rate) });
  return change.length ? parts("map.card.region_change", { ...values, change }) : parts("map.card.region", values);
}

/** How an area changed, in sentences; empty where nothing is said.
 * @param {Scene} scene @param {number} i @returns {string} */
export function changeSentence({ level, period, category }, i) {
  const word = cell(level, i, period, category, "cw"), against = cell(level, i, period, category, "cr");
  const earlier = changeAgainst({ level, period });
  const beside = INFO.region && (against === "h" || against === "l")
    ? " " + say(against === "h" ? "map.change.rise_clearer" : "map.change.fall_clearer", { region: INFO.region }) : "";
  switch (word) {
    case "h": return say("map.change.clearly_higher", { earlier }) + beside;
    case "l": return say("map.change.clearly_lower", { earlier }) + beside;
    case "n": return say(INFO.step > 1 ? "map.change.no_clear_steps" : "map.change.no_clear", { earlier }) + beside;
    case "f": return say("map.change.too_few") + beside;
    case "c": return notComparableText({ level, period }) + beside;
    default: return "";
  }
}

/** What is known of why a window and the one before it cannot be compared: the form of the sentence, and its values.
 * @param {{level: string, period: string}} scene @returns {[string, {earlier: string, reason: string}]} */
function obstacle(scene) {
  const window = periodOf(scene.level, scene.period), main = scene.period === INFO.headline;
  const reason = (window && window.apart) || (main ? INFO.notComparable : "");
  const known = (window && window.against) || (main ? INFO.earlierNamed : "");
  return [reason ? "because" : known ? "with" : "no_earlier", { earlier: changeAgainst(scene), reason: isolate(reason) }];
}

/** @param {{level: string, period: string}} scene @returns {string} that the windows cannot be compared, and why where that is known */
function notComparableText(scene) {
  const [form, values] = obstacle(scene);
  return say("map.change.not_comparable." + form, values);
}

/** The outcomes of an area; nothing where there are none to give.
 * @param {Scene} scene @param {number} i @returns {Segment[]} */
export function outcomeSentence(scene, i) {
  if (INFO.outcomes === "none") return [];
  const share = shareEnds(scene, i);
  if (!share) return [];
  if (isFlow()) return parts("map.outcomes.flow", { rate: rateRangeText(share), noun: INFO.noun });
  const { level, period, category } = scene;
  const positive = offeredRange(level, i, period, category, "o");
  const low = cell(level, i, period, category, "sl"), high = cell(level, i, period, category, "sh");
  const ends = { low: Math.round(Number(low) * 100), high: Math.round(Number(high) * 100) };
  const chance = typeof low !== "number" ? "" : say(INFO.step > 1 ? "map.outcomes.with_chance" : "map.outcomes.interval", ends);
  const values = { share: capital(shareRangeText(...share)), count: positive ? countText(positive) : "", chance };
  if (positive) return parts(chance ? "map.outcomes.share_count_chance" : "map.outcomes.share_count", values);
  return parts(chance ? "map.outcomes.share_chance" : "map.outcomes.share", values);
}

/** Whether an area stands out with its neighbours, and its history; empty where neither is known.
 * @param {Scene} scene @param {number} i @returns {string} */
export function clusterSentence({ level, period, category }, i) {
  const klass = cell(level, i, period, category, "g"), history = cell(level, i, period, category, "e");
  const said = [];
  if (typeof klass === "number" && klass !== 0) said.push(say("map.card.stands_out", { cluster: significanceWord(klass) }));
  // "sporadic cold spot": a pattern, and on which side the area stood out.
  const [pattern, side] = typeof history === "string" ? history.split(" ") : [];
  const sides = { hot: say("map.side.hot"), cold: say("map.side.cold") };
  if (side === "hot" || side === "cold") said.push(say("map.history." + pattern, { side: sides[side], other: sides[side === "hot" ? "cold" : "hot"] }));
  return said.join(" ");
}

/** The interval of a rate, "12–15", after what it is. @param {number} low @param {number} high @returns {string} */
export function intervalText(low, high) {
  return say(INFO.step > 1 ? "map.card.thin_line_chance" : "map.card.thin_line_interval", { low: rateText(low), high: rateText(high) });
}

/** How many months a window has. @param {PeriodFields} period @returns {number} */
function monthsOf({ start, end }) {
  return Number(end.slice(0, 4)) * 12 + Number(end.slice(5, 7)) - Number(start.slice(0, 4)) * 12 - Number(start.slice(5, 7)) + 1;
}

/** What each point or bar of a series stands for: said of its windows, whose kind tells only about how long they are.
 * @param {PeriodFields[]} periods @param {string} kind @param {boolean} bars @returns {string} */
export function seriesNote(periods, kind, bars) {
  const months = new Set(periods.filter((p) => p.complete).map(monthsOf));
  const key = byDays(kind) ? kind : months.size !== 1 ? "period" : kind === "y" || ![1, 3].includes([...months][0]) ? "months" : kind;
  return say((bars ? "map.trend.each_bar." : "map.trend.each_point.") + key, { n: [...months][0] || 0 });
}

/* ---------- hotspots ---------- */

/** @param {Hotspot} spot @returns {string} */
export function spotAmount(spot) { return typeof spot.n === "number" ? whole(spot.n) : spot.band; }

/** Why a map shows no hotspots. @param {Scene} scene @returns {string} */
export function noSpotsText(scene) {
  const period = INFO.headlineNamed;
  if (!HOTSPOTS.length) return INFO.hotspotNote || say(INFO.hasPoints ? "map.hotspots.none" : "map.hotspots.no_points", { period });
  if (scene.period !== INFO.headline) return say("map.hotspots.other_period", { period });
  return say("map.hotspots.none_of", { category: categoryOf(scene.category).label, period });
}

/** @returns {string} what stands above the list of hotspots */
export function spotNote() {
  const scene = mainScene();
  if (!spotsOf(scene).length) return noSpotsText(scene);
  const note = say("map.hotspots.note", { noun: INFO.noun, period: INFO.headlineNamed, category: categoryOf(scene.category).label });
  return INFO.hotspotNote ? note + " " + INFO.hotspotNote : note;
}

/* ---------- what a map leaves out ---------- */

/** The states without a value that occur, and their words: for the legend and the picture.
 * @param {Scene[]} scenes @returns {[ValueState, string][]} */
export function keysOf(scenes) {
  const seen = new Set();
  let few = 0;
  for (const scene of scenes) {
    if (scene.mode === "density") continue;
    LEVELS[scene.level].code.forEach((_, i) => {
      const found = valueOf(scene, i);
      seen.add(found.state);
      if (found.state === "few" && found.range) few = Math.max(few, found.range.upper);
    });
  }
  const measure = scenes[0].measure;
  const tooFew = measure === "rate"
    ? INFO.step > 1 && few ? say("map.legend.no_rate", { count: capital(countText({ lower: 0, upper: few })) }) : say("map.legend.too_few_for_rate")
    : say(measure === "change" ? "map.value.too_few_to_compare" : "map.value.too_few_to_say");
  /** @type {ValueState[]} */
  const order = ["zero", "few", "notoffered", "incomparable", "nocover", "norate", "nodata"];
  return order.filter((name) => seen.has(name)).map((name) => [name, name === "few" ? tooFew : capital(stateWord(name))]);
}

/** Why a category has the areas that it has; empty for single wards.
 * @returns {string} */
export function detailNote() {
  const detail = categoryOf(state.category).detail;
  if (state.mode === "density" || detail === "ward" || !LEVELS.borough) return "";
  if (detail === "borough") return say("map.detail.level_only", { level: levelWord("borough") });
  const levels = levelWord("ward", true);
  const window = periodOf(state.level, state.period);
  return isLong(state.level, state.category) && window
    ? say("map.detail.groups_long", { levels, period: window.named })
    : say("map.detail.groups", { levels });
}

/** The one notice that may stand under the controls, and what it offers to do.
 * @returns {{text: string, action?: string, change?: Partial<State>, level?: string} | null} */
export function noticeOf() {
  const scene = mainScene();
  const level = LEVELS[scene.level];
  if (tiles.failed) return { text: say("map.notice.tiles_failed") };
  if (scene.mode === "density" && !bandsOf(scene.category).length) {
    const first = DENSITY_CATEGORIES[0];
    const text = say("map.notice.no_density", { category: categoryOf(scene.category).label });
    return { text, action: say("map.notice.show", { name: categoryOf(first).label }), change: { category: first } };
  }
  if (scene.mode === "density") return null;
  const across = acrossBreak(scene);
  if (across) return { text: across };
  const rows = level.code.map((_, i) => valueOf(scene, i).state);
  if (!rows.includes("ok") && !rows.includes("first")) return emptyNotice(scene, rows);
  const flat = oneClassNotice(scene);
  if (flat) return flat;
  const missing = rows.filter((s) => s === "notoffered" || s === "few").length, held = rows.filter((s) => s !== "nocover").length;
  if (missing / held <= 0.4 || !isDetailed(scene.level) || !MAPPED.includes("borough")) return null;
  const all = regional(scene.period, scene.category, "r");
  const pale = scene.measure === "rate" && all !== null && all < sharedLimits()[0] ? [say("map.notice.pale", { region: INFO.region })] : [];
  const why = { count: "map.notice.many_not_offered", rate: "map.notice.many_without_rate", change: "map.notice.many_without_change" };
  const key = scene.measure === "count" || scene.measure === "rate" || scene.measure === "change" ? why[scene.measure] : "map.notice.many_too_few";
  const values = { missing: whole(missing), all: whole(held), areas: level.many, noun: INFO.noun };
  const fuller = say("map.notice.fuller", { areas: capital(LEVELS.borough.many) });
  return { text: [say(key, values), ...pale, fuller].join(" "), action: say("map.notice.show", { name: LEVELS.borough.many }), level: "borough" };
}

/** Why a map of one colour says little, and what says more: all rates lie in one class. @param {Scene} scene
 * @returns {{text: string, action: string, change: Partial<State>} | null} */
function oneClassNotice(scene) {
  const n = flatRates(scene);
  if (n === null) return null;
  const none = () => say("map.legend.circles_no_rate", { area: levelWord(scene.level) });
  const text = n === 0 ? none() : say("map.notice.one_class", { n, areas: levelWord(scene.level, true) });
  return { text, action: say("map.notice.show_numbers"), change: { measure: "count", keepFlat: false } };
}

/** Why a map shows circles where rates were asked for; empty where it does not. @param {Scene} scene @returns {string} */
export function insteadText(scene) {
  const n = state.instead ? flatRates({ ...scene, measure: "rate" }) : null;
  if (n === 0) return say("map.legend.circles_no_rate", { area: levelWord(scene.level) });
  return n ? say("map.legend.circles_instead", { n, areas: levelWord(scene.level, true) }) : "";
}

/** A warning where the two maps show windows on two sides of a break. @param {Scene} scene @returns {string} */
function acrossBreak(scene) {
  const one = periodOf(scene.level, scene.period);
  const other = state.compare && state.compare[0] === "p" ? periodOf(scene.level, state.compare.slice(2)) : null;
  const between = one && other ? breaksBetween(one, other) : [];
  if (!one || !other || !between.length) return "";
  const breaks = between.map((b) => say("map.breaks.when", { text: isolate(b.text), month: shortDate(b.month) })).join("; ");
  return say("map.notice.across_break", { one: one.named, other: other.named, breaks });
}

/** The notice of a map without any value.
 * @param {Scene} scene @param {ValueState[]} rows @returns {{text: string, action?: string, change?: Partial<State>, level?: string}} */
function emptyNotice(scene, rows) {
  const level = LEVELS[scene.level];
  const held = level.periods.slice().reverse().find((p) => p.id !== scene.period && hasMeasure({ ...scene, period: p.id }));
  if (held && !hasMeasure(scene)) {
    const text = say("map.notice.not_given." + scene.measure);
    return { text, action: say("map.notice.show_period", { period: held.label }), change: { period: held.id } };
  }
  if (rows.includes("incomparable")) {
    const [form, values] = obstacle(scene);
    return { text: say("map.notice.incomparable." + form, values) };
  }
  const other = MAPPED.find((id) => id !== scene.level && LEVELS[id].code.some((_, i) => ["ok", "first"].includes(valueOf({ ...scene, level: id }, i).state)));
  const offer = other ? { action: say("map.notice.show", { name: LEVELS[other].many }), level: other } : {};
  const all = rows.every((s) => s === "notoffered" || s === "nocover");
  return { text: all ? say("map.notice.protected", { subject: subjectOf(scene.category), level: level.one }) : say("map.notice.nothing"), ...offer };
}

/* ---------- the guide: texts that apply to this release and no others ---------- */

/** The states that occur somewhere. Other periods than the headline differ in what rates and counts they lack, no more.
 * @returns {Set<ValueState>} */
function statesPresent() {
  /** @type {Set<ValueState>} */
  const seen = new Set();
  for (const id of MAPPED) for (const p of LEVELS[id].periods) for (const c of CATEGORIES) for (const m of SHOWN_MEASURES) {
    const scene = { level: id, mode: "areas", category: c.id, measure: m, period: p.id };
    if (!levelsOf(c.id).includes(id) || !isGivenIn(id, c.id, p.kind) || (p.id !== INFO.headline && m !== SHOWN_MEASURES[0])) continue;
    if (m !== "count" && m !== "rate" && !hasMeasure(scene)) continue;
    LEVELS[id].code.forEach((_, i) => seen.add(valueOf(scene, i).state));
    if (seen.size === 8) return seen;
  }
  return seen;
}

/** Parts of the guide that have something to say: a title and its paragraphs, or the key of patterns.
 * @returns {{title?: string, texts?: string[], patterns?: [ValueState, string][]}[]} */
export function guideParts() {
  /** @type {{title?: string, texts?: string[], patterns?: [ValueState, string][]}[]} */
  const guide = [];
  /** @param {string} title @param {string[]} texts */
  const part = (title, ...texts) => { guide.push({ title, texts: texts.filter(Boolean) }); };
  const noun = INFO.noun, steps = INFO.step > 1;
  const by = INFO.publisher ? "map.guide.counted.by" : "map.guide.counted.text";
  part(say("map.guide.counted.title"), say(by, { noun, publisher: INFO.publisher }), INFO.nonCrime ? say("map.guide.counted.non_crime") : "");
  if (LEVELS.ward_group) {
    const values = { levels: levelWord("ward", true), level: levelWord("borough") };
    part(say("map.guide.groups.title", values), say("map.guide.groups.text", values));
  }
  if (steps) {
    const example = capital(countText({ lower: 2 * INFO.step, upper: 3 * INFO.step - 1 }));
    const first = capital(countText({ lower: 0, upper: INFO.step - 1 }));
    part(say("map.guide.steps.title"), INFO.counts, say("map.guide.steps.text", { example, step: INFO.step, first }));
  } else if (INFO.counts) part(say("map.guide.counts_title"), INFO.counts);
  part(say("map.guide.colour.title"), say("map.guide.colour.text"));
  const patterns = patternTexts();
  if (patterns.length) guide.push({ patterns });
  if (SHOWN_MEASURES.includes("rate")) {
    const line = say(steps ? "map.guide.rates.line_steps" : "map.guide.rates.line");
    part(say("map.guide.rates.title"), say("map.guide.rates.text") + " " + line);
  }
  if (SHOWN_MEASURES.includes("change") && INFO.earlierNamed) {
    part(measureWord("change"), say(steps ? "map.guide.change_steps" : "map.guide.change", { earlier: INFO.earlierNamed }));
  }
  if (SHOWN_MEASURES.includes("significance")) part(measureWord("significance"), say("map.guide.clusters"));
  const outcomes = SHOWN_MEASURES.includes("outcomes") ? INFO.outcomes : "none";
  if (outcomes === "cohort") part(measureWord("outcomes"), say("map.guide.outcomes", { noun }));
  if (outcomes === "flow") part(measureWord("outcomes"), say("map.guide.outcome_flow"));
  part(say("map.hotspots.title"), spotNote());
  const bands = [BANDS.length ? say("map.guide.density", { period: INFO.headlineNamed }) : "", INFO.densityNote].filter(Boolean).join(" ");
  part(say("map.density.title"), bands || say("map.guide.no_density"));
  if (CATEGORIES.length > 1) part(say("map.guide.overlap.title"), say("map.guide.overlap.text"));
  if (INFO.outside.length) part(say("map.guide.apart.title"), say("map.guide.apart.text", { categories: INFO.outside.join(", "), noun }));
  for (const b of INFO.breaks) part(say("map.guide.break.title", { month: shortDate(b.month) }), say("map.guide.break.text", { text: isolate(b.text) }));
  part(say("map.guide.cannot.title"), ...INFO.wording, say("map.guide.cannot.text"));
  if (INFO.synthetic) part(say("map.guide.synthetic_title"), INFO.synthetic);
  part(say("map.guide.outlines.title"), say("map.guide.outlines.text"));
  part(say("map.guide.sources"), INFO.publisher, INFO.licence);
  part(say("map.guide.keyboard.title"), say("map.guide.keyboard.text"));
  return guide;
}

/** @returns {[ValueState, string][]} patterns that occur, and what they mean */
function patternTexts() {
  const seen = statesPresent();
  /** @type {[ValueState, string][]} */
  const texts = [
    ["zero", say("map.guide.zero")],
    ["few", say("map.guide.few")],
    ["notoffered", notOfferedText()],
    ["incomparable", notComparableText({ level: mainScene().level, period: INFO.headline })],
    ["nocover", say("map.guide.not_covered")],
    ["norate", say("map.guide.no_resident_rate")],
    ["nodata", say("map.guide.no_data")],
  ];
  return texts.filter(([name]) => seen.has(name));
}

/** @returns {string[]} what to keep in mind, for the list beside the map */
export function careTexts() {
  const breaks = INFO.breaks.map((b) => say("map.breaks.do_not_compare", { text: isolate(b.text), month: shortDate(b.month) }));
  return [INFO.synthetic, ...INFO.wording, ...breaks, INFO.counts, ...INFO.caveats].filter(Boolean);
}

/** @returns {string} who published what, and of when the population is */
export function sourceText() {
  const year = MAPPED.map((id) => LEVELS[id].year).find(Boolean);
  const population = year && !/resident|population/i.test(INFO.publisher) && SHOWN_MEASURES.includes("rate") ? say("map.population_of", { year }) : "";
  return [isolate(INFO.publisher), population].filter(Boolean).join(". ").replace(/\.\. /g, ". ");
}
